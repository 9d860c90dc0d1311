//! The Frechet distance between two clouds of features (Dowson and Landau 1982; Heusel et al. 2017 for images).

use faer::{Mat, Side};
use semblant_data::image::Images;

use super::extractor::FeatureExtractor;
use crate::{Error, Result};

/// Count, mean and covariance of features, gathered in double precision, a batch at a time.
#[derive(Debug, Clone, PartialEq)]
pub struct Moments {
    count: u64,
    width: usize,
    sum: Vec<f64>,
    /// The lower triangle of the sum of products, row by row.
    products: Vec<f64>,
}

impl Moments {
    /// Of no features yet, each `width` numbers.
    pub fn new(width: usize) -> Self {
        Self { count: 0, width, sum: vec![0.0; width], products: vec![0.0; width * (width + 1) / 2] }
    }

    /// Of `features [n, width]`, row-major.
    ///
    /// # Panics
    /// When the length is no multiple of `width`.
    pub fn of(features: &[f32], width: usize) -> Self {
        let mut moments = Self::new(width);
        moments.add(features);
        moments
    }

    /// Adds `features [n, width]`, row-major.
    ///
    /// # Panics
    /// When the length is no multiple of the width.
    pub fn add(&mut self, features: &[f32]) {
        assert!(features.len().is_multiple_of(self.width), "whole rows of features");
        for row in features.chunks_exact(self.width) {
            self.count += 1;
            let mut products = self.products.as_mut_slice();
            for (i, &a) in row.iter().enumerate() {
                let a = f64::from(a);
                self.sum[i] += a;
                let (line, rest) = products.split_at_mut(i + 1);
                line.iter_mut().zip(row).for_each(|(product, &b)| *product += a * f64::from(b));
                products = rest;
            }
        }
    }

    /// Adds the features of `other`.
    ///
    /// # Panics
    /// When the widths differ.
    pub fn join(&mut self, other: &Self) {
        assert_eq!(self.width, other.width, "features of one width");
        self.count += other.count;
        self.sum.iter_mut().zip(&other.sum).for_each(|(sum, more)| *sum += more);
        self.products.iter_mut().zip(&other.products).for_each(|(sum, more)| *sum += more);
    }

    /// How many features there are.
    pub fn count(&self) -> u64 {
        self.count
    }

    fn mean(&self) -> Vec<f64> {
        self.sum.iter().map(|sum| sum / self.count as f64).collect()
    }

    /// Unbiased, as `numpy.cov` gives it.
    fn covariance(&self) -> Mat<f64> {
        let (mean, count) = (self.mean(), self.count as f64);
        Mat::from_fn(self.width, self.width, |i, j| {
            let (row, column) = (i.max(j), i.min(j));
            (self.products[row * (row + 1) / 2 + column] - count * mean[i] * mean[j]) / (count - 1.0)
        })
    }
}

/// The moments of the features of `images`, a few images at a time: no more than one set of features is in memory, however many images
/// there are.
///
/// # Errors
/// As [`FeatureExtractor::extract`].
pub fn moments_of(extractor: &dyn FeatureExtractor, images: &Images) -> Result<Moments> {
    let mut moments = Moments::new(extractor.width());
    extractor.extract(images, &mut |features, _| moments.add(features)).map_err(|error| Error::Images(error.to_string()))?;
    Ok(moments)
}

/// `|mu_a - mu_b|^2 + tr(A + B - 2 (A B)^(1/2))`. The trace of the root comes from the eigenvalues of `A^(1/2) B A^(1/2)`, which are those
/// of `A B`, so no complex number appears and nothing needs to be added to the diagonals.
///
/// # Errors
/// Fewer than two features in a set, different widths, or features that are not finite.
pub fn frechet_distance(a: &Moments, b: &Moments) -> Result<f64> {
    let refuse = |what: String| Err(Error::Undefined(what));
    if a.count < 2 || b.count < 2 {
        return refuse(format!("a Frechet distance needs two images in each set, there are {} and {}", a.count, b.count));
    }
    if a.width != b.width {
        return refuse(format!("features of width {} and {} cannot be compared", a.width, b.width));
    }
    let apart: f64 = a.mean().iter().zip(b.mean()).map(|(a, b)| (a - b) * (a - b)).sum();
    let (a, b) = (a.covariance(), b.covariance());
    let Ok(eigen) = a.self_adjoint_eigen(Side::Lower) else { return refuse("the features are not finite".into()) };
    let (vectors, values) = (eigen.U(), eigen.S());
    let root = Mat::from_fn(a.nrows(), a.nrows(), |i, j| vectors[(i, j)] * values[j].max(0.0).sqrt()) * vectors.transpose();
    let Ok(product) = (&root * &b * &root).self_adjoint_eigenvalues(Side::Lower) else {
        return refuse("the features are not finite".into());
    };
    let trace = |m: &Mat<f64>| (0..m.nrows()).map(|i| m[(i, i)]).sum::<f64>();
    let distance = apart + trace(&a) + trace(&b) - 2.0 * product.iter().map(|value| value.max(0.0).sqrt()).sum::<f64>();
    if distance.is_finite() { Ok(distance) } else { refuse("the features are not finite".into()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// numpy 2, scipy 1: x = np.cos(np.arange(24)).reshape(8, 3); y = np.sin(2 * np.arange(30)).reshape(10, 3) * [1, 2, .5] + [0, .3, 0];
    /// (m, s) = mean and np.cov(rowvar=False) of both; ((m1-m2)**2).sum() + np.trace(s1 + s2 - 2 * scipy.linalg.sqrtm(s1 @ s2).real)
    #[test]
    fn distance_is_that_of_scipy() {
        let x: Vec<f32> = (0..24).map(|i| f64::from(i).cos() as f32).collect();
        let scale = [1.0, 2.0, 0.5];
        let y: Vec<f32> =
            (0..30).map(|i| ((2.0 * f64::from(i)).sin() * scale[i as usize % 3] + [0.0, 0.3, 0.0][i as usize % 3]) as f32).collect();
        let distance = frechet_distance(&Moments::of(&x, 3), &Moments::of(&y, 3)).unwrap();
        assert!((distance - GOLDEN).abs() < 1e-6 * GOLDEN, "{distance}");
    }

    const GOLDEN: f64 = 2.8985087884089826;

    #[test]
    fn equal_clouds_are_at_no_distance_and_a_shift_counts_squared() {
        let x: Vec<f32> = (0..300).map(|i| ((i * i) % 17) as f32 / 5.0).collect();
        let moved: Vec<f32> = x.iter().map(|x| x + 2.0).collect();
        let (x, moved) = (Moments::of(&x, 3), Moments::of(&moved, 3));
        assert!(frechet_distance(&x, &x).unwrap().abs() < 1e-9);
        assert!((frechet_distance(&x, &moved).unwrap() - 12.0).abs() < 1e-4);
        assert!(frechet_distance(&x, &Moments::new(3)).is_err());
    }
}
