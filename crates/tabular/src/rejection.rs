//! Rows from a trained network that meet the conditions of a request.
//!
//! Row `i` is the first of its own draws `(i, 0), (i, 1)...` that meets the conditions, and a draw depends on nothing but its address, so
//! neither batch size nor range nor the fate of other rows changes it. The effort per row is bounded: conditions that are too rare end in
//! an error.

use pulp::Arch;
use rayon::prelude::*;
use semblant_core::math::softmax;
use semblant_core::model::Sampler;
use semblant_core::seeds::Stream;
use semblant_core::synthesizer::Sample;
use semblant_core::{Error, Result};
use semblant_data::table::encode::{ColumnTransform, Layout, TableTransform};
use semblant_data::table::{Table, TableRequest};

use crate::filter::{Predicate, RowFilter};

/// Draws that a row gets before the conditions are given up as too rare.
const MOST_DRAWS: u32 = 2000;
/// Rows that go through a network at once. Always this many, padded if need be: a matrix product may order its sums by the shape, and
/// then a row's last bit would depend on its batch.
pub const CHUNK: usize = 1024;

/// A condition of the network: a block, by the model's number for it, and a value of that block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConditionValue {
    /// Which block.
    pub block: usize,
    /// Which value.
    pub value: usize,
}

/// One draw of one row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Draw {
    /// The row.
    pub row: u64,
    /// How many draws of this row there were before.
    pub attempt: u32,
    /// The network's condition, if the request has one that it accepts.
    pub condition: Option<ConditionValue>,
}

/// Codes `[draws, blocks]` and scalars `[draws, scalars]`.
pub type Rows = (Vec<u32>, Vec<f32>);

/// A trained network that turns at most [`CHUNK`] draws into rows.
pub trait RowMaker: Sampler<Draw = Draw, Output = Rows> {}

impl<S: Sampler<Draw = Draw, Output = Rows>> RowMaker for S {}

/// The fitted transform of a model, with the conditions that its network accepts.
pub struct Fitting<'a> {
    transform: &'a TableTransform,
    /// By column: the network's number for conditions on it.
    blocks: Vec<Option<usize>>,
}

impl<'a> Fitting<'a> {
    /// `condition_block` gives the model's number for a one-hot block.
    pub fn new(transform: &'a TableTransform, condition_block: impl Fn(usize) -> Option<usize>) -> Self {
        let mut blocks = vec![None; transform.columns.len()];
        // Backwards, so that of a column's two digits the high one stays.
        for (block, span) in transform.layout().blocks().enumerate().collect::<Vec<_>>().into_iter().rev() {
            blocks[span.column] = condition_block(block);
        }
        Self { transform, blocks }
    }

    /// The rarest category that the conditions name, as the network's condition.
    fn condition(&self, filter: &RowFilter, row: u64) -> Option<ConditionValue> {
        let value = |column: usize| match (&self.transform.columns[column], filter.predicate(column, row)?.as_ref()) {
            (ColumnTransform::Category(category), Predicate::Label(code)) => Some((category, *code)),
            (ColumnTransform::Category(category), Predicate::Missing) => Some((category, category.levels.len() as u32)),
            _ => None,
        };
        let named = (0..self.blocks.len()).filter_map(|column| value(column).map(|(category, value)| (column, category, value)));
        let (column, category, value) = named.min_by_key(|&(column, category, value)| (category.counts[value as usize], column))?;
        Some(ConditionValue { block: self.blocks[column]?, value: category.digits(value)[0] as usize })
    }
}

/// Samples `request` from `maker`.
///
/// # Errors
/// Conditions that cannot be met, or that are too rare.
pub fn sample(maker: &impl RowMaker, fitting: &Fitting<'_>, request: &TableRequest) -> Result<Sample<Table>> {
    let filter = RowFilter::new(fitting.transform, request)?;
    let rows: Vec<u64> = request.rows.clone().collect();
    let mut parts: Vec<Table> = Vec::new();
    let mut drawn_rows = 0;
    for batch in rows.chunks(request.batch_rows.max(1)) {
        let (table, drawn) = sample_batch(maker, fitting, &filter, batch, request)?;
        drawn_rows += drawn;
        parts.push(table);
    }
    Ok(Sample { data: semblant_core::data::Data::concat(parts)?, drawn_rows })
}

fn sample_batch(
    maker: &impl RowMaker,
    fitting: &Fitting<'_>,
    filter: &RowFilter,
    rows: &[u64],
    request: &TableRequest,
) -> Result<(Table, u64)> {
    let transform = fitting.transform;
    let layout = transform.layout();
    let (blocks, scalars) = (layout.blocks().count(), layout.scalars().count());
    let mut codes = vec![0; rows.len() * blocks];
    let mut numbers = vec![0.0; rows.len() * scalars];
    let mut pending: Vec<usize> = (0..rows.len()).collect();
    let (mut drawn, mut attempt, mut width) = (0u64, 0, 1);
    while !pending.is_empty() {
        if attempt >= MOST_DRAWS {
            let done = rows.len() - pending.len();
            return Err(Error::Condition(format!(
                "the conditions are too rare: after {drawn} draws only {done} of {} rows meet them; widen a range or remove a condition",
                rows.len()
            )));
        }
        let width_now = width.min(MOST_DRAWS - attempt);
        let draws: Vec<Draw> = pending
            .iter()
            .flat_map(|&index| (attempt..attempt + width_now).map(move |attempt| (index, attempt)))
            .map(|(index, attempt)| Draw { row: rows[index], attempt, condition: fitting.condition(filter, rows[index]) })
            .collect();
        let made: Vec<Rows> = draws.par_chunks(CHUNK).map(|draws| maker.make(draws, request.seed)).collect();
        let made_codes: Vec<u32> = made.iter().flat_map(|(codes, _)| codes).copied().collect();
        let made_numbers: Vec<f32> = made.iter().flat_map(|(_, numbers)| numbers).copied().collect();
        drop(made);
        let fits = if filter.is_empty() {
            vec![true; draws.len()]
        } else {
            let addresses: Vec<u64> = draws.iter().map(|draw| draw.row).collect();
            let table = transform.decode(&made_codes, &made_numbers, &addresses, request.seed)?;
            (0..draws.len()).map(|draw| filter.meets(&table, draw, draws[draw].row)).collect()
        };
        let mut still = Vec::new();
        for (position, &index) in pending.iter().enumerate() {
            let first = position * width_now as usize;
            match (first..first + width_now as usize).find(|&draw| fits[draw]) {
                None => {
                    drawn += u64::from(width_now);
                    still.push(index);
                }
                Some(draw) => {
                    drawn += (draw - first + 1) as u64;
                    codes[index * blocks..(index + 1) * blocks].copy_from_slice(&made_codes[draw * blocks..(draw + 1) * blocks]);
                    numbers[index * scalars..(index + 1) * scalars].copy_from_slice(&made_numbers[draw * scalars..(draw + 1) * scalars]);
                }
            }
        }
        attempt += width_now;
        pending = still;
        // The fewer rows are left, the more draws each gets at once, so that the network always has about one batch to do.
        width = (rows.len() / pending.len().max(1)).clamp(1, 64) as u32;
    }
    Ok((transform.decode(&codes, &numbers, rows, request.seed)?, drawn))
}

/// Draws every block of every row from its softmax by one uniform number, and turns every scalar by
/// `scalar(draw, position in the row, number among the scalars, raw value)`.
///
/// `logits: [at least draws, layout.width]`; gives codes `[draws, blocks]` and scalars `[draws, scalars]`.
pub fn draw_rows(
    logits: &[f32],
    layout: &Layout,
    draws: &[Draw],
    stream: impl Fn(&Draw) -> Stream,
    mut scalar: impl FnMut(&Draw, usize, usize, f32) -> f32,
) -> Rows {
    let (blocks, scalars) = (layout.blocks().count(), layout.scalars().count());
    let mut codes = Vec::with_capacity(draws.len() * blocks);
    let mut numbers = Vec::with_capacity(draws.len() * scalars);
    let mut uniforms = vec![0.0; blocks];
    let mut row = vec![0.0; layout.width];
    for (draw, logits) in draws.iter().zip(logits.chunks_exact(layout.width)) {
        stream(draw).uniforms(draw.row, &mut uniforms);
        row.copy_from_slice(logits);
        let (mut block, mut number) = (0, 0);
        for span in &layout.spans {
            let values = &mut row[span.start..span.start + span.width];
            if span.is_block() {
                codes.push(draw_block(values, uniforms[block]));
                block += 1;
            } else {
                numbers.push(scalar(draw, span.start, number, values[0]));
                number += 1;
            }
        }
    }
    (codes, numbers)
}

/// A position of the softmax of `values`, by inverting its distribution function.
fn draw_block(values: &mut [f32], uniform: f32) -> u32 {
    Arch::new().dispatch(
        #[inline(always)]
        || softmax(values),
    );
    let mut left = uniform;
    for (position, share) in values.iter().enumerate() {
        left -= share;
        if left < 0.0 {
            return position as u32;
        }
    }
    // Rounding left a little of 1 over: the greatest share takes it.
    (0..values.len()).max_by(|&a, &b| values[a].total_cmp(&values[b])).unwrap_or(0) as u32
}
