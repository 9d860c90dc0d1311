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

/// Rows from the beginning of a request, some of which may meet the conditions in no draw.
#[derive(Debug, Clone, PartialEq)]
pub struct Searched {
    /// Rows one after another; what stands at the places in `unmet` means nothing.
    pub sample: Sample<Table>,
    /// The places of rows that do not meet the conditions, ascending. With one, the rows of later batches are lacking.
    pub unmet: Vec<usize>,
}

/// Why rows are lacking.
pub fn too_rare(unmet: usize) -> String {
    let rows = if unmet == 1 { "one row meets".to_owned() } else { format!("{unmet} rows meet") };
    format!("the conditions are too rare: {rows} them in none of {MOST_DRAWS} draws; widen a range or remove a condition")
}

/// All rows of a request.
///
/// # Errors
/// Rows that do not meet the conditions.
pub fn whole(searched: Searched) -> Result<Sample<Table>> {
    if searched.unmet.is_empty() { Ok(searched.sample) } else { Err(Error::Condition(too_rare(searched.unmet.len()))) }
}

/// Searches the rows of `request` in draws of `maker`, batch by batch, and ends after a batch in which some rows are not found. Which these are
/// does not depend on the batch, since every row has as many draws. `watch` hears how many rows were found.
///
/// # Errors
/// Conditions that cannot be met.
pub fn search(maker: &impl RowMaker, fitting: &Fitting<'_>, request: &TableRequest, watch: &mut dyn FnMut(u64)) -> Result<Searched> {
    let filter = RowFilter::new(fitting.transform, request)?;
    let rows: Vec<u64> = request.rows.clone().collect();
    let mut parts: Vec<Table> = Vec::new();
    let (mut drawn_rows, mut before, mut unmet) = (0, 0, Vec::new());
    for rows in rows.chunks(request.batch_rows.max(1)) {
        let mut batch = Batch::new(fitting.transform, rows);
        while !batch.pending.is_empty() && batch.attempt < MOST_DRAWS {
            batch.draw(maker, fitting, &filter, request.seed)?;
            watch((before + rows.len() - batch.pending.len()) as u64);
        }
        parts.push(fitting.transform.decode(&batch.codes, &batch.numbers, rows, request.seed)?);
        drawn_rows += batch.drawn;
        if !batch.pending.is_empty() {
            unmet = batch.pending.into_iter().map(|index| before + index).collect();
            break;
        }
        before += rows.len();
    }
    Ok(Searched { sample: Sample { data: semblant_core::data::Data::concat(parts)?, drawn_rows }, unmet })
}

/// Rows that are searched together.
struct Batch<'a> {
    rows: &'a [u64],
    /// What was found, by row: codes and scalars; zeros before.
    codes: Vec<u32>,
    numbers: Vec<f32>,
    /// Places of rows that were not found yet, ascending.
    pending: Vec<usize>,
    /// Draws that each of these had.
    attempt: u32,
    /// Draws that each of these gets next.
    width: u32,
    drawn: u64,
}

impl<'a> Batch<'a> {
    fn new(transform: &TableTransform, rows: &'a [u64]) -> Self {
        let layout = transform.layout();
        Self {
            rows,
            codes: vec![0; rows.len() * layout.blocks().count()],
            numbers: vec![0.0; rows.len() * layout.scalars().count()],
            pending: (0..rows.len()).collect(),
            attempt: 0,
            width: 1,
            drawn: 0,
        }
    }

    /// One pass over the rows that were not found.
    fn draw(&mut self, maker: &impl RowMaker, fitting: &Fitting<'_>, filter: &RowFilter, seed: u64) -> Result<()> {
        let width = self.width.min(MOST_DRAWS - self.attempt);
        let attempts = self.attempt..self.attempt + width;
        let draws: Vec<Draw> = self
            .pending
            .iter()
            .flat_map(|&index| attempts.clone().map(move |attempt| (index, attempt)))
            .map(|(index, attempt)| (self.rows[index], attempt))
            .map(|(row, attempt)| Draw { row, attempt, condition: fitting.condition(filter, row) })
            .collect();
        let made: Vec<Rows> = draws.par_chunks(CHUNK).map(|draws| maker.make(draws, seed)).collect();
        let codes: Vec<u32> = made.iter().flat_map(|(codes, _)| codes).copied().collect();
        let numbers: Vec<f32> = made.iter().flat_map(|(_, numbers)| numbers).copied().collect();
        drop(made);
        let fits = if filter.is_empty() {
            vec![true; draws.len()]
        } else {
            let addresses: Vec<u64> = draws.iter().map(|draw| draw.row).collect();
            let table = fitting.transform.decode(&codes, &numbers, &addresses, seed)?;
            (0..draws.len()).map(|draw| filter.meets(&table, draw, draws[draw].row)).collect()
        };
        self.keep(width, &fits, (&codes, &numbers));
        Ok(())
    }

    /// Keeps the first draw of each row that fits.
    fn keep(&mut self, width: u32, fits: &[bool], (codes, numbers): (&[u32], &[f32])) {
        let (blocks, scalars) = (self.codes.len() / self.rows.len(), self.numbers.len() / self.rows.len());
        let mut still = Vec::new();
        for (&index, first) in self.pending.iter().zip((0..).step_by(width as usize)) {
            match (first..first + width as usize).find(|&draw| fits[draw]) {
                None => {
                    self.drawn += u64::from(width);
                    still.push(index);
                }
                Some(draw) => {
                    self.drawn += (draw - first + 1) as u64;
                    self.codes[index * blocks..(index + 1) * blocks].copy_from_slice(&codes[draw * blocks..(draw + 1) * blocks]);
                    self.numbers[index * scalars..(index + 1) * scalars].copy_from_slice(&numbers[draw * scalars..(draw + 1) * scalars]);
                }
            }
        }
        self.attempt += width;
        self.pending = still;
        // The fewer rows are left, the more draws each gets at once, so that the network always has about one batch to do.
        self.width = (self.rows.len() / self.pending.len().max(1)).clamp(1, 64) as u32;
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
            let found = search(&Late, &fitting, request, &mut |found| heard.push(found)).expect("searched");
            assert!(heard.is_sorted(), "{heard:?}");
            (found, heard)
        };
        let (found, heard) = run(&asked(0..10, 100));
        assert_eq!((found.unmet.as_slice(), heard.last()), ([7, 8, 9].as_slice(), Some(&7)));
        assert!(heard.len() > 20 && heard.contains(&3), "progress within a batch: {heard:?}");
        assert_eq!(found.sample.drawn_rows, (0..7).map(|row| 300 * row + 1).sum::<u64>() + 3 * u64::from(MOST_DRAWS));
        assert!((0..7).all(|row| found.sample.data.cell(row, 0) == "b"));
        assert!(whole(found).is_err_and(|error| error.to_string().contains("3 rows meet them in none of 2000 draws")));
        // In whatever batch and range, the same rows are found.
        let (found, _) = run(&asked(5..10, 1));
        assert_eq!((found.unmet.as_slice(), found.sample.data.rows()), ([2].as_slice(), 3));
        let (found, heard) = run(&asked(2..6, 3));
        assert_eq!((found.unmet.len(), heard.last()), (0, Some(&4)));
        assert_eq!(whole(found).expect("all").data.rows(), 4);
    }
}
