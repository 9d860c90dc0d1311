//! The longest passages that texts have in common with others: a suffix array (Manber and Myers 1993).

use std::ops::Range;

use rayon::prelude::*;
use semblant_core::memory::Memory;

use crate::Result;

/// Between two texts: no character, so that no passage reaches from one into the next.
const BETWEEN: u32 = u32::MAX;
/// Suffixes are ordered by so many of their first characters: longer passages are counted as so long, and a text of one repeated character takes
/// no longer than others.
const MOST_COMPARED: usize = 1 << 12;

/// All suffixes of some texts in alphabetical order.
#[derive(Debug, Clone)]
pub struct Passages {
    characters: Vec<u32>,
    order: Vec<u32>,
}

/// A passage that a text has in common with others.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Passage {
    /// Its characters, as a range of the characters of the text.
    pub place: Range<usize>,
}

impl Passage {
    /// Its number of characters.
    pub fn len(&self) -> usize {
        self.place.len()
    }

    /// Whether nothing is in common.
    pub fn is_empty(&self) -> bool {
        self.place.is_empty()
    }
}

impl Passages {
    /// The passages of these texts.
    ///
    /// # Errors
    /// More text than there may be memory for.
    pub fn new<'a>(texts: impl IntoIterator<Item = &'a str>) -> Result<Self> {
        let mut characters = Vec::new();
        for text in texts {
            characters.extend(text.chars().map(u32::from));
            characters.push(BETWEEN);
        }
        // Characters, their order, two ranks and what is sorted.
        Memory::of_process().check(format!("the passages of {} characters", characters.len()), characters.len() as u64, 32)?;
        let order = sorted_suffixes(&characters);
        Ok(Self { characters, order })
    }

    /// The longest passage of `text` that occurs in these texts, the first of several.
    pub fn longest(&self, text: &str) -> Passage {
        let characters: Vec<u32> = text.chars().map(u32::from).collect();
        let mut best = Passage::default();
        for start in 0..characters.len() {
            // Only what begins here and is longer than the best so far counts.
            if best.len() >= MOST_COMPARED || characters.len() - start <= best.len() {
                break;
            }
            let found = self.common(&characters[start..]);
            if found > best.len() {
                best = Passage { place: start..start + found };
            }
        }
        best
    }

    /// The longest passage of each text.
    pub fn longest_of<'a>(&self, texts: impl IntoIterator<Item = &'a str>) -> Vec<Passage> {
        let texts: Vec<&str> = texts.into_iter().collect();
        texts.par_iter().map(|text| self.longest(text)).collect()
    }

    /// How many characters of the beginning of `wanted` occur somewhere.
    fn common(&self, wanted: &[u32]) -> usize {
        let wanted = &wanted[..wanted.len().min(MOST_COMPARED)];
        let after = self.order.partition_point(|&start| &self.characters[start as usize..] < wanted);
        let near = [after.checked_sub(1), Some(after)].into_iter().flatten().filter_map(|place| self.order.get(place));
        near.map(|&start| shared(&self.characters[start as usize..], wanted)).max().unwrap_or(0)
    }
}

fn shared(a: &[u32], b: &[u32]) -> usize {
    a.iter().zip(b).take_while(|(a, b)| a == b).count()
}

/// The starts of all suffixes in order of their first [`MOST_COMPARED`] characters, by doubling how many are compared.
fn sorted_suffixes(characters: &[u32]) -> Vec<u32> {
    let count = characters.len();
    let mut order: Vec<u32> = (0..count as u32).collect();
    let mut ranks: Vec<u32> = characters.to_vec();
    let mut compared = 1;
    order.par_sort_unstable_by_key(|&start| (ranks[start as usize], start));
    let mut keys: Vec<(u32, u32)> = ranks.iter().map(|&rank| (rank, 0)).collect();
    loop {
        // Equal keys share a rank.
        let mut next = vec![0u32; count];
        let mut distinct = 0;
        for place in 0..count {
            let [here, before] = [order[place] as usize, order[place.saturating_sub(1)] as usize];
            if place > 0 && keys[here] != keys[before] {
                distinct += 1;
            }
            next[here] = distinct;
        }
        ranks = next;
        if count == 0 || distinct as usize + 1 == count || compared >= MOST_COMPARED {
            return order;
        }
        // The rank of what follows; 0 where the text ends.
        let follows = |start: usize| ranks.get(start + compared).map_or(0, |&rank| rank + 1);
        keys = (0..count).into_par_iter().map(|start| (ranks[start], follows(start))).collect();
        order.par_sort_unstable_by_key(|&start| (keys[start as usize], start));
        compared *= 2;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use semblant_core::seeds::Stream;

    #[test]
    fn the_longest_passage_is_found_and_does_not_cross_texts() {
        let passages = Passages::new(["the quick brown fox", "jumps over", "äö👍🏽ü"]).expect("small");
        let longest = |text: &str| {
            let found = passages.longest(text);
            text.chars().skip(found.place.start).take(found.len()).collect::<String>()
        };
        assert_eq!(longest("a slick brown dog"), "ick brown ");
        assert_eq!(longest("foxjumps"), "jumps");
        assert_eq!(longest("ö👍🏽x"), "ö👍🏽");
        assert_eq!(longest("ZZZ"), "");
        assert_eq!(longest(""), "");
        assert!(Passages::new(std::iter::empty()).expect("none").longest("a").is_empty());
    }

    /// Against the dynamic programme, on texts of few characters, which repeat themselves much.
    #[test]
    fn lengths_are_those_of_the_plain_algorithm() {
        let stream = Stream::new(5, 0);
        let text =
            |row: u64, length: u64| -> String { (0..length as u32).map(|at| char::from(b'a' + stream.below(row, at, 3) as u8)).collect() };
        for row in 0..40 {
            let (a, b) = (text(row, 20 + 7 * row), text(1000 + row, 15 + row));
            let (x, y): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
            let mut best = 0;
            let mut before = vec![0; y.len() + 1];
            for i in 0..x.len() {
                let mut now = vec![0; y.len() + 1];
                for j in 0..y.len() {
                    now[j + 1] = if x[i] == y[j] { before[j] + 1 } else { 0 };
                    best = best.max(now[j + 1]);
                }
                before = now;
            }
            assert_eq!(Passages::new([a.as_str()]).expect("small").longest(&b).len(), best, "{a} {b}");
        }
    }

    #[test]
    fn a_text_of_one_character_takes_no_longer() {
        let text = "a".repeat(50_000);
        let passages = Passages::new([text.as_str()]).expect("small");
        assert_eq!(passages.common(&vec![u32::from('a'); 1000]), 1000);
        assert_eq!(passages.longest(&"a".repeat(5000)).len(), MOST_COMPARED);
    }
}
