//! Given sequences: what follows them, and what fills their gaps, in the form that they have.

use semblant_core::{Error, Result};
use semblant_data::series::{Clock, Layout, SEQUENCE, Series, SeriesOptions, numbered};
use semblant_data::table::{Column, ColumnKind, ColumnSchema, Table};
use semblant_tabular::completion;

use crate::model::with_names;

/// Given series with the names and times of the model's; a command that opens them can only guess which columns these are.
/// `columns` are those that change in time.
///
/// # Errors
/// Series without the model's column of times, or whose sequences are named by another column than the model's.
pub(crate) fn regrouped<'a>(init: &Series, layout: &Layout, columns: impl Iterator<Item = &'a str>) -> Result<Series> {
    let names = SeriesOptions {
        entity: layout.entity.clone(),
        time: layout.clock.column().map(|column| column.name.clone()),
        varying: columns.map(str::to_owned).collect(),
        if_there: true,
        ..SeriesOptions::default()
    };
    let table = init.to_table()?;
    // Without it the rows would stand at the first times of all, whatever season they are from.
    let lacks = |name: &Option<String>| name.clone().filter(|name| table.column(name).is_err());
    if let Some(time) = lacks(&names.time) {
        let what =
            format!("the given rows have no column \"{time}\", which tells the time in the series that the model learned; name theirs so");
        return Err(Error::Data(what));
    }
    if let Some(entity) = lacks(&names.entity).filter(|_| init.entities().is_some()) {
        let what = format!("the given rows have no column \"{entity}\", which names the sequences that the model learned; name theirs so");
        return Err(Error::Data(what));
    }
    Ok(Series::grouped(table, None, &names)?.data.in_form_of(init.layout()))
}

/// A name that no column has.
pub(crate) fn free_name(layout: &Layout, wanted: &str) -> String {
    let mut name = wanted.to_owned();
    while layout.order.contains(&name) {
        name.push('_');
    }
    name
}

/// Further rows of given sequences.
pub(crate) struct Continuation<'a> {
    pub(crate) init: &'a Series,
    /// Rows that follow each.
    pub(crate) horizon: usize,
    /// How often each is continued.
    pub(crate) draws: usize,
}

impl Continuation<'_> {
    /// The series of drawn `rows`, `horizon` for each draw of each sequence: `m` becomes `m-1`, `m-2`... where there are several. `layout` is the
    /// model's, whose order of columns they have; `times` are those of the rows where the model drew them.
    pub(crate) fn series(&self, rows: Table, layout: &Layout, times: Option<Vec<f64>>) -> Result<Series> {
        let &Self { init, horizon, draws } = self;
        let count = init.count() * draws;
        let spans = (0..count).map(|item| item * horizon..(item + 1) * horizon).collect();
        let own = |item: usize| match init.entities() {
            Some(entities) => entities.cell(item / draws, 0),
            None => (item / draws).to_string(),
        };
        let name = |item: usize| if draws > 1 { format!("{}-{}", own(item), item % draws + 1) } else { own(item) };
        let names = Column::from_labels((0..count).map(|item| Some(name(item))));
        let entities = match init.entities() {
            Some(entities) => {
                let owners = entities.take(&(0..count).map(|item| item / draws).collect::<Vec<_>>());
                let described = owners.schema().columns[0].clone();
                let attributes = owners.columns_where(|column| column.name != described.name);
                Some(with_names(&described, names, Some(attributes))?)
            }
            _ if count > 1 => Some(with_names(&ColumnSchema::new(free_name(layout, SEQUENCE), ColumnKind::Id), names, None)?),
            None => None,
        };
        let (clock, times) = self.clock(times);
        let mut order: Vec<String> = init.layout().order.clone();
        let entity = entities.as_ref().map(|entities| entities.schema().columns[0].name.clone());
        order.extend(entity.iter().filter(|name| !init.layout().order.contains(name)).cloned());
        if init.layout().entity.is_none() && entity.is_some() {
            order.rotate_right(1);
        }
        Series::new(rows, times, spans, entities, Layout { entity, clock, order, ..Layout::default() }).map_err(Error::from)
    }

    /// The times of the further rows: as the given ones go on, unless the model drew them.
    fn clock(&self, drawn: Option<Vec<f64>>) -> (Clock, Option<Vec<f64>>) {
        let Some(column) = self.init.layout().clock.column() else { return (Clock::Order, None) };
        let times = drawn.unwrap_or_else(|| {
            let sequences = (0..self.init.count()).flat_map(|sequence| std::iter::repeat_n(sequence, self.draws));
            sequences
                .flat_map(|sequence| {
                    let times = self.init.times_of(sequence);
                    let (last, step) = (times[times.len() - 1], typical_step(&times));
                    (1..=self.horizon).map(move |row| last + step * row as f64)
                })
                .collect()
        });
        (Clock::Times(column.clone()), Some(times))
    }
}

/// The median distance of successive times; 1 where there are none.
fn typical_step(times: &[f64]) -> f64 {
    let mut gaps: Vec<f64> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    gaps.sort_unstable_by(f64::total_cmp);
    gaps.get(gaps.len() / 2).copied().unwrap_or(1.0)
}

/// The series with every cell of these columns missing.
pub(crate) fn emptied(init: &Series, columns: &[String]) -> Result<Series> {
    if columns.is_empty() {
        return Ok(init.clone());
    }
    init.with_rows(completion::without(init.rows().clone(), columns)?).map_err(Error::from)
}

/// The given series with drawn cells where cells are missing, and in all of the columns that are drawn anew. `drawn` has a row for each of the series'
/// table.
pub(crate) fn filled(init: &Series, redraw: &[String], drawn: &Table) -> Result<Series> {
    let given = emptied(init, redraw)?;
    let mut gaps = 0;
    let column = |(described, column): (&ColumnSchema, &Column)| {
        let Ok(drawn) = drawn.column(&described.name) else { return column.clone() };
        gaps += (0..column.len()).filter(|&row| column.is_missing(row)).count();
        completion::filled(column, drawn)
    };
    let columns: Vec<Column> = given.rows().iter().map(column).collect();
    if gaps == 0 {
        return Err(Error::Data(
            "nothing is missing in the given rows, so there is nothing to fill in; where rows are to follow, say with --horizon how many"
                .into(),
        ));
    }
    given.with_rows(Table::new(given.rows().schema().clone(), columns)?).map_err(Error::from)
}

/// Names for sequences that have none.
pub(crate) fn numbers(layout: &Layout, rows: std::ops::Range<u64>) -> Result<Table> {
    Ok(numbered(&free_name(layout, SEQUENCE), rows)?)
}
