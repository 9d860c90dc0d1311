//! The settings of a UNet, under the names that diffusers' `config.json` gives them.

use semblant_core::{Error, Result};
use serde::{Deserialize, Serialize};

use semblant_core::config::check_range;
use semblant_images::ImageShape;

use crate::networks::MOST_WIDTH;

/// The most levels: the coarsest of the largest images would have one pixel.
const MOST_LEVELS: usize = 16;

/// The most residual blocks of a level.
const MOST_LAYERS: usize = 64;

/// One level on the way down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub enum DownBlockType {
    /// Residual blocks.
    DownBlock2D,
    /// Residual blocks, each followed by self-attention.
    AttnDownBlock2D,
}

/// One level on the way up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub enum UpBlockType {
    /// Residual blocks.
    UpBlock2D,
    /// Residual blocks, each followed by self-attention.
    AttnUpBlock2D,
}

/// The block between the encoder and the decoder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub enum MidBlockType {
    /// A residual block, self-attention, a residual block.
    UNetMidBlock2D,
}

/// How the time step is embedded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum TimeEmbeddingType {
    /// Sines and cosines of the time.
    Positional,
    /// The time is a noise level: sines and cosines of its logarithm at random frequencies, and the output is divided by it.
    Fourier,
}

/// How levels with attention change the resolution; levels without use a convolution always.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ResampleType {
    /// A convolution of stride 2 down; the nearest pixel and a convolution up.
    Conv,
    /// A residual block that averages or repeats pixels on both of its branches.
    Resnet,
}

/// How the embedded time enters a residual block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TimeScaleShift {
    /// Added before the second normalisation.
    Default,
    /// As scale and shift after the second normalisation.
    ScaleShift,
}

/// The settings of a [`UNet2D`](super::UNet2D). The defaults suit images of 28 to 64 pixels a side.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct UnetConfig {
    /// Channels of each level, the finest first; each level has half the resolution of the one before.
    pub block_out_channels: Vec<usize>,
    /// Residual blocks of a level on the way down; the way up has one more.
    pub layers_per_block: usize,
    /// The levels on the way down, the finest first.
    pub down_block_types: Vec<DownBlockType>,
    /// The block in the middle, if any.
    pub mid_block_type: Option<MidBlockType>,
    /// The levels on the way up, the coarsest first.
    pub up_block_types: Vec<UpBlockType>,
    /// Whether the middle has attention.
    pub add_attention: bool,
    /// How the time step is embedded.
    pub time_embedding_type: TimeEmbeddingType,
    /// Width of the embedded time; four times the first level's channels if not given.
    pub time_embedding_dim: Option<usize>,
    /// Taken from the number of frequencies in the exponent of the sinusoid: 0, or 1 as in Ho et al. 2020.
    pub freq_shift: usize,
    /// Whether cosines come before sines.
    pub flip_sin_to_cos: bool,
    /// Zeros around an image before a convolution of stride 2: 1 on every side, or 0 for one on the right and at the bottom.
    pub downsample_padding: usize,
    /// How levels with attention halve the resolution.
    pub downsample_type: ResampleType,
    /// How levels with attention double the resolution.
    pub upsample_type: ResampleType,
    /// Channels of an attention head; one head of all channels if not given.
    pub attention_head_dim: Option<usize>,
    /// Groups of every group normalisation.
    pub norm_num_groups: usize,
    /// Groups before the middle attention. If not given: `norm_num_groups`, or no normalisation there with `scale_shift`.
    pub attn_norm_num_groups: Option<usize>,
    /// Added to the variance in every normalisation.
    pub norm_eps: f64,
    /// How the embedded time enters a residual block.
    pub resnet_time_scale_shift: TimeScaleShift,
    /// What the outputs of the middle's blocks are divided by.
    pub mid_block_scale_factor: f64,
    /// Whether images from 0 to 1 are first brought to -1 to 1.
    pub center_input_sample: bool,
    /// Kept for exchange; this library trains and samples without dropout.
    pub dropout: f64,
}

impl Default for UnetConfig {
    fn default() -> Self {
        use {DownBlockType::*, UpBlockType::*};
        Self {
            block_out_channels: vec![32, 64, 64],
            layers_per_block: 1,
            down_block_types: vec![DownBlock2D, DownBlock2D, AttnDownBlock2D],
            mid_block_type: Some(MidBlockType::UNetMidBlock2D),
            up_block_types: vec![AttnUpBlock2D, UpBlock2D, UpBlock2D],
            add_attention: true,
            time_embedding_type: TimeEmbeddingType::Positional,
            time_embedding_dim: None,
            freq_shift: 0,
            flip_sin_to_cos: true,
            downsample_padding: 1,
            downsample_type: ResampleType::Conv,
            upsample_type: ResampleType::Conv,
            attention_head_dim: None,
            norm_num_groups: 8,
            attn_norm_num_groups: None,
            norm_eps: 1e-5,
            resnet_time_scale_shift: TimeScaleShift::Default,
            mid_block_scale_factor: 1.0,
            center_input_sample: false,
            dropout: 0.0,
        }
    }
}

impl UnetConfig {
    /// The network of "Denoising diffusion probabilistic models" (Ho et al. 2020) for 32 x 32 images: google/ddpm-cifar10-32.
    pub fn ddpm_cifar10() -> Self {
        use {DownBlockType::*, UpBlockType::*};
        Self {
            block_out_channels: vec![128, 256, 256, 256],
            layers_per_block: 2,
            down_block_types: vec![DownBlock2D, AttnDownBlock2D, DownBlock2D, DownBlock2D],
            up_block_types: vec![UpBlock2D, UpBlock2D, AttnUpBlock2D, UpBlock2D],
            freq_shift: 1,
            flip_sin_to_cos: false,
            downsample_padding: 0,
            norm_num_groups: 32,
            norm_eps: 1e-6,
            ..Self::default()
        }
    }

    /// Checks the settings against each other and against the images.
    ///
    /// # Errors
    /// Names the field, its value and what is allowed.
    pub fn check(&self, shape: &ImageShape) -> Result<()> {
        let refuse = |what: String| Err(Error::Config(format!("{what} of a UNet")));
        let levels = self.block_out_channels.len();
        check_range("layers_per_block", self.layers_per_block, 1, MOST_LAYERS)?;
        check_range("block_out_channels: the number of levels", levels, 1, MOST_LEVELS)?;
        self.block_out_channels.iter().try_for_each(|&channels| check_range("block_out_channels", channels, 1, MOST_WIDTH))?;
        check_range("time_embedding_dim", self.time_embedding_dim.unwrap_or(1), 1, 4 * MOST_WIDTH)?;
        for (name, found) in [("down_block_types", self.down_block_types.len()), ("up_block_types", self.up_block_types.len())] {
            if found != levels {
                return refuse(format!("{name} has {found} levels, block_out_channels {levels}; the numbers must be equal: no level"));
            }
        }
        let groups = self.norm_num_groups;
        for &channels in &self.block_out_channels {
            if groups == 0 || !channels.is_multiple_of(groups) {
                return refuse(format!("norm_num_groups = {groups} must divide every entry of block_out_channels, but not {channels}"));
            }
            let head = self.attention_head_dim.unwrap_or(channels);
            if self.attends(channels) && (head == 0 || !channels.is_multiple_of(head)) {
                return refuse(format!("attention_head_dim = {head} must divide the {channels} channels of a level with attention"));
            }
        }
        self.check_numbers()?;
        let most = 1usize << (levels - 1).min(31);
        if !shape.height.is_multiple_of(most) || !shape.width.is_multiple_of(most) {
            return Err(Error::Config(format!(
                "block_out_channels has {levels} levels, so the sides of images must be multiples of {most}, not {} x {}; give fewer \
                 levels, or resize the images",
                shape.height, shape.width
            )));
        }
        Ok(())
    }

    fn check_numbers(&self) -> Result<()> {
        let refuse = |what: String| Err(Error::Config(what));
        let last = *self.block_out_channels.last().expect("checked before");
        if let Some(groups) = self.attn_norm_num_groups
            && (groups == 0 || !last.is_multiple_of(groups))
        {
            return refuse(format!("attn_norm_num_groups = {groups} of a UNet must divide the {last} channels of its last level"));
        }
        if self.freq_shift > 1 || self.block_out_channels[0] / 2 <= self.freq_shift {
            return refuse(format!("freq_shift = {} of a UNet must be 0 or 1, and 1 needs 4 channels in the first level", self.freq_shift));
        }
        if self.downsample_padding > 1 {
            return refuse(format!("downsample_padding = {} of a UNet must be 0 or 1", self.downsample_padding));
        }
        let within = |name: &str, value: f64, low: f64, high: f64| {
            if (low..=high).contains(&value) {
                return Ok(());
            }
            refuse(format!("{name} = {value} of a UNet is out of range; choose a number from {low} to {high}"))
        };
        within("norm_eps", self.norm_eps, 1e-12, 1.0)?;
        within("mid_block_scale_factor", self.mid_block_scale_factor, 1e-3, 1e3)?;
        within("dropout", self.dropout, 0.0, 0.999)
    }

    /// Whether a level with this many channels, or the middle, has attention.
    fn attends(&self, channels: usize) -> bool {
        let levels = self.block_out_channels.iter();
        let down = levels.clone().zip(&self.down_block_types).any(|(&c, &kind)| c == channels && kind == DownBlockType::AttnDownBlock2D);
        let up = levels.rev().zip(&self.up_block_types).any(|(&c, &kind)| c == channels && kind == UpBlockType::AttnUpBlock2D);
        let middle = self.mid_block_type.is_some() && self.add_attention && self.block_out_channels.last() == Some(&channels);
        down || up || middle
    }

    /// Width of the embedded time.
    pub(crate) fn time_width(&self) -> usize {
        self.time_embedding_dim.unwrap_or(4 * self.block_out_channels[0])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHAPE: ImageShape = ImageShape { channels: 3, height: 32, width: 32 };

    #[test]
    fn settings_are_checked() {
        let said = |config: UnetConfig| config.check(&SHAPE).expect_err("refused").to_string();
        assert!(said(UnetConfig { norm_num_groups: 5, ..UnetConfig::default() }).contains("norm_num_groups = 5"));
        assert!(said(UnetConfig { attention_head_dim: Some(48), ..UnetConfig::default() }).contains("attention_head_dim = 48"));
        assert!(said(UnetConfig { up_block_types: vec![], ..UnetConfig::default() }).contains("up_block_types has 0"));
        assert!(said(UnetConfig { downsample_padding: 2, ..UnetConfig::default() }).contains("downsample_padding = 2"));
        let small = ImageShape { height: 30, ..SHAPE };
        assert!(UnetConfig::default().check(&small).expect_err("refused").to_string().contains("multiples of 4, not 30 x 32"));
        assert!(UnetConfig::default().check(&SHAPE).is_ok() && UnetConfig::ddpm_cifar10().check(&SHAPE).is_ok());
    }

    #[test]
    fn keys_are_those_of_diffusers() {
        let text = r#"{"down_block_types": ["AttnDownBlock2D"], "time_embedding_type": "fourier", "resnet_time_scale_shift": "scale_shift",
            "upsample_type": "resnet", "mid_block_type": null, "mid_block_scale_factor": 1}"#;
        let config: UnetConfig = serde_json::from_str(text).expect("understood");
        assert_eq!(config.down_block_types, [DownBlockType::AttnDownBlock2D]);
        assert_eq!((config.time_embedding_type, config.upsample_type), (TimeEmbeddingType::Fourier, ResampleType::Resnet));
        assert_eq!((config.resnet_time_scale_shift, config.mid_block_type), (TimeScaleShift::ScaleShift, None));
        assert!(serde_json::from_str::<UnetConfig>(r#"{"layers": 2}"#).is_err());
    }
}
