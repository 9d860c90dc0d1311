//! The value of an expression in a row.

use std::borrow::Cow;
use std::cmp::Ordering;

use crate::functions::{binary, substring, unary};
use crate::node::{Case, Comparison, Many, Members, Node};
use crate::value::Value;

/// A row of a table: the values of its columns.
pub trait Row {
    /// The value of a column; null where there is none.
    fn value(&self, column: usize) -> Value<'_>;
}

/// A row without columns.
pub(crate) struct NoRow;

impl Row for NoRow {
    fn value(&self, _: usize) -> Value<'_> {
        Value::Null
    }
}

/// The value of a node in a row.
pub(crate) fn evaluate<'a, R: Row + ?Sized>(node: &'a Node, row: &'a R) -> Value<'a> {
    match node {
        Node::Literal(value) => value.borrow(),
        Node::Column { index, .. } => row.value(*index).finite(),
        Node::Unary(function, x) => unary(*function, evaluate(x, row)),
        Node::Binary(function, pair) => binary(*function, evaluate(&pair[0], row), evaluate(&pair[1], row)),
        Node::Substring(parts) => substring(evaluate(&parts[0], row), evaluate(&parts[1], row), evaluate(&parts[2], row)),
        Node::Many(function, nodes) => many(*function, nodes.iter().map(|node| evaluate(node, row))),
        Node::Case(case) => evaluate_case(case, row),
        Node::Split(split) => evaluate(&split.inner, row),
        _ => Value::of_truth(truth(node, row)),
    }
}

/// The truth of a node of booleans in a row, none for null.
pub(crate) fn truth<R: Row + ?Sized>(node: &Node, row: &R) -> Option<bool> {
    let value = |node| evaluate(node, row);
    match node {
        Node::Not(x) => truth(x, row).map(|truth| !truth),
        Node::And(nodes) => all(nodes.iter().map(|node| truth(node, row)), false),
        Node::Or(nodes) => all(nodes.iter().map(|node| truth(node, row)), true),
        Node::IsNull(x) => Some(value(x).is_null()),
        Node::Is(expected, x) => Some(truth(x, row) == Some(*expected)),
        Node::Compare(comparison, pair) => compare(*comparison, &value(&pair[0]), &value(&pair[1])),
        Node::Distinct(pair) => Some(distinct(&value(&pair[0]), &value(&pair[1]))),
        Node::Between(three) => between(&value(&three[0]), &value(&three[1]), &value(&three[2])),
        Node::In(x, members) => contains(members, &value(x), |node| evaluate(node, row)),
        Node::Like(x, pattern) => match value(x) {
            Value::Text(text) => Some(pattern.matches(&text)),
            _ => None,
        },
        Node::Split(split) => truth(&split.inner, row),
        _ => evaluate(node, row).truth(),
    }
}

/// The conjunction, or with `decisive` the disjunction, of three-valued truths: null unless one of them decides.
pub(crate) fn all(truths: impl Iterator<Item = Option<bool>>, decisive: bool) -> Option<bool> {
    let mut result = Some(!decisive);
    for truth in truths {
        match truth {
            Some(truth) if truth == decisive => return Some(decisive),
            Some(_) => {}
            None => result = None,
        }
    }
    result
}

pub(crate) fn compare(comparison: Comparison, a: &Value<'_>, b: &Value<'_>) -> Option<bool> {
    a.compare(b).map(|order| comparison.holds(order))
}

pub(crate) fn distinct(a: &Value<'_>, b: &Value<'_>) -> bool {
    match (a.is_null(), b.is_null()) {
        (false, false) => a.compare(b) != Some(Ordering::Equal),
        (a, b) => a != b,
    }
}

pub(crate) fn between(x: &Value<'_>, low: &Value<'_>, high: &Value<'_>) -> Option<bool> {
    let bounds = [compare(Comparison::GreaterOrEqual, x, low), compare(Comparison::LessOrEqual, x, high)];
    all(bounds.into_iter(), false)
}

/// Whether a value is among the sorted literals, or null by SQL's rules.
pub(crate) fn among(members: &Members, x: &Value<'_>) -> Option<bool> {
    if x.is_null() && (members.null || !members.literals.is_empty()) {
        return None;
    }
    match members.literals.binary_search_by(|literal| literal.compare(x).unwrap_or(Ordering::Less)) {
        Ok(_) => Some(true),
        Err(_) if members.null => None,
        Err(_) => Some(false),
    }
}

/// `IN`.
fn contains<'a>(members: &'a Members, x: &Value<'_>, value: impl Fn(&'a Node) -> Value<'a>) -> Option<bool> {
    let others = members.others.iter().map(|node| compare(Comparison::Equal, x, &value(node)));
    all(std::iter::once(among(members, x)).chain(others), true)
}

/// The value of a function of any number of values.
pub(crate) fn many<'a>(function: Many, mut values: impl Iterator<Item = Value<'a>>) -> Value<'a> {
    let extreme = |wanted: Ordering| {
        move |best: Value<'a>, x: Value<'a>| match x.compare(&best) {
            Some(order) if order == wanted => x,
            None if best.is_null() => x,
            _ => best,
        }
    };
    match function {
        Many::Coalesce => values.find(|value| !value.is_null()).unwrap_or(Value::Null),
        Many::Least => values.fold(Value::Null, extreme(Ordering::Less)),
        Many::Greatest => values.fold(Value::Null, extreme(Ordering::Greater)),
        Many::Concat => {
            let mut joined = String::new();
            for value in values {
                if let Value::Text(text) = value {
                    joined.push_str(&text);
                }
            }
            Value::Text(Cow::Owned(joined))
        }
    }
}

fn evaluate_case<'a, R: Row + ?Sized>(case: &'a Case, row: &'a R) -> Value<'a> {
    let operand = case.operand.as_ref().map(|operand| evaluate(operand, row));
    for (condition, result) in &case.branches {
        let met = match &operand {
            Some(operand) => compare(Comparison::Equal, operand, &evaluate(condition, row)),
            None => truth(condition, row),
        };
        if met == Some(true) {
            return evaluate(result, row);
        }
    }
    evaluate(&case.otherwise, row)
}
