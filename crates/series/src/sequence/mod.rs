//! `sequence`: rows in time of any kinds of columns, each drawn by the masked-diffusion decoder of tables, given the rows before it.
//!
//! Attributes, the number of rows and the first time of a sequence are a row of a table, drawn first by masked diffusion over columns (Hoogeboom et al.
//! 2022). Each row of the sequence is drawn column by column by the same kind of network, which is given the state of a recurrent unit over the
//! rows before, the last row, the row one day before, the time of day, week and year, and the attributes. The sequential relative is TabularARGN
//! (arXiv 2501.12012); the decoder sees columns in any order, so that given cells are conditions.
//!
//! One long series is cut into chunks; its samples are of any length, after a warm-up that is thrown away.

mod block;
mod children;
mod chunks;
mod completion;
mod encoder;
mod forecast;
mod form;
mod likelihood;
mod network;
mod places;
mod sampling;
mod texts;
mod times;

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use burn::tensor::Device;
use semblant_core::checkpoint::Checkpoint;
use semblant_core::config::{self, Config, check_range};
use semblant_core::ema::Ema;
use semblant_core::model::Step;
use semblant_core::optim::{Adam, LrSchedule, Optimizers};
use semblant_core::progress::Event;
use semblant_core::synthesizer::{Entry, Likelihood, Rebuild, Run, Sample, Summary, Synthesizer, not_fitted};
use semblant_core::train_config::{LastBatch, TrainConfig};
use semblant_core::trainer::{TrainSchedule, Trained, Trainer, fingerprint};
use semblant_core::{Error, Result};
use semblant_data::series::{Series, SeriesRequest};
use semblant_masked_diffusion::{Cell, CrossEntropy, Orders};
use semblant_tabular::TableModel;
use semblant_tabular_masked::MaskedDiffusionConfig;
use semblant_tabular_masked::batches::smoothing;
use semblant_tabular_masked::masked_diffusion::Fitted as FittedTable;
use semblant_tabular_masked::net::{Layout, MOST_FREQUENCIES, Net, Sizes};
use semblant_tabular_masked::tokens::TableTokens;
use semblant_text::TextArConfig;
use semblant_text::columns::{self, TextColumns};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use self::chunks::{Chunks, Cut, Data, Randomness, covering, purpose, stays};
use self::encoder::{Encoder, first_steps};
use self::form::{Form, Ready};
use self::network::{Constants, Judge, Layouts, SequenceModel, SequenceNet, Shared};
pub use self::sampling::Accept;
use self::texts::Texts;

/// Settings. A 0 where it says so leaves the choice to the number of rows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default)]
pub struct SequenceConfig {
    /// How long, in what batches, and by which optimizer; what it calls rows are chunks of sequences. The run ends when the held-out loss no
    /// longer improves.
    #[serde(flatten)]
    pub train: TrainConfig,
    /// Successive rows of a training step.
    pub chunk_rows: usize,
    /// Width of the decoder; 0 is chosen by the number of rows.
    pub width: usize,
    /// Residual blocks of the decoder.
    pub depth: usize,
    /// Width of the recurrent state; 0 is that of the decoder.
    pub hidden: usize,
    /// Values of a token's embedding.
    pub embedding: usize,
    /// Sines and cosines, each, that tell the place of a number.
    pub frequencies: usize,
    /// Dropout within the blocks; below 0 it is chosen by the number of rows.
    pub dropout: f64,
    /// The share of cells of past rows that are hidden in training, and half that of whole rows.
    pub past_dropout: f64,
    /// The share of rows that are learned as if nothing came before them, as a sample begins.
    pub beginnings: f64,
    /// The most bins of a number; 0 is chosen by the number of rows.
    pub bins: usize,
    /// The deviation over which the target of a number is spread, as a share of its bins. Noise that it adds accumulates in time.
    pub smoothing: f64,
    /// The deviation of the places of shown numbers, as a share of their range.
    pub jitter: f64,
    /// The share of rows that are learned in the order of the columns, in which they are sampled.
    pub schema_order: f64,
    /// The share of sequences, or of the end of a single one, that is held out to judge the model while it is trained.
    pub validation: f64,
    /// Once the held-out loss no longer improves, the learning rate falls to 0 over this share of the steps so far; 0 ends at once, with the best state.
    pub anneal: f64,
    /// The model of attributes.
    pub attributes: MaskedDiffusionConfig,
}

impl Default for SequenceConfig {
    fn default() -> Self {
        Self {
            train: TrainConfig {
                rows: 160_000,
                epochs: 0,
                batch_rows: 32,
                tick_rows: 3_200,
                checkpoint_rows: 32_000,
                patience_ticks: 3,
                optimizer: Adam {
                    learning_rate: 1e-3,
                    beta_2: 0.99,
                    clip_norm: 10.0,
                    schedule: LrSchedule::Constant,
                    warm_up: 0.01,
                    ..Adam::default()
                },
                ema: Ema { half_life_rows: 6_400.0, warm_up: 0.1 },
            },
            chunk_rows: 96,
            width: 0,
            depth: 2,
            hidden: 0,
            embedding: 16,
            frequencies: 6,
            dropout: -1.0,
            past_dropout: 0.1,
            beginnings: 0.1,
            bins: 0,
            smoothing: 0.0,
            jitter: 0.001,
            schema_order: 0.5,
            validation: 0.1,
            anneal: 0.0,
            attributes: MaskedDiffusionConfig::default(),
        }
    }
}

impl Config for SequenceConfig {
    fn check(&self) -> Result<()> {
        check_range("chunk_rows", self.chunk_rows, 4, 4096)?;
        check_range("width", self.width, 0, 1 << 13)?;
        check_range("depth", self.depth, 0, 100)?;
        check_range("hidden", self.hidden, 0, 1 << 13)?;
        check_range("embedding", self.embedding, 1, 1 << 10)?;
        check_range("frequencies", self.frequencies, 0, MOST_FREQUENCIES)?;
        check_range("dropout", self.dropout, -1.0, 0.95)?;
        check_range("past_dropout", self.past_dropout, 0.0, 0.95)?;
        check_range("beginnings", self.beginnings, 0.0, 0.95)?;
        check_range("bins", self.bins, 0, 1 << 14)?;
        check_range("smoothing", self.smoothing, 0.0, 1.0)?;
        check_range("jitter", self.jitter, 0.0, 1.0)?;
        check_range("schema_order", self.schema_order, 0.0, 1.0)?;
        check_range("validation", self.validation, 0.01, 0.5)?;
        check_range("anneal", self.anneal, 0.0, 10.0)?;
        self.attributes.check().map_err(|error| Error::Config(format!("attributes: {error}")))?;
        self.train.check("")
    }
}

/// Sizes by the number of rows, where the settings leave them open.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Chosen {
    bins: usize,
    width: usize,
    hidden: usize,
    dropout: f64,
}

impl SequenceConfig {
    fn choose(&self, rows: usize) -> Chosen {
        let (width, dropout) = match rows {
            0..5_000 => (96, 0.2),
            // 256 overfitted 35,000 hours of air quality before it had learned them: 7.66 nats a row held out, 7.48 with this.
            _ => (128, 0.2),
        };
        let width = if self.width > 0 { self.width } else { width };
        Chosen {
            bins: if self.bins > 0 { self.bins } else { (rows / 75).clamp(16, 100) },
            width,
            hidden: if self.hidden > 0 { self.hidden } else { width },
            dropout: if self.dropout >= 0.0 { self.dropout } else { dropout },
        }
    }

    /// The network for rows and attributes of these layouts.
    /// `counts` and `steps` are what it begins with; empty for weights that are to be loaded.
    fn network(&self, form: &Form, layouts: &Layouts, counts: &[u64], steps: Vec<f32>, seed: u64, device: &Device) -> SequenceNet {
        let Chosen { width, hidden, .. } = form.chosen;
        let sizes = Sizes { width, depth: self.depth, embedding: self.embedding, frequencies: self.frequencies };
        let of_encoder = encoder::Sizes {
            hidden,
            embedding: self.embedding,
            width,
            known: form.known.width(),
            lagged: form.rows_of_a_day > 0,
            daily: form.daily,
            stays: if form.stays { layouts.rows.spans.len() } else { 0 },
        };
        SequenceNet {
            encoder: Encoder::new(&layouts.rows, layouts.attributes.as_ref(), &of_encoder, steps, seed, device),
            decoder: Net::new(&layouts.rows, &sizes, counts, seed, device),
        }
    }

    fn layouts(&self, form: &Form, attributes: Option<&FittedTable>) -> Layouts {
        let given = form.given.as_ref().map(|tokens| Layout::new(tokens, self.frequencies));
        Layouts {
            rows: Layout::new(&form.tokens, self.frequencies),
            attributes: given.or_else(|| attributes.map(|fitted| fitted.layout().clone())),
        }
    }

    fn cut(&self, form: &Form) -> Cut {
        let length = self.chunk_rows.max(2 * form.rows_of_a_day).min(form.longest.max(2));
        let warm_up =
            if form.is_single { (length / 3).max(form.rows_of_a_day) } else { (length / 3).max(form.rows_of_a_day).min(form.longest - 1) };
        Cut { length, warm_up: warm_up.min(length - 1), begins: !form.is_single }
    }

    fn schedule(&self, chunks: usize) -> TrainSchedule {
        TrainSchedule { anneal: self.anneal, ..self.train.schedule(chunks, LastBatch::Filled) }
    }
}

/// What was learned.
struct Fitted {
    form: Form,
    layouts: Layouts,
    net: SequenceNet,
    /// The model of attributes, where there are several sequences.
    attributes: Option<FittedTable>,
    texts: Texts,
    device: Device,
}

/// The model with its settings, fitted or not.
#[derive(Default)]
pub struct Sequence {
    config: SequenceConfig,
    texts: TextArConfig,
    fitted: Option<Fitted>,
}

/// The name that `--model` takes and the model file holds.
const NAME: &str = "sequence";

/// The registry's entry.
pub(crate) const ENTRY: Entry<Series> = Entry {
    name: NAME,
    summary: "rows in time of any kinds of columns, of any number of sequences: masked diffusion over columns, given the rows before",
    build: |mut values: Value| {
        let texts = columns::settings(&mut values)?;
        Ok(Box::new(Sequence::new(config::from_value(NAME, values)?)?.with_texts(texts)?))
    },
    settings: columns::settings_of::<SequenceConfig>,
    load: |file, path, device| Ok(Box::new(Sequence::from_checkpoint(file, path, device)?)),
};

impl Sequence {
    /// An unfitted model.
    ///
    /// # Errors
    /// A setting out of its range.
    pub fn new(config: SequenceConfig) -> Result<Self> {
        config.check()?;
        Ok(Self { config, ..Self::default() })
    }

    /// The fitted model in a file that was read from `path`.
    ///
    /// # Errors
    /// A file that is damaged or holds another model.
    pub fn from_checkpoint(file: &Checkpoint, path: &Path, device: &Device) -> Result<Self> {
        file.expect_model(NAME, path)?;
        let config: SequenceConfig = config::of_file(file, path)?;
        let form: Form = file.metadata_as("form", path)?;
        form.check().map_err(|what| Error::checkpoint(path, what))?;
        let is_drawn = form.attributes.is_some() && form.given.is_none();
        let attributes = is_drawn.then(|| config.attributes.read(file, path, device)).transpose()?;
        let layouts = config.layouts(&form, attributes.as_ref());
        let net = config.network(&form, &layouts, &[], Vec::new(), 0, device);
        let net = file.load_module("sequence", net, path)?;
        let texts = Texts::read(file, path, device)?;
        Ok(Self { config, fitted: Some(Fitted { form, layouts, net, attributes, texts, device: device.clone() }), ..Self::default() })
    }

    /// The same with other settings of the models of columns of free text.
    ///
    /// # Errors
    /// A setting out of its range.
    pub fn with_texts(self, texts: TextArConfig) -> Result<Self> {
        texts.check()?;
        Ok(Self { texts, ..self })
    }

    fn fitted(&self) -> Result<&Fitted> {
        self.fitted.as_ref().ok_or_else(not_fitted)
    }

    /// The model as a file that is not yet written; `path` is only named in errors.
    ///
    /// # Errors
    /// A model that was not fitted.
    pub fn to_checkpoint(&self, path: &Path) -> Result<Checkpoint> {
        let fitted = self.fitted()?;
        let mut file = Checkpoint::of::<Series>(NAME);
        file.set_metadata("config", &self.config, path)?;
        file.set_metadata("form", &fitted.form, path)?;
        if let Some(attributes) = &fitted.attributes {
            self.config.attributes.write(attributes, &mut file, path)?;
        }
        file.add_module("sequence", &fitted.net)?;
        fitted.texts.write(&mut file, path)?;
        Ok(file)
    }

    /// Learns the rows of sequences, and their attributes unless these will always be `given`.
    fn learn(&mut self, data: &Series, given: bool, run: &mut Run) -> Result<Summary> {
        run.check_single_device(NAME, "its step is small")?;
        let started = Instant::now();
        let config = &self.config;
        let Ready { form, cells, pairs, attributes, notes } = Form::of(data, config, given, run.seed)?;
        notes.iter().for_each(|note| run.observer.event(Event::Note(note)));
        let attributes_model = match &attributes {
            Some(table) if !given => {
                run.observer.event(Event::Stage(&format!("attributes of {} sequences", table.rows())));
                // In a folder of its own state, which is small: an interrupted fit learns the attributes again.
                let mut own = run.for_worker(run.device.clone());
                (own.folder, own.resume, own.stop) = (None, false, run.stop.clone());
                Some(config.attributes.fit(table, &mut own)?.0)
            }
            _ => None,
        };
        let tokens = form.given.as_ref().or(attributes_model.as_ref().map(FittedTable::tokens));
        let attribute_cells = match (tokens, &attributes) {
            (Some(tokens), Some(table)) => cells_of(tokens, table)?,
            _ => Vec::new(),
        };
        let layouts = config.layouts(&form, attributes_model.as_ref());
        let cut = config.cut(&form);
        let stays = stays(data, &cells);
        let of_data = Data {
            series: data,
            cells: &cells,
            layout: &layouts.rows,
            attributes: &attribute_cells,
            known: form.known,
            irregular: form.gap.is_some(),
            rows_of_a_day: form.rows_of_a_day,
            stays: &stays,
        };
        let positions = layouts.rows.spans.len();
        let orders = Orders::random(positions).with_given((0..positions).collect(), config.schema_order);
        let (learned, held) = parts(data, config.validation, cut, run.seed);
        let mut chunks = Chunks::new(learned, data.count(), cut);
        let schedule = config.schedule(chunks.count());
        let constants = Arc::new(Constants {
            layouts: layouts.clone(),
            entropy: CrossEntropy::new(layouts.rows.spans.clone(), smoothing(&form.tokens, config.smoothing), &run.device),
            chosen: form.chosen,
            rows_of_a_day: form.rows_of_a_day,
        });
        run.observer.event(Event::Stage(&format!(
            "{} chunks of {} rows, {positions} positions with {} tokens, a decoder {} wide, a state of {}",
            chunks.count(),
            cut.length,
            layouts.rows.spans.width(),
            form.chosen.width,
            form.chosen.hidden
        )));
        let judge = Judge::new(&of_data, &covering(&held, cut), cut, &orders, run.seed, &run.device);
        let mut score = |net: &SequenceNet| judge.score(net, &constants);
        let mut make = |step: &Step| {
            let chosen = chunks.of(step);
            let [jitter, gaps, alone] = [purpose::JITTER, purpose::PAST, purpose::ALONE].map(|purpose| step.stream(purpose));
            let random = Randomness {
                shown: step.stream(purpose::SHOWN),
                learning: Some((&jitter, &gaps)),
                past_dropout: config.past_dropout,
                alone: (config.beginnings > 0.0).then_some((&alone, config.beginnings)),
            };
            of_data.batch(&chosen, cut, step.rows(), &orders, config.jitter, &random)
        };
        let counts = rows_of_tokens(&cells, &layouts.rows);
        let steps = first_steps(&layouts.rows, &cells, &pairs);
        let net = config.network(&form, &layouts, &counts, steps, run.seed, &run.device.clone().autodiff());
        let model = SequenceModel { net, shared: Shared(constants.clone()) };
        let of_cells: Vec<(u32, u32)> =
            cells.iter().chain(&attribute_cells).flatten().map(|cell| (cell.token, cell.place.to_bits())).collect();
        let name = fingerprint((NAME, run.seed, serde_json::to_string(config).ok(), serde_json::to_string(&form).ok(), of_cells));
        let encode_secs = started.elapsed().as_secs_f64();
        let trainer = Trainer::new(schedule, config.train.ema, name, &mut make).with_score(&mut score);
        let Trained { sampled, summary } = trainer.fit(model, Optimizers::default().with("net", config.train.optimizer), run)?;
        self.fitted =
            Some(Fitted { form, layouts, net: sampled, attributes: attributes_model, texts: Texts::default(), device: run.device.clone() });
        Ok(summary.with_encode_secs(encode_secs))
    }
}

impl Synthesizer<Series> for Sequence {
    fn fit(&mut self, data: &Series, run: &mut Run) -> Result<Summary> {
        let plain = Texts::plain_of(data)?;
        let summary = TextColumns::before(data.rows(), run, |run| self.learn(&plain, false, run))?;
        let texts = Texts::fit(data, &self.texts, run)?;
        if let Some(fitted) = &mut self.fitted {
            fitted.texts = texts;
        }
        Ok(summary)
    }

    fn sample(&self, request: &SeriesRequest) -> Result<Sample<Series>> {
        let fitted = self.fitted()?;
        if request.rows.is_empty() {
            return Err(Error::Config("the request has no sequences; sample at least one".into()));
        }
        if fitted.form.given.is_some() {
            return Err(Error::Config("this model continues rows that it is given; sample the database that it belongs to".into()));
        }
        let sample = sampling::sample(&self.config, fitted, request)?;
        fitted.texts.fill(sample, request.rows.start, request)
    }

    fn save(&self, path: &Path) -> Result<()> {
        self.to_checkpoint(path)?.write(path)
    }

    fn likelihood(&self) -> Option<&dyn Likelihood<Series>> {
        Some(self)
    }

    fn rebuild(&self) -> Option<&dyn Rebuild<Series>> {
        Some(self)
    }
}

impl Rebuild<Series> for Sequence {
    fn rebuild(&self, init: &Series, mask: Option<&Series>, request: &SeriesRequest) -> Result<Sample<Series>> {
        if mask.is_some() {
            return Err(Error::Config("missing cells are filled in, and others stay; leave --mask out".into()));
        }
        let fitted = self.fitted()?;
        let plain = fitted.texts.plain(init)?;
        let sample = match request.horizon {
            Some(horizon) => forecast::continued(&self.config, fitted, &plain, horizon, request)?,
            None => fitted.texts.returned(completion::completed(&self.config, fitted, &plain, request)?, init)?,
        };
        fitted.texts.fill(sample, 0, request)
    }
}

/// The cells of a table; a label that was not there becomes the first.
fn cells_of(tokens: &TableTokens, table: &semblant_data::table::Table) -> Result<Vec<Vec<Cell>>> {
    let known = |cell: Option<Cell>| cell.unwrap_or(Cell { token: 0, place: 0.5 });
    Ok(tokens.encode(table)?.into_iter().map(|cells| cells.into_iter().map(known).collect()).collect())
}

/// The rows of every token.
fn rows_of_tokens(cells: &[Vec<Cell>], layout: &Layout) -> Vec<u64> {
    let mut counts = vec![0; layout.spans.width()];
    for (position, cells) in cells.iter().enumerate() {
        let start = layout.spans.range(position).start;
        cells.iter().for_each(|cell| counts[start + cell.token as usize] += 1);
    }
    counts
}

/// Sequences with the rows of each that are learned, and those that are held out: whole sequences, or the end of a single one.
type Parts = Vec<(usize, std::ops::Range<usize>)>;

fn parts(series: &Series, share: f64, cut: Cut, seed: u64) -> (Parts, Parts) {
    let whole = |sequence: usize| (sequence, 0..series.length(sequence));
    if series.count() == 1 {
        let rows = series.length(0);
        let kept = rows - ((rows as f64 * share) as usize).max(cut.length).min(rows / 2);
        return (vec![(0, 0..kept)], vec![(0, kept..rows)]);
    }
    let mut order = purpose::HELD_OUT.of(seed).permutation(0, series.count());
    let held = order.split_off(series.count() - ((series.count() as f64 * share) as usize).clamp(1, series.count() / 2));
    (order.into_iter().map(whole).collect(), held.into_iter().map(whole).collect())
}
