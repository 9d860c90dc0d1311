//! Models of a known kind trained anew, for the attack by shadow models.

use std::path::Path;

use semblant_core::checkpoint::Checkpoint;
use semblant_core::synthesizer::{Run, SampleRequest, Synthesizer};
use semblant_core::{Error, Result};
use semblant_data::image::Images;
use semblant_data::table::Table;

use crate::registry::{DataKind, data_kind};
use crate::{Device, image_model, table_model};

/// The kind and the settings of the model in a file.
#[derive(Debug, Clone)]
pub struct Recipe {
    model: String,
    settings: serde_json::Value,
    device: Device,
}

impl Recipe {
    /// Reads those of a model for tables or for images; `device` is where models are trained by it.
    ///
    /// # Errors
    /// A file that is missing, damaged, of another version, or no model of that kind of data.
    pub fn read(path: impl AsRef<Path>, kind: DataKind, device: &Device) -> Result<Self> {
        let path = path.as_ref();
        let file = Checkpoint::read(path)?;
        // Models without settings keep none.
        let settings = if file.metadata.contains_key("config") { file.metadata_as("config", path)? } else { serde_json::json!({}) };
        let recipe = Self { model: file.model().to_owned(), settings, device: device.clone() };
        let named = |error: Error| Error::checkpoint(path, error.to_string());
        if data_kind(&recipe.model).map_err(named)? != kind {
            let [asked, other] = match kind {
                DataKind::Table => ["tables", "images"],
                DataKind::Image => ["images", "tables"],
            };
            return Err(Error::checkpoint(path, format!("{} is a model of {other}, and what is attacked are {asked}", recipe.model)));
        }
        match kind {
            DataKind::Table => recipe.table().map(drop),
            DataKind::Image => recipe.image().map(drop),
        }
        .map_err(named)?;
        Ok(recipe)
    }

    fn table(&self) -> Result<Box<dyn Synthesizer<Data = Table>>> {
        table_model(&self.model, self.settings.clone())
    }

    fn image(&self) -> Result<Box<dyn Synthesizer<Data = Images>>> {
        image_model(&self.model, self.settings.clone())
    }

    /// Trains such a model on `rows` and lets it make `count` rows.
    ///
    /// # Errors
    /// As fitting and sampling, and when this is no model of tables.
    pub fn train_and_sample(&self, rows: &Table, count: u64, seed: u64) -> Result<Table> {
        made(self.table()?, rows, count, Run::new(self.device.clone(), seed))
    }

    /// Trains such a model on `images` and lets it make `count` images.
    ///
    /// # Errors
    /// As fitting and sampling, and when this is no model of images.
    pub fn train_and_sample_images(&self, images: &Images, count: u64, seed: u64) -> Result<Images> {
        made(self.image()?, images, count, Run::new(self.device.clone(), seed))
    }
}

fn made<D>(mut model: Box<dyn Synthesizer<Data = D>>, data: &D, count: u64, mut run: Run) -> Result<D> {
    model.fit(data, &mut run)?;
    Ok(model.sample(&SampleRequest::new(count, run.seed))?.data)
}
