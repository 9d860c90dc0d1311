//! JSON lines: one object a line, its fields the cells of a row.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use flate2::read::MultiGzDecoder;
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::Value;

use super::delimited::{CHECKED_ROWS, LARGEST_RECORD};
use super::{Raw, ReadOptions, header};
use crate::table::raw::RawColumn;
use crate::{Error, Result};

/// The fields of an object, in the order in which they are written.
struct Fields(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct Ordered;
        impl<'de> Visitor<'de> for Ordered {
            type Value = Fields;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object whose fields are the cells of a row")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<Fields, A::Error> {
                let mut fields = Vec::new();
                while let Some(field) = map.next_entry()? {
                    fields.push(field);
                }
                Ok(Fields(fields))
            }
        }
        deserializer.deserialize_map(Ordered)
    }
}

pub(super) fn read<'a>(path: &Path, file: impl Read + 'a, gzipped: bool, options: &ReadOptions) -> Result<Raw> {
    let plain: Box<dyn Read + 'a> = if gzipped { Box::new(MultiGzDecoder::new(BufReader::new(file))) } else { Box::new(file) };
    let mut lines = BufReader::new(plain);
    let mut columns: Vec<Field> = Vec::new();
    let mut places: HashMap<String, usize> = HashMap::new();
    let (mut line, mut number, mut rows) = (String::new(), 0usize, 0usize);
    loop {
        line.clear();
        number += 1;
        let most = LARGEST_RECORD.min(options.memory.bytes() / 4);
        if lines.by_ref().take(most).read_line(&mut line).map_err(|source| Error::io(path, source))? == 0 {
            break;
        }
        if line.len() as u64 >= most {
            return Err(Error::format(path, format!("line {number} is longer than {} MiB; write one object a line", most >> 20)));
        }
        if line.trim().is_empty() {
            continue;
        }
        let Fields(fields) =
            serde_json::from_str(&line).map_err(|error| Error::format(path, format!("line {number} is no JSON object: {error}")))?;
        for (name, value) in fields {
            if !places.contains_key(&name) {
                // Every field has a cell in every row, so a field more on every line is a square of cells.
                let cells = (columns.len() as u64 + 1).saturating_mul(rows as u64 + 1);
                options.memory.check(format!("{}: {} fields in {} rows", path.display(), columns.len() + 1, rows + 1), cells, 9)?;
            }
            let place = *places.entry(name).or_insert_with_key(|name| {
                columns.push(Field::new(name, rows));
                columns.len() - 1
            });
            columns[place].push(value, rows, options);
        }
        rows += 1;
        if rows.is_multiple_of(CHECKED_ROWS) {
            super::check_memory(path, columns.iter().map(|field| &field.column), rows, options)?;
        }
    }
    let names: Vec<String> = columns.iter().map(|field| field.column.name.clone()).collect();
    let (kept, mut notes) = header(path, &names, options)?;
    let mut usable = Vec::new();
    for (mut field, kept) in columns.into_iter().zip(kept) {
        field.fill(rows);
        match kept {
            None => {}
            Some(_) if field.nested => notes.push(format!("column \"{}\" is nested and is left out", field.column.name)),
            Some(named) => {
                field.column.name = named.name;
                usable.push(field.column);
            }
        }
    }
    Ok(Raw { columns: usable, notes, rows, delimiter: None })
}

struct Field {
    column: RawColumn,
    nested: bool,
}

impl Field {
    fn new(name: &str, rows: usize) -> Self {
        let mut column = RawColumn::new(name);
        column.nulls = true;
        let mut field = Self { column, nested: false };
        field.fill(rows);
        field
    }

    /// Rows that lack the field have no value.
    fn fill(&mut self, rows: usize) {
        (self.column.rows()..rows).for_each(|_| self.column.push_missing());
    }

    fn push(&mut self, value: Value, row: usize, options: &ReadOptions) {
        self.fill(row);
        // A field that comes twice in one object counts once.
        if self.column.rows() > row {
            return;
        }
        match value {
            Value::Null => self.column.push_missing(),
            Value::Bool(value) => self.column.push_text(if value { "true" } else { "false" }),
            Value::Number(number) => self.column.push_cell(&number.to_string()),
            Value::String(text) if options.missing_texts(&self.column.name).contains(&text.trim()) => self.column.push_missing(),
            Value::String(text) => self.column.push_cell(&text),
            Value::Array(_) | Value::Object(_) => {
                self.nested = true;
                self.column.push_missing();
            }
        }
    }
}
