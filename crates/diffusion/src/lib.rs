//! Diffusion and flow image models.
//!
//! ```
//! use semblant_core::synthesizer::{Run, Synthesizer};
//! use semblant_core::train_config::TrainConfig;
//! use semblant_data::image::{ImageRequest, Images};
//! use semblant_diffusion::training::Training;
//! use semblant_diffusion::networks::{NetConfig, mlp::MlpConfig};
//! use semblant_diffusion::{Flow, FlowConfig};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // Eight grey pictures of 4 x 4 pixels, dark or bright.
//! let images = Images::new((0..8 * 16).map(|i| if i / 16 % 2 == 0 { 10 } else { 240 }).collect(), [8, 1, 4, 4], None)?;
//! let mut model = Flow::new(FlowConfig {
//!     network: NetConfig::Mlp(MlpConfig { width: 16, depth: 1 }),
//!     training: Training { train: TrainConfig { rows: 64, batch_rows: 8, ..Training::default().train }, ..Training::default() },
//!     ..FlowConfig::default()
//! })?;
//! model.fit(&images, &mut Run::new(semblant_core::device::select("cpu")?, 0))?;
//! assert_eq!(model.sample(&ImageRequest::new(2, 0))?.data.shape(), [2, 1, 4, 4]);
//! # Ok(())
//! # }
//! ```
//!
//! - [`models`]: one file a model. [`MODELS`] lists them. [`training`]: what their training steps share.
//! - [`process`]: noise levels and what a network predicts at them; [`schedule`]: which levels a solver visits.
//! - [`networks`]: what predicts. [`solvers`]: from noise to image. [`sampler`]: from addresses to images.
//! - [`exchange`]: models from and for Python's diffusers.
#![cfg_attr(not(test), warn(clippy::disallowed_methods))]

pub mod exchange;
pub mod models;
pub mod networks;
mod pipeline;
pub mod process;
pub mod sampler;
pub mod schedule;
pub mod solvers;
pub mod training;

use semblant_core::synthesizer::Entry;
use semblant_data::image::Images;
use semblant_images::{ImageSynthesizer, entry};

pub use models::{consistency::ConsistencyConfig, ddpm::DdpmConfig, edm::EdmConfig, flow::FlowConfig};

/// Flow matching with its settings, fitted or not.
pub type Flow = ImageSynthesizer<FlowConfig>;
/// Diffusion after Karras et al. 2022 with its settings, fitted or not.
pub type Edm = ImageSynthesizer<EdmConfig>;
/// Denoising diffusion after Ho et al. 2020 with its settings, fitted or not.
pub type Ddpm = ImageSynthesizer<DdpmConfig>;
/// A consistency model with its settings, fitted or not.
pub type Consistency = ImageSynthesizer<ConsistencyConfig>;

/// The models of this family. Adding one is one file and one line here.
pub const MODELS: &[Entry<Images>] = &[entry::<FlowConfig>(), entry::<EdmConfig>(), entry::<DdpmConfig>(), entry::<ConsistencyConfig>()];
