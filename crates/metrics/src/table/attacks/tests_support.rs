//! Generated tables for the tests of attacks.

use semblant_data::table::{Column, ColumnKind, Table};

use crate::random::random;

/// x uniform, y uniform and independent of it, c one of six labels: rows reveal nothing about one another.
pub(super) fn population(seed: u64, rows: usize) -> Table {
    let mut random = random(seed, 0);
    let mut number = || Column::Number((0..rows).map(|_| random.unit()).collect());
    let (x, y) = (number(), number());
    let c = Column::from_labels((0..rows).map(|_| Some(["a", "b", "c", "d", "e", "f"][random.below(6)])));
    Table::from_columns(vec![("x", ColumnKind::Continuous, x), ("y", ColumnKind::Continuous, y), ("c", ColumnKind::Categorical, c)])
        .unwrap()
}

/// [`population`] with `more` further uniform columns.
pub(super) fn wide_population(seed: u64, rows: usize, more: usize) -> Table {
    let narrow = population(seed, rows);
    let mut random = random(seed, 1);
    let mut columns: Vec<(String, ColumnKind, Column)> =
        narrow.iter().map(|(described, column)| (described.name.clone(), described.kind, column.clone())).collect();
    columns.extend(
        (0..more).map(|place| (format!("z{place}"), ColumnKind::Continuous, Column::Number((0..rows).map(|_| random.unit()).collect()))),
    );
    Table::from_columns(columns).unwrap()
}

/// The fresh rows with the first `leaked` training rows in the places of as many.
pub(super) fn with_leak(fresh: &Table, train: &Table, leaked: usize) -> Table {
    let mut table = fresh.take(&(leaked..fresh.rows()).collect::<Vec<usize>>());
    table.append(&train.take(&(0..leaked).collect::<Vec<usize>>())).unwrap();
    table
}
