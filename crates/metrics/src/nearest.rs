//! Distances between all rows of two sets, in blocks, by matrix products.

use burn::tensor::{Device, Tensor};
use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};
use rayon::prelude::*;
use semblant_core::host;

/// Rows of `width` numbers each, one after the other.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rows<'a, T> {
    values: &'a [T],
    width: usize,
}

/// Some rows of `width` numbers each, one after the other.
pub(crate) fn rows_at<T: Copy>(values: &[T], width: usize, rows: &[usize]) -> Vec<T> {
    rows.iter().flat_map(|&row| &values[row * width..(row + 1) * width]).copied().collect()
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
    /// distances to it and those that follow it, until the last.
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

/// Queries that go to a device together: with a tile of references 64 MiB of products come back.
const QUERIES_ON_DEVICE: usize = 4096;

impl Rows<'_, f32> {
    /// As [`Rows::fold`], with the products in single precision on `device` where that is not this process's memory: distances are then good to
    /// about 1e-6 of the largest squares around the centre of the references.
    pub(crate) fn fold_on<S: Send>(
        &self,
        references: &Rows<f32>,
        device: &Device,
        start: impl Fn(usize) -> S + Sync,
        step: impl Fn(&mut S, usize, &[f64]) + Sync,
    ) -> Vec<S> {
        if host::is_host(device) { self.fold(references, start, step) } else { self.fold_by(device, references, start, step) }
    }

    fn fold_by<S: Send>(
        &self,
        device: &Device,
        references: &Rows<f32>,
        start: impl Fn(usize) -> S,
        step: impl Fn(&mut S, usize, &[f64]) + Sync,
    ) -> Vec<S> {
        let width = self.width;
        // Moving both sides changes no distance, and less is lost in differences of large numbers.
        let centre = references.mean();
        let centred = |rows: &[f32]| -> Vec<f32> {
            rows.chunks_exact(width).flat_map(|row| row.iter().zip(&centre).map(|(value, centre)| value - centre)).collect()
        };
        let upload = |rows: &[f32]| {
            let rows = centred(rows);
            let of_row = |row: &[f32]| row.iter().map(|&value| f64::from(value) * f64::from(value)).sum();
            let squares: Vec<f64> = rows.chunks_exact(width).map(of_row).collect();
            let shape = [squares.len(), width];
            (squares, host::tensor(rows, shape, device))
        };
        let tiles: Vec<(Vec<f64>, Tensor<2>)> = references.values.chunks(REFERENCES * width).map(upload).collect();
        let mut states: Vec<S> = (0..self.count()).map(start).collect();
        for (queries, states) in self.values.chunks(QUERIES_ON_DEVICE * width).zip(states.chunks_mut(QUERIES_ON_DEVICE)) {
            let (squares, queries) = upload(queries);
            for (tile, (tile_squares, references)) in tiles.iter().enumerate() {
                let products = queries.clone().matmul(references.clone().transpose()); // [queries, references]
                host::read(&products, |products| {
                    let rows = products.par_chunks_exact(tile_squares.len()).zip(&squares);
                    states.par_iter_mut().zip(rows).for_each_init(Vec::new, |distances, (state, (products, square))| {
                        let distance = |(product, of_it): (&f32, &f64)| (square + of_it - 2.0 * f64::from(*product)).max(0.0);
                        distances.clear();
                        distances.extend(products.iter().zip(tile_squares).map(distance));
                        step(state, tile * REFERENCES, distances);
                    });
                });
            }
        }
        states
    }

    /// The mean row.
    fn mean(&self) -> Vec<f32> {
        let mut sums = vec![0.0; self.width];
        self.values.chunks_exact(self.width).for_each(|row| sums.iter_mut().zip(row).for_each(|(sum, &value)| *sum += f64::from(value)));
        sums.into_iter().map(|sum| (sum / self.count().max(1) as f64) as f32).collect()
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
    use crate::random::random;

    #[test]
    fn every_distance_comes_once_and_is_right() {
        let mut random = random(3, 0);
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
    fn a_device_finds_the_same_distances() {
        let mut random = random(4, 0);
        // Far from the origin, where single precision would not distinguish them.
        let mut rows = |rows: usize| (0..rows * 3).map(|_| 100.0 + random.unit() as f32).collect::<Vec<f32>>();
        let (queries, references) = (rows(QUERIES_ON_DEVICE + 70), rows(REFERENCES + 50));
        let (queries, references) = (Rows::new(&queries, 3), Rows::new(&references, 3));
        let add = |smallest: &mut (usize, Smallest<2>), first: usize, distances: &[f64]| {
            assert_eq!(smallest.0, first);
            smallest.0 += distances.len();
            distances.iter().for_each(|&distance| smallest.1.add(distance));
        };
        let start = |_| (0, Smallest::new());
        let (host, device) = (queries.fold(&references, start, add), queries.fold_by(&Device::flex(), &references, start, add));
        assert_eq!(host.len(), device.len());
        for (host, device) in host.iter().zip(&device) {
            assert_eq!(host.0, device.0);
            assert!(host.1.0.iter().zip(device.1.0).all(|(host, device)| (host - device).abs() < 1e-6), "{host:?} {device:?}");
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
