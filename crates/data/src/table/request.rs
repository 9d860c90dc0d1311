//! Requests for samples of rows.

use std::ops::Range;
use std::sync::Arc;

use semblant_core::data::Request;
use serde::{Deserialize, Serialize};

use super::Table;

/// A condition on one column, which every sampled row meets.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Condition {
    /// The column's name.
    pub column: String,
    /// What its value must be.
    pub wanted: Wanted,
}

/// The values that a [`Condition`] allows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Wanted {
    /// Exactly this: a label, or a number as text; the empty text means a missing value.
    Is(String),
    /// A number from `low` to `high`, both allowed.
    Between {
        /// The least value.
        low: f64,
        /// The greatest value.
        high: f64,
    },
}

impl Condition {
    /// The column has this value; the empty text means a missing value.
    pub fn is(column: impl Into<String>, value: impl Into<String>) -> Self {
        Self { column: column.into(), wanted: Wanted::Is(value.into()) }
    }

    /// The column's number lies from `low` to `high`, both allowed.
    pub fn between(column: impl Into<String>, low: f64, high: f64) -> Self {
        Self { column: column.into(), wanted: Wanted::Between { low, high } }
    }
}

/// What to sample from a table model. Row `i` of (model, seed, conditions) is the same whatever the range or batch.
///
/// ```
/// use semblant_data::table::TableRequest;
///
/// let request = TableRequest::new(1000, 7).with("income", ">50K").with_between("age", 30.0, 40.0);
/// assert_eq!(request.conditions.len(), 2);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct TableRequest {
    /// The rows to make, as positions in the endless table of this seed.
    pub rows: Range<u64>,
    /// The seed.
    pub seed: u64,
    /// Conditions that every row meets.
    pub conditions: Vec<Condition>,
    /// Conditions as SQL expressions, which every row meets: `age between 30 and 40 or income = '>50K'`.
    pub expressions: Vec<String>,
    /// A categorical column whose values all come equally often.
    pub balance: Option<String>,
    /// A categorical column with target shares of its values, which need not add up to 1.
    pub distribution: Option<(String, Vec<(String, f64)>)>,
    /// Rows that are given in part: row `i` has the cells of row `i` modulo their number; empty cells are drawn.
    pub given: Option<Arc<Table>>,
    /// Columns that are drawn anew where rows are given.
    pub redraw: Vec<String>,
    /// Whether labels that a spreadsheet would take for formulas are escaped where the rows are written to a file.
    pub escape_formulas: bool,
    /// Rows computed at once: changes memory and speed, never the result.
    pub batch_rows: usize,
}

impl TableRequest {
    /// Rows `0..rows` of `seed`, without conditions.
    pub fn new(rows: u64, seed: u64) -> Self {
        Self {
            rows: 0..rows,
            seed,
            conditions: Vec::new(),
            expressions: Vec::new(),
            balance: None,
            distribution: None,
            given: None,
            redraw: Vec::new(),
            escape_formulas: false,
            batch_rows: 4096,
        }
    }

    /// The same with one more condition: `column` has this value.
    pub fn with(mut self, column: impl Into<String>, value: impl Into<String>) -> Self {
        self.conditions.push(Condition::is(column, value));
        self
    }

    /// The same with one more condition: the number of `column` lies from `low` to `high`.
    pub fn with_between(mut self, column: impl Into<String>, low: f64, high: f64) -> Self {
        self.conditions.push(Condition::between(column, low, high));
        self
    }

    /// The same with one more condition, an SQL expression.
    pub fn with_expression(mut self, condition: impl Into<String>) -> Self {
        self.expressions.push(condition.into());
        self
    }

    /// The same with a categorical column whose values all come equally often.
    pub fn balanced(mut self, column: impl Into<String>) -> Self {
        self.balance = Some(column.into());
        self
    }

    /// The same with target shares of a categorical column's values; they need not add up to 1.
    pub fn with_distribution<S: Into<String>>(mut self, column: impl Into<String>, shares: impl IntoIterator<Item = (S, f64)>) -> Self {
        self.distribution = Some((column.into(), shares.into_iter().map(|(label, share)| (label.into(), share)).collect()));
        self
    }

    /// The same with rows that are given in part, each of which is completed `draws` times.
    pub fn with_given(mut self, given: Table, draws: u64) -> Self {
        self.rows = 0..given.rows() as u64 * draws;
        self.given = Some(Arc::new(given));
        self
    }

    /// Whether rows are asked to be something.
    pub fn is_conditional(&self) -> bool {
        !self.conditions.is_empty()
            || !self.expressions.is_empty()
            || self.balance.is_some()
            || self.distribution.is_some()
            || self.given.is_some()
    }
}

impl Request for TableRequest {
    fn new(count: u64, seed: u64) -> Self {
        Self::new(count, seed)
    }

    fn rows(&self) -> Range<u64> {
        self.rows.clone()
    }

    fn with_rows(self, rows: Range<u64>) -> Self {
        Self { rows, ..self }
    }

    fn batch_rows(&self) -> usize {
        self.batch_rows
    }
}
