//! Batches of a training step.

use burn::tensor::{Device, Int, Tensor, TensorData};
use semblant_core::model::Step;
use semblant_core::passes::Passes;
use semblant_data::image::augment::Augmentation;
use semblant_data::image::{DeviceImages, Images};

/// Purposes of a training step's random numbers ([`Step::stream`]) that [`Batches`] and [`shown_classes`] read; a model
/// has further purposes of its own.
pub mod purpose {
    use semblant_core::seeds::streams::{SAMPLING, TRAINING};

    semblant_core::streams! {
        in TRAINING;
        /// The order of the images.
        pub const ORDER = 0..1;
        /// What a model's training step draws itself.
        pub const MODEL = 1..3;
        /// Class dropout.
        pub const CLASS_DROPOUT = 3..4;
        /// How images are changed.
        pub const AUGMENTATION = 4..5;
        /// More of what a model's training step draws itself.
        pub const MODEL_FURTHER = 5..0x100;
    }

    semblant_core::streams! {
        in SAMPLING;
        /// The noise of an image.
        pub const FIRST_NOISE = 0..1;
        /// The noise of what is kept of an image that is filled in.
        pub const MASK_NOISE = 1..2;
        /// The class of a sample.
        pub const CLASS = 2..3;
        /// The component of a mixture that a sample is of.
        pub const COMPONENT = 3..4;
        /// The noise of a solver's steps, one stream a step.
        pub const STEP_NOISE = 0x0010_0000..0x0100_0000;
    }
}

/// The images of a training run, a batch a step, each image once before any comes again.
pub struct Batches {
    images: Images,
    held: DeviceImages,
    augmentation: Option<Augmentation>,
    class_dropout: f64,
    device: Device,
    passes: Passes,
}

/// One batch, on a device without autodiff.
#[derive(Debug, Clone)]
pub struct Shown {
    /// `[batch, channels, height, width]` in -1 to 1.
    pub images: Tensor<4>,
    /// Their classes `[batch]`, the one after the last where it is left out; `None` when there are no classes.
    pub classes: Option<Tensor<1, Int>>,
    /// How they were changed, `[batch, LABELS]`; `None` when they are as they were.
    pub labels: Option<Tensor<2>>,
}

impl Batches {
    /// Batches of `images`, changed by `augmentation`, with class dropout of probability `class_dropout`.
    ///
    /// # Panics
    /// When there are no images.
    pub fn new(images: Images, augmentation: Option<Augmentation>, class_dropout: f64, device: &Device) -> Self {
        let held = DeviceImages::new(images.clone(), device);
        let passes = Passes::new(images.count(), purpose::ORDER);
        Self { images, held, augmentation, class_dropout, device: device.clone(), passes }
    }

    /// The batch of a step: a function of (seed, step) alone.
    pub fn of(&mut self, step: &Step) -> Shown {
        let indices = self.passes.batch(step);
        let (images, labels) = match &self.augmentation {
            None => (self.held.batch(&indices), None),
            Some(augmentation) => {
                let stream = step.stream(purpose::AUGMENTATION);
                let (images, labels) = augmentation.apply(&stream, step.rows().start, &self.images, &indices).into_tensors(&self.device);
                (images, Some(labels))
            }
        };
        let none = self.images.class_names().len() as i32;
        let classes = self.images.classes().map(|classes| shown_classes(classes, none, &indices, self.class_dropout, step, &self.device));
        Shown { images, classes, labels }
    }
}

/// The classes of the images at `indices`, each replaced by `none` with the chance `dropout`. `[indices.len()]`, without autodiff.
pub fn shown_classes(classes: &[u32], none: i32, indices: &[usize], dropout: f64, step: &Step, device: &Device) -> Tensor<1, Int> {
    let places = step.places();
    let mut chances = vec![0.0; places.end];
    step.stream(purpose::CLASS_DROPOUT).uniforms(step.index, &mut chances);
    let shown = indices.iter().zip(&chances[places.start..]);
    let shown = shown.map(|(&index, &chance)| if f64::from(chance) < dropout { none } else { classes[index] as i32 });
    Tensor::from_data(TensorData::new(shown.collect::<Vec<i32>>(), [indices.len()]), device)
}
