//! Distances between all rows of two sets, a block at a time, by matrix products.

use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};
use rayon::prelude::*;

/// Rows of `width` numbers each, one after the other.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rows<'a, T> {
    values: &'a [T],
    width: usize,
}

/// Queries that one task takes on.
const QUERIES: usize = 128;
/// References of one matrix product: with the queries it makes 4 MiB, which is all the memory that a task needs.
const REFERENCES: usize = 4096;

impl<'a, T: Copy + Into<f64> + Sync> Rows<'a, T> {
    /// # Panics
    /// When the length is no multiple of `width`.
    pub(crate) fn new(values: &'a [T], width: usize) -> Self {
        assert!(width > 0 && values.len().is_multiple_of(width), "whole rows");
        Self { values, width }
    }

    pub(crate) fn count(&self) -> usize {
        self.values.len() / self.width
    }

    /// For every row of `self`, in parallel: `start(row)`, then `step` with the place of a reference row and the squared Euclidean
    /// distances to it and those that follow it, until all were seen.
    ///
    /// The distances are `|a|^2 + |b|^2 - 2 a b` in double precision, not below 0: exact for bytes, and otherwise good to the last digits
    /// of the squares.
    pub(crate) fn fold<S: Send>(
        &self,
        references: &Rows<T>,
        start: impl Fn(usize) -> S + Sync,
        step: impl Fn(&mut S, usize, &[f64]) + Sync,
    ) -> Vec<S> {
        let width = self.width;
        let reference_squares = references.squares();
        let block = |(block, queries): (usize, &[T])| {
            let queries = double(queries);
            let count = queries.len() / width;
            let squares: Vec<f64> = queries.chunks_exact(width).map(square).collect();
            let mut states: Vec<S> = (0..count).map(|query| start(block * QUERIES + query)).collect();
            let mut products = vec![0.0; REFERENCES.min(references.count()) * count];
            for (tile, tile_squares) in reference_squares.chunks(REFERENCES).enumerate() {
                let (first, rows) = (tile * REFERENCES, tile_squares.len());
                let values = double(&references.values[first * width..(first + rows) * width]);
                let products = &mut products[..rows * count];
                multiply(products, &values, &queries, width); // [count, rows]: -2 a b
                for ((products, state), square) in products.chunks_exact_mut(rows).zip(&mut states).zip(&squares) {
                    products.iter_mut().zip(tile_squares).for_each(|(value, of_it)| *value = (*value + square + of_it).max(0.0));
                    step(state, first, products);
                }
            }
            states
        };
        self.values.par_chunks(QUERIES * width).enumerate().flat_map_iter(block).collect()
    }

    fn squares(&self) -> Vec<f64> {
        self.values.par_chunks_exact(self.width).map(|row| row.iter().map(|&value| value.into() * value.into()).sum()).collect()
    }
}

fn double<T: Copy + Into<f64>>(values: &[T]) -> Vec<f64> {
    values.iter().map(|&value| value.into()).collect()
}

fn square(row: &[f64]) -> f64 {
    row.iter().map(|value| value * value).sum()
}

/// `out[b, a] = -2 a b` for all rows of both; on the calling thread, as the callers are many.
fn multiply(out: &mut [f64], a: &[f64], b: &[f64], width: usize) {
    let (rows, columns) = (a.len() / width, b.len() / width);
    let a = MatRef::from_row_major_slice(a, rows, width);
    let b = MatRef::from_column_major_slice(b, width, columns);
    matmul(MatMut::from_column_major_slice_mut(out, rows, columns), Accum::Replace, a, b, -2.0, Par::Seq);
}

/// The `K` smallest values that were added, ascending; infinity for those that never came.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Smallest<const K: usize>(pub(crate) [f64; K]);

impl<const K: usize> Smallest<K> {
    pub(crate) fn new() -> Self {
        Self([f64::INFINITY; K])
    }

    pub(crate) fn add(&mut self, value: f64) {
        if value < self.0[K - 1] {
            let place = self.0.partition_point(|other| *other <= value);
            self.0.copy_within(place..K - 1, place + 1);
            self.0[place] = value;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    #[test]
    fn every_distance_comes_once_and_is_right() {
        let mut random = Random::new(3, 0);
        // More than one block of queries and more than one tile of references.
        let mut bytes = |rows: usize| (0..rows * 3).map(|_| random.below(256) as u8).collect::<Vec<u8>>();
        let (queries, references) = (bytes(300), bytes(5000));
        let found = Rows::new(&queries, 3).fold(
            &Rows::new(&references, 3),
            |_| Vec::new(),
            |all, first, distances| {
                assert_eq!(first, all.len());
                all.extend_from_slice(distances);
            },
        );
        assert_eq!(found.len(), 300);
        for (query, found) in queries.chunks_exact(3).zip(found) {
            assert_eq!(found.len(), 5000);
            for (reference, found) in references.chunks_exact(3).zip(found) {
                let expected: i32 = query.iter().zip(reference).map(|(&a, &b)| (i32::from(a) - i32::from(b)).pow(2)).sum();
                assert_eq!(found, f64::from(expected));
            }
        }
    }

    #[test]
    fn the_smallest_are_kept_in_order() {
        let mut smallest = Smallest::<3>::new();
        [5.0, 2.0, 9.0, 2.0].into_iter().for_each(|value| smallest.add(value));
        assert_eq!(smallest.0, [2.0, 2.0, 5.0]);
        assert_eq!(Smallest::<1>::new().0, [f64::INFINITY]);
    }
}
