//! From conditions to rows that meet them.

use semblant_core::normal;
use semblant_core::seeds::Stream;
use semblant_core::synthesizer::{SampleRequest, Wanted};
use semblant_core::{Error, Result};

use crate::correlation::{Correlation, cholesky};
use crate::fitted::{Fitted, Latent};
use crate::marginal::{Marginal, Values};

/// Gibbs sweeps over the variables that are held to an interval. Started from the sequential draw, a handful is enough unless the
/// correlations are close to one.
const SWEEPS: u32 = 30;

/// What is asked of one column.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Demand {
    /// Nothing.
    Free,
    /// No value.
    Missing,
    /// This label.
    Label(u32),
    /// A number in this range, whose ends are values that the column can hold.
    Between { low: f64, high: f64 },
}

/// How rows under one set of conditions are drawn.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) latents: Vec<Latent>,
    pub(crate) demands: Vec<Demand>,
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
    /// The plans of a request; row `i` follows plan `i` modulo their number.
    pub(crate) fn all(fitted: &Fitted, request: &SampleRequest) -> Result<Vec<Self>> {
        let mut demands = vec![Demand::Free; fitted.columns.len()];
        for condition in &request.conditions {
            let index = position(fitted, &condition.column)?;
            let asked = demand(&fitted.columns[index], &condition.wanted)?;
            demands[index] = both(&fitted.columns[index], &demands[index], asked)?;
        }
        let Some(balanced) = &request.balance else { return Ok(vec![Self::new(fitted, demands)?]) };
        let index = position(fitted, balanced)?;
        let Values::Labels { order, .. } = &fitted.columns[index].values else {
            let kind = fitted.columns[index].schema.kind;
            return Err(Error::Condition(format!("column \"{balanced}\" is {kind}; only a categorical column can be balanced")));
        };
        if demands[index] != Demand::Free {
            return Err(Error::Condition(format!("column \"{balanced}\" is both held by a condition and to be balanced; leave one out")));
        }
        let mut codes = order.clone();
        codes.sort_unstable();
        codes
            .into_iter()
            .map(|code| {
                let mut demands = demands.clone();
                demands[index] = Demand::Label(code);
                Self::new(fitted, demands)
            })
            .collect()
    }

    fn new(fitted: &Fitted, demands: Vec<Demand>) -> Result<Self> {
        let latents = fitted.latents();
        let interval = |latent: &Latent| -> Option<(f64, f64)> {
            let (low, high) = match *latent {
                Latent::Value(index) => match demands[index] {
                    Demand::Label(code) => fitted.columns[index].label_interval(code),
                    Demand::Between { low, high } => fitted.columns[index].interval(low, high),
                    _ => return None,
                },
                Latent::Missing(index) => match demands[index] {
                    Demand::Free => return None,
                    Demand::Missing => (0.0, fitted.columns[index].missing),
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
        let mut plan = Self { latents, demands, order, held, points, factor: None, precision: Vec::new() };
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

fn position(fitted: &Fitted, name: &str) -> Result<usize> {
    fitted.columns.iter().position(|column| column.schema.name == name).ok_or_else(|| {
        let known = fitted.columns.iter().map(|column| column.schema.name.as_str()).collect::<Vec<_>>().join(", ");
        Error::Condition(format!("no column \"{name}\"; the columns are: {known}"))
    })
}

/// What a condition asks of a column, in the column's own terms.
fn demand(column: &Marginal, wanted: &Wanted) -> Result<Demand> {
    let name = &column.schema.name;
    match (&column.values, wanted) {
        (Values::Names(_), _) => Err(Error::Condition(format!("column \"{name}\" names the rows and cannot be held to a value"))),
        (Values::Same(value), Wanted::Is(text)) if value == text => Ok(Demand::Free),
        (Values::Same(value), _) => Err(Error::Condition(format!("column \"{name}\" is always \"{value}\""))),
        (_, Wanted::Is(text)) if text.is_empty() && column.missing > 0.0 => Ok(Demand::Missing),
        (_, Wanted::Is(text)) if text.is_empty() => Err(Error::Condition(format!("column \"{name}\" has no missing values"))),
        (Values::Labels { levels, order, .. }, Wanted::Is(text)) => {
            let known = |&&code: &&u32| levels.get(code as usize) == Some(text);
            order.iter().find(known).map(|&code| Demand::Label(code)).ok_or_else(|| {
                let shown =
                    order.iter().take(10).filter_map(|&code| levels.get(code as usize)).map(String::as_str).collect::<Vec<_>>().join(", ");
                let more = if order.len() > 10 { " and others" } else { "" };
                Error::Condition(format!("column \"{name}\" has no value \"{text}\"; its values are: {shown}{more}"))
            })
        }
        (Values::Labels { .. }, Wanted::Between { .. }) => {
            Err(Error::Condition(format!("column \"{name}\" is {}; a range needs a column of numbers", column.schema.kind)))
        }
        (Values::Numbers(quantiles), Wanted::Is(text)) => {
            let number = column.schema.parse_number(text);
            let number = number
                .ok_or_else(|| Error::Condition(format!("\"{text}\" is no value of the {} column \"{name}\"", column.schema.kind)))?;
            range(column, quantiles, number, number)
        }
        (Values::Numbers(quantiles), Wanted::Between { low, high }) => range(column, quantiles, *low, *high),
    }
}

/// The values of the column from `low` to `high`, as far as the data went.
fn range(column: &Marginal, quantiles: &[f64], low: f64, high: f64) -> Result<Demand> {
    let (name, show) = (&column.schema.name, |value: f64| column.schema.format_number(value));
    if low.is_nan() || high.is_nan() || low > high {
        return Err(Error::Condition(format!("column \"{name}\": no number lies between {low} and {high}")));
    }
    let (Some(&least), Some(&greatest)) = (quantiles.first(), quantiles.last()) else {
        return Err(Error::Condition(format!("column \"{name}\" has only missing values")));
    };
    if low > greatest || high < least {
        return Err(Error::Condition(format!(
            "column \"{name}\" goes from {} to {}; ask for something in that range",
            show(least),
            show(greatest)
        )));
    }
    let (low, high) = match column.step() {
        Some(step) => {
            (column.round((low.max(least) / step - 1e-9).ceil() * step), column.round((high.min(greatest) / step + 1e-9).floor() * step))
        }
        None => (low.max(least), high.min(greatest)),
    };
    if low > high {
        let kind = column.schema.kind;
        return Err(Error::Condition(format!("column \"{name}\": no {kind} value that it can hold lies in the range asked for; widen it")));
    }
    Ok(Demand::Between { low, high })
}

/// Two demands on one column.
fn both(column: &Marginal, known: &Demand, asked: Demand) -> Result<Demand> {
    let contradiction = || Error::Condition(format!("the conditions on column \"{}\" contradict one another", column.schema.name));
    match (known, asked) {
        (Demand::Free, asked) => Ok(asked),
        (known, Demand::Free) => Ok(known.clone()),
        (Demand::Between { low, high }, Demand::Between { low: from, high: to }) if low.max(from) <= high.min(to) => {
            Ok(Demand::Between { low: low.max(from), high: high.min(to) })
        }
        (known, asked) if *known == asked => Ok(asked),
        _ => Err(contradiction()),
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
