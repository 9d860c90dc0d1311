//! A spec as it stands in a file: tables with declared columns. [`crate::Plan`] checks it and makes rows.

mod draw;
mod history;
mod term;

use std::path::Path;

use schemars::JsonSchema;
use semblant_core::memory;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Place, Result};
use crate::source;
pub use crate::source::At;
pub use draw::{Calendar, Draw, Part};
pub use history::{Anomaly, AnomalyKind, Chaos, Machine, NextBy, Season, Series, Shifts, Signal, State, Transition};
pub use term::{Children, Names, Next, Scalar, Term, Weighted};

/// A spec: tables from declared logic.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// What it describes, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub about: Option<String>,
    /// The locale of names, addresses and companies: `en`, `de`, `fr`, `it`, `nl`, `pt_br`, `pt_pt`, `tr`, `ja`, `zh_cn`, `zh_tw`, `ar`, `cy`, `fa`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub locale: Option<At<String>>,
    /// Dates that calendars skip, in each column that has `business_days`: `["2024-12-25"]`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub holidays: Vec<At<String>>,
    /// The tables.
    #[serde(default, rename = "table")]
    pub tables: Vec<TableSpec>,
}

/// A table.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TableSpec {
    /// Its name, which is that of its file.
    pub name: At<String>,
    /// What it holds, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub about: Option<String>,
    /// How many rows it has, unless it has rows for each row of another table.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows: Option<At<u64>>,
    /// The table that has `children` rows here for each of its rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per: Option<At<String>>,
    /// How many rows there are for each row of `per`: a number, an expression over its columns, or a distribution; 1 without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub children: Option<At<Children>>,
    /// The column or columns that name a row.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<Names>,
    /// Rows of other tables that a row here belongs to, beside that of `per`.
    #[serde(default, rename = "reference", skip_serializing_if = "Vec::is_empty")]
    pub references: Vec<Reference>,
    /// The columns, in the order in which they are written.
    #[serde(default, rename = "column")]
    pub columns: Vec<ColumnSpec>,
    /// What holds in every row.
    #[serde(default, rename = "constraint", skip_serializing_if = "Vec::is_empty")]
    pub constraints: Vec<Check>,
    /// Rank correlations of columns.
    #[serde(default, rename = "correlation", skip_serializing_if = "Vec::is_empty")]
    pub correlations: Vec<Correlation>,
    /// Columns drawn from fitted models.
    #[serde(default, rename = "learned", skip_serializing_if = "Vec::is_empty")]
    pub learned: Vec<Learned>,
    /// Rows that are the events of a state machine, which runs for each row of `per`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub machine: Option<Machine>,
    /// Rows that are the steps of a regular series, one for each row of `per`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub series: Option<Series>,
    /// What is spoilt afterwards, in this order; a table `NAME_chaos` says what was.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub chaos: Vec<At<Chaos>>,
}

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ColumnType {
    /// Whole numbers; others are rounded.
    Integer,
    /// Real numbers.
    Number,
    /// Texts.
    Text,
    /// True or false.
    Boolean,
    /// Days.
    Date,
    /// Days with a time of day.
    Datetime,
}

/// A column.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ColumnSpec {
    /// Its name.
    pub name: At<String>,
    /// What it means, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub about: Option<String>,
    /// Its type; without it that of what makes it.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    pub data_type: Option<At<ColumnType>>,
    /// What it is drawn from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub draw: Option<At<Draw>>,
    /// What it is computed from, in SQL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expression: Option<At<String>>,
    /// The value of every row.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<Term>,
    /// Branches: the first whose condition holds makes the value.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub case: Vec<Branch>,
    /// Draws each value once, by a permutation of the rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unique: Option<At<bool>>,
    /// The probability that the value is missing, or a condition under which it is; it may name the column itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missing: Option<Term>,
    /// Whether the column is computed but not written.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub hidden: bool,
    /// Digits after the decimal point.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decimals: Option<At<u8>>,
    /// The nearest multiple of this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<At<f64>>,
    /// The least and the greatest value: what lies beyond is moved there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clip: Option<At<[Term; 2]>>,
    /// The least and the greatest value of a distribution, which has nothing beyond.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub truncate: Option<At<[Term; 2]>>,
    /// The strftime format of a date or time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<At<String>>,
    /// The locale of names in this column.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub locale: Option<At<String>>,
}

/// A branch of `case`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Branch {
    /// The condition; a branch without one is the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<At<String>>,
    /// What the value is drawn from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub draw: Option<At<Draw>>,
    /// What it is computed from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expression: Option<At<String>>,
    /// The value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<Term>,
}

/// A row of another table, or an earlier row of the same one, that a row belongs to. Expressions name its columns as `name.column`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Reference {
    /// The name by which expressions know it.
    pub name: At<String>,
    /// The table.
    pub table: At<String>,
    /// Which row: any with equal chances, or the first ones more often.
    #[serde(default)]
    pub pick: Pick,
    /// Whether rows are picked as often as their chances say, to the next whole number, and not as it happens.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub stratified: bool,
    /// Whether the rows of one parent never pick the same row.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub distinct: Option<At<bool>>,
    /// The probability that there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missing: Option<Term>,
}

/// Which row a reference picks.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Pick {
    /// Any, with equal chances.
    #[default]
    Uniform,
    /// Row k with a chance that falls as k^-exponent, in an order of the rows that is a permutation of them.
    Zipf {
        /// The exponent, above 0.
        exponent: At<f64>,
    },
    /// Parts of the rows, of equal size, by how often each is picked: `[8, 1, 1]`. The rows come in an order that is a permutation of them.
    Shares(At<Vec<f64>>),
}

/// What holds in every row.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Check {
    /// A condition in SQL that is never false.
    pub check: At<String>,
    /// How often a row is drawn until it holds; 100 without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempts: Option<At<u32>>,
}

/// Rank correlations of columns that are drawn from distributions, by a Gaussian copula.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Correlation {
    /// The columns.
    pub columns: Names,
    /// Spearman's rank correlation of each two of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rank: Option<At<f64>>,
    /// The rank correlations of all of them, row by row.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub matrix: Option<At<Vec<Vec<f64>>>>,
    /// Whether the nearest possible correlations are taken where those that are asked for cannot all hold.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub nearest: bool,
}

/// Columns that a fitted table model draws given others.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Learned {
    /// The file of the model, relative to the spec.
    pub model: At<String>,
    /// The columns that it draws; without them all of the model that the table does not declare.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub columns: Option<Names>,
    /// The columns of rules that it is given; without them none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub given: Option<Names>,
}

impl Spec {
    /// Reads a `.toml` or `.yaml` file.
    ///
    /// # Errors
    /// A file that cannot be read, a device, or what is no spec: file, line, column and the remedy.
    pub fn read(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let text = memory::read_text(path).map_err(|error| {
            let what = match error {
                semblant_core::Error::Io { source, .. } => source.to_string(),
                other => other.to_string(),
            };
            Error::new(path, Place::default(), what)
        })?;
        Self::parse(path, &text)
    }

    /// Reads a text; `path` names it in errors, its extension is that of the format, and files of the spec lie in its folder.
    ///
    /// # Errors
    /// As [`Spec::read`].
    pub fn parse(path: impl AsRef<Path>, text: &str) -> Result<Self> {
        source::read(path.as_ref(), text)
    }

    /// The JSON Schema of specs, by which editors complete and check them.
    pub fn json_schema() -> serde_json::Value {
        let mut schema = schemars::schema_for!(Self).to_value();
        schema["title"] = "Semblant rules".into();
        schema
    }
}
