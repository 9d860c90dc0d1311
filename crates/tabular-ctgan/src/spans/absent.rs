//! A build without a GPU's backend has no kernels. It has no [`Spans`](super::Spans) either, so that nothing here is reached.

use burn::tensor::{Int, Tensor};

const NONE: &str = "there are no spans on a device without kernels";

pub(super) fn softmax(_: Tensor<2>, _: Tensor<2, Int>) -> Tensor<2> {
    unreachable!("{NONE}")
}

pub(super) fn gumbel_softmax(_: Tensor<2>, _: Tensor<2>, _: Tensor<2, Int>, _: f32) -> Tensor<2> {
    unreachable!("{NONE}")
}

pub(super) fn gumbel_softmax_backward(_: Tensor<2>, _: Tensor<2>, _: Tensor<2, Int>, _: f32) -> Tensor<2> {
    unreachable!("{NONE}")
}

pub(super) fn cross_entropy(_: Tensor<2>, _: Tensor<1, Int>, _: Tensor<2, Int>, _: Tensor<1, Int>) -> (Tensor<1>, Tensor<2>) {
    unreachable!("{NONE}")
}

pub(super) fn rows(_: Tensor<2, Int>, _: Tensor<2>, _: Tensor<1, Int>, _: Tensor<1, Int>) -> Tensor<2> {
    unreachable!("{NONE}")
}
