//! Relations between columns on a scale from none (0) to those of new real rows (1), in the whole table and in its groups.

use rayon::prelude::*;
use semblant_data::table::Table;
use serde::{Deserialize, Serialize};

use super::accuracy::Bins;
use super::align::align;
use super::shapes::deviation;
use crate::bootstrap::Estimate;
use crate::error::undefined;
use crate::random::{random, subsample};
use crate::{Error, Result};

/// Pairs count as related if shuffling the columns costs them this much similarity, beyond what new rows of their number lose.
const RELATED: f64 = 0.05;
/// The same over the root of the number of rows: three deviations of the difference of two similarities.
const NOISE: f64 = 1.3;
/// Fewest rows of a table.
const LEAST_ROWS: usize = 30;
/// Draws of rows behind the interval.
const DRAWS: usize = 20;
/// Most rows of each table; bins of a hundred cells are then known to a few thousandths.
const MOST_ROWS: usize = 20_000;

/// How much of the relations between columns is kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Relations {
    /// 0: as if each column were shuffled; 1: as new real rows of the same number.
    pub kept: Estimate,
    /// The related pairs, those that lose most first.
    pub pairs: Vec<RelatedPair>,
}

/// A pair of columns that the real table relates.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RelatedPair {
    /// The two columns.
    pub columns: [String; 2],
    /// Similarity of the joint shares of the synthetic rows to those of the real rows: 1 minus half the sum of |p - q| over about a hundred bins.
    pub synthetic: f64,
    /// The same of new real rows: the holdout's, or the expected one.
    pub reference: f64,
    /// The same of real rows whose columns are shuffled independently.
    pub shuffled: f64,
}

impl RelatedPair {
    /// The position between shuffled columns (0) and new real rows (1).
    pub fn kept(&self) -> f64 {
        (self.synthetic - self.shuffled) / (self.reference - self.shuffled)
    }
}

/// Compares the joint shares of every pair of columns, in ten quantile bins of the real table ([`super::accuracy`]), with those of the real table,
/// and places them between shuffled columns and new real rows: `sum of (synthetic - shuffled) / sum of (new - shuffled)` over the pairs that
/// shuffling costs 0.05 or more, and more than noise does. New rows are the holdout's, as many as there are synthetic rows (both cut to the
/// smaller number, at most 20,000), or without a holdout what is expected of as many. The interval is 1.96 deviations over 20 draws of both.
///
/// # Errors
/// [`Error::Undefined`] when no two columns are related or there are fewer than 30 rows; [`Error::Tables`] when the tables share no column or
/// one has no rows.
pub fn relations(real: &Table, synthetic: &Table, holdout: Option<&Table>, seed: u64) -> Result<Relations> {
    let tables: Vec<&Table> = [real, synthetic].into_iter().chain(holdout).collect();
    let tables = align(&tables)?;
    let size = tables[1..].iter().map(Table::rows).min().unwrap_or(0).min(MOST_ROWS);
    if size < LEAST_ROWS {
        return undefined(format!("fewer than {LEAST_ROWS} rows"));
    }
    let least = RELATED.max(NOISE / (size as f64).sqrt());
    let cut = |table: &Table, purpose| table.take(&subsample(table.rows(), size, seed, purpose));
    let (synthetic, new) = (cut(&tables[1], 80), tables.get(2).map(|holdout| cut(holdout, 81)));
    let shuffled = shuffled(&tables[0], size, seed)?;
    let names: Vec<String> = tables[0].schema().names().map(str::to_owned).collect();
    let columns: Vec<Coded> = (0..names.len()).filter_map(|place| coded(place, &tables[0], &synthetic, new.as_ref(), &shuffled)).collect();
    let places: Vec<(usize, usize)> = (0..columns.len()).flat_map(|i| (i + 1..columns.len()).map(move |j| (i, j))).collect();
    let all: Vec<usize> = (0..size).collect();
    let of_pair = |&(i, j): &(usize, usize)| {
        let (a, b) = (&columns[i], &columns[j]);
        let law = Law::new(a, b);
        let pair = RelatedPair {
            columns: [names[a.place].clone(), names[b.place].clone()],
            synthetic: law.similarity(a, b, Side::Synthetic, &all),
            reference: if a.new.is_some() { law.similarity(a, b, Side::New, &all) } else { law.expected(size) },
            shuffled: law.similarity(a, b, Side::Shuffled, &all),
        };
        (pair.reference - pair.shuffled >= least).then_some(((i, j), law, pair))
    };
    let related: Vec<_> = places.par_iter().filter_map(of_pair).collect();
    if related.is_empty() {
        return undefined("no two columns of the real table are related");
    }
    let position = |of: &[[f64; 3]]| {
        let sum = |get: fn(&[f64; 3]) -> f64| of.iter().map(get).sum::<f64>();
        sum(|[synthetic, _, shuffled]| synthetic - shuffled) / sum(|[_, new, shuffled]| new - shuffled)
    };
    let value = position(&related.iter().map(|(_, _, pair)| [pair.synthetic, pair.reference, pair.shuffled]).collect::<Vec<_>>());
    let draw = |draw: usize| {
        let [of_synthetic, of_new] = [0, 1].map(|side| {
            let mut random = random(seed, 0x8000 + 2 * draw as u64 + side);
            (0..size).map(|_| random.below(size)).collect::<Vec<usize>>()
        });
        let drawn = related.iter().map(|((i, j), law, pair)| {
            let (a, b) = (&columns[*i], &columns[*j]);
            let synthetic = law.similarity(a, b, Side::Synthetic, &of_synthetic);
            // Rows drawn twice make every table less similar, and the expected value as much.
            let new = if a.new.is_some() { law.similarity(a, b, Side::New, &of_new) } else { pair.reference };
            [synthetic, new, pair.shuffled]
        });
        position(&drawn.collect::<Vec<_>>())
    };
    let draws: Vec<f64> = (0..DRAWS).into_par_iter().map(draw).filter(|draw| draw.is_finite()).collect();
    let kept = Estimate::around(value, deviation(&draws).unwrap_or(0.0));
    let mut pairs: Vec<RelatedPair> = related.into_iter().map(|(_, _, pair)| pair).collect();
    pairs.sort_by(|a, b| (b.reference - b.synthetic).total_cmp(&(a.reference - a.synthetic)));
    Ok(Relations { kept, pairs })
}

/// Rows of the real table whose columns are each drawn on their own.
fn shuffled(real: &Table, rows: usize, seed: u64) -> Result<Table> {
    let mut random = random(seed, 82);
    let columns = real.columns().iter().map(|column| {
        let drawn: Vec<usize> = (0..rows).map(|_| random.below(real.rows())).collect();
        column.take(&drawn)
    });
    Table::new(real.schema().clone(), columns.collect()).map_err(Error::Data)
}

/// A column of all tables as bins.
struct Coded {
    place: usize,
    bins: usize,
    real: Vec<u8>,
    synthetic: Vec<u8>,
    new: Option<Vec<u8>>,
    shuffled: Vec<u8>,
}

#[derive(Clone, Copy)]
enum Side {
    Synthetic,
    New,
    Shuffled,
}

impl Coded {
    fn side(&self, side: Side) -> &[u8] {
        match side {
            Side::Synthetic => &self.synthetic,
            Side::New => self.new.as_deref().unwrap_or_default(),
            Side::Shuffled => &self.shuffled,
        }
    }
}

fn coded(place: usize, real: &Table, synthetic: &Table, new: Option<&Table>, shuffled: &Table) -> Option<Coded> {
    let bins = Bins::fit(&real.columns()[place])?;
    let of = |table: &Table| bins.of(&table.columns()[place]);
    Some(Coded { place, bins: bins.count(), real: of(real), synthetic: of(synthetic), new: new.map(of), shuffled: of(shuffled) })
}

/// The joint shares of two columns in the real table.
struct Law {
    shares: Vec<f64>,
    rows: usize,
}

impl Law {
    fn new(a: &Coded, b: &Coded) -> Self {
        let mut shares = vec![0.0; a.bins * b.bins];
        let one = 1.0 / a.real.len() as f64;
        a.real.iter().zip(&b.real).for_each(|(&x, &y)| shares[usize::from(x) * b.bins + usize::from(y)] += one);
        Self { shares, rows: a.real.len() }
    }

    fn similarity(&self, a: &Coded, b: &Coded, side: Side, rows: &[usize]) -> f64 {
        let (x, y) = (a.side(side), b.side(side));
        let mut counts = vec![0u32; self.shares.len()];
        rows.iter().for_each(|&row| counts[usize::from(x[row]) * b.bins + usize::from(y[row])] += 1);
        let apart = |(&share, &count): (&f64, &u32)| (share - f64::from(count) / rows.len() as f64).abs();
        1.0 - self.shares.iter().zip(&counts).map(apart).sum::<f64>() / 2.0
    }

    /// Of as many new rows.
    fn expected(&self, rows: usize) -> f64 {
        let parts = 1.0 / rows as f64 + 1.0 / self.rows as f64;
        1.0 - self.shares.iter().map(|p| (2.0 / std::f64::consts::PI * p * (1.0 - p) * parts).sqrt()).sum::<f64>() / 2.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use semblant_data::table::{Column, ColumnKind};

    /// `y` follows `x`; `z` does not.
    fn table(seed: u64, rows: usize) -> Table {
        let mut random = random(seed, 0);
        let x: Vec<f64> = (0..rows).map(|_| random.unit()).collect();
        let y = x.iter().map(|x| x + 0.2 * random.unit()).collect();
        let z = Column::from_labels((0..rows).map(|_| Some(if random.unit() < 0.3 { "a" } else { "b" })));
        Table::from_columns(vec![
            ("x", ColumnKind::Continuous, Column::Number(x)),
            ("y", ColumnKind::Continuous, Column::Number(y)),
            ("z", ColumnKind::Categorical, z),
        ])
        .unwrap()
    }

    #[test]
    fn the_scale_reaches_from_shuffled_columns_to_new_rows() {
        let (real, holdout) = (table(1, 3000), table(2, 1500));
        for holdout in [Some(&holdout), None] {
            let of = |synthetic: &Table| relations(&real, synthetic, holdout, 0).unwrap();
            let fresh = of(&table(3, 2000));
            assert!((fresh.kept.value - 1.0).abs() < 0.05 && fresh.kept.interval[0] < 1.0 && fresh.kept.interval[1] > 0.98, "{fresh:?}");
            assert_eq!(fresh.pairs.len(), 1, "{fresh:?}");
            let none = of(&shuffled(&table(3, 2000), 2000, 5).unwrap());
            assert!(none.kept.value.abs() < 0.05 && none.pairs[0].columns == ["x", "y"], "{none:?}");
            // Half of the rows shuffled.
            let mut half = table(3, 1000);
            half.append(&shuffled(&table(4, 1000), 1000, 5).unwrap()).unwrap();
            assert!((of(&half).kept.value - 0.5).abs() < 0.08, "{:?}", of(&half));
        }
        let columns = table(1, 300).columns().to_vec();
        let alone = Table::from_columns(vec![
            ("x", ColumnKind::Continuous, columns[0].clone()),
            ("z", ColumnKind::Categorical, columns[2].clone()),
        ])
        .unwrap();
        assert!(relations(&alone, &alone, None, 0).is_err());
    }
}
