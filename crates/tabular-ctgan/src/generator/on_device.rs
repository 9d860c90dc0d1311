//! The generator on devices other than the CPU: the formulas of `loops.rs` as tensor operations. The condition is a one-hot part of the
//! input here, so that a product with it is one kernel.

use burn::module::Param;
use burn::optim::GradientsParams;
use burn::tensor::Tensor;
use semblant_core::nn::{Linear, unit_vectors};

use super::{EPSILON, Generator, Residual};
use crate::conditions::ConditionVector;

/// What a residual layer's gradient needs from its forward pass.
struct Layer {
    /// Input and condition, `[batch, in + conditions]`.
    input: Tensor<2>,
    /// `[batch, out]`.
    normalised: Tensor<2>,
    /// 1 / std of every output, `[1, out]`.
    inverse: Tensor<2>,
    /// `[batch, out]`, before the input is appended.
    activated: Tensor<2>,
}

/// What the gradient needs from a forward pass.
pub(super) struct Saved {
    layers: Vec<Layer>,
    /// What the head saw, `[batch, in + conditions]`.
    last: Tensor<2>,
}

/// The conditions as vectors, `[batch, conditions]`; nothing without conditions.
fn one_hot(generator: &Generator, noise: &Tensor<2>, places: &ConditionVector) -> Option<Tensor<2>> {
    let conditions = generator.layers[0].weight.lazy_shape()[0] - noise.dims()[1];
    // Rows that pad a batch have no condition of their own; what becomes of them is thrown away.
    let places = places.on(noise.dims()[0], &noise.device())?;
    Some(unit_vectors(places, 1, conditions))
}

fn with(x: Tensor<2>, condition: &Option<Tensor<2>>) -> Tensor<2> {
    match condition {
        Some(condition) => Tensor::cat(vec![x, condition.clone()], 1),
        None => x,
    }
}

fn head(layer: &Linear, input: Tensor<2>) -> Tensor<2> {
    let product = input.matmul(layer.weight.val().inner());
    layer.bias.iter().fold(product, |product, bias| product + bias.val().inner().unsqueeze_dim::<2>(0))
}

fn row(param: &Param<Tensor<1>>) -> Tensor<2> {
    param.val().inner().unsqueeze_dim::<2>(0)
}

fn follow(running: &Param<Tensor<1>>, batch: Tensor<2>, momentum: f32) -> Param<Tensor<1>> {
    let batch = batch.squeeze_dim::<1>(0);
    running.clone().map(|running| {
        let (tracked, running) = (running.device().is_autodiff(), running.inner());
        let moved = running.clone() + (batch - running) * momentum;
        if tracked { Tensor::from_inner(moved) } else { moved }
    })
}

impl Residual {
    fn activate(&self, normalised: Tensor<2>) -> Tensor<2> {
        (normalised * row(&self.gamma) + row(&self.beta)).clamp_min(0.0)
    }
}

/// See [`Generator::forward_train`].
pub(super) fn forward_train(generator: &mut Generator, noise: Tensor<2>, places: &ConditionVector, momentum: f32) -> (Tensor<2>, Saved) {
    let condition = one_hot(generator, &noise, places);
    let mut layers = Vec::with_capacity(generator.layers.len());
    let mut x = noise;
    for layer in &mut generator.layers {
        let input = with(x.clone(), &condition);
        let product = input.clone().matmul(layer.weight.val().inner()); // [batch, out]
        let batch = product.dims()[0] as f32;
        let mean = product.clone().mean_dim(0); // [1, out]
        let centred = product - mean.clone();
        let variance = centred.clone().square().mean_dim(0);
        let inverse = (variance.clone() + EPSILON).sqrt().recip();
        let normalised = centred * inverse.clone();
        let activated = layer.activate(normalised.clone());
        layer.running_mean = follow(&layer.running_mean, mean, momentum);
        layer.running_var = follow(&layer.running_var, variance * (batch / (batch - 1.0).max(1.0)), momentum);
        x = Tensor::cat(vec![activated.clone(), x], 1);
        layers.push(Layer { input, normalised, inverse, activated });
    }
    let last = with(x, &condition);
    (head(&generator.head, last.clone()), Saved { layers, last })
}

/// See [`Generator::backward`].
pub(super) fn backward(generator: &Generator, saved: Saved, gradient: Tensor<2>) -> GradientsParams {
    let mut gradients = GradientsParams::new();
    let weight = generator.head.weight.val().inner();
    gradients.register(generator.head.weight.id, saved.last.transpose().matmul(gradient.clone()));
    if let Some(bias) = &generator.head.bias {
        gradients.register(bias.id, gradient.clone().sum_dim(0).squeeze_dim::<1>(0));
    }
    // [batch, out + in + conditions] at every layer; what the conditions get is not used.
    let mut gradient = gradient.matmul(weight.transpose());
    for (index, (layer, kept)) in generator.layers.iter().zip(saved.layers).enumerate().rev() {
        let ([batch, outputs], [_, inputs]) = (kept.activated.dims(), kept.input.dims());
        let passed = gradient.clone().narrow(1, 0, outputs) * kept.activated.greater_elem(0.0).float();
        let d_beta = passed.clone().sum_dim(0); // [1, out]
        let d_gamma = (passed.clone() * kept.normalised.clone()).sum_dim(0);
        let mean = (d_beta.clone() + kept.normalised * d_gamma.clone()) / batch as f32;
        let d_product = (passed - mean) * (row(&layer.gamma) * kept.inverse);
        gradients.register(layer.weight.id, kept.input.transpose().matmul(d_product.clone()));
        gradients.register(layer.gamma.id, d_gamma.squeeze_dim::<1>(0));
        gradients.register(layer.beta.id, d_beta.squeeze_dim::<1>(0));
        if index > 0 {
            // What was appended has a gradient where it was appended to, and one through the product.
            gradient = gradient.narrow(1, outputs, inputs) + d_product.matmul(layer.weight.val().inner().transpose());
        }
    }
    gradients
}

/// See [`Generator::forward`].
pub(super) fn forward(generator: &Generator, noise: Tensor<2>, places: &ConditionVector) -> Tensor<2> {
    let condition = one_hot(generator, &noise, places);
    let through = |x: Tensor<2>, layer: &Residual| {
        let product = with(x.clone(), &condition).matmul(layer.weight.val().inner());
        let inverse = (row(&layer.running_var) + EPSILON).sqrt().recip();
        let activated = layer.activate((product - row(&layer.running_mean)) * inverse);
        Tensor::cat(vec![activated, x], 1)
    };
    let x = generator.layers.iter().fold(noise, through);
    head(&generator.head, with(x, &condition))
}
