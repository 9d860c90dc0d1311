//! Memorization of training images, by nearest neighbours in pixels.

use semblant_data::image::Images;
use serde::{Deserialize, Serialize};

use crate::Result;
use crate::error::undefined;
use crate::nearest::{Rows, Smallest};
use crate::table::privacy::quantile;

/// An image counts as memorized if its distance to the nearest training image is below this fraction of that to the second nearest.
pub const MEMORISED_BELOW: f64 = 1.0 / 3.0;

/// Distances of images to training images.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Memorization {
    /// The share of images that are memorized ([`Nearest::is_memorised`]), 0 to 1.
    pub memorised: f64,
    /// The median distance to the nearest training image: root mean squared difference of pixels, 0 equal, 1 black against white.
    pub nearest: f64,
}

/// The training image nearest to an image.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Nearest {
    /// Its index among the training images.
    pub training: usize,
    /// Its distance: root mean squared difference of pixels, 0 equal, 1 black against white.
    pub distance: f64,
    /// That of the second nearest.
    pub second: f64,
}

impl Nearest {
    /// Whether the image equals its nearest training image, or its distance is less than a third of that to any other.
    pub fn is_memorised(&self) -> bool {
        self.ratio() < MEMORISED_BELOW
    }

    /// The distance divided by that of the second nearest; 0 for equal images.
    pub fn ratio(&self) -> f64 {
        if self.distance == 0.0 { 0.0 } else { self.distance / self.second }
    }
}

/// Compares each of `images` with each of `train` by pixels, exactly.
///
/// It finds copies and slightly changed copies, also among similar training images, but not shifted or rotated copies. The same score of a
/// holdout is the reference. Source: Yoon et al. 2023, "Diffusion probabilistic models generalize when they fail to memorize" (the
/// threshold of one third).
///
/// # Errors
/// Fewer than two training images, or no images.
///
/// # Panics
/// When the images are of another size.
pub fn memorization(train: &Images, images: &Images) -> Result<Memorization> {
    Ok(summary(&nearest(train, images)?))
}

/// The nearest training image of every one of `images`, in their order.
///
/// # Errors
/// As [`memorization`].
///
/// # Panics
/// As [`memorization`].
pub fn nearest(train: &Images, images: &Images) -> Result<Vec<Nearest>> {
    if train.count() < 2 || images.count() == 0 {
        return undefined(format!(
            "memorization needs at least two training images and one image, there are {} and {}",
            train.count(),
            images.count()
        ));
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

/// The summary over all images.
pub(super) fn summary(found: &[Nearest]) -> Memorization {
    let memorised = found.iter().filter(|nearest| nearest.is_memorised()).count();
    let mut nearest: Vec<f64> = found.iter().map(|nearest| nearest.distance).collect();
    nearest.sort_unstable_by(f64::total_cmp);
    Memorization { memorised: memorised as f64 / found.len() as f64, nearest: quantile(&nearest, 0.5) }
}

/// The 95 % confidence interval of the median distance: the ranks that a binomial count of distances below the median lies between.
pub(super) fn nearest_interval(found: &[Nearest]) -> [f64; 2] {
    let mut nearest: Vec<f64> = found.iter().map(|nearest| nearest.distance).collect();
    nearest.sort_unstable_by(f64::total_cmp);
    let half = 0.98 / (nearest.len() as f64).sqrt();
    [0.5 - half, 0.5 + half].map(|share| quantile(&nearest, share.clamp(0.0, 1.0)))
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
        assert_eq!(memorization(&train, &fresh).unwrap().memorised, 0.0);
        let found = memorization(&train, &with_copies).unwrap();
        assert!((found.memorised - 0.2).abs() < 1e-12 && found.nearest > 0.2, "{found:?}");
        assert!(nearest(&train, &with_copies).unwrap()[160..].iter().enumerate().all(|(place, found)| found.training == place));
        assert_eq!(memorization(&train, &train).unwrap(), Memorization { memorised: 1.0, nearest: 0.0 });
        assert!(memorization(&train.select(&[0]), &fresh).is_err() && memorization(&train, &fresh.select(&[])).is_err());
    }

    #[test]
    fn distances_are_shares_of_the_whole_range() {
        let flat = |bytes: &[u8]| Images::new(bytes.iter().flat_map(|&byte| [byte; 4]).collect(), [bytes.len(), 1, 2, 2], None).unwrap();
        assert_eq!(memorization(&flat(&[0, 0]), &flat(&[255])).unwrap(), Memorization { memorised: 0.0, nearest: 1.0 });
        assert_eq!(memorization(&flat(&[0, 30]), &flat(&[51])).unwrap().nearest, 21.0 / 255.0);
    }
}
