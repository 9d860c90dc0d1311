//! Noise levels, and what a network predicts at them.
//!
//! Every process of this crate noises an image as `x = alpha * clean + sigma * noise`. What differs is the path of (alpha, sigma), the
//! number that tells the network where on the path it is, and which mixture of clean image and noise the network predicts. All
//! three are tables here, so that a solver works with any of them.

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

/// A point on a path from image to noise.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Level {
    /// The factor on the clean image.
    pub alpha: f64,
    /// The factor on the noise.
    pub sigma: f64,
    /// The time input of the network: a timestep (0 to 999) for DDPM, `ln(sigma) / 4` for EDM, `1000 t` for a flow.
    pub time: f64,
}

impl Level {
    /// Half the logarithm of the signal-to-noise ratio, `ln(alpha / sigma)`; infinite at the ends of a path.
    pub fn log_ratio(&self) -> f64 {
        (self.alpha / self.sigma).ln()
    }

    /// `x = alpha * clean + sigma * noise`.
    pub fn noised<const D: usize>(&self, clean: Tensor<D>, noise: Tensor<D>) -> Tensor<D> {
        clean * self.alpha + noise * self.sigma
    }
}

/// The shape of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Path {
    /// `alpha^2 + sigma^2 = 1` (Ho et al. 2020).
    VariancePreserving,
    /// `alpha = 1` (Karras et al. 2022).
    VarianceExploding,
    /// `alpha = 1 - t`, `sigma = t` (Lipman et al. 2023; Liu et al. 2023).
    Straight,
}

/// What the network predicts.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Prediction {
    /// The noise (Ho et al. 2020).
    Epsilon,
    /// The clean image.
    Sample,
    /// `alpha * noise - sigma * clean` (Salimans and Ho 2022).
    V,
    /// `noise - clean`, the velocity of a straight path.
    Velocity,
    /// The mixture of Karras et al. 2022, section 5, with inputs and targets of unit variance at every level.
    Edm {
        /// The standard deviation of the pixels, which lie in -1 to 1.
        sigma_data: f64,
    },
}

/// How the network is wrapped at one level: `clean = skip * x + out * network(input * x, time)`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scaling {
    /// The factor on the network's input.
    pub input: f64,
    /// The share of the noised image in the clean one.
    pub skip: f64,
    /// The factor on the network's output.
    pub out: f64,
}

impl Prediction {
    /// The factors at `level`.
    pub fn scaling(&self, level: &Level) -> Scaling {
        let Level { alpha, sigma, .. } = *level;
        let (input, skip, out) = match self {
            Self::Epsilon => (1.0, 1.0 / alpha, -sigma / alpha),
            Self::Sample => (1.0, 0.0, 1.0),
            Self::V => {
                let power = alpha * alpha + sigma * sigma;
                (1.0, alpha / power, -sigma / power)
            }
            Self::Velocity => (1.0, 1.0 / (alpha + sigma), -sigma / (alpha + sigma)),
            Self::Edm { sigma_data } => {
                let power = sigma * sigma + sigma_data * sigma_data;
                (1.0 / power.sqrt(), sigma_data * sigma_data / power, sigma * sigma_data / power.sqrt())
            }
        };
        Scaling { input, skip, out }
    }

    /// The network's target at `level`, as factors on the clean image and on the noise.
    pub fn target(&self, level: &Level) -> (f64, f64) {
        let Level { alpha, sigma, .. } = *level;
        match self {
            Self::Epsilon => (0.0, 1.0),
            Self::Sample => (1.0, 0.0),
            Self::V => (-sigma, alpha),
            Self::Velocity => (-1.0, 1.0),
            Self::Edm { sigma_data } => {
                let root = (sigma * sigma + sigma_data * sigma_data).sqrt();
                (sigma / (sigma_data * root), -sigma_data / root)
            }
        }
    }
}

/// How the squared error of the network's output is weighted over levels.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Weighting {
    /// The same at every level: what DDPM and flow matching do. For [`Prediction::Edm`] this is the weighting of Karras et al. 2022, since
    /// their `(sigma^2 + sigma_data^2) / (sigma sigma_data)^2` on the clean image is 1 on the output.
    #[default]
    Uniform,
    /// `min(SNR, gamma)` on the clean image (Hang et al. 2023).
    MinSnr {
        /// The greatest weight; 5 in the paper.
        gamma: f64,
    },
}

impl Weighting {
    /// The factor on the squared error of the network's output at `level`.
    pub fn weight(&self, prediction: &Prediction, level: &Level) -> f64 {
        match self {
            Self::Uniform => 1.0,
            Self::MinSnr { gamma } => {
                let ratio = (level.alpha / level.sigma).powi(2);
                let out = prediction.scaling(level).out;
                ratio.min(*gamma) * out * out
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The target, put through the preconditioning, is the clean image: for every prediction on every path.
    #[test]
    fn target_and_scaling_belong_together() {
        let levels = [
            Level { alpha: 0.8, sigma: 0.6, time: 300.0 },
            Level { alpha: 1.0, sigma: 3.7, time: 0.3 },
            Level { alpha: 0.35, sigma: 0.65, time: 650.0 },
        ];
        let predictions =
            [Prediction::Epsilon, Prediction::Sample, Prediction::V, Prediction::Velocity, Prediction::Edm { sigma_data: 0.5 }];
        for prediction in predictions {
            for level in levels {
                if matches!(prediction, Prediction::Edm { .. }) && level.alpha != 1.0 {
                    continue;
                }
                let (clean, noise) = (0.3, -1.2);
                let x = level.alpha * clean + level.sigma * noise;
                let (on_clean, on_noise) = prediction.target(&level);
                let scaling = prediction.scaling(&level);
                let found = scaling.skip * x + scaling.out * (on_clean * clean + on_noise * noise);
                assert!((found - clean).abs() < 1e-12, "{prediction:?} at {level:?}: {found}");
            }
        }
    }

    #[test]
    fn edm_inputs_and_targets_have_unit_variance() {
        let prediction = Prediction::Edm { sigma_data: 0.5 };
        for sigma in [0.002, 0.5, 80.0] {
            let level = Level { alpha: 1.0, sigma, time: 0.0 };
            let input = prediction.scaling(&level).input;
            assert!((input * input * (0.25 + sigma * sigma) - 1.0).abs() < 1e-12);
            let (on_clean, on_noise) = prediction.target(&level);
            assert!((on_clean * on_clean * 0.25 + on_noise * on_noise - 1.0).abs() < 1e-12);
        }
    }

    /// Hang et al. 2023, section 3.4: min(SNR, 5) / SNR for noise, min(SNR, 5) / (SNR + 1) for v.
    #[test]
    fn min_snr_is_the_papers() {
        let weighting = Weighting::MinSnr { gamma: 5.0 };
        for alpha in [0.1f64, 0.7, 0.99] {
            let level = Level { alpha, sigma: (1.0 - alpha * alpha).sqrt(), time: 0.0 };
            let ratio = alpha * alpha / (1.0 - alpha * alpha);
            assert!((weighting.weight(&Prediction::Epsilon, &level) - ratio.min(5.0) / ratio).abs() < 1e-12);
            assert!((weighting.weight(&Prediction::V, &level) - ratio.min(5.0) / (ratio + 1.0)).abs() < 1e-12);
            assert!((weighting.weight(&Prediction::Sample, &level) - ratio.min(5.0)).abs() < 1e-12);
        }
    }
}
