//! Requests for samples of series.

use std::ops::Range;

use semblant_core::data::Request;
use semblant_core::{Error, Result};

use crate::table::Condition;

/// What to sample from a model of series. Sequence `i` of (model, seed, request) is the same whatever the range or batch.
///
/// ```
/// use semblant_data::series::SeriesRequest;
///
/// let request = SeriesRequest::new(100, 7).with_steps(32);
/// assert_eq!(request.steps, Some(32));
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct SeriesRequest {
    /// The sequences to make, as positions in the endless sample of this seed.
    pub rows: Range<u64>,
    /// The seed.
    pub seed: u64,
    /// Conditions on attributes, which every sequence meets.
    pub conditions: Vec<Condition>,
    /// Conditions on attributes as SQL expressions.
    pub expressions: Vec<String>,
    /// Rows of every sequence; `None` leaves their number to the model.
    pub length: Option<usize>,
    /// Rows that are to follow given ones.
    pub horizon: Option<usize>,
    /// How often each given sequence is continued.
    pub draws: usize,
    /// Columns of given sequences that are drawn anew, beside missing cells.
    pub redraw: Vec<String>,
    /// Solver steps of models that have a solver; `None` takes as many as the model's settings say.
    pub steps: Option<usize>,
    /// Sequences computed at once where they are written to a file: changes memory and progress, never the sequences.
    pub batch_rows: usize,
}

impl SeriesRequest {
    /// Sequences `0..count` of `seed`.
    pub fn new(count: u64, seed: u64) -> Self {
        Self {
            rows: 0..count,
            seed,
            conditions: Vec::new(),
            expressions: Vec::new(),
            length: None,
            horizon: None,
            draws: 1,
            redraw: Vec::new(),
            steps: None,
            batch_rows: 1024,
        }
    }

    /// The same with sequences of so many rows.
    pub fn with_length(self, rows: usize) -> Self {
        Self { length: Some(rows), ..self }
    }

    /// The same with one more condition: an attribute has this value.
    pub fn with(mut self, attribute: impl Into<String>, value: impl Into<String>) -> Self {
        self.conditions.push(Condition::is(attribute, value));
        self
    }

    /// Rows that follow given ones, `draws` times each.
    pub fn forecast(horizon: usize, draws: usize, seed: u64) -> Self {
        Self { horizon: Some(horizon), draws, ..Self::new(0, seed) }
    }

    /// Refuses what only given sequences have, where new ones are made.
    ///
    /// # Errors
    /// Names the option.
    pub fn check_new(&self) -> Result<()> {
        let what = match self {
            Self { horizon: Some(_), .. } => "--horizon says how many rows follow given ones; add --from, or say --length",
            Self { redraw, .. } if !redraw.is_empty() => "--redraw draws columns of given sequences anew; add --from",
            _ => return Ok(()),
        };
        Err(Error::Config(what.into()))
    }

    /// Refuses what only new sequences have, where given ones are continued or completed.
    ///
    /// # Errors
    /// Names the option.
    pub fn check_given(&self) -> Result<()> {
        let what = match self {
            Self { length: Some(_), .. } => "--length is the number of rows of new sequences; leave it out, or say --horizon",
            Self { conditions, expressions, .. } if !conditions.is_empty() || !expressions.is_empty() => {
                "given sequences have attributes of their own; leave --where out"
            }
            Self { horizon: Some(_), redraw, .. } if !redraw.is_empty() => {
                "--redraw draws cells of given rows anew, and --horizon rows that follow them; leave one of them out"
            }
            _ => return Ok(()),
        };
        Err(Error::Config(what.into()))
    }

    /// Refuses solver steps of a model that has no solver.
    ///
    /// # Errors
    /// Names the option.
    pub fn check_no_steps(&self, model: &str) -> Result<()> {
        if self.steps.is_none() { Ok(()) } else { Err(Error::Config(format!("{model} has no solver; leave --steps out"))) }
    }

    /// The same with another number of solver steps.
    pub fn with_steps(self, steps: usize) -> Self {
        Self { steps: Some(steps), ..self }
    }
}

impl Request for SeriesRequest {
    fn new(count: u64, seed: u64) -> Self {
        Self::new(count, seed)
    }

    fn rows(&self) -> Range<u64> {
        self.rows.clone()
    }

    fn with_rows(self, rows: Range<u64>) -> Self {
        Self { rows, ..self }
    }

    fn batch_rows(&self) -> usize {
        self.batch_rows
    }
}
