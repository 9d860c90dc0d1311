//! The rows of other tables that rows belong to, and what is carried over from them.

use super::DRAWS;
use super::chunk::Chunk;
use crate::bits::open;
use crate::error::Result;
use crate::laws::{Family, Law, Quantiles};
use crate::permutation::Permutation;
use crate::plan::{Link, LinkKind, Slot, stream};
use crate::values::Values;

/// No row.
const NONE: u64 = u64::MAX;
/// How many draws one distinct pick may take.
const MOST_DRAWS: u32 = 1_000;

/// The rows of a link.
#[derive(Debug)]
pub(crate) struct LinkRows {
    /// The different rows, in order of first use.
    distinct: Vec<u64>,
    /// Which of them each row has; none beyond them.
    places: Vec<usize>,
}

impl LinkRows {
    /// Rows of which neighbours are often the same.
    fn new(rows: &[u64]) -> Self {
        let mut distinct: Vec<u64> = Vec::new();
        let places = rows.iter().map(|&row| {
            if row == NONE {
                return usize::MAX;
            }
            if distinct.last() != Some(&row) {
                distinct.push(row);
            }
            distinct.len() - 1
        });
        let places = places.collect();
        Self { distinct, places }
    }
}

impl Chunk<'_> {
    /// Computes slots of a link.
    pub(super) fn follow(&mut self, link: usize, slots: &[usize]) -> Result<()> {
        let plan = self.plan();
        let described = &plan.links[link];
        if self.links[link].is_none() {
            described.needs.iter().try_for_each(|&need| self.ensure(need))?;
            let rows = self.linked_rows(described)?;
            self.links[link] = Some(LinkRows::new(&rows));
        }
        let Some(LinkRows { distinct, places }) = &self.links[link] else { return Ok(()) };
        let column_of = |slot: usize| if let Slot::Link { column, .. } = plan.slots[slot].slot { column } else { 0 };
        let mut found: Vec<(usize, Values)> = Vec::new();
        // Parents are neighbours, so those of a large table are computed for this chunk; other rows come from anywhere in a table, and those of a
        // small one are kept.
        let mut rest = Vec::new();
        for &slot in slots {
            let kept = match described.kind {
                LinkKind::Parent | LinkKind::Earlier => None,
                LinkKind::Uniform { .. } | LinkKind::Zipf { .. } | LinkKind::Shares { .. } => {
                    self.generator.kept(described.table, column_of(slot))?
                }
            };
            match kept {
                Some(values) => {
                    let rows: Vec<usize> =
                        places.iter().map(|&place| distinct.get(place).map_or(usize::MAX, |&row| row as usize)).collect();
                    found.push((slot, taken(&values, &rows)));
                }
                None => rest.push(slot),
            }
        }
        let columns: Vec<usize> = rest.iter().map(|&slot| column_of(slot)).collect();
        let values = self.generator.evaluate(described.table, distinct, &columns)?;
        found.extend(rest.into_iter().zip(values.iter().map(|values| taken(values, places))));
        found.into_iter().for_each(|(slot, values)| self.set(slot, values));
        Ok(())
    }

    /// The row of the other table for each row.
    fn linked_rows(&mut self, link: &Link) -> Result<Vec<u64>> {
        let count = self.generator.counts[link.table];
        let mut rows = match &link.kind {
            LinkKind::Parent => return Ok(self.located()?.parents.clone()),
            LinkKind::Earlier => {
                let draws = self.link_draws(link, 0);
                // The first row has none before it.
                self.rows.iter().zip(draws).map(|(&row, u)| if row == 0 { NONE } else { ((u * row as f64) as u64).min(row - 1) }).collect()
            }
            _ if count == 0 => vec![NONE; self.rows.len()],
            LinkKind::Uniform { distinct: false } => {
                self.picks(link).into_iter().map(|u| ((u * count as f64) as u64).min(count - 1)).collect()
            }
            LinkKind::Uniform { distinct: true } if link.stratified => self.preferred(link, count, true, &|u| (u * count as f64) as u64)?,
            LinkKind::Uniform { distinct: true } => self.distinct_uniform(link, count)?,
            LinkKind::Zipf { exponent, distinct } => {
                let law = Law::new(Family::Zipf, &[count as f64, *exponent]);
                let law = law.map_err(|what| crate::error::Error::new(&self.generator.plan.path, link.place, what))?;
                let quantiles = Quantiles::of_law(&law);
                self.preferred(link, count, *distinct, &|u| quantiles.quantile(open(u)) as u64 - 1)?
            }
            LinkKind::Shares { sums, distinct } => {
                let (parts, whole) = (sums.len(), sums.last().copied().unwrap_or(1.0));
                let place = |u: f64| {
                    let wanted = u * whole;
                    let part = sums.partition_point(|&sum| sum <= wanted).min(parts - 1);
                    let before = if part == 0 { 0.0 } else { sums[part - 1] };
                    let inside = (wanted - before) / (sums[part] - before);
                    ((part as f64 + inside) / parts as f64 * count as f64) as u64
                };
                self.preferred(link, count, *distinct, &place)?
            }
        };
        if let Some(missing) = &link.missing {
            let (chances, draws) = (self.param(missing), self.link_draws(link, 1));
            for (row, place) in rows.iter_mut().enumerate() {
                if draws[row] < chances[row] {
                    *place = NONE;
                }
            }
        }
        Ok(rows)
    }

    /// The uniform numbers by which the rows pick. Stratified ones are all the middles of as many equal parts as the table has rows, in an order that is
    /// a permutation; where the pick itself is drawn again, it is as it happens.
    fn picks(&self, link: &Link) -> Vec<f64> {
        // An attempt by which a row is asked to be something is another row; one by which it is to meet constraints is not.
        let is_repaired = (1..DRAWS).contains(&self.attempt);
        if !link.stratified || (self.attempt > 0 && !(is_repaired && link.unconstrained)) {
            return self.link_draws(link, 0);
        }
        self.rows.iter().map(|&row| self.stratum(link, row)).collect()
    }

    fn stratum(&self, link: &Link, row: u64) -> f64 {
        let count = self.generator.declared[self.table].max(1);
        // Rows beyond those that the spec declares are another round.
        let (round, place) = (row / count, row % count);
        let order = Permutation::new(count, &stream(self.generator.seed, link.stream), NONE - 1 - round);
        (order.of(place) as f64 + 0.5) / count as f64
    }

    fn link_draws(&self, link: &Link, slot: u32) -> Vec<f64> {
        self.raw(link.stream, if link.is_fixed() { slot } else { self.attempt.wrapping_mul(super::chunk::SLOTS) + slot })
    }

    /// The rows of each parent by a permutation of its own.
    fn distinct_uniform(&mut self, link: &Link, count: u64) -> Result<Vec<u64>> {
        let numbers = stream(self.generator.seed, link.stream);
        let located = self.located()?.clone();
        let mut last: Option<(u64, Permutation)> = None;
        let mut rows = Vec::with_capacity(located.parents.len());
        for (row, (&parent, &place)) in located.parents.iter().zip(&located.places).enumerate() {
            if u64::from(place) >= count {
                return self.fail(
                    link.place,
                    row,
                    format!("\"{}\" has {count} rows to pick from, and this parent more; ask for fewer children", link.name),
                );
            }
            if last.as_ref().is_none_or(|(known, _)| *known != parent) {
                last = Some((parent, Permutation::new(count, &numbers, parent)));
            }
            rows.extend(last.as_ref().map(|(_, permutation)| permutation.of(u64::from(place))));
        }
        Ok(rows)
    }

    /// Rows of which some in a permutation are picked more often: `place` gives the place there of a uniform number.
    fn preferred(&mut self, link: &Link, count: u64, distinct: bool, place: &dyn Fn(f64) -> u64) -> Result<Vec<u64>> {
        let numbers = stream(self.generator.seed, link.stream);
        // One order for all rows: who is picked most is not the first row.
        let order = Permutation::new(count, &numbers, NONE);
        let pick = |u: f64| order.of(place(u).min(count - 1));
        if !distinct {
            return Ok(self.picks(link).into_iter().map(pick).collect());
        }
        let located = self.located()?.clone();
        let (mut picked, mut tried): ((u64, Vec<u64>, u32), u64) = ((NONE, Vec::new(), 0), NONE);
        let mut rows = Vec::with_capacity(located.parents.len());
        let own_rows = self.seats.clone().unwrap_or_else(|| self.rows.clone());
        for (row, (&parent, &number)) in located.parents.iter().zip(&located.places).enumerate() {
            if picked.0 != parent || picked.1.len() > number as usize {
                picked = (parent, Vec::new(), 0);
                tried = NONE;
            }
            // The picks of a parent come one after the other, each unlike those before.
            while picked.1.len() <= number as usize {
                // The first pick of a row is its stratum's; one that is taken gives way to chance.
                let place = picked.1.len() as u64;
                let first = link.stratified && place != tried;
                tried = if first { place } else { tried };
                let found = pick(match first {
                    true => self.stratum(link, own_rows[row] - u64::from(number) + place),
                    false => numbers.uniform_f64(parent, picked.2 + 16),
                });
                picked.2 += 1;
                if !picked.1.contains(&found) {
                    picked.1.push(found);
                }
                if picked.2 > MOST_DRAWS * (number + 1) {
                    let what =
                        format!("no more rows of \"{}\" were found that this parent does not have; ask for fewer children", link.name);
                    return self.fail(link.place, row, what);
                }
            }
            rows.push(picked.1[number as usize]);
        }
        Ok(rows)
    }
}

/// The values at places, missing where there is none.
fn taken(values: &Values, places: &[usize]) -> Values {
    let count = values.len();
    if places.iter().all(|&place| place < count) {
        return values.take(places);
    }
    let some: Vec<usize> = places.iter().map(|&place| if place < count { place } else { 0 }).collect();
    if count == 0 {
        // No row at all: of the type that the values have.
        return match values {
            Values::Numbers(_) => Values::Numbers(vec![f64::NAN; places.len()]),
            _ => Values::join(places.len(), vec![(Vec::new(), values.clone())]),
        };
    }
    values.take(&some).without(|row| places[row] >= count)
}
