//! Sets of values that an expression can have: a few values one by one, a range, or all of a type.

use crate::intervals::{self, Image};
use crate::node::{Binary, Case, Comparison, Many, Node, Unary};
use crate::outcomes::{Domain, Domains, Outcomes, outcomes};
use crate::value::{Type, Value};
use crate::{evaluate, functions};

/// The most combinations of values that are tried one by one.
const MOST: usize = 4_096;

/// Values one by one, without null.
#[derive(Debug, Clone)]
pub(crate) struct Few<'a>(pub(crate) Vec<Value<'a>>);

/// Values other than null.
#[derive(Debug, Clone)]
pub(crate) enum Values<'a> {
    Few(Few<'a>),
    /// Numbers, times, or intervals without months, from and to finite ends.
    Range(Type, f64, f64),
    Any(Type),
}

/// A set of values. It holds all that the expression can have, and likely more.
#[derive(Debug, Clone)]
pub(crate) struct Set<'a> {
    pub(crate) null: bool,
    pub(crate) values: Values<'a>,
}

impl Values<'_> {
    /// A range, or its one value.
    fn range(data_type: Type, low: f64, high: f64) -> Self {
        let one = match data_type {
            _ if low != high => return Values::Range(data_type, low, high),
            Type::Time => Value::Time(low),
            Type::Interval => Value::Interval { months: 0, seconds: low },
            _ => Value::Number(low),
        };
        Values::Few(Few(vec![one]))
    }
}

impl<'a> Set<'a> {
    pub(crate) fn few(values: impl IntoIterator<Item = Value<'a>>) -> Self {
        let mut null = false;
        let mut few = Vec::new();
        for value in values {
            match value.finite() {
                Value::Null => null = true,
                value => few.push(value),
            }
        }
        Set { null, values: Values::Few(Few(few)) }
    }

    fn any(data_type: Type, null: bool) -> Self {
        match data_type {
            Type::Number | Type::Time => Set { null, values: Values::Range(data_type, -f64::MAX, f64::MAX) },
            Type::Boolean => Set { null, values: Values::Few(Few(vec![Value::Boolean(true), Value::Boolean(false)])) },
            Type::Text | Type::Interval => Set { null, values: Values::Any(data_type) },
        }
    }

    fn image(data_type: Type, image: Image, null: bool) -> Self {
        let values = match image.range {
            Some((low, high)) => Values::range(data_type, low, high),
            None => Values::Few(Few(Vec::new())),
        };
        Set { null: null | image.null, values }
    }

    fn of_domain(domain: Domain<'a>, data_type: Type) -> Self {
        match domain {
            Domain::Known(value) => Set::few([value]),
            Domain::Range { low, high, null } if low <= high => {
                Set { null, values: Values::range(data_type, low.max(-f64::MAX), high.min(f64::MAX)) }
            }
            Domain::Range { null, .. } => Set { null, values: Values::Few(Few(Vec::new())) },
            Domain::Any { null } => Set::any(data_type, null),
            Domain::OneOf(values) => Set::few(values.iter().map(Value::borrow)),
        }
    }

    fn of_outcomes(outcomes: Outcomes) -> Self {
        let truths = [(outcomes.may_be_true, true), (outcomes.may_be_false, false)];
        let values = truths.into_iter().filter(|(may_be, _)| *may_be).map(|(_, truth)| Value::Boolean(truth));
        Set { null: outcomes.may_be_null, values: Values::Few(Few(values.collect())) }
    }

    pub(crate) fn has_values(&self) -> bool {
        !matches!(&self.values, Values::Few(Few(values)) if values.is_empty())
    }

    fn is_empty(&self) -> bool {
        !self.null && !self.has_values()
    }

    pub(crate) fn without_null(&self) -> Self {
        Set { null: false, values: self.values.clone() }
    }

    /// The one value that the set has, null or not.
    pub(crate) fn only(&self) -> Option<&Value<'a>> {
        match &self.values {
            Values::Few(Few(values)) if values.is_empty() && self.null => Some(&Value::Null),
            Values::Few(Few(values)) if values.len() == 1 && !self.null => values.first(),
            _ => None,
        }
    }

    pub(crate) fn is_null(&self) -> Outcomes {
        Outcomes { may_be_true: self.null, may_be_false: self.has_values(), may_be_null: false }
    }

    /// The outcomes of a set of booleans.
    pub(crate) fn truths(&self) -> Outcomes {
        self.map_truth(Value::truth)
    }

    /// The outcomes of a condition on one value that is null for null; either for the values that are not one by one.
    pub(crate) fn map_truth(&self, truth: impl Fn(&Value<'a>) -> Option<bool>) -> Outcomes {
        self.map_truth_with_null(|value| if value.is_null() { None } else { truth(value) })
    }

    pub(crate) fn map_truth_with_null(&self, truth: impl Fn(&Value<'a>) -> Option<bool>) -> Outcomes {
        let null = if self.null { Outcomes::of(truth(&Value::Null)) } else { Outcomes::NONE };
        match &self.values {
            Values::Few(Few(values)) => values.iter().fold(null, |all, value| all.union(Outcomes::of(truth(value)))),
            _ => null.union(Outcomes::EITHER),
        }
    }

    /// The outcomes of a condition on two values, if these are few.
    pub(crate) fn zip(&self, other: &Set<'_>, truth: impl Fn(&Value<'_>, &Value<'_>) -> Option<bool>) -> Option<Outcomes> {
        let (a, b) = (self.all_few()?, other.all_few()?);
        if a.len() * b.len() > MOST {
            return None;
        }
        let mut all = Outcomes::NONE;
        for a in &a {
            all = b.iter().fold(all, |all, b| all.union(Outcomes::of(truth(a, b))));
        }
        Some(all)
    }

    /// All values, null among them, if they are few.
    fn all_few(&self) -> Option<Vec<Value<'_>>> {
        match &self.values {
            Values::Few(Few(values)) => Some(values.iter().map(Value::borrow).chain(self.null.then_some(Value::Null)).collect()),
            _ => None,
        }
    }

    /// The least and the greatest of what numbers, times and intervals are ordered by.
    pub(crate) fn hull(&self) -> Option<(f64, f64)> {
        match &self.values {
            Values::Few(Few(values)) => {
                let mut hull: Option<(f64, f64)> = None;
                for value in values {
                    let x = value.magnitude()?;
                    hull = Some(hull.map_or((x, x), |(low, high)| (low.min(x), high.max(x))));
                }
                hull
            }
            Values::Range(_, low, high) => Some((*low, *high)),
            Values::Any(_) => None,
        }
    }

    /// [`hull`](Self::hull) where it stands for the values themselves: not for intervals with months.
    fn plain_hull(&self) -> Option<(f64, f64)> {
        match &self.values {
            Values::Few(Few(values)) if values.iter().any(|value| matches!(value, Value::Interval { months, .. } if *months != 0)) => None,
            _ => self.hull(),
        }
    }

    /// The outcomes of a comparison.
    pub(crate) fn compare(&self, comparison: Comparison, other: &Set<'_>) -> Outcomes {
        if let Some(truths) = self.zip(other, |a, b| evaluate::compare(comparison, a, b)) {
            return truths;
        }
        if self.is_empty() || other.is_empty() {
            return Outcomes::NONE;
        }
        let values = match (self.pieces(other), other.pieces(self)) {
            _ if !self.has_values() || !other.has_values() => Outcomes::NONE,
            (Some(a), Some(b)) => {
                let pairs = a.iter().flat_map(|a| b.iter().map(move |b| intervals::compare(comparison, *a, *b)));
                pairs.fold(Outcomes::NONE, Outcomes::union)
            }
            _ => Outcomes::EITHER,
        };
        Outcomes { may_be_null: self.null | other.null, ..values }
    }

    /// The set as ranges: a few values apart unless that makes too many combinations.
    fn pieces(&self, other: &Set<'_>) -> Option<Vec<(f64, f64)>> {
        match (&self.values, &other.values) {
            (Values::Few(Few(values)), Values::Range(..)) if values.len() <= MOST => {
                values.iter().map(|value| value.magnitude().map(|x| (x, x))).collect()
            }
            _ => self.hull().map(|hull| vec![hull]),
        }
    }

    fn union(self, other: Set<'a>) -> Set<'a> {
        let null = self.null | other.null;
        let values = match (self.values, other.values) {
            (Values::Few(Few(mut a)), Values::Few(Few(b))) => {
                a.extend(b);
                Values::Few(Few(a))
            }
            (Values::Few(Few(none)), values) | (values, Values::Few(Few(none))) if none.is_empty() => values,
            (Values::Range(data_type, a, b), Values::Range(_, c, d)) => Values::Range(data_type, a.min(c), b.max(d)),
            (Values::Range(data_type, a, b), few @ Values::Few(_)) | (few @ Values::Few(_), Values::Range(data_type, a, b)) => {
                match (Set { null, values: few }).plain_hull() {
                    Some((c, d)) => Values::Range(data_type, a.min(c), b.max(d)),
                    None => Values::Any(data_type),
                }
            }
            (Values::Any(data_type), _) | (_, Values::Any(data_type)) => Values::Any(data_type),
        };
        Set { null, values }
    }
}

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

impl Set<'_> {
    fn data_type(&self) -> Type {
        match &self.values {
            Values::Few(Few(values)) => values.first().and_then(Value::data_type).unwrap_or(Type::Text),
            Values::Range(data_type, ..) | Values::Any(data_type) => *data_type,
        }
    }

    fn is_interval(&self) -> bool {
        self.data_type() == Type::Interval
    }
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
