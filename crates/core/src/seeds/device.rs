//! Random numbers as tensors: on the CPU by the loops of this module's parent, on a GPU by its kernel.
//!
//! The two agree bit for bit in uniform numbers and dropout's factors. Normal and Gumbel numbers differ in their last bits, because a
//! GPU's compiler may round a product and a sum once instead of twice. All are values without a gradient, on the device without autodiff
//! whichever of the two was given; [`Tensor::from_inner`] takes them to where one is tracked.

use std::ops::Range;

use burn::tensor::{Device, Tensor};

use super::Stream;
use crate::host;

/// What a stream's words become.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Law {
    /// See [`Stream::uniforms`].
    Uniform,
    /// See [`Stream::normals`].
    Normal,
    /// See [`Stream::gumbels`].
    Gumbel,
    /// See [`Stream::dropout`].
    Dropout,
}

/// A matrix of random numbers.
#[derive(Debug, Clone)]
struct Spec {
    rows: Range<u64>,
    width: usize,
    law: Law,
    /// The share that dropout keeps; the other laws do not look at it.
    keep: f32,
}

impl Stream {
    /// [`Stream::uniforms`] of `rows` as a tensor of `device`.
    ///
    /// # Shapes
    /// `[rows, width]`.
    pub fn uniforms_on(&self, rows: Range<u64>, width: usize, device: &Device) -> Tensor<2> {
        self.on(Spec { rows, width, law: Law::Uniform, keep: 1.0 }, &device.clone().inner())
    }

    /// [`Stream::normals`] of `rows` as a tensor of `device`.
    ///
    /// # Shapes
    /// `[rows, width]`.
    pub fn normals_on(&self, rows: Range<u64>, width: usize, device: &Device) -> Tensor<2> {
        self.on(Spec { rows, width, law: Law::Normal, keep: 1.0 }, &device.clone().inner())
    }

    /// [`Stream::gumbels`] of `rows` as a tensor of `device`.
    ///
    /// # Shapes
    /// `[rows, width]`.
    pub fn gumbels_on(&self, rows: Range<u64>, width: usize, device: &Device) -> Tensor<2> {
        self.on(Spec { rows, width, law: Law::Gumbel, keep: 1.0 }, &device.clone().inner())
    }

    /// [`Stream::dropout`] of `rows` as a tensor of `device`.
    ///
    /// # Shapes
    /// `[rows, width]`.
    pub fn dropout_on(&self, rows: Range<u64>, width: usize, keep: f32, device: &Device) -> Tensor<2> {
        self.on(Spec { rows, width, law: Law::Dropout, keep }, &device.clone().inner())
    }

    fn on(&self, spec: Spec, device: &Device) -> Tensor<2> {
        #[cfg(any(feature = "cuda", feature = "wgpu"))]
        if let Some(numbers) = self.by_kernel(&spec, device) {
            return numbers;
        }
        let Spec { rows, width, law, keep } = spec;
        let shape = [(rows.end - rows.start) as usize, width];
        let values = match law {
            Law::Uniform => self.matrix(rows, width, Stream::uniforms),
            Law::Normal => self.matrix(rows, width, Stream::normals),
            Law::Gumbel => self.matrix(rows, width, Stream::gumbels),
            Law::Dropout => self.matrix(rows, width, |stream, row, out| stream.dropout(row, keep, out)),
        };
        host::tensor(values, shape, device)
    }

    /// Nothing for the CPU, whether or not it is treated as a device, and for a matrix without values.
    #[cfg(any(feature = "cuda", feature = "wgpu"))]
    fn by_kernel(&self, spec: &Spec, device: &Device) -> Option<Tensor<2>> {
        use super::kernel::{Numbers, Request};

        if !crate::device::has_kernels(device) {
            return None;
        }
        let rows = u32::try_from(spec.rows.end - spec.rows.start).ok().filter(|&rows| rows > 0)?;
        let width = u32::try_from(spec.width).ok().filter(|&width| width > 0)?;
        let request = Request { stream: *self, law: spec.law, keep: spec.keep, first_row: spec.rows.start, rows, width };
        // An operation finds its backend and its client by a tensor; the values of this one are never read.
        let like = Tensor::<1>::empty([1], device);
        Some(Tensor::from_dispatch(burn::backend::Dispatch::numbers(like.into_dispatch(), request)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What every device is compared with: see also the facade's tests on a GPU.
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
