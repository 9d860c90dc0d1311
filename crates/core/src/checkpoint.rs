//! Model files: one safetensors file that describes itself.
//!
//! The tensors are named and laid out as PyTorch would have them, so Python's `safetensors.torch.load_file` opens them. The header's
//! metadata holds the format version, the model's name, its resolved configuration and the fitted transform. There are no training
//! rows in it, and loading runs nothing. Equal contents give equal bytes: tensors and metadata stand in sorted order, and no
//! run-time identifier enters the file.

mod foreign;

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

use burn::module::Module;
use burn::store::{ApplyResult, BurnToPyTorchAdapter, ModuleSnapshot, ModuleStore, PyTorchToBurnAdapter, SafetensorsStore};
use burn::tensor::{DType, Device, Tensor, TensorData};
use safetensors::SafeTensors;
use serde_json::{Value, json};

use crate::data::Data;
use crate::{Error, Result};

/// The version of the layout that this build writes, and the only one it reads.
pub const FORMAT_VERSION: &str = "1";

/// The contents of a model file: metadata as text by key, and raw tensors by name.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Checkpoint {
    /// What the file says of itself.
    pub metadata: BTreeMap<String, String>,
    tensors: BTreeMap<String, StoredTensor>,
}

#[derive(Debug, Clone, PartialEq)]
struct StoredTensor {
    shape: Vec<usize>,
    bytes: Vec<u8>,
}

impl Checkpoint {
    /// An empty file of `model`'s kind.
    pub fn new(model: &str) -> Self {
        let mut metadata = BTreeMap::new();
        metadata.insert("format".into(), "pt".into());
        metadata.insert("semblant_format".into(), FORMAT_VERSION.into());
        metadata.insert("model".into(), model.into());
        Self { metadata, tensors: BTreeMap::new() }
    }

    /// An empty file of a model of data of kind `D`.
    pub fn of<D: Data>(model: &str) -> Self {
        let mut file = Self::new(model);
        file.metadata.insert("kind".into(), D::KIND.into());
        file
    }

    /// The kind of data that the model is for, as [`Data::KIND`]; none in files of versions before 0.2, which did not say.
    pub fn kind(&self) -> Option<&str> {
        self.metadata.get("kind").map(String::as_str)
    }

    /// Checks that the file holds a model of this name.
    ///
    /// # Errors
    /// Names both; the message begins with `path`.
    pub fn expect_model(&self, name: &str, path: &Path) -> Result<()> {
        if self.model() == name {
            return Ok(());
        }
        Err(Error::checkpoint(path, format!("holds a model of kind {}, not {name}; load it by its own name", self.model())))
    }

    /// The model's name.
    pub fn model(&self) -> &str {
        self.metadata.get("model").map_or("", String::as_str)
    }

    /// Names and shapes of the tensors, in order.
    pub fn shapes(&self) -> impl Iterator<Item = (&str, &[usize])> {
        self.tensors.iter().map(|(name, tensor)| (name.as_str(), tensor.shape.as_slice()))
    }

    /// Gives every tensor a new name, and may change its shape to one of as many values.
    ///
    /// # Panics
    /// When a new shape has another number of values.
    pub fn renamed(mut self, new: impl Fn(&str, &mut Vec<usize>) -> String) -> Self {
        let tensors = std::mem::take(&mut self.tensors);
        for (name, mut tensor) in tensors {
            let name = new(&name, &mut tensor.shape);
            assert_eq!(tensor.shape.iter().product::<usize>() * 4, tensor.bytes.len(), "{name}: a shape of as many values");
            self.tensors.insert(name, tensor);
        }
        self
    }

    /// Adds every parameter of `module`, its names behind `prefix` and a dot, or as they are where that is empty.
    ///
    /// # Errors
    /// A tensor that cannot be read back from its device.
    pub fn add_module<M: Module>(&mut self, prefix: &str, module: &M) -> Result<()> {
        for tensor in module.collect(None, Some(Box::new(BurnToPyTorchAdapter)), true) {
            let name = if prefix.is_empty() { tensor.name.clone() } else { format!("{prefix}.{}", tensor.name) };
            let failed = |what: String| Error::checkpoint(&name, what);
            if tensor.dtype != DType::F32 {
                return Err(failed(format!("only f32 tensors can be written, this one is {:?}", tensor.dtype)));
            }
            let shape = tensor.shape.to_vec();
            let bytes = tensor.into_bytes().map_err(|error| failed(error.to_string()))?.to_vec();
            self.tensors.insert(name, StoredTensor { shape, bytes });
        }
        Ok(())
    }

    /// Adds one flat tensor.
    pub fn add_tensor(&mut self, name: &str, tensor: &Tensor<1>) {
        let bytes = crate::host::read(tensor, |values| values.iter().flat_map(|value| value.to_le_bytes()).collect());
        self.tensors.insert(name.into(), StoredTensor { shape: vec![tensor.dims()[0]], bytes });
    }

    /// Takes a flat tensor out, if there is one of that name.
    pub fn tensor(&self, name: &str, device: &Device) -> Option<Tensor<1>> {
        let stored = self.tensors.get(name).filter(|stored| stored.shape.len() == 1)?;
        let values: Vec<f32> = stored.bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
        let shape = [values.len()];
        Some(Tensor::from_data(TensorData::new(values, shape), device))
    }

    /// Loads the tensors behind `prefix`, or all where that is empty, into a module of the same structure.
    ///
    /// # Errors
    /// A tensor that is missing, of another shape, or left over; the message names it and `path`.
    pub fn load_module<M: Module>(&self, prefix: &str, mut module: M, path: &Path) -> Result<M> {
        let behind = if prefix.is_empty() { String::new() } else { format!("{prefix}.") };
        let mut part = Self::default();
        for (name, tensor) in &self.tensors {
            if let Some(rest) = name.strip_prefix(&behind) {
                part.tensors.insert(rest.into(), tensor.clone());
            }
        }
        let mut store = SafetensorsStore::from_bytes(Some(part.to_bytes()))
            .with_from_adapter(PyTorchToBurnAdapter)
            .skip_enum_variants(true)
            .validate(false)
            .allow_partial(true);
        let failed = |what: String| {
            Error::checkpoint(path, format!("{what}; the file is damaged or was written by another version, fit the model again"))
        };
        let ApplyResult { missing, unused, errors, .. } = store.apply_to(&mut module).map_err(|error| failed(error.to_string()))?;
        if let Some(error) = errors.first() {
            return Err(failed(format!("in \"{prefix}\": {}", one_line(&error.to_string()))));
        }
        if let Some((name, _)) = missing.first() {
            return Err(failed(format!("the tensor {behind}{name} is missing")));
        }
        if let Some(name) = unused.first() {
            return Err(failed(format!("the tensor {behind}{name} has no place in this model")));
        }
        Ok(module)
    }

    /// The file's bytes: the header's length, the header as JSON, the tensors.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut header = serde_json::Map::new();
        if !self.metadata.is_empty() {
            header.insert("__metadata__".into(), json!(self.metadata));
        }
        let mut end = 0;
        for (name, tensor) in &self.tensors {
            let start = end;
            end += tensor.bytes.len();
            header.insert(name.clone(), json!({ "dtype": "F32", "shape": tensor.shape, "data_offsets": [start, end] }));
        }
        let mut header = Value::Object(header).to_string().into_bytes();
        // The format asks that the data begin at a multiple of eight.
        header.resize(header.len().next_multiple_of(8), b' ');
        let mut bytes = Vec::with_capacity(8 + header.len() + end);
        bytes.extend((header.len() as u64).to_le_bytes());
        bytes.extend(header);
        self.tensors.values().for_each(|tensor| bytes.extend(&tensor.bytes));
        bytes
    }

    /// Writes the file: to a temporary name beside `path`, flushed to the disk, then renamed. A crash at any moment leaves the file
    /// that was there before.
    ///
    /// # Errors
    /// When the folder cannot be written or the disk is full; then nothing is left behind.
    pub fn write(&self, path: &Path) -> Result<()> {
        write_atomically(path, &self.to_bytes())
    }

    /// Reads a file written by [`Checkpoint::write`].
    ///
    /// # Errors
    /// A file that is missing, truncated, not safetensors, or of another version.
    pub fn read(path: &Path) -> Result<Self> {
        let bytes = std::fs::read(path).map_err(|source| Error::io(path, source))?;
        Self::from_bytes(&bytes, path)
    }

    /// Reads a file's bytes; `path` only names it in errors.
    ///
    /// # Errors
    /// As [`Checkpoint::read`].
    pub fn from_bytes(bytes: &[u8], path: &Path) -> Result<Self> {
        let damaged = |error: safetensors::SafeTensorError| {
            Error::checkpoint(
                path,
                format!("not a readable model file ({}); was it truncated? fit or copy it again", one_line(&error.to_string())),
            )
        };
        let (_, header) = SafeTensors::read_metadata(bytes).map_err(damaged)?;
        let metadata: BTreeMap<String, String> = header.metadata().clone().unwrap_or_default().into_iter().collect();
        match metadata.get("semblant_format").map(String::as_str) {
            Some(FORMAT_VERSION) => {}
            Some(other) => {
                return Err(Error::checkpoint(
                    path,
                    format!("model format {other}, this build reads format {FORMAT_VERSION}; use the version that wrote it, or fit again"),
                ));
            }
            None => {
                return Err(Error::checkpoint(
                    path,
                    "a safetensors file, but not one of Semblant's models; give a file that `semblant fit` wrote",
                ));
            }
        }
        let mut tensors = BTreeMap::new();
        for (name, view) in SafeTensors::deserialize(bytes).map_err(damaged)?.tensors() {
            if view.dtype() != safetensors::Dtype::F32 {
                return Err(Error::checkpoint(path, format!("the tensor {name} is {:?}, expected F32", view.dtype())));
            }
            tensors.insert(name, StoredTensor { shape: view.shape().to_vec(), bytes: view.data().to_vec() });
        }
        Ok(Self { metadata, tensors })
    }

    /// Adds a piece of metadata, which [`Checkpoint::metadata_as`] gives back.
    ///
    /// # Errors
    /// A value that JSON has no form for; the message names `path`.
    pub fn set_metadata(&mut self, key: &str, value: &impl serde::Serialize, path: &Path) -> Result<()> {
        let text = serde_json::to_string(value).map_err(|error| Error::checkpoint(path, error.to_string()))?;
        self.metadata.insert(key.into(), text);
        Ok(())
    }

    /// A piece of metadata as the type it was written from.
    ///
    /// # Errors
    /// When it is missing or does not parse; the message names the key and `path`.
    pub fn metadata_as<T: serde::de::DeserializeOwned>(&self, key: &str, path: &Path) -> Result<T> {
        let text =
            self.metadata.get(key).ok_or_else(|| Error::checkpoint(path, format!("the metadata has no \"{key}\"; fit the model again")))?;
        serde_json::from_str(text)
            .map_err(|error| Error::checkpoint(path, format!("the metadata \"{key}\" cannot be read ({error}); fit the model again")))
    }
}

/// Writes `bytes` under a temporary name beside `path` and renames it there.
///
/// # Errors
/// When the folder cannot be written or the disk is full, then nothing is left behind; or when there is something at `path` that is no
/// file: renaming would put a file in the place of a device.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> Result<()> {
    if std::fs::metadata(path).is_ok_and(|found| !found.is_file()) {
        return Err(Error::io(path, std::io::Error::new(std::io::ErrorKind::AlreadyExists, "is there and not a file; name another one")));
    }
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(".tmp");
    let temporary = std::path::PathBuf::from(temporary);
    let written = std::fs::File::create(&temporary).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()
    });
    written.and_then(|()| std::fs::rename(&temporary, path)).map_err(|source| {
        // The failure above is what the user must hear of, not a second one while tidying up.
        let _ = std::fs::remove_file(&temporary);
        Error::io(path, source)
    })
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::{self, Linear};
    use crate::seeds::Stream;

    fn layer(seed: u64) -> Linear {
        nn::linear(3, 2, Stream::new(seed, 0), &Device::flex())
    }

    fn file() -> Checkpoint {
        let mut file = Checkpoint::new("test");
        file.add_module("net", &layer(1)).expect("on the host");
        file
    }

    #[test]
    fn a_module_comes_back_and_lies_as_pytorch_would_have_it() {
        let bytes = file().to_bytes();
        let back = Checkpoint::from_bytes(&bytes, Path::new("m")).expect("just written");
        assert_eq!(back, file());
        assert_eq!(back.shapes().collect::<Vec<_>>(), [("net.bias", [2].as_slice()), ("net.weight", [2, 3].as_slice())]);
        let loaded = back.load_module("net", layer(2), Path::new("m")).expect("same structure");
        assert_eq!(loaded.weight.val().to_data(), layer(1).weight.val().to_data());
    }

    #[test]
    fn damaged_foreign_and_reshaped_files_are_errors() {
        let bytes = file().to_bytes();
        for cut in [0, 4, 8, 40, bytes.len() - 1] {
            assert!(Checkpoint::from_bytes(&bytes[..cut], Path::new("m")).is_err(), "cut at {cut}");
        }
        let message = |file: &Checkpoint| Checkpoint::from_bytes(&file.to_bytes(), Path::new("m")).expect_err("refused").to_string();
        let mut newer = file();
        newer.metadata.insert("semblant_format".into(), "99".into());
        assert!(message(&newer).contains("format 99"));
        let mut foreign = file();
        foreign.metadata.clear();
        assert!(message(&foreign).contains("not one of Semblant's"));
        let wider = nn::linear(4, 2, Stream::new(0, 0), &Device::flex());
        assert!(file().load_module("net", wider, Path::new("m")).expect_err("refused").to_string().contains("weight"));
        let error = file().load_module("other", layer(0), Path::new("m")).expect_err("refused").to_string();
        assert!(error.contains("missing"), "{error}");
    }

    #[test]
    fn an_unwritable_place_leaves_nothing() {
        let folder = tempfile::tempdir().expect("temp");
        assert!(file().write(folder.path()).expect_err("a folder").to_string().contains("not a file"));
        assert_eq!(std::fs::read_dir(folder.path()).expect("still a folder").count(), 0);
        assert!(file().write(Path::new("/nonexistent/folder/m.safetensors")).is_err());
    }
}
