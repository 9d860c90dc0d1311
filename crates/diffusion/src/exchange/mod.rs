//! Exchange with Hugging Face's diffusers: its folders are read and written without Python.
//!
//! - `folder`: where the parts of a pipeline lie, and their weights; `tensors`: weights by name, in PyTorch's layout.
//! - `dit`, `unet`: the names that diffusers gives to a network's weights.
//! - `scheduler`: what `scheduler_config.json` says; `levels`: the noise levels that diffusers would visit; `write`: a folder; `imported`: a folder
//!   as a model to sample from.

mod dit;
mod folder;
mod imported;
mod json;
mod levels;
mod scheduler;
mod tensors;
mod unet;
mod write;

use std::path::Path;

use burn::tensor::Device;
use semblant_core::{Error, Result};

pub use folder::Folder;
pub use imported::open_folder;
pub use scheduler::{FinalSigma, PredictionType, SchedulerClass, SchedulerConfig, TimestepSpacing, VarianceType};
pub use tensors::{StoredTensor, Tensors};
pub use write::write_folder;

use crate::networks::Net;

/// What a folder of diffusers holds.
#[derive(Debug, Clone)]
pub struct Pipeline {
    /// The network. One with twice as many channels out as in predicts variances in the second half.
    pub network: Net,
    /// What the network was trained for and is sampled by; a folder with a network alone does not say.
    pub scheduler: Option<SchedulerConfig>,
    /// Names of the classes, in order; empty if there are none or they have no names.
    pub class_names: Vec<String>,
}

/// Reads a folder that diffusers' `save_pretrained` wrote: a pipeline, or a network alone. Half-precision weights become `f32`.
///
/// # Errors
/// A folder, configuration or weights file that is missing or damaged; weights as pickles; a class or setting that Semblant lacks; a
/// tensor that is missing, left over or of another shape. The message names the file and the remedy.
pub fn read_folder(path: &Path, device: &Device) -> Result<Pipeline> {
    let folder = Folder::open(path)?;
    let scheduler = folder.scheduler()?;
    let class_names = folder.class_names()?;
    let (class, config) = folder.network()?;
    let network = match class.as_str() {
        "DiTTransformer2DModel" | "Transformer2DModel" => Net::Dit(dit::read(config, folder.weights()?, device)?),
        "UNet2DModel" => Net::Unet(unet::read(config, folder.weights()?, device)?),
        other => {
            let what = format!("the class {other} is not one of DiTTransformer2DModel, Transformer2DModel and UNet2DModel");
            return Err(Error::checkpoint(folder.config_path(), format!("{what}; convert the model, or choose another")));
        }
    };
    Ok(Pipeline { network, scheduler, class_names })
}
