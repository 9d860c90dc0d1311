//! Deep convolutional networks ("Unsupervised representation learning with deep convolutional GANs", Radford et al. 2016) as they are
//! trained since: with a hinge loss and a critic whose layers are spectrally normalised ("Spectral normalization for generative
//! adversarial networks", Miyato et al. 2018), told of classes by projection (Miyato and Koyama 2018).
//!
//! Batch normalisation, which makes an image depend on those beside it, is group normalisation here.

use burn::module::Module;
use burn::tensor::Device;
use semblant_core::Result;
use semblant_core::model::{Losses, Model, Step};
use semblant_core::optim::Optimizers;
use semblant_images::ImageKind;
use serde::{Deserialize, Serialize};

use crate::losses::Loss;
use crate::networks::{Generator, NetConfig, downward_critic};
use crate::piecewise::PiecewiseCritic;
use crate::pipeline::GanModel;
use crate::trainer::{Batch, GanTrainer, Sampling, Training};

/// Settings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DcganConfig {
    /// The networks.
    pub network: NetConfig,
    /// The loss.
    pub loss: Loss,
    /// How it is trained.
    pub training: Training,
    /// How it is sampled where nothing else is asked for.
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
pub struct Dcgan {
    gan: GanTrainer,
    #[module(skip)]
    config: DcganConfig,
}

impl Model for Dcgan {
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

impl GanModel for Dcgan {
    const NAME: &'static str = "dcgan";
    const SUMMARY: &'static str = "convolutions with a hinge loss and spectral normalisation (Radford et al. 2016, Miyato et al. 2018)";
    type Config = DcganConfig;

    fn parts(config: &DcganConfig) -> (&NetConfig, &Training, &Sampling) {
        (&config.network, &config.training, &config.sampling)
    }

    fn generator(config: &NetConfig, kind: &ImageKind, seed: u64, device: &Device) -> Result<Generator> {
        Generator::upward(config, kind, seed, device)
    }

    fn critic(config: &NetConfig, kind: &ImageKind, seed: u64, device: &Device) -> Result<PiecewiseCritic> {
        downward_critic(config, kind, true, seed, device)
    }

    fn new(config: &DcganConfig, gan: GanTrainer) -> Self {
        Self { gan, config: config.clone() }
    }
}
