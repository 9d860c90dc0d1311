//! CTGAN's generator: residual layers (linear, batch normalisation, ReLU, their input appended), then one linear layer.
//!
//! Forward and backward are written out, because nearly all of autodiff's time in a network this small goes into passes over memory:
//! normalisation, ReLU and concatenation are one loop here, and so is their gradient. A test holds every gradient against autodiff.

use burn::module::{Module, Param};
use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor};
use pulp::Arch;
use semblant_core::host;
use semblant_core::nn::{self, Linear};
use semblant_core::seeds::Stream;

/// Added to the variance before its root, as in PyTorch.
const EPSILON: f32 = 1e-5;
/// The share of a training batch in the running statistics, as in PyTorch.
pub const MOMENTUM: f32 = 0.1;

/// [batch, in] -> [batch, out + in]: ReLU(BatchNorm(x W)) in front of x. The linear layer has no bias: normalisation would remove it.
#[derive(Module, Debug)]
pub struct Residual {
    /// `[in, out]`.
    pub weight: Param<Tensor<2>>,
    /// Scale after normalisation, `[out]`.
    pub gamma: Param<Tensor<1>>,
    /// Shift after normalisation, `[out]`.
    pub beta: Param<Tensor<1>>,
    /// Running mean of x W, `[out]`.
    pub running_mean: Param<Tensor<1>>,
    /// Running variance of x W, `[out]`.
    pub running_var: Param<Tensor<1>>,
}

/// What a residual layer's gradient needs from its forward pass.
struct Saved {
    input: Tensor<2>,
    /// x W, normalised, `[batch, out]`.
    normalised: Tensor<2>,
    /// 1 / std of every output.
    inverse_std: Vec<f32>,
    output: Tensor<2>,
}

/// Everything that the gradient needs from a forward pass.
pub struct Tape {
    layers: Vec<Saved>,
}

/// Maps noise and condition to raw rows.
#[derive(Module, Debug)]
pub struct Generator {
    /// The residual layers.
    pub layers: Vec<Residual>,
    /// The last layer.
    pub head: Linear,
}

impl Residual {
    fn new(inputs: usize, outputs: usize, stream: Stream, device: &Device) -> Self {
        let constant = |value: f32| Param::from_tensor(Tensor::full([outputs], value, device));
        Self {
            weight: nn::linear(inputs, outputs, stream, device).weight,
            gamma: constant(1.0),
            beta: constant(0.0),
            running_mean: constant(0.0).set_require_grad(false),
            running_var: constant(1.0).set_require_grad(false),
        }
    }

    /// Batch statistics; updates the running ones.
    fn forward_train(&mut self, input: Tensor<2>, momentum: f32) -> Saved {
        let product = input.clone().matmul(self.weight.val().inner()); // [batch, out]
        let [batch, outputs] = product.dims();
        let inputs = input.dims()[1];
        let (mut mean, mut variance) = (vec![0.0; outputs], vec![0.0; outputs]);
        let mut inverse_std = vec![0.0; outputs];
        let mut output = vec![0.0; batch * (outputs + inputs)];
        let normalised = host::update(product, |product| {
            Arch::new().dispatch(
                #[inline(always)]
                || column_moments(product, &mut mean, &mut variance),
            );
            for (inverse, variance) in inverse_std.iter_mut().zip(&variance) {
                *inverse = 1.0 / (variance + EPSILON).sqrt();
            }
            host::read(&self.gamma.val(), |gamma| {
                host::read(&self.beta.val(), |beta| {
                    host::read(&input, |input| {
                        Arch::new().dispatch(
                            #[inline(always)]
                            || {
                                for ((x, input), out) in product
                                    .chunks_exact_mut(outputs)
                                    .zip(input.chunks_exact(inputs))
                                    .zip(output.chunks_exact_mut(outputs + inputs))
                                {
                                    let (activated, appended) = out.split_at_mut(outputs);
                                    for i in 0..outputs {
                                        x[i] = (x[i] - mean[i]) * inverse_std[i];
                                        activated[i] = (x[i] * gamma[i] + beta[i]).max(0.0);
                                    }
                                    appended.copy_from_slice(input);
                                }
                            },
                        );
                    });
                });
            });
        });
        let device = normalised.device();
        let unbiased = batch as f32 / (batch as f32 - 1.0).max(1.0);
        self.running_mean = follow(&self.running_mean, &mean, 1.0, momentum);
        self.running_var = follow(&self.running_var, &variance, unbiased, momentum);
        Saved { input, normalised, inverse_std, output: host::tensor(output, [batch, outputs + inputs], &device) }
    }

    /// Registers the gradients of this layer's parameters and gives the gradient with respect to its input, unless it is the first
    /// layer, whose input is noise.
    fn backward(&self, saved: Saved, gradient: Tensor<2>, gradients: &mut GradientsParams, is_first: bool) -> Option<Tensor<2>> {
        let [batch, outputs] = saved.normalised.dims();
        let device = gradient.device();
        let width = gradient.dims()[1];
        let (mut d_gamma, mut d_beta) = (vec![0.0; outputs], vec![0.0; outputs]);
        let mut passed = if is_first { Vec::new() } else { vec![0.0; batch * (width - outputs)] };
        let d_product = host::update(saved.normalised, |normalised| {
            host::read(&gradient, |gradient| {
                host::read(&saved.output, |output| {
                    host::read(&self.gamma.val(), |gamma| {
                        Arch::new().dispatch(
                            #[inline(always)]
                            || {
                                for ((x, g), y) in
                                    normalised.chunks_exact(outputs).zip(gradient.chunks_exact(width)).zip(output.chunks_exact(width))
                                {
                                    for i in 0..outputs {
                                        let g = if y[i] > 0.0 { g[i] } else { 0.0 };
                                        d_beta[i] += g;
                                        d_gamma[i] += g * x[i];
                                    }
                                }
                                let scale = 1.0 / batch as f32;
                                for ((x, g), y) in
                                    normalised.chunks_exact_mut(outputs).zip(gradient.chunks_exact(width)).zip(output.chunks_exact(width))
                                {
                                    for i in 0..outputs {
                                        let g = if y[i] > 0.0 { g[i] } else { 0.0 };
                                        x[i] = gamma[i] * saved.inverse_std[i] * (g - scale * (d_beta[i] + x[i] * d_gamma[i]));
                                    }
                                }
                            },
                        );
                        if !is_first {
                            for (passed, g) in passed.chunks_exact_mut(width - outputs).zip(gradient.chunks_exact(width)) {
                                passed.copy_from_slice(&g[outputs..]);
                            }
                        }
                    });
                });
            });
        });
        gradients.register(self.weight.id, saved.input.transpose().matmul(d_product.clone()));
        gradients.register(self.gamma.id, host::tensor(d_gamma, [outputs], &device));
        gradients.register(self.beta.id, host::tensor(d_beta, [outputs], &device));
        (!is_first)
            .then(|| host::tensor(passed, [batch, width - outputs], &device) + d_product.matmul(self.weight.val().inner().transpose()))
    }

    /// Running statistics.
    fn forward(&self, input: Tensor<2>) -> Tensor<2> {
        let row = |param: &Param<Tensor<1>>| param.val().unsqueeze_dim::<2>(0);
        let scale = row(&self.gamma) / (row(&self.running_var) + EPSILON).sqrt();
        let product = input.clone().matmul(self.weight.val()); // [batch, out]
        let activated = ((product - row(&self.running_mean)) * scale + row(&self.beta)).clamp_min(0.0);
        Tensor::cat(vec![activated, input], 1)
    }
}

/// Mean and biased variance of every column.
#[inline(always)]
fn column_moments(values: &[f32], mean: &mut [f32], variance: &mut [f32]) {
    let rows = (values.len() / mean.len()) as f32;
    for row in values.chunks_exact(mean.len()) {
        mean.iter_mut().zip(row).for_each(|(mean, x)| *mean += x);
    }
    mean.iter_mut().for_each(|mean| *mean /= rows);
    for row in values.chunks_exact(mean.len()) {
        for ((variance, x), mean) in variance.iter_mut().zip(row).zip(mean.iter()) {
            *variance += (x - mean) * (x - mean);
        }
    }
    variance.iter_mut().for_each(|variance| *variance /= rows);
}

fn follow(running: &Param<Tensor<1>>, batch: &[f32], factor: f32, momentum: f32) -> Param<Tensor<1>> {
    running.clone().map(|running| {
        host::update(running, |running| {
            running.iter_mut().zip(batch).for_each(|(running, batch)| *running += momentum * (batch * factor - *running));
        })
    })
}

impl Generator {
    /// A generator from `inputs` values through residual layers of `widths` to `outputs` values.
    pub fn new(inputs: usize, widths: &[usize], outputs: usize, seed: u64, stream: u32, device: &Device) -> Self {
        let mut layers = Vec::with_capacity(widths.len());
        let mut previous = inputs;
        for (index, &width) in widths.iter().enumerate() {
            layers.push(Residual::new(previous, width, Stream::new(seed, stream + index as u32), device));
            previous += width;
        }
        Self { layers, head: nn::linear(previous, outputs, Stream::new(seed, stream + widths.len() as u32), device) }
    }

    /// Raw rows by batch statistics, and what the gradient needs. `input` carries no autodiff; `momentum` is this batch's share in
    /// the running statistics.
    ///
    /// # Shapes
    /// `[batch, inputs]` gives `[batch, outputs]`.
    pub fn forward_train(&mut self, input: Tensor<2>, momentum: f32) -> (Tensor<2>, Tape) {
        let mut layers: Vec<Saved> = Vec::with_capacity(self.layers.len());
        let mut x = input;
        for layer in &mut self.layers {
            let saved = layer.forward_train(x, momentum);
            x = saved.output.clone();
            layers.push(saved);
        }
        let head = self.head.clone().valid();
        (head.forward(x), Tape { layers })
    }

    /// The gradients of all parameters, from that with respect to the raw rows `[batch, outputs]`.
    pub fn backward(&self, tape: Tape, gradient: Tensor<2>) -> GradientsParams {
        let mut gradients = GradientsParams::new();
        let last = tape.layers.last().map(|saved| saved.output.clone()).expect("a generator has at least one layer");
        gradients.register(self.head.weight.id, last.transpose().matmul(gradient.clone()));
        if let Some(bias) = &self.head.bias {
            gradients.register(bias.id, gradient.clone().sum_dim(0).squeeze_dim::<1>(0));
        }
        let mut gradient = Some(gradient.matmul(self.head.weight.val().inner().transpose()));
        for (index, (layer, saved)) in self.layers.iter().zip(tape.layers).enumerate().rev() {
            gradient = gradient.and_then(|gradient| layer.backward(saved, gradient, &mut gradients, index == 0));
        }
        gradients
    }

    /// Sets the running statistics to the means over `batches`: an average of weights has other statistics than the average of the
    /// statistics of the weights.
    pub fn recalibrate(&mut self, batches: impl Iterator<Item = Tensor<2>>) {
        for (index, batch) in batches.enumerate() {
            self.forward_train(batch, 1.0 / (index + 1) as f32);
        }
    }

    /// Raw rows by running statistics: a row does not depend on the others of its batch.
    ///
    /// # Shapes
    /// `[batch, inputs]` gives `[batch, outputs]`.
    pub fn forward(&self, input: Tensor<2>) -> Tensor<2> {
        let mut x = input;
        for layer in &self.layers {
            x = layer.forward(x);
        }
        self.head.forward(x)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Tolerance;

    /// The same network by burn's operations, on autodiff.
    fn by_operations(generator: &Generator, input: Tensor<2>) -> Tensor<2> {
        let mut x = input;
        for layer in &generator.layers {
            let product = x.clone().matmul(layer.weight.val());
            let mean = product.clone().mean_dim(0);
            let centred = product - mean;
            let variance = centred.clone().square().mean_dim(0);
            let normalised = centred / (variance + EPSILON).sqrt();
            let row = |param: &Param<Tensor<1>>| param.val().unsqueeze_dim::<2>(0);
            x = Tensor::cat(vec![(normalised * row(&layer.gamma) + row(&layer.beta)).clamp_min(0.0), x], 1);
        }
        generator.head.forward(x)
    }

    #[test]
    fn every_gradient_agrees_with_autodiff() {
        let device = Device::flex().autodiff();
        let mut generator = Generator::new(5, &[7, 6], 4, 3, 0, &device);
        let draw = |stream, rows: u64, width| Stream::new(1, stream).matrix(0..rows, width, Stream::normals);
        let input = host::tensor(draw(0, 9, 5), [9, 5], &Device::flex());
        let weight = host::tensor(draw(1, 9, 4), [9, 4], &Device::flex());
        let (actual, tape) = generator.forward_train(input.clone(), MOMENTUM);
        let expected = by_operations(&generator, Tensor::from_inner(input));
        expected.to_data().assert_approx_eq::<f32>(&actual.to_data(), Tolerance::absolute(1e-5));

        let autodiff = (expected * Tensor::from_inner(weight.clone())).sum().backward();
        let ours = generator.backward(tape, weight);
        let check = |expected: TensorData, actual: TensorData| expected.assert_approx_eq::<f32>(&actual, Tolerance::absolute(2e-4));
        for layer in &generator.layers {
            check(
                layer.weight.val().grad(&autodiff).expect("used").to_data(),
                ours.get::<2>(layer.weight.id).expect("registered").to_data(),
            );
            check(layer.gamma.val().grad(&autodiff).expect("used").to_data(), ours.get::<1>(layer.gamma.id).expect("registered").to_data());
            check(layer.beta.val().grad(&autodiff).expect("used").to_data(), ours.get::<1>(layer.beta.id).expect("registered").to_data());
        }
        check(
            generator.head.weight.val().grad(&autodiff).expect("used").to_data(),
            ours.get::<2>(generator.head.weight.id).expect("registered").to_data(),
        );
    }

    use burn::tensor::TensorData;

    #[test]
    fn with_running_statistics_a_row_does_not_depend_on_its_batch() {
        let generator = Generator::new(5, &[8], 3, 0, 0, &Device::flex());
        let input = host::tensor(Stream::new(2, 0).matrix(0..6, 5, Stream::normals), [6, 5], &Device::flex());
        let whole = generator.forward(input.clone()).slice([2..3]);
        generator.forward(input.slice([2..3])).to_data().assert_approx_eq::<f32>(&whole.to_data(), Tolerance::absolute(1e-6));
    }
}
