//! Scores as aligned lines of text.

use std::path::Path;

use super::scores::score_ids;
use super::{Content, Mark, READING, Report};

/// The longest heading of a column, in characters.
const WIDEST: usize = 24;
/// Characters of a line of sentences.
const WIDTH: usize = 100;
/// Characters of a name that stand before its values; longer names go on below, indented.
const NAME: usize = 56;

/// A line of headings and one line per row: a name, one value per heading, and a reference. A value that does not exist is `-`.
pub fn text_table(headings: &[&str], rows: impl IntoIterator<Item = (String, Vec<Option<f64>>, Option<f64>)>) -> Vec<String> {
    let rows = rows.into_iter().map(|(name, values, reference)| (name, values.into_iter().map(number).collect(), reference));
    aligned(headings, rows)
}

fn number(value: Option<f64>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| format!("{value:.4}"))
}

/// The cells below their headings, all ending at one place.
fn aligned(headings: &[&str], rows: impl IntoIterator<Item = (String, Vec<String>, Option<f64>)>) -> Vec<String> {
    let headings: Vec<String> = headings.iter().map(|&heading| heading.to_owned()).collect();
    let widths: Vec<usize> = headings.iter().map(|heading| heading.chars().count().max(10)).collect();
    let rows: Vec<_> = rows.into_iter().collect();
    let longest = rows.iter().map(|(name, ..)| name.chars().count()).max().unwrap_or(0).clamp("score".len(), NAME);
    let line = |name: &str, cells: &[String], last: &str| {
        let cells: String = cells.iter().zip(&widths).map(|(cell, &width)| format!(" {cell:>width$}")).collect();
        let mut parts = broken(name, longest).into_iter();
        let first = format!("{:longest$}{cells} {last:>10}", parts.next().unwrap_or_default());
        std::iter::once(first).chain(parts).collect::<Vec<_>>()
    };
    let mut lines = line("score", &headings, "reference");
    lines.extend(rows.iter().flat_map(|(name, cells, reference)| line(name, cells, &number(*reference))));
    lines
}

/// A name in parts of at most `width` characters, broken at blanks where it has some, all but the first indented.
fn broken(name: &str, width: usize) -> Vec<String> {
    let mut left: Vec<char> = name.chars().collect();
    let mut parts = Vec::new();
    loop {
        let indent = if parts.is_empty() { "" } else { "  " };
        let room = width - indent.len();
        if left.len() <= room {
            parts.push(format!("{indent}{}", left.iter().collect::<String>()));
            return parts;
        }
        let end = left[..=room].iter().rposition(|c| *c == ' ').filter(|&at| at > 0).unwrap_or(room);
        parts.push(format!("{indent}{}", left[..end].iter().collect::<String>()));
        left.drain(..end + usize::from(left[end] == ' '));
    }
}

/// A short heading for each of several paths: the file name, or the end of the path where file names would be equal or too long.
pub fn short_names<P: AsRef<Path>>(paths: &[P]) -> Vec<String> {
    let paths: Vec<&Path> = paths.iter().map(AsRef::as_ref).collect();
    let names: Vec<String> = paths.iter().map(|path| path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()).collect();
    let heading = |(place, name): (usize, &String)| {
        let unique = names.iter().filter(|other| *other == name).count() == 1;
        let full = if unique { name.clone() } else { paths[place].to_string_lossy().into_owned() };
        full.chars().skip(full.chars().count().saturating_sub(WIDEST)).collect()
    };
    names.iter().enumerate().map(heading).collect()
}

/// The verdicts of each report; the scores of all, with their marks; the counts of each; the facts of the first. References are those of the
/// first report that has one.
pub(super) fn lines(reports: &[(&str, &Report)]) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for (name, report) in reports {
        if reports.len() > 1 && !report.verdicts.is_empty() {
            lines.push(format!("{name}:"));
        }
        for verdict in &report.verdicts {
            lines.push(format!("{}: {} ({})", verdict.group.title(), verdict.answer, verdict.grade.word()));
            lines.extend(wrapped(&verdict.because));
        }
    }
    // A mark follows its value, below a heading that ends where the value does.
    let marked = |value: Option<f64>, mark: Option<Mark>| format!("{} {:5}", number(value), mark.map_or("", Mark::word));
    let headings: Vec<String> = reports.iter().map(|(name, _)| format!("{name}      ")).collect();
    let row = |id: &str| {
        let scores: Vec<_> = reports.iter().map(|(_, report)| report.score(id)).collect();
        let first = scores.iter().flatten().next()?;
        let cells = scores.iter().map(|score| marked(score.and_then(|score| score.value), score.and_then(|score| score.mark))).collect();
        Some((first.name.clone(), cells, scores.iter().flatten().find_map(|score| score.reference)))
    };
    let headings: Vec<&str> = headings.iter().map(String::as_str).collect();
    lines.extend(aligned(&headings, score_ids(reports).into_iter().filter_map(row)));
    for (name, report) in reports {
        let sources = &report.sources;
        let holdout = sources.holdout.as_ref().map_or_else(String::new, |holdout| format!(", {} holdout", holdout.count));
        let (real, synthetic) = (sources.real.count, sources.synthetic.count);
        lines.push(format!("{name}: {real} real, {synthetic} synthetic{holdout} {}; seed {}", sources.items, report.seed));
    }
    for section in reports.first().into_iter().flat_map(|(_, report)| &report.sections) {
        match &section.content {
            Content::Facts(facts) if section.id == READING => {
                lines.extend(facts.iter().flat_map(|fact| wrapped(&format!("{}: {}", fact.name, fact.value))));
            }
            Content::Facts(facts) => lines.extend(facts.iter().map(|fact| format!("  {}: {}", fact.name, fact.value))),
            _ => {}
        }
    }
    lines
}

/// Indented lines of at most [`WIDTH`] characters.
fn wrapped(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= WIDTH => *line = format!("{line} {word}"),
            _ => lines.push(format!("  {word}")),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_are_wrapped() {
        let lines = wrapped(&"twelve chars ".repeat(20));
        assert!(lines.len() == 3 && lines.iter().all(|line| line.starts_with("  t") || line.starts_with("  c")), "{lines:?}");
        assert!(lines.iter().all(|line| line.chars().count() <= WIDTH));
    }

    #[test]
    fn columns_are_aligned_with_their_headings() {
        let names = short_names(&["x/ctgan.csv", "copula-of-everything.csv"].map(Path::new));
        let headings: Vec<&str> = names.iter().map(String::as_str).collect();
        let found = text_table(&headings, [("Quality".into(), vec![Some(0.5), None], Some(1.0))]);
        assert_eq!(found[0].len(), found[1].len());
        let end = |line: &str, text: &str| line.find(text).map(|at| at + text.len());
        assert_eq!(end(&found[0], "ctgan.csv"), end(&found[1], "0.5000"));
        // The names decide how far in the values stand; a name that is too long goes on below them.
        assert!(found[0].starts_with("score    "), "{found:?}");
        let long = ["Closest over second closest distance, 5th percentile", &"Distance of a column ".repeat(5), &"x".repeat(130)];
        let found = text_table(&["s.csv"], long.map(|name| (name.to_owned(), vec![Some(0.25)], Some(1.0))));
        let values: Vec<&String> = found.iter().filter(|line| line.ends_with("1.0000")).collect();
        assert!(values.len() == 3 && values.iter().all(|line| end(line, "0.2500") == end(&found[0], "s.csv")), "{found:#?}");
        assert!(found.iter().all(|line| line.chars().count() <= NAME + 22), "{found:#?}");
        assert_eq!(found.iter().map(|line| line[..line.len().min(NAME)].trim_start_matches("  ")).filter(|l| l.contains('x')).count(), 3);
        assert_eq!(short_names(&["a/s.csv", "b/s.csv"].map(Path::new)), ["a/s.csv", "b/s.csv"]);
        assert_eq!(short_names(&[Path::new("a-very-long-name-of-a-table.csv")])[0].len(), WIDEST);
    }
}
