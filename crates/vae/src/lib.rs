//! Variational autoencoders of images.
//!
//! ```
//! use semblant_core::synthesizer::{Run, Synthesizer};
//! use semblant_core::train_config::TrainConfig;
//! use semblant_data::image::{ImageRequest, Images};
//! use semblant_vae::networks::{NetConfig, mlp::MlpConfig};
//! use semblant_vae::{Training, Vae, VaeConfig};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // Eight grey pictures of 4 x 4 pixels, dark or bright.
//! let images = Images::new((0..8 * 16).map(|i| if i / 16 % 2 == 0 { 10 } else { 240 }).collect(), [8, 1, 4, 4], None)?;
//! let mut model = Vae::new(VaeConfig {
//!     latent_width: 2,
//!     network: NetConfig::Mlp(MlpConfig { width: 16, depth: 1 }),
//!     training: Training { train: TrainConfig { rows: 64, batch_rows: 8, ..Training::default().train }, ..Training::default() },
//!     ..VaeConfig::default()
//! })?;
//! model.fit(&images, &mut Run::new(semblant_core::device::select("cpu")?, 0))?;
//! assert_eq!(model.sample(&ImageRequest::new(2, 0))?.data.shape(), [2, 1, 4, 4]);
//! // Reconstructions from two numbers each, and negative log-likelihoods in nats.
//! assert_eq!(model.rebuild().ok_or("an autoencoder")?.rebuild(&images, None, &ImageRequest::new(0, 0))?.data.count(), 8);
//! assert_eq!(model.likelihood().ok_or("a bound")?.negative_log_likelihoods(&images, 10, 0)?.len(), 8);
//! # Ok(())
//! # }
//! ```
//!
//! - [`models`]: one file a model. [`MODELS`] lists them.
//! - [`networks`]: encoders and decoders; [`likelihood`]: the distribution of pixels given a decoder's output.
//! - [`kl`]: diffusers' AutoencoderKL.
//! - [`bound`]: what is maximised; [`estimate`]: likelihood estimates; [`mixture`]: a density of latent vectors.
#![cfg_attr(not(test), warn(clippy::disallowed_methods))]

pub mod bound;
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

pub use kl_pipeline::{open_folder, read_autoencoder};
pub use models::{autoencoder_kl::AutoencoderKlConfig, vae::VaeConfig, vq_vae::VqVaeConfig};
pub use training::{Batch, Training};

use semblant_core::synthesizer::Entry;
use semblant_data::image::Images;
use semblant_images::{ImageSynthesizer, entry};

/// A variational autoencoder with its settings, fitted or not.
pub type Vae = ImageSynthesizer<VaeConfig>;
/// A VQ-VAE and the prior of its codes with its settings, fitted or not.
pub type VqVae = ImageSynthesizer<VqVaeConfig>;
/// The autoencoder of latent diffusion with its settings, fitted or not.
pub type AutoencoderKl = ImageSynthesizer<AutoencoderKlConfig>;

/// The models of this family. Adding one is one file and one line here.
pub const MODELS: &[Entry<Images>] = &[entry::<VaeConfig>(), entry::<VqVaeConfig>(), entry::<AutoencoderKlConfig>()];
