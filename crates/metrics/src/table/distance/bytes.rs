//! Lower bounds of distances over one byte an axis, which spare most of the exact ones.

use super::Points;

/// Steps of a number from 0 to 1, and what a label counts in which two points differ.
const STEPS: u8 = u8::MAX;
/// Bytes that are compared at once.
const LANES: usize = 16;

/// Points as bytes: numbers first, then labels, each filled up with zeros to a multiple of [`LANES`].
pub(super) struct Bytes {
    /// The axes of numbers, and those of labels.
    axes: [Vec<usize>; 2],
    /// Bytes of the numbers of a point, and of its labels.
    widths: [usize; 2],
    values: Vec<u8>,
}

impl Bytes {
    pub(super) fn new(points: &Points) -> Self {
        let axes = [false, true].map(|label| (0..points.axes).filter(|&axis| points.labels[axis] == label).collect::<Vec<usize>>());
        let widths = [0, 1].map(|part: usize| axes[part].len().next_multiple_of(LANES));
        let mut bytes = Self { axes, widths, values: Vec::new() };
        bytes.values = (0..points.rows()).flat_map(|row| bytes.encode(points.row(row))).collect();
        bytes
    }

    /// A point as bytes.
    pub(super) fn encode(&self, point: &[f64]) -> Vec<u8> {
        let mut bytes = vec![0; self.widths[0] + self.widths[1]];
        for (byte, &axis) in bytes.iter_mut().zip(&self.axes[0]) {
            // Numbers outside the range come nearer to all others, never farther.
            *byte = (point[axis].clamp(0.0, 1.0) * f64::from(STEPS)).round() as u8;
        }
        for (byte, &axis) in bytes[self.widths[0]..].iter_mut().zip(&self.axes[1]) {
            // Equal labels have equal bytes; up to 256 labels have different ones.
            let label = point[axis] as i64 as u64;
            *byte = label as u8 ^ ((label >> 8).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 56) as u8;
        }
        bytes
    }

    /// The greatest bound of a point whose distance may be `limit`: each number is rounded by up to half a step in either point.
    pub(super) fn greatest(&self, limit: f64) -> u32 {
        // The cast saturates.
        ((limit * f64::from(STEPS) * (1.0 + 1e-9)) as u32).saturating_add(self.axes[0].len() as u32 + 1)
    }

    /// A bound of the distances of the encoded query to the points from `start` to `end`, one after the other.
    pub(super) fn bounds<'a>(&'a self, query: &'a [u8], start: usize, end: usize) -> impl Iterator<Item = u32> + 'a {
        let width = self.widths[0] + self.widths[1];
        let (numbers, labels) = query.split_at(self.widths[0]);
        self.values[start * width..end * width].chunks_exact(width).map(move |point| {
            let (of_numbers, of_labels) = point.split_at(self.widths[0]);
            far(numbers, of_numbers) + u32::from(STEPS) * unequal(labels, of_labels)
        })
    }
}

/// The sum of absolute differences.
fn far(a: &[u8], b: &[u8]) -> u32 {
    let of_lanes = |(a, b): (&[u8], &[u8])| a.iter().zip(b).map(|(a, b)| u32::from(a.abs_diff(*b))).sum::<u32>();
    a.chunks_exact(LANES).zip(b.chunks_exact(LANES)).map(of_lanes).sum()
}

/// The number of differences.
fn unequal(a: &[u8], b: &[u8]) -> u32 {
    let of_lanes = |(a, b): (&[u8], &[u8])| a.iter().zip(b).map(|(a, b)| u32::from(a != b)).sum::<u32>();
    a.chunks_exact(LANES).zip(b.chunks_exact(LANES)).map(of_lanes).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::random;
    use crate::table::distance::{FAR, distance};

    /// Numbers in and beyond the range, missing ones, labels, and ordinals of doubles.
    fn points(rows: usize, seed: u64) -> Points {
        let mut random = random(seed, 1);
        let labels: Vec<bool> = (0..21).map(|axis| axis % 3 == 0).collect();
        let mut values = Vec::new();
        for _ in 0..rows {
            for &label in &labels {
                let number = random.below(3000) as f64 / 1500.0 - 0.5;
                values.push(match (random.below(10), label) {
                    (0, _) => FAR,
                    (1, true) => (number.to_bits() >> 11) as f64 + 2.0 * FAR,
                    (_, true) => random.below(4) as f64,
                    _ => number,
                });
            }
        }
        Points { axes: labels.len(), labels, values }
    }

    #[test]
    fn bounds_are_below_the_distances_and_close_to_them() {
        let (reference, queries) = (points(200, 1), points(50, 2));
        let bytes = Bytes::new(&reference);
        let (mut slack, mut pairs) = (0.0, 0.0);
        for query in 0..queries.rows() {
            let encoded = bytes.encode(queries.row(query));
            for (point, bound) in bytes.bounds(&encoded, 0, reference.rows()).enumerate() {
                let found = distance(queries.row(query), reference.row(point), f64::INFINITY);
                assert!(bound <= bytes.greatest(found), "{bound} for {found}");
                slack += found - f64::from(bound) / 255.0;
                pairs += 1.0;
            }
        }
        assert!(slack / pairs < 3.0, "{}", slack / pairs);
        assert_eq!(bytes.greatest(f64::INFINITY), u32::MAX);
    }
}
