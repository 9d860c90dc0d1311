//! A table for the tests.

#![allow(dead_code, reason = "each test uses a part")]

use std::borrow::Cow;

use semblant_expressions::{Columns, Domain, Domains, Expression, Row, Type, Value};

/// The columns: a and b numbers, s a text, m a boolean, t and u times, d an interval, Mixed Case a number; result and moment, a number and a time
/// that no random expression has.
pub(crate) struct Table;

pub(crate) const TYPES: [Type; 10] =
    [Type::Number, Type::Number, Type::Text, Type::Boolean, Type::Time, Type::Time, Type::Interval, Type::Number, Type::Number, Type::Time];
pub(crate) const NULLS: [Value<'static>; 10] = [const { Value::Null }; 10];

impl Columns for Table {
    fn names(&self) -> Vec<String> {
        ["a", "b", "s", "m", "t", "u", "d", "Mixed Case", "result", "moment"].map(String::from).to_vec()
    }

    fn data_type(&self, column: usize) -> Type {
        TYPES[column]
    }

    fn literal(&self, column: usize, text: &str) -> Option<Value<'static>> {
        match (TYPES[column], text) {
            (Type::Boolean, "Yes") => Some(Value::Boolean(true)),
            (Type::Boolean, "No") => Some(Value::Boolean(false)),
            (Type::Boolean, _) => None,
            (Type::Text, _) => Some(Value::Text(Cow::Owned(text.to_owned()))),
            (Type::Number, _) => text.parse().ok().map(Value::Number),
            // 31/01/2020
            (Type::Time, _) => {
                let iso = if text.contains('/') { text.split('/').rev().collect::<Vec<_>>().join("-") } else { text.to_owned() };
                Expression::parse(&format!("timestamp '{iso}'"), self).ok().map(|literal| literal.evaluate(&Values(&NULLS)).into_owned())
            }
            (Type::Interval, _) => {
                Expression::parse(&format!("interval '{text}'"), self).ok().map(|literal| literal.evaluate(&Values(&NULLS)).into_owned())
            }
        }
    }
}

/// A row.
pub(crate) struct Values<'a>(pub(crate) &'a [Value<'a>]);

impl Row for Values<'_> {
    fn value(&self, column: usize) -> Value<'_> {
        self.0[column].borrow()
    }
}

/// What is known of a row.
pub(crate) struct Known<'a>(pub(crate) Vec<Domain<'a>>);

impl Domains for Known<'_> {
    fn domain(&self, column: usize) -> Domain<'_> {
        self.0[column].clone()
    }
}

/// Nothing is known, and nothing is null.
pub(crate) fn open() -> Known<'static> {
    Known(vec![Domain::Any { null: false }; 10])
}

pub(crate) fn parse(text: &str) -> Expression {
    Expression::parse(text, &Table).unwrap_or_else(|error| panic!("{error}"))
}

/// The value of a text without columns.
pub(crate) fn value(text: &str) -> Value<'static> {
    parse(text).evaluate(&Values(&NULLS)).into_owned()
}

/// The value of a text in a row.
pub(crate) fn value_in(text: &str, row: &[Value<'_>]) -> Value<'static> {
    parse(text).evaluate(&Values(row)).into_owned()
}

pub(crate) fn text(text: &str) -> Value<'_> {
    Value::from(text)
}

/// The error of a text, on one line.
pub(crate) fn error(text: &str) -> String {
    let message = Expression::parse(text, &Table).expect_err(text).to_string();
    assert!(!message.contains('\n'), "{message}");
    message
}
