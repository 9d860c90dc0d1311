//! Adaptive layer normalisation and gated residuals, the joints of a diffusion transformer, each with its gradient in one pass.

#[cfg(not(any(feature = "cuda", feature = "wgpu")))]
#[path = "modulation/absent.rs"]
mod kernel;
#[cfg(any(feature = "cuda", feature = "wgpu"))]
mod kernel;

use burn::tensor::Tensor;
use rayon::prelude::*;

use super::host_op::{HostOp, on_host};
use super::sums::{dot_by, sum_by};
use crate::device::has_kernels;

/// Layer normalisation without weights, then `(1 + scale) x + shift`: the adaptive normalisation of DiT (Peebles and Xie 2023).
/// `x [batch, tokens, width]`, `modulation [batch, parts * width]`, in which `shift` is part number `part` and `scale` the next one.
///
/// # Panics
/// When `modulation` has fewer parts.
pub fn modulated_norm(x: Tensor<3>, modulation: Tensor<2>, part: usize, epsilon: f32) -> Tensor<3> {
    let sizes = Sizes::of(&x, &modulation, part + 2);
    if !on_host(&x) {
        return if has_kernels(&x.device().inner()) {
            kernel::modulated_norm(x, modulation, part, epsilon, sizes)
        } else {
            plain_modulated_norm(x, modulation, part, epsilon)
        };
    }
    let Sizes { batch, tokens, width, row } = sizes;
    let op = HostOp::new([x.into(), modulation.into()]);
    let [x, modulation] = op.values();
    let (image, first) = (tokens * width, part * width);
    let mut out = vec![0.0; batch * image];
    let images = out.par_chunks_mut(image).zip(x.get().par_chunks(image)).zip(modulation.get().par_chunks(row));
    images.for_each(|((out, x), modulation)| {
        let (shift, scale) = modulation[first..first + 2 * width].split_at(width);
        pulp::Arch::new().dispatch(
            #[inline(always)]
            || {
                for (out, x) in out.chunks_exact_mut(width).zip(x.chunks_exact(width)) {
                    let (mean, inverse) = moments(x, epsilon);
                    for (((out, &x), &shift), &scale) in out.iter_mut().zip(x).zip(shift).zip(scale) {
                        *out = (x - mean) * inverse * (1.0 + scale) + shift;
                    }
                }
            },
        );
    });
    op.finish(out, [batch, tokens, width], move |gradient, _| {
        let mut x_gradient = gradient.take();
        let mut modulation_gradient = vec![0.0; batch * row];
        let images = x_gradient.par_chunks_mut(image).zip(x.get().par_chunks(image));
        let rows = modulation_gradient.par_chunks_mut(row).zip(modulation.get().par_chunks(row));
        images.zip(rows).for_each(|((gradient, x), (found, modulation))| {
            let scale = &modulation[first + width..first + 2 * width];
            let (shift_gradient, scale_gradient) = found[first..first + 2 * width].split_at_mut(width);
            pulp::Arch::new().dispatch(
                #[inline(always)]
                || {
                    for (gradient, x) in gradient.chunks_exact_mut(width).zip(x.chunks_exact(width)) {
                        modulated_norm_gradient(gradient, x, scale, epsilon, shift_gradient, scale_gradient);
                    }
                },
            );
        });
        [Some(x_gradient), Some(modulation_gradient)]
    })
}

fn plain_modulated_norm(x: Tensor<3>, modulation: Tensor<2>, part: usize, epsilon: f32) -> Tensor<3> {
    let width = x.dims()[2];
    let centred = x.clone() - x.mean_dim(2);
    let normed = centred.clone() / (centred.square().mean_dim(2) + epsilon).sqrt();
    normed * (plain_part(&modulation, part + 1, width) + 1.0) + plain_part(&modulation, part, width)
}

/// One part of a modulation for all tokens of an image, `[batch, 1, width]`.
fn plain_part(modulation: &Tensor<2>, part: usize, width: usize) -> Tensor<3> {
    modulation.clone().narrow(1, part * width, width).unsqueeze_dim::<3>(1)
}

/// The sizes of tokens and of their modulation.
#[derive(Debug, Clone, Copy)]
struct Sizes {
    batch: usize,
    tokens: usize,
    width: usize,
    /// The width of a row of the modulation.
    row: usize,
}

impl Sizes {
    fn of(x: &Tensor<3>, modulation: &Tensor<2>, parts: usize) -> Self {
        let ([batch, tokens, width], [rows, row]) = (x.dims(), modulation.dims());
        assert!(rows == batch && row >= parts * width, "{parts} parts of width {width} for {batch} items, not [{rows}, {row}]");
        Self { batch, tokens, width, row }
    }
}

/// One row: turns the output's gradient into the input's, and adds to the sums for shift and scale.
#[inline(always)]
fn modulated_norm_gradient(
    gradient: &mut [f32],
    x: &[f32],
    scale: &[f32],
    epsilon: f32,
    shift_gradient: &mut [f32],
    scale_gradient: &mut [f32],
) {
    let (mean, inverse) = moments(x, epsilon);
    for (sum, &g) in shift_gradient.iter_mut().zip(gradient.iter()) {
        *sum += g;
    }
    for ((sum, &g), &x) in scale_gradient.iter_mut().zip(gradient.iter()).zip(x) {
        *sum += g * (x - mean) * inverse;
    }
    for (g, &scale) in gradient.iter_mut().zip(scale) {
        *g *= 1.0 + scale;
    }
    let count = x.len() as f32;
    let average = sum_by(gradient, |g| g) / count;
    let along = dot_by(gradient, x, |g, x| g * (x - mean)) * inverse / count;
    for (g, &x) in gradient.iter_mut().zip(x) {
        *g = (*g - average - (x - mean) * inverse * along) * inverse;
    }
}

/// Mean and `1 / sqrt(variance + epsilon)` of a row.
#[inline(always)]
fn moments(x: &[f32], epsilon: f32) -> (f32, f32) {
    let count = x.len() as f32;
    let mean = sum_by(x, |x| x) / count;
    let variance = sum_by(x, |x| (x - mean) * (x - mean)) / count;
    (mean, 1.0 / (variance + epsilon).sqrt())
}

/// `x + gate * branch`: the gated residual of DiT. `x` and `branch [batch, tokens, width]`, `modulation [batch, parts * width]`, in which `gate`
/// is part number `part`.
///
/// # Panics
/// When `modulation` has fewer parts.
pub fn gated_residual(x: Tensor<3>, modulation: Tensor<2>, part: usize, branch: Tensor<3>) -> Tensor<3> {
    let sizes = Sizes::of(&x, &modulation, part + 1);
    if !on_host(&x) {
        return if has_kernels(&x.device().inner()) {
            kernel::gated_residual(x, modulation, part, branch, sizes)
        } else {
            plain_gated_residual(x, modulation, part, branch)
        };
    }
    let Sizes { batch, tokens, width, row } = sizes;
    let op = HostOp::new([x.into(), modulation.into(), branch.into()]);
    let [x, modulation, branch] = op.values();
    let (image, first) = (tokens * width, part * width);
    let mut out = x.take();
    let images = out.par_chunks_mut(image).zip(branch.get().par_chunks(image)).zip(modulation.get().par_chunks(row));
    images.for_each(|((out, branch), modulation)| {
        let gate = &modulation[first..first + width];
        for (out, branch) in out.chunks_exact_mut(width).zip(branch.chunks_exact(width)) {
            out.iter_mut().zip(branch).zip(gate).for_each(|((out, branch), gate)| *out += gate * branch);
        }
    });
    op.finish(out, [batch, tokens, width], move |gradient, _| {
        let mut modulation_gradient = vec![0.0; batch * row];
        let mut branch_gradient = vec![0.0; batch * image];
        let inputs = gradient.get().par_chunks(image).zip(branch.get().par_chunks(image)).zip(modulation.get().par_chunks(row));
        let outputs = modulation_gradient.par_chunks_mut(row).zip(branch_gradient.par_chunks_mut(image));
        inputs.zip(outputs).for_each(|(((gradient, branch), modulation), (found, branch_gradient))| {
            let (gate, gate_gradient) = (&modulation[first..first + width], &mut found[first..first + width]);
            let rows = gradient.chunks_exact(width).zip(branch.chunks_exact(width)).zip(branch_gradient.chunks_exact_mut(width));
            for ((gradient, branch), out) in rows {
                for ((sum, g), b) in gate_gradient.iter_mut().zip(gradient).zip(branch) {
                    *sum += g * b;
                }
                out.iter_mut().zip(gradient).zip(gate).for_each(|((out, g), gate)| *out = g * gate);
            }
        });
        [Some(gradient.take()), Some(modulation_gradient), Some(branch_gradient)]
    })
}

fn plain_gated_residual(x: Tensor<3>, modulation: Tensor<2>, part: usize, branch: Tensor<3>) -> Tensor<3> {
    let width = x.dims()[2];
    x + plain_part(&modulation, part, width) * branch
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::host_op::tests::same_as_plain;

    fn flat(x: Tensor<3>) -> Tensor<2> {
        x.squeeze_dim::<2>(1)
    }

    #[test]
    fn norm_and_its_gradients_are_those_of_the_formula() {
        for part in [0, 1] {
            same_as_plain(
                [[3, 5, 37], [3, 1, 3 * 37]],
                |[x, modulation]| modulated_norm(x, flat(modulation), part, 1e-6),
                |[x, modulation]| plain_modulated_norm(x, flat(modulation), part, 1e-6),
            );
        }
    }

    #[test]
    fn residual_and_its_gradients_are_those_of_the_formula() {
        for part in [0, 2] {
            same_as_plain(
                [[3, 5, 19], [3, 1, 3 * 19], [3, 5, 19]],
                |[x, modulation, branch]| gated_residual(x, flat(modulation), part, branch),
                |[x, modulation, branch]| plain_gated_residual(x, flat(modulation), part, branch),
            );
        }
    }
}
