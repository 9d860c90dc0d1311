//! From the cells of a column to its final storage, as its description says.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::super::column::{Column, MISSING};
use super::super::datetime::{self, Guess};
use super::super::id::IdFormat;
use super::super::infer::{Context, id_of};
use super::super::raw::{Cells, Interner, Numbers, Parsed, RawColumn, infinite_message, mark, parse_number, shorten};
use super::super::schema::{ColumnKind, ColumnSchema, special_number};
use super::super::style::NumberStyle;

type Said<T> = Result<T, String>;

/// Stores a column as its description says, and completes the description (id shape, constant value, datetime format).
pub(super) fn build(raw: RawColumn, described: &mut ColumnSchema, context: &Context) -> Said<Column> {
    match described.kind {
        ColumnKind::Integer | ColumnKind::Continuous => numbers(raw, described, context).map(Column::Number),
        ColumnKind::Datetime => datetimes(raw, described).map(Column::Number),
        ColumnKind::Categorical | ColumnKind::Text => Ok(categories(raw, described)),
        ColumnKind::Boolean => boolean(raw, described),
        ColumnKind::Constant => constant(raw, described),
        ColumnKind::Id | ColumnKind::Key => {
            let name = raw.name.clone();
            if described.id.is_none() {
                described.id = id_of(&raw);
            }
            let column = categories(raw, described);
            described.id = described.id.take().or_else(|| Some(IdFormat::of_column(&name, &column)));
            Ok(column)
        }
    }
}

fn boolean(raw: RawColumn, described: &mut ColumnSchema) -> Said<Column> {
    let name = raw.name.clone();
    let Column::Category { mut codes, levels } = categories(raw, described) else {
        return Err(format!("column \"{name}\" is not boolean"));
    };
    // `true`, `True` and `TRUE` are one value, in the spelling that comes first.
    let mut kept: Vec<String> = Vec::new();
    let places: Vec<u32> = levels
        .iter()
        .map(|level| match kept.iter().position(|known| known.trim().eq_ignore_ascii_case(level.trim())) {
            Some(place) => place as u32,
            None => {
                kept.push(level.clone());
                kept.len() as u32 - 1
            }
        })
        .collect();
    if let Some(third) = kept.get(2) {
        let third = shorten(third);
        return Err(format!(
            "column \"{name}\" is declared boolean but has {} values, among them \"{third}\"; declare it categorical",
            kept.len()
        ));
    }
    codes.iter_mut().filter(|code| **code != MISSING).for_each(|code| *code = places[*code as usize]);
    Ok(Column::Category { codes, levels: Arc::new(kept) })
}

fn constant(raw: RawColumn, described: &mut ColumnSchema) -> Said<Column> {
    let name = raw.name.clone();
    let column = categories(raw, described);
    let levels = column.categories().map_or(&[][..], |(_, levels)| levels);
    if let Some(second) = levels.get(1) {
        let (first, second) = (shorten(&levels[0]), shorten(second));
        return Err(format!("column \"{name}\" is declared constant but holds \"{first}\" and \"{second}\"; declare it categorical"));
    }
    if described.value.is_none() {
        described.value = levels.first().cloned();
    }
    Ok(column)
}

/// Labels in the order of first appearance, or in numeric order when all are numbers.
fn categories(mut raw: RawColumn, described: &mut ColumnSchema) -> Column {
    let only_marks = raw.missing + raw.marked == raw.rows();
    let marks_are_missing =
        matches!(described.kind, ColumnKind::Boolean | ColumnKind::Id | ColumnKind::Key | ColumnKind::Text) && !raw.nulls;
    let (mut codes, mut levels) = match raw.cells {
        Cells::Numbers(ref cells) if !only_marks && raw.datetime.is_none() => intern_numbers(cells),
        _ => {
            raw.become_text();
            let Cells::Texts { codes, texts } = raw.cells else { return Column::from_labels::<&str>([]) };
            without_marks(codes, &texts, marks_are_missing)
        }
    };
    sort_numeric(&mut codes, &mut levels);
    if described.data_type.is_none() && !levels.is_empty() {
        described.data_type = label_type(&levels).map(str::to_owned);
    }
    Column::Category { codes, levels: Arc::new(levels) }
}

/// The labels, those that mark a missing value left out if they do here.
fn without_marks(mut codes: Vec<u32>, texts: &Interner, marks_are_missing: bool) -> (Vec<u32>, Vec<String>) {
    let mut levels = Vec::with_capacity(texts.len());
    let places: Vec<u32> = texts
        .iter()
        .map(|text| {
            if marks_are_missing && mark(text.trim()).is_some() {
                return MISSING;
            }
            levels.push(text.to_owned());
            levels.len() as u32 - 1
        })
        .collect();
    if levels.len() < texts.len() {
        codes.iter_mut().filter(|code| **code != MISSING).for_each(|code| *code = places[*code as usize]);
    }
    (codes, levels)
}

/// The type of labels that are all whole numbers or booleans.
fn label_type(levels: &[String]) -> Option<&'static str> {
    let whole =
        |level: &String| matches!(parse_number(level), Parsed::Number(value) if value.fract() == 0.0 && !level.contains(['.', 'e', 'E']));
    if levels.iter().all(whole) {
        return Some("Int64");
    }
    let is_bool = |level: &String| level.eq_ignore_ascii_case("true") || level.eq_ignore_ascii_case("false");
    levels.iter().all(is_bool).then_some("Boolean")
}

/// The labels of numbers; `1` and `1.0` are one value, in the spelling that comes first.
fn intern_numbers(cells: &Numbers) -> (Vec<u32>, Vec<String>) {
    let mut levels: Vec<String> = Vec::new();
    let mut known: HashMap<u64, u32> = HashMap::new();
    let mut large: HashMap<String, u32> = HashMap::new();
    let add = |levels: &mut Vec<String>, row: usize| {
        levels.push(cells.text(row));
        levels.len() as u32 - 1
    };
    let codes = (0..cells.values.len())
        .map(|row| match cells.values[row] {
            value if value.is_nan() => MISSING,
            // Rounded neighbours are told apart by their texts.
            value if value.abs() >= super::super::raw::EXACT => {
                let text = cells.text(row);
                match large.get(&text) {
                    Some(&code) => code,
                    None => {
                        let code = add(&mut levels, row);
                        large.insert(text, code);
                        code
                    }
                }
            }
            value => *known.entry((value + 0.0).to_bits()).or_insert_with(|| add(&mut levels, row)),
        })
        .collect();
    (codes, levels)
}

fn sort_numeric(codes: &mut [u32], levels: &mut Vec<String>) {
    let numbers: Option<Vec<f64>> = levels
        .iter()
        .map(|level| match parse_number(level) {
            Parsed::Number(value) | Parsed::Large(value) => Some(value),
            _ => None,
        })
        .collect();
    let Some(numbers) = numbers else { return };
    let mut order: Vec<usize> = (0..levels.len()).collect();
    // Equal numbers written differently keep a fixed order through their texts.
    order.sort_by(|&a, &b| numbers[a].total_cmp(&numbers[b]).then_with(|| levels[a].cmp(&levels[b])));
    let mut rank = vec![0; order.len()];
    order.iter().enumerate().for_each(|(new, &old)| rank[old] = new as u32);
    codes.iter_mut().filter(|code| **code != MISSING).for_each(|code| *code = rank[*code as usize]);
    *levels = order.iter().map(|&old| std::mem::take(&mut levels[old])).collect();
}

fn numbers(raw: RawColumn, described: &mut ColumnSchema, context: &Context) -> Said<Vec<f64>> {
    let name = raw.name.clone();
    let values = match raw.cells {
        Cells::Numbers(cells) => {
            if let Some((row, text)) = &raw.infinite {
                return Err(infinite_message(&name, *row, text));
            }
            cells.values
        }
        Cells::Texts { codes, texts } => {
            let is_mark = |text: &str| !raw.nulls && mark(text.trim()).is_some();
            let mut parsed = parsed(&texts, described, is_mark);
            if described.style.is_none() && described.special.is_empty() && parsed.contains(&None) {
                // The numbers of a declared column may still be written in the style of a country.
                let guess = NumberStyle::guess(texts.iter().filter(|text| !is_mark(text)), context.comma_is_decimal);
                if let Some((style, _)) = guess.filter(|(style, _)| !style.is_plain()) {
                    described.style = Some(style);
                    parsed = self::parsed(&texts, described, is_mark);
                }
            }
            refuse_text(&name, &codes, &texts, &parsed, "not numbers", "declare the column categorical in a schema")?;
            codes.iter().map(|&code| parsed.get(code as usize).copied().flatten().unwrap_or(f64::NAN)).collect()
        }
    };
    if described.kind == ColumnKind::Integer
        && let Some(row) = values.iter().position(|value| !value.is_nan() && value.fract() != 0.0)
    {
        let value = values[row];
        return Err(format!(
            "column \"{name}\" is declared integer but row {} is {value}, which is not a whole number; declare it continuous",
            row + 1
        ));
    }
    Ok(values)
}

/// The texts as numbers: missing values as NaN, what is no number as `None`.
fn parsed(texts: &Interner, described: &ColumnSchema, is_mark: impl Fn(&str) -> bool) -> Vec<Option<f64>> {
    let is_special = |text: &str| described.special.iter().any(|special| special == text.trim());
    texts.iter().map(|text| if is_mark(text) && !is_special(text) { Some(f64::NAN) } else { described.parse_number(text) }).collect()
}

fn datetimes(raw: RawColumn, described: &mut ColumnSchema) -> Said<Vec<f64>> {
    let (name, mut raw) = (raw.name.clone(), raw);
    if raw.datetime.is_some()
        && let Cells::Numbers(cells) = raw.cells
    {
        described.format = described.format.take().or(raw.datetime);
        described.zone = described.zone.take().or(raw.zone);
        let plain = ColumnSchema { special: Vec::new(), ..described.clone() };
        let special: Vec<Option<f64>> = described.special.iter().map(|text| plain.parse_number(text)).collect();
        let place = |value: f64| special.iter().position(|special| *special == Some(value));
        return Ok(cells.values.into_iter().map(|value| place(value).map_or(value, special_number)).collect());
    }
    raw.become_text();
    let has_nulls = raw.nulls;
    let Cells::Texts { codes, texts } = raw.cells else { return Ok(Vec::new()) };
    let is_mark = |text: &str| !has_nulls && mark(text.trim()).is_some();
    let real = || texts.iter().filter(|text| !is_mark(text));
    let format = match &described.format {
        Some(format) => {
            datetime::check_format(format).map_err(|why| format!("column \"{name}\": {why}"))?;
            format.clone()
        }
        None if real().all(|text| datetime::parse(datetime::DEFAULT_FORMAT, None, text.trim()).is_some()) => {
            datetime::DEFAULT_FORMAT.to_owned()
        }
        None => match datetime::guess(real()) {
            Guess::Format { format, other, .. } => {
                described.special = other;
                format
            }
            Guess::Ambiguous(one, other) => {
                return Err(format!(
                    "column \"{name}\": the order of day and month is ambiguous; give its format, \"{one}\" or \"{other}\", in a schema"
                ));
            }
            Guess::None => {
                let example = shorten(texts.get(0));
                return Err(format!(
                    "column \"{name}\": its datetimes, such as \"{example}\", have no common known format; give it in a schema (format = \"%Y-%m-%d\")"
                ));
            }
        },
    };
    if described.zone.is_none() {
        described.zone = datetime::zone(&format, real());
    }
    described.format = Some(format);
    let parsed = parsed(&texts, described, is_mark);
    let format = described.format.as_deref().unwrap_or_default();
    refuse_text(&name, &codes, &texts, &parsed, &format!("not of the format \"{format}\""), "correct them")?;
    Ok(codes.iter().map(|&code| parsed.get(code as usize).copied().flatten().unwrap_or(f64::NAN)).collect())
}

/// An error that counts and shows the texts that did not parse, if there are any.
fn refuse_text(name: &str, codes: &[u32], texts: &Interner, parsed: &[Option<f64>], are: &str, or: &str) -> Said<()> {
    let bad = |code: u32| code != MISSING && parsed[code as usize].is_none();
    let Some(first) = codes.iter().position(|&code| bad(code)) else { return Ok(()) };
    let count = codes.iter().filter(|&&code| bad(code)).count();
    let different: HashSet<u32> = codes.iter().copied().filter(|&code| bad(code)).collect();
    let text = shorten(texts.get(codes[first]));
    let more = if different.len() > 1 { format!(" and {} others", different.len() - 1) } else { String::new() };
    Err(format!(
        "column \"{name}\": {count} of {} values are {are} (first: row {} \"{text}\"{more}); take \"{text}\" for missing (--missing \"{text}\"), or {or}",
        codes.len(),
        first + 1
    ))
}
