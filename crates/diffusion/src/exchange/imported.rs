//! A folder of diffusers as a model to sample from.

use std::path::Path;

use burn::tensor::Device;
use semblant_core::model::Sampler;
use semblant_core::synthesizer::{Export, Rebuild, Run, Sample, Summary, Synthesizer};
use semblant_core::{Error, Result};
use semblant_data::image::{ImageRequest, Images};
use semblant_images::{ImageKind, ImageShape, overlaid, sampled};

use super::{Pipeline, SchedulerClass, SchedulerConfig, read_folder, write_folder};
use crate::networks::Net;
use crate::pipeline;
use crate::sampler::DiffusionSampler;
use crate::solvers::Sampling;

struct Imported {
    pipeline: Pipeline,
    scheduler: SchedulerConfig,
    kind: ImageKind,
    sampling: Sampling,
    device: Device,
}

/// The model in a folder of diffusers: it samples with its own scheduler's levels and, unless a request has another solver, as its
/// scheduler would. It cannot be fitted, and is written as the folder that it is.
///
/// # Errors
/// As [`read_folder`], and a folder without a scheduler.
pub fn open_folder(path: &Path, device: &Device) -> Result<Box<dyn Synthesizer<Images>>> {
    let pipeline = read_folder(path, device)?;
    let Some(scheduler) = pipeline.scheduler.clone() else {
        return Err(Error::checkpoint(path, "holds a network without a scheduler; add scheduler/scheduler_config.json"));
    };
    let (shape, classes) = match &pipeline.network {
        Net::Dit(net) => (net.shape, net.embedders[0].classes.lazy_shape()[0] - 1),
        Net::Unet(net) => (*net.shape(), net.classes()),
        Net::Mlp(_) => return Err(Error::checkpoint(path, "holds a network that diffusers does not have")),
    };
    let named = pipeline.class_names.len() == classes;
    let class_names = if named { pipeline.class_names.clone() } else { (0..classes).map(|class| class.to_string()).collect() };
    let kind = ImageKind { shape, class_counts: vec![1; class_names.len()], class_names };
    kind.check().map_err(|error| Error::checkpoint(path, error.to_string()))?;
    let steps = if scheduler.class == SchedulerClass::EdmEuler { 18 } else { 50 };
    let solver = scheduler.solver().to_owned();
    let sampling = Sampling { steps, solver, clip: scheduler.clip().unwrap_or(0.0), ..Sampling::default() };
    Ok(Box::new(Imported { pipeline, scheduler, kind, sampling, device: device.clone() }))
}

impl Imported {
    fn sampler(&self, request: &ImageRequest) -> Result<DiffusionSampler<'_>> {
        let sampling = overlaid(&self.sampling, &request.settings)?;
        sampling.check()?;
        let ImageShape { channels, .. } = self.kind.shape;
        if channels != 1 && channels != 3 {
            let what = format!("the network generates latent images with {channels} channels; decoding them needs their autoencoder");
            return Err(Error::Config(what));
        }
        let plan = self.scheduler.plan(sampling.steps)?;
        let classes = self.kind.class_names.len();
        DiffusionSampler::new(&self.pipeline.network, self.kind.shape, classes, self.scheduler.prediction(), plan, &sampling, &self.device)
    }
}

impl Synthesizer<Images> for Imported {
    fn fit(&mut self, _: &Images, _: &mut Run) -> Result<Summary> {
        Err(Error::Config("a diffusers folder can be sampled, not fitted".into()))
    }

    fn sample(&self, request: &ImageRequest) -> Result<Sample<Images>> {
        let sampler = self.sampler(request)?;
        sampled(&self.kind, request, |draws| Ok(sampler.make(draws, request.seed)))
    }

    fn save(&self, path: &Path) -> Result<()> {
        Err(Error::checkpoint(path, "a diffusers model stays in its folder; export it"))
    }

    fn rebuild(&self) -> Option<&dyn Rebuild<Images>> {
        Some(self)
    }

    fn export(&self) -> Option<&dyn Export> {
        Some(self)
    }
}

impl Rebuild<Images> for Imported {
    fn rebuild(&self, init: &Images, mask: Option<&Images>, request: &ImageRequest) -> Result<Sample<Images>> {
        pipeline::image_to_image(self.sampler(request)?, &self.kind, init, mask, request)
    }
}

impl Export for Imported {
    fn formats(&self) -> &'static [&'static str] {
        &["diffusers"]
    }

    fn export(&self, _: &str, folder: &Path) -> Result<()> {
        write_folder(folder, &self.pipeline)
    }
}
