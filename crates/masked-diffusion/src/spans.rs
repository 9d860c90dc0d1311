//! Where the logits of each position lie.

use burn::tensor::{Device, Int, Tensor};
use semblant_core::host;

use crate::loss::{Smoothing, Targets};

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

/// Positions with about the same number of tokens.
#[derive(Debug, Clone)]
struct Group {
    /// `[positions]`.
    positions: Tensor<1, Int>,
    /// The logits of every position, short ones padded by their own first, `[positions * padded width]`.
    outputs: Tensor<1, Int>,
    /// 0 at logits and a large negative number at the padding, `[1, positions, padded width]`.
    padding: Tensor<3>,
    /// What each token of each position is to be predicted as, `[tokens of all positions, padded width]`.
    targets: Tensor<2>,
}

/// [`Spans`] where a device other than the CPU works on them: positions grouped by width, rounded up to powers of two, so that there is no
/// loop over positions.
#[derive(Debug, Clone)]
pub(crate) struct DeviceSpans {
    groups: Vec<Group>,
    /// For every logit its place among those of the groups, `[width]`.
    places: Tensor<1, Int>,
    /// For every position the row of its first token among the targets of its group.
    first: Vec<i32>,
}

impl DeviceSpans {
    /// Lays the spans, and the targets of their tokens, out on `device`.
    pub(crate) fn new(spans: &Spans, smoothing: &[Option<Smoothing>], device: &Device) -> Self {
        let padded = |position: usize| spans.widths[position].next_power_of_two();
        let mut widths: Vec<usize> = (0..spans.len()).map(padded).collect();
        widths.sort_unstable();
        widths.dedup();
        let (mut groups, mut places, mut first, mut before) = (Vec::new(), vec![0; spans.width], vec![0; spans.len()], 0);
        for width in widths {
            let positions: Vec<usize> = (0..spans.len()).filter(|&position| padded(position) == width).collect();
            let (mut outputs, mut padding, mut targets) = (Vec::new(), Vec::new(), Vec::new());
            for &position in &positions {
                let range = spans.range(position);
                for place in 0..width {
                    let inside = place < range.len();
                    outputs.push((range.start + if inside { place } else { 0 }) as i32);
                    padding.push(if inside { 0.0 } else { -1e30 });
                    if inside {
                        places[range.start + place] = before;
                    }
                    before += 1;
                }
                first[position] = (targets.len() / width) as i32;
                for token in 0..range.len() {
                    let row = targets.len();
                    targets.resize(row + width, 0.0);
                    match &smoothing[position] {
                        Some(smoothing) => {
                            let (first, shares) = smoothing.target(token as u32);
                            targets[row + first..][..shares.len()].copy_from_slice(shares);
                        }
                        None => targets[row + token] = 1.0,
                    }
                }
            }
            let shape = [1, positions.len(), width];
            let rows = targets.len() / width;
            groups.push(Group {
                positions: host::indices(positions.iter().map(|&position| position as i32).collect(), device),
                outputs: host::indices(outputs, device),
                padding: host::tensor(padding, shape, device),
                targets: host::tensor(targets, [rows, width], device),
            });
        }
        Self { groups, places: host::indices(places, device), first }
    }

    /// The sum over all positions of weight times cross-entropy, and its gradient.
    ///
    /// # Shapes
    /// `logits [rows, width]`; gives `[1]` and `[rows, width]`.
    pub(crate) fn cross_entropy(&self, logits: &Tensor<2>, targets: &Targets) -> (Tensor<1>, Tensor<2>) {
        let ([rows, _], all, device) = (logits.dims(), self.first.len(), logits.device());
        let tokens =
            targets.tokens.chunks_exact(all).flat_map(|row| row.iter().zip(&self.first).map(|(&token, first)| first + token as i32));
        let tokens = host::indices(tokens.collect(), &device).reshape([rows, all]);
        let weights = host::tensor(targets.weights.to_vec(), [rows, all], &device);
        let (mut loss, mut gradients) = (Tensor::zeros([1], &device), Vec::new());
        for Group { positions, outputs, padding, targets } in &self.groups {
            let [_, count, width] = padding.dims();
            let logits = logits.clone().select(1, outputs.clone()).reshape([rows, count, width]);
            let weights = weights.clone().select(1, positions.clone()).reshape([rows, count, 1]);
            let wanted = tokens.clone().select(1, positions.clone()).reshape([rows * count]);
            let wanted = targets.clone().select(0, wanted).reshape([rows, count, width]);
            // The padding has a share of 0 in every target, and a finite logarithm.
            let log_probabilities = burn::tensor::activation::log_softmax(logits + padding.clone(), 2); // [rows, positions, width]
            loss = loss - (log_probabilities.clone() * wanted.clone() * weights.clone()).sum();
            let gradient = (log_probabilities.exp() - wanted) * weights;
            gradients.push(gradient.reshape([rows, count * width]));
        }
        (loss, Tensor::cat(gradients, 1).select(1, self.places.clone()))
    }
}
