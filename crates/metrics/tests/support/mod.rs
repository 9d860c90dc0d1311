//! A reader just good enough for the checks on Adult, whose fields hold no quotes or commas.

use semblant_data::table::{Column, ColumnKind, Table};

/// Reads a CSV file; columns that hold only whole numbers are numbers.
pub(crate) fn read(path: &str) -> Table {
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{path}: {error}"));
    let mut lines = text.lines().map(|line| line.split(',').collect::<Vec<_>>());
    let names = lines.next().expect("a header");
    let rows: Vec<_> = lines.collect();
    let column = |(place, name): (usize, &&str)| {
        let cells = rows.iter().map(|row| Some(row[place]).filter(|cell| !["", "?"].contains(cell)));
        let numbers: Option<Vec<f64>> = cells.clone().map(|cell| cell.map_or(Some(f64::NAN), |cell| cell.parse().ok())).collect();
        match numbers {
            Some(numbers) => (name.to_string(), ColumnKind::Integer, Column::Number(numbers)),
            None => (name.to_string(), ColumnKind::Categorical, Column::from_labels(cells)),
        }
    };
    Table::from_columns(names.iter().enumerate().map(column).collect()).expect("a table")
}
