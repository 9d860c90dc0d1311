//! Which streams are for what. Every purpose has a range of numbers of its own: a run and its model take all of their random numbers under one
//! seed, so two purposes with the same number would draw the same values.
//!
//! The ranges below are those of the whole library, by purpose. What uses one divides it by [`streams!`](crate::streams), which does not compile when
//! two parts overlap or lie outside the range. Models that never meet under one seed, such as those of different families, may divide the same
//! range each in its own way.

use std::ops::Range;

use super::Stream;

/// A range of streams, for one purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreamRange {
    first: u32,
    count: u32,
}

impl StreamRange {
    /// All streams. Those with the highest bit are the whole numbers of the others.
    const ALL: Self = Self { first: 0, count: 1 << 31 };

    /// The streams `range` of this range, counted from its first.
    ///
    /// # Panics
    /// When they are not in it; as a constant that is an error of the compiler.
    pub const fn part(self, range: Range<u32>) -> Self {
        assert!(range.start < range.end && range.end <= self.count, "a part lies within its range");
        Self { first: self.first + range.start, count: range.end - range.start }
    }

    /// The first stream, of `seed`.
    pub fn of(self, seed: u64) -> Stream {
        self.nth(seed, 0)
    }

    /// Stream `index`, of `seed`.
    ///
    /// # Panics
    /// When there are not so many.
    pub fn nth(self, seed: u64, index: u32) -> Stream {
        assert!(index < self.count, "this purpose has {} streams, no stream {index}", self.count);
        Stream::new(seed, self.first + index)
    }
}

/// Whether no two ranges overlap.
pub const fn are_disjoint(ranges: &[StreamRange]) -> bool {
    let mut a = 0;
    while a < ranges.len() {
        let mut b = 0;
        while b < a {
            if ranges[a].first < ranges[b].first + ranges[b].count && ranges[b].first < ranges[a].first + ranges[a].count {
                return false;
            }
            b += 1;
        }
        a += 1;
    }
    true
}

/// Declares constants of type [`StreamRange`](crate::seeds::streams::StreamRange) as parts of one range, counted from its first stream. Parts that
/// overlap, or that lie outside, do not compile:
///
/// ```compile_fail
/// semblant_core::streams! {
///     in semblant_core::seeds::streams::TRAINING;
///     const NOISE = 0..2;
///     const ORDER = 1..2;
/// }
/// ```
#[macro_export]
macro_rules! streams {
    (in $range:expr; $($(#[$about:meta])* $seen:vis const $name:ident = $part:expr;)+) => {
        $($(#[$about])* $seen const $name: $crate::seeds::streams::StreamRange = $range.part($part);)+
        const _: () = assert!($crate::seeds::streams::are_disjoint(&[$($name),+]), "two purposes have a stream in common");
    };
}

streams! {
    in StreamRange::ALL;
    /// The first attempts at a row that has to meet conditions.
    pub const FIRST_ATTEMPTS = 0..0x100;
    /// First weights, one stream a layer, of models that number their layers.
    pub const LAYERS = 0x100..0x0100_0000;
    /// Sampling.
    pub const SAMPLING = 0x0100_0000..0x0200_0000;
    /// First weights, one stream a parameter.
    pub const WEIGHTS = 0x0200_0000..0x0300_0000;
    /// First weights of classifiers that data are judged by.
    pub const CLASSIFIER_WEIGHTS = 0x0300_0000..0x0300_0010;
    /// What is estimated of a trained model, or fitted to its latent vectors.
    pub const ESTIMATES = 0x0300_0010..0x0300_0020;
    /// Directions onto which features are projected.
    pub const PROJECTIONS = 0x0300_0020..0x0300_0030;
    /// Where target shares of a sample start.
    pub const SHARES = 0x0300_0030..0x0300_0031;
    /// Seeds of further draws of rows whose values no other row may have.
    pub const REDRAWS = 0x0300_0031..0x0300_0032;
    /// First weights of learners that measure utility.
    pub const LEARNER_WEIGHTS = 0x0310_0000..0x0320_0000;
    /// Choices and orders of rows in metrics.
    pub const EVALUATION = 0x0320_0000..0x0400_0000;
    /// All attempts at a row after the first ones.
    pub const ATTEMPTS = 0x1000_0000..0x2000_0000;
    /// Encoding of data, one stream a column.
    pub const ENCODING = 0x2000_0000..0x3000_0000;
    /// What takes the place of rare values before training, one stream a column.
    pub const PROTECTION = 0x5000_0000..0x5800_0000;
    /// Names and special values of sampled rows, one stream a column.
    pub const NAMES = 0x5800_0000..0x6000_0000;
    /// Batch statistics of averaged weights.
    pub const CALIBRATION = 0x3000_0000..0x4000_0000;
    /// Training steps.
    pub const TRAINING = 0x4000_0000..0x5000_0000;
    /// Rows of models without networks.
    pub const ROWS = 0x636f_7075..0x636f_7076;
    /// Values of declared tables, one stream a column and purpose.
    pub const RULES = 0x6400_0000..0x7000_0000;
    /// Simulated data.
    pub const SIMULATION = 0x7061_7469..0x7061_746a;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overlaps_are_found() {
        let part = |range| StreamRange::ALL.part(range);
        assert!(are_disjoint(&[part(4..6), part(0..4), part(6..7)]));
        for other in [3..5, 5..9, 4..6, 0..9, 5..6] {
            assert!(!are_disjoint(&[part(4..6), part(other.clone())]), "{other:?}");
        }
    }

    #[test]
    fn a_stream_is_counted_from_the_first_of_its_range() {
        assert_eq!(SAMPLING.part(0x10..0x20).nth(7, 2), Stream::new(7, 0x0100_0012));
        assert_eq!(TRAINING.of(7), Stream::new(7, 0x4000_0000));
    }
}
