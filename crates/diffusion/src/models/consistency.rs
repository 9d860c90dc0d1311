//! Consistency models by tuning: "Consistency models made easy", Geng, Pokle, Luo, Lin and Kolter 2024, from a trained EDM model.
//!
//! An EDM model says, at each level, where the clean image lies on average; a consistency model says where the path through its input ends,
//! so one or two evaluations make an image. Tuning brings what the model says at a level `t` together with what it says on the same
//! path at a lower level `r`. In the beginning `r` is 0, which is diffusion training; over the run `r` moves towards `t`.

use std::path::PathBuf;

use burn::module::Module;
use burn::optim::GradientsParams;
use burn::tensor::Tensor;
use semblant_core::checkpoint::Checkpoint;
use semblant_core::config::Config;
use semblant_core::model::{Losses, Model, Step};
use semblant_core::optim::{Adam, LrSchedule, Optimizers};
use semblant_core::train_config::TrainConfig;
use semblant_core::{Error, Result};
use semblant_images::ImageKind;
use serde::{Deserialize, Serialize};

use super::edm::EdmConfig;
use crate::exchange::SchedulerConfig;
use crate::networks::{Condition, Net, NetConfig, Network};
use crate::pipeline::Process;
use crate::process::{Level, Prediction};
use crate::schedule::{Plan, edm_level};
use crate::solvers::Sampling;
use crate::training::{Batch, Training, column, default_network, level_normals, training_noise};

/// Settings; the defaults are those of the paper's section 4, for a shorter run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default)]
pub struct ConsistencyConfig {
    /// The file of the trained model of kind `edm` to begin with; its network and levels are taken over.
    #[schemars(extend("format" = "path"))]
    pub from: PathBuf,
    /// The network; what `from` holds when it is left out.
    pub network: NetConfig,
    /// The standard deviation of the images' pixels.
    pub sigma_data: f64,
    /// Mean of `ln(sigma)` in training.
    pub log_sigma_mean: f64,
    /// Standard deviation of `ln(sigma)` in training.
    pub log_sigma_deviation: f64,
    /// The lowest level.
    pub sigma_min: f64,
    /// The highest level, which sampling begins at.
    pub sigma_max: f64,
    /// The level that the second of two evaluations is made at.
    pub sigma_middle: f64,
    /// How often over the run the gap between the two levels shrinks...
    pub shrinks: u32,
    /// ...and by what factor.
    pub shrink_factor: f64,
    /// Training settings.
    pub training: Training,
    /// Sampling settings, unless a request has others.
    pub sampling: Sampling,
}

impl Default for ConsistencyConfig {
    fn default() -> Self {
        let edm = EdmConfig::default();
        Self {
            from: PathBuf::new(),
            network: default_network(),
            sigma_data: edm.sigma_data,
            log_sigma_mean: -1.1,
            log_sigma_deviation: 2.0,
            sigma_min: edm.sigma_min,
            sigma_max: edm.sigma_max,
            sigma_middle: 0.821,
            shrinks: 8,
            shrink_factor: 2.0,
            training: Training {
                train: TrainConfig {
                    rows: 200_000,
                    optimizer: Adam { learning_rate: 3e-4, warm_up: 0.02, clip_norm: 1.0, schedule: LrSchedule::Cosine, ..Adam::default() },
                    ..Training::default().train
                },
                ..Training::default()
            },
            sampling: Sampling { steps: 2, solver: "consistency".into(), ..Sampling::default() },
        }
    }
}

/// The model.
#[derive(Module, Debug)]
pub struct ConsistencyModel {
    net: Net,
    #[module(skip)]
    config: ConsistencyConfig,
}

impl ConsistencyConfig {
    /// The level `r` on the same path as `t` (the paper's equation 12): 0 in the beginning, nearer to `t` after every shrink.
    fn lower(&self, t: f64, step: &Step) -> f64 {
        let shrinks = (step.progress() * f64::from(self.shrinks)).floor();
        let gap = (1.0 + 8.0 / (1.0 + t.exp())) / self.shrink_factor.powf(shrinks + 1.0);
        (t * (1.0 - gap)).max(0.0)
    }
}

/// The model's end of the path through `noised` at each image's level; the images themselves at level 0.
fn end(net: &Net, sigma_data: f64, noised: Tensor<4>, levels: &[Level], condition: &Condition) -> Tensor<4> {
    let prediction = Prediction::Edm { sigma_data };
    let device = noised.device();
    let of = |f: &dyn Fn(&Level) -> f64| column(levels, &device, f); // [batch, 1, 1, 1]
    let time = of(&|l| l.time).reshape([levels.len()]);
    let out = net.forward(noised.clone() * of(&|l| prediction.scaling(l).input), time, condition);
    noised * of(&|l| prediction.scaling(l).skip) + out * of(&|l| prediction.scaling(l).out)
}

impl Model for ConsistencyModel {
    type Batch = Batch;
    type Sampled = Net;

    fn sampled(&self) -> Net {
        self.net.valid()
    }

    fn train_step(mut self, batch: Batch, optimizers: &mut Optimizers, step: &Step) -> (Self, Losses) {
        let config = &self.config;
        let Batch { images, condition } = batch;
        let [count, channels, height, width] = images.dims();
        let normals = level_normals(count, step);
        let high: Vec<Level> = normals.iter().map(|z| edm_level((config.log_sigma_mean + config.log_sigma_deviation * z).exp())).collect();
        // At level 0 the network is not asked: its share of the answer is 0. Any level stands in for its input.
        let lower: Vec<f64> = high.iter().map(|level| config.lower(level.sigma, step)).collect();
        let low: Vec<Level> = lower.iter().map(|&r| edm_level(r.max(config.sigma_min))).collect();
        let noise = training_noise(&images, step);
        let device = images.device();
        let noised = |levels: &[Level]| images.clone() + noise.clone() * column(levels, &device, |l| l.sigma);

        // The lower end is the goal and is held still.
        let still = Condition {
            class: condition.class.clone().map(Tensor::inner),
            augmentation: condition.augmentation.clone().map(Tensor::inner),
        };
        let goal = Tensor::from_inner(end(&self.net.valid(), config.sigma_data, noised(&low).inner(), &low, &still));
        let reached = Tensor::from_inner(mask(&lower, &images)); // 1 where r is above 0
        let goal = goal * reached.clone() + images.clone() * (reached.neg() + 1.0);
        let found = end(&self.net, config.sigma_data, noised(&high), &high, &condition);
        // Weighted by 1 / (t - r), and by the inverse of the distance to the data, as the paper's equation 14 and its adaptive weight.
        let weights: Vec<Level> = high.iter().zip(&lower).map(|(t, r)| Level { sigma: t.sigma - r, ..*t }).collect();
        let distance = (found - goal).square().reshape([count, channels * height * width]).sum_dim(1); // [batch, 1]
        let weight = column(&weights, &device, |l| 1.0 / l.sigma.max(1e-4)).reshape([count, 1]);
        let loss = ((distance + 1e-12).sqrt() * weight).mean() / ((channels * height * width) as f64).sqrt();
        let losses = Losses::default().with("loss", loss.clone());
        let gradients = GradientsParams::from_grads(loss.backward(), &self.net);
        self.net = optimizers.step("network", self.net, gradients, step);
        (self, losses)
    }
}

/// 1 for each image whose lower level is above 0, `[batch, 1, 1, 1]`, without autodiff.
fn mask(lower: &[f64], images: &Tensor<4>) -> Tensor<4> {
    let values = lower.iter().map(|&r| f32::from(u8::from(r > 0.0))).collect();
    semblant_core::host::tensor(values, [lower.len(), 1, 1, 1], &images.device().clone().inner())
}

impl Config for ConsistencyConfig {
    fn check(&self) -> Result<()> {
        self.check_parts()?;
        self.levels().check_levels()?;
        if !(self.shrink_factor > 1.0 && self.shrink_factor.is_finite()) {
            return Err(Error::Config(format!("shrink_factor = {} is out of range; choose a number above 1", self.shrink_factor)));
        }
        if !(self.sigma_min..=self.sigma_max).contains(&self.sigma_middle) {
            return Err(Error::Config(format!("sigma_middle = {} must lie between sigma_min and sigma_max", self.sigma_middle)));
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

impl Process for ConsistencyConfig {
    const NAME: &'static str = "consistency";
    const SUMMARY: &'static str = "one- or two-step sampling, fine-tuned from a trained edm model (Geng et al. 2024)";
    /// The loss is between two outputs at neighbouring noise levels.
    const BF16: bool = false;
    type Model = ConsistencyModel;

    fn parts(&self) -> (&NetConfig, &Training, &Sampling) {
        (&self.network, &self.training, &self.sampling)
    }

    fn resolve(mut self) -> Result<Self> {
        if self.from.as_os_str().is_empty() {
            return Err(Error::Config(
                "a consistency model starts from a trained edm model; set from = \"MODEL.safetensors\" of kind edm".into(),
            ));
        }
        let (_, edm) = edm_file(&self)?;
        (self.sigma_data, self.sigma_min, self.sigma_max) = (edm.sigma_data, edm.sigma_min, edm.sigma_max);
        self.network = edm.network;
        // The network is told of augmentation if the one that it begins with was.
        self.training.augmentation = edm.training.augmentation;
        Ok(self)
    }

    fn around(&self, net: Net) -> ConsistencyModel {
        ConsistencyModel { net, config: self.clone() }
    }

    fn start(&self, kind: &ImageKind, net: Net) -> Result<Net> {
        let (file, _) = edm_file(self)?;
        let learnt: ImageKind = file.metadata_as("images", &self.from)?;
        if learnt.shape != kind.shape || learnt.class_names != kind.class_names {
            let what = "was fitted to images of another size or with other classes; fine-tune it on images like its training set";
            return Err(Error::checkpoint(&self.from, what));
        }
        file.load_module("model", net, &self.from)
    }

    fn prediction(&self) -> Prediction {
        Prediction::Edm { sigma_data: self.sigma_data }
    }

    /// One step goes down from the highest level at once; of several, the last is from the middle level, and those before lie between.
    fn plan(&self, steps: usize) -> Result<Plan> {
        let least = if steps > 1 { self.sigma_middle } else { self.sigma_min };
        Plan::edm(steps, least, self.sigma_max)
    }

    fn scheduler(&self) -> Result<SchedulerConfig> {
        Err(Error::Config("diffusers has no scheduler for this model's levels; export the edm model that it was fine-tuned from".into()))
    }
}

crate::pipeline::image_model!(ConsistencyConfig);

impl ConsistencyConfig {
    fn levels(&self) -> EdmConfig {
        EdmConfig {
            sigma_data: self.sigma_data,
            log_sigma_mean: self.log_sigma_mean,
            log_sigma_deviation: self.log_sigma_deviation,
            sigma_min: self.sigma_min,
            sigma_max: self.sigma_max,
            ..EdmConfig::default()
        }
    }
}

/// The file to begin with, and its settings.
fn edm_file(config: &ConsistencyConfig) -> Result<(Checkpoint, EdmConfig)> {
    let file = Checkpoint::read(&config.from)?;
    if file.model() != "edm" {
        return Err(Error::checkpoint(
            &config.from,
            format!("this is a model of kind {}; fine-tuning starts from one of kind edm", file.model()),
        ));
    }
    let edm = semblant_core::config::of_file(&file, &config.from)?;
    Ok((file, edm))
}

#[cfg(test)]
mod tests {
    use super::*;
    use semblant_core::model::Part;

    #[test]
    fn the_lower_level_moves_from_the_image_towards_the_upper_one() {
        let config = ConsistencyConfig::default();
        let at = |rows_seen| Step { index: 0, rows_seen, total_rows: 800, batch_rows: 1, seed: 0, part: Part::WHOLE, rate: 1.0 };
        for t in [0.05, 1.0, 20.0] {
            let lower: Vec<f64> = (0..8).map(|part| config.lower(t, &at(part * 100))).collect();
            assert!(lower.windows(2).all(|pair| pair[0] <= pair[1]), "{lower:?}");
            assert!(lower[0] <= 0.5 * t && lower[7] > 0.95 * t && lower[7] < t, "{lower:?}");
        }
        assert_eq!(config.lower(0.05, &at(0)), 0.0, "at low levels the run begins as diffusion training");
    }
}
