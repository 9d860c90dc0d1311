//! What a command asks of a kind of data, and what it gets back.

use std::ops::Range;
use std::path::{Path, PathBuf};
#[cfg(feature = "metrics")]
use std::{
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};

use burn::tensor::Device;
use semblant_core::Result;
use semblant_core::data::Data;
use semblant_core::options::OptionValues;
use semblant_core::synthesizer::Summary;
#[cfg(feature = "metrics")]
use semblant_metrics::report::Report;
use serde_json::Value;

use crate::source::Source;

/// What a command does; options are declared for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verb {
    /// Fit a model.
    Fit,
    /// Sample data.
    Sample,
    /// Compare synthetic with real data.
    Evaluate,
    /// Fit several models and compare them.
    Compare,
    /// Show what data holds.
    Schema,
}

/// A model, without its type of data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ModelInfo {
    /// Its name.
    pub name: &'static str,
    /// What it is, in one line.
    pub summary: &'static str,
}

/// A fit.
pub struct FitJob<'a> {
    /// The model's name.
    pub model: &'a str,
    /// Its settings.
    pub settings: Value,
    /// The training data.
    pub source: &'a Source,
    /// Options of the kind, as declared for [`Verb::Fit`].
    pub options: &'a OptionValues,
    /// The model file; `None` where an option replaces the fit.
    pub output: Option<&'a Path>,
}

/// What a fit gave.
#[derive(Debug, Clone, PartialEq)]
pub enum FitOutcome {
    /// A model.
    Fitted(Summary),
    /// The file that an option wrote instead of a fit.
    Instead(PathBuf),
}

/// A sample.
pub struct SampleJob<'a> {
    /// The model's file or folder.
    pub model: &'a Path,
    /// Where to compute.
    pub device: &'a Device,
    /// The items to make; none where they are made from `init`.
    pub rows: Range<u64>,
    /// The seed.
    pub seed: u64,
    /// Data to make data from, and a mask of what stays.
    pub init: Option<(Source, Option<Source>)>,
    /// Options of the kind, as declared for [`Verb::Sample`].
    pub options: &'a OptionValues,
    /// The file or folder to write.
    pub output: &'a Path,
}

/// What a sample gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SampleOutcome {
    /// Items made and written, in the order of their addresses.
    pub items: u64,
    /// Why there are fewer than were asked for: conditions that are too rare. The addresses that were not found are then left out.
    pub cut: Option<String>,
    /// Items drawn to find them.
    pub drawn: u64,
}

/// An evaluation.
pub struct EvaluateJob<'a> {
    /// The training data.
    pub real: &'a Source,
    /// The synthetic data.
    pub synthetics: Vec<Source>,
    /// Real data that the model never saw.
    pub holdout: Option<Source>,
    /// The seed.
    pub seed: u64,
    /// Where networks run.
    pub device: &'a Device,
    /// The model whose settings shadow models are trained with.
    pub shadow: Option<&'a Path>,
    /// The date, for the report.
    pub date: Option<&'a str>,
    /// Options of the kind, as declared for [`Verb::Evaluate`].
    pub options: &'a OptionValues,
}

/// A comparison of models.
#[cfg(feature = "metrics")]
pub struct CompareJob<'a> {
    /// The models by name, each with its settings.
    pub models: Vec<(String, Value)>,
    /// The data.
    pub source: &'a Source,
    /// Data that no model sees; without it a part of the data is held out.
    pub holdout: Option<Source>,
    /// The share of the data that is held out.
    pub holdout_share: f64,
    /// How long each model is trained at most; without it as long as its settings say. Models then depend on the speed of the machine.
    pub budget: Option<Duration>,
    /// The seed of the split, of the fits and of the samples.
    pub seed: u64,
    /// Where to train.
    pub device: &'a Device,
    /// The date, for the reports.
    pub date: Option<&'a str>,
    /// Set to end the comparison.
    pub stop: Arc<AtomicBool>,
    /// Options of the kind, as declared for [`Verb::Evaluate`].
    pub options: &'a OptionValues,
}

/// One of the models of a comparison.
#[cfg(feature = "metrics")]
pub struct Compared {
    /// The model.
    pub model: String,
    /// What its fit did.
    pub summary: Summary,
    /// How long its sample took.
    pub sample_secs: f64,
    /// Its scores.
    pub report: Report,
}

/// Negative log-likelihoods in nats, one per item.
pub struct LikelihoodJob<'a> {
    /// The model.
    pub model: &'a Path,
    /// The data.
    pub source: &'a Source,
    /// Random numbers for each item.
    pub samples: usize,
    /// The seed.
    pub seed: u64,
    /// Where to compute.
    pub device: &'a Device,
    /// Options of the kind, as declared for [`Verb::Evaluate`].
    pub options: &'a OptionValues,
    /// Whether the parts of every item are wanted too, such as the columns of a row.
    pub parts: bool,
}

/// Negative log-likelihoods of items.
#[derive(Debug, Clone, PartialEq)]
pub struct Likelihoods {
    /// In nats, one per item.
    pub nats: Vec<f64>,
    /// Values per item, if all items have the same number.
    pub dimensions: Option<usize>,
    /// Values of all items together and what one is called, where items have different numbers.
    pub values: Option<(usize, &'static str)>,
    /// The parts by name, in nats, one per item; none where they were not asked for.
    pub parts: Vec<(String, Vec<f64>)>,
}

/// An evaluation of data of kind `D`.
pub struct EvaluationJob<'a, D: Data> {
    /// The training data, and its name.
    pub real: (&'a str, &'a D),
    /// The synthetic data, and their names.
    pub synthetics: Vec<(&'a str, &'a D)>,
    /// Real data that the model never saw, and its name.
    pub holdout: Option<(&'a str, &'a D)>,
    /// The seed of subsamples and of models that are trained.
    pub seed: u64,
    /// Where networks run.
    pub device: &'a Device,
    /// The name of the model that made the synthetic data, where it is known.
    pub model: Option<&'a str>,
    /// The date, for the report.
    pub date: Option<&'a str>,
    /// Trains a model like that of the synthetic data on other data and samples it, for membership inference by shadow models.
    pub retrain: Option<&'a Retrain<'a, D>>,
    /// Options of the kind, as declared for [`Verb::Evaluate`].
    pub options: &'a OptionValues,
}

/// From training data, a number of items and a seed to a sample of a newly trained model.
pub type Retrain<'a, D> = dyn Fn(&D, u64, u64) -> Result<D> + 'a;
