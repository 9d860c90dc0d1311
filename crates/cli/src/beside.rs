//! Scores of one or several synthetic sets in a table of text: what `semblant evaluate` prints.

use std::path::Path;

/// The longest heading of a column of numbers.
const WIDEST: usize = 24;

/// One score: its name, its value for every set, and what they are held against.
pub(crate) type Row = (String, Vec<Option<f64>>, Option<f64>);

/// A line of headings and one a score.
pub(crate) fn lines(headings: &[String], rows: impl IntoIterator<Item = Row>) -> Vec<String> {
    let number = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.4}"));
    let widths: Vec<usize> = headings.iter().map(|heading| heading.chars().count().max(10)).collect();
    let line = |name: &str, cells: &[String], last: &str| {
        let cells: String = cells.iter().zip(&widths).map(|(cell, &width)| format!(" {cell:>width$}")).collect();
        format!("{name:44}{cells} {last:>10}")
    };
    let mut lines = vec![line("score", headings, "reference")];
    lines.extend(rows.into_iter().map(|(name, values, reference)| {
        let cells: Vec<String> = values.into_iter().map(number).collect();
        line(&name, &cells, &number(reference))
    }));
    lines
}

/// A heading for each of several paths: the file's name, or the end of the path where names would be equal or too long.
pub(crate) fn headings(paths: &[&Path]) -> Vec<String> {
    let names: Vec<String> = paths.iter().map(|path| path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()).collect();
    let heading = |(place, name): (usize, &String)| {
        let unique = names.iter().filter(|other| *other == name).count() == 1;
        let full = if unique { name.clone() } else { paths[place].to_string_lossy().into_owned() };
        full.chars().skip(full.chars().count().saturating_sub(WIDEST)).collect()
    };
    names.iter().enumerate().map(heading).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_stand_under_their_headings() {
        let found = lines(
            &headings(&["x/ctgan.csv", "copula-of-everything.csv"].map(Path::new)),
            [("Quality".into(), vec![Some(0.5), None], Some(1.0))],
        );
        assert_eq!(found[0].len(), found[1].len());
        let end = |line: &str, text: &str| line.find(text).map(|at| at + text.len());
        assert_eq!(end(&found[0], "ctgan.csv"), end(&found[1], "0.5000"));
        assert_eq!(headings(&["a/s.csv", "b/s.csv"].map(Path::new)), ["a/s.csv", "b/s.csv"]);
        assert_eq!(headings(&[Path::new("a-very-long-name-of-a-table.csv")])[0].len(), WIDEST);
    }
}
