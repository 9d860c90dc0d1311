//! Where the logits of each position lie.

use burn::tensor::{Device, Int, Tensor};
use semblant_core::host;

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
    positions: Vec<usize>,
    /// The logits of every position, short ones padded by their own first, `[positions * padded width]`.
    outputs: Tensor<1, Int>,
    /// 0 at logits and a large negative number at the padding, `[1, positions, padded width]`.
    padding: Tensor<3>,
}

/// [`Spans`] where a device other than the CPU works on them: positions grouped by width, rounded up to powers of two, so that there is no
/// loop over positions.
#[derive(Debug, Clone)]
pub struct DeviceSpans {
    groups: Vec<Group>,
    /// For every logit its place among those of the groups, `[width]`.
    places: Tensor<1, Int>,
}

impl DeviceSpans {
    /// Lays the spans out on `device`.
    pub fn new(spans: &Spans, device: &Device) -> Self {
        let padded = |position: usize| spans.widths[position].next_power_of_two();
        let mut widths: Vec<usize> = (0..spans.len()).map(padded).collect();
        widths.sort_unstable();
        widths.dedup();
        let (mut groups, mut places, mut before) = (Vec::new(), vec![0; spans.width], 0);
        for width in widths {
            let positions: Vec<usize> = (0..spans.len()).filter(|&position| padded(position) == width).collect();
            let (mut outputs, mut padding) = (Vec::new(), Vec::new());
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
            }
            let shape = [1, positions.len(), width];
            groups.push(Group { outputs: host::indices(outputs, device), padding: host::tensor(padding, shape, device), positions });
        }
        Self { groups, places: host::indices(places, device) }
    }

    /// The cross-entropy of softmaxes with `targets`, which sum to one over a position or are all 0 there, and its gradient.
    ///
    /// # Shapes
    /// `logits` and `targets [rows, width]`, `weights [rows, positions]`; gives `[1]` and `[rows, width]`.
    pub fn cross_entropy(&self, logits: &Tensor<2>, targets: &Tensor<2>, weights: &Tensor<2>) -> (Tensor<1>, Tensor<2>) {
        let [rows, _] = logits.dims();
        let device = logits.device();
        let (mut loss, mut gradients) = (Tensor::zeros([1], &device), Vec::new());
        for Group { positions, outputs, padding } in &self.groups {
            let [_, count, width] = padding.dims();
            let of_group = |values: &Tensor<2>| values.clone().select(1, outputs.clone()).reshape([rows, count, width]);
            let chosen = host::indices(positions.iter().map(|&position| position as i32).collect(), &device);
            let weights = weights.clone().select(1, chosen).reshape([rows, count, 1]);
            let inside = padding.clone().equal_elem(0.0).float();
            let log_probabilities = burn::tensor::activation::log_softmax(of_group(logits) + padding.clone(), 2); // [rows, positions, width]
            let targets = of_group(targets) * inside.clone();
            loss = loss - (log_probabilities.clone() * inside * targets.clone() * weights.clone()).sum();
            let gradient = (log_probabilities.exp() - targets) * weights;
            gradients.push(gradient.reshape([rows, count * width]));
        }
        (loss, Tensor::cat(gradients, 1).select(1, self.places.clone()))
    }
}
