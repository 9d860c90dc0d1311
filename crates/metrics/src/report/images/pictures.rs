//! Images on a page: sheets and pairs as PNG files within it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use semblant_data::image::{Images, grid};

use super::Closest;
use crate::Result;
use crate::random::subsample;

/// PNG files as data URIs.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Pictures {
    /// Real images, drawn by the seed.
    pub(super) real: Option<Sheet>,
    /// Synthetic ones.
    pub(super) synthetic: Option<Sheet>,
    /// The closest synthetic images, each with its training image.
    pub(super) closest: Vec<[Sheet; 2]>,
}

/// One picture.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Sheet {
    pub(super) uri: String,
    /// Images in it.
    pub(super) count: usize,
    /// Its sides in pixels, so that the page does not jump when it is decoded.
    pub(super) size: [usize; 2],
}

/// Images of a sheet at most, and bytes of pixels that it may have: a sheet of large photographs shall not be a page of 50 MB.
const MOST: usize = 100;
const BYTES: usize = 1_500_000;

impl Pictures {
    pub(super) fn of(real: &Images, synthetic: &Images, closest: &[Closest], seed: u64) -> Result<Self> {
        let sheet = |images: &Images, purpose| sheet(&images.select(&subsample(images.count(), most(images), seed, purpose)));
        let pair =
            |closest: &Closest| Ok([picture(&synthetic.select(&[closest.synthetic]), 1)?, picture(&real.select(&[closest.real]), 1)?]);
        Ok(Self {
            real: Some(sheet(real, 50)?),
            synthetic: Some(sheet(synthetic, 51)?),
            closest: closest.iter().map(pair).collect::<Result<_>>()?,
        })
    }
}

/// How many images a sheet has: a square number, as far as the images allow.
fn most(images: &Images) -> usize {
    let fit = (BYTES / images.bytes_of_one()).clamp(4, MOST);
    fit.isqrt().pow(2)
}

fn sheet(images: &Images) -> Result<Sheet> {
    picture(images, images.count().isqrt().max(1))
}

fn picture(images: &Images, columns: usize) -> Result<Sheet> {
    let png = grid(images, columns, 1)?;
    // A PNG file begins with its signature and its sides.
    let side = |at: usize| png.get(at..at + 4).map_or(0, |b| u32::from_be_bytes([b[0], b[1], b[2], b[3]]) as usize);
    Ok(Sheet { uri: uri(&png), count: images.count(), size: [side(16), side(20)] })
}

fn uri(png: &[u8]) -> String {
    format!("data:image/png;base64,{}", STANDARD.encode(png))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_written_as_the_standard_has_them() {
        // RFC 4648, section 10.
        for (bytes, text) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("foobar", "Zm9vYmFy")] {
            assert_eq!(uri(bytes.as_bytes()), format!("data:image/png;base64,{text}"));
        }
    }

    #[test]
    fn a_sheet_is_a_square_of_bounded_size() {
        let images = |count: usize, side: usize| Images::new(vec![7; count * side * side * 3], [count, 3, side, side], None).unwrap();
        let of = |images: &Images| sheet(&images.select(&subsample(images.count(), most(images), 0, 0))).unwrap();
        let small = of(&images(300, 8));
        assert_eq!((small.count, small.size), (100, [10 * 10 + 2; 2]));
        assert!(small.uri.starts_with("data:image/png;base64,iVBORw0KGgo"), "{}", small.uri);
        assert_eq!(of(&images(30, 256)).count, 4);
        assert_eq!(of(&images(3, 8)).count, 3);
    }
}
