//! TOML, by the parser of the crate `toml`, which knows where each value stands.

use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue};

use super::{Key, Node, Value};
use crate::error::Place;

type Result<T> = std::result::Result<T, (Place, String)>;

pub(super) fn parse(text: &str) -> Result<Node> {
    let lines = Lines::new(text);
    let tree = DeTable::parse(text).map_err(|error| {
        let place = error.span().map_or(Place { line: 1, column: 1 }, |span| lines.place(span.start));
        (place, format!("is no TOML: {}", error.message().replace('\n', ", ")))
    })?;
    Ok(Node { place: Place { line: 1, column: 1 }, value: map(tree.get_ref(), &lines)? })
}

/// Where the lines of a text begin, in bytes.
struct Lines<'a> {
    text: &'a str,
    starts: Vec<usize>,
}

impl<'a> Lines<'a> {
    fn new(text: &'a str) -> Self {
        let starts = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Self { text, starts }
    }

    fn place(&self, at: usize) -> Place {
        let line = self.starts.partition_point(|&start| start <= at);
        let start = self.starts[line.saturating_sub(1)];
        Place { line, column: self.text.get(start..at).map_or(0, |before| before.chars().count()) + 1 }
    }
}

fn map(table: &DeTable<'_>, lines: &Lines<'_>) -> Result<Value> {
    // The parser sorts keys by name; the order of the text is that of their places.
    let mut entries: Vec<_> = table.iter().collect();
    entries.sort_by_key(|(key, _)| key.span().start);
    let entry = |(key, value): (&Spanned<_>, _)| {
        let key: &Spanned<std::borrow::Cow<'_, str>> = key;
        Ok((Key { name: key.get_ref().to_string(), place: lines.place(key.span().start) }, node(value, lines)?))
    };
    Ok(Value::Map(entries.into_iter().map(entry).collect::<Result<_>>()?))
}

fn list(array: &DeArray<'_>, lines: &Lines<'_>) -> Result<Value> {
    Ok(Value::List(array.iter().map(|value| node(value, lines)).collect::<Result<_>>()?))
}

fn node(spanned: &Spanned<DeValue<'_>>, lines: &Lines<'_>) -> Result<Node> {
    let place = lines.place(spanned.span().start);
    let value = match spanned.get_ref() {
        DeValue::String(text) => Value::Text(text.to_string()),
        DeValue::Integer(digits) => {
            let whole = i64::from_str_radix(digits.as_str(), digits.radix());
            Value::Whole(whole.map_err(|_| (place, format!("{digits} is beyond the whole numbers, up to 9.2e18")))?)
        }
        DeValue::Float(digits) => {
            let number = digits.as_str().parse().map_err(|_| (place, format!("{digits} is no number")))?;
            Value::Number(number)
        }
        DeValue::Boolean(truth) => Value::Boolean(*truth),
        DeValue::Datetime(time) => Value::Text(time.to_string()),
        DeValue::Array(array) => list(array, lines)?,
        DeValue::Table(table) => map(table, lines)?,
    };
    Ok(Node { value, place })
}
