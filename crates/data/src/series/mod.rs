//! Series: sequences of rows in time, of one or many entities.
//!
//! ```
//! use semblant_data::series::Series;
//! use semblant_data::table::{Column, ColumnKind, Table};
//!
//! # fn main() -> Result<(), semblant_data::Error> {
//! let hours = (0..100).map(f64::from);
//! let rows = Table::from_columns(vec![("load", ColumnKind::Continuous, Column::Number(hours.map(|hour| (hour / 4.0).sin()).collect()))])?;
//! let windows = Series::of_table(rows).windows(24, 1)?;
//! assert_eq!(windows.count(), 77);
//! assert_eq!(windows.length(76), 24);
//! # Ok(())
//! # }
//! ```

mod folder;
mod grouping;
mod kind;
mod request;
mod wide;

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use semblant_core::memory::Memory;
use serde::{Deserialize, Serialize};

pub use folder::FolderWriter;
pub use grouping::{SeriesOptions, WideOption};
pub use kind::SeriesWriter;
pub use request::SeriesRequest;
pub use wide::Wide;

use crate::table::{Column, ColumnKind, ColumnSchema, IdFormat, Table};
use crate::{Error, Result};

/// The column that numbers windows in files of this kind.
pub const WINDOW: &str = "window";
/// The column that numbers the rows of a window.
pub const STEP: &str = "step";
/// The column that numbers sequences which have no names, where a file is written.
pub const SEQUENCE: &str = "sequence";

/// Sequences of rows in time.
///
/// All rows lie in one table, a sequence is a range of them; ranges may overlap, so that windows take no memory.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    rows: Arc<Table>,
    times: Option<Arc<Vec<f64>>>,
    spans: Vec<Range<usize>>,
    entities: Option<Table>,
    layout: Arc<Layout>,
}

/// What a file of series looks like, apart from the columns that change in time.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Layout {
    /// The column that names the sequence of a row; the first of the entities' table.
    pub entity: Option<String>,
    /// How time is told.
    pub clock: Clock,
    /// All columns in the order of the file; of a wide one those of its long form.
    pub order: Vec<String>,
    /// Which way the file lies, where it has a row or a column for each sequence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wide: Option<Wide>,
    /// The extension of the files, where each sequence has one of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub files: Option<String>,
}

impl Layout {
    /// The columns that belong to whole sequences: those that neither change in time nor name the sequence or tell the time.
    pub fn attributes(&self, varying: &[String]) -> Vec<String> {
        let time = self.clock.column().map(|column| &column.name);
        let is_one = |name: &&String| !varying.contains(name) && Some(*name) != self.entity.as_ref() && Some(*name) != time;
        self.order.iter().filter(is_one).cloned().collect()
    }
}

/// How the rows of a sequence tell their time.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Clock {
    /// By their order alone.
    #[default]
    Order,
    /// Row `i` of every sequence has the time `first + step * i`.
    Regular {
        /// The column of the time.
        column: ColumnSchema,
        /// The time of the first row.
        first: f64,
        /// The time between two rows.
        step: f64,
    },
    /// Every row has a time of its own.
    Times(ColumnSchema),
}

impl Clock {
    /// The column of the time.
    pub fn column(&self) -> Option<&ColumnSchema> {
        match self {
            Self::Order => None,
            Self::Regular { column, .. } | Self::Times(column) => Some(column),
        }
    }
}

/// Regular sequences as numbers: every sequence has as many rows, and every column is a number.
#[derive(Debug, Clone, PartialEq)]
pub struct Windows {
    /// `[count, length, channels]` row-major.
    pub values: Vec<f64>,
    /// The number of sequences.
    pub count: usize,
    /// Rows of a sequence.
    pub length: usize,
    /// Columns of a row.
    pub channels: usize,
}

impl Windows {
    /// The numbers of one sequence, `[length, channels]`.
    pub fn of(&self, index: usize) -> &[f64] {
        let size = self.length * self.channels;
        &self.values[index * size..(index + 1) * size]
    }

    /// The sequences at `indices`.
    pub fn select(&self, indices: impl IntoIterator<Item = usize>) -> Self {
        let mut values = Vec::new();
        indices.into_iter().for_each(|index| values.extend_from_slice(self.of(index)));
        let count = values.len() / (self.length * self.channels);
        Self { values, count, ..*self }
    }
}

impl Series {
    /// One sequence of all rows of a table, in their order.
    pub fn of_table(rows: Table) -> Self {
        let order = rows.schema().names().map(str::to_owned).collect();
        let spans = vec![0..rows.rows()];
        Self { rows: Arc::new(rows), times: None, spans, entities: None, layout: Arc::new(Layout { order, ..Layout::default() }) }
    }

    /// Joins the parts of series: rows, their times where the clock of the layout has no rule, the range of each sequence, and a row of names and
    /// attributes for each.
    ///
    /// # Errors
    /// Parts that do not fit each other.
    pub fn new(rows: Table, times: Option<Vec<f64>>, spans: Vec<Range<usize>>, entities: Option<Table>, layout: Layout) -> Result<Self> {
        let wrong = |what: &str| Err(Error::Table(format!("these are no series: {what}")));
        if spans.iter().any(|span| span.start >= span.end || span.end > rows.rows()) {
            return wrong("a sequence has no rows, or rows that are not there");
        }
        if entities.as_ref().is_some_and(|entities| entities.rows() != spans.len()) {
            return wrong("names and attributes are not those of the sequences");
        }
        if matches!(layout.clock, Clock::Times(_)) != times.is_some() || times.as_ref().is_some_and(|times| times.len() != rows.rows()) {
            return wrong("times are not those of the rows");
        }
        Ok(Self { rows: Arc::new(rows), times: times.map(Arc::new), spans, entities, layout: Arc::new(layout) })
    }

    /// What is recorded in time: the rows of all sequences, without names, times and attributes. Sequences may share rows.
    pub fn rows(&self) -> &Table {
        &self.rows
    }

    /// The times of the rows, where each has its own.
    pub fn times(&self) -> Option<&[f64]> {
        self.times.as_deref().map(Vec::as_slice)
    }

    /// The times of the rows of one sequence; their numbers from 0 where there are none.
    ///
    /// # Panics
    /// When there is no such sequence.
    pub fn times_of(&self, sequence: usize) -> Vec<f64> {
        let span = self.spans[sequence].clone();
        match (&self.layout.clock, &self.times) {
            (Clock::Regular { first, step, .. }, _) => (0..span.len()).map(|place| first + step * place as f64).collect(),
            (_, Some(times)) => times[span].to_vec(),
            _ => (0..span.len()).map(|place| place as f64).collect(),
        }
    }

    /// The same sequences with other rows, as many and in the same order.
    ///
    /// # Errors
    /// Another number of rows.
    pub fn with_rows(&self, rows: Table) -> Result<Self> {
        if rows.rows() != self.rows.rows() {
            return Err(Error::Table(format!("{} rows cannot take the place of {}", rows.rows(), self.rows.rows())));
        }
        Ok(Self { rows: Arc::new(rows), ..self.clone() })
    }

    /// The same sequences with other attributes, a row for each in the same order.
    ///
    /// # Errors
    /// Another number of rows.
    pub fn with_entities(&self, entities: Table) -> Result<Self> {
        if entities.rows() != self.count() {
            return Err(Error::Table(format!("{} rows of attributes for {} sequences", entities.rows(), self.count())));
        }
        Ok(Self { entities: Some(entities), ..self.clone() })
    }

    /// The same sequences, to be written in the form of another file: wide, or a file for each.
    pub fn in_form_of(&self, layout: &Layout) -> Self {
        let own = Layout { wide: layout.wide.clone(), files: layout.files.clone(), ..self.layout.as_ref().clone() };
        Self { layout: Arc::new(own), ..self.clone() }
    }

    /// The ranges of rows of the sequences.
    pub fn spans(&self) -> &[Range<usize>] {
        &self.spans
    }

    /// Names and attributes of the sequences, one row each.
    pub fn entities(&self) -> Option<&Table> {
        self.entities.as_ref()
    }

    /// What a file of these series looks like.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// The number of sequences.
    pub fn count(&self) -> usize {
        self.spans.len()
    }

    /// The number of rows of sequence `index`.
    ///
    /// # Panics
    /// When there is no such sequence.
    pub fn length(&self, index: usize) -> usize {
        self.spans[index].len()
    }

    /// The numbers of rows of all sequences.
    pub fn lengths(&self) -> impl Iterator<Item = usize> + '_ {
        self.spans.iter().map(ExactSizeIterator::len)
    }

    /// The number of rows of the longest sequence; 0 where there is none.
    pub fn longest(&self) -> usize {
        self.lengths().max().unwrap_or(0)
    }

    /// The length that all sequences have, if they have one.
    pub fn common_length(&self) -> Option<usize> {
        let first = self.lengths().next()?;
        self.lengths().all(|length| length == first).then_some(first)
    }

    /// All windows of `length` successive rows of one sequence, the first of each sequence at its first row and the next ones `stride` rows later. Windows
    /// have the attributes of their sequence, unless a value is that of fewer than five sequences, which several windows would make look frequent. Times and
    /// names are left out: rows of a window are numbered from 0.
    ///
    /// # Errors
    /// No sequence is that long, or a length or stride of 0.
    pub fn windows(&self, length: usize, stride: usize) -> Result<Self> {
        if length == 0 || stride == 0 {
            return Err(Error::Table(format!("--window {length} --stride {stride}: both count rows, from 1 on")));
        }
        let of_span = |(owner, span): (usize, &Range<usize>)| {
            (span.start..(span.end + 1).saturating_sub(length)).step_by(stride).map(move |start| (owner, start..start + length))
        };
        let (owners, spans): (Vec<usize>, Vec<Range<usize>>) = self.spans.iter().enumerate().flat_map(of_span).unzip();
        if spans.is_empty() {
            let longest = self.longest();
            return Err(Error::Table(format!("no sequence has {length} rows, the longest has {longest}; choose a shorter --window")));
        }
        let column = ColumnSchema::new(STEP, ColumnKind::Integer);
        let mut entities = numbered(WINDOW, 0..spans.len() as u64)?;
        if let Some(own) = &self.entities {
            let (mut schema, mut columns) = (entities.schema().clone(), entities.columns().to_vec());
            for (described, column) in own.iter().skip(1).filter(|(_, column)| spans.len() == own.rows() || is_frequent(column)) {
                schema.columns.push(described.clone());
                columns.push(column.take(&owners));
            }
            entities = Table::new(schema, columns)?;
        }
        let attributes = entities.schema().names().skip(1);
        let values = self.rows.schema().names().chain(attributes).map(str::to_owned);
        let layout = Layout {
            entity: Some(WINDOW.into()),
            clock: Clock::Regular { column, first: 0.0, step: 1.0 },
            order: [WINDOW.to_owned(), STEP.to_owned()].into_iter().chain(values).collect(),
            ..Layout::default()
        };
        Ok(Self { rows: self.rows.clone(), times: None, spans, entities: Some(entities), layout: Arc::new(layout) })
    }

    /// The same with columns of labels that are all numbers, such as 0, 10 and 20, as columns of numbers.
    ///
    /// # Errors
    /// None for series that were made by this crate.
    pub fn with_numbers(&self) -> Result<Self> {
        if self.rows.columns().iter().all(|column| column.numbers().is_some()) {
            return Ok(self.clone());
        }
        let (mut schema, mut columns) = (self.rows.schema().clone(), self.rows.columns().to_vec());
        for (described, column) in schema.columns.iter_mut().zip(&mut columns) {
            let Column::Category { codes, levels } = &*column else { continue };
            let numbers: Option<Vec<f64>> =
                levels.iter().map(|level| level.trim().parse::<f64>().ok().filter(|number| number.is_finite())).collect();
            let Some(numbers) = numbers.filter(|numbers| !numbers.is_empty()) else { continue };
            let is_whole = numbers.iter().all(|number| number.fract() == 0.0);
            let values = codes.iter().map(|&code| numbers.get(code as usize).copied().unwrap_or(f64::NAN)).collect();
            *described = ColumnSchema { kind: if is_whole { ColumnKind::Integer } else { ColumnKind::Continuous }, ..described.clone() };
            *column = Column::Number(values);
        }
        Ok(Self { rows: Arc::new(Table::new(schema, columns)?), ..self.clone() })
    }

    /// The sequences as numbers, for models and scores of regular windows; labels that are all numbers are numbers.
    ///
    /// # Errors
    /// Sequences of different lengths, columns that are no numbers, and missing values; the remedy is an option of how the file is opened. More numbers
    /// than there may be memory for.
    pub fn regular(&self) -> Result<Windows> {
        if self.common_length().is_none() {
            let (least, most) = (self.lengths().min().unwrap_or(0), self.longest());
            let what = format!(
                "the sequences have from {least} to {most} rows, and equal lengths are needed; cut windows with --window {}",
                least.clamp(1, 24)
            );
            return Err(Error::Table(what));
        }
        self.padded()
    }

    /// As [`Series::regular`] for sequences of different lengths: each is followed by repetitions of its last row, up to the length of the longest.
    ///
    /// # Errors
    /// As [`Series::regular`], but for lengths.
    pub fn padded(&self) -> Result<Windows> {
        let length = self.longest();
        // Windows share rows, but their numbers do not.
        let size = (length as u64).saturating_mul(self.rows.columns().len() as u64).saturating_mul(24);
        Memory::of_process().check(format!("{} sequences of {length} rows", self.count()), self.count() as u64, size)?;
        let rows = self.with_numbers()?.rows;
        let mut columns = Vec::new();
        for (described, column) in rows.iter() {
            let named = |what: &str| Error::Table(format!("column \"{}\" {what}; leave it out with --drop {0}", described.name));
            let numbers = column.numbers().ok_or_else(|| named("holds no numbers"))?;
            if self.spans.iter().any(|span| numbers[span.clone()].iter().any(|value| !value.is_finite())) {
                return Err(named("has missing values"));
            }
            columns.push(numbers);
        }
        if columns.is_empty() {
            return Err(Error::Table("no column of numbers is left".into()));
        }
        let channels = columns.len();
        let mut values = Vec::with_capacity(self.spans.len() * length * channels);
        let rows_of = |span: &Range<usize>| span.clone().chain(std::iter::repeat_n(span.end - 1, length - span.len()));
        for row in self.spans.iter().flat_map(rows_of) {
            values.extend(columns.iter().map(|numbers| numbers[row]));
        }
        Ok(Windows { values, count: self.spans.len(), length, channels })
    }

    /// The series as one table in the form of their file: a row for each row of each sequence, with its name, time and attributes.
    ///
    /// # Errors
    /// None for series that were made by this crate.
    pub fn to_table(&self) -> Result<Table> {
        let indices: Vec<usize> = self.spans.iter().flat_map(Clone::clone).collect();
        let owners: Vec<usize> = self.spans.iter().enumerate().flat_map(|(owner, span)| std::iter::repeat_n(owner, span.len())).collect();
        let mut schema = self.rows.schema().clone();
        let mut columns = self.rows.take(&indices).columns().to_vec();
        if let Some(entities) = &self.entities {
            schema.columns.extend(entities.schema().columns.iter().cloned());
            columns.extend(entities.take(&owners).columns().iter().cloned());
        }
        if let Some(column) = self.layout.clock.column() {
            let places = self.spans.iter().flat_map(|span| 0..span.len());
            let times = match (&self.layout.clock, &self.times) {
                (Clock::Regular { first, step, .. }, _) => places.map(|place| first + step * place as f64).collect(),
                (_, Some(times)) => indices.iter().map(|&row| times[row]).collect(),
                _ => Vec::new(),
            };
            schema.columns.push(column.clone());
            columns.push(Column::Number(times));
        }
        let place = |name: &str| self.layout.order.iter().position(|known| known == name).unwrap_or(usize::MAX);
        let mut ordered: Vec<_> = schema.columns.into_iter().zip(columns).collect();
        ordered.sort_by_key(|(described, _)| place(&described.name));
        let (described, columns): (Vec<_>, Vec<_>) = ordered.into_iter().unzip();
        schema.columns = described;
        schema.constraints.clear();
        schema.target = schema.target.take().filter(|target| schema.index_of(target).is_ok());
        Table::new(schema, columns)
    }
}

/// Whether every value of an attribute is that of some sequences.
fn is_frequent(column: &Column) -> bool {
    const LEAST: usize = 5;
    let mut counts: HashMap<u64, usize> = HashMap::new();
    for row in 0..column.len() {
        let value = match column {
            Column::Number(values) => values[row].to_bits(),
            Column::Category { codes, .. } => u64::from(codes[row]),
        };
        *counts.entry(value).or_default() += 1;
    }
    counts.values().all(|&count| count >= LEAST)
}

/// A table of one column that numbers items.
///
/// # Errors
/// None.
pub fn numbered(name: &str, numbers: Range<u64>) -> Result<Table> {
    let mut described = ColumnSchema::new(name, ColumnKind::Id);
    described.id = Some(IdFormat::Integer { start: 0, step: 1 });
    let labels = Column::from_labels(numbers.map(|number| Some(number.to_string())));
    Table::new(crate::table::Schema { columns: vec![described], ..crate::table::Schema::default() }, vec![labels])
}
