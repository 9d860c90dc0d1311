//! Columns of free text in a table: scores of text for each, with the column that it tells most of as its label.

use semblant_core::data::Data;
use semblant_data::table::{Column, ColumnKind, ColumnSchema, MISSING, Table};
use semblant_data::text::Text;

use super::{Compared, LEAST_TEXTS, scores, sections};
use crate::Result;
use crate::random::subsample;
use crate::report::{Score, Section, marks};
use crate::text::Classifier;

/// Scores of a column.
const SCORES: [&str; 7] = ["text_discriminative", "reverse_bits", "lengths", "class_accuracy", "long_passages", "copies", "novelty"];
/// Columns that may be the label of a text, and labels that such a column may have.
const MOST_COLUMNS: usize = 12;
const MOST_LABELS: usize = 20;
/// Texts by which the label is chosen.
const TRIED: usize = 2_000;

/// The scores of the columns of free text that the tables have, and sections with texts side by side.
///
/// # Errors
/// More text than there may be memory for.
pub(in crate::report) fn of_columns(
    [real, synthetic]: [&Table; 2],
    holdout: Option<&Table>,
    seed: u64,
    stage: &mut dyn FnMut(&str),
) -> Result<(Vec<Score>, Vec<Section>)> {
    let (mut all, mut shown) = (Vec::new(), Vec::new());
    for described in real.schema().columns.iter().filter(|described| described.kind == ColumnKind::Text) {
        let name = &described.name;
        let label = label(real, name, seed);
        let of = |table: &Table| texts(table, name, label.as_ref());
        let (Some(own), Some(made)) = (of(real), of(synthetic)) else { continue };
        let held = holdout.and_then(of);
        stage(&format!("texts of {name}"));
        let compared = Compared::of(&own, &made, held.as_ref(), seed)?;
        let found = scores::of(&compared, seed, &mut |_| ());
        let mut own: Vec<Score> =
            found.into_iter().map(|scored| scored.score).filter(|score| SCORES.contains(&score.id.as_str())).collect();
        let sizes = [compared.synthetic.count(), compared.holdout.as_ref().map_or(compared.real.count(), Text::count)];
        marks::set(&mut own, sizes);
        for score in &mut own {
            if let ("class_accuracy", Some(label)) = (score.id.as_str(), &label) {
                score.name = format!("Fits {}", label.name);
                score.meaning = format!(
                    "The share of texts from which {} is told rightly, by a classifier of real texts; the mean over its values.",
                    label.name
                );
            }
            score.id = format!("{}.{name}", score.id);
            score.name = format!("{name}: {}", score.name);
        }
        all.extend(own);
        let section = sections::samples(&compared, seed);
        shown.push(Section { id: format!("{}-{}", section.id, shown.len() + 1), title: format!("Texts of {name}"), ..section });
    }
    Ok((all, shown))
}

/// How a column is the label of texts.
struct Label {
    name: String,
    /// For numbers: where the greater ones begin.
    above: Option<f64>,
}

impl Label {
    fn of(column: (&ColumnSchema, &Column)) -> Option<Self> {
        let (described, column) = column;
        let name = described.name.clone();
        match column {
            Column::Number(values) => {
                let mut sorted: Vec<f64> = values.iter().copied().filter(|value| value.is_finite()).collect();
                sorted.sort_unstable_by(f64::total_cmp);
                let above = *sorted.get(sorted.len() / 2)?;
                (sorted.first()? < &above).then_some(Self { name, above: Some(above) })
            }
            Column::Category { levels, .. } => (2..=MOST_LABELS).contains(&levels.len()).then_some(Self { name, above: None }),
        }
    }

    fn label<'a>(&self, column: &'a Column, row: usize) -> Option<&'a str> {
        match (column, self.above) {
            (Column::Number(values), Some(_)) if values[row].is_nan() => None,
            (Column::Number(values), Some(above)) => Some(if values[row] < above { "low" } else { "high" }),
            (Column::Category { codes, levels }, None) if codes[row] != MISSING => Some(levels[codes[row] as usize].as_str()),
            _ => None,
        }
    }
}

/// The texts of a table, with their labels where there is a column of labels; none where there are too few.
fn texts(table: &Table, name: &str, label: Option<&Label>) -> Option<Text> {
    let column = table.column(name).ok()?;
    let of_labels = label.and_then(|label| Some((label, table.column(&label.name).ok()?)));
    let of = |row: usize| {
        let text = column.label(row).filter(|text| !text.trim().is_empty())?;
        match of_labels {
            Some((label, column)) => Some((text, label.label(column, row)?)),
            None => Some((text, "")),
        }
    };
    let (lines, labels): (Vec<&str>, Vec<&str>) = (0..table.rows()).filter_map(of).unzip();
    let texts = Text::of_lines(lines);
    let texts = if of_labels.is_some() { texts.with_labels(labels).ok()? } else { texts };
    (texts.count() >= LEAST_TEXTS).then_some(texts)
}

/// The column that texts tell most of beyond chance, of those with few labels and numbers, by a classifier that is tested on other texts.
fn label(real: &Table, name: &str, seed: u64) -> Option<Label> {
    let rows = subsample(real.rows(), TRIED, seed, 0x8050);
    let some = real.take(&rows);
    let columns = some.iter().filter(|(described, _)| described.kind.is_modelled()).filter_map(Label::of).take(MOST_COLUMNS);
    let gain = |label: &Label| {
        let texts = texts(&some, name, Some(label))?;
        let part = |odd: usize| texts.select(&(0..texts.count()).filter(|index| index % 2 == odd).collect::<Vec<_>>());
        let classifier = Classifier::fit(&part(0))?;
        Some(classifier.balanced_accuracy(&part(1))? - 1.0 / texts.labels()?.names.len() as f64)
    };
    let judged = columns.filter_map(|label| Some((gain(&label)?, label)));
    judged
        .fold(None, |best: Option<(f64, Label)>, next| if best.as_ref().is_none_or(|best| next.0 > best.0) { Some(next) } else { best })
        .map(|(_, label)| label)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(rows: usize, shift: usize) -> Table {
        let sorts = (0..rows).map(|row| Some(["good", "bad"][row % 3 % 2]));
        let other = Column::Number((0..rows).map(|row| (row * 7 % 50) as f64).collect());
        let note = |row: usize| {
            let thing = ["the tea", "a cake", "the soup", "our bread", "one pie"][(row * 3 + shift) % 5];
            let said = ["was lovely and warm", "came late and cold"][row % 3 % 2];
            Some(format!("{thing} of table {} {said}", row * 31 % 97))
        };
        Table::from_columns(vec![
            ("number", ColumnKind::Integer, other),
            ("sort", ColumnKind::Categorical, Column::from_labels(sorts)),
            ("note", ColumnKind::Text, Column::from_labels((0..rows).map(note).collect::<Vec<_>>())),
        ])
        .expect("a table")
    }

    fn value(scores: &[Score], id: &str) -> f64 {
        scores.iter().find(|score| score.id == id).and_then(|score| score.value).unwrap_or(f64::NAN)
    }

    #[test]
    fn texts_are_judged_beside_the_column_that_they_tell_of() {
        let (real, made) = (table(300, 0), table(200, 1));
        assert_eq!(label(&real, "note", 1).expect("a label").name, "sort");
        let (scores, shown) = of_columns([&real, &made], None, 1, &mut |_| ()).expect("scored");
        assert!(scores.iter().any(|score| score.id == "class_accuracy.note" && score.name == "note: Fits sort"));
        assert!(value(&scores, "class_accuracy.note") > 0.95);
        assert_eq!(shown.len(), 1);
        // The same texts beside other rows.
        let mixed: Vec<usize> = (0..200).map(|row| (row * 37 + row / 3) % 200).collect();
        let mut columns = made.columns().to_vec();
        columns[2] = columns[2].take(&mixed);
        let wrong = Table::new(made.schema().clone(), columns).expect("a table");
        let (scores, _) = of_columns([&real, &wrong], None, 1, &mut |_| ()).expect("scored");
        assert!(value(&scores, "class_accuracy.note") < 0.7, "{}", value(&scores, "class_accuracy.note"));
        let (none, _) = of_columns([&real.take(&[1, 2]), &made], None, 1, &mut |_| ()).expect("too few");
        assert!(none.is_empty());
    }
}
