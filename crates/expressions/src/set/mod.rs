//! Sets of values that an expression can have: a few values one by one, a range, or all of a type.

mod nodes;

use crate::evaluate;
use crate::intervals::{self, Image};
use crate::node::Comparison;
use crate::outcomes::{Domain, Outcomes};
use crate::value::{Type, Value};

pub(crate) use nodes::set;

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
