//! Models of n-grams of characters, the yardstick of texts.

use std::collections::HashMap;

/// Before and after a text.
const BEGIN: u32 = u32::MAX;
const END: u32 = u32::MAX - 1;

/// Each character by those before it, with Witten-Bell interpolation over all orders (Chen and Goodman 1999, equation 17):
/// `p(c | h) = (count(h c) + types(h) p(c | h')) / (count(h) + types(h))`, where `h'` is `h` without its first character, `types(h)` the number of
/// different characters after `h`, and the last resort is uniform.
#[derive(Debug, Clone)]
pub struct Ngrams {
    order: usize,
    ends: bool,
    /// One over the characters that there may be, and the end.
    uniform: f64,
    /// By the hash of a context: how often it occurs, and how many different characters follow it.
    contexts: HashMap<u64, (u32, u32)>,
    /// By the hash of a context and a character.
    counts: HashMap<u64, u32>,
}

impl Ngrams {
    /// The model of texts, of characters by `order - 1` before them. `alphabet` is the number of characters that texts may have; one more is kept for
    /// others. With `ends` a text begins and ends; parts of a long text do not.
    ///
    /// # Panics
    /// When the order is 0.
    pub fn fit<'a>(texts: impl Iterator<Item = &'a str>, order: usize, alphabet: usize, ends: bool) -> Self {
        assert!(order > 0, "an order counts characters");
        let mut model = Self {
            order,
            ends,
            uniform: 1.0 / (alphabet + 1 + usize::from(ends)) as f64,
            contexts: HashMap::new(),
            counts: HashMap::new(),
        };
        for text in texts {
            let characters = model.characters(text);
            for at in model.first()..characters.len() {
                for length in 0..model.order.min(at + 1) {
                    let context = hash(&characters[at - length..at]);
                    let count = model.counts.entry(with(context, characters[at])).or_insert(0);
                    *count += 1;
                    let (total, types) = model.contexts.entry(context).or_insert((0, 0));
                    *total += 1;
                    *types += u32::from(*count == 1);
                }
            }
        }
        model
    }

    fn first(&self) -> usize {
        usize::from(self.ends)
    }

    fn characters(&self, text: &str) -> Vec<u32> {
        let begin = self.ends.then_some(BEGIN);
        begin.into_iter().chain(text.chars().map(u32::from)).chain(self.ends.then_some(END)).collect()
    }

    fn probability(&self, context: &[u32], character: u32) -> f64 {
        let mut found = self.uniform;
        for length in 0..=context.len() {
            let context = hash(&context[context.len() - length..]);
            // A longer context that was never seen has no longer ones that were.
            let Some(&(total, types)) = self.contexts.get(&context) else { break };
            let count = self.counts.get(&with(context, character)).copied().unwrap_or(0);
            found = (f64::from(count) + f64::from(types) * found) / f64::from(total + types);
        }
        found
    }

    /// `-log2` of the probability of a text, with its end where texts have one.
    pub fn bits(&self, text: &str) -> f64 {
        let characters = self.characters(text);
        let places = self.first()..characters.len();
        places.map(|at| -self.probability(&characters[at.saturating_sub(self.order - 1)..at], characters[at]).log2()).sum()
    }

    /// Bits per character of texts.
    pub fn bits_per_character<'a>(&self, texts: impl Iterator<Item = &'a str>) -> f64 {
        let (mut bits, mut characters) = (0.0, 0);
        for text in texts {
            bits += self.bits(text);
            characters += text.chars().count();
        }
        bits / characters.max(1) as f64
    }
}

fn hash(context: &[u32]) -> u64 {
    context.iter().fold(context.len() as u64, |hash, &character| with(hash, character))
}

/// A hash that one more character is mixed into (the finaliser of SplitMix64, Steele et al. 2014).
fn with(hash: u64, character: u32) -> u64 {
    let mut z = hash.wrapping_add(0x9E37_79B9_7F4A_7C15).wrapping_add(u64::from(character) << 17) ^ u64::from(character).rotate_right(7);
    z = (z ^ z >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ z >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ z >> 31
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values of tests/golden/texts.py.
    #[test]
    fn bits_are_those_of_the_formula() {
        let model = Ngrams::fit(["abab", "abc"].into_iter(), 3, 3, true);
        for (text, expected) in GOLDEN {
            assert!((model.bits(text) - expected).abs() < 1e-9, "{text}: {} against {expected}", model.bits(text));
        }
    }

    const GOLDEN: [(&str, f64); 3] = [("ab", 2.194442919045199), ("abab", 3.958117873425089), ("cx", 11.674786016306603)];

    /// What all characters have together is one, whatever stands before them.
    #[test]
    fn probabilities_sum_to_one() {
        let model = Ngrams::fit(["the cat", "a hat", "that"].into_iter(), 4, 7, true);
        let letters: Vec<u32> = "theca ".chars().map(u32::from).chain([END]).collect();
        for context in ["", "t", "th", "the", "xyz", "at"] {
            let context: Vec<u32> = context.chars().map(u32::from).collect();
            // Of the seven characters of the alphabet six are seen; the seventh and the one for others have the uniform share.
            let unseen = 2.0 * model.probability(&context, u32::from('q'));
            let sum: f64 = letters.iter().map(|&character| model.probability(&context, character)).sum::<f64>() + unseen;
            assert!((sum - 1.0).abs() < 1e-9, "{sum}");
        }
    }

    #[test]
    fn parts_of_a_long_text_have_no_end() {
        let model = Ngrams::fit(["aaaa"].into_iter(), 2, 1, false);
        // p(a) = (4 + 1/2) / 5, then p(a | a) = (3 + 0.9) / 4.
        assert!((model.bits("aa") + 0.9f64.log2() + 0.975f64.log2()).abs() < 1e-12);
        assert!((model.bits_per_character(["aa"].into_iter()) - model.bits("aa") / 2.0).abs() < 1e-12);
    }
}
