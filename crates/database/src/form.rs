//! What a model file says of a database: its tables, keys, and what was made of them to be learned.

use std::collections::HashSet;

use semblant_core::{Error, Result};
use semblant_data::database::{Database, Keys, NO_ROW};
use semblant_data::table::{Column, ColumnKind, ColumnSchema, ReadOptions, Schema, Table, TableFormat};
use semblant_tabular::preparation::Preparation;
use serde::{Deserialize, Serialize};

use crate::relative::Relative;

/// The most tables that a file may describe.
const MOST_TABLES: usize = 1000;

/// The tables and their keys.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Form {
    pub(crate) keys: Keys,
    pub(crate) tables: Vec<TableForm>,
    /// The table whose rows a sample counts.
    pub(crate) root: usize,
    /// Tables, those that rows come by before their rows.
    pub(crate) order: Vec<usize>,
}

/// One table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TableForm {
    pub(crate) name: String,
    pub(crate) rows: u64,
    /// The user's columns.
    pub(crate) schema: Schema,
    /// By foreign key: the column that says whether a row refers to one at all, where some do not.
    pub(crate) flags: Vec<Option<String>>,
    /// Columns of the numbers of rows that refer to a row.
    pub(crate) counts: Vec<Count>,
    /// Columns that count the rows of one parent, and what they begin with.
    pub(crate) counters: Vec<(String, i64)>,
    /// By foreign key: whether rows that refer to each other, in the same table, never lead back.
    pub(crate) acyclic: Vec<bool>,
    /// Times that are learned as differences.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) relative: Vec<Relative>,
    pub(crate) role: Role,
}

/// How the rows of a table are made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Role {
    /// They are published as they are: the columns with their numbers of children, as CSV, and the rows that they refer to.
    Reference { schema: Schema, csv: String, links: Vec<Vec<u32>> },
    /// A model learned them: of rows for tables whose rows come by no others, else of sequences; where constraints hold, in the form that this says.
    Learned { constrained: Option<Preparation> },
    /// They say nothing that a model learns; names and constants are made anew.
    Bare { preparation: Option<Preparation> },
}

/// The number of rows of `table` that refer to a row by its foreign key number `foreign`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Count {
    pub(crate) table: usize,
    pub(crate) foreign: usize,
    pub(crate) column: String,
    /// The numbers at equal steps of probability, smallest first.
    pub(crate) quantiles: Vec<u32>,
}

/// Numbers of children that are kept of a key.
const QUANTILES: usize = 1000;

/// Numbers at equal steps of probability; unless they are learned as they are, the few largest are their mean.
fn quantiles(mut counts: Vec<u32>, rare: u64) -> Vec<u32> {
    counts.sort_unstable();
    let largest = (counts.len() / 20 + 1).min(rare as usize);
    let first = counts.len() - largest;
    let sum: u64 = counts[first..].iter().map(|&count| u64::from(count)).sum();
    // Their sum stays, or other rows would have to be referred to more often.
    counts[first..].iter_mut().for_each(|count| *count = (sum as f64 / largest as f64).round() as u32);
    if counts.len() <= QUANTILES {
        return counts;
    }
    (0..QUANTILES).map(|step| counts[(2 * step + 1) * counts.len() / (2 * QUANTILES)]).collect()
}

impl Form {
    /// The form of a database; roles are yet to be found.
    pub(crate) fn of(data: &Database) -> Result<Self> {
        let mut tables = Vec::new();
        for (index, (name, table)) in data.tables().iter().enumerate() {
            let mut schema = table.schema().clone();
            schema.columns.iter_mut().zip(table.columns()).for_each(|(described, column)| described.complete(column));
            let mut taken: HashSet<String> = schema.names().map(str::to_owned).collect();
            let mut free = |wanted: String| {
                let mut name = wanted;
                while !taken.insert(name.clone()) {
                    name.push('_');
                }
                name
            };
            let foreign = &data.keys_of(index).foreign;
            let is_partial = |place: usize| data.links(index, place).contains(&NO_ROW);
            let flags = foreign
                .iter()
                .enumerate()
                .map(|(place, foreign)| is_partial(place).then(|| free(format!("has {}", foreign.columns.join(", ")))));
            let flags = flags.collect();
            let counts = data.foreign_keys().filter(|&(child, foreign)| data.target(child, foreign) == index);
            let counts = counts.map(|(child, foreign)| {
                let key = &data.keys_of(child).foreign[foreign];
                let column = free(format!("number of {}", key.name(&data.tables()[child].0)));
                let quantiles = quantiles(data.children(child, foreign), table.schema().protect.rare);
                Count { table: child, foreign, column, quantiles }
            });
            tables.push(TableForm {
                name: name.clone(),
                rows: table.rows() as u64,
                flags,
                counts: counts.collect(),
                counters: counters(data, index),
                acyclic: (0..foreign.len())
                    .map(|place| data.target(index, place) == index && is_acyclic(data.links(index, place)))
                    .collect(),
                relative: Vec::new(),
                schema,
                role: Role::Bare { preparation: None },
            });
        }
        Ok(Self { keys: data.keys().clone(), tables, root: data.root(), order: data.order() })
    }

    /// The columns of a table that say something, with flags and numbers of children.
    pub(crate) fn own(&self, data: &Database, table: usize) -> Result<Table> {
        let form = &self.tables[table];
        let content = data.content(table)?;
        let rows = data.tables()[table].1.rows();
        let (mut schema, mut columns) = (content.schema().clone(), content.columns().to_vec());
        for (counter, _) in &form.counters {
            let place = schema.index_of(counter)?;
            schema.columns.remove(place);
            columns.remove(place);
        }
        for (foreign, flag) in form.flags.iter().enumerate() {
            let Some(name) = flag else { continue };
            schema.columns.push(ColumnSchema::new(name.clone(), ColumnKind::Boolean));
            let links = data.links(table, foreign);
            columns.push(Column::from_labels((0..rows).map(|row| Some(if links[row] == NO_ROW { "no" } else { "yes" }))));
        }
        for count in &form.counts {
            schema.columns.push(ColumnSchema::new(count.column.clone(), ColumnKind::Integer));
            columns.push(Column::Number(data.children(count.table, count.foreign).into_iter().map(f64::from).collect()));
        }
        schema.target = None;
        Ok(Table::new(schema, columns)?)
    }

    /// The foreign key by which the rows of a table come, and the table that they come by.
    pub(crate) fn parent(&self, table: usize) -> Option<(usize, usize)> {
        let foreign = self.foreign(table).iter().position(|foreign| foreign.is_parent())?;
        Some((foreign, self.target(table, foreign)))
    }

    /// The foreign keys of a table.
    pub(crate) fn foreign(&self, table: usize) -> &[semblant_data::database::ForeignKey] {
        &self.keys.of(&self.tables[table].name).foreign
    }

    /// The table that a foreign key refers to.
    pub(crate) fn target(&self, table: usize, foreign: usize) -> usize {
        let name = &self.foreign(table)[foreign].table;
        self.tables.iter().position(|known| known.name == *name).unwrap_or(table)
    }

    /// The column of a table with the number of rows that refer to each of its rows by a key.
    pub(crate) fn count_column(&self, target: usize, table: usize, foreign: usize) -> Option<&str> {
        let of = self.tables[target].counts.iter().find(|count| count.table == table && count.foreign == foreign)?;
        Some(&of.column)
    }

    /// Whether the rows of a table are published as they are.
    pub(crate) fn is_reference(&self, table: usize) -> bool {
        self.keys.of(&self.tables[table].name).reference
    }

    /// Refuses what a file may hold and no form has.
    pub(crate) fn check(&self) -> Result<(), String> {
        let count = self.tables.len();
        if count == 0 || count > MOST_TABLES || self.root >= count {
            return Err(format!("the file describes {count} tables; fit the model again"));
        }
        let mut order = self.order.clone();
        order.sort_unstable();
        if order != (0..count).collect::<Vec<_>>() {
            return Err("the order of the tables is damaged; fit the model again".into());
        }
        let tables: Vec<(String, Table)> =
            self.tables.iter().map(|table| Ok((table.name.clone(), empty(&table.schema)?))).collect::<Result<_, String>>()?;
        self.keys.check(&tables).map_err(|error| error.to_string())?;
        if self.parent(self.root).is_some() || self.is_reference(self.root) {
            return Err("the file counts rows of a table that come by others; fit the model again".into());
        }
        let place = |table: usize| self.order.iter().position(|&known| known == table);
        for (index, table) in self.tables.iter().enumerate() {
            let keys = self.foreign(index).len();
            let is_sound = table.flags.len() == keys
                && table.acyclic.len() == keys
                && self.parent(index).is_none_or(|(_, parent)| place(parent) < place(index))
                && table.counts.iter().all(|count| count.table < self.tables.len() && count.foreign < self.foreign(count.table).len())
                && table.counts.iter().all(|count| !count.quantiles.is_empty() && count.quantiles.is_sorted())
                && table.relative.iter().all(|relative| relative.usual.is_finite() && table.schema.index_of(&relative.column.name).is_ok())
                && table.counters.iter().all(|(name, _)| table.schema.index_of(name).is_ok());
            if !is_sound {
                return Err(format!("what the file says of table {} does not hold together; fit the model again", table.name));
            }
            match &table.role {
                Role::Reference { schema, csv, links } => {
                    let rows = reference(schema, csv).map_err(|error| error.to_string())?.rows();
                    let fits = |(foreign, links): (usize, &Vec<u32>)| {
                        let other = &self.tables[self.target(index, foreign)];
                        links.len() == rows && links.iter().all(|&link| link == NO_ROW || u64::from(link) < other.rows)
                    };
                    if links.len() != keys || rows as u64 != table.rows || !links.iter().enumerate().all(fits) {
                        return Err(format!("the rows of {} are damaged; fit the model again", table.name));
                    }
                }
                Role::Learned { constrained: preparation } | Role::Bare { preparation } => {
                    preparation.as_ref().map_or(Ok(()), Preparation::check)?;
                }
            }
        }
        Ok(())
    }
}

fn empty(schema: &Schema) -> Result<Table, String> {
    let columns = schema.columns.iter().map(|described| match described.kind.is_number() {
        true => Column::Number(Vec::new()),
        false => Column::from_labels::<&str>([]),
    });
    Table::new(Schema { constraints: Vec::new(), ..schema.clone() }, columns.collect()).map_err(|error| error.to_string())
}

/// The rows of a table that is published as it is.
pub(crate) fn reference(schema: &Schema, csv: &str) -> Result<Table> {
    Ok(Table::from_bytes(csv.as_bytes().to_vec(), TableFormat::Csv, &ReadOptions::with_schema(schema.clone()))?.table)
}

/// Parts of a key that number the rows of each parent: 1, 2, 3...
fn counters(data: &Database, table: usize) -> Vec<(String, i64)> {
    let (own, keys) = (&data.tables()[table].1, data.keys_of(table));
    let (Some((foreign, _)), true) = (data.parent(table), keys.key.len() > 1) else { return Vec::new() };
    let links = data.links(table, foreign);
    let names = keys.names();
    let counts = |name: &&String| {
        let column = own.schema().index_of(name).ok()?;
        let numbers: Vec<f64> = (0..own.rows()).map(|row| own.cell(row, column).parse().ok()).collect::<Option<_>>()?;
        let first = numbers.iter().copied().fold(f64::INFINITY, f64::min);
        let mut groups: std::collections::HashMap<u32, Vec<f64>> = std::collections::HashMap::new();
        links.iter().zip(&numbers).for_each(|(&link, &number)| groups.entry(link).or_default().push(number));
        let is_counted = groups.into_values().all(|mut group| {
            group.sort_unstable_by(f64::total_cmp);
            group.iter().enumerate().all(|(place, &number)| number == first + place as f64)
        });
        (is_counted && first.abs() < 1e15 && first.fract() == 0.0).then(|| ((*name).clone(), first as i64))
    };
    keys.key.iter().filter(|name| !names.contains(name.as_str())).filter_map(|name| counts(&name)).collect()
}

/// Whether rows that refer to each other never lead back.
fn is_acyclic(links: &[u32]) -> bool {
    // Rows that are known to lead to an end.
    let mut ends = vec![false; links.len()];
    (0..links.len()).all(|start| {
        let (mut row, mut path) = (start as u32, Vec::new());
        while row != NO_ROW && !ends[row as usize] && path.len() <= links.len() {
            path.push(row as usize);
            row = links[row as usize];
        }
        let leads_back = path.len() > links.len();
        path.into_iter().for_each(|row| ends[row] = true);
        !leads_back
    })
}

/// The error of a table that is published while what it refers to is made anew.
pub(crate) fn refers_to_new(table: &str, key: &str, other: &str) -> Error {
    Error::Config(format!(
        "{table} is published as it is, but its {key} refers to {other}, whose rows are made anew; set reference = true there too"
    ))
}
