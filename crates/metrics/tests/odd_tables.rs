//! Columns in which one of the tables has what the others lack never stop an evaluation: a score that cannot be computed says why.

use semblant_data::table::{Column, ColumnKind, Table};
use semblant_metrics::learn::Learner;
use semblant_metrics::table::utility::{UtilityOptions, utility};
use semblant_metrics::{Options, Report, evaluate};

const ROWS: usize = 120;

/// Whole numbers below `bound` that look independent of each other.
fn hash(row: usize, by: u64, bound: u64) -> u64 {
    ((row as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15 ^ (by << 11)).rotate_left(29).wrapping_mul(0xD1B5_4A32_D192_ED03) >> 24) % bound
}

/// Two plain columns, which differ by `seed`, and one more.
fn table(seed: u64, rows: usize, kind: ColumnKind, odd: Column) -> Table {
    let number = Column::Number((0..rows).map(|row| hash(row, seed, 1000) as f64).collect());
    let label = Column::from_labels((0..rows).map(|row| Some(["a", "b"][hash(row, seed + 50, 2) as usize])));
    let columns = vec![("x", ColumnKind::Integer, number), ("class", ColumnKind::Categorical, label), ("odd", kind, odd)];
    Table::from_columns(columns).expect("a table")
}

fn labels(rows: usize, label: impl Fn(usize) -> Option<&'static str>) -> Column {
    Column::from_labels((0..rows).map(label))
}

fn numbers(rows: usize, number: impl Fn(usize) -> f64) -> Column {
    Column::Number((0..rows).map(number).collect())
}

/// Every score has a value or a reason, and the report can be written, with and without the holdout, for every target.
#[track_caller]
fn sound(real: &Table, synthetic: &Table, holdout: &Table) -> Report {
    let mut last = None;
    for holdout in [None, Some(holdout)] {
        for target in [None, Some("x"), Some("class"), Some("odd")] {
            let options = Options { target: target.map(str::to_owned), learners: vec![Learner::Trees], ..Options::default() };
            let report = evaluate(real, synthetic, holdout, &options, &mut |_| {}).unwrap_or_else(|error| panic!("{target:?}: {error}"));
            for score in &report.scores {
                assert!(score.value.is_some() != score.undefined.is_some(), "{score:?}");
                assert!(score.value.is_none_or(f64::is_finite) && score.reference.is_none_or(f64::is_finite), "{score:?}");
                assert!(score.mark.is_none() || score.value.is_some(), "{score:?}");
            }
            assert_eq!(report.verdicts.len(), 3);
            assert!(!report.to_html().contains("NaN") && report.to_json().is_ok());
            last = Some(report);
        }
    }
    last.expect("run")
}

fn categorical(seed: u64, label: impl Fn(usize) -> Option<&'static str>) -> Table {
    table(seed, ROWS, ColumnKind::Categorical, labels(ROWS, label))
}

fn integer(seed: u64, number: impl Fn(usize) -> f64) -> Table {
    table(seed, ROWS, ColumnKind::Integer, numbers(ROWS, number))
}

#[test]
fn labels_that_only_one_table_has() {
    let two = |row: usize| Some(["p", "q"][row % 2]);
    let more = |row: usize| Some(["p", "q", "new"][row % 3]);
    let report = sound(&categorical(1, two), &categorical(2, two), &categorical(3, more));
    assert!(report.score("utility_auc").is_some_and(|score| score.value.is_some() || score.undefined.is_some()));
    sound(&categorical(1, two), &categorical(2, more), &categorical(3, two));
    sound(&categorical(1, more), &categorical(2, two), &categorical(3, two));
    sound(&categorical(1, two), &categorical(2, |_| Some("other")), &categorical(3, |_| Some("third")));
}

#[test]
fn constant_columns_that_vary_elsewhere() {
    let one = |_: usize| Some("p");
    let two = |row: usize| Some(["p", "q"][row % 2]);
    sound(&categorical(1, one), &categorical(2, two), &categorical(3, two));
    sound(&categorical(1, two), &categorical(2, one), &categorical(3, one));
    sound(&integer(1, |_| 4.0), &integer(2, |row| (row % 2) as f64), &integer(3, |row| (row % 2) as f64));
    sound(&integer(1, |row| (row % 2) as f64), &integer(2, |_| 4.0), &integer(3, |_| 5.0));
    // By kind as well.
    let constant = |seed: u64| table(seed, ROWS, ColumnKind::Constant, labels(ROWS, |_| Some("p")));
    sound(&constant(1), &categorical(2, two), &categorical(3, two));
    sound(&categorical(1, two), &constant(2), &constant(3));
}

#[test]
fn columns_of_missing_values() {
    let some: fn(usize) -> f64 = |row| if row % 3 == 0 { f64::NAN } else { row as f64 };
    let none: fn(usize) -> f64 = |_| f64::NAN;
    for (real, synthetic, holdout) in [(some, none, some), (none, some, some), (none, none, none), (some, some, none)] {
        sound(&integer(1, real), &integer(2, synthetic), &integer(3, holdout));
    }
    sound(&categorical(1, |row| (row % 2 == 0).then_some("p")), &categorical(2, |_| None), &categorical(3, |_| None));
    sound(&categorical(1, |_| None), &categorical(2, |row| (row % 2 == 0).then_some("p")), &categorical(3, |_| None));
}

#[test]
fn tables_of_one_row_and_of_a_few() {
    let of = |seed: u64, rows: usize| table(seed, rows, ColumnKind::Categorical, labels(rows, |_| Some("p")));
    for rows in [[1, 1, 1], [1, ROWS, 1], [ROWS, 1, ROWS], [ROWS, ROWS, 1], [2, 2, 2], [3, 5, 4]] {
        let [real, synthetic, holdout] = rows;
        sound(&of(1, real), &of(2, synthetic), &of(3, holdout));
    }
}

#[test]
fn columns_that_a_table_lacks_or_has_as_another_type() {
    let real = integer(1, |row| row as f64);
    let synthetic = categorical(2, |row| Some(["1", "2"][row % 2]));
    sound(&real, &synthetic, &integer(3, |row| row as f64));
    sound(&real, &integer(2, |row| row as f64), &synthetic);
    let short = |seed: u64, names: &[&str]| {
        let whole = integer(seed, |row| row as f64);
        let columns = whole.iter().filter(|(described, _)| names.contains(&described.name.as_str()));
        Table::from_columns(columns.map(|(described, column)| (described.name.clone(), described.kind, column.clone())).collect())
            .expect("a table")
    };
    sound(&real, &short(2, &["x", "odd"]), &short(3, &["class", "odd"]));
    // No column is in all three.
    let report = sound(&real, &short(2, &["x"]), &short(3, &["class"]));
    assert!(report.notes.iter().any(|note| note.contains("holdout was left out")), "{:?}", report.notes);
    // Ids and keys in one table only.
    let ids = table(2, ROWS, ColumnKind::Id, Column::from_labels((0..ROWS).map(|row| Some(row.to_string()))));
    sound(&ids, &short(3, &["x", "class"]), &ids);
    sound(&ids, &integer(3, |row| row as f64), &integer(4, |row| row as f64));
}

#[test]
fn a_class_that_only_the_test_rows_have_does_not_stop_utility() {
    let two = |row: usize| Some(["p", "q"][row % 2]);
    let more = |row: usize| Some(["p", "q", "new"][row % 3]);
    let (train, synthetic, test) = (categorical(1, two), categorical(2, two), categorical(3, more));
    let found = utility(&train, &synthetic, &test, "odd", &UtilityOptions::default());
    assert!(found.is_ok() || matches!(found, Err(semblant_metrics::Error::Undefined(_))), "{found:?}");
}
