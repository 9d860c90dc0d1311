//! Columns as tokens: labels, bins of numbers, missing values.

use std::sync::Arc;

use rayon::prelude::*;
use semblant_core::{Error, Result};
use semblant_data::table::encode::{CategoryTransform, ColumnTransform, NumberOptions, TableTransform};
use semblant_data::table::{Column, ColumnSchema, Schema, Table};
use semblant_masked_diffusion::Cell;
use semblant_tabular::filter::{Columns, Domain};
use serde::{Deserialize, Serialize};

use crate::bins::{Bins, BinsConfig};

/// The tokens of one column.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ColumnTokens {
    /// Labels and, last, the missing value; more than 512 are two digits, each a position of its own.
    Labels(CategoryTransform),
    /// Bins of numbers and, last, the missing value.
    Bins(Bins),
    /// An id or a constant: made from the schema alone.
    Unlearned,
}

/// One position of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// The column it belongs to.
    pub column: usize,
    /// Which digit of a column of labels.
    pub digit: usize,
}

/// The way between tables of one schema and tokens.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TableTokens {
    /// The schema of the table it was fitted on.
    pub schema: Schema,
    /// One entry a column.
    pub columns: Vec<ColumnTokens>,
}

impl TableTokens {
    /// Fits every column, in parallel.
    ///
    /// # Errors
    /// A table without rows or without a column to learn.
    pub fn fit(table: &Table, config: &BinsConfig) -> Result<Self> {
        // Labels are those of every other model.
        let labels = TableTransform::fit(&without_numbers(table)?, &NumberOptions::default());
        let labels = labels.map(|transform| transform.columns);
        let learned = table.schema().columns.iter().any(|described| described.kind.is_modelled());
        if table.rows() == 0 || !learned {
            labels.as_ref().map_err(|error| Error::Data(error.to_string()))?;
        }
        let mut schema = table.schema().clone();
        schema.columns.iter_mut().zip(table.columns()).for_each(|(described, column)| described.complete(column));
        let mut labels = labels.unwrap_or_default().into_iter();
        let mut of_labels: Vec<Option<CategoryTransform>> = Vec::new();
        for column in table.columns() {
            of_labels.push(match column {
                Column::Number(_) => None,
                Column::Category { .. } => {
                    labels.next().and_then(|column| if let ColumnTransform::Category(labels) = column { Some(labels) } else { None })
                }
            });
        }
        let columns = (schema.columns.par_iter().zip(table.columns()).zip(of_labels))
            .map(|((described, column), labels)| match (column, labels) {
                (Column::Number(values), _) => ColumnTokens::Bins(Bins::fit(described, values, config)),
                (_, Some(labels)) if described.kind.is_modelled() => ColumnTokens::Labels(labels),
                _ => ColumnTokens::Unlearned,
            })
            .collect();
        Ok(Self { schema, columns })
    }

    /// Checks tokens that were read from a file, so that nothing later runs out of bounds.
    ///
    /// # Errors
    /// Names the column that does not hold together.
    pub fn check(&self) -> Result<(), String> {
        self.schema.check().map_err(|error| error.to_string())?;
        if self.schema.columns.len() != self.columns.len() {
            return Err("schema and tokens have different numbers of columns; the file is damaged, fit the model again".into());
        }
        for (described, column) in self.schema.columns.iter().zip(&self.columns) {
            let sound = match column {
                ColumnTokens::Unlearned => !described.kind.is_modelled(),
                ColumnTokens::Labels(labels) => {
                    let values = labels.counts.len();
                    !described.kind.is_number()
                        && (1..=values).contains(&labels.base)
                        && (values == labels.levels.len() || values == labels.levels.len() + 1)
                }
                ColumnTokens::Bins(bins) => described.kind.is_number() && bins.is_sound(),
            };
            if !sound {
                return Err(format!(
                    "the tokens of column \"{}\" are inconsistent; the file is damaged, fit the model again",
                    described.name
                ));
            }
        }
        if self.positions().is_empty() { Err("no column is learned; the file is damaged, fit the model again".into()) } else { Ok(()) }
    }

    /// The positions, in the order of the columns.
    pub fn positions(&self) -> Vec<Position> {
        let digits = |column: &ColumnTokens| match column {
            ColumnTokens::Labels(labels) => labels.widths().len(),
            ColumnTokens::Bins(_) => 1,
            ColumnTokens::Unlearned => 0,
        };
        let of_column = |(column, tokens)| (0..digits(tokens)).map(move |digit| Position { column, digit });
        self.columns.iter().enumerate().flat_map(of_column).collect()
    }

    /// The number of tokens of every position.
    pub fn widths(&self) -> Vec<usize> {
        let of = |Position { column, digit }: &Position| match &self.columns[*column] {
            ColumnTokens::Labels(labels) => labels.widths()[*digit],
            ColumnTokens::Bins(bins) => bins.width(),
            ColumnTokens::Unlearned => 0,
        };
        self.positions().iter().map(of).collect()
    }

    /// The bins of a position, if its column holds numbers.
    pub fn bins(&self, position: Position) -> Option<&Bins> {
        if let ColumnTokens::Bins(bins) = &self.columns[position.column] { Some(bins) } else { None }
    }

    /// Tokens and places of a table of the same columns, `[positions][rows]`; `None` for a label that was not there when it was fitted.
    ///
    /// # Errors
    /// A table with other columns.
    pub fn encode(&self, table: &Table) -> Result<Vec<Vec<Option<Cell>>>> {
        if !table.schema().names().eq(self.schema.names()) {
            return Err(Error::Data(format!("expected the columns {}", self.schema.names().collect::<Vec<_>>().join(", "))));
        }
        let encoded: Vec<Vec<Vec<Option<Cell>>>> = (self.columns.par_iter().zip(table.columns()).zip(&self.schema.columns))
            .map(|((tokens, column), described)| match (tokens, column) {
                (ColumnTokens::Unlearned, _) => Ok(Vec::new()),
                (ColumnTokens::Labels(labels), Column::Category { .. }) => Ok(encode_labels(labels, column)),
                (ColumnTokens::Bins(bins), Column::Number(values)) => Ok(vec![values.iter().map(|&value| bins.encode(value)).collect()]),
                _ => Err(Error::Data(format!("column \"{}\" does not hold what the model was fitted to", described.name))),
            })
            .collect::<Result<_>>()?;
        Ok(encoded.into_iter().flatten().collect())
    }

    /// What a cell's own nats are beyond those of its tokens: minus the logarithm of the density within a bin, or of the share that rounds to
    /// the value; a label that was never seen counts as half a row of the table.
    pub fn within(&self, column: usize, values: &Column, row: usize) -> f64 {
        match (&self.columns[column], values) {
            (ColumnTokens::Bins(bins), Column::Number(values)) => bins.within(values[row]),
            (ColumnTokens::Labels(labels), values) => match values.label(row) {
                Some(label) if labels.value(Some(label)).is_none() => unseen(labels.counts.iter().sum()),
                None if !labels.has_missing() => unseen(labels.counts.iter().sum()),
                _ => 0.0,
            },
            _ => 0.0,
        }
    }

    /// The table of rows `[rows][positions]`.
    ///
    /// # Errors
    /// What [`Table::new`] refuses.
    pub fn decode(&self, rows: &[Vec<Cell>], addresses: &[u64], seed: u64) -> Result<Table> {
        let mut first = 0;
        let mut places = Vec::new();
        for column in &self.columns {
            places.push(first);
            first += match column {
                ColumnTokens::Labels(labels) => labels.widths().len(),
                ColumnTokens::Bins(_) => 1,
                ColumnTokens::Unlearned => 0,
            };
        }
        let columns = (self.columns.par_iter().zip(&self.schema.columns).zip(&places))
            .map(|((tokens, described), &first)| match tokens {
                ColumnTokens::Unlearned => unlearned(described, addresses, seed),
                ColumnTokens::Labels(labels) => {
                    let digits = labels.widths().len();
                    let code = |row: &Vec<Cell>| {
                        let digits: Vec<u32> = row[first..first + digits].iter().map(|cell| cell.token).collect();
                        let value = labels.from_digits(&digits);
                        if value as usize == labels.levels.len() { semblant_data::table::MISSING } else { value }
                    };
                    Column::Category { codes: rows.iter().map(code).collect(), levels: Arc::new(labels.levels.clone()) }
                }
                ColumnTokens::Bins(bins) => Column::Number(rows.iter().map(|row| bins.decode(row[first])).collect()),
            })
            .collect();
        Ok(Table::new(self.schema.clone(), columns)?)
    }
}

/// The nats of what no row of so many had.
pub(crate) fn unseen(rows: u64) -> f64 {
    -(0.5 / rows.max(1) as f64).ln()
}

/// The columns of labels, names and constants.
fn without_numbers(table: &Table) -> Result<Table> {
    let kept = |index: &usize| matches!(table.columns()[*index], Column::Category { .. });
    let kept: Vec<usize> = (0..table.columns().len()).filter(kept).collect();
    let columns = kept.iter().map(|&index| table.schema().columns[index].clone()).collect();
    let schema = Schema { target: None, columns, ..table.schema().clone() };
    Ok(Table::new(schema, kept.iter().map(|&index| table.columns()[index].clone()).collect())?)
}

fn encode_labels(labels: &CategoryTransform, column: &Column) -> Vec<Vec<Option<Cell>>> {
    let widths = labels.widths();
    let (codes, levels) = column.categories().unwrap_or_default();
    let known: std::collections::HashMap<&str, u32> = labels.levels.iter().map(String::as_str).zip(0..).collect();
    let of_level: Vec<Option<u32>> = levels.iter().map(|level| known.get(level.as_str()).copied()).collect();
    let missing = labels.value(None);
    let mut encoded = vec![Vec::with_capacity(codes.len()); widths.len()];
    for &code in codes {
        let value = of_level.get(code as usize).copied().unwrap_or(missing);
        let digits = value.map(|value| labels.digits(value));
        for (digit, encoded) in encoded.iter_mut().enumerate() {
            encoded.push(digits.as_ref().map(|digits| Cell { token: digits[digit], place: 0.5 }));
        }
    }
    encoded
}

/// An id or constant column, from the schema alone.
fn unlearned(described: &ColumnSchema, addresses: &[u64], seed: u64) -> Column {
    match (&described.id, &described.value) {
        (Some(format), _) => Column::from_labels(addresses.iter().map(|&row| Some(format.generate(row, seed)))),
        (None, Some(value)) => Column::from_labels(addresses.iter().map(|_| Some(value))),
        (None, None) => Column::from_labels(addresses.iter().map(|_| None::<&str>)),
    }
}

impl Columns for TableTokens {
    fn schemas(&self) -> Vec<&ColumnSchema> {
        self.schema.columns.iter().collect()
    }

    fn domain(&self, index: usize) -> Domain<'_> {
        match &self.columns[index] {
            ColumnTokens::Unlearned => self.schema.columns[index].value.as_deref().map_or(Domain::Unlearned, Domain::Constant),
            ColumnTokens::Labels(labels) => {
                let listed = labels.levels.iter().enumerate().map(|(code, label)| (code as u32, label.as_str())).collect();
                Domain::Labels { labels: listed, missing: labels.has_missing() }
            }
            ColumnTokens::Bins(bins) => Domain::Numbers { range: bins.range(), missing: bins.missing },
        }
    }
}
