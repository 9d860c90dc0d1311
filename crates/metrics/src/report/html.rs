//! The page.

use maud::{DOCTYPE, Markup, PreEscaped, html};
use semblant_data::table::ColumnKind;

use super::figures::{Bars, Marginal};
use super::svg::{self, Which, short};
use super::{Direction, Grade, Group, ReferenceFrom, Report, Score};

/// The whole page; every text that comes from data is escaped by `html!`.
pub(super) fn page(report: &Report) -> String {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { "Synthetic data report" }
                style { (PreEscaped(super::style::CSS)) }
            }
            body { main {
                (header(report))
                (scores(report))
                (classes(report))
                (marginals(report))
                (matrices(report))
                (scatter(report))
                (distances(report))
                (notes(report))
            } }
        }
    };
    page.into_string()
}

fn header(report: &Report) -> Markup {
    html! {
        h1 { "Synthetic data report" }
        p.soft {
            (thousands(report.rows.synthetic)) " synthetic rows against " (thousands(report.rows.real)) " real rows"
            @if let Some(holdout) = report.rows.holdout { " and " (thousands(holdout)) " real rows held out" }
            "; " (report.columns.len()) " columns compared."
        }
        div.verdicts {
            @for verdict in &report.verdicts {
                section class={ "card verdict " (grade(verdict.grade)) } {
                    h2.small.soft style="margin:0" { (verdict.question) }
                    p.answer { (verdict.answer) }
                    p.small { (verdict.because) }
                }
            }
        }
    }
}

fn grade(grade: Grade) -> &'static str {
    match grade {
        Grade::Good => "good",
        Grade::Fair => "fair",
        Grade::Poor => "poor",
        Grade::Unknown => "unknown",
    }
}

fn scores(report: &Report) -> Markup {
    let groups = [
        (Group::Fidelity, "Looks like the data"),
        (Group::Utility, "Works like the data"),
        (Group::Privacy, "Gives no one away"),
        (Group::Validity, "Is valid"),
    ];
    html! {
        h2 { "Scores" }
        p.small.soft {
            @if report.rows.holdout.is_some() { "The reference is what the held-out real rows score in place of the synthetic ones, unless said otherwise: a perfect generator would score about as much." }
            @else { "The reference is the ideal value, unless said otherwise." }
            " Under some values stands their interval of 95 %, what other rows of the same population might give."
        }
        table {
            thead { tr { th { "Score" } th.num { "Value" } th.num { "Reference" } th { "What it means" } } }
            @for (group, title) in groups {
                tbody {
                    tr.group { th colspan="4" scope="rowgroup" { (title) } }
                    @for score in report.scores.iter().filter(|score| score.group == group) { (score_row(score)) }
                }
            }
        }
    }
}

fn score_row(score: &Score) -> Markup {
    let from = match score.reference_from {
        ReferenceFrom::Holdout => "",
        ReferenceFrom::TrainedOnReal => " real",
        ReferenceFrom::Ideal => " ideal",
    };
    let direction = match score.direction {
        Direction::Higher => "Higher is better.",
        Direction::Lower => "Lower is better.",
        Direction::NearReference => "Best near the reference.",
    };
    html! {
        tr {
            th scope="row" { (score.name) }
            td.num data-label="Value" { @if let Some(value) = score.value {
                (precise(value))
                @if let Some([low, high]) = score.interval { br; span.soft.small { (precise(low)) " to " (precise(high)) } }
            } @else { span.soft { "not defined" } } }
            td.num data-label="Reference" { @if let Some(value) = score.reference { (precise(value)) span.soft.small { (from) } } @else { span.soft { "none" } } }
            td.small {
                @if let Some(why) = &score.undefined { "Not defined: " (why) ". " }
                (score.meaning) " " span.soft { (direction) }
            }
        }
    }
}

/// Classes that the page has a line for; the JSON has all.
const MOST_CLASSES: usize = 40;

/// What a model does for each class of the target.
fn classes(report: &Report) -> Markup {
    let Some(utility) = report.utility.as_ref().filter(|utility| !utility.classes.is_empty()) else { return html! {} };
    let share = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), precise);
    html! {
        h2 { "Classes of " (utility.target) }
        p.small.soft {
            "F1 on the test rows of boosted trees that learnt from real rows, from synthetic ones and from both, the rarest class first"
            @if utility.classes.len() > MOST_CLASSES { "; the first " (MOST_CLASSES) " of " (utility.classes.len()) }
            "."
        }
        table {
            thead { tr { th { "Class" } th.num { "Real rows" } th.num { "Synthetic rows" } th.num { "F1, real" } th.num { "F1, synthetic" } th.num { "F1, both" } } }
            tbody {
                @for class in utility.classes.iter().take(MOST_CLASSES) {
                    tr {
                        th scope="row" { (class.class) }
                        td.num data-label="Real rows" { (thousands(class.train_rows[0])) }
                        td.num data-label="Synthetic rows" { (thousands(class.train_rows[1])) }
                        td.num data-label="F1, real" { (precise(class.real)) }
                        td.num data-label="F1, synthetic" { (share(class.synthetic)) }
                        td.num data-label="F1, both" { (share(class.augmented)) }
                    }
                }
            }
        }
    }
}

fn legend(first: &str, second: &str) -> Markup {
    html! { p.legend.small { span { i.key.kr {} (first) } span { i.key.ks {} (second) } } }
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

fn notes(report: &Report) -> Markup {
    html! {
        h2 { "Notes" }
        ul.small { @for note in &report.notes { li { (note) } } li { "Seed " (report.seed) ". The same tables and seed give the same numbers." } }
    }
}

/// Four decimals below ten, fewer digits above.
fn precise(value: f64) -> String {
    if value.abs() < 10.0 { format!("{value:.4}") } else { short(value) }
}

fn thousands(count: usize) -> String {
    let digits = count.to_string();
    let groups: Vec<&str> = digits.as_bytes().rchunks(3).rev().filter_map(|group| std::str::from_utf8(group).ok()).collect();
    groups.join(",")
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
    fn dates_and_counts_are_written_for_people() {
        assert_eq!(date(0.0), "1970-01-01");
        assert_eq!(date(951_782_400.0), "2000-02-29");
        assert_eq!(date(-86_400.0), "1969-12-31");
        assert_eq!(thousands(1_234_567), "1,234,567");
        assert_eq!(short(0.25), "0.25");
        assert_eq!(short(1500.0), "1500");
    }
}
