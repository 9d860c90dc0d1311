//! The Arrow types of columns: what a file held, and what is written back.

use std::sync::Arc;

use arrow_array::builder::FixedSizeBinaryBuilder;
use arrow_array::{
    Array, ArrayRef, Float64Array, Int64Array, NullArray, StringArray, Time64MicrosecondArray, TimestampMicrosecondArray, UInt64Array,
};
use arrow_cast::{CastOptions, cast_with_options};
use arrow_schema::extension::Uuid;
use arrow_schema::{DataType, Field, TimeUnit};

use super::{Column, ColumnKind, ColumnSchema, datetime, special_index};

/// The type of a column of UUIDs, which Arrow has as an extension of sixteen bytes.
const UUID: &str = "Uuid";

/// The type of a description.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum ColumnType {
    Arrow(DataType),
    Uuid,
}

/// The type of a field of a file as the text of a description.
pub(crate) fn of_field(field: &Field) -> String {
    if field.try_extension_type::<Uuid>().is_ok() { UUID.to_owned() } else { field.data_type().to_string() }
}

/// Reads the type of a description.
pub(crate) fn parse(text: &str) -> Result<ColumnType, String> {
    if text == UUID {
        return Ok(ColumnType::Uuid);
    }
    let unknown =
        || format!("the type \"{text}\" is not known; write one as Arrow does, such as Int32, Utf8 or Timestamp(ms), or leave it out");
    let parsed: DataType = text.parse().map_err(|_| unknown())?;
    if is_held(&parsed) { Ok(ColumnType::Arrow(parsed)) } else { Err(format!("tables do not hold the type {parsed}; leave it out")) }
}

/// The decimals of a decimal type.
pub(crate) fn decimals(text: &str) -> Option<u8> {
    match parse(text) {
        Ok(ColumnType::Arrow(
            DataType::Decimal32(_, scale) | DataType::Decimal64(_, scale) | DataType::Decimal128(_, scale) | DataType::Decimal256(_, scale),
        )) => u8::try_from(scale).ok(),
        _ => None,
    }
}

/// Whether tables hold values of a type: neither nested nor binary ones.
pub(crate) fn is_held(data_type: &DataType) -> bool {
    match data_type {
        DataType::Dictionary(_, values) => is_held(values),
        DataType::RunEndEncoded(_, values) => is_held(values.data_type()),
        DataType::Interval(_) => false,
        other => other.is_primitive() || other.is_string() || matches!(other, DataType::Null | DataType::Boolean),
    }
}

/// The type that is written for a column.
pub(crate) fn of_column(described: &ColumnSchema) -> ColumnType {
    let plain = || ColumnType::Arrow(default_type(described));
    match described.data_type.as_deref().map(parse) {
        // New ids lie beyond the old ones and may need more bits.
        Some(Ok(ColumnType::Arrow(narrow))) if described.kind.is_name() && narrow.is_integer() && narrow != DataType::UInt64 => {
            ColumnType::Arrow(DataType::Int64)
        }
        // Texts instead of bytes where ids are not generated as UUIDs.
        Some(Ok(known)) => known,
        Some(Err(_)) | None => plain(),
    }
}

fn default_type(described: &ColumnSchema) -> DataType {
    let format = described.format.as_deref().unwrap_or(datetime::DEFAULT_FORMAT);
    let has = |part: &str| format.contains(part);
    match described.kind {
        ColumnKind::Integer => DataType::Int64,
        ColumnKind::Continuous => DataType::Float64,
        ColumnKind::Datetime if !has("%Y") && !has("%y") && !has("%s") && !has("%F") => DataType::Time64(TimeUnit::Microsecond),
        ColumnKind::Datetime if datetime::format_step(format) == Some(86_400.0) => DataType::Date32,
        ColumnKind::Datetime => DataType::Timestamp(TimeUnit::Microsecond, described.zone.as_deref().map(Into::into)),
        _ => DataType::Utf8,
    }
}

/// The field of a column.
pub(crate) fn field(described: &ColumnSchema) -> Field {
    match of_column(described) {
        ColumnType::Arrow(data_type) => Field::new(&described.name, data_type, true),
        ColumnType::Uuid => Field::new(&described.name, DataType::FixedSizeBinary(16), true).with_extension_type(Uuid),
    }
}

/// The values of a column as an array of its type; missing values are nulls.
pub(crate) fn array(described: &ColumnSchema, column: &Column) -> Result<ArrayRef, String> {
    match of_column(described) {
        ColumnType::Uuid => uuids(described, column),
        ColumnType::Arrow(DataType::Null) => Ok(Arc::new(NullArray::new(column.len()))),
        ColumnType::Arrow(wanted) => {
            let plain = plain(described, column, &wanted);
            let found = cast(&plain, &wanted).map_err(|error| format!("column \"{}\": {error}", described.name))?;
            if found.logical_null_count() > plain.logical_null_count() {
                let row = (0..column.len()).find(|&row| found.is_null(row) && !plain.is_null(row)).unwrap_or(0);
                let value = text(described, column, row).unwrap_or_default();
                return Err(format!(
                    "column \"{}\", row {}: \"{value}\" does not fit the type {wanted}; remove type from its schema",
                    described.name,
                    row + 1
                ));
            }
            Ok(found)
        }
    }
}

fn cast(array: &ArrayRef, wanted: &DataType) -> Result<ArrayRef, arrow_schema::ArrowError> {
    if let DataType::Dictionary(_, values) = wanted {
        let values = cast_with_options(array, values, &CastOptions::default())?;
        return cast_with_options(&values, wanted, &CastOptions::default());
    }
    cast_with_options(array, wanted, &CastOptions::default())
}

/// The values as an array that can be cast to the wanted type.
fn plain(described: &ColumnSchema, column: &Column, wanted: &DataType) -> ArrayRef {
    let value_type = match wanted {
        DataType::Dictionary(_, values) => values,
        DataType::RunEndEncoded(_, values) => values.data_type(),
        other => other,
    };
    if column.numbers().is_none() {
        return Arc::new(StringArray::from_iter((0..column.len()).map(|row| column.label(row))));
    }
    let Some(numbers) = column.numbers().filter(|_| !value_type.is_string()) else {
        return Arc::new(StringArray::from_iter((0..column.len()).map(|row| text(described, column, row))));
    };
    // The times that special texts such as `9999-12-31` name.
    let literal = ColumnSchema { special: Vec::new(), ..described.clone() };
    let special: Vec<Option<f64>> = described.special.iter().map(|text| literal.parse_number(text)).collect();
    let known = |value: f64| match special_index(value) {
        Some(index) => special.get(index).copied().flatten(),
        None => Some(value).filter(|value| !value.is_nan()),
    };
    let numbers = numbers.iter().map(|&value| known(value));
    match (described.kind, value_type) {
        (ColumnKind::Datetime, DataType::Time32(_) | DataType::Time64(_)) => {
            Arc::new(Time64MicrosecondArray::from_iter(numbers.map(|value| value.map(datetime::micros))))
        }
        (ColumnKind::Datetime, _) => {
            let zone = if let DataType::Timestamp(_, zone) = value_type { zone.clone() } else { None };
            let micros = numbers.map(|value| value.map(datetime::micros));
            // 1.5 days are as many as 36 hours, whatever the unit of the type.
            Arc::new(TimestampMicrosecondArray::from_iter(micros).with_timezone_opt(zone))
        }
        (ColumnKind::Integer, _) if value_type.is_signed_integer() || matches!(value_type, DataType::Duration(_)) => {
            Arc::new(Int64Array::from_iter(numbers.map(|value| value.map(|value| value.round() as i64))))
        }
        // A rounded number may lie just beyond the type.
        (_, DataType::UInt64) => Arc::new(UInt64Array::from_iter(numbers.map(|value| value.map(|value| value.round() as u64)))),
        _ => Arc::new(Float64Array::from_iter(numbers.map(|value| value.map(|value| described.round_number(value))))),
    }
}

fn text(described: &ColumnSchema, column: &Column, row: usize) -> Option<String> {
    match column {
        Column::Number(values) if values[row].is_nan() => described.special_text(values[row]).map(str::to_owned),
        Column::Number(values) => Some(described.format_number(values[row])),
        Column::Category { .. } => column.label(row).map(str::to_owned),
    }
}

fn uuids(described: &ColumnSchema, column: &Column) -> Result<ArrayRef, String> {
    let mut builder = FixedSizeBinaryBuilder::with_capacity(column.len(), 16);
    for row in 0..column.len() {
        match column.label(row) {
            None => builder.append_null(),
            Some(text) => {
                let digits: String = text.chars().filter(|&c| c != '-').collect();
                let bytes = u128::from_str_radix(&digits, 16).ok().filter(|_| digits.len() == 32).map(u128::to_be_bytes);
                let none = || format!("column \"{}\", row {}: \"{text}\" is no UUID; remove type from its schema", described.name, row + 1);
                builder.append_value(bytes.ok_or_else(none)?).map_err(|error| error.to_string())?;
            }
        }
    }
    Ok(Arc::new(builder.finish()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_survive_their_texts() {
        for data_type in [
            DataType::Int8,
            DataType::Decimal128(12, 2),
            DataType::Timestamp(TimeUnit::Millisecond, Some("Europe/Berlin".into())),
            DataType::Time32(TimeUnit::Second),
            DataType::Dictionary(Box::new(DataType::Int8), Box::new(DataType::Utf8)),
        ] {
            assert_eq!(parse(&of_field(&Field::new("x", data_type.clone(), true))), Ok(ColumnType::Arrow(data_type)));
        }
        assert!(parse("Blob").is_err() && parse("Binary").is_err());
        assert_eq!(parse("Uuid"), Ok(ColumnType::Uuid));
    }

    #[test]
    fn a_value_that_does_not_fit_its_type_is_named() {
        let described = ColumnSchema { data_type: Some("Int8".into()), ..ColumnSchema::new("n", ColumnKind::Integer) };
        let said = array(&described, &Column::Number(vec![1.0, 300.0])).expect_err("too large");
        assert!(said.contains("row 2") && said.contains("300") && said.contains("Int8"), "{said}");
    }
}
