//! The sections of a page.

use maud::{Markup, html};

use super::svg::{self, Which, short};
use super::{precise, thousands};
use crate::report::{
    Axis, Bars, Cell, Content, Curves, Distribution, Distributions, Grid, Heatmap, Histogram, ImagePair, Matrices, Picture, Report,
    Scatter, Section, Sheet,
};

/// Rows of a table and bars of a chart that are shown; the JSON has all.
const MOST_ROWS: usize = 40;
/// Pairs of columns that are listed.
const MOST_PAIRS: usize = 5;

pub(super) fn section(section: &Section) -> Markup {
    let body = match &section.content {
        Content::Facts(list) => facts(&list.iter().map(|fact| (fact.name.clone(), fact.value.clone())).collect::<Vec<_>>()),
        Content::Table(grid) => table(&section.id, grid),
        Content::Distributions(found) => distributions(found),
        Content::Matrices(data) => matrices(data),
        Content::Scatter(data) => html! { div.grid {
            (cloud("Real", data, false))
            (cloud("Synthetic", data, true))
        } },
        Content::Curves(list) => curves(list),
        Content::Heatmaps(maps) => heatmaps(maps),
        Content::Diagram(diagram) => svg::diagram(diagram),
        Content::Images(list) => sheets(list.iter().map(|sheet| (sheet.title.as_str(), sheet))),
        Content::ImagePairs(list) => pairs(list),
    };
    html! {
        h2 id=(section.id) { (section.title) }
        @if !section.text.is_empty() { p.small.soft { (section.text) } }
        (body)
    }
}

/// Images and scatter plots of several reports: the first report's real data, then the synthetic data of each.
pub(super) fn side_by_side(reports: &[(&str, &Report)]) -> Markup {
    let shown = reports.first().into_iter().flat_map(|(_, report)| &report.sections);
    let same = |id: &str| reports.iter().filter_map(move |(name, report)| Some((*name, &report.section(id)?.content))).collect::<Vec<_>>();
    let with_heading = |section: &Section, body: Markup| html! { h2 { (section.title) } @if !section.text.is_empty() { p.small.soft { (section.text) } } (body) };
    html! {
        @for section in shown { @match &section.content {
            Content::Images(first) => {
                @let own = same(&section.id).into_iter().filter_map(|(name, content)| match content {
                    Content::Images(sheets) => Some((name, sheets.last()?)),
                    _ => None,
                });
                (with_heading(section, sheets(first.first().map(|sheet| (sheet.title.as_str(), sheet)).into_iter().chain(own))))
            },
            Content::Scatter(first) => {
                @let own = same(&section.id).into_iter().filter_map(|(name, content)| match content {
                    Content::Scatter(data) => Some(cloud(name, data, true)),
                    _ => None,
                });
                (with_heading(section, html! { div.grid { (cloud("Real", first, false)) @for cloud in own { (cloud) } } }))
            },
            _ => {},
        } }
    }
}

pub(super) fn facts(facts: &[(String, String)]) -> Markup {
    html! { dl.facts.small { @for (name, value) in facts { div { dt { (name) } dd { (value) } } } } }
}

fn table(id: &str, grid: &Grid) -> Markup {
    let cell = |cell: &Cell| match cell {
        Cell::Empty => html! { "-" },
        Cell::Count(count) => html! { (thousands(*count)) },
        Cell::Number(value) => html! { (precise(*value)) },
        Cell::Estimate { value, interval: [low, high] } => {
            html! { (precise(*value)) br; span.soft.small { (precise(*low)) " to " (precise(*high)) } }
        }
        Cell::Text(text) => html! { (text) },
    };
    // Numbers stay on one line; text may take several.
    let is_text = |cell: &Cell| matches!(cell, Cell::Text(_));
    let is_number = |place: usize| place > 0 && !grid.rows.iter().any(|row| row.cells.get(place - 1).is_some_and(is_text));
    html! {
        table role="table" aria-labelledby=(id) {
            thead role="rowgroup" { tr role="row" {
                @for (place, heading) in grid.headings.iter().enumerate() {
                    th class=[is_number(place).then_some("num")] scope="col" role="columnheader" { (heading) }
                }
            } }
            tbody role="rowgroup" {
                @for row in grid.rows.iter().take(MOST_ROWS) {
                    tr role="row" {
                        th scope="row" role="rowheader" { (row.name) }
                        @for (found, heading) in row.cells.iter().zip(grid.headings.iter().skip(1)) {
                            td class=(if is_text(found) { "text" } else { "num" }) role="cell" data-label=(heading) { (cell(found)) }
                        }
                    }
                }
            }
        }
        @if grid.rows.len() > MOST_ROWS { p.small.soft { "The first " (MOST_ROWS) " of " (grid.rows.len()) " rows; the JSON has all." } }
    }
}

fn distributions(found: &Distributions) -> Markup {
    html! {
        p.legend.small { span { i.key.kr {} (found.series[0]) } span { i.key.ks {} (found.series[1]) } }
        div.grid { @for chart in &found.charts { (distribution(chart, &found.series)) } }
    }
}

fn distribution(chart: &Distribution, [first, second]: &[String; 2]) -> Markup {
    let describe = format!("Distribution of {}: {first} and {second}", chart.name);
    html! {
        section.card {
            h3 { (chart.name) }
            p.small.soft {
                @if let Some(value) = chart.value {
                    "similarity " (precise(value))
                    @if let Some(reference) = chart.reference { ", holdout " (precise(reference)) }
                } @else if let Some(why) = &chart.undefined { "not defined: " (why) }
                @if chart.missing != [0.0, 0.0] {
                    ", missing " span.whole { (format!("{:.1} / {:.1} %", 100.0 * chart.missing[0], 100.0 * chart.missing[1])) }
                }
            }
            @match &chart.bars {
                Bars::Histogram(histogram) => (svg::histogram(histogram, &describe, axis(histogram))),
                Bars::Labels(labels) => (svg::bars(&shown(labels), &describe)),
            }
        }
    }
}

fn curves(charts: &[Curves]) -> Markup {
    let mut kinds: Vec<&str> = Vec::new();
    for curve in charts.iter().flat_map(|chart| &chart.curves) {
        if !kinds.contains(&curve.of.as_str()) {
            kinds.push(&curve.of);
        }
    }
    html! {
        p.legend.small { @for kind in &kinds { span { i class={ "key " (svg::key(kind)) } {} (kind) } } }
        div.grid { @for chart in charts {
            section.card { h3 { (chart.name) } (svg::curves(chart, &format!("{}: {}", chart.name, kinds.join(" and ")))) }
        } }
    }
}

fn axis(histogram: &Histogram) -> fn(f64) -> String {
    match histogram.axis {
        Axis::Number => short,
        Axis::Date => date,
    }
}

/// The first labels, and the others together.
fn shown(labels: &[(String, f64, f64)]) -> Vec<(String, f64, f64)> {
    if labels.len() <= MOST_ROWS {
        return labels.to_vec();
    }
    let (shown, rest) = labels.split_at(MOST_ROWS - 1);
    let others = (format!("({} others)", rest.len()), rest.iter().map(|label| label.1).sum(), rest.iter().map(|label| label.2).sum());
    shown.iter().cloned().chain([others]).collect()
}

fn matrices(data: &Matrices) -> Markup {
    let panels = [("Real", Which::Real), ("Synthetic", Which::Synthetic), ("Difference", Which::Difference)];
    let mut least: Vec<(f64, &str, &str)> = Vec::new();
    for (i, row) in data.similarity.iter().enumerate() {
        let pair = |(j, value): (usize, &Option<f64>)| Some(((*value)?, data.columns[i].as_str(), data.columns[j].as_str()));
        least.extend(row.iter().enumerate().skip(i + 1).filter_map(pair).filter(|(value, ..)| *value < 0.995));
    }
    least.sort_by(|a, b| a.0.total_cmp(&b.0));
    html! {
        p.legend.small { span { i.key.kd {} "positive" } span { i.key.kn {} "negative" } span { i.key.ks {} "difference" } }
        div.grid {
            @for (title, which) in panels {
                section.card { h3 { (title) } (svg::matrix(data, which, &format!("{title}: strength of the relation of each pair of columns"))) }
            }
        }
        @if data.columns.len() > svg::MATRIX_COLUMNS { p.small.soft { "Only the first " (svg::MATRIX_COLUMNS) " columns are shown." } }
        @if !least.is_empty() {
            p.small { "Least similar pairs: "
                @for (place, (value, first, second)) in least.iter().take(MOST_PAIRS).enumerate() {
                    @if place > 0 { "; " } (first) " and " (second) " (" (precise(*value)) ")"
                } "."
            }
        }
    }
}

/// Both panels of each column, on one scale of colour.
fn heatmaps(maps: &[Heatmap]) -> Markup {
    html! {
        @for map in maps {
            div.grid {
                @for (title, means) in [("Real", &map.real), ("Synthetic", &map.synthetic)] {
                    section.card { h3 { (map.name) span.small.soft { ", " (title.to_lowercase()) } } (svg::heatmap(map, means, &format!("{title}: means of {} over the calendar", map.name))) }
                }
            }
        }
    }
}

fn cloud(title: &str, data: &Scatter, synthetic: bool) -> Markup {
    html! { section.card { h3 { (title) } (svg::scatter(data, synthetic, &format!("{title}: points along two principal components"))) } }
}

fn image(picture: &Picture, describe: &str) -> Markup {
    let [width, height] = picture.size;
    html! { @if !picture.uri.is_empty() { img src=(picture.uri) width=(width) height=(height) alt=(describe); } }
}

fn sheets<'a>(sheets: impl Iterator<Item = (&'a str, &'a Sheet)>) -> Markup {
    html! {
        div.sheets {
            @for (title, sheet) in sheets {
                figure.card {
                    figcaption { b { (title) } span.small.soft { ", " (thousands(sheet.shown)) " of " (thousands(sheet.of)) ", drawn by the seed" } }
                    (image(&sheet.picture, &format!("{title}: {} images side by side", sheet.shown)))
                }
            }
        }
    }
}

fn pairs(pairs: &[ImagePair]) -> Markup {
    html! {
        div.pairs {
            @for pair in pairs {
                figure.card {
                    div.pair {
                        (image(&pair.pictures[0], &format!("Synthetic image {}", pair.synthetic)))
                        (image(&pair.pictures[1], &format!("Training image {}, the closest", pair.real)))
                    }
                    figcaption.small { (precise(pair.distance)) span.soft { ", second closest " (precise(pair.second)) } }
                }
            }
        }
    }
}

/// Seconds since 1970 as a calendar date (Howard Hinnant's civil-from-days).
fn date(seconds: f64) -> String {
    let days = (seconds / 86_400.0).floor() as i64 + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    format!("{:04}-{month:02}-{day:02}", year_of_era + era * 400 + i64::from(month <= 2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_and_numbers_are_formatted() {
        assert_eq!(date(0.0), "1970-01-01");
        assert_eq!(date(951_782_400.0), "2000-02-29");
        assert_eq!(date(-86_400.0), "1969-12-31");
        assert_eq!(short(0.25), "0.25");
        assert_eq!(short(1500.0), "1500");
    }
}
