//! Requests for samples of text.

use std::ops::Range;

use semblant_core::data::Request;

/// The labels of sampled texts.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum LabelRequest {
    /// As often as in the training texts.
    #[default]
    AsLearned,
    /// One label for all.
    Is(String),
    /// Each label in turn.
    Balanced,
}

/// What to sample from a model of text. Text `i` of (model, seed, request) is the same whatever the range or batch.
///
/// ```
/// use semblant_data::text::{LabelRequest, TextRequest};
///
/// let request = TextRequest::new(100, 7).with_label("spam").with_prompt("You have won");
/// assert_eq!(request.label, LabelRequest::Is("spam".into()));
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct TextRequest {
    /// The texts to make, as positions in the endless sample of this seed.
    pub rows: Range<u64>,
    /// The seed.
    pub seed: u64,
    /// Their labels.
    pub label: LabelRequest,
    /// The column that a condition named, to be compared with the model's.
    pub label_column: Option<String>,
    /// What every text begins with.
    pub prompt: String,
    /// Logits are divided by it: 1 draws from the model's own distribution, less prefers probable tokens.
    pub temperature: f64,
    /// Only so many of the most probable tokens are drawn; 0 draws all.
    pub top_k: usize,
    /// Only the most probable tokens that together have this share are drawn; 1 draws all.
    pub top_p: f64,
    /// The strength of guidance towards the label (Ho and Salimans 2022), of models that have it; 1 is none.
    pub guidance: Option<f64>,
    /// The most characters of a text; of parts of a long text their number.
    pub characters: Option<usize>,
    /// Passes of masked diffusion for a window; `None` takes as many as the model's settings say.
    pub steps: Option<usize>,
    /// A regular expression that every text matches as a whole.
    pub regex: Option<String>,
    /// What stands in given texts for a character that is to be drawn.
    pub blank: char,
    /// Whether given texts are complete but for their blanks, so that nothing may follow them.
    pub gaps_only: bool,
    /// Whether a text that repeats a long passage of the training text is drawn again.
    pub guard: bool,
    /// Texts computed at once where they are written to a file: changes memory and progress, never the texts.
    pub batch_rows: usize,
}

impl TextRequest {
    /// Texts `0..count` of `seed`.
    pub fn new(count: u64, seed: u64) -> Self {
        Self {
            rows: 0..count,
            seed,
            label: LabelRequest::AsLearned,
            label_column: None,
            prompt: String::new(),
            temperature: 1.0,
            top_k: 0,
            top_p: 1.0,
            guidance: None,
            characters: None,
            steps: None,
            regex: None,
            blank: '_',
            gaps_only: false,
            guard: true,
            batch_rows: 1024,
        }
    }

    /// The same with one label for all texts.
    pub fn with_label(self, label: impl Into<String>) -> Self {
        Self { label: LabelRequest::Is(label.into()), ..self }
    }

    /// The same with each label in turn.
    pub fn balanced(self) -> Self {
        Self { label: LabelRequest::Balanced, ..self }
    }

    /// The same with texts that match a regular expression from their first character to their last.
    pub fn with_regex(self, regex: impl Into<String>) -> Self {
        Self { regex: Some(regex.into()), ..self }
    }

    /// The same with texts that begin so.
    pub fn with_prompt(self, prompt: impl Into<String>) -> Self {
        Self { prompt: prompt.into(), ..self }
    }
}

impl Request for TextRequest {
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
}
