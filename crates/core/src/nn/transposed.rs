//! The adjoint of a convolution: what its input gradient is made of, and how generators enlarge.

use burn::tensor::ops::ConvTransposeOptions;
use burn::tensor::{Tensor, module};

use super::conv::{Sizes, in_usual_order};
use super::host_op::{HostOp, on_host};
use crate::precision::{narrow, wide};

/// The adjoint of [`conv2d`](super::conv2d) with the same weights, stride and padding (on every side): `x [batch, outputs, height', width']`
/// and `weight [outputs, inputs, kernel, kernel]` give `[batch, inputs, height, width]`, of which `size` says height and width.
///
/// # Panics
/// When a convolution of images of that size does not give the shape of `x`.
pub fn conv_transpose2d(x: Tensor<4>, weight: Tensor<4>, stride: usize, padding: usize, size: [usize; 2]) -> Tensor<4> {
    let [batch, outputs, rows, columns] = x.dims();
    let [_, inputs, kernel, _] = weight.dims();
    let shape = [batch, inputs, size[0], size[1]];
    let sizes = Sizes::new(shape, weight.dims(), stride, [padding; 4]);
    let result = |side: usize| (size[side] + 2 * padding - kernel) / stride + 1;
    assert!(weight.dims()[0] == outputs && [rows, columns] == [result(0), result(1)], "a result of {shape:?} by these weights");
    if !on_host(&x) {
        let beyond = |side: usize| size[side] + 2 * padding - kernel - (result(side) - 1) * stride;
        let options = ConvTransposeOptions::new([stride; 2], [padding; 2], [beyond(0), beyond(1)], [1; 2], 1);
        let out = wide(module::conv_transpose2d(narrow(in_usual_order(x)), narrow(weight), None, options));
        return in_usual_order(out);
    }
    let op = HostOp::new([x.into(), weight.into()]);
    let [x, weight] = op.values();
    let out = sizes.image_gradient(x.get(), weight.get());
    op.finish(out, shape, move |gradient, wanted| {
        let gradient = gradient.get();
        [
            wanted[0].then(|| sizes.forward(gradient, weight.get(), &vec![0.0; sizes.outputs])),
            wanted[1].then(|| sizes.weight_gradient(gradient, x.get())),
        ]
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::host_op::tests::same_as_plain;

    #[test]
    fn output_and_gradients_are_those_of_the_plain_operation() {
        // Sizes that the stride divides and that it does not.
        for (size, kernel, stride, padding) in [([8, 6], 4, 2, 1), ([7, 9], 3, 1, 1), ([7, 6], 3, 2, 1), ([5, 5], 1, 1, 0)] {
            let rows = |side: usize| (size[side] + 2 * padding - kernel) / stride + 1;
            let shapes = [[2, 3, rows(0), rows(1)], [3, 5, kernel, kernel]];
            let beyond = |side: usize| size[side] + 2 * padding - kernel - (rows(side) - 1) * stride;
            let options = ConvTransposeOptions::new([stride; 2], [padding; 2], [beyond(0), beyond(1)], [1; 2], 1);
            same_as_plain(
                shapes,
                |[x, w]| conv_transpose2d(x, w, stride, padding, size),
                |[x, w]| module::conv_transpose2d(x, w, None, options.clone()),
            );
        }
    }
}
