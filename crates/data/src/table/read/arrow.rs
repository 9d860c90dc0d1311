//! Arrow record batches, in and out.

use std::path::Path;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Date32Type, Float64Type, Int64Type, TimestampMicrosecondType, UInt64Type};
use arrow_array::{Array, ArrayRef, Date32Array, Float64Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow_cast::cast;
use arrow_schema::{ArrowError, DataType, Field, Schema as ArrowSchema, TimeUnit};

use super::columnar::push_decimal;
use super::delimited::is_missing;
use super::{Inferred, ReadOptions, assembled, header};
use crate::table::raw::{EXACT, RawColumn};
use crate::table::{Column, ColumnKind, ColumnSchema, Table, datetime};
use crate::{Error, Result};

const SECONDS_PER_DAY: f64 = 86_400.0;
const MICROS: i64 = 1_000_000;

impl Table {
    /// Reads a table from record batches of one schema: booleans, whole numbers, floats, decimals, dates, timestamps, texts, and dictionaries of
    /// these.
    ///
    /// # Errors
    /// A column of another type (nested, binary, durations), named with the remedy, and as [`Table::read`].
    pub fn from_record_batches(batches: &[RecordBatch], options: &ReadOptions) -> Result<Inferred> {
        let place = Path::new("record batches");
        let Some(first) = batches.first() else { return Err(Error::Table("there are no record batches; give at least one".into())) };
        let names: Vec<String> = first.schema().fields().iter().map(|field| field.name().clone()).collect();
        let mut columns = header(place, &names, options)?;
        for batch in batches {
            if batch.schema().fields() != first.schema().fields() {
                return Err(Error::Table("the record batches have different schemas; give batches of one schema".into()));
            }
            for (column, array) in columns.iter_mut().zip(batch.columns()) {
                let Some(column) = column else { continue };
                push(column, array, options)?;
            }
        }
        assembled(place, columns.into_iter().flatten().collect(), options)
    }

    /// The table as one record batch: whole numbers as `Int64`, real numbers as `Float64`, dates as `Date32`, other datetimes as UTC timestamps in
    /// microseconds, labels as `Utf8`. Missing values are nulls.
    ///
    /// # Errors
    /// A table without columns.
    pub fn to_record_batch(&self) -> Result<RecordBatch> {
        let arrays: Vec<ArrayRef> = self.iter().map(|(described, column)| array(described, column)).collect();
        let field = |(described, array): (&ColumnSchema, &ArrayRef)| Field::new(&described.name, array.data_type().clone(), true);
        let fields: Vec<Field> = self.schema().columns.iter().zip(&arrays).map(field).collect();
        let unfit = |error: ArrowError| Error::Table(format!("the table has no form as a record batch: {error}"));
        RecordBatch::try_new(Arc::new(ArrowSchema::new(fields)), arrays).map_err(unfit)
    }
}

/// Adds the values of an array to a column.
fn push(into: &mut RawColumn, array: &ArrayRef, options: &ReadOptions) -> Result<()> {
    let name = into.name.clone();
    let to = |wanted: &DataType| cast(array, wanted).map_err(|error| Error::Table(format!("column \"{name}\": {error}")));
    match array.data_type() {
        DataType::Dictionary(_, values) => return push(into, &to(values)?, options),
        DataType::Null => (0..array.len()).for_each(|_| into.push_missing()),
        DataType::Boolean => each(into, array, |into, row| into.push_text(if array.as_boolean().value(row) { "true" } else { "false" })),
        DataType::UInt64 => {
            let values = array.as_primitive::<UInt64Type>();
            each(into, array, |into, row| push_integer(into, i128::from(values.value(row))));
        }
        kind if kind.is_integer() => {
            let values = to(&DataType::Int64)?;
            let values = values.as_primitive::<Int64Type>();
            each(into, array, |into, row| push_integer(into, i128::from(values.value(row))));
        }
        kind if kind.is_floating() => {
            let values = to(&DataType::Float64)?;
            let values = values.as_primitive::<Float64Type>();
            each(into, array, |into, row| into.push_number(values.value(row)));
        }
        DataType::Decimal32(_, scale) | DataType::Decimal64(_, scale) | DataType::Decimal128(_, scale) => {
            let values = to(&DataType::Decimal128(38, *scale))?;
            let values = values.as_primitive::<arrow_array::types::Decimal128Type>();
            each(into, array, |into, row| push_decimal(into, values.value(row), i32::from(*scale)));
        }
        DataType::Date32 | DataType::Date64 => {
            into.datetime = Some("%Y-%m-%d");
            let values = to(&DataType::Date32)?;
            let values = values.as_primitive::<Date32Type>();
            each(into, array, |into, row| into.push_number(f64::from(values.value(row)) * SECONDS_PER_DAY));
        }
        DataType::Timestamp(..) => {
            into.datetime = Some(datetime::DEFAULT_FORMAT);
            let values = to(&DataType::Timestamp(TimeUnit::Microsecond, None))?;
            let values = values.as_primitive::<TimestampMicrosecondType>();
            each(into, array, |into, row| into.push_number(datetime::seconds(values.value(row), MICROS)));
        }
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => {
            let values = to(&DataType::Utf8)?;
            let values = values.as_string::<i32>();
            each(into, array, |into, row| match values.value(row) {
                text if is_missing(text, &options.missing) => into.push_missing(),
                text => into.push_text(text),
            });
        }
        other => {
            let what = format!(
                "column \"{}\" is {other}, which tables do not hold; convert it, or leave it out (drop = [\"{}\"])",
                into.name, into.name
            );
            return Err(Error::Table(what));
        }
    }
    Ok(())
}

fn each(into: &mut RawColumn, array: &ArrayRef, value: impl Fn(&mut RawColumn, usize)) {
    for row in 0..array.len() {
        if array.is_null(row) { into.push_missing() } else { value(into, row) }
    }
}

/// A number that f64 would change stays text, as it does in a CSV file.
fn push_integer(into: &mut RawColumn, value: i128) {
    if value.unsigned_abs() >= EXACT as u128 { into.push_text(&value.to_string()) } else { into.push_number(value as f64) }
}

fn array(described: &ColumnSchema, column: &Column) -> ArrayRef {
    let numbers = || column.numbers().unwrap_or_default().iter().map(|value| Some(*value).filter(|value| !value.is_nan()));
    match described.kind {
        ColumnKind::Integer => Arc::new(Int64Array::from_iter(numbers().map(|value| value.map(|value| value.round() as i64)))),
        ColumnKind::Continuous => {
            Arc::new(Float64Array::from_iter(numbers().map(|value| value.map(|value| described.round_number(value)))))
        }
        ColumnKind::Datetime if described.step() == Some(SECONDS_PER_DAY) => {
            Arc::new(Date32Array::from_iter(numbers().map(|value| value.map(|value| (value / SECONDS_PER_DAY).floor() as i32))))
        }
        ColumnKind::Datetime => {
            let micros = numbers().map(|value| value.map(datetime::micros));
            Arc::new(TimestampMicrosecondArray::from_iter(micros).with_timezone("+00:00"))
        }
        _ => Arc::new(StringArray::from_iter((0..column.len()).map(|row| column.label(row)))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::simulate_patients;
    use arrow_array::builder::StringDictionaryBuilder;
    use arrow_array::types::Int8Type;
    use arrow_array::{BooleanArray, Decimal128Array, Int16Array, ListArray, UInt64Array};

    fn batch(arrays: Vec<(&str, ArrayRef)>) -> RecordBatch {
        RecordBatch::try_from_iter(arrays).expect("equal lengths")
    }

    #[test]
    fn a_table_comes_back_from_its_record_batch() {
        let table = simulate_patients(200, 0);
        let batch = table.to_record_batch().expect("has a form");
        assert_eq!(batch.num_rows(), 200);
        let back =
            Table::from_record_batches(&[batch.slice(0, 80), batch.slice(80, 120)], &ReadOptions::with_schema(table.schema().clone()));
        let back = back.expect("readable").table;
        for column in 0..table.columns().len() {
            assert!((0..200).all(|row| back.cell(row, column) == table.cell(row, column)), "{}", table.schema().columns[column].name);
        }
    }

    #[test]
    fn types_of_arrow_become_kinds_of_columns() {
        let mut words = StringDictionaryBuilder::<Int8Type>::new();
        ["a", "b", "a"].into_iter().for_each(|word| drop(words.append(word)));
        let read = Table::from_record_batches(
            &[batch(vec![
                ("small", Arc::new(Int16Array::from(vec![Some(3), None, Some(-4)]))),
                ("large", Arc::new(UInt64Array::from(vec![u64::MAX, 1, 2]))),
                ("flag", Arc::new(BooleanArray::from(vec![true, false, true]))),
                ("price", Arc::new(Decimal128Array::from(vec![1050, 99, 0]).with_precision_and_scale(10, 2).expect("fits"))),
                ("word", Arc::new(words.finish())),
                ("day", Arc::new(Date32Array::from(vec![0, 1, 2]))),
            ])],
            &ReadOptions::default(),
        );
        let table = read.expect("readable").table;
        let cells = |row: usize| (0..6).map(|column| table.cell(row, column)).collect::<Vec<_>>();
        assert_eq!(cells(0), ["3", "18446744073709551615", "true", "10.50", "a", "1970-01-01"]);
        assert_eq!(cells(1), ["", "1", "false", "0.99", "b", "1970-01-02"]);
    }

    #[test]
    fn what_tables_do_not_hold_is_named_and_can_be_dropped() {
        let nested = ListArray::from_iter_primitive::<arrow_array::types::Int32Type, _, _>(vec![Some(vec![Some(1)]), None]);
        let batches = [batch(vec![("x", Arc::new(Int16Array::from(vec![1, 2]))), ("list", Arc::new(nested))])];
        let said = Table::from_record_batches(&batches, &ReadOptions::default()).expect_err("nested").to_string();
        assert!(said.contains("\"list\"") && said.contains("drop"), "{said}");
        let options = ReadOptions { drop: vec!["list".into()], ..ReadOptions::default() };
        assert_eq!(Table::from_record_batches(&batches, &options).expect("without it").table.columns().len(), 1);
        assert!(Table::from_record_batches(&[], &ReadOptions::default()).is_err());
    }
}
