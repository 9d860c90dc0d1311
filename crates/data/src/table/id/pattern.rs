//! Texts of a form: every character is fixed or drawn from an alphabet, and no text that was there before comes back.
//!
//! All texts of a form are numbered. The numbers of the real texts leave some residue class modulo [`Form::modulus`] empty; only numbers of that
//! class are generated. So the form knows no real text, yet never repeats one, and its texts differ by construction.

use serde::{Deserialize, Serialize};

use super::{mix, shuffled};

/// Forms that a column keeps, the most frequent ones.
const FORMS: usize = 64;
/// Characters of a text that vary; longer texts are cut.
const LONGEST: usize = 80;

/// The forms of a column's texts, with how often each came.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pattern {
    /// The forms.
    pub forms: Vec<Form>,
}

/// One form, such as `(ddd) ddd-dddd`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Form {
    /// Its characters. After a backslash: `d` a digit, `a` a lower-case letter, `A` an upper-case letter, `h` and `H` a hexadecimal digit, `n` and
    /// `N` a letter or digit, `c`, `v`, `C` and `V` a consonant and a vowel, `\` a backslash. All others stand for themselves.
    pub text: String,
    /// Rows of this form.
    pub rows: u64,
    /// The generated texts are those whose number leaves `residue` when divided by this.
    pub modulus: u64,
    /// See `modulus`.
    pub residue: u64,
}

/// One place of a form.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Place {
    Fixed(char),
    /// The sign of an alphabet, see [`alphabet`].
    One(char),
}

fn alphabet(sign: char) -> &'static str {
    match sign {
        'd' => "0123456789",
        'a' => "abcdefghijklmnopqrstuvwxyz",
        'A' => "ABCDEFGHIJKLMNOPQRSTUVWXYZ",
        'h' => "0123456789abcdef",
        'H' => "0123456789ABCDEF",
        'n' => "0123456789abcdefghijklmnopqrstuvwxyz",
        'N' => "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ",
        'c' => "bcdfghklmnprstvz",
        'C' => "BCDFGHKLMNPRSTVZ",
        'v' => "aeiou",
        'V' => "AEIOU",
        _ => "",
    }
}

/// What characters a place must allow.
#[derive(Debug, Clone, Copy, Default)]
struct Seen {
    digit: bool,
    lower: bool,
    upper: bool,
    beyond_f: bool,
    first: Option<char>,
    differs: bool,
    other: bool,
}

impl Seen {
    fn add(&mut self, c: char) {
        self.digit |= c.is_numeric();
        self.lower |= c.is_alphabetic() && !c.is_uppercase();
        self.upper |= c.is_uppercase();
        self.beyond_f |= c.is_alphabetic() && !matches!(c, 'a'..='f' | 'A'..='F');
        self.other |= !c.is_alphanumeric();
        self.differs |= self.first.is_some_and(|first| first != c);
        self.first.get_or_insert(c);
    }

    /// `None` where no alphabet has all the characters.
    fn place(&self) -> Option<Place> {
        let first = self.first.filter(|_| !self.differs);
        Some(match (first, self.digit, self.lower, self.upper) {
            (Some(fixed), ..) => Place::Fixed(fixed),
            _ if self.other => return None,
            (_, true, false, false) => Place::One('d'),
            (_, false, true, false) => Place::One('a'),
            (_, false, false, true) => Place::One('A'),
            (_, true, true, false) => Place::One(if self.beyond_f { 'n' } else { 'h' }),
            (_, true, false, true) => Place::One(if self.beyond_f { 'N' } else { 'H' }),
            (_, false, true, true) => Place::One('a'),
            _ => return None,
        })
    }
}

impl Pattern {
    /// The forms of `texts`, which are not empty. `rows` is how many texts share a character before it is kept as it is.
    pub(crate) fn of(texts: &[&str], rows: usize) -> Self {
        let forms = match aligned(texts, rows) {
            Some(places) => vec![(places, texts.len() as u64)],
            None => by_class(texts),
        };
        Self { forms: forms.into_iter().map(|(places, rows)| Form::new(places, rows, texts)).collect() }
    }

    /// The text of `index`; equal texts of different indices begin only beyond the number of texts that the forms have.
    pub(crate) fn generate(&self, index: u64, seed: u64) -> String {
        let total = self.forms.iter().fold(0u64, |total, form| total.saturating_add(form.rows));
        let mut at = mix(index ^ mix(seed ^ 0xF0)) % total.max(1);
        for form in &self.forms {
            if at < form.rows {
                return form.generate(index, seed);
            }
            at -= form.rows;
        }
        String::new()
    }

    /// Why a pattern of a file is not usable, if it is not.
    pub(crate) fn check(&self) -> Result<(), String> {
        let sound = |form: &Form| form.modulus > 0 && form.residue < form.modulus && form.size() > form.modulus;
        match self.forms.iter().find(|form| !sound(form)) {
            Some(form) => Err(format!("the form \"{}\" has no text for its modulus and residue", form.text)),
            None if self.forms.iter().all(|form| form.rows == 0) => Err("a pattern needs a form with rows".into()),
            None => Ok(()),
        }
    }
}

/// The one form of texts of equal length, place by place.
fn aligned(texts: &[&str], rows: usize) -> Option<Vec<Place>> {
    let length = texts.first()?.chars().count();
    if length > LONGEST || texts.len() < 2 {
        return None;
    }
    let mut seen = vec![Seen::default(); length];
    for text in texts {
        if text.chars().count() != length {
            return None;
        }
        text.chars().zip(&mut seen).for_each(|(c, seen)| seen.add(c));
    }
    let places: Vec<Place> = seen.iter().map(Seen::place).collect::<Option<_>>()?;
    // What few share is not a property of the form.
    Some(if texts.len() < rows { places.into_iter().map(|place| loosened(place, 0)).collect() } else { places })
}

/// The forms of texts of any length, by the class of each character.
fn by_class(texts: &[&str]) -> Vec<(Vec<Place>, u64)> {
    let mut counts: std::collections::BTreeMap<String, u64> = std::collections::BTreeMap::new();
    for text in texts {
        *counts.entry(written(&classes(text))).or_default() += 1;
    }
    let mut forms: Vec<(String, u64)> = counts.into_iter().collect();
    forms.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    forms.truncate(FORMS);
    forms.into_iter().map(|(text, rows)| (places(&text), rows)).collect()
}

/// Digits and letters by alphabet, consonants and vowels in turn so that words can be pronounced.
fn classes(text: &str) -> Vec<Place> {
    let mut letters = 0;
    let mut classes = Vec::new();
    for c in text.chars().take(LONGEST) {
        letters = if c.is_alphabetic() { letters + 1 } else { 0 };
        classes.push(loosened(Place::Fixed(c), letters));
    }
    classes
}

fn loosened(place: Place, letters: usize) -> Place {
    match place {
        Place::Fixed(c) if c.is_numeric() => Place::One('d'),
        Place::Fixed(c) if c.is_uppercase() => Place::One(['A', 'C', 'V'][if letters == 0 { 0 } else { 2 - letters % 2 }]),
        Place::Fixed(c) if c.is_alphabetic() => Place::One(['a', 'c', 'v'][if letters == 0 { 0 } else { 2 - letters % 2 }]),
        Place::Fixed(c) if c.is_control() => Place::Fixed(' '),
        place => place,
    }
}

fn written(places: &[Place]) -> String {
    let mut text = String::new();
    for place in places {
        match place {
            Place::Fixed('\\') => text.push_str("\\\\"),
            Place::Fixed(c) => text.push(*c),
            Place::One(sign) => text.extend(['\\', *sign]),
        }
    }
    text
}

fn places(text: &str) -> Vec<Place> {
    let mut places = Vec::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        places.push(match c {
            '\\' => match chars.next() {
                Some(sign) if !alphabet(sign).is_empty() => Place::One(sign),
                other => Place::Fixed(other.unwrap_or('\\')),
            },
            fixed => Place::Fixed(fixed),
        });
    }
    places
}

impl Form {
    fn new(mut places: Vec<Place>, rows: u64, texts: &[&str]) -> Self {
        // Room for ten times as many texts as there are real ones, all of one residue class among twice as many.
        let room = 40 * (texts.len() as u64 + 10).pow(2).min(1 << 50);
        let modulus = 2 * texts.len() as u64 + 3;
        while size(&places) < room && places.len() < 2 * LONGEST {
            let sign = places.iter().rev().find_map(|place| if let Place::One(sign) = place { Some(*sign) } else { None }).unwrap_or('d');
            places.push(Place::One(sign));
        }
        let mut used = vec![false; modulus as usize];
        for number in texts.iter().filter_map(|text| number(&places, text)) {
            used[(number % modulus) as usize] = true;
        }
        // There are fewer texts than classes, so one is free.
        let start = mix(rows ^ modulus) % modulus;
        let residue = (0..modulus).map(|step| (start + step) % modulus).find(|&residue| !used[residue as usize]).unwrap_or(0);
        Self { text: written(&places), rows, modulus, residue }
    }

    fn size(&self) -> u64 {
        size(&places(&self.text))
    }

    fn generate(&self, index: u64, seed: u64) -> String {
        let places = places(&self.text);
        let capacity = ((size(&places).max(self.residue) - self.residue) / self.modulus).max(1);
        let mut left = shuffled(index % capacity, capacity, seed) * self.modulus + self.residue;
        let mut free = mix(index ^ mix(seed ^ self.rows));
        let tail = tail(&places);
        let mut text: Vec<char> = Vec::with_capacity(places.len());
        for (place, what) in places.iter().enumerate().rev() {
            text.push(match what {
                Place::Fixed(c) => *c,
                Place::One(sign) => {
                    let letters = alphabet(*sign).as_bytes();
                    if place < tail {
                        free = mix(free);
                        left = free;
                    }
                    let digit = (left % letters.len() as u64) as usize;
                    left /= letters.len() as u64;
                    char::from(letters[digit])
                }
            });
        }
        let mut text: String = text.into_iter().rev().collect();
        if index >= capacity {
            text.push_str(&format!("-{}", index / capacity));
        }
        text
    }
}

/// Texts are numbered by their last places only, as many as have fewer than 2^60 texts; the first of them.
fn tail(places: &[Place]) -> usize {
    let mut size = 1u128;
    for (index, place) in places.iter().enumerate().rev() {
        if let Place::One(sign) = place {
            size *= alphabet(*sign).len() as u128;
            if size >= 1 << 60 {
                return index + 1;
            }
        }
    }
    0
}

/// How many texts the numbered places have.
fn size(places: &[Place]) -> u64 {
    places[tail(places)..].iter().map(|place| if let Place::One(sign) = place { alphabet(*sign).len() as u64 } else { 1 }).product()
}

/// The number of a text of this form; `None` when it is of another form.
fn number(places: &[Place], text: &str) -> Option<u64> {
    let (mut number, tail) = (0, tail(places));
    let mut chars = text.chars();
    for (index, place) in places.iter().enumerate() {
        let c = chars.next()?;
        match place {
            Place::Fixed(fixed) if *fixed == c => {}
            Place::Fixed(_) => return None,
            Place::One(sign) => {
                let letters = alphabet(*sign);
                let digit = letters.find(c)? as u64;
                number = if index < tail { 0 } else { number * letters.len() as u64 + digit };
            }
        }
    }
    chars.next().is_none().then_some(number)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[track_caller]
    fn disjoint(texts: &[String]) -> Pattern {
        let pattern = Pattern::of(&texts.iter().map(String::as_str).collect::<Vec<_>>(), 5);
        pattern.check().expect("usable");
        let real: HashSet<&str> = texts.iter().map(String::as_str).collect();
        let made: HashSet<String> = (0..10 * texts.len() as u64).map(|row| pattern.generate(row, 3)).collect();
        assert_eq!(made.len(), 10 * texts.len(), "texts differ");
        assert!(made.iter().all(|text| !real.contains(text.as_str())));
        let kept = toml::to_string(&pattern).expect("writable");
        assert!(texts.iter().all(|text| text.len() < 4 || !kept.contains(text.as_str())), "no real text is kept");
        pattern
    }

    #[test]
    fn texts_of_one_length_have_one_form() {
        let phones: Vec<String> = (0..300).map(|i| format!("(555) {:03}-{:04}", 100 + i, (i * 7919) % 10_000)).collect();
        assert_eq!(disjoint(&phones).forms[0].text, "(555) \\d\\d\\d-\\d\\d\\d\\d");
        let hashes: Vec<String> = (0..50u64).map(|i| format!("{:016x}", mix(i))).collect();
        assert!(disjoint(&hashes).forms[0].text.starts_with("\\h"));
        let plates: Vec<String> = (0..26u8).map(|i| format!("{}{}-12{}", char::from(b'A' + i), char::from(b'Z' - i), i % 10)).collect();
        assert!(disjoint(&plates).forms[0].text.starts_with("\\A\\A-12\\d"));
    }

    #[test]
    fn names_keep_their_shape() {
        let names: Vec<String> = (0..60).map(|i| format!("Maria{} Anders{}", "x".repeat(i % 4), "y".repeat(i / 4 % 5 + i / 20))).collect();
        let pattern = disjoint(&names);
        let made = pattern.generate(0, 1);
        let words: Vec<&str> = made.split(' ').collect();
        assert!(words.len() == 2 && words.iter().all(|word| word.starts_with(|c: char| c.is_uppercase())), "{made}");
    }

    #[test]
    fn a_crowded_form_gets_longer() {
        let crowded: Vec<String> = (0..100).map(|i| format!("{i:02}")).collect();
        assert!(disjoint(&crowded).generate(0, 0).len() > 2);
        disjoint(&["a", "b", "c"].map(String::from));
    }

    #[test]
    fn beyond_its_texts_a_form_still_differs() {
        let pattern = Pattern::of(&["a1", "b2", "c3", "d4", "e5"], 5);
        let made: HashSet<String> = (0..200_000).map(|row| pattern.generate(row, 0)).collect();
        assert_eq!(made.len(), 200_000);
    }
}
