//! New rows and copied rows of the synthetic table.

use std::collections::HashMap;

use rayon::prelude::*;
use semblant_data::table::{Column, Table};

use super::align::align;
use crate::Result;

/// NewRowSynthesis: share of synthetic rows that match no real row. A row matches when every modelled column does: numbers within 1 % of the
/// synthetic value, |real - synthetic| <= 0.01 * |synthetic|; categories equal; missing with missing.
///
/// Range 0 to 1, higher is better, but compare with a holdout: in coarse tables new real rows match old ones. Source: SDMetrics 0.29.0.
///
/// # Errors
/// [`crate::Error::Tables`] when the tables share no column or one has no rows.
pub fn new_row_synthesis(real: &Table, synthetic: &Table) -> Result<f64> {
    let tables = align(&[real, synthetic])?;
    Ok(1.0 - share(&tables[0], &tables[1], NEARLY, None))
}

/// Share of synthetic rows that are equal to some real row in every modelled column (missing equals missing).
///
/// Range 0 to 1; compare with the holdout's own share, since rows can be equal by chance.
///
/// # Errors
/// As [`new_row_synthesis`].
pub fn copied_share(real: &Table, synthetic: &Table) -> Result<f64> {
    let tables = align(&[real, synthetic])?;
    Ok(share(&tables[0], &tables[1], 0.0, None))
}

/// The shares of the real rows at `rows` that are equal to another real row, and that match another one within 1 %: what
/// [`copied_share`] and 1 - [`new_row_synthesis`] would be for new rows, where there is no holdout to tell.
///
/// # Errors
/// As [`new_row_synthesis`].
pub fn repeated_shares(real: &Table, rows: &[usize]) -> Result<[f64; 2]> {
    let real = align(&[real])?.remove(0);
    let queries = real.take(rows);
    Ok([0.0, NEARLY].map(|tolerance| share(&real, &queries, tolerance, Some(rows))))
}

/// Whether both tables have the same rows, equally often and in any order.
///
/// # Errors
/// As [`new_row_synthesis`].
pub fn same_rows(real: &Table, synthetic: &Table) -> Result<bool> {
    if real.rows() != synthetic.rows() {
        return Ok(false);
    }
    let tables = align(&[real, synthetic])?;
    let [real, synthetic] = [0, 1].map(|table: usize| {
        let mut rows: Vec<Vec<u64>> = (0..tables[table].rows()).map(|row| bits(&tables[table], row)).collect();
        rows.par_sort_unstable();
        rows
    });
    Ok(real == synthetic)
}

/// For every row of all tables, one table after the other, the first row that equals it, counted alike. The tables are aligned.
pub(crate) fn first_equal_rows(tables: &[Table]) -> Vec<usize> {
    let mut seen: HashMap<Vec<u64>, usize> = HashMap::new();
    let rows = tables.iter().flat_map(|table| (0..table.rows()).map(move |row| bits(table, row)));
    rows.enumerate().map(|(row, bits)| *seen.entry(bits).or_insert(row)).collect()
}

/// How many rows of an aligned table equal another one of it.
pub(crate) fn repeated_rows(table: &Table) -> usize {
    let first = first_equal_rows(std::slice::from_ref(table));
    let mut counts = vec![0; first.len()];
    first.iter().for_each(|&row| counts[row] += 1);
    counts.into_iter().filter(|&count| count > 1).sum()
}

/// The values of a row such that equal ones have equal bits.
fn bits(table: &Table, row: usize) -> Vec<u64> {
    let bits = |column: &Column| match column {
        Column::Category { codes, .. } => u64::from(codes[row]),
        Column::Number(values) if values[row].is_nan() => f64::NAN.to_bits(),
        Column::Number(values) => (values[row] + 0.0).to_bits(),
    };
    table.columns().iter().map(bits).collect()
}

/// The tolerance of numbers that are nearly equal.
const NEARLY: f64 = 0.01;

/// Share of `queries` that match a row of `real`; numbers may differ by `tolerance` times |query|. `own` are the rows of `real` that the
/// queries are, which do not count as their match.
fn share(real: &Table, queries: &Table, tolerance: f64, own: Option<&[usize]>) -> f64 {
    let index = Index::new(real);
    let own = |row: usize| own.and_then(|own| own.get(row).copied());
    let hits = (0..queries.rows()).into_par_iter().filter(|&row| index.matches(queries, row, tolerance, own(row))).count();
    hits as f64 / queries.rows() as f64
}

/// Real rows in groups that agree on every category and on which numbers are missing; within a group sorted by the number column with the most
/// values, so that a match is looked for in a narrow range only.
struct Index<'a> {
    numbers: Vec<&'a [f64]>,
    sort_column: usize,
    groups: HashMap<Vec<u32>, Vec<usize>>,
}

impl<'a> Index<'a> {
    fn new(real: &'a Table) -> Self {
        let most_values = |place: &usize| real.columns()[*place].numbers().map_or(0, distinct);
        let sort_column = (0..real.columns().len()).max_by_key(most_values).unwrap_or(0);
        let first = real.columns()[sort_column].numbers();
        let others =
            real.columns().iter().enumerate().filter(|&(place, _)| place != sort_column).filter_map(|(_, column)| column.numbers());
        let mut groups: HashMap<Vec<u32>, Vec<usize>> = HashMap::new();
        for row in 0..real.rows() {
            groups.entry(group(real, row)).or_default().push(row);
        }
        if let Some(values) = first {
            groups.par_iter_mut().for_each(|(_, rows)| rows.sort_by(|&a, &b| values[a].total_cmp(&values[b])));
        }
        Self { numbers: first.into_iter().chain(others).collect(), sort_column, groups }
    }

    fn matches(&self, synthetic: &Table, row: usize, tolerance: f64, except: Option<usize>) -> bool {
        let Some(rows) = self.groups.get(&group(synthetic, row)) else { return false };
        let first = synthetic.columns()[self.sort_column].numbers().map(|values| values[row]);
        let others = synthetic.columns().iter().enumerate().filter(|&(place, _)| place != self.sort_column);
        let values: Vec<f64> =
            first.into_iter().chain(others.filter_map(|(_, column)| column.numbers()).map(|values| values[row])).collect();
        let close =
            |real: f64, synthetic: f64| (real - synthetic).abs() <= (tolerance * synthetic).abs() || real == synthetic || real.is_nan();
        let candidates = match values.first() {
            Some(&value) if !value.is_nan() => {
                // A hair wider than the tolerance, so that rounding never loses a candidate that `close` accepts.
                let reach = (tolerance * value).abs() * (1.0 + 1e-9);
                let sorted = self.numbers[0];
                let start = rows.partition_point(|&real| sorted[real] < value - reach);
                let end = rows.partition_point(|&real| sorted[real] <= value + reach);
                &rows[start..end]
            }
            _ => &rows[..],
        };
        let mut others = candidates.iter().filter(|&&real| Some(real) != except);
        others.any(|&real| self.numbers.iter().zip(&values).all(|(column, &value)| close(column[real], value)))
    }
}

/// The categories of a row, and for each number whether it is missing.
fn group(table: &Table, row: usize) -> Vec<u32> {
    table.columns().iter().map(|column| column.categories().map_or(u32::from(column.is_missing(row)), |(codes, _)| codes[row])).collect()
}

fn distinct(values: &[f64]) -> usize {
    values.iter().map(|value| value.to_bits()).collect::<std::collections::HashSet<_>>().len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use semblant_data::table::ColumnKind;

    fn table(numbers: &[f64], labels: &[Option<&str>]) -> Table {
        Table::from_columns(vec![
            ("n", ColumnKind::Continuous, Column::Number(numbers.to_vec())),
            ("c", ColumnKind::Categorical, Column::from_labels(labels.iter().copied())),
        ])
        .unwrap()
    }

    #[test]
    fn one_percent_counts_as_the_same_and_missing_matches_missing() {
        let real = table(&[100.0, f64::NAN, -7.0, 0.0], &[Some("a"), None, Some("b"), Some("a")]);
        let synthetic = table(&[101.0, f64::NAN, -7.0, 102.0], &[Some("a"), None, None, Some("a")]);
        assert_eq!(new_row_synthesis(&real, &synthetic).unwrap(), 0.5);
        assert_eq!(copied_share(&real, &synthetic).unwrap(), 0.25);
        assert_eq!(new_row_synthesis(&real, &real).unwrap(), 0.0);
    }

    #[test]
    fn a_row_does_not_repeat_itself_and_the_order_of_rows_does_not_matter() {
        let labels = [Some("a"), Some("a"), None, Some("a"), Some("b")];
        let real = table(&[1.0, 1.0, f64::NAN, 1.005, 7.0], &labels);
        assert_eq!(repeated_shares(&real, &[0, 1, 2, 3, 4]).unwrap(), [0.4, 0.6]);
        assert_eq!(repeated_shares(&real, &[3, 4]).unwrap(), [0.0, 0.5]);
        let turned = real.take(&[4, 2, 3, 0, 1]);
        assert!(same_rows(&real, &turned).unwrap());
        assert!(!same_rows(&real, &real.take(&[4, 2, 3, 3, 1])).unwrap());
        assert!(!same_rows(&real, &real.take(&[4, 2, 3, 0])).unwrap());
    }

    #[test]
    fn a_tenth_of_copied_rows_is_a_tenth() {
        let real: Vec<f64> = (0..1000).map(|i| f64::from(i) + 1000.0).collect();
        let synthetic: Vec<f64> = (0..1000).map(|i| if i % 10 == 0 { f64::from(i) + 1000.0 } else { -f64::from(i) }).collect();
        let label = vec![Some("a"); 1000];
        let (real, synthetic) = (table(&real, &label), table(&synthetic, &label));
        assert!((new_row_synthesis(&real, &synthetic).unwrap() - 0.9).abs() < 1e-12);
        assert!((copied_share(&real, &synthetic).unwrap() - 0.1).abs() < 1e-12);
    }
}
