//! A small classifier of images, whose last layer before the classes gives the features that synthetic and real images are compared in.
//!
//! Features of a network trained on photographs are of little use for digits or other small images, so this network is trained on the real
//! images. Scores of two classifiers are not comparable; its architecture, seed, accuracy and hash are part of every report.

use std::path::Path;

use burn::module::{Module, Param};
use burn::optim::GradientsParams;
use burn::tensor::activation::{log_softmax, relu};
use burn::tensor::module::max_pool2d;
use burn::tensor::ops::MaxPoolOptions;
use burn::tensor::{Device, Int, Tensor, TensorData};
use semblant_core::checkpoint::Checkpoint;
use semblant_core::ema::Ema;
use semblant_core::model::{Losses, Model, Step};
use semblant_core::nn::{self, Init, Linear, LinearConfig};
use semblant_core::optim::{Adam, LrSchedule, Optimizers};
use semblant_core::passes::Passes;
use semblant_core::seeds::streams::{CLASSIFIER_WEIGHTS, TRAINING};
use semblant_core::synthesizer::Run;
use semblant_core::trainer::{TrainSchedule, Trained, Trainer};
use semblant_core::{Error, Result, config, host, streams};
use semblant_data::image::augment::Augmentation;
use semblant_data::image::{DeviceImages, Images};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::extractor::{FeatureExtractor, Provenance, accuracy};

/// How the classifier is built and trained.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ClassifierConfig {
    /// Channels of the two convolutions.
    pub channels: [usize; 2],
    /// Width of the layer whose values are the features.
    pub features: usize,
    /// Images per training run, repeats included.
    pub images: u64,
    /// Images of one step.
    pub batch_images: u64,
    /// The largest learning rate.
    pub learning_rate: f64,
}

impl Default for ClassifierConfig {
    fn default() -> Self {
        Self { channels: [16, 32], features: 64, images: 300_000, batch_images: 100, learning_rate: 2e-3 }
    }
}

/// Two 3 x 3 convolutions with pooling after each, a layer of features, and one score a class.
#[derive(Module, Debug)]
struct Net {
    /// `[channels, image channels, 3, 3]`.
    first: Param<Tensor<4>>,
    first_bias: Param<Tensor<1>>,
    /// `[channels, channels, 3, 3]`.
    second: Param<Tensor<4>>,
    second_bias: Param<Tensor<1>>,
    features: Linear,
    scores: Linear,
}

streams! {
    in TRAINING;
    const ORDER = 0..1;
    const AUGMENTATION = 1..2;
}

/// The most channels, or features.
const MOST_WIDTH: usize = 1 << 16;

impl Net {
    fn new(config: &ClassifierConfig, shape: [usize; 3], classes: usize, seed: u64, device: &Device) -> Self {
        let [channels, height, width] = shape;
        let stream = |number| CLASSIFIER_WEIGHTS.nth(seed, number);
        let convolution = |inputs: usize, outputs: usize, number| {
            // He initialisation: half of the values do not pass the rectifier.
            let spread = (2.0 / (9 * inputs) as f32).sqrt();
            nn::drawn(Init::Normal(spread), (0, 0), [outputs, inputs, 3, 3], (stream(number), 0), device)
        };
        let [one, two] = config.channels;
        let left = two * (height / 2 / 2).max(1) * (width / 2 / 2).max(1);
        Self {
            first: convolution(channels, one, 0),
            first_bias: nn::filled([one], device, 0.0),
            second: convolution(one, two, 1),
            second_bias: nn::filled([two], device, 0.0),
            features: LinearConfig::new(left, config.features).with_init(Init::Xavier).init(stream(2), device),
            scores: LinearConfig::new(config.features, classes).with_init(Init::Xavier).init(stream(3), device),
        }
    }

    /// `[batch, channels, height, width]` gives `[batch, features]`, none below 0.
    fn features(&self, x: Tensor<4>) -> Tensor<2> {
        let x = halved(relu(convolved(x, &self.first, &self.first_bias))); // [batch, channels, height / 2, width / 2]
        let x = halved(relu(convolved(x, &self.second, &self.second_bias))); // [batch, channels, height / 4, width / 4]
        relu(self.features.forward(x.flatten::<2>(1, 3)))
    }

    /// `[batch, features]` gives the logarithm of each class's share, `[batch, classes]`.
    fn shares(&self, features: Tensor<2>) -> Tensor<2> {
        log_softmax(self.scores.forward(features), 1)
    }
}

fn convolved(x: Tensor<4>, weight: &Param<Tensor<4>>, bias: &Param<Tensor<1>>) -> Tensor<4> {
    nn::conv2d(x, weight.val(), Some(bias.val()), 1, [1; 4])
}

/// Pooled over squares of two; images of one row or column stay as they are.
fn halved(x: Tensor<4>) -> Tensor<4> {
    let [_, _, height, width] = x.dims();
    let of = |side: usize| side.min(2);
    let size = [of(height), of(width)];
    max_pool2d(x, MaxPoolOptions::new(size))
}

#[derive(Module, Debug)]
struct Learning {
    net: Net,
}

impl Model for Learning {
    type Batch = (Tensor<4>, Tensor<1, Int>);
    type Sampled = Net;

    fn sampled(&self) -> Net {
        self.net.valid()
    }

    fn train_step(mut self, (images, classes): Self::Batch, optimizers: &mut Optimizers, step: &Step) -> (Self, Losses) {
        let shares = self.net.shares(self.net.features(images)); // [batch, classes]
        let loss = shares.gather(1, classes.unsqueeze_dim::<2>(1)).mean().neg();
        let losses = Losses::default().with("cross_entropy", loss.clone());
        let gradients = GradientsParams::from_grads(loss.backward(), &self.net);
        self.net = optimizers.step("network", self.net, gradients, step);
        (self, losses)
    }
}

/// A trained classifier.
#[derive(Debug)]
pub struct Classifier {
    net: Net,
    about: About,
    device: Device,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct About {
    config: ClassifierConfig,
    /// Channels, height, width.
    shape: [usize; 3],
    class_names: Vec<String>,
    seed: u64,
    accuracy: Option<f64>,
}

/// Images per batch.
const AT_ONCE: usize = 250;
/// The name that a model file has for a classifier.
const NAME: &str = "classifier";

impl Classifier {
    /// Trains a classifier on `train`, and measures it on `test`.
    ///
    /// # Errors
    /// Images without classes or of fewer than two, a test set of another kind, and as the trainer's.
    pub fn fit(train: &Images, test: Option<&Images>, config: &ClassifierConfig, run: &mut Run) -> Result<Self> {
        let names = train.class_names();
        if names.len() < 2 {
            return Err(Error::Data("a classifier needs images of at least two classes".into()));
        }
        let shape = kind(train);
        let sizes = [config.channels[0], config.channels[1], config.features, config.batch_images as usize, config.images as usize];
        if sizes.contains(&0) {
            return Err(Error::Config("channels, features, images and batch_images of a classifier must be at least 1".into()));
        }
        let device = run.device.clone();
        let held = DeviceImages::new(train.clone(), &device);
        let mut passes = Passes::new(train.count(), ORDER);
        let mut batch = |step: &Step| {
            let indices = passes.batch(step);
            // Small shifts, turns and sizes, so that it sees shapes and not places.
            let augmentation =
                Augmentation { x_flip: 0.0, y_flip: 0.0, stretch: 0.0, turn: 0.08, shift_deviation: 0.05, ..Augmentation::edm(0.5) };
            let (images, _) = augmentation.apply(&step.stream(AUGMENTATION), step.rows_seen, train, &indices).into_tensors(&device);
            let classes = held.batch_classes(&indices).expect("the images have classes");
            (Tensor::from_inner(images), Tensor::from_inner(classes))
        };
        let steps = config.images.div_ceil(config.batch_images);
        let schedule = TrainSchedule { steps, batch_rows: config.batch_images, ..TrainSchedule::default() };
        let fingerprint = format!("classifier {} {}", run.seed, serde_json::json!(config));
        let trainer = Trainer::new(schedule, Ema { half_life_rows: 5_000.0, ..Ema::default() }, fingerprint, &mut batch);
        let net = Net::new(config, shape, names.len(), run.seed, &device.clone().autodiff());
        let adam = Adam { learning_rate: config.learning_rate, schedule: LrSchedule::Cosine, ..Adam::default() };
        let Trained { sampled, .. } = trainer.fit(Learning { net }, Optimizers::default().with("network", adam), run)?;
        let about = About { config: config.clone(), shape, class_names: names.to_vec(), seed: run.seed, accuracy: None };
        let mut classifier = Self { net: sampled, about, device: run.device.clone() };
        classifier.about.accuracy = test.map(|test| classifier.accuracy(test)).transpose()?;
        Ok(classifier)
    }

    /// Features `[images, width]`, row-major, in the order of the images.
    ///
    /// # Errors
    /// Images of another size than the classifier was trained on.
    pub fn features(&self, images: &Images) -> Result<Vec<f32>> {
        Ok(self.extract_all(images)?.features)
    }

    /// The class of each image, as an index into [`FeatureExtractor::class_names`].
    ///
    /// # Errors
    /// As [`Classifier::features`].
    pub fn classify(&self, images: &Images) -> Result<Vec<u32>> {
        Ok(self.extract_all(images)?.classes)
    }

    /// The share of the images that are classified correctly.
    ///
    /// # Errors
    /// Images without classes, with other classes, or of another size.
    pub fn accuracy(&self, images: &Images) -> Result<f64> {
        accuracy(self.class_names(), images, &self.classify(images)?)
    }

    fn file(&self) -> Result<Checkpoint> {
        let mut file = Checkpoint::new(NAME);
        file.metadata.insert("about".into(), serde_json::json!(self.about).to_string());
        file.add_module("model", &self.net)?;
        Ok(file)
    }

    /// Writes its file.
    ///
    /// # Errors
    /// As [`Checkpoint::write`].
    pub fn save(&self, path: &Path) -> Result<()> {
        self.file()?.write(path)
    }

    /// The classifier in a file.
    ///
    /// # Errors
    /// A file that is missing, damaged, of another version, or no classifier.
    pub fn load(path: &Path, device: &Device) -> Result<Self> {
        let file = Checkpoint::read(path)?;
        if file.model() != NAME {
            return Err(Error::checkpoint(path, format!("this is a model of kind {}, not a classifier", file.model())));
        }
        let about: About = file.metadata_as("about", path)?;
        if about.shape.iter().any(|&side| side == 0 || side > 1 << 15) || about.class_names.len() < 2 {
            return Err(Error::checkpoint(path, "it describes images that cannot be; train it again"));
        }
        let [one, two] = about.config.channels;
        for (field, size) in [("channels", one), ("channels", two), ("features", about.config.features)] {
            config::check_range(field, size, 1, MOST_WIDTH).map_err(|error| Error::checkpoint(path, error.to_string()))?;
        }
        let net = Net::new(&about.config, about.shape, about.class_names.len(), 0, device);
        Ok(Self { net: file.load_module("model", net, path)?, about, device: device.clone() })
    }
}

impl FeatureExtractor for Classifier {
    fn width(&self) -> usize {
        self.about.config.features
    }

    fn classes(&self) -> usize {
        self.about.class_names.len()
    }

    fn class_names(&self) -> &[String] {
        &self.about.class_names
    }

    fn extract(&self, images: &Images, take: &mut dyn FnMut(&[f32], &[f32])) -> Result<()> {
        if kind(images) != self.about.shape {
            return Err(Error::Data(format!(
                "the images are {:?} (channels, rows, columns), the classifier knows {:?}; read them with that size",
                kind(images),
                self.about.shape
            )));
        }
        let [channels, height, width] = self.about.shape;
        let every: Vec<usize> = (0..images.count()).collect();
        for indices in every.chunks(AT_ONCE) {
            let batch = TensorData::new(images.units_of(indices), [indices.len(), channels, height, width]);
            let features = self.net.features(Tensor::from_data(batch, &self.device)); // [batch, features]
            let both = Tensor::cat(vec![features.clone(), self.net.shares(features)], 1); // [batch, features + classes]
            host::read(&both, |found| {
                found.chunks_exact(self.width() + self.classes()).for_each(|row| take(&row[..self.width()], &row[self.width()..]));
            });
        }
        Ok(())
    }

    fn device(&self) -> &Device {
        &self.device
    }

    fn provenance(&self) -> Result<Provenance> {
        let ClassifierConfig { channels: [one, two], features, .. } = self.about.config;
        let mut bytes = Vec::new();
        self.file()?.write_to(&mut bytes).map_err(|source| Error::io(NAME, source))?;
        let digest = Sha256::digest(bytes);
        let classes = self.classes();
        Ok(Provenance {
            kind: NAME.into(),
            architecture: format!("conv3x3 {one}, max-pool 2, conv3x3 {two}, max-pool 2, linear {features} (features), linear {classes}"),
            resize: None,
            seed: Some(self.about.seed),
            accuracy: self.about.accuracy,
            sha256: digest.iter().map(|byte| format!("{byte:02x}")).collect(),
        })
    }
}

fn kind(images: &Images) -> [usize; 3] {
    [images.channels(), images.height(), images.width()]
}
