//! Networks that look at a noised image and say what is image and what is noise in it.

pub mod dit;
mod embedder;
pub mod mlp;
pub mod unet;

pub use embedder::Embedder;
pub(crate) use embedder::TIME_WIDTH;

use burn::module::Module;
use burn::tensor::{Device, Int, Tensor};
use semblant_core::Result;
use semblant_images::ImageShape;
use serde::{Deserialize, Serialize};

/// The widest layer of a network here, in numbers or channels; more is a mistake in a settings file.
pub(crate) const MOST_WIDTH: usize = 1 << 16;

/// The most blocks, one after another.
pub(crate) const MOST_DEPTH: usize = 1024;

/// The conditioning of a network, besides noised images and noise levels.
#[derive(Debug, Clone, Default)]
pub struct Condition {
    /// Classes `[batch]`, if the network knows classes; the class after the last one means none, and so does `None`.
    pub class: Option<Tensor<1, Int>>,
    /// How the images were augmented, `[batch, LABELS]` (Karras et al. 2022, appendix F.2; see
    /// [`LABELS`](semblant_data::image::augment::LABELS)); `None` means not at all.
    pub augmentation: Option<Tensor<2>>,
}

/// A network of a diffusion or flow model.
pub trait Network: Module {
    /// `x [batch, channels, height, width]` and `time [batch]` (see [`Level::time`](crate::process::Level::time)) give
    /// `[batch, channels, height, width]`.
    fn forward(&self, x: Tensor<4>, time: Tensor<1>, condition: &Condition) -> Tensor<4>;
}

/// Which network, and how large.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum NetConfig {
    /// A transformer over patches.
    Dit(dit::DitConfig),
    /// A convolutional network with skips.
    Unet(unet::UnetConfig),
    /// A perceptron over the whole image.
    Mlp(mlp::MlpConfig),
}

impl NetConfig {
    /// Checks the sizes against each other and against the images.
    ///
    /// # Errors
    /// Names the field, its value and what is allowed.
    pub fn check(&self, shape: &ImageShape) -> Result<()> {
        match self {
            Self::Dit(config) => config.check(shape),
            Self::Unet(config) => config.check(shape),
            Self::Mlp(config) => config.check(),
        }
    }

    /// A fresh network on `device` for images of `shape`; `classes` 0 means that there are none. `augmented` networks are told how their
    /// images were augmented.
    pub fn build(&self, shape: &ImageShape, classes: usize, augmented: bool, seed: u64, device: &Device) -> Net {
        match self {
            Self::Dit(config) => {
                let net = dit::Dit::new(config, shape, classes, seed, device);
                Net::Dit(if augmented { net.with_augmentation() } else { net })
            }
            Self::Unet(config) => {
                let net = unet::UNet2D::new(config, shape, classes, seed, device);
                Net::Unet(if augmented { net.with_augmentation() } else { net })
            }
            Self::Mlp(config) => {
                let net = mlp::Mlp::new(config, shape, classes, seed, device);
                Net::Mlp(if augmented { net.with_augmentation() } else { net })
            }
        }
    }
}

/// Any of the networks.
#[allow(clippy::large_enum_variant, reason = "a model holds one of them, never a list")]
#[derive(Module, Debug)]
pub enum Net {
    /// A transformer over patches.
    Dit(dit::Dit),
    /// A convolutional network with skips.
    Unet(unet::UNet2D),
    /// A perceptron over the whole image.
    Mlp(mlp::Mlp),
}

impl Network for Net {
    fn forward(&self, x: Tensor<4>, time: Tensor<1>, condition: &Condition) -> Tensor<4> {
        match self {
            Self::Dit(net) => net.forward(x, time, condition),
            Self::Unet(net) => net.forward(x, time, condition),
            Self::Mlp(net) => net.forward(x, time, condition),
        }
    }
}
