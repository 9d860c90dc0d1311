//! What a training step sees: which columns of a row are shown, and which are predicted; and the rows that are held out.

use std::sync::Arc;

use burn::tensor::Device;
use semblant_core::host;
use semblant_core::seeds::Stream;
use semblant_masked_diffusion::{Cell, CrossEntropy, Orders, Smoothing, Targets};

use crate::net::{Input, Layout, Net};
use crate::tokens::{Position, TableTokens};

/// Purposes of random numbers.
pub(crate) mod purpose {
    use semblant_core::seeds::streams::TRAINING;
    use semblant_core::streams;

    streams! {
        in TRAINING;
        pub(crate) const ORDER = 1..2;
        pub(crate) const HELD_OUT = 2..3;
        pub(crate) const SHOWN = 3..4;
        pub(crate) const DROPOUT = 4..5;
        pub(crate) const JITTER = 5..6;
    }
}

/// What a step needs beside the weights.
#[derive(Debug)]
pub(crate) struct Constants {
    pub(crate) layout: Layout,
    pub(crate) entropy: CrossEntropy,
    pub(crate) dropout: f64,
}

/// One batch: what is shown, and what the rest is.
#[derive(Debug, Clone)]
pub struct Batch {
    /// What is shown.
    pub input: Input,
    /// What the hidden positions are.
    pub targets: Targets,
}

/// The rows that are learned, as batches.
pub struct Batches<'a> {
    /// The cells, `[positions][rows]`.
    pub cells: &'a [Vec<Cell>],
    /// What the network must know of the positions.
    pub layout: &'a Layout,
    /// The orders in which positions are shown.
    pub orders: &'a Orders,
    /// The deviation of the places of shown numbers, as a share of their range.
    pub jitter: f64,
}

impl Batches<'_> {
    /// The batch of these rows, whose random numbers are those of `addresses`; to be learned from where there is `jitter`, else to be judged by.
    pub fn batch(&self, rows: &[usize], addresses: std::ops::Range<u64>, shown: &Stream, jitter: Option<&Stream>) -> Batch {
        let (positions, layout) = (self.cells.len(), self.layout);
        let (places, count) = (layout.places_width(), rows.len());
        let mut input = Input { embeddings: Vec::with_capacity(count * positions), places: vec![0.0; count * places] };
        let mut targets = (Vec::with_capacity(count * positions), vec![0.0f32; count * positions]);
        let (mut is_shown, mut shifts) = (vec![false; positions], vec![0.0; layout.bins.len()]);
        // One random offset for the whole batch, then even steps.
        let offset = shown.uniform_f64(addresses.start, positions as u32 + 1);
        for (index, (&row, address)) in rows.iter().zip(addresses).enumerate() {
            let place = (offset + index as f64 / count as f64).fract();
            let found = self.orders.show(shown, address, place, &mut is_shown);
            if let Some(stream) = jitter {
                stream.normals(address, &mut shifts);
            }
            for position in 0..positions {
                let cell = self.cells[position][row];
                let token = Some(cell.token).filter(|_| is_shown[position]);
                input.embeddings.push(layout.embedding_of(position, token) as i32);
                targets.0.push(cell.token);
                if !is_shown[position] {
                    let weight =
                        if jitter.is_some() { found.weight_in_training(position, positions) } else { found.weight(position, positions) };
                    targets.1[index * positions + position] = weight / count as f32;
                } else if let Some(number) = layout.numbers[position] {
                    let first = index * places + number * layout.place_width();
                    let shift = self.jitter as f32 * shifts[number];
                    layout.write_place(number, cell, shift, &mut input.places[first..first + layout.place_width()]);
                }
            }
        }
        Batch { input, targets: Targets { tokens: Arc::new(targets.0), weights: Arc::new(targets.1) } }
    }
}

/// The held-out loss in nats a row, of fixed masks.
pub(crate) struct Held<'a> {
    batches: Vec<Batch>,
    layout: &'a Layout,
    entropy: CrossEntropy,
    rows: usize,
}

impl<'a> Held<'a> {
    /// Every held-out row comes with this many masks.
    const MASKS: u64 = 4;
    /// Rows that are judged at once.
    const ROWS: usize = 1024;

    pub(crate) fn new(batches: &Batches<'a>, rows: &[usize], device: &Device, seed: u64) -> Self {
        let stream = purpose::SHOWN.of(seed ^ 0x5eed);
        let mut all = Vec::new();
        for mask in 0..Self::MASKS {
            for (chunk, rows) in rows.chunks(Self::ROWS).enumerate() {
                let first = (mask << 40) + (chunk * Self::ROWS) as u64;
                let mut batch = batches.batch(rows, first..first + rows.len() as u64, &stream, None);
                // A batch's weights are those of a mean over it.
                let scale = rows.len() as f32;
                batch.targets.weights = Arc::new(batch.targets.weights.iter().map(|weight| weight * scale).collect());
                all.push(batch);
            }
        }
        let layout = batches.layout;
        Self { batches: all, layout, entropy: CrossEntropy::plain(layout.spans.clone(), device), rows: rows.len() }
    }

    pub(crate) fn score(&self, net: &Net) -> f64 {
        let loss = |batch: &Batch| {
            let (loss, _) = self.entropy.with_gradient(&net.forward(&batch.input, self.layout, &[]), &batch.targets);
            f64::from(host::scalar(loss))
        };
        self.batches.iter().map(loss).sum::<f64>() / (Self::MASKS as usize * self.rows) as f64
    }
}

/// The rows that are held out, and the others.
pub(crate) fn held_out(rows: usize, share: f64, seed: u64) -> (Vec<usize>, Vec<usize>) {
    let mut order = purpose::HELD_OUT.of(seed).permutation(0, rows);
    let count = ((rows as f64 * share) as usize).max(20).min(rows / 2);
    let learned = order.split_off(count);
    // A table of one row is judged by that row.
    if order.is_empty() { (learned.clone(), learned) } else { (order, learned) }
}

/// How far the target of each position is spread over neighbouring bins: a deviation of `share` of its bins.
pub fn smoothing(tokens: &TableTokens, share: f64) -> Vec<Option<Smoothing>> {
    let of = |position: Position| {
        let bins = tokens.bins(position)?;
        let ranges = bins.bins.iter().filter(|bin| !bin.is_single()).count();
        (share > 0.0 && ranges > 1).then(|| Smoothing::new(&bins.alone(), share * ranges as f64))
    };
    tokens.positions().into_iter().map(of).collect()
}
