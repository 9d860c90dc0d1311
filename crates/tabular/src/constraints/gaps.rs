//! Numbers or times in an order, learned as differences from one column to the next.

use semblant_data::table::{Column, ColumnKind, ColumnSchema, Schema};

/// Columns in an order.
#[derive(Debug, Clone)]
pub(super) struct Gaps {
    /// The columns, the least one first.
    pub(super) columns: Vec<usize>,
    /// Whether equal values are excluded.
    pub(super) strict: bool,
    /// What the difference of each column counts from where none before it is known; empty where differences are not learned.
    pub(super) origins: Vec<f64>,
}

impl Gaps {
    /// All but the first column become differences from the last one before them that has a value in the row.
    pub(super) fn encode(&self, schema: &mut Schema, columns: &mut [Column]) {
        let values: Vec<Vec<f64>> = self.columns.iter().map(|&column| numbers(&columns[column])).collect();
        for place in 1..self.columns.len() {
            let base = |row: usize| (0..place).rev().map(|before| values[before][row]).find(|value| !value.is_nan());
            let gap = |(row, value): (usize, &f64)| match base(row) {
                _ if value.is_nan() => f64::NAN,
                Some(base) => (value - base).max(0.0),
                None => value - self.origins[place],
            };
            let column = self.columns[place];
            columns[column] = Column::Number(values[place].iter().enumerate().map(gap).collect());
            let own = &schema.columns[column];
            let kind = if own.kind == ColumnKind::Integer { ColumnKind::Integer } else { ColumnKind::Continuous };
            let decimals = own.decimals.filter(|_| kind == ColumnKind::Continuous);
            let step = own.step().filter(|_| own.kind == ColumnKind::Datetime || own.step.is_some());
            schema.columns[column] = ColumnSchema { decimals, step, protect: own.protect, ..ColumnSchema::new(own.name.clone(), kind) };
        }
    }

    /// The columns from their differences; a value is moved up to where the order holds.
    pub(super) fn decode(&self, schema: &Schema, columns: &mut [Column]) {
        let mut values: Vec<Vec<f64>> = self.columns.iter().map(|&column| numbers(&columns[column])).collect();
        for place in 1..self.columns.len() {
            let described = &schema.columns[self.columns[place]];
            let step = described.step().unwrap_or(0.0);
            let (before, own) = values.split_at_mut(place);
            for (row, value) in own[0].iter_mut().enumerate().filter(|(_, value)| !value.is_nan()) {
                let Some(base) = before.iter().rev().map(|values| values[row]).find(|value| !value.is_nan()) else {
                    *value = described.round_number(*value + self.origins[place]);
                    continue;
                };
                let least = if self.strict { base.next_up() } else { base };
                let rounded = described.round_number((base + *value).max(least));
                *value = if rounded >= least { rounded } else { described.round_number(rounded + step).max(least) };
            }
        }
        for (&column, values) in self.columns.iter().zip(values) {
            columns[column] = Column::Number(values);
        }
    }
}

fn numbers(column: &Column) -> Vec<f64> {
    column.numbers().map(<[f64]>::to_vec).unwrap_or_default()
}
