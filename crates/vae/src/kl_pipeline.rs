//! Images in, a trained autoencoder, images out: [`AutoencoderKlConfig`] as an [`ImageModel`].

use std::path::Path;

use burn::tensor::{Device, Tensor};
use semblant_core::checkpoint::Checkpoint;
use semblant_core::optim::Optimizers;
use semblant_core::synthesizer::{Run, Sample, Synthesizer};
use semblant_core::train_config::TrainConfig;
use semblant_core::{Error, Result, host};
use semblant_data::image::{ImageRequest, Images};
use semblant_images::{CHUNK, Fitted, ImageDraw, ImageKind, ImageModel, ImageShape, ImageSynthesizer, MakeBatch, latents, overlaid};
use serde_json::{Map, Value};

use crate::kl::KlConfig;
use crate::kl::folder::{self, Stored};
use crate::models::autoencoder_kl::{AutoencoderKlConfig, AutoencoderKlModel, AutoencoderKlSampling, ScaledKl};
use crate::rebuild::through_autoencoder;
use crate::training::{Batch, batches, without_classes};
use crate::vq_pipeline::pixels;

/// Images over which the spread of latent numbers is measured, at most.
const MEASURED_IMAGES: usize = 2000;

/// The autoencoder in a folder that diffusers wrote, as a model to rebuild images with and to save.
///
/// # Errors
/// As [`folder::read`].
pub fn open_folder(path: &Path, device: &Device) -> Result<Box<dyn Synthesizer<Images>>> {
    let Stored { config, shape, scaling_factor, net } = folder::read(path, device)?;
    Ok(Box::new(ImageSynthesizer::from_fitted(Fitted {
        config: AutoencoderKlConfig { network: config, ..AutoencoderKlConfig::default() },
        kind: ImageKind { shape, class_names: Vec::new(), class_counts: Vec::new() },
        net: ScaledKl::of(net, scaling_factor, device),
        device: device.clone(),
    })))
}

/// The autoencoder that `path` holds, a file of a fitted `autoencoder-kl` or a folder that diffusers wrote: the size of its network, the
/// images that it is for, and itself.
///
/// # Errors
/// A file or folder that is missing, damaged, or holds another model.
pub fn read_autoencoder(path: &Path, device: &Device) -> Result<(KlConfig, ImageShape, ScaledKl)> {
    if path.is_dir() {
        let Stored { config, shape, scaling_factor, net } = folder::read(path, device)?;
        return Ok((config, shape, ScaledKl::of(net, scaling_factor, device)));
    }
    let file = Checkpoint::read(path)?;
    if file.model() != AutoencoderKlConfig::NAME {
        let what = format!("contains a {} model, not an {}; fit one first", file.model(), AutoencoderKlConfig::NAME);
        return Err(Error::checkpoint(path, what));
    }
    let config: AutoencoderKlConfig = semblant_core::config::of_file(&file, path)?;
    let kind: ImageKind = file.metadata_as("images", path)?;
    let empty = || {
        semblant_core::config::Config::check(&config)?;
        kind.check()?;
        ScaledKl::new(&config, &kind, 0, device)
    };
    let empty = empty().map_err(|error| Error::checkpoint(path, error.to_string()))?;
    Ok((config.network.clone(), kind.shape, file.load_module("model", empty, path)?))
}

impl ImageModel for AutoencoderKlConfig {
    const NAME: &'static str = "autoencoder-kl";
    const SUMMARY: &'static str = "autoencoder of latent diffusion (Rombach et al. 2022), exchanged with diffusers' AutoencoderKL";
    type Model = AutoencoderKlModel;

    /// It ignores classes, and its images have none.
    fn kind(&self, images: &Images) -> ImageKind {
        ImageKind { class_names: Vec::new(), class_counts: Vec::new(), ..ImageKind::of(images) }
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

    fn init(&self, kind: &ImageKind, seed: u64, device: &Device) -> Result<AutoencoderKlModel> {
        Ok(AutoencoderKlModel { scaled: ScaledKl::new(self, kind, seed, device)?, config: self.clone() })
    }

    fn init_sampled(&self, kind: &ImageKind, device: &Device) -> Result<ScaledKl> {
        ScaledKl::new(self, kind, 0, device)
    }

    fn batches(&self, images: &Images, device: &Device) -> Result<MakeBatch<Batch>> {
        Ok(batches(without_classes(images)?, &self.training, device))
    }

    /// Measures what latent images are multiplied by to have unit variance.
    fn finish(&self, scaled: ScaledKl, images: &Images, run: &mut Run) -> Result<ScaledKl> {
        let (mut count, mut sum, mut squares) = (0.0f64, 0.0f64, 0.0f64);
        let all: Vec<usize> = (0..images.count().min(MEASURED_IMAGES)).collect();
        for indices in all.chunks(CHUNK) {
            let posterior = scaled.net.encode(pixels(images, indices, indices.len(), &run.device));
            // The variance of a draw is that of the means, and the mean of the variances.
            let spread = host::read(&posterior.log_variance.exp(), |values| values.iter().map(|&value| f64::from(value)).sum::<f64>());
            host::read(&posterior.mean, |values| {
                count += values.len() as f64;
                values.iter().for_each(|&value| sum += f64::from(value));
                squares += spread + values.iter().map(|&value| f64::from(value).powi(2)).sum::<f64>();
            });
        }
        let variance = squares / count - (sum / count).powi(2);
        let scaling_factor = 1.0 / variance.max(1e-12).sqrt();
        Ok(ScaledKl::of(scaled.net, scaling_factor, &run.device))
    }

    /// Images of latent numbers that are independent of one another, which those of real images are not: a diffusion model of them knows more.
    fn generate(fitted: &Fitted<Self>, settings: &Map<String, Value>, draws: &[ImageDraw], seed: u64) -> Result<Vec<f32>> {
        let sampling = sampling(fitted, settings)?;
        let latent = fitted.config.network.latent_shape(&fitted.kind.shape);
        let mut out = Vec::with_capacity(draws.len() * fitted.kind.shape.len());
        for draws in draws.chunks(CHUNK) {
            let z = latents(draws, CHUNK, latent.len(), seed);
            let z = host::tensor(z, [CHUNK, latent.channels, latent.height, latent.width], &fitted.device) * sampling.temperature;
            add(fitted, fitted.net.images(z), draws.len(), &mut out);
        }
        Ok(out)
    }

    const REBUILD: Option<fn(&Fitted<Self>, &Images, Option<&Images>, &ImageRequest) -> Result<Sample<Images>>> = Some(rebuild);
    const DIFFUSERS: Option<fn(&Fitted<Self>, &Path) -> Result<()>> = Some(export);
}

/// Reconstructions: images encoded to the means of their posteriors and decoded.
fn rebuild(fitted: &Fitted<AutoencoderKlConfig>, init: &Images, mask: Option<&Images>, request: &ImageRequest) -> Result<Sample<Images>> {
    sampling(fitted, &request.settings)?;
    through_autoencoder(&fitted.kind, init, mask, request, |draws, out| {
        let indices: Vec<usize> = draws.iter().map(|draw| draw.row as usize).collect();
        let posterior = fitted.net.net.encode(pixels(init, &indices, CHUNK, &fitted.device));
        add(fitted, fitted.net.net.decode(posterior.mean), draws.len(), out);
    })
}

fn export(fitted: &Fitted<AutoencoderKlConfig>, path: &Path) -> Result<()> {
    let Fitted { config, kind, net, .. } = fitted;
    let stored = Stored { config: config.network.clone(), shape: kind.shape, scaling_factor: net.scaling_factor(), net: net.net.clone() };
    folder::write(path, &stored)
}

fn sampling(fitted: &Fitted<AutoencoderKlConfig>, settings: &Map<String, Value>) -> Result<AutoencoderKlSampling> {
    let sampling: AutoencoderKlSampling = overlaid(&fitted.config.sampling, settings)?;
    sampling.check()?;
    Ok(sampling)
}

fn add(fitted: &Fitted<AutoencoderKlConfig>, images: Tensor<4>, count: usize, out: &mut Vec<f32>) {
    host::read(&images, |values| out.extend_from_slice(&values[..count * fitted.kind.shape.len()]));
}
