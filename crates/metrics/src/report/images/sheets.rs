//! Images as PNG files within the page.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use semblant_data::image::{Images, grid};

use crate::Result;
use crate::random::subsample;
use crate::report::{Picture, Sheet};

/// Most images of a sheet, and most bytes of pixels, which limits the page's size for large photographs.
const MOST: usize = 100;
const BYTES: usize = 1_500_000;

/// A square of images drawn by `seed`.
pub(super) fn sheet(title: &str, images: &Images, seed: u64, purpose: u64) -> Result<Sheet> {
    let chosen = images.select(&subsample(images.count(), most(images), seed, purpose));
    let picture = picture(&chosen, chosen.count().isqrt().max(1))?;
    Ok(Sheet { title: title.into(), shown: chosen.count(), of: images.count(), picture })
}

/// The number of images of a sheet: a square number.
fn most(images: &Images) -> usize {
    let fit = (BYTES / images.bytes_of_one()).clamp(4, MOST);
    fit.isqrt().pow(2)
}

/// The images in a grid of so many columns.
pub(super) fn picture(images: &Images, columns: usize) -> Result<Picture> {
    let png = grid(images, columns, 1)?;
    // A PNG file begins with its signature, width and height.
    let side = |at: usize| png.get(at..at + 4).map_or(0, |b| u32::from_be_bytes([b[0], b[1], b[2], b[3]]) as usize);
    Ok(Picture { uri: format!("data:image/png;base64,{}", STANDARD.encode(&png)), size: [side(16), side(20)] })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sheet_is_a_square_of_bounded_size() {
        let images = |count: usize, side: usize| Images::new(vec![7; count * side * side * 3], [count, 3, side, side], None).unwrap();
        let of = |images: &Images| sheet("Real", images, 0, 0).unwrap();
        let small = of(&images(300, 8));
        assert_eq!((small.shown, small.of, small.picture.size), (100, 300, [10 * 10 + 2; 2]));
        assert!(small.picture.uri.starts_with("data:image/png;base64,iVBORw0KGgo"), "{}", small.picture.uri);
        assert_eq!(of(&images(30, 256)).shown, 4);
        assert_eq!(of(&images(3, 8)).shown, 3);
    }
}
