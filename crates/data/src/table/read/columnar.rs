//! Parquet, through Arrow: one batch of rows at a time.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Once;

use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder};
use parquet::errors::ParquetError;
use parquet::file::reader::ChunkReader;

use super::arrow::{columns, notes_on_beyond, push};
use super::{Raw, ReadOptions};
use crate::{Error, Result};

const BATCH_ROWS: usize = 8_192;

/// What a cell of any column takes at least, as a code.
const LEAST_BYTES: u64 = 4;

pub(super) fn read(path: &Path, file: impl ChunkReader + 'static, options: &ReadOptions) -> Result<Raw> {
    // The parquet crate asserts in places what a damaged file can violate; for a user that is a bad file, not a crash.
    quietly(|| read_batches(path, file, options)).unwrap_or_else(|| Err(Error::format(path, "is not a valid Parquet file; write it again")))
}

thread_local! {
    /// Whether a panic of this thread is caught, so that its message is none for the user.
    static CAUGHT: Cell<bool> = const { Cell::new(false) };
}

/// What `work` gives; nothing where it panicked. The hook that prints a panic is that of the whole process, so it is wrapped once, and asks on
/// which thread it is.
fn quietly<T>(work: impl FnOnce() -> T) -> Option<T> {
    static WRAPPED: Once = Once::new();
    WRAPPED.call_once(|| {
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if !CAUGHT.get() {
                usual(panic);
            }
        }));
    });
    let before = CAUGHT.replace(true);
    let done = catch_unwind(AssertUnwindSafe(work)).ok();
    CAUGHT.set(before);
    done
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
    let (mut columns, mut notes) = columns(path, metadata.schema().fields(), options)?;
    let kept = columns.iter().enumerate().filter(|(_, column)| column.is_some()).map(|(index, _)| index);
    let mask = ProjectionMask::roots(metadata.parquet_schema(), kept);
    let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(file, metadata).with_projection(mask).with_batch_size(BATCH_ROWS);
    let expected = builder.metadata().file_metadata().num_rows();
    // A few hundred bytes can hold 2^31 missing values.
    let held = columns.iter().flatten().count() as u64;
    let stated = format!("{}: its {expected} rows of {held} columns", path.display());
    options.memory.check(stated, u64::try_from(expected).unwrap_or(0), 2 * LEAST_BYTES * held)?;
    let reader = builder.build().map_err(of_parquet)?;
    let mut rows = 0;
    for batch in reader {
        let batch = batch.map_err(|error| unsound(&error))?;
        rows += batch.num_rows();
        for (column, array) in columns.iter_mut().flatten().zip(batch.columns()) {
            push(column, array, options)?;
        }
        super::check_memory(path, columns.iter().flatten(), rows, options)?;
    }
    notes.extend(notes_on_beyond(&columns));
    if rows as i64 != expected {
        return Err(Error::format(path, format!("has {rows} of the {expected} rows that it states; write it again")));
    }
    Ok(Raw { columns: columns.into_iter().flatten().collect(), notes, rows, delimiter: None })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_caught_and_says_nothing_and_the_next_one_does() {
        assert_eq!(quietly(|| 7), Some(7));
        assert_eq!(quietly(|| -> i32 { panic!("caught") }), None);
        assert!(!CAUGHT.get(), "as it was before");
        assert_eq!(quietly(|| quietly(|| -> i32 { panic!("caught") }).is_none() && CAUGHT.get()), Some(true), "within another");
    }
}
