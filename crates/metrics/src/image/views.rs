//! What of an image survives noise, blur, another brightness, and a small shift.

use rayon::prelude::*;
use semblant_data::image::Images;

/// Rows and columns of a thumbnail, at most.
const CELLS: usize = 8;
/// Rows and columns of an image that is compared by shifts, at most.
const SIDE: usize = 32;

/// Channels, rows and columns.
pub(super) type Shape = [usize; 3];

/// Images averaged over blocks to at most 8 x 8 pixels, less their mean, over their norm: `[images, width]` and the width.
pub(super) fn thumbnails(images: &Images) -> (Vec<f32>, usize) {
    let shape = reduced_shape(images, CELLS);
    let one = |index| {
        let mut values = reduced(images, index, CELLS);
        normalise(&mut values);
        values
    };
    let all = (0..images.count()).into_par_iter().flat_map_iter(one).collect();
    (all, shape.iter().product())
}

fn blocks(images: &Images, most: usize) -> [usize; 2] {
    [images.height().div_ceil(most), images.width().div_ceil(most)]
}

fn reduced_shape(images: &Images, most: usize) -> Shape {
    let [down, across] = blocks(images, most);
    [images.channels(), images.height().div_ceil(down), images.width().div_ceil(across)]
}

/// Means over blocks of pixels, so that no side is longer than `most`.
fn reduced(images: &Images, index: usize, most: usize) -> Vec<f32> {
    let [down, across] = blocks(images, most);
    let [channels, rows, columns] = reduced_shape(images, most);
    let (height, width) = (images.height(), images.width());
    let pixels = images.pixels_of(index);
    let mut out = vec![0.0; channels * rows * columns];
    let mut counts = vec![0u32; out.len()];
    for (place, &byte) in pixels.iter().enumerate() {
        let (channel, row, column) = (place / (height * width), place / width % height, place % width);
        let cell = (channel * rows + row / down) * columns + column / across;
        out[cell] += f32::from(byte);
        counts[cell] += 1;
    }
    out.iter_mut().zip(counts).for_each(|(sum, count)| *sum /= 255.0 * count as f32);
    out
}

/// Less the mean, over the norm; images without contrast become 0.
fn normalise(values: &mut [f32]) {
    let mean = values.iter().sum::<f32>() / values.len() as f32;
    values.iter_mut().for_each(|value| *value -= mean);
    let norm = values.iter().map(|value| value * value).sum::<f32>().sqrt();
    let scale = if norm > 1e-6 { 1.0 / norm } else { 0.0 };
    values.iter_mut().for_each(|value| *value *= scale);
}

/// Images of at most 32 x 32 pixels, smoothed, that are compared at all shifts by up to one pixel in their own mean and contrast.
pub(super) struct Moved {
    shape: Shape,
    /// The smoothed pixels, `[channels, rows, columns]`.
    pixels: Vec<f32>,
}

/// An image without its margin of one pixel, less its mean, over its norm.
pub(super) type Inner = Vec<f32>;

impl Moved {
    /// Whether images of this size have an inside that can be moved.
    pub(super) fn fits(images: &Images) -> bool {
        images.height() >= 4 && images.width() >= 4
    }

    pub(super) fn new(images: &Images, index: usize) -> Self {
        let shape = reduced_shape(images, SIDE);
        Self { shape, pixels: smoothed(&reduced(images, index, SIDE), shape) }
    }

    /// What is inside a margin of one pixel that is moved by so many rows and columns, from 0 to 2.
    fn inner(&self, [down, across]: [usize; 2]) -> Inner {
        let [channels, rows, columns] = self.shape;
        let mut inner = Vec::with_capacity(channels * (rows - 2) * (columns - 2));
        for channel in 0..channels {
            for row in down..down + rows - 2 {
                let start = (channel * rows + row) * columns + across;
                inner.extend_from_slice(&self.pixels[start..start + columns - 2]);
            }
        }
        normalise(&mut inner);
        inner
    }

    /// The inside of the image.
    pub(super) fn centre(&self) -> Inner {
        self.inner([1, 1])
    }

    /// The inside moved by up to one pixel in both directions.
    pub(super) fn shifts(&self) -> [Inner; 9] {
        std::array::from_fn(|shift| self.inner([shift / 3, shift % 3]))
    }
}

/// The smallest distance of any of the moved insides of an image to that of another.
pub(super) fn moved_distance(shifts: &[Inner; 9], other: &Inner) -> f64 {
    let product = |inner: &Inner| inner.iter().zip(other).map(|(a, b)| a * b).sum::<f32>();
    let best = shifts.iter().map(product).fold(-1.0, f32::max);
    // All have length 1.
    f64::from(2.0 - 2.0 * best).max(0.0).sqrt()
}

/// Averaged over three pixels with weights 1, 2, 1 in both directions; margins repeat.
fn smoothed(pixels: &[f32], [channels, rows, columns]: Shape) -> Vec<f32> {
    let along = |pixels: &[f32], step: usize, length: usize, place_of: &dyn Fn(usize) -> usize| -> Vec<f32> {
        (0..pixels.len())
            .map(|at| {
                let place = place_of(at);
                let before = if place == 0 { at } else { at - step };
                let after = if place + 1 == length { at } else { at + step };
                (pixels[before] + 2.0 * pixels[at] + pixels[after]) / 4.0
            })
            .collect()
    };
    debug_assert_eq!(pixels.len(), channels * rows * columns);
    let across = along(pixels, 1, columns, &|at| at % columns);
    along(&across, columns, rows, &|at| at / columns % rows)
}
