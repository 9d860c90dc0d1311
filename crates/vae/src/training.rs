//! What training shares in this family.

use burn::tensor::{Device, Int, Tensor};
use semblant_core::model::Step;
use semblant_core::optim::{Adam, LrSchedule};
use semblant_core::{Error, Result};
use semblant_data::image::Images;
use semblant_data::image::augment::Augmentation;
pub use semblant_images::Training;
use semblant_images::{Batches, Shown};

/// Purposes of random numbers, apart from those of [`semblant_images::purpose`].
pub(crate) mod purpose {
    use semblant_core::seeds::streams::ESTIMATES;
    pub(crate) use semblant_images::purpose::COMPONENT;
    use semblant_images::purpose::{MODEL, MODEL_FURTHER};

    semblant_core::streams! {
        in MODEL;
        pub(crate) const NOISE = 0..1;
        pub(crate) const BINARY = 1..2;
    }

    semblant_core::streams! {
        in MODEL_FURTHER;
        pub(crate) const REVIVAL = 0..1;
    }

    semblant_core::streams! {
        in ESTIMATES;
        /// The binarisation of images that are rebuilt or encoded.
        pub(crate) const REBUILT_BINARY = 0..1;
        /// The noise of latent vectors that a mixture is fitted to.
        pub(crate) const LATENT_NOISE = 1..2;
        /// Which images they are of.
        pub(crate) const LATENT_ORDER = 2..3;
        /// Where the components of the mixture begin.
        pub(crate) const MIXTURE_START = 3..4;
        /// The latent samples of a likelihood's estimate.
        pub(crate) const ESTIMATE_NOISE = 4..5;
        /// The binarisation of its images.
        pub(crate) const ESTIMATE_BINARY = 5..6;
    }
}

/// Training by Adam with a short warm-up: the defaults of this family.
pub(crate) fn training() -> Training {
    let optimizer = Adam { learning_rate: 1e-3, warm_up: 0.01, clip_norm: 0.0, schedule: LrSchedule::Cosine, ..Adam::default() };
    Training::with(optimizer, 20_000.0, 0.05)
}

/// Checks the settings of training.
pub(crate) fn check(training: &Training) -> Result<()> {
    training.check()?;
    if training.augmentation > 0.0 {
        return Err(Error::Config("training.augmentation is for diffusion models; set it to 0".into()));
    }
    Ok(())
}

/// The batch of a step.
#[derive(Debug, Clone)]
pub struct Batch {
    /// `[batch, channels, height, width]` in -1 to 1.
    pub images: Tensor<4>,
    /// Their classes `[batch]`, the one after the last where it is left out; `None` when there are no classes.
    pub classes: Option<Tensor<1, Int>>,
}

/// Makes the batch of a step; `device` is the one without autodiff.
pub(crate) fn batches(images: Images, training: &Training, device: &Device) -> Box<dyn FnMut(&Step) -> Batch> {
    let augmentation = (training.flip > 0.0).then(|| Augmentation::flip(training.flip));
    let mut batches = Batches::new(images, augmentation, training.class_dropout, device);
    Box::new(move |step| {
        let Shown { images, classes, .. } = batches.of(step);
        Batch { images: Tensor::from_inner(images), classes: classes.map(Tensor::from_inner) }
    })
}

/// The same images, without their classes.
pub(crate) fn without_classes(images: &Images) -> Result<Images> {
    Images::new(images.pixels().to_vec(), images.shape(), None).map_err(|error| Error::Data(error.to_string()))
}
