//! What a column of points in time is.

use std::collections::BTreeMap;

use super::super::datetime::{self, Guess};
use super::super::raw::{Numbers, RawColumn};
use super::super::schema::{ColumnKind, ColumnSchema};
use super::{Decision, SPECIAL, remedy};

/// 1000-01-01 and 3000-01-01.
const BELIEVABLE: std::ops::Range<f64> = -30_610_224_000.0..32_503_680_000.0;

/// Datetimes of a file that says itself that they are.
pub(super) fn of_numbers(raw: &RawColumn, numbers: &Numbers) -> Decision {
    let mut schema = ColumnSchema { zone: raw.zone.clone(), ..ColumnSchema::new("", ColumnKind::Datetime) };
    let format = raw.datetime.as_deref().unwrap_or(datetime::DEFAULT_FORMAT);
    let special = stand_ins(numbers.present());
    let times = numbers.present().filter(|time| !special.contains(time));
    schema.format = Some(format.to_owned());
    learn_grain(&mut schema, times.clone());
    let digits = match schema.step {
        Some(step) if step < 1e-3 => "%.6f",
        Some(step) if step < 1.0 => "%.3f",
        Some(_) => "",
        None if times.clone().all(|time| time.fract() == 0.0) => "",
        None => "%.f",
    };
    schema.format = Some(format.replace("%.f", digits));
    schema.special = special.iter().map(|&time| schema.format_number(time)).collect();
    let notes = note_on(&schema.special);
    Decision { schema, notes }
}

/// Datetimes as texts; `None` when they are not.
pub(super) fn of_texts<'a>(texts: impl Iterator<Item = &'a str> + Clone) -> Option<Decision> {
    match datetime::guess(texts.clone()) {
        Guess::None => None,
        Guess::Ambiguous(day_first, month_first) => {
            let note = format!(
                "dates whose day and month could be either way round; read as categorical. \
                 Set kind = \"datetime\" and format = \"{day_first}\" or \"{month_first}\" in a schema (`semblant fit --write-schema`)"
            );
            Some(Decision::noted(ColumnKind::Categorical, note))
        }
        Guess::Format { format, other, doubtful } => {
            let mut schema = ColumnSchema { format: Some(format.clone()), ..ColumnSchema::new("", ColumnKind::Datetime) };
            let mut notes = Vec::new();
            schema.zone = datetime::zone(&format, texts.clone()).or_else(|| {
                let mixed = format.contains("%z") || format.contains("%:z");
                if mixed {
                    notes.push("times of several offsets that are of no one zone; they are written in UTC".into());
                }
                mixed.then(|| "UTC".to_owned())
            });
            let times = times(&format, texts.clone());
            let repeated = stand_ins(times.iter().copied());
            learn_grain(&mut schema, times.iter().copied().filter(|time| !repeated.contains(time)));
            schema.special = other.into_iter().chain(repeated.iter().map(|&time| schema.format_number(time))).take(SPECIAL + 2).collect();
            notes.extend(note_on(&schema.special));
            if doubtful {
                notes.push(format!(
                    "dates with a two-digit year, read as 1969 to 2068 in the format \"{format}\"; {}",
                    remedy("categorical")
                ));
            }
            Some(Decision { schema, notes })
        }
    }
}

fn times<'a>(format: &str, texts: impl Iterator<Item = &'a str>) -> Vec<f64> {
    texts.filter_map(|text| datetime::parse(format, None, text.trim())).filter(|time| BELIEVABLE.contains(time)).collect()
}

fn note_on(special: &[String]) -> Vec<String> {
    let quoted = special.iter().map(|text| format!("\"{text}\"")).collect::<Vec<_>>().join(", ");
    let note = || {
        format!(
            "dates but for {quoted}, kept as special values and not as dates; change special in a schema (`semblant fit --write-schema`)"
        )
    };
    (!special.is_empty()).then(note).into_iter().collect()
}

/// Times that stand for something else: of no believable year, or a customary one that is further from the others than they are apart.
fn stand_ins(times: impl Iterator<Item = f64> + Clone) -> Vec<f64> {
    const CUSTOMARY: &[&str] = &[
        "1900-01-01",
        "1899-12-30",
        "1899-12-31",
        "1970-01-01",
        "1753-01-01",
        "2099-12-31",
        "2100-01-01",
        "2200-01-01",
        "2262-04-11",
        "2999-12-31",
    ];
    let customary: Vec<f64> = CUSTOMARY.iter().filter_map(|day| datetime::parse("%Y-%m-%d", None, day)).collect();
    let is_customary = |time: f64| customary.contains(&(86_400.0 * (time / 86_400.0).floor()));
    let believable = |time: f64| BELIEVABLE.contains(&time);
    // Most columns have none, which is quickly seen.
    if times.clone().all(|time| believable(time) && !is_customary(time)) {
        return Vec::new();
    }
    let mut counts: BTreeMap<i64, (f64, usize)> = BTreeMap::new();
    times.for_each(|time| counts.entry(datetime::micros(time)).or_insert((time, 0)).1 += 1);
    let rest = || counts.values().map(|&(time, _)| time).filter(|&time| believable(time) && !is_customary(time));
    let (low, high) = rest().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), time| (low.min(time), high.max(time)));
    let spread = (high - low).max(30.0 * 86_400.0);
    let far = |time: f64| time < low - spread || time > high + spread;
    let special: Vec<f64> = counts
        .values()
        .filter(|&&(time, _)| !believable(time) || (low <= high && is_customary(time) && far(time)))
        .map(|&(time, _)| time)
        .collect();
    if special.len() <= SPECIAL && special.len() < counts.len() { special } else { Vec::new() }
}

/// Learns the step of times, if it is coarser than that of the format.
pub(super) fn learn_grain(schema: &mut ColumnSchema, times: impl Iterator<Item = f64> + Clone) {
    let zone = schema.zone.clone();
    let of_format = schema.step();
    let local = times.clone().map(|time| datetime::to_local(zone.as_deref(), time));
    let Some((step, origin)) = datetime::grain(local) else { return };
    // A few times agree by chance.
    let mut different: Vec<f64> = Vec::new();
    for time in times {
        if !different.contains(&time) {
            different.push(time);
            if different.len() == 5 {
                break;
            }
        }
    }
    let step = if different.len() < 5 { step.min(86_400.0) } else { step };
    if of_format.is_none_or(|finest| step > finest) || origin % of_format.unwrap_or(1.0) != 0.0 {
        schema.step = Some(step);
        schema.origin = (origin != 0.0).then_some(origin);
    }
}
