//! Parts of sequences that a training step sees, and those that are held out.

use std::ops::Range;

use burn::tensor::{Device, Tensor};
use semblant_core::model::Step;
use semblant_core::passes::Passes;
use semblant_core::seeds::Stream;
use semblant_data::series::Series;
use semblant_masked_diffusion::{Cell, Orders};
use semblant_tabular_masked::batches::{self, Batches};
use semblant_tabular_masked::features::constant;
use semblant_tabular_masked::net::Layout;

use super::standing::Standing;
use super::steps::as_a_day_ago;
use super::times::{Known, known_place, time};

/// Purposes of random numbers.
pub(super) mod purpose {
    use semblant_core::seeds::streams::TRAINING;

    semblant_core::streams! {
        in TRAINING;
        pub(crate) const ORDER = 0..1;
        pub(crate) const BEGIN = 1..2;
        pub(crate) const SHOWN = 2..3;
        pub(crate) const JITTER = 3..4;
        pub(crate) const DROPOUT = 4..5;
        pub(crate) const PAST = 5..6;
        pub(crate) const HELD_OUT = 6..7;
        pub(crate) const ALONE = 7..8;
    }
}

/// The series as cells.
pub(super) struct Data<'a> {
    pub(super) series: &'a Series,
    /// `[positions][rows of the series' table]`.
    pub(super) cells: &'a [Vec<Cell>],
    pub(super) layout: &'a Layout,
    /// The attributes of every sequence, `[positions][sequences]`.
    pub(super) attributes: &'a [Vec<Cell>],
    pub(super) known: Known,
    /// Whether what is known of a row is its predecessor's time, since its own is drawn.
    pub(super) irregular: bool,
    /// How many rows a day has, or 0.
    pub(super) rows_of_a_day: usize,
    /// How rows stand, `[positions][rows of the series' table]`.
    pub(super) standings: &'a [Vec<Standing>],
}

/// Some successive rows of a sequence.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Chunk {
    pub(super) sequence: usize,
    pub(super) start: usize,
}

/// What a step sees.
#[derive(Debug, Clone)]
pub(super) struct Batch {
    /// Rows of a chunk.
    pub(super) length: usize,
    pub(super) chunks: usize,
    /// 0 for rows that are shown nothing of the past, else 1; empty where all rows are shown it.
    pub(super) follows: Vec<f32>,
    /// The past as it is shown, `[chunks * length][positions]`.
    pub(super) past: Vec<Option<Cell>>,
    /// The row before each row, in full.
    pub(super) before: Vec<Option<Cell>>,
    /// Where each row would be if it moved as a day ago.
    pub(super) daily: Vec<Option<Cell>>,
    /// How the tokens of the row before stand, `[rows][positions]`.
    pub(super) standings: Vec<Standing>,
    pub(super) known: Vec<f32>,
    /// `[chunks][positions of the attributes]`.
    pub(super) attributes: Vec<Cell>,
    /// What is shown of each row, and what the rest is.
    pub(super) rows: batches::Batch,
    /// Rows whose loss counts.
    pub(super) counted: usize,
}

impl Batch {
    /// 0 for rows that are shown nothing of the past, else 1, `[rows, 1]`.
    pub(super) fn follows(&self, device: &Device) -> Option<Tensor<2>> {
        (!self.follows.is_empty()).then(|| constant(self.follows.clone(), [self.follows.len(), 1], device))
    }

    /// How long tokens have stayed the same, `[rows, positions]`.
    pub(super) fn stays(&self, device: &Device) -> Tensor<2> {
        let (rows, told) = (self.chunks * self.length, self.standings.iter().map(|standing| standing.told()).collect());
        constant(told, [rows, self.standings.len() / rows], device)
    }

    /// What is known of the rows, `[rows, known]`.
    pub(super) fn known(&self, device: &Device) -> Option<Tensor<2>> {
        let rows = self.chunks * self.length;
        (!self.known.is_empty()).then(|| constant(self.known.clone(), [rows, self.known.len() / rows], device))
    }
}

/// How chunks are cut.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cut {
    /// Rows of a chunk.
    pub(super) length: usize,
    /// Rows at the beginning of a chunk whose loss does not count, unless a sequence may begin there.
    pub(super) warm_up: usize,
    /// Whether the beginning of a sequence is one, and not just where the recording begins.
    pub(super) begins: bool,
}

/// Random numbers of what is shown; without jitter and gaps where the loss judges.
pub(super) struct Randomness<'a> {
    pub(super) shown: Stream,
    pub(super) learning: Option<(&'a Stream, &'a Stream)>,
    pub(super) past_dropout: f64,
    /// Which rows are shown nothing of the past, and what share of them.
    pub(super) alone: Option<(&'a Stream, f64)>,
}

impl Data<'_> {
    /// The rows of some chunks. `addresses` tell the chunks' random numbers.
    pub(super) fn batch(
        &self,
        chunks: &[Chunk],
        cut: Cut,
        addresses: Range<u64>,
        orders: &Orders,
        jitter: f64,
        random: &Randomness<'_>,
    ) -> Batch {
        let Cut { length, warm_up, begins } = cut;
        let positions = self.layout.spans.len();
        let first = addresses.start * length as u64;
        let (mut rows, mut counts, mut follows) = (Vec::new(), Vec::new(), Vec::new());
        let (mut past, mut before, mut daily, mut standings, mut known) = (Vec::new(), Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for (number, chunk) in chunks.iter().enumerate() {
            let span = &self.series.spans()[chunk.sequence];
            for place in 0..length {
                let index = chunk.start + place;
                let is_there = index < span.len();
                let row = (span.start + index).min(span.end - 1);
                rows.push(row);
                // A sample of a single series begins anywhere, with no row before it, so that beginnings are learned at any row.
                let begins_here = if begins { chunk.start == 0 } else { random.learning.is_some() };
                counts.push(is_there && (place >= warm_up || begins_here));
                let address = first + (number * length + place) as u64;
                // Some rows of the past are hidden as a whole, and some of their cells.
                let hidden = |position: usize| match random.learning {
                    Some((_, gaps)) => {
                        let share = random.past_dropout;
                        gaps.uniform_f64(address, 0) < share / 2.0 || gaps.uniform_f64(address, 1 + position as u32) < share
                    }
                    None => false,
                };
                past.extend((0..positions).map(|position| Some(self.cells[position][row]).filter(|_| is_there && !hidden(position))));
                let is_alone = random.alone.is_some_and(|(alone, share)| alone.uniform_f64(address, 0) < share);
                follows.extend(random.alone.map(|_| f32::from(u8::from(!is_alone))));
                let last = (place > 0 && !is_alone).then(|| (span.start + index - 1).min(span.end - 1));
                before.extend((0..positions).map(|position| last.map(|row| self.cells[position][row])));
                standings.extend(self.standings.iter().map(|own| last.map_or(Standing::default(), |row| own[row])));
                let then = last.filter(|_| self.rows_of_a_day > 0).and_then(|last| last.checked_sub(self.rows_of_a_day));
                let ago = last.zip(then.filter(|&then| then >= span.start));
                daily.extend((0..positions).map(|position| {
                    let (last, then) = ago?;
                    let tokens = [last, then + 1, then].map(|row| self.cells[position][row].token);
                    Some(Cell { token: as_a_day_ago(self.layout, position, tokens)?, place: 0.5 })
                }));
                let at = time(self.series, chunk.sequence, known_place(self.irregular, index).min(span.len() - 1));
                self.known.write(at, index, span.len(), &mut known);
            }
        }
        let batches = Batches { cells: self.cells, layout: self.layout, orders, jitter };
        let jitter = random.learning.map(|(jitter, _)| jitter);
        let mut shown = batches.batch(&rows, first..first + rows.len() as u64, &random.shown, jitter);
        let counted = counts.iter().filter(|&&counts| counts).count();
        let scale = rows.len() as f32 / counted.max(1) as f32;
        let weights = shown.targets.weights.chunks_exact(positions).zip(&counts);
        let weights =
            weights.flat_map(|(weights, &counts)| weights.iter().map(move |&weight| if counts { weight * scale } else { 0.0 })).collect();
        shown.targets.weights = std::sync::Arc::new(weights);
        let attributes = chunks.iter().flat_map(|chunk| self.attributes.iter().map(|cells| cells[chunk.sequence])).collect();
        Batch { length, chunks: chunks.len(), follows, past, before, daily, standings, known, attributes, rows: shown, counted }
    }
}

/// The chunks of a run: every part of every sequence as often as the others.
pub(super) struct Chunks {
    /// For each item of a pass its sequence.
    items: Vec<usize>,
    /// The rows of a sequence from which chunks are taken.
    part: Vec<Range<usize>>,
    passes: Passes,
    cut: Cut,
}

impl Chunks {
    /// Chunks of the given parts of sequences.
    pub(super) fn new(parts: Vec<(usize, Range<usize>)>, sequences: usize, cut: Cut) -> Self {
        let mut part = vec![0..0; sequences];
        let mut items = Vec::new();
        for (sequence, rows) in parts {
            let fresh = cut.length - cut.warm_up;
            items.extend(std::iter::repeat_n(sequence, rows.len().div_ceil(fresh).max(1)));
            part[sequence] = rows;
        }
        let passes = Passes::new(items.len(), purpose::ORDER);
        Self { items, part, passes, cut }
    }

    /// How many chunks a pass has.
    pub(super) fn count(&self) -> usize {
        self.items.len()
    }

    /// The chunks of a step: a function of (seed, step) alone.
    pub(super) fn of(&mut self, step: &Step) -> Vec<Chunk> {
        let stream = step.stream(purpose::BEGIN);
        let of = |(item, address): (usize, u64)| {
            let sequence = self.items[item];
            let rows = &self.part[sequence];
            let choices = rows.len().saturating_sub(self.cut.length) + self.cut.warm_up + 1;
            let start = stream.below(address, 0, choices as u64) as usize;
            // The beginning is as often in a chunk as any other row.
            Chunk { sequence, start: rows.start + start.saturating_sub(self.cut.warm_up) }
        };
        self.passes.batch(step).into_iter().zip(step.rows()).map(of).collect()
    }
}

/// Chunks that cover the parts once.
pub(super) fn covering(parts: &[(usize, Range<usize>)], cut: Cut) -> Vec<Chunk> {
    let fresh = (cut.length - cut.warm_up).max(1);
    let of = |(sequence, rows): &(usize, Range<usize>)| {
        let (sequence, first) = (*sequence, rows.start);
        (0..rows.len().saturating_sub(cut.warm_up).div_ceil(fresh).max(1))
            .map(move |number| Chunk { sequence, start: first + number * fresh })
    };
    parts.iter().flat_map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_cover_what_counts_once() {
        let cut = Cut { length: 10, warm_up: 4, begins: true };
        let chunks = covering(&[(0, 0..28), (3, 0..5)], cut);
        assert_eq!(chunks.iter().filter(|chunk| chunk.sequence == 3).count(), 1);
        let counted = |chunk: &Chunk| (chunk.start + if chunk.start == 0 { 0 } else { cut.warm_up })..(chunk.start + cut.length).min(28);
        let mut rows: Vec<usize> = chunks.iter().filter(|chunk| chunk.sequence == 0).flat_map(counted).collect();
        rows.sort_unstable();
        assert_eq!(rows, (0..28).collect::<Vec<_>>());
    }

    #[test]
    fn every_row_and_the_beginning_come_in_chunks() {
        let cut = Cut { length: 10, warm_up: 4, begins: true };
        let mut chunks = Chunks::new(vec![(0, 0..30), (1, 0..3)], 2, cut);
        assert_eq!(chunks.count(), 6);
        let part = semblant_core::model::Part::WHOLE;
        let step = |index: u64| Step { index, rows_seen: 8 * index, total_rows: 800, batch_rows: 8, seed: 1, part, rate: 1.0 };
        let all: Vec<Chunk> = (0..40).flat_map(|index| chunks.of(&step(index))).collect();
        let of_first: Vec<usize> = all.iter().filter(|chunk| chunk.sequence == 0).map(|chunk| chunk.start).collect();
        assert!(of_first.iter().all(|&start| start <= 20) && of_first.contains(&20));
        let at_the_beginning = of_first.iter().filter(|&&start| start == 0).count() as f64 / of_first.len() as f64;
        assert!((at_the_beginning - 0.2).abs() < 0.08, "{at_the_beginning}");
        assert_eq!(chunks.of(&step(7)), all[56..64]);
    }
}
