//! Which parent a row belongs to, without a list of parents.
//!
//! Parents come in blocks of [`BLOCK`]. Where the number of children is a distribution, the numbers of a block of n are its quantiles
//! at (j + 1/2) / n, in an order that is a random permutation of the block's own: every full block has the same number of rows, so the block of
//! a row is a division, and its parent a search in the sums of one block. Where the number is computed from the parent, or by a state machine, one pass over the parents
//! keeps one sum for each block.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use semblant_core::memory::Memory;

use crate::error::{Error, Result};
use crate::generate::Generator;
use crate::plan::{ChildLaw, Rows, stream};

/// Parents of a block.
pub(crate) const BLOCK: u64 = 4_096;
/// The most blocks whose sums are kept.
const KEPT: usize = 1_024;

/// What is known of the rows of a table that has a parent.
#[derive(Debug, Default)]
pub(crate) struct Families {
    /// For each block of parents the rows before it, and at the end all; empty where that is a product.
    before: Vec<u64>,
    /// The sums within blocks that were looked at.
    sums: Mutex<HashMap<u64, Arc<Vec<u32>>>>,
}

/// Parent, number among its rows from 0, and how many rows it has, for each of some rows.
#[derive(Debug, Clone, Default)]
pub(crate) struct Located {
    pub(crate) parents: Vec<u64>,
    pub(crate) places: Vec<u32>,
    pub(crate) siblings: Vec<u32>,
}

impl Located {
    pub(crate) fn take(&self, indices: &[usize]) -> Self {
        let of = |all: &[u32]| indices.iter().map(|&index| all[index]).collect();
        Self { parents: indices.iter().map(|&index| self.parents[index]).collect(), places: of(&self.places), siblings: of(&self.siblings) }
    }
}

impl Generator<'_> {
    /// How many rows a table has whose parent's number of rows is known, and what finding parents needs.
    pub(super) fn families(&self, table: usize) -> Result<(u64, Families)> {
        let Rows::Children { parent, law } = &self.plan.tables[table].rows else { return Ok((0, Families::default())) };
        let parents = self.counts[*parent];
        match law {
            ChildLaw::Fixed(children) => Ok((parents.saturating_mul(*children), Families::default())),
            ChildLaw::Drawn(counts) => {
                let last: u64 = counts.quantiles.of(parents % BLOCK).iter().map(|&count| u64::from(count)).sum();
                Ok(((parents / BLOCK).saturating_mul(counts.total).saturating_add(last), Families::default()))
            }
            ChildLaw::Computed { .. } | ChildLaw::Machine => {
                let what = || format!("counting the rows of table \"{}\" for {parents} parents", self.plan.tables[table].name);
                let fits = Memory::of_process().check(what(), parents.div_ceil(BLOCK), 3 * size_of::<u64>() as u64);
                fits.map_err(|error| Error::new(&self.plan.path, self.plan.tables[table].place, error.to_string()))?;
                let blocks: Vec<u64> = (0..parents.div_ceil(BLOCK)).collect();
                let sums = self.each(&blocks, |block| Ok(self.block_counts(table, block)?.iter().map(|&count| u64::from(count)).sum()));
                let sums: Vec<u64> = sums.into_iter().collect::<Result<_>>()?;
                let mut before = vec![0];
                before.extend(sums.iter().scan(0, |sum, count| {
                    *sum += count;
                    Some(*sum)
                }));
                Ok((before.last().copied().unwrap_or(0), Families { before, sums: Mutex::default() }))
            }
        }
    }

    /// The numbers of children of the parents of a block.
    fn block_counts(&self, table: usize, block: u64) -> Result<Vec<u32>> {
        let Rows::Children { parent, law } = &self.plan.tables[table].rows else { return Ok(Vec::new()) };
        let parents: Range<u64> = block * BLOCK..((block + 1) * BLOCK).min(self.counts[*parent]);
        match law {
            ChildLaw::Fixed(children) => Ok(parents.map(|_| *children as u32).collect()),
            ChildLaw::Drawn(counts) => {
                let size = parents.end - parents.start;
                let order = stream(self.seed, self.plan.tables[table].links[0].stream).permutation(block, size as usize);
                // The last block may be a small one, whose numbers are quantiles of the distribution too.
                let last = if size < BLOCK { counts.quantiles.of(size) } else { Vec::new() };
                let counts = if size < BLOCK { &last } else { &counts.full };
                Ok(order.into_iter().map(|place| counts[place]).collect())
            }
            ChildLaw::Computed { expression, place } => self.computed_children(*parent, parents, expression, *place),
            ChildLaw::Machine => {
                let parents: Vec<u64> = parents.collect();
                Ok(self.histories(table, &parents)?.iter().map(|history| history.len() as u32).collect())
            }
        }
    }

    /// The rows of a block before each of its parents, and at the end all of its rows.
    fn block_sums(&self, table: usize, block: u64) -> Result<Arc<Vec<u32>>> {
        let kept = || self.families[table].sums.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(sums) = kept().get(&block) {
            return Ok(sums.clone());
        }
        let mut sum = 0;
        let mut sums = vec![0];
        sums.extend(self.block_counts(table, block)?.into_iter().map(|count| {
            sum += count;
            sum
        }));
        let sums = Arc::new(sums);
        let mut all = kept();
        if all.len() >= KEPT {
            all.clear();
        }
        all.insert(block, sums.clone());
        Ok(sums)
    }

    /// The parents of some rows of a table.
    pub(crate) fn locate(&self, table: usize, rows: &[u64]) -> Result<Located> {
        let Rows::Children { parent, law } = &self.plan.tables[table].rows else { return Ok(Located::default()) };
        if let ChildLaw::Fixed(children) = law {
            let count = (*children).max(1);
            return Ok(Located {
                parents: rows.iter().map(|row| row / count).collect(),
                places: rows.iter().map(|row| (row % count) as u32).collect(),
                siblings: vec![*children as u32; rows.len()],
            });
        }
        // The block of a row and the rows before it. The last block is a small one, so it may have more rows than its share.
        let drawn = match law {
            ChildLaw::Drawn(counts) => Some((counts.total, self.counts[*parent] / BLOCK)),
            _ => None,
        };
        let before = &self.families[table].before;
        let mut found = Located::default();
        // The block and the place of the row before: the next one is mostly there too.
        let mut last: Option<(u64, u64, Arc<Vec<u32>>)> = None;
        let mut place = 0;
        for &row in rows {
            let inside =
                |(_, first, sums): &(u64, u64, Arc<Vec<u32>>)| row >= *first && row - first < u64::from(sums.last().copied().unwrap_or(0));
            if !last.as_ref().is_some_and(inside) {
                let (block, first) = match drawn {
                    Some((0, last)) => (last, 0),
                    Some((total, last)) => ((row / total).min(last), (row / total).min(last) * total),
                    None => {
                        let block = before.partition_point(|&sum| sum <= row) - 1;
                        (block as u64, before[block])
                    }
                };
                last = Some((block, first, self.block_sums(table, block)?));
                place = 0;
            }
            let Some((block, first, sums)) = &last else { continue };
            let offset = (row - first) as u32;
            if !(sums[place] <= offset && offset < sums[place + 1]) {
                let follows = place + 2 < sums.len() && sums[place + 1] <= offset && offset < sums[place + 2];
                place = if follows { place + 1 } else { sums.partition_point(|&sum| sum <= offset) - 1 };
            }
            found.parents.push(block * BLOCK + place as u64);
            found.places.push(offset - sums[place]);
            found.siblings.push(sums[place + 1] - sums[place]);
        }
        Ok(found)
    }
}
