//! The shape of ids: learned from a column without keeping any of its values, and regenerated for any row so that no real value comes back.

mod pattern;

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

pub use pattern::{Form, Pattern};

use super::column::Column;
use super::datetime::gcd;

/// Fewer rows than this share no part of an id that may be kept.
const SHARED_ROWS: usize = 5;

/// How ids are made. Index `i` always gets the same id, and no two indices share one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "format", rename_all = "lowercase", deny_unknown_fields)]
pub enum IdFormat {
    /// Whole numbers: `start`, `start + step`...
    Integer {
        /// The number of the first row.
        start: i64,
        /// What each row adds; not zero.
        step: i64,
    },
    /// A text and a counter: `P-0001`, `P-0002`...
    Prefix {
        /// The text before the number.
        prefix: String,
        /// The number of the first row.
        start: u64,
        /// The least number of digits, filled up with zeros.
        width: u8,
    },
    /// Random identifiers of the form `xxxxxxxx-xxxx-4xxx-yxxx-xxxxxxxxxxxx`, which depend on the seed.
    Uuid,
    /// Random texts of the forms that the column had, none of which it had; they depend on the seed.
    Pattern(Pattern),
}

impl IdFormat {
    /// The id of index `index`. Numbers and counters do not depend on `seed`.
    pub fn generate(&self, index: u64, seed: u64) -> String {
        match self {
            Self::Integer { start, step } => (i128::from(*start) + i128::from(*step) * i128::from(index)).to_string(),
            Self::Prefix { prefix, start, width } => {
                format!("{prefix}{:0width$}", u128::from(*start) + u128::from(index), width = usize::from(*width))
            }
            Self::Uuid => uuid(index, seed),
            Self::Pattern(pattern) => pattern.generate(index, seed),
        }
    }

    /// The shape of the ids in a column, such that none of them is generated.
    pub fn of_column(name: &str, column: &Column) -> Self {
        let levels = column.categories().map_or(&[][..], |(_, levels)| levels);
        Self::of_texts(levels).unwrap_or_else(|| Self::named(name))
    }

    /// The shape of texts: whole numbers, UUIDs, one prefix and numbers, or patterns. `None` without texts.
    pub(crate) fn of_texts<S: AsRef<str>>(texts: &[S]) -> Option<Self> {
        let texts: Vec<&str> = texts.iter().map(AsRef::as_ref).collect();
        if texts.is_empty() {
            return None;
        }
        if texts.iter().all(|text| is_uuid(text)) {
            return Some(Self::Uuid);
        }
        whole_numbers(&texts).or_else(|| counted(&texts)).or_else(|| Some(Self::Pattern(Pattern::of(&texts, SHARED_ROWS))))
    }

    /// The shape for a column without any text: its name and a counter.
    pub(crate) fn named(column: &str) -> Self {
        Self::Prefix { prefix: format!("{}-", column.trim()), start: 1, width: 6 }
    }

    /// Checks the format of a file.
    ///
    /// # Errors
    /// Says why it is not usable.
    pub fn check(&self) -> Result<(), String> {
        match self {
            Self::Integer { step: 0, .. } => Err("the step of an id must not be 0".into()),
            Self::Pattern(pattern) => pattern.check(),
            _ => Ok(()),
        }
    }
}

/// Whole numbers: they go on beyond the greatest, from the next round number on.
fn whole_numbers(texts: &[&str]) -> Option<IdFormat> {
    let plain = |text: &&str| {
        let digits = text.strip_prefix('-').unwrap_or(text);
        let padded = digits.len() > 1 && digits.starts_with('0');
        if padded || digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) { None } else { text.parse::<i128>().ok() }
    };
    let mut numbers: Vec<i128> = texts.iter().map(plain).collect::<Option<_>>()?;
    numbers.sort_unstable();
    let (least, greatest) = (numbers[0], numbers[numbers.len() - 1]);
    let step = numbers.windows(2).map(|pair| pair[1] - pair[0]).fold(0, gcd).clamp(1, 1_000_000);
    let step = if numbers.len() < SHARED_ROWS { 1 } else { step };
    let room = step * 100 * texts.len() as i128;
    let above = round_above(greatest.max(0));
    let start = if above + room <= i128::from(i64::MAX) { above } else { least.min(0) - room };
    let start = start - (start - least).rem_euclid(step) + if (start - least).rem_euclid(step) == 0 { 0 } else { step };
    Some(IdFormat::Integer { start: i64::try_from(start).ok()?, step: step as i64 })
}

/// One prefix and different numbers that fit into 18 digits and count rows: they go on beyond the greatest.
fn counted(texts: &[&str]) -> Option<IdFormat> {
    let split = |text: &str| {
        let digits = text.bytes().rev().take_while(u8::is_ascii_digit).count();
        let number: u64 = if (1..=18).contains(&digits) { text[text.len() - digits..].parse().ok()? } else { return None };
        Some((text.len() - digits, digits, number))
    };
    let (prefix_len, ..) = split(texts[0])?;
    let prefix = &texts[0][..prefix_len];
    let (mut greatest, mut widest, mut narrowest, mut padded) = (0, 0, usize::MAX, false);
    let mut numbers = HashSet::with_capacity(texts.len());
    for text in texts {
        let (len, digits, number) = split(text)?;
        if &text[..len] != prefix {
            return None;
        }
        padded |= text[len..].starts_with('0');
        numbers.insert(number);
        greatest = greatest.max(number);
        (widest, narrowest) = (widest.max(digits), narrowest.min(digits));
    }
    let start = u64::try_from(round_above(i128::from(greatest))).ok()?;
    // Numbers of one length are padded with zeros, or random; numbers that need one more digit would be of another form.
    let fixed = widest == narrowest && (padded || widest > 4);
    if (fixed && i128::from(start) + 10 * texts.len() as i128 >= 10i128.pow(widest as u32)) || texts.len() < SHARED_ROWS && prefix_len > 0 {
        return None;
    }
    Some(IdFormat::Prefix { prefix: prefix.to_owned(), start, width: if widest == narrowest { widest as u8 } else { 0 } })
}

/// The next number whose digits but the first are zeros: 300 -> 400, 999 -> 1000.
fn round_above(number: i128) -> i128 {
    let mut unit = 1;
    while unit * 10 <= number {
        unit *= 10;
    }
    (number / unit + 1) * unit
}

fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(i, byte)| match i {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

/// A bijection of the 64-bit numbers (SplitMix64's finaliser): different rows cannot meet.
pub(crate) fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// A bijection of the numbers below `count`, by the seed: a Feistel network whose results beyond `count` are sent through it again.
pub(crate) fn shuffled(index: u64, count: u64, seed: u64) -> u64 {
    let half = (64 - (count.max(2) - 1).leading_zeros()).div_ceil(2);
    let mask = (1u64 << half) - 1;
    let mut at = index;
    loop {
        let (mut left, mut right) = (at >> half, at & mask);
        for round in 0..4u64 {
            (left, right) = (right, left ^ (mix(right ^ mix(seed ^ (round << 56))) & mask));
        }
        at = (left << half) | right;
        if at < count {
            return at;
        }
    }
}

fn uuid(row: u64, seed: u64) -> String {
    // All 64 bits of `unique` reach the text, so the rows of one seed differ by construction, not by luck.
    let unique = mix(row.wrapping_add(mix(seed ^ 0x5EED)));
    let more = mix(unique ^ mix(seed.wrapping_add(0x9E37_79B9_7F4A_7C15)));
    format!(
        "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
        unique >> 32,
        (unique >> 16) & 0xffff,
        (unique >> 4) & 0xfff,
        0x8000 | ((unique & 0xf) << 10) | (more >> 54),
        more & 0xffff_ffff_ffff
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_are_learnt_from_texts() {
        let texts: Vec<String> = (4..124).map(|i| format!("P-{i:04}")).collect();
        let padded = IdFormat::of_texts(&texts).expect("one prefix");
        assert_eq!(padded, IdFormat::Prefix { prefix: "P-".into(), start: 200, width: 4 });
        assert_eq!(padded.generate(3, 0), "P-0203");
        assert_eq!(
            IdFormat::of_texts(&["x9", "x10", "x11", "x12", "x13"]),
            Some(IdFormat::Prefix { prefix: "x".into(), start: 20, width: 0 })
        );
        assert!(matches!(IdFormat::of_texts(&["x9", "y10"]), Some(IdFormat::Pattern(_))));
        assert_eq!(IdFormat::of_texts(&[&uuid(0, 1), &uuid(1, 1)]), Some(IdFormat::Uuid));
        assert_eq!(IdFormat::of_texts::<&str>(&[]), None);
    }

    #[test]
    fn numbers_go_on_beyond_the_greatest() {
        let of = |texts: &[&str]| IdFormat::of_texts(texts).expect("numbers").generate(0, 0);
        assert_eq!(of(&["10248", "11077"]), "20000");
        assert_eq!(of(&["1", "2", "3", "300"]), "400");
        assert_eq!(IdFormat::of_texts(&["10", "20", "30", "40", "50", "60"]), Some(IdFormat::Integer { start: 70, step: 10 }));
        let least: i128 = of(&["9223372036854775807", "9223372036854775800"]).parse().expect("a number");
        assert!(least < 0);
    }

    #[test]
    fn shuffles_are_bijections() {
        for count in [1, 2, 3, 10, 1_000, 4_097] {
            let seen: HashSet<u64> = (0..count).map(|index| shuffled(index, count, 9)).collect();
            assert_eq!(seen.len() as u64, count);
        }
    }

    #[test]
    fn names_are_unique_and_addressed_by_row() {
        for format in [IdFormat::Uuid, IdFormat::Integer { start: -5, step: 3 }, IdFormat::named("x")] {
            let names: HashSet<String> = (0..10_000).map(|row| format.generate(row, 7)).collect();
            assert_eq!(names.len(), 10_000);
            assert_eq!(format.generate(17, 7), format.generate(17, 7));
        }
        assert!(is_uuid(&IdFormat::Uuid.generate(5, 7)));
        assert_ne!(IdFormat::Uuid.generate(5, 7), IdFormat::Uuid.generate(5, 8));
    }

    #[test]
    fn the_format_survives_toml() {
        let format = IdFormat::Integer { start: 10, step: 2 };
        let text = toml::to_string(&format).expect("serialisable");
        assert_eq!(toml::from_str::<IdFormat>(&text).expect("readable"), format);
    }
}
