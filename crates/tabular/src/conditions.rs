//! SQL conditions on the columns of a table: bound to what a model knows of them, and divided into what concerns one column, which becomes a
//! [`Predicate`], and the rest, which is looked at row by row.

use std::borrow::Cow;

use semblant_data::table::{Column, ColumnKind, ColumnSchema, MISSING};
use semblant_expressions::{self as expressions, Domains, Expression, Row, Type, Value};

use crate::filter::{Domain, Predicate};

/// The columns of a model as expressions see them.
pub struct Names<'a> {
    schemas: Vec<&'a ColumnSchema>,
    types: Vec<Type>,
    definitions: &'a [Option<Expression>],
}

impl<'a> Names<'a> {
    /// Columns of these types, some of which are computed from others.
    pub fn of(schemas: Vec<&'a ColumnSchema>, types: Vec<Type>, definitions: &'a [Option<Expression>]) -> Self {
        Self { schemas, types, definitions }
    }

    /// The types of the columns.
    pub fn types(&self) -> &[Type] {
        &self.types
    }
}

/// The types of columns, some of which hold truth values.
pub fn types(schemas: &[&ColumnSchema], is_boolean: impl Fn(usize) -> bool) -> Vec<Type> {
    let data_type = |(index, described): (usize, &&ColumnSchema)| match described.kind {
        ColumnKind::Datetime => Type::Time,
        kind if kind.is_number() => Type::Number,
        ColumnKind::Boolean if is_boolean(index) => Type::Boolean,
        _ => Type::Text,
    };
    schemas.iter().enumerate().map(data_type).collect()
}

impl expressions::Columns for Names<'_> {
    fn names(&self) -> Vec<String> {
        self.schemas.iter().map(|described| described.name.clone()).collect()
    }

    fn data_type(&self, column: usize) -> Type {
        self.types[column]
    }

    fn literal(&self, column: usize, text: &str) -> Option<Value<'static>> {
        let described = self.schemas[column];
        let number = || described.parse_number(text).filter(|value| !value.is_nan());
        match self.types[column] {
            Type::Number => number().map(Value::Number),
            // In the way of the column first, then in the usual one.
            Type::Time => number().map(Value::Time).or_else(|| usual_time(text)),
            Type::Boolean => truth(text).map(Value::Boolean),
            _ => Some(Value::Text(Cow::Owned(text.to_owned()))),
        }
    }

    fn definition(&self, column: usize) -> Option<&Expression> {
        self.definitions.get(column).and_then(Option::as_ref)
    }
}

fn usual_time(text: &str) -> Option<Value<'static>> {
    struct None;
    impl expressions::Columns for None {
        fn names(&self) -> Vec<String> {
            Vec::new()
        }

        fn data_type(&self, _: usize) -> Type {
            Type::Text
        }
    }
    struct NoRow;
    impl Row for NoRow {
        fn value(&self, _: usize) -> Value<'_> {
            Value::Null
        }
    }
    let quoted = text.replace('\'', "''");
    let literal = Expression::parse(&format!("timestamp '{quoted}'"), &None).ok()?;
    Some(literal.evaluate(&NoRow).into_owned()).filter(|value| !value.is_null())
}

/// What a label of a column of truth values means.
pub(crate) fn truth(label: &str) -> Option<bool> {
    match label.trim().to_ascii_lowercase().as_str() {
        "true" | "t" | "yes" | "y" | "1" => Some(true),
        "false" | "f" | "no" | "n" | "0" => Some(false),
        _ => None,
    }
}

/// A number as a value of a column's type; null for NaN.
pub fn number(data_type: Type, value: f64) -> Value<'static> {
    match data_type {
        _ if value.is_nan() => Value::Null,
        Type::Time => Value::Time(value),
        _ => Value::Number(value),
    }
}

/// A label as a value of a column's type.
pub fn label(data_type: Type, label: Option<&str>) -> Value<'_> {
    match (label, data_type) {
        (None, _) => Value::Null,
        (Some(label), Type::Boolean) => truth(label).map_or(Value::Null, Value::Boolean),
        (Some(label), Type::Number) => label.parse().map_or(Value::Null, Value::Number),
        (Some(label), _) => Value::Text(Cow::Borrowed(label)),
    }
}

/// A row of columns.
pub struct Cells<'a> {
    /// The columns.
    pub columns: &'a [Column],
    /// Their types.
    pub types: &'a [Type],
    /// The row.
    pub row: usize,
}

impl Row for Cells<'_> {
    fn value(&self, column: usize) -> Value<'_> {
        match &self.columns[column] {
            Column::Number(values) => number(self.types[column], values[self.row]),
            Column::Category { codes, .. } if codes[self.row] == MISSING => Value::Null,
            column_of_labels => label(self.types[column], column_of_labels.label(self.row)),
        }
    }
}

/// Only one column is known.
struct One<'a>(usize, Value<'a>);

impl Row for One<'_> {
    fn value(&self, column: usize) -> Value<'_> {
        if column == self.0 { self.1.borrow() } else { Value::Null }
    }
}

/// No column is known.
struct Nothing;

impl Domains for Nothing {
    fn domain(&self, _: usize) -> expressions::Domain<'_> {
        expressions::Domain::Any { null: true }
    }
}

/// What a condition on one column allows, if it can be told: for labels always, for numbers as ranges. Where nothing is allowed, the ranges or
/// labels are empty.
pub fn of_one_column(
    condition: &Expression,
    column: usize,
    described: &ColumnSchema,
    data_type: Type,
    domain: &Domain<'_>,
) -> Option<Predicate> {
    let holds = |value: Value<'_>| condition.holds(&One(column, value)) == Some(true);
    match domain {
        Domain::Labels { labels, missing } => {
            let mut allowed: Vec<u32> =
                labels.iter().filter(|(_, text)| holds(label(data_type, Some(text)))).map(|(code, _)| *code).collect();
            allowed.sort_unstable();
            Some(Predicate::OneOf { labels: allowed, missing: *missing && holds(Value::Null) })
        }
        Domain::Numbers { range, missing } => {
            let missing = *missing && holds(Value::Null);
            let Some((low, high)) = *range else { return Some(Predicate::Ranges { ranges: Vec::new(), missing }) };
            let step = described.step().filter(|_| described.zone.is_none());
            let resolution = step.map_or((high - low) * 1e-9, |step| 0.25 * step).max(f64::MIN_POSITIVE);
            let found = condition.true_ranges(column, low, high, resolution, &Nothing);
            let ranges = found
                .into_iter()
                .filter_map(|(from, to)| within(described, step, from, to, &|value| holds(number(data_type, value))))
                .collect();
            Some(Predicate::Ranges { ranges, missing })
        }
        _ => None,
    }
}

/// The range with ends that the column can hold and the condition allows; ends are drawn in by a few steps at most.
fn within(described: &ColumnSchema, step: Option<f64>, low: f64, high: f64, holds: &dyn Fn(f64) -> bool) -> Option<(f64, f64)> {
    let Some(step) = step else {
        let inward = |from: f64, to: f64| if holds(from) { from } else { from + 1e-9 * (to - from) };
        return (low < high || holds(low)).then(|| (inward(low, high), inward(high, low)));
    };
    let origin = described.origin.unwrap_or(0.0);
    let on_grid = |place: f64| described.round_number(place * step + origin);
    let (mut first, mut last) = (((low - origin) / step - 1e-9).ceil(), ((high - origin) / step + 1e-9).floor());
    for _ in 0..4 {
        if first <= last && !holds(on_grid(first)) {
            first += 1.0;
        }
        if first <= last && !holds(on_grid(last)) {
            last -= 1.0;
        }
    }
    (first <= last).then(|| (on_grid(first), on_grid(last)))
}
