//! The short form of a condition, `column=value` or `column=low..high`, in terms of a column.

use semblant_core::{Error, Result};
use semblant_data::table::{ColumnSchema, Condition, Wanted};

use super::{Domain, Predicate};

pub(super) fn position(schemas: &[&ColumnSchema], name: &str) -> Result<usize> {
    schemas.iter().position(|schema| schema.name == name).ok_or_else(|| {
        let known = schemas.iter().map(|schema| schema.name.as_str()).collect::<Vec<_>>().join(", ");
        Error::Condition(format!("no column \"{name}\"; the columns are: {known}"))
    })
}

/// One condition; none for a constant that has the value anyway.
pub(super) fn read(schema: &ColumnSchema, domain: &Domain<'_>, condition: &Condition) -> Result<Option<Predicate>> {
    let name = &condition.column;
    let refuse = |what: String| Err(Error::Condition(format!("condition on \"{name}\": {what}")));
    match (domain, &condition.wanted) {
        (Domain::Unlearned, _) => refuse(format!("the column is {} and not learned, so it cannot be fixed to a value", schema.kind)),
        (Domain::Constant(value), Wanted::Is(text)) if value == text => Ok(None),
        (Domain::Constant(value), _) => refuse(format!("the column is always \"{value}\"")),
        (Domain::Labels { missing, .. } | Domain::Numbers { missing, .. } | Domain::Open { missing }, Wanted::Is(text))
            if text.is_empty() =>
        {
            if *missing {
                Ok(Some(Predicate::Missing))
            } else {
                refuse("no value was missing in the training data, or can be".into())
            }
        }
        (Domain::Labels { labels, .. }, Wanted::Is(text)) => match labels.iter().find(|(_, label)| label == text) {
            Some((code, _)) => Ok(Some(Predicate::Label(*code))),
            None => refuse(format!("\"{text}\" was not in the training data; there were {}", listed(labels))),
        },
        (Domain::Labels { .. }, Wanted::Between { low, high }) => {
            refuse(format!("a range {low}..{high} needs a numeric column, this one is {}", schema.kind))
        }
        (Domain::Numbers { range, .. }, Wanted::Is(text)) => match schema.parse_number(text) {
            Some(value) if value.is_nan() => refuse(format!("\"{text}\" is a special value, which is drawn and cannot be asked for")),
            Some(value) => in_range(schema, *range, value, value, name).map(Some),
            None => refuse(format!("\"{text}\" is not a value of this {} column", schema.kind)),
        },
        (Domain::Numbers { range, .. }, Wanted::Between { low, high }) => in_range(schema, *range, *low, *high, name).map(Some),
        (Domain::Open { .. }, Wanted::Is(text)) => match schema.parse_number(text) {
            Some(value) if !value.is_nan() => Ok(Some(Predicate::Range { low: value, high: value })),
            _ => refuse(format!("\"{text}\" is not a value of this {} column", schema.kind)),
        },
        (Domain::Open { .. }, Wanted::Between { low, high }) if low <= high => Ok(Some(Predicate::Range { low: *low, high: *high })),
        (Domain::Open { .. }, Wanted::Between { low, high }) => {
            refuse(format!("the range {low}..{high} is empty; write the smaller number first"))
        }
        (_, wanted) => refuse(format!("{wanted:?} is not supported by this model")),
    }
}

fn listed(labels: &[(u32, &str)]) -> String {
    const SHOWN: usize = 8;
    let known: Vec<String> = labels.iter().take(SHOWN).map(|(_, label)| format!("\"{label}\"")).collect();
    let more = if labels.len() > SHOWN { format!(" and {} more", labels.len() - SHOWN) } else { String::new() };
    known.join(", ") + &more
}

/// The values from `low` to `high` that the column can hold, as far as the training data went.
fn in_range(schema: &ColumnSchema, seen: Option<(f64, f64)>, low: f64, high: f64, name: &str) -> Result<Predicate> {
    let refuse = |what: String| Err(Error::Condition(format!("condition on \"{name}\": {what}")));
    if !(low <= high) {
        return refuse(format!("the range {low}..{high} is empty; write the smaller number first"));
    }
    let Some((least, greatest)) = seen else { return refuse("all values were missing in the training data".into()) };
    if low > greatest || high < least {
        let [least, greatest] = [least, greatest].map(|value| schema.format_number(value));
        return refuse(format!("{low}..{high} is outside the range {least}..{greatest} of the training data"));
    }
    let (mut low, mut high) = (low.max(least), high.min(greatest));
    if let Some(step) = schema.step() {
        let origin = schema.origin.unwrap_or(0.0);
        if schema.zone.is_none() {
            low = schema.round_number(((low - origin) / step - 1e-9).ceil() * step + origin);
            high = schema.round_number(((high - origin) / step + 1e-9).floor() * step + origin);
        }
    }
    if low > high {
        return refuse(format!("no {} value that the column can hold lies in the range; widen it", schema.kind));
    }
    Ok(Predicate::Range { low, high })
}
