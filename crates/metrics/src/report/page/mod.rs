//! The HTML page of a report or a comparison, for every kind of data.

mod content;
mod style;
mod svg;

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::scores::score_ids;
use super::{Content, Direction, GENERATOR, Group, Mark, READING, ReferenceFrom, Report, Score, Section, Sources, Verdict};
use svg::short;

/// The page of one report: verdicts, sources, images, scores, the other sections, notes.
pub(super) fn report(report: &Report) -> String {
    let reports = [("Value", report)];
    let is_images = |section: &&Section| matches!(section.content, Content::Images(_));
    // How to read the answers stands above them.
    let is_reading = |section: &&Section| section.id == READING;
    let main = html! {
        @for section in report.sections.iter().filter(is_reading) { (content::section(section)) }
        (verdicts(&report.verdicts))
        h2 { "Data" }
        (content::facts(&sources(&report.sources)))
        @for section in report.sections.iter().filter(is_images) { (content::section(section)) }
        (scores(&reports))
        @for section in report.sections.iter().filter(|section| !is_images(section) && !is_reading(section)) { (content::section(section)) }
    };
    page(lead(&report.sources), main, &report.notes, report.seed)
}

/// The page of several reports: their verdicts and scores in columns, their images and scatter plots side by side.
pub(super) fn comparison(reports: &[(&str, &Report)]) -> String {
    let Some((_, first)) = reports.first() else { return String::new() };
    let synthetic = reports.iter().flat_map(|(name, report)| {
        let own = sources(&report.sources).into_iter().filter(|(fact, _)| ["Synthetic data", "Model"].contains(&fact.as_str()));
        own.map(move |(fact, value)| (format!("{fact}: {name}"), value))
    });
    let common = sources(&first.sources).into_iter().filter(|(fact, _)| !["Synthetic data", "Model"].contains(&fact.as_str()));
    let main = html! {
        (compared_verdicts(reports))
        h2 { "Data" }
        (content::facts(&synthetic.chain(common).collect::<Vec<_>>()))
        (scores(reports))
        (content::side_by_side(reports))
    };
    let mut notes: Vec<String> = Vec::new();
    reports.iter().flat_map(|(_, report)| &report.notes).for_each(|note| {
        if !notes.contains(note) {
            notes.push(note.clone());
        }
    });
    let lead = html! { (reports.len()) " synthetic data sets compared with the same " (thousands(first.sources.real.count)) " real " (first.sources.items) "." };
    page(lead, main, &notes, first.seed)
}

/// What a browser may load for the page, and run in it.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'";

/// The frame. Every text that comes from data is escaped by `html!`.
fn page(lead: Markup, main: Markup, notes: &[String], seed: u64) -> String {
    let whole = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                // Nothing but what the page holds itself: its own styles and pictures, no script, no request.
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                meta name="generator" content=(format!("{GENERATOR} {}", env!("CARGO_PKG_VERSION")));
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { "Synthetic data report" }
                style { (PreEscaped(style::CSS)) }
            }
            body {
                header {
                    h1 { "Synthetic data report" }
                    p.soft { (lead) }
                }
                main { (main) }
                footer {
                    h2 { "Notes" }
                    ul.small {
                        @for note in notes { li { (note) } }
                        li { "Seed " (seed) ". The same data, options and seed give the same numbers." }
                    }
                }
            }
        }
    };
    whole.into_string()
}

fn lead(sources: &Sources) -> Markup {
    let items = &sources.items;
    html! {
        (thousands(sources.synthetic.count)) " synthetic " (items) " compared with " (thousands(sources.real.count)) " real " (items)
        @if let Some(holdout) = &sources.holdout { " and " (thousands(holdout.count)) " holdout " (items) }
        "; " (sources.description) "."
    }
}

/// What was evaluated, as names and values.
fn sources(sources: &Sources) -> Vec<(String, String)> {
    let items = &sources.items;
    let data = |source: &super::Source| {
        let count = format!("{} {items}", thousands(source.count));
        source.name.as_ref().map_or_else(|| count.clone(), |name| format!("{name}, {count}"))
    };
    let facts = [
        ("Real data (training set)", Some(data(&sources.real))),
        ("Synthetic data", Some(data(&sources.synthetic))),
        ("Holdout", sources.holdout.as_ref().map(data)),
        ("Model", sources.model.as_ref().map(described)),
        ("Date", sources.date.clone()),
        ("Software", Some(format!("Semblant {}", sources.version))),
    ];
    facts.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
}

fn described(model: &super::ModelSource) -> String {
    let seed = model.seed.map_or_else(String::new, |seed| format!(", seed {seed}"));
    format!("{}{seed}", model.name)
}

fn verdicts(verdicts: &[Verdict]) -> Markup {
    html! {
        div.verdicts {
            @for verdict in verdicts {
                section class={ "card verdict " (verdict.grade.word()) } {
                    h2.small.soft style="margin:0" { (verdict.group.title()) }
                    p.answer { (verdict.answer) }
                    p.small { (verdict.because) }
                }
            }
        }
    }
}

fn compared_verdicts(reports: &[(&str, &Report)]) -> Markup {
    let groups = || Group::ALL.into_iter().filter(|&group| reports.iter().any(|(_, report)| report.verdict(group).is_some()));
    let answer = |report: &Report, group| report.verdict(group).map(|verdict| (verdict.grade.word(), verdict.answer.clone()));
    html! {
        h2 #verdicts { "Verdicts" }
        table role="table" aria-labelledby="verdicts" {
            thead role="rowgroup" { tr role="row" {
                th scope="col" role="columnheader" { "Synthetic data" }
                @for group in groups() { th scope="col" role="columnheader" { (group.title()) } }
            } }
            tbody role="rowgroup" { @for (name, report) in reports { tr role="row" {
                th scope="row" role="rowheader" { (name) }
                @for group in groups() {
                    td role="cell" data-label=(group.title()) { @if let Some((grade, answer)) = answer(report, group) { b class=(grade) { (answer) } } }
                }
            } } }
        }
    }
}

/// The colour of a mark, which is that of a grade.
fn colour(mark: Mark) -> &'static str {
    match mark {
        Mark::Good => "good",
        Mark::Watch => "fair",
        Mark::Bad => "poor",
    }
}

/// The scores, one column of values per report. The roles keep the meaning of the elements, since a narrow page lays a table out as blocks.
fn scores(reports: &[(&str, &Report)]) -> Markup {
    let rows: Vec<Vec<Option<&Score>>> =
        score_ids(reports).into_iter().map(|id| reports.iter().map(|(_, report)| report.score(id)).collect()).collect();
    let of = |group: Group| rows.iter().filter(move |row| row.iter().flatten().next().is_some_and(|score| score.group == group));
    let has_holdout = reports.iter().any(|(_, report)| report.sources.holdout.is_some());
    let headings: Vec<&str> = reports.iter().map(|(name, _)| *name).collect();
    html! {
        h2 #scores { "Scores" }
        p.small.soft {
            @if has_holdout { "The reference is the score of the holdout in place of the synthetic data, unless marked otherwise: a perfect generator reaches about the same." }
            @else { "The reference is the ideal value, unless marked otherwise. \"Among real rows\" is what each real row scores against all others, as a new row would." }
            @if rows.iter().flatten().flatten().any(|score| score.interval.is_some()) { " Below some values is their 95 % confidence interval." }
            " The mark says how a score compares with its reference: good, watch, or bad; the limits are conventions."
            @if reports.len() > 1 { " The best value of each row is bold." }
        }
        table role="table" aria-labelledby="scores" {
            thead role="rowgroup" { tr role="row" {
                th scope="col" role="columnheader" { "Score" }
                @for heading in headings.iter().copied().chain(["Reference"]) { th.num scope="col" role="columnheader" { (heading) } }
                th scope="col" role="columnheader" { @if reports.len() > 1 { "Better" } @else { "Meaning" } }
            } }
            @for group in Group::ALL.into_iter().filter(|group| of(*group).next().is_some()) {
                tbody role="rowgroup" {
                    tr.group role="row" { th colspan=(reports.len() + 3) scope="rowgroup" role="rowheader" { (group.title()) } }
                    @for row in of(group) { (score_row(row, &headings)) }
                }
            }
        }
    }
}

fn score_row(row: &[Option<&Score>], headings: &[&str]) -> Markup {
    let Some(first) = row.iter().flatten().next() else { return html! {} };
    let reference = row.iter().flatten().find_map(|score| score.reference);
    let from = match first.reference_from {
        ReferenceFrom::Holdout => "",
        ReferenceFrom::TrainedOnReal => " real",
        ReferenceFrom::WithinReal => " among real rows",
        ReferenceFrom::Ideal => " ideal",
    };
    let direction = match first.direction {
        Direction::Higher => "Higher is better.",
        Direction::Lower => "Lower is better.",
        Direction::NearReference => "Best near the reference.",
    };
    let best = best(row, first.direction, reference);
    html! {
        tr role="row" {
            th scope="row" role="rowheader" { (first.name) }
            @for (score, heading) in row.iter().zip(headings) { td.num role="cell" data-label=(heading) { @match score.and_then(|score| Some((score.value?, score.interval))) {
                Some((value, interval)) => {
                    @if best == Some(value) { b { (precise(value)) } } @else { (precise(value)) }
                    @if let Some(mark) = score.and_then(|score| score.mark) { " " b class={ "small " (colour(mark)) } { (mark.word()) } }
                    @if let Some([low, high]) = interval { br; span.soft.small { (precise(low)) " to " (precise(high)) } }
                },
                None => span.soft { "not defined" },
            } } }
            td.num role="cell" data-label="Reference" { @if let Some(value) = reference { (precise(value)) span.soft.small { (from) } } @else { span.soft { "none" } } }
            td.small role="cell" {
                @if row.len() == 1 {
                    @if let Some(why) = &first.undefined { "Not defined: " (why) ". " }
                    (first.meaning) " "
                }
                span.soft { (direction) }
            }
        }
    }
}

/// The best of several values; none of a single one or where all are equal.
fn best(row: &[Option<&Score>], direction: Direction, reference: Option<f64>) -> Option<f64> {
    let values = || row.iter().flatten().filter_map(|score| score.value);
    let badness = |value: f64| match (direction, reference) {
        (Direction::Higher, _) => Some(-value),
        (Direction::Lower, _) => Some(value),
        (Direction::NearReference, reference) => Some((value - reference?).abs()),
    };
    let first = values().next()?;
    if values().all(|value| value == first) {
        return None;
    }
    values().filter_map(|value| Some((badness(value)?, value))).min_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, value)| value)
}

/// Four decimals below ten, fewer digits above.
fn precise(value: f64) -> String {
    if value.abs() < 10.0 { format!("{value:.4}") } else { short(value) }
}

/// A count with commas.
fn thousands(count: usize) -> String {
    let digits = count.to_string();
    let groups: Vec<&str> = digits.as_bytes().rchunks(3).rev().filter_map(|group| std::str::from_utf8(group).ok()).collect();
    groups.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_rounded_and_grouped() {
        assert_eq!([thousands(1_234_567), thousands(12)], ["1,234,567", "12"]);
        assert_eq!([precise(0.25), precise(1500.0)], ["0.2500", "1500"]);
    }
}
