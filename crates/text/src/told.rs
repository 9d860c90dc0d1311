//! What a text is told of the row that it belongs to: a token for each other column, before its own.

use std::sync::Arc;

use semblant_data::table::{Column, ColumnSchema, MISSING, Table};
use serde::{Deserialize, Serialize};

/// Columns that a text is told of; further ones are not.
pub const MOST_COLUMNS: usize = 64;
/// Labels of a column with a token of their own; all others share one.
const MOST_LABELS: usize = 254;
/// Ranges of a number, each with as many rows.
const RANGES: usize = 32;

/// How a column is told.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Values {
    /// Labels; then a token for all others, and one for a missing value.
    Labels(Vec<String>),
    /// Where ranges of a number end, ascending; then a token for a missing value.
    Numbers(Vec<f64>),
}

/// How the columns of a table are told.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ToldColumns(Vec<(String, Values)>);

impl Values {
    /// Labels of fewer than `rare` rows have no token of their own, so that the file does not name them.
    fn of(column: &Column, rare: u64) -> Self {
        match column {
            Column::Number(values) => {
                let mut sorted: Vec<f64> = values.iter().copied().filter(|value| value.is_finite()).collect();
                sorted.sort_unstable_by(f64::total_cmp);
                let mut edges: Vec<f64> = (1..RANGES).filter_map(|range| sorted.get(range * sorted.len() / RANGES)).copied().collect();
                edges.dedup();
                Self::Numbers(edges)
            }
            Column::Category { codes, levels } => {
                let mut counts = vec![0u64; levels.len()];
                codes.iter().filter(|&&code| code != MISSING).for_each(|&code| counts[code as usize] += 1);
                let mut frequent: Vec<usize> = (0..levels.len()).filter(|&code| counts[code] >= rare.max(1)).collect();
                frequent.sort_by_key(|&code| std::cmp::Reverse(counts[code]));
                frequent.truncate(MOST_LABELS);
                frequent.sort_unstable();
                Self::Labels(frequent.into_iter().map(|code| levels[code].clone()).collect())
            }
        }
    }

    fn count(&self) -> usize {
        match self {
            Self::Labels(labels) => labels.len() + 2,
            Self::Numbers(edges) => edges.len() + 2,
        }
    }

    /// The token of every row of a column, counted from 0; of a column that is not there or of another kind that of a missing value.
    fn tokens(&self, column: Option<&Column>, rows: usize) -> Vec<u32> {
        let missing = self.count() as u32 - 1;
        match (self, column) {
            (Self::Numbers(edges), Some(Column::Number(values))) => {
                let range = |value: f64| edges.partition_point(|&edge| edge <= value) as u32;
                values.iter().map(|&value| if value.is_nan() { missing } else { range(value) }).collect()
            }
            (Self::Labels(labels), Some(Column::Category { codes, levels })) => {
                let place = |label: &String| labels.iter().position(|known| known == label).map_or(missing - 1, |place| place as u32);
                let places: Vec<u32> = levels.iter().map(place).collect();
                codes.iter().map(|&code| if code == MISSING { missing } else { places[code as usize] }).collect()
            }
            _ => vec![missing; rows],
        }
    }
}

impl ToldColumns {
    /// How those columns of a table are told that a model learns.
    pub fn of(table: &Table) -> Self {
        let rare = table.schema().protect.rare;
        let learned = table.iter().filter(|(described, _)| described.kind.is_modelled()).take(MOST_COLUMNS);
        let told = |(described, column): (&ColumnSchema, &Column)| {
            let rare = if described.protect == Some(false) { 0 } else { rare };
            (described.name.clone(), Values::of(column, rare))
        };
        Self(learned.map(told).collect())
    }

    /// The number of tokens of each column.
    pub fn counts(&self) -> Vec<u32> {
        self.0.iter().map(|(_, values)| values.count() as u32).collect()
    }

    /// What each row of a table is told, `[rows][columns]`, counted from 0 in each column.
    pub fn rows(&self, table: &Table) -> Told {
        let columns: Vec<Vec<u32>> = self.0.iter().map(|(name, values)| values.tokens(table.column(name).ok(), table.rows())).collect();
        let row = |row: usize| columns.iter().map(|column| column[row]).collect::<Arc<[u32]>>();
        Told { counts: self.counts(), rows: (0..table.rows()).map(row).collect() }
    }

    /// Refuses what a file may hold and no fit writes.
    ///
    /// # Errors
    /// What is wrong.
    pub fn check(&self) -> Result<(), String> {
        let is_sound = |(_, values): &(String, Values)| match values {
            Values::Labels(labels) => labels.len() <= MOST_LABELS,
            Values::Numbers(edges) => edges.len() < RANGES && edges.is_sorted_by(|a, b| a < b),
        };
        if self.0.len() <= MOST_COLUMNS && self.0.iter().all(is_sound) {
            return Ok(());
        }
        Err("the file tells texts of their rows in a way that no model does; fit the model again".into())
    }
}

/// What each of some texts is told.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Told {
    /// The number of tokens of each column.
    pub counts: Vec<u32>,
    /// A token of each column, counted from 0 in each; empty where nothing is told.
    pub rows: Vec<Arc<[u32]>>,
}

impl Told {
    /// What text `index` is told.
    pub fn of(&self, index: usize) -> Arc<[u32]> {
        self.rows.get(index).cloned().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use semblant_data::table::ColumnKind;

    #[test]
    fn columns_are_told_as_labels_and_ranges() {
        let numbers = Column::Number((0..64).map(|row| if row == 5 { f64::NAN } else { f64::from(row) }).collect());
        let labels = Column::from_labels((0..64).map(|row| Some(if row < 60 { ["a", "b"][row % 2] } else { "rare" })));
        let names = Column::from_labels((0..64).map(|row| Some(row.to_string())));
        let table = Table::from_columns(vec![
            ("n", ColumnKind::Continuous, numbers),
            ("l", ColumnKind::Categorical, labels),
            ("id", ColumnKind::Id, names),
        ])
        .expect("a table");
        let columns = ToldColumns::of(&table);
        let told = columns.rows(&table);
        assert_eq!(told.counts, [33, 4], "32 ranges, two labels, each with a token for missing values, and one for other labels");
        assert_eq!((&*told.rows[0], &*told.rows[5], &*told.rows[63]), (&[0, 0][..], &[32, 1][..], &[31, 2][..]));
        let other = Table::from_columns(vec![("l", ColumnKind::Categorical, Column::from_labels([Some("b"), None]))]).expect("a table");
        let told = columns.rows(&other);
        assert_eq!((&*told.rows[0], &*told.rows[1]), (&[32, 1][..], &[32, 3][..]), "what is not there is missing");
        assert!(columns.check().is_ok() && ToldColumns(vec![("n".into(), Values::Numbers(vec![2.0, 1.0]))]).check().is_err());
    }
}
