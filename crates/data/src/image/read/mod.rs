//! From files to images.

mod archive;
mod cifar;
mod columns;
mod decode;
mod folder;
mod idx;
mod jpeg;
mod merge;
mod npz;

use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;
use semblant_core::memory::{self, Memory};
use serde::{Deserialize, Serialize};

use super::Images;
use crate::{Error, Result};

/// The longest side of an image to read or make.
const LONGEST_SIDE: usize = 1 << 15;

/// How images are read.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ImageOptions {
    /// Height and width to bring every image to: cut to this shape about the centre, then resampled (Lanczos, 3 lobes). Without it all
    /// images must be of one size.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<[usize; 2]>,
    /// 1 makes all images grey (by ITU-R 601 luma, as Pillow does), 3 makes grey ones red, green and blue. Without it they are grey if
    /// every one of them is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channels: Option<usize>,
    /// Whether an image file that cannot be decoded is an error. Without it, such a file is left out with a note.
    pub strict: bool,
    /// Reads at most so many images, spread evenly over all, so that files sorted by class still give every class.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
    /// The file of labels that belongs to an IDX file of images; without it, the usual name in the same folder is tried.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub labels: Option<PathBuf>,
    /// The column of a CSV file that holds the classes; without it the column called `label`, `class` or `target`, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// The value of white in a CSV file; without it 1 if no pixel is above 1, 16 if none is above 16, and else 255.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pixel_max: Option<f64>,
    /// The memory that the images may take while they are read.
    #[serde(skip)]
    pub memory: Memory,
}

impl ImageOptions {
    /// The default options with a size, height first.
    pub fn with_size(height: usize, width: usize) -> Self {
        Self { size: Some([height, width]), ..Self::default() }
    }

    fn check(&self) -> Result<()> {
        let refuse = |what: String| Err(Error::Images(what));
        if let Some([height, width]) = self.size
            && (height == 0 || width == 0 || height > LONGEST_SIDE || width > LONGEST_SIDE)
        {
            return refuse(format!("size = [{height}, {width}] is not possible; each side lies in 1 to {LONGEST_SIDE}"));
        }
        match (self.channels, self.limit, self.pixel_max) {
            (Some(channels), _, _) if channels != 1 && channels != 3 => {
                refuse(format!("channels = {channels} is not possible; 1 is grey and 3 is red, green and blue"))
            }
            (_, Some(0), _) => refuse("limit = 0 leaves no image; omit it to read all".into()),
            (_, _, Some(white)) if !(white > 0.0 && white.is_finite()) => {
                refuse(format!("pixel_max = {white} is not possible; it is the value of white, above 0"))
            }
            _ => Ok(()),
        }
    }

    /// The places of the images to read out of `count`.
    fn chosen(&self, count: usize) -> Vec<usize> {
        match self.limit {
            Some(limit) if limit < count => (0..limit).map(|place| (place as u128 * count as u128 / limit as u128) as usize).collect(),
            _ => (0..count).collect(),
        }
    }
}

/// Images, and what was noticed about them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadImages {
    /// The images.
    pub images: Images,
    /// One line for each thing that was left out, guessed or changed.
    pub notes: Vec<String>,
}

/// What a path holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Folder,
    CifarFolder,
    CifarFile,
    Archive,
    Idx,
    Columns,
    Numpy,
}

impl Images {
    /// Reads images from whichever of these `path` holds:
    ///
    /// - a folder of PNG, JPEG, GIF, BMP or WebP files, also in sub-folders: the folder a file lies in is its class; files directly in
    ///   `path` have none. A folder without images is no class. When some images have a class, those without are left out.
    /// - a `.tar`, `.tar.gz` or `.tgz` of such files: the same, and when all lie in one folder there are no classes.
    /// - IDX, as MNIST is published (`train-images-idx3-ubyte`, also `.gz`), with its file of labels in the same folder. The label is the class's name.
    /// - the binary layout of CIFAR-10 and CIFAR-100 (fine classes): one `.bin` file, or a folder of them, of which the training part is
    ///   read.
    /// - a `.csv` (also `.gz`) with a column for each pixel, in rows from top to bottom, and maybe a class. The images are square; with
    ///   three channels, the red plane comes first, then green, then blue.
    ///
    /// - NumPy's `.npz`, as [`Images::write_npz`] and `numpy.savez` write it: bytes `images` (or `arr_0`) of `[count, height, width]` or with 1 or 3
    ///   channels behind, and maybe whole numbers `labels` (or `arr_1`), which are the classes' names.
    ///
    /// Images come in the order of their paths, whatever the threads that decode them. Classes are numbered in the order of their names,
    /// those of numbers in numerical order. Hidden files are passed over. Pictures are turned as their Exif orientation says, 16-bit ones
    /// rounded to 8 bits, transparent ones laid over white, and of animated ones the first frame is taken. Files that are truncated or
    /// damaged are left out with a note, or end with an error ([`ImageOptions::strict`]).
    ///
    /// ```no_run
    /// use semblant_data::image::{ImageOptions, Images};
    ///
    /// # fn main() -> Result<(), semblant_data::Error> {
    /// let read = Images::read("photos", &ImageOptions::with_size(64, 64))?;
    /// for note in &read.notes {
    ///     eprintln!("{note}");
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// When the path cannot be read or is of no known kind, when images differ in size without [`ImageOptions::size`], when none is left,
    /// and for anything out of order in IDX, CIFAR, CSV and NumPy files. The message names the file, the place and the remedy.
    pub fn read(path: impl AsRef<Path>, options: &ImageOptions) -> Result<ReadImages> {
        let path = path.as_ref();
        options.check()?;
        let format = recognise(path)?;
        if options.labels.is_some() && format != Format::Idx {
            return Err(Error::format(path, "has no file of labels of its own; only IDX images have one; omit `labels`"));
        }
        if (options.label.is_some() || options.pixel_max.is_some()) && format != Format::Columns {
            return Err(Error::format(path, "has no columns; `label` and `pixel_max` are for CSV files; omit them"));
        }
        match format {
            Format::Folder => folder::read(path, options),
            Format::Archive => archive::read(path, options),
            Format::Idx => idx::read(path, options),
            Format::CifarFolder => cifar::read_folder(path, options),
            Format::CifarFile => cifar::read_file(path, options),
            Format::Columns => columns::read(path, options),
            Format::Numpy => npz::read(path, options),
        }
    }
}

fn recognise(path: &Path) -> Result<Format> {
    let metadata = std::fs::metadata(path).map_err(|source| Error::io(path, source))?;
    if metadata.is_dir() {
        return Ok(if cifar::is_folder(path) { Format::CifarFolder } else { Format::Folder });
    }
    let name = path.file_name().map(|name| name.to_string_lossy().to_ascii_lowercase()).unwrap_or_default();
    let plain = name.strip_suffix(".gz").unwrap_or(&name);
    let ends = |endings: &[&str]| endings.iter().any(|ending| plain.ends_with(ending));
    // What a compressed file begins with, as far as it can be unpacked; a damaged one is told apart by its name.
    let mut start = Vec::new();
    let _ = open(path)?.take(512).read_to_end(&mut start);
    if start.is_empty() && metadata.len() == 0 {
        return Err(Error::format(path, "is empty; fetch or write it again"));
    }
    if start.starts_with(&[0, 0]) && start.len() >= 4 && (8..=14).contains(&start[2]) || ends(&["-ubyte", ".idx", "idx3", "idx1"]) {
        return Ok(Format::Idx);
    }
    if start.get(257..262) == Some(b"ustar".as_slice()) || ends(&[".tar", ".tgz"]) {
        return Ok(Format::Archive);
    }
    if ends(&[".npz"]) {
        return Ok(Format::Numpy);
    }
    if ends(&[".bin"]) {
        return Ok(Format::CifarFile);
    }
    if ends(&[".csv"]) {
        return Ok(Format::Columns);
    }
    let what = "is of no known kind; give a folder of images, a .tar, .tar.gz, .csv or .npz file, IDX images, or CIFAR's .bin";
    Err(Error::format(path, if decode::is_image_name(path) { "is one image; give its folder" } else { what }))
}

/// Opens a file, unpacked if it is gzipped, whatever its name.
fn open(path: &Path) -> Result<Box<dyn Read>> {
    let said = |source| Error::io(path, source);
    let mut magic = Vec::new();
    memory::open(path)?.take(2).read_to_end(&mut magic).map_err(said)?;
    let file = BufReader::with_capacity(1 << 16, memory::open(path)?);
    Ok(if magic == [0x1f, 0x8b] { Box::new(BufReader::with_capacity(1 << 16, MultiGzDecoder::new(file))) } else { Box::new(file) })
}

/// An error of the operating system or of unpacking, as one of this file.
fn unreadable(path: &Path, error: &std::io::Error) -> Error {
    Error::format(path, format!("cannot be read to its end ({error}); it may be truncated or damaged, fetch it again"))
}

/// Classes from labels as a file gives them: the class of each label, and the names in order. Whole numbers are in numerical order.
fn classes_from(labels: &[String]) -> (Vec<u32>, Vec<String>) {
    let mut names: Vec<&String> = labels.iter().collect::<std::collections::BTreeSet<_>>().into_iter().collect();
    let numbers: Option<Vec<i64>> = names.iter().map(|name| name.parse().ok()).collect();
    if numbers.is_some() {
        names.sort_by_key(|name| name.parse::<i64>().unwrap_or_default());
    }
    let ids: std::collections::HashMap<&String, u32> = names.iter().enumerate().map(|(id, &name)| (name, id as u32)).collect();
    (labels.iter().map(|label| ids[label]).collect(), names.into_iter().cloned().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_spread_over_all() {
        let options = ImageOptions { limit: Some(3), ..ImageOptions::default() };
        assert_eq!(options.chosen(10), [0, 3, 6]);
        assert_eq!(options.chosen(2), [0, 1]);
    }

    #[test]
    fn numbers_are_in_order_and_text_is_sorted() {
        let owned = |labels: &[&str]| labels.iter().map(|&label| label.to_owned()).collect::<Vec<_>>();
        assert_eq!(classes_from(&owned(&["10", "9", "10"])), (vec![1, 0, 1], owned(&["9", "10"])));
        assert_eq!(classes_from(&owned(&["b", "10", "9"])), (vec![2, 0, 1], owned(&["10", "9", "b"])));
    }

    #[test]
    fn impossible_options_are_named() {
        let said = |options: ImageOptions| options.check().expect_err("impossible").to_string();
        assert!(said(ImageOptions::with_size(0, 3)).contains("[0, 3]"));
        assert!(said(ImageOptions { channels: Some(4), ..Default::default() }).contains("channels = 4"));
        assert!(said(ImageOptions { limit: Some(0), ..Default::default() }).contains("limit = 0"));
        assert!(said(ImageOptions { pixel_max: Some(f64::NAN), ..Default::default() }).contains("pixel_max"));
    }
}
