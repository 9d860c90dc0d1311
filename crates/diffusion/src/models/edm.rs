//! EDM: "Elucidating the design space of diffusion-based generative models", Karras, Aittala, Aila and Laine 2022.
//!
//! Images are noised to a standard deviation sigma, the network's input and target are scaled to unit variance at every sigma, training
//! levels are log-normal, and sampling walks 18 or so levels from 80 to 0.002 with Heun's method.

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
use crate::schedule::{Plan, edm_level};
use crate::solvers::Sampling;
use crate::training::{Batch, Training, default_network, denoising_loss, level_normals, training_noise};

/// Settings; the defaults are those of the paper's table 1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default)]
pub struct EdmConfig {
    /// The network.
    pub network: NetConfig,
    /// The standard deviation of the images' pixels, which lie in -1 to 1.
    pub sigma_data: f64,
    /// Mean of `ln(sigma)` in training.
    pub log_sigma_mean: f64,
    /// Standard deviation of `ln(sigma)` in training.
    pub log_sigma_deviation: f64,
    /// The lowest level that is sampled from.
    pub sigma_min: f64,
    /// The highest level that is sampled from.
    pub sigma_max: f64,
    /// Training settings.
    pub training: Training,
    /// Sampling settings, unless a request has others.
    pub sampling: Sampling,
}

impl Default for EdmConfig {
    fn default() -> Self {
        Self {
            network: default_network(),
            sigma_data: 0.5,
            log_sigma_mean: -1.2,
            log_sigma_deviation: 1.2,
            sigma_min: 0.002,
            sigma_max: 80.0,
            training: Training::default(),
            sampling: Sampling::default(),
        }
    }
}

/// The model.
#[derive(Module, Debug)]
pub struct EdmModel {
    net: Net,
    #[module(skip)]
    config: EdmConfig,
}

impl Model for EdmModel {
    type Batch = Batch;
    type Sampled = Net;

    fn sampled(&self) -> Net {
        self.net.valid()
    }

    fn train_step(mut self, batch: Batch, optimizers: &mut Optimizers, step: &Step) -> (Self, Losses) {
        let EdmConfig { log_sigma_mean, log_sigma_deviation, .. } = self.config;
        let normals = level_normals(batch.images.dims()[0], step);
        let levels: Vec<_> = normals.iter().map(|z| edm_level((log_sigma_mean + log_sigma_deviation * z).exp())).collect();
        let noise = training_noise(&batch.images, step);
        // The paper's weighting of the clean image is 1 on the network's output.
        let loss = denoising_loss(&self.net, &self.config.prediction(), &Weighting::Uniform, batch, &levels, noise);
        let losses = Losses::default().with("loss", loss.clone());
        let gradients = GradientsParams::from_grads(loss.backward(), &self.net);
        self.net = optimizers.step("network", self.net, gradients, step);
        (self, losses)
    }
}

impl EdmConfig {
    /// Checks the noise levels.
    pub(crate) fn check_levels(&self) -> Result<()> {
        let above_zero =
            [("sigma_data", self.sigma_data), ("log_sigma_deviation", self.log_sigma_deviation), ("sigma_min", self.sigma_min)];
        if let Some((field, value)) = above_zero.iter().find(|(_, value)| !(*value > 0.0 && value.is_finite())) {
            return Err(Error::Config(format!("{field} = {value} is out of range; choose a number above 0")));
        }
        if !(self.sigma_max > self.sigma_min && self.sigma_max.is_finite() && self.log_sigma_mean.is_finite()) {
            return Err(Error::Config(format!("sigma_max = {} must be above sigma_min = {}", self.sigma_max, self.sigma_min)));
        }
        Ok(())
    }
}

impl Config for EdmConfig {
    fn check(&self) -> Result<()> {
        self.check_parts()?;
        self.check_levels()?;
        self.check_levels_visited()
    }

    fn renamed() -> &'static [(&'static str, &'static str)] {
        semblant_images::RENAMED
    }

    fn retired() -> &'static [&'static str] {
        &["sampling.record"]
    }
}

impl Process for EdmConfig {
    const NAME: &'static str = "edm";
    const SUMMARY: &'static str = "diffusion with the preconditioning of Karras et al. 2022, a transformer by default";
    type Model = EdmModel;

    fn parts(&self) -> (&NetConfig, &Training, &Sampling) {
        (&self.network, &self.training, &self.sampling)
    }

    fn around(&self, net: Net) -> EdmModel {
        EdmModel { net, config: self.clone() }
    }

    fn prediction(&self) -> Prediction {
        Prediction::Edm { sigma_data: self.sigma_data }
    }

    fn plan(&self, steps: usize) -> Result<Plan> {
        Plan::edm(steps, self.sigma_min, self.sigma_max)
    }

    fn scheduler(&self) -> Result<SchedulerConfig> {
        Ok(SchedulerConfig::edm(self.sigma_data, self.sigma_min, self.sigma_max))
    }
}

crate::pipeline::image_model!(EdmConfig);
