//! Fidelity, utility and privacy of synthetic data, and the report.
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
//! [`evaluate`] compares tables and [`report::report_images`] images. The metrics of tables are in [`table`], those of images in [`image`], the learners in [`learn`],
//! membership inference in [`membership`]. Every random choice has a seed, and no result depends on the number of threads.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod bootstrap;
mod components;
pub mod database;
mod error;
pub mod image;
pub mod learn;
pub mod membership;
mod nearest;
mod random;
pub mod report;
pub mod series;
pub mod significance;
pub mod table;
pub mod text;

pub use bootstrap::Estimate;
pub use error::{Error, Result};
pub use report::{Options, Report, evaluate, evaluate_with_shadows};
