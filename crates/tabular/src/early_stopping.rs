//! A score for early stopping: how far pairs of one-hot blocks of freshly sampled rows are from those of the table.

use std::collections::BTreeMap;

use semblant_data::table::encode::EncodedTable;

use crate::rejection::{CHUNK, Draw, RowMaker};

/// Chunks of rows that are sampled for one score.
const CHUNKS: u64 = 4;

/// The joint frequencies of every block and its neighbour, the last with the first.
pub struct PairDistance {
    pairs: Vec<BTreeMap<(u32, u32), f64>>,
    seed: u64,
}

impl PairDistance {
    /// The pairs of the table; `seed` draws the rows that are compared with it.
    pub fn new(encoded: &EncodedTable, seed: u64) -> Self {
        let blocks = encoded.codes.len();
        let code = |row: usize, block: usize| encoded.codes[block][row];
        Self { pairs: frequencies(encoded.rows, blocks, code), seed }
    }

    /// The mean total variation distance between the table's pairs and those of 4,096 rows from `maker`: 0 is best, 1 worst. The same
    /// rows' noise every time, so that two scores differ by the model alone.
    pub fn distance(&self, maker: &impl RowMaker) -> f64 {
        let blocks = self.pairs.len();
        let mut codes = Vec::new();
        for chunk in 0..CHUNKS {
            let first = chunk * CHUNK as u64;
            let draws: Vec<Draw> = (first..first + CHUNK as u64).map(|row| Draw { row, attempt: 0, condition: None }).collect();
            codes.extend(maker.make(&draws, self.seed).0);
        }
        let made = frequencies(codes.len() / blocks, blocks, |row, block| codes[row * blocks + block]);
        let distance = |real: &BTreeMap<(u32, u32), f64>, made: &BTreeMap<(u32, u32), f64>| {
            let missed: f64 = real.iter().map(|(pair, share)| (share - made.get(pair).copied().unwrap_or(0.0)).max(0.0)).sum();
            // Both sum to one, so what is missed on one side is too much on the other: half the absolute differences.
            missed
        };
        self.pairs.iter().zip(&made).map(|(real, made)| distance(real, made)).sum::<f64>() / blocks.max(1) as f64
    }
}

fn frequencies(rows: usize, blocks: usize, code: impl Fn(usize, usize) -> u32) -> Vec<BTreeMap<(u32, u32), f64>> {
    let mut pairs = vec![BTreeMap::new(); blocks];
    for (block, counts) in pairs.iter_mut().enumerate() {
        for row in 0..rows {
            *counts.entry((code(row, block), code(row, (block + 1) % blocks))).or_insert(0.0) += 1.0 / rows as f64;
        }
    }
    pairs
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rejection::Rows;
    use semblant_core::model::Sampler;

    /// Rows of two blocks whose codes are both `row % values`.
    struct Cycle(u32);

    impl Sampler for Cycle {
        type Draw = Draw;
        type Output = Rows;

        fn make(&self, draws: &[Draw], _: u64) -> Rows {
            (draws.iter().flat_map(|draw| [draw.row as u32 % self.0; 2]).collect(), Vec::new())
        }
    }

    #[test]
    fn equal_pairs_are_near_and_missing_ones_far() {
        let codes: Vec<u32> = (0..4096).map(|row| row % 4).collect();
        let pairs = PairDistance::new(&EncodedTable { rows: 4096, codes: vec![codes.clone(), codes], scalars: Vec::new() }, 0);
        assert!(pairs.distance(&Cycle(4)) < 1e-9);
        assert!((pairs.distance(&Cycle(2)) - 0.5).abs() < 1e-9, "half of the pairs never come");
    }
}
