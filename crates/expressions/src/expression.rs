//! The public face of an expression.

use std::borrow::Cow;
use std::fmt;

use sqlparser::ast::{BinaryOperator, Expr, UnaryOperator};

use crate::batch::{self, Batch};
use crate::bind::{Binder, start};
use crate::columns::Columns;
use crate::error::{Error, ErrorKind};
use crate::evaluate::{Row, evaluate, truth};
use crate::node::Node;
use crate::outcomes::{Domains, Outcomes, outcomes};
use crate::parse::parse;
use crate::value::{Type, Value};
use crate::{ranges, split};

/// An expression of SQL, bound to the columns of a table.
#[derive(Debug, Clone, PartialEq)]
pub struct Expression {
    text: String,
    root: Node,
    data_type: Type,
    columns: Vec<usize>,
    /// The conjuncts with their texts; empty for one, which is the root itself.
    parts: Vec<(String, Node)>,
}

impl Expression {
    /// Reads an expression and binds it to columns.
    ///
    /// # Errors
    ///
    /// [`Error`] says where the text is not of the language, names an unknown column, or has types that do not go together.
    pub fn parse(text: &str, columns: &dyn Columns) -> Result<Self, Error> {
        let tree = parse(text)?;
        let binder = Binder::new(text, columns);
        let conjuncts = conjuncts(&tree);
        if let [_] = conjuncts.as_slice() {
            let bound = binder.bind(&tree, 0)?;
            let Some(data_type) = bound.data_type else {
                let what = "the expression is always null and has no type; write cast(null as double)".to_owned();
                return Err(Error::new(text, bound.at, ErrorKind::Type(what)));
            };
            return Ok(Self::new(text.to_owned(), bound.node, data_type, Vec::new()));
        }
        let parts = conjuncts.into_iter().map(|(expr, negated)| {
            let what = if negated { "NOT" } else { "AND" };
            let node = binder.require(binder.bind(expr, 0)?, Type::Boolean, what)?;
            Ok((source(expr, negated), if negated { Node::Not(Box::new(node)) } else { node }))
        });
        let parts = parts.collect::<Result<Vec<_>, Error>>()?;
        let root = split::and(parts.iter().map(|(_, node)| node.clone()).collect());
        Ok(Self::new(text.to_owned(), root, Type::Boolean, parts))
    }

    /// Reads a condition: an expression that is a boolean.
    ///
    /// # Errors
    ///
    /// As [`parse`](Self::parse), and for an expression of another type.
    pub fn condition(text: &str, columns: &dyn Columns) -> Result<Self, Error> {
        let expression = Self::parse(text, columns)?;
        match expression.data_type {
            Type::Boolean => Ok(expression),
            found => Err(Error::new(text, start(&parse(text)?), ErrorKind::NotCondition(found))),
        }
    }

    /// Reads an assignment, `total = price * units` or `price * units = total`: the column, and what it is computed from.
    ///
    /// # Errors
    ///
    /// As [`parse`](Self::parse), for a text that is no assignment, and for a value of another type than the column's.
    pub fn assignment(text: &str, columns: &dyn Columns) -> Result<(usize, Self), Error> {
        let tree = parse(text)?;
        let binder = Binder::new(text, columns);
        let Expr::BinaryOp { left, op: BinaryOperator::Eq, right } = &tree else {
            return Err(Error::new(text, start(&tree), ErrorKind::NotAssignment));
        };
        let (target, value) =
            if matches!(**right, Expr::Identifier(_)) && !matches!(**left, Expr::Identifier(_)) { (right, left) } else { (left, right) };
        let (column, data_type) = binder.target(target)?;
        let node = binder.require(binder.bind(value, 0)?, data_type, "the column")?;
        Ok((column, Self::new(source(value, false), node, data_type, Vec::new())))
    }

    /// The columns of a comparison of two columns by order, `start <= end`, the lesser one first, and whether they may not be equal; nothing for
    /// other expressions.
    ///
    /// # Errors
    ///
    /// As [`parse`](Self::parse).
    pub fn order(text: &str, columns: &dyn Columns) -> Result<Option<(usize, usize, bool)>, Error> {
        let tree = parse(text)?;
        let binder = Binder::new(text, columns);
        let mut bare = &tree;
        while let Expr::Nested(inner) = bare {
            bare = inner;
        }
        let Expr::BinaryOp { left, op, right } = bare else { return Ok(None) };
        let (low, high, strict) = match op {
            BinaryOperator::Lt => (left, right, true),
            BinaryOperator::LtEq => (left, right, false),
            BinaryOperator::Gt => (right, left, true),
            BinaryOperator::GtEq => (right, left, false),
            _ => return Ok(None),
        };
        match (low.as_ref(), high.as_ref()) {
            (Expr::Identifier(_), Expr::Identifier(_)) => Ok(Some((binder.target(low)?.0, binder.target(high)?.0, strict))),
            _ => Ok(None),
        }
    }

    pub(crate) fn root(&self) -> &Node {
        &self.root
    }

    fn new(text: String, root: Node, data_type: Type, parts: Vec<(String, Node)>) -> Self {
        let mut columns = Vec::new();
        root.for_each_column(&mut |column| columns.push(column));
        columns.sort_unstable();
        columns.dedup();
        Self { text, root, data_type, columns, parts }
    }

    /// The type of the value.
    pub fn data_type(&self) -> Type {
        self.data_type
    }

    /// The columns that the value depends on, sorted and each once.
    pub fn columns(&self) -> &[usize] {
        &self.columns
    }

    /// The value in a row. Numbers, and comparisons of texts with literals, allocate nothing.
    pub fn evaluate<'a, R: Row + ?Sized>(&'a self, row: &'a R) -> Value<'a> {
        evaluate(&self.root, row)
    }

    /// The value in a row, if it is a number.
    pub fn evaluate_number<R: Row + ?Sized>(&self, row: &R) -> Option<f64> {
        match self.evaluate(row) {
            Value::Number(x) => Some(x),
            _ => None,
        }
    }

    /// The truth of a condition in a row, none for null. A filter keeps a row for true only, a constraint refuses it for false only.
    pub fn holds<R: Row + ?Sized>(&self, row: &R) -> Option<bool> {
        truth(&self.root, row)
    }

    /// The numbers or times in many rows, NaN for null, computed column by column; none where the expression has parts for which that is not
    /// possible. They are those of [`evaluate`](Self::evaluate).
    pub fn evaluate_batch<'b, B: Batch>(&self, batch: &'b B) -> Option<Cow<'b, [f64]>> {
        match self.data_type {
            Type::Number | Type::Time => batch::evaluate_numbers(&self.root, batch),
            _ => None,
        }
    }

    /// The truth of a condition in many rows, none for null, computed column by column where that is possible. It is that of
    /// [`holds`](Self::holds).
    pub fn holds_batch<B: Batch>(&self, batch: &B) -> Option<Vec<Option<bool>>> {
        let truths = batch::truths(&self.root, batch)?;
        Some(truths.into_iter().map(|truth| [Some(false), Some(true), None][usize::from(truth)]).collect())
    }

    /// What a condition can be while its columns are known in part.
    ///
    /// It is sound: whatever values of the domains the columns have, what the condition then is is among the outcomes. With all columns known
    /// it is exactly that. Between the two it is as tight as interval arithmetic: a column that occurs twice may count as two, unless it is only
    /// ever compared with values that it does not occur in, as in `x >= a and x <= b`; such parts are exact. For an expression that is not a
    /// condition only `may_be_null` has a meaning.
    pub fn outcomes<D: Domains>(&self, domains: &D) -> Outcomes {
        match self.data_type {
            Type::Boolean => outcomes(&self.root, domains),
            _ => Outcomes { may_be_null: crate::set::set(&self.root, domains).null, ..Outcomes::default() },
        }
    }

    /// The parts of a condition that all have to hold, by the outermost ANDs and by `not (a or b)` as `not a and not b`; the condition itself
    /// if it has no parts.
    pub fn conjuncts(&self) -> Vec<Expression> {
        if self.parts.is_empty() {
            return vec![self.clone()];
        }
        self.parts.iter().map(|(text, node)| Self::new(text.clone(), node.clone(), Type::Boolean, Vec::new())).collect()
    }

    /// The parts of `low` to `high` of a column of numbers or times in which the condition may be true, given what is known of the others; they
    /// are in order and do not touch.
    ///
    /// The ends are exact where the column is compared with a value, as in `x >= 3.7`; elsewhere, as in `2 * x >= 7.4`, they are found by
    /// bisection, and are at most `resolution` too wide as far as [`outcomes`](Self::outcomes) is exact in a range that small. A condition that
    /// changes in very many places is not followed everywhere, and the parts are wider then; they never leave out a value for which the
    /// condition can be true. What `others` says of the column itself is not used.
    pub fn true_ranges<D: Domains>(&self, column: usize, low: f64, high: f64, resolution: f64, others: &D) -> Vec<(f64, f64)> {
        ranges::true_ranges(&self.root, column, low, high, resolution, others)
    }
}

impl fmt::Display for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// The conjuncts of a tree, each with whether it is negated.
fn conjuncts(tree: &Expr) -> Vec<(&Expr, bool)> {
    let (mut found, mut open) = (Vec::new(), vec![(tree, false)]);
    while let Some((expr, negated)) = open.pop() {
        match expr {
            Expr::Nested(inner) => open.push((inner, negated)),
            Expr::UnaryOp { op: UnaryOperator::Not, expr } => open.push((expr, !negated)),
            Expr::BinaryOp { left, op: BinaryOperator::And, right } if !negated => {
                open.extend([(right.as_ref(), false), (left.as_ref(), false)])
            }
            Expr::BinaryOp { left, op: BinaryOperator::Or, right } if negated => {
                open.extend([(right.as_ref(), true), (left.as_ref(), true)])
            }
            _ => found.push((expr, negated)),
        }
    }
    found
}

/// The SQL of a conjunct. Chains of OR are taken apart in a loop, as they may be long.
fn source(expr: &Expr, negated: bool) -> String {
    let (mut parts, mut rest) = (Vec::new(), expr);
    while let Expr::BinaryOp { left, op: BinaryOperator::Or, right } = rest {
        parts.push(right.to_string());
        rest = left;
    }
    parts.push(rest.to_string());
    parts.reverse();
    let text = parts.join(" OR ");
    if negated { format!("NOT ({text})") } else { text }
}
