//! From sqlparser's tree to ours: names to columns, types checked, literals converted.

mod calls;
mod times;
mod typing;

use sqlparser::ast::{BinaryOperator, CaseWhen, Expr, InTarget, Spanned, UnaryOperator, Value as Sql, ValueWithSpan};
use sqlparser::tokenizer::Location;

use crate::columns::{Columns, find};
use crate::error::{Error, ErrorKind};
use crate::evaluate::{NoRow, evaluate};
use crate::like::Pattern;
use crate::node::{Binary, Case, Comparison, Members, Node, Unary};
use crate::split;
use crate::value::{Type, Value};

/// How deep our tree may be: what is made of it recurses.
const DEEPEST: usize = 256;
/// The most parts of a definition that is put in the place of a column.
const LARGEST: usize = 1_000;

/// A bound part of an expression.
#[derive(Debug, Clone)]
pub(crate) struct Bound {
    pub(crate) node: Node,
    /// None where only null is known.
    pub(crate) data_type: Option<Type>,
    pub(crate) at: Location,
}

/// What parts are bound to.
pub(crate) struct Binder<'a> {
    text: &'a str,
    columns: &'a dyn Columns,
    names: Vec<String>,
}

type Result<T> = std::result::Result<T, Error>;

impl<'a> Binder<'a> {
    pub(crate) fn new(text: &'a str, columns: &'a dyn Columns) -> Self {
        Self { text, columns, names: columns.names() }
    }

    fn fail<T>(&self, at: Location, kind: ErrorKind) -> Result<T> {
        Err(Error::new(self.text, at, kind))
    }

    fn unsupported<T>(&self, at: Location, what: impl Into<String>) -> Result<T> {
        self.fail(at, ErrorKind::Unsupported(what.into()))
    }

    /// Binds a part that is `depth` deep.
    pub(crate) fn bind(&self, expr: &Expr, depth: usize) -> Result<Bound> {
        let at = start(expr);
        if depth > DEEPEST {
            let what = format!("the expression is more than {DEEPEST} operations deep; take parts of it apart");
            return self.fail(at, ErrorKind::TooLarge(what));
        }
        match expr {
            Expr::Nested(inner) => self.bind(inner, depth + 1),
            Expr::Identifier(name) => self.column(&name.value, at),
            Expr::Value(value) => self.literal(value),
            Expr::BinaryOp { left, op: op @ (BinaryOperator::And | BinaryOperator::Or), right } => {
                self.connective(op, left, right, depth, at)
            }
            Expr::BinaryOp { left, op, right } => {
                let (a, b) = (self.bind(left, depth + 1)?, self.bind(right, depth + 1)?);
                match comparison(op) {
                    Some(comparison) => {
                        let (pair, _) = self.unify_two(a, b, at)?;
                        Ok(boolean(Node::Compare(comparison, Box::new(pair)), at))
                    }
                    None => self.arithmetic(op, a, b, at),
                }
            }
            Expr::UnaryOp { op, expr } => self.unary_operator(op, expr, depth, at),
            Expr::In { .. } | Expr::Between { .. } | Expr::Like { .. } | Expr::ILike { .. } => self.predicate(expr, depth, at),
            Expr::Case { operand, conditions, else_result, .. } => {
                self.case(operand.as_deref(), conditions, else_result.as_deref(), depth, at)
            }
            Expr::CompoundIdentifier(parts) => {
                let whole = parts.iter().map(|part| part.value.as_str()).collect::<Vec<_>>().join(".");
                // `customer.birth`, where the columns of other tables are there under such names.
                let table = parts.first().map(|part| format!("{}.", part.value)).unwrap_or_default();
                if self.names.iter().any(|name| name.starts_with(&table)) {
                    return self.column(&whole, at);
                }
                self.unsupported(at, format!("a column has one name; write \"{whole}\" in double quotes if its name has a point"))
            }
            Expr::Subquery(_) | Expr::Exists { .. } => self.unsupported(at, "subqueries are not supported"),
            Expr::Tuple(_) => self.unsupported(at, "lists are supported on the right side of IN only"),
            _ => match self.test(expr, depth, at)? {
                Some(bound) => Ok(bound),
                None => self.call(expr, depth, at),
            },
        }
        .map(folded)
    }

    fn column(&self, name: &str, at: Location) -> Result<Bound> {
        let index = find(&self.names, name).map_err(|kind| Error::new(self.text, at, kind))?;
        let data_type = self.columns.data_type(index);
        let node = match self.columns.definition(index) {
            // Definitions of definitions can double at every step.
            Some(definition) if definition.root().size() > LARGEST => {
                let what =
                    format!("what the column {name:?} is computed from has more than {LARGEST} parts; use fewer derived columns in it");
                return self.fail(at, ErrorKind::TooLarge(what));
            }
            Some(definition) => definition.root().clone(),
            None => Node::Column { index, data_type },
        };
        Ok(Bound { node, data_type: Some(data_type), at })
    }

    /// The column that a text assigns to.
    pub(crate) fn target(&self, expr: &Expr) -> Result<(usize, Type)> {
        let Expr::Identifier(name) = expr else {
            return self.fail(start(expr), ErrorKind::NotAssignment);
        };
        let index = find(&self.names, &name.value).map_err(|kind| Error::new(self.text, start(expr), kind))?;
        Ok((index, self.columns.data_type(index)))
    }

    fn literal(&self, value: &ValueWithSpan) -> Result<Bound> {
        let at = value.span.start;
        let value = match &value.value {
            Sql::Number(digits, _) => match digits.parse::<f64>() {
                Ok(x) if x.is_finite() => Value::Number(x),
                _ => return self.fail(at, ErrorKind::Literal(format!("{digits} is beyond the largest number, 1.8e308"))),
            },
            Sql::SingleQuotedString(text) => Value::Text(text.clone().into()),
            Sql::Boolean(truth) => Value::Boolean(*truth),
            Sql::Null => Value::Null,
            other => return self.unsupported(at, format!("{other} is not supported; write a text in single quotes")),
        };
        Ok(Bound { data_type: value.data_type(), node: Node::Literal(value), at })
    }

    /// A chain of AND or of OR, which is taken apart in a loop as it may be long.
    fn connective(&self, op: &BinaryOperator, left: &Expr, right: &Expr, depth: usize, at: Location) -> Result<Bound> {
        let mut parts = vec![right];
        let mut rest = left;
        while let Expr::BinaryOp { left, op: next, right } = rest
            && next == op
        {
            parts.push(right);
            rest = left;
        }
        parts.push(rest);
        let what = if *op == BinaryOperator::And { "AND" } else { "OR" };
        let nodes =
            parts.into_iter().rev().map(|part| self.require(self.bind(part, depth + 1)?, Type::Boolean, what)).collect::<Result<_>>()?;
        Ok(boolean(if *op == BinaryOperator::And { split::and(nodes) } else { split::or(nodes) }, at))
    }

    fn unary_operator(&self, op: &UnaryOperator, expr: &Expr, depth: usize, at: Location) -> Result<Bound> {
        let operand = self.bind(expr, depth + 1)?;
        match (op, operand.data_type) {
            (UnaryOperator::Not, _) => {
                let node = self.require(operand, Type::Boolean, "NOT")?;
                Ok(boolean(Node::Not(Box::new(node)), at))
            }
            (UnaryOperator::Plus, Some(Type::Number | Type::Interval)) => Ok(operand),
            (UnaryOperator::Minus, Some(Type::Interval)) => {
                Ok(Bound { node: Node::Unary(Unary::Negate, Box::new(operand.node)), data_type: Some(Type::Interval), at })
            }
            (UnaryOperator::Minus | UnaryOperator::Plus, _) => {
                let node = self.require(operand, Type::Number, "a sign")?;
                Ok(number(Node::Unary(Unary::Negate, Box::new(node)), at))
            }
            _ => self.unsupported(at, format!("the operator {op} is not supported")),
        }
    }

    /// `IN`, `BETWEEN` and `LIKE`.
    fn predicate(&self, expr: &Expr, depth: usize, at: Location) -> Result<Bound> {
        let (node, negated) = match expr {
            Expr::In { expr, target: InTarget::List(list), negated, global: false } => (self.in_list(expr, list, depth)?, *negated),
            Expr::In { .. } => return self.unsupported(at, "IN takes a list in parentheses: x in (1, 2)"),
            Expr::Between { expr, negated, low, high } => {
                let parts = [expr, low, high].into_iter().map(|part| self.bind(part, depth + 1)).collect::<Result<_>>()?;
                let (nodes, _) = self.unify(parts, at)?;
                (between(nodes), *negated)
            }
            Expr::Like { negated, any: false, expr, pattern, escape_char } => {
                (self.like(expr, pattern, escape_char.as_deref(), false, depth)?, *negated)
            }
            Expr::ILike { negated, any: false, expr, pattern, escape_char } => {
                (self.like(expr, pattern, escape_char.as_deref(), true, depth)?, *negated)
            }
            _ => return self.unsupported(at, "LIKE ANY is not supported; join several LIKE by OR"),
        };
        Ok(boolean(if negated { Node::Not(Box::new(node)) } else { node }, at))
    }

    fn in_list(&self, expr: &Expr, list: &[Expr], depth: usize) -> Result<Node> {
        let mut parts = vec![self.bind(expr, depth + 1)?];
        let at = parts[0].at;
        for item in list {
            parts.push(self.bind(item, depth + 1)?);
        }
        let (mut nodes, _) = self.unify(parts, at)?;
        let operand = nodes.remove(0);
        let mut members = Members { literals: Vec::new(), null: false, others: Vec::new() };
        for node in nodes {
            match node {
                Node::Literal(Value::Null) => members.null = true,
                Node::Literal(value) => members.literals.push(value),
                node => members.others.push(node),
            }
        }
        members.literals.sort_by(|a, b| a.compare(b).unwrap_or(std::cmp::Ordering::Equal));
        Ok(Node::In(Box::new(operand), Box::new(members)))
    }

    fn like(&self, expr: &Expr, pattern: &Expr, escape: Option<&Expr>, folded: bool, depth: usize) -> Result<Node> {
        let operand = self.require(self.bind(expr, depth + 1)?, Type::Text, "LIKE")?;
        let at = start(pattern);
        let Some(text) = quoted(pattern) else {
            return self.unsupported(at, "the pattern of LIKE is a text in single quotes");
        };
        let escape = match escape.map(|escape| quoted(escape).map(|text| text.chars().collect::<Vec<_>>())) {
            None => Some('\\'),
            Some(Some(chars)) if chars.len() <= 1 => chars.first().copied(),
            Some(_) => return self.unsupported(at, "ESCAPE takes one character in single quotes"),
        };
        match Pattern::new(text, escape, folded) {
            Some(pattern) => Ok(Node::Like(Box::new(operand), pattern)),
            None => self.fail(at, ErrorKind::Literal("the pattern ends in its escape character; write that twice".to_owned())),
        }
    }

    fn case(&self, operand: Option<&Expr>, whens: &[CaseWhen], otherwise: Option<&Expr>, depth: usize, at: Location) -> Result<Bound> {
        let bind = |expr| self.bind(expr, depth + 1);
        let conditions = whens.iter().map(|when| bind(&when.condition));
        let (operand, conditions) = match operand {
            Some(operand) => {
                let (mut nodes, _) = self.unify(std::iter::once(bind(operand)).chain(conditions).collect::<Result<_>>()?, at)?;
                (Some(nodes.remove(0)), nodes)
            }
            None => (None, conditions.map(|condition| self.require(condition?, Type::Boolean, "WHEN")).collect::<Result<_>>()?),
        };
        let mut results = whens.iter().map(|when| bind(&when.result)).collect::<Result<Vec<_>>>()?;
        results.push(otherwise.map_or(Ok(Bound { node: Node::null(), data_type: None, at }), bind)?);
        let (mut results, data_type) = self.unify(results, at)?;
        let otherwise = results.pop().unwrap_or_else(Node::null);
        let branches = conditions.into_iter().zip(results).collect();
        Ok(Bound { node: Node::Case(Box::new(Case { operand, branches, otherwise })), data_type, at })
    }

    /// `IS ...`.
    fn test(&self, expr: &Expr, depth: usize, at: Location) -> Result<Option<Bound>> {
        let truth = |expr: &Expr| self.require(self.bind(expr, depth + 1)?, Type::Boolean, "IS TRUE");
        let (node, negated) = match expr {
            Expr::IsNull(x) => (Node::IsNull(Box::new(self.bind(x, depth + 1)?.node)), false),
            Expr::IsNotNull(x) => (Node::IsNull(Box::new(self.bind(x, depth + 1)?.node)), true),
            Expr::IsUnknown(x) => (Node::IsNull(Box::new(truth(x)?)), false),
            Expr::IsNotUnknown(x) => (Node::IsNull(Box::new(truth(x)?)), true),
            Expr::IsTrue(x) => (Node::Is(true, Box::new(truth(x)?)), false),
            Expr::IsNotTrue(x) => (Node::Is(true, Box::new(truth(x)?)), true),
            Expr::IsFalse(x) => (Node::Is(false, Box::new(truth(x)?)), false),
            Expr::IsNotFalse(x) => (Node::Is(false, Box::new(truth(x)?)), true),
            Expr::IsDistinctFrom(a, b) | Expr::IsNotDistinctFrom(a, b) => {
                let (pair, _) = self.unify_two(self.bind(a, depth + 1)?, self.bind(b, depth + 1)?, at)?;
                (Node::Distinct(Box::new(pair)), matches!(expr, Expr::IsNotDistinctFrom(..)))
            }
            _ => return Ok(None),
        };
        Ok(Some(boolean(if negated { Node::Not(Box::new(node)) } else { node }, at)))
    }
}

/// `BETWEEN`; of a column as two comparisons, so that it is treated with others of that column.
fn between(mut nodes: Vec<Node>) -> Node {
    let high = nodes.pop().unwrap_or_else(Node::null);
    let low = nodes.pop().unwrap_or_else(Node::null);
    let operand = nodes.pop().unwrap_or_else(Node::null);
    match operand {
        Node::Column { .. } => {
            let above = Node::Compare(Comparison::GreaterOrEqual, Box::new([operand.clone(), low]));
            split::and(vec![above, Node::Compare(Comparison::LessOrEqual, Box::new([operand, high]))])
        }
        operand => Node::Between(Box::new([operand, low, high])),
    }
}

fn boolean(node: Node, at: Location) -> Bound {
    Bound { node, data_type: Some(Type::Boolean), at }
}

fn number(node: Node, at: Location) -> Bound {
    Bound { node, data_type: Some(Type::Number), at }
}

/// A part of literals only is a literal.
fn folded_node(node: Node) -> Node {
    let mut constant = !matches!(node, Node::Literal(_) | Node::Column { .. });
    node.for_each_operand(&mut |operand| constant &= operand.is_literal());
    if constant { Node::Literal(evaluate(&node, &NoRow).into_owned()) } else { node }
}

fn folded(bound: Bound) -> Bound {
    Bound { node: folded_node(bound.node), ..bound }
}

fn comparison(op: &BinaryOperator) -> Option<Comparison> {
    Some(match op {
        BinaryOperator::Eq => Comparison::Equal,
        BinaryOperator::NotEq => Comparison::NotEqual,
        BinaryOperator::Lt => Comparison::Less,
        BinaryOperator::LtEq => Comparison::LessOrEqual,
        BinaryOperator::Gt => Comparison::Greater,
        BinaryOperator::GtEq => Comparison::GreaterOrEqual,
        _ => return None,
    })
}

fn arithmetic(op: &BinaryOperator) -> Option<Binary> {
    Some(match op {
        BinaryOperator::Plus => Binary::Add,
        BinaryOperator::Minus => Binary::Subtract,
        BinaryOperator::Multiply => Binary::Multiply,
        BinaryOperator::Divide => Binary::Divide,
        BinaryOperator::Modulo => Binary::Remainder,
        _ => return None,
    })
}

/// The text of a literal in single quotes.
fn quoted(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::Value(ValueWithSpan { value: Sql::SingleQuotedString(text), .. }) => Some(text),
        _ => None,
    }
}

/// Where a part starts. A loop, as chains of operators lean to the left and may be long.
pub(crate) fn start(mut expr: &Expr) -> Location {
    loop {
        expr = match expr {
            Expr::BinaryOp { left: x, .. }
            | Expr::Nested(x)
            | Expr::UnaryOp { expr: x, .. }
            | Expr::IsNull(x)
            | Expr::IsNotNull(x)
            | Expr::IsTrue(x)
            | Expr::IsNotTrue(x)
            | Expr::IsFalse(x)
            | Expr::IsNotFalse(x)
            | Expr::IsUnknown(x)
            | Expr::IsNotUnknown(x)
            | Expr::IsDistinctFrom(x, _)
            | Expr::IsNotDistinctFrom(x, _)
            | Expr::In { expr: x, .. }
            | Expr::Between { expr: x, .. }
            | Expr::Like { expr: x, .. }
            | Expr::ILike { expr: x, .. }
            | Expr::SimilarTo { expr: x, .. }
            | Expr::RLike { expr: x, .. }
            | Expr::Cast { expr: x, .. }
            | Expr::Extract { expr: x, .. }
            | Expr::Ceil { expr: x, .. }
            | Expr::Floor { expr: x, .. }
            | Expr::Substring { expr: x, .. }
            | Expr::Trim { expr: x, .. }
            | Expr::AnyOp { left: x, .. }
            | Expr::AllOp { left: x, .. }
            | Expr::Position { expr: x, .. }
            | Expr::Overlay { expr: x, .. }
            | Expr::Collate { expr: x, .. }
            | Expr::AtTimeZone { timestamp: x, .. } => x,
            Expr::Interval(interval) => &interval.value,
            Expr::Case { case_token, .. } => return case_token.0.span.start,
            Expr::Function(function) => return function.name.0.first().map_or_else(Location::empty, |part| part.span().start),
            Expr::Identifier(name) => return name.span.start,
            Expr::CompoundIdentifier(parts) => return parts.first().map_or_else(Location::empty, |part| part.span.start),
            Expr::Value(value) => return value.span.start,
            Expr::TypedString(typed) => return typed.value.span.start,
            _ => return Location::empty(),
        };
    }
}
