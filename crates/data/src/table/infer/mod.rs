//! Guessing what a column is, and saying so where the guess could be wrong.

mod dates;
mod names;
mod numbers;
mod texts;

use names::{Meaning, meaning};
pub(crate) use numbers::id_of;

use super::data_type;
use super::raw::{Cells, RawColumn, mark};
use super::schema::{ColumnKind, ColumnSchema};

/// Whole numbers with at most this many different values are categories (and at most one in ten rows' worth).
const FEW: usize = 10;
/// Below this many rows, distinct values are chance and no sign of an id.
const ID_ROWS: usize = 20;
/// The share of different values from which a column names rows.
const NEARLY_UNIQUE: f64 = 0.95;
/// Spellings in a column of numbers or dates that may be neither.
const SPECIAL: usize = 3;

/// What is known of the file besides its columns.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Context {
    /// Cells are not separated by commas, so a comma may separate decimals.
    pub(crate) comma_is_decimal: bool,
}

/// A description and what a reader of it should know.
struct Decision {
    schema: ColumnSchema,
    notes: Vec<String>,
}

impl Decision {
    fn plain(kind: ColumnKind) -> Self {
        Self { schema: ColumnSchema::new("", kind), notes: Vec::new() }
    }

    fn noted(kind: ColumnKind, note: impl Into<String>) -> Self {
        Self { schema: ColumnSchema::new("", kind), notes: vec![note.into()] }
    }
}

/// The description of a column, and notes on guesses that a user may want to overrule.
pub(crate) fn infer(raw: &RawColumn, context: &Context) -> (ColumnSchema, Vec<String>) {
    let name = &raw.name;
    let rows = raw.rows();
    let Decision { mut schema, notes } = if raw.missing == rows {
        Decision::noted(ColumnKind::Constant, format!("has no value in any of {rows} rows; it is kept empty"))
    } else {
        match &raw.cells {
            Cells::Numbers(numbers) if raw.datetime.is_some() => dates::of_numbers(raw, numbers),
            // Nothing but marks of missing values: then they are texts like others.
            Cells::Numbers(numbers) if raw.missing + raw.marked < rows => numbers::infer(raw, numbers),
            Cells::Numbers(_) => Decision::plain(if raw.missing == 0 { ColumnKind::Constant } else { ColumnKind::Categorical }),
            Cells::Texts { codes, texts } => texts::infer(raw, codes, texts, context),
        }
    };
    schema.name.clone_from(name);
    schema.data_type.clone_from(&raw.data_type);
    if let Some(decimals) = raw.data_type.as_deref().and_then(data_type::decimals)
        && matches!(schema.kind, ColumnKind::Integer | ColumnKind::Continuous)
    {
        (schema.decimals, schema.style) = (Some(decimals).filter(|&decimals| decimals > 0), None);
    }
    if !raw.nulls && raw.missing == 0 && !matches!(schema.kind, ColumnKind::Categorical | ColumnKind::Constant) {
        schema.missing = only_mark(raw).map(|mark| vec![mark.to_owned()]);
    }
    (schema, notes.into_iter().map(|note| format!("column \"{name}\": {note}")).collect())
}

/// The one mark that stands for all missing values of a column.
fn only_mark(raw: &RawColumn) -> Option<&'static str> {
    let mut marks: Vec<&'static str> = match &raw.cells {
        Cells::Numbers(numbers) => (0..numbers.values.len()).filter_map(|row| numbers.mark(row)).collect(),
        Cells::Texts { texts, .. } => texts.iter().filter_map(mark_of).collect(),
    };
    marks.dedup();
    (marks.len() == 1).then(|| marks[0])
}

pub(super) fn mark_of(text: &str) -> Option<&'static str> {
    mark(text.trim()).map(|place| super::raw::MARKS[usize::from(place)])
}

/// Whether labels are the two values of a boolean, in any spelling.
fn is_boolean<'a>(labels: impl Iterator<Item = &'a str>) -> bool {
    let mut labels: Vec<String> = labels.take(16).map(|label| label.trim().to_ascii_lowercase()).collect();
    labels.sort();
    labels.dedup();
    let pair: Vec<&str> = labels.iter().map(String::as_str).collect();
    matches!(pair[..], ["no", "yes"] | ["n", "y"] | ["false", "true"] | ["f", "t"] | ["0", "1"] | ["0.0", "1.0"] | ["off", "on"])
}

/// The line of a schema that changes a guess.
fn remedy(kind: &str) -> String {
    format!("set kind = \"{kind}\" in a schema (`semblant fit --write-schema`) to change that")
}

/// Whether a column's values name rows, or what several rows belong to; and how to say it.
fn named(raw: &RawColumn, present: usize, distinct: usize, is_text: bool) -> Option<Decision> {
    let meaning = meaning(&raw.name);
    let share = distinct as f64 / present.max(1) as f64;
    let says_so = matches!(meaning, Meaning::Id | Meaning::Person);
    let unique = share > NEARLY_UNIQUE && present > 1;
    if unique && (says_so || meaning == Meaning::Number || (present >= ID_ROWS && (is_text || meaning == Meaning::Code))) {
        let repeated = present - distinct;
        let gaps = if repeated > 0 { format!(" ({repeated} of {present} repeat another)") } else { String::new() };
        let what = if is_text { "texts" } else { "whole numbers" };
        let other = if is_text { "categorical" } else { "integer" };
        let note = format!("{what} that differ in every row{gaps}; read as id, so new ones are made and none is learnt; {}", remedy(other));
        return Some(Decision::noted(ColumnKind::Id, note));
    }
    let few = distinct <= FEW && meaning != Meaning::Id;
    (says_so && distinct > 1 && !few && present > distinct).then(|| {
        let note = format!(
            "{distinct} different names in {present} rows; read as key, so new ones are made, with as many rows each; {}",
            remedy("categorical")
        );
        Decision::noted(ColumnKind::Key, note)
    })
}

#[cfg(test)]
mod tests {
    use super::super::id::IdFormat;
    use super::*;

    fn kind_of(name: &str, cells: impl IntoIterator<Item = String>) -> (ColumnSchema, Vec<String>) {
        let mut raw = RawColumn::new(name);
        cells.into_iter().for_each(|cell| if cell.is_empty() { raw.push_missing() } else { raw.push_cell(&cell) });
        infer(&raw, &Context::default())
    }

    #[test]
    fn kinds_follow_the_values() {
        let kind = |name: &str, make: &dyn Fn(usize) -> String| kind_of(name, (0..100).map(make)).0.kind;
        assert_eq!(kind("smoker", &|i| ["yes", "No"][i % 2].into()), ColumnKind::Boolean);
        assert_eq!(kind("smoker", &|i| ["True", "false", "true", "NA"][i % 4].into()), ColumnKind::Boolean);
        assert_eq!(kind("flag", &|i| (i % 2).to_string()), ColumnKind::Boolean);
        assert_eq!(kind("flag", &|i| ["", "0", "1"][i % 3].into()), ColumnKind::Boolean);
        assert_eq!(kind("flag", &|i| ["1", "1.0", "0", "0.0"][i % 4].into()), ColumnKind::Boolean);
        assert_eq!(kind("month", &|i| (i % 10).to_string()), ColumnKind::Categorical);
        assert_eq!(kind("age", &|i| (i % 11).to_string()), ColumnKind::Integer);
        assert_eq!(kind("n", &|i| (i % 50).to_string()), ColumnKind::Integer);
        assert_eq!(kind("rooms", &|i| format!("{}.0", i % 50)), ColumnKind::Integer);
        assert_eq!(kind("x", &|i| format!("{}.25", i % 50)), ColumnKind::Continuous);
        assert_eq!(kind("zip", &|i| format!("0{}", i % 50)), ColumnKind::Categorical);
        assert_eq!(kind("zip_code", &|i| format!("{}", 10_000 + 37 * (i % 50))), ColumnKind::Categorical);
        assert_eq!(kind("day", &|i| format!("2024-01-{:02}", i % 31 + 1)), ColumnKind::Datetime);
        assert_eq!(kind("c", &|_| "same".into()), ColumnKind::Constant);
        assert_eq!(kind("c", &|_| "7".into()), ColumnKind::Constant);
        assert_eq!(kind("c", &|_| String::new()), ColumnKind::Constant);
        assert_eq!(kind("c", &|_| "None".into()), ColumnKind::Constant);
        assert_eq!(kind("country", &|i| ["NA", "BW", "ZA"][i % 3].into()), ColumnKind::Categorical);
    }

    #[test]
    fn ids_are_told_from_measures() {
        let kind = |name: &str, make: &dyn Fn(usize) -> String| kind_of(name, (0..100).map(make)).0.kind;
        assert_eq!(kind("anything", &|i| (i + 5).to_string()), ColumnKind::Id);
        assert_eq!(kind("year", &|i| (i + 1900).to_string()), ColumnKind::Integer);
        assert_eq!(kind("customerId", &|i| (i * i + 7).to_string()), ColumnKind::Id);
        assert_eq!(kind("customerId", &|i| if i == 3 { String::new() } else { (i * i + 7).to_string() }), ColumnKind::Id);
        assert_eq!(kind("fnlwgt", &|i| (i * i * 31).to_string()), ColumnKind::Integer);
        assert_eq!(kind("id", &|i| format!("{}.5", i * i)), ColumnKind::Continuous);
        assert_eq!(kind("customer_id", &|i| (i % 60).to_string()), ColumnKind::Key);
        assert_eq!(kind("phone", &|i| format!("+49170{:04}", i % 50)), ColumnKind::Key);
        assert_eq!(kind("contact", &|i| format!("user{i}@example.org")), ColumnKind::Id);
        assert_eq!(kind("comment", &|i| format!("text {i} and more")), ColumnKind::Id);
        assert_eq!(kind("code", &|i| if i < 3 { String::new() } else { format!("AB-{i:04}") }), ColumnKind::Id);
    }

    #[test]
    fn prose_is_free_text_where_there_is_enough_of_it() {
        let kind = |name: &str, rows: usize, different: usize| {
            kind_of(name, (0..rows).map(|row| format!("what customer {} wrote of us in a few words", row % different))).0.kind
        };
        assert_eq!(kind("comment", 300, 300), ColumnKind::Text);
        assert_eq!(kind("comment", 100, 100), ColumnKind::Id);
        assert_eq!(kind("comment", 600, 250), ColumnKind::Key);
        assert_eq!(kind("customer_id", 300, 300), ColumnKind::Id);
    }

    #[test]
    fn nearly_unique_texts_say_what_happens() {
        let (schema, notes) = kind_of("comment", (0..100).map(|i| format!("text {i} and more")));
        assert_eq!(schema.kind, ColumnKind::Id);
        assert!(notes[0].contains("id") && notes[0].contains("kind = \"categorical\""), "{notes:?}");
        let cells: Vec<String> = (0..100).map(|i| format!("AB-{i:04}")).collect();
        assert_eq!(IdFormat::of_texts(&cells), Some(IdFormat::Prefix { prefix: "AB-".into(), start: 100, width: 4 }));
    }

    #[test]
    fn decimals_and_steps_are_learnt() {
        let of = |cells: &[&str]| kind_of("x", cells.iter().map(|&cell| cell.to_owned())).0;
        let least = |cells: &[&str]| of(cells).style.and_then(|style| style.min_decimals);
        assert_eq!((of(&["1.5", "2.25", "3", ""]).decimals, least(&["1.5", "2.25", "3", ""])), (Some(2), Some(0)));
        assert_eq!((of(&["1.50", "2.25"]).decimals, least(&["1.50", "2.25"])), (Some(2), None));
        assert_eq!(of(&["1.5", "0.12345678901234567"]).decimals, None);
        assert_eq!(of(&["1.5", "9.8E-03"]).decimals, Some(4));
        assert_eq!(of(&["1.5", "1e-300"]).decimals, None);
        assert_eq!(kind_of("price", (0..100).map(|i| format!("{}.{}", i * 7 % 40, ["00", "25", "50", "75"][i % 4]))).0.step, Some(0.25));
        assert_eq!(kind_of("salary", (0..100).map(|i| (i * i % 83 * 500 + 100).to_string())).0.step, Some(500.0));
        let pressure = (0..400).map(|i| if i == 7 { "1013.456".to_owned() } else { (990 + i % 40).to_string() });
        assert_eq!(kind_of("pressure", pressure).0.step, Some(1.0));
        assert_eq!(kind_of("n", ["5", "NA", "7"].map(String::from)).0.missing, Some(vec!["NA".into()]));
    }
}
