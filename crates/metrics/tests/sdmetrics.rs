//! Agreement with SDMetrics 0.29.0 to 1e-6 on a random table with missing values; made by `tests/golden/regenerate.py`.

mod support;

use semblant_data::table::Table;
use semblant_metrics::table::{binning::BinRule, copies, diagnostic, distance, pairs, pairs::Coefficient, shapes};
use serde_json::Value;
use support::table_of;

fn golden() -> Value {
    serde_json::from_str(include_str!("golden/sdmetrics.json")).expect("the golden file is JSON")
}

fn both(golden: &Value) -> (Table, Table) {
    (table_of(&golden["real"]), table_of(&golden["synthetic"]))
}

fn assert_close(found: Option<f64>, expected: &Value, what: &str) {
    let (found, expected) = (found.unwrap_or(f64::NAN), expected.as_f64().unwrap_or(f64::NAN));
    assert!((found - expected).abs() < 1e-6, "{what}: {found} instead of {expected}");
}

#[test]
fn shapes_and_validity_agree() {
    let golden = golden();
    let (real, synthetic) = both(&golden);
    let diagnostic = diagnostic::diagnostic(&real, &synthetic).expect("a score");
    assert_close(Some(diagnostic.structure), &golden["structure"], "structure");
    for (found, expected) in [(shapes::column_shapes(&real, &synthetic).expect("scores"), "shapes"), (diagnostic.validity, "validity")] {
        assert_close(found.mean, &golden[expected]["mean"], expected);
        for score in found.columns {
            assert_close(score.value, &golden[expected]["columns"][&score.column], &score.column);
        }
    }
}

#[test]
fn pairs_agree_with_and_without_thresholds() {
    let golden = golden();
    let (real, synthetic) = both(&golden);
    let scores = pairs::column_pair_trends(&real, &synthetic, BinRule::EachTable).expect("scores");
    assert_close(scores.mean, &golden["pairs"]["mean"], "mean");
    assert_close(scores.mean_related, &golden["pairs_related"]["mean"], "mean of related pairs");
    for pair in &scores.pairs {
        let name = format!("{}|{}", pair.first, pair.second);
        assert_close(pair.value, &golden["pairs"]["pairs"][&name][0], &name);
        if pair.metric == "ContingencySimilarity" {
            assert_close(pair.real, &golden["pairs_related"]["pairs"][&name][1], &name);
        }
    }
}

#[test]
fn the_real_bin_rule_and_spearman_agree() {
    let golden = golden();
    let (real, synthetic) = both(&golden);
    let scores = pairs::column_pair_trends(&real, &synthetic, BinRule::Real).expect("scores");
    for (name, expected) in golden["real_rule"].as_object().expect("a map") {
        let pair = scores.pairs.iter().find(|pair| *name == format!("{}|{}", pair.first, pair.second)).expect("the pair");
        assert_close(pair.value, expected, name);
    }
    for (name, expected) in golden["spearman"].as_object().expect("a map") {
        let (x, y) = name.split_once('|').expect("two names");
        let pair = |table: &Table| [x, y].map(|name| table.column(name).expect("a column").numbers().expect("numbers").to_vec());
        let ([x, y], [u, v]) = (pair(&real), pair(&synthetic));
        assert_close(pairs::correlation_similarity((&x, &y), (&u, &v), Coefficient::Spearman).ok(), expected, name);
    }
}

#[test]
fn new_rows_and_distances_agree() {
    let golden = golden();
    let (real, synthetic) = both(&golden);
    assert_close(copies::new_row_synthesis(&real, &synthetic).ok(), &golden["new_rows"], "new rows");
    let distances = distance::closest_record_distances(&real, &synthetic).expect("distances");
    for (row, (found, expected)) in distances.iter().zip(golden["distances"].as_array().expect("a list")).enumerate() {
        assert_close(Some(*found), expected, &format!("row {row}"));
    }
}
