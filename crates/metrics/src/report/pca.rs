//! Points of both data sets in the plane of the first two principal components of the real one.

use semblant_data::table::{Column, Table};

use super::Scatter;
use crate::components::Components;
use crate::random::subsample;

/// Most labels of a column that get a dimension.
const MAX_LABELS: usize = 20;

/// Rows of two aligned tables, at most `points` of each, drawn by `seed`; `None` if the real rows do not vary.
pub(super) fn of_tables(tables: &[Table], points: usize, seed: u64) -> Option<Scatter> {
    let some = |table: &Table, count, purpose| table.take(&subsample(table.rows(), count, seed, purpose));
    let fitted = some(&tables[0], 10 * points, 8);
    let columns: Vec<Encoding> = fitted.columns().iter().map(encoding).collect();
    let encoded = |table: &Table| (0..table.rows()).flat_map(|row| encode(&columns, table, row)).collect::<Vec<f64>>();
    let rows = encoded(&fitted);
    let width = rows.len() / fitted.rows().max(1);
    scatter(&rows, [&encoded(&some(&tables[0], points, 9)), &encoded(&some(&tables[1], points, 10))], width)
}

/// Features `[n, width]` of both sets, at most `points` of each, drawn by `seed`.
pub(super) fn of_features(features: [&[f32]; 2], width: usize, points: usize, seed: u64) -> Option<Scatter> {
    let all: Vec<f64> = features[0].iter().copied().map(f64::from).collect();
    let [real, synthetic] = [0, 1].map(|set: usize| {
        let rows = subsample(features[set].len() / width, points, seed, 52 + set as u64);
        rows.into_iter().flat_map(|row| &features[set][row * width..(row + 1) * width]).copied().map(f64::from).collect::<Vec<f64>>()
    });
    scatter(&all, [&real, &synthetic], width)
}

fn scatter(fitted: &[f64], [real, synthetic]: [&[f64]; 2], width: usize) -> Option<Scatter> {
    if width < 2 || fitted.len() < 3 * width {
        return None;
    }
    let plane = Components::fit(fitted, width, 2).filter(|plane| plane.variances[0] > 0.0)?;
    let project = |points: &[f64]| plane.project(points).chunks_exact(2).map(|point| [point[0], point[1]]).collect();
    Some(Scatter { real: project(real), synthetic: project(synthetic) })
}

/// Standardised numbers and one-hot labels.
enum Encoding {
    Number {
        mean: f64,
        deviation: f64,
    },
    /// The codes that have a dimension.
    Labels(Vec<u32>),
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
            let mut counts: Vec<(u32, usize)> = (0..levels.len() as u32).map(|code| (code, 0)).collect();
            for &code in codes {
                if let Some(count) = counts.get_mut(code as usize) {
                    count.1 += 1;
                }
            }
            counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
            Encoding::Labels(counts.into_iter().take(MAX_LABELS).map(|(code, _)| code).collect())
        }
    }
}

fn encode(columns: &[Encoding], table: &Table, row: usize) -> Vec<f64> {
    let mut encoded = Vec::new();
    for (encoding, column) in columns.iter().zip(table.columns()) {
        match (encoding, column) {
            // Four deviations include every bulk; beyond, a single outlier would set the scale of the plot.
            (Encoding::Number { mean, deviation }, Column::Number(values)) if values[row].is_finite() => {
                let place = (values[row] - mean) / deviation;
                encoded.push(if place.is_nan() { 0.0 } else { place.clamp(-4.0, 4.0) });
            }
            (Encoding::Number { .. }, _) => encoded.push(0.0),
            (Encoding::Labels(labels), column) => {
                let code = column.categories().map(|(codes, _)| codes[row]);
                encoded.extend(labels.iter().map(|label| f64::from(u8::from(code == Some(*label)))));
            }
        }
    }
    encoded
}
