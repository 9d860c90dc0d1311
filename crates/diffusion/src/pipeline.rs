//! Images in, a trained network, images out: the [`Synthesizer`] of every model of this family.

use std::hash::{Hash, Hasher};
use std::path::Path;
use std::time::Instant;

use burn::tensor::Device;
use semblant_core::checkpoint::Checkpoint;
use semblant_core::model::{Model, Sampler};
use semblant_core::optim::Optimizers;
use semblant_core::progress::Event;
use semblant_core::seeds::Stream;
use semblant_core::synthesizer::{Condition, Entry, Run, Sample, SampleRequest, Summary, Synthesizer, Wanted, settings};
use semblant_core::trainer::{Schedule, Trained, Trainer};
use semblant_core::{Error, Result};
use semblant_data::image::Images;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::exchange::{Pipeline, SchedulerConfig, write_folder};
use crate::models::{Batch, Batches, Training};
use crate::networks::{ImageShape, Net, NetConfig};
use crate::process::Prediction;
use crate::sampler::{DiffusionSampler, ImageDraw, Start};
use crate::schedule::Plan;
use crate::solvers::Sampling;

/// What tells one model of this family from another.
pub(crate) trait Family: Model<Batch = Batch, Sampled = Net> + 'static {
    const NAME: &'static str;
    const SUMMARY: &'static str;
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

/// The shape of the images and their classes: what a model file holds of its training data.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImageKind {
    /// The shape of an image.
    pub shape: ImageShape,
    /// The classes in order; none when the images had none.
    pub class_names: Vec<String>,
    /// How many images each class had.
    pub class_counts: Vec<usize>,
}

impl ImageKind {
    /// The kind of these images.
    pub fn of(images: &Images) -> Self {
        let shape = ImageShape { channels: images.channels(), height: images.height(), width: images.width() };
        Self { shape, class_names: images.class_names().to_vec(), class_counts: images.class_counts() }
    }

    fn check(&self) -> Result<()> {
        let ImageShape { channels, height, width } = self.shape;
        let sound =
            self.class_counts.len() == self.class_names.len() && (self.class_names.is_empty() || self.class_counts.iter().any(|&n| n > 0));
        if !sound || channels == 0 || height == 0 || width == 0 || height.max(width) > 1 << 15 || channels > 1 << 12 {
            return Err(Error::Config("the file describes images that cannot be; fit the model again".into()));
        }
        Ok(())
    }

    /// The class of each row: the one asked for, each in turn, or drawn with the frequency that it has in the training images.
    fn classes(&self, request: &SampleRequest) -> Result<Box<dyn Fn(u64) -> Option<u32> + '_>> {
        let count = self.class_names.len() as u64;
        if let Some(column) = &request.balance {
            is_class(column)?;
            self.has_classes()?;
            if !request.conditions.is_empty() {
                return Err(Error::Condition("the classes cannot both be balanced and be asked for; leave one of the two out".into()));
            }
            return Ok(Box::new(move |row| Some((row % count) as u32)));
        }
        if let Some(class) = self.asked_class(&request.conditions)? {
            return Ok(Box::new(move |_| Some(class)));
        }
        if count == 0 {
            return Ok(Box::new(|_| None));
        }
        let total: usize = self.class_counts.iter().sum();
        let stream = Stream::new(request.seed, CLASS);
        Ok(Box::new(move |row| {
            let mut left = stream.below(row, 0, total as u64) as usize;
            let drawn = self.class_counts.iter().position(|&count| {
                let here = left < count;
                left = left.saturating_sub(count);
                here
            });
            drawn.map(|class| class as u32)
        }))
    }

    fn has_classes(&self) -> Result<()> {
        if self.class_names.is_empty() {
            return Err(Error::Condition("the model was fitted on images without classes; leave the class out".into()));
        }
        Ok(())
    }

    fn asked_class(&self, conditions: &[Condition]) -> Result<Option<u32>> {
        let mut found = None;
        for condition in conditions {
            is_class(&condition.column)?;
            self.has_classes()?;
            let Wanted::Is(name) = &condition.wanted else {
                return Err(Error::Condition("a class is a name, not a range; write class=NAME".into()));
            };
            let class = self
                .class_names
                .iter()
                .position(|known| known == name)
                .ok_or_else(|| Error::Condition(format!("no class is called \"{name}\"; there are {}", self.class_names.join(", "))))?;
            if found.is_some_and(|other| other != class as u32) {
                return Err(Error::Condition("no image is of two classes; ask for one".into()));
            }
            found = Some(class as u32);
        }
        Ok(found)
    }
}

fn is_class(column: &str) -> Result<()> {
    if column != "class" {
        return Err(Error::Condition(format!("images have no \"{column}\", only a class; write class=NAME")));
    }
    Ok(())
}

/// The purpose of the random number that draws a sample's class.
const CLASS: u32 = 0x0100_0002;

/// A fitted or unfitted model of images.
pub(crate) struct Diffusion<F: Family> {
    config: F::Config,
    fitted: Option<Fitted>,
}

struct Fitted {
    kind: ImageKind,
    net: Net,
    device: Device,
}

/// The registry's entry of a family.
pub(crate) const fn entry<F: Family>() -> Entry<Images> {
    Entry { name: F::NAME, summary: F::SUMMARY, build: build::<F>, load: load::<F> }
}

fn build<F: Family>(values: serde_json::Value) -> Result<Box<dyn Synthesizer<Data = Images>>> {
    let config: F::Config = settings(F::NAME, values)?;
    F::check(&config)?;
    // What sampling would refuse is refused before the training, not after it.
    let (_, _, sampling) = F::parts(&config);
    sampling.check_on(&F::plan(&config, sampling.steps)?)?;
    Ok(Box::new(Diffusion::<F> { config, fitted: None }))
}

fn load<F: Family>(file: &Checkpoint, path: &Path, device: &Device) -> Result<Box<dyn Synthesizer<Data = Images>>> {
    let config: F::Config = file.metadata_as("config", path)?;
    let kind: ImageKind = file.metadata_as("images", path)?;
    let net = || -> Result<Net> {
        F::check(&config)?;
        kind.check()?;
        empty_net::<F>(&config, &kind, 0, device)
    };
    let net = net().map_err(|error| Error::checkpoint(path, error.to_string()))?;
    let net = file.load_module("model", net, path)?;
    Ok(Box::new(Diffusion::<F> { config, fitted: Some(Fitted { kind, net, device: device.clone() }) }))
}

fn empty_net<F: Family>(config: &F::Config, kind: &ImageKind, seed: u64, device: &Device) -> Result<Net> {
    let (network, training, _) = F::parts(config);
    network.check(&kind.shape)?;
    Ok(network.build(&kind.shape, kind.class_names.len(), training.augmentation > 0.0, seed, device))
}

impl<F: Family> Synthesizer for Diffusion<F> {
    type Data = Images;

    fn fit(&mut self, data: &Images, run: &mut Run) -> Result<Summary> {
        if data.count() == 0 {
            return Err(Error::Data("there are no images to learn from".into()));
        }
        let started = Instant::now();
        let kind = ImageKind::of(data);
        self.config = F::resolve(self.config.clone())?;
        let (_, training, _) = F::parts(&self.config);
        let device = run.device.clone();
        let net = F::start(&self.config, &kind, empty_net::<F>(&self.config, &kind, run.seed, &device.clone().autodiff())?)?;
        let model = F::new(&self.config, net);
        let mut batches = Batches::new(data.clone(), training, &device);
        let schedule = Schedule {
            steps: training.steps(),
            batch_rows: training.batch_images,
            tick_rows: training.tick_images,
            checkpoint_rows: training.checkpoint_images,
            patience_ticks: 0,
        };
        let folder = run.folder.clone();
        let mut watch = |net: &Net, images_seen: u64| match &folder {
            Some(folder) => sheet::<F>(&self.config, net, &kind, &device, &folder.join(format!("samples-{images_seen:010}.png"))),
            None => Ok(()),
        };
        let trainer = Trainer {
            schedule,
            ema: training.ema,
            batch: &mut |step| batches.of(step),
            score: None,
            watch: Some(&mut watch),
            fingerprint: fingerprint(F::NAME, &self.config, data, run.seed),
        };
        let encode_secs = started.elapsed().as_secs_f64();
        run.observer.event(Event::Stage(&format!("training {} on {}", F::NAME, semblant_core::device::name(&device))));
        let optimizers = Optimizers::default().with("network", training.optimizer);
        let Trained { sampled, summary } = trainer.fit(model, optimizers, run)?;
        self.fitted = Some(Fitted { kind, net: sampled, device });
        Ok(Summary { encode_secs, ..summary })
    }

    fn sample(&self, request: &SampleRequest) -> Result<Sample<Images>> {
        let Fitted { kind, net, device } = self.fitted()?;
        sample(&sampler::<F>(&self.config, net, kind, &request.settings, device)?, kind, request)
    }

    fn remake(&self, data: &Images, keep: Option<&Images>, request: &SampleRequest) -> Result<Sample<Images>> {
        let Fitted { kind, net, device } = self.fitted()?;
        remake(sampler::<F>(&self.config, net, kind, &request.settings, device)?, kind, data, keep, request)
    }

    fn export_diffusers(&self, folder: &Path) -> Result<()> {
        let Fitted { kind, net, .. } = self.fitted()?;
        let scheduler = Some(F::scheduler(&self.config)?);
        write_folder(folder, &Pipeline { network: net.clone(), scheduler, class_names: kind.class_names.clone() })
    }

    fn save(&self, path: &Path) -> Result<()> {
        let Fitted { kind, net, .. } = self.fitted()?;
        let mut file = Checkpoint::new(F::NAME);
        let mut put = |key: &str, value: serde_json::Result<String>| -> Result<()> {
            file.metadata.insert(key.into(), value.map_err(|error| Error::checkpoint(path, error.to_string()))?);
            Ok(())
        };
        put("config", serde_json::to_string(&self.config))?;
        put("images", serde_json::to_string(kind))?;
        file.add_module("model", net)?;
        file.write(path)
    }
}

impl<F: Family> Diffusion<F> {
    fn fitted(&self) -> Result<&Fitted> {
        self.fitted.as_ref().ok_or_else(|| Error::Config("the model has not been fitted yet; call fit first".into()))
    }
}

/// The model's settings for sampling, with those that were asked for laid over them.
fn sampler<'a, F: Family>(
    config: &F::Config,
    net: &'a Net,
    kind: &ImageKind,
    asked: &serde_json::Value,
    device: &Device,
) -> Result<DiffusionSampler<'a>> {
    let sampling = overlaid(F::parts(config).2, asked)?;
    sampling.check()?;
    let plan = F::plan(config, sampling.steps)?;
    DiffusionSampler::new(net, kind.shape, kind.class_names.len(), F::prediction(config), plan, &sampling, device)
}

/// Makes the images that are asked for.
pub(crate) fn sample(sampler: &DiffusionSampler<'_>, kind: &ImageKind, request: &SampleRequest) -> Result<Sample<Images>> {
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
    make(sampler, kind, &draws, request.seed)
}

/// Makes images out of `data`.
pub(crate) fn remake(
    sampler: DiffusionSampler<'_>,
    kind: &ImageKind,
    data: &Images,
    keep: Option<&Images>,
    request: &SampleRequest,
) -> Result<Sample<Images>> {
    let ImageShape { channels, height, width } = kind.shape;
    for images in std::iter::once(data).chain(keep) {
        if images.shape()[1..] != [channels, height, width] {
            return Err(Error::Data(format!(
                "the images are {} x {} x {} (channels, rows, columns), the model makes {channels} x {height} x {width}; read them with that size",
                images.channels(),
                images.height(),
                images.width()
            )));
        }
    }
    if keep.is_some_and(|keep| keep.count() != 1) {
        return Err(Error::Data("what is to be kept must be one image, bright where it stays".into()));
    }
    let every: Vec<usize> = (0..data.count()).collect();
    let keep = keep.map(|keep| keep.units_of(&[0]).into_iter().map(|unit| if unit > 0.0 { 1.0 } else { 0.0 }).collect());
    let sampler = sampler.from_images(Start { pixels: data.units_of(&every), keep, first_row: 0 });
    let class = kind.classes(request)?;
    let asked = request.balance.is_some() || !request.conditions.is_empty();
    // An image keeps its class unless another one is asked for; one whose class is not known gets none.
    let own = |row: u64| data.class_of(row as usize).filter(|_| data.class_names() == kind.class_names);
    let class = |row: u64| if asked { class(row) } else { own(row) };
    let draws: Vec<ImageDraw> = (0..data.count() as u64).map(|row| ImageDraw { row, towards: None, class: class(row) }).collect();
    make(&sampler, kind, &draws, request.seed)
}

pub(crate) fn overlaid(own: &Sampling, asked: &serde_json::Value) -> Result<Sampling> {
    let failed = |error: serde_json::Error| Error::Config(format!("settings for sampling: {error}"));
    let mut values = serde_json::to_value(own).map_err(failed)?;
    match (values.as_object_mut(), asked) {
        (_, serde_json::Value::Null) => {}
        (Some(values), serde_json::Value::Object(asked)) => values.extend(asked.clone()),
        _ => return Err(Error::Config("settings for sampling are a table of names and values".into())),
    }
    serde_json::from_value(values).map_err(failed)
}

fn make(sampler: &DiffusionSampler<'_>, kind: &ImageKind, draws: &[ImageDraw], seed: u64) -> Result<Sample<Images>> {
    let pixels = sampler.make(draws, seed);
    let ImageShape { channels, height, width } = kind.shape;
    let classes: Option<Vec<u32>> = draws.iter().map(|draw| draw.class).collect();
    let classes = classes.filter(|_| !kind.class_names.is_empty()).map(|classes| (classes, kind.class_names.clone()));
    let data =
        Images::from_unit(&pixels, [draws.len(), channels, height, width], classes).map_err(|error| Error::Data(error.to_string()))?;
    Ok(Sample { data, drawn_rows: draws.len() as u64 })
}

/// A sheet of forty samples, every class in turn, so that a person sees what has been learnt so far.
fn sheet<F: Family>(config: &F::Config, net: &Net, kind: &ImageKind, device: &Device, path: &Path) -> Result<()> {
    const ON_A_SHEET: u64 = 40;
    let sampler = sampler::<F>(config, net, kind, &serde_json::Value::Null, device)?;
    let classes = kind.class_names.len() as u64;
    let class = |row: u64| (classes > 0).then(|| (row % classes) as u32);
    let draws: Vec<ImageDraw> = (0..ON_A_SHEET).map(|row| ImageDraw { row, towards: None, class: class(row) }).collect();
    let images = make(&sampler, kind, &draws, 0)?.data;
    let scale = (64 / kind.shape.height.max(kind.shape.width)).max(1);
    images.write_grid(path, 10, scale).map_err(|error| Error::Data(error.to_string()))
}

/// Names images, settings and seed, so that a saved state is not taken up by another run.
fn fingerprint<C: Serialize>(name: &str, config: &C, images: &Images, seed: u64) -> String {
    // SipHash with its fixed keys: stable for one build of the standard library, and a changed build is a reason to start anew.
    #[allow(deprecated)]
    let mut hasher = std::hash::SipHasher::new();
    (name, seed, serde_json::to_string(config).ok(), images.shape(), images.class_names()).hash(&mut hasher);
    images.pixels().hash(&mut hasher);
    images.classes().hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}
