//! Rows as points of mean 0 and deviation 1 in every dimension, for learners that cannot use labels and missing values directly.

use semblant_data::table::Table;

use super::Target;
use crate::random::subsample;
use crate::table::embed::Embedding;

/// Most numbers of all points of a training set, a quarter of a gigabyte; further rows are left out.
const MOST_NUMBERS: usize = 1 << 25;

/// How the rows of aligned tables become points, fitted to the training rows.
pub(super) struct Points {
    embedding: Embedding,
    mean: Vec<f64>,
    /// One over the deviation; 1 where there is none.
    scale: Vec<f64>,
}

impl Points {
    /// From the rows of `table`, all columns but `exclude`: points `[rows, width]` and the target of each. Tables too large for memory are
    /// cut by `seed`.
    pub(super) fn fit(table: &Table, exclude: &str, target: &Target, seed: u64) -> (Self, Vec<f64>, Target) {
        let embedding = Embedding::fit_without(table, Some(exclude));
        let width = embedding.width().max(1);
        let chosen = subsample(table.rows(), (MOST_NUMBERS / width).max(1), seed, 71);
        let mut points = embedding.points(&table.take(&chosen));
        let count = chosen.len() as f64;
        let mut mean = vec![0.0; width];
        points.chunks_exact(width).for_each(|point| mean.iter_mut().zip(point).for_each(|(mean, value)| *mean += value / count));
        let mut scale = vec![0.0; width];
        points.chunks_exact(width).for_each(|point| {
            scale.iter_mut().zip(point).zip(&mean).for_each(|((sum, value), mean)| *sum += (value - mean).powi(2) / count)
        });
        scale.iter_mut().for_each(|scale| *scale = if *scale > 1e-12 { 1.0 / scale.sqrt() } else { 1.0 });
        let target = match target {
            Target::Classes { codes, count } => Target::Classes { codes: chosen.iter().map(|&row| codes[row]).collect(), count: *count },
            Target::Values(values) => Target::Values(chosen.iter().map(|&row| values[row]).collect()),
        };
        let fitted = Self { embedding, mean, scale };
        fitted.standardise(&mut points);
        (fitted, points, target)
    }

    pub(super) fn width(&self) -> usize {
        self.embedding.width()
    }

    /// Calls `take` with the points of a table, some rows at a time, and how many there are.
    pub(super) fn of(&self, table: &Table, mut take: impl FnMut(&[f64], usize)) {
        const ROWS: usize = 4096;
        for first in (0..table.rows()).step_by(ROWS) {
            let rows: Vec<usize> = (first..(first + ROWS).min(table.rows())).collect();
            let mut points = self.embedding.points(&table.take(&rows));
            self.standardise(&mut points);
            take(&points, rows.len());
        }
    }

    fn standardise(&self, points: &mut [f64]) {
        for point in points.chunks_exact_mut(self.mean.len()) {
            point.iter_mut().zip(&self.mean).zip(&self.scale).for_each(|((value, mean), scale)| *value = (*value - mean) * scale);
        }
    }
}
