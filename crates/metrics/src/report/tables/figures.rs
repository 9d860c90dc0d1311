//! The distributions, matrices and points of the figures of a table.

use semblant_data::table::{Column, ColumnKind, MISSING};

use crate::report::{Axis, Bars, Histogram, Matrices};
use crate::table::pairs::PairScore;
use crate::table::privacy::{Privacy, quantile};

/// Most bins of a histogram.
const BINS: usize = 30;
/// Most labels of a bar chart, besides "others".
const LABELS: usize = 10;

/// The distribution of a column in both tables.
pub(super) fn bars(kind: ColumnKind, real: &Column, synthetic: &Column) -> Bars {
    match (real, synthetic) {
        (Column::Number(real), Column::Number(synthetic)) => {
            let axis = if kind == ColumnKind::Datetime { Axis::Date } else { Axis::Number };
            Bars::Histogram(Histogram { axis, ..numbers(real, synthetic) })
        }
        _ => Bars::Labels(labels(real, synthetic)),
    }
}

fn sorted(values: &[f64]) -> Vec<f64> {
    let mut sorted: Vec<f64> = values.iter().copied().filter(|value| value.is_finite()).collect();
    sorted.sort_unstable_by(f64::total_cmp);
    sorted
}

/// Edges reach from the 0.5th to the 99.5th percentile of the real values, so that a long tail does not squeeze the bulk into one bin; whole
/// numbers of a small range get a bin each.
fn numbers(real: &[f64], synthetic: &[f64]) -> Histogram {
    let known = sorted(real);
    let (mut low, mut high) = (quantile(&known, 0.005), quantile(&known, 0.995));
    // Half of the values at one end make the quantiles meet; the whole range is better than none.
    if low == high {
        (low, high) = (quantile(&known, 0.0), quantile(&known, 1.0));
    }
    // The width must stay finite.
    (low, high) = (low.max(-1e300), high.min(1e300));
    let whole = known.iter().all(|value| value.fract() == 0.0);
    let mut bins = BINS;
    if known.is_empty() {
        (low, high) = (0.0, 1.0);
    } else if whole && high - low < BINS as f64 {
        bins = (high - low) as usize + 1;
        (low, high) = (low - 0.5, low + bins as f64 - 0.5);
    } else if low == high {
        (low, high) = (low - 0.5, high + 0.5);
    }
    let [real, synthetic] = [real, synthetic].map(|values| shares(values, low, high, bins));
    Histogram { axis: Axis::Number, low, high, real, synthetic }
}

fn shares(values: &[f64], low: f64, high: f64, bins: usize) -> Vec<f64> {
    let mut shares = vec![0.0; bins];
    let known = values.iter().filter(|value| !value.is_nan()).count().max(1) as f64;
    for value in values.iter().filter(|value| !value.is_nan()) {
        let bin = ((value - low) / (high - low) * bins as f64).clamp(0.0, bins as f64 - 1.0);
        shares[bin as usize] += 1.0 / known;
    }
    shares
}

fn labels(real: &Column, synthetic: &Column) -> Vec<(String, f64, f64)> {
    let (Some((real, levels)), Some((synthetic, _))) = (real.categories(), synthetic.categories()) else { return Vec::new() };
    let share = |codes: &[u32]| {
        let mut shares = vec![0.0; levels.len()];
        let known = codes.iter().filter(|&&code| code != MISSING).count().max(1) as f64;
        codes.iter().filter(|&&code| code != MISSING).for_each(|&code| shares[code as usize] += 1.0 / known);
        shares
    };
    let (real, synthetic) = (share(real), share(synthetic));
    let mut order: Vec<usize> = (0..levels.len()).filter(|&code| real[code] + synthetic[code] > 0.0).collect();
    order.sort_by(|&a, &b| real[b].total_cmp(&real[a]).then(synthetic[b].total_cmp(&synthetic[a])).then(a.cmp(&b)));
    // A single further label takes no more room than an "others" bar in its place.
    let shown = if order.len() <= LABELS + 1 { order.len() } else { LABELS };
    let rest = order.split_off(shown);
    let mut bars: Vec<_> = order.iter().map(|&code| (levels[code].clone(), real[code], synthetic[code])).collect();
    if !rest.is_empty() {
        let sum = |shares: &[f64]| rest.iter().map(|&code| shares[code]).sum();
        bars.push((format!("({} others)", rest.len()), sum(&real), sum(&synthetic)));
    }
    bars
}

/// The matrices of the pairs, in the tables' order of columns.
pub(super) fn matrices(columns: Vec<String>, pairs: &[PairScore]) -> Matrices {
    let place = |name: &str| columns.iter().position(|column| column == name);
    let fill = |get: fn(&PairScore) -> Option<f64>| {
        let mut matrix = vec![vec![None; columns.len()]; columns.len()];
        for pair in pairs {
            if let (Some(i), Some(j)) = (place(&pair.first), place(&pair.second)) {
                (matrix[i][j], matrix[j][i]) = (get(pair), get(pair));
            }
        }
        matrix
    };
    let (real, synthetic, similarity) = (fill(|pair| pair.real), fill(|pair| pair.synthetic), fill(|pair| pair.value));
    Matrices { columns, real, synthetic, similarity }
}

/// The distances of synthetic rows to the training rows, and those of new real rows.
pub(super) fn distances(privacy: &Privacy) -> Histogram {
    let new: Vec<f64> =
        privacy.reference().map_or(&[][..], |new| &new.distances).iter().copied().filter(|value| value.is_finite()).collect();
    let longest = |values: &[f64]| Some(quantile(&sorted(values), 0.995)).filter(|value| value.is_finite()).unwrap_or(0.0);
    let high = longest(&privacy.synthetic.distances).max(longest(&new)).max(1e-9);
    let [real, synthetic] = [&new, &privacy.synthetic.distances].map(|values| shares(values, 0.0, high, BINS));
    Histogram { axis: Axis::Number, low: 0.0, high, real, synthetic }
}
