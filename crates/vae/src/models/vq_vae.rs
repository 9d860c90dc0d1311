//! The vector-quantised autoencoder: "Neural discrete representation learning", van den Oord et al. 2017,
//! <https://arxiv.org/abs/1711.00937>.
//!
//! An encoder gives a grid of vectors, each is replaced by the nearest of a codebook, a decoder makes an image of them. The first part of a
//! run trains these; in the rest they stay as they are, and a transformer learns which grids of codes images have, so that new grids can be
//! drawn.

use burn::module::Module;
use burn::optim::GradientsParams;
use burn::tensor::{Device, Int, Tensor, TensorData};
use semblant_core::Result;
use semblant_core::config::Config;
use semblant_core::config::check_range;
use semblant_core::model::{Losses, Model, Step};
use semblant_core::nn::{CodePrior, Codebook, Follow, Places, PriorConfig, Usage, init_streams, perplexity, straight_through};
use semblant_core::optim::Optimizers;
use semblant_images::ImageKind;
use serde::{Deserialize, Serialize};

use crate::networks::Maker;
use crate::networks::conv::{Down, Up, check_levels, grid};
use crate::training::{Batch, Training, purpose};

/// Settings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default)]
pub struct VqVaeConfig {
    /// Channels of encoder and decoder in each level; the side is halved once for each of them.
    pub channels: Vec<usize>,
    /// Residual blocks in each level.
    pub blocks: usize,
    /// Vectors in the codebook.
    pub codes: usize,
    /// Numbers in each of them.
    pub code_width: usize,
    /// The weight of the loss that keeps the encoder's vectors near their codes.
    pub commitment: f64,
    /// The share of the codes' averages that stays after a step.
    pub decay: f64,
    /// A code that is used less often than this share of an even use begins anew.
    pub revive_below: f64,
    /// The share of the run in which the autoencoder is trained; the rest is the prior's.
    pub autoencoder_share: f64,
    /// What codes are drawn from.
    pub prior: PriorConfig,
    /// Training settings.
    pub training: Training,
    /// Sampling settings, unless a request has others.
    pub sampling: VqVaeSampling,
}

/// Settings of sampling.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default)]
pub struct VqVaeSampling {
    /// Below 1 likelier codes come more often, above 1 unlikelier ones.
    pub temperature: f64,
}

impl Default for VqVaeSampling {
    fn default() -> Self {
        Self { temperature: 1.0 }
    }
}

impl Default for VqVaeConfig {
    fn default() -> Self {
        Self {
            channels: vec![16, 32],
            blocks: 1,
            codes: 128,
            code_width: 16,
            commitment: 0.25,
            decay: 0.99,
            revive_below: 0.05,
            autoencoder_share: 0.4,
            prior: PriorConfig::default(),
            training: crate::training::training(),
            sampling: VqVaeSampling::default(),
        }
    }
}

impl VqVaeSampling {
    pub(crate) fn check(&self) -> Result<()> {
        check_range("temperature", self.temperature, 0.0, 100.0)
    }
}

/// The most codes in a grid: attention compares each with each.
const MOST_PLACES: usize = 4096;

impl Config for VqVaeConfig {
    fn check(&self) -> Result<()> {
        crate::training::check(&self.training)?;
        self.sampling.check()?;
        self.prior.check()?;
        check_range("codes", self.codes, 2, 1 << 16)?;
        check_range("code_width", self.code_width, 1, 4096)?;
        check_range("commitment", self.commitment, 0.0, 1e3)?;
        check_range("decay", self.decay, 0.0, 0.999_999)?;
        check_range("revive_below", self.revive_below, 0.0, 1.0)?;
        check_range("autoencoder_share", self.autoencoder_share, 0.01, 0.99)
    }

    fn renamed() -> &'static [(&'static str, &'static str)] {
        semblant_images::RENAMED
    }
}

impl VqVaeConfig {
    /// Where the prior's part of the run begins, in images.
    fn turn(&self, step: &Step) -> u64 {
        (step.total_rows as f64 * self.autoencoder_share) as u64
    }
}

/// The networks that sampling needs.
#[derive(Module, Debug)]
pub struct VqVaeNet {
    encoder: Down,
    decoder: Up,
    pub(crate) codebook: Codebook,
    pub(crate) prior: CodePrior,
    /// Height and width of the grid of codes.
    #[module(skip)]
    grid: [usize; 2],
}

impl VqVaeNet {
    /// Fresh networks for images of this kind.
    pub(crate) fn new(config: &VqVaeConfig, kind: &ImageKind, seed: u64, device: &Device) -> Result<Self> {
        check_levels("the model", &config.channels, config.blocks, &kind.shape)?;
        let grid = grid(&config.channels, &kind.shape);
        check_range("codes in the grid of an image", grid[0] * grid[1], 1, MOST_PLACES)?;
        let mut streams = init_streams(seed);
        let mut make = Maker { stream: &mut streams, device };
        let (channels, width) = (kind.shape.channels, config.code_width);
        let encoder = Down::new(channels, &config.channels, config.blocks, width, &mut make);
        let decoder = Up::new(width, &config.channels, config.blocks, channels, &mut make);
        let codebook = Codebook::new(config.codes, width, device);
        let of = Places { codes: config.codes, places: grid[0] * grid[1], levels: 1 };
        let prior = CodePrior::new(&config.prior, of, kind.class_names.len(), &mut streams, device);
        Ok(Self { encoder, decoder, codebook, prior, grid })
    }

    /// Codes in a grid.
    pub(crate) fn places(&self) -> usize {
        self.grid[0] * self.grid[1]
    }

    /// The encoder's vectors `[batch * places, width]` of images `[batch, channels, height, width]`.
    fn vectors(&self, images: Tensor<4>) -> Tensor<2> {
        let z = self.encoder.forward(images); // [batch, width, grid height, grid width]
        let [batch, width, height, columns] = z.dims();
        z.permute([0, 2, 3, 1]).reshape([batch * height * columns, width])
    }

    /// The codes `[batch * places]` of images `[batch, channels, height, width]`, row by row.
    pub(crate) fn codes(&self, images: Tensor<4>) -> Tensor<1, Int> {
        self.codebook.nearest(self.vectors(images))
    }

    /// The image of codes `[batch * places]`: `[batch, channels, height, width]`.
    pub(crate) fn decode(&self, codes: Tensor<1, Int>) -> Tensor<4> {
        self.pixels(self.codebook.of(codes))
    }

    fn pixels(&self, vectors: Tensor<2>) -> Tensor<4> {
        let ([rows, width], [height, columns]) = (vectors.dims(), self.grid);
        let grid = vectors.reshape([rows / self.places(), height, columns, width]).permute([0, 3, 1, 2]);
        self.decoder.forward(grid)
    }
}

/// The model.
#[derive(Module, Debug)]
pub struct VqVaeModel {
    pub(crate) net: VqVaeNet,
    pub(crate) usage: Usage,
    #[module(skip)]
    pub(crate) config: VqVaeConfig,
}

impl Model for VqVaeModel {
    type Batch = Batch;
    type Sampled = VqVaeNet;

    fn sampled(&self) -> VqVaeNet {
        self.net.valid()
    }

    fn train_step(self, batch: Batch, optimizers: &mut Optimizers, step: &Step) -> (Self, Losses) {
        let turn = self.config.turn(step);
        if step.rows_seen < turn {
            self.autoencoder_step(batch, optimizers, &Step { total_rows: turn, ..*step })
        } else {
            let part = Step { rows_seen: step.rows_seen - turn, total_rows: step.total_rows - turn, ..*step };
            self.prior_step(batch, optimizers, &part)
        }
    }
}

impl VqVaeModel {
    fn autoencoder_step(mut self, batch: Batch, optimizers: &mut Optimizers, step: &Step) -> (Self, Losses) {
        let follow = Follow { decay: self.config.decay, revive_below: self.config.revive_below };
        let z = self.net.vectors(batch.images.clone()); // [batch * places, width]
        let plain = z.clone().inner();
        let chosen = chosen_rows(step, self.config.codes, plain.dims()[0], &plain.device());
        (self.usage, self.net.codebook) = self.usage.revived(self.net.codebook, plain.clone(), chosen, follow);
        let codebook = self.net.codebook.valid();
        let codes = codebook.nearest(plain.clone());
        let quantised = Tensor::from_inner(codebook.of(codes.clone()));
        let commitment = (z.clone() - quantised.clone()).square().mean();
        let made = self.net.pixels(straight_through(z, quantised));
        let reconstruction = (made - batch.images).square().mean();
        let loss = reconstruction.clone() + commitment.clone() * self.config.commitment;
        let gradients = GradientsParams::from_grads(loss.backward(), &self.net);
        self.net = optimizers.step("autoencoder", self.net, gradients, step);
        let (usage, codebook, used) = self.usage.followed(self.net.codebook, plain, codes, follow);
        (self.usage, self.net.codebook) = (usage, codebook);
        let losses = Losses::default()
            .with("reconstruction", Tensor::from_inner(reconstruction.inner()))
            .with("commitment", Tensor::from_inner(commitment.inner()))
            .with("perplexity", Tensor::from_inner(perplexity(used.clone())))
            .with("codes_used", Tensor::from_inner(used.sign().mean()));
        (self, losses)
    }

    fn prior_step(mut self, batch: Batch, optimizers: &mut Optimizers, step: &Step) -> (Self, Losses) {
        let count = batch.images.dims()[0];
        // What is frozen leaves no trace for the gradient.
        let codes = self.net.valid().codes(batch.images.inner()).reshape([count, self.net.places()]);
        let prior = &self.net.prior;
        let codes = Tensor::from_inner(codes);
        let condition = batch.classes.map_or_else(|| prior.of_no_class(count, &codes.device()), |classes| prior.of_classes(classes));
        let loss = prior.loss(codes, condition);
        let losses = Losses::default().with("prior", loss.clone());
        let gradients = GradientsParams::from_grads(loss.backward(), &self.net);
        self.net = optimizers.step("prior", self.net, gradients, step);
        (self, losses)
    }
}

/// A row of this step for every code, in case that it begins anew.
fn chosen_rows(step: &Step, codes: usize, rows: usize, device: &Device) -> Tensor<1, Int> {
    let stream = step.stream(purpose::REVIVAL);
    let chosen: Vec<i32> = (0..codes).map(|code| stream.below(step.index, code as u32, rows as u64) as i32).collect();
    Tensor::from_data(TensorData::new(chosen, [codes]), device)
}
