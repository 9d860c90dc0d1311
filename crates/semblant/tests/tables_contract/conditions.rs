//! Conditions and balance: what a sample is asked to be.

use semblant::Error;
use semblant::prelude::*;

use crate::support::fits::*;
use crate::support::tables::*;

for_every!(tables: conditions_hold_in_every_row, balanced_values_are_equally_frequent, impossible_conditions_are_named);

fn is(column: &str, wanted: &str) -> Condition {
    Condition { column: column.into(), wanted: Wanted::Is(wanted.into()) }
}

fn between(column: &str, low: f64, high: f64) -> Condition {
    Condition { column: column.into(), wanted: Wanted::Between { low, high } }
}

fn meets(table: &Table, row: usize, condition: &Condition) -> bool {
    let column = table.column(&condition.column).expect("there");
    match (&condition.wanted, column.numbers()) {
        (Wanted::Is(text), _) if text.is_empty() => column.is_missing(row),
        (Wanted::Is(text), None) => column.label(row) == Some(text),
        (Wanted::Is(text), Some(_)) => {
            let index = table.schema().index_of(&condition.column).expect("there");
            table.cell(row, index) == *text
        }
        (Wanted::Between { low, high }, Some(numbers)) => (low..=high).contains(&&numbers[row]),
        _ => false,
    }
}

fn conditions_hold_in_every_row(name: &str) {
    let table = patients();
    let requests = [
        vec![is("sex", "male")],
        vec![is("diagnosis", "diabetes")],
        vec![between("age", 30.0, 60.0)],
        vec![is("sex", "female"), between("age", 30.0, 60.0)],
        vec![between("age", 30.0, 70.0), between("age", 40.0, 90.0), between("systolic", 100.0, f64::INFINITY)],
        vec![is("smoker", "")],
        vec![is("cholesterol", "")],
        vec![is("smoker", "yes"), is("cholesterol", "")],
        vec![is("age", "40")],
        vec![between("visit", 19_000.0 * 86_400.0, 19_700.0 * 86_400.0)],
    ];
    let model = fitted(name, &table);
    for conditions in &requests {
        let request = TableRequest { conditions: conditions.clone(), ..TableRequest::new(60, 5) };
        let made = model.sample(&request).unwrap_or_else(|error| panic!("{name}, {conditions:?}: {error}"));
        assert_eq!(made.data.rows(), 60);
        assert!(made.drawn_rows >= 60);
        for row in 0..60 {
            assert!(conditions.iter().all(|condition| meets(&made.data, row, condition)), "{name}, row {row}: {conditions:?}");
        }
    }
}

fn balanced_values_are_equally_frequent(name: &str) {
    let model = fitted(name, &patients());
    let request =
        TableRequest { balance: Some("diagnosis".into()), conditions: vec![between("age", 30.0, 70.0)], ..TableRequest::new(100, 5) };
    let made = model.sample(&request).unwrap_or_else(|error| panic!("{name}: {error}")).data;
    let (codes, levels) = made.column("diagnosis").expect("there").categories().expect("labels");
    for level in 0..levels.len() as u32 {
        assert_eq!(codes.iter().filter(|&&code| code == level).count(), 20, "{name}: every value as often as any other");
    }
    assert!((0..100).all(|row| meets(&made, row, &request.conditions[0])), "{name}");
    // A column with missing values has one value more to balance: none of them is left out, and none stands for another.
    let request = TableRequest { balance: Some("smoker".into()), ..TableRequest::new(60, 5) };
    let made = model.sample(&request).unwrap_or_else(|error| panic!("{name}: {error}")).data;
    let smoker = made.column("smoker").expect("there");
    let count = |label| (0..60).filter(|&row| smoker.label(row) == Some(label)).count();
    assert_eq!((count("yes"), count("no"), smoker.missing()), (30, 30, 0), "{name}");
}

fn impossible_conditions_are_named(name: &str) {
    let table = patients();
    let model = fitted(name, &table);
    let said = |conditions: Vec<Condition>, words: &[&str]| {
        let what = format!("{name}, {conditions:?}");
        let error = says(&what, model.sample(&TableRequest { conditions, ..TableRequest::new(10, 5) }), words);
        assert!(matches!(error, Error::Condition(_)), "{what}: {error:?}");
    };
    said(vec![is("diagnoses", "x")], &["diagnoses", "diagnosis"]);
    said(vec![is("sex", "unknown")], &["unknown", "female", "male"]);
    said(vec![is("sex", "")], &["sex", "missing"]);
    said(vec![is("sex", "male"), is("sex", "female")], &["sex", "contradict"]);
    said(vec![between("age", 30.0, 40.0), between("age", 50.0, 60.0)], &["age", "contradict"]);
    said(vec![between("age", 60.0, 30.0)], &["age", "60", "30"]);
    said(vec![between("age", f64::NAN, 30.0)], &["age"]);
    said(vec![between("age", 200.0, 300.0)], &["age", "18.."]);
    said(vec![between("sex", 1.0, 2.0)], &["sex", "range"]);
    said(vec![is("age", "old")], &["age", "old"]);
    said(vec![is("patient_id", "P-0000001")], &["patient_id"]);
    said(vec![is("clinic", "south")], &["clinic"]);
    let odd = |balance: &str, conditions, word| {
        let request = TableRequest { balance: Some(balance.into()), conditions, ..TableRequest::new(10, 5) };
        says(name, model.sample(&request), &[word]);
    };
    odd("age", Vec::new(), "categorical");
    odd("diagnoses", Vec::new(), "diagnosis");
    odd("sex", vec![is("sex", "male")], "balanced");
}
