//! Images in, a codebook and a prior of its codes, images out: [`VqVaeConfig`] as an [`ImageModel`].

use burn::tensor::{Device, Int, Tensor, TensorData};
use semblant_core::nn::Usage;
use semblant_core::optim::Optimizers;
use semblant_core::progress::Event;
use semblant_core::synthesizer::{Run, Sample};
use semblant_core::train_config::TrainConfig;
use semblant_core::{Result, host, normal};
use semblant_data::image::{ImageRequest, Images};
use semblant_images::{CHUNK, Fitted, ImageDraw, ImageKind, ImageModel, ImageShape, MakeBatch, latents, overlaid};
use serde_json::{Map, Value};

use crate::models::vq_vae::{VqVaeConfig, VqVaeModel, VqVaeNet, VqVaeSampling};
use crate::rebuild::through_autoencoder;
use crate::training::{Batch, batches};

/// Images over which the use of the codebook is counted, at most.
const COUNTED_IMAGES: usize = 10_000;

impl ImageModel for VqVaeConfig {
    const NAME: &'static str = "vq-vae";
    const SUMMARY: &'static str = "vector-quantised autoencoder with a transformer over its codes (van den Oord et al. 2017)";
    type Model = VqVaeModel;

    fn single_device(&self) -> Option<&'static str> {
        Some("its codebook is updated from the whole batch")
    }

    fn train(&self) -> &TrainConfig {
        &self.training.train
    }

    fn optimizers(&self) -> Optimizers {
        Optimizers::default().with("autoencoder", self.training.train.optimizer).with("prior", self.training.train.optimizer)
    }

    fn init(&self, kind: &ImageKind, seed: u64, device: &Device) -> Result<VqVaeModel> {
        let usage = Usage::new(self.codes, self.code_width, device);
        Ok(VqVaeModel { net: VqVaeNet::new(self, kind, seed, device)?, usage, config: self.clone() })
    }

    fn init_sampled(&self, kind: &ImageKind, device: &Device) -> Result<VqVaeNet> {
        VqVaeNet::new(self, kind, 0, device)
    }

    fn batches(&self, images: &Images, device: &Device) -> Result<MakeBatch<Batch>> {
        Ok(batches(images.clone(), &self.training, device))
    }

    /// Tells how much of the codebook is used.
    fn finish(&self, net: VqVaeNet, images: &Images, run: &mut Run) -> Result<VqVaeNet> {
        let mut counts = vec![0u64; self.codes];
        let all: Vec<usize> = (0..images.count().min(COUNTED_IMAGES)).collect();
        for indices in all.chunks(64) {
            whole(net.codes(pixels(images, indices, indices.len(), &run.device))).iter().for_each(|&code| counts[code as usize] += 1);
        }
        let said = usage(&counts);
        run.observer.event(Event::Note(&said));
        Ok(net)
    }

    fn generate(fitted: &Fitted<Self>, settings: &Map<String, Value>, draws: &[ImageDraw], seed: u64) -> Result<Vec<f32>> {
        let sampling = sampling(fitted, settings)?;
        let (net, none) = (&fitted.net, fitted.kind.class_names.len() as i32);
        let mut out = Vec::with_capacity(draws.len() * fitted.kind.shape.len());
        for draws in draws.chunks(CHUNK) {
            // Normal numbers become even ones, so that the way between two images is one between their codes.
            let chances: Vec<f64> =
                latents(draws, CHUNK, net.places(), seed).into_iter().map(|latent| normal::cdf(f64::from(latent))).collect();
            let mut classes: Vec<i32> = draws.iter().map(|draw| draw.class.map_or(none, |class| class as i32)).collect();
            classes.resize(CHUNK, none);
            let classes = Tensor::<1, Int>::from_data(TensorData::new(classes, [CHUNK]), &fitted.device);
            let codes = net.prior.draw(&chances, net.prior.of_classes(classes), sampling.temperature);
            let count = codes.len();
            let codes = Tensor::<1, Int>::from_data(TensorData::new(codes, [count]), &fitted.device);
            host::read(&net.decode(codes), |values| out.extend_from_slice(&values[..draws.len() * fitted.kind.shape.len()]));
        }
        Ok(out)
    }

    const REBUILD: Option<fn(&Fitted<Self>, &Images, Option<&Images>, &ImageRequest) -> Result<Sample<Images>>> = Some(rebuild);
}

/// Reconstructions: images encoded to codes and decoded.
fn rebuild(fitted: &Fitted<VqVaeConfig>, init: &Images, mask: Option<&Images>, request: &ImageRequest) -> Result<Sample<Images>> {
    sampling(fitted, &request.settings)?;
    through_autoencoder(&fitted.kind, init, mask, request, |draws, out| {
        let indices: Vec<usize> = draws.iter().map(|draw| draw.row as usize).collect();
        let images = pixels(init, &indices, CHUNK, &fitted.device);
        let made = fitted.net.decode(fitted.net.codes(images));
        host::read(&made, |values| out.extend_from_slice(&values[..draws.len() * fitted.kind.shape.len()]));
    })
}

fn sampling(fitted: &Fitted<VqVaeConfig>, settings: &Map<String, Value>) -> Result<VqVaeSampling> {
    let sampling: VqVaeSampling = overlaid(&fitted.config.sampling, settings)?;
    sampling.check()?;
    Ok(sampling)
}

/// Images as `[rows, channels, height, width]` in -1 to 1, black ones after the last.
pub(crate) fn pixels(images: &Images, indices: &[usize], rows: usize, device: &Device) -> Tensor<4> {
    let ImageShape { channels, height, width } = ImageKind::of(images).shape;
    let mut units = images.units_of(indices);
    units.resize(rows * channels * height * width, -1.0);
    host::tensor(units, [rows, channels, height, width], device)
}

fn whole(codes: Tensor<1, Int>) -> Vec<i64> {
    host::integers(codes)
}

/// What is said of the codebook's use, with a warning and a remedy where much of it lies idle.
fn usage(counts: &[u64]) -> String {
    let total = counts.iter().sum::<u64>().max(1) as f64;
    let used = counts.iter().filter(|&&count| count > 0).count();
    let entropy: f64 = counts.iter().filter(|&&count| count > 0).map(|&count| count as f64 / total).map(|share| -share * share.ln()).sum();
    let said = format!(
        "codebook: {used} of {} codes are used ({:.0} %), perplexity {:.1}",
        counts.len(),
        100.0 * used as f64 / counts.len() as f64,
        entropy.exp()
    );
    if used * 2 >= counts.len() {
        return said;
    }
    format!("{said}; warning: the codebook has collapsed: choose fewer codes, a smaller code_width, or a larger revive_below")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_use_of_a_codebook_is_told_and_a_collapse_named() {
        let even = usage(&[5, 5, 5, 5]);
        assert!(even.contains("4 of 4 codes") && even.contains("perplexity 4.0") && !even.contains("warning"), "{even}");
        assert!(usage(&[9, 0, 0]).contains("revive_below"));
    }
}
