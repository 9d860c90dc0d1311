//! Tables: columns of numbers and categories with a schema, missing values included.

mod column;
mod constraint;
mod data_type;
mod datetime;
pub mod encode;
mod id;
mod infer;
mod kind;
mod overview;
mod raw;
mod read;
mod request;
mod schema;
mod schema_file;
mod simulate;
mod style;
mod write;

pub use column::{Column, MISSING};
pub use constraint::Constraint;
pub use id::{Form, IdFormat, Pattern};
pub use kind::TARGET;
pub(crate) use kind::{BALANCE, DRAWS, DROP, MISSING_TEXTS, NO_PROTECT, REDRAW, SCHEMA, WHERE};
pub(crate) use raw::shorten;
pub(crate) use read::LARGEST_RECORD;
pub use read::{Inferred, ReadOptions, TableFormat};
pub use request::{Condition, TableRequest, Wanted};
pub use schema::{ColumnKind, ColumnSchema, Protect, Schema, is_unread, special_index, special_number, unread_number};
pub use simulate::simulate_patients;
pub use style::NumberStyle;
pub use write::TableWriter;

use crate::{Error, Result};

/// A table in memory: one [`Schema`] and one [`Column`] per entry of it, all of equal length.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    schema: Schema,
    columns: Vec<Column>,
    rows: usize,
}

impl Table {
    /// Joins a schema and its columns.
    ///
    /// # Errors
    /// When the counts or lengths differ, a name occurs twice, or a column's storage does not fit its kind
    /// (categories for categorical, boolean, id, key and constant columns; numbers for the rest).
    pub fn new(schema: Schema, columns: Vec<Column>) -> Result<Self> {
        schema.check()?;
        if schema.columns.len() != columns.len() {
            return Err(Error::Table(format!("the schema has {} columns and the table {}", schema.columns.len(), columns.len())));
        }
        let rows = columns.first().map_or(0, Column::len);
        for (described, column) in schema.columns.iter().zip(&columns) {
            if column.len() != rows {
                return Err(Error::Table(format!("column \"{}\" has {} rows, the first column {rows}", described.name, column.len())));
            }
            if described.kind.is_number() != matches!(column, Column::Number(_)) {
                return Err(Error::Table(format!(
                    "column \"{}\" is declared {} but holds {}",
                    described.name,
                    described.kind,
                    column.storage()
                )));
            }
        }
        Ok(Self { schema, columns, rows })
    }

    /// A table from named columns, every other schema field at its default. Handy in tests and examples.
    ///
    /// # Errors
    /// As [`Table::new`].
    pub fn from_columns<N: Into<String>>(columns: Vec<(N, ColumnKind, Column)>) -> Result<Self> {
        let mut schema = Schema::default();
        let mut stored = Vec::with_capacity(columns.len());
        for (name, kind, column) in columns {
            schema.columns.push(ColumnSchema::new(name, kind));
            stored.push(column);
        }
        Self::new(schema, stored)
    }

    /// The description of the columns.
    pub fn schema(&self) -> &Schema {
        &self.schema
    }

    /// The number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The same columns under another description of them: their order, kinds and names stay.
    ///
    /// # Errors
    /// As [`Table::new`].
    pub fn with_schema(self, schema: Schema) -> Result<Self> {
        Self::new(schema, self.columns)
    }

    /// The columns, in the schema's order.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// The columns with their descriptions, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&ColumnSchema, &Column)> {
        self.schema.columns.iter().zip(&self.columns)
    }

    /// The column called `name`.
    ///
    /// # Errors
    /// [`Error::UnknownColumn`], which lists the names there are.
    pub fn column(&self, name: &str) -> Result<&Column> {
        Ok(&self.columns[self.schema.index_of(name)?])
    }

    /// The rows at `indices`, in that order; an index may occur more than once.
    ///
    /// # Panics
    /// When an index is not below [`Table::rows`].
    pub fn take(&self, indices: &[usize]) -> Self {
        Self { schema: self.schema.clone(), columns: self.columns.iter().map(|c| c.take(indices)).collect(), rows: indices.len() }
    }

    /// The table with only those of its columns that are wanted.
    pub fn columns_where(&self, is_wanted: impl Fn(&ColumnSchema) -> bool) -> Self {
        let wanted = self.iter().filter(|(described, _)| is_wanted(described));
        let (described, columns): (Vec<_>, Vec<_>) = wanted.map(|(described, column)| (described.clone(), column.clone())).unzip();
        let mut schema = Schema { columns: described, ..self.schema.clone() };
        schema.target = schema.target.take().filter(|target| schema.index_of(target).is_ok());
        Self { schema, columns, ..self.clone() }
    }

    /// The rows of `self` followed by those of `other`.
    ///
    /// # Errors
    /// When the two tables do not have the same column names and storage.
    pub fn append(&mut self, other: &Self) -> Result<()> {
        if self.schema.names().ne(other.schema.names()) {
            return Err(Error::Table("two tables with different columns cannot be joined".into()));
        }
        for (mine, theirs) in self.columns.iter_mut().zip(&other.columns) {
            mine.append(theirs)?;
        }
        self.rows += other.rows;
        Ok(())
    }

    /// One cell as text: the label of a category, the number in its column's own precision, empty when missing.
    pub fn cell(&self, row: usize, column: usize) -> String {
        match &self.columns[column] {
            Column::Number(values) => self.schema.columns[column].format_number(values[row]),
            categories => categories.label(row).map_or_else(|| self.schema.columns[column].missing_text().to_owned(), str::to_owned),
        }
    }
}
