//! Distance to the closest record, exactly, by a search tree of boxes.

mod bytes;
mod tree;

use semblant_data::table::{Column, MISSING, Table};

use super::align::align;
use super::binning::range;
use crate::Result;

pub(crate) use self::tree::{BoxTree, Nearest};

/// For every row of `query` the distance to its nearest row of `reference`, numbers scaled by the reference's ranges.
///
/// The distance of two rows is the mean over modelled columns of: |a - b| / (max - min of the reference), at most 1, for numbers and datetimes;
/// 0 or 1 for categories (and for numbers that are constant in the reference); 1 when one of the two is missing, 0 when both are.
/// Range 0 to 1. Source: SDMetrics 0.29.0, calculate_dcr. Exact: no row is left out and nothing is approximated.
///
/// # Errors
/// [`crate::Error::Tables`] when the tables share no column or one has no rows.
pub fn closest_record_distances(reference: &Table, query: &Table) -> Result<Vec<f64>> {
    let tables = align(&[reference, query])?;
    let scale = Scale::new(&tables[0]);
    Ok(BoxTree::new(&scale.points(&tables[0])).distances(&scale.points(&tables[1])))
}

/// How rows become points, such that the distance of two rows is the mean over columns of min(|a - b|, 1).
pub(crate) struct Scale(Vec<Axis>);

enum Axis {
    /// (value - low) / width.
    Number { low: f64, width: f64 },
    /// Equal or not: distinct values lie at least 1 apart.
    Same,
}

/// Far from every other value, and equal to itself: a missing one.
const FAR: f64 = 1e9;
/// Scaled numbers are held within this, so that no number comes near [`FAR`] and no infinity yields NaN.
const EDGE: f64 = 1e6;

impl Scale {
    /// The scale set by a table's number ranges.
    pub(crate) fn new(reference: &Table) -> Self {
        Self(reference.columns().iter().map(axis).collect())
    }

    /// The rows of an aligned table as points.
    pub(crate) fn points(&self, table: &Table) -> Points {
        let axes = self.0.len();
        let mut values = vec![0.0; axes * table.rows()];
        for (place, (axis, column)) in self.0.iter().zip(table.columns()).enumerate() {
            for row in 0..table.rows() {
                values[row * axes + place] = axis.place(column, row);
            }
        }
        Points { axes, labels: self.0.iter().map(|axis| matches!(axis, Axis::Same)).collect(), values }
    }
}

fn axis(column: &Column) -> Axis {
    match column.numbers().and_then(range) {
        Some((low, high)) if high > low && (high - low).is_finite() => Axis::Number { low, width: high - low },
        _ => Axis::Same,
    }
}

impl Axis {
    fn place(&self, column: &Column, row: usize) -> f64 {
        match (self, column) {
            (_, Column::Category { codes, .. }) => {
                if codes[row] == MISSING {
                    FAR
                } else {
                    f64::from(codes[row])
                }
            }
            (_, Column::Number(values)) if values[row].is_nan() => FAR,
            (Self::Number { low, width }, Column::Number(values)) => ((values[row] - low) / width).clamp(-EDGE, EDGE),
            // Different doubles have different ordinals, and those lie at least 1 apart.
            (Self::Same, Column::Number(values)) => ordinal(values[row]),
        }
    }
}

/// The double's bits as a whole number that a double can hold apart from its neighbours' for all values that differ in the upper 52 bits.
fn ordinal(value: f64) -> f64 {
    ((value + 0.0).to_bits() >> 11) as f64 + 2.0 * FAR
}

/// Rows as points, one after the other.
pub(crate) struct Points {
    axes: usize,
    /// Which axes are equal or not, rather than near or far.
    labels: Vec<bool>,
    values: Vec<f64>,
}

impl Points {
    pub(crate) fn rows(&self) -> usize {
        self.values.len() / self.axes
    }

    pub(crate) fn row(&self, row: usize) -> &[f64] {
        &self.values[row * self.axes..(row + 1) * self.axes]
    }

    /// The points with the axes at `places` only.
    pub(crate) fn columns(&self, places: &[usize]) -> Self {
        let values = (0..self.rows()).flat_map(|row| places.iter().map(move |&place| self.row(row)[place])).collect();
        Self { axes: places.len(), labels: places.iter().map(|&place| self.labels[place]).collect(), values }
    }

    /// The points nearest to the query, all that are equally near, ascending.
    pub(crate) fn nearest_rows(&self, query: &[f64]) -> Vec<usize> {
        let (mut best, mut rows) = (f64::INFINITY, Vec::new());
        for (row, point) in self.values.chunks_exact(self.axes).enumerate() {
            let found = distance(query, point, f64::INFINITY);
            if found < best {
                (best, rows) = (found, Vec::new());
            }
            if found == best {
                rows.push(row);
            }
        }
        rows
    }

    /// For each axis of `left_out`: the point closest to the query on all other axes, the first of several.
    pub(crate) fn closest_without_each(&self, query: &[f64], left_out: &[usize]) -> Vec<usize> {
        let mut best = vec![(f64::INFINITY, 0); left_out.len()];
        let mut parts = vec![0.0; self.axes];
        for (row, point) in self.values.chunks_exact(self.axes).enumerate() {
            parts.iter_mut().zip(query).zip(point).for_each(|((part, a), b)| *part = (a - b).abs().min(1.0));
            let sum: f64 = parts.iter().sum();
            for (best, &axis) in best.iter_mut().zip(left_out) {
                let distance = sum - parts[axis];
                // Rounding does not make a later point nearer.
                if distance < best.0 - 1e-12 {
                    *best = (distance, row);
                }
            }
        }
        best.into_iter().map(|(_, row)| row).collect()
    }

    /// The points at `rows`.
    pub(crate) fn take(&self, rows: &[usize]) -> Self {
        Self { axes: self.axes, labels: self.labels.clone(), values: rows.iter().flat_map(|&row| self.row(row)).copied().collect() }
    }
}

/// The sum over axes of min(|a - b|, 1), given up as soon as it reaches `limit`.
fn distance(a: &[f64], b: &[f64], limit: f64) -> f64 {
    let mut sum = 0.0;
    for (a, b) in a.chunks(4).zip(b.chunks(4)) {
        sum += a.iter().zip(b).map(|(a, b)| (a - b).abs().min(1.0)).sum::<f64>();
        if sum >= limit {
            return f64::INFINITY;
        }
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::random;
    use semblant_data::table::ColumnKind;

    const NAN: f64 = f64::NAN;

    fn table(numbers: Vec<f64>, labels: &str) -> Table {
        let labels = Column::from_labels(labels.chars().map(|c| (c != '.').then(|| c.to_string())));
        Table::from_columns(vec![("n", ColumnKind::Continuous, Column::Number(numbers)), ("c", ColumnKind::Categorical, labels)]).unwrap()
    }

    #[test]
    fn distances_have_the_values_of_sdmetrics() {
        let real = table(vec![0., 10., 3., 4., NAN], "aba.b");
        let synthetic = table(vec![5., NAN, 20., 3., 3.], "abbc.");
        let distances = closest_record_distances(&real, &synthetic).unwrap();
        for (distance, expected) in distances.iter().zip([0.1, 0., 0.5, 0.5, 0.05]) {
            assert!((distance - expected).abs() < 1e-12, "{distance} {expected}");
        }
    }

    #[test]
    fn the_tree_finds_what_trying_every_row_finds() {
        let mut random = random(7, 0);
        let mut build = |rows: usize| {
            let numbers = (0..rows).map(|_| if random.below(9) == 0 { NAN } else { random.below(400) as f64 }).collect();
            table(numbers, &(0..rows).map(|_| ['a', 'b', 'c', 'd', '.'][random.below(5)]).collect::<String>())
        };
        let tables = align(&[&build(700), &build(300)]).unwrap();
        let scale = Scale::new(&tables[0]);
        let (points, queries) = (scale.points(&tables[0]), scale.points(&tables[1]));
        let found: Vec<[f64; 2]> = BoxTree::new(&points).nearest_of_all(&queries);
        for (row, found) in found.iter().enumerate() {
            let mut tried: Vec<f64> = (0..700).map(|point| distance(queries.row(row), points.row(point), f64::INFINITY) / 2.0).collect();
            tried.sort_unstable_by(f64::total_cmp);
            assert_eq!(*found, [tried[0], tried[1]]);
        }
    }

    #[test]
    fn a_constant_column_is_equal_or_not() {
        let distances = closest_record_distances(&table(vec![5.0; 3], "aaa"), &table(vec![5.0, 5.1, NAN], "aaa")).unwrap();
        assert_eq!(distances, [0.0, 0.5, 0.5]);
    }
}
