//! The blocks of an `AutoencoderKL`. Fields have the names of diffusers' tensors.

use burn::module::Module;
use burn::tensor::Tensor;
use semblant_core::nn::{Conv, ConvConfig, GroupNorm, GroupNormConfig, Init, Linear, LinearConfig, attention, linear_of, upsample_nearest};

use super::net::KlConfig;
use crate::networks::Maker;

/// diffusers' autoencoders have no other.
const EPSILON: f32 = 1e-6;

pub(crate) fn conv(make: &mut Maker<'_>, init: Init, inputs: usize, outputs: usize, kernel: usize) -> Conv {
    ConvConfig::new(inputs, outputs, kernel).with_init(init).init((make.stream)(), make.device)
}

pub(crate) fn norm(make: &Maker<'_>, config: &KlConfig, channels: usize) -> GroupNorm {
    GroupNormConfig::new(config.norm_num_groups, channels).with_epsilon(EPSILON).init(make.device)
}

/// A residual block of two convolutions.
#[derive(Module, Debug)]
pub struct Resnet {
    norm1: GroupNorm,
    conv1: Conv,
    norm2: GroupNorm,
    conv2: Conv,
    /// Where input and output have different channels.
    conv_shortcut: Option<Conv>,
}

impl Resnet {
    fn new(make: &mut Maker<'_>, config: &KlConfig, inputs: usize, outputs: usize) -> Self {
        Self {
            norm1: norm(make, config, inputs),
            conv1: conv(make, Init::Uniform, inputs, outputs, 3),
            norm2: norm(make, config, outputs),
            conv2: conv(make, Init::Zero, outputs, outputs, 3),
            conv_shortcut: (inputs != outputs).then(|| conv(make, Init::Uniform, inputs, outputs, 1)),
        }
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let h = self.conv1.forward(self.norm1.forward_silu(x.clone())); // [batch, outputs, height, width]
        let h = self.conv2.forward(self.norm2.forward_silu(h));
        self.conv_shortcut.as_ref().map_or_else(|| x.clone(), |shortcut| shortcut.forward(x.clone())) + h
    }
}

/// Self-attention over the pixels, with one head.
#[derive(Module, Debug)]
pub struct Attention {
    group_norm: GroupNorm,
    to_q: Linear,
    to_k: Linear,
    to_v: Linear,
    /// One layer; diffusers has a list of it and a dropout.
    to_out: Vec<Linear>,
}

impl Attention {
    fn new(make: &mut Maker<'_>, config: &KlConfig, channels: usize) -> Self {
        let group_norm = norm(make, config, channels);
        let mut linear = |init| LinearConfig::new(channels, channels).with_init(init).init((make.stream)(), make.device);
        Self {
            group_norm,
            to_q: linear(Init::Uniform),
            to_k: linear(Init::Uniform),
            to_v: linear(Init::Uniform),
            to_out: vec![linear(Init::Zero)],
        }
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let shape = x.dims();
        let [batch, channels, height, width] = shape;
        let tokens = self.group_norm.forward(x.clone()).reshape([batch, channels, height * width]).swap_dims(1, 2); // [batch, tokens, channels]
        let layers = [&self.to_q, &self.to_k, &self.to_v];
        let weight = Tensor::cat(layers.iter().map(|layer| layer.weight.val()).collect(), 1); // [channels, 3 * channels]
        let bias = Tensor::cat(layers.iter().filter_map(|layer| layer.bias.as_ref().map(|bias| bias.val())).collect(), 0);
        let mixed = attention(linear_of(tokens, weight, Some(bias)), 1); // [batch, tokens, channels]
        x + self.to_out[0].forward(mixed).swap_dims(1, 2).reshape(shape)
    }
}

/// A convolution with a change of resolution.
#[derive(Module, Debug)]
pub struct Resample {
    conv: Conv,
}

impl Resample {
    fn new(make: &mut Maker<'_>, channels: usize) -> Self {
        Self { conv: conv(make, Init::Uniform, channels, channels, 3) }
    }
}

/// One level on the way down: diffusers' `DownEncoderBlock2D`.
#[derive(Module, Debug)]
pub struct DownBlock {
    resnets: Vec<Resnet>,
    /// One, or none in the last level.
    downsamplers: Vec<Resample>,
}

impl DownBlock {
    pub(crate) fn new(make: &mut Maker<'_>, config: &KlConfig, inputs: usize, outputs: usize, last: bool) -> Self {
        let resnets = (0..config.layers_per_block).map(|j| Resnet::new(make, config, if j == 0 { inputs } else { outputs }, outputs));
        let resnets = resnets.collect();
        Self { resnets, downsamplers: (0..usize::from(!last)).map(|_| Resample::new(make, outputs)).collect() }
    }

    /// `[batch, inputs, height, width]` gives `[batch, outputs, height / 2, width / 2]`, or the whole side in the last level.
    pub(crate) fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let x = self.resnets.iter().fold(x, |x, resnet| resnet.forward(x));
        // Zeros at the bottom and on the right only.
        self.downsamplers.iter().fold(x, |x, half| half.conv.forward_with(x, 2, [0, 1, 0, 1]))
    }
}

/// One level on the way up: diffusers' `UpDecoderBlock2D`.
#[derive(Module, Debug)]
pub struct UpBlock {
    resnets: Vec<Resnet>,
    /// One, or none in the last level.
    upsamplers: Vec<Resample>,
}

impl UpBlock {
    pub(crate) fn new(make: &mut Maker<'_>, config: &KlConfig, inputs: usize, outputs: usize, last: bool) -> Self {
        let resnets = (0..=config.layers_per_block).map(|j| Resnet::new(make, config, if j == 0 { inputs } else { outputs }, outputs));
        let resnets = resnets.collect();
        Self { resnets, upsamplers: (0..usize::from(!last)).map(|_| Resample::new(make, outputs)).collect() }
    }

    /// `[batch, inputs, height, width]` gives `[batch, outputs, 2 height, 2 width]`, or the same side in the last level.
    pub(crate) fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let x = self.resnets.iter().fold(x, |x, resnet| resnet.forward(x));
        self.upsamplers.iter().fold(x, |x, twice| twice.conv.forward(upsample_nearest(x)))
    }
}

/// The middle.
#[derive(Module, Debug)]
pub struct MidBlock {
    /// Two.
    resnets: Vec<Resnet>,
    /// One between them, or none.
    attentions: Vec<Attention>,
}

impl MidBlock {
    pub(crate) fn new(make: &mut Maker<'_>, config: &KlConfig, channels: usize) -> Self {
        Self {
            resnets: (0..2).map(|_| Resnet::new(make, config, channels, channels)).collect(),
            attentions: (0..usize::from(config.mid_block_add_attention)).map(|_| Attention::new(make, config, channels)).collect(),
        }
    }

    pub(crate) fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let x = self.resnets[0].forward(x);
        let x = self.attentions.iter().fold(x, |x, attention| attention.forward(x));
        self.resnets[1].forward(x)
    }
}
