//! One column on its own: which part of [0, 1] maps to which value.

use semblant_core::normal;
use semblant_data::table::{Column, ColumnKind, ColumnSchema, IdFormat, MISSING};
use serde::{Deserialize, Serialize};

/// No more quantiles than this are kept of a column, so no row can be read off them.
pub(crate) const QUANTILES: usize = 1_000;

/// What is kept of a column.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Marginal {
    pub(crate) schema: ColumnSchema,
    /// The share of missing values.
    pub(crate) missing: f64,
    pub(crate) values: Values,
}

/// The values of a column that are not missing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Values {
    /// Quantiles at equal steps of probability, from the least value to the greatest; empty when there are no values.
    Numbers(Vec<f64>),
    /// Labels as in the table, and the intervals they own.
    Labels {
        levels: Vec<String>,
        /// Positions in `levels`, in the order of the intervals.
        order: Vec<u32>,
        /// Where each interval ends, in the same order; the last is 1.
        ends: Vec<f64>,
    },
    /// Names of rows, made anew.
    Names(IdFormat),
    /// One value for all rows.
    Same(String),
}

impl Marginal {
    /// Learns a column; labels own their intervals in the order that `order` gives them.
    pub(crate) fn fit(schema: &ColumnSchema, column: &Column, order: Option<Vec<u32>>) -> Self {
        let missing = column.missing() as f64 / column.len().max(1) as f64;
        let mut schema = schema.clone();
        schema.complete(column);
        let values = match (schema.kind, column) {
            (ColumnKind::Id | ColumnKind::Key, _) => {
                Values::Names(schema.id.clone().unwrap_or_else(|| IdFormat::of_column(&schema.name, column)))
            }
            (ColumnKind::Constant, _) => Values::Same(schema.value.clone().unwrap_or_default()),
            (_, Column::Number(numbers)) => Values::Numbers(quantiles(numbers)),
            (_, Column::Category { codes, levels }) => labels(codes, levels, order),
        };
        Self { schema, missing, values }
    }

    /// Whether the column has a place among the correlated variables.
    pub(crate) fn is_latent(&self) -> bool {
        matches!(self.values, Values::Numbers(_) | Values::Labels { .. })
    }

    /// The number at probability `u`, in the column's precision.
    pub(crate) fn number(&self, u: f64) -> f64 {
        let Values::Numbers(quantiles) = &self.values else { return f64::NAN };
        let Some(last) = quantiles.len().checked_sub(1) else { return f64::NAN };
        let at = u.clamp(0.0, 1.0) * last as f64;
        let (below, part) = ((at as usize).min(last), at.fract());
        let above = (below + 1).min(last);
        self.schema.round_number(along(quantiles[below], quantiles[above], part))
    }

    /// The distance between neighbouring values that the column can hold, if there is one.
    pub(crate) fn step(&self) -> Option<f64> {
        self.schema.step()
    }

    /// The probabilities between which numbers from `low` to `high` lie.
    pub(crate) fn interval(&self, low: f64, high: f64) -> (f64, f64) {
        let Values::Numbers(quantiles) = &self.values else { return (0.0, 1.0) };
        let half = self.step().unwrap_or(0.0) / 2.0;
        let last = quantiles.len().saturating_sub(1).max(1) as f64;
        let between = |below: usize, value: f64| {
            let (from, to) = (quantiles[below], quantiles[below + 1]);
            (below as f64 + share(from, to, value)) / last
        };
        // The first probability at which the value is reached, and the last at which it is not yet passed.
        let first = quantiles.partition_point(|&q| q < low - half);
        let start = if first == 0 || first == quantiles.len() { first as f64 / last } else { between(first - 1, low - half) };
        let beyond = quantiles.partition_point(|&q| q <= high + half);
        let end = if beyond == 0 || beyond == quantiles.len() { beyond as f64 / last } else { between(beyond - 1, high + half) };
        (start.clamp(0.0, 1.0), end.clamp(start.clamp(0.0, 1.0), 1.0))
    }

    /// The code of the label at probability `u`.
    pub(crate) fn code(&self, u: f64) -> u32 {
        let Values::Labels { order, ends, .. } = &self.values else { return MISSING };
        let place = ends.partition_point(|&end| end <= u).min(order.len().saturating_sub(1));
        order.get(place).copied().unwrap_or(MISSING)
    }

    /// The probabilities that a label owns.
    pub(crate) fn label_interval(&self, code: u32) -> (f64, f64) {
        let Values::Labels { order, ends, .. } = &self.values else { return (0.0, 1.0) };
        let place = order.iter().position(|&known| known == code).unwrap_or(0);
        (if place == 0 { 0.0 } else { ends[place - 1] }, ends[place])
    }

    /// Every row's normal score: the mean of the scores between which its value lies. NaN where it is missing.
    pub(crate) fn scores(&self, column: &Column) -> Vec<f64> {
        match column {
            Column::Number(numbers) => number_scores(numbers),
            Column::Category { codes, levels } => {
                let of_level: Vec<f64> = (0..levels.len() as u32)
                    .map(|code| self.label_interval(code))
                    .map(|(low, high)| normal::mean_between(low, high))
                    .collect();
                codes.iter().map(|&code| of_level.get(code as usize).copied().unwrap_or(f64::NAN)).collect()
            }
        }
    }
}

/// The number that lies `part` of the way from `low` to `high`, which may be as far apart as numbers are.
fn along(low: f64, high: f64, part: f64) -> f64 {
    let span = high - low;
    if span.is_finite() { low + part * span } else { low * (1.0 - part) + high * part }
}

/// How far `value` is on the way from `low` to `high`; see [`along`].
fn share(low: f64, high: f64, value: f64) -> f64 {
    let span = high - low;
    if span.is_finite() { (value - low) / span } else { (value / 2.0 - low / 2.0) / (high / 2.0 - low / 2.0) }
}

fn quantiles(numbers: &[f64]) -> Vec<f64> {
    let mut sorted: Vec<f64> = numbers.iter().copied().filter(|number| !number.is_nan()).collect();
    sorted.sort_by(f64::total_cmp);
    let Some(last) = sorted.len().checked_sub(1) else { return Vec::new() };
    let steps = QUANTILES.min(sorted.len()).max(2) - 1;
    (0..=steps)
        .map(|step| {
            let at = step as f64 / steps as f64 * last as f64;
            let (below, above) = (at.floor() as usize, at.ceil() as usize);
            along(sorted[below], sorted[above], at.fract())
        })
        .collect()
}

fn labels(codes: &[u32], levels: &[String], order: Option<Vec<u32>>) -> Values {
    let mut counts = vec![0u64; levels.len()];
    codes.iter().filter(|&&code| code != MISSING).for_each(|&code| counts[code as usize] += 1);
    // A label that no row has cannot come.
    let order: Vec<u32> = order.unwrap_or_else(|| (0..levels.len() as u32).collect());
    let order: Vec<u32> = order.into_iter().filter(|&code| counts[code as usize] > 0).collect();
    let total: u64 = counts.iter().sum();
    let mut sum = 0;
    let ends = order
        .iter()
        .map(|&code| {
            sum += counts[code as usize];
            sum as f64 / total as f64
        })
        .collect();
    Values::Labels { levels: levels.to_vec(), order, ends }
}

/// Normal scores by rank; equal numbers share the mean of theirs.
fn number_scores(numbers: &[f64]) -> Vec<f64> {
    let mut order: Vec<u32> = (0..numbers.len() as u32).filter(|&row| !numbers[row as usize].is_nan()).collect();
    order.sort_by(|&a, &b| numbers[a as usize].total_cmp(&numbers[b as usize]));
    let mut scores = vec![f64::NAN; numbers.len()];
    let total = order.len() as f64;
    let mut start = 0;
    for group in order.chunk_by(|&a, &b| numbers[a as usize] == numbers[b as usize]) {
        let score = normal::mean_between(start as f64 / total, (start + group.len()) as f64 / total);
        group.iter().for_each(|&row| scores[row as usize] = score);
        start += group.len();
    }
    scores
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(kind: ColumnKind, values: Vec<f64>) -> Marginal {
        Marginal::fit(&ColumnSchema::new("x", kind), &Column::Number(values), None)
    }

    #[test]
    fn numbers_go_to_probabilities_and_back() {
        let marginal = numbers(ColumnKind::Continuous, (0..5_000).map(f64::from).collect());
        assert_eq!((marginal.number(0.0), marginal.number(1.0)), (0.0, 4_999.0));
        let (low, high) = marginal.interval(1_000.0, 2_000.0);
        assert!((low - 0.2).abs() < 1e-3 && (high - 0.4).abs() < 1e-3, "{low} {high}");
        assert!((marginal.number(low) - 1_000.0).abs() < 1e-6 && (marginal.number(high) - 2_000.0).abs() < 1e-6);
    }

    #[test]
    fn a_repeated_number_owns_an_interval() {
        let marginal = numbers(ColumnKind::Integer, (0..1_000).map(|i| f64::from((i - 600).max(0))).collect());
        let (low, high) = marginal.interval(0.0, 0.0);
        assert!(low == 0.0 && (high - 0.6).abs() < 0.005, "{low} {high}");
        assert_eq!(marginal.number(0.5), 0.0);
    }

    #[test]
    fn numbers_may_be_as_far_apart_as_they_can() {
        let marginal = numbers(ColumnKind::Continuous, vec![-1e308, 1e308, 0.0, f64::MAX]);
        for u in [0.0, 0.1, 0.25, 0.5, 0.9, 1.0] {
            assert!(marginal.number(u).is_finite(), "{u}: {}", marginal.number(u));
        }
        let two = numbers(ColumnKind::Continuous, vec![-f64::MAX, f64::MAX]);
        assert_eq!(two.number(0.5), 0.0);
        assert_eq!(two.interval(-f64::MAX, 0.0), (0.0, 0.5));
    }

    #[test]
    fn labels_own_intervals_by_frequency() {
        let column = Column::from_labels([Some("a"), Some("b"), Some("b"), None]);
        let marginal = Marginal::fit(&ColumnSchema::new("x", ColumnKind::Categorical), &column, Some(vec![1, 0]));
        assert_eq!((marginal.code(0.0), marginal.code(0.9)), (1, 0));
        assert!((marginal.label_interval(0).0 - 2.0 / 3.0).abs() < 1e-12 && marginal.label_interval(0).1 == 1.0);
        assert_eq!(marginal.missing, 0.25);
        assert!(marginal.scores(&column)[3].is_nan());
    }

    #[test]
    fn no_more_quantiles_than_stated_are_kept() {
        let Values::Numbers(kept) = numbers(ColumnKind::Continuous, (0..50_000).map(f64::from).collect()).values else { panic!("numbers") };
        assert_eq!(kept.len(), QUANTILES);
    }
}
