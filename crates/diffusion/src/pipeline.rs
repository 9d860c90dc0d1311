//! Images in, a trained network, images out: every process of this family as a [`Family`].

use std::marker::PhantomData;
use std::path::Path;

use burn::tensor::Device;
use semblant_core::Result;
use semblant_core::model::{Model, Sampler, Step};
use semblant_core::optim::Optimizers;
use semblant_core::synthesizer::{Sample, SampleRequest};
use semblant_data::image::Images;
use semblant_images::{Family, Fitted, ImageDraw, ImageKind, Pace, matching, overlaid, remade};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::exchange::{Pipeline, SchedulerConfig, write_folder};
use crate::models::{Batch, Training, batches};
use crate::networks::{Net, NetConfig};
use crate::process::Prediction;
use crate::sampler::{DiffusionSampler, Start};
use crate::schedule::Plan;
use crate::solvers::Sampling;

/// What tells one model of this family from another: a process, around any network.
pub(crate) trait Process: Model<Batch = Batch, Sampled = Net> + 'static {
    const NAME: &'static str;
    const SUMMARY: &'static str;
    /// See [`Family::BF16`].
    const BF16: bool = true;
    type Config: Serialize + DeserializeOwned + Default + Clone + Send + Sync;

    /// Every range, except what depends on the images.
    fn check(config: &Self::Config) -> Result<()>;
    /// The settings with what they refer to; called before a fit.
    fn resolve(config: Self::Config) -> Result<Self::Config> {
        Ok(config)
    }
    fn parts(config: &Self::Config) -> (&NetConfig, &Training, &Sampling);
    /// The model around a fresh network.
    fn new(config: &Self::Config, net: Net) -> Self;
    /// What the network predicts.
    fn prediction(config: &Self::Config) -> Prediction;
    /// The levels that a solver of this many steps visits.
    fn plan(config: &Self::Config, steps: usize) -> Result<Plan>;
    /// What diffusers calls this process.
    fn scheduler(config: &Self::Config) -> Result<SchedulerConfig>;
    /// Weights to begin with, if not fresh ones; `net` is a fresh one for images of this kind.
    fn start(_: &Self::Config, _: &ImageKind, net: Net) -> Result<Net> {
        Ok(net)
    }
}

/// A process as a family of models of images.
pub(crate) struct Diffused<P>(PhantomData<P>);

impl<P: Process + Sync> Family for Diffused<P> {
    const NAME: &'static str = P::NAME;
    const SUMMARY: &'static str = P::SUMMARY;
    const BF16: bool = P::BF16;
    type Config = P::Config;
    type Model = P;

    fn check(config: &P::Config) -> Result<()> {
        P::check(config)?;
        // What sampling would refuse is refused before the training, not after it.
        let (_, _, sampling) = P::parts(config);
        sampling.check_on(&P::plan(config, sampling.steps)?)
    }

    fn resolve(config: P::Config) -> Result<P::Config> {
        P::resolve(config)
    }

    fn alone(_: &P::Config) -> Option<&'static str> {
        None
    }

    fn pace(config: &P::Config) -> Pace {
        P::parts(config).1.pace()
    }

    fn optimizers(config: &P::Config) -> Optimizers {
        Optimizers::default().with("network", P::parts(config).1.optimizer)
    }

    fn model(config: &P::Config, kind: &ImageKind, seed: u64, device: &Device) -> Result<P> {
        Ok(P::new(config, P::start(config, kind, net::<P>(config, kind, seed, device)?)?))
    }

    fn empty(config: &P::Config, kind: &ImageKind, device: &Device) -> Result<Net> {
        net::<P>(config, kind, 0, device)
    }

    fn batches(config: &P::Config, images: &Images, device: &Device) -> Result<Box<dyn FnMut(&Step) -> Batch>> {
        Ok(batches(images, P::parts(config).1, device))
    }

    fn make(fitted: &Fitted<Self>, asked: &Value, draws: &[ImageDraw], seed: u64) -> Result<Vec<f32>> {
        Ok(sampler(fitted, asked)?.make(draws, seed))
    }

    fn remake(fitted: &Fitted<Self>, data: &Images, keep: Option<&Images>, request: &SampleRequest) -> Result<Sample<Images>> {
        remake(sampler(fitted, &request.settings)?, &fitted.kind, data, keep, request)
    }

    fn export(fitted: &Fitted<Self>, folder: &Path) -> Result<()> {
        let scheduler = Some(P::scheduler(&fitted.config)?);
        write_folder(folder, &Pipeline { network: fitted.net.clone(), scheduler, class_names: fitted.kind.class_names.clone() })
    }
}

fn net<P: Process>(config: &P::Config, kind: &ImageKind, seed: u64, device: &Device) -> Result<Net> {
    let (network, training, _) = P::parts(config);
    network.check(&kind.shape)?;
    Ok(network.build(&kind.shape, kind.class_names.len(), training.augmentation > 0.0, seed, device))
}

fn sampler<'a, P: Process + Sync>(fitted: &'a Fitted<Diffused<P>>, asked: &Value) -> Result<DiffusionSampler<'a>> {
    let sampling = overlaid(P::parts(&fitted.config).2, asked)?;
    sampling.check()?;
    let plan = P::plan(&fitted.config, sampling.steps)?;
    let classes = fitted.kind.class_names.len();
    DiffusionSampler::new(&fitted.net, fitted.kind.shape, classes, P::prediction(&fitted.config), plan, &sampling, &fitted.device)
}

/// Makes images out of `data`.
pub(crate) fn remake(
    sampler: DiffusionSampler<'_>,
    kind: &ImageKind,
    data: &Images,
    keep: Option<&Images>,
    request: &SampleRequest,
) -> Result<Sample<Images>> {
    std::iter::once(data).chain(keep).try_for_each(|images| matching(kind, images))?;
    if keep.is_some_and(|keep| keep.count() != 1) {
        return Err(semblant_core::Error::Data("what is to be kept must be one image, bright where it stays".into()));
    }
    let every: Vec<usize> = (0..data.count()).collect();
    let keep = keep.map(|keep| keep.units_of(&[0]).into_iter().map(|unit| if unit > 0.0 { 1.0 } else { 0.0 }).collect());
    let sampler = sampler.from_images(Start { pixels: data.units_of(&every), keep, first_row: 0 });
    remade(kind, data, request, |draws| Ok(sampler.make(draws, request.seed)))
}
