//! Context-FID (Jeha et al. 2022, "PSA-GAN"): the Frechet distance between embeddings of whole windows by TS2Vec (Yue et al. 2022), which is
//! trained on the real windows; and the same distance by an encoder that is not trained.
//!
//! The encoder is trained anew for every seed, so published numbers vary with it; that of the untrained encoder does not, and takes seconds.

use burn::module::Module;
use burn::optim::GradientsParams;
use burn::tensor::activation::{gelu, log_softmax};
use burn::tensor::{Device, Tensor};
use semblant_core::ema::Ema;
use semblant_core::host;
use semblant_core::model::{Part, Step};
use semblant_core::nn::{Linear, LinearConfig, init_streams, linear_of};
use semblant_core::optim::{Adam, Optimizers};
use semblant_core::seeds::Stream;
use semblant_data::series::Windows;

use crate::image::frechet::{Moments, frechet_distance};
use crate::random::random;
use crate::{Error, Result};

/// Width of the hidden layers, and of an embedding.
const WIDTHS: [usize; 2] = [64, 320];
/// Hidden blocks; the dilation doubles from one to the next.
const DEPTH: u32 = 10;
/// Windows of a training step.
const BATCH: usize = 8;
/// Windows that are embedded at once.
const CHUNK: usize = 256;
/// Purpose of random numbers.
const CROPS: u64 = 0x7010;

/// Context-FID of sets of windows: an encoder is trained on the real ones, by `seed`, and every other set is compared with them.
///
/// # Errors
/// Fewer than two windows of a kind, or values that are not finite.
pub fn context_fid(real: &Windows, others: &[&Windows], seed: u64, device: &Device) -> Result<Vec<f64>> {
    check(real, others)?;
    distances(&trained(real, seed, device), real, others, device)
}

/// The Frechet distance by an encoder of the same form that is not trained: it has no seed, and is the same in every run.
///
/// # Errors
/// As [`context_fid`].
pub fn untrained_fid(real: &Windows, others: &[&Windows], device: &Device) -> Result<Vec<f64>> {
    check(real, others)?;
    distances(&Encoder::new(real.channels, 0, device), real, others, device)
}

fn check(real: &Windows, others: &[&Windows]) -> Result<()> {
    if others.iter().chain(&[real]).any(|windows| windows.count < 2 || windows.length < 2) {
        return Err(Error::Undefined("the Frechet distance needs two windows of two rows in each set".into()));
    }
    Ok(())
}

fn distances(encoder: &Encoder, real: &Windows, others: &[&Windows], device: &Device) -> Result<Vec<f64>> {
    let own = embeddings(encoder, real, device);
    others.iter().map(|windows| frechet_distance(&own, &embeddings(encoder, windows, device))).collect()
}

/// A convolution over three rows at a distance, as one product: rows before the first and after the last are zeros.
#[derive(Module, Debug)]
struct Convolution {
    /// `[3 * inputs, outputs]`: the row before, the row itself, the row after.
    linear: Linear,
    #[module(skip)]
    dilation: usize,
}

impl Convolution {
    fn new(inputs: usize, outputs: usize, dilation: usize, stream: &mut dyn FnMut() -> Stream, device: &Device) -> Self {
        Self { linear: LinearConfig::new(3 * inputs, outputs).init(stream(), device), dilation }
    }

    /// `x [batch, length, inputs]` gives `[batch, length, outputs]`.
    fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        let [batch, length, inputs] = x.dims();
        if self.dilation >= length {
            // Both neighbours lie outside.
            let weight = self.linear.weight.val().slice([inputs..2 * inputs]);
            return linear_of(x, weight, self.linear.bias.as_ref().map(|bias| bias.val()));
        }
        let zeros = Tensor::zeros([batch, self.dilation, inputs], &x.device());
        let before = Tensor::cat(vec![zeros.clone(), x.clone().slice([0..batch, 0..length - self.dilation])], 1);
        let after = Tensor::cat(vec![x.clone().slice([0..batch, self.dilation..length]), zeros], 1);
        self.linear.forward(Tensor::cat(vec![before, x, after], 2))
    }
}

/// Two convolutions beside a way around them.
#[derive(Module, Debug)]
struct Block {
    first: Convolution,
    second: Convolution,
    around: Option<Linear>,
}

/// TS2Vec's dilated convolutions.
#[derive(Module, Debug)]
struct Encoder {
    enter: Linear,
    blocks: Vec<Block>,
}

impl Encoder {
    fn new(channels: usize, seed: u64, device: &Device) -> Self {
        let (mut stream, [hidden, out]) = (init_streams(seed), WIDTHS);
        let mut block = |index: u32| {
            let (outputs, dilation) = (if index == DEPTH { out } else { hidden }, 1 << index);
            Block {
                first: Convolution::new(hidden, outputs, dilation, &mut stream, device),
                second: Convolution::new(outputs, outputs, dilation, &mut stream, device),
                around: (index == DEPTH).then(|| LinearConfig::new(hidden, outputs).init(stream(), device)),
            }
        };
        let blocks = (0..=DEPTH).map(&mut block).collect();
        Self { enter: LinearConfig::new(channels, hidden).init(stream(), device), blocks }
    }

    /// `x [batch, length, channels]` gives `[batch, length, 320]`; `shown [batch, length, 1]` takes rows out after the first layer.
    fn forward(&self, x: Tensor<3>, shown: Option<Tensor<3>>) -> Tensor<3> {
        let entered = self.enter.forward(x);
        let mut hidden = match shown {
            Some(shown) => entered * shown,
            None => entered,
        };
        for block in &self.blocks {
            let inner = block.second.forward(gelu(block.first.forward(gelu(hidden.clone()))));
            hidden = inner + block.around.as_ref().map_or(hidden.clone(), |around| around.forward(hidden));
        }
        hidden
    }
}

/// An encoder trained on windows: 200 steps where they hold up to 100,000 numbers, else 600; the mean of its weights over all steps. The published
/// code shrinks weights by 1e-5 a step too, 0.6 % in all, which is left out.
fn trained(windows: &Windows, seed: u64, device: &Device) -> Encoder {
    let (mut random, steps) = (random(seed, CROPS), if windows.values.len() <= 100_000 { 200 } else { 600 });
    let learning = device.clone().autodiff();
    let mut encoder = Encoder::new(windows.channels, seed, &learning);
    let mut average = encoder.valid();
    let mut optimizers = Optimizers::default().with("encoder", Adam::default());
    let (length, batch) = (windows.length, BATCH.min(windows.count));
    for index in 0..steps {
        let chosen: Vec<usize> = (0..batch).map(|_| random.below(windows.count)).collect();
        let x = tensor(windows, &chosen, &learning);
        let shared = 2 + random.below(length - 1);
        let left = random.below(length - shared + 1);
        let right = left + shared;
        let (far_left, far_right) = (random.below(left + 1), right + random.below(length - right + 1));
        let mut embedded = |from: usize, to: usize| {
            let mut drawn = |keep: f64, scale: f32| if random.unit() < keep { scale } else { 0.0 };
            let shown = (0..batch * (to - from)).map(|_| drawn(0.5, 1.0)).collect();
            let shown = Tensor::from_inner(host::tensor(shown, [batch, to - from, 1], device));
            let out = encoder.forward(x.clone().slice([0..batch, from..to]), Some(shown)); // [batch, to - from, 320]
            let kept = (0..batch * (to - from) * WIDTHS[1]).map(|_| drawn(0.9, 1.0 / 0.9)).collect();
            out * Tensor::from_inner(host::tensor(kept, [batch, to - from, WIDTHS[1]], device))
        };
        let one = embedded(far_left, right).slice([0..batch, left - far_left..right - far_left]);
        let two = embedded(left, far_right).slice([0..batch, 0..shared]);
        let loss = hierarchical(one, two, device);
        let gradients = GradientsParams::from_grads(loss.backward(), &encoder);
        let step = Step { index, rows_seen: index, total_rows: steps, batch_rows: 1, seed, part: Part::WHOLE, rate: 1.0 };
        encoder = optimizers.step("encoder", encoder, gradients, &step);
        // A half-life with which the average of n weights becomes that of n + 1.
        let half_life_rows = std::f64::consts::LN_2 / (1.0 + 1.0 / (index as f64 + 1.0)).ln();
        average = Ema { half_life_rows, warm_up: f64::MAX }.update(average, &encoder.valid(), &step);
    }
    average
}

/// Windows as a tensor, `[windows, length, channels]`.
fn tensor(windows: &Windows, chosen: &[usize], device: &Device) -> Tensor<3> {
    let values = chosen.iter().flat_map(|&index| windows.of(index).iter().map(|&value| value as f32)).collect();
    let plain = host::tensor(values, [chosen.len(), windows.length, windows.channels], &device.clone().inner());
    if device.is_autodiff() { Tensor::from_inner(plain) } else { plain }
}

/// The loss of TS2Vec, equation 4: contrasts within batch and within time of embeddings `[batch, length, width]`, over halves, quarters... of the
/// length.
fn hierarchical(mut a: Tensor<3>, mut b: Tensor<3>, device: &Device) -> Tensor<1> {
    let (mut loss, mut levels) = (None, 0.0);
    let mut add = |part: Tensor<1>| loss = Some(loss.take().map_or(part.clone(), |sum: Tensor<1>| sum + part));
    loop {
        let length = a.dims()[1];
        add(contrast(Tensor::cat(vec![a.clone(), b.clone()], 0).swap_dims(0, 1), device) * 0.5); // [length, 2 batch, width]
        levels += 1.0;
        if length == 1 {
            break;
        }
        add(contrast(Tensor::cat(vec![a.clone(), b.clone()], 1), device) * 0.5); // [batch, 2 length, width]
        (a, b) = (halved(a), halved(b));
    }
    loss.unwrap_or_else(|| Tensor::zeros([1], device)) / levels
}

/// The greatest of every two successive rows; an odd last row is left out.
fn halved(x: Tensor<3>) -> Tensor<3> {
    let [batch, length, width] = x.dims();
    let half = length / 2;
    x.slice([0..batch, 0..2 * half]).reshape([batch, half, 2, width]).max_dim(2).squeeze_dim::<3>(2)
}

/// The cross-entropy of finding, among all others of its group, the other view of an item: `z [groups, 2 items, width]`, first one view of all items,
/// then the other.
fn contrast(z: Tensor<3>, device: &Device) -> Tensor<1> {
    let [groups, twice, _] = z.dims();
    let similar = z.clone().matmul(z.swap_dims(1, 2)); // [groups, 2 items, 2 items]
    let mut own = vec![0.0; twice * twice];
    let mut other = vec![0.0; twice * twice];
    for item in 0..twice {
        own[item * twice + item] = -1e9;
        other[item * twice + (item + twice / 2) % twice] = -1.0 / (groups * twice) as f32;
    }
    let constant = |values: Vec<f32>| Tensor::<3>::from_inner(host::tensor(values, [1, twice, twice], device));
    (log_softmax(similar + constant(own), 2) * constant(other)).sum()
}

/// Mean and covariance of the windows' embeddings: the greatest value of every feature over time.
fn embeddings(encoder: &Encoder, windows: &Windows, device: &Device) -> Moments {
    let mut moments = Moments::new(WIDTHS[1]);
    let all: Vec<usize> = (0..windows.count).collect();
    for chosen in all.chunks(CHUNK) {
        let embedded = encoder.forward(tensor(windows, chosen, device), None).max_dim(1).squeeze_dim::<2>(1); // [windows, 320]
        host::read(&embedded, |values| values.chunks_exact(WIDTHS[1]).for_each(|features| moments.add(features)));
    }
    moments
}

#[cfg(test)]
mod tests {
    use super::*;

    fn windows(count: usize, seed: u64, speed: f64) -> Windows {
        let mut random = random(seed, 1);
        let mut values = Vec::new();
        for _ in 0..count {
            let phase = 6.3 * random.unit();
            values.extend((0..12).map(|t| ((speed * f64::from(t) + phase).sin() + 1.0) / 2.0));
        }
        Windows { values, count, length: 12, channels: 1 }
    }

    #[test]
    fn the_distance_of_equal_laws_is_small_and_grows_with_the_difference() {
        let device = Device::flex();
        let real = windows(400, 1, 0.4);
        let others = [windows(400, 2, 0.4), windows(400, 3, 0.45), windows(400, 4, 1.0)];
        let others: Vec<&Windows> = others.iter().collect();
        let trained = context_fid(&real, &others, 0, &device).unwrap();
        for found in [&trained, &untrained_fid(&real, &others, &device).unwrap()] {
            assert!(found[0] < found[1] && found[1] < found[2], "{found:?}");
        }
        assert_eq!(context_fid(&real, &others[..1], 0, &device).unwrap(), trained[..1]);
    }

    /// numpy, crates/metrics/tests/golden/series.py: the loss of cos(0), cos(1)... and sin(0), sin(2)..., [2, 5, 3] each.
    #[test]
    fn the_loss_is_that_of_ts2vec() {
        let device = Device::flex();
        let part = |f: fn(f64) -> f64| host::tensor((0..30).map(|i| f(f64::from(i)) as f32).collect(), [2, 5, 3], &device);
        let loss = hierarchical(part(f64::cos), part(|i| (2.0 * i).sin()), &device);
        let loss = f64::from(host::read(&loss, |loss| loss[0]));
        assert!((loss - LOSS).abs() < 1e-5, "{loss}");
    }

    const LOSS: f64 = 1.3110904332697484;
}
