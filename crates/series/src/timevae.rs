//! `timevae`: "TimeVAE: a variational auto-encoder for multivariate time series generation", Desai et al. 2021, <https://arxiv.org/abs/2111.08095>.
//!
//! An encoder of convolutions gives a normal distribution of a few numbers; the decoder adds up a level, a polynomial trend, seasons and a residual. Here
//! rows are doubled by transposed convolutions over two rows, the last of which has no ReLU, and both networks are told the attributes.

use std::path::Path;

use burn::module::Module;
use burn::optim::GradientsParams;
use burn::tensor::activation::relu;
use burn::tensor::{Device, Int, Tensor, TensorData};
use semblant_core::checkpoint::Checkpoint;
use semblant_core::config::{Config, check_range};
use semblant_core::ema::Ema;
use semblant_core::model::{Losses, Model, Step};
use semblant_core::nn::{Linear, init_streams};
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
use crate::convolution::{Conv, Doubled, Maker, padded};
use crate::model::{Form, Made, SeriesModel};
use crate::purpose::{FIRST_NOISE, NOISE};

/// The most values of a layer over a whole window.
const MOST_VALUES: usize = 1 << 20;

/// Settings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default)]
pub struct TimeVaeConfig {
    /// Numbers that stand for a window.
    pub latent_width: usize,
    /// Channels of the encoder's convolutions, each of which halves the length; the decoder has them in reverse.
    pub channels: Vec<usize>,
    /// The degree of the polynomial trend; 0 has none.
    pub trend_degree: usize,
    /// Seasons: for each the rows of one of its phases and the number of phases.
    pub seasons: Vec<[usize; 2]>,
    /// Whether the residual is learned; without it a window is level, trend and seasons.
    pub residual: bool,
    /// The weight of the squared error against the divergence from the prior.
    pub reconstruction_weight: f64,
    /// How long, in what batches, and by which optimizer.
    pub training: TrainConfig,
}

impl Default for TimeVaeConfig {
    fn default() -> Self {
        let optimizer = Adam { learning_rate: 1e-3, clip_norm: 0.0, schedule: LrSchedule::Cosine, warm_up: 0.01, ..Adam::default() };
        let training = TrainConfig {
            rows: 600_000,
            epochs: 0,
            batch_rows: 64,
            tick_rows: 25_600,
            checkpoint_rows: 128_000,
            patience_ticks: 0,
            optimizer,
            ema: Ema { half_life_rows: 20_000.0, warm_up: 0.05 },
        };
        Self {
            latent_width: 8,
            channels: vec![50, 100, 200],
            trend_degree: 0,
            seasons: Vec::new(),
            residual: true,
            reconstruction_weight: 3.0,
            training,
        }
    }
}

impl Config for TimeVaeConfig {
    fn check(&self) -> Result<()> {
        check_range("latent_width", self.latent_width, 1, 4096)?;
        check_range("the number of channels", self.channels.len(), 1, 8)?;
        self.channels.iter().try_for_each(|&channels| check_range("channels", channels, 1, 4096))?;
        check_range("trend_degree", self.trend_degree, 0, 16)?;
        check_range("the number of seasons", self.seasons.len(), 0, 16)?;
        for &[rows, phases] in &self.seasons {
            check_range("rows of a season's phase", rows, 1, 1 << 16)?;
            check_range("phases of a season", phases, 1, 1 << 12)?;
        }
        check_range("reconstruction_weight", self.reconstruction_weight, 1e-6, 1e6)?;
        self.training.check("training.")
    }
}

/// Two layers with ReLU between them.
#[derive(Module, Debug)]
struct Pair {
    first: Linear,
    second: Linear,
}

impl Pair {
    fn new(inputs: usize, outputs: usize, make: &mut Maker<'_>) -> Self {
        Self { first: make.linear(inputs, outputs), second: make.linear(outputs, outputs) }
    }

    fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        self.second.forward(relu(self.first.forward(x)))
    }
}

/// From a few numbers to windows.
#[derive(Module, Debug)]
pub struct Decoder {
    level: Pair,
    trend: Option<Pair>,
    seasons: Vec<Linear>,
    enter: Option<Linear>,
    up: Vec<Doubled>,
    leave: Option<Linear>,
    #[module(skip)]
    length: usize,
    #[module(skip)]
    channels: usize,
    #[module(skip)]
    config: TimeVaeConfig,
}

impl Decoder {
    fn new(config: &TimeVaeConfig, [length, channels, attributes]: [usize; 3], make: &mut Maker<'_>) -> Result<Self> {
        let (inputs, last) = (config.latent_width + attributes, config.channels[config.channels.len() - 1]);
        let places = length.div_ceil(1 << config.channels.len());
        check_range("the values of the residual's first layer", places.saturating_mul(last), 1, MOST_VALUES)?;
        check_range("the values of a window", length.saturating_mul(channels), 1, MOST_VALUES)?;
        let widths: Vec<usize> = config.channels.iter().rev().skip(1).copied().chain([channels]).collect();
        let mut before = last;
        let (level, trend) =
            (Pair::new(inputs, channels, make), (config.trend_degree > 0).then(|| Pair::new(inputs, channels * config.trend_degree, make)));
        let seasons = config.seasons.iter().map(|&[_, phases]| make.linear(inputs, channels * phases)).collect();
        let enter = config.residual.then(|| make.linear(inputs, places * last));
        let mut up = Vec::new();
        for width in widths.into_iter().filter(|_| config.residual) {
            up.push(Doubled::new(before, width, make));
            before = width;
        }
        let leave = config.residual.then(|| make.linear((places << config.channels.len()) * channels, length * channels));
        Ok(Self { level, trend, seasons, enter, up, leave, length, channels, config: config.clone() })
    }

    /// `z [batch, latent_width + attributes]` gives `[batch, length, channels]`.
    fn forward(&self, z: Tensor<2>) -> Tensor<3> {
        let ([batch, _], (length, channels), device) = (z.dims(), (self.length, self.channels), z.device());
        let mut x = self.level.forward(z.clone()).unsqueeze_dim::<3>(1).repeat_dim(1, length); // [batch, length, channels]
        if let Some(trend) = &self.trend {
            let degree = self.config.trend_degree;
            let powers: Vec<f32> =
                (0..length).flat_map(|row| (1..=degree).map(move |power| (row as f32 / length as f32).powi(power as i32))).collect();
            let powers = Tensor::<1>::from_data(TensorData::new(powers, [length * degree]), &device).reshape([1, length, degree]);
            let coefficients = trend.forward(z.clone()).reshape([batch, degree, channels]);
            x = x + powers.repeat_dim(0, batch).matmul(coefficients);
        }
        for (layer, &[rows, phases]) in self.seasons.iter().zip(&self.config.seasons) {
            let phase: Vec<i32> = (0..length).map(|row| (row / rows % phases) as i32).collect();
            let phase = Tensor::<1, Int>::from_data(TensorData::new(phase, [length]), &device);
            x = x + layer.forward(z.clone()).reshape([batch, phases, channels]).select(1, phase);
        }
        let Some((enter, leave)) = self.enter.as_ref().zip(self.leave.as_ref()) else { return x };
        let widest = self.config.channels[self.config.channels.len() - 1];
        let first = relu(enter.forward(z));
        let places = first.dims()[1] / widest;
        let mut residual = first.reshape([batch, places, widest]);
        for (index, up) in self.up.iter().enumerate() {
            residual = up.forward(residual); // [batch, twice the rows, the next channels]
            if index + 1 < self.up.len() {
                residual = relu(residual);
            }
        }
        let [_, rows, _] = residual.dims();
        x + leave.forward(residual.reshape([batch, rows * channels])).reshape([batch, length, channels])
    }
}

/// The model in training.
#[derive(Module, Debug)]
pub struct TimeVaeModel {
    encoder: Vec<Conv>,
    mean: Linear,
    log_variance: Linear,
    decoder: Decoder,
    #[module(skip)]
    config: TimeVaeConfig,
}

impl TimeVaeModel {
    /// A fresh model for windows of this many rows and channels, and so many numbers of attributes.
    ///
    /// # Errors
    /// Windows that are too large.
    pub fn new(config: &TimeVaeConfig, sizes: [usize; 3], seed: u64, device: &Device) -> Result<Self> {
        let [length, channels, attributes] = sizes;
        let mut streams = init_streams(seed);
        let mut make = Maker { stream: &mut streams, device };
        let decoder = Decoder::new(config, sizes, &mut make)?;
        let mut before = channels;
        let mut encoder = Vec::new();
        for &width in &config.channels {
            encoder.push(Conv::new(before, width, &mut make));
            before = width;
        }
        let inputs = length.div_ceil(1 << config.channels.len()) * before + attributes;
        let (mean, log_variance) = (make.linear(inputs, config.latent_width), make.zeros(inputs, config.latent_width));
        Ok(Self { encoder, mean, log_variance, decoder, config: config.clone() })
    }

    /// Means and logarithms of variances, `[batch, latent_width]` each, of windows `[batch, length, channels]`.
    fn encoded(&self, windows: Tensor<3>, attributes: Option<Tensor<2>>) -> (Tensor<2>, Tensor<2>) {
        let mut x = padded(windows, 1 << self.encoder.len());
        for layer in &self.encoder {
            x = relu(layer.halved(x)); // [batch, half the rows, channels]
        }
        let [batch, rows, channels] = x.dims();
        let x = beside(x.reshape([batch, rows * channels]), attributes);
        (self.mean.forward(x.clone()), self.log_variance.forward(x))
    }
}

/// Values with the attributes after them.
fn beside(x: Tensor<2>, attributes: Option<Tensor<2>>) -> Tensor<2> {
    match attributes {
        Some(attributes) => Tensor::cat(vec![x, attributes], 1),
        None => x,
    }
}

/// The divergence of normal distributions from the standard one, added up over their numbers: `[batch, width]` each give `[1]`, a mean over the batch
/// (Kingma and Welling 2014, appendix B).
fn divergence(mean: Tensor<2>, log_variance: Tensor<2>) -> Tensor<1> {
    let [batch, _] = mean.dims();
    (mean.square() + log_variance.clone().exp() - log_variance - 1.0).sum() * (0.5 / batch as f32)
}

impl Model for TimeVaeModel {
    /// Windows at 0..1.
    type Batch = Batch;
    type Sampled = Decoder;

    fn sampled(&self) -> Decoder {
        self.decoder.valid()
    }

    fn train_step(self, batch: Batch, optimizers: &mut Optimizers, step: &Step) -> (Self, Losses) {
        let ([count, ..], device) = (batch.windows.dims(), batch.windows.device());
        let rows = step.rows().start..step.rows().start + count as u64;
        let noise = Tensor::from_inner(step.stream(NOISE).normals_on(rows, self.config.latent_width, &device));
        let (windows, attributes) = (Tensor::from_inner(batch.windows), batch.attributes.map(Tensor::from_inner));
        let (mean, log_variance) = self.encoded(windows.clone(), attributes.clone());
        let z = mean.clone() + (log_variance.clone() * 0.5).exp() * noise; // [batch, latent_width]
        let error = self.decoder.forward(beside(z, attributes)) - windows; // [batch, length, channels]
        // The mean over columns counts once more: a window's common course matters most.
        let reconstruction = (error.clone().square().sum() + error.mean_dim(2).square().sum()) * (1.0 / count as f32);
        let divergence = divergence(mean, log_variance);
        let loss = reconstruction.clone() * self.config.reconstruction_weight as f32 + divergence.clone();
        let losses = Losses::default()
            .with("reconstruction", Tensor::from_inner(reconstruction.inner()))
            .with("divergence", Tensor::from_inner(divergence.inner()));
        let gradients = GradientsParams::from_grads(loss.backward(), &self);
        (optimizers.step("networks", self, gradients, step), losses)
    }
}

/// What was learned.
pub struct Fitted {
    net: Decoder,
    device: Device,
}

impl SeriesModel for TimeVaeConfig {
    const NAME: &'static str = "timevae";
    const SUMMARY: &'static str = "variational autoencoder of windows: level, trend, seasons and a residual (Desai et al. 2021)";
    const TOLD: bool = true;
    type Fitted = Fitted;

    fn fit(&self, training: &Training, run: &mut Run) -> Result<(Fitted, Summary)> {
        let values: Vec<f32> = training.windows.values.iter().map(|&value| value as f32).collect();
        let model = TimeVaeModel::new(self, training.sizes(), run.seed, &run.device.clone().autodiff())?;
        run.observer.event(Event::Stage(&format!("training {} on {}", Self::NAME, semblant_core::device::name(&run.device))));
        let optimizers = Optimizers::default().with("networks", self.training.optimizer);
        let of = (&values[..], training.windows.length);
        let Trained { sampled, summary } = training.train(self, &self.training, of, (model, optimizers), run)?;
        Ok((Fitted { net: sampled, device: run.device.clone() }, summary))
    }

    fn sample(&self, fitted: &Fitted, form: &Form, attributes: &Features, request: &SeriesRequest) -> Result<Made> {
        let (latent, stream) = (self.latent_width, FIRST_NOISE.of(request.seed));
        let rows: Vec<u64> = request.rows.clone().collect();
        let mut values = Vec::new();
        for block in blocks(&rows, attributes, &fitted.device) {
            let noise = host::tensor(block.normals(&stream, latent), [CHUNK, latent], &fitted.device);
            let kept = block.addresses.len() * form.length * form.channels();
            let z = beside(noise, block.attributes);
            host::read(&fitted.net.forward(z), |made| values.extend(made[..kept].iter().map(|&value| f64::from(value))));
        }
        Ok(values.into())
    }

    fn write(&self, fitted: &Fitted, file: &mut Checkpoint, _: &Path) -> Result<()> {
        file.add_module("model", &fitted.net)
    }

    fn read(&self, file: &Checkpoint, form: &Form, attributes: usize, path: &Path, device: &Device) -> Result<Fitted> {
        let mut streams = init_streams(0);
        let mut make = Maker { stream: &mut streams, device };
        let net = Decoder::new(self, [form.length, form.channels(), attributes], &mut make)?;
        Ok(Fitted { net: file.load_module("model", net, path)?, device: device.clone() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_of_any_length_are_encoded_and_decoded() {
        let device = Device::flex();
        for length in [2, 5, 8, 13] {
            let config = TimeVaeConfig {
                channels: vec![4, 6],
                latent_width: 3,
                trend_degree: 2,
                seasons: vec![[1, 7], [2, 2]],
                ..TimeVaeConfig::default()
            };
            let model = TimeVaeModel::new(&config, [length, 2, 1], 1, &device).expect("small");
            let (mean, log_variance) = model.encoded(Tensor::ones([3, length, 2], &device), Some(Tensor::ones([3, 1], &device)));
            assert_eq!((mean.dims(), log_variance.dims()), ([3, 3], [3, 3]));
            let z = beside(mean, Some(Tensor::ones([3, 1], &device)));
            assert_eq!(model.decoder.forward(z).dims(), [3, length, 2]);
        }
    }

    /// KL(N(1, 4) || N(0, 1)) = (1 + 4 - ln 4 - 1) / 2 = 1.306853; of N(0, 1) it is 0.
    #[test]
    fn the_divergence_is_that_of_normal_distributions() {
        let device = Device::flex();
        let found = divergence(Tensor::from_floats([[1.0, 0.0]], &device), Tensor::from_floats([[4f32.ln(), 0.0]], &device));
        assert!((found.into_scalar::<f32>() - 1.306_853).abs() < 1e-5);
    }

    /// A trend alone is a line whose slope does not depend on the row.
    #[test]
    fn a_trend_of_degree_one_is_a_line() {
        let device = Device::flex();
        let config = TimeVaeConfig { trend_degree: 1, residual: false, latent_width: 2, ..TimeVaeConfig::default() };
        let model = TimeVaeModel::new(&config, [6, 1, 0], 3, &device).expect("small");
        let made = host::read(&model.decoder.forward(Tensor::from_floats([[0.7, -1.2]], &device)), <[f32]>::to_vec);
        let slopes: Vec<f32> = made.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert!(slopes.iter().all(|slope| (slope - slopes[0]).abs() < 1e-5) && slopes[0] != 0.0, "{made:?}");
    }
}
