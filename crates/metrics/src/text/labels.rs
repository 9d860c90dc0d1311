//! Whether texts fit their labels.

use std::ops::RangeInclusive;

use rayon::prelude::*;
use semblant_data::text::Text;

/// Buckets of features.
const BUCKETS: usize = 1 << 16;
/// Added to every count (Lidstone).
const SMOOTHING: f64 = 0.05;

/// Naive Bayes over words and n-grams of three and four characters, hashed.
#[derive(Debug, Clone)]
pub struct Classifier {
    names: Vec<String>,
    /// Logarithms of the chance of each bucket, `[labels][BUCKETS]`.
    chances: Vec<Vec<f32>>,
    priors: Vec<f64>,
}

impl Classifier {
    /// Learns the labels of texts; none without two labels.
    pub fn fit(texts: &Text) -> Option<Self> {
        let labels = texts.labels()?;
        let mut counts = vec![vec![0u32; BUCKETS]; labels.names.len()];
        let mut sizes = vec![0usize; labels.names.len()];
        for (text, &label) in texts.iter().zip(&labels.codes) {
            sizes[label as usize] += 1;
            features(text).into_iter().for_each(|bucket| counts[label as usize][bucket] += 1);
        }
        let used: Vec<usize> = (0..sizes.len()).filter(|&label| sizes[label] > 0).collect();
        if used.len() < 2 {
            return None;
        }
        let chances = used.iter().map(|&label| {
            let total = counts[label].iter().map(|&count| f64::from(count)).sum::<f64>() + SMOOTHING * BUCKETS as f64;
            counts[label].iter().map(|&count| ((f64::from(count) + SMOOTHING) / total).ln() as f32).collect()
        });
        Some(Self {
            names: used.iter().map(|&label| labels.names[label].clone()).collect(),
            chances: chances.collect(),
            priors: used.iter().map(|&label| (sizes[label] as f64 / texts.count() as f64).ln()).collect(),
        })
    }

    /// The most probable label of a text. All labels count as equally frequent where `balanced`.
    pub fn label(&self, text: &str, balanced: bool) -> &str {
        let features = features(text);
        let score = |label: usize| {
            let own = features.iter().map(|&bucket| f64::from(self.chances[label][bucket])).sum::<f64>();
            own + if balanced { 0.0 } else { self.priors[label] }
        };
        let best = (0..self.names.len()).max_by(|&a, &b| score(a).total_cmp(&score(b)).then(b.cmp(&a)));
        &self.names[best.unwrap_or(0)]
    }

    /// The labels of all texts.
    fn labels(&self, texts: &Text, balanced: bool) -> Vec<&str> {
        (0..texts.count()).into_par_iter().map(|index| self.label(texts.get(index), balanced)).collect()
    }

    /// The share of texts whose label is the one that is found, the mean over labels, so that frequent ones do not decide; none without labels.
    pub fn balanced_accuracy(&self, texts: &Text) -> Option<f64> {
        let found = self.labels(texts, true);
        let shares: Vec<f64> = self
            .names
            .iter()
            .filter_map(|name| {
                let own: Vec<usize> = (0..texts.count()).filter(|&index| texts.label(index) == Some(name)).collect();
                let right = own.iter().filter(|&&index| found[index] == name).count();
                (!own.is_empty()).then(|| right as f64 / own.len() as f64)
            })
            .collect();
        (!shares.is_empty()).then(|| shares.iter().sum::<f64>() / shares.len() as f64)
    }

    /// The mean over the labels of texts of F1: twice the right ones, divided by those that are found and those that there are.
    pub fn macro_f1(&self, texts: &Text) -> Option<f64> {
        let labels = texts.labels()?;
        let found = self.labels(texts, false);
        let f1 = |name: &String| {
            let is = |index: usize| texts.label(index) == Some(name);
            let (there, called) =
                ((0..found.len()).filter(|&index| is(index)).count(), found.iter().filter(|found| **found == name).count());
            let right = (0..found.len()).filter(|&index| is(index) && found[index] == name).count();
            (there > 0).then(|| 2.0 * right as f64 / (there + called) as f64)
        };
        let all: Vec<f64> = labels.names.iter().filter_map(f1).collect();
        (!all.is_empty()).then(|| all.iter().sum::<f64>() / all.len() as f64)
    }
}

/// The buckets of a text's words and n-grams.
fn features(text: &str) -> Vec<usize> {
    let lower = text.to_lowercase();
    let words = lower.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).map(|word| mixed(word.chars(), 99));
    let all: Vec<u64> = words.chain(hashed(&lower, 3..=4)).collect();
    all.into_iter().map(|hash| (hash % BUCKETS as u64) as usize).collect()
}

/// Hashes of all n-grams of these numbers of characters.
pub(super) fn hashed(text: &str, orders: RangeInclusive<usize>) -> Vec<u64> {
    let characters: Vec<char> = text.chars().collect();
    orders.flat_map(|n| characters.windows(n).map(move |window| mixed(window.iter().copied(), n as u64)).collect::<Vec<_>>()).collect()
}

/// FNV-1a over characters, mixed once more.
fn mixed(characters: impl Iterator<Item = char>, kind: u64) -> u64 {
    let hash =
        characters.fold(0xCBF2_9CE4_8422_2325 ^ kind, |hash, character| (hash ^ u64::from(character)).wrapping_mul(0x0100_0000_01B3));
    (hash ^ hash >> 29).wrapping_mul(0xBF58_476D_1CE4_E5B9) >> 16
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(rows: usize, flipped: bool) -> Text {
        let line = |row: usize| {
            if row.is_multiple_of(3) { format!("win a prize of {row} pounds now") } else { format!("see you at {row} for lunch") }
        };
        let label = move |row: usize| if row.is_multiple_of(3) != flipped { "spam" } else { "ham" };
        Text::of_lines((0..rows).map(line)).with_labels((0..rows).map(label)).expect("as many")
    }

    #[test]
    fn labels_that_fit_are_found_and_others_are_not() {
        let classifier = Classifier::fit(&texts(60, false)).expect("two labels");
        assert_eq!(classifier.label("a prize for you", false), "spam");
        assert_eq!(classifier.balanced_accuracy(&texts(90, false)), Some(1.0));
        assert_eq!(classifier.macro_f1(&texts(90, false)), Some(1.0));
        assert_eq!(classifier.balanced_accuracy(&texts(90, true)), Some(0.0));
        assert!(Classifier::fit(&Text::of_lines(["a"])).is_none());
        let one = Text::of_lines(["a", "b"]).with_labels(["x", "x"]).expect("as many");
        assert!(Classifier::fit(&one).is_none());
        assert_eq!(classifier.balanced_accuracy(&Text::of_lines(["a"])), None);
    }

    /// All called ham: F1 of ham is 2 * 40 / (40 + 60), of spam 0.
    #[test]
    fn f1_is_a_mean_over_labels() {
        let classifier = Classifier::fit(&texts(60, false)).expect("two labels");
        let made = Text::of_lines(vec!["see you at lunch"; 60]).with_labels((0..60).map(|row| if row < 40 { "ham" } else { "spam" }));
        assert!((classifier.macro_f1(&made.expect("as many")).expect("labels") - 0.4).abs() < 1e-12);
    }
}
