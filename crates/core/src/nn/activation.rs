//! Smooth activations, each with its gradient in one pass.

use burn::tensor::Tensor;
use rayon::prelude::*;

use super::host_op::{HostOp, on_host};
use crate::math;

/// The Gaussian error linear unit in its tanh form (Hendrycks and Gimpel 2016): `x / 2 (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3)))`.
pub fn gelu_tanh<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    if !on_host(&x) {
        return plain_gelu_tanh(x);
    }
    let shape = x.dims();
    let op = HostOp::new([x.into()]);
    let [x] = op.values();
    let mut out = vec![0.0; x.get().len()];
    in_parts(&mut out, x.get(), |x| {
        let t = math::tanh(GELU_ROOT * (x + GELU_CUBIC * x * x * x));
        0.5 * x * (1.0 + t)
    });
    op.finish(out, shape, move |gradient, _| {
        let mut gradient = gradient.take();
        zip_in_parts(&mut gradient, x.get(), |g, x| {
            let t = math::tanh(GELU_ROOT * (x + GELU_CUBIC * x * x * x));
            g * (0.5 * (1.0 + t) + 0.5 * x * (1.0 - t * t) * GELU_ROOT * (1.0 + 3.0 * GELU_CUBIC * x * x))
        });
        [Some(gradient)]
    })
}

fn plain_gelu_tanh<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    let inner = (x.clone() + x.clone().powi_scalar(3) * GELU_CUBIC) * GELU_ROOT;
    x * 0.5 * (inner.tanh() + 1.0)
}

const GELU_ROOT: f32 = 0.797_884_56;
const GELU_CUBIC: f32 = 0.044_715;

/// The sigmoid linear unit: `x / (1 + exp(-x))`.
pub fn silu<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    if !on_host(&x) {
        return burn::tensor::activation::silu(x);
    }
    let shape = x.dims();
    let op = HostOp::new([x.into()]);
    let [x] = op.values();
    let mut out = vec![0.0; x.get().len()];
    in_parts(&mut out, x.get(), |x| x / (1.0 + math::exp(-x)));
    op.finish(out, shape, move |gradient, _| {
        let mut gradient = gradient.take();
        zip_in_parts(&mut gradient, x.get(), |g, x| {
            let s = 1.0 / (1.0 + math::exp(-x));
            g * s * (1.0 + x * (1.0 - s))
        });
        [Some(gradient)]
    })
}

/// `out[i] = f(x[i])`, in parallel and as vector code.
fn in_parts(out: &mut [f32], x: &[f32], f: impl Fn(f32) -> f32 + Sync) {
    out.par_chunks_mut(PART).zip(x.par_chunks(PART)).for_each(|(out, x)| {
        pulp::Arch::new().dispatch(
            #[inline(always)]
            || out.iter_mut().zip(x).for_each(|(out, &x)| *out = f(x)),
        );
    });
}

/// `out[i] = f(out[i], x[i])`, in parallel and as vector code.
fn zip_in_parts(out: &mut [f32], x: &[f32], f: impl Fn(f32, f32) -> f32 + Sync) {
    out.par_chunks_mut(PART).zip(x.par_chunks(PART)).for_each(|(out, x)| {
        pulp::Arch::new().dispatch(
            #[inline(always)]
            || out.iter_mut().zip(x).for_each(|(out, &x)| *out = f(*out, x)),
        );
    });
}

/// Values that one task works on.
const PART: usize = 16_384;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::host_op::tests::same_as_plain;

    #[test]
    fn outputs_and_gradients_are_those_of_the_formulas() {
        let shape = [[2, 9, 11]];
        same_as_plain(shape, |[x]| gelu_tanh(x), |[x]| plain_gelu_tanh(x));
        same_as_plain(shape, |[x]| silu(x), |[x]| burn::tensor::activation::silu(x));
    }

    /// torch.nn.functional.gelu(torch.tensor([-3., -1., 0.5, 2.]), approximate="tanh"), and silu of the same.
    #[test]
    fn values_are_those_of_pytorch() {
        let x = Tensor::<1>::from_floats([-3.0, -1.0, 0.5, 2.0], &burn::tensor::Device::flex());
        let close = |a: Tensor<1>, b: [f32; 4]| {
            crate::host::read(&a, |a| a.iter().zip(b).for_each(|(a, b)| assert!((a - b).abs() < 1e-6, "{a} against {b}")));
        };
        close(gelu_tanh(x.clone()), [-0.003_637_4, -0.158_808, 0.345_714, 1.954_597_7]);
        close(silu(x), [-0.142_277_62, -0.268_941_43, 0.311_229_68, 1.761_594_2]);
    }
}
