//! How close a database is to a real one: numbers of children, relations between tables, and what a classifier tells from a row with all that comes by it.

mod aggregates;
mod hops;

use rayon::prelude::*;
use semblant_data::database::Database;
use semblant_data::table::Table;

pub use aggregates::aggregated;
pub use hops::{HopScore, Hops, hops};

use crate::learn::{Boosting, Target};
use crate::random::{random, subsample};
use crate::table::shapes::ks_complement;
use crate::{Error, Result};

/// The numbers of children of a foreign key.
#[derive(Debug, Clone, PartialEq)]
pub struct Cardinality {
    /// The key: `orders.customer`.
    pub key: String,
    /// The table that it refers to.
    pub table: String,
    /// 1 - the Kolmogorov-Smirnov statistic of the numbers of rows that refer to each row, those without any included.
    pub score: f64,
    /// Numbers of children of real and synthetic rows.
    pub counts: [Vec<u32>; 2],
}

/// Cardinality Shape Similarity of every foreign key.
///
/// Range 0 to 1, higher is better. Source: SDMetrics 0.32, CardinalityShapeSimilarity.
///
/// # Errors
/// Databases of other tables.
pub fn cardinalities(real: &Database, synthetic: &Database) -> Result<Vec<Cardinality>> {
    check_tables(real, synthetic)?;
    let of = |(table, foreign): (usize, usize)| {
        let counts = [real, synthetic].map(|database| database.children(table, foreign));
        let [a, b] = counts.each_ref().map(|counts| counts.iter().map(|&count| f64::from(count)).collect::<Vec<f64>>());
        Ok(Cardinality {
            key: real.keys_of(table).foreign[foreign].name(&real.tables()[table].0),
            table: real.tables()[real.target(table, foreign)].0.clone(),
            score: ks_complement(&a, &b)?,
            counts,
        })
    };
    real.foreign_keys().map(of).collect()
}

/// Whether two databases have the same tables and keys.
///
/// # Errors
/// Names what one lacks.
pub(crate) fn check_tables(real: &Database, other: &Database) -> Result<()> {
    let names = |database: &Database| database.tables().iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
    if names(real) != names(other) || real.keys() != other.keys() {
        let what = format!("the databases have other tables or keys: {} and {}", names(real).join(", "), names(other).join(", "));
        return Err(Error::Tables(format!("{what}; read both with the same --keys")));
    }
    Ok(())
}

/// Folds of [`told_apart`].
const FOLDS: usize = 5;
/// Fewer rows are not told apart.
const LEAST: usize = 20;
/// Rows of each table that are told apart at most.
const MOST: usize = 10_000;

/// The accuracy of a classifier that tells synthetic from real rows, with what real rows score against each other.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ToldApart {
    /// The share of rows that are assigned to the right table.
    pub accuracy: f64,
    /// The interval of 95 % of the share.
    pub interval: [f64; 2],
    /// The same between two halves of the real rows.
    pub floor: f64,
}

/// Classifier two-sample test: the accuracy of boosted trees ([`Boosting::default`]) in 5 stratified folds, after the larger table is cut to the size of the
/// smaller by `seed`; columns that are constant in both are left out. C2ST-Agg is this of [`aggregated`] tables (Syntherela, Jurkovic et al. 2024). The noise
/// floor is the mean of three splits of the real rows into halves, which are half as many.
///
/// Range 0.5 to 1, lower is better: 0.5 is guessing. None with fewer than 20 rows of a table.
///
/// # Errors
/// Tables of other columns.
pub fn told_apart(real: &Table, synthetic: &Table, seed: u64) -> Result<Option<ToldApart>> {
    if real.rows().min(synthetic.rows()) < LEAST || real.columns().is_empty() {
        return Ok(None);
    }
    let (accuracy, rows) = accuracy(real, synthetic, seed)?;
    let error = 1.96 * (accuracy * (1.0 - accuracy) / rows as f64).sqrt();
    let mut floors = Vec::new();
    for split in 0..3 {
        let mut order: Vec<usize> = (0..real.rows()).collect();
        random(seed, 0x7101 + split).shuffle(&mut order);
        let (a, b) = order.split_at(real.rows() / 2);
        floors.push(accuracy_of(&real.take(a), &real.take(&b[..a.len()]), seed)?);
    }
    let floor = floors.iter().sum::<f64>() / floors.len() as f64;
    Ok(Some(ToldApart { accuracy, interval: [(accuracy - error).max(0.0), (accuracy + error).min(1.0)], floor }))
}

fn accuracy(real: &Table, synthetic: &Table, seed: u64) -> Result<(f64, usize)> {
    let size = real.rows().min(synthetic.rows()).min(MOST);
    let part = |table: &Table, purpose| table.take(&subsample(table.rows(), size, seed, purpose));
    let (real, synthetic) = (part(real, 0x7110), part(synthetic, 0x7111));
    Ok((accuracy_of(&real, &synthetic, seed)?, 2 * size))
}

/// The accuracy between tables of the same number of rows.
fn accuracy_of(real: &Table, synthetic: &Table, seed: u64) -> Result<f64> {
    let mut aligned = crate::table::align::align(&[real, synthetic])?;
    let (synthetic, mut rows) = (aligned.pop(), aligned.pop());
    let (Some(rows), Some(synthetic)) = (rows.as_mut(), synthetic) else { return Err(Error::Tables("there are no tables".into())) };
    let size = rows.rows();
    rows.append(&synthetic)?;
    let mut folds = vec![0; 2 * size];
    for table in 0..2 {
        let mut of_table: Vec<usize> = (0..size).map(|row| row % FOLDS).collect();
        random(seed, 0x7120 + table as u64).shuffle(&mut of_table);
        folds[table * size..(table + 1) * size].copy_from_slice(&of_table);
    }
    let right = |fold: usize| -> Result<usize> {
        let (train, test): (Vec<usize>, Vec<usize>) = (0..2 * size).partition(|&row| folds[row] != fold);
        let codes = train.iter().map(|&row| u32::from(row >= size)).collect();
        let model = Boosting { seed, ..Boosting::default() }.fit(&rows.take(&train), None, &Target::Classes { codes, count: 2 })?;
        let scores = model.predict(&rows.take(&test));
        Ok(test.iter().zip(&scores[1]).filter(|&(&row, &score)| (row >= size) == (score > 0.5)).count())
    };
    let right = (0..FOLDS).into_par_iter().map(right).collect::<Result<Vec<_>>>()?;
    Ok(right.iter().sum::<usize>() as f64 / (2 * size) as f64)
}
