//! Direct access to tensors that live in the memory of this process.
//!
//! On the CPU backend a chain of small tensor operations is a chain of allocations and passes over memory. Where one loop does the
//! work of ten such passes (an optimizer step, a segmented softmax, batch normalisation), the loop runs on the tensor's own storage:
//! `into_data` and `from_data` move the buffer there and back without a copy if it is not shared.
//!
//! On any other device each of these is a round trip that holds the device up. So all values that leave a device leave it through this
//! file, where they are counted ([`read_backs`]), and what runs inside a training step asks [`is_host`] first and has a second way made
//! of tensor operations.
#![allow(clippy::disallowed_methods, reason = "the one place where values leave tensors")]

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use burn::backend::Flex;
use burn::tensor::{Device, Int, Tensor, TensorData};

/// Values read back from a device other than the host, since the process began.
static READ_BACKS: AtomicU64 = AtomicU64::new(0);
/// Whether the CPU is treated as if it were another device.
static AS_DEVICE: AtomicBool = AtomicBool::new(false);

/// Whether tensors of `device` lie in the memory of this process, so that [`update`] and [`read`] cost nothing.
pub fn is_host(device: &Device) -> bool {
    *device == Device::flex() && !AS_DEVICE.load(Ordering::Relaxed)
}

/// Has the whole process treat the CPU as if it were another device, so that a test without one can run what runs there: the way of
/// tensor operations instead of that of loops, and every value that leaves a tensor counted as a read-back.
pub fn treat_as_device(on: bool) {
    AS_DEVICE.store(on, Ordering::Relaxed);
}

/// How often values were read back from a device other than the host, since the process began.
pub fn read_backs() -> u64 {
    READ_BACKS.load(Ordering::Relaxed)
}

fn count(device: &Device) {
    if !is_host(&device.clone().inner()) {
        READ_BACKS.fetch_add(1, Ordering::Relaxed);
    }
}

/// Changes a tensor's values in place, in row-major order.
///
/// # Panics
/// When the tensor does not hold f32, which every tensor of this library does.
pub fn update<const D: usize>(tensor: Tensor<D>, change: impl FnOnce(&mut [f32])) -> Tensor<D> {
    let device = tensor.device();
    count(&device);
    let mut data = tensor.into_data();
    change(data.as_mut_slice::<f32>().expect("tensors of this library hold f32"));
    Tensor::from_data(data, &device)
}

/// Reads a tensor's values in row-major order.
///
/// # Panics
/// When the tensor does not hold f32, which every tensor of this library does.
pub fn read<const D: usize, R>(tensor: &Tensor<D>, look: impl FnOnce(&[f32]) -> R) -> R {
    count(&tensor.device());
    if let Ok(primitive) = tensor.clone().inner().try_into_primitive::<Flex>()
        && let Some(values) = primitive.as_slice::<f32>()
    {
        return look(values);
    }
    let data = tensor.to_data();
    look(data.as_slice::<f32>().expect("tensors of this library hold f32"))
}

/// The one value of a tensor of any precision.
///
/// # Panics
/// When the tensor does not hold exactly one value.
pub fn scalar<const D: usize>(tensor: Tensor<D>) -> f32 {
    count(&tensor.device());
    tensor.into_scalar::<f32>()
}

/// The whole numbers of a tensor in row-major order.
pub fn integers<const D: usize>(tensor: Tensor<D, Int>) -> Vec<i64> {
    count(&tensor.device());
    tensor.into_data().iter::<i64>().collect()
}

/// Whole numbers as a tensor.
pub fn indices(values: Vec<i32>, device: &Device) -> Tensor<1, Int> {
    let shape = [values.len()];
    Tensor::from_data(TensorData::new(values, shape), device)
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
