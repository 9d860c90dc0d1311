//! The values that expressions are made of, and their types.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;

/// Seconds of a day.
pub(crate) const DAY: f64 = 86_400.0;

/// The type of a column or an expression.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Type {
    /// A number; all are `f64`.
    Number,
    /// A text.
    Text,
    /// True or false.
    Boolean,
    /// A date or a date with a time of day, without a time zone.
    Time,
    /// The difference of two times.
    Interval,
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Type::Number => "a number",
            Type::Text => "a text",
            Type::Boolean => "a boolean",
            Type::Time => "a time",
            Type::Interval => "an interval",
        })
    }
}

/// A value of a cell or of an expression.
#[derive(Debug, Clone, PartialEq)]
pub enum Value<'a> {
    /// SQL's null: no value.
    Null,
    /// A number. One that is not finite counts as null wherever an expression reads it.
    Number(f64),
    /// A text. Texts are ordered by their bytes, PostgreSQL's collation `C`.
    Text(Cow<'a, str>),
    /// True or false.
    Boolean(bool),
    /// Seconds since 1970-01-01 00:00 on the clock that the times are of; leap seconds do not exist.
    Time(f64),
    /// An interval; both parts count. Compared with another, a month has 30 days.
    Interval {
        /// Whole months; a year is twelve.
        months: i32,
        /// Seconds; a day is 86,400.
        seconds: f64,
    },
}

impl<'a> Value<'a> {
    /// The type, or none for null.
    pub fn data_type(&self) -> Option<Type> {
        match self {
            Value::Null => None,
            Value::Number(_) => Some(Type::Number),
            Value::Text(_) => Some(Type::Text),
            Value::Boolean(_) => Some(Type::Boolean),
            Value::Time(_) => Some(Type::Time),
            Value::Interval { .. } => Some(Type::Interval),
        }
    }

    /// Whether this is null.
    pub fn is_null(&self) -> bool {
        matches!(self, Value::Null)
    }

    /// The same value, its text borrowed.
    pub fn borrow(&self) -> Value<'_> {
        match self {
            Value::Text(text) => Value::Text(Cow::Borrowed(text)),
            Value::Null => Value::Null,
            Value::Number(x) => Value::Number(*x),
            Value::Boolean(x) => Value::Boolean(*x),
            Value::Time(x) => Value::Time(*x),
            Value::Interval { months, seconds } => Value::Interval { months: *months, seconds: *seconds },
        }
    }

    /// The same value, its text owned.
    pub fn into_owned(self) -> Value<'static> {
        match self {
            Value::Text(text) => Value::Text(Cow::Owned(text.into_owned())),
            Value::Null => Value::Null,
            Value::Number(x) => Value::Number(x),
            Value::Boolean(x) => Value::Boolean(x),
            Value::Time(x) => Value::Time(x),
            Value::Interval { months, seconds } => Value::Interval { months, seconds },
        }
    }

    /// The order of two values of one type; none where one is null or the types differ.
    pub fn compare(&self, other: &Value<'_>) -> Option<Ordering> {
        match (self, other) {
            (Value::Text(a), Value::Text(b)) => Some(a.as_ref().cmp(b.as_ref())),
            (Value::Boolean(a), Value::Boolean(b)) => Some(a.cmp(b)),
            _ if self.data_type() == other.data_type() => self.magnitude()?.partial_cmp(&other.magnitude()?),
            _ => None,
        }
    }

    /// What numbers, times and intervals are ordered by.
    pub(crate) fn magnitude(&self) -> Option<f64> {
        match self {
            Value::Number(x) | Value::Time(x) => Some(*x),
            Value::Interval { months, seconds } => Some(f64::from(*months) * 30.0 * DAY + seconds),
            Value::Null | Value::Text(_) | Value::Boolean(_) => None,
        }
    }

    /// The value, or null for what is not finite.
    pub(crate) fn finite(self) -> Self {
        match self {
            Value::Number(x) | Value::Time(x) | Value::Interval { seconds: x, .. } if !x.is_finite() => Value::Null,
            value => value,
        }
    }

    /// The boolean's truth, or none.
    pub(crate) fn truth(&self) -> Option<bool> {
        match self {
            Value::Boolean(truth) => Some(*truth),
            _ => None,
        }
    }

    /// The boolean of a truth, null for none.
    pub(crate) fn of_truth(truth: Option<bool>) -> Self {
        truth.map_or(Value::Null, Value::Boolean)
    }
}

impl From<f64> for Value<'_> {
    fn from(number: f64) -> Self {
        Value::Number(number)
    }
}

impl From<bool> for Value<'_> {
    fn from(truth: bool) -> Self {
        Value::Boolean(truth)
    }
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(text: &'a str) -> Self {
        Value::Text(Cow::Borrowed(text))
    }
}
