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

/// Means over blocks of pixels, so that no side is longer than `most`, from 0 to 1.
fn reduced(images: &Images, index: usize, most: usize) -> Vec<f32> {
    let [down, across] = blocks(images, most);
    let [channels, rows, columns] = reduced_shape(images, most);
    let (height, width) = (images.height(), images.width());
    let mut out = vec![0.0; channels * rows * columns];
    for (line, bytes) in images.pixels_of(index).chunks_exact(width).enumerate() {
        let (channel, row) = (line / height, line % height / down);
        let sums = &mut out[(channel * rows + row) * columns..][..columns];
        // Blocks at the lower and the right margin may have fewer pixels.
        let high = down.min(height - row * down);
        for (sum, block) in sums.iter_mut().zip(bytes.chunks(across)) {
            let total: u32 = block.iter().map(|&byte| u32::from(byte)).sum();
            *sum += total as f32 / (255 * high * block.len()) as f32;
        }
    }
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
fn smoothed(pixels: &[f32], [_, rows, columns]: Shape) -> Vec<f32> {
    let mean = |before: f32, at: f32, after: f32| (before + 2.0 * at + after) / 4.0;
    let mut across = Vec::with_capacity(pixels.len());
    for line in pixels.chunks_exact(columns) {
        across.extend((0..columns).map(|at| mean(line[at.saturating_sub(1)], line[at], line[(at + 1).min(columns - 1)])));
    }
    let mut out = Vec::with_capacity(pixels.len());
    for channel in across.chunks_exact(rows * columns) {
        let line = |row: usize| &channel[row * columns..(row + 1) * columns];
        for row in 0..rows {
            let (before, at, after) = (line(row.saturating_sub(1)), line(row), line((row + 1).min(rows - 1)));
            out.extend((0..columns).map(|column| mean(before[column], at[column], after[column])));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(shape: [usize; 2], pixel: impl Fn(usize, usize) -> u8) -> Images {
        let [rows, columns] = shape;
        Images::new((0..rows * columns).map(|at| pixel(at / columns, at % columns)).collect(), [1, 1, rows, columns], None).unwrap()
    }

    #[test]
    fn blocks_are_means_also_at_the_margins() {
        let found = reduced(&image([3, 5], |row, column| (10 * row + column) as u8), 0, 2);
        // Rows 0 and 1, row 2; columns 0 to 2, 3 and 4.
        let expected = [6.0, 8.5, 21.0, 23.5].map(|value| value / 255.0);
        assert!(found.iter().zip(expected).all(|(found, expected)| (found - expected).abs() < 1e-6), "{found:?}");
        let (thumbs, width) = thumbnails(&image([28, 28], |row, column| (row * column % 200) as u8));
        assert_eq!((thumbs.len(), width), (49, 49));
        assert!(thumbs.iter().sum::<f32>().abs() < 1e-5 && (thumbs.iter().map(|value| value * value).sum::<f32>() - 1.0).abs() < 1e-5);
        assert_eq!(thumbnails(&image([4, 4], |_, _| 7)).0, [0.0; 16]);
    }

    #[test]
    fn an_image_is_at_no_distance_from_itself_moved_and_dimmed() {
        let spot = |row: usize, column: usize| (200.0 / (1.0 + (row as f64 - 6.0).powi(2) + (column as f64 - 5.0).powi(2) / 2.0)) as u8;
        let plain = Moved::new(&image([12, 12], spot), 0);
        let dimmed = Moved::new(&image([12, 12], |row, column| spot(row + 1, column + 1) / 2 + 20), 0);
        assert!(moved_distance(&dimmed.shifts(), &plain.centre()) < 0.05);
        let far = Moved::new(&image([12, 12], |row, column| spot(row + 3, column)), 0);
        assert!(moved_distance(&far.shifts(), &plain.centre()) > 0.4);
        assert_eq!(smoothed(&[0.0, 4.0, 0.0, 0.0, 4.0, 0.0], [1, 2, 3]), [1.0, 2.0, 1.0, 1.0, 2.0, 1.0]);
    }
}
