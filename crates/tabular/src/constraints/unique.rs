//! Values that no two rows share.
//!
//! Row `i` is the first of its draws whose values no row before it has. It depends on all rows before it, so a range of rows is made from the
//! first row on; what was seen is kept, so that ranges that follow one another are made once.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use semblant_core::Result;
use semblant_core::seeds::streams::REDRAWS;
use semblant_core::synthesizer::Sample;
use semblant_data::table::{Table, TableRequest};

use super::Constraints;
use super::fit::{Value, key};
use crate::rejection::Searched;

/// Draws of a row, each from another seed.
const MOST_DRAWS: u32 = 100;
/// Rows that are made at once before those that are asked for.
const BATCH_ROWS: u64 = 1 << 14;

/// The values of the rows from the first one on, for one request.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    request: Option<TableRequest>,
    /// The rows that were seen.
    end: u64,
    values: Vec<HashSet<Vec<Value>>>,
}

/// Makes the rows of a request with `make`, such that constraints on unique values hold among all rows from the first one on.
pub(crate) fn search(
    constraints: &Constraints,
    request: &TableRequest,
    seen: &Mutex<Seen>,
    make: &mut dyn FnMut(&TableRequest) -> Result<Searched>,
) -> Result<Searched> {
    let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
    let same = TableRequest { rows: 0..0, batch_rows: 1, ..request.clone() };
    if seen.request.as_ref() != Some(&same) || seen.end > request.rows.start {
        *seen = Seen { request: Some(same), end: 0, values: vec![HashSet::new(); constraints.unique().len()] };
    }
    while seen.end < request.rows.start {
        let end = request.rows.start.min(seen.end + BATCH_ROWS);
        let before = part(constraints, &TableRequest { rows: seen.end..end, ..request.clone() }, &mut seen, make)?;
        // Rows that cannot be found before the range are not part of it.
        seen.end = end;
        drop(before);
    }
    let found = part(constraints, request, &mut seen, make)?;
    seen.end = request.rows.end;
    Ok(found)
}

/// Rows that follow those which were seen.
fn part(
    constraints: &Constraints,
    request: &TableRequest,
    seen: &mut Seen,
    make: &mut dyn FnMut(&TableRequest) -> Result<Searched>,
) -> Result<Searched> {
    let first = make(request)?;
    let rows = first.sample.data.rows();
    // Draw `n` of row `i` stands at row `i` of `draws[n]`; which draw each row has.
    let (mut drawn_rows, mut impossible) = (first.sample.drawn_rows, first.unmet);
    let mut draws: Vec<Table> = vec![first.sample.data];
    let mut chosen = vec![0usize; rows];
    for row in 0..rows {
        loop {
            let table = &draws[chosen[row]];
            if accept(constraints, table, row, seen) {
                break;
            }
            if chosen[row] + 1 == MOST_DRAWS as usize {
                impossible.push(row);
                break;
            }
            chosen[row] += 1;
            if chosen[row] == draws.len() {
                // All rows from here on: others will repeat values too.
                let seed = REDRAWS.of(request.seed).below(draws.len() as u64, 0, u64::MAX);
                let more = make(&TableRequest { seed, ..request.clone() })?;
                drawn_rows += more.sample.drawn_rows;
                draws.push(more.sample.data);
            }
        }
    }
    let mut all = draws.remove(0);
    let mut places: Vec<usize> = (0..rows).collect();
    for (number, table) in draws.iter().enumerate() {
        let own: Vec<usize> = (0..rows).filter(|&row| chosen[row] == number + 1).collect();
        own.iter().zip(all.rows()..).for_each(|(&row, place)| places[row] = place);
        all.append(&table.take(&own))?;
    }
    impossible.sort_unstable();
    impossible.dedup();
    Ok(Searched { sample: Sample { data: all.take(&places), drawn_rows }, unmet: impossible, draws: MOST_DRAWS })
}

/// Whether no row before has the values of this one; then they are taken.
fn accept(constraints: &Constraints, table: &Table, row: usize, seen: &mut Seen) -> bool {
    let keys: Vec<Option<Vec<Value>>> = constraints
        .unique()
        .iter()
        .map(|columns| {
            let columns_of = table.columns();
            (!columns.iter().any(|&column| columns_of[column].is_missing(row))).then(|| key(columns_of, columns, row))
        })
        .collect();
    if keys.iter().zip(&seen.values).any(|(key, values)| key.as_ref().is_some_and(|key| values.contains(key))) {
        return false;
    }
    keys.into_iter().zip(&mut seen.values).for_each(|(key, values)| {
        values.extend(key);
    });
    true
}

#[cfg(test)]
mod tests {
    use semblant_core::seeds::streams::ROWS;
    use semblant_data::table::{Column, ColumnKind, Schema};

    use super::*;
    use crate::constraints::Learned;

    /// One of 40 numbers in each row.
    fn made(request: &TableRequest) -> Result<Searched> {
        let values = request.rows.clone().map(|row| ROWS.of(request.seed).below(row, 0, 40) as f64).collect();
        let data = Table::from_columns(vec![("n", ColumnKind::Integer, Column::Number(values))])?;
        Ok(Searched { sample: Sample { drawn_rows: data.rows() as u64, data }, unmet: Vec::new(), draws: 1 })
    }

    #[test]
    fn no_value_comes_twice_and_ranges_agree() {
        let schema =
            Schema::parse_toml("[[constraint]]\nunique = [\"n\"]\n[[columns]]\nname = \"n\"\nkind = \"integer\"\n").expect("a schema");
        let constraints = Constraints::new(&schema, &Learned::default()).expect("sound");
        let find = |rows: std::ops::Range<u64>, seen: &Mutex<Seen>| {
            search(&constraints, &TableRequest { rows, ..TableRequest::new(0, 7) }, seen, &mut made).expect("made")
        };
        let values = |found: &Searched| found.sample.data.columns()[0].numbers().expect("numbers").to_vec();
        let whole = find(0..36, &Mutex::default());
        assert!(whole.unmet.is_empty() && whole.sample.drawn_rows > 36);
        assert_eq!(values(&whole).iter().map(|value| value.to_bits()).collect::<HashSet<_>>().len(), 36);
        // One after another, with what was seen; and each on its own.
        let seen = Mutex::default();
        let parts: Vec<f64> = [0..10, 10..25, 25..36].into_iter().flat_map(|rows| values(&find(rows, &seen))).collect();
        assert_eq!(parts, values(&whole));
        assert_eq!(values(&find(20..30, &Mutex::default())), values(&whole)[20..30]);
        // There are no more than 40 values.
        assert!(find(0..45, &Mutex::default()).unmet.len() >= 5);
    }
}
