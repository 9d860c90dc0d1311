//! The [`Synthesizer`] of every model of text.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use burn::tensor::Device;
use semblant_core::checkpoint::Checkpoint;
use semblant_core::config;
use semblant_core::memory::Memory;
use semblant_core::progress::Event;
use semblant_core::synthesizer::{Entry, Likelihood, Rebuild, Run, Sample, Summary, Synthesizer, not_fitted};
use semblant_core::train_config::{LastBatch, TrainConfig};
use semblant_core::{Error, Result};
use semblant_data::text::{LabelRequest, Layout, Text, TextRequest};
use serde_json::Value;

use crate::corpus::{Corpus, Window, half, too_few, windows};
use crate::form::Form;
use crate::guard::Guard;
use crate::model::{Draw, Learned, Manner, TextModel, known};
use crate::told::{Told, ToldColumns};
use crate::transformer::Transformer;

/// How often a text that the guard refuses is drawn again.
const MOST_ATTEMPTS: u32 = 32;

/// Texts that were drawn.
struct Drawn {
    texts: Vec<String>,
    /// Attempts at all of them.
    total: u64,
    /// Those that the guard refused at every attempt.
    refused: Vec<usize>,
}

/// A model of text with its configuration, fitted or not.
pub struct TextSynthesizer<C: TextModel> {
    config: C,
    fitted: Option<(Learned, Option<Guard>)>,
}

impl<C: TextModel> TextSynthesizer<C> {
    /// An unfitted model.
    ///
    /// # Errors
    /// A setting out of its range.
    pub fn new(config: C) -> Result<Self> {
        config.check()?;
        Ok(Self { config, fitted: None })
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
    /// As [`TextSynthesizer::load`].
    pub fn from_checkpoint(file: &Checkpoint, path: &Path, device: &Device) -> Result<Self> {
        file.expect_model(C::NAME, path)?;
        let config: C = config::of_file(file, path)?;
        let form: Form = file.metadata_as("form", path)?;
        form.check().map_err(|what| Error::checkpoint(path, what))?;
        let net = Transformer::new(&form.sizes(config.text().depth), 0, device);
        let net = file.load_module("model", net, path)?;
        let guard = Guard::read(file, path, device)?;
        Ok(Self { config, fitted: Some((Learned { form, net, device: device.clone() }, guard)) })
    }

    /// The model as a file that is not yet written; `path` is only named in errors.
    ///
    /// # Errors
    /// A model that was not fitted.
    pub fn to_checkpoint(&self, path: &Path) -> Result<Checkpoint> {
        let (learned, guard) = self.fitted()?;
        let mut file = Checkpoint::of::<Text>(C::NAME);
        file.set_metadata("config", &self.config, path)?;
        file.set_metadata("form", &learned.form, path)?;
        file.add_module("model", &learned.net)?;
        if let Some(guard) = guard {
            guard.write(&mut file, path, &learned.device)?;
        }
        Ok(file)
    }

    /// The settings.
    pub fn config(&self) -> &C {
        &self.config
    }

    fn fitted(&self) -> Result<&(Learned, Option<Guard>)> {
        self.fitted.as_ref().ok_or_else(not_fitted)
    }

    /// Learns texts, each given what it is told of the row that it belongs to.
    ///
    /// # Errors
    /// As [`Synthesizer::fit`].
    pub fn fit_told(&mut self, data: &Text, told: &Told, run: &mut Run) -> Result<Summary> {
        run.check_single_device(C::NAME, "models of text are")?;
        if data.count() < 2 && !matches!(data.layout(), Layout::Whole { .. }) {
            return Err(too_few(data));
        }
        let started = Instant::now();
        run.observer.event(Event::Stage("tokens"));
        let protected = self.config.text().protected(data, run);
        let data = protected.as_ref().unwrap_or(data);
        let form = Form { least_match: self.config.least_match(), told: told.counts.clone(), ..Form::of(data, self.config.text())? };
        let corpus = Corpus::of(data, told, &form, self.config.text(), run.seed)?;
        let rare =
            data.iter().filter(|text| form.tokenizer.encode(text).iter().any(|&token| Some(token) == form.tokenizer.unknown())).count();
        if rare > 0 {
            let what =
                format!("{rare} texts have characters that occur in fewer than {} texts; samples lack them", self.config.text().rare);
            run.observer.event(Event::Note(&what));
        }
        let guard = self.config.text().guard.then(|| Guard::fit(&corpus.texts[0], &corpus.texts[1])).transpose()?;
        if let Some(guard) = &guard {
            let what = format!("samples that repeat more than {} characters of the training text are drawn again", guard.limit());
            run.observer.event(Event::Note(&what));
        }
        let train = TrainConfig { batch_rows: corpus.batch_rows(self.config.train().batch_rows, form.context), ..*self.config.train() };
        let schedule = train.schedule(corpus.windows(form.context), LastBatch::Filled);
        let encode_secs = started.elapsed().as_secs_f64();
        run.observer.event(Event::Stage(&format!(
            "training {} on {}: {} windows of up to {} tokens of {}, {} wide",
            C::NAME,
            semblant_core::device::name(&run.device),
            corpus.windows(form.context),
            form.context,
            form.outputs(),
            form.width
        )));
        let (net, summary) = self.config.fit(&corpus, &form, schedule, run)?;
        self.fitted = Some((Learned { form, net, device: run.device.clone() }, guard));
        Ok(summary.with_encode_secs(encode_secs))
    }

    /// Draws until the guard refuses none, or too often.
    fn drawn(&self, mut draws: Vec<Draw>, request: &TextRequest) -> Result<Drawn> {
        let (learned, guard) = self.fitted()?;
        let form = &learned.form;
        let manner = Manner::of(form, request)?;
        let size = 8 * (form.longest.min(manner.characters) + 64) as u64;
        Memory::of_process().check(format!("{} texts", draws.len()), draws.len() as u64, size)?;
        let per_slot = (self.config.text().depth * form.width * form.context) as u64 * 8;
        Memory::of_process().check("what the network keeps of the texts in the making", 64, per_slot)?;
        let mut texts = vec![String::new(); draws.len()];
        let mut open: Vec<usize> = (0..draws.len()).collect();
        let mut total = 0;
        for attempt in 0..MOST_ATTEMPTS {
            let asked: Vec<Draw> = open.iter().map(|&index| draws[index].clone()).collect();
            total += asked.len() as u64;
            let tokens = self.config.draw(learned, &asked, &manner)?;
            let mut refused = Vec::new();
            for (&index, tokens) in open.iter().zip(&tokens) {
                let text: String = form.tokenizer.decode(tokens).chars().take(manner.characters).collect();
                // What was given may be a copy; what is judged is what follows.
                let own: String = text.chars().skip(given_characters(form, &draws[index])).collect();
                if request.guard && guard.as_ref().is_some_and(|guard| guard.refuses(&own)) {
                    refused.push(index);
                }
                texts[index] = text;
            }
            if refused.is_empty() {
                return Ok(Drawn { texts, total, refused });
            }
            refused.iter().for_each(|&index| draws[index].attempt = attempt + 1);
            open = refused;
        }
        Ok(Drawn { texts, total, refused: open })
    }

    /// Texts without copies, and how many were drawn to find them.
    fn new_texts(&self, draws: Vec<Draw>, request: &TextRequest) -> Result<(Vec<String>, u64)> {
        let rows: Vec<u64> = draws.iter().map(|draw| draw.row).collect();
        let Drawn { texts, total, refused } = self.drawn(draws, request)?;
        let Some(&first) = refused.first() else { return Ok((texts, total)) };
        let limit = self.fitted()?.1.as_ref().map_or(0, Guard::limit);
        Err(Error::Condition(format!(
            "text {} repeats more than {limit} characters of the training text in {MOST_ATTEMPTS} attempts; train for fewer epochs, since the model knows the text by heart, or keep copies with --no-guard",
            rows[first]
        )))
    }

    /// The negative log-likelihood of each text in nats, given what it is told of its row.
    ///
    /// # Errors
    /// A model that was not fitted.
    pub fn nats_told(&self, data: &Text, told: &Told, samples: usize, seed: u64) -> Result<Vec<f64>> {
        let (learned, _) = self.fitted()?;
        let form = &learned.form;
        let (mut all, mut owners, mut nats) = (Vec::new(), Vec::new(), Vec::new());
        for (index, label) in form.labels_of(data).into_iter().enumerate() {
            let mut tokens = form.tokenizer.encode(data.get(index));
            let unknown = tokens.iter().filter(|&&token| Some(token) == form.tokenizer.unknown()).count();
            nats.push(unknown as f64 * form.tokenizer.unknown_nats());
            if !form.is_whole() {
                tokens.push(form.end());
            }
            let cut = windows(&tokens, (label, &told.of(index)), !form.is_whole(), form.context, half(form.context));
            owners.extend(std::iter::repeat_n(index, cut.len()));
            all.extend(cut);
        }
        // A network costs the same for a window that it has judged already.
        let mut place: HashMap<&Window, usize> = HashMap::new();
        let mut different = Vec::new();
        let places: Vec<usize> = all
            .iter()
            .map(|window| {
                *place.entry(window).or_insert_with(|| {
                    different.push(window.clone());
                    different.len() - 1
                })
            })
            .collect();
        let judged = self.config.nats(learned, &different, samples, seed);
        owners.into_iter().zip(places).for_each(|(owner, place)| nats[owner] += judged[place]);
        Ok(nats)
    }

    /// Draws a text for each address, given what it is told of its row. Where 32 attempts repeat too much of the training text, what repeats is cut off.
    ///
    /// # Errors
    /// A model that was not fitted, and more text than there may be memory for.
    pub fn draw_told(&self, rows: Vec<(u64, Arc<[u32]>)>, request: &TextRequest) -> Result<Vec<String>> {
        let draws =
            rows.into_iter().map(|(row, told)| Draw { row, attempt: 0, label: 0, told, given: Vec::new(), is_closed: false }).collect();
        let Drawn { mut texts, refused, .. } = self.drawn(draws, request)?;
        if let Some(guard) = &self.fitted()?.1 {
            refused.into_iter().for_each(|index| texts[index] = guard.kept(&texts[index]).to_owned());
        }
        Ok(texts)
    }

    /// Whether the texts are told of these columns.
    pub fn is_told(&self, columns: &ToldColumns) -> bool {
        self.fitted.as_ref().is_some_and(|(learned, _)| learned.form.told == columns.counts())
    }

    fn joined(&self, texts: &[String], labels: &[u32]) -> Result<Text> {
        let form = &self.fitted()?.0.form;
        let text = Text::of_lines(texts).with_layout(form.layout.clone());
        let Some(known) = &form.labels else { return Ok(text) };
        Ok(text.with_labels(labels.iter().map(|&label| label.checked_sub(1).map_or("", |place| known.names[place as usize].as_str())))?)
    }
}

/// Characters of a text that were given before the first drawn one.
fn given_characters(form: &Form, draw: &Draw) -> usize {
    let given: Vec<u32> = draw.given.iter().map_while(|&token| token).collect();
    form.tokenizer.decode(&given).chars().count()
}

impl<C: TextModel> Default for TextSynthesizer<C> {
    /// An unfitted model with the default settings.
    fn default() -> Self {
        Self { config: C::default(), fitted: None }
    }
}

impl<C: TextModel> Synthesizer<Text> for TextSynthesizer<C> {
    fn fit(&mut self, data: &Text, run: &mut Run) -> Result<Summary> {
        self.fit_told(data, &Told::default(), run)
    }

    fn sample(&self, request: &TextRequest) -> Result<Sample<Text>> {
        let (learned, _) = self.fitted()?;
        let form = &learned.form;
        if request.rows.is_empty() {
            return Err(Error::Config("the request has no texts; sample at least one".into()));
        }
        Memory::of_process().check("the request", request.rows.end - request.rows.start, 64)?;
        let labels = form.labels(request)?;
        let prompt: Vec<Option<u32>> = known(form, &request.prompt, "--prompt")?.into_iter().map(Some).collect();
        let draw =
            |(row, &label): (u64, &u32)| Draw { row, attempt: 0, label, told: Arc::default(), given: prompt.clone(), is_closed: false };
        let draws = request.rows.clone().zip(&labels).map(draw).collect();
        let (texts, drawn_rows) = self.new_texts(draws, request)?;
        Ok(Sample { data: self.joined(&texts, &labels)?, drawn_rows })
    }

    fn save(&self, path: &Path) -> Result<()> {
        self.to_checkpoint(path)?.write(path)
    }

    fn likelihood(&self) -> Option<&dyn Likelihood<Text>> {
        Some(self)
    }

    fn rebuild(&self) -> Option<&dyn Rebuild<Text>> {
        Some(self)
    }
}

impl<C: TextModel> Likelihood<Text> for TextSynthesizer<C> {
    fn negative_log_likelihoods(&self, data: &Text, samples: usize, seed: u64) -> Result<Vec<f64>> {
        self.nats_told(data, &Told::default(), samples, seed)
    }
}

impl<C: TextModel> Rebuild<Text> for TextSynthesizer<C> {
    fn rebuild(&self, init: &Text, mask: Option<&Text>, request: &TextRequest) -> Result<Sample<Text>> {
        if mask.is_some() {
            return Err(Error::Config("what is to be drawn of a text is marked in it by --blank; leave --mask out".into()));
        }
        let form = &self.fitted()?.0.form;
        if !request.prompt.is_empty() {
            return Err(Error::Config("given texts begin as they do; leave --prompt out".into()));
        }
        let labels = match request.label {
            LabelRequest::AsLearned => form.labels_of(init),
            // As many labels as texts.
            _ => form.labels(&TextRequest { rows: 0..init.count() as u64, ..request.clone() })?,
        };
        let draw = |(index, &label): (usize, &u32)| -> Result<Draw> {
            let named = |error: Error| match error {
                Error::Config(what) => Error::Config(format!("text {}: {what}", index + 1)),
                other => other,
            };
            let (given, is_closed) = self.config.given(form, init.get(index), request).map_err(named)?;
            Ok(Draw { row: index as u64, attempt: 0, label, told: Arc::default(), given, is_closed })
        };
        let draws = labels.iter().enumerate().map(draw).collect::<Result<Vec<_>>>()?;
        let (texts, drawn_rows) = self.new_texts(draws, request)?;
        // Texts keep the labels that they came with, and lines have none, unless some were asked for.
        let data = match (&request.label, init.labels()) {
            (LabelRequest::AsLearned, None) => Text::of_lines(&texts).with_layout(init.layout().clone()),
            (LabelRequest::AsLearned, Some(_)) => Text::of_lines(&texts)
                .with_layout(init.layout().clone())
                .with_labels((0..init.count()).map(|index| init.label(index).unwrap_or_default()))?,
            _ => self.joined(&texts, &labels)?,
        };
        Ok(Sample { data, drawn_rows })
    }
}

/// The registry's entry of a model.
pub const fn entry<C: TextModel>() -> Entry<Text> {
    Entry { name: C::NAME, summary: C::SUMMARY, build: build::<C>, settings: config::settings::<C>, load: load::<C> }
}

fn build<C: TextModel>(values: Value) -> Result<Box<dyn Synthesizer<Text>>> {
    Ok(Box::new(TextSynthesizer::<C>::new(config::from_value(C::NAME, values)?)?))
}

fn load<C: TextModel>(file: &Checkpoint, path: &Path, device: &Device) -> Result<Box<dyn Synthesizer<Text>>> {
    Ok(Box::new(TextSynthesizer::<C>::from_checkpoint(file, path, device)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::form::TextConfig;
    use semblant_core::config::Config;
    use semblant_core::trainer::TrainSchedule;
    use semblant_data::text::TokenizerKind;
    use serde::{Deserialize, Serialize};

    const LINES: [&str; 2] =
        ["the old lighthouse keeper and his dog went down to the sea", "a parcel for number seven was left upstairs today"];

    /// Draws a training text at every attempt but one.
    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
    #[serde(default)]
    struct Parrot {
        text: TextConfig,
        train: TrainConfig,
        new_at: u32,
    }

    impl Default for Parrot {
        fn default() -> Self {
            let text =
                TextConfig { tokenizer: TokenizerKind::Byte, width: 8, depth: 1, heads: 1, validation: 0.1, ..TextConfig::default() };
            Self { text, train: TrainConfig::default(), new_at: 2 }
        }
    }

    impl Config for Parrot {
        fn check(&self) -> Result<()> {
            Ok(())
        }
    }

    impl TextModel for Parrot {
        const NAME: &'static str = "parrot";
        const SUMMARY: &'static str = "repeats";

        fn text(&self) -> &TextConfig {
            &self.text
        }

        fn train(&self) -> &TrainConfig {
            &self.train
        }

        fn fit(&self, _: &Corpus, form: &Form, _: TrainSchedule, run: &mut Run) -> Result<(Transformer, Summary)> {
            Ok((Transformer::new(&form.sizes(1), 0, &run.device), Summary::default()))
        }

        fn draw(&self, learned: &Learned, draws: &[Draw], _: &Manner) -> Result<Vec<Vec<u32>>> {
            let text = |draw: &Draw| if draw.attempt == self.new_at { "something new" } else { LINES[draw.row as usize % 2] };
            Ok(draws.iter().map(|draw| learned.form.tokenizer.encode(text(draw))).collect())
        }

        fn given(&self, _: &Form, _: &str, _: &TextRequest) -> Result<(Vec<Option<u32>>, bool)> {
            Ok((Vec::new(), false))
        }

        fn nats(&self, _: &Learned, windows: &[Window], _: usize, _: u64) -> Vec<f64> {
            vec![1.0; windows.len()]
        }
    }

    fn fitted(config: Parrot) -> TextSynthesizer<Parrot> {
        // What is held out has nothing in common with the rest: each row of digits comes once.
        let rows = (0..400u64).map(|row| format!("{:020}", row.wrapping_mul(0x9E37_79B9_7F4A_7C15)));
        let texts = Text::of_lines(LINES.map(str::to_owned).into_iter().chain(rows));
        let form = Form::of(&texts, &config.text).expect("a form");
        // With the first seed by which neither line is held out.
        let learned = |seed: &u64| {
            let corpus = Corpus::of(&texts, &Told::default(), &form, &config.text, *seed).expect("enough");
            LINES.iter().all(|line| corpus.texts[0].iter().any(|text| text == line))
        };
        let seed = (0..20).find(learned).expect("most are learned");
        let mut model = TextSynthesizer::new(config).expect("in range");
        model.fit(&texts, &mut Run::new(Device::flex(), seed)).expect("fits");
        model
    }

    #[test]
    fn copies_are_drawn_again_until_there_is_none() {
        let model = fitted(Parrot::default());
        let made = model.sample(&TextRequest::new(4, 1)).expect("possible");
        assert!(made.data.iter().all(|text| text == "something new"), "{:?}", made.data.iter().collect::<Vec<_>>());
        assert_eq!(made.drawn_rows, 12, "each at the third attempt");
        let free = model.sample(&TextRequest { guard: false, ..TextRequest::new(2, 1) }).expect("possible");
        assert!(free.data.iter().eq(LINES));
        let said = fitted(Parrot { new_at: 99, ..Parrot::default() }).sample(&TextRequest::new(1, 1)).expect_err("refused").to_string();
        assert!(said.contains("text 0 repeats more than 23 characters") && said.contains("--no-guard"), "{said}");
    }

    #[test]
    fn a_model_without_a_guard_keeps_copies() {
        let text = TextConfig { guard: false, ..Parrot::default().text };
        let made = fitted(Parrot { text, ..Parrot::default() }).sample(&TextRequest::new(2, 1)).expect("possible");
        assert!(made.data.iter().eq(LINES));
    }
}
