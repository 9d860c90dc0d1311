//! The settings of `sequence`, and what they make of the data: sizes, the network, how long sequences are cut.

use burn::tensor::Device;
use semblant_core::config::{Config, check_range};
use semblant_core::ema::Ema;
use semblant_core::optim::{Adam, LrSchedule};
use semblant_core::train_config::{LastBatch, TrainConfig};
use semblant_core::trainer::TrainSchedule;
use semblant_core::{Error, Result};
use semblant_tabular_masked::MaskedDiffusionConfig;
use semblant_tabular_masked::masked_diffusion::Fitted as FittedTable;
use semblant_tabular_masked::net::{Layout, MOST_FREQUENCIES, Net, Sizes};
use serde::{Deserialize, Serialize};

use super::chunks::Cut;
use super::encoder::{self, Encoder};
use super::form::Form;
use super::network::{Layouts, SequenceNet};
use super::steps::FirstSteps;

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
pub(super) struct Chosen {
    pub(super) bins: usize,
    pub(super) width: usize,
    pub(super) hidden: usize,
    pub(super) dropout: f64,
}

impl SequenceConfig {
    pub(super) fn choose(&self, rows: usize) -> Chosen {
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
    /// `counts` and `steps` are what it begins with; none and no counts for weights that are to be loaded.
    pub(super) fn network(
        &self,
        form: &Form,
        layouts: &Layouts,
        counts: &[u64],
        steps: Option<FirstSteps>,
        seed: u64,
        device: &Device,
    ) -> SequenceNet {
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
            steps_by_class: !form.seasons.is_empty(),
        };
        SequenceNet {
            encoder: Encoder::new(&layouts.rows, layouts.attributes.as_ref(), &of_encoder, steps, seed, device),
            decoder: Net::new(&layouts.rows, &sizes, counts, seed, device),
        }
    }

    pub(super) fn layouts(&self, form: &Form, attributes: Option<&FittedTable>) -> Layouts {
        let given = form.given.as_ref().map(|tokens| Layout::new(tokens, self.frequencies));
        Layouts {
            rows: Layout::new(&form.tokens, self.frequencies),
            attributes: given.or_else(|| attributes.map(|fitted| fitted.layout().clone())),
        }
    }

    pub(super) fn cut(&self, form: &Form) -> Cut {
        let length = self.chunk_rows.max(2 * form.rows_of_a_day).min(form.longest.max(2));
        let warm_up =
            if form.is_single { (length / 3).max(form.rows_of_a_day) } else { (length / 3).max(form.rows_of_a_day).min(form.longest - 1) };
        Cut { length, warm_up: warm_up.min(length - 1), begins: !form.is_single }
    }

    pub(super) fn schedule(&self, chunks: usize) -> TrainSchedule {
        TrainSchedule { anneal: self.anneal, ..self.train.schedule(chunks, LastBatch::Filled) }
    }
}
