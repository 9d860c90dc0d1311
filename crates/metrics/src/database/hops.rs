//! Relations between the columns of tables that refer to each other.

use semblant_data::database::{Database, NO_ROW};
use semblant_data::table::{Schema, Table};

use super::aggregates::without_names;
use super::check_tables;
use crate::Result;
use crate::random::subsample;
use crate::table::binning::BinRule;
use crate::table::pairs::column_pair_trends;

/// Rows that are joined at most.
const MOST_ROWS: usize = 100_000;
/// References that are followed at most.
const MOST_HOPS: usize = 4;

/// The relations along one path of references.
#[derive(Debug, Clone, PartialEq)]
pub struct HopScore {
    /// The tables from the rows that refer to those that are referred to, joined by arrows.
    pub path: String,
    /// How many references it follows; 0 within a table.
    pub hops: usize,
    /// The mean similarity of pairs of columns, one of either end.
    pub score: f64,
    /// How many pairs.
    pub pairs: usize,
    /// The least similar pair, with its similarity.
    pub worst: Option<(String, f64)>,
}

/// The relations along all paths.
#[derive(Debug, Clone, PartialEq)]
pub struct Hops {
    /// One entry for each path, shorter ones first.
    pub paths: Vec<HopScore>,
}

impl Hops {
    /// The mean over the pairs of all paths of so many references.
    pub fn mean(&self, hops: usize) -> Option<f64> {
        let of = || self.paths.iter().filter(|path| path.hops == hops);
        let pairs: usize = of().map(|path| path.pairs).sum();
        (pairs > 0).then(|| of().map(|path| path.score * path.pairs as f64).sum::<f64>() / pairs as f64)
    }

    /// The mean over all pairs.
    pub fn mean_of_all(&self) -> Option<f64> {
        let pairs: usize = self.paths.iter().map(|path| path.pairs).sum();
        (pairs > 0).then(|| self.paths.iter().map(|path| path.score * path.pairs as f64).sum::<f64>() / pairs as f64)
    }

    /// The most references that a path follows.
    pub fn longest(&self) -> usize {
        self.paths.iter().map(|path| path.hops).max().unwrap_or(0)
    }
}

/// k-hop trends: for every path of k references the similarity of each pair of columns, one of the rows that refer and one of those at the end of the path
/// ([`column_pair_trends`], bins of each table); 0 hops are the pairs within tables. A pair that the real rows do not define is left out, one that only the
/// synthetic rows do not define scores 0.
///
/// Range 0 to 1, higher is better. Source: ClavaDDPM (Pang et al. 2024), multi-table metrics; only the first key between two tables is followed.
///
/// # Errors
/// Databases of other tables.
pub fn hops(real: &Database, synthetic: &Database, seed: u64) -> Result<Hops> {
    check_tables(real, synthetic)?;
    let mut paths = Vec::new();
    for path in all_paths(real) {
        let joined = [joined(real, &path, seed)?, joined(synthetic, &path, seed)?];
        let [Some(real_rows), Some(synthetic_rows)] = &joined else { continue };
        if real_rows.rows() < 2 || synthetic_rows.rows() < 2 || real_rows.columns().len() < 2 {
            continue;
        }
        let ends = (path.tables[0], path.tables[path.tables.len() - 1]);
        let name = |table: usize| format!("{table}/");
        let crosses = |first: &str, second: &str| {
            ends.0 == ends.1 && path.keys.is_empty() || first.starts_with(&name(0)) != second.starts_with(&name(0))
        };
        let scores = column_pair_trends(real_rows, synthetic_rows, BinRule::EachTable)?;
        let plain = |column: &str| column.split_once('/').map_or_else(|| column.to_owned(), |(_, name)| name.to_owned());
        let pairs: Vec<(String, f64)> = scores
            .pairs
            .iter()
            .filter(|pair| crosses(&pair.first, &pair.second) && (pair.value.is_some() || pair.real.is_some()))
            .map(|pair| (format!("{} and {}", plain(&pair.first), plain(&pair.second)), pair.value.unwrap_or(0.0)))
            .collect();
        if pairs.is_empty() {
            continue;
        }
        let names: Vec<&str> = path.tables.iter().map(|&table| real.tables()[table].0.as_str()).collect();
        paths.push(HopScore {
            path: names.join(" → "),
            hops: path.keys.len(),
            score: pairs.iter().map(|(_, score)| score).sum::<f64>() / pairs.len() as f64,
            pairs: pairs.len(),
            worst: pairs.into_iter().min_by(|a, b| a.1.total_cmp(&b.1)),
        });
    }
    paths.sort_by_key(|path| path.hops);
    Ok(Hops { paths })
}

/// References from table to table.
#[derive(Debug, Clone)]
struct Path {
    tables: Vec<usize>,
    /// The foreign key of each step.
    keys: Vec<usize>,
}

fn all_paths(database: &Database) -> Vec<Path> {
    let mut all: Vec<Path> = (0..database.tables().len()).map(|table| Path { tables: vec![table], keys: Vec::new() }).collect();
    let mut first = 0;
    while first < all.len() {
        let path = all[first].clone();
        first += 1;
        if path.keys.len() == MOST_HOPS {
            continue;
        }
        let last = path.tables[path.tables.len() - 1];
        for foreign in 0..database.keys_of(last).foreign.len() {
            let target = database.target(last, foreign);
            let is_first = (0..foreign).all(|earlier| database.target(last, earlier) != target);
            // A table that refers to itself is followed once.
            let is_new = !path.tables.contains(&target) || target == last && path.tables.len() == 1;
            if is_first && is_new {
                let mut longer = path.clone();
                longer.tables.push(target);
                longer.keys.push(foreign);
                all.push(longer);
            }
        }
    }
    all
}

/// The columns of both ends, named `0/column` and `1/column`; none where an end has none.
fn joined(database: &Database, path: &Path, seed: u64) -> Result<Option<Table>> {
    let first = path.tables[0];
    let count = database.tables()[first].1.rows();
    let mut rows: Vec<(usize, usize)> = subsample(count, MOST_ROWS, seed, 0x7130).into_iter().map(|row| (row, row)).collect();
    for (step, &foreign) in path.keys.iter().enumerate() {
        let links = database.links(path.tables[step], foreign);
        rows = rows.into_iter().filter(|&(_, at)| links[at] != NO_ROW).map(|(row, at)| (row, links[at] as usize)).collect();
    }
    let own = without_names(database.content(first)?).take(&rows.iter().map(|&(row, _)| row).collect::<Vec<_>>());
    if path.keys.is_empty() {
        return Ok((!own.columns().is_empty()).then_some(own));
    }
    let last = path.tables[path.tables.len() - 1];
    let other = without_names(database.content(last)?).take(&rows.iter().map(|&(_, at)| at).collect::<Vec<_>>());
    if own.columns().is_empty() || other.columns().is_empty() {
        return Ok(None);
    }
    let named = |table: &Table, place: usize| {
        let mut columns = table.schema().columns.clone();
        columns.iter_mut().for_each(|described| described.name = format!("{place}/{}", described.name));
        columns
    };
    let columns = [named(&own, 0), named(&other, 1)].concat();
    let values = own.columns().iter().chain(other.columns()).cloned().collect();
    Ok(Some(Table::new(Schema { columns, ..Schema::default() }, values)?))
}
