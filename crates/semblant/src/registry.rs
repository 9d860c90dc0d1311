//! All models of all families, by name.

use std::path::Path;

use burn::tensor::Device;
use semblant_core::checkpoint::Checkpoint;
use semblant_core::device;
use semblant_core::synthesizer::{Entry, Synthesizer};
use semblant_core::{Error, Result};
use semblant_data::image::Images;
use semblant_data::table::Table;

/// The families with models for tables, in the order in which they are listed.
const TABLE_FAMILIES: &[&[Entry<Table>]] = &[semblant_tabular_ctgan::MODELS, semblant_copula::MODELS];

/// The families with models for images.
const IMAGE_FAMILIES: &[&[Entry<Images>]] =
    &[semblant_diffusion::MODELS, semblant_gan::MODELS, semblant_vae::MODELS, crate::latent::MODELS];

/// What a model learns from and makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DataKind {
    /// Tables.
    Table,
    /// Images.
    Image,
}

/// The models for tables.
pub fn table_models() -> impl Iterator<Item = &'static Entry<Table>> {
    TABLE_FAMILIES.iter().flat_map(|family| family.iter())
}

/// The models for images.
pub fn image_models() -> impl Iterator<Item = &'static Entry<Images>> {
    IMAGE_FAMILIES.iter().flat_map(|family| family.iter())
}

/// What the model called `name` learns from.
///
/// # Errors
/// A name that is not known; the message lists those there are.
pub fn data_kind(name: &str) -> Result<DataKind> {
    if table_models().any(|entry| entry.name == name) {
        return Ok(DataKind::Table);
    }
    find(image_models(), name, &names()).map(|_| DataKind::Image)
}

/// An unfitted table model with these settings; fields left out have their defaults.
///
/// # Errors
/// A name or a setting that is not known, or a setting out of its range.
pub fn table_model(name: &str, settings: serde_json::Value) -> Result<Box<dyn Synthesizer<Data = Table>>> {
    (find(table_models(), name, &names_of(table_models()))?.build)(settings)
}

/// An unfitted image model with these settings; fields left out have their defaults.
///
/// # Errors
/// A name or a setting that is not known, or a setting out of its range.
pub fn image_model(name: &str, settings: serde_json::Value) -> Result<Box<dyn Synthesizer<Data = Images>>> {
    (find(image_models(), name, &names_of(image_models()))?.build)(settings)
}

/// The fitted table model in a file.
///
/// # Errors
/// A file that is missing, damaged, or of another version or kind.
pub fn load_table_model(path: impl AsRef<Path>, device: &str) -> Result<Box<dyn Synthesizer<Data = Table>>> {
    load(table_models(), path.as_ref(), device)
}

/// The fitted image model in a file.
///
/// # Errors
/// A file that is missing, damaged, or of another version or kind.
pub fn load_image_model(path: impl AsRef<Path>, device: &str) -> Result<Box<dyn Synthesizer<Data = Images>>> {
    load(image_models(), path.as_ref(), device)
}

/// A fitted model of any kind.
pub enum AnyModel {
    /// A model of tables.
    Table(Box<dyn Synthesizer<Data = Table>>),
    /// A model of images.
    Image(Box<dyn Synthesizer<Data = Images>>),
}

/// The fitted model in a file, whatever it makes, or in a folder that Python's diffusers wrote.
///
/// # Errors
/// A file or folder that is missing, damaged, or of another version.
pub fn load_model(path: impl AsRef<Path>, device: &str) -> Result<AnyModel> {
    load_model_on(path, &device::select(device)?)
}

/// As [`load_model`], on a device that is chosen already.
///
/// # Errors
/// As [`load_model`].
pub fn load_model_on(path: impl AsRef<Path>, device: &Device) -> Result<AnyModel> {
    let path = path.as_ref();
    if path.is_dir() && semblant_vae::kl::folder::is_autoencoder(path) {
        return semblant_vae::open_folder(path, device).map(AnyModel::Image);
    }
    if path.is_dir() {
        return semblant_diffusion::exchange::open_folder(path, device).map(AnyModel::Image);
    }
    let file = Checkpoint::read(path)?;
    if let Some(entry) = table_models().find(|entry| entry.name == file.model()) {
        return Ok(AnyModel::Table((entry.load)(&file, path, device)?));
    }
    let entry = find(image_models(), file.model(), &names()).map_err(|error| Error::checkpoint(path, error.to_string()))?;
    Ok(AnyModel::Image((entry.load)(&file, path, device)?))
}

fn load<D: 'static>(models: impl Iterator<Item = &'static Entry<D>>, path: &Path, device: &str) -> Result<Box<dyn Synthesizer<Data = D>>> {
    let device = device::select(device)?;
    let file = Checkpoint::read(path)?;
    let models: Vec<_> = models.collect();
    let known = names_of(models.iter().copied());
    let entry = find(models.into_iter(), file.model(), &known).map_err(|error| Error::checkpoint(path, error.to_string()))?;
    (entry.load)(&file, path, &device)
}

fn names_of<D: 'static>(models: impl Iterator<Item = &'static Entry<D>>) -> String {
    models.map(|entry| entry.name).collect::<Vec<_>>().join(", ")
}

fn names() -> String {
    format!("{} for tables and {} for images", names_of(table_models()), names_of(image_models()))
}

fn find<D: 'static>(mut models: impl Iterator<Item = &'static Entry<D>>, name: &str, known: &str) -> Result<&'static Entry<D>> {
    models.find(|entry| entry.name == name).ok_or_else(|| Error::Config(format!("no model is called \"{name}\"; there are {known}")))
}
