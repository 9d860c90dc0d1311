//! A build without a GPU's backend has no kernels, so that nothing here is reached.

use burn::tensor::Tensor;

pub(super) fn cross_entropy(_: Tensor<2>, _: Tensor<1>, _: Tensor<1>, _: [Tensor<1>; 3], _: usize) -> (Tensor<1>, Tensor<2>) {
    unreachable!("no device of this build has kernels")
}
