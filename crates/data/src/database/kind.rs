//! [`Database`] as a kind of data: folders of tables.

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use semblant_core::data::{Data, Opened, Writer};
use semblant_core::files::{self, TemporaryFolder};
use semblant_core::options::{Names, OptionSpec, OptionValues};
use semblant_core::{Error, Result};
use serde_json::{Value, json};

use super::{Database, DatabaseRequest, Keys, NO_ROW};
use crate::table::{MISSING_TEXTS, NO_PROTECT, ReadOptions, Schema, Table, TableWriter};

/// The keys file of a folder.
const KEYS_FILE: &str = "keys.toml";
/// The most tables of a folder.
const MOST_TABLES: usize = 1000;
/// Formats of a table's file, as extensions.
const FORMATS: [&str; 5] = ["csv", "tsv", "jsonl", "parquet", "sql"];

/// How a folder of tables is opened.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct DatabaseOptions {
    /// How tables are read; schemas are those of the folder, `TABLE.schema.toml` beside the table.
    pub tables: ReadOptions,
    /// The keys; without them those of the folder's `keys.toml`, or what names and values tell.
    pub keys: Option<Keys>,
    /// Further files, whose names without extension are those of their tables.
    pub files: Vec<PathBuf>,
    /// Tables that are left out.
    pub skipped: Vec<String>,
    /// Whether keys are left to what the tables are compared with.
    pub without_keys: bool,
}

const WRITE_KEYS: &str = "write-keys";

impl Data for Database {
    const KIND: &'static str = "database";
    const ITEMS: &'static str = "rows of the main table";
    type OpenOptions = DatabaseOptions;
    type Request = DatabaseRequest;
    type Writer = DatabaseWriter;

    fn open_options() -> &'static [OptionSpec] {
        const OPTIONS: &[OptionSpec] = &[
            OptionSpec::value("keys", "FILE", "How tables refer to each other, in TOML; without it keys.toml in the folder, or a guess")
                .naming(Names::Input),
            OptionSpec::list("table", "FILE", "A further table of the database; may be given several times").naming(Names::Input),
            OptionSpec::list("skip-table", "TABLE", "Leave this table out; may be given several times"),
            MISSING_TEXTS,
        ];
        OPTIONS
    }

    fn parse_open_options(values: &OptionValues) -> Result<DatabaseOptions> {
        let mut of_tables = OptionValues::default();
        for name in ["missing", "no-protect"].into_iter().filter(|name| values.has(name)) {
            of_tables.insert(name, values.all(name).iter().cloned());
        }
        Ok(DatabaseOptions {
            tables: Table::parse_open_options(&of_tables)?,
            keys: values.text("keys").map(|path| Keys::read(Path::new(path))).transpose()?,
            files: values.all("table").iter().map(PathBuf::from).collect(),
            skipped: values.all("skip-table").to_vec(),
            without_keys: false,
        })
    }

    fn options_to_compare(options: DatabaseOptions) -> DatabaseOptions {
        DatabaseOptions { without_keys: true, keys: None, files: Vec::new(), tables: Table::options_to_compare(options.tables), ..options }
    }

    fn fit_options() -> &'static [OptionSpec] {
        const OPTIONS: &[OptionSpec] = &[
            OptionSpec::value(WRITE_KEYS, "FILE", "Write the keys that were found to this file and exit").naming(Names::Output),
            NO_PROTECT,
        ];
        OPTIONS
    }

    fn instead_of_fit(opened: &Opened<Self>, values: &OptionValues) -> Result<Option<PathBuf>> {
        let Some(path) = values.text(WRITE_KEYS).map(PathBuf::from) else { return Ok(None) };
        files::write(&path, opened.data.keys().to_toml()?.as_bytes())?;
        Ok(Some(path))
    }

    fn overview(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for (table, (name, rows)) in self.tables().iter().enumerate() {
            let keys = self.keys_of(table);
            let key = if keys.key.is_empty() { String::new() } else { format!(", key {}", keys.key.join(" with ")) };
            lines.push(format!("{name}: {} rows of {} columns{key}", rows.rows(), rows.columns().len()));
            for (place, foreign) in keys.foreign.iter().enumerate() {
                let role = if foreign.is_parent() { ", by which its rows come" } else { "" };
                let counts = self.children(table, place);
                let most = counts.iter().max().copied().unwrap_or(0);
                let none = counts.iter().filter(|&&count| count == 0).count();
                let target = &foreign.table;
                lines.push(format!(
                    "  {} refers to {target}{role}: up to {most} rows each, {none} of {} have none",
                    foreign.columns.join(" with "),
                    counts.len()
                ));
            }
        }
        lines.push(format!("a sample counts rows of {}", self.tables()[self.root()].0));
        lines
    }

    fn request_options() -> &'static [OptionSpec] {
        const OPTIONS: &[OptionSpec] = &[
            OptionSpec::list(
                "rows-of",
                "TABLE=ROWS",
                "Rows of a table whose rows come by no others; without it such tables grow with the main one; may be given several times",
            ),
            OptionSpec::list(
                "where-table",
                "TABLE:CONDITION",
                "An SQL condition that every row of a table meets whose rows come by no others; may be given several times",
            ),
            OptionSpec::value("tables-as", "FORMAT", "The format of the tables' files: csv, tsv, jsonl, parquet or sql [default: csv]"),
        ];
        OPTIONS
    }

    fn parse_request(mut request: DatabaseRequest, values: &OptionValues) -> Result<DatabaseRequest> {
        for text in values.all("rows-of") {
            let parsed = text.rsplit_once('=').and_then(|(table, rows)| Some((table.trim(), rows.trim().parse::<u64>().ok()?)));
            match parsed {
                Some((table, rows)) if rows > 0 => request.sizes.push((table.to_owned(), rows)),
                _ => return Err(Error::Config(format!("--rows-of {text}: write TABLE=ROWS, for example products=77"))),
            }
        }
        for text in values.all("where-table") {
            match text.split_once(':') {
                Some((table, condition)) if !condition.trim().is_empty() => {
                    request.expressions.push((table.trim().to_owned(), condition.trim().to_owned()));
                }
                _ => {
                    let example = "customers: country = 'Norway'";
                    return Err(Error::Config(format!("--where-table {text}: write TABLE:CONDITION, for example \"{example}\"")));
                }
            }
        }
        if let Some(format) = values.text("tables-as") {
            if !FORMATS.contains(&format) {
                return Err(Error::Config(format!("--tables-as {format}: the formats are {}", FORMATS.join(", "))));
            }
            request.format = format.to_owned();
        }
        Ok(request)
    }

    fn conform(self, like: &Self) -> Result<Opened<Self>> {
        let mut notes = Vec::new();
        let mut tables = Vec::new();
        for (place, (name, real)) in like.tables().iter().enumerate() {
            let own = self
                .tables()
                .iter()
                .find_map(|(known, table)| (known == name).then_some(table))
                .ok_or_else(|| Error::Data(format!("there is no table {name} to compare; the real database has one")))?;
            let names = like.keys_of(place).names();
            if let Some(lost) = names.iter().find(|name| own.schema().index_of(name).is_err()) {
                return Err(Error::Data(format!("{name} lacks the key column \"{lost}\"; the real table has it")));
            }
            let content = like.content(place)?;
            let conformed = if content.columns().is_empty() {
                own.columns_where(|described| names.contains(described.name.as_str()))
            } else {
                let conformed = own.columns_where(|described| !names.contains(described.name.as_str())).conform(&content)?;
                notes.extend(conformed.notes.iter().map(|note| format!("{name}: {note}")));
                with_columns(conformed.table, own, real.schema(), &names)?
            };
            tables.push((name.clone(), conformed));
        }
        let opened = Self::new(tables, like.keys().clone())?;
        notes.extend(opened.notes);
        Ok(Opened { data: opened.data, notes })
    }

    fn describe(metadata: &BTreeMap<String, String>) -> (Vec<String>, Value) {
        let form: Value = metadata.get("form").and_then(|text| serde_json::from_str(text).ok()).unwrap_or(Value::Null);
        let tables = form.get("tables").and_then(Value::as_array).cloned().unwrap_or_default();
        let lines = tables.iter().map(|table| {
            let text = |key: &str| table.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
            format!("  {}: {} rows", text("name"), table.get("rows").and_then(Value::as_u64).unwrap_or_default())
        });
        (std::iter::once("tables".to_owned()).chain(lines).collect(), json!({ "tables": tables }))
    }

    fn open(source: &Path, options: &DatabaseOptions) -> Result<Opened<Self>> {
        let mut files: Vec<PathBuf> = Vec::new();
        let mut keys = options.keys.clone();
        if source.is_dir() {
            for entry in std::fs::read_dir(source).map_err(|error| Error::io(source, error))? {
                let path = entry.map_err(|error| Error::io(source, error))?.path();
                if Table::recognizes(&path) && path.is_file() {
                    files.push(path);
                }
            }
            let own = source.join(KEYS_FILE);
            if keys.is_none() && !options.without_keys && own.is_file() {
                keys = Some(Keys::read(&own)?);
            }
        } else {
            files.push(source.to_owned());
        }
        files.extend(options.files.iter().cloned());
        files.sort();
        files.retain(|path| !options.skipped.contains(&name_of(path)));
        if files.is_empty() || files.len() > MOST_TABLES {
            let what = format!("has {} tables; a database has from 1 to {MOST_TABLES} .csv, .tsv, .jsonl or .parquet files", files.len());
            return Err(crate::Error::format(source, what).into());
        }
        let (mut tables, mut of_columns) = (Vec::new(), Vec::new());
        for path in &files {
            let (name, schema) = (name_of(path), path.with_file_name(format!("{}.schema.toml", name_of(path))));
            let schema = if schema.is_file() { Some(Schema::from_toml(&schema)?) } else { None };
            let read = Table::read_inferred(path, &ReadOptions { schema, ..options.tables.clone() })?;
            of_columns.extend(read.notes.into_iter().map(|note| (name.clone(), note)));
            tables.push((name, read.table));
        }
        let mut found = Vec::new();
        let keys = match keys {
            Some(keys) => keys,
            None if options.without_keys => Keys::default(),
            None => {
                let (keys, notes) = Keys::guess(&tables);
                found = notes;
                keys
            }
        };
        // What a key column looks like by itself says nothing.
        let is_of_key = |(table, note): &(String, String)| {
            keys.of(table).names().iter().any(|column| note.starts_with(&format!("column \"{column}\":")))
        };
        let own = of_columns.iter().filter(|note| !is_of_key(note)).map(|(table, note)| format!("{table}: {note}"));
        let mut notes: Vec<String> = own.chain(found).collect();
        let opened = Self::new(tables, keys).map_err(|error| crate::Error::format(source, error.to_string()))?;
        notes.extend(opened.notes);
        Ok(Opened { data: opened.data, notes })
    }

    /// Never by its name: a folder may hold other data. A command names the kind, or a model of databases.
    fn recognizes(_: &Path) -> bool {
        false
    }

    fn len(&self) -> usize {
        self.tables()[self.root()].1.rows()
    }

    /// The rows of the main table with all that come by them; rows that refer to others of them are left out where they refer to one that is not there.
    fn select(&self, indices: &[usize]) -> Self {
        let root = self.root();
        let mut kept: Vec<Option<Vec<usize>>> = vec![None; self.tables().len()];
        kept[root] = Some(indices.to_vec());
        for table in self.order() {
            let Some((foreign, parent)) = self.parent(table) else { continue };
            if let Some(parents) = &kept[parent] {
                let parents: HashSet<usize> = parents.iter().copied().collect();
                let links = self.links(table, foreign);
                kept[table] =
                    Some((0..links.len()).filter(|&row| links[row] != NO_ROW && parents.contains(&(links[row] as usize))).collect());
            }
        }
        let of = |((name, table), kept): (&(String, Table), &Option<Vec<usize>>)| {
            (name.clone(), kept.as_ref().map_or_else(|| table.clone(), |rows| table.take(rows)))
        };
        let tables = self.tables().iter().zip(&kept).map(of).collect();
        // A part without rows of some table has no sound keys to speak of; the whole is then all there is.
        Self::new(tables, self.keys().clone()).map_or_else(|_| self.clone(), |opened| opened.data)
    }

    fn concat(parts: Vec<Self>) -> Result<Self> {
        let mut parts = parts.into_iter();
        match (parts.next(), parts.next()) {
            (Some(one), None) => Ok(one),
            (None, _) => Err(Error::Data("there is no database to join".into())),
            _ => Err(Error::Data("databases cannot be joined: their keys would meet; make one of as many rows".into())),
        }
    }

    fn create(path: &Path, like: &Self) -> Result<DatabaseWriter> {
        Self::create_for(&DatabaseRequest::new(0, 0), path, like)
    }

    fn create_for(request: &DatabaseRequest, path: &Path, like: &Self) -> Result<DatabaseWriter> {
        let folder = files::temporary_folder(path).map_err(|error| Error::io(path, error))?;
        let create = |(name, table): &(String, Table)| {
            Ok(TableWriter::create(folder.path().join(format!("{name}.{}", request.format)), table.schema())?)
        };
        let tables = like.tables().iter().map(create).collect::<Result<_>>()?;
        Ok(DatabaseWriter { folder, tables, keys: like.keys.clone(), path: path.to_owned() })
    }

    fn check_output(path: &Path) -> Result<()> {
        files::temporary_folder(path).map(drop).map_err(|error| Error::io(path, error))
    }
}

/// The name of a table, which its file has without extensions.
fn name_of(path: &Path) -> String {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let plain = name.strip_suffix(".gz").unwrap_or(&name);
    plain.rsplit_once('.').map_or(plain, |(stem, _)| stem).to_owned()
}

/// `content` with the key columns of `own`, in the order of `schema`.
fn with_columns(content: Table, own: &Table, schema: &Schema, names: &HashSet<&str>) -> Result<Table> {
    let mut all = content.schema().clone();
    let (mut described, mut columns) = (Vec::new(), Vec::new());
    for wanted in schema.names() {
        let from = if names.contains(wanted) { own } else { &content };
        if let Ok(index) = from.schema().index_of(wanted) {
            described.push(from.schema().columns[index].clone());
            columns.push(from.columns()[index].clone());
        }
    }
    all.columns = described;
    Ok(Table::new(all, columns)?)
}

/// Writes a database to a folder: a file for each table, and `keys.toml`.
#[derive(Debug)]
pub struct DatabaseWriter {
    folder: TemporaryFolder,
    tables: Vec<TableWriter>,
    keys: Arc<Keys>,
    path: PathBuf,
}

impl Writer<Database> for DatabaseWriter {
    fn write(&mut self, part: &Database) -> Result<()> {
        self.tables.iter_mut().zip(part.tables()).try_for_each(|(writer, (_, table))| Ok(writer.write(table)?))
    }

    fn finish(self) -> Result<()> {
        self.tables.into_iter().try_for_each(|writer| writer.finish())?;
        files::write(&self.folder.path().join(KEYS_FILE), self.keys.to_toml()?.as_bytes())?;
        self.folder.persist().map_err(|error| Error::io(&self.path, error))
    }
}
