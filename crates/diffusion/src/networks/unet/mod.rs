//! The UNet of "Denoising diffusion probabilistic models", Ho et al. 2020, in the form of diffusers' `UNet2DModel`: residual blocks told the
//! time on the way down and up again, with the outputs of the way down concatenated to the inputs of the way up (skip connections).
//!
//! Settings, layers, arithmetic and names are those of diffusers, so weights go both ways; see [`names`].

mod blocks;
mod config;
pub mod names;

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};
use semblant_core::nn::{Constants, Conv, GroupNorm, Init, Linear, drawn, filled, init_streams, silu, sinusoid};
use semblant_data::image::augment::LABELS;

pub use blocks::{Attention, DownBlock, MidBlock, Resample, Resnet, Sampler, UpBlock};
pub use config::{DownBlockType, MidBlockType, ResampleType, TimeEmbeddingType, TimeScaleShift, UnetConfig, UpBlockType};

use self::blocks::Maker;
use super::{Condition, Network};
use semblant_images::ImageShape;

/// The random frequencies of [`TimeEmbeddingType::Fourier`], which are not trained.
#[derive(Module, Debug)]
pub struct TimeProjection {
    /// `[channels of the first level]`.
    pub(crate) weight: Param<Tensor<1>>,
}

/// Two layers from the sinusoid of the time to its embedding.
#[derive(Module, Debug)]
pub struct TimeEmbedding {
    pub(crate) linear_1: Linear,
    pub(crate) linear_2: Linear,
}

/// A vector for every class.
#[derive(Module, Debug)]
pub struct ClassEmbedding {
    /// `[classes + 1, time width]`; the last row is for no class.
    pub(crate) weight: Param<Tensor<2>>,
}

/// The whole network.
#[derive(Module, Debug)]
pub struct UNet2D {
    pub(crate) conv_in: Conv,
    pub(crate) time_proj: Option<TimeProjection>,
    pub(crate) time_embedding: TimeEmbedding,
    pub(crate) class_embedding: Option<ClassEmbedding>,
    /// The embedding of augmentation labels, if there are any; without a bias, so that no augmentation adds zero.
    pub(crate) augmentation: Option<Linear>,
    pub(crate) down_blocks: Vec<DownBlock>,
    pub(crate) mid_block: Option<MidBlock>,
    pub(crate) up_blocks: Vec<UpBlock>,
    pub(crate) conv_norm_out: GroupNorm,
    pub(crate) conv_out: Conv,
    #[module(skip)]
    pub(crate) config: UnetConfig,
    #[module(skip)]
    pub(crate) shape: ImageShape,
    #[module(skip)]
    constants: Constants,
}

impl UNet2D {
    /// A fresh network on `device` for images of `shape`; `classes` 0 means that there are none. The settings must have passed
    /// [`UnetConfig::check`].
    pub fn new(config: &UnetConfig, shape: &ImageShape, classes: usize, seed: u64, device: &Device) -> Self {
        Self::with_channels_out(config, shape, classes, shape.channels, seed, device)
    }

    /// As [`UNet2D::new`], with another number of output channels.
    pub fn with_channels_out(
        config: &UnetConfig,
        shape: &ImageShape,
        classes: usize,
        channels_out: usize,
        seed: u64,
        device: &Device,
    ) -> Self {
        let mut stream = init_streams(seed);
        let mut make = Maker { config, stream: &mut stream, device };
        let channels = &config.block_out_channels;
        let (first, coarsest, levels) = (channels[0], channels[channels.len() - 1], channels.len());
        let time = config.time_width();
        let fourier = config.time_embedding_type == TimeEmbeddingType::Fourier;
        let conv_in = make.conv(Init::Uniform, shape.channels, first, 3);
        let time_proj =
            fourier.then(|| TimeProjection { weight: drawn(Init::Normal(16.0), (0, 0), [first], ((make.stream)(), 0), device) });
        let time_embedding = TimeEmbedding {
            linear_1: make.linear(Init::Uniform, if fourier { 2 * first } else { first }, time),
            linear_2: make.linear(Init::Uniform, time, time),
        };
        let class_embedding = (classes > 0)
            .then(|| ClassEmbedding { weight: drawn(Init::Normal(1.0), (0, 0), [classes + 1, time], ((make.stream)(), 0), device) });
        let down_blocks = (0..levels).map(|i| {
            let attends = config.down_block_types[i] == DownBlockType::AttnDownBlock2D;
            DownBlock::new(&mut make, channels[i.saturating_sub(1)], channels[i], attends, i + 1 == levels)
        });
        let down_blocks = down_blocks.collect();
        let mid_block = config.mid_block_type.map(|_| MidBlock::new(&mut make, coarsest));
        let upwards = |i: usize| channels[levels - 1 - i];
        let up_blocks = (0..levels).map(|i| {
            let attends = config.up_block_types[i] == UpBlockType::AttnUpBlock2D;
            let (before, skip) = (upwards(i.saturating_sub(1)), upwards((i + 1).min(levels - 1)));
            UpBlock::new(&mut make, before, skip, upwards(i), attends, i + 1 == levels)
        });
        let up_blocks = up_blocks.collect();
        Self {
            conv_in,
            time_proj,
            time_embedding,
            class_embedding,
            augmentation: None,
            down_blocks,
            mid_block,
            up_blocks,
            conv_norm_out: make.norm(first, config.norm_num_groups),
            conv_out: make.conv(Init::Zero, first, channels_out, 3),
            config: config.clone(),
            constants: Constants::default(),
            shape: *shape,
        }
    }

    /// This network with an input for augmentation labels. The new weights are zero.
    pub fn with_augmentation(mut self) -> Self {
        let weight = filled([LABELS, self.config.time_width()], &self.conv_in.weight.lazy_device(), 0.0);
        self.augmentation = Some(Linear { weight, bias: None });
        self
    }

    /// The settings that it was made with.
    pub fn config(&self) -> &UnetConfig {
        &self.config
    }

    /// How many classes it knows; the row after the last one means none.
    pub fn classes(&self) -> usize {
        self.class_embedding.as_ref().map_or(0, |table| table.weight.lazy_shape()[0] - 1)
    }

    /// The shape of its images.
    pub fn shape(&self) -> &ImageShape {
        &self.shape
    }

    /// `time [batch]` and a condition give `[batch, time width]`, after the SiLU that every block would apply.
    fn embed(&self, time: Tensor<1>, condition: &Condition) -> Tensor<2> {
        let config = &self.config;
        let waves = match &self.time_proj {
            None => sinusoid(time, config.block_out_channels[0], config.flip_sin_to_cos, config.freq_shift as f64, &self.constants), // [batch, first]
            Some(projection) => {
                let frequencies = projection.weight.val().detach().unsqueeze::<2>();
                // In the order of diffusers: at a hundred turns the order of rounding shows in the fifth digit.
                let angles = time.log().unsqueeze_dim::<2>(1) * frequencies * 2.0 * std::f64::consts::PI;
                Tensor::cat(vec![angles.clone().sin(), angles.cos()], 1) // [batch, 2 * first]
            }
        };
        let TimeEmbedding { linear_1, linear_2 } = &self.time_embedding;
        let mut embedded = linear_2.forward(silu(linear_1.forward(waves))); // [batch, time width]
        if let Some(ClassEmbedding { weight }) = &self.class_embedding {
            let ([rows, _], [batch, _]) = (weight.val().dims(), embedded.dims());
            let class = condition.class.clone().unwrap_or_else(|| Tensor::full([batch], rows as i64 - 1, &embedded.device()));
            embedded = embedded + weight.val().select(0, class);
        }
        if let (Some(layer), Some(labels)) = (&self.augmentation, &condition.augmentation) {
            embedded = embedded + layer.forward(labels.clone());
        }
        silu(embedded)
    }
}

impl Network for UNet2D {
    fn forward(&self, x: Tensor<4>, time: Tensor<1>, condition: &Condition) -> Tensor<4> {
        let x = if self.config.center_input_sample { x * 2.0 - 1.0 } else { x };
        let embedded = self.embed(time.clone(), condition);
        let mut x = self.conv_in.forward(x); // [batch, first, height, width]
        let mut skips = vec![x.clone()];
        for block in &self.down_blocks {
            x = block.forward(x, &embedded, &mut skips);
        }
        if let Some(block) = &self.mid_block {
            x = block.forward(x, &embedded);
        }
        for block in &self.up_blocks {
            x = block.forward(x, &embedded, &mut skips);
        }
        let out = self.conv_out.forward(self.conv_norm_out.forward_silu(x)); // [batch, channels, height, width]
        match self.config.time_embedding_type {
            TimeEmbeddingType::Positional => out,
            TimeEmbeddingType::Fourier => {
                let [batch] = time.dims();
                out / time.reshape([batch, 1, 1, 1])
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fresh_network_says_nothing_and_learns_from_its_first_step() {
        let device = Device::flex().autodiff();
        let shape = ImageShape { channels: 2, height: 4, width: 8 };
        let config = UnetConfig { block_out_channels: vec![4, 8, 8], norm_num_groups: 2, ..UnetConfig::default() };
        let net = UNet2D::new(&config, &shape, 3, 1, &device).with_augmentation();
        let condition =
            Condition { class: Some(Tensor::from_ints([0, 2, 3], &device)), augmentation: Some(Tensor::ones([3, LABELS], &device)) };
        let out = net.forward(Tensor::ones([3, 2, 4, 8], &device), Tensor::from_floats([0.0, 10.0, 999.0], &device), &condition);
        assert_eq!(out.dims(), [3, 2, 4, 8]);
        assert!(out.clone().inner().abs().max().into_scalar::<f32>() == 0.0, "the last layer begins at zero");
        let gradients = (out - 1.0).square().mean().backward();
        let last = net.conv_out.weight.val().grad(&gradients).expect("a gradient");
        assert!(last.abs().max().into_scalar::<f32>() > 0.0);
    }
}
