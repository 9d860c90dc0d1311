//! Where data comes from: a path, or the name of a public data set.

use std::path::{Path, PathBuf};

use semblant_core::data::Data;
use semblant_core::{Error, Result};
use semblant_data::catalog::Catalog;
use serde_json::Value;

/// The folders in which public data sets are looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataFolders {
    /// A folder of the user's that already holds data sets.
    pub data: Option<PathBuf>,
    /// Where downloads are kept.
    pub cache: PathBuf,
}

/// A file, a folder, or a part of a public data set.
#[derive(Debug, Clone, PartialEq)]
pub struct Source {
    name: String,
    path: PathBuf,
    /// The kind and the manifest of a public data set.
    dataset: Option<(&'static str, Value)>,
}

impl Source {
    /// The file or folder at a path, whatever its name.
    pub fn of_path(path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        Self { name: path.to_string_lossy().into_owned(), path, dataset: None }
    }

    /// A path, or the name of a data set: `adult`, or `adult:test` for another part than `part`.
    ///
    /// # Errors
    /// A data set whose file is not there, or that has no such part.
    pub fn named(text: &str, part: &str, folders: &DataFolders) -> Result<Self> {
        let (name, part) = text.split_once(':').unwrap_or((text, part));
        if Path::new(text).exists() || !Catalog::names().any(|known| known == name) {
            return Ok(Self::of_path(text));
        }
        let dataset = Catalog::get(name)?;
        let path = dataset.locate(part, folders.data.as_deref(), &folders.cache)?;
        let manifest = dataset.manifest(part, folders.data.as_deref(), &folders.cache)?;
        Ok(Self { name: text.to_owned(), path, dataset: Some((dataset.kind(), manifest)) })
    }

    /// The path, or the name of the data set, as it was typed.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The file or folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The kind of data, where a public data set says it.
    pub fn kind(&self) -> Option<&'static str> {
        self.dataset.as_ref().map(|(kind, _)| *kind)
    }

    /// `options` with what the data set's manifest says.
    ///
    /// # Errors
    /// A data set of another kind.
    pub fn completed<D: Data>(&self, options: D::OpenOptions) -> Result<D::OpenOptions> {
        let Some((kind, manifest)) = &self.dataset else { return Ok(options) };
        if *kind != D::KIND {
            let what = format!("data set \"{}\" holds {kind}, not {}; use a model for {kind}", self.name, D::KIND);
            return Err(Error::Data(what));
        }
        D::complete_options(options, manifest)
    }
}
