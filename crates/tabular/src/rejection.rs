//! Rows from a trained network that meet the conditions of a request.
//!
//! Row `i` is the first of its own draws `(i, 0), (i, 1)...` that meets the conditions, and a draw depends on nothing but its address, so
//! neither batch size nor range nor the fate of other rows changes it. The effort per row is bounded: where conditions are too rare, some rows
//! are not found, and the others can be kept.

use pulp::Arch;
use rayon::prelude::*;
use semblant_core::math::softmax;
use semblant_core::model::Sampler;
use semblant_core::seeds::Stream;
use semblant_core::synthesizer::Sample;
use semblant_core::{Error, Result};
use semblant_data::table::encode::{ColumnTransform, Layout, TableTransform};
use semblant_data::table::{Table, TableRequest};

use crate::constraints::Constraints;
use crate::filter::{Predicate, RowFilter};

/// How much is tried for a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Effort {
    /// Draws that a row gets before the conditions are given up as too rare.
    pub draws: u32,
    /// Draws of one row at once, when few rows are left.
    pub at_once: u32,
}

impl Default for Effort {
    /// That of models whose cost is the number of draws.
    fn default() -> Self {
        Self { draws: 2000, at_once: 64 }
    }
}

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
    fn condition(&self, filter: &RowFilter<'_>, row: u64) -> Option<ConditionValue> {
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

/// Rows from the beginning of a request, some of which may meet the conditions in no draw.
#[derive(Debug, Clone, PartialEq)]
pub struct Searched {
    /// Rows one after another; what stands at the places in `unmet` means nothing.
    pub sample: Sample<Table>,
    /// The places of rows that do not meet the conditions, ascending. With one, the rows of later batches are lacking.
    pub unmet: Vec<usize>,
    /// How many draws each of these had.
    pub draws: u32,
}

impl Searched {
    /// Why rows are lacking.
    pub fn too_rare(&self) -> String {
        let rows = if self.unmet.len() == 1 { "one row meets".to_owned() } else { format!("{} rows meet", self.unmet.len()) };
        format!("the conditions are too rare: {rows} them in none of {} draws; widen a range or remove a condition", self.draws)
    }
}

/// Searches the rows of `request` in draws of `maker`, as [`until_met`].
///
/// # Errors
/// Conditions that cannot be met.
pub fn search(
    maker: &impl RowMaker,
    fitting: &Fitting<'_>,
    request: &TableRequest,
    constraints: &Constraints,
    watch: &mut dyn FnMut(u64),
) -> Result<Searched> {
    let filter = RowFilter::new(fitting.transform, request, constraints)?;
    let mut draw = |attempts: &[Attempt]| {
        let draw = |&Attempt { row, attempt }: &Attempt| Draw { row, attempt, condition: fitting.condition(&filter, row) };
        let draws: Vec<Draw> = attempts.iter().map(draw).collect();
        let made: Vec<Rows> = draws.par_chunks(CHUNK).map(|draws| maker.make(draws, request.seed)).collect();
        let codes: Vec<u32> = made.iter().flat_map(|(codes, _)| codes).copied().collect();
        let numbers: Vec<f32> = made.iter().flat_map(|(_, numbers)| numbers).copied().collect();
        drop(made);
        let addresses: Vec<u64> = draws.iter().map(|draw| draw.row).collect();
        Ok(fitting.transform.decode(&codes, &numbers, &addresses, request.seed)?)
    };
    until_met(&filter, request, Effort::default(), watch, &mut draw)
}

/// A draw of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attempt {
    /// The row.
    pub row: u64,
    /// How many draws of this row there were before.
    pub attempt: u32,
}

/// Draws rows until each meets the conditions, batch by batch, and ends after a batch in which some are not found. `draw` makes one row for each
/// attempt, which depends on nothing else; row `i` is the first of its attempts that meets the conditions, so that which rows are found does not
/// depend on the batch. The fewer rows are left, the more attempts of each are drawn at once, up to a bound. `watch` hears how many rows
/// were found.
///
/// # Errors
/// Those of `draw`.
pub fn until_met(
    filter: &RowFilter<'_>,
    request: &TableRequest,
    effort: Effort,
    watch: &mut dyn FnMut(u64),
    draw: &mut dyn FnMut(&[Attempt]) -> Result<Table>,
) -> Result<Searched> {
    let rows: Vec<u64> = request.rows.clone().collect();
    let mut parts: Vec<Table> = Vec::new();
    let (mut drawn_rows, mut before, mut unmet) = (0, 0, Vec::new());
    for rows in rows.chunks(request.batch_rows.max(1)) {
        let (table, pending, drawn) = Batch { filter, rows, effort }.find(draw, &mut |count| watch((before + count) as u64))?;
        parts.push(table);
        drawn_rows += drawn;
        if !pending.is_empty() {
            unmet = pending.into_iter().map(|index| before + index).collect();
            break;
        }
        before += rows.len();
    }
    Ok(Searched { sample: Sample { data: semblant_core::data::Data::concat(parts)?, drawn_rows }, unmet, draws: effort.draws })
}

/// Rows that are searched together.
struct Batch<'a> {
    filter: &'a RowFilter<'a>,
    rows: &'a [u64],
    effort: Effort,
}

impl Batch<'_> {
    /// The rows, the places of those that were not found, and the number of draws.
    fn find(&self, draw: &mut dyn FnMut(&[Attempt]) -> Result<Table>, watch: &mut dyn FnMut(usize)) -> Result<(Table, Vec<usize>, u64)> {
        let mut pending: Vec<usize> = (0..self.rows.len()).collect();
        // Found rows one after another, and where each row of the batch is among them.
        let mut found: Option<Table> = None;
        let mut place = vec![0; self.rows.len()];
        let (mut attempt, mut width, mut drawn) = (0, 1, 0);
        while !pending.is_empty() && attempt < self.effort.draws {
            let attempts: Vec<Attempt> = (attempt..attempt + width)
                .flat_map(|attempt| pending.iter().map(move |&index| Attempt { row: self.rows[index], attempt }))
                .collect();
            let addresses: Vec<u64> = attempts.iter().map(|attempt| attempt.row).collect();
            let (table, met) = self.filter.met(draw(&attempts)?, &addresses)?;
            let is_last = attempt + width == self.effort.draws;
            let (mut still, mut taken) = (Vec::new(), Vec::new());
            let before = found.as_ref().map_or(0, Table::rows);
            for (number, &index) in pending.iter().enumerate() {
                let first = (0..width as usize).find(|turn| met[turn * pending.len() + number]);
                drawn += first.map_or(u64::from(width), |turn| turn as u64 + 1);
                if first.is_none() {
                    still.push(index);
                }
                // What stands at the place of a row that is not found means nothing.
                if let Some(turn) = first.or(is_last.then_some(0)) {
                    place[index] = before + taken.len();
                    taken.push(turn * pending.len() + number);
                }
            }
            let everything = taken.len() == table.rows() && found.is_none();
            let part = if everything { table } else { table.take(&taken) };
            match &mut found {
                None => found = Some(part),
                Some(found) => found.append(&part).map_err(Error::from)?,
            }
            attempt += width;
            pending = still;
            width =
                ((self.rows.len() / pending.len().max(1)).max(1) as u32).min(self.effort.at_once).min((self.effort.draws - attempt).max(1));
            watch(self.rows.len() - pending.len());
        }
        let found = found.ok_or_else(|| Error::Config("the request has no rows; sample at least one".into()))?;
        let in_order = place.iter().copied().eq(0..self.rows.len());
        Ok((if in_order { found } else { found.take(&place) }, pending, drawn))
    }
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

#[cfg(test)]
mod tests {
    use semblant_data::table::encode::NumberOptions;
    use semblant_data::table::{Column, ColumnKind};

    use super::*;

    /// Row `i` is of label "b" from its draw `300 * i` on, so that rows from 7 on have none in time.
    struct Late;

    impl Sampler for Late {
        type Draw = Draw;
        type Output = Rows;

        fn make(&self, draws: &[Draw], _: u64) -> Rows {
            (draws.iter().map(|draw| u32::from(u64::from(draw.attempt) >= 300 * draw.row)).collect(), Vec::new())
        }
    }

    #[test]
    fn rows_that_are_found_are_kept_and_told_of() {
        let labels = Column::from_labels((0..60).map(|row| Some(["a", "b"][row % 2])));
        let table = Table::from_columns(vec![("c", ColumnKind::Categorical, labels)]).expect("a table");
        let transform = TableTransform::fit(&table, &NumberOptions::default()).expect("fitted");
        let fitting = Fitting::new(&transform, |_| None);
        let asked = |rows, batch_rows| TableRequest { rows, batch_rows, ..TableRequest::new(0, 1).with("c", "b") };
        let run = |request: &TableRequest| {
            let mut heard = Vec::new();
            let found = search(&Late, &fitting, request, &Constraints::default(), &mut |found| heard.push(found)).expect("searched");
            assert!(heard.is_sorted(), "{heard:?}");
            (found, heard)
        };
        let (found, heard) = run(&asked(0..10, 100));
        assert_eq!((found.unmet.as_slice(), heard.last()), ([7, 8, 9].as_slice(), Some(&7)));
        assert!(heard.len() > 20 && heard.contains(&3), "progress within a batch: {heard:?}");
        assert_eq!(found.sample.drawn_rows, (0..7).map(|row| 300 * row + 1).sum::<u64>() + 3 * u64::from(found.draws));
        assert!((0..7).all(|row| found.sample.data.cell(row, 0) == "b"));
        assert!(found.too_rare().contains("3 rows meet them in none of 2000 draws"));
        // In whatever batch and range, the same rows are found.
        let (found, _) = run(&asked(5..10, 1));
        assert_eq!((found.unmet.as_slice(), found.sample.data.rows()), ([2].as_slice(), 3));
        let (found, heard) = run(&asked(2..6, 3));
        assert_eq!((found.unmet.len(), heard.last()), (0, Some(&4)));
        assert_eq!(found.sample.data.rows(), 4);
    }
}
