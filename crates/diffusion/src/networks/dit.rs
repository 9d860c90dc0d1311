//! DiT, the diffusion transformer of "Scalable diffusion models with transformers", Peebles and Xie 2023: patches as tokens, time and class
//! through adaptive normalisation whose gates begin at zero.
//!
//! Layers and arithmetic are those of diffusers' `DiTTransformer2DModel`, so weights go both ways. One embedder of time and class serves all
//! blocks, as in the paper; a loaded model may have one per block.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use semblant_core::config::check_range;
use semblant_core::nn::{ADAPTIVE_EPSILON, AdaptiveBlock, Constants, Init, Linear, LinearConfig, init_streams, modulated_norm, silu};
use semblant_core::{Error, Result};
use serde::{Deserialize, Serialize};

use super::embedder::Embedder;
use super::{Condition, MOST_DEPTH, MOST_WIDTH, Network};
use semblant_images::ImageShape;

/// The size of a DiT.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct DitConfig {
    /// Side of the square patches that become tokens.
    pub patch: usize,
    /// Width of a token.
    pub width: usize,
    /// Number of blocks.
    pub depth: usize,
    /// Attention heads.
    pub heads: usize,
    /// Added to the variance in the second normalisation of a block; diffusers' default is 1e-5, the paper's 1e-6.
    pub norm_epsilon: f64,
}

impl Default for DitConfig {
    fn default() -> Self {
        Self { patch: 2, width: 128, depth: 6, heads: 4, norm_epsilon: 1e-5 }
    }
}

impl DitConfig {
    /// DiT-S of the paper's table 1.
    pub fn small(patch: usize) -> Self {
        Self { patch, width: 384, depth: 12, heads: 6, ..Self::default() }
    }

    /// DiT-B of the paper's table 1.
    pub fn base(patch: usize) -> Self {
        Self { patch, width: 768, depth: 12, heads: 12, ..Self::default() }
    }

    /// Checks the sizes against each other and against the images.
    ///
    /// # Errors
    /// Names the field, its value and what is allowed.
    pub fn check(&self, shape: &ImageShape) -> Result<()> {
        check_range("patch", self.patch, 1, MOST_PATCH)?;
        check_range("width", self.width, 1, MOST_WIDTH)?;
        check_range("depth", self.depth, 1, MOST_DEPTH)?;
        check_range("heads", self.heads, 1, MOST_WIDTH)?;
        check_range("norm_epsilon", self.norm_epsilon, 1e-12, 1.0)?;
        if !self.width.is_multiple_of(self.heads) || !self.width.is_multiple_of(4) {
            return Err(Error::Config(format!("width = {} of a DiT must be a multiple of heads = {} and of 4", self.width, self.heads)));
        }
        if !shape.height.is_multiple_of(self.patch) || !shape.width.is_multiple_of(self.patch) {
            return Err(Error::Config(format!(
                "patch = {} does not divide images of {} x {}; choose another patch, or resize the images",
                self.patch, shape.height, shape.width
            )));
        }
        Ok(())
    }
}

/// The largest patch: one that an image of a usual size consists of.
const MOST_PATCH: usize = 1024;

/// The whole network.
#[derive(Module, Debug)]
pub struct Dit {
    /// One patch's pixels, in the order channel, row, column, to a token.
    pub(crate) patch: Linear,
    /// One for all blocks, or one a block.
    pub(crate) embedders: Vec<Embedder>,
    pub(crate) blocks: Vec<AdaptiveBlock>,
    pub(crate) last_modulation: Linear,
    /// A token to one patch's pixels, in the order row, column, channel.
    pub(crate) last: Linear,
    #[module(skip)]
    pub(crate) config: DitConfig,
    #[module(skip)]
    pub(crate) shape: ImageShape,
    #[module(skip)]
    pub(crate) constants: Constants,
}

impl Dit {
    /// A fresh network on `device` for images of `shape`; `classes` 0 means that there are none.
    pub fn new(config: &DitConfig, shape: &ImageShape, classes: usize, seed: u64, device: &Device) -> Self {
        Self::with_embedders(config, shape, classes, 1, shape.channels, seed, device)
    }

    /// This network with an input for augmentation labels. The new weights are zero.
    pub fn with_augmentation(mut self) -> Self {
        self.embedders = self.embedders.into_iter().map(Embedder::with_augmentation).collect();
        self
    }

    /// As [`Dit::new`], with this many embedders and output channels.
    pub(crate) fn with_embedders(
        config: &DitConfig,
        shape: &ImageShape,
        classes: usize,
        embedders: usize,
        channels_out: usize,
        seed: u64,
        device: &Device,
    ) -> Self {
        let mut stream = init_streams(seed);
        let pixels = config.patch * config.patch;
        let width = config.width;
        Self {
            patch: LinearConfig::new(pixels * shape.channels, width).with_init(Init::Xavier).init(stream(), device),
            embedders: (0..embedders).map(|_| Embedder::new(width, classes, &mut stream, device)).collect(),
            blocks: (0..config.depth).map(|_| AdaptiveBlock::new(width, &mut stream, device)).collect(),
            last_modulation: LinearConfig::new(width, 2 * width).with_init(Init::Zero).init(stream(), device),
            last: LinearConfig::new(width, pixels * channels_out).with_init(Init::Zero).init(stream(), device),
            config: config.clone(),
            shape: *shape,
            constants: Constants::default(),
        }
    }

    /// `[batch, channels, height, width]` to `[batch, tokens, channels * patch * patch]`.
    fn patches(&self, x: Tensor<4>) -> Tensor<3> {
        let [batch, channels, height, width] = x.dims();
        let p = self.config.patch;
        let (rows, columns) = (height / p, width / p);
        x.reshape([batch, channels, rows, p, columns, p])
            .permute([0, 2, 4, 1, 3, 5]) // [batch, rows, columns, channels, p, p]
            .reshape([batch, rows * columns, channels * p * p])
    }

    /// `[batch, tokens, patch * patch * channels]` back to images.
    fn images(&self, x: Tensor<3>, rows: usize, columns: usize) -> Tensor<4> {
        let [batch, _, pixels] = x.dims();
        let p = self.config.patch;
        let channels = pixels / (p * p);
        x.reshape([batch, rows, columns, p, p, channels])
            .permute([0, 5, 1, 3, 2, 4]) // [batch, channels, rows, p, columns, p]
            .reshape([batch, channels, rows * p, columns * p])
    }
}

impl Network for Dit {
    fn forward(&self, x: Tensor<4>, time: Tensor<1>, condition: &Condition) -> Tensor<4> {
        let [_, _, height, width] = x.dims();
        let (rows, columns) = (height / self.config.patch, width / self.config.patch);
        // Tokens alone do not say how many rows they stand in, so the shape does.
        let positions =
            self.constants.get([1, rows, columns, self.config.width], &x.device(), || positions(self.config.width, rows, columns));
        let tokens = self.patch.forward(self.patches(x)); // [batch, tokens, width]
        let mut tokens = tokens + positions.reshape([1, rows * columns, self.config.width]);
        let raw: Vec<Tensor<2>> = self.embedders.iter().map(|embedder| embedder.forward(time.clone(), condition)).collect();
        let conditions: Vec<Tensor<2>> = raw.into_iter().map(silu).collect(); // [batch, width]
        for (index, block) in self.blocks.iter().enumerate() {
            let condition = conditions[index.min(conditions.len() - 1)].clone();
            tokens = block.forward(tokens, condition, self.config.heads, self.config.norm_epsilon as f32, None);
        }
        let modulation = self.last_modulation.forward(conditions[0].clone()); // [batch, 2 width]
        self.images(self.last.forward(modulated_norm(tokens, modulation, 0, ADAPTIVE_EPSILON)), rows, columns)
    }
}

/// The fixed embedding of a patch's place, `[rows * columns, width]`: the first half from its column, the second from its row, each half
/// sines then cosines of `place / 10000^(i / (width / 4))`.
fn positions(width: usize, rows: usize, columns: usize) -> Vec<f32> {
    let quarter = width / 4;
    let mut values = Vec::with_capacity(rows * columns * width);
    for row in 0..rows {
        for column in 0..columns {
            for place in [column as f64, row as f64] {
                let angle = |i: usize| place / 10_000f64.powf(i as f64 / quarter as f64);
                values.extend((0..quarter).map(|i| angle(i).sin() as f32));
                values.extend((0..quarter).map(|i| angle(i).cos() as f32));
            }
        }
    }
    values
}

#[cfg(test)]
mod tests {
    use burn::tensor::Int;

    use super::*;

    const SHAPE: ImageShape = ImageShape { channels: 2, height: 4, width: 6 };

    fn tiny(device: &Device) -> Dit {
        Dit::new(&DitConfig { patch: 2, width: 8, depth: 2, heads: 2, ..DitConfig::default() }, &SHAPE, 3, 1, device)
    }

    #[test]
    fn patches_and_images_are_inverse_up_to_their_orders() {
        let device = Device::flex();
        let x = Tensor::<1, Int>::arange(0..48, &device).float().reshape([1, 2, 4, 6]);
        let patches = tiny(&device).patches(x.clone()); // [1, 6, 8]: channel, row, column
        let turned = patches.clone().reshape([1, 6, 2, 2, 2]).permute([0, 1, 3, 4, 2]).reshape([1, 6, 8]);
        assert_eq!(patches.slice([0..1, 0..1]).into_data().try_into_vec::<f32>().expect("f32"), [0., 1., 6., 7., 24., 25., 30., 31.]);
        assert_eq!(tiny(&device).images(turned, 2, 3).into_data(), x.into_data());
    }

    #[test]
    fn a_fresh_network_says_nothing_and_learns_from_its_first_step() {
        let device = Device::flex().autodiff();
        let net = tiny(&device);
        let x = Tensor::<4>::ones([3, 2, 4, 6], &device);
        let time = Tensor::<1>::from_floats([0.0, 10.0, 999.0], &device);
        let condition = Condition { class: Some(Tensor::from_ints([0, 2, 3], &device)), ..Condition::default() };
        let out = net.forward(x, time, &condition);
        assert_eq!(out.dims(), [3, 2, 4, 6]);
        assert!(out.clone().inner().abs().max().into_scalar::<f32>() == 0.0, "gates and last layer begin at zero");
        let gradients = (out - 1.0).square().mean().backward();
        let last = net.last.weight.val().grad(&gradients).expect("a gradient");
        assert!(last.abs().max().into_scalar::<f32>() > 0.0);
    }

    #[test]
    fn sizes_are_checked() {
        let said = |config: DitConfig| config.check(&SHAPE).expect_err("refused").to_string();
        assert!(said(DitConfig { patch: 4, ..DitConfig::default() }).contains("patch = 4"));
        assert!(said(DitConfig { width: 30, ..DitConfig::default() }).contains("width = 30"));
        assert!(DitConfig::small(2).check(&SHAPE).is_ok() && DitConfig::base(2).check(&SHAPE).is_ok());
    }
}
