//! Losses of critic and generator. Scores are `[batch, 1]`, losses `[1]`.

use burn::tensor::Tensor;
use burn::tensor::activation::softplus;
use serde::{Deserialize, Serialize};

/// The loss of a GAN.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Loss {
    /// Logistic, the generator raising the chance that its images are taken for real (Goodfellow et al. 2014).
    NonSaturating,
    /// Margins of 1 on either side (Lim and Ye 2017; Miyato et al. 2018).
    Hinge,
    /// The difference of the mean scores (Arjovsky et al. 2017); needs a penalty that keeps the critic's slope near 1.
    Wasserstein,
    /// Squares (Mao et al. 2017), with targets 1 for real and 0 for made images.
    LeastSquares,
    /// Logistic in the difference of the scores of a real and a made image (Jolicoeur-Martineau 2018; Huang et al. 2024).
    Relativistic,
}

impl Loss {
    /// What the critic brings down.
    pub fn critic(self, real: Tensor<2>, fake: Tensor<2>) -> Tensor<1> {
        match self {
            Self::NonSaturating => softplus(-real, 1.0).mean() + softplus(fake, 1.0).mean(),
            Self::Hinge => (real.neg() + 1.0).clamp_min(0.0).mean() + (fake + 1.0).clamp_min(0.0).mean(),
            Self::Wasserstein => fake.mean() - real.mean(),
            Self::LeastSquares => ((real - 1.0).square().mean() + fake.square().mean()) * 0.5,
            Self::Relativistic => softplus(fake - real, 1.0).mean(),
        }
    }

    /// The loss of the generator; `real` are scores of real images, which only the relativistic loss needs.
    pub fn generator(self, fake: Tensor<2>, real: impl FnOnce() -> Tensor<2>) -> Tensor<1> {
        match self {
            Self::NonSaturating => softplus(-fake, 1.0).mean(),
            Self::Hinge | Self::Wasserstein => -fake.mean(),
            Self::LeastSquares => (fake - 1.0).square().mean() * 0.5,
            Self::Relativistic => softplus(real() - fake, 1.0).mean(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Device;

    /// torch: real = [[2.], [-1.]], fake = [[.5], [-3.]];
    /// F.softplus(-real).mean() + F.softplus(fake).mean(); F.relu(1 - real).mean() + F.relu(1 + fake).mean(); fake.mean() - real.mean();
    /// ((real - 1) ** 2).mean() / 2 + (fake ** 2).mean() / 2; F.softplus(fake - real).mean(); and the generators' in the same order.
    #[test]
    fn losses_are_those_of_pytorch() {
        let of = |values: [f32; 2]| Tensor::<1>::from_floats(values, &Device::flex()).reshape([2, 1]);
        let (real, fake) = (of([2.0, -1.0]), of([0.5, -3.0]));
        let expected = [
            (Loss::NonSaturating, 1.231_427_2, 1.761_332_2),
            (Loss::Hinge, 1.75, 1.25),
            (Loss::Wasserstein, -1.75, 1.25),
            (Loss::LeastSquares, 3.5625, 4.0625),
            (Loss::Relativistic, 0.164_170_7, 1.914_170_7),
        ];
        for (loss, critic, generator) in expected {
            let found = loss.critic(real.clone(), fake.clone()).into_scalar::<f32>();
            assert!((found - critic).abs() < 1e-5, "{loss:?}, critic: {found} against {critic}");
            let found = loss.generator(fake.clone(), || real.clone()).into_scalar::<f32>();
            assert!((found - generator).abs() < 1e-5, "{loss:?}, generator: {found} against {generator}");
        }
    }
}
