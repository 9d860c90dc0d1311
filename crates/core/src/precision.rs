//! In what precision the products of a training step are computed.
//!
//! burn has no autocast. Here a training step runs [`within`] a precision, and the layers of [`crate::nn`] narrow what goes into a matrix
//! product, a convolution or an attention's products, and widen what comes out. Weights, their averages, moments, normalisations, softmax
//! and losses stay f32, and so does sampling. bf16 has f32's range, so losses need no scaling.

use std::cell::Cell;
use std::thread::LocalKey;

use burn::tensor::{DType, Device, FloatDType, Tensor};
use serde::{Deserialize, Serialize};

use crate::{Error, Result, device, host};

/// The precision of products while training.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// 32-bit floating point.
    #[default]
    F32,
    /// 16 bits with f32's range and 8 bits of precision, for GPUs that multiply such matrices many times faster.
    Bf16,
}

impl Precision {
    /// Checks that `device` computes in this precision.
    ///
    /// # Errors
    /// Names the device and the remedy.
    pub fn check(self, device: &Device) -> Result<()> {
        if self == Self::F32 {
            return Ok(());
        }
        let why = if host::is_host(device) {
            "the CPU computes in f32, and bf16 would save no time"
        } else if !device.supports_dtype(DType::BF16) {
            "it does not compute in bf16"
        } else {
            return Ok(());
        };
        Err(Error::Device(format!("device \"{}\": {why}; train with --precision f32", device::name(device))))
    }
}

thread_local! {
    // A step's forward pass runs on the thread that trains, so runs side by side do not see each other's precision.
    static CURRENT: Cell<Precision> = const { Cell::new(Precision::F32) };
}

/// Runs `work`, whose layers compute their products in `precision`.
pub fn within<T>(precision: Precision, work: impl FnOnce() -> T) -> T {
    holding(&CURRENT, precision, work)
}

/// Runs `work` while `place` of this thread holds `value`, and puts back what was there, also when `work` panics.
pub(crate) fn holding<V: Copy + 'static, T>(place: &'static LocalKey<Cell<V>>, value: V, work: impl FnOnce() -> T) -> T {
    struct Before<V: Copy + 'static>(&'static LocalKey<Cell<V>>, V);
    impl<V: Copy + 'static> Drop for Before<V> {
        fn drop(&mut self) {
            self.0.set(self.1);
        }
    }
    let _before = Before(place, place.replace(value));
    work()
}

/// Whether products are to be narrowed here and now.
pub(crate) fn is_narrow() -> bool {
    CURRENT.get() == Precision::Bf16
}

/// An operand of a product.
pub(crate) fn narrow<const D: usize>(tensor: Tensor<D>) -> Tensor<D> {
    if is_narrow() { tensor.cast(FloatDType::BF16) } else { tensor }
}

/// What came out of a product.
pub(crate) fn wide<const D: usize>(tensor: Tensor<D>) -> Tensor<D> {
    if is_narrow() { tensor.cast(FloatDType::F32) } else { tensor }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_precision_holds_within_its_work_only() {
        let kinds = || narrow(Tensor::<1>::from_floats([1.0], &Device::flex())).dtype();
        assert_eq!(kinds(), DType::F32);
        within(Precision::Bf16, || {
            assert_eq!(kinds(), DType::BF16);
            within(Precision::F32, || assert_eq!(kinds(), DType::F32));
            assert_eq!(kinds(), DType::BF16);
        });
        let panicked = std::panic::catch_unwind(|| within(Precision::Bf16, || std::panic::resume_unwind(Box::new(()))));
        assert!(panicked.is_err());
        assert_eq!(kinds(), DType::F32);
    }

    #[test]
    fn the_cpu_refuses_what_would_not_help_it() {
        let message = Precision::Bf16.check(&Device::flex()).expect_err("refused").to_string();
        assert!(message.contains("cpu") && message.contains("--precision f32"), "{message}");
        assert!(Precision::F32.check(&Device::flex()).is_ok());
    }
}
