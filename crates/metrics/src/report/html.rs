//! The page of a table.

use maud::{Markup, html};
use semblant_data::table::ColumnKind;

use super::Report;
use super::figures::{Bars, Marginal};
use super::page::{self, Page, legend, precise, thousands};
use super::svg::{self, Which, short};

/// The whole page; every text that comes from data is escaped by `html!`.
pub(super) fn page(report: &Report) -> String {
    let lead = html! {
        (thousands(report.rows.synthetic)) " synthetic rows against " (thousands(report.rows.real)) " real rows"
        @if let Some(holdout) = report.rows.holdout { " and " (thousands(holdout)) " real rows held out" }
        "; " (report.columns.len()) " columns compared."
    };
    let figures = html! {
        (classes(report))
        (marginals(report))
        (matrices(report))
        (scatter(report))
        (distances(report))
    };
    let page = Page {
        lead,
        verdicts: &report.verdicts,
        scores: &report.scores,
        rows: "rows",
        holdout: report.rows.holdout.is_some(),
        before: html! {},
        after: figures,
        notes: &report.notes,
        seed: report.seed,
    };
    page::page(page)
}

/// Classes that the page has a line for; the JSON has all.
const MOST_CLASSES: usize = 40;

const CLASS_HEADINGS: [&str; 5] = ["Real rows", "Synthetic rows", "F1, real", "F1, synthetic", "F1, both"];

/// What a model does for each class of the target.
fn classes(report: &Report) -> Markup {
    let Some(utility) = report.utility.as_ref().filter(|utility| !utility.classes.is_empty()) else { return html! {} };
    let share = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), precise);
    html! {
        h2 #classes { "Classes of " (utility.target) }
        p.small.soft {
            "F1 on the test rows of boosted trees that learnt from real rows, from synthetic ones and from both, the rarest class first"
            @if utility.classes.len() > MOST_CLASSES { "; the first " (MOST_CLASSES) " of " (utility.classes.len()) }
            "."
        }
        table role="table" aria-labelledby="classes" {
            thead role="rowgroup" { tr role="row" {
                th scope="col" role="columnheader" { "Class" }
                @for heading in CLASS_HEADINGS { th.num scope="col" role="columnheader" { (heading) } }
            } }
            tbody role="rowgroup" {
                @for class in utility.classes.iter().take(MOST_CLASSES) {
                    tr role="row" {
                        th scope="row" role="rowheader" { (class.class) }
                        @for (heading, cell) in CLASS_HEADINGS.into_iter().zip([
                            thousands(class.train_rows[0]),
                            thousands(class.train_rows[1]),
                            precise(class.real),
                            share(class.synthetic),
                            share(class.augmented),
                        ]) { td.num role="cell" data-label=(heading) { (cell) } }
                    }
                }
            }
        }
    }
}

fn marginals(report: &Report) -> Markup {
    html! {
        h2 { "Columns" }
        p.small.soft { "Shares of the known values of each column. The outermost bars of a histogram also hold everything beyond them." }
        (legend("real", "synthetic"))
        div.grid {
            @for marginal in &report.figures.marginals { (marginal_card(report, marginal)) }
        }
    }
}

fn marginal_card(report: &Report, marginal: &Marginal) -> Markup {
    let detail = report.columns.iter().find(|detail| detail.column == marginal.column);
    let describe = format!("Distribution of {} in the real and the synthetic table", marginal.column);
    let as_date = |value| if marginal.kind == ColumnKind::Datetime { date(value) } else { short(value) };
    html! {
        section.card {
            h3 { (marginal.column) }
            p.small.soft {
                @if let Some(detail) = detail {
                    @if let Some(value) = detail.value { "alike " (precise(value)) @if let Some(reference) = detail.reference { ", holdout " (precise(reference)) } }
                    @else if let Some(why) = &detail.undefined { "not defined: " (why) }
                }
                @if marginal.missing != [0.0, 0.0] { ", missing " span.whole { (format!("{:.1} / {:.1} %", 100.0 * marginal.missing[0], 100.0 * marginal.missing[1])) } }
            }
            @match &marginal.shape {
                Bars::Histogram(histogram) => (svg::histogram(histogram, &describe, as_date)),
                Bars::Labels(labels) => (svg::bars(labels, &describe)),
            }
        }
    }
}

fn matrices(report: &Report) -> Markup {
    let data = &report.figures.matrices;
    let panels = [("Real", Which::Real), ("Synthetic", Which::Synthetic), ("Difference", Which::Difference)];
    html! {
        @if data.columns.len() > 1 {
            h2 { "How columns go together" }
            p.small.soft {
                "Correlation of two numbers, Cramér's V of every other pair; the stronger the colour, the stronger the relation. The last panel shows where the two tables differ."
                @if data.columns.len() > svg::MATRIX_COLUMNS { " Only the first " (svg::MATRIX_COLUMNS) " columns are shown." }
            }
            p.legend.small { span { i.key.kd {} "together" } span { i.key.kn {} "opposed" } span { i.key.ks {} "difference" } }
            div.grid {
                @for (title, which) in panels {
                    section.card { h3 { (title) } (svg::matrix(data, which, &format!("{title}: strength of relation of each pair of columns"))) }
                }
            }
            (worst_pairs(report))
        }
    }
}

fn worst_pairs(report: &Report) -> Markup {
    let mut pairs: Vec<_> = report.pairs.iter().filter_map(|pair| Some((pair.value?, pair))).filter(|(value, _)| *value < 0.995).collect();
    pairs.sort_by(|a, b| a.0.total_cmp(&b.0));
    html! {
        @if !pairs.is_empty() {
            p.small { "Least alike: "
                @for (place, (value, pair)) in pairs.iter().take(5).enumerate() {
                    @if place > 0 { "; " } (pair.first) " with " (pair.second) " (" (precise(*value)) ")"
                } "."
            }
        }
    }
}

fn scatter(report: &Report) -> Markup {
    html! {
        @if let Some(scatter) = &report.figures.scatter {
            h2 { "Rows" }
            p.small.soft { "Each point is a row, seen along the two directions in which the real rows differ most (principal components). The two clouds should have the same shape." }
            div.grid {
                section.card { h3 { "Real" } (svg::scatter(scatter, false, "Real rows along two principal components")) }
                section.card { h3 { "Synthetic" } (svg::scatter(scatter, true, "Synthetic rows along the same two components")) }
            }
        }
    }
}

fn distances(report: &Report) -> Markup {
    html! {
        @if let Some(histogram) = &report.figures.distances {
            h2 { "Distance to the closest training row" }
            p.small.soft { "0 is a copy, 1 differs in every column. If the synthetic rows reach further left than the held-out rows do, the generator has memorised." }
            (legend(if report.rows.holdout.is_some() { "held-out real rows" } else { "no holdout given" }, "synthetic rows"))
            section.card style="max-width:480px" { (svg::histogram(histogram, "Distances of synthetic and held-out rows to the closest training row", short)) }
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
    fn dates_and_numbers_are_written_for_people() {
        assert_eq!(date(0.0), "1970-01-01");
        assert_eq!(date(951_782_400.0), "2000-02-29");
        assert_eq!(date(-86_400.0), "1969-12-31");
        assert_eq!(short(0.25), "0.25");
        assert_eq!(short(1500.0), "1500");
    }
}
