//! Folders of files: every file is a sequence, which has the file's name.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use semblant_core::data::Writer;
use semblant_core::files::{self, TemporaryFolder};

use super::Series;
use crate::table::{Column, ColumnKind, ColumnSchema, ReadOptions, Schema, Table, TableWriter};
use crate::{Error, Result};

/// The column that names the file of a row.
const FILE: &str = "file";
/// The most files of a folder.
const MOST_FILES: usize = 1_000_000;
/// Formats of a file, as extensions.
const FORMATS: [&str; 6] = ["csv", "tsv", "txt", "jsonl", "ndjson", "parquet"];

/// The tables of a folder as one, the name of the column of files, and the extension of the first file. A file's name without extension names its rows.
pub(super) fn read(folder: &Path, options: &ReadOptions) -> Result<(Table, String, String)> {
    let paths = paths(folder)?;
    let mut tables = paths.iter().map(|path| Table::read(path, options)).collect::<Result<Vec<_>>>()?;
    let names: Vec<String> = tables[0].schema().names().map(str::to_owned).collect();
    for (path, table) in paths.iter().zip(&tables) {
        if table.schema().names().ne(names.iter().map(String::as_str)) {
            let what = format!(
                "has the columns {}, {} has {}; all files of a folder need the same",
                table.schema().names().collect::<Vec<_>>().join(", "),
                paths[0].display(),
                names.join(", ")
            );
            return Err(Error::format(path, what));
        }
    }
    if options.schema.is_none() {
        let columns = (0..names.len()).map(|column| common(&tables, column)).collect();
        let schema = Schema { columns, ..tables[0].schema().clone() };
        let again = ReadOptions { schema: Some(schema), ..options.clone() };
        for (path, table) in paths.iter().zip(&mut tables) {
            *table = Table::read(path, &again)?;
        }
    }
    let labels = paths.iter().zip(&tables).flat_map(|(path, table)| std::iter::repeat_n(Some(name_of(path).0), table.rows()));
    let labels = Column::from_labels(labels.collect::<Vec<_>>());
    let mut all = tables.remove(0);
    for (table, path) in tables.iter().zip(&paths[1..]) {
        all.append(table).map_err(|error| Error::format(path, error.to_string()))?;
    }
    let mut of_files = FILE.to_owned();
    while names.contains(&of_files) {
        of_files.push('_');
    }
    let (mut schema, mut columns) = (all.schema().clone(), all.columns().to_vec());
    schema.columns.insert(0, ColumnSchema::new(&of_files, ColumnKind::Key));
    columns.insert(0, labels);
    Ok((Table::new(schema, columns)?, of_files, name_of(&paths[0]).1))
}

/// The files of a folder that are tables, in the order of their names.
fn paths(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(|error| Error::io(folder, error))? {
        let path = entry.map_err(|error| Error::io(folder, error))?.path();
        let is_hidden = path.file_name().is_none_or(|name| name.to_string_lossy().starts_with('.'));
        if !is_hidden && FORMATS.contains(&name_of(&path).1.trim_end_matches(".gz")) {
            paths.push(path);
        }
        if paths.len() > MOST_FILES {
            return Err(Error::format(
                folder,
                format!("has more than {MOST_FILES} files; join them into one table with a column of their names"),
            ));
        }
    }
    paths.sort();
    if paths.is_empty() {
        return Err(Error::format(
            folder,
            format!("has no file that is a table ({}); give the folder of the sequences", FORMATS.join(", ")),
        ));
    }
    Ok(paths)
}

/// A file's name without its extension, and the extension, `.gz` included.
fn name_of(path: &Path) -> (String, String) {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let plain = name.strip_suffix(".gz").unwrap_or(&name);
    let (stem, extension) = plain.rsplit_once('.').unwrap_or((plain, ""));
    (stem.to_owned(), format!("{extension}{}", &name[plain.len()..]))
}

/// What a column is in all tables: numbers where it is one in each of them, since a short file tells less than all together.
fn common(tables: &[Table], column: usize) -> ColumnSchema {
    let described = &tables[0].schema().columns[column];
    let kinds: HashSet<ColumnKind> =
        tables.iter().map(|table| own_kind(&table.schema().columns[column], &table.columns()[column])).collect();
    let all = |allowed: &[ColumnKind]| kinds.iter().all(|kind| allowed.contains(kind));
    let kind = match kinds.len() {
        1 => *kinds.iter().next().unwrap_or(&described.kind),
        _ if all(&[ColumnKind::Integer, ColumnKind::Continuous]) => ColumnKind::Continuous,
        _ => ColumnKind::Categorical,
    };
    let decimals = tables.iter().map(|table| table.schema().columns[column].decimals).max().flatten();
    let format = described.format.clone().filter(|_| kind == ColumnKind::Datetime);
    ColumnSchema { decimals: decimals.filter(|_| kind == ColumnKind::Continuous), format, ..ColumnSchema::new(&described.name, kind) }
}

/// What a column of one file may be: labels that are all numbers may be numbers.
fn own_kind(described: &ColumnSchema, column: &Column) -> ColumnKind {
    let Some((_, levels)) = column.categories() else { return described.kind };
    let numbers: Option<Vec<f64>> =
        levels.iter().map(|level| level.trim().parse::<f64>().ok().filter(|number| number.is_finite())).collect();
    match (described.kind, numbers) {
        (ColumnKind::Boolean, _) => ColumnKind::Boolean,
        (_, Some(numbers)) if numbers.iter().all(|number| number.fract() == 0.0) => ColumnKind::Integer,
        (_, Some(_)) => ColumnKind::Continuous,
        _ => ColumnKind::Categorical,
    }
}

/// Writes every sequence to a file of its own, in a folder.
#[derive(Debug)]
pub struct FolderWriter {
    folder: TemporaryFolder,
    path: PathBuf,
    extension: String,
    names: HashSet<String>,
}

impl FolderWriter {
    /// A folder of this name, whose files have this extension.
    ///
    /// # Errors
    /// When something is there that is no empty folder, or the folder above cannot be written.
    pub(super) fn create(path: &Path, extension: &str) -> Result<Self> {
        let folder = files::temporary_folder(path).map_err(|error| Error::io(path, error))?;
        Ok(Self { folder, path: path.to_owned(), extension: extension.to_owned(), names: HashSet::new() })
    }

    /// Whether such a name is that of a folder: it has no extension.
    pub(super) fn is_for(path: &Path) -> bool {
        path.as_os_str() != "-" && path.extension().is_none()
    }

    /// A file name that no other sequence has, without what file systems do not allow.
    fn name(&mut self, wanted: &str) -> String {
        const LONGEST: usize = 100;
        let is_plain = |letter: char| letter.is_alphanumeric() || "-_.".contains(letter);
        let mut name: String = wanted.chars().take(LONGEST).map(|letter| if is_plain(letter) { letter } else { '_' }).collect();
        if name.is_empty() || name.starts_with('.') {
            name.insert(0, '_');
        }
        let mut free = name.clone();
        let mut number = 2;
        while !self.names.insert(free.to_lowercase()) {
            free = format!("{name}-{number}");
            number += 1;
        }
        free
    }
}

impl Writer<Series> for FolderWriter {
    fn write(&mut self, part: &Series) -> semblant_core::Result<()> {
        for sequence in 0..part.count() {
            let of_one = semblant_core::data::Data::select(part, &[sequence]);
            let name = part.entities().map_or_else(|| sequence.to_string(), |entities| entities.cell(sequence, 0));
            let entity = part.layout().entity.as_ref();
            let table = of_one.to_table()?.columns_where(|described| Some(&described.name) != entity);
            let name = self.name(&name);
            let file = self.folder.path().join(format!("{name}.{}", self.extension));
            let mut writer = TableWriter::create(file, table.schema())?;
            writer.write(&table)?;
            writer.finish()?;
        }
        Ok(())
    }

    fn finish(self) -> semblant_core::Result<()> {
        self.folder.persist().map_err(|error| semblant_core::Error::io(&self.path, error))
    }
}
