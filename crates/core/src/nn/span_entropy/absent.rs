//! A build without a GPU's backend has no kernels, so that nothing here is reached.

use burn::tensor::Tensor;

use super::SpanEntropy;

pub(super) fn cross_entropy(_: &SpanEntropy, _: Tensor<2>, _: Tensor<1>, _: Tensor<1>) -> (Tensor<1>, Tensor<2>) {
    unreachable!("no device of this build has kernels")
}
