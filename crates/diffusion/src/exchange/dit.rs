//! `DiTTransformer2DModel`, which older files call `Transformer2DModel`.
//!
//! What differs from [`Dit`]: queries, keys and values are layers of their own; every block has its own copy of the embedder of time and
//! class; the patches are cut by a convolution. The labels of augmentation are unknown to diffusers; their layer is dropped, which
//! changes nothing in sampling, where all labels are zero.

use std::path::Path;

use burn::module::Param;
use burn::tensor::Device;
use semblant_core::nn::{AdaptiveBlock, Constants};
use semblant_core::{Error, Result, host};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::folder::Configuration;
use super::json::{self, Object};
use super::tensors::{Tensors, linear, linear_values, values};
use crate::networks::dit::{Dit, DitConfig};
use crate::networks::{Embedder, TIME_WIDTH};
use semblant_images::ImageShape;

/// The class under which a network is written.
pub(super) const CLASS: &str = "DiTTransformer2DModel";

/// `config.json` as far as Semblant has a choice.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Config {
    num_attention_heads: usize,
    attention_head_dim: usize,
    in_channels: usize,
    out_channels: Option<usize>,
    num_layers: usize,
    sample_size: usize,
    patch_size: usize,
    num_embeds_ada_norm: usize,
    norm_eps: f64,
}

/// diffusers' defaults.
const DEFAULTS: Config = Config {
    num_attention_heads: 16,
    attention_head_dim: 72,
    in_channels: 4,
    out_channels: None,
    num_layers: 28,
    sample_size: 32,
    patch_size: 2,
    num_embeds_ada_norm: 1000,
    norm_eps: 1e-5,
};

/// The settings at which Semblant has no choice.
fn fixed() -> [(&'static str, Value); 4] {
    [
        ("activation_fn", json!("gelu-approximate")),
        ("attention_bias", json!(true)),
        ("norm_elementwise_affine", json!(false)),
        ("norm_type", json!("ada_norm_zero")),
    ]
}

/// The greatest size of anything in a configuration, so that products do not overflow.
const MOST: usize = 1 << 16;

fn config(found: &Configuration) -> Result<Config> {
    for (key, value) in fixed() {
        let other_default = key == "norm_type" && found.object.get("_class_name").is_some_and(|class| class != CLASS);
        let set = found.object.get(key).cloned().unwrap_or_else(|| if other_default { Value::Null } else { value.clone() });
        if set != value {
            return Err(Error::checkpoint(&found.path, format!("\"{key}\" is {set}, only {value} can be read; choose another model")));
        }
    }
    let config = json::overlay(&DEFAULTS, &found.object, &found.path)?;
    let sizes = [
        ("num_attention_heads", config.num_attention_heads),
        ("attention_head_dim", config.attention_head_dim),
        ("in_channels", config.in_channels),
        ("out_channels", config.out_channels.unwrap_or(config.in_channels)),
        ("num_layers", config.num_layers),
        ("sample_size", config.sample_size),
        ("patch_size", config.patch_size),
    ];
    for (key, size) in sizes {
        if !(1..=MOST).contains(&size) {
            return Err(Error::checkpoint(&found.path, format!("\"{key}\" is {size}, expected 1 to {MOST}; fetch the file again")));
        }
    }
    if config.num_embeds_ada_norm > MOST {
        let what = format!("\"num_embeds_ada_norm\" is {}, expected 0 to {MOST}; fetch the file again", config.num_embeds_ada_norm);
        return Err(Error::checkpoint(&found.path, what));
    }
    Ok(config)
}

/// The network of a configuration and its weights. Embedders that are the same in all blocks become one.
pub(super) fn read(found: Configuration, mut tensors: Tensors, device: &Device) -> Result<Dit> {
    let config = config(&found)?;
    let width = config.num_attention_heads * config.attention_head_dim;
    let sizes = DitConfig {
        patch: config.patch_size,
        width,
        depth: config.num_layers,
        heads: config.num_attention_heads,
        norm_epsilon: config.norm_eps,
    };
    let shape = ImageShape { channels: config.in_channels, height: config.sample_size, width: config.sample_size };
    sizes.check(&shape).map_err(|error| Error::checkpoint(&found.path, error.to_string()))?;
    let pixels = config.patch_size * config.patch_size;
    let patch = tensors.take("pos_embed.proj.weight", &[width, config.in_channels, config.patch_size, config.patch_size])?;
    let patch_bias = tensors.take("pos_embed.proj.bias", &[width])?;
    let mut embedders = Vec::new();
    let mut blocks = Vec::new();
    for index in 0..config.num_layers {
        let (embedder, block) = read_block(&mut tensors, index, width, config.num_embeds_ada_norm + 1, device)?;
        embedders.push(embedder);
        blocks.push(block);
    }
    if embedders.windows(2).all(|pair| same(&pair[0], &pair[1])) {
        embedders.truncate(1);
    }
    let channels_out = config.out_channels.unwrap_or(config.in_channels);
    let network = Dit {
        patch: linear(&patch, patch_bias, pixels * config.in_channels, width, device),
        embedders,
        blocks,
        last_modulation: tensors.take_linear("proj_out_1", width, 2 * width, device)?,
        last: tensors.take_linear("proj_out_2", width, pixels * channels_out, device)?,
        config: sizes,
        shape,
        constants: Constants::default(),
    };
    tensors.finish()?;
    Ok(network)
}

fn read_block(tensors: &mut Tensors, index: usize, width: usize, rows: usize, device: &Device) -> Result<(Embedder, AdaptiveBlock)> {
    let name = |part: &str| format!("transformer_blocks.{index}.{part}");
    let table = tensors.take(&name("norm1.emb.class_embedder.embedding_table.weight"), &[rows, width])?;
    let embedder = Embedder {
        time_1: tensors.take_linear(&name("norm1.emb.timestep_embedder.linear_1"), TIME_WIDTH, width, device)?,
        time_2: tensors.take_linear(&name("norm1.emb.timestep_embedder.linear_2"), width, width, device)?,
        classes: Param::from_tensor(host::tensor(table, [rows, width], device)),
        augmentation: None,
        constants: Constants::default(),
    };
    let (mut weight, mut bias) = (Vec::new(), Vec::new());
    for part in ["to_q", "to_k", "to_v"] {
        weight.extend(tensors.take(&name(&format!("attn1.{part}.weight")), &[width, width])?);
        bias.extend(tensors.take(&name(&format!("attn1.{part}.bias")), &[width])?);
    }
    let block = AdaptiveBlock {
        modulation: tensors.take_linear(&name("norm1.linear"), width, 6 * width, device)?,
        packed: linear(&weight, bias, width, 3 * width, device),
        mixed: tensors.take_linear(&name("attn1.to_out.0"), width, width, device)?,
        up: tensors.take_linear(&name("ff.net.0.proj"), width, 4 * width, device)?,
        down: tensors.take_linear(&name("ff.net.2"), 4 * width, width, device)?,
    };
    Ok((embedder, block))
}

fn same(a: &Embedder, b: &Embedder) -> bool {
    let all = |embedder: &Embedder| {
        let layers = [linear_values(&embedder.time_1), linear_values(&embedder.time_2)];
        let bits = |values: &[f32]| values.iter().map(|value| value.to_bits()).collect::<Vec<u32>>();
        (layers.map(|(weight, bias, _)| (bits(&weight), bits(&bias))), bits(&values(&embedder.classes.val())))
    };
    all(a) == all(b)
}

/// The configuration and the tensors of a network; `path` names the place in errors.
pub(super) fn write(network: &Dit, path: &Path) -> Result<(Object, Tensors)> {
    let Dit { config, shape, .. } = network;
    if shape.height != shape.width {
        let what = format!("diffusers' DiT makes square images only, not {} x {}; pad or crop the images", shape.height, shape.width);
        return Err(Error::Config(what));
    }
    let (width, patch) = (config.width, config.patch);
    let mut tensors = Tensors::new(path);
    let (weight, bias, _) = linear_values(&network.patch);
    tensors.add("pos_embed.proj.weight", &[width, shape.channels, patch, patch], weight);
    tensors.add("pos_embed.proj.bias", &[width], bias);
    for (index, block) in network.blocks.iter().enumerate() {
        let embedder = &network.embedders[index.min(network.embedders.len() - 1)];
        write_block(&mut tensors, index, width, embedder, block);
    }
    tensors.add_linear("proj_out_1", &network.last_modulation);
    tensors.add_linear("proj_out_2", &network.last);
    let [_, outputs] = network.last.weight.val().dims();
    let found = Config {
        num_attention_heads: config.heads,
        attention_head_dim: width / config.heads,
        in_channels: shape.channels,
        out_channels: Some(outputs / (patch * patch)),
        num_layers: config.depth,
        sample_size: shape.height,
        patch_size: patch,
        num_embeds_ada_norm: network.embedders[0].classes.val().dims()[0] - 1,
        norm_eps: config.norm_epsilon,
    };
    let mut object = match serde_json::to_value(&found) {
        Ok(Value::Object(object)) => object,
        _ => Object::new(),
    };
    object.extend(fixed().map(|(key, value)| (key.to_owned(), value)));
    Ok((object, tensors))
}

fn write_block(tensors: &mut Tensors, index: usize, width: usize, embedder: &Embedder, block: &AdaptiveBlock) {
    let name = |part: &str| format!("transformer_blocks.{index}.{part}");
    let table = embedder.classes.val();
    tensors.add(&name("norm1.emb.class_embedder.embedding_table.weight"), &table.dims(), values(&table));
    tensors.add_linear(&name("norm1.emb.timestep_embedder.linear_1"), &embedder.time_1);
    tensors.add_linear(&name("norm1.emb.timestep_embedder.linear_2"), &embedder.time_2);
    tensors.add_linear(&name("norm1.linear"), &block.modulation);
    let (weight, bias, _) = linear_values(&block.packed);
    for (part, (weight, bias)) in ["to_q", "to_k", "to_v"].iter().zip(weight.chunks(width * width).zip(bias.chunks(width))) {
        tensors.add(&name(&format!("attn1.{part}.weight")), &[width, width], weight.to_vec());
        tensors.add(&name(&format!("attn1.{part}.bias")), &[width], bias.to_vec());
    }
    tensors.add_linear(&name("attn1.to_out.0"), &block.mixed);
    tensors.add_linear(&name("ff.net.0.proj"), &block.up);
    tensors.add_linear(&name("ff.net.2"), &block.down);
}
