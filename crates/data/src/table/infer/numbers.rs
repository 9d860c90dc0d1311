//! What a column of numbers is.

use std::collections::HashSet;

use super::super::raw::{Cells, EXACT, Numbers, RawColumn};
use super::super::schema::{ColumnKind, ColumnSchema};
use super::super::style::NumberStyle;
use super::super::{datetime, id::IdFormat};
use super::{Decision, FEW, ID_ROWS, Meaning, is_boolean, meaning, named, remedy};

/// Different values that must agree before a step is learnt.
const STEP_VALUES: usize = 20;
/// The most different codes of a column that are categories.
const MOST_CODES: usize = 1_000;

pub(super) fn infer(raw: &RawColumn, numbers: &Numbers) -> Decision {
    let rows = raw.rows();
    let absent = raw.missing + raw.marked;
    let whole = numbers.present().all(|value| value.fract() == 0.0 || value.is_infinite());
    let few = few(numbers);
    if let Some(few) = &few {
        if few.len() == 1 && absent == 0 && rows > 1 {
            return Decision::plain(ColumnKind::Constant);
        }
        if is_boolean(few.iter().map(String::as_str)) {
            return Decision::plain(ColumnKind::Boolean);
        }
    }
    if whole
        && rows >= 3
        && let Some(format) = datetime::whole_number_format(numbers.present())
    {
        return dates(numbers, format);
    }
    if whole && let Some(decision) = whole_numbers(raw, numbers, few.as_deref()) {
        return decision;
    }
    quantity(raw, numbers, whole)
}

fn dates(numbers: &Numbers, format: &'static str) -> Decision {
    let times: Vec<f64> = numbers.present().filter_map(|value| datetime::parse(format, None, &value.to_string())).collect();
    let mut decision = Decision::noted(
        ColumnKind::Datetime,
        format!("whole numbers that are all dates of the form {format}; read as datetime; {}", remedy("integer")),
    );
    decision.schema.format = Some(format.to_owned());
    super::dates::learn_grain(&mut decision.schema, times.iter().copied());
    decision
}

/// Whole numbers that are no quantity: categories, codes, ids and keys.
fn whole_numbers(raw: &RawColumn, numbers: &Numbers, few: Option<&[String]>) -> Option<Decision> {
    let rows = raw.rows();
    let present = rows - raw.missing - raw.marked;
    let distinct = numbers.present().map(f64::to_bits).collect::<HashSet<_>>().len();
    // A large number is rounded; its text tells it from its neighbours.
    let distinct = if raw.large > 0 { distinct.max(distinct_texts(numbers)) } else { distinct };
    if meaning(&raw.name) != Meaning::Id
        && let Some(few) = few.filter(|few| few.len() <= rows / 10)
    {
        let note = format!("whole numbers with only {} different values; read as categorical; {}", few.len(), remedy("integer"));
        return Some(Decision::noted(ColumnKind::Categorical, note));
    }
    if let Some(decision) = named(raw, present, distinct, false) {
        return Some(decision);
    }
    if counts_rows(numbers, distinct) {
        let note = format!("whole numbers, each once, that count the rows; read as id; {}", remedy("integer"));
        return Some(Decision::noted(ColumnKind::Id, note));
    }
    looks_like_codes(&raw.name, numbers, distinct, present).then(|| {
        let note = format!("{distinct} different whole numbers of one length; read as codes (categorical); {}", remedy("integer"));
        Decision::noted(ColumnKind::Categorical, note)
    })
}

fn quantity(raw: &RawColumn, numbers: &Numbers, whole: bool) -> Decision {
    let decimals = numbers.decimals();
    let mut notes = Vec::new();
    if raw.large > 0 {
        let note = format!(
            "{} whole numbers beyond 2^53 are rounded to about 16 digits; kind = \"id\" in a schema keeps a column of names exact",
            raw.large
        );
        notes.push(note);
    }
    if whole {
        let mut schema = ColumnSchema::new("", ColumnKind::Integer);
        let pointed = decimals.filter(|&(fewest, most)| fewest == most && most > 0).map(|(fewest, _)| fewest);
        schema.decimals = pointed;
        if decimals.is_some_and(|(_, most)| most > 0) {
            notes.push(format!("every value is whole, though written with a decimal point; read as integer; {}", remedy("continuous")));
        }
        if raw.data_type.is_none() && numbers.present().any(|value| value.abs() >= 9.2e18) {
            schema.data_type = Some("Float64".into());
        }
        learn_step(&mut schema, numbers.present(), 1.0);
        return Decision { schema, notes };
    }
    let mut schema = ColumnSchema { decimals: decimals.map(|(_, most)| most), ..ColumnSchema::new("", ColumnKind::Continuous) };
    if let Some((fewest, most)) = decimals.filter(|(fewest, most)| fewest < most) {
        schema.style = Some(NumberStyle { min_decimals: Some(fewest), ..NumberStyle::default() });
        schema.step = usual_step(numbers, most);
        if schema.step.is_none() {
            learn_step(&mut schema, numbers.present(), 10f64.powi(i32::from(most)));
        }
    } else if let Some((_, most)) = decimals {
        learn_step(&mut schema, numbers.present(), 10f64.powi(i32::from(most)));
    }
    Decision { schema, notes }
}

/// The share of values that may lie off the usual step of a column, such as means among whole numbers.
const OFF_STEP: f64 = 0.005;

/// The step that nearly all values have, if it is coarser than that of all decimals.
fn usual_step(numbers: &Numbers, most: u8) -> Option<f64> {
    let present = numbers.present().count();
    let on_step = |decimals: &u8| {
        let scale = 10f64.powi(i32::from(*decimals));
        let on = numbers.present().filter(|value| ((value * scale).round() / scale - value).abs() < 1e-12 * value.abs().max(1.0)).count();
        present >= 100 && (present - on) as f64 <= OFF_STEP * present as f64
    };
    (0..most).find(on_step).map(|decimals| 10f64.powi(-i32::from(decimals)))
}

/// Learns a step coarser than that of the decimals, if all values have it. `scale` makes the values whole.
pub(super) fn learn_step(schema: &mut ColumnSchema, values: impl Iterator<Item = f64> + Clone, scale: f64) {
    let whole = values.map(|value| (value * scale).round());
    let Some(first) = whole.clone().next() else { return };
    let (mut step, mut seen) = (0, HashSet::new());
    for value in whole.clone() {
        if value.abs() >= EXACT {
            return;
        }
        step = datetime::gcd((value - first).abs() as i64, step);
        if step == 1 {
            return;
        }
        if seen.len() < STEP_VALUES {
            seen.insert(value.to_bits());
        }
    }
    if step > 1 && seen.len() >= STEP_VALUES {
        let origin = first.rem_euclid(step as f64);
        schema.step = Some(step as f64 / scale);
        schema.origin = (origin != 0.0).then_some(origin / scale);
    }
}

/// The different values as texts, unless there are more than a few.
fn few(numbers: &Numbers) -> Option<Vec<String>> {
    let mut keys: Vec<u64> = Vec::new();
    for value in numbers.present() {
        let key = (value + 0.0).to_bits();
        if !keys.contains(&key) {
            keys.push(key);
            if keys.len() > FEW {
                return None;
            }
        }
    }
    Some(keys.into_iter().map(|key| f64::from_bits(key).to_string()).collect())
}

fn distinct_texts(numbers: &Numbers) -> usize {
    (0..numbers.values.len()).filter(|&row| !numbers.values[row].is_nan()).map(|row| numbers.text(row)).collect::<HashSet<_>>().len()
}

/// Whether the numbers count 1, 2, 3 down the file, with at most as many left out as there are.
fn counts_rows(numbers: &Numbers, distinct: usize) -> bool {
    let mut values = numbers.present();
    let present = numbers.present().count();
    let (Some(first), Some(last)) = (values.clone().next(), numbers.present().last()) else { return false };
    // 1990, 1991, 1992... counts too, but is a year.
    let years = values.clone().all(|value| (1500.0..2500.0).contains(&value));
    let mut before = f64::NEG_INFINITY;
    let rising = values.all(|value| std::mem::replace(&mut before, value) < value);
    distinct == present && present >= ID_ROWS && rising && last - first < 2.0 * present as f64 && !years
}

/// Whether whole numbers are codes: of one length, few for the rows, and either called so or without the order that quantities have, where
/// neighbouring values are about equally frequent.
fn looks_like_codes(name: &str, numbers: &Numbers, distinct: usize, present: usize) -> bool {
    let meaning = meaning(name);
    let (low, high) = numbers.present().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)));
    let digits = |value: f64| value.log10().floor() as i32 + 1;
    if !(low >= 1.0 && high < 1e10 && digits(low) == digits(high) && digits(low) >= 3) || meaning == Meaning::Time {
        return meaning == Meaning::Code && low >= 0.0 && high < 1e10 && distinct * 2 <= present;
    }
    if meaning == Meaning::Code {
        return true;
    }
    if !(20..=MOST_CODES).contains(&distinct) || present < 20 * distinct {
        return false;
    }
    let mut counts: Vec<f64> = vec![0.0; (high - low) as usize + 1];
    if counts.len() > 100 * distinct {
        return false;
    }
    numbers.present().for_each(|value| counts[(value - low) as usize] += 1.0);
    // Round numbers are favoured among quantities too; then every tenth is higher than its neighbours.
    let round: f64 = counts.iter().enumerate().filter(|(place, _)| (low as usize + place).is_multiple_of(5)).map(|(_, count)| count).sum();
    if round > 0.3 * present as f64 {
        return false;
    }
    let mean = present as f64 / counts.len() as f64;
    let variance = counts.iter().map(|count| (count - mean).powi(2)).sum::<f64>() / counts.len() as f64;
    let steps = counts.windows(2).map(|pair| (pair[1] - pair[0]).powi(2)).sum::<f64>() / (counts.len() - 1).max(1) as f64;
    // Independent neighbours differ by twice the variance, those of a smooth density by twice the mean at most.
    steps > 1.2 * variance && steps > 8.0 * mean
}

/// The ids of a column of numbers go on where these end.
pub(crate) fn id_of(raw: &RawColumn) -> Option<IdFormat> {
    let Cells::Numbers(numbers) = &raw.cells else { return None };
    let texts: Vec<String> = (0..numbers.values.len()).filter(|&row| !numbers.values[row].is_nan()).map(|row| numbers.text(row)).collect();
    IdFormat::of_texts(&texts)
}
