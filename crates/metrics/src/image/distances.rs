//! Distances between two sets of features that need no covariance: the kernel distance and the sliced distance.

use burn::tensor::{Device, Tensor};
use faer::linalg::matmul::matmul;
use faer::{Accum, Mat, MatMut, MatRef, Par};
use rayon::prelude::*;
use semblant_core::host;
use semblant_core::seeds::streams::PROJECTIONS;

use super::intervals::{self, kernel_groups};
use crate::Result;
use crate::error::undefined;
use crate::nearest::rows_at;
use crate::random::subsample;
use crate::table::shapes::mean;

/// Subsets of the kernel distance.
pub const KERNEL_SUBSETS: usize = 100;
/// Most features of each set in a subset.
pub const KERNEL_SUBSET_SIZE: usize = 1000;
/// Directions of the sliced distance.
pub const DIRECTIONS: usize = 1000;

/// The kernel distance and its standard deviation over subsets.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct KernelDistance {
    /// Mean over the subsets.
    pub mean: f64,
    /// Standard deviation over the subsets, with `n` and not `n - 1` below, as torch-fidelity prints it.
    pub deviation: f64,
}

/// The kernel distance (KID): the mean of [`polynomial_discrepancy`] over 100 subsets of 1,000 features of either side, or of as many as the
/// smaller has, drawn by `seed`. About 0 for equal distributions, slightly negative by chance; higher is worse; not biased by the number
/// of images. Products are computed in double precision on the CPU and in single on any other `device`. Source: Binkowski et al. 2018, "Demystifying MMD GANs", section 4; subsets as in torch-fidelity.
///
/// # Errors
/// Fewer than two features in a set.
///
/// # Panics
/// When a length is no multiple of `width`.
pub fn kernel_distance(a: &[f32], b: &[f32], width: usize, seed: u64, device: &Device) -> Result<KernelDistance> {
    let size = (a.len() / width).min(b.len() / width).min(KERNEL_SUBSET_SIZE);
    let draw = |subset: usize| {
        let part = |features: &[f32], side: u64| {
            let rows = subsample(features.len() / width, size, seed, (1 << 32) + 2 * subset as u64 + side);
            rows_at(features, width, &rows)
        };
        (part(a, 0), part(b, 1))
    };
    let subsets = 0..KERNEL_SUBSETS;
    let found = if host::is_host(device) {
        let one = |(a, b): (Vec<f32>, Vec<f32>)| polynomial_discrepancy(&a, &b, width);
        subsets.into_par_iter().map(|subset| one(draw(subset))).collect::<Result<Vec<f64>>>()?
    } else {
        let one = |(a, b): (Vec<f32>, Vec<f32>)| discrepancy(&a, &b, width, |a, b| products_on(device, a, b, width));
        subsets.map(|subset| one(draw(subset))).collect::<Result<Vec<f64>>>()?
    };
    let centre = mean(found.iter().copied()).unwrap_or(f64::NAN);
    let variance = mean(found.iter().map(|value| (value - centre) * (value - centre))).unwrap_or(f64::NAN);
    Ok(KernelDistance { mean: centre, deviation: variance.sqrt() })
}

/// Half the width of the 95 % confidence interval of [`kernel_distance`]: by leaving out tenths of at most 2,000 images of each set, drawn by
/// `seed`, in the discrepancy of all of them, brought to the number of images by the root. The deviation over subsets is no such interval: subsets share images, and
/// are smaller than the sets. None with fewer than 30 features in a set.
///
/// # Panics
/// When a length is no multiple of `width`.
pub fn kernel_half_width(a: &[f32], b: &[f32], width: usize, seed: u64, device: &Device) -> Option<f64> {
    let sizes = [a, b].map(|features| features.len() / width);
    let most = sizes[0].min(sizes[1]);
    let groups = [kernel_groups(a, width, most, seed, 72)?, kernel_groups(b, width, most, seed, 73)?];
    let kernel = |product: f64| (product / width as f64 + 1.0).powi(3);
    let square = |row: &[f32]| row.iter().map(|value| f64::from(*value) * f64::from(*value)).sum();
    let between = |x: &[f32], y: &[f32], itself: bool| {
        let found = if host::is_host(device) { products(x, y, width) } else { products_on(device, x, y, width) };
        let own = if itself { x.chunks_exact(width).map(|row| kernel(square(row))).sum() } else { 0.0 };
        found.into_iter().map(kernel).sum::<f64>() - own
    };
    let sums = |x: &[Vec<f32>], y: &[Vec<f32>], within: bool| -> Vec<Vec<f64>> {
        let row = |i: usize| (0..y.len()).map(|j| between(&x[i], &y[j], within && i == j)).collect();
        if host::is_host(device) { (0..x.len()).into_par_iter().map(row).collect() } else { (0..x.len()).map(row).collect() }
    };
    let [of_a, of_b] = &groups;
    let counts = [of_a, of_b].map(|groups| groups.iter().map(|rows| rows.len() / width).collect());
    Some(intervals::kernel_half_width(&[sums(of_a, of_a, true), sums(of_b, of_b, true), sums(of_a, of_b, false)], &counts, sizes))
}

/// The unbiased squared maximum mean discrepancy under `k(x, y) = (x y / width + 1)^3`: the mean of `k` within `a` without a feature and
/// itself, plus that within `b`, less twice that between them. Source: Gretton et al. 2012, equation 3; Binkowski et al. 2018.
///
/// # Errors
/// Fewer than two features in a set.
///
/// # Panics
/// When a length is no multiple of `width`.
pub fn polynomial_discrepancy(a: &[f32], b: &[f32], width: usize) -> Result<f64> {
    discrepancy(a, b, width, |a, b| products(a, b, width))
}

/// [`polynomial_discrepancy`] with the scalar products of all rows of two matrices by `products`.
fn discrepancy(a: &[f32], b: &[f32], width: usize, products: impl Fn(&[f32], &[f32]) -> Vec<f64>) -> Result<f64> {
    let [of_a, of_b] = [a, b].map(|features| (features.len() / width) as f64);
    if of_a < 2.0 || of_b < 2.0 {
        return undefined(format!("a kernel distance needs two images in each set, there are {of_a} and {of_b}"));
    }
    let kernel = |product: f64| (product / width as f64 + 1.0).powi(3);
    let sum = |a: &[f32], b: &[f32]| products(a, b).into_iter().map(kernel).sum::<f64>();
    let within = |x: &[f32], n: f64| {
        let itself = |row: &[f32]| kernel(row.iter().map(|value| f64::from(*value) * f64::from(*value)).sum());
        (sum(x, x) - x.chunks_exact(width).map(itself).sum::<f64>()) / (n * (n - 1.0))
    };
    Ok(within(a, of_a) + within(b, of_b) - 2.0 * sum(a, b) / (of_a * of_b))
}

/// The scalar products of all rows of `a` and `b`, in double precision.
fn products(a: &[f32], b: &[f32], width: usize) -> Vec<f64> {
    let (a, b) = (double(a, width), double(b, width));
    let mut products = vec![0.0; a.ncols() * b.ncols()];
    let out = MatMut::from_column_major_slice_mut(&mut products, a.ncols(), b.ncols());
    matmul(out, Accum::Replace, a.transpose(), b, 1.0, Par::Seq);
    products
}

/// The same on a device.
fn products_on(device: &Device, a: &[f32], b: &[f32], width: usize) -> Vec<f64> {
    let rows = |values: &[f32]| host::tensor(values.to_vec(), [values.len() / width, width], device);
    let products: Tensor<2> = rows(a).matmul(rows(b).transpose()); // [a, b]
    host::read(&products, |products| products.iter().copied().map(f64::from).collect())
}

/// `[n, width]` row-major as columns.
fn double(features: &[f32], width: usize) -> Mat<f64> {
    assert!(features.len().is_multiple_of(width), "whole rows of features");
    let features = MatRef::from_column_major_slice(features, width, features.len() / width);
    Mat::from_fn(width, features.ncols(), |i, j| f64::from(features[(i, j)]))
}

/// The Monge-Inception distance: `3 width` times the mean over 1,000 random directions, drawn by `seed`, of the squared 2-Wasserstein
/// distance between the two clouds on that line, which sorting gives. From 0, lower is better; shifting every feature by `c` costs
/// `3 width c^2`. Source: Berthet et al. 2026, "MIND: Monge Inception Distance for Generative Models Evaluation" (arXiv 2605.06797).
///
/// # Errors
/// No features, or not equally many in both sets: subsample the larger first.
///
/// # Panics
/// When a length is no multiple of `width`.
pub fn sliced_distance(a: &[f32], b: &[f32], width: usize, seed: u64) -> Result<f64> {
    let directions = PROJECTIONS.of(seed).matrix(0..DIRECTIONS as u64, width, |stream, row, out| stream.normals(row, out));
    sliced_along(a, b, width, &directions)
}

/// [`sliced_distance`] along `directions [m, width]`, of any length but 0.
///
/// # Errors
/// As [`sliced_distance`].
///
/// # Panics
/// When a length is no multiple of `width`.
pub fn sliced_along(a: &[f32], b: &[f32], width: usize, directions: &[f32]) -> Result<f64> {
    /// Directions that one task takes on.
    const AT_ONCE: usize = 16;
    if a.len() != b.len() || a.is_empty() {
        return undefined(format!("a sliced distance needs equally many images, there are {} and {}", a.len() / width, b.len() / width));
    }
    let (a, b) = (double(a, width), double(b, width));
    let along = |directions: &[f32]| {
        let mut lines = double(directions, width);
        for line in lines.col_iter_mut() {
            let length = line.norm_l2();
            line.iter_mut().for_each(|value| *value /= length);
        }
        let (a, b) = (sorted(&a, &lines), sorted(&b, &lines));
        a.iter().zip(&b).map(|(a, b)| a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum::<f64>()).collect::<Vec<f64>>()
    };
    // Summed in one order, whatever the number of threads.
    let sums: Vec<f64> = directions.par_chunks(AT_ONCE * width).flat_map_iter(along).collect();
    Ok(3.0 * width as f64 * sums.iter().sum::<f64>() / (sums.len() * a.ncols()) as f64)
}

/// The places of all features along each line, ascending.
fn sorted(features: &Mat<f64>, lines: &Mat<f64>) -> Vec<Vec<f64>> {
    let mut places = Mat::zeros(features.ncols(), lines.ncols());
    matmul(places.as_mut(), Accum::Replace, features.transpose(), lines, 1.0, Par::Seq);
    let sort = |column: faer::ColRef<'_, f64>| {
        let mut values: Vec<f64> = column.iter().copied().collect();
        values.sort_unstable_by(f64::total_cmp);
        values
    };
    places.col_iter().map(sort).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use semblant_core::seeds::Stream;

    fn cloud(seed: u64) -> Vec<f32> {
        Stream::new(seed, 0).matrix(0..400, 6, |stream, row, out| stream.normals(row, out))
    }

    #[test]
    fn products_on_a_device_are_those_of_the_host() {
        let (a, b) = (cloud(0), cloud(1));
        let host = polynomial_discrepancy(&a, &b[..300 * 6], 6).unwrap();
        let device = discrepancy(&a, &b[..300 * 6], 6, |a, b| products_on(&Device::flex(), a, b, 6)).unwrap();
        assert!((host - device).abs() < 1e-6, "{host} {device}");
    }

    #[test]
    fn a_shift_costs_what_it_should_and_equal_clouds_nothing() {
        let (a, b) = (cloud(0), cloud(1));
        let moved: Vec<f32> = a.iter().map(|value| value + 2.0).collect();
        assert_eq!(sliced_distance(&a, &a, 6, 0).unwrap(), 0.0);
        // The mean square of a random unit direction's sum is 1, so each line moves by 2^2 on average.
        let shifted = sliced_distance(&a, &moved, 6, 0).unwrap();
        assert!((shifted / (3.0 * 6.0 * 4.0) - 1.0).abs() < 0.1, "{shifted}");
        let near = kernel_distance(&a, &b, 6, 0, &Device::flex()).unwrap();
        let far = kernel_distance(&a, &moved, 6, 0, &Device::flex()).unwrap();
        assert!(near.mean.abs() < 0.2 && far.mean > 50.0 * near.mean.abs(), "{near:?} {far:?}");
        assert!(sliced_distance(&a, &b[..12], 6, 0).is_err() && polynomial_discrepancy(&a, &b[..6], 6).is_err());
    }

    #[test]
    fn the_interval_holds_the_distance_of_the_populations_about_as_often_as_it_says() {
        let shifted = |seed: u64| cloud(seed).iter().map(|value| value + 0.3).collect::<Vec<f32>>();
        // The mean over many draws stands for the distance of the populations: the estimate has no bias.
        let draws: Vec<(f64, f64)> = (0..60)
            .map(|seed| {
                let (a, b) = (cloud(10 + 2 * seed), shifted(11 + 2 * seed));
                let value = polynomial_discrepancy(&a, &b, 6).unwrap();
                (value, kernel_half_width(&a, &b, 6, 0, &Device::flex()).unwrap())
            })
            .collect();
        let truth = draws.iter().map(|(value, _)| value).sum::<f64>() / 60.0;
        let held = draws.iter().filter(|(value, half)| (value - truth).abs() <= *half).count();
        assert!((52..=60).contains(&held), "{held} of 60");
        let widest = draws.iter().map(|(_, half)| *half).fold(0.0, f64::max);
        assert!(widest < 3.0 * truth, "{widest} {truth}");
        assert_eq!(kernel_half_width(&cloud(0)[..29 * 6], &cloud(1), 6, 0, &Device::flex()), None);
    }

    #[test]
    fn subsets_come_from_the_seed() {
        let (a, b) = (cloud(0).repeat(4), cloud(1).repeat(4));
        let with = |seed| kernel_distance(&a, &b, 6, seed, &Device::flex()).unwrap();
        assert_eq!(with(3), with(3));
        assert!(with(3) != with(4) && with(3).deviation > 0.0);
    }
}
