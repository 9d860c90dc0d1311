//! Linear models: ridge regression, and logistic regressions of each class against the rest.

use faer::linalg::solvers::Solve;
use faer::{Mat, Side};
use semblant_data::table::Table;

use super::Target;
use super::logistic::{Logistic, LogisticRows, dot};
use super::points::Points;
use crate::Result;
use crate::error::undefined;

/// The weight of the squared coefficients, as in scikit-learn's Ridge and (one over its C) LogisticRegression.
const PENALTY: f64 = 1.0;

/// Classes that a regression of each against the rest is made for.
const MOST_CLASSES: usize = 100;

/// Trains on `train` and predicts `test`: one list of probabilities per class, or one list of numbers.
///
/// # Errors
/// [`crate::Error::Undefined`] where the numbers are too large to solve for, or there are too many classes.
pub(super) fn fit_and_predict(train: &Table, test: &Table, exclude: &str, target: &Target, seed: u64) -> Result<Vec<Vec<f64>>> {
    if matches!(target, Target::Classes { count, .. } if *count > MOST_CLASSES) {
        return undefined(format!("a linear model supports at most {MOST_CLASSES} classes"));
    }
    let (points, values, target) = Points::fit(train, exclude, target, seed);
    match target {
        Target::Values(truth) => {
            let (weights, start) = ridge(&values, points.width(), &truth)?;
            let mut predicted = Vec::with_capacity(test.rows());
            points.of(test, |values, _| predicted.extend(values.chunks_exact(weights.len()).map(|point| start + dot(point, &weights))));
            Ok(vec![predicted])
        }
        Target::Classes { codes, count } => {
            let rows = logistic_rows(values, points.width());
            // With two classes, the second one's odds say everything.
            let asked = if count == 2 { vec![1] } else { (0..count as u32).collect::<Vec<u32>>() };
            let of_class = |&class: &u32| Logistic::fit(&rows, &codes.iter().map(|&code| code == class).collect::<Vec<bool>>());
            let models: Vec<Logistic> = asked.iter().map(of_class).collect();
            let mut shares = vec![Vec::with_capacity(test.rows()); models.len()];
            points.of(test, |values, _| {
                let rows = logistic_rows(values.to_vec(), points.width());
                for (model, shares) in models.iter().zip(&mut shares) {
                    shares.extend(model.scores(&rows).iter().map(|odds| 1.0 / (1.0 + (-odds).exp())));
                }
            });
            Ok(if count == 2 { vec![shares[0].iter().map(|share| 1.0 - share).collect(), shares.remove(0)] } else { normalised(shares) })
        }
    }
}

/// Weights and the constant that minimise `|X w + c - y|^2 + |w|^2`, for points of mean 0.
fn ridge(points: &[f64], width: usize, truth: &[f64]) -> Result<(Vec<f64>, f64)> {
    let start = truth.iter().sum::<f64>() / truth.len() as f64;
    let x = faer::MatRef::from_row_major_slice(points, truth.len(), width);
    let y = Mat::from_fn(truth.len(), 1, |row, _| truth[row] - start);
    let squares = x.transpose() * x + Mat::<f64>::identity(width, width) * faer::Scale(PENALTY);
    let Ok(factor) = squares.llt(Side::Lower) else { return undefined("the numbers are too large for a linear model") };
    let weights = factor.solve(x.transpose() * &y);
    Ok(((0..width).map(|place| weights[(place, 0)]).collect(), start))
}

fn logistic_rows(numbers: Vec<f64>, width: usize) -> LogisticRows {
    let rows = numbers.len() / width.max(1);
    LogisticRows { numbers, labels: Vec::new(), numbers_width: width, labels_width: 0, weights: width, rows }
}

/// Shares that add to 1 in every row.
fn normalised(mut shares: Vec<Vec<f64>>) -> Vec<Vec<f64>> {
    for row in 0..shares[0].len() {
        let sum: f64 = shares.iter().map(|class| class[row]).sum();
        shares.iter_mut().for_each(|class| class[row] /= sum.max(f64::MIN_POSITIVE));
    }
    shares
}

#[cfg(test)]
mod tests {
    use super::*;

    /// X = np.c_[np.sin(np.arange(20)), np.cos(np.arange(20))]; X -= X.mean(0); y = np.arange(20) % 5 + 3 * X[:, 0];
    /// Ridge(alpha=1).fit(X, y), scikit-learn 1.9.
    #[test]
    fn weights_are_those_of_scikit_learn() {
        let columns: [Vec<f64>; 2] = [(0..20).map(|i| f64::from(i).sin()).collect(), (0..20).map(|i| f64::from(i).cos()).collect()];
        let means: Vec<f64> = columns.iter().map(|column| column.iter().sum::<f64>() / 20.0).collect();
        let points: Vec<f64> = (0..20).flat_map(|i| [columns[0][i] - means[0], columns[1][i] - means[1]]).collect();
        let truth: Vec<f64> = (0..20).map(|i| (i % 5) as f64 + 3.0 * points[2 * i]).collect();
        let (weights, start) = ridge(&points, 2, &truth).unwrap();
        for (found, expected) in [weights[0], weights[1], start].iter().zip(GOLDEN) {
            assert!((found - expected).abs() < 1e-9, "{found} and not {expected}");
        }
    }

    const GOLDEN: [f64; 3] = [3.174_412_000_132_01, -0.032_842_194_714_819_24, 2.0];
}
