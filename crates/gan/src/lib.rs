//! Generative adversarial networks of images.
//!
//! ```
//! use semblant_core::synthesizer::{Run, SampleRequest};
//! use semblant_data::image::Images;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // Eight grey pictures of 8 x 8 pixels, dark or bright.
//! let images = Images::new((0..8 * 64).map(|i| if i / 64 % 2 == 0 { 10 } else { 240 }).collect(), [8, 1, 8, 8], None)?;
//! let gan = semblant_gan::MODELS.iter().find(|entry| entry.name == "r3gan").ok_or("listed")?;
//! let settings = serde_json::json!({ "network": { "channels": [8, 4] }, "training": { "images": 64, "batch_images": 8 } });
//! let mut model = (gan.build)(settings)?;
//! model.fit(&images, &mut Run::new(semblant_core::device::select("cpu")?, 0))?;
//! assert_eq!(model.sample(&SampleRequest::new(2, 0))?.data.shape(), [2, 1, 8, 8]);
//! # Ok(())
//! # }
//! ```
//!
//! - [`models`]: one file a model. [`MODELS`] lists them.
//! - [`losses`]: what critic and generator play for; [`augment`]: changes of images that both see, so that a critic cannot learn few images
//!   by heart.
//! - [`networks`]: generators and critics. [`piecewise`]: what critics are built of, so that their gradient penalties are exact.
#![cfg_attr(not(test), warn(clippy::disallowed_methods))]

pub mod augment;
pub mod losses;
pub mod models;
pub mod networks;
pub mod piecewise;
mod pipeline;
pub mod trainer;

use semblant_core::synthesizer::Entry;
use semblant_data::image::Images;
use semblant_images::entry;

use pipeline::GanFamily;

/// The models of this family. Adding one is one file and one line here.
pub const MODELS: &[Entry<Images>] = &[
    entry::<GanFamily<models::r3gan::R3gan>>(),
    entry::<GanFamily<models::dcgan::Dcgan>>(),
    entry::<GanFamily<models::wgan_gp::WganGp>>(),
];
