//! Confidence intervals of the fidelity scores by the bootstrap.

use std::collections::BTreeMap;

use rayon::prelude::*;
use semblant_data::table::Table;

use crate::Result;
use crate::bootstrap::drawn;
use crate::table::align::align;
use crate::table::binning::BinRule;
use crate::table::pairs::column_pair_trends;
use crate::table::shapes::{column_shapes, deviation, mean};

/// Bootstrap draws of both tables.
const DRAWS: usize = 50;
/// Most rows of the larger table in a draw. The deviation of draws of m out of n rows is brought to n by the root of m / n.
const MOST_ROWS: usize = 20_000;

/// The standard deviation of scores, by id.
pub(in crate::report) struct Spread(BTreeMap<&'static str, f64>);

impl Spread {
    /// By a bootstrap of the rows of both tables. The scores are distances, which grow with rows drawn twice, so the draws give their
    /// standard deviation only: the interval is the score plus or minus 1.96 standard deviations.
    pub(in crate::report) fn of_fidelity(real: &Table, synthetic: &Table, bins: BinRule, seed: u64) -> Result<Self> {
        let tables = align(&[real, synthetic])?;
        let share = (MOST_ROWS as f64 / real.rows().max(synthetic.rows()) as f64).min(1.0);
        let draw = |draw: usize| -> Result<[Option<f64>; 5]> {
            let [real, synthetic] = [0, 1].map(|table: usize| {
                let rows = drawn(tables[table].rows(), seed, 2 * draw + table);
                tables[table].take(&rows[..((rows.len() as f64 * share).ceil() as usize).max(1)])
            });
            let shapes = column_shapes(&real, &synthetic)?.mean;
            let pairs = column_pair_trends(&real, &synthetic, bins)?;
            let overall = |pairs: Option<f64>| mean(shapes.into_iter().chain(pairs));
            Ok([overall(pairs.mean_related), overall(pairs.mean), shapes, pairs.mean, pairs.mean_related])
        };
        let draws = (0..DRAWS).into_par_iter().map(draw).collect::<Result<Vec<_>>>()?;
        let names = ["quality", "quality_all_pairs", "column_shapes", "column_pair_trends", "column_pair_trends_related"];
        let of_draws = |place: usize| {
            let values: Vec<f64> = draws.iter().filter_map(|draw| draw[place]).collect();
            Some(share.sqrt() * deviation(&values)?)
        };
        Ok(Self(names.into_iter().enumerate().filter_map(|(place, name)| Some((name, of_draws(place)?))).collect()))
    }

    /// The 95 % confidence interval of the score with this id.
    pub(super) fn interval(&self, id: &str, value: f64) -> Option<[f64; 2]> {
        let half = 1.96 * self.0.get(id)?;
        Some([(value - half).max(0.0), (value + half).min(1.0)])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::random;
    use semblant_data::table::{Column, ColumnKind};

    /// Labels that are "a" with this probability.
    fn labels(rows: usize, seed: u64, chance: f64) -> Table {
        let mut random = random(seed, 0);
        let column = Column::from_labels((0..rows).map(|_| Some(if random.unit() < chance { "a" } else { "b" })));
        Table::from_columns(vec![("c", ColumnKind::Categorical, column)]).unwrap()
    }

    #[test]
    fn the_deviation_is_that_of_a_difference_of_shares() {
        for rows in [2_000, 80_000] {
            // 1 - |p - q|: the root of p (1 - p) / n + q (1 - q) / n.
            let spread = Spread::of_fidelity(&labels(rows, 1, 0.5), &labels(rows, 2, 0.7), BinRule::Real, 0).unwrap();
            let expected = ((0.25 + 0.21) / rows as f64).sqrt();
            let found = spread.0["column_shapes"];
            assert!((found / expected - 1.0).abs() < 0.3, "{found} and not {expected}");
        }
    }
}
