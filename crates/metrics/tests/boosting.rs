//! Boosted trees agree with scikit-learn's on a generated table (`golden/boosting.py`): numbers, few distinct numbers, missing values and
//! categories, for squared error, logistic loss and softmax. Leaves are large, since scikit-learn tries fewer splits of categories that have
//! fewer than ten rows in a node.

use semblant_data::table::{Column, ColumnKind, Table};
use semblant_metrics::learn::{Boosting, Target};
use serde_json::Value;

const ROWS: usize = 700;
const TRAIN: usize = 600;

fn few(i: usize) -> f64 {
    (i * i % 17) as f64
}

fn gaps(i: usize) -> f64 {
    if i.is_multiple_of(9) { f64::NAN } else { (i * 31 % 127) as f64 }
}

fn x(i: usize) -> f64 {
    (i * 7919 % 251) as f64 / 10.0
}

/// The quantity behind every target.
fn level(i: usize) -> f64 {
    let by_code = [0.0, 40.0, -25.0][i * 7 % 3];
    let by_gap = if gaps(i).is_nan() { 60.0 } else { gaps(i) / 4.0 };
    x(i) + by_code + by_gap + few(i)
}

fn table(rows: std::ops::Range<usize>) -> Table {
    let numbers = |of: fn(usize) -> f64| Column::Number(rows.clone().map(of).collect());
    let codes = Column::from_labels(rows.clone().map(|i| Some(["a", "b", "c"][i * 7 % 3])));
    Table::from_columns(vec![
        ("x", ColumnKind::Continuous, numbers(x)),
        ("few", ColumnKind::Continuous, numbers(few)),
        ("gaps", ColumnKind::Continuous, numbers(gaps)),
        ("code", ColumnKind::Categorical, codes),
    ])
    .expect("a table")
}

#[test]
fn predictions_are_those_of_scikit_learn() {
    let golden: Value = serde_json::from_str(include_str!("golden/boosting.json")).expect("JSON");
    let boosting = Boosting { iterations: 20, leaves: 8, min_leaf_rows: 40, ..Boosting::default() };
    let predict = |target: &Target| boosting.fit(&table(0..TRAIN), None, target).expect("a model").predict(&table(TRAIN..ROWS));
    let close = |name: &str, found: &[f64], expected: &Value| {
        let expected: Vec<f64> = serde_json::from_value(expected.clone()).expect("numbers");
        assert_eq!(found.len(), expected.len());
        let furthest = found.iter().zip(&expected).map(|(found, expected)| (found - expected).abs()).fold(0.0, f64::max);
        assert!(furthest <= 1e-9, "{name}: off by {furthest}");
    };
    close("values", &predict(&Target::Values((0..TRAIN).map(level).collect()))[0], &golden["values"]);
    for (name, edges) in [("two", &[60.0][..]), ("three", &[50.0, 80.0])] {
        let class = |i: usize| edges.iter().filter(|&&edge| edge < level(i)).count() as u32;
        let found = predict(&Target::Classes { codes: (0..TRAIN).map(class).collect(), count: edges.len() + 1 });
        for (class, found) in found.iter().enumerate() {
            close(name, found, &golden[name][class]);
        }
    }
}
