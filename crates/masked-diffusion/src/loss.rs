//! The loss of a training step: cross-entropy over hidden positions, with its gradient in one pass.

use std::sync::Arc;

use burn::tensor::{Device, Tensor};
use pulp::Arch;
use rayon::prelude::*;
use semblant_core::nn::SpanEntropy;
use semblant_core::{host, math};

use crate::spans::{PaddedSpans, Spans};

/// How the target of an ordered token spreads over its neighbours: a normal density over their distance, cut off at three deviations.
#[derive(Debug, Clone, PartialEq)]
pub struct Smoothing {
    /// For every token the first neighbour and the shares from there on.
    rows: Vec<(usize, Vec<f32>)>,
}

impl Smoothing {
    /// Spreads tokens over neighbours within `deviation` tokens or so. Where `alone`, a token keeps all of its own and takes none.
    pub fn new(alone: &[bool], deviation: f64) -> Self {
        let reach = (3.0 * deviation).ceil() as usize;
        let row = |token: usize| {
            if alone[token] || deviation <= 0.0 {
                return (token, vec![1.0]);
            }
            let first = token.saturating_sub(reach);
            let last = (token + reach).min(alone.len() - 1);
            let density = |other: usize| {
                let distance = (other as f64 - token as f64) / deviation;
                if alone[other] { 0.0 } else { (-0.5 * distance * distance).exp() }
            };
            let sum: f64 = (first..=last).map(density).sum();
            (first, (first..=last).map(|other| (density(other) / sum) as f32).collect())
        };
        Self { rows: (0..alone.len()).map(row).collect() }
    }

    /// The first token that a target spreads to, and the shares from there on.
    pub fn target(&self, token: u32) -> (usize, &[f32]) {
        let (first, shares) = &self.rows[token as usize];
        (*first, shares)
    }
}

/// What a batch is to be predicted as.
#[derive(Debug, Clone)]
pub struct Targets {
    /// The tokens, `[rows, positions]`.
    pub tokens: Arc<Vec<u32>>,
    /// The weight of each position's loss, 0 where it is shown, `[rows, positions]`.
    pub weights: Arc<Vec<f32>>,
}

/// Cross-entropy over the positions of a batch, on one device.
#[derive(Debug, Clone)]
pub struct CrossEntropy {
    spans: Spans,
    smoothing: Vec<Option<Smoothing>>,
    way: Way,
}

/// How the loss is computed where the logits lie.
#[derive(Debug, Clone)]
enum Way {
    /// By loops of the CPU.
    Loops,
    /// By a kernel of a GPU.
    Kernel(Box<SpanEntropy>),
    /// By tensor operations.
    Padded(Box<PaddedSpans>),
}

impl Way {
    fn of(spans: &Spans, smoothing: &[Option<Smoothing>], device: &Device) -> Self {
        if host::is_host(device) {
            return Self::Loops;
        }
        let target = |position: usize, token: usize| match &smoothing[position] {
            Some(smoothing) => smoothing.target(token as u32),
            None => (token, &[1.0f32][..]),
        };
        let ranges: Vec<_> = (0..spans.len()).map(|position| spans.range(position)).collect();
        match SpanEntropy::new(&ranges, target, device) {
            Some(kernel) => Self::Kernel(Box::new(kernel)),
            None => Self::Padded(Box::new(PaddedSpans::new(spans, smoothing, device))),
        }
    }
}

impl CrossEntropy {
    /// The loss of positions with these tokens; `smoothing` has an entry for each position.
    pub fn new(spans: Spans, smoothing: Vec<Option<Smoothing>>, device: &Device) -> Self {
        let way = Way::of(&spans, &smoothing, device);
        Self { spans, smoothing, way }
    }

    /// The loss of positions whose targets are single tokens.
    pub fn plain(spans: Spans, device: &Device) -> Self {
        let smoothing = vec![None; spans.len()];
        Self::new(spans, smoothing, device)
    }

    /// The sum over all positions of weight times cross-entropy, and its gradient with respect to the logits.
    ///
    /// # Shapes
    /// `logits [rows, spans.width]`; gives `[1]` and `[rows, spans.width]`.
    pub fn with_gradient(&self, logits: &Tensor<2>, targets: &Targets) -> (Tensor<1>, Tensor<2>) {
        match &self.way {
            Way::Loops => {}
            Way::Kernel(kernel) => return kernel.cross_entropy(logits.clone(), &targets.tokens, &targets.weights),
            Way::Padded(padded) => return padded.cross_entropy(logits, targets),
        }
        let ([rows, width], device) = (logits.dims(), logits.device());
        let (spans, smoothing) = (&self.spans, &self.smoothing);
        let mut gradient = vec![0.0f32; rows * width];
        let losses: Vec<f64> = host::read(logits, |logits| {
            let inputs = logits.par_chunks_exact(width).zip(targets.tokens.par_chunks_exact(spans.len()));
            let inputs = inputs.zip(targets.weights.par_chunks_exact(spans.len())).zip(gradient.par_chunks_exact_mut(width));
            inputs
                .with_min_len(32)
                .map(|(((logits, tokens), weights), gradient)| one_row(logits, spans, tokens, weights, smoothing, gradient))
                .collect()
        });
        (host::tensor(vec![losses.iter().sum::<f64>() as f32], [1], &device), host::tensor(gradient, [rows, width], &device))
    }

    /// The loss of logits that autodiff follows, `[1]`, and what has its gradient, `[1]`.
    ///
    /// # Shapes
    /// `logits [rows, spans.width]`.
    pub fn surrogate(&self, logits: Tensor<2>, targets: &Targets) -> (Tensor<1>, Tensor<1>) {
        let (loss, gradient) = self.with_gradient(&logits.clone().inner(), targets);
        // The gradient of the loss is known; a product with it as a constant hands it to autodiff.
        (loss, (logits * Tensor::from_inner(gradient)).sum())
    }
}

/// Writes what a token is to be predicted as: the shares of all tokens of its position, which are 0 before.
pub(crate) fn write_target(smoothing: Option<&Smoothing>, token: u32, shares: &mut [f32]) {
    match smoothing {
        Some(smoothing) => {
            let (first, near) = smoothing.target(token);
            shares[first..first + near.len()].copy_from_slice(near);
        }
        None => shares[token as usize] = 1.0,
    }
}

fn one_row(logits: &[f32], spans: &Spans, tokens: &[u32], weights: &[f32], smoothing: &[Option<Smoothing>], gradient: &mut [f32]) -> f64 {
    let mut loss = 0.0;
    for (position, &weight) in weights.iter().enumerate() {
        let range = spans.range(position);
        // What is shown has no loss, and its gradient stays 0.
        if weight > 0.0 {
            loss += f64::from(weight)
                * one_position(&logits[range.clone()], tokens[position], smoothing[position].as_ref(), weight, &mut gradient[range]);
        }
    }
    loss
}

fn one_position(logits: &[f32], token: u32, smoothing: Option<&Smoothing>, weight: f32, gradient: &mut [f32]) -> f64 {
    gradient.copy_from_slice(logits);
    Arch::new().dispatch(
        #[inline(always)]
        || math::softmax(gradient),
    );
    let log = |probability: f32| f64::from(probability.max(1e-30).ln());
    let loss = match smoothing {
        Some(smoothing) => {
            let (first, shares) = smoothing.target(token);
            let near = &mut gradient[first..first + shares.len()];
            near.iter_mut()
                .zip(shares)
                .map(|(probability, &share)| {
                    let part = if share > 0.0 { -f64::from(share) * log(*probability) } else { 0.0 };
                    *probability -= share;
                    part
                })
                .sum()
        }
        None => {
            let probability = &mut gradient[token as usize];
            let loss = -log(*probability);
            *probability -= 1.0;
            loss
        }
    };
    gradient.iter_mut().for_each(|value| *value *= weight);
    loss
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::{Device, Tolerance};
    use semblant_core::seeds::Stream;

    #[test]
    fn shares_of_a_target_sum_to_one_and_leave_what_is_alone() {
        let smoothing = Smoothing::new(&[false, false, true, false, false, false], 1.0);
        assert_eq!(smoothing.target(2), (2, &[1.0f32][..]));
        let (first, shares) = smoothing.target(1);
        assert_eq!((first, shares[2]), (0, 0.0), "a token that is alone takes nothing");
        assert!((shares.iter().sum::<f32>() - 1.0).abs() < 1e-6 && shares[1] > shares[0] && shares[0] > shares[3]);
    }

    #[test]
    fn loss_and_gradient_agree_with_autodiff_on_every_device() {
        let device = Device::flex();
        let spans = Spans::new(vec![3, 6, 2]);
        let smoothing = [None, Some(Smoothing::new(&[false, false, true, false, false, false], 0.8)), None];
        let (tokens, weights) = (vec![2, 4, 0, 0, 2, 1, 1, 0, 1], vec![1.5, 0.5, 0.0, 0.0, 1.0, 2.0, 0.0, 3.0, 0.0]);
        let targets = Targets { tokens: Arc::new(tokens.clone()), weights: Arc::new(weights.clone()) };
        let logits = host::tensor(Stream::new(0, 0).matrix(0..3, 11, Stream::normals), [3, 11], &device);

        let x = Tensor::from_inner(logits.clone()).require_grad();
        let mut loss = Tensor::<1>::zeros([1], &device.clone().autodiff());
        for (row, tokens) in tokens.chunks_exact(3).enumerate() {
            for (position, &token) in tokens.iter().enumerate() {
                let width = spans.widths()[position];
                let mut shares = vec![0.0; width];
                write_target(smoothing[position].as_ref(), token, &mut shares);
                let of_row = x.clone().slice([row..row + 1, spans.range(position)]);
                let logs = burn::tensor::activation::log_softmax(of_row, 1); // [1, tokens]
                let shares = Tensor::from_inner(host::tensor(shares, [1, width], &device));
                loss = loss - (logs * shares).sum() * weights[row * 3 + position];
            }
        }
        let gradients = loss.backward();
        let expected = x.grad(&gradients).expect("required").to_data();
        let on_cpu = CrossEntropy::new(spans, smoothing.to_vec(), &device);
        let padded = CrossEntropy { way: Way::Padded(Box::new(PaddedSpans::new(&on_cpu.spans, &smoothing, &device))), ..on_cpu.clone() };
        for entropy in [on_cpu, padded] {
            let (found, gradient) = entropy.with_gradient(&logits, &targets);
            found.to_data().assert_approx_eq::<f32>(&loss.to_data(), Tolerance::absolute(1e-4));
            gradient.to_data().assert_approx_eq::<f32>(&expected, Tolerance::absolute(1e-5));
        }
    }
}
