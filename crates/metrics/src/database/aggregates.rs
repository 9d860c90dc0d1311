//! Rows with what comes by them, as one table.

use semblant_data::database::{Database, NO_ROW};
use semblant_data::table::{Column, ColumnKind, ColumnSchema, Schema, Table};

use crate::Result;

/// A table without names, and for each foreign key that refers to it the number of rows, the number of different labels of each of their columns of labels, and
/// the mean of each of their numbers: no rows have 0 labels and a missing mean. The aggregation of C2ST-Agg (Syntherela, Jurkovic et al. 2024), one level deep.
///
/// # Errors
/// None for databases of this library.
pub fn aggregated(database: &Database, table: usize) -> Result<Table> {
    let content = database.content(table)?;
    let (mut schema, mut columns) = (content.schema().clone(), content.columns().to_vec());
    let rows = database.tables()[table].1.rows();
    for (child, foreign) in database.foreign_keys().filter(|&(child, foreign)| database.target(child, foreign) == table) {
        let key = database.keys_of(child).foreign[foreign].name(&database.tables()[child].0);
        let links = database.links(child, foreign);
        schema.columns.push(ColumnSchema::new(format!("number of {key}"), ColumnKind::Integer));
        columns.push(Column::Number(database.children(child, foreign).into_iter().map(f64::from).collect()));
        for (described, column) in database.content(child)?.iter().filter(|(described, _)| described.kind.is_modelled()) {
            let (name, values) = match column {
                Column::Number(values) => (format!("mean of {key}: {}", described.name), means(rows, links, values)),
                Column::Category { codes, levels } => {
                    (format!("labels of {key}: {}", described.name), different(rows, links, codes, levels.len()))
                }
            };
            schema.columns.push(ColumnSchema::new(name, ColumnKind::Continuous));
            columns.push(Column::Number(values));
        }
    }
    schema.constraints.clear();
    Ok(Table::new(Schema { columns: schema.columns, target: None, ..content.schema().clone() }, columns).map(without_names)?)
}

/// Without columns of names and constants.
pub(super) fn without_names(table: Table) -> Table {
    let kept: Vec<usize> = (0..table.columns().len()).filter(|&column| table.schema().columns[column].kind.is_modelled()).collect();
    let schema = Schema {
        columns: kept.iter().map(|&column| table.schema().columns[column].clone()).collect(),
        constraints: Vec::new(),
        target: None,
        ..table.schema().clone()
    };
    let columns = kept.iter().map(|&column| table.columns()[column].clone()).collect();
    // Columns of a sound table are sound.
    Table::new(schema, columns).unwrap_or(table)
}

fn means(rows: usize, links: &[u32], values: &[f64]) -> Vec<f64> {
    let (mut sums, mut counts) = (vec![0.0; rows], vec![0.0; rows]);
    for (&link, &value) in links.iter().zip(values).filter(|(link, value)| **link != NO_ROW && value.is_finite()) {
        sums[link as usize] += value;
        counts[link as usize] += 1.0;
    }
    sums.iter().zip(&counts).map(|(sum, &count)| if count > 0.0 { sum / count } else { f64::NAN }).collect()
}

fn different(rows: usize, links: &[u32], codes: &[u32], levels: usize) -> Vec<f64> {
    let mut pairs: Vec<(u32, u32)> = links
        .iter()
        .zip(codes)
        .filter(|(link, code)| **link != NO_ROW && (**code as usize) < levels)
        .map(|(&link, &code)| (link, code))
        .collect();
    pairs.sort_unstable();
    pairs.dedup();
    let mut counts = vec![0.0; rows];
    pairs.into_iter().for_each(|(link, _)| counts[link as usize] += 1.0);
    counts
}
