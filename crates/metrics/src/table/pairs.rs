//! Column pair trends: similarity of correlations and joint distributions.

use std::collections::BTreeMap;

use rayon::prelude::*;
use semblant_data::table::{Column, MISSING, Table};
use serde::{Deserialize, Serialize};

use super::align::align;
use super::binning::BinRule;
use super::shapes::{mean, split};
use crate::Result;
use crate::error::undefined;

/// Pairs of numbers count as related when the real |Pearson correlation| is above this (SDMetrics >= 0.27).
pub const CORRELATION_THRESHOLD: f64 = 0.5;
/// Other pairs count as related when the real Cramer's V is above this (SDMetrics >= 0.27).
pub const ASSOCIATION_THRESHOLD: f64 = 0.3;

/// Which correlation coefficient.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Coefficient {
    /// Linear correlation.
    #[default]
    Pearson,
    /// Pearson of the ranks, ties at their mean rank.
    Spearman,
}

/// The score of one pair of columns.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PairScore {
    /// The first column, in the real table's order.
    pub first: String,
    /// The second column.
    pub second: String,
    /// The metric of the score.
    pub metric: String,
    /// The score; `None` when it is not defined.
    pub value: Option<f64>,
    /// Why it is not defined.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undefined: Option<String>,
    /// Pearson correlation (two numbers) or Cramer's V (otherwise) in the real data.
    pub real: Option<f64>,
    /// The same in the synthetic data.
    pub synthetic: Option<f64>,
    /// Whether the real data relates the two columns strongly enough to pass the thresholds.
    pub related: bool,
}

/// All pairs and their means.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PairScores {
    /// Mean over all pairs with a defined score: what papers report, and SDMetrics before 0.27.
    pub mean: Option<f64>,
    /// Mean over the pairs that the real data relates ([`CORRELATION_THRESHOLD`], [`ASSOCIATION_THRESHOLD`]): SDMetrics since 0.27.
    pub mean_related: Option<f64>,
    /// One entry per pair, first column first.
    pub pairs: Vec<PairScore>,
}

/// Column Pair Trends: [`correlation_similarity`] for two numbers, [`contingency_similarity`] for two categories or, after binning by `rule`,
/// for one of each; and the means.
///
/// Range 0 to 1, higher is better. Source: SDMetrics 0.29.0, QualityReport "Column Pair Trends". Every row is used, also above the 50,000 where
/// SDMetrics draws a random subsample. Undefined pairs are left out of the means.
///
/// # Errors
/// [`crate::Error::Tables`] when the tables share no column or one has no rows.
pub fn column_pair_trends(real: &Table, synthetic: &Table, rule: BinRule) -> Result<PairScores> {
    let tables = align(&[real, synthetic])?;
    let coded: Vec<Coded> =
        tables[0].columns().iter().zip(tables[1].columns()).map(|(real, synthetic)| Coded::new(real, synthetic, rule)).collect();
    let names: Vec<&str> = tables[0].schema().names().collect();
    let places: Vec<(usize, usize)> = (0..names.len()).flat_map(|i| (i + 1..names.len()).map(move |j| (i, j))).collect();
    let pairs = places.into_par_iter().map(|(i, j)| pair_score(names[i], names[j], &coded[i], &coded[j])).collect::<Result<Vec<_>>>()?;
    Ok(PairScores {
        mean: mean(pairs.iter().filter_map(|pair| pair.value)),
        mean_related: mean(pairs.iter().filter(|pair| pair.related).filter_map(|pair| pair.value)),
        pairs,
    })
}

/// One column of both tables as numbers, if it is one, and as codes from 0 with missing values coded too.
struct Coded<'a> {
    numbers: Option<(&'a [f64], &'a [f64])>,
    codes: Result<(Vec<u32>, Vec<u32>), String>,
}

impl<'a> Coded<'a> {
    fn new(real: &'a Column, synthetic: &'a Column, rule: BinRule) -> Self {
        match (real, synthetic) {
            (Column::Number(real), Column::Number(synthetic)) => {
                Self { numbers: Some((real, synthetic)), codes: rule.bin(real, synthetic).map_err(|error| error.reason()) }
            }
            (Column::Category { codes: real, levels }, Column::Category { codes: synthetic, .. }) => {
                let missing = levels.len() as u32;
                let code_all = |codes: &[u32]| codes.iter().map(|&code| if code == MISSING { missing } else { code }).collect();
                Self { numbers: None, codes: Ok((code_all(real), code_all(synthetic))) }
            }
            // Aligned tables have the same storage on both sides.
            _ => Self { numbers: None, codes: Err("numbers on one side, categories on the other".into()) },
        }
    }
}

fn pair_score(first: &str, second: &str, a: &Coded, b: &Coded) -> Result<PairScore> {
    let (metric, score, real, synthetic, threshold);
    if let (Some(a), Some(b)) = (a.numbers, b.numbers) {
        metric = "CorrelationSimilarity";
        real = correlation(a.0, b.0, Coefficient::Pearson);
        synthetic = correlation(a.1, b.1, Coefficient::Pearson);
        score = correlation_similarity((a.0, b.0), (a.1, b.1), Coefficient::Pearson);
        threshold = CORRELATION_THRESHOLD;
    } else {
        metric = "ContingencySimilarity";
        threshold = ASSOCIATION_THRESHOLD;
        match (&a.codes, &b.codes) {
            (Ok(a), Ok(b)) => {
                real = cramers_v(&a.0, &b.0);
                synthetic = cramers_v(&a.1, &b.1);
                score = contingency_similarity((&a.0, &b.0), (&a.1, &b.1));
            }
            (Err(why), _) | (_, Err(why)) => {
                (real, synthetic, score) = (undefined(why), undefined(why), undefined(why));
            }
        }
    }
    let (value, undefined) = split(score)?;
    let (real, synthetic) = (real.ok(), synthetic.ok());
    let related = real.is_some_and(|strength| strength.abs() > threshold);
    Ok(PairScore {
        first: first.to_owned(),
        second: second.to_owned(),
        metric: metric.to_owned(),
        value,
        undefined,
        real,
        synthetic,
        related,
    })
}

/// 1 - |r_real - r_synthetic| / 2 with r the chosen coefficient over the rows where both columns have a value.
///
/// Each argument is the (first, second) column of one table. Range 0 to 1, higher is better. Source: SDMetrics 0.29.0.
///
/// # Errors
/// [`crate::Error::Undefined`] when a column is constant in either table or fewer than two rows are complete.
pub fn correlation_similarity(real: (&[f64], &[f64]), synthetic: (&[f64], &[f64]), coefficient: Coefficient) -> Result<f64> {
    let real = correlation(real.0, real.1, coefficient)?;
    let synthetic = correlation(synthetic.0, synthetic.1, coefficient)?;
    Ok(1.0 - (real - synthetic).abs() / 2.0)
}

/// Pearson or Spearman correlation over the rows where both columns have a value. Range -1 to 1.
///
/// # Errors
/// [`crate::Error::Undefined`] when a column is constant or fewer than two rows are complete.
pub fn correlation(x: &[f64], y: &[f64], coefficient: Coefficient) -> Result<f64> {
    let (mut x, mut y): (Vec<f64>, Vec<f64>) = x.iter().zip(y).filter(|(x, y)| !x.is_nan() && !y.is_nan()).unzip();
    if x.len() < 2 {
        return undefined("fewer than two rows have both values");
    }
    if coefficient == Coefficient::Spearman {
        (x, y) = (ranks(&x), ranks(&y));
    }
    let (x, y) = (centred(&x), centred(&y));
    let spread = x.iter().map(|x| x * x).sum::<f64>().sqrt() * y.iter().map(|y| y * y).sum::<f64>().sqrt();
    if spread == 0.0 || !spread.is_finite() {
        return undefined("a column is constant or infinite, so it has no correlation");
    }
    Ok((x.iter().zip(&y).map(|(x, y)| x * y).sum::<f64>() / spread).clamp(-1.0, 1.0))
}

fn centred(values: &[f64]) -> Vec<f64> {
    if values.iter().all(|&value| value == values[0]) {
        // The rounded mean of a constant can differ from it, which would turn rounding noise into a correlation.
        return vec![0.0; values.len()];
    }
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    values.iter().map(|value| value - mean).collect()
}

/// Ranks from 1, equal values at the mean of their ranks.
pub(crate) fn ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&a, &b| values[a].total_cmp(&values[b]));
    let mut ranks = vec![0.0; values.len()];
    let mut start = 0;
    while start < order.len() {
        let value = values[order[start]];
        // A value that is not a number equals nothing, not even itself, and has a rank of its own.
        let ties = order[start..].iter().take_while(|&&row| values[row] == value).count().max(1);
        for &row in &order[start..start + ties] {
            ranks[row] = start as f64 + (ties as f64 + 1.0) / 2.0;
        }
        start += ties;
    }
    ranks
}

/// 1 - half the total of |p_real - p_synthetic| over all pairs of codes, every code a value of its own (give missing values one).
///
/// Each argument is the (first, second) column of one table. Range 0 to 1, higher is better. Source: SDMetrics 0.29.0.
///
/// # Errors
/// [`crate::Error::Undefined`] when a table has no rows.
pub fn contingency_similarity(real: (&[u32], &[u32]), synthetic: (&[u32], &[u32])) -> Result<f64> {
    if real.0.is_empty() || synthetic.0.is_empty() {
        return undefined("a table has no rows");
    }
    let shares = |(a, b): (&[u32], &[u32])| (joint_counts(a, b), a.len() as f64);
    let ((real, n), (synthetic, m)) = (shares(real), shares(synthetic));
    let share = |counts: &BTreeMap<_, _>, key: &_, rows: f64| counts.get(key).map_or(0.0, |&count: &usize| count as f64 / rows);
    let shared: f64 = real.keys().map(|key| (share(&real, key, n) - share(&synthetic, key, m)).abs()).sum();
    let only_synthetic: f64 = synthetic.keys().filter(|key| !real.contains_key(key)).map(|key| share(&synthetic, key, m)).sum();
    Ok(1.0 - 0.5 * (shared + only_synthetic))
}

/// How often each pair of codes occurs; sorted, so that sums over it are reproducible.
fn joint_counts(a: &[u32], b: &[u32]) -> BTreeMap<(u32, u32), usize> {
    let above = |codes: &[u32]| codes.iter().max().map_or(0, |&code| code as usize + 1);
    let (width, cells) = (above(b), above(a) * above(b));
    // Few codes are counted in place; the others are sorted.
    if cells <= a.len().max(1 << 12) {
        let mut counts = vec![0usize; cells];
        a.iter().zip(b).for_each(|(&a, &b)| counts[a as usize * width + b as usize] += 1);
        let found = counts.into_iter().enumerate().filter(|(_, count)| *count > 0);
        return found.map(|(cell, count)| (((cell / width) as u32, (cell % width) as u32), count)).collect();
    }
    let mut keys: Vec<u64> = a.iter().zip(b).map(|(&a, &b)| u64::from(a) << 32 | u64::from(b)).collect();
    keys.sort_unstable();
    keys.chunk_by(|left, right| left == right).map(|run| (((run[0] >> 32) as u32, run[0] as u32), run.len())).collect()
}

/// Cramer's V of two coded columns: sqrt(chi2 / (n * (min(rows, columns) - 1))), without correction; 0 unrelated, 1 one decides the other.
///
/// # Errors
/// [`crate::Error::Undefined`] when a column has fewer than two values.
pub fn cramers_v(a: &[u32], b: &[u32]) -> Result<f64> {
    let joint = joint_counts(a, b);
    let mut rows: BTreeMap<u32, f64> = BTreeMap::new();
    let mut columns: BTreeMap<u32, f64> = BTreeMap::new();
    for (&(a, b), &count) in &joint {
        *rows.entry(a).or_default() += count as f64;
        *columns.entry(b).or_default() += count as f64;
    }
    let smaller = rows.len().min(columns.len());
    if smaller < 2 {
        return undefined("a column has a single value, so it has no association");
    }
    // chi2 / n = sum(observed^2 / (row total * column total)) - 1, which needs no visit to empty cells.
    let phi2 = joint.iter().map(|((a, b), &count)| (count as f64).powi(2) / (rows[a] * columns[b])).sum::<f64>() - 1.0;
    Ok((phi2.max(0.0) / (smaller as f64 - 1.0)).sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;
    use semblant_data::table::ColumnKind;

    const NAN: f64 = f64::NAN;

    fn table(number: Vec<f64>, labels: &str) -> Table {
        let labels = Column::from_labels(labels.chars().map(|c| (c != '.').then(|| c.to_string())));
        Table::from_columns(vec![("n", ColumnKind::Continuous, Column::Number(number)), ("c", ColumnKind::Categorical, labels)]).unwrap()
    }

    #[test]
    fn correlation_has_the_values_of_sdmetrics() {
        let (x, y) = ([1., 2., 3., 4., NAN], [2., 4., 6., 9., 1.]);
        let (u, v) = ([1., 2., 3., 4., 5.], [5., 4., NAN, 2., 1.]);
        let score = |coefficient| correlation_similarity((&x, &y), (&u, &v), coefficient).unwrap();
        assert!((score(Coefficient::Pearson) - 0.002_811_643_657_815_61).abs() < 1e-12);
        assert!(score(Coefficient::Spearman).abs() < 1e-12);
        assert!(correlation(&[0.1; 3], &[1., 2., 3.], Coefficient::Pearson).is_err());
        assert_eq!(ranks(&[NAN, 1.0, NAN]), [2.0, 1.0, 3.0]);
    }

    #[test]
    fn contingency_has_the_values_of_sdmetrics() {
        let codes = |text: &str| text.chars().map(|c| c as u32).collect::<Vec<_>>();
        let score = |a, b, c, d| contingency_similarity((&codes(a), &codes(b)), (&codes(c), &codes(d))).unwrap();
        assert!((score("xxyy", "pqpq", "xxyz", "ppqq") - 0.5).abs() < 1e-12);
        assert!((score("x.yy", "pq.q", "x.yy", "pq..") - 0.75).abs() < 1e-12);
    }

    #[test]
    fn a_rescaled_column_is_seen_by_the_real_rule_only() {
        let real = table((0..10).map(f64::from).collect(), "ababababab");
        let rescaled = table((0..10).map(|i| f64::from(2 * i)).collect(), "ababababab");
        let score = |rule| column_pair_trends(&real, &rescaled, rule).unwrap().mean.unwrap();
        assert!((score(BinRule::Real) - 0.4).abs() < 1e-12);
        assert!((score(BinRule::EachTable) - 1.0).abs() < 1e-12);
    }

    #[test]
    fn swapping_the_labels_of_a_perfect_relation_takes_everything() {
        let number: Vec<f64> = (0..100).map(|i| f64::from(i % 2)).collect();
        let (labels, swapped) = ("ab".repeat(50), "ba".repeat(50));
        let real = table(number.clone(), &labels);
        let identical = column_pair_trends(&real, &real, BinRule::Real).unwrap();
        assert_eq!(identical.mean, Some(1.0));
        assert!((identical.pairs[0].real.unwrap() - 1.0).abs() < 1e-12 && identical.pairs[0].related);
        let score = column_pair_trends(&real, &table(number, &swapped), BinRule::Real).unwrap();
        assert!(score.mean.unwrap().abs() < 1e-12);
    }
}
