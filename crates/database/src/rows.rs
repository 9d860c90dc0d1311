//! What tables say of their rows, and which rows they refer to: of a database that is learned, and of one in the making.

use semblant_core::Result;
use semblant_core::trainer::fingerprint;
use semblant_data::database::{Database, NO_ROW};
use semblant_data::table::{Column, Schema, Table};

use crate::form::Form;

/// Tables without the names of rows, which links take the place of.
#[derive(Debug, Clone, Default)]
pub struct Rows {
    /// The columns of every table that say something, with numbers of children and whether a row refers to another.
    pub own: Vec<Table>,
    /// Rows of every table; a table may have no columns of its own.
    pub count: Vec<usize>,
    /// `[tables][foreign keys][rows]`; [`NO_ROW`] for none.
    pub links: Vec<Vec<Vec<u32>>>,
}

impl Rows {
    /// Tables of which nothing is known.
    pub(crate) fn empty(tables: usize) -> Result<Self> {
        let none = Table::new(Schema::default(), Vec::new())?;
        Ok(Self { own: vec![none; tables], count: vec![0; tables], links: vec![Vec::new(); tables] })
    }

    /// The rows of a database that is learned.
    pub(crate) fn of(data: &Database, form: &Form) -> Result<Self> {
        let mut rows = Self::empty(data.tables().len())?;
        for (index, table) in form.tables.iter().enumerate() {
            rows.count[index] = data.tables()[index].1.rows();
            rows.links[index] = (0..table.flags.len()).map(|foreign| data.links(index, foreign).to_vec()).collect();
            rows.own[index] = form.own(data, index)?;
        }
        Ok(rows)
    }

    /// What models of a row's children see of it: its columns that models learn, as `table.column`, and those of the rows that it comes by. Numbers of
    /// children are left out where they say nothing of the row itself.
    ///
    /// # Errors
    /// None for rows of this crate.
    pub(crate) fn context(&self, form: &Form, table: usize, with_counts: bool) -> Result<Table> {
        let described = &form.tables[table];
        let is_wanted = |name: &str| with_counts || !described.counts.iter().any(|count| count.column == name);
        let own = renamed(&self.own[table], &described.name, &is_wanted)?;
        match form.parent(table) {
            Some(parent) => beside(&own, &self.above(form, table, parent, with_counts)?),
            None => Ok(own),
        }
    }

    /// For every row of a table what is seen of the row that it comes by, which its foreign key and the other table tell.
    pub(crate) fn above(&self, form: &Form, table: usize, (foreign, parent): (usize, usize), with_counts: bool) -> Result<Table> {
        let rows: Vec<usize> = self.links[table][foreign].iter().map(|&row| row as usize).collect();
        Ok(self.context(form, parent, with_counts)?.take(&rows))
    }

    /// What the texts of a table are told of: its columns, and what is seen of the rows that it comes by.
    pub(crate) fn told(&self, form: &Form, table: usize) -> Result<Table> {
        match form.parent(table) {
            Some(parent) => beside(&self.own[table], &self.above(form, table, parent, true)?),
            None => Ok(self.own[table].clone()),
        }
    }

    /// The columns of `table` itself that models learn, and those of the rows that it comes by: what a matcher sees.
    pub(crate) fn seen(&self, form: &Form, table: usize) -> Result<Table> {
        self.context(form, table, false)
    }

    /// What tells these rows from others: a state that was saved for others is no state of theirs.
    pub(crate) fn digest(&self) -> String {
        let columns = self.own.iter().flat_map(|table| table.columns());
        let cells = columns.map(|column| match column {
            Column::Number(values) => (values.iter().map(|value| value.to_bits()).collect(), Vec::new(), Vec::new()),
            Column::Category { codes, levels } => (Vec::new(), codes.clone(), levels.to_vec()),
        });
        fingerprint((cells.collect::<Vec<(Vec<u64>, Vec<u32>, Vec<String>)>>(), &self.links))
    }

    /// Rows that refer to one at all by a foreign key.
    pub(crate) fn referring(&self, table: usize, foreign: usize) -> Vec<usize> {
        self.links[table][foreign].iter().enumerate().filter(|(_, link)| **link != NO_ROW).map(|(row, _)| row).collect()
    }
}

/// The columns that models learn, under `table.column`.
fn renamed(table: &Table, name: &str, is_wanted: &dyn Fn(&str) -> bool) -> Result<Table> {
    let (mut described, mut columns) = (Vec::new(), Vec::new());
    for (schema, column) in table.iter().filter(|(schema, _)| schema.kind.is_modelled() && is_wanted(&schema.name)) {
        let mut schema = schema.clone();
        schema.name = format!("{name}.{}", schema.name);
        described.push(schema);
        columns.push(column.clone());
    }
    Ok(Table::new(Schema { columns: described, protect: table.schema().protect, ..Schema::default() }, columns)?)
}

/// Two tables of the same rows as one; one without columns is passed over.
pub(crate) fn beside(own: &Table, other: &Table) -> Result<Table> {
    let tables = [own, other];
    let mut schema = tables.into_iter().find(|table| !table.columns().is_empty()).map(|table| table.schema().clone()).unwrap_or_default();
    schema.columns = tables.into_iter().flat_map(|table| table.schema().columns.iter().cloned()).collect();
    let columns: Vec<Column> = tables.into_iter().flat_map(|table| table.columns().iter().cloned()).collect();
    Ok(Table::new(schema, columns)?)
}

/// The columns of a table that `is_wanted`, with nothing that a schema says of all of them.
pub(crate) fn only(table: &Table, is_wanted: impl Fn(&str) -> bool) -> Result<Table> {
    let (described, columns): (Vec<_>, Vec<_>) =
        table.iter().filter(|(described, _)| is_wanted(&described.name)).map(|(d, c)| (d.clone(), c.clone())).unzip();
    Ok(Table::new(Schema { columns: described, protect: table.schema().protect, ..Schema::default() }, columns)?)
}
