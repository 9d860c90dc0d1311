//! One column as a distribution, without the values of single rows.

use std::collections::BTreeMap;

use semblant_data::table::{Column, ColumnKind, ColumnSchema, IdFormat};

use super::RARE;
use super::write::quoted;
use crate::laws::{Family, Law};

/// The most labels that are written.
const MOST_LABELS: usize = 60;
/// How far from the data a family may be to be taken (Kolmogorov and Smirnov's distance).
const NEAR: f64 = 0.03;
/// Whole numbers with at most so many values are labels with weights.
const FEW: usize = 24;
/// Quantiles of a column that no family is near to.
const QUANTILES: usize = 40;

/// The lines that make a column.
pub(super) fn describe(described: &ColumnSchema, column: &Column, rows: usize, is_key: bool) -> Vec<String> {
    let mut lines = match column {
        Column::Number(values) => numbers(described, values, is_key),
        Column::Category { codes, levels } => labels(described, codes, levels, is_key),
    };
    let missing = column.missing();
    if missing >= RARE && !is_key {
        lines.push(format!("missing = {}", short(missing as f64 / rows.max(1) as f64)));
    }
    lines
}

/// Sorted numbers, of which the outermost count as the next one.
pub(super) fn trimmed(values: &[f64]) -> Vec<f64> {
    let mut sorted: Vec<f64> = values.iter().copied().filter(|value| value.is_finite()).collect();
    sorted.sort_by(f64::total_cmp);
    let count = sorted.len();
    if count > 2 * RARE {
        let (low, high) = (sorted[RARE - 1], sorted[count - RARE]);
        sorted.iter_mut().for_each(|value| *value = value.clamp(low, high));
    } else if let Some(middle) = sorted.get(count / 2).copied() {
        // Too few rows to tell more than one number.
        sorted.iter_mut().for_each(|value| *value = middle);
    }
    sorted
}

fn numbers(described: &ColumnSchema, values: &[f64], is_key: bool) -> Vec<String> {
    if is_key {
        return sequence(described, values);
    }
    let sorted = trimmed(values);
    let (Some(&low), Some(&high)) = (sorted.first(), sorted.last()) else {
        return vec!["type = \"number\"".into(), "value = 0".into(), "missing = 1".into()];
    };
    if described.kind == ColumnKind::Datetime {
        return times(described, &sorted, low, high);
    }
    let mut lines = vec![format!("type = \"{}\"", if described.kind == ColumnKind::Integer { "integer" } else { "number" })];
    if let Some(decimals) = described.decimals.filter(|_| described.kind == ColumnKind::Continuous) {
        lines.push(format!("decimals = {decimals}"));
    }
    if low == high {
        lines.push(format!("value = {}", short(low)));
        return lines;
    }
    let mut counts: BTreeMap<u64, (f64, usize)> = BTreeMap::new();
    sorted.iter().for_each(|value| counts.entry(value.to_bits()).or_insert((*value, 0)).1 += 1);
    if counts.len() <= FEW && counts.values().all(|(_, count)| *count >= RARE) {
        let mut all: Vec<(f64, usize)> = counts.into_values().collect();
        all.sort_by(|a, b| a.0.total_cmp(&b.0));
        let weights: Vec<String> = all.iter().map(|(value, count)| format!("{} = {count}", quoted(&short(*value)))).collect();
        lines.push(format!("draw = {{ categories = {{ {} }} }}", weights.join(", ")));
        return lines;
    }
    match family(&sorted) {
        Some((law, text)) => {
            lines.push(format!("draw = {text}"));
            let within = law.between(low, high);
            if within.0 > 0.0 || within.1 < 1.0 {
                lines.push(format!("truncate = [{}, {}]", short(low), short(high)));
            }
        }
        None => lines.push(format!("draw = {{ quantiles = [{}] }}", quantiles(&sorted))),
    }
    lines
}

/// Quantiles at equal steps, each the mean of neighbours.
pub(super) fn quantiles(sorted: &[f64]) -> String {
    let steps = QUANTILES.min(sorted.len() / RARE).max(1);
    let mean = |step: usize| {
        let middle = step * (sorted.len() - 1) / steps;
        let start = middle.saturating_sub(RARE / 2).min(sorted.len().saturating_sub(RARE));
        let near = &sorted[start..(start + RARE).min(sorted.len())];
        near.iter().sum::<f64>() / near.len() as f64
    };
    let mut last = f64::NEG_INFINITY;
    let rising = (0..=steps).map(|step| {
        last = last.max(mean(step));
        short(last)
    });
    rising.collect::<Vec<_>>().join(", ")
}

/// The family that is nearest, by moments, if one is near.
fn family(sorted: &[f64]) -> Option<(Law, String)> {
    let count = sorted.len() as f64;
    if count < 50.0 {
        return None;
    }
    let mean = sorted.iter().sum::<f64>() / count;
    let variance = sorted.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / count;
    let (low, high) = (sorted[0], sorted[sorted.len() - 1]);
    let mut candidates = vec![(Family::Uniform, "uniform", vec![low, high]), (Family::Normal, "normal", vec![mean, variance.sqrt()])];
    if low > 0.0 {
        let logs: Vec<f64> = sorted.iter().map(|value| value.ln()).collect();
        let mu = logs.iter().sum::<f64>() / count;
        let sigma = (logs.iter().map(|log| (log - mu).powi(2)).sum::<f64>() / count).sqrt();
        candidates.push((Family::Lognormal, "lognormal", vec![mu, sigma]));
        candidates.push((Family::Gamma, "gamma", vec![mean * mean / variance, variance / mean]));
    }
    if low >= 0.0 {
        candidates.push((Family::Exponential, "exponential", vec![mean]));
    }
    let near = candidates.into_iter().filter_map(|(family, name, values)| {
        let law = Law::new(family, &values).ok()?;
        let off = |(place, value): (usize, &f64)| (law.cdf(*value) - (place as f64 + 0.5) / count).abs();
        let distance = sorted.iter().enumerate().map(off).fold(0.0, f64::max);
        let settings: Vec<String> =
            family.parameters().iter().zip(&values).map(|(key, value)| format!("{key} = {}", short(*value))).collect();
        Some((distance, law, format!("{{ {name} = {{ {} }} }}", settings.join(", "))))
    });
    let best = near.min_by(|a, b| a.0.total_cmp(&b.0));
    best.filter(|(distance, ..)| *distance < NEAR).map(|(_, law, text)| (law, text))
}

fn sequence(described: &ColumnSchema, values: &[f64]) -> Vec<String> {
    let texts: Vec<Option<String>> = values.iter().map(|value| Some(described.format_number(*value))).collect();
    match IdFormat::of_column(&described.name, &Column::from_labels(texts)) {
        IdFormat::Integer { start, step } => {
            vec!["type = \"integer\"".into(), format!("draw = {{ sequence = {{ start = {start}, step = {step} }} }}")]
        }
        _ => vec!["type = \"integer\"".into(), "draw = { sequence = {} }".into()],
    }
}

fn times(described: &ColumnSchema, sorted: &[f64], low: f64, high: f64) -> Vec<String> {
    let is_date = sorted.iter().all(|time| time % 86_400.0 == 0.0);
    let (kind, draw) = if is_date { ("date", "date") } else { ("datetime", "datetime") };
    let text = |time: f64| quoted(&crate::calendar::text(time));
    let mut lines = vec![format!("type = \"{kind}\"")];
    if let Some(format) = &described.format {
        lines.push(format!("format = {}", quoted(format)));
    }
    let mut days = [0usize; 7];
    sorted.iter().for_each(|time| days[((time / 86_400.0).floor() as i64 + 3).rem_euclid(7) as usize] += 1);
    let even = sorted.len() / 7;
    let uneven = sorted.len() >= 70 && days.iter().any(|&count| count < even / 3 || count > even * 2);
    let weekdays = if uneven {
        format!(", weekdays = [{}]", days.map(|count| if count < RARE { 0 } else { count }.to_string()).join(", "))
    } else {
        String::new()
    };
    lines.push(format!("draw = {{ {draw} = {{ from = {}, to = {}{weekdays} }} }}", text(low), text(high)));
    lines
}

fn labels(described: &ColumnSchema, codes: &[u32], levels: &[String], is_key: bool) -> Vec<String> {
    let mut counts = vec![0usize; levels.len()];
    for &code in codes {
        if let Some(count) = counts.get_mut(code as usize) {
            *count += 1;
        }
    }
    let known: usize = counts.iter().sum();
    let frequent: usize = counts.iter().filter(|&&count| count >= RARE).sum();
    let used: Vec<&String> = levels.iter().zip(&counts).filter(|(_, count)| **count > 0).map(|(level, _)| level).collect();
    if is_key || described.kind.is_name() || 2 * frequent < known || are_addresses(&used) {
        return names(described, &used, is_key);
    }
    let mut all: Vec<(&String, usize)> = levels.iter().zip(counts).filter(|(_, count)| *count >= RARE).collect();
    all.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
    all.truncate(MOST_LABELS);
    let is_boolean = all.len() == 2 && all.iter().all(|(label, _)| ["true", "false"].contains(&label.to_lowercase().as_str()));
    if is_boolean {
        let truths: usize = all.iter().filter(|(label, _)| label.eq_ignore_ascii_case("true")).map(|(_, count)| count).sum();
        return vec![format!("draw = {{ boolean = {{ p = {} }} }}", short(truths as f64 / frequent as f64))];
    }
    let weights: Vec<String> = all.iter().map(|(label, count)| format!("{} = {count}", quoted(label))).collect();
    vec!["type = \"text\"".into(), format!("draw = {{ categories = {{ {} }} }}", weights.join(", "))]
}

/// Texts that name something: made anew, by what the column is called or by their form.
fn names(described: &ColumnSchema, used: &[&String], is_key: bool) -> Vec<String> {
    let unique = if is_key { vec!["unique = true".to_owned()] } else { Vec::new() };
    let with = |line: String, unique: &[String]| {
        std::iter::once("type = \"text\"".to_owned()).chain([line]).chain(unique.iter().cloned()).collect()
    };
    if are_addresses(used) {
        return with("draw = { fake = \"email\" }".into(), &unique);
    }
    if !is_key && let Some(name) = by_name(&described.name) {
        return with(format!("draw = {{ fake = \"{name}\" }}"), &[]);
    }
    match IdFormat::of_column(&described.name, &Column::from_labels(used.iter().map(|text| Some(text.as_str())))) {
        IdFormat::Uuid => with("draw = { uuid = {} }".into(), &unique),
        IdFormat::Prefix { prefix, start, width } if is_key => {
            with(format!("draw = {{ sequence = {{ prefix = {}, start = {start}, width = {width} }} }}", quoted(&prefix)), &unique)
        }
        IdFormat::Integer { start, step } if is_key => {
            vec!["type = \"integer\"".into(), format!("draw = {{ sequence = {{ start = {start}, step = {step} }} }}")]
        }
        _ => match form(used) {
            Some(form) => with(format!("draw = {{ regex = {} }}", quoted(&form)), &unique),
            None if is_key => {
                with(format!("draw = {{ sequence = {{ prefix = {}, width = 6 }} }}", quoted(&format!("{}-", described.name))), &unique)
            }
            None => with("draw = { fake = \"sentence\" }".into(), &[]),
        },
    }
}

/// Whether texts are e-mail addresses, which are made anew however often they come: one of the same form may be somebody's.
fn are_addresses(texts: &[&String]) -> bool {
    let is_one = |text: &&String| text.split_once('@').is_some_and(|(user, host)| !user.is_empty() && host.contains('.'));
    !texts.is_empty() && texts.iter().all(is_one)
}

/// What a column is, by words in its name.
fn by_name(column: &str) -> Option<&'static str> {
    let plain: String = column.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect();
    let words = [
        ("firstname", "first_name"),
        ("lastname", "last_name"),
        ("surname", "last_name"),
        ("email", "email"),
        ("phone", "phone"),
        ("fax", "phone"),
        ("mobile", "phone"),
        ("companyname", "company"),
        ("company", "company"),
        ("shipname", "company"),
        ("contactname", "name"),
        ("fullname", "name"),
        ("address", "street"),
        ("street", "street"),
        ("city", "city"),
        ("country", "country"),
        ("postalcode", "postcode"),
        ("zip", "postcode"),
        ("jobtitle", "job"),
        ("contacttitle", "job"),
        ("username", "user_name"),
        ("url", "domain"),
        ("homepage", "domain"),
    ];
    words.iter().find(|(word, _)| plain.contains(word)).map(|(_, name)| *name)
}

/// The form of texts of one length, by the kinds of characters at each place; a character that all share stays.
fn form(texts: &[&String]) -> Option<String> {
    let first: Vec<char> = texts.first()?.chars().collect();
    if texts.len() < RARE || first.len() > 24 || texts.iter().any(|text| text.chars().count() != first.len()) {
        return None;
    }
    let mut form = String::new();
    for place in 0..first.len() {
        let all = || texts.iter().filter_map(|text| text.chars().nth(place));
        if all().all(|c| c == first[place]) {
            form.push_str(&regex_syntax::escape(&first[place].to_string()));
            continue;
        }
        let has = |is: fn(&char) -> bool| all().any(|c| is(&c));
        let kinds =
            [(char::is_ascii_digit as fn(&char) -> bool, "0-9"), (char::is_ascii_uppercase, "A-Z"), (char::is_ascii_lowercase, "a-z")];
        if !all().all(|c| c.is_ascii_alphanumeric()) {
            return None;
        }
        let class: String = kinds.iter().filter(|(is, _)| has(*is)).map(|(_, range)| *range).collect();
        form.push_str(&format!("[{class}]"));
    }
    Some(form)
}

/// A number with as many digits as tell something.
pub(super) fn short(value: f64) -> String {
    if value == value.trunc() && value.abs() < 1e15 {
        return format!("{value:.0}");
    }
    let digits = (5 - value.abs().log10().floor() as i32).clamp(0, 12) as usize;
    let text = format!("{value:.digits$}");
    let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text };
    if text == "-0" { "0".into() } else { text }
}
