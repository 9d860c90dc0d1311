//! The evidence lower bound, the importance-weighted bound, and what becomes of them.

use burn::tensor::{Tensor, activation};

/// Natural logarithms of the posterior's variance stay within these bounds, so that no exponential overflows.
const LOG_VARIANCE: [f32; 2] = [-20.0, 20.0];

/// A normal distribution over latent vectors with independent dimensions.
#[derive(Debug, Clone)]
pub struct Gaussian {
    /// `[batch, latent]`.
    pub mean: Tensor<2>,
    /// Natural logarithm of the variance, `[batch, latent]`.
    pub log_variance: Tensor<2>,
}

impl Gaussian {
    /// From an encoder's output, `[batch, 2 * latent]`: means, then logarithms of variances.
    pub fn from_outputs(outputs: Tensor<2>) -> Self {
        let [_, width] = outputs.dims();
        let mean = outputs.clone().narrow(1, 0, width / 2);
        let log_variance = outputs.narrow(1, width / 2, width / 2).clamp(LOG_VARIANCE[0], LOG_VARIANCE[1]);
        Self { mean, log_variance }
    }

    /// `noise [batch, samples, latent]` scaled and shifted, of the same shape.
    pub fn sample(&self, noise: Tensor<3>) -> Tensor<3> {
        let deviation = (self.log_variance.clone() * 0.5).exp();
        noise * deviation.unsqueeze_dim::<3>(1) + self.mean.clone().unsqueeze_dim::<3>(1)
    }

    /// The Kullback-Leibler divergence to a standard normal distribution, of each dimension, in nats: `(m^2 + s^2 - 1 - ln s^2) / 2`
    /// (Kingma and Welling 2014, appendix B). `[batch, latent]`.
    pub fn divergence(&self) -> Tensor<2> {
        (self.mean.clone().square() + self.log_variance.clone().exp() - 1.0 - self.log_variance.clone()) * 0.5
    }

    /// `ln p(z) - ln q(z)` of samples, p standard normal: what their constants leave is `(noise^2 + ln s^2 - z^2) / 2`, summed over
    /// dimensions. `z` and `noise [batch, samples, latent]` give `[batch, samples]`.
    pub fn log_ratio(&self, z: Tensor<3>, noise: Tensor<3>) -> Tensor<2> {
        let inside = noise.square() - z.square() + self.log_variance.clone().unsqueeze_dim::<3>(1);
        let [batch, samples, _] = inside.dims();
        (inside.sum_dim(2) * 0.5).reshape([batch, samples])
    }
}

/// The importance-weighted bound on the log-likelihood (Burda et al. 2016, equation 8): `ln(1/K sum_k w_k)` from `log_weights [batch, K]`,
/// `[batch]`.
pub fn importance_bound(log_weights: Tensor<2>) -> Tensor<1> {
    let [batch, samples] = log_weights.dims();
    let greatest = log_weights.clone().detach().max_dim(1); // [batch, 1]
    let sum = (log_weights - greatest.clone()).exp().sum_dim(1);
    (sum.log() + greatest).reshape([batch]) - (samples as f64).ln()
}

/// The divergences summed over dimensions, where each dimension counts at least `free` nats on the batch's average, below which nothing is
/// to be gained (Kingma et al. 2016, appendix C.8). `each [batch, latent]` gives `[1]`.
pub fn with_free_bits(each: Tensor<2>, free: f64) -> Tensor<1> {
    let mean = each.mean_dim(0); // [1, latent]
    if free > 0.0 { mean.clamp_min(free).sum() } else { mean.sum() }
}

/// How many dimensions carry information: the variance of their posterior means over the batch is above 0.01 (Burda et al. 2016, section
/// 5.2). `means [batch, latent]` gives `[1]`.
pub fn active_units(means: Tensor<2>) -> Tensor<1> {
    let centred = means.clone() - means.mean_dim(0);
    let variance = centred.square().mean_dim(0); // [1, latent]
    // A step that is differentiable nowhere and needs no comparison: 1 above the bound, 0 below.
    activation::relu((variance - 0.01).sign()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Device;
    use semblant_core::host;
    use semblant_core::seeds::Stream;

    fn posterior() -> Gaussian {
        let device = Device::flex();
        Gaussian {
            mean: Tensor::from_floats([[0.5, -1.0], [0.0, 0.0]], &device),
            log_variance: Tensor::from_floats([[0.25f32.ln(), 2f32.ln()], [0.0, 0.0]], &device),
        }
    }

    /// torch.distributions.kl_divergence(Normal(m, s), Normal(0, 1)) for (0.5, 0.5), (-1, sqrt 2) and (0, 1).
    #[test]
    fn divergence_is_the_closed_form() {
        let expected = [0.443_147_2, 0.653_426_4, 0.0, 0.0];
        host::read(&posterior().divergence(), |kl| kl.iter().zip(expected).for_each(|(a, b)| assert!((a - b).abs() < 1e-6, "{a} {b}")));
        // max(0.2216, 0.3) + max(0.3267, 0.3) over the batch's averages.
        let free = with_free_bits(posterior().divergence(), 0.3).into_scalar::<f32>();
        assert!((free - 0.626_713_2).abs() < 1e-6, "{free}");
    }

    #[test]
    fn the_divergence_is_the_mean_of_the_log_ratio() {
        let samples = 200_000;
        let noise = host::tensor(Stream::new(1, 0).matrix(0..2, samples * 2, Stream::normals), [2, samples, 2], &Device::flex());
        let q = posterior();
        let ratio = q.log_ratio(q.sample(noise.clone()), noise);
        let means = ratio.mean_dim(1).reshape([2]);
        let exact = q.divergence().sum_dim(1).reshape([2]);
        host::read(&(means + exact), |sum| sum.iter().for_each(|sum| assert!(sum.abs() < 0.012, "{sum}")));
    }

    #[test]
    fn the_bound_of_one_sample_is_the_weight_and_no_shift_overflows() {
        let device = Device::flex();
        let one = importance_bound(Tensor::from_floats([[-3.5], [2.0]], &device));
        host::read(&one, |bound| assert_eq!(bound, [-3.5, 2.0]));
        // ln((e^1 + e^2 + e^3) / 3) = 2.3089936, shifted by -500.
        let three = importance_bound(Tensor::from_floats([[-499.0, -498.0, -497.0]], &device)).into_scalar::<f32>();
        assert!((three + 500.0 - 2.308_993_6).abs() < 1e-4, "{three}");
    }

    #[test]
    fn a_dimension_is_active_where_its_means_differ() {
        let means = Tensor::<2>::from_floats([[1.0, 0.0, 0.05], [-1.0, 0.0, -0.05]], &Device::flex());
        assert_eq!(active_units(means.clone()).into_scalar::<f32>(), 1.0);
        assert_eq!(active_units(means.narrow(0, 0, 1)).into_scalar::<f32>(), 0.0, "one image tells nothing");
    }
}
