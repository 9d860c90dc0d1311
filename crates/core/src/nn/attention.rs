//! Scaled dot-product attention without copies of the heads, with its gradient.

#[cfg(not(any(feature = "cuda", feature = "wgpu")))]
#[path = "attention/absent.rs"]
mod kernel;
#[cfg(any(feature = "cuda", feature = "wgpu"))]
mod kernel;

use burn::tensor::activation::softmax;
use burn::tensor::ops::AttentionModuleOptions;
use burn::tensor::{Bool, Tensor, module};
use rayon::prelude::*;

use super::host_op::{HostOp, on_host};
use super::matrix::{Matrix, multiply_here};
use super::sums::{dot_by, sum_by};
use crate::device::has_kernels;
use crate::math;
use crate::precision::{is_narrow, narrow, wide};

/// Scaled dot-product self-attention. `packed [batch, tokens, 3 * width]` holds queries, keys and values side by side, each of `heads`
/// heads side by side; gives `[batch, tokens, width]`.
///
/// # Panics
/// When the last dimension is not three times a multiple of `heads`.
pub fn attention(packed: Tensor<3>, heads: usize) -> Tensor<3> {
    attended(packed, heads, false)
}

/// As [`attention`], where a token sees itself and those before it only.
///
/// # Panics
/// As [`attention`].
pub fn causal_attention(packed: Tensor<3>, heads: usize) -> Tensor<3> {
    attended(packed, heads, true)
}

fn attended(packed: Tensor<3>, heads: usize, causal: bool) -> Tensor<3> {
    let [batch, tokens, packed_width] = packed.dims();
    let width = packed_width / 3;
    assert!(packed_width.is_multiple_of(3) && heads > 0 && width.is_multiple_of(heads), "{heads} heads in a width of {packed_width} / 3");
    if !on_host(&packed) {
        return if has_kernels(&packed.device().inner()) {
            kernel::attended(packed, heads, causal)
        } else {
            plain_attention(packed, heads, causal)
        };
    }
    let sizes = Heads { tokens, width, heads, causal, scale: 1.0 / ((width / heads) as f32).sqrt() };
    let op = HostOp::new([packed.into()]);
    let [packed] = op.values();
    let (image, packed_image) = (tokens * width, 3 * tokens * width);
    let mut out = vec![0.0; batch * image];
    out.par_chunks_mut(image)
        .zip(packed.get().par_chunks(packed_image))
        .for_each_init(|| vec![0.0; tokens * tokens], |scores, (out, packed)| sizes.forward(packed, scores, out));
    op.finish(out, [batch, tokens, width], move |gradient, _| {
        let mut found = vec![0.0; batch * packed_image];
        let inputs = packed.get().par_chunks(packed_image).zip(gradient.get().par_chunks(image));
        found.par_chunks_mut(packed_image).zip(inputs).for_each_init(
            || (vec![0.0; tokens * tokens], vec![0.0; tokens * tokens]),
            |(weights, scores), (found, (packed, gradient))| sizes.gradients(packed, gradient, weights, scores, found),
        );
        [Some(found)]
    })
}

fn plain_attention(packed: Tensor<3>, heads: usize, is_causal: bool) -> Tensor<3> {
    let [batch, tokens, packed_width] = packed.dims();
    let width = packed_width / 3;
    let mut parts = packed.chunk(3, 2).into_iter().map(|x| x.reshape([batch, tokens, heads, width / heads]).swap_dims(1, 2)); // [batch, heads, tokens, head width]
    let mut next = || parts.next().expect("three parts");
    if is_narrow() {
        let mixed = narrow_attention([next(), next(), next()], is_causal);
        return mixed.swap_dims(1, 2).reshape([batch, tokens, width]);
    }
    let mixed = module::attention(next(), next(), next(), None, None, AttentionModuleOptions { is_causal, ..Default::default() });
    mixed.swap_dims(1, 2).reshape([batch, tokens, width])
}

/// Products in bf16, softmax between them in f32. `[batch, heads, tokens, head width]` each.
fn narrow_attention([queries, keys, values]: [Tensor<4>; 3], is_causal: bool) -> Tensor<4> {
    let [batch, heads, tokens, width] = queries.dims();
    let scale = 1.0 / (width as f32).sqrt();
    let mut scores = wide(narrow(queries).matmul(narrow(keys).transpose())) * scale; // [batch, heads, tokens, tokens]
    if is_causal {
        let after = Tensor::<2, Bool>::tril_mask([tokens, tokens], 0, &scores.device());
        scores = scores.mask_fill(after.unsqueeze::<4>().expand([batch, heads, tokens, tokens]), f32::NEG_INFINITY);
    }
    wide(narrow(softmax(scores, 3)).matmul(narrow(values)))
}

/// The sizes of one attention.
#[derive(Clone, Copy)]
struct Heads {
    tokens: usize,
    width: usize,
    heads: usize,
    causal: bool,
    scale: f32,
}

/// The parts of a packed row.
const QUERY: usize = 0;
const KEY: usize = 1;
const VALUE: usize = 2;

impl Heads {
    /// Where a head of a part begins in a packed row.
    fn start(&self, part: usize, head: usize) -> usize {
        part * self.width + head * (self.width / self.heads)
    }

    /// One head of a part of one image, `[tokens, width / heads]`.
    fn head<'a>(&self, packed: &'a [f32], part: usize, head: usize) -> Matrix<'a> {
        Matrix::strided(&packed[self.start(part, head)..], self.tokens, self.width / self.heads, 3 * self.width)
    }

    /// Softmax of the scaled scores of one head, `[tokens, tokens]`.
    fn weights(&self, packed: &[f32], head: usize, scores: &mut [f32]) {
        let tokens = self.tokens;
        multiply_here(scores, tokens, false, self.head(packed, QUERY, head), self.head(packed, KEY, head).transposed());
        let scale = self.scale;
        pulp::Arch::new().dispatch(
            #[inline(always)]
            || {
                for (index, row) in scores.chunks_exact_mut(tokens).enumerate() {
                    let (row, unseen) = row.split_at_mut(if self.causal { index + 1 } else { tokens });
                    unseen.fill(0.0);
                    let greatest = row.iter().fold(f32::NEG_INFINITY, |most, &score| most.max(score));
                    row.iter_mut().for_each(|score| *score = math::exp((*score - greatest) * scale));
                    let inverse = 1.0 / sum_by(row, |weight| weight);
                    row.iter_mut().for_each(|weight| *weight *= inverse);
                }
            },
        );
    }

    /// One image.
    fn forward(&self, packed: &[f32], scores: &mut [f32], out: &mut [f32]) {
        for head in 0..self.heads {
            self.weights(packed, head, scores);
            let weights = Matrix::new(scores, self.tokens, self.tokens);
            multiply_here(&mut out[self.start(QUERY, head)..], self.width, false, weights, self.head(packed, VALUE, head));
        }
    }

    /// One image. The weights are computed anew: a product and a softmax cost less than `[batch, heads, tokens, tokens]` floats kept for
    /// every layer.
    fn gradients(&self, packed: &[f32], gradient: &[f32], weights: &mut [f32], scores: &mut [f32], found: &mut [f32]) {
        let (tokens, stride) = (self.tokens, 3 * self.width);
        for head in 0..self.heads {
            self.weights(packed, head, weights);
            let gradient = Matrix::strided(&gradient[self.start(QUERY, head)..], tokens, self.width / self.heads, self.width);
            let transposed = Matrix::new(weights, tokens, tokens).transposed();
            multiply_here(&mut found[self.start(VALUE, head)..], stride, false, transposed, gradient);
            multiply_here(scores, tokens, false, gradient, self.head(packed, VALUE, head).transposed());
            self.score_gradients(weights, scores);
            let scores = Matrix::new(scores, tokens, tokens);
            multiply_here(&mut found[self.start(QUERY, head)..], stride, false, scores, self.head(packed, KEY, head));
            multiply_here(&mut found[self.start(KEY, head)..], stride, false, scores.transposed(), self.head(packed, QUERY, head));
        }
    }

    /// Through softmax and scale: `scores = scale * weights * (scores - <scores, weights>)`, row by row.
    fn score_gradients(&self, weights: &[f32], scores: &mut [f32]) {
        pulp::Arch::new().dispatch(
            #[inline(always)]
            || {
                for (scores, weights) in scores.chunks_exact_mut(self.tokens).zip(weights.chunks_exact(self.tokens)) {
                    let along = dot_by(scores, weights, |s, w| s * w);
                    scores.iter_mut().zip(weights).for_each(|(score, weight)| *score = self.scale * weight * (*score - along));
                }
            },
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::host_op::tests::same_as_plain;

    #[test]
    fn output_and_gradients_are_those_of_the_plain_operation() {
        for heads in [1, 3] {
            same_as_plain([[2, 7, 36]], |[packed]| attention(packed, heads), |[packed]| plain_attention(packed, heads, false));
            same_as_plain([[2, 7, 36]], |[packed]| causal_attention(packed, heads), |[packed]| plain_attention(packed, heads, true));
        }
    }
}
