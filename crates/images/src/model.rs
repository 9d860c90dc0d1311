//! The [`Synthesizer`] of every image model.

use std::path::Path;
use std::time::Instant;

use burn::tensor::Device;
use semblant_core::checkpoint::Checkpoint;
use semblant_core::config::{self, Config};
use semblant_core::memory::Memory;
use semblant_core::model::{Model, Step};
use semblant_core::optim::Optimizers;
use semblant_core::precision::Precision;
use semblant_core::progress::Event;
use semblant_core::synthesizer::{Entry, Export, Likelihood, Rebuild, Run, Sample, Summary, Synthesizer, not_fitted};
use semblant_core::train_config::TrainConfig;
use semblant_core::trainer::Trained;
use semblant_core::{Error, Result};
use semblant_data::image::{ClassRequest, ImageRequest, Images};
use serde_json::{Map, Value};

use crate::draw::ImageDraw;
use crate::kind::{ImageKind, ImageShape};
use crate::workers::Begin;

/// The networks that a model samples with.
pub(crate) type Sampled<C> = <<C as ImageModel>::Model as Model>::Sampled;
/// The batch of a training step.
pub(crate) type Batch<C> = <<C as ImageModel>::Model as Model>::Batch;

/// Makes the batch of a step, as a function of the step alone.
pub type MakeBatch<B> = Box<dyn FnMut(&Step) -> B>;

/// An image model, implemented by its configuration. What only some models can do is an associated constant: none means that this one
/// cannot.
pub trait ImageModel: Config {
    /// The name that `--model` takes and the model file holds.
    const NAME: &'static str;
    /// What it is, in one line.
    const SUMMARY: &'static str;
    /// Whether its training may compute products in bf16: only where that was shown to work. Gradient penalties, and losses of two outputs
    /// that are nearly equal, would be lost to rounding.
    const BF16: bool = false;
    /// What is trained.
    type Model: Model;

    /// The configuration with what it refers to; called before a fit.
    ///
    /// # Errors
    /// A file that the settings name and that cannot be read.
    fn resolve(self) -> Result<Self> {
        Ok(self)
    }
    /// Why it cannot be trained on several devices at once, if it cannot: its loss is no mean over images, or a step changes more than
    /// weights.
    fn single_device(&self) -> Option<&'static str>;
    /// What it learns of the images: a model without class conditioning leaves the classes out.
    fn kind(&self, images: &Images) -> ImageKind {
        ImageKind::of(images)
    }
    /// How long it is trained.
    fn train(&self) -> &TrainConfig;
    /// The optimizers by the names that [`Model::train_step`] uses.
    fn optimizers(&self) -> Optimizers;
    /// A fresh model on a device with autodiff.
    ///
    /// # Errors
    /// Settings that do not fit images of this kind.
    fn init(&self, kind: &ImageKind, seed: u64, device: &Device) -> Result<Self::Model>;
    /// Networks of the right structure, on a device without autodiff, to load weights into.
    ///
    /// # Errors
    /// As [`ImageModel::init`].
    fn init_sampled(&self, kind: &ImageKind, device: &Device) -> Result<Sampled<Self>>;
    /// Makes the batch of a step. `device` is the one without autodiff.
    ///
    /// # Errors
    /// Images that cannot be prepared.
    fn batches(&self, images: &Images, device: &Device) -> Result<MakeBatch<Batch<Self>>>;
    /// Work that is left when training has ended, such as fitting a density to the latent vectors of the images.
    ///
    /// # Errors
    /// As the work's.
    fn finish(&self, sampled: Sampled<Self>, _: &Images, _: &mut Run) -> Result<Sampled<Self>> {
        Ok(sampled)
    }
    /// Pixels of the draws in -1 to 1 and a little beyond, `[draws, channels, height, width]` row-major. `settings` are laid over the model's
    /// own sampling settings. An image depends on its own draw and the seed alone.
    ///
    /// # Errors
    /// Settings that are not known or out of range.
    fn generate(fitted: &Fitted<Self>, settings: &Map<String, Value>, draws: &[ImageDraw], seed: u64) -> Result<Vec<f32>>;

    /// Makes images from images; see [`Rebuild::rebuild`].
    const REBUILD: Option<fn(&Fitted<Self>, &Images, Option<&Images>, &ImageRequest) -> Result<Sample<Images>>> = None;
    /// Negative log-likelihoods; see [`Likelihood::negative_log_likelihoods`].
    const LIKELIHOOD: Option<fn(&Fitted<Self>, &Images, usize, u64) -> Result<Vec<f64>>> = None;
    /// Writes a folder that Python's diffusers opens.
    const DIFFUSERS: Option<fn(&Fitted<Self>, &Path) -> Result<()>> = None;
}

/// A fitted model: what its file holds.
pub struct Fitted<C: ImageModel> {
    /// Its settings.
    pub config: C,
    /// The images that it learned from.
    pub kind: ImageKind,
    /// Its networks.
    pub net: Sampled<C>,
    /// Where they are.
    pub device: Device,
}

/// An image model with its configuration, fitted or not.
pub struct ImageSynthesizer<C: ImageModel> {
    config: C,
    fitted: Option<Fitted<C>>,
}

impl<C: ImageModel> ImageSynthesizer<C> {
    /// An unfitted model.
    ///
    /// # Errors
    /// A setting out of its range.
    pub fn new(config: C) -> Result<Self> {
        config.check()?;
        Ok(Self { config, fitted: None })
    }

    /// A model that was fitted elsewhere.
    pub fn from_fitted(fitted: Fitted<C>) -> Self {
        Self { config: fitted.config.clone(), fitted: Some(fitted) }
    }

    /// The fitted model in a file.
    ///
    /// # Errors
    /// A file that is missing, damaged, or holds another model.
    pub fn load(path: impl AsRef<Path>, device: &Device) -> Result<Self> {
        let path = path.as_ref();
        Self::from_checkpoint(&Checkpoint::read(path)?, path, device)
    }

    /// The fitted model in a file that was read from `path`.
    ///
    /// # Errors
    /// As [`ImageSynthesizer::load`].
    pub fn from_checkpoint(file: &Checkpoint, path: &Path, device: &Device) -> Result<Self> {
        file.expect_model(C::NAME, path)?;
        let config: C = config::of_file(file, path)?;
        let kind: ImageKind = file.metadata_as("images", path)?;
        let empty = || kind.check().and_then(|()| config.init_sampled(&kind, device));
        let net = empty().map_err(|error| Error::checkpoint(path, error.to_string()))?;
        let net = file.load_module("model", net, path)?;
        Ok(Self::from_fitted(Fitted { config, kind, net, device: device.clone() }))
    }

    /// The settings.
    pub fn config(&self) -> &C {
        &self.config
    }

    /// What was learned.
    ///
    /// # Errors
    /// A model that was not fitted.
    pub fn fitted(&self) -> Result<&Fitted<C>> {
        self.fitted.as_ref().ok_or_else(not_fitted)
    }
}

impl<C: ImageModel> Default for ImageSynthesizer<C> {
    /// An unfitted model with the default settings.
    fn default() -> Self {
        Self { config: C::default(), fitted: None }
    }
}

/// The registry's entry of a model.
pub const fn entry<C: ImageModel>() -> Entry<Images> {
    Entry { name: C::NAME, summary: C::SUMMARY, build: build::<C>, settings: config::settings::<C>, load: load::<C> }
}

fn build<C: ImageModel>(values: Value) -> Result<Box<dyn Synthesizer<Images>>> {
    Ok(Box::new(ImageSynthesizer::<C>::new(config::from_value(C::NAME, values)?)?))
}

fn load<C: ImageModel>(file: &Checkpoint, path: &Path, device: &Device) -> Result<Box<dyn Synthesizer<Images>>> {
    Ok(Box::new(ImageSynthesizer::<C>::from_checkpoint(file, path, device)?))
}

impl<C: ImageModel> Synthesizer<Images> for ImageSynthesizer<C> {
    fn fit(&mut self, data: &Images, run: &mut Run) -> Result<Summary> {
        if data.count() == 0 {
            return Err(Error::Data("there are no images to learn from".into()));
        }
        if run.precision == Precision::Bf16 && !C::BF16 {
            let what = format!("{} cannot be trained in bf16, which rounds its loss away; use --precision f32", C::NAME);
            return Err(Error::Config(what));
        }
        if let Some(why) = self.config.single_device() {
            run.check_single_device(C::NAME, why)?;
        }
        let started = Instant::now();
        let (images, [_, channels, height, width]) = (self.config.train().batch_rows, data.shape());
        let batch = format!("a batch of {images} images of {height} x {width} pixels");
        Memory::of_process().check(batch, images, 4 * (channels * height * width) as u64)?;
        self.config = self.config.clone().resolve()?;
        let (config, kind, device) = (self.config.clone(), self.config.kind(data), run.device.clone());
        let begin = Begin::<C> { config: &config, kind: &kind, data };
        let (model, mut batches) = begin.on(&device, run.seed)?;
        let folder = run.folder.clone();
        let mut watch = |net: &Sampled<C>, images_seen: u64| match &folder {
            Some(folder) => {
                let fitted = Fitted::<C> { config: config.clone(), kind: kind.clone(), net: net.clone(), device: device.clone() };
                sheet(&fitted, &folder.join(format!("samples-{images_seen:010}.png")))
            }
            None => Ok(()),
        };
        let encode_secs = started.elapsed().as_secs_f64();
        let devices: Vec<String> = std::iter::once(&device).chain(&run.extra_devices).map(semblant_core::device::name).collect();
        run.observer.event(Event::Stage(&format!("training {} on {}", C::NAME, devices.join(" and "))));
        let Trained { sampled, summary } = begin.trained(model, &mut *batches, &mut watch, run)?;
        let net = config.finish(sampled, data, run)?;
        self.fitted = Some(Fitted { config, kind, net, device });
        Ok(summary.with_encode_secs(encode_secs))
    }

    fn sample(&self, request: &ImageRequest) -> Result<Sample<Images>> {
        let fitted = self.fitted()?;
        sampled(&fitted.kind, request, |draws| C::generate(fitted, &request.settings, draws, request.seed))
    }

    fn save(&self, path: &Path) -> Result<()> {
        let fitted = self.fitted()?;
        let mut file = Checkpoint::of::<Images>(C::NAME);
        file.set_metadata("config", &fitted.config, path)?;
        file.set_metadata("images", &fitted.kind, path)?;
        file.add_module("model", &fitted.net)?;
        file.write(path)
    }

    fn likelihood(&self) -> Option<&dyn Likelihood<Images>> {
        C::LIKELIHOOD.map(|_| self as _)
    }

    fn rebuild(&self) -> Option<&dyn Rebuild<Images>> {
        C::REBUILD.map(|_| self as _)
    }

    fn export(&self) -> Option<&dyn Export> {
        C::DIFFUSERS.map(|_| self as _)
    }
}

/// The error of a capability that [`Synthesizer`] did not hand out.
fn cannot<C: ImageModel>(what: &str) -> Error {
    Error::Config(format!("{} models cannot {what}", C::NAME))
}

impl<C: ImageModel> Likelihood<Images> for ImageSynthesizer<C> {
    fn negative_log_likelihoods(&self, data: &Images, samples: usize, seed: u64) -> Result<Vec<f64>> {
        C::LIKELIHOOD.ok_or_else(|| cannot::<C>("estimate a likelihood"))?(self.fitted()?, data, samples, seed)
    }
}

impl<C: ImageModel> Rebuild<Images> for ImageSynthesizer<C> {
    fn rebuild(&self, init: &Images, mask: Option<&Images>, request: &ImageRequest) -> Result<Sample<Images>> {
        C::REBUILD.ok_or_else(|| cannot::<C>("make images from images"))?(self.fitted()?, init, mask, request)
    }
}

impl<C: ImageModel> Export for ImageSynthesizer<C> {
    fn formats(&self) -> &'static [&'static str] {
        &["diffusers"]
    }

    fn export(&self, format: &str, folder: &Path) -> Result<()> {
        match C::DIFFUSERS {
            Some(write) if format == "diffusers" => write(self.fitted()?, folder),
            _ => Err(cannot::<C>(&format!("be written as {format}"))),
        }
    }
}

/// The images of a request; `make` gives the pixels of draws.
///
/// # Errors
/// A class that is not known, and as `make`.
pub fn sampled(kind: &ImageKind, request: &ImageRequest, make: impl FnOnce(&[ImageDraw]) -> Result<Vec<f32>>) -> Result<Sample<Images>> {
    let class = kind.classes(request)?;
    kind.check_memory(usize::try_from(request.rows.end.saturating_sub(request.rows.start)).unwrap_or(usize::MAX))?;
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

/// One image for each of `init`, of the class of the request or else its own; `make` gives the pixels of draws, whose rows are the positions
/// of the images.
///
/// # Errors
/// Images of another shape than the model's, a class that is not known, and as `make`.
pub fn rebuilt(
    kind: &ImageKind,
    init: &Images,
    request: &ImageRequest,
    make: impl FnOnce(&[ImageDraw]) -> Result<Vec<f32>>,
) -> Result<Sample<Images>> {
    if request.between.is_some() {
        return Err(Error::Config("images are interpolated between noises, not between images; leave --interpolate or --from out".into()));
    }
    check_shape(kind, init)?;
    kind.check_memory(init.count())?;
    let class = kind.classes(request)?;
    // An image keeps its class unless the request names one; an image whose class is not known has none.
    let own = |row: u64| init.class_of(row as usize).filter(|_| init.class_names() == kind.class_names);
    let class = |row: u64| if request.class == ClassRequest::AsLearned { own(row) } else { class(row) };
    let draws: Vec<ImageDraw> = (0..init.count() as u64).map(|row| ImageDraw { row, towards: None, class: class(row) }).collect();
    finished(kind, &draws, make(&draws)?)
}

/// Refuses images of another shape than the model's.
///
/// # Errors
/// Names both shapes.
pub fn check_shape(kind: &ImageKind, images: &Images) -> Result<()> {
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

/// A sheet of forty samples, every class in turn, so that a person sees what has been learned so far.
fn sheet<C: ImageModel>(fitted: &Fitted<C>, path: &Path) -> Result<()> {
    const ON_A_SHEET: u64 = 40;
    let classes = fitted.kind.class_names.len() as u64;
    let class = |row: u64| (classes > 0).then(|| (row % classes) as u32);
    let draws: Vec<ImageDraw> = (0..ON_A_SHEET).map(|row| ImageDraw { row, towards: None, class: class(row) }).collect();
    let pixels = C::generate(fitted, &Map::new(), &draws, 0)?;
    let images = finished(&fitted.kind, &draws, pixels)?.data;
    let scale = (64 / fitted.kind.shape.height.max(fitted.kind.shape.width)).max(1);
    images.write_grid(path, 10, scale).map_err(|error| Error::Data(error.to_string()))
}
