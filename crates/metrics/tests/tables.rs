//! Agreement with SDMetrics 0.29.0, scipy and scikit-learn to 1e-6 on a random table and on three real ones; made by `tests/golden/tables.py`.

mod support;

use semblant_data::table::Table;
use semblant_metrics::table::coverage::{self, Statistic};
use semblant_metrics::table::disclosure::{Unmatched, disclosure_protection};
use semblant_metrics::table::shapes::ColumnScores;
use semblant_metrics::table::{binning::BinRule, copies, detection, diagnostic, distance, divergence, pairs, privacy, shapes};
use serde_json::Value;
use support::{assert_near, data_set, rows, table_of};

fn golden() -> Value {
    serde_json::from_str(include_str!("golden/tables.json")).expect("the golden file is JSON")
}

fn toy() -> (Table, Table) {
    let stored: Value = serde_json::from_str(include_str!("golden/sdmetrics.json")).expect("the golden file is JSON");
    (table_of(&stored["real"]), table_of(&stored["synthetic"]))
}

fn assert_close(found: Option<f64>, expected: &Value, what: &str) {
    assert_near(found, expected, 1e-6, what);
}

fn assert_means(real: &Table, synthetic: &Table, expected: &Value) {
    let statistic = |statistic| coverage::statistics(real, synthetic, statistic).expect("scores").mean;
    for (name, found) in [
        ("coverage", coverage::coverage(real, synthetic).expect("scores").mean),
        ("adherence", diagnostic::diagnostic(real, synthetic).expect("scores").validity.mean),
        ("missing", coverage::missing_values(real, synthetic).expect("scores").mean),
        ("mean", statistic(Statistic::Mean)),
        ("median", statistic(Statistic::Median)),
        ("std", statistic(Statistic::Deviation)),
    ] {
        assert_close(found, &expected[name], name);
    }
}

fn assert_disclosure(real: &Table, synthetic: &Table, (known, sensitive): (&[&str], &[&str]), expected: &Value) {
    for (method, unmatched) in [("cap", Unmatched::LeftOut), ("zero_cap", Unmatched::Fails), ("generalized_cap", Unmatched::Nearest)] {
        let found = disclosure_protection(real, synthetic, known, sensitive, unmatched).ok();
        assert_close(found.map(|found| found.score), &expected[method]["score"], method);
        if let Some(found) = found {
            assert_close(Some(found.protection), &expected[method]["cap_protection"], method);
            assert_close(Some(found.baseline), &expected[method]["baseline_protection"], method);
        }
    }
}

#[test]
fn coverage_and_adherence_agree() {
    let (real, synthetic) = toy();
    assert_means(&real, &synthetic, &golden()["toy"]["means"]);
}

#[test]
fn disclosure_and_overfitting_agree() {
    let golden = golden();
    let (real, synthetic) = toy();
    assert_disclosure(&real, &synthetic, (&["a", "d", "e"], &["c"]), &golden["toy"]["disclosure"]);
    assert_disclosure(&real, &synthetic, (&["d"], &["b", "e"]), &golden["toy"]["disclosure_two"]);
    let holdout = table_of(&golden["toy"]["holdout"]);
    assert_close(privacy::overfitting_protection(&real, &synthetic, &holdout).ok(), &golden["toy"]["overfitting"], "overfitting");
}

#[test]
fn distances_between_distributions_agree() {
    let golden = &golden()["toy"];
    let (real, synthetic) = toy();
    let check = |scores: ColumnScores, expected: &Value| {
        for (column, expected) in expected.as_object().expect("a map") {
            let found = scores.columns.iter().find(|score| score.column == *column).expect("the column");
            assert_close(found.value, expected, column);
        }
    };
    check(divergence::wasserstein_distances(&real, &synthetic).expect("scores"), &golden["wasserstein"]);
    check(divergence::jensen_shannon_distances(&real, &synthetic).expect("scores"), &golden["jensen_shannon"]);
    let found = divergence::mutual_information_matrices(&real, &synthetic).expect("scores");
    let names = &found.columns;
    let pairs = (0..names.len()).flat_map(|i| (i + 1..names.len()).map(move |j| format!("{}|{}", names[i], names[j])));
    for (name, found) in pairs.zip(&found.pairs).filter(|(name, _)| golden["mutual_information"].get(name).is_some()) {
        let [real, synthetic] = found.expect("defined");
        assert_close(Some(real), &golden["mutual_information"][&name][0], &name);
        assert_close(Some(synthetic), &golden["mutual_information"][&name][1], &name);
    }
}

#[test]
fn logistic_detection_agrees_as_far_as_its_folds_allow() {
    let keep = |table: Table| {
        let names = ["a", "b", "n", "c", "e"];
        let columns = table.iter().filter(|(described, _)| names.contains(&described.name.as_str()));
        Table::from_columns(columns.map(|(described, column)| (described.name.clone(), described.kind, column.clone())).collect())
            .expect("columns")
    };
    let (real, synthetic) = toy();
    let (real, synthetic) = (keep(real), keep(synthetic));
    let draws = (0..40).map(|seed| detection::logistic_detection(&real, &synthetic, seed).expect("a score"));
    assert_near(Some(draws.sum::<f64>() / 40.0), &golden()["toy"]["logistic"], 0.01, "mean over 40 draws of the folds");
}

#[test]
#[cfg_attr(not(has_data), ignore = "set SEMBLANT_DATA to run")]
fn three_real_tables_agree() {
    let golden = golden();
    let asked: [(&str, &str, &[&str]); 3] = [
        ("adult", "income", &["sex", "race", "age"]),
        ("online-shoppers", "Revenue", &["Month", "Region", "PageValues"]),
        ("california-housing", "ocean_proximity", &["longitude", "median_income"]),
    ];
    for (name, sensitive, known) in asked {
        let (train, test) = data_set(name);
        let expected = &golden["real"][name];
        let (real, synthetic, few) = (rows(&train, 0, 1500), rows(&test, 0, 1500), rows(&test, 0, 300));
        assert_means(&real, &synthetic, expected);
        assert_close(shapes::column_shapes(&real, &synthetic).expect("scores").mean, &expected["shapes"], name);
        assert_close(pairs::column_pair_trends(&real, &synthetic, BinRule::EachTable).expect("scores").mean, &expected["pairs"], name);
        let distances = distance::closest_record_distances(&real, &few).expect("distances");
        assert_close(Some(distances.iter().sum()), &expected["distances"], name);
        assert_close(copies::new_row_synthesis(&real, &few).ok(), &expected["new_rows"], name);
        assert_disclosure(&rows(&real, 0, 300), &synthetic, (known, &[sensitive]), &expected["disclosure"]);
    }
}
