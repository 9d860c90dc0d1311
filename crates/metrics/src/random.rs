//! Random numbers of metrics: orders and choices of rows.

use semblant_core::seeds::Sequence;
use semblant_core::seeds::streams::EVALUATION;

/// Numbers for `seed`; `purpose` keeps those of different uses apart.
pub(crate) fn random(seed: u64, purpose: u64) -> Sequence {
    EVALUATION.of(seed).sequence(purpose)
}

/// `count` different indices below `rows`, ascending; all of them when `count` is not smaller.
pub(crate) fn subsample(rows: usize, count: usize, seed: u64, purpose: u64) -> Vec<usize> {
    let mut indices: Vec<usize> = (0..rows).collect();
    if count >= rows {
        return indices;
    }
    random(seed, purpose).shuffle(&mut indices);
    indices.truncate(count);
    indices.sort_unstable();
    indices
}
