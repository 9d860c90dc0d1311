//! One column while its file is being read: numbers as long as every cell is one, interned texts from the first cell that is not.
//!
//! What a column is gets decided at the end, so no cell may lose its text before; but keeping every text would cost several times the
//! file. A number therefore keeps its value and one byte that says how it was written, from which the text can be made again.

use std::collections::BTreeMap;
use std::hash::{BuildHasher, RandomState};

use hashbrown::HashTable;

use super::column::MISSING;

/// Below this, `f64` holds every whole number; 2^53 + 1 already reads as 2^53.
pub(crate) const EXACT: f64 = 9_007_199_254_740_992.0;

/// Digits that a decimal text may have and still be the text of one `f64` only.
const SAFE_DIGITS: usize = 15;
const EXPONENT: u8 = 100;
const SHORTEST: u8 = 254;
const ODD: u8 = 255;

/// A cell's text as a number.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Parsed {
    Number(f64),
    /// Infinite as written, or too large for an `f64`.
    Infinite,
    /// Text; among it whole numbers that an `f64` would change and codes such as `00123`.
    Text,
}

/// Reads a number the way inference does.
pub(crate) fn parse_number(text: &str) -> Parsed {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text).as_bytes();
    if digits.first().is_some_and(u8::is_ascii_digit) && digits.iter().all(u8::is_ascii_digit) {
        let padded = digits.len() > 1 && digits[0] == b'0';
        return match text.parse::<f64>() {
            Ok(value) if !padded && value.abs() < EXACT => Parsed::Number(value),
            _ => Parsed::Text,
        };
    }
    match text.parse::<f64>() {
        Ok(value) if value.is_infinite() => Parsed::Infinite,
        Ok(value) if value.is_finite() => Parsed::Number(value),
        _ => Parsed::Text,
    }
}

/// Texts, each stored once, back to back.
#[derive(Debug, Default)]
pub(crate) struct Interner {
    bytes: String,
    ends: Vec<usize>,
    table: HashTable<u32>,
    hasher: RandomState,
}

impl Interner {
    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    pub(crate) fn get(&self, code: u32) -> &str {
        text_at(&self.bytes, &self.ends, code)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &str> {
        (0..self.ends.len() as u32).map(|code| self.get(code))
    }

    pub(crate) fn code(&mut self, text: &str) -> u32 {
        let Self { bytes, ends, table, hasher } = self;
        let hash = hasher.hash_one(text);
        if let Some(&code) = table.find(hash, |&code| text_at(bytes, ends, code) == text) {
            return code;
        }
        let code = ends.len() as u32;
        bytes.push_str(text);
        ends.push(bytes.len());
        table.insert_unique(hash, code, |&code| hasher.hash_one(text_at(bytes, ends, code)));
        code
    }
}

fn text_at<'a>(bytes: &'a str, ends: &[usize], code: u32) -> &'a str {
    let code = code as usize;
    let start = if code == 0 { 0 } else { ends[code - 1] };
    &bytes[start..ends[code]]
}

/// Numbers and how each was written.
#[derive(Debug, Default)]
pub(crate) struct Numbers {
    pub(crate) values: Vec<f64>,
    styles: Vec<u8>,
    odd: BTreeMap<usize, String>,
}

impl Numbers {
    fn push(&mut self, value: f64, text: &str, scratch: &mut String) {
        let style = style(value, text, scratch);
        if style == ODD {
            self.odd.insert(self.values.len(), text.to_owned());
        }
        self.values.push(value);
        self.styles.push(style);
    }

    /// The text of the number at `row`, as it stood in the file.
    pub(crate) fn text(&self, row: usize) -> String {
        let mut text = String::new();
        match self.odd.get(&row) {
            Some(odd) => text.push_str(odd),
            None => render(self.values[row], self.styles[row], &mut text),
        }
        text
    }

    /// What tells one text from another without making it, where that is possible.
    pub(crate) fn key(&self, row: usize) -> Option<(u64, u8)> {
        (self.styles[row] != ODD).then(|| (self.values[row].to_bits(), self.styles[row]))
    }

    /// The most decimals that any number was written with, if every number is a short decimal.
    pub(crate) fn decimals(&self) -> Option<u8> {
        let mut most = 0;
        let mut text = String::new();
        for (&value, &style) in self.values.iter().zip(&self.styles).filter(|(value, _)| !value.is_nan()) {
            most = most.max(if usize::from(style) <= SAFE_DIGITS {
                style
            } else {
                render(value, SHORTEST, &mut text);
                plain_decimal(&text).filter(|&(_, digits)| digits <= SAFE_DIGITS)?.0
            });
        }
        Some(most)
    }
}

/// Decimals and significant digits of a plain decimal text such as `-12.50`.
fn plain_decimal(text: &str) -> Option<(u8, usize)> {
    let unsigned = text.strip_prefix('-').unwrap_or(text).as_bytes();
    let point = unsigned.iter().position(|&byte| byte == b'.').unwrap_or(unsigned.len());
    let (whole, fraction) = (&unsigned[..point], unsigned.get(point + 1..).unwrap_or_default());
    let plain = !whole.is_empty()
        && (whole == b"0" || whole[0] != b'0')
        && (point == unsigned.len() || !fraction.is_empty())
        && whole.iter().chain(fraction).all(u8::is_ascii_digit);
    plain.then_some((fraction.len().min(99) as u8, whole.len() + fraction.len()))
}

fn style(value: f64, text: &str, scratch: &mut String) -> u8 {
    if let Some((decimals, digits)) = plain_decimal(text)
        && digits <= SAFE_DIGITS
    {
        return decimals;
    }
    let exponent = text.find('e').map(|at| text[..at].find('.').map_or(0, |point| at - point - 1)).filter(|&decimals| decimals <= 30);
    for candidate in [Some(SHORTEST), exponent.map(|decimals| EXPONENT + decimals as u8)].into_iter().flatten() {
        render(value, candidate, scratch);
        if scratch == text {
            return candidate;
        }
    }
    ODD
}

fn render(value: f64, style: u8, text: &mut String) {
    use std::fmt::Write;
    text.clear();
    // Writing into a String cannot fail.
    let _ = match style {
        SHORTEST => write!(text, "{value}"),
        fixed if fixed < EXPONENT => write!(text, "{value:.*}", usize::from(fixed)),
        exponent => {
            // As C and NumPy write it: a sign and at least two digits after the e.
            let rust = format!("{value:.*e}", usize::from(exponent - EXPONENT));
            match rust.split_once('e') {
                Some((mantissa, power)) => {
                    let (sign, power) = power.strip_prefix('-').map_or(('+', power), |power| ('-', power));
                    write!(text, "{mantissa}e{sign}{power:0>2}")
                }
                None => write!(text, "{rust}"),
            }
        }
    };
}

/// The cells read so far.
#[derive(Debug)]
pub(crate) enum Cells {
    Numbers(Numbers),
    Texts { codes: Vec<u32>, texts: Interner },
}

/// One column of a file.
#[derive(Debug)]
pub(crate) struct RawColumn {
    pub(crate) name: String,
    pub(crate) cells: Cells,
    /// Row (from 0) and text of the first infinite number.
    pub(crate) infinite: Option<(usize, String)>,
    /// Set when the file itself says that the numbers are points in time, in seconds.
    pub(crate) datetime: Option<&'static str>,
    pub(crate) missing: usize,
    scratch: String,
}

impl RawColumn {
    pub(crate) fn new(name: impl Into<String>) -> Self {
        let cells = Cells::Numbers(Numbers::default());
        Self { name: name.into(), cells, infinite: None, datetime: None, missing: 0, scratch: String::new() }
    }

    pub(crate) fn rows(&self) -> usize {
        match &self.cells {
            Cells::Numbers(numbers) => numbers.values.len(),
            Cells::Texts { codes, .. } => codes.len(),
        }
    }

    pub(crate) fn push_missing(&mut self) {
        self.missing += 1;
        match &mut self.cells {
            Cells::Numbers(numbers) => {
                numbers.values.push(f64::NAN);
                numbers.styles.push(0);
            }
            Cells::Texts { codes, .. } => codes.push(MISSING),
        }
    }

    /// A cell of a text file.
    pub(crate) fn push_cell(&mut self, text: &str) {
        let rows = self.rows();
        if let Cells::Numbers(numbers) = &mut self.cells {
            let trimmed = text.trim();
            match parse_number(trimmed) {
                Parsed::Number(value) => return numbers.push(value, trimmed, &mut self.scratch),
                Parsed::Infinite => {
                    self.infinite.get_or_insert_with(|| (rows, trimmed.to_owned()));
                    return numbers.push(f64::INFINITY, trimmed, &mut self.scratch);
                }
                Parsed::Text => {}
            }
        }
        self.push_text(text);
    }

    /// A cell that is text whatever it looks like.
    pub(crate) fn push_text(&mut self, text: &str) {
        if let Cells::Numbers(_) = self.cells {
            self.become_text();
        }
        if let Cells::Texts { codes, texts } = &mut self.cells {
            codes.push(texts.code(text));
        }
    }

    /// A number that has no text of its own.
    pub(crate) fn push_number(&mut self, value: f64) {
        if value.is_nan() {
            return self.push_missing();
        }
        let rows = self.rows();
        match &mut self.cells {
            Cells::Numbers(numbers) => {
                if value.is_infinite() {
                    self.infinite.get_or_insert_with(|| (rows, value.to_string()));
                }
                numbers.values.push(value);
                numbers.styles.push(SHORTEST);
            }
            Cells::Texts { codes, texts } => codes.push(texts.code(&value.to_string())),
        }
    }

    /// Turns numbers back into their texts.
    pub(crate) fn become_text(&mut self) {
        let Cells::Numbers(numbers) = &self.cells else { return };
        let mut texts = Interner::default();
        let mut codes = Vec::with_capacity(numbers.values.len() + 1);
        for (row, value) in numbers.values.iter().enumerate() {
            codes.push(if value.is_nan() { MISSING } else { texts.code(&numbers.text(row)) });
        }
        self.cells = Cells::Texts { codes, texts };
        self.infinite = None;
    }
}

/// A value for a message: one line, not too long.
pub(crate) fn shorten(text: &str) -> String {
    let mut short: String = text.chars().take(40).flat_map(char::escape_debug).collect();
    if text.chars().nth(40).is_some() {
        short.push_str("...");
    }
    short
}

pub(crate) fn infinite_message(name: &str, row: usize, text: &str) -> String {
    format!(
        "column \"{name}\", row {}: \"{text}\" is infinite or too large; correct it, or mark it as missing (missing = [\"{text}\"])",
        row + 1
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_gives_its_text_back() {
        let texts = ["1", "-2.50", "1e5", "0.1", "+3", ".5", "1.25e+00", "-1.5e-07", "12345678901234.56789", "5.", "1e-400", "-0.0"];
        let mut column = RawColumn::new("x");
        texts.iter().for_each(|text| column.push_cell(text));
        assert!(matches!(column.cells, Cells::Numbers(_)));
        column.push_cell("now it is text");
        let Cells::Texts { codes, texts: seen } = &column.cells else { panic!("text") };
        let back: Vec<&str> = codes.iter().map(|&code| seen.get(code)).collect();
        assert_eq!(&back[..texts.len()], texts);
    }

    #[test]
    fn codes_and_large_whole_numbers_stay_text() {
        assert_eq!(parse_number("00123"), Parsed::Text);
        assert_eq!(parse_number("9007199254740993"), Parsed::Text);
        assert_eq!(parse_number("12345678901234567890"), Parsed::Text);
        assert_eq!(parse_number("0"), Parsed::Number(0.0));
        assert_eq!(parse_number("1e999"), Parsed::Infinite);
        assert_eq!(parse_number("nan"), Parsed::Text);
    }
}
