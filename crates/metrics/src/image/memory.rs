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
    if train.count() < 2 || images.count() == 0 {
        return undefined(format!("memory needs two training images and an image, there are {} and {}", train.count(), images.count()));
    }
    let size = train.bytes_of_one();
    assert_eq!(size, images.bytes_of_one(), "images of one size");
    let two = |smallest: &mut Smallest<2>, _: usize, distances: &[f64]| distances.iter().for_each(|&distance| smallest.add(distance));
    let found = Rows::new(images.pixels(), size).fold(&Rows::new(train.pixels(), size), |_| Smallest::new(), two);
    let is_memorised = |[first, second]: [f64; 2]| first == 0.0 || first < MEMORISED_BELOW * MEMORISED_BELOW * second;
    let memorised = found.iter().filter(|smallest| is_memorised(smallest.0)).count();
    let mut nearest: Vec<f64> = found.iter().map(|smallest| (smallest.0[0] / size as f64).sqrt() / 255.0).collect();
    nearest.sort_unstable_by(f64::total_cmp);
    Ok(Memory { memorised: memorised as f64 / found.len() as f64, nearest: quantile(&nearest, 0.5) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    fn noise(seed: u64, count: usize) -> Images {
        let mut random = Random::new(seed, 0);
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
