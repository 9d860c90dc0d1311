//! A multi-layer critic with an exact gradient penalty on first-order autodiff.
//!
//! The critic is linear layers, LeakyReLU and dropout, so for a fixed input it is a product of matrices and diagonal slopes:
//! D(x) = (((x W1) s1) W2) s2 ... w. Its gradient with respect to x is the same product read backwards, a forward computation
//! with the transposed weights and the slopes as constants. Slopes are piecewise constant, so ordinary autodiff through that
//! computation gives the gradient of any penalty on it exactly, almost everywhere. No second-order autodiff is needed.

use burn::module::Module;
use burn::tensor::{Device, Int, Tensor};

use super::{Linear, LinearConfig, leaky_relu_dropout, linear_of, unit_vectors};
use crate::host;
use crate::seeds::streams::StreamRange;

/// Linear, LeakyReLU and dropout layers, then one linear output.
#[derive(Module, Debug)]
pub struct MlpCritic {
    /// The hidden layers.
    pub hidden: Vec<Linear>,
    /// The output layer, `[last hidden width, 1]`.
    pub head: Linear,
    /// The slope of LeakyReLU below zero.
    #[module(skip)]
    pub negative_slope: f32,
}

/// The derivative of every activation of one forward pass: LeakyReLU's slope times the dropout mask, `[batch, width]` a layer.
#[derive(Debug, Clone)]
pub struct CriticSlopes(Vec<Tensor<2>>);

impl CriticSlopes {
    /// Rows `start..end` of every layer.
    pub fn rows(&self, start: usize, end: usize) -> Self {
        Self(self.0.iter().map(|slope| slope.clone().slice([start..end])).collect())
    }
}

impl MlpCritic {
    /// A critic on `inputs` values with hidden layers of `widths`, whose first weights come from a stream each.
    ///
    /// # Panics
    /// When there is no hidden layer, or more layers than `streams`.
    pub fn new(inputs: usize, widths: &[usize], negative_slope: f32, seed: u64, streams: StreamRange, device: &Device) -> Self {
        assert!(!widths.is_empty(), "a critic has at least one hidden layer");
        let mut previous = inputs;
        let mut hidden = Vec::with_capacity(widths.len());
        for (index, &width) in widths.iter().enumerate() {
            hidden.push(LinearConfig::new(previous, width).init(streams.nth(seed, index as u32), device));
            previous = width;
        }
        let head = LinearConfig::new(previous, 1).init(streams.nth(seed, widths.len() as u32), device);
        Self { hidden, head, negative_slope }
    }

    /// Scores of a batch, and the slopes of this pass.
    ///
    /// `masks` hold dropout's factors, 0 or 1 / (1 - p), one tensor `[batch, width]` a hidden layer; none means no dropout.
    ///
    /// # Shapes
    /// `input: [batch, inputs]` gives scores `[batch, 1]`.
    ///
    /// # Panics
    /// When masks are given for some layers only, or shapes do not fit.
    pub fn forward(&self, input: Tensor<2>, masks: &[Tensor<2>]) -> (Tensor<2>, CriticSlopes) {
        self.forward_from(self.preactivation(input), masks)
    }

    /// The first layer before its activation. It is affine, so that of a point between two inputs lies between theirs, and costs
    /// nothing once theirs are known.
    ///
    /// # Shapes
    /// `[batch, inputs]` gives `[batch, first width]`.
    pub fn preactivation(&self, input: Tensor<2>) -> Tensor<2> {
        self.hidden[0].forward(input)
    }

    /// [`MlpCritic::preactivation`] of an input whose last part is a sum of unit vectors: `ones` names their places in that part, the
    /// same number for each of the batch. Their product with the weights is a sum of rows of them, which costs next to nothing.
    ///
    /// # Shapes
    /// `dense: [batch, inputs - last part]`, `ones: [batch * n]`; gives `[batch, first width]`.
    pub fn preactivation_of(&self, dense: Tensor<2>, ones: Tensor<1, Int>) -> Tensor<2> {
        let weight = self.hidden[0].weight.val();
        let ([batch, inputs], [rows, width]) = (dense.dims(), weight.dims());
        let (count, bias) = (ones.dims()[0] / batch, self.hidden[0].bias.as_ref().map(|bias| bias.val()));
        if count > 0 && !host::is_host(&weight.device().inner()) {
            // On a GPU the gradient of a selection is a loop over the batch for every weight; a matrix product is far quicker there.
            let ones = unit_vectors(ones, count, rows - inputs);
            let ones = if weight.device().is_autodiff() { Tensor::from_inner(ones) } else { ones };
            let result = Tensor::cat(vec![dense, ones], 1).matmul(weight);
            return bias.into_iter().fold(result, |result, bias| result + bias.unsqueeze_dim::<2>(0));
        }
        let result = linear_of(dense, weight.clone().narrow(0, 0, inputs), bias);
        if count == 0 {
            return result;
        }
        let chosen = weight.narrow(0, inputs, rows - inputs).select(0, ones); // [batch * n, width]
        result + chosen.reshape([batch, count, width]).sum_dim(1).squeeze_dim::<2>(1)
    }

    /// [`MlpCritic::forward`] from the first layer's preactivation on.
    ///
    /// # Panics
    /// As [`MlpCritic::forward`].
    pub fn forward_from(&self, mut preactivation: Tensor<2>, masks: &[Tensor<2>]) -> (Tensor<2>, CriticSlopes) {
        assert!(masks.is_empty() || masks.len() == self.hidden.len(), "dropout masks for every hidden layer or none");
        let mut slopes = Vec::with_capacity(self.hidden.len());
        loop {
            let layer = slopes.len();
            let (activated, slope) = leaky_relu_dropout(preactivation, self.negative_slope, masks.get(layer).cloned()); // [batch, width]
            slopes.push(slope);
            match self.hidden.get(layer + 1) {
                Some(next) => preactivation = next.forward(activated),
                None => return (self.head.forward(activated), CriticSlopes(slopes)),
            }
        }
    }

    /// The gradient of every score with respect to its input, as a computation that autodiff can differentiate.
    ///
    /// # Shapes
    /// `[batch, inputs]`, where `batch` is that of the slopes.
    pub fn input_gradient(&self, slopes: &CriticSlopes) -> Tensor<2> {
        self.input_gradient_of(slopes, self.hidden[0].weight.lazy_shape()[0])
    }

    /// [`MlpCritic::input_gradient`] for the first `inputs` inputs only.
    ///
    /// # Shapes
    /// `[batch, inputs]`.
    pub fn input_gradient_of(&self, slopes: &CriticSlopes, inputs: usize) -> Tensor<2> {
        let mut gradient = self.head.weight.val().transpose(); // [1, last width]
        for (index, (layer, slope)) in self.hidden.iter().zip(&slopes.0).enumerate().rev() {
            let mut weight = layer.weight.val();
            if index == 0 && inputs < weight.dims()[0] {
                weight = weight.narrow(0, 0, inputs);
            }
            gradient = (gradient * Tensor::from_inner(slope.clone())).matmul(weight.transpose()); // [batch, width below]
        }
        gradient
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::gradient_penalty;
    use crate::seeds::Stream;
    use crate::seeds::streams::LAYERS;
    use burn::module::Param;
    use serde::Deserialize;

    /// Made by tests/golden/mlp_critic.py with PyTorch's double backward.
    #[derive(Deserialize)]
    struct Golden {
        inputs: usize,
        input: Vec<f32>,
        weights: Vec<Vec<f32>>,
        biases: Vec<Vec<f32>>,
        masks: Vec<Vec<f32>>,
        scores: Vec<f32>,
        input_gradient: Vec<f32>,
        penalty: f32,
        weight_gradients: Vec<Vec<f32>>,
    }

    fn close(actual: &[f32], expected: &[f32], what: &str) {
        let scale = expected.iter().fold(0f32, |m, v| m.max(v.abs())).max(1e-3);
        for (a, e) in actual.iter().zip(expected) {
            assert!((a - e).abs() <= 2e-6 * scale, "{what}: {a} against {e}");
        }
        assert_eq!(actual.len(), expected.len(), "{what}");
    }

    #[test]
    fn unit_vectors_by_their_places_are_the_same_input() {
        let device = Device::flex();
        let critic = MlpCritic::new(7, &[5, 4], 0.2, 1, LAYERS, &device);
        let dense = host::tensor(Stream::new(0, 0).matrix(0..2, 3, Stream::normals), [2, 3], &device);
        let ones = Tensor::<1, Int>::from_ints([0, 3, 1, 1], &device);
        let spelt = Tensor::<2>::from_floats([[1.0, 0.0, 0.0, 1.0], [0.0, 2.0, 0.0, 0.0]], &device);
        let expected = critic.preactivation(Tensor::cat(vec![dense.clone(), spelt], 1));
        expected
            .to_data()
            .assert_approx_eq::<f32>(&critic.preactivation_of(dense, ones).to_data(), burn::tensor::Tolerance::absolute(1e-6));
    }

    #[test]
    fn penalty_and_its_gradients_are_those_of_double_backward() {
        let golden: Golden = serde_json::from_str(include_str!("../../tests/golden/mlp_critic.json")).expect("golden file");
        let device = Device::flex().autodiff();
        let batch = golden.input.len() / golden.inputs;
        let layer = |index: usize, inputs: usize| {
            let outputs = golden.biases[index].len();
            Linear {
                weight: Param::from_tensor(host::tensor(golden.weights[index].clone(), [inputs, outputs], &device)),
                bias: Some(Param::from_tensor(host::tensor(golden.biases[index].clone(), [outputs], &device))),
            }
        };
        let widths = [golden.biases[0].len(), golden.biases[1].len()];
        let critic =
            MlpCritic { hidden: vec![layer(0, golden.inputs), layer(1, widths[0])], head: layer(2, widths[1]), negative_slope: 0.2 };
        let plain = Device::flex();
        let masks: Vec<_> = (0..2).map(|i| host::tensor(golden.masks[i].clone(), [batch, widths[i]], &plain)).collect();
        let input = host::tensor(golden.input.clone(), [batch, golden.inputs], &device);

        let (scores, slopes) = critic.forward(input, &masks);
        close(&host::read(&scores, <[f32]>::to_vec), &golden.scores, "scores");
        let gradient = critic.input_gradient(&slopes);
        close(&host::read(&gradient, <[f32]>::to_vec), &golden.input_gradient, "input gradient");
        let penalty = gradient_penalty(gradient);
        close(&host::read(&penalty, <[f32]>::to_vec), &[golden.penalty], "penalty");
        let gradients = penalty.backward();
        for (index, layer) in critic.hidden.iter().chain([&critic.head]).enumerate() {
            let gradient = layer.weight.val().grad(&gradients).expect("every weight takes part");
            close(&host::read(&gradient, <[f32]>::to_vec), &golden.weight_gradients[index], "weight gradient");
        }
    }
}
