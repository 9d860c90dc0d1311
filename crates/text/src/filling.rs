//! Texts in any order: the hidden tokens of windows, one window of a text after the other.

use semblant_core::host;
use semblant_masked_diffusion::{Cell, Network, Orders, Reveal, Rules, Spans, reveal};

use crate::corpus::half;
use crate::drawing::STREAMS_OF_ATTEMPT;
use crate::form::Form;
use crate::masked::predicted;
use crate::model::{Draw, Learned, Manner};
use crate::purpose::{ORDERS, TOKENS};

/// Windows that the network sees at once when sampling: always so many, since a matrix product may order its sums by its shape.
pub(crate) const ROWS: usize = 16;

/// Draws the hidden tokens of windows.
pub(crate) struct Filling<'a> {
    pub(crate) learned: &'a Learned,
    pub(crate) manner: &'a Manner,
    pub(crate) attempt: u32,
    pub(crate) guidance: f32,
    pub(crate) positions_a_pass: usize,
}

impl Filling<'_> {
    /// The texts of up to [`ROWS`] draws, window by window.
    pub(crate) fn texts(&self, draws: &[Draw]) -> Vec<Vec<u32>> {
        let Learned { form, .. } = self.learned;
        let mut texts: Vec<Vec<u32>> = vec![Vec::new(); draws.len()];
        let mut open = vec![true; draws.len()];
        let addresses: Vec<u64> = draws.iter().map(|draw| draw.row).collect();
        for window in 0..STREAMS_OF_ATTEMPT {
            let mut given: Vec<Vec<Option<u32>>> = Vec::new();
            for (index, draw) in draws.iter().enumerate() {
                let before = texts[index].len() - half(form.context).min(texts[index].len());
                let kept = if window == 0 { draw.given.clone() } else { texts[index][before..].iter().copied().map(Some).collect() };
                given.push(if open[index] { kept } else { Vec::new() });
            }
            let wanted: Vec<usize> =
                (0..draws.len()).map(|index| self.wanted(&draws[index], &given[index], &texts[index], open[index])).collect();
            let tokens = self.window(draws, &addresses, &given, &wanted, window);
            for index in (0..draws.len()).filter(|&index| open[index]).collect::<Vec<_>>() {
                let known = if window == 0 { 0 } else { given[index].len() };
                let made = &tokens[index][..wanted[index]];
                let end = made.iter().position(|&token| token == form.end());
                texts[index].extend(&made[known..end.unwrap_or(made.len())]);
                let is_long = texts[index].len() >= form.longest.min(self.manner.characters) && !form.is_whole();
                let is_full = form.is_whole() && self.characters(&texts[index]) >= self.manner.characters;
                open[index] = end.is_none() && !draws[index].is_closed && !is_long && !is_full;
            }
            if !open.contains(&true) {
                break;
            }
        }
        texts
    }

    fn characters(&self, tokens: &[u32]) -> usize {
        self.learned.form.tokenizer.decode(tokens).chars().count()
    }

    /// How many positions of a window are to hold a token.
    fn wanted(&self, draw: &Draw, given: &[Option<u32>], text: &[u32], is_open: bool) -> usize {
        let form = &self.learned.form;
        match () {
            () if !is_open => 0,
            () if draw.is_closed => given.len(),
            // A token has at least one character, so that no more are needed.
            () if form.is_whole() => (given.len() + self.manner.characters.saturating_sub(self.characters(text))).clamp(1, form.context),
            () => form.context,
        }
    }

    /// One window of each draw: the first `wanted` tokens.
    fn window(&self, draws: &[Draw], addresses: &[u64], given: &[Vec<Option<u32>>], wanted: &[usize], number: u32) -> Vec<Vec<u32>> {
        let Learned { form, .. } = self.learned;
        let length = form.context;
        let stream = self.attempt * STREAMS_OF_ATTEMPT + number;
        let cell = |token: u32| Cell { token, place: 0.5 };
        let (mut cells, mut orders) = (Vec::new(), Vec::new());
        for (index, draw) in draws.iter().enumerate() {
            let mut row: Vec<Option<Cell>> = given[index].iter().map(|token| token.map(cell)).collect();
            row.resize(length, None);
            if draw.is_closed && !form.is_whole() {
                row[given[index].len()..].fill(Some(cell(form.end())));
            }
            let order = Orders::random(length).order(&ORDERS.nth(self.manner.seed, stream), draw.row);
            orders.push(order.into_iter().filter(|&place| place < wanted[index] && row[place].is_none()).collect::<Vec<_>>());
            cells.push(row);
        }
        let labels = |is_labelled: bool| -> Vec<u32> {
            let mark = |draw: &Draw| form.mark(if is_labelled { draw.label } else { 0 }, number > 0 || form.is_whole());
            draws.iter().map(mark).chain(std::iter::repeat(form.mark(0, false))).take(ROWS).collect()
        };
        let network = Shown {
            learned: self.learned,
            spans: Spans::new(vec![form.outputs(); length]),
            marks: [labels(true), labels(false)],
            guidance: self.guidance,
        };
        let rules = WholeTexts { form, begins: number == 0 };
        let batch = Reveal {
            addresses,
            orders: &orders,
            cells,
            stream: TOKENS.nth(self.manner.seed, stream),
            choice: self.manner.choice,
            positions_a_pass: self.positions_a_pass,
        };
        let (found, _) = reveal(&network, batch, &rules);
        found.into_iter().map(|row| row.into_iter().map(|cell| cell.map_or(form.end(), |cell| cell.token)).collect()).collect()
    }
}

/// The network over what is shown of some windows.
struct Shown<'a> {
    learned: &'a Learned,
    spans: Spans,
    /// Of all [`ROWS`] windows: with their labels and without.
    marks: [Vec<u32>; 2],
    guidance: f32,
}

impl Shown<'_> {
    fn run(&self, inputs: &[u32], marks: &[u32]) -> Vec<f32> {
        let net = &self.learned.net;
        let logits = predicted(net, inputs, marks, &mut |added| added); // [ROWS, length, outputs]
        host::read(&logits, <[f32]>::to_vec)
    }
}

impl Network for Shown<'_> {
    /// Tokens and marks, `[ROWS, length]`.
    type State = Vec<u32>;

    fn spans(&self) -> &Spans {
        &self.spans
    }

    fn begin(&self, _: usize) -> Vec<u32> {
        vec![self.learned.form.hidden(); ROWS * self.learned.form.context]
    }

    fn show(&self, state: &mut Vec<u32>, row: usize, position: usize, cell: Cell) {
        state[row * self.learned.form.context + position] = cell.token;
    }

    fn logits(&self, state: &Vec<u32>, position: Option<usize>) -> Vec<f32> {
        let [labelled, unlabelled] = &self.marks;
        let mut logits = self.run(state, labelled);
        if self.guidance != 1.0 && labelled != unlabelled {
            let plain = self.run(state, unlabelled);
            logits.iter_mut().zip(plain).for_each(|(logit, plain)| *logit = plain + self.guidance * (*logit - plain));
        }
        match position {
            None => logits,
            Some(position) => {
                let range = self.spans.range(position);
                logits.chunks_exact(self.spans.width()).flat_map(|row| row[range.clone()].to_vec()).collect()
            }
        }
    }
}

/// A text is tokens and then ends: nothing follows an end, and no end comes before what is shown. It does not begin with an end.
struct WholeTexts<'a> {
    form: &'a Form,
    begins: bool,
}

impl Rules for WholeTexts<'_> {
    fn factors(&self, _: usize, position: usize, cells: &[Option<Cell>], factors: &mut [f32]) -> bool {
        let end = self.form.end();
        if let Some(unknown) = self.form.tokenizer.unknown() {
            factors[unknown as usize] = 0.0;
        }
        let is = |cell: &Option<Cell>, ends: bool| cell.is_some_and(|cell| (cell.token == end) == ends);
        let ended = cells[..position].iter().any(|cell| is(cell, true));
        let goes_on = cells[position + 1..].iter().any(|cell| is(cell, false));
        if ended {
            factors.fill(0.0);
            factors[end as usize] = 1.0;
        } else if goes_on || self.form.is_whole() || (self.begins && position == 0) {
            factors[end as usize] = 0.0;
        }
        true
    }

    fn place(&self, _: usize, _: usize, _: &[Option<Cell>], _: u32, _: f32) -> f32 {
        0.5
    }
}
