//! Arrow record batches, in and out.

use std::path::Path;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Date64Type, Decimal128Type, Float64Type, Int64Type, Time64MicrosecondType, TimestampMicrosecondType, UInt64Type,
};
use arrow_array::{Array, ArrayRef, RecordBatch, RecordBatchOptions};
use arrow_cast::cast;
use arrow_schema::{ArrowError, DataType, Field, Fields, Schema as ArrowSchema, TimeUnit};
use rayon::prelude::*;

use super::{Inferred, Raw, ReadOptions, assembled, header};
use crate::table::raw::RawColumn;
use crate::table::{Table, data_type, datetime};
use crate::{Error, Result};

const SECONDS_PER_DAY: f64 = 86_400.0;
const MICROS: i64 = 1_000_000;
const MILLIS_PER_DAY: i64 = 86_400_000;

impl Table {
    /// Reads a table from record batches of one schema. Columns of nested or binary types are left out, with a note.
    ///
    /// # Errors
    /// As [`Table::read`].
    pub fn from_record_batches(batches: &[RecordBatch], options: &ReadOptions) -> Result<Inferred> {
        let place = Path::new("record batches");
        let Some(first) = batches.first() else { return Err(Error::Table("there are no record batches; give at least one".into())) };
        let schema = first.schema();
        let (mut columns, mut notes) = columns(place, schema.fields(), options)?;
        for batch in batches {
            if batch.schema().fields() != schema.fields() {
                return Err(Error::Table("the record batches have different schemas; give batches of one schema".into()));
            }
            for (column, array) in columns.iter_mut().zip(batch.columns()) {
                column.as_mut().map_or(Ok(()), |column| push(column, array, options))?;
            }
        }
        notes.extend(notes_on_beyond(&columns));
        let (columns, rows) = (columns.into_iter().flatten().collect(), batches.iter().map(RecordBatch::num_rows).sum());
        assembled(place, Raw { columns, notes, rows, delimiter: None }, options)
    }

    /// The table as one record batch: every column in the type that its schema names, or whole numbers as `Int64`, real numbers as `Float64`, dates
    /// as `Date32`, other datetimes as timestamps in microseconds, labels as `Utf8`. Missing values are nulls.
    ///
    /// # Errors
    /// A table without columns, and a value that does not fit the type of its column.
    pub fn to_record_batch(&self) -> Result<RecordBatch> {
        record_batch(self, &arrow_schema(self.schema()))
    }
}

/// The schema of a table's record batches.
pub(crate) fn arrow_schema(schema: &crate::table::Schema) -> Arc<ArrowSchema> {
    Arc::new(ArrowSchema::new(schema.columns.iter().map(data_type::field).collect::<Vec<Field>>()))
}

/// The table as a record batch of this schema, which is that of the same columns.
pub(crate) fn record_batch(table: &Table, schema: &Arc<ArrowSchema>) -> Result<RecordBatch> {
    let columns = table.schema().columns.par_iter().zip(table.columns().par_iter());
    let arrays = columns.map(|(described, column)| data_type::array(described, column)).collect::<Result<Vec<ArrayRef>, _>>();
    let options = RecordBatchOptions::new().with_row_count(Some(table.rows()));
    let unfit = |error: ArrowError| Error::Table(format!("the table has no form as a record batch: {error}"));
    RecordBatch::try_new_with_options(schema.clone(), arrays.map_err(Error::Table)?, &options).map_err(unfit)
}

/// The columns of a file to read, `None` for one to leave out, and notes on those that tables do not hold.
pub(super) fn columns(place: &Path, fields: &Fields, options: &ReadOptions) -> Result<(Vec<Option<RawColumn>>, Vec<String>)> {
    let names: Vec<String> = fields.iter().map(|field| field.name().clone()).collect();
    let (mut columns, mut notes) = header(place, &names, options)?;
    for (column, field) in columns.iter_mut().zip(fields) {
        let Some(raw) = column else { continue };
        let described = data_type::of_field(field);
        if described != "Uuid" && !data_type::is_held(field.data_type()) {
            let what = match field.data_type() {
                DataType::Binary | DataType::LargeBinary | DataType::BinaryView | DataType::FixedSizeBinary(_) => "binary",
                DataType::Interval(_) => "an interval",
                _ => "nested",
            };
            if options.target.as_ref() == Some(field.name()) {
                return Err(Error::format(place, format!("the target column \"{}\" is {what}; choose another", field.name())));
            }
            notes.push(format!("column \"{}\" is {what} ({}) and is left out", field.name(), field.data_type()));
            *column = None;
        } else {
            raw.data_type = Some(described);
            raw.nulls = true;
        }
    }
    Ok((columns, notes))
}

/// Adds the values of an array to a column.
pub(super) fn push(into: &mut RawColumn, array: &ArrayRef, options: &ReadOptions) -> Result<()> {
    let name = into.name.clone();
    let to = |wanted: &DataType| cast(array, wanted).map_err(|error| Error::Table(format!("column \"{name}\": {error}")));
    match array.data_type() {
        DataType::Dictionary(_, values) => return push(into, &to(values)?, options),
        DataType::RunEndEncoded(_, values) => return push(into, &to(values.data_type())?, options),
        DataType::Null => (0..array.len()).for_each(|_| into.push_missing()),
        DataType::Boolean => each(into, array, |into, row| into.push_text(if array.as_boolean().value(row) { "true" } else { "false" })),
        DataType::UInt64 => {
            let values = array.as_primitive::<UInt64Type>();
            each(into, array, |into, row| into.push_integer(i128::from(values.value(row))));
        }
        kind if kind.is_integer() || matches!(kind, DataType::Duration(_)) => {
            let values = to(&DataType::Int64)?;
            let values = values.as_primitive::<Int64Type>();
            each(into, array, |into, row| into.push_integer(i128::from(values.value(row))));
        }
        DataType::Float16 | DataType::Float32 => {
            // The shortest text of the narrow number, not of its neighbour among the wide ones.
            let values = to(&DataType::Float32)?;
            let values = values.as_primitive::<arrow_array::types::Float32Type>();
            each(into, array, |into, row| into.push_number(shortest(values.value(row))));
        }
        DataType::Float64 => {
            let values = array.as_primitive::<Float64Type>();
            each(into, array, |into, row| into.push_number(values.value(row)));
        }
        kind if kind.is_decimal() => {
            let scale = decimal_scale(kind);
            let values = to(&DataType::Decimal128(38, scale))?;
            let values = values.as_primitive::<Decimal128Type>();
            held(into, array, values, |into, row| push_decimal(into, values.value(row), i32::from(scale)));
        }
        DataType::Date32 => {
            into.datetime = Some("%Y-%m-%d".into());
            let values = array.as_primitive::<Date32Type>();
            each(into, array, |into, row| push_time(into, f64::from(values.value(row)) * SECONDS_PER_DAY));
        }
        // Milliseconds; a cast to days would wrap around.
        DataType::Date64 => {
            into.datetime = Some("%Y-%m-%d".into());
            let values = array.as_primitive::<Date64Type>();
            each(into, array, |into, row| push_time(into, values.value(row).div_euclid(MILLIS_PER_DAY) as f64 * SECONDS_PER_DAY));
        }
        DataType::Time32(_) | DataType::Time64(_) => {
            into.datetime = Some("%H:%M:%S%.f".into());
            let values = to(&DataType::Time64(TimeUnit::Microsecond))?;
            let values = values.as_primitive::<Time64MicrosecondType>();
            each(into, array, |into, row| into.push_number(datetime::seconds(values.value(row), MICROS)));
        }
        DataType::Timestamp(_, zone) => {
            into.zone = zone.as_deref().map(str::to_owned);
            into.datetime = Some(format!("{}{}", datetime::DEFAULT_FORMAT, if zone.is_some() { "%:z" } else { "" }));
            let values = to(&DataType::Timestamp(TimeUnit::Microsecond, zone.clone()))?;
            let values = values.as_primitive::<TimestampMicrosecondType>();
            held(into, array, values, |into, row| push_time(into, datetime::seconds(values.value(row), MICROS)));
        }
        DataType::FixedSizeBinary(16) => {
            let values = array.as_fixed_size_binary();
            each(into, array, |into, row| into.push_text(&uuid_text(values.value(row))));
        }
        _ => {
            let values = to(&DataType::Utf8)?;
            let values = values.as_string::<i32>();
            let missing = options.missing_texts(&into.name);
            each(into, array, |into, row| match values.value(row) {
                text if missing.contains(&text) => into.push_missing(),
                text => into.push_cell(text),
            });
        }
    }
    Ok(())
}

fn decimal_scale(kind: &DataType) -> i8 {
    match kind {
        DataType::Decimal32(_, scale) | DataType::Decimal64(_, scale) | DataType::Decimal128(_, scale) | DataType::Decimal256(_, scale) => {
            *scale
        }
        _ => 0,
    }
}

fn shortest(value: f32) -> f64 {
    value.to_string().parse().unwrap_or(f64::from(value))
}

fn uuid_text(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(36);
    for (place, byte) in bytes.iter().enumerate() {
        if matches!(place, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        text.push_str(&format!("{byte:02x}"));
    }
    text
}

/// As [`each`], where a cast left out what its type does not hold.
fn held(into: &mut RawColumn, array: &ArrayRef, cast: &dyn Array, value: impl Fn(&mut RawColumn, usize)) {
    each(into, array, |into, row| if cast.is_null(row) { into.push_beyond() } else { value(into, row) });
}

/// Seconds of a civil time, which ends with the year 9999.
fn push_time(into: &mut RawColumn, seconds: f64) {
    if datetime::is_held(seconds) { into.push_number(seconds) } else { into.push_beyond() }
}

/// Notes on values that no column can hold.
pub(super) fn notes_on_beyond(columns: &[Option<RawColumn>]) -> Vec<String> {
    let beyond = columns.iter().flatten().filter(|column| column.beyond > 0);
    beyond
        .map(|RawColumn { name, beyond, datetime, .. }| {
            let what = if datetime.is_some() { "beyond the years -9999 to 9999" } else { "of more than 38 digits" };
            format!("column \"{name}\": {beyond} values are {what} and are taken for missing")
        })
        .collect()
}

fn each(into: &mut RawColumn, array: &ArrayRef, value: impl Fn(&mut RawColumn, usize)) {
    for row in 0..array.len() {
        if array.is_null(row) { into.push_missing() } else { value(into, row) }
    }
}

/// Through text, so that 0.1 is the nearest number to 0.1.
fn push_decimal(into: &mut RawColumn, value: i128, scale: i32) {
    match format!("{value}e-{scale}").parse::<f64>() {
        Ok(number) => into.push_number(number),
        Err(_) => into.push_missing(),
    }
}
#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::simulate_patients;
    use arrow_array::builder::StringDictionaryBuilder;
    use arrow_array::types::Int8Type;
    use arrow_array::{BooleanArray, Date32Array, Decimal128Array, Int16Array, ListArray, UInt64Array};

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
                ("large_id", Arc::new(UInt64Array::from(vec![u64::MAX, 1, 2]))),
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
    fn what_tables_do_not_hold_is_left_out_by_name() {
        let nested = ListArray::from_iter_primitive::<arrow_array::types::Int32Type, _, _>(vec![Some(vec![Some(1)]), None]);
        let batches = [batch(vec![("x", Arc::new(Int16Array::from(vec![1, 2]))), ("list", Arc::new(nested))])];
        let read = Table::from_record_batches(&batches, &ReadOptions::default()).expect("without the list");
        assert_eq!(read.table.columns().len(), 1);
        assert!(read.notes[0].contains("\"list\"") && read.notes[0].contains("nested"), "{:?}", read.notes);
        let said = Table::from_record_batches(&batches, &ReadOptions::with_target("list")).expect_err("nested").to_string();
        assert!(said.contains("\"list\""), "{said}");
        let options = ReadOptions { drop: vec!["list".into()], ..ReadOptions::default() };
        assert_eq!(Table::from_record_batches(&batches, &options).expect("without it").table.columns().len(), 1);
        assert!(Table::from_record_batches(&[], &ReadOptions::default()).is_err());
    }
}
