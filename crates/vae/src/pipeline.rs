//! Images in, a trained autoencoder, images out: [`VaeConfig`] as an [`ImageModel`].

use burn::tensor::{Int, Tensor, TensorData};
use semblant_core::optim::Optimizers;
use semblant_core::progress::Event;
use semblant_core::synthesizer::{Run, Sample};
use semblant_core::train_config::TrainConfig;
use semblant_core::{Error, Result, host};
use semblant_data::image::{ImageRequest, Images};
use semblant_images::{CHUNK, Fitted, ImageDraw, ImageKind, ImageModel, MakeBatch, check_shape, latents, overlaid};
use serde_json::{Map, Value};

use crate::bound::active_units;
use crate::estimate;
use crate::mixture::{Fit, HostMixture};
use crate::models::vae::{Classes, Prior, VaeConfig, VaeModel, VaeNet, VaeSampling};
use crate::rebuild::through_autoencoder;
use crate::training::{Batch, batches, purpose, without_classes};

/// Images that the mixture is fitted to, at most: more would not move it.
const MIXTURE_IMAGES: usize = 20_000;

impl ImageModel for VaeConfig {
    const NAME: &'static str = "vae";
    const SUMMARY: &'static str = "variational autoencoder (Kingma and Welling 2014), IWAE bound (Burda et al. 2016) on request";
    type Model = VaeModel;

    fn kind(&self, images: &Images) -> ImageKind {
        let kind = ImageKind::of(images);
        match self.classes {
            Classes::Used => kind,
            Classes::Ignored => ImageKind { class_names: Vec::new(), class_counts: Vec::new(), ..kind },
        }
    }

    fn single_device(&self) -> Option<&'static str> {
        (self.free_bits > 0.0).then_some("free_bits apply to the mean of the whole batch")
    }

    fn train(&self) -> &TrainConfig {
        &self.training.train
    }

    fn optimizers(&self) -> Optimizers {
        Optimizers::default().with("network", self.training.train.optimizer)
    }

    fn init(&self, kind: &ImageKind, seed: u64, device: &burn::tensor::Device) -> Result<VaeModel> {
        Ok(VaeModel { net: VaeNet::new(self, kind, seed, device)?, config: self.clone() })
    }

    fn init_sampled(&self, kind: &ImageKind, device: &burn::tensor::Device) -> Result<VaeNet> {
        VaeNet::new(self, kind, 0, device)
    }

    fn batches(&self, images: &Images, device: &burn::tensor::Device) -> Result<MakeBatch<Batch>> {
        let images = match self.classes {
            Classes::Used => images.clone(),
            Classes::Ignored => without_classes(images)?,
        };
        Ok(batches(images, &self.training, device))
    }

    /// Fits the mixture, and warns when latent dimensions are empty.
    fn finish(&self, net: VaeNet, images: &Images, run: &mut Run) -> Result<VaeNet> {
        let kind = self.kind(images);
        let chosen = purpose::LATENT_ORDER.of(run.seed).permutation(0, images.count());
        let chosen = images.select(&chosen[..chosen.len().min(MIXTURE_IMAGES)]);
        let (means, vectors) = posterior_draws(self, &net, &kind, &chosen, run);
        let active = host::scalar(active_units(host::tensor(means, [chosen.count(), self.latent_width], &run.device)));
        if let Some(warning) = collapse(active as usize, self.latent_width, chosen.count()) {
            run.observer.event(Event::Note(&warning));
        }
        run.observer.event(Event::Stage("fitting a mixture to the latent vectors"));
        let fit = Fit::new(&vectors, self.latent_width, self.mixture_components, purpose::MIXTURE_START.of(run.seed));
        Ok(net.with_mixture(&fit))
    }

    fn generate(fitted: &Fitted<Self>, settings: &Map<String, Value>, draws: &[ImageDraw], seed: u64) -> Result<Vec<f32>> {
        let sampling: VaeSampling = overlaid(&fitted.config.sampling, settings)?;
        sampling.check()?;
        let mixture = (sampling.prior == Prior::Mixture).then(|| fitted.net.mixture.on_host());
        let width = fitted.config.latent_width;
        let mut pixels = Vec::with_capacity(draws.len() * fitted.kind.shape.len());
        for draws in draws.chunks(CHUNK) {
            let mut z = latents(draws, CHUNK, width, seed);
            z.iter_mut().for_each(|z| *z *= sampling.temperature as f32);
            if let Some(mixture) = &mixture {
                draws.iter().zip(z.chunks_exact_mut(width)).for_each(|(draw, z)| placed(mixture, draw, seed, z));
            }
            decoded(fitted, z, draws, &mut pixels);
        }
        Ok(pixels)
    }

    const REBUILD: Option<fn(&Fitted<Self>, &Images, Option<&Images>, &ImageRequest) -> Result<Sample<Images>>> = Some(rebuild);
    const LIKELIHOOD: Option<fn(&Fitted<Self>, &Images, usize, u64) -> Result<Vec<f64>>> = Some(negative_log_likelihoods);
}

/// Reconstructions: images encoded to the mean of their posterior and decoded. Where the request names another class, an image is encoded
/// under its own and decoded under that.
fn rebuild(fitted: &Fitted<VaeConfig>, init: &Images, mask: Option<&Images>, request: &ImageRequest) -> Result<Sample<Images>> {
    let sampling: VaeSampling = overlaid(&fitted.config.sampling, &request.settings)?;
    sampling.check()?;
    through_autoencoder(&fitted.kind, init, mask, request, |draws, pixels| {
        let first = draws[0].row as usize;
        let mut z = encoded(fitted, init, first..first + draws.len());
        z.resize(CHUNK * fitted.config.latent_width, 0.0);
        decoded(fitted, z, draws, pixels);
    })
}

fn negative_log_likelihoods(fitted: &Fitted<VaeConfig>, data: &Images, samples: usize, seed: u64) -> Result<Vec<f64>> {
    check_shape(&fitted.kind, data)?;
    if samples == 0 {
        return Err(Error::Config("samples = 0 gives no estimate; use at least 1".into()));
    }
    let class = |image: usize| own_class(&fitted.kind, data, image);
    let Fitted { config, net, device, .. } = fitted;
    Ok(estimate::negative_log_likelihoods(net, &config.likelihood, data, &class, (samples, seed), device))
}

/// The class under which an image is encoded: its own, or the one after the last if the model does not know it.
fn own_class(kind: &ImageKind, data: &Images, image: usize) -> u32 {
    let known = data.class_names() == kind.class_names;
    data.class_of(image).filter(|_| known).unwrap_or(kind.class_names.len() as u32)
}

fn class_tensor(classes: Vec<i32>, device: &burn::tensor::Device) -> Tensor<1, Int> {
    let count = classes.len();
    Tensor::from_data(TensorData::new(classes, [count]), device)
}

/// Means of posteriors of images in a range, in chunks of a fixed size, `[images, latent]`.
fn encoded(fitted: &Fitted<VaeConfig>, data: &Images, range: std::ops::Range<usize>) -> Vec<f32> {
    let Fitted { config, kind, net, device } = fitted;
    let indices: Vec<usize> = range.clone().collect();
    let first = range.start as u64;
    let mut targets = config.likelihood.targets(data.units_of(&indices), kind.shape.len(), purpose::REBUILT_BINARY.of(0), first, false);
    targets.resize(CHUNK * kind.shape.len(), 0.0);
    let mut classes: Vec<i32> = range.map(|image| own_class(kind, data, image) as i32).collect();
    classes.resize(CHUNK, kind.class_names.len() as i32);
    let targets = host::tensor(targets, [CHUNK, kind.shape.len()], device);
    let posterior = net.encode(targets, Some(class_tensor(classes, device)), &config.likelihood);
    host::read(&posterior.mean, |mean| mean[..indices.len() * config.latent_width].to_vec())
}

/// Adds the pixels of `z [CHUNK, latent]` of the draws.
fn decoded(fitted: &Fitted<VaeConfig>, z: Vec<f32>, draws: &[ImageDraw], pixels: &mut Vec<f32>) {
    let none = fitted.kind.class_names.len() as i32;
    let mut classes: Vec<i32> = draws.iter().map(|draw| draw.class.map_or(none, |class| class as i32)).collect();
    classes.resize(CHUNK, none);
    let z = host::tensor(z, [CHUNK, fitted.config.latent_width], &fitted.device);
    let outputs = fitted.net.decode(z, Some(class_tensor(classes, &fitted.device)));
    let means = fitted.config.likelihood.mean(outputs);
    host::read(&means, |values| pixels.extend_from_slice(&values[..draws.len() * fitted.kind.shape.len()]));
}

/// Puts standard normal numbers where a draw's component of the mixture lies, or between the components of both of its ends.
fn placed(mixture: &HostMixture, draw: &ImageDraw, seed: u64, z: &mut [f32]) {
    let stream = purpose::COMPONENT.of(seed);
    let (means, deviations) = mixture.component(stream.uniform_f64(draw.row, 0));
    let (other, share) = draw.towards.unwrap_or((draw.row, 0.0));
    let (far_means, far_deviations) = mixture.component(stream.uniform_f64(other, 0));
    let (near, far) = ((1.0 - share) as f32, share as f32);
    for (column, z) in z.iter_mut().enumerate() {
        let deviation = near * deviations[column] + far * far_deviations[column];
        *z = near * means[column] + far * far_means[column] + deviation * *z;
    }
}

/// Means of the posteriors of images, and a draw from each: both `[images, latent]`.
fn posterior_draws(config: &VaeConfig, net: &VaeNet, kind: &ImageKind, images: &Images, run: &Run) -> (Vec<f32>, Vec<f32>) {
    const AT_ONCE: usize = 256;
    let (width, latent) = (kind.shape.len(), config.latent_width);
    let (mut means, mut vectors) = (Vec::new(), Vec::new());
    let all: Vec<usize> = (0..images.count()).collect();
    for indices in all.chunks(AT_ONCE) {
        let first = indices[0] as u64;
        let targets = config.likelihood.targets(images.units_of(indices), width, purpose::REBUILT_BINARY.of(run.seed), first, false);
        let classes = indices.iter().map(|&image| own_class(kind, images, image) as i32).collect();
        let targets = host::tensor(targets, [indices.len(), width], &run.device);
        let posterior = net.encode(targets, Some(class_tensor(classes, &run.device)), &config.likelihood);
        let noise = purpose::LATENT_NOISE.of(run.seed).normals_on(first..first + indices.len() as u64, latent, &run.device);
        host::read(&posterior.mean, |values| means.extend_from_slice(values));
        let draws = posterior.sample(noise.reshape([indices.len(), 1, latent]));
        host::read(&draws, |values| vectors.extend_from_slice(values));
    }
    (means, vectors)
}

/// The warning when few latent dimensions carry information. One image, or equal images, show nothing.
fn collapse(active: usize, latent: usize, images: usize) -> Option<String> {
    if images < 2 || active * 10 > latent {
        return None;
    }
    Some(format!(
        "warning: posterior collapse: {active} of {latent} latent dimensions carry information, the decoder ignores the others; \
         choose a smaller beta, a beta_warm_up of 0.2, free_bits of 0.1, or fewer latent dimensions"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_collapsed_posterior_is_told_with_a_remedy() {
        let said = collapse(0, 32, 100).expect("nothing is left");
        assert!(said.contains("0 of 32") && said.contains("beta") && said.contains("free_bits"), "{said}");
        assert_eq!(collapse(12, 32, 100), None);
        assert_eq!(collapse(0, 32, 1), None, "one image cannot vary");
    }
}
