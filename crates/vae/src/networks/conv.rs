//! Convolutional networks: half the side in each level on the way down, twice on the way up, a residual block or more at each.

use burn::module::{Module, Param};
use burn::tensor::{Int, Tensor};
use semblant_core::nn::{self, Conv, GroupNorm, GroupNormConfig, Init, Linear, LinearConfig, silu, upsample_nearest};
use semblant_core::{Error, Result};
use semblant_images::ImageShape;
use serde::{Deserialize, Serialize};

use super::mlp::class_table;
use super::{Maker, told};
use semblant_core::config::check_range;

/// The size of the two networks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ConvConfig {
    /// Channels of each level; the side is halved once for each of them.
    pub channels: Vec<usize>,
    /// Residual blocks in each level.
    pub blocks: usize,
    /// Width of the layer between the last level and the vector.
    pub width: usize,
}

impl Default for ConvConfig {
    fn default() -> Self {
        Self { channels: vec![16, 32], blocks: 1, width: 256 }
    }
}

impl ConvConfig {
    pub(crate) fn check(&self, shape: &ImageShape) -> Result<()> {
        check_range("network.width", self.width, 1, 1 << 14)?;
        check_levels("network", &self.channels, self.blocks, shape)
    }

    fn last_channels(&self) -> usize {
        self.channels.last().copied().unwrap_or(1)
    }

    /// Height and width of the last level, and the numbers in it.
    fn grid(&self, shape: &ImageShape) -> ([usize; 2], usize) {
        let grid = grid(&self.channels, shape);
        (grid, self.last_channels() * grid[0] * grid[1])
    }
}

/// Refuses levels that cannot be, alone or with these images.
pub(crate) fn check_levels(field: &str, channels: &[usize], blocks: usize, shape: &ImageShape) -> Result<()> {
    check_range(&format!("{field}.channels: the number of levels"), channels.len(), 1, 8)?;
    channels.iter().try_for_each(|&channels| check_range(&format!("{field}.channels"), channels, 1, 4096))?;
    check_range(&format!("{field}.blocks"), blocks, 0, 64)?;
    let side = 1 << channels.len();
    if !shape.height.is_multiple_of(side) || !shape.width.is_multiple_of(side) {
        let what = format!(
            "the model halves the side in each of {} levels, but the images are {} x {}; each side must be a multiple of {side}",
            channels.len(),
            shape.height,
            shape.width
        );
        return Err(Error::Config(what));
    }
    Ok(())
}

/// Height and width of the last level.
pub(crate) fn grid(channels: &[usize], shape: &ImageShape) -> [usize; 2] {
    [shape.height >> channels.len(), shape.width >> channels.len()]
}

/// `x + conv(silu(norm(conv(silu(norm(x))))))`.
#[derive(Module, Debug)]
pub struct Block {
    norm_1: GroupNorm,
    conv_1: Conv,
    norm_2: GroupNorm,
    conv_2: Conv,
}

/// Groups of a normalisation: eight, or as many as divide the channels.
fn norm(channels: usize, make: &Maker<'_>) -> GroupNorm {
    let groups = [8, 4, 2, 1].into_iter().find(|groups| channels.is_multiple_of(*groups)).unwrap_or(1);
    GroupNormConfig::new(groups, channels).init(make.device)
}

fn conv(init: Init, inputs: usize, outputs: usize, kernel: usize, make: &mut Maker<'_>) -> Conv {
    nn::ConvConfig::new(inputs, outputs, kernel).with_init(init).init((make.stream)(), make.device)
}

impl Block {
    fn new(channels: usize, make: &mut Maker<'_>) -> Self {
        Self {
            norm_1: norm(channels, make),
            conv_1: conv(Init::Uniform, channels, channels, 3, make),
            norm_2: norm(channels, make),
            conv_2: conv(Init::Zero, channels, channels, 3, make),
        }
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let h = self.conv_1.forward(self.norm_1.forward_silu(x.clone()));
        x + self.conv_2.forward(self.norm_2.forward_silu(h))
    }
}

/// One level: a convolution that changes the channels, then blocks.
#[derive(Module, Debug)]
pub struct Level {
    change: Conv,
    blocks: Vec<Block>,
}

impl Level {
    fn new(inputs: usize, outputs: usize, blocks: usize, make: &mut Maker<'_>) -> Self {
        Self { change: conv(Init::Uniform, inputs, outputs, 3, make), blocks: (0..blocks).map(|_| Block::new(outputs, make)).collect() }
    }

    fn after(&self, x: Tensor<4>) -> Tensor<4> {
        self.blocks.iter().fold(x, |x, block| block.forward(x))
    }
}

/// From an image to a grid of vectors.
#[derive(Module, Debug)]
pub struct Down {
    levels: Vec<Level>,
    norm: GroupNorm,
    last: Conv,
}

impl Down {
    pub(crate) fn new(inputs: usize, channels: &[usize], blocks: usize, outputs: usize, make: &mut Maker<'_>) -> Self {
        let before = std::iter::once(inputs).chain(channels.iter().copied());
        let levels = before.zip(channels).map(|(inputs, &outputs)| Level::new(inputs, outputs, blocks, make)).collect();
        let top = channels.last().copied().unwrap_or(inputs);
        Self { levels, norm: norm(top, make), last: conv(Init::Uniform, top, outputs, 1, make) }
    }

    /// `x [batch, inputs, height, width]` gives `[batch, outputs, height / 2^levels, width / 2^levels]`.
    pub(crate) fn forward(&self, mut x: Tensor<4>) -> Tensor<4> {
        for level in &self.levels {
            x = level.after(level.change.forward_with(x, 2, [1; 4]));
        }
        self.last.forward(self.norm.forward_silu(x))
    }
}

/// From a grid of vectors to an image.
#[derive(Module, Debug)]
pub struct Up {
    first: Conv,
    levels: Vec<Level>,
    norm: GroupNorm,
    last: Conv,
}

impl Up {
    /// `channels` are those of the way down, the level next to the image first.
    pub(crate) fn new(inputs: usize, channels: &[usize], blocks: usize, outputs: usize, make: &mut Maker<'_>) -> Self {
        let widest = channels.last().copied().unwrap_or(inputs);
        let first = conv(Init::Uniform, inputs, widest, 1, make);
        let reversed: Vec<usize> = channels.iter().rev().copied().collect();
        let before = std::iter::once(widest).chain(reversed.iter().copied());
        let levels = before.zip(&reversed).map(|(inputs, &outputs)| Level::new(inputs, outputs, blocks, make)).collect();
        let lowest = channels.first().copied().unwrap_or(widest);
        Self { first, levels, norm: norm(lowest, make), last: conv(Init::Uniform, lowest, outputs, 3, make) }
    }

    /// `x [batch, inputs, height, width]` gives `[batch, outputs, 2^levels height, 2^levels width]`.
    pub(crate) fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let mut x = self.first.forward(x);
        for level in &self.levels {
            x = level.after(level.change.forward(upsample_nearest(x)));
        }
        self.last.forward(self.norm.forward_silu(x))
    }
}

/// From images to vectors.
#[derive(Module, Debug)]
pub struct ConvEncoder {
    down: Down,
    flat: Linear,
    /// `[classes + 1, width]`.
    classes: Param<Tensor<2>>,
    last: Linear,
    #[module(skip)]
    shape: [usize; 3],
}

impl ConvEncoder {
    pub(crate) fn new(config: &ConvConfig, shape: &ImageShape, outputs: usize, classes: usize, make: &mut Maker<'_>) -> Self {
        let (_, flat) = config.grid(shape);
        Self {
            down: Down::new(shape.channels, &config.channels, config.blocks, config.last_channels(), make),
            flat: LinearConfig::new(flat, config.width).with_init(Init::Xavier).init((make.stream)(), make.device),
            classes: class_table(classes, config.width, make),
            last: LinearConfig::new(config.width, outputs).with_init(Init::Xavier).init((make.stream)(), make.device),
            shape: [shape.channels, shape.height, shape.width],
        }
    }

    pub(crate) fn forward(&self, x: Tensor<2>, classes: Option<Tensor<1, Int>>) -> Tensor<2> {
        let ([batch, _], [channels, height, width]) = (x.dims(), self.shape);
        let grid = self.down.forward(x.reshape([batch, channels, height, width])); // [batch, top channels, h, w]
        let flat = silu(grid).reshape([batch as i32, -1]);
        self.last.forward(silu(told(self.flat.forward(flat), self.classes.val(), classes)))
    }
}

/// From vectors to images.
#[derive(Module, Debug)]
pub struct ConvDecoder {
    first: Linear,
    /// `[classes + 1, width]`.
    classes: Param<Tensor<2>>,
    flat: Linear,
    up: Up,
    /// Channels, height and width of the grid.
    #[module(skip)]
    grid: [usize; 3],
}

impl ConvDecoder {
    pub(crate) fn new(config: &ConvConfig, shape: &ImageShape, latent: usize, classes: usize, make: &mut Maker<'_>) -> Self {
        let ([height, width], flat) = config.grid(shape);
        let top = config.last_channels();
        Self {
            first: LinearConfig::new(latent, config.width).with_init(Init::Xavier).init((make.stream)(), make.device),
            classes: class_table(classes, config.width, make),
            flat: LinearConfig::new(config.width, flat).with_init(Init::Xavier).init((make.stream)(), make.device),
            up: Up::new(top, &config.channels, config.blocks, shape.channels, make),
            grid: [top, height, width],
        }
    }

    pub(crate) fn forward(&self, z: Tensor<2>, classes: Option<Tensor<1, Int>>) -> Tensor<2> {
        let ([rows, _], [channels, height, width]) = (z.dims(), self.grid);
        let hidden = silu(told(self.first.forward(z), self.classes.val(), classes)); // [rows, width]
        let grid = silu(self.flat.forward(hidden)).reshape([rows, channels, height, width]);
        self.up.forward(grid).reshape([rows as i32, -1])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::networks::NetConfig;
    use burn::tensor::Device;

    #[test]
    fn sides_of_any_number_that_can_be_halved() {
        let device = Device::flex().autodiff();
        let shape = ImageShape { channels: 3, height: 12, width: 4 };
        let config = ConvConfig { channels: vec![4, 6], blocks: 1, width: 8 };
        let net = NetConfig::Conv(config.clone());
        net.check(&shape).expect("fits");
        let (encoder, decoder) = net.build(&shape, [10, 5], 2, 1, &device);
        let classes = Tensor::<1, Int>::from_ints([0, 2, 1], &device);
        let code = encoder.forward(Tensor::ones([3, 144], &device), Some(classes.clone()));
        assert_eq!(code.dims(), [3, 10]);
        assert_eq!(decoder.forward(code.narrow(1, 0, 5), Some(classes)).dims(), [3, 144]);
        let odd = config.check(&ImageShape { height: 6, ..shape }).expect_err("cannot be halved twice").to_string();
        assert!(odd.contains("of 2 levels") && odd.contains("6 x 4"), "{odd}");
        assert!(ConvConfig { channels: vec![0], ..config }.check(&shape).is_err());
    }
}
