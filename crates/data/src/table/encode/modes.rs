//! A one-dimensional Gaussian mixture with a Dirichlet-process prior, fitted by variational Bayes (Blei & Jordan 2006; Bishop 2006,
//! section 10.2), from weighted points.
//!
//! One dimension needs only sufficient statistics, so the points are the distinct values, or a fine histogram of them, with their
//! counts: the cost does not grow with the rows. Priors are scikit-learn's defaults, as CTGAN uses them.

use statrs::function::gamma::digamma;

/// One Gaussian of the mixture.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Gaussian {
    /// Its centre.
    pub mean: f64,
    /// Its standard deviation.
    pub std: f64,
    /// Its share, all shares summing to 1.
    pub weight: f64,
}

impl Gaussian {
    /// The logarithm of weight times density at `x`, up to the constant ln sqrt(2 pi).
    pub fn log_density(&self, x: f64) -> f64 {
        let z = (x - self.mean) / self.std;
        self.weight.ln() - self.std.ln() - 0.5 * z * z
    }
}

const WEIGHT_PRIOR: f64 = 0.001;
const LEAST_WEIGHT: f64 = 0.005;
const ITERATIONS: usize = 100;
const TOLERANCE: f64 = 1e-5;
const REGULARISATION: f64 = 1e-6;

/// Points as values with counts, scaled to mean 0 and variance 1 so that no constant below depends on the column's unit.
struct Points {
    values: Vec<f64>,
    counts: Vec<f64>,
}

/// Variational parameters of the components.
struct Posterior {
    /// The two parameters of every stick's beta distribution.
    sticks: Vec<(f64, f64)>,
    mean_precisions: Vec<f64>,
    means: Vec<f64>,
    degrees: Vec<f64>,
    variances: Vec<f64>,
}

/// Fits up to `components` Gaussians to `values` with `counts`, and keeps those with a weight above 0.005.
///
/// The points must be sorted and distinct. Fewer than two of them, or no spread, give one Gaussian.
///
/// # Panics
/// When there are no points.
pub fn fit(values: &[f64], counts: &[f64], components: usize) -> Vec<Gaussian> {
    let greatest = values.iter().fold(0.0, |greatest: f64, value| greatest.max(value.abs()));
    if greatest > 0.0 && !(1e-100..1e100).contains(&greatest) {
        // Squares of such numbers overflow or vanish, so the mixture is fitted to their ratios.
        let ratios: Vec<f64> = values.iter().map(|value| value / greatest).collect();
        let scaled = |gaussian: Gaussian| Gaussian { mean: gaussian.mean * greatest, std: gaussian.std * greatest, ..gaussian };
        return fit(&ratios, counts, components).into_iter().map(scaled).collect();
    }
    let total: f64 = counts.iter().sum();
    let mean = values.iter().zip(counts).map(|(v, c)| v * c).sum::<f64>() / total;
    let std = (values.iter().zip(counts).map(|(v, c)| c * (v - mean).powi(2)).sum::<f64>() / total).sqrt();
    let components = components.min(values.len());
    if !(std > 0.0) || components < 2 {
        let std = if std > 0.0 { std } else { values[0].abs().max(1.0) * 1e-6 };
        return vec![Gaussian { mean, std, weight: 1.0 }];
    }
    let points = Points { values: values.iter().map(|v| (v - mean) / std).collect(), counts: counts.to_vec() };
    let mut responsibilities = k_means(&points, components);
    let mut posterior = maximise(&points, &responsibilities, components);
    let mut before = f64::NEG_INFINITY;
    for _ in 0..ITERATIONS {
        let bound = expect(&points, &posterior, &mut responsibilities) / total;
        posterior = maximise(&points, &responsibilities, components);
        if (bound - before).abs() < TOLERANCE {
            break;
        }
        before = bound;
    }
    let weights = weights(&posterior.sticks);
    let mut kept: Vec<Gaussian> = (0..components)
        .filter(|&k| weights[k] > LEAST_WEIGHT)
        .map(|k| Gaussian { mean: posterior.means[k] * std + mean, std: posterior.variances[k].sqrt() * std, weight: weights[k] })
        .collect();
    kept.sort_by(|a, b| a.mean.total_cmp(&b.mean));
    let sum: f64 = kept.iter().map(|gaussian| gaussian.weight).sum();
    kept.iter_mut().for_each(|gaussian| gaussian.weight /= sum);
    kept
}

/// Hard responsibilities `[points * components]` of a k-means started at equal-mass quantiles: no randomness, and in one dimension
/// a good start.
fn k_means(points: &Points, components: usize) -> Vec<f64> {
    let total: f64 = points.counts.iter().sum();
    let mut centres = Vec::with_capacity(components);
    let mut passed = 0.0;
    for (value, count) in points.values.iter().zip(&points.counts) {
        passed += count;
        while centres.len() < components && passed >= total * (centres.len() as f64 + 0.5) / components as f64 {
            centres.push(*value);
        }
    }
    centres.dedup();
    let mut nearest = vec![0; points.values.len()];
    for _ in 0..30 {
        for (slot, value) in nearest.iter_mut().zip(&points.values) {
            *slot = (0..centres.len()).min_by(|&a, &b| (value - centres[a]).abs().total_cmp(&(value - centres[b]).abs())).unwrap_or(0);
        }
        let mut sums = vec![(0.0, 0.0); centres.len()];
        for ((&k, value), count) in nearest.iter().zip(&points.values).zip(&points.counts) {
            sums[k].0 += value * count;
            sums[k].1 += count;
        }
        let moved: Vec<f64> = centres.iter().zip(&sums).map(|(old, (sum, count))| if *count > 0.0 { sum / count } else { *old }).collect();
        if moved == centres {
            break;
        }
        centres = moved;
    }
    let mut responsibilities = vec![0.0; points.values.len() * components];
    for (row, k) in nearest.into_iter().enumerate() {
        responsibilities[row * components + k] = 1.0;
    }
    responsibilities
}

/// The variational M step (Bishop 10.60 to 10.63, with stick-breaking weights).
fn maximise(points: &Points, responsibilities: &[f64], components: usize) -> Posterior {
    let mut mass = vec![10.0 * f64::EPSILON; components];
    let mut first = vec![0.0; components];
    let mut second = vec![0.0; components];
    for ((value, count), row) in points.values.iter().zip(&points.counts).zip(responsibilities.chunks_exact(components)) {
        for k in 0..components {
            let r = row[k] * count;
            mass[k] += r;
            first[k] += r * value;
            second[k] += r * value * value;
        }
    }
    let mut posterior =
        Posterior { sticks: Vec::new(), mean_precisions: Vec::new(), means: Vec::new(), degrees: Vec::new(), variances: Vec::new() };
    for k in 0..components {
        let mean = first[k] / mass[k];
        let variance = (second[k] / mass[k] - mean * mean).max(0.0) + REGULARISATION;
        let after: f64 = mass[k + 1..].iter().sum();
        let degrees = 1.0 + mass[k];
        let mean_precision = 1.0 + mass[k];
        posterior.sticks.push((1.0 + mass[k], WEIGHT_PRIOR + after));
        posterior.mean_precisions.push(mean_precision);
        // The prior mean is the data's mean, 0 here, and the prior variance the data's, 1 here.
        posterior.means.push(first[k] / mean_precision);
        posterior.degrees.push(degrees);
        posterior.variances.push((1.0 + mass[k] * (variance + mean * mean / mean_precision)) / degrees);
    }
    posterior
}

/// The variational E step: fills the responsibilities and gives the log-likelihood-like bound used to see convergence.
fn expect(points: &Points, posterior: &Posterior, responsibilities: &mut [f64]) -> f64 {
    let components = posterior.means.len();
    let mut log_weight_before = 0.0;
    let constants: Vec<f64> = (0..components)
        .map(|k| {
            let (a, b) = posterior.sticks[k];
            let log_weight = digamma(a) - digamma(a + b) + log_weight_before;
            log_weight_before += digamma(b) - digamma(a + b);
            let degrees = posterior.degrees[k];
            let log_precision = std::f64::consts::LN_2 + digamma(0.5 * degrees) - degrees.ln();
            log_weight + 0.5 * (log_precision - posterior.variances[k].ln() - 1.0 / posterior.mean_precisions[k])
        })
        .collect();
    let mut bound = 0.0;
    for ((value, count), row) in points.values.iter().zip(&points.counts).zip(responsibilities.chunks_exact_mut(components)) {
        let mut greatest = f64::NEG_INFINITY;
        for k in 0..components {
            row[k] = constants[k] - 0.5 * (value - posterior.means[k]).powi(2) / posterior.variances[k];
            greatest = greatest.max(row[k]);
        }
        let mut sum = 0.0;
        for r in row.iter_mut() {
            *r = (*r - greatest).exp();
            sum += *r;
        }
        row.iter_mut().for_each(|r| *r /= sum);
        bound += count * (greatest + sum.ln());
    }
    bound
}

/// The expected weight of every component under its stick.
fn weights(sticks: &[(f64, f64)]) -> Vec<f64> {
    let mut left = 1.0;
    let weights: Vec<f64> = sticks
        .iter()
        .map(|(a, b)| {
            let weight = left * a / (a + b);
            left *= b / (a + b);
            weight
        })
        .collect();
    let sum: f64 = weights.iter().sum();
    weights.into_iter().map(|weight| weight / sum).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use semblant_core::seeds::Stream;

    fn sorted(mut values: Vec<f64>) -> (Vec<f64>, Vec<f64>) {
        values.sort_by(f64::total_cmp);
        let counts = vec![1.0; values.len()];
        (values, counts)
    }

    #[test]
    fn three_clear_clusters_are_found() {
        let noise = Stream::new(0, 0).matrix(0..1, 3000, Stream::normals);
        let cluster = |i: usize| [(-50.0, 1.0), (0.0, 3.0), (200.0, 10.0)][i % 3];
        let (values, counts) = sorted(noise.iter().enumerate().map(|(i, z)| cluster(i).0 + cluster(i).1 * f64::from(*z)).collect());
        let found = fit(&values, &counts, 10);
        for (mean, std) in [(-50.0, 1.0), (0.0, 3.0), (200.0, 10.0)] {
            let near: Vec<_> = found.iter().filter(|g| (g.mean - mean).abs() < 3.0 * std).collect();
            let weight: f64 = near.iter().map(|g| g.weight).sum();
            assert!((weight - 1.0 / 3.0).abs() < 0.02, "{found:?}");
        }
    }

    #[test]
    fn counts_stand_for_repeated_points() {
        let once = fit(&[0.0, 1.0, 5.0, 6.0], &[1.0, 1.0, 1.0, 1.0], 4);
        let often = fit(&[0.0, 1.0, 5.0, 6.0], &[500.0, 500.0, 500.0, 500.0], 4);
        assert!((once.iter().map(|g| g.weight).sum::<f64>() - 1.0).abs() < 1e-12);
        assert!(often.len() >= 2, "much data outweighs the prior: {often:?}");
    }

    #[test]
    fn no_spread_gives_one_gaussian() {
        let found = fit(&[7.0], &[100.0], 10);
        assert_eq!((found.len(), found[0].mean), (1, 7.0));
        assert!(found[0].std > 0.0);
    }
}
