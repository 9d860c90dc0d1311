//! Model files: one safetensors file that describes itself.
//!
//! The tensors are named and laid out as PyTorch would have them, so Python's `safetensors.torch.load_file` opens them. The header's
//! metadata holds the format version, the model's name, its resolved configuration and the fitted transform. There are no training
//! rows in it, and loading runs nothing. Equal contents give equal bytes: tensors and metadata stand in sorted order, and no
//! run-time identifier enters the file.

mod foreign;

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use burn::module::Module;
use burn::store::burn_pack::Tensor as StoredTensor;
use burn::store::{ApplyResult, BurnToPyTorchAdapter, ModuleSnapshot, PyTorchToBurnAdapter, bridge};
use burn::tensor::{DType, Device, Shape, Tensor, TensorData};
use safetensors::SafeTensors;
use safetensors::tensor::{Metadata, TensorInfo};
use serde_json::{Value, json};

use crate::data::Data;
use crate::memory::Memory;
use crate::{Error, Result, files, parameters};

/// The version of the layout that this build writes, and the only one it reads.
pub const FORMAT_VERSION: &str = "1";

/// The contents of a model file: metadata as text by key, and f32 tensors by name.
///
/// Tensors are not copied before they are needed: those of a module are read from its device when the file is written, one after the other; those of a
/// file share its bytes. So writing takes memory for the largest tensor, and loading a module takes the file once, the module, and the largest tensor.
#[derive(Debug, Clone, Default)]
pub struct Checkpoint {
    /// What the file says of itself.
    pub metadata: BTreeMap<String, String>,
    tensors: BTreeMap<String, StoredTensor>,
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
        Err(Error::checkpoint(path, format!("contains a {} model, not {name}; load it by its own name", self.model())))
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
            let mut shape = tensor.shape.to_vec();
            let name = new(&name, &mut shape);
            assert_eq!(shape.iter().product::<usize>() * 4, tensor.byte_len(), "{name}: shape and values disagree");
            tensor.shape = Shape::from(shape);
            self.tensors.insert(name, tensor);
        }
        self
    }

    /// Adds every parameter of `module`, its names behind `prefix` and a dot, or as they are where that is empty.
    ///
    /// # Errors
    /// A tensor of another precision than f32; the message names it.
    pub fn add_module<M: Module>(&mut self, prefix: &str, module: &M) -> Result<()> {
        for mut tensor in module.collect(None, Some(Box::new(BurnToPyTorchAdapter)), true) {
            let name = if prefix.is_empty() { tensor.name.clone() } else { format!("{prefix}.{}", tensor.name) };
            if tensor.dtype != DType::F32 {
                return Err(Error::checkpoint(&name, format!("only f32 tensors can be written, this one is {:?}", tensor.dtype)));
            }
            // A run-time identifier, which a module that is loaded would take over.
            tensor.param_id = None;
            self.tensors.insert(name, tensor);
        }
        Ok(())
    }

    /// Adds a whole file, as a part of this name: a model that consists of several.
    pub fn add_part(&mut self, name: &str, part: Self) {
        self.metadata.extend(part.metadata.into_iter().map(|(key, text)| (format!("{name}/{key}"), text)));
        self.tensors.extend(part.tensors.into_iter().map(|(key, tensor)| (format!("{name}/{key}"), tensor)));
    }

    /// The part that was added under this name; one without metadata and tensors where there is none. Tensors are shared, not copied.
    pub fn part(&self, name: &str) -> Self {
        let behind = format!("{name}/");
        let own = |key: &String| key.strip_prefix(&behind).map(str::to_owned);
        Self {
            metadata: self.metadata.iter().filter_map(|(key, text)| Some((own(key)?, text.clone()))).collect(),
            tensors: self.tensors.iter().filter_map(|(key, tensor)| Some((own(key)?, tensor.clone()))).collect(),
        }
    }

    /// Adds one flat tensor.
    pub fn add_tensor(&mut self, name: &str, tensor: &Tensor<1>) {
        self.tensors.insert(name.into(), bridge::from_tensor(tensor, name.into(), None));
    }

    /// Takes a flat tensor out, if there is one of that name.
    pub fn tensor(&self, name: &str, device: &Device) -> Option<Tensor<1>> {
        let stored = self.tensors.get(name).filter(|stored| stored.shape.len() == 1)?;
        Some(Tensor::from_data(bridge::to_data(stored).ok()?, device))
    }

    /// Loads the tensors behind `prefix`, or all where that is empty, into a module of the same structure.
    ///
    /// A module whose parameters are made by [`nn::parameter`](crate::nn::parameter) takes no memory before its shapes were found in the file, so
    /// settings that describe a larger network than the file holds cost nothing.
    ///
    /// # Errors
    /// A tensor that is missing, of another shape, or left over; the message names it and `path`.
    pub fn load_module<M: Module>(&self, prefix: &str, mut module: M, path: &Path) -> Result<M> {
        let behind = if prefix.is_empty() { String::new() } else { format!("{prefix}.") };
        let part = self.tensors.iter().filter_map(|(name, tensor)| {
            let mut tensor = tensor.clone();
            tensor.name = name.strip_prefix(&behind)?.to_owned();
            Some(tensor)
        });
        let part: Vec<StoredTensor> = part.collect();
        let held = part.iter().map(|tensor| tensor.byte_len() as u64 / 4).sum::<u64>();
        let wanted = parameters::count(&module);
        let failed = |what: String| {
            let sizes = match wanted {
                Some(wanted) if wanted <= held => String::new(),
                Some(wanted) => format!(" (the settings describe {wanted} weights, the file holds {held})"),
                None => format!(" (the settings describe more weights than can be counted, the file holds {held})"),
            };
            Error::checkpoint(path, format!("{what}{sizes}; the file is damaged or was written by another version, fit the model again"))
        };
        let ApplyResult { missing, unused, errors, .. } = module.apply(part, None, Some(Box::new(PyTorchToBurnAdapter)), true);
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

    /// Writes the file's bytes: the header's length, the header as JSON, the tensors.
    ///
    /// # Errors
    /// As `out`, and a tensor that cannot be read back from its device.
    pub fn write_to(&self, out: &mut impl Write) -> io::Result<()> {
        let mut header = serde_json::Map::new();
        if !self.metadata.is_empty() {
            header.insert("__metadata__".into(), json!(self.metadata));
        }
        let mut end = 0;
        for (name, tensor) in &self.tensors {
            let start = end;
            end += tensor.byte_len();
            header.insert(name.clone(), json!({ "dtype": "F32", "shape": tensor.shape.as_slice(), "data_offsets": [start, end] }));
        }
        let mut header = Value::Object(header).to_string().into_bytes();
        // The format asks that the data begin at a multiple of eight.
        header.resize(header.len().next_multiple_of(8), b' ');
        out.write_all(&(header.len() as u64).to_le_bytes())?;
        out.write_all(&header)?;
        self.tensors.values().try_for_each(|tensor| out.write_all(&tensor.to_bytes().map_err(io::Error::other)?))
    }

    /// The name of a tensor with a value that is NaN or infinite, and that value, if there is one.
    ///
    /// # Errors
    /// A tensor that cannot be read back from its device; the message names it.
    pub fn not_finite(&self) -> Result<Option<(&str, f32)>> {
        for (name, tensor) in &self.tensors {
            let data = bridge::to_data(tensor).map_err(|error| Error::checkpoint(name, error.to_string()))?;
            if let Some(value) = data.iter::<f32>().find(|value| !value.is_finite()) {
                return Ok(Some((name, value)));
            }
        }
        Ok(None)
    }

    /// Writes the file; see [`files`].
    ///
    /// # Errors
    /// As [`files::write`] and [`Checkpoint::write_to`].
    pub fn write(&self, path: &Path) -> Result<()> {
        files::write_with(path, |file| self.write_to(file)).map_err(|source| Error::io(path, source))
    }

    /// Reads a file written by [`Checkpoint::write`].
    ///
    /// # Errors
    /// A file that is missing, truncated, not safetensors, or of another version.
    pub fn read(path: &Path) -> Result<Self> {
        Self::from_bytes(Memory::of_process().read(path)?, path)
    }

    /// Reads a file's bytes; `path` only names it in errors.
    ///
    /// # Errors
    /// As [`Checkpoint::read`].
    pub fn from_bytes(bytes: Vec<u8>, path: &Path) -> Result<Self> {
        let damaged = |error: safetensors::SafeTensorError| {
            Error::checkpoint(
                path,
                format!("not a readable model file ({}); was it truncated? fit or copy it again", one_line(&error.to_string())),
            )
        };
        let (length, header) = SafeTensors::read_metadata(&bytes).map_err(damaged)?;
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
        let bytes = Arc::new(bytes);
        for (name, info, place) in places(&header, length) {
            if info.dtype != safetensors::Dtype::F32 {
                return Err(Error::checkpoint(path, format!("the tensor {name} is {:?}, expected F32", info.dtype)));
            }
            tensors.insert(name.clone(), shared(name, info.shape.clone(), bytes.clone(), place));
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
            self.metadata.get(key).ok_or_else(|| Error::checkpoint(path, format!("the metadata lacks \"{key}\"; fit the model again")))?;
        serde_json::from_str(text)
            .map_err(|error| Error::checkpoint(path, format!("the metadata \"{key}\" cannot be read ({error}); fit the model again")))
    }
}

/// Name, description and place in the file of every tensor; `length` is that of the header.
fn places(header: &Metadata, length: usize) -> impl Iterator<Item = (String, &TensorInfo, Range<usize>)> {
    // The header's length takes eight bytes.
    let data = 8 + length;
    header.tensors().into_iter().map(move |(name, info)| (name, info, data + info.data_offsets.0..data + info.data_offsets.1))
}

/// A tensor of f32 that lies at `place` of `bytes`.
fn shared(name: String, shape: Vec<usize>, bytes: Arc<Vec<u8>>, place: Range<usize>) -> StoredTensor {
    let declared = Shape::from(shape.clone());
    bridge::deferred(name, DType::F32, declared, None, move || {
        let values: Vec<f32> = bytes[place.clone()].chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
        Ok(TensorData::new(values, shape.clone()))
    })
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::{Linear, LinearConfig};
    use crate::seeds::Stream;

    fn layer(seed: u64) -> Linear {
        LinearConfig::new(3, 2).init(Stream::new(seed, 0), &Device::flex())
    }

    fn file() -> Checkpoint {
        let mut file = Checkpoint::new("test");
        file.add_module("net", &layer(1)).expect("on the host");
        file
    }

    fn bytes(file: &Checkpoint) -> Vec<u8> {
        let mut bytes = Vec::new();
        file.write_to(&mut bytes).expect("on the host");
        bytes
    }

    #[test]
    fn parts_lie_side_by_side_and_come_back() {
        let mut whole = Checkpoint::new("whole");
        whole.add_part("a", file());
        whole.add_part("ab", Checkpoint::new("other"));
        let back = Checkpoint::from_bytes(bytes(&whole), Path::new("m")).expect("just written");
        assert_eq!(back.model(), "whole");
        assert_eq!(bytes(&back.part("a")), bytes(&file()));
        assert_eq!(back.part("ab").model(), "other");
        assert!(back.part("b").metadata.is_empty());
    }

    #[test]
    fn a_value_that_is_not_finite_is_named() {
        let mut file = file();
        assert_eq!(file.not_finite().expect("on the host"), None);
        file.add_tensor("moments", &Tensor::from_floats([0.0, f32::INFINITY], &Device::flex()));
        assert_eq!(file.not_finite().expect("on the host"), Some(("moments", f32::INFINITY)));
    }

    #[test]
    fn a_module_comes_back_and_lies_as_pytorch_would_have_it() {
        let back = Checkpoint::from_bytes(bytes(&file()), Path::new("m")).expect("just written");
        assert_eq!(bytes(&back), bytes(&file()));
        assert_eq!(back.shapes().collect::<Vec<_>>(), [("net.bias", [2].as_slice()), ("net.weight", [2, 3].as_slice())]);
        let loaded = back.load_module("net", layer(2), Path::new("m")).expect("same structure");
        assert_eq!(loaded.weight.val().to_data(), layer(1).weight.val().to_data());
    }

    #[test]
    fn damaged_foreign_and_reshaped_files_are_errors() {
        let whole = bytes(&file());
        for cut in [0, 4, 8, 40, whole.len() - 1] {
            assert!(Checkpoint::from_bytes(whole[..cut].to_vec(), Path::new("m")).is_err(), "cut at {cut}");
        }
        let message = |file: &Checkpoint| Checkpoint::from_bytes(bytes(file), Path::new("m")).expect_err("refused").to_string();
        let mut newer = file();
        newer.metadata.insert("semblant_format".into(), "99".into());
        assert!(message(&newer).contains("format 99"));
        let mut foreign = file();
        foreign.metadata.clear();
        assert!(message(&foreign).contains("not one of Semblant's"));
        let wider = LinearConfig::new(4, 2).init(Stream::new(0, 0), &Device::flex());
        assert!(file().load_module("net", wider, Path::new("m")).expect_err("refused").to_string().contains("weight"));
        let error = file().load_module("other", layer(0), Path::new("m")).expect_err("refused").to_string();
        assert!(error.contains("missing"), "{error}");
    }

    /// Weights of 2^62 numbers would take more memory than there is, if they were made.
    #[test]
    fn a_network_that_the_file_does_not_hold_is_not_made() {
        let huge = LinearConfig::new(1 << 31, 1 << 31).init(Stream::new(0, 0), &Device::flex());
        let error = file().load_module("net", huge, Path::new("m")).expect_err("refused").to_string();
        assert!(error.contains("describe 4611686020574871552 weights, the file holds 8"), "{error}");
        let beyond = LinearConfig::new(1 << 40, 1 << 40).init(Stream::new(0, 0), &Device::flex());
        assert!(file().load_module("net", beyond, Path::new("m")).expect_err("refused").to_string().contains("can be counted"));
    }

    #[test]
    fn an_unwritable_place_leaves_nothing() {
        let folder = tempfile::tempdir().expect("temp");
        assert!(file().write(folder.path()).expect_err("a folder").to_string().contains("not a file"));
        assert_eq!(std::fs::read_dir(folder.path()).expect("still a folder").count(), 0);
        assert!(file().write(Path::new("/nonexistent/folder/m.safetensors")).is_err());
    }
}
