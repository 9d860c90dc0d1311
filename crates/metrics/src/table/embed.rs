//! Rows as points for metrics that need a Euclidean distance: numbers scaled, labels one-hot.

use semblant_data::table::{Column, ColumnSchema, MISSING, Table};

use super::binning::range;
use super::shapes::mean;

/// Labels of a column that get a place of their own; the rarer ones share one, so that the width stays bounded.
const MOST_LABELS: usize = 64;

/// How the rows of aligned tables become points: numbers as `(value - low) / (high - low)` of the fitted table, missing ones its mean and a
/// flag of their own where it has missing values; labels one-hot, missing one of them.
pub(crate) struct Embedding {
    /// By column, none of one that is left out.
    axes: Vec<Option<Axis>>,
    width: usize,
}

enum Axis {
    Number {
        low: f64,
        scale: f64,
        mean: f64,
        flag: bool,
    },
    /// The place of each code, then that of missing values.
    Labels {
        places: Vec<usize>,
        missing: usize,
        count: usize,
    },
}

impl Embedding {
    /// By the ranges and labels of one of the aligned tables.
    pub(crate) fn fit(table: &Table) -> Self {
        Self::fit_without(table, None)
    }

    /// The same without the column called `exclude`.
    pub(crate) fn fit_without(table: &Table, exclude: Option<&str>) -> Self {
        let axis = |(described, column): (&ColumnSchema, &Column)| (exclude != Some(&described.name)).then(|| Axis::fit(column));
        let axes: Vec<Option<Axis>> = table.iter().map(axis).collect();
        let width = axes.iter().flatten().map(Axis::width).sum();
        Self { axes, width }
    }

    /// Numbers of one point.
    pub(crate) fn width(&self) -> usize {
        self.width
    }

    /// The rows of a table that was aligned with the fitted one, one after the other.
    pub(crate) fn points(&self, table: &Table) -> Vec<f64> {
        let mut points = vec![0.0; self.width * table.rows()];
        let mut first = 0;
        let used = self.axes.iter().zip(table.columns()).filter_map(|(axis, column)| Some((axis.as_ref()?, column)));
        for (axis, column) in used {
            for row in 0..table.rows() {
                axis.write(column, row, &mut points[row * self.width + first..]);
            }
            first += axis.width();
        }
        points
    }
}

impl Axis {
    fn fit(column: &Column) -> Self {
        match column {
            Column::Number(values) => {
                let (low, high) = range(values).filter(|(low, high)| (high - low).is_finite()).unwrap_or((0.0, 1.0));
                let scale = if high > low { 1.0 / (high - low) } else { 1.0 };
                let middle = mean(values.iter().filter(|value| value.is_finite()).map(|value| (value - low) * scale)).unwrap_or(0.0);
                Self::Number { low, scale, mean: middle, flag: values.iter().any(|value| value.is_nan()) }
            }
            Column::Category { codes, levels } => {
                let mut counts = vec![0usize; levels.len()];
                codes.iter().filter(|&&code| code != MISSING).for_each(|&code| counts[code as usize] += 1);
                let mut order: Vec<usize> = (0..levels.len()).collect();
                order.sort_by_key(|&code| std::cmp::Reverse(counts[code]));
                let mut places = vec![0; levels.len()];
                order.iter().enumerate().for_each(|(rank, &code)| places[code] = rank.min(MOST_LABELS - 1));
                let own = levels.len().min(MOST_LABELS);
                Self::Labels { places, missing: own, count: own + 1 }
            }
        }
    }

    fn width(&self) -> usize {
        match self {
            Self::Number { flag, .. } => 1 + usize::from(*flag),
            Self::Labels { count, .. } => *count,
        }
    }

    fn write(&self, column: &Column, row: usize, out: &mut [f64]) {
        match (self, column) {
            (Self::Number { low, scale, mean, flag }, Column::Number(values)) => {
                let value = values[row];
                // Infinite values are held at a distance that squares of points can still be added with.
                out[0] = if value.is_nan() { *mean } else { ((value - low) * scale).clamp(-1e6, 1e6) };
                if *flag {
                    out[1] = f64::from(u8::from(value.is_nan()));
                }
            }
            (Self::Labels { places, missing, .. }, Column::Category { codes, .. }) => {
                out[places.get(codes[row] as usize).copied().unwrap_or(*missing)] = 1.0;
            }
            // Aligned tables have the same storage.
            _ => {}
        }
    }
}
