//! CTGAN and TVAE, the two models of "Modeling tabular data using conditional GAN" (Xu et al. 2019), written from the paper.
#![cfg_attr(not(test), warn(clippy::disallowed_methods))]

pub mod activate;
pub mod condition_sampler;
pub mod conditions;
pub mod critic;
pub mod ctgan;
pub mod generator;
mod pipeline;
pub mod row_layout;
mod sample;
pub mod spans;
mod stopping;
pub mod tvae;

use semblant_core::synthesizer::Entry;
use semblant_data::table::Table;

/// The models of this family.
pub const MODELS: &[Entry<Table>] = &[pipeline::entry::<ctgan::Ctgan>(), pipeline::entry::<tvae::Tvae>()];
