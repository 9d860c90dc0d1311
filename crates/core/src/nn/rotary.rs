//! Rotary positions, with their gradient.

use burn::tensor::{Tensor, TensorData};
use rayon::prelude::*;

use super::host_op::{HostOp, on_host};

/// The base of the wavelengths.
const BASE: f64 = 10_000.0;

/// "RoFormer: enhanced transformer with rotary position embedding", Su et al. 2021: queries and keys are turned by angles that grow with their
/// place, so that their products depend on distances. Of each head of width `d` the values `i` and `i + d / 2` are turned by
/// `place / 10000^(2 i / d)`.
///
/// `packed [batch, tokens, 3 * width]` holds queries, keys and values side by side as for [`super::attention`]; values stay. `places` has one
/// entry for each token, or one for each token of each row of the batch.
///
/// # Panics
/// When heads have an odd width, or places are neither.
pub fn rotary(packed: Tensor<3>, heads: usize, places: &[usize]) -> Tensor<3> {
    let [batch, tokens, packed_width] = packed.dims();
    let sizes = Sizes { width: packed_width / 3, heads, tokens };
    assert!(sizes.width.is_multiple_of(2 * heads), "{heads} heads of an even width in {}", sizes.width);
    assert!(places.len() == tokens || places.len() == batch * tokens, "a place for each token");
    if !on_host(&packed) {
        return plain(packed, heads, places);
    }
    let angles = sizes.angles(places);
    let op = HostOp::new([packed.into()]);
    let [packed] = op.values();
    let mut out = packed.get().to_vec();
    sizes.turn(&mut out, &angles, 1.0);
    op.finish(out, [batch, tokens, packed_width], move |gradient, _| {
        // Turning is orthogonal: its adjoint turns back.
        let mut gradient = gradient.take();
        sizes.turn(&mut gradient, &angles, -1.0);
        [Some(gradient)]
    })
}

#[derive(Clone, Copy)]
struct Sizes {
    width: usize,
    heads: usize,
    tokens: usize,
}

impl Sizes {
    fn half(&self) -> usize {
        self.width / self.heads / 2
    }

    /// Cosines and sines, `[places, half]` each.
    fn angles(&self, places: &[usize]) -> [Vec<f32>; 2] {
        let half = self.half();
        let angles = places.iter().flat_map(|&place| (0..half).map(move |i| place as f64 / BASE.powf(i as f64 / half as f64)));
        let both: Vec<(f64, f64)> = angles.map(f64::sin_cos).collect();
        [both.iter().map(|both| both.1 as f32).collect(), both.iter().map(|both| both.0 as f32).collect()]
    }

    /// Turns queries and keys of all rows; `sign` of -1 turns back.
    fn turn(&self, packed: &mut [f32], [cosines, sines]: &[Vec<f32>; 2], sign: f32) {
        let (half, row) = (self.half(), 3 * self.width);
        let of_each = cosines.len() > self.tokens * half;
        packed.par_chunks_mut(row).with_min_len(16).enumerate().for_each(|(token, row)| {
            let start = half * if of_each { token } else { token % self.tokens };
            let (cosines, sines) = (&cosines[start..start + half], &sines[start..start + half]);
            for head in row[..2 * self.width].chunks_exact_mut(2 * half) {
                let (first, second) = head.split_at_mut(half);
                for (((a, b), &cosine), &sine) in first.iter_mut().zip(second).zip(cosines).zip(sines) {
                    let sine = sign * sine;
                    (*a, *b) = (*a * cosine - *b * sine, *a * sine + *b * cosine);
                }
            }
        });
    }
}

fn plain(packed: Tensor<3>, heads: usize, places: &[usize]) -> Tensor<3> {
    let [batch, tokens, packed_width] = packed.dims();
    let sizes = Sizes { width: packed_width / 3, heads, tokens };
    let (half, rows, device) = (sizes.half(), places.len() / tokens, packed.device());
    // [rows, tokens, 1, half], for all heads of queries and keys.
    let table = |values: Vec<f32>| Tensor::<4>::from_data(TensorData::new(values, [rows, tokens, 1, half]), &device);
    let [cosines, sines] = sizes.angles(places).map(table);
    let turned = packed.clone().slice([0..batch, 0..tokens, 0..2 * sizes.width]).reshape([batch, tokens, 2 * heads, 2 * half]);
    let mut parts = turned.chunk(2, 3).into_iter(); // 2 of [batch, tokens, 2 * heads, half]
    let mut next = || parts.next().expect("two halves");
    let (first, second) = (next(), next());
    let turned = Tensor::cat(vec![first.clone() * cosines.clone() - second.clone() * sines.clone(), first * sines + second * cosines], 3);
    let values = packed.slice([0..batch, 0..tokens, 2 * sizes.width..packed_width]);
    Tensor::cat(vec![turned.reshape([batch, tokens, 2 * sizes.width]), values], 2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::host_op::tests::same_as_plain;
    use burn::tensor::Device;

    #[test]
    fn output_and_gradients_are_those_of_the_plain_formula() {
        same_as_plain([[2, 5, 24]], |[x]| rotary(x, 2, &[3, 4, 5, 6, 7]), |[x]| plain(x, 2, &[3, 4, 5, 6, 7]));
        let each: Vec<usize> = vec![0, 9, 2, 3, 1, 7, 7, 7, 100, 0];
        same_as_plain([[2, 5, 24]], |[x]| rotary(x, 2, &each), |[x]| plain(x, 2, &each));
    }

    /// One head of width 4 at place 2: the values 1 and 3 are turned by 2, the values 2 and 4 by 2 / 100.
    #[test]
    fn pairs_are_turned_by_their_angles() {
        let x = Tensor::<3>::from_floats([[[1.0, 2.0, 3.0, 4.0, 0.0, 1.0, 0.0, 0.0, 9.0, 8.0, 7.0, 6.0]]], &Device::flex());
        let (c, s, d, t) = (2f32.cos(), 2f32.sin(), 0.02f32.cos(), 0.02f32.sin());
        let expected = [c - 3.0 * s, 2.0 * d - 4.0 * t, s + 3.0 * c, 2.0 * t + 4.0 * d, 0.0, d, 0.0, t, 9.0, 8.0, 7.0, 6.0];
        crate::host::read(&rotary(x, 1, &[2]), |out| {
            out.iter().zip(expected).for_each(|(a, b)| assert!((a - b).abs() < 1e-6, "{a} against {b}"));
        });
    }

    #[test]
    fn products_depend_on_distances_alone() {
        let device = Device::flex();
        let packed = Tensor::<3>::from_floats([[[0.3, -1.0, 2.0, 0.7, 1.0, 0.5, -0.2, 0.4, 0.0, 0.0, 0.0, 0.0]; 2]], &device);
        let product = |places: [usize; 2]| {
            crate::host::read(&rotary(packed.clone(), 1, &places), |out| (0..4).map(|i| out[i] * out[12 + 4 + i]).sum::<f32>())
        };
        assert!((product([5, 2]) - product([903, 900])).abs() < 1e-4);
        assert!((product([5, 2]) - product([5, 3])).abs() > 1e-3);
    }
}
