//! Numbers as normal scores: a value's rank becomes the number that a standard normal distribution has at that rank. What diffusion
//! models for tables are fed (Kotelnikov et al. 2023, "TabDDPM", section 4.1), because it takes any shape to the same one.

use serde::{Deserialize, Serialize};
use statrs::distribution::{ContinuousCDF, Normal};

/// The fitted transform: the column's quantiles at equal steps of rank.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct QuantileTransform {
    quantiles: Vec<f64>,
}

/// Scores end here on either side, as in scikit-learn: the rank 1e-7.
const FARTHEST: f64 = 5.199_337_582_605_575;

impl QuantileTransform {
    /// Fits `max(min(n / 30, 1000), 10)` quantiles, but no more than there are values; missing values (NaN) are left out.
    ///
    /// Returns `None` when every value is missing.
    pub fn fit(values: &[f64]) -> Option<Self> {
        let mut sorted: Vec<f64> = values.iter().copied().filter(|value| !value.is_nan()).collect();
        sorted.sort_unstable_by(f64::total_cmp);
        let last = sorted.len().checked_sub(1)?;
        let count = (sorted.len() / 30).clamp(10, 1000).min(sorted.len().max(2));
        let at = |index: usize| {
            let place = index as f64 / (count - 1) as f64 * last as f64;
            let (below, share) = (place.floor() as usize, place.fract());
            sorted[below] + share * (sorted[(below + 1).min(last)] - sorted[below])
        };
        Some(Self { quantiles: (0..count).map(at).collect() })
    }

    /// The normal score of a value; one that the column has many times gets the score of the middle of its ranks. NaN stays NaN.
    pub fn encode(&self, value: f64) -> f64 {
        if value.is_nan() {
            return value;
        }
        let rank = 0.5 * (self.rank(value, |quantile| quantile < value) + self.rank(value, |quantile| quantile <= value));
        Normal::standard().inverse_cdf(rank).clamp(-FARTHEST, FARTHEST)
    }

    /// The value of a normal score. NaN stays NaN.
    pub fn decode(&self, score: f64) -> f64 {
        if score.is_nan() {
            return score;
        }
        let last = self.quantiles.len() - 1;
        // The farthest scores stand for the very ends, whose ranks 0 and 1 have no finite score.
        if score.abs() >= FARTHEST {
            return self.quantiles[if score > 0.0 { last } else { 0 }];
        }
        let place = Normal::standard().cdf(score) * last as f64;
        let (below, share) = ((place.floor() as usize).min(last), place.fract());
        self.quantiles[below] + share * (self.quantiles[(below + 1).min(last)] - self.quantiles[below])
    }

    /// The rank of a value, from 0 to 1, where quantiles for which `before` holds lie to its left.
    fn rank(&self, value: f64, before: impl Fn(f64) -> bool) -> f64 {
        let last = self.quantiles.len() - 1;
        let next = self.quantiles.partition_point(|&quantile| before(quantile));
        if next == 0 || next > last {
            return if next == 0 { 0.0 } else { 1.0 };
        }
        let (low, high) = (self.quantiles[next - 1], self.quantiles[next]);
        let share = if high > low { (value - low) / (high - low) } else { 0.0 };
        (next as f64 - 1.0 + share) / last as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_shape_becomes_normal_and_comes_back() {
        let values: Vec<f64> = (0..3000).map(|i| (f64::from(i) / 300.0).exp()).collect();
        let transform = QuantileTransform::fit(&values).expect("there are values");
        let scores: Vec<f64> = values.iter().map(|&value| transform.encode(value)).collect();
        let mean = scores.iter().sum::<f64>() / 3000.0;
        let variance = scores.iter().map(|score| (score - mean).powi(2)).sum::<f64>() / 3000.0;
        assert!(mean.abs() < 0.02 && (variance - 1.0).abs() < 0.05, "mean {mean}, variance {variance}");
        for (value, score) in values.iter().zip(scores) {
            assert!((transform.decode(score) / value - 1.0).abs() < 1e-6, "{value} came back as {}", transform.decode(score));
        }
        assert!(transform.encode(f64::NAN).is_nan() && transform.decode(f64::NAN).is_nan());
    }

    #[test]
    fn repeated_values_share_the_middle_of_their_ranks() {
        let mut values = vec![0.0; 600];
        values.extend((1..=400).map(f64::from));
        let transform = QuantileTransform::fit(&values).expect("there are values");
        // The zeros fill the ranks from 0 to 0.6: the middle is 0.3.
        assert!((Normal::standard().cdf(transform.encode(0.0)) - 0.3).abs() < 0.03);
        assert_eq!(transform.decode(transform.encode(0.0)), 0.0);
        assert_eq!(transform.decode(transform.encode(400.0)), 400.0, "the greatest value comes back exactly");
        assert_eq!(QuantileTransform::fit(&[f64::NAN]), None);
        assert_eq!(QuantileTransform::fit(&[7.0]).expect("one value").decode(0.3), 7.0);
    }
}
