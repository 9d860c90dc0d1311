//! The power of images by spatial frequency: whether they are smoother or noisier than real ones.

use rayon::prelude::*;
use semblant_data::image::Images;
use serde::{Deserialize, Serialize};

use crate::Result;
use crate::bootstrap::Estimate;
use crate::error::undefined;
use crate::random::subsample;

/// Bands of equal width up to half a cycle per pixel; the last has the corners of the plane, too.
pub const BANDS: usize = 8;
/// The band from which on detail is fine: a quarter of a cycle per pixel, so structures of up to four pixels.
pub const FINE: usize = BANDS / 2;
/// Sides of the central part of larger images, whose power is computed.
const SIDE: usize = 256;
/// Most images of a set, and multiplications for all of them.
const MOST: usize = 4_000;
const WORK: usize = 1 << 33;

/// The mean power of images, by frequency.
#[derive(Debug, Clone, PartialEq)]
pub struct Spectrum {
    /// The images, ascending.
    images: Vec<usize>,
    /// Of each of them, in each band.
    powers: Vec<[f64; BANDS]>,
}

/// The power of one set of images over that of another.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PowerRatio {
    /// In each band; none where the other set has no power.
    pub bands: [Option<Estimate>; BANDS],
    /// Of all bands from [`FINE`] on.
    pub fine: Option<Estimate>,
}

impl PowerRatio {
    /// Of the last band, in which images have the least power, so that noise shows most.
    pub fn finest(&self) -> Option<Estimate> {
        self.bands[BANDS - 1]
    }
}

impl Spectrum {
    /// Of at most 4,000 images, drawn by `seed` and `purpose`, fewer of large ones; of images above 256 x 256 pixels the central part. Each channel less its mean
    /// is multiplied with a Hann window (Welch 1967), so that the margins do not count as edges; the squares of its Fourier transform are
    /// summed by the distance from frequency 0 and averaged over channels.
    ///
    /// # Errors
    /// Images of fewer than eight rows or columns, or fewer than two images.
    pub fn of(images: &Images, seed: u64, purpose: u64) -> Result<Self> {
        let [_, channels, height, width] = images.shape();
        if height < 8 || width < 8 || images.count() < 2 {
            return undefined(format!(
                "a spectrum needs two images of 8 x 8 pixels at least, there are {} of {height} x {width}",
                images.count()
            ));
        }
        let plane = Plane::new([height.min(SIDE), width.min(SIDE)]);
        let most = (WORK / (channels * plane.work())).clamp(2, MOST);
        let chosen = subsample(images.count(), most, seed, purpose);
        let one = |&index: &usize| {
            let pixels = images.pixels_of(index).chunks_exact(height * width);
            let sum = pixels.fold([0.0; BANDS], |sum: [f64; BANDS], channel| {
                let found = plane.powers(channel, [height, width]);
                std::array::from_fn(|band| sum[band] + found[band])
            });
            sum.map(|power| power / channels as f64)
        };
        Ok(Self { powers: chosen.par_iter().map(one).collect(), images: chosen })
    }

    /// The mean power of these images over that of `real` ones, with 95 % confidence intervals by the deviations of the logarithms. `weight` of
    /// a real image is 1 for the plain mean; by it, the real images can be given the classes of these.
    pub fn over(&self, real: &Self, weight: &dyn Fn(usize) -> f64) -> PowerRatio {
        let ratio = |power: &dyn Fn(&[f64; BANDS]) -> f64| {
            let (of_these, error) = self.moments(power, &|_| 1.0);
            let (of_real, error_of_real) = real.moments(power, weight);
            let value = (of_real > 0.0).then(|| of_these / of_real)?;
            let half = 1.96 * error.hypot(error_of_real);
            Some(Estimate { value, interval: [value * (-half).exp(), value * half.exp()] })
        };
        PowerRatio { bands: std::array::from_fn(|band| ratio(&|powers| powers[band])), fine: ratio(&|powers| powers[FINE..].iter().sum()) }
    }

    /// The weighted mean of some power, and the standard error of its logarithm; 0 without any weight.
    fn moments(&self, power: &dyn Fn(&[f64; BANDS]) -> f64, weight: &dyn Fn(usize) -> f64) -> (f64, f64) {
        let values: Vec<[f64; 2]> = self.images.iter().zip(&self.powers).map(|(&image, powers)| [weight(image), power(powers)]).collect();
        let all: f64 = values.iter().map(|[weight, _]| weight).sum();
        if all == 0.0 {
            return (0.0, 0.0);
        }
        let mean = values.iter().map(|[weight, value]| weight * value).sum::<f64>() / all;
        let squares = values.iter().map(|[weight, value]| (weight * (value - mean)).powi(2)).sum::<f64>();
        (mean, if mean > 0.0 { squares.sqrt() / all / mean } else { 0.0 })
    }
}

/// What the transform of one size needs.
struct Plane {
    rows: usize,
    columns: usize,
    /// The Hann windows along both directions.
    windows: [Vec<f32>; 2],
    /// Cosines and sines of `2 pi i / n` for both directions.
    turns: [Vec<[f32; 2]>; 2],
    /// The band of each frequency, `[rows, columns / 2 + 1]`.
    bands: Vec<usize>,
}

impl Plane {
    fn new([rows, columns]: [usize; 2]) -> Self {
        let tau = std::f64::consts::TAU;
        let window = |n: usize| (0..n).map(|i| (0.5 - 0.5 * (tau * (i as f64 + 0.5) / n as f64).cos()) as f32).collect();
        let turn =
            |n: usize| (0..n).map(|i| [(tau * i as f64 / n as f64).cos() as f32, (tau * i as f64 / n as f64).sin() as f32]).collect();
        let band = |place: usize| {
            let (row, column) = (place / (columns / 2 + 1), place % (columns / 2 + 1));
            let (down, across) = (row.min(rows - row) as f64 / rows as f64, column as f64 / columns as f64);
            ((down.hypot(across) * 2.0 * BANDS as f64) as usize).min(BANDS - 1)
        };
        let bands = (0..rows * (columns / 2 + 1)).map(band).collect();
        Self { rows, columns, windows: [window(rows), window(columns)], turns: [turn(rows), turn(columns)], bands }
    }

    /// Multiplications for one channel.
    fn work(&self) -> usize {
        self.rows * (self.columns / 2 + 1) * (2 * self.columns + 4 * self.rows)
    }

    /// The power of one channel of `height` rows and `width` columns in each band.
    fn powers(&self, pixels: &[u8], [height, width]: [usize; 2]) -> [f64; BANDS] {
        let (rows, columns) = (self.rows, self.columns);
        let half = columns / 2 + 1;
        let (top, left) = ((height - rows) / 2, (width - columns) / 2);
        let line = |row: usize| &pixels[(top + row) * width + left..][..columns];
        let sum: f64 = (0..rows).flat_map(line).map(|&byte| f64::from(byte)).sum();
        let mean = (sum / (rows * columns) as f64) as f32;
        // Along the rows: [rows, half] complex numbers.
        let mut across = vec![[0.0f32; 2]; rows * half];
        for row in 0..rows {
            let scale = self.windows[0][row] / 255.0;
            let values: Vec<f32> =
                line(row).iter().zip(&self.windows[1]).map(|(&byte, window)| (f32::from(byte) - mean) * window * scale).collect();
            for (frequency, out) in across[row * half..(row + 1) * half].iter_mut().enumerate() {
                for (value, [cosine, sine]) in values.iter().zip(turning(&self.turns[1], frequency)) {
                    out[0] += value * cosine;
                    out[1] -= value * sine;
                }
            }
        }
        let mut powers = [0.0; BANDS];
        for frequency in 0..rows {
            for column in 0..half {
                let [mut real, mut imaginary] = [0.0f32; 2];
                for (row, [cosine, sine]) in turning(&self.turns[0], frequency).take(rows).enumerate() {
                    let [a, b] = across[row * half + column];
                    real += a * cosine + b * sine;
                    imaginary += b * cosine - a * sine;
                }
                // The other half of the plane mirrors this one.
                let twice = if column == 0 || 2 * column == columns { 1.0 } else { 2.0 };
                powers[self.bands[frequency * half + column]] += twice * f64::from(real * real + imaginary * imaginary);
            }
        }
        powers
    }
}

/// Every `step`-th turn, round and round.
fn turning(turns: &[[f32; 2]], step: usize) -> impl Iterator<Item = [f32; 2]> {
    let mut place = 0;
    std::iter::repeat_with(move || {
        let turn = turns[place];
        place += step;
        place -= if place >= turns.len() { turns.len() } else { 0 };
        turn
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::random;

    fn of(pixel: impl Fn(usize, usize, usize) -> f64, side: usize) -> Images {
        let byte = |at: usize| pixel(at / (side * side), at / side % side, at % side).round() as u8;
        Images::new((0..20 * side * side).map(byte).collect(), [20, 1, side, side], None).unwrap()
    }

    #[test]
    fn a_wave_has_its_power_in_its_band() {
        // 11 cycles along 32 pixels: 0.34 of a cycle per pixel, in the middle of band 5. The window spreads a quarter of it to either neighbour, of
        // which one is in band 6.
        let wave = of(|_, _, column| 127.0 + 100.0 * (std::f64::consts::TAU * 11.0 * column as f64 / 32.0).sin(), 32);
        let found = Spectrum::of(&wave, 0, 0).unwrap().powers[0];
        let all: f64 = found.iter().sum();
        assert!((found[5] / all - 1.25 / 1.5).abs() < 0.01 && (found[6] / all - 0.25 / 1.5).abs() < 0.01, "{found:?}");
    }

    #[test]
    fn white_noise_has_as_much_power_as_its_variance_and_smoothing_takes_the_fine_part() {
        let mut draw = random(1, 0);
        let noise: Vec<f64> = (0..20 * 256).map(|_| draw.below(256) as f64).collect();
        let plain = of(|image, row, column| noise[image * 256 + row * 16 + column], 16);
        let smooth = of(
            |image, row, column| {
                let at = |column: usize| noise[image * 256 + row * 16 + column.min(15)];
                (at(column.saturating_sub(1)) + 2.0 * at(column) + at(column + 1)) / 4.0
            },
            16,
        );
        let (plain, smooth) = (Spectrum::of(&plain, 0, 0).unwrap(), Spectrum::of(&smooth, 0, 0).unwrap());
        let same = plain.over(&plain, &|_| 1.0).fine.unwrap();
        assert!((same.value - 1.0).abs() < 1e-12 && same.interval[0] < 1.0 && same.interval[1] > 1.0);
        let lost = smooth.over(&plain, &|_| 1.0).fine.unwrap();
        // cos(pi f)^4 averaged over the plane beyond a quarter of a cycle is about 0.3 along one direction.
        assert!(lost.interval[1] < 0.6 && lost.value > 0.1, "{lost:?}");
        // Weights choose the images of which the mean is taken.
        let first = plain.over(&plain, &|image| f64::from(u8::from(image == 0))).fine.unwrap();
        let [mean, of_first] =
            [20, 1].map(|count| plain.powers[..count].iter().map(|powers| powers[FINE..].iter().sum::<f64>()).sum::<f64>() / count as f64);
        assert!((first.value - mean / of_first).abs() < 1e-9, "{first:?}");
        // Parseval: the sum over the plane is the number of pixels times the sum of squares, windowed by 0.375 squared.
        let total: f64 = plain.powers.iter().flatten().sum::<f64>() / 20.0;
        let variance = (256.0f64.powi(2) - 1.0) / 12.0 / 255.0f64.powi(2);
        assert!((total / (256.0 * 256.0 * 0.375f64.powi(2) * variance) - 1.0).abs() < 0.05, "{total}");
    }

    #[test]
    fn small_images_have_none() {
        let small = Images::new(vec![0; 2 * 16], [2, 1, 4, 4], None).unwrap();
        assert!(Spectrum::of(&small, 0, 0).is_err());
        let flat = Images::new(vec![9; 2 * 64], [2, 1, 8, 8], None).unwrap();
        let flat = Spectrum::of(&flat, 0, 0).unwrap();
        assert_eq!(flat.over(&flat, &|_| 1.0).fine, None);
    }
}
