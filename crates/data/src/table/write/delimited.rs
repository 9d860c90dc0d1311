//! CSV and TSV, plain or gzipped.
//!
//! Rows are turned into text in parallel, a part a task, and each label's text is made once, so that writing a table costs less than making
//! it. What needs quotes and how is the csv crate's to say.

use std::borrow::Cow;
use std::io::{self, Write};

use rayon::prelude::*;

use super::{Sink, Target};
use crate::table::{Column, ColumnKind, ColumnSchema, Schema, Table};

/// Rows that one task turns into text.
const PART_ROWS: usize = 4096;

#[derive(Debug)]
pub(super) struct Writer {
    sink: Sink,
    delimiter: u8,
    escape_formulas: bool,
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(target) => target.write(bytes),
            Self::Gzip(encoder) => encoder.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(target) => target.flush(),
            Self::Gzip(encoder) => encoder.flush(),
        }
    }
}

impl Writer {
    pub(super) fn new(file: Target, delimiter: u8, gzip: bool, escape_formulas: bool, schema: &Schema) -> io::Result<Self> {
        let mut sink = Sink::new(file, gzip);
        let mut header = csv_writer(delimiter);
        header.write_record(schema.names().map(|name| harmless(name, escape_formulas)).map(Cow::into_owned)).map_err(io_error)?;
        sink.write_all(&finished(header)?)?;
        Ok(Self { sink, delimiter, escape_formulas })
    }

    pub(super) fn write(&mut self, table: &Table, schema: &Schema) -> io::Result<()> {
        let columns: Vec<TextColumn> = schema
            .columns
            .iter()
            .zip(table.columns())
            .map(|(described, column)| TextColumn::new(described, column, table.rows(), self))
            .collect::<io::Result<_>>()?;
        let starts: Vec<usize> = (0..table.rows()).step_by(PART_ROWS).collect();
        // A few parts at a time: all of them would be the whole table as text in memory.
        for starts in starts.chunks(2 * rayon::current_num_threads()) {
            let parts: Vec<io::Result<Vec<u8>>> =
                starts.par_iter().map(|&start| self.part(&columns, start..table.rows().min(start + PART_ROWS))).collect();
            for part in parts {
                self.sink.write_all(&part?)?;
            }
        }
        Ok(())
    }

    /// The text of some rows.
    fn part(&self, columns: &[TextColumn<'_>], rows: std::ops::Range<usize>) -> io::Result<Vec<u8>> {
        let mut text = Vec::with_capacity(rows.len() * columns.len() * 8);
        for row in rows {
            let start = text.len();
            for (place, column) in columns.iter().enumerate() {
                if place > 0 {
                    text.push(self.delimiter);
                }
                column.push(row, self, &mut text)?;
            }
            // A line of nothing would be no row at all.
            if text.len() == start {
                text.extend_from_slice(b"\"\"");
            }
            text.push(b'\n');
        }
        Ok(text)
    }

    pub(super) fn finish(self) -> io::Result<Target> {
        self.sink.finish()
    }
}

/// A column with what its text is made from.
enum TextColumn<'a> {
    Number {
        described: &'a ColumnSchema,
        values: &'a [f64],
    },
    /// The levels' texts, quoted where they must be.
    Levels {
        codes: &'a [u32],
        texts: Vec<Vec<u8>>,
        missing: Vec<u8>,
    },
    Labels {
        column: &'a Column,
        missing: &'a str,
    },
}

impl<'a> TextColumn<'a> {
    fn new(described: &'a ColumnSchema, column: &'a Column, rows: usize, writer: &Writer) -> io::Result<Self> {
        let quoted = |text: &str| quoted(&harmless(text, writer.escape_formulas), writer.delimiter);
        Ok(match column {
            Column::Number(values) => Self::Number { described, values },
            Column::Category { codes, levels } if levels.len() <= rows => {
                let texts = levels.iter().map(|level| quoted(level)).collect::<io::Result<_>>()?;
                Self::Levels { codes, texts, missing: quoted(described.missing_text())? }
            }
            column => Self::Labels { column, missing: described.missing_text() },
        })
    }

    fn push(&self, row: usize, writer: &Writer, text: &mut Vec<u8>) -> io::Result<()> {
        let push = |field: &str, text: &mut Vec<u8>| push_quoted(&harmless(field, writer.escape_formulas), writer.delimiter, text);
        match self {
            // The common case without an allocation; format_number is the rule for the rest.
            Self::Number { described, values }
                if described.kind == ColumnKind::Integer
                    && described.style.is_none()
                    && described.decimals.is_none()
                    && values[row].abs() < 1e15
                    && values[row].fract() == 0.0 =>
            {
                write!(text, "{}", values[row] as i64)?;
            }
            Self::Number { described, values } => match described.special_text(values[row]) {
                Some(special) => push(special, text)?,
                // Signs of currencies make no formula of a number.
                None => push_quoted(&described.format_number(values[row]), writer.delimiter, text)?,
            },
            // A missing value has a code beyond the levels.
            Self::Levels { codes, texts, missing } => text.extend_from_slice(texts.get(codes[row] as usize).unwrap_or(missing)),
            Self::Labels { column, missing } => push(column.label(row).unwrap_or(missing), text)?,
        }
        Ok(())
    }
}

/// A text that no spreadsheet takes for a formula, if that is asked for. A number is none, nor is a sign alone.
fn harmless(text: &str, escape_formulas: bool) -> Cow<'_, str> {
    if escape_formulas && text.len() > 1 && text.starts_with(['=', '+', '-', '@', '\t', '\r']) && text.trim().parse::<f64>().is_err() {
        Cow::Owned(format!("'{text}"))
    } else {
        Cow::Borrowed(text)
    }
}

/// Appends a field: unchanged if it is letters and digits, else as [`quoted`].
fn push_quoted(field: &str, delimiter: u8, text: &mut Vec<u8>) -> io::Result<()> {
    if field.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.: ".contains(&byte)) {
        text.extend_from_slice(field.as_bytes());
    } else {
        text.extend(quoted(field, delimiter)?);
    }
    Ok(())
}

/// A field's text, in quotes where it needs them.
fn quoted(text: &str, delimiter: u8) -> io::Result<Vec<u8>> {
    if text.is_empty() {
        return Ok(Vec::new());
    }
    let mut csv = csv_writer(delimiter);
    csv.write_record([text]).map_err(io_error)?;
    let mut bytes = finished(csv)?;
    bytes.pop(); // the end of the line
    Ok(bytes)
}

fn csv_writer(delimiter: u8) -> csv::Writer<Vec<u8>> {
    csv::WriterBuilder::new().delimiter(delimiter).buffer_capacity(64).from_writer(Vec::new())
}

fn finished(csv: csv::Writer<Vec<u8>>) -> io::Result<Vec<u8>> {
    csv.into_inner().map_err(|failed| io::Error::from(failed.error().kind()))
}

fn io_error(error: csv::Error) -> io::Error {
    match error.into_kind() {
        csv::ErrorKind::Io(source) => source,
        other => io::Error::other(format!("{other:?}")),
    }
}
