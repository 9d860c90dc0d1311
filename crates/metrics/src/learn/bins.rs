//! Columns as small integers: at most 255 bins and one for missing values.

use std::collections::HashMap;

use rayon::prelude::*;
use semblant_data::table::{Column, ColumnKind, Table};

/// Bins besides the one for missing values.
pub(crate) const MAX_BINS: usize = 255;

/// How the columns of one table become bins; columns of other tables are found by name, labels by text.
#[derive(Debug, Clone)]
pub(crate) struct Binner {
    pub(crate) features: Vec<Feature>,
}

#[derive(Debug, Clone)]
pub(crate) struct Feature {
    name: String,
    /// Bins besides the missing one, whose number this is.
    pub(crate) bins: usize,
    edges: Edges,
}

#[derive(Debug, Clone)]
enum Edges {
    /// Bin = how many thresholds are below the value.
    Number(Vec<f64>),
    /// Bin by label; labels not listed are missing.
    Category(HashMap<String, u8>),
}

impl Feature {
    pub(crate) fn is_category(&self) -> bool {
        matches!(self.edges, Edges::Category(_))
    }
}

impl Binner {
    /// Bins for every modelled column but `target`.
    pub(crate) fn fit(table: &Table, target: Option<&str>) -> Self {
        let kept: Vec<_> =
            table.iter().filter(|(described, _)| described.kind.is_modelled() && Some(described.name.as_str()) != target).collect();
        let fit = |(described, column): (&semblant_data::table::ColumnSchema, &Column)| {
            let (bins, edges) = match column {
                Column::Number(values) => {
                    let thresholds = thresholds(values);
                    (thresholds.len() + 1, Edges::Number(thresholds))
                }
                Column::Category { codes, levels } => {
                    let labels = frequent_labels(codes, levels);
                    (labels.values().map(|&bin| bin as usize + 1).max().unwrap_or(1), Edges::Category(labels))
                }
            };
            Feature { name: described.name.clone(), bins, edges }
        };
        debug_assert!(kept.iter().all(|(described, _)| described.kind != ColumnKind::Id));
        Self { features: kept.into_par_iter().map(fit).collect() }
    }

    /// The bins of a table, one list per feature; a column that the table lacks is missing throughout.
    pub(crate) fn apply(&self, table: &Table) -> Vec<Vec<u8>> {
        self.features.par_iter().map(|feature| feature.apply(table)).collect()
    }
}

impl Feature {
    fn apply(&self, table: &Table) -> Vec<u8> {
        let missing = self.bins as u8;
        match (&self.edges, table.column(&self.name)) {
            (Edges::Number(thresholds), Ok(Column::Number(values))) => {
                let bin =
                    |value: &f64| if value.is_nan() { missing } else { thresholds.partition_point(|threshold| threshold < value) as u8 };
                values.iter().map(bin).collect()
            }
            (Edges::Category(labels), Ok(Column::Category { codes, levels })) => {
                let bins: Vec<u8> = levels.iter().map(|label| labels.get(label).copied().unwrap_or(missing)).collect();
                codes.iter().map(|&code| bins.get(code as usize).copied().unwrap_or(missing)).collect()
            }
            _ => vec![missing; table.rows()],
        }
    }
}

/// Thresholds between all distinct values when they are few, else at quantiles (scikit-learn's rule).
fn thresholds(values: &[f64]) -> Vec<f64> {
    let mut sorted: Vec<f64> = values.iter().copied().filter(|value| !value.is_nan()).collect();
    sorted.sort_unstable_by(f64::total_cmp);
    let mut distinct = sorted.clone();
    distinct.dedup();
    let middle = |low: f64, high: f64| if (low + high).is_finite() { low + (high - low) / 2.0 } else { low };
    if distinct.len() <= MAX_BINS {
        return distinct.windows(2).map(|pair| middle(pair[0], pair[1])).collect();
    }
    let last = (sorted.len() - 1) as f64;
    let quantile = |bin: usize| {
        let place = bin as f64 / MAX_BINS as f64 * last;
        middle(sorted[place.floor() as usize], sorted[place.ceil() as usize])
    };
    let mut thresholds: Vec<f64> = (1..MAX_BINS).map(quantile).collect();
    thresholds.dedup();
    thresholds
}

/// The 254 most frequent labels that occur, each its bin; the rarer ones share the last.
fn frequent_labels(codes: &[u32], levels: &[String]) -> HashMap<String, u8> {
    let mut counts = vec![0usize; levels.len()];
    for &code in codes {
        if let Some(count) = counts.get_mut(code as usize) {
            *count += 1;
        }
    }
    let mut order: Vec<usize> = (0..levels.len()).filter(|&code| counts[code] > 0).collect();
    order.sort_by(|&a, &b| counts[b].cmp(&counts[a]).then_with(|| levels[a].cmp(&levels[b])));
    order.into_iter().enumerate().map(|(bin, code)| (levels[code].clone(), bin.min(MAX_BINS - 1) as u8)).collect()
}
