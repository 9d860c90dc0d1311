//! The details of the report on series.

use semblant_data::series::Windows;

use super::Compared;
use super::scores::Scored;
use super::verdict::{COPIES, ERROR, TOLD_APART};
use crate::random::subsample;
use crate::report::{Cell, Content, Curve, Curves, Grid, GridRow, Section, pca};
use crate::series::{autocorrelation, spectrum};

/// Columns that figures show.
const MOST_COLUMNS: usize = 12;
/// Windows whose paths are drawn.
const PATHS: usize = 12;
/// Points of each set in the plane of principal components.
const POINTS: usize = 400;

pub(super) fn reading() -> Section {
    Section::reading(
        "How near the synthetic windows come to the real ones in what is measured here, beside what later real windows and training windows drawn anew reach.",
        "Nothing of behaviour beyond the length of a window, and not that no training window can be recognised.",
    )
}

pub(super) fn limits() -> Section {
    Section::limits_by_judgement([
        (
            "Fidelity",
            format!(
                "The lower end of the discriminative score's interval lies above the reference by more than {}: fair, {}: poor",
                TOLD_APART[0], TOLD_APART[1]
            ),
        ),
        (
            "Utility",
            format!(
                "The predictive error is more than {} times that after training on real windows: fair, {} times: poor",
                ERROR[0], ERROR[1]
            ),
        ),
        (
            "Privacy",
            format!(
                "The share of near copies lies above the holdout's by three standard errors and {:.0} %: possible leakage, {:.0} %: leakage",
                100.0 * COPIES[0],
                100.0 * COPIES[1]
            ),
        ),
    ])
}

/// Every score beside those of the controls.
pub(super) fn controls(scored: &[Scored]) -> Section {
    let row = |scored: &Scored| GridRow {
        name: scored.score.name.clone(),
        cells: [scored.score.value, scored.holdout, scored.bootstrap].map(Cell::from).to_vec(),
    };
    let text = "The holdout is real and cannot be copied from the training windows; the bootstrap is nothing but copies.";
    let grid = Grid::new(&["Score", "Synthetic", "Holdout", "Block bootstrap"], scored.iter().map(row).collect());
    Section::new("controls", "Beside the controls", text, Content::Table(grid))
}

/// Some windows of both sets over each other, in the units of the data.
pub(super) fn paths(sets: [&Windows; 2], names: &[&str], seed: u64) -> Section {
    let chosen = sets.map(|windows| subsample(windows.count, PATHS, seed, 0x7030));
    let chart = |(channel, name): (usize, &&str)| {
        let of = |set: usize, label: &str| {
            let windows = sets[set];
            let path = |&index: &usize| windows.of(index).iter().skip(channel).step_by(windows.channels).copied().collect();
            chosen[set].iter().map(|index| Curve { of: label.into(), values: path(index) }).collect::<Vec<_>>()
        };
        Curves { name: (*name).into(), axis: axis(sets[0].length), curves: [of(0, "real"), of(1, "synthetic")].concat() }
    };
    let charts = names.iter().enumerate().take(MOST_COLUMNS).map(chart).collect();
    let text = format!("{PATHS} real and {PATHS} synthetic windows of each column, drawn by the seed, over each other.{}", cut(names));
    Section::new("paths", "Sample paths", text, Content::Curves(charts))
}

pub(super) fn autocorrelations(compared: &Compared, names: &[&str]) -> Section {
    let axis = ["lag 0".to_owned(), format!("lag {}", compared.real.length - 1)];
    let text = format!("The correlation of a value with that so many rows later.{}", cut(names));
    Section::new("autocorrelations", "Autocorrelations", text, lines(compared, names, axis, autocorrelation))
}

pub(super) fn spectra(compared: &Compared, names: &[&str]) -> Section {
    let axis = ["1 cycle a window".to_owned(), format!("{}", compared.real.length / 2)];
    let logarithms = |windows: &Windows| {
        let shares = spectrum(windows);
        shares.into_iter().map(|shares| shares.into_iter().map(|share| share.max(1e-12).log10()).collect()).collect()
    };
    let text = format!("The logarithm to base 10 of the share of power at each frequency.{}", cut(names));
    Section::new("spectra", "Power spectra", text, lines(compared, names, axis, logarithms))
}

fn lines(compared: &Compared, names: &[&str], axis: [String; 2], measure: impl Fn(&Windows) -> Vec<Vec<f64>>) -> Content {
    let mut sets = vec![("real", measure(&compared.real))];
    sets.extend(compared.holdout.as_ref().map(|holdout| ("holdout", measure(holdout))));
    sets.push(("synthetic", measure(&compared.synthetic)));
    let chart = |(channel, name): (usize, &&str)| {
        let curve = |(of, values): &(&str, Vec<Vec<f64>>)| Curve { of: (*of).into(), values: values[channel].clone() };
        Curves { name: (*name).into(), axis: axis.clone(), curves: sets.iter().map(curve).collect() }
    };
    Content::Curves(names.iter().enumerate().take(MOST_COLUMNS).map(chart).collect())
}

fn axis(length: usize) -> [String; 2] {
    ["row 1".into(), format!("row {length}")]
}

fn cut(names: &[&str]) -> String {
    if names.len() > MOST_COLUMNS { format!(" The first {MOST_COLUMNS} of {} columns.", names.len()) } else { String::new() }
}

/// The scores that are means over columns, column by column, the worst first.
pub(super) fn columns(scored: &[Scored], names: &[&str]) -> Option<Section> {
    let parts: Vec<(&str, &Vec<f64>)> =
        scored.iter().filter_map(|scored| Some((scored.score.name.as_str(), scored.columns.as_ref()?))).collect();
    if names.len() < 2 || parts.is_empty() {
        return None;
    }
    let mut order: Vec<usize> = (0..names.len()).collect();
    let sum = |column: usize| parts.iter().map(|(_, values)| values[column]).sum::<f64>();
    order.sort_by(|&a, &b| sum(b).total_cmp(&sum(a)));
    let row = |column: usize| GridRow {
        name: names[column].into(),
        cells: parts.iter().map(|(_, values)| Cell::from(Some(values[column]))).collect(),
    };
    let headings: Vec<&str> = std::iter::once("Column").chain(parts.iter().map(|(name, _)| *name)).collect();
    let grid = Grid::new(&headings, order.into_iter().map(row).collect());
    Some(Section::new("columns", "Column by column", "Differences from the real windows, the worst column first.", Content::Table(grid)))
}

/// Whole windows in the plane of the first two principal components of the real ones.
pub(super) fn scatter(compared: &Compared, seed: u64) -> Option<Section> {
    let floats = |windows: &Windows| windows.values.iter().map(|&value| value as f32).collect::<Vec<f32>>();
    let width = compared.real.length * compared.real.channels;
    let some = |windows: &Windows, count: usize| floats(&windows.select(subsample(windows.count, count, seed, 0x7031)));
    let (real, synthetic) = (some(&compared.real, (10 * POINTS).max(4 * width)), some(&compared.synthetic, 10 * POINTS));
    let scatter = pca::of_features([&real, &synthetic], width, POINTS, seed)?;
    let text = "Each point is a window, projected onto the first two principal components of the real windows. The two clouds should have the same shape.";
    Some(Section::new("windows", "Windows", text, Content::Scatter(scatter)))
}
