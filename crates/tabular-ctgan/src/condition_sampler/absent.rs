//! A build without a GPU's backend has no kernels. It has no sampler either, so that nothing here is reached.

use burn::tensor::{Int, Tensor};

use super::{SampledConditions, SamplerStreams};

pub(super) fn draw(_: Tensor<2, Int>, _: Tensor<2, Int>, _: Tensor<1, Int>, _: usize, _: SamplerStreams, _: u64) -> SampledConditions {
    unreachable!("there is no sampler on a device without kernels")
}
