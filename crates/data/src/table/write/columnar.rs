//! Parquet, through Arrow: every column in the type that it was read in.

use std::io;
use std::sync::Arc;

use arrow_schema::Schema as ArrowSchema;
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;

use super::Target;
use crate::table::read::{arrow_schema, record_batch};
use crate::table::{Schema, Table};

/// Rows of a row group.
const GROUP_ROWS: usize = 1 << 17;

pub(super) struct Writer {
    writer: ArrowWriter<Target>,
    schema: Arc<ArrowSchema>,
}

impl std::fmt::Debug for Writer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Writer").field("schema", &self.schema).finish_non_exhaustive()
    }
}

impl Writer {
    pub(super) fn new(file: Target, schema: &Schema) -> io::Result<Self> {
        let schema = arrow_schema(schema);
        let properties =
            WriterProperties::builder().set_compression(Compression::SNAPPY).set_max_row_group_row_count(Some(GROUP_ROWS)).build();
        let writer = ArrowWriter::try_new(file, schema.clone(), Some(properties)).map_err(io_error)?;
        Ok(Self { writer, schema })
    }

    pub(super) fn write(&mut self, table: &Table) -> io::Result<()> {
        let batch = record_batch(table, &self.schema).map_err(io::Error::other)?;
        self.writer.write(&batch).map_err(io_error)
    }

    pub(super) fn finish(self) -> io::Result<Target> {
        self.writer.into_inner().map_err(io_error)
    }
}

fn io_error(error: ParquetError) -> io::Error {
    match error {
        ParquetError::External(source) => match source.downcast::<io::Error>() {
            Ok(source) => *source,
            Err(other) => io::Error::other(other),
        },
        other => io::Error::other(other),
    }
}
