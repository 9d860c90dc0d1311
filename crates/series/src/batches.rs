//! What models of windows learn from, how they are trained, and the blocks in which they make windows.

use burn::tensor::{Device, Tensor};
use semblant_core::model::{Model, Step};
use semblant_core::optim::Optimizers;
use semblant_core::passes::Passes;
use semblant_core::seeds::Stream;
use semblant_core::synthesizer::Run;
use semblant_core::train_config::{LastBatch, TrainConfig};
use semblant_core::trainer::{Trained, Trainer, fingerprint};
use semblant_core::{Result, host};
use semblant_data::series::Windows;

use crate::attributes::Features;
use crate::model::SeriesModel;
use crate::purpose::ORDER;

/// Windows that a network sees at once when it makes some: always so many, since a matrix product may order its sums by its shape.
pub(crate) const CHUNK: usize = 128;

/// What a model of windows learns from.
#[derive(Debug, Clone)]
pub struct Training {
    /// Windows whose columns were brought to 0..1; rows after the end of a sequence are 0.
    pub windows: Windows,
    /// Rows of each sequence: those of a window, unless the model learns sequences of different lengths.
    pub lengths: Vec<usize>,
    /// What is told of each sequence.
    pub attributes: Features,
}

impl Training {
    /// Rows, channels and numbers of attributes of a window: what the sizes of a network follow from.
    pub(crate) fn sizes(&self) -> [usize; 3] {
        [self.windows.length, self.windows.channels, self.attributes.width]
    }

    /// Trains `model` by the settings `train` of `config` on `values [count, rows * channels]`, which are the windows as the network sees them.
    ///
    /// # Errors
    /// As [`Trainer::fit`].
    pub(crate) fn train<C: SeriesModel, M: Model<Batch = Batch>>(
        &self,
        config: &C,
        train: &TrainConfig,
        (values, rows): (&[f32], usize),
        (model, optimizers): (M, Optimizers),
        run: &mut Run,
    ) -> Result<Trained<M>> {
        let device = run.device.clone();
        let mut batch = self.batches(values, rows, &device);
        let schedule = train.schedule(self.windows.count, LastBatch::Filled);
        Trainer::new(schedule, train.ema, self.fingerprint(config, run.seed), &mut batch).fit(model, optimizers, run)
    }

    /// A name for what a run of `model` learns, under which its state is kept.
    fn fingerprint<C: SeriesModel>(&self, model: &C, seed: u64) -> String {
        let bits: Vec<u64> = self.windows.values.iter().map(|value| value.to_bits()).collect();
        let told: Vec<u32> = self.attributes.values.iter().map(|value| value.to_bits()).collect();
        let Windows { length, channels, .. } = self.windows;
        fingerprint((C::NAME, seed, serde_json::to_string(model).ok(), length, channels, (bits, &self.lengths, told)))
    }

    /// The batches of a run over `values [count, rows * channels]`, which are the windows as the network sees them.
    fn batches<'a>(&'a self, values: &'a [f32], rows: usize, device: &'a Device) -> impl FnMut(&Step) -> Batch + 'a {
        let (count, length) = (self.windows.count, rows);
        let size = values.len() / count;
        let mut passes = Passes::new(count, ORDER);
        move |step: &Step| {
            let rows = passes.batch(step);
            let mut shown = Vec::with_capacity(rows.len() * size);
            rows.iter().for_each(|&row| shown.extend_from_slice(&values[row * size..(row + 1) * size]));
            Batch {
                windows: host::tensor(shown, [rows.len(), length, size / length], device),
                attributes: self.attributes.tensor(&rows, rows.len(), device),
            }
        }
    }
}

/// What a step sees, on a device without autodiff.
#[derive(Debug, Clone)]
pub struct Batch {
    /// `[batch, length, channels]`.
    pub windows: Tensor<3>,
    /// `[batch, width]`, where there are attributes.
    pub attributes: Option<Tensor<2>>,
}

/// Some windows that are made at once, filled up to [`CHUNK`].
pub(crate) struct Block<'a> {
    /// Which decide the windows' random numbers.
    pub(crate) addresses: &'a [u64],
    /// The place of the first of them.
    pub(crate) first: usize,
    /// `[CHUNK, width]`, where there are attributes.
    pub(crate) attributes: Option<Tensor<2>>,
}

impl Block<'_> {
    /// Normal numbers for each window, `[CHUNK, size]` row-major, zeros after the last.
    pub(crate) fn normals(&self, stream: &Stream, size: usize) -> Vec<f32> {
        let mut noise = vec![0.0; CHUNK * size];
        self.addresses.iter().zip(noise.chunks_exact_mut(size)).for_each(|(&row, out)| stream.normals(row, out));
        noise
    }
}

/// The windows of these addresses and attributes, block by block.
pub(crate) fn blocks<'a>(addresses: &'a [u64], attributes: &'a Features, device: &'a Device) -> impl Iterator<Item = Block<'a>> {
    addresses.chunks(CHUNK).enumerate().map(move |(number, addresses)| {
        let first = number * CHUNK;
        let places: Vec<usize> = (first..first + addresses.len()).collect();
        Block { addresses, first, attributes: attributes.tensor(&places, CHUNK, device) }
    })
}
