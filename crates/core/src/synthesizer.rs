//! What a user holds: data in, a trained generator, data out.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use burn::tensor::Device;
use serde::{Deserialize, Serialize};

use crate::checkpoint::Checkpoint;
use crate::precision::Precision;
use crate::progress::{Observer, Silent};
use crate::{Error, Result};

/// A wish about one column (of a table) or attribute (of an image, say its class).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Condition {
    /// The column's name.
    pub column: String,
    /// What its value must be.
    pub wanted: Wanted,
}

/// The values that a [`Condition`] allows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Wanted {
    /// Exactly this: a label, or a number as text; the empty text asks for a missing value.
    Is(String),
    /// A number from `low` to `high`, both allowed.
    Between {
        /// The least value.
        low: f64,
        /// The greatest value.
        high: f64,
    },
}

/// What to sample. Row `i` of (model, seed, conditions) is the same whatever the range or batch that it is asked in.
#[derive(Debug, Clone, PartialEq)]
pub struct SampleRequest {
    /// The rows to make, as positions in the endless table of this seed.
    pub rows: Range<u64>,
    /// The seed.
    pub seed: u64,
    /// Conditions that every row meets.
    pub conditions: Vec<Condition>,
    /// A categorical column whose values shall all come equally often.
    pub balance: Option<String>,
    /// Rows computed at once: changes memory and speed, never the result.
    pub batch_rows: usize,
    /// How the model samples, in its own settings (solver steps and guidance of a diffusion model...); null leaves all as it was fitted.
    pub settings: serde_json::Value,
    /// The way from the sample at one address to that at another, in as many rows as are asked for, instead of those rows.
    pub between: Option<[u64; 2]>,
}

impl SampleRequest {
    /// Rows `0..rows` of `seed`, without conditions.
    pub fn new(rows: u64, seed: u64) -> Self {
        Self {
            rows: 0..rows,
            seed,
            conditions: Vec::new(),
            balance: None,
            batch_rows: 4096,
            settings: serde_json::Value::Null,
            between: None,
        }
    }

    /// Refuses what only models of images know, on behalf of those that do not.
    ///
    /// # Errors
    /// Names what was asked for.
    pub fn plain_rows_only(&self) -> Result<()> {
        if !self.settings.is_null() {
            return Err(Error::Config("this model has no settings for sampling; leave them out".into()));
        }
        match self.between {
            Some(_) => Err(Error::Config("this model has no way from one sample to another; ask for rows".into())),
            None => Ok(()),
        }
    }
}

/// Sampled data with what it took to make them.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample<D> {
    /// The data.
    pub data: D,
    /// How many rows were drawn to find those that meet the conditions; equal to the number of rows when none had to be refused.
    pub drawn_rows: u64,
}

/// Where, with what seed and under whose eyes a fit runs.
pub struct Run {
    /// The device to train on.
    pub device: Device,
    /// Further devices, each of which learns from its part of every batch ([`crate::parallel`]); which models can is said by those that cannot.
    pub extra_devices: Vec<Device>,
    /// The precision of products while training.
    pub precision: Precision,
    /// The seed of everything random in the fit.
    pub seed: u64,
    /// Where log and resume state go; `None` keeps nothing.
    pub folder: Option<PathBuf>,
    /// Whether to go on from the state in `folder`.
    pub resume: bool,
    /// Who is told how it goes.
    pub observer: Box<dyn Observer>,
    /// Set by a Ctrl-C handler: the run saves its state and ends.
    pub stop: Arc<AtomicBool>,
}

impl Run {
    /// A silent run on `device` that keeps nothing on disk.
    pub fn new(device: Device, seed: u64) -> Self {
        Self {
            device,
            extra_devices: Vec::new(),
            precision: Precision::F32,
            seed,
            folder: None,
            resume: false,
            observer: Box::new(Silent),
            stop: Arc::default(),
        }
    }

    /// Refuses further devices for a model whose step needs the whole batch in one place.
    ///
    /// # Errors
    /// When there are further devices.
    pub fn check_alone(&self, model: &str, why: &str) -> Result<()> {
        if self.extra_devices.is_empty() {
            return Ok(());
        }
        Err(Error::Config(format!("{model} is trained on one device: {why}; name one with --device")))
    }

    /// The same run for another worker: the same seed, precision and state, on `device`, telling nobody anything.
    pub fn for_worker(&self, device: Device) -> Self {
        let Self { precision, seed, ref folder, resume, .. } = *self;
        Self { precision, folder: folder.clone(), resume, ..Self::new(device, seed) }
    }

    /// Whether the run was asked to stop.
    pub fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}

/// What a fit did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
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

/// Transform, model and sampler behind four verbs. Loading is the facade's `load`, which finds the model's name in the file.
pub trait Synthesizer: Send {
    /// What it learns from and makes.
    type Data;

    /// Learns from `data`.
    ///
    /// # Errors
    /// Data that cannot be learnt from, a setting out of range, a loss that is not finite, an interruption, a full disk.
    fn fit(&mut self, data: &Self::Data, run: &mut Run) -> Result<Summary>;

    /// Makes the rows asked for.
    ///
    /// # Errors
    /// A model that was not fitted, or a condition that cannot be met within the bounded effort.
    fn sample(&self, request: &SampleRequest) -> Result<Sample<Self::Data>>;

    /// Makes data out of `data` instead of noise, one for each: images from images (`settings.strength` says how far they go), or what an
    /// autoencoder makes of them. Where `keep` is given, its bright pixels stay as they are. The conditions hold as in sampling.
    ///
    /// # Errors
    /// A model that makes data only out of noise, and as [`Synthesizer::sample`].
    fn remake(&self, _data: &Self::Data, _keep: Option<&Self::Data>, _request: &SampleRequest) -> Result<Sample<Self::Data>> {
        Err(Error::Config("this model makes data out of noise only, not out of other data".into()))
    }

    /// How unlikely the model finds each of `data`: an estimate of the negative logarithm of its likelihood in nats, from `samples` random
    /// numbers each. The more samples, the closer it comes to the exact value, on average from above.
    ///
    /// # Errors
    /// A model without a likelihood that can be estimated, one that was not fitted, or data of another shape.
    fn negative_log_likelihoods(&self, _data: &Self::Data, _samples: usize, _seed: u64) -> Result<Vec<f64>> {
        Err(Error::Config("this model has no likelihood that can be estimated; a vae of images has".into()))
    }

    /// Writes a folder that Python's diffusers opens.
    ///
    /// # Errors
    /// A model that diffusers has no form for, one that was not fitted, a target that is there already, or a folder that cannot be written.
    fn export_diffusers(&self, _folder: &Path) -> Result<()> {
        Err(Error::Config("this model has no form that diffusers knows".into()))
    }

    /// Writes the one-file checkpoint.
    ///
    /// # Errors
    /// A model that was not fitted, or a file that cannot be written; then nothing is left behind.
    fn save(&self, path: &Path) -> Result<()>;
}

/// A model of the registry. Adding a model is one file and one such entry in its family's list.
pub struct Entry<D: 'static> {
    /// The name that `--model` takes and the model file holds.
    pub name: &'static str,
    /// What it is, in one line.
    pub summary: &'static str,
    /// An unfitted model with these settings; fields left out have their defaults.
    pub build: fn(serde_json::Value) -> Result<Box<dyn Synthesizer<Data = D>>>,
    /// The model in a file; the path only names it in errors.
    pub load: fn(&Checkpoint, &Path, &Device) -> Result<Box<dyn Synthesizer<Data = D>>>,
}

/// Settings from JSON; an unknown or ill-typed key is named.
///
/// # Errors
/// [`Error::Config`] with the key, and the keys there are.
pub fn settings<T: serde::de::DeserializeOwned>(model: &str, value: serde_json::Value) -> Result<T> {
    serde_json::from_value(value).map_err(|error| Error::Config(format!("settings of {model}: {error}")))
}
