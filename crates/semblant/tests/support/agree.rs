//! When two ways of computing the same samples agree: the same weights, the same noise, sums in another order.

use std::sync::atomic::{AtomicBool, Ordering};

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

/// Whether one of the ways multiplies with TF32.
static TF32: AtomicBool = AtomicBool::new(false);

/// From now on one of the ways is a device whose products of f32 are TF32, with 10 bits for each factor where f32 has 23: CUDA.
pub(crate) fn expect_tf32() {
    TF32.store(true, Ordering::Relaxed);
}

/// How many times as far as above things may lie apart.
fn slack() -> f64 {
    if TF32.load(Ordering::Relaxed) { 16.0 } else { 1.0 }
}

/// Whether two tables are the same but for [`ROUNDING`] and [`TIES`].
pub(crate) fn same_rows(what: &str, a: &Table, b: &Table) {
    assert_eq!(a.rows(), b.rows(), "{what}");
    let other: usize = a.columns().iter().zip(b.columns()).map(|(a, b)| others(a, b, a.len())).sum();
    let cells = a.rows() * a.columns().len();
    assert!(other as f64 <= slack() * TIES * cells as f64, "{what}: {other} of {cells} cells differ");
}

fn others(a: &Column, b: &Column, rows: usize) -> usize {
    let (Some(x), Some(y)) = (a.numbers(), b.numbers()) else {
        return (0..rows).filter(|&row| a.label(row) != b.label(row)).count();
    };
    let finite = || x.iter().copied().filter(|x| x.is_finite());
    let range = finite().fold(f64::NEG_INFINITY, f64::max) - finite().fold(f64::INFINITY, f64::min);
    let close = |x: f64, y: f64| x.is_nan() && y.is_nan() || (x - y).abs() <= slack() * ROUNDING * range;
    x.iter().zip(y).filter(|(x, y)| !close(**x, **y)).count()
}

/// Whether two sets of images are the same but for [`LEVELS`]; a model that draws codes may draw another one where the last bits decide,
/// and then has another image, so one of its may differ.
pub(crate) fn same_pictures(what: &str, a: &Images, b: &Images) {
    assert_eq!(a.shape(), b.shape(), "{what}");
    let one = a.pixels().len() / a.count();
    let far = |(a, b): (&[u8], &[u8])| a.iter().zip(b).any(|(a, b)| f64::from(a.abs_diff(*b)) > slack() * f64::from(LEVELS));
    let other = a.pixels().chunks(one).zip(b.pixels().chunks(one)).filter(|pair| far(*pair)).count();
    let allowed = usize::from(what.starts_with("vq-vae"));
    assert!(other <= allowed, "{what}: {other} of {} images differ by more than {LEVELS} of 255", a.count());
}

/// The losses, and for a game the margin between its two scores in their place: a loss that compares real with fake images, or a penalty
/// on slopes, does not change when all scores rise alike. The gradient of that rise is zero but for rounding, whose sign is all that the
/// first steps of Adam go by.
fn determined(summary: &Summary) -> Vec<(&str, f64)> {
    let score = |name: &str| summary.losses.iter().find(|(loss, _)| loss == name).map(|(_, value)| *value);
    let margin = score("score_real").zip(score("score_fake")).map(|(real, fake)| ("margin", real - fake));
    let others = summary.losses.iter().map(|(loss, value)| (loss.as_str(), *value)).filter(|(loss, _)| !loss.starts_with("score_"));
    others.chain(margin).collect()
}

/// Whether two fits of a few steps went alike.
pub(crate) fn same_losses(what: &str, a: &Summary, b: &Summary) {
    let (a, b) = (determined(a), determined(b));
    assert_eq!(a.len(), b.len(), "{what}");
    for ((loss, a), (_, b)) in a.into_iter().zip(b) {
        assert!(
            b.is_finite() && (a - b).abs() <= slack() * DRIFT * a.abs().max(0.1),
            "{what}: {loss} is {a} on one way and {b} on the other"
        );
    }
}
