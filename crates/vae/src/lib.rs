//! Variational autoencoders of images.
//!
//! ```
//! use semblant_core::synthesizer::{Run, SampleRequest};
//! use semblant_data::image::Images;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // Eight grey pictures of 4 x 4 pixels, dark or bright.
//! let images = Images::new((0..8 * 16).map(|i| if i / 16 % 2 == 0 { 10 } else { 240 }).collect(), [8, 1, 4, 4], None)?;
//! let vae = semblant_vae::MODELS.iter().find(|entry| entry.name == "vae").ok_or("listed")?;
//! let settings = serde_json::json!({ "latent_width": 2, "network": { "kind": "mlp", "width": 16, "depth": 1 }, "training": { "images": 64, "batch_images": 8 } });
//! let mut model = (vae.build)(settings)?;
//! model.fit(&images, &mut Run::new(semblant_core::device::select("cpu")?, 0))?;
//! assert_eq!(model.sample(&SampleRequest::new(2, 0))?.data.shape(), [2, 1, 4, 4]);
//! // What is left of the images after the way through two numbers, and how likely they are, in nats each.
//! assert_eq!(model.remake(&images, None, &SampleRequest::new(0, 0))?.data.count(), 8);
//! assert_eq!(model.negative_log_likelihoods(&images, 10, 0)?.len(), 8);
//! # Ok(())
//! # }
//! ```
//!
//! - [`models`]: one file a model. [`MODELS`] lists them.
//! - [`networks`]: encoders and decoders; [`likelihood`]: how pixels are spread around what a decoder says.
//! - [`codes`]: codebooks and what their codes are drawn like.
//! - [`kl`]: diffusers' AutoencoderKL.
//! - [`bound`]: what is maximised; [`estimate`]: how likely images are; [`mixture`]: a density of latent vectors.
#![cfg_attr(not(test), warn(clippy::disallowed_methods))]

pub mod bound;
pub mod codes;
pub mod estimate;
pub mod kl;
mod kl_pipeline;
pub mod likelihood;
pub mod mixture;
pub mod models;
pub mod networks;
mod pipeline;
mod rebuild;
mod training;
mod vq_pipeline;

pub use kl_pipeline::{KlFamily, open_folder, read_autoencoder};
pub use training::{Batch, Training};

use semblant_core::synthesizer::Entry;
use semblant_data::image::Images;
use semblant_images::entry;

/// The models of this family. Adding one is one file and one line here.
pub const MODELS: &[Entry<Images>] = &[entry::<pipeline::VaeFamily>(), entry::<vq_pipeline::VqVaeFamily>(), entry::<KlFamily>()];
