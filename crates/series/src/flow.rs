//! `series-flow`: flow matching over partly whitened windows with a small transformer over time.
//!
//! "Flow matching for generative modeling", Lipman et al. 2023; times drawn as in "Scaling rectified flow transformers", Esser et al. 2024; the network
//! is DiT (Peebles and Xie 2023) with the rows of a window as tokens. A window `x` and noise `n` are joined by `x_t = (1 - t) x + t n`; the network
//! learns the velocity `n - x`. Sampling follows it from noise (t = 1) to a window (t = 0).

use std::path::Path;

use burn::module::{Module, Param};
use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor};
use semblant_core::checkpoint::Checkpoint;
use semblant_core::config::{Config, check_range};
use semblant_core::ema::Ema;
use semblant_core::model::{Losses, Model, Step};
use semblant_core::nn::{
    self, ADAPTIVE_EPSILON, AdaptiveBlock, Constants, Init, Linear, LinearConfig, init_streams, modulated_norm, silu, sinusoid, times,
};
use semblant_core::optim::{Adam, LrSchedule, Optimizers};
use semblant_core::progress::Event;
use semblant_core::synthesizer::{Run, Summary};
use semblant_core::train_config::TrainConfig;
use semblant_core::trainer::Trained;
use semblant_core::{Error, Result, host};
use semblant_data::series::SeriesRequest;
use serde::{Deserialize, Serialize};

use crate::attributes::Features;
use crate::batches::{Batch, CHUNK, Training, blocks};
use crate::inpainting::{Guide, Known};
use crate::model::{Fill, Form, Given, Made, SeriesModel};
use crate::purpose::{DROPOUT, FIRST_NOISE, NOISE, TIME};
use crate::whitening::Whitening;

/// Numbers in the sinusoid of the time.
const TIME_WIDTH: usize = 64;
/// Times are from 0 to 1, the sinusoid's from 0 to this.
const TIME_SCALE: f64 = 1000.0;

/// Settings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default)]
pub struct FlowConfig {
    /// Width of a row's token.
    pub width: usize,
    /// Number of transformer blocks.
    pub depth: usize,
    /// Attention heads.
    pub heads: usize,
    /// The chance that a number of what a block adds is left out in training.
    pub dropout: f64,
    /// How far windows are whitened, from 0 (only scaled) to 1 (all numbers uncorrelated).
    pub whitening: f64,
    /// Training times are `1 / (1 + exp(-z))`, z normal with this standard deviation (Esser et al. 2024, equation 19).
    pub time_deviation: f64,
    /// Steps of Heun's solver; each but the last evaluates the network twice.
    pub steps: usize,
    /// How long, in what batches, and by which optimizer.
    pub training: TrainConfig,
}

impl Default for FlowConfig {
    fn default() -> Self {
        let optimizer =
            Adam { learning_rate: 1e-3, beta_2: 0.99, clip_norm: 1.0, schedule: LrSchedule::Cosine, warm_up: 0.05, ..Adam::default() };
        let training = TrainConfig {
            rows: 600_000,
            epochs: 0,
            batch_rows: 128,
            tick_rows: 12_800,
            checkpoint_rows: 64_000,
            patience_ticks: 0,
            optimizer,
            ema: Ema { half_life_rows: 100_000.0, warm_up: 0.08 },
        };
        Self { width: 128, depth: 4, heads: 4, dropout: 0.1, whitening: 0.5, time_deviation: 1.0, steps: 16, training }
    }
}

impl Config for FlowConfig {
    fn check(&self) -> Result<()> {
        check_range("width", self.width, 1, 4096)?;
        check_range("depth", self.depth, 1, 256)?;
        check_range("heads", self.heads, 1, 4096)?;
        check_range("dropout", self.dropout, 0.0, 0.9)?;
        check_range("whitening", self.whitening, 0.0, 1.0)?;
        check_range("time_deviation", self.time_deviation, 0.01, 10.0)?;
        check_range("steps", self.steps, 1, 10_000)?;
        if !self.width.is_multiple_of(self.heads) {
            return Err(Error::Config(format!(
                "width = {} must be a multiple of heads = {}; choose another width",
                self.width, self.heads
            )));
        }
        self.training.check("training.")
    }
}

/// Noised windows and times to velocities.
#[derive(Module, Debug)]
pub struct Velocity {
    /// A row to a token.
    inner: Linear,
    /// What a place in the window adds to its token, `[length, width]`.
    places: Param<Tensor<2>>,
    time_1: Linear,
    time_2: Linear,
    /// What the attributes add to the condition.
    attributes: Option<Linear>,
    blocks: Vec<AdaptiveBlock>,
    last_modulation: Linear,
    /// A token to a row.
    outer: Linear,
    #[module(skip)]
    heads: usize,
    #[module(skip)]
    constants: Constants,
}

impl Velocity {
    /// A fresh network, which gives zeros, for windows of this many rows and channels, and so many numbers of attributes.
    pub fn new(config: &FlowConfig, [length, channels, attributes]: [usize; 3], seed: u64, device: &Device) -> Self {
        let (mut stream, width) = (init_streams(seed), config.width);
        Self {
            inner: LinearConfig::new(channels, width).init(stream(), device),
            places: nn::drawn(Init::Normal(0.02), (0, 0), [length, width], (stream(), 0), device),
            time_1: LinearConfig::new(TIME_WIDTH, width).init(stream(), device),
            time_2: LinearConfig::new(width, width).init(stream(), device),
            attributes: (attributes > 0).then(|| LinearConfig::new(attributes, width).init(stream(), device)),
            blocks: (0..config.depth).map(|_| AdaptiveBlock::new(width, &mut stream, device)).collect(),
            last_modulation: LinearConfig::new(width, 2 * width).with_init(Init::Zero).init(stream(), device),
            outer: LinearConfig::new(width, channels).with_init(Init::Zero).init(stream(), device),
            heads: config.heads,
            constants: Constants::default(),
        }
    }

    /// `x [batch, length, channels]` at `time [batch]`, of sequences with these attributes `[batch, numbers]`, gives its velocity. `branch` is applied to
    /// what each part of a block adds, `[batch, length, width]`, if there is dropout.
    pub fn forward(
        &self,
        x: Tensor<3>,
        time: Tensor<1>,
        attributes: Option<Tensor<2>>,
        mut branch: Option<&mut dyn FnMut(Tensor<3>) -> Tensor<3>>,
    ) -> Tensor<3> {
        let waves = sinusoid(time * TIME_SCALE, TIME_WIDTH, true, 1.0, &self.constants); // [batch, TIME_WIDTH]
        let of_time = self.time_2.forward(silu(self.time_1.forward(waves))); // [batch, width]
        let condition = silu(match self.attributes.as_ref().zip(attributes) {
            Some((layer, attributes)) => of_time + layer.forward(attributes),
            None => of_time,
        }); // [batch, width]
        let mut tokens = self.inner.forward(x) + self.places.val().unsqueeze_dim::<3>(0); // [batch, length, width]
        for block in &self.blocks {
            let branch: Option<&mut dyn FnMut(Tensor<3>) -> Tensor<3>> = match &mut branch {
                Some(branch) => Some(*branch),
                None => None,
            };
            tokens = block.forward(tokens, condition.clone(), self.heads, ADAPTIVE_EPSILON, branch);
        }
        let modulation = self.last_modulation.forward(condition); // [batch, 2 width]
        self.outer.forward(modulated_norm(tokens, modulation, 0, ADAPTIVE_EPSILON))
    }
}

/// The model in training.
#[derive(Module, Debug)]
pub struct FlowModel {
    net: Velocity,
    #[module(skip)]
    config: FlowConfig,
}

impl Model for FlowModel {
    /// Whitened windows.
    type Batch = Batch;
    type Sampled = Velocity;

    fn sampled(&self) -> Velocity {
        self.net.valid()
    }

    fn train_step(mut self, Batch { windows, attributes }: Batch, optimizers: &mut Optimizers, step: &Step) -> (Self, Losses) {
        let ([batch, length, channels], device) = (windows.dims(), windows.device()); // without autodiff
        let rows = step.rows().start..step.rows().start + batch as u64;
        let noise =
            Tensor::from_inner(step.stream(NOISE).normals_on(rows.clone(), length * channels, &device).reshape([batch, length, channels]));
        let mut normals = vec![0.0; batch];
        step.stream(TIME).normals(step.index, &mut normals);
        let deviation = self.config.time_deviation as f32;
        let levels: Vec<f32> = normals.iter().map(|z| 1.0 / (1.0 + (-deviation * z).exp())).collect();
        let time = Tensor::<1>::from_inner(host::tensor(levels, [batch], &device));
        let windows = Tensor::from_inner(windows);
        let share = time.clone().reshape([batch, 1, 1]);
        let noised = windows.clone() + (noise.clone() - windows.clone()) * share; // [batch, length, channels]
        let (keep, width) = ((1.0 - self.config.dropout) as f32, self.config.width);
        let mut site = 0;
        let mut dropped = |added: Tensor<3>| {
            if keep == 1.0 {
                return added;
            }
            let mask = DROPOUT.nth(step.seed, site).dropout_on(rows.clone(), length * width, keep, &device);
            site += 1;
            times(added, Tensor::from_inner(mask.reshape([batch, length, width])))
        };
        let error = self.net.forward(noised, time, attributes.map(Tensor::from_inner), Some(&mut dropped)) - (noise - windows); // [batch, length, channels]
        let loss = error.square().mean();
        let losses = Losses::default().with("loss", loss.clone());
        let gradients = GradientsParams::from_grads(loss.backward(), &self.net);
        self.net = optimizers.step("network", self.net, gradients, step);
        (self, losses)
    }
}

/// What was learned.
pub struct Fitted {
    net: Velocity,
    whitening: Whitening,
    device: Device,
}

impl SeriesModel for FlowConfig {
    const NAME: &'static str = "series-flow";
    const SUMMARY: &'static str = "flow matching over partly whitened windows (Lipman et al. 2023), a transformer over time";
    const SOLVER: bool = true;
    type Fitted = Fitted;

    fn fit(&self, training: &Training, run: &mut Run) -> Result<(Fitted, Summary)> {
        run.observer.event(Event::Stage("whitening the windows"));
        let (whitening, values) = Whitening::fit(&training.windows, self.whitening)?;
        let net = Velocity::new(self, training.sizes(), run.seed, &run.device.clone().autodiff());
        let model = FlowModel { net, config: self.clone() };
        run.observer.event(Event::Stage(&format!("training {} on {}", Self::NAME, semblant_core::device::name(&run.device))));
        let optimizers = Optimizers::default().with("network", self.training.optimizer);
        let of = (&values[..], training.windows.length);
        let Trained { sampled, summary } = training.train(self, &self.training, of, (model, optimizers), run)?;
        Ok((Fitted { net: sampled, whitening, device: run.device.clone() }, summary))
    }

    const TOLD: bool = true;

    fn sample(&self, fitted: &Fitted, form: &Form, attributes: &Features, request: &SeriesRequest) -> Result<Made> {
        let rows: Vec<u64> = request.rows.clone().collect();
        let steps = request.steps.unwrap_or(self.steps);
        Ok(made(fitted, form, &Draw { addresses: &rows, attributes, seed: request.seed, steps }, None)?.into())
    }

    fn fill(&self) -> Option<&dyn Fill<Fitted>> {
        Some(self)
    }

    fn write(&self, fitted: &Fitted, file: &mut Checkpoint, _: &Path) -> Result<()> {
        fitted.whitening.write(file, &fitted.device);
        file.add_module("model", &fitted.net)
    }

    fn read(&self, file: &Checkpoint, form: &Form, attributes: usize, path: &Path, device: &Device) -> Result<Fitted> {
        let net = Velocity::new(self, [form.length, form.channels(), attributes], 0, device);
        let net = file.load_module("model", net, path)?;
        let whitening = Whitening::read(file, form.length, form.channels(), self.whitening, path)?;
        Ok(Fitted { net, whitening, device: device.clone() })
    }
}

impl Fill<Fitted> for FlowConfig {
    fn fill(&self, fitted: &Fitted, form: &Form, given: &Given, request: &SeriesRequest) -> Result<Vec<f64>> {
        let steps = request.steps.unwrap_or(self.steps);
        let draw = Draw { addresses: &given.addresses, attributes: &given.attributes, seed: request.seed, steps };
        made(fitted, form, &draw, Some(&given.known))
    }
}

/// Windows that are to be drawn.
struct Draw<'a> {
    /// Which decide their random numbers.
    addresses: &'a [u64],
    attributes: &'a Features,
    seed: u64,
    steps: usize,
}

/// Windows `[count, length * channels]`, led to what is known of them.
fn made(fitted: &Fitted, form: &Form, draw: &Draw<'_>, known: Option<&Known>) -> Result<Vec<f64>> {
    check_range("--steps", draw.steps, 1, 10_000)?;
    let (length, channels) = (form.length, form.channels());
    let (stream, size) = (FIRST_NOISE.of(draw.seed), length * channels);
    let mut values = Vec::with_capacity(draw.addresses.len() * size);
    for block in blocks(draw.addresses, draw.attributes, &fitted.device) {
        let noise = host::tensor(block.normals(&stream, size), [CHUNK, length, channels], &fitted.device);
        let count = block.addresses.len();
        let guide = known.map(|known| {
            let span = block.first * size..(block.first + count) * size;
            Guide::new(&fitted.whitening, Known { values: known.values[span.clone()].to_vec(), is_known: known.is_known[span].to_vec() })
        });
        let velocity = |x: Tensor<3>, time: f32| {
            let times = Tensor::full([CHUNK], time, &fitted.device);
            let velocity = fitted.net.forward(x.clone(), times, block.attributes.clone(), None);
            let Some(guide) = &guide else { return Ok(velocity) };
            // x_t = x_0 + t v, so that the estimate of the window is x_t - t v.
            let mut estimate = host::read(&(x.clone() - velocity * time), <[f32]>::to_vec);
            guide.led(&mut estimate[..count * size], f64::from(time))?;
            Ok((x - host::tensor(estimate, [CHUNK, length, channels], &fitted.device)) / time)
        };
        let made = solved(noise, draw.steps, velocity)?;
        host::read(&made, |made| values.extend(fitted.whitening.undone(&made[..count * size])));
    }
    Ok(values)
}

/// Heun's method from noise at time 1 to a window at time 0 in equal steps, the last one Euler's.
fn solved(mut x: Tensor<3>, steps: usize, velocity: impl Fn(Tensor<3>, f32) -> Result<Tensor<3>>) -> Result<Tensor<3>> {
    let time = |index: usize| (steps - index) as f32 / steps as f32;
    for index in 0..steps {
        let (from, to) = (time(index), time(index + 1));
        let first = velocity(x.clone(), from)?;
        let mean = if index + 1 == steps {
            first
        } else {
            let ahead = x.clone() + first.clone() * (to - from);
            (first + velocity(ahead, to)?) * 0.5
        };
        x = x + mean * (to - from);
    }
    Ok(x)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// dx/dt = x has the solution x e^t; Heun's error falls with the square of the step.
    #[test]
    fn the_solver_is_of_second_order() {
        let device = Device::flex();
        let at_the_end = |steps: usize| {
            let x = Tensor::<3>::ones([1, 1, 1], &device);
            f64::from(host::read(&solved(x, steps, |x, _| Ok(x)).expect("finite"), |x| x[0]))
        };
        let errors = [8, 16, 32].map(|steps| (at_the_end(steps) - (-1.0f64).exp()).abs());
        assert!(errors[0] / errors[1] > 3.2 && errors[1] / errors[2] > 3.2, "{errors:?}");
    }

    #[test]
    fn a_fresh_network_says_nothing_and_learns_from_its_first_step() {
        let device = Device::flex().autodiff();
        let config = FlowConfig { width: 8, heads: 2, depth: 2, ..FlowConfig::default() };
        let net = Velocity::new(&config, [5, 3, 2], 1, &device);
        let (x, times) = (Tensor::ones([4, 5, 3], &device), Tensor::from_floats([0.0, 0.1, 0.5, 1.0], &device));
        let out = net.forward(x, times, Some(Tensor::ones([4, 2], &device)), None);
        assert_eq!(out.dims(), [4, 5, 3]);
        assert!(out.clone().inner().abs().max().into_scalar::<f32>() == 0.0);
        let gradients = (out - 1.0).square().mean().backward();
        assert!(net.outer.weight.val().grad(&gradients).expect("a gradient").abs().max().into_scalar::<f32>() > 0.0);
    }

    #[test]
    fn settings_out_of_range_are_named() {
        let said = |config: FlowConfig| config.check().expect_err("refused").to_string();
        assert!(said(FlowConfig { width: 30, ..FlowConfig::default() }).contains("width = 30"));
        assert!(said(FlowConfig { whitening: 2.0, ..FlowConfig::default() }).contains("whitening = 2"));
        assert!(FlowConfig::default().check().is_ok());
    }
}
