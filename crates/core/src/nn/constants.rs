//! Tensors that depend on nothing but a shape.

use std::sync::{Arc, Mutex, PoisonError};

use burn::tensor::{Device, Tensor};

use crate::host;

/// A layer's fixed tensors, such as embeddings of places: computed once for each shape and device, and not at every step. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct Constants(Arc<Mutex<Vec<Constant>>>);

#[derive(Debug)]
struct Constant {
    shape: Vec<usize>,
    device: Device,
    values: Tensor<1>,
}

impl Constants {
    /// The tensor of this shape on this device, from `values` in row-major order where there is none yet. Values must be a function of the
    /// shape alone.
    ///
    /// # Panics
    /// When the number of values is not the product of `shape`.
    pub fn get<const D: usize>(&self, shape: [usize; D], device: &Device, values: impl FnOnce() -> Vec<f32>) -> Tensor<D> {
        // Kept without autodiff, which the equality of devices does not look at.
        let plain = device.clone().inner();
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = all.iter().find(|constant| constant.shape == shape && constant.device == plain);
        let flat = known.map(|constant| constant.values.clone()).unwrap_or_else(|| {
            let values = host::tensor(values(), [shape.iter().product()], &plain);
            all.push(Constant { shape: shape.to_vec(), device: plain, values: values.clone() });
            values
        });
        if device.is_autodiff() { Tensor::from_inner(flat.reshape(shape)) } else { flat.reshape(shape) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_computed_once_for_each_shape() {
        let (constants, device) = (Constants::default(), Device::flex());
        let first = constants.clone().get([2, 2], &device, || vec![1.0, 2.0, 3.0, 4.0]);
        let again = constants.get([2, 2], &device, || unreachable!("already there"));
        assert_eq!(host::read(&first, <[f32]>::to_vec), host::read(&again, <[f32]>::to_vec));
        assert_eq!(host::read(&constants.get([3], &device, || vec![7.0; 3]), <[f32]>::to_vec), [7.0; 3]);
        let tracked = constants.get([3], &device.clone().autodiff(), || unreachable!("already there"));
        assert!(tracked.device().is_autodiff() && !constants.get([3], &device, Vec::new).device().is_autodiff(), "as asked for");
    }
}
