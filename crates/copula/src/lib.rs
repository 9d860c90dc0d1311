//! Table models that need no training: a Gaussian copula and independent columns.
//!
//! Both are fitted in seconds, meet every condition in every row without refusing any, and make the same row `i` of a seed in any slice. They are the baselines that a trained model has to beat.
//!
//! ```
//! use semblant_copula::GaussianCopula;
//! use semblant_core::synthesizer::{Run, Synthesizer};
//! use semblant_data::table::{TableRequest, simulate_patients};
//!
//! # fn main() -> Result<(), semblant_core::Error> {
//! let mut model = GaussianCopula::default();
//! model.fit(&simulate_patients(1_000, 0), &mut Run::new(semblant_core::device::select("cpu")?, 0))?;
//! let smokers = model.sample(&TableRequest::new(100, 42).with("smoker", "yes"))?.data;
//! assert!((0..100).all(|row| smokers.columns()[5].label(row) == Some("yes")));
//! # Ok(())
//! # }
//! ```
#![cfg_attr(not(test), warn(clippy::disallowed_methods))]

mod correlation;
mod fitted;
mod marginal;
mod models;
mod plan;

pub use fitted::Fitted;
pub use models::{CopulaConfig, GaussianCopula, IndependentColumns, IndependentConfig, MODELS};
