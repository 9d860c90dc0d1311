//! Table models that need no training: a Gaussian copula and independent columns.
//!
//! Both are fitted in seconds, meet every condition in every row without refusing any, and make row `i` of a seed alike in whatever
//! slice it is asked for. They are the baselines that a trained model has to beat.
//!
//! ```
//! use semblant_copula::GaussianCopula;
//! use semblant_core::synthesizer::{Condition, SampleRequest, Wanted};
//! use semblant_data::table::simulate_patients;
//!
//! # fn main() -> Result<(), semblant_core::Error> {
//! let model = GaussianCopula::fitted(&simulate_patients(1_000, 0))?;
//! let mut request = SampleRequest::new(100, 42);
//! request.conditions.push(Condition { column: "smoker".into(), wanted: Wanted::Is("yes".into()) });
//! let smokers = model.make(&request)?.data;
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

pub use models::{GaussianCopula, IndependentColumns, MODELS};
