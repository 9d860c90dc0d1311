//! The only randomness of this crate: seeded permutations.

/// SplitMix64 (Steele, Lea, Flood 2014): one 64-bit state, good enough to shuffle rows, the same on every platform.
pub(crate) struct Random(u64);

impl Random {
    /// A stream for `seed`; `purpose` keeps streams of different uses apart.
    pub(crate) fn new(seed: u64, purpose: u64) -> Self {
        Self(seed ^ purpose.wrapping_mul(0xD1B5_4A32_D192_ED03))
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number below `bound`; the multiply-shift bias is under 2^-40 for every table that fits in memory.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        ((u128::from(self.next()) * bound as u128) >> 64) as usize
    }

    /// A number in [0, 1).
    pub(crate) fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    pub(crate) fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last + 1));
        }
    }
}

/// `count` different indices below `rows`, ascending; all of them when `count` is not smaller.
pub(crate) fn subsample(rows: usize, count: usize, seed: u64, purpose: u64) -> Vec<usize> {
    let mut indices: Vec<usize> = (0..rows).collect();
    if count >= rows {
        return indices;
    }
    Random::new(seed, purpose).shuffle(&mut indices);
    indices.truncate(count);
    indices.sort_unstable();
    indices
}
