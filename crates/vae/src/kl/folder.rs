//! A folder that diffusers' `AutoencoderKL.from_pretrained` opens, read and written without Python.

use std::path::Path;

use burn::tensor::Device;
use semblant_core::checkpoint::Checkpoint;
use semblant_core::{Error, Result, files};
use semblant_images::{ImageKind, ImageShape};
use serde_json::{Map, Value, json};

use super::{KlConfig, KlNet};

/// The class under which a network is written.
const CLASS: &str = "AutoencoderKL";
/// The version of diffusers whose layout is written.
const VERSION: &str = "0.42.1";
const WEIGHTS: &str = "diffusion_pytorch_model.safetensors";
/// What diffusers assumes where the folder does not say.
const DEFAULT_SCALING: f64 = 0.18215;
const DEFAULT_SIDE: u64 = 32;

/// What a folder holds.
#[derive(Debug, Clone)]
pub struct Stored {
    /// The size of the network.
    pub config: KlConfig,
    /// The images that it is for.
    pub shape: ImageShape,
    /// What latent images are multiplied by to have unit variance.
    pub scaling_factor: f64,
    /// The network.
    pub net: KlNet,
}

/// Whether a folder says that it holds such an autoencoder.
pub fn is_autoencoder(folder: &Path) -> bool {
    read_config(folder).is_ok_and(|config| config.get("_class_name").is_some_and(|class| class == CLASS))
}

fn read_config(folder: &Path) -> Result<Map<String, Value>> {
    let path = folder.join("config.json");
    let text = semblant_core::memory::read_text(&path)?;
    match serde_json::from_str(&text) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) => Err(Error::checkpoint(path, "holds no JSON object; fetch or save the folder again")),
        Err(error) => Err(Error::checkpoint(path, format!("is no JSON ({error}); fetch or save the folder again"))),
    }
}

/// Reads a folder that diffusers' `save_pretrained` wrote for an `AutoencoderKL`. Half-precision weights become `f32`.
///
/// # Errors
/// A configuration or weights file that is missing or damaged, a setting that Semblant lacks, or a tensor that is missing, left over or of
/// another shape. The message names the file and the remedy.
pub fn read(folder: &Path, device: &Device) -> Result<Stored> {
    let (object, path) = (read_config(folder)?, folder.join("config.json"));
    let refuse = |what: String| Error::checkpoint(&path, what);
    let found = |key: &str| object.get(key).filter(|value| !value.is_null());
    let number = |key: &str, default: u64| match found(key).map_or(Some(default), Value::as_u64) {
        Some(value) if value <= 1 << 15 => Ok(value as usize),
        _ => Err(refuse(format!("\"{key}\" must be a number from 0 to {}; set it in the file", 1 << 15))),
    };
    let flag = |key: &str| match found(key).map_or(Some(true), Value::as_bool) {
        Some(value) => Ok(value),
        None => Err(refuse(format!("\"{key}\" must be true or false; set it in the file"))),
    };
    if found("_class_name").is_some_and(|class| class != CLASS) {
        return Err(refuse(format!("the class is not {CLASS}; choose another model")));
    }
    for (key, allowed) in [("act_fn", "silu"), ("down_block_types", "DownEncoderBlock2D"), ("up_block_types", "UpDecoderBlock2D")] {
        let values = match found(key) {
            Some(Value::Array(values)) => values.clone(),
            other => other.cloned().into_iter().collect(),
        };
        if let Some(value) = values.iter().find(|value| **value != allowed) {
            return Err(refuse(format!("\"{key}\" has {value}, only {allowed} can be read; choose another model")));
        }
    }
    if ["shift_factor", "latents_mean", "latents_std"].iter().any(|key| found(key).is_some()) {
        return Err(refuse("shifted latent images cannot be read; choose another model".into()));
    }
    let channels = match found("block_out_channels") {
        Some(Value::Array(values)) => {
            values.iter().map(|value| value.as_u64().filter(|value| *value <= 1 << 15).map(|value| value as usize)).collect()
        }
        None => Some(vec![64]),
        Some(_) => None,
    };
    let config = KlConfig {
        block_out_channels: channels
            .ok_or_else(|| refuse("\"block_out_channels\" must be a list of numbers; set it in the file".into()))?,
        layers_per_block: number("layers_per_block", 1)?,
        latent_channels: number("latent_channels", 4)?,
        norm_num_groups: number("norm_num_groups", 32)?,
        mid_block_add_attention: flag("mid_block_add_attention")?,
        use_quant_conv: flag("use_quant_conv")?,
        use_post_quant_conv: flag("use_post_quant_conv")?,
    };
    let (inputs, outputs) = (number("in_channels", 3)?, number("out_channels", 3)?);
    if inputs != outputs || (inputs != 1 && inputs != 3) {
        return Err(refuse(format!("{inputs} input and {outputs} output channels; only 1 or 3 on both sides can be read")));
    }
    let side = number("sample_size", DEFAULT_SIDE)?;
    let shape = ImageShape { channels: inputs, height: side, width: side };
    let kind = ImageKind { shape, class_names: Vec::new(), class_counts: Vec::new() };
    kind.check().and_then(|()| config.check(&shape)).map_err(|error| refuse(error.to_string()))?;
    let scaling_factor = found("scaling_factor").map_or(Some(DEFAULT_SCALING), Value::as_f64).filter(|value| *value > 0.0);
    let scaling_factor = scaling_factor.ok_or_else(|| refuse("\"scaling_factor\" must be a number above 0; set it in the file".into()))?;
    let weights = folder.join(WEIGHTS);
    let file = Checkpoint::read_foreign(&weights)?.renamed(modern);
    let net = file.load_module("", KlNet::new(&config, inputs, 0, device), &weights)?;
    Ok(Stored { config, shape, scaling_factor, net })
}

/// Attention under the names of 2022, or as convolutions of width one, becomes that of today.
fn modern(name: &str, shape: &mut Vec<usize>) -> String {
    const NEW: [(&str, &str); 4] = [(".query.", ".to_q."), (".key.", ".to_k."), (".value.", ".to_v."), (".proj_attn.", ".to_out.0.")];
    if name.contains(".attentions.") && shape.len() == 4 && shape[2..] == [1, 1] {
        shape.truncate(2);
    }
    NEW.iter().fold(name.to_owned(), |name, (old, new)| name.replace(old, new))
}

/// Writes a folder as diffusers' `save_pretrained` would. It appears at once and whole.
///
/// # Errors
/// A target that is there and no empty folder, a disk that is full or cannot be written, or images that are not square.
pub fn write(folder: &Path, stored: &Stored) -> Result<()> {
    let ImageShape { channels, height, width } = stored.shape;
    if height != width {
        return Err(Error::Config(format!("diffusers needs square images, but these are {height} x {width}")));
    }
    let temporary = files::temporary_folder(folder).map_err(|source| Error::io(folder, source))?;
    write_parts(temporary.path(), stored, [channels, height])?;
    temporary.persist().map_err(|source| Error::io(folder, source))
}

fn write_parts(folder: &Path, stored: &Stored, [channels, side]: [usize; 2]) -> Result<()> {
    let config = &stored.config;
    let levels = config.block_out_channels.len();
    let mut object = json!({
        "_class_name": CLASS, "_diffusers_version": VERSION, "act_fn": "silu", "force_upcast": true,
        "block_out_channels": config.block_out_channels, "layers_per_block": config.layers_per_block,
        "latent_channels": config.latent_channels, "norm_num_groups": config.norm_num_groups,
        "mid_block_add_attention": config.mid_block_add_attention,
        "use_quant_conv": config.use_quant_conv, "use_post_quant_conv": config.use_post_quant_conv,
        "down_block_types": vec!["DownEncoderBlock2D"; levels], "up_block_types": vec!["UpDecoderBlock2D"; levels],
        "in_channels": channels, "out_channels": channels, "sample_size": side, "scaling_factor": stored.scaling_factor,
        "latents_mean": null, "latents_std": null, "shift_factor": null,
    });
    object.sort_all_objects();
    files::write(&folder.join("config.json"), format!("{object:#}\n").as_bytes())?;
    let mut file = Checkpoint::foreign();
    file.add_module("", &stored.net)?;
    file.write(&folder.join(WEIGHTS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_2022_become_those_of_today() {
        let mut shape = vec![8, 8, 1, 1];
        assert_eq!(modern("decoder.mid_block.attentions.0.proj_attn.weight", &mut shape), "decoder.mid_block.attentions.0.to_out.0.weight");
        assert_eq!(shape, [8, 8]);
        let mut kept = vec![8, 8, 1, 1];
        assert_eq!(modern("quant_conv.weight", &mut kept), "quant_conv.weight");
        assert_eq!(kept.len(), 4);
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        let folder = tempfile::tempdir().expect("a folder");
        let said = |config: Value| {
            std::fs::write(folder.path().join("config.json"), config.to_string()).expect("writable");
            read(folder.path(), &Device::flex()).expect_err("refused").to_string()
        };
        for (config, word) in [
            (json!({ "_class_name": "VQModel" }), "AutoencoderKL"),
            (json!({ "down_block_types": ["AttnDownEncoderBlock2D"] }), "down_block_types"),
            (json!({ "shift_factor": 0.1 }), "shifted"),
            (json!({ "block_out_channels": [1u64 << 40] }), "block_out_channels"),
            (json!({ "block_out_channels": [48] }), "norm_num_groups"),
            (json!({ "in_channels": 4 }), "4 input and 3 output channels"),
            (json!({ "scaling_factor": -1.0 }), "scaling_factor"),
            (json!({ "sample_size": 32 }), WEIGHTS),
        ] {
            let message = said(config);
            assert!(message.contains(word), "no {word} in {message}");
        }
    }
}
