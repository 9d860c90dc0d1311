//! What both models keep of a table, and how rows are made of it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use rayon::prelude::*;
use semblant_core::normal;
use semblant_core::seeds::Stream;
use semblant_core::seeds::streams::{ATTEMPTS, ROWS};
use semblant_core::{Error, Result};
use semblant_data::table::{Column, ColumnKind, ColumnSchema, Schema, Table, TableRequest};
use semblant_tabular::constraints::Constraints;
use semblant_tabular::filter::{Columns, Domain, Predicate, RowFilter};
use semblant_tabular::rejection::{Attempt, Effort, Searched, until_met};
use serde::{Deserialize, Serialize};

use crate::correlation::Correlation;
use crate::marginal::{Marginal, Values};
use crate::plan::Plan;

/// Columns on their own and, for the copula, how they hang together. It holds no row of the table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fitted {
    pub(crate) target: Option<String>,
    pub(crate) columns: Vec<Marginal>,
    /// The lower triangle of the correlations between the latent variables, without its diagonal; empty for independent columns.
    correlations: Vec<f64>,
}

/// A normal variable behind the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Latent {
    /// The value of a column.
    Value(usize),
    /// Whether a column's value is missing: it is below the column's share of missing values.
    Missing(usize),
}

impl Fitted {
    pub(crate) fn independent(table: &Table) -> Result<Self> {
        if table.rows() == 0 {
            return Err(Error::Data("the table has no rows; a model needs at least one".into()));
        }
        let columns = table.iter().map(|(schema, column)| Marginal::fit(schema, column, None)).collect();
        Ok(Self { target: table.schema().target.clone(), columns, correlations: Vec::new() })
    }

    pub(crate) fn correlated(table: &Table) -> Result<Self> {
        let mut fitted = Self::independent(table)?;
        order_labels(&mut fitted.columns, table);
        let scores: Vec<Vec<f64>> = fitted
            .latents()
            .par_iter()
            .map(|&latent| match latent {
                Latent::Value(column) => fitted.columns[column].scores(&table.columns()[column]),
                Latent::Missing(column) => missing_scores(&table.columns()[column], fitted.columns[column].missing),
            })
            .collect();
        let correlation = Correlation::of_scores(&scores)?;
        fitted.correlations =
            (0..correlation.size).flat_map(|row| (0..row).map(move |column| (row, column))).map(|(r, c)| correlation.at(r, c)).collect();
        Ok(fitted)
    }

    /// The latent variables: values first, then one for each column with missing values.
    pub(crate) fn latents(&self) -> Vec<Latent> {
        let modelled = || self.columns.iter().enumerate().filter(|(_, column)| column.is_latent());
        let values = modelled().map(|(index, _)| Latent::Value(index));
        values.chain(modelled().filter(|(_, column)| column.missing > 0.0).map(|(index, _)| Latent::Missing(index))).collect()
    }

    /// The correlations, or an error when a damaged file gave too few.
    pub(crate) fn correlation(&self) -> Result<Correlation> {
        let size = self.latents().len();
        let mut values = vec![0.0; size * size];
        (0..size).for_each(|i| values[i * size + i] = 1.0);
        if !self.correlations.is_empty() {
            if self.correlations.len() != size * (size - 1) / 2 {
                return Err(Error::Data(format!(
                    "the model has {} correlations for {size} variables; fit it again",
                    self.correlations.len()
                )));
            }
            let pairs = (0..size).flat_map(|row| (0..row).map(move |column| (row, column)));
            for ((row, column), &value) in pairs.zip(&self.correlations) {
                values[row * size + column] = value;
                values[column * size + row] = value;
            }
        }
        Ok(Correlation { size, values })
    }

    /// Why a file's contents cannot be used, if they cannot.
    pub(crate) fn check(&self) -> Result<(), String> {
        for Marginal { schema, values, missing } in &self.columns {
            let fits = match values {
                Values::Numbers(quantiles) => schema.kind.is_number() && quantiles.len() != 1 && quantiles.is_sorted(),
                Values::Labels { levels, order, ends } => {
                    !schema.kind.is_number()
                        && order.len() == ends.len()
                        && ends.is_sorted()
                        && order.iter().all(|&code| (code as usize) < levels.len())
                }
                _ => !schema.kind.is_number(),
            };
            if let Values::Names(format) = values {
                format.check().map_err(|why| format!("column \"{}\": {why}; fit the model again", schema.name))?;
            }
            if !fits || !(0.0..=1.0).contains(missing) {
                return Err(format!("column \"{}\" is damaged; fit the model again", schema.name));
            }
        }
        self.correlation().map(drop).map_err(|error| error.to_string())
    }

    /// Whether columns depend on one another.
    pub(crate) fn is_correlated(&self) -> bool {
        !self.correlations.is_empty()
    }

    pub(crate) fn search(&self, request: &TableRequest, constraints: &Constraints, watch: &mut dyn FnMut(u64)) -> Result<Searched> {
        let filter = RowFilter::new(self, request, constraints)?;
        let mut plans: BTreeMap<usize, Plan> = BTreeMap::new();
        let mut draw = |attempts: &[Attempt]| {
            let needed: BTreeSet<usize> = attempts.iter().map(|attempt| filter.case_of(attempt.row)).collect();
            // Rows that are given have a case each; those of other batches are not needed again.
            plans.retain(|case, _| needed.contains(case));
            let missing: Vec<usize> = needed.into_iter().filter(|case| !plans.contains_key(case)).collect();
            let made: Vec<Plan> = missing.par_iter().map(|&case| Plan::new(self, filter.case(case))).collect::<Result<_>>()?;
            plans.extend(missing.into_iter().zip(made));
            let rows: Vec<u64> = attempts.iter().map(|attempt| attempt.row).collect();
            self.table(&self.cells(&plans, &filter, attempts, request.seed), &rows, request)
        };
        until_met(&filter, request, Effort::default(), watch, &mut draw)
    }

    /// The cells of rows, row after row: numbers as they are, labels as codes, missing values as NaN. What a row becomes depends on its address and
    /// the attempt alone.
    fn cells(&self, plans: &BTreeMap<usize, Plan>, filter: &RowFilter<'_>, attempts: &[Attempt], seed: u64) -> Vec<f64> {
        let width = self.columns.len();
        let mut cells = vec![f64::NAN; attempts.len() * width];
        if width > 0 {
            cells.par_chunks_mut(width).zip(attempts).with_min_len(64).for_each(|(cells, &Attempt { row, attempt })| {
                let stream = if attempt == 0 { ROWS.of(seed) } else { ATTEMPTS.nth(seed, attempt) };
                self.make_row(&plans[&filter.case_of(row)], &stream, row, cells);
            });
        }
        cells
    }

    fn table(&self, cells: &[f64], rows: &[u64], request: &TableRequest) -> Result<Table> {
        let columns = (0..self.columns.len()).map(|index| self.column(index, cells, rows, request.seed)).collect();
        let columns_of = self.columns.iter().map(|column| column.schema.clone()).collect();
        let schema = Schema { target: self.target.clone(), columns: columns_of, ..Schema::default() };
        Table::new(schema, columns).map_err(|error| Error::Data(error.to_string()))
    }

    fn make_row(&self, plan: &Plan, stream: &Stream, row: u64, cells: &mut [f64]) {
        let scores = plan.draw(stream, row);
        for (&latent, &score) in plan.latents.iter().zip(&scores) {
            if let Latent::Value(index) = latent {
                let (column, u) = (&self.columns[index], normal::cdf(score));
                let free = || if let Values::Numbers(_) = column.values { column.number(u) } else { f64::from(column.code(u)) };
                // A condition holds to the letter, not only as far as probabilities are computed.
                cells[index] = match &plan.predicates[index] {
                    Some(Predicate::Missing) => f64::NAN,
                    Some(Predicate::Label(code)) => f64::from(*code),
                    Some(Predicate::Range { low, high }) => free().clamp(*low, *high),
                    _ => free(),
                };
            }
        }
        for (&latent, &score) in plan.latents.iter().zip(&scores) {
            if let Latent::Missing(index) = latent
                && may_be_missing(plan.predicates[index].as_ref())
                && normal::cdf(score) < self.columns[index].missing
            {
                cells[index] = f64::NAN;
            }
        }
    }

    fn column(&self, index: usize, cells: &[f64], rows: &[u64], seed: u64) -> Column {
        let own = || cells.iter().skip(index).step_by(self.columns.len());
        match &self.columns[index].values {
            Values::Labels { levels, .. } => {
                let codes = own().map(|&code| if code.is_nan() { semblant_data::table::MISSING } else { code as u32 }).collect();
                Column::Category { codes, levels: Arc::new(levels.clone()) }
            }
            Values::Names(format) => {
                let levels = rows.iter().map(|&row| format.generate(row, seed)).collect();
                Column::Category { codes: (0..cells.len() as u32 / self.columns.len() as u32).collect(), levels: Arc::new(levels) }
            }
            Values::Same(value) => Column::Category { codes: own().map(|_| 0).collect(), levels: Arc::new(vec![value.clone()]) },
            Values::Numbers(_) => Column::Number(own().copied().collect()),
        }
    }
}

impl Columns for Fitted {
    fn schemas(&self) -> Vec<&ColumnSchema> {
        self.columns.iter().map(|column| &column.schema).collect()
    }

    fn domain(&self, index: usize) -> Domain<'_> {
        let Marginal { values, missing, .. } = &self.columns[index];
        let missing = *missing > 0.0;
        match values {
            Values::Names(_) => Domain::Unlearned,
            Values::Same(value) => Domain::Constant(value),
            Values::Labels { levels, order, .. } => {
                Domain::Labels { labels: order.iter().map(|&code| (code, levels[code as usize].as_str())).collect(), missing }
            }
            Values::Numbers(quantiles) => {
                Domain::Numbers { range: quantiles.first().zip(quantiles.last()).map(|(&low, &high)| (low, high)), missing }
            }
        }
    }
}

fn may_be_missing(predicate: Option<&Predicate>) -> bool {
    matches!(predicate, None | Some(Predicate::OneOf { missing: true, .. } | Predicate::Ranges { missing: true, .. }))
}

fn missing_scores(column: &Column, share: f64) -> Vec<f64> {
    let (absent, present) = (normal::mean_between(0.0, share), normal::mean_between(share, 1.0));
    (0..column.len()).map(|row| if column.is_missing(row) { absent } else { present }).collect()
}

/// Puts the labels of each column in the order in which some other column rises with them.
///
/// A label's place in [0, 1] says how like it is to its neighbours, so the order decides what a correlation can express. Of all columns
/// that have an order by nature (numbers, two labels), the one that tells the labels apart best gives the order.
fn order_labels(columns: &mut [Marginal], table: &Table) {
    let is_ordered = |column: &Marginal| match &column.values {
        Values::Numbers(quantiles) => !quantiles.is_empty(),
        Values::Labels { order, .. } => order.len() == 2,
        _ => false,
    };
    let guides: HashMap<usize, Vec<f64>> = (0..columns.len())
        .into_par_iter()
        .filter(|&index| is_ordered(&columns[index]))
        .map(|index| (index, columns[index].scores(&table.columns()[index])))
        .collect();
    let mut sorted: Vec<usize> = guides.keys().copied().collect();
    sorted.sort_unstable();
    for (index, (_, column)) in table.iter().enumerate() {
        let (Values::Labels { order, .. }, Some((codes, levels))) = (&columns[index].values, column.categories()) else {
            continue;
        };
        if order.len() < 3 || columns[index].schema.kind == ColumnKind::Boolean {
            continue;
        }
        let separations: Vec<(f64, Vec<f64>)> = sorted.par_iter().map(|guide| separation(codes, levels.len(), &guides[guide])).collect();
        // The first of equals, so that the result does not depend on how the work was shared out.
        let best = separations
            .iter()
            .fold(None::<&(f64, Vec<f64>)>, |best, next| if best.is_none_or(|best| next.0 > best.0) { Some(next) } else { best });
        let Some((_, means)) = best else { continue };
        let mut order: Vec<u32> = (0..levels.len() as u32).collect();
        order.sort_by(|&a, &b| means[a as usize].total_cmp(&means[b as usize]));
        columns[index] = Marginal::fit(&columns[index].schema.clone(), column, Some(order));
    }
}

/// How much of a guide's variance lies between the labels, and the guide's mean for each label.
fn separation(codes: &[u32], levels: usize, guide: &[f64]) -> (f64, Vec<f64>) {
    // A few rows' worth of the overall mean (zero) keeps rare labels from the ends.
    const PRIOR: f64 = 5.0;
    let (mut sums, mut counts) = (vec![0.0; levels], vec![0.0; levels]);
    for (&code, &score) in codes.iter().zip(guide) {
        if let Some(sum) = sums.get_mut(code as usize).filter(|_| !score.is_nan()) {
            *sum += score;
            counts[code as usize] += 1.0;
        }
    }
    let means: Vec<f64> = sums.iter().zip(&counts).map(|(sum, count)| sum / (count + PRIOR)).collect();
    let between: f64 = means.iter().zip(&counts).map(|(mean, count)| count * mean * mean).sum();
    (between / counts.iter().sum::<f64>().max(1.0), means)
}
