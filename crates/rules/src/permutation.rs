//! Permutations of `0..n` for any n, computed for one place at a time: each value comes exactly once, without a list of those before.

use semblant_core::seeds::Stream;

const ROUNDS: usize = 8;

/// A permutation of `0..domain`: a balanced Feistel network over the next even number of bits, walked along its cycle until the value lies in
/// the domain (Black and Rogaway 2002, "Ciphers with arbitrary finite domains"). At most four steps are needed on average.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Permutation {
    domain: u64,
    half: u32,
    keys: [u64; ROUNDS],
}

impl Permutation {
    /// One of `0..domain` by the numbers of `stream` at `row`.
    pub(crate) fn new(domain: u64, stream: &Stream, row: u64) -> Self {
        let bits = 64 - domain.saturating_sub(1).leading_zeros();
        let mut keys = [0; ROUNDS];
        for (round, key) in keys.iter_mut().enumerate() {
            *key = stream.below(row, round as u32, 1 << 53);
        }
        Self { domain, half: bits.div_ceil(2).max(1), keys }
    }

    /// The value of place `index`, which is below the domain.
    pub(crate) fn of(&self, index: u64) -> u64 {
        let mut value = self.step(index);
        while value >= self.domain {
            value = self.step(value);
        }
        value
    }

    fn step(&self, value: u64) -> u64 {
        let mask = (1u64 << self.half) - 1;
        let (mut left, mut right) = (value >> self.half, value & mask);
        for key in self.keys {
            (left, right) = (right, left ^ (mixed(right ^ key.rotate_left(17)) & mask));
        }
        left << self.half | right
    }
}

/// The finalizer of SplitMix64 (Steele, Lea and Flood 2014).
pub(crate) fn mixed(value: u64) -> u64 {
    let value = (value ^ value >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ value >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ value >> 31
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_comes_once() {
        for domain in [1, 2, 3, 7, 16, 1_000, 65_537] {
            let permutation = Permutation::new(domain, &Stream::new(1, 2), 3);
            let mut seen = vec![false; domain as usize];
            (0..domain).for_each(|index| assert!(!std::mem::replace(&mut seen[permutation.of(index) as usize], true), "{domain}"));
        }
        let large = Permutation::new(u64::MAX, &Stream::new(1, 2), 3);
        assert!((0..1_000).all(|index| large.of(index) != index));
    }

    #[test]
    fn values_are_spread() {
        let permutation = Permutation::new(1_000_000, &Stream::new(1, 2), 3);
        let mean = (0..10_000).map(|index| permutation.of(index) as f64).sum::<f64>() / 1e4;
        // Four standard errors of the mean of uniform numbers.
        assert!((mean - 5e5).abs() < 4.0 * 1e6 / 12f64.sqrt() / 100.0, "{mean}");
    }
}
