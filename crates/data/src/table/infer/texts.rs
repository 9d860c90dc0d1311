//! What a column of texts is.

use super::super::column::MISSING;
use super::super::raw::{Interner, Parsed, RawColumn, parse_number, shorten};
use super::super::schema::{ColumnKind, ColumnSchema, Protect};
use super::super::style::NumberStyle;
use super::numbers::learn_step;
use super::{Context, Decision, ID_ROWS, Meaning, SPECIAL, dates, is_boolean, mark_of, meaning, named, remedy};

/// Different numbers beside which a few texts stand for something special.
const SPECIAL_BESIDE: usize = 10;
/// With so few different texts they are labels, however few rows there are.
const FEW_RARE: usize = 5;
/// The mean length and number of words of texts that are prose.
const PROSE: (f64, f64) = (40.0, 5.0);
/// So many different texts are enough to learn from.
const ENOUGH_TEXTS: usize = 200;

pub(super) fn infer(raw: &RawColumn, codes: &[u32], texts: &Interner, context: &Context) -> Decision {
    let marks = !raw.nulls;
    let is_mark = |text: &str| marks && mark_of(text).is_some();
    let real = || texts.iter().filter(|text| !is_mark(text));
    let distinct = real().count();
    let present = codes.iter().filter(|&&code| code != MISSING && !(marks && is_mark(texts.get(code)))).count();
    if texts.len() == 1 && raw.missing == 0 && raw.rows() > 1 {
        return Decision::plain(ColumnKind::Constant);
    }
    if distinct <= 8 && is_boolean(real()) {
        return Decision::plain(ColumnKind::Boolean);
    }
    if distinct > 0
        && let Some(decision) = dates::of_texts(real())
    {
        return decision;
    }
    let all: Vec<&str> = real().collect();
    if let Some(decision) = numbers(raw, &all, context) {
        return decision;
    }
    let free = || free_texts(&all, present, distinct).filter(|_| meaning(&raw.name) != Meaning::Id);
    if let Some(decision) = free().or_else(|| named(raw, present, distinct, true)).or_else(|| identifying(&all, present, distinct)) {
        return decision;
    }
    if let Some(decision) = nothing_frequent(codes, present, distinct).filter(|_| meaning(&raw.name) != Meaning::Code) {
        return decision;
    }
    // What means a missing value elsewhere is a label like others here.
    let (distinct, present) = (texts.len(), raw.rows() - raw.missing);
    let note = (distinct > 20 && distinct * 2 > present).then(|| {
        format!("{distinct} different texts in {present} rows; read as categorical, so rare ones are replaced; drop it (--drop), or set kind = \"id\" in a schema")
    });
    Decision { notes: note.into_iter().collect(), ..Decision::plain(ColumnKind::Categorical) }
}

/// Texts of which none is held by several rows: as labels all of them would be replaced.
fn nothing_frequent(codes: &[u32], present: usize, distinct: usize) -> Option<Decision> {
    let mut counts: std::collections::HashMap<u32, u64> = std::collections::HashMap::new();
    codes.iter().filter(|&&code| code != MISSING).for_each(|&code| *counts.entry(code).or_default() += 1);
    let most = counts.values().copied().max().unwrap_or(0);
    (distinct > FEW_RARE && most < Protect::default().rare).then(|| {
        let kind = if present == distinct { ColumnKind::Id } else { ColumnKind::Key };
        let note = format!(
            "{distinct} different texts in {present} rows, each in {most} rows at most; read as {kind}, so new ones are made and none is learnt; {}",
            remedy("categorical")
        );
        Decision::noted(kind, note)
    })
}

/// Numbers in the style of a country or with a currency sign, and numbers with a few texts among them.
fn numbers(raw: &RawColumn, all: &[&str], context: &Context) -> Option<Decision> {
    let is_plain = |text: &&&str| matches!(parse_number(text.trim()), Parsed::Number(_) | Parsed::Large(_));
    let plain = all.iter().filter(is_plain).count();
    let odd: Vec<&str> = all.iter().filter(|text| !is_plain(text)).take(SPECIAL + 1).copied().collect();
    // Codes such as 01581 are texts, however few begin with a zero; so are telephone numbers.
    let codes = |text: &str| text.trim_start_matches('+').trim().bytes().all(|byte| byte.is_ascii_digit());
    if odd.iter().any(|text| codes(text)) {
        return None;
    }
    if odd.len() <= SPECIAL && plain >= SPECIAL_BESIDE.max(4 * odd.len()) {
        let shown = odd.iter().map(|text| format!("\"{}\"", shorten(text))).collect::<Vec<_>>().join(", ");
        let mut decision = quantity(all.iter().filter(is_plain).map(|text| (*text).trim().to_owned()).collect(), NumberStyle::default());
        decision.schema.special = odd.iter().map(|text| text.trim().to_owned()).collect();
        if !odd.is_empty() {
            let as_missing = odd.iter().map(|text| format!("--missing \"{}\"", shorten(text.trim()))).collect::<Vec<_>>().join(" ");
            decision.notes.push(format!(
                "numbers but for {shown}, kept as special values and not as numbers; {as_missing} takes them for missing, and kind = \"categorical\" in a schema for labels"
            ));
        }
        if raw.rows() > all.len() * 100 && all.len() < 20 {
            return None;
        }
        return Some(decision);
    }
    let (style, doubtful) = NumberStyle::guess(all.iter().copied(), context.comma_is_decimal)?;
    if style.is_plain() {
        return None;
    }
    let bare: Vec<String> = all.iter().filter_map(|text| style.bare(text)).collect();
    let example = shorten(all.first()?);
    let mut decision = quantity(bare, style);
    let schema = &decision.schema;
    let read = schema.parse_number(all.first()?).map(|value| value.to_string()).unwrap_or_default();
    let doubt =
        if doubtful { "; other readings are possible, which style in a schema (`semblant fit --write-schema`) decides" } else { "" };
    decision.notes.push(format!("\"{example}\" is read as the number {read}, and written back in that style{doubt}"));
    Some(decision)
}

/// A quantity of bare numbers.
fn quantity(bare: Vec<String>, style: NumberStyle) -> Decision {
    let decimals = |text: &String| text.split_once('.').map_or(0, |(_, fraction)| fraction.len().min(15) as u8);
    let (fewest, most) = bare.iter().map(decimals).fold((u8::MAX, 0), |(low, high), n| (low.min(n), high.max(n)));
    let exponents = bare.iter().any(|text| text.contains(['e', 'E']));
    let values: Vec<f64> = bare.iter().filter_map(|text| text.parse().ok()).collect();
    let whole = values.iter().all(|value| value.fract() == 0.0) && most == 0;
    let kind = if whole { ColumnKind::Integer } else { ColumnKind::Continuous };
    let mut schema = ColumnSchema { decimals: (!whole && !exponents).then_some(most), ..ColumnSchema::new("", kind) };
    let style = NumberStyle { min_decimals: (fewest < most).then_some(fewest), ..style };
    schema.style = (style != NumberStyle::default()).then_some(style);
    learn_step(&mut schema, values.iter().copied(), if whole { 1.0 } else { 10f64.powi(i32::from(most)) });
    Decision { schema, notes: Vec::new() }
}

/// Up to 2,000 of some texts.
fn some<'a>(all: &[&'a str]) -> Vec<&'a str> {
    all.iter().step_by(all.len().div_ceil(2_000).max(1)).copied().collect()
}

/// Prose, of which there is enough to learn from.
fn free_texts(all: &[&str], present: usize, distinct: usize) -> Option<Decision> {
    (distinct >= ENOUGH_TEXTS && distinct * 2 > present && is_prose(&some(all))).then(|| {
        let note = format!(
            "free texts; a model of text learns them, each given the other columns of its row; leave the column out with --drop, or {}",
            remedy("id")
        );
        Decision::noted(ColumnKind::Text, note)
    })
}

/// E-mail addresses, telephone numbers and a little prose, whatever their column is called.
fn identifying(all: &[&str], present: usize, distinct: usize) -> Option<Decision> {
    let sample = some(all);
    if sample.len() < 5 {
        return None;
    }
    let most = |test: &dyn Fn(&str) -> bool| sample.iter().filter(|text| test(text)).count() * 10 >= sample.len() * 9;
    let what = if most(&is_email) {
        "e-mail addresses"
    } else if most(&is_phone) {
        "telephone numbers"
    } else if is_prose(&sample) && distinct * 2 > present {
        "free texts"
    } else {
        return None;
    };
    let unique = distinct as f64 > 0.95 * present as f64 || present < ID_ROWS;
    let kind = if unique { ColumnKind::Id } else { ColumnKind::Key };
    Some(Decision::noted(
        kind,
        format!("{what}; read as {kind}, so new texts of the same form are made and none is learnt; {}", remedy("categorical")),
    ))
}

fn is_email(text: &str) -> bool {
    let Some((user, host)) = text.trim().split_once('@') else { return false };
    !user.is_empty() && host.contains('.') && !text.trim().contains([' ', ',']) && !host.ends_with('.')
}

fn is_phone(text: &str) -> bool {
    let text = text.trim();
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    let others = text.chars().all(|c| c.is_ascii_digit() || "+()-./ x".contains(c));
    others && (7..=16).contains(&digits) && (text.starts_with(['+', '(']) || text.matches(['-', ' ', '/', ')']).count() >= 2)
}

fn is_prose(sample: &[&str]) -> bool {
    let count = sample.len() as f64;
    let length: usize = sample.iter().map(|text| text.chars().count()).sum();
    let words: usize = sample.iter().map(|text| text.split_whitespace().count()).sum();
    length as f64 / count > PROSE.0 && words as f64 / count > PROSE.1
}
