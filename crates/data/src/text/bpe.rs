//! Byte-pair encoding: "Neural machine translation of rare words with subword units", Sennrich et al. 2016, over bytes.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::Text;

/// The most bytes of a piece, and of all pieces of a file.
const MOST_BYTES: usize = 256;
/// The most pieces.
const MOST_PIECES: usize = 1 << 16;
/// The most characters of a word: longer ones are cut, so that the search for pairs stays short.
const LONGEST_WORD: usize = 32;

/// The tokens below 256.
pub(super) fn bytes() -> Vec<Vec<u8>> {
    (0..=u8::MAX).map(|byte| vec![byte]).collect()
}

/// The bytes of all pieces.
pub(super) fn pieces(merges: &[[u32; 2]]) -> Result<Vec<Vec<u8>>, String> {
    let mut all = bytes();
    if merges.len() > MOST_PIECES {
        return Err(format!("a vocabulary has at most {MOST_PIECES} pieces"));
    }
    for pair in merges {
        let [Some(first), Some(second)] = pair.map(|piece| all.get(piece as usize)) else {
            return Err("a piece is made of one that comes after it".into());
        };
        let joined = [first.as_slice(), second].concat();
        if joined.len() > MOST_BYTES {
            return Err(format!("a piece has at most {MOST_BYTES} bytes"));
        }
        all.push(joined);
    }
    Ok(all)
}

/// What pairs are not joined across: letters with marks, digits, blanks and other characters.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Letter,
    Digit,
    Blank,
    Other,
}

fn class(character: char) -> Class {
    match character {
        _ if character.is_alphabetic() => Class::Letter,
        _ if character.is_numeric() => Class::Digit,
        _ if character.is_whitespace() => Class::Blank,
        _ => Class::Other,
    }
}

/// A text as words: runs of one class, each with the one space before it.
pub(super) fn words(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let first = rest.chars().next()?;
        let mut characters = rest.char_indices();
        let mut run = class(first);
        characters.next();
        if first == ' '
            && let Some((_, second)) = characters.clone().next()
            && class(second) != Class::Blank
        {
            run = class(second);
        }
        let end = characters.take(LONGEST_WORD - 1).take_while(|&(_, character)| class(character) == run).last();
        let end = end.map_or(first.len_utf8(), |(at, character)| at + character.len_utf8());
        let (word, after) = rest.split_at(end);
        rest = after;
        Some(word)
    })
}

/// The tokens of a word: the pair that was learned first is joined first.
pub(super) fn joined(word: &str, ranks: &HashMap<[u32; 2], u32>) -> Vec<u32> {
    let mut tokens: Vec<u32> = word.bytes().map(u32::from).collect();
    loop {
        let found = tokens.windows(2).filter_map(|pair| ranks.get(&[pair[0], pair[1]]).map(|&rank| (rank, [pair[0], pair[1]]))).min();
        let Some((rank, pair)) = found else { return tokens };
        join(&mut tokens, pair, 256 + rank);
    }
}

fn join(tokens: &mut Vec<u32>, pair: [u32; 2], piece: u32) {
    let (mut from, mut to) = (0, 0);
    while from < tokens.len() {
        if tokens[from..].starts_with(&pair) {
            tokens[to] = piece;
            from += 2;
        } else {
            tokens[to] = tokens[from];
            from += 1;
        }
        to += 1;
    }
    tokens.truncate(to);
}

/// The pairs that are joined, in the order in which they are learned: always the most frequent one, until there are `vocabulary` tokens. Words in
/// fewer than `rare` texts take no part, and a pair that occurs less often is not joined.
pub(super) fn merges(texts: &Text, vocabulary: usize, rare: usize) -> Vec<[u32; 2]> {
    let mut seen: HashMap<&str, (u64, usize, usize)> = HashMap::new();
    for (index, text) in texts.iter().enumerate() {
        for word in words(text) {
            let (count, in_texts, last) = seen.entry(word).or_insert((0, 0, usize::MAX));
            *count += 1;
            if *last != index {
                (*in_texts, *last) = (*in_texts + 1, index);
            }
        }
    }
    let mut frequent: Vec<(&str, u64)> =
        seen.into_iter().filter(|(_, (_, in_texts, _))| *in_texts >= rare).map(|(word, (count, ..))| (word, count)).collect();
    frequent.sort_unstable();
    let mut split: Vec<(Vec<u32>, u64)> =
        frequent.into_iter().map(|(word, count)| (word.bytes().map(u32::from).collect(), count)).collect();
    let mut counts: HashMap<[u32; 2], u64> = HashMap::new();
    let mut places: HashMap<[u32; 2], BTreeSet<usize>> = HashMap::new();
    for (index, (tokens, count)) in split.iter().enumerate() {
        for pair in tokens.windows(2) {
            *counts.entry([pair[0], pair[1]]).or_default() += count;
            places.entry([pair[0], pair[1]]).or_default().insert(index);
        }
    }
    let (mut learned, mut lengths) = (Vec::new(), vec![1usize; 256]);
    let mut too_long: HashSet<[u32; 2]> = HashSet::new();
    while 256 + learned.len() < vocabulary.min(MOST_PIECES) {
        // The least of the most frequent, whatever the order of the map.
        let candidates = counts.iter().filter(|(pair, _)| !too_long.contains(*pair));
        let best = candidates.max_by(|(a, count), (b, other)| count.cmp(other).then_with(|| b.cmp(a))).map(|(&pair, &count)| (pair, count));
        let Some((pair, _)) = best.filter(|&(_, count)| count >= rare.max(2) as u64) else { break };
        let length = lengths[pair[0] as usize] + lengths[pair[1] as usize];
        if length > MOST_BYTES {
            too_long.insert(pair);
            continue;
        }
        let piece = 256 + learned.len() as u32;
        learned.push(pair);
        lengths.push(length);
        for index in places.remove(&pair).unwrap_or_default() {
            let (tokens, count) = &mut split[index];
            for old in tokens.windows(2) {
                if let Some(sum) = counts.get_mut(&[old[0], old[1]]) {
                    *sum = sum.saturating_sub(*count);
                }
            }
            join(tokens, pair, piece);
            for new in tokens.windows(2) {
                *counts.entry([new[0], new[1]]).or_default() += *count;
                places.entry([new[0], new[1]]).or_default().insert(index);
            }
        }
        counts.remove(&pair);
    }
    learned
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_runs_with_a_space_before_them() {
        assert_eq!(words("Hi,  you 2!").collect::<Vec<_>>(), ["Hi", ",", "  ", "you", " 2", "!"]);
        assert_eq!(words(" \n\n").collect::<String>(), " \n\n");
        let long = "ü".repeat(100);
        assert_eq!(words(&long).map(|word| word.chars().count()).collect::<Vec<_>>(), [32, 32, 32, 4]);
    }

    /// The example of the paper: low 5, lower 2, newest 6, widest 3. It joins `e s`, `es t`, and then `l o`, `lo w`.
    #[test]
    fn pairs_are_learned_as_in_the_paper() {
        let lines = [("low", 5), ("lower", 2), ("newest", 6), ("widest", 3)];
        let texts = Text::of_lines(lines.iter().flat_map(|&(word, times)| std::iter::repeat_n(word, times)));
        let learned = merges(&texts, 256 + 4, 1);
        let named: Vec<String> =
            pieces(&learned).expect("sound")[256..].iter().map(|piece| String::from_utf8_lossy(piece).into_owned()).collect();
        assert_eq!(named, ["es", "est", "lo", "low"]);
        let ranks = learned.iter().zip(0..).map(|(&pair, rank)| (pair, rank)).collect();
        assert_eq!(joined("lowest", &ranks), [259, 257]);
    }

    #[test]
    fn words_of_few_texts_have_no_pieces() {
        let lines = ["smith smith smith smith smith", "the cat", "the dog", "the cow"];
        let learned = merges(&Text::of_lines(lines), 300, 3);
        let named: Vec<String> =
            pieces(&learned).expect("sound")[256..].iter().map(|piece| String::from_utf8_lossy(piece).into_owned()).collect();
        assert!(named.contains(&"the".to_owned()) && !named.iter().any(|piece| piece.contains("sm")), "{named:?}");
    }
}
