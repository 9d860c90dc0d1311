//! What is asked of one column.

use semblant_data::table::{Column, MISSING};

/// A condition in terms of a column's [`Domain`](super::Domain).
#[derive(Debug, Clone, PartialEq)]
pub enum Predicate {
    /// The label of this code.
    Label(u32),
    /// No value.
    Missing,
    /// A number in this range, whose ends are values that the column can hold.
    Range {
        /// The least value.
        low: f64,
        /// The greatest value.
        high: f64,
    },
    /// One of these labels, by their codes.
    OneOf {
        /// The codes, sorted.
        labels: Vec<u32>,
        /// Whether a missing value is allowed too.
        missing: bool,
    },
    /// A number in one of these ranges.
    Ranges {
        /// The least and the greatest value of each, in order.
        ranges: Vec<(f64, f64)>,
        /// Whether a missing value is allowed too.
        missing: bool,
    },
}

impl Predicate {
    /// The same in the simplest form; `None` where nothing is allowed.
    pub(super) fn simplest(self) -> Option<Self> {
        match self {
            Self::OneOf { labels, missing: false } if labels.len() == 1 => Some(Self::Label(labels[0])),
            Self::Ranges { ranges, missing: false } if ranges.len() == 1 => Some(Self::Range { low: ranges[0].0, high: ranges[0].1 }),
            Self::OneOf { ref labels, missing } if labels.is_empty() => missing.then_some(Self::Missing),
            Self::Ranges { ref ranges, missing } if ranges.is_empty() => missing.then_some(Self::Missing),
            other => Some(other),
        }
    }

    /// What both allow.
    pub(super) fn and(self, other: Self) -> Option<Self> {
        let labels = |predicate: &Self| match predicate {
            Self::Label(code) => Some((vec![*code], false)),
            Self::OneOf { labels, missing } => Some((labels.clone(), *missing)),
            Self::Missing => Some((Vec::new(), true)),
            _ => None,
        };
        let ranges = |predicate: &Self| match predicate {
            Self::Range { low, high } => Some((vec![(*low, *high)], false)),
            Self::Ranges { ranges, missing } => Some((ranges.clone(), *missing)),
            Self::Missing => Some((Vec::new(), true)),
            _ => None,
        };
        if self == other {
            return Some(self);
        }
        if let (Some((mine, missing)), Some((theirs, also))) = (labels(&self), labels(&other)) {
            let both = mine.into_iter().filter(|code| theirs.contains(code)).collect();
            return Self::OneOf { labels: both, missing: missing && also }.simplest();
        }
        let ((mine, missing), (theirs, also)) = ranges(&self).zip(ranges(&other))?;
        let pairs = mine.iter().flat_map(|&(low, high)| theirs.iter().map(move |&(from, to)| (low.max(from), high.min(to))));
        Self::Ranges { ranges: pairs.filter(|(low, high)| low <= high).collect(), missing: missing && also }.simplest()
    }

    /// Whether the value of a row is what is asked for; numbers may differ by `slack`.
    pub(super) fn holds(&self, values: &Column, row: usize, slack: f64) -> bool {
        match (self, values) {
            (Self::Label(code), Column::Category { codes, .. }) => codes[row] == *code,
            (Self::Missing, values) => values.is_missing(row),
            (Self::OneOf { missing, .. }, Column::Category { codes, .. }) if codes[row] == MISSING => *missing,
            (Self::OneOf { labels, .. }, Column::Category { codes, .. }) => labels.contains(&codes[row]),
            (Self::Range { low, high }, Column::Number(values)) => (low - slack..=high + slack).contains(&values[row]),
            (Self::Ranges { missing, .. }, Column::Number(values)) if values[row].is_nan() => *missing,
            (Self::Ranges { ranges, .. }, Column::Number(values)) => {
                ranges.iter().any(|(low, high)| (low - slack..=high + slack).contains(&values[row]))
            }
            _ => false,
        }
    }
}
