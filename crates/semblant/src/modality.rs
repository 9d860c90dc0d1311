//! What the command line does with data of any kind: fit, sample, evaluate, inspect, export, written once for all kinds.

use std::any::Any;
use std::ops::Range;
use std::path::{Path, PathBuf};

use burn::tensor::Device;
use semblant_core::checkpoint::Checkpoint;
use semblant_core::data::{Data, Opened, Request, Writer};
use semblant_core::options::{OptionSpec, OptionValues};
use semblant_core::progress::{Event, Observer};
use semblant_core::synthesizer::{Entry, Run, Summary, Synthesizer};
use semblant_core::{Error, Result};
use serde_json::Value;

use crate::metrics::Report;
use crate::source::Source;

/// What a command does; options are declared for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// Fit a model.
    Fit,
    /// Sample data.
    Sample,
    /// Compare synthetic with real data.
    Evaluate,
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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SampleOutcome {
    /// Items made.
    pub items: u64,
    /// Items drawn to find them.
    pub drawn: u64,
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

/// Makes an observer for a part of a command's work.
pub type Observe<'a> = &'a (dyn Fn() -> Box<dyn Observer> + Sync);

/// From training data, a number of items and a seed to a sample of a newly trained model.
pub type Retrain<'a, D> = dyn Fn(&D, u64, u64) -> Result<D> + 'a;

/// The evaluation of one kind of data.
pub trait Evaluator<D: Data>: Send + Sync {
    /// Its command-line options.
    fn options(&self) -> &'static [OptionSpec];

    /// One report for each of the synthetic data.
    ///
    /// # Errors
    /// Data that cannot be compared, an option that cannot be used.
    fn evaluate(&self, job: &EvaluationJob<'_, D>, observe: Observe<'_>) -> Result<Vec<Report>>;
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
}

/// Negative log-likelihoods of items.
#[derive(Debug, Clone, PartialEq)]
pub struct Likelihoods {
    /// In nats, one per item.
    pub nats: Vec<f64>,
    /// Values per item, if all items have the same number.
    pub dimensions: Option<usize>,
}

/// A kind of data with its models, without its type: what the command line works with.
pub trait Modality: Any + Send + Sync {
    /// The kind's name.
    fn kind(&self) -> &'static str;
    /// What several items are called.
    fn items(&self) -> &'static str;
    /// The models, in the order in which they are listed.
    fn models(&self) -> Vec<ModelInfo>;
    /// The options of a verb.
    fn options(&self, verb: Verb) -> Vec<OptionSpec>;
    /// Whether a source looks like this kind of data.
    fn recognizes(&self, source: &Source) -> bool;
    /// Whether a folder holds a model of another program that can be imported.
    fn imports(&self, folder: &Path) -> bool;

    /// Fits a model and writes it.
    ///
    /// # Errors
    /// As [`Synthesizer::fit`] and [`Synthesizer::save`].
    fn fit(&self, job: FitJob<'_>, run: &mut Run) -> Result<FitOutcome>;

    /// Samples a model into a file; nothing is left behind after an error.
    ///
    /// # Errors
    /// As [`Synthesizer::sample`] and [`Data::create`].
    fn sample(&self, job: SampleJob<'_>, observe: Observe<'_>) -> Result<SampleOutcome>;

    /// Compares synthetic with real data.
    ///
    /// # Errors
    /// As [`Data::open`] and [`Evaluator::evaluate`].
    fn evaluate(&self, job: EvaluateJob<'_>, observe: Observe<'_>) -> Result<Vec<Report>>;

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

/// A folder of another program that a model can be imported from.
pub struct Import<D: Data> {
    /// Whether a folder is one.
    pub recognizes: fn(&Path) -> bool,
    /// Opens it.
    pub open: fn(&Path, &Device) -> Result<Box<dyn Synthesizer<D>>>,
}

/// A kind of data with its models: the one implementation of [`Modality`].
pub struct Kind<D: Data> {
    entries: Vec<Entry<D>>,
    imports: Vec<Import<D>>,
    evaluator: Option<Box<dyn Evaluator<D>>>,
}

impl<D: Data> Kind<D> {
    /// A kind with the models of these families.
    pub fn new(families: &[&[Entry<D>]]) -> Self {
        Self { entries: families.concat(), imports: Vec::new(), evaluator: None }
    }

    /// The same with folders that models can be imported from; the first that recognizes a folder opens it.
    pub fn with_import(mut self, import: Import<D>) -> Self {
        self.imports.push(import);
        self
    }

    /// The same with its evaluation.
    pub fn with_evaluator(mut self, evaluator: impl Evaluator<D> + 'static) -> Self {
        self.set_evaluator(evaluator);
        self
    }

    pub(crate) fn set_evaluator(&mut self, evaluator: impl Evaluator<D> + 'static) {
        self.evaluator = Some(Box::new(evaluator));
    }

    pub(crate) fn add(&mut self, entry: Entry<D>) {
        self.entries.retain(|known| known.name != entry.name);
        self.entries.push(entry);
    }

    pub(crate) fn entries(&self) -> &[Entry<D>] {
        &self.entries
    }

    pub(crate) fn entry(&self, name: &str) -> Result<&Entry<D>> {
        self.entries.iter().find(|entry| entry.name == name).ok_or_else(|| {
            let known = self.entries.iter().map(|entry| entry.name).collect::<Vec<_>>().join(", ");
            Error::Config(format!("no {} model is called \"{name}\"; there are {known}", D::KIND))
        })
    }

    pub(crate) fn load(&self, path: &Path, device: &Device) -> Result<Box<dyn Synthesizer<D>>> {
        if path.is_dir() {
            let import = self.imports.iter().find(|import| (import.recognizes)(path));
            let none = || Error::checkpoint(path, format!("is a folder from which no {} model can be imported", D::KIND));
            return (import.ok_or_else(none)?.open)(path, device);
        }
        let file = Checkpoint::read(path)?;
        let entry = self.entry(file.model()).map_err(|error| Error::checkpoint(path, error.to_string()))?;
        (entry.load)(&file, path, device)
    }

    /// A model such as the one in a file, unfitted.
    fn unfitted_like(&self, path: &Path) -> Result<Box<dyn Synthesizer<D>>> {
        let file = Checkpoint::read(path)?;
        let settings = if file.metadata.contains_key("config") { file.metadata_as("config", path)? } else { Value::Null };
        let build = || (self.entry(file.model())?.build)(settings);
        build().map_err(|error| Error::checkpoint(path, error.to_string()))
    }

    /// The data of a source, with notes that name it.
    fn read(&self, source: &Source, options: D::OpenOptions) -> Result<(D, Vec<String>)> {
        let Opened { data, notes } = D::open(source.path(), &source.completed::<D>(options)?)?;
        Ok((data, notes.iter().map(|note| format!("{}: {note}", source.name())).collect()))
    }

    fn open(&self, source: &Source, options: D::OpenOptions, observe: Observe<'_>) -> Result<D> {
        let (data, notes) = self.read(source, options)?;
        let mut observer = observe();
        notes.iter().for_each(|note| observer.event(Event::Note(note)));
        Ok(data)
    }
}

impl<D: Data> Modality for Kind<D> {
    fn kind(&self) -> &'static str {
        D::KIND
    }

    fn items(&self) -> &'static str {
        D::ITEMS
    }

    fn models(&self) -> Vec<ModelInfo> {
        self.entries.iter().map(|&Entry { name, summary, .. }| ModelInfo { name, summary }).collect()
    }

    fn options(&self, verb: Verb) -> Vec<OptionSpec> {
        let of_verb = match verb {
            Verb::Fit => [D::open_options(), D::fit_options()],
            Verb::Sample => [D::request_options(), &[][..]],
            Verb::Evaluate => [D::open_options(), self.evaluator.as_ref().map_or(&[][..], |evaluator| evaluator.options())],
        };
        of_verb.concat()
    }

    fn recognizes(&self, source: &Source) -> bool {
        source.kind().map_or_else(|| D::recognizes(source.path()), |kind| kind == D::KIND)
    }

    fn imports(&self, folder: &Path) -> bool {
        self.imports.iter().any(|import| (import.recognizes)(folder))
    }

    fn fit(&self, job: FitJob<'_>, run: &mut Run) -> Result<FitOutcome> {
        // A wrong setting is found before the data is read.
        let mut model = (self.entry(job.model)?.build)(job.settings)?;
        let (data, notes) = self.read(job.source, D::parse_open_options(job.options)?)?;
        notes.iter().for_each(|note| run.observer.event(Event::Note(note)));
        if let Some(path) = data.instead_of_fit(job.options)? {
            return Ok(FitOutcome::Instead(path));
        }
        let Some(output) = job.output else { return Err(Error::Config("give the model file with --output".into())) };
        let summary = model.fit(&data, run)?;
        model.save(output)?;
        Ok(FitOutcome::Fitted(summary))
    }

    fn sample(&self, job: SampleJob<'_>, observe: Observe<'_>) -> Result<SampleOutcome> {
        D::check_output(job.output)?;
        let request = D::Request::new(0, job.seed).with_rows(job.rows);
        let request = D::parse_request(request, job.options)?;
        let model = self.load(job.model, job.device)?;
        if let Some((init, mask)) = &job.init {
            let none = || Error::Config("this model samples from noise only; omit --from".into());
            let rebuild = model.rebuild().ok_or_else(none)?;
            let options = D::parse_open_options(job.options)?;
            let init = self.open(init, options.clone(), observe)?;
            let mask = mask.as_ref().map(|mask| self.open(mask, options, observe)).transpose()?;
            let made = rebuild.rebuild(&init, mask.as_ref(), &request)?;
            made.data.save(job.output)?;
            return Ok(SampleOutcome { items: made.data.len() as u64, drawn: made.drawn_rows });
        }
        let mut observer = observe();
        let rows = request.rows();
        let total = rows.end - rows.start;
        let at_once = if request.divisible() { request.batch_rows() as u64 } else { u64::MAX };
        let (mut writer, mut drawn, mut start) = (None, 0, rows.start);
        while start < rows.end {
            let end = rows.end.min(start.saturating_add(at_once));
            let sample = model.sample(&request.clone().with_rows(start..end))?;
            drawn += sample.drawn_rows;
            // The file is begun only when there is something to put into it.
            let mut open = match writer.take() {
                Some(open) => open,
                None => D::create(job.output, &sample.data)?,
            };
            open.write(&sample.data)?;
            writer = Some(open);
            start = end;
            observer.event(Event::Rows { done: end - rows.start, total });
        }
        writer.map_or(Ok(()), Writer::finish)?;
        observer.event(Event::Done);
        Ok(SampleOutcome { items: total, drawn })
    }

    fn evaluate(&self, job: EvaluateJob<'_>, observe: Observe<'_>) -> Result<Vec<Report>> {
        let none = || Error::Config(format!("there is no evaluation for data of kind {}", D::KIND));
        let evaluator = self.evaluator.as_ref().ok_or_else(none)?;
        let shadow = job.shadow.map(|path| self.unfitted_like(path).map(|_| path)).transpose()?;
        let options = D::parse_open_options(job.options)?;
        let real = self.open(job.real, options.clone(), observe)?;
        // The other data is opened as the real data was, so that a column or a class means the same in all of it.
        let alike = real.options_like(&options);
        let mut synthetics = Vec::with_capacity(job.synthetics.len());
        for source in &job.synthetics {
            synthetics.push(self.open(source, alike.clone(), observe)?);
        }
        let holdout = job.holdout.as_ref().map(|source| self.open(source, alike.clone(), observe)).transpose()?;
        let retrain = shadow.map(|path| {
            move |data: &D, count: u64, seed: u64| -> Result<D> {
                let mut model = self.unfitted_like(path)?;
                model.fit(data, &mut Run::new(job.device.clone(), seed))?;
                Ok(model.sample(&D::Request::new(count, seed))?.data)
            }
        });
        evaluator.evaluate(
            &EvaluationJob {
                real: (job.real.name(), &real),
                synthetics: job.synthetics.iter().map(Source::name).zip(&synthetics).collect(),
                holdout: job.holdout.as_ref().map(Source::name).zip(holdout.as_ref()),
                seed: job.seed,
                device: job.device,
                model: shadow.and_then(Path::to_str),
                date: job.date,
                retrain: retrain.as_ref().map(|retrain| retrain as &Retrain<'_, D>),
                options: job.options,
            },
            observe,
        )
    }

    fn negative_log_likelihoods(&self, job: LikelihoodJob<'_>, observe: Observe<'_>) -> Result<Likelihoods> {
        let model = self.load(job.model, job.device)?;
        let none = || {
            let name = Checkpoint::read(job.model).map_or_else(|_| "this model".into(), |file| file.model().to_owned());
            Error::Config(format!("{}: the likelihood of {name} cannot be estimated", job.model.display()))
        };
        let likelihood = model.likelihood().ok_or_else(none)?;
        let data = self.open(job.source, D::parse_open_options(job.options)?, observe)?;
        if data.is_empty() {
            return Err(Error::Data(format!("{}: there are no {} to evaluate", job.source.name(), D::ITEMS)));
        }
        let nats = likelihood.negative_log_likelihoods(&data, job.samples, job.seed)?;
        Ok(Likelihoods { nats, dimensions: data.dimensions() })
    }

    fn export(&self, model: &Path, format: &str, folder: &Path) -> Result<()> {
        let model = self.load(model, &semblant_core::device::select("cpu")?)?;
        let none = || Error::Config(format!("this model cannot be exported as {format}"));
        model.export().ok_or_else(none)?.export(format, folder)
    }

    fn inspect(&self, file: &Checkpoint) -> (Vec<String>, Value) {
        D::describe(&file.metadata)
    }
}
