//! CTGAN and TVAE, the two models of "Modeling tabular data using conditional GAN" (Xu et al. 2019), written from the paper.
//!
//! ```
//! use semblant_core::synthesizer::{Run, Synthesizer};
//! use semblant_core::train_config::TrainConfig;
//! use semblant_data::table::{TableRequest, simulate_patients};
//! use semblant_tabular_ctgan::{Ctgan, CtganConfig};
//!
//! # fn main() -> semblant_core::Result<()> {
//! let mut model = Ctgan::new(CtganConfig { train: TrainConfig { epochs: 1, batch_rows: 100, ..CtganConfig::default().train }, ..CtganConfig::default() })?;
//! model.fit(&simulate_patients(200, 0), &mut Run::new(semblant_core::device::select("cpu")?, 0))?;
//! let rows = model.sample(&TableRequest::new(10, 0).with("smoker", "yes"))?.data;
//! assert_eq!(rows.rows(), 10);
//! # Ok(())
//! # }
//! ```
#![cfg_attr(not(test), warn(clippy::disallowed_methods))]

pub mod activate;
pub mod condition_sampler;
pub mod conditions;
pub mod ctgan;
pub mod generator;
pub mod row_layout;
mod sizes;
pub mod spans;
pub mod tvae;

use semblant_core::synthesizer::Entry;
use semblant_data::table::Table;
use semblant_tabular::{TableSynthesizer, entry};

pub use ctgan::CtganConfig;
pub use tvae::TvaeConfig;

/// CTGAN with its settings, fitted or not.
pub type Ctgan = TableSynthesizer<CtganConfig>;
/// TVAE with its settings, fitted or not.
pub type Tvae = TableSynthesizer<TvaeConfig>;

/// The models of this family.
pub const MODELS: &[Entry<Table>] = &[entry::<CtganConfig>(), entry::<TvaeConfig>()];
