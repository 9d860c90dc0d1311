//! Synthetic data by deep generative models: fit models to tables or images, sample, and evaluate fidelity, utility and privacy.
//!
//! ```
//! use semblant::prelude::*;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let patients = semblant::data::table::simulate_patients(300, 0);
//! let mut model = GaussianCopula::default();
//! model.fit(&patients, &mut Run::new(semblant::device::select("cpu")?, 1))?;
//! let synthetic = model.sample(&TableRequest::new(100, 7).with("smoker", "yes"))?.data;
//! assert_eq!(synthetic.rows(), 100);
//! # Ok(())
//! # }
//! ```
#![cfg_attr(not(test), warn(clippy::disallowed_methods))]

mod kinds;
#[cfg(feature = "images")]
pub mod latent;
mod modality;
mod registry;
#[cfg(feature = "tables")]
pub mod rules;
mod source;

pub use burn::tensor::Device;
#[cfg(feature = "metrics")]
pub use modality::{CompareJob, Compared, Evaluator};
pub use modality::{
    EvaluateJob, EvaluationJob, FitJob, FitOutcome, Import, Kind, LikelihoodJob, Likelihoods, Modality, ModelInfo, Observe, Retrain,
    SampleJob, SampleOutcome, Verb, sample_to,
};
pub use registry::{Registry, load, model};
#[cfg(feature = "tables")]
pub use semblant_copula as copula;
pub use semblant_core::{
    Error, Result, checkpoint, config, data as kind, device, ema, files, host, kernels, launches, memory, model, nn, optim, options,
    passes, precision, progress, seeds, streams, synthesizer, train_config, trainer,
};
pub use semblant_data as data;
#[cfg(feature = "databases")]
pub use semblant_database as database;
#[cfg(feature = "images")]
pub use semblant_diffusion as diffusion;
#[cfg(feature = "images")]
pub use semblant_gan as gan;
#[cfg(feature = "images")]
pub use semblant_images as images;
#[cfg(feature = "metrics")]
pub use semblant_metrics as metrics;
#[cfg(feature = "series")]
pub use semblant_series as series;
#[cfg(feature = "tables")]
pub use semblant_tabular as tabular;
#[cfg(feature = "tables")]
pub use semblant_tabular_ctgan as ctgan;
#[cfg(feature = "tables")]
pub use semblant_tabular_masked as masked;
#[cfg(feature = "text")]
pub use semblant_text as text;
#[cfg(feature = "images")]
pub use semblant_vae as vae;
pub use source::{DataFolders, Source};

/// What most programs need.
pub mod prelude {
    #[cfg(feature = "tables")]
    pub use crate::copula::{CopulaConfig, GaussianCopula, IndependentColumns};
    #[cfg(feature = "tables")]
    pub use crate::ctgan::{Ctgan, CtganConfig, Tvae, TvaeConfig};
    pub use crate::data::database::{Database, DatabaseOptions, DatabaseRequest, Keys};
    pub use crate::data::image::{ClassRequest, ImageOptions, ImageRequest, Images};
    pub use crate::data::series::{Series, SeriesOptions, SeriesRequest};
    pub use crate::data::table::{ColumnKind, Condition, ReadOptions, Schema, Table, TableRequest, TableWriter, Wanted};
    pub use crate::data::text::{Text, TextOptions, TextRequest};
    #[cfg(feature = "images")]
    pub use crate::diffusion::{Consistency, ConsistencyConfig, Ddpm, DdpmConfig, Edm, EdmConfig, Flow, FlowConfig};
    #[cfg(feature = "images")]
    pub use crate::gan::{Dcgan, DcganConfig, R3gan, R3ganConfig, WganGp, WganGpConfig};
    pub use crate::kind::{Data, Request};
    #[cfg(feature = "images")]
    pub use crate::latent::{LatentDit, LatentDitConfig};
    #[cfg(feature = "tables")]
    pub use crate::masked::{MaskedDiffusion, MaskedDiffusionConfig};
    pub use crate::registry::Registry;
    pub use crate::synthesizer::{Run, Sample, Summary, Synthesizer};
    #[cfg(feature = "text")]
    pub use crate::text::{TextAr, TextArConfig, TextMdlm, TextMdlmConfig};
    pub use crate::train_config::TrainConfig;
    #[cfg(feature = "images")]
    pub use crate::vae::{AutoencoderKl, AutoencoderKlConfig, Vae, VaeConfig, VqVae, VqVaeConfig};
}
