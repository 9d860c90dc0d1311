//! Images in, a trained network, images out: every process of this family as an [`ImageModel`].

use std::path::Path;

use burn::tensor::Device;
use semblant_core::Result;
use semblant_core::config::Config;
use semblant_core::model::{Model, Sampler};
use semblant_core::synthesizer::Sample;
use semblant_data::image::{ImageRequest, Images};
use semblant_images::{Fitted, ImageKind, ImageModel, check_shape, overlaid, rebuilt};
use serde_json::{Map, Value};

use crate::exchange::{Pipeline, SchedulerConfig, write_folder};
use crate::networks::{Net, NetConfig};
use crate::process::Prediction;
use crate::sampler::{DiffusionSampler, Start};
use crate::schedule::Plan;
use crate::solvers::Sampling;
use crate::training::{Batch, Training};

/// A process around any network, implemented by its configuration.
pub trait Process: Config {
    const NAME: &'static str;
    const SUMMARY: &'static str;
    /// See [`ImageModel::BF16`].
    const BF16: bool = true;
    type Model: Model<Batch = Batch, Sampled = Net>;

    /// See [`ImageModel::resolve`].
    fn resolve(self) -> Result<Self> {
        Ok(self)
    }
    fn parts(&self) -> (&NetConfig, &Training, &Sampling);
    /// The model around a network.
    fn around(&self, net: Net) -> Self::Model;
    /// What the network predicts.
    fn prediction(&self) -> Prediction;
    /// The levels that a solver of this many steps visits.
    fn plan(&self, steps: usize) -> Result<Plan>;
    /// What diffusers calls this process.
    fn scheduler(&self) -> Result<SchedulerConfig>;
    /// Weights to begin with, if not fresh ones; `net` is a fresh one for images of this kind.
    fn start(&self, _: &ImageKind, net: Net) -> Result<Net> {
        Ok(net)
    }

    /// Checks what is the same in the configuration of every model. What sampling would refuse is refused before the training, not after it.
    fn check_parts(&self) -> Result<()> {
        let (_, training, sampling) = self.parts();
        training.check()?;
        sampling.check()
    }

    /// Checks the sampling settings against the levels that are visited.
    fn check_levels_visited(&self) -> Result<()> {
        let (_, _, sampling) = self.parts();
        sampling.check_on(&self.plan(sampling.steps)?)
    }
}

/// Makes an image model of a [`Process`].
macro_rules! image_model {
    ($config:ty) => {
        impl semblant_images::ImageModel for $config {
            const NAME: &'static str = <Self as $crate::pipeline::Process>::NAME;
            const SUMMARY: &'static str = <Self as $crate::pipeline::Process>::SUMMARY;
            const BF16: bool = <Self as $crate::pipeline::Process>::BF16;
            type Model = <Self as $crate::pipeline::Process>::Model;

            fn resolve(self) -> semblant_core::Result<Self> {
                $crate::pipeline::Process::resolve(self)
            }

            fn single_device(&self) -> Option<&'static str> {
                None
            }

            fn train(&self) -> &semblant_core::train_config::TrainConfig {
                &$crate::pipeline::Process::parts(self).1.train
            }

            fn optimizers(&self) -> semblant_core::optim::Optimizers {
                semblant_core::optim::Optimizers::default().with("network", $crate::pipeline::Process::parts(self).1.train.optimizer)
            }

            fn init(
                &self,
                kind: &semblant_images::ImageKind,
                seed: u64,
                device: &burn::tensor::Device,
            ) -> semblant_core::Result<Self::Model> {
                use $crate::pipeline::Process;
                Ok(self.around(self.start(kind, $crate::pipeline::net(self, kind, seed, device)?)?))
            }

            fn init_sampled(
                &self,
                kind: &semblant_images::ImageKind,
                device: &burn::tensor::Device,
            ) -> semblant_core::Result<$crate::networks::Net> {
                $crate::pipeline::net(self, kind, 0, device)
            }

            fn batches(
                &self,
                images: &semblant_data::image::Images,
                device: &burn::tensor::Device,
            ) -> semblant_core::Result<semblant_images::MakeBatch<$crate::training::Batch>> {
                Ok($crate::training::batches(images, $crate::pipeline::Process::parts(self).1, device))
            }

            fn generate(
                fitted: &semblant_images::Fitted<Self>,
                settings: &serde_json::Map<String, serde_json::Value>,
                draws: &[semblant_images::ImageDraw],
                seed: u64,
            ) -> semblant_core::Result<Vec<f32>> {
                Ok(semblant_core::model::Sampler::make(&$crate::pipeline::sampler(fitted, settings)?, draws, seed))
            }

            const REBUILD: Option<$crate::pipeline::RebuildFn<Self>> = Some($crate::pipeline::rebuild);
            const DIFFUSERS: Option<$crate::pipeline::ExportFn<Self>> = Some($crate::pipeline::export);
        }
    };
}
pub(crate) use image_model;

pub(crate) type RebuildFn<C> = fn(&Fitted<C>, &Images, Option<&Images>, &ImageRequest) -> Result<Sample<Images>>;
pub(crate) type ExportFn<C> = fn(&Fitted<C>, &Path) -> Result<()>;

pub(crate) fn net(config: &impl Process, kind: &ImageKind, seed: u64, device: &Device) -> Result<Net> {
    let (network, training, _) = config.parts();
    network.check(&kind.shape)?;
    Ok(network.build(&kind.shape, kind.class_names.len(), training.augmentation > 0.0, seed, device))
}

type FittedNet<P> = Fitted<P>;

pub(crate) fn sampler<'a, P>(fitted: &'a FittedNet<P>, settings: &Map<String, Value>) -> Result<DiffusionSampler<'a>>
where
    P: Process + ImageModel<Model = <P as Process>::Model>,
{
    let sampling = overlaid(fitted.config.parts().2, settings)?;
    sampling.check()?;
    let plan = fitted.config.plan(sampling.steps)?;
    let classes = fitted.kind.class_names.len();
    DiffusionSampler::new(&fitted.net, fitted.kind.shape, classes, fitted.config.prediction(), plan, &sampling, &fitted.device)
}

/// Image-to-image and inpainting.
pub(crate) fn rebuild<P>(fitted: &Fitted<P>, init: &Images, mask: Option<&Images>, request: &ImageRequest) -> Result<Sample<Images>>
where
    P: Process + ImageModel<Model = <P as Process>::Model>,
{
    image_to_image(sampler(fitted, &request.settings)?, &fitted.kind, init, mask, request)
}

pub(crate) fn export<P>(fitted: &Fitted<P>, folder: &Path) -> Result<()>
where
    P: Process + ImageModel<Model = <P as Process>::Model>,
{
    let scheduler = Some(fitted.config.scheduler()?);
    write_folder(folder, &Pipeline { network: fitted.net.clone(), scheduler, class_names: fitted.kind.class_names.clone() })
}

/// Makes images from `init`: noised as far as the sampler's strength, and denoised from there. Where the mask is bright, pixels stay. At a
/// strength of 0 every pixel stays.
pub(crate) fn image_to_image(
    sampler: DiffusionSampler<'_>,
    kind: &ImageKind,
    init: &Images,
    mask: Option<&Images>,
    request: &ImageRequest,
) -> Result<Sample<Images>> {
    std::iter::once(init).chain(mask).try_for_each(|images| check_shape(kind, images))?;
    if mask.is_some_and(|mask| mask.count() != 1) {
        return Err(semblant_core::Error::Data("the mask must be one image, bright where pixels are kept".into()));
    }
    let every: Vec<usize> = (0..init.count()).collect();
    let mask = mask.map(|mask| mask.units_of(&[0]).into_iter().map(|unit| if unit > 0.0 { 1.0 } else { 0.0 }).collect());
    let sampler = sampler.from_images(Start { pixels: init.units_of(&every), mask, first_row: 0 });
    rebuilt(kind, init, request, |draws| Ok(sampler.make(draws, request.seed)))
}
