//! SQL: `INSERT` statements of several rows each, in the notation that PostgreSQL, MySQL in ANSI mode, SQLite and DuckDB share.

use std::io::{self, Write};

use super::{Sink, Target};
use crate::table::{Column, ColumnKind, ColumnSchema, Schema, Table};

/// Rows of a statement.
const STATEMENT_ROWS: u64 = 500;

#[derive(Debug)]
pub(super) struct Writer {
    sink: Sink,
    /// What a statement begins with.
    head: String,
    /// Rows of the statement that is open.
    open: u64,
}

impl Writer {
    /// Inserts into the table `name`.
    pub(super) fn new(file: Target, gzip: bool, name: &str, schema: &Schema) -> Self {
        let names = schema.names().map(|name| quoted(name, '"')).collect::<Vec<_>>().join(", ");
        Self { sink: Sink::new(file, gzip), head: format!("INSERT INTO {} ({names}) VALUES\n", quoted(name, '"')), open: 0 }
    }

    pub(super) fn write(&mut self, table: &Table, schema: &Schema) -> io::Result<()> {
        // Signs of currencies and thousands are for people.
        let plain: Vec<ColumnSchema> = schema.columns.iter().map(|described| ColumnSchema { style: None, ..described.clone() }).collect();
        let mut text = String::new();
        for row in 0..table.rows() {
            text.push_str(if self.open == 0 { &self.head } else { ",\n" });
            for (place, (described, column)) in plain.iter().zip(table.columns()).enumerate() {
                text.push_str(if place == 0 { "(" } else { ", " });
                value(described, column, row, &mut text);
            }
            text.push(')');
            self.open += 1;
            if self.open == STATEMENT_ROWS {
                text.push_str(";\n");
                self.open = 0;
            }
            if text.len() > 1 << 16 {
                self.sink.write_all(text.as_bytes())?;
                text.clear();
            }
        }
        self.sink.write_all(text.as_bytes())
    }

    pub(super) fn finish(mut self) -> io::Result<Target> {
        if self.open > 0 {
            self.sink.write_all(b";\n")?;
        }
        self.sink.finish()
    }
}

fn value(described: &ColumnSchema, column: &Column, row: usize, text: &mut String) {
    match column {
        Column::Number(values) if values[row].is_nan() && described.special_text(values[row]).is_none() => text.push_str("NULL"),
        Column::Number(values) if described.kind == ColumnKind::Datetime || values[row].is_nan() => {
            text.push_str(&quoted(&described.format_number(values[row]), '\''));
        }
        Column::Number(values) => text.push_str(&described.format_number(values[row])),
        Column::Category { .. } => match (column.label(row), described.data_type.as_deref()) {
            (None, _) => text.push_str("NULL"),
            (Some(label), Some("Boolean")) => text.push_str(&label.to_ascii_uppercase()),
            (Some(label), _) => text.push_str(&quoted(label, '\'')),
        },
    }
}

/// A text or name in quotes, which are doubled inside.
fn quoted(text: &str, quote: char) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push(quote);
    for c in text.chars() {
        if c == quote {
            quoted.push(quote);
        }
        quoted.push(c);
    }
    quoted.push(quote);
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_quoted_and_statements_end() {
        let table = Table::from_columns(vec![
            ("it's", ColumnKind::Categorical, Column::from_labels([Some("O'Neil"), None])),
            ("n", ColumnKind::Integer, Column::Number(vec![1.0, f64::NAN])),
        ])
        .expect("a table");
        let mut writer = Writer::new(Target::Memory(Vec::new()), false, "a\"b", table.schema());
        writer.write(&table, table.schema()).expect("memory");
        let Target::Memory(bytes) = writer.finish().expect("memory") else { panic!("memory") };
        let text = String::from_utf8(bytes).expect("text");
        assert_eq!(text, "INSERT INTO \"a\"\"b\" (\"it's\", \"n\") VALUES\n('O''Neil', 1),\n(NULL, NULL);\n");
    }
}
