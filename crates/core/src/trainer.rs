//! The training loop, for any model.
//!
//! A step's randomness is a function of (seed, step), so the state of a run is weights, averages, optimizer moments and the step
//! number, and a run that was killed continues to the same bits as one that was not.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

use burn::tensor::Device;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::checkpoint::Checkpoint;
use crate::ema::Ema;
use crate::memory::Memory;
use crate::model::{Losses, Model, Part, Step};
use crate::nn::recomputing;
use crate::optim::Optimizers;
use crate::parallel::Rank;
use crate::precision::{Precision, within};
use crate::progress::Event;
use crate::synthesizer::{Run, Summary};
use crate::{Error, Result, host};

/// The resume state's file in a run's folder.
pub const STATE_FILE: &str = "state.safetensors";
/// The log's file in a run's folder: one JSON object a tick.
pub const LOG_FILE: &str = "log.jsonl";

/// The steps of a run, and how often it logs and saves.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TrainSchedule {
    /// Steps in all.
    pub steps: u64,
    /// Rows a step learns from.
    pub batch_rows: u64,
    /// Rows between two ticks: a tick reads the losses back, writes a log line and checks for NaN.
    pub tick_rows: u64,
    /// Rows between two saved states.
    pub checkpoint_rows: u64,
    /// Stop after this many ticks without a better score, and keep the best; 0 never stops early.
    pub patience_ticks: u64,
    /// With patience: once the score no longer improves, the learning rate falls in a straight line to 0 over this share of the steps so far,
    /// and the run ends there; 0 ends it at once. `steps` bounds both together.
    pub anneal: f64,
}

impl Default for TrainSchedule {
    fn default() -> Self {
        Self { steps: 1000, batch_rows: 500, tick_rows: 50_000, checkpoint_rows: 1_000_000, patience_ticks: 0, anneal: 0.0 }
    }
}

/// A score of a model, lower is better, for early stopping.
pub type Score<'a, S> = &'a mut dyn FnMut(&S) -> f64;

/// Sees a model while it is trained, with the number of rows seen so far.
pub type Watch<'a, S> = &'a mut dyn FnMut(&S, u64) -> Result<()>;

/// The loop's own state, in addition to weights and moments.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct Clock {
    step: u64,
    optimizer_steps: BTreeMap<String, u64>,
    /// Length of the log when this state was saved: a resumed run cuts off the lines that it will write again.
    log_bytes: u64,
    best_score: Option<f64>,
    ticks_since_best: u64,
    /// The steps between which the rate falls to 0, once that has begun.
    #[serde(default)]
    anneal: Option<(u64, u64)>,
    fingerprint: String,
}

/// A trained model.
pub struct Trained<M: Model> {
    /// What to sample from: the weight average, or the best one if early stopping was on.
    pub sampled: M::Sampled,
    /// What the fit did.
    pub summary: Summary,
}

/// The loop: drives any [`Model`], keeps the average, the log and the state. See [`Trainer::fit`].
pub struct Trainer<'a, M: Model> {
    schedule: TrainSchedule,
    ema: Ema,
    batch: &'a mut dyn FnMut(&Step) -> M::Batch,
    /// The step from which ticks have a score, and the score.
    score: Option<(u64, Score<'a, M::Sampled>)>,
    watch: Option<Watch<'a, M::Sampled>>,
    fingerprint: String,
    rank: Option<Rank>,
}

impl<'a, M: Model> Trainer<'a, M> {
    /// A loop of `schedule` that averages weights by `ema`. `batch` makes the batch of a step; it must be a function of the step alone, so
    /// that a resumed run sees the same batches. `fingerprint` identifies data and settings: a saved state with another one is refused.
    pub fn new(schedule: TrainSchedule, ema: Ema, fingerprint: impl Into<String>, batch: &'a mut dyn FnMut(&Step) -> M::Batch) -> Self {
        Self { schedule, ema, batch, score: None, watch: None, fingerprint: fingerprint.into(), rank: None }
    }

    /// The same with a score, lower is better, for early stopping after [`TrainSchedule::patience_ticks`].
    pub fn with_score(self, score: Score<'a, M::Sampled>) -> Self {
        self.with_score_from(0, score)
    }

    /// [`Trainer::with_score`], but ticks before step `first` have no score. The best state is kept, whatever the patience.
    pub fn with_score_from(mut self, first: u64, score: Score<'a, M::Sampled>) -> Self {
        self.score = Some((first, score));
        self
    }

    /// The same with a function that sees the average at every tick, to draw samples of it for example.
    pub fn with_watch(mut self, watch: Watch<'a, M::Sampled>) -> Self {
        self.watch = Some(watch);
        self
    }

    /// The same as one of several workers that train one model.
    pub fn with_rank(mut self, rank: Rank) -> Self {
        self.rank = Some(rank);
        self
    }
}

/// What moves during a run.
struct State<M: Model> {
    model: M,
    average: M::Sampled,
    best: Option<M::Sampled>,
    optimizers: Optimizers,
    clock: Clock,
}

impl<M: Model> Trainer<'_, M> {
    /// Trains `model` to the end of the schedule, or from the state in the run's folder on if the run resumes.
    ///
    /// # Errors
    /// [`Error::NotFinite`] when a loss or a value of a state to be saved is NaN or infinite (the last state on disk is kept), [`Error::Interrupted`] when the run was
    /// asked to stop (its state is saved first), [`Error::Worker`] when another worker has gone, and whatever writing log and state can meet.
    pub fn fit(mut self, model: M, optimizers: Optimizers, run: &mut Run) -> Result<Trained<M>> {
        let started = Instant::now();
        let mut state = self.begin(model, optimizers, run)?;
        let mut log = open_log(run, state.clock.log_bytes)?;
        let mut losses = Losses::default();
        let mut named = Vec::new();
        let [done, total] = [state.clock.step, self.end(&state.clock)].map(|steps| steps * self.schedule.batch_rows);
        run.observer.event(Event::Rows { done, total });
        while state.clock.step < self.end(&state.clock) {
            self.begin_annealing(&mut state.clock);
            let step = self.step(&state.clock, run.seed);
            (state.model, losses) = self.train(state.model, &mut state.optimizers, &step, run)?;
            state.average = self.ema.update(state.average, &state.model.sampled(), &step);
            state.clock.step += 1;
            let rows = step.rows_seen + step.batch_rows;
            run.observer.event(Event::Rows { done: rows, total: self.end(&state.clock) * self.schedule.batch_rows });
            let (last, stopped, late) = (state.clock.step == self.end(&state.clock), run.stopped(), run.is_late());
            let [ticks, saves] = [self.schedule.tick_rows, self.schedule.checkpoint_rows].map(|every| crosses(step.rows_seen, rows, every));
            if last || ticks || late {
                named = self.tick(&mut state, &losses, &step, run, log.as_mut(), started)?;
                if late && !last {
                    run.observer.event(Event::Note("stopped by its time budget: longer training may be better"));
                    break;
                }
                if self.schedule.anneal == 0.0 && self.out_of_patience(&state.clock) {
                    run.observer.event(Event::Note("stopped early: the score no longer improves"));
                    break;
                }
            }
            if !last && (stopped || saves) {
                if !ticks {
                    // Of this worker's rows alone: where several learn, the others do not know that this one saves.
                    check(&values(&losses), &step, run)?;
                }
                self.save(&mut state, &step, run, log.as_mut())?;
            }
            if stopped && !last {
                return Err(interrupted(&state.clock, run));
            }
        }
        drop(losses);
        run.observer.event(Event::Done);
        let rows_seen = state.clock.step * self.schedule.batch_rows;
        let summary =
            Summary { steps: state.clock.step, rows_seen, encode_secs: 0.0, train_secs: started.elapsed().as_secs_f64(), losses: named };
        // What was annealed is the end of the run, whose marginals are exact, not the state of the best score before it.
        let best = state.best.filter(|_| state.clock.anneal.is_none());
        Ok(Trained { sampled: best.unwrap_or(state.average), summary })
    }

    /// Takes part in a run that another worker leads, to its end or until that one goes: the same steps on this worker's part of every batch.
    ///
    /// # Errors
    /// As [`Trainer::fit`] has them before its first step. That the leader has gone is none: it says why itself.
    pub fn fit_worker(mut self, model: M, optimizers: Optimizers, run: &mut Run) -> Result<()> {
        let State { mut model, mut optimizers, clock, .. } = self.begin(model, optimizers, run)?;
        for index in clock.step..self.schedule.steps {
            let step = self.step(&Clock { step: index, ..clock.clone() }, run.seed);
            let Ok((moved, losses)) = self.train(model, &mut optimizers, &step, run) else { return Ok(()) };
            model = moved;
            let rows = step.rows_seen + step.batch_rows;
            if index + 1 == self.schedule.steps || crosses(step.rows_seen, rows, self.schedule.tick_rows) {
                self.read(&losses, &step);
            }
        }
        Ok(())
    }

    /// What a run begins with: fresh, or from the state in its folder.
    fn begin(&mut self, model: M, mut optimizers: Optimizers, run: &mut Run) -> Result<State<M>> {
        run.precision.check(&run.device)?;
        // Nothing was drawn yet, so a network that is too large has cost nothing.
        Memory::of_process().check_training(&model)?;
        if run.precision != Precision::F32 {
            self.fingerprint.push_str("-bf16");
        }
        if let Some(rank) = &self.rank {
            optimizers.join(rank.communicator());
        }
        let average = model.sampled();
        let clock = Clock { fingerprint: self.fingerprint.clone(), ..Clock::default() };
        let state = State { model, average, best: None, optimizers, clock };
        if run.resume { self.resume(state, run) } else { Ok(state) }
    }

    /// One step.
    fn train(&mut self, model: M, optimizers: &mut Optimizers, step: &Step, run: &Run) -> Result<(M, Losses)> {
        let batch = (self.batch)(step);
        let moved = recomputing(run.recompute, || within(run.precision, || model.train_step(batch, optimizers, step)));
        if optimizers.is_alone() { Err(Error::Worker { step: step.index }) } else { Ok(moved) }
    }

    /// The losses by name, of all workers' rows together (the only sync point of the loop).
    fn read(&self, losses: &Losses, step: &Step) -> Vec<(String, f64)> {
        let mut named = values(losses);
        if let Some(rank) = &self.rank {
            let share = step.places().len() as f32 / step.batch_rows as f32;
            let own = named.iter().map(|&(_, value)| value as f32).collect();
            // Where a worker has gone the next step says so; these are then this worker's own.
            if let Some(sums) = rank.communicator().sum(own, share) {
                named.iter_mut().zip(&*sums).for_each(|((_, value), &sum)| *value = f64::from(sum));
            }
        }
        named
    }

    fn step(&self, clock: &Clock, seed: u64) -> Step {
        let (index, batch_rows) = (clock.step, self.schedule.batch_rows);
        let part = self.rank.as_ref().map_or(Part::WHOLE, Rank::part);
        let rate = clock.anneal.map_or(1.0, |(begin, end)| (end - index) as f64 / (end - begin).max(1) as f64);
        Step { index, rows_seen: index * batch_rows, total_rows: self.schedule.steps * batch_rows, batch_rows, seed, part, rate }
    }

    /// The step that the run ends before.
    fn end(&self, clock: &Clock) -> u64 {
        clock.anneal.map_or(self.schedule.steps, |(_, end)| end)
    }

    fn out_of_patience(&self, clock: &Clock) -> bool {
        self.schedule.patience_ticks > 0 && clock.ticks_since_best >= self.schedule.patience_ticks
    }

    /// Begins to bring the rate to 0 when the score no longer improves, or else in time to end with the last step.
    fn begin_annealing(&self, clock: &mut Clock) {
        let share = self.schedule.anneal;
        if share > 0.0 && clock.anneal.is_none() {
            let needed = ((clock.step as f64 * share).ceil() as u64).max(1);
            if self.out_of_patience(clock) || clock.step + needed >= self.schedule.steps {
                clock.anneal = Some((clock.step, (clock.step + needed).min(self.schedule.steps)));
            }
        }
    }

    /// Reads the losses back, judges them, and writes a log line.
    fn tick(
        &mut self,
        state: &mut State<M>,
        losses: &Losses,
        step: &Step,
        run: &mut Run,
        log: Option<&mut File>,
        started: Instant,
    ) -> Result<Vec<(String, f64)>> {
        let named = self.read(losses, step);
        let rows_seen = step.rows_seen + step.batch_rows;
        check(&named, step, run)?;
        run.observer.event(Event::Losses(&named));
        let mut line = json!({ "step": step.index + 1, "rows_seen": rows_seen, "elapsed_secs": (started.elapsed().as_secs_f64() * 1e3).round() / 1e3 });
        for (name, value) in &named {
            line[name] = json!(value);
        }
        if let Some((_, score)) = self.score.as_mut().filter(|(first, _)| step.index >= *first) {
            let value = score(&state.average);
            line["score"] = json!(value);
            if state.clock.best_score.is_none_or(|best| value < best) {
                state.clock.best_score = Some(value);
                state.clock.ticks_since_best = 0;
                state.best = Some(state.average.clone());
            } else {
                state.clock.ticks_since_best += 1;
            }
        }
        if let (Some(file), Some(folder)) = (log, &run.folder) {
            writeln!(file, "{line}").map_err(|source| Error::io(folder.join(LOG_FILE), source))?;
        }
        if let Some(watch) = &mut self.watch {
            watch(&state.average, rows_seen)?;
        }
        Ok(named)
    }

    /// Writes the whole state after `step` as one file, renamed into place, so that there is always one that can be resumed from.
    fn save(&self, state: &mut State<M>, step: &Step, run: &Run, log: Option<&mut File>) -> Result<()> {
        let Some(folder) = &run.folder else { return Ok(()) };
        if let Some(file) = log {
            file.sync_all().map_err(|source| Error::io(folder.join(LOG_FILE), source))?;
            state.clock.log_bytes = file.metadata().map(|log| log.len()).map_err(|source| Error::io(folder.join(LOG_FILE), source))?;
        }
        let mut file = Checkpoint::new("resume-state");
        file.add_module("model", &state.model)?;
        file.add_module("average", &state.average)?;
        if let Some(best) = &state.best {
            file.add_module("best", best)?;
        }
        let (moments, steps) = state.optimizers.state(&state.model);
        moments.iter().for_each(|(name, tensor)| file.add_tensor(&format!("moments.{name}"), tensor));
        if let Some((name, value)) = file.not_finite()? {
            return Err(not_finite(format!("the state's {name}"), value.into(), step, run));
        }
        state.clock.optimizer_steps = steps;
        file.metadata.insert("clock".into(), json!(state.clock).to_string());
        file.write(&folder.join(STATE_FILE))
    }

    fn resume(&self, mut state: State<M>, run: &mut Run) -> Result<State<M>> {
        let Some(folder) = run.folder.clone() else {
            return Err(Error::Config("a run without a folder has no state to resume from".into()));
        };
        let path = folder.join(STATE_FILE);
        if !path.exists() {
            run.observer.event(Event::Note("no saved state: starting from the beginning"));
            return Ok(state);
        }
        let file = Checkpoint::read(&path)?;
        let clock: Clock = file.metadata_as("clock", &path)?;
        if clock.fingerprint != self.fingerprint {
            return Err(Error::checkpoint(
                &path,
                "this state belongs to other data, settings or another seed; use the same as before, or start without --resume",
            ));
        }
        let device: Device = run.device.clone();
        state.model = file.load_module("model", state.model, &path)?;
        if clock.best_score.is_some() {
            state.best = Some(file.load_module("best", state.average.clone(), &path)?);
        }
        state.average = file.load_module("average", state.average, &path)?;
        state.optimizers.restore(&state.model, |name| file.tensor(&format!("moments.{name}"), &device), &clock.optimizer_steps);
        run.observer.event(Event::Note(&format!("resuming at step {}", clock.step)));
        state.clock = clock;
        Ok(state)
    }
}

/// The saved states in the folder of a run and in those of its parts, which have folders of their own in it.
pub fn states(folder: &Path) -> Vec<PathBuf> {
    let own = folder.join(STATE_FILE);
    let mut all: Vec<PathBuf> = own.is_file().then_some(own).into_iter().collect();
    let entries = std::fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
    let mut parts: Vec<PathBuf> =
        entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())).map(|entry| entry.path()).collect();
    parts.sort();
    all.extend(parts.iter().flat_map(|part| states(part)));
    all
}

/// Whether a multiple of `every` lies in `(before, after]`; never when `every` is 0.
fn crosses(before: u64, after: u64, every: u64) -> bool {
    every > 0 && before / every != after / every
}

/// The losses by name, read from the device.
fn values(losses: &Losses) -> Vec<(String, f64)> {
    losses.0.iter().map(|(name, value)| ((*name).into(), f64::from(host::scalar(value.clone())))).collect()
}

fn check(losses: &[(String, f64)], step: &Step, run: &Run) -> Result<()> {
    match losses.iter().find(|(_, value)| !value.is_finite()) {
        Some((loss, value)) => Err(not_finite(format!("the {loss} loss"), *value, step, run)),
        None => Ok(()),
    }
}

fn not_finite(what: String, value: f64, step: &Step, run: &Run) -> Error {
    let kept = match run.folder.as_deref().filter(|folder| folder.join(STATE_FILE).exists()) {
        Some(folder) => format!("the last good state is kept in {}", folder.display()),
        None => "no state had been saved yet".into(),
    };
    Error::NotFinite { what, value, step: step.index, rows_seen: step.rows_seen + step.batch_rows, kept }
}

fn interrupted(clock: &Clock, run: &Run) -> Error {
    let kept = match &run.folder {
        Some(folder) => format!("the state is saved in {}; continue with --resume", folder.display()),
        None => "nothing was saved, because the run has no folder".into(),
    };
    Error::Interrupted { step: clock.step, kept }
}

/// Opens the log for appending after its first `keep` bytes; a fresh run begins a new one.
fn open_log(run: &Run, keep: u64) -> Result<Option<File>> {
    let Some(folder) = &run.folder else { return Ok(None) };
    std::fs::create_dir_all(folder).map_err(|source| Error::io(folder, source))?;
    let path: PathBuf = folder.join(LOG_FILE);
    let open = || -> std::io::Result<File> {
        if keep == 0 {
            // A new file, so that no link in its place is followed.
            match std::fs::remove_file(&path) {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
                _ => return File::options().append(true).create_new(true).open(&path),
            }
        }
        let file = File::options().append(true).create(true).open(&path)?;
        // A log that was cut meanwhile is not made longer, and goes on with a new line.
        let mut kept = Vec::new();
        File::open(&path)?.take(keep).read_to_end(&mut kept)?;
        // By another handle, since not every system lets one for appending shorten a file.
        File::options().write(true).open(&path)?.set_len(kept.iter().rposition(|&byte| byte == b'\n').map_or(0, |end| end as u64 + 1))?;
        Ok(file)
    };
    open().map(Some).map_err(|source| Error::io(&path, source))
}

/// Names what a run learns from and how (data, settings, seed), so that a saved state is not taken up by another run.
pub fn fingerprint(of: impl std::hash::Hash) -> String {
    use std::hash::Hasher;
    // SipHash with its fixed keys: stable for one build of the standard library, and a changed build is a reason to start anew.
    #[allow(deprecated)]
    let mut hasher = std::hash::SipHasher::new();
    of.hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}

/// Reads the log of a run's folder back, one JSON object a tick.
///
/// # Errors
/// A log that cannot be read or a line that is not JSON.
pub fn read_log(folder: &Path) -> Result<Vec<serde_json::Value>> {
    let path = folder.join(LOG_FILE);
    let mut text = String::new();
    File::open(&path).and_then(|mut file| file.read_to_string(&mut text)).map_err(|source| Error::io(&path, source))?;
    text.lines().map(|line| serde_json::from_str(line).map_err(|error| Error::checkpoint(&path, error.to_string()))).collect()
}
