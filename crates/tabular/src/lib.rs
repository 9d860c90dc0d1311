//! What all table models share: from a configuration to a [`Synthesizer`](semblant_core::synthesizer::Synthesizer), and from
//! conditions to rows that meet them.
//!
//! A table model is a configuration that implements [`TableModel`]. [`entry`] makes of it what the registry lists;
//! [`TableSynthesizer`] is the user's type. A network that learns encoded rows implements [`EncodedModel`] instead, which brings the
//! transform of the table, conditions by rejection, and the file.
//!
//! - [`completion`]: filling missing cells, and the likelihood of rows.
//! - [`conditions`]: SQL conditions, in terms of the columns.
//! - [`constraints`]: what holds in every row, learned and sampled.
//! - [`filter`]: conditions, interpreted once for every model.
//! - [`rejection`]: rows from a network that meet the conditions, with bounded effort.
//! - [`early_stopping`]: how far sampled rows are from the table.
//! - [`small_tables`]: the length of a run over few rows.
#![cfg_attr(not(test), warn(clippy::disallowed_methods))]

pub mod completion;
pub mod conditions;
pub mod constraints;
pub mod early_stopping;
mod encoded;
pub mod filter;
pub mod preparation;
pub mod rejection;
pub mod small_tables;
mod synthesizer;

pub use encoded::{EncodedFitted, EncodedModel, TrainingData};
pub use synthesizer::{TableModel, TableSynthesizer, entry};
