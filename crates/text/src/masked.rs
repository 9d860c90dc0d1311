//! `text-mdlm`: masked diffusion, which draws the tokens of a text in any order, so that it fills in as well as it begins.
//!
//! "Simple and effective masked diffusion language models", Sahoo et al. 2024: tokens are hidden one by one, a transformer that sees both sides
//! predicts the hidden ones, shown ones stay (SUBS). With `k` of `n` tokens shown the loss is the cross-entropy of the hidden ones times `n / (n - k)`,
//! which is the paper's weight `1 / t`; on average it is a bound on the negative log-likelihood. As the network is not told the time, the
//! times at which tokens are shown do not matter while sampling, only their order: the first-hitting sampler of "Masked diffusion models are secretly
//! time-agnostic masked models", Zheng et al. 2024. Tokens are drawn by inverting their distribution function in f64, without the Gumbel noise in f32
//! that the same paper warns of.
//!
//! The window's mark stands before its tokens. Texts that end are filled with ends, so that their length is drawn too. Longer ones are drawn window by window, each after the last half of the one
//! before. Labels are guided as in "Classifier-free diffusion guidance", Ho and Salimans 2022.

use std::sync::Arc;

use burn::module::Module;
use burn::optim::GradientsParams;
use burn::tensor::Tensor;
use semblant_core::config::{Config, check_range};
use semblant_core::model::{Losses, Model, Step};
use semblant_core::optim::Optimizers;
use semblant_core::seeds::Stream;
use semblant_core::synthesizer::{Run, Summary};
use semblant_core::train_config::TrainConfig;
use semblant_core::trainer::{TrainSchedule, Trained, Trainer, fingerprint};
use semblant_core::{Error, Result, host};
use semblant_data::text::TextRequest;
use semblant_masked_diffusion::{CrossEntropy, Orders, Targets};
use serde::{Deserialize, Serialize};

use crate::autoregressive::{dropout, entropy, surprise};
use crate::corpus::{Corpus, Window};
use crate::filling::{Filling, ROWS};
use crate::form::{Form, TextConfig, training};
use crate::model::{Draw, Learned, Manner, TextModel, known};
use crate::purpose::{ESTIMATED, JUDGED, SHOWN, TIMES, UNLABELLED};
use crate::transformer::{Branch, Transformer};

/// Draws of shown positions by which a held-out window is judged, and how many windows are.
const JUDGED_DRAWS: usize = 2;
const MOST_JUDGED: usize = 128;

/// Settings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default)]
pub struct TextMdlmConfig {
    /// How long, in what batches, and by which optimizer; what it calls rows are windows. The best state by held-out texts is kept. `batch_rows` of 0
    /// is chosen by the length of the texts.
    #[serde(flatten)]
    pub train: TrainConfig,
    /// Tokens and network.
    #[serde(flatten)]
    pub text: TextConfig,
    /// Passes for a window: tokens that are drawn in one pass do not know of each other. As many as the context or more are exact.
    pub steps: usize,
    /// The share of training windows whose label is left out, which guidance needs.
    pub unlabelled: f64,
}

impl Default for TextMdlmConfig {
    fn default() -> Self {
        Self { train: training(60, 10), text: TextConfig::default(), steps: 128, unlabelled: 0.1 }
    }
}

impl Config for TextMdlmConfig {
    fn check(&self) -> Result<()> {
        self.text.check()?;
        check_range("steps", self.steps, 1, 1 << 13)?;
        check_range("unlabelled", self.unlabelled, 0.0, 0.9)?;
        TrainConfig { batch_rows: self.train.batch_rows.max(1), ..self.train }.check("")
    }
}

/// The windows of a step.
#[derive(Debug, Clone)]
pub struct Batch {
    /// Shown tokens and marks of hidden ones, `[rows, length]`.
    inputs: Vec<u32>,
    /// The mark of each window, `[rows]`.
    marks: Vec<u32>,
    /// The tokens and their weights, `[rows * length]`.
    targets: Targets,
    rows: usize,
    length: usize,
}

/// How windows of a batch are hidden.
struct Hiding<'a> {
    /// The order in which positions are shown.
    stream: &'a Stream,
    /// The address of each window's random numbers.
    addresses: &'a [u64],
    /// From 0 to 1: how much of each is shown.
    places: &'a [f64],
    /// Whose label is left out.
    unlabelled: &'a [bool],
}

impl Batch {
    /// Windows with some of their tokens hidden; those before the first that counts are shown. Texts that end are filled with ends, which count; of parts
    /// of a long text what is missing is hidden and does not count. The weights are those of a sum over the tokens of all windows, divided by
    /// `divisor`.
    fn of(windows: &[&Window], form: &Form, hiding: &Hiding<'_>, divisor: f32) -> Self {
        let (rows, length) = (windows.len(), form.context);
        let (mut inputs, mut tokens, mut weights) = (Vec::new(), Vec::new(), Vec::new());
        let mut marks = Vec::with_capacity(rows);
        let mut shown = vec![false; length];
        for (index, window) in windows.iter().enumerate() {
            let end = if form.is_whole() { window.tokens.len() } else { length };
            let counted = end - window.from;
            let shown = &mut shown[..counted];
            let found = Orders::random(counted).show(hiding.stream, hiding.addresses[index], hiding.places[index], shown);
            for place in 0..length {
                let token = window.tokens.get(place).copied().unwrap_or(form.end());
                let is_shown = place < window.from || (place < end && shown[place - window.from]);
                inputs.push(if is_shown { token } else { form.hidden() });
                tokens.push(token);
                weights.push(if is_shown || place >= end { 0.0 } else { found.weight(place - window.from, counted) / divisor });
            }
            marks.push(form.mark(if hiding.unlabelled[index] { 0 } else { window.label }, window.within));
        }
        Self { inputs, marks, targets: Targets { tokens: Arc::new(tokens), weights: Arc::new(weights) }, rows, length }
    }
}

/// The logits of windows, `[rows, length, outputs]`, from their shown tokens and marks of hidden ones, `[rows, length]`, and their own marks, `[rows]`.
///
/// A window's mark is added to all of its tokens, and stands before them: where all tokens are hidden, their distance to it is what tells one place
/// from another.
pub(crate) fn predicted(net: &Transformer, inputs: &[u32], marks: &[u32], branch: Branch<'_>) -> Tensor<3> {
    let (rows, length) = (marks.len(), inputs.len() / marks.len());
    let mark = net.embed(marks, [rows, 1]); // [rows, 1, width]
    let tokens = net.embed(inputs, [rows, length]) + mark.clone(); // [rows, length, width]
    let x = branch(Tensor::cat(vec![mark, tokens], 1)); // [rows, 1 + length, width]
    let width = x.dims()[2];
    let hidden = net.hidden(x, false, branch).slice([0..rows, 1..1 + length, 0..width]); // [rows, length, width]
    net.logits(hidden)
}

/// The model in training.
#[derive(Module, Debug)]
pub struct MaskedModel {
    net: Transformer,
    #[module(skip)]
    entropy: CrossEntropy,
    #[module(skip)]
    dropout: f64,
}

impl Model for MaskedModel {
    type Batch = Batch;
    type Sampled = Transformer;

    fn sampled(&self) -> Transformer {
        self.net.valid()
    }

    fn train_step(mut self, batch: Batch, optimizers: &mut Optimizers, step: &Step) -> (Self, Losses) {
        let Batch { inputs, marks, targets, rows, .. } = batch;
        let mut dropped = dropout(self.dropout, step, rows);
        let logits = predicted(&self.net, &inputs, &marks, &mut dropped); // [rows, length, outputs]
        let (loss, surrogate) = self.entropy.surrogate(logits.flatten(0, 1), &targets);
        let gradients = GradientsParams::from_grads(surrogate.backward(), &self.net);
        self.net = optimizers.step("network", self.net, gradients, step);
        (self, Losses::default().with("nats", loss))
    }
}

impl TextModel for TextMdlmConfig {
    const NAME: &'static str = "text-mdlm";
    const SUMMARY: &'static str =
        "text in any order: masked diffusion (Sahoo et al. 2024) by a transformer that sees both sides; fills in blanks";

    fn text(&self) -> &TextConfig {
        &self.text
    }

    fn train(&self) -> &TrainConfig {
        &self.train
    }

    fn fit(&self, corpus: &Corpus, form: &Form, schedule: TrainSchedule, run: &mut Run) -> Result<(Transformer, Summary)> {
        let mut steps = corpus.steps(form.context);
        let mut batch = |step: &Step| {
            let windows = steps.of(step);
            let addresses: Vec<u64> = step.rows().collect();
            // Evenly spread over the batch, which makes the gradient less noisy.
            let offset = step.stream(TIMES).uniform_f64(step.index, 0);
            let places: Vec<f64> = (0..windows.len()).map(|row| (row as f64 + offset) / windows.len() as f64).collect();
            let chance = step.stream(UNLABELLED);
            let unlabelled: Vec<bool> = addresses.iter().map(|&row| chance.uniform_f64(row, 0) < self.unlabelled).collect();
            let stream = step.stream(SHOWN);
            let hiding = Hiding { stream: &stream, addresses: &addresses, places: &places, unlabelled: &unlabelled };
            Batch::of(&windows.iter().collect::<Vec<_>>(), form, &hiding, (windows.len() * form.context) as f32)
        };
        let held = &corpus.held[..corpus.held.len().min(MOST_JUDGED)];
        let judged = JUDGED.of(run.seed);
        let mut score = |net: &Transformer| corpus.mean(&bounds(net, form, held, JUDGED_DRAWS, &judged));
        let name =
            fingerprint((Self::NAME, run.seed, serde_json::to_string(self).ok(), serde_json::to_string(form).ok(), corpus.fingerprint()));
        let net = Transformer::new(&form.sizes(self.text.depth), run.seed, &run.device.clone().autodiff());
        let model = MaskedModel { net, entropy: entropy(form, &run.device), dropout: form.dropout };
        let trainer = Trainer::new(schedule, self.train.ema, name, &mut batch).with_score(&mut score);
        let Trained { sampled, summary } = trainer.fit(model, Optimizers::default().with("network", self.train.optimizer), run)?;
        Ok((sampled, summary))
    }

    fn draw(&self, learned: &Learned, draws: &[Draw], manner: &Manner) -> Result<Vec<Vec<u32>>> {
        if manner.pattern.is_some() {
            let what = format!(
                "{} draws in any order, so that no expression can lead it; leave --regex and --json-schema out, or fit text-ar",
                Self::NAME
            );
            return Err(Error::Config(what));
        }
        let steps = manner.steps.unwrap_or(self.steps);
        check_range("--steps", steps, 1, 1 << 13)?;
        let guidance = manner.guidance.unwrap_or(1.0);
        check_range("--guidance", guidance, 0.0, 100.0)?;
        if manner.guidance.is_some() && learned.form.labels.is_none() {
            return Err(Error::Config(
                "the model learned texts without labels, so that there is nothing to guide towards; leave --guidance out".into(),
            ));
        }
        if let Some(draw) = draws.iter().find(|draw| draw.given.len() > learned.form.context) {
            let what = format!(
                "a given text has {} tokens, and the model sees {} at once; give shorter ones",
                draw.given.len(),
                learned.form.context
            );
            return Err(Error::Config(what));
        }
        let attempt = draws.first().map_or(0, |draw| draw.attempt);
        let positions_a_pass = learned.form.context.div_ceil(steps);
        let filling = Filling { learned, manner, attempt, guidance: guidance as f32, positions_a_pass };
        Ok(draws.chunks(ROWS).flat_map(|part| filling.texts(part)).collect())
    }

    fn given(&self, form: &Form, text: &str, request: &TextRequest) -> Result<(Vec<Option<u32>>, bool)> {
        let mut all = Vec::new();
        for (index, part) in text.split(request.blank).enumerate() {
            if index > 0 {
                all.push(None);
            }
            all.extend(known(form, part, "--from")?.into_iter().map(Some));
        }
        Ok((all, true))
    }

    fn nats(&self, learned: &Learned, windows: &[Window], samples: usize, seed: u64) -> Vec<f64> {
        bounds(&learned.net, &learned.form, windows, samples.max(1), &ESTIMATED.of(seed))
    }
}

/// Bounds on the negative log-likelihood of each window's tokens that count, from `draws` draws of shown positions each.
fn bounds(net: &Transformer, form: &Form, windows: &[Window], draws: usize, stream: &Stream) -> Vec<f64> {
    let mut all = vec![0.0; windows.len()];
    let asked: Vec<(usize, usize)> = (0..windows.len()).flat_map(|window| (0..draws).map(move |draw| (window, draw))).collect();
    for part in asked.chunks(ROWS) {
        let seen: Vec<&Window> = part.iter().map(|&(window, _)| &windows[window]).collect();
        let addresses: Vec<u64> = part.iter().map(|&(window, draw)| (window * draws + draw) as u64).collect();
        let place = |&(window, draw): &(usize, usize)| (draw as f64 + stream.uniform_f64(window as u64, u32::MAX)) / draws as f64;
        let places: Vec<f64> = part.iter().map(place).collect();
        let hiding = Hiding { stream, addresses: &addresses, places: &places, unlabelled: &vec![false; part.len()] };
        let Batch { inputs, marks, targets, length, .. } = Batch::of(&seen, form, &hiding, draws as f32);
        let logits = predicted(net, &inputs, &marks, &mut |added| added); // [rows, length, outputs]
        host::read(&logits, |logits| {
            let weighted = logits.chunks_exact(form.outputs()).zip(targets.tokens.iter()).zip(targets.weights.iter());
            for (place, ((logits, &token), &weight)) in weighted.enumerate().filter(|(_, (_, weight))| **weight > 0.0) {
                all[part[place / length].0] += f64::from(weight) * surprise(logits, token);
            }
        });
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::synthesizer::TextSynthesizer;
    use burn::tensor::Device;
    use semblant_core::synthesizer::Synthesizer;
    use semblant_data::text::Text;

    fn config(epochs: u64) -> TextMdlmConfig {
        let text = TextConfig { rare: 1, width: 32, depth: 2, heads: 2, dropout: 0.0, ..TextConfig::default() };
        TextMdlmConfig { train: TrainConfig { epochs, ..TextMdlmConfig::default().train }, text, ..TextMdlmConfig::default() }
    }

    fn fitted(texts: &Text, epochs: u64) -> TextSynthesizer<TextMdlmConfig> {
        let mut model = TextSynthesizer::new(config(epochs)).expect("in range");
        model.fit(texts, &mut Run::new(Device::flex(), 1)).expect("fits");
        model
    }

    fn cars() -> Text {
        let lines = (0..200).map(|row| format!("{} {}", ["red", "blue"][row % 2], ["car", "sea"][row % 2]));
        Text::of_lines(lines).with_labels((0..200).map(|row| ["land", "water"][row % 2])).expect("as many")
    }

    #[test]
    fn hidden_tokens_have_the_weight_of_the_bound() {
        let texts = Text::of_lines(["abcd", "ab"]);
        let form = Form { context: 6, ..Form::of(&texts, &TextConfig { rare: 1, ..TextConfig::default() }).expect("a form") };
        let window = Window { label: 0, told: Arc::default(), within: false, tokens: vec![0, 1, 2, 3, form.end()], from: 2 };
        let stream = SHOWN.of(1);
        let hiding = Hiding { stream: &stream, addresses: &[7], places: &[0.6], unlabelled: &[false] };
        let batch = Batch::of(&[&window], &form, &hiding, 1.0);
        // Four positions count, two of them are shown: each hidden one weighs 4 / 2.
        assert_eq!(batch.targets.weights.iter().filter(|&&weight| weight == 2.0).count(), 2);
        assert_eq!(batch.targets.weights.iter().filter(|&&weight| weight == 0.0).count(), 4);
        assert_eq!(batch.inputs[..2], [0, 1]);
        assert_eq!(*batch.targets.tokens, [0, 1, 2, 3, form.end(), form.end()]);
        let hidden =
            batch.inputs.iter().zip(batch.targets.weights.iter()).all(|(&input, &weight)| (input == form.hidden()) == (weight > 0.0));
        assert!(hidden);
    }

    /// With one token the bound is exact, and the probabilities of all of them sum to one.
    #[test]
    fn the_bound_of_one_token_is_its_likelihood() {
        let texts = Text::of_lines(["ab", "b", "a"]);
        let config = TextConfig { rare: 1, width: 8, depth: 1, heads: 2, ..TextConfig::default() };
        let form = Form { context: 3, ..Form::of(&texts, &config).expect("a form") };
        let net = Transformer::new(&form.sizes(1), 3, &Device::flex());
        let window = |token: u32| Window { label: 0, told: Arc::default(), within: false, tokens: vec![0, 1, token], from: 2 };
        let all: Vec<Window> = (0..form.outputs() as u32).map(window).collect();
        let total: f64 = bounds(&net, &form, &all, 5, &ESTIMATED.of(0)).iter().map(|nats| (-nats).exp()).sum();
        assert!((total - 1.0).abs() < 1e-5, "{total}");
    }

    #[test]
    fn what_is_learned_is_drawn_and_filled_in() {
        let texts = cars();
        let model = fitted(&texts, 100);
        let share = |made: &Text, known: &[&str]| made.iter().filter(|text| known.contains(text)).count() as f64 / made.count() as f64;
        let made = model.sample(&TextRequest::new(60, 1)).expect("possible").data;
        assert!(share(&made, &["red car", "blue sea"]) > 0.7, "{:?}", made.iter().take(10).collect::<Vec<_>>());
        let made =
            model.sample(&TextRequest { guidance: Some(2.0), ..TextRequest::new(40, 1).with_label("water") }).expect("possible").data;
        assert!(share(&made, &["blue sea"]) > 0.6, "{:?}", made.iter().take(10).collect::<Vec<_>>());
        let blanks = Text::of_lines(vec!["bl__ se_"; 20]);
        let made = model.rebuild().expect("can").rebuild(&blanks, None, &TextRequest::new(0, 3)).expect("possible").data;
        assert!(made.iter().all(|text| text.starts_with("bl") && &text[4..7] == " se" && text.len() == 8));
        assert!(share(&made, &["blue sea"]) > 0.6, "{:?}", made.iter().take(10).collect::<Vec<_>>());
    }

    #[test]
    fn long_texts_are_drawn_window_by_window() {
        let whole = Text::of_whole("to be or not to be, ".repeat(60), 50).expect("parts");
        let mut config = config(2);
        config.text = TextConfig { context: 16, guard: false, ..config.text };
        let mut model = TextSynthesizer::new(config).expect("in range");
        model.fit(&whole, &mut Run::new(Device::flex(), 1)).expect("fits");
        let made = model.sample(&TextRequest::new(20, 2).with_prompt("or")).expect("possible").data;
        assert!(made.iter().all(|text| text.chars().count() == 50 && text.starts_with("or")));
        let slice = model.sample(&TextRequest { rows: 17..19, ..TextRequest::new(0, 2).with_prompt("or") }).expect("possible").data;
        assert!(slice.iter().eq([made.get(17), made.get(18)]), "a slice is part of the whole");
    }
}
