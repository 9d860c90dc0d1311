//! Bounds on sizes that settings may ask for.

use semblant_core::{Error, Result};

/// Refuses widths that no table needs, before they exhaust the memory.
pub(crate) fn check_widths<'a>(noise: usize, mut widths: impl Iterator<Item = &'a usize>) -> Result<()> {
    const WIDEST: usize = 1 << 16;
    if noise > WIDEST || widths.any(|&width| width > WIDEST) {
        return Err(Error::Config(format!("the noise and every layer must be at most {WIDEST} wide")));
    }
    Ok(())
}
