//! Generators and critics.

use burn::module::{Module, Param};
use burn::tensor::{Device, Int, Tensor};
use semblant_core::config::check_range;
use semblant_core::nn::{GroupNorm, GroupNormConfig, Init, Linear, LinearConfig, conv_transpose2d, drawn, init_streams};
use semblant_core::seeds::Stream;
use semblant_core::{Error, Result};
use semblant_images::{ImageKind, ImageShape};
use serde::{Deserialize, Serialize};

use crate::piecewise::{Double, Halve, Layer, PiecewiseCritic, ResidualBranch, Slopes, SpectralConv};

/// The slope of LeakyReLU below zero, as every model of this family has it.
const NEGATIVE_SLOPE: f32 = 0.2;

/// How large generator and critic are. Both halve or double the side of the images between one entry of `channels` and the next.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct NetConfig {
    /// Random numbers that an image is made of.
    pub latent: usize,
    /// Width of the generator's class embedding.
    pub class_features: usize,
    /// Channels from the smallest images to the full ones, of both networks.
    pub channels: Vec<usize>,
    /// Features that the critic's score is made of.
    pub features: usize,
    /// Residual blocks at every size (residual networks only).
    pub blocks: usize,
    /// How many times as many channels a block has inside (residual networks only).
    pub expansion: usize,
    /// Channels that look at each other in the middle of a block; 0 lets all (residual networks only).
    pub group_channels: usize,
}

impl Default for NetConfig {
    fn default() -> Self {
        Self { latent: 64, class_features: 16, channels: vec![96, 48, 16], features: 64, blocks: 1, expansion: 2, group_channels: 16 }
    }
}

impl NetConfig {
    /// Checks every field's range.
    ///
    /// # Errors
    /// Names the field, its value and the range.
    pub fn check(&self) -> Result<()> {
        const MOST: usize = 1 << 14;
        const MOST_REPEATED: usize = 64;
        let numbers = [("latent", self.latent), ("class_features", self.class_features), ("features", self.features)];
        let channels = self.channels.iter().map(|&channels| ("channels", channels));
        for (field, value) in numbers.into_iter().chain(channels) {
            check_range(&format!("network.{field}"), value, 1, MOST)?;
        }
        check_range("network.blocks", self.blocks, 1, MOST_REPEATED)?;
        check_range("network.expansion", self.expansion, 1, MOST_REPEATED)?;
        check_range("network.group_channels", self.group_channels, 0, MOST * MOST_REPEATED)?;
        if self.channels.is_empty() || self.channels.len() > 8 {
            return Err(Error::Config("network.channels must have from 1 to 8 entries, one for each resolution".into()));
        }
        let inner = self.channels.iter().map(|channels| channels * self.expansion);
        if let Some(inner) = inner.into_iter().find(|inner| self.group_channels > 0 && inner % self.group_channels.min(*inner) != 0) {
            let what = format!("network.group_channels = {} does not divide {inner}, the channels inside a block", self.group_channels);
            return Err(Error::Config(what));
        }
        Ok(())
    }

    /// Height and width of the smallest images.
    ///
    /// # Errors
    /// Images whose sides cannot be halved as often as there are sizes.
    pub fn smallest(&self, shape: &ImageShape) -> Result<[usize; 2]> {
        let factor = 1 << (self.channels.len() - 1);
        if !shape.height.is_multiple_of(factor) || !shape.width.is_multiple_of(factor) {
            return Err(Error::Config(format!(
                "images of {} x {} cannot be halved {} times; give network.channels fewer entries, or read the images with another size",
                shape.height,
                shape.width,
                self.channels.len() - 1
            )));
        }
        Ok([shape.height / factor, shape.width / factor])
    }
}

/// Twice the side, by a normalisation and a transposed convolution.
#[derive(Module, Debug)]
pub struct UpBlock {
    norm: GroupNorm,
    /// `[channels before, channels behind, 4, 4]`.
    weight: Param<Tensor<4>>,
}

/// What a generator does after its first layer.
#[derive(Module, Debug)]
#[allow(clippy::large_enum_variant, reason = "a generator has one")]
pub enum Body {
    /// Normalisations and transposed convolutions (Radford et al. 2016, with groups in place of the batch, so that an image does not
    /// depend on the others of its batch).
    Upward(Upward),
    /// Residual blocks without normalisation (Huang et al. 2024).
    Residual(Residual),
}

/// See [`Body::Upward`].
#[derive(Module, Debug)]
pub struct Upward {
    blocks: Vec<UpBlock>,
    norm: GroupNorm,
    last: SpectralConv,
}

/// See [`Body::Residual`].
#[derive(Module, Debug)]
pub struct Residual {
    layers: Vec<Layer>,
}

/// From random numbers and a class to an image.
#[derive(Module, Debug)]
pub struct Generator {
    /// `[classes, class_features]`; none without classes.
    classes: Option<Param<Tensor<2>>>,
    first: Linear,
    body: Body,
    #[module(skip)]
    smallest: [usize; 2],
    #[module(skip)]
    latent: usize,
}

impl Generator {
    /// Random numbers that an image is made of.
    pub fn latent(&self) -> usize {
        self.latent
    }

    /// `z [batch, latent]` and `classes [batch]` give images `[batch, channels, height, width]`, about -1 to 1.
    pub fn forward(&self, z: Tensor<2>, classes: Option<&Tensor<1, Int>>) -> Tensor<4> {
        let input = match (&self.classes, classes) {
            (Some(features), Some(classes)) => Tensor::cat(vec![z, features.val().select(0, classes.clone())], 1),
            _ => z,
        };
        let [batch, _] = input.dims();
        let first = self.first.forward(input); // [batch, channels * height * width]
        let [height, width] = self.smallest;
        let channels = first.dims()[1] / (height * width);
        let x = first.reshape([batch, channels, height, width]);
        match &self.body {
            Body::Upward(body) => {
                let up = |x: Tensor<4>, block: &UpBlock| {
                    let [_, _, height, width] = x.dims();
                    conv_transpose2d(block.norm.forward_silu(x), block.weight.val(), 2, 1, [2 * height, 2 * width])
                };
                let x = body.blocks.iter().fold(x, up);
                body.last.forward(body.norm.forward_silu(x)).tanh()
            }
            Body::Residual(body) => {
                let mut slopes = Slopes::default();
                body.layers.iter().fold(x, |x, layer| layer.forward(x, &mut slopes))
            }
        }
    }

    /// A generator by normalisations and transposed convolutions.
    ///
    /// # Errors
    /// Images that cannot be halved as often as the network wants.
    pub fn upward(config: &NetConfig, kind: &ImageKind, seed: u64, device: &Device) -> Result<Self> {
        let mut streams = init_streams(seed);
        let norm = |channels: usize| GroupNormConfig::new(groups_of(channels), channels).init(device);
        let block = |pair: &[usize], stream| {
            let fan = (pair[0] * 4, pair[1] * 4); // Each pixel is reached by four places of the kernel.
            UpBlock { norm: norm(pair[0]), weight: drawn(Init::Xavier, fan, [pair[0], pair[1], 4, 4], (stream, 0), device) }
        };
        let finest = *config.channels.last().unwrap_or(&1);
        let blocks = config.channels.windows(2).map(|pair| block(pair, streams())).collect();
        let last = SpectralConv::new(Init::Xavier, [finest, kind.shape.channels], 3, 1, streams(), device);
        Self::new(config, kind, Body::Upward(Upward { blocks, norm: norm(finest), last }), streams, device)
    }

    /// A generator by residual blocks.
    ///
    /// # Errors
    /// As [`Generator::upward`].
    pub fn residual(config: &NetConfig, kind: &ImageKind, seed: u64, device: &Device) -> Result<Self> {
        let mut streams = init_streams(seed);
        let mut layers = Vec::new();
        for (place, &channels) in config.channels.iter().enumerate() {
            if place > 0 {
                let before = config.channels[place - 1];
                layers.push(Layer::Conv(SpectralConv::new(Init::Xavier, [before, channels], 1, 1, streams(), device)));
                layers.push(Layer::Double(Double {}));
            }
            (0..config.blocks).for_each(|_| layers.push(residual_block(config, channels, &mut streams, device)));
        }
        let finest = *config.channels.last().unwrap_or(&1);
        layers.push(Layer::Conv(SpectralConv::new(Init::Xavier, [finest, kind.shape.channels], 1, 1, streams(), device)));
        Self::new(config, kind, Body::Residual(Residual { layers }), streams, device)
    }

    fn new(config: &NetConfig, kind: &ImageKind, body: Body, mut streams: impl FnMut() -> Stream, device: &Device) -> Result<Self> {
        let smallest = config.smallest(&kind.shape)?;
        let classes = kind.class_names.len();
        let told = if classes > 0 { config.class_features } else { 0 };
        let first = LinearConfig::new(config.latent + told, config.channels[0] * smallest[0] * smallest[1])
            .with_init(Init::Xavier)
            .init(streams(), device);
        let features = drawn(Init::Normal(1.0), (1, 1), [classes, told], (streams(), 0), device);
        let classes = (classes > 0).then_some(features);
        Ok(Self { classes, first, body, smallest, latent: config.latent })
    }
}

/// Groups of a normalisation: about eight channels each.
fn groups_of(channels: usize) -> usize {
    (1..=channels.div_ceil(8)).rev().find(|groups| channels.is_multiple_of(*groups)).unwrap_or(1)
}

/// A residual block of three convolutions that begins as nothing: the last one is zero, the others are small ("Fixup initialization",
/// Zhang et al. 2019; as Huang et al. 2024 use it).
fn residual_block(config: &NetConfig, channels: usize, streams: &mut impl FnMut() -> Stream, device: &Device) -> Layer {
    let inner = channels * config.expansion;
    let blocks = (config.blocks * config.channels.len()) as f64;
    let deviation = |inputs: usize| ((2.0 / inputs as f64).sqrt() * blocks.powf(-0.25)) as f32;
    let groups = if config.group_channels == 0 { 1 } else { inner / config.group_channels.min(inner) };
    let mut conv = |init, sizes, kernel| SpectralConv::new(init, sizes, kernel, 1, streams(), device);
    let first = conv(Init::Normal(deviation(channels)), [channels, inner], 1);
    let mut middle = conv(Init::Normal(deviation(inner / groups * 9)), [inner / groups, inner], 3);
    middle.groups = groups;
    let last = conv(Init::Zero, [inner, channels], 1);
    Layer::Residual(ResidualBranch { convs: vec![first, middle, last], negative_slope: NEGATIVE_SLOPE })
}

/// A critic of convolutions with a stride of two (Radford et al. 2016), with spectral normalisation if `normalised`.
///
/// # Errors
/// As [`Generator::upward`].
pub fn downward_critic(config: &NetConfig, kind: &ImageKind, normalised: bool, seed: u64, device: &Device) -> Result<PiecewiseCritic> {
    let mut streams = init_streams(seed ^ CRITIC);
    let smallest = config.smallest(&kind.shape)?;
    let mut inputs = kind.shape.channels;
    let mut layers = Vec::new();
    for (place, &outputs) in config.channels.iter().rev().enumerate() {
        let (kernel, stride) = if place == 0 { (3, 1) } else { (4, 2) };
        // The first size is only looked at if it is the only one: convolutions at full size cost most and see least.
        if place > 0 || config.channels.len() == 1 {
            let conv = SpectralConv::new(Init::Uniform, [inputs, outputs], kernel, stride, streams(), device);
            layers.push(Layer::Conv(if normalised { conv.normalised(streams()) } else { conv }));
            layers.push(Layer::leaky(NEGATIVE_SLOPE));
            inputs = outputs;
        }
    }
    let last = SpectralConv::new(Init::Uniform, [inputs, inputs], 3, 1, streams(), device);
    layers.push(Layer::Conv(if normalised { last.normalised(streams()) } else { last }));
    layers.push(Layer::leaky(NEGATIVE_SLOPE));
    let flat = inputs * smallest[0] * smallest[1];
    Ok(PiecewiseCritic::new(layers, flat, config.features, kind.class_names.len(), [streams(), streams(), streams()], device))
}

/// A critic of residual blocks without normalisation (Huang et al. 2024).
///
/// # Errors
/// As [`Generator::upward`].
pub fn residual_critic(config: &NetConfig, kind: &ImageKind, seed: u64, device: &Device) -> Result<PiecewiseCritic> {
    let mut streams = init_streams(seed ^ CRITIC);
    let smallest = config.smallest(&kind.shape)?;
    let mut inputs = kind.shape.channels;
    let mut layers = Vec::new();
    for (place, &channels) in config.channels.iter().rev().enumerate() {
        if place > 0 {
            layers.push(Layer::Halve(Halve {}));
        }
        layers.push(Layer::Conv(SpectralConv::new(Init::Xavier, [inputs, channels], 1, 1, streams(), device)));
        (0..config.blocks).for_each(|_| layers.push(residual_block(config, channels, &mut streams, device)));
        inputs = channels;
    }
    let flat = inputs * smallest[0] * smallest[1];
    Ok(PiecewiseCritic::new(layers, flat, config.features, kind.class_names.len(), [streams(), streams(), streams()], device))
}

/// What tells the critic's first weights from the generator's under one seed.
const CRITIC: u64 = 0x6372_6974_6963;
