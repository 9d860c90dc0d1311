//! Two axes along which the real rows differ most.

use faer::{Mat, Side};
use semblant_data::table::{Column, Table};

use crate::random::subsample;

/// Mean and two directions in the space of standardised numbers and one-hot labels, fitted to one table.
pub(super) struct Plane {
    columns: Vec<Encoding>,
    directions: [Vec<f64>; 2],
}

enum Encoding {
    Number {
        mean: f64,
        deviation: f64,
    },
    /// The codes that have an axis, with their shares.
    Labels(Vec<(u32, f64)>),
}

/// Most axes that one category column gets.
const MAX_LABELS: usize = 20;

impl Plane {
    /// `None` when the rows do not vary or the decomposition fails.
    pub(super) fn fit(table: &Table) -> Option<Self> {
        let columns: Vec<Encoding> = table.columns().iter().map(encoding).collect();
        let mut plane = Self { columns, directions: [Vec::new(), Vec::new()] };
        let rows: Vec<Vec<f64>> = (0..table.rows()).map(|row| plane.encode(table, row)).collect();
        let width = rows.first()?.len();
        let mut covariance = Mat::<f64>::zeros(width, width);
        for row in &rows {
            let filled: Vec<usize> = (0..width).filter(|&i| row[i] != 0.0).collect();
            for &i in &filled {
                for &j in &filled {
                    covariance[(i, j)] += row[i] * row[j] / rows.len() as f64;
                }
            }
        }
        if width < 2 || (0..width).all(|i| covariance[(i, i)] == 0.0) {
            return None;
        }
        plane.directions = leading(&covariance)?;
        Some(plane)
    }

    /// Where the rows of a table (aligned with the one fitted) lie.
    pub(super) fn project(&self, table: &Table) -> Vec<[f64; 2]> {
        let place = |row| {
            let encoded = self.encode(table, row);
            self.directions.each_ref().map(|direction| direction.iter().zip(&encoded).map(|(a, b)| a * b).sum())
        };
        (0..table.rows()).map(place).collect()
    }

    fn encode(&self, table: &Table, row: usize) -> Vec<f64> {
        let mut encoded = Vec::new();
        for (encoding, column) in self.columns.iter().zip(table.columns()) {
            match (encoding, column) {
                // Four deviations hold every bulk; beyond, a single outlier would set the picture's scale.
                (Encoding::Number { mean, deviation }, Column::Number(values)) if values[row].is_finite() => {
                    let place = (values[row] - mean) / deviation;
                    encoded.push(if place.is_nan() { 0.0 } else { place.clamp(-4.0, 4.0) });
                }
                (Encoding::Number { .. }, _) => encoded.push(0.0),
                (Encoding::Labels(labels), column) => {
                    let code = column.categories().map(|(codes, _)| codes[row]);
                    encoded.extend(labels.iter().map(|(label, share)| f64::from(u8::from(code == Some(*label))) - share));
                }
            }
        }
        encoded
    }
}

fn encoding(column: &Column) -> Encoding {
    match column {
        Column::Number(values) => {
            let known: Vec<f64> = values.iter().copied().filter(|value| value.is_finite()).collect();
            let n = known.len().max(1) as f64;
            let mean = known.iter().sum::<f64>() / n;
            let deviation = (known.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / n).sqrt();
            let mean = if mean.is_finite() { mean } else { 0.0 };
            // A constant becomes 0 everywhere instead of dividing by 0.
            Encoding::Number { mean, deviation: if deviation > 0.0 && deviation.is_finite() { deviation } else { f64::INFINITY } }
        }
        Column::Category { codes, levels } => {
            let mut counts: Vec<(u32, f64)> = (0..levels.len() as u32).map(|code| (code, 0.0)).collect();
            for &code in codes {
                if let Some(count) = counts.get_mut(code as usize) {
                    count.1 += 1.0 / codes.len() as f64;
                }
            }
            counts.sort_by(|a, b| b.1.total_cmp(&a.1));
            counts.truncate(MAX_LABELS);
            Encoding::Labels(counts)
        }
    }
}

/// The two directions in which a covariance is largest.
fn leading(covariance: &Mat<f64>) -> Option<[Vec<f64>; 2]> {
    let width = covariance.nrows();
    let eigen = covariance.self_adjoint_eigen(Side::Lower).ok()?;
    Some([1, 2].map(|from_last| direction((0..width).map(|i| eigen.U()[(i, width - from_last)]).collect())))
}

/// Where features `[n, width]` of both sides lie along the two directions in which the real ones differ most; at most `points` of each, drawn
/// by `seed`.
pub(super) fn of_features([real, synthetic]: [&[f32]; 2], width: usize, points: usize, seed: u64) -> Option<[Vec<[f64; 2]>; 2]> {
    let count = real.len() / width;
    if width < 2 || count < 3 {
        return None;
    }
    let mut centred = Mat::from_fn(width, count, |i, row| f64::from(real[row * width + i]));
    let mean: Vec<f64> = (0..width).map(|i| (0..count).map(|row| centred[(i, row)]).sum::<f64>() / count as f64).collect();
    centred.col_iter_mut().for_each(|column| column.iter_mut().zip(&mean).for_each(|(value, mean)| *value -= mean));
    let directions = leading(&(&centred * centred.transpose()))?;
    let place = |row: &[f32]| {
        let along = |direction: &Vec<f64>| row.iter().zip(&mean).zip(direction).map(|((&x, mean), d)| (f64::from(x) - mean) * d).sum();
        directions.each_ref().map(along)
    };
    let some = |features: &[f32], purpose| -> Vec<[f64; 2]> {
        let rows = subsample(features.len() / width, points, seed, purpose);
        rows.into_iter().map(|row| place(&features[row * width..(row + 1) * width])).collect()
    };
    Some([some(real, 52), some(synthetic, 53)])
}

/// An eigenvector's sign is arbitrary; its largest entry is made positive so that pictures do not flip.
fn direction(vector: Vec<f64>) -> Vec<f64> {
    let largest = vector.iter().copied().max_by(|a, b| a.abs().total_cmp(&b.abs())).unwrap_or(1.0);
    vector.into_iter().map(|entry| entry * largest.signum()).collect()
}
