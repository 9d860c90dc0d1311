//! TVAE: the variational autoencoder of "Modeling tabular data using conditional GAN", Xu et al. 2019, section 4.4.
//!
//! Where it differs from the reference implementation: categories and modes are drawn from their softmax instead of taking the
//! greatest (which loses rare values), tanh is applied to scalars only, the decoder is averaged over training, and the learning rate
//! falls to zero.

mod sampling;

use burn::module::{Module, Param};
use burn::optim::GradientsParams;
use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor};
use semblant_core::config::Config;
use semblant_core::ema::Ema;
use semblant_core::model::{Losses, Model, Step};
use semblant_core::nn::{Linear, LinearConfig, filled};
use semblant_core::optim::{Adam, LrSchedule, Optimizers};
use semblant_core::seeds::streams::StreamRange;
use semblant_core::train_config::TrainConfig;
use semblant_core::{Error, Result, host, math};
use semblant_data::table::encode::{Layout, NumberOptions};
use serde::{Deserialize, Serialize};

use crate::row_layout::RowLayout;
use crate::sizes::{USUAL_EPOCHS, check_min_steps, check_widths};

/// Settings of TVAE. Defaults are the paper's where it names a value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default)]
pub struct TvaeConfig {
    /// How long, in what batches, and by which optimizer of both networks.
    #[serde(flatten)]
    pub train: TrainConfig,
    /// The fewest steps of a run of the usual 300 epochs: on few rows an epoch is a step or two, so that such a run is made longer. The
    /// states of its second half are scored at the ticks and the best is kept. With the default batch that concerns tables of fewer than
    /// 1,667 rows. Another number of `epochs`, or `rows`, is taken as it is; 0 never makes a run longer.
    pub min_steps: u64,
    /// Length of the latent vector.
    pub latent_width: usize,
    /// Widths of the encoder's layers.
    pub encoder_widths: Vec<usize>,
    /// Widths of the decoder's layers.
    pub decoder_widths: Vec<usize>,
    /// Weight of the reconstruction against the divergence.
    pub reconstruction_weight: f64,
    /// How numbers become modes.
    pub numbers: NumberOptions,
}

impl Default for TvaeConfig {
    fn default() -> Self {
        Self {
            train: TrainConfig {
                epochs: USUAL_EPOCHS,
                batch_rows: 500,
                optimizer: Adam { learning_rate: 1e-3, weight_decay: 1e-5, schedule: LrSchedule::HoldCosine, ..Adam::default() },
                ema: Ema { half_life_rows: 250_000.0, warm_up: 0.05 },
                ..TrainConfig::default()
            },
            min_steps: 1000,
            latent_width: 128,
            encoder_widths: vec![128, 128],
            decoder_widths: vec![128, 128],
            reconstruction_weight: 2.0,
            numbers: NumberOptions::default(),
        }
    }
}

impl Config for TvaeConfig {
    fn check(&self) -> Result<()> {
        if self.latent_width == 0 || self.encoder_widths.contains(&0) || self.decoder_widths.contains(&0) {
            return Err(Error::Config("latent_width and every layer's width must be at least 1".into()));
        }
        if !(self.reconstruction_weight > 0.0 && self.reconstruction_weight.is_finite()) {
            return Err(Error::Config(format!("reconstruction_weight = {} must be a number above 0", self.reconstruction_weight)));
        }
        check_min_steps(self.min_steps)?;
        check_widths(self.latent_width, self.encoder_widths.iter().chain(&self.decoder_widths))?;
        self.train.check("")
    }

    fn renamed() -> &'static [(&'static str, &'static str)] {
        &[("patience_epochs", "patience_ticks")]
    }
}

/// Purposes of random numbers.
mod purpose {
    use semblant_core::seeds::streams::{LAYERS, TRAINING};
    use semblant_core::streams;

    streams! {
        in TRAINING;
        pub(super) const ORDER = 1..2;
        pub(super) const LATENT = 2..3;
    }

    streams! {
        in LAYERS;
        pub(super) const ENCODER = 0..64;
        pub(super) const MEAN = 64..65;
        pub(super) const LOG_VARIANCE = 65..66;
        pub(super) const DECODER = 0x100..0x140;
        pub(super) const DECODER_HEAD = 0x140..0x141;
    }
}

/// The spread of a scalar around its decoded value stays within these.
const SIGMA: (f32, f32) = (0.01, 1.0);

/// Latent vectors to raw rows.
#[derive(Module, Debug)]
pub struct Decoder {
    hidden: Vec<Linear>,
    head: Linear,
    /// The standard deviation of every output, used at scalars only, `[layout.width]`.
    sigma: Param<Tensor<1>>,
}

impl Decoder {
    fn new(config: &TvaeConfig, outputs: usize, seed: u64, device: &Device) -> Self {
        let (hidden, last) = layers(config.latent_width, &config.decoder_widths, seed, purpose::DECODER, device);
        let head = LinearConfig::new(last, outputs).init(purpose::DECODER_HEAD.of(seed), device);
        Self { hidden, head, sigma: filled([outputs], device, 0.1) }
    }

    /// `[batch, latent_width]` gives raw rows `[batch, layout.width]`.
    pub fn forward(&self, latent: Tensor<2>) -> Tensor<2> {
        self.head.forward(self.hidden.iter().fold(latent, |x, layer| relu(layer.forward(x))))
    }
}

/// Encoder and decoder.
#[derive(Module, Debug)]
pub struct TvaeModel {
    encoder: Vec<Linear>,
    mean: Linear,
    log_variance: Linear,
    decoder: Decoder,
    #[module(skip)]
    config: TvaeConfig,
    #[module(skip)]
    row_layout: RowLayout,
}

fn layers(inputs: usize, widths: &[usize], seed: u64, streams: StreamRange, device: &Device) -> (Vec<Linear>, usize) {
    let mut previous = inputs;
    let mut layers = Vec::with_capacity(widths.len());
    for (index, &width) in widths.iter().enumerate() {
        layers.push(LinearConfig::new(previous, width).init(streams.nth(seed, index as u32), device));
        previous = width;
    }
    (layers, previous)
}

impl TvaeModel {
    /// Fresh networks on `device`, which must have autodiff.
    pub fn new(config: &TvaeConfig, layout: &Layout, seed: u64, device: &Device) -> Self {
        let (encoder, last) = layers(layout.width, &config.encoder_widths, seed, purpose::ENCODER, device);
        let latent = |stream: StreamRange| LinearConfig::new(last, config.latent_width).init(stream.of(seed), device);
        let decoder = Decoder::new(config, layout.width, seed, device);
        Self {
            encoder,
            mean: latent(purpose::MEAN),
            log_variance: latent(purpose::LOG_VARIANCE),
            decoder,
            config: config.clone(),
            row_layout: RowLayout::new(layout, &device.clone().inner()),
        }
    }
}

impl Model for TvaeModel {
    /// Encoded rows, `[batch, layout.width]`.
    type Batch = Tensor<2>;
    type Sampled = Decoder;

    fn sampled(&self) -> Decoder {
        self.decoder.valid()
    }

    fn train_step(mut self, rows: Tensor<2>, optimizers: &mut Optimizers, step: &Step) -> (Self, Losses) {
        let [batch, _] = rows.dims();
        let width = self.config.latent_width;
        let device = rows.device();
        let hidden = self.encoder.iter().fold(Tensor::from_inner(rows.clone()), |x, layer| relu(layer.forward(x)));
        let (mean, log_variance) = (self.mean.forward(hidden.clone()), self.log_variance.forward(hidden)); // [batch, latent]
        let first = step.index * step.batch_rows;
        let noise = Tensor::from_inner(step.stream(purpose::LATENT).normals_on(first..first + batch as u64, width, &device));
        let latent = mean.clone() + (log_variance.clone() * 0.5).exp() * noise;
        let raw = self.decoder.forward(latent); // [batch, layout.width]

        let sigma = self.decoder.sigma.val().inner();
        let reconstruction =
            reconstruction(&raw.clone().inner(), &rows, &sigma, &self.row_layout, self.config.reconstruction_weight as f32);
        let divergence = (mean.square() + log_variance.clone().exp() - log_variance - 1.0).sum() * (0.5 / batch as f64);
        // The gradient of the reconstruction is known; a product with it as a constant hands it to autodiff.
        let loss = (raw * Tensor::from_inner(reconstruction.raw_gradient)).sum() + divergence.clone();
        let mut gradients = GradientsParams::from_grads(loss.backward(), &self);
        gradients.register(self.decoder.sigma.id, reconstruction.sigma_gradient);
        self = optimizers.step("both", self, gradients, step);
        self.decoder.sigma = self.decoder.sigma.map(|sigma| Tensor::from_inner(sigma.inner().clamp(SIGMA.0, SIGMA.1)).require_grad());
        (self, Losses::default().with("reconstruction", reconstruction.loss).with("divergence", divergence))
    }
}

/// The reconstruction loss with its gradients.
struct Reconstruction {
    loss: Tensor<1>,
    /// `[batch, layout.width]`.
    raw_gradient: Tensor<2>,
    /// `[layout.width]`.
    sigma_gradient: Tensor<1>,
}

/// `weight` times the mean over rows of: (x - tanh r)^2 / (2 sigma^2) + ln sigma over scalars, and cross-entropy over blocks.
fn reconstruction(raw: &Tensor<2>, rows: &Tensor<2>, sigma: &Tensor<1>, row_layout: &RowLayout, weight: f32) -> Reconstruction {
    let device = raw.device();
    let [batch, width] = raw.dims();
    let scale = weight / batch as f32;
    if let Some(on_device) = &row_layout.on_device {
        let (loss, raw_gradient, sigma_gradient) = on_device.reconstruction(raw, rows, sigma, scale);
        return Reconstruction { loss, raw_gradient, sigma_gradient };
    }
    let layout = &row_layout.layout;
    let mut total = 0.0f64;
    let mut raw_gradient = vec![0.0f32; batch * width];
    let mut sigma_gradient = vec![0.0f32; width];
    let mut one_row = |raw: &[f32], row: &[f32], sigma: &[f32], gradient: &mut [f32]| {
        for span in &layout.spans {
            let range = span.start..span.start + span.width;
            if span.is_block() {
                let gradient = &mut gradient[range.clone()];
                gradient.copy_from_slice(&raw[range.clone()]);
                math::softmax(gradient);
                for (g, &x) in gradient.iter_mut().zip(&row[range]) {
                    if x > 0.5 {
                        total -= f64::from(scale * g.max(1e-12).ln());
                    }
                    *g = (*g - x) * scale;
                }
            } else {
                let (t, s) = (math::tanh(raw[span.start]), sigma[span.start]);
                let off = t - row[span.start];
                total += f64::from(scale * (off * off / (2.0 * s * s) + s.ln()));
                gradient[span.start] = scale * off / (s * s) * (1.0 - t * t);
                sigma_gradient[span.start] += scale * (1.0 / s - off * off / (s * s * s));
            }
        }
    };
    host::read(raw, |raw| {
        host::read(rows, |rows| {
            host::read(sigma, |sigma| {
                for ((raw, row), gradient) in
                    raw.chunks_exact(width).zip(rows.chunks_exact(width)).zip(raw_gradient.chunks_exact_mut(width))
                {
                    one_row(raw, row, sigma, gradient);
                }
            });
        });
    });
    Reconstruction {
        loss: host::tensor(vec![total as f32], [1], &device),
        raw_gradient: host::tensor(raw_gradient, [batch, width], &device),
        sigma_gradient: host::tensor(sigma_gradient, [width], &device),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Tolerance;
    use semblant_core::seeds::Stream;
    use semblant_data::table::encode::{Span, SpanKind};

    #[test]
    fn reconstruction_agrees_with_autodiff() {
        let span = |kind, start, width| Span { column: 0, kind, start, width };
        let layout = Layout { spans: vec![span(SpanKind::Scalar, 0, 1), span(SpanKind::Modes, 1, 3)], width: 4 };
        let device = Device::flex().autodiff();
        let plain = Device::flex();
        let raw = || host::tensor(Stream::new(0, 0).matrix(0..6, 4, Stream::normals), [6, 4], &plain);
        let rows: Vec<f32> = (0..6)
            .flat_map(|i| {
                [0.1 * i as f32, f32::from(u8::from(i % 3 == 0)), f32::from(u8::from(i % 3 == 1)), f32::from(u8::from(i % 3 == 2))]
            })
            .collect();
        let rows = host::tensor(rows, [6, 4], &plain);
        let sigma = host::tensor(vec![0.3, 0.1, 0.1, 0.1], [4], &plain);
        let ways = RowLayout::both(&layout, &plain).map(|row_layout| reconstruction(&raw(), &rows, &sigma, &row_layout, 2.0));

        let (x, s) = (Tensor::from_inner(raw()).require_grad(), Tensor::from_inner(sigma).require_grad());
        let target = Tensor::<2>::from_inner(rows);
        let s0 = s.clone().slice([0..1]);
        let off = x.clone().slice([0..6, 0..1]).tanh() - target.clone().slice([0..6, 0..1]);
        let scalar = (off.square().sum() / (s0.clone().square() * 2.0)) + s0.log() * 6.0;
        let block = -(burn::tensor::activation::log_softmax(x.clone().slice([0..6, 1..4]), 1) * target.slice([0..6, 1..4])).sum();
        let loss = (scalar + block) * (2.0 / 6.0);
        let check = |expected: burn::tensor::TensorData, actual: burn::tensor::TensorData| {
            expected.assert_approx_eq::<f32>(&actual, Tolerance::absolute(1e-4))
        };
        let gradients = loss.backward();
        for ours in ways {
            check(loss.to_data(), ours.loss.to_data());
            check(x.grad(&gradients).expect("required").to_data(), ours.raw_gradient.to_data());
            check(s.grad(&gradients).expect("required").to_data(), ours.sigma_gradient.to_data());
        }
        assert_eq!(device, Device::flex());
    }
}
