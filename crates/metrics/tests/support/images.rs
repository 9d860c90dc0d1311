//! Known leaks and known damage, planted in honest images.
#![allow(dead_code)]

use std::path::{Path, PathBuf};

use semblant_data::catalog::Catalog;
use semblant_data::image::Images;

use super::planted::random;

/// Training images, images in place of synthetic ones, and holdout images of one population: no image is in two of them.
pub(crate) struct Parts {
    pub(crate) train: Images,
    pub(crate) honest: Images,
    pub(crate) holdout: Images,
}

/// All images of a data set in the folder `SEMBLANT_DATA`.
pub(crate) fn data_set(name: &str) -> Images {
    let folder = std::env::var_os("SEMBLANT_DATA").map(PathBuf::from).expect("SEMBLANT_DATA names a folder of data sets");
    let known = Catalog::get(name).expect("known");
    let read = |split| known.read_images(split, Some(&folder), Path::new("/nowhere")).expect("as declared").images;
    Images::concat(vec![read("train"), read("test")]).expect("of one size")
}

/// So many training, synthetic and holdout images, drawn by the seed.
pub(crate) fn parts(images: &Images, [train, synthetic, holdout]: [usize; 3], seed: u64) -> Parts {
    let mut order: Vec<usize> = (0..images.count()).collect();
    random(seed, 10).shuffle(&mut order);
    let part = |from: usize, count: usize| images.select(&order[from..from + count]);
    Parts { train: part(0, train), honest: part(train, synthetic), holdout: part(train + synthetic, holdout) }
}

/// The images with other pixels.
pub(crate) fn with_pixels(images: &Images, pixels: Vec<u8>) -> Images {
    let classes = images.classes().map(|classes| (classes.to_vec(), images.class_names().to_vec()));
    Images::new(pixels, images.shape(), classes).expect("of one size")
}

/// Normal noise of so many steps of 255 on every pixel.
pub(crate) fn noisy(images: &Images, deviation: f64) -> Images {
    let mut random = random(11, 11);
    let mut normal = || (-2.0 * (1.0 - random.unit()).ln()).sqrt() * (2.0 * std::f64::consts::PI * random.unit()).cos();
    with_pixels(images, images.pixels().iter().map(|&byte| (f64::from(byte) + deviation * normal()).round() as u8).collect())
}

/// A Gaussian blur with a deviation of so many pixels.
pub(crate) fn blurred(images: &Images, deviation: f64) -> Images {
    let reach = (3.0 * deviation).ceil() as isize;
    let weights: Vec<f64> = (-reach..=reach).map(|at| (-0.5 * (at as f64 / deviation).powi(2)).exp()).collect();
    let sum: f64 = weights.iter().sum();
    let [_, _, height, width] = images.shape();
    let blur = |values: &[f64], step: usize, length: usize| -> Vec<f64> {
        let one = |at: usize| {
            let place = (at / step % length) as isize;
            let value = |(offset, weight): (isize, &f64)| {
                let moved = (place + offset).clamp(0, length as isize - 1) - place;
                weight * values[(at as isize + moved * step as isize) as usize]
            };
            (-reach..=reach).zip(&weights).map(value).sum::<f64>() / sum
        };
        (0..values.len()).map(one).collect()
    };
    let bytes: Vec<f64> = images.pixels().iter().map(|&byte| f64::from(byte)).collect();
    with_pixels(images, blur(&blur(&bytes, 1, width), width, height).into_iter().map(|value| value.round() as u8).collect())
}

/// Brighter and of less contrast: `40 + 0.7 x`.
pub(crate) fn brighter(images: &Images) -> Images {
    with_pixels(images, images.pixels().iter().map(|&byte| (40.0 + 0.7 * f64::from(byte)).round() as u8).collect())
}

/// Moved by one pixel down and to the right; the margin repeats.
pub(crate) fn moved(images: &Images) -> Images {
    let [count, channels, height, width] = images.shape();
    let from = |at: usize| {
        let (row, column) = (at / width % height, at % width);
        at - (at / width % height) * width - column + row.saturating_sub(1) * width + column.saturating_sub(1)
    };
    with_pixels(images, (0..count * channels * height * width).map(|at| images.pixels()[from(at)]).collect())
}

/// The first images of the honest ones, followed by a share that are training images after `change`.
pub(crate) fn copies(parts: &Parts, share: f64, change: impl Fn(&Images) -> Images) -> Images {
    let leaked = (share * parts.honest.count() as f64).round() as usize;
    let first = |images: &Images, count: usize| images.select(&(0..count).collect::<Vec<usize>>());
    let honest = first(&parts.honest, parts.honest.count() - leaked);
    Images::concat(vec![honest, change(&first(&parts.train, leaked))]).expect("of one size")
}

/// Without the images of one class.
pub(crate) fn without_class(images: &Images, class: u32) -> Images {
    images.select(&(0..images.count()).filter(|&index| images.class_of(index) != Some(class)).collect::<Vec<usize>>())
}

/// The images of one class.
pub(crate) fn one_class(images: &Images, class: u32) -> Images {
    images.select(&(0..images.count()).filter(|&index| images.class_of(index) == Some(class)).collect::<Vec<usize>>())
}

/// With half of the images of one class.
pub(crate) fn with_half_of_class(images: &Images, class: u32) -> Images {
    let mut seen = 0;
    let mut keep = |&index: &usize| {
        seen += u32::from(images.class_of(index) == Some(class));
        images.class_of(index) != Some(class) || seen % 2 == 0
    };
    images.select(&(0..images.count()).filter(|index| keep(index)).collect::<Vec<usize>>())
}

/// With the labels of the first two classes exchanged.
pub(crate) fn mixed_labels(images: &Images) -> Images {
    let classes = images.classes().expect("classes").iter().map(|&class| if class < 2 { 1 - class } else { class }).collect();
    Images::new(images.pixels().to_vec(), images.shape(), Some((classes, images.class_names().to_vec()))).expect("sound")
}
