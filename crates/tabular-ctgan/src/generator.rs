//! CTGAN's generator: residual layers (linear, batch normalisation, ReLU, their input appended), then one linear layer.
//!
//! Forward and backward are written out, because nearly all of autodiff's time in a network this small goes into passes over memory:
//! normalisation, ReLU and concatenation are one loop (`loops.rs`), and so is their gradient. Other devices have the same formulas as
//! tensor operations (`on_device.rs`). Tests hold every gradient of both against autodiff.

mod loops;
mod normed;
mod on_device;

use burn::module::{Module, Param};
use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor};
use semblant_core::host;
use semblant_core::nn::{Linear, LinearConfig, filled};
use semblant_core::seeds::Stream;
use semblant_core::seeds::streams::StreamRange;

use crate::conditions::ConditionVector;

/// Added to the variance before its root, as in PyTorch.
const EPSILON: f32 = 1e-5;
/// The share of a training batch in the running statistics, as in PyTorch.
pub const MOMENTUM: f32 = 0.1;

/// [batch, in] -> [batch, out + in]: ReLU(BatchNorm([x, c] W)) in front of x. The linear layer has no bias: normalisation would remove it.
///
/// The condition c is one-hot, so its part of a product is one row of the weights. It is stored as an index, never as a vector, and the
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

/// Everything that the gradient needs from a forward pass.
pub struct Tape(Kept);

/// What was kept, by the way that was taken.
enum Kept {
    /// The loops of the CPU.
    Loops { layers: Vec<loops::Saved>, asked: Vec<u32> },
    /// Tensor operations.
    Operations(Box<on_device::Saved>),
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
        let constant = |value: f32| filled([outputs], device, value);
        Self {
            weight: LinearConfig::new(inputs, outputs).init(stream, device).weight,
            gamma: constant(1.0),
            beta: constant(0.0),
            running_mean: constant(0.0).set_require_grad(false),
            running_var: constant(1.0).set_require_grad(false),
        }
    }
}

impl Generator {
    /// A generator from `noise` values and one of `conditions` through residual layers of `widths` to `outputs` values.
    pub fn new(
        noise: usize,
        conditions: usize,
        widths: &[usize],
        outputs: usize,
        seed: u64,
        streams: StreamRange,
        device: &Device,
    ) -> Self {
        let mut layers = Vec::with_capacity(widths.len());
        let mut previous = noise;
        for (index, &width) in widths.iter().enumerate() {
            layers.push(Residual::new(previous + conditions, width, streams.nth(seed, index as u32), device));
            previous += width;
        }
        Self { layers, head: LinearConfig::new(previous + conditions, outputs).init(streams.nth(seed, widths.len() as u32), device) }
    }

    /// Raw rows by batch statistics, and what the gradient needs. `noise` carries no autodiff; `momentum` is this batch's share in the running
    /// statistics.
    ///
    /// # Shapes
    /// `[batch, noise]` gives `[batch, outputs]`.
    ///
    /// # Panics
    /// When a device drew the places of a generator of the CPU.
    pub fn forward_train(&mut self, noise: Tensor<2>, places: &ConditionVector, momentum: f32) -> (Tensor<2>, Tape) {
        if !host::is_host(&noise.device()) {
            let (rows, saved) = on_device::forward_train(self, noise, places, momentum);
            return (rows, Tape(Kept::Operations(Box::new(saved))));
        }
        let asked = places.on_host();
        let mut layers: Vec<loops::Saved> = Vec::with_capacity(self.layers.len());
        let mut x = noise;
        for layer in &mut self.layers {
            let saved = layer.forward_train(x, asked, momentum);
            x = saved.output.clone();
            layers.push(saved);
        }
        (self.raw_rows(&x, asked), Tape(Kept::Loops { layers, asked: asked.to_vec() }))
    }

    fn raw_rows(&self, x: &Tensor<2>, asked: &[u32]) -> Tensor<2> {
        loops::product(x, &self.head.weight.val().inner(), self.head.bias.as_ref().map(|bias| bias.val().inner()), asked)
    }

    /// The gradients of all parameters, from that with respect to the raw rows `[batch, outputs]`.
    ///
    /// # Panics
    /// When the generator has no residual layer, which the configuration rules out.
    pub fn backward(&self, tape: Tape, gradient: Tensor<2>) -> GradientsParams {
        let (layers, asked) = match tape.0 {
            Kept::Loops { layers, asked } => (layers, asked),
            Kept::Operations(saved) => return on_device::backward(self, *saved, gradient),
        };
        let mut gradients = GradientsParams::new();
        let last = layers.last().map(|saved| saved.output.clone()).expect("a generator has at least one layer");
        let weight = self.head.weight.val().inner();
        gradients.register(self.head.weight.id, loops::product_backward(&last, &gradient, &asked, weight.dims()[0]));
        if let Some(bias) = &self.head.bias {
            gradients.register(bias.id, gradient.clone().sum_dim(0).squeeze_dim::<1>(0));
        }
        let mut gradient = Some(gradient.matmul(weight.narrow(0, 0, last.dims()[1]).transpose()));
        for (index, (layer, saved)) in self.layers.iter().zip(layers).enumerate().rev() {
            gradient = gradient.and_then(|gradient| layer.backward(saved, &asked, &gradient, &mut gradients, index == 0));
        }
        gradients
    }

    /// Sets the running statistics to the means over `batches` of noise and conditions: an average of weights has other statistics
    /// than the average of the statistics of the weights.
    pub fn recalibrate(&mut self, batches: impl Iterator<Item = (Tensor<2>, Vec<u32>)>) {
        for (index, (noise, asked)) in batches.enumerate() {
            self.forward_train(noise, &ConditionVector::Host(asked), 1.0 / (index + 1) as f32);
        }
    }

    /// Raw rows by running statistics: a row does not depend on the others of its batch.
    ///
    /// # Shapes
    /// `[batch, noise]` gives `[batch, outputs]`.
    pub fn forward(&self, noise: Tensor<2>, asked: &[u32]) -> Tensor<2> {
        if !host::is_host(&noise.device()) {
            return on_device::forward(self, noise, &ConditionVector::Host(asked.to_vec()));
        }
        let x = self.layers.iter().fold(noise, |x, layer| layer.forward(&x, asked));
        self.raw_rows(&x, asked)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::{TensorData, Tolerance};
    use semblant_core::seeds::streams::LAYERS;

    const ASKED: [u32; 9] = [0, 2, 1, 1, 0, 2, 2, 2, 0];

    fn places() -> ConditionVector {
        ConditionVector::Device(Box::new(host::indices(ASKED.iter().map(|&place| place as i32).collect(), &Device::flex())))
    }

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
        let mut generator = Generator::new(5, 3, &[7, 6], 4, 3, LAYERS, &device);
        let draw = |stream, rows: u64, width| Stream::new(1, stream).matrix(0..rows, width, Stream::normals);
        let noise = host::tensor(draw(0, 9, 5), [9, 5], &Device::flex());
        let weight = host::tensor(draw(1, 9, 4), [9, 4], &Device::flex());
        let mut twin = generator.clone();
        let (actual, tape) = generator.forward_train(noise.clone(), &ConditionVector::Host(ASKED.to_vec()), MOMENTUM);
        let (on_device, saved) = super::on_device::forward_train(&mut twin, noise.clone(), &places(), MOMENTUM);
        let expected = by_operations(&generator, Tensor::from_inner(noise.clone()));
        expected.to_data().assert_approx_eq::<f32>(&actual.to_data(), Tolerance::absolute(1e-5));
        expected.to_data().assert_approx_eq::<f32>(&on_device.to_data(), Tolerance::absolute(1e-5));

        let autodiff = (expected * Tensor::from_inner(weight.clone())).sum().backward();
        let ours = generator.backward(tape, weight.clone());
        every_gradient(&generator, &autodiff, &ours);
        every_gradient(&twin, &autodiff, &super::on_device::backward(&twin, saved, weight));
        // The running statistics have moved alike, and rows by them are the same on both ways.
        let (loops, operations) = (generator.valid(), twin.valid());
        let rows = super::on_device::forward(&operations, noise.clone(), &places());
        loops.forward(noise, &ASKED).to_data().assert_approx_eq::<f32>(&rows.to_data(), Tolerance::absolute(1e-5));
    }

    fn every_gradient(generator: &Generator, autodiff: &burn::tensor::Gradients, ours: &GradientsParams) {
        let check = |expected: TensorData, actual: TensorData| expected.assert_approx_eq::<f32>(&actual, Tolerance::absolute(2e-4));
        for layer in &generator.layers {
            check(
                layer.weight.val().grad(autodiff).expect("used").to_data(),
                ours.get::<2>(layer.weight.id).expect("registered").to_data(),
            );
            check(layer.gamma.val().grad(autodiff).expect("used").to_data(), ours.get::<1>(layer.gamma.id).expect("registered").to_data());
            check(layer.beta.val().grad(autodiff).expect("used").to_data(), ours.get::<1>(layer.beta.id).expect("registered").to_data());
        }
        let head = &generator.head;
        check(head.weight.val().grad(autodiff).expect("used").to_data(), ours.get::<2>(head.weight.id).expect("registered").to_data());
        let bias = head.bias.as_ref().expect("the head has a bias");
        check(bias.val().grad(autodiff).expect("used").to_data(), ours.get::<1>(bias.id).expect("registered").to_data());
    }

    #[test]
    fn with_running_statistics_a_row_does_not_depend_on_its_batch() {
        let generator = Generator::new(5, 0, &[8], 3, 0, LAYERS, &Device::flex());
        let noise = host::tensor(Stream::new(2, 0).matrix(0..6, 5, Stream::normals), [6, 5], &Device::flex());
        let whole = generator.forward(noise.clone(), &[]).slice([2..3]);
        generator.forward(noise.slice([2..3]), &[]).to_data().assert_approx_eq::<f32>(&whole.to_data(), Tolerance::absolute(1e-6));
    }
}
