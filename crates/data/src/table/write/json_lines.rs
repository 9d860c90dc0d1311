//! JSON lines: one object a line. Numbers and booleans are written as such, dates and labels as texts, missing values as null.

use std::io::{self, Write};

use super::{Sink, Target};
use crate::table::{Column, ColumnKind, ColumnSchema, Schema, Table};

#[derive(Debug)]
pub(super) struct Writer {
    sink: Sink,
}

impl Writer {
    pub(super) fn new(file: Target, gzip: bool) -> Self {
        Self { sink: Sink::new(file, gzip) }
    }

    pub(super) fn write(&mut self, table: &Table, schema: &Schema) -> io::Result<()> {
        let names: Vec<String> =
            schema.names().map(|name| serde_json::to_string(name).map_err(io::Error::from)).collect::<io::Result<_>>()?;
        // Signs of currencies and thousands are for people.
        let plain: Vec<ColumnSchema> = schema.columns.iter().map(|described| ColumnSchema { style: None, ..described.clone() }).collect();
        let mut text = Vec::new();
        for row in 0..table.rows() {
            text.push(b'{');
            for (place, (described, column)) in plain.iter().zip(table.columns()).enumerate() {
                if place > 0 {
                    text.push(b',');
                }
                text.extend_from_slice(names[place].as_bytes());
                text.push(b':');
                value(described, column, row, &mut text)?;
            }
            text.extend_from_slice(b"}\n");
            if text.len() > 1 << 16 {
                self.sink.write_all(&text)?;
                text.clear();
            }
        }
        self.sink.write_all(&text)
    }

    pub(super) fn finish(self) -> io::Result<Target> {
        self.sink.finish()
    }
}

fn value(described: &ColumnSchema, column: &Column, row: usize, text: &mut Vec<u8>) -> io::Result<()> {
    let quoted = |text: &mut Vec<u8>, value: &str| serde_json::to_writer(text, value).map_err(io::Error::from);
    match column {
        Column::Number(values) => match described.special_text(values[row]) {
            Some(special) => quoted(text, special),
            None if values[row].is_nan() => text.write_all(b"null"),
            None if described.kind == ColumnKind::Datetime => quoted(text, &described.format_number(values[row])),
            None => text.write_all(described.format_number(values[row]).as_bytes()),
        },
        Column::Category { .. } => match (column.label(row), described.data_type.as_deref()) {
            (None, _) => text.write_all(b"null"),
            (Some(label), Some("Boolean")) => text.write_all(label.to_ascii_lowercase().as_bytes()),
            (Some(label), Some(number)) if number.starts_with("Int") && label.parse::<i64>().is_ok() => text.write_all(label.as_bytes()),
            (Some(label), _) => quoted(text, label),
        },
    }
}
