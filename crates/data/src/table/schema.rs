//! What the columns of a table are: inferred from data, or written by hand as TOML.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::column::Column;
use super::constraint::Constraint;
use super::datetime;
use super::id::IdFormat;
use super::style::NumberStyle;
use crate::{Error, Result};

/// What a column holds, which decides how it is stored, encoded and judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ColumnKind {
    /// One label of several.
    Categorical,
    /// One label of two.
    Boolean,
    /// Whole numbers.
    Integer,
    /// Real numbers.
    Continuous,
    /// A point in time, stored as seconds since 1970-01-01 UTC.
    Datetime,
    /// A name of the row: regenerated when sampling, never learned.
    Id,
    /// A name of something that several rows belong to, such as a customer: regenerated when sampling, with as many rows each, never learned.
    Key,
    /// The same value in every row: repeated, never learned.
    Constant,
    /// Free text: drawn by a model of text of its own, after the other columns of its row.
    Text,
}

impl ColumnKind {
    /// Whether the column is stored as numbers ([`crate::table::Column::Number`]).
    pub fn is_number(self) -> bool {
        matches!(self, Self::Integer | Self::Continuous | Self::Datetime)
    }

    /// Whether the column names rows or what they belong to.
    pub fn is_name(self) -> bool {
        matches!(self, Self::Id | Self::Key)
    }

    /// Whether a model of tables learns the column and metrics of tables judge it.
    pub fn is_modelled(self) -> bool {
        !matches!(self, Self::Id | Self::Key | Self::Constant | Self::Text)
    }
}

impl fmt::Display for ColumnKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Categorical => "categorical",
            Self::Boolean => "boolean",
            Self::Integer => "integer",
            Self::Continuous => "continuous",
            Self::Datetime => "datetime",
            Self::Id => "id",
            Self::Key => "key",
            Self::Constant => "constant",
            Self::Text => "text",
        })
    }
}

/// One column's description.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ColumnSchema {
    /// The name in the header.
    pub name: String,
    /// What it holds.
    pub kind: ColumnKind,
    /// The Arrow type of the column in Parquet files, as Arrow writes it: `Int8`, `Decimal128(12, 2)`, `Timestamp(ms, "Europe/Berlin")`, or `Uuid`.
    /// Without it the kind decides.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    pub data_type: Option<String>,
    /// Digits after the decimal point, for numbers; `None` writes the shortest text that reads back equal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decimals: Option<u8>,
    /// The step between values, for numbers, or seconds for datetimes; without it `decimals`, `format` or the kind decide.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<f64>,
    /// A value that the steps start from; 0 without it. For datetimes seconds since 1970-01-01 of the column's own zone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<f64>,
    /// How numbers are written in text files; without it as a program writes them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub style: Option<NumberStyle>,
    /// strftime format, for datetime columns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<String>,
    /// The zone of a datetime column whose values are instants: a name such as `Europe/Berlin`, or an offset such as `+02:00`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
    /// How names are made, for id and key columns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<IdFormat>,
    /// The column of another table whose ids a key column holds, as `table.column`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub references: Option<String>,
    /// The value that every row has, for constant columns; a constant column without a value is empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// Texts that mean a missing value in this column, beside the empty cell; the first one is written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missing: Option<Vec<String>>,
    /// Texts that stand for no number or time but are kept, such as `9999-12-31` for an open end. Models see them as missing values.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub special: Vec<String>,
    /// Whether rare labels and extreme numbers of this column are replaced before a model learns them; `true` without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protect: Option<bool>,
    /// Whether an evaluation tries to infer this column from the others, as an attacker would; without any such column it tries each.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub secret: bool,
    /// Whether an evaluation compares the groups of this column one by one, such as women and men.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub protected: bool,
}

impl ColumnSchema {
    /// Checks what is computed with, whichever file it comes from.
    fn check(&self) -> Result<()> {
        let named = |why: String| Error::Table(format!("column \"{}\": {why}", self.name));
        self.id.as_ref().map_or(Ok(()), |id| id.check()).map_err(named)?;
        if self.step.is_some_and(|step| !(step.is_finite() && step > 0.0)) {
            return Err(named("its step must be a number above 0".into()));
        }
        Ok(())
    }

    /// A column with every optional field unset.
    pub fn new(name: impl Into<String>, kind: ColumnKind) -> Self {
        Self {
            name: name.into(),
            kind,
            data_type: None,
            decimals: None,
            step: None,
            origin: None,
            style: None,
            format: None,
            zone: None,
            id: None,
            references: None,
            value: None,
            missing: None,
            special: Vec::new(),
            protect: None,
            secret: false,
            protected: false,
        }
    }
}

impl ColumnSchema {
    /// Fills in what a table that was not read from a file may leave open, and sampling needs: how ids are made, and which value a constant has.
    pub fn complete(&mut self, column: &Column) {
        match self.kind {
            kind if kind.is_name() && self.id.is_none() => self.id = Some(IdFormat::of_column(&self.name, column)),
            ColumnKind::Constant if self.value.is_none() => {
                self.value = (0..column.len()).find_map(|row| column.label(row)).map(str::to_owned);
            }
            _ => {}
        }
    }
}

/// What is replaced in a table before any model learns it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Protect {
    /// Labels of fewer rows than this are not learned, nor is how far fewer rows than this lie beyond the others; 0 protects nothing.
    pub rare: u64,
}

impl Default for Protect {
    fn default() -> Self {
        Self { rare: 5 }
    }
}

fn is_default(protect: &Protect) -> bool {
    *protect == Protect::default()
}

/// The columns of a table, in order.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Schema {
    /// The column a predictor would be trained for, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// What separates the cells of a text file, if not what its extension says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delimiter: Option<char>,
    /// Texts that mean a missing value in every column, beside the empty cell. Without it the usual ones (`NA`, `NaN`, `null`, `-`) do in columns
    /// whose other values are numbers, dates or booleans.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missing: Option<Vec<String>>,
    /// What is replaced before a model learns the table.
    #[serde(default, skip_serializing_if = "is_default")]
    pub protect: Protect,
    /// What holds in every row.
    #[serde(default, rename = "constraint", skip_serializing_if = "Vec::is_empty")]
    pub constraints: Vec<Constraint>,
    /// One entry per column.
    #[serde(default)]
    pub columns: Vec<ColumnSchema>,
}

impl Schema {
    /// The column names, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.columns.iter().map(|column| column.name.as_str())
    }

    /// The position of the column called `name`.
    ///
    /// # Errors
    /// [`Error::UnknownColumn`], which lists the names there are.
    pub fn index_of(&self, name: &str) -> Result<usize> {
        self.names()
            .position(|known| known == name)
            .ok_or_else(|| Error::UnknownColumn { name: name.to_owned(), known: self.names().collect::<Vec<_>>().join(", ") })
    }

    /// Checks that names are unique, that the target exists, and that ids and steps can be computed with.
    ///
    /// # Errors
    /// Names the offending column.
    pub fn check(&self) -> Result<()> {
        let mut seen = std::collections::HashSet::new();
        if let Some(twice) = self.names().find(|&name| !seen.insert(name)) {
            return Err(Error::Table(format!("column \"{twice}\" occurs twice in the schema; rename one of them")));
        }
        if let Some(target) = &self.target {
            self.index_of(target)?;
        }
        self.columns.iter().try_for_each(ColumnSchema::check)
    }
}

impl ColumnSchema {
    /// The distance between neighbouring values that the column can hold, if there is one.
    pub fn step(&self) -> Option<f64> {
        if self.step.is_some() {
            return self.step;
        }
        match (self.kind, self.decimals, &self.format) {
            (ColumnKind::Integer, ..) => Some(1.0),
            (ColumnKind::Continuous, Some(decimals), _) => Some(10f64.powi(-i32::from(decimals))),
            (ColumnKind::Datetime, _, Some(format)) => datetime::format_step(format),
            _ => None,
        }
    }

    /// The nearest value that the column can hold.
    pub fn round_number(&self, value: f64) -> f64 {
        let Some(step) = self.step().filter(|_| value.is_finite()) else { return value };
        let origin = self.origin.unwrap_or(0.0);
        let nearest = |value: f64| ((value - origin) / step).round() * step + origin;
        match (self.kind, &self.zone) {
            // Midnight is that of the column's own zone.
            (ColumnKind::Datetime, Some(zone)) => datetime::to_utc(zone, nearest(datetime::to_local(Some(zone), value))),
            (ColumnKind::Continuous, _) => {
                let value = if self.step.is_some() { nearest(value) } else { value };
                // Through text, so that 0.1 is the nearest number to 0.1.
                self.decimals.map_or(value, |decimals| match is_rounded(value, decimals) {
                    true => value,
                    false => format!("{value:.*}", usize::from(decimals)).parse().unwrap_or(value),
                })
            }
            _ => nearest(value),
        }
    }

    /// A number of this column as text; the text of a missing value, or that of a special one, when it is none. Without `decimals` the text
    /// reads back as the same number.
    pub fn format_number(&self, value: f64) -> String {
        if value.is_nan() {
            return self.special_text(value).unwrap_or_else(|| self.missing_text()).to_owned();
        }
        if self.kind == ColumnKind::Datetime {
            return datetime::format(self.format.as_deref().unwrap_or(datetime::DEFAULT_FORMAT), self.zone.as_deref(), value);
        }
        let bare = self.bare_number(value);
        match &self.style {
            Some(style) => style.dress(&bare),
            None => bare,
        }
    }

    fn bare_number(&self, value: f64) -> String {
        match (self.kind, self.decimals) {
            (ColumnKind::Integer, decimals) => unsigned_zero(format!("{value:.*}", usize::from(decimals.unwrap_or(0)))),
            (_, Some(decimals)) => {
                let text = unsigned_zero(format!("{value:.*}", usize::from(decimals)));
                match self.style.as_ref().and_then(|style| style.min_decimals).filter(|least| *least < decimals) {
                    Some(least) => trimmed(&text, usize::from(least)),
                    None => text,
                }
            }
            // Plain digits where they are few; the exponent where there would be a row of zeros, or a whole number that reads as a code.
            _ if value == 0.0 || (1e-6..1e15).contains(&value.abs()) => format!("{value}"),
            _ if self.style.as_ref().is_some_and(|style| !style.is_plain()) => format!("{value}"),
            _ => format!("{value:e}"),
        }
    }

    /// A text as a number of this column, the inverse of [`ColumnSchema::format_number`]; `None` when it is none.
    pub fn parse_number(&self, text: &str) -> Option<f64> {
        let text = text.trim();
        if let Some(special) = self.special.iter().position(|known| known == text) {
            return Some(special_number(special));
        }
        if self.kind == ColumnKind::Datetime {
            return datetime::parse(self.format.as_deref().unwrap_or(datetime::DEFAULT_FORMAT), self.zone.as_deref(), text);
        }
        let plain = || text.parse().ok().filter(|value: &f64| value.is_finite());
        match &self.style {
            Some(style) if !style.is_plain() => style.bare(text).and_then(|bare| bare.parse().ok()).or_else(plain),
            _ => plain(),
        }
    }

    /// The text of a missing value.
    pub fn missing_text(&self) -> &str {
        self.missing.as_ref().and_then(|texts| texts.first()).map_or("", String::as_str)
    }

    /// The special text that a NaN of this column stands for, if it is not a missing value.
    pub fn special_text(&self, value: f64) -> Option<&str> {
        special_index(value).and_then(|index| self.special.get(index)).map(String::as_str)
    }
}

/// Whether a number is the nearest one to a text of so many decimals: the quotient of two whole numbers that are exact is.
fn is_rounded(value: f64, decimals: u8) -> bool {
    let scale = 10f64.powi(i32::from(decimals));
    let whole = (value * scale).round();
    decimals <= 22 && whole.abs() < 9e15 && whole / scale == value
}

/// The bits of a NaN that stands for a missing value and, in the lowest ones, for a special text.
const SPECIAL: u64 = 0x7ff8_0000_0000_0000;

/// The NaN that stands for the special text at `index`.
pub fn special_number(index: usize) -> f64 {
    f64::from_bits(SPECIAL + (index as u64 + 1).min(0xffff))
}

/// The index that no special text has: that of texts which have no form in their column.
const UNREAD: usize = 0xfffe;

/// The NaN that stands for a text which is neither a value of its column nor a missing one, where another table is made comparable.
pub fn unread_number() -> f64 {
    special_number(UNREAD)
}

/// Whether a number stands for such a text.
pub fn is_unread(value: f64) -> bool {
    special_index(value) == Some(UNREAD)
}

/// The special text that a number stands for.
pub fn special_index(value: f64) -> Option<usize> {
    value.is_nan().then(|| (value.to_bits() & 0xffff) as usize).filter(|&code| code > 0).map(|code| code - 1)
}

/// Without zeros at the end, but for `least` decimals.
fn trimmed(text: &str, least: usize) -> String {
    let Some(point) = text.find('.') else { return text.to_owned() };
    let kept = text.trim_end_matches('0').len().max(point + 1 + least);
    let kept = if kept == point + 1 { point } else { kept };
    text[..kept].to_owned()
}

/// Rounding makes "-0.00" of small negative numbers, which no file holds.
fn unsigned_zero(text: String) -> String {
    match text.strip_prefix('-') {
        Some(digits) if digits.bytes().all(|byte| byte == b'0' || byte == b'.') => digits.to_owned(),
        _ => text,
    }
}
