//! A table made comparable with another one: the same columns, of the same kinds, with values spelled the same.

use std::collections::HashMap;
use std::sync::Arc;

use crate::table::raw::{Parsed, mark, parse_number, shorten};
use crate::table::{Column, ColumnKind, ColumnSchema, Inferred, MISSING, Table, is_unread, unread_number};
use crate::{Error, Result};

/// Names that a note lists.
const LISTED: usize = 8;

impl Table {
    /// The columns of `self` that `like` has, in its order and of its kinds, with labels and numbers as `like` spells them. Cells that have no form in
    /// a column's kind become missing, in numbers as [`unread_number`]. The notes name what was left out or could not be read.
    ///
    /// # Errors
    /// When the tables share no column.
    pub fn conform(self, like: &Self) -> Result<Inferred> {
        let mut notes = Vec::new();
        let absent: Vec<&str> = like.schema().names().filter(|name| self.schema().index_of(name).is_err()).collect();
        let extra: Vec<&str> = self.schema().names().filter(|name| like.schema().index_of(name).is_err()).collect();
        if absent.len() == like.schema().columns.len() {
            let names = |table: &Self| listed(&table.schema().names().collect::<Vec<_>>());
            return Err(Error::Table(format!("the tables share no column: {} and {}", names(like), names(&self))));
        }
        if !absent.is_empty() {
            notes.push(format!("lacks the columns {}; they are not compared", listed(&absent)));
        }
        if !extra.is_empty() {
            notes.push(format!("has further columns, which are not compared: {}", listed(&extra)));
        }
        let mut schema = like.schema().clone();
        schema.columns.retain(|described| self.schema().index_of(&described.name).is_ok());
        schema.target = schema.target.take().filter(|target| schema.index_of(target).is_ok());
        let mut columns = Vec::with_capacity(schema.columns.len());
        for described in &schema.columns {
            let (own, column) = (self.schema().index_of(&described.name)?, like.column(&described.name)?);
            let (column, note) = converted((&self.schema().columns[own], &self.columns()[own]), (described, column));
            notes.extend(note.map(|note| format!("column \"{}\": {note}", described.name)));
            columns.push(column);
        }
        Ok(Inferred { table: Self::new(schema, columns)?, notes })
    }
}

fn listed(names: &[&str]) -> String {
    let mut text = names.iter().take(LISTED).map(|name| format!("\"{}\"", shorten(name))).collect::<Vec<_>>().join(", ");
    if names.len() > LISTED {
        text.push_str(&format!(" and {} more", names.len() - LISTED));
    }
    text
}

fn converted((from, column): (&ColumnSchema, &Column), (to, like): (&ColumnSchema, &Column)) -> (Column, Option<String>) {
    match (column, to.kind.is_number()) {
        (Column::Number(values), true) if from.kind == ColumnKind::Datetime || to.kind != ColumnKind::Datetime => {
            let fractional =
                values.iter().filter(|value| to.kind == ColumnKind::Integer && !value.is_nan() && value.fract() != 0.0).count();
            let decimals = format!("{fractional} of {} values have decimals, but the real ones are whole numbers", values.len());
            let converted = respecialized(values, from, to);
            let unread: Vec<usize> = (0..values.len()).filter(|&row| is_unread(converted[row])).collect();
            let unread = unread_note(&unread, values.len(), to, |row| from.special_text(values[row]).unwrap_or_default());
            let notes: Vec<String> = (fractional > 0).then_some(decimals).into_iter().chain(unread).collect();
            (Column::Number(converted), (!notes.is_empty()).then(|| notes.join("; ")))
        }
        (_, true) => read_numbers(from, column, to),
        (_, false) => {
            let (codes, levels) = labels(from, column);
            (relabelled(codes, &levels, like), None)
        }
    }
}

/// The same numbers, with special values by their texts.
fn respecialized(values: &[f64], from: &ColumnSchema, to: &ColumnSchema) -> Vec<f64> {
    if from.special == to.special {
        return values.to_vec();
    }
    let translated = |value: f64| match from.special_text(value) {
        Some(text) => read_number(text, to),
        None => {
            let text = if value.is_nan() || to.special.is_empty() { String::new() } else { to.format_number(value) };
            to.special.iter().position(|special| *special == text).map_or(value, crate::table::schema::special_number)
        }
    };
    values.iter().map(|&value| translated(value)).collect()
}

/// Labels as numbers of another column.
fn read_numbers(from: &ColumnSchema, column: &Column, to: &ColumnSchema) -> (Column, Option<String>) {
    let (codes, levels) = labels(from, column);
    let parsed: Vec<f64> = levels.iter().map(|level| read_number(level, to)).collect();
    let values: Vec<f64> = codes.iter().map(|&code| parsed.get(code as usize).copied().unwrap_or(f64::NAN)).collect();
    let unread: Vec<usize> = (0..codes.len()).filter(|&row| is_unread(values[row])).collect();
    let note = unread_note(&unread, codes.len(), to, |row| &levels[codes[row] as usize]);
    (Column::Number(values), note)
}

/// A text as a number of a column, or as a NaN that says whether the text means a missing value.
fn read_number(text: &str, to: &ColumnSchema) -> f64 {
    let is_missing =
        || to.missing.as_ref().is_some_and(|texts| texts.iter().any(|known| known == text.trim())) || mark(text.trim()).is_some();
    to.parse_number(text).unwrap_or_else(|| if is_missing() { f64::NAN } else { unread_number() })
}

fn unread_note<'a>(unread: &[usize], rows: usize, to: &ColumnSchema, text: impl Fn(usize) -> &'a str) -> Option<String> {
    let first = shorten(text(*unread.first()?));
    let count = unread.len();
    Some(format!(
        "{count} of {rows} values are no {} values (the first: \"{first}\"); they count as invalid, and elsewhere as missing",
        to.kind
    ))
}

/// Codes and texts of any column.
fn labels(described: &ColumnSchema, column: &Column) -> (Vec<u32>, Vec<String>) {
    match column {
        Column::Category { codes, levels } => (codes.clone(), levels.to_vec()),
        Column::Number(values) => {
            let text = |value: f64| {
                if value.is_nan() { described.special_text(value).map(str::to_owned) } else { Some(described.format_number(value)) }
            };
            let column = Column::from_labels(values.iter().map(|&value| text(value)));
            column.categories().map_or_else(Default::default, |(codes, levels)| (codes.to_vec(), levels.to_vec()))
        }
    }
}

/// Labels spelled as the other column spells the same value: `1.0` as `1`, `True` as `true`.
fn relabelled(mut codes: Vec<u32>, levels: &[String], like: &Column) -> Column {
    let Some((_, known)) = like.categories() else { return Column::Category { codes, levels: Arc::new(levels.to_vec()) } };
    let meaning = |text: &str| -> String {
        let text = text.trim();
        match parse_number(text) {
            Parsed::Number(value) => (value + 0.0).to_string(),
            _ if text.eq_ignore_ascii_case("true") || text.eq_ignore_ascii_case("false") => text.to_ascii_lowercase(),
            _ => text.to_owned(),
        }
    };
    let exact: HashMap<&str, usize> = known.iter().enumerate().map(|(place, label)| (label.as_str(), place)).collect();
    let mut alike: HashMap<String, usize> = HashMap::new();
    known.iter().enumerate().for_each(|(place, label)| {
        alike.entry(meaning(label)).or_insert(place);
    });
    // A boolean of 0 and 1 may be spelled as words elsewhere, and the other way round.
    for (word, digit) in [("true", "1"), ("false", "0")] {
        if let (Some(&place), false) = (alike.get(word), alike.contains_key(digit)) {
            alike.insert(digit.to_owned(), place);
        } else if let (Some(&place), false) = (alike.get(digit), alike.contains_key(word)) {
            alike.insert(word.to_owned(), place);
        }
    }
    let mut spelled: Vec<String> = Vec::new();
    let mut place_of: HashMap<String, u32> = HashMap::new();
    let places: Vec<u32> = levels
        .iter()
        .map(|level| {
            let text = exact.get(level.as_str()).or_else(|| alike.get(&meaning(level))).map_or(level, |&place| &known[place]);
            *place_of.entry(text.clone()).or_insert_with(|| {
                spelled.push(text.clone());
                spelled.len() as u32 - 1
            })
        })
        .collect();
    codes.iter_mut().filter(|code| **code != MISSING).for_each(|code| *code = places[*code as usize]);
    Column::Category { codes, levels: Arc::new(spelled) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::{ReadOptions, TableFormat};

    fn table(text: &str) -> Table {
        Table::from_bytes(text.as_bytes().to_vec(), TableFormat::Csv, &ReadOptions::default()).expect("readable").table
    }

    #[test]
    fn other_spellings_are_the_same_values() {
        let real = table("flag,n,k\ntrue,1,1\nfalse,2,2\n");
        let made = table("k,n,flag\n1.0,1.0,True\n2.0,2.0,FALSE\n").conform(&real).expect("comparable");
        assert!((0..2).all(|row| (0..3).all(|column| made.table.cell(row, column) == real.cell(row, column))));
        assert!(made.notes.is_empty(), "{:?}", made.notes);
        let words = table("flag,n,k\n1,1,1\n0,2,2\n").conform(&real).expect("comparable").table;
        assert_eq!(words.cell(0, 0), "true");
    }

    #[test]
    fn what_differs_is_named() {
        let rows = |f: &dyn Fn(usize) -> String| (0..40).map(f).collect::<String>();
        let real = table(&format!("n,day,c\n{}", rows(&|i| format!("{},2024-01-{:02},x\n", i * 3, i % 28 + 1))));
        let made = table(&format!(
            "extra,n,day\n{}",
            rows(&|i| format!("e,{}.5,{}\n", i, if i < 2 { "never".into() } else { format!("2024-02-{:02}", i % 28 + 1) }))
        ));
        let made = made.conform(&real).expect("comparable");
        assert_eq!(made.table.schema().names().collect::<Vec<_>>(), ["n", "day"]);
        for part in ["\"c\"", "\"extra\"", "decimals", "2 of 40 values are no datetime values (the first: \"never\")"] {
            assert!(made.notes.iter().any(|note| note.contains(part)), "{part}: {:?}", made.notes);
        }
        assert!(table("z\n1\n2\n").conform(&real).is_err());
    }

    #[test]
    fn texts_among_numbers_are_told_from_missing_values() {
        let real = table(&format!("n\n{}", (0..60).map(|i| format!("{}\n", i * 7)).collect::<String>()));
        // A few odd texts are special values of a column of numbers; many make it a column of texts.
        for odd in [3, 50] {
            let texts = (0..60).map(|i| match i {
                0 => "NA\n".to_owned(),
                i if i <= odd => format!("odd {}\n", if odd == 3 { 0 } else { i }),
                i => format!("{i}\n"),
            });
            let made = table(&format!("n\n{}", texts.collect::<String>())).conform(&real).expect("comparable");
            let values = made.table.columns()[0].numbers().expect("numbers");
            assert_eq!(values.iter().filter(|value| is_unread(**value)).count(), odd, "{:?}", made.notes);
            assert!(values[0].is_nan() && !is_unread(values[0]) && values[59] == 59.0);
            assert!(made.notes.iter().any(|note| note.contains(&format!("{odd} of 60 values are no integer values"))), "{:?}", made.notes);
        }
    }
}
