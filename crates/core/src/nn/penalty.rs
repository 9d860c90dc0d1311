//! What a critic learns by: the Wasserstein estimate, and penalties on its gradient.

#[cfg(not(any(feature = "cuda", feature = "wgpu")))]
#[path = "penalty/absent.rs"]
mod on_device;
#[cfg(any(feature = "cuda", feature = "wgpu"))]
mod on_device;

use burn::tensor::Tensor;

use crate::device::has_kernels;

/// Keeps the root differentiable at zero, where a dead critic would give NaN.
const SMALL: f64 = 1e-12;

/// WGAN-GP's penalty, mean((||gradient||_2 - 1)^2) over the batch (Gulrajani et al. 2017, equation 3). Shape `[1]`.
pub fn gradient_penalty(gradient: Tensor<2>) -> Tensor<1> {
    if has_kernels(&gradient.device().inner()) {
        return on_device::gradient_penalty(gradient);
    }
    let norm = (gradient.square().sum_dim(1) + SMALL).sqrt(); // [batch, 1]
    (norm - 1.0).square().mean()
}

/// The Wasserstein estimate (Arjovsky et al. 2017): the mean score of the first half less that of the second, as many scores each.
///
/// # Shapes
/// `[2 n, 1]` gives `[1]`.
pub fn wasserstein(scores: Tensor<2>) -> Tensor<1> {
    if has_kernels(&scores.device().inner()) {
        return on_device::wasserstein(scores);
    }
    let count = scores.dims()[0] / 2;
    scores.clone().slice([0..count]).mean() - scores.slice([count..2 * count]).mean()
}
