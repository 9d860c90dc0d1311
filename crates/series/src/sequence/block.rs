//! Some sequences side by side, row by row: the state that each has after its rows so far, and the network of the next row.

use std::collections::VecDeque;

use burn::tensor::{Int, Tensor, TensorData};
use semblant_core::host;
use semblant_masked_diffusion::{Cell, Network, Spans};
use semblant_tabular_masked::features::constant;
use semblant_tabular_masked::net::Prepared;

use super::Fitted;
use super::encoder::Before;
use super::sampling::Plan;
use super::standing::Standing;
use super::steps::as_a_day_ago;

/// Sequences that are drawn side by side: always so many, since a product may order its sums by its shape.
pub(super) const BLOCK: usize = 128;

/// What is known of a row of every sequence before it is drawn.
#[derive(Clone)]
pub(super) struct KnownRow {
    /// What the network is told, `[BLOCK, known]`.
    told: Option<Tensor<2>>,
    /// Its time, or that of the row before it where its own is drawn, `[BLOCK]`.
    times: Vec<f64>,
}

/// The sequences of a block and their state between rows.
pub(super) struct Block<'a> {
    fitted: &'a Fitted,
    prepared: &'a Prepared<'a>,
    plans: &'a [Plan],
    /// `[BLOCK, features of attributes]`.
    attributes: Option<Tensor<2>>,
    /// `[BLOCK, hidden]`.
    hidden: Tensor<2>,
    /// The rows before, newest last, `[BLOCK, features]`; as many as a day has.
    past: VecDeque<Tensor<2>>,
    /// The rows before, newest last, each `[BLOCK][positions]`: those of a day, and one more.
    rows: VecDeque<Vec<Option<Cell>>>,
    /// How the tokens of the last row stand, `[BLOCK][positions]`.
    standings: Vec<Standing>,
}

impl<'a> Block<'a> {
    /// Sequences before their first row, at most as many as a block has.
    pub(super) fn new(fitted: &'a Fitted, prepared: &'a Prepared<'a>, plans: &'a [Plan]) -> Self {
        let Fitted { form, layouts, net, device, .. } = fitted;
        let attributes = layouts.attributes.as_ref().and_then(|layout| {
            net.encoder.attributes(layout, BLOCK, &|row, position| plans.get(row).map(|plan| plan.attributes[position]))
        });
        Self {
            fitted,
            prepared,
            plans,
            attributes,
            hidden: Tensor::zeros([BLOCK, form.chosen.hidden], device),
            past: VecDeque::new(),
            rows: VecDeque::from([vec![None; BLOCK * layouts.rows.spans.len()]]),
            standings: vec![Standing::default(); BLOCK * layouts.rows.spans.len()],
        }
    }

    /// What is known of a row of every sequence, given its time and its place.
    pub(super) fn known(&self, of: &dyn Fn(&Plan, usize) -> (f64, usize)) -> KnownRow {
        let known = &self.fitted.form.known;
        let (mut values, mut times) = (Vec::with_capacity(BLOCK * known.width()), vec![0.0; BLOCK]);
        for (row, own) in times.iter_mut().enumerate() {
            match self.plans.get(row) {
                Some(plan) => {
                    let (time, place) = of(plan, row);
                    known.write(time, place, plan.length, &mut values);
                    *own = time;
                }
                None => values.extend(std::iter::repeat_n(0.0, known.width())),
            }
        }
        let told = (known.width() > 0).then(|| constant(values, [BLOCK, known.width()], &self.fitted.device));
        KnownRow { told, times }
    }

    /// Takes the next row of every sequence, `[BLOCK][positions]`, into the state.
    pub(super) fn advance(&mut self, cells: Vec<Option<Cell>>, known: KnownRow) {
        let Fitted { form, layouts, net, .. } = self.fitted;
        let positions = layouts.rows.spans.len();
        let features = net.encoder.rows(&layouts.rows, BLOCK, &|row, position| cells[row * positions + position]);
        self.hidden = net.encoder.after(net.encoder.told(features.clone(), known.told), self.hidden.clone());
        self.past.push_back(features);
        if self.past.len() > form.rows_of_a_day.max(1) {
            self.past.pop_front();
        }
        let token = |cell: Option<Cell>| cell.map(|cell| cell.token);
        let standings = (0..BLOCK).flat_map(|row| {
            let own = row * positions..(row + 1) * positions;
            let (cells, last, before) = (&cells[own.clone()], &self.last()[own.clone()], &self.standings[own]);
            let levels = form.seasons.levels(&layouts.rows, &form.known, known.times[row], |position| token(cells[position]));
            let next = move |position: usize| before[position].next(token(last[position]), token(cells[position]), levels[position]);
            (0..positions).map(next).collect::<Vec<_>>()
        });
        self.standings = standings.collect();
        self.rows.push_back(cells);
        if self.rows.len() > form.rows_of_a_day + 1 {
            self.rows.pop_front();
        }
    }

    /// Takes the histories of the sequences into the state. They end together; a shorter one begins later, with rows that are not shown.
    pub(super) fn remember(&mut self) {
        let positions = self.fitted.layouts.rows.spans.len();
        let longest = self.plans.iter().map(|plan| plan.history.len()).max().unwrap_or(0);
        for step in 0..longest {
            let at = |plan: &Plan| (step + plan.history.len()).checked_sub(longest);
            let mut cells = vec![None; BLOCK * positions];
            for (row, plan) in self.plans.iter().enumerate() {
                if let Some(index) = at(plan) {
                    cells[row * positions..(row + 1) * positions].copy_from_slice(&plan.history[index].0);
                }
            }
            let known = self.known(&|plan, _| at(plan).map_or((plan.begin, 0), |index| (plan.history[index].2, plan.history[index].1)));
            self.advance(cells, known);
        }
    }

    /// The network of the next row.
    pub(super) fn row(&self, known: KnownRow) -> RowNet<'_> {
        let Fitted { form, layouts, net, device, .. } = self.fitted;
        let zeros = |features: usize| Tensor::zeros([BLOCK, features], device);
        let none = || net.encoder.rows(&layouts.rows, BLOCK, &|_, _| None).dims()[1];
        let features = self.past.back().map_or_else(none, |past| past.dims()[1]);
        let last = self.past.back().cloned().unwrap_or_else(|| zeros(features));
        let lagged = (form.rows_of_a_day > 0).then(|| {
            let is_there = self.past.len() >= form.rows_of_a_day;
            self.past.front().filter(|_| is_there).cloned().unwrap_or_else(|| zeros(features))
        });
        let stays = form.stays.then(|| {
            let told = self.standings.iter().map(|standing| standing.told()).collect();
            constant(told, [BLOCK, layouts.rows.spans.len()], device)
        });
        let given = net.encoder.given([Some(self.hidden.clone()), known.told, Some(last), lagged, self.attributes.clone(), stays]);
        RowNet {
            prepared: self.prepared,
            fitted: self.fitted,
            given: host::read(&given, <[f32]>::to_vec),
            last: self.last(),
            daily: self.daily(),
            standings: &self.standings,
        }
    }

    /// The last row of every sequence, `[BLOCK][positions]`.
    pub(super) fn last(&self) -> &[Option<Cell>] {
        self.rows.back().map_or(&[], Vec::as_slice)
    }

    /// Where the next row would be if it moved as a day ago, `[BLOCK][positions]`.
    fn daily(&self) -> Vec<Option<Cell>> {
        let Fitted { form, layouts, .. } = self.fitted;
        let positions = layouts.rows.spans.len();
        let (last, is_there) = (self.last(), form.daily && self.rows.len() > form.rows_of_a_day);
        let of = |index: usize| {
            let token = |cell: Option<Cell>| cell.map(|cell| cell.token);
            let tokens = [token(last[index])?, token(self.rows[1][index])?, token(self.rows[0][index])?];
            Some(Cell { token: as_a_day_ago(&layouts.rows, index % positions, tokens)?, place: 0.5 })
        };
        (0..last.len()).map(|index| if is_there { of(index) } else { None }).collect()
    }

    /// Every sequence goes on from the state of the one at its place in `from [BLOCK]`.
    pub(super) fn select(&mut self, from: &[usize]) {
        let positions = self.fitted.layouts.rows.spans.len();
        let places: Vec<i32> = from.iter().map(|&row| row as i32).collect();
        let places = Tensor::<1, Int>::from_data(TensorData::new(places, [BLOCK]), &self.fitted.device);
        self.hidden = self.hidden.clone().select(0, places.clone());
        self.past.iter_mut().for_each(|past| *past = past.clone().select(0, places.clone()));
        self.standings = from.iter().flat_map(|&row| self.standings[row * positions..(row + 1) * positions].iter().copied()).collect();
        for rows in &mut self.rows {
            *rows = from.iter().flat_map(|&row| rows[row * positions..(row + 1) * positions].iter().copied()).collect();
        }
    }
}

/// The decoder of one row of every sequence of a block, given what came before.
pub(super) struct RowNet<'a> {
    prepared: &'a Prepared<'a>,
    fitted: &'a Fitted,
    /// What the decoder is given, `[BLOCK, width]`.
    given: Vec<f32>,
    /// The row before, `[BLOCK][positions]`.
    last: &'a [Option<Cell>],
    /// Where the row would be if it moved as a day ago, `[BLOCK][positions]`.
    daily: Vec<Option<Cell>>,
    /// How the tokens of the row before stand, `[BLOCK][positions]`.
    standings: &'a [Standing],
}

impl Network for RowNet<'_> {
    type State = Vec<f32>;

    fn spans(&self) -> &Spans {
        &self.fitted.layouts.rows.spans
    }

    fn begin(&self, rows: usize) -> Vec<f32> {
        let mut state = self.prepared.begin(rows);
        state.iter_mut().zip(&self.given).for_each(|(state, given)| *state += given);
        state
    }

    fn show(&self, state: &mut Vec<f32>, row: usize, position: usize, cell: Cell) {
        self.prepared.show(state, row, position, cell);
    }

    fn logits(&self, state: &Vec<f32>, position: Option<usize>) -> Vec<f32> {
        let layout = &self.fitted.layouts.rows;
        let positions = layout.spans.len();
        let hidden = self.prepared.hidden(state);
        let one = |position: usize| {
            let mut logits = host::read(&self.prepared.head(position, hidden.clone()), <[f32]>::to_vec);
            let last = |row: usize, position: usize| self.last[row * positions + position];
            let daily = |row: usize, position: usize| self.daily[row * positions + position];
            let standing = |row: usize, position: usize| self.standings[row * positions + position];
            let before = Before { last: &last, daily: &daily, standing: &standing };
            self.fitted.net.encoder.add_steps(&hidden, layout, position, before, &mut logits);
            logits
        };
        let Some(position) = position else {
            let parts: Vec<Vec<f32>> = (0..positions).map(one).collect();
            let part =
                |row: usize| parts.iter().zip(layout.spans.widths()).flat_map(move |(part, &width)| &part[row * width..(row + 1) * width]);
            return (0..BLOCK).flat_map(part).copied().collect();
        };
        one(position)
    }
}
