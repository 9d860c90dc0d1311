//! Bounds on sizes that settings may ask for, and the length of runs that ask for none.

use semblant_core::config::check_range;
use semblant_core::{Error, Result};

/// The passes over a table, as in the paper.
pub(crate) const USUAL_EPOCHS: u64 = 300;

/// Refuses a `min_steps` that no run ends with.
pub(crate) fn check_min_steps(steps: u64) -> Result<()> {
    const MOST_STEPS: u64 = 1 << 30;
    check_range("min_steps", steps, 0, MOST_STEPS)
}

/// Refuses widths that no table needs, before they exhaust the memory.
pub(crate) fn check_widths<'a>(noise: usize, widths: impl Iterator<Item = &'a usize>) -> Result<()> {
    const WIDEST: usize = 1 << 16;
    const MOST_LAYERS: usize = 64;
    let widths: Vec<&usize> = widths.collect();
    if noise > WIDEST || widths.iter().any(|&&width| width > WIDEST) {
        return Err(Error::Config(format!("the noise and every layer must be at most {WIDEST} wide")));
    }
    check_range("the number of layers", widths.len(), 0, MOST_LAYERS)
}
