//! What every model of text has, and what it is asked.

use std::sync::Arc;

use burn::tensor::Device;
use semblant_core::config::{Config, check_range};
use semblant_core::synthesizer::{Run, Summary};
use semblant_core::train_config::TrainConfig;
use semblant_core::trainer::TrainSchedule;
use semblant_core::{Error, Result};
use semblant_data::text::TextRequest;
use semblant_masked_diffusion::Choice;

use crate::corpus::{Corpus, Window};
use crate::form::{Form, TextConfig};
use crate::pattern::Pattern;
use crate::transformer::Transformer;

/// One text to be drawn: all that its random numbers depend on, apart from the seed.
#[derive(Debug, Clone, PartialEq)]
pub struct Draw {
    /// Its place in the endless sample.
    pub row: u64,
    /// How many attempts at it were refused.
    pub attempt: u32,
    /// Its label, counted from 1; 0 is none.
    pub label: u32,
    /// What it is told of its row, a token for each column.
    pub told: Arc<[u32]>,
    /// Its tokens, as far as they are given: `None` is drawn. What follows the last one is drawn too, unless `is_closed`.
    pub given: Vec<Option<u32>>,
    /// Whether nothing follows what is given.
    pub is_closed: bool,
}

/// What a request says of how tokens are drawn.
pub struct Manner {
    /// The seed.
    pub seed: u64,
    /// Temperature and the like.
    pub choice: Choice,
    /// The most characters of a text.
    pub characters: usize,
    /// The strength of guidance.
    pub guidance: Option<f64>,
    /// Passes for a window.
    pub steps: Option<usize>,
    /// What every text matches.
    pub pattern: Option<Pattern>,
}

impl Manner {
    pub(crate) fn of(form: &Form, request: &TextRequest) -> Result<Self> {
        check_range("--temperature", request.temperature, 0.01, 100.0)?;
        check_range("--top-p", request.top_p, 0.001, 1.0)?;
        check_range("--top-k", request.top_k, 0, 1 << 20)?;
        let choice = Choice { temperature: request.temperature as f32, top_p: request.top_p as f32, top_k: request.top_k };
        let (guidance, steps) = (request.guidance, request.steps);
        let characters = form.characters(request)?;
        let pattern = request.regex.as_ref().map(|regex| Pattern::new(regex, &form.tokenizer)).transpose()?;
        if let Some(pattern) = &pattern {
            let least = pattern.least(pattern.start());
            if form.is_whole() {
                return Err(Error::Config(
                    "parts of one long text do not end, so that no expression matches them; leave --regex and --json-schema out".into(),
                ));
            }
            if least as usize > characters {
                return Err(Error::Config(format!("--characters {characters}: a text that matches has at least {least}; allow more")));
            }
        }
        Ok(Self { seed: request.seed, choice, characters, guidance, steps, pattern })
    }
}

/// A fitted network and what it belongs to.
pub struct Learned {
    /// What the texts were.
    pub form: Form,
    /// The network.
    pub net: Transformer,
    /// Where it is.
    pub device: Device,
}

/// A model of text, implemented by its configuration.
pub trait TextModel: Config {
    /// The name that `--model` takes and the model file holds.
    const NAME: &'static str;
    /// What it is, in one line.
    const SUMMARY: &'static str;

    /// The settings of every model of text.
    fn text(&self) -> &TextConfig;

    /// The least tokens of a match, of which its network sees what followed the longest; 0 where it sees none.
    fn least_match(&self) -> u32 {
        0
    }

    /// How long and how it is trained.
    fn train(&self) -> &TrainConfig;

    /// Learns a network.
    ///
    /// # Errors
    /// As [`Synthesizer::fit`](semblant_core::synthesizer::Synthesizer::fit).
    fn fit(&self, corpus: &Corpus, form: &Form, schedule: TrainSchedule, run: &mut Run) -> Result<(Transformer, Summary)>;

    /// Draws the tokens of texts, without their ends. Each depends on its own [`Draw`] and the seed alone; all are in the same attempt.
    ///
    /// # Errors
    /// What the model cannot do.
    fn draw(&self, learned: &Learned, draws: &[Draw], manner: &Manner) -> Result<Vec<Vec<u32>>>;

    /// What is drawn of a given text: all that follows it, or what stands for its blanks.
    ///
    /// # Errors
    /// A text in which nothing is to be drawn.
    fn given(&self, form: &Form, text: &str, request: &TextRequest) -> Result<(Vec<Option<u32>>, bool)>;

    /// The negative log-likelihoods of windows, in nats, over the tokens that count.
    fn nats(&self, learned: &Learned, windows: &[Window], samples: usize, seed: u64) -> Vec<f64>;
}

/// The tokens of a text that is given; a character that the model does not know is named.
pub(crate) fn known(form: &Form, text: &str, what: &str) -> Result<Vec<u32>> {
    let tokens = form.tokenizer.encode(text);
    let strange = tokens.iter().position(|&token| Some(token) == form.tokenizer.unknown()).and_then(|place| text.chars().nth(place));
    match strange {
        Some(strange) => Err(Error::Config(format!("{what}: the model does not know the character {strange:?}; leave it out"))),
        None => Ok(tokens),
    }
}
