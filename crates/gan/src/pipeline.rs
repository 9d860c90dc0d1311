//! Images in, a trained generator, images out: every GAN of this family as a [`Family`].

use std::marker::PhantomData;

use burn::tensor::Device;
use semblant_core::Result;
use semblant_core::model::{Model, Step};
use semblant_core::optim::Optimizers;
use semblant_core::synthesizer::Run;
use semblant_data::image::Images;
use semblant_images::{Family, Fitted, ImageDraw, ImageKind, Pace};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::networks::{Generator, NetConfig};
use crate::piecewise::PiecewiseCritic;
use crate::trainer::{Batch, GanTrainer, Sampling, Training, batches, make, warn_of_collapse};

/// What tells one model of this family from another: its networks, around the same gan.
pub(crate) trait GanModel: Model<Batch = Batch, Sampled = Generator> + Sync + 'static {
    const NAME: &'static str;
    const SUMMARY: &'static str;
    type Config: Serialize + DeserializeOwned + Default + Clone + Send + Sync;

    /// The ranges of what is this model's own.
    fn check(_: &Self::Config) -> Result<()> {
        Ok(())
    }
    fn parts(config: &Self::Config) -> (&NetConfig, &Training, &Sampling);
    fn generator(config: &NetConfig, kind: &ImageKind, seed: u64, device: &Device) -> Result<Generator>;
    fn critic(config: &NetConfig, kind: &ImageKind, seed: u64, device: &Device) -> Result<PiecewiseCritic>;
    fn new(config: &Self::Config, gan: GanTrainer) -> Self;
}

/// A GAN as a family of models of images.
pub(crate) struct GanFamily<A>(PhantomData<A>);

impl<A: GanModel> Family for GanFamily<A> {
    const NAME: &'static str = A::NAME;
    const SUMMARY: &'static str = A::SUMMARY;
    type Config = A::Config;
    type Model = A;

    fn check(config: &A::Config) -> Result<()> {
        let (network, training, sampling) = A::parts(config);
        network.check()?;
        sampling.check()?;
        A::check(config)?;
        training.check()
    }

    fn alone(_: &A::Config) -> Option<&'static str> {
        Some("its augmentation and its penalty follow what one critic sees of the whole batch")
    }

    fn pace(config: &A::Config) -> Pace {
        A::parts(config).1.pace()
    }

    fn optimizers(config: &A::Config) -> Optimizers {
        A::parts(config).1.optimizers()
    }

    fn model(config: &A::Config, kind: &ImageKind, seed: u64, device: &Device) -> Result<A> {
        let (network, training, _) = A::parts(config);
        let generator = A::generator(network, kind, seed, device)?;
        Ok(A::new(config, GanTrainer::new(generator, A::critic(network, kind, seed, device)?, training, device)))
    }

    fn empty(config: &A::Config, kind: &ImageKind, device: &Device) -> Result<Generator> {
        A::generator(A::parts(config).0, kind, 0, device)
    }

    fn batches(_: &A::Config, images: &Images, device: &Device) -> Result<Box<dyn FnMut(&Step) -> Batch>> {
        Ok(batches(images, device))
    }

    fn finish(_: &A::Config, generator: Generator, images: &Images, run: &mut Run) -> Result<Generator> {
        warn_of_collapse(&generator, images, run);
        Ok(generator)
    }

    fn make(fitted: &Fitted<Self>, asked: &Value, draws: &[ImageDraw], seed: u64) -> Result<Vec<f32>> {
        make(fitted, &fitted.net, A::parts(&fitted.config).2, asked, draws, seed)
    }
}
