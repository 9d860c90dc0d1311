//! Scores of text: models of n-grams, diversity, the area under a divergence curve, labels, and passages in common with the training text.
//!
//! No score needs a language model of someone else, so that none depends on one; the scores that published work computes with one are computed here
//! with models of n-grams, and are named so.

pub mod area;
pub mod diversity;
pub mod labels;
pub mod ngrams;

use std::collections::HashSet;

use semblant_data::text::{Layout, Text};

pub use area::{area, divergence_area};
pub use diversity::{Units, distinct, entropy, self_bleu, zipf};
pub use labels::Classifier;
pub use ngrams::Ngrams;

/// The order of the n-gram models behind scores: each character by the five before it.
pub const ORDER: usize = 6;
/// An exact copy of fewer characters may be chance, so that only novelty counts it.
pub const COPIED_FROM: usize = 24;

/// Whether texts have an end of their own: parts of one long text have none.
pub fn has_ends(texts: &Text) -> bool {
    !matches!(texts.layout(), Layout::Whole { .. })
}

/// The number of different characters of several sets.
pub fn alphabet(sets: &[&Text]) -> usize {
    sets.iter().flat_map(|texts| texts.iter()).flat_map(str::chars).collect::<HashSet<char>>().len()
}

/// The largest difference between the distribution functions of the numbers of characters (Kolmogorov-Smirnov).
pub fn lengths_apart(a: &Text, b: &Text) -> f64 {
    let lengths = |texts: &Text| {
        let mut lengths: Vec<usize> = texts.iter().map(|text| text.chars().count()).collect();
        lengths.sort_unstable();
        lengths
    };
    let (a, b) = (lengths(a), lengths(b));
    let below = |sorted: &[usize], length: usize| sorted.partition_point(|&other| other <= length) as f64 / sorted.len().max(1) as f64;
    a.iter().chain(&b).map(|&length| (below(&a, length) - below(&b, length)).abs()).fold(0.0, f64::max)
}

/// The share of texts that equal none of `known`.
pub fn novelty(texts: &Text, known: &Text) -> f64 {
    let known: HashSet<&str> = known.iter().collect();
    texts.iter().filter(|text| !known.contains(text)).count() as f64 / texts.count().max(1) as f64
}

/// The share of texts of at least [`COPIED_FROM`] characters that equal one of `known`, of all texts.
pub fn copied(texts: &Text, known: &Text) -> f64 {
    let known: HashSet<&str> = known.iter().collect();
    let is_copy = |text: &&str| known.contains(text) && text.chars().nth(COPIED_FROM - 1).is_some();
    texts.iter().filter(is_copy).count() as f64 / texts.count().max(1) as f64
}

/// How well models of n-grams tell two sets apart: the chance that of a text of each set the one of `a` has the greater odds of being one of `a`, by
/// the models of both sets, less one half (AUC - 0.5). Each model is fitted to one half of its set, both to as many characters, and judges the other.
pub fn told_apart(a: &Text, b: &Text, alphabet: usize) -> f64 {
    use semblant_core::data::Data;
    let half = |texts: &Text, odd: usize| texts.select(&(0..texts.count()).filter(|index| index % 2 == odd).collect::<Vec<_>>());
    let [(a_fit, a_judged), (b_fit, b_judged)] = [a, b].map(|texts| (half(texts, 0), half(texts, 1)));
    // Of one size, since a model of more text finds every text more probable.
    let budget = a_fit.characters().min(b_fit.characters());
    let fit = |texts: &Text| Ngrams::fit(first_characters(texts, budget).iter(), ORDER, alphabet, has_ends(a));
    let (of_a, of_b) = (fit(&a_fit), fit(&b_fit));
    // A character's, so that long texts do not weigh more.
    let odds = |text: &str| (of_b.bits(text) - of_a.bits(text)) / text.chars().count().max(1) as f64;
    let mut all: Vec<(f64, bool)> = a_judged.iter().map(|text| (odds(text), true)).collect();
    all.extend(b_judged.iter().map(|text| (odds(text), false)));
    all.sort_by(|x, y| x.0.total_cmp(&y.0));
    // The mean rank of the texts of `a`, equal odds sharing theirs (Mann and Whitney 1947).
    let mut ranks = 0.0;
    for equal in all.chunk_by(|x, y| x.0 == y.0) {
        let before = all.partition_point(|other| other.0 < equal[0].0);
        ranks += equal.iter().filter(|(_, own)| *own).count() as f64 * (before as f64 + (equal.len() + 1) as f64 / 2.0);
    }
    let [count, others] = [a_judged.count() as f64, b_judged.count() as f64];
    (ranks - count * (count + 1.0) / 2.0) / (count * others).max(1.0) - 0.5
}

/// The first texts that together have about so many characters; at least one.
pub fn first_characters(texts: &Text, budget: usize) -> Text {
    use semblant_core::data::Data;
    let mut left = budget as isize;
    let kept: Vec<usize> = (0..texts.count())
        .take_while(|&index| {
            let fits = left > 0 || index == 0;
            left -= texts.get(index).chars().count() as isize;
            fits
        })
        .collect();
    texts.select(&kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_and_lengths_are_counted() {
        let long = "a text of more than twenty-four characters";
        let real = Text::of_lines(["emma", "ava", long, "zoe"]);
        let made = Text::of_lines(["emma", long, "emmy", "noa"]);
        assert_eq!((novelty(&made, &real), copied(&made, &real)), (0.5, 0.25));
        assert_eq!(lengths_apart(&real, &real), 0.0);
        // Two of four have at most three characters, against one of four.
        assert_eq!(lengths_apart(&real, &made), 0.25);
        assert_eq!(lengths_apart(&Text::of_lines(["a"]), &Text::of_lines(["bbb"])), 1.0);
    }

    #[test]
    fn alike_sets_are_not_told_apart_and_others_are() {
        let lines = |words: [&str; 4], from: usize| {
            Text::of_lines((from..from + 400).map(|row| format!("{} {} {}", words[row * 7 % 4], words[row * row % 4], words[row / 3 % 4])))
        };
        let (a, b) = (lines(["red", "green", "blue", "white"], 0), lines(["red", "green", "blue", "white"], 1000));
        let c = lines(["rot", "gelb", "blau", "schwarz"], 0);
        let alphabet = alphabet(&[&a, &b, &c]);
        assert!(told_apart(&a, &b, alphabet).abs() < 0.12, "{}", told_apart(&a, &b, alphabet));
        assert!(told_apart(&a, &c, alphabet) > 0.49);
    }

    #[test]
    fn a_budget_cuts_whole_texts() {
        let texts = Text::of_lines(["abcd", "ef", "ghi"]);
        assert_eq!([0, 4, 5, 100].map(|budget| first_characters(&texts, budget).count()), [1, 1, 2, 3]);
    }
}
