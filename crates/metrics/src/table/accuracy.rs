//! Accuracy: similarity of the shares of single columns, pairs and triples, with the expected value for new real rows.

use rayon::prelude::*;
use semblant_data::table::{Column, MISSING, Table};
use serde::{Deserialize, Serialize};

use super::align::align;
use super::shapes::mean;
use crate::Result;
use crate::error::undefined;
use crate::random::subsample;

/// Bins of a number, and labels of a category that have one of their own.
const BINS: usize = 10;
/// Most points that numbers are divided by in search of ten bins.
const MOST_POINTS: usize = 1000;
/// Most decimals that the edges of bins are cut to.
const MOST_DECIMALS: i32 = 20;
/// Labels that occur less often share one bin.
const LEAST_OF_A_LABEL: usize = 5;
/// Most triples that are compared.
const MOST_TRIPLES: usize = 10_000;

/// Accuracy by the number of columns that are combined.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Accuracy {
    /// The mean of the three below that the table has enough columns for.
    pub overall: Similarity,
    /// Over all columns.
    pub univariate: Similarity,
    /// Over all pairs; `None` in a table of one column.
    pub bivariate: Option<Similarity>,
    /// Over all triples, 10,000 drawn ones where there are more; `None` in a table of two columns.
    pub trivariate: Option<Similarity>,
}

/// The similarity of the shares of two tables.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Similarity {
    /// 1 minus half the sum of |p - q| over bins, averaged.
    pub value: f64,
    /// The expected value for as many new rows of the real population: `1 - sum of sqrt(2 / pi p (1 - p) (1 / n + 1 / m)) / 2`.
    pub expected: f64,
}

/// Compares `synthetic` with `real` after sorting every column into about ten bins of the real one: numbers by quantiles, values beyond the
/// real range in the outer bins; the ten most frequent labels (missing one of them) and one bin for all others; missing values in one of their own.
///
/// Range 0 to 1, higher is better; compare it with `expected`, which few rows or many bins lower. Source: mostlyai-qa 1.10.
///
/// # Errors
/// [`crate::Error::Tables`] when the tables share no column or one has no rows; [`crate::Error::Undefined`] when a number is infinite in all
/// rows of all columns that there are.
pub fn accuracy(real: &Table, synthetic: &Table, seed: u64) -> Result<Accuracy> {
    let tables = align(&[real, synthetic])?;
    let binned: Vec<Binned> = tables[0].columns().iter().zip(tables[1].columns()).filter_map(|(a, b)| Binned::new(a, b)).collect();
    let columns = binned.len();
    let pairs: Vec<Vec<usize>> = (0..columns).flat_map(|i| (i + 1..columns).map(move |j| vec![i, j])).collect();
    let singles: Vec<Vec<usize>> = (0..columns).map(|i| vec![i]).collect();
    let triples = subsample(columns * columns.saturating_sub(1) * columns.saturating_sub(2) / 6, MOST_TRIPLES, seed, 70);
    let triples: Vec<Vec<usize>> = triples.into_iter().map(triple).collect();
    let of = |sets: Vec<Vec<usize>>| -> Option<Similarity> {
        let found: Vec<Similarity> = sets.into_par_iter().map(|set| similarity(set.into_iter().map(|place| &binned[place]))).collect();
        Some(Similarity { value: mean(found.iter().map(|found| found.value))?, expected: mean(found.iter().map(|found| found.expected))? })
    };
    let Some(univariate) = of(singles) else { return undefined("no column has finite values") };
    let (bivariate, trivariate) = (of(pairs), of(triples));
    let all = || [Some(univariate), bivariate, trivariate].into_iter().flatten();
    let overall = Similarity {
        value: mean(all().map(|similarity| similarity.value)).unwrap_or(0.0),
        expected: mean(all().map(|similarity| similarity.expected)).unwrap_or(0.0),
    };
    Ok(Accuracy { overall, univariate, bivariate, trivariate })
}

/// The triple `i < j < k` of this number, in the order of the combinatorial number system.
fn triple(mut number: usize) -> Vec<usize> {
    let largest = |number: usize, choose: fn(usize) -> usize| (0..).take_while(|&n| choose(n) <= number).last().unwrap_or(0);
    let k = largest(number, |n| n * n.saturating_sub(1) * n.saturating_sub(2) / 6);
    number -= k * k.saturating_sub(1) * k.saturating_sub(2) / 6;
    let j = largest(number, |n| n * n.saturating_sub(1) / 2);
    vec![number - j * j.saturating_sub(1) / 2, j, k]
}

/// The bins of a column of the real table.
pub(super) enum Bins {
    /// Upper ends of all bins but the last, which missing values follow.
    Edges(Vec<f64>),
    /// The bin of each label, and of missing values behind them; the last one is that of all other labels.
    Labels { places: Vec<u8>, count: usize },
}

impl Bins {
    /// None for numbers of which none is finite.
    pub(super) fn fit(real: &Column) -> Option<Self> {
        match real {
            Column::Number(real) => Some(Self::Edges(edges(real)?)),
            Column::Category { codes, levels } => {
                let missing = levels.len();
                let mut counts = vec![0usize; levels.len() + 1];
                codes.iter().for_each(|&code| counts[place_of(code, missing)] += 1);
                let mut order: Vec<usize> = (0..counts.len()).filter(|&code| counts[code] >= LEAST_OF_A_LABEL).collect();
                order.sort_by_key(|&code| std::cmp::Reverse(counts[code]));
                order.truncate(BINS);
                if !order.contains(&missing) {
                    order.push(missing);
                }
                let mut places = vec![order.len() as u8; counts.len()];
                order.iter().enumerate().for_each(|(bin, &code)| places[code] = bin as u8);
                Some(Self::Labels { places, count: order.len() + 1 })
            }
        }
    }

    pub(super) fn count(&self) -> usize {
        match self {
            Self::Edges(edges) => edges.len() + 2,
            Self::Labels { count, .. } => *count,
        }
    }

    /// The bin of each row of a column of the same kind, labels coded as those of the real one.
    pub(super) fn of(&self, column: &Column) -> Vec<u8> {
        match (self, column) {
            (Self::Edges(edges), Column::Number(values)) => {
                let missing = edges.len() as u8 + 1;
                let bin = |value: &f64| {
                    if value.is_nan() { missing } else { edges.partition_point(|edge| edge <= value) as u8 }
                };
                values.iter().map(bin).collect()
            }
            (Self::Labels { places, .. }, Column::Category { codes, levels }) => {
                codes.iter().map(|&code| places[place_of(code, levels.len())]).collect()
            }
            // Aligned tables have the same storage on all sides.
            _ => vec![0; column.len()],
        }
    }
}

fn place_of(code: u32, missing: usize) -> usize {
    if code == MISSING { missing } else { code as usize }
}

/// A column of both tables as bins.
struct Binned {
    real: Vec<u8>,
    synthetic: Vec<u8>,
    bins: usize,
}

impl Binned {
    fn new(real: &Column, synthetic: &Column) -> Option<Self> {
        let bins = Bins::fit(real)?;
        Some(Self { real: bins.of(real), synthetic: bins.of(synthetic), bins: bins.count() })
    }
}

/// The inner edges of ten bins with about equally many values each, or of one bin a value where there are at most ten; cut to as few decimals
/// as keep them apart. Where values repeat so often that edges fall together, the table is divided ever more finely until ten bins are there.
fn edges(values: &[f64]) -> Option<Vec<f64>> {
    let mut sorted: Vec<f64> = values.iter().copied().filter(|value| value.is_finite()).collect();
    sorted.sort_unstable_by(f64::total_cmp);
    let last = *sorted.last()?;
    let mut edges = sorted.clone();
    edges.dedup();
    if edges.len() <= BINS {
        edges.push(last + 1.0);
    } else {
        for points in BINS..(sorted.len() + 1).clamp(BINS + 1, MOST_POINTS) {
            let step = (sorted.len() - 1) as f64 / (points - 1) as f64;
            edges = (0..points - 1).map(|point| sorted[(point as f64 * step) as usize]).chain([last]).collect();
            edges.dedup();
            if edges.len() > BINS {
                break;
            }
        }
    }
    let floor = |value: f64, decimals: i32| (value * 10f64.powi(decimals)).floor() / 10f64.powi(decimals);
    let apart = |decimals: &i32| edges.windows(2).all(|pair| floor(pair[0], *decimals) < floor(pair[1], *decimals));
    let decimals = (0..MOST_DECIMALS).find(apart);
    let inner = edges.iter().take(edges.len() - 1).skip(1);
    Some(inner.map(|&edge| decimals.map_or(edge, |decimals| floor(edge, decimals))).collect())
}

fn similarity<'a>(columns: impl Iterator<Item = &'a Binned> + Clone) -> Similarity {
    let cells: usize = columns.clone().map(|column| column.bins).product();
    let count = |side: fn(&Binned) -> &[u8]| -> Vec<u32> {
        let sides: Vec<(&[u8], usize)> = columns.clone().map(|column| (side(column), column.bins)).collect();
        let mut counts = vec![0u32; cells];
        (0..sides[0].0.len())
            .for_each(|row| counts[sides.iter().fold(0, |cell, (bins, count)| cell * count + usize::from(bins[row]))] += 1);
        counts
    };
    let (real, synthetic) = (count(|column| &column.real), count(|column| &column.synthetic));
    let total = |counts: &[u32]| counts.iter().map(|&count| f64::from(count)).sum::<f64>();
    let (n, m) = (total(&real), total(&synthetic));
    let (mut distance, mut expected) = (0.0, 0.0);
    for (&a, &b) in real.iter().zip(&synthetic) {
        let (p, q) = (f64::from(a) / n, f64::from(b) / m);
        distance += (p - q).abs();
        expected += (2.0 / std::f64::consts::PI * p * (1.0 - p) * (1.0 / n + 1.0 / m)).sqrt();
    }
    Similarity { value: 1.0 - distance / 2.0, expected: 1.0 - expected / 2.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::random;
    use semblant_data::table::ColumnKind;

    /// Two columns that go together, a label and a gap.
    fn table(rows: usize, seed: u64) -> Table {
        let mut random = random(seed, 0);
        let x: Vec<f64> = (0..rows).map(|_| random.unit()).collect();
        let y = x.iter().map(|x| if *x < 0.1 { f64::NAN } else { x * x + 0.1 * random.unit() }).collect();
        let labels = Column::from_labels(x.iter().map(|x| Some(if *x > 0.7 { "high" } else { "low" })));
        Table::from_columns(vec![
            ("x", ColumnKind::Continuous, Column::Number(x)),
            ("y", ColumnKind::Continuous, Column::Number(y)),
            ("z", ColumnKind::Categorical, labels),
        ])
        .unwrap()
    }

    #[test]
    fn equal_tables_are_alike_and_new_rows_as_much_as_expected() {
        let real = table(4000, 2);
        let same = accuracy(&real, &real, 0).unwrap();
        assert!((same.overall.value - 1.0).abs() < 1e-12);
        for rows in [1000, 4000] {
            let fresh: Vec<Accuracy> = (10..30).map(|seed| accuracy(&real, &table(rows, seed), 0).unwrap()).collect();
            let gap = mean(fresh.iter().map(|found| found.overall.value - found.overall.expected)).unwrap();
            assert!(gap.abs() < 0.003, "{gap}");
        }
        let shuffled = {
            let other = table(4000, 3);
            Table::from_columns(vec![
                ("x", ColumnKind::Continuous, real.columns()[0].clone()),
                ("y", ColumnKind::Continuous, other.columns()[1].clone()),
                ("z", ColumnKind::Categorical, real.columns()[2].clone()),
            ])
            .unwrap()
        };
        let broken = accuracy(&real, &shuffled, 0).unwrap();
        assert!(broken.univariate.value > 0.97 && broken.bivariate.unwrap().value < 0.75, "{broken:?}");
    }

    /// `crates/metrics/tests/golden/accuracy.py`, whose values mostlyai-qa rounds to five decimals before it takes means.
    #[test]
    fn values_are_those_of_mostlyai_qa() {
        let table = |rows: usize, shift: f64| {
            let number = |value: &dyn Fn(f64) -> f64| Column::Number((0..rows).map(|i| value(i as f64)).collect());
            let label = |i: usize| (!i.is_multiple_of(11)).then(|| &"aaaaabbbbccd"[(i * 7 + (10.0 * shift) as usize) % 12..][..1]);
            Table::from_columns(vec![
                ("x", ColumnKind::Continuous, number(&|i| i.sin() + shift)),
                ("few", ColumnKind::Integer, number(&|i| (3.0 * (2.0 * i + shift).cos()).floor())),
                ("zeros", ColumnKind::Integer, number(&|i| if i % 10.0 < 7.0 { 0.0 } else { (1000.0 * (3.0 * i + shift).sin()).floor() })),
                ("gaps", ColumnKind::Continuous, number(&|i| if i % 9.0 == 0.0 { f64::NAN } else { i.cos() * (1.0 + shift) })),
                ("labels", ColumnKind::Categorical, Column::from_labels((0..rows).map(label))),
            ])
            .unwrap()
        };
        let found = accuracy(&table(600, 0.0), &table(500, 0.25), 0).unwrap();
        let found = [found.univariate, found.bivariate.unwrap(), found.trivariate.unwrap()];
        for (found, expected) in found.iter().zip([[0.895998, 0.9409], [0.6874, 0.870144], [0.459533, 0.783987]]) {
            let found = [found.value, found.expected];
            assert!(found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-5), "{found:?} and not {expected:?}");
        }
    }

    #[test]
    fn a_share_moved_costs_itself() {
        let column = |low: usize| Column::from_labels((0..100).map(|row| Some(if row < low { "a" } else { "b" })));
        let of = |low| Table::from_columns(vec![("c", ColumnKind::Categorical, column(low))]).unwrap();
        let found = accuracy(&of(50), &of(70), 0).unwrap();
        assert!((found.overall.value - 0.8).abs() < 1e-12 && found.bivariate.is_none());
        // Two labels of one half each: 2 sqrt(2 / pi / 4 / 50) / 2.
        assert!((found.overall.expected - (1.0 - (2.0 / std::f64::consts::PI / 200.0).sqrt())).abs() < 1e-12);
    }

    #[test]
    fn values_that_repeat_still_make_bins() {
        // Nine tenths are zeros, the rest 1 to 100.
        let values: Vec<f64> = (0..1000).map(|i| if i < 900 { 0.0 } else { f64::from(i - 899) }).collect();
        let edges = edges(&values).unwrap();
        assert!(edges.len() == BINS - 1 && edges.windows(2).all(|pair| pair[0] < pair[1]), "{edges:?}");
        assert_eq!(super::edges(&[1.0; 5]), Some(vec![]));
        assert_eq!(super::edges(&[f64::NAN, f64::INFINITY]), None);
    }

    #[test]
    fn every_triple_has_one_number() {
        let mut all: Vec<Vec<usize>> = (0..20).map(triple).collect();
        assert_eq!(all[0], [0, 1, 2]);
        assert!(all.iter().all(|triple| triple[0] < triple[1] && triple[1] < triple[2] && triple[2] < 6));
        all.sort();
        all.dedup();
        assert_eq!(all.len(), 20);
    }
}
