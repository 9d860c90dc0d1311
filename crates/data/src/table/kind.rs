//! [`Table`] as a kind of data.

use std::path::Path;

use semblant_core::Result;
use semblant_core::data::{Data, Opened, Writer};

use super::{ReadOptions, Table, TableRequest, TableWriter};

impl Data for Table {
    const KIND: &'static str = "table";
    const ITEMS: &'static str = "rows";
    type OpenOptions = ReadOptions;
    type Request = TableRequest;
    type Writer = TableWriter;

    fn open(source: &Path, options: &ReadOptions) -> Result<Opened<Self>> {
        let read = Self::read_inferred(source, options)?;
        Ok(Opened { data: read.table, notes: read.notes })
    }

    fn recognizes(source: &Path) -> bool {
        let name = source.file_name().map(|name| name.to_string_lossy().to_ascii_lowercase()).unwrap_or_default();
        let plain = name.strip_suffix(".gz").unwrap_or(&name);
        !source.is_dir() && [".csv", ".tsv", ".parquet"].iter().any(|ending| plain.ends_with(ending))
    }

    fn len(&self) -> usize {
        self.rows()
    }

    fn select(&self, indices: &[usize]) -> Self {
        self.take(indices)
    }

    fn concat(parts: Vec<Self>) -> Result<Self> {
        let mut parts = parts.into_iter();
        let none = || semblant_core::Error::Data("there are no tables to join".into());
        let mut all = parts.next().ok_or_else(none)?;
        parts.try_for_each(|part| all.append(&part))?;
        Ok(all)
    }

    fn create(path: &Path, like: &Self) -> Result<TableWriter> {
        Ok(TableWriter::create(path, like.schema())?)
    }

    fn check_output(path: &Path) -> Result<()> {
        // A schema of no columns is enough to try the name and the folder; the temporary file goes at once.
        Ok(TableWriter::create(path, &super::Schema::default()).map(drop)?)
    }
}

impl Writer<Table> for TableWriter {
    fn write(&mut self, part: &Table) -> Result<()> {
        Ok(Self::write(self, part)?)
    }

    fn finish(self) -> Result<()> {
        Ok(Self::finish(self)?)
    }
}
