//! The guard against copies: a sample that repeats a longer passage of the training text than new texts do is refused.
//!
//! How long a passage may be is measured, not set: held-out texts of the same source have passages in common with the training text too (phrases,
//! greetings, names), and all but one in a hundred of them stay within it. The file holds no text for this, only marks of some passages: hashes of
//! 44 bits, chosen by "Winnowing: local algorithms for document fingerprinting", Schleimer et al. 2003, which finds every passage that is longer
//! than the limit by eight characters, most that are longer by fewer, and none within it. Whoever already has such a passage can confirm by them that it was in the training text; nothing can be read from them.

use burn::tensor::Device;
use rayon::prelude::*;
use semblant_core::checkpoint::Checkpoint;
use semblant_core::{Error, Result, host};
use semblant_data::text::Passages;

use std::path::Path;

/// The least number of characters that a passage must have to be refused: shorter ones are the language's.
const LEAST_PASSAGE: usize = 24;
/// Of so many successive hashes one is kept.
const WINNOWED: usize = 8;
/// The share of held-out texts that may have longer passages in common with the training texts.
const BEYOND: f64 = 0.01;
/// Characters of training text that the limit is measured with.
const MOST_MEASURED: usize = 1 << 24;
/// Bits of the two halves of a hash; each is a whole number that f32 holds.
const HALF_BITS: u32 = 22;

/// The marks of training passages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Guard {
    /// Passages of more characters than this are refused.
    limit: usize,
    /// Hashes of passages, ascending.
    marks: Vec<u64>,
}

impl Guard {
    /// The guard of training texts, by what held-out texts have in common with them.
    ///
    /// # Errors
    /// More text than there may be memory for.
    pub fn fit(learned: &[String], held: &[String]) -> Result<Self> {
        let mut left = MOST_MEASURED;
        let measured = learned.iter().map(String::as_str).take_while(|text| {
            let fits = left > 0;
            left = left.saturating_sub(text.len());
            fits
        });
        let passages = Passages::new(measured)?;
        let mut lengths: Vec<usize> = passages.longest_of(held.iter().map(String::as_str)).iter().map(|passage| passage.len()).collect();
        lengths.sort_unstable();
        let place = ((lengths.len() as f64 * (1.0 - BEYOND)).ceil() as usize).clamp(1, lengths.len().max(1)) - 1;
        let limit = lengths.get(place).copied().unwrap_or(0).max(LEAST_PASSAGE - 1);
        let mut marks: Vec<u64> = learned.par_iter().flat_map_iter(|text| winnowed(text, limit)).collect();
        marks.sort_unstable();
        marks.dedup();
        Ok(Self { limit, marks })
    }

    /// The most characters of a passage that a sample may have in common with the training text.
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// Whether a text has a passage of more than [`Guard::limit`] characters in common with the training text. Of those that are longer by fewer than
    /// eight characters some are not found.
    pub fn refuses(&self, text: &str) -> bool {
        winnowed(text, self.limit).into_iter().any(|mark| self.marks.binary_search(&mark).is_ok())
    }

    /// The beginning of a text up to where it repeats too much.
    pub fn kept<'a>(&self, text: &'a str) -> &'a str {
        let ends: Vec<usize> = text.char_indices().map(|(place, _)| place).chain([text.len()]).collect();
        let (mut low, mut high) = (0, ends.len() - 1);
        while low < high {
            let middle = (low + high).div_ceil(2);
            if self.refuses(&text[..ends[middle]]) {
                high = middle - 1;
            } else {
                low = middle;
            }
        }
        &text[..ends[low]]
    }

    /// Puts the guard into a file.
    ///
    /// # Errors
    /// None that are known; the message names `path`.
    pub fn write(&self, file: &mut Checkpoint, path: &Path, device: &Device) -> Result<()> {
        file.set_metadata("guard", &self.limit, path)?;
        let half = |shift: u32| -> Vec<f32> { self.marks.iter().map(|mark| ((mark >> shift) & ((1 << HALF_BITS) - 1)) as f32).collect() };
        for (name, shift) in [("guard.high", HALF_BITS), ("guard.low", 0)] {
            file.add_tensor(name, &host::tensor(half(shift), [self.marks.len()], device));
        }
        Ok(())
    }

    /// The guard in a file, if it has one.
    ///
    /// # Errors
    /// A damaged file; `path` is named.
    pub fn read(file: &Checkpoint, path: &Path, device: &Device) -> Result<Option<Self>> {
        if !file.metadata.contains_key("guard") {
            return Ok(None);
        }
        let limit: usize = file.metadata_as("guard", path)?;
        let wrong = |what: String| Error::checkpoint(path, format!("{what}; the file is damaged, fit the model again"));
        let half = |name: &str| {
            let tensor = file.tensor(name, device).ok_or_else(|| wrong(format!("the tensor {name} is missing or has another shape")))?;
            Ok::<_, Error>(host::read(&tensor, |values| values.iter().map(|&value| value as u64).collect::<Vec<u64>>()))
        };
        let (high, low) = (half("guard.high")?, half("guard.low")?);
        let fits = high.iter().chain(&low).all(|&half| half < 1 << HALF_BITS);
        if high.len() != low.len() || !fits || !(LEAST_PASSAGE - 1..=1 << 20).contains(&limit) {
            return Err(wrong("the marks of training passages do not fit each other".into()));
        }
        let mut marks: Vec<u64> = high.into_iter().zip(low).map(|(high, low)| high << HALF_BITS | low).collect();
        marks.sort_unstable();
        Ok(Some(Self { limit, marks }))
    }
}

/// The chosen hashes of a text's passages of one character more than `limit`: of every [`WINNOWED`] successive ones the least. Two texts with
/// `limit + WINNOWED` characters in common share one.
fn winnowed(text: &str, limit: usize) -> Vec<u64> {
    let width = limit + 1;
    let characters: Vec<u64> = text.chars().map(u64::from).collect();
    if characters.len() < width {
        return Vec::new();
    }
    // A rolling polynomial of characters modulo 2^64, mixed so that its order is random.
    const BASE: u64 = 0x9E37_79B9_7F4A_7C15 | 1;
    let leading = BASE.wrapping_pow(width as u32 - 1);
    let mut sum = characters[..width].iter().fold(0u64, |sum, &character| sum.wrapping_mul(BASE).wrapping_add(character + 1));
    let mut hashes = vec![mixed(sum)];
    for start in 1..=characters.len() - width {
        let gone = (characters[start - 1] + 1).wrapping_mul(leading);
        sum = sum.wrapping_sub(gone).wrapping_mul(BASE).wrapping_add(characters[start + width - 1] + 1);
        hashes.push(mixed(sum));
    }
    let mut chosen: Vec<u64> = hashes.windows(WINNOWED.min(hashes.len())).filter_map(|window| window.iter().min().copied()).collect();
    chosen.dedup();
    chosen
}

/// The finaliser of SplitMix64 (Steele et al. 2014), cut to 44 bits.
fn mixed(value: u64) -> u64 {
    let mut z = value;
    z = (z ^ z >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ z >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
    (z ^ z >> 31) >> (64 - 2 * HALF_BITS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use semblant_core::seeds::Stream;

    fn random(row: u64, length: u32) -> String {
        let stream = Stream::new(9, 0);
        (0..length).map(|at| char::from(b'a' + stream.below(row, at, 26) as u8)).collect()
    }

    #[test]
    fn every_passage_beyond_the_limit_is_found_and_none_far_below_it() {
        let learned: Vec<String> = (0..50).map(|row| random(row, 200)).collect();
        let held: Vec<String> = (100..150).map(|row| random(row, 200)).collect();
        let guard = Guard::fit(&learned, &held).expect("small");
        assert_eq!(guard.limit(), LEAST_PASSAGE - 1, "random letters have nothing in common");
        for row in 0..50u64 {
            let copied = |length: usize| {
                format!("{}{}{}", random(500 + row, 37), &learned[row as usize][row as usize..][..length], random(600 + row, 41))
            };
            assert!(guard.refuses(&copied(LEAST_PASSAGE - 1 + WINNOWED)), "row {row}");
            // One less, since the letters around it may go on by chance.
            assert!(!guard.refuses(&copied(LEAST_PASSAGE - 4)), "row {row}");
        }
        assert!(!held.iter().any(|text| guard.refuses(text)));
    }

    #[test]
    fn what_new_texts_repeat_may_be_repeated() {
        let greeting = "Thank you for calling, this is a recorded message of the service: ";
        let texts = |from: u64| (from..from + 60).map(|row| format!("{greeting}{}", random(row, 30))).collect::<Vec<_>>();
        let guard = Guard::fit(&texts(0), &texts(1000)).expect("small");
        assert!(guard.limit() >= greeting.len());
        // Of texts as new as the held-out ones hardly any goes beyond all of them.
        assert!(texts(5000).iter().filter(|text| guard.refuses(text)).count() <= 3);
        assert!(guard.refuses(&texts(0)[7]), "a whole training text");
    }

    #[test]
    fn a_file_gives_it_back_and_holds_no_text() {
        let learned = vec!["the secret of the old lighthouse keeper and his dog".to_owned()];
        let guard = Guard::fit(&learned, &["nothing of that".to_owned()]).expect("small");
        let (device, path) = (Device::flex(), Path::new("some"));
        let mut file = Checkpoint::new("test");
        guard.write(&mut file, path, &device).expect("on the host");
        assert_eq!(Guard::read(&file, path, &device).expect("sound"), Some(guard));
        let mut bytes = Vec::new();
        file.write_to(&mut bytes).expect("in memory");
        assert!(!String::from_utf8_lossy(&bytes).contains("secret"));
    }
}
