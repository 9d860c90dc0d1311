//! The variational autoencoder: "Auto-encoding variational Bayes", Kingma and Welling 2014, <https://arxiv.org/abs/1312.6114>; with more
//! than one sample an image "Importance weighted autoencoders", Burda et al. 2016, <https://arxiv.org/abs/1509.00519>.
//!
//! An encoder gives a normal distribution `q(z|x)` over latent vectors, a decoder the distribution `p(x|z)` of an image given one. What is
//! maximised is `ln p(x|z) - beta KL(q(z|x) || p(z))`, or with K samples `ln 1/K sum_k p(x|z_k) p(z_k) / q(z_k|x)`.

use burn::module::{Module, Param};
use burn::optim::GradientsParams;
use burn::tensor::{Device, Int, Tensor};
use semblant_core::config::Config;
use semblant_core::config::check_range;
use semblant_core::model::{Losses, Model, Step};
use semblant_core::optim::Optimizers;
use semblant_core::{Error, Result, nn};
use semblant_images::ImageKind;
use serde::{Deserialize, Serialize};

use crate::bound::{Gaussian, active_units, importance_bound, with_free_bits};
use crate::likelihood::{Likelihood, target_tensor};
use crate::mixture::{Fit, Mixture};
use crate::networks::{Decoder, Encoder, NetConfig, mlp::MlpConfig};
use crate::training::{Batch, Training, purpose};

/// Settings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default)]
pub struct VaeConfig {
    /// Encoder and decoder.
    pub network: NetConfig,
    /// Dimensions of a latent vector.
    pub latent_width: usize,
    /// The distribution of pixels given the decoder's output.
    pub likelihood: Likelihood,
    /// Whether encoder and decoder are conditioned on the class.
    pub classes: Classes,
    /// The weight of the divergence from the prior (Higgins et al. 2017); 1 is the bound itself.
    pub beta: f64,
    /// The share of the run over which that weight rises from 0.
    pub beta_warm_up: f64,
    /// Nats of divergence that are not penalised, per latent dimension.
    pub free_bits: f64,
    /// Latent samples of each image in a step; more than one trains on the importance-weighted bound.
    pub importance_samples: usize,
    /// Components of the mixture that is fitted to the latent vectors when the training has ended.
    pub mixture_components: usize,
    /// Training settings.
    pub training: Training,
    /// Sampling settings, unless a request has others.
    pub sampling: VaeSampling,
}

/// Whether a model is conditioned on the classes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Classes {
    /// It is, where there are any.
    #[default]
    Used,
    /// It is not, and its samples have none.
    Ignored,
}

/// Settings of sampling.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default)]
pub struct VaeSampling {
    /// Where latent vectors are drawn from.
    pub prior: Prior,
    /// The factor on the spread of latent vectors: below 1 trades diversity for fidelity.
    pub temperature: f64,
}

/// Where latent vectors are drawn from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Prior {
    /// A standard normal distribution, which the model was trained towards.
    Normal,
    /// A mixture fitted to the latent vectors of the training images, which is where they came to lie.
    Mixture,
}

impl Default for VaeSampling {
    fn default() -> Self {
        Self { prior: Prior::Mixture, temperature: 1.0 }
    }
}

impl Default for VaeConfig {
    fn default() -> Self {
        Self {
            network: NetConfig::Mlp(MlpConfig::default()),
            latent_width: 32,
            likelihood: Likelihood::Gaussian { deviation: None },
            classes: Classes::Used,
            beta: 1.0,
            beta_warm_up: 0.0,
            free_bits: 0.0,
            importance_samples: 1,
            mixture_components: 20,
            training: crate::training::training(),
            sampling: VaeSampling::default(),
        }
    }
}

impl VaeSampling {
    pub(crate) fn check(&self) -> Result<()> {
        check_range("temperature", self.temperature, 0.0, 100.0)
    }
}

impl Config for VaeConfig {
    fn check(&self) -> Result<()> {
        crate::training::check(&self.training)?;
        self.sampling.check()?;
        self.likelihood.check()?;
        check_range("latent_width", self.latent_width, 1, 1 << 14)?;
        check_range("importance_samples", self.importance_samples, 1, 10_000)?;
        check_range("mixture_components", self.mixture_components, 1, 1000)?;
        check_range("beta", self.beta, 0.0, 1e6)?;
        check_range("beta_warm_up", self.beta_warm_up, 0.0, 1.0)?;
        check_range("free_bits", self.free_bits, 0.0, 1e3)?;
        if self.importance_samples > 1 && self.free_bits > 0.0 {
            let what = "free_bits needs the divergence in closed form, which the bound of several importance_samples does not have";
            return Err(Error::Config(format!("{what}; set one of the two to its default")));
        }
        Ok(())
    }

    fn renamed() -> &'static [(&'static str, &'static str)] {
        semblant_images::RENAMED
    }
}

impl VaeConfig {
    /// The weight of the divergence at a step.
    fn beta_at(&self, step: &Step) -> f64 {
        let risen = if self.beta_warm_up > 0.0 { (step.progress() / self.beta_warm_up).min(1.0) } else { 1.0 };
        self.beta * risen
    }
}

/// The networks, and the mixture that samples may be drawn from.
#[derive(Module, Debug)]
pub struct VaeNet {
    encoder: Encoder,
    decoder: Decoder,
    /// Natural logarithm of the likelihood's scale, `[1]`, where that is learned.
    pub(crate) log_scale: Param<Tensor<1>>,
    pub(crate) mixture: Mixture,
}

impl VaeNet {
    /// Fresh networks for images of this kind.
    pub(crate) fn new(config: &VaeConfig, kind: &ImageKind, seed: u64, device: &Device) -> Result<Self> {
        config.network.check(&kind.shape)?;
        let latent = config.latent_width;
        let (encoder, decoder) = config.network.build(&kind.shape, [2 * latent, latent], kind.class_names.len(), seed, device);
        Ok(Self {
            encoder,
            decoder,
            log_scale: nn::filled([1], device, -1.0),
            mixture: Mixture::standard(config.mixture_components, latent, device),
        })
    }

    /// These networks with a mixture to draw from.
    pub(crate) fn with_mixture(mut self, fit: &Fit) -> Self {
        self.mixture = self.mixture.filled(fit);
        self
    }

    /// The posterior of targets `[batch, pixels]` (see [`Likelihood`]).
    pub(crate) fn encode(&self, targets: Tensor<2>, classes: Option<Tensor<1, Int>>, likelihood: &Likelihood) -> Gaussian {
        Gaussian::from_outputs(self.encoder.forward(likelihood.encoder_input(targets), classes))
    }

    /// What the likelihood needs for every pixel: `z [rows, latent]` gives `[rows, pixels]`.
    pub(crate) fn decode(&self, z: Tensor<2>, classes: Option<Tensor<1, Int>>) -> Tensor<2> {
        self.decoder.forward(z, classes)
    }

    /// `ln p(x|z)` for `z [batch, samples, latent]`, in nats: `[batch, samples]`.
    pub(crate) fn log_likelihood(
        &self,
        z: Tensor<3>,
        targets: Tensor<2>,
        classes: Option<Tensor<1, Int>>,
        likelihood: &Likelihood,
    ) -> Tensor<2> {
        let [batch, samples, latent] = z.dims();
        let classes = classes.map(|classes| classes.unsqueeze_dim::<2>(1).repeat_dim(1, samples).reshape([batch * samples]));
        let outputs = self.decode(z.reshape([batch * samples, latent]), classes);
        likelihood.log_likelihood(outputs, targets, self.log_scale.val()).reshape([batch, samples])
    }
}

/// The model.
#[derive(Module, Debug)]
pub struct VaeModel {
    pub(crate) net: VaeNet,
    #[module(skip)]
    pub(crate) config: VaeConfig,
}

impl Model for VaeModel {
    type Batch = Batch;
    type Sampled = VaeNet;

    fn sampled(&self) -> VaeNet {
        self.net.valid()
    }

    fn train_step(mut self, batch: Batch, optimizers: &mut Optimizers, step: &Step) -> (Self, Losses) {
        let likelihood = self.config.likelihood;
        let (samples, latent) = (self.config.importance_samples, self.config.latent_width);
        let [count, ..] = batch.images.dims();
        let targets = target_tensor(&likelihood, &batch.images, step.stream(purpose::BINARY), step.rows().start); // [batch, pixels]
        let posterior = self.net.encode(targets.clone(), batch.classes.clone(), &likelihood);
        let noise = noise(count, [samples, latent], step, &targets.device()); // [batch, samples, latent]
        let z = posterior.sample(noise.clone());
        let log_likelihood = self.net.log_likelihood(z.clone(), targets, batch.classes, &likelihood); // [batch, samples]
        let beta = self.config.beta_at(step);
        let divergence = posterior.divergence(); // [batch, latent]
        let loss = if samples == 1 {
            with_free_bits(divergence.clone(), self.config.free_bits) * beta - log_likelihood.clone().mean()
        } else {
            importance_bound(log_likelihood.clone() + posterior.log_ratio(z, noise) * beta).mean().neg()
        };
        let losses = Losses::default()
            .with("loss", loss.clone())
            .with("reconstruction", log_likelihood.mean().neg())
            .with("kl", divergence.sum_dim(1).mean())
            .with("active_units", active_units(posterior.mean));
        let gradients = GradientsParams::from_grads(loss.backward(), &self.net);
        self.net = optimizers.step("network", self.net, gradients, step);
        (self, losses)
    }
}

/// Standard normal numbers for the latent vectors of a step.
fn noise(count: usize, [samples, latent]: [usize; 2], step: &Step, device: &Device) -> Tensor<3> {
    let first = step.rows().start;
    let noise = step.stream(purpose::NOISE).normals_on(first..first + count as u64, samples * latent, device);
    Tensor::from_inner(noise.reshape([count, samples, latent]))
}
