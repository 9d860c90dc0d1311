//! From tables to files: piece by piece, and either whole or not at all.

mod columnar;
mod delimited;

use std::fs::File;
use std::path::{Path, PathBuf};

use semblant_core::files;
use tempfile::NamedTempFile;

use super::{Schema, Table, TableFormat};
use crate::{Error, Result};

/// Writes a table to a `.csv`, `.tsv` (either also `.gz`) or `.parquet` file in pieces, holding no more than a piece in memory.
///
/// The rows go to a temporary file in the same folder, which takes the target's name in [`TableWriter::finish`]: the target is either
/// complete or untouched. A writer that is dropped unfinished removes its temporary file.
#[derive(Debug)]
pub struct TableWriter {
    path: PathBuf,
    schema: Schema,
    temporary: NamedTempFile,
    format: Format,
    rows: u64,
}

#[derive(Debug)]
enum Format {
    Delimited(Box<delimited::Writer>),
    Columnar(Box<columnar::Writer>),
}

impl TableWriter {
    /// Starts a file for tables of this schema.
    ///
    /// # Errors
    /// When the extension is not known or the folder cannot be written to.
    pub fn create(path: impl AsRef<Path>, schema: &Schema) -> Result<Self> {
        let path = path.as_ref();
        schema.check()?;
        let name = path.file_name().map(|name| name.to_string_lossy().to_ascii_lowercase()).unwrap_or_default();
        let (plain, gzip) = name.strip_suffix(".gz").map_or((name.as_str(), false), |plain| (plain, true));
        let delimiter = match (plain, gzip) {
            (plain, _) if plain.ends_with(".csv") => Some(b','),
            (plain, _) if plain.ends_with(".tsv") => Some(b'\t'),
            (plain, false) if plain.ends_with(".parquet") => None,
            _ => return Err(Error::format(path, "has an unknown extension; write a .csv, .tsv, .csv.gz or .parquet file")),
        };
        let temporary = files::temporary(path).map_err(|source| Error::io(path, source))?;
        let file = Target::File(temporary.as_file().try_clone().map_err(|source| Error::io(path, source))?);
        let format = match delimiter {
            Some(delimiter) => delimited::Writer::new(file, delimiter, gzip, schema).map(|writer| Format::Delimited(Box::new(writer))),
            None => columnar::Writer::new(file, schema).map(|writer| Format::Columnar(Box::new(writer))),
        }
        .map_err(|source| Error::io(path, source))?;
        Ok(Self { path: path.to_owned(), schema: schema.clone(), temporary, format, rows: 0 })
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
            Format::Columnar(writer) => writer.write(table, &self.schema),
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
        let Self { path, schema, temporary, format, .. } = self;
        let said = |source| Error::io(&path, source);
        match format {
            Format::Delimited(writer) => writer.finish(),
            Format::Columnar(writer) => writer.finish(&schema),
        }
        .map_err(said)?;
        files::persist(temporary, &path).map_err(said)
    }
}

impl Table {
    /// Writes the table to a `.csv`, `.tsv`, `.csv.gz` or `.parquet` file, which appears complete or not at all.
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
                    let mut writer = delimited::Writer::new(target, b',', false, schema)?;
                    writer.write(self, schema)?;
                    writer.finish()
                }
                TableFormat::Parquet => {
                    let mut writer = columnar::Writer::new(target, schema)?;
                    writer.write(self, schema)?;
                    writer.finish(schema)
                }
            }
        };
        match written().map_err(|error| Error::Table(format!("the table cannot be written: {error}")))? {
            Target::Memory(bytes) => Ok(bytes),
            Target::File(_) => Ok(Vec::new()),
        }
    }
}

/// Where a writer puts its bytes.
#[derive(Debug)]
enum Target {
    File(File),
    Memory(Vec<u8>),
}

impl std::io::Write for Target {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        match self {
            Self::File(file) => file.write(bytes),
            Self::Memory(memory) => memory.write(bytes),
        }
    }

    fn flush(&mut self) -> std::io::Result<()> {
        match self {
            Self::File(file) => file.flush(),
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
