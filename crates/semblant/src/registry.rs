//! All models by kind of data and name, open for models and kinds of your own.

use std::any::Any;
use std::path::Path;

use burn::tensor::Device;
use semblant_core::checkpoint::Checkpoint;
use semblant_core::data::Data;
use semblant_core::synthesizer::{Entry, Synthesizer};
use semblant_core::{Error, Result, device};
use serde_json::Value;

#[cfg(feature = "metrics")]
use crate::modality::Evaluator;
use crate::modality::{Kind, Modality};

/// The kinds of data and their models.
///
/// ```
/// use semblant::prelude::*;
///
/// # fn main() -> semblant::Result<()> {
/// let registry = Registry::default();
/// let mut model = registry.model::<Table>("copula", serde_json::json!({}))?;
/// model.fit(&semblant::data::table::simulate_patients(300, 0), &mut Run::new(semblant::device::select("cpu")?, 1))?;
/// # Ok(())
/// # }
/// ```
pub struct Registry {
    kinds: Vec<Box<dyn Modality>>,
}

impl Default for Registry {
    /// All kinds and models of this library.
    fn default() -> Self {
        let registry = Self::empty();
        #[cfg(feature = "tables")]
        let registry = registry.with_kind(crate::kinds::tables());
        #[cfg(feature = "images")]
        let registry = registry.with_kind(crate::kinds::images());
        #[cfg(feature = "series")]
        let registry = registry.with_kind(crate::kinds::series());
        #[cfg(feature = "databases")]
        let registry = registry.with_kind(crate::kinds::databases());
        #[cfg(feature = "text")]
        let registry = registry.with_kind(crate::kinds::text());
        registry
    }
}

impl Registry {
    /// No kinds.
    pub fn empty() -> Self {
        Self { kinds: Vec::new() }
    }

    /// The same with a model of your own; its kind of data is added if it is not there yet. A model of the same name is replaced.
    pub fn with<D: Data>(mut self, entry: Entry<D>) -> Self {
        match self.kind_mut::<D>() {
            Some(kind) => kind.add(entry),
            None => self.kinds.push(Box::new(Kind::new(&[&[entry]]))),
        }
        self
    }

    /// The same with a kind of data; one of the same name is replaced.
    pub fn with_kind<D: Data>(mut self, kind: Kind<D>) -> Self {
        self.kinds.retain(|known| known.kind() != D::KIND);
        self.kinds.push(Box::new(kind));
        self
    }

    /// The same with a way to evaluate data of kind `D`.
    #[cfg(feature = "metrics")]
    pub fn with_evaluator<D: Data>(mut self, evaluator: impl Evaluator<D> + 'static) -> Self {
        if self.kind_mut::<D>().is_none() {
            self.kinds.push(Box::new(Kind::<D>::new(&[])));
        }
        if let Some(kind) = self.kind_mut::<D>() {
            kind.set_evaluator(evaluator);
        }
        self
    }

    fn kind_mut<D: Data>(&mut self) -> Option<&mut Kind<D>> {
        self.kinds.iter_mut().find_map(|kind| (kind.as_mut() as &mut dyn Any).downcast_mut())
    }

    fn kind_of<D: Data>(&self) -> Result<&Kind<D>> {
        let found = self.kinds.iter().find_map(|kind| (kind.as_ref() as &dyn Any).downcast_ref());
        found.ok_or_else(|| Error::Config(format!("no kind of data is called \"{}\"; there are {}", D::KIND, self.kind_names())))
    }

    /// The kinds of data.
    pub fn kinds(&self) -> impl Iterator<Item = &dyn Modality> {
        self.kinds.iter().map(Box::as_ref)
    }

    fn kind_names(&self) -> String {
        self.kinds().map(Modality::kind).collect::<Vec<_>>().join(", ")
    }

    /// The kind of data of this name.
    ///
    /// # Errors
    /// A name that is not known; the message lists those there are.
    pub fn kind(&self, name: &str) -> Result<&dyn Modality> {
        let unknown = || Error::Config(format!("no kind of data is called \"{name}\"; there are {}", self.kind_names()));
        self.kinds().find(|kind| kind.kind() == name).ok_or_else(unknown)
    }

    /// The kind of data that the model called `name` is for.
    ///
    /// # Errors
    /// A name that is not known; the message lists those there are.
    pub fn kind_of_model(&self, name: &str) -> Result<&dyn Modality> {
        let has = |kind: &&dyn Modality| kind.models().iter().any(|model| model.name == name);
        self.kinds().find(has).ok_or_else(|| {
            let of_kind = |kind: &dyn Modality| {
                let names = kind.models().iter().map(|model| model.name).collect::<Vec<_>>().join(", ");
                format!("{names} for {}", kind.kind())
            };
            let known = self.kinds().map(of_kind).collect::<Vec<_>>().join("; ");
            Error::Config(format!("no model is called \"{name}\"; there are {known}"))
        })
    }

    /// The kind of data that a file or folder with a model is for.
    ///
    /// # Errors
    /// A file or folder that is missing, damaged, or holds a model that is not known.
    pub fn kind_of_file(&self, path: &Path) -> Result<&dyn Modality> {
        if path.is_dir() {
            let none = || Error::checkpoint(path, "is a folder from which no model can be imported");
            return self.kinds().find(|kind| kind.imports(path)).ok_or_else(none);
        }
        let file = Checkpoint::read(path)?;
        let found = match file.kind() {
            Some(kind) => self.kind(kind),
            // Files of older versions do not name their kind.
            None => self.kind_of_model(file.model()),
        };
        found.map_err(|error| Error::checkpoint(path, error.to_string()))
    }

    /// The models for data of kind `D`.
    pub fn models<D: Data>(&self) -> impl Iterator<Item = &Entry<D>> {
        self.kind_of::<D>().into_iter().flat_map(|kind| kind.entries())
    }

    /// An unfitted model with these settings; fields left out have their defaults.
    ///
    /// # Errors
    /// A name or a setting that is not known, or a setting out of its range.
    pub fn model<D: Data>(&self, name: &str, settings: Value) -> Result<Box<dyn Synthesizer<D>>> {
        (self.kind_of::<D>()?.entry(name)?.build)(settings)
    }

    /// The fitted model in a file, or in a folder of another program.
    ///
    /// # Errors
    /// A file that is missing, damaged, of another version, or for another kind of data.
    pub fn load<D: Data>(&self, path: impl AsRef<Path>, device: &Device) -> Result<Box<dyn Synthesizer<D>>> {
        self.kind_of::<D>()?.load(path.as_ref(), device)
    }
}

/// An unfitted model of this library with these settings; fields left out have their defaults.
///
/// # Errors
/// As [`Registry::model`].
pub fn model<D: Data>(name: &str, settings: Value) -> Result<Box<dyn Synthesizer<D>>> {
    Registry::default().model(name, settings)
}

/// The fitted model in a file, on a device by name (`cpu`, `auto`, `cuda:0`...).
///
/// # Errors
/// As [`Registry::load`], and a device that this build or machine does not offer.
pub fn load<D: Data>(path: impl AsRef<Path>, device: &str) -> Result<Box<dyn Synthesizer<D>>> {
    Registry::default().load(path, &device::select(device)?)
}
