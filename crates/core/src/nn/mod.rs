//! Layers that several models share, and critics whose input gradient can itself be differentiated.

mod critic;

use burn::module::Param;
pub use burn::nn::Linear;
use burn::tensor::Device;

pub use critic::{MlpCritic, Slopes, gradient_penalty};

use crate::host;
use crate::seeds::Stream;

/// A linear layer with weights `[inputs, outputs]` and biases drawn from U(-k, k), k = 1 / sqrt(inputs): PyTorch's default, here
/// from a random stream of the caller's, so that equal seeds give equal networks whatever else runs in the process.
pub fn linear(inputs: usize, outputs: usize, stream: Stream, device: &Device) -> Linear {
    let bound = 1.0 / (inputs as f32).sqrt();
    let draw = |row: u64, len: usize| {
        let mut values = vec![0.0; len];
        stream.uniforms(row, &mut values);
        values.iter_mut().for_each(|value| *value = (2.0 * *value - 1.0) * bound);
        values
    };
    Linear {
        weight: Param::from_tensor(host::tensor(draw(0, inputs * outputs), [inputs, outputs], device)),
        bias: Some(Param::from_tensor(host::tensor(draw(1, outputs), [outputs], device))),
    }
}
