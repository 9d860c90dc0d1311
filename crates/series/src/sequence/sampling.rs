//! Rows from a fitted network, sequence by sequence side by side.

use rayon::prelude::*;
use semblant_core::memory::Memory;
use semblant_core::seeds::Stream;
use semblant_core::synthesizer::Sample;
use semblant_core::{Error, Result};
use semblant_data::series::{Clock, Series, SeriesRequest};
use semblant_data::table::{Column, Table, TableRequest};
use semblant_masked_diffusion::{Cell, Choice, Reveal, reveal};
use semblant_tabular::TableModel;
use semblant_tabular::constraints::Constraints;
use semblant_tabular_masked::net::Prepared;

use super::block::{BLOCK, Block};
use super::places::AfterLast;
use super::{Fitted, SequenceConfig};
use crate::given::numbers;
use crate::model::with_names;

/// Random numbers of samples.
pub(super) mod sampled {
    use semblant_core::seeds::streams::SAMPLING;

    semblant_core::streams! {
        in SAMPLING;
        /// The cells of rows.
        pub(in super::super) const ROWS = 0x100..0x101;
        /// Where in time a sample of a single series begins.
        pub(super) const BEGIN = 0x101..0x102;
        /// Which particles go on.
        pub(in super::super) const PARTICLES = 0x102..0x103;
        /// The cells of rows that are drawn again.
        pub(super) const AGAIN = 0x200..0x240;
    }
}

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
    pub(super) rows: Vec<Vec<Cell>>,
    pub(super) times: Vec<f64>,
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
            let own = attributes.as_ref().map(|attributes| form.own_attributes(attributes));
            Some(with_names(described, names, own)?)
        }
        None if count > 1 => Some(numbers(&form.layout, request.rows.clone())?),
        None => None,
    };
    let data = series(fitted, drawn, entities, request)?;
    Ok(Sample { data, drawn_rows: count as u64 })
}

/// Drawn rows as a table, without the column that only the model has.
pub(super) fn decoded(fitted: &Fitted, rows: &[Vec<Cell>], seed: u64) -> Result<Table> {
    let form = &fitted.form;
    let addresses: Vec<u64> = (0..rows.len() as u64).collect();
    let table = form.rows.restore(form.tokens.decode(rows, &addresses, seed)?, 0, seed)?;
    let Some(gap) = &form.gap else { return Ok(table) };
    let (mut schema, mut columns) = (table.schema().clone(), table.columns().to_vec());
    let place = schema.index_of(gap)?;
    schema.columns.remove(place);
    columns.remove(place);
    Ok(Table::new(schema, columns)?)
}

/// The drawn rows as new series.
fn series(fitted: &Fitted, drawn: Vec<Drawn>, entities: Option<Table>, request: &SeriesRequest) -> Result<Series> {
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
    let table = decoded(fitted, &rows, request.seed)?;
    let mut layout = form.layout.clone();
    if let (None, Some(entities)) = (&layout.entity, &entities) {
        let name = entities.schema().columns[0].name.clone();
        layout.order.insert(0, name.clone());
        layout.entity = Some(name);
    }
    let clock = match &form.layout.clock {
        // The rule of the training series does not say when these begin.
        Clock::Regular { column, .. } if form.is_single => Clock::Times(column.clone()),
        clock => clock.clone(),
    };
    let times = matches!(clock, Clock::Times(_)).then_some(times);
    layout.clock = clock;
    Ok(Series::new(table, times, spans, entities, layout)?)
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

fn draw_block(fitted: &Fitted, prepared: &Prepared<'_>, plans: &[Plan], seed: u64, accept: Option<Accept<'_>>) -> Result<Vec<Drawn>> {
    let Fitted { form, layouts, .. } = fitted;
    let positions = layouts.rows.spans.len();
    let mut block = Block::new(fitted, prepared, plans);
    block.remember();
    let mut made: Vec<Drawn> = plans.iter().map(|_| Drawn { rows: Vec::new(), times: Vec::new() }).collect();
    let mut now: Vec<f64> = plans.iter().map(|plan| plan.begin).collect();
    let order: Vec<usize> = (0..positions).collect();
    let rows = plans.iter().map(|plan| plan.rows).max().unwrap_or(0);
    for step in 0..rows {
        let known = block.known(&|plan, row| (now[row], plan.place + step.saturating_sub(plan.warm_up)));
        let row_net = block.row(known.clone());
        let is_drawn = |row: usize| plans.get(row).is_some_and(|plan| step < plan.rows);
        let addresses = addresses(plans, step);
        let rules = AfterLast { following: &form.following, layout: &layouts.rows, last: block.last() };
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
        block.advance(cells.into_iter().flatten().collect(), known);
    }
    Ok(made)
}

/// The addresses of a step's rows.
pub(super) fn addresses(plans: &[Plan], step: usize) -> Vec<u64> {
    (0..BLOCK).map(|row| plans.get(row).map_or(0, |plan| plan.address.wrapping_mul(1 << 24).wrapping_add(step as u64))).collect()
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
