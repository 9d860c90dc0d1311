//! Direct access to tensors that live in the memory of this process.
//!
//! On the CPU backend a chain of small tensor operations is a chain of allocations and passes over memory. Where one loop does the
//! work of ten such passes (an optimizer step, a segmented softmax, batch normalisation), the loop runs on the tensor's own storage:
//! `into_data` and `from_data` move the buffer there and back without a copy when nobody else holds it.

use burn::backend::Flex;
use burn::tensor::{Device, Tensor, TensorData};

/// Whether tensors of `device` lie in the memory of this process, so that [`update`] and [`read`] cost nothing.
pub fn is_host(device: &Device) -> bool {
    *device == Device::flex()
}

/// Changes a tensor's values in place, in row-major order.
///
/// # Panics
/// When the tensor does not hold f32, which every tensor of this library does.
pub fn update<const D: usize>(tensor: Tensor<D>, change: impl FnOnce(&mut [f32])) -> Tensor<D> {
    let device = tensor.device();
    let mut data = tensor.into_data();
    change(data.as_mut_slice::<f32>().expect("tensors of this library hold f32"));
    Tensor::from_data(data, &device)
}

/// Reads a tensor's values in row-major order.
///
/// # Panics
/// When the tensor does not hold f32, which every tensor of this library does.
pub fn read<const D: usize, R>(tensor: &Tensor<D>, look: impl FnOnce(&[f32]) -> R) -> R {
    if let Ok(primitive) = tensor.clone().inner().try_into_primitive::<Flex>()
        && let Some(values) = primitive.as_slice::<f32>()
    {
        return look(values);
    }
    let data = tensor.to_data();
    look(data.as_slice::<f32>().expect("tensors of this library hold f32"))
}

/// A tensor from values in row-major order.
///
/// # Panics
/// When the number of values is not the product of `shape`.
pub fn tensor<const D: usize>(values: Vec<f32>, shape: [usize; D], device: &Device) -> Tensor<D> {
    Tensor::from_data(TensorData::new(values, shape), device)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn update_changes_values_and_leaves_other_holders_alone() {
        let device = Device::flex();
        let original = tensor(vec![1.0, 2.0, 3.0, 4.0], [2, 2], &device);
        let changed = update(original.clone().transpose(), |values| values[1] = 9.0);
        assert_eq!(changed.into_data().as_slice::<f32>().expect("f32"), [1.0, 9.0, 2.0, 4.0]);
        assert_eq!(read(&original.transpose(), <[f32]>::to_vec), [1.0, 3.0, 2.0, 4.0]);
    }
}
