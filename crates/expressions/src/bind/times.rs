//! Literals and functions of times and intervals.

use sqlparser::ast::{DataType, Expr, Interval, TimezoneInfo, Value as Sql, ValueWithSpan};
use sqlparser::tokenizer::Location;

use super::{Binder, Bound, Result, number, quoted};
use crate::error::ErrorKind;
use crate::node::{Node, Unary};
use crate::time::{self, FIELDS, UNITS};
use crate::value::{Type, Value};

impl Binder<'_> {
    /// `date '2020-01-31'` and `timestamp '2020-01-31 12:00'`.
    pub(super) fn typed_text(&self, data_type: &DataType, value: &ValueWithSpan, at: Location) -> Result<Bound> {
        let is_date = matches!(data_type, DataType::Date);
        let is_time =
            matches!(data_type, DataType::Datetime(_) | DataType::Timestamp(_, TimezoneInfo::None | TimezoneInfo::WithoutTimeZone));
        let Sql::SingleQuotedString(text) = &value.value else {
            return self.unsupported(at, "a date is written date '2020-01-31'");
        };
        if !is_date && !is_time {
            return self
                .unsupported(at, format!("{data_type} '...' is not supported; write date '...', timestamp '...' or interval '...'"));
        }
        match time::parse_time(text.trim()) {
            Some(x) => {
                let x = if is_date { time::start_of_day(x) } else { x };
                Ok(Bound { node: Node::Literal(Value::Time(x)), data_type: Some(Type::Time), at })
            }
            None => {
                let what = format!("'{text}' is not a date of the calendar; write '2020-01-31' or '2020-01-31 12:00:00'");
                self.fail(at, ErrorKind::Literal(what))
            }
        }
    }

    /// `interval '3 days'`, `interval '3' day` and `interval 3 day`.
    pub(super) fn interval(&self, interval: &Interval, at: Location) -> Result<Bound> {
        let amount = match interval.value.as_ref() {
            Expr::Value(ValueWithSpan { value: Sql::Number(digits, _), .. }) => Some(digits.as_str()),
            value => quoted(value),
        };
        let Some(text) = amount.filter(|_| interval.last_field.is_none()) else {
            return self.unsupported(at, "an interval is written interval '3 days' or interval '3' day");
        };
        let parsed = match &interval.leading_field {
            Some(unit) => text
                .trim()
                .parse()
                .ok()
                .and_then(|x| time::amount(x, &unit.to_string()))
                .and_then(|(months, seconds)| time::interval(months, seconds)),
            None => time::parse_interval(text),
        };
        match parsed {
            Some((months, seconds)) => {
                Ok(Bound { node: Node::Literal(Value::Interval { months, seconds }.finite()), data_type: Some(Type::Interval), at })
            }
            None => self.fail(at, ErrorKind::Literal(format!("'{text}' is not an interval; write '3 days' or '2 hours 30 minutes'"))),
        }
    }

    pub(super) fn extract(&self, field: &str, operand: Bound, at: Location) -> Result<Bound> {
        let field = field.trim().to_ascii_lowercase();
        let Some((_, field)) = FIELDS.iter().find(|(name, _)| field.strip_suffix('s').unwrap_or(&field) == *name) else {
            let names = FIELDS.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
            return self.unsupported(at, format!("a time has no {field}; it has: {names}"));
        };
        let node = match operand.data_type {
            Some(Type::Interval) => operand.node,
            _ => self.require(operand, Type::Time, "extract")?,
        };
        Ok(number(Node::Unary(Unary::Extract(*field), Box::new(node)), at))
    }

    pub(super) fn truncate(&self, unit: &str, operand: Bound, at: Location) -> Result<Bound> {
        let Some((_, unit)) = UNITS.iter().find(|(name, _)| unit.trim().eq_ignore_ascii_case(name)) else {
            let names = UNITS.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
            return self.unsupported(at, format!("date_trunc has no '{unit}'; it has: {names}"));
        };
        let node = self.require(operand, Type::Time, "date_trunc")?;
        Ok(Bound { node: Node::Unary(Unary::Truncate(*unit), Box::new(node)), data_type: Some(Type::Time), at })
    }
}
