//! What the training of every model of this family has in common.

use burn::tensor::{Device, Int, Tensor};
use semblant_core::ema::Ema;
use semblant_core::model::Step;
use semblant_core::optim::{Adam, LrSchedule};
use semblant_core::{Error, Result};
use semblant_data::image::Images;
use semblant_data::image::augment::Augmentation;
use semblant_images::{Batches, Pace, Shown};
use serde::{Deserialize, Serialize};

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

/// How long and how a model of this family is trained.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Training {
    /// Images seen in all, the same one as often as it comes.
    pub images: u64,
    /// Images of one step.
    pub batch_images: u64,
    /// The optimizer.
    pub optimizer: Adam,
    /// The average of the weights that is sampled from.
    pub ema: Ema,
    /// The chance that an image is shown without its class, so that images of unknown class can be encoded too.
    pub class_dropout: f64,
    /// The chance that left and right are exchanged.
    pub flip: f64,
    /// Images between two ticks: log line, check for NaN, and a sheet of samples in the run's folder.
    pub tick_images: u64,
    /// Images between two saved states.
    pub checkpoint_images: u64,
}

impl Default for Training {
    fn default() -> Self {
        Self {
            images: 1_000_000,
            batch_images: 64,
            optimizer: Adam { learning_rate: 1e-3, warm_up: 0.01, clip_norm: 0.0, schedule: LrSchedule::Cosine, ..Adam::default() },
            ema: Ema { half_life_rows: 20_000.0, ..Ema::default() },
            class_dropout: 0.05,
            flip: 0.0,
            tick_images: 50_000,
            checkpoint_images: 100_000,
        }
    }
}

impl Training {
    /// Checks every field's range.
    ///
    /// # Errors
    /// Names the field, its value and the range.
    pub fn check(&self) -> Result<()> {
        self.pace().check()?;
        for (field, value) in [("class_dropout", self.class_dropout), ("flip", self.flip)] {
            within(&format!("training.{field}"), value, 0.0, 1.0)?;
        }
        self.optimizer.check("training.optimizer")
    }

    /// What the loop needs to know.
    pub fn pace(&self) -> Pace {
        let Self { images, batch_images, ema, tick_images, checkpoint_images, .. } = *self;
        Pace { images, batch_images, ema, tick_images, checkpoint_images }
    }
}

/// Refuses a number out of its range.
pub(crate) fn within(field: &str, value: f64, low: f64, high: f64) -> Result<()> {
    if (low..=high).contains(&value) {
        return Ok(());
    }
    Err(Error::Config(format!("{field} = {value} is out of range; choose a number from {low} to {high}")))
}

/// Refuses a size out of its range.
pub(crate) fn sized(field: &str, value: usize, low: usize, high: usize) -> Result<()> {
    if (low..=high).contains(&value) {
        return Ok(());
    }
    Err(Error::Config(format!("{field} = {value} is out of range; choose a number from {low} to {high}")))
}

/// What one step learns from.
#[derive(Debug, Clone)]
pub struct Batch {
    /// `[batch, channels, height, width]` in -1 to 1.
    pub images: Tensor<4>,
    /// Their classes `[batch]`, the one after the last where it is left out; `None` when there are no classes.
    pub classes: Option<Tensor<1, Int>>,
}

/// What makes the batch of a step; `device` is the one without autodiff.
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
