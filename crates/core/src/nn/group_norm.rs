//! Group normalisation (Wu and He 2018), with the SiLU that follows it in a diffusion network, in one pass there and two back.

#[cfg(not(any(feature = "cuda", feature = "wgpu")))]
#[path = "group_norm/absent.rs"]
mod kernel;
#[cfg(any(feature = "cuda", feature = "wgpu"))]
mod kernel;

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor, activation};
use rayon::prelude::*;

use super::filled;
use super::host_op::{HostOp, on_host};
use super::matrix::column_sums;
use super::sums::sum_by;
use crate::device::has_kernels;
use crate::math;

/// The weights of a group normalisation.
#[derive(Module, Debug)]
pub struct GroupNorm {
    /// `[channels]`.
    pub weight: Param<Tensor<1>>,
    /// `[channels]`.
    pub bias: Param<Tensor<1>>,
    /// Groups of channels that share mean and variance.
    #[module(skip)]
    pub groups: usize,
    /// Added to the variance.
    #[module(skip)]
    pub epsilon: f32,
}

/// What a [`GroupNorm`] is made from.
#[derive(Debug, Clone, Copy)]
pub struct GroupNormConfig {
    groups: usize,
    channels: usize,
    epsilon: f32,
}

impl GroupNormConfig {
    /// A normalisation of groups of channels; 1e-5 is added to the variance.
    pub fn new(groups: usize, channels: usize) -> Self {
        Self { groups, channels, epsilon: 1e-5 }
    }

    /// The same with another number added to the variance.
    pub fn with_epsilon(self, epsilon: f32) -> Self {
        Self { epsilon, ..self }
    }

    /// A normalisation that scales by 1 and shifts by 0.
    pub fn init(&self, device: &Device) -> GroupNorm {
        let (weight, bias) = (filled([self.channels], device, 1.0), filled([self.channels], device, 0.0));
        GroupNorm { weight, bias, groups: self.groups, epsilon: self.epsilon }
    }
}

impl GroupNorm {
    /// `x [batch, channels, ...]` normalised.
    pub fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        let (weight, bias) = (self.weight.val().unsqueeze(), self.bias.val().unsqueeze());
        group_norm(x, weight, bias, self.groups, self.epsilon)
    }

    /// `x [batch, channels, ...]` normalised, then SiLU.
    pub fn forward_silu<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        let (weight, bias) = (self.weight.val().unsqueeze(), self.bias.val().unsqueeze());
        group_norm_silu(x, weight, bias, self.groups, self.epsilon)
    }

    /// As [`GroupNorm::forward_silu`], with `(1 + scale) x + shift` before the SiLU; `scale` and `shift [batch, channels]`.
    pub fn forward_modulated_silu<const D: usize>(&self, x: Tensor<D>, scale: Tensor<2>, shift: Tensor<2>) -> Tensor<D> {
        let scale = scale + 1.0;
        let weight = scale.clone() * self.weight.val().unsqueeze();
        let bias = scale * self.bias.val().unsqueeze() + shift;
        group_norm_silu(x, weight, bias, self.groups, self.epsilon)
    }
}

/// Each group of channels to mean 0 and variance 1 in each image, then `weight x + bias`. `x [batch, channels, ...]`, `weight` and `bias`
/// `[1, channels]`, or `[batch, channels]` for weights of each image's own.
///
/// # Panics
/// When `groups` does not divide the channels, or the weights have another shape.
pub fn group_norm<const D: usize>(x: Tensor<D>, weight: Tensor<2>, bias: Tensor<2>, groups: usize, epsilon: f32) -> Tensor<D> {
    normed::<D, false>(x, weight, bias, groups, epsilon)
}

/// As [`group_norm`], then SiLU.
///
/// # Panics
/// As [`group_norm`].
pub fn group_norm_silu<const D: usize>(x: Tensor<D>, weight: Tensor<2>, bias: Tensor<2>, groups: usize, epsilon: f32) -> Tensor<D> {
    normed::<D, true>(x, weight, bias, groups, epsilon)
}

fn plain<const D: usize>(x: Tensor<D>, weight: Tensor<2>, bias: Tensor<2>, groups: usize, epsilon: f32) -> Tensor<D> {
    let shape = x.dims();
    let (batch, channels) = (shape[0], shape[1]);
    let grouped: Tensor<3> = x.reshape([batch as i64, groups as i64, -1]); // [batch, groups, channels / groups * pixels]
    let centred = grouped.clone() - grouped.mean_dim(2);
    let normed = centred.clone() / (centred.square().mean_dim(2) + epsilon).sqrt();
    let normed: Tensor<3> = normed.reshape([batch as i64, channels as i64, -1]);
    (normed * weight.unsqueeze_dim::<3>(2) + bias.unsqueeze_dim::<3>(2)).reshape(shape)
}

/// The sizes of one normalisation.
#[derive(Debug, Clone, Copy)]
struct Sizes {
    channels: usize,
    groups: usize,
    pixels: usize,
    epsilon: f32,
}

fn normed<const D: usize, const SILU: bool>(x: Tensor<D>, weight: Tensor<2>, bias: Tensor<2>, groups: usize, epsilon: f32) -> Tensor<D> {
    let shape = x.dims();
    let (batch, channels, pixels) = (shape[0], shape[1], shape[2..].iter().product::<usize>());
    let images = weight.dims()[0];
    assert!(groups > 0 && channels.is_multiple_of(groups), "{groups} groups of {channels} channels");
    assert!(weight.dims() == bias.dims() && weight.dims()[1] == channels && (images == 1 || images == batch), "weights for every channel");
    let sizes = Sizes { channels, groups, pixels, epsilon };
    if has_kernels(&x.device().inner()) {
        return kernel::normed(x, weight, bias, sizes, SILU);
    }
    if !on_host(&x) {
        let out = plain(x, weight, bias, groups, epsilon);
        return if SILU { activation::silu(out) } else { out };
    }
    let image = channels * pixels;
    let op = HostOp::new([x.into(), weight.into(), bias.into()]);
    let [x, weight, bias] = op.values();
    let row = move |index: usize| if images == 1 { 0..channels } else { index * channels..(index + 1) * channels };
    let mut out = vec![0.0; batch * image];
    out.par_chunks_mut(image).zip(x.get().par_chunks(image)).enumerate().for_each(|(index, (out, x))| {
        let (weight, bias) = (&weight.get()[row(index)], &bias.get()[row(index)]);
        pulp::Arch::new().dispatch(
            #[inline(always)]
            || sizes.forward::<SILU>(x, weight, bias, out),
        );
    });
    op.finish(out, shape, move |gradient, _| {
        let mut x_gradient = gradient.take();
        let mut weight_gradient = vec![0.0; batch * channels];
        let mut bias_gradient = vec![0.0; batch * channels];
        let sums = weight_gradient.par_chunks_mut(channels).zip(bias_gradient.par_chunks_mut(channels));
        x_gradient.par_chunks_mut(image).zip(x.get().par_chunks(image)).zip(sums).enumerate().for_each(|(index, ((gradient, x), sums))| {
            let (weight, bias) = (&weight.get()[row(index)], &bias.get()[row(index)]);
            pulp::Arch::new().dispatch(
                #[inline(always)]
                || sizes.gradient::<SILU>(gradient, x, weight, bias, sums),
            );
        });
        let reduce = |sums: Vec<f32>| if images == 1 { column_sums(&sums, channels) } else { sums };
        [Some(x_gradient), Some(reduce(weight_gradient)), Some(reduce(bias_gradient))]
    })
}

impl Sizes {
    /// Mean and `1 / sqrt(variance + epsilon)` of a group.
    #[inline(always)]
    fn moments(&self, x: &[f32]) -> (f32, f32) {
        let count = x.len() as f32;
        let mean = sum_by(x, |x| x) / count;
        let variance = sum_by(x, |x| (x - mean) * (x - mean)) / count;
        (mean, 1.0 / (variance + self.epsilon).sqrt())
    }

    /// One image.
    #[inline(always)]
    fn forward<const SILU: bool>(&self, x: &[f32], weight: &[f32], bias: &[f32], out: &mut [f32]) {
        let members = self.channels / self.groups;
        let group_len = members * self.pixels;
        for (group, (x, out)) in x.chunks_exact(group_len).zip(out.chunks_exact_mut(group_len)).enumerate() {
            let (mean, inverse) = self.moments(x);
            for (member, (x, out)) in x.chunks_exact(self.pixels).zip(out.chunks_exact_mut(self.pixels)).enumerate() {
                let channel = group * members + member;
                let (scale, shift) = (weight[channel] * inverse, bias[channel]);
                for (out, &x) in out.iter_mut().zip(x) {
                    let y = (x - mean) * scale + shift;
                    *out = if SILU { y / (1.0 + math::exp(-y)) } else { y };
                }
            }
        }
    }

    /// One image: turns the output's gradient into the input's, and finds those of weight and bias.
    #[inline(always)]
    fn gradient<const SILU: bool>(
        &self,
        gradient: &mut [f32],
        x: &[f32],
        weight: &[f32],
        bias: &[f32],
        (weight_gradient, bias_gradient): (&mut [f32], &mut [f32]),
    ) {
        let members = self.channels / self.groups;
        let group_len = members * self.pixels;
        for (group, (x, gradient)) in x.chunks_exact(group_len).zip(gradient.chunks_exact_mut(group_len)).enumerate() {
            let (mean, inverse) = self.moments(x);
            let (mut average, mut along) = (0.0, 0.0);
            for (member, (x, gradient)) in x.chunks_exact(self.pixels).zip(gradient.chunks_exact_mut(self.pixels)).enumerate() {
                let channel = group * members + member;
                if SILU {
                    through_silu(gradient, x, mean, weight[channel] * inverse, bias[channel]);
                }
                let (sum, product) = sums(gradient, x, mean);
                bias_gradient[channel] = sum;
                weight_gradient[channel] = product * inverse;
                average += weight[channel] * sum;
                along += weight[channel] * product * inverse;
            }
            let count = group_len as f32;
            let (average, along) = (average * inverse / count, along * inverse * inverse / count);
            for (member, (x, gradient)) in x.chunks_exact(self.pixels).zip(gradient.chunks_exact_mut(self.pixels)).enumerate() {
                let scale = weight[group * members + member] * inverse;
                for (gradient, &x) in gradient.iter_mut().zip(x) {
                    *gradient = *gradient * scale - average - (x - mean) * along;
                }
            }
        }
    }
}

/// The gradient before the SiLU of `(x - mean) * scale + shift`.
#[inline(always)]
fn through_silu(gradient: &mut [f32], x: &[f32], mean: f32, scale: f32, shift: f32) {
    for (gradient, &x) in gradient.iter_mut().zip(x) {
        let y = (x - mean) * scale + shift;
        let s = 1.0 / (1.0 + math::exp(-y));
        *gradient *= s * (1.0 + y * (1.0 - s));
    }
}

/// The sums of `gradient` and of `gradient * (x - mean)`.
#[inline(always)]
fn sums(gradient: &[f32], x: &[f32], mean: f32) -> (f32, f32) {
    (sum_by(gradient, |g| g), super::sums::dot_by(gradient, x, |g, x| g * (x - mean)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::host_op::tests::same_as_plain;

    #[test]
    fn outputs_and_gradients_are_those_of_the_formula() {
        let flat = |x: Tensor<4>| x.squeeze_dims::<2>(&[0, 1]);
        for (images, groups) in [(1, 2), (3, 6), (1, 1)] {
            let shapes = [[3, 6, 5, 7], [1, 1, images, 6], [1, 1, images, 6]];
            same_as_plain(
                shapes,
                |[x, w, b]| group_norm(x, flat(w), flat(b), groups, 1e-5),
                |[x, w, b]| plain(x, flat(w), flat(b), groups, 1e-5),
            );
            same_as_plain(
                shapes,
                |[x, w, b]| group_norm_silu(x, flat(w), flat(b), groups, 1e-5),
                |[x, w, b]| activation::silu(plain(x, flat(w), flat(b), groups, 1e-5)),
            );
        }
    }

    /// torch.nn.functional.group_norm(torch.arange(8.).reshape(1, 4, 2), 2, torch.tensor([1., 2., 3., 4.]), torch.tensor([0., 1., 0., -1.]))
    #[test]
    fn values_are_those_of_pytorch() {
        let device = Device::flex();
        let x = Tensor::<1>::from_floats([0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0], &device).reshape([1, 4, 2]);
        let weight = Tensor::<1>::from_floats([1.0, 2.0, 3.0, 4.0], &device).unsqueeze();
        let bias = Tensor::<1>::from_floats([0.0, 1.0, 0.0, -1.0], &device).unsqueeze();
        let out = group_norm(x, weight, bias, 2, 1e-5).into_data().try_into_vec::<f32>().expect("f32");
        let expected = [-1.341_635_5, -0.447_211_8, 1.894_423_6, 3.683_270_9, -4.024_906_2, -1.341_635_4, 0.788_847_2, 4.366_541_9];
        out.iter().zip(expected).for_each(|(a, b)| assert!((a - b).abs() < 1e-5, "{a} against {b}"));
    }
}
