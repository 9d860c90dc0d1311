//! `masked-diffusion`, the default model of tables: masked diffusion over the columns of a row.
//!
//! ```
//! use semblant_core::synthesizer::{Run, Synthesizer};
//! use semblant_core::train_config::TrainConfig;
//! use semblant_data::table::{TableRequest, simulate_patients};
//! use semblant_tabular_masked::{MaskedDiffusion, MaskedDiffusionConfig};
//!
//! # fn main() -> semblant_core::Result<()> {
//! let defaults = MaskedDiffusionConfig::default();
//! let mut model = MaskedDiffusion::new(MaskedDiffusionConfig { train: TrainConfig { rows: 6_400, ..defaults.train }, ..defaults })?;
//! model.fit(&simulate_patients(300, 0), &mut Run::new(semblant_core::device::select("cpu")?, 0))?;
//! // Conditions hold in every row, and nothing is drawn in vain for them.
//! let made = model.sample(&TableRequest::new(10, 0).with("smoker", "yes").with_between("age", 30.0, 40.0))?;
//! assert_eq!((made.data.rows(), made.drawn_rows), (10, 10));
//! # Ok(())
//! # }
//! ```
//!
//! - [`masked_diffusion`]: the model. [`net`]: its network. [`sampling`]: rows, conditions, likelihood.
//! - [`batches`]: what a training step sees.
//! - [`tokens`] and [`bins`]: columns as tokens, and back. [`features`]: cells for other networks.
#![cfg_attr(not(test), warn(clippy::disallowed_methods))]

pub mod asked;
pub mod batches;
pub mod bins;
mod calibration;
pub mod features;
pub mod masked_diffusion;
pub mod net;
pub mod sampling;
pub mod tokens;

use semblant_core::synthesizer::Entry;
use semblant_data::table::Table;
use semblant_tabular::{TableSynthesizer, entry};

pub use masked_diffusion::MaskedDiffusionConfig;

/// Masked diffusion over columns with its settings, fitted or not.
pub type MaskedDiffusion = TableSynthesizer<MaskedDiffusionConfig>;

/// The models of this family.
pub const MODELS: &[Entry<Table>] = &[entry::<MaskedDiffusionConfig>()];
