//! Regular series: the steps of each parent are the rows of a table.
//!
//! Noise that depends on the step before is computed in blocks of steps, each from a run-up of its own that is long enough for the rest to be below
//! 1e-9 of it: a step needs no more than its block, and is the same in every slice.

use std::sync::{Arc, LazyLock};

use semblant_core::normal;
use semblant_core::seeds::Stream;
use semblant_data::table::MISSING;

use super::chunk::Chunk;
use super::parents::{Parent, Parents};
use crate::bits::open;
use crate::calendar::DAY;
use crate::error::Result;
use crate::plan::{AnomalyPlan, LONGEST_ANOMALY, Param, SeriesPlan, SignalPlan, Slot, stream};
use crate::spec::AnomalyKind;
use crate::values::Values;

/// Steps of a block of noise.
const BLOCK: u32 = 1_024;
/// What is left of the noise before the run-up.
const LEFT: f64 = 1e-9;
/// Positions of random numbers by purpose; a series has fewer steps.
const PURPOSE: u32 = 1 << 27;
const SHIFTS: u32 = 1;
const SIGNS: u32 = 2;
const ANOMALIES: u32 = 3;

/// The labels of anomalies, by kind.
static KINDS: LazyLock<Arc<Vec<String>>> =
    LazyLock::new(|| Arc::new(["spike", "stuck", "drift", "dropout", "noisy"].map(str::to_owned).to_vec()));

impl Parent<'_> {
    fn number(&self, param: &Param) -> f64 {
        param.number(self).unwrap_or(f64::NAN)
    }
}

/// A signal of one parent, its parameters known.
struct Numbers<'s> {
    plan: &'s SignalPlan,
    numbers: Stream,
    parent: u64,
    level: f64,
    trend: f64,
    seasons: Vec<(f64, f64, f64)>,
    holidays: f64,
    sd: f64,
    /// Steps and sizes of shifts.
    shifts: Vec<(u32, f64)>,
    start: f64,
    every: f64,
}

impl Numbers<'_> {
    fn normal(&self, purpose: u32, step: u32) -> f64 {
        normal::quantile(open(self.numbers.uniform_f64(self.parent, purpose * PURPOSE + step)))
    }

    /// The noise of steps `from..to`, of variance 1.
    fn noise(&self, from: u32, to: u32) -> Vec<f64> {
        let ar = self.plan.ar;
        if self.sd == 0.0 {
            return vec![0.0; (to - from) as usize];
        }
        if ar == 0.0 {
            return (from..to).map(|step| self.normal(0, step)).collect();
        }
        let run_up = (LEFT.ln() / ar.ln()).ceil() as u32;
        let fresh = (1.0 - ar * ar).sqrt();
        let mut all = Vec::with_capacity((to - from) as usize);
        let mut block = from / BLOCK * BLOCK;
        while block < to {
            let end = (block + BLOCK).min(to);
            let start = block.saturating_sub(run_up);
            let mut value = self.normal(0, start);
            if start >= from && start == block {
                all.push(value);
            }
            for step in start + 1..end {
                value = ar * value + fresh * self.normal(0, step);
                if step >= block.max(from) {
                    all.push(value);
                }
            }
            block += BLOCK;
        }
        all
    }

    /// Everything but noise and anomalies.
    fn trend_and_seasons(&self, step: u32, holidays: &[i64]) -> f64 {
        let passed = f64::from(step) * self.every;
        let time = self.start + passed;
        let mut value = self.level + self.trend * passed / DAY;
        for (period, amplitude, peak) in &self.seasons {
            value += amplitude * (std::f64::consts::TAU * ((time / period).rem_euclid(1.0) - peak)).cos();
        }
        if self.holidays != 0.0 && holidays.binary_search(&((time / DAY).floor() as i64)).is_ok() {
            value += self.holidays;
        }
        value + self.shifts.iter().filter(|(at, _)| *at <= step).map(|(_, size)| size).sum::<f64>()
    }

    /// Where the anomaly that a step belongs to began.
    fn began(&self, index: usize, anomaly: &AnomalyPlan, step: u32) -> Option<u32> {
        let starts = |start: &u32| open(self.numbers.uniform_f64(self.parent, (ANOMALIES + index as u32) * PURPOSE + start)) < anomaly.rate;
        (step.saturating_sub(anomaly.length - 1)..=step).rev().find(starts)
    }

    /// Values and labels of steps `from..to`.
    fn values(&self, from: u32, to: u32, holidays: &[i64]) -> (Vec<f64>, Vec<u32>) {
        // A stuck value is one of the steps before.
        let first = from.saturating_sub(LONGEST_ANOMALY);
        let noise = self.noise(first, to);
        let base = |step: u32| self.trend_and_seasons(step, holidays) + self.sd * noise[(step - first) as usize];
        let of = |step: u32| {
            let found =
                self.plan.anomalies.iter().enumerate().find_map(|(index, anomaly)| Some((anomaly, self.began(index, anomaly, step)?)));
            let Some((anomaly, began)) = found else { return (base(step), MISSING) };
            let sign = if self.normal(SIGNS, began) < 0.0 { -1.0 } else { 1.0 };
            let value = match anomaly.kind {
                AnomalyKind::Spike => base(step) + sign * anomaly.size,
                AnomalyKind::Stuck => base(began),
                AnomalyKind::Drift => base(step) + sign * anomaly.size * f64::from(step - began + 1) / f64::from(anomaly.length),
                AnomalyKind::Dropout => f64::NAN,
                AnomalyKind::Noisy => base(step) + (anomaly.size - 1.0) * self.sd * noise[(step - first) as usize],
            };
            (value, anomaly.kind as u32)
        };
        (from..to).map(of).unzip()
    }
}

impl Chunk<'_> {
    /// Computes the outputs of the series.
    pub(super) fn steps(&mut self) -> Result<()> {
        let plan = self.plan();
        let Some(series) = &plan.series else { return Ok(()) };
        let located = self.located()?.clone();
        let mut parents = located.parents.clone();
        parents.dedup();
        let seen = Parents::of(self.generator, self.table, &parents, &series.parent_columns)?;
        let rows = self.rows.len();
        if let Some(row) = (0..rows).find(|&row| located.siblings[row] >= PURPOSE) {
            return self.fail(series.place, row, format!("a series has fewer than {PURPOSE} steps; ask for fewer children"));
        }
        let mut times = Vec::with_capacity(rows);
        let mut outputs: Vec<(Vec<f64>, Vec<u32>)> =
            series.signals.iter().map(|_| (Vec::with_capacity(rows), Vec::with_capacity(rows))).collect();
        let (mut row, mut parent) = (0, 0);
        while row < rows {
            if parents[parent] != located.parents[row] {
                parent += 1;
            }
            // Neighbours of one parent are computed together.
            let (from, mut count) = (located.places[row], 1);
            while row + count < rows
                && located.parents[row + count] == located.parents[row]
                && located.places[row + count] == from + count as u32
            {
                count += 1;
            }
            let seen = Parent { all: &seen, place: parent };
            let start = seen.number(&series.start);
            times.extend((0..count).map(|step| (start + f64::from(from + step as u32) * series.every).round()));
            for (signal, (values, labels)) in series.signals.iter().zip(&mut outputs) {
                let numbers = self.signal(series, signal, &seen, start, located.parents[row], located.siblings[row]);
                let (more, more_labels) = numbers.values(from, from + count as u32, &series.holidays);
                values.extend(more);
                labels.extend(more_labels);
            }
            row += count;
        }
        let steps: Vec<f64> = located.places.iter().map(|&place| f64::from(place) + 1.0).collect();
        for (slot, info) in plan.slots.iter().enumerate() {
            let Slot::Series(output) = info.slot else { continue };
            let values = match output {
                0 => Values::Numbers(times.clone()),
                1 => Values::Numbers(steps.clone()),
                output if output % 2 == 0 => Values::Numbers(std::mem::take(&mut outputs[output / 2 - 1].0)),
                output => Values::Codes { codes: std::mem::take(&mut outputs[output / 2 - 1].1), levels: KINDS.clone() },
            };
            self.set(slot, values);
        }
        Ok(())
    }

    fn signal<'s>(&self, series: &SeriesPlan, plan: &'s SignalPlan, seen: &Parent<'_>, start: f64, parent: u64, steps: u32) -> Numbers<'s> {
        let numbers = stream(self.generator.seed, plan.stream);
        let mut found = Numbers {
            plan,
            numbers,
            parent,
            level: seen.number(&plan.level),
            trend: seen.number(&plan.trend),
            seasons: plan.seasons.iter().map(|(period, amplitude, peak)| (*period, seen.number(amplitude), *peak)).collect(),
            holidays: seen.number(&plan.holidays),
            sd: seen.number(&plan.noise),
            shifts: Vec::new(),
            start,
            every: series.every,
        };
        if let Some((count, sd)) = &plan.shifts {
            let sd = seen.number(sd);
            let at = |index: u32| (numbers.uniform_f64(parent, SHIFTS * PURPOSE + 2 * index) * f64::from(steps)) as u32;
            found.shifts = (0..*count).map(|index| (at(index), sd * found.normal(SHIFTS, 2 * index + 1))).collect();
        }
        found
    }
}
