//! Batch normalisation, ReLU and the input appended, with the gradient: a kernel each where a GPU holds them, else tensor operations.

#[cfg(not(any(feature = "cuda", feature = "wgpu")))]
#[path = "normed/absent.rs"]
mod kernel;
#[cfg(any(feature = "cuda", feature = "wgpu"))]
mod kernel;

use burn::tensor::Tensor;
use semblant_core::device::has_kernels;

use super::EPSILON;

/// What a residual layer makes of its product.
pub(super) struct Normed {
    /// ReLU(BatchNorm(product)) in front of the input, `[batch, out + in]`.
    pub(super) next: Tensor<2>,
    /// `[batch, out]`.
    pub(super) normalised: Tensor<2>,
    /// 1 / std of every output, `[1, out]`.
    pub(super) inverse: Tensor<2>,
    /// Running mean and variance, `[1, out]`, after this batch.
    pub(super) running: [Tensor<2>; 2],
}

/// Normalises by batch statistics, which have a share of `momentum` in the running ones.
///
/// # Shapes
/// `product [batch, out]`, `input [batch, in]`; `gamma`, `beta` and `running` are `[1, out]`.
pub(super) fn forward(
    product: Tensor<2>,
    gamma: Tensor<2>,
    beta: Tensor<2>,
    running: [Tensor<2>; 2],
    momentum: f32,
    input: Tensor<2>,
) -> Normed {
    if has_kernels(&product.device()) {
        return kernel::forward(product, gamma, beta, running, momentum, input);
    }
    let batch = product.dims()[0] as f32;
    let mean = product.clone().mean_dim(0); // [1, out]
    let centred = product - mean.clone();
    let variance = centred.clone().square().mean_dim(0); // [1, out]
    let inverse = (variance.clone() + EPSILON).sqrt().recip();
    let normalised = centred * inverse.clone();
    let activated = (normalised.clone() * gamma + beta).clamp_min(0.0);
    let [running_mean, running_variance] = running;
    let unbiased = variance * (batch / (batch - 1.0).max(1.0));
    let running =
        [running_mean.clone() + (mean - running_mean) * momentum, running_variance.clone() + (unbiased - running_variance) * momentum];
    Normed { next: Tensor::cat(vec![activated, input], 1), normalised, inverse, running }
}

/// The gradients of product, gamma and beta, from that of [`Normed::next`].
///
/// # Shapes
/// `gradient` and `next` `[batch, out + more]`; gives `[batch, out]` and twice `[1, out]`.
pub(super) fn backward(
    gradient: &Tensor<2>,
    next: Tensor<2>,
    normalised: Tensor<2>,
    inverse: Tensor<2>,
    gamma: Tensor<2>,
) -> [Tensor<2>; 3] {
    if has_kernels(&normalised.device()) {
        return kernel::backward(gradient.clone(), next, normalised, inverse, gamma);
    }
    let [batch, outputs] = normalised.dims();
    let passed = gradient.clone().narrow(1, 0, outputs) * next.narrow(1, 0, outputs).greater_elem(0.0).float();
    let d_beta = passed.clone().sum_dim(0); // [1, out]
    let d_gamma = (passed.clone() * normalised.clone()).sum_dim(0);
    let mean = (d_beta.clone() + normalised * d_gamma.clone()) / batch as f32;
    [(passed - mean) * (gamma * inverse), d_gamma, d_beta]
}
