//! Counter-based random numbers: Philox 4x32-10 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3").
//!
//! A number is a pure function of (seed, stream, row, position). Nothing has state, so row 500,000 of a sample is computed
//! without the 499,999 before it, and any slice, batch size, thread count or shard gives the same bits.

mod device;
#[cfg(any(feature = "cuda", feature = "wgpu"))]
#[allow(missing_docs, reason = "the macro of kernels makes modules")]
pub mod kernel;
mod sequence;
pub mod streams;

use std::ops::Range;

use pulp::Arch;
use rayon::prelude::*;

use crate::math;

pub use sequence::Sequence;

/// How many Philox blocks are computed side by side, one per SIMD lane.
const LANES: usize = 16;
/// How many 32-bit words one pass of [`LANES`] blocks gives.
const CHUNK: usize = 4 * LANES;
/// Whole numbers have streams of their own, with this bit.
const WHOLE_NUMBERS: u32 = 0x8000_0000;

/// One Philox 4x32-10 block: four random words from a key and a counter.
///
/// ```
/// // Known answer from the Random123 distribution.
/// assert_eq!(semblant_core::seeds::philox([0; 2], [0; 4]), [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]);
/// ```
pub fn philox(key: [u32; 2], counter: [u32; 4]) -> [u32; 4] {
    let mut lanes = counter.map(|word| [word; 1]);
    rounds(key, &mut lanes);
    lanes.map(|lane| lane[0])
}

/// Ten rounds on `N` counters at once. Plain loops over arrays, so that the compiler makes vector code of them.
#[inline(always)]
fn rounds<const N: usize>(mut key: [u32; 2], counter: &mut [[u32; N]; 4]) {
    const MULTIPLIERS: [u64; 2] = [0xD251_1F53, 0xCD9E_8D57];
    const WEYL: [u32; 2] = [0x9E37_79B9, 0xBB67_AE85];
    for _ in 0..10 {
        for lane in 0..N {
            let low = MULTIPLIERS[0] * u64::from(counter[0][lane]);
            let high = MULTIPLIERS[1] * u64::from(counter[2][lane]);
            counter[0][lane] = (high >> 32) as u32 ^ counter[1][lane] ^ key[0];
            counter[2][lane] = (low >> 32) as u32 ^ counter[3][lane] ^ key[1];
            counter[1][lane] = high as u32;
            counter[3][lane] = low as u32;
        }
        key = [key[0].wrapping_add(WEYL[0]), key[1].wrapping_add(WEYL[1])];
    }
}

/// A named sequence of random numbers for every row: streams of one seed are independent of one another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stream {
    key: [u32; 2],
    stream: u32,
}

impl Stream {
    /// Stream `stream` of `seed`.
    pub fn new(seed: u64, stream: u32) -> Self {
        Self { key: [seed as u32, (seed >> 32) as u32], stream }
    }

    /// What a device needs of it: the key's two words, and the number of the stream.
    #[cfg(any(feature = "cuda", feature = "wgpu"))]
    pub fn words(&self) -> [u32; 3] {
        [self.key[0], self.key[1], self.stream]
    }

    /// The words of `row`, from position 0 on, one chunk of [`CHUNK`] after the other.
    #[inline(always)]
    fn chunk(&self, row: u64, chunk: u32) -> [[u32; LANES]; 4] {
        let first = chunk * LANES as u32;
        let mut counter = [[0; LANES], [self.stream; LANES], [row as u32; LANES], [(row >> 32) as u32; LANES]];
        for (lane, position) in counter[0].iter_mut().enumerate() {
            *position = first + lane as u32;
        }
        rounds(self.key, &mut counter);
        counter
    }

    #[inline(always)]
    fn fill(&self, row: u64, out: &mut [f32], to_floats: impl Fn(&[[u32; LANES]; 4], &mut [f32; CHUNK])) {
        let mut buffer = [0.0; CHUNK];
        for (chunk, out) in out.chunks_mut(CHUNK).enumerate() {
            to_floats(&self.chunk(row, chunk as u32), &mut buffer);
            out.copy_from_slice(&buffer[..out.len()]);
        }
    }

    /// Uniform numbers in the open interval (0, 1) for `row`.
    pub fn uniforms(&self, row: u64, out: &mut [f32]) {
        Arch::new().dispatch(|| self.fill(row, out, uniform_chunk));
    }

    /// Standard normal numbers for `row` (Box and Muller 1958).
    pub fn normals(&self, row: u64, out: &mut [f32]) {
        Arch::new().dispatch(|| self.fill(row, out, normal_chunk));
    }

    /// Standard Gumbel numbers for `row`: -ln(-ln u).
    pub fn gumbels(&self, row: u64, out: &mut [f32]) {
        Arch::new().dispatch(|| self.fill(row, out, gumbel_chunk));
    }

    /// Dropout's factors for `row`: 1 / `keep` with probability `keep`, else 0, where `keep` is taken to the nearest 65,536th. Half a word
    /// decides each.
    pub fn dropout(&self, row: u64, keep: f32, out: &mut [f32]) {
        Arch::new().dispatch(|| self.fill_dropout(row, keep, out));
    }

    // A function of its own that is always inlined: only so is it compiled for the vectors that `dispatch` chooses.
    #[inline(always)]
    fn fill_dropout(&self, row: u64, keep: f32, out: &mut [f32]) {
        let limit = dropout_limit(keep);
        let factor = 65_536.0 / limit as f32;
        let mut buffer = [0.0; 2 * CHUNK];
        for (chunk, out) in out.chunks_mut(2 * CHUNK).enumerate() {
            for (part, words) in buffer.chunks_exact_mut(2 * LANES).zip(&self.chunk(row, chunk as u32)) {
                for lane in 0..LANES {
                    part[lane] = if words[lane] & 0xffff < limit { factor } else { 0.0 };
                    part[LANES + lane] = if words[lane] >> 16 < limit { factor } else { 0.0 };
                }
            }
            out.copy_from_slice(&buffer[..out.len()]);
        }
    }

    /// 53 random bits: those at `position` of `row`.
    fn bits(&self, row: u64, position: u32) -> u64 {
        let [a, b, ..] = philox(self.key, [position, self.stream ^ WHOLE_NUMBERS, row as u32, (row >> 32) as u32]);
        u64::from(a) << 21 ^ u64::from(b) >> 11
    }

    /// One uniform number in [0, 1) with 53 random bits: the number at `position` of `row`.
    pub fn uniform_f64(&self, row: u64, position: u32) -> f64 {
        self.bits(row, position) as f64 / (1u64 << 53) as f64
    }

    /// [`Stream::uniform_f64`] of each of `rows`, at one position.
    ///
    /// # Panics
    /// When `out` has not one place for each row.
    pub fn uniforms_at(&self, rows: &[u64], position: u32, out: &mut [f64]) {
        assert_eq!(rows.len(), out.len(), "one number for each row");
        Arch::new().dispatch(|| self.fill_at(rows, position, out));
    }

    #[inline(always)]
    fn fill_at(&self, rows: &[u64], position: u32, out: &mut [f64]) {
        for (rows, out) in rows.chunks(LANES).zip(out.chunks_mut(LANES)) {
            let mut counter = [[position; LANES], [self.stream ^ WHOLE_NUMBERS; LANES], [0; LANES], [0; LANES]];
            for (lane, row) in rows.iter().enumerate() {
                counter[2][lane] = *row as u32;
                counter[3][lane] = (*row >> 32) as u32;
            }
            rounds(self.key, &mut counter);
            for (lane, out) in out.iter_mut().enumerate() {
                let bits = u64::from(counter[0][lane]) << 21 ^ u64::from(counter[1][lane]) >> 11;
                *out = bits as f64 / (1u64 << 53) as f64;
            }
        }
    }

    /// One whole number in `0..bound` (multiply and shift; the bias is below `bound / 2^53`).
    ///
    /// # Panics
    /// When `bound` is 0.
    pub fn below(&self, row: u64, position: u32, bound: u64) -> u64 {
        self.split(row, position, bound).0
    }

    /// As [`Stream::below`], with how far the number lay above it on the way to the next one, in units of 2^-53: as random as the number,
    /// and independent of it. Whole numbers throughout, so that every device draws the same.
    ///
    /// # Panics
    /// When `bound` is 0.
    pub fn split(&self, row: u64, position: u32, bound: u64) -> (u64, u64) {
        assert!(bound > 0, "no whole number lies below 0");
        let product = u128::from(self.bits(row, position)) * u128::from(bound);
        ((product >> 53) as u64, product as u64 & ((1 << 53) - 1))
    }

    /// A permutation of `0..len` (Fisher and Yates), the same for the same (seed, stream, row).
    pub fn permutation(&self, row: u64, len: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..len).collect();
        for last in (1..len).rev() {
            order.swap(last, self.below(row, last as u32, last as u64 + 1) as usize);
        }
        order
    }

    /// Fills a `[rows, width]` matrix row by row, in parallel, with `one_row` called as `one_row(self, row, out)`.
    pub fn matrix(&self, rows: Range<u64>, width: usize, one_row: impl Fn(&Self, u64, &mut [f32]) + Sync) -> Vec<f32> {
        let mut out = vec![0.0; (rows.end - rows.start) as usize * width];
        if width > 0 {
            out.par_chunks_mut(width).with_min_len(64).enumerate().for_each(|(index, out)| one_row(self, rows.start + index as u64, out));
        }
        out
    }
}

/// Below which a half word keeps, for the chance `keep` of it.
fn dropout_limit(keep: f32) -> u32 {
    ((keep * 65_536.0).round() as u32).max(1)
}

/// 24 random bits, centred in their cell, in the open interval (0, 1). From one half on the centre is rounded to 24 bits; the last one, which would
/// become 1, is the greatest number below 1 instead.
#[inline(always)]
fn unit(word: u32) -> f32 {
    let centre = (word >> 8) as f32 + 0.5;
    (if centre < 16_777_216.0 { centre } else { 16_777_215.0 }) * (1.0 / 16_777_216.0)
}

#[inline(always)]
fn uniform_chunk(words: &[[u32; LANES]; 4], out: &mut [f32; CHUNK]) {
    for (part, words) in out.chunks_exact_mut(LANES).zip(words) {
        for lane in 0..LANES {
            part[lane] = unit(words[lane]);
        }
    }
}

#[inline(always)]
fn normal_chunk(words: &[[u32; LANES]; 4], out: &mut [f32; CHUNK]) {
    for (pair, part) in out.chunks_exact_mut(2 * LANES).enumerate() {
        for lane in 0..LANES {
            let radius = (-2.0 * math::ln(unit(words[2 * pair][lane]))).sqrt();
            let (sine, cosine) = math::sin_cos_turn(unit(words[2 * pair + 1][lane]));
            part[lane] = radius * cosine;
            part[LANES + lane] = radius * sine;
        }
    }
}

#[inline(always)]
fn gumbel_chunk(words: &[[u32; LANES]; 4], out: &mut [f32; CHUNK]) {
    for (part, words) in out.chunks_exact_mut(LANES).zip(words) {
        for lane in 0..LANES {
            part[lane] = -math::ln(-math::ln(unit(words[lane])));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The three known answers of Random123's kat_vectors for philox4x32-10.
    #[test]
    fn philox_gives_the_known_answers() {
        assert_eq!(philox([0; 2], [0; 4]), [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]);
        assert_eq!(philox([u32::MAX; 2], [u32::MAX; 4]), [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]);
        let pi = [0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344];
        assert_eq!(philox([0xa409_3822, 0x299f_31d0], pi), [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1]);
    }

    #[test]
    fn a_slice_equals_the_whole() {
        let stream = Stream::new(7, 3);
        let whole = stream.matrix(0..100, 37, Stream::normals);
        let slice = stream.matrix(40..60, 37, Stream::normals);
        assert_eq!(whole[40 * 37..60 * 37], slice[..]);
        assert_ne!(whole[..37], whole[37..74], "rows differ");
    }

    #[test]
    fn uniforms_of_scattered_rows_are_those_of_each() {
        let (stream, rows) = (Stream::new(7, 3), (0..37).map(|row| row * 0x1_2345_6789).collect::<Vec<u64>>());
        let mut out = vec![0.0; rows.len()];
        stream.uniforms_at(&rows, 5, &mut out);
        assert!(rows.iter().zip(&out).all(|(&row, &number)| number == stream.uniform_f64(row, 5)));
    }

    #[test]
    fn moments_are_those_of_the_distributions() {
        let stream = Stream::new(1, 0);
        let moments = |values: &[f32]| {
            let mean = values.iter().map(|&v| f64::from(v)).sum::<f64>() / values.len() as f64;
            (mean, values.iter().map(|&v| (f64::from(v) - mean).powi(2)).sum::<f64>() / values.len() as f64)
        };
        let close = |(mean, variance): (f64, f64), expected: (f64, f64)| {
            assert!((mean - expected.0).abs() < 0.01 && (variance - expected.1).abs() < 0.02, "mean {mean}, variance {variance}");
        };
        close(moments(&stream.matrix(0..1000, 256, Stream::normals)), (0.0, 1.0));
        close(moments(&stream.matrix(0..1000, 256, Stream::uniforms)), (0.5, 1.0 / 12.0));
        // Euler's constant and pi^2 / 6.
        close(moments(&stream.matrix(0..1000, 256, Stream::gumbels)), (0.577_215_7, 1.644_934));
    }

    #[test]
    fn uniforms_are_open_at_both_ends() {
        let ends = [unit(0), unit(u32::MAX)];
        assert_eq!(ends, [0.5 / 16_777_216.0, 1.0f32.next_down()]);
        let gumbels = ends.map(|end| -math::ln(-math::ln(end)));
        assert!((gumbels[0] + 2.8524).abs() < 1e-3 && (gumbels[1] - 16.6355).abs() < 1e-3, "{gumbels:?}");
        // Only the last of the 24-bit words differs from the plain formula.
        let plain = |bits: u32| (bits as f32 + 0.5) / 16_777_216.0;
        assert!((0..0xff_ffff).all(|bits| unit(bits << 8) == plain(bits)));
        assert_eq!(plain(0xff_ffff), 1.0);
    }

    #[test]
    fn dropout_keeps_its_share_and_the_mean() {
        for keep in [0.5, 0.9, 0.123] {
            let factors = Stream::new(3, 2).matrix(0..10_000, 300, |stream, row, out| stream.dropout(row, keep, out));
            let share = |kept: usize| kept as f64 / factors.len() as f64;
            let (kept, wanted) = (share(factors.iter().filter(|&&factor| factor > 0.0).count()), f64::from(keep));
            let mean = factors.iter().map(|&factor| f64::from(factor)).sum::<f64>() / factors.len() as f64;
            // Four standard deviations.
            let chance = 4.0 * (wanted * (1.0 - wanted) / factors.len() as f64).sqrt() + 1e-5;
            assert!((kept - wanted).abs() < chance && (mean - 1.0).abs() < chance / wanted, "{kept} for {keep}, mean {mean}");
            assert!(factors.iter().all(|&factor| factor == 0.0 || (factor * keep - 1.0).abs() < 1e-4));
        }
        let mut all = [0.0; 5];
        Stream::new(3, 2).dropout(0, 1.0, &mut all);
        assert_eq!(all, [1.0; 5]);
    }

    #[test]
    fn a_permutation_holds_every_index_once() {
        let mut order = Stream::new(5, 1).permutation(0, 1000);
        assert_ne!(order[..10], [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
        order.sort_unstable();
        assert!(order.into_iter().eq(0..1000));
    }
}
