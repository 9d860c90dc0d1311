//! The loop on a model of one layer: resume, interruption, NaN, early stopping, several workers.

use std::sync::atomic::Ordering;

use burn::module::Module;
use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor};
use semblant_core::ema::Ema;
use semblant_core::model::{Losses, Model, Step};
use semblant_core::nn::{Linear, LinearConfig};
use semblant_core::optim::{Adam, Optimizers};
use semblant_core::parallel::{Rank, ranks};
use semblant_core::seeds::Stream;
use semblant_core::seeds::streams::TRAINING;
use semblant_core::synthesizer::Run;
use semblant_core::trainer::{STATE_FILE, TrainSchedule, Trained, Trainer, read_log};
use semblant_core::{Error, Result, host};

/// Learns y = sum(x).
#[derive(Module, Debug)]
struct Sum {
    layer: Linear,
}

impl Model for Sum {
    type Batch = Tensor<2>;
    type Sampled = Linear;

    fn sampled(&self) -> Linear {
        self.layer.valid()
    }

    fn train_step(mut self, batch: Tensor<2>, optimizers: &mut Optimizers, step: &Step) -> (Self, Losses) {
        let loss = (self.layer.forward(batch.clone()) - batch.sum_dim(1)).square().mean();
        let losses = Losses::default().with("square", loss.clone());
        let gradients = GradientsParams::from_grads(loss.backward(), &self.layer);
        self.layer = optimizers.step("layer", self.layer, gradients, step);
        (self, losses)
    }
}

fn device() -> Device {
    Device::flex().autodiff()
}

fn fit(
    schedule: TrainSchedule,
    run: &mut Run,
    poison_at: Option<u64>,
    stop_at: Option<u64>,
    score: Option<&mut dyn FnMut(&Linear) -> f64>,
) -> Result<Trained<Sum>> {
    fit_with(schedule, run, Adam { learning_rate: 0.05, ..Adam::default() }, poison_at, stop_at, score)
}

fn fit_with(
    schedule: TrainSchedule,
    run: &mut Run,
    adam: Adam,
    poison_at: Option<u64>,
    stop_at: Option<u64>,
    score: Option<&mut dyn FnMut(&Linear) -> f64>,
) -> Result<Trained<Sum>> {
    let stop = run.stop.clone();
    let mut batch = |step: &Step| {
        if stop_at == Some(step.index) {
            stop.store(true, Ordering::Relaxed);
        }
        let mut values = step.stream(TRAINING).matrix(step.index * 8..step.index * 8 + 8, 3, Stream::normals);
        if poison_at == Some(step.index) {
            values[0] = f32::NAN;
        }
        host::tensor(values, [8, 3], &device())
    };
    let ema = Ema { half_life_rows: 100.0, warm_up: 0.1 };
    let trainer = Trainer::new(schedule, ema, format!("seed {}", run.seed), &mut batch);
    let trainer = match score {
        Some(score) => trainer.with_score(score),
        None => trainer,
    };
    let model = Sum { layer: LinearConfig::new(3, 1).init(Stream::new(run.seed, 9), &device()) };
    trainer.fit(model, Optimizers::default().with("layer", adam), run)
}

/// Two workers of one run. The second brings NaN at one step, and falls out at another.
fn together(schedule: TrainSchedule, poison_at: Option<u64>, falls_at: Option<u64>) -> [Result<Linear>; 2] {
    let work = |rank: Rank| {
        let second = rank.part().worker == 1;
        let mut batch = |step: &Step| {
            assert!(!second || falls_at != Some(step.index), "falls out");
            let mut values = step.stream(TRAINING).matrix(step.rows(), 3, Stream::normals);
            if second && poison_at == Some(step.index) {
                values[0] = f32::NAN;
            }
            host::tensor(values, [step.places().len(), 3], &device())
        };
        let ema = Ema { half_life_rows: 100.0, warm_up: 0.1 };
        let trainer = Trainer::new(schedule, ema, "seed 1", &mut batch).with_rank(rank);
        let model = Sum { layer: LinearConfig::new(3, 1).init(Stream::new(1, 9), &device()) };
        let optimizers = Optimizers::default().with("layer", Adam { learning_rate: 0.05, ..Adam::default() });
        let mut run = Run::new(Device::flex(), 1);
        if second {
            let own = model.sampled();
            trainer.fit_worker(model, optimizers, &mut run).map(|()| own)
        } else {
            trainer.fit(model, optimizers, &mut run).map(|trained| trained.sampled)
        }
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = ranks(&[Device::flex(), Device::flex()]).into_iter().map(|rank| scope.spawn(|| work(rank))).collect();
        let mut ended = workers.into_iter().map(|worker| worker.join().unwrap_or_else(|_| Err(Error::Data("fell out".into()))));
        [(); 2].map(|()| ended.next().expect("two"))
    })
}

#[test]
fn two_workers_train_as_one_and_survive_a_lost_worker() {
    let folder = tempfile::tempdir().expect("temp");
    let one = fit(SCHEDULE, &mut run(folder.path(), false), None, None, None).expect("trains").sampled;
    let [two, helped] = together(SCHEDULE, None, None);
    assert!(helped.is_ok());
    let weights = |layer: &Linear| host::read(&layer.weight.val(), <[f32]>::to_vec);
    let (one, two) = (weights(&one), weights(&two.expect("trains")));
    assert!(one.iter().zip(&two).all(|(one, two)| (one - two).abs() < 1e-5), "{one:?} {two:?}");
    // The worker that sees NaN is not the one that reads the losses, but they are those of all rows.
    let [poisoned, helped] = together(SCHEDULE, Some(37), None);
    assert!(matches!(poisoned, Err(Error::NotFinite { .. })) && helped.is_ok());
    let [left, fell] = together(SCHEDULE, None, Some(12));
    assert!(matches!(left, Err(Error::Worker { step: 12 })) && fell.is_err(), "{:?}", left.err());
}

fn run(folder: &std::path::Path, resume: bool) -> Run {
    Run { folder: Some(folder.to_path_buf()), resume, ..Run::new(Device::flex(), 1) }
}

const SCHEDULE: TrainSchedule =
    TrainSchedule { steps: 100, batch_rows: 8, tick_rows: 80, checkpoint_rows: 160, patience_ticks: 0, anneal: 0.0 };

#[test]
fn an_interrupted_run_ends_as_the_uninterrupted_one_did() {
    let (whole, parts) = (tempfile::tempdir().expect("temp"), tempfile::tempdir().expect("temp"));
    let expected = fit(SCHEDULE, &mut run(whole.path(), false), None, None, None).expect("trains");
    let stopped = fit(SCHEDULE, &mut run(parts.path(), false), None, Some(33), None);
    assert!(matches!(stopped, Err(Error::Interrupted { step: 34, .. })));
    let resumed = fit(SCHEDULE, &mut run(parts.path(), true), None, None, None).expect("goes on");
    assert_eq!(resumed.sampled.weight.val().to_data(), expected.sampled.weight.val().to_data());
    let steps = |folder| read_log(folder).expect("log").iter().map(|line| line["step"].as_u64()).collect::<Vec<_>>();
    assert_eq!(steps(whole.path()), steps(parts.path()));
}

#[test]
fn a_state_of_another_run_is_refused() {
    let folder = tempfile::tempdir().expect("temp");
    let _ = fit(SCHEDULE, &mut run(folder.path(), false), None, Some(40), None);
    let mut other = Run { seed: 2, ..run(folder.path(), true) };
    let message = fit(SCHEDULE, &mut other, None, None, None).err().expect("refused").to_string();
    assert!(message.contains("other data, settings or another seed"), "{message}");
}

#[test]
fn a_nan_loss_stops_and_keeps_the_last_good_state() {
    let folder = tempfile::tempdir().expect("temp");
    let error = fit(SCHEDULE, &mut run(folder.path(), false), Some(59), None, None).err().expect("stops");
    assert!(matches!(&error, Error::NotFinite { step: 59, kept, .. } if kept.contains("last good state")), "{error}");
    let resumed = fit(SCHEDULE, &mut run(folder.path(), true), None, None, None).expect("the state is sound");
    assert!(resumed.summary.losses[0].1 < 0.1);
}

/// A loss that turns NaN between ticks, and weights that do in a step whose loss is finite.
#[test]
fn a_state_that_is_not_finite_is_never_saved() {
    // Saves between ticks: after steps 15, 30, 45...
    let between = TrainSchedule { checkpoint_rows: 120, ..SCHEDULE };
    for (schedule, poison_at, stop_at) in [(between, Some(44), None), (SCHEDULE, Some(53), Some(54))] {
        let folder = tempfile::tempdir().expect("temp");
        let error = fit(schedule, &mut run(folder.path(), false), poison_at, stop_at, None).err().expect("stops");
        assert!(matches!(&error, Error::NotFinite { what, kept, .. } if what == "the square loss" && kept.contains("kept in")), "{error}");
        fit(schedule, &mut run(folder.path(), true), None, None, None).expect("the state is sound");
    }
    let folder = tempfile::tempdir().expect("temp");
    let endless = Adam { learning_rate: f64::INFINITY, ..Adam::default() };
    let error = fit_with(SCHEDULE, &mut run(folder.path(), false), endless, None, Some(0), None).err().expect("stops");
    assert!(matches!(&error, Error::NotFinite { what, step: 0, .. } if what.starts_with("the state's ")), "{error}");
    assert!(!folder.path().join(STATE_FILE).exists());
}

#[test]
fn early_stopping_keeps_the_best() {
    let folder = tempfile::tempdir().expect("temp");
    let mut calls = 0.0;
    let mut score = |_: &Linear| {
        calls += 1.0;
        f64::abs(calls - 3.0)
    };
    let schedule = TrainSchedule { patience_ticks: 2, ..SCHEDULE };
    let trained = fit(schedule, &mut run(folder.path(), false), None, None, Some(&mut score)).expect("trains");
    assert_eq!(trained.summary.steps, 50, "best at tick 3, stopped at tick 5");
}

#[test]
fn a_score_may_begin_late() {
    let folder = tempfile::tempdir().expect("temp");
    let mut make =
        |step: &Step| host::tensor(Stream::new(step.index, 0).matrix(0..8, 2, Stream::normals), [8, 2], &Device::flex().autodiff());
    let mut score = |_: &Linear| 1.0;
    let trainer = Trainer::new(SCHEDULE, Ema::default(), "late", &mut make).with_score_from(50, &mut score);
    let model = Sum { layer: LinearConfig::new(2, 1).init(Stream::new(1, 0), &Device::flex().autodiff()) };
    trainer.fit(model, Optimizers::default().with("layer", Adam::default()), &mut run(folder.path(), false)).expect("trains");
    let scored = |line: &serde_json::Value| line.get("score").is_some().then(|| line["step"].as_u64()).flatten();
    let steps: Vec<u64> = read_log(folder.path()).expect("log").iter().filter_map(scored).collect();
    assert_eq!(steps, [60, 70, 80, 90, 100]);
}

#[test]
fn annealing_follows_the_best_score_and_ends_the_run() {
    let (whole, parts) = (tempfile::tempdir().expect("temp"), tempfile::tempdir().expect("temp"));
    let schedule = TrainSchedule { patience_ticks: 2, anneal: 0.5, ..SCHEDULE };
    // Best at tick 2, out of patience after tick 4 (step 40): the rate falls over 20 steps.
    let score = |calls: &mut f64| {
        *calls += 1.0;
        f64::abs(*calls - 2.0)
    };
    let mut calls = 0.0;
    let expected = fit(schedule, &mut run(whole.path(), false), None, None, Some(&mut |_: &Linear| score(&mut calls))).expect("trains");
    assert_eq!(expected.summary.steps, 60);
    // A run that is stopped on the way down ends alike.
    let mut calls = 0.0;
    assert!(fit(schedule, &mut run(parts.path(), false), None, Some(49), Some(&mut |_: &Linear| score(&mut calls))).is_err());
    let resumed = fit(schedule, &mut run(parts.path(), true), None, None, Some(&mut |_: &Linear| score(&mut calls))).expect("goes on");
    assert_eq!(resumed.summary.steps, 60);
    assert_eq!(resumed.sampled.weight.val().to_data(), expected.sampled.weight.val().to_data());
    // Without patience running out, the last third of all steps.
    let mut calls = 0.0;
    let mut better = |_: &Linear| {
        calls -= 1.0;
        calls
    };
    let trained = fit(schedule, &mut run(tempfile::tempdir().expect("temp").path(), false), None, None, Some(&mut better)).expect("trains");
    assert_eq!(trained.summary.steps, 100);
}
