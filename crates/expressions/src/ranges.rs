//! Where a condition may be true along one column, by bisection.

use crate::node::Node;
use crate::outcomes::{Domain, Domains, With, outcomes};
use crate::set::set;
use crate::split;

/// The most values to cut at, and half of the most pieces that are undecided at once.
const MOST_PIECES: usize = 64;
/// The most bisections of a piece; no resolution of `f64` needs more that is of use.
const MOST_LEVELS: usize = 64;

/// The parts of a range of a column in which a condition may be true, in order and apart.
pub(crate) fn true_ranges(node: &Node, column: usize, low: f64, high: f64, resolution: f64, others: &dyn Domains) -> Vec<(f64, f64)> {
    let (mut kept, mut open) = (Vec::new(), Vec::new());
    let mut sort = |piece: (f64, f64), open: &mut Vec<(f64, f64)>| {
        let domain = Domain::Range { low: piece.0, high: piece.1, null: false };
        let outcomes = outcomes(node, &With { base: others, column, domain });
        match outcomes.may_be_true {
            false => {}
            true if outcomes.is_always_true() => kept.push(piece),
            true => open.push(piece),
        }
    };
    for piece in cut(node, column, low, high, others) {
        sort(piece, &mut open);
    }
    let mut finest = Vec::new();
    for _ in 0..MOST_LEVELS {
        if open.is_empty() || open.len() > 2 * MOST_PIECES {
            break;
        }
        for (low, high) in std::mem::take(&mut open) {
            let middle = low / 2.0 + high / 2.0;
            if !(high - low > resolution) || middle <= low || middle >= high {
                finest.push((low, high));
            } else {
                sort((low, middle), &mut open);
                sort((middle, high), &mut open);
            }
        }
    }
    kept.extend(open);
    kept.extend(finest);
    merged(kept)
}

/// A range cut at the values that the column is compared with, each of them a piece: so an end there is exact.
fn cut(node: &Node, column: usize, low: f64, high: f64, others: &dyn Domains) -> Vec<(f64, f64)> {
    let (low, high) = (low.max(-f64::MAX), high.min(f64::MAX));
    if !(low <= high) {
        return Vec::new();
    }
    let bounds = split::bounds_of(node, column);
    let mut cuts: Vec<f64> = bounds.iter().flat_map(|bound| ends(bound, others)).filter(|x| (low..=high).contains(x)).collect();
    cuts.sort_by(f64::total_cmp);
    cuts.dedup();
    cuts.truncate(MOST_PIECES);
    let (mut pieces, mut from) = (Vec::new(), low);
    for x in cuts {
        pieces.extend([(from, x.next_down()), (x, x)]);
        from = x.next_up();
    }
    pieces.push((from, high));
    pieces.retain(|(low, high)| low <= high);
    pieces
}

fn ends(bound: &Node, others: &dyn Domains) -> Vec<f64> {
    match set(bound, others).hull() {
        Some((low, high)) if low == high => vec![low],
        Some((low, high)) => vec![low, high],
        None => Vec::new(),
    }
}

/// Pieces that touch made one.
fn merged(mut pieces: Vec<(f64, f64)>) -> Vec<(f64, f64)> {
    pieces.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut ranges: Vec<(f64, f64)> = Vec::new();
    for (low, high) in pieces {
        match ranges.last_mut() {
            Some(last) if low <= last.1.next_up() => last.1 = last.1.max(high),
            _ => ranges.push((low, high)),
        }
    }
    ranges
}
