//! A build without a GPU's backend has no kernels, so that nothing here is reached.

use burn::tensor::Tensor;

use super::Sizes;

pub(super) fn normed<const D: usize>(_: Tensor<D>, _: Tensor<2>, _: Tensor<2>, _: Sizes, _: bool) -> Tensor<D> {
    unreachable!("no device of this build has kernels")
}
