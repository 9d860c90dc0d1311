//! All models of all families, by name.

use std::path::Path;

use semblant_core::checkpoint::Checkpoint;
use semblant_core::device;
use semblant_core::synthesizer::{Entry, Synthesizer};
use semblant_core::{Error, Result};
use semblant_data::table::Table;

/// The families with models for tables, in the order in which they are listed.
const TABLE_FAMILIES: &[&[Entry<Table>]] = &[semblant_tabular_ctgan::MODELS, semblant_copula::MODELS];

/// The models for tables.
pub fn table_models() -> impl Iterator<Item = &'static Entry<Table>> {
    TABLE_FAMILIES.iter().flat_map(|family| family.iter())
}

/// An unfitted table model with these settings; fields left out have their defaults.
///
/// # Errors
/// A name or a setting that is not known, or a setting out of its range.
pub fn table_model(name: &str, settings: serde_json::Value) -> Result<Box<dyn Synthesizer<Data = Table>>> {
    (find(name)?.build)(settings)
}

/// The fitted table model in a file.
///
/// # Errors
/// A file that is missing, damaged, or of another version or kind.
pub fn load_table_model(path: impl AsRef<Path>, device: &str) -> Result<Box<dyn Synthesizer<Data = Table>>> {
    let path = path.as_ref();
    let device = device::select(device)?;
    let file = Checkpoint::read(path)?;
    let entry = find(file.model()).map_err(|error| Error::checkpoint(path, error.to_string()))?;
    (entry.load)(&file, path, &device)
}

fn find(name: &str) -> Result<&'static Entry<Table>> {
    table_models().find(|entry| entry.name == name).ok_or_else(|| {
        let known: Vec<&str> = table_models().map(|entry| entry.name).collect();
        Error::Config(format!("no model is called \"{name}\"; there are {}", known.join(", ")))
    })
}
