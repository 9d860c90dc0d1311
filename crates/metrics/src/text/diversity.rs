//! How diverse texts are: distinct n-grams, their entropy, how alike texts are to each other, and how often frequent words occur.

use std::collections::HashMap;
use std::collections::HashSet;

use semblant_data::text::Text;

/// What n-grams are made of: words where texts have three or more on average, else characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Units {
    /// What stands between blanks.
    Words,
    /// Code points.
    Characters,
}

impl Units {
    /// The units of texts like these.
    pub fn of(texts: &Text) -> Self {
        let words: usize = texts.iter().map(|text| text.split_whitespace().count()).sum();
        if words >= 3 * texts.count().max(1) { Self::Words } else { Self::Characters }
    }

    /// The displayed word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Words => "words",
            Self::Characters => "characters",
        }
    }

    /// The units of a text.
    fn split(self, text: &str) -> Vec<&str> {
        match self {
            Self::Words => text.split_whitespace().collect(),
            Self::Characters => {
                let ends = text.char_indices().map(|(at, character)| at..at + character.len_utf8());
                ends.map(|range| &text[range]).collect()
            }
        }
    }
}

/// The n-grams of the first texts, `budget` units in all: what is counted grows with the amount of text, so that sets are compared at one size.
fn first_units<'a>(texts: &'a Text, units: Units, budget: usize) -> Vec<Vec<&'a str>> {
    let mut left = budget;
    let mut all = Vec::new();
    for text in texts.iter() {
        if left == 0 {
            break;
        }
        let mut split = units.split(text);
        split.truncate(left);
        left -= split.len();
        all.push(split);
    }
    all
}

/// The number of units of texts.
pub fn count(texts: &Text, units: Units) -> usize {
    texts.iter().map(|text| units.split(text).len()).sum()
}

/// The share of different n-grams among all of the first `budget` units (Li et al. 2016); none where there are none.
pub fn distinct(texts: &Text, units: Units, n: usize, budget: usize) -> Option<f64> {
    let split = first_units(texts, units, budget);
    let all = split.iter().map(|text| text.len().saturating_sub(n - 1)).sum::<usize>();
    let different: HashSet<&[&str]> = split.iter().flat_map(|text| text.windows(n)).collect();
    (all > 0).then(|| different.len() as f64 / all as f64)
}

/// The entropy of the n-grams of the first `budget` units, in bits; none where there are none.
pub fn entropy(texts: &Text, units: Units, n: usize, budget: usize) -> Option<f64> {
    let split = first_units(texts, units, budget);
    let mut counts: HashMap<&[&str], usize> = HashMap::new();
    split.iter().flat_map(|text| text.windows(n)).for_each(|ngram| *counts.entry(ngram).or_default() += 1);
    let total = counts.values().sum::<usize>() as f64;
    // In the order of the counts, so that the sum does not depend on that of the map.
    let mut sorted: Vec<usize> = counts.into_values().collect();
    sorted.sort_unstable();
    (total > 0.0).then(|| sorted.into_iter().map(|count| count as f64 / total).map(|share| -share * share.log2()).sum())
}

/// The most frequent words that Zipf's law is fitted to.
const RANKS: usize = 500;

/// Zipf's exponent: minus the slope of a straight line through the logarithms of rank and frequency of the 500 most frequent units; none where there
/// are fewer than ten.
pub fn zipf(texts: &Text, units: Units, budget: usize) -> Option<f64> {
    let points = frequencies(texts, units, budget);
    if points.len() < 10 {
        return None;
    }
    let logs: Vec<(f64, f64)> = points.iter().enumerate().map(|(rank, &count)| (((rank + 1) as f64).ln(), (count as f64).ln())).collect();
    let n = logs.len() as f64;
    let (x, y) = (logs.iter().map(|at| at.0).sum::<f64>() / n, logs.iter().map(|at| at.1).sum::<f64>() / n);
    let along = logs.iter().map(|at| (at.0 - x) * (at.1 - y)).sum::<f64>();
    Some(-along / logs.iter().map(|at| (at.0 - x).powi(2)).sum::<f64>())
}

/// How often the most frequent units occur, the most frequent first.
pub fn frequencies(texts: &Text, units: Units, budget: usize) -> Vec<usize> {
    let mut counts: HashMap<&str, usize> = HashMap::new();
    first_units(texts, units, budget).into_iter().flatten().for_each(|unit| *counts.entry(unit).or_default() += 1);
    let mut sorted: Vec<usize> = counts.into_values().collect();
    sorted.sort_unstable_by(|a, b| b.cmp(a));
    sorted.truncate(RANKS);
    sorted
}

/// The longest n-grams of BLEU.
const BLEU: usize = 4;

/// Self-BLEU (Zhu et al. 2018): the mean over the first `judged` texts of BLEU-4 (Papineni et al. 2002) against all other texts of the first `most`.
/// 1 is that all texts repeat one another. A precision without a match counts as half a match.
pub fn self_bleu(texts: &Text, units: Units, judged: usize, most: usize) -> Option<f64> {
    let split: Vec<Vec<&str>> = texts.iter().take(most).map(|text| units.split(text)).filter(|text| !text.is_empty()).collect();
    if split.len() < 2 {
        return None;
    }
    // The greatest count of each n-gram in one text, whose, and the greatest of another.
    let mut greatest: HashMap<&[&str], (usize, usize, usize)> = HashMap::new();
    let counted: Vec<HashMap<&[&str], usize>> = split.iter().map(|text| ngrams(text)).collect();
    for (owner, counts) in counted.iter().enumerate() {
        for (&ngram, &count) in counts {
            let entry = greatest.entry(ngram).or_insert((0, usize::MAX, 0));
            if count > entry.0 {
                *entry = (count, owner, entry.0);
            } else {
                entry.2 = entry.2.max(count);
            }
        }
    }
    let mut lengths: Vec<usize> = split.iter().map(Vec::len).collect();
    lengths.sort_unstable();
    let of_text = |index: usize| {
        let length = split[index].len();
        let mut log_sum = 0.0;
        let orders = BLEU.min(length);
        for n in 1..=orders {
            let of_order = counted[index].iter().filter(|(ngram, _)| ngram.len() == n);
            let matched: usize = of_order
                .map(|(ngram, &count)| {
                    let (most, owner, second) = greatest[ngram];
                    count.min(if owner == index { second } else { most })
                })
                .sum();
            let total = length + 1 - n;
            log_sum += ((if matched == 0 { 0.5 } else { matched as f64 }) / total as f64).ln();
        }
        let near = nearest_other(&lengths, length);
        let brevity = if length >= near { 1.0 } else { (1.0 - near as f64 / length as f64).exp() };
        brevity * (log_sum / orders as f64).exp()
    };
    let judged = judged.min(split.len());
    Some((0..judged).map(of_text).sum::<f64>() / judged as f64)
}

fn ngrams<'a, 'b>(text: &'b [&'a str]) -> HashMap<&'b [&'a str], usize> {
    let mut counts = HashMap::new();
    (1..=BLEU).flat_map(|n| text.windows(n)).for_each(|ngram| *counts.entry(ngram).or_default() += 1);
    counts
}

/// The length of another text that is nearest, the shorter of two.
fn nearest_other(sorted: &[usize], length: usize) -> usize {
    let first = sorted.partition_point(|&other| other < length);
    let last = sorted.partition_point(|&other| other <= length);
    if last - first > 1 {
        return length;
    }
    let others = [first.checked_sub(1).map(|place| sorted[place]), sorted.get(last).copied()];
    others.into_iter().flatten().min_by_key(|other| (other.abs_diff(length), *other)).unwrap_or(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ngrams_are_counted() {
        let texts = Text::of_lines(["a b a b", "a c"]);
        // Pairs: a b, b a, a b, a c.
        assert_eq!(distinct(&texts, Units::Words, 2, 100), Some(0.75));
        assert_eq!(entropy(&texts, Units::Words, 2, 100), Some(1.5));
        assert_eq!(distinct(&texts, Units::Words, 2, 4), Some(2.0 / 3.0), "the first four words");
        assert_eq!(distinct(&texts, Units::Words, 5, 100), None);
        assert_eq!(distinct(&Text::of_lines(["aab"]), Units::Characters, 1, 100), Some(2.0 / 3.0));
        assert_eq!(Units::of(&texts), Units::Words);
        assert_eq!(Units::of(&Text::of_lines(["emma", "ava"])), Units::Characters);
    }

    #[test]
    fn frequencies_that_follow_zipf_have_its_exponent() {
        let words: Vec<String> = (1..=40).flat_map(|rank| std::iter::repeat_n(format!("w{rank}"), 8400 / rank)).collect();
        let texts = Text::of_lines([words.join(" ")]);
        let exponent = zipf(&texts, Units::Words, usize::MAX).expect("enough");
        assert!((exponent - 1.0).abs() < 0.01, "{exponent}");
        assert_eq!(zipf(&Text::of_lines(["a b c"]), Units::Words, 100), None);
    }

    /// Values of tests/golden/texts.py.
    #[test]
    fn self_bleu_is_that_of_the_formula() {
        let score = |lines: &[&str]| self_bleu(&Text::of_lines(lines), Units::Words, 100, 100).expect("two texts");
        assert!((score(&["the cat sat down", "the cat sat down"]) - 1.0).abs() < 1e-12);
        let golden = score(&["the cat sat on the mat", "the dog sat on the log today", "a cat and a dog"]);
        assert!((golden - GOLDEN).abs() < 1e-9, "{golden}");
        assert_eq!(self_bleu(&Text::of_lines(["one"]), Units::Words, 10, 10), None);
    }

    const GOLDEN: f64 = 0.265_324_311_216_437_2;
}
