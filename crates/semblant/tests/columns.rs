//! Every kind of column, read, learned by the copula, sampled and written: the same type, format, width and step come back.
#![cfg(feature = "tables")]
#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::HashSet;
use std::sync::Arc;

use arrow_array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray};
use arrow_cast::cast;
use arrow_schema::{DataType, TimeUnit};
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;
use semblant::copula::GaussianCopula;
use semblant::data::table::{ColumnKind, TableFormat};
use semblant::prelude::*;

const ROWS: usize = 120;

fn sampled(table: &Table, rows: u64) -> Table {
    let mut model = GaussianCopula::default();
    model.fit(table, &mut Run::new(semblant::device::select("cpu").unwrap(), 1)).unwrap();
    model.sample(&TableRequest::new(rows, 3)).unwrap().data
}

/// The texts of the one column of interest in a sample of a CSV file, and the kind it was read as.
fn resampled(cells: &[String], delimiter: char) -> (ColumnKind, Vec<String>) {
    let quoted =
        |cell: &String| if cell.contains(['"', ',', ';', '\n']) { format!("\"{}\"", cell.replace('"', "\"\"")) } else { cell.clone() };
    let lines: Vec<String> = cells.iter().enumerate().map(|(row, cell)| format!("{}{delimiter}{}", quoted(cell), row % 7)).collect();
    let text = format!("v{delimiter}w\n{}\n", lines.join("\n"));
    let table = Table::from_bytes(text.into_bytes(), TableFormat::Csv, &ReadOptions::default()).unwrap().table;
    let made = sampled(&table, ROWS as u64);
    let bytes = made.to_bytes(TableFormat::Csv).unwrap();
    let mut reader = csv::Reader::from_reader(bytes.as_slice());
    (table.schema().columns[0].kind, reader.records().map(|record| record.unwrap()[0].to_owned()).collect())
}

/// A way of writing a column, by the numbers of its rows.
struct Form {
    name: &'static str,
    kind: ColumnKind,
    delimiter: char,
    cell: fn(u64) -> String,
    /// What every cell of the sample must match.
    shape: &'static str,
}

fn thousands(number: u64, separator: &str) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push_str(separator);
        }
        text.push(digit);
    }
    text
}

fn date(number: u64) -> (u64, u64, u64) {
    (2015 + number % 9, number / 9 % 12 + 1, number / 108 % 28 + 1)
}

const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

macro_rules! forms {
    ($($name:literal $kind:ident $delimiter:literal $cell:expr, $shape:literal;)+) => {
        &[$(Form { name: $name, kind: ColumnKind::$kind, delimiter: $delimiter, cell: $cell, shape: $shape }),+]
    };
}

const FORMS: &[Form] = forms! {
    "whole numbers" Integer ',' |n| (n % 997).to_string(), r"\d{1,3}";
    "negative numbers" Integer ',' |n| (n as i64 % 997 - 500).to_string(), r"-?\d{1,3}";
    "steps of five hundred" Integer ',' |n| (n % 97 * 500 + 250).to_string(), r"\d*[27]?50";
    "floats that are whole" Integer ',' |n| format!("{}.0", n % 997), r"\d{1,3}\.0";
    "large whole numbers" Integer ',' |n| format!("{}", 10_000_000_000_000_000_000 + n % 997 * 7_919_000_000_000_003), r"\d{18,21}";
    "two decimals" Continuous ',' |n| format!("{}.{:02}", n % 90, n % 97), r"\d{1,2}\.\d\d";
    "shortest decimals" Continuous ',' |n| format!("{}", (n % 977) as f64 / 8.0), r"\d{1,3}(\.\d{1,3})?";
    "quarters" Continuous ',' |n| format!("{}.{:02}", n % 90, n % 4 * 25), r"\d{1,2}\.(00|25|50|75)";
    "decimal comma" Continuous ';' |n| format!("{},{:02}", n % 900, n % 97), r"\d{1,3},\d\d";
    "thousands and comma" Continuous ';' |n| format!("{},{:02}", thousands(n * 37 % 99_991, "."), n % 97), r"\d{1,2}(\.\d{3})?,\d\d|\d{1,3},\d\d";
    "thousands" Integer ',' |n| thousands(n * 37 % 99_991, ","), r"\d{1,3}(,\d{3})*";
    "apostrophes" Continuous ',' |n| format!("{}.{:02}", thousands(n * 37 % 99_991, "'"), n % 97), r"\d{1,3}('\d{3})*\.\d\d";
    "dollars" Continuous ',' |n| format!("${}.{:02}", n % 90, n % 97), r"\$\d{1,2}\.\d\d";
    "euros" Continuous ';' |n| format!("{},{:02} €", thousands(n * 37 % 9_991, "."), n % 97), r"\d{1,3}(\.\d{3})*,\d\d €";
    "per cent" Continuous ',' |n| format!("{}.{}%", n % 90, n % 10), r"\d{1,2}\.\d%";
    "in parentheses" Integer ',' |n| if n % 3 == 0 { format!("({})", n % 977 + 1) } else { (n % 977 + 1).to_string() }, r"\(\d{1,3}\)|\d{1,3}";
    "days" Datetime ',' |n| { let (y, m, d) = date(n); format!("{y}-{m:02}-{d:02}") }, r"20\d\d-\d\d-\d\d";
    "midnights" Datetime ',' |n| { let (y, m, d) = date(n); format!("{y}-{m:02}-{d:02} 00:00:00.000") }, r"20\d\d-\d\d-\d\d 00:00:00\.000";
    "hours" Datetime ',' |n| { let (y, m, d) = date(n); format!("{y}-{m:02}-{d:02} {:02}:00:00", n % 24) }, r"20\d\d-\d\d-\d\d \d\d:00:00";
    "quarters of an hour" Datetime ',' |n| { let (y, m, d) = date(n); format!("{y}-{m:02}-{d:02}T{:02}:{:02}", n % 24, n % 4 * 15) }, r"20\d\d-\d\d-\d\dT\d\d:(00|15|30|45)";
    "milliseconds" Datetime ',' |n| { let (y, m, d) = date(n); format!("{y}-{m:02}-{d:02} 01:02:{:02}.{:03}", n % 60, n * 7 % 1000) }, r"20\d\d-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}";
    "Zulu" Datetime ',' |n| { let (y, m, d) = date(n); format!("{y}-{m:02}-{d:02}T03:{:02}:00Z", n % 60) }, r"20\d\d-\d\d-\d\dT\d\d:\d\d:00Z";
    "UTC" Datetime ',' |n| { let (y, m, d) = date(n); format!("{y}-{m:02}-{d:02} 03:{:02}:00 UTC", n % 60) }, r"20\d\d-\d\d-\d\d \d\d:\d\d:00 UTC";
    "an offset" Datetime ',' |n| { let (y, m, d) = date(n); format!("{y}-{m:02}-{d:02}T03:{:02}:00+05:30", n % 60) }, r"20\d\d-\d\d-\d\dT\d\d:\d\d:00\+05:30";
    "a short offset" Datetime ',' |n| { let (y, m, d) = date(n); format!("{y}-{m:02}-{d:02} 03:{:02}:00+0000", n % 60) }, r"20\d\d-\d\d-\d\d \d\d:\d\d:00\+0000";
    "American" Datetime ',' |n| { let (y, m, d) = date(n); format!("{m}/{d}/{y}") }, r"[1-9]\d?/[1-9]\d?/20\d\d";
    "American, short" Datetime ',' |n| { let (y, m, d) = date(n); format!("{m}/{d}/{:02}", y % 100) }, r"[1-9]\d?/[1-9]\d?/\d\d";
    "half days" Datetime ',' |n| { let (y, m, d) = date(n); format!("{m:02}/{d:02}/{y} {:02}:{:02} {}", n % 12 + 1, n % 60, ["AM", "PM"][n as usize % 2]) }, r"\d\d/\d\d/20\d\d \d\d:\d\d [AP]M";
    "German" Datetime ';' |n| { let (y, m, d) = date(n); format!("{d:02}.{m:02}.{y}") }, r"\d\d\.\d\d\.20\d\d";
    "German, short" Datetime ';' |n| { let (y, m, d) = date(n); format!("{d:02}.{m:02}.{:02}", y % 100) }, r"\d\d\.\d\d\.\d\d";
    "Oracle" Datetime ',' |n| { let (y, m, d) = date(n); format!("{d:02}-{}-{:02}", MONTHS[m as usize - 1].to_uppercase(), y % 100) }, r"\d\d-[A-Z]{3}-\d\d";
    "words" Datetime ';' |n| { let (y, m, d) = date(n); format!("{} {d}, {y}", MONTHS[m as usize - 1]) }, r"[A-Z][a-z]{2} [1-9]\d?, 20\d\d";
    "no separators" Datetime ',' |n| { let (y, m, d) = date(n); format!("{y}{m:02}{d:02}") }, r"20\d\d(0[1-9]|1[0-2])([0-2]\d|3[01])";
    "basic ISO" Datetime ',' |n| { let (y, m, d) = date(n); format!("{y}{m:02}{d:02}T000000") }, r"20\d{6}T000000";
    "months" Datetime ',' |n| { let (y, m, _) = date(n); format!("{y}-{m:02}") }, r"20\d\d-\d\d";
    "times" Datetime ',' |n| format!("{:02}:{:02}", n % 24, n * 7 % 60), r"[0-2]\d:[0-5]\d";
    "open ends" Datetime ',' |n| { let (y, m, d) = date(n); if n % 4 == 0 { "9999-12-31".into() } else { format!("{y}-{m:02}-{d:02}") } }, r"20\d\d-\d\d-\d\d|9999-12-31";
    "words of truth" Boolean ',' |n| ["True", "False"][n as usize % 2].into(), r"True|False";
    "yes and no" Boolean ',' |n| ["yes", "no"][n as usize % 2].into(), r"yes|no";
    "digits of truth" Boolean ',' |n| (n % 2).to_string(), r"[01]";
    "labels" Categorical ',' |n| ["red", "green", "NA", "light blue"][n as usize % 4].into(), r"red|green|NA|light blue";
    "codes" Categorical ',' |n| format!("{:04}", n % 17), r"00\d\d";
    "counted ids" Id ',' |n| format!("AB-{n:09}"), r"AB-\d{9}";
    "telephones" Id ',' |n| format!("+49 170 {:07}", n % 120 * 83_333), r"\+49 170 \d{7}";
    "plates" Id ',' |n| format!("{}{}-{:05}", char::from(b'A' + (n % 26) as u8), char::from(b'A' + (n / 26 % 26) as u8), n % 120 * 769), r"[A-Z]{2}-\d{5}";
    "one value" Constant ',' |_| "x".into(), r"x";
};

/// Whether a text is of a form: classes, groups of alternatives, counts. A full match.
fn matches(shape: &str, text: &str) -> bool {
    regex::Regex::new(&format!("^(?:{shape})$")).unwrap().is_match(text)
}

#[test]
fn every_form_of_text_comes_back() {
    for form in FORMS {
        check(form, &(0..ROWS as u64).map(|n| n * 37 + 11).collect::<Vec<_>>()).unwrap_or_else(|error| panic!("{error}"));
    }
}

fn check(form: &Form, numbers: &[u64]) -> Result<(), TestCaseError> {
    let cells: Vec<String> = numbers.iter().map(|&number| (form.cell)(number)).collect();
    prop_assert!(cells.iter().all(|cell| matches(form.shape, cell)), "{}: the test's own cells, {:?}", form.name, &cells[..3]);
    let (kind, made) = resampled(&cells, form.delimiter);
    prop_assert_eq!(kind, form.kind, "{}: {:?}", form.name, &cells[..3]);
    let odd: Vec<&String> = made.iter().filter(|cell| !matches(form.shape, cell)).take(3).collect();
    prop_assert!(odd.is_empty(), "{}: {:?} became {odd:?}", form.name, &cells[..3]);
    if kind == ColumnKind::Id {
        let real: HashSet<&String> = cells.iter().collect();
        prop_assert!(made.iter().all(|cell| !real.contains(cell)), "{}: a real id came back", form.name);
        prop_assert_eq!(made.iter().collect::<HashSet<_>>().len(), made.len(), "{}: an id came twice", form.name);
    }
    Ok(())
}

fn arrow_types() -> Vec<DataType> {
    use DataType::*;
    let mut types = vec![Boolean, Int8, Int16, Int32, Int64, UInt8, UInt16, UInt32, UInt64, Float16, Float32, Float64];
    types.extend([Decimal32(7, 2), Decimal64(12, 3), Decimal128(12, 2), Decimal256(40, 2), Date32, Date64, Utf8, LargeUtf8, Utf8View]);
    for unit in [TimeUnit::Second, TimeUnit::Millisecond, TimeUnit::Microsecond, TimeUnit::Nanosecond] {
        types.push(Timestamp(unit, None));
        types.push(Timestamp(unit, Some("Europe/Berlin".into())));
        types.push(Duration(unit));
    }
    types.extend([Time32(TimeUnit::Second), Time32(TimeUnit::Millisecond), Time64(TimeUnit::Microsecond), Time64(TimeUnit::Nanosecond)]);
    types.extend([Utf8, LargeUtf8].map(|values| Dictionary(Box::new(Int8), Box::new(values))));
    types
}

/// Values of a type from whole numbers, every tenth missing.
fn array(data_type: &DataType, numbers: &[u64]) -> ArrayRef {
    let per_second = |unit: &TimeUnit| match unit {
        TimeUnit::Second => 1,
        TimeUnit::Millisecond => 1_000,
        TimeUnit::Microsecond => 1_000_000,
        TimeUnit::Nanosecond => 1_000_000_000,
    };
    let present = |place: usize| place % 10 != 9;
    let whole = |scale: i64, most: u64| -> ArrayRef {
        Arc::new(Int64Array::from_iter(numbers.iter().enumerate().map(|(place, &n)| present(place).then_some((n % most) as i64 * scale))))
    };
    let plain: ArrayRef = match data_type {
        DataType::Boolean => whole(1, 2),
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View | DataType::Dictionary(..) => Arc::new(StringArray::from_iter(
            numbers.iter().enumerate().map(|(place, n)| present(place).then(|| ["red", "green", "NA", "blue"][*n as usize % 4])),
        )),
        DataType::Timestamp(unit, _) => whole(3_600 * per_second(unit), 50_000),
        DataType::Duration(unit) => whole(per_second(unit), 90_000),
        DataType::Time32(unit) => return cast(&cast(&whole(60 * per_second(unit), 1_440), &DataType::Int32).unwrap(), data_type).unwrap(),
        DataType::Time64(unit) => whole(60 * per_second(unit), 1_440),
        DataType::Date32 => return cast(&cast(&whole(1, 20_000), &DataType::Int32).unwrap(), data_type).unwrap(),
        DataType::Date64 => whole(86_400_000, 20_000),
        kind if kind.is_integer() => whole(1, 100),
        _ => Arc::new(Float64Array::from_iter(
            numbers.iter().enumerate().map(|(place, &n)| present(place).then_some((n % 397) as f64 / 4.0)),
        )),
    };
    cast(&plain, data_type).unwrap()
}

#[test]
fn every_arrow_type_comes_back() {
    let numbers: Vec<u64> = (0..ROWS as u64).map(|n| n * 37 + 11).collect();
    check_types(&numbers).unwrap_or_else(|error| panic!("{error}"));
}

fn check_types(numbers: &[u64]) -> Result<(), TestCaseError> {
    let columns =
        arrow_types().into_iter().enumerate().map(|(place, data_type)| (format!("{place} {data_type}"), array(&data_type, numbers)));
    let batch = RecordBatch::try_from_iter_with_nullable(columns.map(|(name, array)| (name, array, true))).unwrap();
    let table = Table::from_record_batches(std::slice::from_ref(&batch), &ReadOptions::default()).unwrap().table;
    let parquet = table.to_bytes(TableFormat::Parquet).unwrap();
    let table = Table::from_bytes(parquet, TableFormat::Parquet, &ReadOptions::default()).unwrap().table;
    let made = sampled(&table, ROWS as u64).to_record_batch().unwrap();
    for (real, synthetic) in batch.schema().fields().iter().zip(made.schema().fields()) {
        prop_assert_eq!(real.data_type(), synthetic.data_type(), "{}", real.name());
    }
    for (described, column) in table.iter() {
        prop_assert_eq!(column.missing(), numbers.len() / 10, "{}", &described.name);
    }
    let back = Table::from_record_batches(&[made], &ReadOptions::default()).unwrap().table;
    for (described, again) in table.schema().columns.iter().zip(&back.schema().columns) {
        let coarser = again.step().zip(described.step()).is_none_or(|(again, step)| (again / step).fract().abs() < 1e-9);
        prop_assert!(coarser, "{}: a step of {:?} became {:?}", &described.name, described.step(), again.step());
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn columns_of_any_values_keep_their_form(form in 0..FORMS.len(), numbers in proptest::collection::vec(0u64..1_000_000, ROWS..=ROWS)) {
        let form = &FORMS[form];
        // An id comes once, and what is rare or cut off in a draw may hide a form: numbers that differ show all of it.
        let numbers: Vec<u64> = numbers.into_iter().enumerate().map(|(place, n)| n * ROWS as u64 + place as u64).collect();
        check(form, &numbers)?;
    }

    #[test]
    fn columns_of_any_values_keep_their_type(numbers in proptest::collection::vec(0u64..1_000_000, ROWS..=ROWS)) {
        check_types(&numbers)?;
    }
}
