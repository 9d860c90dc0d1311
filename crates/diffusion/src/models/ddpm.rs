//! DDPM: "Denoising diffusion probabilistic models", Ho, Jain and Abbeel 2020, with the cosine schedule of Nichol and Dhariwal 2021, the
//! v-prediction of Salimans and Ho 2022 and the weighting of Hang et al. 2023 as choices.
//!
//! Images are noised over a table of 1,000 timesteps, and the network learns the noise (or the image, or v) at timesteps drawn evenly.

use burn::module::Module;
use burn::optim::GradientsParams;
use semblant_core::config::{Config, check_range};
use semblant_core::model::{Losses, Model, Step};
use semblant_core::optim::Optimizers;
use semblant_core::{Error, Result};
use serde::{Deserialize, Serialize};

use crate::exchange::{SchedulerConfig, TimestepSpacing};
use crate::networks::{Net, NetConfig};
use crate::pipeline::Process;
use crate::process::{Prediction, Weighting};
use crate::schedule::{BetaSchedule, DdpmTable, MOST_TIMESTEPS, Plan, Spacing};
use crate::solvers::Sampling;
use crate::training::{Batch, Training, default_network, denoising_loss, purpose, training_noise};

/// Settings; the defaults are the paper's, sampled in fewer steps.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default)]
pub struct DdpmConfig {
    /// The network.
    pub network: NetConfig,
    /// Timesteps of the table.
    #[schemars(range(max = 1_048_576))]
    pub timesteps: usize,
    /// How the noise grows over them.
    pub schedule: BetaSchedule,
    /// The first beta.
    pub beta_start: f64,
    /// The last beta.
    pub beta_end: f64,
    /// What the network learns: the noise, the image or v.
    pub prediction: Prediction,
    /// How timesteps are weighted.
    pub weighting: Weighting,
    /// Which timesteps sampling visits.
    pub spacing: Spacing,
    /// Training settings.
    pub training: Training,
    /// Sampling settings, unless a request has others.
    pub sampling: Sampling,
}

impl Default for DdpmConfig {
    fn default() -> Self {
        Self {
            network: default_network(),
            timesteps: 1000,
            schedule: BetaSchedule::Linear,
            beta_start: 1e-4,
            beta_end: 0.02,
            prediction: Prediction::Epsilon,
            weighting: Weighting::Uniform,
            spacing: Spacing::Trailing,
            training: Training::default(),
            sampling: Sampling { steps: 50, solver: "ddim".into(), clip: 1.0, ..Sampling::default() },
        }
    }
}

impl DdpmConfig {
    fn table(&self) -> Result<DdpmTable> {
        DdpmTable::new(self.schedule, self.timesteps, self.beta_start, self.beta_end)
    }
}

/// The model.
#[derive(Module, Debug)]
pub struct DdpmModel {
    net: Net,
    #[module(skip)]
    config: DdpmConfig,
    #[module(skip)]
    table: DdpmTable,
}

impl Model for DdpmModel {
    type Batch = Batch;
    type Sampled = Net;

    fn sampled(&self) -> Net {
        self.net.valid()
    }

    fn train_step(mut self, batch: Batch, optimizers: &mut Optimizers, step: &Step) -> (Self, Losses) {
        let stream = step.stream(purpose::LEVEL);
        let places = step.places().start as u32..step.places().end as u32;
        let timesteps = places.map(|place| stream.below(step.index, place, self.config.timesteps as u64));
        let levels: Vec<_> = timesteps.map(|timestep| self.table.level(timestep as f64)).collect();
        let noise = training_noise(&batch.images, step);
        let loss = denoising_loss(&self.net, &self.config.prediction, &self.config.weighting, batch, &levels, noise);
        let losses = Losses::default().with("loss", loss.clone());
        let gradients = GradientsParams::from_grads(loss.backward(), &self.net);
        self.net = optimizers.step("network", self.net, gradients, step);
        (self, losses)
    }
}

impl Config for DdpmConfig {
    fn check(&self) -> Result<()> {
        self.check_parts()?;
        check_range("timesteps", self.timesteps, 1, MOST_TIMESTEPS)?;
        if matches!(self.prediction, Prediction::Edm { .. } | Prediction::Velocity) {
            return Err(Error::Config("prediction of ddpm must be epsilon, sample or v; the models edm and flow have the others".into()));
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

impl Process for DdpmConfig {
    const NAME: &'static str = "ddpm";
    const SUMMARY: &'static str = "denoising diffusion over 1,000 timesteps (Ho et al. 2020), noise, image or v as target";
    type Model = DdpmModel;

    fn parts(&self) -> (&NetConfig, &Training, &Sampling) {
        (&self.network, &self.training, &self.sampling)
    }

    fn around(&self, net: Net) -> DdpmModel {
        let table = self.table().expect("checked before a model is made");
        DdpmModel { net, config: self.clone(), table }
    }

    fn prediction(&self) -> Prediction {
        self.prediction
    }

    fn plan(&self, steps: usize) -> Result<Plan> {
        Plan::ddpm(&self.table()?, self.spacing, steps)
    }

    fn scheduler(&self) -> Result<SchedulerConfig> {
        let mut scheduler = SchedulerConfig::ddpm(self.schedule, self.timesteps, self.beta_start, self.beta_end, &self.prediction)?;
        scheduler.timestep_spacing = match self.spacing {
            Spacing::Leading => TimestepSpacing::Leading,
            Spacing::Linspace => TimestepSpacing::Linspace,
            // diffusers' scheduler stays on timesteps; trailing ones begin at the same noise.
            Spacing::Trailing | Spacing::Karras => TimestepSpacing::Trailing,
        };
        let clip = self.sampling.clip;
        scheduler.clip_sample = clip > 0.0;
        if clip > 0.0 {
            scheduler.clip_sample_range = clip;
        }
        Ok(scheduler)
    }
}

crate::pipeline::image_model!(DdpmConfig);
