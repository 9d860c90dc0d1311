//! The columns that an expression is bound to.

use std::borrow::Cow;

use crate::error::ErrorKind;
use crate::expression::Expression;
use crate::time::{parse_interval, parse_time};
use crate::value::{Type, Value};

/// How many names an error lists.
const LISTED: usize = 8;

/// The columns of a table: what [`Expression::parse`](crate::Expression::parse) needs to know of it.
pub trait Columns {
    /// The names of all columns, in order: a column is known by its place here.
    fn names(&self) -> Vec<String>;

    /// The type of a column.
    fn data_type(&self, column: usize) -> Type;

    /// The value that a text in quotes means where it stands beside a column: `member = 'Yes'` for a boolean whose labels are Yes and No, or
    /// `visit >= '01/02/2020'` for a time in the table's own format. None makes it an error. The default reads [`Type`]'s usual notation.
    fn literal(&self, column: usize, text: &str) -> Option<Value<'static>> {
        literal(self.data_type(column), text)
    }

    /// What a column is computed from: it takes the place of the column wherever that is named.
    fn definition(&self, _column: usize) -> Option<&Expression> {
        None
    }
}

/// The value of a text in the usual notation of a type.
pub(crate) fn literal(data_type: Type, text: &str) -> Option<Value<'static>> {
    let trimmed = text.trim();
    match data_type {
        Type::Text => Some(Value::Text(Cow::Owned(text.to_owned()))),
        Type::Number => trimmed.parse().ok().filter(|x: &f64| x.is_finite()).map(Value::Number),
        Type::Time => parse_time(trimmed).map(Value::Time),
        Type::Interval => parse_interval(trimmed).map(|(months, seconds)| Value::Interval { months, seconds }),
        Type::Boolean if ["true", "t", "yes", "1"].iter().any(|x| trimmed.eq_ignore_ascii_case(x)) => Some(Value::Boolean(true)),
        Type::Boolean if ["false", "f", "no", "0"].iter().any(|x| trimmed.eq_ignore_ascii_case(x)) => Some(Value::Boolean(false)),
        Type::Boolean => None,
    }
}

/// The place of a column: the exact name comes first, then one that differs by case only.
pub(crate) fn find(names: &[String], name: &str) -> Result<usize, ErrorKind> {
    if let Some(exact) = names.iter().position(|candidate| candidate == name) {
        return Ok(exact);
    }
    let folded = name.to_lowercase();
    let alike: Vec<usize> = (0..names.len()).filter(|&i| names[i].to_lowercase() == folded).collect();
    match alike.as_slice() {
        [only] => Ok(*only),
        [] => Err(ErrorKind::UnknownColumn {
            name: name.to_owned(),
            nearest: nearest(names.iter().map(String::as_str), name).map(str::to_owned),
            columns: list(names),
        }),
        several => Err(ErrorKind::AmbiguousColumn {
            name: name.to_owned(),
            candidates: list(&several.iter().map(|&i| names[i].clone()).collect::<Vec<_>>()),
        }),
    }
}

/// At most [`LISTED`] names, and how many more there are.
fn list(names: &[String]) -> String {
    let shown = names.iter().take(LISTED).map(String::as_str).collect::<Vec<_>>().join(", ");
    match names.len() {
        0 => "none".to_owned(),
        n if n > LISTED => format!("{shown} and {} more", n - LISTED),
        _ => shown,
    }
}

/// The name nearest to a text, whatever the case of either, if it is near enough to be meant.
pub fn nearest<'n>(names: impl IntoIterator<Item = &'n str>, text: &str) -> Option<&'n str> {
    let folded = text.to_lowercase();
    let length = folded.chars().count();
    // The distance is quadratic in the lengths, and nobody means a name this long.
    if length > 100 {
        return None;
    }
    let near = |name: &&str| name.chars().count() <= 200;
    let distances = names.into_iter().filter(near).map(|name| (edit_distance(&name.to_lowercase(), &folded), name));
    distances.min_by_key(|(distance, _)| *distance).filter(|(distance, _)| *distance <= length.div_ceil(3)).map(|(_, name)| name)
}

/// The Levenshtein distance of two texts.
fn edit_distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, y) in b.iter().enumerate() {
            let substituted = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}
