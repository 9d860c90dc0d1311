//! LeakyReLU with its slopes kept, multiplication by constants, and the blur that goes before halving: each with its gradient in one pass.

use burn::tensor::Tensor;
use rayon::prelude::*;

use super::host_op::{HostOp, on_host};
use crate::host;

/// Values that one task works on.
const PART: usize = 16_384;

/// `x` where it is positive and `negative x` elsewhere, with the slope at every place as a constant without autodiff.
pub fn leaky_relu<const D: usize>(x: Tensor<D>, negative: f32) -> (Tensor<D>, Tensor<D>) {
    let inner = x.clone().inner();
    // Burn's fusion joins a fill to what is around it, and the conversion of a truth value to a number not.
    let slopes = inner.full_like(negative).mask_fill(inner.greater_elem(0.0), 1.0);
    (times(x, slopes.clone()), slopes)
}

/// [`leaky_relu`] and dropout in one pass: what comes out is multiplied by `mask`, and so are the slopes.
///
/// # Panics
/// When the shapes differ.
pub fn leaky_relu_dropout<const D: usize>(x: Tensor<D>, negative: f32, mask: Option<Tensor<D>>) -> (Tensor<D>, Tensor<D>) {
    let Some(mask) = mask else { return leaky_relu(x, negative) };
    assert_eq!(x.dims(), mask.dims(), "a factor for every value");
    if !on_host(&x) {
        let (activated, slopes) = leaky_relu(x, negative);
        return (times(activated, mask.clone()), slopes * mask);
    }
    let (shape, device) = (x.dims(), mask.device());
    let op = HostOp::new([x.into(), mask.into()]);
    let [x, mask] = op.values();
    let slope = |x: f32, mask: f32| if x > 0.0 { mask } else { negative * mask };
    let slopes: Vec<f32> = x.get().iter().zip(mask.get()).map(|(&x, &mask)| slope(x, mask)).collect();
    let out = product(x.get(), &slopes);
    let slopes = host::tensor(slopes, shape, &device);
    let kept = slopes.clone();
    let activated = op.finish(out, shape, move |gradient, _| [Some(host::read(&kept, |slopes| product(gradient.get(), slopes))), None]);
    (activated, slopes)
}

/// `x` times a constant of the same shape, which lies on a device without autodiff.
///
/// # Panics
/// When the shapes differ.
pub fn times<const D: usize>(x: Tensor<D>, constant: Tensor<D>) -> Tensor<D> {
    assert_eq!(x.dims(), constant.dims(), "a factor for every value");
    if !on_host(&x) {
        let constant = if x.device() == constant.device() { constant } else { Tensor::from_inner(constant) };
        return x * constant;
    }
    let shape = x.dims();
    let op = HostOp::new([x.into(), constant.into()]);
    let [x, constant] = op.values();
    let out = product(x.get(), constant.get());
    op.finish(out, shape, move |gradient, _| [Some(product(gradient.get(), constant.get())), None])
}

fn product(a: &[f32], b: &[f32]) -> Vec<f32> {
    let mut out = vec![0.0; a.len()];
    out.par_chunks_mut(PART).zip(a.par_chunks(PART)).zip(b.par_chunks(PART)).for_each(|((out, a), b)| {
        out.iter_mut().zip(a).zip(b).for_each(|((out, a), b)| *out = a * b);
    });
    out
}

/// Every channel filtered by (1, 2, 1) / 4 along both sides, with zeros around it. The filter is even, so this is its own adjoint.
pub fn blur(x: Tensor<4>) -> Tensor<4> {
    if !on_host(&x) {
        return plain_blur(x);
    }
    let shape = x.dims();
    let op = HostOp::new([x.into()]);
    let [x] = op.values();
    let out = blurred(x.get(), shape);
    op.finish(out, shape, move |gradient, _| [Some(blurred(gradient.get(), shape))])
}

fn blurred(x: &[f32], [_, _, height, width]: [usize; 4]) -> Vec<f32> {
    let mut out = vec![0.0; x.len()];
    out.par_chunks_mut(height * width).zip(x.par_chunks(height * width)).with_min_len(16).for_each(|(out, x)| {
        let mut along = vec![0.0; height * width];
        for (along, x) in along.chunks_exact_mut(width).zip(x.chunks_exact(width)) {
            for j in 0..width {
                let (before, after) = (if j > 0 { x[j - 1] } else { 0.0 }, x.get(j + 1).copied().unwrap_or(0.0));
                along[j] = 0.25 * (before + after) + 0.5 * x[j];
            }
        }
        for (i, out) in out.chunks_exact_mut(width).enumerate() {
            let row = |i: usize| &along[i * width..(i + 1) * width];
            out.iter_mut().zip(row(i)).for_each(|(out, x)| *out = 0.5 * x);
            for neighbor in [i.checked_sub(1), (i + 1 < height).then_some(i + 1)].into_iter().flatten() {
                out.iter_mut().zip(row(neighbor)).for_each(|(out, x)| *out += 0.25 * x);
            }
        }
    });
    out
}

fn plain_blur(x: Tensor<4>) -> Tensor<4> {
    let [batch, channels, height, width] = x.dims();
    let device = x.device();
    let along = |x: Tensor<4>, side: usize| {
        let mut edge = x.dims();
        edge[side] = 1;
        let (zeros, length) = (Tensor::zeros(edge, &device), x.dims()[side]);
        let before = Tensor::cat(vec![zeros.clone(), x.clone().narrow(side, 0, length - 1)], side);
        let after = Tensor::cat(vec![x.clone().narrow(side, 1, length - 1), zeros], side);
        (before + after) * 0.25 + x * 0.5
    };
    let x = if width > 1 { along(x, 3) } else { x * 0.5 };
    if height > 1 { along(x, 2) } else { (x * 0.5).reshape([batch, channels, height, width]) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::host_op::tests::same_as_plain;

    #[test]
    fn outputs_and_gradients_are_those_of_the_formulas() {
        same_as_plain([[2, 3, 4, 5]], |[x]| blur(x), |[x]| plain_blur(x));
        same_as_plain([[2, 3, 4, 5]], |[x]| leaky_relu(x, 0.2).0, |[x]| burn::tensor::activation::leaky_relu(x, 0.2));
    }

    #[test]
    fn a_point_is_spread_as_the_filter_says_and_the_edge_is_black() {
        let x = Tensor::<1>::from_floats([16.0, 0.0, 0.0, 0.0], &burn::tensor::Device::flex()).reshape([1, 1, 2, 2]);
        crate::host::read(&blur(x), |x| assert_eq!(x, [4.0, 2.0, 2.0, 1.0]));
    }
}
