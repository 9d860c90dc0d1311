//! "Improved training of Wasserstein GANs", Gulrajani et al. 2017: the critic's scores estimate a distance, its gradient between real and
//! made images is held at length 1.

use burn::module::Module;
use burn::tensor::Device;
use semblant_core::model::{Losses, Model, Step};
use semblant_core::nn::gradient_penalty;
use semblant_core::optim::Optimizers;
use semblant_core::synthesizer::Run;
use semblant_core::{Error, Result};
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
pub struct WganGpConfig {
    /// The networks.
    pub network: NetConfig,
    /// What the penalty counts.
    pub penalty: f64,
    /// How it is trained.
    pub training: Training,
    /// How it is sampled where nothing else is asked for.
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
pub struct WganGp {
    game: Game,
    #[module(skip)]
    config: WganGpConfig,
}

impl Model for WganGp {
    type Batch = Batch;
    type Sampled = Generator;

    fn sampled(&self) -> Generator {
        self.game.generator.valid()
    }

    fn train_step(self, batch: Batch, optimizers: &mut Optimizers, step: &Step) -> (Self, Losses) {
        let Self { game, config } = self;
        let (game, losses) = game.step(batch, Loss::Wasserstein, &config.training, optimizers, step, |critic, judged| {
            let pairs = judged.between.dims()[0];
            let (real, fake) = (judged.images.clone().narrow(0, 0, pairs), judged.images.narrow(0, pairs, pairs));
            let images = fake.clone() + (real - fake) * judged.between; // A point between the two of each pair.
            let classes = judged.classes.map(|classes| classes.narrow(0, 0, pairs));
            let (_, slopes) = critic.forward(images, classes.as_ref());
            let gradient = critic.input_gradient(slopes, classes.as_ref());
            Some(gradient_penalty(gradient.flatten::<2>(1, 3)) * config.penalty)
        });
        (Self { game, config }, losses)
    }
}

impl Family for WganGp {
    const NAME: &'static str = "wgan-gp";
    const SUMMARY: &'static str = "Wasserstein distance with a gradient penalty (Gulrajani et al. 2017)";
    type Config = WganGpConfig;
    type Model = Self;

    fn check(config: &WganGpConfig) -> Result<()> {
        config.network.check()?;
        config.sampling.check()?;
        if !(config.penalty >= 0.0 && config.penalty.is_finite()) {
            return Err(Error::Config(format!("penalty = {} is out of range; choose a number of at least 0", config.penalty)));
        }
        config.training.check()
    }

    fn pace(config: &WganGpConfig) -> Pace {
        config.training.pace()
    }

    fn optimizers(config: &WganGpConfig) -> Optimizers {
        config.training.optimizers()
    }

    fn model(config: &WganGpConfig, kind: &ImageKind, seed: u64, device: &Device) -> Result<Self> {
        let generator = Generator::upward(&config.network, kind, seed, device)?;
        let critic = downward_critic(&config.network, kind, false, seed, device)?;
        Ok(Self { game: Game::new(generator, critic, &config.training, device), config: config.clone() })
    }

    fn empty(config: &WganGpConfig, kind: &ImageKind, device: &Device) -> Result<Generator> {
        Generator::upward(&config.network, kind, 0, device)
    }

    fn batches(_: &WganGpConfig, images: &Images, device: &Device) -> Result<Box<dyn FnMut(&Step) -> Batch>> {
        Ok(batches(images, device))
    }

    fn finish(_: &WganGpConfig, generator: Generator, images: &Images, run: &mut Run) -> Result<Generator> {
        warn_of_collapse(&generator, images, run);
        Ok(generator)
    }

    fn make(fitted: &Fitted<Self>, asked: &Value, draws: &[ImageDraw], seed: u64) -> Result<Vec<f32>> {
        make(fitted, &fitted.net, &fitted.config.sampling, asked, draws, seed)
    }
}
