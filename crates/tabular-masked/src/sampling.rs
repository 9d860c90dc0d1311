//! Rows from a fitted network: column by column, what is asked for first.

use rayon::prelude::*;
use semblant_core::Result;
use semblant_core::synthesizer::Sample;
use semblant_data::table::{Table, TableRequest};
use semblant_masked_diffusion::{Cell, Choice, Orders, Reveal, Rules, log_likelihoods, reveal};
use semblant_tabular::filter::{Predicate, RowFilter};

use crate::masked_diffusion::{Fitted, MaskedDiffusionConfig, stream_of_orders, stream_of_rows};
use crate::net::Prepared;
use crate::tokens::{ColumnTokens, Position, TableTokens};

/// Rows of neighbouring addresses that have one order, so that a pass computes the logits of one position for all of them.
const BLOCK: usize = 128;
/// Draws of the columns with conditions, where there are several, of which one is taken.
const CANDIDATES: u32 = 16;

/// What is asked of a position.
#[derive(Debug, Clone, PartialEq)]
enum Asked {
    /// This cell.
    Cell(Cell),
    /// A number within a range: what share of each token is allowed, and where its places lie.
    Bins { factors: Vec<f32>, places: Vec<(f32, f32)> },
    /// One of these labels, by their value; the position is one of the digits.
    Labels { allowed: Vec<bool>, base: usize, digits: usize, digit: usize },
}

/// What a row is asked to be, by position.
type Case = Vec<Option<Asked>>;

/// Makes the rows of a request; every one meets its conditions.
pub(crate) fn sample(config: &MaskedDiffusionConfig, fitted: &Fitted, request: &TableRequest) -> Result<Sample<Table>> {
    let tokens = &fitted.tokens;
    let filter = RowFilter::new(tokens, request)?;
    let positions = tokens.positions();
    let cases: Vec<Case> = filter.cases().iter().map(|predicates| case(tokens, &positions, predicates)).collect();
    let sampler = Sampler::new(config, fitted);
    let (rows, seed) = (request.rows.clone(), request.seed);
    let of_block = |block: u64| {
        let first = block * BLOCK as u64;
        let (from, to) = (first.max(rows.start), first.saturating_add(BLOCK as u64).min(rows.end));
        let addresses: Vec<u64> = (from..to).collect();
        let asked: Vec<&Case> = addresses.iter().map(|row| &cases[(row % cases.len() as u64) as usize]).collect();
        sampler.draw(&addresses, &asked, seed)
    };
    let blocks = rows.start / BLOCK as u64..(rows.end - 1) / BLOCK as u64 + 1;
    let made: Vec<Vec<Vec<Cell>>> = blocks.into_par_iter().map(of_block).collect();
    let made: Vec<Vec<Cell>> = made.into_iter().flatten().collect();
    let addresses: Vec<u64> = rows.clone().collect();
    Ok(Sample { data: tokens.decode(&made, &addresses, seed)?, drawn_rows: rows.end - rows.start })
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
            sampler.draw(addresses, &cases.iter().collect::<Vec<_>>(), seed)
        })
        .collect();
    fitted.tokens.decode(&made.into_iter().flatten().collect::<Vec<_>>(), &addresses, seed)
}

/// The log-likelihood of each row, `[rows]`, by the chain rule over the given order of positions: probabilities of tokens, times the density
/// within a bin for numbers. What is hidden in a row is left out.
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

/// What the predicates ask of every position.
fn case(tokens: &TableTokens, positions: &[Position], predicates: &[Option<Predicate>]) -> Case {
    let asked = |position: &Position| {
        let predicate = predicates[position.column]?;
        Some(match &tokens.columns[position.column] {
            ColumnTokens::Labels(labels) => {
                let value = if let Predicate::Label(code) = predicate { code } else { labels.levels.len() as u32 };
                Asked::Cell(Cell { token: labels.digits(value)[position.digit], place: 0.5 })
            }
            ColumnTokens::Bins(bins) => match predicate {
                Predicate::Range { low, high } => {
                    let places: Vec<Option<(f32, f32)>> = (0..bins.width()).map(|token| bins.places(token, low, high)).collect();
                    let factors = places.iter().map(|places| places.map_or(0.0, |(from, to)| to - from)).collect();
                    Asked::Bins { factors, places: places.into_iter().map(Option::unwrap_or_default).collect() }
                }
                _ => Asked::Cell(Cell { token: bins.bins.len() as u32, place: 0.5 }),
            },
            ColumnTokens::Unlearned => return None,
        })
    };
    positions.iter().map(asked).collect()
}

/// Any value but a missing one; nothing to ask where none was missing, or all were.
fn present(tokens: &TableTokens, position: Position) -> Option<Asked> {
    match &tokens.columns[position.column] {
        ColumnTokens::Labels(labels) if labels.has_missing() && !labels.levels.is_empty() => {
            let allowed = (0..labels.counts.len()).map(|value| value < labels.levels.len()).collect();
            Some(Asked::Labels { allowed, base: labels.base, digits: labels.widths().len(), digit: position.digit })
        }
        ColumnTokens::Bins(bins) if bins.missing && !bins.bins.is_empty() => {
            let factors = (0..bins.width()).map(|token| f32::from(u8::from(token < bins.bins.len()))).collect();
            Some(Asked::Bins { factors, places: vec![(0.0, 1.0); bins.width()] })
        }
        _ => None,
    }
}

/// The rows of a block with what is asked of each.
struct Conditions<'a> {
    asked: &'a [&'a Case],
}

impl Conditions<'_> {
    /// Rows beyond the block pad it, and are asked nothing.
    fn of(&self, row: usize, position: usize) -> Option<&Asked> {
        self.asked.get(row).and_then(|case| case[position].as_ref())
    }
}

impl Rules for Conditions<'_> {
    fn factors(&self, row: usize, position: usize, cells: &[Option<Cell>], out: &mut [f32]) -> bool {
        match self.of(row, position) {
            Some(Asked::Bins { factors, .. }) => out.copy_from_slice(factors),
            Some(Asked::Labels { allowed, base, digits, digit }) => {
                let high = if *digit > 0 { cells[position - 1].map_or(0, |cell| cell.token as usize) } else { 0 };
                for (token, factor) in out.iter_mut().enumerate() {
                    let values = match (*digits, *digit) {
                        (1, _) => token..token + 1,
                        (_, 0) => token * base..(token + 1) * base,
                        _ => high * base + token..high * base + token + 1,
                    };
                    let any = values.start < allowed.len() && allowed[values.start..values.end.min(allowed.len())].contains(&true);
                    *factor = f32::from(u8::from(any));
                }
            }
            _ => return false,
        }
        true
    }

    fn place(&self, row: usize, position: usize, _: &[Option<Cell>], token: u32, uniform: f32) -> f32 {
        match self.of(row, position) {
            Some(Asked::Bins { places, .. }) => {
                let (from, to) = places[token as usize];
                from + uniform * (to - from)
            }
            _ => uniform,
        }
    }
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

    /// Draws rows of one block; what a row becomes depends on its address, what is asked of it, and the seed.
    fn draw(&self, addresses: &[u64], asked: &[&Case], seed: u64) -> Vec<Vec<Cell>> {
        let count = addresses.len();
        let order = self.orders.order(&stream_of_orders(seed), addresses[0] / BLOCK as u64);
        let rules = Conditions { asked };
        let mut cells = vec![vec![None; order.len()]; count];
        let (mut restricted, mut free) = (Vec::with_capacity(count), Vec::with_capacity(count));
        for (row, cells) in cells.iter_mut().enumerate() {
            for (position, cell) in cells.iter_mut().enumerate() {
                if let Some(Asked::Cell(given)) = rules.of(row, position) {
                    *cell = Some(*given);
                }
            }
            let with =
                |wanted: fn(Option<&Asked>) -> bool| order.iter().copied().filter(|&position| wanted(rules.of(row, position))).collect();
            let mut first: Vec<usize> = with(|asked| matches!(asked, Some(Asked::Bins { .. } | Asked::Labels { .. })));
            // The digits of a label in their order.
            first.sort_by_key(|&position| matches!(rules.of(row, position), Some(Asked::Labels { digit: 1.., .. })));
            restricted.push(first);
            free.push(with(|asked| asked.is_none()));
        }
        if restricted.iter().any(|positions| positions.len() > 1) {
            cells = self.of_candidates(addresses, cells, &restricted, &rules, seed);
        } else {
            // One restricted position is drawn first, from its own distribution: that is exact.
            free.iter_mut().zip(restricted).for_each(|(free, first)| *free = [first, std::mem::take(free)].concat());
        }
        let (made, _) = self.reveal(addresses, cells, &free, &rules, seed, 0);
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
    ) -> Vec<Vec<Option<Cell>>> {
        let candidates: Vec<_> =
            (0..CANDIDATES).map(|candidate| self.reveal(addresses, cells.clone(), orders, rules, seed, 1 + candidate)).collect();
        let choose = |row: usize| {
            let greatest = candidates.iter().map(|(_, left)| left[row]).fold(f64::NEG_INFINITY, f64::max);
            let weights: Vec<f64> = candidates.iter().map(|(_, left)| (left[row] - greatest).exp()).collect();
            let mut rest = stream_of_orders(seed).uniform_f64(addresses[row], u32::MAX) * weights.iter().sum::<f64>();
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
        seed: u64,
        candidate: u32,
    ) -> (Vec<Vec<Option<Cell>>>, Vec<f64>) {
        let (mut addresses, mut orders) = (addresses.to_vec(), orders.to_vec());
        addresses.resize(BLOCK, 0);
        cells.resize(BLOCK, vec![None; self.orders.positions()]);
        // Rows that only pad the block have the order of the others, so that all have the same position in turn.
        let like = orders.first().cloned().unwrap_or_default();
        orders.resize(BLOCK, like);
        let stream = stream_of_rows(seed, candidate);
        reveal(
            &self.network,
            Reveal { addresses: &addresses, orders: &orders, cells, stream, choice: Choice::default(), positions_a_pass: 1 },
            rules,
        )
    }
}
