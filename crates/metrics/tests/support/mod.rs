//! Tables that several tests read.
#![allow(dead_code)]

pub(crate) mod images;
pub(crate) mod planted;

use std::path::{Path, PathBuf};

use semblant_data::catalog::Catalog;
use semblant_data::table::{Column, ColumnKind, Table};
use serde_json::Value;

/// The columns a, b, n (numbers) and c, d, e (labels) of a JSON map of lists.
pub(crate) fn table_of(lists: &Value) -> Table {
    let column = |name: &str| {
        let cells = lists[name].as_array().expect("a list");
        if ["a", "b", "n"].contains(&name) {
            let numbers = cells.iter().map(|cell| cell.as_f64().unwrap_or(f64::NAN)).collect();
            (name.to_owned(), ColumnKind::Continuous, Column::Number(numbers))
        } else {
            (name.to_owned(), ColumnKind::Categorical, Column::from_labels(cells.iter().map(Value::as_str)))
        }
    };
    Table::from_columns(["a", "b", "n", "c", "d", "e"].map(column).into()).expect("a table")
}

/// The training and the test rows of a data set in the folder `SEMBLANT_DATA`.
pub(crate) fn data_set(name: &str) -> (Table, Table) {
    let folder = std::env::var_os("SEMBLANT_DATA").map(PathBuf::from).expect("SEMBLANT_DATA names a folder of data sets");
    let known = Catalog::get(name).expect("known");
    let read = |split| known.read(split, Some(&folder), Path::new("/nowhere")).expect("as declared");
    (read("train"), read("test"))
}

/// The rows from `from` on, `count` of them.
pub(crate) fn rows(table: &Table, from: usize, count: usize) -> Table {
    table.take(&(from..from + count).collect::<Vec<usize>>())
}

/// Found within `tolerance` of what JSON says, or neither is there.
#[track_caller]
pub(crate) fn assert_near(found: Option<f64>, expected: &Value, tolerance: f64, what: &str) {
    match (found, expected.as_f64()) {
        (None, None) => {}
        (Some(found), Some(expected)) if (found - expected).abs() <= tolerance => {}
        (found, expected) => panic!("{what}: {found:?} instead of {expected:?}"),
    }
}
