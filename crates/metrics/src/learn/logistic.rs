//! Logistic regression on numbers and labels, by limited-memory BFGS.

use rayon::prelude::*;

/// Rows of numbers and of labels, the labels by the place of their weight.
#[derive(Debug, Clone)]
pub(crate) struct LogisticRows {
    /// `[rows, numbers]`, row-major.
    pub(crate) numbers: Vec<f64>,
    /// `[rows, labels]`, row-major: places from `numbers` on.
    pub(crate) labels: Vec<u32>,
    pub(crate) numbers_width: usize,
    pub(crate) labels_width: usize,
    /// Weights in all, the numbers' first.
    pub(crate) weights: usize,
    pub(crate) rows: usize,
}

/// Weights, and behind them the intercept.
#[derive(Debug, Clone)]
pub(crate) struct Logistic(Vec<f64>);

/// Rows that one task sums.
const PART: usize = 2048;
/// Steps that the curvature is estimated from.
const MEMORY: usize = 10;
const MOST_ITERATIONS: usize = 300;
/// Of the gradient's largest entry, a row.
const TOLERANCE: f64 = 1e-8;

impl Logistic {
    /// Minimises `|weights|^2 / 2 + sum of log losses`, the intercept free: scikit-learn's objective with C = 1.
    ///
    /// # Panics
    /// When there is not one label a row.
    pub(crate) fn fit(rows: &LogisticRows, positive: &[bool]) -> Self {
        assert_eq!(rows.rows, positive.len(), "one label a row");
        let mut x = vec![0.0; rows.weights + 1];
        let (mut value, mut gradient) = loss(rows, positive, &x);
        let mut steps: Vec<(Vec<f64>, Vec<f64>)> = Vec::new();
        for _ in 0..MOST_ITERATIONS {
            if gradient.iter().fold(0.0, |largest: f64, entry| largest.max(entry.abs())) <= TOLERANCE * rows.rows as f64 {
                break;
            }
            let direction = descent(&gradient, &steps);
            let slope = dot(&direction, &gradient);
            let mut length = if steps.is_empty() { 1.0 / dot(&gradient, &gradient).sqrt() } else { 1.0 };
            let next = loop {
                let moved: Vec<f64> = x.iter().zip(&direction).map(|(x, d)| x + length * d).collect();
                let found = loss(rows, positive, &moved);
                if found.0 <= value + 1e-4 * length * slope {
                    break Some((moved, found));
                }
                length *= 0.5;
                // Rounding forbids further descent.
                if length < 1e-12 {
                    break None;
                }
            };
            let Some((moved, found)) = next else { break };
            let step: Vec<f64> = moved.iter().zip(&x).map(|(a, b)| a - b).collect();
            let change: Vec<f64> = found.1.iter().zip(&gradient).map(|(a, b)| a - b).collect();
            if dot(&step, &change) > 1e-12 * dot(&change, &change) {
                steps.push((step, change));
                if steps.len() > MEMORY {
                    steps.remove(0);
                }
            }
            (x, (value, gradient)) = (moved, found);
        }
        Self(x)
    }

    /// Log odds of each row.
    pub(crate) fn scores(&self, rows: &LogisticRows) -> Vec<f64> {
        (0..rows.rows).map(|row| odds(rows, row, &self.0)).collect()
    }
}

fn odds(rows: &LogisticRows, row: usize, x: &[f64]) -> f64 {
    let numbers = &rows.numbers[row * rows.numbers_width..(row + 1) * rows.numbers_width];
    let labels = &rows.labels[row * rows.labels_width..(row + 1) * rows.labels_width];
    dot(numbers, &x[..rows.numbers_width]) + labels.iter().map(|&place| x[place as usize]).sum::<f64>() + x[rows.weights]
}

/// The objective and its gradient; parts are summed in one order, whatever the number of threads.
fn loss(rows: &LogisticRows, positive: &[bool], x: &[f64]) -> (f64, Vec<f64>) {
    let part = |part: usize| {
        let (mut value, mut gradient) = (0.0, vec![0.0; x.len()]);
        for row in part * PART..((part + 1) * PART).min(rows.rows) {
            let odds = odds(rows, row, x);
            let signed = if positive[row] { -odds } else { odds };
            // ln(1 + e^s), without overflow.
            value += signed.max(0.0) + (-signed.abs()).exp().ln_1p();
            let residual = 1.0 / (1.0 + (-odds).exp()) - f64::from(u8::from(positive[row]));
            let numbers = &rows.numbers[row * rows.numbers_width..(row + 1) * rows.numbers_width];
            gradient.iter_mut().zip(numbers).for_each(|(slot, number)| *slot += residual * number);
            rows.labels[row * rows.labels_width..(row + 1) * rows.labels_width]
                .iter()
                .for_each(|&place| gradient[place as usize] += residual);
            gradient[rows.weights] += residual;
        }
        (value, gradient)
    };
    let parts: Vec<(f64, Vec<f64>)> = (0..rows.rows.div_ceil(PART)).into_par_iter().map(part).collect();
    let weights = &x[..rows.weights];
    let mut value = 0.5 * dot(weights, weights);
    let mut gradient = weights.to_vec();
    gradient.push(0.0);
    for (of_part, slopes) in parts {
        value += of_part;
        gradient.iter_mut().zip(slopes).for_each(|(sum, slope)| *sum += slope);
    }
    (value, gradient)
}

/// The direction of two-loop L-BFGS (Nocedal 1980).
fn descent(gradient: &[f64], steps: &[(Vec<f64>, Vec<f64>)]) -> Vec<f64> {
    let mut direction: Vec<f64> = gradient.iter().map(|entry| -entry).collect();
    let add = |to: &mut Vec<f64>, factor: f64, of: &[f64]| to.iter_mut().zip(of).for_each(|(a, b)| *a += factor * b);
    let mut factors = Vec::new();
    for (step, change) in steps.iter().rev() {
        let factor = dot(step, &direction) / dot(step, change);
        add(&mut direction, -factor, change);
        factors.push(factor);
    }
    if let Some((step, change)) = steps.last() {
        let scale = dot(step, change) / dot(change, change);
        direction.iter_mut().for_each(|entry| *entry *= scale);
    }
    for ((step, change), factor) in steps.iter().zip(factors.into_iter().rev()) {
        let correction = factor - dot(change, &direction) / dot(step, change);
        add(&mut direction, correction, step);
    }
    direction
}

pub(super) fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// x = np.sin(np.arange(40)), c = np.arange(40) % 3, y = (np.arange(40) * 7 % 5 < 2) ^ (x > 0.5);
    /// LogisticRegression(tol=1e-12, max_iter=10000).fit(np.c_[x, np.eye(3)[c]], y), scikit-learn 1.9.
    #[test]
    fn weights_are_those_of_scikit_learn() {
        let x: Vec<f64> = (0..40).map(|i| f64::from(i).sin()).collect();
        let positive: Vec<bool> = (0..40).map(|i| (i * 7 % 5 < 2) ^ (x[i] > 0.5)).collect();
        let labels = (0..40).map(|i| 1 + i % 3).collect();
        let rows = LogisticRows { numbers: x, labels, numbers_width: 1, labels_width: 1, weights: 4, rows: 40 };
        let Logistic(found) = Logistic::fit(&rows, &positive);
        for (found, expected) in found.iter().zip(GOLDEN) {
            assert!((found - expected).abs() < 1e-6, "{found} and not {expected}");
        }
    }

    const GOLDEN: [f64; 5] = [0.6681199224918729, -0.17156576788424394, -0.033950668463982564, 0.20551643832486338, 0.19867172008102096];
}
