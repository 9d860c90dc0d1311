//! Synthetic data by deep generative models: learn from tables or images, make new ones, judge how good and how private they are.
//!
//! ```
//! use semblant::prelude::*;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let patients = semblant::data::table::simulate_patients(300, 0);
//! let mut model = semblant::table_model("copula", serde_json::json!({}))?;
//! model.fit(&patients, &mut Run::new(semblant::device::select("cpu")?, 1))?;
//! let synthetic = model.sample(&SampleRequest::new(100, 7))?.data;
//! assert_eq!(synthetic.rows(), 100);
//! # Ok(())
//! # }
//! ```
#![cfg_attr(not(test), warn(clippy::disallowed_methods))]

pub mod latent;
mod registry;
pub mod shadow;

pub use burn::tensor::Device;
pub use registry::{
    AnyModel, DataKind, data_kind, image_model, image_models, load_image_model, load_model, load_model_on, load_table_model, table_model,
    table_models,
};
pub use semblant_core::{Error, Result, checkpoint, device, files, launches, precision, progress, seeds, synthesizer, trainer};
pub use semblant_data as data;
pub use semblant_diffusion as diffusion;
pub use semblant_gan as gan;
pub use semblant_metrics as metrics;
pub use semblant_vae as vae;

/// What most programs need.
pub mod prelude {
    pub use crate::data::image::{ImageOptions, Images};
    pub use crate::data::table::{ColumnKind, ReadOptions, Schema, Table, TableWriter};
    pub use crate::synthesizer::{Condition, Run, Sample, SampleRequest, Summary, Synthesizer, Wanted};
    pub use crate::{image_model, load_image_model, load_table_model, table_model};
}
