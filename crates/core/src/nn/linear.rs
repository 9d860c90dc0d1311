//! A linear layer with its gradient in three products and no other pass.

use burn::module::{Module, Param};
use burn::tensor::module::linear as plain_linear;
use burn::tensor::{Device, Tensor};

use super::host_op::{HostOp, on_host};
use super::matrix::{Matrix, column_sums, multiply};
use super::{Init, drawn, filled};
use crate::precision::{is_narrow, narrow, wide};
use crate::seeds::Stream;

/// A linear layer.
#[derive(Module, Debug)]
pub struct Linear {
    /// `[inputs, outputs]`.
    pub weight: Param<Tensor<2>>,
    /// `[outputs]`.
    pub bias: Option<Param<Tensor<1>>>,
}

impl Linear {
    /// `x W + b` over the last dimension. `x [..., inputs]` gives `[..., outputs]`.
    pub fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        linear_of(x, self.weight.val(), self.bias.as_ref().map(|bias| bias.val()))
    }
}

/// What a [`Linear`] layer with a bias is made from.
#[derive(Debug, Clone, Copy)]
pub struct LinearConfig {
    inputs: usize,
    outputs: usize,
    init: Init,
}

impl LinearConfig {
    /// A layer of this size, drawn as PyTorch does.
    pub fn new(inputs: usize, outputs: usize) -> Self {
        Self { inputs, outputs, init: Init::default() }
    }

    /// The same with weights of another distribution.
    pub fn with_init(self, init: Init) -> Self {
        Self { init, ..self }
    }

    /// Draws the layer.
    pub fn init(&self, stream: Stream, device: &Device) -> Linear {
        let &Self { inputs, outputs, init } = self;
        Linear {
            weight: drawn(init, (inputs, outputs), [inputs, outputs], (stream, 0), device),
            bias: Some(match init {
                Init::Uniform => drawn(init, (inputs, outputs), [outputs], (stream, 1), device),
                _ => filled([outputs], device, 0.0),
            }),
        }
    }
}

/// As [`Linear::forward`], with `weight [inputs, outputs]` and `bias [outputs]` that are no layer's own.
pub fn linear_of<const D: usize>(x: Tensor<D>, weight: Tensor<2>, bias: Option<Tensor<1>>) -> Tensor<D> {
    match bias {
        Some(bias) if on_host(&x) => on_slices(x, weight, bias),
        bias => plain(x, weight, bias),
    }
}

fn plain<const D: usize>(x: Tensor<D>, weight: Tensor<2>, bias: Option<Tensor<1>>) -> Tensor<D> {
    if !is_narrow() {
        return plain_linear(x, weight, bias);
    }
    // The bias is added to the widened product, or its lower bits would be lost.
    let product = wide(plain_linear(narrow(x), narrow(weight), None));
    bias.into_iter().fold(product, |product, bias| product + bias.unsqueeze())
}

fn on_slices<const D: usize>(x: Tensor<D>, weight: Tensor<2>, bias: Tensor<1>) -> Tensor<D> {
    let [inputs, outputs] = weight.dims();
    let mut shape = x.dims();
    let rows = shape[..D - 1].iter().product::<usize>();
    shape[D - 1] = outputs;
    let op = HostOp::new([x.into(), weight.into(), bias.into()]);
    let [x, weight, bias] = op.values();
    // The product is added onto the bias, which saves a pass.
    let mut out = Vec::with_capacity(rows * outputs);
    (0..rows).for_each(|_| out.extend_from_slice(bias.get()));
    multiply(&mut out, outputs, true, Matrix::new(x.get(), rows, inputs), Matrix::new(weight.get(), inputs, outputs));
    op.finish(out, shape, move |gradient, wanted| {
        let bias_gradient = wanted[2].then(|| column_sums(gradient.get(), outputs));
        let gradient = Matrix::new(gradient.get(), rows, outputs);
        let x_gradient = wanted[0].then(|| {
            let mut out = vec![0.0; rows * inputs];
            multiply(&mut out, inputs, false, gradient, Matrix::new(weight.get(), inputs, outputs).transposed());
            out
        });
        let weight_gradient = wanted[1].then(|| {
            let mut out = vec![0.0; inputs * outputs];
            multiply(&mut out, outputs, false, Matrix::new(x.get(), rows, inputs).transposed(), gradient);
            out
        });
        [x_gradient, weight_gradient, bias_gradient]
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::host_op::tests::same_as_plain;

    #[test]
    fn output_and_gradients_are_those_of_the_plain_layer() {
        let flat = |b: Tensor<3>| b.flatten::<1>(0, 2);
        same_as_plain(
            [[3, 7, 5], [1, 5, 6], [1, 1, 6]],
            |[x, w, b]| on_slices(x, w.squeeze_dim::<2>(0), flat(b)),
            |[x, w, b]| plain_linear(x, w.squeeze_dim::<2>(0), Some(flat(b))),
        );
    }

    /// In bf16 the operands are rounded and nothing else: the product of the rounded ones, in f32, is met to the result's own rounding,
    /// and gradients come back in f32.
    #[test]
    fn in_bf16_only_what_goes_into_products_is_rounded() {
        use crate::precision::{Precision, within};
        use crate::seeds::Stream;
        use burn::tensor::{DType, Device, FloatDType};
        let device = Device::flex().autodiff();
        let draw = |stream, shape: [usize; 2]| {
            let values = Stream::new(0, stream).matrix(0..shape[0] as u64, shape[1], Stream::normals);
            crate::host::tensor(values, shape, &device).require_grad()
        };
        let (x, w, b) = (draw(0, [4, 8]), draw(1, [8, 3]), draw(2, [1, 3]));
        let out = within(Precision::Bf16, || plain(x.clone(), w.clone(), Some(b.clone().squeeze_dim::<1>(0))));
        assert_eq!(out.dtype(), DType::F32);
        let rounded = |x: &Tensor<2>| x.clone().cast(FloatDType::BF16).cast(FloatDType::F32);
        let expected = rounded(&x).matmul(rounded(&w)) + b.clone();
        let exact = x.clone().matmul(w.clone()) + b;
        let far = |a: &Tensor<2>| crate::host::scalar((out.clone() - a.clone()).abs().max());
        assert!(far(&expected) < 0.02 && far(&exact) > 1e-4, "{} from the rounded, {} from the exact", far(&expected), far(&exact));
        let gradients = out.sum().backward();
        let of_w = w.grad(&gradients).expect("a gradient");
        assert_eq!(of_w.dtype(), DType::F32);
        let expected = rounded(&x).inner().sum_dim(0).transpose().expand([8, 3]);
        assert!(crate::host::scalar((of_w - expected).abs().max()) < 0.05);
    }
}
