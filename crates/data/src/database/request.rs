//! Requests for samples of databases.

use std::ops::Range;

use semblant_core::data::Request;

/// What to sample from a model of databases. A database of (model, request, seed) is always the same; its parts depend on each other, so that it is made as
/// a whole.
///
/// ```
/// use semblant_data::database::DatabaseRequest;
///
/// let request = DatabaseRequest::new(1000, 7).with_size("products", 77).with("customers", "country = 'Norway'");
/// assert_eq!(request.sizes, [("products".to_owned(), 77)]);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct DatabaseRequest {
    /// The rows of the table that the rows of the largest one come by; other tables that come by none grow in proportion.
    pub rows: Range<u64>,
    /// The seed.
    pub seed: u64,
    /// Rows of tables that come by none, by their names.
    pub sizes: Vec<(String, u64)>,
    /// Conditions as SQL expressions, by the table whose rows meet them: one whose rows come by no others.
    pub expressions: Vec<(String, String)>,
    /// The format of the tables' files, as an extension: `csv`, `tsv`, `jsonl`, `parquet`, `sql`.
    pub format: String,
}

impl DatabaseRequest {
    /// So many rows of the main table, everything else as the model learned it.
    pub fn new(rows: u64, seed: u64) -> Self {
        Self { rows: 0..rows, seed, sizes: Vec::new(), expressions: Vec::new(), format: "csv".into() }
    }

    /// The same with a number of rows for a further table that comes by none.
    pub fn with_size(mut self, table: impl Into<String>, rows: u64) -> Self {
        self.sizes.push((table.into(), rows));
        self
    }

    /// The same with a condition, an SQL expression, that the rows of a table meet.
    pub fn with(mut self, table: impl Into<String>, condition: impl Into<String>) -> Self {
        self.expressions.push((table.into(), condition.into()));
        self
    }
}

impl Request for DatabaseRequest {
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
        usize::MAX
    }

    fn divisible(&self) -> bool {
        false
    }
}
