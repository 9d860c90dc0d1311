//! Known damage to real data, and what each score makes of it: as docs/metrics.md says. On Adult, where `SEMBLANT_DATA` has it.
#![allow(clippy::print_stdout)]

mod support;

use semblant_data::table::{Column, Table};
use semblant_metrics::report::{Content, Grade, ReferenceFrom};
use semblant_metrics::{Options, Report, evaluate};
use support::{data_set, rows};

const ROWS: usize = 2000;

/// Training rows, holdout rows, and fresh rows that stand for a perfect generator's.
fn parts() -> [Table; 3] {
    let (train, test) = data_set("adult");
    [rows(&train, 0, ROWS), rows(&test, 0, ROWS), rows(&train, ROWS, ROWS)]
}

fn report(train: &Table, synthetic: &Table, holdout: &Table) -> Report {
    let report = evaluate(train, synthetic, Some(holdout), &Options::default(), &mut |_| {}).expect("a report");
    for score in &report.scores {
        println!("{:30} {:?} {:?}", score.id, score.value, score.reference);
    }
    report.verdicts.iter().for_each(|verdict| println!("{} {}", verdict.answer, verdict.because));
    report
}

fn value(report: &Report, id: &str) -> f64 {
    report.score(id).and_then(|score| score.value).unwrap_or_else(|| panic!("{id} is not defined"))
}

#[track_caller]
fn near(report: &Report, id: &str, expected: f64, tolerance: f64) {
    let found = value(report, id);
    assert!((found - expected).abs() <= tolerance, "{id}: {found} and not {expected}");
}

#[test]
#[cfg_attr(not(has_data), ignore = "set SEMBLANT_DATA to run")]
fn fresh_rows_score_as_the_holdout_does() {
    let [train, holdout, fresh] = parts();
    let report = report(&train, &fresh, &holdout);
    for score in report.scores.iter().filter(|score| score.reference_from == ReferenceFrom::Holdout) {
        let (Some(value), Some(reference)) = (score.value, score.reference) else { panic!("{}: {score:?}", score.id) };
        // What two samples of this size differ by; the test of one column in fifteen may fail by chance.
        let tolerance = if score.id == "chi_square" { 0.07 } else { 0.06 };
        assert!((value - reference).abs() < tolerance, "{}: {value} against {reference}", score.id);
    }
    near(&report, "closer_to_train", 0.5, 0.04);
    for id in ["singling_out_one", "singling_out_many", "linkability", "inference"] {
        let interval = report.score(id).and_then(|score| score.interval).unwrap_or_else(|| panic!("{id} has no interval"));
        assert!(interval[0] < 0.01, "{id}: {interval:?}");
    }
    for auc in ["membership_distance_auc", "membership_density_auc"] {
        near(&report, auc, 0.5, 0.04);
    }
    assert_eq!([report.verdicts[0].grade, report.verdicts[2].grade], [Grade::Good; 2], "{:?}", report.verdicts);
}

#[test]
#[cfg_attr(not(has_data), ignore = "set SEMBLANT_DATA to run")]
fn shuffled_columns_keep_every_column_and_lose_every_relation() {
    let [train, holdout, fresh] = parts();
    let turned = |(place, column): (usize, &Column)| {
        let rows: Vec<usize> = (0..column.len()).map(|row| (row + 101 * (place + 1)) % column.len()).collect();
        column.take(&rows)
    };
    let columns = fresh.columns().iter().enumerate().map(turned).collect();
    let shuffled = Table::new(fresh.schema().clone(), columns).expect("the same columns");
    let (intact, broken) = (report(&train, &fresh, &holdout), report(&train, &shuffled, &holdout));
    for same in ["column_shapes", "coverage", "missing_values", "mean_similarity", "median_similarity", "wasserstein", "jensen_shannon"] {
        near(&broken, same, value(&intact, same), 1e-9);
    }
    near(&broken, "logistic_detection", value(&intact, "logistic_detection"), 0.06);
    for fallen in ["column_pair_trends_related", "mutual_information", "beta_recall", "disclosure_protection"] {
        let (before, after) = (value(&intact, fallen), value(&broken, fallen));
        let fell = if fallen == "disclosure_protection" { after > before + 0.1 } else { after < before - 0.03 };
        assert!(fell, "{fallen}: {before} to {after}");
    }
    assert!(value(&broken, "detection_auc") > 0.9);
    near(&broken, "utility_auc", 0.5, 0.12);
    // Rows of shuffled columns are far from all real rows.
    for grown in ["dcr_median", "dcr_baseline_protection"] {
        assert!(value(&broken, grown) > 1.3 * value(&intact, grown), "{grown}: {} to {}", value(&intact, grown), value(&broken, grown));
    }
    assert_eq!(broken.verdicts[1].grade, Grade::Poor);
}

#[test]
#[cfg_attr(not(has_data), ignore = "set SEMBLANT_DATA to run")]
fn a_tenth_of_copied_rows_is_found() {
    let [train, holdout, fresh] = parts();
    let mut copied = rows(&fresh, 0, ROWS - ROWS / 10);
    copied.append(&rows(&train, 0, ROWS / 10)).expect("the same columns");
    let (before, after) = (report(&train, &fresh, &holdout), report(&train, &copied, &holdout));
    near(&after, "copies", 0.1, 0.005);
    near(&after, "new_row_synthesis", value(&before, "new_row_synthesis") - 0.1, 0.005);
    // Half of the other nine tenths, and the copies.
    near(&after, "closer_to_train", 0.55, 0.04);
    assert_eq!(value(&after, "nndr_percentile_5"), 0.0);
    assert_eq!(value(&after, "dcr_percentile_5"), 0.0);
    near(&after, "authenticity", 0.9 * value(&before, "authenticity"), 0.03);
    near(&after, "identifiability", 0.1 + 0.9 * value(&before, "identifiability"), 0.03);
    // A tenth of the training rows is known for certain, the rest is guessed.
    near(&after, "membership_distance_auc", 0.55, 0.03);
    near(&after, "membership_distance_found_1", 0.11, 0.03);
    for attack in ["singling_out_one", "singling_out_many", "linkability", "inference"] {
        near(&after, attack, 0.1, 0.06);
    }
    // Nothing of it shows in how the table looks.
    near(&after, "quality", value(&before, "quality"), 0.01);
    assert_eq!(after.verdicts[2].grade, Grade::Poor);
}

#[test]
#[cfg_attr(not(has_data), ignore = "set SEMBLANT_DATA to run")]
fn a_dropped_mode_is_missed() {
    let [train, holdout, fresh] = parts();
    let column = fresh.column("marital-status").expect("there");
    let kept: Vec<usize> = (0..fresh.rows()).filter(|&row| column.label(row) != Some("Married-civ-spouse")).collect();
    let share = 1.0 - kept.len() as f64 / fresh.rows() as f64;
    let (before, after) = (report(&train, &fresh, &holdout), report(&train, &fresh.take(&kept), &holdout));
    let shape = |report: &Report| match report.section("columns").map(|section| &section.content) {
        Some(Content::Distributions(found)) => {
            found.charts.iter().find(|chart| chart.name == "marital-status").and_then(|chart| chart.value).expect("defined")
        }
        other => panic!("{other:?}"),
    };
    // The share of the label that never comes is the distance.
    assert!((shape(&after) - (1.0 - share)).abs() < 0.04, "{} and {share}", shape(&after));
    let fell =
        |id: &str, by: f64| assert!(value(&after, id) < value(&before, id) - by, "{id}: {} to {}", value(&before, id), value(&after, id));
    fell("coverage", 0.005);
    fell("beta_recall", 0.05);
    fell("quality", 0.03);
    fell("logistic_detection", 0.3);
    assert!(value(&after, "jensen_shannon") > 1.5 * value(&before, "jensen_shannon"));
    assert!(value(&after, "detection_auc") > 0.7);
    assert_ne!(after.verdicts[0].grade, Grade::Good);
}

#[test]
#[cfg_attr(not(has_data), ignore = "set SEMBLANT_DATA to run")]
fn a_leaked_training_set_has_perfect_fidelity_and_no_privacy() {
    let [train, holdout, _] = parts();
    let report = report(&train, &train, &holdout);
    for (id, ideal) in [("quality", 1.0), ("coverage", 1.0), ("wasserstein", 0.0), ("mutual_information", 1.0)] {
        near(&report, id, ideal, 1e-9);
    }
    for (id, worst, tolerance) in [
        ("copies", 1.0, 0.0),
        ("new_row_synthesis", 0.0, 0.0),
        ("dcr_median", 0.0, 0.0),
        ("dcr_baseline_protection", 0.0, 0.0),
        ("dcr_overfitting_protection", 0.0, 0.01),
        ("authenticity", 0.0, 0.01),
        ("identifiability", 1.0, 0.01),
        ("closer_to_train", 1.0, 0.01),
        ("singling_out_one", 1.0, 0.05),
        ("singling_out_many", 1.0, 0.05),
        ("inference", 1.0, 0.05),
        ("membership_distance_auc", 1.0, 0.01),
        ("membership_distance_found_1", 1.0, 0.02),
    ] {
        near(&report, id, worst, tolerance);
    }
    assert!(value(&report, "linkability") > 0.95 && value(&report, "membership_density_auc") > 0.55);
    assert!(value(&report, "disclosure_protection") < 0.05);
    assert_eq!(report.verdicts[2].grade, Grade::Poor);
    let warning = "Passing the privacy checks is no guarantee";
    assert!(report.notes.iter().any(|note| note.contains(warning)) && report.to_html().contains(warning), "{:?}", report.notes);
}
