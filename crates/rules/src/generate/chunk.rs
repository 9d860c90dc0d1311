//! Some rows of a table in the making.

use semblant_expressions::{Batch, Expression, Row, Type, Value};

use super::Generator;
use super::links::LinkRows;
use crate::bits::open;
use crate::children::Located;
use crate::error::{Place, Result};
use crate::plan::{Column, Param, Slot, Table, stream, uniform_of_score};
use crate::values::Values;

/// Random numbers of one attempt at a value.
pub(super) const SLOTS: u32 = 1 << 12;
/// The number that decides whether a value is missing.
pub(super) const MISSING_SLOT: u32 = SLOTS - 1;

/// Some rows of a table, with the slots that were computed for them.
#[derive(Debug)]
pub(crate) struct Chunk<'g> {
    pub(crate) generator: &'g Generator<'g>,
    pub(crate) table: usize,
    pub(crate) rows: Vec<u64>,
    /// Which draw of the rows this is.
    pub(crate) attempt: u32,
    /// The rows whose parents the rows have, where these are not their own.
    pub(crate) seats: Option<Vec<u64>>,
    slots: Vec<Option<Values>>,
    pub(super) located: Option<Located>,
    pub(super) links: Vec<Option<LinkRows>>,
    /// The slots that will be needed.
    needed: Vec<bool>,
    pub(super) learned: Vec<Option<semblant_data::table::Table>>,
}

/// A row of a chunk for expressions.
pub(super) struct RowOf<'c> {
    chunk: &'c Chunk<'c>,
    row: usize,
}

impl Row for RowOf<'_> {
    fn value(&self, slot: usize) -> Value<'_> {
        match &self.chunk.slots[slot] {
            Some(values) => values.value(self.row, self.chunk.plan().slots[slot].data_type),
            None => Value::Null,
        }
    }
}

impl Batch for Chunk<'_> {
    fn rows(&self) -> usize {
        self.rows.len()
    }

    fn numbers(&self, slot: usize) -> Option<&[f64]> {
        self.slots[slot].as_ref()?.numbers()
    }

    fn codes(&self, slot: usize) -> Option<(&[u32], &[String])> {
        match self.slots[slot].as_ref()? {
            Values::Codes { codes, levels } => Some((codes, levels)),
            _ => None,
        }
    }
}

impl<'g> Chunk<'g> {
    pub(crate) fn new(generator: &'g Generator<'_>, table: usize, rows: Vec<u64>, attempt: u32) -> Self {
        let plan = &generator.plan.tables[table];
        Self {
            generator,
            table,
            rows,
            attempt,
            seats: None,
            slots: vec![None; plan.slots.len()],
            located: None,
            links: plan.links.iter().map(|_| None).collect(),
            needed: vec![false; plan.slots.len()],
            learned: plan.learned.iter().map(|_| None).collect(),
        }
    }

    pub(crate) fn plan(&self) -> &'g Table {
        &self.generator.plan.tables[self.table]
    }

    /// Computes columns, and what the constraints need.
    pub(crate) fn compute(&mut self, columns: &[usize], checked: bool) -> Result<()> {
        let plan = self.plan();
        let mut wanted: Vec<usize> = columns.to_vec();
        if checked {
            wanted.extend(plan.checks.iter().flat_map(|check| check.condition.columns()));
        }
        plan.slots_needed(wanted.iter().copied()).into_iter().for_each(|slot| self.needed[slot] = true);
        wanted.into_iter().try_for_each(|slot| self.ensure(slot))
    }

    /// Computes a slot, if it was not.
    pub(super) fn ensure(&mut self, slot: usize) -> Result<()> {
        if self.slots[slot].is_some() {
            return Ok(());
        }
        let plan = self.plan();
        match plan.slots[slot].slot {
            Slot::Own(index) => {
                let column = &plan.columns[index];
                column.needs.iter().try_for_each(|&need| self.ensure(need))?;
                let mut values = self.make(index, &column.maker)?;
                values = self.finish(column, values)?;
                self.slots[slot] = Some(values);
                if let Some(missing) = &column.missing {
                    self.remove(slot, column, missing)?;
                }
            }
            Slot::RowNumber => self.slots[slot] = Some(Values::Numbers(self.rows.iter().map(|&row| row as f64 + 1.0).collect())),
            Slot::ChildNumber => {
                let numbers = self.located()?.places.iter().map(|&place| f64::from(place) + 1.0).collect();
                self.slots[slot] = Some(Values::Numbers(numbers));
            }
            Slot::Children => {
                let numbers = self.located()?.siblings.iter().map(|&count| f64::from(count)).collect();
                self.slots[slot] = Some(Values::Numbers(numbers));
            }
            Slot::Link { link, .. } => {
                let of_link = |other: &usize| matches!(plan.slots[*other].slot, Slot::Link { link: same, .. } if same == link);
                let wanted: Vec<usize> =
                    (0..plan.slots.len()).filter(|other| (self.needed[*other] || *other == slot) && of_link(other)).collect();
                self.follow(link, &wanted)?;
            }
            Slot::Machine(_) => self.events()?,
            Slot::Series(_) => self.steps()?,
        }
        Ok(())
    }

    pub(super) fn set(&mut self, slot: usize, values: Values) {
        self.slots[slot] = Some(values);
    }

    pub(super) fn slot(&self, slot: usize) -> Option<&Values> {
        self.slots[slot].as_ref()
    }

    pub(super) fn located(&mut self) -> Result<&Located> {
        if self.located.is_none() {
            self.located = Some(self.generator.locate(self.table, self.seats.as_ref().unwrap_or(&self.rows))?);
        }
        Ok(self.located.get_or_insert_default())
    }

    pub(super) fn row(&self, row: usize) -> RowOf<'_> {
        RowOf { chunk: self, row }
    }

    /// The values of an expression.
    pub(super) fn expression(&self, expression: &Expression) -> Values {
        if let Some(numbers) = expression.evaluate_batch(self) {
            return Values::Numbers(numbers.into_owned());
        }
        let rows: Vec<RowOf<'_>> = (0..self.rows.len()).map(|row| self.row(row)).collect();
        Values::collect(expression.data_type(), rows.iter().map(|row| expression.evaluate(row)))
    }

    /// A parameter in every row; NaN where an expression is null.
    pub(super) fn param(&self, param: &Param) -> Vec<f64> {
        match param {
            Param::Constant(value) => vec![*value; self.rows.len()],
            Param::Expression(expression) => {
                if let Some(numbers) = expression.evaluate_batch(self) {
                    return numbers.into_owned();
                }
                (0..self.rows.len()).map(|row| param.number(&self.row(row)).unwrap_or(f64::NAN)).collect()
            }
        }
    }

    pub(super) fn fail<T>(&self, place: Place, row: usize, what: impl std::fmt::Display) -> Result<T> {
        let name = &self.plan().name;
        self.generator.plan.fail(place, format!("row {} of table \"{name}\": {what}", self.rows[row] + 1))
    }

    /// The position of random number `slot` of this attempt; columns that are the same in every attempt have but one.
    pub(super) fn position(&self, column: &Column, slot: u32) -> u32 {
        if column.unique { slot } else { self.attempt.wrapping_mul(SLOTS) + slot }
    }

    /// Uniform numbers above 0 and below 1 of a stream.
    pub(super) fn raw(&self, stream_index: u32, position: u32) -> Vec<f64> {
        let mut numbers = vec![0.0; self.rows.len()];
        stream(self.generator.seed, stream_index).uniforms_at(&self.rows, position, &mut numbers);
        numbers.iter_mut().for_each(|number| *number = open(*number));
        numbers
    }

    /// The uniform numbers that make a column's values.
    pub(super) fn uniforms(&self, column: &Column) -> Vec<f64> {
        let Some((group, place)) = column.copula else { return self.raw(column.stream, self.position(column, 0)) };
        let plan = self.plan();
        let copula = &plan.copulas[group];
        let mut scores = vec![0.0; self.rows.len()];
        for (weight, &other) in copula.factor[place].iter().zip(&copula.columns) {
            let other = &plan.columns[other];
            let raw = self.raw(other.stream, self.position(other, 0));
            scores.iter_mut().zip(&raw).for_each(|(score, &u)| *score += weight * semblant_core::normal::quantile(u));
        }
        scores.into_iter().map(uniform_of_score).collect()
    }

    /// Clips and rounds.
    fn finish(&self, column: &Column, values: Values) -> Result<Values> {
        let finish = &column.finish;
        if !matches!(column.data_type, Type::Number | Type::Time) {
            return Ok(values);
        }
        let Values::Numbers(mut numbers) = values else { return Ok(values) };
        if let Some([low, high]) = &finish.clip {
            let bounds = [self.param(low), self.param(high)];
            for (row, number) in numbers.iter_mut().enumerate() {
                let (low, high) = (bounds[0][row], bounds[1][row]);
                if low > high {
                    return self.fail(column.place, row, format!("column \"{}\" is clipped from {low} to {high}; mend clip", column.name));
                }
                // A bound without a value is none; neither makes a value of a missing one.
                *number = if *number < low {
                    low
                } else if *number > high {
                    high
                } else {
                    *number
                };
            }
        }
        if let Some(step) = finish.step {
            numbers.iter_mut().for_each(|number| *number = (*number / step).round() * step);
        }
        if let Some(decimals) = finish.decimals {
            let scale = 10f64.powi(i32::from(decimals));
            numbers.iter_mut().for_each(|number| *number = (*number * scale).round() / scale);
        }
        if let Some(whole) = finish.whole {
            numbers.iter_mut().for_each(|number| *number = (*number / whole).floor() * whole);
        }
        if let Some(row) = numbers.iter().position(|number| number.is_infinite()) {
            return self.fail(column.place, row, format!("column \"{}\" is infinite; clip it", column.name));
        }
        Ok(Values::Numbers(numbers))
    }

    /// Removes values that are missing.
    fn remove(&mut self, slot: usize, column: &Column, missing: &Param) -> Result<()> {
        let chances = self.param(missing);
        let draws = self.raw(column.stream, self.position(column, MISSING_SLOT));
        if let Some(row) = chances.iter().position(|chance| *chance < 0.0 || *chance > 1.0) {
            return self.fail(
                column.place,
                row,
                format!("column \"{}\" is missing with a probability of {}; keep it from 0 to 1", column.name, chances[row]),
            );
        }
        if let Some(values) = self.slots[slot].take() {
            // A chance without a value is none.
            self.slots[slot] = Some(values.without(|row| draws[row] < chances[row]));
        }
        Ok(())
    }

    /// The rows that a constraint does not allow, with the first such.
    pub(crate) fn failing(&self) -> Vec<(usize, usize)> {
        let checks = &self.plan().checks;
        let truths: Vec<_> = checks.iter().map(|check| check.condition.holds_batch(self)).collect();
        let holds = |check: usize, row: usize| match &truths[check] {
            Some(truths) => truths[row],
            None => checks[check].condition.holds(&self.row(row)),
        };
        let first = |row: usize| (0..checks.len()).find(|&check| holds(check, row) == Some(false));
        (0..self.rows.len()).filter_map(|row| first(row).map(|check| (row, check))).collect()
    }

    /// Puts columns of rows that were drawn again in the place of the former ones: row `places[i]` here is row `i` there, for `i` of `mended`.
    pub(crate) fn replace(&mut self, columns: &[usize], again: &Chunk<'_>, mended: &[usize], places: &[usize]) {
        if mended.is_empty() {
            return;
        }
        let all = self.rows.len();
        let targets: Vec<usize> = mended.iter().map(|&index| places[index]).collect();
        for &column in columns {
            let (Some(old), Some(new)) = (self.slots[column].take(), again.slots[column].as_ref()) else { continue };
            self.slots[column] = Some(Values::join(all, vec![((0..all).collect(), old), (targets.clone(), new.take(mended))]));
        }
    }

    pub(crate) fn take_own(&mut self, column: usize) -> Values {
        // A column may be asked for twice.
        self.slots[column].clone().unwrap_or(Values::Numbers(Vec::new()))
    }

    /// Some of the rows, with all that was computed.
    pub(super) fn subset(&self, indices: &[usize]) -> Chunk<'g> {
        Chunk {
            generator: self.generator,
            table: self.table,
            rows: indices.iter().map(|&index| self.rows[index]).collect(),
            attempt: self.attempt,
            seats: self.seats.as_ref().map(|seats| indices.iter().map(|&index| seats[index]).collect()),
            slots: self.slots.iter().map(|values| values.as_ref().map(|values| values.take(indices))).collect(),
            located: self.located.as_ref().map(|located| located.take(indices)),
            links: self.links.iter().map(|_| None).collect(),
            needed: self.needed.clone(),
            learned: self.learned.iter().map(|data| data.as_ref().map(|data| data.take(indices))).collect(),
        }
    }
}
