//! Databases: tables whose rows refer to each other by keys.
//!
//! ```
//! use semblant_data::database::{Database, Keys};
//! use semblant_data::table::{ReadOptions, Table, TableFormat};
//!
//! # fn main() -> Result<(), semblant_data::Error> {
//! let read = |text: &str| Ok::<_, semblant_data::Error>(Table::from_bytes(text.into(), TableFormat::Csv, &ReadOptions::default())?.table);
//! let tables = vec![
//!     ("customers".to_owned(), read("id,city\n1,Oslo\n2,Rome\n3,Oslo\n")?),
//!     ("orders".to_owned(), read("customer_id,price\n1,10\n1,12\n3,9\n")?),
//! ];
//! let (keys, _) = Keys::guess(&tables);
//! let shop = Database::new(tables, keys)?.data;
//! // Orders come by customers: two by the first, none by the second, one by the third.
//! assert_eq!(shop.links(1, 0), [0, 0, 2]);
//! # Ok(())
//! # }
//! ```

mod guess;
mod keys;
mod kind;
mod request;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use semblant_core::data::Opened;

pub use guess::{GuessedForeign, GuessedKeys, guess};
pub use keys::{ForeignKey, Keys, TableKeys};
pub use kind::{DatabaseOptions, DatabaseWriter};
pub use request::DatabaseRequest;

use crate::table::{Column, ColumnKind, ColumnSchema, Table};
use crate::{Error, Result};

/// The link of a row that refers to none.
pub const NO_ROW: u32 = u32::MAX;

/// Tables with names and keys. Every foreign key that is not missing has the row it refers to.
#[derive(Debug, Clone)]
pub struct Database {
    tables: Vec<(String, Table)>,
    keys: Arc<Keys>,
    /// The rows that rows refer to, `[tables][foreign keys][rows]`.
    links: Vec<Vec<Arc<Vec<u32>>>>,
    left_out: Vec<LeftOut>,
}

/// Rows of a table that were left out since they break a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    /// The table.
    pub table: String,
    /// The columns of the key.
    pub columns: Vec<String>,
    /// How many rows.
    pub rows: usize,
    /// The table that they refer to; none where their own key is missing or that of another row.
    pub refers_to: Option<String>,
}

impl Database {
    /// Tables with their keys. Key columns become names; rows that refer to rows that are not there are left out, and so are rows whose own key is missing
    /// or that of an earlier row. Notes say so.
    ///
    /// # Errors
    /// No tables, two of one name, keys that do not fit the tables, a table of which no row is left.
    pub fn new(tables: Vec<(String, Table)>, mut keys: Keys) -> Result<Opened<Self>> {
        if tables.is_empty() {
            return Err(Error::Table("a database has at least one table".into()));
        }
        let mut seen = HashSet::new();
        if let Some((name, _)) = tables.iter().find(|(name, _)| !seen.insert(name.as_str())) {
            return Err(Error::Table(format!("two tables are called \"{name}\"; rename one of the files")));
        }
        keys.check(&tables)?;
        choose_parents(&mut keys, &tables);
        keys.check(&tables)?;
        let mut tables = tables;
        for (name, table) in &mut tables {
            *table = with_names(std::mem::replace(table, Table::from_columns::<String>(Vec::new())?), keys.of(name))?;
        }
        let (mut links, mut left_out) = (Vec::new(), Vec::new());
        loop {
            let wrong = rows_to_leave_out(&tables, &keys, &mut links, &mut left_out);
            if wrong.iter().all(HashSet::is_empty) {
                break;
            }
            for ((name, table), wrong) in tables.iter_mut().zip(&wrong).filter(|(_, wrong)| !wrong.is_empty()) {
                let kept: Vec<usize> = (0..table.rows()).filter(|row| !wrong.contains(row)).collect();
                if kept.is_empty() {
                    return Err(Error::Table(format!("no row of {name} has sound keys; name other columns in the keys file")));
                }
                *table = table.take(&kept);
            }
        }
        let notes = left_out.iter().map(LeftOut::note).collect();
        Ok(Opened { data: Self { tables, keys: Arc::new(keys), links, left_out }, notes })
    }

    /// The tables with their names, in the order in which they were given.
    pub fn tables(&self) -> &[(String, Table)] {
        &self.tables
    }

    /// The place of a table.
    ///
    /// # Errors
    /// A name that no table has.
    pub fn index_of(&self, name: &str) -> Result<usize> {
        let listed = || self.tables.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(", ");
        let found = self.tables.iter().position(|(known, _)| known == name);
        found.ok_or_else(|| Error::Table(format!("no table \"{name}\"; the tables are: {}", listed())))
    }

    /// The keys. Every foreign key says whether rows come by it.
    pub fn keys(&self) -> &Keys {
        &self.keys
    }

    /// The keys of a table.
    pub fn keys_of(&self, table: usize) -> &TableKeys {
        self.keys.of(&self.tables[table].0)
    }

    /// The rows that the rows of a table refer to by its foreign key number `foreign`, [`NO_ROW`] for those that refer to none.
    ///
    /// # Panics
    /// When there is no such table or key.
    pub fn links(&self, table: usize, foreign: usize) -> &[u32] {
        &self.links[table][foreign]
    }

    /// How many rows of a table refer to each row of the one that its foreign key number `foreign` names.
    ///
    /// # Panics
    /// When there is no such table or key.
    pub fn children(&self, table: usize, foreign: usize) -> Vec<u32> {
        let mut counts = vec![0; self.tables[self.target(table, foreign)].1.rows()];
        self.links(table, foreign).iter().filter(|&&row| row != NO_ROW).for_each(|&row| counts[row as usize] += 1);
        counts
    }

    /// The table that a foreign key refers to.
    ///
    /// # Panics
    /// When there is no such table or key.
    pub fn target(&self, table: usize, foreign: usize) -> usize {
        let name = &self.keys_of(table).foreign[foreign].table;
        self.tables.iter().position(|(known, _)| known == name).expect("keys were checked")
    }

    /// The foreign key by which the rows of a table come, and the table that they come by.
    pub fn parent(&self, table: usize) -> Option<(usize, usize)> {
        let foreign = self.keys_of(table).foreign.iter().position(ForeignKey::is_parent)?;
        Some((foreign, self.target(table, foreign)))
    }

    /// All foreign keys, as places of tables and keys in them.
    pub fn foreign_keys(&self) -> impl Iterator<Item = (usize, usize)> + '_ {
        (0..self.tables.len()).flat_map(|table| (0..self.keys_of(table).foreign.len()).map(move |foreign| (table, foreign)))
    }

    /// The tables in an order in which those that rows come by are before their rows.
    pub fn order(&self) -> Vec<usize> {
        let depth = |mut table: usize| {
            let mut depth = 0;
            while let Some((_, parent)) = self.parent(table) {
                (table, depth) = (parent, depth + 1);
            }
            depth
        };
        let mut order: Vec<usize> = (0..self.tables.len()).collect();
        order.sort_by_key(|&table| depth(table));
        order
    }

    /// The table whose rows a sample counts: that which the rows of the largest table come by in the end, unless it is published as it is.
    pub fn root(&self) -> usize {
        let above = |mut table: usize| {
            while let Some((_, parent)) = self.parent(table) {
                table = parent;
            }
            table
        };
        let mut order: Vec<usize> = (0..self.tables.len()).collect();
        order.sort_by_key(|&table| std::cmp::Reverse(self.tables[table].1.rows()));
        order.iter().map(|&table| above(table)).find(|&table| !self.keys_of(table).reference).unwrap_or(0)
    }

    /// What was left out since it breaks a key.
    pub fn left_out(&self) -> &[LeftOut] {
        &self.left_out
    }

    /// The columns of a table that name nothing: what it says of its rows.
    ///
    /// # Errors
    /// None for databases of this crate.
    pub fn content(&self, table: usize) -> Result<Table> {
        let (own, keys) = (&self.tables[table].1, self.keys_of(table));
        let names = keys.names();
        Ok(own.columns_where(|described| !names.contains(described.name.as_str())))
    }
}

impl TableKeys {
    /// The columns that only name rows: a key of one column, and foreign keys. Other parts of a key, such as the number of a line, say something.
    pub fn names(&self) -> HashSet<&str> {
        let alone = self.key.iter().filter(|_| self.key.len() == 1);
        alone.chain(self.foreign.iter().flat_map(|foreign| &foreign.columns)).map(String::as_str).collect()
    }
}

impl LeftOut {
    fn note(&self) -> String {
        let Self { table, columns, rows, refers_to } = self;
        match refers_to {
            Some(other) => format!("{rows} rows of {table} are left out: their {} is not in {other}", columns.join(", ")),
            None => format!("{rows} rows of {table} are left out: their {} is missing, or that of another row", columns.join(", ")),
        }
    }
}

/// Key columns as names.
fn with_names(table: Table, keys: &TableKeys) -> Result<Table> {
    let (names, alone) = (keys.names(), keys.key.len() == 1);
    let (mut schema, mut columns) = (table.schema().clone(), table.columns().to_vec());
    for (index, described) in schema.columns.iter_mut().enumerate().filter(|(_, described)| names.contains(described.name.as_str())) {
        let kind = if alone && keys.key[0] == described.name { ColumnKind::Id } else { ColumnKind::Key };
        let texts = (0..table.rows()).map(|row| (!columns[index].is_missing(row)).then(|| plain(table.cell(row, index))));
        let column = Column::from_labels(texts);
        *described = ColumnSchema { data_type: described.data_type.clone(), ..ColumnSchema::new(described.name.clone(), kind) };
        columns[index] = column;
    }
    Table::new(schema, columns)
}

/// The text of a key: whole numbers of one program have a decimal point where another's have none.
fn plain(text: String) -> String {
    match text.strip_suffix(".0") {
        Some(whole) if !whole.is_empty() && whole.bytes().all(|byte| byte.is_ascii_digit()) => whole.to_owned(),
        _ => text,
    }
}

/// The texts of some columns of a row as one; none where one is missing.
fn text_of(table: &Table, columns: &[usize], row: usize) -> Option<String> {
    let text = |&column: &usize| (!table.columns()[column].is_missing(row)).then(|| plain(table.cell(row, column)));
    let parts: Option<Vec<String>> = columns.iter().map(text).collect();
    Some(parts?.join("\u{1f}"))
}

fn places(table: &Table, names: &[String]) -> Vec<usize> {
    names.iter().filter_map(|name| table.schema().index_of(name).ok()).collect()
}

/// Rows that break a key, by table, and the links of the others.
fn rows_to_leave_out(
    tables: &[(String, Table)],
    keys: &Keys,
    links: &mut Vec<Vec<Arc<Vec<u32>>>>,
    left_out: &mut Vec<LeftOut>,
) -> Vec<HashSet<usize>> {
    let mut wrong: Vec<HashSet<usize>> = vec![HashSet::new(); tables.len()];
    let mut add = |table: &str, columns: &[String], rows: usize, refers_to: Option<&str>| {
        let same = |known: &&mut LeftOut| known.table == table && known.columns == columns && known.refers_to.as_deref() == refers_to;
        match left_out.iter_mut().find(same) {
            Some(known) => known.rows += rows,
            None if rows > 0 => {
                let refers_to = refers_to.map(str::to_owned);
                left_out.push(LeftOut { table: table.to_owned(), columns: columns.to_vec(), rows, refers_to });
            }
            None => {}
        }
    };
    let mut rows_by_key: Vec<HashMap<String, u32>> = Vec::new();
    for ((name, table), wrong) in tables.iter().zip(&mut wrong) {
        let key = &keys.of(name).key;
        let columns = places(table, key);
        let mut rows = HashMap::new();
        if !key.is_empty() {
            for row in 0..table.rows() {
                match text_of(table, &columns, row) {
                    Some(text) if !rows.contains_key(&text) => drop(rows.insert(text, row as u32)),
                    _ => drop(wrong.insert(row)),
                }
            }
            add(name, key, wrong.len(), None);
        }
        rows_by_key.push(rows);
    }
    links.clear();
    for (index, (name, table)) in tables.iter().enumerate() {
        let mut of_table = Vec::new();
        for foreign in &keys.of(name).foreign {
            let other = tables.iter().position(|(known, _)| *known == foreign.table).unwrap_or(index);
            let columns = places(table, &foreign.columns);
            let mut orphans = 0;
            let link = |row: usize| match text_of(table, &columns, row) {
                None => NO_ROW,
                Some(text) => match rows_by_key[other].get(&text) {
                    Some(&found) => found,
                    None => {
                        orphans += usize::from(wrong[index].insert(row));
                        NO_ROW
                    }
                },
            };
            of_table.push(Arc::new((0..table.rows()).map(link).collect()));
            add(name, &foreign.columns, orphans, Some(&foreign.table));
        }
        links.push(of_table);
    }
    wrong
}

/// Says for every table that a file leaves open by which key its rows come: that with the most different values, of those that no row lacks.
fn choose_parents(keys: &mut Keys, tables: &[(String, Table)]) {
    for (name, table) in tables {
        let own = keys.of(name);
        let is_said = own.foreign.iter().any(ForeignKey::is_parent);
        let mut best: Option<(usize, usize)> = None;
        for (place, foreign) in own.foreign.iter().enumerate().filter(|(_, foreign)| !is_said && foreign.parent.is_none()) {
            let columns = places(table, &foreign.columns);
            let is_complete = columns.iter().all(|&column| table.columns()[column].missing() == 0);
            let mut ancestor = Some(foreign.table.as_str());
            let leads_back = std::iter::from_fn(|| {
                let now = ancestor?;
                ancestor = keys.parent(now).map(|parent| parent.table.as_str());
                Some(now)
            })
            .take(tables.len() + 1)
            .any(|ancestor| ancestor == name);
            if !is_complete || leads_back {
                continue;
            }
            let text = |row: usize| columns.iter().map(|&column| table.cell(row, column)).collect::<Vec<_>>();
            let distinct = (0..table.rows()).map(text).collect::<HashSet<_>>().len();
            if best.is_none_or(|(_, most)| distinct > most) {
                best = Some((place, distinct));
            }
        }
        for (place, foreign) in keys.of_mut(name).foreign.iter_mut().enumerate() {
            foreign.parent = Some(foreign.is_parent() || best.is_some_and(|(chosen, _)| chosen == place));
        }
    }
}
