//! From files to tables.

#[cfg(feature = "arrow")]
mod arrow;
mod build;
mod columnar;
mod delimited;

use std::fs::File;
use std::io::{Read, Seek};
use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::infer::infer;
use super::raw::RawColumn;
use super::schema::{ColumnKind, ColumnSchema, Schema};
use super::{Column, Table};
use crate::{Error, Result};

/// How a file is read.
#[derive(Debug, Clone, PartialEq)]
pub struct ReadOptions {
    /// The columns, read as declared; without it they are inferred.
    pub schema: Option<Schema>,
    /// Texts that mean a missing value. A cell of blanks counts as the empty text.
    pub missing: Vec<String>,
    /// The column a predictor would be trained for; recorded in the schema.
    pub target: Option<String>,
    /// Columns to leave out.
    pub drop: Vec<String>,
    /// Kinds that overrule inference, by column name.
    pub kinds: Vec<(String, ColumnKind)>,
    /// What separates the cells of a text file; without it a tab in `.tsv` files, else whichever of `,` `;` tab the header has.
    pub delimiter: Option<u8>,
    /// Whether blanks around every cell are removed. Blanks around numbers and missing values never count.
    pub trim: bool,
}

impl Default for ReadOptions {
    fn default() -> Self {
        let missing = ["", "?", "NA", "N/A", "NaN", "nan", "null", "NULL", "None"].map(String::from).to_vec();
        Self { schema: None, missing, target: None, drop: Vec::new(), kinds: Vec::new(), delimiter: None, trim: false }
    }
}

impl ReadOptions {
    /// The default options with a schema.
    pub fn with_schema(schema: Schema) -> Self {
        Self { schema: Some(schema), ..Self::default() }
    }

    /// The default options with a target column.
    pub fn with_target(target: impl Into<String>) -> Self {
        Self { target: Some(target.into()), ..Self::default() }
    }
}

/// A table, and what was guessed about it.
#[derive(Debug, Clone, PartialEq)]
pub struct Inferred {
    /// The table.
    pub table: Table,
    /// One line for each guess that a user may want to overrule.
    pub notes: Vec<String>,
}

impl Table {
    /// Reads a table from a `.csv`, `.tsv` (either may be gzipped) or `.parquet` file.
    ///
    /// ```no_run
    /// use semblant_data::table::{ReadOptions, Table};
    ///
    /// # fn main() -> Result<(), semblant_data::Error> {
    /// let adult = Table::read("adult.csv.gz", &ReadOptions::with_target("income"))?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// When the file cannot be read, is not well formed, or a cell does not fit its column's declared kind. The message names the file,
    /// the row (counted from 1 below the header), the column and the value. Without a schema, a column without any value is an error.
    pub fn read(path: impl AsRef<Path>, options: &ReadOptions) -> Result<Self> {
        Ok(Self::read_inferred(path, options)?.table)
    }

    /// As [`Table::read`], with the notes of inference.
    ///
    /// # Errors
    /// As [`Table::read`].
    pub fn read_inferred(path: impl AsRef<Path>, options: &ReadOptions) -> Result<Inferred> {
        let path = path.as_ref();
        assembled(path, read_raw(path, options)?, options)
    }
}

fn assembled(path: &Path, raw: Vec<RawColumn>, options: &ReadOptions) -> Result<Inferred> {
    assemble(raw, options).map_err(|error| match error {
        Error::Table(what) => Error::format(path, what),
        other => other,
    })
}

/// A format of tables in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum TableFormat {
    /// Comma-separated values, the first line naming the columns; other delimiters are found as in files.
    Csv,
    /// Apache Parquet.
    Parquet,
}

impl TableFormat {
    /// What a table in memory is called in messages.
    fn place(self) -> &'static Path {
        Path::new(match self {
            Self::Csv => "CSV in memory",
            Self::Parquet => "Parquet in memory",
        })
    }
}

impl Table {
    /// Reads a table from the bytes of a file.
    ///
    /// ```
    /// use semblant_data::table::{ReadOptions, Table, TableFormat};
    ///
    /// # fn main() -> Result<(), semblant_data::Error> {
    /// let table = Table::from_bytes(b"age,smoker\n31,no\n47,yes\n".to_vec(), TableFormat::Csv, &ReadOptions::default())?.table;
    /// assert_eq!(table.to_bytes(TableFormat::Csv)?, b"age,smoker\n31,no\n47,yes\n");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`Table::read`].
    pub fn from_bytes(bytes: Vec<u8>, format: TableFormat, options: &ReadOptions) -> Result<Inferred> {
        let place = format.place();
        let raw = match format {
            TableFormat::Csv => delimited::read(place, bytes.as_slice(), bytes.starts_with(&[0x1f, 0x8b]), options.delimiter, options)?,
            TableFormat::Parquet => columnar::read(place, bytes::Bytes::from(bytes), options)?,
        };
        assembled(place, raw, options)
    }

    /// A table of records: one row for each, one column for each field. Fields are numbers, booleans, texts, enums without data, or options of
    /// these.
    ///
    /// ```
    /// use semblant_data::table::{ReadOptions, Table};
    ///
    /// #[derive(serde::Serialize, serde::Deserialize, PartialEq, Debug)]
    /// struct Patient {
    ///     age: u32,
    ///     smoker: Option<bool>,
    /// }
    ///
    /// # fn main() -> Result<(), semblant_data::Error> {
    /// let patients = vec![Patient { age: 31, smoker: Some(false) }, Patient { age: 47, smoker: None }, Patient { age: 52, smoker: Some(true) }];
    /// let table = Table::from_records(&patients, &ReadOptions::default())?.table;
    /// assert_eq!(table.to_records::<Patient>()?, patients);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Records that have no form as rows, and as [`Table::read`].
    pub fn from_records<T: Serialize>(records: &[T], options: &ReadOptions) -> Result<Inferred> {
        let unfit = |error: csv::Error| Error::Table(format!("the records have no form as rows: {error}"));
        let mut writer = csv::Writer::from_writer(Vec::new());
        records.iter().try_for_each(|record| writer.serialize(record)).map_err(unfit)?;
        let bytes = writer.into_inner().map_err(|error| Error::Table(format!("the records cannot be written: {error}")))?;
        Self::from_bytes(bytes, TableFormat::Csv, &ReadOptions { delimiter: Some(b','), ..options.clone() })
    }

    /// The rows as records, by the names of their fields; a missing value is `None`.
    ///
    /// # Errors
    /// A value that does not fit its field; the message names the row.
    pub fn to_records<T: DeserializeOwned>(&self) -> Result<Vec<T>> {
        let bytes = self.to_bytes(TableFormat::Csv)?;
        let unfit = |error: csv::Error| Error::Table(format!("the rows do not fit the records: {error}"));
        csv::Reader::from_reader(bytes.as_slice()).into_deserialize().collect::<std::result::Result<_, _>>().map_err(unfit)
    }
}

fn read_raw(path: &Path, options: &ReadOptions) -> Result<Vec<RawColumn>> {
    let metadata = std::fs::metadata(path).map_err(|source| Error::io(path, source))?;
    if metadata.is_dir() {
        return Err(Error::format(path, "is a folder; give a .csv, .tsv, .csv.gz or .parquet file"));
    }
    let mut file = File::open(path).map_err(|source| Error::io(path, source))?;
    let mut magic = Vec::new();
    file.by_ref().take(4).read_to_end(&mut magic).map_err(|source| Error::io(path, source))?;
    if magic.is_empty() {
        return Err(Error::format(path, "is empty; the first line must name the columns"));
    }
    file.rewind().map_err(|source| Error::io(path, source))?;
    let name = path.file_name().map(|name| name.to_string_lossy().to_ascii_lowercase()).unwrap_or_default();
    if magic == *b"PAR1" || name.ends_with(".parquet") {
        return columnar::read(path, file, options);
    }
    let plain = name.strip_suffix(".gz").unwrap_or(&name);
    if !plain.ends_with(".csv") && !plain.ends_with(".tsv") && !magic.starts_with(&[0x1f, 0x8b]) {
        return Err(Error::format(path, "is of no known kind; give a .csv, .tsv, .csv.gz or .parquet file"));
    }
    let delimiter = options.delimiter.or(plain.ends_with(".tsv").then_some(b'\t'));
    delimited::read(path, file, magic.starts_with(&[0x1f, 0x8b]), delimiter, options)
}

/// Checks the names in a file's header; gives the columns to read, `None` for one to leave out.
fn header(path: &Path, names: &[String], options: &ReadOptions) -> Result<Vec<Option<RawColumn>>> {
    let mut seen = std::collections::HashSet::new();
    for (position, name) in names.iter().enumerate() {
        if name.trim().is_empty() && !options.drop.contains(name) {
            let what = format!("column {} of the header has no name; name it, or drop it (drop = [\"{name}\"])", position + 1);
            return Err(Error::format(path, what));
        }
        if !seen.insert(name) {
            return Err(Error::format(path, format!("column \"{name}\" occurs twice in the header; rename one of them")));
        }
    }
    for name in options.drop.iter().chain(options.target.iter()).chain(options.kinds.iter().map(|(name, _)| name)) {
        if !names.contains(name) {
            return Err(Error::UnknownColumn { name: name.clone(), known: names.join(", ") });
        }
    }
    if let Some(schema) = &options.schema {
        schema.check()?;
        let used = |name: &str| !options.drop.iter().any(|dropped| dropped == name);
        if let Some(absent) = schema.names().find(|&name| used(name) && !names.iter().any(|known| known == name)) {
            return Err(Error::format(
                path,
                format!("column \"{absent}\" is in the schema but not in the file, whose columns are: {}", names.join(", ")),
            ));
        }
        if let Some(extra) = names.iter().find(|name| used(name) && schema.index_of(name).is_err()) {
            let what = format!("column \"{extra}\" is in the file but not in the schema; add it there, or drop it (drop = [\"{extra}\"])");
            return Err(Error::format(path, what));
        }
    }
    Ok(names.iter().map(|name| (!options.drop.contains(name)).then(|| RawColumn::new(name))).collect())
}

/// Decides what every column is, and stores it so.
fn assemble(raw: Vec<RawColumn>, options: &ReadOptions) -> Result<Inferred> {
    let mut raw = raw;
    if raw.is_empty() {
        return Err(Error::Table("every column is dropped; keep at least one".into()));
    }
    if raw[0].rows() == 0 {
        return Err(Error::Table("has a header but no rows; a table needs at least one".into()));
    }
    if let Some(schema) = &options.schema {
        raw.sort_by_key(|column| schema.index_of(&column.name).unwrap_or(usize::MAX));
    }
    let mut notes = Vec::new();
    let mut schema = Schema::default();
    let mut columns: Vec<Column> = Vec::with_capacity(raw.len());
    for column in raw {
        let mut described = describe(&column, options, &mut notes)?;
        columns.push(build::build(column, &mut described).map_err(Error::Table)?);
        schema.columns.push(described);
    }
    let declared = options.schema.as_ref().and_then(|schema| schema.target.clone()).filter(|target| !options.drop.contains(target));
    schema.target = options.target.clone().or(declared);
    Ok(Inferred { table: Table::new(schema, columns)?, notes })
}

fn describe(column: &RawColumn, options: &ReadOptions, notes: &mut Vec<String>) -> Result<ColumnSchema> {
    let overruled = options.kinds.iter().find(|(name, _)| *name == column.name);
    if let Some((name, kind)) = overruled {
        return Ok(ColumnSchema::new(name, *kind));
    }
    if let Some(schema) = &options.schema {
        return Ok(schema.columns[schema.index_of(&column.name)?].clone());
    }
    let (described, note) = infer(column).map_err(Error::Table)?;
    notes.extend(note);
    Ok(described)
}
