//! `dgan`: DoppelGANger, "Using GANs for sharing networked time series data", Lin et al. 2020, <https://arxiv.org/abs/1909.13403>.
//!
//! A perceptron draws the middle and the half range of every column of a sequence, a recurrent network draws the rows relative to them, a few at a time,
//! each with a flag whether the sequence goes on; one critic sees all of it, a second one the attributes and ranges alone. Both have the gradient penalty of
//! Gulrajani et al. 2017, exactly and for each sequence. Unlike in the paper attributes are drawn by masked diffusion over columns, which keeps their
//! joint distribution, and no layer normalises over the batch, so that a sample does not depend on its neighbours.

use std::path::Path;

use burn::module::Module;
use burn::optim::GradientsParams;
use burn::tensor::activation::{relu, sigmoid, softmax, tanh};
use burn::tensor::{Device, Tensor};
use semblant_core::checkpoint::Checkpoint;
use semblant_core::config::{Config, check_range};
use semblant_core::ema::Ema;
use semblant_core::model::{Losses, Model, Step};
use semblant_core::nn::{Linear, MlpCritic, gradient_penalty, init_streams};
use semblant_core::optim::{Adam, LrSchedule, Optimizers};
use semblant_core::progress::Event;
use semblant_core::synthesizer::{Run, Summary};
use semblant_core::train_config::TrainConfig;
use semblant_core::trainer::Trained;
use semblant_core::{Result, host};
use semblant_data::series::{SeriesRequest, Windows};
use serde::{Deserialize, Serialize};

use crate::attributes::Features;
use crate::batches::{Batch, CHUNK, Training, blocks};
use crate::convolution::Maker;
use crate::model::{Form, Made, SeriesModel};
use crate::purpose::{CRITIC, FIRST_NOISE, MIX, NOISE, RANGE_CRITIC};

/// The slope of the critics' LeakyReLU below zero.
const SLOPE: f32 = 0.2;
/// The flags of a row: the sequence goes on, and it has ended.
const FLAGS: usize = 2;
/// The most values of a sequence, since the critic sees all of them at once.
const MOST_VALUES: usize = 1 << 18;

/// Settings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default)]
pub struct DganConfig {
    /// Numbers of noise for the ranges, and for every step of the recurrent network.
    pub noise_width: usize,
    /// Widths of the layers that draw the ranges of the columns.
    pub range_widths: Vec<usize>,
    /// Width of the recurrent network.
    pub hidden: usize,
    /// Rows of one step of the recurrent network (the paper's S); 0 takes about 24 steps a sequence.
    pub step_rows: usize,
    /// Widths of both critics' layers.
    pub critic_widths: Vec<usize>,
    /// Critic steps for each generator step.
    pub critic_steps: usize,
    /// The weight of the gradient penalties.
    pub penalty_weight: f64,
    /// The weight of the critic of attributes and ranges in the generator's loss.
    pub range_critic_weight: f64,
    /// How long, in what batches, and by which optimizer.
    pub training: TrainConfig,
}

impl Default for DganConfig {
    fn default() -> Self {
        let optimizer =
            Adam { learning_rate: 1e-3, beta_1: 0.5, beta_2: 0.99, clip_norm: 0.0, schedule: LrSchedule::Constant, ..Adam::default() };
        let training = TrainConfig {
            rows: 1_000_000,
            epochs: 0,
            batch_rows: 128,
            tick_rows: 25_600,
            checkpoint_rows: 128_000,
            patience_ticks: 0,
            optimizer,
            ema: Ema { half_life_rows: 20_000.0, warm_up: 0.05 },
        };
        Self {
            noise_width: 10,
            range_widths: vec![100, 100, 100],
            hidden: 100,
            step_rows: 0,
            critic_widths: vec![200, 200, 200, 200],
            critic_steps: 1,
            penalty_weight: 10.0,
            range_critic_weight: 1.0,
            training,
        }
    }
}

impl Config for DganConfig {
    fn check(&self) -> Result<()> {
        check_range("noise_width", self.noise_width, 1, 4096)?;
        for (name, widths) in [("range_widths", &self.range_widths), ("critic_widths", &self.critic_widths)] {
            check_range(&format!("the number of {name}"), widths.len(), 1, 16)?;
            widths.iter().try_for_each(|&width| check_range(name, width, 1, 4096))?;
        }
        check_range("hidden", self.hidden, 1, 4096)?;
        check_range("step_rows", self.step_rows, 0, 4096)?;
        check_range("critic_steps", self.critic_steps, 1, 100)?;
        check_range("penalty_weight", self.penalty_weight, 0.0, 1e6)?;
        check_range("range_critic_weight", self.range_critic_weight, 0.0, 1e6)?;
        self.training.check("training.")
    }
}

/// The sizes of sequences, as the networks see them.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Shape {
    /// Rows of the longest sequence.
    length: usize,
    channels: usize,
    /// Numbers of attributes.
    attributes: usize,
    /// Rows of a step of the recurrent network, and its steps.
    step_rows: usize,
    steps: usize,
}

impl Shape {
    fn new(config: &DganConfig, [length, channels, attributes]: [usize; 3]) -> Result<Self> {
        let step_rows = if config.step_rows > 0 { config.step_rows } else { length.div_ceil(24) };
        let steps = length.div_ceil(step_rows);
        check_range("the values of a sequence", (steps * step_rows).saturating_mul(channels + FLAGS), 1, MOST_VALUES)?;
        Ok(Self { length, channels, attributes, step_rows, steps })
    }

    /// Values of a row: columns and flags.
    fn row(&self) -> usize {
        self.channels + FLAGS
    }

    /// Attributes and ranges.
    fn outer(&self) -> usize {
        self.attributes + 2 * self.channels
    }

    /// Numbers of noise of a sequence.
    fn noise(&self, config: &DganConfig) -> usize {
        (1 + self.steps) * config.noise_width
    }
}

/// From noise and attributes to sequences.
#[derive(Module, Debug)]
pub struct Generator {
    ranges: Vec<Linear>,
    inner: Linear,
    recurrent: Linear,
    outer: Linear,
    #[module(skip)]
    shape: Shape,
    #[module(skip)]
    noise_width: usize,
}

/// Sequences as a critic sees them.
struct Drawn {
    /// Attributes, middles and half ranges, `[batch, attributes + 2 channels]`.
    outer: Tensor<2>,
    /// Rows relative to them with their flags, `[batch, steps * step_rows, channels + flags]`.
    rows: Tensor<3>,
}

impl Drawn {
    /// What the first critic sees: all of it, `[batch, values]`.
    fn all(&self) -> Tensor<2> {
        let [batch, rows, width] = self.rows.dims();
        Tensor::cat(vec![self.outer.clone(), self.rows.clone().reshape([batch, rows * width])], 1)
    }
}

impl Generator {
    fn new(config: &DganConfig, shape: Shape, make: &mut Maker<'_>) -> Self {
        let mut before = shape.attributes + config.noise_width;
        let mut ranges = Vec::new();
        for width in config.range_widths.iter().copied().chain([2 * shape.channels]) {
            ranges.push(make.linear(before, width));
            before = width;
        }
        Self {
            ranges,
            inner: make.linear(shape.outer() + config.noise_width, 4 * config.hidden),
            recurrent: make.linear(config.hidden, 4 * config.hidden),
            outer: make.linear(config.hidden, shape.step_rows * shape.row()),
            shape,
            noise_width: config.noise_width,
        }
    }

    /// `noise [batch, (1 + steps) * noise_width]` and `attributes [batch, width]`.
    fn forward(&self, noise: Tensor<2>, attributes: Option<Tensor<2>>) -> Drawn {
        let ([batch, _], shape, width) = (noise.dims(), self.shape, self.noise_width);
        let of = |step: usize| noise.clone().narrow(1, step * width, width);
        let mut x = Tensor::cat(attributes.clone().into_iter().chain([of(0)]).collect(), 1);
        for (index, layer) in self.ranges.iter().enumerate() {
            x = layer.forward(x);
            x = if index + 1 < self.ranges.len() { relu(x) } else { sigmoid(x) };
        }
        let outer = Tensor::cat(attributes.into_iter().chain([x]).collect(), 1); // [batch, attributes + 2 channels]
        let hidden_width = self.recurrent.weight.dims()[0];
        let zeros = || Tensor::<2>::zeros([batch, hidden_width], &outer.device());
        let (mut hidden, mut memory, mut steps) = (zeros(), zeros(), Vec::new());
        for step in 1..=shape.steps {
            // A long short-term memory (Hochreiter and Schmidhuber 1997). The ranges are given, not to be changed by what follows them.
            let input = Tensor::cat(vec![outer.clone().detach(), of(step)], 1);
            let mut gates = (self.inner.forward(input) + self.recurrent.forward(hidden)).chunk(4, 1).into_iter(); // 4 of [batch, hidden]
            let mut next = || gates.next().expect("four parts");
            let (enter, keep, leave, new) = (sigmoid(next()), sigmoid(next()), sigmoid(next()), tanh(next()));
            memory = memory * keep + enter * new;
            hidden = leave * tanh(memory.clone());
            steps.push(self.outer.forward(hidden.clone()).reshape([batch, shape.step_rows, shape.row()]));
        }
        let rows = Tensor::cat(steps, 1); // [batch, steps * step_rows, channels + flags]
        let flags = softmax(rows.clone().narrow(2, shape.channels, FLAGS), 2);
        // What comes after the end is nothing, as in the training sequences.
        let values = tanh(rows.narrow(2, 0, shape.channels)) * flags.clone().narrow(2, 0, 1);
        Drawn { outer, rows: Tensor::cat(vec![values, flags], 2) }
    }
}

/// Training sequences as the critics see them: `[count, outer + rows]`, row-major. A column that does not change within a sequence has a half range of 0.
fn seen(windows: &Windows, lengths: &[usize], shape: Shape) -> Vec<f32> {
    let Shape { length, channels, step_rows, steps, .. } = shape;
    let mut values = Vec::with_capacity(windows.count * (2 * channels + steps * step_rows * shape.row()));
    for (window, &rows) in lengths.iter().enumerate() {
        let of = windows.of(window);
        let range = |channel: usize| {
            let column = (0..rows).map(|row| of[row * channels + channel]);
            let (low, high) = column.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)));
            ((low + high) / 2.0, (high - low) / 2.0)
        };
        let ranges: Vec<(f64, f64)> = (0..channels).map(range).collect();
        values.extend(ranges.iter().map(|range| range.0 as f32));
        values.extend(ranges.iter().map(|range| range.1 as f32));
        for row in 0..steps * step_rows {
            let is_there = row < rows.min(length);
            let relative = |(channel, (middle, half)): (usize, &(f64, f64))| match is_there && *half > 0.0 {
                true => ((of[row * channels + channel] - middle) / half) as f32,
                false => 0.0,
            };
            values.extend(ranges.iter().enumerate().map(relative));
            values.extend(if is_there { [1.0, 0.0] } else { [0.0, 1.0] });
        }
    }
    values
}

/// The model in training.
#[derive(Module, Debug)]
pub struct DganModel {
    generator: Generator,
    critic: MlpCritic,
    range_critic: MlpCritic,
    #[module(skip)]
    config: DganConfig,
}

impl DganModel {
    fn new(config: &DganConfig, shape: Shape, seed: u64, device: &Device) -> Self {
        let mut streams = init_streams(seed);
        let mut make = Maker { stream: &mut streams, device };
        let all = shape.outer() + shape.steps * shape.step_rows * shape.row();
        Self {
            generator: Generator::new(config, shape, &mut make),
            critic: MlpCritic::new(all, &config.critic_widths, SLOPE, seed, CRITIC, device),
            range_critic: MlpCritic::new(shape.outer(), &config.critic_widths, SLOPE, seed, RANGE_CRITIC, device),
            config: config.clone(),
        }
    }
}

/// The critic's loss on real and fake sequences, without autodiff, `[batch, inputs]` each; `mix [batch, 1]` says where between them the penalty is taken.
/// Also the estimate of their distance.
fn critic_loss(critic: &MlpCritic, real: Tensor<2>, fake: Tensor<2>, mix: Tensor<2>, penalty_weight: f64) -> (Tensor<1>, Tensor<1>) {
    let score = |x: &Tensor<2>| critic.forward(Tensor::from_inner(x.clone()), &[]).0.mean();
    let distance = score(&real) - score(&fake);
    let between = fake.clone() + mix * (real - fake); // [batch, inputs]
    // Only the slopes there matter, which are constants.
    let (_, slopes) = critic.valid().forward(between, &[]);
    let penalty = gradient_penalty(critic.input_gradient(&slopes));
    (penalty * penalty_weight - distance.clone(), distance)
}

impl Model for DganModel {
    /// What `seen` gives of some sequences, in the place of windows: `[batch, 1, outer + rows]`.
    type Batch = Batch;
    type Sampled = Generator;

    fn sampled(&self) -> Generator {
        self.generator.valid()
    }

    fn train_step(mut self, batch: Batch, optimizers: &mut Optimizers, step: &Step) -> (Self, Losses) {
        let ([count, _, width], device) = (batch.windows.dims(), batch.windows.device());
        let (shape, config) = (self.generator.shape, self.config.clone());
        let own = batch.windows.reshape([count, width]);
        let real = Tensor::cat(batch.attributes.clone().into_iter().chain([own]).collect(), 1); // [batch, outer + rows]
        let attributes = batch.attributes.map(Tensor::from_inner);
        let rounds = config.critic_steps as u64;
        let mut losses = Losses::default();
        for round in 0..rounds {
            let first = (step.rows().start * rounds + round * count as u64)..(step.rows().start * rounds + (round + 1) * count as u64);
            let noise = step.stream(NOISE).normals_on(first.clone(), shape.noise(&config), &device);
            let fake = self.generator.forward(Tensor::from_inner(noise), attributes.clone());
            let mix = step.stream(MIX).uniforms_on(first, 2, &device); // [batch, 2]
            let part = |column: usize| mix.clone().narrow(1, column, 1);
            let (all, outer) = (fake.all().inner(), fake.outer.clone().inner());
            let (loss, distance) = critic_loss(&self.critic, real.clone(), all, part(0), config.penalty_weight);
            let gradients = GradientsParams::from_grads(loss.backward(), &self.critic);
            self.critic = optimizers.step("critic", self.critic, gradients, step);
            let of_ranges = real.clone().narrow(1, 0, shape.outer());
            let (loss, _) = critic_loss(&self.range_critic, of_ranges, outer, part(1), config.penalty_weight);
            let gradients = GradientsParams::from_grads(loss.backward(), &self.range_critic);
            self.range_critic = optimizers.step("range_critic", self.range_critic, gradients, step);
            if round + 1 < rounds {
                continue;
            }
            let score = self.critic.forward(fake.all(), &[]).0.mean();
            let of_ranges = self.range_critic.forward(fake.outer.clone(), &[]).0.mean();
            let loss = (score.clone() + of_ranges * config.range_critic_weight).neg();
            let gradients = GradientsParams::from_grads(loss.backward(), &self.generator);
            self.generator = optimizers.step("generator", self.generator, gradients, step);
            losses = Losses::default()
                .with("wasserstein", Tensor::from_inner(distance.inner()))
                .with("fake_score", Tensor::from_inner(score.inner()));
        }
        (self, losses)
    }
}

/// What was learned.
pub struct Fitted {
    net: Generator,
    device: Device,
}

impl SeriesModel for DganConfig {
    const NAME: &'static str = "dgan";
    const SUMMARY: &'static str =
        "DoppelGANger: a recurrent GAN with ranges and attributes of each sequence, of any lengths (Lin et al. 2020)";
    const TOLD: bool = true;
    const VARIABLE: bool = true;
    type Fitted = Fitted;

    fn fit(&self, training: &Training, run: &mut Run) -> Result<(Fitted, Summary)> {
        let shape = Shape::new(self, training.sizes())?;
        let values = seen(&training.windows, &training.lengths, shape);
        let model = DganModel::new(self, shape, run.seed, &run.device.clone().autodiff());
        run.observer.event(Event::Stage(&format!(
            "{} steps of {} rows a sequence, training on {}",
            shape.steps,
            shape.step_rows,
            semblant_core::device::name(&run.device)
        )));
        let of = |name: &'static str| (name, self.training.optimizer);
        let optimizers = ["generator", "critic", "range_critic"].map(of).into_iter();
        let optimizers = optimizers.fold(Optimizers::default(), |optimizers, (name, adam)| optimizers.with(name, adam));
        let Trained { sampled, summary } = training.train(self, &self.training, (&values, 1), (model, optimizers), run)?;
        Ok((Fitted { net: sampled, device: run.device.clone() }, summary))
    }

    fn sample(&self, fitted: &Fitted, form: &Form, attributes: &Features, request: &SeriesRequest) -> Result<Made> {
        let (shape, stream, device) = (fitted.net.shape, FIRST_NOISE.of(request.seed), &fitted.device);
        let (width, channels) = (shape.noise(self), form.channels());
        let rows: Vec<u64> = request.rows.clone().collect();
        let (mut values, mut lengths) = (Vec::new(), Vec::new());
        for block in blocks(&rows, attributes, device) {
            let noise = host::tensor(block.normals(&stream, width), [CHUNK, width], device);
            let drawn = fitted.net.forward(noise, block.attributes);
            let outer = host::read(&drawn.outer, <[f32]>::to_vec);
            let rows = host::read(&drawn.rows, <[f32]>::to_vec);
            let of_sequence = shape.steps * shape.step_rows * shape.row();
            for (outer, rows) in outer.chunks_exact(shape.outer()).zip(rows.chunks_exact(of_sequence)).take(block.addresses.len()) {
                let (middles, halves) = outer[shape.attributes..].split_at(channels);
                let rows: Vec<&[f32]> = rows.chunks_exact(shape.row()).take(form.length).collect();
                let end = rows.iter().position(|row| row[channels + 1] > row[channels]).unwrap_or(rows.len());
                lengths.push(end.max(1));
                for row in rows {
                    let value = |channel: usize| f64::from(middles[channel] + halves[channel] * row[channel]);
                    values.extend((0..channels).map(value));
                }
            }
        }
        Ok(Made { values, lengths: Some(lengths) })
    }

    fn write(&self, fitted: &Fitted, file: &mut Checkpoint, _: &Path) -> Result<()> {
        file.add_module("model", &fitted.net)
    }

    fn read(&self, file: &Checkpoint, form: &Form, attributes: usize, path: &Path, device: &Device) -> Result<Fitted> {
        let shape = Shape::new(self, [form.length, form.channels(), attributes])?;
        let mut streams = init_streams(0);
        let net = Generator::new(self, shape, &mut Maker { stream: &mut streams, device });
        Ok(Fitted { net: file.load_module("model", net, path)?, device: device.clone() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(length: usize, step_rows: usize) -> Shape {
        Shape::new(&DganConfig { step_rows, ..DganConfig::default() }, [length, 2, 1]).expect("small")
    }

    #[test]
    fn sequences_are_told_relative_to_their_ranges_and_flagged() {
        let windows = Windows { values: vec![1.0, 5.0, 3.0, 5.0, 2.0, 5.0], count: 1, length: 3, channels: 2 };
        let told = seen(&windows, &[2], shape(3, 2));
        assert_eq!(told[..4], [2.0, 5.0, 1.0, 0.0], "middles and half ranges");
        assert_eq!(
            told[4..],
            [-1.0, 0.0, 1.0, 0.0, 1.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0],
            "two rows, two of padding"
        );
    }

    /// Fake sequences have the form of real ones: values within the range, flags that add up to 1, attributes as they were given.
    #[test]
    fn generated_sequences_have_the_form_of_real_ones() {
        let device = Device::flex();
        let config = DganConfig { hidden: 6, range_widths: vec![5], step_rows: 2, ..DganConfig::default() };
        let shape = shape(5, 2);
        let mut streams = init_streams(1);
        let net = Generator::new(&config, shape, &mut Maker { stream: &mut streams, device: &device });
        let drawn = net.forward(Tensor::ones([3, shape.noise(&config)], &device), Some(Tensor::full([3, 1], 7.0, &device)));
        assert_eq!((drawn.outer.dims(), drawn.rows.dims()), ([3, 5], [3, 6, 4]));
        assert_eq!(drawn.all().dims(), [3, 5 + 6 * 4]);
        host::read(&drawn.outer, |outer| assert!(outer[0] == 7.0 && outer[1..5].iter().all(|value| (0.0..=1.0).contains(value))));
        host::read(&drawn.rows, |rows| {
            for row in rows.chunks_exact(4) {
                assert!((row[2] + row[3] - 1.0).abs() < 1e-5 && row[..2].iter().all(|value| value.abs() <= row[2] + 1e-5), "{row:?}");
            }
        });
    }

    /// A linear critic w x has the gradient w everywhere: the penalty is (|w| - 1)^2, and the distance the difference of the means.
    #[test]
    fn the_loss_of_a_linear_critic_is_known() {
        let device = Device::flex().autodiff();
        let mut critic = MlpCritic::new(2, &[1], 1.0, 1, CRITIC, &device);
        let layer = |rows: [f32; 2]| Tensor::<1>::from_floats(rows, &device).reshape([2, 1]);
        critic.hidden[0].weight = burn::module::Param::from_tensor(layer([3.0, 4.0]));
        critic.hidden[0].bias = None;
        critic.head.weight = burn::module::Param::from_tensor(Tensor::ones([1, 1], &device));
        let plain = device.clone().inner();
        let (real, fake) = (Tensor::from_floats([[1.0, 0.0], [3.0, 0.0]], &plain), Tensor::from_floats([[0.0, 1.0], [0.0, 0.0]], &plain));
        let (loss, distance) = critic_loss(&critic, real, fake, Tensor::zeros([2, 1], &plain), 10.0);
        assert!((distance.into_scalar::<f32>() - 4.0).abs() < 1e-5);
        assert!((loss.into_scalar::<f32>() - (10.0 * 16.0 - 4.0)).abs() < 1e-3);
    }
}
