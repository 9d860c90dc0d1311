//! Penalties on the gradient of a critic.

use burn::tensor::Tensor;

/// WGAN-GP's penalty, mean((||gradient||_2 - 1)^2) over the batch (Gulrajani et al. 2017, equation 3). Shape `[1]`.
pub fn gradient_penalty(gradient: Tensor<2>) -> Tensor<1> {
    // The small number keeps the root differentiable at zero, where a dead critic would give NaN.
    let norm = (gradient.square().sum_dim(1) + 1e-12).sqrt(); // [batch, 1]
    (norm - 1.0).square().mean()
}
