//! What a condition can be while its columns are known only in part: abstract interpretation over sets of truths.

use crate::evaluate::{among, between, distinct};
use crate::node::{Comparison, Members, Node, Split, Steps};
use crate::set::{Few, Set, Values, set};
use crate::value::Value;

/// What is known of a column.
#[derive(Debug, Clone, PartialEq)]
pub enum Domain<'a> {
    /// The value is this.
    Known(Value<'a>),
    /// A number or a time from `low` to `high`, the ends included.
    Range {
        /// The least value; minus infinity for none.
        low: f64,
        /// The greatest value; infinity for none.
        high: f64,
        /// Whether it may be null too.
        null: bool,
    },
    /// Any value of the column's type.
    Any {
        /// Whether it may be null too.
        null: bool,
    },
    /// One of these, null among them or not.
    OneOf(&'a [Value<'a>]),
}

/// What is known of the columns of a row.
pub trait Domains {
    /// What is known of a column.
    fn domain(&self, column: usize) -> Domain<'_>;
}

/// What a condition may be. A condition that may be nothing has a column with an empty domain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Outcomes {
    /// Whether it may be true.
    pub may_be_true: bool,
    /// Whether it may be false.
    pub may_be_false: bool,
    /// Whether it may be null.
    pub may_be_null: bool,
}

/// The most points at which a column is tried one by one.
const MOST_POINTS: usize = 64;

impl Outcomes {
    pub(crate) const NONE: Outcomes = Outcomes { may_be_true: false, may_be_false: false, may_be_null: false };
    pub(crate) const EITHER: Outcomes = Outcomes { may_be_true: true, may_be_false: true, may_be_null: false };

    /// The one outcome of a truth, none for null.
    pub fn of(truth: Option<bool>) -> Self {
        Outcomes { may_be_true: truth == Some(true), may_be_false: truth == Some(false), may_be_null: truth.is_none() }
    }

    /// Whether a truth, none for null, is among the outcomes.
    pub fn allow(self, truth: Option<bool>) -> bool {
        match truth {
            Some(true) => self.may_be_true,
            Some(false) => self.may_be_false,
            None => self.may_be_null,
        }
    }

    /// Whether it is true whatever the open columns become.
    pub fn is_always_true(self) -> bool {
        self == Outcomes::of(Some(true))
    }

    pub(crate) fn union(self, other: Self) -> Self {
        Outcomes {
            may_be_true: self.may_be_true | other.may_be_true,
            may_be_false: self.may_be_false | other.may_be_false,
            may_be_null: self.may_be_null | other.may_be_null,
        }
    }

    fn intersection(self, other: Self) -> Self {
        Outcomes {
            may_be_true: self.may_be_true & other.may_be_true,
            may_be_false: self.may_be_false & other.may_be_false,
            may_be_null: self.may_be_null & other.may_be_null,
        }
    }

    pub(crate) fn not(self) -> Self {
        Outcomes { may_be_true: self.may_be_false, may_be_false: self.may_be_true, ..self }
    }

    fn is_none(self) -> bool {
        self == Outcomes::NONE
    }

    /// The conjunctions of an outcome of each; exact where the two are independent.
    pub(crate) fn and(self, other: Self) -> Self {
        if self.is_none() || other.is_none() {
            return Outcomes::NONE;
        }
        let no_false = |x: Self| x.may_be_true | x.may_be_null;
        Outcomes {
            may_be_true: self.may_be_true & other.may_be_true,
            may_be_false: self.may_be_false | other.may_be_false,
            may_be_null: (self.may_be_null & no_false(other)) | (other.may_be_null & no_false(self)),
        }
    }

    pub(crate) fn or(self, other: Self) -> Self {
        self.not().and(other.not()).not()
    }

    fn all(self) -> bool {
        self.may_be_true & self.may_be_false & self.may_be_null
    }
}

/// The outcomes of a node of booleans.
pub(crate) fn outcomes<'a>(node: &'a Node, domains: &'a dyn Domains) -> Outcomes {
    match node {
        Node::Not(x) => outcomes(x, domains).not(),
        Node::And(nodes) => nodes.iter().fold(Outcomes::of(Some(true)), |all, node| all.and(outcomes(node, domains))),
        Node::Or(nodes) => nodes.iter().fold(Outcomes::of(Some(false)), |all, node| all.or(outcomes(node, domains))),
        Node::IsNull(x) => set(x, domains).is_null(),
        Node::Is(expected, x) => is(*expected, outcomes(x, domains)),
        Node::Compare(comparison, pair) => set(&pair[0], domains).compare(*comparison, &set(&pair[1], domains)),
        Node::Distinct(pair) => distinct_sets(&set(&pair[0], domains), &set(&pair[1], domains)),
        Node::Between(three) => between_sets(&set(&three[0], domains), &set(&three[1], domains), &set(&three[2], domains)),
        Node::In(x, members) => in_members(&set(x, domains), members, domains),
        Node::Like(x, pattern) => set(x, domains).map_truth(|value| match value {
            Value::Text(text) => Some(pattern.matches(text)),
            _ => None,
        }),
        Node::Split(split) => split_outcomes(split, domains),
        _ => set(node, domains).truths(),
    }
}

fn is(expected: bool, x: Outcomes) -> Outcomes {
    let x = if expected { x } else { x.not() };
    Outcomes { may_be_true: x.may_be_true, may_be_false: x.may_be_false | x.may_be_null, may_be_null: false }
}

fn distinct_sets(a: &Set<'_>, b: &Set<'_>) -> Outcomes {
    if let Some(truths) = a.zip(b, |a, b| Some(distinct(a, b))) {
        return truths;
    }
    let values = a.without_null().compare(Comparison::NotEqual, &b.without_null());
    let one_null = (a.null && b.has_values()) || (b.null && a.has_values());
    Outcomes { may_be_true: values.may_be_true | one_null, may_be_false: values.may_be_false | (a.null && b.null), may_be_null: false }
}

fn between_sets(x: &Set<'_>, low: &Set<'_>, high: &Set<'_>) -> Outcomes {
    // Exact where the bounds are one value each: what is between depends on one value of three.
    if let (Some(low), Some(high)) = (low.only(), high.only())
        && let Values::Few(_) = x.values
    {
        return x.map_truth_with_null(|x| between(x, low, high));
    }
    let above = x.compare(Comparison::GreaterOrEqual, low);
    let result = above.and(x.compare(Comparison::LessOrEqual, high));
    // Both may be met, each by another value, where nothing lies between.
    match (low.hull(), high.hull()) {
        (Some(low), Some(high)) => Outcomes { may_be_true: result.may_be_true && low.0 <= high.1, ..result },
        _ => result,
    }
}

fn in_members<'a>(x: &Set<'a>, members: &'a Members, domains: &'a dyn Domains) -> Outcomes {
    let missed = Outcomes::of(if members.null { None } else { Some(false) });
    let null = if x.null { Outcomes::of(among(members, &Value::Null)) } else { Outcomes::NONE };
    let literals = match &x.values {
        Values::Few(Few(values)) => values.iter().fold(null, |all, value| all.union(Outcomes::of(among(members, value)))),
        Values::Any(_) if members.literals.is_empty() => null.union(missed),
        Values::Any(_) => null.union(missed).union(Outcomes::of(Some(true))),
        Values::Range(_, low, high) => {
            let at = members.literals.partition_point(|literal| literal.magnitude().is_some_and(|x| x < *low));
            let found = members.literals.get(at).and_then(Value::magnitude).is_some_and(|x| x <= *high);
            let found = if found { Outcomes::of(Some(true)) } else { Outcomes::NONE };
            null.union(missed).union(found)
        }
    };
    members.others.iter().fold(literals, |all, node| all.or(x.compare(Comparison::Equal, &set(node, domains))))
}

/// Domains with another one for a column.
pub(crate) struct With<'d> {
    pub(crate) base: &'d dyn Domains,
    pub(crate) column: usize,
    pub(crate) domain: Domain<'d>,
}

impl Domains for With<'_> {
    fn domain(&self, column: usize) -> Domain<'_> {
        if column == self.column { self.domain.clone() } else { self.base.domain(column) }
    }
}

/// The outcomes of a part that has columns to step through: those that each of them leaves.
fn split_outcomes(split: &Split, domains: &dyn Domains) -> Outcomes {
    let mut all: Option<Outcomes> = None;
    for steps in &split.steps {
        if let Some(more) = step_outcomes(steps, &split.inner, domains) {
            all = Some(all.map_or(more, |all| all.intersection(more)));
        }
    }
    all.unwrap_or_else(|| outcomes(&split.inner, domains))
}

/// The outcomes where a column is compared with values only: they change at these values and nowhere else, so that the values, the ends of
/// its range and a point in each gap stand for all of the range. None where the column is no range.
fn step_outcomes(steps: &Steps, inner: &Node, domains: &dyn Domains) -> Option<Outcomes> {
    let (low, high, null) = match domains.domain(steps.column) {
        Domain::Range { low, high, null } => (low.max(-f64::MAX), high.min(f64::MAX), null),
        Domain::Any { null } => (-f64::MAX, f64::MAX, null),
        Domain::Known(_) | Domain::OneOf(_) => return None,
    };
    let points = points(steps, domains, low, high)?;
    let at = |value: Value<'_>| outcomes(inner, &With { base: domains, column: steps.column, domain: Domain::Known(value) });
    let mut all = if null { at(Value::Null) } else { Outcomes::NONE };
    for point in points {
        if all.all() {
            break;
        }
        all = all.union(at(if steps.is_time { Value::Time(point) } else { Value::Number(point) }));
    }
    Some(all)
}

/// The points of a range to try, none if they are too many or unknown.
fn points(steps: &Steps, domains: &dyn Domains, low: f64, high: f64) -> Option<Vec<f64>> {
    if !(low <= high) {
        return Some(Vec::new());
    }
    let mut ends = vec![low, high];
    for bound in &steps.bounds {
        let bound = set(bound, domains);
        match &bound.values {
            Values::Few(Few(values)) => ends.extend(values.iter().filter_map(Value::magnitude)),
            Values::Range(_, low, high) => ends.extend([*low, *high]),
            Values::Any(_) => return None,
        }
        if ends.len() > MOST_POINTS {
            return None;
        }
    }
    ends.retain(|x| (low..=high).contains(x));
    ends.sort_by(f64::total_cmp);
    ends.dedup();
    let gaps: Vec<f64> = ends.windows(2).map(|pair| pair[0] / 2.0 + pair[1] / 2.0).collect();
    ends.extend(gaps);
    Some(ends)
}
