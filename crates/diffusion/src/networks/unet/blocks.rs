//! What a UNet is put together from. Fields have the names of diffusers' tensors.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use semblant_core::nn::{
    Conv, ConvConfig, GroupNorm, GroupNormConfig, Init, Linear, LinearConfig, attention, average_pool, conv2d_biased, linear_of,
    upsample_nearest,
};
use semblant_core::seeds::Stream;

use super::config::{ResampleType, TimeScaleShift, UnetConfig};

/// What new layers need: the settings, a fresh random stream for each, and the device.
pub(crate) struct Maker<'a> {
    pub(crate) config: &'a UnetConfig,
    pub(crate) stream: &'a mut dyn FnMut() -> Stream,
    pub(crate) device: &'a Device,
}

impl Maker<'_> {
    pub(crate) fn conv(&mut self, init: Init, inputs: usize, outputs: usize, kernel: usize) -> Conv {
        ConvConfig::new(inputs, outputs, kernel).with_init(init).init((self.stream)(), self.device)
    }

    pub(crate) fn linear(&mut self, init: Init, inputs: usize, outputs: usize) -> Linear {
        LinearConfig::new(inputs, outputs).with_init(init).init((self.stream)(), self.device)
    }

    pub(crate) fn norm(&self, channels: usize, groups: usize) -> GroupNorm {
        GroupNormConfig::new(groups, channels).with_epsilon(self.config.norm_eps as f32).init(self.device)
    }
}

/// A change of resolution inside a residual block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    /// None.
    Same,
    /// Half the side, by the mean of four pixels.
    Half,
    /// Twice the side, by the nearest pixel.
    Twice,
}

impl Side {
    fn of(self, x: Tensor<4>) -> Tensor<4> {
        match self {
            Self::Same => x,
            Self::Half => average_pool(x),
            Self::Twice => upsample_nearest(x),
        }
    }
}

/// A residual block of two convolutions, conditioned on the time.
#[derive(Module, Debug)]
pub struct Resnet {
    pub(crate) norm1: GroupNorm,
    pub(crate) conv1: Conv,
    pub(crate) time_emb_proj: Linear,
    pub(crate) norm2: GroupNorm,
    pub(crate) conv2: Conv,
    /// Where input and output have different channels.
    pub(crate) conv_shortcut: Option<Conv>,
    #[module(skip)]
    time_scale_shift: TimeScaleShift,
    #[module(skip)]
    side: Side,
    #[module(skip)]
    scale_factor: f64,
}

impl Resnet {
    pub(crate) fn new(make: &mut Maker<'_>, inputs: usize, outputs: usize, side: Side, scale_factor: f64) -> Self {
        let time_scale_shift = make.config.resnet_time_scale_shift;
        let (groups, time) = (make.config.norm_num_groups, make.config.time_width());
        Self {
            norm1: make.norm(inputs, groups),
            conv1: make.conv(Init::Uniform, inputs, outputs, 3),
            time_emb_proj: make.linear(
                Init::Uniform,
                time,
                if time_scale_shift == TimeScaleShift::Default { outputs } else { 2 * outputs },
            ),
            norm2: make.norm(outputs, groups),
            conv2: make.conv(Init::Zero, outputs, outputs, 3),
            conv_shortcut: (inputs != outputs).then(|| make.conv(Init::Uniform, inputs, outputs, 1)),
            time_scale_shift,
            side,
            scale_factor,
        }
    }

    /// `x [batch, inputs, height, width]`, `time [batch, time width]` after its SiLU.
    pub(crate) fn forward(&self, x: Tensor<4>, time: &Tensor<2>) -> Tensor<4> {
        let h = self.side.of(self.norm1.forward_silu(x.clone())); // [batch, inputs, height', width']
        let time = self.time_emb_proj.forward(time.clone()); // [batch, outputs or 2 * outputs]
        let h = match self.time_scale_shift {
            TimeScaleShift::Default => {
                // The time is the same at every pixel, so it rides on the bias.
                let bias = time + self.conv1.bias.val().unsqueeze::<2>(); // [batch, outputs]
                self.norm2.forward_silu(conv2d_biased(h, self.conv1.weight.val(), bias, 1, [1; 4]))
            }
            TimeScaleShift::ScaleShift => {
                let mut parts = time.chunk(2, 1).into_iter();
                let mut next = || parts.next().expect("two parts");
                let (scale, shift) = (next(), next());
                self.norm2.forward_modulated_silu(self.conv1.forward(h), scale, shift)
            }
        }; // [batch, outputs, height', width']
        let h = self.conv2.forward(h);
        let x = self.side.of(x);
        let x = self.conv_shortcut.as_ref().map_or_else(|| x.clone(), |conv| conv.forward(x.clone()));
        divided(x + h, self.scale_factor)
    }
}

fn divided(x: Tensor<4>, by: f64) -> Tensor<4> {
    if by == 1.0 { x } else { x / by }
}

/// Self-attention over the pixels.
#[derive(Module, Debug)]
pub struct Attention {
    pub(crate) group_norm: Option<GroupNorm>,
    pub(crate) to_q: Linear,
    pub(crate) to_k: Linear,
    pub(crate) to_v: Linear,
    /// One layer; diffusers has a list of it and a dropout.
    pub(crate) to_out: Vec<Linear>,
    #[module(skip)]
    heads: usize,
    #[module(skip)]
    scale_factor: f64,
}

impl Attention {
    pub(crate) fn new(make: &mut Maker<'_>, channels: usize, groups: Option<usize>, scale_factor: f64) -> Self {
        Self {
            group_norm: groups.map(|groups| make.norm(channels, groups)),
            to_q: make.linear(Init::Uniform, channels, channels),
            to_k: make.linear(Init::Uniform, channels, channels),
            to_v: make.linear(Init::Uniform, channels, channels),
            to_out: vec![make.linear(Init::Zero, channels, channels)],
            heads: channels / make.config.attention_head_dim.unwrap_or(channels),
            scale_factor,
        }
    }

    /// `x [batch, channels, height, width]`.
    pub(crate) fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let shape = x.dims();
        let [batch, channels, height, width] = shape;
        let h = self.group_norm.as_ref().map_or_else(|| x.clone(), |norm| norm.forward(x.clone()));
        let tokens = h.reshape([batch, channels, height * width]).swap_dims(1, 2); // [batch, tokens, channels]
        let layers = [&self.to_q, &self.to_k, &self.to_v];
        let weight = Tensor::cat(layers.iter().map(|layer| layer.weight.val()).collect(), 1); // [channels, 3 * channels]
        let bias = Tensor::cat(layers.iter().map(|layer| layer.bias.as_ref().expect("made with biases").val()).collect(), 0);
        let mixed = attention(linear_of(tokens, weight, Some(bias)), self.heads); // [batch, tokens, channels]
        let mixed = self.to_out[0].forward(mixed).swap_dims(1, 2).reshape(shape);
        divided(x + mixed, self.scale_factor)
    }
}

/// A convolution with a change of resolution.
#[derive(Module, Debug)]
pub struct Resample {
    pub(crate) conv: Conv,
}

/// What halves or doubles the resolution at the end of a level.
// There is one a level, and burn's modules cannot be boxed.
#[allow(clippy::large_enum_variant)]
#[derive(Module, Debug)]
pub enum Sampler {
    /// See [`ResampleType::Conv`].
    Conv(Resample),
    /// See [`ResampleType::Resnet`].
    Resnet(Resnet),
}

impl Sampler {
    fn new(make: &mut Maker<'_>, kind: ResampleType, channels: usize, side: Side) -> Self {
        match kind {
            ResampleType::Conv => Self::Conv(Resample { conv: make.conv(Init::Uniform, channels, channels, 3) }),
            ResampleType::Resnet => Self::Resnet(Resnet::new(make, channels, channels, side, 1.0)),
        }
    }
}

/// One level on the way down.
#[derive(Module, Debug)]
pub struct DownBlock {
    pub(crate) resnets: Vec<Resnet>,
    /// One a residual block, or none.
    pub(crate) attentions: Vec<Attention>,
    /// One, or none in the last level.
    pub(crate) downsamplers: Vec<Sampler>,
    /// Zeros on top, at the bottom, left and right before the convolution that halves the side.
    #[module(skip)]
    padding: [usize; 4],
}

impl DownBlock {
    pub(crate) fn new(make: &mut Maker<'_>, inputs: usize, outputs: usize, attends: bool, last: bool) -> Self {
        let layers = make.config.layers_per_block;
        let groups = Some(make.config.norm_num_groups);
        // Only levels with attention know the other kind, in diffusers too.
        let kind = if attends { make.config.downsample_type } else { ResampleType::Conv };
        Self {
            resnets: (0..layers).map(|j| Resnet::new(make, if j == 0 { inputs } else { outputs }, outputs, Side::Same, 1.0)).collect(),
            attentions: (0..if attends { layers } else { 0 }).map(|_| Attention::new(make, outputs, groups, 1.0)).collect(),
            downsamplers: (0..usize::from(!last)).map(|_| Sampler::new(make, kind, outputs, Side::Half)).collect(),
            padding: if make.config.downsample_padding == 0 { [0, 1, 0, 1] } else { [1; 4] },
        }
    }

    /// Gives the result, and puts every intermediate one on `skips`.
    pub(crate) fn forward(&self, mut x: Tensor<4>, time: &Tensor<2>, skips: &mut Vec<Tensor<4>>) -> Tensor<4> {
        for (index, resnet) in self.resnets.iter().enumerate() {
            x = resnet.forward(x, time);
            if let Some(attention) = self.attentions.get(index) {
                x = attention.forward(x);
            }
            skips.push(x.clone());
        }
        for sampler in &self.downsamplers {
            x = match sampler {
                Sampler::Conv(Resample { conv }) => conv.forward_with(x, 2, self.padding),
                Sampler::Resnet(resnet) => resnet.forward(x, time),
            };
            skips.push(x.clone());
        }
        x
    }
}

/// One level on the way up.
#[derive(Module, Debug)]
pub struct UpBlock {
    pub(crate) resnets: Vec<Resnet>,
    /// One a residual block, or none.
    pub(crate) attentions: Vec<Attention>,
    /// One, or none in the last level.
    pub(crate) upsamplers: Vec<Sampler>,
}

impl UpBlock {
    /// `before` channels come from below, `outputs` and at last `skip` from the way down.
    pub(crate) fn new(make: &mut Maker<'_>, before: usize, skip: usize, outputs: usize, attends: bool, last: bool) -> Self {
        let layers = make.config.layers_per_block + 1;
        let groups = Some(make.config.norm_num_groups);
        let kind = if attends { make.config.upsample_type } else { ResampleType::Conv };
        let inputs = |j: usize| (if j == 0 { before } else { outputs }) + if j + 1 == layers { skip } else { outputs };
        Self {
            resnets: (0..layers).map(|j| Resnet::new(make, inputs(j), outputs, Side::Same, 1.0)).collect(),
            attentions: (0..if attends { layers } else { 0 }).map(|_| Attention::new(make, outputs, groups, 1.0)).collect(),
            upsamplers: (0..usize::from(!last)).map(|_| Sampler::new(make, kind, outputs, Side::Twice)).collect(),
        }
    }

    /// Takes its inputs from the way down off `skips`.
    pub(crate) fn forward(&self, mut x: Tensor<4>, time: &Tensor<2>, skips: &mut Vec<Tensor<4>>) -> Tensor<4> {
        for (index, resnet) in self.resnets.iter().enumerate() {
            let skip = skips.pop().expect("the way down left one for every block of the way up");
            x = resnet.forward(Tensor::cat(vec![x, skip], 1), time);
            if let Some(attention) = self.attentions.get(index) {
                x = attention.forward(x);
            }
        }
        for sampler in &self.upsamplers {
            x = match sampler {
                Sampler::Conv(Resample { conv }) => conv.forward(upsample_nearest(x)),
                Sampler::Resnet(resnet) => resnet.forward(x, time),
            };
        }
        x
    }
}

/// The middle.
#[derive(Module, Debug)]
pub struct MidBlock {
    /// Two.
    pub(crate) resnets: Vec<Resnet>,
    /// One between them, or none.
    pub(crate) attentions: Vec<Attention>,
}

impl MidBlock {
    pub(crate) fn new(make: &mut Maker<'_>, channels: usize) -> Self {
        let (config, factor) = (make.config, make.config.mid_block_scale_factor);
        let plain = config.resnet_time_scale_shift == TimeScaleShift::Default;
        let groups = config.attn_norm_num_groups.or(plain.then_some(config.norm_num_groups));
        Self {
            resnets: (0..2).map(|_| Resnet::new(make, channels, channels, Side::Same, factor)).collect(),
            attentions: (0..usize::from(config.add_attention)).map(|_| Attention::new(make, channels, groups, factor)).collect(),
        }
    }

    pub(crate) fn forward(&self, x: Tensor<4>, time: &Tensor<2>) -> Tensor<4> {
        let x = self.resnets[0].forward(x, time);
        let x = self.attentions.iter().fold(x, |x, attention| attention.forward(x));
        self.resnets[1].forward(x, time)
    }
}
