//! What the columns of a table are: inferred from data, or written by hand as TOML.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::datetime;
use super::id::IdFormat;
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
    /// The same value in every row: repeated, never learned.
    Constant,
}

impl ColumnKind {
    /// Whether the column is stored as numbers ([`crate::table::Column::Number`]).
    pub fn is_number(self) -> bool {
        matches!(self, Self::Integer | Self::Continuous | Self::Datetime)
    }

    /// Whether a model learns the column and metrics judge it.
    pub fn is_modelled(self) -> bool {
        !matches!(self, Self::Id | Self::Constant)
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
            Self::Constant => "constant",
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
    /// Digits after the decimal point, for continuous columns; `None` writes the shortest text that reads back equal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decimals: Option<u8>,
    /// strftime format, for datetime columns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<String>,
    /// How names of rows are made, for id columns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<IdFormat>,
    /// The value that every row has, for constant columns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
}

impl ColumnSchema {
    /// A column with every optional field unset.
    pub fn new(name: impl Into<String>, kind: ColumnKind) -> Self {
        Self { name: name.into(), kind, decimals: None, format: None, id: None, value: None }
    }
}

/// The columns of a table, in order.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Schema {
    /// The column a predictor would be trained for, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
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

    /// Checks that names are unique and the target exists.
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
        Ok(())
    }
}

impl ColumnSchema {
    /// The distance between neighbouring values that the column can hold, if there is one.
    pub fn step(&self) -> Option<f64> {
        match (self.kind, self.decimals, &self.format) {
            (ColumnKind::Integer, ..) => Some(1.0),
            (ColumnKind::Continuous, Some(decimals), _) => Some(10f64.powi(-i32::from(decimals))),
            (ColumnKind::Datetime, _, Some(format)) if !["%H", "%I", "%T", "%R", "%s", "%c"].iter().any(|part| format.contains(part)) => {
                Some(86_400.0)
            }
            (ColumnKind::Datetime, _, Some(format)) if !format.contains('f') => Some(1.0),
            _ => None,
        }
    }

    /// The nearest value that the column can hold.
    pub fn round_number(&self, value: f64) -> f64 {
        match self.step() {
            Some(step) if self.kind != ColumnKind::Continuous => (value / step).round() * step,
            // Through text, so that 0.1 is the nearest number to 0.1.
            Some(_) => self.format_number(value).parse().unwrap_or(value),
            None => value,
        }
    }

    /// A number of this column as text; empty when it is missing. Without `decimals` the text reads back as the same number.
    pub fn format_number(&self, value: f64) -> String {
        if value.is_nan() {
            return String::new();
        }
        match (self.kind, self.decimals) {
            (ColumnKind::Integer, _) => unsigned_zero(format!("{value:.0}")),
            (ColumnKind::Datetime, _) => datetime::format(self.format.as_deref().unwrap_or(datetime::DEFAULT_FORMAT), value),
            (_, Some(decimals)) => unsigned_zero(format!("{value:.*}", usize::from(decimals))),
            // Plain digits where they are few; the exponent where there would be a row of zeros, or a whole number that reads as a code.
            _ if value == 0.0 || (1e-6..1e15).contains(&value.abs()) => format!("{value}"),
            _ => format!("{value:e}"),
        }
    }
}

impl ColumnSchema {
    /// A text as a number of this column, the inverse of [`ColumnSchema::format_number`]; `None` when it is none.
    pub fn parse_number(&self, text: &str) -> Option<f64> {
        if self.kind == ColumnKind::Datetime {
            return datetime::parse(self.format.as_deref().unwrap_or(datetime::DEFAULT_FORMAT), text.trim());
        }
        text.trim().parse().ok().filter(|value: &f64| value.is_finite())
    }
}

/// Rounding makes "-0.00" of small negative numbers, which no file holds.
fn unsigned_zero(text: String) -> String {
    match text.strip_prefix('-') {
        Some(digits) if digits.bytes().all(|byte| byte == b'0' || byte == b'.') => digits.to_owned(),
        _ => text,
    }
}
