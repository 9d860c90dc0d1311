//! Data as users know it, and the way between it and tensors: [`table`]s, [`image`]s, [`series`], [`text`], [`database`]s of related tables, and the [`catalog`] of public data sets.
//!
//! ```
//! use semblant_data::table::{Column, ColumnKind, Table};
//!
//! # fn main() -> Result<(), semblant_data::Error> {
//! let table = Table::from_columns(vec![
//!     ("age", ColumnKind::Integer, Column::Number(vec![31.0, 47.0, f64::NAN])),
//!     ("smoker", ColumnKind::Boolean, Column::from_labels([Some("no"), Some("yes"), Some("no")])),
//! ])?;
//! assert_eq!(table.rows(), 3);
//! assert_eq!(table.column("smoker")?.label(1), Some("yes"));
//! # Ok(())
//! # }
//! ```
#![cfg_attr(not(test), warn(clippy::disallowed_methods))]

mod bounded;
pub mod catalog;
pub mod database;
mod error;
pub mod image;
pub mod series;
pub mod table;
pub mod text;

pub use error::{Error, Result};
