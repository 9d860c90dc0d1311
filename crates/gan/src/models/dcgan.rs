//! Deep convolutional networks ("Unsupervised representation learning with deep convolutional GANs", Radford et al. 2016) as they are
//! trained since: with a hinge loss and a critic whose layers are spectrally normalised ("Spectral normalization for generative
//! adversarial networks", Miyato et al. 2018), conditioned on classes by projection (Miyato and Koyama 2018).
//!
//! Batch normalisation, which makes an image depend on the others of its batch, is group normalisation here.

use burn::module::Module;
use burn::tensor::Device;
use semblant_core::Result;
use semblant_core::config::Config;
use semblant_core::model::{Losses, Model, Step};
use semblant_core::optim::Optimizers;
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
pub struct DcganConfig {
    /// The networks.
    pub network: NetConfig,
    /// The loss.
    pub loss: Loss,
    /// Training settings.
    pub training: Training,
    /// Sampling settings, unless a request has others.
    pub sampling: Sampling,
}

impl Default for DcganConfig {
    fn default() -> Self {
        let network = NetConfig { channels: vec![96, 64, 32], ..NetConfig::default() };
        Self { network, loss: Loss::Hinge, training: Training::default(), sampling: Sampling::default() }
    }
}

/// The model.
#[derive(Module, Debug)]
pub struct DcganModel {
    gan: GanTrainer,
    #[module(skip)]
    config: DcganConfig,
}

impl Model for DcganModel {
    type Batch = Batch;
    type Sampled = Generator;

    fn sampled(&self) -> Generator {
        self.gan.generator.valid()
    }

    fn train_step(self, batch: Batch, optimizers: &mut Optimizers, step: &Step) -> (Self, Losses) {
        let Self { gan, config } = self;
        let (gan, losses) = gan.step(batch, config.loss, &config.training, optimizers, step, |_, _| None);
        (Self { gan, config }, losses)
    }
}

impl Config for DcganConfig {
    fn check(&self) -> Result<()> {
        check_parts(self)
    }

    fn renamed() -> &'static [(&'static str, &'static str)] {
        crate::trainer::RENAMED
    }
}

impl GanConfig for DcganConfig {
    const NAME: &'static str = "dcgan";
    const SUMMARY: &'static str = "convolutions with a hinge loss and spectral normalisation (Radford et al. 2016, Miyato et al. 2018)";
    type Model = DcganModel;

    fn parts(&self) -> (&NetConfig, &Training, &Sampling) {
        (&self.network, &self.training, &self.sampling)
    }

    fn generator(&self, kind: &ImageKind, seed: u64, device: &Device) -> Result<Generator> {
        Generator::upward(&self.network, kind, seed, device)
    }

    fn critic(&self, kind: &ImageKind, seed: u64, device: &Device) -> Result<PiecewiseCritic> {
        downward_critic(&self.network, kind, true, seed, device)
    }

    fn around(&self, gan: GanTrainer) -> DcganModel {
        DcganModel { gan, config: self.clone() }
    }
}

image_model!(DcganConfig);
