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
use semblant_core::synthesizer::Run;
use semblant_data::image::Images;
use semblant_images::{Family, Fitted, ImageDraw, ImageKind, Pace};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::adversarial::{Batch, Game, Sampling, Training, batches, make, warn_of_collapse};
use crate::losses::Loss;
use crate::networks::{Generator, NetConfig, downward_critic};

/// Settings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DcganConfig {
    /// The networks.
    pub network: NetConfig,
    /// The game.
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
    game: Game,
    #[module(skip)]
    config: DcganConfig,
}

impl Model for Dcgan {
    type Batch = Batch;
    type Sampled = Generator;

    fn sampled(&self) -> Generator {
        self.game.generator.valid()
    }

    fn train_step(self, batch: Batch, optimizers: &mut Optimizers, step: &Step) -> (Self, Losses) {
        let Self { game, config } = self;
        let (game, losses) = game.step(batch, config.loss, &config.training, optimizers, step, |_, _| None);
        (Self { game, config }, losses)
    }
}

impl Family for Dcgan {
    const NAME: &'static str = "dcgan";
    const SUMMARY: &'static str = "convolutions with a hinge loss and spectral normalisation (Radford et al. 2016, Miyato et al. 2018)";
    type Config = DcganConfig;
    type Model = Self;

    fn check(config: &DcganConfig) -> Result<()> {
        config.network.check()?;
        config.sampling.check()?;
        config.training.check()
    }

    fn pace(config: &DcganConfig) -> Pace {
        config.training.pace()
    }

    fn optimizers(config: &DcganConfig) -> Optimizers {
        config.training.optimizers()
    }

    fn model(config: &DcganConfig, kind: &ImageKind, seed: u64, device: &Device) -> Result<Self> {
        let generator = Generator::upward(&config.network, kind, seed, device)?;
        let critic = downward_critic(&config.network, kind, true, seed, device)?;
        Ok(Self { game: Game::new(generator, critic, &config.training, device), config: config.clone() })
    }

    fn empty(config: &DcganConfig, kind: &ImageKind, device: &Device) -> Result<Generator> {
        Generator::upward(&config.network, kind, 0, device)
    }

    fn batches(_: &DcganConfig, images: &Images, device: &Device) -> Result<Box<dyn FnMut(&Step) -> Batch>> {
        Ok(batches(images, device))
    }

    fn finish(_: &DcganConfig, generator: Generator, images: &Images, run: &mut Run) -> Result<Generator> {
        warn_of_collapse(&generator, images, run);
        Ok(generator)
    }

    fn make(fitted: &Fitted<Self>, asked: &Value, draws: &[ImageDraw], seed: u64) -> Result<Vec<f32>> {
        make(fitted, &fitted.net, &fitted.config.sampling, asked, draws, seed)
    }
}
