//! Latent diffusion: "High-resolution image synthesis with latent diffusion models", Rombach et al. 2022,
//! <https://arxiv.org/abs/2112.10752>, with flow matching on a transformer (Peebles and Xie 2023) in the place of its UNet.
//!
//! Images become latent images by an autoencoder that was trained before, which stays as it is; a flow learns these, and what it makes is
//! decoded. The file of such a model holds the autoencoder too.

use std::path::PathBuf;

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use semblant_core::config::Config;
use semblant_core::model::{Losses, Model, Sampler, Step};
use semblant_core::optim::Optimizers;
use semblant_core::passes::Passes;
use semblant_core::synthesizer::{Entry, Sample};
use semblant_core::train_config::TrainConfig;
use semblant_core::{Error, Result, host};
use semblant_data::image::{ImageRequest, Images};
use semblant_diffusion::models::flow::{FlowConfig, FlowModel};
use semblant_diffusion::networks::{Condition, Net, NetConfig, dit::DitConfig};
use semblant_diffusion::process::Prediction;
use semblant_diffusion::sampler::{DiffusionSampler, Start};
use semblant_diffusion::schedule::Plan;
use semblant_diffusion::solvers::Sampling;
use semblant_diffusion::training::{Batch, Training};
use semblant_images::{
    CHUNK, Fitted, ImageDraw, ImageKind, ImageModel, ImageShape, ImageSynthesizer, MakeBatch, check_shape, entry, overlaid, purpose,
    rebuilt, shown_classes,
};
use semblant_vae::kl::{KlConfig, KlNet};
use semblant_vae::models::autoencoder_kl::ScaledKl;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The models of latent images.
pub const MODELS: &[Entry<Images>] = &[entry::<LatentDitConfig>()];

/// A flow on latent images with its settings, fitted or not.
pub type LatentDit = ImageSynthesizer<LatentDitConfig>;

/// Settings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default)]
pub struct LatentDitConfig {
    /// The file of a fitted `autoencoder-kl`, or a folder with an `AutoencoderKL` of diffusers.
    #[schemars(extend("format" = "path"))]
    pub autoencoder: Option<PathBuf>,
    /// The size of that autoencoder; found in its file.
    pub autoencoder_network: Option<KlConfig>,
    /// The network that learns the latent images.
    pub network: NetConfig,
    /// Sampling times are bent towards noise by this factor (Esser et al. 2024, equation 23); 1 leaves them even.
    pub shift: f64,
    /// Training settings. `augmentation` is for pixels and stays 0.
    pub training: Training,
    /// Sampling settings, unless a request has others.
    pub sampling: Sampling,
}

impl Default for LatentDitConfig {
    fn default() -> Self {
        Self {
            autoencoder: None,
            autoencoder_network: None,
            network: NetConfig::Dit(DitConfig { patch: 2, ..DitConfig::default() }),
            shift: 1.0,
            training: Training::default(),
            sampling: Sampling::default(),
        }
    }
}

impl LatentDitConfig {
    /// The shape of the latent images, when the autoencoder is known and fits the images and the network.
    fn latent_shape(&self, shape: &ImageShape) -> Result<ImageShape> {
        let autoencoder = self.known()?;
        autoencoder.check(shape)?;
        let latent = autoencoder.latent_shape(shape);
        self.network.check(&latent)?;
        Ok(latent)
    }

    fn known(&self) -> Result<&KlConfig> {
        self.autoencoder_network.as_ref().ok_or_else(named)
    }

    fn flow(&self) -> FlowConfig {
        FlowConfig { network: self.network.clone(), shift: self.shift, training: self.training.clone(), ..FlowConfig::default() }
    }
}

fn named() -> Error {
    Error::Config("autoencoder is not set; give the file of a fitted autoencoder-kl".into())
}

/// The networks that sampling needs.
#[derive(Module, Debug)]
pub struct LatentNet {
    net: Net,
    autoencoder: ScaledKl,
}

/// The model.
#[derive(Module, Debug)]
pub struct LatentDitModel {
    flow: FlowModel,
    autoencoder: ScaledKl,
}

impl Model for LatentDitModel {
    type Batch = Batch;
    type Sampled = LatentNet;

    fn sampled(&self) -> LatentNet {
        LatentNet { net: self.flow.sampled(), autoencoder: self.autoencoder.valid() }
    }

    fn train_step(mut self, batch: Batch, optimizers: &mut Optimizers, step: &Step) -> (Self, Losses) {
        let losses;
        (self.flow, losses) = self.flow.train_step(batch, optimizers, step);
        (self, losses)
    }
}

impl Config for LatentDitConfig {
    fn check(&self) -> Result<()> {
        self.training.check()?;
        self.sampling.check()?;
        if self.training.augmentation > 0.0 {
            return Err(Error::Config("training.augmentation is for pixels, not for latent images; set it to 0".into()));
        }
        if !(self.shift > 0.0 && self.shift.is_finite()) {
            return Err(Error::Config(format!("shift = {} is out of range; choose a number above 0", self.shift)));
        }
        self.sampling.check_on(&Plan::straight(self.sampling.steps, self.shift)?)
    }

    fn renamed() -> &'static [(&'static str, &'static str)] {
        semblant_images::RENAMED
    }

    fn retired() -> &'static [&'static str] {
        &["sampling.record"]
    }
}

impl ImageModel for LatentDitConfig {
    const NAME: &'static str = "latent-dit";
    const SUMMARY: &'static str =
        "flow matching on the latent images of a fitted autoencoder-kl (Rombach et al. 2022), a transformer by default";
    type Model = LatentDitModel;

    fn resolve(self) -> Result<Self> {
        let path = self.autoencoder.clone().ok_or_else(named)?;
        let (network, ..) = semblant_vae::read_autoencoder(&path, &Device::flex())?;
        Ok(Self { autoencoder_network: Some(network), ..self })
    }

    fn single_device(&self) -> Option<&'static str> {
        None
    }

    fn train(&self) -> &TrainConfig {
        &self.training.train
    }

    fn optimizers(&self) -> Optimizers {
        Optimizers::default().with("network", self.training.train.optimizer)
    }

    fn init(&self, kind: &ImageKind, seed: u64, device: &Device) -> Result<LatentDitModel> {
        let latent = self.latent_shape(&kind.shape)?;
        let autoencoder = read(self, kind, device)?;
        let net = self.network.build(&latent, kind.class_names.len(), false, seed, device);
        Ok(LatentDitModel { flow: FlowModel::around(&self.flow(), net), autoencoder })
    }

    fn init_sampled(&self, kind: &ImageKind, device: &Device) -> Result<LatentNet> {
        let latent = self.latent_shape(&kind.shape)?;
        let autoencoder = ScaledKl::of(KlNet::new(self.known()?, kind.shape.channels, 0, device), 1.0, device);
        Ok(LatentNet { net: self.network.build(&latent, kind.class_names.len(), false, 0, device), autoencoder })
    }

    fn batches(&self, images: &Images, device: &Device) -> Result<MakeBatch<Batch>> {
        let kind = ImageKind::of(images);
        let autoencoder = read(self, &kind, device)?;
        let mut batches = Batches {
            shape: self.latent_shape(&kind.shape)?,
            straight: encoded(&autoencoder, images, false, device),
            flipped: (self.training.flip > 0.0).then(|| encoded(&autoencoder, images, true, device)),
            flip: self.training.flip,
            class_dropout: self.training.class_dropout,
            classes: images.classes().map(<[u32]>::to_vec),
            none: images.class_names().len() as i32,
            passes: Passes::new(images.count(), purpose::ORDER),
            device: device.clone(),
        };
        Ok(Box::new(move |step| batches.of(step)))
    }

    fn generate(fitted: &Fitted<Self>, settings: &Map<String, Value>, draws: &[ImageDraw], seed: u64) -> Result<Vec<f32>> {
        Ok(decoded(fitted, &sampler(fitted, settings)?.make(draws, seed), draws.len()))
    }

    const REBUILD: Option<fn(&Fitted<Self>, &Images, Option<&Images>, &ImageRequest) -> Result<Sample<Images>>> = Some(rebuild);
}

/// Image-to-image in the latent space.
fn rebuild(fitted: &Fitted<LatentDitConfig>, init: &Images, mask: Option<&Images>, request: &ImageRequest) -> Result<Sample<Images>> {
    let sampler = sampler(fitted, &request.settings)?;
    check_shape(&fitted.kind, init)?;
    if mask.is_some() {
        let what = "a pixel mask does not fit latent images; omit it, or use a pixel-space model";
        return Err(Error::Config(what.into()));
    }
    // Not even the autoencoder touches an image that is to stay as it is.
    if sampler.strength() == 0.0 {
        return rebuilt(&fitted.kind, init, request, |draws| {
            Ok(init.units_of(&draws.iter().map(|draw| draw.row as usize).collect::<Vec<_>>()))
        });
    }
    let pixels = encoded(&fitted.net.autoencoder, init, false, &fitted.device);
    let sampler = sampler.from_images(Start { pixels, mask: None, first_row: 0 });
    rebuilt(&fitted.kind, init, request, |draws| Ok(decoded(fitted, &sampler.make(draws, request.seed), draws.len())))
}

/// The autoencoder that the settings name, for images of this kind.
fn read(config: &LatentDitConfig, kind: &ImageKind, device: &Device) -> Result<ScaledKl> {
    let path = config.autoencoder.as_ref().ok_or_else(named)?;
    let (_, shape, autoencoder) = semblant_vae::read_autoencoder(path, device)?;
    if shape.channels != kind.shape.channels {
        let what =
            format!("is an autoencoder for images with {} channels, but these have {}; fit another", shape.channels, kind.shape.channels);
        return Err(Error::checkpoint(path, what));
    }
    Ok(autoencoder)
}

fn sampler<'a>(fitted: &'a Fitted<LatentDitConfig>, settings: &Map<String, Value>) -> Result<DiffusionSampler<'a>> {
    let Fitted { config, kind, net, device } = fitted;
    let sampling = overlaid(&config.sampling, settings)?;
    sampling.check()?;
    let (plan, latent) = (Plan::straight(sampling.steps, config.shift)?, config.latent_shape(&kind.shape)?);
    DiffusionSampler::new(&net.net, latent, kind.class_names.len(), Prediction::Velocity, plan, &sampling, device)
}

/// Latent images of unit variance, `[images, latent channels, height, width]` row-major, of the images or of their mirror images.
fn encoded(autoencoder: &ScaledKl, images: &Images, flipped: bool, device: &Device) -> Vec<f32> {
    let [count, channels, height, width] = images.shape();
    let mut out = Vec::new();
    for indices in (0..count).collect::<Vec<_>>().chunks(CHUNK) {
        let mut units = images.units_of(indices);
        if flipped {
            units.chunks_exact_mut(width).for_each(<[f32]>::reverse);
        }
        // Padded, so that a latent image does not depend on how many others are encoded with it.
        units.resize(CHUNK * channels * height * width, -1.0);
        let latents = autoencoder.latents(host::tensor(units, [CHUNK, channels, height, width], device));
        host::read(&latents, |values| out.extend_from_slice(&values[..values.len() / CHUNK * indices.len()]));
    }
    out
}

/// The pixels of `count` latent images.
fn decoded(fitted: &Fitted<LatentDitConfig>, latents: &[f32], count: usize) -> Vec<f32> {
    let one = latents.len() / count.max(1);
    let mut out = Vec::with_capacity(count * fitted.kind.shape.len());
    for part in latents.chunks((CHUNK * one).max(1)) {
        let ImageShape { channels, height, width } =
            fitted.config.known().map_or(fitted.kind.shape, |kl| kl.latent_shape(&fitted.kind.shape));
        let mut padded = part.to_vec();
        padded.resize(CHUNK * one, 0.0);
        let images = fitted.net.autoencoder.images(host::tensor(padded, [CHUNK, channels, height, width], &fitted.device));
        host::read(&images, |values| out.extend_from_slice(&values[..part.len() / one * fitted.kind.shape.len()]));
    }
    out
}

/// The latent images of a training run, a batch a step, each image once before any comes again.
struct Batches {
    shape: ImageShape,
    straight: Vec<f32>,
    /// Those of the mirrored images, if flipping is on.
    flipped: Option<Vec<f32>>,
    flip: f64,
    class_dropout: f64,
    classes: Option<Vec<u32>>,
    none: i32,
    passes: Passes,
    device: Device,
}

impl Batches {
    /// The batch of a step: a function of (seed, step) alone.
    fn of(&mut self, step: &Step) -> Batch {
        let indices = self.passes.batch(step);
        let places = step.places();
        let mut chances = vec![0.0; places.end];
        step.stream(purpose::AUGMENTATION).uniforms(step.index, &mut chances);
        let one = self.shape.len();
        let mut values = Vec::with_capacity(indices.len() * one);
        for (&index, chance) in indices.iter().zip(&chances[places.start..]) {
            let from = self.flipped.as_ref().filter(|_| f64::from(*chance) < self.flip).unwrap_or(&self.straight);
            values.extend_from_slice(&from[index * one..(index + 1) * one]);
        }
        let ImageShape { channels, height, width } = self.shape;
        let images = Tensor::from_inner(host::tensor(values, [indices.len(), channels, height, width], &self.device));
        let shown = |classes: &Vec<u32>| shown_classes(classes, self.none, &indices, self.class_dropout, step, &self.device);
        let class = self.classes.as_ref().map(shown).map(Tensor::from_inner);
        Batch { images, condition: Condition { class, augmentation: None } }
    }
}
