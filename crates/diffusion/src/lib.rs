//! Diffusion and flow models of images.
//!
//! ```
//! use semblant_core::synthesizer::{Run, SampleRequest};
//! use semblant_data::image::Images;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // Eight grey pictures of 4 x 4 pixels, dark or bright.
//! let images = Images::new((0..8 * 16).map(|i| if i / 16 % 2 == 0 { 10 } else { 240 }).collect(), [8, 1, 4, 4], None)?;
//! let flow = semblant_diffusion::MODELS.iter().find(|entry| entry.name == "flow").ok_or("listed")?;
//! let settings = serde_json::json!({ "network": { "kind": "mlp", "width": 16, "depth": 1 }, "training": { "images": 64, "batch_images": 8 } });
//! let mut model = (flow.build)(settings)?;
//! model.fit(&images, &mut Run::new(semblant_core::device::select("cpu")?, 0))?;
//! assert_eq!(model.sample(&SampleRequest::new(2, 0))?.data.shape(), [2, 1, 4, 4]);
//! # Ok(())
//! # }
//! ```
//!
//! - [`models`]: one file a model. [`MODELS`] lists them.
//! - [`process`]: noise levels and what a network predicts at them; [`schedule`]: which levels a solver visits.
//! - [`networks`]: what predicts. [`solvers`]: ways from noise to image. [`sampler`]: from addresses to images.
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

use semblant_core::synthesizer::Entry;
use semblant_data::image::Images;
use semblant_images::entry;

use pipeline::Diffused;

/// The models of this family. Adding one is one file and one line here.
pub const MODELS: &[Entry<Images>] = &[
    entry::<Diffused<models::flow::Flow>>(),
    entry::<Diffused<models::edm::Edm>>(),
    entry::<Diffused<models::ddpm::Ddpm>>(),
    entry::<Diffused<models::consistency::Consistency>>(),
];
