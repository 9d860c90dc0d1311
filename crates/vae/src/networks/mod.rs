//! Encoders and decoders between images and vectors.

pub mod conv;
pub mod mlp;

use burn::module::Module;
use burn::tensor::{Device, Int, Tensor};
use semblant_core::Result;
use semblant_core::nn::init_streams;
use semblant_core::seeds::Stream;
use semblant_images::ImageShape;
use serde::{Deserialize, Serialize};

/// Which networks, and how large.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum NetConfig {
    /// Perceptrons over the whole image.
    Mlp(mlp::MlpConfig),
    /// Convolutions, half the side in each level.
    Conv(conv::ConvConfig),
}

/// From images to vectors.
#[allow(clippy::large_enum_variant, reason = "a model holds one of them, never a list")]
#[derive(Module, Debug)]
pub enum Encoder {
    /// See [`NetConfig::Mlp`].
    Mlp(mlp::MlpEncoder),
    /// See [`NetConfig::Conv`].
    Conv(conv::ConvEncoder),
}

/// From vectors to what a likelihood needs for every pixel.
#[allow(clippy::large_enum_variant, reason = "a model holds one of them, never a list")]
#[derive(Module, Debug)]
pub enum Decoder {
    /// See [`NetConfig::Mlp`].
    Mlp(mlp::MlpDecoder),
    /// See [`NetConfig::Conv`].
    Conv(conv::ConvDecoder),
}

/// What new layers need: a fresh random stream for each, and the device.
pub(crate) struct Maker<'a> {
    pub(crate) stream: &'a mut dyn FnMut() -> Stream,
    pub(crate) device: &'a Device,
}

impl NetConfig {
    /// Checks the sizes against the images.
    ///
    /// # Errors
    /// Names the field, its value and what is allowed.
    pub fn check(&self, shape: &ImageShape) -> Result<()> {
        match self {
            Self::Mlp(config) => config.check(),
            Self::Conv(config) => config.check(shape),
        }
    }

    /// A fresh encoder to `outputs` numbers and decoder from `latent` numbers; `classes` 0 means that there are none.
    pub(crate) fn build(
        &self,
        shape: &ImageShape,
        [outputs, latent]: [usize; 2],
        classes: usize,
        seed: u64,
        device: &Device,
    ) -> (Encoder, Decoder) {
        let mut stream = init_streams(seed);
        let mut make = Maker { stream: &mut stream, device };
        match self {
            Self::Mlp(config) => (
                Encoder::Mlp(mlp::MlpEncoder::new(config, shape, outputs, classes, &mut make)),
                Decoder::Mlp(mlp::MlpDecoder::new(config, shape, latent, classes, &mut make)),
            ),
            Self::Conv(config) => (
                Encoder::Conv(conv::ConvEncoder::new(config, shape, outputs, classes, &mut make)),
                Decoder::Conv(conv::ConvDecoder::new(config, shape, latent, classes, &mut make)),
            ),
        }
    }
}

impl Encoder {
    /// `x [batch, pixels]` and classes `[batch]` give `[batch, outputs]`.
    pub(crate) fn forward(&self, x: Tensor<2>, classes: Option<Tensor<1, Int>>) -> Tensor<2> {
        match self {
            Self::Mlp(net) => net.forward(x, classes),
            Self::Conv(net) => net.forward(x, classes),
        }
    }
}

impl Decoder {
    /// `z [rows, latent]` and classes `[rows]` give `[rows, pixels]`.
    pub(crate) fn forward(&self, z: Tensor<2>, classes: Option<Tensor<1, Int>>) -> Tensor<2> {
        match self {
            Self::Mlp(net) => net.forward(z, classes),
            Self::Conv(net) => net.forward(z, classes),
        }
    }
}

/// Adds each row's class vector out of `table [classes + 1, width]`, whose last row is for no class: what a one-hot vector beside the
/// input would add.
pub(crate) fn told(x: Tensor<2>, table: Tensor<2>, classes: Option<Tensor<1, Int>>) -> Tensor<2> {
    let [known, width] = table.dims();
    match classes {
        Some(classes) => x + table.select(0, classes),
        None => x + table.slice([known - 1..known, 0..width]),
    }
}
