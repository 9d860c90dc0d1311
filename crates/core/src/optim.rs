//! Adam with decoupled or L2 weight decay, global-norm clipping and schedules, one pass over memory a step.
//!
//! burn's own optimizer is a chain of about twelve tensor operations a parameter; on a CPU that costs more than the matrix products of
//! a small network. Here the host path is one loop, and a GPU takes one launch for many parameters.

mod update;

use std::collections::BTreeMap;

use burn::module::{Module, ParamId};
use burn::optim::GradientsParams;
use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use crate::model::Step;
use crate::parallel::Communicator;
use crate::{Error, Result, parameters};

pub(crate) use update::Update;
use update::{apply, clip_factor};

/// How the learning rate moves with the progress of the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum LrSchedule {
    /// Always the same.
    Constant,
    /// A straight line down to 0 at the end of the run.
    Linear,
    /// Half a cosine down to 0 at the end of the run.
    Cosine,
    /// Constant for the first half, then half a cosine down to 0.
    HoldCosine,
}

impl LrSchedule {
    /// The factor on the learning rate at `progress` (0 to 1) of the run.
    pub fn factor(self, progress: f64) -> f64 {
        let half_cosine = |x: f64| 0.5 * (1.0 + (std::f64::consts::PI * x.clamp(0.0, 1.0)).cos());
        match self {
            Self::Constant => 1.0,
            Self::Linear => (1.0 - progress).max(0.0),
            Self::Cosine => half_cosine(progress),
            Self::HoldCosine => half_cosine(2.0 * progress - 1.0),
        }
    }
}

/// Settings of one Adam (Kingma & Ba 2015). Defaults are PyTorch's.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Adam {
    /// The learning rate before the schedule's factor.
    pub learning_rate: f64,
    /// Decay of the gradient's average.
    pub beta_1: f64,
    /// Decay of the squared gradient's average.
    pub beta_2: f64,
    /// Added to the root; burn's own default is 1e-5, PyTorch's and the papers' 1e-8.
    pub epsilon: f64,
    /// L2 penalty added to the gradient.
    pub weight_decay: f64,
    /// The gradients of one step are scaled down to this norm over all parameters together; 0 never scales.
    pub clip_norm: f64,
    /// How the learning rate moves.
    pub schedule: LrSchedule,
    /// The share of the run over which the learning rate rises from 0 before that; 0 begins with all of it.
    pub warm_up: f64,
}

impl Default for Adam {
    fn default() -> Self {
        Self {
            learning_rate: 1e-3,
            beta_1: 0.9,
            beta_2: 0.999,
            epsilon: 1e-8,
            weight_decay: 0.0,
            clip_norm: 0.0,
            schedule: LrSchedule::Constant,
            warm_up: 0.0,
        }
    }
}

impl Adam {
    /// The learning rate of a step.
    pub fn rate(&self, step: &Step) -> f64 {
        let progress = step.progress();
        // The first step of a rising rate is not lost: it has the rate of its end.
        let reached = (step.rows_seen + step.batch_rows) as f64 / step.total_rows.max(1) as f64;
        let risen = if self.warm_up > 0.0 { (reached / self.warm_up).min(1.0) } else { 1.0 };
        self.learning_rate * self.schedule.factor(progress) * risen * step.rate
    }

    /// Checks every field's range.
    ///
    /// # Errors
    /// Names the field, its value and the range.
    pub fn check(&self, name: &str) -> Result<()> {
        let within = |field: &str, value: f64, low: f64, high: f64| {
            if (low..=high).contains(&value) {
                return Ok(());
            }
            Err(Error::Config(format!("{name}.{field} = {value} is out of range; choose a number from {low} to {high}")))
        };
        within("learning_rate", self.learning_rate, 0.0, 10.0)?;
        within("beta_1", self.beta_1, 0.0, 0.999_999)?;
        within("beta_2", self.beta_2, 0.0, 0.999_999)?;
        within("epsilon", self.epsilon, 0.0, 1.0)?;
        within("weight_decay", self.weight_decay, 0.0, 10.0)?;
        within("warm_up", self.warm_up, 0.0, 1.0)?;
        within("clip_norm", self.clip_norm, 0.0, f64::MAX)
    }
}

/// First and second moment of one parameter, flattened.
#[derive(Debug)]
struct Moments {
    first: Tensor<1>,
    second: Tensor<1>,
}

/// One Adam and its state.
#[derive(Debug)]
struct Optimizer {
    settings: Adam,
    steps: u64,
    moments: BTreeMap<ParamId, Moments>,
}

impl Optimizer {
    /// Counts a step; gives what it does to every value.
    fn next(&mut self, step: &Step) -> Update {
        self.steps += 1;
        let settings = &self.settings;
        Update {
            step_size: settings.rate(step) as f32,
            beta_1: settings.beta_1 as f32,
            beta_2: settings.beta_2 as f32,
            correction_1: (1.0 - settings.beta_1.powf(self.steps as f64)) as f32,
            correction_2: (1.0 - settings.beta_2.powf(self.steps as f64)) as f32,
            epsilon: settings.epsilon as f32,
            weight_decay: settings.weight_decay as f32,
        }
    }
}

/// The optimizers of a model by name (`generator`, `critic`...), saved and restored together.
#[derive(Debug, Default)]
pub struct Optimizers {
    named: BTreeMap<String, Optimizer>,
    /// To the other workers, where several learn one model.
    communicator: Option<Communicator>,
    /// Whether one of them has gone, so that no step is taken any more.
    alone: bool,
}

impl Optimizers {
    /// Adds an Adam.
    pub fn with(mut self, name: &str, settings: Adam) -> Self {
        self.named.insert(name.into(), Optimizer { settings, steps: 0, moments: BTreeMap::new() });
        self
    }

    /// From now on every step is taken along the gradients of all workers together.
    pub(crate) fn join(&mut self, communicator: Communicator) {
        self.communicator = Some(communicator);
    }

    /// Whether another worker has gone; steps since then were not taken.
    pub(crate) fn is_alone(&self) -> bool {
        self.alone
    }

    /// Moves the parameters of `module` that have a gradient.
    ///
    /// # Panics
    /// When no optimizer of this name was added.
    pub fn step<M: Module>(&mut self, name: &str, module: M, gradients: GradientsParams, step: &Step) -> M {
        let mut gradients = parameters::gradients(&module, gradients);
        if let Some(communicator) = &self.communicator {
            let share = step.places().len() as f32 / step.batch_rows as f32;
            match of_all(communicator, gradients, share) {
                Some(of_all) => gradients = of_all,
                None => {
                    self.alone = true;
                    return module;
                }
            }
        }
        let optimizer = self.named.get_mut(name).unwrap_or_else(|| panic!("no optimizer is called {name}"));
        let update = optimizer.next(step);
        let clip_norm = optimizer.settings.clip_norm;
        let clip = (clip_norm > 0.0).then(|| clip_factor(&gradients, clip_norm));
        apply(module, update, clip, gradients, &mut optimizer.moments)
    }

    /// The state as named flat tensors: `{optimizer}.{parameter's position}.{first|second}`, and the step counts.
    pub fn state<M: Module>(&self, module: &M) -> (Vec<(String, Tensor<1>)>, BTreeMap<String, u64>) {
        let ids = parameters::ids(module);
        let mut tensors = Vec::new();
        for (name, optimizer) in &self.named {
            for (position, id) in ids.iter().enumerate() {
                if let Some(moments) = optimizer.moments.get(id) {
                    tensors.push((format!("{name}.{position}.first"), moments.first.clone()));
                    tensors.push((format!("{name}.{position}.second"), moments.second.clone()));
                }
            }
        }
        (tensors, self.named.iter().map(|(name, optimizer)| (name.clone(), optimizer.steps)).collect())
    }

    /// Takes back what [`Optimizers::state`] gave, for a `module` of the same structure.
    pub fn restore<M: Module>(&mut self, module: &M, mut take: impl FnMut(&str) -> Option<Tensor<1>>, steps: &BTreeMap<String, u64>) {
        let ids = parameters::ids(module);
        for (name, optimizer) in &mut self.named {
            optimizer.steps = steps.get(name).copied().unwrap_or_default();
            for (position, id) in ids.iter().enumerate() {
                let first = take(&format!("{name}.{position}.first"));
                if let (Some(first), Some(second)) = (first, take(&format!("{name}.{position}.second"))) {
                    optimizer.moments.insert(*id, Moments { first, second });
                }
            }
        }
    }
}

/// The gradients of all workers together: the sum of each one's, weighted by its share of the rows. None when a worker has gone.
fn of_all(communicator: &Communicator, gradients: Vec<(ParamId, Tensor<1>)>, share: f32) -> Option<Vec<(ParamId, Tensor<1>)>> {
    let (ids, gradients): (Vec<_>, Vec<_>) = gradients.into_iter().unzip();
    Some(ids.into_iter().zip(communicator.sums(gradients, share)?).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Part;
    use crate::nn;
    use crate::seeds::Stream;
    use burn::tensor::Device;

    fn step(index: u64) -> Step {
        Step { index, rows_seen: index, total_rows: 100, batch_rows: 1, seed: 0, part: Part::WHOLE, rate: 1.0 }
    }

    #[test]
    fn the_rate_rises_and_then_follows_its_schedule() {
        let adam = Adam { learning_rate: 0.1, warm_up: 0.2, schedule: LrSchedule::Linear, ..Adam::default() };
        let at =
            |rows_seen| adam.rate(&Step { index: 0, rows_seen, total_rows: 1000, batch_rows: 100, seed: 0, part: Part::WHOLE, rate: 1.0 });
        // Half of the way up after the first step, all of it after the second; the line falls from the beginning.
        for (rows_seen, expected) in [(0, 0.05), (100, 0.09), (500, 0.05), (900, 0.01)] {
            assert!((at(rows_seen) - expected).abs() < 1e-12, "{rows_seen}: {}", at(rows_seen));
        }
    }

    #[test]
    fn schedules_start_at_one_and_end_at_zero() {
        for schedule in [LrSchedule::Linear, LrSchedule::Cosine, LrSchedule::HoldCosine] {
            assert_eq!(schedule.factor(0.0), 1.0);
            assert!(schedule.factor(1.0).abs() < 1e-12);
        }
        assert_eq!(LrSchedule::HoldCosine.factor(0.5), 1.0);
    }

    #[test]
    fn a_module_learns() {
        let device = Device::flex().autodiff();
        let mut layer = nn::LinearConfig::new(3, 1).init(Stream::new(0, 0), &device);
        let mut optimizers = Optimizers::default().with("all", Adam { learning_rate: 0.05, clip_norm: 10.0, ..Adam::default() });
        let x = Tensor::<2>::from_floats([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]], &device);
        let mut last = f32::MAX;
        for index in 0..200 {
            let loss = (layer.forward(x.clone()) - 2.0).square().mean();
            last = loss.clone().inner().into_scalar::<f32>();
            let gradients = GradientsParams::from_grads(loss.backward(), &layer);
            layer = optimizers.step("all", layer, gradients, &step(index));
        }
        assert!(last < 1e-3, "loss {last}");
    }
}
