//! The functions of values, as PostgreSQL has them; what has no finite value is null.

use std::borrow::Cow;

use crate::node::{Binary, Unary};
use crate::time;
use crate::value::{DAY, Value};

/// The value of a function of one value.
pub(crate) fn unary<'a>(function: Unary, value: Value<'a>) -> Value<'a> {
    let result = match value {
        Value::Number(x) => of_number(function, x),
        Value::Text(text) => of_text(function, text),
        Value::Time(x) => of_time(function, x),
        Value::Interval { months, seconds } => of_interval(function, months, seconds),
        Value::Boolean(truth) => of_boolean(function, truth),
        Value::Null => Value::Null,
    };
    result.finite()
}

/// A function of a number; NaN where it has none.
pub(crate) fn number(function: Unary, x: f64) -> f64 {
    match function {
        Unary::Negate => -x,
        Unary::Abs => x.abs(),
        // `f64::round` goes half away from zero.
        Unary::Round | Unary::ToInteger => x.round(),
        Unary::Floor => x.floor(),
        Unary::Ceil => x.ceil(),
        Unary::Sqrt => x.sqrt(),
        Unary::Exp => x.exp(),
        Unary::Ln => x.ln(),
        Unary::ToNumber => x,
        _ => f64::NAN,
    }
}

fn of_number<'a>(function: Unary, x: f64) -> Value<'a> {
    match function {
        // Zero has no sign in a text.
        Unary::ToText => Value::Text(Cow::Owned(format!("{}", x + 0.0))),
        _ => Value::Number(number(function, x)),
    }
}

fn of_text(function: Unary, text: Cow<'_, str>) -> Value<'_> {
    let parsed = || text.trim().parse().unwrap_or(f64::NAN);
    match function {
        Unary::Length => Value::Number(text.chars().count() as f64),
        Unary::Lower => Value::Text(Cow::Owned(text.to_lowercase())),
        Unary::Upper => Value::Text(Cow::Owned(text.to_uppercase())),
        // Spaces only, as in SQL.
        Unary::Trim => part(text, |text| text.trim_matches(' ')),
        Unary::TrimStart => part(text, |text| text.trim_start_matches(' ')),
        Unary::TrimEnd => part(text, |text| text.trim_end_matches(' ')),
        Unary::ToNumber => Value::Number(parsed()),
        Unary::ToInteger => Value::Number(parsed().round()),
        Unary::ToText => Value::Text(text),
        _ => Value::Null,
    }
}

fn of_time<'a>(function: Unary, x: f64) -> Value<'a> {
    match function {
        Unary::Extract(field) => time::extract(field, x).map_or(Value::Null, Value::Number),
        Unary::Truncate(unit) => time::truncate(unit, x).map_or(Value::Null, Value::Time),
        Unary::ToText => time::format_time(x).map_or(Value::Null, |text| Value::Text(Cow::Owned(text))),
        _ => Value::Null,
    }
}

fn of_interval<'a>(function: Unary, months: i32, seconds: f64) -> Value<'a> {
    match function {
        Unary::Negate => months.checked_neg().map_or(Value::Null, |months| Value::Interval { months, seconds: -seconds }),
        Unary::Extract(field) => Value::Number(time::extract_interval(field, months, seconds)),
        Unary::Days => Value::Number(f64::from(months) * 30.0 + seconds / DAY),
        _ => Value::Null,
    }
}

fn of_boolean<'a>(function: Unary, truth: bool) -> Value<'a> {
    match function {
        Unary::ToNumber | Unary::ToInteger => Value::Number(f64::from(u8::from(truth))),
        Unary::ToText => Value::Text(Cow::Borrowed(if truth { "true" } else { "false" })),
        _ => Value::Null,
    }
}

/// A part of a text, borrowed where the text is.
fn part<'a>(text: Cow<'a, str>, cut: impl Fn(&str) -> &str) -> Value<'a> {
    Value::Text(match text {
        Cow::Borrowed(text) => Cow::Borrowed(cut(text)),
        Cow::Owned(text) => Cow::Owned(cut(&text).to_owned()),
    })
}

/// The value of a function of two values.
pub(crate) fn binary<'a>(function: Binary, a: Value<'a>, b: Value<'a>) -> Value<'a> {
    let result = match (function, a, b) {
        (Binary::NullIf, a, b) => match a.compare(&b) {
            Some(order) if order.is_eq() => Value::Null,
            _ => a,
        },
        (_, Value::Number(a), Value::Number(b)) => Value::Number(numbers(function, a, b)),
        (Binary::Shift, Value::Time(time), Value::Interval { months, seconds }) => {
            time::shift(time, months, seconds).map_or(Value::Null, Value::Time)
        }
        (Binary::Difference, Value::Time(a), Value::Time(b)) => Value::Interval { months: 0, seconds: a - b },
        (_, Value::Interval { months, seconds }, Value::Interval { months: more, seconds: longer }) => match function {
            Binary::Add => months.checked_add(more).map_or(Value::Null, |months| Value::Interval { months, seconds: seconds + longer }),
            _ => Value::Null,
        },
        (Binary::Scale, Value::Interval { months, seconds }, Value::Number(x)) => interval(f64::from(months) * x, seconds * x),
        (Binary::Shorten, Value::Interval { months, seconds }, Value::Number(x)) => interval(f64::from(months) / x, seconds / x),
        (Binary::Concat, Value::Text(a), Value::Text(b)) => Value::Text(Cow::Owned(format!("{a}{b}"))),
        (Binary::Left, Value::Text(text), Value::Number(count)) => part(text, |text| &text[..end_of(text, count)]),
        (Binary::Right, Value::Text(text), Value::Number(count)) => part(text, |text| &text[start_of(text, count)..]),
        _ => Value::Null,
    };
    result.finite()
}

/// A function of two numbers; not finite where it has no value.
pub(crate) fn numbers(function: Binary, a: f64, b: f64) -> f64 {
    match function {
        Binary::Add => a + b,
        Binary::Subtract => a - b,
        Binary::Multiply => a * b,
        Binary::Divide => a / b,
        Binary::Remainder => a % b,
        Binary::Power => a.powf(b),
        Binary::RoundTo => round_to(a, b),
        _ => f64::NAN,
    }
}

/// Half away from zero at a digit behind the point, or before it for a negative one.
fn round_to(x: f64, digits: f64) -> f64 {
    let digits = digits.trunc();
    let factor = 10_f64.powf(digits.abs());
    let rounded = if digits >= 0.0 { (x * factor).round() / factor } else { (x / factor).round() * factor };
    match rounded.is_finite() {
        true => rounded,
        // So many digits that nothing is left to round, or so few that nothing is left of it.
        false if digits >= 0.0 => x,
        false => 0.0,
    }
}

fn interval<'a>(months: f64, seconds: f64) -> Value<'a> {
    time::interval(months, seconds).map_or(Value::Null, |(months, seconds)| Value::Interval { months, seconds })
}

/// The place of a character in bytes, from 0; the end for one behind it.
fn offset(text: &str, character: f64) -> usize {
    if character <= 0.0 {
        return 0;
    }
    // Saturating, and no text is that long.
    text.char_indices().nth(character as usize).map_or(text.len(), |(at, _)| at)
}

/// Where the first characters end; a negative count leaves that many out at the end.
fn end_of(text: &str, count: f64) -> usize {
    let count = count.trunc();
    offset(text, if count < 0.0 { text.chars().count() as f64 + count } else { count })
}

/// Where the last characters start; a negative count leaves that many out at the start.
fn start_of(text: &str, count: f64) -> usize {
    let count = count.trunc();
    offset(text, if count < 0.0 { -count } else { text.chars().count() as f64 - count })
}

/// The characters of a text from a place, the first being 1; null for a negative count.
pub(crate) fn substring<'a>(text: Value<'a>, start: Value<'_>, count: Value<'_>) -> Value<'a> {
    let (Value::Text(text), Value::Number(start), Value::Number(count)) = (text, start, count) else { return Value::Null };
    let (start, count) = (start.trunc(), count.trunc());
    if count < 0.0 {
        return Value::Null;
    }
    // Places before the first count, as in PostgreSQL.
    part(text, |text| {
        let from = offset(text, start - 1.0);
        let to = offset(text, start - 1.0 + count);
        &text[from..to.max(from)]
    })
}
