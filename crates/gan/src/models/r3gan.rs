//! "The GAN is dead; long live the GAN! A modern GAN baseline", Huang et al. 2024: the critic compares a real with a synthetic image, and its
//! gradient is held small at real and at synthetic images alike (R1 and R2), which together make the gan converge without tricks. Both networks
//! are residual, without normalisation.
//!
//! The paper's schedule at another size: the penalty and the learning rate fall along a cosine over the run.

use burn::module::Module;
use burn::tensor::Device;
use semblant_core::config::Config;
use semblant_core::model::{Losses, Model, Step};
use semblant_core::optim::{LrSchedule, Optimizers};
use semblant_core::{Error, Result};
use semblant_images::ImageKind;
use serde::{Deserialize, Serialize};

use crate::losses::Loss;
use crate::networks::{Generator, NetConfig, residual_critic};
use crate::piecewise::{PiecewiseCritic, zero_centred_penalty};
use crate::pipeline::{GanConfig, check_parts, image_model};
use crate::trainer::{Batch, GanTrainer, Sampling, Training};

/// Settings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default)]
pub struct R3ganConfig {
    /// The networks.
    pub network: NetConfig,
    /// Gamma, what the penalties count (times a half), at the beginning...
    pub gamma: f64,
    /// ...and at the end of the run; between, half a cosine.
    pub gamma_end: f64,
    /// Training settings.
    pub training: Training,
    /// Sampling settings, unless a request has others.
    pub sampling: Sampling,
}

impl Default for R3ganConfig {
    fn default() -> Self {
        Self { network: NetConfig::default(), gamma: 1.0, gamma_end: 0.1, training: Training::default(), sampling: Sampling::default() }
    }
}

/// The model.
#[derive(Module, Debug)]
pub struct R3ganModel {
    gan: GanTrainer,
    #[module(skip)]
    config: R3ganConfig,
}

impl Model for R3ganModel {
    type Batch = Batch;
    type Sampled = Generator;

    fn sampled(&self) -> Generator {
        self.gan.generator.valid()
    }

    fn train_step(self, batch: Batch, optimizers: &mut Optimizers, step: &Step) -> (Self, Losses) {
        let Self { gan, config } = self;
        let gamma = config.gamma_end + (config.gamma - config.gamma_end) * LrSchedule::Cosine.factor(step.progress());
        let (gan, losses) = gan.step(batch, Loss::Relativistic, &config.training, optimizers, step, |critic, output| {
            let gradient = critic.input_gradient(output.slopes, output.classes.as_ref()); // [2 batch, channels, height, width]
            // The mean over real and synthetic images together is half of R1 + R2, as the paper's factor asks.
            Some(zero_centred_penalty(gradient) * gamma)
        });
        (Self { gan, config }, losses)
    }
}

impl Config for R3ganConfig {
    fn check(&self) -> Result<()> {
        check_parts(self)?;
        for (field, value) in [("gamma", self.gamma), ("gamma_end", self.gamma_end)] {
            if !(value >= 0.0 && value.is_finite()) {
                return Err(Error::Config(format!("{field} = {value} is out of range; choose a number of at least 0")));
            }
        }
        Ok(())
    }

    fn renamed() -> &'static [(&'static str, &'static str)] {
        crate::trainer::RENAMED
    }
}

impl GanConfig for R3ganConfig {
    const NAME: &'static str = "r3gan";
    const SUMMARY: &'static str = "residual networks, relativistic loss, R1 and R2 penalties (Huang et al. 2024)";
    type Model = R3ganModel;

    fn parts(&self) -> (&NetConfig, &Training, &Sampling) {
        (&self.network, &self.training, &self.sampling)
    }

    fn generator(&self, kind: &ImageKind, seed: u64, device: &Device) -> Result<Generator> {
        Generator::residual(&self.network, kind, seed, device)
    }

    fn critic(&self, kind: &ImageKind, seed: u64, device: &Device) -> Result<PiecewiseCritic> {
        residual_critic(&self.network, kind, seed, device)
    }

    fn around(&self, gan: GanTrainer) -> R3ganModel {
        R3ganModel { gan, config: self.clone() }
    }
}

image_model!(R3ganConfig);
