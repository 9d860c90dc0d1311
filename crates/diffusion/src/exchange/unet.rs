//! `UNet2DModel`. The network's fields have diffusers' names already; only the settings need a translation.

use std::path::Path;

use burn::tensor::Device;
use semblant_core::{Error, Result};
use serde_json::{Value, json};

use super::folder::Configuration;
use super::json::{self, Object};
use super::tensors::Tensors;
use crate::networks::unet::names;
use crate::networks::unet::{DownBlockType, UNet2D, UnetConfig, UpBlockType};
use semblant_images::ImageShape;

/// The class under which a network is written.
pub(super) const CLASS: &str = "UNet2DModel";

/// The greatest side, channels or classes of a configuration, so that products do not overflow.
const MOST: u64 = 1 << 16;

/// diffusers' defaults.
fn defaults() -> UnetConfig {
    use {DownBlockType::*, UpBlockType::*};
    UnetConfig {
        block_out_channels: vec![224, 448, 672, 896],
        layers_per_block: 2,
        down_block_types: vec![DownBlock2D, AttnDownBlock2D, AttnDownBlock2D, AttnDownBlock2D],
        up_block_types: vec![AttnUpBlock2D, AttnUpBlock2D, AttnUpBlock2D, UpBlock2D],
        attention_head_dim: Some(8),
        norm_num_groups: 32,
        ..UnetConfig::default()
    }
}

/// The network of a configuration and its weights.
pub(super) fn read(found: Configuration, tensors: Tensors, device: &Device) -> Result<UNet2D> {
    let refuse = |what: String| Error::checkpoint(&found.path, what);
    let number = |key: &str, default: Option<u64>| -> Result<usize> {
        let value = found.object.get(key).filter(|value| !value.is_null());
        match value.map_or(default, Value::as_u64) {
            Some(size) if size <= MOST => Ok(size as usize),
            _ => Err(refuse(format!("\"{key}\" must be a number from 0 to {MOST}; set it in the file"))),
        }
    };
    for (key, allowed) in [("act_fn", json!("silu")), ("class_embed_type", Value::Null)] {
        if let Some(value) = found.object.get(key).filter(|value| **value != allowed) {
            return Err(refuse(format!("\"{key}\" is {value}, only {allowed} can be read; choose another model")));
        }
    }
    // Our settings refuse names that they do not know; the file has more than ours.
    let own = serde_json::to_value(defaults()).map_err(|error| refuse(error.to_string()))?;
    let known: Object =
        found.object.iter().filter(|(key, _)| own.get(key).is_some()).map(|(key, value)| (key.clone(), value.clone())).collect();
    let config: UnetConfig = json::overlay(&defaults(), &known, &found.path)?;
    let (height, width) = match found.object.get("sample_size") {
        Some(Value::Array(sides)) if sides.len() == 2 => {
            let side = |index: usize| sides[index].as_u64().filter(|side| (1..=MOST).contains(side));
            match (side(0), side(1)) {
                (Some(height), Some(width)) => (height as usize, width as usize),
                _ => return Err(refuse("\"sample_size\" must be one side or two; set it in the file".into())),
            }
        }
        _ => number("sample_size", None).map(|side| (side, side))?,
    };
    let shape = ImageShape { channels: number("in_channels", Some(3))?, height, width };
    config.check(&shape).map_err(|error| refuse(error.to_string()))?;
    // The last row of our table is for no class; for a foreign model it is one more class.
    let classes = number("num_class_embeds", Some(0))?.saturating_sub(1);
    let network = UNet2D::with_channels_out(&config, &shape, classes, number("out_channels", Some(3))?, 0, device);
    let tensors = tensors.into_inner().into_iter().map(|(name, tensor)| (name, (tensor.shape, tensor.values))).collect();
    names::load(network, tensors, &found.path)
}

/// Settings and weights of a network.
pub(super) fn write(network: &UNet2D, path: &Path) -> Result<(Object, Tensors)> {
    let shape = network.shape();
    let mut object = match serde_json::to_value(network.config()) {
        Ok(Value::Object(object)) => object,
        _ => Object::new(),
    };
    let weights = names::to_tensors(network);
    let rows = |name: &str| weights.get(name).map(|(shape, _)| shape[0]);
    object.insert("in_channels".into(), json!(shape.channels));
    object.insert("out_channels".into(), json!(rows("conv_out.bias")));
    object.insert("sample_size".into(), if shape.height == shape.width { json!(shape.height) } else { json!([shape.height, shape.width]) });
    object.insert("num_class_embeds".into(), json!(rows("class_embedding.weight")));
    object.insert("act_fn".into(), json!("silu"));
    let mut tensors = Tensors::new(path);
    for (name, (shape, values)) in weights {
        tensors.add(&name, &shape, values);
    }
    Ok((object, tensors))
}
