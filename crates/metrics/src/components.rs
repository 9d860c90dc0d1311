//! Principal components of points.

use faer::{Mat, Side};

/// The mean and the directions of the largest variances of points.
pub(crate) struct Components {
    mean: Vec<f64>,
    /// Unit vectors, `[count, width]`, the largest variance first; the largest entry of each is positive, which fixes the sign.
    pub(crate) directions: Vec<Vec<f64>>,
    pub(crate) variances: Vec<f64>,
}

impl Components {
    /// At most `count` components of `points [n, width]`, row-major; `None` if the points have no finite covariance.
    pub(crate) fn fit(points: &[f64], width: usize, count: usize) -> Option<Self> {
        let rows = points.len() / width;
        let mut mean = vec![0.0; width];
        points.chunks_exact(width).for_each(|point| mean.iter_mut().zip(point).for_each(|(sum, value)| *sum += value / rows as f64));
        let centred = Mat::from_fn(rows, width, |row, column| points[row * width + column] - mean[column]);
        let covariance = (centred.transpose() * &centred) * faer::Scale(1.0 / (rows as f64 - 1.0));
        let eigen = covariance.self_adjoint_eigen(Side::Lower).ok()?;
        // In ascending order.
        let kept = || (0..width).rev().take(count);
        let direction = |place: usize| {
            let vector: Vec<f64> = (0..width).map(|row| eigen.U()[(row, place)]).collect();
            let largest = vector.iter().copied().max_by(|a, b| a.abs().total_cmp(&b.abs())).unwrap_or(1.0);
            vector.into_iter().map(|entry| entry * largest.signum()).collect()
        };
        Some(Self { mean, directions: kept().map(direction).collect(), variances: kept().map(|place| eigen.S()[place]).collect() })
    }

    /// The coordinates of `points [n, width]` along the directions, `[n, count]`.
    pub(crate) fn project(&self, points: &[f64]) -> Vec<f64> {
        let along = |point: &[f64], direction: &[f64]| -> f64 {
            point.iter().zip(&self.mean).zip(direction).map(|((x, mean), d)| (x - mean) * d).sum()
        };
        let rows = points.chunks_exact(self.mean.len());
        rows.flat_map(|point| self.directions.iter().map(move |direction| along(point, direction))).collect()
    }
}
