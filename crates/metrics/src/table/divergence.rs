//! Distances between distributions besides the scores of [`super::shapes`], and mutual information between columns.

use std::collections::BTreeMap;

use rayon::prelude::*;
use semblant_data::table::{Column, Table};
use serde::{Deserialize, Serialize};
use statrs::function::gamma::gamma_ur;

use super::align::align;
use super::binning::{BinRule, range};
use super::coverage::per_column;
use super::shapes::{ColumnScores, mean};
use crate::Result;
use crate::error::undefined;

/// [`wasserstein`] per column of numbers or datetimes, and their mean.
///
/// # Errors
/// [`crate::Error::Tables`] when the tables share no column or one has no rows.
pub fn wasserstein_distances(real: &Table, synthetic: &Table) -> Result<ColumnScores> {
    per_column(real, synthetic, |real, synthetic| Some(("Wasserstein", wasserstein(real.numbers()?, synthetic.numbers()?))))
}

/// [`jensen_shannon`] per column, numbers in ten equal bins of the real range, missing a label of its own; and their mean.
///
/// # Errors
/// As [`wasserstein_distances`].
pub fn jensen_shannon_distances(real: &Table, synthetic: &Table) -> Result<ColumnScores> {
    per_column(real, synthetic, |real, synthetic| {
        Some(("JensenShannon", codes(real, synthetic).and_then(|(real, synthetic)| jensen_shannon(&real, &synthetic))))
    })
}

/// The 1-Wasserstein distance, the area between the two distribution functions, over the real range; missing values dropped.
///
/// From 0, lower is better; shifting a column by a tenth of its range gives 0.1. Source: scipy's `wasserstein_distance`.
///
/// # Errors
/// [`crate::Error::Undefined`] when a side has no values, or the real one is constant or infinite.
pub fn wasserstein(real: &[f64], synthetic: &[f64]) -> Result<f64> {
    let Some((low, high)) = range(real).filter(|(low, high)| low < high && (high - low).is_finite()) else {
        return undefined("the real column is constant, infinite, or has only missing values");
    };
    let sorted = |values: &[f64]| {
        let mut values: Vec<f64> = values.iter().copied().filter(|value| !value.is_nan()).collect();
        values.sort_unstable_by(f64::total_cmp);
        values
    };
    let (a, b) = (sorted(real), sorted(synthetic));
    if b.is_empty() {
        return undefined("the synthetic column has only missing values");
    }
    let (mut i, mut j, mut area) = (0, 0, 0.0);
    let mut here = a[0].min(b[0]);
    while i < a.len() || j < b.len() {
        let next = a.get(i).copied().unwrap_or(f64::INFINITY).min(b.get(j).copied().unwrap_or(f64::INFINITY));
        area += (i as f64 / a.len() as f64 - j as f64 / b.len() as f64).abs() * (next - here);
        here = next;
        i += a[i..].iter().take_while(|&&value| value <= here).count();
        j += b[j..].iter().take_while(|&&value| value <= here).count();
    }
    Ok(area / (high - low))
}

/// The Jensen-Shannon distance of two columns of codes: the root of the mean Kullback-Leibler divergence, in bits, from their average.
///
/// Range 0 to 1, lower is better; 1 when no code occurs on both sides. Source: Endres and Schindelin 2003; scipy's `jensenshannon`, base 2.
///
/// # Errors
/// [`crate::Error::Undefined`] when a column has no rows.
pub fn jensen_shannon(real: &[u32], synthetic: &[u32]) -> Result<f64> {
    if real.is_empty() || synthetic.is_empty() {
        return undefined("a column has no rows");
    }
    let (p, q) = (shares(real.iter().copied()), shares(synthetic.iter().copied()));
    let divergence = |p: &BTreeMap<u32, f64>, q: &BTreeMap<u32, f64>| -> f64 {
        p.iter().map(|(code, p)| p * (2.0 * p / (p + q.get(code).copied().unwrap_or(0.0))).log2()).sum()
    };
    Ok((0.5 * (divergence(&p, &q) + divergence(&q, &p))).max(0.0).sqrt())
}

/// The result of a chi-square test of two samples.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ChiSquare {
    /// Pearson's statistic over the cells.
    pub statistic: f64,
    /// Cells minus one.
    pub degrees_of_freedom: usize,
    /// The probability that two samples of one population differ at least as much.
    pub p_value: f64,
}

/// Codes that both samples together have fewer of than this share one cell: below about five expected in each the test does not hold.
const LEAST_OF_A_CELL: usize = 10;

/// Pearson's chi-square test that two columns of codes come from one population; codes that occur fewer than ten times in all share a cell.
///
/// With many rows it finds the smallest difference, so a small p-value does not mean that the difference matters. Source: Pearson 1900;
/// scipy's `chi2_contingency` without correction gives the same where every code has a cell of its own.
///
/// # Errors
/// [`crate::Error::Undefined`] when a column has no rows, or all rows are in one cell.
pub fn chi_square(real: &[u32], synthetic: &[u32]) -> Result<ChiSquare> {
    if real.is_empty() || synthetic.is_empty() {
        return undefined("a column has no rows");
    }
    let mut counts: BTreeMap<u32, [usize; 2]> = BTreeMap::new();
    real.iter().for_each(|&code| counts.entry(code).or_default()[0] += 1);
    synthetic.iter().for_each(|&code| counts.entry(code).or_default()[1] += 1);
    let (mut cells, rare): (Vec<[usize; 2]>, Vec<[usize; 2]>) = counts.into_values().partition(|[a, b]| a + b >= LEAST_OF_A_CELL);
    if !rare.is_empty() {
        cells.push(rare.iter().fold([0, 0], |[a, b], [c, d]| [a + c, b + d]));
    }
    if cells.len() < 2 {
        return undefined("all values are equal or rare");
    }
    let (n, m) = (real.len() as f64, synthetic.len() as f64);
    let part = |&[a, b]: &[usize; 2]| {
        let expected = (a + b) as f64 / (n + m);
        (a as f64 - n * expected).powi(2) / (n * expected) + (b as f64 - m * expected).powi(2) / (m * expected)
    };
    let statistic: f64 = cells.iter().map(part).sum();
    let degrees_of_freedom = cells.len() - 1;
    let p_value = if statistic > 0.0 { gamma_ur(degrees_of_freedom as f64 / 2.0, statistic / 2.0) } else { 1.0 };
    Ok(ChiSquare { statistic, degrees_of_freedom, p_value })
}

/// The share of columns in which [`chi_square`] finds no difference at the level of 1 %, each column as [`jensen_shannon_distances`] has it.
///
/// Range 0 to 1, higher is better; two samples of one population have about 0.99.
///
/// # Errors
/// As [`wasserstein_distances`], and [`crate::Error::Undefined`] when no column can be tested.
pub fn chi_square_passed(real: &Table, synthetic: &Table) -> Result<f64> {
    let tested = per_column(real, synthetic, |real, synthetic| {
        Some(("ChiSquare", codes(real, synthetic).and_then(|(real, synthetic)| Ok(chi_square(&real, &synthetic)?.p_value))))
    })?;
    mean(tested.columns.iter().filter_map(|column| column.value).map(|p| f64::from(u8::from(p >= 0.01))))
        .map_or_else(|| undefined("no column can be tested"), Ok)
}

fn shares<T: Ord>(values: impl ExactSizeIterator<Item = T>) -> BTreeMap<T, f64> {
    let each = values.len() as f64;
    let mut counts: BTreeMap<T, usize> = BTreeMap::new();
    values.for_each(|value| *counts.entry(value).or_default() += 1);
    counts.into_iter().map(|(value, count)| (value, count as f64 / each)).collect()
}

/// A column of both tables as codes: labels, or ten equal bins of the real range, open at both ends; missing is a code of its own.
pub(super) fn codes(real: &Column, synthetic: &Column) -> Result<(Vec<u32>, Vec<u32>)> {
    match (real, synthetic) {
        (Column::Number(a), Column::Number(b)) => BinRule::Real.bin(a, b),
        _ => super::align::shared_codes(real, synthetic).map(|(real, synthetic, _)| (real, synthetic)),
    }
}

/// The mutual information of each pair of columns, in both tables.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MutualInformation {
    /// The columns.
    pub columns: Vec<String>,
    /// For each pair, first column first: [`mutual_information`] in the real and in the synthetic table; none where a side has a single
    /// value.
    pub pairs: Vec<Option<[f64; 2]>>,
    /// 1 minus the mean difference over the pairs that are defined. Range 0 to 1, higher is better.
    pub similarity: Option<f64>,
}

/// [`mutual_information`] of all pairs of columns in both tables, numbers in ten equal bins of the real range. It measures any
/// relation; a correlation measures linear ones.
///
/// # Errors
/// As [`wasserstein_distances`].
pub fn mutual_information_matrices(real: &Table, synthetic: &Table) -> Result<MutualInformation> {
    let tables = align(&[real, synthetic])?;
    let coded: Vec<Option<(Vec<u32>, Vec<u32>)>> =
        tables[0].columns().iter().zip(tables[1].columns()).map(|(real, synthetic)| codes(real, synthetic).ok()).collect();
    let places: Vec<(usize, usize)> = (0..coded.len()).flat_map(|i| (i + 1..coded.len()).map(move |j| (i, j))).collect();
    let pair = |(i, j): (usize, usize)| {
        let (a, b) = (coded[i].as_ref()?, coded[j].as_ref()?);
        Some([mutual_information(&a.0, &b.0).ok()?, mutual_information(&a.1, &b.1).ok()?])
    };
    let pairs: Vec<Option<[f64; 2]>> = places.into_par_iter().map(pair).collect();
    let similarity = mean(pairs.iter().flatten().map(|[real, synthetic]| 1.0 - (real - synthetic).abs()));
    Ok(MutualInformation { columns: tables[0].schema().names().map(str::to_owned).collect(), pairs, similarity })
}

/// The mutual information of two columns of codes over the root of the product of their entropies.
///
/// Range 0 (independent) to 1 (each decides the other). Source: Strehl and Ghosh 2002; scikit-learn's `normalized_mutual_info_score` with
/// the geometric mean.
///
/// # Errors
/// [`crate::Error::Undefined`] when a column has a single value.
pub fn mutual_information(a: &[u32], b: &[u32]) -> Result<f64> {
    let entropy = |shares: &BTreeMap<u32, f64>| -> f64 { -shares.values().map(|share| share * share.ln()).sum::<f64>() };
    let (p, q) = (shares(a.iter().copied()), shares(b.iter().copied()));
    if p.len() < 2 || q.len() < 2 {
        return undefined("a column has a single value, so mutual information is not defined");
    }
    let joint = shares(a.iter().copied().zip(b.iter().copied()));
    let information: f64 = joint.iter().map(|((a, b), share)| share * (share / (p[a] * q[b])).ln()).sum();
    Ok((information / (entropy(&p) * entropy(&q)).sqrt()).clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_is_zero_disjoint_is_one_and_a_shift_is_its_share_of_the_range() {
        let real: Vec<f64> = (0..=100).map(f64::from).collect();
        let shifted: Vec<f64> = real.iter().map(|value| value + 10.0).collect();
        assert_eq!(wasserstein(&real, &real).unwrap(), 0.0);
        assert!((wasserstein(&real, &shifted).unwrap() - 0.1).abs() < 1e-12);
        assert!(wasserstein(&[1.0, 1.0], &real).is_err() && wasserstein(&real, &[f64::NAN]).is_err());
        assert_eq!(jensen_shannon(&[1, 2, 2], &[2, 1, 2]).unwrap(), 0.0);
        assert!((jensen_shannon(&[1, 2], &[3]).unwrap() - 1.0).abs() < 1e-12);
    }

    /// scipy 1.17: chi2_contingency([[30, 50, 20], [45, 40, 40]], correction=False) = (8.1, 0.01742237463949352, 2 degrees).
    #[test]
    fn the_chi_square_test_is_that_of_scipy_and_rare_codes_share_a_cell() {
        let column = |counts: [usize; 3]| (0..3).flat_map(|code| vec![code as u32; counts[code]]).collect::<Vec<u32>>();
        let (real, synthetic) = (column([30, 50, 20]), column([45, 40, 40]));
        let found = chi_square(&real, &synthetic).unwrap();
        assert!((found.statistic - CHI_SQUARE.0).abs() < 1e-9 && (found.p_value - CHI_SQUARE.1).abs() < 1e-9, "{found:?}");
        assert_eq!(found.degrees_of_freedom, 2);
        // Nine labels that occur once each make one cell more, not nine.
        let rare: Vec<u32> = real.iter().copied().chain(100..109).collect();
        assert_eq!(chi_square(&rare, &synthetic).unwrap().degrees_of_freedom, 3);
        assert_eq!(chi_square(&real, &real).unwrap().p_value, 1.0);
        assert!(chi_square(&[1, 1], &[1]).is_err() && chi_square(&[], &[1]).is_err());
    }

    const CHI_SQUARE: (f64, f64) = (8.1, 0.017_422_374_639_493_52);

    #[test]
    fn a_bent_relation_is_seen_and_a_shuffled_one_is_gone() {
        let a: Vec<u32> = (0..1000).map(|i| i % 10).collect();
        let bent: Vec<u32> = a.iter().map(|&a| a.abs_diff(5)).collect();
        let other: Vec<u32> = (0..1000).map(|i| i / 10 % 6).collect();
        assert!((mutual_information(&a, &a).unwrap() - 1.0).abs() < 1e-12);
        assert!(mutual_information(&a, &bent).unwrap() > 0.8);
        assert!(mutual_information(&a, &other).unwrap() < 0.01);
        assert!(mutual_information(&a, &vec![1; 1000]).is_err());
    }
}
