//! The training step that all GANs share.

use burn::module::{Module, Param};
use burn::optim::GradientsParams;
use burn::tensor::{Device, Int, Tensor, TensorData};
use semblant_core::config::{check_at_least, check_range};
use semblant_core::model::{Losses, Step};
use semblant_core::optim::{Adam, LrSchedule, Optimizers};
use semblant_core::passes::Passes;
use semblant_core::progress::Event;
use semblant_core::seeds::streams::StreamRange;
use semblant_core::synthesizer::Run;
use semblant_core::train_config::TrainConfig;
use semblant_core::{Error, Result, host};
use semblant_data::image::{DeviceImages, Images};
use semblant_images::{CHUNK, Fitted, ImageDraw, ImageModel, MakeBatch, latents, overlaid};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::augment::DiffAugment;
use crate::losses::Loss;
use crate::networks::Generator;
use crate::piecewise::{PiecewiseCritic, Slopes};

/// Purposes of a training step's random numbers.
mod purpose {
    semblant_core::streams! {
        in semblant_core::seeds::streams::TRAINING;
        pub(super) const ORDER = 0..1;
        pub(super) const CRITIC_LATENT = 1..2;
        pub(super) const GENERATOR_LATENT = 2..3;
        pub(super) const AUGMENT_REAL = 3..4;
        pub(super) const AUGMENT_FAKE = 4..5;
        pub(super) const AUGMENT_GENERATOR = 5..6;
        pub(super) const BETWEEN = 6..7;
        pub(super) const COLLAPSE = 7..8;
    }
}

/// Settings of training.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default)]
pub struct Training {
    /// How long, in what batches (rows are images that the critic sees), and by which optimizer of the generator.
    #[serde(flatten)]
    pub train: TrainConfig,
    /// Steps of the critic for each of the generator.
    pub critic_steps: u64,
    /// The critic's optimizer.
    pub critic: Adam,
    /// Augmentation of the images that the critic sees.
    pub augment: DiffAugment,
}

/// Former names of settings, for [`Config::renamed`](semblant_core::config::Config::renamed).
pub(crate) const RENAMED: &[(&str, &str)] = &[
    ("training.images", "training.rows"),
    ("training.batch_images", "training.batch_rows"),
    ("training.tick_images", "training.tick_rows"),
    ("training.checkpoint_images", "training.checkpoint_rows"),
    ("training.generator", "training.optimizer"),
];

impl Default for Training {
    fn default() -> Self {
        // Without momentum, as adversarial training needs it; the learning rate falls to 0 at the end.
        let adam = Adam { learning_rate: 1e-3, beta_1: 0.0, beta_2: 0.99, schedule: LrSchedule::Cosine, ..Adam::default() };
        let images = semblant_images::Training::with(adam, 20_000.0, 0.0);
        Self { train: images.train, critic_steps: 1, critic: adam, augment: DiffAugment::default() }
    }
}

impl Training {
    /// Checks every field's range.
    ///
    /// # Errors
    /// Names the field, its value and the range.
    pub fn check(&self) -> Result<()> {
        self.train.check("training.")?;
        self.critic.check("training.critic")?;
        let DiffAugment { chance, target, translate, cutout, adaption_images, .. } = self.augment;
        for (field, value) in [("chance", chance), ("target", target), ("translate", translate), ("cutout", cutout)] {
            check_range(&format!("training.augment.{field}"), value, 0.0, 1.0)?;
        }
        check_at_least("training.augment.adaption_images", adaption_images, 1.0)?;
        check_range("training.critic_steps", self.critic_steps, 1, 1000)
    }

    /// The optimizers, by the names that [`GanTrainer`] uses.
    pub fn optimizers(&self) -> Optimizers {
        Optimizers::default().with("generator", self.train.optimizer).with("critic", self.critic)
    }
}

/// How a model of this family is sampled.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Sampling {
    /// A factor on the random numbers: below 1 trades diversity for fidelity (Brock et al. 2019).
    pub truncation: f64,
}

impl Default for Sampling {
    fn default() -> Self {
        Self { truncation: 1.0 }
    }
}

impl Sampling {
    /// Checks the range.
    ///
    /// # Errors
    /// Names the field, its value and the range.
    pub fn check(&self) -> Result<()> {
        if !(self.truncation > 0.0 && self.truncation <= 10.0) {
            return Err(Error::Config(format!(
                "sampling.truncation = {} is out of range; choose a number above 0 and up to 10",
                self.truncation
            )));
        }
        Ok(())
    }
}

/// The batch of a step.
#[derive(Debug, Clone)]
pub struct Batch {
    /// `[batch, channels, height, width]` in -1 to 1, without autodiff.
    pub images: Tensor<4>,
    /// Their classes `[batch]`, if there are any.
    pub classes: Option<Tensor<1, Int>>,
}

/// Makes the batch of a step.
pub(crate) fn batches(images: &Images, device: &Device) -> MakeBatch<Batch> {
    let held = DeviceImages::new(images.clone(), device);
    let mut passes = Passes::new(images.count(), purpose::ORDER);
    Box::new(move |step| {
        let indices = passes.batch(step);
        Batch { images: held.batch(&indices), classes: held.batch_classes(&indices) }
    })
}

/// Generator, critic, and the chance of changed images.
#[derive(Module, Debug)]
pub struct GanTrainer {
    /// Makes images.
    pub generator: Generator,
    /// Judges them.
    pub critic: PiecewiseCritic,
    /// The chance of each change of [`DiffAugment`], `[1]`.
    pub chance: Param<Tensor<1>>,
}

/// What a penalty may look at: `images [n, channels, height, width]` that the critic has scored, their classes, and its slopes there.
pub struct CriticOutput {
    /// Real images, then as many made ones.
    pub images: Tensor<4>,
    /// Their classes.
    pub classes: Option<Tensor<1, Int>>,
    /// The slopes of the critic's pass.
    pub slopes: Slopes,
    /// One uniform number for each pair of a real and a made image, `[pairs, 1, 1, 1]`.
    pub between: Tensor<4>,
}

impl GanTrainer {
    /// A new trainer.
    pub fn new(generator: Generator, critic: PiecewiseCritic, training: &Training, device: &Device) -> Self {
        let chance = Tensor::<1>::from_floats([training.augment.chance as f32], device);
        Self { generator, critic, chance: Param::from_tensor(chance).set_require_grad(false) }
    }

    fn chance(&self) -> Tensor<1> {
        self.chance.val().inner()
    }

    fn latents(&self, batch: usize, purpose: StreamRange, step: &Step, device: &Device) -> Tensor<2> {
        let latent = self.generator.latent();
        Tensor::from_inner(step.stream(purpose).normals_on(step.rows_seen..step.rows_seen + batch as u64, latent, device))
    }

    /// One step of the critic and, if it is its turn, one of the generator. `penalty` is what is added to the critic's loss, with its
    /// size for the log.
    pub fn step(
        mut self,
        batch: Batch,
        loss: Loss,
        training: &Training,
        optimizers: &mut Optimizers,
        step: &Step,
        penalty: impl Fn(&PiecewiseCritic, CriticOutput) -> Option<Tensor<1>>,
    ) -> (Self, Losses) {
        let (count, device) = (batch.images.dims()[0], batch.images.device());
        let augment = training.augment;
        let tracked = batch.classes.clone().map(Tensor::from_inner);
        self.critic = self.critic.iterated();

        // The critic: the made images are constants to it.
        let made = self.generator.forward(self.latents(count, purpose::CRITIC_LATENT, step, &device), tracked.as_ref()).inner();
        let changed = |gan: &Self, images: Tensor<4>, purpose: StreamRange| {
            augment.apply(images, &gan.chance(), &step.stream(purpose), step.rows_seen)
        };
        let real = changed(&self, Tensor::from_inner(batch.images.clone()), purpose::AUGMENT_REAL);
        let fake = changed(&self, Tensor::from_inner(made), purpose::AUGMENT_FAKE);
        let images = Tensor::cat(vec![real, fake], 0); // [2 batch, channels, height, width]
        let twice = tracked.clone().map(|classes: Tensor<1, Int>| Tensor::cat(vec![classes.clone(), classes], 0));
        let (scores, slopes) = self.critic.forward(images.clone(), twice.as_ref());
        let (of_real, of_fake) = (scores.clone().narrow(0, 0, count), scores.narrow(0, count, count));
        let mut losses = Losses::default().with("score_real", of_real.clone().mean()).with("score_fake", of_fake.clone().mean());
        let plain = loss.critic(of_real.clone(), of_fake);
        losses = losses.with("critic", plain.clone());
        let between = step.stream(purpose::BETWEEN).uniforms_on(step.rows_seen..step.rows_seen + count as u64, 1, &device);
        let between = Tensor::from_inner(between.reshape([count, 1, 1, 1]));
        let total = match penalty(&self.critic, CriticOutput { images, classes: twice, slopes, between }) {
            Some(penalty) => {
                losses = losses.with("penalty", penalty.clone());
                plain + penalty
            }
            None => plain,
        };
        let gradients = GradientsParams::from_grads(total.backward(), &self.critic);
        self.critic = optimizers.step("critic", self.critic, gradients, step);
        let chance = augment.adapted(self.chance(), of_real, count as f64);
        if augment.target > 0.0 {
            losses = losses.with("augment_chance", chance.clone());
        }
        let on = self.chance.val().device();
        let kept = if chance.device() == on { chance } else { Tensor::from_inner(chance) };
        self.chance = Param::initialized(self.chance.id, kept).set_require_grad(false);
        if !(step.index + 1).is_multiple_of(training.critic_steps) {
            return (self, losses);
        }

        // The generator.
        let made = self.generator.forward(self.latents(count, purpose::GENERATOR_LATENT, step, &device), tracked.as_ref());
        // How far the same place differs from image to image: a generator that makes one image for all has none of it.
        let spread = spread(made.clone().inner());
        losses = losses.with("spread", spread);
        let fake = self.critic.forward(changed(&self, made, purpose::AUGMENT_GENERATOR), tracked.as_ref()).0;
        let real = || {
            let real = changed(&self, Tensor::from_inner(batch.images), purpose::AUGMENT_REAL);
            self.critic.forward(real, tracked.as_ref()).0
        };
        let of_generator = loss.generator(fake, real);
        losses = losses.with("generator", of_generator.clone());
        let gradients = GradientsParams::from_grads(of_generator.backward(), &self.generator);
        self.generator = optimizers.step("generator", self.generator, gradients, step);
        (self, losses)
    }
}

/// The spread of images, `[1]`: the mean over places of the variance over images.
fn spread(images: Tensor<4>) -> Tensor<1> {
    (images.clone() - images.mean_dim(0)).square().mean()
}

/// Warns of mode collapse.
pub(crate) fn warn_of_collapse(generator: &Generator, images: &Images, run: &mut Run) {
    const LOOKED_AT: usize = 64;
    /// Below this share of the real images' spread, few kinds of images are left: games that had collapsed had 0.01 to 0.05.
    const LEAST_SHARE: f32 = 0.4;
    let count = images.count().min(LOOKED_AT);
    // From all over the set, which may be sorted by class.
    let indices: Vec<usize> = (0..count).map(|place| place * images.count() / count).collect();
    let held = DeviceImages::new(images.select(&indices), &run.device);
    let every: Vec<usize> = (0..count).collect();
    let z = purpose::COLLAPSE.of(run.seed).normals_on(0..count as u64, generator.latent(), &run.device);
    let made = generator.forward(z, held.batch_classes(&every).as_ref());
    let (real, made) = (host::scalar(spread(held.batch(&every))), host::scalar(spread(made)));
    if made < LEAST_SHARE * real {
        run.observer.event(Event::Note(&format!(
            "synthetic images vary {:.0} % as much as real ones (mode collapse); \
             raise the critic's penalty or training.augment.chance, or lower training.optimizer.learning_rate",
            100.0 * made / real
        )));
    }
}

/// Pixels of the draws.
pub(crate) fn generate<C: ImageModel>(
    fitted: &Fitted<C>,
    generator: &Generator,
    own: &Sampling,
    settings: &Map<String, Value>,
    draws: &[ImageDraw],
    seed: u64,
) -> Result<Vec<f32>> {
    let sampling: Sampling = overlaid(own, settings)?;
    sampling.check()?;
    let (latent, length) = (generator.latent(), fitted.kind.shape.len());
    let mut pixels = Vec::with_capacity(draws.len() * length);
    for draws in draws.chunks(CHUNK) {
        let mut z = latents(draws, CHUNK, latent, seed);
        z.iter_mut().for_each(|z| *z *= sampling.truncation as f32);
        let z = host::tensor(z, [CHUNK, latent], &fitted.device);
        let mut classes = vec![0; CHUNK];
        draws.iter().zip(&mut classes).for_each(|(draw, class)| *class = draw.class.unwrap_or(0) as i32);
        let classes = Tensor::<1, Int>::from_data(TensorData::new(classes, [CHUNK]), &fitted.device);
        let images = generator.forward(z, Some(&classes));
        host::read(&images, |values| pixels.extend_from_slice(&values[..draws.len() * length]));
    }
    Ok(pixels)
}
