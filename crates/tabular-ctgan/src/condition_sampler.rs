//! Draws from discrete distributions in constant time, on the host and by one kernel.

#[cfg(not(any(feature = "cuda", feature = "wgpu")))]
#[path = "condition_sampler/absent.rs"]
mod kernel;
#[cfg(any(feature = "cuda", feature = "wgpu"))]
mod kernel;

use burn::tensor::{Device, Int, Tensor};
use semblant_core::device::has_kernels;
use semblant_core::host;
use semblant_core::seeds::Stream;

/// A discrete distribution as a table of pairs (Walker 1977; Vose 1991).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alias {
    /// Below which 53 random bits stay with a position.
    keep: Vec<u64>,
    /// Where they go else.
    other: Vec<u32>,
}

impl Alias {
    /// A table for these weights, which need not sum to one.
    ///
    /// # Panics
    /// When there are no weights, one is negative, or all are zero.
    pub fn new(weights: &[f64]) -> Self {
        let total: f64 = weights.iter().sum();
        assert!(total > 0.0 && weights.iter().all(|weight| *weight >= 0.0), "weights of a distribution");
        let mut keep: Vec<f64> = weights.iter().map(|weight| weight / total * weights.len() as f64).collect();
        let mut other: Vec<u32> = (0..weights.len() as u32).collect();
        let (mut small, mut large): (Vec<usize>, Vec<usize>) = (0..weights.len()).partition(|&index| keep[index] < 1.0);
        while let (Some(less), Some(&more)) = (small.pop(), large.last()) {
            other[less] = more as u32;
            keep[more] -= 1.0 - keep[less];
            if keep[more] < 1.0 {
                large.pop();
                small.push(more);
            }
        }
        let in_bits = |keep: f64| (keep.min(1.0) * (1u64 << 53) as f64).round() as u64;
        Self { keep: keep.into_iter().map(in_bits).collect(), other }
    }

    /// A position, by the number at `position` of `row`.
    pub fn draw(&self, stream: &Stream, row: u64, position: u32) -> usize {
        let (index, rest) = stream.split(row, position, self.keep.len() as u64);
        if rest < self.keep[index as usize] { index as usize } else { self.other[index as usize] as usize }
    }
}

/// One of several distributions, with the rows of a table that have each value of it.
#[derive(Debug, Clone, Copy)]
pub struct Block<'a> {
    /// The frequency of each value as a condition.
    pub alias: &'a Alias,
    /// The rows of value v are `rows[offsets[v]..offsets[v + 1]]`; one more than there are values.
    pub offsets: &'a [u32],
    /// The rows by value.
    pub rows: &'a [u32],
    /// The number by which the first value is known elsewhere; those of the others follow it.
    pub output: usize,
}

/// Which streams a draw goes by.
#[derive(Debug, Clone, Copy)]
pub struct SamplerStreams {
    /// A block at every even position, a value of it at the odd position behind.
    pub asked: Stream,
    /// The order in which rows are drawn: [`Stream::permutation`].
    pub order: Stream,
    /// A row for every value.
    pub rows: Stream,
}

/// What was drawn; `[count]` each.
#[derive(Debug, Clone)]
pub struct SampledConditions {
    /// Conditions: any block, then one of its values. Values are numbered through all blocks.
    pub asked: Tensor<1, Int>,
    /// The same by their numbers elsewhere.
    pub outputs: Tensor<1, Int>,
    /// The conditions in another order.
    pub reordered: Tensor<1, Int>,
    /// For each of those, a row that has it, any with the same chance.
    pub rows: Tensor<1, Int>,
}

/// Tables of a device that draws by itself: what the host would draw, bit for bit, in one launch.
#[derive(Debug, Clone)]
pub struct ConditionSampler {
    /// First value and number of values, `[blocks, 2]`.
    blocks: Tensor<2, Int>,
    /// Upper and lower bits of `keep`, the other value, first place in `rows`, how many rows, number elsewhere: `[values, 6]`.
    values: Tensor<2, Int>,
    /// The rows of all blocks by value.
    rows: Tensor<1, Int>,
    /// How many values a draw has.
    count: usize,
}

impl ConditionSampler {
    /// The most values that one draw may have: its order is in memory that the units of a cube share, 16 KiB with WebGPU.
    pub const MAX_COUNT: usize = 2048;

    /// Tables for these blocks, for draws of `count` values. None where `device` has no kernels, without a block or a value, and with more values
    /// than [`ConditionSampler::MAX_COUNT`] or more places than 31 bits count.
    pub fn new(blocks: &[Block<'_>], count: usize, device: &Device) -> Option<Self> {
        let places: usize = blocks.iter().map(|block| block.rows.len()).sum();
        let fits = (1..=Self::MAX_COUNT).contains(&count) && i32::try_from(places).is_ok();
        if blocks.is_empty() || !fits || !has_kernels(device) {
            return None;
        }
        let (mut spans, mut values, mut rows) = (Vec::new(), Vec::new(), Vec::with_capacity(places));
        let mut first = 0;
        for block in blocks {
            let width = block.alias.keep.len();
            for (value, (&keep, &other)) in block.alias.keep.iter().zip(&block.alias.other).enumerate() {
                let (start, count) = (block.offsets[value], block.offsets[value + 1] - block.offsets[value]);
                let words =
                    [(keep >> 32) as u32, keep as u32, first + other, rows.len() as u32 + start, count, (block.output + value) as u32];
                values.extend(words.map(u32::cast_signed));
            }
            rows.extend(block.rows.iter().map(|&row| row.cast_signed()));
            spans.extend([first, width as u32].map(u32::cast_signed));
            first += width as u32;
        }
        let table = |values: Vec<i32>, width: usize| {
            let rows = values.len() / width;
            host::indices(values, device).reshape([rows, width])
        };
        Some(Self { blocks: table(spans, 2), values: table(values, 6), rows: host::indices(rows, device), count })
    }

    /// Values and rows, by row `row` of `streams`.
    pub fn draw(&self, streams: SamplerStreams, row: u64) -> SampledConditions {
        let Self { blocks, values, rows, count } = self.clone();
        kernel::draw(blocks, values, rows, count, streams, row)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alias_draws_by_weight() {
        let alias = Alias::new(&[1.0, 0.0, 6.0, 3.0]);
        let mut counts = [0i32; 4];
        (0..100_000).for_each(|row| counts[alias.draw(&Stream::new(3, 0), row, 7)] += 1);
        assert_eq!(counts[1], 0);
        for (count, expected) in counts.into_iter().zip([10_000i32, 0, 60_000, 30_000]) {
            // Four standard deviations of the widest.
            assert!((count - expected).abs() <= 620, "{counts:?}");
        }
        // The table itself: what each position keeps and is given adds up to its weight, to the last bit that a double holds.
        let mut mass = [0u64; 4];
        for (index, (&keep, &other)) in alias.keep.iter().zip(&alias.other).enumerate() {
            mass[index] += keep;
            mass[other as usize] += (1 << 53) - keep;
        }
        for (mass, weight) in mass.into_iter().zip([0.1, 0.0, 0.6, 0.3]) {
            assert!((mass as f64 / (4u64 << 53) as f64 - weight).abs() < 1e-15, "{mass} for {weight}");
        }
    }
}
