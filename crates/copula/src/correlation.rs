//! Correlations between normal scores, repaired to a matrix that a normal distribution can have.

use faer::{Mat, Side};
use rayon::prelude::*;
use semblant_core::{Error, Result};

/// No eigenvalue of a repaired matrix lies below this.
const LEAST_EIGENVALUE: f64 = 1e-6;
/// Correlations beyond this are estimates gone wild.
const GREATEST: f64 = 0.999;

/// A symmetric matrix with ones on the diagonal, row after row.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Correlation {
    pub(crate) size: usize,
    pub(crate) values: Vec<f64>,
}

impl Correlation {
    pub(crate) fn at(&self, row: usize, column: usize) -> f64 {
        self.values[row * self.size + column]
    }

    /// The correlations of the latent variables behind these scores, each pair from the rows that have both.
    ///
    /// The score of a label or a repeated number is the mean over its interval, which lies closer to zero than the latent variable did.
    /// To first order, the covariance of two such scores is the latent correlation times both variances, and is divided by them.
    pub(crate) fn of_scores(scores: &[Vec<f64>]) -> Result<Self> {
        let size = scores.len();
        let variance: Vec<f64> = scores.iter().map(|scores| mean(scores.iter().map(|s| s * s))).collect();
        let pairs: Vec<(usize, usize)> = (0..size).flat_map(|row| (0..row).map(move |column| (row, column))).collect();
        let estimates: Vec<f64> = pairs
            .par_iter()
            .map(|&(row, column)| {
                let scale = (variance[row] * variance[column]).sqrt();
                let latent = pearson(&scores[row], &scores[column]) / scale;
                if latent.is_finite() { latent.clamp(-GREATEST, GREATEST) } else { 0.0 }
            })
            .collect();
        let mut values = vec![0.0; size * size];
        (0..size).for_each(|i| values[i * size + i] = 1.0);
        for (&(row, column), &estimate) in pairs.iter().zip(&estimates) {
            values[row * size + column] = estimate;
            values[column * size + row] = estimate;
        }
        Self { size, values }.repaired()
    }

    /// The matrix itself if it is positive definite; else with its eigenvalues raised and its diagonal set back to one.
    fn repaired(self) -> Result<Self> {
        let size = self.size;
        if size == 0 || cholesky(&self, &(0..size).collect::<Vec<_>>()).is_some() {
            return Ok(self);
        }
        let matrix = Mat::from_fn(size, size, |row, column| self.at(row, column));
        let eigen = matrix
            .self_adjoint_eigen(Side::Lower)
            .map_err(|_| Error::Data("the correlations of the columns have no eigenvalues".into()))?;
        let (vectors, eigenvalues) = (eigen.U(), eigen.S());
        let raised = Mat::from_fn(size, size, |row, column| vectors[(row, column)] * eigenvalues[column].max(LEAST_EIGENVALUE).sqrt());
        let product = &raised * raised.transpose();
        let scale: Vec<f64> = (0..size).map(|i| product[(i, i)].sqrt()).collect();
        let entry = |row: usize, column: usize| if row == column { 1.0 } else { product[(row, column)] / (scale[row] * scale[column]) };
        let values = (0..size * size).map(|at| entry(at / size, at % size)).collect();
        Ok(Self { size, values })
    }
}

/// The lower triangle L with L Lᵀ = the matrix with its variables in this order, packed row after row.
pub(crate) fn cholesky(matrix: &Correlation, order: &[usize]) -> Option<Vec<Vec<f64>>> {
    let mut lower: Vec<Vec<f64>> = Vec::with_capacity(order.len());
    for (row, &variable) in order.iter().enumerate() {
        let mut line = Vec::with_capacity(row + 1);
        for column in 0..=row {
            let known: f64 = (0..column).map(|k| line[k] * if column == row { line[k] } else { lower[column][k] }).sum();
            let left = matrix.at(variable, order[column]) - known;
            if column < row {
                line.push(left / lower[column][column]);
            } else if left > 1e-12 {
                line.push(left.sqrt());
            } else {
                return None;
            }
        }
        lower.push(line);
    }
    Some(lower)
}

fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, count) = values.filter(|value| !value.is_nan()).fold((0.0, 0u64), |(sum, count), value| (sum + value, count + 1));
    sum / count as f64
}

fn pearson(left: &[f64], right: &[f64]) -> f64 {
    let both = || left.iter().zip(right).filter(|(l, r)| !l.is_nan() && !r.is_nan());
    let (l_mean, r_mean) = (mean(both().map(|(l, _)| *l)), mean(both().map(|(_, r)| *r)));
    let (mut covariance, mut l_variance, mut r_variance) = (0.0, 0.0, 0.0);
    for (l, r) in both() {
        covariance += (l - l_mean) * (r - r_mean);
        l_variance += (l - l_mean).powi(2);
        r_variance += (r - r_mean).powi(2);
    }
    covariance / (l_variance * r_variance).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_impossible_matrix_is_repaired_and_a_possible_one_left_alone() {
        let impossible = Correlation { size: 3, values: vec![1.0, 0.9, -0.9, 0.9, 1.0, 0.9, -0.9, 0.9, 1.0] };
        let repaired = impossible.repaired().expect("repairable");
        assert!(cholesky(&repaired, &[0, 1, 2]).is_some());
        assert!((0..3).all(|i| repaired.at(i, i) == 1.0) && repaired.at(0, 1) > 0.3 && repaired.at(0, 2) < -0.3);
        let possible = Correlation { size: 2, values: vec![1.0, 0.5, 0.5, 1.0] };
        assert_eq!(possible.clone().repaired().expect("fine"), possible);
    }
}
