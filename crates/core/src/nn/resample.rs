//! Twice the side of an image, or half of it.

use burn::tensor::Tensor;
use rayon::prelude::*;

use super::host_op::{HostOp, on_host};

/// Every pixel four times, as a square: `[batch, channels, height, width]` gives `[batch, channels, 2 height, 2 width]`.
pub fn upsample_nearest(x: Tensor<4>) -> Tensor<4> {
    let [batch, channels, height, width] = x.dims();
    if !on_host(&x) {
        return plain_upsample(x);
    }
    let op = HostOp::new([x.into()]);
    let [x] = op.values();
    let mut out = vec![0.0; 4 * x.get().len()];
    spread(x.get(), &mut out, height * width, width, 1.0);
    op.finish(out, [batch, channels, 2 * height, 2 * width], move |gradient, _| {
        let mut found = vec![0.0; gradient.get().len() / 4];
        gather(gradient.get(), &mut found, height * width, width, 1.0);
        [Some(found)]
    })
}

/// The mean of every square of four pixels: `[batch, channels, height, width]` gives half the height and width, rounded down.
pub fn average_pool(x: Tensor<4>) -> Tensor<4> {
    let [batch, channels, height, width] = x.dims();
    if !on_host(&x) || height % 2 == 1 || width % 2 == 1 {
        return plain_average(x);
    }
    let (height, width) = (height / 2, width / 2);
    let op = HostOp::new([x.into()]);
    let [x] = op.values();
    let mut out = vec![0.0; x.get().len() / 4];
    gather(x.get(), &mut out, height * width, width, 0.25);
    op.finish(out, [batch, channels, height, width], move |gradient, _| {
        let mut found = vec![0.0; 4 * gradient.get().len()];
        spread(gradient.get(), &mut found, height * width, width, 0.25);
        [Some(found)]
    })
}

fn plain_upsample(x: Tensor<4>) -> Tensor<4> {
    let [batch, channels, height, width] = x.dims();
    let x: Tensor<6> = x.reshape([batch, channels, height, 1, width, 1]);
    x.repeat(&[1, 1, 1, 2, 1, 2]).reshape([batch, channels, 2 * height, 2 * width])
}

fn plain_average(x: Tensor<4>) -> Tensor<4> {
    let [batch, channels, height, width] = x.dims();
    let (height, width) = (height / 2, width / 2);
    let x: Tensor<6> = x.slice([0..batch, 0..channels, 0..2 * height, 0..2 * width]).reshape([batch, channels, height, 2, width, 2]);
    x.mean_dim(5).mean_dim(3).reshape([batch, channels, height, width])
}

/// Writes `factor` times every pixel of `small` to its four places; planes of `pixels`, rows of `width`.
fn spread(small: &[f32], large: &mut [f32], pixels: usize, width: usize, factor: f32) {
    large.par_chunks_mut(4 * pixels).zip(small.par_chunks(pixels)).with_min_len(16).for_each(|(large, small)| {
        for (pair, small) in large.chunks_exact_mut(4 * width).zip(small.chunks_exact(width)) {
            let (upper, lower) = pair.split_at_mut(2 * width);
            upper.chunks_exact_mut(2).zip(small).for_each(|(two, &value)| two.fill(factor * value));
            lower.copy_from_slice(upper);
        }
    });
}

/// The inverse: `factor` times the sum of the four places.
fn gather(large: &[f32], small: &mut [f32], pixels: usize, width: usize, factor: f32) {
    small.par_chunks_mut(pixels).zip(large.par_chunks(4 * pixels)).with_min_len(16).for_each(|(small, large)| {
        for (small, pair) in small.chunks_exact_mut(width).zip(large.chunks_exact(4 * width)) {
            let (upper, lower) = pair.split_at(2 * width);
            for ((small, upper), lower) in small.iter_mut().zip(upper.chunks_exact(2)).zip(lower.chunks_exact(2)) {
                *small = factor * ((upper[0] + upper[1]) + (lower[0] + lower[1]));
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::host_op::tests::same_as_plain;

    #[test]
    fn outputs_and_gradients_are_those_of_the_plain_operations() {
        same_as_plain([[2, 3, 4, 5]], |[x]| upsample_nearest(x), |[x]| plain_upsample(x));
        same_as_plain([[2, 3, 4, 6]], |[x]| average_pool(x), |[x]| plain_average(x));
    }
}
