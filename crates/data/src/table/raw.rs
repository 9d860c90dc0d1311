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
/// The first style of cells that look like a mark of a missing value; the style is this and the place in [`MARKS`].
const MARK: u8 = 200;
const SHORTEST: u8 = 254;
/// Whole numbers beyond [`EXACT`] that a column of numbers remembers the texts of; with more of them it is kept as text.
const MOST_LARGE: usize = 1_000;

/// Texts that mean a missing value where the other values are numbers, dates or booleans: those of pandas, R, Excel and SQL.
pub(crate) const MARKS: [&str; 27] = [
    "?", "NA", "N/A", "n/a", "na", "#N/A", "#NA", "NaN", "nan", "-nan", "NAN", "NaT", "<NA>", "null", "Null", "NULL", "(null)", "#NULL!",
    "None", "none", "NONE", "nil", "-", "--", ".", "#DIV/0!", "#VALUE!",
];

/// The place in [`MARKS`] of a cell's text.
pub(crate) fn mark(text: &str) -> Option<u8> {
    if text.len() > 7 { None } else { MARKS.iter().position(|known| *known == text).map(|place| place as u8) }
}
const ODD: u8 = 255;

/// A cell's text as a number.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Parsed {
    Number(f64),
    /// Infinite as written, or too large for an `f64`.
    Infinite,
    /// A whole number that an `f64` would change, and what it would become.
    Large(f64),
    /// Text; among it codes such as `00123` and `+49`.
    Text,
}

/// Reads a number the way inference does.
pub(crate) fn parse_number(text: &str) -> Parsed {
    let digits = text.strip_prefix('-').unwrap_or(text).as_bytes();
    if digits.first().is_some_and(u8::is_ascii_digit) && digits.iter().all(u8::is_ascii_digit) {
        let padded = digits.len() > 1 && digits[0] == b'0';
        return match text.parse::<f64>() {
            Ok(value) if !padded && value.abs() < EXACT => Parsed::Number(value),
            Ok(value) if !padded && value.is_finite() => Parsed::Large(value),
            Ok(value) if !padded && value.is_infinite() => Parsed::Infinite,
            _ => Parsed::Text,
        };
    }
    // A plus sign before nothing but digits is that of a telephone number.
    let signed = text.strip_prefix('+').is_some_and(|rest| rest.bytes().all(|byte| byte.is_ascii_digit()));
    match text.parse::<f64>() {
        Ok(_) if signed => Parsed::Text,
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

    pub(crate) fn iter(&self) -> impl Iterator<Item = &str> + Clone {
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

    /// The mark of a missing value that stands at `row`.
    pub(crate) fn mark(&self, row: usize) -> Option<&'static str> {
        self.styles[row].checked_sub(MARK).and_then(|place| MARKS.get(usize::from(place)).copied())
    }

    /// The values that are not missing.
    pub(crate) fn present(&self) -> impl Iterator<Item = f64> + Clone + '_ {
        self.values.iter().copied().filter(|value| !value.is_nan())
    }

    /// The fewest and the most decimals that a number was written with, if every number is a short decimal.
    pub(crate) fn decimals(&self) -> Option<(u8, u8)> {
        let (mut fewest, mut most) = (u8::MAX, 0);
        let mut text = String::new();
        for (&value, &style) in self.values.iter().zip(&self.styles).filter(|(value, _)| !value.is_nan()) {
            let decimals = if usize::from(style) <= SAFE_DIGITS {
                style
            } else {
                render(value, SHORTEST, &mut text);
                plain_decimal(&text).filter(|&(_, digits)| digits <= SAFE_DIGITS)?.0
            };
            (fewest, most) = (fewest.min(decimals), most.max(decimals));
        }
        Some((fewest.min(most), most))
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
        mark if (MARK..SHORTEST).contains(&mark) => write!(text, "{}", MARKS.get(usize::from(mark - MARK)).copied().unwrap_or_default()),
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
    /// Set when the file itself says that the numbers are points in time, in seconds: their format.
    pub(crate) datetime: Option<String>,
    /// The zone that the file names for them.
    pub(crate) zone: Option<String>,
    /// The type that the file itself names.
    pub(crate) data_type: Option<String>,
    /// Whether the file has nulls of its own, so that no text means a missing value.
    pub(crate) nulls: bool,
    /// Cells without a value, those with a mark of a missing value not counted.
    pub(crate) missing: usize,
    /// Cells of a column of numbers with a mark of a missing value.
    pub(crate) marked: usize,
    /// Whole numbers that were rounded.
    pub(crate) large: usize,
    /// Values of the file that are outside of what a column holds, and are missing for that.
    pub(crate) beyond: usize,
    scratch: String,
}

impl RawColumn {
    pub(crate) fn new(name: impl Into<String>) -> Self {
        let cells = Cells::Numbers(Numbers::default());
        Self {
            name: name.into(),
            cells,
            infinite: None,
            datetime: None,
            zone: None,
            data_type: None,
            nulls: false,
            missing: 0,
            marked: 0,
            large: 0,
            beyond: 0,
            scratch: String::new(),
        }
    }

    pub(crate) fn rows(&self) -> usize {
        match &self.cells {
            Cells::Numbers(numbers) => numbers.values.len(),
            Cells::Texts { codes, .. } => codes.len(),
        }
    }

    /// The bytes of the cells so far, about.
    pub(crate) fn bytes(&self) -> u64 {
        let cells = match &self.cells {
            Cells::Numbers(numbers) => 9 * numbers.values.len() + numbers.odd.values().map(|text| text.len() + 64).sum::<usize>(),
            // The end of a text, its place in the table, and the table's own need.
            Cells::Texts { codes, texts } => 4 * codes.len() + texts.bytes.len() + 16 * texts.ends.len(),
        };
        (cells + size_of::<Self>() + self.name.len()) as u64
    }

    /// A value that the file has and that no column can hold.
    pub(crate) fn push_beyond(&mut self) {
        self.beyond += 1;
        self.push_missing();
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
        let marks = !self.nulls;
        if let Cells::Numbers(numbers) = &mut self.cells {
            let trimmed = text.trim();
            match parse_number(trimmed) {
                Parsed::Number(value) => return numbers.push(value, trimmed, &mut self.scratch),
                Parsed::Infinite => {
                    self.infinite.get_or_insert_with(|| (rows, trimmed.to_owned()));
                    return numbers.push(f64::INFINITY, trimmed, &mut self.scratch);
                }
                Parsed::Large(value) if self.large < MOST_LARGE => {
                    self.large += 1;
                    return numbers.push(value, trimmed, &mut self.scratch);
                }
                Parsed::Text if marks && let Some(place) = mark(trimmed) => {
                    self.marked += 1;
                    numbers.values.push(f64::NAN);
                    numbers.styles.push(MARK + place);
                    return;
                }
                Parsed::Large(_) | Parsed::Text => {}
            }
        }
        self.push_text(text);
    }

    /// A whole number that has no text of its own.
    pub(crate) fn push_integer(&mut self, value: i128) {
        if value.unsigned_abs() >= EXACT as u128 { self.push_cell(&value.to_string()) } else { self.push_number(value as f64) }
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
            codes.push(if value.is_nan() && numbers.mark(row).is_none() { MISSING } else { texts.code(&numbers.text(row)) });
        }
        self.cells = Cells::Texts { codes, texts };
        self.infinite = None;
        self.marked = 0;
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
        "column \"{name}\", row {}: \"{text}\" is infinite or too large; correct it, or take it for missing (--missing {text})",
        row + 1
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_gives_its_text_back() {
        let texts =
            ["1", "-2.50", "1e5", "0.1", "+3.5", "NA", ".5", "1.25e+00", "-1.5e-07", "12345678901234.56789", "5.", "1e-400", "-0.0"];
        let mut column = RawColumn::new("x");
        texts.iter().for_each(|text| column.push_cell(text));
        assert!(matches!(column.cells, Cells::Numbers(_)));
        column.push_cell("now it is text");
        let Cells::Texts { codes, texts: seen } = &column.cells else { panic!("text") };
        let back: Vec<&str> = codes.iter().map(|&code| seen.get(code)).collect();
        assert_eq!(&back[..texts.len()], texts);
        assert_eq!(column.marked, 0, "a mark among texts is a text");
    }

    #[test]
    fn codes_and_large_whole_numbers_stay_text() {
        assert_eq!(parse_number("00123"), Parsed::Text);
        assert_eq!(parse_number("+4915112345678"), Parsed::Text);
        assert_eq!(parse_number("9007199254740993"), Parsed::Large(9_007_199_254_740_992.0));
        assert_eq!(parse_number("12345678901234567890"), Parsed::Large(12_345_678_901_234_567_890.0));
        assert_eq!(parse_number("0"), Parsed::Number(0.0));
        assert_eq!(parse_number("1e999"), Parsed::Infinite);
        assert_eq!(parse_number("nan"), Parsed::Text);
    }
}
