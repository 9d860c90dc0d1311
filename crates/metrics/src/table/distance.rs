//! Distance to the closest record, exactly, by a search tree of boxes.

use rayon::prelude::*;
use semblant_data::table::{Column, MISSING, Table};

use super::align::align;
use super::binning::range;
use crate::Result;
use crate::nearest::Smallest;

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

/// A balanced binary tree over points; every node knows the box around its points, whose distance bounds theirs from below.
///
/// Categories are split like numbers, by code: a box that holds a single code of a column costs a query with another code the full 1.
pub(crate) struct BoxTree {
    axes: usize,
    /// The axes of the points as given, in the order of those of the tree.
    axis_order: Vec<usize>,
    labels: Vec<bool>,
    /// The points, in the order of the leaves.
    points: Vec<f64>,
    /// Where each of them was given.
    order: Vec<usize>,
    nodes: Vec<Node>,
    /// Lower and upper corner of each node, one after the other.
    corners: Vec<f64>,
}

struct Node {
    start: usize,
    end: usize,
    /// The two children, or nothing for a leaf.
    children: Option<(usize, usize)>,
}

const LEAF_POINTS: usize = 16;
/// Pairs of points whose differences decide the order of axes.
const PAIRS: usize = 512;

/// The axes on which points differ most first, so that a sum of differences exceeds its limit after few of them.
fn far_axes_first(points: &Points) -> Vec<usize> {
    let rows = points.rows();
    let mut far = vec![0.0; points.axes];
    for pair in 0..if rows > 1 { PAIRS } else { 0 } {
        let (a, b) = (points.row(pair * 7919 % rows), points.row((pair * 104_729 + 1) % rows));
        far.iter_mut().zip(a).zip(b).for_each(|((far, a), b)| *far += (a - b).abs().min(1.0));
    }
    let mut order: Vec<usize> = (0..points.axes).collect();
    order.sort_by(|&a, &b| far[b].total_cmp(&far[a]));
    order
}

impl BoxTree {
    pub(crate) fn new(points: &Points) -> Self {
        let mut tree = Self {
            axes: points.axes,
            axis_order: far_axes_first(points),
            labels: Vec::new(),
            points: Vec::new(),
            order: Vec::new(),
            nodes: Vec::new(),
            corners: Vec::new(),
        };
        let mut order: Vec<usize> = (0..points.rows()).collect();
        let points = &points.columns(&tree.axis_order);
        tree.labels = points.labels.clone();
        tree.grow(points, &mut order, 0);
        tree.points = points.take(&order).values;
        tree.order = order;
        tree
    }

    /// Adds the node of `order`, which starts at `start` of the whole order, and all below it; returns its place.
    fn grow(&mut self, points: &Points, order: &mut [usize], start: usize) -> usize {
        let place = self.nodes.len();
        let (low, high) = corners(points, order);
        self.nodes.push(Node { start, end: start + order.len(), children: None });
        // Spread beyond 1 counts no more than 1, because the distance does not either.
        let spread = |axis: &usize| (high[*axis] - low[*axis]).min(1.0);
        let widest = (0..self.axes).max_by(|a, b| spread(a).total_cmp(&spread(b)).then(b.cmp(a)));
        self.corners.extend(low.iter().chain(&high));
        if let Some(axis) = widest.filter(|axis| order.len() > LEAF_POINTS && spread(axis) > 0.0) {
            let middle = order.len() / 2;
            order.select_nth_unstable_by(middle, |&a, &b| points.row(a)[axis].total_cmp(&points.row(b)[axis]).then(a.cmp(&b)));
            let (left, right) = order.split_at_mut(middle);
            let left = self.grow(points, left, start);
            let right = self.grow(points, right, start + middle);
            self.nodes[place].children = Some((left, right));
        }
        place
    }

    /// The distance from every query to its nearest point; queries run in parallel and are independent.
    pub(crate) fn distances(&self, queries: &Points) -> Vec<f64> {
        self.nearest_of_all(queries).into_iter().map(|[nearest]| nearest).collect()
    }

    /// The distances from every query to its `K` nearest points, ascending; infinity where there are fewer.
    pub(crate) fn nearest_of_all<const K: usize>(&self, queries: &Points) -> Vec<[f64; K]> {
        (0..queries.rows()).into_par_iter().map(|row| self.nearest(queries.row(row)).map(|sum| sum / self.axes as f64)).collect()
    }

    fn nearest<const K: usize>(&self, query: &[f64]) -> [f64; K] {
        let mut best = Smallest::<K>::new();
        self.search(query, Metric::All, |distance, _| {
            best.add(distance);
            best.0[K - 1]
        });
        best.0
    }

    /// As [`Self::nearest_of_all`], without one label in which query and point differ: the distance to a copy with one label changed.
    pub(crate) fn nearest_but_one_label<const K: usize>(&self, queries: &Points) -> Vec<[f64; K]> {
        let one = |row: usize| {
            let mut best = Smallest::<K>::new();
            self.search(queries.row(row), Metric::ButOneLabel, |distance, _| {
                best.add(distance);
                best.0[K - 1]
            });
            best.0.map(|sum| sum / self.axes as f64)
        };
        (0..queries.rows()).into_par_iter().map(one).collect()
    }

    /// For every query the nearest point, the first of several, and how far the next is.
    pub(crate) fn nearest_points(&self, queries: &Points) -> Vec<Nearest> {
        let one = |row: usize| {
            let mut best = Nearest { distance: f64::INFINITY, point: usize::MAX, second: f64::INFINITY };
            self.search(queries.row(row), Metric::All, |distance, place| {
                let point = self.order[place];
                if distance < best.distance || (distance == best.distance && point < best.point) {
                    best = Nearest { distance, point, second: best.distance };
                } else {
                    best.second = best.second.min(distance);
                }
                // Points as far as the second are looked at too, so that the first of equal ones is found.
                best.second * (1.0 + 1e-15) + f64::MIN_POSITIVE
            });
            let axes = self.axes as f64;
            Nearest { distance: best.distance / axes, second: best.second / axes, ..best }
        };
        (0..queries.rows()).into_par_iter().map(one).collect()
    }

    /// Calls `found` with the distance and the place of every point that may be nearer than the limit that it returned last.
    fn search(&self, query: &[f64], metric: Metric, mut found: impl FnMut(f64, usize) -> f64) {
        let query: Vec<f64> = self.axis_order.iter().map(|&axis| query[axis]).collect();
        let query = query.as_slice();
        let mut limit = f64::INFINITY;
        let mut waiting = vec![(self.bound(0, query, metric), 0)];
        while let Some((bound, place)) = waiting.pop() {
            if bound >= limit {
                continue;
            }
            let node = &self.nodes[place];
            if let Some((left, right)) = node.children {
                let (left, right) = ((self.bound(left, query, metric), left), (self.bound(right, query, metric), right));
                let (near, far) = if left.0 <= right.0 { (left, right) } else { (right, left) };
                waiting.push(far);
                waiting.push(near);
            } else {
                let points = self.points[node.start * self.axes..node.end * self.axes].chunks_exact(self.axes);
                for (place, point) in (node.start..).zip(points) {
                    limit = found(metric.distance(query, point, &self.labels, limit), place);
                }
            }
        }
    }

    /// No point of the node is closer to the query than this.
    fn bound(&self, place: usize, query: &[f64], metric: Metric) -> f64 {
        let (low, high) = self.corners[place * 2 * self.axes..][..2 * self.axes].split_at(self.axes);
        let parts = query.iter().zip(low).zip(high).map(|((&q, &low), &high)| (low - q).max(q - high).clamp(0.0, 1.0));
        // Shaved by more than rounding can add, so that no point is lost to the order of additions.
        match metric {
            Metric::All => parts.sum::<f64>() * (1.0 - 1e-12),
            Metric::ButOneLabel => {
                let add = |(sum, most): (f64, f64), (part, &label): (f64, &bool)| (sum + part, if label { most.max(part) } else { most });
                let (sum, most) = parts.zip(&self.labels).fold((0.0, 0.0), add);
                (sum - most) * (1.0 - 1e-12) - 1e-12
            }
        }
    }
}

/// The nearest point to a query.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Nearest {
    pub(crate) distance: f64,
    /// Where it was given.
    pub(crate) point: usize,
    /// The distance to the second nearest; infinity where there is none.
    pub(crate) second: f64,
}

/// Which axes a distance counts.
#[derive(Clone, Copy)]
enum Metric {
    All,
    /// All but the label with the largest difference.
    ButOneLabel,
}

impl Metric {
    fn distance(self, a: &[f64], b: &[f64], labels: &[bool], limit: f64) -> f64 {
        match self {
            Self::All => distance(a, b, limit),
            Self::ButOneLabel => {
                let (mut sum, mut most) = (0.0, 0.0_f64);
                for ((a, b), labels) in a.chunks(4).zip(b.chunks(4)).zip(labels.chunks(4)) {
                    for ((a, b), &label) in a.iter().zip(b).zip(labels) {
                        let part = (a - b).abs().min(1.0);
                        sum += part;
                        most = if label { most.max(part) } else { most };
                    }
                    if sum - most >= limit {
                        return f64::INFINITY;
                    }
                }
                (sum - most).max(0.0)
            }
        }
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

fn corners(points: &Points, rows: &[usize]) -> (Vec<f64>, Vec<f64>) {
    let mut low = vec![f64::INFINITY; points.axes];
    let mut high = vec![f64::NEG_INFINITY; points.axes];
    for &row in rows {
        for ((value, low), high) in points.row(row).iter().zip(&mut low).zip(&mut high) {
            *low = low.min(*value);
            *high = high.max(*value);
        }
    }
    (low, high)
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
