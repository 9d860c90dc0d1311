//! Rare values: whether those of training rows come back more often than those of new rows.

use std::collections::{HashMap, HashSet};

use rayon::prelude::*;
use semblant_data::table::{Column, Table};
use serde::{Deserialize, Serialize};

use super::align::is_id;
use super::identifying::{RARE_ROWS, texts};
use crate::significance::more_often;

/// What p-values are multiplied by, by the number of rows that have a value: half of the chance of a false alarm is for values of one row.
const WEIGHTS: [f64; RARE_ROWS] = [f64::INFINITY, 2.0, 6.0, 6.0, 6.0];

/// How often the rare values of a column come back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RareValues {
    /// The column.
    pub column: String,
    /// Values that fewer than five rows of both real tables together have, all of them training rows; and those of holdout rows.
    pub values: [usize; 2],
    /// How many of them the synthetic table has.
    pub returned: [usize; 2],
    /// The chance of so many values of training rows if the generator knew them no better than those of the holdout.
    pub p_value: f64,
}

impl RareValues {
    /// The shares that come back: of the training rows' values, and of the holdout's.
    pub fn shares(&self) -> [f64; 2] {
        [0, 1].map(|side: usize| self.returned[side] as f64 / self.values[side].max(1) as f64)
    }
}

/// For every column but ids: the values that fewer than five rows have, and how many of those of training rows and of those of holdout rows come
/// back. Columns without such values are left out. Labels are compared as text, numbers exactly.
///
/// A rare value could as well have been a holdout row's. Values are compared among those that equally many rows have (1, 2, 3 or 4), all on one
/// side, by Fisher's exact test; the p-value is the smallest of twice that of values of one row and six times those of the others. It does not
/// depend on the numbers of rows.
pub fn rare_values(train: &Table, synthetic: &Table, holdout: &Table) -> Vec<RareValues> {
    let columns: Vec<_> = train.iter().filter(|(described, _)| !is_id(described.kind)).collect();
    columns
        .into_par_iter()
        .filter_map(|(described, column)| {
            let [synthetic, holdout] = [synthetic, holdout].map(|table| table.column(&described.name).ok());
            let (synthetic, holdout) = (synthetic?, holdout?);
            let found = match (column, synthetic, holdout) {
                (Column::Number(train), Column::Number(synthetic), Column::Number(holdout)) => {
                    let bits = |values: &[f64]| {
                        values.iter().filter(|value| !value.is_nan()).map(|value| (value + 0.0).to_bits()).collect::<Vec<_>>()
                    };
                    compare(&bits(train), &bits(synthetic), &bits(holdout))
                }
                _ => {
                    compare(&texts(column).collect::<Vec<_>>(), &texts(synthetic).collect::<Vec<_>>(), &texts(holdout).collect::<Vec<_>>())
                }
            };
            found.map(|(values, returned, p_value)| RareValues { column: described.name.clone(), values, returned, p_value })
        })
        .collect()
}

/// The numbers of values and of those that come back, for both tables, and the p-value.
fn compare<T: std::hash::Hash + Eq>(train: &[T], synthetic: &[T], holdout: &[T]) -> Option<([usize; 2], [usize; 2], f64)> {
    let mut counts: HashMap<&T, [usize; 2]> = HashMap::new();
    for (side, values) in [train, holdout].into_iter().enumerate() {
        values.iter().for_each(|value| counts.entry(value).or_default()[side] += 1);
    }
    let made: HashSet<&T> = synthetic.iter().collect();
    // For each number of rows below five and each table: the values, and those that come back.
    let mut strata = [[[0usize; 2]; 2]; RARE_ROWS];
    for (value, [in_train, in_holdout]) in counts {
        if (in_train > 0) != (in_holdout > 0) && in_train + in_holdout < RARE_ROWS {
            let cell = &mut strata[in_train + in_holdout][usize::from(in_holdout > 0)];
            cell[0] += usize::from(made.contains(value));
            cell[1] += 1;
        }
    }
    let sum = |side: usize, what: usize| strata.iter().map(|stratum| stratum[side][what]).sum::<usize>();
    let tested = strata.iter().enumerate().skip(1).map(|(rows, &[train, holdout])| WEIGHTS[rows] * more_often(train, holdout));
    let p_value = tested.fold(1.0, f64::min);
    (sum(0, 1) > 0).then(|| ([sum(0, 1), sum(1, 1)], [sum(0, 0), sum(1, 0)], p_value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::random;
    use semblant_data::table::ColumnKind;

    /// Labels of which most are rare, as surnames are.
    fn names(seed: u64, rows: usize) -> Table {
        let mut random = random(seed, 0);
        let labels: Vec<String> = (0..rows).map(|_| format!("n{}", (3.0 / (random.unit() + 1e-4)) as usize)).collect();
        let numbers = (0..rows).map(|_| (random.unit() * 1e6).round()).collect();
        Table::from_columns(vec![
            ("name", ColumnKind::Categorical, Column::from_labels(labels.iter().map(Some))),
            ("number", ColumnKind::Integer, Column::Number(numbers)),
        ])
        .unwrap()
    }

    #[test]
    fn values_of_training_rows_that_come_back_are_told_from_chance() {
        let (train, holdout) = (names(1, 4000), names(2, 1000));
        let of = |synthetic: &Table| rare_values(&train, synthetic, &holdout);
        for found in of(&names(3, 4000)) {
            assert!(found.p_value > 0.01, "{found:?}");
        }
        let leaked = of(&train);
        assert!(leaked.iter().all(|found| found.p_value < 1e-6 && found.shares()[0] == 1.0 && found.shares()[1] == 0.0), "{leaked:?}");
        // A fortieth of the rows is enough.
        let mut partly = names(3, 3900);
        partly.append(&train.take(&(0..100).collect::<Vec<_>>())).unwrap();
        assert!(of(&partly).iter().any(|found| found.column == "number" && found.p_value < 1e-6));
    }
}
