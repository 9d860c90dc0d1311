//! Coverage: how much of the real ranges and labels the synthetic table reaches, and the similarity of means, medians, deviations and missing
//! values.

use semblant_data::table::{Column, MISSING, Table};

use super::align::{align, shared_codes};
use super::binning::range;
use super::privacy::quantile;
use super::shapes::{ColumnScore, ColumnScores, deviation, mean};
use crate::Result;
use crate::error::undefined;

/// [`range_coverage`] (numbers, datetimes) or [`category_coverage`] (categories, booleans) per column, and their mean.
///
/// Range 0 to 1, higher is better. A dropped label of k costs its column 1/k however rare it was. Source: SDMetrics 0.29.0.
///
/// # Errors
/// [`crate::Error::Tables`] when the tables share no column or one has no rows.
pub fn coverage(real: &Table, synthetic: &Table) -> Result<ColumnScores> {
    per_column(real, synthetic, |real, synthetic| match (real.numbers(), synthetic.numbers()) {
        (Some(real), Some(synthetic)) => Some(("RangeCoverage", range_coverage(real, synthetic))),
        _ => Some(("CategoryCoverage", category_coverage(real, synthetic))),
    })
}

/// [`missing_value_similarity`] per column, and their mean.
///
/// # Errors
/// As [`coverage`].
pub fn missing_values(real: &Table, synthetic: &Table) -> Result<ColumnScores> {
    per_column(real, synthetic, |real, synthetic| Some(("MissingValueSimilarity", missing_value_similarity(real, synthetic))))
}

/// [`statistic_similarity`] per column of numbers or datetimes, and their mean.
///
/// # Errors
/// As [`coverage`].
pub fn statistics(real: &Table, synthetic: &Table, statistic: Statistic) -> Result<ColumnScores> {
    per_column(real, synthetic, |real, synthetic| {
        Some(("StatisticSimilarity", statistic_similarity(real.numbers()?, synthetic.numbers()?, statistic)))
    })
}

/// The scores of the columns that `score` has one for.
pub(super) fn per_column(
    real: &Table,
    synthetic: &Table,
    score: impl Fn(&Column, &Column) -> Option<(&'static str, Result<f64>)>,
) -> Result<ColumnScores> {
    let tables = align(&[real, synthetic])?;
    let scored = tables[0].iter().zip(tables[1].columns()).filter_map(|((described, real), synthetic)| {
        let (metric, score) = score(real, synthetic)?;
        Some(ColumnScore::new(&described.name, metric, score))
    });
    Ok(ColumnScores::from_columns(scored.collect::<Result<_>>()?))
}

/// 1 minus what the synthetic values leave uncovered at both ends of the real range, as shares of it; not below 0, missing values dropped.
///
/// Range 0 to 1, higher is better; values beyond the real range cost nothing here but in
/// [`boundary_adherence`](super::diagnostic::boundary_adherence). Source: SDMetrics 0.29.0.
///
/// # Errors
/// [`crate::Error::Undefined`] when a side has no values or the real one is constant.
pub fn range_coverage(real: &[f64], synthetic: &[f64]) -> Result<f64> {
    let (Some((low, high)), Some((from, to))) = (range(real), range(synthetic)) else {
        return undefined("one side has only missing values");
    };
    if low == high {
        return undefined("the real column is constant");
    }
    let width = high - low;
    Ok((1.0 - ((from - low) / width).max(0.0) - ((high - to) / width).max(0.0)).max(0.0))
}

/// The share of the real column's labels that occur in the synthetic one; missing values dropped.
///
/// Range 0 to 1, higher is better. Source: SDMetrics 0.29.0.
///
/// # Errors
/// [`crate::Error::Undefined`] when the real column has only missing values; [`crate::Error::Tables`] when a column holds numbers.
pub fn category_coverage(real: &Column, synthetic: &Column) -> Result<f64> {
    let (real, synthetic, labels) = shared_codes(real, synthetic)?;
    let occurring = |codes: &[u32]| {
        let mut found = vec![false; labels];
        codes.iter().filter(|&&code| code != MISSING).for_each(|&code| found[code as usize] = true);
        found
    };
    let (real, synthetic) = (occurring(&real), occurring(&synthetic));
    let all = real.iter().filter(|&&occurs| occurs).count();
    if all == 0 {
        return undefined("the real column has only missing values");
    }
    Ok(real.iter().zip(&synthetic).filter(|&(&real, &synthetic)| real && synthetic).count() as f64 / all as f64)
}

/// 1 minus the difference between the two shares of missing values.
///
/// Range 0 to 1, higher is better. Source: SDMetrics 0.29.0.
///
/// # Errors
/// [`crate::Error::Undefined`] when a column has no rows.
pub fn missing_value_similarity(real: &Column, synthetic: &Column) -> Result<f64> {
    if real.is_empty() || synthetic.is_empty() {
        return undefined("a column has no rows");
    }
    let share = |column: &Column| column.missing() as f64 / column.len() as f64;
    Ok(1.0 - (share(real) - share(synthetic)).abs())
}

/// What [`statistic_similarity`] compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Statistic {
    /// The mean.
    Mean,
    /// The median.
    Median,
    /// The standard deviation, with `n - 1` below.
    Deviation,
}

/// 1 minus the difference of the statistic on both sides over the real range; not below 0, missing values dropped.
///
/// Range 0 to 1, higher is better. Source: SDMetrics 0.29.0.
///
/// # Errors
/// [`crate::Error::Undefined`] when a side has no values (two for the deviation) or the real one is constant.
pub fn statistic_similarity(real: &[f64], synthetic: &[f64], statistic: Statistic) -> Result<f64> {
    let Some((low, high)) = range(real).filter(|(low, high)| low < high) else {
        return undefined("the real column is constant or has only missing values");
    };
    let of = |values: &[f64]| {
        let known: Vec<f64> = values.iter().copied().filter(|value| !value.is_nan()).collect();
        match statistic {
            Statistic::Mean => mean(known),
            Statistic::Median => median(known),
            Statistic::Deviation => deviation(&known),
        }
    };
    let (Some(a), Some(b)) = (of(real), of(synthetic)) else { return undefined("the synthetic column has too few values") };
    Ok((1.0 - (a - b).abs() / (high - low)).max(0.0))
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_unstable_by(f64::total_cmp);
    (!values.is_empty()).then(|| quantile(&values, 0.5))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAN: f64 = f64::NAN;

    #[test]
    fn scores_have_the_values_of_sdmetrics() {
        assert!((range_coverage(&[0.0, 10.0, NAN], &[2.0, 7.0]).unwrap() - 0.5).abs() < 1e-12);
        assert_eq!(range_coverage(&[0.0, 10.0], &[-5.0, 12.0]).unwrap(), 1.0);
        assert_eq!(range_coverage(&[0.0, 10.0], &[100.0]).unwrap(), 0.0);
        assert!(range_coverage(&[1.0, 1.0], &[1.0]).is_err());
        let score = |statistic| statistic_similarity(&[1., 2., 3., 10., NAN], &[2., 2., 3., 4.], statistic).unwrap();
        assert!((score(Statistic::Mean) - 0.861_111_111_1).abs() < 1e-9);
        assert_eq!(score(Statistic::Median), 1.0);
        assert!((score(Statistic::Deviation) - 0.652_771_578_1).abs() < 1e-9);
        let labels = |text: &str| Column::from_labels(text.chars().map(|c| (c != '.').then(|| c.to_string())));
        assert_eq!(category_coverage(&labels("aabbcd."), &labels("abz")).unwrap(), 0.5);
        assert_eq!(missing_value_similarity(&labels("a..."), &labels("ab..")).unwrap(), 0.75);
        assert!(category_coverage(&labels(".."), &labels("a")).is_err());
    }
}
