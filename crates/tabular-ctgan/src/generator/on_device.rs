//! The generator on devices other than the CPU: the formulas of `loops.rs` as tensor operations. The condition is a one-hot part of the
//! input here, so that a product with it is one kernel.

use burn::module::Param;
use burn::optim::GradientsParams;
use burn::tensor::Tensor;
use semblant_core::nn::{Linear, unit_vectors};

use super::normed::{self, Normed};
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
    /// What the next layer sees: its first columns are this layer's outputs.
    next: Tensor<2>,
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

/// A running statistic with the value of `batch [1, out]`.
fn set(running: &Param<Tensor<1>>, batch: Tensor<2>) -> Param<Tensor<1>> {
    let batch = batch.squeeze_dim::<1>(0);
    running.clone().map(|running| if running.device().is_autodiff() { Tensor::from_inner(batch) } else { batch })
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
    // What was appended stays in front of the condition, [batch, in + conditions] at every layer.
    let mut input = with(noise, &condition);
    for layer in &mut generator.layers {
        let product = input.clone().matmul(layer.weight.val().inner()); // [batch, out]
        let running = [row(&layer.running_mean), row(&layer.running_var)];
        let Normed { next, normalised, inverse, running: [mean, variance] } =
            normed::forward(product, row(&layer.gamma), row(&layer.beta), running, momentum, input.clone());
        layer.running_mean = set(&layer.running_mean, mean);
        layer.running_var = set(&layer.running_var, variance);
        layers.push(Layer { input, normalised, inverse, next: next.clone() });
        input = next;
    }
    (head(&generator.head, input.clone()), Saved { layers, last: input })
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
        let (outputs, inputs) = (kept.normalised.dims()[1], kept.input.dims()[1]);
        let [d_product, d_gamma, d_beta] = normed::backward(&gradient, kept.next, kept.normalised, kept.inverse, row(&layer.gamma));
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
