//! Parquet: whole numbers as INT64, real ones as DOUBLE, datetimes as UTC timestamps or dates, labels as text.

use std::io;
use std::sync::Arc;

use parquet::basic::{Compression, LogicalType, Repetition, TimeUnit, Type as Physical};
use parquet::data_type::{ByteArray, ByteArrayType, DoubleType, Int32Type, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedColumnWriter, SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::types::Type;

use super::Target;
use crate::table::{Column, ColumnKind, ColumnSchema, Schema, Table, datetime};

/// Rows gathered before they become a row group, so that small pieces do not make a file of nothing but headers.
const GROUP_ROWS: usize = 1 << 16;

#[derive(Debug)]
pub(super) struct Writer {
    pending: Option<Table>,
    file: Open,
}

struct Open(SerializedFileWriter<Target>);

impl std::fmt::Debug for Open {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a Parquet file")
    }
}

impl Writer {
    pub(super) fn new(file: Target, schema: &Schema) -> io::Result<Self> {
        let fields = schema.columns.iter().map(|column| field(column).map(Arc::new)).collect::<Result<Vec<_>, _>>().map_err(io_error)?;
        let root = Type::group_type_builder("schema").with_fields(fields).build().map_err(io_error)?;
        let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
        let file = SerializedFileWriter::new(file, Arc::new(root), Arc::new(properties)).map_err(io_error)?;
        Ok(Self { pending: None, file: Open(file) })
    }

    pub(super) fn write(&mut self, table: &Table, schema: &Schema) -> io::Result<()> {
        match &mut self.pending {
            Some(pending) => pending.append(table).map_err(io::Error::other)?,
            None => self.pending = Some(table.clone()),
        }
        if self.pending.as_ref().is_some_and(|pending| pending.rows() >= GROUP_ROWS) {
            self.flush(schema)?;
        }
        Ok(())
    }

    pub(super) fn finish(mut self, schema: &Schema) -> io::Result<Target> {
        self.flush(schema)?;
        self.file.0.into_inner().map_err(io_error)
    }

    fn flush(&mut self, schema: &Schema) -> io::Result<()> {
        let Some(table) = self.pending.take().filter(|table| table.rows() > 0) else { return Ok(()) };
        let mut group = self.file.0.next_row_group().map_err(io_error)?;
        for (described, column) in schema.columns.iter().zip(table.columns()) {
            write_column(&mut group, described, column).map_err(io_error)?;
        }
        group.close().map(drop).map_err(io_error)
    }
}

/// Whether a datetime column holds whole days.
fn is_date(column: &ColumnSchema) -> bool {
    let time = ["%H", "%I", "%k", "%l", "%M", "%S", "%T", "%R", "%s", "%f", "%.", "%c", "%N"];
    column.format.as_ref().is_some_and(|format| !time.iter().any(|part| format.contains(part)))
}

fn field(column: &ColumnSchema) -> Result<Type, ParquetError> {
    let (physical, logical) = match column.kind {
        ColumnKind::Integer => (Physical::INT64, None),
        ColumnKind::Continuous => (Physical::DOUBLE, None),
        ColumnKind::Datetime if is_date(column) => (Physical::INT32, Some(LogicalType::Date)),
        ColumnKind::Datetime => (Physical::INT64, Some(LogicalType::timestamp(true, TimeUnit::MICROS))),
        _ => (Physical::BYTE_ARRAY, Some(LogicalType::String)),
    };
    Type::primitive_type_builder(&column.name, physical).with_logical_type(logical).with_repetition(Repetition::OPTIONAL).build()
}

fn write_column(group: &mut SerializedRowGroupWriter<'_, Target>, described: &ColumnSchema, column: &Column) -> Result<(), ParquetError> {
    let mut writer = group.next_column()?.ok_or_else(|| ParquetError::General("fewer columns than declared".into()))?;
    let levels: Vec<i16> = (0..column.len()).map(|row| i16::from(!column.is_missing(row))).collect();
    let present = || column.numbers().unwrap_or_default().iter().copied().filter(|value| !value.is_nan());
    match described.kind {
        ColumnKind::Integer => put::<Int64Type>(&mut writer, present().map(|value| value.round() as i64).collect(), &levels)?,
        ColumnKind::Continuous => put::<DoubleType>(&mut writer, present().map(|value| rounded(described, value)).collect(), &levels)?,
        ColumnKind::Datetime if is_date(described) => {
            put::<Int32Type>(&mut writer, present().map(|value| (value / 86_400.0).floor() as i32).collect(), &levels)?;
        }
        ColumnKind::Datetime => put::<Int64Type>(&mut writer, present().map(datetime::micros).collect(), &levels)?,
        _ => {
            let labels = (0..column.len()).filter_map(|row| column.label(row)).map(ByteArray::from).collect();
            put::<ByteArrayType>(&mut writer, labels, &levels)?;
        }
    }
    writer.close()
}

/// The number that a CSV file of the same column would hold.
fn rounded(described: &ColumnSchema, value: f64) -> f64 {
    match described.decimals {
        Some(_) => described.format_number(value).parse().unwrap_or(value),
        None => value,
    }
}

fn put<T: parquet::data_type::DataType>(
    writer: &mut SerializedColumnWriter<'_>,
    values: Vec<T::T>,
    levels: &[i16],
) -> Result<(), ParquetError> {
    writer.typed::<T>().write_batch(&values, Some(levels), None).map(drop)
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
