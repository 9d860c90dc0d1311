//! Models: networks, and one training step.

use std::ops::Range;

use burn::module::Module;
use burn::tensor::Tensor;

use crate::optim::Optimizers;
use crate::seeds::Stream;
use crate::seeds::streams::StreamRange;

/// The position in a run, counted in rows seen, so that schedules and averages survive a change of batch size.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Step {
    /// Steps done before this one.
    pub index: u64,
    /// Rows seen before this step.
    pub rows_seen: u64,
    /// Rows the whole run will see.
    pub total_rows: u64,
    /// Rows of this step's batch.
    pub batch_rows: u64,
    /// The run's seed.
    pub seed: u64,
    /// Which part of the batch this worker learns from.
    pub part: Part,
    /// A factor on learning rates in addition to their schedules: 1, but falls to 0 where the run is annealed
    /// ([`crate::trainer::TrainSchedule::anneal`]).
    pub rate: f64,
}

/// A worker's part of every batch, where several devices learn one model together ([`crate::parallel`]).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    /// Which worker, from 0.
    pub worker: u64,
    /// How many there are.
    pub workers: u64,
}

impl Part {
    /// All of the batch: a worker alone.
    pub const WHOLE: Self = Self { worker: 0, workers: 1 };
}

impl Step {
    /// How much of the run is done, from 0 to 1.
    pub fn progress(&self) -> f64 {
        self.rows_seen as f64 / self.total_rows.max(1) as f64
    }

    /// The places within the batch of the rows that this worker learns from.
    pub fn places(&self) -> Range<usize> {
        let Part { worker, workers } = self.part;
        let end = |worker: u64| (self.batch_rows * worker / workers) as usize;
        end(worker)..end(worker + 1)
    }

    /// The same rows by their address: how many the run has seen before each.
    pub fn rows(&self) -> Range<u64> {
        let places = self.places();
        self.rows_seen + places.start as u64..self.rows_seen + places.end as u64
    }

    /// Random numbers of this run for a purpose, a part of [`TRAINING`](crate::seeds::streams::TRAINING).
    pub fn stream(&self, purpose: StreamRange) -> Stream {
        purpose.of(self.seed)
    }
}

/// Named loss values of one step, left on the device until the tick reads them: one read-back per tick, none per step.
#[derive(Debug, Clone, Default)]
pub struct Losses(pub Vec<(&'static str, Tensor<1>)>);

impl Losses {
    /// Adds one value, of shape `[1]`.
    pub fn with(mut self, name: &'static str, value: Tensor<1>) -> Self {
        self.0.push((name, value.inner()));
        self
    }
}

/// Networks that learn to generate. One file per implementation.
pub trait Model: Module + 'static {
    /// The batch of a step.
    type Batch: Clone + Send + 'static;
    /// The networks that sampling needs: what the weight average follows and what the model file holds.
    type Sampled: Module;

    /// The networks that sampling needs, on a device without gradients.
    fn sampled(&self) -> Self::Sampled;

    /// One optimisation step; owns the order of its sub-steps (critic, then generator...).
    fn train_step(self, batch: Self::Batch, optimizers: &mut Optimizers, step: &Step) -> (Self, Losses);
}

/// Draws from a trained model. What a draw gives depends on the draw and the seed alone, not on the others of its batch, so any slice
/// of a sample can be made anywhere.
pub trait Sampler: Sync {
    /// The address of one sample, with its condition.
    type Draw;
    /// What a batch of draws gives, in their order.
    type Output;

    /// Makes one batch.
    fn make(&self, draws: &[Self::Draw], seed: u64) -> Self::Output;
}
