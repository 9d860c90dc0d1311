//! A stream read in order, for what draws an unknown number of numbers.

use super::Stream;

/// The whole and uniform numbers of one row of a stream, one position after the other.
#[derive(Debug, Clone)]
pub struct Sequence {
    stream: Stream,
    row: u64,
    position: u32,
}

impl Stream {
    /// The numbers of `row` from its first position on.
    pub fn sequence(self, row: u64) -> Sequence {
        Sequence { stream: self, row, position: 0 }
    }
}

impl Sequence {
    fn next(&mut self) -> u32 {
        let position = self.position;
        self.position += 1;
        position
    }

    /// The next whole number in `0..bound`; see [`Stream::below`].
    ///
    /// # Panics
    /// When `bound` is 0.
    pub fn below(&mut self, bound: usize) -> usize {
        let position = self.next();
        self.stream.below(self.row, position, bound as u64) as usize
    }

    /// The next uniform number in [0, 1); see [`Stream::uniform_f64`].
    pub fn unit(&mut self) -> f64 {
        let position = self.next();
        self.stream.uniform_f64(self.row, position)
    }

    /// Puts items into a random order (Fisher and Yates).
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last + 1));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sequence_is_the_stream_in_order() {
        let stream = Stream::new(3, 1);
        let mut sequence = stream.sequence(5);
        assert_eq!(sequence.below(100), stream.below(5, 0, 100) as usize);
        assert_eq!(sequence.unit(), stream.uniform_f64(5, 1));
        let mut items: Vec<u32> = (0..50).collect();
        sequence.shuffle(&mut items);
        assert_ne!(items[..10], [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
        items.sort_unstable();
        assert!(items.into_iter().eq(0..50));
    }
}
