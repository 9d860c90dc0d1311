//! Where the logits of each position lie.

use burn::tensor::{Device, Int, Tensor};
use semblant_core::host;

use crate::loss::{Smoothing, Targets, write_target};

/// The tokens of every position, one block of logits after the other.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Spans {
    starts: Vec<usize>,
    widths: Vec<usize>,
    width: usize,
}

impl Spans {
    /// Positions with these numbers of tokens.
    pub fn new(widths: Vec<usize>) -> Self {
        let mut width = 0;
        let starts = widths
            .iter()
            .map(|count| {
                width += count;
                width - count
            })
            .collect();
        Self { starts, widths, width }
    }

    /// The number of positions.
    pub fn len(&self) -> usize {
        self.widths.len()
    }

    /// Whether there are no positions.
    pub fn is_empty(&self) -> bool {
        self.widths.is_empty()
    }

    /// The number of tokens of each position.
    pub fn widths(&self) -> &[usize] {
        &self.widths
    }

    /// The logits of all positions together.
    pub fn width(&self) -> usize {
        self.width
    }

    /// The logits of a position.
    pub fn range(&self, position: usize) -> std::ops::Range<usize> {
        self.starts[position]..self.starts[position] + self.widths[position]
    }
}

/// [`Spans`] in tensor operations, for a device that is not the CPU and has no kernels: every position padded to the widest.
#[derive(Debug, Clone)]
pub(crate) struct PaddedSpans {
    /// The logits of every position, short ones padded by their own first, `[positions * most]`.
    outputs: Tensor<1, Int>,
    /// 0 at logits and a large negative number at the padding, `[1, positions, most]`.
    padding: Tensor<3>,
    /// What each token of each position is to be predicted as, `[spans.width, most]`.
    targets: Tensor<2>,
    /// For every logit its place among those of the padded positions, `[width]`.
    places: Tensor<1, Int>,
    /// For every position the row of its first token among the targets.
    first: Vec<i32>,
}

impl PaddedSpans {
    /// Lays the spans, and the targets of their tokens, out on `device`.
    pub(crate) fn new(spans: &Spans, smoothing: &[Option<Smoothing>], device: &Device) -> Self {
        let most = spans.widths.iter().copied().max().unwrap_or(0);
        let (mut outputs, mut padding, mut places, mut targets) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for position in 0..spans.len() {
            let range = spans.range(position);
            outputs.extend((0..most).map(|place| (range.start + if place < range.len() { place } else { 0 }) as i32));
            padding.extend((0..most).map(|place| if place < range.len() { 0.0 } else { -1e30 }));
            places.extend((0..range.len()).map(|place| (position * most + place) as i32));
            for token in 0..range.len() {
                let row = targets.len();
                targets.resize(row + most, 0.0);
                write_target(smoothing[position].as_ref(), token as u32, &mut targets[row..]);
            }
        }
        Self {
            outputs: host::indices(outputs, device),
            padding: host::tensor(padding, [1, spans.len(), most], device),
            targets: host::tensor(targets, [spans.width, most], device),
            places: host::indices(places, device),
            first: spans.starts.iter().map(|&start| start as i32).collect(),
        }
    }

    /// The sum over all positions of weight times cross-entropy, and its gradient.
    ///
    /// # Shapes
    /// `logits [rows, width]`; gives `[1]` and `[rows, width]`.
    pub(crate) fn cross_entropy(&self, logits: &Tensor<2>, targets: &Targets) -> (Tensor<1>, Tensor<2>) {
        let ([rows, _], [_, count, most], device) = (logits.dims(), self.padding.dims(), logits.device());
        let wanted =
            targets.tokens.chunks_exact(count).flat_map(|row| row.iter().zip(&self.first).map(|(&token, first)| first + token as i32));
        let wanted = self.targets.clone().select(0, host::indices(wanted.collect(), &device)).reshape([rows, count, most]);
        let weights = host::tensor(targets.weights.to_vec(), [rows, count, 1], &device);
        let logits = logits.clone().select(1, self.outputs.clone()).reshape([rows, count, most]);
        // The padding has a share of 0 in every target, and a finite logarithm.
        let log_probabilities = burn::tensor::activation::log_softmax(logits + self.padding.clone(), 2); // [rows, positions, most]
        let loss = (log_probabilities.clone() * wanted.clone() * weights.clone()).sum().neg();
        let gradient = (log_probabilities.exp() - wanted) * weights;
        (loss, gradient.reshape([rows, count * most]).select(1, self.places.clone()))
    }
}
