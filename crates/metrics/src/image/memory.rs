//! Did a generator keep images that it was trained on? Nearest neighbours by pixels.

use semblant_data::image::Images;
use serde::{Deserialize, Serialize};

use crate::Result;
use crate::error::undefined;
use crate::nearest::{Rows, Smallest};
use crate::table::privacy::quantile;

/// An image whose nearest training image is less than this share as far away as the second nearest counts as memorised.
pub const MEMORISED_BELOW: f64 = 1.0 / 3.0;

/// How near images are to training images.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Memory {
    /// The share of images that are memorised: nearer to one training image than a third of the distance to any other, or equal to one.
    pub memorised: f64,
    /// The median distance to the nearest training image: root mean squared difference of pixels, 0 equal, 1 black against white.
    pub nearest: f64,
}

/// The training image that an image is nearest to.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Nearest {
    /// Its place among the training images.
    pub training: usize,
    /// Its distance: root mean squared difference of pixels, 0 equal, 1 black against white.
    pub distance: f64,
    /// That of the second nearest.
    pub second: f64,
}

impl Nearest {
    /// Whether the image is equal to its nearest one, or nearer to it than a third of the distance to any other.
    pub fn is_memorised(&self) -> bool {
        self.share() < MEMORISED_BELOW
    }

    /// The distance as a share of that of the second nearest, 0 for equal images.
    pub fn share(&self) -> f64 {
        if self.distance == 0.0 { 0.0 } else { self.distance / self.second }
    }
}

/// Compares every one of `images` with every one of `train`, pixel by pixel, exactly.
///
/// It finds copies and slight changes of copies, also where many training images are alike; shifted or turned copies are beyond it. The same
/// of a holdout says what images that nobody has copied get. Source: Yoon et al. 2023, "Diffusion probabilistic models generalize when
/// they fail to memorize" (the rule of a third).
///
/// # Errors
/// Fewer than two training images, or no images.
///
/// # Panics
/// When the images are of another size.
pub fn memory(train: &Images, images: &Images) -> Result<Memory> {
    Ok(summary(&nearest(train, images)?))
}

/// The nearest training image of every one of `images`, in their order.
///
/// # Errors
/// As [`memory`].
///
/// # Panics
/// As [`memory`].
pub fn nearest(train: &Images, images: &Images) -> Result<Vec<Nearest>> {
    if train.count() < 2 || images.count() == 0 {
        return undefined(format!("memory needs two training images and an image, there are {} and {}", train.count(), images.count()));
    }
    let size = train.bytes_of_one();
    assert_eq!(size, images.bytes_of_one(), "images of one size");
    let two = |(smallest, place): &mut (Smallest<2>, usize), first: usize, distances: &[f64]| {
        for (index, &distance) in distances.iter().enumerate() {
            if distance < smallest.0[0] {
                *place = first + index;
            }
            smallest.add(distance);
        }
    };
    let found = Rows::new(images.pixels(), size).fold(&Rows::new(train.pixels(), size), |_| (Smallest::new(), 0), two);
    let distance = |square: f64| (square / size as f64).sqrt() / 255.0;
    let one = |(Smallest([first, second]), training)| Nearest { training, distance: distance(first), second: distance(second) };
    Ok(found.into_iter().map(one).collect())
}

/// What the nearest images say together.
pub(super) fn summary(found: &[Nearest]) -> Memory {
    let memorised = found.iter().filter(|nearest| nearest.is_memorised()).count();
    let mut nearest: Vec<f64> = found.iter().map(|nearest| nearest.distance).collect();
    nearest.sort_unstable_by(f64::total_cmp);
    Memory { memorised: memorised as f64 / found.len() as f64, nearest: quantile(&nearest, 0.5) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::random;

    fn noise(seed: u64, count: usize) -> Images {
        let mut random = random(seed, 0);
        Images::new((0..count * 64).map(|_| random.below(256) as u8).collect(), [count, 1, 8, 8], None).unwrap()
    }

    #[test]
    fn a_fifth_of_faint_copies_is_a_fifth() {
        let (train, fresh) = (noise(0, 400), noise(1, 160));
        let copies: Vec<u8> = train.pixels()[..40 * 64].iter().map(|&byte| byte ^ 3).collect();
        let with_copies = Images::concat(vec![fresh.clone(), Images::new(copies, [40, 1, 8, 8], None).unwrap()]).unwrap();
        assert_eq!(memory(&train, &fresh).unwrap().memorised, 0.0);
        let found = memory(&train, &with_copies).unwrap();
        assert!((found.memorised - 0.2).abs() < 1e-12 && found.nearest > 0.2, "{found:?}");
        assert!(nearest(&train, &with_copies).unwrap()[160..].iter().enumerate().all(|(place, found)| found.training == place));
        assert_eq!(memory(&train, &train).unwrap(), Memory { memorised: 1.0, nearest: 0.0 });
        assert!(memory(&train.select(&[0]), &fresh).is_err() && memory(&train, &fresh.select(&[])).is_err());
    }

    #[test]
    fn distances_are_shares_of_the_whole_range() {
        let flat = |bytes: &[u8]| Images::new(bytes.iter().flat_map(|&byte| [byte; 4]).collect(), [bytes.len(), 1, 2, 2], None).unwrap();
        assert_eq!(memory(&flat(&[0, 0]), &flat(&[255])).unwrap(), Memory { memorised: 0.0, nearest: 1.0 });
        assert_eq!(memory(&flat(&[0, 30]), &flat(&[51])).unwrap().nearest, 21.0 / 255.0);
    }
}
