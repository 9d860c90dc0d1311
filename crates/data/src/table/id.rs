//! The shape of row names: learned from a column without keeping any of its values, and regenerated for any row.

use serde::{Deserialize, Serialize};

use super::column::Column;

/// How the names of rows are made. Row `i` always gets the same name, and no two rows share one.
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
}

impl IdFormat {
    /// The name of row `row`. Only [`IdFormat::Uuid`] depends on `seed`.
    pub fn generate(&self, row: u64, seed: u64) -> String {
        match self {
            Self::Integer { start, step } => (i128::from(*start) + i128::from(*step) * i128::from(row)).to_string(),
            Self::Prefix { prefix, start, width } => {
                format!("{prefix}{:0width$}", u128::from(*start) + u128::from(row), width = usize::from(*width))
            }
            Self::Uuid => uuid(row, seed),
        }
    }

    /// The shape of the names in a column: what they have in common, or the column's name and a counter.
    pub fn of_column(name: &str, column: &Column) -> Self {
        let levels = column.categories().map_or(&[][..], |(_, levels)| levels);
        let numbers: Option<Vec<f64>> = levels.iter().map(|level| level.parse::<i64>().ok().map(|number| number as f64)).collect();
        match numbers.filter(|numbers| !numbers.is_empty() && levels.iter().all(|level| !level.starts_with('0') || level == "0")) {
            Some(numbers) => Self::of_numbers(&numbers, None),
            None => Self::of_texts(levels).unwrap_or_else(|| Self::named(name)),
        }
    }

    /// The shape that all of `texts` have: UUIDs, or one prefix and different numbers.
    pub(crate) fn of_texts<S: AsRef<str>>(texts: &[S]) -> Option<Self> {
        if texts.is_empty() {
            return None;
        }
        if texts.iter().all(|text| is_uuid(text.as_ref())) {
            return Some(Self::Uuid);
        }
        let split = |text: &S| {
            let text = text.as_ref();
            let digits = text.bytes().rev().take_while(u8::is_ascii_digit).count();
            let number: u64 = if digits <= 18 { text[text.len() - digits..].parse().ok()? } else { return None };
            Some((text.len() - digits, digits, number))
        };
        let (prefix_len, ..) = split(&texts[0])?;
        let prefix = &texts[0].as_ref()[..prefix_len];
        let (mut start, mut widest, mut narrowest) = (u64::MAX, 0, usize::MAX);
        for text in texts {
            let (len, digits, number) = split(text)?;
            if &text.as_ref()[..len] != prefix {
                return None;
            }
            start = start.min(number);
            (widest, narrowest) = (widest.max(digits), narrowest.min(digits));
        }
        // Numbers of one length may be padded with zeros; writing them padded is right either way.
        let width = if widest == narrowest { widest as u8 } else { 0 };
        Some(Self::Prefix { prefix: prefix.to_owned(), start, width })
    }

    /// The shape for a column whose texts have none in common: its name and a counter.
    pub(crate) fn named(column: &str) -> Self {
        Self::Prefix { prefix: format!("{}-", column.trim()), start: 1, width: 6 }
    }

    /// Numbers that count from the least; by one unless `step` says that the file counts otherwise.
    pub(crate) fn of_numbers(values: &[f64], step: Option<f64>) -> Self {
        let least = values.iter().copied().filter(|value| !value.is_nan()).fold(f64::INFINITY, f64::min);
        let start = if least.is_finite() { least as i64 } else { 1 };
        Self::Integer { start, step: step.map_or(1, |step| step as i64) }
    }
}

fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(i, byte)| match i {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

/// A bijection of the 64-bit numbers (SplitMix64's finaliser): different rows cannot meet.
fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
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
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn shapes_are_learnt_from_texts() {
        let padded = IdFormat::of_texts(&["P-0007", "P-0004", "P-0123"]).expect("one prefix");
        assert_eq!(padded, IdFormat::Prefix { prefix: "P-".into(), start: 4, width: 4 });
        assert_eq!(padded.generate(3, 0), "P-0007");
        assert_eq!(IdFormat::of_texts(&["x9", "x10"]), Some(IdFormat::Prefix { prefix: "x".into(), start: 9, width: 0 }));
        assert_eq!(IdFormat::of_texts(&["x9", "y10"]), None);
        assert_eq!(IdFormat::of_texts(&["x", "y"]), None);
        assert_eq!(IdFormat::of_texts(&[&uuid(0, 1), &uuid(1, 1)]), Some(IdFormat::Uuid));
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
