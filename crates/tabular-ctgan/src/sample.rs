//! Rows from a trained network, with or without conditions.
//!
//! Row `i` is the first of its own draws `(i, 0), (i, 1)...` that meets the conditions, and a draw depends on nothing but its address,
//! so neither batch size nor range nor the fate of other rows changes it. The effort per row is bounded: conditions that are too
//! rare end in an error.

use pulp::Arch;
use rayon::prelude::*;
use semblant_core::model::Sampler;
use semblant_core::seeds::Stream;
use semblant_core::synthesizer::{Condition, Sample, SampleRequest, Wanted};
use semblant_core::{Error, Result, math};
use semblant_data::table::encode::{ColumnTransform, Layout, TableTransform};
use semblant_data::table::{Column, ColumnKind, MISSING, Table};

use crate::conditions::{ConditionValue, Conditions};

/// Draws that a row gets before the conditions are given up as too rare.
const MOST_DRAWS: u32 = 2000;
/// Rows that go through a network at once. Always this many, padded if need be: a matrix product may order its sums by the shape, and
/// then a row's last bit would depend on its batch.
pub(crate) const CHUNK: usize = 1024;

/// One draw of one row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Draw {
    pub(crate) row: u64,
    pub(crate) attempt: u32,
    /// The value of a block that the network is asked for, when the conditions name one.
    pub(crate) asked: Option<ConditionValue>,
}

/// Codes `[draws, blocks]` and scalars `[draws, scalars]`.
pub(crate) type Rows = (Vec<u32>, Vec<f32>);

/// A trained network that turns at most [`CHUNK`] draws into rows.
pub(crate) trait RowMaker: Sampler<Draw = Draw, Output = Rows> {}

impl<S: Sampler<Draw = Draw, Output = Rows>> RowMaker for S {}

/// A condition in terms of one column's transform.
enum Predicate {
    /// This value of a category column (its last value stands for missing).
    Value(u32),
    /// A number in this range.
    Range(f64, f64),
    /// A missing number.
    Missing,
}

/// Everything that is asked of the rows.
struct RowFilter {
    tests: Vec<(usize, Predicate)>,
    /// The column to balance and its number of values.
    balance: Option<(usize, u32)>,
    /// By column: the block that a network can be asked for, as a position in [`Conditions::blocks`].
    blocks: Vec<Option<usize>>,
}

/// Samples `request` from `maker`.
pub(crate) fn sample(
    maker: &impl RowMaker,
    transform: &TableTransform,
    conditions: &Conditions,
    request: &SampleRequest,
) -> Result<Sample<Table>> {
    let filter = RowFilter::read(transform, conditions, request)?;
    let rows: Vec<u64> = request.rows.clone().collect();
    let mut parts: Vec<Option<Table>> = Vec::new();
    let mut drawn_rows = 0;
    for batch in rows.chunks(request.batch_rows.max(1)) {
        let (table, drawn) = sample_batch(maker, transform, &filter, batch, request)?;
        drawn_rows += drawn;
        parts.push(Some(table));
    }
    let mut parts = parts.into_iter().flatten();
    let Some(mut data) = parts.next() else {
        return Err(Error::Config("n = 0 asks for no rows; ask for at least one".into()));
    };
    for part in parts {
        data.append(&part)?;
    }
    Ok(Sample { data, drawn_rows })
}

fn sample_batch(
    maker: &impl RowMaker,
    transform: &TableTransform,
    filter: &RowFilter,
    rows: &[u64],
    request: &SampleRequest,
) -> Result<(Table, u64)> {
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
                "the conditions are too rare: after {drawn} draws only {done} of {} rows meet them; loosen a range or ask for fewer columns at once",
                rows.len()
            )));
        }
        let width_now = width.min(MOST_DRAWS - attempt);
        let draws: Vec<Draw> = pending
            .iter()
            .flat_map(|&index| (attempt..attempt + width_now).map(move |attempt| (index, attempt)))
            .map(|(index, attempt)| Draw { row: rows[index], attempt, asked: filter.asked(transform, rows[index]) })
            .collect();
        let made: Vec<(Vec<u32>, Vec<f32>)> = draws.par_chunks(CHUNK).map(|draws| maker.make(draws, request.seed)).collect();
        let made_codes: Vec<u32> = made.iter().flat_map(|(codes, _)| codes).copied().collect();
        let made_numbers: Vec<f32> = made.iter().flat_map(|(_, numbers)| numbers).copied().collect();
        drop(made);
        let fits = if filter.is_empty() {
            vec![true; draws.len()]
        } else {
            let addresses: Vec<u64> = draws.iter().map(|draw| draw.row).collect();
            let table = transform.decode(&made_codes, &made_numbers, &addresses, request.seed)?;
            (0..draws.len()).map(|draw| filter.met_by(&table, draw, draws[draw].row)).collect()
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

impl RowFilter {
    fn read(transform: &TableTransform, conditions: &Conditions, request: &SampleRequest) -> Result<Self> {
        let mut tests: Vec<(usize, Predicate)> = Vec::new();
        for condition in &request.conditions {
            let column = position(transform, &condition.column)?;
            let test = read_test(transform, column, condition)?;
            match tests.iter_mut().find(|(known, _)| *known == column) {
                None => tests.push((column, test)),
                Some((_, known)) => join(known, test, &condition.column)?,
            }
        }
        let balance = request.balance.as_deref().map(|name| -> Result<(usize, u32)> {
            let column = position(transform, name)?;
            let ColumnTransform::Category(category) = &transform.columns[column] else {
                return Err(Error::Condition(format!(
                    "column \"{name}\" cannot be balanced: it is {}, not categorical",
                    transform.schema.columns[column].kind
                )));
            };
            if tests.iter().any(|(known, _)| *known == column) {
                return Err(Error::Condition(format!(
                    "column \"{name}\" cannot be both balanced and fixed by a condition; drop one of the two"
                )));
            }
            Ok((column, category.levels.len() as u32))
        });
        let mut blocks = vec![None; transform.columns.len()];
        // Backwards, so that of a column's two digits the high one stays.
        for (block, span) in transform.layout().blocks().enumerate().collect::<Vec<_>>().into_iter().rev() {
            blocks[span.column] = conditions.blocks.iter().position(|known| known.block == block);
        }
        Ok(Self { tests, balance: balance.transpose()?, blocks })
    }

    fn is_empty(&self) -> bool {
        self.tests.is_empty() && self.balance.is_none()
    }

    /// The value that `row` must have in the balanced column: all values in turn.
    fn balanced(&self, row: u64) -> Option<(usize, u32)> {
        self.balance.map(|(column, values)| (column, (row % u64::from(values)) as u32))
    }

    /// The rarest category that the conditions name, which the network is then asked for.
    fn asked(&self, transform: &TableTransform, row: u64) -> Option<ConditionValue> {
        let named =
            self.tests.iter().filter_map(|(column, test)| if let Predicate::Value(value) = test { Some((*column, *value)) } else { None });
        let rarest = named.chain(self.balanced(row)).min_by_key(|&(column, value)| match &transform.columns[column] {
            ColumnTransform::Category(category) => (category.counts[value as usize], column),
            _ => (u64::MAX, column),
        });
        let (column, value) = rarest?;
        let ColumnTransform::Category(category) = &transform.columns[column] else { return None };
        Some(ConditionValue { block: self.blocks[column]?, value: category.digits(value)[0] as usize })
    }

    fn met_by(&self, table: &Table, draw: usize, row: u64) -> bool {
        let has = |column: usize, value: u32| matches!(&table.columns()[column], Column::Category { codes, levels } if codes[draw] == value || (codes[draw] == MISSING && value as usize == levels.len()));
        self.balanced(row).is_none_or(|(column, value)| has(column, value))
            && self.tests.iter().all(|(column, test)| match (test, &table.columns()[*column]) {
                (Predicate::Value(value), _) => has(*column, *value),
                (Predicate::Range(low, high), Column::Number(values)) => (low..=high).contains(&&values[draw]),
                (Predicate::Missing, Column::Number(values)) => values[draw].is_nan(),
                _ => false,
            })
    }
}

fn position(transform: &TableTransform, name: &str) -> Result<usize> {
    transform.schema.index_of(name).map_err(|error| Error::Condition(error.to_string()))
}

fn read_test(transform: &TableTransform, column: usize, condition: &Condition) -> Result<Predicate> {
    let name = &condition.column;
    let refuse = |what: String| Err(Error::Condition(format!("condition on \"{name}\": {what}")));
    match (&transform.columns[column], &condition.wanted) {
        (ColumnTransform::Unlearnt, _) => {
            refuse(format!("the column is {} and not learnt, so it cannot be asked for", transform.schema.columns[column].kind))
        }
        (ColumnTransform::Category(category), Wanted::Is(label)) => {
            match category.value(Some(label.as_str()).filter(|label| !label.is_empty())) {
                Some(value) => Ok(Predicate::Value(value)),
                None if label.is_empty() => refuse("no value was missing in the training data".into()),
                None => {
                    let known: Vec<&str> = category.levels.iter().take(8).map(String::as_str).collect();
                    let more = if category.levels.len() > 8 { format!(" and {} more", category.levels.len() - 8) } else { String::new() };
                    refuse(format!("\"{label}\" was not in the training data; there were {}{more}", known.join(", ")))
                }
            }
        }
        (ColumnTransform::Category(_), Wanted::Between { low, high }) => {
            refuse(format!("a range {low}..{high} needs a number column, this one is categorical"))
        }
        (ColumnTransform::Number(number), Wanted::Is(text)) if text.is_empty() => {
            if number.modes.iter().any(|mode| matches!(mode, semblant_data::table::encode::Mode::Missing { .. })) {
                Ok(Predicate::Missing)
            } else {
                refuse("no value was missing in the training data".into())
            }
        }
        (ColumnTransform::Number(number), Wanted::Is(text)) => {
            let described = &transform.schema.columns[column];
            let value = match described.kind {
                ColumnKind::Datetime => described.parse_datetime(text),
                _ => text.trim().parse::<f64>().ok().filter(|value| value.is_finite()),
            };
            let Some(value) = value else { return refuse(format!("\"{text}\" is not a value of a column that is {}", described.kind)) };
            // Half a step either way: the decoded value is rounded to the step.
            let slack = number.step * 1e-6;
            in_range(number.low, number.high, value - slack, value + slack, name)
        }
        (ColumnTransform::Number(number), Wanted::Between { low, high }) => in_range(number.low, number.high, *low, *high, name),
    }
}

fn in_range(seen_low: f64, seen_high: f64, low: f64, high: f64, name: &str) -> Result<Predicate> {
    if !(low <= high) {
        return Err(Error::Condition(format!("condition on \"{name}\": the range {low}..{high} is empty; write the smaller number first")));
    }
    if low > seen_high || high < seen_low {
        return Err(Error::Condition(format!(
            "condition on \"{name}\": {low}..{high} lies outside the {seen_low}..{seen_high} of the training data"
        )));
    }
    Ok(Predicate::Range(low, high))
}

/// Two conditions on one column: ranges are intersected, anything else must agree.
fn join(known: &mut Predicate, new: Predicate, name: &str) -> Result<()> {
    let contradiction = || Error::Condition(format!("two conditions on \"{name}\" contradict each other; drop one of them"));
    match (&mut *known, new) {
        (Predicate::Value(a), Predicate::Value(b)) if *a == b => Ok(()),
        (Predicate::Missing, Predicate::Missing) => Ok(()),
        (Predicate::Range(low, high), Predicate::Range(other_low, other_high)) => {
            (*low, *high) = (low.max(other_low), high.min(other_high));
            if low <= high { Ok(()) } else { Err(contradiction()) }
        }
        _ => Err(contradiction()),
    }
}

/// Draws every block of every row from its softmax by one uniform number, and turns every scalar by
/// `scalar(draw, position in the row, number among the scalars, raw value)`.
///
/// `logits: [at least draws, layout.width]`; gives codes `[draws, blocks]` and scalars `[draws, scalars]`.
pub(crate) fn draw_rows(
    logits: &[f32],
    layout: &Layout,
    draws: &[Draw],
    stream: impl Fn(&Draw) -> Stream,
    mut scalar: impl FnMut(&Draw, usize, usize, f32) -> f32,
) -> (Vec<u32>, Vec<f32>) {
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
        || math::softmax(values),
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
