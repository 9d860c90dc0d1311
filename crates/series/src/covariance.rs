//! The covariance of rows of numbers, and powers of its symmetric root.

use faer::{Mat, Side};
use semblant_core::{Error, Result};

/// Mean and covariance of the rows of a matrix, the latter by its eigenvectors.
pub(crate) struct Covariance {
    /// `[columns]`.
    pub(crate) mean: Vec<f64>,
    /// The rows less the mean, `[rows, columns]`.
    pub(crate) centred: Mat<f64>,
    /// The eigenvectors, a column each.
    pub(crate) vectors: Mat<f64>,
    /// The deviation along each of them.
    pub(crate) deviations: Vec<f64>,
}

impl Covariance {
    /// That of the rows of a matrix.
    ///
    /// # Errors
    /// Numbers without bound.
    pub(crate) fn of(rows: &Mat<f64>) -> Result<Self> {
        let (count, size) = (rows.nrows(), rows.ncols());
        let mean: Vec<f64> = (0..size).map(|at| (0..count).map(|row| rows[(row, at)]).sum::<f64>() / count as f64).collect();
        let centred = Mat::from_fn(count, size, |row, at| rows[(row, at)] - mean[at]);
        let covariance = centred.transpose() * &centred / faer::Scale((count as f64 - 1.0).max(1.0));
        let eigen = covariance.self_adjoint_eigen(Side::Lower).map_err(|_| unbounded())?;
        let deviations = eigen.S().column_vector().iter().map(|value| value.max(0.0).sqrt()).collect();
        Ok(Self { mean, centred, vectors: eigen.U().to_owned(), deviations })
    }

    /// `V diag(f(deviation)) V'`, `V` being the eigenvectors: a root of the covariance where `f` is the identity.
    pub(crate) fn mapped(&self, f: impl Fn(f64) -> f64) -> Mat<f64> {
        let size = self.deviations.len();
        let stretched = Mat::from_fn(size, size, |i, j| self.vectors[(i, j)] * f(self.deviations[j]));
        stretched * self.vectors.transpose()
    }
}

/// The numbers of a matrix, row after row.
pub(crate) fn rows_of(matrix: &Mat<f64>) -> impl Iterator<Item = f64> + '_ {
    (0..matrix.nrows()).flat_map(move |row| (0..matrix.ncols()).map(move |column| matrix[(row, column)]))
}

pub(crate) fn unbounded() -> Error {
    Error::Data("the windows have no finite covariance; look for values without bound".into())
}
