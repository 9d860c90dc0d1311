//! `text-ar`: a causal transformer, which draws a text token by token from left to right.
//!
//! "Improving language understanding by generative pre-training", Radford et al. 2018, with the parts that [`crate::transformer`] names. A window
//! begins with a mark that says which label the text has, and whether the window begins with the text; the network predicts each next token, and an
//! end after the last one. `-log p(x) = -sum_i log p(x_i | x_<i)` is exact. What a text is told of the row that it belongs to stands before the mark, a
//! token for each column.

use std::sync::Arc;

use burn::module::Module;
use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor};
use semblant_core::config::Config;
use semblant_core::math;
use semblant_core::model::{Losses, Model, Step};
use semblant_core::nn::times;
use semblant_core::optim::Optimizers;
use semblant_core::synthesizer::{Run, Summary};
use semblant_core::train_config::TrainConfig;
use semblant_core::trainer::{TrainSchedule, Trained, Trainer, fingerprint};
use semblant_core::{Error, Result, host};
use semblant_data::text::{TextRequest, TokenizerKind};
use semblant_masked_diffusion::{CrossEntropy, Spans, Targets};
use serde::{Deserialize, Serialize};

use crate::corpus::{Corpus, Window};
use crate::drawing::Drawing;
use crate::form::{Form, TextConfig, training};
use crate::model::{Draw, Learned, Manner, TextModel, known};
use crate::purpose::DROPOUT;
use crate::transformer::Transformer;

/// Windows that are judged at once.
const JUDGED: usize = 16;

/// Settings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default)]
pub struct TextArConfig {
    /// How long, in what batches, and by which optimizer; what it calls rows are windows. The best state by held-out texts is kept, and the run ends
    /// when they are no longer predicted better. `batch_rows` of 0 is chosen by the length of the texts.
    #[serde(flatten)]
    pub train: TrainConfig,
    /// Tokens and network.
    #[serde(flatten)]
    pub text: TextConfig,
    /// Whether the network sees, besides each token, what followed the last time that the window went so.
    pub match_model: bool,
}

impl Default for TextArConfig {
    fn default() -> Self {
        Self { train: training(30, 4), text: TextConfig::default(), match_model: true }
    }
}

impl Config for TextArConfig {
    fn check(&self) -> Result<()> {
        self.text.check()?;
        TrainConfig { batch_rows: self.train.batch_rows.max(1), ..self.train }.check("")
    }
}

/// The windows of a step.
#[derive(Debug, Clone)]
pub struct Batch {
    /// What each window is told, its mark, and its tokens but the last, `[rows, length]`.
    inputs: Vec<u32>,
    /// The mark of each window, `[rows]`, where it is added to all of its tokens.
    marks: Option<Vec<u32>>,
    /// The tokens and their weights, `[rows * length]`.
    targets: Targets,
    rows: usize,
    length: usize,
}

impl Batch {
    /// Windows side by side; shorter ones are filled with ends that do not count. The loss is a mean over the tokens that count.
    fn of(windows: &[Window], form: &Form) -> Self {
        let (rows, told) = (windows.len(), form.told.len());
        let length = windows.iter().map(|window| window.tokens.len()).max().unwrap_or(1).max(1);
        let (mut inputs, mut tokens, mut weights) = (Vec::new(), Vec::new(), Vec::new());
        for window in windows {
            let filled = |tokens: &[u32]| tokens.iter().copied().chain(std::iter::repeat(form.end())).take(length).collect::<Vec<u32>>();
            inputs.extend(form.told_marks(&window.told));
            inputs.push(form.mark(window.label, window.within));
            inputs.extend(&filled(&window.tokens)[..length - 1]);
            tokens.extend(std::iter::repeat_n(form.end(), told));
            weights.extend(std::iter::repeat_n(0.0, told));
            tokens.extend(filled(&window.tokens));
            weights.extend((0..length).map(|place| if (window.from..window.tokens.len()).contains(&place) { 1.0 } else { 0.0 }));
        }
        let marks = form.marked.then(|| windows.iter().map(|window| form.mark(window.label, window.within)).collect());
        let sum: f32 = weights.iter().sum::<f32>().max(1.0);
        weights.iter_mut().for_each(|weight| *weight /= sum);
        Self { inputs, marks, targets: Targets { tokens: Arc::new(tokens), weights: Arc::new(weights) }, rows, length: told + length }
    }
}

/// The model in training.
#[derive(Module, Debug)]
pub struct AutoregressiveModel {
    net: Transformer,
    #[module(skip)]
    entropy: CrossEntropy,
    #[module(skip)]
    dropout: f64,
}

impl Model for AutoregressiveModel {
    type Batch = Batch;
    type Sampled = Transformer;

    fn sampled(&self) -> Transformer {
        self.net.valid()
    }

    fn train_step(mut self, batch: Batch, optimizers: &mut Optimizers, step: &Step) -> (Self, Losses) {
        let Batch { inputs, marks, targets, rows, length } = batch;
        let mut dropped = dropout(self.dropout, step, rows);
        let x = dropped(self.net.embed_causal(&inputs, marks.as_deref(), [rows, length])); // [rows, length, width]
        let logits = self.net.logits(self.net.hidden(x, true, &mut dropped)); // [rows, length, outputs]
        let (loss, surrogate) = self.entropy.surrogate(logits.flatten(0, 1), &targets);
        let gradients = GradientsParams::from_grads(surrogate.backward(), &self.net);
        self.net = optimizers.step("network", self.net, gradients, step);
        (self, Losses::default().with("nats", loss))
    }
}

/// The loss of tokens, `[tokens, outputs]`.
pub(crate) fn entropy(form: &Form, device: &Device) -> CrossEntropy {
    CrossEntropy::plain(Spans::new(vec![form.outputs()]), device)
}

/// Dropout over the rows of a step, each time at another place of the network.
pub(crate) fn dropout<'a>(share: f64, step: &'a Step, rows: usize) -> impl FnMut(Tensor<3>) -> Tensor<3> + 'a {
    let (keep, first) = ((1.0 - share) as f32, step.rows().start);
    let mut site = 0;
    move |added: Tensor<3>| {
        if keep == 1.0 {
            return added;
        }
        let [batch, length, width] = added.dims();
        let device = added.device().inner();
        let mask = DROPOUT.nth(step.seed, site).dropout_on(first..first + rows as u64, length * width, keep, &device);
        site += 1;
        times(added, mask.reshape([batch, length, width]))
    }
}

impl TextModel for TextArConfig {
    const NAME: &'static str = "text-ar";
    const SUMMARY: &'static str = "text from left to right: a causal transformer over characters, bytes or pieces; the default for text";

    fn least_match(&self) -> u32 {
        match self.text.tokenizer {
            _ if !self.match_model => 0,
            // Two characters match by chance; a piece is a word, or much of one.
            TokenizerKind::Char | TokenizerKind::Byte => 3,
            TokenizerKind::Bpe => 1,
        }
    }

    fn text(&self) -> &TextConfig {
        &self.text
    }

    fn train(&self) -> &TrainConfig {
        &self.train
    }

    fn fit(&self, corpus: &Corpus, form: &Form, schedule: TrainSchedule, run: &mut Run) -> Result<(Transformer, Summary)> {
        let mut steps = corpus.steps(form.context);
        let mut batch = |step: &Step| Batch::of(&steps.of(step), form);
        let mut score = |net: &Transformer| corpus.mean(&nats(net, form, &corpus.held));
        let name =
            fingerprint((Self::NAME, run.seed, serde_json::to_string(self).ok(), serde_json::to_string(form).ok(), corpus.fingerprint()));
        let net = Transformer::new(&form.sizes(self.text.depth), run.seed, &run.device.clone().autodiff());
        let model = AutoregressiveModel { net, entropy: entropy(form, &run.device), dropout: form.dropout };
        let trainer = Trainer::new(schedule, self.train.ema, name, &mut batch).with_score(&mut score);
        let Trained { sampled, summary } = trainer.fit(model, Optimizers::default().with("network", self.train.optimizer), run)?;
        Ok((sampled, summary))
    }

    fn draw(&self, learned: &Learned, draws: &[Draw], manner: &Manner) -> Result<Vec<Vec<u32>>> {
        if manner.guidance.is_some() || manner.steps.is_some() {
            let what = format!("{} draws from left to right; leave --guidance and --steps out, or fit text-mdlm", Self::NAME);
            return Err(Error::Config(what));
        }
        if let Some(pattern) = &manner.pattern {
            draws.iter().try_for_each(|draw| pattern.after(draw.given.iter().flatten().copied(), "what is given").map(|_| ()))?;
        }
        Ok(Drawing::new(learned, draws, manner).all())
    }

    fn given(&self, form: &Form, text: &str, request: &TextRequest) -> Result<(Vec<Option<u32>>, bool)> {
        if request.gaps_only {
            return Err(Error::Config(format!("{} continues texts and fills no blanks; fit text-mdlm for that", Self::NAME)));
        }
        if let Some(characters) = request.characters.filter(|&most| text.chars().count() >= most) {
            return Err(Error::Config(format!("--characters {characters}: the text has as many already; allow more")));
        }
        Ok((known(form, text, "--from")?.into_iter().map(Some).collect(), false))
    }

    fn nats(&self, learned: &Learned, windows: &[Window], _: usize, _: u64) -> Vec<f64> {
        nats(&learned.net, &learned.form, windows)
    }
}

/// The negative log-likelihood of each window's tokens that count.
fn nats(net: &Transformer, form: &Form, windows: &[Window]) -> Vec<f64> {
    let mut all = Vec::with_capacity(windows.len());
    for part in windows.chunks(JUDGED) {
        let Batch { inputs, marks, targets, rows, length } = Batch::of(part, form);
        let x = net.embed_causal(&inputs, marks.as_deref(), [rows, length]);
        let logits = net.logits(net.hidden(x, true, &mut |added| added)); // [rows, length, outputs]
        host::read(&logits, |logits| {
            let rows = logits.chunks_exact(length * form.outputs()).zip(targets.tokens.chunks_exact(length)).zip(part);
            all.extend(rows.map(|((logits, tokens), window)| {
                let places = logits.chunks_exact(form.outputs()).zip(tokens);
                let counted = places.skip(form.told.len()).take(window.tokens.len()).skip(window.from);
                counted.map(|(logits, &token)| surprise(logits, token)).sum::<f64>()
            }));
        });
    }
    all
}

/// `-log p(token)` under logits.
pub(crate) fn surprise(logits: &[f32], token: u32) -> f64 {
    let greatest = logits.iter().fold(f32::NEG_INFINITY, |most, &logit| most.max(logit));
    let sum: f64 = logits.iter().map(|&logit| f64::from(math::exp(logit - greatest))).sum();
    sum.ln() - f64::from(logits[token as usize] - greatest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::synthesizer::TextSynthesizer;
    use semblant_core::synthesizer::Synthesizer;
    use semblant_data::text::Text;

    fn config(tokenizer: TokenizerKind) -> TextArConfig {
        let text = TextConfig { tokenizer, rare: 1, width: 16, depth: 1, heads: 2, dropout: 0.0, ..TextConfig::default() };
        TextArConfig { train: TrainConfig { epochs: 1, ..TextArConfig::default().train }, text, ..TextArConfig::default() }
    }

    fn fitted(tokenizer: TokenizerKind, texts: &Text, epochs: u64) -> TextSynthesizer<TextArConfig> {
        let mut config = config(tokenizer);
        config.train.epochs = epochs;
        let mut model = TextSynthesizer::new(config).expect("in range");
        model.fit(texts, &mut Run::new(Device::flex(), 1)).expect("fits");
        model
    }

    #[test]
    fn a_batch_predicts_each_next_token_and_counts_no_filling() {
        let texts = Text::of_lines(["ab", "a"]);
        let form = Form::of(&texts, &TextConfig { rare: 1, ..TextConfig::default() }).expect("a form");
        let window = |tokens: Vec<u32>| Window { label: 0, told: Arc::default(), within: false, tokens, from: 0 };
        let batch = Batch::of(&[window(vec![0, 1, 3]), window(vec![0, 3])], &form);
        // Tokens a and b, 2 is unknown, 3 the end, 4 hidden, 5 a beginning.
        assert_eq!((batch.inputs, batch.length), (vec![5, 0, 1, 5, 0, 3], 3));
        assert_eq!(*batch.targets.tokens, [0, 1, 3, 0, 3, 3]);
        assert_eq!(*batch.targets.weights, [0.2, 0.2, 0.2, 0.2, 0.2, 0.0]);
    }

    #[test]
    fn the_surprise_is_that_of_the_softmax() {
        let logits = [0.1f32, 0.2, 0.7].map(f32::ln);
        assert!((surprise(&logits, 1) + 0.2f64.ln()).abs() < 1e-6);
        assert!((surprise(&[500.0, -500.0], 1) - 1000.0).abs() < 1e-3);
    }

    /// Likelihoods of all texts of up to three characters and of what is longer sum to one.
    #[test]
    fn likelihoods_are_those_of_a_distribution_over_texts() {
        let texts = Text::of_lines((0..40).map(|row| ["a", "ab", "b", "ba"][row % 4]));
        let model = fitted(TokenizerKind::Char, &texts, 3);
        let likelihood = model.likelihood().expect("exact");
        let mut all = vec![String::new()];
        let mut finished = 0.0;
        for _ in 0..6 {
            let nats = likelihood.negative_log_likelihoods(&Text::of_lines(&all), 1, 0).expect("known characters");
            finished += nats.iter().map(|nats| (-nats).exp()).sum::<f64>();
            all = all.iter().flat_map(|text| ["a", "b"].map(|next| format!("{text}{next}"))).collect();
        }
        // Unknown characters and what is longer have the rest.
        assert!(finished > 0.5 && finished < 1.0, "{finished}");
    }

    #[test]
    fn bytes_are_drawn_as_characters_and_long_texts_go_on() {
        let texts = Text::of_lines((0..60).map(|row| ["é→ü", "日本", "aé", "ß"][row % 4].repeat(1 + row % 3)));
        for tokenizer in [TokenizerKind::Byte, TokenizerKind::Bpe] {
            let model = fitted(tokenizer, &texts, 1);
            let made = model.sample(&TextRequest { temperature: 1.5, ..TextRequest::new(80, 2) }).expect("possible").data;
            assert!(made.iter().all(|text| !text.is_empty() && !text.contains('\u{fffd}')), "{tokenizer:?}");
        }
        let whole = Text::of_whole("to be or not to be, ".repeat(60), 100).expect("parts");
        let mut config = config(TokenizerKind::Char);
        config.text = TextConfig { context: 16, ..config.text };
        let mut model = TextSynthesizer::new(config).expect("in range");
        model.fit(&whole, &mut Run::new(Device::flex(), 1)).expect("fits");
        let made = model.sample(&TextRequest { guard: false, ..TextRequest::new(3, 2).with_prompt("or") }).expect("possible").data;
        assert!(made.iter().all(|text| text.chars().count() == 100 && text.starts_with("or")));
    }

    #[test]
    fn what_is_learned_is_drawn() {
        let texts = Text::of_lines((0..200).map(|row| format!("{} {}", ["red", "blue"][row % 2], ["car", "sea"][row % 2])));
        let model = fitted(TokenizerKind::Char, &texts, 40);
        let made = model.sample(&TextRequest::new(100, 1)).expect("possible").data;
        let known = made.iter().filter(|text| ["red car", "blue sea"].contains(text)).count();
        assert!(known > 80, "{known}: {:?}", made.iter().take(10).collect::<Vec<_>>());
        let made = model.sample(&TextRequest::new(20, 1).with_prompt("blue ")).expect("possible").data;
        assert!(made.iter().filter(|&text| text == "blue sea").count() > 15);
        assert!(model.sample(&TextRequest::new(1, 0).with_prompt("?")).is_err_and(|error| error.to_string().contains("--prompt")));
    }

    #[test]
    fn texts_match_an_expression_within_any_length_and_are_conditioned_on_it() {
        for kind in [TokenizerKind::Char, TokenizerKind::Byte, TokenizerKind::Bpe] {
            let texts = Text::of_lines((0..60).map(|row| ["12-é", "7-ab", "105-b"][row % 3]));
            let model = fitted(kind, &texts, 2);
            let ask = |regex: &str| TextRequest::new(40, 3).with_regex(regex);
            let made = model.sample(&ask("[0-9]{1,3}-(é|[ab]{2,})")).expect("possible").data;
            let fits = |text: &str| {
                let (digits, rest) = text.split_once('-').expect("a hyphen");
                let is_number = (1..=3).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
                is_number && (rest == "é" || (rest.len() >= 2 && rest.bytes().all(|byte| b"ab".contains(&byte))))
            };
            assert!(made.iter().all(fits), "{kind:?}: {:?}", made.iter().collect::<Vec<_>>());
            let short = model.sample(&TextRequest { characters: Some(4), ..ask("[0-9]*-[ab]{2,}") }).expect("possible").data;
            assert!(short.iter().all(|text| text.chars().count() <= 4 && text.contains('-')), "{:?}", short.iter().collect::<Vec<_>>());
            let begun = model.sample(&ask("[0-9]+-[ab]+").with_prompt("12")).expect("possible").data;
            assert!(begun.iter().all(|text| text.starts_with("12") && text.contains('-')));
            let said = |request: TextRequest| model.sample(&request).expect_err("refused").to_string();
            assert!(said(ask("a+").with_prompt("12")).contains("begins so"));
            assert!(said(TextRequest { characters: Some(2), ..ask("[0-9]-[ab]") }).contains("at least 3"));
        }
    }
}
