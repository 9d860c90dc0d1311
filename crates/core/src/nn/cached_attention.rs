//! Causal attention token by token, over the keys and values that were kept of the tokens before.

use burn::tensor::activation::softmax;
use burn::tensor::{Device, Tensor};
use rayon::prelude::*;

use super::host_op::on_host;
use super::sums::{dot_by, sum_by};
use crate::{host, math};

/// The keys and values of the tokens before, of every row of a batch. Rows may have different numbers of tokens, and are begun anew one by one.
///
/// Without gradients: for sampling.
#[derive(Debug)]
pub struct AttentionCache {
    capacity: usize,
    width: usize,
    heads: usize,
    /// Tokens that a row has.
    lengths: Vec<usize>,
    kept: Kept,
}

/// `[rows, capacity, width]` each.
#[derive(Debug)]
enum Kept {
    Host { keys: Vec<f32>, values: Vec<f32> },
    Device { keys: Tensor<3>, values: Tensor<3> },
}

impl AttentionCache {
    /// An empty cache for `rows` rows of at most `capacity` tokens.
    pub fn new(rows: usize, capacity: usize, width: usize, heads: usize, device: &Device) -> Self {
        let empty = || Tensor::<3>::zeros([rows, capacity, width], device);
        let kept = if host::is_host(device) {
            let size = rows * capacity * width;
            Kept::Host { keys: vec![0.0; size], values: vec![0.0; size] }
        } else {
            Kept::Device { keys: empty(), values: empty() }
        };
        Self { capacity, width, heads, lengths: vec![0; rows], kept }
    }

    /// How many tokens each row has: the place of its next one.
    pub fn lengths(&self) -> &[usize] {
        &self.lengths
    }

    /// Forgets the tokens of a row.
    pub fn clear(&mut self, row: usize) {
        self.lengths[row] = 0;
    }

    /// Adds a token to every row and gives what its attention to that one and those before is. `packed [rows, 3 * width]` holds queries, keys and
    /// values side by side, turned by their places; gives `[rows, width]`.
    ///
    /// # Panics
    /// When a row is full.
    pub fn attend(&mut self, packed: Tensor<2>) -> Tensor<2> {
        assert!(self.lengths.iter().all(|&length| length < self.capacity), "a row of {} tokens is full", self.capacity);
        let out = if on_host(&packed) { self.on_slices(&packed) } else { self.on_tensors(packed) };
        self.lengths.iter_mut().for_each(|length| *length += 1);
        out
    }

    fn on_slices(&mut self, packed: &Tensor<2>) -> Tensor<2> {
        let &mut Self { capacity, width, heads, ref lengths, ref mut kept } = self;
        let Kept::Host { keys, values } = kept else { unreachable!("made for this device") };
        let head_width = width / heads;
        let scale = 1.0 / (head_width as f32).sqrt();
        let mut out = vec![0.0; lengths.len() * width];
        let rows = out.par_chunks_mut(width).zip(keys.par_chunks_mut(capacity * width)).zip(values.par_chunks_mut(capacity * width));
        host::read(packed, |packed| {
            rows.zip(packed.par_chunks(3 * width)).zip(lengths).for_each(|((((out, keys), values), packed), &length)| {
                keys[length * width..][..width].copy_from_slice(&packed[width..2 * width]);
                values[length * width..][..width].copy_from_slice(&packed[2 * width..]);
                let mut scores = vec![0.0; length + 1];
                for head in 0..heads {
                    let at = head * head_width;
                    let query = &packed[at..at + head_width];
                    pulp::Arch::new().dispatch(
                        #[inline(always)]
                        || {
                            for (score, key) in scores.iter_mut().zip(keys.chunks_exact(width)) {
                                *score = dot_by(query, &key[at..at + head_width], |q, k| q * k);
                            }
                            let greatest = scores.iter().fold(f32::NEG_INFINITY, |most, &score| most.max(score));
                            scores.iter_mut().for_each(|score| *score = math::exp((*score - greatest) * scale));
                            let inverse = 1.0 / sum_by(&scores, |weight| weight);
                            let out = &mut out[at..at + head_width];
                            for (&weight, value) in scores.iter().zip(values.chunks_exact(width)) {
                                let weight = weight * inverse;
                                out.iter_mut().zip(&value[at..at + head_width]).for_each(|(out, value)| *out += weight * value);
                            }
                        },
                    );
                }
            });
        });
        host::tensor(out, [lengths.len(), width], &packed.device())
    }

    fn on_tensors(&mut self, packed: Tensor<2>) -> Tensor<2> {
        let &mut Self { capacity, width, heads, ref lengths, ref mut kept } = self;
        let Kept::Device { keys, values } = kept else { unreachable!("made for this device") };
        let (rows, head_width, device) = (lengths.len(), width / heads, packed.device());
        let (mut here, mut unseen) = (vec![0.0; rows * capacity], vec![0.0; rows * capacity]);
        for (row, &length) in lengths.iter().enumerate() {
            here[row * capacity + length] = 1.0;
            unseen[row * capacity + length + 1..(row + 1) * capacity].fill(-1e30);
        }
        let here = host::tensor(here, [rows, capacity, 1], &device);
        let mut parts = packed.chunk(3, 1).into_iter(); // 3 of [rows, width]
        let mut next = || parts.next().expect("three parts");
        let query = next();
        for kept in [keys.clone(), values.clone()].into_iter().zip([&mut *keys, &mut *values]) {
            let (before, slot) = kept;
            *slot = before * (here.clone().neg() + 1.0) + here.clone() * next().unsqueeze_dim::<3>(1);
        }
        let by_head = |x: Tensor<3>| x.reshape([rows, capacity, heads, head_width]).swap_dims(1, 2); // [rows, heads, capacity, head width]
        let query = query.reshape([rows, heads, 1, head_width]);
        let scores = query.matmul(by_head(keys.clone()).transpose()) * (1.0 / (head_width as f64).sqrt()); // [rows, heads, 1, capacity]
        let weights = softmax(scores + host::tensor(unseen, [rows, 1, 1, capacity], &device), 3);
        weights.matmul(by_head(values.clone())).reshape([rows, width])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::causal_attention;
    use crate::seeds::Stream;

    #[test]
    fn token_by_token_is_as_all_at_once_on_every_device() {
        let device = Device::flex();
        let (rows, tokens, width, heads) = (3, 6, 8, 2);
        let values = Stream::new(1, 0).matrix(0..rows as u64, tokens * 3 * width, Stream::normals);
        let packed = host::tensor(values, [rows, tokens, 3 * width], &device);
        let whole = causal_attention(packed.clone(), heads);
        let size = rows * tokens * width;
        for kept in [
            Kept::Host { keys: vec![0.0; size], values: vec![0.0; size] },
            Kept::Device { keys: Tensor::zeros([rows, tokens, width], &device), values: Tensor::zeros([rows, tokens, width], &device) },
        ] {
            let on_slices = matches!(kept, Kept::Host { .. });
            let mut cache = AttentionCache { kept, ..AttentionCache::new(rows, tokens, width, heads, &device) };
            // What a row held before does not matter once it is begun anew.
            let stray = packed.clone().slice([0..rows, 5..6, 0..3 * width]).reshape([rows, 3 * width]);
            cache.attend_by(stray, on_slices);
            (0..rows).for_each(|row| cache.clear(row));
            for token in 0..tokens {
                let one = packed.clone().slice([0..rows, token..token + 1, 0..3 * width]).reshape([rows, 3 * width]);
                let out = cache.attend_by(one, on_slices);
                let expected = whole.clone().slice([0..rows, token..token + 1, 0..width]).reshape([rows, width]);
                let far = host::scalar((out - expected).abs().max());
                assert!(far < 1e-5, "{far}");
            }
            assert_eq!(cache.lengths(), [tokens; 3]);
        }
    }

    impl AttentionCache {
        fn attend_by(&mut self, packed: Tensor<2>, on_slices: bool) -> Tensor<2> {
            let out = if on_slices { self.on_slices(&packed) } else { self.on_tensors(packed) };
            self.lengths.iter_mut().for_each(|length| *length += 1);
            out
        }
    }
}
