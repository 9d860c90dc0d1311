//! Tables from different files made comparable: the same columns in the same order, equal labels with equal codes.

use std::collections::HashMap;
use std::sync::Arc;

use semblant_data::table::{Column, ColumnKind, MISSING, Schema, Table};

use crate::{Error, Result};

/// The modelled columns that every table has with the same storage, in the order of the first table; categories of all tables share one list of
/// labels, the first table's labels first.
///
/// Kinds are those of the first table, so a synthetic column read as integer is compared by the real column's kind.
///
/// # Errors
/// [`Error::Tables`] when no column is left or a table has no rows.
pub fn align(tables: &[&Table]) -> Result<Vec<Table>> {
    let Some((first, others)) = tables.split_first() else { return Ok(Vec::new()) };
    if let Some(empty) = tables.iter().position(|table| table.rows() == 0) {
        return Err(Error::Tables(format!("table {} of {} has no rows; every table needs at least one", empty + 1, tables.len())));
    }
    let mut schema = Schema::default();
    let mut aligned: Vec<Vec<Column>> = vec![Vec::new(); tables.len()];
    for (described, column) in first.iter() {
        if !described.kind.is_modelled() {
            continue;
        }
        let found: Vec<&Column> = others.iter().filter_map(|table| table.column(&described.name).ok()).collect();
        let same_storage = found.iter().all(|other| other.numbers().is_some() == column.numbers().is_some());
        if found.len() < others.len() || !same_storage {
            continue;
        }
        let columns: Vec<&Column> = std::iter::once(column).chain(found).collect();
        schema.columns.push(described.clone());
        for (into, column) in aligned.iter_mut().zip(shared_levels(&columns)) {
            into.push(column);
        }
    }
    if schema.columns.is_empty() {
        let names: Vec<String> = tables.iter().map(|table| table.schema().names().collect::<Vec<_>>().join(", ")).collect();
        return Err(Error::Tables(format!("the tables share no column of the same type; their columns are: {}", names.join(" | "))));
    }
    schema.target = first.schema().target.clone().filter(|target| schema.index_of(target).is_ok());
    aligned.into_iter().map(|columns| Ok(Table::new(schema.clone(), columns)?)).collect()
}

/// Whether values name rows or what rows belong to, such that they are made anew instead of learnt.
pub(crate) fn is_id(kind: ColumnKind) -> bool {
    !kind.is_modelled() && kind != ColumnKind::Constant
}

/// The columns with one list of labels for all; number columns are returned as they are.
fn shared_levels(columns: &[&Column]) -> Vec<Column> {
    let mut index: HashMap<&str, u32> = HashMap::new();
    let mut levels: Vec<String> = Vec::new();
    for (_, labels) in columns.iter().filter_map(|column| column.categories()) {
        for label in labels {
            index.entry(label).or_insert_with(|| {
                levels.push(label.clone());
                levels.len() as u32 - 1
            });
        }
    }
    let levels = Arc::new(levels);
    columns
        .iter()
        .map(|column| match column.categories() {
            None => (*column).clone(),
            Some((codes, labels)) => {
                let translation: Vec<u32> = labels.iter().map(|label| index[label.as_str()]).collect();
                let codes = codes.iter().map(|&code| if code == MISSING { MISSING } else { translation[code as usize] }).collect();
                Column::Category { codes, levels: levels.clone() }
            }
        })
        .collect()
}

/// Two category columns as codes into one list of labels, and that list's length.
///
/// # Errors
/// [`Error::Tables`] when one of them holds numbers.
pub(crate) fn shared_codes(real: &Column, synthetic: &Column) -> Result<(Vec<u32>, Vec<u32>, usize)> {
    let mut both = shared_levels(&[real, synthetic]).into_iter();
    match (both.next(), both.next()) {
        (Some(Column::Category { codes: real, levels }), Some(Column::Category { codes: synthetic, .. })) => {
            Ok((real, synthetic, levels.len()))
        }
        _ => Err(Error::Tables("a category column can only be compared with a category column".into())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_matched_by_name_and_labels_by_text() {
        let left = Table::from_columns(vec![
            ("x", ColumnKind::Continuous, Column::Number(vec![1.0, 2.0])),
            ("c", ColumnKind::Categorical, Column::from_labels([Some("a"), Some("b")])),
            ("id", ColumnKind::Id, Column::from_labels([Some("1"), Some("2")])),
        ])
        .unwrap();
        let right = Table::from_columns(vec![
            ("c", ColumnKind::Categorical, Column::from_labels([Some("z"), Some("b"), None])),
            ("x", ColumnKind::Integer, Column::Number(vec![3.0, 4.0, 5.0])),
        ])
        .unwrap();
        let both = align(&[&left, &right]).unwrap();
        assert_eq!(both[1].schema().names().collect::<Vec<_>>(), ["x", "c"]);
        assert_eq!(both[1].columns()[1].categories().unwrap().0, [2, 1, MISSING]);
        assert_eq!(both[1].columns()[1].label(0), Some("z"));
        assert!(align(&[&left, &right.take(&[])]).is_err());
    }
}
