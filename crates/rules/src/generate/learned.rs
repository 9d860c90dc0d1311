//! Columns that a fitted model draws, given those of rules.

use semblant_data::table::{Column, ColumnKind, Schema, Table as Data};

use super::chunk::Chunk;
use crate::error::{Error, Result};
use crate::plan::stream;
use crate::values::Values;

impl Chunk<'_> {
    /// A column of a model; all of its columns are drawn at once.
    pub(super) fn learned_column(&mut self, block: usize, column: usize) -> Result<Values> {
        self.learn(block)?;
        let Some(data) = &self.learned[block] else { return Ok(Values::Numbers(Vec::new())) };
        Ok(Values::of_column(data.columns()[column].clone()))
    }

    /// Draws the columns of a model for the rows of the chunk.
    pub(super) fn learn(&mut self, block: usize) -> Result<()> {
        if self.learned[block].is_some() {
            return Ok(());
        }
        let plan = &self.plan().learned[block];
        for &(own, _) in &plan.given {
            self.ensure(own)?;
        }
        let schema = plan.model.schema();
        // Each attempt at a row has a seed of its own.
        let seed = stream(self.generator.seed, plan.stream).below(u64::from(self.attempt), 0, 1 << 53);
        let mut all: Option<Data> = None;
        let mut start = 0;
        while start < self.rows.len() {
            let mut end = start + 1;
            while end < self.rows.len() && self.rows[end] == self.rows[end - 1] + 1 {
                end += 1;
            }
            let given = self.given(block, schema, start..end)?;
            let drawn = plan.model.draw(&given, self.rows[start], seed);
            let drawn =
                drawn.map_err(|what| Error::new(&self.generator.plan.path, plan.place, format!("the model cannot draw rows: {what}")))?;
            match &mut all {
                None => all = Some(drawn),
                Some(all) => all.append(&drawn).map_err(|error| Error::new(&self.generator.plan.path, plan.place, error.to_string()))?,
            }
            start = end;
        }
        self.learned[block] = all;
        Ok(())
    }

    /// The columns that the model is given.
    fn given(&self, block: usize, schema: &Schema, rows: std::ops::Range<usize>) -> Result<Data> {
        let plan = &self.plan().learned[block];
        let indices: Vec<usize> = rows.collect();
        let mut columns = Vec::new();
        for (column, known) in schema.columns.iter().enumerate() {
            let own = plan.given.iter().find(|(_, given)| *given == column);
            let values = own.and_then(|(own, _)| self.slot(*own)).map(|values| values.take(&indices));
            let empty = |kind: ColumnKind| match kind.is_number() {
                true => Column::Number(vec![f64::NAN; indices.len()]),
                false => Column::from_labels(indices.iter().map(|_| None::<&str>)),
            };
            columns.push(match values {
                None => empty(known.kind),
                Some(Values::Numbers(numbers)) => Column::Number(numbers),
                Some(values) => Column::from_labels((0..indices.len()).map(|row| values.text(row))),
            });
        }
        Data::new(Schema { columns: schema.columns.clone(), ..Schema::default() }, columns)
            .map_err(|error| Error::new(&self.generator.plan.path, plan.place, error.to_string()))
    }
}
