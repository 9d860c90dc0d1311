//! From the rows before a row, what is known of its time, and the attributes of its sequence, to what the decoder of tables is given.
//!
//! A gated recurrent unit (Cho et al. 2014) over embedded rows; beside its state the decoder is given the last row itself and the row one day before.
//! How far a number moves from the last row's is a logit of its own ([`super::steps`]), since small steps are learned slowly from bins alone; and so is
//! how far it is from where it would be if it moved as it did a day ago.

use std::ops::Range;

use burn::module::{Module, Param};
use burn::tensor::activation::sigmoid;
use burn::tensor::{Device, Int, Tensor};
use semblant_core::host;
use semblant_core::nn::{Init, Linear, LinearConfig, drawn, init_streams, linear_of, parameter, silu};
use semblant_tabular_masked::features::{Shown, features, joined};
use semblant_tabular_masked::net::Layout;

use super::standing::{CLASSES, Standing};
use super::steps::{FirstSteps, Steps};

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
    /// Whether there are logits of steps from where a row would be if it moved as a day ago.
    pub(super) daily: bool,
    /// Positions of which it is told how long their token has stayed the same.
    pub(super) stays: usize,
    /// Whether logits of steps depend on how the last row's token stands.
    pub(super) steps_by_class: bool,
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
    steps: Linear,
    daily: Option<Linear>,
    /// What is added to the logits of steps for each class of how the position's token stands, `[classes, steps]`.
    by_class: Option<Param<Tensor<2>>>,
}

/// The rows that a row's steps are counted from.
#[derive(Clone, Copy)]
pub(super) struct Before<'a> {
    /// The last row.
    pub(super) last: Shown<'a>,
    /// What it would be if it moved as a day ago: see [`super::steps::as_a_day_ago`].
    pub(super) daily: Shown<'a>,
    /// How the tokens of the last row stand.
    pub(super) standing: &'a dyn Fn(usize, usize) -> Standing,
}

impl Encoder {
    /// `first` is what the logits of steps begin with; none for weights that are to be loaded.
    pub(super) fn new(
        rows: &Layout,
        attributes: Option<&Layout>,
        sizes: &Sizes,
        first: Option<FirstSteps>,
        seed: u64,
        device: &Device,
    ) -> Self {
        let &Sizes { hidden, embedding, width, known, lagged, daily, stays, steps_by_class } = sizes;
        let mut stream = init_streams(seed);
        let entries = |layout: &Layout| layout.spans.width() + layout.spans.len();
        let features = |layout: &Layout| layout.spans.len() * embedding + layout.places_width();
        let spread = 1.0 / (embedding as f32).sqrt();
        let mut table = |layout: &Layout| drawn(Init::Normal(spread), (0, 0), [entries(layout), embedding], (stream(), 0), device);
        let (of_rows, of_attributes) = (table(rows), attributes.map(&mut table));
        let count = Steps::new(rows).count;
        let mut of_steps = || LinearConfig::new(width, count).with_init(Init::Zero).init(stream(), device);
        let mut steps = of_steps();
        let daily = daily.then(of_steps);
        let (logits, further) = first.map(|first| (first.steps, first.by_class)).unzip();
        if let Some(logits) = logits {
            steps.bias = Some(parameter([count], device, move || logits));
        }
        let further = further.unwrap_or_else(|| vec![0.0; CLASSES * count]);
        let by_class = steps_by_class.then(|| parameter([CLASSES, count], device, move || further));
        let shown = features(rows) * if lagged { 2 } else { 1 } + attributes.map_or(0, features);
        Self {
            embedding: of_rows,
            attributes: of_attributes,
            into: LinearConfig::new(features(rows) + known, hidden).init(stream(), device),
            gates: LinearConfig::new(hidden, 3 * hidden).init(stream(), device),
            recurrent: LinearConfig::new(hidden, 3 * hidden).init(stream(), device),
            context: LinearConfig::new(hidden + known + shown + stays, width).init(stream(), device),
            steps,
            daily,
            by_class,
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

    /// What the decoder is given, `[count, width]`: the state before a row, what is known of it, the row before, the row one day before, attributes, how
    /// long tokens have stayed.
    pub(super) fn given(&self, parts: [Option<Tensor<2>>; 6]) -> Tensor<2> {
        self.context.forward(joined(parts))
    }

    /// The logits of steps of some positions from the last row, `[count, steps of the positions]`, from what the decoder's heads see.
    fn steps_of_last(&self, hidden: &Tensor<2>, layout: &Layout, positions: Range<usize>, before: Before<'_>) -> Tensor<2> {
        let places = Steps::new(layout);
        let (first, end) = (places.range(positions.start).start, places.range(positions.end - 1).end);
        let steps = self.steps.forward(hidden.clone()).narrow(1, first, end - first);
        let Some(by_class) = &self.by_class else { return steps };
        let count = hidden.dims()[0];
        let mut told = vec![0.0; count * positions.len() * CLASSES];
        for (place, told) in told.chunks_exact_mut(CLASSES).enumerate() {
            let position = positions.start + place % positions.len();
            (before.standing)(place / positions.len(), position).classes().for_each(|class| told[class] = 1.0);
        }
        let told = host::tensor(told, [count, positions.len() * CLASSES], &hidden.device());
        let of = |(place, position): (usize, usize)| {
            let own = places.range(position);
            linear_of(told.clone().narrow(1, place * CLASSES, CLASSES), by_class.val().narrow(1, own.start, own.len()), None)
        };
        steps + Tensor::cat(positions.enumerate().map(of).collect(), 1) // [count, steps]
    }

    /// What is added to the logits of the decoder for how a row follows the last one and the day before, from what the decoder's heads see; nothing
    /// where there is no such row.
    ///
    /// # Shapes
    /// `hidden [count, width]`; gives `[count, spans.width]`.
    pub(super) fn steps(&self, hidden: Tensor<2>, layout: &Layout, before: Before<'_>) -> Tensor<2> {
        let places = Steps::new(layout);
        let of = |steps: Tensor<2>, from: Shown<'_>| {
            let ([count, width], device) = (steps.dims(), steps.device());
            let mut indices = Vec::with_capacity(count * layout.spans.width());
            for row in 0..count {
                for position in 0..layout.spans.len() {
                    let from = from(row, position).map(|cell| cell.token);
                    let place = |token| from.map_or(width, |from| places.of(layout, position, from, token));
                    indices.extend((0..layout.spans.widths()[position]).map(|token| place(token) as i32));
                }
            }
            let indices: Tensor<1, Int> = host::indices(indices, &device);
            let zero = Tensor::zeros([count, 1], &device);
            Tensor::cat(vec![steps, zero], 1).gather(1, indices.reshape([count, layout.spans.width()]))
        };
        let last = of(self.steps_of_last(&hidden, layout, 0..layout.spans.len(), before), before.last);
        self.daily.iter().fold(last, |sum, daily| sum + of(daily.forward(hidden.clone()), before.daily))
    }

    /// The same for one position: adds to its logits `[count, width of the position]`.
    pub(super) fn add_steps(&self, hidden: &Tensor<2>, layout: &Layout, position: usize, before: Before<'_>, logits: &mut [f32]) {
        let (places, width) = (Steps::new(layout), layout.spans.widths()[position]);
        let own = places.range(position);
        let mut add = |steps: Tensor<2>, from: Shown<'_>| {
            host::read(&steps, |steps| {
                for (row, (logits, steps)) in logits.chunks_exact_mut(width).zip(steps.chunks_exact(own.len())).enumerate() {
                    let Some(from) = from(row, position) else { continue };
                    let step = |token| places.of(layout, position, from.token, token) - own.start;
                    logits.iter_mut().enumerate().for_each(|(token, logit)| *logit += steps[step(token)]);
                }
            });
        };
        add(self.steps_of_last(hidden, layout, position..position + 1, before), before.last);
        let of_day = |daily: &Linear| daily.forward(hidden.clone()).narrow(1, own.start, own.len());
        self.daily.iter().for_each(|daily| add(of_day(daily), before.daily));
    }
}

#[cfg(test)]
mod tests {
    use super::super::steps::tests::{OF_ALL, layout, standings_of};
    use super::*;
    use semblant_core::seeds::Stream;

    /// The way of training and the way of sampling add the same to the logits.
    #[test]
    fn steps_of_one_position_are_those_of_all() {
        let (device, (layout, cells)) = (Device::flex(), layout());
        let sizes = Sizes { hidden: 6, embedding: 3, width: 8, known: 0, lagged: false, daily: true, stays: 0, steps_by_class: true };
        let pairs: Vec<(usize, usize)> = (1..300).map(|row| (row - 1, row)).collect();
        let standings = standings_of(&cells);
        let first = FirstSteps::of(&layout, &cells, &pairs, &standings);
        let mut encoder = Encoder::new(&layout, None, &sizes, Some(first), 1, &device);
        let random = |shape: [usize; 2], stream| {
            host::tensor(Stream::new(9, stream).matrix(0..shape[0] as u64, shape[1], Stream::normals), shape, &device)
        };
        encoder.steps.weight = Param::from_tensor(random([8, OF_ALL], 0));
        encoder.daily = encoder.daily.map(|daily| Linear { weight: Param::from_tensor(random([8, OF_ALL], 2)), ..daily });
        let hidden = random([5, 8], 1);
        let last = |row: usize, position: usize| (row > 0).then(|| cells[position][20 * row]);
        let daily = |row: usize, position: usize| (row > 2).then(|| cells[position][20 * row + 7]);
        let standing = |row: usize, position: usize| if row > 0 { standings[position][20 * row] } else { Standing::default() };
        let before = Before { last: &last, daily: &daily, standing: &standing };
        let all = encoder.steps(hidden.clone(), &layout, before);
        let all = host::read(&all, <[f32]>::to_vec);
        for position in 0..layout.spans.len() {
            let range = layout.spans.range(position);
            let mut one = vec![0.0; 5 * range.len()];
            encoder.add_steps(&hidden, &layout, position, before, &mut one);
            for row in 0..5 {
                assert_eq!(
                    one[row * range.len()..(row + 1) * range.len()],
                    all[row * layout.spans.width()..][range.clone()],
                    "{position}, row {row}"
                );
            }
        }
        assert!(all[..layout.spans.width()].iter().all(|&added| added == 0.0), "the first row follows none");
        assert!(all[layout.spans.width()..].iter().all(|&added| added != 0.0));
    }

    /// PyTorch's equations, one unit, all weights 0 but the given ones: h' = (1 - z) n + z h.
    #[test]
    fn the_state_moves_as_that_of_a_gated_recurrent_unit() {
        let device = Device::flex();
        let sizes = Sizes { hidden: 1, embedding: 2, width: 4, known: 0, lagged: false, daily: false, stays: 0, steps_by_class: false };
        let mut encoder = Encoder::new(&layout().0, None, &sizes, None, 1, &device);
        let set = |linear: &mut Linear, weight: [f32; 3]| {
            linear.weight = Param::from_tensor(host::tensor(weight.to_vec(), [1, 3], &device));
            linear.bias = Some(Param::from_tensor(host::tensor(vec![0.1, -0.2, 0.3], [3], &device)));
        };
        set(&mut encoder.recurrent, [0.5, -0.4, 0.7]);
        let told = host::tensor(vec![0.2, 0.6, -0.9], [1, 3], &device);
        let after = encoder.after(told, host::tensor(vec![0.8], [1, 1], &device));
        let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
        let (r, z) = (sigmoid(0.2 + 0.5 * 0.8 + 0.1), sigmoid(0.6 - 0.4 * 0.8 - 0.2));
        let n = (-0.9 + r * (0.7 * 0.8 + 0.3)).tanh();
        let wanted = (1.0 - z) * n + z * 0.8;
        assert!((f64::from(host::read(&after, |after| after[0])) - wanted).abs() < 1e-5);
    }
}
