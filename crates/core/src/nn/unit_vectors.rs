//! Places as vectors with a one at the place.

#[cfg(not(any(feature = "cuda", feature = "wgpu")))]
#[path = "unit_vectors/absent.rs"]
mod kernel;
#[cfg(any(feature = "cuda", feature = "wgpu"))]
mod kernel;

use burn::tensor::{Int, Tensor};

use crate::device::has_kernels;

/// Sums of `each` unit vectors: `[rows * each]` places in `0..width` give `[rows, width]`, how often each place came; 1 at the place and 0
/// elsewhere where a row has one. The result has no gradient. No value is read back, which burn's own `one_hot` does to check its argument.
pub fn unit_vectors(places: Tensor<1, Int>, each: usize, width: usize) -> Tensor<2> {
    let places = places.inner();
    let (rows, device) = (places.dims()[0] / each, places.device());
    if rows > 0 && width > 0 && has_kernels(&device) {
        return kernel::unit_vectors(places, each, width);
    }
    let shape = [rows * each, width];
    let every = Tensor::<1, Int>::arange(0..width as i64, &device).reshape([1, width]).expand(shape);
    let vectors = places.reshape([rows * each, 1]).expand(shape).equal(every).float();
    if each == 1 { vectors } else { vectors.reshape([rows, each, width]).sum_dim(1).squeeze_dim::<2>(1) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Device;

    #[test]
    fn the_one_stands_at_the_place() {
        let vectors = unit_vectors(Tensor::from_ints([2, 0], &Device::flex()), 1, 3);
        crate::host::read(&vectors, |values| assert_eq!(values, [0.0, 0.0, 1.0, 1.0, 0.0, 0.0]));
        let sums = unit_vectors(Tensor::from_ints([2, 0, 1, 1], &Device::flex()), 2, 3);
        crate::host::read(&sums, |values| assert_eq!(values, [1.0, 0.0, 1.0, 0.0, 2.0, 0.0]));
    }
}
