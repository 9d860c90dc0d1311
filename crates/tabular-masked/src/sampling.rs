//! Rows from a fitted network: column by column, what is asked for first.

use rayon::prelude::*;
use semblant_core::seeds::Stream;
use semblant_core::synthesizer::Sample;
use semblant_core::{Error, Result};
use semblant_data::table::{Table, TableRequest};
use semblant_masked_diffusion::{Cell, Choice, Orders, Reveal, log_likelihoods, reveal};
use semblant_tabular::filter::RowFilter;

use crate::asked::{Asked, Case, Conditions, Joint, case, present};
use crate::masked_diffusion::{Fitted, MaskedDiffusionConfig, stream_of_orders, stream_of_rows};
use crate::net::Prepared;

/// Rows of neighbouring addresses that have one order, so that a pass computes the logits of one position for all of them.
const BLOCK: usize = 128;
/// Draws of the columns with conditions, where there are several, of which one is taken.
const CANDIDATES: u32 = 16;

/// Draws that a row gets where conditions on several columns are met by trying again.
const MOST_ATTEMPTS: u32 = 500;

/// Makes the rows of a request; every one meets its conditions.
pub(crate) fn sample(config: &MaskedDiffusionConfig, fitted: &Fitted, request: &TableRequest) -> Result<Sample<Table>> {
    let tokens = &fitted.tokens;
    let filter = RowFilter::new(tokens, request)?;
    let positions = tokens.positions();
    let cases: Vec<Case> = filter.cases().iter().map(|predicates| case(tokens, &positions, predicates)).collect();
    let sampler = Sampler::new(config, fitted);
    let joint = Joint::new(tokens, &filter);
    let addresses: Vec<u64> = request.rows.clone().collect();
    let draw = |rows: &[u64], attempt: u32| -> Vec<Vec<Cell>> {
        let of_block = |rows: &[u64]| {
            let asked: Vec<&Case> = rows.iter().map(|row| &cases[(row % cases.len() as u64) as usize]).collect();
            sampler.draw(rows, &Conditions { asked: &asked, joint: joint.as_ref() }, request.seed, attempt)
        };
        let blocks: Vec<&[u64]> = rows.chunk_by(|a, b| a / BLOCK as u64 == b / BLOCK as u64).collect();
        blocks.into_par_iter().map(of_block).collect::<Vec<_>>().into_iter().flatten().collect()
    };
    let mut cells = draw(&addresses, 0);
    let mut data = tokens.decode(&cells, &addresses, request.seed)?;
    let mut drawn_rows = addresses.len() as u64;
    if filter.is_empty() {
        return Ok(Sample { data, drawn_rows });
    }
    // Conditions on several columns are masked as far as intervals can tell; what slips through is drawn again.
    let mut failed: Vec<usize> = (0..addresses.len()).filter(|&index| !filter.meets(&data, index, addresses[index])).collect();
    let mut attempt = 0;
    while !failed.is_empty() {
        attempt += 1;
        if attempt == MOST_ATTEMPTS {
            let met = addresses.len() - failed.len();
            return Err(Error::Condition(format!(
                "the conditions are too rare: after {drawn_rows} draws only {met} of {} rows meet them; widen a range or remove a condition",
                addresses.len()
            )));
        }
        let again: Vec<u64> = failed.iter().map(|&index| addresses[index]).collect();
        let made = draw(&again, attempt);
        drawn_rows += again.len() as u64;
        let part = tokens.decode(&made, &again, request.seed)?;
        let mut still = Vec::new();
        for (place, (&index, made)) in failed.iter().zip(made).enumerate() {
            if filter.meets(&part, place, addresses[index]) {
                cells[index] = made;
            } else {
                still.push(index);
            }
        }
        failed = still;
        if failed.is_empty() {
            data = tokens.decode(&cells, &addresses, request.seed)?;
        }
    }
    Ok(Sample { data, drawn_rows })
}

/// Draws the cells that are hidden in rows of a table; others stay. `cells` are `[rows][positions]`, and no drawn value is a missing one.
pub(crate) fn complete(config: &MaskedDiffusionConfig, fitted: &Fitted, cells: &[Vec<Option<Cell>>], seed: u64) -> Result<Table> {
    let sampler = Sampler::new(config, fitted);
    let positions = fitted.tokens.positions();
    let present: Case = positions.iter().map(|position| present(&fitted.tokens, *position)).collect();
    let addresses: Vec<u64> = (0..cells.len() as u64).collect();
    let made: Vec<Vec<Vec<Cell>>> = (addresses.par_chunks(BLOCK).zip(cells.par_chunks(BLOCK)))
        .map(|(addresses, cells)| {
            let case = |row: &Vec<Option<Cell>>| {
                row.iter().zip(&present).map(|(cell, present)| cell.map(Asked::Cell).or_else(|| present.clone())).collect()
            };
            let cases: Vec<Case> = cells.iter().map(case).collect();
            sampler.draw(addresses, &Conditions { asked: &cases.iter().collect::<Vec<_>>(), joint: None }, seed, 0)
        })
        .collect();
    fitted.tokens.decode(&made.into_iter().flatten().collect::<Vec<_>>(), &addresses, seed)
}

/// The logarithms of the probabilities of every row's tokens, `[rows][positions]`, by the chain rule over the given order of positions. What is
/// hidden in a row is 0.
pub(crate) fn score(config: &MaskedDiffusionConfig, fitted: &Fitted, cells: &[Vec<Option<Cell>>], order: &[usize]) -> Vec<Vec<f64>> {
    let sampler = Sampler::new(config, fitted);
    let of_block = |cells: &[Vec<Option<Cell>>]| {
        let count = cells.len();
        let mut cells = cells.to_vec();
        cells.resize(BLOCK, vec![None; order.len()]);
        let orders: Vec<Vec<usize>> =
            cells.iter().map(|row| order.iter().copied().filter(|&position| row[position].is_some()).collect()).collect();
        let found = log_likelihoods(&sampler.network, &cells, &orders);
        let row = |(found, order): (&Vec<f64>, &Vec<usize>)| {
            let mut by_position = vec![0.0; fitted.layout.spans.len()];
            order.iter().zip(found).for_each(|(&position, value)| by_position[position] = *value);
            by_position
        };
        found.iter().zip(&orders).map(row).take(count).collect::<Vec<_>>()
    };
    cells.par_chunks(BLOCK).flat_map_iter(of_block).collect()
}

/// A fitted network ready to draw.
struct Sampler<'a> {
    network: Prepared<'a>,
    orders: Orders,
}

impl<'a> Sampler<'a> {
    fn new(config: &MaskedDiffusionConfig, fitted: &'a Fitted) -> Self {
        let positions = fitted.layout.spans.len();
        let orders = Orders::random(positions).with_given((0..positions).collect(), config.schema_order);
        Self { network: Prepared::new(&fitted.net, &fitted.layout), orders }
    }

    /// Draws rows of one block; what a row becomes depends on its address, what is asked of it, the attempt and the seed.
    fn draw(&self, addresses: &[u64], rules: &Conditions<'_>, seed: u64, attempt: u32) -> Vec<Vec<Cell>> {
        let count = addresses.len();
        let order = self.orders.order(&stream_of_orders(seed), addresses[0] / BLOCK as u64);
        let mut cells = vec![vec![None; order.len()]; count];
        let (mut restricted, mut free) = (Vec::with_capacity(count), Vec::with_capacity(count));
        for (row, cells) in cells.iter_mut().enumerate() {
            for (position, cell) in cells.iter_mut().enumerate() {
                if let Some(Asked::Cell(given)) = rules.of(row, position) {
                    *cell = Some(*given);
                }
            }
            let is_open = |position: &usize| cells[*position].is_none();
            let (mut first, rest): (Vec<usize>, Vec<usize>) =
                order.iter().copied().filter(is_open).partition(|&position| rules.restricts(row, position));
            // The digits of a label in their order.
            first.sort_by_key(|&position| rules.is_second_digit(row, position));
            restricted.push(first);
            free.push(rest);
        }
        let of_attempt = attempt * (CANDIDATES + 1);
        if restricted.iter().any(|positions| positions.len() > 1) {
            cells = self.of_candidates(addresses, cells, &restricted, rules, seed, of_attempt);
        } else {
            // One restricted position is drawn first, from its own distribution: that is exact.
            free.iter_mut().zip(restricted).for_each(|(free, first)| *free = [first, std::mem::take(free)].concat());
        }
        let (made, _) = self.reveal(addresses, cells, &free, rules, stream_of_rows(seed, of_attempt));
        made.into_iter().take(count).map(|row| row.into_iter().flatten().collect()).collect()
    }

    /// The restricted positions of every row. Each is drawn given those before it, but those before it not given that it will be met, so of
    /// several candidates one is taken in proportion to the probability that the restrictions left (sampling importance resampling, Rubin 1987).
    fn of_candidates(
        &self,
        addresses: &[u64],
        cells: Vec<Vec<Option<Cell>>>,
        orders: &[Vec<usize>],
        rules: &Conditions<'_>,
        seed: u64,
        first: u32,
    ) -> Vec<Vec<Option<Cell>>> {
        let candidate = |candidate: u32| self.reveal(addresses, cells.clone(), orders, rules, stream_of_rows(seed, first + 1 + candidate));
        let candidates: Vec<_> = (0..CANDIDATES).map(candidate).collect();
        let choose = |row: usize| {
            let greatest = candidates.iter().map(|(_, left)| left[row]).fold(f64::NEG_INFINITY, f64::max);
            let weights: Vec<f64> = candidates.iter().map(|(_, left)| (left[row] - greatest).exp()).collect();
            let mut rest = stream_of_orders(seed).uniform_f64(addresses[row], u32::MAX - first) * weights.iter().sum::<f64>();
            let chosen = weights.iter().position(|weight| {
                rest -= weight;
                rest < 0.0
            });
            candidates[chosen.unwrap_or(0)].0[row].clone()
        };
        (0..addresses.len()).map(choose).collect()
    }

    /// Always a whole block, since a product may order its sums by its shape.
    fn reveal(
        &self,
        addresses: &[u64],
        mut cells: Vec<Vec<Option<Cell>>>,
        orders: &[Vec<usize>],
        rules: &Conditions<'_>,
        stream: Stream,
    ) -> (Vec<Vec<Option<Cell>>>, Vec<f64>) {
        let (mut addresses, mut orders) = (addresses.to_vec(), orders.to_vec());
        addresses.resize(BLOCK, 0);
        cells.resize(BLOCK, vec![None; self.orders.positions()]);
        // Rows that only pad the block are not drawn.
        orders.resize(BLOCK, Vec::new());
        let batch = Reveal { addresses: &addresses, orders: &orders, cells, stream, choice: Choice::default(), positions_a_pass: 1 };
        reveal(&self.network, batch, rules)
    }
}
