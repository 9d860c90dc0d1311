//! Weights by name, in PyTorch's layout.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use burn::module::Param;
use burn::tensor::{DType, Device, Tensor, TensorData};
use safetensors::{Dtype, SafeTensors, View};
use semblant_core::memory::Memory;
use semblant_core::nn::Linear;
use semblant_core::{Error, Result, host};

/// A tensor's values in row-major order.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredTensor {
    /// Its shape in PyTorch.
    pub shape: Vec<usize>,
    /// Its values.
    pub values: Vec<f32>,
}

/// The tensors of a network, from which they are taken one by one, or to which they are added.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Tensors {
    /// Where they come from, for messages.
    path: PathBuf,
    by_name: BTreeMap<String, StoredTensor>,
}

impl Tensors {
    /// No tensors yet; `path` names the place in errors.
    pub fn new(path: &Path) -> Self {
        Self { path: path.into(), by_name: BTreeMap::new() }
    }

    /// Adds the tensors of a safetensors file; numbers of half precision become `f32`.
    ///
    /// # Errors
    /// A file that is missing, damaged, or holds other numbers.
    pub fn read(&mut self, file: &Path) -> Result<()> {
        let bytes = Memory::of_process().read(file)?;
        let damaged = |error: safetensors::SafeTensorError| {
            Error::checkpoint(file, format!("not a readable safetensors file ({error}); was it truncated? fetch or copy it again"))
        };
        for (name, view) in SafeTensors::deserialize(&bytes).map_err(damaged)?.tensors() {
            let kind = match view.dtype() {
                Dtype::F32 => DType::F32,
                Dtype::F16 => DType::F16,
                Dtype::BF16 => DType::BF16,
                Dtype::F64 => DType::F64,
                other => {
                    let what = format!("the tensor {name} is {other:?}, expected F32, F16, BF16 or F64");
                    return Err(Error::checkpoint(file, format!("{what}; save the model unquantised")));
                }
            };
            let data = TensorData::from_bytes_vec(view.data().to_vec(), view.shape().to_vec(), kind);
            let values = data.try_into_vec_as::<f32>().map_err(|error| Error::checkpoint(file, format!("{name}: {error}")))?;
            self.by_name.insert(name, StoredTensor { shape: view.shape().to_vec(), values });
        }
        Ok(())
    }

    /// Names and tensors, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &StoredTensor)> {
        self.by_name.iter().map(|(name, tensor)| (name.as_str(), tensor))
    }

    /// All tensors by name.
    pub fn into_inner(self) -> BTreeMap<String, StoredTensor> {
        self.by_name
    }

    /// Renames every tensor, and may reshape it.
    pub(super) fn rename(&mut self, new: impl Fn(&str, &mut StoredTensor) -> String) {
        self.by_name = std::mem::take(&mut self.by_name).into_iter().map(|(name, mut tensor)| (new(&name, &mut tensor), tensor)).collect();
    }

    /// Adds a tensor.
    pub fn add(&mut self, name: &str, shape: &[usize], values: Vec<f32>) {
        self.by_name.insert(name.into(), StoredTensor { shape: shape.into(), values });
    }

    /// Takes a tensor's values out.
    ///
    /// # Errors
    /// When it is missing or of another shape.
    pub fn take(&mut self, name: &str, shape: &[usize]) -> Result<Vec<f32>> {
        let remedy = "config.json belongs to other weights, or these are damaged: fetch or save both again";
        let Some(tensor) = self.by_name.remove(name) else {
            return Err(Error::checkpoint(&self.path, format!("the tensor {name} is missing; {remedy}")));
        };
        if tensor.shape != shape {
            let what = format!("the tensor {name} has the shape {:?}, expected {shape:?}", tensor.shape);
            return Err(Error::checkpoint(&self.path, format!("{what}; {remedy}")));
        }
        Ok(tensor.values)
    }

    /// To be called when a network has taken all it knows.
    ///
    /// # Errors
    /// When a tensor is left.
    pub fn finish(self) -> Result<()> {
        match self.by_name.first_key_value() {
            None => Ok(()),
            Some((name, _)) => {
                let what = format!("the tensor {name} (and {} others) has no place in this network", self.by_name.len() - 1);
                Err(Error::checkpoint(&self.path, format!("{what}; the model has parts that this version lacks")))
            }
        }
    }

    /// Takes `{name}.weight` `[outputs, inputs]` and `{name}.bias` out as a layer.
    ///
    /// # Errors
    /// As [`Tensors::take`].
    pub fn take_linear(&mut self, name: &str, inputs: usize, outputs: usize, device: &Device) -> Result<Linear> {
        let weight = self.take(&format!("{name}.weight"), &[outputs, inputs])?;
        let bias = self.take(&format!("{name}.bias"), &[outputs])?;
        Ok(linear(&weight, bias, inputs, outputs, device))
    }

    /// Adds a layer's weight, transposed, and its bias.
    pub fn add_linear(&mut self, name: &str, layer: &Linear) {
        let (weight, bias, [inputs, outputs]) = linear_values(layer);
        self.add(&format!("{name}.weight"), &[outputs, inputs], weight);
        self.add(&format!("{name}.bias"), &[outputs], bias);
    }

    /// The bytes of a safetensors file, as diffusers writes it.
    ///
    /// # Errors
    /// When it would be too large for the format.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        let metadata = HashMap::from([("format".to_owned(), "pt".to_owned())]);
        safetensors::serialize(&self.by_name, Some(metadata)).map_err(|error| Error::checkpoint(&self.path, error.to_string()))
    }
}

/// A layer from PyTorch's weight `[outputs, inputs]`.
pub(super) fn linear(weight: &[f32], bias: Vec<f32>, inputs: usize, outputs: usize, device: &Device) -> Linear {
    Linear {
        weight: Param::from_tensor(host::tensor(transposed(weight, outputs, inputs), [inputs, outputs], device)),
        bias: Some(Param::from_tensor(host::tensor(bias, [outputs], device))),
    }
}

/// PyTorch's weight `[outputs, inputs]` of a layer, its bias, and `[inputs, outputs]`. A layer without a bias has one of zeros.
pub(super) fn linear_values(layer: &Linear) -> (Vec<f32>, Vec<f32>, [usize; 2]) {
    let [inputs, outputs] = layer.weight.val().dims();
    let weight = host::read(&layer.weight.val(), |values| transposed(values, inputs, outputs));
    let bias = layer.bias.as_ref().map_or_else(|| vec![0.0; outputs], |bias| values(&bias.val()));
    (weight, bias, [inputs, outputs])
}

/// A tensor's values in row-major order.
pub(super) fn values<const D: usize>(tensor: &Tensor<D>) -> Vec<f32> {
    host::read(tensor, <[f32]>::to_vec)
}

/// `values [rows, columns]` as `[columns, rows]`.
fn transposed(values: &[f32], rows: usize, columns: usize) -> Vec<f32> {
    let mut out = Vec::with_capacity(values.len());
    for column in 0..columns {
        out.extend((0..rows).map(|row| values[row * columns + column]));
    }
    out
}

impl View for &StoredTensor {
    fn dtype(&self) -> Dtype {
        Dtype::F32
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        Cow::Owned(self.values.iter().flat_map(|value| value.to_le_bytes()).collect())
    }

    fn data_len(&self) -> usize {
        self.values.len() * 4
    }
}
