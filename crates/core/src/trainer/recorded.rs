//! A training step that a GPU records once and replays: what networks are held up by whose kernels take less time than their launches.

use burn::tensor::{Device, Tensor};

use super::State;
use crate::device::has_kernels;
use crate::ema::Ema;
use crate::graph::{Recorded, Replay};
use crate::model::{Losses, Model, Step};
use crate::optim::Optimizers;
use crate::precision::{Precision, within};
use crate::{clock, host, parameters};

/// A recorded step, whose graph holds the state that it moves.
pub(super) struct Recording {
    recorded: Recorded<'static>,
    /// How many tensors the state has.
    count: usize,
    /// The optimizers that a step calls, in order.
    calls: Vec<String>,
    /// The losses' names.
    names: Vec<&'static str>,
    ema: Ema,
    device: Device,
}

impl<M: Model> Clone for State<M> {
    fn clone(&self) -> Self {
        let Self { model, average, best, optimizers, clock } = self;
        Self { model: model.clone(), average: average.clone(), best: best.clone(), optimizers: optimizers.clone(), clock: clock.clone() }
    }
}

impl<M: Model> State<M> {
    /// What a step moves, flat.
    fn tensors(&self) -> Vec<Tensor<1>> {
        let mut all = parameters::values(&self.model);
        all.extend(parameters::values(&self.average));
        all.extend(self.optimizers.moments());
        all
    }

    /// The same state with other values.
    fn with(mut self, tensors: Vec<Tensor<1>>) -> Self {
        let mut left = tensors.into_iter();
        self.model = filled(self.model, &mut left);
        self.average = filled(self.average, &mut left);
        self.optimizers.set_moments(left);
        self
    }

    /// The state after a step.
    fn moved(mut self, batch: M::Batch, step: &Step, ema: Ema, precision: Precision) -> (Self, Losses) {
        let (model, losses) = within(precision, || self.model.train_step(batch, &mut self.optimizers, step));
        self.average = ema.update(self.average, &model.sampled(), step);
        self.model = model;
        (self, losses)
    }
}

fn filled<M: burn::module::Module>(module: M, values: &mut impl Iterator<Item = Tensor<1>>) -> M {
    let (module, out, old) = parameters::take(module, None);
    parameters::put(module, out, values.take(old.len()).collect())
}

/// All that a recorded step gives: the state that it moved, then the losses.
fn outputs<M: Model>(state: &State<M>, losses: &Losses) -> Vec<Tensor<1>> {
    let mut all = state.tensors();
    all.extend(losses.0.iter().map(|(_, value)| value.clone()));
    all
}

/// The clock of a step in which these optimizers are called; counts the step.
fn clock_of(optimizers: &mut Optimizers, calls: &[String], step: &Step, ema: Ema, device: &Device) -> Tensor<1> {
    let pairs = optimizers.count(calls, step);
    let values = clock::values(step.index, ema.decay(step), pairs.into_iter());
    let length = [values.len()];
    host::tensor(values, length, device)
}

impl Recording {
    /// Records `step` from `state` on, which has taken a step before, so that all its moments are there; tries it on `other`, a step that is far
    /// from it, against the step itself. None where the device records nothing, a step of this model cannot be recorded, or a replay gives
    /// something else.
    pub(super) fn new<M: Model>(
        state: &State<M>,
        [step, other]: [Step; 2],
        [batch, other_batch]: [M::Batch; 2],
        ema: Ema,
        precision: Precision,
        by: Replay,
        device: &Device,
    ) -> Option<Self> {
        if !has_kernels(device) {
            return None;
        }
        let (varying, other_varying) = (M::varying(&batch)?, M::varying(&other_batch)?);
        let tensors = state.tensors();
        // The other step as it is without a recording. It takes its optimizers to be older, so that a correction that was recorded is found.
        let mut older = state.clone();
        older.optimizers.age(other.index.abs_diff(step.index));
        let mut optimizers = older.optimizers.clone();
        older.optimizers.list_calls();
        let (moved, losses) = older.moved(other_batch, &other, ema, precision);
        let calls = moved.optimizers.calls().to_vec();
        let first = [clock_of(&mut state.optimizers.clone(), &calls, &step, ema, device)];
        let second = [clock_of(&mut optimizers, &calls, &other, ema, device)];
        let inputs = |clock: [Tensor<1>; 1], varying: Vec<Tensor<1>>| [tensors.clone(), clock.to_vec(), varying].concat();

        let (template, count) = (state.clone(), tensors.len());
        let compute = move |inputs: &[Tensor<1>]| {
            let (tensors, given) = inputs.split_at(count);
            let (state, batch) = (template.clone().with(tensors.to_vec()), M::vary(batch.clone(), &given[1..]));
            let (state, losses) = clock::within(given[0].clone(), step.index, || state.moved(batch, &step, ema, precision));
            outputs(&state, &losses)
        };
        let (first, second) = (inputs(first, varying), inputs(second, other_varying));
        let mut recorded = Recorded::new(&first, &second, &outputs(&moved, &losses), by, compute)?;
        recorded.set_state(tensors);
        let names = losses.0.iter().map(|&(name, _)| name).collect();
        Some(Self { recorded, count, calls, names, ema, device: device.clone() })
    }

    /// Takes a step; `optimizers` count it.
    pub(super) fn step<M: Model>(&mut self, optimizers: &mut Optimizers, batch: &M::Batch, step: &Step) -> Losses {
        let mut given = vec![clock_of(optimizers, &self.calls, step, self.ema, &self.device)];
        given.extend(M::varying(batch).expect("a model whose step was recorded"));
        let losses = self.recorded.advance(&given).expect("a trainer stays on its thread");
        Losses(self.names.iter().copied().zip(losses).collect())
    }

    /// The state as the steps have left it; what counts steps is that of `state`.
    pub(super) fn state<M: Model>(&self, state: State<M>) -> State<M> {
        state.with(self.recorded.state(self.count))
    }
}
