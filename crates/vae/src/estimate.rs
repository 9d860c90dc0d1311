//! Likelihood estimates of a VAE: the importance-weighted bound with many samples.

use burn::tensor::{Device, Int, Tensor, TensorData};
use rayon::prelude::*;
use semblant_core::host;
use semblant_core::seeds::Stream;
use semblant_data::image::Images;
use semblant_images::CHUNK;

use crate::likelihood::Likelihood;
use crate::models::vae::VaeNet;
use crate::training::purpose;

/// Latent samples that go through the decoder together: their layers stay in the cache.
const AT_ONCE: usize = 250;

/// For each image the estimate `-ln(1/K sum_k p(x|z_k) p(z_k) / q(z_k|x))` in nats, K = `samples` (Burda et al. 2016, equation 8): on
/// average never below what is estimated, and the closer the more samples. With a Bernoulli likelihood grey images are binarised once,
/// by `seed`; with a Gaussian it is a density per unit of the scale -1 to 1. `classes` gives the class of an image; the one after the last
/// stands for none.
pub fn negative_log_likelihoods(
    net: &VaeNet,
    likelihood: &Likelihood,
    images: &Images,
    classes: &(dyn Fn(usize) -> u32 + Sync),
    (samples, seed): (usize, u64),
    device: &Device,
) -> Vec<f64> {
    let width = images.bytes_of_one();
    let all: Vec<usize> = (0..images.count()).collect();
    all.par_chunks(CHUNK)
        .flat_map_iter(|indices| {
            let units = images.units_of(indices);
            let targets = likelihood.targets(units, width, purpose::ESTIMATE_BINARY.of(seed), indices[0] as u64, true);
            indices.iter().enumerate().map(move |(place, &index)| {
                let target = host::tensor(targets[place * width..(place + 1) * width].to_vec(), [1, width], device);
                one(net, likelihood, target, classes(index), samples, purpose::ESTIMATE_NOISE.of(seed), index as u64)
            })
        })
        .collect()
}

/// The estimate for one image's `target [1, pixels]`.
fn one(net: &VaeNet, likelihood: &Likelihood, target: Tensor<2>, class: u32, samples: usize, stream: Stream, row: u64) -> f64 {
    let device = target.device();
    let class = Tensor::<1, Int>::from_data(TensorData::new(vec![class as i32], [1]), &device);
    let posterior = net.encode(target.clone(), Some(class.clone()), likelihood);
    let [_, latent] = posterior.mean.dims();
    let mut noise = vec![0.0; samples * latent];
    stream.normals(row, &mut noise);
    let log_weights: Vec<f64> = noise
        .chunks(AT_ONCE * latent)
        .flat_map(|noise| {
            let noise = host::tensor(noise.to_vec(), [1, noise.len() / latent, latent], &device);
            let z = posterior.sample(noise.clone());
            let log_weight = net.log_likelihood(z.clone(), target.clone(), Some(class.clone()), likelihood) + posterior.log_ratio(z, noise);
            host::read(&log_weight, |values| values.iter().map(|&value| f64::from(value)).collect::<Vec<_>>())
        })
        .collect();
    -log_mean_exp(&log_weights)
}

/// `ln(1/n sum_i exp(x_i))`.
fn log_mean_exp(values: &[f64]) -> f64 {
    let greatest = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    greatest + (values.iter().map(|value| (value - greatest).exp()).sum::<f64>() / values.len() as f64).ln()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bound::Gaussian;

    /// One latent dimension, `x = w z + b + s e`: then x is normal with the covariance `w w' + s^2`, and the exact likelihood is known.
    /// A posterior that is not quite the true one makes the bound loose; more samples must close it.
    #[test]
    fn the_bound_approaches_the_exact_likelihood_of_a_linear_gaussian() {
        let device = Device::flex();
        let (weight, offset, deviation, x) = ([0.8f32, -0.5], [0.1f32, 0.3], 0.5f64, [0.9f32, 0.2]);
        // ln N(x - b; 0, w w' + s^2 1) by the determinant lemma: |.| = s^2 (s^2 + w'w), inverse by Sherman and Morrison.
        let d = [f64::from(x[0] - offset[0]), f64::from(x[1] - offset[1])];
        let w = weight.map(f64::from);
        let (ww, dw, dd) = (w[0] * w[0] + w[1] * w[1], d[0] * w[0] + d[1] * w[1], d[0] * d[0] + d[1] * d[1]);
        let s2 = deviation * deviation;
        let exact = -0.5 * ((dd - dw * dw / (s2 + ww)) / s2 + (s2 * (s2 + ww)).ln() + 2.0 * std::f64::consts::TAU.ln());

        let likelihood = Likelihood::Gaussian { deviation: Some(deviation) };
        let posterior = Gaussian {
            mean: Tensor::from_floats([[(dw / (s2 + ww)) as f32 + 0.3]], &device),
            log_variance: Tensor::from_floats([[(s2 / (s2 + ww)).ln() as f32 + 0.5]], &device),
        };
        let log_weights = |samples: usize, row: u64| -> Vec<f64> {
            let mut noise = vec![0.0; samples];
            Stream::new(1, 0).normals(row, &mut noise);
            let noise = host::tensor(noise, [1, samples, 1], &device);
            let z = posterior.sample(noise.clone());
            let outputs = z.clone().reshape([samples, 1]).matmul(Tensor::from_floats([weight], &device));
            let outputs = outputs + Tensor::<2>::from_floats([offset], &device);
            let target = Tensor::<2>::from_floats([x], &device);
            let log_scale = Tensor::<1>::zeros([1], &device);
            let log_p = likelihood.log_likelihood(outputs, target, log_scale).reshape([1, samples]);
            let log_weight = log_p + posterior.log_ratio(z, noise);
            host::read(&log_weight, |values| values.iter().map(|&value| f64::from(value)).collect())
        };
        let bound = |samples: usize| (0..2000).map(|row| log_mean_exp(&log_weights(samples, row))).sum::<f64>() / 2000.0;
        let bounds = [1, 5, 50].map(bound);
        assert!(bounds[0] < bounds[1] && bounds[1] < bounds[2], "{bounds:?}: more samples, a tighter bound");
        assert!(exact - bounds[0] > 0.1 && (exact - bounds[2]).abs() < 0.01, "{bounds:?} against {exact}");
        // One sample: the evidence lower bound, whose gap is the divergence between the two posteriors.
        let (v, m) = (0.5f64.exp(), 0.3f64.powi(2) / (s2 / (s2 + ww)));
        let gap = 0.5 * (v + m - 1.0 - 0.5);
        assert!((exact - gap - bounds[0]).abs() < 0.03, "{} against {}", exact - bounds[0], gap);
        let many = log_mean_exp(&log_weights(200_000, 0));
        assert!((many - exact).abs() < 0.005, "{many} against {exact}");
    }
}
