//! A build without a GPU's backend has no kernels.

use burn::tensor::Tensor;

use super::{AdamState, AdamUpdated};
use crate::optim::Update;

const NONE: &str = "a device without kernels is worked on parameter by parameter";

pub(super) fn adam(_: Vec<AdamState>, _: Update, _: Option<Tensor<1>>) -> Vec<AdamUpdated> {
    unreachable!("{NONE}")
}

pub(super) fn averages(_: Vec<Tensor<1>>, _: Vec<Tensor<1>>, _: f32) -> Vec<Tensor<1>> {
    unreachable!("{NONE}")
}

pub(super) fn sum_of_squares(_: Vec<Tensor<1>>) -> Tensor<1> {
    unreachable!("{NONE}")
}
