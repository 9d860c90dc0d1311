//! Tables from declared logic: a [`Spec`] says what the columns are, a [`Plan`] checks it, and a [`Generator`] makes any rows of it.
//!
//! ```
//! use semblant_rules::{Generator, NoModels, Plan, Spec};
//!
//! # fn main() -> Result<(), semblant_rules::Error> {
//! let text = r#"
//! [[table]]
//! name = "people"
//! rows = 1000
//!
//! [[table.column]]
//! name = "age"
//! type = "integer"
//! draw = { normal = { mean = 45, sd = 15 } }
//! truncate = [18, 90]
//!
//! [[table.column]]
//! name = "income"
//! decimals = 2
//! draw = { lognormal = { mu = "7 + 0.01 * age", sigma = 0.4 } }
//! "#;
//! let plan = Plan::new(&Spec::parse("people.toml", text)?, "people.toml", &NoModels)?;
//! let people = Generator::new(&plan, 7, 1.0)?;
//! assert_eq!(people.rows("people", 100..200)?.rows(), 100);
//! # Ok(())
//! # }
//! ```
//!
//! Every value is a function of (seed, table, column, row), drawn by Philox numbers at that address: a row is the same in every slice, on every
//! number of threads, and a column that is added leaves the others as they were.
#![cfg_attr(not(test), warn(clippy::disallowed_methods))]

mod bits;
mod calendar;
mod children;
mod draft;
mod error;
mod generate;
mod laws;
mod permutation;
mod plan;
mod source;
pub mod spec;
mod synthesizer;
mod text;
mod values;

pub use draft::{Proposed, draft};
pub use error::{Error, Place, Result};
pub use generate::{CHUNK, Generator, Spoiled};
pub use plan::{Model, Models, NoModels, Plan};
pub use spec::Spec;
pub use synthesizer::{MakeModels, RulesConfig, RulesModel};
