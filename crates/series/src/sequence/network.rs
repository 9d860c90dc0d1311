//! The network, its training step, and the loss that it is judged by.

use std::sync::Arc;

use burn::module::Module;
use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor};
use semblant_core::host;
use semblant_core::model::{Losses, Model, Step};
use semblant_core::optim::Optimizers;
use semblant_masked_diffusion::{CrossEntropy, Orders};
use semblant_tabular_masked::net::{Layout, Net, dropout};

use super::chunks::{Batch, Chunk, Cut, Data, Randomness, purpose};
use super::encoder::{Before, Encoder};
use super::settings::Chosen;

/// What the networks must know of rows and attributes.
#[derive(Debug, Clone)]
pub(super) struct Layouts {
    pub(super) rows: Layout,
    pub(super) attributes: Option<Layout>,
}

/// The encoder of the past and the decoder of a row.
#[derive(Module, Debug)]
pub(super) struct SequenceNet {
    pub(super) encoder: Encoder,
    pub(super) decoder: Net,
}

impl SequenceNet {
    /// The logits of all rows of a batch, `[chunks * length, spans.width]`.
    pub(super) fn forward(
        &self,
        batch: &Batch,
        layouts: &Layouts,
        rows_of_a_day: usize,
        hidden: usize,
        masks: &[Tensor<2>],
        device: &Device,
    ) -> Tensor<2> {
        let (layout, positions) = (&layouts.rows, layouts.rows.spans.len());
        let (chunks, length) = (batch.chunks, batch.length);
        let count = chunks * length;
        let past = self.encoder.rows(layout, count, &|row, position| batch.past[row * positions + position]); // [count, features]
        let features = past.dims()[1];
        let known = batch.known(device); // [count, known]
        let told = self.encoder.told(past.clone(), known.clone()).reshape([chunks, length, 3 * hidden]);
        let mut state = Tensor::zeros([chunks, hidden], device);
        let mut states = vec![state.clone()];
        for row in 0..length - 1 {
            state = self.encoder.after(told.clone().narrow(1, row, 1).squeeze_dim::<2>(1), state);
            states.push(state.clone());
        }
        let before = Tensor::stack::<3>(states, 1).reshape([count, hidden]);
        // The rows `by` places earlier; zeros before the first.
        let earlier = |by: usize| {
            if by >= length {
                return Tensor::zeros([count, features], device);
            }
            let kept = past.clone().reshape([chunks, length, features]).narrow(1, 0, length - by);
            Tensor::cat(vec![Tensor::zeros([chunks, by, features], device), kept], 1).reshape([count, features])
        };
        let lagged = (rows_of_a_day > 0).then(|| earlier(rows_of_a_day.min(length)));
        let attributes = layouts.attributes.as_ref().and_then(|layout| {
            let of = |chunk: usize, position: usize| Some(batch.attributes[chunk * layout.spans.len() + position]);
            let each = self.encoder.attributes(layout, chunks, &of)?; // [chunks, features of attributes]
            let width = each.dims()[1];
            Some(each.unsqueeze_dim::<3>(1).repeat_dim(1, length).reshape([count, width]))
        });
        // A sample begins with a row that nothing comes before.
        let follows = batch.follows(device);
        let past = |features: Tensor<2>| follows.iter().fold(features, |features, follows| features * follows.clone());
        let given = self.encoder.given([
            Some(past(before)),
            known,
            Some(past(earlier(1))),
            lagged.map(&past),
            attributes,
            Some(batch.stays(device)),
        ]); // [count, width]
        let seen = self.decoder.hidden(&batch.rows.input, layout, Some(given), masks);
        let logits = self.decoder.logits(seen.clone());
        let last = |row, position| batch.before[row * positions + position];
        let daily = |row, position| batch.daily[row * positions + position];
        let standing = |row, position| batch.standings[row * positions + position];
        logits + self.encoder.steps(seen, layout, Before { last: &last, daily: &daily, standing: &standing })
    }
}

/// What a training step needs beside the weights.
#[derive(Debug)]
pub(super) struct Constants {
    pub(super) layouts: Layouts,
    pub(super) entropy: CrossEntropy,
    pub(super) chosen: Chosen,
    pub(super) rows_of_a_day: usize,
}

#[derive(Debug, Clone)]
pub(super) struct Shared(pub(super) Arc<Constants>);

/// The model in training.
#[derive(Module, Debug)]
pub(super) struct SequenceModel {
    pub(super) net: SequenceNet,
    #[module(skip)]
    pub(super) shared: Shared,
}

impl Model for SequenceModel {
    type Batch = Batch;
    type Sampled = SequenceNet;

    fn sampled(&self) -> SequenceNet {
        self.net.valid()
    }

    fn train_step(mut self, batch: Batch, optimizers: &mut Optimizers, step: &Step) -> (Self, Losses) {
        let constants = self.shared.0.clone();
        let (Chosen { hidden, dropout: rate, .. }, device) = (constants.chosen, self.net.decoder.on());
        let rows = (batch.chunks * batch.length) as u64;
        let first = step.rows().start * batch.length as u64;
        let masks = dropout(&step.stream(purpose::DROPOUT), first..first + rows, &self.net.decoder, rate, &device.clone().inner());
        let logits = self.net.forward(&batch, &constants.layouts, constants.rows_of_a_day, hidden, &masks, &device);
        let (loss, surrogate) = constants.entropy.surrogate(logits, &batch.rows.targets);
        let gradients = GradientsParams::from_grads(surrogate.backward(), &self.net);
        self.net = optimizers.step("net", self.net, gradients, step);
        (self, Losses::default().with("nats", loss))
    }
}

/// The held-out loss in nats a row, of fixed masks.
pub(super) struct Judge {
    batches: Vec<Batch>,
    entropy: CrossEntropy,
}

impl Judge {
    /// Chunks that are judged at once.
    const CHUNKS: usize = 32;
    /// The most chunks that are judged.
    const MOST: usize = 256;
    /// Every chunk comes with this many masks.
    const MASKS: u64 = 2;

    pub(super) fn new(data: &Data<'_>, held: &[Chunk], cut: Cut, orders: &Orders, seed: u64, device: &Device) -> Self {
        let every = held.len().div_ceil(Self::MOST).max(1);
        let chosen: Vec<Chunk> = held.iter().copied().step_by(every).collect();
        let random = Randomness { shown: purpose::SHOWN.of(seed ^ 0x5eed), learning: None, past_dropout: 0.0, alone: None };
        let of_mask = |mask: u64| {
            let random = &random;
            let chosen = &chosen;
            chosen.chunks(Self::CHUNKS).enumerate().map(move |(number, chunks)| {
                let first = (mask << 32) + (number * Self::CHUNKS) as u64;
                data.batch(chunks, cut, first..first + chunks.len() as u64, orders, 0.0, random)
            })
        };
        let entropy = CrossEntropy::plain(data.layout.spans.clone(), device);
        Self { batches: (0..Self::MASKS).flat_map(of_mask).collect(), entropy }
    }

    pub(super) fn score(&self, net: &SequenceNet, constants: &Constants) -> f64 {
        let device = net.decoder.on();
        let (mut sum, mut rows) = (0.0, 0);
        for batch in self.batches.iter().filter(|batch| batch.counted > 0) {
            let logits = net.forward(batch, &constants.layouts, constants.rows_of_a_day, constants.chosen.hidden, &[], &device);
            let (loss, _) = self.entropy.with_gradient(&logits, &batch.rows.targets);
            sum += f64::from(host::scalar(loss)) * batch.counted as f64;
            rows += batch.counted;
        }
        sum / rows.max(1) as f64
    }
}
