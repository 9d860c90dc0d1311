//! Reconstructions by an autoencoder.

use semblant_core::synthesizer::Sample;
use semblant_core::{Error, Result};
use semblant_data::image::{ImageRequest, Images};
use semblant_images::{CHUNK, ImageDraw, ImageKind, rebuilt};

/// One image for each of `init`; `one_chunk` adds the pixels of at most [`CHUNK`] draws, whose rows are the positions of the images.
///
/// # Errors
/// A mask, and as [`rebuilt`].
pub(crate) fn through_autoencoder(
    kind: &ImageKind,
    init: &Images,
    mask: Option<&Images>,
    request: &ImageRequest,
    one_chunk: impl Fn(&[ImageDraw], &mut Vec<f32>),
) -> Result<Sample<Images>> {
    if mask.is_some() {
        return Err(Error::Config("an autoencoder reconstructs whole images; omit the mask".into()));
    }
    rebuilt(kind, init, request, |draws| {
        let mut pixels = Vec::with_capacity(draws.len() * kind.shape.len());
        draws.chunks(CHUNK).for_each(|draws| one_chunk(draws, &mut pixels));
        Ok(pixels)
    })
}
