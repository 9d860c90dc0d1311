//! From images to files: a grid to look at, a folder of PNG files, and NumPy's `.npz`. A file appears whole or not at all.

use std::io::{Cursor, Write};
use std::path::Path;

use image::{ExtendedColorType, ImageEncoder};
use rayon::prelude::*;
use semblant_core::files;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

use super::Images;
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
        let folder = folder.as_ref();
        let said = |source| Error::io(folder, source);
        self.check_folder(folder, into_existing)?;
        let mut parent = folder.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        // Inside the folder there is room for sure when files are to be moved into it: it may be another file system than its parent.
        if folder.is_dir() && into_existing {
            parent = folder;
        }
        let mut builder = tempfile::Builder::new();
        builder.prefix(".semblant-").suffix(".partial");
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o777));
        let temporary = builder.tempdir_in(parent).map_err(said)?;
        let below = |index: usize| match self.class_of(index) {
            Some(class) => format!("{}/{index:06}.png", self.class_names()[class as usize]),
            None => format!("{index:06}.png"),
        };
        let used: Vec<&String> =
            self.class_names().iter().zip(self.class_counts()).filter(|(_, count)| *count > 0).map(|(n, _)| n).collect();
        used.iter().try_for_each(|name| std::fs::create_dir(temporary.path().join(name))).map_err(said)?;
        (0..self.count()).into_par_iter().try_for_each(|index| {
            let bytes = png(&self.interleaved(index), self.width(), self.height(), self.channels())?;
            std::fs::write(temporary.path().join(below(index)), bytes).map_err(said)
        })?;
        if parent != folder {
            if folder.is_dir() {
                std::fs::remove_dir(folder).map_err(said)?;
            }
            std::fs::rename(temporary.path(), folder).map_err(said)?;
            // What it was to tidy up has another name now.
            let _ = temporary.keep();
            return Ok(());
        }
        used.iter().try_for_each(|name| std::fs::create_dir_all(folder.join(name))).map_err(said)?;
        (0..self.count())
            .try_for_each(|index| std::fs::rename(temporary.path().join(below(index)), folder.join(below(index))))
            .map_err(said)
    }

    fn check_folder(&self, folder: &Path, into_existing: bool) -> Result<()> {
        if self.count() == 0 {
            return Err(Error::format(folder, "would hold no images; there are none to write"));
        }
        // A leading dot would hide the folder, from our own reader too.
        let unfit = |name: &&String| name.is_empty() || name.starts_with('.') || name.contains(['/', '\\', ':', '\0']);
        if let Some(name) = self.class_names().iter().find(unfit) {
            return Err(Error::format(folder, format!("class \"{}\" cannot be the name of a folder; rename it", name.escape_debug())));
        }
        match std::fs::read_dir(folder).map(|mut entries| entries.next().is_some()) {
            Ok(true) if !into_existing => {
                Err(Error::format(folder, "is a folder with something in it; name another one, or allow writing into an existing folder"))
            }
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(Error::io(folder, error)),
            _ => Ok(()),
        }
    }

    /// Writes a NumPy archive: `images`, bytes of shape `[count, height, width, channels]`, and, if there are classes, `labels`, 64-bit
    /// integers of shape `[count]`, with their names as `class_names`. Equal images give equal files.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write_npz(&self, path: impl AsRef<Path>) -> Result<()> {
        let [count, channels, height, width] = self.shape();
        let path = path.as_ref();
        let write = |file: &mut std::io::BufWriter<&std::fs::File>| {
            let mut archive = ZipWriter::new(file);
            // No clock, so that equal contents are equal files.
            let options = SimpleFileOptions::default()
                .compression_method(CompressionMethod::Deflated)
                .last_modified_time(DateTime::default())
                .large_file(self.pixels().len() >= u32::MAX as usize - 1024);
            archive.start_file("images.npy", options)?;
            archive.write_all(&npy_header("|u1", &[count, height, width, channels]))?;
            (0..count).try_for_each(|index| archive.write_all(&self.interleaved(index)))?;
            if let Some(classes) = self.classes() {
                archive.start_file("labels.npy", options)?;
                let bytes: Vec<u8> = classes.iter().flat_map(|&class| i64::from(class).to_le_bytes()).collect();
                archive.write_all(&npy_header("<i8", &[count]))?;
                archive.write_all(&bytes)?;
                // NumPy's texts are all as long as the longest, four bytes a character.
                let names = self.class_names();
                let longest = names.iter().map(|name| name.chars().count()).max().unwrap_or(0).max(1);
                archive.start_file("class_names.npy", options)?;
                archive.write_all(&npy_header(&format!("<U{longest}"), &[names.len()]))?;
                for name in names {
                    let filled = name.chars().map(u32::from).chain(std::iter::repeat(0)).take(longest);
                    archive.write_all(&filled.flat_map(u32::to_le_bytes).collect::<Vec<u8>>())?;
                }
            }
            archive.finish()?.flush()
        };
        files::write_with(path, write).map_err(|source| Error::io(path, source))
    }

    /// One image pixel after pixel, as files have it: `[height, width, channels]`.
    fn interleaved(&self, index: usize) -> Vec<u8> {
        let pixels = self.pixels_of(index);
        let plane = self.height() * self.width();
        (0..plane).flat_map(|place| pixels.iter().skip(place).step_by(plane).copied()).collect()
    }
}

/// The start of a `.npy` file, version 1.0: a Python dictionary, filled up with blanks to a multiple of 64 bytes.
fn npy_header(kind: &str, shape: &[usize]) -> Vec<u8> {
    let sides = shape.iter().map(usize::to_string).collect::<Vec<_>>().join(", ");
    // Python's tuple of one has a comma behind it.
    let comma = if shape.len() == 1 { "," } else { "" };
    let mut text = format!("{{'descr': '{kind}', 'fortran_order': False, 'shape': ({sides}{comma}), }}");
    let before = 10;
    let blanks = (before + text.len() + 1).next_multiple_of(64) - (before + text.len() + 1);
    text.extend(std::iter::repeat_n(' ', blanks));
    text.push('\n');
    let mut header = b"\x93NUMPY\x01\x00".to_vec();
    header.extend((text.len() as u16).to_le_bytes());
    header.extend(text.into_bytes());
    header
}

fn png(interleaved: &[u8], wide: usize, high: usize, channels: usize) -> Result<Vec<u8>> {
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
    fn the_header_is_the_one_numpy_writes() {
        // Python: numpy.lib.format.write_array_header_1_0(buffer, {"shape": (2, 3), "fortran_order": False, "descr": "|u1"})
        let header = npy_header("|u1", &[2, 3]);
        assert_eq!(header.len(), 128);
        let text = "\u{1}\0v\0{'descr': '|u1', 'fortran_order': False, 'shape': (2, 3), }";
        assert_eq!(&header[6..6 + text.len()], text.as_bytes());
        assert!(String::from_utf8_lossy(&npy_header("<i8", &[7])).contains("'shape': (7,), }"));
    }

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
