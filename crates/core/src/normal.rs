//! The standard normal distribution, whole and cut off.

use std::f64::consts::{PI, SQRT_2};

use statrs::function::erf::{erfc, erfc_inv};

/// Normal scores beyond this are as good as infinite.
pub const LIMIT: f64 = 8.0;

/// The distribution function.
pub fn cdf(z: f64) -> f64 {
    0.5 * erfc(-z / SQRT_2)
}

/// The density.
pub fn density(z: f64) -> f64 {
    (-0.5 * z * z).exp() / (2.0 * PI).sqrt()
}

/// The inverse of [`cdf`], within [`LIMIT`].
pub fn quantile(p: f64) -> f64 {
    if p <= 0.0 {
        return -LIMIT;
    }
    if p >= 1.0 {
        return LIMIT;
    }
    (-SQRT_2 * erfc_inv(2.0 * p)).clamp(-LIMIT, LIMIT)
}

/// The mean of a standard normal number known to lie between the probabilities `low` and `high`.
pub fn mean_between(low: f64, high: f64) -> f64 {
    if high - low < 1e-12 {
        return quantile(0.5 * (low + high));
    }
    let at = |p: f64| if p <= 0.0 || p >= 1.0 { 0.0 } else { density(quantile(p)) };
    (at(low) - at(high)) / (high - low)
}

/// A number between `low` and `high` of the normal distribution with this mean and deviation, by a uniform one in [0, 1).
pub fn truncated(mean: f64, deviation: f64, low: f64, high: f64, uniform: f64) -> f64 {
    if low >= high {
        return low;
    }
    let (a, b) = ((low - mean) / deviation, (high - mean) / deviation);
    // Both ends in the upper tail lose their difference near 1, so the lower tail of the mirrored distribution is used.
    let mirrored = a > 0.0;
    let (from, to) = if mirrored { (-b, -a) } else { (a, b) };
    let (start, end) = (cdf(from), cdf(to));
    if end - start <= 0.0 {
        // Further out than f64 reaches: all the mass lies at the end nearer to the mean.
        return if mirrored { low } else { high };
    }
    let z = -SQRT_2 * erfc_inv(2.0 * (start + uniform * (end - start)));
    let z = if z.is_finite() { z.clamp(from, to) } else { to };
    (mean + deviation * if mirrored { -z } else { z }).clamp(low, high)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_distribution_and_its_inverse_agree() {
        // scipy.stats.norm.cdf
        for (z, expected) in [(0.0, 0.5), (1.0, 0.841_344_746), (-2.5, 0.006_209_665), (4.0, 0.999_968_329), (1.959_963_985, 0.975)] {
            assert!((cdf(z) - expected).abs() < 1e-9, "{z}: {}", cdf(z));
        }
        for z in [-5.0, -1.0, 0.0, 0.3, 4.0] {
            assert!((quantile(cdf(z)) - z).abs() < 1e-6, "{z}");
        }
        // The mean of the upper half is sqrt(2 / pi).
        assert!((mean_between(0.5, 1.0) - (2.0 / PI).sqrt()).abs() < 1e-6);
    }

    #[test]
    fn truncated_numbers_stay_inside_and_keep_their_shape() {
        let count = 20_000;
        let uniforms = || (0..count).map(|i| (f64::from(i) + 0.5) / f64::from(count));
        for (low, high) in [(0.5, 1.5), (-3.0, -2.0), (3.0, 9.0), (12.0, 12.5), (60.0, 61.0), (1.0, 1.0)] {
            let all: Vec<f64> = uniforms().map(|u| truncated(0.0, 1.0, low, high, u)).collect();
            assert!(all.iter().all(|z| (low..=high).contains(z)), "{low} {high}");
        }
        let mean = uniforms().map(|u| truncated(1.0, 2.0, 3.0, 7.0, u)).sum::<f64>() / f64::from(count);
        let expected = 1.0 + 2.0 * (density(1.0) - density(3.0)) / (cdf(3.0) - cdf(1.0));
        assert!((mean - expected).abs() < 1e-3, "{mean} {expected}");
    }
}
