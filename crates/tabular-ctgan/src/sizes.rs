//! Bounds on sizes that settings may ask for.

use semblant_core::{Error, Result};

/// Refuses sizes that no table needs, before they overflow a count of rows or exhaust the memory.
pub(crate) fn check_size<'a>(epochs: u64, batch_rows: u64, noise: usize, mut widths: impl Iterator<Item = &'a usize>) -> Result<()> {
    const MOST_EPOCHS: u64 = 1_000_000;
    const MOST_ROWS: u64 = 1 << 20;
    const WIDEST: usize = 1 << 16;
    if epochs > MOST_EPOCHS || batch_rows > MOST_ROWS {
        return Err(Error::Config(format!(
            "epochs = {epochs} must be at most {MOST_EPOCHS} and batch_rows = {batch_rows} at most {MOST_ROWS}"
        )));
    }
    if noise > WIDEST || widths.any(|&width| width > WIDEST) {
        return Err(Error::Config(format!("the noise and every layer must be at most {WIDEST} wide")));
    }
    Ok(())
}
