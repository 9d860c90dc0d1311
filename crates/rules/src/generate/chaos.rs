//! Chaos: data that is spoilt on purpose, with a table that says what was done.

use std::ops::Range;
use std::sync::Arc;

use semblant_core::seeds::Stream;
use semblant_data::table::{Column, ColumnKind, ColumnSchema, Schema, Table as Data};

use super::{CHUNK, Generator};
use crate::bits::Choices;
use crate::error::{Error, Result};
use crate::plan::stream;
use crate::spec::{Chaos, Names};

/// Which random numbers of a row.
const WHETHER: u32 = 0;
const HOW: u32 = 8;

/// Rows as they are written, and what was done to them.
#[derive(Debug)]
pub struct Spoiled {
    /// The rows.
    pub data: Data,
    /// Changes: the row without chaos from 1, the column, the kind, the text before and after. Empty without chaos.
    pub labels: Data,
}

/// A change.
struct Label {
    row: u64,
    column: Option<usize>,
    kind: usize,
    before: Option<String>,
    after: Option<String>,
}

const KINDS: [&str; 8] = ["duplicate", "typo", "swap", "unit", "outlier", "missing", "drift", "late"];

impl Generator<'_> {
    /// Whether a table is spoilt, so that it has labels.
    ///
    /// # Errors
    /// A name that no table has.
    pub fn has_chaos(&self, table: &str) -> Result<bool> {
        Ok(!self.plan.tables[self.plan.index_of(table)?].chaos.is_empty())
    }

    /// The columns of the labels of chaos.
    pub fn label_schema() -> Schema {
        let text = |name: &str| ColumnSchema::new(name, ColumnKind::Categorical);
        let columns = vec![ColumnSchema::new("row", ColumnKind::Integer), text("column"), text("kind"), text("before"), text("after")];
        Schema { columns, ..Schema::default() }
    }

    /// The rows of a chunk that lie in `wanted`, with their chaos.
    pub(super) fn spoiled(&self, table: usize, start: u64, wanted: &Range<u64>) -> Result<Spoiled> {
        let plan = &self.plan.tables[table];
        if plan.chaos.is_empty() {
            let data = self.part(table, start.max(wanted.start)..(start + CHUNK).min(wanted.end))?;
            return Ok(Spoiled { data, labels: self.labels(table, &[])? });
        }
        let rows = start..(start + CHUNK).min(self.counts[table]);
        let mut data = self.part(table, rows.clone())?;
        let mut labels = Vec::new();
        // How late each row comes, and how often.
        let mut order: Vec<(u64, usize)> = (0..data.rows()).map(|row| (row as u64, row)).collect();
        for (chaos, index) in &plan.chaos {
            let spoiler = Spoiler { generator: self, table, start, numbers: stream(self.seed, *index) };
            spoiler.spoil(chaos, &mut data, &mut order, &mut labels)?;
        }
        order.sort_by_key(|&(place, row)| (place, row));
        let kept: Vec<usize> = order.into_iter().map(|(_, row)| row).filter(|&row| wanted.contains(&(start + row as u64))).collect();
        labels.retain(|label: &Label| wanted.contains(&label.row));
        labels.sort_by_key(|label| (label.row, label.column, label.kind));
        Ok(Spoiled { data: data.take(&kept), labels: self.labels(table, &labels)? })
    }

    fn labels(&self, table: usize, labels: &[Label]) -> Result<Data> {
        let plan = &self.plan.tables[table];
        let name = |column: Option<usize>| column.map(|column| plan.schema.columns[column].name.as_str());
        let columns = vec![
            Column::Number(labels.iter().map(|label| label.row as f64 + 1.0).collect()),
            Column::from_labels(labels.iter().map(|label| name(label.column))),
            Column::Category {
                codes: labels.iter().map(|label| label.kind as u32).collect(),
                levels: Arc::new(KINDS.map(str::to_owned).to_vec()),
            },
            Column::from_labels(labels.iter().map(|label| label.before.as_deref())),
            Column::from_labels(labels.iter().map(|label| label.after.as_deref())),
        ];
        Data::new(Self::label_schema(), columns).map_err(|error| Error::new(&self.plan.path, plan.place, error.to_string()))
    }
}

/// Spoils the rows of a chunk in one way.
struct Spoiler<'s> {
    generator: &'s Generator<'s>,
    table: usize,
    start: u64,
    numbers: Stream,
}

impl Spoiler<'_> {
    fn column(&self, name: &str) -> Result<usize> {
        let schema = &self.generator.plan.tables[self.table].schema;
        schema
            .index_of(name)
            .map_err(|error| Error::new(&self.generator.plan.path, self.generator.plan.tables[self.table].place, error.to_string()))
    }

    /// The rows that are met, and of several columns the one.
    fn met(&self, rows: usize, rate: f64, columns: u64) -> Vec<(usize, u64)> {
        let of = |row: usize| {
            let at = self.start + row as u64;
            (self.numbers.uniform_f64(at, WHETHER) < rate)
                .then(|| (row, if columns > 0 { self.numbers.below(at, WHETHER + 1, columns) } else { 0 }))
        };
        (0..rows).filter_map(of).collect()
    }

    fn spoil(&self, chaos: &Chaos, data: &mut Data, order: &mut Vec<(u64, usize)>, labels: &mut Vec<Label>) -> Result<()> {
        let rows = data.rows();
        match chaos {
            Chaos::Duplicates { rate } => {
                for (row, _) in self.met(rows, rate.value, 0) {
                    let place = order.iter().find(|(_, other)| *other == row).map_or(row as u64, |(place, _)| *place);
                    order.push((place, row));
                    labels.push(self.label(row, None, 0, None, None));
                }
            }
            Chaos::Late { rate, rows: most } => {
                for (row, _) in self.met(rows, rate.value, 0) {
                    let late = 1 + self.numbers.below(self.start + row as u64, HOW, u64::from(most.value));
                    for (place, _) in order.iter_mut().filter(|(_, other)| *other == row) {
                        // Behind all rows of that place.
                        *place = row as u64 + late;
                    }
                    labels.push(self.label(row, None, 7, None, None));
                }
            }
            Chaos::Swaps { columns, rate } => {
                let [a, b] = [self.column(&columns.0[0])?, self.column(&columns.0[1])?];
                self.swap(a, b, rate.value, data, labels)?;
            }
            Chaos::Typos { columns, rate } => self.change(columns, rate.value, 1, data, labels, |cell, choices| match cell {
                Cell::Text(Some(text)) => Cell::Text(Some(typo(&text, choices))),
                other => other,
            })?,
            Chaos::Missing { columns, rate } => self.change(columns, rate.value, 5, data, labels, |cell, _| match cell {
                Cell::Text(_) => Cell::Text(None),
                Cell::Number(_) => Cell::Number(f64::NAN),
            })?,
            Chaos::Units { columns, rate, factor } => {
                self.change(columns, rate.value, 3, data, labels, |cell, _| cell.scaled(factor.value))?;
            }
            Chaos::Outliers { columns, rate, factor } => {
                self.change(columns, rate.value, 4, data, labels, |cell, choices| {
                    let share = choices.below(1 << 30) as f64 / (1u64 << 30) as f64;
                    cell.scaled(factor.value * (0.5 + 0.5 * share))
                })?;
            }
            Chaos::Drift { columns, by, after } => {
                let count = self.generator.counts[self.table] as f64;
                for name in &columns.0 {
                    let column = self.column(name)?;
                    self.drift(column, by.value, after.value, count, data, labels)?;
                }
            }
        }
        Ok(())
    }

    fn label(&self, row: usize, column: Option<usize>, kind: usize, before: Option<String>, after: Option<String>) -> Label {
        Label { row: self.start + row as u64, column, kind, before, after }
    }

    /// Changes one of the columns in the rows that are met.
    fn change(
        &self,
        names: &Names,
        rate: f64,
        kind: usize,
        data: &mut Data,
        labels: &mut Vec<Label>,
        change: impl Fn(Cell, &mut Choices<'_>) -> Cell,
    ) -> Result<()> {
        let columns = names.0.iter().map(|name| self.column(name)).collect::<Result<Vec<_>>>()?;
        for (index, &column) in columns.iter().enumerate() {
            let mut cells: Vec<(usize, Cell)> = Vec::new();
            for (row, chosen) in self.met(data.rows(), rate, columns.len() as u64) {
                if chosen != index as u64 || data.columns()[column].is_missing(row) {
                    continue;
                }
                let mut choices = Choices::new(&self.numbers, self.start + row as u64, HOW);
                let cell = match &data.columns()[column] {
                    Column::Number(numbers) => Cell::Number(numbers[row]),
                    labels => Cell::Text(labels.label(row).map(str::to_owned)),
                };
                cells.push((row, change(cell, &mut choices)));
            }
            self.put(column, cells, kind, data, labels)?;
        }
        Ok(())
    }

    /// Puts cells into a column, and notes those that changed.
    fn put(&self, column: usize, cells: Vec<(usize, Cell)>, kind: usize, data: &mut Data, labels: &mut Vec<Label>) -> Result<()> {
        if cells.is_empty() {
            return Ok(());
        }
        let said = |error: semblant_data::Error| {
            Error::new(&self.generator.plan.path, self.generator.plan.tables[self.table].place, error.to_string())
        };
        let described = data.schema().columns[column].clone();
        let changed = match &data.columns()[column] {
            Column::Number(numbers) => {
                let mut numbers = numbers.clone();
                for (row, cell) in &cells {
                    if let Cell::Number(number) = cell {
                        numbers[*row] = if number.is_finite() { described.round_number(*number) } else { f64::NAN };
                    }
                }
                Column::Number(numbers)
            }
            old => {
                let mut texts: Vec<Option<&str>> = (0..data.rows()).map(|row| old.label(row)).collect();
                for (row, cell) in &cells {
                    if let Cell::Text(text) = cell {
                        texts[*row] = text.as_deref();
                    }
                }
                Column::from_labels(texts)
            }
        };
        let mut columns = data.columns().to_vec();
        columns[column] = changed;
        let after = Data::new(data.schema().clone(), columns).map_err(said)?;
        for (row, _) in cells {
            let text = |table: &Data| Some(table.cell(row, column)).filter(|_| !table.columns()[column].is_missing(row));
            let (before, now) = (text(data), text(&after));
            if before != now {
                labels.push(self.label(row, Some(column), kind, before, now));
            }
        }
        *data = after;
        Ok(())
    }

    fn swap(&self, a: usize, b: usize, rate: f64, data: &mut Data, labels: &mut Vec<Label>) -> Result<()> {
        let cell = |column: usize, row: usize| match &data.columns()[column] {
            Column::Number(numbers) => Cell::Number(numbers[row]),
            labels => Cell::Text(labels.label(row).map(str::to_owned)),
        };
        let rows = self.met(data.rows(), rate, 0);
        let into_a = rows.iter().map(|&(row, _)| (row, cell(b, row))).collect();
        let into_b = rows.iter().map(|&(row, _)| (row, cell(a, row))).collect();
        self.put(a, into_a, 2, data, labels)?;
        self.put(b, into_b, 2, data, labels)
    }

    fn drift(&self, column: usize, by: f64, after: f64, count: f64, data: &mut Data, labels: &mut Vec<Label>) -> Result<()> {
        let Column::Number(numbers) = &data.columns()[column] else { return Ok(()) };
        let share = |row: usize| ((self.start + row as u64) as f64 / count - after) / (1.0 - after).max(f64::MIN_POSITIVE);
        let grown = |(row, &number): (usize, &f64)| {
            let share = share(row);
            (share > 0.0 && !number.is_nan()).then(|| (row, Cell::Number(number * (1.0 + by * share.min(1.0)))))
        };
        let cells = numbers.iter().enumerate().filter_map(grown).collect();
        self.put(column, cells, 6, data, labels)
    }
}

/// A value of a table.
enum Cell {
    Number(f64),
    Text(Option<String>),
}

impl Cell {
    fn scaled(self, factor: f64) -> Self {
        match self {
            Self::Number(number) => Self::Number(number * factor),
            other => other,
        }
    }
}

/// A text with one mistake of typing.
fn typo(text: &str, choices: &mut Choices<'_>) -> String {
    let mut letters: Vec<char> = text.chars().collect();
    if letters.is_empty() {
        return text.to_owned();
    }
    let place = choices.below(letters.len() as u64) as usize;
    match choices.below(4) {
        0 if letters.len() > 1 => {
            letters.remove(place);
        }
        1 => letters.insert(place, letters[place]),
        2 if place + 1 < letters.len() && letters[place] != letters[place + 1] => letters.swap(place, place + 1),
        _ => {
            let wrong = char::from(b'a' + choices.below(26) as u8);
            letters[place] = if wrong == letters[place] { '*' } else { wrong };
        }
    }
    letters.into_iter().collect()
}
