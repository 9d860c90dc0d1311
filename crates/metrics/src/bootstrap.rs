//! Confidence intervals by the bootstrap (Efron 1979).

use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use statrs::distribution::{ContinuousCDF, StudentsT};

use crate::Result;
use crate::random::random;
use crate::table::privacy::quantile;

/// Draws behind an interval.
pub(crate) const DRAWS: usize = 200;

/// A number with its 95 % confidence interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// The number.
    pub value: f64,
    /// 2.5th and 97.5th percentile over 200 bootstrap draws.
    pub interval: [f64; 2],
}

impl Estimate {
    /// A value whose error is normal with this standard deviation.
    pub(crate) fn around(value: f64, deviation: f64) -> Self {
        Self { value, interval: [value - 1.96 * deviation, value + 1.96 * deviation] }
    }

    /// The standard deviation of a normal error with this interval.
    pub(crate) fn deviation(&self) -> f64 {
        (self.interval[1] - self.interval[0]) / (2.0 * 1.96)
    }

    /// The mean of values with a normal error each, by Student's distribution; of a single one the interval is empty.
    pub(crate) fn of_mean(values: &[f64]) -> Self {
        let (count, freedom) = (values.len().max(1) as f64, values.len().saturating_sub(1));
        let value = values.iter().sum::<f64>() / count;
        let variance = values.iter().map(|found| (found - value).powi(2)).sum::<f64>() / freedom.max(1) as f64;
        let half = student(freedom.max(1)) * (variance / count).sqrt();
        Self { value, interval: [value - half, value + half] }
    }

    /// A value and the percentiles of the draws.
    pub(crate) fn from_draws(value: f64, mut drawn: Vec<f64>) -> Self {
        drawn.sort_unstable_by(f64::total_cmp);
        Self { value, interval: [quantile(&drawn, 0.025), quantile(&drawn, 0.975)] }
    }
}

/// The 97.5th percentile of Student's distribution.
pub(crate) fn student(freedom: usize) -> f64 {
    StudentsT::new(0.0, 1.0, freedom as f64).map_or(1.96, |law| law.inverse_cdf(0.975))
}

/// Three standard errors of the difference of two shares: what chance alone exceeds once in several hundred times.
pub(crate) fn chance(share: f64, counts: [usize; 2]) -> f64 {
    let share = share.clamp(0.001, 0.999);
    3.0 * (share * (1.0 - share) * (1.0 / counts[0] as f64 + 1.0 / counts[1] as f64)).sqrt()
}

/// `measure` of all rows, with an interval from as many rows drawn with replacement by `seed`. Draws in which it is not defined (a class is
/// missing) are left out.
///
/// # Errors
/// As `measure` of all rows.
pub(crate) fn resampled(rows: usize, seed: u64, measure: impl Fn(&[usize]) -> Result<f64> + Sync) -> Result<Estimate> {
    let value = measure(&(0..rows).collect::<Vec<usize>>())?;
    let draw = |draw: usize| measure(&drawn(rows, seed, draw)).ok();
    let drawn: Vec<f64> = (0..DRAWS).into_par_iter().filter_map(draw).collect();
    Ok(Estimate::from_draws(value, if drawn.is_empty() { vec![value] } else { drawn }))
}

/// The rows of one draw.
pub(crate) fn drawn(rows: usize, seed: u64, draw: usize) -> Vec<usize> {
    let mut random = random(seed, 0x6000 + draw as u64);
    (0..rows).map(|_| random.below(rows)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_of_a_mean_is_that_of_its_standard_error() {
        // 0 and 1 in equal numbers: a deviation of one half, so 1.96 * 0.5 / sqrt(400) = 0.049.
        let values: Vec<f64> = (0..400).map(|row| f64::from(row % 2)).collect();
        let mean = |rows: &[usize]| Ok(rows.iter().map(|&row| values[row]).sum::<f64>() / rows.len() as f64);
        let found = resampled(400, 3, mean).unwrap();
        assert_eq!(found.value, 0.5);
        assert!((found.interval[0] - 0.451).abs() < 0.015 && (found.interval[1] - 0.549).abs() < 0.015, "{found:?}");
        assert_eq!(found, resampled(400, 3, mean).unwrap());
    }
}
