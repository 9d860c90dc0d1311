//! Diffusion and flow models.
//!
//! - [`process`]: noise levels and what a network predicts at them; [`schedule`]: which levels a solver visits.
//! - [`networks`]: what predicts. [`exchange`]: models from and for Python's diffusers.

pub mod exchange;
pub mod networks;
pub mod process;
pub mod schedule;
