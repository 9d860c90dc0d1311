//! Resizing of images to the 299 x 299 pixels of Inception's input, by the three methods behind published scores.
//!
//! The methods differ enough to change a Frechet distance by a tenth (Parmar et al. 2022, "On aliased resizing and surprising subtleties in
//! GAN evaluation"), so a score is only meaningful with its method.

use rayon::prelude::*;
use semblant_data::image::Images;
use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// Width and height of the result, in pixels.
pub const SIDE: usize = 299;

/// How images are resized to [`SIDE`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Resize {
    /// As the package pytorch-fid does: bilinear between the centres of pixels, no smoothing, `2 x - 1` of values from 0 to 1.
    #[default]
    PytorchFid,
    /// As TensorFlow 1 did, and torch-fidelity and the scores of StyleGAN and EDM do: bilinear between the corners of pixels,
    /// `(x - 128) / 128` of bytes.
    Tf1,
    /// As the package clean-fid does: Pillow's bicubic filter, which is wide enough to smooth what it makes smaller, on each channel in
    /// single precision, clipped to 0 to 255 but not rounded, `(x - 128) / 128`.
    Clean,
}

impl Resize {
    /// All methods.
    pub const ALL: [Self; 3] = [Self::PytorchFid, Self::Tf1, Self::Clean];

    /// The name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::PytorchFid => "pytorch-fid",
            Self::Tf1 => "tf1",
            Self::Clean => "clean",
        }
    }

    /// The method of this name.
    ///
    /// # Errors
    /// [`Error::Option`] for another name.
    pub fn named(name: &str) -> Result<Self> {
        let what = || format!("\"{name}\" is not a resizing method; choose {}", Self::ALL.map(Self::name).join(", "));
        Self::ALL.into_iter().find(|way| way.name() == name).ok_or_else(|| Error::Option { name: "resize", what: what() })
    }

    /// The images at `indices` as input of Inception: `[indices.len(), 3, 299, 299]`, row-major, about -1 to 1. A grey image has its
    /// channel three times.
    ///
    /// # Panics
    /// When an index is not below the number of images.
    pub fn apply(self, images: &Images, indices: &[usize]) -> Vec<f32> {
        let (height, width) = (images.height(), images.width());
        let taps = match self {
            Self::PytorchFid => bilinear_between_centres,
            Self::Tf1 => bilinear_between_corners,
            Self::Clean => bicubic_antialiased,
        };
        let (down, across) = (taps(height), taps(width));
        let scaled = |value: f32| match self {
            Self::PytorchFid => 2.0 * (value / 255.0) - 1.0,
            Self::Tf1 => (value - 128.0) / 128.0,
            Self::Clean => (value.clamp(0.0, 255.0) - 128.0) / 128.0,
        };
        let mut all = vec![0.0; indices.len() * 3 * SIDE * SIDE];
        all.par_chunks_exact_mut(3 * SIDE * SIDE).zip(indices).for_each(|(out, &index)| {
            let planes = images.pixels_of(index).chunks_exact(height * width);
            for (out, plane) in out.chunks_exact_mut(SIDE * SIDE).zip(planes.cycle()) {
                resample(plane, width, &down, &across, out);
                out.iter_mut().for_each(|value| *value = scaled(*value));
            }
        });
        all
    }
}

/// The weights of one pixel of the result: the first pixel of the source, and the weights of it and the following ones.
struct Taps {
    first: usize,
    weights: Vec<f64>,
}

/// Two pixels around `place`, those beyond an end being the last one.
fn between(place: f64, input: usize) -> Taps {
    let first = place.floor().max(0.0).min((input - 1) as f64) as usize;
    let share = (place - first as f64).clamp(0.0, 1.0);
    if first + 1 < input { Taps { first, weights: vec![1.0 - share, share] } } else { Taps { first, weights: vec![1.0] } }
}

/// `torch.nn.functional.interpolate(mode="bilinear", align_corners=False)`.
fn bilinear_between_centres(input: usize) -> Vec<Taps> {
    let scale = input as f32 / SIDE as f32; // Single precision, as there: the shares of the two pixels have its rounding.
    (0..SIDE).map(|out| between(f64::from(((out as f32 + 0.5) * scale - 0.5).max(0.0)), input)).collect()
}

/// `tf.image.resize_bilinear(align_corners=False)` of TensorFlow 1: pixel `out` lies at `out * input / output`.
fn bilinear_between_corners(input: usize) -> Vec<Taps> {
    let scale = input as f32 / SIDE as f32; // Single precision, as there.
    (0..SIDE).map(|out| between(f64::from(out as f32 * scale), input)).collect()
}

/// Pillow's `Image.resize(resample=BICUBIC)`: Keys' cubic with a = -0.5, stretched by the factor by which the image shrinks, its weights
/// within the image brought to a sum of 1.
fn bicubic_antialiased(input: usize) -> Vec<Taps> {
    let scale = input as f64 / SIDE as f64;
    let stretch = scale.max(1.0);
    let cubic = |x: f64| match x.abs() {
        x if x < 1.0 => (1.5 * x - 2.5) * x * x + 1.0,
        x if x < 2.0 => ((-0.5 * x + 2.5) * x - 4.0) * x + 2.0,
        _ => 0.0,
    };
    let one = |out: usize| {
        let centre = (out as f64 + 0.5) * scale;
        let first = (centre - 2.0 * stretch + 0.5).max(0.0) as usize;
        let end = ((centre + 2.0 * stretch + 0.5) as usize).min(input);
        let weights: Vec<f64> = (first..end).map(|place| cubic((place as f64 - centre + 0.5) / stretch)).collect();
        let sum: f64 = weights.iter().sum();
        Taps { first, weights: weights.into_iter().map(|weight| weight / sum).collect() }
    };
    (0..SIDE).map(one).collect()
}

/// One plane `[height, width]` to `[299, 299]`: rows first, as all three references do where it matters.
fn resample(plane: &[u8], width: usize, down: &[Taps], across: &[Taps], out: &mut [f32]) {
    let row = |row: &[u8]| {
        let at = |taps: &Taps| taps.weights.iter().zip(&row[taps.first..]).map(|(w, &x)| w * f64::from(x)).sum::<f64>() as f32;
        across.iter().map(at).collect::<Vec<f32>>()
    };
    let rows: Vec<Vec<f32>> = plane.chunks_exact(width).map(row).collect(); // [height, 299]
    let mut sums = vec![0.0; SIDE];
    for (out, taps) in out.chunks_exact_mut(SIDE).zip(down) {
        sums.fill(0.0);
        for (weight, row) in taps.weights.iter().zip(&rows[taps.first..]) {
            sums.iter_mut().zip(row).for_each(|(sum, &value)| *sum += weight * f64::from(value));
        }
        out.iter_mut().zip(&sums).for_each(|(out, &sum)| *out = sum as f32);
    }
}
