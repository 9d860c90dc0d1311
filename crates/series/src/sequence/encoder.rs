//! From the rows before a row, what is known of its time, and the attributes of its sequence, to what the decoder of tables is given.
//!
//! A gated recurrent unit (Cho et al. 2014) over embedded rows; beside its state the decoder is given the last row itself and the row one day before.
//! How far a number moves from the last row's is a logit of its own, since small steps are learned slowly from bins alone; and so is how far it is from
//! where it would be if it moved as it did a day ago.

use burn::module::{Module, Param};
use burn::tensor::activation::sigmoid;
use burn::tensor::{Device, Int, Tensor};
use semblant_core::host;
use semblant_core::nn::{Init, Linear, LinearConfig, drawn, init_streams, parameter, silu};
use semblant_masked_diffusion::Cell;
use semblant_tabular_masked::features::{Shown, features, joined};
use semblant_tabular_masked::net::Layout;

/// Bins up and down from the last row's that have a logit each; further ones share one in ranges, two to every doubling of the distance.
const NEAR: usize = 8;
/// Logits of each direction; the last one has all distances beyond.
const FAR: usize = NEAR + 20;
/// What a position of numbers has a logit for: steps down, none, and up; a value after a missing one, the reverse, and two missing ones.
const OF_NUMBERS: usize = 2 * FAR + 4;
/// What a position of labels has a logit for: the last row's label, and another.
const OF_LABELS: usize = 2;

/// The logits of how a row follows the last one: where those of each position begin, and how many there are.
#[derive(Debug, Clone)]
struct Steps {
    first: Vec<usize>,
    count: usize,
}

impl Steps {
    fn new(layout: &Layout) -> Self {
        let mut count = 0;
        let first = layout.numbers.iter().map(|number| {
            let first = count;
            count += if number.is_some() { OF_NUMBERS } else { OF_LABELS };
            first
        });
        Self { first: first.collect(), count }
    }

    /// Which logit is that of a token after the last row's.
    fn of(&self, layout: &Layout, position: usize, before: u32, token: usize) -> usize {
        let before = before as usize;
        let offset = match layout.numbers[position].map(|number| layout.bins[number]) {
            None => usize::from(token != before),
            Some(bins) => match (before < bins, token < bins) {
                (true, true) if token < before => FAR - distance(before - token),
                (true, true) => FAR + distance(token - before),
                (false, true) => 2 * FAR + 1,
                (true, false) => 2 * FAR + 2,
                (false, false) => 2 * FAR + 3,
            },
        };
        self.first[position] + offset
    }
}

/// The class of a distance in bins: itself up to [`NEAR`], then two classes to every doubling.
fn distance(bins: usize) -> usize {
    if bins <= NEAR {
        return bins;
    }
    // The number of halves of a doubling that it takes from NEAR on, in whole numbers: bins^2 against NEAR^2 * 2^class.
    let beyond = (1..=FAR - NEAR).find(|&class| (bins * bins) <= (NEAR * NEAR) << class);
    NEAR + beyond.unwrap_or(FAR - NEAR)
}

/// The token of a row that moves as it did a day ago, from those of the last row, the row one day before, and the last row one day before: for numbers
/// the same number of bins up or down, for labels that of the day before. None where a value is missing.
pub(super) fn as_a_day_ago(layout: &Layout, position: usize, [last, then, last_then]: [u32; 3]) -> Option<u32> {
    let Some(bins) = layout.numbers[position].map(|number| layout.bins[number] as i64) else { return Some(then) };
    let [last, then, last_then] = [last, then, last_then].map(i64::from);
    [last, then, last_then].iter().all(|&token| token < bins).then(|| (last + then - last_then).clamp(0, bins - 1) as u32)
}

/// For so many rows that a token has stayed the same, what the network is told.
pub(super) fn told_of_stay(rows: u32) -> f32 {
    (rows as f32).ln_1p() / 4.0
}

/// What the logits of steps begin with: the logarithm of how much more often each step is than if rows did not depend on the last one. `pairs` are the
/// places of successive rows in `cells`, `[positions][rows]`.
pub(super) fn first_steps(layout: &Layout, cells: &[Vec<Cell>], pairs: &[(usize, usize)]) -> Vec<f32> {
    let steps = Steps::new(layout);
    let (mut seen, mut expected) = (vec![0.0f64; steps.count], vec![0.0f64; steps.count]);
    for (position, cells) in cells.iter().enumerate() {
        let tokens = layout.spans.widths()[position];
        let mut shares = vec![0.0f64; tokens];
        let mut last = vec![0.0f64; tokens];
        for &(before, row) in pairs {
            shares[cells[row].token as usize] += 1.0 / pairs.len() as f64;
            last[cells[before].token as usize] += 1.0;
            seen[steps.of(layout, position, cells[before].token, cells[row].token as usize)] += 1.0;
        }
        for (before, &count) in last.iter().enumerate().filter(|(_, count)| **count > 0.0) {
            for (token, share) in shares.iter().enumerate() {
                expected[steps.of(layout, position, before as u32, token)] += count * share;
            }
        }
    }
    seen.iter().zip(&expected).map(|(seen, expected)| ((seen + 1.0) / (expected + 1.0)).ln() as f32).collect()
}

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
}

/// The rows that a row's steps are counted from.
#[derive(Clone, Copy)]
pub(super) struct Before<'a> {
    /// The last row.
    pub(super) last: Shown<'a>,
    /// What it would be if it moved as a day ago: see [`as_a_day_ago`].
    pub(super) daily: Shown<'a>,
}

impl Encoder {
    /// `first_steps` are what the logits of steps begin with, or empty for weights that are to be loaded.
    pub(super) fn new(
        rows: &Layout,
        attributes: Option<&Layout>,
        sizes: &Sizes,
        first_steps: Vec<f32>,
        seed: u64,
        device: &Device,
    ) -> Self {
        let &Sizes { hidden, embedding, width, known, lagged, daily, stays } = sizes;
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
        if first_steps.len() == count {
            steps.bias = Some(parameter([count], device, move || first_steps));
        }
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

    /// What is added to the logits of the decoder for how a row follows the last one and the day before, from what the decoder's heads see; nothing
    /// where there is no such row.
    ///
    /// # Shapes
    /// `hidden [count, width]`; gives `[count, spans.width]`.
    pub(super) fn steps(&self, hidden: Tensor<2>, layout: &Layout, before: Before<'_>) -> Tensor<2> {
        let places = Steps::new(layout);
        let of = |(linear, from): (&Linear, Shown<'_>)| {
            let steps = linear.forward(hidden.clone()); // [count, steps]
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
        let last = of((&self.steps, before.last));
        self.daily.iter().fold(last, |sum, daily| sum + of((daily, before.daily)))
    }

    /// The same for one position: adds to its logits `[count, width of the position]`.
    pub(super) fn add_steps(&self, hidden: &Tensor<2>, layout: &Layout, position: usize, before: Before<'_>, logits: &mut [f32]) {
        let places = Steps::new(layout);
        let mut add = |linear: &Linear, from: Shown<'_>| {
            host::read(&linear.forward(hidden.clone()), |steps| {
                let rows = logits.chunks_exact_mut(layout.spans.widths()[position]).zip(steps.chunks_exact(places.count));
                for (row, (logits, steps)) in rows.enumerate() {
                    let Some(from) = from(row, position) else { continue };
                    logits
                        .iter_mut()
                        .enumerate()
                        .for_each(|(token, logit)| *logit += steps[places.of(layout, position, from.token, token)]);
                }
            });
        };
        add(&self.steps, before.last);
        self.daily.iter().for_each(|daily| add(daily, before.daily));
    }
}

#[cfg(test)]
mod tests {
    use semblant_core::seeds::Stream;
    use semblant_data::table::{Column, ColumnKind, Table};
    use semblant_tabular_masked::bins::BinsConfig;
    use semblant_tabular_masked::tokens::TableTokens;

    use super::*;

    fn layout() -> (Layout, Vec<Vec<Cell>>) {
        let numbers = Column::Number((0..300).map(|row| if row % 19 == 0 { f64::NAN } else { f64::from(row * 7919 % 251) }).collect());
        let labels = Column::from_labels((0..300).map(|row| Some(["a", "b", "c"][row % 3])));
        let table =
            Table::from_columns(vec![("x", ColumnKind::Continuous, numbers), ("l", ColumnKind::Categorical, labels)]).expect("sound");
        let tokens = TableTokens::fit(&table, &BinsConfig { bins: 40, most_single: 10 }).expect("columns");
        let cells = tokens.encode(&table).expect("the same columns");
        let cells = cells.into_iter().map(|cells| cells.into_iter().map(|cell| cell.expect("known")).collect()).collect();
        (Layout::new(&tokens, 3), cells)
    }

    /// The way of training and the way of sampling add the same to the logits.
    #[test]
    fn steps_of_one_position_are_those_of_all() {
        let (device, (layout, cells)) = (Device::flex(), layout());
        let sizes = Sizes { hidden: 6, embedding: 3, width: 8, known: 0, lagged: false, daily: true, stays: 0 };
        let pairs: Vec<(usize, usize)> = (1..300).map(|row| (row - 1, row)).collect();
        let mut encoder = Encoder::new(&layout, None, &sizes, first_steps(&layout, &cells, &pairs), 1, &device);
        let random = |shape: [usize; 2], stream| {
            host::tensor(Stream::new(9, stream).matrix(0..shape[0] as u64, shape[1], Stream::normals), shape, &device)
        };
        encoder.steps.weight = Param::from_tensor(random([8, OF_NUMBERS + OF_LABELS], 0));
        encoder.daily = encoder.daily.map(|daily| Linear { weight: Param::from_tensor(random([8, OF_NUMBERS + OF_LABELS], 2)), ..daily });
        let hidden = random([5, 8], 1);
        let last = |row: usize, position: usize| (row > 0).then(|| cells[position][20 * row]);
        let daily = |row: usize, position: usize| (row > 2).then(|| cells[position][20 * row + 7]);
        let before = Before { last: &last, daily: &daily };
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

    #[test]
    fn a_row_may_move_as_it_did_a_day_ago() {
        let (layout, _) = layout();
        let missing = layout.bins[0] as u32;
        assert_eq!(as_a_day_ago(&layout, 0, [20, 13, 10]), Some(23), "three up");
        assert_eq!(as_a_day_ago(&layout, 0, [1, 5, 9]), Some(0), "not below the least");
        assert_eq!(as_a_day_ago(&layout, 0, [missing - 2, 9, 5]), Some(missing - 1), "nor above the greatest");
        assert!([[missing, 1, 1], [1, missing, 1], [1, 1, missing]].iter().all(|tokens| as_a_day_ago(&layout, 0, *tokens).is_none()));
        assert_eq!(as_a_day_ago(&layout, 1, [0, 2, 1]), Some(2), "a label of the day before");
    }

    #[test]
    fn steps_are_counted_from_the_last_bin() {
        let (layout, cells) = layout();
        let (steps, bins) = (Steps::new(&layout), layout.bins[0]);
        let of = |before: usize, token: usize| steps.of(&layout, 0, before as u32, token);
        assert_eq!(
            (of(20, 20), of(20, 17), of(20, 28), of(20, 29), of(20, 31), of(20, 32)),
            (FAR, FAR - 3, FAR + 8, FAR + 9, FAR + 9, FAR + 10)
        );
        assert_eq!((distance(16), distance(17), distance(22), distance(23), distance(1 << 14)), (10, 11, 11, 12, FAR));
        assert_eq!((of(bins, 3), of(3, bins), of(bins, bins)), (2 * FAR + 1, 2 * FAR + 2, 2 * FAR + 3));
        assert_eq!(
            (steps.of(&layout, 1, 2, 2), steps.of(&layout, 1, 2, 0), steps.count),
            (OF_NUMBERS, OF_NUMBERS + 1, OF_NUMBERS + OF_LABELS)
        );
        // Labels a, b, c in turn: the same never follows, another one and a half times as often as by chance.
        let pairs: Vec<(usize, usize)> = (1..300).map(|row| (row - 1, row)).collect();
        let first = first_steps(&layout, &cells, &pairs);
        assert!(
            (first[OF_NUMBERS] + (299.0f32 / 3.0 + 1.0).ln()).abs() < 0.05 && (first[OF_NUMBERS + 1] - 1.5f32.ln()).abs() < 0.01,
            "{first:?}"
        );
    }

    /// PyTorch's equations, one unit, all weights 0 but the given ones: h' = (1 - z) n + z h.
    #[test]
    fn the_state_moves_as_that_of_a_gated_recurrent_unit() {
        let device = Device::flex();
        let sizes = Sizes { hidden: 1, embedding: 2, width: 4, known: 0, lagged: false, daily: false, stays: 0 };
        let mut encoder = Encoder::new(&layout().0, None, &sizes, Vec::new(), 1, &device);
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
