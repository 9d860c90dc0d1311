//! Column shapes: similarity of the distributions of single columns.

use semblant_data::table::{Column, Table};
use serde::{Deserialize, Serialize};

use super::align::{align, shared_codes};
use crate::error::undefined;
use crate::{Error, Result};

/// One column's score.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ColumnScore {
    /// The column.
    pub column: String,
    /// The metric of the score.
    pub metric: String,
    /// The score; `None` when it is not defined.
    pub value: Option<f64>,
    /// Why it is not defined.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undefined: Option<String>,
}

impl ColumnScore {
    pub(crate) fn new(column: &str, metric: &str, score: Result<f64>) -> Result<Self> {
        let (value, undefined) = split(score)?;
        Ok(Self { column: column.to_owned(), metric: metric.to_owned(), value, undefined })
    }
}

/// The mean of the scores that are defined, and all of them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ColumnScores {
    /// Mean over the defined scores; `None` when there is none.
    pub mean: Option<f64>,
    /// One entry per column.
    pub columns: Vec<ColumnScore>,
}

impl ColumnScores {
    pub(crate) fn from_columns(columns: Vec<ColumnScore>) -> Self {
        Self { mean: mean(columns.iter().filter_map(|score| score.value)), columns }
    }
}

/// Column Shapes: per column [`ks_complement`] (numbers, datetimes) or [`tv_complement`] (categories, booleans), and their mean.
///
/// Range 0 to 1, higher is better. Source: SDMetrics 0.29.0, QualityReport "Column Shapes". Undefined columns are left out of the mean.
///
/// # Errors
/// [`Error::Tables`] when the tables share no column or one has no rows.
pub fn column_shapes(real: &Table, synthetic: &Table) -> Result<ColumnScores> {
    let tables = align(&[real, synthetic])?;
    let scores =
        tables[0].iter().zip(tables[1].columns()).map(|((described, real), synthetic)| match (real.numbers(), synthetic.numbers()) {
            (Some(real), Some(synthetic)) => ColumnScore::new(&described.name, "KSComplement", ks_complement(real, synthetic)),
            _ => ColumnScore::new(&described.name, "TVComplement", tv_complement(real, synthetic)),
        });
    Ok(ColumnScores::from_columns(scores.collect::<Result<_>>()?))
}

/// 1 - D, with D the two-sample Kolmogorov-Smirnov statistic, max |F_real - F_synthetic|; missing values are dropped from each side and values
/// rounded to 14 decimals first, as SDMetrics does.
///
/// Range 0 to 1, higher is better; identical data scores 1.
///
/// # Errors
/// [`Error::Undefined`] when a side has no value left.
pub fn ks_complement(real: &[f64], synthetic: &[f64]) -> Result<f64> {
    let real = sorted_values(real);
    let synthetic = sorted_values(synthetic);
    if real.is_empty() || synthetic.is_empty() {
        return undefined("one side has only missing values");
    }
    Ok(1.0 - ks_distance(&real, &synthetic))
}

/// The two-sample Kolmogorov-Smirnov statistic of sorted values without missing ones; 0 where a side has none.
pub(crate) fn ks_distance(real: &[f64], synthetic: &[f64]) -> f64 {
    let (n, m) = (real.len() as f64, synthetic.len() as f64);
    let (mut i, mut j, mut largest) = (0, 0, 0.0_f64);
    while i < real.len() && j < synthetic.len() {
        let here = real[i].min(synthetic[j]);
        while i < real.len() && real[i] <= here {
            i += 1;
        }
        while j < synthetic.len() && synthetic[j] <= here {
            j += 1;
        }
        largest = largest.max((i as f64 / n - j as f64 / m).abs());
    }
    largest
}

fn sorted_values(values: &[f64]) -> Vec<f64> {
    const SCALE: f64 = 1e14;
    let mut kept: Vec<f64> = values.iter().filter(|value| !value.is_nan()).map(|&value| round_to(value, SCALE)).collect();
    kept.sort_unstable_by(f64::total_cmp);
    // -0.0 sorts before 0.0 but compares equal, so the walk above sees one value.
    kept
}

/// numpy's rounding; a value whose scaled form overflows is large enough to be left alone.
fn round_to(value: f64, scale: f64) -> f64 {
    let scaled = (value * scale).round_ties_even();
    if scaled.is_finite() { scaled / scale } else { value }
}

/// 1 - half the total of |p_real - p_synthetic| over the labels; missing values are dropped from each side.
///
/// A label never seen in the real data gets a pseudo-count of 1e-6 there, which also enters the real total: SDMetrics' rule, so that its
/// published scores are reproduced. Range 0 to 1, higher is better; identical data scores 1.
///
/// # Errors
/// [`Error::Undefined`] when a side has no value left; [`Error::Tables`] when a column holds numbers.
pub fn tv_complement(real: &Column, synthetic: &Column) -> Result<f64> {
    const PSEUDO_COUNT: f64 = 1e-6;
    let (real, synthetic, labels) = shared_codes(real, synthetic)?;
    let counted = |codes: &[u32]| counts(codes, labels).into_iter().map(|count| count as f64).collect::<Vec<f64>>();
    let (mut real, synthetic) = (counted(&real), counted(&synthetic));
    let total_synthetic: f64 = synthetic.iter().sum();
    if real.iter().sum::<f64>() == 0.0 || total_synthetic == 0.0 {
        return undefined("one side has only missing values");
    }
    for (real, &synthetic) in real.iter_mut().zip(&synthetic) {
        if *real == 0.0 && synthetic > 0.0 {
            *real = PSEUDO_COUNT;
        }
    }
    let total_real: f64 = real.iter().sum();
    let distance: f64 = real.iter().zip(&synthetic).map(|(real, synthetic)| (real / total_real - synthetic / total_synthetic).abs()).sum();
    Ok(1.0 - 0.5 * distance)
}

/// How often each of `labels` codes occurs; missing values are not counted.
pub(crate) fn counts(codes: &[u32], labels: usize) -> Vec<usize> {
    let mut counts = vec![0; labels];
    for &code in codes {
        if let Some(count) = counts.get_mut(code as usize) {
            *count += 1;
        }
    }
    counts
}

/// The mean, `None` of nothing.
pub(crate) fn mean(values: impl IntoIterator<Item = f64>) -> Option<f64> {
    let (sum, count) = values.into_iter().fold((0.0, 0usize), |(sum, count), value| (sum + value, count + 1));
    (count > 0).then(|| sum / count as f64)
}

/// The standard deviation of a sample; `None` of fewer than two values.
pub(crate) fn deviation(values: &[f64]) -> Option<f64> {
    let centre = mean(values.iter().copied()).filter(|_| values.len() > 1)?;
    Some((values.iter().map(|value| (value - centre).powi(2)).sum::<f64>() / (values.len() - 1) as f64).sqrt())
}

/// A defined score as (value, nothing), an undefined one as (nothing, reason); other errors stay errors.
pub(crate) fn split(score: Result<f64>) -> Result<(Option<f64>, Option<String>)> {
    match score {
        Ok(value) => Ok((Some(value), None)),
        Err(Error::Undefined(why)) => Ok((None, Some(why))),
        Err(other) => Err(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAN: f64 = f64::NAN;

    fn labels(text: &str) -> Column {
        Column::from_labels(text.chars().map(|c| (c != '.').then(|| c.to_string())))
    }

    #[test]
    fn ks_has_the_values_of_sdmetrics() {
        assert_eq!(ks_complement(&[1., 2., 3., 4., 5.], &[1., 2., 3., 4., 10.]).unwrap(), 0.8);
        assert!((ks_complement(&[1., 2., NAN, 4., 5.], &[2., 2., NAN, NAN, 9.]).unwrap() - 0.666_666_666_666_666_7).abs() < 1e-15);
        assert_eq!(ks_complement(&[1., f64::INFINITY], &[1., f64::INFINITY]).unwrap(), 1.0);
        assert_eq!(ks_complement(&[0.0, 1.0], &[-0.0, 1.0]).unwrap(), 1.0);
        assert!(matches!(ks_complement(&[NAN], &[1.0]), Err(Error::Undefined(_))));
    }

    #[test]
    fn tv_has_the_values_of_sdmetrics() {
        let score = |real, synthetic| tv_complement(&labels(real), &labels(synthetic)).unwrap();
        assert!((score("aabbc", "aabbb") - 0.8).abs() < 1e-12);
        assert!((score("aabb", "aabz") - 0.750_000_124_999_968_8).abs() < 1e-12);
        assert!((score("aabb", "xyzw") - 9.999_990e-7).abs() < 1e-12);
        assert!((score("a.bb", "aa..") - 0.333_333_333_333_333_26).abs() < 1e-12);
        assert!(matches!(tv_complement(&labels(".."), &labels("a")), Err(Error::Undefined(_))));
    }

    #[test]
    fn a_column_shifted_by_a_tenth_of_its_range_loses_a_tenth() {
        let real: Vec<f64> = (0..1000).map(f64::from).collect();
        let shifted: Vec<f64> = real.iter().map(|value| value + 100.0).collect();
        assert_eq!(ks_complement(&real, &real).unwrap(), 1.0);
        assert!((ks_complement(&real, &shifted).unwrap() - 0.9).abs() < 1e-12);
    }
}
