//! Root mean square normalisation, with its gradient in one pass.

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};
use rayon::prelude::*;

use super::filled;
use super::host_op::{HostOp, on_host};
use super::sums::{dot_by, sum_by};

/// Added to the mean square.
const EPSILON: f32 = 1e-6;
/// Rows that one task works on, whatever the number of threads, so that sums have one order.
const PART_ROWS: usize = 256;

/// "Root mean square layer normalization", Zhang and Sennrich 2019: `x w / sqrt(mean(x^2) + 1e-6)` over the last dimension.
#[derive(Module, Debug)]
pub struct RmsNorm {
    /// `[width]`.
    pub weight: Param<Tensor<1>>,
}

impl RmsNorm {
    /// A layer of this width with weights of 1.
    pub fn new(width: usize, device: &Device) -> Self {
        Self { weight: filled([width], device, 1.0) }
    }

    /// `x [..., width]` gives the same shape.
    pub fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        rms_norm(x, self.weight.val())
    }
}

/// As [`RmsNorm::forward`], with a `weight [width]` that is no layer's own.
fn rms_norm<const D: usize>(x: Tensor<D>, weight: Tensor<1>) -> Tensor<D> {
    if !on_host(&x) {
        return plain(x, weight);
    }
    let (shape, [width]) = (x.dims(), weight.dims());
    let op = HostOp::new([x.into(), weight.into()]);
    let [x, weight] = op.values();
    let mut out = vec![0.0; x.get().len()];
    out.par_chunks_mut(PART_ROWS * width).zip(x.get().par_chunks(PART_ROWS * width)).for_each(|(out, x)| {
        pulp::Arch::new().dispatch(
            #[inline(always)]
            || {
                for (out, x) in out.chunks_exact_mut(width).zip(x.chunks_exact(width)) {
                    let inverse = inverse_of(x);
                    out.iter_mut().zip(x).zip(weight.get()).for_each(|((out, x), w)| *out = x * inverse * w);
                }
            },
        );
    });
    op.finish(out, shape, move |gradient, _| {
        let mut found = gradient.take();
        let parts = found.par_chunks_mut(PART_ROWS * width).zip(x.get().par_chunks(PART_ROWS * width));
        let parts: Vec<Vec<f32>> = parts.map(|(gradient, x)| gradients(gradient, x, weight.get())).collect();
        let mut of_weight = vec![0.0; width];
        parts.iter().for_each(|part| of_weight.iter_mut().zip(part).for_each(|(sum, value)| *sum += value));
        [Some(found), Some(of_weight)]
    })
}

/// Turns the gradients of some rows' outputs into those of their inputs; gives the sums for the weights.
fn gradients(gradient: &mut [f32], x: &[f32], weight: &[f32]) -> Vec<f32> {
    let width = weight.len();
    let mut sums = vec![0.0; width];
    pulp::Arch::new().dispatch(
        #[inline(always)]
        || {
            for (gradient, x) in gradient.chunks_exact_mut(width).zip(x.chunks_exact(width)) {
                let inverse = inverse_of(x);
                for (((g, &x), &w), sum) in gradient.iter_mut().zip(x).zip(weight).zip(sums.iter_mut()) {
                    *sum += *g * x * inverse;
                    *g *= w;
                }
                let along = dot_by(gradient, x, |g, x| g * x) * inverse * inverse / width as f32;
                gradient.iter_mut().zip(x).for_each(|(g, x)| *g = (*g - x * along) * inverse);
            }
        },
    );
    sums
}

/// `1 / sqrt(mean square + epsilon)` of a row.
#[inline(always)]
fn inverse_of(x: &[f32]) -> f32 {
    1.0 / (sum_by(x, |x| x * x) / x.len() as f32 + EPSILON).sqrt()
}

fn plain<const D: usize>(x: Tensor<D>, weight: Tensor<1>) -> Tensor<D> {
    let inverse = (x.clone().square().mean_dim(D - 1) + EPSILON).sqrt().recip();
    x * inverse * weight.unsqueeze()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::host_op::tests::same_as_plain;

    #[test]
    fn output_and_gradients_are_those_of_the_plain_formula() {
        let flat = |weight: Tensor<3>| weight.flatten::<1>(0, 2);
        same_as_plain([[3, 300, 37], [1, 1, 37]], |[x, w]| rms_norm(x, flat(w)), |[x, w]| plain(x, flat(w)));
    }

    /// torch.nn.functional.rms_norm(torch.tensor([[1., -2., 3.], [0.5, 0., -0.25]]), [3], torch.tensor([1., 2., 0.5]), 1e-6)
    #[test]
    fn values_are_those_of_pytorch() {
        let device = Device::flex();
        let x = Tensor::<2>::from_floats([[1.0, -2.0, 3.0], [0.5, 0.0, -0.25]], &device);
        let out = rms_norm(x, Tensor::from_floats([1.0, 2.0, 0.5], &device));
        let expected = [0.462_91, -1.851_64, 0.694_365, 1.549_187, 0.0, -0.387_297];
        crate::host::read(&out, |out| out.iter().zip(expected).for_each(|(a, b)| assert!((a - b).abs() < 2e-5, "{a} against {b}")));
    }
}
