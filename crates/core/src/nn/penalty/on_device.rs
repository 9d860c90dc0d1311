//! The same on a GPU, with the gradient written by hand: a launch or two, where autodiff takes a dozen.

use burn::tensor::Tensor;

use super::SMALL;
use crate::host;
use crate::nn::device_op::DeviceOp;

pub(super) fn gradient_penalty(gradient: Tensor<2>) -> Tensor<1> {
    let [rows, width] = gradient.dims();
    let op = DeviceOp::new([gradient.into()]);
    let [slopes] = op.values().map(|slopes| slopes.reshape([rows, width]));
    let norm = (slopes.clone().square().sum_dim(1) + SMALL).sqrt(); // [rows, 1]
    let penalty = (norm.clone() - 1.0).square().mean();
    op.finish(penalty, [1], move |gradient, _| {
        let along = (norm.clone().recip().neg() + 1.0) * (2.0 / rows as f64); // [rows, 1]
        [Some((slopes.clone() * along * gradient.reshape([1, 1])).reshape([rows * width]))]
    })
}

pub(super) fn wasserstein(scores: Tensor<2>) -> Tensor<1> {
    let count = scores.dims()[0] / 2;
    let device = scores.device().inner();
    let op = DeviceOp::new([scores.into()]);
    let [scores] = op.values();
    let share = 1.0 / count as f32;
    let signs = host::tensor(vec![share, -share], [2, 1], &device);
    let estimate = (scores.reshape([2, count]).sum_dim(1) * signs.clone()).sum();
    op.finish(estimate, [1], move |gradient, _| {
        let of_scores = (signs.clone() * gradient.reshape([1, 1])).expand([2, count]);
        [Some(of_scores.reshape([2 * count]))]
    })
}
