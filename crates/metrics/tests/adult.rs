//! The scores on real data: Adult, where `SEMBLANT_DATA` has it.
#![allow(clippy::print_stdout)]

mod support;

use std::time::Instant;

use semblant_data::table::Table;
use semblant_metrics::report::Grade;
use semblant_metrics::table::utility;
use semblant_metrics::{Options, Report, evaluate};

/// The training and the test rows.
fn adult() -> (Table, Table) {
    support::data_set("adult")
}

/// Every value stays in its column but meets other rows: each column is turned by another number of rows.
fn unrelated(table: &Table) -> Table {
    let turned = |(place, column): (usize, &semblant_data::table::Column)| {
        let rows: Vec<usize> = (0..column.len()).map(|row| (row + 1009 * (place + 1)) % column.len()).collect();
        column.take(&rows)
    };
    Table::new(table.schema().clone(), table.columns().iter().enumerate().map(turned).collect()).expect("the same columns")
}

/// All scores; distances and detection on as many rows as a test build gets through in a few seconds.
fn scores(real: &Table, synthetic: &Table, holdout: Option<&Table>) -> Report {
    let options = Options { max_rows: Some(4000), ..Options::default() };
    let report = timed("evaluate", || evaluate(real, synthetic, holdout, &options, &mut |_| {})).expect("a report");
    report.scores.iter().for_each(|score| println!("{:30} {:?}", score.id, score.value));
    report
}

fn timed<T>(what: &str, work: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let result = work();
    println!("{what}: {:.2} s", start.elapsed().as_secs_f64());
    result
}

fn value(report: &Report, id: &str) -> f64 {
    report.score(id).and_then(|score| score.value).unwrap_or_else(|| panic!("{id} is not defined"))
}

#[test]
#[cfg_attr(not(has_data), ignore = "set SEMBLANT_DATA to run")]
fn boosting_is_as_good_as_scikit_learns() {
    let (train, test) = adult();
    let result = timed("utility (seven fits)", || utility::utility(&train, &train, &test, "income", &utility::UtilityOptions::default()))
        .expect("a score");
    println!("{result:?}");
    // scikit-learn 1.x HistGradientBoostingClassifier(early_stopping=False, categorical_features="from_dtype") on this split: 0.92446.
    assert!((result.learners[0].real.main().value - 0.92446).abs() < 0.003);
    // The same on standardised numbers and one-hot labels: LogisticRegression 0.9022, MLPClassifier((100,), max_iter=20) 0.9068.
    for (of, expected) in result.learners[1..].iter().zip([0.9022, 0.9068]) {
        assert!((of.real.main().value - expected).abs() < 0.006, "{of:?}");
    }
}

#[test]
#[cfg_attr(not(has_data), ignore = "set SEMBLANT_DATA to run")]
fn held_out_rows_score_best() {
    let (train, test) = adult();
    let report = scores(&train, &test, None);
    assert!(value(&report, "column_shapes") > 0.98 && value(&report, "column_pair_trends") > 0.95);
    assert!((value(&report, "detection_auc") - 0.5).abs() < 0.03);
    assert!(value(&report, "utility_auc") > 0.9 && value(&report, "data_validity") > 0.99);
    assert_eq!(report.verdicts[0].grade, Grade::Good);
}

#[test]
#[cfg_attr(not(has_data), ignore = "set SEMBLANT_DATA to run")]
fn unrelated_columns_are_detected() {
    let (train, test) = adult();
    let report = scores(&train, &unrelated(&train), Some(&test));
    assert!((value(&report, "column_shapes") - 1.0).abs() < 1e-9);
    assert!(value(&report, "column_pair_trends_related") < 0.8);
    assert!(value(&report, "detection_auc") > 0.95);
    assert!((value(&report, "utility_auc") - 0.5).abs() < 0.1);
    assert_ne!(report.verdicts[0].grade, Grade::Good);
    assert_eq!(report.verdicts[1].grade, Grade::Poor);
}
