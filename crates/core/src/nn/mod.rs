//! Layers that several models share.
//!
//! A function here has two ways: on the host one loop over slices with a gradient written by hand, elsewhere the same formula in tensor
//! operations; the tests hold the one against the other.

mod activation;
mod attention;
mod constants;
mod conv;
mod correlate;
mod group_norm;
mod host_op;
mod likelihood;
mod linear;
mod matrix;
mod modulation;
mod penalty;
mod resample;
mod slopes;
mod sums;
mod transposed;
mod unit_vectors;

use burn::module::Param;
pub use burn::nn::Linear;
use burn::tensor::Device;

pub use activation::{gelu_tanh, silu};
pub use attention::{attention, causal_attention};
pub use constants::Constants;
pub use conv::{Conv, conv2d, conv2d_biased};
pub use group_norm::{GroupNorm, group_norm, group_norm_silu};
pub use likelihood::bernoulli_log_likelihood;
pub use linear::{linear as apply_linear, linear_of};
pub use modulation::{gated_residual, modulated_norm};
pub use penalty::gradient_penalty;
pub use resample::{average_pool, upsample_nearest};
pub use slopes::{blur, leaky_relu, leaky_relu_dropout, times};
pub use transposed::conv_transpose2d;
pub use unit_vectors::unit_vectors;

use crate::host;
use crate::seeds::Stream;

/// How the weights of a new layer are drawn.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Init {
    /// Weights and biases from U(-k, k), k = 1 / sqrt(inputs): PyTorch's default.
    Uniform,
    /// Weights from U(-k, k), k = sqrt(6 / (inputs + outputs)) (Glorot and Bengio 2010), biases 0.
    Xavier,
    /// Weights from a normal distribution of this standard deviation, biases 0.
    Normal(f32),
    /// Weights and biases 0.
    Zero,
}

/// A linear layer with weights `[inputs, outputs]`, as PyTorch would draw it, but from a random stream of the caller's, so that equal
/// seeds give equal networks whatever else runs in the process.
pub fn linear(inputs: usize, outputs: usize, stream: Stream, device: &Device) -> Linear {
    linear_with(Init::Uniform, inputs, outputs, stream, device)
}

/// As [`linear`], with another distribution.
pub fn linear_with(init: Init, inputs: usize, outputs: usize, stream: Stream, device: &Device) -> Linear {
    let weight = draw(init, (inputs, outputs), inputs * outputs, stream, 0);
    let bias = match init {
        Init::Uniform => draw(init, (inputs, outputs), outputs, stream, 1),
        _ => vec![0.0; outputs],
    };
    Linear {
        weight: Param::from_tensor(host::tensor(weight, [inputs, outputs], device)),
        bias: Some(Param::from_tensor(host::tensor(bias, [outputs], device))),
    }
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
