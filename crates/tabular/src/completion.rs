//! Capabilities of table models that know the distribution of any columns given any others: missing cells are filled, rows are judged.

use std::sync::Arc;

use semblant_core::data::Data;
use semblant_core::synthesizer::{Likelihood, Rebuild, Sample};
use semblant_core::{Error, Result};
use semblant_data::table::{Column, ColumnKind, Schema, Table, TableRequest, special_index};

use crate::constraints::Constraints;
use crate::preparation::Preparation;
use crate::synthesizer::{CANDIDATES, TableModel, TableSynthesizer, seed_of};

/// What a fitted model can do with a given table, whose columns and kinds are those that it was fitted to.
pub trait Completion<F> {
    /// The table with every cell of a learned column that is missing drawn given the others of its row. Special values and labels that the
    /// model does not know count as missing here. The rows keep the constraints as far as the cells that are there allow it.
    ///
    /// # Errors
    /// A table of another form.
    fn complete(&self, fitted: &F, table: &Table, constraints: &Constraints, seed: u64) -> Result<Table>;

    /// The negative log-likelihood of every cell in nats, `[rows][columns]`, given those before it in an order of the columns; `orders` orders
    /// are drawn by `seed`, and the result has one entry for each. What is missing in a row is 0.
    ///
    /// # Errors
    /// A table of another form.
    fn negative_log_likelihoods(&self, fitted: &F, table: &Table, orders: usize, seed: u64) -> Result<Vec<Vec<Vec<f64>>>>;
}

type OfCells = Vec<Vec<Vec<f64>>>;
type OfTexts = Vec<(String, Vec<f64>)>;

impl<C: TableModel> TableSynthesizer<C> {
    fn completion(&self) -> Result<(&dyn Completion<C::Fitted>, &C::Fitted, &Schema)> {
        let none = || Error::Config(format!("{} cannot judge or complete rows; fit masked-diffusion", C::NAME));
        let completion = self.config().completion().ok_or_else(none)?;
        Ok((completion, self.fitted()?, &self.prepared()?.schema))
    }

    /// The negative log-likelihoods of cells, `[orders][rows][columns]`, and those of columns of free text, `[columns][rows]`.
    fn judged(&self, data: &Table, samples: usize, seed: u64) -> Result<(OfCells, OfTexts)> {
        let (completion, fitted, schema) = self.completion()?;
        let plain = alike(&self.texts().plain(data)?, schema)?;
        let cells = completion.negative_log_likelihoods(fitted, &self.constraints().learned(&plain)?, samples.max(1), seed)?;
        Ok((cells, self.texts().negative_log_likelihoods(&alike(data, &self.texts().schema(schema))?)?))
    }

    fn prepared(&self) -> Result<&Preparation> {
        self.preparation().ok_or_else(|| Error::Config("this model was fitted by an earlier version; fit it again".into()))
    }
}

impl<C: TableModel> Rebuild<Table> for TableSynthesizer<C> {
    /// Fills missing cells; observed ones stay as they are, and so do special values. Columns that are absent are drawn, names are made anew.
    fn rebuild(&self, init: &Table, mask: Option<&Table>, request: &TableRequest) -> Result<Sample<Table>> {
        if mask.is_some() {
            return Err(Error::Config(
                "cells of a table stay where they are given, and are drawn where they are empty; omit --mask".into(),
            ));
        }
        if request.is_conditional() {
            return Err(Error::Condition(
                "rows to fill cannot be asked to meet conditions; omit --where, --balance, --distribution and --given".into(),
            ));
        }
        let (completion, fitted, schema) = self.completion()?;
        let texts = self.texts();
        let given = without(alike(init, &texts.schema(schema))?, &request.redraw)?;
        let plain = alike(&texts.plain(&given)?, schema)?;
        let absent = |name: &str| init.schema().index_of(name).is_err();
        let attempt = |seed: u64| -> Result<Table> {
            let drawn = completion.complete(fitted, &plain, self.constraints(), seed)?;
            // Names are those of the request's seed in every attempt.
            let drawn = self.prepared()?.restore(drawn, 0, request.seed)?;
            let columns = given.iter().zip(drawn.columns()).map(|((described, given), drawn)| {
                let is_filled = described.kind.is_modelled() || described.kind == ColumnKind::Text;
                match absent(&described.name) {
                    true => drawn.clone(),
                    false if is_filled => filled(given, drawn),
                    false => given.clone(),
                }
            });
            Ok(Table::new(given.schema().clone(), columns.collect())?)
        };
        let first = attempt(request.seed)?;
        let is_open = given.columns().iter().any(|column| column.missing() > 0);
        let data = if texts.are_in(&given) && is_open {
            let further = (1..CANDIDATES).map(|number| attempt(seed_of(request.seed, number)));
            let all: Vec<Table> = std::iter::once(Ok(first)).chain(further).collect::<Result<_>>()?;
            texts.choose(&all, |_, _| true, request.seed)?
        } else {
            first
        };
        let data = texts.fill(data, |row| row as u64, request.seed)?;
        Ok(Sample { drawn_rows: data.rows() as u64, data })
    }
}

impl<C: TableModel> Likelihood<Table> for TableSynthesizer<C> {
    /// Of the mixture over orders that the model samples from: `samples` is the number of orders. Exact for one order alone.
    fn negative_log_likelihoods(&self, data: &Table, samples: usize, seed: u64) -> Result<Vec<f64>> {
        let (all, texts) = self.judged(data, samples, seed)?;
        let row = |row: usize| {
            let nats: Vec<f64> = all.iter().map(|order| order[row].iter().sum()).collect();
            mixture(&nats) + texts.iter().map(|(_, nats)| nats[row]).sum::<f64>()
        };
        Ok((0..data.rows()).map(row).collect())
    }

    fn parts(&self, data: &Table, samples: usize, seed: u64) -> Result<Vec<(String, Vec<f64>)>> {
        let (all, texts) = self.judged(data, samples, seed)?;
        let schema = &self.prepared()?.schema;
        let mean = |column: usize, row: usize| all.iter().map(|order| order[row][column]).sum::<f64>() / all.len() as f64;
        let learned = schema.columns.iter().enumerate().filter(|(_, described)| described.kind.is_modelled());
        let parts = learned.map(|(column, described)| (described.name.clone(), (0..data.rows()).map(|row| mean(column, row)).collect()));
        Ok(parts.chain(texts).collect())
    }
}

/// The negative log-likelihood under an even mixture, from those under its parts; there must be one.
pub fn mixture(nats: &[f64]) -> f64 {
    let least = nats.iter().copied().fold(f64::INFINITY, f64::min);
    least - (nats.iter().map(|nats| (least - nats).exp()).sum::<f64>() / nats.len() as f64).ln()
}

/// The table with every cell of these columns missing.
///
/// # Errors
/// A column that is not there.
pub fn without(table: Table, names: &[String]) -> Result<Table> {
    let redrawn: Vec<usize> = names.iter().map(|name| table.schema().index_of(name)).collect::<Result<_, _>>()?;
    let rows = table.rows();
    let empty = |(index, column): (usize, &Column)| match column {
        _ if !redrawn.contains(&index) => column.clone(),
        Column::Number(_) => Column::Number(vec![f64::NAN; rows]),
        Column::Category { .. } => Column::from_labels((0..rows).map(|_| None::<&str>)),
    };
    Ok(Table::new(table.schema().clone(), table.columns().iter().enumerate().map(empty).collect())?)
}

/// The table with the columns of `schema` and of their kinds; those that it lacks are missing.
pub(crate) fn alike(table: &Table, schema: &Schema) -> Result<Table> {
    let empty = |rows: usize, described: &semblant_data::table::ColumnSchema| match described.kind.is_number() {
        true => Column::Number(vec![f64::NAN; rows]),
        false => Column::from_labels((0..rows).map(|_| None::<&str>)),
    };
    let like = Table::new(schema.clone(), schema.columns.iter().map(|described| empty(0, described)).collect()).map_err(Error::from)?;
    let conformed = Data::conform(table.clone(), &like)?.data;
    let columns = schema.columns.iter().map(|described| match conformed.column(&described.name) {
        Ok(column) => column.clone(),
        Err(_) => empty(table.rows(), described),
    });
    Ok(Table::new(schema.clone(), columns.collect())?)
}

/// The sampled rows from `first` on with the cells of given rows, which come in turn.
pub(crate) fn with_given(sampled: Table, given: &Table, first: u64) -> Result<Table> {
    let rows: Vec<usize> = (first..first + sampled.rows() as u64).map(|row| (row % given.rows() as u64) as usize).collect();
    let columns = sampled.columns().iter().zip(given.columns()).map(|(drawn, given)| filled(&given.take(&rows), drawn));
    Ok(Table::new(sampled.schema().clone(), columns.collect())?)
}

/// `given` where it has a value, else `drawn`.
pub fn filled(given: &Column, drawn: &Column) -> Column {
    match (given, drawn) {
        (Column::Number(given), Column::Number(drawn)) => {
            let value = |(given, drawn): (&f64, &f64)| if given.is_nan() && special_index(*given).is_none() { *drawn } else { *given };
            Column::Number(given.iter().zip(drawn).map(value).collect())
        }
        (Column::Category { codes, levels }, _) => {
            let mut all = levels.to_vec();
            let mut place: std::collections::HashMap<String, u32> = all.iter().cloned().zip(0..).collect();
            let mut codes = codes.clone();
            for (row, code) in codes.iter_mut().enumerate() {
                if let (true, Some(label)) = (given.is_missing(row), drawn.label(row)) {
                    *code = *place.entry(label.to_owned()).or_insert_with(|| {
                        all.push(label.to_owned());
                        all.len() as u32 - 1
                    });
                }
            }
            Column::Category { codes, levels: Arc::new(all) }
        }
        _ => given.clone(),
    }
}
