//! Convolutions along time, as products of matrices over neighbouring rows.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use semblant_core::nn::{Init, Linear, LinearConfig, silu};
use semblant_core::seeds::Stream;

/// Where the layers of a network get their first weights.
pub(crate) struct Maker<'a> {
    pub(crate) stream: &'a mut dyn FnMut() -> Stream,
    pub(crate) device: &'a Device,
}

impl Maker<'_> {
    /// A linear layer with PyTorch's default weights.
    pub(crate) fn linear(&mut self, inputs: usize, outputs: usize) -> Linear {
        LinearConfig::new(inputs, outputs).init((self.stream)(), self.device)
    }

    /// A linear layer that gives zeros at first.
    pub(crate) fn zeros(&mut self, inputs: usize, outputs: usize) -> Linear {
        LinearConfig::new(inputs, outputs).with_init(Init::Zero).init((self.stream)(), self.device)
    }
}

/// A convolution over three rows, with zeros around the window.
#[derive(Module, Debug)]
pub(crate) struct Conv {
    /// The row before, the row and the row after, side by side, to a row.
    pub(crate) rows: Linear,
}

impl Conv {
    pub(crate) fn new(inputs: usize, outputs: usize, make: &mut Maker<'_>) -> Self {
        Self { rows: make.linear(3 * inputs, outputs) }
    }

    /// `[batch, length, inputs]` to `[batch, length, outputs]`.
    pub(crate) fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        let [batch, length, channels] = x.dims();
        let zeros = Tensor::zeros([batch, 1, channels], &x.device());
        let after = match length {
            1 => zeros,
            _ => Tensor::cat(vec![x.clone().narrow(1, 1, length - 1), zeros], 1),
        };
        self.rows.forward(Tensor::cat(vec![before(x.clone()), x, after], 2))
    }

    /// Every second row of it: `[batch, length, inputs]` of an even length to `[batch, length / 2, outputs]`.
    pub(crate) fn halved(&self, x: Tensor<3>) -> Tensor<3> {
        let [batch, length, channels] = x.dims();
        let pairs = x.reshape([batch, length / 2, 2 * channels]);
        let second = pairs.clone().narrow(2, channels, channels);
        self.rows.forward(Tensor::cat(vec![before(second), pairs], 2))
    }
}

/// The row before each row, zeros before the first, `[batch, length, channels]`.
fn before(x: Tensor<3>) -> Tensor<3> {
    let [batch, length, channels] = x.dims();
    let zeros = Tensor::zeros([batch, 1, channels], &x.device());
    match length {
        1 => zeros,
        _ => Tensor::cat(vec![zeros, x.narrow(1, 0, length - 1)], 1),
    }
}

/// Twice as many rows, by a transposed convolution over two.
#[derive(Module, Debug)]
pub(crate) struct Doubled {
    rows: Linear,
}

impl Doubled {
    pub(crate) fn new(inputs: usize, outputs: usize, make: &mut Maker<'_>) -> Self {
        Self { rows: make.linear(inputs, 2 * outputs) }
    }

    /// `[batch, length, inputs]` to `[batch, 2 * length, outputs]`.
    pub(crate) fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        let [batch, length, _] = x.dims();
        let pairs = self.rows.forward(x);
        let outputs = pairs.dims()[2] / 2;
        pairs.reshape([batch, 2 * length, outputs])
    }
}

/// A residual block: SiLU, a convolution, SiLU, a linear layer that gives zeros at first.
#[derive(Module, Debug)]
pub(crate) struct Residual {
    inner: Conv,
    outer: Linear,
}

impl Residual {
    pub(crate) fn new(width: usize, make: &mut Maker<'_>) -> Self {
        Self { inner: Conv::new(width, width, make), outer: make.zeros(width, width) }
    }

    /// `[batch, length, width]`.
    pub(crate) fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        x.clone() + self.outer.forward(silu(self.inner.forward(silu(x))))
    }
}

/// The window with its last row repeated until their number is a multiple of `of`.
pub(crate) fn padded(x: Tensor<3>, of: usize) -> Tensor<3> {
    let [_, length, _] = x.dims();
    match length.next_multiple_of(of) - length {
        0 => x,
        more => Tensor::cat(vec![x.clone(), x.narrow(1, length - 1, 1).repeat_dim(1, more)], 1),
    }
}

#[cfg(test)]
mod tests {
    use burn::module::Param;
    use semblant_core::host;

    use super::*;

    /// numpy: np.convolve([1, 2, 3, 4], [0.5, 2, 1][::-1]) without its ends, since a convolution of networks is a correlation.
    #[test]
    fn rows_see_their_neighbours() {
        let device = Device::flex();
        let conv = Conv { rows: Linear { weight: Param::from_tensor(Tensor::from_floats([[0.5], [2.0], [1.0]], &device)), bias: None } };
        let x = Tensor::<1>::from_floats([1.0, 2.0, 3.0, 4.0], &device).reshape([1, 4, 1]);
        assert_eq!(host::read(&conv.forward(x.clone()), <[f32]>::to_vec), [4.0, 7.5, 11.0, 9.5]);
        assert_eq!(host::read(&conv.halved(x.clone()), <[f32]>::to_vec), [4.0, 11.0]);
        let one = Tensor::<1>::from_floats([3.0], &device).reshape([1, 1, 1]);
        assert_eq!(host::read(&conv.forward(one), <[f32]>::to_vec), [6.0]);
        assert_eq!(host::read(&conv.halved(x.clone().narrow(1, 0, 2)), <[f32]>::to_vec), [4.0]);
        assert_eq!(host::read(&padded(x, 3), <[f32]>::to_vec), [1.0, 2.0, 3.0, 4.0, 4.0, 4.0]);
        let doubled = Doubled { rows: Linear { weight: Param::from_tensor(Tensor::from_floats([[1.0, -1.0]], &device)), bias: None } };
        let x = Tensor::<1>::from_floats([1.0, 2.0], &device).reshape([1, 2, 1]);
        assert_eq!(host::read(&doubled.forward(x), <[f32]>::to_vec), [1.0, -1.0, 2.0, -2.0]);
    }
}
