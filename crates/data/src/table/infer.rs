//! Guessing what a column is, and saying so where the guess could be wrong.

use std::collections::HashSet;

use super::datetime::{self, Guess};
use super::id::IdFormat;
use super::raw::{Cells, EXACT, Interner, Numbers, Parsed, RawColumn, infinite_message, parse_number, shorten};
use super::schema::{ColumnKind, ColumnSchema};

/// Whole numbers with at most this many different values are categories (and at most one in ten rows' worth).
const FEW: usize = 10;
/// Below this many rows, distinct values are chance and no sign of an id.
const ID_ROWS: usize = 20;

/// The description of a column, and what a reader of it should know.
pub(crate) fn infer(raw: &RawColumn) -> Result<(ColumnSchema, Option<String>), String> {
    let name = &raw.name;
    if raw.missing == raw.rows() {
        return Err(format!("column \"{name}\" has no value in any of {} rows; drop it (drop = [\"{name}\"])", raw.rows()));
    }
    if let Some(format) = raw.datetime {
        let mut schema = ColumnSchema::new(name, ColumnKind::Datetime);
        schema.format = Some(format.to_owned());
        return Ok((schema, None));
    }
    let (mut schema, note) = match &raw.cells {
        Cells::Numbers(numbers) => infer_numbers(raw, numbers)?,
        Cells::Texts { texts, .. } => infer_texts(raw, texts),
    };
    schema.name.clone_from(name);
    Ok((schema, note.map(|note| format!("column \"{name}\": {note}"))))
}

fn infer_numbers(raw: &RawColumn, numbers: &Numbers) -> Result<(ColumnSchema, Option<String>), String> {
    if let Some((row, text)) = &raw.infinite {
        return Err(infinite_message(&raw.name, *row, text));
    }
    let rows = raw.rows();
    let few = distinct_texts(numbers, FEW);
    let whole = numbers.values.iter().all(|value| value.is_nan() || (value.fract() == 0.0 && value.abs() < EXACT));
    if let Some(few) = &few {
        if few.len() == 1 && raw.missing == 0 && rows > 1 {
            return Ok(plain(ColumnKind::Constant));
        }
        if is_boolean(few.iter().map(String::as_str)) {
            return Ok(plain(ColumnKind::Boolean));
        }
        if whole && few.len() <= rows / 10 {
            let note = format!("whole numbers with only {} different values; read as categorical", few.len());
            return Ok((ColumnSchema::new("", ColumnKind::Categorical), Some(note)));
        }
    }
    if whole && let Some(id) = numbers_as_id(&raw.name, numbers, raw.missing) {
        return Ok((
            ColumnSchema { id: Some(id), ..ColumnSchema::new("", ColumnKind::Id) },
            Some("whole numbers, each once, that count the rows; read as id".into()),
        ));
    }
    let decimals = numbers.decimals();
    if whole {
        let pointed = decimals.is_some_and(|decimals| decimals > 0);
        let note = pointed.then(|| "every value is whole, though written with a decimal point; read as integer".into());
        return Ok((ColumnSchema::new("", ColumnKind::Integer), note));
    }
    Ok((ColumnSchema { decimals, ..ColumnSchema::new("", ColumnKind::Continuous) }, None))
}

fn infer_texts(raw: &RawColumn, texts: &Interner) -> (ColumnSchema, Option<String>) {
    let (rows, distinct) = (raw.rows(), texts.len());
    let present = rows - raw.missing;
    if distinct == 1 && raw.missing == 0 && rows > 1 {
        return plain(ColumnKind::Constant);
    }
    if distinct == 2 && is_boolean(texts.iter()) {
        return plain(ColumnKind::Boolean);
    }
    match datetime::guess(texts.iter()) {
        Guess::Format(format) => {
            return (ColumnSchema { format: Some(format.into()), ..ColumnSchema::new("", ColumnKind::Datetime) }, None);
        }
        Guess::Ambiguous(day_first, month_first) => {
            let note = format!(
                "dates whose day and month could be either way round; read as categorical. \
                 Set kind = \"datetime\" and format = \"{day_first}\" or \"{month_first}\" in a schema"
            );
            return (ColumnSchema::new("", ColumnKind::Categorical), Some(note));
        }
        Guess::None => {}
    }
    if distinct == rows && (rows >= ID_ROWS || (rows > 1 && names_an_id(&raw.name))) {
        let all: Vec<&str> = texts.iter().collect();
        return match IdFormat::of_texts(&all) {
            Some(id) => (ColumnSchema { id: Some(id), ..ColumnSchema::new("", ColumnKind::Id) }, None),
            None => {
                let id = IdFormat::named(&raw.name);
                let note = format!("text that differs in every row; read as id, and generated as \"{}\" when sampling", id.generate(0, 0));
                (ColumnSchema { id: Some(id), ..ColumnSchema::new("", ColumnKind::Id) }, Some(note))
            }
        };
    }
    (ColumnSchema::new("", ColumnKind::Categorical), text_note(texts, distinct, present))
}

fn text_note(texts: &Interner, distinct: usize, present: usize) -> Option<String> {
    let not_numbers: Vec<&str> = texts.iter().filter(|text| parse_number(text.trim()) == Parsed::Text).take(4).collect();
    let numbers = texts.iter().filter(|text| parse_number(text.trim()) != Parsed::Text).count();
    if (1..4).contains(&not_numbers.len()) && numbers >= 10 {
        let shown = not_numbers.iter().map(|text| format!("\"{}\"", shorten(text))).collect::<Vec<_>>().join(", ");
        return Some(format!("numbers except for {shown}; read as categorical. If that means missing, add it to the missing texts"));
    }
    (distinct > 20 && distinct * 2 > present)
        .then(|| format!("{distinct} different texts in {present} rows; read as categorical; consider dropping it or declaring it an id"))
}

fn plain(kind: ColumnKind) -> (ColumnSchema, Option<String>) {
    (ColumnSchema::new("", kind), None)
}

/// The different texts of the numbers, unless there are more than `limit`.
fn distinct_texts(numbers: &Numbers, limit: usize) -> Option<Vec<String>> {
    let mut keys = HashSet::new();
    let mut found: Vec<String> = Vec::new();
    for row in (0..numbers.values.len()).filter(|&row| !numbers.values[row].is_nan()) {
        if numbers.key(row).is_none_or(|key| keys.insert(key)) {
            let text = numbers.text(row);
            if !found.contains(&text) {
                found.push(text);
            }
            if found.len() > limit {
                return None;
            }
        }
    }
    Some(found)
}

fn is_boolean<'a>(labels: impl Iterator<Item = &'a str>) -> bool {
    let mut labels: Vec<String> = labels.map(|label| label.trim().to_ascii_lowercase()).collect();
    labels.sort();
    let pair: Vec<&str> = labels.iter().map(String::as_str).collect();
    matches!(pair[..], ["no", "yes"] | ["n", "y"] | ["false", "true"] | ["f", "t"] | ["0", "1"] | ["0.0", "1.0"] | ["off", "on"])
}

/// Whole numbers that name rows: each once, and either the column's name says so or they count 1, 2, 3 down the file.
fn numbers_as_id(name: &str, numbers: &Numbers, missing: usize) -> Option<IdFormat> {
    let values = &numbers.values;
    if missing > 0 || values.len() < 2 {
        return None;
    }
    let step = values[1] - values[0];
    let steady = step != 0.0 && values.windows(2).all(|pair| pair[1] - pair[0] == step);
    // 1990, 1991, 1992... counts too, but is a year.
    let years = values.iter().all(|value| (1500.0..2500.0).contains(value));
    if steady && step == 1.0 && values.len() >= ID_ROWS && !years {
        return Some(IdFormat::of_numbers(values, None));
    }
    if !names_an_id(name) {
        return None;
    }
    let mut seen = HashSet::with_capacity(values.len());
    values.iter().all(|value| seen.insert(value.to_bits())).then(|| IdFormat::of_numbers(values, (steady && step > 0.0).then_some(step)))
}

/// Whether one of the words of a column name means an id.
fn names_an_id(name: &str) -> bool {
    let mut words = vec![String::new()];
    let mut lower_before = false;
    for c in name.chars() {
        if !c.is_alphanumeric() || (c.is_uppercase() && lower_before) {
            words.push(String::new());
        }
        if c.is_alphanumeric()
            && let Some(word) = words.last_mut()
        {
            word.extend(c.to_lowercase());
        }
        lower_before = c.is_lowercase();
    }
    words.iter().any(|word| matches!(word.as_str(), "id" | "ids" | "uuid" | "guid" | "key" | "rowid" | "identifier" | "index"))
        || name.starts_with("Unnamed: ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind_of(name: &str, cells: impl IntoIterator<Item = String>) -> (ColumnSchema, Option<String>) {
        let mut raw = RawColumn::new(name);
        cells.into_iter().for_each(|cell| if cell.is_empty() { raw.push_missing() } else { raw.push_cell(&cell) });
        infer(&raw).expect("inferable")
    }

    #[test]
    fn kinds_follow_the_values() {
        let kind = |name: &str, make: &dyn Fn(usize) -> String| kind_of(name, (0..100).map(make)).0.kind;
        assert_eq!(kind("smoker", &|i| ["yes", "No"][i % 2].into()), ColumnKind::Boolean);
        assert_eq!(kind("flag", &|i| (i % 2).to_string()), ColumnKind::Boolean);
        assert_eq!(kind("flag", &|i| ["", "0", "1"][i % 3].into()), ColumnKind::Boolean);
        assert_eq!(kind("month", &|i| (i % 10).to_string()), ColumnKind::Categorical);
        assert_eq!(kind("age", &|i| (i % 11).to_string()), ColumnKind::Integer);
        assert_eq!(kind("n", &|i| (i % 50).to_string()), ColumnKind::Integer);
        assert_eq!(kind("rooms", &|i| format!("{}.0", i % 50)), ColumnKind::Integer);
        assert_eq!(kind("x", &|i| format!("{}.25", i % 50)), ColumnKind::Continuous);
        assert_eq!(kind("zip", &|i| format!("0{}", i % 50)), ColumnKind::Categorical);
        assert_eq!(kind("day", &|i| format!("2024-01-{:02}", i % 31 + 1)), ColumnKind::Datetime);
        assert_eq!(kind("c", &|_| "same".into()), ColumnKind::Constant);
        assert_eq!(kind("c", &|_| "7".into()), ColumnKind::Constant);
    }

    #[test]
    fn ids_are_told_from_measures() {
        let kind = |name: &str, make: &dyn Fn(usize) -> String| kind_of(name, (0..100).map(make)).0;
        assert_eq!(kind("anything", &|i| (i + 5).to_string()).id, Some(IdFormat::Integer { start: 5, step: 1 }));
        assert_eq!(kind("year", &|i| (i + 1900).to_string()).kind, ColumnKind::Integer);
        assert_eq!(kind("customerId", &|i| (i * i + 7).to_string()).id, Some(IdFormat::Integer { start: 7, step: 1 }));
        assert_eq!(kind("patient_id", &|i| (i * 10).to_string()).id, Some(IdFormat::Integer { start: 0, step: 10 }));
        assert_eq!(kind("fnlwgt", &|i| (i * i * 31).to_string()).kind, ColumnKind::Integer);
        assert_eq!(kind("id", &|i| format!("{}.5", i * i)).kind, ColumnKind::Continuous);
        assert_eq!(kind("customer_id", &|i| (i % 60).to_string()).kind, ColumnKind::Integer);
        assert_eq!(kind("code", &|i| format!("AB-{i:04}")).id, Some(IdFormat::Prefix { prefix: "AB-".into(), start: 0, width: 4 }));
        let (schema, note) = kind_of("comment", (0..100).map(|i| format!("text {i} and more")));
        assert_eq!(schema.kind, ColumnKind::Id);
        assert!(note.is_some_and(|note| note.contains("comment-000001")));
        assert!(names_an_id("CustomerID") && names_an_id("row id") && !names_an_id("width") && !names_an_id("paid"));
    }

    #[test]
    fn decimals_are_learnt_from_short_decimals_only() {
        let decimals = |cells: &[&str]| kind_of("x", cells.iter().map(|&cell| cell.to_owned())).0.decimals;
        assert_eq!(decimals(&["1.5", "2.25", "3", ""]), Some(2));
        assert_eq!(decimals(&["1.5", "0.12345678901234567"]), None);
        assert_eq!(decimals(&["1.5", "9.8E-03"]), Some(4));
        assert_eq!(decimals(&["1.5", "1e-300"]), None);
    }
}
