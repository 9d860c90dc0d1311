//! The parents of some rows, as state machines and series see them.

use semblant_expressions::{Row, Type, Value};

use super::Generator;
use crate::error::Result;
use crate::values::Values;

/// Columns of some parents.
pub(super) struct Parents {
    columns: Vec<Values>,
    types: Vec<Type>,
}

impl Parents {
    /// The parents at `rows` of a table that has a parent.
    pub(super) fn of(generator: &Generator<'_>, table: usize, rows: &[u64], columns: &[usize]) -> Result<Self> {
        let parent = generator.plan.tables[table].links[0].table;
        let types = columns.iter().map(|&column| generator.plan.tables[parent].columns[column].data_type).collect();
        Ok(Self { columns: generator.evaluate(parent, rows, columns)?, types })
    }
}

/// One of them.
#[derive(Clone, Copy)]
pub(super) struct Parent<'p> {
    pub(super) all: &'p Parents,
    /// Its place among them.
    pub(super) place: usize,
}

impl Row for Parent<'_> {
    fn value(&self, slot: usize) -> Value<'_> {
        self.all.columns[slot].value(self.place, self.all.types[slot])
    }
}
