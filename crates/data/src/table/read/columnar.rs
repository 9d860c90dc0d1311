//! Parquet, through Arrow: one batch of rows at a time.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder};
use parquet::errors::ParquetError;
use parquet::file::reader::ChunkReader;

use super::arrow::{columns, push};
use super::{Raw, ReadOptions};
use crate::{Error, Result};

const BATCH_ROWS: usize = 8_192;

pub(super) fn read(path: &Path, file: impl ChunkReader + 'static, options: &ReadOptions) -> Result<Raw> {
    // The parquet crate asserts in places what a damaged file can violate; for a user that is a bad file, not a crash.
    catch_unwind(AssertUnwindSafe(|| read_batches(path, file, options)))
        .unwrap_or_else(|_| Err(Error::format(path, "is not a valid Parquet file; write it again")))
}

fn read_batches(path: &Path, file: impl ChunkReader + 'static, options: &ReadOptions) -> Result<Raw> {
    let unsound = |error: &dyn std::fmt::Display| {
        Error::format(path, format!("is not a valid Parquet file: {}; write it again", error.to_string().replace('\n', " ")))
    };
    let of_parquet = |error: ParquetError| unsound(&error);
    let metadata = ArrowReaderMetadata::load(&file, ArrowReaderOptions::new())
        // The types that the writer noted may be of a later version than ours; those of the format itself are then enough.
        .or_else(|_| ArrowReaderMetadata::load(&file, ArrowReaderOptions::new().with_skip_arrow_metadata(true)))
        .map_err(of_parquet)?;
    let (mut columns, notes) = columns(path, metadata.schema().fields(), options)?;
    let kept = columns.iter().enumerate().filter(|(_, column)| column.is_some()).map(|(index, _)| index);
    let mask = ProjectionMask::roots(metadata.parquet_schema(), kept);
    let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(file, metadata).with_projection(mask).with_batch_size(BATCH_ROWS);
    let expected = builder.metadata().file_metadata().num_rows();
    let reader = builder.build().map_err(of_parquet)?;
    let mut rows = 0;
    for batch in reader {
        let batch = batch.map_err(|error| unsound(&error))?;
        rows += batch.num_rows();
        for (column, array) in columns.iter_mut().flatten().zip(batch.columns()) {
            push(column, array, options)?;
        }
    }
    if rows as i64 != expected {
        return Err(Error::format(path, format!("has {rows} of the {expected} rows that it states; write it again")));
    }
    Ok(Raw { columns: columns.into_iter().flatten().collect(), notes, rows, delimiter: None })
}
