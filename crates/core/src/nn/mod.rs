//! Layers that several models share. Those with weights are made by a configuration's `init`, from a random stream of the caller's, so that
//! equal seeds give equal networks whatever else runs in the process; their `forward` applies them.
//!
//! A function here has two ways: on the host one loop over slices with a gradient written by hand, elsewhere the same formula in tensor
//! operations; the tests hold the one against the other.

mod activation;
mod adaptive_block;
mod attention;
mod cached_attention;
mod code_prior;
mod codebook;
mod constants;
mod conv;
mod correlate;
#[cfg(any(feature = "cuda", feature = "wgpu"))]
mod device_op;
mod embedding;
mod group_norm;
mod hand_made;
mod host_op;
mod likelihood;
mod linear;
mod matrix;
mod mlp_critic;
mod modulation;
mod penalty;
mod recompute;
mod resample;
mod rms_norm;
mod rotary;
mod sinusoid;
mod slopes;
mod span_entropy;
mod sums;
mod transposed;
mod unit_vectors;

pub use activation::{gelu_tanh, silu};
pub use adaptive_block::{ADAPTIVE_EPSILON, AdaptiveBlock};
pub use attention::{attention, causal_attention};
pub use cached_attention::AttentionCache;
pub use code_prior::{CodePrior, Places, PriorConfig};
pub use codebook::{Codebook, Follow, Usage, perplexity, straight_through};
pub use constants::Constants;
pub use conv::{Conv, ConvConfig, conv2d, conv2d_biased};
pub use embedding::embedding;
pub use group_norm::{GroupNorm, GroupNormConfig, group_norm, group_norm_silu};
pub use likelihood::bernoulli_log_likelihood;
pub use linear::{Linear, LinearConfig, linear_of};
pub use mlp_critic::{CriticSlopes, MlpCritic};
pub use modulation::{gated_residual, modulated_norm};
pub use penalty::{gradient_penalty, wasserstein};
pub use recompute::recomputing;
pub use resample::{average_pool, upsample_nearest};
pub use rms_norm::RmsNorm;
pub use rotary::rotary;
pub use sinusoid::sinusoid;
pub use slopes::{blur, leaky_relu, leaky_relu_dropout, times};
pub use span_entropy::SpanEntropy;
pub use transposed::conv_transpose2d;
pub use unit_vectors::unit_vectors;

use burn::module::{Param, ParamId};
use burn::tensor::{Device, Shape, Tensor};

use crate::host;
use crate::seeds::Stream;
use crate::seeds::streams::WEIGHTS;

/// How the weights of a new layer are drawn.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub enum Init {
    /// Weights and biases from U(-k, k), k = 1 / sqrt(inputs): PyTorch's default.
    #[default]
    Uniform,
    /// Weights from U(-k, k), k = sqrt(6 / (inputs + outputs)) (Glorot and Bengio 2010), biases 0.
    Xavier,
    /// Weights from a normal distribution of this standard deviation, biases 0.
    Normal(f32),
    /// Weights and biases 0.
    Zero,
}

/// `len` weights of a layer with `fan` inputs and outputs, from row `row` of the stream.
pub fn draw(init: Init, fan: (usize, usize), len: usize, stream: Stream, row: u64) -> Vec<f32> {
    let mut values = vec![0.0; len];
    let bound = match init {
        Init::Zero => return values,
        Init::Normal(deviation) => {
            stream.normals(row, &mut values);
            values.iter_mut().for_each(|value| *value *= deviation);
            return values;
        }
        Init::Uniform => 1.0 / (fan.0 as f32).sqrt(),
        Init::Xavier => (6.0 / (fan.0 + fan.1) as f32).sqrt(),
    };
    stream.uniforms(row, &mut values);
    values.iter_mut().for_each(|value| *value = (2.0 * *value - 1.0) * bound);
    values
}

/// One random stream after the other, one for each layer of a new network.
pub fn init_streams(seed: u64) -> impl FnMut() -> Stream {
    let mut number = 0;
    move || {
        number += 1;
        WEIGHTS.nth(seed, number)
    }
}

/// A parameter of this shape whose first values are made when they are first asked for.
///
/// Every parameter of a network is made here or in [`filled`], so that a network takes no memory before it is trained or run. A model file is
/// read into such a network: the shapes of its settings are compared with those in the file before there is anything to fill, and nothing is
/// drawn to be thrown away.
pub fn parameter<const D: usize>(
    shape: [usize; D],
    device: &Device,
    values: impl FnOnce() -> Vec<f32> + Send + Sync + 'static,
) -> Param<Tensor<D>> {
    let first = move |device: &Device, tracked: bool| {
        let tensor = host::tensor(values(), shape, device);
        if tracked { tensor.require_grad() } else { tensor }
    };
    Param::uninitialized(ParamId::new(), first, device.clone(), true, Shape::from(shape))
}

/// As [`parameter`], with one value everywhere.
pub fn filled<const D: usize>(shape: [usize; D], device: &Device, value: f32) -> Param<Tensor<D>> {
    parameter(shape, device, move || vec![value; shape.iter().product()])
}

/// As [`parameter`], drawn from row `row` of a stream; see [`draw`].
pub fn drawn<const D: usize>(
    init: Init,
    fan: (usize, usize),
    shape: [usize; D],
    (stream, row): (Stream, u64),
    device: &Device,
) -> Param<Tensor<D>> {
    parameter(shape, device, move || draw(init, fan, shape.iter().product(), stream, row))
}
