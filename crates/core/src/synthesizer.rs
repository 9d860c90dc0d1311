//! Synthesizers: fit, sample, save, and what only some models can do.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use burn::tensor::Device;
use serde::{Deserialize, Serialize};

use crate::checkpoint::Checkpoint;
use crate::config::Setting;
use crate::data::Data;
use crate::precision::Precision;
use crate::progress::{Observer, Silent};
use crate::trainer::STATE_FILE;
use crate::{Error, Result};

/// Sampled data with what it took to make them.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample<D> {
    /// The data.
    pub data: D,
    /// How many rows were drawn to find those that meet the conditions; equal to the number of rows when none had to be refused.
    pub drawn_rows: u64,
}

/// What a search for items that meet conditions found.
#[derive(Debug, Clone, PartialEq)]
pub struct Found<D> {
    /// The items that were found, in the order of their addresses, perhaps none.
    pub sample: Sample<D>,
    /// Why others are lacking: conditions that are too rare.
    pub cut: Option<String>,
}

/// Device, precision, seed, folder and observer of a fit.
pub struct Run {
    /// The device to train on.
    pub device: Device,
    /// Further devices, each of which learns from its part of every batch ([`crate::parallel`]); models that cannot refuse with the reason.
    pub extra_devices: Vec<Device>,
    /// The precision of products while training.
    pub precision: Precision,
    /// Whether blocks of transformers keep their inputs only and compute the rest anew for gradients: less memory, more time.
    pub recompute: bool,
    /// The seed of everything random in the fit.
    pub seed: u64,
    /// Where log and resume state go; `None` keeps nothing.
    pub folder: Option<PathBuf>,
    /// Whether to resume from the state in `folder`.
    pub resume: bool,
    /// The observer of its progress.
    pub observer: Box<dyn Observer>,
    /// Set by a Ctrl-C handler: the run saves its state and ends.
    pub stop: Arc<AtomicBool>,
    /// When training ends with what was learned until then. What it is then depends on the speed of the machine.
    pub deadline: Option<Instant>,
}

impl Run {
    /// A silent run on `device` that keeps nothing on disk.
    pub fn new(device: Device, seed: u64) -> Self {
        Self {
            device,
            extra_devices: Vec::new(),
            precision: Precision::F32,
            recompute: false,
            seed,
            folder: None,
            resume: false,
            observer: Box::new(Silent),
            stop: Arc::default(),
            deadline: None,
        }
    }

    /// Refuses further devices for a model whose step needs the whole batch in one place.
    ///
    /// # Errors
    /// When there are further devices.
    pub fn check_single_device(&self, model: &str, why: &str) -> Result<()> {
        if self.extra_devices.is_empty() {
            return Ok(());
        }
        Err(Error::Config(format!("{model} is trained on one device: {why}; name one with --device")))
    }

    /// The same run for another worker: the same seed, precision and state, on `device`, silent.
    pub fn for_worker(&self, device: Device) -> Self {
        let Self { precision, recompute, seed, ref folder, resume, .. } = *self;
        Self { precision, recompute, folder: folder.clone(), resume, ..Self::new(device, seed) }
    }

    /// A part of this run, such as the fit of one of several models, with a folder of its own in this one's; it resumes if it has begun.
    ///
    /// # Errors
    /// Those of `fit`.
    pub fn part<T>(&mut self, name: &str, fit: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        let mut own = self.for_worker(self.device.clone());
        own.folder = self.folder.as_ref().map(|folder| folder.join(name));
        own.resume = self.resume && own.folder.as_ref().is_some_and(|folder| folder.join(STATE_FILE).exists());
        (own.stop, own.deadline) = (self.stop.clone(), self.deadline);
        own.observer = std::mem::replace(&mut self.observer, Box::new(Silent));
        let result = fit(&mut own);
        self.observer = own.observer;
        result
    }

    /// Whether the time for training is over.
    pub fn is_late(&self) -> bool {
        self.deadline.is_some_and(|deadline| Instant::now() >= deadline)
    }

    /// Whether the run was asked to stop.
    pub fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}

/// What a fit did.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Summary {
    /// Training steps.
    pub steps: u64,
    /// Rows seen.
    pub rows_seen: u64,
    /// Seconds spent preparing the data.
    pub encode_secs: f64,
    /// Seconds spent training.
    pub train_secs: f64,
    /// The last tick's losses, by name.
    pub losses: Vec<(String, f64)>,
}

impl Summary {
    /// The summary of a fit without training steps.
    pub fn without_steps(rows_seen: u64, train_secs: f64) -> Self {
        Self { rows_seen, train_secs, ..Self::default() }
    }

    /// The same with the seconds spent preparing the data.
    pub fn with_encode_secs(self, encode_secs: f64) -> Self {
        Self { encode_secs, ..self }
    }
}

/// A model for one kind of data: fit, sample, save. The registry loads models, by the name in the file.
///
/// What only some models can do is a capability that the model hands out: [`Synthesizer::likelihood`], [`Synthesizer::rebuild`],
/// [`Synthesizer::export`].
pub trait Synthesizer<D: Data>: Send {
    /// Learns from `data`.
    ///
    /// # Errors
    /// Data that cannot be learned from, a setting out of range, a loss that is not finite, an interruption, a full disk.
    fn fit(&mut self, data: &D, run: &mut Run) -> Result<Summary>;

    /// Samples the items of a request.
    ///
    /// # Errors
    /// A model that was not fitted, or a condition that cannot be met within the bounded effort.
    fn sample(&self, request: &D::Request) -> Result<Sample<D>>;

    /// As [`Synthesizer::sample`], but where conditions are too rare for some items, the others are kept. `watch` hears how many items were
    /// found so far, as often as a model can tell.
    ///
    /// # Errors
    /// As [`Synthesizer::sample`]; a model whose search is not of this kind reports conditions that are too rare as an error.
    fn search(&self, request: &D::Request, _watch: &mut dyn FnMut(u64)) -> Result<Found<D>> {
        Ok(Found { sample: self.sample(request)?, cut: None })
    }

    /// Writes the one-file checkpoint.
    ///
    /// # Errors
    /// A model that was not fitted, or a file that cannot be written; then nothing is left behind.
    fn save(&self, path: &Path) -> Result<()>;

    /// The model's likelihood, if it can be estimated.
    fn likelihood(&self) -> Option<&dyn Likelihood<D>> {
        None
    }

    /// Sampling from given data, if the model can do it.
    fn rebuild(&self) -> Option<&dyn Rebuild<D>> {
        None
    }

    /// Formats of other programs that the model can be written in, if there are any.
    fn export(&self) -> Option<&dyn Export> {
        None
    }
}

/// The capability of estimating the likelihood of data.
pub trait Likelihood<D: Data> {
    /// An estimate of the negative log-likelihood of each item in nats, from `samples` random numbers each. The more samples, the closer it
    /// comes to the exact value, on average from above.
    ///
    /// # Errors
    /// A model that was not fitted, or data of another form.
    fn negative_log_likelihoods(&self, data: &D, samples: usize, seed: u64) -> Result<Vec<f64>>;

    /// The parts that make up an item's negative log-likelihood, such as the columns of a row, by name; one number for each item, and a mean
    /// over the random numbers.
    ///
    /// # Errors
    /// As [`Likelihood::negative_log_likelihoods`], and a model whose items have no parts.
    fn parts(&self, data: &D, samples: usize, seed: u64) -> Result<Vec<(String, Vec<f64>)>> {
        let _ = (data, samples, seed);
        Err(Error::Config("the likelihood of this model has no parts; omit --per-column".into()))
    }
}

/// The capability of making data from data instead of from noise: image-to-image, inpainting, the reconstruction of an autoencoder.
pub trait Rebuild<D: Data> {
    /// One item for each of `init`. What `mask` marks stays as it is. Conditions hold as in sampling.
    ///
    /// # Errors
    /// As [`Synthesizer::sample`], data of another form, and a mask where the model knows none.
    fn rebuild(&self, init: &D, mask: Option<&D>, request: &D::Request) -> Result<Sample<D>>;
}

/// The capability of export to other programs.
pub trait Export {
    /// The formats by name, for example `diffusers`.
    fn formats(&self) -> &'static [&'static str];

    /// Writes the model to a new folder.
    ///
    /// # Errors
    /// A format that is not one of [`Export::formats`], a model that was not fitted, a folder that exists or cannot be written.
    fn export(&self, format: &str, folder: &Path) -> Result<()>;
}

/// A model as the registry lists it. Adding a model is one file and one such entry in its family's list.
pub struct Entry<D: 'static> {
    /// The name that `--model` takes and the model file holds.
    pub name: &'static str,
    /// What it is, in one line.
    pub summary: &'static str,
    /// An unfitted model with these settings; fields left out have their defaults.
    pub build: fn(serde_json::Value) -> Result<Box<dyn Synthesizer<D>>>,
    /// Its settings, for help.
    pub settings: fn() -> Vec<Setting>,
    /// The model in a file; the path only names it in errors.
    pub load: fn(&Checkpoint, &Path, &Device) -> Result<Box<dyn Synthesizer<D>>>,
}

impl<D> Clone for Entry<D> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<D> Copy for Entry<D> {}

/// The error of a model that is used before it was fitted.
pub fn not_fitted() -> Error {
    Error::Config("the model has not been fitted yet; call fit first".into())
}
