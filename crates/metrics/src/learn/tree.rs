//! One regression tree on binned features, grown leaf by leaf, best gain first.

use rayon::prelude::*;

use super::bins::{Binner, Feature};
use super::gbdt::Boosting;

/// What a node adds up per bin.
#[derive(Debug, Clone, Copy, Default)]
struct Cell {
    gradient: f64,
    hessian: f64,
    rows: u32,
}

impl Cell {
    fn plus(self, other: Self) -> Self {
        Self { gradient: self.gradient + other.gradient, hessian: self.hessian + other.hessian, rows: self.rows + other.rows }
    }

    fn minus(self, other: Self) -> Self {
        Self { gradient: self.gradient - other.gradient, hessian: self.hessian - other.hessian, rows: self.rows - other.rows }
    }
}

/// Bins as a set of bits.
type BinSet = [u64; 4];

#[derive(Debug, Clone)]
struct Split {
    gain: f64,
    feature: usize,
    /// The bins that go left, the missing bin among them or not.
    left: BinSet,
    left_sum: Cell,
}

#[derive(Debug, Clone)]
enum Node {
    Leaf(f64),
    Inner { feature: usize, left: BinSet, children: (usize, usize) },
}

/// A grown tree.
#[derive(Debug, Clone)]
pub(crate) struct Tree {
    nodes: Vec<Node>,
}

impl Tree {
    /// The leaf value for one row of binned features.
    pub(crate) fn value(&self, bins: &[Vec<u8>], row: usize) -> f64 {
        let mut place = 0;
        loop {
            match &self.nodes[place] {
                Node::Leaf(value) => return *value,
                Node::Inner { feature, left, children } => {
                    place = if contains(left, bins[*feature][row]) { children.0 } else { children.1 }
                }
            }
        }
    }
}

fn contains(set: &BinSet, bin: u8) -> bool {
    set[usize::from(bin >> 6)] >> (bin & 63) & 1 == 1
}

fn insert(set: &mut BinSet, bin: usize) {
    set[bin >> 6] |= 1 << (bin & 63);
}

/// A leaf that may still be split.
struct Open {
    node: usize,
    rows: Vec<u32>,
    sum: Cell,
    /// One histogram per feature.
    histograms: Vec<Vec<Cell>>,
    best: Option<Split>,
}

/// Everything that stays the same while a tree grows.
pub(crate) struct Grower<'a> {
    pub(crate) config: &'a Boosting,
    pub(crate) binner: &'a Binner,
    pub(crate) bins: &'a [Vec<u8>],
    /// (gradient, hessian) per row.
    pub(crate) slopes: &'a [(f32, f32)],
}

impl Grower<'_> {
    /// A tree grown on `rows`; leaf values are Newton steps times the learning rate.
    pub(crate) fn grow(&self, rows: Vec<u32>) -> Tree {
        let mut tree = Tree { nodes: vec![Node::Leaf(0.0)] };
        let histograms: Vec<Vec<Cell>> = self.gather(&rows, |feature, slopes| self.histogram(feature, &rows, slopes));
        let sum = histograms.first().map_or_else(Cell::default, |cells| cells.iter().fold(Cell::default(), |sum, &cell| sum.plus(cell)));
        tree.nodes[0] = Node::Leaf(self.leaf_value(sum));
        let best = self.best((0..histograms.len()).into_par_iter().map(|feature| self.split(feature, &histograms[feature], sum)).collect());
        let mut open = vec![Open { node: 0, rows, sum, histograms, best }];
        for _ in 1..self.config.leaves {
            // The first of the largest gains, so that ties do not depend on anything.
            let gains = open.iter().enumerate().filter_map(|(place, leaf)| Some((place, leaf.best.as_ref()?.gain)));
            let Some((place, _)) = gains
                .fold(None, |best: Option<(usize, f64)>, next| if best.is_none_or(|best| next.1 > best.1) { Some(next) } else { best })
            else {
                break;
            };
            let leaf = open.remove(place);
            open.extend(self.divide(&mut tree, leaf).into_iter().flatten());
        }
        tree
    }

    /// Splits a leaf in two: the smaller child's histograms are counted, the larger one's are what is left of the parent's.
    fn divide(&self, tree: &mut Tree, mut leaf: Open) -> Option<[Open; 2]> {
        let split = leaf.best.take()?;
        let bins = &self.bins[split.feature];
        let (left, right): (Vec<u32>, Vec<u32>) = leaf.rows.iter().partition(|&&row| contains(&split.left, bins[row as usize]));
        let (left_sum, right_sum) = (split.left_sum, leaf.sum.minus(split.left_sum));
        let children = (tree.nodes.len(), tree.nodes.len() + 1);
        tree.nodes.extend([left_sum, right_sum].map(|sum| Node::Leaf(self.leaf_value(sum))));
        tree.nodes[leaf.node] = Node::Inner { feature: split.feature, left: split.left, children };
        let left_is_small = left.len() <= right.len();
        let (small, small_sum, large_sum) = if left_is_small { (&left, left_sum, right_sum) } else { (&right, right_sum, left_sum) };
        let grown = self.gather(small, |feature, slopes| {
            let small = self.histogram(feature, small, slopes);
            let large: Vec<Cell> = leaf.histograms[feature].iter().zip(&small).map(|(&parent, &small)| parent.minus(small)).collect();
            let splits = (self.split(feature, &small, small_sum), self.split(feature, &large, large_sum));
            ((small, splits.0), (large, splits.1))
        });
        let (small, large): (Vec<_>, Vec<_>) = grown.into_iter().unzip();
        let (left_parts, right_parts) = if left_is_small { (small, large) } else { (large, small) };
        let open = |node, rows, sum, parts: Vec<(Vec<Cell>, Option<Split>)>| {
            let (histograms, splits) = parts.into_iter().unzip();
            Open { node, rows, sum, histograms, best: self.best(splits) }
        };
        Some([open(children.0, left, left_sum, left_parts), open(children.1, right, right_sum, right_parts)])
    }

    /// `work` for every feature in parallel, with the slopes of `rows` laid out in their order.
    fn gather<T: Send>(&self, rows: &[u32], work: impl Fn(usize, &[(f32, f32)]) -> T + Sync) -> Vec<T> {
        let slopes: Vec<(f32, f32)> = rows.iter().map(|&row| self.slopes[row as usize]).collect();
        (0..self.binner.features.len()).into_par_iter().map(|feature| work(feature, &slopes)).collect()
    }

    fn histogram(&self, feature: usize, rows: &[u32], slopes: &[(f32, f32)]) -> Vec<Cell> {
        let bins = &self.bins[feature];
        let mut cells = vec![Cell::default(); self.binner.features[feature].bins + 1];
        for (&row, &(gradient, hessian)) in rows.iter().zip(slopes) {
            let cell = &mut cells[usize::from(bins[row as usize])];
            cell.gradient += f64::from(gradient);
            cell.hessian += f64::from(hessian);
            cell.rows += 1;
        }
        cells
    }

    fn leaf_value(&self, sum: Cell) -> f64 {
        -self.config.learning_rate * sum.gradient / (sum.hessian + self.config.l2 + 1e-15)
    }

    /// The first of the splits with the largest gain.
    fn best(&self, splits: Vec<Option<Split>>) -> Option<Split> {
        splits
            .into_iter()
            .flatten()
            .fold(None, |best: Option<Split>, next| if best.as_ref().is_none_or(|best| next.gain > best.gain) { Some(next) } else { best })
    }

    fn split(&self, feature: usize, cells: &[Cell], sum: Cell) -> Option<Split> {
        let described: &Feature = &self.binner.features[feature];
        if described.is_category() { self.category_split(feature, cells, sum) } else { self.number_split(feature, cells, sum) }
    }

    /// Bins up to a threshold go left; missing values are tried on both sides.
    fn number_split(&self, feature: usize, cells: &[Cell], sum: Cell) -> Option<Split> {
        let missing = cells.len() - 1;
        let mut best: Option<(f64, usize, bool, Cell)> = None;
        for missing_left in [false, true] {
            if missing_left && cells[missing].rows == 0 {
                break;
            }
            let mut left = if missing_left { cells[missing] } else { Cell::default() };
            for (bin, &cell) in cells[..missing].iter().enumerate() {
                left = left.plus(cell);
                if let Some(gain) = self.gain(left, sum).filter(|&gain| best.is_none_or(|best| gain > best.0)) {
                    best = Some((gain, bin, missing_left, left));
                }
            }
        }
        let (gain, last, missing_left, left_sum) = best?;
        // Where no row is missing here, one that comes later goes the way of most rows.
        let missing_left = if cells[missing].rows == 0 { 2 * left_sum.rows >= sum.rows } else { missing_left };
        let mut left = BinSet::default();
        (0..=last).chain(missing_left.then_some(missing)).for_each(|bin| insert(&mut left, bin));
        Some(Split { gain, feature, left, left_sum })
    }

    /// Categories sorted by smoothed gradient ratio, then split like numbers from either end (Fisher 1958, as in LightGBM and scikit-learn);
    /// missing is a category like others, and categories with too few rows stay right.
    fn category_split(&self, feature: usize, cells: &[Cell], sum: Cell) -> Option<Split> {
        const SMOOTHING: f64 = 10.0;
        let support = f64::from(sum.rows) / sum.hessian.max(1e-15);
        let mut order: Vec<usize> =
            (0..cells.len()).filter(|&bin| cells[bin].rows > 0 && cells[bin].hessian * support >= SMOOTHING).collect();
        let ratio = |bin: usize| cells[bin].gradient / (cells[bin].hessian + SMOOTHING);
        order.sort_by(|&a, &b| ratio(a).total_cmp(&ratio(b)));
        let mut best: Option<(f64, usize, bool, Cell)> = None;
        for backwards in [false, true] {
            let mut left = Cell::default();
            for count in 1..=order.len().div_ceil(2) {
                left = left.plus(cells[if backwards { order[order.len() - count] } else { order[count - 1] }]);
                if let Some(gain) = self.gain(left, sum).filter(|&gain| best.is_none_or(|best| gain > best.0)) {
                    best = Some((gain, count, backwards, left));
                }
            }
        }
        let (gain, count, backwards, left_sum) = best?;
        let mut left = BinSet::default();
        let chosen = if backwards { &order[order.len() - count..] } else { &order[..count] };
        chosen.iter().for_each(|&bin| insert(&mut left, bin));
        Some(Split { gain, feature, left, left_sum })
    }

    /// How much the loss falls when `left` is split from `sum`; `None` when a side is too small or nothing is gained.
    fn gain(&self, left: Cell, sum: Cell) -> Option<f64> {
        const MIN_HESSIAN: f64 = 1e-3;
        let right =
            Cell { gradient: sum.gradient - left.gradient, hessian: sum.hessian - left.hessian, rows: sum.rows.checked_sub(left.rows)? };
        if left.rows.min(right.rows) < self.config.min_leaf_rows || left.hessian.min(right.hessian) < MIN_HESSIAN {
            return None;
        }
        let part = |cell: Cell| cell.gradient * cell.gradient / (cell.hessian + self.config.l2);
        Some(part(left) + part(right) - part(sum)).filter(|&gain| gain > 1e-12)
    }
}
