//! Settings that all models of text share, and what their files say of the texts.

use semblant_core::config::check_range;
use semblant_core::ema::Ema;
use semblant_core::optim::{Adam, LrSchedule};
use semblant_core::progress::Event;
use semblant_core::synthesizer::Run;
use semblant_core::train_config::TrainConfig;
use semblant_core::{Error, Result, math};
use semblant_data::text::{LabelRequest, Layout, Text, TextRequest, Tokenizer, TokenizerKind};
use serde::{Deserialize, Serialize};

use crate::protect::{Protected, protected};
use crate::purpose::LABEL;
use crate::told::MOST_COLUMNS;
use crate::transformer::Sizes;

/// The most tokens that a network sees at once.
const MOST_CONTEXT: usize = 1 << 13;
/// The most characters of a sampled text.
pub(crate) const MOST_CHARACTERS: usize = 1 << 16;
/// The context that is chosen for long texts.
const USUAL_CONTEXT: usize = 256;

/// Settings of tokens and the network. A 0, or a dropout below 0, leaves the choice to the training texts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default)]
pub struct TextConfig {
    /// What tokens are: char, byte or bpe.
    pub tokenizer: TokenizerKind,
    /// The most pieces of bpe.
    pub vocabulary: usize,
    /// A character, or for bpe a word, that occurs in fewer texts than this is unknown to the model.
    pub rare: usize,
    /// Tokens that the network sees at once; 0 is as many as most texts have, at most 256.
    pub context: usize,
    /// Width of the network; 0 is chosen by the number of characters.
    pub width: usize,
    /// Number of transformer blocks.
    pub depth: usize,
    /// Attention heads; 0 is one for every 32 of the width.
    pub heads: usize,
    /// The chance that a number of what a block adds is left out in training; below 0 it is chosen by the number of characters.
    pub dropout: f64,
    /// The share of the texts, or of the end of one long text, that is held out to judge the model while it is trained.
    pub validation: f64,
    /// How much more often texts of rare labels are learned: 0 as often as they are given, 1 as often as those of the most frequent label. What is
    /// learned of each label is the same; rare ones are learned better, and longer.
    pub label_balance: f64,
    /// Whether names, long numbers and addresses in fewer than `rare` texts are replaced by others before the model learns. Parts of one long text
    /// are learned as they are.
    pub protect: bool,
    /// Whether the file holds marks of training passages by which samples that repeat them are refused.
    pub guard: bool,
}

impl Default for TextConfig {
    fn default() -> Self {
        Self {
            tokenizer: TokenizerKind::Char,
            vocabulary: 2048,
            rare: 3,
            context: 0,
            width: 0,
            depth: 4,
            heads: 0,
            dropout: -1.0,
            validation: 0.05,
            label_balance: 0.0,
            protect: true,
            guard: true,
        }
    }
}

/// How models of text are trained: in batches that are chosen by the texts, at a rate that falls to 0, for so long.
pub(crate) fn training(epochs: u64, patience_ticks: u64) -> TrainConfig {
    let optimizer =
        Adam { learning_rate: 2e-3, beta_2: 0.99, clip_norm: 1.0, schedule: LrSchedule::Cosine, warm_up: 0.02, ..Adam::default() };
    let ema = Ema { half_life_rows: 50_000.0, warm_up: 0.03 };
    TrainConfig { epochs, batch_rows: 0, patience_ticks, optimizer, ema, ..TrainConfig::default() }
}

impl TextConfig {
    /// Texts without rare names, numbers and addresses; `None` where they stay as they are.
    pub(crate) fn protected(&self, texts: &Text, run: &mut Run) -> Option<Text> {
        if !self.protect || matches!(texts.layout(), Layout::Whole { .. }) {
            return None;
        }
        let Protected { texts: made, replaced: [addresses, numbers, names] } = protected(texts, self.rare, run.seed);
        if addresses + numbers + names > 0 {
            let what = format!(
                "{names} names, {numbers} long numbers and {addresses} e-mail addresses in fewer than {} texts are replaced by others, so that they cannot come back; --set protect=false keeps them",
                self.rare
            );
            run.observer.event(Event::Note(&what));
        }
        Some(made)
    }

    /// Checks every field's range.
    ///
    /// # Errors
    /// Names the field, its value and the range.
    pub fn check(&self) -> Result<()> {
        check_range("vocabulary", self.vocabulary, 256, 1 << 16)?;
        check_range("rare", self.rare, 1, 1 << 20)?;
        check_range("context", self.context, 0, MOST_CONTEXT)?;
        check_range("width", self.width, 0, 1 << 13)?;
        check_range("depth", self.depth, 1, 256)?;
        check_range("heads", self.heads, 0, 1 << 12)?;
        check_range("dropout", self.dropout, -1.0, 0.95)?;
        check_range("validation", self.validation, 0.001, 0.5)?;
        check_range("label_balance", self.label_balance, 0.0, 1.0)
    }
}

/// The labels of the training texts and how often each occurs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LabelShares {
    /// The labels.
    pub names: Vec<String>,
    /// Their shares.
    pub shares: Vec<f64>,
}

fn is_zero(value: &u32) -> bool {
    *value == 0
}

/// What a model file says of the texts that the model was fitted to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Form {
    /// What a file of them looks like.
    pub layout: Layout,
    /// Texts to tokens.
    pub tokenizer: Tokenizer,
    /// Their labels.
    pub labels: Option<LabelShares>,
    /// Tokens that the network sees at once.
    pub context: usize,
    /// The most tokens of a sampled text that does not end by itself.
    pub longest: usize,
    /// Width of the network.
    pub width: usize,
    /// Attention heads.
    pub heads: usize,
    /// Dropout in training.
    pub dropout: f64,
    /// Whether a window's mark is added to all of its tokens, so that its label is seen everywhere: so it is where there are labels. Models of earlier
    /// versions see it before the tokens alone.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub marked: bool,
    /// The least tokens of a match, of which the network sees what followed the longest; 0 where it sees none, as in models of earlier versions.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub least_match: u32,
    /// The number of tokens of each column that a text is told of.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub told: Vec<u32>,
}

impl Form {
    /// The form of texts.
    ///
    /// # Errors
    /// Settings that do not fit each other, and texts that have no tokenizer.
    pub fn of(texts: &Text, config: &TextConfig) -> Result<Self> {
        let tokenizer = Tokenizer::fit(config.tokenizer, texts, config.vocabulary, config.rare)?;
        let labels = texts.labels().map(|labels| {
            let count = |code: usize| labels.codes.iter().filter(|&&other| other as usize == code).count();
            let all: Vec<(String, f64)> = labels
                .names
                .iter()
                .enumerate()
                .map(|(code, name)| (name.clone(), count(code) as f64 / texts.count().max(1) as f64))
                .collect();
            let (names, shares) = all.into_iter().unzip();
            LabelShares { names, shares }
        });
        let characters = texts.characters();
        let mut lengths: Vec<usize> = texts.iter().map(|text| tokenizer.encode(text).len() + 1).collect();
        lengths.sort_unstable();
        let most = lengths.last().copied().unwrap_or(1);
        // As many as all but one text in 200 have, rounded so that the longest text does not show.
        let usual = lengths.get(lengths.len() * 199 / 200).copied().unwrap_or(1).next_multiple_of(16).min(USUAL_CONTEXT);
        let context = match (config.context, texts.layout()) {
            (0, Layout::Whole { .. }) => USUAL_CONTEXT,
            (0, _) => usual,
            (context, _) => context,
        };
        let width = match (config.width, characters) {
            (0, 0..50_000) => 64,
            (0, 0..600_000) => 128,
            (0, 0..4_000_000) => 160,
            (0, _) => 256,
            (width, _) => width,
        };
        let heads = if config.heads > 0 { config.heads } else { (width / 32).max(1) };
        if !width.is_multiple_of(2 * heads) {
            return Err(Error::Config(format!("width = {width} must be a multiple of 2 * heads = {}; choose another width", 2 * heads)));
        }
        let dropout = match (config.dropout, characters) {
            (dropout, _) if dropout >= 0.0 => dropout,
            (_, 0..4_000_000) => 0.1,
            _ => 0.0,
        };
        let marked = labels.is_some();
        let longest = most.next_power_of_two().min(MOST_CHARACTERS);
        let (least_match, told) = (0, Vec::new());
        let layout = texts.layout().clone();
        Ok(Self { layout, tokenizer, labels, context, longest, width, heads, dropout, marked, least_match, told })
    }

    /// Refuses what a file may hold and no form has.
    ///
    /// # Errors
    /// What is wrong.
    pub fn check(&self) -> Result<(), String> {
        let within = |value: usize, least: usize, most: usize| (least..=most).contains(&value);
        let part = !matches!(self.layout, Layout::Whole { characters } if !within(characters, 1, MOST_CHARACTERS));
        let labels = self.labels.as_ref().is_none_or(|labels| {
            let sound = labels.shares.iter().all(|share| (0.0..=1.0).contains(share)) && labels.shares.iter().sum::<f64>() > 0.0;
            !labels.names.is_empty() && labels.names.len() == labels.shares.len() && sound
        });
        let sizes = within(self.context, 2, MOST_CONTEXT) && within(self.longest, 1, MOST_CHARACTERS) && within(self.width, 2, 1 << 13);
        let heads = within(self.heads, 1, self.width) && self.width.is_multiple_of(2 * self.heads);
        let told = self.told.len() <= MOST_COLUMNS && self.told.iter().all(|&count| count <= 1 << 10);
        if part && labels && sizes && heads && told && (0.0..1.0).contains(&self.dropout) {
            return Ok(());
        }
        Err("the file describes texts that cannot be; fit the model again".into())
    }

    /// Whether texts are parts of one long text, which have no end of their own.
    pub fn is_whole(&self) -> bool {
        matches!(self.layout, Layout::Whole { .. })
    }

    /// The token that ends a text.
    pub fn end(&self) -> u32 {
        self.tokenizer.len() as u32
    }

    /// Tokens that can be predicted: those of texts, and the end.
    pub fn outputs(&self) -> usize {
        self.tokenizer.len() + 1
    }

    /// The mark of a hidden token.
    pub fn hidden(&self) -> u32 {
        self.outputs() as u32
    }

    /// The mark of a window of a text with a label: `label` counts from 1, 0 is none; `within` where the window does not begin with the text.
    pub fn mark(&self, label: u32, within: bool) -> u32 {
        self.hidden() + 1 + 2 * label + u32::from(within)
    }

    /// The number of marks of labels.
    fn label_marks(&self) -> usize {
        2 * (self.labels.as_ref().map_or(0, |labels| labels.names.len()) + 1)
    }

    /// The marks of what a text is told, one for each column.
    pub fn told_marks<'a>(&'a self, told: &'a [u32]) -> impl Iterator<Item = u32> + 'a {
        let first = self.hidden() + 1 + self.label_marks() as u32;
        let starts = self.told.iter().scan(first, |next, count| Some(std::mem::replace(next, *next + count)));
        starts.zip(told).map(|(start, value)| start + value)
    }

    /// The sizes of the network.
    pub fn sizes(&self, depth: usize) -> Sizes {
        let marks = 1 + self.label_marks() + self.told.iter().sum::<u32>() as usize;
        Sizes { outputs: self.outputs(), marks, width: self.width, depth, heads: self.heads, least_match: self.least_match }
    }

    /// The most characters of a sampled text, and of parts of a long text their number.
    ///
    /// # Errors
    /// A number of the request out of range.
    pub fn characters(&self, request: &TextRequest) -> Result<usize> {
        if let Some(characters) = request.characters {
            check_range("--characters", characters, 1, MOST_CHARACTERS)?;
            return Ok(characters);
        }
        Ok(if let Layout::Whole { characters } = self.layout { characters } else { MOST_CHARACTERS })
    }

    /// The label of every row of a request, counted from 1; 0 where there are no labels.
    ///
    /// # Errors
    /// A label or a column that the model does not know.
    pub fn labels(&self, request: &TextRequest) -> Result<Vec<u32>> {
        let known = |labels: &LabelShares| labels.names.join(", ");
        let Some(labels) = &self.labels else {
            if request.label == LabelRequest::AsLearned {
                return Ok(request.rows.clone().map(|_| 0).collect());
            }
            return Err(Error::Config("the model learned texts without labels; leave --where and --balance out".into()));
        };
        let column = self.layout.label_column();
        if let Some(other) = request.label_column.as_deref().filter(|&other| other != column) {
            let write =
                if request.label == LabelRequest::Balanced { format!("--balance {column}") } else { format!("--where {column}=LABEL") };
            return Err(Error::Config(format!("the labels are those of \"{column}\", not of \"{other}\"; write {write}")));
        }
        match &request.label {
            LabelRequest::Is(name) => {
                let place = labels.names.iter().position(|label| label == name);
                let none = || Error::Config(format!("no training text has the label \"{name}\"; the labels are {}", known(labels)));
                let label = place.ok_or_else(none)? as u32 + 1;
                Ok(request.rows.clone().map(|_| label).collect())
            }
            LabelRequest::Balanced => Ok(request.rows.clone().map(|row| (row % labels.names.len() as u64) as u32 + 1).collect()),
            LabelRequest::AsLearned => {
                let stream = LABEL.of(request.seed);
                Ok(request.rows.clone().map(|row| math::chosen(&labels.shares, stream.uniform_f64(row, 0)) as u32 + 1).collect())
            }
        }
    }

    /// The labels of given texts, counted from 1; 0 where the model or the texts have none, or the label is new.
    pub fn labels_of(&self, texts: &Text) -> Vec<u32> {
        let number = |index: usize| {
            let label = texts.label(index)?;
            let place = self.labels.as_ref()?.names.iter().position(|known| known == label)?;
            Some(place as u32 + 1)
        };
        (0..texts.count()).map(|index| number(index).unwrap_or(0)).collect()
    }
}
