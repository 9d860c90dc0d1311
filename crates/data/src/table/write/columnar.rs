//! Parquet, through Arrow: every column in the type that it was read in. The columns of a piece are encoded side by side.

use std::io;
use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::Schema as ArrowSchema;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::{ArrowColumnChunk, ArrowColumnWriter, ArrowRowGroupWriterFactory, compute_leaves};
use parquet::basic::Compression;
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::ColumnPath;
use rayon::prelude::*;

use super::Target;
use crate::table::read::{arrow_schema, record_batch};
use crate::table::{ColumnKind, ColumnSchema, Schema, Table};

/// Rows of a row group.
const GROUP_ROWS: usize = 1 << 17;

pub(super) struct Writer {
    file: SerializedFileWriter<Target>,
    factory: ArrowRowGroupWriterFactory,
    /// The columns of the row group that is open, and how many rows they have.
    columns: Vec<ArrowColumnWriter>,
    rows: usize,
    groups: usize,
    schema: Arc<ArrowSchema>,
}

impl std::fmt::Debug for Writer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Writer").field("schema", &self.schema).finish_non_exhaustive()
    }
}

impl Writer {
    pub(super) fn new(file: Target, schema: &Schema) -> io::Result<Self> {
        let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).set_max_row_group_row_count(Some(GROUP_ROWS));
        // Ids and real numbers of any digits are nearly all different: a dictionary of them would be given up again.
        let different = |described: &&ColumnSchema| match described.kind {
            ColumnKind::Id | ColumnKind::Text => true,
            kind => kind == ColumnKind::Continuous && described.step().is_none(),
        };
        let properties = schema.columns.iter().filter(different).fold(properties, |properties, described| {
            properties.set_column_dictionary_enabled(ColumnPath::new(vec![described.name.clone()]), false)
        });
        let (schema, properties) = (arrow_schema(schema), properties.build());
        let writer = ArrowWriter::try_new(file, schema.clone(), Some(properties)).map_err(io_error)?;
        let (file, factory) = writer.into_serialized_writer().map_err(io_error)?;
        Ok(Self { file, factory, columns: Vec::new(), rows: 0, groups: 0, schema })
    }

    pub(super) fn write(&mut self, table: &Table) -> io::Result<()> {
        let batch = record_batch(table, &self.schema).map_err(io::Error::other)?;
        let mut start = 0;
        while start < batch.num_rows() {
            let count = (GROUP_ROWS - self.rows).min(batch.num_rows() - start);
            self.encode(&batch.slice(start, count))?;
            start += count;
            self.rows += count;
            if self.rows == GROUP_ROWS {
                self.end_group()?;
            }
        }
        Ok(())
    }

    fn encode(&mut self, batch: &RecordBatch) -> io::Result<()> {
        if self.columns.is_empty() {
            self.columns = self.factory.create_column_writers(self.groups).map_err(io_error)?;
        }
        let fields = self.schema.fields();
        // Columns of tables are not nested, so each has one leaf and one writer.
        let encode = |((writer, field), array): ((&mut ArrowColumnWriter, &Arc<arrow_schema::Field>), &ArrayRef)| {
            compute_leaves(field, array)?.iter().try_for_each(|leaf| writer.write(leaf))
        };
        self.columns.par_iter_mut().zip(fields.par_iter()).zip(batch.columns().par_iter()).try_for_each(encode).map_err(io_error)
    }

    fn end_group(&mut self) -> io::Result<()> {
        let columns = std::mem::take(&mut self.columns);
        let chunks: Vec<ArrowColumnChunk> =
            columns.into_par_iter().map(ArrowColumnWriter::close).collect::<Result<_, _>>().map_err(io_error)?;
        let mut group = self.file.next_row_group().map_err(io_error)?;
        chunks.into_iter().try_for_each(|chunk| chunk.append_to_row_group(&mut group)).map_err(io_error)?;
        group.close().map_err(io_error)?;
        (self.rows, self.groups) = (0, self.groups + 1);
        Ok(())
    }

    pub(super) fn finish(mut self) -> io::Result<Target> {
        if self.rows > 0 {
            self.end_group()?;
        }
        self.file.into_inner().map_err(io_error)
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
