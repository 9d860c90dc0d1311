//! How many rows of a table there are for each row of its parent.

use semblant_expressions::Expression;

use crate::children::BLOCK;
use crate::error::Place;
use crate::laws::Quantiles;

/// How many children a parent has.
#[derive(Debug)]
pub(crate) enum ChildLaw {
    Fixed(u64),
    /// A distribution: the numbers of a block of parents are its quantiles.
    Drawn(ChildCounts),
    /// An expression over the parent's own slots.
    Computed {
        expression: Expression,
        place: Place,
    },
    /// As many as the state machine has events.
    Machine,
}

/// A distribution of numbers of children.
#[derive(Debug)]
pub(crate) struct ChildCounts {
    pub(crate) quantiles: ChildQuantiles,
    /// Those of a full block, sorted, and their sum.
    pub(crate) full: Vec<u32>,
    pub(crate) total: u64,
}

#[derive(Debug)]
pub(crate) enum ChildQuantiles {
    Law(Quantiles),
    /// Numbers in order with the sums of their weights.
    Counted {
        counts: Vec<u32>,
        sums: Vec<f64>,
    },
}

impl ChildCounts {
    pub(crate) fn new(quantiles: ChildQuantiles) -> Self {
        let full = quantiles.of(BLOCK);
        Self { total: full.iter().map(|&count| u64::from(count)).sum(), quantiles, full }
    }
}

impl ChildQuantiles {
    /// The numbers of a block of `parents`, sorted.
    pub(crate) fn of(&self, parents: u64) -> Vec<u32> {
        let at = |place: u64| (place as f64 + 0.5) / parents as f64;
        (0..parents)
            .map(|place| match self {
                Self::Law(quantiles) => quantiles.quantile(at(place)).round() as u32,
                Self::Counted { counts, sums } => {
                    let wanted = at(place) * sums.last().copied().unwrap_or(0.0);
                    counts[sums.partition_point(|&sum| sum < wanted).min(counts.len() - 1)]
                }
            })
            .collect()
    }
}
