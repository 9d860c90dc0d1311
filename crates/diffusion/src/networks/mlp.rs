//! A residual multi-layer perceptron for vectors: each block is a normalisation that time and class modulate, two layers and a gate, as in
//! DiT (Peebles and Xie 2023) with one token. For data without neighbourhoods; an image is taken as one long vector.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use semblant_core::Result;
use semblant_core::config::check_range;
use semblant_core::nn::{Init, Linear, LinearConfig, gated_residual, init_streams, modulated_norm, silu};
use semblant_core::seeds::Stream;
use serde::{Deserialize, Serialize};

use super::embedder::Embedder;
use super::{Condition, MOST_DEPTH, MOST_WIDTH, Network};
use semblant_images::ImageShape;

/// The size of a perceptron.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct MlpConfig {
    /// Width of the layers between blocks.
    pub width: usize,
    /// Number of blocks.
    pub depth: usize,
}

impl Default for MlpConfig {
    fn default() -> Self {
        Self { width: 256, depth: 4 }
    }
}

impl MlpConfig {
    /// Checks the sizes.
    ///
    /// # Errors
    /// Names the field, its value and what is allowed.
    pub fn check(&self) -> Result<()> {
        check_range("width", self.width, 1, MOST_WIDTH)?;
        check_range("depth", self.depth, 1, MOST_DEPTH)
    }
}

/// Two layers behind a modulated normalisation and a gate.
#[derive(Module, Debug)]
pub struct Block {
    modulation: Linear,
    up: Linear,
    down: Linear,
}

/// The whole network.
#[derive(Module, Debug)]
pub struct Mlp {
    first: Linear,
    embedder: Embedder,
    blocks: Vec<Block>,
    last_modulation: Linear,
    last: Linear,
}

const EPSILON: f32 = 1e-6;

impl Mlp {
    /// A fresh network on `device` for vectors or images of `shape`; `classes` 0 means that there are none.
    pub fn new(config: &MlpConfig, shape: &ImageShape, classes: usize, seed: u64, device: &Device) -> Self {
        let mut stream = init_streams(seed);
        let width = config.width;
        Self {
            first: LinearConfig::new(shape.len(), width).with_init(Init::Xavier).init(stream(), device),
            embedder: Embedder::new(width, classes, &mut stream, device),
            blocks: (0..config.depth).map(|_| Block::new(width, &mut stream, device)).collect(),
            last_modulation: LinearConfig::new(width, 2 * width).with_init(Init::Zero).init(stream(), device),
            last: LinearConfig::new(width, shape.len()).with_init(Init::Zero).init(stream(), device),
        }
    }

    /// This network with an input for augmentation labels. The new weights are zero.
    pub fn with_augmentation(mut self) -> Self {
        self.embedder = self.embedder.with_augmentation();
        self
    }
}

impl Block {
    fn new(width: usize, stream: &mut dyn FnMut() -> Stream, device: &Device) -> Self {
        Self {
            modulation: LinearConfig::new(width, 3 * width).with_init(Init::Zero).init(stream(), device),
            up: LinearConfig::new(width, 2 * width).with_init(Init::Xavier).init(stream(), device),
            down: LinearConfig::new(2 * width, width).with_init(Init::Xavier).init(stream(), device),
        }
    }

    /// `x [batch, 1, width]`, `condition [batch, width]` after its SiLU.
    fn forward(&self, x: Tensor<3>, condition: Tensor<2>) -> Tensor<3> {
        let modulation = self.modulation.forward(condition); // [batch, 3 width]
        let normed = modulated_norm(x.clone(), modulation.clone(), 0, EPSILON);
        let branch = self.down.forward(silu(self.up.forward(normed))); // [batch, 1, 2 width] in between
        gated_residual(x, modulation, 2, branch)
    }
}

impl Network for Mlp {
    fn forward(&self, x: Tensor<4>, time: Tensor<1>, condition: &Condition) -> Tensor<4> {
        let shape = x.dims();
        let [batch, channels, height, width] = shape;
        let condition = silu(self.embedder.forward(time, condition)); // [batch, width]
        let mut x = self.first.forward(x.reshape([batch, 1, channels * height * width])); // [batch, 1, width]
        for block in &self.blocks {
            x = block.forward(x, condition.clone());
        }
        let modulation = self.last_modulation.forward(condition); // [batch, 2 width]
        self.last.forward(modulated_norm(x, modulation, 0, EPSILON)).reshape(shape)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Int;

    #[test]
    fn it_learns_where_a_point_lies_from_time_and_class() {
        let device = Device::flex().autodiff();
        let shape = ImageShape { channels: 1, height: 1, width: 3 };
        let config = MlpConfig { width: 8, depth: 2 };
        let net = Mlp::new(&config, &shape, 2, 1, &device);
        let condition = Condition { class: Some(Tensor::<1, Int>::from_ints([0, 2], &device)), augmentation: None };
        let out = net.forward(Tensor::ones([2, 1, 1, 3], &device), Tensor::from_floats([0.0, 500.0], &device), &condition);
        assert_eq!(out.dims(), [2, 1, 1, 3]);
        let gradients = (out - 1.0).square().mean().backward();
        assert!(net.last.weight.val().grad(&gradients).expect("a gradient").abs().max().into_scalar::<f32>() > 0.0);
        assert!(MlpConfig { depth: 0, ..config }.check().expect_err("refused").to_string().contains("depth = 0"));
    }
}
