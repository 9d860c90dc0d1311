//! The figures, laid out by hand so that they follow the page's colours and need no script.

use std::fmt::Write;

use maud::{Markup, html};

use crate::report::{Curves, Diagram, Heatmap, Histogram, Matrices, Scatter};

/// A number short enough for an axis.
pub(super) fn short(value: f64) -> String {
    let size = value.abs();
    let text = match size {
        0.0 => return "0".into(),
        size if !(1e-4..1e15).contains(&size) => return format!("{value:.1e}"),
        size if size >= 1e7 => return format!("{} M", short(value / 1e6)),
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 1.0 => format!("{value:.2}"),
        _ => format!("{value:.4}"),
    };
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

/// A label cut to `most` characters.
pub(super) fn cut(text: &str, most: usize) -> String {
    if text.chars().count() <= most { text.to_owned() } else { text.chars().take(most - 1).chain(['…']).collect() }
}

fn percent(share: f64) -> String {
    match 100.0 * share {
        0.0 => "0".into(),
        share if share < 0.1 => "<0.1".into(),
        share if share < 9.95 => format!("{share:.1}"),
        share => format!("{share:.0}"),
    }
}

/// Real shares as filled steps, synthetic ones as a line over them. `format` writes the x axis.
pub(super) fn histogram(data: &Histogram, describe: &str, format: impl Fn(f64) -> String) -> Markup {
    const WIDTH: f64 = 320.0;
    const HEIGHT: f64 = 130.0;
    let tallest = data.real.iter().chain(&data.synthetic).copied().fold(1e-12, f64::max);
    let bins = data.real.len().max(1) as f64;
    let (x, y) = (|bin: usize| bin as f64 / bins * WIDTH, |share: f64| 14.0 + (HEIGHT - 14.0) * (1.0 - share / tallest));
    let steps = |shares: &[f64]| {
        let mut path = format!("M0 {HEIGHT:.1}");
        for (bin, &share) in shares.iter().enumerate() {
            // Writing to a String cannot fail.
            let _ = write!(path, "V{:.1}H{:.1}", y(share), x(bin + 1));
        }
        path + &format!("V{HEIGHT:.1}")
    };
    html! {
        svg viewBox="-2 0 324 150" role="img" aria-label=(describe) {
            path class="r" d={ (steps(&data.real)) "Z" } {}
            path class="sl" d=(steps(&data.synthetic)) {}
            line class="axis" x1="0" x2="320" y1="130" y2="130" {}
            text x="0" y="10" { (percent(tallest)) " %" }
            text x="0" y="145" { (format(data.low)) }
            text x="160" y="145" text-anchor="middle" { (format((data.low + data.high) / 2.0)) }
            text x="320" y="145" text-anchor="end" { (format(data.high)) }
        }
    }
}

/// The class of the key of a line.
pub(super) fn key(of: &str) -> &'static str {
    match of {
        "real" => "kd",
        "synthetic" => "ks",
        _ => "kn",
    }
}

/// Lines from the left to the right edge, on one vertical axis.
pub(super) fn curves(data: &Curves, describe: &str) -> Markup {
    const HEIGHT: f64 = 130.0;
    let all = || data.curves.iter().flat_map(|curve| &curve.values).copied().filter(|value| value.is_finite());
    let (low, high) = all().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)));
    let y = |value: f64| if high > low { 14.0 + (HEIGHT - 16.0) * (high - value) / (high - low) } else { HEIGHT / 2.0 };
    let line = |values: &[f64]| {
        let mut path = String::new();
        for (place, &value) in values.iter().enumerate().filter(|(_, value)| value.is_finite()) {
            let x = 320.0 * place as f64 / (values.len().max(2) - 1) as f64;
            // Writing to a String cannot fail.
            let _ = write!(path, "{}{x:.1} {:.1}", if path.is_empty() { 'M' } else { 'L' }, y(value));
        }
        path
    };
    let class = |of: &str| match of {
        "real" => "cl real",
        "synthetic" => "cl",
        _ => "cl other",
    };
    html! {
        svg viewBox="-2 0 324 150" role="img" aria-label=(describe) {
            @for curve in &data.curves { path class=(class(&curve.of)) d=(line(&curve.values)) {} }
            line class="axis" x1="0" x2="320" y1="130" y2="130" {}
            text x="0" y="10" { (short(high)) }
            text x="0" y="127" { (short(low)) }
            text x="0" y="145" { (data.axis[0]) }
            text x="320" y="145" text-anchor="end" { (data.axis[1]) }
        }
    }
}

/// Boxes in columns by their layer, and arrows from each to those that it refers to.
pub(super) fn diagram(data: &Diagram) -> Markup {
    const BOX: (f64, f64) = (150.0, 36.0);
    const STEP: (f64, f64) = (220.0, 50.0);
    let layers = data.nodes.iter().map(|node| node.layer).max().unwrap_or(0) + 1;
    let mut filled = vec![0; layers];
    let places = data.nodes.iter().map(|node| {
        let row = filled[node.layer];
        filled[node.layer] += 1;
        (2.0 + STEP.0 * node.layer as f64, 4.0 + STEP.1 * row as f64)
    });
    let places: Vec<(f64, f64)> = places.collect();
    let height = 4.0 + STEP.1 * filled.iter().copied().max().unwrap_or(0) as f64;
    let width = STEP.0 * (layers - 1) as f64 + BOX.0 + 44.0;
    // To the right edge of what is left of it; within a column around the right side.
    let line = |from: usize, to: usize| {
        let ((x, y), (left, top)) = (places[from], places[to]);
        let (y, top) = (y + BOX.1 / 2.0, top + BOX.1 / 2.0);
        let end = left + BOX.0;
        if left < x {
            let middle = (x + end) / 2.0;
            return format!("M{x:.0} {y:.0}C{middle:.0} {y:.0} {middle:.0} {top:.0} {end:.0} {top:.0}");
        }
        let (begin, y, bend) = (x + BOX.0, y + if from == to { 8.0 } else { 0.0 }, (x + BOX.0).max(end) + 36.0);
        format!("M{begin:.0} {y:.0}C{bend:.0} {y:.0} {bend:.0} {top:.0} {end:.0} {top:.0}")
    };
    html! {
        svg viewBox={ "0 0 " (width) " " (height) } role="img" aria-label="Tables and how they refer to each other" {
            @for (from, node) in data.nodes.iter().enumerate() { @for &to in &node.refers_to {
                @if to < places.len() { path class=(if node.main == Some(to) { "cl real" } else { "cl" }) d=(line(from, to)) {} }
            } }
            @for (node, (x, y)) in data.nodes.iter().zip(&places) {
                rect class="frame" x=(x) y=(y) width=(BOX.0) height=(BOX.1) rx="5" {}
                text class="in" x=(x + 8.0) y=(y + 15.0) { (cut(&node.name, 22)) }
                text x=(x + 8.0) y=(y + 29.0) { (cut(&node.note, 24)) }
            }
        }
    }
}

/// One row per label: its name, a bar for each table, the two shares in percent.
pub(super) fn bars(labels: &[(String, f64, f64)], describe: &str) -> Markup {
    const ROW: f64 = 22.0;
    let longest = labels.iter().map(|(_, real, synthetic)| real.max(*synthetic)).fold(1e-12, f64::max);
    let length = |share: f64| format!("{:.1}", 128.0 * share / longest);
    let height = ROW * labels.len() as f64;
    html! {
        svg viewBox={ "0 0 320 " (height + 2.0) } role="img" aria-label=(describe) {
            @for (row, (label, real, synthetic)) in labels.iter().enumerate() {
                @let top = ROW * row as f64;
                g {
                    title { (label) ": real " (percent(*real)) " %, synthetic " (percent(*synthetic)) " %" }
                    text class="in" x="112" y=(top + 15.0) text-anchor="end" { (cut(label, 18)) }
                    rect class="r" x="118" y=(top + 3.0) width=(length(*real)) height="8" {}
                    rect class="s" x="118" y=(top + 11.0) width=(length(*synthetic)) height="7" {}
                    text x="320" y=(top + 15.0) text-anchor="end" { (percent(*real)) " / " (percent(*synthetic)) " %" }
                }
            }
        }
    }
}

/// Which of the three matrices.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Which {
    Real,
    Synthetic,
    Difference,
}

/// Most columns that a matrix shows.
pub(super) const MATRIX_COLUMNS: usize = 40;

/// Squares whose strength of colour is the strength of the relation.
pub(super) fn matrix(data: &Matrices, which: Which, describe: &str) -> Markup {
    const LEFT: f64 = 104.0;
    const TOP: f64 = 92.0;
    let count = data.columns.len().min(MATRIX_COLUMNS);
    let cell = (256.0 / count.max(1) as f64).min(40.0);
    let font = (cell * 0.85).clamp(5.0, 11.0);
    let value = |i: usize, j: usize| match which {
        Which::Real => data.real[i][j],
        Which::Synthetic => data.synthetic[i][j],
        Which::Difference => Some((data.real[i][j]? - data.synthetic[i][j]?).abs()),
    };
    let side = cell * count as f64;
    html! {
        svg viewBox={ "0 0 " (LEFT + side + 12.0) " " (TOP + side + 2.0) } role="img" aria-label=(describe) {
            @for (i, name) in data.columns.iter().take(count).enumerate() {
                @let middle = (i as f64 + 0.5) * cell;
                text style={ "font-size:" (font) "px" } x=(LEFT - 5.0) y=(format!("{:.1}", TOP + middle + font * 0.35)) text-anchor="end" { (cut(name, 17)) }
                text style={ "font-size:" (font) "px" } transform={ "translate(" (format!("{:.1}", LEFT + middle + font * 0.35)) " " (TOP - 5.0) ") rotate(-90)" } { (cut(name, 15)) }
                @for j in (0..count).filter(|j| *j != i) {
                    @if let Some(value) = value(i, j) {
                        rect class=(if which == Which::Difference { "off" } else if value < 0.0 { "neg" } else { "cell" })
                            fill-opacity=(format!("{:.2}", value.abs().min(1.0)))
                            x=(format!("{:.1}", LEFT + j as f64 * cell)) y=(format!("{:.1}", TOP + i as f64 * cell)) width=(format!("{:.1}", cell)) height=(format!("{:.1}", cell)) {
                                title { (data.columns[i]) " and " (data.columns[j]) ": " (format!("{value:.2}")) }
                            }
                    }
                }
            }
            rect class="frame" x=(LEFT) y=(TOP) width=(side) height=(side) {}
        }
    }
}

/// Means as squares; the scale of colour goes from the least to the greatest mean of both panels.
pub(super) fn heatmap(map: &Heatmap, means: &[Vec<Option<f64>>], describe: &str) -> Markup {
    const LEFT: f64 = 30.0;
    const HEIGHT: f64 = 168.0;
    let all = || map.real.iter().chain(&map.synthetic).flatten().flatten().copied();
    let (low, high) = all().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)));
    let strength = |value: f64| if high > low { 0.04 + 0.96 * (value - low) / (high - low) } else { 0.5 };
    let (width, height) = ((320.0 - LEFT) / map.columns.len().max(1) as f64, HEIGHT / map.rows.len().max(1) as f64);
    // A label for every row or column, or for some at equal distances.
    let (row_step, column_step) = (map.rows.len().div_ceil(12).max(1), map.columns.len().div_ceil(12).max(1));
    html! {
        svg viewBox="0 -6 322 212" role="img" aria-label=(describe) {
            @for (i, name) in map.rows.iter().enumerate().step_by(row_step) {
                text x=(LEFT - 4.0) y=(format!("{:.1}", (i as f64 + 0.5) * height + 4.0)) text-anchor="end" { (name) }
            }
            @for (j, name) in map.columns.iter().enumerate().step_by(column_step) {
                text x=(format!("{:.1}", LEFT + (j as f64 + 0.5) * width)) y="181" text-anchor="middle" { (name) }
            }
            @for (i, row) in means.iter().enumerate() {
                @for (j, value) in row.iter().enumerate() {
                    @if let Some(value) = value {
                        rect class="cell" fill-opacity=(format!("{:.2}", strength(*value)))
                            x=(format!("{:.1}", LEFT + j as f64 * width)) y=(format!("{:.1}", i as f64 * height)) width=(format!("{width:.1}")) height=(format!("{height:.1}")) {
                                title { (map.rows[i]) ", " (map.columns[j]) ": " (short(*value)) }
                            }
                    }
                }
            }
            rect class="frame" x=(LEFT) y="0" width=(320.0 - LEFT) height=(HEIGHT) {}
            text x=(LEFT) y="201" { "light " (short(low)) ", dark " (short(high)) }
        }
    }
}

/// The rows of one table as points, on axes that both tables share.
pub(super) fn scatter(data: &Scatter, synthetic: bool, describe: &str) -> Markup {
    let all = || data.real.iter().chain(&data.synthetic);
    let range = |axis: usize| {
        all().map(|point| point[axis]).fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)))
    };
    let (horizontal, vertical) = (range(0), range(1));
    let place = |value: f64, (low, high): (f64, f64), length: f64| {
        if high > low { 6.0 + (value - low) / (high - low) * (length - 12.0) } else { length / 2.0 }
    };
    html! {
        svg viewBox="0 0 320 240" role="img" aria-label=(describe) {
            rect class="frame" x="0.5" y="0.5" width="319" height="239" {}
            g class=(if synthetic { "s" } else { "r" }) fill-opacity="0.6" {
                @for point in if synthetic { &data.synthetic } else { &data.real } {
                    circle cx=(format!("{:.1}", place(point[0], horizontal, 320.0))) cy=(format!("{:.1}", 240.0 - place(point[1], vertical, 240.0))) r="2" {}
                }
            }
        }
    }
}
