//! A search tree of boxes over points: the nearest ones to a query, exactly.

use rayon::prelude::*;

use super::bytes::Bytes;
use super::{Points, distance};
use crate::nearest::Smallest;

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
    bytes: Bytes,
    /// Where each of them was given.
    order: Vec<usize>,
    boxes: Boxes,
}

/// The nodes, the root first.
struct Boxes {
    axes: usize,
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

/// Most points of a leaf, for each axis: the more axes, the less a box says, and the more it costs to ask.
const LEAF_POINTS_PER_AXIS: usize = 2;
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
        let axis_order = far_axes_first(points);
        let points = points.columns(&axis_order);
        let mut order: Vec<usize> = (0..points.rows()).collect();
        let mut boxes = Boxes { axes: points.axes, nodes: Vec::new(), corners: Vec::new() };
        boxes.grow(&points, &mut order, 0);
        let points = points.take(&order);
        Self { axes: points.axes, axis_order, bytes: Bytes::new(&points), labels: points.labels, points: points.values, order, boxes }
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
        let (query, encoded) = (query.as_slice(), self.bytes.encode(&query));
        let (mut limit, mut greatest) = (f64::INFINITY, u32::MAX);
        let bound = |place: usize| (self.boxes.bound(place, query, &self.labels, metric), place);
        let mut waiting = vec![bound(0)];
        while let Some((least, place)) = waiting.pop() {
            if least >= limit {
                continue;
            }
            let node = &self.boxes.nodes[place];
            if let Some((left, right)) = node.children {
                let (left, right) = (bound(left), bound(right));
                let (near, far) = if left.0 <= right.0 { (left, right) } else { (right, left) };
                waiting.push(far);
                waiting.push(near);
                continue;
            }
            for (place, least) in (node.start..).zip(self.bytes.bounds(&encoded, node.start, node.end)) {
                if least <= greatest {
                    let point = &self.points[place * self.axes..][..self.axes];
                    limit = found(metric.distance(query, point, &self.labels, limit), place);
                    greatest = self.bytes.greatest(limit + metric.left_out());
                }
            }
        }
    }
}

impl Boxes {
    /// Adds the node of `order`, which starts at `start` of the whole order, and all below it; returns its place.
    fn grow(&mut self, points: &Points, order: &mut [usize], start: usize) -> usize {
        let place = self.nodes.len();
        let (low, high) = corners(points, order);
        self.nodes.push(Node { start, end: start + order.len(), children: None });
        // Spread beyond 1 counts no more than 1, because the distance does not either.
        let spread = |axis: &usize| (high[*axis] - low[*axis]).min(1.0);
        let widest = (0..self.axes).max_by(|a, b| spread(a).total_cmp(&spread(b)).then(b.cmp(a)));
        self.corners.extend(low.iter().chain(&high));
        if let Some(axis) = widest.filter(|axis| order.len() > (LEAF_POINTS_PER_AXIS * self.axes).max(16) && spread(axis) > 0.0) {
            let middle = order.len() / 2;
            order.select_nth_unstable_by(middle, |&a, &b| points.row(a)[axis].total_cmp(&points.row(b)[axis]).then(a.cmp(&b)));
            let (left, right) = order.split_at_mut(middle);
            let left = self.grow(points, left, start);
            let right = self.grow(points, right, start + middle);
            self.nodes[place].children = Some((left, right));
        }
        place
    }

    /// No point of the node is closer to the query than this.
    fn bound(&self, place: usize, query: &[f64], labels: &[bool], metric: Metric) -> f64 {
        let (low, high) = self.corners[place * 2 * self.axes..][..2 * self.axes].split_at(self.axes);
        let parts = query.iter().zip(low).zip(high).map(|((&q, &low), &high)| (low - q).max(q - high).clamp(0.0, 1.0));
        // Shaved by more than rounding can add, so that no point is lost to the order of additions.
        match metric {
            Metric::All => parts.sum::<f64>() * (1.0 - 1e-12),
            Metric::ButOneLabel => {
                let add = |(sum, most): (f64, f64), (part, &label): (f64, &bool)| (sum + part, if label { most.max(part) } else { most });
                let (sum, most) = parts.zip(labels).fold((0.0, 0.0), add);
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
    /// The most that is left out of the sum over all axes.
    fn left_out(self) -> f64 {
        match self {
            Self::All => 0.0,
            Self::ButOneLabel => 1.0,
        }
    }

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
