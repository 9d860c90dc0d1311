//! Bounds on settings, whichever model they are of: a file from a stranger, or a slip on the command line, may name any number. A model states
//! tighter ranges in its [`Config::check`](super::Config::check); these hold where it forgot one, so that sums and products of settings do
//! not wrap and lists have an end.

use serde_json::Value;

use super::{property, resolved};
use crate::{Error, Result};

/// The largest size (a width, a depth, a number of channels; a `usize` in the type) that has no other bound. A field has another with
/// `#[schemars(range(max = ...))]`.
pub const LARGEST_SIZE: u64 = 1 << 16;

/// The largest count (of rows, of passes; a `u64` in the type) that has no other bound.
pub const LARGEST_COUNT: u64 = 1 << 40;

/// The most rows or images that are computed together.
pub const MOST_AT_ONCE: usize = 1 << 24;

/// The most entries of a list.
pub const MOST_ENTRIES: usize = 1024;

/// The deepest group of settings, in names with dots between.
pub(super) const DEEPEST: usize = 8;

/// Checks every whole number and every list in the settings of `owner`, whose schema is `root`.
///
/// # Errors
/// [`Error::Config`] with the first that is too large, and the bound.
pub(super) fn check(owner: &str, settings: &Value, root: &Value) -> Result<()> {
    within("", settings, root, root).map_err(|what| Error::Config(format!("settings of {owner}: {what}")))
}

fn within(path: &str, value: &Value, schema: &Value, root: &Value) -> Result<(), String> {
    match value {
        Value::Object(group) => group.iter().try_for_each(|(key, value)| {
            let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
            within(&path, value, property(schema, key, root).unwrap_or(&Value::Null), root)
        }),
        Value::Array(entries) if entries.len() > MOST_ENTRIES => {
            Err(format!("{path} has {} entries; choose at most {MOST_ENTRIES}", entries.len()))
        }
        Value::Array(entries) => {
            let items = resolved(schema, root).get("items").unwrap_or(&Value::Null);
            entries.iter().try_for_each(|entry| within(path, entry, items, root))
        }
        Value::Number(number) => {
            let high = largest(resolved(schema, root));
            let too_large = number.as_u64().is_some_and(|number| number > high) || number.as_i64().is_some_and(|n| n < -(high as i64));
            if too_large { Err(format!("{path} = {number} is out of range; choose a number up to {high}")) } else { Ok(()) }
        }
        _ => Ok(()),
    }
}

fn largest(schema: &Value) -> u64 {
    let stated = schema.get("maximum").and_then(Value::as_f64).map(|high| high as u64);
    let is_size = schema.get("format").and_then(Value::as_str).is_none_or(|format| format == "uint");
    let is_real = schema.get("format").and_then(Value::as_str).is_some_and(|format| format == "double" || format == "float");
    stated.unwrap_or(match (is_size, is_real) {
        // A real number may be written without a point; its range is the model's to state.
        (_, true) => i64::MAX as u64,
        (true, _) => LARGEST_SIZE,
        _ => LARGEST_COUNT,
    })
}
