//! The [`Synthesizer`] of every model of regular windows.

use std::path::Path;
use std::time::Instant;

use burn::tensor::Device;
use semblant_core::checkpoint::Checkpoint;
use semblant_core::config::{self, Config};
use semblant_core::memory::Memory;
use semblant_core::progress::Event;
use semblant_core::synthesizer::{Entry, Rebuild, Run, Sample, Summary, Synthesizer, not_fitted};
use semblant_core::{Error, Result};
use semblant_data::series::{Clock, Layout, Series, SeriesRequest, Windows};
use semblant_data::table::{Column, ColumnKind, ColumnSchema, IdFormat, Schema, Table};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::attributes::{Attributes, Features};
use crate::batches::Training;
use crate::inpainting::Known;

/// The least number of windows that a model learns from.
const LEAST_WINDOWS: usize = 8;
/// So many of a column's least and greatest values are averaged to the ends of its range, so that no recorded value stands in a model file.
const AT_AN_END: usize = 5;
/// The part of a file that has the model of attributes.
const ATTRIBUTES: &str = "attributes";

/// A model of regular windows, implemented by its configuration.
pub trait SeriesModel: Config {
    /// The name that `--model` takes and the model file holds.
    const NAME: &'static str;
    /// What it is, in one line.
    const SUMMARY: &'static str;
    /// Whether it is told the attributes of sequences.
    const TOLD: bool = false;
    /// Whether sequences may be of different lengths.
    const VARIABLE: bool = false;
    /// Whether it has a solver, whose steps a request may say.
    const SOLVER: bool = false;
    /// What was learned: all that the file holds apart from the configuration, the form and the attributes.
    type Fitted: Send + Sync;

    /// Learns from windows whose columns were brought to 0..1.
    ///
    /// # Errors
    /// As [`Synthesizer::fit`].
    fn fit(&self, training: &Training, run: &mut Run) -> Result<(Self::Fitted, Summary)>;

    /// Makes the windows of a request, columns at 0..1, for sequences with these attributes. A window depends on its place, the seed and its attributes
    /// alone.
    ///
    /// # Errors
    /// A setting out of range.
    fn sample(&self, fitted: &Self::Fitted, form: &Form, attributes: &Features, request: &SeriesRequest) -> Result<Made>;

    /// What the model can do with windows that are partly known, if it can.
    fn fill(&self) -> Option<&dyn Fill<Self::Fitted>> {
        None
    }

    /// Puts what was learned into a file.
    ///
    /// # Errors
    /// A tensor that cannot be read back; `path` is named.
    fn write(&self, fitted: &Self::Fitted, file: &mut Checkpoint, path: &Path) -> Result<()>;

    /// Takes what was learned out of a file; `attributes` numbers are told of a sequence.
    ///
    /// # Errors
    /// A damaged file; `path` is named.
    fn read(&self, file: &Checkpoint, form: &Form, attributes: usize, path: &Path, device: &Device) -> Result<Self::Fitted>;
}

/// The capability of completing windows.
pub trait Fill<F> {
    /// Whole windows `[count, length * channels]` that agree with what is known of them, columns at 0..1.
    ///
    /// # Errors
    /// A setting out of range, and numbers without bound.
    fn fill(&self, fitted: &F, form: &Form, given: &Given, request: &SeriesRequest) -> Result<Vec<f64>>;
}

/// Windows that are partly known.
#[derive(Debug, Clone, Default)]
pub struct Given {
    /// What is known of them, columns at 0..1.
    pub known: Known,
    /// Which decide their random numbers, `[count]`.
    pub addresses: Vec<u64>,
    /// What is told of their sequences.
    pub attributes: Features,
}

/// Windows that were made.
#[derive(Debug, Clone, PartialEq)]
pub struct Made {
    /// `[windows, length, channels]` row-major, columns at 0..1.
    pub values: Vec<f64>,
    /// Rows of each; `None` where all are of the form's length.
    pub lengths: Option<Vec<usize>>,
}

impl From<Vec<f64>> for Made {
    fn from(values: Vec<f64>) -> Self {
        Self { values, lengths: None }
    }
}

/// What a model file says of the series that the model was fitted to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Form {
    /// The columns that change in time.
    pub schema: Schema,
    /// The other columns, and the order of all.
    pub layout: Layout,
    /// How sequences are named.
    pub entity: Option<ColumnSchema>,
    /// Rows of a sequence, of the longest where they differ.
    pub length: usize,
    /// The range of every column: means of its five least and its five greatest values.
    pub ranges: Vec<[f64; 2]>,
}

impl Form {
    /// The form of regular series, whose windows are `windows`.
    ///
    /// # Errors
    /// Too few windows, and times that follow no rule.
    fn of(series: &Series, windows: &Windows) -> Result<Self> {
        if windows.count < LEAST_WINDOWS {
            let what = format!(
                "{} sequences of {} rows are too few to learn from, {LEAST_WINDOWS} are needed; cut windows with --window 24",
                windows.count, windows.length
            );
            return Err(Error::Data(what));
        }
        if let Clock::Times(column) = &series.layout().clock {
            let what = format!(
                "the times of \"{}\" are not the same in every sequence; cut windows with --window {}, or leave the column out with --drop",
                column.name, windows.length
            );
            return Err(Error::Data(what));
        }
        let entity = series.entities().map(|entities| entities.schema().columns[0].clone());
        let ranges = series.rows().columns().iter().map(|column| range(column.numbers().unwrap_or_default())).collect();
        let schema = Schema { target: None, constraints: Vec::new(), ..series.rows().schema().clone() };
        Ok(Self { schema, layout: series.layout().clone(), entity, length: windows.length, ranges })
    }

    /// Columns of a row.
    pub fn channels(&self) -> usize {
        self.schema.columns.len()
    }

    /// Refuses what a file may hold and no form has.
    fn check(&self) -> Result<(), String> {
        const MOST: usize = 1 << 24;
        let size = self.length.checked_mul(self.channels()).filter(|&size| size > 0 && size <= MOST);
        let regular = match &self.layout.clock {
            Clock::Order => true,
            Clock::Regular { first, step, .. } => first.is_finite() && step.is_finite(),
            Clock::Times(_) => false,
        };
        let numbers = self.schema.columns.iter().all(|column| column.kind.is_number());
        let ranges = self.ranges.iter().all(|[low, high]| low.is_finite() && high.is_finite() && low <= high);
        if size.is_none() || !regular || !numbers || !ranges || self.ranges.len() != self.channels() {
            return Err("the file describes series that cannot be; fit the model again".into());
        }
        self.schema.check().map_err(|error| error.to_string())
    }

    /// Brings every column's range to 0..1.
    pub(crate) fn scale(&self, values: &mut [f64]) {
        self.each(values, |value, [low, high]| if high > low { (value - low) / (high - low) } else { 0.0 });
    }

    /// The way back; what lies beyond a column's range is moved to its end.
    pub(crate) fn unscale(&self, values: &mut [f64]) {
        self.each(values, |value, [low, high]| (low + value * (high - low)).clamp(low, high));
    }

    fn each(&self, values: &mut [f64], to: impl Fn(f64, [f64; 2]) -> f64) {
        for row in values.chunks_exact_mut(self.channels()) {
            row.iter_mut().zip(&self.ranges).for_each(|(value, &range)| *value = to(*value, range));
        }
    }

    /// The series of sampled windows. What lies beyond a column's range is moved to its end, and numbers have the steps of their column.
    fn series(&self, made: Made, attributes: Option<Table>, request: &SeriesRequest) -> Result<Series> {
        let Made { mut values, lengths } = made;
        self.unscale(&mut values);
        let count = (request.rows.end - request.rows.start) as usize;
        let lengths = lengths.unwrap_or_else(|| vec![self.length; count]);
        let rows = lengths.iter().enumerate().flat_map(|(index, &length)| index * self.length..index * self.length + length);
        let values: Vec<f64> = rows.flat_map(|row| values[row * self.channels()..(row + 1) * self.channels()].iter().copied()).collect();
        let mut end = 0;
        let span = |&length: &usize| {
            end += length;
            end - length..end
        };
        let spans = lengths.iter().map(span).collect();
        let names = self.entity.as_ref().map(|described| names(described, request));
        let entities = names.zip(self.entity.as_ref()).map(|(names, described)| with_names(described, names, attributes)).transpose()?;
        Ok(Series::new(self.rows(&values)?, None, spans, entities, self.layout.clone())?)
    }

    /// Rows of the columns, `[rows, channels]` row-major, with the steps of each column.
    pub(crate) fn rows(&self, values: &[f64]) -> Result<Table> {
        let column = |(place, described): (usize, &ColumnSchema)| {
            Column::Number(values.iter().skip(place).step_by(self.channels()).map(|&value| described.round_number(value)).collect())
        };
        let columns = self.schema.columns.iter().enumerate().map(column).collect();
        Ok(Table::new(self.schema.clone(), columns)?)
    }
}

/// The names of a request's sequences.
fn names(described: &ColumnSchema, request: &SeriesRequest) -> Column {
    let format = described.id.clone().unwrap_or(IdFormat::Integer { start: 0, step: 1 });
    Column::from_labels(request.rows.clone().map(|row| Some(format.generate(row, request.seed))))
}

/// A table that names sequences, with their attributes.
pub(crate) fn with_names(described: &ColumnSchema, names: Column, attributes: Option<Table>) -> Result<Table> {
    let mut schema = Schema { columns: vec![ColumnSchema { kind: ColumnKind::Id, ..described.clone() }], ..Schema::default() };
    let mut columns = vec![names];
    if let Some(attributes) = attributes {
        schema.columns.extend(attributes.schema().columns.iter().cloned());
        columns.extend(attributes.columns().iter().cloned());
    }
    Ok(Table::new(schema, columns)?)
}

/// The range of a column between the means of its least and its greatest values.
fn range(values: &[f64]) -> [f64; 2] {
    let mut sorted: Vec<f64> = values.iter().copied().filter(|value| value.is_finite()).collect();
    sorted.sort_by(f64::total_cmp);
    let some = AT_AN_END.min(sorted.len()).max(1);
    let mean = |values: &[f64]| values.iter().sum::<f64>() / some as f64;
    [mean(&sorted[..some.min(sorted.len())]), mean(&sorted[sorted.len().saturating_sub(some)..])]
}

/// A model of regular windows with its configuration, fitted or not.
pub struct SeriesSynthesizer<C: SeriesModel> {
    config: C,
    fitted: Option<Fitted<C::Fitted>>,
}

/// What was learned.
pub(crate) struct Fitted<F> {
    pub(crate) form: Form,
    /// The model of attributes, where the sequences have some and the model is told them.
    pub(crate) attributes: Option<Attributes>,
    pub(crate) model: F,
}

impl<C: SeriesModel> SeriesSynthesizer<C> {
    /// An unfitted model.
    ///
    /// # Errors
    /// A setting out of its range.
    pub fn new(config: C) -> Result<Self> {
        config.check()?;
        Ok(Self { config, fitted: None })
    }

    /// The fitted model in a file.
    ///
    /// # Errors
    /// A file that is missing, damaged, or holds another model.
    pub fn load(path: impl AsRef<Path>, device: &Device) -> Result<Self> {
        let path = path.as_ref();
        Self::from_checkpoint(&Checkpoint::read(path)?, path, device)
    }

    /// The fitted model in a file that was read from `path`.
    ///
    /// # Errors
    /// As [`SeriesSynthesizer::load`].
    pub fn from_checkpoint(file: &Checkpoint, path: &Path, device: &Device) -> Result<Self> {
        file.expect_model(C::NAME, path)?;
        let config: C = config::of_file(file, path)?;
        let form: Form = file.metadata_as("form", path)?;
        form.check().map_err(|what| Error::checkpoint(path, what))?;
        let part = file.part(ATTRIBUTES);
        let attributes = part.metadata.contains_key("told").then(|| Attributes::read(&part, path, device)).transpose()?;
        let told = attributes.as_ref().map_or(0, Attributes::width);
        let model = config.read(file, &form, told, path, device)?;
        Ok(Self { config, fitted: Some(Fitted { form, attributes, model }) })
    }

    /// The settings.
    pub fn config(&self) -> &C {
        &self.config
    }

    pub(crate) fn fitted(&self) -> Result<&Fitted<C::Fitted>> {
        self.fitted.as_ref().ok_or_else(not_fitted)
    }
}

impl<C: SeriesModel> Default for SeriesSynthesizer<C> {
    /// An unfitted model with the default settings.
    fn default() -> Self {
        Self { config: C::default(), fitted: None }
    }
}

impl<C: SeriesModel> Synthesizer<Series> for SeriesSynthesizer<C> {
    fn fit(&mut self, data: &Series, run: &mut Run) -> Result<Summary> {
        run.check_single_device(C::NAME, "models of series are")?;
        let started = Instant::now();
        let data = &data.with_numbers()?;
        let mut windows = if C::VARIABLE { data.padded()? } else { data.regular()? };
        let form = Form::of(data, &windows)?;
        form.scale(&mut windows.values);
        let lengths: Vec<usize> = data.lengths().collect();
        for (&length, window) in lengths.iter().zip(windows.values.chunks_exact_mut(form.length * form.channels())) {
            window[length * form.channels()..].fill(0.0);
        }
        if !C::TOLD
            && let Some(entities) = data.entities().filter(|entities| entities.columns().len() > 1)
        {
            let names: Vec<&str> = entities.schema().names().skip(1).collect();
            run.observer.event(Event::Note(&format!("{} does not learn the attributes {}; samples lack them", C::NAME, names.join(", "))));
        }
        let (model_of_attributes, attributes) = if C::TOLD { Attributes::fit(data, run)?.unzip() } else { (None, None) };
        let encode_secs = started.elapsed().as_secs_f64();
        let training = Training { windows, lengths, attributes: attributes.unwrap_or_default() };
        let (model, summary) = self.config.fit(&training, run)?;
        self.fitted = Some(Fitted { form, attributes: model_of_attributes, model });
        Ok(summary.with_encode_secs(encode_secs))
    }

    fn sample(&self, request: &SeriesRequest) -> Result<Sample<Series>> {
        let Fitted { form, attributes, model } = self.fitted()?;
        let count = request.rows.end.saturating_sub(request.rows.start);
        if count == 0 {
            return Err(Error::Config("the request has no sequences; sample at least one".into()));
        }
        request.check_new()?;
        if !C::SOLVER {
            request.check_no_steps(C::NAME)?;
        }
        if attributes.is_none() && !(request.conditions.is_empty() && request.expressions.is_empty()) {
            return Err(Error::Config(format!("this {} has no attributes to meet conditions on; leave --where out", C::NAME)));
        }
        if request.length.is_some_and(|length| length != form.length) {
            return Err(Error::Config(format!("{} makes sequences of {} rows; leave --length out", C::NAME, form.length)));
        }
        let size = 24 * (form.length * form.channels()) as u64;
        Memory::of_process().check(format!("{count} sequences of {} rows", form.length), count, size)?;
        let (table, told) = attributes.as_ref().map(|attributes| attributes.draw(request)).transpose()?.unzip();
        let made = self.config.sample(model, form, &told.unwrap_or_default(), request)?;
        Ok(Sample { data: form.series(made, table, request)?, drawn_rows: count })
    }

    fn save(&self, path: &Path) -> Result<()> {
        let Fitted { form, attributes, model } = self.fitted()?;
        let mut file = Checkpoint::of::<Series>(C::NAME);
        file.set_metadata("config", &self.config, path)?;
        file.set_metadata("form", form, path)?;
        if let Some(attributes) = attributes {
            file.add_part(ATTRIBUTES, attributes.write(path)?);
        }
        self.config.write(model, &mut file, path)?;
        file.write(path)
    }

    fn rebuild(&self) -> Option<&dyn Rebuild<Series>> {
        self.config.fill().map(|_| self as &dyn Rebuild<Series>)
    }
}

/// The registry's entry of a model.
pub const fn entry<C: SeriesModel>() -> Entry<Series> {
    Entry { name: C::NAME, summary: C::SUMMARY, build: build::<C>, settings: config::settings::<C>, load: load::<C> }
}

fn build<C: SeriesModel>(values: Value) -> Result<Box<dyn Synthesizer<Series>>> {
    Ok(Box::new(SeriesSynthesizer::<C>::new(config::from_value(C::NAME, values)?)?))
}

fn load<C: SeriesModel>(file: &Checkpoint, path: &Path, device: &Device) -> Result<Box<dyn Synthesizer<Series>>> {
    Ok(Box::new(SeriesSynthesizer::<C>::from_checkpoint(file, path, device)?))
}
