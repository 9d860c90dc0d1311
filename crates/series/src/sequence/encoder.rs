//! From the rows before a row, what is known of its time, and the attributes of its sequence, to what the decoder of tables is given.
//!
//! A gated recurrent unit (Cho et al. 2014) over embedded rows; beside its state the decoder is given the last row itself and the row one day before.
//! How far a number moves from the last row's is a logit of its own, since small steps are learned slowly from bins alone.

use burn::module::{Module, Param};
use burn::tensor::activation::sigmoid;
use burn::tensor::{Device, Int, Tensor};
use semblant_core::host;
use semblant_core::nn::{Init, Linear, LinearConfig, drawn, init_streams, silu};
use semblant_masked_diffusion::Cell;
use semblant_tabular_masked::net::Layout;

/// Bins up and down from the last row's that have a logit each; all further ones share one.
pub(super) const REACH: usize = 12;
/// Logits of steps of one number.
const STEPS: usize = 2 * REACH + 2;

/// What the sizes of an encoder follow from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sizes {
    pub(super) hidden: usize,
    pub(super) embedding: usize,
    /// Width of the decoder.
    pub(super) width: usize,
    /// Numbers that are known of a row.
    pub(super) known: usize,
    /// Whether the row one day before is shown.
    pub(super) lagged: bool,
}

/// The encoder.
#[derive(Module, Debug)]
pub(super) struct Encoder {
    /// `[tokens and masks of a row, embedding]`.
    embedding: Param<Tensor<2>>,
    /// `[tokens and masks of the attributes, embedding]`.
    attributes: Option<Param<Tensor<2>>>,
    into: Linear,
    gates: Linear,
    recurrent: Linear,
    context: Linear,
    steps: Option<Linear>,
}

/// Rows, or attributes, as cells; `None` is a cell that is not shown.
pub(super) type Shown<'a> = &'a dyn Fn(usize, usize) -> Option<Cell>;

impl Encoder {
    pub(super) fn new(rows: &Layout, attributes: Option<&Layout>, sizes: &Sizes, seed: u64, device: &Device) -> Self {
        let &Sizes { hidden, embedding, width, known, lagged } = sizes;
        let mut stream = init_streams(seed);
        let entries = |layout: &Layout| layout.spans.width() + layout.spans.len();
        let features = |layout: &Layout| layout.spans.len() * embedding + layout.places_width();
        let spread = 1.0 / (embedding as f32).sqrt();
        let mut table = |layout: &Layout| drawn(Init::Normal(spread), (0, 0), [entries(layout), embedding], (stream(), 0), device);
        let (of_rows, of_attributes) = (table(rows), attributes.map(&mut table));
        let shown = features(rows) * if lagged { 2 } else { 1 } + attributes.map_or(0, features);
        Self {
            embedding: of_rows,
            attributes: of_attributes,
            into: LinearConfig::new(features(rows) + known, hidden).init(stream(), device),
            gates: LinearConfig::new(hidden, 3 * hidden).init(stream(), device),
            recurrent: LinearConfig::new(hidden, 3 * hidden).init(stream(), device),
            context: LinearConfig::new(hidden + known + shown, width).init(stream(), device),
            steps: (!rows.bins.is_empty())
                .then(|| LinearConfig::new(width, STEPS * rows.bins.len()).with_init(Init::Zero).init(stream(), device)),
        }
    }

    /// Embeddings and places of rows, `[count, features]`.
    pub(super) fn rows(&self, layout: &Layout, count: usize, cells: Shown<'_>) -> Tensor<2> {
        features(self.embedding.val(), layout, count, cells)
    }

    /// The same of attributes.
    pub(super) fn attributes(&self, layout: &Layout, count: usize, cells: Shown<'_>) -> Option<Tensor<2>> {
        Some(features(self.attributes.as_ref()?.val(), layout, count, cells))
    }

    /// What rows `[count, features]` with what is known of them `[count, known]` tell the recurrent unit, `[count, 3 hidden]`.
    pub(super) fn told(&self, rows: Tensor<2>, known: Option<Tensor<2>>) -> Tensor<2> {
        self.gates.forward(silu(self.into.forward(joined([Some(rows), known]))))
    }

    /// The state after a row, from what it tells and the state before it, `[count, hidden]`.
    pub(super) fn after(&self, told: Tensor<2>, before: Tensor<2>) -> Tensor<2> {
        let [_, hidden] = before.dims();
        let part = |all: &Tensor<2>, index: usize| all.clone().narrow(1, index * hidden, hidden);
        let own = self.recurrent.forward(before.clone());
        let reset = sigmoid(part(&told, 0) + part(&own, 0));
        let update = sigmoid(part(&told, 1) + part(&own, 1));
        let new = (part(&told, 2) + reset * part(&own, 2)).tanh();
        new.clone() + update * (before - new)
    }

    /// What the decoder is given, `[count, width]`: the state before a row, what is known of it, the row before, the row one day before, attributes.
    pub(super) fn given(&self, parts: [Option<Tensor<2>>; 5]) -> Tensor<2> {
        self.context.forward(joined(parts))
    }

    /// What is added to the logits of the decoder, from what its heads see and the rows before; nothing where no column holds numbers.
    ///
    /// # Shapes
    /// `hidden [count, width]`; gives `[count, spans.width]`.
    pub(super) fn steps(&self, hidden: Tensor<2>, layout: &Layout, before: Shown<'_>) -> Option<Tensor<2>> {
        let steps = self.steps.as_ref()?.forward(hidden); // [count, numbers * STEPS]
        let ([count, width], device) = (steps.dims(), steps.device());
        let zero = Tensor::zeros([count, 1], &device);
        let mut places = Vec::with_capacity(count * layout.spans.width());
        for row in 0..count {
            for position in 0..layout.spans.len() {
                let tokens = layout.spans.widths()[position];
                match layout.numbers[position] {
                    Some(number) => {
                        let cell = before(row, position).map(|cell| cell.token);
                        places.extend((0..tokens).map(|token| place(cell, token, layout.bins[number]).map_or(width, |at| number * STEPS + at) as i32));
                    }
                    None => places.extend(std::iter::repeat_n(width as i32, tokens)),
                }
            }
        }
        let places: Tensor<1, Int> = host::indices(places, &device);
        Some(Tensor::cat(vec![steps, zero], 1).gather(1, places.reshape([count, layout.spans.width()])))
    }

    /// The same for one position: adds to its logits `[count, width of the position]`.
    pub(super) fn add_steps(&self, hidden: Tensor<2>, layout: &Layout, position: usize, before: Shown<'_>, logits: &mut [f32]) {
        let (Some(steps), Some(number)) = (&self.steps, layout.numbers[position]) else { return };
        let tokens = layout.spans.widths()[position];
        let bins = layout.bins[number];
        host::read(&steps.forward(hidden), |steps| {
            let width = STEPS * layout.bins.len();
            for (row, (logits, steps)) in logits.chunks_exact_mut(tokens).zip(steps.chunks_exact(width)).enumerate() {
                let cell = before(row, position).map(|cell| cell.token);
                for (token, logit) in logits.iter_mut().enumerate() {
                    *logit += place(cell, token, bins).map_or(0.0, |at| steps[number * STEPS + at]);
                }
            }
        });
    }
}

/// Which step leads from the last row's token to this one, if both are bins.
fn place(before: Option<u32>, token: usize, bins: usize) -> Option<usize> {
    if token >= bins {
        return None;
    }
    let before = before.map(|token| token as usize).filter(|&token| token < bins);
    let far = STEPS - 1;
    Some(before.map_or(far, |before| {
        let step = token as isize - before as isize;
        if step.unsigned_abs() <= REACH { (step + REACH as isize) as usize } else { far }
    }))
}

/// Embeddings and places of all positions, `[count, positions * embedding + places]`.
fn features(table: Tensor<2>, layout: &Layout, count: usize, cells: Shown<'_>) -> Tensor<2> {
    let ([_, embedding], device) = (table.dims(), table.device());
    let (positions, width) = (layout.spans.len(), layout.places_width());
    let (mut tokens, mut places) = (Vec::with_capacity(count * positions), vec![0.0; count * width]);
    for row in 0..count {
        for position in 0..positions {
            let cell = cells(row, position);
            tokens.push(layout.embedding_of(position, cell.map(|cell| cell.token)) as i32);
            if let (Some(cell), Some(number)) = (cell, layout.numbers[position]) {
                let first = row * width + number * layout.place_width();
                layout.write_place(number, cell, 0.0, &mut places[first..first + layout.place_width()]);
            }
        }
    }
    let embedded = table.select(0, host::indices(tokens, &device)).reshape([count, positions * embedding]);
    let places = (width > 0).then(|| constant(places, [count, width], &device));
    joined([Some(embedded), places])
}

/// A tensor without a gradient on a device that may have one.
pub(super) fn constant(values: Vec<f32>, shape: [usize; 2], device: &Device) -> Tensor<2> {
    let plain = host::tensor(values, shape, &device.clone().inner());
    if device.is_autodiff() { Tensor::from_inner(plain) } else { plain }
}

/// Tensors side by side.
fn joined<const N: usize>(parts: [Option<Tensor<2>>; N]) -> Tensor<2> {
    let mut parts: Vec<Tensor<2>> = parts.into_iter().flatten().collect();
    if parts.len() == 1 { parts.remove(0) } else { Tensor::cat(parts, 1) }
}
