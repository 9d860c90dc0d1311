//! Times as differences from times that are known before: those of the rows that a row comes by, and earlier columns of the row.
//!
//! A payment is made minutes after its order, in a table that covers years: bins of the time itself are weeks wide. A column is learned as the difference from
//! another one where that varies much less.

use semblant_core::Result;
use semblant_data::table::{Column, ColumnKind, ColumnSchema, Table};
use serde::{Deserialize, Serialize};

/// A difference has to vary by less than this share of the times themselves.
const LESS: f64 = 0.5;

/// A column that is learned as the difference from another one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Relative {
    /// The column as the user has it.
    pub(crate) column: ColumnSchema,
    /// The other column.
    pub(crate) base: String,
    /// What stands for the other one's value where it is missing.
    pub(crate) usual: f64,
}

/// The table with some of its times as differences. `context` has the rows that its rows come by.
pub(crate) fn learned(own: &Table, context: &Table) -> Result<(Table, Vec<Relative>)> {
    let times = |table: &Table| -> Vec<(String, Vec<f64>)> {
        let is_time = |described: &ColumnSchema| described.kind == ColumnKind::Datetime;
        let of = |(described, column): (&ColumnSchema, &Column)| Some((described.name.clone(), column.numbers()?.to_vec()));
        table.iter().filter(|(described, _)| is_time(described)).filter_map(of).collect()
    };
    let mut bases = times(context);
    let (mut schema, mut columns, mut found) = (own.schema().clone(), own.columns().to_vec(), Vec::new());
    for (name, values) in times(own) {
        let index = own.schema().index_of(&name)?;
        let differences = |base: &[f64], usual: f64| -> Vec<f64> {
            // A special value is a NaN of its own, which stays.
            let of =
                |(&value, &base): (&f64, &f64)| if value.is_nan() { value } else { value - if base.is_finite() { base } else { usual } };
            values.iter().zip(base).map(of).collect()
        };
        let candidates = bases.iter().map(|(base, of_base)| {
            let usual = quantile(of_base, 0.5);
            (base.clone(), usual, differences(of_base, usual))
        });
        let best = candidates.min_by(|a, b| spread(&a.2).total_cmp(&spread(&b.2)));
        if let Some((base, usual, differences)) = best.filter(|best| best.1.is_finite() && spread(&best.2) < LESS * spread(&values)) {
            let column = schema.columns[index].clone();
            let is_whole = differences.iter().all(|value| value.is_nan() || value.fract() == 0.0);
            let kind = if is_whole { ColumnKind::Integer } else { ColumnKind::Continuous };
            let special = column.special.clone();
            schema.columns[index] = ColumnSchema { special, protect: column.protect, ..ColumnSchema::new(name.clone(), kind) };
            columns[index] = Column::Number(differences);
            found.push(Relative { column, base, usual });
        }
        bases.push((name, values));
    }
    Ok((Table::new(schema, columns)?, found))
}

/// The table with times again.
pub(crate) fn restored(learned: Table, context: &Table, relatives: &[Relative]) -> Result<Table> {
    let (mut schema, mut columns) = (learned.schema().clone(), learned.columns().to_vec());
    for Relative { column, base, usual } in relatives {
        let index = schema.index_of(&column.name)?;
        let from = match schema.index_of(base) {
            Ok(place) => columns[place].clone(),
            Err(_) => context.column(base)?.clone(),
        };
        let (Some(values), Some(from)) = (columns[index].numbers(), from.numbers()) else { continue };
        let time = |(&value, &from): (&f64, &f64)| {
            if value.is_nan() { value } else { column.round_number(value + if from.is_finite() { from } else { *usual }) }
        };
        let times = values.iter().zip(from).map(time).collect();
        columns[index] = Column::Number(times);
        schema.columns[index] = column.clone();
    }
    Ok(Table::new(schema, columns)?)
}

fn quantile(values: &[f64], share: f64) -> f64 {
    let mut sorted: Vec<f64> = values.iter().copied().filter(|value| value.is_finite()).collect();
    sorted.sort_unstable_by(f64::total_cmp);
    sorted.get(((sorted.len().max(1) - 1) as f64 * share).round() as usize).copied().unwrap_or(f64::NAN)
}

/// How much values vary: the distance between the first and the last tenth.
fn spread(values: &[f64]) -> f64 {
    quantile(values, 0.9) - quantile(values, 0.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_that_follow_others_closely_are_differences_and_come_back() {
        let day = 86_400.0;
        let time = |name: &str, values: Vec<f64>| (name.to_owned(), ColumnKind::Datetime, Column::Number(values));
        let ordered: Vec<f64> = (0..200).map(|row| day * f64::from(row * 37 % 1000)).collect();
        let shipped: Vec<f64> =
            ordered.iter().enumerate().map(|(row, time)| if row == 7 { f64::NAN } else { time + day * (row % 9) as f64 }).collect();
        let born: Vec<f64> = (0..200).map(|row| -day * f64::from(row * 91 % 9000)).collect();
        let own = Table::from_columns(vec![time("ordered", ordered), time("shipped", shipped)]).expect("sound");
        let context = Table::from_columns(vec![time("customers.born", born)]).expect("sound");
        let (table, found) = learned(&own, &context).expect("sound");
        assert_eq!(
            found.iter().map(|found| (found.column.name.as_str(), found.base.as_str())).collect::<Vec<_>>(),
            [("shipped", "ordered")]
        );
        assert_eq!(table.schema().columns[1].kind, ColumnKind::Integer);
        let values = table.columns()[1].numbers().expect("numbers");
        assert!(values[7].is_nan() && values.iter().filter(|value| !value.is_nan()).all(|value| (0.0..=8.0 * day).contains(value)));
        let back = restored(table, &context, &found).expect("the same");
        let [a, b] = [&own, &back].map(|table| (0..200).map(|row| table.cell(row, 1)).collect::<Vec<_>>());
        assert_eq!(a, b);
    }
}
