//! Rows that come by given rows: those of a table whose parents are rows of another one.

use semblant_core::memory::Memory;
use semblant_core::synthesizer::{Run, Summary};
use semblant_core::{Error, Result};
use semblant_data::series::Series;
use semblant_data::table::{Column, Table};
use semblant_masked_diffusion::Cell;

use super::form::LENGTH;
use super::sampling::{Accept, Plan, decoded, draw};
use super::{Sequence, cells_of};

impl Sequence {
    /// Learns sequences whose attributes and numbers of rows will be given: the children of rows, whose values are the attributes. They follow each other
    /// without times.
    ///
    /// # Errors
    /// As [`Synthesizer::fit`](semblant_core::synthesizer::Synthesizer::fit), and series with times.
    pub fn fit_children(&mut self, data: &Series, run: &mut Run) -> Result<Summary> {
        if data.layout().clock.column().is_some() {
            return Err(Error::Data(
                "rows that come by others follow each other without times; leave the column of the time among the others".into(),
            ));
        }
        self.learn(data, true, run)
    }

    /// The rows of sequences with these attributes, one after the other: `lengths[i]` of them for row `i` of `attributes`. They depend on that row, on
    /// `addresses[i]` and on the seed alone. Rows that are not accepted are drawn again; after some dozens of draws they stay.
    ///
    /// # Errors
    /// A model that was not fitted by [`Sequence::fit_children`], attributes that it did not learn, more rows than there may be memory for.
    pub fn sample_children(
        &self,
        attributes: &Table,
        lengths: &[usize],
        addresses: &[u64],
        seed: u64,
        accept: Option<Accept<'_>>,
    ) -> Result<Table> {
        let fitted = self.fitted()?;
        let (Some(tokens), Some(preparation)) = (&fitted.form.given, &fitted.form.attributes) else {
            return Err(Error::Config("the model draws attributes itself; fit it with fit_children".into()));
        };
        let rows: u64 = lengths.iter().map(|&length| length as u64).sum();
        Memory::of_process().check(
            format!("{rows} rows of {} sequences", lengths.len()),
            rows,
            64 * fitted.layouts.rows.spans.len() as u64,
        )?;
        let columns = preparation.schema.columns.iter().map(|described| match described.name.as_str() {
            LENGTH => Ok(Column::Number(lengths.iter().map(|&length| length as f64).collect())),
            name => Ok(attributes.column(name)?.clone()),
        });
        let known = Table::new(preparation.schema.clone(), columns.collect::<Result<_>>()?)?;
        let cells = cells_of(tokens, &known)?;
        // Sequences of similar length side by side; what a row is does not depend on its neighbours.
        let mut order: Vec<usize> = (0..lengths.len()).filter(|&index| lengths[index] > 0).collect();
        order.sort_by_key(|&index| std::cmp::Reverse(lengths[index]));
        let plan = |&index: &usize| Plan {
            address: addresses[index],
            attributes: cells.iter().map(|cells| cells[index]).collect(),
            rows: lengths[index],
            warm_up: 0,
            place: 0,
            length: lengths[index],
            begin: fitted.form.covered[0],
            history: Vec::new(),
        };
        let plans: Vec<Plan> = order.iter().map(plan).collect();
        let mut drawn: Vec<_> = order.iter().zip(draw(fitted, &plans, seed, accept)?).collect();
        drawn.sort_by_key(|(index, _)| **index);
        let rows: Vec<Vec<Cell>> = drawn.into_iter().flat_map(|(_, drawn)| drawn.rows).collect();
        decoded(fitted, &rows, seed)
    }
}
