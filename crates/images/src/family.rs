//! From images to a fitted model, and from there to images: the [`Synthesizer`] of every family.

use std::path::Path;
use std::time::Instant;

use burn::tensor::Device;
use semblant_core::checkpoint::Checkpoint;
use semblant_core::model::{Model, Step};
use semblant_core::optim::Optimizers;
use semblant_core::precision::Precision;
use semblant_core::progress::Event;
use semblant_core::synthesizer::{Entry, Run, Sample, SampleRequest, Summary, Synthesizer, settings};
use semblant_core::trainer::Trained;
use semblant_core::{Error, Result};
use semblant_data::image::Images;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::draw::ImageDraw;
use crate::kind::{ImageKind, ImageShape};
use crate::pace::Pace;
use crate::workers::Begin;

/// The networks that a model samples with.
pub(crate) type Sampled<F> = <<F as Family>::Model as Model>::Sampled;
/// What a step of a model learns from.
pub(crate) type Batch<F> = <<F as Family>::Model as Model>::Batch;

/// What tells one model of images from another.
pub trait Family: Send + Sync + 'static {
    /// The name that `--model` takes and the model file holds.
    const NAME: &'static str;
    /// What it is, in one line.
    const SUMMARY: &'static str;
    /// Whether its training may compute products in bf16. Penalties on gradients, and losses of two outputs that are nearly the same, would
    /// be lost in its rounding, so this is for those of which it was shown.
    const BF16: bool = false;
    /// Its settings.
    type Config: Serialize + DeserializeOwned + Default + Clone + Send + Sync;
    /// What is trained.
    type Model: Model;

    /// Every range, except what depends on the images.
    ///
    /// # Errors
    /// Names the setting, its value and the range.
    fn check(config: &Self::Config) -> Result<()>;
    /// The settings with what they refer to; called before a fit.
    ///
    /// # Errors
    /// A file that the settings name and that cannot be read.
    fn resolve(config: Self::Config) -> Result<Self::Config> {
        Ok(config)
    }
    /// Why it cannot be trained on several devices at once, if it cannot: its loss is then no mean over images, or a step changes more than
    /// weights.
    fn alone(config: &Self::Config) -> Option<&'static str>;
    /// What it learns of the images: a model that is not told classes leaves them out.
    fn kind(_: &Self::Config, images: &Images) -> ImageKind {
        ImageKind::of(images)
    }
    /// How long it is trained.
    fn pace(config: &Self::Config) -> Pace;
    /// The optimizers by the names that [`Model::train_step`] uses.
    fn optimizers(config: &Self::Config) -> Optimizers;
    /// A fresh model on a device with autodiff.
    ///
    /// # Errors
    /// Settings that do not fit images of this kind.
    fn model(config: &Self::Config, kind: &ImageKind, seed: u64, device: &Device) -> Result<Self::Model>;
    /// Networks of the right structure, on a device without autodiff, that a file's tensors are put into.
    ///
    /// # Errors
    /// As [`Family::model`].
    fn empty(config: &Self::Config, kind: &ImageKind, device: &Device) -> Result<Sampled<Self>>;
    /// What makes the batch of a step, as a function of the step alone. `device` is the one without autodiff.
    ///
    /// # Errors
    /// Images that cannot be prepared.
    fn batches(config: &Self::Config, images: &Images, device: &Device) -> Result<Box<dyn FnMut(&Step) -> Batch<Self>>>;
    /// Work that is left when training has ended, such as a density that is fitted to the latents of the images.
    ///
    /// # Errors
    /// As the work's.
    fn finish(_: &Self::Config, sampled: Sampled<Self>, _: &Images, _: &mut Run) -> Result<Sampled<Self>> {
        Ok(sampled)
    }
    /// Pixels of the draws in -1 to 1 and a little beyond, `[draws, channels, height, width]` row-major. `asked` are settings for sampling
    /// laid over the model's own. An image depends on its own draw and the seed alone.
    ///
    /// # Errors
    /// Settings that are not known or out of range.
    fn make(fitted: &Fitted<Self>, asked: &Value, draws: &[ImageDraw], seed: u64) -> Result<Vec<f32>>
    where
        Self: Sized;
    /// Makes images out of images; see [`Synthesizer::remake`].
    ///
    /// # Errors
    /// A model that makes images out of noise only.
    fn remake(_: &Fitted<Self>, _data: &Images, _keep: Option<&Images>, _request: &SampleRequest) -> Result<Sample<Images>>
    where
        Self: Sized,
    {
        Err(Error::Config("this model makes images out of noise only, not out of other images".into()))
    }
    /// How unlikely the model finds images; see [`Synthesizer::negative_log_likelihoods`].
    ///
    /// # Errors
    /// A model without a likelihood that can be estimated.
    fn negative_log_likelihoods(_: &Fitted<Self>, _data: &Images, _samples: usize, _seed: u64) -> Result<Vec<f64>>
    where
        Self: Sized,
    {
        Err(Error::Config(format!("a model of kind {} has no likelihood that can be estimated; a vae has", Self::NAME)))
    }
    /// Writes a folder that Python's diffusers opens.
    ///
    /// # Errors
    /// A model that diffusers has no form for, or a folder that cannot be written.
    fn export(_: &Fitted<Self>, _folder: &Path) -> Result<()>
    where
        Self: Sized,
    {
        Err(Error::Config(format!("diffusers has no form for a model of kind {}", Self::NAME)))
    }
}

/// A fitted model: what its file holds.
pub struct Fitted<F: Family> {
    /// Its settings.
    pub config: F::Config,
    /// The images that it learnt from.
    pub kind: ImageKind,
    /// Its networks.
    pub net: Sampled<F>,
    /// Where they are.
    pub device: Device,
}

/// The registry's entry of a family.
pub const fn entry<F: Family>() -> Entry<Images> {
    Entry { name: F::NAME, summary: F::SUMMARY, build: build::<F>, load: load::<F> }
}

/// A model that was fitted elsewhere, as one to sample from and to save.
pub fn fitted<F: Family>(fitted: Fitted<F>) -> Box<dyn Synthesizer<Data = Images>> {
    Box::new(Generator { config: fitted.config.clone(), fitted: Some(fitted) })
}

/// A model of images, fitted or not.
struct Generator<F: Family> {
    config: F::Config,
    fitted: Option<Fitted<F>>,
}

fn build<F: Family>(values: Value) -> Result<Box<dyn Synthesizer<Data = Images>>> {
    let config: F::Config = settings(F::NAME, values)?;
    F::check(&config)?;
    F::pace(&config).check()?;
    Ok(Box::new(Generator::<F> { config, fitted: None }))
}

fn load<F: Family>(file: &Checkpoint, path: &Path, device: &Device) -> Result<Box<dyn Synthesizer<Data = Images>>> {
    let mut config: Value = file.metadata_as("config", path)?;
    // Files of older versions hold `sampling.record`, a setting that no longer exists.
    if let Some(sampling) = config.get_mut("sampling").and_then(Value::as_object_mut) {
        sampling.remove("record");
    }
    let config: F::Config = serde_json::from_value(config).map_err(|error| Error::checkpoint(path, error.to_string()))?;
    let kind: ImageKind = file.metadata_as("images", path)?;
    let empty = || -> Result<Sampled<F>> {
        F::check(&config)?;
        kind.check()?;
        F::empty(&config, &kind, device)
    };
    let net = empty().map_err(|error| Error::checkpoint(path, error.to_string()))?;
    let net = file.load_module("model", net, path)?;
    Ok(Box::new(Generator::<F> { config: config.clone(), fitted: Some(Fitted { config, kind, net, device: device.clone() }) }))
}

impl<F: Family> Synthesizer for Generator<F> {
    type Data = Images;

    fn fit(&mut self, data: &Images, run: &mut Run) -> Result<Summary> {
        if data.count() == 0 {
            return Err(Error::Data("there are no images to learn from".into()));
        }
        if run.precision == Precision::Bf16 && !F::BF16 {
            return Err(Error::Config(format!(
                "{} is not trained in bf16, which would lose its loss's digits; use --precision f32",
                F::NAME
            )));
        }
        if let Some(why) = F::alone(&self.config) {
            run.check_alone(F::NAME, why)?;
        }
        let started = Instant::now();
        self.config = F::resolve(self.config.clone())?;
        let (config, kind, device) = (self.config.clone(), F::kind(&self.config, data), run.device.clone());
        let begin = Begin::<F> { config: &config, kind: &kind, data };
        let (model, mut batches) = begin.on(&device, run.seed)?;
        let folder = run.folder.clone();
        let mut watch = |net: &Sampled<F>, images_seen: u64| match &folder {
            Some(folder) => {
                let fitted = Fitted::<F> { config: config.clone(), kind: kind.clone(), net: net.clone(), device: device.clone() };
                sheet(&fitted, &folder.join(format!("samples-{images_seen:010}.png")))
            }
            None => Ok(()),
        };
        let encode_secs = started.elapsed().as_secs_f64();
        let devices: Vec<String> = std::iter::once(&device).chain(&run.extra_devices).map(semblant_core::device::name).collect();
        run.observer.event(Event::Stage(&format!("training {} on {}", F::NAME, devices.join(" and "))));
        let Trained { sampled, summary } = begin.trained(model, &mut *batches, &mut watch, run)?;
        let net = F::finish(&config, sampled, data, run)?;
        self.fitted = Some(Fitted { config, kind, net, device });
        Ok(Summary { encode_secs, ..summary })
    }

    fn sample(&self, request: &SampleRequest) -> Result<Sample<Images>> {
        let fitted = self.fitted()?;
        sampled(&fitted.kind, request, |draws| F::make(fitted, &request.settings, draws, request.seed))
    }

    fn remake(&self, data: &Images, keep: Option<&Images>, request: &SampleRequest) -> Result<Sample<Images>> {
        F::remake(self.fitted()?, data, keep, request)
    }

    fn negative_log_likelihoods(&self, data: &Images, samples: usize, seed: u64) -> Result<Vec<f64>> {
        F::negative_log_likelihoods(self.fitted()?, data, samples, seed)
    }

    fn export_diffusers(&self, folder: &Path) -> Result<()> {
        F::export(self.fitted()?, folder)
    }

    fn save(&self, path: &Path) -> Result<()> {
        let fitted = self.fitted()?;
        let mut file = Checkpoint::new(F::NAME);
        file.set_metadata("config", &fitted.config, path)?;
        file.set_metadata("images", &fitted.kind, path)?;
        file.add_module("model", &fitted.net)?;
        file.write(path)
    }
}

impl<F: Family> Generator<F> {
    fn fitted(&self) -> Result<&Fitted<F>> {
        self.fitted.as_ref().ok_or_else(|| Error::Config("the model has not been fitted yet; call fit first".into()))
    }
}

/// The images that are asked for; `make` gives the pixels of draws.
///
/// # Errors
/// A class that is not known, and as `make`.
pub fn sampled(kind: &ImageKind, request: &SampleRequest, make: impl FnOnce(&[ImageDraw]) -> Result<Vec<f32>>) -> Result<Sample<Images>> {
    let class = kind.classes(request)?;
    let draws: Vec<ImageDraw> = match request.between {
        None => request.rows.clone().map(|row| ImageDraw { row, towards: None, class: class(row) }).collect(),
        Some([from, to]) => {
            let last = (request.rows.end - request.rows.start).saturating_sub(1).max(1) as f64;
            let share = |place: u64| (place - request.rows.start) as f64 / last;
            // One class all the way, that of the beginning.
            request.rows.clone().map(|place| ImageDraw { row: from, towards: Some((to, share(place))), class: class(from) }).collect()
        }
    };
    finished(kind, &draws, make(&draws)?)
}

/// One image for each of `data`, of the class that is asked for or else its own; `make` gives the pixels of draws, whose rows are the
/// places of the images.
///
/// # Errors
/// Images of another shape than the model's, a class that is not known, and as `make`.
pub fn remade(
    kind: &ImageKind,
    data: &Images,
    request: &SampleRequest,
    make: impl FnOnce(&[ImageDraw]) -> Result<Vec<f32>>,
) -> Result<Sample<Images>> {
    matching(kind, data)?;
    let class = kind.classes(request)?;
    let asked = request.balance.is_some() || !request.conditions.is_empty();
    // An image keeps its class unless another one is asked for; one whose class is not known gets none.
    let own = |row: u64| data.class_of(row as usize).filter(|_| data.class_names() == kind.class_names);
    let class = |row: u64| if asked { class(row) } else { own(row) };
    let draws: Vec<ImageDraw> = (0..data.count() as u64).map(|row| ImageDraw { row, towards: None, class: class(row) }).collect();
    finished(kind, &draws, make(&draws)?)
}

/// Refuses images of another shape than the model's.
///
/// # Errors
/// Names both shapes.
pub fn matching(kind: &ImageKind, images: &Images) -> Result<()> {
    let ImageShape { channels, height, width } = kind.shape;
    if images.shape()[1..] == [channels, height, width] {
        return Ok(());
    }
    Err(Error::Data(format!(
        "the images are {} x {} x {} (channels, rows, columns), the model makes {channels} x {height} x {width}; read them with that size",
        images.channels(),
        images.height(),
        images.width()
    )))
}

fn finished(kind: &ImageKind, draws: &[ImageDraw], pixels: Vec<f32>) -> Result<Sample<Images>> {
    let ImageShape { channels, height, width } = kind.shape;
    let classes: Option<Vec<u32>> = draws.iter().map(|draw| draw.class).collect();
    let classes = classes.filter(|_| !kind.class_names.is_empty()).map(|classes| (classes, kind.class_names.clone()));
    let data =
        Images::from_unit(&pixels, [draws.len(), channels, height, width], classes).map_err(|error| Error::Data(error.to_string()))?;
    Ok(Sample { data, drawn_rows: draws.len() as u64 })
}

/// A sheet of forty samples, every class in turn, so that a person sees what has been learnt so far.
fn sheet<F: Family>(fitted: &Fitted<F>, path: &Path) -> Result<()> {
    const ON_A_SHEET: u64 = 40;
    let classes = fitted.kind.class_names.len() as u64;
    let class = |row: u64| (classes > 0).then(|| (row % classes) as u32);
    let draws: Vec<ImageDraw> = (0..ON_A_SHEET).map(|row| ImageDraw { row, towards: None, class: class(row) }).collect();
    let pixels = F::make(fitted, &Value::Null, &draws, 0)?;
    let images = finished(&fitted.kind, &draws, pixels)?.data;
    let scale = (64 / fitted.kind.shape.height.max(fitted.kind.shape.width)).max(1);
    images.write_grid(path, 10, scale).map_err(|error| Error::Data(error.to_string()))
}
