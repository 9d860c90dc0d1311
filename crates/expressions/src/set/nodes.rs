//! The set of values of each kind of node.

use super::{Few, MOST, Set, Values};
use crate::node::{Binary, Case, Comparison, Many, Node, Unary};
use crate::outcomes::{Domains, outcomes};
use crate::value::{Type, Value};
use crate::{evaluate, functions, intervals};

/// The values that a node can have.
pub(crate) fn set<'a>(node: &'a Node, domains: &'a dyn Domains) -> Set<'a> {
    match node {
        Node::Literal(value) => Set::few([value.borrow()]),
        Node::Column { index, data_type } => Set::of_domain(domains.domain(*index), *data_type),
        Node::Unary(function, x) => unary(*function, set(x, domains)),
        Node::Binary(function, pair) => binary(*function, set(&pair[0], domains), set(&pair[1], domains)),
        Node::Substring(parts) => {
            let [text, start, count] = [&parts[0], &parts[1], &parts[2]].map(|part| set(part, domains));
            substring(&text, &start, &count)
        }
        Node::Many(function, nodes) => many(*function, nodes.iter().map(|node| set(node, domains)).collect()),
        Node::Case(case) => case_set(case, domains),
        Node::Split(split) => set(&split.inner, domains),
        _ => Set::of_outcomes(outcomes(node, domains)),
    }
}

fn unary<'a>(function: Unary, x: Set<'a>) -> Set<'a> {
    match x.values {
        Values::Few(Few(values)) => {
            let results = Set::few(values.into_iter().map(|value| functions::unary(function, value)));
            Set { null: x.null | results.null, ..results }
        }
        Values::Range(data_type, low, high) => match intervals::unary(function, data_type, low, high) {
            Some((data_type, image)) => Set::image(data_type, image, x.null),
            None => Set::any(gives(function, data_type), true),
        },
        Values::Any(_) if function == Unary::Length => Set { null: x.null, values: Values::Range(Type::Number, 0.0, f64::MAX) },
        Values::Any(data_type) => {
            let never_null =
                matches!(function, Unary::Lower | Unary::Upper | Unary::Trim | Unary::TrimStart | Unary::TrimEnd | Unary::ToText);
            Set::any(gives(function, data_type), x.null | !never_null)
        }
    }
}

/// The type of a function's values.
fn gives(function: Unary, of: Type) -> Type {
    match function {
        Unary::Lower | Unary::Upper | Unary::Trim | Unary::TrimStart | Unary::TrimEnd | Unary::ToText => Type::Text,
        Unary::Truncate(_) => Type::Time,
        Unary::Negate => of,
        _ => Type::Number,
    }
}

fn binary<'a>(function: Binary, a: Set<'a>, b: Set<'a>) -> Set<'a> {
    if function == Binary::NullIf {
        let equal = a.compare(Comparison::Equal, &b);
        let values = if equal.may_be_false | equal.may_be_null { a.values } else { Values::Few(Few(Vec::new())) };
        return Set { null: a.null | equal.may_be_true, values };
    }
    if a.is_empty() || b.is_empty() {
        return Set::few([]);
    }
    let null = a.null | b.null;
    if let (Values::Few(Few(x)), Values::Few(Few(y))) = (&a.values, &b.values)
        && x.len() * y.len() <= MOST
    {
        let pairs = x.iter().flat_map(|x| y.iter().map(move |y| (x, y)));
        let results = Set::few(pairs.map(|(x, y)| functions::binary(function, x.clone(), y.clone())));
        return Set { null: null | results.null, ..results };
    }
    if !a.has_values() || !b.has_values() {
        return Set::few([Value::Null]);
    }
    let data_type = match function {
        Binary::Concat | Binary::Left | Binary::Right => return Set { null, values: Values::Any(Type::Text) },
        Binary::Shift => return shift(&a, &b),
        Binary::Difference | Binary::Scale | Binary::Shorten => Type::Interval,
        _ if a.is_interval() => Type::Interval,
        _ => Type::Number,
    };
    match (a.plain_hull(), b.plain_hull()) {
        (Some(x), Some(y)) => Set::image(data_type, intervals::binary(function, x, y), null),
        _ => Set::any(data_type, true),
    }
}

/// Times and intervals: each interval with months on its own, as its months are of different lengths.
fn shift<'a>(times: &Set<'a>, moves: &Set<'a>) -> Set<'a> {
    let null = times.null | moves.null;
    let (Some(times), Some(_)) = (times.hull(), moves.hull()) else { return Set::any(Type::Time, true) };
    if let Some(seconds) = moves.plain_hull() {
        return Set::image(Type::Time, intervals::binary(Binary::Add, times, seconds), null);
    }
    let Values::Few(Few(moves)) = &moves.values else { return Set::any(Type::Time, true) };
    let mut all = Set { null, values: Values::Few(Few(Vec::new())) };
    for interval in moves {
        let Value::Interval { months, seconds } = interval else { continue };
        all = all.union(Set::image(Type::Time, intervals::shift(times, *months, *seconds), null));
    }
    all
}

fn substring<'a>(text: &Set<'a>, start: &Set<'a>, count: &Set<'a>) -> Set<'a> {
    if text.is_empty() || start.is_empty() || count.is_empty() {
        return Set::few([]);
    }
    if let (Some(texts), Some(starts), Some(counts)) = (text.all_few(), start.all_few(), count.all_few())
        && texts.len() * starts.len() * counts.len() <= MOST
    {
        let starts_and_counts = starts.iter().flat_map(|start| counts.iter().map(move |count| (start, count)));
        let parts = starts_and_counts.flat_map(|(start, count)| {
            texts.iter().map(move |text| functions::substring(text.clone(), start.borrow(), count.borrow()).into_owned())
        });
        return Set::few(parts.collect::<Vec<_>>());
    }
    let negative = count.hull().is_none_or(|(low, _)| low < 0.0);
    Set { null: text.null | start.null | count.null | negative, values: Values::Any(Type::Text) }
}

fn many<'a>(function: Many, sets: Vec<Set<'a>>) -> Set<'a> {
    if sets.iter().any(Set::is_empty) {
        return Set::few([]);
    }
    if function == Many::Coalesce {
        let mut all = Set { null: true, values: Values::Few(Few(Vec::new())) };
        for set in sets {
            let null = set.null;
            all = all.union(set);
            all.null = null;
            if !null {
                break;
            }
        }
        return all;
    }
    if let Some(values) = sets.iter().map(|set| set.only().cloned()).collect::<Option<Vec<_>>>() {
        return Set::few([evaluate::many(function, values.into_iter())]);
    }
    let null = sets.iter().all(|set| set.null);
    match function {
        Many::Concat => Set { null: false, values: Values::Any(Type::Text) },
        _ => extreme(function, &sets, null),
    }
}

/// The least or greatest of sets, nulls left out.
fn extreme<'a>(function: Many, sets: &[Set<'a>], null: bool) -> Set<'a> {
    let with_values = || sets.iter().filter(|set| set.has_values());
    let Some(data_type) = with_values().next().map(Set::data_type) else { return Set::few([Value::Null]) };
    let Some(hulls) = with_values().map(|set| set.plain_hull().map(|hull| (hull, set.null))).collect::<Option<Vec<_>>>() else {
        return Set::any(data_type, null);
    };
    // Mirrored, the greatest is the least.
    let sign = if function == Many::Least { 1.0 } else { -1.0 };
    let mirrored: Vec<_> =
        hulls.iter().map(|((low, high), null)| (if sign > 0.0 { (*low, *high) } else { (-high, -low) }, *null)).collect();
    let low = mirrored.iter().map(|((low, _), _)| *low).fold(f64::INFINITY, f64::min);
    // What is never null bounds the least; without one it may be the greatest of all.
    let certain = mirrored.iter().filter(|(_, null)| !null).map(|((_, high), _)| *high).fold(f64::INFINITY, f64::min);
    let high = if certain.is_finite() { certain } else { mirrored.iter().map(|((_, high), _)| *high).fold(f64::NEG_INFINITY, f64::max) };
    let (low, high) = if sign > 0.0 { (low, high) } else { (-high, -low) };
    Set { null, values: Values::range(data_type, low, high) }
}

fn case_set<'a>(case: &'a Case, domains: &'a dyn Domains) -> Set<'a> {
    let operand = case.operand.as_ref().map(|operand| set(operand, domains));
    let mut all = Set::few([]);
    for (condition, result) in &case.branches {
        let met = match &operand {
            Some(operand) => operand.compare(Comparison::Equal, &set(condition, domains)),
            None => outcomes(condition, domains),
        };
        if met.may_be_true {
            all = all.union(set(result, domains));
        }
        if !(met.may_be_false | met.may_be_null) {
            return all;
        }
    }
    all.union(set(&case.otherwise, domains))
}
