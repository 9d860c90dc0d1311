//! State machines and series: their expressions are over the parent's columns, and what goes on in time.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

use semblant_expressions::{Expression, Type};

use super::draws::row_key;
use super::names::Resolver;
use super::scope::{Scope, literal_interval};
use super::{AnomalyPlan, DelayPlan, MachinePlan, MachineSlot, NextPlan, Param, SeriesPlan, SignalPlan, StatePlan};
use crate::error::{Error, Place, Result, did_you_mean, place_of};
use crate::spec::{Anomaly, At, Machine, Next, NextBy, Scalar, Series, Signal, State, Term, Weighted};

/// The most events of one run of a state machine.
const MOST_EVENTS: u32 = 1_000_000;
/// The most steps that an anomaly lasts.
pub(crate) const LONGEST_ANOMALY: u32 = 256;

impl Resolver<'_> {
    /// The names of the parent's columns, with and without that of its table.
    fn parent_slots(&self, table: usize) -> Result<Vec<(String, usize)>> {
        let Some((names, parent)) = self.links(table)?.into_iter().next() else { return Ok(Vec::new()) };
        let columns = || self.columns[parent].iter().enumerate();
        let named = names.iter().flat_map(|name| columns().map(move |(index, column)| (format!("{name}.{}", *column.name), index)));
        Ok(named.collect())
    }

    fn parent_type(&self, table: usize, column: usize) -> Result<Type> {
        let parent = self.links(table)?.first().map(|(_, parent)| *parent).unwrap_or(table);
        self.type_of(parent, column)
    }

    pub(super) fn series(&self, table: usize, spec: &Series) -> Result<SeriesPlan> {
        let slots = self.parent_slots(table)?;
        // Slots of expressions are places in this list, so that equal columns of two names are one.
        let columns: Vec<usize> = slots.iter().map(|(_, column)| *column).collect();
        let type_of = |column: usize| self.parent_type(table, column);
        let read =
            |text: &At<String>| Scope { resolver: self, slots: slots.clone(), type_of: &type_of, failed: RefCell::default() }.parse(text);
        let number = |term: &Term| self.param_by(term, Type::Number, &read);
        let every = self.interval(&spec.every)?;
        if spec.signals.is_empty() {
            return self.fail(spec.every.place, "a series has signals; add [[table.series.signal]]");
        }
        let mut signals = Vec::new();
        for signal in &spec.signals {
            signals.push(self.signal(table, signal, &number)?);
        }
        Ok(SeriesPlan {
            start: self.param_by(&spec.start, Type::Time, &read)?,
            every,
            signals,
            holidays: self.holidays()?.into_iter().collect(),
            parent_columns: columns,
            place: spec.every.place,
        })
    }

    fn interval(&self, text: &At<String>) -> Result<f64> {
        match literal_interval(text).filter(|seconds| *seconds > 0.0) {
            Some(seconds) => Ok(seconds),
            None => {
                self.fail(text.place, format!("\"{}\" is no time between steps; write one such as 15 minutes, 1 hour or 7 days", **text))
            }
        }
    }

    fn signal(&self, table: usize, spec: &Signal, number: &dyn Fn(&Term) -> Result<Param>) -> Result<SignalPlan> {
        let or_zero = |term: &Option<Term>| term.as_ref().map_or(Ok(Param::Constant(0.0)), number);
        let mut seasons = Vec::new();
        for season in &spec.seasons {
            seasons.push((self.interval(&season.period)?, number(&season.amplitude)?, season.peak.as_ref().map_or(0.0, |peak| peak.value)));
        }
        if let Some(ar) = spec.ar.as_ref().filter(|ar| !(0.0..=0.99).contains(&ar.value)) {
            return self.fail(ar.place, format!("{} is not from 0 to 0.99; write a share that is", ar.value));
        }
        let shifts = match &spec.shifts {
            Some(shifts) if shifts.count.value > 1_000 => {
                return self.fail(shifts.count.place, "a series has at most 1,000 shifts; write fewer");
            }
            Some(shifts) => Some((shifts.count.value, number(&shifts.sd)?)),
            None => None,
        };
        let anomalies = spec.anomalies.iter().map(|anomaly| self.anomaly(anomaly)).collect::<Result<_>>()?;
        Ok(SignalPlan {
            level: number(&spec.level)?,
            trend: or_zero(&spec.trend)?,
            seasons,
            holidays: or_zero(&spec.holidays)?,
            noise: or_zero(&spec.noise)?,
            ar: spec.ar.as_ref().map_or(0.0, |ar| ar.value),
            shifts,
            anomalies,
            stream: self.stream(table, &format!("\u{1f}signal {}", *spec.name)),
        })
    }

    fn anomaly(&self, spec: &Anomaly) -> Result<AnomalyPlan> {
        let length = spec.length.as_ref().map_or(1, |length| length.value);
        if !(0.0..=0.5).contains(&spec.rate.value) {
            return self.fail(spec.rate.place, format!("the rate {} is not from 0 to 0.5; write one that is", spec.rate.value));
        }
        if let Some(wrong) = spec.length.as_ref().filter(|length| !(1..=LONGEST_ANOMALY).contains(&length.value)) {
            return self.fail(wrong.place, format!("{} steps are not from 1 to {LONGEST_ANOMALY}; write a length that is", wrong.value));
        }
        Ok(AnomalyPlan { kind: spec.kind, rate: spec.rate.value, size: spec.size.as_ref().map_or(1.0, |size| size.value), length })
    }

    pub(super) fn machine(&self, table: usize, spec: &Machine) -> Result<MachinePlan> {
        let place = spec.start.place;
        if spec.states.is_empty() {
            return self.fail(place, "a state machine has states; add [[table.machine.state]]");
        }
        if let Some(most) = spec.most.as_ref().filter(|most| !(1..=MOST_EVENTS).contains(&most.value)) {
            return self.fail(most.place, format!("{} events are not from 1 to {MOST_EVENTS}; write a number that is", most.value));
        }
        let mut slots: Vec<(String, MachineSlot)> = Vec::new();
        let mut parent_columns = Vec::new();
        for (name, column) in self.parent_slots(table)? {
            slots.push((name, MachineSlot::Parent(parent_columns.len())));
            parent_columns.push(column);
        }
        slots.extend([("time".to_owned(), MachineSlot::Time), ("state".to_owned(), MachineSlot::State)]);
        slots.extend(spec.attributes.keys().enumerate().map(|(index, name)| (name.clone(), MachineSlot::Attribute(index))));
        let type_of = |slot: MachineSlot| match slot {
            MachineSlot::Parent(place) => self.parent_type(table, parent_columns[place]),
            MachineSlot::Time => Ok(Type::Time),
            MachineSlot::State => Ok(Type::Text),
            MachineSlot::Attribute(_) => Ok(Type::Number),
        };
        let read =
            |text: &At<String>| Scope { resolver: self, slots: slots.clone(), type_of: &type_of, failed: RefCell::default() }.parse(text);
        let reader = MachineReader { resolver: self, spec, slots: &slots, read: &read, events: RefCell::default() };
        let attributes = spec.attributes.iter().map(|(name, term)| Ok((name.clone(), reader.number(term)?))).collect::<Result<_>>()?;
        let states = spec.states.iter().map(|state| reader.state(state)).collect::<Result<Vec<_>>>()?;
        let (start, until) = (self.param_by(&spec.start, Type::Time, &read)?, self.param_by(&spec.until, Type::Time, &read)?);
        let names = Arc::new(spec.states.iter().map(|state| state.name.value.clone()).collect());
        Ok(MachinePlan {
            start,
            until,
            attributes,
            most: spec.most.as_ref().map_or(1_000, |most| most.value as usize),
            states,
            events: Arc::new(reader.events.into_inner()),
            names,
            stream: self.stream(table, "\u{1f}machine"),
            slots: slots.iter().map(|(_, slot)| *slot).collect(),
            parent_columns: parent_columns.clone(),
        })
    }
}

/// Reads the states of a machine.
struct MachineReader<'r, 'a> {
    resolver: &'r Resolver<'a>,
    spec: &'r Machine,
    slots: &'r [(String, MachineSlot)],
    read: &'r dyn Fn(&At<String>) -> Result<Expression>,
    events: RefCell<Vec<String>>,
}

impl MachineReader<'_, '_> {
    fn number(&self, term: &Term) -> Result<Param> {
        self.resolver.param_by(term, Type::Number, self.read)
    }

    fn condition(&self, text: &At<String>) -> Result<Expression> {
        self.resolver.as_condition(text, (self.read)(text)?)
    }

    fn state_of(&self, name: &str, place: Place) -> Result<usize> {
        let known = self.spec.states.iter().map(|state| state.name.value.as_str());
        place_of(name, known, |meant, all| format!("there is no state \"{name}\"{meant}; the states are {all}"))
            .map_err(|what| Error::new(self.resolver.path, place, what))
    }

    fn state(&self, spec: &State) -> Result<StatePlan> {
        let twice = self.spec.states.iter().filter(|other| *other.name == *spec.name).count() > 1;
        if twice {
            return self.resolver.fail(spec.name.place, format!("two states are called \"{}\"; rename one", *spec.name));
        }
        let delay = match &spec.delay {
            None => None,
            Some(draw) => Some(match self.resolver.law(draw, &|term| self.number(term))? {
                (_, _, Some(known)) => DelayPlan::Known(known),
                (family, parameters, None) => DelayPlan::Law { family, parameters, place: draw.place },
            }),
        };
        let mut set = Vec::new();
        for text in &spec.set {
            set.push(self.assignment(text)?);
        }
        let event = spec.event.as_ref().map(|event| {
            let mut events = self.events.borrow_mut();
            let place = events.iter().position(|known| known == event).unwrap_or_else(|| {
                events.push(event.clone());
                events.len() - 1
            });
            place as u32
        });
        let next = match (&spec.next, &spec.next_by) {
            (Some(next), Some(_)) => return self.resolver.fail(next.place, "a state has next or next_by; remove one"),
            (Some(next), None) => Some(self.next(next)?),
            (None, Some(by)) => Some(self.next_by(by)?),
            (None, None) => None,
        };
        let guard = spec.guard.as_ref().map(|guard| self.condition(guard)).transpose()?;
        Ok(StatePlan { guard, delay, set, event, next, place: spec.name.place })
    }

    /// `severity = severity + 1`.
    fn assignment(&self, text: &At<String>) -> Result<(usize, Expression)> {
        let Some((name, value)) = text.split_once('=') else {
            return self.resolver.fail(text.place, "this assigns nothing; write attribute = expression");
        };
        let name = name.trim();
        let known = || self.spec.attributes.keys().map(String::as_str);
        let Some(attribute) = known().position(|known| known == name) else {
            let what = format!("there is no attribute \"{name}\"{}; declare it in attributes", did_you_mean(name, known()));
            return self.resolver.fail(text.place, what);
        };
        let behind = text.find('=').map_or(0, |at| text[..at].chars().count() + 1);
        let place = Place { column: text.place.column + behind, ..text.place };
        let read = (self.read)(&At { value: value.to_owned(), place })?;
        match read.data_type() {
            Type::Number => Ok((attribute, read)),
            found => self.resolver.fail(place, format!("attributes are numbers, and this is {found}; change the expression")),
        }
    }

    /// Weights from a table.
    fn next_by(&self, by: &NextBy) -> Result<NextPlan> {
        let data = self.resolver.data(&by.file)?;
        let mut keys = Vec::new();
        let mut key_columns = Vec::new();
        for key in &by.keys.0 {
            let slot = self.slots.iter().position(|(name, _)| *name == **key);
            let Some(slot) = slot else {
                let nearest = did_you_mean(key, self.slots.iter().map(|(name, _)| name.as_str()));
                return self
                    .resolver
                    .fail(key.place, format!("there is no \"{}\"{nearest}; name a column of the parent or an attribute", **key));
            };
            let short = At { value: key.rsplit('.').next().unwrap_or_default().to_owned(), place: key.place };
            keys.push(slot);
            key_columns.push(self.resolver.data_column(&data, &short)?);
        }
        let mut states = Vec::new();
        for (column, known) in data.schema().columns.iter().enumerate().filter(|(column, _)| !key_columns.contains(column)) {
            let Some(weights) = data.columns()[column].numbers() else {
                return self.resolver.fail(by.file.place, format!("column \"{}\" of the file holds no weights; write numbers", known.name));
            };
            states.push((self.state_of(&known.name, by.file.place)?, weights));
        }
        let mut rows = HashMap::new();
        for row in 0..data.rows() {
            let key = row_key(&data, row, &key_columns);
            let weights: Vec<(usize, f64)> = states.iter().map(|(state, weights)| (*state, weights[row])).collect();
            if !weights.iter().all(|(_, weight)| *weight >= 0.0) || !weights.iter().any(|(_, weight)| *weight > 0.0) {
                let what = format!("row {} of the file has no weights from 0 on, of which one is above 0; mend it", row + 1);
                return self.resolver.fail(by.file.place, what);
            }
            rows.insert(key, weights);
        }
        Ok(NextPlan::Table { keys, rows, place: by.file.place })
    }

    fn next(&self, next: &At<Next>) -> Result<NextPlan> {
        match &next.value {
            Next::Direct(name) => self.state_of(name, next.place).map(NextPlan::Direct),
            Next::Weighted(Weighted(states)) => {
                if states.is_empty() {
                    return self.resolver.fail(next.place, "there are no states here; add some");
                }
                let mut read = Vec::new();
                for (name, weight) in states {
                    let state = self.state_of(name, weight.place)?;
                    if let Scalar::Number(below) = weight.value
                        && below < 0.0
                    {
                        return self.resolver.fail(weight.place, format!("the weight {below} is below 0; write one that is not"));
                    }
                    read.push((state, self.number(weight)?));
                }
                Ok(NextPlan::Weighted(read))
            }
            Next::Branches(branches) => {
                let mut read = Vec::new();
                for branch in branches {
                    let when = branch.when.as_ref().map(|when| self.condition(when)).transpose()?;
                    read.push((when, self.next(&branch.to)?));
                }
                Ok(NextPlan::Branches(read))
            }
        }
    }
}
