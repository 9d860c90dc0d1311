//! What the pages of tables and of images share: the frame, the answers, the table of scores, the notes.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::svg::short;
use super::{Direction, Grade, Group, ReferenceFrom, Score, Verdict};

/// What stands on a page. Every text that comes from data is escaped by `html!`.
pub(super) struct Page<'a> {
    /// What was compared, in a sentence.
    pub(super) lead: Markup,
    pub(super) verdicts: &'a [Verdict],
    pub(super) scores: &'a [Score],
    /// What is counted: rows or images.
    pub(super) rows: &'a str,
    /// Whether there is a holdout.
    pub(super) holdout: bool,
    /// Between the answers and the scores.
    pub(super) before: Markup,
    /// Behind the scores.
    pub(super) after: Markup,
    pub(super) notes: &'a [String],
    pub(super) seed: u64,
}

/// The page as a file that needs no other, no script and no network.
pub(super) fn page(page: Page) -> String {
    let whole = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { "Synthetic data report" }
                style { (PreEscaped(super::style::CSS)) }
            }
            body {
                header {
                    h1 { "Synthetic data report" }
                    p.soft { (page.lead) }
                }
                main {
                    (verdicts(page.verdicts))
                    (page.before)
                    (scores(&page))
                    (page.after)
                }
                footer { (notes(&page)) }
            }
        }
    };
    whole.into_string()
}

fn verdicts(verdicts: &[Verdict]) -> Markup {
    html! {
        div.verdicts {
            @for verdict in verdicts {
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

/// The roles say what the elements are, as a narrow page lays a table out as blocks, which takes their meaning from them.
fn scores(page: &Page) -> Markup {
    let groups = [
        (Group::Fidelity, "Looks like the data"),
        (Group::Utility, "Works like the data"),
        (Group::Privacy, "Gives no one away"),
        (Group::Validity, "Is valid"),
    ];
    let of = |group: Group| page.scores.iter().filter(move |score| score.group == group);
    html! {
        h2 #scores { "Scores" }
        p.small.soft {
            @if page.holdout { "The reference is what the held-out real " (page.rows) " score in place of the synthetic ones, unless said otherwise: a perfect generator would score about as much." }
            @else { "The reference is the ideal value, unless said otherwise." }
            @if page.scores.iter().any(|score| score.interval.is_some()) {
                " Under some values stands their interval of 95 %, what other rows of the same population might give."
            }
        }
        table role="table" aria-labelledby="scores" {
            thead role="rowgroup" { tr role="row" {
                @for (class, heading) in [("", "Score"), ("num", "Value"), ("num", "Reference"), ("", "What it means")] {
                    th class=[(!class.is_empty()).then_some(class)] scope="col" role="columnheader" { (heading) }
                }
            } }
            @for (group, title) in groups.into_iter().filter(|(group, _)| of(*group).next().is_some()) {
                tbody role="rowgroup" {
                    tr.group role="row" { th colspan="4" scope="rowgroup" role="rowheader" { (title) } }
                    @for score in of(group) { (score_row(score)) }
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
        tr role="row" {
            th scope="row" role="rowheader" { (score.name) }
            td.num role="cell" data-label="Value" { @if let Some(value) = score.value {
                (precise(value))
                @if let Some([low, high]) = score.interval { br; span.soft.small { (precise(low)) " to " (precise(high)) } }
            } @else { span.soft { "not defined" } } }
            td.num role="cell" data-label="Reference" { @if let Some(value) = score.reference { (precise(value)) span.soft.small { (from) } } @else { span.soft { "none" } } }
            td.small role="cell" {
                @if let Some(why) = &score.undefined { "Not defined: " (why) ". " }
                (score.meaning) " " span.soft { (direction) }
            }
        }
    }
}

fn notes(page: &Page) -> Markup {
    html! {
        h2 { "Notes" }
        ul.small { @for note in page.notes { li { (note) } } li { "Seed " (page.seed) ". The same data and seed give the same numbers." } }
    }
}

/// The colours of real and synthetic.
pub(super) fn legend(first: &str, second: &str) -> Markup {
    html! { p.legend.small { span { i.key.kr {} (first) } span { i.key.ks {} (second) } } }
}

/// Four decimals below ten, fewer digits above.
pub(super) fn precise(value: f64) -> String {
    if value.abs() < 10.0 { format!("{value:.4}") } else { short(value) }
}

/// A count with commas.
pub(super) fn thousands(count: usize) -> String {
    let digits = count.to_string();
    let groups: Vec<&str> = digits.as_bytes().rchunks(3).rev().filter_map(|group| std::str::from_utf8(group).ok()).collect();
    groups.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_written_for_people() {
        assert_eq!([thousands(1_234_567), thousands(12)], ["1,234,567", "12"]);
        assert_eq!([precise(0.25), precise(1500.0)], ["0.2500", "1500"]);
    }
}
