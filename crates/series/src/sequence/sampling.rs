//! Rows from a fitted network, sequence by sequence side by side.

use std::collections::VecDeque;

use burn::tensor::Tensor;
use rayon::prelude::*;
use semblant_core::memory::Memory;
use semblant_core::seeds::Stream;
use semblant_core::synthesizer::Sample;
use semblant_core::{Error, Result, host};
use semblant_data::series::{Clock, Series, SeriesRequest, numbered};
use semblant_data::table::{Column, ColumnKind, ColumnSchema, Schema, Table, TableRequest};
use semblant_masked_diffusion::{Cell, Choice, Network, Reveal, Spans, reveal};
use semblant_tabular::TableModel;
use semblant_tabular::constraints::Constraints;
use semblant_tabular_masked::features::constant;
use semblant_tabular_masked::net::Prepared;

use super::form::free_name;
use super::places::AfterLast;
use super::{Fitted, SequenceConfig};

/// Random numbers of samples.
mod sampled {
    use semblant_core::seeds::streams::SAMPLING;

    semblant_core::streams! {
        in SAMPLING;
        /// The cells of rows.
        pub(super) const ROWS = 0x100..0x101;
        /// Where in time a sample of a single series begins.
        pub(super) const BEGIN = 0x101..0x102;
        /// The cells of rows that are drawn again.
        pub(super) const AGAIN = 0x200..0x240;
    }
}

/// Sequences that are drawn side by side: always so many, since a product may order its sums by its shape.
const BLOCK: usize = 128;
/// The column that numbers sequences which have no names.
pub(super) const SEQUENCE: &str = "sequence";
/// Rows of a sample of a single series, unless a request says how many.
const ROWS: usize = 1000;

/// A sequence that is to be drawn.
#[derive(Clone)]
pub(super) struct Plan {
    /// Decides its random numbers.
    pub(super) address: u64,
    pub(super) attributes: Vec<Cell>,
    /// Rows to draw, those of the warm-up included.
    pub(super) rows: usize,
    /// Rows that are drawn before the first that is kept.
    pub(super) warm_up: usize,
    /// The place of the first row to draw in its sequence, and the whole sequence's number of rows.
    pub(super) place: usize,
    pub(super) length: usize,
    /// The time of the first row to draw; for irregular times that of the row before, or of the first itself.
    pub(super) begin: f64,
    /// Rows before the first, as cells, with the places and times that were known of them.
    pub(super) history: Vec<(Vec<Option<Cell>>, usize, f64)>,
}

/// Which of some drawn rows, each of the sequence with this address, are what they should be; others are drawn again, some dozens of times.
pub type Accept<'a> = &'a (dyn Fn(&Table, &[u64]) -> Vec<bool> + Sync);

/// How often a row is drawn again.
const ATTEMPTS: u32 = 64;

/// What was drawn: the kept rows and their times.
pub(super) struct Drawn {
    rows: Vec<Vec<Cell>>,
    times: Vec<f64>,
}

/// New sequences.
pub(super) fn sample(config: &SequenceConfig, fitted: &Fitted, request: &SeriesRequest) -> Result<Sample<Series>> {
    let form = &fitted.form;
    let (attributes, tokens) = match (&fitted.attributes, &form.attributes) {
        (Some(model), Some(preparation)) => {
            let asked = TableRequest {
                rows: request.rows.clone(),
                conditions: request.conditions.clone(),
                expressions: request.expressions.clone(),
                ..TableRequest::new(0, request.seed)
            };
            let searched = config.attributes.search(model, &asked, &Constraints::default(), &mut |_| ())?;
            if !searched.unmet.is_empty() {
                return Err(Error::Condition(searched.too_rare()));
            }
            let cells = super::cells_of(model.tokens(), &searched.sample.data)?;
            (Some(preparation.restore(searched.sample.data, request.rows.start, request.seed)?), cells)
        }
        _ if request.conditions.is_empty() && request.expressions.is_empty() => (None, Vec::new()),
        _ => return Err(Error::Config("a single series has no attributes to meet conditions on; leave --where out".into())),
    };
    let count = (request.rows.end - request.rows.start) as usize;
    let lengths = match &attributes {
        Some(attributes) if request.length.is_none() => form.lengths(attributes)?,
        _ => vec![request.length.unwrap_or(ROWS.min(form.longest)); count],
    };
    let starts = match (&form.start, &attributes) {
        (Some(name), Some(attributes)) => Some(attributes.column(name)?.numbers().unwrap_or_default().to_vec()),
        _ => None,
    };
    let plan = |(index, address): (usize, u64)| {
        let length = lengths[index];
        // Rows that are drawn before the sample of a single series and thrown away: as many as a chunk.
        let warm_up = if form.is_single { config.cut(form).length } else { 0 };
        let begin = match (&form.layout.clock, &starts) {
            (Clock::Regular { first, step, .. }, _) if form.is_single => {
                // Some time of the training series, on its grid, so that every season is met.
                let steps = ((form.covered[1] - first) / step).max(0.0) as u64 + 1;
                first + step * sampled::BEGIN.of(request.seed).below(address, 0, steps) as f64 - step * warm_up as f64
            }
            (Clock::Regular { first, .. }, _) => *first,
            (_, Some(starts)) => {
                if starts[index].is_finite() {
                    starts[index]
                } else {
                    form.covered[0]
                }
            }
            _ => form.covered[0],
        };
        let attributes = tokens.iter().map(|cells| cells[index]).collect();
        Plan { address, attributes, rows: length + warm_up, warm_up, place: 0, length, begin, history: Vec::new() }
    };
    let plans: Vec<Plan> = request.rows.clone().enumerate().map(plan).collect();
    let drawn = draw(fitted, &plans, request.seed, None)?;
    let entities = match &form.entity {
        Some(described) => {
            let id = described.id.clone();
            let labels =
                request.rows.clone().map(|row| Some(id.as_ref().map_or_else(|| row.to_string(), |id| id.generate(row, request.seed))));
            let names = Column::from_labels(labels);
            let own = attributes.as_ref().map(|attributes| form.own_attributes(attributes)).transpose()?.flatten();
            Some(with_names(described, names, own)?)
        }
        None if count > 1 => Some(numbered(&free_name(&form.layout, SEQUENCE), request.rows.clone())?),
        None => None,
    };
    let data = series(fitted, drawn, entities, request)?;
    Ok(Sample { data, drawn_rows: count as u64 })
}

/// A table that names sequences, with their attributes.
pub(super) fn with_names(described: &ColumnSchema, names: Column, attributes: Option<Table>) -> Result<Table> {
    let mut schema = Schema { columns: vec![ColumnSchema { kind: ColumnKind::Id, ..described.clone() }], ..Schema::default() };
    let mut columns = vec![names];
    if let Some(attributes) = attributes {
        schema.columns.extend(attributes.schema().columns.iter().cloned());
        columns.extend(attributes.columns().iter().cloned());
    }
    Ok(Table::new(schema, columns)?)
}

/// The drawn rows as series.
pub(super) fn series(fitted: &Fitted, drawn: Vec<Drawn>, entities: Option<Table>, request: &SeriesRequest) -> Result<Series> {
    let form = &fitted.form;
    let mut end = 0;
    let spans = drawn.iter().map(|drawn| {
        let start = end;
        end += drawn.rows.len();
        start..end
    });
    let spans: Vec<_> = spans.collect();
    let times: Vec<f64> = drawn.iter().flat_map(|drawn| drawn.times.iter().copied()).collect();
    let rows: Vec<Vec<Cell>> = drawn.into_iter().flat_map(|drawn| drawn.rows).collect();
    let addresses: Vec<u64> = (0..rows.len() as u64).collect();
    let table = form.tokens.decode(&rows, &addresses, request.seed)?;
    let table = form.rows.restore(table, 0, request.seed)?;
    let (mut schema, mut columns) = (table.schema().clone(), table.columns().to_vec());
    if let Some(gap) = &form.gap {
        let place = schema.index_of(gap)?;
        schema.columns.remove(place);
        columns.remove(place);
    }
    let mut layout = form.layout.clone();
    if let (None, Some(entities)) = (&layout.entity, &entities) {
        let name = entities.schema().columns[0].name.clone();
        layout.order.insert(0, name.clone());
        layout.entity = Some(name);
    }
    let clock = match (&form.layout.clock, request.horizon.is_some() || form.is_single) {
        // The rule of the training series does not say when these begin.
        (Clock::Regular { column, .. }, true) => Clock::Times(column.clone()),
        (clock, _) => clock.clone(),
    };
    let times = matches!(clock, Clock::Times(_)).then_some(times);
    layout.clock = clock;
    Ok(Series::new(Table::new(schema, columns)?, times, spans, entities, layout)?)
}

/// Draws sequences in blocks.
pub(super) fn draw(fitted: &Fitted, plans: &[Plan], seed: u64, accept: Option<Accept<'_>>) -> Result<Vec<Drawn>> {
    let rows = plans.iter().map(|plan| plan.rows as u64).fold(0, u64::saturating_add);
    let size = 64 * fitted.layouts.rows.spans.len() as u64;
    Memory::of_process().check(format!("{} sequences of {rows} rows in all", plans.len()), rows, size)?;
    let prepared = Prepared::new(&fitted.net.decoder, &fitted.layouts.rows);
    let blocks: Vec<Vec<Drawn>> =
        plans.par_chunks(BLOCK).map(|plans| draw_block(fitted, &prepared, plans, seed, accept)).collect::<Result<_>>()?;
    Ok(blocks.into_iter().flatten().collect())
}

/// The block's state between rows.
struct State {
    hidden: Tensor<2>,
    /// The rows before, newest last, `[BLOCK, features]`; as many as a day has.
    past: VecDeque<Tensor<2>>,
    /// The last row, `[BLOCK][positions]`.
    last: Vec<Option<Cell>>,
}

fn draw_block(fitted: &Fitted, prepared: &Prepared<'_>, plans: &[Plan], seed: u64, accept: Option<Accept<'_>>) -> Result<Vec<Drawn>> {
    let Fitted { form, layouts, net, device, .. } = fitted;
    let (layout, positions) = (&layouts.rows, layouts.rows.spans.len());
    let encoder = &net.encoder;
    let attributes = layouts
        .attributes
        .as_ref()
        .and_then(|layout| encoder.attributes(layout, BLOCK, &|row, position| plans.get(row).map(|plan| plan.attributes[position])));
    let hidden = form.chosen.hidden;
    let mut state = State { hidden: Tensor::zeros([BLOCK, hidden], device), past: VecDeque::new(), last: vec![None; BLOCK * positions] };
    // What is known of a row of every sequence.
    let known = |of: &dyn Fn(&Plan, usize) -> (f64, usize)| {
        let mut values = Vec::with_capacity(BLOCK * form.known.width());
        for row in 0..BLOCK {
            match plans.get(row) {
                Some(plan) => {
                    let (time, place) = of(plan, row);
                    form.known.write(time, place, plan.length, &mut values);
                }
                None => values.extend(std::iter::repeat_n(0.0, form.known.width())),
            }
        }
        (form.known.width() > 0).then(|| constant(values, [BLOCK, form.known.width()], device))
    };
    let advance = |state: &mut State, cells: Vec<Option<Cell>>, known: Option<Tensor<2>>| {
        let features = encoder.rows(layout, BLOCK, &|row, position| cells[row * positions + position]);
        state.hidden = encoder.after(encoder.told(features.clone(), known), state.hidden.clone());
        state.past.push_back(features);
        if state.past.len() > form.rows_of_a_day.max(1) {
            state.past.pop_front();
        }
        state.last = cells;
    };
    let longest_history = plans.iter().map(|plan| plan.history.len()).max().unwrap_or(0);
    for step in 0..longest_history {
        // Histories end together; a shorter one begins later, with rows that are not shown.
        let at = |plan: &Plan| (step + plan.history.len()).checked_sub(longest_history);
        let mut cells = vec![None; BLOCK * positions];
        for (row, plan) in plans.iter().enumerate() {
            if let Some(index) = at(plan) {
                cells[row * positions..(row + 1) * positions].copy_from_slice(&plan.history[index].0);
            }
        }
        let known = known(&|plan, _| at(plan).map_or((plan.begin, 0), |index| (plan.history[index].2, plan.history[index].1)));
        advance(&mut state, cells, known);
    }
    let mut made: Vec<Drawn> = plans.iter().map(|_| Drawn { rows: Vec::new(), times: Vec::new() }).collect();
    let mut now: Vec<f64> = plans.iter().map(|plan| plan.begin).collect();
    let order: Vec<usize> = (0..positions).collect();
    let rows = plans.iter().map(|plan| plan.rows).max().unwrap_or(0);
    for step in 0..rows {
        let known_now = known(&|plan, row| (now[row], plan.place + step.saturating_sub(plan.warm_up)));
        let zeros = |features: usize| Tensor::zeros([BLOCK, features], device);
        let features = state.past.back().map_or_else(|| encoder.rows(layout, BLOCK, &|_, _| None).dims()[1], |past| past.dims()[1]);
        let last = state.past.back().cloned().unwrap_or_else(|| zeros(features));
        let lagged = (form.rows_of_a_day > 0).then(|| {
            let is_there = state.past.len() >= form.rows_of_a_day;
            state.past.front().filter(|_| is_there).cloned().unwrap_or_else(|| zeros(features))
        });
        let given = encoder.given([Some(state.hidden.clone()), known_now.clone(), Some(last), lagged, attributes.clone()]);
        let row_net = RowNet { prepared, fitted, given: host::read(&given, <[f32]>::to_vec), last: &state.last };
        let is_drawn = |row: usize| plans.get(row).is_some_and(|plan| step < plan.rows);
        let addresses: Vec<u64> =
            (0..BLOCK).map(|row| plans.get(row).map_or(0, |plan| plan.address.wrapping_mul(1 << 24).wrapping_add(step as u64))).collect();
        let rules = AfterLast { following: &form.following, layout, last: &state.last };
        let drawn = |is_wanted: &dyn Fn(usize) -> bool, stream: Stream| {
            let orders: Vec<Vec<usize>> = (0..BLOCK).map(|row| if is_wanted(row) { order.clone() } else { Vec::new() }).collect();
            let batch = Reveal {
                addresses: &addresses,
                orders: &orders,
                cells: vec![vec![None; positions]; BLOCK],
                stream,
                choice: Choice::default(),
                positions_a_pass: 1,
            };
            reveal(&row_net, batch, &rules).0
        };
        let mut cells = drawn(&is_drawn, sampled::ROWS.of(seed));
        let mut attempt = 0;
        while let Some(accept) = accept.filter(|_| attempt < ATTEMPTS) {
            let rows: Vec<usize> = (0..BLOCK).filter(|&row| is_drawn(row)).collect();
            let refused = refused(fitted, plans, &rows, &cells, accept, seed)?;
            if refused.is_empty() {
                break;
            }
            let again = drawn(&|row| refused.contains(&row), sampled::AGAIN.nth(seed, attempt));
            refused.into_iter().for_each(|row| cells[row].clone_from(&again[row]));
            attempt += 1;
        }
        for (row, (plan, made)) in plans.iter().zip(&mut made).enumerate().filter(|(row, _)| is_drawn(*row)) {
            let of_row: Vec<Cell> = cells[row].iter().copied().flatten().collect();
            let time = time_of(fitted, &of_row, now[row], plan, step);
            if step >= plan.warm_up {
                made.rows.push(of_row);
                made.times.push(time);
            }
            now[row] = match &form.layout.clock {
                Clock::Regular { step, .. } => time + step,
                _ => time,
            };
        }
        advance(&mut state, cells.into_iter().flatten().collect(), known_now);
    }
    Ok(made)
}

/// The rows of a block that are not what they should be.
fn refused(
    fitted: &Fitted,
    plans: &[Plan],
    rows: &[usize],
    cells: &[Vec<Option<Cell>>],
    accept: Accept<'_>,
    seed: u64,
) -> Result<Vec<usize>> {
    let of_rows: Vec<Vec<Cell>> = rows.iter().map(|&row| cells[row].iter().copied().flatten().collect()).collect();
    let addresses: Vec<u64> = (0..rows.len() as u64).collect();
    let table = fitted.form.rows.restore(fitted.form.tokens.decode(&of_rows, &addresses, seed)?, 0, seed)?;
    let of_plans: Vec<u64> = rows.iter().map(|&row| plans[row].address).collect();
    let accepted = accept(&table, &of_plans);
    Ok(rows.iter().zip(accepted).filter(|(_, accepted)| !accepted).map(|(&row, _)| row).collect())
}

/// The time of a row that was drawn: by the rule, or the time since the row before, which the first row of a sequence does not have.
fn time_of(fitted: &Fitted, cells: &[Cell], now: f64, plan: &Plan, step: usize) -> f64 {
    let form = &fitted.form;
    let Some(gap) = &form.gap else { return now };
    if step == 0 && plan.history.is_empty() {
        return now;
    }
    let gap = form.tokens.schema.index_of(gap).ok().and_then(|column| {
        let place = form.tokens.positions().iter().position(|position| position.column == column)?;
        let bins = form.tokens.bins(form.tokens.positions()[place])?;
        Some(bins.decode(cells[place]))
    });
    // Time does not run backwards, and a row whose gap is missing follows at once.
    now + gap.filter(|gap| gap.is_finite()).map_or(0.0, |gap| gap.max(0.0))
}

/// The decoder of one row of every sequence of a block, given what came before.
struct RowNet<'a> {
    prepared: &'a Prepared<'a>,
    fitted: &'a Fitted,
    /// What the decoder is given, `[BLOCK, width]`.
    given: Vec<f32>,
    /// The row before, `[BLOCK][positions]`.
    last: &'a [Option<Cell>],
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
            let before = |row: usize, position: usize| self.last[row * positions + position];
            self.fitted.net.encoder.add_steps(hidden.clone(), layout, position, &before, &mut logits);
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
