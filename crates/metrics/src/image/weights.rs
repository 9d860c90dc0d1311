//! Weights of a network in a file.

use std::path::{Path, PathBuf};

use burn::tensor::{Device, Tensor};
use semblant_core::checkpoint::Checkpoint;
use semblant_core::{Error, Result, host};

/// The tensors of a file by name, taken out one by one, so that what is missing, of another shape or left over has a name.
pub(super) struct Weights {
    path: PathBuf,
    tensors: Checkpoint,
    /// What the file should hold, for messages.
    wanted: &'static str,
}

impl Weights {
    /// Reads a safetensors file or one of `torch.save`.
    pub(super) fn read(path: &Path, wanted: &'static str) -> Result<Self> {
        Ok(Self { path: path.to_owned(), tensors: Checkpoint::read_foreign(path)?, wanted })
    }

    /// The shape of a tensor, if there is one of that name.
    pub(super) fn shape(&self, name: &str) -> Option<&[usize]> {
        self.tensors.shapes().find(|(other, _)| *other == name).map(|(_, shape)| shape)
    }

    /// The values of a tensor of this shape.
    pub(super) fn values(&mut self, name: &str, shape: &[usize]) -> Result<Vec<f32>> {
        match self.tensors.take(name) {
            None => Err(self.refuse(format!("the tensor {name} is missing"))),
            Some((found, _)) if found != shape => Err(self.refuse(format!("the tensor {name} is {found:?}, expected {shape:?}"))),
            Some((_, values)) if values.iter().any(|value| !value.is_finite()) => {
                Err(self.refuse(format!("the tensor {name} holds values that are not finite")))
            }
            Some((_, values)) => Ok(values),
        }
    }

    /// A tensor of this shape.
    pub(super) fn tensor<const D: usize>(&mut self, name: &str, shape: [usize; D], device: &Device) -> Result<Tensor<D>> {
        Ok(host::tensor(self.values(name, &shape)?, shape, device))
    }

    /// Refuses tensors that were not used, unless they belong to a part that is not needed.
    pub(super) fn nothing_else(&self, needless: impl Fn(&str) -> bool) -> Result<()> {
        match self.tensors.shapes().find(|(name, _)| !needless(name)) {
            Some((name, _)) => Err(self.refuse(format!("the tensor {name} does not belong to it"))),
            None => Ok(()),
        }
    }

    fn refuse(&self, what: String) -> Error {
        Error::checkpoint(&self.path, format!("{what}; give a file that holds {}", self.wanted))
    }
}
