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

/// [batch, in] -> [batch, out + in]: ReLU(BatchNorm([x, c] W)) in front of x. The linear layer has no bias: normalisation would remove it.
///
/// The condition c is one-hot, so its part of a product is one row of the weights. It stands as an index, never as a vector, and the
/// last rows of every weight matrix belong to it: with a hundred conditions that is a third of the generator's arithmetic saved.
#[derive(Module, Debug)]
pub struct Residual {
    /// `[in + conditions, out]`.
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
    asked: Vec<u32>,
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
    fn forward_train(&mut self, input: Tensor<2>, asked: &[u32], momentum: f32) -> Saved {
        let mut product = product(&input, &self.weight.val().inner(), None, asked); // [batch, out]
        let [batch, outputs] = product.dims();
        let (mut mean, mut variance) = (vec![0.0; outputs], vec![0.0; outputs]);
        product = host::update(product, |product| {
            Arch::new().dispatch(
                #[inline(always)]
                || column_moments(product, &mut mean, &mut variance),
            );
        });
        let (normalised, output) = self.normalise(product, &input, &mean, &variance);
        let unbiased = batch as f32 / (batch as f32 - 1.0).max(1.0);
        self.running_mean = follow(&self.running_mean, &mean, 1.0, momentum);
        self.running_var = follow(&self.running_var, &variance, unbiased, momentum);
        let inverse_std = variance.iter().map(|variance| 1.0 / (variance + EPSILON).sqrt()).collect();
        Saved { input, normalised, inverse_std, output }
    }

    /// The normalised product `[batch, out]`, and the layer's output `[batch, out + in]`, in one pass.
    fn normalise(&self, product: Tensor<2>, input: &Tensor<2>, mean: &[f32], variance: &[f32]) -> (Tensor<2>, Tensor<2>) {
        let [batch, outputs] = product.dims();
        let (inputs, device) = (input.dims()[1], product.device());
        let inverse: Vec<f32> = variance.iter().map(|variance| 1.0 / (variance + EPSILON).sqrt()).collect();
        let (gamma, beta) = (host::read(&self.gamma.val(), <[f32]>::to_vec), host::read(&self.beta.val(), <[f32]>::to_vec));
        let mut output = vec![0.0; batch * (outputs + inputs)];
        let normalised = host::update(product, |product| {
            host::read(input, |input| {
                Arch::new().dispatch(
                    #[inline(always)]
                    || {
                        let rows = product.chunks_exact_mut(outputs).zip(input.chunks_exact(inputs));
                        for ((x, input), out) in rows.zip(output.chunks_exact_mut(outputs + inputs)) {
                            let (activated, appended) = out.split_at_mut(outputs);
                            normalise_row(x, activated, [mean, &inverse, &gamma, &beta]);
                            appended.copy_from_slice(input);
                        }
                    },
                );
            });
        });
        (normalised, host::tensor(output, [batch, outputs + inputs], &device))
    }

    /// Registers the gradients of this layer's parameters and gives the gradient with respect to its input, unless it is the first
    /// layer, whose input is noise.
    fn backward(
        &self,
        saved: Saved,
        asked: &[u32],
        gradient: &Tensor<2>,
        gradients: &mut GradientsParams,
        is_first: bool,
    ) -> Option<Tensor<2>> {
        let [_, outputs] = saved.normalised.dims();
        let width = gradient.dims()[1];
        let device = gradient.device();
        let (mut d_gamma, mut d_beta) = (vec![0.0; outputs], vec![0.0; outputs]);
        let gamma = host::read(&self.gamma.val(), <[f32]>::to_vec);
        let d_product = host::update(saved.normalised, |normalised| {
            host::read(gradient, |gradient| {
                host::read(&saved.output, |output| {
                    Arch::new().dispatch(
                        #[inline(always)]
                        || normalise_backward(normalised, gradient, output, width, &gamma, &saved.inverse_std, &mut d_gamma, &mut d_beta),
                    );
                });
            });
        });
        let weight = self.weight.val().inner();
        gradients.register(self.weight.id, product_backward(&saved.input, &d_product, asked, weight.dims()[0]));
        gradients.register(self.gamma.id, host::tensor(d_gamma, [outputs], &device));
        gradients.register(self.beta.id, host::tensor(d_beta, [outputs], &device));
        let inputs = width - outputs;
        (!is_first).then(|| gradient.clone().narrow(1, outputs, inputs) + d_product.matmul(weight.narrow(0, 0, inputs).transpose()))
    }

    /// Running statistics.
    fn forward(&self, input: &Tensor<2>, asked: &[u32]) -> Tensor<2> {
        let (mean, variance) =
            (host::read(&self.running_mean.val(), <[f32]>::to_vec), host::read(&self.running_var.val(), <[f32]>::to_vec));
        self.normalise(product(input, &self.weight.val(), None, asked), input, &mean, &variance).1
    }
}

/// [x, c] W + b, where c is one-hot at `asked` (or absent, when there are no conditions). `[batch, out]`.
fn product(x: &Tensor<2>, weight: &Tensor<2>, bias: Option<Tensor<1>>, asked: &[u32]) -> Tensor<2> {
    let inputs = x.dims()[1];
    let outputs = weight.dims()[1];
    let dense = x.clone().matmul(weight.clone().narrow(0, 0, inputs));
    let bias = bias.map(|bias| host::read(&bias, <[f32]>::to_vec));
    if asked.is_empty() && bias.is_none() {
        return dense;
    }
    host::update(dense, |dense| {
        host::read(weight, |weight| {
            for (row, out) in dense.chunks_exact_mut(outputs).enumerate() {
                if let Some(&asked) = asked.get(row) {
                    let start = (inputs + asked as usize) * outputs;
                    out.iter_mut().zip(&weight[start..start + outputs]).for_each(|(out, weight)| *out += weight);
                }
                if let Some(bias) = &bias {
                    out.iter_mut().zip(bias).for_each(|(out, bias)| *out += bias);
                }
            }
        });
    })
}

/// The gradient of W in [`product`], `[rows, out]`.
fn product_backward(x: &Tensor<2>, gradient: &Tensor<2>, asked: &[u32], rows: usize) -> Tensor<2> {
    let dense = x.clone().transpose().matmul(gradient.clone()); // [inputs, out]
    let [inputs, outputs] = dense.dims();
    if rows == inputs {
        return dense;
    }
    let mut whole = vec![0.0; rows * outputs];
    host::read(&dense, |dense| whole[..inputs * outputs].copy_from_slice(dense));
    host::read(gradient, |gradient| {
        for (gradient, &asked) in gradient.chunks_exact(outputs).zip(asked) {
            let start = (inputs + asked as usize) * outputs;
            whole[start..start + outputs].iter_mut().zip(gradient).for_each(|(whole, gradient)| *whole += gradient);
        }
    });
    host::tensor(whole, [rows, outputs], &gradient.device())
}

/// One row's normalisation and ReLU. Two loops over slices of one known length, because one loop over all of them has more pointers
/// than the compiler checks for overlap, and stays scalar.
#[inline(always)]
fn normalise_row(x: &mut [f32], activated: &mut [f32], [mean, inverse, gamma, beta]: [&[f32]; 4]) {
    for ((x, mean), inverse) in x.iter_mut().zip(mean).zip(inverse) {
        *x = (*x - mean) * inverse;
    }
    for (((activated, x), gamma), beta) in activated.iter_mut().zip(x.iter()).zip(gamma).zip(beta) {
        *activated = (x * gamma + beta).max(0.0);
    }
}

/// Turns `normalised` `[batch, out]` into the gradient with respect to the product, and adds up those of scale and shift.
#[allow(clippy::too_many_arguments)]
#[inline(always)]
fn normalise_backward(
    normalised: &mut [f32],
    gradient: &[f32],
    output: &[f32],
    width: usize,
    gamma: &[f32],
    inverse_std: &[f32],
    d_gamma: &mut [f32],
    d_beta: &mut [f32],
) {
    let outputs = gamma.len();
    let mut passed = vec![0.0; outputs];
    for ((x, g), y) in normalised.chunks_exact(outputs).zip(gradient.chunks_exact(width)).zip(output.chunks_exact(width)) {
        through_relu(&mut passed, g, y);
        d_beta.iter_mut().zip(&passed).for_each(|(sum, g)| *sum += g);
        d_gamma.iter_mut().zip(&passed).zip(x).for_each(|((sum, g), x)| *sum += g * x);
    }
    let rows = (normalised.len() / outputs) as f32;
    let mean_of = |sums: &[f32]| sums.iter().map(|sum| sum / rows).collect::<Vec<f32>>();
    let (mean_beta, mean_gamma) = (mean_of(d_beta), mean_of(d_gamma));
    let scale: Vec<f32> = gamma.iter().zip(inverse_std).map(|(gamma, inverse)| gamma * inverse).collect();
    for ((x, g), y) in normalised.chunks_exact_mut(outputs).zip(gradient.chunks_exact(width)).zip(output.chunks_exact(width)) {
        through_relu(&mut passed, g, y);
        for ((((x, g), scale), beta), gamma) in x.iter_mut().zip(&passed).zip(&scale).zip(&mean_beta).zip(&mean_gamma) {
            *x = scale * (g - (beta + *x * gamma));
        }
    }
}

/// The part of a row's gradient that ReLU lets through, by its output.
#[inline(always)]
fn through_relu(passed: &mut [f32], gradient: &[f32], output: &[f32]) {
    for ((passed, g), y) in passed.iter_mut().zip(gradient).zip(output) {
        // A product instead of a branch keeps the loop in vector code.
        *passed = g * f32::from(u8::from(*y > 0.0));
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
    /// A generator from `noise` values and one of `conditions` through residual layers of `widths` to `outputs` values.
    pub fn new(noise: usize, conditions: usize, widths: &[usize], outputs: usize, seed: u64, stream: u32, device: &Device) -> Self {
        let mut layers = Vec::with_capacity(widths.len());
        let mut previous = noise;
        for (index, &width) in widths.iter().enumerate() {
            layers.push(Residual::new(previous + conditions, width, Stream::new(seed, stream + index as u32), device));
            previous += width;
        }
        Self { layers, head: nn::linear(previous + conditions, outputs, Stream::new(seed, stream + widths.len() as u32), device) }
    }

    /// Raw rows by batch statistics, and what the gradient needs. `noise` carries no autodiff; `asked` is each row's place in the
    /// condition vector, or empty without conditions; `momentum` is this batch's share in the running statistics.
    ///
    /// # Shapes
    /// `[batch, noise]` gives `[batch, outputs]`.
    pub fn forward_train(&mut self, noise: Tensor<2>, asked: &[u32], momentum: f32) -> (Tensor<2>, Tape) {
        let mut layers: Vec<Saved> = Vec::with_capacity(self.layers.len());
        let mut x = noise;
        for layer in &mut self.layers {
            let saved = layer.forward_train(x, asked, momentum);
            x = saved.output.clone();
            layers.push(saved);
        }
        (self.raw_rows(&x, asked), Tape { layers, asked: asked.to_vec() })
    }

    fn raw_rows(&self, x: &Tensor<2>, asked: &[u32]) -> Tensor<2> {
        product(x, &self.head.weight.val().inner(), self.head.bias.as_ref().map(|bias| bias.val().inner()), asked)
    }

    /// The gradients of all parameters, from that with respect to the raw rows `[batch, outputs]`.
    ///
    /// # Panics
    /// When the generator has no residual layer, which the configuration rules out.
    pub fn backward(&self, tape: Tape, gradient: Tensor<2>) -> GradientsParams {
        let mut gradients = GradientsParams::new();
        let last = tape.layers.last().map(|saved| saved.output.clone()).expect("a generator has at least one layer");
        let weight = self.head.weight.val().inner();
        gradients.register(self.head.weight.id, product_backward(&last, &gradient, &tape.asked, weight.dims()[0]));
        if let Some(bias) = &self.head.bias {
            gradients.register(bias.id, gradient.clone().sum_dim(0).squeeze_dim::<1>(0));
        }
        let mut gradient = Some(gradient.matmul(weight.narrow(0, 0, last.dims()[1]).transpose()));
        for (index, (layer, saved)) in self.layers.iter().zip(tape.layers).enumerate().rev() {
            gradient = gradient.and_then(|gradient| layer.backward(saved, &tape.asked, &gradient, &mut gradients, index == 0));
        }
        gradients
    }

    /// Sets the running statistics to the means over `batches` of noise and conditions: an average of weights has other statistics
    /// than the average of the statistics of the weights.
    pub fn recalibrate(&mut self, batches: impl Iterator<Item = (Tensor<2>, Vec<u32>)>) {
        for (index, (noise, asked)) in batches.enumerate() {
            self.forward_train(noise, &asked, 1.0 / (index + 1) as f32);
        }
    }

    /// Raw rows by running statistics: a row does not depend on the others of its batch.
    ///
    /// # Shapes
    /// `[batch, noise]` gives `[batch, outputs]`.
    pub fn forward(&self, noise: Tensor<2>, asked: &[u32]) -> Tensor<2> {
        let x = self.layers.iter().fold(noise, |x, layer| layer.forward(&x, asked));
        self.raw_rows(&x, asked)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::{TensorData, Tolerance};

    const ASKED: [u32; 9] = [0, 2, 1, 1, 0, 2, 2, 2, 0];

    /// The same network by burn's operations, on autodiff, with the condition as a one-hot vector.
    fn by_operations(generator: &Generator, noise: Tensor<2>) -> Tensor<2> {
        let one_hot: Vec<f32> = ASKED.iter().flat_map(|&asked| (0..3).map(move |place| f32::from(u8::from(place == asked)))).collect();
        let condition = Tensor::from_inner(host::tensor(one_hot, [9, 3], &Device::flex()));
        let with = |x: &Tensor<2>| Tensor::cat(vec![x.clone(), condition.clone()], 1);
        let mut x = noise;
        for layer in &generator.layers {
            let product = with(&x).matmul(layer.weight.val());
            let mean = product.clone().mean_dim(0);
            let centred = product - mean;
            let variance = centred.clone().square().mean_dim(0);
            let normalised = centred / (variance + EPSILON).sqrt();
            let row = |param: &Param<Tensor<1>>| param.val().unsqueeze_dim::<2>(0);
            x = Tensor::cat(vec![(normalised * row(&layer.gamma) + row(&layer.beta)).clamp_min(0.0), x], 1);
        }
        generator.head.forward(with(&x))
    }

    #[test]
    fn every_gradient_agrees_with_autodiff() {
        let device = Device::flex().autodiff();
        let mut generator = Generator::new(5, 3, &[7, 6], 4, 3, 0, &device);
        let draw = |stream, rows: u64, width| Stream::new(1, stream).matrix(0..rows, width, Stream::normals);
        let noise = host::tensor(draw(0, 9, 5), [9, 5], &Device::flex());
        let weight = host::tensor(draw(1, 9, 4), [9, 4], &Device::flex());
        let (actual, tape) = generator.forward_train(noise.clone(), &ASKED, MOMENTUM);
        let expected = by_operations(&generator, Tensor::from_inner(noise));
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
        let head = &generator.head;
        check(head.weight.val().grad(&autodiff).expect("used").to_data(), ours.get::<2>(head.weight.id).expect("registered").to_data());
        let bias = head.bias.as_ref().expect("the head has a bias");
        check(bias.val().grad(&autodiff).expect("used").to_data(), ours.get::<1>(bias.id).expect("registered").to_data());
    }

    #[test]
    fn with_running_statistics_a_row_does_not_depend_on_its_batch() {
        let generator = Generator::new(5, 0, &[8], 3, 0, 0, &Device::flex());
        let noise = host::tensor(Stream::new(2, 0).matrix(0..6, 5, Stream::normals), [6, 5], &Device::flex());
        let whole = generator.forward(noise.clone(), &[]).slice([2..3]);
        generator.forward(noise.slice([2..3]), &[]).to_data().assert_approx_eq::<f32>(&whole.to_data(), Tolerance::absolute(1e-6));
    }
}
