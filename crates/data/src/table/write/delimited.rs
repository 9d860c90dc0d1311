//! CSV and TSV, plain or gzipped.

use std::fs::File;
use std::io::{self, Write};

use super::Sink;
use crate::table::{Column, ColumnKind, Schema, Table};

#[derive(Debug)]
pub(super) struct Writer {
    csv: csv::Writer<Sink>,
    text: String,
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(file) => file.write(bytes),
            Self::Gzip(encoder) => encoder.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(file) => file.flush(),
            Self::Gzip(encoder) => encoder.flush(),
        }
    }
}

impl Writer {
    pub(super) fn new(file: File, delimiter: u8, gzip: bool, schema: &Schema) -> io::Result<Self> {
        let sink = if gzip { Sink::Gzip(flate2::write::GzEncoder::new(file, flate2::Compression::default())) } else { Sink::Plain(file) };
        let mut csv = csv::WriterBuilder::new().delimiter(delimiter).buffer_capacity(1 << 16).from_writer(sink);
        csv.write_record(schema.names()).map_err(io_error)?;
        Ok(Self { csv, text: String::new() })
    }

    pub(super) fn write(&mut self, table: &Table, schema: &Schema) -> io::Result<()> {
        use std::fmt::Write;
        for row in 0..table.rows() {
            for (described, column) in schema.columns.iter().zip(table.columns()) {
                self.text.clear();
                match column {
                    Column::Number(values) if values[row].is_nan() => {}
                    Column::Number(values) => {
                        let value = values[row];
                        // The common case without an allocation; format_number is the rule for the rest.
                        if described.kind == ColumnKind::Integer && value.abs() < 1e15 && value.fract() == 0.0 {
                            let _ = write!(self.text, "{}", value as i64);
                        } else {
                            self.text.push_str(&described.format_number(value));
                        }
                    }
                    labels => self.text.push_str(labels.label(row).unwrap_or_default()),
                }
                self.csv.write_field(&self.text).map_err(io_error)?;
            }
            self.csv.write_record(None::<&[u8]>).map_err(io_error)?;
        }
        Ok(())
    }

    pub(super) fn finish(self) -> io::Result<()> {
        let sink = self.csv.into_inner().map_err(|failed| io::Error::from(failed.error().kind()))?;
        match sink {
            Sink::Plain(_) => Ok(()),
            Sink::Gzip(encoder) => encoder.finish().map(drop),
        }
    }
}

fn io_error(error: csv::Error) -> io::Error {
    match error.into_kind() {
        csv::ErrorKind::Io(source) => source,
        other => io::Error::other(format!("{other:?}")),
    }
}
