//! Similarity of images in pairs, such as restored images and their originals.

mod lpips;

pub use lpips::{Backbone, Lpips, LpipsProvenance};

use semblant_data::image::Images;

use crate::error::undefined;
use crate::{Error, Result};

/// Side of the window, in pixels.
const WINDOW: usize = 11;
/// Standard deviation of its weights, in pixels.
const SIGMA: f64 = 1.5;

/// Peak signal-to-noise ratio of each image of `b` to that of `a` in the same place: `10 log10(255^2 / mean squared difference)`, in decibels.
/// Higher is better; infinite for equal images.
///
/// # Errors
/// [`Error::Images`] when the two differ in shape.
pub fn psnr(a: &Images, b: &Images) -> Result<Vec<f64>> {
    check(a, b)?;
    let of = |image: usize| {
        let squares: u64 = a.pixels_of(image).iter().zip(b.pixels_of(image)).map(|(&a, &b)| u64::from(a.abs_diff(b)).pow(2)).sum();
        10.0 * (255.0 * 255.0 * a.bytes_of_one() as f64 / squares as f64).log10()
    };
    Ok((0..a.count()).map(of).collect())
}

/// Structural similarity of each image of `b` to that of `a` in the same place: the mean over all windows of 11 x 11 pixels that lie within the
/// image, weighted by a Gaussian of deviation 1.5, and over channels, with constants 0.01 and 0.03.
///
/// Range -1 to 1, higher is better; 1 for equal images. Source: Wang et al. 2004, "Image quality assessment: from error visibility to
/// structural similarity", equation 13.
///
/// # Errors
/// [`Error::Images`] when the two differ in shape; [`Error::Undefined`] when a side has fewer than 11 pixels.
pub fn ssim(a: &Images, b: &Images) -> Result<Vec<f64>> {
    check(a, b)?;
    if a.height() < WINDOW || a.width() < WINDOW {
        return undefined(format!(
            "structural similarity needs {WINDOW} x {WINDOW} pixels, the images have {} x {}",
            a.height(),
            a.width()
        ));
    }
    let plane = a.height() * a.width();
    let of = |image: usize| {
        let planes = a.pixels_of(image).chunks_exact(plane).zip(b.pixels_of(image).chunks_exact(plane));
        planes.map(|(one, other)| of_plane(one, other, a.height(), a.width())).sum::<f64>() / a.channels() as f64
    };
    Ok((0..a.count()).map(of).collect())
}

fn check(a: &Images, b: &Images) -> Result<()> {
    if a.shape() == b.shape() {
        return Ok(());
    }
    let what = format!("images of shapes {:?} and {:?} cannot be paired; give equally many images of one size", a.shape(), b.shape());
    Err(Error::Images(what))
}

fn of_plane(a: &[u8], b: &[u8], height: usize, width: usize) -> f64 {
    let [a, b] = [a, b].map(|plane| plane.iter().map(|&byte| f64::from(byte)).collect::<Vec<f64>>());
    let product = |x: &[f64], y: &[f64]| windows(&x.iter().zip(y).map(|(x, y)| x * y).collect::<Vec<f64>>(), height, width);
    let (mean_a, mean_b) = (windows(&a, height, width), windows(&b, height, width));
    let (square_a, square_b, both) = (product(&a, &a), product(&b, &b), product(&a, &b));
    let (c1, c2) = ((0.01 * 255.0_f64).powi(2), (0.03 * 255.0_f64).powi(2));
    let similarity = |window: usize| {
        let (x, y) = (mean_a[window], mean_b[window]);
        let spread = square_a[window] - x * x + square_b[window] - y * y;
        (2.0 * x * y + c1) * (2.0 * (both[window] - x * y) + c2) / ((x * x + y * y + c1) * (spread + c2))
    };
    (0..mean_a.len()).map(similarity).sum::<f64>() / mean_a.len() as f64
}

/// The weighted mean of every window within the plane, along rows and then along columns.
fn windows(plane: &[f64], height: usize, width: usize) -> Vec<f64> {
    let middle = (WINDOW / 2) as f64;
    let mut weights: [f64; WINDOW] = std::array::from_fn(|place| (-(place as f64 - middle).powi(2) / (2.0 * SIGMA * SIGMA)).exp());
    let sum: f64 = weights.iter().sum();
    weights.iter_mut().for_each(|weight| *weight /= sum);
    let (down, across) = (height - WINDOW + 1, width - WINDOW + 1);
    let row = |values: &[f64]| -> Vec<f64> {
        values.windows(WINDOW).map(|window| window.iter().zip(&weights).map(|(value, weight)| value * weight).sum()).collect()
    };
    let rows: Vec<Vec<f64>> = plane.chunks_exact(width).map(row).collect(); // [height, across]
    let at = |place: usize| weights.iter().enumerate().map(|(shift, weight)| weight * rows[place / across + shift][place % across]).sum();
    (0..down * across).map(at).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn images(of: impl Fn(usize, usize) -> usize) -> Images {
        let pixels = (0..16 * 14).map(|place| of(place / 14, place % 14) as u8).collect();
        Images::new(pixels, [1, 1, 16, 14], None).unwrap()
    }

    /// i, j = np.mgrid[0:16, 0:14]; a = (i * 37 + j * 11) % 256; b = np.minimum(a + (i * j) % 23, 255); the formulas with
    /// scipy.ndimage.gaussian_filter(., 1.5, truncate=3.5), five pixels cut off all around: what scikit-image's structural_similarity does
    /// with gaussian_weights=True, sigma=1.5, use_sample_covariance=False.
    #[test]
    fn scores_are_those_of_scipy() {
        let a = images(|i, j| (i * 37 + j * 11) % 256);
        let b = images(|i, j| ((i * 37 + j * 11) % 256 + i * j % 23).min(255));
        assert!((ssim(&a, &b).unwrap()[0] - GOLDEN_SSIM).abs() < 1e-9, "{:?}", ssim(&a, &b));
        assert!((psnr(&a, &b).unwrap()[0] - GOLDEN_PSNR).abs() < 1e-9, "{:?}", psnr(&a, &b));
    }

    const GOLDEN_SSIM: f64 = 0.991387589423304;
    const GOLDEN_PSNR: f64 = 26.838970420043367;

    #[test]
    fn equal_images_are_ideal_and_others_are_named() {
        let a = images(|i, j| i * j);
        assert!((ssim(&a, &a).unwrap()[0] - 1.0).abs() < 1e-12 && psnr(&a, &a).unwrap()[0].is_infinite());
        // Every pixel off by one of 255.
        assert!((psnr(&a, &images(|i, j| i * j + 1)).unwrap()[0] - 20.0 * 255.0_f64.log10()).abs() < 1e-9);
        let small = Images::new(vec![0; 100], [1, 1, 10, 10], None).unwrap();
        assert!(matches!(ssim(&small, &small), Err(Error::Undefined(_))) && matches!(psnr(&a, &small), Err(Error::Images(_))));
    }
}
