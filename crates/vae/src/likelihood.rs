//! The distribution of pixels given a decoder's output: Bernoulli, Gaussian, discretised logistic.

use burn::tensor::Tensor;
use semblant_core::nn::bernoulli_log_likelihood;
use semblant_core::seeds::Stream;
use semblant_core::{Result, host};
use serde::{Deserialize, Serialize};

use semblant_core::config::check_range;

/// The distribution of an image given its latent vector; each pixel is independent of the others.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Likelihood {
    /// Pixels are black or white; the decoder gives log-odds. For images such as scanned digits.
    Bernoulli {
        /// How grey pixels become black or white ones.
        #[serde(default)]
        binarisation: Binarisation,
    },
    /// Pixels in -1 to 1 are normal around the decoder's mean, all with one standard deviation.
    Gaussian {
        /// The standard deviation; left out, it is learned (Rybkin et al. 2021, "Simple and effective VAE training with calibrated
        /// decoders").
        #[serde(default)]
        deviation: Option<f64>,
    },
    /// Each of the 256 brightnesses has the chance of its interval under a logistic distribution around the decoder's mean, with one
    /// learned scale (Kingma et al. 2016, "Improving variational inference with inverse autoregressive flow").
    DiscretisedLogistic {},
}

/// How grey pixels become black or white ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Binarisation {
    /// Drawn anew each time that an image is seen, white with the pixel's brightness as the chance (Salakhutdinov and Murray 2008).
    #[default]
    Dynamic,
    /// White from half of the brightness on.
    Threshold,
    /// Not at all: brightness is learned as a chance, which is no likelihood of grey pixels but a common loss.
    None,
}

/// The narrowest scale that is learned, in units of -1 to 1: a hundredth of a step of brightness. Without a bound, images that are learned
/// by heart would drive it to zero.
const LEAST_LOG_SCALE: f32 = -9.5;

impl Likelihood {
    /// Checks the range.
    ///
    /// # Errors
    /// Names the field, its value and the range.
    pub fn check(&self) -> Result<()> {
        match self {
            Self::Gaussian { deviation: Some(deviation) } => check_range("likelihood.deviation", *deviation, 1e-4, 100.0),
            _ => Ok(()),
        }
    }

    /// What the likelihood sees of `pixels` in -1 to 1, row by row; `stream` gives the random numbers of row `first_row + i`.
    pub(crate) fn targets(&self, mut pixels: Vec<f32>, width: usize, stream: Stream, first_row: u64, evaluated: bool) -> Vec<f32> {
        let Self::Bernoulli { binarisation } = self else { return pixels };
        match binarisation {
            // A likelihood is asked for of black and white, whatever the loss was.
            Binarisation::Dynamic => binarise(&mut pixels, width, stream, first_row),
            Binarisation::None if evaluated => binarise(&mut pixels, width, stream, first_row),
            Binarisation::Threshold => pixels.iter_mut().for_each(|pixel| *pixel = if *pixel >= 0.0 { 1.0 } else { 0.0 }),
            Binarisation::None => pixels.iter_mut().for_each(|pixel| *pixel = 0.5 * (*pixel + 1.0)),
        }
        pixels
    }

    /// What an encoder sees of targets: -1 to 1.
    pub(crate) fn encoder_input<const D: usize>(&self, targets: Tensor<D>) -> Tensor<D> {
        match self {
            Self::Bernoulli { .. } => targets * 2.0 - 1.0,
            _ => targets,
        }
    }

    /// Natural logarithm of the likelihood of `targets` given the decoder's `outputs`, summed over pixels, in nats (of a density per unit
    /// of the scale -1 to 1 for a Gaussian, of a chance for the others). `outputs [rows, pixels]` and `targets [rows / n, pixels]` give
    /// `[rows]`, each target serving n rows. `log_scale [1]` is the learned one.
    pub(crate) fn log_likelihood(&self, outputs: Tensor<2>, targets: Tensor<2>, log_scale: Tensor<1>) -> Tensor<1> {
        let ([rows, width], [given, _]) = (outputs.dims(), targets.dims());
        if let Self::Bernoulli { .. } = self {
            return bernoulli_log_likelihood(outputs, targets);
        }
        let targets = targets.unsqueeze_dim::<3>(1).repeat_dim(1, rows / given).reshape([rows, width]);
        let log_scale = match self {
            Self::Gaussian { deviation: Some(deviation) } => Tensor::full([1], deviation.ln(), &outputs.device()),
            _ => log_scale.clamp_min(LEAST_LOG_SCALE),
        }
        .unsqueeze::<2>(); // [1, 1]
        let each = match self {
            Self::Gaussian { .. } => gaussian(outputs, targets, log_scale),
            _ => discretised_logistic(outputs, targets, log_scale),
        };
        each.sum_dim(1).reshape([rows])
    }

    /// The brightest guess for each pixel, in -1 to 1.
    pub(crate) fn mean<const D: usize>(&self, outputs: Tensor<D>) -> Tensor<D> {
        match self {
            Self::Bernoulli { .. } => burn::tensor::activation::sigmoid(outputs) * 2.0 - 1.0,
            _ => outputs,
        }
    }
}

fn binarise(pixels: &mut [f32], width: usize, stream: Stream, first_row: u64) {
    let rows = (pixels.len() / width.max(1)) as u64;
    let chances = stream.matrix(first_row..first_row + rows, width, Stream::uniforms);
    pixels.iter_mut().zip(chances).for_each(|(pixel, chance)| *pixel = if chance < 0.5 * (*pixel + 1.0) { 1.0 } else { 0.0 });
}

/// `-((x - m) / s)^2 / 2 - ln s - ln(2 pi) / 2`.
fn gaussian(means: Tensor<2>, targets: Tensor<2>, log_scale: Tensor<2>) -> Tensor<2> {
    let distance = (targets - means) / log_scale.clone().exp();
    distance.square() * -0.5 - log_scale - 0.5 * std::f64::consts::TAU.ln()
}

/// Half of the distance between two brightnesses.
const HALF_STEP: f64 = 1.0 / 255.0;

/// `ln(S(a) - S(b))` with S the logistic function and a, b the ends of the interval in scales from the mean; the outermost intervals reach
/// to infinity. Written as `ln S(a) + ln S(-b) + ln(1 - exp(b - a))`, which loses no digits where both are far out.
fn discretised_logistic(means: Tensor<2>, targets: Tensor<2>, log_scale: Tensor<2>) -> Tensor<2> {
    let scale = log_scale.exp(); // [1, 1]
    let centred = targets.clone() - means;
    let upper = (centred.clone() + HALF_STEP) / scale.clone();
    let lower = (centred - HALF_STEP) / scale.clone();
    let below_top = targets.clone().lower_elem(1.0 - HALF_STEP).float();
    let above_bottom = targets.greater_elem(HALF_STEP - 1.0).float();
    let width = (scale.recip() * (-2.0 * HALF_STEP)).exp().neg().log1p(); // ln(1 - exp(b - a)), [1, 1]
    let inside = below_top.clone() * above_bottom.clone();
    inside * width - softplus(upper.neg()) * below_top - softplus(lower) * above_bottom
}

/// `ln(1 + exp(x))` without overflow.
fn softplus(x: Tensor<2>) -> Tensor<2> {
    x.clone().clamp_min(0.0) + x.abs().neg().exp().log1p()
}

/// `[rows, width]` targets of images in -1 to 1 as a tensor on their device.
pub(crate) fn target_tensor(likelihood: &Likelihood, images: &Tensor<4>, stream: Stream, first_row: u64) -> Tensor<2> {
    let [batch, channels, height, width] = images.dims();
    let pixels = channels * height * width;
    if !host::is_host(&images.device().inner()) {
        return Tensor::from_inner(on_device(likelihood, images.clone().inner().reshape([batch, pixels]), stream, first_row));
    }
    let values = host::read(images, <[f32]>::to_vec);
    let targets = likelihood.targets(values, pixels, stream, first_row, false);
    Tensor::from_inner(host::tensor(targets, [batch, pixels], &images.device().inner()))
}

/// [`Likelihood::targets`] of `pixels [rows, width]` without a round trip to the host.
fn on_device(likelihood: &Likelihood, pixels: Tensor<2>, stream: Stream, first_row: u64) -> Tensor<2> {
    let Likelihood::Bernoulli { binarisation } = likelihood else { return pixels };
    let ([rows, width], device) = (pixels.dims(), pixels.device());
    match binarisation {
        Binarisation::Dynamic => {
            let chances = stream.uniforms_on(first_row..first_row + rows as u64, width, &device);
            chances.lower((pixels + 1.0) * 0.5).float()
        }
        Binarisation::Threshold => pixels.greater_equal_elem(0.0).float(),
        Binarisation::None => (pixels + 1.0) * 0.5,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Device;

    fn all_brightnesses() -> Tensor<2> {
        host::tensor((0..256).map(|byte| byte as f32 / 127.5 - 1.0).collect(), [256, 1], &Device::flex())
    }

    #[test]
    fn discretised_logistic_sums_to_one() {
        let device = Device::flex();
        for (mean, log_scale) in [(0.0, -2.0), (-0.99, -4.0), (1.3, -1.0), (0.2, -7.0), (0.5, 1.0)] {
            let outputs = Tensor::full([256, 1], mean, &device);
            let log_scale = Tensor::<1>::from_floats([log_scale], &device);
            let chances = Likelihood::DiscretisedLogistic {}.log_likelihood(outputs, all_brightnesses(), log_scale.clone()).exp();
            let total = chances.sum().into_scalar::<f32>();
            assert!((total - 1.0).abs() < 2e-5, "mean {mean}, {log_scale}: {total}");
        }
    }

    /// scipy.stats.norm(0.25, 0.5).logpdf([0.5, -1.0]).sum() and, with s = 0.1 around 0.2,
    /// log(expit((0.5 + 1/255 - 0.2) / 0.1) - expit((0.5 - 1/255 - 0.2) / 0.1)).
    #[test]
    fn values_are_those_of_scipy() {
        let device = Device::flex();
        let of = |likelihood: Likelihood, means: f32, targets: &[f32], log_scale: f32| {
            let outputs = Tensor::full([1, targets.len()], means, &device);
            let targets = host::tensor(targets.to_vec(), [1, targets.len()], &device);
            likelihood.log_likelihood(outputs, targets, Tensor::<1>::from_floats([log_scale], &device)).into_scalar::<f32>()
        };
        let gaussian = Likelihood::Gaussian { deviation: Some(0.5) };
        assert!((of(gaussian, 0.25, &[0.5, -1.0], 9.0) + 3.701_582_7).abs() < 1e-5, "{}", of(gaussian, 0.25, &[0.5, -1.0], 9.0));
        let learnt = Likelihood::Gaussian { deviation: None };
        assert!((of(learnt, 0.25, &[0.5, -1.0], 0.5f32.ln()) + 3.701_582_7).abs() < 1e-5);
        let logistic = of(Likelihood::DiscretisedLogistic {}, 0.2, &[0.5], 0.1f32.ln());
        assert!((logistic + 5.642_519).abs() < 1e-4, "{logistic}");
    }

    #[test]
    fn dynamic_binarisation_keeps_the_brightness_on_average() {
        let dynamic = Likelihood::Bernoulli { binarisation: Binarisation::Dynamic };
        let pixels = vec![0.4; 20_000]; // a brightness of 0.7
        let targets = dynamic.targets(pixels.clone(), 100, Stream::new(1, 0), 0, false);
        assert!(targets.iter().all(|&pixel| pixel == 0.0 || pixel == 1.0));
        let mean = targets.iter().sum::<f32>() / 20_000.0;
        assert!((mean - 0.7).abs() < 0.013, "{mean}"); // four standard deviations
        assert_ne!(targets[..100], dynamic.targets(pixels[..100].to_vec(), 100, Stream::new(1, 0), 1, false)[..], "each row its own");
        let grey = Likelihood::Bernoulli { binarisation: Binarisation::None };
        assert!((grey.targets(vec![0.4], 1, Stream::new(1, 0), 0, false)[0] - 0.7).abs() < 1e-6);
    }

    #[test]
    fn targets_on_a_device_are_those_of_the_cpu() {
        let pixels = Stream::new(1, 0).matrix(0..6, 8, |stream, row, out| {
            stream.uniforms(row, out);
            out.iter_mut().for_each(|value| *value = 2.0 * *value - 1.0);
        });
        let bernoulli = |binarisation| Likelihood::Bernoulli { binarisation };
        let all = [Binarisation::Dynamic, Binarisation::Threshold, Binarisation::None].map(bernoulli);
        for likelihood in all.into_iter().chain([Likelihood::DiscretisedLogistic {}]) {
            let expected = likelihood.targets(pixels.clone(), 8, Stream::new(2, 0), 5, false);
            let found = on_device(&likelihood, host::tensor(pixels.clone(), [6, 8], &Device::flex()), Stream::new(2, 0), 5);
            host::read(&found, |found| assert_eq!(found, expected, "{likelihood:?}"));
        }
    }
}
