//! The autoencoder of latent diffusion: "High-resolution image synthesis with latent diffusion models", Rombach et al. 2022,
//! <https://arxiv.org/abs/2112.10752>, as diffusers' `AutoencoderKL` has it.
//!
//! Images become smaller latent images of a few channels, kept near a standard normal distribution by a small weight on the divergence. It is
//! made to be rebuilt from, not to be sampled from: a diffusion model of the latent images does that.

use burn::module::{Module, Param};
use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor};
use semblant_core::config::Config;
use semblant_core::config::check_range;
use semblant_core::model::{Losses, Model, Step};
use semblant_core::optim::Optimizers;
use semblant_core::{Result, host, nn};
use semblant_images::ImageKind;
use serde::{Deserialize, Serialize};

use crate::kl::{KlConfig, KlNet};
use crate::training::{Batch, Training, purpose};

/// Settings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default)]
pub struct AutoencoderKlConfig {
    /// The network.
    pub network: KlConfig,
    /// What is minimised between an image and what is rebuilt of it.
    pub distance: Distance,
    /// The weight of the mean divergence of a latent value, in nats, relative to the mean distance of a pixel.
    pub kl_weight: f64,
    /// Training settings.
    pub training: Training,
    /// Sampling settings, unless a request has others.
    pub sampling: AutoencoderKlSampling,
}

/// What is minimised between an image and what is rebuilt of it, in units of -1 to 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Distance {
    /// The mean absolute difference of pixels: sharper.
    Absolute,
    /// The mean square.
    Squared,
}

/// Settings of sampling.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default)]
pub struct AutoencoderKlSampling {
    /// The factor on the spread of latent numbers.
    pub temperature: f64,
}

impl Default for AutoencoderKlSampling {
    fn default() -> Self {
        Self { temperature: 1.0 }
    }
}

impl Default for AutoencoderKlConfig {
    fn default() -> Self {
        Self {
            network: KlConfig::default(),
            distance: Distance::Absolute,
            kl_weight: 1e-3,
            training: crate::training::training(),
            sampling: AutoencoderKlSampling::default(),
        }
    }
}

impl AutoencoderKlSampling {
    pub(crate) fn check(&self) -> Result<()> {
        check_range("temperature", self.temperature, 0.0, 100.0)
    }
}

impl Config for AutoencoderKlConfig {
    fn check(&self) -> Result<()> {
        crate::training::check(&self.training)?;
        self.sampling.check()?;
        check_range("kl_weight", self.kl_weight, 0.0, 1e3)
    }

    fn renamed() -> &'static [(&'static str, &'static str)] {
        semblant_images::RENAMED
    }
}

/// The network, and what its latent images are multiplied by.
#[derive(Module, Debug)]
pub struct ScaledKl {
    /// The network.
    pub net: KlNet,
    /// The inverse of the standard deviation of latent numbers over the training images, `[1]`.
    pub(crate) scaling_factor: Param<Tensor<1>>,
}

impl ScaledKl {
    /// A fresh network for images of this kind, with the factor 1.
    pub(crate) fn new(config: &AutoencoderKlConfig, kind: &ImageKind, seed: u64, device: &Device) -> Result<Self> {
        config.network.check(&kind.shape)?;
        Ok(Self::of(KlNet::new(&config.network, kind.shape.channels, seed, device), 1.0, device))
    }

    /// A network with its factor.
    pub fn of(net: KlNet, scaling_factor: f64, device: &Device) -> Self {
        Self { net, scaling_factor: nn::filled([1], device, scaling_factor as f32) }
    }

    /// What latent images are multiplied by to have unit variance.
    pub fn scaling_factor(&self) -> f64 {
        f64::from(host::scalar(self.scaling_factor.val()))
    }

    /// Latent images of unit variance, the means of their posteriors: `[batch, latent channels, height, width]`.
    pub fn latents(&self, images: Tensor<4>) -> Tensor<4> {
        self.net.encode(images).mean * self.scaling_factor.val().reshape([1, 1, 1, 1])
    }

    /// The images of latent images of unit variance, in -1 to 1 and a little beyond.
    pub fn images(&self, latents: Tensor<4>) -> Tensor<4> {
        self.net.decode(latents / self.scaling_factor.val().reshape([1, 1, 1, 1]))
    }
}

/// The model.
#[derive(Module, Debug)]
pub struct AutoencoderKlModel {
    pub(crate) scaled: ScaledKl,
    #[module(skip)]
    pub(crate) config: AutoencoderKlConfig,
}

impl Model for AutoencoderKlModel {
    type Batch = Batch;
    type Sampled = ScaledKl;

    fn sampled(&self) -> ScaledKl {
        self.scaled.valid()
    }

    fn train_step(mut self, batch: Batch, optimizers: &mut Optimizers, step: &Step) -> (Self, Losses) {
        let posterior = self.scaled.net.encode(batch.images.clone());
        let z = posterior.sample(noise(posterior.mean.dims(), step, &batch.images.device()));
        let difference = self.scaled.net.decode(z) - batch.images; // [batch, channels, height, width]
        let distance = match self.config.distance {
            Distance::Absolute => difference.abs().mean(),
            Distance::Squared => difference.square().mean(),
        };
        let kl = posterior.divergence().mean();
        let loss = distance.clone() + kl.clone() * self.config.kl_weight;
        let losses = Losses::default().with("loss", loss.clone()).with("reconstruction", distance).with("kl", kl);
        let gradients = GradientsParams::from_grads(loss.backward(), &self.scaled);
        self.scaled = optimizers.step("network", self.scaled, gradients, step);
        (self, losses)
    }
}

/// Standard normal numbers for the latent images of a step.
fn noise(shape: [usize; 4], step: &Step, device: &Device) -> Tensor<4> {
    let first = step.rows().start;
    let noise = step.stream(purpose::NOISE).normals_on(first..first + shape[0] as u64, shape[1..].iter().product(), device);
    Tensor::from_inner(noise.reshape(shape))
}
