//! The one implementation of [`Modality`]: a kind of data with its models.

use std::collections::BTreeMap;
use std::path::Path;

use burn::tensor::Device;
use semblant_core::checkpoint::Checkpoint;
use semblant_core::config::Setting;
use semblant_core::data::{Data, Opened, Request, Writer};
use semblant_core::options::{OptionSpec, OptionValues};
use semblant_core::progress::Event;
use semblant_core::synthesizer::{Entry, Found, Run, Synthesizer};
use semblant_core::{Error, Result};
use serde_json::Value;

#[cfg(feature = "metrics")]
use super::{CompareJob, Compared, EvaluateJob, EvaluationJob, Evaluator, Report, Retrain, compare};
use super::{FitJob, FitOutcome, LikelihoodJob, Likelihoods, Modality, ModelInfo, Observe, SampleJob, SampleOutcome, Verb};
use crate::source::Source;

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
    #[cfg(feature = "metrics")]
    evaluator: Option<Box<dyn Evaluator<D>>>,
}

impl<D: Data> Kind<D> {
    /// A kind with the models of these families.
    pub fn new(families: &[&[Entry<D>]]) -> Self {
        Self {
            entries: families.concat(),
            imports: Vec::new(),
            #[cfg(feature = "metrics")]
            evaluator: None,
        }
    }

    /// The same with folders that models can be imported from; the first that recognizes a folder opens it.
    pub fn with_import(mut self, import: Import<D>) -> Self {
        self.imports.push(import);
        self
    }

    /// The same with its evaluation.
    #[cfg(feature = "metrics")]
    pub fn with_evaluator(mut self, evaluator: impl Evaluator<D> + 'static) -> Self {
        self.set_evaluator(evaluator);
        self
    }

    #[cfg(feature = "metrics")]
    pub(crate) fn set_evaluator(&mut self, evaluator: impl Evaluator<D> + 'static) {
        self.evaluator = Some(Box::new(evaluator));
    }

    #[cfg(feature = "metrics")]
    fn own_evaluator(&self) -> Result<&dyn Evaluator<D>> {
        let none = || Error::Config(format!("there is no evaluation for data of kind {}", D::KIND));
        self.evaluator.as_deref().ok_or_else(none)
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
        Ok(self.loaded(path, device)?.0)
    }

    /// The model in a file or folder, and what the file says of it.
    fn loaded(&self, path: &Path, device: &Device) -> Result<(Box<dyn Synthesizer<D>>, BTreeMap<String, String>)> {
        if path.is_dir() {
            let import = self.imports.iter().find(|import| (import.recognizes)(path));
            let none = || Error::checkpoint(path, format!("is a folder from which no {} model can be imported", D::KIND));
            return Ok(((import.ok_or_else(none)?.open)(path, device)?, BTreeMap::new()));
        }
        let file = Checkpoint::read(path)?;
        let entry = self.entry(file.model()).map_err(|error| Error::checkpoint(path, error.to_string()))?;
        Ok(((entry.load)(&file, path, device)?, file.metadata))
    }

    /// A model such as the one in a file, unfitted.
    #[cfg(feature = "metrics")]
    fn unfitted_like(&self, path: &Path) -> Result<Box<dyn Synthesizer<D>>> {
        let file = Checkpoint::read(path)?;
        let settings = if file.metadata.contains_key("config") { file.metadata_as("config", path)? } else { Value::Null };
        let build = || {
            let entry = self.entry(file.model())?;
            // A model file may come from a stranger: what it names is not opened, since the user did not name it.
            let named = (entry.settings)().into_iter().filter(|setting| setting.is_path).find_map(|setting| {
                let value = settings.pointer(&format!("/{}", setting.name.replace('.', "/")))?.as_str()?;
                (!value.is_empty()).then(|| format!("{} = \"{value}\"", setting.name))
            });
            match named {
                Some(named) => Err(Error::Config(format!(
                    "its settings name another file ({named}), which is not opened for that; use --shadow with a model that needs no other file"
                ))),
                None => (entry.build)(settings),
            }
        };
        build().map_err(|error| Error::checkpoint(path, error.to_string()))
    }

    /// The data of a source, with notes that name it.
    fn read(&self, source: &Source, options: D::OpenOptions) -> Result<(D, Vec<String>)> {
        let Opened { data, notes } = D::open(source.path(), &source.completed::<D>(options)?)?;
        Ok((data, notes.iter().map(|note| format!("{}: {note}", source.name())).collect()))
    }

    pub(super) fn open(&self, source: &Source, options: D::OpenOptions, observe: Observe<'_>) -> Result<D> {
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

    fn settings(&self, model: &str) -> Result<Vec<Setting>> {
        Ok((self.entry(model)?.settings)())
    }

    fn options(&self, verb: Verb) -> Vec<OptionSpec> {
        let of_verb = match verb {
            Verb::Fit => [D::open_options(), D::fit_options()],
            Verb::Sample => [D::request_options(), &[][..]],
            Verb::Schema | Verb::Compare => [D::open_options(), &[][..]],
            #[cfg(feature = "metrics")]
            Verb::Evaluate => [D::open_options(), self.evaluator.as_ref().map_or(&[][..], |evaluator| evaluator.options())],
            #[cfg(not(feature = "metrics"))]
            Verb::Evaluate => [D::open_options(), &[][..]],
        };
        of_verb.concat()
    }

    fn recognizes(&self, source: &Source) -> bool {
        source.kind().map_or_else(|| D::recognizes(source.path()), |kind| kind == D::KIND)
    }

    fn imports(&self, folder: &Path) -> bool {
        self.imports.iter().any(|import| (import.recognizes)(folder))
    }

    fn overview(&self, source: &Source, options: &OptionValues) -> Result<(Vec<String>, Vec<String>)> {
        let (data, notes) = self.read(source, D::parse_open_options(options)?)?;
        Ok((data.overview(), notes))
    }

    fn fit(&self, job: FitJob<'_>, run: &mut Run) -> Result<FitOutcome> {
        // A wrong setting is found before the data is read.
        let mut model = (self.entry(job.model)?.build)(job.settings)?;
        let opened = D::open(job.source.path(), &job.source.completed::<D>(D::parse_open_options(job.options)?)?)?;
        if let Some(path) = D::instead_of_fit(&opened, job.options)? {
            return Ok(FitOutcome::Instead(path));
        }
        let Opened { data, notes } = opened;
        notes.iter().for_each(|note| run.observer.event(Event::Note(&format!("{}: {note}", job.source.name()))));
        let Some(output) = job.output else { return Err(Error::Config("give the model file with --output".into())) };
        let summary = model.fit(&data, run)?;
        model.save(output)?;
        Ok(FitOutcome::Fitted(summary))
    }

    fn sample(&self, job: SampleJob<'_>, observe: Observe<'_>) -> Result<SampleOutcome> {
        D::check_output(job.output)?;
        let request = D::Request::new(0, job.seed).with_rows(job.rows);
        let request = D::parse_request(request, job.options)?;
        let (model, metadata) = self.loaded(job.model, job.device)?;
        if let Some((init, mask)) = &job.init {
            let none = || Error::Config("this model samples from noise only; omit --from".into());
            let rebuild = model.rebuild().ok_or_else(none)?;
            let options = D::options_of_model(D::parse_open_options(job.options)?, &metadata);
            let init = self.open(init, options.clone(), observe)?;
            let mask = mask.as_ref().map(|mask| self.open(mask, options, observe)).transpose()?;
            let made = rebuild.rebuild(&init, mask.as_ref(), &request)?;
            let mut writer = D::create_for(&request, job.output, &made.data)?;
            writer.write(&made.data)?;
            writer.finish()?;
            return Ok(SampleOutcome { items: made.data.len() as u64, drawn: made.drawn_rows, cut: None });
        }
        sample_to(model.as_ref(), &request, job.output, observe)
    }

    #[cfg(feature = "metrics")]
    fn evaluate(&self, job: EvaluateJob<'_>, observe: Observe<'_>) -> Result<Vec<Report>> {
        let evaluator = self.own_evaluator()?;
        let shadow = job.shadow.map(|path| self.unfitted_like(path).map(|_| path)).transpose()?;
        let options = D::parse_open_options(job.options)?;
        let real = self.open(job.real, options.clone(), observe)?;
        // The other data is made comparable, so that a column or a class means the same in all of it.
        let alike = |source: &Source| -> Result<D> {
            let data = self.open(source, D::options_to_compare(options.clone()), observe)?;
            let Opened { data, notes } = data.conform(&real)?;
            let mut observer = observe();
            notes.iter().for_each(|note| observer.event(Event::Note(&format!("{}: {note}", source.name()))));
            Ok(data)
        };
        let synthetics = job.synthetics.iter().map(alike).collect::<Result<Vec<D>>>()?;
        let holdout = job.holdout.as_ref().map(alike).transpose()?;
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

    #[cfg(feature = "metrics")]
    fn mine(&self, source: &Source, options: &OptionValues) -> Result<String> {
        let (data, _) = self.read(source, D::parse_open_options(options)?)?;
        self.own_evaluator()?.mine(&data)
    }

    #[cfg(feature = "metrics")]
    fn compare(&self, job: CompareJob<'_>, observe: Observe<'_>) -> Result<Vec<Compared>> {
        compare::compare(self, self.own_evaluator()?, job, observe)
    }

    fn negative_log_likelihoods(&self, job: LikelihoodJob<'_>, observe: Observe<'_>) -> Result<Likelihoods> {
        let (model, metadata) = self.loaded(job.model, job.device)?;
        let none = || {
            let name = Checkpoint::read(job.model).map_or_else(|_| "this model".into(), |file| file.model().to_owned());
            Error::Config(format!("{}: the likelihood of {name} cannot be estimated", job.model.display()))
        };
        let likelihood = model.likelihood().ok_or_else(none)?;
        let data = self.open(job.source, D::options_of_model(D::parse_open_options(job.options)?, &metadata), observe)?;
        if data.is_empty() {
            return Err(Error::Data(format!("{}: there are no {} to evaluate", job.source.name(), D::ITEMS)));
        }
        let nats = likelihood.negative_log_likelihoods(&data, job.samples, job.seed)?;
        let parts = if job.parts { likelihood.parts(&data, job.samples, job.seed)? } else { Vec::new() };
        Ok(Likelihoods { nats, dimensions: data.dimensions(), values: data.values(), parts })
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

/// Samples the items of a request into a file or folder, part by part, so that memory does not grow with their number.
///
/// # Errors
/// As [`Synthesizer::search`], and an output that cannot be written; nothing is left behind where no item was found.
pub fn sample_to<D: Data>(model: &dyn Synthesizer<D>, request: &D::Request, output: &Path, observe: Observe<'_>) -> Result<SampleOutcome> {
    let mut observer = observe();
    let rows = request.rows();
    let total = rows.end - rows.start;
    let at_once = if request.divisible() { request.batch_rows() as u64 } else { u64::MAX };
    let (mut writer, mut drawn, mut items, mut start, mut cut) = (None, 0, 0, rows.start, None);
    while start < rows.end && cut.is_none() {
        let end = rows.end.min(start.saturating_add(at_once));
        observer.event(Event::Rows { done: items, total });
        let mut watch = |found: u64| observer.event(Event::Rows { done: items + found, total });
        let sample = match model.search(&request.clone().with_rows(start..end), &mut watch) {
            // What was found before conditions proved too rare is kept.
            Err(Error::Condition(why)) if items > 0 => {
                cut = Some(why);
                break;
            }
            Ok(Found { sample, cut: Some(why) }) if items == 0 && sample.data.is_empty() => return Err(Error::Condition(why)),
            found => {
                let found = found?;
                cut = found.cut;
                found.sample
            }
        };
        drawn += sample.drawn_rows;
        items += sample.data.len() as u64;
        if !sample.data.is_empty() {
            // The file is begun only when there is something to put into it.
            let mut open = match writer.take() {
                Some(open) => open,
                None => D::create_for(request, output, &sample.data)?,
            };
            open.write(&sample.data)?;
            writer = Some(open);
        }
        start = end;
        observer.event(Event::Rows { done: items, total });
    }
    writer.map_or(Ok(()), Writer::finish)?;
    observer.event(Event::Done);
    Ok(SampleOutcome { items, drawn, cut })
}
