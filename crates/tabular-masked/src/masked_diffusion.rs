//! Masked diffusion over the columns of a table: order-agnostic autoregression (Hoogeboom et al. 2022, "Autoregressive diffusion models") with
//! columns as tokens. Its nearest relative for tables is TabularARGN (Tiwald et al. 2025), which trains a perceptron for each column.
//!
//! In a training step a random number of columns, the first ones of an order, is shown; the others are predicted from one trunk. Half of the
//! rows have the order of the schema, the others a random one. Sampling shows one column a pass, first what is given, so that it conditions exactly.

use std::path::Path;
use std::sync::Arc;

use burn::module::Module;
use burn::optim::GradientsParams;
use burn::tensor::Device;
use semblant_core::checkpoint::Checkpoint;
use semblant_core::config::{Config, check_range};
use semblant_core::ema::Ema;
use semblant_core::model::{Losses, Model, Step};
use semblant_core::optim::{Adam, LrSchedule, Optimizers};
use semblant_core::passes::Passes;
use semblant_core::progress::Event;
use semblant_core::seeds::Stream;
use semblant_core::synthesizer::{Run, Summary};
use semblant_core::train_config::{LastBatch, TrainConfig};
use semblant_core::trainer::{TrainSchedule, Trained, Trainer, fingerprint};
use semblant_core::{Error, Result, host};
use semblant_data::table::{Table, TableRequest};
use semblant_masked_diffusion::{Cell, CrossEntropy, Orders};
use semblant_tabular::TableModel;
use semblant_tabular::completion::Completion;
use semblant_tabular::constraints::Constraints;
use semblant_tabular::rejection::Searched;
use serde::{Deserialize, Serialize};

use crate::batches::{Batch, Batches, Constants, Held, held_out, purpose, smoothing};
use crate::bins::BinsConfig;
use crate::calibration::calibrate;
use crate::net::{Layout, MOST_FREQUENCIES, Net, Sizes, dropout};
use crate::sampling;
use crate::tokens::{ColumnTokens, TableTokens};

/// Settings of masked diffusion. A 0 where it says so leaves the choice to the size of the table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default)]
pub struct MaskedDiffusionConfig {
    /// How long, in what batches, and by which optimizer. `epochs` bounds the run, which ends when the held-out loss no longer improves;
    /// `batch_rows` of 0 is chosen by the number of rows.
    #[serde(flatten)]
    pub train: TrainConfig,
    /// Width of the network; 0 is chosen by the number of rows.
    pub width: usize,
    /// Residual blocks of the network.
    pub depth: usize,
    /// Values of a token's embedding.
    pub embedding: usize,
    /// Sines and cosines, each, that tell the place of a number.
    pub frequencies: usize,
    /// Dropout within the blocks; below 0 it is chosen by the number of rows.
    pub dropout: f64,
    /// The most bins of a number; 0 is chosen by the numbers of rows and columns.
    pub bins: usize,
    /// The deviation over which the target of a number is spread, as a share of its bins.
    pub smoothing: f64,
    /// The deviation of the places of shown numbers, as a share of their range.
    pub jitter: f64,
    /// The share of rows that are learned in the order of the schema; others have a random order. Rows that nothing is asked of are sampled in the
    /// order of the schema, unless this is 0; others show what is asked for first, and have the schema's order in this share.
    pub schema_order: f64,
    /// The share of rows that are held out to judge the model while it is trained.
    pub validation: f64,
    /// Once the held-out loss no longer improves, the learning rate falls to 0 over this share of the steps so far, and the run ends with what it has
    /// then; 0 ends at once, with the best state. The held-out loss rises a little on that way, but rows come out better. Below 0 it is 0.3 for tables
    /// of 3,000 rows or more, and 0 for smaller ones, whose rows would come too near to those of the table.
    pub anneal: f64,
    /// Rounds in which the biases of the heads are moved until the network draws every token as often as the table has it; 0 moves none.
    pub calibration: u32,
}

impl Default for MaskedDiffusionConfig {
    fn default() -> Self {
        Self {
            train: TrainConfig {
                epochs: 300,
                batch_rows: 0,
                patience_ticks: 4,
                optimizer: Adam {
                    learning_rate: 1e-3,
                    beta_2: 0.99,
                    clip_norm: 10.0,
                    schedule: LrSchedule::Constant,
                    warm_up: 0.01,
                    ..Adam::default()
                },
                ema: Ema { half_life_rows: 350_000.0, warm_up: 0.1 },
                ..TrainConfig::default()
            },
            width: 0,
            depth: 2,
            embedding: 16,
            frequencies: 6,
            dropout: -1.0,
            bins: 0,
            smoothing: 0.01,
            jitter: 0.005,
            schema_order: 0.5,
            validation: 0.1,
            anneal: -1.0,
            calibration: 3,
        }
    }
}

impl Config for MaskedDiffusionConfig {
    fn check(&self) -> Result<()> {
        check_range("width", self.width as u64, 0, 1 << 14)?;
        check_range("depth", self.depth as u64, 0, 100)?;
        check_range("embedding", self.embedding as u64, 1, 1 << 10)?;
        check_range("frequencies", self.frequencies as u64, 0, MOST_FREQUENCIES as u64)?;
        check_range("bins", self.bins as u64, 0, 1 << 14)?;
        let within = |name: &str, value: f64, low: f64, high: f64| {
            if (low..=high).contains(&value) {
                return Ok(());
            }
            Err(Error::Config(format!("{name} = {value} is out of range; choose a number from {low} to {high}")))
        };
        within("dropout", self.dropout, -1.0, 0.95)?;
        within("smoothing", self.smoothing, 0.0, 1.0)?;
        within("jitter", self.jitter, 0.0, 1.0)?;
        within("schema_order", self.schema_order, 0.0, 1.0)?;
        within("validation", self.validation, 0.01, 0.5)?;
        within("anneal", self.anneal, -1.0, 10.0)?;
        check_range("calibration", u64::from(self.calibration), 0, 1000)?;
        TrainConfig { batch_rows: self.train.batch_rows.max(u64::from(self.train.batch_rows == 0)), ..self.train }.check("")
    }
}

/// Sizes by the table, where the settings leave them open.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Chosen {
    bins: usize,
    width: usize,
    dropout: f64,
    batch_rows: u64,
}

impl MaskedDiffusionConfig {
    fn choose(&self, rows: usize, columns: usize, device: &Device) -> Chosen {
        // So many logits in all that a network of a few million weights serves.
        const MOST_LOGITS: usize = 32_768;
        let bins = (rows / 75).clamp(16, 200).min((MOST_LOGITS / columns.max(1)).max(8));
        let (width, dropout) = match rows {
            0..3_000 => (128, 0.3),
            3_000..10_000 => (128, 0.2),
            // 256 gave no better scores on Adult and California housing, and rows cost four times as much.
            10_000..50_000 => (128, 0.1),
            _ => (256, 0.1),
        };
        // A launch takes as long for a few hundred rows as for thousands.
        let most_rows: u64 = if host::is_host(device) { 512 } else { 4096 };
        let batch_rows = (1u64 << (rows as u64 / 40).max(32).ilog2()).min(most_rows);
        Chosen {
            bins: if self.bins > 0 { self.bins } else { bins },
            width: if self.width > 0 { self.width } else { width },
            dropout: if self.dropout >= 0.0 { self.dropout } else { dropout },
            batch_rows: if self.train.batch_rows > 0 { self.train.batch_rows } else { batch_rows },
        }
    }

    fn sizes(&self, width: usize) -> Sizes {
        Sizes { width, depth: self.depth, embedding: self.embedding, frequencies: self.frequencies }
    }

    /// The run over `rows` rows: ticks at least 75 and at most 500 steps apart, so that patience means as much on any table.
    fn schedule(&self, rows: usize, batch_rows: u64) -> TrainSchedule {
        let train = TrainConfig { batch_rows, ..self.train };
        let usual = train.schedule(rows, LastBatch::Filled);
        let or = |value: u64, otherwise: u64| if value == 0 { otherwise } else { value };
        let tick_rows = or(train.tick_rows, (rows as u64).div_ceil(batch_rows).clamp(75, 500) * batch_rows);
        let checkpoint_rows = or(train.checkpoint_rows, 10 * tick_rows);
        // Few rows take more passes than the usual number, unless that was asked for.
        let steps =
            if train.rows == 0 && train.epochs == Self::default().train.epochs { usual.steps.max(LEAST_STEPS) } else { usual.steps };
        let anneal = match self.anneal {
            chosen if chosen >= 0.0 => chosen,
            _ => 0.3 * f64::from(u8::from(rows >= ANNEALED_ROWS)),
        };
        TrainSchedule { steps, tick_rows, checkpoint_rows, anneal, ..usual }
    }
}

/// Tables of fewer rows are often described better by a model that estimates a few numbers than by a network.
const FEW_ROWS: usize = 500;

/// Rows that are learned of tables whose learning rate falls to 0 at the end of a fit: nine tenths of 3,000.
const ANNEALED_ROWS: usize = 2_700;

/// The bound on the steps of small tables.
const LEAST_STEPS: u64 = 6000;

/// The tokens and what a network must know of them.
#[derive(Debug)]
pub struct Fitted {
    pub(crate) tokens: TableTokens,
    pub(crate) layout: Layout,
    pub(crate) net: Net,
}

impl Fitted {
    /// The tokens of the columns.
    pub fn tokens(&self) -> &TableTokens {
        &self.tokens
    }

    /// What the network knows of the positions.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }
}

/// The network while it is trained.
#[derive(Module, Debug)]
pub struct MaskedDiffusionModel {
    net: Net,
    #[module(skip)]
    shared: Shared,
}

/// What a training step needs beside the weights.
#[derive(Debug, Clone)]
struct Shared(Arc<Constants>);

impl Model for MaskedDiffusionModel {
    type Batch = Batch;
    type Sampled = Net;

    fn sampled(&self) -> Net {
        self.net.valid()
    }

    fn train_step(mut self, batch: Batch, optimizers: &mut Optimizers, step: &Step) -> (Self, Losses) {
        let constants = self.shared.0.clone();
        let device = self.net.on().inner();
        let masks = dropout(&step.stream(purpose::DROPOUT), step.rows(), &self.net, constants.dropout, &device);
        let logits = self.net.forward(&batch.input, &constants.layout, &masks); // [rows, all tokens]
        let (loss, surrogate) = constants.entropy.surrogate(logits, &batch.targets);
        let gradients = GradientsParams::from_grads(surrogate.backward(), &self.net);
        self.net = optimizers.step("net", self.net, gradients, step);
        (self, Losses::default().with("nats", loss))
    }
}

impl TableModel for MaskedDiffusionConfig {
    const NAME: &'static str = "masked-diffusion";
    const SUMMARY: &'static str = "masked diffusion over columns: any order, exact conditions (Hoogeboom et al. 2022)";
    type Fitted = Fitted;
    const EXCLUDES: bool = true;

    fn fit(&self, table: &Table, run: &mut Run) -> Result<(Fitted, Summary)> {
        run.check_single_device(Self::NAME, "its step is small")?;
        let started = std::time::Instant::now();
        let learned = table.schema().columns.iter().filter(|column| column.kind.is_modelled()).count();
        let chosen = self.choose(table.rows(), learned, &run.device);
        let tokens = TableTokens::fit(table, &BinsConfig { bins: chosen.bins, most_single: MOST_SINGLE.min(8 * chosen.bins) })?;
        let layout = Layout::new(&tokens, self.frequencies);
        let cells: Vec<Vec<Cell>> = (tokens.encode(table)?.into_iter())
            .map(|cells| cells.into_iter().map(|cell| cell.unwrap_or(Cell { token: 0, place: 0.5 })).collect())
            .collect();
        let (held, learned) = held_out(table.rows(), self.validation, run.seed);
        let encode_secs = started.elapsed().as_secs_f64();
        let (positions, tokens_in_all) = (layout.spans.len(), layout.spans.width());
        run.observer.event(Event::Stage(&format!(
            "{positions} positions with {tokens_in_all} tokens, a network {} wide and {} deep, {} rows held out",
            chosen.width,
            self.depth,
            held.len()
        )));
        if table.rows() < FEW_ROWS {
            let few = format!("{} rows are few for a network; --model copula is often closer to so small a table", table.rows());
            run.observer.event(Event::Note(&few));
        }
        let constants = Arc::new(Constants {
            entropy: CrossEntropy::new(layout.spans.clone(), smoothing(&tokens, self.smoothing), &run.device),
            layout: layout.clone(),
            dropout: chosen.dropout,
        });
        let orders = Orders::random(positions).with_given((0..positions).collect(), self.schema_order);
        let batches = Batches { cells: &cells, layout: &layout, orders: &orders, jitter: self.jitter };
        let judge = Held::new(&batches, &held, &run.device, run.seed);
        let mut score = |net: &Net| judge.score(net);
        let mut passes = Passes::new(learned.len(), purpose::ORDER);
        let mut make = |step: &Step| {
            let rows: Vec<usize> = passes.batch(step).into_iter().map(|place| learned[place]).collect();
            batches.batch(&rows, step.rows(), &step.stream(purpose::SHOWN), Some(&step.stream(purpose::JITTER)))
        };
        let rows = rows_of_tokens(&tokens);
        let net = Net::new(&layout, &self.sizes(chosen.width), &rows, run.seed, &run.device.clone().autodiff());
        let model = MaskedDiffusionModel { net, shared: Shared(constants.clone()) };
        let settings = [serde_json::to_string(self).ok(), serde_json::to_string(&tokens).ok()];
        let of_cells: Vec<(u32, u32)> = cells.iter().flatten().map(|cell| (cell.token, cell.place.to_bits())).collect();
        // The number of rows of a step too, which may be another one on another device.
        let name = fingerprint((Self::NAME, run.seed, settings, of_cells, chosen.batch_rows));
        let schedule = self.schedule(learned.len(), chosen.batch_rows);
        let trainer = Trainer::new(schedule, self.train.ema, name, &mut make).with_score(&mut score);
        let Trained { sampled, summary } = trainer.fit(model, Optimizers::default().with("net", self.train.optimizer), run)?;
        let mut fitted = Fitted { tokens, layout: layout.clone(), net: sampled };
        calibrate(self, &mut fitted, &cells, self.calibration, run.seed);
        Ok((fitted, summary.with_encode_secs(encode_secs)))
    }

    fn search(&self, fitted: &Fitted, request: &TableRequest, constraints: &Constraints, watch: &mut dyn FnMut(u64)) -> Result<Searched> {
        sampling::search(self, fitted, request, constraints, watch)
    }

    fn write(&self, fitted: &Fitted, file: &mut Checkpoint, path: &Path) -> Result<()> {
        file.set_metadata("tokens", &fitted.tokens, path)?;
        file.set_metadata("width", &fitted.net.width(), path)?;
        file.add_module("model", &fitted.net)
    }

    fn completion(&self) -> Option<&dyn Completion<Fitted>> {
        Some(self)
    }

    fn read(&self, file: &Checkpoint, path: &Path, device: &Device) -> Result<Fitted> {
        let tokens: TableTokens = file.metadata_as("tokens", path)?;
        tokens.check().map_err(|what| Error::checkpoint(path, what))?;
        let width: usize = file.metadata_as("width", path)?;
        if !(1..=1 << 14).contains(&width) {
            return Err(Error::checkpoint(path, format!("a network {width} wide cannot be read; fit the model again")));
        }
        let layout = Layout::new(&tokens, self.frequencies);
        let net = file.load_module("model", Net::new(&layout, &self.sizes(width), &[], 0, device), path)?;
        Ok(Fitted { tokens, layout, net })
    }
}

impl Completion<Fitted> for MaskedDiffusionConfig {
    fn complete(&self, fitted: &Fitted, table: &Table, constraints: &Constraints, seed: u64) -> Result<Table> {
        let learned = constraints.learned(table)?;
        let mut cells = by_row(fitted.tokens.encode(&learned)?, table.rows());
        // A missing value is a token like others where some were missing in training; here it is what is to be drawn.
        for (index, position) in fitted.tokens.positions().iter().enumerate() {
            let column = &learned.columns()[position.column];
            cells.iter_mut().enumerate().filter(|(row, _)| column.is_missing(*row)).for_each(|(_, cells)| cells[index] = None);
        }
        constraints.restore(sampling::complete(self, fitted, &cells, constraints, seed)?)
    }

    fn negative_log_likelihoods(&self, fitted: &Fitted, table: &Table, orders: usize, seed: u64) -> Result<Vec<Vec<Vec<f64>>>> {
        let cells = by_row(fitted.tokens.encode(table)?, table.rows());
        let positions = fitted.tokens.positions();
        let all = Orders::random(positions.len()).with_given((0..positions.len()).collect(), self.schema_order);
        let of_order = |number: usize| {
            let found = sampling::score(self, fitted, &cells, &all.order(&sampled::JUDGED.of(seed), number as u64));
            let row = |(row, found): (usize, Vec<f64>)| {
                let mut by_column = vec![0.0; fitted.tokens.columns.len()];
                for (index, position) in positions.iter().enumerate() {
                    by_column[position.column] -= found[index];
                }
                for (column, nats) in by_column.iter_mut().enumerate() {
                    *nats += fitted.tokens.within(column, &table.columns()[column], row);
                }
                by_column
            };
            found.into_iter().enumerate().map(row).collect()
        };
        Ok((0..orders).map(of_order).collect())
    }
}

/// From `[positions][rows]` to `[rows][positions]`.
fn by_row(cells: Vec<Vec<Option<Cell>>>, rows: usize) -> Vec<Vec<Option<Cell>>> {
    (0..rows).map(|row| cells.iter().map(|of_position| of_position[row]).collect()).collect()
}

/// Numbers of at most this many different values have a token for each.
const MOST_SINGLE: usize = 128;

/// The rows of every token of every position.
fn rows_of_tokens(tokens: &TableTokens) -> Vec<u64> {
    let mut all = Vec::new();
    for position in tokens.positions() {
        match &tokens.columns[position.column] {
            ColumnTokens::Bins(bins) => all.extend(bins.rows()),
            ColumnTokens::Labels(labels) => {
                let mut rows = vec![0; labels.widths()[position.digit]];
                labels
                    .counts
                    .iter()
                    .enumerate()
                    .for_each(|(value, count)| rows[labels.digits(value as u32)[position.digit] as usize] += count);
                all.extend(rows);
            }
            ColumnTokens::Unlearned => {}
        }
    }
    all
}

/// Purposes of a sample's random numbers.
mod sampled {
    use semblant_core::seeds::streams::SAMPLING;
    use semblant_core::streams;

    streams! {
        in SAMPLING;
        pub(super) const ROWS = 0..0x10_0000;
        pub(super) const ORDERS = 0x10_0000..0x10_0001;
        pub(super) const JUDGED = 0x10_0001..0x10_0002;
    }
}

/// The random numbers of a sample's rows, and of candidates for them.
pub(crate) fn stream_of_rows(seed: u64, candidate: u32) -> Stream {
    sampled::ROWS.nth(seed, candidate)
}

/// The random numbers of a sample's orders.
pub(crate) fn stream_of_orders(seed: u64) -> Stream {
    sampled::ORDERS.of(seed)
}
