//! `series-vq`: a convolutional VQ-VAE along time, and a transformer over its codes.
//!
//! "Neural discrete representation learning", van den Oord et al. 2017, for windows as in "SDformer: similarity-driven discrete transformer for time
//! series generation", Chen et al. 2024, with residual codes (Zeghidour et al. 2021): four rows become one place, a place has a code in each of several
//! codebooks, the next codebook for what the ones before have left. The first part of a run trains the autoencoder; in the rest it stays as it is, and
//! the transformer learns which codes windows have, one after the other.

use std::path::Path;

use burn::module::Module;
use burn::optim::GradientsParams;
use burn::tensor::{Device, Int, Tensor, TensorData};
use semblant_core::checkpoint::Checkpoint;
use semblant_core::config::{Config, check_range};
use semblant_core::ema::Ema;
use semblant_core::model::{Losses, Model, Step};
use semblant_core::nn::{CodePrior, Codebook, Follow, Linear, Places, PriorConfig, Usage, init_streams, perplexity, straight_through};
use semblant_core::optim::{Adam, LrSchedule, Optimizers};
use semblant_core::progress::Event;
use semblant_core::synthesizer::{Run, Summary};
use semblant_core::train_config::TrainConfig;
use semblant_core::trainer::Trained;
use semblant_core::{Result, host};
use semblant_data::series::SeriesRequest;
use serde::{Deserialize, Serialize};

use crate::attributes::Features;
use crate::batches::{Batch, CHUNK, Training, blocks};
use crate::convolution::{Conv, Doubled, Maker, Residual, padded};
use crate::model::{Form, Made, SeriesModel};
use crate::purpose::{FIRST_NOISE, NOISE, REVIVAL};
use crate::whitening::Whitening;

/// Rows of a place: the length is halved twice.
const ROWS: usize = 4;
/// The most codebooks, and the most codes of a window: attention compares each with each.
const MOST_LEVELS: usize = 16;
const MOST_PLACES: usize = 4096;

/// Settings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default)]
pub struct VqConfig {
    /// Channels of encoder and decoder.
    pub channels: usize,
    /// Vectors in a codebook.
    pub codes: usize,
    /// Numbers in each of them.
    pub code_width: usize,
    /// Codebooks, each for what the ones before have left; 0 is chosen by the number of columns.
    pub levels: usize,
    /// How far windows are whitened, from 0 (only scaled) to 1 (all numbers uncorrelated).
    pub whitening: f64,
    /// The weight of the loss that keeps the encoder's vectors near their codes.
    pub commitment: f64,
    /// The share of the codes' averages that stays after a step.
    pub decay: f64,
    /// A code that is used less often than this share of an even use begins anew.
    pub revive_below: f64,
    /// The share of the run in which the autoencoder is trained; the rest is the prior's.
    pub autoencoder_share: f64,
    /// The share of codes that the prior is shown wrongly while it learns, so that its own errors do not lead it astray.
    pub corruption: f64,
    /// Below 1 likelier codes come more often, above 1 unlikelier ones.
    pub temperature: f64,
    /// What codes are drawn from.
    pub prior: PriorConfig,
    /// How long, in what batches, and by which optimizer.
    pub training: TrainConfig,
}

impl Default for VqConfig {
    fn default() -> Self {
        let optimizer =
            Adam { learning_rate: 1e-3, beta_2: 0.99, clip_norm: 1.0, schedule: LrSchedule::Cosine, warm_up: 0.02, ..Adam::default() };
        let training = TrainConfig {
            rows: 1_000_000,
            epochs: 0,
            batch_rows: 256,
            tick_rows: 25_600,
            checkpoint_rows: 128_000,
            patience_ticks: 0,
            optimizer,
            ema: Ema { half_life_rows: 20_000.0, warm_up: 0.05 },
        };
        Self {
            channels: 128,
            codes: 512,
            code_width: 32,
            levels: 0,
            whitening: 0.5,
            commitment: 0.25,
            decay: 0.99,
            revive_below: 0.05,
            autoencoder_share: 0.5,
            corruption: 0.1,
            temperature: 1.0,
            prior: PriorConfig { width: 192, depth: 2, heads: 6 },
            training,
        }
    }
}

impl Config for VqConfig {
    fn check(&self) -> Result<()> {
        check_range("channels", self.channels, 1, 4096)?;
        check_range("codes", self.codes, 2, 1 << 16)?;
        check_range("code_width", self.code_width, 1, 4096)?;
        check_range("levels", self.levels, 0, MOST_LEVELS)?;
        check_range("whitening", self.whitening, 0.0, 1.0)?;
        check_range("commitment", self.commitment, 0.0, 1e3)?;
        check_range("decay", self.decay, 0.0, 0.999_999)?;
        check_range("revive_below", self.revive_below, 0.0, 1.0)?;
        check_range("autoencoder_share", self.autoencoder_share, 0.01, 0.99)?;
        check_range("corruption", self.corruption, 0.0, 0.9)?;
        check_range("temperature", self.temperature, 0.01, 100.0)?;
        self.prior.check()?;
        self.training.check("training.")
    }
}

impl VqConfig {
    /// Codebooks for windows of so many columns: more columns need more codes at a place.
    fn levels(&self, channels: usize) -> usize {
        if self.levels > 0 { self.levels } else { (channels / 4 + 1).clamp(2, 6) }
    }
}

/// The networks that sampling needs.
#[derive(Module, Debug)]
pub struct VqNet {
    enter: Conv,
    down: Vec<Conv>,
    encode: Vec<Residual>,
    narrow: Linear,
    codebooks: Vec<Codebook>,
    widen: Linear,
    up: Vec<Doubled>,
    decode: Vec<Residual>,
    leave: Conv,
    prior: CodePrior,
    /// What the attributes tell the prior.
    attributes: Option<Linear>,
    #[module(skip)]
    length: usize,
}

impl VqNet {
    /// Fresh networks for windows of this many rows and channels, and so many numbers of attributes.
    ///
    /// # Errors
    /// Windows that are too long.
    pub fn new(config: &VqConfig, [length, channels, attributes]: [usize; 3], seed: u64, device: &Device) -> Result<Self> {
        let (levels, width) = (config.levels(channels), config.channels);
        let places = length.div_ceil(ROWS) * levels;
        check_range("the codes of a window (a code in each of the levels for every four rows)", places, 1, MOST_PLACES)?;
        let mut streams = init_streams(seed);
        let mut make = Maker { stream: &mut streams, device };
        let residuals = |make: &mut Maker<'_>| (0..4).map(|_| Residual::new(width, make)).collect::<Vec<_>>();
        let (enter, encode) = (Conv::new(channels, width, &mut make), residuals(&mut make));
        let down = (0..2).map(|_| Conv::new(width, width, &mut make)).collect();
        let (narrow, widen) = (make.linear(width, config.code_width), make.linear(config.code_width, width));
        let (up, decode) = ((0..2).map(|_| Doubled::new(width, width, &mut make)).collect(), residuals(&mut make));
        let leave = Conv::new(width, channels, &mut make);
        let codebooks = (0..levels).map(|_| Codebook::new(config.codes, config.code_width, device)).collect();
        let attributes = (attributes > 0).then(|| make.linear(attributes, config.prior.width));
        let of = Places { codes: config.codes, places, levels };
        let prior = CodePrior::new(&config.prior, of, 0, &mut streams, device);
        Ok(Self { enter, down, encode, narrow, codebooks, widen, up, decode, leave, prior, attributes, length })
    }

    /// Codes of a window.
    fn places(&self) -> usize {
        self.length.div_ceil(ROWS) * self.codebooks.len()
    }

    /// The encoder's vectors of windows `[batch, length, channels]`, `[batch * places / levels, code_width]`.
    fn vectors(&self, windows: Tensor<3>) -> Tensor<2> {
        let mut x = self.enter.forward(padded(windows, ROWS)); // [batch, length, channels]
        for (level, down) in self.down.iter().enumerate() {
            x = down.halved(self.encode[2 * level].forward(x));
            x = self.encode[2 * level + 1].forward(x);
        }
        let z = self.narrow.forward(x); // [batch, length / 4, code_width]
        let [batch, places, width] = z.dims();
        z.reshape([batch * places, width])
    }

    /// The windows `[batch, length, channels]` of vectors `[batch * places / levels, code_width]`.
    fn windows(&self, vectors: Tensor<2>) -> Tensor<3> {
        let ([rows, width], places) = (vectors.dims(), self.length.div_ceil(ROWS));
        let mut x = self.widen.forward(vectors.reshape([rows / places, places, width]));
        for (level, up) in self.up.iter().enumerate() {
            x = up.forward(self.decode[2 * level].forward(x));
            x = self.decode[2 * level + 1].forward(x);
        }
        self.leave.forward(x).narrow(1, 0, self.length)
    }

    /// The codes `[batch, places]` of windows `[batch, length, channels]`: those of the first place in every codebook, then of the next.
    fn codes(&self, windows: Tensor<3>) -> Tensor<2, Int> {
        let [batch, ..] = windows.dims();
        let mut rest = self.vectors(windows);
        let mut found = Vec::new();
        for codebook in &self.codebooks {
            let codes = codebook.nearest(rest.clone()); // [batch * places / levels]
            rest = rest - codebook.of(codes.clone());
            found.push(codes);
        }
        Tensor::stack::<2>(found, 1).reshape([batch, self.places()])
    }

    /// The windows `[batch, length, channels]` of codes `[batch, places]`.
    fn decoded(&self, codes: Tensor<2, Int>) -> Tensor<3> {
        let ([batch, places], levels) = (codes.dims(), self.codebooks.len());
        let codes = codes.reshape([batch * places / levels, levels]);
        let of = |(level, codebook): (usize, &Codebook)| codebook.of(codes.clone().narrow(1, level, 1).squeeze_dim::<1>(1));
        let vectors = self.codebooks.iter().enumerate().map(of).reduce(|a, b| a + b).expect("at least one codebook");
        self.windows(vectors)
    }

    /// What the prior is told, `[batch, width]`.
    fn condition(&self, batch: usize, attributes: Option<Tensor<2>>, device: &Device) -> Tensor<2> {
        let none = self.prior.of_no_class(batch, device);
        match self.attributes.as_ref().zip(attributes) {
            Some((layer, attributes)) => none + layer.forward(attributes),
            None => none,
        }
    }
}

/// The model in training.
#[derive(Module, Debug)]
pub struct VqModel {
    net: VqNet,
    usages: Vec<Usage>,
    #[module(skip)]
    config: VqConfig,
}

impl Model for VqModel {
    /// Whitened windows.
    type Batch = Batch;
    type Sampled = VqNet;

    fn sampled(&self) -> VqNet {
        self.net.valid()
    }

    fn train_step(self, batch: Batch, optimizers: &mut Optimizers, step: &Step) -> (Self, Losses) {
        let turn = (step.total_rows as f64 * self.config.autoencoder_share) as u64;
        if step.rows_seen < turn {
            self.autoencoder_step(batch, optimizers, &Step { total_rows: turn, ..*step })
        } else {
            let part = Step { rows_seen: step.rows_seen - turn, total_rows: step.total_rows - turn, ..*step };
            self.prior_step(batch, optimizers, &part)
        }
    }
}

impl VqModel {
    fn autoencoder_step(mut self, batch: Batch, optimizers: &mut Optimizers, step: &Step) -> (Self, Losses) {
        let follow = Follow { decay: self.config.decay, revive_below: self.config.revive_below };
        let windows = Tensor::from_inner(batch.windows);
        let z = self.net.vectors(windows.clone()); // [batch * places / levels, code_width]
        let mut rest = z.clone().inner();
        let mut chosen = Vec::new();
        for level in 0..self.usages.len() {
            let rows = chosen_rows(step, level, self.config.codes, rest.dims()[0], &rest.device());
            let usage = self.usages.remove(level);
            let codebook = self.net.codebooks.remove(level);
            let (usage, codebook) = usage.revived(codebook, rest.clone(), rows, follow);
            let codes = codebook.valid().nearest(rest.clone());
            let quantised = codebook.valid().of(codes.clone());
            chosen.push((rest.clone(), codes));
            rest = rest - quantised;
            self.usages.insert(level, usage);
            self.net.codebooks.insert(level, codebook);
        }
        let quantised = Tensor::from_inner(z.clone().inner() - rest);
        let commitment = (z.clone() - quantised.clone()).square().mean();
        let made = self.net.windows(straight_through(z, quantised));
        let reconstruction = (made - windows).square().mean();
        let loss = reconstruction.clone() + commitment.clone() * self.config.commitment;
        let gradients = GradientsParams::from_grads(loss.backward(), &self.net);
        self.net = optimizers.step("autoencoder", self.net, gradients, step);
        let mut spread = None;
        for (level, (vectors, codes)) in chosen.into_iter().enumerate() {
            let (usage, codebook) = (self.usages.remove(level), self.net.codebooks.remove(level));
            let (usage, codebook, used) = usage.followed(codebook, vectors, codes, follow);
            self.usages.insert(level, usage);
            self.net.codebooks.insert(level, codebook);
            spread.get_or_insert(perplexity(used));
        }
        let losses = Losses::default()
            .with("reconstruction", Tensor::from_inner(reconstruction.inner()))
            .with("commitment", Tensor::from_inner(commitment.inner()));
        let losses = spread.into_iter().fold(losses, |losses, spread| losses.with("perplexity", Tensor::from_inner(spread)));
        (self, losses)
    }

    fn prior_step(mut self, batch: Batch, optimizers: &mut Optimizers, step: &Step) -> (Self, Losses) {
        let [count, ..] = batch.windows.dims();
        let device = batch.windows.device();
        // What is frozen leaves no trace for the gradient.
        let codes = self.net.valid().codes(batch.windows); // [batch, places]
        let places = self.net.places();
        let rows = step.rows().start..step.rows().start + count as u64;
        let draws = step.stream(NOISE).uniforms_on(rows.clone(), 2 * places, &device);
        let is_wrong = draws.clone().narrow(1, 0, places).lower_elem(self.config.corruption as f32); // [batch, places]
        let others = (draws.narrow(1, places, places) * self.config.codes as f32).int().clamp_max(self.config.codes as i32 - 1);
        let shown = codes.clone().mask_where(is_wrong, others);
        let condition = self.net.condition(count, batch.attributes.map(Tensor::from_inner), &device.autodiff());
        let loss = self.net.prior.loss_after(Tensor::from_inner(shown), Tensor::from_inner(codes), condition);
        let losses = Losses::default().with("prior", loss.clone());
        let gradients = GradientsParams::from_grads(loss.backward(), &self.net);
        self.net = optimizers.step("prior", self.net, gradients, step);
        (self, losses)
    }
}

/// A row of this step for every code of a level, in case that it begins anew.
fn chosen_rows(step: &Step, level: usize, codes: usize, rows: usize, device: &Device) -> Tensor<1, Int> {
    let stream = step.stream(REVIVAL);
    let chosen: Vec<i32> = (0..codes).map(|code| stream.below(step.index, (level * codes + code) as u32, rows as u64) as i32).collect();
    Tensor::from_data(TensorData::new(chosen, [codes]), device)
}

/// What was learned.
pub struct Fitted {
    net: VqNet,
    whitening: Whitening,
    device: Device,
}

impl SeriesModel for VqConfig {
    const NAME: &'static str = "series-vq";
    const SUMMARY: &'static str = "VQ-VAE along time with a transformer over its codes (van den Oord et al. 2017; Chen et al. 2024)";
    const TOLD: bool = true;
    type Fitted = Fitted;

    fn fit(&self, training: &Training, run: &mut Run) -> Result<(Fitted, Summary)> {
        run.observer.event(Event::Stage("whitening the windows"));
        let (whitening, values) = Whitening::fit(&training.windows, self.whitening)?;
        let on = run.device.clone().autodiff();
        let net = VqNet::new(self, training.sizes(), run.seed, &on)?;
        let usages = net.codebooks.iter().map(|_| Usage::new(self.codes, self.code_width, &on)).collect();
        let said = format!(
            "{} codes a window, from {} codebooks of {}, training on {}",
            net.places(),
            net.codebooks.len(),
            self.codes,
            semblant_core::device::name(&run.device)
        );
        run.observer.event(Event::Stage(&said));
        let model = VqModel { net, usages, config: self.clone() };
        let optimizers = Optimizers::default().with("autoencoder", self.training.optimizer).with("prior", self.training.optimizer);
        let of = (&values[..], training.windows.length);
        let Trained { sampled, summary } = training.train(self, &self.training, of, (model, optimizers), run)?;
        Ok((Fitted { net: sampled, whitening, device: run.device.clone() }, summary))
    }

    fn sample(&self, fitted: &Fitted, _: &Form, attributes: &Features, request: &SeriesRequest) -> Result<Made> {
        let Fitted { net, whitening, device } = fitted;
        let (places, stream) = (net.places(), FIRST_NOISE.of(request.seed));
        let rows: Vec<u64> = request.rows.clone().collect();
        let mut values = Vec::new();
        for block in blocks(&rows, attributes, device) {
            let of_row = |&row: &u64| (0..places).map(move |place| stream.uniform_f64(row, place as u32));
            let mut chances: Vec<f64> = block.addresses.iter().flat_map(of_row).collect();
            chances.resize(CHUNK * places, 0.5);
            let condition = net.condition(CHUNK, block.attributes, device);
            let codes = net.prior.draw(&chances, condition, self.temperature);
            let made = net.decoded(Tensor::from_data(TensorData::new(codes, [CHUNK, places]), device)); // [CHUNK, length, channels]
            let size = whitening.mean.len();
            host::read(&made, |made| values.extend(whitening.undone(&made[..block.addresses.len() * size])));
        }
        Ok(values.into())
    }

    fn write(&self, fitted: &Fitted, file: &mut Checkpoint, _: &Path) -> Result<()> {
        fitted.whitening.write(file, &fitted.device);
        file.add_module("model", &fitted.net)
    }

    fn read(&self, file: &Checkpoint, form: &Form, attributes: usize, path: &Path, device: &Device) -> Result<Fitted> {
        let net = VqNet::new(self, [form.length, form.channels(), attributes], 0, device)?;
        let net = file.load_module("model", net, path)?;
        let whitening = Whitening::read(file, form.length, form.channels(), self.whitening, path)?;
        Ok(Fitted { net, whitening, device: device.clone() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Codebooks with all vectors of a grid: what they stand for is found again, and windows of any length come back with their own.
    #[test]
    fn codes_stand_for_the_sum_of_their_vectors() {
        let device = Device::flex();
        let config = VqConfig { channels: 8, codes: 3, code_width: 1, levels: 2, ..VqConfig::default() };
        let mut net = VqNet::new(&config, [6, 2, 0], 1, &device).expect("small");
        let vectors = |values: [f32; 3]| Codebook {
            vectors: burn::module::Param::from_tensor(Tensor::<1>::from_floats(values, &device).reshape([3, 1])),
        };
        net.codebooks = vec![vectors([-10.0, 0.0, 10.0]), vectors([-1.0, 0.0, 1.0])];
        assert_eq!(net.places(), 4);
        let windows = Tensor::<3>::ones([3, 6, 2], &device);
        assert_eq!(net.codes(windows.clone()).dims(), [3, 4]);
        let decoded = net.decoded(Tensor::from_ints([[2, 0, 1, 2], [0, 0, 1, 1]], &device));
        assert_eq!(decoded.dims(), [2, 6, 2]);
        let same = net.windows(Tensor::<1>::from_floats([9.0, 1.0, -11.0, 0.0], &device).reshape([4, 1]));
        let worst = (decoded - same).abs().max().into_scalar::<f32>();
        assert!(worst < 1e-6, "{worst}");
    }
}
