//! Texts of a regular expression: drawn, or counted and made by number.

use regex_syntax::hir::{Class, Hir, HirKind};

use crate::bits::Choices;

/// The most characters of a text.
const LONGEST: u64 = 4_096;

/// A regular expression, all of whose texts have an end.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Pattern {
    root: Part,
}

#[derive(Debug, Clone, PartialEq)]
enum Part {
    Text(String),
    /// Ranges of characters, and how many there are.
    Class(Vec<(u32, u32)>, u64),
    Joined(Vec<Part>),
    OneOf(Vec<Part>),
    Repeated {
        part: Box<Part>,
        least: u32,
        most: u32,
    },
}

impl Pattern {
    /// Reads an expression, or says what is wrong with it and at which character, from 0.
    pub(crate) fn new(text: &str) -> Result<Self, (usize, String)> {
        let hir = regex_syntax::parse(text).map_err(|error| {
            let (at, what) = match &error {
                regex_syntax::Error::Parse(error) => (error.span().start.offset, error.kind().to_string()),
                regex_syntax::Error::Translate(error) => (error.span().start.offset, error.kind().to_string()),
                other => (0, other.to_string()),
            };
            (at, format!("the regular expression cannot be read: {what}; mend it"))
        })?;
        if hir.properties().maximum_len().is_none() {
            let at = text.find(['*', '+']).or_else(|| text.find(",}")).unwrap_or(0);
            return Err((at, "the regular expression has no end; write {0,8} instead of *, and {1,8} instead of +".into()));
        }
        if hir.properties().maximum_len().is_some_and(|length| length as u64 > LONGEST) {
            return Err((0, format!("the regular expression has texts of more than {LONGEST} bytes; shorten its repetitions")));
        }
        Ok(Self { root: part(&hir).map_err(|what| (0, what))? })
    }

    /// How many texts there are, counted by the ways to make them; `None` beyond 2^127.
    pub(crate) fn count(&self) -> Option<u128> {
        self.root.count()
    }

    /// Writes a random text: repetitions, alternatives and characters are equally frequent.
    pub(crate) fn draw(&self, choices: &mut Choices<'_>, out: &mut String) {
        self.root.draw(choices, out);
    }

    /// Writes text `number` of [`Pattern::count`].
    pub(crate) fn nth(&self, number: u128, out: &mut String) {
        self.root.nth(number, out);
    }
}

fn part(hir: &Hir) -> Result<Part, String> {
    let parts = |all: &[Hir]| all.iter().map(part).collect::<Result<Vec<_>, _>>();
    Ok(match hir.kind() {
        HirKind::Empty => Part::Text(String::new()),
        HirKind::Literal(literal) => Part::Text(String::from_utf8_lossy(&literal.0).into_owned()),
        HirKind::Class(Class::Unicode(class)) => {
            let ranges: Vec<(u32, u32)> = class.ranges().iter().map(|range| (range.start().into(), range.end().into())).collect();
            if ranges.is_empty() {
                return Err("a class of the regular expression has no characters; add some".into());
            }
            let count = ranges.iter().map(|(start, end)| u64::from(end - start) + 1).sum();
            Part::Class(ranges, count)
        }
        HirKind::Class(Class::Bytes(_)) => return Err("the regular expression is one of bytes; remove (?-u)".into()),
        // What is drawn is the whole text.
        HirKind::Look(_) => Part::Text(String::new()),
        // Even of nothing: it would take as long to count.
        HirKind::Repetition(repetition) if repetition.max.is_some_and(|most| u64::from(most) > LONGEST) => {
            return Err(format!("a repetition of the regular expression goes beyond {LONGEST}; shorten it"));
        }
        HirKind::Repetition(repetition) => {
            Part::Repeated { part: Box::new(part(&repetition.sub)?), least: repetition.min, most: repetition.max.unwrap_or(repetition.min) }
        }
        HirKind::Capture(capture) => part(&capture.sub)?,
        HirKind::Concat(all) => Part::Joined(parts(all)?),
        HirKind::Alternation(all) => Part::OneOf(parts(all)?),
    })
}

fn character(ranges: &[(u32, u32)], mut number: u64) -> char {
    for &(start, end) in ranges {
        let count = u64::from(end - start) + 1;
        if number < count {
            // Ranges of a class leave the surrogates out.
            return char::from_u32(start + number as u32).unwrap_or('?');
        }
        number -= count;
    }
    '?'
}

impl Part {
    fn count(&self) -> Option<u128> {
        let bounded = |count: u128| Some(count).filter(|&count| count < 1 << 127);
        match self {
            Self::Text(_) => Some(1),
            Self::Class(_, count) => Some(u128::from(*count)),
            Self::Joined(parts) => parts.iter().try_fold(1u128, |product, part| bounded(product.checked_mul(part.count()?)?)),
            Self::OneOf(parts) => parts.iter().try_fold(0u128, |sum, part| bounded(sum.checked_add(part.count()?)?)),
            Self::Repeated { part, least, most } => {
                let one = part.count()?;
                (*least..=*most).try_fold(0u128, |sum, times| bounded(sum.checked_add(one.checked_pow(times)?)?))
            }
        }
    }

    fn draw(&self, choices: &mut Choices<'_>, out: &mut String) {
        match self {
            Self::Text(text) => out.push_str(text),
            Self::Class(ranges, count) => out.push(character(ranges, choices.below(*count))),
            Self::Joined(parts) => parts.iter().for_each(|part| part.draw(choices, out)),
            Self::OneOf(parts) => {
                if let Some(part) = choices.one(parts) {
                    part.draw(choices, out);
                }
            }
            Self::Repeated { part, least, most } => {
                let times = least + choices.below(u64::from(most - least) + 1) as u32;
                (0..times).for_each(|_| part.draw(choices, out));
            }
        }
    }

    fn nth(&self, mut number: u128, out: &mut String) {
        match self {
            Self::Text(text) => out.push_str(text),
            Self::Class(ranges, _) => out.push(character(ranges, number as u64)),
            Self::Joined(parts) => digits(number, parts.iter(), out),
            Self::OneOf(parts) => {
                for part in parts {
                    let count = part.count().unwrap_or(u128::MAX);
                    if number < count {
                        return part.nth(number, out);
                    }
                    number -= count;
                }
            }
            Self::Repeated { part, least, most } => {
                let one = part.count().unwrap_or(u128::MAX);
                for times in *least..=*most {
                    let count = one.checked_pow(times).unwrap_or(u128::MAX);
                    if number < count {
                        return digits(number, std::iter::repeat_n(&**part, times as usize), out);
                    }
                    number -= count;
                }
            }
        }
    }
}

/// The parts of a number of mixed radix, the last one fastest.
fn digits<'a>(mut number: u128, parts: impl DoubleEndedIterator<Item = &'a Part>, out: &mut String) {
    let mut places: Vec<(&Part, u128)> = Vec::new();
    for part in parts.rev() {
        let count = part.count().unwrap_or(u128::MAX);
        places.push((part, number % count));
        number /= count;
    }
    places.into_iter().rev().for_each(|(part, digit)| part.nth(digit, out));
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use semblant_core::seeds::Stream;

    use super::*;

    #[test]
    fn texts_are_counted_and_each_comes_once() {
        let pattern = Pattern::new("[A-C]{0,2}-(x|yz)[0-4]?").expect("an expression");
        let count = pattern.count().expect("few");
        assert_eq!(count, (1 + 3 + 9) * 2 * 6);
        let text = |number| {
            let mut text = String::new();
            pattern.nth(number, &mut text);
            text
        };
        assert_eq!((0..count).map(text).collect::<BTreeSet<_>>().len() as u128, count);
        let all: BTreeSet<String> = (0..count).map(text).collect();
        let stream = Stream::new(1, 1);
        for row in 0..500 {
            let mut text = String::new();
            pattern.draw(&mut Choices::new(&stream, row, 0), &mut text);
            assert!(all.contains(&text), "{text}");
        }
    }

    #[test]
    fn expressions_without_an_end_are_refused() {
        for (text, at) in [("a+", 1), ("[0-9]*", 5), ("a{2,}", 3), ("[a", 0), ("(", 0)] {
            let (found, what) = Pattern::new(text).expect_err("wrong");
            assert_eq!(found, at, "{text}: {what}");
        }
        assert!(Pattern::new("[a-z]{5000}").is_err());
    }
}
