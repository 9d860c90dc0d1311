//! Singling out: predicates that exactly one synthetic row meets, tried on real rows.

use std::collections::{HashMap, HashSet};

use rayon::prelude::*;
use semblant_core::seeds::Sequence;
use semblant_data::table::{Column, MISSING, Table};
use serde::{Deserialize, Serialize};

use super::{Outcome, Rate};
use crate::Result;
use crate::error::undefined;
use crate::random::{random, subsample};
use crate::significance::balance;
use crate::table::align::align;
use crate::table::binning::range;
use crate::table::privacy::quantile;

/// The form of the predicates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Predicates {
    /// One column: a value that a single synthetic row has, or at or beyond its smallest or largest value.
    OneColumn,
    /// So many columns of a random synthetic row: labels equal, numbers on the value's side of the synthetic median, up to the value.
    Columns(usize),
}

/// Draws per predicate before fewer are accepted.
const DRAWS_EACH: usize = 400;
/// Fewer different predicates than this measure no risk.
pub const LEAST_PREDICATES: usize = 100;

/// Draws different predicates, `attempts` of them or as many as 400 draws for each yield, that exactly one synthetic row meets, and counts those
/// that exactly one training row meets, and exactly one holdout row. The larger of the two real tables is cut to the size of the smaller, since
/// uniqueness depends on it. The baseline draws columns and values at random.
///
/// Predicates of a table with few columns are similar and single out the same rows: the p-value counts a row that several of them single out as
/// one event ([`balance`]), and the interval is that of as many independent predicates as its deviation amounts to.
///
/// # Errors
/// [`crate::Error::Undefined`] with fewer than [`LEAST_PREDICATES`] predicates; [`crate::Error::Tables`] when the tables share no column or one
/// has no rows.
pub fn singling_out(
    train: &Table,
    synthetic: &Table,
    holdout: &Table,
    predicates: Predicates,
    attempts: usize,
    seed: u64,
) -> Result<Outcome> {
    let tables = align(&[train, synthetic, holdout])?;
    let size = train.rows().min(holdout.rows());
    let cut = |table: &Table, purpose| table.take(&subsample(table.rows(), size, seed, purpose));
    let (train, synthetic, holdout) = (cut(&tables[0], 51), &tables[1], cut(&tables[2], 52));
    let mut random = random(seed, 53);
    let (queries, blind) = match predicates {
        Predicates::OneColumn => {
            let mut found = lone_values(synthetic);
            random.shuffle(&mut found);
            found.truncate(attempts);
            (found, 1)
        }
        Predicates::Columns(count) => {
            let count = count.clamp(1, synthetic.columns().len());
            (lone_combinations(synthetic, count, attempts, &mut random), count)
        }
    };
    if queries.len() < LEAST_PREDICATES.min(attempts) {
        return undefined(format!("only {} predicates were found that a single synthetic row meets", queries.len()));
    }
    let guesses: Vec<Vec<Term>> = (0..attempts).map(|_| blind_query(synthetic, blind, &mut random)).collect();
    let singled = |queries: &[Vec<Term>], table: &Table| -> Vec<usize> {
        queries.par_iter().filter_map(|query| matched_alone(query, table)).collect()
    };
    let [main, control] = [singled(&queries, &train), singled(&queries, &holdout)];
    let guessed = Rate::new(singled(&guesses, &train).len(), guesses.len());
    let rows = [&main, &control].map(|singled| per_row(singled, size));
    let balance = balance(&rows[0], &rows[1]);
    // Heaps of predicates on one row: as many attempts fewer as the variance is larger than that of independent ones.
    let sum = main.len() + control.len();
    let heaped = if sum == 0 { 1.0 } else { (4.0 * balance.deviation.powi(2) * sum as f64).max(1.0) };
    let rate = |hits: usize| Rate::new(hits, queries.len()).widened(heaped.sqrt());
    Ok(Outcome { p_value: balance.p_value, ..Outcome::new(rate(main.len()), rate(control.len()), guessed) })
}

/// How often each of `rows` rows is listed.
fn per_row(listed: &[usize], rows: usize) -> Vec<usize> {
    let mut counts = vec![0; rows];
    listed.iter().for_each(|&row| counts[row] += 1);
    counts
}

/// A condition on one column, by its place.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Term {
    Label(usize, u32),
    Equal(usize, f64),
    AtMost(usize, f64),
    AtLeast(usize, f64),
    Missing(usize),
}

impl Term {
    fn holds(self, table: &Table, row: usize) -> bool {
        let number = |place: usize| table.columns()[place].numbers().map_or(f64::NAN, |values| values[row]);
        match self {
            Self::Label(place, code) => table.columns()[place].categories().is_some_and(|(codes, _)| codes[row] == code),
            Self::Equal(place, value) => number(place) == value,
            Self::AtMost(place, value) => number(place) <= value,
            Self::AtLeast(place, value) => number(place) >= value,
            Self::Missing(place) => table.columns()[place].is_missing(row),
        }
    }
}

/// The row that alone meets the query.
fn matched_alone(query: &[Term], table: &Table) -> Option<usize> {
    let mut matched = (0..table.rows()).filter(|&row| query.iter().all(|term| term.holds(table, row)));
    matched.next().filter(|_| matched.next().is_none())
}

fn matches_one(query: &[Term], table: &Table) -> bool {
    matched_alone(query, table).is_some()
}

/// Every predicate on one column that exactly one row meets.
fn lone_values(table: &Table) -> Vec<Vec<Term>> {
    let mut found = Vec::new();
    for (place, column) in table.columns().iter().enumerate() {
        if column.missing() == 1 {
            found.push(Term::Missing(place));
        }
        match column {
            Column::Number(values) => {
                let mut sorted: Vec<f64> = values.iter().copied().filter(|value| !value.is_nan()).collect();
                sorted.sort_unstable_by(f64::total_cmp);
                found.extend(sorted.chunk_by(|a, b| a == b).filter(|run| run.len() == 1).map(|run| Term::Equal(place, run[0])));
                if let Some((low, high)) = range(values) {
                    found.extend(
                        [Term::AtMost(place, low), Term::AtLeast(place, high)].into_iter().filter(|term| matches_one(&[*term], table)),
                    );
                }
            }
            Column::Category { codes, .. } => {
                let mut counts: HashMap<u32, usize> = HashMap::new();
                codes.iter().filter(|&&code| code != MISSING).for_each(|&code| *counts.entry(code).or_default() += 1);
                let mut lone: Vec<u32> = counts.into_iter().filter(|(_, count)| *count == 1).map(|(code, _)| code).collect();
                lone.sort_unstable();
                found.extend(lone.into_iter().map(|code| Term::Label(place, code)));
            }
        }
    }
    found.into_iter().map(|term| vec![term]).collect()
}

/// Predicates on `count` columns of random rows that exactly one row meets.
fn lone_combinations(table: &Table, count: usize, wanted: usize, random: &mut Sequence) -> Vec<Vec<Term>> {
    let medians: Vec<f64> = table.columns().iter().map(median).collect();
    let draw = |random: &mut Sequence| -> Vec<Term> {
        let row = random.below(table.rows());
        let side = |place: usize| match &table.columns()[place] {
            column if column.is_missing(row) => Term::Missing(place),
            Column::Category { codes, .. } => Term::Label(place, codes[row]),
            Column::Number(values) if values[row] > medians[place] => Term::AtLeast(place, values[row]),
            Column::Number(values) => Term::AtMost(place, values[row]),
        };
        places(table, count, random).into_iter().map(side).collect()
    };
    let mut found: Vec<Vec<Term>> = Vec::new();
    // In rounds, so that counting runs in parallel and the result does not depend on the number of threads.
    let mut seen = HashSet::new();
    for _ in 0..DRAWS_EACH {
        let mut round: Vec<Vec<Term>> = (0..wanted).map(|_| draw(random)).collect();
        // Every query is tried once.
        round.retain(|query| seen.insert(key(query)));
        found.extend(round.into_par_iter().filter(|query| matches_one(query, table)).collect::<Vec<_>>());
        if found.len() >= wanted {
            break;
        }
    }
    found.truncate(wanted);
    found
}

/// Equal for queries that mean the same.
fn key(query: &[Term]) -> Vec<(usize, u8, u64)> {
    let mut terms: Vec<_> = query
        .iter()
        .map(|term| match *term {
            Term::Label(place, code) => (place, 0, u64::from(code)),
            Term::Equal(place, value) => (place, 1, value.to_bits()),
            Term::AtMost(place, value) => (place, 2, value.to_bits()),
            Term::AtLeast(place, value) => (place, 3, value.to_bits()),
            Term::Missing(place) => (place, 4, 0),
        })
        .collect();
    terms.sort_unstable();
    terms
}

fn median(column: &Column) -> f64 {
    let mut values: Vec<f64> = column.numbers().unwrap_or_default().iter().copied().filter(|value| !value.is_nan()).collect();
    values.sort_unstable_by(f64::total_cmp);
    quantile(&values, 0.5)
}

/// `count` different columns.
fn places(table: &Table, count: usize, random: &mut Sequence) -> Vec<usize> {
    let mut places: Vec<usize> = (0..table.columns().len()).collect();
    random.shuffle(&mut places);
    places.truncate(count);
    places
}

/// Columns and values at random, each value from a row of its own.
fn blind_query(table: &Table, count: usize, random: &mut Sequence) -> Vec<Term> {
    let columns = places(table, count, random);
    let term = |place: usize| {
        let row = random.below(table.rows());
        match &table.columns()[place] {
            column if column.is_missing(row) => Term::Missing(place),
            Column::Category { codes, .. } => Term::Label(place, codes[row]),
            Column::Number(values) => match random.below(3) {
                0 => Term::Equal(place, values[row]),
                1 => Term::AtMost(place, values[row]),
                _ => Term::AtLeast(place, values[row]),
            },
        }
    };
    columns.into_iter().map(term).collect()
}

#[cfg(test)]
mod tests {
    use super::super::tests_support::{population, wide_population, with_leak};
    use super::*;

    #[test]
    fn a_leaked_table_singles_out_and_a_fresh_one_does_not() {
        let (train, holdout, fresh) = (wide_population(1, 800, 9), wide_population(2, 800, 9), wide_population(3, 800, 9));
        for predicates in [Predicates::OneColumn, Predicates::Columns(3)] {
            let attack = |synthetic: &Table| singling_out(&train, synthetic, &holdout, predicates, 400, 0).unwrap();
            let (leaked, partly, fresh) = (attack(&train), attack(&with_leak(&fresh, &train, 400)), attack(&fresh));
            // Each predicate that one row of the training table meets singles out in it.
            assert_eq!(leaked.main.hits, leaked.main.attempts, "{predicates:?}");
            assert!(leaked.main.attempts > 300 && leaked.risk > 0.9 && !leaked.failed, "{leaked:?}");
            assert!(fresh.interval[0] < 0.02 && fresh.risk < 0.1, "{predicates:?}: {fresh:?}");
            assert!(partly.interval[0] > 0.05 && partly.risk < leaked.risk, "{predicates:?}: {partly:?}");
        }
    }

    #[test]
    fn predicates_hold_for_the_row_they_come_from_alone() {
        let table = population(4, 300);
        for query in lone_values(&table).iter().chain(&lone_combinations(&table, 2, 50, &mut random(0, 0))) {
            assert!(matches_one(query, &table), "{query:?}");
        }
        assert!(
            lone_values(&table)
                .contains(&vec![Term::AtMost(0, table.columns()[0].numbers().unwrap().iter().copied().fold(f64::INFINITY, f64::min))])
        );
    }
}
