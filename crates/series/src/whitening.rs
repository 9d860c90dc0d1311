//! Windows as a flow sees them: partly whitened, so that small differences within a window count as much as its level.
//!
//! `z = V diag(s^-a) V' (x - mean) / scale`, where `V diag(s^2) V'` is the covariance of a window's numbers and `a` the amount: 0 only scales, 1
//! makes all numbers uncorrelated and of variance 1. The network of a flow sees `z`; what is known of a window is known of `x`.

use faer::Mat;
use rayon::prelude::*;
use semblant_core::checkpoint::Checkpoint;
use semblant_core::{Error, Result, host};
use semblant_data::series::Windows;

use burn::tensor::Device;
use std::path::Path;

use crate::covariance::{Covariance, rows_of};

/// Windows of more numbers are whitened channel by channel: the decomposition takes the cube of them.
const MOST_JOINT: usize = 2048;
/// No direction is stretched more than if its deviation were this share of the greatest.
const LEAST_SHARE: f64 = 1e-3;

/// Numbers of a window that are whitened together, and the directions in which they are.
#[derive(Debug, Clone, PartialEq)]
pub struct Group {
    /// Where they lie in a window.
    pub places: Vec<usize>,
    /// The eigenvectors of their covariance, a column each.
    pub vectors: Mat<f64>,
    /// The deviation along each; none is less than a thousandth of the greatest.
    pub deviations: Vec<f64>,
    /// `V diag(s^a) V'`.
    back: Mat<f64>,
}

impl Group {
    fn new(places: Vec<usize>, vectors: Mat<f64>, deviations: Vec<f64>, amount: f64) -> Self {
        let back = power(&vectors, &deviations, amount);
        Self { places, vectors, deviations, back }
    }
}

/// `matrix' x`, in an order of sums that does not depend on how many windows there are.
pub(crate) fn product(matrix: &Mat<f64>, x: &[f64]) -> Vec<f64> {
    (0..matrix.ncols()).map(|column| matrix.col(column).iter().zip(x).map(|(weight, x)| weight * x).sum()).collect()
}

/// `V diag(s^exponent) V'`.
fn power(vectors: &Mat<f64>, deviations: &[f64], exponent: f64) -> Mat<f64> {
    let size = deviations.len();
    let stretched = Mat::from_fn(size, size, |i, j| vectors[(i, j)] * deviations[j].powf(exponent));
    stretched * vectors.transpose()
}

/// The way between windows and whitened ones.
#[derive(Debug, Clone, PartialEq)]
pub struct Whitening {
    /// `[length * channels]`.
    pub mean: Vec<f32>,
    /// The deviation of all whitened numbers together before they were divided by it.
    pub scale: f32,
    /// How far windows are whitened.
    pub amount: f64,
    /// All numbers of a window, or those of each channel.
    pub groups: Vec<Group>,
}

impl Whitening {
    /// Whitens windows by `amount`, 0 to 1: the way back, and the whitened windows `[count, length * channels]`.
    ///
    /// # Errors
    /// Windows whose covariance is not finite.
    pub fn fit(windows: &Windows, amount: f64) -> Result<(Self, Vec<f32>)> {
        let Windows { count, length, channels, .. } = *windows;
        let size = length * channels;
        let (mut mean, mut found, mut there) = (vec![0.0; size], Vec::new(), Vec::new());
        for places in groups(length, channels) {
            let rows = Mat::from_fn(count, places.len(), |row, at| windows.values[row * size + places[at]]);
            let Covariance { mean: of_places, centred, vectors, deviations } = Covariance::of(&rows)?;
            places.iter().zip(&of_places).for_each(|(&place, &value)| mean[place] = value as f32);
            let least = LEAST_SHARE * deviations.iter().copied().fold(f64::MIN_POSITIVE, f64::max);
            let deviations: Vec<f64> = deviations.into_iter().map(|deviation| deviation.max(least)).collect();
            there.push((places.clone(), &centred * power(&vectors, &deviations, -amount)));
            found.push(Group::new(places, vectors, deviations, amount));
        }
        let sum: f64 = there
            .iter()
            .map(|(places, z)| (0..count).map(|i| (0..places.len()).map(|j| z[(i, j)].powi(2)).sum::<f64>()).sum::<f64>())
            .sum();
        let scale = (sum / (count * size) as f64).sqrt().max(f64::MIN_POSITIVE);
        let mut values = vec![0.0; count * size];
        for (places, z) in &there {
            for (row, out) in values.chunks_exact_mut(size).enumerate() {
                places.iter().enumerate().for_each(|(j, &place)| out[place] = (z[(row, j)] / scale) as f32);
            }
        }
        Ok((Self { mean, scale: scale as f32, amount, groups: found }, values))
    }

    /// Whitened windows `[count, length * channels]` as they were.
    pub fn undone(&self, values: &[f32]) -> Vec<f64> {
        let size = self.mean.len();
        let window = |z: &[f32]| {
            let mut out: Vec<f64> = self.mean.iter().map(|&mean| f64::from(mean)).collect();
            for group in &self.groups {
                let own: Vec<f64> = group.places.iter().map(|&place| f64::from(z[place])).collect();
                // The matrix is symmetric.
                let x = product(&group.back, &own);
                group.places.iter().zip(x).for_each(|(&place, x)| out[place] += x * f64::from(self.scale));
            }
            out
        };
        values.par_chunks_exact(size).flat_map_iter(window).collect()
    }

    /// Puts it into a model file.
    pub fn write(&self, file: &mut Checkpoint, device: &Device) {
        let mut add = |name: &str, values: &[f32]| file.add_tensor(name, &host::tensor(values.to_vec(), [values.len()], device));
        add("whitening.mean", &self.mean);
        add("whitening.scale", &[self.scale]);
        for (index, group) in self.groups.iter().enumerate() {
            let narrow = |values: &mut dyn Iterator<Item = f64>| values.map(|value| value as f32).collect::<Vec<f32>>();
            add(&format!("whitening.vectors.{index}"), &narrow(&mut rows_of(&group.vectors)));
            add(&format!("whitening.deviations.{index}"), &narrow(&mut group.deviations.iter().copied()));
        }
    }

    /// Takes it out of a model file of windows that are whitened by `amount`.
    ///
    /// # Errors
    /// Tensors that are missing or of another size; `path` is named.
    pub fn read(file: &Checkpoint, length: usize, channels: usize, amount: f64, path: &Path) -> Result<Self> {
        let device = semblant_core::device::select("cpu")?;
        let take = |name: &str, size: usize| {
            let found = file.tensor(name, &device).map(|tensor| host::read(&tensor, <[f32]>::to_vec));
            let wrong = || Error::checkpoint(path, format!("the tensor {name} is missing or has another size; fit the model again"));
            found.filter(|values| values.len() == size && values.iter().all(|value| value.is_finite())).ok_or_else(wrong)
        };
        let group = |(index, places): (usize, Vec<usize>)| {
            let size = places.len();
            let vectors = take(&format!("whitening.vectors.{index}"), size.saturating_mul(size))?;
            let deviations = take(&format!("whitening.deviations.{index}"), size)?;
            let vectors = Mat::from_fn(size, size, |row, column| f64::from(vectors[row * size + column]));
            Ok(Group::new(places, vectors, deviations.into_iter().map(|value| f64::from(value).max(f64::MIN_POSITIVE)).collect(), amount))
        };
        Ok(Self {
            mean: take("whitening.mean", length * channels)?,
            scale: take("whitening.scale", 1)?[0],
            amount,
            groups: groups(length, channels).into_iter().enumerate().map(group).collect::<Result<_>>()?,
        })
    }
}

/// The places in a window `[length, channels]` that are whitened together: all, or those of each channel.
fn groups(length: usize, channels: usize) -> Vec<Vec<usize>> {
    if length * channels <= MOST_JOINT {
        return vec![(0..length * channels).collect()];
    }
    (0..channels).map(|channel| (0..length).map(|row| row * channels + channel).collect()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn windows(count: usize, length: usize, channels: usize) -> Windows {
        let value = |i: usize| ((i * 7919 % 1009) as f64 / 1009.0) + (i / 13) as f64 / 500.0;
        Windows { values: (0..count * length * channels).map(value).collect(), count, length, channels }
    }

    #[test]
    fn windows_come_back_whatever_the_amount() {
        for amount in [0.0, 0.5, 1.0] {
            let windows = windows(90, 4, 3);
            let (whitening, values) = Whitening::fit(&windows, amount).expect("finite");
            let power: f64 = values.iter().map(|&value| f64::from(value).powi(2)).sum::<f64>() / values.len() as f64;
            assert!((power - 1.0).abs() < 1e-5, "{power}");
            for (back, value) in whitening.undone(&values).iter().zip(&windows.values) {
                assert!((back - value).abs() < 2e-4, "{amount}: {back} for {value}");
            }
        }
    }

    /// numpy: np.cov of the whitened windows is the unit matrix for an amount of 1.
    #[test]
    fn whole_whitening_leaves_no_correlation() {
        let (_, values) = Whitening::fit(&windows(500, 2, 2), 1.0).expect("finite");
        for i in 0..4 {
            for j in 0..4 {
                let product: f64 = values.chunks_exact(4).map(|row| f64::from(row[i]) * f64::from(row[j])).sum::<f64>() / 499.0;
                let wanted = if i == j { 500.0 / 499.0 } else { 0.0 };
                assert!((product - wanted).abs() < 1e-3, "{i} {j}: {product}");
            }
        }
    }

    #[test]
    fn long_windows_are_whitened_channel_by_channel() {
        assert_eq!(groups(24, 28).len(), 1);
        let by_channel = groups(1030, 2);
        assert_eq!((by_channel.len(), by_channel[1][..3].to_vec()), (2, vec![1, 3, 5]));
        let windows = windows(30, 1030, 2);
        let (whitening, values) = Whitening::fit(&windows, 0.5).expect("finite");
        let back = whitening.undone(&values);
        let worst = back.iter().zip(&windows.values).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        assert!(worst < 0.01, "{worst}");
    }
}
