//! Requests for samples of images.

use std::ops::Range;

use semblant_core::data::Request;
use serde_json::{Map, Value, json};

/// The classes of sampled images.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum ClassRequest {
    /// Drawn with the frequency that they have in the training images.
    #[default]
    AsLearned,
    /// All of this class.
    Is(String),
    /// Each class in turn.
    Balanced,
}

/// What to sample from an image model. Image `i` of (model, seed, class, settings) is the same whatever the range or batch.
///
/// ```
/// use semblant_data::image::ImageRequest;
///
/// let request = ImageRequest::new(64, 7).of_class("cat").steps(18).guidance(1.5);
/// assert_eq!(request.settings["steps"], 18);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct ImageRequest {
    /// The images to make, as positions in the endless set of this seed.
    pub rows: Range<u64>,
    /// The seed.
    pub seed: u64,
    /// Their classes.
    pub class: ClassRequest,
    /// Sampling settings that replace those of the model's configuration, by name. Which there are depends on the model.
    pub settings: Map<String, Value>,
    /// Interpolation: the path from the image at one address to that at another, in as many images as requested.
    pub between: Option<[u64; 2]>,
    /// Images computed at once where they are written to a file: changes memory and progress, never the images.
    pub batch_rows: usize,
}

impl ImageRequest {
    /// Images `0..count` of `seed`.
    pub fn new(count: u64, seed: u64) -> Self {
        Self { rows: 0..count, seed, class: ClassRequest::AsLearned, settings: Map::new(), between: None, batch_rows: 64 }
    }

    /// The same with every image of one class.
    pub fn of_class(self, name: impl Into<String>) -> Self {
        Self { class: ClassRequest::Is(name.into()), ..self }
    }

    /// The same with each class in turn.
    pub fn balanced(self) -> Self {
        Self { class: ClassRequest::Balanced, ..self }
    }

    /// The same with a sampling setting by name.
    pub fn with_setting(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.settings.insert(name.to_owned(), value.into());
        self
    }

    /// The same with so many solver steps.
    pub fn steps(self, steps: usize) -> Self {
        self.with_setting("steps", steps)
    }

    /// The same with another solver.
    pub fn solver(self, name: &str) -> Self {
        self.with_setting("solver", name)
    }

    /// The same with another weight of classifier-free guidance; 1 is none.
    pub fn guidance(self, weight: f64) -> Self {
        self.with_setting("guidance", json!(weight))
    }

    /// The same with another strength of image-to-image, from 0 (no change) to 1 (pure noise).
    pub fn strength(self, strength: f64) -> Self {
        self.with_setting("strength", json!(strength))
    }

    /// The path from the image at address `from` to that at `to`, in as many images as requested.
    pub fn interpolate(self, from: u64, to: u64) -> Self {
        Self { between: Some([from, to]), ..self }
    }
}

impl Request for ImageRequest {
    fn new(count: u64, seed: u64) -> Self {
        Self::new(count, seed)
    }

    fn rows(&self) -> Range<u64> {
        self.rows.clone()
    }

    fn with_rows(self, rows: Range<u64>) -> Self {
        Self { rows, ..self }
    }

    fn batch_rows(&self) -> usize {
        self.batch_rows
    }

    fn divisible(&self) -> bool {
        self.between.is_none()
    }
}
