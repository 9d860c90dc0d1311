//! Values that name someone, and whether the synthetic table repeats those of real rows.

use std::borrow::Cow;
use std::collections::HashMap;

use semblant_data::table::{Column, ColumnKind, ColumnSchema, Table};
use serde::{Deserialize, Serialize};

use super::align::is_id;
use crate::bootstrap::chance;

/// A label of fewer real rows than this is rare.
pub const RARE_ROWS: usize = 5;
/// A column of labels is a list of individuals rather than a set of categories from this many labels on, if at least half of them are rare.
pub const LISTED_LABELS: usize = 20;
/// Known values of a column, at least, before it is called near-unique.
const LEAST_ROWS: usize = 20;
/// The same for whole numbers, of which nearly all must be different and most have six digits.
const LEAST_NUMBERS: usize = 100;
const SIX_DIGITS: f64 = 100_000.0;

/// A column with identifying values.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Identifying {
    /// The column.
    pub column: String,
    /// What is identifying about its values.
    pub what: What,
    /// The number of different identifying values in the real table.
    pub values: usize,
    /// How many of them the synthetic table has.
    pub returned: usize,
    /// Share of the known synthetic values that are such a value.
    pub synthetic: f64,
    /// The same share of new real values: the holdout's, or without one that of each real row against all others (for a label that few rows
    /// have, Turing's estimate of meeting it again). 0 for ids, which are made anew.
    pub reference: f64,
    /// What to make of it.
    pub finding: Finding,
}

/// Why values are identifying.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// Every value of a column of ids or keys.
    Ids,
    /// Every label of a column of labels in which at least half of the values are different, such as names and addresses.
    NearUnique,
    /// The labels of fewer than [`RARE_ROWS`] real rows.
    RareLabels,
    /// The values of a column of whole numbers of six digits and more that are nearly all different, such as customer numbers. Shares are of the
    /// different values.
    Numbers,
}

/// How serious it is that identifying values come back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Finding {
    /// They do not, or no more often than in new real rows.
    Good,
    /// A rare label of a set of categories comes back, which need not identify anyone.
    Watch,
    /// They do.
    Bad,
}

/// The columns of `real` with identifying values, in the table's order, and how often they come back in `synthetic`.
///
/// - Ids and keys: any real value that comes back is bad, also a small number in sequence, since ids are to be made anew.
/// - Labels of which at least half are different (20 known values at least): bad if real values come back more often than in new real rows,
///   by three standard errors.
/// - Labels of fewer than five real rows: the same, if the column has 20 labels and half of them are so rare. In other columns, booleans
///   among them, a rare label is one of a set of categories: watch.
///
/// - Whole numbers of which 95 % are different (100 known values at least) and most have six digits or more: listed, as bad, only if real
///   values come back more often than chance explains, by three standard errors. Chance is the largest of: the share of the numbers between
///   the least and the greatest that are real ones; the share of new real rows that have a value of another real row; and with a holdout,
///   the share of synthetic values that are a holdout row's, for as many values. Measurements are not identifying, so they are not listed.
///
/// Labels are compared as text. Other numbers are not looked at: equal ones occur by chance.
pub fn identifying_values(real: &Table, synthetic: &Table, holdout: Option<&Table>) -> Vec<Identifying> {
    real.iter()
        .filter_map(|(described, column)| {
            let [synthetic, holdout] = [Some(synthetic), holdout].map(|table| table?.column(&described.name).ok());
            if described.kind == ColumnKind::Integer {
                return of_numbers(described, column.numbers()?, synthetic?.numbers()?, holdout.and_then(Column::numbers));
            }
            let holdout = holdout.map(|column| texts(column).collect::<Vec<_>>());
            of_column(described, column, &texts(synthetic?).collect::<Vec<_>>(), holdout.as_deref())
        })
        .collect()
}

/// The known values as text.
pub(super) fn texts(column: &Column) -> impl Iterator<Item = Cow<'_, str>> {
    (0..column.len()).filter(|&row| !column.is_missing(row)).filter_map(move |row| match column {
        Column::Number(values) => Some(Cow::Owned(ColumnSchema::new("", whole(values[row])).format_number(values[row]))),
        Column::Category { .. } => column.label(row).map(Cow::Borrowed),
    })
}

/// The kind by which a number is written as an id would be.
fn whole(value: f64) -> ColumnKind {
    if value.fract() == 0.0 { ColumnKind::Integer } else { ColumnKind::Continuous }
}

fn of_column(described: &ColumnSchema, column: &Column, synthetic: &[Cow<str>], holdout: Option<&[Cow<str>]>) -> Option<Identifying> {
    let is_id = is_id(described.kind);
    let is_label = matches!(described.kind, ColumnKind::Categorical | ColumnKind::Boolean);
    if !is_id && !is_label {
        return None;
    }
    let mut counts: HashMap<Cow<str>, usize> = HashMap::new();
    texts(column).for_each(|text| *counts.entry(text).or_default() += 1);
    let known: usize = counts.values().sum();
    let near_unique = described.kind == ColumnKind::Categorical && known >= LEAST_ROWS && 2 * counts.len() >= known;
    let what = match (is_id, near_unique) {
        (true, _) => What::Ids,
        (false, true) => What::NearUnique,
        (false, false) => What::RareLabels,
    };
    // Rows of labels that so many rows have, this one among them, would be identifying.
    let counted = |rows: usize| rows > 0 && (what != What::RareLabels || rows < RARE_ROWS);
    let values = counts.values().filter(|&&rows| counted(rows)).count();
    if values == 0 || synthetic.is_empty() {
        return None;
    }
    let is_real = |text: &Cow<str>| counts.get(text).is_some_and(|&rows| counted(rows));
    let share = |texts: &[Cow<str>]| texts.iter().filter(|text| is_real(text)).count() as f64 / texts.len().max(1) as f64;
    let mut returned: Vec<&Cow<str>> = synthetic.iter().filter(|text| is_real(text)).collect();
    returned.sort_unstable();
    returned.dedup();
    let (reference, rows) = match (what, holdout.filter(|texts| !texts.is_empty())) {
        (What::Ids, _) => (0.0, known),
        (_, Some(texts)) => (share(texts), texts.len()),
        (_, None) => {
            // Each row against the others: its label is then one row rarer.
            let again: usize = counts.values().filter(|&&rows| counted(rows - 1)).sum();
            (again as f64 / known as f64, known)
        }
    };
    let found = share(synthetic);
    let listed = counts.len() >= LISTED_LABELS && 2 * values >= counts.len() && described.kind != ColumnKind::Boolean;
    let beyond = found > reference + chance(reference, [synthetic.len(), rows]);
    let finding = match what {
        _ if found == 0.0 => Finding::Good,
        What::Ids => Finding::Bad,
        What::NearUnique | What::Numbers if beyond => Finding::Bad,
        What::RareLabels if listed && beyond => Finding::Bad,
        What::NearUnique | What::Numbers => Finding::Good,
        What::RareLabels => Finding::Watch,
    };
    let column = described.name.clone();
    Some(Identifying { column, what, values, returned: returned.len(), synthetic: found, reference, finding })
}

/// Whole numbers by their bits, with the number of rows that have each.
fn counted(values: &[f64]) -> HashMap<u64, usize> {
    let mut counts = HashMap::new();
    // + 0.0 makes one number of 0.0 and -0.0.
    values.iter().filter(|value| !value.is_nan()).for_each(|value| *counts.entry((value + 0.0).to_bits()).or_default() += 1);
    counts
}

fn of_numbers(described: &ColumnSchema, real: &[f64], synthetic: &[f64], holdout: Option<&[f64]>) -> Option<Identifying> {
    let mut known: Vec<f64> = real.iter().copied().filter(|value| !value.is_nan()).collect();
    known.sort_unstable_by(f64::total_cmp);
    let counts = counted(&known);
    let long = known.iter().filter(|value| value.abs() >= SIX_DIGITS).count();
    if known.len() < LEAST_NUMBERS || 20 * counts.len() < 19 * known.len() || 2 * long < known.len() {
        return None;
    }
    // A value of many rows is a limit or a filler, not somebody's number.
    let is_real = |bits: &u64| counts.get(bits).is_some_and(|&rows| rows < RARE_ROWS);
    let share = |values: &HashMap<u64, usize>, held: &dyn Fn(&u64) -> bool| {
        values.keys().filter(|bits| held(bits)).count() as f64 / values.len().max(1) as f64
    };
    let (made, values) = (counted(synthetic), counts.values().filter(|&&rows| rows < RARE_ROWS).count());
    let found = share(&made, &is_real);
    let room = (known[known.len() - 1] - known[0]) / described.step.filter(|step| *step >= 1.0).unwrap_or(1.0) + 1.0;
    let again: usize = counts.values().filter(|&&rows| (2..RARE_ROWS).contains(&rows)).sum();
    let mut references = vec![values as f64 / room, again as f64 / known.len() as f64];
    if let Some(held) = holdout.map(counted).filter(|held| !held.is_empty()) {
        let met = share(&made, &|bits| held.contains_key(bits));
        references.extend([share(&held, &is_real), met * values as f64 / held.len() as f64]);
    }
    let reference = references.into_iter().fold(0.0, f64::max).min(1.0);
    let returned = made.keys().filter(|bits| is_real(bits)).count();
    // The model's limits of a column are real values, of which samples have each once or often.
    let beyond = returned > 2 && found > reference + chance(reference, [made.len(), known.len()]);
    let column = described.name.clone();
    beyond.then_some(Identifying { column, what: What::Numbers, values, returned, synthetic: found, reference, finding: Finding::Bad })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(kind: ColumnKind, rows: std::ops::Range<usize>, number: impl Fn(u64) -> f64) -> Table {
        let values = rows.map(|row| number((row as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 20)).collect();
        Table::from_columns(vec![("n", kind, Column::Number(values))]).unwrap()
    }

    #[test]
    fn numbers_of_persons_that_come_back_are_bad() {
        // Nine digits, as social security numbers have.
        let ids = |rows| numbers(ColumnKind::Integer, rows, |random| (random % 900_000_000 + 100_000_000) as f64);
        let (real, holdout) = (ids(0..600), ids(2000..2300));
        for holdout in [Some(&holdout), None] {
            let found = only(&real, &real, holdout);
            assert_eq!((found.what, found.returned, found.synthetic, found.finding), (What::Numbers, 600, 1.0, Finding::Bad));
            assert!(found.reference < 0.001);
            assert_eq!(only(&real, &ids(570..1170), holdout).returned, 30);
            assert!(identifying_values(&real, &ids(600..1200), holdout).is_empty());
        }
    }

    #[test]
    fn measurements_that_repeat_by_chance_are_not_listed() {
        // Skewed as weights of a census are, whole hundreds as salaries are, and a dense run of numbers.
        let weights = |random: u64| ((random % 9_973) as f64 / 9_973.0 * 2.6 + 11.0).exp().round();
        let salaries = |random: u64| ((random % 400_000) as f64 * 100.0) + 2_000_000.0;
        let dense = |random: u64| (random % 3_000_000 / 150 + 100_000) as f64;
        for number in [&weights as &dyn Fn(u64) -> f64, &salaries, &dense] {
            let table = |rows| numbers(ColumnKind::Integer, rows, number);
            let (real, synthetic, holdout) = (table(0..700), table(1000..3000), table(5000..5500));
            let shared = counted(synthetic.columns()[0].numbers().unwrap());
            let real_ones = counted(real.columns()[0].numbers().unwrap());
            assert!(20 * real_ones.len() >= 19 * 700, "{}", real_ones.len());
            assert!(identifying_values(&real, &synthetic, Some(&holdout)).is_empty(), "{}", shared.len());
            assert!(identifying_values(&real, &synthetic, None).is_empty());
            assert_eq!(only(&real, &real, Some(&holdout)).finding, Finding::Bad);
        }
        // Short numbers, numbers with decimals and a limit that many rows have are not looked at.
        let ages = numbers(ColumnKind::Integer, 0..100, |random| (random % 90_000) as f64);
        assert!(identifying_values(&ages, &ages, None).is_empty());
        let amounts = numbers(ColumnKind::Continuous, 0..600, |random| random as f64 / 100.0);
        assert!(identifying_values(&amounts, &amounts, None).is_empty());
    }

    fn table(kind: ColumnKind, rows: usize, label: impl Fn(usize) -> String) -> Table {
        Table::from_columns(vec![
            ("who", kind, Column::from_labels((0..rows).map(|row| Some(label(row))))),
            ("x", ColumnKind::Continuous, Column::Number(vec![0.0; rows])),
        ])
        .unwrap()
    }

    #[track_caller]
    fn only(real: &Table, synthetic: &Table, holdout: Option<&Table>) -> Identifying {
        let mut found = identifying_values(real, synthetic, holdout);
        assert_eq!(found.len(), 1, "{found:?}");
        found.remove(0)
    }

    #[test]
    fn ids_that_come_back_are_bad_with_and_without_a_holdout() {
        let ids = |from: usize| table(ColumnKind::Id, 100, move |row| format!("P-{:04}", from + row));
        let (real, holdout) = (ids(0), ids(500));
        for holdout in [Some(&holdout), None] {
            let found = only(&real, &ids(90), holdout);
            assert_eq!((found.what, found.values, found.returned, found.synthetic, found.reference), (What::Ids, 100, 10, 0.1, 0.0));
            assert_eq!(found.finding, Finding::Bad);
            assert_eq!(only(&real, &ids(100), holdout).finding, Finding::Good);
        }
        // A column of whole numbers in another file is the same ids.
        let numbers = Table::from_columns(vec![("who", ColumnKind::Integer, Column::Number((0..100).map(f64::from).collect()))]).unwrap();
        let real = table(ColumnKind::Id, 100, |row| row.to_string());
        assert_eq!(only(&real, &numbers, None).synthetic, 1.0);
    }

    #[test]
    fn near_unique_texts_are_compared_with_new_rows() {
        let names = |from: usize, rows: usize| table(ColumnKind::Categorical, rows, move |row| format!("name {}", from + row));
        let real = names(0, 400);
        assert_eq!(only(&real, &names(0, 400), None).finding, Finding::Bad);
        assert_eq!(only(&real, &names(360, 400), None).finding, Finding::Bad);
        assert_eq!(only(&real, &names(400, 400), None).finding, Finding::Good);
        // Where new real rows share half of the values, so may synthetic ones.
        let half = names(200, 400);
        let found = only(&real, &half, Some(&half));
        assert_eq!((found.what, found.synthetic, found.reference, found.finding), (What::NearUnique, 0.5, 0.5, Finding::Good));
        assert_eq!(only(&real, &real, Some(&half)).finding, Finding::Bad);
    }

    #[test]
    fn rare_labels_are_bad_in_lists_of_individuals_only() {
        // 60 labels, 50 of them of two rows each, beside ten frequent ones.
        let list = |rare: usize| {
            table(ColumnKind::Categorical, 1000, move |row| match row {
                0..100 => format!("rare {}", if rare > 0 { row % rare } else { 900 + row }),
                _ => format!("frequent {}", row % 10),
            })
        };
        let real = list(50);
        let found = only(&real, &real, None);
        // A row of a label of two meets it again in the other one.
        assert_eq!((found.what, found.values, found.synthetic, found.reference), (What::RareLabels, 50, 0.1, 0.1));
        assert_eq!(found.finding, Finding::Watch);
        assert_eq!(only(&real, &real, Some(&list(0))).finding, Finding::Bad);
        assert_eq!(only(&real, &list(0), None).finding, Finding::Good);
        // Turing: a label of one row is not met again.
        let single = list(100);
        let found = only(&single, &single, None);
        assert_eq!((found.reference, found.finding), (0.0, Finding::Bad));
        for (kind, labels) in [(ColumnKind::Boolean, 2), (ColumnKind::Categorical, 8)] {
            let plain = table(kind, 100, move |row| if row == 0 { "rare".into() } else { format!("{}", row % (labels - 1)) });
            assert_eq!(only(&plain, &plain, None).finding, Finding::Watch);
        }
        assert!(identifying_values(&table(ColumnKind::Boolean, 100, |row| (row % 2).to_string()), &real, None).is_empty());
    }
}
