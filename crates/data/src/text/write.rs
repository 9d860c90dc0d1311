//! From texts to files.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use semblant_core::data::{Data, Writer};
use semblant_core::files::{self, Temporary};

use super::{COLUMNS, Layout, Text};
use crate::table::{Column, ColumnKind, ColumnSchema, Schema, Table, TableWriter};
use crate::{Error, Result};

/// Writes texts as lines, as one long text, or as a table, by the name of the file. It appears when it is complete.
#[derive(Debug)]
pub struct TextWriter(Form);

#[derive(Debug)]
enum Form {
    Table(Box<TableWriter>),
    Plain { path: PathBuf, file: BufWriter<File>, temporary: Temporary, whole: bool },
}

/// Whether a name is that of a file of text.
pub(super) fn is_plain(path: &Path) -> bool {
    let name = path.file_name().map(|name| name.to_string_lossy().to_ascii_lowercase()).unwrap_or_default();
    [".txt", ".text"].iter().any(|ending| name.ends_with(ending))
}

impl TextWriter {
    /// Begins a file for texts of the form of `like`.
    ///
    /// # Errors
    /// A name whose format is not known, labels where there is no place for them, and a folder that cannot be written.
    pub(super) fn create(path: &Path, like: &Text) -> Result<Self> {
        if !is_plain(path) {
            Self::check(path)?;
            return Ok(Self(Form::Table(Box::new(TableWriter::create(path, &schema(like))?))));
        }
        if like.labels().is_some() {
            return Err(Error::format(path, "lines have no place for labels; write a .csv, .tsv, .jsonl or .parquet file"));
        }
        let said = |source| Error::io(path, source);
        let temporary = files::temporary(path).map_err(said)?;
        let file = BufWriter::new(temporary.as_file().try_clone().map_err(said)?);
        let whole = matches!(like.layout(), Layout::Whole { .. });
        Ok(Self(Form::Plain { path: path.to_owned(), file, temporary, whole }))
    }

    /// Whether [`TextWriter::create`] would accept a name.
    pub(super) fn check(path: &Path) -> Result<()> {
        let text = path.to_string_lossy();
        if is_plain(path) || text == "-" || text.starts_with("-.") || Table::recognizes(path) {
            return Ok(());
        }
        Err(Error::format(path, "has an unknown extension; write a .txt file, or a table: .csv, .tsv, .jsonl or .parquet"))
    }
}

/// The columns of a table of these texts.
fn schema(like: &Text) -> Schema {
    let (text, label) = match like.layout() {
        Layout::Table { text, label } => (text.as_str(), label.as_deref().unwrap_or(COLUMNS[1])),
        _ => (COLUMNS[0], COLUMNS[1]),
    };
    let label = like.labels().map(|_| label);
    let columns = [Some(text), label].into_iter().flatten().map(|name| ColumnSchema::new(name, ColumnKind::Categorical));
    Schema { columns: columns.collect(), ..Schema::default() }
}

impl Text {
    /// The texts as a table of one column, or of two where they have labels.
    ///
    /// # Errors
    /// None for texts that were made by this crate.
    pub fn to_table(&self) -> Result<Table> {
        let mut columns = vec![Column::from_labels(self.iter().map(Some))];
        columns.extend(self.labels().map(|_| Column::from_labels((0..self.count()).map(|index| self.label(index)))));
        Table::new(schema(self), columns)
    }
}

impl Writer<Text> for TextWriter {
    fn write(&mut self, part: &Text) -> semblant_core::Result<()> {
        match &mut self.0 {
            Form::Table(writer) => Ok(writer.write(&part.to_table()?)?),
            Form::Plain { path, file, whole, .. } => {
                let said = |source| Error::io(path.as_path(), source);
                for text in part.iter() {
                    if !*whole && text.contains('\n') {
                        let what = "a text has a line break, which lines cannot hold; write a .csv, .tsv, .jsonl or .parquet file";
                        return Err(Error::format(path.as_path(), what).into());
                    }
                    file.write_all(text.as_bytes()).map_err(said)?;
                    // Parts of a long text follow each other without a mark, so that they are the same when they are cut again.
                    if !*whole {
                        file.write_all(b"\n").map_err(said)?;
                    }
                }
                Ok(())
            }
        }
    }

    fn finish(self) -> semblant_core::Result<()> {
        match self.0 {
            Form::Table(writer) => Ok(writer.finish()?),
            Form::Plain { path, mut file, temporary, .. } => {
                let said = |source| Error::io(&path, source);
                file.flush().map_err(said)?;
                Ok(temporary.persist().map_err(said)?)
            }
        }
    }
}
