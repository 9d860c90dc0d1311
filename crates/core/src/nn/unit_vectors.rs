//! Places as vectors with a one at the place.

use burn::tensor::{Int, Tensor};

/// `[rows]` places in `0..width` give `[rows, width]`, 1 at the place and 0 elsewhere. By comparison on the device: burn's own
/// `one_hot` reads its argument back to check it.
pub fn unit_vectors(places: Tensor<1, Int>, width: usize) -> Tensor<2> {
    let [rows] = places.dims();
    let every = Tensor::<1, Int>::arange(0..width as i64, &places.device()).reshape([1, width]).expand([rows, width]);
    places.reshape([rows, 1]).expand([rows, width]).equal(every).float()
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Device;

    #[test]
    fn the_one_stands_at_the_place() {
        let vectors = unit_vectors(Tensor::from_ints([2, 0], &Device::flex()), 3);
        crate::host::read(&vectors, |values| assert_eq!(values, [0.0, 0.0, 1.0, 1.0, 0.0, 0.0]));
    }
}
