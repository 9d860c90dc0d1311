//! Rules: relations between columns that hold in every real row, and the share of other rows that keep them.
//!
//! A model of single columns and correlations can be close to the real table and still break what never happens there: parts that do not add
//! up, an end before its start, a city in another country.

mod labels;
mod mine;
mod numbers;
mod relation;

use std::collections::HashSet;

use rayon::prelude::*;
use semblant_data::table::{Column, Schema, Table};
use serde::{Deserialize, Serialize};

pub use self::mine::{Mined, mine};
use self::relation::Relation;
use super::align::align;
use crate::Result;
use crate::error::undefined;
use crate::random::random;

/// Rows of the real table that a rule must apply to.
pub const LEAST_ROWS: usize = 50;
/// Columns of numbers, and of labels, among which rules are searched: the first ones.
pub const MOST_COLUMNS: usize = 40;
/// Rules that are kept: those that a shuffle breaks most often.
pub const MOST_RULES: usize = 40;
/// Rows that a shuffled table must break. If the columns were independent, a rule would hold in every row with a chance of about e^-15, so
/// that the few thousand pairs that are tried yield no accidental one.
const BROKEN_ROWS: f64 = 15.0;
/// The share of rows that a shuffled table must break.
const BROKEN_SHARE: f64 = 0.01;

/// The rules of a real table and how other rows keep them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rules {
    /// The rules, those that synthetic rows break most often first.
    pub rules: Vec<Rule>,
    /// Share of synthetic rows that break no rule.
    pub synthetic: f64,
    /// Share of holdout rows that break no rule.
    pub holdout: Option<f64>,
    /// Columns that were not searched because the table has more than [`MOST_COLUMNS`] of numbers or of labels.
    pub unsearched: Vec<String>,
    /// Rules that were found beyond [`MOST_RULES`].
    pub left_out: usize,
}

/// One rule. A share is of the rows that it applies to, and `None` if there is no such row.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rule {
    /// The rule in words, column names between backticks.
    pub words: String,
    /// The columns that it connects.
    pub columns: Vec<String>,
    /// Share of synthetic rows that keep it.
    pub synthetic: Option<f64>,
    /// Share of holdout rows that keep it.
    pub holdout: Option<f64>,
    /// Share of real rows that keep it after one of its columns was shuffled by the seed: the lower, the more the rule says.
    pub shuffled: f64,
}

/// Finds relations that hold in every row of `real`, and how many rows of the other tables keep them.
///
/// Relations: equal columns, sums of two or three columns, constant ratios and differences (all within the columns' rounding), order of two
/// numbers or two datetimes, labels or repeated numbers that determine those of another column, and columns that are missing or zero
/// whenever another one is missing or has certain labels. A rule applies to rows in which its values are known; labels that the real table
/// lacks are no violation. Rules that follow from others are left out.
///
/// A rule must apply to at least 50 real rows, and shuffling one of its columns must break it in at least 1 % of them and in 15 rows.
/// Searched are the first [`MOST_COLUMNS`] columns of numbers and the first of labels, sums of three columns among the first 20 numbers:
/// at most 31,000 sums of two and 20,000 of three are tried, each up to the first row that breaks it.
///
/// # Errors
/// [`crate::Error::Undefined`] when no rule is found; [`crate::Error::Tables`] when the tables share no column or one has no rows.
pub fn rules(real: &Table, synthetic: &Table, holdout: Option<&Table>, seed: u64) -> Result<Rules> {
    let tables: Vec<&Table> = [real, synthetic].into_iter().chain(holdout).collect();
    let tables = align(&tables)?;
    if real.rows() < LEAST_ROWS {
        return undefined(format!("the real table has fewer than {LEAST_ROWS} rows"));
    }
    let search = Search::new(&tables[0], seed);
    let mut found = search.run();
    if found.is_empty() {
        return undefined("no relation between columns holds in every real row");
    }
    let left_out = found.len().saturating_sub(MOST_RULES);
    found.truncate(MOST_RULES);
    let relations: Vec<&Relation> = found.iter().map(|(relation, _)| relation).collect();
    let kept: Vec<Kept> = tables[1..].iter().map(|table| Kept::of(&relations, table.columns())).collect();
    let schema = tables[0].schema();
    let mut list: Vec<Rule> = found
        .iter()
        .enumerate()
        .map(|(place, (relation, shuffled))| Rule {
            words: relation.words(schema, tables[0].columns()),
            columns: relation.columns().into_iter().map(|column| schema.columns[column].name.clone()).collect(),
            synthetic: kept[0].share(place),
            holdout: kept.get(1).and_then(|kept| kept.share(place)),
            shuffled: *shuffled,
        })
        .collect();
    // Stable, so that rules that are kept equally well stay in the order of how much they say.
    list.sort_by(|a, b| a.synthetic.unwrap_or(1.0).total_cmp(&b.synthetic.unwrap_or(1.0)));
    Ok(Rules { rules: list, synthetic: kept[0].all, holdout: kept.get(1).map(|kept| kept.all), unsearched: search.unsearched(), left_out })
}

/// How many rows keep each relation.
struct Kept {
    /// Rows that keep it, and rows that it applies to.
    counts: Vec<[usize; 2]>,
    /// Share of rows that break none.
    all: f64,
}

impl Kept {
    fn of(relations: &[&Relation], columns: &[Column]) -> Self {
        let rows = columns.first().map_or(0, Column::len);
        let start = || (vec![[0; 2]; relations.len()], 0);
        let (counts, unbroken) = (0..rows)
            .into_par_iter()
            .fold(start, |(mut counts, mut unbroken): (Vec<[usize; 2]>, usize), row| {
                let mut whole = true;
                for (count, relation) in counts.iter_mut().zip(relations) {
                    if let Some(kept) = relation.keeps(columns, row, row) {
                        count[0] += usize::from(kept);
                        count[1] += 1;
                        whole &= kept;
                    }
                }
                unbroken += usize::from(whole);
                (counts, unbroken)
            })
            .reduce(start, |(mut counts, unbroken), (others, more)| {
                counts.iter_mut().zip(others).for_each(|(count, other)| *count = [count[0] + other[0], count[1] + other[1]]);
                (counts, unbroken + more)
            });
        Self { counts, all: unbroken as f64 / rows.max(1) as f64 }
    }

    fn share(&self, place: usize) -> Option<f64> {
        let [kept, all] = self.counts[place];
        (all > 0).then(|| kept as f64 / all as f64)
    }
}

/// The real table and what the searches share.
struct Search<'a> {
    schema: &'a Schema,
    columns: &'a [Column],
    /// The rows in an order drawn by the seed, so that a relation that does not hold is dropped after a few rows.
    order: Vec<usize>,
    /// The row whose value each row of the shuffled table has.
    shuffled: Vec<usize>,
    numbers: Vec<usize>,
    labels: Vec<usize>,
}

impl<'a> Search<'a> {
    fn new(real: &'a Table, seed: u64) -> Self {
        let shuffle = |purpose| {
            let mut rows: Vec<usize> = (0..real.rows()).collect();
            random(seed, purpose).shuffle(&mut rows);
            rows
        };
        let places = |numbers: bool| {
            let wanted = real.columns().iter().enumerate().filter(|(_, column)| column.numbers().is_some() == numbers);
            wanted.map(|(place, _)| place).take(MOST_COLUMNS).collect()
        };
        Self {
            schema: real.schema(),
            columns: real.columns(),
            order: shuffle(21),
            shuffled: shuffle(22),
            numbers: places(true),
            labels: places(false),
        }
    }

    fn unsearched(&self) -> Vec<String> {
        let searched: HashSet<usize> = self.numbers.iter().chain(&self.labels).copied().collect();
        self.schema.names().enumerate().filter(|(place, _)| !searched.contains(place)).map(|(_, name)| name.to_owned()).collect()
    }

    /// The relations that hold with the share that a shuffle keeps, those first that it breaks most often.
    fn run(&self) -> Vec<(Relation, f64)> {
        let numbers = numbers::search(self);
        let copies: HashSet<usize> = numbers.iter().filter_map(Relation::function_of_one).collect();
        let labels = labels::search(self, &copies);
        let told = numbers.into_par_iter().chain(labels).filter_map(|relation| {
            let kept = self.kept_after_a_shuffle(&relation)?;
            Some((relation, kept))
        });
        let mut found: Vec<(Relation, f64)> = told.collect();
        found.sort_by(|a, b| a.1.total_cmp(&b.1));
        found
    }

    /// Whether every row keeps the relation and enough rows are concerned.
    fn holds(&self, relation: &Relation) -> bool {
        let mut applies = 0;
        for &row in &self.order {
            match relation.keeps(self.columns, row, row) {
                Some(false) => return false,
                Some(true) => applies += 1,
                None => {}
            }
        }
        applies >= LEAST_ROWS
    }

    /// The share of rows that keep the relation after a shuffle of its last column; nothing if that is almost all of them.
    fn kept_after_a_shuffle(&self, relation: &Relation) -> Option<f64> {
        let [kept, all] = relation.kept_when_shuffled(self.columns, &self.shuffled);
        let broken = (all - kept) as f64;
        (broken >= BROKEN_ROWS && broken >= BROKEN_SHARE * all as f64).then(|| kept as f64 / all as f64)
    }
}
