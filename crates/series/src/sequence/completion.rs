//! Gaps of given sequences, filled by a particle filter (Gordon, Salmond and Smith 1993).
//!
//! Missing cells are drawn row by row, given those of the row that are there and the rows before, for several particles side by side. Each particle counts
//! as much as it makes the cells that are there probable, so that what comes after a gap decides how it is filled; where few particles count for most,
//! they are drawn anew by their weights.

use rayon::prelude::*;
use semblant_core::memory::Memory;
use semblant_core::synthesizer::Sample;
use semblant_core::{Result, math};
use semblant_data::series::{Series, SeriesRequest};
use semblant_masked_diffusion::{Cell, Choice, Reveal, Rules, log_likelihoods, reveal};
use semblant_tabular_masked::asked::Present;
use semblant_tabular_masked::net::Prepared;

use super::block::{BLOCK, Block};
use super::forecast::Shown;
use super::places::AfterLast;
use super::sampling::{Plan, addresses, decoded, sampled};
use super::{Fitted, SequenceConfig};
use crate::given::filled;

/// Particles of a gap.
const PARTICLES: usize = 16;
/// Rows after a gap by which particles are weighed.
const AFTER: usize = 8;
/// The most rows that are filled as one; the next ones take them for given.
const MOST_ROWS: usize = 4096;

/// Rows of a sequence from the first that misses a cell to some after the last.
struct Gap {
    sequence: usize,
    rows: std::ops::Range<usize>,
}

/// The given sequences with their missing cells, and all of `request.redraw`, filled.
pub(super) fn completed(config: &SequenceConfig, fitted: &Fitted, init: &Series, request: &SeriesRequest) -> Result<Sample<Series>> {
    let shown = Shown::of(fitted, init, &request.redraw)?.without_missing(&fitted.form);
    let gaps = gaps(&shown);
    let rows: u64 = gaps.iter().map(|gap| gap.rows.len() as u64).sum();
    let size = 64 * (PARTICLES * fitted.layouts.rows.spans.len()) as u64;
    Memory::of_process().check(format!("{} gaps of {rows} rows in all", gaps.len()), rows, size)?;
    let prepared = Prepared::new(&fitted.net.decoder, &fitted.layouts.rows);
    let blocks: Vec<Vec<Vec<Vec<Cell>>>> = gaps
        .par_chunks(BLOCK / PARTICLES)
        .enumerate()
        .map(|(number, gaps)| fill_block(config, fitted, &prepared, &shown, gaps, (number * (BLOCK / PARTICLES)) as u64, request.seed))
        .collect();
    let mut cells: Vec<Vec<Cell>> = (0..shown.init.rows().rows())
        .map(|row| shown.cells.iter().map(|cells| cells[row].unwrap_or(Cell { token: 0, place: 0.5 })).collect())
        .collect();
    for (gap, filled) in gaps.iter().zip(blocks.into_iter().flatten()) {
        let start = shown.init.spans()[gap.sequence].start;
        gap.rows.clone().zip(filled).for_each(|(row, filled)| cells[start + row] = filled);
    }
    let data = filled(&shown.init, &[], &decoded(fitted, &cells, request.seed)?)?;
    Ok(Sample { drawn_rows: data.count() as u64, data })
}

/// The gaps of all sequences; two with few rows between them are one.
fn gaps(shown: &Shown) -> Vec<Gap> {
    let mut gaps: Vec<Gap> = Vec::new();
    for (sequence, span) in shown.init.spans().iter().enumerate() {
        for row in 0..span.len() {
            if shown.cells.iter().all(|cells| cells[span.start + row].is_some()) {
                continue;
            }
            let end = (row + 1 + AFTER).min(span.len());
            match gaps.last_mut().filter(|gap| gap.sequence == sequence && row <= gap.rows.end && gap.rows.len() < MOST_ROWS) {
                Some(gap) => gap.rows.end = end,
                None => gaps.push(Gap {
                    sequence,
                    rows: gaps.last().filter(|gap| gap.sequence == sequence).map_or(row, |gap| row.max(gap.rows.end))..end,
                }),
            }
        }
    }
    gaps.retain(|gap| !gap.rows.is_empty());
    gaps
}

/// The rows of some gaps, `[gaps][rows][positions]`.
fn fill_block(
    config: &SequenceConfig,
    fitted: &Fitted,
    prepared: &Prepared<'_>,
    shown: &Shown,
    gaps: &[Gap],
    first: u64,
    seed: u64,
) -> Vec<Vec<Vec<Cell>>> {
    let (form, layout) = (&fitted.form, &fitted.layouts.rows);
    let (positions, kept) = (layout.spans.len(), config.cut(form).length);
    let plan = |(number, gap): (usize, &Gap)| {
        let Gap { sequence, ref rows } = *gap;
        let history = (rows.start.saturating_sub(2 * kept)..rows.start).map(|index| shown.row(form, sequence, index)).collect();
        Plan {
            address: (first + (number / PARTICLES) as u64) << 8 | (number % PARTICLES) as u64,
            attributes: shown.attributes(sequence),
            rows: rows.len(),
            warm_up: 0,
            place: rows.start,
            length: shown.init.length(sequence),
            begin: shown.row(form, sequence, rows.start).2,
            history,
        }
    };
    let particles = gaps.iter().flat_map(|gap| std::iter::repeat_n(gap, PARTICLES));
    let plans: Vec<Plan> = particles.enumerate().map(plan).collect();
    let (mut block, present) = (Block::new(fitted, prepared, &plans), Present::new(&form.tokens));
    block.remember();
    let mut weights = vec![0.0; gaps.len() * PARTICLES];
    // Every row with its particles, and which particle of the row before each goes on from.
    let mut paths: Vec<(Vec<Vec<Cell>>, Vec<usize>)> = Vec::new();
    let mut from: Vec<usize> = (0..BLOCK).collect();
    for step in 0..gaps.iter().map(|gap| gap.rows.len()).max().unwrap_or(0) {
        let gap_of = |row: usize| gaps.get(row / PARTICLES).filter(|gap| step < gap.rows.len());
        let shown_row = |row: usize| gap_of(row).map(|gap| shown.row(form, gap.sequence, gap.rows.start + step));
        let rows: Vec<Option<(Vec<Option<Cell>>, usize, f64)>> = (0..BLOCK).map(shown_row).collect();
        let known = block.known(&|plan, row| rows[row].as_ref().map_or((plan.begin, plan.place), |row| (row.2, row.1)));
        let net = block.row(known.clone());
        let given: Vec<Vec<Option<Cell>>> =
            rows.iter().map(|row| row.as_ref().map_or_else(|| vec![None; positions], |row| row.0.clone())).collect();
        let orders = |is_there: bool| -> Vec<Vec<usize>> {
            let of = |(row, given): (usize, &Vec<Option<Cell>>)| {
                let wanted = |&position: &usize| rows[row].is_some() && given[position].is_some() == is_there;
                (0..positions).filter(wanted).collect()
            };
            given.iter().enumerate().map(of).collect()
        };
        let likelihoods = log_likelihoods(&net, &given, &orders(true));
        weights.iter_mut().zip(&likelihoods).for_each(|(weight, nats)| *weight += nats.iter().sum::<f64>());
        let rules = Filling { present: &present, after: AfterLast { following: &form.following, layout, last: block.last() } };
        let addresses = addresses(&plans, step);
        let batch = Reveal {
            addresses: &addresses,
            orders: &orders(false),
            cells: given,
            stream: sampled::ROWS.of(seed),
            choice: Choice::default(),
            positions_a_pass: 1,
        };
        let cells = reveal(&net, batch, &rules).0;
        let of_particle = |row: usize| cells[row].iter().map(|cell| cell.unwrap_or(Cell { token: 0, place: 0.5 })).collect();
        paths.push(((0..plans.len()).map(of_particle).collect(), from.clone()));
        block.advance(cells.into_iter().flatten().collect(), known);
        from = (0..BLOCK).collect();
        let uniform = |gap: usize| sampled::PARTICLES.of(seed).uniform_f64(first + gap as u64, step as u32);
        for gap in (0..gaps.len()).filter(|&gap| step + 1 < gaps[gap].rows.len()) {
            let own = gap * PARTICLES..(gap + 1) * PARTICLES;
            if let Some(chosen) = resampled(&weights[own.clone()], uniform(gap)) {
                chosen.into_iter().zip(own.clone()).for_each(|(chosen, particle)| from[particle] = own.start + chosen);
                weights[own].fill(0.0);
            }
        }
        if from.iter().enumerate().any(|(particle, &from)| particle != from) {
            block.select(&from);
        }
    }
    let path = |(gap, of): (usize, &Gap)| {
        let own = gap * PARTICLES..(gap + 1) * PARTICLES;
        let uniform = sampled::PARTICLES.of(seed).uniform_f64(first + gap as u64, u32::MAX);
        let mut particle = own.start + math::chosen(&shares(&weights[own]), uniform);
        let mut rows: Vec<Vec<Cell>> = Vec::with_capacity(of.rows.len());
        for (cells, from) in paths[..of.rows.len()].iter().rev() {
            rows.push(cells[particle].clone());
            particle = from[particle];
        }
        rows.reverse();
        rows
    };
    gaps.iter().enumerate().map(path).collect()
}

/// Any value but a missing one, in its place after the last row's.
struct Filling<'a> {
    present: &'a Present,
    after: AfterLast<'a>,
}

impl Rules for Filling<'_> {
    fn factors(&self, _: usize, position: usize, cells: &[Option<Cell>], factors: &mut [f32]) -> bool {
        self.present.factors(position, cells, factors)
    }

    fn place(&self, row: usize, position: usize, cells: &[Option<Cell>], token: u32, uniform: f32) -> f32 {
        self.after.place(row, position, cells, token, uniform)
    }
}

/// Weights that add up to 1, from their logarithms.
fn shares(logarithms: &[f64]) -> Vec<f64> {
    let greatest = logarithms.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let weights: Vec<f64> = logarithms.iter().map(|weight| (weight - greatest).exp()).collect();
    let sum: f64 = weights.iter().sum();
    weights.into_iter().map(|weight| weight / sum).collect()
}

/// Which particles go on, by systematic resampling (Kitagawa 1996), where the effective number of them is less than half.
fn resampled(logarithms: &[f64], uniform: f64) -> Option<Vec<usize>> {
    let (shares, count) = (shares(logarithms), logarithms.len() as f64);
    let effective = 1.0 / shares.iter().map(|share| share * share).sum::<f64>();
    (effective < count / 2.0).then(|| (0..logarithms.len()).map(|index| math::chosen(&shares, (index as f64 + uniform) / count)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn particles_go_on_as_often_as_they_count() {
        assert_eq!(resampled(&[0.0, 0.0, 0.1, 0.0], 0.5), None, "all count alike");
        let logarithms = [0.75f64.ln(), 0.25f64.ln(), -90.0, -90.0];
        assert_eq!(resampled(&logarithms, 0.5), Some(vec![0, 0, 0, 1]));
    }
}
