//! Wide tables: a row, or a column, for each sequence of one value.

use serde::{Deserialize, Serialize};

use super::{Clock, Layout, SEQUENCE, Series};
use crate::table::{Column, ColumnKind, ColumnSchema, Schema, Table};
use crate::{Error, Result};

/// The column of the values of a wide table.
const VALUE: &str = "value";
/// The column that tells the time of the columns.
const STEP: &str = "step";

/// Which way a wide table lies.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Wide {
    /// Every row is a sequence; these columns are its steps.
    Rows(Vec<String>),
    /// Every column of numbers is a sequence.
    Columns,
}

/// A column of values as it is in wide tables, from those that hold them.
fn described(schema: &Schema, columns: &[usize]) -> ColumnSchema {
    let of = || columns.iter().map(|&column| &schema.columns[column]);
    let kind = if of().all(|described| described.kind == ColumnKind::Integer) { ColumnKind::Integer } else { ColumnKind::Continuous };
    ColumnSchema { decimals: of().map(|described| described.decimals).max().flatten(), ..ColumnSchema::new(VALUE, kind) }
}

/// Series of a table whose rows are sequences: the columns of numbers are steps, others are attributes. A sequence ends before the missing values at the
/// end of its row.
pub(super) fn of_rows(table: &Table, entity: Option<&str>, notes: &mut Vec<String>) -> Result<Series> {
    let schema = table.schema();
    let entity = match entity {
        Some(name) => Some(schema.index_of(name)?),
        None => schema.columns.iter().position(|described| described.kind.is_name()),
    };
    let is_step = |&column: &usize| {
        Some(column) != entity && schema.columns[column].kind.is_number() && schema.columns[column].kind != ColumnKind::Datetime
    };
    let steps: Vec<usize> = (0..schema.columns.len()).filter(is_step).collect();
    if steps.len() < 2 {
        return Err(Error::Table(format!(
            "{} columns of numbers are no sequence; leave --wide out, or give a table with a column for each step",
            steps.len()
        )));
    }
    let names: Vec<String> = steps.iter().map(|&column| schema.columns[column].name.clone()).collect();
    notes.push(format!(
        "the {} columns of numbers from \"{}\" to \"{}\" are the steps of each row's sequence; make others labels with --schema",
        names.len(),
        names[0],
        names[names.len() - 1]
    ));
    let numbers: Vec<&[f64]> = steps.iter().filter_map(|&column| table.columns()[column].numbers()).collect();
    let (mut values, mut spans, mut kept) = (Vec::new(), Vec::new(), Vec::new());
    for row in 0..table.rows() {
        let length = numbers.iter().rposition(|column| column[row].is_finite()).map_or(0, |last| last + 1);
        if length > 0 {
            spans.push(values.len()..values.len() + length);
            values.extend(numbers[..length].iter().map(|column| column[row]));
            kept.push(row);
        }
    }
    if kept.len() < table.rows() {
        notes.push(format!("{} rows have no value; they are left out", table.rows() - kept.len()));
    }
    let (mut of_entities, mut attributes) = match entity {
        Some(column) => {
            let labels = Column::from_labels(kept.iter().map(|&row| Some(table.cell(row, column))).collect::<Vec<_>>());
            let mut own = ColumnSchema { kind: ColumnKind::Id, ..schema.columns[column].clone() };
            own.complete(&labels);
            (vec![own], vec![labels])
        }
        None => {
            let numbered = super::numbered(SEQUENCE, 0..kept.len() as u64)?;
            (numbered.schema().columns.clone(), numbered.columns().to_vec())
        }
    };
    for column in (0..schema.columns.len()).filter(|column| Some(*column) != entity && !steps.contains(column)) {
        if schema.columns[column].kind.is_modelled() {
            of_entities.push(schema.columns[column].clone());
            attributes.push(table.columns()[column].take(&kept));
        }
    }
    let clock = clock(&names);
    let rows = Table::new(Schema { columns: vec![described(schema, &steps)], ..Schema::default() }, vec![Column::Number(values)])?;
    let name = of_entities[0].name.clone();
    let mut order: Vec<String> = schema.names().filter(|name| !names.iter().any(|step| step == name)).map(str::to_owned).collect();
    order.retain(|name| of_entities.iter().any(|described| described.name == *name));
    if entity.is_none() {
        order.insert(0, name.clone());
    }
    let entities = Table::new(Schema { columns: of_entities, ..Schema::default() }, attributes)?;
    order.extend(clock.column().map(|column| column.name.clone()));
    order.push(VALUE.to_owned());
    let layout = Layout { entity: Some(name), clock, order, wide: Some(Wide::Rows(names)), files: None };
    Series::new(rows, None, spans, Some(entities), layout)
}

/// Times of steps whose names are numbers at equal distances; otherwise they have none but their order.
fn clock(names: &[String]) -> Clock {
    let numbers: Option<Vec<f64>> = names.iter().map(|name| name.trim().parse::<f64>().ok().filter(|number| number.is_finite())).collect();
    let regular = numbers.filter(|numbers| {
        let step = numbers[1] - numbers[0];
        step > 0.0 && numbers.iter().enumerate().all(|(place, &number)| number == numbers[0] + step * place as f64)
    });
    match regular {
        Some(numbers) => {
            let is_whole = numbers.iter().all(|number| number.fract() == 0.0);
            let column = ColumnSchema::new(STEP, if is_whole { ColumnKind::Integer } else { ColumnKind::Continuous });
            Clock::Regular { column, first: numbers[0], step: numbers[1] - numbers[0] }
        }
        None => Clock::Order,
    }
}

/// The long form of a table whose columns are sequences, with the names of the columns of sequences and of values: the other columns come once for each.
pub(super) fn of_columns(table: &Table, time: Option<&str>) -> Result<(Table, String)> {
    let schema = table.schema();
    let is_time = |described: &ColumnSchema| match time {
        Some(name) => described.name == name,
        None => described.kind == ColumnKind::Datetime || described.kind.is_name(),
    };
    let (times, sequences): (Vec<usize>, Vec<usize>) = (0..schema.columns.len()).partition(|&column| is_time(&schema.columns[column]));
    if let Some(&column) = sequences.iter().find(|&&column| table.columns()[column].numbers().is_none()) {
        let name = &schema.columns[column].name;
        return Err(Error::Table(format!(
            "column \"{name}\" holds no numbers, so it is no sequence; leave it out with --drop {name}, or name the time with --time"
        )));
    }
    if sequences.is_empty() {
        return Err(Error::Table("no column of numbers is left to be a sequence; leave --wide out".into()));
    }
    let rows = table.rows();
    let repeated: Vec<usize> = (0..sequences.len()).flat_map(|_| 0..rows).collect();
    let names = sequences.iter().flat_map(|&column| std::iter::repeat_n(Some(schema.columns[column].name.clone()), rows));
    let values = sequences.iter().filter_map(|&column| table.columns()[column].numbers()).flatten().copied().collect();
    let mut columns = vec![ColumnSchema::new(SEQUENCE, ColumnKind::Key)];
    let mut cells = vec![Column::from_labels(names.collect::<Vec<_>>())];
    for &column in &times {
        columns.push(schema.columns[column].clone());
        cells.push(table.columns()[column].take(&repeated));
    }
    columns.push(described(schema, &sequences));
    cells.push(Column::Number(values));
    Ok((Table::new(Schema { columns, ..schema.clone() }, cells)?, SEQUENCE.to_owned()))
}

impl Series {
    /// The series as a table with a row for each sequence, at least `steps` columns for its values, and its attributes.
    pub(super) fn to_rows(&self, steps: &[String], longest: usize) -> Result<Table> {
        let name = |place: usize| steps.get(place).cloned().unwrap_or_else(|| format!("{VALUE}_{}", place + 1));
        let values = self.rows().columns()[0].numbers().unwrap_or_default();
        let value = &self.rows().schema().columns[0];
        let column = |place: usize| {
            let at = |span: &std::ops::Range<usize>| if place < span.len() { values[span.start + place] } else { f64::NAN };
            (ColumnSchema { name: name(place), ..value.clone() }, Column::Number(self.spans().iter().map(at).collect()))
        };
        let (own, cells): (Vec<_>, Vec<_>) = (0..steps.len().max(longest)).map(column).unzip();
        let (mut columns, mut all) = match self.entities() {
            Some(entities) => (entities.schema().columns.clone(), entities.columns().to_vec()),
            None => (Vec::new(), Vec::new()),
        };
        columns.extend(own);
        all.extend(cells);
        Table::new(Schema { columns, ..Schema::default() }, all)
    }

    /// The series as a table with a column for each sequence, and the time in front where there is one: every time that some sequence has.
    pub(super) fn to_columns(&self) -> Result<Table> {
        let times: Vec<Vec<f64>> = (0..self.count()).map(|sequence| self.times_of(sequence)).collect();
        let mut all: Vec<f64> = times.iter().flatten().copied().collect();
        all.sort_unstable_by(f64::total_cmp);
        all.dedup();
        let values = self.rows().columns()[0].numbers().unwrap_or_default();
        let value = &self.rows().schema().columns[0];
        let (mut columns, mut cells) = (Vec::new(), Vec::new());
        if let Some(column) = self.layout().clock.column() {
            columns.push(column.clone());
            cells.push(Column::Number(all.clone()));
        }
        for (sequence, (span, times)) in self.spans().iter().zip(&times).enumerate() {
            let mut own = vec![f64::NAN; all.len()];
            for (row, time) in span.clone().zip(times) {
                if let Ok(place) = all.binary_search_by(|known| known.total_cmp(time)) {
                    own[place] = values[row];
                }
            }
            let name = self.entities().map_or_else(|| sequence.to_string(), |entities| entities.cell(sequence, 0));
            columns.push(ColumnSchema { name, ..value.clone() });
            cells.push(Column::Number(own));
        }
        Table::new(Schema { columns, ..Schema::default() }, cells)
    }
}
