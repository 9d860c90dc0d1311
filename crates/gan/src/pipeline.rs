//! Images in, a trained generator, images out: every GAN of this family as an [`ImageModel`](semblant_images::ImageModel).

use burn::tensor::Device;
use semblant_core::Result;
use semblant_core::config::Config;
use semblant_core::model::Model;
use semblant_images::ImageKind;

use crate::networks::{Generator, NetConfig};
use crate::piecewise::PiecewiseCritic;
use crate::trainer::{Batch, GanTrainer, Sampling, Training};

/// Networks around the training that all GANs share, implemented by a configuration.
pub trait GanConfig: Config {
    /// See [`semblant_images::ImageModel::NAME`].
    const NAME: &'static str;
    /// See [`semblant_images::ImageModel::SUMMARY`].
    const SUMMARY: &'static str;
    /// Generator and critic with one training step.
    type Model: Model<Batch = Batch, Sampled = Generator>;

    /// The parts of the configuration.
    fn parts(&self) -> (&NetConfig, &Training, &Sampling);
    /// A fresh generator.
    fn generator(&self, kind: &ImageKind, seed: u64, device: &Device) -> Result<Generator>;
    /// A fresh critic.
    fn critic(&self, kind: &ImageKind, seed: u64, device: &Device) -> Result<PiecewiseCritic>;
    /// The model of generator and critic.
    fn around(&self, gan: GanTrainer) -> Self::Model;
}

/// Checks what is the same in the configuration of every model.
pub(crate) fn check_parts(config: &impl GanConfig) -> Result<()> {
    let (network, training, sampling) = config.parts();
    network.check()?;
    sampling.check()?;
    training.check()
}

/// Makes an image model of a [`GanConfig`].
macro_rules! image_model {
    ($config:ty) => {
        impl semblant_images::ImageModel for $config {
            const NAME: &'static str = <Self as $crate::pipeline::GanConfig>::NAME;
            const SUMMARY: &'static str = <Self as $crate::pipeline::GanConfig>::SUMMARY;
            type Model = <Self as $crate::pipeline::GanConfig>::Model;

            fn single_device(&self) -> Option<&'static str> {
                Some("its augmentation and penalty need the whole batch")
            }

            fn train(&self) -> &semblant_core::train_config::TrainConfig {
                &$crate::pipeline::GanConfig::parts(self).1.train
            }

            fn optimizers(&self) -> semblant_core::optim::Optimizers {
                $crate::pipeline::GanConfig::parts(self).1.optimizers()
            }

            fn init(
                &self,
                kind: &semblant_images::ImageKind,
                seed: u64,
                device: &burn::tensor::Device,
            ) -> semblant_core::Result<Self::Model> {
                use $crate::pipeline::GanConfig;
                let (generator, critic) = (self.generator(kind, seed, device)?, self.critic(kind, seed, device)?);
                Ok(self.around($crate::trainer::GanTrainer::new(generator, critic, self.parts().1, device)))
            }

            fn init_sampled(
                &self,
                kind: &semblant_images::ImageKind,
                device: &burn::tensor::Device,
            ) -> semblant_core::Result<$crate::networks::Generator> {
                $crate::pipeline::GanConfig::generator(self, kind, 0, device)
            }

            fn batches(
                &self,
                images: &semblant_data::image::Images,
                device: &burn::tensor::Device,
            ) -> semblant_core::Result<semblant_images::MakeBatch<$crate::trainer::Batch>> {
                Ok($crate::trainer::batches(images, device))
            }

            fn finish(
                &self,
                generator: $crate::networks::Generator,
                images: &semblant_data::image::Images,
                run: &mut semblant_core::synthesizer::Run,
            ) -> semblant_core::Result<$crate::networks::Generator> {
                $crate::trainer::warn_of_collapse(&generator, images, run);
                Ok(generator)
            }

            fn generate(
                fitted: &semblant_images::Fitted<Self>,
                settings: &serde_json::Map<String, serde_json::Value>,
                draws: &[semblant_images::ImageDraw],
                seed: u64,
            ) -> semblant_core::Result<Vec<f32>> {
                let own = $crate::pipeline::GanConfig::parts(&fitted.config).2;
                $crate::trainer::generate(fitted, &fitted.net, own, settings, draws, seed)
            }
        }
    };
}
pub(crate) use image_model;
