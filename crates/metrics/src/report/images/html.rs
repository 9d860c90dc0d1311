//! The page of images.

use maud::{Markup, html};

use super::super::page::{self, Page, legend, precise, thousands};
use super::super::svg;
use super::ImageReport;
use super::pictures::Sheet;
use crate::image::utility::ImageUtility;

/// Most classes that are shown one by one.
const CLASSES: usize = 30;

pub(super) fn page(report: &ImageReport) -> String {
    let [channels, height, width] = report.shape;
    let lead = html! {
        (thousands(report.images.synthetic)) " synthetic images against " (thousands(report.images.real)) " real images"
        @if let Some(holdout) = report.images.holdout { " and " (thousands(holdout)) " real images held out" }
        "; " (height) " x " (width) " pixels, " @if channels == 1 { "grey." } @else { "colour." }
    };
    let after = html! {
        (made_with(report))
        (classes(report))
        (utility(report))
        (scatter(report))
        (closest(report))
    };
    let page = Page {
        lead,
        verdicts: &report.verdicts,
        scores: &report.scores,
        rows: "images",
        holdout: report.images.holdout.is_some(),
        before: sheets(report),
        after,
        notes: &report.notes,
        seed: report.seed,
    };
    page::page(page)
}

fn image(sheet: &Sheet, describe: &str) -> Markup {
    let [width, height] = sheet.size;
    html! { img src=(sheet.uri) width=(width) height=(height) alt=(describe); }
}

fn sheets(report: &ImageReport) -> Markup {
    let sheet = |title: &str, sheet: &Option<Sheet>, count: usize| {
        html! {
            @if let Some(sheet) = sheet {
                figure.card {
                    figcaption { b { (title) } span.small.soft { ", " (sheet.count) " of " (thousands(count)) " drawn by the seed" } }
                    (image(sheet, &format!("{} {} images side by side", sheet.count, title.to_lowercase())))
                }
            }
        }
    };
    html! {
        @if report.pictures.real.is_some() {
            h2 { "Images" }
            div.sheets {
                (sheet("Real", &report.pictures.real, report.images.real))
                (sheet("Synthetic", &report.pictures.synthetic, report.images.synthetic))
            }
        }
    }
}

/// What every number was made with.
fn made_with(report: &ImageReport) -> Markup {
    let features = &report.features;
    let [held, held_holdout] = report.held_against_real;
    html! {
        h2 { "What the numbers were made with" }
        dl.facts.small {
            @if let Some(sources) = &report.sources {
                div { dt { "Real images" } dd { (sources.real) ", " (thousands(report.images.real)) } }
                div { dt { "Synthetic images" } dd { (sources.synthetic) ", " (thousands(report.images.synthetic)) } }
                @if let (Some(name), Some(count)) = (&sources.holdout, report.images.holdout) {
                    div { dt { "Held out" } dd { (name) ", " (thousands(count)) } }
                }
            }
            div { dt { "Network" } dd { (features.kind) ": " (features.architecture) } }
            div { dt { "Its weights" } dd { code { "SHA-256 " (features.sha256) }
                @if let Some(seed) = features.seed { ", trained with seed " (seed) }
                @if let Some(accuracy) = features.accuracy { ", " (format!("{:.2}", 100.0 * accuracy)) " % right on held-out images" }
            } }
            div { dt { "Resizing" } dd { @if let Some(resize) = &features.resize { (resize) ", to 299 x 299" } @else { "none: the network looks at images as they are" } } }
            div { dt { "All images of each side" } dd { "Frechet and kernel distance, classifier score, class accuracy and shares" } }
            div { dt { (thousands(report.compared)) " images of each side" } dd { "MIND, precision, recall, density, coverage" } }
            div { dt { (thousands(held)) " synthetic, " (thousands(held_holdout)) " held out" } dd { "held against every real image, by pixels: memorised, nearest" } }
        }
    }
}

fn classes(report: &ImageReport) -> Markup {
    let mut bars: Vec<(String, f64, f64)> =
        report.classes.iter().map(|class| (class.class.clone(), class.real, class.synthetic)).take(CLASSES).collect();
    if let Some(rest) = report.classes.get(CLASSES..).filter(|rest| !rest.is_empty()) {
        let sum = |get: fn(&super::ClassShare) -> f64| rest.iter().map(get).sum();
        bars.push((format!("({} others)", rest.len()), sum(|class| class.real), sum(|class| class.synthetic)));
    }
    html! {
        @if !bars.is_empty() {
            h2 { "Classes" }
            p.small.soft { "How often the network finds each class." }
            (legend("real", "synthetic"))
            section.card.narrow { (svg::bars(&bars, "Share of each class among the real and the synthetic images")) }
        }
    }
}

fn utility(report: &ImageReport) -> Markup {
    let percent = |share: Option<f64>| share.map_or_else(|| "-".to_owned(), |share| format!("{:.1} %", 100.0 * share));
    let row = |name: &str, get: &dyn Fn(&crate::image::utility::Accuracy) -> Option<f64>, found: &ImageUtility| {
        html! {
            tr role="row" {
                th scope="row" role="rowheader" { (name) }
                @for (label, accuracy) in [("Synthetic", &found.synthetic), ("Real", &found.real), ("Both", &found.both)] {
                    td.num role="cell" data-label=(label) { (percent(get(accuracy))) }
                }
            }
        }
    };
    html! {
        @if let Some(found) = &report.utility {
            h2 #utility { "What classifiers learn" }
            p.small.soft {
                "Share of " (thousands(found.tested)) " held-out real images that a classifier names rightly, by what it learnt from: "
                (thousands(found.synthetic.learnt_from)) " synthetic images, " (thousands(found.real.learnt_from)) " real ones, or both. Each saw "
                (thousands(usize::try_from(found.images_seen).unwrap_or(usize::MAX))) " images in training, one counting as often as it came; seed " (found.seed) "."
            }
            table.narrow role="table" aria-labelledby="utility" {
                thead role="rowgroup" { tr role="row" {
                    th scope="col" role="columnheader" { "Class" }
                    @for heading in ["Synthetic", "Real", "Both"] { th.num scope="col" role="columnheader" { (heading) } }
                } }
                tbody role="rowgroup" {
                    (row("All", &|accuracy| Some(accuracy.overall), found))
                    @for (place, class) in found.class_names.iter().enumerate() {
                        (row(class, &|accuracy| accuracy.classes.get(place).copied().flatten(), found))
                    }
                }
            }
        }
    }
}

fn scatter(report: &ImageReport) -> Markup {
    html! {
        @if let Some(scatter) = &report.scatter {
            h2 { "Features" }
            p.small.soft { "Each point is an image, seen along the two directions in which the features of the real ones differ most (principal components). The two clouds should have the same shape." }
            div.grid {
                section.card { h3 { "Real" } (svg::scatter(scatter, false, "Real images along two principal components of their features")) }
                section.card { h3 { "Synthetic" } (svg::scatter(scatter, true, "Synthetic images along the same two components")) }
            }
        }
    }
}

fn closest(report: &ImageReport) -> Markup {
    html! {
        @if !report.pictures.closest.is_empty() {
            h2 { "Closest to a training image" }
            p.small.soft { "The synthetic images that are most like one training image and no other, pixel by pixel, each on the left with that training image on the right, and their distance: 0 is equal, 1 is black against white. Less than a third of the distance to the second nearest counts as memorised." }
            div.pairs {
                @for (closest, [synthetic, real]) in report.closest.iter().zip(&report.pictures.closest) {
                    figure.card {
                        div.pair {
                            (image(synthetic, &format!("Synthetic image {}", closest.synthetic)))
                            (image(real, &format!("Training image {}, the nearest to it", closest.real)))
                        }
                        figcaption.small { (precise(closest.distance)) span.soft { ", second nearest " (precise(closest.second)) } }
                    }
                }
            }
        }
    }
}
