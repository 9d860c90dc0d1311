//! The block of "Scalable diffusion models with transformers", Peebles and Xie 2023: attention and a feed-forward layer, each behind an adaptive
//! normalisation and a gate that begins at zero.

use burn::module::Module;
use burn::tensor::{Device, Tensor};

use super::{Init, Linear, LinearConfig, attention, drawn, filled, gated_residual, gelu_tanh, modulated_norm};
use crate::seeds::Stream;

/// Added to the variance in the first normalisation of a block and the last of a network.
pub const ADAPTIVE_EPSILON: f32 = 1e-6;

/// Attention and a feed-forward layer, each behind an adaptive normalisation and a gate.
#[derive(Module, Debug)]
pub struct AdaptiveBlock {
    /// Six vectors from the condition: shift, scale and gate of the attention and of the feed-forward layer.
    pub modulation: Linear,
    /// Queries, keys and values side by side.
    pub packed: Linear,
    /// After the attention.
    pub mixed: Linear,
    /// The first layer of the feed-forward part, four times as wide.
    pub up: Linear,
    /// The second one.
    pub down: Linear,
}

impl AdaptiveBlock {
    /// A block of this width, which at first gives back its input.
    pub fn new(width: usize, stream: &mut dyn FnMut() -> Stream, device: &Device) -> Self {
        // Three square layers side by side, each drawn with its own fan.
        let packed = drawn(Init::Xavier, (width, width), [width, 3 * width], (stream(), 0), device);
        Self {
            modulation: LinearConfig::new(width, 6 * width).with_init(Init::Zero).init(stream(), device),
            packed: Linear { weight: packed, bias: Some(filled([3 * width], device, 0.0)) },
            mixed: LinearConfig::new(width, width).with_init(Init::Xavier).init(stream(), device),
            up: LinearConfig::new(width, 4 * width).with_init(Init::Xavier).init(stream(), device),
            down: LinearConfig::new(4 * width, width).with_init(Init::Xavier).init(stream(), device),
        }
    }

    /// `x [batch, tokens, width]`, `condition [batch, width]` after its SiLU. `branch` is applied to what each of the two parts adds,
    /// `[batch, tokens, width]`: dropout while training, nothing else.
    pub fn forward(
        &self,
        x: Tensor<3>,
        condition: Tensor<2>,
        heads: usize,
        norm_epsilon: f32,
        branch: &mut dyn FnMut(Tensor<3>) -> Tensor<3>,
    ) -> Tensor<3> {
        let mut parts = self.modulation.forward(condition).chunk(6, 1).into_iter(); // 6 of [batch, width]
        let mut next = || parts.next().expect("six parts");
        let (shift, scale, gate) = (next(), next(), next());
        let normed = modulated_norm(x.clone(), shift, scale, ADAPTIVE_EPSILON);
        let mixed = self.mixed.forward(attention(self.packed.forward(normed), heads));
        let x = gated_residual(x, gate, branch(mixed));
        let (shift, scale, gate) = (next(), next(), next());
        let normed = modulated_norm(x.clone(), shift, scale, norm_epsilon);
        let fed = self.down.forward(gelu_tanh(self.up.forward(normed))); // [batch, tokens, 4 width] in between
        gated_residual(x, gate, branch(fed))
    }
}
