//! What the training of all models of this family has in common: batches, noise and the loss.

use burn::tensor::{Device, Tensor};
use semblant_core::host;
use semblant_core::model::Step;
use semblant_data::image::Images;
use semblant_data::image::augment::Augmentation;
pub use semblant_images::Training;
use semblant_images::{Batches, Shown};

use crate::networks::{Condition, Net, NetConfig, Network};
use crate::process::{Level, Prediction, Weighting};

/// Purposes of a training step's random numbers, in addition to those of [`semblant_images::purpose`].
pub(crate) mod purpose {
    semblant_core::streams! {
        in semblant_images::purpose::MODEL;
        pub(crate) const LEVEL = 0..1;
        pub(crate) const NOISE = 1..2;
    }
}

/// The batch of a step.
#[derive(Debug, Clone)]
pub struct Batch {
    /// `[batch, channels, height, width]` in -1 to 1.
    pub images: Tensor<4>,
    /// Their classes, some left out, and how they were augmented.
    pub condition: Condition,
}

/// Makes the batch of a step; `device` is the one without autodiff.
pub(crate) fn batches(images: &Images, training: &Training, device: &Device) -> Box<dyn FnMut(&Step) -> Batch> {
    let told = training.augmentation > 0.0;
    let augmentation = match (told, training.flip > 0.0) {
        (true, _) => Some(Augmentation { x_flip: training.flip, ..Augmentation::edm(training.augmentation) }),
        (false, true) => Some(Augmentation::flip(training.flip)),
        (false, false) => None,
    };
    let mut batches = Batches::new(images.clone(), augmentation, training.class_dropout, device);
    Box::new(move |step| {
        let Shown { images, classes, labels } = batches.of(step);
        let labels = labels.filter(|_| told);
        let condition = Condition { class: classes.map(Tensor::from_inner), augmentation: labels.map(Tensor::from_inner) };
        Batch { images: Tensor::from_inner(images), condition }
    })
}

/// Standard normal noise of the shape of a batch, for this step.
pub(crate) fn training_noise(images: &Tensor<4>, step: &Step) -> Tensor<4> {
    let [batch, channels, height, width] = images.dims();
    let first = step.rows().start;
    let noise = step.stream(purpose::NOISE).normals_on(first..first + batch as u64, channels * height * width, &images.device());
    Tensor::from_inner(noise.reshape([batch, channels, height, width]))
}

/// One standard normal number an image, for the level that it is noised to in this step.
pub(crate) fn level_normals(count: usize, step: &Step) -> Vec<f64> {
    let first = step.places().start;
    let mut normals = vec![0.0; first + count];
    step.stream(purpose::LEVEL).normals(step.index, &mut normals);
    normals[first..].iter().copied().map(f64::from).collect()
}

/// One number an image as a tensor `[batch, 1, 1, 1]`.
pub(crate) fn column(levels: &[Level], device: &Device, f: impl Fn(&Level) -> f64) -> Tensor<4> {
    let values = levels.iter().map(|level| f(level) as f32).collect();
    Tensor::from_inner(host::tensor(values, [levels.len(), 1, 1, 1], &device.clone().inner()))
}

/// The weighted mean square of the network's output for the noised batch against its target. Shape `[1]`.
pub(crate) fn denoising_loss(
    net: &Net,
    prediction: &Prediction,
    weighting: &Weighting,
    batch: Batch,
    levels: &[Level],
    noise: Tensor<4>,
) -> Tensor<1> {
    let Batch { images, condition } = batch;
    let device = images.device();
    let of = |f: &dyn Fn(&Level) -> f64| column(levels, &device, f); // [batch, 1, 1, 1]
    let noised =
        images.clone() * of(&|l| l.alpha * prediction.scaling(l).input) + noise.clone() * of(&|l| l.sigma * prediction.scaling(l).input);
    let target = images * of(&|l| prediction.target(l).0) + noise * of(&|l| prediction.target(l).1);
    let time = of(&|l| l.time).reshape([levels.len()]);
    let error = (net.forward(noised, time, &condition) - target).square(); // [batch, channels, height, width]
    match weighting {
        Weighting::Uniform => error.mean(),
        Weighting::MinSnr { .. } => (error * of(&|l| weighting.weight(prediction, l))).mean(),
    }
}

/// The network that small images are learned with by default.
pub(crate) fn default_network() -> NetConfig {
    NetConfig::Dit(crate::networks::dit::DitConfig::default())
}
