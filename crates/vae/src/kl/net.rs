//! The network of diffusers' `AutoencoderKL` (Rombach et al. 2022, "High-resolution image synthesis with latent diffusion models").

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use semblant_core::nn::{Conv, GroupNorm, Init, init_streams};
use semblant_core::{Error, Result};
use semblant_images::ImageShape;
use serde::{Deserialize, Serialize};

use super::blocks::{DownBlock, MidBlock, UpBlock, conv, norm};
use super::tiles;
use crate::networks::Maker;
use semblant_core::config::check_range;

/// The size of the network, under diffusers' names.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct KlConfig {
    /// Channels of each level; the side is halved between levels.
    pub block_out_channels: Vec<usize>,
    /// Residual blocks of a level on the way down; one more on the way up.
    pub layers_per_block: usize,
    /// Channels of a latent image.
    pub latent_channels: usize,
    /// Groups of every normalisation.
    pub norm_num_groups: usize,
    /// Whether there is attention in the middle.
    pub mid_block_add_attention: bool,
    /// Whether a convolution of width one follows the encoder.
    pub use_quant_conv: bool,
    /// Whether one comes before the decoder.
    pub use_post_quant_conv: bool,
}

impl Default for KlConfig {
    fn default() -> Self {
        Self {
            block_out_channels: vec![32, 64],
            layers_per_block: 1,
            latent_channels: 4,
            norm_num_groups: 8,
            mid_block_add_attention: true,
            use_quant_conv: true,
            use_post_quant_conv: true,
        }
    }
}

impl KlConfig {
    /// Checks the sizes against each other and against the images.
    ///
    /// # Errors
    /// Names the field, its value and what is allowed.
    pub fn check(&self, shape: &ImageShape) -> Result<()> {
        check_range("network.block_out_channels: the number of levels", self.block_out_channels.len(), 1, 8)?;
        check_range("network.layers_per_block", self.layers_per_block, 1, 16)?;
        check_range("network.latent_channels", self.latent_channels, 1, 256)?;
        check_range("network.norm_num_groups", self.norm_num_groups, 1, 4096)?;
        for &channels in &self.block_out_channels {
            check_range("network.block_out_channels", channels, 1, 4096)?;
            if !channels.is_multiple_of(self.norm_num_groups) {
                let groups = self.norm_num_groups;
                let what =
                    format!("network.block_out_channels = {channels} cannot be divided by norm_num_groups = {groups}; choose another");
                return Err(Error::Config(what));
            }
        }
        let side = self.halvings();
        if !shape.height.is_multiple_of(side) || !shape.width.is_multiple_of(side) {
            let what = format!(
                "the model halves the side between its {} levels, but the images are {} x {}; choose levels so that each side can be \
                 divided by {side}",
                self.block_out_channels.len(),
                shape.height,
                shape.width
            );
            return Err(Error::Config(what));
        }
        Ok(())
    }

    /// A latent image's side, times this, is the image's.
    pub fn halvings(&self) -> usize {
        1 << (self.block_out_channels.len() - 1)
    }

    /// The shape of the latent image of an image.
    pub fn latent_shape(&self, shape: &ImageShape) -> ImageShape {
        let side = self.halvings();
        ImageShape { channels: self.latent_channels, height: shape.height / side, width: shape.width / side }
    }
}

/// The distribution of a latent image: normal, each number independent.
#[derive(Debug, Clone)]
pub struct Posterior {
    /// `[batch, latent channels, height, width]`.
    pub mean: Tensor<4>,
    /// Natural logarithm of the variance, of the same shape, within -30 and 20 as in diffusers.
    pub log_variance: Tensor<4>,
}

impl Posterior {
    /// `noise` of the mean's shape, scaled and shifted.
    pub fn sample(&self, noise: Tensor<4>) -> Tensor<4> {
        self.mean.clone() + (self.log_variance.clone() * 0.5).exp() * noise
    }

    /// The divergence to a standard normal distribution, of each number, in nats.
    pub fn divergence(&self) -> Tensor<4> {
        (self.mean.clone().square() + self.log_variance.clone().exp() - 1.0 - self.log_variance.clone()) * 0.5
    }
}

/// From an image to its latent image.
#[derive(Module, Debug)]
pub struct Encoder {
    conv_in: Conv,
    down_blocks: Vec<DownBlock>,
    mid_block: MidBlock,
    conv_norm_out: GroupNorm,
    conv_out: Conv,
}

/// From a latent image to its image.
#[derive(Module, Debug)]
pub struct Decoder {
    conv_in: Conv,
    mid_block: MidBlock,
    up_blocks: Vec<UpBlock>,
    conv_norm_out: GroupNorm,
    conv_out: Conv,
}

/// The whole network.
#[derive(Module, Debug)]
pub struct KlNet {
    encoder: Encoder,
    decoder: Decoder,
    quant_conv: Option<Conv>,
    post_quant_conv: Option<Conv>,
}

/// Numbers of latent pixels that go through the decoder at once, before images are decoded in tiles.
const MOST_AT_ONCE: usize = 128 * 128;

impl KlNet {
    /// A fresh network for images of this many channels.
    pub fn new(config: &KlConfig, channels: usize, seed: u64, device: &Device) -> Self {
        let mut streams = init_streams(seed);
        let mut make = Maker { stream: &mut streams, device };
        let latent = config.latent_channels;
        Self {
            encoder: Encoder::new(&mut make, config, channels),
            decoder: Decoder::new(&mut make, config, channels),
            quant_conv: config.use_quant_conv.then(|| conv(&mut make, Init::Uniform, 2 * latent, 2 * latent, 1)),
            post_quant_conv: config.use_post_quant_conv.then(|| conv(&mut make, Init::Uniform, latent, latent, 1)),
        }
    }

    /// `x [batch, channels, height, width]` in -1 to 1.
    pub fn encode(&self, x: Tensor<4>) -> Posterior {
        let moments = self.encoder.forward(x);
        let moments = self.quant_conv.as_ref().map_or_else(|| moments.clone(), |conv| conv.forward(moments.clone()));
        let [_, twice, ..] = moments.dims();
        let mean = moments.clone().narrow(1, 0, twice / 2);
        Posterior { mean, log_variance: moments.narrow(1, twice / 2, twice / 2).clamp(-30.0, 20.0) }
    }

    /// `z [batch, latent channels, height, width]`, unscaled, gives images in -1 to 1 and a little beyond. Images too large for the memory
    /// of one pass are decoded in tiles.
    pub fn decode(&self, z: Tensor<4>) -> Tensor<4> {
        let [_, _, height, width] = z.dims();
        if height * width > MOST_AT_ONCE { self.decode_tiled(z, 64) } else { self.decode_whole(z) }
    }

    fn decode_whole(&self, z: Tensor<4>) -> Tensor<4> {
        let z = self.post_quant_conv.as_ref().map_or_else(|| z.clone(), |conv| conv.forward(z.clone()));
        self.decoder.forward(z)
    }

    /// As [`KlNet::decode`], in square tiles of this side in latent pixels, a quarter of which overlaps with the next and is blended, as
    /// diffusers' `tiled_decode` does it. Memory grows with the tile, not with the image.
    ///
    /// # Panics
    /// When `tile` is below 4.
    pub fn decode_tiled(&self, z: Tensor<4>, tile: usize) -> Tensor<4> {
        tiles::decode(z, tile, self.decoder.halvings(), |z| self.decode_whole(z))
    }
}

impl Encoder {
    fn new(make: &mut Maker<'_>, config: &KlConfig, channels: usize) -> Self {
        let outs = &config.block_out_channels;
        let (first, last) = (outs[0], outs[outs.len() - 1]);
        Self {
            conv_in: conv(make, Init::Uniform, channels, first, 3),
            down_blocks: (0..outs.len())
                .map(|i| DownBlock::new(make, config, outs[i.saturating_sub(1)], outs[i], i + 1 == outs.len()))
                .collect(),
            mid_block: MidBlock::new(make, config, last),
            conv_norm_out: norm(make, config, last),
            conv_out: conv(make, Init::Uniform, last, 2 * config.latent_channels, 3),
        }
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let x = self.down_blocks.iter().fold(self.conv_in.forward(x), |x, block| block.forward(x)); // [batch, last, h, w]
        self.conv_out.forward(self.conv_norm_out.forward_silu(self.mid_block.forward(x))) // [batch, 2 latent, h, w]
    }
}

impl Decoder {
    fn new(make: &mut Maker<'_>, config: &KlConfig, channels: usize) -> Self {
        let outs: Vec<usize> = config.block_out_channels.iter().rev().copied().collect();
        let (first, last) = (outs[0], outs[outs.len() - 1]);
        Self {
            conv_in: conv(make, Init::Uniform, config.latent_channels, first, 3),
            mid_block: MidBlock::new(make, config, first),
            up_blocks: (0..outs.len())
                .map(|i| UpBlock::new(make, config, outs[i.saturating_sub(1)], outs[i], i + 1 == outs.len()))
                .collect(),
            conv_norm_out: norm(make, config, last),
            conv_out: conv(make, Init::Uniform, last, channels, 3),
        }
    }

    fn forward(&self, z: Tensor<4>) -> Tensor<4> {
        let x = self.mid_block.forward(self.conv_in.forward(z)); // [batch, first, h, w]
        let x = self.up_blocks.iter().fold(x, |x, block| block.forward(x)); // [batch, last, height, width]
        self.conv_out.forward(self.conv_norm_out.forward_silu(x))
    }

    fn halvings(&self) -> usize {
        1 << (self.up_blocks.len() - 1)
    }
}
