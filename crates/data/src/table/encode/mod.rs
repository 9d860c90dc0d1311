//! The way between a table and what a network sees: every column becomes spans of scalars and one-hot blocks, kept as one integer a
//! block and one number a scalar. A table-wide one-hot matrix never exists.

pub mod modes;
mod number;

use std::collections::HashMap;
use std::sync::Arc;

use rayon::prelude::*;
use semblant_core::seeds::streams::ENCODING;
use serde::{Deserialize, Serialize};

pub use number::{Mode, NumberOptions, NumberTransform};

use super::{Column, ColumnSchema, MISSING, Schema, Table};
use crate::{Error, Result};

/// A categorical column with more values than this is written as digits of a number in base sqrt(values), each digit a block of its
/// own: 100,000 categories cost two blocks of 317, not one of 100,000.
pub const WIDEST_BLOCK: usize = 512;

/// The fitted transform of one category column.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CategoryTransform {
    /// The labels in order of falling frequency.
    pub levels: Vec<String>,
    /// Rows with each label, and last those without, if there were any.
    pub counts: Vec<u64>,
    /// The base of the digits; [`CategoryTransform::counts`]'s length when one block serves.
    pub base: usize,
}

impl CategoryTransform {
    fn fit(codes: &[u32], levels: &[String]) -> Self {
        let mut counts = vec![0u64; levels.len() + 1];
        for &code in codes {
            counts[if code == MISSING { levels.len() } else { code as usize }] += 1;
        }
        let mut order: Vec<usize> = (0..levels.len()).filter(|&code| counts[code] > 0).collect();
        order.sort_by_key(|&code| (std::cmp::Reverse(counts[code]), code));
        let mut kept: Vec<u64> = order.iter().map(|&code| counts[code]).collect();
        kept.extend(Some(counts[levels.len()]).filter(|&missing| missing > 0));
        let base = if kept.len() > WIDEST_BLOCK { (kept.len() as f64).sqrt().ceil() as usize } else { kept.len() };
        Self { levels: order.into_iter().map(|code| levels[code].clone()).collect(), counts: kept, base }
    }

    /// Whether some rows had no value.
    pub fn has_missing(&self) -> bool {
        self.counts.len() > self.levels.len()
    }

    /// Widths of the one-hot blocks: one, or the high and the low digit.
    pub fn widths(&self) -> Vec<usize> {
        if self.base == self.counts.len() { vec![self.base] } else { vec![self.counts.len().div_ceil(self.base), self.base] }
    }

    /// The value's number: its label's position, or the last one for a missing value. `None` for a label never seen.
    pub fn value(&self, label: Option<&str>) -> Option<u32> {
        match label {
            None => self.has_missing().then_some(self.levels.len() as u32),
            Some(label) => self.levels.iter().position(|level| level == label).map(|code| code as u32),
        }
    }

    /// A value's digits, one a block.
    pub fn digits(&self, value: u32) -> Vec<u32> {
        if self.base == self.counts.len() { vec![value] } else { vec![value / self.base as u32, value % self.base as u32] }
    }

    /// The value of these digits; a combination without a value becomes the last value of its high digit.
    pub fn from_digits(&self, digits: &[u32]) -> u32 {
        let value = digits.iter().fold(0, |value, &digit| value * self.base as u32 + digit);
        value.min(self.counts.len() as u32 - 1)
    }
}

/// The fitted transform of one column.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ColumnTransform {
    /// One label of several.
    Category(CategoryTransform),
    /// A number.
    Number(NumberTransform),
    /// An id or a constant: made from the schema alone.
    Unlearnt,
}

/// What a span of network outputs encodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SpanKind {
    /// One number in -1..1.
    Scalar,
    /// The modes of a number column, as a one-hot block.
    Modes,
    /// The values of a category column, or one digit of them, as a one-hot block.
    Values,
}

/// A run of neighbouring network outputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// The column it belongs to.
    pub column: usize,
    /// What it encodes.
    pub kind: SpanKind,
    /// Its first output.
    pub start: usize,
    /// How many outputs it has.
    pub width: usize,
}

impl Span {
    /// Whether this is a one-hot block.
    pub fn is_block(&self) -> bool {
        self.kind != SpanKind::Scalar
    }
}

/// The spans of a transform, in order, with no gap between them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Layout {
    /// The spans.
    pub spans: Vec<Span>,
    /// Outputs in all.
    pub width: usize,
}

impl Layout {
    fn push(&mut self, column: usize, kind: SpanKind, width: usize) {
        self.spans.push(Span { column, kind, start: self.width, width });
        self.width += width;
    }

    /// The one-hot blocks, in order.
    pub fn blocks(&self) -> impl Iterator<Item = &Span> {
        self.spans.iter().filter(|span| span.is_block())
    }

    /// The scalars, in order.
    pub fn scalars(&self) -> impl Iterator<Item = &Span> {
        self.spans.iter().filter(|span| !span.is_block())
    }
}

/// A table as networks see it: per block one code a row, per scalar one number a row.
#[derive(Debug, Clone, PartialEq)]
pub struct EncodedTable {
    /// Rows.
    pub rows: usize,
    /// The chosen position in every block, `[blocks][rows]`.
    pub codes: Vec<Vec<u32>>,
    /// The scalars, `[scalars][rows]`.
    pub scalars: Vec<Vec<f32>>,
}

/// The fitted, invertible way between tables of one schema and spans.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TableTransform {
    /// The schema of the table it was fitted on.
    pub schema: Schema,
    /// One transform a column.
    pub columns: Vec<ColumnTransform>,
}

impl TableTransform {
    /// Fits every column, in parallel.
    ///
    /// # Errors
    /// A table without rows or without a column to learn.
    pub fn fit(table: &Table, options: &NumberOptions) -> Result<Self> {
        if table.rows() == 0 {
            return Err(Error::Table("the table has no rows to learn from".into()));
        }
        if !table.schema().columns.iter().any(|column| column.kind.is_modelled()) {
            return Err(Error::Table(
                "every column is an id or a constant, so there is nothing to learn; declare another kind in the schema".into(),
            ));
        }
        let columns = (0..table.columns().len())
            .into_par_iter()
            .map(|index| fit_column(&table.schema().columns[index], &table.columns()[index], options))
            .collect();
        let mut schema = table.schema().clone();
        schema.columns.iter_mut().zip(table.columns()).for_each(|(described, column)| described.complete(column));
        Ok(Self { schema, columns })
    }

    /// Checks a transform that was read from a file, so that nothing later runs out of bounds.
    ///
    /// # Errors
    /// Names the column that does not hold together.
    pub fn check(&self) -> Result<()> {
        self.schema.check()?;
        if self.schema.columns.len() != self.columns.len() {
            return Err(Error::Table(
                "schema and transform have different numbers of columns; the file is damaged, fit the model again".into(),
            ));
        }
        for (described, column) in self.schema.columns.iter().zip(&self.columns) {
            let sound = match column {
                ColumnTransform::Unlearnt => !described.kind.is_modelled(),
                ColumnTransform::Category(category) => {
                    let values = category.counts.len();
                    !described.kind.is_number()
                        && (1..=values).contains(&category.base)
                        && (values == category.levels.len() || values == category.levels.len() + 1)
                }
                ColumnTransform::Number(number) => described.kind.is_number() && !number.modes.is_empty() && number.low <= number.high,
            };
            if !sound {
                return Err(Error::Table(format!(
                    "the transform of column \"{}\" is inconsistent; the file is damaged, fit the model again",
                    described.name
                )));
            }
        }
        Ok(())
    }

    /// The spans, in the order of the columns.
    pub fn layout(&self) -> Layout {
        let mut layout = Layout::default();
        for (index, column) in self.columns.iter().enumerate() {
            match column {
                ColumnTransform::Unlearnt => {}
                ColumnTransform::Category(category) => {
                    category.widths().into_iter().for_each(|width| layout.push(index, SpanKind::Values, width))
                }
                ColumnTransform::Number(number) => {
                    if number.has_scalar() {
                        layout.push(index, SpanKind::Scalar, 1);
                    }
                    layout.push(index, SpanKind::Modes, number.modes.len());
                }
            }
        }
        layout
    }

    /// Encodes a table of the same columns; ties between modes are broken by `seed`.
    ///
    /// # Errors
    /// A table with other columns, or with a label that was not there when the transform was fitted.
    pub fn encode(&self, table: &Table, seed: u64) -> Result<EncodedTable> {
        if !table.schema().names().eq(self.schema.names()) {
            return Err(Error::Table(format!("expected the columns {}", self.schema.names().collect::<Vec<_>>().join(", "))));
        }
        let encoded: Vec<(Vec<Vec<u32>>, Option<Vec<f32>>)> = (0..self.columns.len())
            .into_par_iter()
            .map(|index| match &self.columns[index] {
                ColumnTransform::Unlearnt => Ok((Vec::new(), None)),
                ColumnTransform::Category(category) => {
                    Ok((encode_categories(category, &table.columns()[index], &self.schema.columns[index].name)?, None))
                }
                ColumnTransform::Number(number) => {
                    let values = table.columns()[index]
                        .numbers()
                        .ok_or_else(|| Error::Table(format!("column \"{}\" does not hold numbers", self.schema.columns[index].name)))?;
                    let (modes, scalars) = number.encode(values, ENCODING.nth(seed, index as u32));
                    Ok((vec![modes], Some(scalars).filter(|_| number.has_scalar())))
                }
            })
            .collect::<Result<_>>()?;
        let mut whole = EncodedTable { rows: table.rows(), codes: Vec::new(), scalars: Vec::new() };
        for (codes, scalars) in encoded {
            whole.codes.extend(codes);
            whole.scalars.extend(scalars);
        }
        Ok(whole)
    }

    /// Turns codes `[rows, blocks]` and scalars `[rows, scalars]`, both row-major, back into a table. `first_row` and `seed` address
    /// regenerated ids.
    ///
    /// # Errors
    /// Never for codes within their blocks' widths; otherwise what [`Table::new`] refuses.
    ///
    /// # Panics
    /// When a code is not below its block's width.
    pub fn decode(&self, codes: &[u32], scalars: &[f32], row_numbers: &[u64], seed: u64) -> Result<Table> {
        let layout = self.layout();
        let (blocks, numbers) = (layout.blocks().count(), layout.scalars().count());
        let rows = row_numbers.len();
        let mut places = Vec::with_capacity(self.columns.len());
        let (mut block, mut scalar) = (0, 0);
        for column in &self.columns {
            places.push((block, scalar));
            match column {
                ColumnTransform::Unlearnt => {}
                ColumnTransform::Category(category) => block += category.widths().len(),
                ColumnTransform::Number(number) => {
                    block += 1;
                    scalar += usize::from(number.has_scalar());
                }
            }
        }
        let columns = (0..self.columns.len())
            .into_par_iter()
            .map(|index| {
                let (block, scalar) = places[index];
                match &self.columns[index] {
                    ColumnTransform::Unlearnt => regenerate(&self.schema.columns[index], row_numbers, seed),
                    ColumnTransform::Category(category) => {
                        let digits = category.widths().len();
                        decode_categories(category, (0..rows).map(|row| category.from_digits(&codes[row * blocks + block..][..digits])))
                    }
                    ColumnTransform::Number(number) => {
                        let has_scalar = number.has_scalar();
                        let scalar_of = |row: usize| if has_scalar { scalars[row * numbers + scalar] } else { 0.0 };
                        Column::Number((0..rows).map(|row| number.decode(codes[row * blocks + block], scalar_of(row))).collect())
                    }
                }
            })
            .collect();
        Table::new(self.schema.clone(), columns)
    }
}

fn fit_column(described: &ColumnSchema, column: &Column, options: &NumberOptions) -> ColumnTransform {
    if !described.kind.is_modelled() {
        return ColumnTransform::Unlearnt;
    }
    match column {
        Column::Category { codes, levels } => ColumnTransform::Category(CategoryTransform::fit(codes, levels)),
        Column::Number(values) => {
            // The steps of a zone's own time are no steps of UTC.
            let step = described.step().filter(|_| described.zone.is_none()).unwrap_or(0.0);
            let transform = NumberTransform::fit(values, step, options);
            ColumnTransform::Number(NumberTransform { origin: described.origin.filter(|_| step > 0.0).unwrap_or(0.0), ..transform })
        }
    }
}

fn encode_categories(category: &CategoryTransform, column: &Column, name: &str) -> Result<Vec<Vec<u32>>> {
    let (codes, levels) = column.categories().ok_or_else(|| Error::Table(format!("column \"{name}\" does not hold categories")))?;
    let known: HashMap<&str, u32> = category.levels.iter().map(String::as_str).zip(0..).collect();
    let translation: Vec<Option<u32>> = levels.iter().map(|level| known.get(level.as_str()).copied()).collect();
    let missing = category.value(None);
    let blocks = category.widths().len();
    let mut encoded = vec![Vec::with_capacity(codes.len()); blocks];
    for (row, &code) in codes.iter().enumerate() {
        let value = if code == MISSING { missing } else { translation[code as usize] };
        let Some(value) = value else {
            let label = column.label(row).unwrap_or("(missing)");
            return Err(Error::Table(format!("column \"{name}\", row {}: \"{label}\" was not in the training data", row + 1)));
        };
        category.digits(value).into_iter().zip(&mut encoded).for_each(|(digit, block)| block.push(digit));
    }
    Ok(encoded)
}

fn decode_categories(category: &CategoryTransform, values: impl Iterator<Item = u32>) -> Column {
    let missing = category.levels.len() as u32;
    Column::Category {
        codes: values.map(|value| if value == missing { MISSING } else { value }).collect(),
        levels: Arc::new(category.levels.clone()),
    }
}

/// An id or constant column for these rows, from the schema alone.
fn regenerate(described: &ColumnSchema, row_numbers: &[u64], seed: u64) -> Column {
    match (&described.id, &described.value) {
        (Some(format), _) => Column::from_labels(row_numbers.iter().map(|&row| Some(format.generate(row, seed)))),
        (None, Some(value)) => Column::from_labels(row_numbers.iter().map(|_| Some(value))),
        (None, None) => Column::Category { codes: vec![MISSING; row_numbers.len()], levels: Arc::new(Vec::new()) },
    }
}
