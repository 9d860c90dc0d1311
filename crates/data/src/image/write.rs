//! From images to files: a grid to look at, a folder of PNG files, and NumPy's `.npz`. A file appears whole or not at all.

use std::io::{Cursor, Write};
use std::path::Path;

use image::{ExtendedColorType, ImageEncoder};
use semblant_core::files;

use super::Images;
use super::stream::{Npz, PngFolder};
use crate::{Error, Result};

/// White pixels between the images of a grid, and around them.
const GAP: usize = 2;
/// What a PNG file may have on a side here, so that a mistyped scale does not fill the memory.
const LONGEST_GRID: usize = 1 << 15;

/// All images side by side as a PNG file's bytes: `columns` in a row, each pixel `scale` x `scale` large, on white with a gap of two.
///
/// # Errors
/// When there are no images, `columns` or `scale` is 0, or a side would be longer than 32,768 pixels.
pub fn grid(images: &Images, columns: usize, scale: usize) -> Result<Vec<u8>> {
    let [count, channels, height, width] = images.shape();
    if count == 0 || columns == 0 || scale == 0 {
        return Err(Error::Images(format!("a grid of {count} images needs at least one, and columns and a scale of at least 1")));
    }
    let (columns, rows) = (columns.min(count), count.div_ceil(columns));
    let side = |number: usize, pixels: usize| {
        let one = pixels.checked_mul(scale)?.checked_add(GAP)?;
        number.checked_mul(one)?.checked_add(GAP).filter(|&side| side <= LONGEST_GRID)
    };
    let (Some(wide), Some(high)) = (side(columns, width), side(rows, height)) else {
        let what = format!("a grid of {rows} x {columns} images would be longer than {LONGEST_GRID} pixels");
        return Err(Error::Images(format!("{what}; select fewer images or use a smaller scale")));
    };
    let mut canvas = vec![255; wide * high * channels];
    for index in 0..count {
        let (left, top) = (GAP + index % columns * (width * scale + GAP), GAP + index / columns * (height * scale + GAP));
        let pixels = images.pixels_of(index);
        for y in 0..height * scale {
            for x in 0..width * scale {
                let to = ((top + y) * wide + left + x) * channels;
                for channel in 0..channels {
                    canvas[to + channel] = pixels[(channel * height + y / scale) * width + x / scale];
                }
            }
        }
    }
    png(&canvas, wide, high, channels)
}

impl Images {
    /// Writes [`grid`] to a file.
    ///
    /// # Errors
    /// As [`grid`], and when the file cannot be written.
    pub fn write_grid(&self, path: impl AsRef<Path>, columns: usize, scale: usize) -> Result<()> {
        let bytes = grid(self, columns, scale)?;
        let path = path.as_ref();
        files::write_with(path, |file| file.write_all(&bytes)).map_err(|source| Error::io(path, source))
    }

    /// Writes every image as a PNG file: `000000.png` and so on, by its place among all, in a sub-folder for each class if there are
    /// classes.
    ///
    /// The files are written into a new folder next to `folder`, which then takes its name. A folder that is there and not empty is
    /// refused unless `into_existing`: then the files are moved into it one by one, replacing those of the same name and nothing else.
    ///
    /// # Errors
    /// When `folder` is not empty and `into_existing` is not set, is a file, or cannot be written to, when there are no images, or a
    /// class's name cannot be that of a folder.
    pub fn write_folder(&self, folder: impl AsRef<Path>, into_existing: bool) -> Result<()> {
        let mut writer = PngFolder::create(folder.as_ref(), into_existing)?;
        writer.write(self)?;
        writer.finish()
    }

    /// Writes a NumPy archive: `images`, bytes of shape `[count, height, width, channels]`, and, if there are classes, `labels`, 64-bit
    /// integers of shape `[count]`, with their names as `class_names`. Equal images give equal files.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write_npz(&self, path: impl AsRef<Path>) -> Result<()> {
        let mut writer = Npz::create(path.as_ref())?;
        writer.write(self)?;
        writer.finish()
    }

    /// One image pixel after pixel, as files have it: `[height, width, channels]`.
    pub(super) fn interleaved(&self, index: usize) -> Vec<u8> {
        let pixels = self.pixels_of(index);
        let plane = self.height() * self.width();
        (0..plane).flat_map(|place| pixels.iter().skip(place).step_by(plane).copied()).collect()
    }
}

/// A picture of bytes in the order of [`Images::interleaved`] as a PNG file's.
pub(super) fn png(interleaved: &[u8], wide: usize, high: usize, channels: usize) -> Result<Vec<u8>> {
    let mut bytes = Cursor::new(Vec::new());
    let color = if channels == 1 { ExtendedColorType::L8 } else { ExtendedColorType::Rgb8 };
    image::codecs::png::PngEncoder::new(&mut bytes)
        .write_image(interleaved, wide as u32, high as u32, color)
        .map_err(|error| Error::Images(format!("a PNG of {wide} x {high} pixels cannot be made ({error}); take a smaller one")))?;
    Ok(bytes.into_inner())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grid_has_every_image_in_its_place() {
        let images = Images::new(vec![10, 20, 30], [3, 1, 1, 1], None).expect("images");
        let drawn = image::load_from_memory(&grid(&images, 2, 3).expect("a grid")).expect("a PNG").into_luma8();
        assert_eq!(drawn.dimensions(), (2 + 2 * 5, 2 + 2 * 5));
        let at = |x, y| drawn.get_pixel(x, y).0[0];
        assert_eq!([at(2, 2), at(4, 4), at(7, 2), at(2, 7), at(7, 7)], [10, 10, 20, 30, 255]);
        assert_eq!([at(0, 0), at(5, 2), at(6, 2), at(11, 2)], [255; 4]);
        let said = |columns, scale| grid(&images, columns, scale).expect_err("impossible").to_string();
        assert!(said(0, 1).contains("at least 1") && said(1, 0).contains("at least 1"));
        assert!(said(3, 40_000).contains("longer") && said(3, usize::MAX).contains("longer"));
    }
}
