//! Generative adversarial networks of images.
//!
//! ```
//! use semblant_core::synthesizer::{Run, Synthesizer};
//! use semblant_core::train_config::TrainConfig;
//! use semblant_data::image::{ImageRequest, Images};
//! use semblant_gan::networks::NetConfig;
//! use semblant_gan::trainer::Training;
//! use semblant_gan::{R3gan, R3ganConfig};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // Eight grey pictures of 8 x 8 pixels, dark or bright.
//! let images = Images::new((0..8 * 64).map(|i| if i / 64 % 2 == 0 { 10 } else { 240 }).collect(), [8, 1, 8, 8], None)?;
//! let mut model = R3gan::new(R3ganConfig {
//!     network: NetConfig { channels: vec![8, 4], ..NetConfig::default() },
//!     training: Training { train: TrainConfig { rows: 64, batch_rows: 8, ..Training::default().train }, ..Training::default() },
//!     ..R3ganConfig::default()
//! })?;
//! model.fit(&images, &mut Run::new(semblant_core::device::select("cpu")?, 0))?;
//! assert_eq!(model.sample(&ImageRequest::new(2, 0))?.data.shape(), [2, 1, 8, 8]);
//! # Ok(())
//! # }
//! ```
//!
//! - [`models`]: one file a model. [`MODELS`] lists them.
//! - [`losses`]: the objectives of critic and generator; [`augment`]: changes of images that both see, so that a critic cannot learn few images
//!   by heart.
//! - [`networks`]: generators and critics. [`piecewise`]: the layers of critics with exact gradient penalties.
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
use semblant_images::{ImageSynthesizer, entry};

pub use models::{dcgan::DcganConfig, r3gan::R3ganConfig, wgan_gp::WganGpConfig};
pub use pipeline::GanConfig;

/// R3GAN with its settings, fitted or not.
pub type R3gan = ImageSynthesizer<R3ganConfig>;
/// DCGAN (with spectral normalisation) with its settings, fitted or not.
pub type Dcgan = ImageSynthesizer<DcganConfig>;
/// WGAN-GP with its settings, fitted or not.
pub type WganGp = ImageSynthesizer<WganGpConfig>;

/// The models of this family. Adding one is one file and one line here.
pub const MODELS: &[Entry<Images>] = &[entry::<R3ganConfig>(), entry::<DcganConfig>(), entry::<WganGpConfig>()];
