//! Images: equally large pictures of bytes, their classes, and the ways to files and tensors.
//!
//! ```
//! use semblant_data::image::Images;
//!
//! # fn main() -> Result<(), semblant_data::Error> {
//! // Two grey pictures of one row and two columns.
//! let images = Images::new(vec![0, 255, 128, 7], [2, 1, 1, 2], Some((vec![0, 1], vec!["cat".into(), "dog".into()])))?;
//! assert_eq!(images.pixels_of(1), [128, 7]);
//! assert_eq!(images.class_of(1), Some(1));
//! # Ok(())
//! # }
//! ```

pub mod augment;
mod device;
mod kind;
mod read;
mod request;
mod stream;
mod write;

pub use device::DeviceImages;
pub use kind::ImagesWriter;
pub use read::{ImageOptions, ReadImages};
pub use request::{ClassRequest, ImageRequest};
pub use write::grid;

use rayon::prelude::*;

use crate::{Error, Result};

/// Classes as they go into [`Images::new`]: the class of each image, and the names of the classes.
pub type Classes = (Vec<u32>, Vec<String>);

/// Images in memory, all of one size: bytes of shape `[count, channels, height, width]` in row-major order, 0 black and 255 full.
///
/// One channel is grey, three are red, green and blue. The images may have classes, numbered from 0 in the order of their names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Images {
    pixels: Vec<u8>,
    shape: [usize; 4],
    classes: Option<Vec<u32>>,
    class_names: Vec<String>,
}

impl Images {
    /// Images from bytes of shape `[count, channels, height, width]`, and their classes if they have any.
    ///
    /// # Errors
    /// When the number of bytes is not the product of the shape, an image has no pixels or neither 1 nor 3 channels, there is not one
    /// class for each image, a class has no name, or a name occurs twice.
    pub fn new(pixels: Vec<u8>, shape: [usize; 4], classes: Option<Classes>) -> Result<Self> {
        let [count, channels, height, width] = shape;
        check_size(channels, height, width)?;
        let wanted = shape.iter().try_fold(1usize, |product, &side| product.checked_mul(side));
        if wanted != Some(pixels.len()) {
            let what = format!("{count} images of {channels} x {height} x {width} do not make {} bytes", pixels.len());
            return Err(Error::Images(what));
        }
        let (classes, class_names) = match classes {
            Some((classes, names)) => {
                check_classes(&classes, &names, count)?;
                (Some(classes), names)
            }
            None => (None, Vec::new()),
        };
        Ok(Self { pixels, shape, classes, class_names })
    }

    /// Images from a model's output: values of shape `[count, channels, height, width]` in `[-1, 1]`, rounded to the nearest byte.
    /// Values outside are clamped, as networks overshoot a little.
    ///
    /// # Errors
    /// As [`Images::new`], and when a value is not a number, which a model that has diverged puts out.
    pub fn from_unit(values: &[f32], shape: [usize; 4], classes: Option<Classes>) -> Result<Self> {
        if let Some(position) = values.par_iter().position_first(|value| value.is_nan()) {
            let image = position / shape[1..].iter().product::<usize>().max(1);
            let what =
                format!("image {image} has a pixel that is not a number; the model has diverged, train it with a lower learning rate");
            return Err(Error::Images(what));
        }
        Self::new(values.par_iter().map(|&value| to_byte(value)).collect(), shape, classes)
    }

    /// How many images there are.
    pub fn count(&self) -> usize {
        self.shape[0]
    }

    /// 1 for grey, 3 for red, green and blue.
    pub fn channels(&self) -> usize {
        self.shape[1]
    }

    /// The rows of pixels of an image.
    pub fn height(&self) -> usize {
        self.shape[2]
    }

    /// The columns of pixels of an image.
    pub fn width(&self) -> usize {
        self.shape[3]
    }

    /// `[count, channels, height, width]`.
    pub fn shape(&self) -> [usize; 4] {
        self.shape
    }

    /// The bytes of one image: `channels * height * width`.
    pub fn bytes_of_one(&self) -> usize {
        self.shape[1] * self.shape[2] * self.shape[3]
    }

    /// All bytes, image after image.
    pub fn pixels(&self) -> &[u8] {
        &self.pixels
    }

    /// The bytes of image `index`, of shape `[channels, height, width]`.
    ///
    /// # Panics
    /// When `index` is not below [`Images::count`].
    pub fn pixels_of(&self, index: usize) -> &[u8] {
        let one = self.bytes_of_one();
        &self.pixels[index * one..(index + 1) * one]
    }

    /// The classes of all images, if they have any.
    pub fn classes(&self) -> Option<&[u32]> {
        self.classes.as_deref()
    }

    /// The class of image `index`.
    ///
    /// # Panics
    /// When the images have classes and `index` is not below [`Images::count`].
    pub fn class_of(&self, index: usize) -> Option<u32> {
        self.classes.as_ref().map(|classes| classes[index])
    }

    /// The names of the classes; none when the images have no classes.
    pub fn class_names(&self) -> &[String] {
        &self.class_names
    }

    /// How many images each class has; empty when the images have no classes.
    pub fn class_counts(&self) -> Vec<usize> {
        let mut counts = vec![0; self.class_names.len()];
        for &class in self.classes.iter().flatten() {
            counts[class as usize] += 1;
        }
        counts
    }

    /// The images at `indices`, in that order; an index may occur more than once. The class names stay as they are.
    ///
    /// # Panics
    /// When an index is not below [`Images::count`].
    pub fn select(&self, indices: &[usize]) -> Self {
        let mut pixels = Vec::with_capacity(indices.len() * self.bytes_of_one());
        for &index in indices {
            pixels.extend_from_slice(self.pixels_of(index));
        }
        let classes = self.classes.as_ref().map(|classes| indices.iter().map(|&index| classes[index]).collect());
        let [_, channels, height, width] = self.shape;
        Self { pixels, shape: [indices.len(), channels, height, width], classes, class_names: self.class_names.clone() }
    }

    /// All images of several sets of one shape, in their order. Their classes stay when every set has the same names.
    ///
    /// # Errors
    /// When there is no set, or they differ in size.
    pub fn concat(sets: Vec<Self>) -> Result<Self> {
        let mut sets = sets.into_iter();
        let mut all = sets.next().ok_or_else(|| Error::Images("there are no images to join".into()))?;
        for set in sets {
            if set.shape[1..] != all.shape[1..] {
                return Err(Error::Images(format!("images of shapes {:?} and {:?} cannot be joined", &all.shape[1..], &set.shape[1..])));
            }
            all.pixels.extend(set.pixels);
            all.shape[0] += set.shape[0];
            all.classes = match (all.classes, set.classes) {
                (Some(mut classes), Some(more)) if all.class_names == set.class_names => {
                    classes.extend(more);
                    Some(classes)
                }
                _ => None,
            };
            if all.classes.is_none() {
                all.class_names.clear();
            }
        }
        Ok(all)
    }

    /// The images at `indices` as a model sees them: `x / 127.5 - 1`, so in `[-1, 1]`, of shape
    /// `[indices.len(), channels, height, width]`.
    ///
    /// # Panics
    /// When an index is not below [`Images::count`].
    pub fn units_of(&self, indices: &[usize]) -> Vec<f32> {
        let one = self.bytes_of_one();
        let mut units = vec![0.0; indices.len() * one];
        units.par_chunks_mut(one).zip(indices).with_min_len(64).for_each(|(units, &index)| {
            for (unit, &byte) in units.iter_mut().zip(self.pixels_of(index)) {
                *unit = to_unit(byte);
            }
        });
        units
    }
}

fn check_size(channels: usize, height: usize, width: usize) -> Result<()> {
    if height == 0 || width == 0 {
        return Err(Error::Images(format!("images of {height} x {width} pixels are empty; each side needs at least one")));
    }
    if channels != 1 && channels != 3 {
        return Err(Error::Images(format!("images have 1 channel (grey) or 3 (red, green, blue), not {channels}")));
    }
    Ok(())
}

fn check_classes(classes: &[u32], names: &[String], count: usize) -> Result<()> {
    if classes.len() != count {
        return Err(Error::Images(format!("there are {count} images and {} classes; each image has one", classes.len())));
    }
    if let Some(image) = classes.iter().position(|&class| class as usize >= names.len()) {
        let what = format!("image {image} is of class {}, but only {} classes have names", classes[image], names.len());
        return Err(Error::Images(what));
    }
    let mut seen = std::collections::HashSet::new();
    match names.iter().find(|name| !seen.insert(name.as_str())) {
        Some(twice) => Err(Error::Images(format!("two classes have the name \"{twice}\"; rename one of them"))),
        None => Ok(()),
    }
}

fn to_unit(byte: u8) -> f32 {
    f32::from(byte) / 127.5 - 1.0
}

fn to_byte(unit: f32) -> u8 {
    ((unit.clamp(-1.0, 1.0) + 1.0) * 127.5).round() as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|&name| name.to_owned()).collect()
    }

    #[test]
    fn every_byte_survives_the_way_through_a_model() {
        let images = Images::new((0..=255).collect(), [1, 1, 16, 16], None).expect("images");
        let units = images.units_of(&[0]);
        assert_eq!((units[0], units[255]), (-1.0, 1.0));
        assert_eq!(Images::from_unit(&units, [1, 1, 16, 16], None).expect("images"), images);
    }

    #[test]
    fn output_beyond_the_range_is_clamped_and_nan_is_named() {
        let images = Images::from_unit(&[-1.5, 7.0, 0.0, f32::INFINITY], [1, 1, 2, 2], None).expect("images");
        assert_eq!(images.pixels(), [0, 255, 128, 255]);
        let said = Images::from_unit(&[0.0, 0.0, f32::NAN], [3, 1, 1, 1], None).expect_err("not a number").to_string();
        assert!(said.contains("image 2"), "{said}");
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let said = |pixels: usize, shape, classes| Images::new(vec![0; pixels], shape, classes).expect_err("no fit").to_string();
        assert!(said(5, [1, 1, 2, 2], None).contains("5 bytes"));
        assert!(said(0, [1, 1, 0, 2], None).contains("0 x 2"));
        assert!(said(2, [1, 2, 1, 1], None).contains("not 2"));
        assert!(said(0, [usize::MAX, 3, 2, 2], None).contains("0 bytes"));
        assert!(said(2, [2, 1, 1, 1], Some((vec![0], names(&["a"])))).contains("2 images and 1 classes"));
        assert!(said(2, [2, 1, 1, 1], Some((vec![0, 1], names(&["a"])))).contains("image 1 is of class 1"));
        assert!(said(1, [1, 1, 1, 1], Some((vec![0], names(&["a", "a"])))).contains("\"a\""));
    }

    #[test]
    fn select_repeats_and_reorders() {
        let classes = Some((vec![0, 1, 1], names(&["a", "b"])));
        let images = Images::new(vec![1, 2, 3, 4, 5, 6], [3, 1, 1, 2], classes).expect("images");
        let chosen = images.select(&[2, 0, 2]);
        assert_eq!(chosen.pixels(), [5, 6, 1, 2, 5, 6]);
        assert_eq!(chosen.classes(), Some([1, 0, 1].as_slice()));
        assert_eq!((chosen.class_counts(), images.class_counts()), (vec![1, 2], vec![1, 2]));
        assert_eq!(images.select(&[]).count(), 0);
    }
}
