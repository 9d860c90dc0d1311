//! Training steps that are recorded: the same bits as steps that are not.

use std::path::Path;
use std::sync::{Arc, Mutex, atomic::Ordering};

use burn::module::Module;
use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor};
use semblant_core::Error;
use semblant_core::checkpoint::Checkpoint;
use semblant_core::ema::Ema;
use semblant_core::graph::Replay;
use semblant_core::model::{Losses, Model, Step};
use semblant_core::nn::{self, Linear};
use semblant_core::optim::{Adam, LrSchedule, Optimizers};
use semblant_core::progress::{Event, Observer};
use semblant_core::seeds::{Rows, Stream};
use semblant_core::synthesizer::Run;
use semblant_core::trainer::{self, RECORDED, STATE_FILE, Trainer};
use serde_json::{Value, json};

use super::gpu;

const ROWS: usize = 6;
const WIDTH: usize = 40;

/// Two networks with an optimizer each, called against the order of their names, and random numbers of every law.
#[derive(Module, Debug)]
struct Twins {
    first: Linear,
    second: Linear,
    /// A mistake to be found: numbers that a recording takes for constants.
    #[module(skip)]
    stuck: bool,
}

impl Twins {
    fn new(stuck: bool, device: &Device) -> Self {
        let layer = |number: u32| nn::linear(WIDTH, WIDTH, Stream::new(4, number), device);
        Self { first: layer(0), second: layer(1), stuck }
    }

    fn numbers(&self, step: &Step, device: &Device) -> [Tensor<2>; 4] {
        let first = step.index * ROWS as u64;
        let range = first..first + ROWS as u64;
        let rows = || Rows::moving(range.clone(), ROWS as u64);
        let uniforms = match self.stuck {
            true => step.stream(1).uniforms_on(range.clone(), WIDTH, device),
            false => step.stream(1).uniforms_on(rows(), WIDTH, device),
        };
        let dropout = Rows::moving(step.index << 8 | 3..(step.index << 8 | 3) + 1, 1 << 8);
        let factors = step.stream(4).dropout_on(dropout, ROWS * WIDTH, 0.7, device).reshape([ROWS, WIDTH]);
        [uniforms, step.stream(2).normals_on(rows(), WIDTH, device), step.stream(3).gumbels_on(rows(), WIDTH, device), factors]
    }
}

impl Model for Twins {
    /// `[ROWS, WIDTH]`.
    type Batch = Tensor<2>;
    type Sampled = Linear;

    fn sampled(&self) -> Linear {
        self.first.valid()
    }

    fn train_step(mut self, batch: Tensor<2>, optimizers: &mut Optimizers, step: &Step) -> (Self, Losses) {
        let numbers = self.numbers(step, &batch.device());
        let [uniforms, normals, gumbels, factors] = numbers.map(Tensor::from_inner);
        let x = Tensor::from_inner(batch) + normals;
        let apart = (self.second.forward(x.clone() * factors) - uniforms).square().mean();
        let gradients = GradientsParams::from_grads(apart.backward(), &self.second);
        self.second = optimizers.step("z", self.second, gradients, step);
        let close = (self.first.forward(x.clone()) - self.second.forward(x).detach() - gumbels).square().mean();
        let gradients = GradientsParams::from_grads(close.backward(), &self.first);
        self.first = optimizers.step("a", self.first, gradients, step);
        (self, Losses::default().with("apart", apart).with("close", close))
    }

    fn varying(batch: &Tensor<2>) -> Option<Vec<Tensor<1>>> {
        Some(vec![batch.clone().flatten(0, 1)])
    }

    fn vary(batch: Tensor<2>, values: &[Tensor<1>]) -> Tensor<2> {
        values[0].clone().reshape(batch.dims())
    }
}

/// Keeps what is told, and stops the run after a step.
struct Witness {
    notes: Arc<Mutex<Vec<String>>>,
    stop_at: u64,
    stop: Arc<std::sync::atomic::AtomicBool>,
}

impl Observer for Witness {
    fn event(&mut self, event: Event<'_>) {
        match event {
            Event::Note(note) => self.notes.lock().expect("no panic").push(note.into()),
            Event::Rows { done, .. } => self.stop.store(done >= self.stop_at * ROWS as u64, Ordering::Relaxed),
            _ => {}
        }
    }
}

/// Trains to the end of step `last` of very many, on from what is in `folder`; gives what was told.
fn train(stuck: bool, folder: &Path, last: u64, record: Option<Replay>, device: &Device) -> Vec<String> {
    let notes = Arc::<Mutex<Vec<String>>>::default();
    let mut run = Run { folder: Some(folder.into()), resume: true, record, ..Run::new(device.clone(), 5) };
    run.observer = Box::new(Witness { notes: notes.clone(), stop_at: last, stop: run.stop.clone() });
    let schedule =
        trainer::TrainSchedule { steps: 1 << 40, batch_rows: ROWS as u64, tick_rows: 2 * ROWS as u64, ..trainer::TrainSchedule::default() };
    let given = device.clone();
    let mut batch = move |step: &Step| Stream::new(6, 0).normals_on(step.index..step.index + ROWS as u64, WIDTH, &given);
    // Rates and shares that differ from step to step.
    let adam = Adam { learning_rate: 0.1, schedule: LrSchedule::Linear, warm_up: 1e-11, clip_norm: 0.1, ..Adam::default() };
    let trainer: Trainer<'_, Twins> = Trainer {
        schedule,
        ema: Ema { half_life_rows: 100.0, warm_up: 0.5 },
        batch: &mut batch,
        score: None,
        watch: None,
        fingerprint: "twins".into(),
        rank: None,
    };
    let optimizers = Optimizers::default().with("a", adam).with("z", Adam { beta_1: 0.5, ..adam });
    let ended = trainer.fit(Twins::new(stuck, &device.clone().autodiff()), optimizers, &mut run);
    assert!(matches!(ended, Err(Error::Interrupted { .. })), "the run ends where it is told to");
    notes.lock().expect("no panic").clone()
}

/// The state in `folder` with another value of its clock.
fn state(folder: &Path, key: &str, value: u64) -> Checkpoint {
    let path = folder.join(STATE_FILE);
    let mut state = Checkpoint::read(&path).expect("a state");
    let mut clock: Value = state.metadata_as("clock", &path).expect("a clock");
    clock[key] = json!(value);
    state.set_metadata("clock", &clock, &path).expect("writable");
    state
}

/// From the beginning, and from steps that need more bits than one value of a recording's clock, or the lower half of a row.
#[test]
fn steps_that_are_replayed_are_the_steps_themselves() {
    let Some(gpu) = gpu() else { return };
    for begin in [2, (1 << 24) - 2, (1 << 32) / ROWS as u64 - 1, 1 << 37] {
        let states = [None, Some(Replay::Anything)].map(|record| {
            let folder = tempfile::tempdir().expect("a folder");
            train(false, folder.path(), 2, None, &gpu);
            state(folder.path(), "step", begin).write(&folder.path().join(STATE_FILE)).expect("writable");
            let told = train(false, folder.path(), begin + 6, record, &gpu);
            let recorded = told.iter().any(|note| note == RECORDED);
            assert_eq!(recorded, record.is_some(), "{told:?}");
            // The log tells seconds, so that its length may differ.
            state(folder.path(), "log_bytes", 0).to_bytes()
        });
        assert_eq!(states[0].len(), states[1].len());
        assert!(states[0] == states[1], "six steps from {begin} on, four of them replayed, leave another state");
    }
}

#[test]
fn a_step_that_a_recording_would_freeze_is_not_recorded() {
    let Some(gpu) = gpu() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let told = train(true, folder.path(), 4, Some(Replay::Anything), &gpu);
    assert!(told.iter().any(|note| note.starts_with("the training step is not recorded")), "{told:?}");
}
