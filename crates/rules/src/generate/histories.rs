//! State machines: the events of each parent are the rows of a table.

use std::ops::Range;

use semblant_core::seeds::Stream;
use semblant_data::table::MISSING;
use semblant_expressions::{Expression, Row, Value};

use super::Generator;
use super::chunk::Chunk;
use super::parents::{Parent, Parents};
use crate::bits::{open, weighted};
use crate::calendar::DAY;
use crate::error::{Place, Result};
use crate::laws::Law;
use crate::plan::{BETWEEN, DelayPlan, MachinePlan, MachineSlot, NextPlan, Slot, stream};
use crate::values::Values;

/// The most states without an event or time passing.
const MOST_STATES: usize = 10_000;
/// The most states of one run, with or without events: a day each for 270 years.
const MOST_VISITS: usize = 100_000;
/// The most days that the guards of one run are waited for.
const MOST_DAYS: usize = 100_000;

/// What happened at a time.
#[derive(Debug, Clone)]
pub(crate) struct Event {
    time: f64,
    state: u32,
    event: u32,
    attributes: Vec<f64>,
}

/// A machine on its way, as its expressions see it.
struct Running<'m> {
    machine: &'m MachinePlan,
    seen: Parent<'m>,
    time: f64,
    state: usize,
    attributes: Vec<f64>,
    numbers: Stream,
    parent: u64,
    drawn: u32,
    generator: &'m Generator<'m>,
}

impl Row for Running<'_> {
    fn value(&self, slot: usize) -> Value<'_> {
        match self.machine.slots[slot] {
            MachineSlot::Parent(place) => self.seen.value(place),
            MachineSlot::Time => Value::Time(self.time),
            MachineSlot::State => Value::from(self.machine.names[self.state].as_str()),
            MachineSlot::Attribute(index) => Value::Number(self.attributes[index]),
        }
    }
}

impl Generator<'_> {
    /// The number of children that an expression gives each parent.
    pub(crate) fn computed_children(&self, parent: usize, rows: Range<u64>, expression: &Expression, place: Place) -> Result<Vec<u32>> {
        let mut chunk = Chunk::new(self, parent, rows.collect(), 0);
        let plan = &self.plan.tables[parent];
        let own: Vec<usize> = expression.columns().to_vec();
        chunk.compute(&own, false)?;
        // Columns have the values that constraints leave.
        if !plan.checks.is_empty() {
            let columns: Vec<usize> = own.iter().copied().filter(|&slot| matches!(plan.slots[slot].slot, Slot::Own(_))).collect();
            let values = self.evaluate(parent, &chunk.rows.clone(), &columns)?;
            columns.into_iter().zip(values).for_each(|(slot, values)| chunk.set(slot, values));
        }
        let count = |row: usize| match expression.evaluate(&chunk.row(row)) {
            Value::Number(count) if (0.0..=1e6).contains(&count) => Ok(count.round() as u32),
            Value::Number(count) => self.plan.fail(
                place,
                format!("row {} of table \"{}\" has {count} children; keep it from 0 to 1,000,000", chunk.rows[row] + 1, plan.name),
            ),
            // No number of children is none.
            _ => Ok(0),
        };
        (0..chunk.rows.len()).map(count).collect()
    }

    /// The events of some parents.
    pub(crate) fn histories(&self, table: usize, parents: &[u64]) -> Result<Vec<Vec<Event>>> {
        let plan = &self.plan.tables[table];
        let Some(machine) = &plan.machine else { return Ok(Vec::new()) };
        let seen = Parents::of(self, table, parents, &machine.parent_columns)?;
        let run = |(place, &parent): (usize, &u64)| {
            let running = Running {
                machine,
                seen: Parent { all: &seen, place },
                time: 0.0,
                state: 0,
                attributes: vec![0.0; machine.attributes.len()],
                numbers: stream(self.seed, machine.stream),
                parent,
                drawn: 0,
                generator: self,
            };
            running.events()
        };
        parents.iter().enumerate().map(run).collect()
    }
}

impl Running<'_> {
    fn fail<T>(&self, place: Place, what: impl std::fmt::Display) -> Result<T> {
        let state = &self.machine.names[self.state];
        self.generator.plan.fail(place, format!("the state machine of parent row {}, state \"{state}\": {what}", self.parent + 1))
    }

    fn draw(&mut self) -> f64 {
        self.drawn += 1;
        open(self.numbers.uniform_f64(self.parent, self.drawn))
    }

    fn events(mut self) -> Result<Vec<Event>> {
        let machine = self.machine;
        let mut events = Vec::new();
        // A machine without a start or an end does not run.
        let (Some(start), Some(until)) = (machine.start.number(&self), machine.until.number(&self)) else { return Ok(events) };
        self.time = start;
        for (index, (_, first)) in machine.attributes.iter().enumerate() {
            self.attributes[index] = first.number(&self).unwrap_or(f64::NAN);
        }
        let (mut quiet, mut visits, mut days) = (0, 0, 0);
        while self.time <= until && events.len() < machine.most {
            let state = &machine.states[self.state];
            let before = self.time;
            if let Some(guard) = &state.guard {
                while guard.holds(&self) != Some(true) {
                    self.time += DAY;
                    days += 1;
                    if self.time > until || days > MOST_DAYS {
                        return Ok(events);
                    }
                }
            }
            if let Some(delay) = &state.delay {
                self.time += self.delay(delay)? * DAY;
                if self.time > until {
                    break;
                }
            }
            for (attribute, expression) in &state.set {
                let value = match expression.evaluate(&self) {
                    Value::Number(value) => value,
                    _ => f64::NAN,
                };
                self.attributes[*attribute] = value;
            }
            if let Some(event) = state.event {
                events.push(Event { time: self.time.floor(), state: self.state as u32, event, attributes: self.attributes.clone() });
            }
            quiet = if self.time > before || state.event.is_some() { 0 } else { quiet + 1 };
            visits += 1;
            if visits > MOST_VISITS.max(machine.most) {
                return self.fail(
                    state.place,
                    format!("the machine goes through more than {MOST_VISITS} states; lengthen the delays, or end it sooner"),
                );
            }
            if quiet > MOST_STATES {
                return self.fail(state.place, "the machine goes round without an event or time passing; add a delay");
            }
            let Some(next) = &state.next else { break };
            match self.next(next)? {
                Some(next) => self.state = next,
                None => break,
            }
        }
        Ok(events)
    }

    fn delay(&mut self, delay: &DelayPlan) -> Result<f64> {
        let u = self.draw();
        let days = match delay {
            DelayPlan::Known(quantiles) => quantiles.quantile(u),
            DelayPlan::Law { family, parameters, place } => {
                let values: Vec<f64> = parameters.iter().map(|param| param.number(self).unwrap_or(f64::NAN)).collect();
                match Law::new(*family, &values) {
                    Ok(law) => law.quantile(u),
                    Err(what) => return self.fail(*place, what),
                }
            }
        };
        // Time does not go back.
        Ok(days.max(0.0))
    }

    fn next(&mut self, next: &NextPlan) -> Result<Option<usize>> {
        match next {
            NextPlan::Direct(state) => Ok(Some(*state)),
            NextPlan::Weighted(states) => {
                let mut weights = Vec::with_capacity(states.len());
                for (_, weight) in states {
                    match weight.number(self) {
                        Some(weight) if weight >= 0.0 => weights.push(weight),
                        found => {
                            let found = found.map_or("null".to_owned(), |weight| weight.to_string());
                            let place = self.machine.states[self.state].place;
                            return self.fail(place, format!("a weight of next is {found}; keep it from 0 on"));
                        }
                    }
                }
                Ok(weighted(self.draw(), weights.into_iter()).map(|place| states[place].0))
            }
            NextPlan::Table { keys, rows, place } => {
                let text = |slot: &usize| match self.value(*slot) {
                    Value::Number(number) => number.to_string(),
                    Value::Text(text) => text.into_owned(),
                    Value::Boolean(truth) => truth.to_string(),
                    Value::Time(time) => crate::calendar::text(time),
                    _ => String::new(),
                };
                let key = keys.iter().map(text).collect::<Vec<_>>().join(BETWEEN.encode_utf8(&mut [0; 1]));
                let Some(weights) = rows.get(&key) else {
                    return self.fail(*place, format!("the file has no row for {}; add one", key.replace(BETWEEN, ", ")));
                };
                Ok(weighted(self.draw(), weights.iter().map(|(_, weight)| *weight)).map(|place| weights[place].0))
            }
            NextPlan::Branches(branches) => {
                for (when, next) in branches {
                    if when.as_ref().is_none_or(|when| when.holds(self) == Some(true)) {
                        return self.next(next);
                    }
                }
                Ok(None)
            }
        }
    }
}

impl Chunk<'_> {
    /// Computes the outputs of the state machine.
    pub(super) fn events(&mut self) -> Result<()> {
        let plan = self.plan();
        let Some(machine) = &plan.machine else { return Ok(()) };
        let located = self.located()?.clone();
        let mut parents = located.parents.clone();
        parents.dedup();
        let histories = self.generator.histories(self.table, &parents)?;
        let mut place = 0;
        let mut events: Vec<Option<&Event>> = Vec::with_capacity(located.parents.len());
        for (&parent, &number) in located.parents.iter().zip(&located.places) {
            if parents[place] != parent {
                place += 1;
            }
            events.push(histories[place].get(number as usize));
        }
        let numbers = |of: &dyn Fn(&Event) -> f64| Values::Numbers(events.iter().map(|event| event.map_or(f64::NAN, of)).collect());
        let codes = |of: &dyn Fn(&Event) -> u32, levels: &std::sync::Arc<Vec<String>>| Values::Codes {
            codes: events.iter().map(|event| event.map_or(MISSING, of)).collect(),
            levels: levels.clone(),
        };
        let found: Vec<(usize, Values)> = plan
            .slots
            .iter()
            .enumerate()
            .filter_map(|(slot, info)| {
                let Slot::Machine(output) = info.slot else { return None };
                Some((
                    slot,
                    match output {
                        0 => numbers(&|event| event.time),
                        1 => codes(&|event| event.state, &machine.names),
                        2 => codes(&|event| event.event, &machine.events),
                        output => numbers(&|event| event.attributes[output - 3]),
                    },
                ))
            })
            .collect();
        found.into_iter().for_each(|(slot, values)| self.set(slot, values));
        Ok(())
    }
}
