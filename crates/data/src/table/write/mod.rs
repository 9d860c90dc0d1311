//! From tables to files: piece by piece, and either whole or not at all.

mod columnar;
mod delimited;
mod json_lines;
mod sql;

use std::fs::File;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};

use semblant_core::files::{self, Temporary};
use semblant_core::progress::printable_document;

use super::{Schema, Table, TableFormat};
use crate::{Error, Result};

/// Writes a table to a `.csv`, `.tsv`, `.jsonl` (each also `.gz`) or `.parquet` file in pieces, holding no more than a piece in memory.
///
/// The rows go to a temporary file in the same folder, which takes the target's name in [`TableWriter::finish`]: the target is either
/// complete or untouched. A writer that is dropped unfinished removes its temporary file. The path `-` is standard output: CSV, or what follows as
/// an extension (`-.jsonl`, `-.parquet`).
#[derive(Debug)]
pub struct TableWriter {
    path: PathBuf,
    schema: Schema,
    /// None for standard output.
    temporary: Option<Temporary>,
    format: Format,
    rows: u64,
}

#[derive(Debug)]
enum Format {
    Delimited(Box<delimited::Writer>),
    Columnar(Box<columnar::Writer>),
    JsonLines(Box<json_lines::Writer>),
    Sql(Box<sql::Writer>),
}

/// What a name says of the format of a file.
enum Named {
    Delimited(u8),
    Columnar,
    JsonLines,
    Sql,
}

/// Whether a path means standard output.
fn is_standard_output(path: &Path) -> bool {
    path.to_str().is_some_and(|path| path == "-" || path.starts_with("-."))
}

impl TableWriter {
    /// Starts a file for tables of this schema.
    ///
    /// # Errors
    /// When the extension is not known or the folder cannot be written to.
    pub fn create(path: impl AsRef<Path>, schema: &Schema) -> Result<Self> {
        Self::begin(path.as_ref(), schema, false)
    }

    /// As [`TableWriter::create`], for a `.csv` or `.tsv` file in which no spreadsheet takes a label for a formula: one that begins with `=`, `+`, `-` or
    /// `@` and is no number gets an apostrophe before it, and so does a name of a column. The labels are then others than those of the table.
    ///
    /// # Errors
    /// As [`TableWriter::create`], and a format that spreadsheets take no formulas from.
    pub fn create_for_spreadsheets(path: impl AsRef<Path>, schema: &Schema) -> Result<Self> {
        Self::begin(path.as_ref(), schema, true)
    }

    fn begin(path: &Path, schema: &Schema, escape_formulas: bool) -> Result<Self> {
        schema.check()?;
        let to_stdout = is_standard_output(path);
        let name = path.file_name().map(|name| name.to_string_lossy().to_ascii_lowercase()).unwrap_or_default();
        let (plain, gzip) = name.strip_suffix(".gz").map_or((name.as_str(), false), |plain| (plain, true));
        let has = |ending: &str| plain.ends_with(ending);
        let comma = || schema.delimiter.and_then(|c| u8::try_from(c).ok()).unwrap_or(b',');
        let named = match gzip {
            _ if has(".csv") || (to_stdout && plain == "-") => Named::Delimited(comma()),
            _ if has(".tsv") => Named::Delimited(b'\t'),
            _ if has(".jsonl") || has(".ndjson") => Named::JsonLines,
            false if has(".parquet") => Named::Columnar,
            _ if has(".sql") => Named::Sql,
            _ => {
                let what =
                    "has an unknown extension; write a .csv, .tsv, .jsonl (each also .gz) or .parquet file, or - for standard output";
                return Err(Error::format(path, what));
            }
        };
        if escape_formulas && !matches!(named, Named::Delimited(_)) {
            return Err(Error::format(path, "holds no formulas to escape; write a .csv or .tsv file"));
        }
        let said = |source| Error::io(path, source);
        let temporary = if to_stdout { None } else { Some(files::temporary(path).map_err(said)?) };
        let file = match &temporary {
            Some(temporary) => Target::File(temporary.as_file().try_clone().map_err(said)?),
            None if std::io::stdout().is_terminal() => Target::Terminal(std::io::stdout()),
            None => Target::Output(std::io::stdout()),
        };
        let format = match named {
            Named::Delimited(delimiter) => {
                Format::Delimited(Box::new(delimited::Writer::new(file, delimiter, gzip, escape_formulas, schema).map_err(said)?))
            }
            Named::Columnar => Format::Columnar(Box::new(columnar::Writer::new(file, schema).map_err(said)?)),
            Named::JsonLines => Format::JsonLines(Box::new(json_lines::Writer::new(file, gzip))),
            Named::Sql => {
                let stem = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
                // On standard output the table has the name that its reader gives it.
                let name = stem.split('.').next().filter(|stem| !matches!(*stem, "" | "-")).unwrap_or("data").to_owned();
                Format::Sql(Box::new(sql::Writer::new(file, gzip, &name, schema)))
            }
        };
        Ok(Self { path: path.to_owned(), schema: schema.clone(), temporary, format, rows: 0 })
    }

    /// Whether [`TableWriter::create`] would accept a path; nothing is written.
    ///
    /// # Errors
    /// As [`TableWriter::create`].
    pub fn check(path: &Path) -> Result<()> {
        if is_standard_output(path) { Ok(()) } else { Self::create(path, &Schema::default()).map(drop) }
    }

    /// Appends the rows of a table with the writer's columns.
    ///
    /// # Errors
    /// When the columns differ, a value does not fit its column, or the file cannot be written (a full disk, for one).
    pub fn write(&mut self, table: &Table) -> Result<()> {
        if table.schema().names().ne(self.schema.names()) {
            return Err(Error::Table(format!(
                "{}: the columns to write ({}) differ from those of the file ({})",
                self.path.display(),
                table.schema().names().collect::<Vec<_>>().join(", "),
                self.schema.names().collect::<Vec<_>>().join(", ")
            )));
        }
        self.check_values(table)?;
        match &mut self.format {
            Format::Delimited(writer) => writer.write(table, &self.schema),
            Format::Columnar(writer) => writer.write(table),
            Format::JsonLines(writer) => writer.write(table, &self.schema),
            Format::Sql(writer) => writer.write(table, &self.schema),
        }
        .map_err(|source| Error::io(&self.path, source))?;
        self.rows += table.rows() as u64;
        Ok(())
    }

    /// What no reader could read back is not written.
    fn check_values(&self, table: &Table) -> Result<()> {
        for (described, column) in self.schema.columns.iter().zip(table.columns()) {
            if described.kind.is_number() != column.numbers().is_some() {
                let what =
                    format!("{}: column \"{}\" is {} but holds {}", self.path.display(), described.name, described.kind, column.storage());
                return Err(Error::Table(what));
            }
            if let Some(row) = column.numbers().and_then(|numbers| numbers.iter().position(|number| number.is_infinite())) {
                let row = self.rows + row as u64 + 1;
                return Err(Error::Table(format!("{}: column \"{}\", row {row} is infinite", self.path.display(), described.name)));
            }
        }
        Ok(())
    }

    /// How many rows have been written.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Completes the file and gives it its name, replacing an earlier one.
    ///
    /// # Errors
    /// When the file cannot be written; then the target is as it was before.
    pub fn finish(self) -> Result<()> {
        let Self { path, temporary, format, .. } = self;
        let said = |source| Error::io(&path, source);
        match format {
            Format::Delimited(writer) => writer.finish(),
            Format::Columnar(writer) => writer.finish(),
            Format::JsonLines(writer) => writer.finish(),
            Format::Sql(writer) => writer.finish(),
        }
        .and_then(|mut target| std::io::Write::flush(&mut target))
        .map_err(said)?;
        temporary.map_or(Ok(()), Temporary::persist).map_err(said)
    }
}

impl Table {
    /// Writes the table to a `.csv`, `.tsv`, `.jsonl` (each also `.gz`) or `.parquet` file, which appears complete or not at all.
    ///
    /// # Errors
    /// As [`TableWriter`].
    pub fn write(&self, path: impl AsRef<Path>) -> Result<()> {
        let mut writer = TableWriter::create(path, self.schema())?;
        writer.write(self)?;
        writer.finish()
    }
}

impl Table {
    /// The table as the bytes of a file.
    ///
    /// # Errors
    /// A value that no reader could read back.
    pub fn to_bytes(&self, format: TableFormat) -> Result<Vec<u8>> {
        let (schema, target) = (self.schema(), Target::Memory(Vec::new()));
        let written = || -> std::io::Result<Target> {
            match format {
                TableFormat::Csv => {
                    let mut writer = delimited::Writer::new(target, b',', false, false, schema)?;
                    writer.write(self, schema)?;
                    writer.finish()
                }
                TableFormat::Parquet => {
                    let mut writer = columnar::Writer::new(target, schema)?;
                    writer.write(self)?;
                    writer.finish()
                }
                TableFormat::JsonLines => {
                    let mut writer = json_lines::Writer::new(target, false);
                    writer.write(self, schema)?;
                    writer.finish()
                }
            }
        };
        match written().map_err(|error| Error::Table(format!("the table cannot be written: {error}")))? {
            Target::Memory(bytes) => Ok(bytes),
            Target::File(_) | Target::Output(_) | Target::Terminal(_) => Ok(Vec::new()),
        }
    }
}

/// Where a writer puts its bytes.
#[derive(Debug)]
enum Target {
    File(File),
    Output(std::io::Stdout),
    /// Standard output where it is a terminal, which labels must not control.
    Terminal(std::io::Stdout),
    Memory(Vec<u8>),
}

impl std::io::Write for Target {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        match self {
            Self::File(file) => file.write(bytes),
            Self::Output(output) => output.write(bytes),
            // Writers of text hand over whole rows.
            Self::Terminal(output) => match std::str::from_utf8(bytes) {
                Ok(text) => output.write_all(printable_document(text).as_bytes()).map(|()| bytes.len()),
                Err(_) => Err(std::io::Error::other("this format is no text for a terminal; send it to a file")),
            },
            Self::Memory(memory) => memory.write(bytes),
        }
    }

    fn flush(&mut self) -> std::io::Result<()> {
        match self {
            Self::File(file) => file.flush(),
            Self::Output(output) | Self::Terminal(output) => output.flush(),
            Self::Memory(_) => Ok(()),
        }
    }
}

/// The target of a writer, compressed or not.
#[derive(Debug)]
enum Sink {
    Plain(Target),
    Gzip(Box<flate2::write::GzEncoder<Target>>),
}

impl Sink {
    fn new(file: Target, gzip: bool) -> Self {
        if gzip { Self::Gzip(Box::new(flate2::write::GzEncoder::new(file, flate2::Compression::default()))) } else { Self::Plain(file) }
    }

    fn finish(self) -> std::io::Result<Target> {
        match self {
            Self::Plain(target) => Ok(target),
            Self::Gzip(encoder) => encoder.finish(),
        }
    }
}
