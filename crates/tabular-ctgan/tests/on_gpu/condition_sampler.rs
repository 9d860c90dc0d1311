//! Draws from alias tables by one kernel, held against the host's, bit for bit.

use burn::tensor::{Device, Int, Tensor};
use semblant_core::host;
use semblant_core::seeds::Stream;
use semblant_tabular_ctgan::condition_sampler::{Alias, Block, ConditionSampler, SamplerStreams};

use super::gpu;

/// A distribution with the rows that have each value of it.
struct Table {
    alias: Alias,
    offsets: Vec<u32>,
    rows: Vec<u32>,
    output: usize,
}

impl Table {
    /// `width` values of weights from 1 to 1000, one to seven rows each, which are numbered from `first` on.
    fn new(number: u32, width: usize, output: usize) -> Self {
        let drawn = |position: usize, bound: u64| Stream::new(9, number).below(0, position as u32, bound);
        let weights: Vec<f64> = (0..width).map(|value| (1 + drawn(2 * value, 1000)) as f64).collect();
        let mut offsets = vec![0];
        (0..width).for_each(|value| offsets.push(offsets[value] + 1 + drawn(2 * value + 1, 7) as u32));
        let rows = (0..offsets[width]).map(|place| 1000 * number + 3 * place).collect();
        Self { alias: Alias::new(&weights), offsets, rows, output }
    }

    fn block(&self) -> Block<'_> {
        Block { alias: &self.alias, offsets: &self.offsets, rows: &self.rows, output: self.output }
    }
}

fn values(tensor: Tensor<1, Int>) -> Vec<i64> {
    host::integers(tensor)
}

/// What the host draws: what is asked for, by number and by output, the same in the drawn order, and rows.
fn by_host(tables: &[Table], streams: SamplerStreams, row: u64, count: usize) -> [Vec<i64>; 4] {
    let first = |block: usize| tables[..block].iter().map(|table| table.offsets.len() - 1).sum::<usize>();
    let asked: Vec<(usize, usize)> = (0..count as u32)
        .map(|at| {
            let block = streams.asked.below(row, 2 * at, tables.len() as u64) as usize;
            (block, tables[block].alias.draw(&streams.asked, row, 2 * at + 1))
        })
        .collect();
    let reordered: Vec<(usize, usize)> = streams.order.permutation(row, count).into_iter().map(|place| asked[place]).collect();
    let rows = reordered.iter().enumerate().map(|(at, &(block, value))| {
        let Table { offsets, rows, .. } = &tables[block];
        let (start, end) = (offsets[value], offsets[value + 1]);
        i64::from(rows[start as usize + streams.rows.below(row, at as u32, u64::from(end - start)) as usize])
    });
    let number = |&(block, value): &(usize, usize)| (first(block) + value) as i64;
    let output = |&(block, value): &(usize, usize)| (tables[block].output + value) as i64;
    [asked.iter().map(number).collect(), asked.iter().map(output).collect(), reordered.iter().map(number).collect(), rows.collect()]
}

#[test]
fn draws_are_those_of_the_cpu() {
    let Some(gpu) = gpu() else { return };
    // A value that is the only one, a pair, and widths on both sides of powers of two.
    let widths = [1, 2, 3, 17, 300, 4096];
    let tables: Vec<Table> = widths.iter().enumerate().map(|(number, &width)| Table::new(number as u32, width, 7 * number)).collect();
    for which in [&tables[..1], &tables[3..4], &tables[..]] {
        let blocks: Vec<Block<'_>> = which.iter().map(Table::block).collect();
        for count in [1, 2, 7, 255, 256, 500, ConditionSampler::MAX_COUNT] {
            let choices = ConditionSampler::new(&blocks, count, &gpu).expect("a device with kernels");
            for (seed, row) in [(0, 0), (7, 12_345), (u64::MAX, (1 << 32) - 1), (3, 5 << 32 | 6)] {
                let stream = |number: u32| Stream::new(seed, number | 0x4000_0000);
                let streams = SamplerStreams { asked: stream(1), order: stream(15), rows: stream(10) };
                let drawn = choices.draw(streams, row);
                let found = [drawn.asked, drawn.outputs, drawn.reordered, drawn.rows].map(values);
                assert_eq!(found, by_host(which, streams, row, count), "{} blocks, {count} of row {row}", which.len());
            }
        }
        assert!(ConditionSampler::new(&blocks, ConditionSampler::MAX_COUNT + 1, &gpu).is_none(), "more than units share");
        assert!(ConditionSampler::new(&blocks, 0, &gpu).is_none() && ConditionSampler::new(&[], 5, &gpu).is_none(), "nothing to draw");
        assert!(ConditionSampler::new(&blocks, 5, &Device::flex()).is_none(), "the CPU draws by itself");
    }
}
