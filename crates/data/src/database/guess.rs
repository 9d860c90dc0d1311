//! Keys of tables, and which columns hold those of others.

use std::collections::{BTreeMap, HashSet};

use crate::table::Table as Data;

/// So many different texts that are all among the keys of a table refer to it, whatever they are called.
const MANY: usize = 20;

/// So many of the different values of a column are keys of the table that it is named after.
const NEARLY_ALL: f64 = 0.95;

/// So many letters of a table's name tell what a column refers to.
const STEM: usize = 4;

/// What ties a table to others.
#[derive(Debug, Clone, Default)]
pub struct GuessedKeys {
    /// The column whose values are all different.
    pub key: Option<usize>,
    /// Two columns that are different together, where no one is.
    pub pair: Option<[usize; 2]>,
    /// Columns that hold the key of another table.
    pub foreign: Vec<GuessedForeign>,
}

/// A column that holds the key of another table.
#[derive(Debug, Clone)]
pub struct GuessedForeign {
    /// The column.
    pub column: usize,
    /// The table whose key it holds.
    pub table: usize,
    /// Whether the rows of the table come by it.
    pub is_parent: bool,
}

fn values(data: &Data, column: usize) -> Vec<String> {
    (0..data.rows()).filter(|&row| !data.columns()[column].is_missing(row)).map(|row| data.cell(row, column)).collect()
}

fn is_unique(data: &Data, columns: &[usize]) -> bool {
    let mut seen = HashSet::new();
    let complete = |row: usize| columns.iter().all(|&column| !data.columns()[column].is_missing(row));
    data.rows() > 1
        && (0..data.rows())
            .all(|row| complete(row) && seen.insert(columns.iter().map(|&column| data.cell(row, column)).collect::<Vec<_>>()))
}

/// A name without case and signs, in the singular.
fn plain(name: &str) -> String {
    let letters: String = name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect();
    letters.strip_suffix('s').unwrap_or(&letters).to_owned()
}

/// Whether a column looks like a name of rows: by what it is called.
fn is_named_key(column: &str, table: &str) -> bool {
    let (column, table) = (plain(column), plain(table));
    ["id", "key", "code", "no", "number"].iter().any(|end| column == *end || column == format!("{table}{end}") || column.ends_with(end))
}

/// Finds keys by names and values.
pub fn guess(tables: &[(String, Data)]) -> Vec<GuessedKeys> {
    let mut all: Vec<GuessedKeys> = tables.iter().map(|(name, data)| own_key(name, data)).collect();
    for table in 0..tables.len() {
        let foreign = foreign_keys(tables, &all, table);
        all[table].foreign = foreign;
    }
    for (keys, (_, data)) in all.iter_mut().zip(tables) {
        let columns: Vec<usize> = keys.foreign.iter().map(|foreign| foreign.column).collect();
        if keys.key.is_none() && columns.len() >= 2 && is_unique(data, &columns[..2]) {
            keys.pair = Some([columns[0], columns[1]]);
        }
    }
    choose_parents(tables, &mut all);
    all
}

fn own_key(name: &str, data: &Data) -> GuessedKeys {
    let schema = data.schema();
    let unique = (0..data.columns().len()).filter(|&column| is_unique(data, &[column]));
    let is_named = |column: &usize| is_named_key(&schema.columns[*column].name, name) || schema.columns[*column].kind.is_name();
    // A column of names is a key, the first one; numbers that happen to differ are none.
    GuessedKeys { key: unique.into_iter().find(is_named), ..GuessedKeys::default() }
}

fn foreign_keys(tables: &[(String, Data)], keys: &[GuessedKeys], table: usize) -> Vec<GuessedForeign> {
    let data = &tables[table].1;
    let mut found = Vec::new();
    for column in 0..data.columns().len() {
        let name = plain(&data.schema().columns[column].name);
        if keys[table].key == Some(column) && tables.len() == 1 {
            continue;
        }
        let own: HashSet<String> = values(data, column).into_iter().collect();
        if own.is_empty() {
            continue;
        }
        let refers = |&other: &usize| {
            let Some(key) = keys[other].key else { return false };
            let key_name = plain(&tables[other].1.schema().columns[key].name);
            // Many texts that are names over there are so by no chance.
            let by_values = || own.len() >= MANY && own.iter().all(|text| text.chars().any(|c| !c.is_ascii_digit()));
            // A column that begins as the table is called, and has each of its keys: `ShipVia` of `Shippers`.
            let by_stem = || {
                let stem: String = plain(&tables[other].0).chars().take(STEM).collect();
                let keys: HashSet<String> = values(&tables[other].1, key).into_iter().collect();
                stem.len() == STEM && keys.len() > 2 && name.starts_with(&stem) && own == keys
            };
            let by_name = || name == key_name || name == format!("{}id", plain(&tables[other].0));
            let named = match other == table {
                true => key != column && ["report", "parent", "manager", "super", "bos"].iter().any(|part| name.contains(part)),
                false => by_name() || by_values() || by_stem(),
            };
            // Of a key that stands for itself in two tables, the shorter table has the other's rows.
            let itself = keys[table].key == Some(column) && tables[other].1.rows() < data.rows();
            let known: HashSet<String> = if named && !itself { values(&tables[other].1, key).into_iter().collect() } else { return false };
            // A name leaves room for some rows whose other row was lost.
            let share = if other != table && by_name() { NEARLY_ALL } else { 1.0 };
            let is_known = own.intersection(&known).count() as f64 >= share * own.len() as f64;
            is_known && (keys[table].key != Some(column) || other != table)
        };
        // Two tables that have each other's key are not tied.
        let candidates: Vec<usize> = (0..tables.len()).filter(refers).collect();
        if let [other, ..] = candidates.as_slice()
            && !(keys[table].key == Some(column) && *other > table && tables[*other].1.rows() == data.rows())
        {
            found.push(GuessedForeign { column, table: *other, is_parent: false });
        }
    }
    found
}

/// Rows come by the foreign key that has a row for every one of them, and the most different values; circles are left out.
fn choose_parents(tables: &[(String, Data)], all: &mut [GuessedKeys]) {
    let mut parents: BTreeMap<usize, usize> = BTreeMap::new();
    for table in 0..tables.len() {
        let data = &tables[table].1;
        let fits = |foreign: &&GuessedForeign| foreign.table != table && data.columns()[foreign.column].missing() == 0;
        let distinct = |foreign: &&GuessedForeign| values(data, foreign.column).into_iter().collect::<HashSet<_>>().len();
        let mut candidates: Vec<&GuessedForeign> = all[table].foreign.iter().filter(fits).collect();
        candidates.sort_by_key(|foreign| std::cmp::Reverse(distinct(foreign)));
        let leads_back = |mut other: usize| loop {
            match parents.get(&other) {
                _ if other == table => return true,
                Some(&next) => other = next,
                None => return false,
            }
        };
        if let Some(chosen) = candidates.iter().find(|foreign| !leads_back(foreign.table)).map(|foreign| (foreign.column, foreign.table)) {
            parents.insert(table, chosen.1);
            for foreign in &mut all[table].foreign {
                foreign.is_parent = foreign.column == chosen.0;
            }
        }
    }
}
