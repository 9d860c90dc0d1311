//! Weights that other programs wrote: safetensors files, and PyTorch's own `.pth` and `.pt`.

use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use burn::store::bridge;
use burn::tensor::{DType, TensorData};
use pytorch_reader::{DType as TorchType, PytorchError, PytorchReader};
use safetensors::SafeTensors;

use super::{Checkpoint, one_line, places, shared};
use crate::memory::{self, Memory};
use crate::{Error, Result};

/// How many training batches a normalisation has seen: no weight, and a whole number where all others are real.
const COUNTER: &str = "num_batches_tracked";

impl Checkpoint {
    /// An empty file as another program writes it, which knows tensors and nothing else.
    pub fn foreign() -> Self {
        Self { metadata: std::collections::BTreeMap::from([("format".into(), "pt".into())]), ..Self::default() }
    }

    /// Reads a safetensors file of another program, or one that `torch.save` wrote of a state dict; which of both it is, its first bytes
    /// say. Numbers of half and double precision become `f32`. Nothing that a file holds is run.
    ///
    /// # Errors
    /// A file that is missing, damaged, or holds other numbers.
    pub fn read_foreign(path: &Path) -> Result<Self> {
        if is_torch(path)? { read_torch(path) } else { read_safetensors(path) }
    }

    /// Puts a tensor in.
    ///
    /// # Panics
    /// When `values` are not as many as `shape` says.
    pub fn insert(&mut self, name: &str, shape: &[usize], values: impl Into<Vec<f32>>) {
        let values = values.into();
        assert_eq!(shape.iter().product::<usize>(), values.len(), "{name}: a shape of as many values");
        self.tensors.insert(name.into(), bridge::from_data(TensorData::new(values, shape.to_vec()), name.into(), None));
    }

    /// Takes a tensor out, its shape and its values, if there is one of that name.
    pub fn take(&mut self, name: &str) -> Option<(Vec<usize>, Vec<f32>)> {
        let stored = self.tensors.remove(name)?;
        let shape = stored.shape.to_vec();
        Some((shape, bridge::into_data(stored).ok()?.try_into_vec().ok()?))
    }

    fn insert_as(&mut self, name: &str, shape: Vec<usize>, (bytes, kind): (Vec<u8>, DType), path: &Path) -> Result<()> {
        let data = TensorData::from_bytes_vec(bytes, shape.clone(), kind);
        let values = data.try_into_vec_as::<f32>().map_err(|error| Error::checkpoint(path, format!("{name}: {error}")))?;
        if shape.iter().try_fold(1usize, |count, &side| count.checked_mul(side)) != Some(values.len()) {
            return Err(Error::checkpoint(
                path,
                format!("{name} has the shape {shape:?} and {} values; copy the file again", values.len()),
            ));
        }
        self.insert(name, &shape, values);
        Ok(())
    }
}

/// A ZIP archive, or a pickle: what `torch.save` has written since 1.6, and before. A safetensors file has the brace of its header behind
/// eight bytes of length, which may look like the start of a pickle.
fn is_torch(path: &Path) -> Result<bool> {
    let mut start = Vec::new();
    memory::open(path)?.take(9).read_to_end(&mut start).map_err(|source| Error::io(path, source))?;
    Ok(start.get(8) != Some(&b'{') && (start.starts_with(b"PK") || start.first() == Some(&0x80)))
}

fn refused(path: &Path, name: &str, kind: &dyn std::fmt::Debug) -> Error {
    Error::checkpoint(path, format!("the tensor {name} is {kind:?}, expected F32, F16, BF16 or F64; save the model unquantised"))
}

fn read_safetensors(path: &Path) -> Result<Checkpoint> {
    let bytes = Memory::of_process().read(path)?;
    let damaged = |error: safetensors::SafeTensorError| {
        let what = format!("not a readable safetensors file ({}); was it truncated? copy it again", one_line(&error.to_string()));
        Error::checkpoint(path, what)
    };
    let (length, header) = SafeTensors::read_metadata(&bytes).map_err(damaged)?;
    let (bytes, mut file) = (Arc::new(bytes), Checkpoint::foreign());
    for (name, info, place) in places(&header, length) {
        let kind = match info.dtype {
            _ if name.ends_with(COUNTER) => continue,
            safetensors::Dtype::F32 => {
                file.tensors.insert(name.clone(), shared(name, info.shape.clone(), bytes.clone(), place));
                continue;
            }
            safetensors::Dtype::F16 => DType::F16,
            safetensors::Dtype::BF16 => DType::BF16,
            safetensors::Dtype::F64 => DType::F64,
            other => return Err(refused(path, &name, &other)),
        };
        file.insert_as(&name, info.shape.clone(), (bytes[place].to_vec(), kind), path)?;
    }
    Ok(file)
}

fn read_torch(path: &Path) -> Result<Checkpoint> {
    let damaged = |error: String| {
        let what = format!("not a readable PyTorch file ({}); was it truncated? copy it again", one_line(&error));
        Error::checkpoint(path, what)
    };
    let length = memory::open(path)?.metadata().map_err(|source| Error::io(path, source))?.len();
    let reader = PytorchReader::new(path).map_err(|error: PytorchError| damaged(error.to_string()))?;
    let (mut file, mut taken) = (Checkpoint::foreign(), 0u64);
    for (name, tensor) in reader.into_tensors() {
        // A stride of 0 repeats one number as often as a file likes; no model is stored so.
        let count = tensor.shape().iter().try_fold(1u64, |count, &side| count.checked_mul(side as u64));
        let Some(count) = count.filter(|&count| count <= length) else {
            return Err(damaged(format!("the tensor {name} of shape {:?} is larger than the file", tensor.shape())));
        };
        taken = taken.saturating_add(count);
        Memory::of_process().check(format!("{}: its tensors", path.display()), taken, 4)?;
        let kind = match tensor.dtype() {
            _ if name.ends_with(COUNTER) => continue,
            TorchType::F32 => DType::F32,
            TorchType::F16 => DType::F16,
            TorchType::BF16 => DType::BF16,
            TorchType::F64 => DType::F64,
            other => return Err(refused(path, &name, &other)),
        };
        let bytes = tensor.read().map_err(|error| damaged(error.to_string()))?;
        file.insert_as(&name, tensor.shape().to_vec(), (bytes, kind), path)?;
    }
    Ok(file)
}
