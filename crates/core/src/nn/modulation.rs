//! Adaptive layer normalisation and gated residuals, the joints of a diffusion transformer, each with its gradient in one pass.

use burn::tensor::Tensor;
use rayon::prelude::*;

use super::host_op::{HostOp, on_host};
use super::sums::{dot_by, sum_by};

/// Layer normalisation without weights, then `(1 + scale) x + shift`: the adaptive normalisation of DiT (Peebles and Xie 2023).
/// `x [batch, tokens, width]`, `shift` and `scale [batch, width]`.
pub fn modulated_norm(x: Tensor<3>, shift: Tensor<2>, scale: Tensor<2>, epsilon: f32) -> Tensor<3> {
    let [batch, tokens, width] = x.dims();
    if !on_host(&x) {
        return plain_modulated_norm(x, shift, scale, epsilon);
    }
    let op = HostOp::new([x.into(), shift.into(), scale.into()]);
    let [x, shift, scale] = op.values();
    let image = tokens * width;
    let mut out = vec![0.0; batch * image];
    let rows = || shift.get().par_chunks(width).zip(scale.get().par_chunks(width));
    out.par_chunks_mut(image).zip(x.get().par_chunks(image)).zip(rows()).for_each(|((out, x), (shift, scale))| {
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
        let mut shift_gradient = vec![0.0; batch * width];
        let mut scale_gradient = vec![0.0; batch * width];
        let sums = shift_gradient.par_chunks_mut(width).zip(scale_gradient.par_chunks_mut(width));
        let images = x_gradient.par_chunks_mut(image).zip(x.get().par_chunks(image)).zip(scale.get().par_chunks(width));
        images.zip(sums).for_each(|(((gradient, x), scale), (shift_gradient, scale_gradient))| {
            pulp::Arch::new().dispatch(
                #[inline(always)]
                || {
                    for (gradient, x) in gradient.chunks_exact_mut(width).zip(x.chunks_exact(width)) {
                        modulated_norm_gradient(gradient, x, scale, epsilon, shift_gradient, scale_gradient);
                    }
                },
            );
        });
        [Some(x_gradient), Some(shift_gradient), Some(scale_gradient)]
    })
}

fn plain_modulated_norm(x: Tensor<3>, shift: Tensor<2>, scale: Tensor<2>, epsilon: f32) -> Tensor<3> {
    let centred = x.clone() - x.mean_dim(2);
    let normed = centred.clone() / (centred.square().mean_dim(2) + epsilon).sqrt();
    normed * (scale.unsqueeze_dim::<3>(1) + 1.0) + shift.unsqueeze_dim::<3>(1)
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

/// `x + gate * branch`: the gated residual of DiT. `x` and `branch [batch, tokens, width]`, `gate [batch, width]`.
pub fn gated_residual(x: Tensor<3>, gate: Tensor<2>, branch: Tensor<3>) -> Tensor<3> {
    let [batch, tokens, width] = x.dims();
    if !on_host(&x) {
        return x + gate.unsqueeze_dim::<3>(1) * branch;
    }
    let op = HostOp::new([x.into(), gate.into(), branch.into()]);
    let [x, gate, branch] = op.values();
    let image = tokens * width;
    let mut out = x.take();
    let images = out.par_chunks_mut(image).zip(branch.get().par_chunks(image)).zip(gate.get().par_chunks(width));
    images.for_each(|((out, branch), gate)| {
        for (out, branch) in out.chunks_exact_mut(width).zip(branch.chunks_exact(width)) {
            out.iter_mut().zip(branch).zip(gate).for_each(|((out, branch), gate)| *out += gate * branch);
        }
    });
    op.finish(out, [batch, tokens, width], move |gradient, _| {
        let mut gate_gradient = vec![0.0; batch * width];
        let mut branch_gradient = vec![0.0; batch * image];
        let inputs = gradient.get().par_chunks(image).zip(branch.get().par_chunks(image)).zip(gate.get().par_chunks(width));
        let outputs = gate_gradient.par_chunks_mut(width).zip(branch_gradient.par_chunks_mut(image));
        inputs.zip(outputs).for_each(|(((gradient, branch), gate), (gate_gradient, branch_gradient))| {
            let rows = gradient.chunks_exact(width).zip(branch.chunks_exact(width)).zip(branch_gradient.chunks_exact_mut(width));
            for ((gradient, branch), out) in rows {
                for ((sum, g), b) in gate_gradient.iter_mut().zip(gradient).zip(branch) {
                    *sum += g * b;
                }
                out.iter_mut().zip(gradient).zip(gate).for_each(|((out, g), gate)| *out = g * gate);
            }
        });
        [Some(gradient.take()), Some(gate_gradient), Some(branch_gradient)]
    })
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
        same_as_plain(
            [[3, 5, 37], [3, 1, 37], [3, 1, 37]],
            |[x, shift, scale]| modulated_norm(x, flat(shift), flat(scale), 1e-6),
            |[x, shift, scale]| plain_modulated_norm(x, flat(shift), flat(scale), 1e-6),
        );
    }

    #[test]
    fn residual_and_its_gradients_are_those_of_the_formula() {
        same_as_plain(
            [[3, 5, 19], [3, 1, 19], [3, 5, 19]],
            |[x, gate, branch]| gated_residual(x, flat(gate), branch),
            |[x, gate, branch]| x + gate * branch,
        );
    }
}
