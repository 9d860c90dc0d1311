//! "Improved training of Wasserstein GANs", Gulrajani et al. 2017: the critic's scores estimate a distance, its gradient between real and
//! made images is held at length 1.

use burn::module::Module;
use burn::tensor::Device;
use semblant_core::config::Config;
use semblant_core::model::{Losses, Model, Step};
use semblant_core::nn::gradient_penalty;
use semblant_core::optim::Optimizers;
use semblant_core::{Error, Result};
use semblant_images::ImageKind;
use serde::{Deserialize, Serialize};

use crate::losses::Loss;
use crate::networks::{Generator, NetConfig, downward_critic};
use crate::piecewise::PiecewiseCritic;
use crate::pipeline::{GanConfig, check_parts, image_model};
use crate::trainer::{Batch, GanTrainer, Sampling, Training};

/// Settings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default)]
pub struct WganGpConfig {
    /// The networks.
    pub network: NetConfig,
    /// What the penalty counts.
    pub penalty: f64,
    /// Training settings.
    pub training: Training,
    /// Sampling settings, unless a request has others.
    pub sampling: Sampling,
}

impl Default for WganGpConfig {
    fn default() -> Self {
        let network = NetConfig { channels: vec![96, 64, 32], ..NetConfig::default() };
        let training = Training { critic_steps: 5, ..Training::default() };
        Self { network, penalty: 10.0, training, sampling: Sampling::default() }
    }
}

/// The model.
#[derive(Module, Debug)]
pub struct WganGpModel {
    gan: GanTrainer,
    #[module(skip)]
    config: WganGpConfig,
}

impl Model for WganGpModel {
    type Batch = Batch;
    type Sampled = Generator;

    fn sampled(&self) -> Generator {
        self.gan.generator.valid()
    }

    fn train_step(self, batch: Batch, optimizers: &mut Optimizers, step: &Step) -> (Self, Losses) {
        let Self { gan, config } = self;
        let (gan, losses) = gan.step(batch, Loss::Wasserstein, &config.training, optimizers, step, |critic, output| {
            let pairs = output.between.dims()[0];
            let (real, fake) = (output.images.clone().narrow(0, 0, pairs), output.images.narrow(0, pairs, pairs));
            let images = fake.clone() + (real - fake) * output.between; // A point between the two of each pair.
            let classes = output.classes.map(|classes| classes.narrow(0, 0, pairs));
            let (_, slopes) = critic.forward(images, classes.as_ref());
            let gradient = critic.input_gradient(slopes, classes.as_ref());
            Some(gradient_penalty(gradient.flatten::<2>(1, 3)) * config.penalty)
        });
        (Self { gan, config }, losses)
    }
}

impl Config for WganGpConfig {
    fn check(&self) -> Result<()> {
        check_parts(self)?;
        if !(self.penalty >= 0.0 && self.penalty.is_finite()) {
            return Err(Error::Config(format!("penalty = {} is out of range; choose a number of at least 0", self.penalty)));
        }
        Ok(())
    }

    fn renamed() -> &'static [(&'static str, &'static str)] {
        crate::trainer::RENAMED
    }
}

impl GanConfig for WganGpConfig {
    const NAME: &'static str = "wgan-gp";
    const SUMMARY: &'static str = "Wasserstein distance with a gradient penalty (Gulrajani et al. 2017)";
    type Model = WganGpModel;

    fn parts(&self) -> (&NetConfig, &Training, &Sampling) {
        (&self.network, &self.training, &self.sampling)
    }

    fn generator(&self, kind: &ImageKind, seed: u64, device: &Device) -> Result<Generator> {
        Generator::upward(&self.network, kind, seed, device)
    }

    fn critic(&self, kind: &ImageKind, seed: u64, device: &Device) -> Result<PiecewiseCritic> {
        downward_critic(&self.network, kind, false, seed, device)
    }

    fn around(&self, gan: GanTrainer) -> WganGpModel {
        WganGpModel { gan, config: self.clone() }
    }
}

image_model!(WganGpConfig);
