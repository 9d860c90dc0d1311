//! CTGAN: "Modeling tabular data using conditional GAN", Xu, Skoularidou, Cuesta-Infante & Veeramachaneni 2019, arXiv 1907.00503.
//!
//! The generator receives one value of one column as its condition and makes a row that has it; the critic scores rows, or packs of them (PacGAN, Lin et
//! al. 2018), by WGAN-GP. What differs from the reference implementation, because it was measured to help or is plainly right: rows
//! are sampled with true frequencies and running batch statistics, the generator is averaged over training, the learning rate falls to
//! zero, the critic scores single rows, modes of numbers are conditions as categories are, and critic and generator share the fake
//! rows of a step, which carry no gradient in the critic's half.

mod draws;
mod sampling;

use std::sync::Arc;

use burn::module::Module;
use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor};
use semblant_core::config::Config;
use semblant_core::ema::Ema;
use semblant_core::model::{Losses, Model, Step};
use semblant_core::nn::{MlpCritic, gradient_penalty, wasserstein};
use semblant_core::optim::{Adam, LrSchedule, Optimizers};
use semblant_core::seeds::Stream;
use semblant_core::seeds::streams::{LAYERS, TRAINING};
use semblant_core::train_config::TrainConfig;
use semblant_core::{Error, Result, streams};
use semblant_data::table::encode::{Layout, NumberOptions};
use serde::{Deserialize, Serialize};

use crate::activate::{condition_loss, gumbel_softmax, gumbel_softmax_backward};
use crate::generator::{Generator, MOMENTUM, Tape};
use crate::row_layout::RowLayout;
use crate::sizes::{USUAL_EPOCHS, check_min_steps, check_widths};

pub use draws::CtganBatch;
use draws::Draws;

/// Settings of CTGAN. Defaults are the paper's where it names a value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default)]
pub struct CtganConfig {
    /// How long, in what batches (a multiple of `pac`), and by which optimizer of the generator.
    #[serde(flatten)]
    pub train: TrainConfig,
    /// The fewest steps of a run of the usual 300 epochs: on few rows an epoch is a step or two, so that such a run is made longer. The
    /// states of its second half are scored at the ticks and the best is kept. With the default batch that concerns tables of fewer than
    /// 2,500 rows. Another number of `epochs`, or `rows`, is taken as it is; 0 never makes a run longer.
    pub min_steps: u64,
    /// Rows that the critic scores together.
    pub pac: usize,
    /// Length of the noise vector.
    pub noise_width: usize,
    /// Widths of the generator's residual layers.
    pub generator_widths: Vec<usize>,
    /// Widths of the critic's layers.
    pub critic_widths: Vec<usize>,
    /// The critic's dropout probability.
    pub dropout: f64,
    /// Critic steps before every generator step.
    pub critic_steps: u32,
    /// Weight of the gradient penalty.
    pub penalty_weight: f64,
    /// The share of a step's rows on which the penalty is computed; its mean needs fewer points than the scores do.
    pub penalty_share: f64,
    /// Temperature of the Gumbel-softmax.
    pub temperature: f32,
    /// Draw training conditions by ln(1 + count), so that rare values are learned; sampling always uses true frequencies.
    pub log_frequency: bool,
    /// Also use modes of number columns as conditions, not only categories.
    pub condition_on_numbers: bool,
    /// The most weights of the generator's last layer that join conditions to outputs. All of them would be as many as the conditions
    /// (every category and mode) times the outputs of a row, which for 2,000 columns of numbers is gigabytes. Beyond this, only some
    /// columns are conditions: those of categories first, of each kind the ones whose values are most evenly spread. Rows with given values
    /// of other columns are found by rejection.
    pub condition_weights: u64,
    /// The critic's optimizer.
    pub critic: Adam,
    /// How numbers become modes.
    pub numbers: NumberOptions,
}

impl Default for CtganConfig {
    fn default() -> Self {
        let adam =
            Adam { learning_rate: 2e-4, beta_1: 0.5, beta_2: 0.9, weight_decay: 1e-6, schedule: LrSchedule::HoldCosine, ..Adam::default() };
        Self {
            train: TrainConfig {
                epochs: USUAL_EPOCHS,
                batch_rows: 500,
                optimizer: adam,
                ema: Ema { half_life_rows: 500_000.0, warm_up: 0.05 },
                ..TrainConfig::default()
            },
            min_steps: 1500,
            pac: 1,
            noise_width: 128,
            generator_widths: vec![256, 256],
            critic_widths: vec![256, 256],
            dropout: 0.5,
            critic_steps: 1,
            penalty_weight: 10.0,
            penalty_share: 0.25,
            temperature: 0.2,
            log_frequency: true,
            condition_on_numbers: true,
            condition_weights: 1 << 23,
            critic: adam,
            numbers: NumberOptions::default(),
        }
    }
}

impl Config for CtganConfig {
    fn check(&self) -> Result<()> {
        let refuse = |what: String| Err(Error::Config(what));
        if self.pac == 0 || self.train.batch_rows < 2 || !self.train.batch_rows.is_multiple_of(self.pac as u64) {
            return refuse(format!("batch_rows = {} must be at least 2 and a multiple of pac = {}", self.train.batch_rows, self.pac));
        }
        if self.generator_widths.is_empty()
            || self.critic_widths.is_empty()
            || self.generator_widths.contains(&0)
            || self.critic_widths.contains(&0)
        {
            return refuse("generator_widths and critic_widths need at least one layer each, and no width may be 0".into());
        }
        if self.noise_width == 0 || self.critic_steps == 0 {
            return refuse("noise_width and critic_steps must be at least 1".into());
        }
        if !(0.0..1.0).contains(&self.dropout) {
            return refuse(format!("dropout = {} is out of range; choose a number from 0 up to, not including, 1", self.dropout));
        }
        if !(self.temperature > 0.0 && self.temperature.is_finite() && self.penalty_weight >= 0.0) {
            return refuse(format!(
                "temperature = {} must be above 0 and penalty_weight = {} at least 0",
                self.temperature, self.penalty_weight
            ));
        }
        if !(self.penalty_share > 0.0 && self.penalty_share <= 1.0) {
            return refuse(format!("penalty_share = {} is out of range; choose a number above 0 and up to 1", self.penalty_share));
        }
        self.train.check("")?;
        check_min_steps(self.min_steps)?;
        check_widths(self.noise_width, self.generator_widths.iter().chain(&self.critic_widths))?;
        self.critic.check("critic")
    }

    fn renamed() -> &'static [(&'static str, &'static str)] {
        &[("generator", "optimizer"), ("patience_epochs", "patience_ticks")]
    }
}

impl CtganConfig {
    /// The two optimizers by name.
    pub fn optimizers(&self) -> Optimizers {
        Optimizers::default().with("generator", self.train.optimizer).with("critic", self.critic)
    }
}

streams! {
    in LAYERS;
    /// First weights of each network.
    const GENERATOR = 0..0x100;
    const CRITIC = 0x100..0x200;
}

/// What a sub-step draws random numbers for.
#[derive(Debug, Clone, Copy)]
enum Purpose {
    Conditions = 1,
    Rows,
    Noise,
    Gumbel,
    Dropout,
    Mix,
    Order,
}

/// One of a step's turns of the critic, or the generator's.
#[derive(Debug, Clone, Copy)]
struct SubStep {
    index: u32,
    critic: bool,
}

impl SubStep {
    /// Streams of generator and critic in a sub-step.
    const STREAMS: u32 = 8;

    fn generator(index: u32) -> Self {
        Self { index, critic: false }
    }

    fn critic(self) -> Self {
        Self { critic: true, ..self }
    }

    fn stream(self, step: &Step, purpose: Purpose) -> Stream {
        const { assert!((Purpose::Order as u32) < Self::STREAMS) };
        TRAINING.nth(step.seed, (2 * self.index + u32::from(self.critic)) * Self::STREAMS + purpose as u32)
    }
}

/// Generator and critic.
#[derive(Module, Debug)]
pub struct CtganModel {
    generator: Generator,
    critic: MlpCritic,
    #[module(skip)]
    shape: Shape,
}

/// What the networks' forms and the losses depend on.
#[derive(Debug, Clone)]
struct Shape {
    config: CtganConfig,
    row_layout: RowLayout,
}

/// The generator that `config` describes, with weights from `seed`.
pub fn new_generator(config: &CtganConfig, layout: &Layout, condition_width: usize, seed: u64, device: &Device) -> Generator {
    Generator::new(config.noise_width, condition_width, &config.generator_widths, layout.width, seed, GENERATOR, device)
}

impl CtganModel {
    /// Fresh networks on `device`, which must have autodiff.
    pub fn new(config: &CtganConfig, layout: &Layout, condition_width: usize, seed: u64, device: &Device) -> Self {
        let inputs = (layout.width + condition_width) * config.pac;
        Self {
            generator: new_generator(config, layout, condition_width, seed, device),
            critic: MlpCritic::new(inputs, &config.critic_widths, 0.2, seed, CRITIC, device),
            shape: Shape { config: config.clone(), row_layout: RowLayout::new(layout, &device.clone().inner()) },
        }
    }

    fn device(&self) -> Device {
        self.critic.head.weight.val().device().inner()
    }

    /// Fake rows for the conditions of `draws`, by `sub`'s streams.
    fn generate(&mut self, draws: &Draws, step: &Step, sub: SubStep) -> Fake {
        let Shape { config, row_layout, .. } = &self.shape;
        let first = step.index * step.batch_rows;
        let noise = sub.stream(step, Purpose::Noise).normals_on(first..first + step.batch_rows, config.noise_width, &self.device());
        let (logits, tape) = self.generator.forward_train(noise, &draws.places, MOMENTUM);
        let activated = gumbel_softmax(logits.clone(), row_layout, config.temperature, sub.stream(step, Purpose::Gumbel), first);
        Fake { logits, activated, tape }
    }

    /// Dropout factors for `packs` judgements, `[packs, width]` a layer.
    fn masks(&self, packs: usize, step: &Step, sub: SubStep) -> Vec<Tensor<2>> {
        let keep = 1.0 - self.shape.config.dropout as f32;
        if keep == 1.0 {
            return Vec::new();
        }
        let device = self.device();
        let widths = self.shape.config.critic_widths.iter().enumerate();
        widths
            .map(|(layer, &width)| {
                // All of a layer's factors are one row.
                let row = step.index << 8 | layer as u64;
                sub.stream(step, Purpose::Dropout).dropout_on(row..row + 1, packs * width, keep, &device).reshape([packs, width])
            })
            .collect()
    }

    /// One critic step: gives the Wasserstein estimate and the penalty.
    fn critic_step(
        mut self,
        fake: &Fake,
        draws: &Draws,
        optimizers: &mut Optimizers,
        step: &Step,
        sub: SubStep,
    ) -> (Self, Tensor<1>, Tensor<1>) {
        let [packs, width] = draws.real.dims();
        let judged = Tensor::cat(vec![draws.real.clone(), fake.activated.clone().reshape([packs, width])], 0); // [2 packs, pac * layout.width]
        let places = Tensor::cat(vec![draws.real_places.clone(), draws.fake_places.clone()], 0);
        let measured = ((packs as f64 * self.shape.config.penalty_share).ceil() as usize).clamp(1, packs);
        let masks = self.masks(2 * packs + measured, step, sub);
        let part = |start: usize, end: usize| masks.iter().map(|mask| mask.clone().slice([start..end])).collect::<Vec<_>>();
        let first = self.critic.preactivation_of(Tensor::from_inner(judged), Tensor::from_inner(places));
        let (scores, _) = self.critic.forward_from(first.clone(), &part(0, 2 * packs)); // [2 packs, 1]
        let wasserstein = wasserstein(scores);

        // The penalty is taken between real and fake. Only the slopes there matter, which are constants, so this pass needs no graph.
        let mix = sub.stream(step, Purpose::Mix).uniforms_on(step.index..step.index + 1, measured, &self.device()).reshape([measured, 1]);
        let (first_real, first_fake) = (first.clone().inner().slice([0..measured]), first.inner().slice([packs..packs + measured]));
        let between = first_fake.clone() + mix * (first_real - first_fake); // [measured, first width]
        let (_, slopes) = self.critic.valid().forward_from(between, &part(2 * packs, 2 * packs + measured));
        let penalty = gradient_penalty(self.critic.input_gradient(&slopes));

        let loss = penalty.clone() * self.shape.config.penalty_weight - wasserstein.clone();
        let gradients = GradientsParams::from_grads(loss.backward(), &self.critic);
        self.critic = optimizers.step("critic", self.critic, gradients, step);
        (self, wasserstein.inner(), penalty.inner())
    }

    /// One generator step: gives the critic's mean score of the fake rows and the condition's cross-entropy.
    fn generator_step(mut self, fake: Fake, draws: &Draws, optimizers: &mut Optimizers, step: &Step) -> (Self, Tensor<1>, Tensor<1>) {
        let rows = step.batch_rows as usize;
        let Shape { config, row_layout, .. } = self.shape.clone();
        let (packs, width) = (rows / config.pac, config.pac * row_layout.layout.width);
        // The critic is piecewise linear, so its input gradient is the whole of the backward pass that is needed here.
        let critic = self.critic.valid();
        let first = critic.preactivation_of(fake.activated.clone().reshape([packs, width]), draws.fake_places.clone());
        let (scores, slopes) = critic.forward_from(first, &self.masks(packs, step, SubStep::generator(0)));
        let gradient = critic.input_gradient_of(&slopes, width) * (-1.0 / packs as f32); // [packs, pac * layout.width]
        let gradient = gradient.reshape([rows, row_layout.layout.width]);
        let gradient = gumbel_softmax_backward(&fake.activated, gradient, &row_layout, config.temperature);
        let (asked_loss, gradient) = match condition_loss(&fake.logits, &draws.outputs, &row_layout) {
            Some((loss, from_condition)) => (loss, gradient + from_condition),
            None => (Tensor::zeros([1], &self.device()), gradient),
        };
        let gradients = self.generator.backward(fake.tape, gradient);
        self.generator = optimizers.step("generator", self.generator, gradients, step);
        (self, scores.mean(), asked_loss)
    }
}

/// A batch of fake rows on its way through a step.
struct Fake {
    /// `[rows, layout.width]`.
    logits: Tensor<2>,
    /// `[rows, layout.width]`.
    activated: Tensor<2>,
    tape: Tape,
}

impl Model for CtganModel {
    type Batch = Arc<CtganBatch>;
    type Sampled = Generator;

    fn sampled(&self) -> Generator {
        self.generator.valid()
    }

    /// The last critic step and the generator step judge the same fake rows: a second forward pass of the generator would cost a
    /// fifth of the step and teach nothing more.
    fn train_step(mut self, batch: Arc<CtganBatch>, optimizers: &mut Optimizers, step: &Step) -> (Self, Losses) {
        let mut left = self.shape.config.critic_steps;
        loop {
            left -= 1;
            let sub = SubStep::generator(left);
            let draws = batch.draw(&self.shape, step, sub);
            let fake = self.generate(&draws, step, sub);
            let (next, wasserstein, penalty) = self.critic_step(&fake, &draws, optimizers, step, sub.critic());
            self = next;
            if left == 0 {
                let (next, score, condition) = self.generator_step(fake, &draws, optimizers, step);
                let losses = Losses::default().with("wasserstein", wasserstein).with("penalty", penalty);
                return (next, losses.with("fake_score", score).with("condition", condition));
            }
        }
    }
}
