//! Types: what goes together, and texts in quotes that mean a value of another type.

use sqlparser::ast::BinaryOperator;
use sqlparser::tokenizer::Location;

use super::{Binder, Bound, Result, arithmetic, number};
use crate::columns::literal;
use crate::error::{Error, ErrorKind};
use crate::node::{Binary, Node, Unary};
use crate::value::{Type, Value};

impl Binder<'_> {
    /// The node of a part that has to be of a type.
    pub(crate) fn require(&self, bound: Bound, expected: Type, what: &str) -> Result<Node> {
        match bound.data_type {
            None => Ok(bound.node),
            Some(found) if found == expected => Ok(bound.node),
            Some(found) => match &bound.node {
                Node::Literal(Value::Text(text)) if expected != Type::Text => self.convert(text, expected, None, bound.at),
                _ => self.fail(bound.at, ErrorKind::Type(format!("{what} takes {expected}, and this is {found}"))),
            },
        }
    }

    /// The value that a text in quotes means as a type, or beside a column.
    fn convert(&self, text: &str, data_type: Type, column: Option<usize>, at: Location) -> Result<Node> {
        let value = match column {
            Some(column) => self.columns.literal(column, text),
            None => literal(data_type, text),
        };
        match value.filter(|value| value.data_type() == Some(data_type)) {
            Some(value) => Ok(Node::Literal(value.finite())),
            None => {
                let of = column.and_then(|column| self.names.get(column)).map_or(String::new(), |name| format!(" of the column {name:?}"));
                let remedy = match (data_type, column) {
                    (Type::Time, _) => "; write '2020-01-31' or '2020-01-31 12:00:00'",
                    (Type::Interval, _) => "; write '3 days' or '2 hours 30 minutes'",
                    (Type::Number, _) => "; write a number without quotes",
                    (Type::Boolean, None) => "; write true or false",
                    _ => "",
                };
                let what = if of.is_empty() { format!("{data_type}") } else { format!("a value{of}, which is {data_type}") };
                self.fail(at, ErrorKind::Literal(format!("'{}' is not {what}{remedy}", clip(text))))
            }
        }
    }

    /// The nodes of parts that have to be of one type, and that type.
    pub(super) fn unify(&self, parts: Vec<Bound>, at: Location) -> Result<(Vec<Node>, Option<Type>)> {
        let is_text = |part: &Bound| matches!(part.node, Node::Literal(Value::Text(_)));
        let decided = parts.iter().find(|part| part.data_type.is_some() && !is_text(part));
        let Some(data_type) = decided.or(parts.iter().find(|part| is_text(part))).and_then(|part| part.data_type) else {
            return Ok((parts.into_iter().map(|part| part.node).collect(), None));
        };
        let column = parts.iter().find_map(|part| match part.node {
            Node::Column { index, data_type: found } if found == data_type => Some(index),
            _ => None,
        });
        let nodes = parts.into_iter().map(|part| match (&part.node, part.data_type) {
            (Node::Literal(Value::Text(text)), _) if data_type != Type::Text || column.is_some() => {
                self.convert(text, data_type, column, part.at)
            }
            (_, Some(found)) if found != data_type => self.mismatch(data_type, found, if part.at.line == 0 { at } else { part.at }),
            _ => Ok(part.node),
        });
        Ok((nodes.collect::<Result<_>>()?, Some(data_type)))
    }

    /// [`unify`](Self::unify) of two.
    pub(super) fn unify_two(&self, a: Bound, b: Bound, at: Location) -> Result<([Node; 2], Option<Type>)> {
        let (mut nodes, data_type) = self.unify(vec![a, b], at)?;
        let second = nodes.pop().unwrap_or_else(Node::null);
        Ok(([nodes.pop().unwrap_or_else(Node::null), second], data_type))
    }

    fn mismatch(&self, expected: Type, found: Type, at: Location) -> Result<Node> {
        let remedy = match (expected, found) {
            (Type::Interval, Type::Number) | (Type::Number, Type::Interval) => {
                "; write days(...) for a number of days, or interval '3 days'"
            }
            (Type::Time, Type::Number) | (Type::Number, Type::Time) => "; write date '2020-01-31', or extract(year from ...)",
            (Type::Boolean, Type::Number) | (Type::Number, Type::Boolean) => "; write true or false",
            (Type::Text, Type::Number) => "; write the number in single quotes",
            _ => "",
        };
        self.fail(at, ErrorKind::Type(format!("this is {found}, and what it goes with is {expected}{remedy}")))
    }

    /// `+ - * / % ||`.
    pub(super) fn arithmetic(&self, op: &BinaryOperator, a: Bound, b: Bound, at: Location) -> Result<Bound> {
        if *op == BinaryOperator::StringConcat {
            let pair = [self.text_of(a)?, self.text_of(b)?];
            return Ok(Bound { node: Node::Binary(Binary::Concat, Box::new(pair)), data_type: Some(Type::Text), at });
        }
        let Some(function) = arithmetic(op) else {
            return self.unsupported(at, format!("the operator {op} is not supported"));
        };
        match (a.data_type, b.data_type) {
            (Some(Type::Time | Type::Interval), _) | (_, Some(Type::Time | Type::Interval)) => self.time_arithmetic(function, op, a, b, at),
            _ => {
                let what = op.to_string();
                let pair = [self.require(a, Type::Number, &what)?, self.require(b, Type::Number, &what)?];
                Ok(number(Node::Binary(function, Box::new(pair)), at))
            }
        }
    }

    fn time_arithmetic(&self, function: Binary, op: &BinaryOperator, mut a: Bound, mut b: Bound, at: Location) -> Result<Bound> {
        use Type::{Interval, Number, Time};
        // A text in quotes is what the other side makes sense with: an interval beside `+`, else the same type.
        let (of_a, of_b) = (a.data_type, b.data_type);
        for (this, other) in [(&mut a, of_b), (&mut b, of_a)] {
            if let Node::Literal(Value::Text(text)) = &this.node {
                let data_type = if function == Binary::Subtract { other.unwrap_or(Interval) } else { Interval };
                this.node = self.convert(text, data_type, None, this.at)?;
                this.data_type = Some(data_type);
            }
        }
        let pair = |a: Bound, b: Bound| Box::new([a.node, b.node]);
        let negated = |b: Bound| Bound { node: super::folded_node(Node::Unary(Unary::Negate, Box::new(b.node))), ..b };
        let (binary, pair, data_type) = match (function, a.data_type, b.data_type) {
            (Binary::Add, Some(Time), Some(Interval) | None) => (Binary::Shift, pair(a, b), Time),
            (Binary::Add, Some(Interval) | None, Some(Time)) => (Binary::Shift, pair(b, a), Time),
            (Binary::Subtract, Some(Time), Some(Interval)) => (Binary::Shift, pair(a, negated(b)), Time),
            (Binary::Subtract, Some(Time) | None, Some(Time)) | (Binary::Subtract, Some(Time), None) => {
                (Binary::Difference, pair(a, b), Interval)
            }
            (Binary::Add, Some(Interval) | None, Some(Interval) | None) => (Binary::Add, pair(a, b), Interval),
            (Binary::Subtract, Some(Interval) | None, Some(Interval) | None) => (Binary::Add, pair(a, negated(b)), Interval),
            (Binary::Multiply, Some(Interval), Some(Number) | None) => (Binary::Scale, pair(a, b), Interval),
            (Binary::Multiply, Some(Number) | None, Some(Interval)) => (Binary::Scale, pair(b, a), Interval),
            (Binary::Divide, Some(Interval), Some(Number) | None) => (Binary::Shorten, pair(a, b), Interval),
            (_, a, b) => {
                let name = |data_type: Option<Type>| data_type.map_or("null".to_owned(), |data_type| data_type.to_string());
                let what = format!("{} {op} {} has no meaning; write interval '3 days' for a number of days", name(a), name(b));
                return Err(Error::new(self.text, at, ErrorKind::Type(what)));
            }
        };
        Ok(Bound { node: Node::Binary(binary, pair), data_type: Some(data_type), at })
    }

    /// The text of a value of any type.
    pub(super) fn text_of(&self, bound: Bound) -> Result<Node> {
        match bound.data_type {
            None | Some(Type::Text) => Ok(bound.node),
            Some(Type::Interval) => self.fail(bound.at, ErrorKind::Type("an interval has no text; write days(...)".to_owned())),
            Some(_) => Ok(super::folded_node(Node::Unary(Unary::ToText, Box::new(bound.node)))),
        }
    }
}

/// The first characters of a long text.
fn clip(text: &str) -> String {
    match text.char_indices().nth(40) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}
