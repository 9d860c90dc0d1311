//! From the cells of a column to its final storage, as its description says.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::super::column::{Column, MISSING};
use super::super::datetime::{self, Guess};
use super::super::id::IdFormat;
use super::super::raw::{Cells, EXACT, Interner, Numbers, Parsed, RawColumn, infinite_message, parse_number, shorten};
use super::super::schema::{ColumnKind, ColumnSchema};

type Said<T> = Result<T, String>;

/// Stores a column as its description says, and completes the description (id shape, constant value, datetime format).
pub(super) fn build(raw: RawColumn, described: &mut ColumnSchema) -> Said<Column> {
    match described.kind {
        ColumnKind::Integer | ColumnKind::Continuous => numbers(raw, described).map(Column::Number),
        ColumnKind::Datetime => datetimes(raw, described).map(Column::Number),
        ColumnKind::Categorical => Ok(categories(raw)),
        ColumnKind::Boolean => {
            let (name, column) = (raw.name.clone(), categories(raw));
            match column.categories() {
                Some((_, levels)) if levels.len() > 2 => {
                    let third = shorten(&levels[2]);
                    Err(format!(
                        "column \"{name}\" is declared boolean but has {} values, among them \"{third}\"; declare it categorical",
                        levels.len()
                    ))
                }
                _ => Ok(column),
            }
        }
        ColumnKind::Constant => constant(raw, described),
        ColumnKind::Id => {
            let name = raw.name.clone();
            let column = categories(raw);
            described.id = described.id.take().or_else(|| Some(IdFormat::of_column(&name, &column)));
            Ok(column)
        }
    }
}

fn constant(raw: RawColumn, described: &mut ColumnSchema) -> Said<Column> {
    let name = raw.name.clone();
    let column = categories(raw);
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
fn categories(mut raw: RawColumn) -> Column {
    let (mut codes, mut levels) = match raw.cells {
        Cells::Numbers(ref cells) if cells.values.len() > 1_000 => intern_numbers(cells),
        _ => {
            raw.become_text();
            let Cells::Texts { codes, texts } = raw.cells else { return Column::from_labels::<&str>([]) };
            let levels = texts.iter().map(str::to_owned).collect();
            (codes, levels)
        }
    };
    sort_numeric(&mut codes, &mut levels);
    Column::Category { codes, levels: Arc::new(levels) }
}

/// As [`RawColumn::become_text`], but makes the text of each different number only once.
fn intern_numbers(cells: &Numbers) -> (Vec<u32>, Vec<String>) {
    let mut texts = Interner::default();
    let mut known: HashMap<(u64, u8), u32> = HashMap::new();
    let mut code_of = |row: usize| match cells.key(row) {
        Some(key) => *known.entry(key).or_insert_with(|| texts.code(&cells.text(row))),
        None => texts.code(&cells.text(row)),
    };
    let codes = cells.values.iter().enumerate().map(|(row, value)| if value.is_nan() { MISSING } else { code_of(row) }).collect();
    (codes, texts.iter().map(str::to_owned).collect())
}

fn sort_numeric(codes: &mut [u32], levels: &mut Vec<String>) {
    let numbers: Option<Vec<f64>> = levels
        .iter()
        .map(|level| match parse_number(level) {
            Parsed::Number(value) => Some(value),
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

fn numbers(raw: RawColumn, described: &ColumnSchema) -> Said<Vec<f64>> {
    let name = raw.name.clone();
    let values = match raw.cells {
        Cells::Numbers(cells) => {
            if let Some((row, text)) = &raw.infinite {
                return Err(infinite_message(&name, *row, text));
            }
            cells.values
        }
        Cells::Texts { codes, texts } => {
            let parsed: Vec<Option<f64>> = texts.iter().map(|text| declared_number(text, described.kind)).collect();
            refuse_text(&name, &codes, &texts, &parsed, "not numbers", "declare the column categorical")?;
            codes.iter().map(|&code| parsed.get(code as usize).copied().flatten().unwrap_or(f64::NAN)).collect()
        }
    };
    if described.kind == ColumnKind::Integer {
        let whole = |value: f64| value.is_nan() || (value.fract() == 0.0 && value.abs() < EXACT);
        if let Some(row) = values.iter().position(|&value| !whole(value)) {
            let value = values[row];
            return Err(format!(
                "column \"{name}\" is declared integer but row {} is {value}, which is not a whole number below 2^53; declare it continuous",
                row + 1
            ));
        }
    }
    Ok(values)
}

/// A number where a number was declared: padded ones such as `007` are fine then, and whole ones that `f64` rounds if the column is not.
fn declared_number(text: &str, kind: ColumnKind) -> Option<f64> {
    match parse_number(text.trim()) {
        Parsed::Number(value) => Some(value),
        Parsed::Infinite => None,
        Parsed::Text => {
            let value: f64 = text.trim().parse().ok()?;
            (value.is_finite() && (kind == ColumnKind::Continuous || value.abs() < EXACT)).then_some(value)
        }
    }
}

fn datetimes(raw: RawColumn, described: &mut ColumnSchema) -> Said<Vec<f64>> {
    let (name, mut raw) = (raw.name.clone(), raw);
    if raw.datetime.is_some()
        && let Cells::Numbers(cells) = raw.cells
    {
        described.format = described.format.take().or(raw.datetime.map(String::from));
        return Ok(cells.values);
    }
    raw.become_text();
    let Cells::Texts { codes, texts } = raw.cells else { return Ok(Vec::new()) };
    let format = match (&described.format, datetime::guess(texts.iter())) {
        (Some(format), _) => {
            datetime::check_format(format).map_err(|why| format!("column \"{name}\": {why}"))?;
            format.clone()
        }
        (None, Guess::Format(format)) => format.to_owned(),
        (None, Guess::Ambiguous(one, other)) => {
            return Err(format!("column \"{name}\": the order of day and month is ambiguous; give its format, \"{one}\" or \"{other}\""));
        }
        (None, Guess::None) if texts.len() == 0 => datetime::DEFAULT_FORMAT.to_owned(),
        (None, Guess::None) => {
            let example = shorten(texts.get(0));
            return Err(format!(
                "column \"{name}\": its datetimes, such as \"{example}\", have no common known format; give it in the schema (format = \"%Y-%m-%d\")"
            ));
        }
    };
    let parsed: Vec<Option<f64>> = texts.iter().map(|text| datetime::parse(&format, text.trim())).collect();
    refuse_text(&name, &codes, &texts, &parsed, &format!("not of the format \"{format}\""), "correct them")?;
    described.format = Some(format);
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
        "column \"{name}\": {count} of {} values are {are} (first: row {} \"{text}\"{more}); mark \"{text}\" as missing with missing = [\"{text}\"], or {or}",
        codes.len(),
        first + 1
    ))
}
