//! Fidelity, utility and privacy of synthetic tables, and the report that shows them.
//!
//! ```
//! use semblant_data::table::{Column, ColumnKind, Table};
//! use semblant_metrics::{Options, evaluate};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let real = Table::from_columns(vec![
//!     ("age", ColumnKind::Integer, Column::Number(vec![31.0, 47.0, f64::NAN, 52.0])),
//!     ("smoker", ColumnKind::Boolean, Column::from_labels([Some("no"), Some("yes"), Some("no"), Some("yes")])),
//! ])?;
//! let report = evaluate(&real, &real.clone(), None, &Options::default(), &mut |_stage| {})?;
//! assert_eq!(report.score("column_shapes").and_then(|score| score.value), Some(1.0));
//! let page = report.to_html();
//! assert!(page.starts_with("<!DOCTYPE html>"));
//! # Ok(())
//! # }
//! ```
//!
//! Images are judged in [`image`]. The single metrics for tables stand in [`table`]; the boosted trees that some of them train in [`learn`]; everything at once in [`evaluate`].
//! Nothing here is sampled without a seed, and no result depends on the number of threads.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod bootstrap;
mod error;
pub mod image;
pub mod learn;
pub mod membership;
mod nearest;
mod random;
pub mod report;
pub mod table;

pub use bootstrap::Estimate;
pub use error::{Error, Result};
pub use report::{Options, Report, evaluate, evaluate_with_shadows};
