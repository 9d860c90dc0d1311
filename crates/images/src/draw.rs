//! Addresses of images, and their random numbers.

use semblant_core::{Result, config};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::batches::purpose::FIRST_NOISE;

/// Images that go through a network together when they are sampled, padded if there are fewer: a matrix product may order its sums by its
/// shape, and an image must not depend on the number of others.
pub const CHUNK: usize = 16;

/// The address of one image, with its class.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ImageDraw {
    /// The row of its random numbers.
    pub row: u64,
    /// Another row, and how far towards its noise this image's first noise lies, 0 to 1.
    pub towards: Option<(u64, f64)>,
    /// Its class; `None` means no class.
    pub class: Option<u32>,
}

/// `width` standard normal numbers for each draw, `[rows, width]` row-major with zeros after the last draw: the noise of its address, or
/// of the place between two addresses that it asks for.
///
/// # Panics
/// When there are more draws than `rows`.
pub fn latents(draws: &[ImageDraw], rows: usize, width: usize, seed: u64) -> Vec<f32> {
    assert!(draws.len() <= rows, "a row for every draw");
    let stream = FIRST_NOISE.of(seed);
    let mut values = vec![0.0; rows * width];
    for (draw, out) in draws.iter().zip(values.chunks_exact_mut(width)) {
        stream.normals(draw.row, out);
        if let Some((other, share)) = draw.towards {
            let mut far = vec![0.0; width];
            stream.normals(other, &mut far);
            out.copy_from_slice(&slerp(out, &far, share));
        }
    }
    values
}

/// A model's own sampling settings with those of a request laid over them.
///
/// # Errors
/// A name that is not known, or a value of another type.
pub fn overlaid<S: Serialize + DeserializeOwned>(own: &S, settings: &Map<String, Value>) -> Result<S> {
    config::overlaid(own, "sampling", Value::Object(settings.clone()))
}

/// Spherical interpolation between two noises (Shoemake 1985), `share` 0 to 1 of the way from `a` to `b`: unlike a straight line it keeps
/// the length that noise of this dimension has. Plain when the two are parallel.
///
/// # Panics
/// When the lengths differ.
pub fn slerp(a: &[f32], b: &[f32], share: f64) -> Vec<f32> {
    assert_eq!(a.len(), b.len(), "two noises of one shape");
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum::<f64>();
    let cosine = (dot(a, b) / (dot(a, a) * dot(b, b)).sqrt().max(f64::MIN_POSITIVE)).clamp(-1.0, 1.0);
    let angle = cosine.acos();
    let (on_a, on_b) = if angle.sin() < 1e-6 {
        (1.0 - share, share)
    } else {
        (((1.0 - share) * angle).sin() / angle.sin(), (share * angle).sin() / angle.sin())
    };
    a.iter().zip(b).map(|(&a, &b)| (on_a * f64::from(a) + on_b * f64::from(b)) as f32).collect()
}
