//! Training by sampling (Xu et al. 2019, section 4.3): the condition of a row (a value of a column), and real rows that meet it.
//!
//! Values are drawn from alias tables, rows from compressed lists of the rows that hold each value, so a draw costs the same for two
//! categories as for a hundred thousand.

use std::collections::BTreeSet;

use burn::tensor::{Device, Int, Tensor};
use semblant_core::host;
use semblant_core::seeds::Stream;
use semblant_data::table::encode::{EncodedTable, Layout, Span, SpanKind};
use semblant_tabular::rejection::ConditionValue;
use serde::{Deserialize, Serialize};

use crate::condition_sampler::{Alias, Block, ConditionSampler};

/// One block that rows can be conditioned on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ConditionBlock {
    /// The block's number among all one-hot blocks.
    pub block: usize,
    /// Its first output in the row.
    pub start: usize,
    /// Its first place in the condition vector.
    pub condition_start: usize,
    /// How often each value came.
    pub counts: Vec<u64>,
}

/// The condition vector's layout with the true frequencies: all that sampling needs, and no training row.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Conditions {
    /// The blocks, in order.
    pub blocks: Vec<ConditionBlock>,
    /// Length of the condition vector.
    pub width: usize,
}

/// The conditions of a batch, one index into the condition vector per row.
#[derive(Debug, Clone)]
pub enum ConditionVector {
    /// As the host knows it; none without conditions.
    Host(Vec<u32>),
    /// As the device drew it, `[rows]`.
    Device(Box<Tensor<1, Int>>),
}

impl ConditionVector {
    /// On a device, `[rows]`; rows that the host knows nothing of stand at 0. None without conditions.
    pub(crate) fn on(&self, rows: usize, device: &Device) -> Option<Tensor<1, Int>> {
        match self {
            Self::Device(places) => Some((**places).clone()),
            Self::Host(places) if places.is_empty() => None,
            Self::Host(places) => {
                let mut places: Vec<i32> = places.iter().map(|&place| place as i32).collect();
                places.resize(rows, 0);
                Some(host::indices(places, device))
            }
        }
    }

    /// As the host knows them.
    ///
    /// # Panics
    /// When a device drew them: the CPU's own ways never ask it to.
    pub(crate) fn on_host(&self) -> &[u32] {
        match self {
            Self::Host(places) => places,
            Self::Device(_) => panic!("the CPU draws its conditions itself"),
        }
    }
}

impl Conditions {
    /// The blocks of category columns, and with `on_numbers` also the modes of number columns.
    pub fn new(layout: &Layout, encoded: &EncodedTable, on_numbers: bool) -> Self {
        let mut conditions = Self::default();
        for (block, span) in layout.blocks().enumerate() {
            if span.kind == SpanKind::Values || on_numbers {
                let mut counts = vec![0; span.width];
                encoded.codes[block].iter().for_each(|&code| counts[code as usize] += 1);
                conditions.blocks.push(ConditionBlock { block, start: span.start, condition_start: conditions.width, counts });
                conditions.width += span.width;
            }
        }
        conditions
    }

    /// Of these blocks as many as fit into a condition vector of `most` places: those of category columns first, since rare categories are
    /// hard to find by rejection, and of each kind the ones whose values are most evenly spread, by the chance that two rows have the same
    /// value; the first columns where that is equal. A block that does not fit is passed over.
    pub fn within(self, most: usize, layout: &Layout) -> Self {
        if self.width <= most {
            return self;
        }
        let modes: Vec<bool> = layout.blocks().map(|span| span.kind == SpanKind::Modes).collect();
        let mut order: Vec<usize> = (0..self.blocks.len()).collect();
        // Every block counts the same rows, so the sums of squares are in the order of the chances, and exact.
        let same = |block: &ConditionBlock| block.counts.iter().map(|&count| u128::from(count).pow(2)).sum::<u128>();
        order.sort_by_cached_key(|&index| (modes[self.blocks[index].block], same(&self.blocks[index]), index));
        let mut left = most;
        let mut kept = vec![false; self.blocks.len()];
        for index in order {
            let width = self.blocks[index].counts.len();
            if width <= left {
                left -= width;
                kept[index] = true;
            }
        }
        let mut conditions = Self::default();
        for (block, _) in self.blocks.into_iter().zip(kept).filter(|(_, kept)| *kept) {
            let condition_start = conditions.width;
            conditions.width += block.counts.len();
            conditions.blocks.push(ConditionBlock { condition_start, ..block });
        }
        conditions
    }

    /// How many columns rows can be conditioned on.
    pub fn columns(&self, layout: &Layout) -> usize {
        let columns: Vec<usize> = layout.blocks().map(|span| span.column).collect();
        self.blocks.iter().map(|block| columns[block.block]).collect::<BTreeSet<_>>().len()
    }

    /// Checks that the blocks, as read from a file, fit `layout`.
    ///
    /// # Errors
    /// Says what does not fit.
    pub fn check(&self, layout: &Layout) -> Result<(), String> {
        let spans: Vec<&Span> = layout.blocks().collect();
        let mut place = 0;
        for block in &self.blocks {
            let fits = spans.get(block.block).is_some_and(|span| span.start == block.start && span.width == block.counts.len());
            if !fits || block.condition_start != place || block.counts.iter().all(|&count| count == 0) {
                return Err(format!(
                    "the conditions of block {} do not fit the transform; the file is damaged, fit the model again",
                    block.block
                ));
            }
            place += block.counts.len();
        }
        if place == self.width {
            Ok(())
        } else {
            Err("the condition vector's width is wrong; the file is damaged, fit the model again".into())
        }
    }

    /// The index of the condition in the condition vector.
    pub fn place(&self, asked: ConditionValue) -> usize {
        self.blocks[asked.block].condition_start + asked.value
    }

    /// The output of a row that the condition fixes.
    pub fn output(&self, asked: ConditionValue) -> usize {
        self.blocks[asked.block].start + asked.value
    }

    /// Alias tables for drawing values by true frequency, one a block.
    pub fn true_frequencies(&self) -> Vec<Alias> {
        self.blocks.iter().map(|block| Alias::new(&block.counts.iter().map(|&count| count as f64).collect::<Vec<_>>())).collect()
    }

    /// A row's condition, by the numbers at `position` of `row` and behind it: any block, then a value by true frequency. `None` when there are no
    /// blocks.
    pub fn draw(&self, tables: &[Alias], stream: &Stream, row: u64, position: u32) -> Option<ConditionValue> {
        if self.blocks.is_empty() {
            return None;
        }
        let block = stream.below(row, position, self.blocks.len() as u64) as usize;
        Some(ConditionValue { block, value: tables[block].draw(stream, row, position + 1) })
    }
}

/// Draws conditions and real rows while training.
#[derive(Debug, Clone)]
pub struct TrainingSampler {
    conditions: Conditions,
    tables: Vec<Alias>,
    /// Per block, the rows sorted by value: those of value v are `rows[offsets[v]..offsets[v + 1]]`.
    offsets: Vec<Vec<u32>>,
    rows: Vec<Vec<u32>>,
    table_rows: usize,
}

impl TrainingSampler {
    /// Prepares the draws; values come by ln(1 + count) with `log_frequency`, else by count.
    pub fn new(conditions: Conditions, encoded: &EncodedTable, log_frequency: bool) -> Self {
        let weigh = |&count: &u64| if log_frequency { (1.0 + count as f64).ln() } else { count as f64 };
        let tables = conditions.blocks.iter().map(|block| Alias::new(&block.counts.iter().map(weigh).collect::<Vec<_>>())).collect();
        let (mut offsets, mut rows) = (Vec::new(), Vec::new());
        for block in &conditions.blocks {
            let mut ends = vec![0u32; block.counts.len() + 1];
            for (value, &count) in block.counts.iter().enumerate() {
                ends[value + 1] = ends[value] + count as u32;
            }
            let mut next = ends.clone();
            let mut sorted = vec![0u32; encoded.rows];
            for (row, &code) in encoded.codes[block.block].iter().enumerate() {
                sorted[next[code as usize] as usize] = row as u32;
                next[code as usize] += 1;
            }
            offsets.push(ends);
            rows.push(sorted);
        }
        Self { conditions, tables, offsets, rows, table_rows: encoded.rows }
    }

    /// The layout of the condition vector.
    pub fn conditions(&self) -> &Conditions {
        &self.conditions
    }

    /// `count` conditions from row `row` of `stream`; empty when there is nothing to condition on.
    pub fn asked(&self, stream: Stream, row: u64, count: usize) -> Vec<ConditionValue> {
        (0..count as u32).filter_map(|position| self.conditions.draw(&self.tables, &stream, row, 2 * position)).collect()
    }

    /// A real row for every condition, uniformly among those that meet it; any rows when there are no conditions.
    pub fn rows(&self, asked: &[ConditionValue], stream: Stream, row: u64, count: usize) -> Vec<u32> {
        let mut chosen = Vec::with_capacity(count);
        for position in 0..count {
            let below = |bound: usize| stream.below(row, position as u32, bound as u64) as usize;
            chosen.push(match asked.get(position) {
                None => below(self.table_rows) as u32,
                Some(asked) => {
                    let offsets = &self.offsets[asked.block];
                    let (start, end) = (offsets[asked.value] as usize, offsets[asked.value + 1] as usize);
                    self.rows[asked.block][start + below(end - start)]
                }
            });
        }
        chosen
    }

    /// The same tables where `device` draws `count` conditions and rows at once, if it can: values have the numbers of a row's outputs.
    pub fn on_device(&self, count: usize, device: &Device) -> Option<ConditionSampler> {
        let mut blocks = Vec::with_capacity(self.tables.len());
        for (number, block) in self.conditions.blocks.iter().enumerate() {
            blocks.push(Block {
                alias: &self.tables[number],
                offsets: &self.offsets[number],
                rows: &self.rows[number],
                output: block.start,
            });
        }
        ConditionSampler::new(&blocks, count, device)
    }
}

/// Writes a real row's activations: 1 at every chosen position, the scalar at every scalar, 0 elsewhere. `out` must be zeroed.
pub fn write_row(encoded: &EncodedTable, spans: &[Span], row: usize, out: &mut [f32]) {
    let (mut block, mut scalar) = (0, 0);
    for span in spans {
        if span.is_block() {
            out[span.start + encoded.codes[block][row] as usize] = 1.0;
            block += 1;
        } else {
            out[span.start] = encoded.scalars[scalar][row];
            scalar += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> (Layout, EncodedTable) {
        let span = |kind, start, width| Span { column: 0, kind, start, width };
        let spans =
            vec![span(SpanKind::Values, 0, 3), span(SpanKind::Scalar, 3, 1), span(SpanKind::Modes, 4, 2), span(SpanKind::Values, 6, 2)];
        let codes = vec![vec![0, 1, 2, 0, 0, 0], vec![0, 0, 1, 1, 0, 1], vec![1, 0, 0, 1, 1, 0]];
        (Layout { spans, width: 8 }, EncodedTable { rows: 6, codes, scalars: vec![vec![0.1, 0.2, 0.3, 0.4, 0.5, 0.6]] })
    }

    #[test]
    fn real_rows_meet_the_condition_they_were_drawn_for() {
        let (layout, encoded) = table();
        let sampler = TrainingSampler::new(Conditions::new(&layout, &encoded, false), &encoded, true);
        assert_eq!(sampler.conditions().width, 5, "modes are no condition unless asked for");
        let asked = sampler.asked(Stream::new(0, 0), 0, 200);
        let rows = sampler.rows(&asked, Stream::new(0, 1), 0, 200);
        for (asked, row) in asked.iter().zip(rows) {
            let block = sampler.conditions().blocks[asked.block].block;
            assert_eq!(encoded.codes[block][row as usize] as usize, asked.value);
        }
    }

    #[test]
    fn a_bound_keeps_categories_and_then_what_is_spread_most() {
        let (layout, encoded) = table();
        let all = || Conditions::new(&layout, &encoded, true);
        assert_eq!((all().width, all().within(7, &layout)), (7, all()), "all fit");
        let blocks = |all: Conditions, most| all.within(most, &layout).blocks.iter().map(|block| block.block).collect::<Vec<_>>();
        // Counts: 4 1 1, 3 3 (modes), 3 3. The two categories are as evenly spread as one another.
        assert_eq!(blocks(all(), 6), [0, 2], "modes come last");
        assert_eq!(blocks(all(), 3), [0], "the first of equals");
        assert_eq!(blocks(all(), 2), [2], "what does not fit is passed over");
        assert_eq!(blocks(all(), 1), [0; 0]);
        let uneven = EncodedTable { codes: [&[vec![0, 0, 0, 0, 0, 1]], &encoded.codes[1..]].concat(), ..encoded.clone() };
        let uneven = || Conditions::new(&layout, &uneven, true);
        assert_eq!(blocks(uneven(), 4), [1, 2], "evenly spread values come first");
        let kept = uneven().within(4, &layout);
        assert_eq!((kept.width, kept.blocks[1].condition_start, kept.columns(&layout)), (4, 2, 1));
        kept.check(&layout).expect("a vector without gaps");
    }

    #[test]
    fn a_row_is_written_at_its_positions() {
        let (layout, encoded) = table();
        let mut out = vec![0.0; 8];
        write_row(&encoded, &layout.spans, 2, &mut out);
        assert_eq!(out, [0.0, 0.0, 1.0, 0.3, 0.0, 1.0, 1.0, 0.0]);
    }
}
