//! Models of a known kind trained anew, for the attack by shadow models.

use std::path::Path;

use semblant_core::checkpoint::Checkpoint;
use semblant_core::synthesizer::{Run, SampleRequest};
use semblant_core::{Error, Result};
use semblant_data::table::Table;

use crate::{Device, table_model};

/// The kind and the settings of the table model in a file.
#[derive(Debug, Clone)]
pub struct Recipe {
    model: String,
    settings: serde_json::Value,
    device: Device,
}

impl Recipe {
    /// Reads them; `device` is where models are trained by it.
    ///
    /// # Errors
    /// A file that is missing, damaged, of another version, or no model of tables.
    pub fn read(path: impl AsRef<Path>, device: &Device) -> Result<Self> {
        let path = path.as_ref();
        let file = Checkpoint::read(path)?;
        // Models without settings keep none.
        let settings = if file.metadata.contains_key("config") { file.metadata_as("config", path)? } else { serde_json::json!({}) };
        let model = file.model().to_owned();
        table_model(&model, settings.clone()).map_err(|error| Error::checkpoint(path, error.to_string()))?;
        Ok(Self { model, settings, device: device.clone() })
    }

    /// Trains such a model on `rows` and lets it make `count` rows.
    ///
    /// # Errors
    /// As fitting and sampling.
    pub fn train_and_sample(&self, rows: &Table, count: u64, seed: u64) -> Result<Table> {
        let mut model = table_model(&self.model, self.settings.clone())?;
        model.fit(rows, &mut Run::new(self.device.clone(), seed))?;
        Ok(model.sample(&SampleRequest::new(count, seed))?.data)
    }
}
