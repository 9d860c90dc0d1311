//! Labels that one of two tables lacks.

use semblant_data::table::{Column, Table};
use serde::{Deserialize, Serialize};

use super::align::align;
use super::shapes::counts;
use crate::Result;
use crate::significance::more_often;

/// A label of one table only.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Label {
    /// The column.
    pub column: String,
    /// The label.
    pub label: String,
    /// Real and synthetic rows that have it; one of them is 0.
    pub rows: [usize; 2],
    /// The chance of none on that side if both tables were of one population.
    pub p_value: f64,
}

impl Label {
    /// Whether the synthetic table lacks it.
    pub fn is_dropped(&self) -> bool {
        self.rows[1] == 0
    }
}

/// The labels of every categorical column that only one of the tables has, those of the most rows first.
///
/// # Errors
/// [`crate::Error::Tables`] when the tables share no column or one has no rows.
pub fn labels(real: &Table, synthetic: &Table) -> Result<Vec<Label>> {
    let tables = align(&[real, synthetic])?;
    let mut found = Vec::new();
    for (place, (described, column)) in tables[0].iter().enumerate() {
        let Some((real, levels)) = column.categories() else { continue };
        let counts =
            [real, tables[1].columns()[place].categories().map_or(&[][..], |(codes, _)| codes)].map(|codes| counts(codes, levels.len()));
        for (code, label) in levels.iter().enumerate() {
            let rows = [counts[0][code], counts[1][code]];
            let sizes = [tables[0].rows(), tables[1].rows()];
            let side = match rows {
                [0, 0] => continue,
                [_, 0] => 0,
                [0, _] => 1,
                _ => continue,
            };
            let p_value = more_often([rows[side], sizes[side]], [0, sizes[1 - side]]);
            found.push(Label { column: described.name.clone(), label: label.clone(), rows, p_value });
        }
    }
    found.sort_by_key(|label| std::cmp::Reverse(label.rows[0].max(label.rows[1])));
    Ok(found)
}

/// The rows of a table in which a column of labels has this one.
pub(crate) fn rows_with(column: &Column, label: &str) -> Vec<usize> {
    let Some((codes, levels)) = column.categories() else { return Vec::new() };
    let code = levels.iter().position(|level| level == label).map(|code| code as u32);
    (0..codes.len()).filter(|&row| Some(codes[row]) == code).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use semblant_data::table::ColumnKind;

    #[test]
    fn dropped_and_invented_labels_are_listed_with_their_rows() {
        let table = |rare: usize, new: usize| {
            let labels = (0..1000).map(|row| {
                Some(if row < rare {
                    "rare"
                } else if row < rare + new {
                    "new"
                } else {
                    "usual"
                })
            });
            Table::from_columns(vec![("c", ColumnKind::Categorical, Column::from_labels(labels))]).unwrap()
        };
        let found = labels(&table(30, 0), &table(0, 2)).unwrap();
        let named: Vec<(&str, [usize; 2], bool)> = found.iter().map(|of| (of.label.as_str(), of.rows, of.is_dropped())).collect();
        assert_eq!(named, [("rare", [30, 0], true), ("new", [0, 2], false)]);
        // All 30 on one side of two equal ones: about 2^-30; both of 2: a quarter.
        assert!(found[0].p_value < 1e-8 && (found[1].p_value - 0.25).abs() < 0.001, "{found:?}");
        assert_eq!(rows_with(&table(3, 0).columns()[0], "rare"), [0, 1, 2]);
        assert!(rows_with(&table(3, 0).columns()[0], "none").is_empty());
    }
}
