//! Names, long numbers and addresses that few texts hold are replaced before a model learns them, so that samples cannot name or reach anyone.
//!
//! - An e-mail address keeps its form: letters and digits become others.
//! - A number of five digits or more, single blanks, points, hyphens or slashes between them, gets other digits. Dates and amounts are shorter or are
//!   left as they are (`2024-05-17`).
//! - A capitalised word that is not the first of a sentence and is never written in small letters is taken for a name. It becomes one of the names that
//!   are frequent, or, where there are few, a word of the same form.
//!
//! The same word is replaced by the same one everywhere. Names in small letters cannot be told from words.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::ops::Range;

use semblant_core::seeds::Stream;
use semblant_data::text::Text;

use crate::purpose::PROTECTED;

/// Digits of a number that may identify.
const LONG_NUMBER: usize = 5;
/// With fewer frequent names a rare one becomes a word of the same form.
const FEW_NAMES: usize = 5;

/// What a part of a text may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Address,
    Number,
    Name,
}

/// Texts without what identifies, and how many words were replaced.
#[derive(Debug)]
pub struct Protected {
    /// The texts.
    pub texts: Text,
    /// Different names, numbers and addresses that were replaced.
    pub replaced: [usize; 3],
}

/// Replaces names, long numbers and addresses that occur in fewer than `rare` texts.
pub fn protected(texts: &Text, rare: usize, seed: u64) -> Protected {
    let mut found: HashMap<(&str, bool), (Part, usize)> = HashMap::new();
    let mut order: Vec<&str> = Vec::new();
    let mut small: HashSet<&str> = HashSet::new();
    for text in texts.iter() {
        let mut own: HashSet<&str> = HashSet::new();
        words(text).for_each(|(word, _)| {
            if word.chars().next().is_some_and(char::is_lowercase) {
                small.insert(word);
            }
        });
        for (part, range) in parts(text) {
            let word = &text[range];
            if own.insert(word) {
                let entry = found.entry((word, part == Part::Name)).or_insert_with(|| {
                    order.push(word);
                    (part, 0)
                });
                entry.1 += 1;
            }
        }
    }
    let is_word = |name: &str| small.contains(name.to_lowercase().as_str());
    let mut frequent: Vec<(&str, usize)> = found
        .iter()
        .filter(|((word, is_name), (_, count))| *is_name && *count >= rare && !is_word(word))
        .map(|(key, found)| (key.0, found.1))
        .collect();
    frequent.sort_unstable();
    let total: usize = frequent.iter().map(|(_, count)| count).sum();
    let stream = PROTECTED.of(seed);
    let (mut replacement, mut replaced): (HashMap<&str, String>, [usize; 3]) = (HashMap::new(), [0; 3]);
    for (row, &word) in order.iter().enumerate() {
        let part = [true, false].into_iter().find_map(|is_name| found.get(&(word, is_name)).filter(|(_, count)| *count < rare));
        let Some(&(part, _)) = part.filter(|(part, _)| *part != Part::Name || !is_word(word)) else { continue };
        let other = if part == Part::Name && frequent.len() >= FEW_NAMES {
            let mut left = stream.below(row as u64, 0, total as u64) as usize;
            let name = frequent.iter().find(|(_, count)| {
                let is_here = left < *count;
                left = left.saturating_sub(*count);
                is_here
            });
            name.map_or_else(|| of_same_form(word, &stream, row as u64), |(name, _)| (*name).to_owned())
        } else {
            of_same_form(word, &stream, row as u64)
        };
        replaced[part as usize] += 1;
        replacement.insert(word, other);
    }
    if replacement.is_empty() {
        return Protected { texts: texts.clone(), replaced };
    }
    let lines = texts.iter().map(|text| with(text, &replacement));
    let mut made = Text::of_lines(lines.collect::<Vec<_>>()).with_layout(texts.layout().clone());
    if texts.labels().is_some() {
        let labels: Vec<&str> = (0..texts.count()).filter_map(|index| texts.label(index)).collect();
        made = made.clone().with_labels(labels).unwrap_or(made);
    }
    Protected { texts: made, replaced }
}

/// A text with some of its parts replaced.
fn with<'a>(text: &'a str, replacement: &HashMap<&str, String>) -> Cow<'a, str> {
    let (mut made, mut end) = (String::new(), 0);
    for (_, range) in parts(text) {
        if let Some(other) = replacement.get(&text[range.clone()]) {
            made.push_str(&text[end..range.start]);
            made.push_str(other);
            end = range.end;
        }
    }
    if end == 0 {
        return Cow::Borrowed(text);
    }
    made.push_str(&text[end..]);
    Cow::Owned(made)
}

/// Other letters and digits of the same kinds; what is neither stays.
fn of_same_form(word: &str, stream: &Stream, row: u64) -> String {
    const VOWELS: &str = "aeiou";
    const CONSONANTS: &str = "bcdfghklmnprstvw";
    let other = |(place, character): (usize, char)| {
        let of = |from: &str| {
            let chosen = stream.below(row, place as u32 + 1, from.len() as u64) as usize;
            from.as_bytes().get(chosen).map_or('x', |&byte| char::from(byte))
        };
        match character {
            '0' => '0',
            character if character.is_ascii_digit() => of("123456789"),
            character if character.is_alphabetic() => {
                let small = character.to_ascii_lowercase();
                let made = of(if VOWELS.contains(small) { VOWELS } else { CONSONANTS });
                if character.is_uppercase() { made.to_ascii_uppercase() } else { made }
            }
            character => character,
        }
    };
    word.chars().enumerate().map(other).collect()
}

/// The words of a text, letters alone, with the byte where each starts.
fn words(text: &str) -> impl Iterator<Item = (&str, usize)> {
    text.split(|character: char| !character.is_alphabetic()).filter(|word| !word.is_empty()).map(move |word| {
        // Both point into the same text.
        (word, word.as_ptr() as usize - text.as_ptr() as usize)
    })
}

/// The parts of a text that may identify, in the order of their places.
fn parts(text: &str) -> Vec<(Part, Range<usize>)> {
    let mut found = Vec::new();
    for piece in text.split_whitespace() {
        let start = piece.as_ptr() as usize - text.as_ptr() as usize;
        let trimmed = piece.trim_matches(|character: char| !character.is_alphanumeric());
        let from = start + (trimmed.as_ptr() as usize - piece.as_ptr() as usize);
        if is_address(trimmed) {
            found.push((Part::Address, from..from + trimmed.len()));
        }
    }
    let others: Vec<_> = numbers(text).into_iter().filter(|range| is_free(&found, range)).map(|range| (Part::Number, range)).collect();
    found.extend(others);
    found.sort_by_key(|(_, range)| range.start);
    let names = words(text).map(|(word, start)| (word, start..start + word.len()));
    let names = names.filter(|(word, range)| is_capitalised(word) && !begins_sentence(&text[..range.start]) && is_free(&found, range));
    let names: Vec<_> = names.map(|(_, range)| (Part::Name, range)).collect();
    found.extend(names);
    found.sort_by_key(|(_, range)| range.start);
    found
}

/// Whether a range meets none of those that are taken, which are in order and apart.
fn is_free(taken: &[(Part, Range<usize>)], range: &Range<usize>) -> bool {
    let next = taken.partition_point(|(_, other)| other.end <= range.start);
    taken.get(next).is_none_or(|(_, other)| range.end <= other.start)
}

fn is_address(piece: &str) -> bool {
    piece.split_once('@').is_some_and(|(user, host)| !user.is_empty() && host.contains('.') && !host.contains('@'))
}

fn is_capitalised(word: &str) -> bool {
    let mut letters = word.chars();
    letters.next().is_some_and(char::is_uppercase) && letters.next().is_some_and(char::is_lowercase)
}

/// Whether what stands before a word ends a sentence, or is nothing.
fn begins_sentence(before: &str) -> bool {
    before
        .trim_end_matches(|character: char| character.is_whitespace() || "\"'([{*-".contains(character))
        .chars()
        .next_back()
        .is_none_or(|last| ".!?:;…".contains(last))
        || before.ends_with('\n')
}

/// Numbers of at least [`LONG_NUMBER`] digits: runs of digits with single separators between them, dates left out.
fn numbers(text: &str) -> Vec<Range<usize>> {
    let bytes = text.as_bytes();
    let (mut found, mut at) = (Vec::new(), 0);
    while at < bytes.len() {
        if !bytes[at].is_ascii_digit() {
            at += 1;
            continue;
        }
        let (start, mut end, mut digits) = (at, at, 0);
        while at < bytes.len() {
            if bytes[at].is_ascii_digit() {
                (digits, end) = (digits + 1, at + 1);
            } else if !(b" -./".contains(&bytes[at]) && bytes.get(at + 1).is_some_and(u8::is_ascii_digit)) {
                break;
            }
            at += 1;
        }
        if digits >= LONG_NUMBER && !is_date(&text[start..end]) {
            found.push(start..end);
        }
    }
    found
}

/// Whether digits are a date: year, month and day in any of the usual orders.
fn is_date(number: &str) -> bool {
    let parts: Vec<&str> = number.split(['-', '.', '/']).collect();
    let lengths: Vec<usize> = parts.iter().map(|part| part.len()).collect();
    let is_small = |part: &str, most: u32| part.parse::<u32>().is_ok_and(|value| (1..=most).contains(&value));
    match (&lengths[..], &parts[..]) {
        ([4, 1..=2, 1..=2], [_, month, day]) => is_small(month, 12) && is_small(day, 31),
        ([1..=2, 1..=2, 2 | 4], [first, second, _]) => {
            is_small(first, 31) && is_small(second, 31) && (is_small(first, 12) || is_small(second, 12))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rare_names_numbers_and_addresses_are_replaced_and_frequent_ones_stay() {
        let names = ["Anna", "Berta", "Carla", "Dora", "Emil", "Fritz"];
        let mut lines: Vec<String> = (0..60).map(|row| format!("We met {} in the garden on 2024-05-17.", names[row % 6])).collect();
        lines.push("Please call Zacharias at 0171 555-0123 or write to zach.miller@example.org, room 4021.".into());
        lines.push("Then Zacharias left.".into());
        let Protected { texts, replaced } = protected(&Text::of_lines(&lines), 3, 1);
        assert_eq!(replaced, [1, 1, 1]);
        assert!((0..60).all(|row| texts.get(row) == lines[row]), "what many texts hold stays, and so do dates");
        let said = texts.get(60);
        assert!(!said.contains("Zacharias") && !said.contains("0123") && !said.contains("zach") && !said.contains("miller"), "{said}");
        let name = said.split(' ').nth(2).expect("a name");
        assert!(names.contains(&name) && texts.get(61).contains(name), "the same name in both texts: {said}");
        assert!(said.starts_with("Please call ") && said.contains(" or write to ") && said.ends_with(", room 4021."), "{said}");
        assert_eq!(protected(&Text::of_lines(&lines), 3, 1).texts, texts);
    }

    #[test]
    fn words_and_first_words_are_no_names() {
        let lines = ["Unlikely. Perhaps so", "he said Perhaps and perhaps again", "tell Quentin"];
        let Protected { texts, replaced } = protected(&Text::of_lines(lines), 3, 1);
        assert_eq!(replaced, [0, 0, 1]);
        let made = texts.get(2).strip_prefix("tell ").expect("the rest stays");
        assert!(made != "Quentin" && made.len() == 7 && made.starts_with(|first: char| first.is_ascii_uppercase()), "{made}");
    }

    #[test]
    fn numbers_are_found_with_their_separators_and_dates_are_left() {
        let of = |text: &str| numbers(text).into_iter().map(|range| text[range].to_owned()).collect::<Vec<_>>();
        assert_eq!(of("call 08712 460324 now, or 0800-123-45."), ["08712 460324", "0800-123-45"]);
        assert_eq!(of("12.50 on 17.05.2024, 5/17/24 and 2024-05-17"), [""; 0]);
        assert_eq!(of("id 99999"), ["99999"]);
        assert_eq!(of("é12345ü"), ["12345"]);
    }

    #[test]
    fn labels_stay() {
        let texts = Text::of_lines(["call Zed 123456", "fine"]).with_labels(["spam", "ham"]).expect("two");
        let made = protected(&texts, 3, 1).texts;
        assert_eq!((made.label(0), made.label(1), made.get(1)), (Some("spam"), Some("ham"), "fine"));
        assert!(!made.get(0).contains("123456"));
    }

    #[test]
    fn a_long_line_of_names_is_no_work_for_hours() {
        let line: String =
            std::iter::once("so".to_owned()).chain((0..200_000).map(|row| format!(" Na{}", ["a", "e", "i"][row % 3].repeat(3)))).collect();
        let found = parts(&line);
        assert!(found.len() == 200_000 && found.windows(2).all(|pair| pair[0].1.end < pair[1].1.start));
    }
}
