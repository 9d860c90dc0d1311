//! Flow matching on straight paths: "Flow matching for generative modeling", Lipman et al. 2023; "Flow straight and fast", Liu et al. 2023;
//! times drawn as in "Scaling rectified flow transformers", Esser et al. 2024.
//!
//! An image `x` and noise `n` are joined by `x_t = (1 - t) x + t n`; the network learns the velocity `n - x`. Sampling follows it from
//! noise (t = 1) to image (t = 0).

use burn::module::Module;
use burn::optim::GradientsParams;
use semblant_core::config::Config;
use semblant_core::model::{Losses, Model, Step};
use semblant_core::optim::Optimizers;
use semblant_core::{Error, Result};
use serde::{Deserialize, Serialize};

use crate::exchange::SchedulerConfig;
use crate::networks::{Net, NetConfig};
use crate::pipeline::Process;
use crate::process::{Prediction, Weighting};
use crate::schedule::{Plan, straight_level};
use crate::solvers::Sampling;
use crate::training::{Batch, Training, default_network, denoising_loss, level_normals, training_noise};

/// Settings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default)]
pub struct FlowConfig {
    /// The network.
    pub network: NetConfig,
    /// Training times are `1 / (1 + exp(-z))`, z normal with this mean...
    pub time_mean: f64,
    /// ...and this standard deviation (Esser et al. 2024, equation 19).
    pub time_deviation: f64,
    /// Sampling times are bent towards noise by this factor (Esser et al. 2024, equation 23); 1 leaves them even.
    pub shift: f64,
    /// Training settings.
    pub training: Training,
    /// Sampling settings, unless a request has others.
    pub sampling: Sampling,
}

impl Default for FlowConfig {
    fn default() -> Self {
        Self {
            network: default_network(),
            time_mean: 0.0,
            time_deviation: 1.0,
            shift: 1.0,
            training: Training::default(),
            sampling: Sampling::default(),
        }
    }
}

/// The model.
#[derive(Module, Debug)]
pub struct FlowModel {
    net: Net,
    #[module(skip)]
    config: FlowConfig,
}

impl FlowModel {
    /// A model around a network, for images that are prepared elsewhere: latent ones, for example.
    pub fn around(config: &FlowConfig, net: Net) -> Self {
        Self { net, config: config.clone() }
    }
}

impl Model for FlowModel {
    type Batch = Batch;
    type Sampled = Net;

    fn sampled(&self) -> Net {
        self.net.valid()
    }

    fn train_step(mut self, batch: Batch, optimizers: &mut Optimizers, step: &Step) -> (Self, Losses) {
        let FlowConfig { time_mean, time_deviation, .. } = self.config;
        let normals = level_normals(batch.images.dims()[0], step);
        let levels: Vec<_> = normals.iter().map(|z| straight_level(1.0 / (1.0 + (-(time_mean + time_deviation * z)).exp()))).collect();
        let noise = training_noise(&batch.images, step);
        let loss = denoising_loss(&self.net, &Prediction::Velocity, &Weighting::Uniform, batch, &levels, noise);
        let losses = Losses::default().with("loss", loss.clone());
        let gradients = GradientsParams::from_grads(loss.backward(), &self.net);
        self.net = optimizers.step("network", self.net, gradients, step);
        (self, losses)
    }
}

impl Config for FlowConfig {
    fn check(&self) -> Result<()> {
        self.check_parts()?;
        if !(self.time_deviation > 0.0 && self.time_deviation.is_finite() && self.time_mean.is_finite()) {
            let what =
                format!("time_mean = {} and time_deviation = {} must be numbers, the second above 0", self.time_mean, self.time_deviation);
            return Err(Error::Config(what));
        }
        if !(self.shift > 0.0 && self.shift.is_finite()) {
            return Err(Error::Config(format!("shift = {} is out of range; choose a number above 0", self.shift)));
        }
        self.check_levels_visited()
    }

    fn renamed() -> &'static [(&'static str, &'static str)] {
        semblant_images::RENAMED
    }

    fn retired() -> &'static [&'static str] {
        &["sampling.record"]
    }
}

impl Process for FlowConfig {
    const NAME: &'static str = "flow";
    const SUMMARY: &'static str = "flow matching on straight paths (Lipman et al. 2023), a transformer by default";
    type Model = FlowModel;

    fn parts(&self) -> (&NetConfig, &Training, &Sampling) {
        (&self.network, &self.training, &self.sampling)
    }

    fn around(&self, net: Net) -> FlowModel {
        FlowModel { net, config: self.clone() }
    }

    fn prediction(&self) -> Prediction {
        Prediction::Velocity
    }

    fn plan(&self, steps: usize) -> Result<Plan> {
        Plan::straight(steps, self.shift)
    }

    fn scheduler(&self) -> Result<SchedulerConfig> {
        Ok(SchedulerConfig::flow(self.shift))
    }
}

crate::pipeline::image_model!(FlowConfig);
