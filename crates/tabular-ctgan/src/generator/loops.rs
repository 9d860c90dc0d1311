//! The generator on the CPU: normalisation, ReLU and concatenation in one loop over slices, and their gradient in another.

use burn::module::Param;
use burn::optim::GradientsParams;
use burn::tensor::Tensor;
use pulp::Arch;
use semblant_core::host;

use super::{EPSILON, Residual};

/// What a residual layer's gradient needs from its forward pass.
pub(super) struct Saved {
    input: Tensor<2>,
    /// x W, normalised, `[batch, out]`.
    normalised: Tensor<2>,
    /// 1 / std of every output.
    inverse_std: Vec<f32>,
    pub(super) output: Tensor<2>,
}

impl Residual {
    /// Batch statistics; updates the running ones.
    pub(super) fn forward_train(&mut self, input: Tensor<2>, asked: &[u32], momentum: f32) -> Saved {
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
    pub(super) fn backward(
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
    pub(super) fn forward(&self, input: &Tensor<2>, asked: &[u32]) -> Tensor<2> {
        let (mean, variance) =
            (host::read(&self.running_mean.val(), <[f32]>::to_vec), host::read(&self.running_var.val(), <[f32]>::to_vec));
        self.normalise(product(input, &self.weight.val(), None, asked), input, &mean, &variance).1
    }
}

/// [x, c] W + b, where c is one-hot at `asked` (or absent, when there are no conditions). `[batch, out]`.
pub(super) fn product(x: &Tensor<2>, weight: &Tensor<2>, bias: Option<Tensor<1>>, asked: &[u32]) -> Tensor<2> {
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
pub(super) fn product_backward(x: &Tensor<2>, gradient: &Tensor<2>, asked: &[u32], rows: usize) -> Tensor<2> {
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
