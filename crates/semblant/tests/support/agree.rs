//! When two ways of computing the same samples agree: the same weights, the same noise, sums in another order.

use semblant::data::table::{Column, Table};
use semblant::prelude::*;

/// The share of cells that may be another value altogether: where two values of a column are equally likely but for the last bits, the
/// last bits decide.
const TIES: f64 = 0.005;
/// How far numbers may lie apart, as a share of their column's range.
const ROUNDING: f64 = 1e-3;
/// How far pixels may lie apart, of 255.
const LEVELS: u8 = 2;

/// How far losses may lie apart after a few steps, as a share of them.
const DRIFT: f64 = 2e-3;

/// Whether two tables are the same but for [`ROUNDING`] and [`TIES`].
pub(crate) fn same_rows(what: &str, a: &Table, b: &Table) {
    assert_eq!(a.rows(), b.rows(), "{what}");
    let other: usize = a.columns().iter().zip(b.columns()).map(|(a, b)| others(a, b, a.len())).sum();
    let cells = a.rows() * a.columns().len();
    assert!(other as f64 <= TIES * cells as f64, "{what}: {other} of {cells} cells differ");
}

fn others(a: &Column, b: &Column, rows: usize) -> usize {
    let (Some(x), Some(y)) = (a.numbers(), b.numbers()) else {
        return (0..rows).filter(|&row| a.label(row) != b.label(row)).count();
    };
    let finite = || x.iter().copied().filter(|x| x.is_finite());
    let range = finite().fold(f64::NEG_INFINITY, f64::max) - finite().fold(f64::INFINITY, f64::min);
    let close = |x: f64, y: f64| x.is_nan() && y.is_nan() || (x - y).abs() <= ROUNDING * range;
    x.iter().zip(y).filter(|(x, y)| !close(**x, **y)).count()
}

/// Whether two sets of images are the same but for [`LEVELS`]; a model that draws codes may draw another one where the last bits decide,
/// and then has another image, so one of its may differ.
pub(crate) fn same_pictures(what: &str, a: &Images, b: &Images) {
    assert_eq!(a.shape(), b.shape(), "{what}");
    let one = a.pixels().len() / a.count();
    let far = |(a, b): (&[u8], &[u8])| a.iter().zip(b).any(|(a, b)| a.abs_diff(*b) > LEVELS);
    let other = a.pixels().chunks(one).zip(b.pixels().chunks(one)).filter(|pair| far(*pair)).count();
    let allowed = usize::from(what.starts_with("vq-vae"));
    assert!(other <= allowed, "{what}: {other} of {} images differ by more than {LEVELS} of 255", a.count());
}

/// Whether two fits of a few steps went alike.
pub(crate) fn same_losses(what: &str, a: &Summary, b: &Summary) {
    assert_eq!(a.losses.len(), b.losses.len(), "{what}");
    for ((loss, a), (_, b)) in a.losses.iter().zip(&b.losses) {
        assert!(b.is_finite() && (a - b).abs() <= DRIFT * a.abs().max(0.1), "{what}: {loss} is {a} on one way and {b} on the other");
    }
}
