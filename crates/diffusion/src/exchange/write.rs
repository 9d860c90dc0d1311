//! A folder that diffusers opens.

use std::path::Path;

use semblant_core::{Error, Result, files};
use serde_json::json;

use super::json::{self, Object};
use super::{Pipeline, dit, unet};
use crate::networks::Net;

/// The version of diffusers whose layout is written.
const VERSION: &str = "0.42.1";

/// Writes a pipeline as diffusers' `save_pretrained` would: a folder with `model_index.json`, the network in `transformer/` or `unet/`,
/// and the scheduler in `scheduler/`. It appears at once and whole.
///
/// diffusers has no pipeline around a DiT without an autoencoder: such a folder's parts are opened one by one, with
/// `DiTTransformer2DModel.from_pretrained(folder, subfolder="transformer")` and the scheduler's `from_pretrained`.
///
/// # Errors
/// A target that is there and no empty folder, a disk that is full or cannot be written, or a network that diffusers cannot express.
pub fn write_folder(target: &Path, pipeline: &Pipeline) -> Result<()> {
    let temporary = files::temporary_folder(target).map_err(|source| Error::io(target, source))?;
    write_parts(temporary.path(), target, pipeline)?;
    temporary.persist().map_err(|source| Error::io(target, source))
}

fn write_parts(folder: &Path, target: &Path, pipeline: &Pipeline) -> Result<()> {
    let (part, class, pipeline_class, (config, tensors)) = match &pipeline.network {
        Net::Dit(network) => ("transformer", dit::CLASS, "DiTPipeline", dit::write(network, target)?),
        Net::Unet(network) => ("unet", unet::CLASS, "DDPMPipeline", unet::write(network, target)?),
        Net::Mlp(_) => return Err(Error::Config("diffusers has no perceptron; only a dit or a unet can be written for it".into())),
    };
    let inside = folder.join(part);
    std::fs::create_dir(&inside).map_err(|source| Error::io(&inside, source))?;
    write_json(&inside.join("config.json"), class, config)?;
    files::write(&inside.join("diffusion_pytorch_model.safetensors"), &tensors.to_bytes()?)?;

    let mut index = Object::new();
    index.insert(part.into(), json!(["diffusers", class]));
    if pipeline_class == "DiTPipeline" {
        index.insert("vae".into(), json!([null, null]));
    }
    if let Some(scheduler) = &pipeline.scheduler {
        let inside = folder.join("scheduler");
        std::fs::create_dir(&inside).map_err(|source| Error::io(&inside, source))?;
        write_json(&inside.join("scheduler_config.json"), scheduler.class.name(), scheduler.to_json())?;
        index.insert("scheduler".into(), json!(["diffusers", scheduler.class.name()]));
    }
    if !pipeline.class_names.is_empty() {
        let labels: Object = pipeline.class_names.iter().enumerate().map(|(number, name)| (number.to_string(), json!(name))).collect();
        index.insert("id2label".into(), labels.into());
    }
    write_json(&folder.join("model_index.json"), pipeline_class, index)
}

fn write_json(path: &Path, class: &str, mut object: Object) -> Result<()> {
    object.insert("_class_name".into(), json!(class));
    object.insert("_diffusers_version".into(), json!(VERSION));
    files::write(path, &json::to_bytes(object))
}
