//! Diagnostic: validity of the synthetic table: values in range, known labels, unique keys, the same columns.

use std::collections::{BTreeSet, HashSet};

use semblant_data::table::{Column, ColumnKind, MISSING, Table, is_unread};
use serde::{Deserialize, Serialize};

use super::align::{is_id, shared_codes};
use super::binning::range;
use super::shapes::{ColumnScore, ColumnScores};
use crate::Result;
use crate::error::undefined;

/// The diagnostic scores.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Diagnostic {
    /// Mean of the two below that are defined.
    pub overall: f64,
    /// Data Validity: per column, and their mean.
    pub validity: ColumnScores,
    /// Data Structure: [`table_structure`].
    pub structure: f64,
}

/// Data Validity ([`boundary_adherence`], [`category_adherence`], [`key_uniqueness`] per column, averaged), Data Structure
/// ([`table_structure`]) and the mean of the two.
///
/// Range 0 to 1, higher is better; anything below 1 is a defect rather than a shade of quality. Source: SDMetrics 0.29.0, DiagnosticReport.
/// Columns of ids and keys are checked as keys, but only when the real ids are unique themselves; constant columns as categories.
///
/// # Errors
/// None for tables that [`Table::new`] accepts.
pub fn diagnostic(real: &Table, synthetic: &Table) -> Result<Diagnostic> {
    let mut columns = Vec::new();
    for (described, column) in real.iter() {
        let Ok(other) = synthetic.column(&described.name) else { continue };
        let (metric, score) = match (described.kind, column, other) {
            (kind, ..) if is_id(kind) && key_uniqueness(column).ok() == Some(1.0) => ("KeyUniqueness", key_uniqueness(other)),
            (kind, ..) if is_id(kind) => continue,
            (_, Column::Number(real), Column::Number(synthetic)) => ("BoundaryAdherence", boundary_adherence(real, synthetic)),
            (_, Column::Category { .. }, Column::Category { .. }) => ("CategoryAdherence", category_adherence(column, other)),
            (_, Column::Number(_), _) => ("BoundaryAdherence", undefined("numbers in the real table, categories in the synthetic one")),
            (_, Column::Category { .. }, _) => {
                ("CategoryAdherence", undefined("categories in the real table, numbers in the synthetic one"))
            }
        };
        columns.push(ColumnScore::new(&described.name, metric, score)?);
    }
    let validity = ColumnScores::from_columns(columns);
    let structure = table_structure(real, synthetic);
    Ok(Diagnostic { overall: validity.mean.map_or(structure, |validity| (validity + structure) / 2.0), validity, structure })
}

/// Share of synthetic values within the real minimum and maximum, both included.
///
/// Missing synthetic values count as outside unless the real column has missing values too, in which case they are left out. Texts that have no
/// form in the column ([`is_unread`]) are always outside.
/// Range 0 to 1, higher is better. Source: SDMetrics 0.29.0.
///
/// # Errors
/// [`crate::Error::Undefined`] when a side has no values.
pub fn boundary_adherence(real: &[f64], synthetic: &[f64]) -> Result<f64> {
    let Some((low, high)) = range(real) else { return undefined("the real column has only missing values") };
    let missing_is_known = real.iter().any(|value| value.is_nan());
    let counted: Vec<f64> = synthetic.iter().copied().filter(|value| !(missing_is_known && value.is_nan() && !is_unread(*value))).collect();
    if counted.is_empty() {
        return undefined("the synthetic column has no values");
    }
    Ok(counted.iter().filter(|&&value| low <= value && value <= high).count() as f64 / counted.len() as f64)
}

/// Share of synthetic values, missing ones included, that occur in the real column; missing counts as a label.
///
/// Range 0 to 1, higher is better. Source: SDMetrics 0.29.0.
///
/// # Errors
/// [`crate::Error::Undefined`] when the synthetic column is empty; [`crate::Error::Tables`] when a column holds numbers.
pub fn category_adherence(real: &Column, synthetic: &Column) -> Result<f64> {
    let (real, synthetic, _) = shared_codes(real, synthetic)?;
    if synthetic.is_empty() {
        return undefined("the synthetic column has no values");
    }
    let known: HashSet<u32> = real.into_iter().collect();
    Ok(synthetic.iter().filter(|code| known.contains(code)).count() as f64 / synthetic.len() as f64)
}

/// Share of values that are neither missing nor a repetition of an earlier row's.
///
/// Range 0 to 1, higher is better. Source: SDMetrics 0.29.0, KeyUniqueness.
///
/// # Errors
/// [`crate::Error::Undefined`] when the column is empty.
pub fn key_uniqueness(keys: &Column) -> Result<f64> {
    if keys.is_empty() {
        return undefined("the column has no values");
    }
    let distinct = match keys {
        // + 0.0 makes one key of 0.0 and -0.0.
        Column::Number(values) => {
            values.iter().filter(|value| !value.is_nan()).map(|value| (value + 0.0).to_bits()).collect::<HashSet<_>>().len()
        }
        Column::Category { codes, .. } => codes.iter().filter(|&&code| code != MISSING).collect::<HashSet<_>>().len(),
    };
    Ok(distinct as f64 / keys.len() as f64)
}

/// Jaccard index of the two sets of (column name, type): shared over all.
///
/// The type is numbers, datetimes or categories; whether a number is whole or not, and whether a category is boolean or constant, is left out,
/// because that is inferred from the values and one sample may lack a value that another has.
/// Range 0 to 1, higher is better. Source: SDMetrics 0.29.0, TableStructure (which compares pandas dtypes).
pub fn table_structure(real: &Table, synthetic: &Table) -> f64 {
    let columns =
        |table: &Table| -> BTreeSet<(String, u8)> { table.schema().columns.iter().map(|c| (c.name.clone(), storage(c.kind))).collect() };
    let (real, synthetic) = (columns(real), columns(synthetic));
    let all = real.union(&synthetic).count();
    if all == 0 { 1.0 } else { real.intersection(&synthetic).count() as f64 / all as f64 }
}

fn storage(kind: ColumnKind) -> u8 {
    match kind {
        ColumnKind::Datetime => 2,
        kind if kind.is_number() => 1,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAN: f64 = f64::NAN;

    #[test]
    fn adherence_has_the_values_of_sdmetrics() {
        assert_eq!(boundary_adherence(&[1., 2., 3.], &[0., 1., 2., 3., 4.]).unwrap(), 0.6);
        assert_eq!(boundary_adherence(&[1., 2., 3.], &[NAN, 1., 2., 3., 4.]).unwrap(), 0.6);
        assert_eq!(boundary_adherence(&[1., 2., 3., NAN], &[NAN, 1., 2., 3., 4.]).unwrap(), 0.75);
        assert!(boundary_adherence(&[NAN], &[1.0]).is_err());
        // A text is no missing value.
        let text = semblant_data::table::unread_number();
        assert_eq!(boundary_adherence(&[1., 2., 3., NAN], &[NAN, text, 2., 3., 1.]).unwrap(), 0.75);
        assert_eq!(boundary_adherence(&[1., 2.], &[text, text]).unwrap(), 0.0);
        let synthetic = Column::from_labels([Some("a"), None, Some("z"), Some("b")]);
        assert_eq!(category_adherence(&Column::from_labels([Some("a"), Some("b"), None]), &synthetic).unwrap(), 0.75);
        assert_eq!(category_adherence(&Column::from_labels([Some("a"), Some("b")]), &synthetic).unwrap(), 0.5);
        assert_eq!(key_uniqueness(&Column::Number(vec![1., 1., 2., NAN])).unwrap(), 0.5);
    }

    #[test]
    fn identical_tables_score_one_and_an_unknown_label_in_a_tenth_of_the_rows_costs_a_tenth() {
        let build = |odd: &str| {
            let labels = (0..100).map(|row| Some(if row % 10 == 0 { odd } else { "a" }));
            let ids = Column::from_labels((0..100).map(|row| Some(row.to_string())));
            Table::from_columns(vec![("c", ColumnKind::Categorical, Column::from_labels(labels)), ("id", ColumnKind::Id, ids)]).unwrap()
        };
        assert_eq!(diagnostic(&build("b"), &build("b")).unwrap().overall, 1.0);
        let changed = diagnostic(&build("b"), &build("z")).unwrap();
        assert_eq!(changed.validity.columns[0].value, Some(0.9));
        assert_eq!(changed.validity.columns[1].value, Some(1.0));
        assert!((changed.overall - 0.975).abs() < 1e-12);
    }
}
