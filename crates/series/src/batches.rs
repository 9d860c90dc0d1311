//! The batches that models of windows learn from, and the blocks in which they make windows.

use burn::tensor::{Device, Tensor};
use semblant_core::host;
use semblant_core::model::Step;
use semblant_core::passes::Passes;
use semblant_core::trainer::fingerprint;
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
    /// A name for what a run of `model` learns, under which its state is kept.
    pub(crate) fn fingerprint<C: SeriesModel>(&self, model: &C, seed: u64) -> String {
        let bits: Vec<u64> = self.windows.values.iter().map(|value| value.to_bits()).collect();
        let told: Vec<u32> = self.attributes.values.iter().map(|value| value.to_bits()).collect();
        let Windows { length, channels, .. } = self.windows;
        fingerprint((C::NAME, seed, serde_json::to_string(model).ok(), length, channels, (bits, &self.lengths, told)))
    }

    /// The batches of a run over `values [count, rows * channels]`, which are the windows as the network sees them.
    pub(crate) fn batches<'a>(&'a self, values: &'a [f32], rows: usize, device: &'a Device) -> impl FnMut(&Step) -> Batch + 'a {
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
