//! Parquet, one row group and one column at a time.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use parquet::basic::{ConvertedType, LogicalType, TimeUnit};
use parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use parquet::data_type::DataType;
use parquet::errors::ParquetError;
use parquet::file::reader::{ChunkReader, FileReader, SerializedFileReader};
use parquet::schema::types::ColumnDescriptor;

use super::delimited::is_missing;
use super::{ReadOptions, header};
use crate::table::datetime;
use crate::table::raw::{EXACT, RawColumn};
use crate::{Error, Result};

const BATCH: usize = 8_192;
const SECONDS_PER_DAY: f64 = 86_400.0;
const DATE: &str = "%Y-%m-%d";

pub(super) fn read(path: &Path, file: impl ChunkReader + 'static, options: &ReadOptions) -> Result<Vec<RawColumn>> {
    // The parquet crate asserts in places what a damaged file can violate; for a user that is a bad file, not a crash.
    catch_unwind(AssertUnwindSafe(|| read_groups(path, file, options)))
        .unwrap_or_else(|_| Err(Error::format(path, "is not a valid Parquet file; write it again")))
}

fn read_groups(path: &Path, file: impl ChunkReader + 'static, options: &ReadOptions) -> Result<Vec<RawColumn>> {
    let unsound = |error: ParquetError| Error::format(path, unsound(&error));
    let reader = SerializedFileReader::new(file).map_err(unsound)?;
    let descr = reader.metadata().file_metadata().schema_descr();
    for column in descr.columns() {
        if column.max_rep_level() > 0 || column.path().parts().len() > 1 {
            return Err(Error::format(path, format!("column \"{}\" is nested; flatten it before writing", column.path())));
        }
    }
    let names: Vec<String> = descr.columns().iter().map(|column| column.name().to_owned()).collect();
    let mut columns = header(path, &names, options)?;
    for group in 0..reader.num_row_groups() {
        let rows = reader.get_row_group(group).map_err(unsound)?;
        let expected = rows.metadata().num_rows();
        for (position, column) in columns.iter_mut().enumerate() {
            let Some(column) = column else { continue };
            let before = column.rows();
            let cells = Cells { meaning: meaning(&descr.column(position)), levels: descr.column(position).max_def_level(), options };
            cells.read(rows.get_column_reader(position).map_err(unsound)?, column).map_err(unsound)?;
            if (column.rows() - before) as i64 != expected {
                let found = column.rows() - before;
                return Err(Error::format(
                    path,
                    format!("column \"{}\" has {found} of the {expected} rows of row group {group}", column.name),
                ));
            }
        }
    }
    Ok(columns.into_iter().flatten().collect())
}

fn unsound(error: &ParquetError) -> String {
    let what = error.to_string().replace('\n', " ");
    if what.contains("codec") || what.contains("ompress") {
        return format!("uses a compression that is not built in; write it with snappy or none ({what})");
    }
    format!("is not a valid Parquet file: {what}; write it again")
}

/// What the stored values stand for.
#[derive(Debug, Clone, Copy)]
enum Meaning {
    Plain,
    Unsigned,
    Date,
    /// Points in time in units of so many per second.
    Time(i64),
    /// Whole numbers with so many decimals.
    Decimal(i32),
}

fn meaning(column: &ColumnDescriptor) -> Meaning {
    match (column.logical_type_ref(), column.converted_type()) {
        (Some(LogicalType::Date), _) | (None, ConvertedType::DATE) => Meaning::Date,
        (Some(LogicalType::Timestamp(time)), _) => Meaning::Time(match time.unit {
            TimeUnit::MILLIS => 1_000,
            TimeUnit::MICROS => 1_000_000,
            TimeUnit::NANOS => 1_000_000_000,
        }),
        (None, ConvertedType::TIMESTAMP_MILLIS) => Meaning::Time(1_000),
        (None, ConvertedType::TIMESTAMP_MICROS) => Meaning::Time(1_000_000),
        (Some(LogicalType::Decimal(decimal)), _) => Meaning::Decimal(decimal.scale),
        (None, ConvertedType::DECIMAL) => Meaning::Decimal(column.type_scale()),
        (Some(LogicalType::Integer(integer)), _) if !integer.is_signed => Meaning::Unsigned,
        (None, ConvertedType::UINT_8 | ConvertedType::UINT_16 | ConvertedType::UINT_32 | ConvertedType::UINT_64) => Meaning::Unsigned,
        _ => Meaning::Plain,
    }
}

/// Reads the cells of one column of one row group.
struct Cells<'a> {
    meaning: Meaning,
    levels: i16,
    options: &'a ReadOptions,
}

impl Cells<'_> {
    fn read(&self, reader: ColumnReader, into: &mut RawColumn) -> Result<(), ParquetError> {
        match self.meaning {
            Meaning::Date => into.datetime = Some(DATE),
            Meaning::Time(_) => into.datetime = Some(datetime::DEFAULT_FORMAT),
            _ => {}
        }
        match reader {
            ColumnReader::BoolColumnReader(reader) => {
                self.drain(reader, into, |into, &value| into.push_text(if value { "true" } else { "false" }))
            }
            ColumnReader::Int32ColumnReader(reader) => self.drain(reader, into, |into, &value| match self.meaning {
                Meaning::Unsigned => into.push_number(f64::from(value as u32)),
                _ => self.push_integer(into, i128::from(value)),
            }),
            ColumnReader::Int64ColumnReader(reader) => self.drain(reader, into, |into, &value| match self.meaning {
                Meaning::Unsigned => self.push_integer(into, i128::from(value as u64)),
                _ => self.push_integer(into, i128::from(value)),
            }),
            ColumnReader::Int96ColumnReader(reader) => {
                into.datetime = Some(datetime::DEFAULT_FORMAT);
                self.drain(reader, into, |into, value| into.push_number(datetime::seconds(value.to_millis(), 1_000)))
            }
            ColumnReader::FloatColumnReader(reader) => self.drain(reader, into, |into, &value| into.push_number(f64::from(value))),
            ColumnReader::DoubleColumnReader(reader) => self.drain(reader, into, |into, &value| into.push_number(value)),
            ColumnReader::ByteArrayColumnReader(reader) => self.drain_bytes(reader, into),
            ColumnReader::FixedLenByteArrayColumnReader(reader) => self.drain_bytes(reader, into),
        }
    }

    fn drain<T: DataType>(
        &self,
        mut reader: ColumnReaderImpl<T>,
        into: &mut RawColumn,
        push: impl Fn(&mut RawColumn, &T::T),
    ) -> Result<(), ParquetError> {
        let (mut levels, mut values): (Vec<i16>, Vec<T::T>) = (Vec::new(), Vec::new());
        loop {
            levels.clear();
            values.clear();
            let (records, ..) = reader.read_records(BATCH, (self.levels > 0).then_some(&mut levels), None, &mut values)?;
            if records == 0 {
                return Ok(());
            }
            let mut values = values.iter();
            for record in 0..records {
                let present = self.levels == 0 || levels.get(record).is_some_and(|&level| level == self.levels);
                match present.then(|| values.next()) {
                    Some(Some(value)) => push(into, value),
                    Some(None) => return Err(ParquetError::General("fewer values than rows".into())),
                    None => into.push_missing(),
                }
            }
        }
    }

    fn drain_bytes<T: DataType>(&self, reader: ColumnReaderImpl<T>, into: &mut RawColumn) -> Result<(), ParquetError>
    where
        T::T: AsRef<[u8]>,
    {
        let bad = std::cell::Cell::new(None);
        let rows_before = into.rows();
        self.drain(reader, into, |into, value| {
            let bytes = value.as_ref();
            match (self.meaning, std::str::from_utf8(bytes)) {
                (Meaning::Decimal(scale), _) => push_decimal(into, big_endian(bytes), scale),
                (_, Ok(text)) if is_missing(text, &self.options.missing) => into.push_missing(),
                (_, Ok(text)) => into.push_text(text),
                (_, Err(_)) => {
                    bad.set(bad.get().or(Some(into.rows())));
                    into.push_missing();
                }
            }
        })?;
        match bad.get() {
            Some(row) => {
                Err(ParquetError::General(format!("column \"{}\", row {} is not UTF-8 text", into.name, row.max(rows_before) + 1)))
            }
            None => Ok(()),
        }
    }

    fn push_integer(&self, into: &mut RawColumn, value: i128) {
        match self.meaning {
            Meaning::Date => into.push_number(value as f64 * SECONDS_PER_DAY),
            Meaning::Time(per_second) => into.push_number(datetime::seconds(value as i64, per_second)),
            Meaning::Decimal(scale) => push_decimal(into, value, scale),
            // A number that f64 would change stays text, as it does in a CSV file.
            _ if value.unsigned_abs() >= EXACT as u128 => into.push_text(&value.to_string()),
            _ => into.push_number(value as f64),
        }
    }
}

/// Through text, so that 0.1 is the nearest number to 0.1.
pub(super) fn push_decimal(into: &mut RawColumn, value: i128, scale: i32) {
    match format!("{value}e-{scale}").parse::<f64>() {
        Ok(number) => into.push_number(number),
        Err(_) => into.push_missing(),
    }
}

/// A signed whole number of up to 16 bytes, the most significant first; longer ones lose their upper bytes.
fn big_endian(bytes: &[u8]) -> i128 {
    let sign = if bytes.first().is_some_and(|byte| byte & 0x80 != 0) { -1 } else { 0 };
    bytes.iter().fold(sign, |value, &byte| (value << 8) | i128::from(byte))
}
