//! From conditions to rows that meet them.

use semblant_core::normal;
use semblant_core::seeds::Stream;
use semblant_core::{Error, Result};
use semblant_tabular::filter::Predicate;

use crate::correlation::{Correlation, cholesky};
use crate::fitted::{Fitted, Latent};

/// Gibbs sweeps over the variables that are held to an interval. Started from the sequential draw, a handful is enough unless the
/// correlations are close to one.
const SWEEPS: u32 = 30;

/// How rows under one set of conditions are drawn.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) latents: Vec<Latent>,
    pub(crate) predicates: Vec<Option<Predicate>>,
    /// The latent variables in the order of the draw: held to a point, held to an interval, free.
    order: Vec<usize>,
    /// The score interval of each held variable, in that order.
    held: Vec<(f64, f64)>,
    points: usize,
    /// The Cholesky factor in that order; `None` for independent columns.
    factor: Option<Vec<Vec<f64>>>,
    /// The inverse of the correlations of the held variables, row after row; empty where one pass is exact.
    precision: Vec<f64>,
}

impl Plan {
    /// The plan of rows that have to meet these predicates, by column.
    pub(crate) fn new(fitted: &Fitted, predicates: Vec<Option<Predicate>>) -> Result<Self> {
        let latents = fitted.latents();
        let interval = |latent: &Latent| -> Option<(f64, f64)> {
            let (low, high) = match *latent {
                Latent::Value(index) => match &predicates[index] {
                    Some(Predicate::Label(code)) => fitted.columns[index].label_interval(*code),
                    Some(Predicate::Range { low, high }) => fitted.columns[index].interval(*low, *high),
                    // Several ranges or labels are met by trying again within what holds them all.
                    Some(Predicate::Ranges { ranges, missing: false }) => {
                        let ends = ranges.first().zip(ranges.last());
                        ends.map_or((0.0, 1.0), |(first, last)| fitted.columns[index].interval(first.0, last.1))
                    }
                    _ => return None,
                },
                Latent::Missing(index) => match &predicates[index] {
                    None | Some(Predicate::OneOf { missing: true, .. } | Predicate::Ranges { missing: true, .. }) => return None,
                    Some(Predicate::Missing) => (0.0, fitted.columns[index].missing),
                    _ => (fitted.columns[index].missing, 1.0),
                },
            };
            Some((normal::quantile(low), normal::quantile(high)))
        };
        let intervals: Vec<Option<(f64, f64)>> = latents.iter().map(interval).collect();
        let is_point = |index: &usize| intervals[*index].is_some_and(|(low, high)| low >= high);
        let mut order: Vec<usize> = (0..latents.len()).collect();
        order.sort_by_key(|index| if is_point(index) { 0 } else { 2 - u8::from(intervals[*index].is_some()) });
        let held: Vec<(f64, f64)> = order.iter().filter_map(|&index| intervals[index]).collect();
        let points = order.iter().filter(|&index| is_point(index)).count();
        let mut plan = Self { latents, predicates, order, held, points, factor: None, precision: Vec::new() };
        if fitted.is_correlated() {
            plan.correlate(&fitted.correlation()?)?;
        }
        Ok(plan)
    }

    fn correlate(&mut self, correlation: &Correlation) -> Result<()> {
        let singular = || Error::Data("the correlations of the model are not positive definite; fit it again".into());
        let factor = cholesky(correlation, &self.order).ok_or_else(singular)?;
        if self.held.len() - self.points > 1 {
            self.precision = inverse(&factor[..self.held.len()]);
        }
        self.factor = Some(factor);
        Ok(())
    }

    /// The scores of the latent variables of `row`, in their own order.
    pub(crate) fn draw(&self, stream: &Stream, row: u64) -> Vec<f64> {
        let uniform = |variable: usize| stream.uniform_f64(row, variable as u32) + f64::EPSILON / 4.0;
        let mut scores = vec![0.0; self.order.len()];
        let mut noise = vec![0.0; self.order.len()];
        for (place, &variable) in self.order.iter().enumerate() {
            let (mean, deviation) = self.given(place, &noise);
            scores[place] = match self.held.get(place) {
                Some(&(low, high)) => normal::truncated(mean, deviation, low, high, uniform(variable)),
                None => mean + deviation * normal::quantile(uniform(variable)),
            };
            noise[place] = (scores[place] - mean) / deviation;
            if place + 1 == self.held.len() && !self.precision.is_empty() {
                self.sweep(stream, row, &mut scores);
                self.renoise(&scores, &mut noise);
            }
        }
        let mut own = vec![0.0; scores.len()];
        self.order.iter().zip(scores).for_each(|(&variable, score)| own[variable] = score);
        own
    }

    /// Mean and deviation of the variable at `place`, given those before it.
    fn given(&self, place: usize, noise: &[f64]) -> (f64, f64) {
        match &self.factor {
            Some(factor) => (factor[place][..place].iter().zip(noise).map(|(weight, noise)| weight * noise).sum(), factor[place][place]),
            None => (0.0, 1.0),
        }
    }

    /// The sequential draw does not know what later intervals ask of earlier variables; drawing each one again given all others does.
    fn sweep(&self, stream: &Stream, row: u64, scores: &mut [f64]) {
        let held = self.held.len();
        for sweep in 1..=SWEEPS {
            for place in self.points..held {
                let line = &self.precision[place * held..(place + 1) * held];
                let others: f64 = (0..held).filter(|&other| other != place).map(|other| line[other] * scores[other]).sum();
                let (low, high) = self.held[place];
                let position = (sweep << 20) + self.order[place] as u32;
                scores[place] =
                    normal::truncated(-others / line[place], (1.0 / line[place]).sqrt(), low, high, stream.uniform_f64(row, position));
            }
        }
    }

    fn renoise(&self, scores: &[f64], noise: &mut [f64]) {
        for place in 0..self.held.len() {
            let (mean, deviation) = self.given(place, noise);
            noise[place] = (scores[place] - mean) / deviation;
        }
    }
}

/// The inverse of L Lᵀ, row after row.
fn inverse(lower: &[Vec<f64>]) -> Vec<f64> {
    let size = lower.len();
    // Columns of the inverse of L by forward substitution; the inverse of the product is their products.
    let mut columns = vec![vec![0.0; size]; size];
    for (unit, column) in columns.iter_mut().enumerate() {
        for row in unit..size {
            let known: f64 = (unit..row).map(|k| lower[row][k] * column[k]).sum();
            column[row] = (f64::from(u8::from(row == unit)) - known) / lower[row][row];
        }
    }
    (0..size * size).map(|at| columns[at / size].iter().zip(&columns[at % size]).map(|(a, b)| a * b).sum()).collect()
}
