//! As many random choices for one value as it needs.

use semblant_core::seeds::Stream;

/// Random bits in a number.
const BITS: u32 = 53;
/// Bits that are left unused, so that choices are even to one part in 2^16.
const SPARE: u32 = 16;

/// Random choices for a value of `row`, from position `next` on.
#[derive(Debug)]
pub(crate) struct Choices<'a> {
    stream: &'a Stream,
    row: u64,
    next: u32,
    value: u64,
    left: u32,
}

impl<'a> Choices<'a> {
    pub(crate) fn new(stream: &'a Stream, row: u64, position: u32) -> Self {
        Self { stream, row, next: position, value: 0, left: 0 }
    }

    /// A whole number below `bound`.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        if bound <= 1 {
            return 0;
        }
        let needed = (64 - (bound - 1).leading_zeros()).min(BITS - SPARE);
        if self.left < needed + SPARE {
            self.value = self.stream.below(self.row, self.next, 1 << BITS);
            self.next += 1;
            self.left = BITS;
        }
        let product = u128::from(self.value) * u128::from(bound);
        self.value = product as u64 & ((1 << BITS) - 1);
        self.left -= needed;
        (product >> BITS) as u64
    }

    /// One of `all`.
    pub(crate) fn one<'t, T>(&mut self, all: &'t [T]) -> Option<&'t T> {
        all.get(self.below(all.len() as u64) as usize)
    }
}

/// A uniform number above 0 and below 1.
pub(crate) fn open(u: f64) -> f64 {
    if u > 0.0 { u } else { f64::EPSILON / 4.0 }
}

/// The place among weights that a uniform number has; `None` where all are 0.
pub(crate) fn weighted(u: f64, weights: impl Iterator<Item = f64> + Clone) -> Option<usize> {
    let wanted = u * weights.clone().sum::<f64>();
    let mut sum = 0.0;
    weights.into_iter().position(|weight| {
        sum += weight;
        sum >= wanted && weight > 0.0
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn choices_are_even() {
        let stream = Stream::new(3, 9);
        let mut counts = [0u32; 10];
        for row in 0..2_000 {
            let mut choices = Choices::new(&stream, row, 0);
            for _ in 0..50 {
                counts[choices.below(10) as usize] += 1;
            }
        }
        // 100,000 draws: five standard deviations of 10,000 each.
        assert!(counts.iter().all(|&count| (f64::from(count) - 1e4).abs() < 5.0 * 95.0), "{counts:?}");
    }
}
