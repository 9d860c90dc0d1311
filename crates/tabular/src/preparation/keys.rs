//! Names of what several rows belong to.

use std::collections::HashMap;

use semblant_core::seeds::Stream;
use semblant_data::table::MISSING;

/// Group sizes that are kept of a key column.
const SIZES: usize = 200;
/// The most rows of one name.
pub(super) const MOST_ROWS: u32 = 1 << 24;
/// The least number of rows that the groups of a key column are spread over.
const KEY_BLOCK: u64 = 32;
/// How many rows the names of a key column have, smallest first; the few largest groups count as the next smaller one.
pub(super) fn sizes(codes: &[u32]) -> Vec<u32> {
    let mut counts: HashMap<u32, u32> = HashMap::new();
    codes.iter().filter(|&&code| code != MISSING).for_each(|&code| *counts.entry(code).or_default() += 1);
    let mut sizes: Vec<u32> = counts.into_values().map(|size| size.min(MOST_ROWS)).collect();
    sizes.sort_unstable();
    let cut = sizes.len() - (sizes.len() / 20).min(4);
    if let Some(&limit) = sizes[..cut].last() {
        sizes.iter_mut().for_each(|size| *size = (*size).min(limit));
    }
    let last = sizes.len().saturating_sub(1);
    if sizes.len() > SIZES { (0..SIZES).map(|step| sizes[step * last / (SIZES - 1)]).collect() } else { sizes }
}

/// Groups of rows that share a name: blocks of rows are divided into groups of drawn sizes, neighbours unless they are scattered over the block.
pub(super) struct Keys<'a> {
    sizes: &'a [u32],
    scattered: bool,
    stream: Stream,
    pub(super) block: u64,
}

impl<'a> Keys<'a> {
    pub(super) fn new(sizes: &'a [u32], scattered: bool, stream: Stream) -> Self {
        let largest = u64::from(sizes.last().copied().unwrap_or(1));
        Self { sizes, scattered, stream, block: KEY_BLOCK.max(8 * largest) }
    }

    /// The group of every row of a block.
    pub(super) fn of_block(&self, block: u64) -> Vec<u32> {
        let mut groups: Vec<u32> = Vec::with_capacity(self.block as usize);
        let mut group = 0;
        while (groups.len() as u64) < self.block {
            let size = match self.sizes.len() as u64 {
                0 => 1,
                count => self.sizes[self.stream.below(block * self.block + u64::from(group), 1, count) as usize] as usize,
            };
            let left = self.block as usize - groups.len();
            groups.extend(std::iter::repeat_n(group, size.min(left)));
            group += 1;
        }
        if self.scattered {
            for place in (1..groups.len()).rev() {
                let other = self.stream.below(block * self.block + place as u64, 2, place as u64 + 1) as usize;
                groups.swap(place, other);
            }
        }
        groups
    }
}
