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
mod settings;
mod standing;
mod steps;
mod texts;
mod times;

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use burn::tensor::Device;
use semblant_core::checkpoint::Checkpoint;
use semblant_core::config::{self, Config};
use semblant_core::model::Step;
use semblant_core::optim::Optimizers;
use semblant_core::progress::Event;
use semblant_core::synthesizer::{Entry, Likelihood, Rebuild, Run, Sample, Summary, Synthesizer, not_fitted};
use semblant_core::trainer::{Trained, Trainer, fingerprint};
use semblant_core::{Error, Result};
use semblant_data::series::{Series, SeriesRequest};
use semblant_masked_diffusion::{Cell, CrossEntropy, Orders};
use semblant_tabular::TableModel;
use semblant_tabular_masked::batches::smoothing;
use semblant_tabular_masked::masked_diffusion::Fitted as FittedTable;
use semblant_tabular_masked::net::Layout;
use semblant_tabular_masked::tokens::TableTokens;
use semblant_text::TextArConfig;
use semblant_text::columns::{self, TextColumns};
use serde_json::Value;

use self::chunks::{Chunks, Cut, Data, Randomness, covering, purpose};
use self::form::{Form, Ready};
use self::network::{Constants, Judge, Layouts, SequenceModel, SequenceNet, Shared};
pub use self::sampling::Accept;
pub use self::settings::SequenceConfig;
use self::steps::FirstSteps;
use self::texts::Texts;

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
        let net = config.network(&form, &layouts, &[], None, 0, device);
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
        let standings = form.standings(data, &layouts.rows, &cells);
        let of_data = Data {
            series: data,
            cells: &cells,
            layout: &layouts.rows,
            attributes: &attribute_cells,
            known: form.known,
            irregular: form.gap.is_some(),
            rows_of_a_day: form.rows_of_a_day,
            standings: &standings,
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
        let steps = FirstSteps::of(&layouts.rows, &cells, &pairs, &standings);
        let net = config.network(&form, &layouts, &counts, Some(steps), run.seed, &run.device.clone().autodiff());
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
        request.check_new()?;
        request.check_no_steps(NAME)?;
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
        request.check_given()?;
        request.check_no_steps(NAME)?;
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
