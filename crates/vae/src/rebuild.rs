//! Images after the way through an autoencoder.

use semblant_core::synthesizer::{Sample, SampleRequest};
use semblant_core::{Error, Result};
use semblant_data::image::Images;
use semblant_images::{CHUNK, ImageDraw, ImageKind, remade};

/// One image for each of `data`; `one_chunk` adds the pixels of at most [`CHUNK`] draws, whose rows are the places of the images.
///
/// # Errors
/// A part of the image that is to be kept, and as [`remade`].
pub(crate) fn rebuilt(
    kind: &ImageKind,
    data: &Images,
    keep: Option<&Images>,
    request: &SampleRequest,
    one_chunk: impl Fn(&[ImageDraw], &mut Vec<f32>),
) -> Result<Sample<Images>> {
    if keep.is_some() {
        return Err(Error::Config("an autoencoder rebuilds whole images; leave out what is to be kept".into()));
    }
    remade(kind, data, request, |draws| {
        let mut pixels = Vec::with_capacity(draws.len() * kind.shape.len());
        draws.chunks(CHUNK).for_each(|draws| one_chunk(draws, &mut pixels));
        Ok(pixels)
    })
}
