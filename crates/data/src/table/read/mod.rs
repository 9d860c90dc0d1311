//! From files to tables.

mod arrow;
mod build;
mod columnar;
mod conform;
mod delimited;
mod json_lines;

use std::io::{Read, Seek};
use std::path::Path;

use rayon::prelude::*;
use semblant_core::memory::{self, Memory};
use serde::Serialize;
use serde::de::DeserializeOwned;

pub(crate) use self::arrow::{arrow_schema, record_batch};
pub(crate) use self::delimited::LARGEST_RECORD;
use super::constraint::Constraint;
use super::infer::{Context, infer};
use super::raw::RawColumn;
use super::schema::{ColumnKind, ColumnSchema, Protect, Schema};
use super::{Column, Table};
use crate::{Error, Result};

/// How a file is read.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ReadOptions {
    /// The columns, read as declared; without it they are inferred.
    pub schema: Option<Schema>,
    /// Texts that mean a missing value in every column, beside the empty cell. Without them the usual ones (`NA`, `NaN`, `null`, `-`) do in columns
    /// whose other values are numbers, dates or booleans.
    pub missing: Option<Vec<String>>,
    /// The column a predictor would be trained for; recorded in the schema.
    pub target: Option<String>,
    /// Columns to leave out.
    pub drop: Vec<String>,
    /// Whether it is no mistake when the file lacks a column that is to be left out.
    pub drop_if_there: bool,
    /// Kinds that overrule inference, by column name.
    pub kinds: Vec<(String, ColumnKind)>,
    /// Whether it is no mistake when the file lacks a column whose kind is given.
    pub kinds_if_there: bool,
    /// What is replaced before a model learns the table; without it what the schema says.
    pub protect: Option<Protect>,
    /// What holds in every row, beside what the schema says.
    pub constraints: Vec<Constraint>,
    /// What separates the cells of a text file; without it a tab in `.tsv` files, else whichever of `,` `;` tab `|` the first lines have.
    pub delimiter: Option<u8>,
    /// Whether blanks around every cell are removed. Blanks around numbers and missing values never count.
    pub trim: bool,
    /// The memory that the table may take while it is read.
    pub memory: Memory,
}

impl ReadOptions {
    /// The default options with a schema.
    pub fn with_schema(schema: Schema) -> Self {
        Self { schema: Some(schema), ..Self::default() }
    }

    /// The texts that mean a missing value in a column, beside the empty cell.
    fn missing_texts(&self, column: &str) -> Vec<&str> {
        let schema = self.schema.as_ref();
        let own = schema.and_then(|schema| schema.columns.iter().find(|described| described.name == column)?.missing.as_ref());
        let all = self.missing.as_ref().or(schema.and_then(|schema| schema.missing.as_ref()));
        own.into_iter().chain(all).flatten().map(|text| text.trim()).collect()
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
    /// Reads a table from a `.csv`, `.tsv`, `.jsonl` (each may be gzipped) or `.parquet` file; from standard input where `path` is `-`.
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
    /// the row (counted from 1 below the header), the column and the value.
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

/// The columns of a file before it is decided what they are.
struct Raw {
    columns: Vec<RawColumn>,
    notes: Vec<String>,
    rows: usize,
    delimiter: Option<u8>,
}

fn assembled(path: &Path, raw: Raw, options: &ReadOptions) -> Result<Inferred> {
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
    /// One JSON object a line.
    JsonLines,
}

impl TableFormat {
    /// What a table in memory is called in messages.
    fn place(self) -> &'static Path {
        Path::new(match self {
            Self::Csv => "CSV in memory",
            Self::Parquet => "Parquet in memory",
            Self::JsonLines => "JSON lines in memory",
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
            TableFormat::Csv => delimited::read(place, bytes.as_slice(), bytes.starts_with(&GZIP), options.delimiter, options)?,
            TableFormat::Parquet => columnar::read(place, bytes::Bytes::from(bytes), options)?,
            TableFormat::JsonLines => json_lines::read(place, bytes.as_slice(), bytes.starts_with(&GZIP), options)?,
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

/// The first bytes of a gzip stream.
const GZIP: [u8; 2] = [0x1f, 0x8b];

fn read_raw(path: &Path, options: &ReadOptions) -> Result<Raw> {
    if path.as_os_str() == "-" {
        return read_stream(path, std::io::stdin().lock(), options);
    }
    let metadata = std::fs::metadata(path).map_err(|source| Error::io(path, source))?;
    if metadata.is_dir() {
        return Err(Error::format(path, format!("is a folder; give a {KNOWN} file")));
    }
    let mut file = memory::open(path)?;
    let mut magic = Vec::new();
    file.by_ref().take(4).read_to_end(&mut magic).map_err(|source| Error::io(path, source))?;
    if magic.is_empty() {
        return Err(Error::format(path, "is empty; the first line must name the columns"));
    }
    file.rewind().map_err(|source| Error::io(path, source))?;
    let gzipped = magic.starts_with(&GZIP);
    let name = path.file_name().map(|name| name.to_string_lossy().to_ascii_lowercase()).unwrap_or_default();
    if magic == *b"PAR1" || name.ends_with(".parquet") {
        return columnar::read(path, file, options);
    }
    let plain = name.strip_suffix(".gz").unwrap_or(&name);
    if [".jsonl", ".ndjson"].iter().any(|ending| plain.ends_with(ending)) {
        return json_lines::read(path, file, gzipped, options);
    }
    if ![".csv", ".tsv", ".txt"].iter().any(|ending| plain.ends_with(ending)) && !gzipped {
        return Err(Error::format(path, format!("is of no known kind; give a {KNOWN} file")));
    }
    let tabs = plain.ends_with(".tsv");
    let raw = delimited::read(path, file, gzipped, options.delimiter.or(tabs.then_some(b'\t')), options)?;
    // What the extension says need not be kept.
    Ok(Raw { delimiter: raw.delimiter.filter(|_| !tabs), ..raw })
}

/// The extensions of files that tables are read from.
const KNOWN: &str = ".csv, .tsv, .jsonl (each also .gz) or .parquet";

/// Reads a stream without a name, whose first bytes say what it is.
fn read_stream(place: &Path, mut stream: impl Read, options: &ReadOptions) -> Result<Raw> {
    let mut bytes = Vec::new();
    let most = options.memory.bytes();
    stream.by_ref().take(most.saturating_add(1)).read_to_end(&mut bytes).map_err(|source| Error::io(place, source))?;
    options.memory.check("standard input", bytes.len() as u64, 1)?;
    let mut start = bytes.as_slice();
    let mut unzipped = [0; 64];
    let gzipped = bytes.starts_with(&GZIP);
    if gzipped {
        let read = flate2::read::MultiGzDecoder::new(bytes.as_slice()).read(&mut unzipped).unwrap_or(0);
        start = &unzipped[..read];
    }
    let first = start.iter().find(|byte| !byte.is_ascii_whitespace());
    match first {
        None => Err(Error::format(place, "standard input is empty; the first line must name the columns")),
        Some(_) if bytes.starts_with(b"PAR1") => columnar::read(place, bytes::Bytes::from(bytes), options),
        Some(b'{') => json_lines::read(place, bytes.as_slice(), gzipped, options),
        Some(_) => delimited::read(place, bytes.as_slice(), gzipped, options.delimiter, options),
    }
}

/// Checks that the columns read so far fit into memory, and once more as what they become.
fn check_memory<'a>(path: &Path, columns: impl Iterator<Item = &'a RawColumn>, rows: usize, options: &ReadOptions) -> Result<()> {
    let bytes: u64 = columns.map(RawColumn::bytes).sum();
    Ok(options.memory.check(format!("{}: its first {rows} rows", path.display()), bytes, 2)?)
}

/// Checks the names in a file's header; gives the columns to read, `None` for one to leave out, and notes on names that were made.
fn header(path: &Path, names: &[String], options: &ReadOptions) -> Result<(Vec<Option<RawColumn>>, Vec<String>)> {
    let mut notes = Vec::new();
    options.memory.check(format!("{}: its {} columns", path.display(), names.len()), names.len() as u64, size_of::<RawColumn>() as u64)?;
    let names = usable_names(names, &mut notes);
    let dropped = options.drop.iter().filter(|_| !options.drop_if_there);
    let kinds = options.kinds.iter().filter(|_| !options.kinds_if_there).map(|(name, _)| name);
    for name in dropped.chain(options.target.iter()).chain(kinds) {
        if !names.contains(name) {
            return Err(Error::UnknownColumn { name: name.clone(), known: names.join(", ") });
        }
    }
    // A schema without columns says something of the whole table, such as constraints.
    if let Some(schema) = options.schema.as_ref().filter(|schema| !schema.columns.is_empty()) {
        schema.check()?;
        let used = |name: &str| !options.drop.iter().any(|dropped| dropped == name);
        if let Some(absent) = schema.names().find(|&name| used(name) && !names.iter().any(|known| known == name)) {
            return Err(Error::format(
                path,
                format!("column \"{absent}\" is in the schema but not in the file, whose columns are: {}", names.join(", ")),
            ));
        }
        if let Some(extra) = names.iter().find(|name| used(name) && schema.index_of(name).is_err()) {
            let what = format!("column \"{extra}\" is in the file but not in the schema; add it there, or drop it (--drop \"{extra}\")");
            return Err(Error::format(path, what));
        }
    }
    Ok((names.iter().map(|name| (!options.drop.contains(name)).then(|| RawColumn::new(name))).collect(), notes))
}

/// Names for columns without one, and different names for those that share one, as pandas gives them.
fn usable_names(names: &[String], notes: &mut Vec<String>) -> Vec<String> {
    let mut taken: std::collections::HashSet<String> = names.iter().cloned().collect();
    let mut seen = std::collections::HashSet::new();
    let mut usable = Vec::with_capacity(names.len());
    for (position, name) in names.iter().enumerate() {
        if !name.trim().is_empty() && seen.insert(name) {
            usable.push(name.clone());
            continue;
        }
        let (base, first) = if name.trim().is_empty() { (format!("Unnamed: {position}"), 0) } else { (name.clone(), 1) };
        let numbered = |n: usize| if n == 0 { base.clone() } else { format!("{base}.{n}") };
        let made = (first..).map(numbered).find(|made| !taken.contains(made)).unwrap_or_else(|| base.clone());
        if name.trim().is_empty() {
            notes.push(format!("column {} has no name; it is called \"{made}\"", position + 1));
        } else {
            notes.push(format!("column \"{name}\" occurs twice; the second is called \"{made}\""));
        }
        taken.insert(made.clone());
        usable.push(made);
    }
    usable
}

/// Decides what every column is, and stores it so.
fn assemble(raw: Raw, options: &ReadOptions) -> Result<Inferred> {
    let Raw { columns: mut raw, mut notes, rows, delimiter } = raw;
    if raw.is_empty() {
        return Err(Error::Table("has no column that can be used; keep at least one".into()));
    }
    if rows == 0 {
        return Err(Error::Table("has a header but no rows; a table needs at least one".into()));
    }
    if let Some(schema) = &options.schema {
        raw.sort_by_key(|column| schema.index_of(&column.name).unwrap_or(usize::MAX));
    }
    let declared = options.schema.as_ref();
    let context = Context { comma_is_decimal: delimiter.is_some_and(|delimiter| delimiter != b',') };
    let decided: Vec<Result<(ColumnSchema, Column, Vec<String>), String>> =
        raw.into_par_iter().map(|column| decide(column, options, &context)).collect();
    let mut schema = Schema {
        target: options
            .target
            .clone()
            .or_else(|| declared.and_then(|schema| schema.target.clone()).filter(|target| !options.drop.contains(target))),
        delimiter: declared.map_or(delimiter.filter(|&delimiter| delimiter != b',').map(char::from), |schema| schema.delimiter),
        missing: options.missing.clone().or_else(|| declared.and_then(|schema| schema.missing.clone())),
        protect: options.protect.or(declared.map(|schema| schema.protect)).unwrap_or_default(),
        constraints: declared.into_iter().flat_map(|schema| &schema.constraints).chain(&options.constraints).cloned().collect(),
        columns: Vec::with_capacity(decided.len()),
    };
    let mut columns = Vec::with_capacity(decided.len());
    for decided in decided {
        let (described, column, more) = decided.map_err(Error::Table)?;
        notes.extend(more);
        schema.columns.push(described);
        columns.push(column);
    }
    Ok(Inferred { table: Table::new(schema, columns)?, notes })
}

/// What a column is, and its values.
fn decide(column: RawColumn, options: &ReadOptions, context: &Context) -> Result<(ColumnSchema, Column, Vec<String>), String> {
    let overruled = options.kinds.iter().find(|(name, _)| *name == column.name).map(|(name, kind)| ColumnSchema::new(name, *kind));
    let declared =
        options.schema.as_ref().and_then(|schema| schema.columns.iter().find(|described| described.name == column.name).cloned());
    let (mut described, notes) = match overruled.or(declared) {
        Some(described) => (described, Vec::new()),
        None => infer(&column, context),
    };
    let column = build::build(column, &mut described, context)?;
    Ok((described, column, notes))
}
