//! Random numbers as tensors: on the CPU by the loops of this module's parent, on a GPU by its kernel.
//!
//! The two agree bit for bit in uniform numbers and dropout's factors. Normal and Gumbel numbers differ in their last bits, because a
//! GPU's compiler may round a product and a sum once instead of twice. All are values without a gradient, on the device without autodiff
//! whichever of the two was given; [`Tensor::from_inner`] takes them to where one is tracked.

use std::ops::Range;

use burn::tensor::{Device, Tensor};

use super::Stream;
use crate::host;

impl Stream {
    /// [`Stream::uniforms`] of `rows` as a tensor of `device`.
    ///
    /// # Shapes
    /// `[rows, width]`.
    pub fn uniforms_on(&self, rows: Range<u64>, width: usize, device: &Device) -> Tensor<2> {
        #[cfg(any(feature = "cuda", feature = "wgpu"))]
        if let Some(numbers) = self.by_kernel(super::kernel::Law::Uniform, 1.0, &rows, width, device) {
            return numbers;
        }
        self.uploaded(rows, width, device, Stream::uniforms)
    }

    /// [`Stream::normals`] of `rows` as a tensor of `device`.
    ///
    /// # Shapes
    /// `[rows, width]`.
    pub fn normals_on(&self, rows: Range<u64>, width: usize, device: &Device) -> Tensor<2> {
        #[cfg(any(feature = "cuda", feature = "wgpu"))]
        if let Some(numbers) = self.by_kernel(super::kernel::Law::Normal, 1.0, &rows, width, device) {
            return numbers;
        }
        self.uploaded(rows, width, device, Stream::normals)
    }

    /// [`Stream::gumbels`] of `rows` as a tensor of `device`.
    ///
    /// # Shapes
    /// `[rows, width]`.
    pub fn gumbels_on(&self, rows: Range<u64>, width: usize, device: &Device) -> Tensor<2> {
        #[cfg(any(feature = "cuda", feature = "wgpu"))]
        if let Some(numbers) = self.by_kernel(super::kernel::Law::Gumbel, 1.0, &rows, width, device) {
            return numbers;
        }
        self.uploaded(rows, width, device, Stream::gumbels)
    }

    /// [`Stream::dropout`] of `rows` as a tensor of `device`.
    ///
    /// # Shapes
    /// `[rows, width]`.
    pub fn dropout_on(&self, rows: Range<u64>, width: usize, keep: f32, device: &Device) -> Tensor<2> {
        #[cfg(any(feature = "cuda", feature = "wgpu"))]
        if let Some(factors) = self.by_kernel(super::kernel::Law::Dropout, keep, &rows, width, device) {
            return factors;
        }
        self.uploaded(rows, width, device, |stream, row, out| stream.dropout(row, keep, out))
    }

    fn uploaded(&self, rows: Range<u64>, width: usize, device: &Device, one_row: impl Fn(&Self, u64, &mut [f32]) + Sync) -> Tensor<2> {
        let shape = [(rows.end - rows.start) as usize, width];
        host::tensor(self.matrix(rows, width, one_row), shape, &device.clone().inner())
    }

    /// Nothing for the CPU, whether or not it is treated as a device, and for a matrix without values.
    #[cfg(any(feature = "cuda", feature = "wgpu"))]
    fn by_kernel(&self, law: super::kernel::Law, keep: f32, rows: &Range<u64>, width: usize, device: &Device) -> Option<Tensor<2>> {
        use super::kernel::{Numbers, Request};

        let device = device.clone().inner();
        if device == Device::flex() {
            return None;
        }
        let (count, width) = (u32::try_from(rows.end - rows.start).ok()?, u32::try_from(width).ok()?);
        if count == 0 || width == 0 {
            return None;
        }
        let request = Request { stream: *self, law, keep, first_row: rows.start, rows: count, width };
        // An operation finds its backend and its client by a tensor; this one is never written.
        let like = Tensor::<1>::empty([1], &device);
        Some(Tensor::from_dispatch(burn::backend::Dispatch::numbers(like.into_dispatch(), request)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What every device is held against: see also the facade's tests on a GPU.
    #[test]
    fn tensors_hold_the_numbers_of_the_host() {
        let (stream, device) = (Stream::new(3, 1), Device::flex());
        let same = |tensor: Tensor<2>, expected: Vec<f32>| {
            assert_eq!(tensor.dims(), [5, 70]);
            assert!(!tensor.device().is_autodiff(), "random numbers have no gradient");
            host::read(&tensor, |values| assert_eq!(values, expected));
        };
        for device in [device.clone(), device.autodiff()] {
            same(stream.uniforms_on(8..13, 70, &device), stream.matrix(8..13, 70, Stream::uniforms));
            same(stream.normals_on(8..13, 70, &device), stream.matrix(8..13, 70, Stream::normals));
            same(stream.gumbels_on(8..13, 70, &device), stream.matrix(8..13, 70, Stream::gumbels));
            let factors = stream.matrix(8..13, 70, |stream, row, out| stream.dropout(row, 0.7, out));
            same(stream.dropout_on(8..13, 70, 0.7, &device), factors);
        }
        assert_eq!(stream.normals_on(4..4, 7, &Device::flex()).dims(), [0, 7], "no rows");
        assert_eq!(stream.normals_on(4..6, 0, &Device::flex()).dims(), [2, 0], "no columns");
    }
}
