//! What the command line does with data of any kind: fit, sample, evaluate, inspect, export, written once for all kinds.

#[cfg(feature = "metrics")]
mod compare;
mod jobs;
mod kind;

use std::any::Any;
use std::path::Path;

#[cfg(feature = "metrics")]
use semblant_core::Error;
use semblant_core::Result;
use semblant_core::checkpoint::Checkpoint;
use semblant_core::config::Setting;
#[cfg(feature = "metrics")]
use semblant_core::data::Data;
use semblant_core::options::{OptionSpec, OptionValues};
use semblant_core::progress::Observer;
use semblant_core::synthesizer::Run;
use serde_json::Value;

#[cfg(feature = "metrics")]
pub use jobs::{CompareJob, Compared};
pub use jobs::{
    EvaluateJob, EvaluationJob, FitJob, FitOutcome, LikelihoodJob, Likelihoods, ModelInfo, Retrain, SampleJob, SampleOutcome, Verb,
};
pub use kind::{Import, Kind, sample_to};

use crate::source::Source;
#[cfg(feature = "metrics")]
use semblant_metrics::report::Report;

/// Makes an observer for a part of a command's work.
pub type Observe<'a> = &'a (dyn Fn() -> Box<dyn Observer> + Sync);

/// The evaluation of one kind of data.
#[cfg(feature = "metrics")]
pub trait Evaluator<D: Data>: Send + Sync {
    /// Its command-line options.
    fn options(&self) -> &'static [OptionSpec];

    /// One report for each of the synthetic data.
    ///
    /// # Errors
    /// Data that cannot be compared, an option that cannot be used.
    fn evaluate(&self, job: &EvaluationJob<'_, D>, observe: Observe<'_>) -> Result<Vec<Report>>;

    /// Proposes what may be declared to hold in all of such data, as the text of a schema file.
    ///
    /// # Errors
    /// Data of which nothing can be declared.
    fn mine(&self, _data: &D) -> Result<String> {
        Err(Error::Config(format!("a schema declares nothing of data of kind {}", D::KIND)))
    }
}

/// A kind of data with its models, without its type: what the command line works with.
pub trait Modality: Any + Send + Sync {
    /// The kind's name.
    fn kind(&self) -> &'static str;
    /// What several items are called.
    fn items(&self) -> &'static str;
    /// The models, in the order in which they are listed.
    fn models(&self) -> Vec<ModelInfo>;
    /// The settings of a model.
    ///
    /// # Errors
    /// A name that is not known.
    fn settings(&self, model: &str) -> Result<Vec<Setting>>;
    /// The options of a verb.
    fn options(&self, verb: Verb) -> Vec<OptionSpec>;
    /// Whether a source looks like this kind of data.
    fn recognizes(&self, source: &Source) -> bool;
    /// Whether a folder holds a model of another program that can be imported.
    fn imports(&self, folder: &Path) -> bool;

    /// What a source holds, as lines of text, and the notes of opening it.
    ///
    /// # Errors
    /// As [`Data::open`](semblant_core::data::Data::open).
    fn overview(&self, source: &Source, options: &OptionValues) -> Result<(Vec<String>, Vec<String>)>;

    /// Fits a model and writes it.
    ///
    /// # Errors
    /// As [`Synthesizer::fit`](semblant_core::synthesizer::Synthesizer::fit) and
    /// [`Synthesizer::save`](semblant_core::synthesizer::Synthesizer::save).
    fn fit(&self, job: FitJob<'_>, run: &mut Run) -> Result<FitOutcome>;

    /// Samples a model into a file; nothing is left behind after an error.
    ///
    /// # Errors
    /// As [`Synthesizer::sample`](semblant_core::synthesizer::Synthesizer::sample) and [`Data::create`](semblant_core::data::Data::create).
    fn sample(&self, job: SampleJob<'_>, observe: Observe<'_>) -> Result<SampleOutcome>;

    /// Compares synthetic with real data.
    ///
    /// # Errors
    /// As [`Data::open`] and [`Evaluator::evaluate`].
    #[cfg(feature = "metrics")]
    fn evaluate(&self, job: EvaluateJob<'_>, observe: Observe<'_>) -> Result<Vec<Report>>;

    /// Proposes what may be declared to hold in all of the data, as the text of a schema file.
    ///
    /// # Errors
    /// As [`Data::open`](semblant_core::data::Data::open) and [`Evaluator::mine`].
    #[cfg(feature = "metrics")]
    fn mine(&self, source: &Source, options: &OptionValues) -> Result<String>;

    /// Fits several models to one part of the data, and compares what they sample with it and with the rest.
    ///
    /// # Errors
    /// As [`Modality::fit`] and [`Modality::evaluate`].
    #[cfg(feature = "metrics")]
    fn compare(&self, job: CompareJob<'_>, observe: Observe<'_>) -> Result<Vec<Compared>>;

    /// Negative log-likelihoods of data.
    ///
    /// # Errors
    /// A model whose likelihood cannot be estimated.
    fn negative_log_likelihoods(&self, job: LikelihoodJob<'_>, observe: Observe<'_>) -> Result<Likelihoods>;

    /// Writes a model in the format of another program.
    ///
    /// # Errors
    /// A model that has no such form, a folder that exists.
    fn export(&self, model: &Path, format: &str, folder: &Path) -> Result<()>;

    /// What a model file says of the data that it was fitted to: lines of text, and JSON.
    fn inspect(&self, file: &Checkpoint) -> (Vec<String>, Value);
}
