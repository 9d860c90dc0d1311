//! Texts of a spec as expressions and literals: names with their types for the reader of expressions.

use std::cell::RefCell;

use semblant_expressions::{Columns, Expression, Type};

use super::names::Resolver;
use crate::error::{Error, Place, Result};
use crate::spec::At;

/// A row without slots.
pub(super) struct Nothing;

impl semblant_expressions::Row for Nothing {
    fn value(&self, _: usize) -> semblant_expressions::Value<'_> {
        semblant_expressions::Value::Null
    }
}

struct NoColumns;

impl Columns for NoColumns {
    fn names(&self) -> Vec<String> {
        Vec::new()
    }

    fn data_type(&self, _: usize) -> Type {
        Type::Number
    }
}

/// A time such as `2024-01-31` or `2024-01-31 12:00`.
pub(crate) fn literal_time(text: &str) -> Option<f64> {
    if !text.starts_with(|c: char| c.is_ascii_digit()) || text.contains('\'') {
        return None;
    }
    match Expression::parse(&format!("timestamp '{text}'"), &NoColumns).ok()?.evaluate(&Nothing) {
        semblant_expressions::Value::Time(time) => Some(time),
        _ => None,
    }
}

/// Seconds of an interval such as `1 hour`, which has no months.
pub(crate) fn literal_interval(text: &str) -> Option<f64> {
    if text.contains('\'') {
        return None;
    }
    match Expression::parse(&format!("interval '{text}'"), &NoColumns).ok()?.evaluate(&Nothing) {
        semblant_expressions::Value::Interval { months: 0, seconds } => Some(seconds),
        _ => None,
    }
}

/// Names with their types for the reader of expressions.
pub(super) struct Scope<'r, 'a, S> {
    pub(super) resolver: &'r Resolver<'a>,
    pub(super) slots: Vec<(String, S)>,
    pub(super) type_of: &'r dyn Fn(S) -> Result<Type>,
    pub(super) failed: RefCell<Option<Error>>,
}

impl<S: Copy> Scope<'_, '_, S> {
    pub(super) fn parse(&self, text: &At<String>) -> Result<Expression> {
        let read = Expression::parse(text, self);
        // What is wrong with a column that it names comes first.
        if let Some(error) = self.failed.take() {
            return Err(error);
        }
        read.map_err(|error| {
            let place = match (error.line(), text.place) {
                (_, place) if place.line == 0 => place,
                // Behind the quote.
                (0 | 1, place) => Place { column: place.column + error.column().max(1), ..place },
                (line, place) => Place { line: place.line + line - 1, column: error.column() },
            };
            Error::new(self.resolver.path, place, error.to_string())
        })
    }
}

impl<S: Copy> Columns for Scope<'_, '_, S> {
    fn names(&self) -> Vec<String> {
        self.slots.iter().map(|(name, _)| name.clone()).collect()
    }

    fn data_type(&self, column: usize) -> Type {
        (self.type_of)(self.slots[column].1).unwrap_or_else(|error| {
            self.failed.borrow_mut().get_or_insert(error);
            Type::Number
        })
    }
}
