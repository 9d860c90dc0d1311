//! Texts as tokens: what is learned and what is held out, as windows and batches.

use std::sync::Arc;

use semblant_core::model::{Part, Step};
use semblant_core::passes::Passes;
use semblant_core::{Error, Result};
use semblant_data::text::Text;

use crate::form::{Form, TextConfig};
use crate::purpose::{GROUPS, HELD_OUT, ORDER, START};
use crate::told::Told;

/// The most tokens that a score of held-out texts looks at.
const MOST_JUDGED: usize = 1 << 15;
/// So many batches of texts are put in order of their length before they are cut.
const GROUP: usize = 16;
/// The least number of steps of a pass, and the most tokens of a step, where the number of texts of one is left open.
const STEPS_OF_A_PASS: usize = 16;
const STEP_TOKENS: usize = 2048;
/// The most often that a text of a rare label comes in one pass.
const MOST_COPIES: f64 = 32.0;

/// A part of a text that the network sees at once.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Window {
    /// The label of the text, counted from 1; 0 is none.
    pub label: u32,
    /// What the text is told of its row, a token for each column.
    pub told: Arc<[u32]>,
    /// Whether the window does not begin with the text.
    pub within: bool,
    /// At most as many tokens as the context, with the end where it is seen.
    pub tokens: Vec<u32>,
    /// The first of those that count: the ones before were counted already.
    pub from: usize,
}

/// The windows of a text of these tokens. Each begins `stride` tokens after the one before.
pub fn windows(tokens: &[u32], (label, told): (u32, &Arc<[u32]>), begins: bool, context: usize, stride: usize) -> Vec<Window> {
    let window = |start: usize| {
        let end = tokens.len().min(start + context);
        let from = if start == 0 { 0 } else { context - stride };
        Window { label, told: told.clone(), within: start > 0 || !begins, tokens: tokens[start..end].to_vec(), from }
    };
    let mut all = vec![window(0)];
    let mut start = 0;
    while start + context < tokens.len() {
        start += stride;
        all.push(window(start));
    }
    all
}

/// The tokens that a model learns from, and those that it is judged by.
pub struct Corpus {
    learned: Learned,
    /// Windows of held-out texts.
    pub held: Vec<Window>,
    /// How often a text of each label comes in one pass, the first for texts without any.
    copies: Vec<usize>,
    /// Texts of both, for the guard.
    pub texts: [Vec<String>; 2],
}

/// What a step draws its windows from.
enum Learned {
    /// Windows of texts with an end, and those that a pass has: some more than once.
    Texts(Vec<Window>, Vec<usize>),
    /// Long texts, and the number of tokens before each.
    Runs(Vec<Vec<u32>>, Vec<u64>),
}

impl Corpus {
    /// The tokens of texts, each with what it is told.
    ///
    /// # Errors
    /// Too little text to learn from.
    pub fn of(texts: &Text, told: &Told, form: &Form, config: &TextConfig, seed: u64) -> Result<Self> {
        let corpus = if form.is_whole() { Self::of_runs(texts, form, config) } else { Self::of_texts(texts, told, form, config, seed) };
        if corpus.held.is_empty() || corpus.windows(form.context) == 0 {
            return Err(too_few(texts));
        }
        Ok(corpus)
    }

    fn of_texts(texts: &Text, told: &Told, form: &Form, config: &TextConfig, seed: u64) -> Self {
        let labels = form.labels_of(texts);
        let mut order = HELD_OUT.of(seed).permutation(0, texts.count());
        let count = ((texts.count() as f64 * config.validation) as usize).max(1).min(texts.count() / 2);
        let mut kept = order.split_off(count);
        // In the order of the file, so that the permutation shows in nothing that is saved.
        order.sort_unstable();
        kept.sort_unstable();
        let cut = |indices: &[usize], stride: usize| -> Vec<Window> {
            let of = |&index: &usize| {
                let mut tokens = form.tokenizer.encode(texts.get(index));
                tokens.push(form.end());
                windows(&tokens, (labels[index], &told.of(index)), true, form.context, stride)
            };
            indices.iter().flat_map(of).collect()
        };
        let mut held = cut(&order, half(form.context));
        let mut left = MOST_JUDGED;
        held.retain(|window| {
            let fits = left >= window.tokens.len();
            left -= if fits { window.tokens.len() } else { 0 };
            fits
        });
        let windows = cut(&kept, form.context);
        let copies = copies(&labels, config.label_balance);
        let copied = |(index, window): (usize, &Window)| std::iter::repeat_n(index, copies[window.label as usize]);
        let pass = windows.iter().enumerate().flat_map(copied).collect();
        let plain = |indices: &[usize]| indices.iter().map(|&index| texts.get(index).to_owned()).collect();
        Self { learned: Learned::Texts(windows, pass), held, copies, texts: [plain(&kept), plain(&order)] }
    }

    fn of_runs(texts: &Text, form: &Form, config: &TextConfig) -> Self {
        let (mut learned, mut held, mut plain) = (Vec::new(), Vec::new(), [Vec::new(), Vec::new()]);
        for run in texts.runs() {
            let characters = run.chars().count();
            let cut = characters - ((characters as f64 * config.validation) as usize).max(2 * form.context).min(characters / 2);
            let at = run.char_indices().nth(cut).map_or(run.len(), |(at, _)| at);
            let (before, after) = run.split_at(at);
            let tokens = form.tokenizer.encode(before);
            if tokens.len() > 1 {
                learned.push(tokens);
                plain[0].push(before.to_owned());
            }
            let room = MOST_JUDGED.saturating_sub(held.iter().map(|window: &Window| window.tokens.len()).sum());
            let tokens = form.tokenizer.encode(after);
            held.extend(tokens.chunks(form.context).take(room / form.context + 1).map(|tokens| Window {
                label: 0,
                told: Arc::default(),
                within: true,
                tokens: tokens.to_vec(),
                from: 0,
            }));
            // As long as samples are, since longer texts have longer passages in common.
            let part = if let semblant_data::text::Layout::Whole { characters } = form.layout { characters } else { characters };
            plain[1].extend(after.chars().collect::<Vec<_>>().chunks(part.max(1)).map(|part| part.iter().collect::<String>()));
        }
        let mut before = 0;
        let starts = learned.iter().map(|run| {
            before += run.len() as u64;
            before - run.len() as u64
        });
        let starts = starts.collect();
        Self { learned: Learned::Runs(learned, starts), held, copies: vec![1], texts: plain }
    }

    /// How many windows a pass over the texts has.
    pub fn windows(&self, context: usize) -> usize {
        match &self.learned {
            Learned::Texts(_, pass) => pass.len(),
            Learned::Runs(runs, _) => runs.iter().map(Vec::len).sum::<usize>().div_ceil(context),
        }
    }

    /// The number of windows of a step: as said, or so many that it has about 2,048 tokens, fewer of few texts.
    pub fn batch_rows(&self, asked: u64, context: usize) -> u64 {
        let tokens = match &self.learned {
            _ if asked > 0 => return asked,
            Learned::Texts(windows, _) => windows.iter().map(|window| window.tokens.len()).sum::<usize>() / windows.len().max(1),
            Learned::Runs(..) => context,
        };
        let windows = self.windows(context);
        // Of few texts a step sees fewer, so that there are enough steps.
        (STEP_TOKENS / tokens.max(1)).clamp(8, 64).min((windows / STEPS_OF_A_PASS).max(8)).min(windows.max(1)) as u64
    }

    /// The mean over the tokens that count of the first held-out windows, given the sum of each; labels weigh as in training.
    pub fn mean(&self, sums: &[f64]) -> f64 {
        let copies = |window: &Window| self.copies[window.label as usize] as f64;
        let counted: f64 = self.held[..sums.len()].iter().map(|window| copies(window) * (window.tokens.len() - window.from) as f64).sum();
        self.held.iter().zip(sums).map(|(window, sum)| copies(window) * sum).sum::<f64>() / counted.max(1.0)
    }

    /// What identifies the tokens: for a resumed run.
    pub fn fingerprint(&self) -> String {
        match &self.learned {
            Learned::Texts(windows, pass) => semblant_core::trainer::fingerprint((windows, pass, &self.held)),
            Learned::Runs(runs, _) => semblant_core::trainer::fingerprint((runs, &self.held)),
        }
    }

    /// The windows of steps.
    pub fn steps(&self, context: usize) -> Steps<'_> {
        Steps { corpus: self, context, passes: Passes::new(self.windows(context).max(1), ORDER), group: (u64::MAX, Vec::new()) }
    }
}

/// How often a text of each label comes in one pass: of label `l`, `(n_max / n_l) ^ balance` times, where `n` are the numbers of texts.
fn copies(labels: &[u32], balance: f64) -> Vec<usize> {
    let mut counts = vec![0usize; labels.iter().max().map_or(1, |&most| most as usize + 1)];
    labels.iter().for_each(|&label| counts[label as usize] += 1);
    let most = counts.iter().max().copied().unwrap_or(0) as f64;
    counts.iter().map(|&count| (most / count.max(1) as f64).powf(balance).clamp(1.0, MOST_COPIES).round() as usize).collect()
}

/// That nothing can be learned from so little text.
pub(crate) fn too_few(texts: &Text) -> Error {
    Error::Data(format!("{} texts with {} characters are too few to learn from; give more", texts.count(), texts.characters()))
}

/// The distance of overlapping windows.
pub(crate) fn half(context: usize) -> usize {
    (context / 2).max(1)
}

/// The windows of each step, a function of the step alone.
pub struct Steps<'a> {
    corpus: &'a Corpus,
    context: usize,
    passes: Passes,
    /// The last group of batches of texts, in order of their length.
    group: (u64, Vec<usize>),
}

impl Steps<'_> {
    /// The windows of a step. Texts come in batches of similar length; windows of long texts begin anywhere.
    pub fn of(&mut self, step: &Step) -> Vec<Window> {
        match &self.corpus.learned {
            Learned::Texts(windows, pass) => {
                let (number, place) = (step.index / GROUP as u64, (step.index % GROUP as u64) as usize);
                let batch = step.batch_rows as usize;
                if self.group.0 != number {
                    let rows = step.batch_rows * GROUP as u64;
                    let all = Step { index: number, rows_seen: number * rows, batch_rows: rows, part: Part::WHOLE, ..*step };
                    let mut chosen: Vec<usize> = self.passes.batch(&all).into_iter().map(|place| pass[place]).collect();
                    chosen.sort_by_key(|&window| (windows[window].tokens.len(), window));
                    self.group = (number, chosen);
                }
                let place = step.stream(GROUPS).permutation(number, GROUP)[place];
                self.group.1[place * batch..(place + 1) * batch].iter().map(|&window| windows[window].clone()).collect()
            }
            Learned::Runs(runs, starts) => {
                let total: u64 = runs.iter().map(|run| run.len() as u64).sum();
                let stream = step.stream(START);
                let window = |row: u64| {
                    let at = stream.below(row, 0, total);
                    let place = starts.partition_point(|&start| start <= at) - 1;
                    let run = &runs[place];
                    // A window that would reach beyond the end ends there.
                    let start = ((at - starts[place]) as usize).min(run.len().saturating_sub(self.context));
                    let tokens = run[start..run.len().min(start + self.context)].to_vec();
                    Window { label: 0, told: Arc::default(), within: true, tokens, from: 0 }
                };
                step.rows().map(window).collect()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_count_every_token_once() {
        let tokens: Vec<u32> = (0..23).collect();
        for (context, stride) in [(8, 4), (8, 8), (30, 15), (23, 11), (5, 2)] {
            let all = windows(&tokens, (3, &Arc::default()), true, context, stride);
            let counted: Vec<u32> = all.iter().flat_map(|window| window.tokens[window.from..].to_vec()).collect();
            assert_eq!(counted, tokens, "{context}, {stride}");
            assert!(all.iter().all(|window| window.tokens.len() <= context && window.label == 3));
            assert!(!all[0].within && all[1..].iter().all(|window| window.within));
        }
        assert_eq!(windows(&[], (0, &Arc::default()), true, 4, 2).len(), 1);
    }

    #[test]
    fn rare_labels_come_more_often_and_weigh_as_much_where_they_are_judged() {
        assert_eq!(copies(&[1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 0], 0.0), [1, 1, 1]);
        assert_eq!(copies(&[1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 0], 0.5), [3, 1, 2]);
        assert_eq!(copies(&[1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 0], 1.0), [8, 1, 4]);
        assert_eq!(copies(&[], 1.0), [1]);
        let texts =
            Text::of_lines(["ab"; 45]).with_labels((0..45).map(|row| if row % 9 == 0 { "rare" } else { "usual" })).expect("as many");
        let config = TextConfig { rare: 1, label_balance: 1.0, validation: 0.2, ..TextConfig::default() };
        let form = Form::of(&texts, &config).expect("a form");
        let corpus = Corpus::of(&texts, &Told::default(), &form, &config, 1).expect("enough");
        let Learned::Texts(windows, pass) = &corpus.learned else { unreachable!("texts end") };
        let of = |label: u32| windows.iter().filter(|window| window.label == label).count();
        assert_eq!(pass.len(), windows.len() + 7 * of(1).min(of(2)));
        let sums: Vec<f64> = corpus.held.iter().map(|window| if window.label == 1 { 6.0 } else { 3.0 }).collect();
        let rare = corpus.held.iter().filter(|window| window.label == 1).count() as f64;
        let usual = corpus.held.len() as f64 - rare;
        assert!((corpus.mean(&sums) - (8.0 * rare * 2.0 + usual) / (8.0 * rare + usual)).abs() < 1e-12);
    }

    #[test]
    fn steps_see_every_text_once_a_pass_in_batches_of_similar_length() {
        let lines: Vec<String> = (0..340).map(|row| "x".repeat(1 + row % 17)).collect();
        let texts = Text::of_lines(&lines);
        let config = TextConfig { rare: 1, validation: 0.05, ..TextConfig::default() };
        let form = Form::of(&texts, &config).expect("a form");
        let corpus = Corpus::of(&texts, &Told::default(), &form, &config, 1).expect("enough");
        assert_eq!((corpus.windows(form.context), corpus.held.len()), (323, 17));
        let step =
            |index: u64| Step { index, rows_seen: 8 * index, total_rows: 1000, batch_rows: 8, seed: 1, part: Part::WHOLE, rate: 1.0 };
        let mut steps = corpus.steps(form.context);
        let all: Vec<Vec<Window>> = (0..32).map(|index| steps.of(&step(index))).collect();
        let spread = |batch: &Vec<Window>| {
            let lengths = batch.iter().map(|window| window.tokens.len());
            lengths.clone().max().unwrap_or(0) - lengths.min().unwrap_or(0)
        };
        assert!(all.iter().all(|batch| batch.len() == 8 && spread(batch) <= 4));
        assert_eq!(corpus.steps(form.context).of(&step(21)), all[21], "a function of the step");
    }
}
