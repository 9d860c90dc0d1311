//! Given sequences: what follows them, and what fills their gaps, in the form that they have.

use semblant_core::{Error, Result};
use semblant_data::series::{Clock, Layout, SEQUENCE, Series, SeriesOptions, numbered};
use semblant_data::table::{Column, ColumnKind, ColumnSchema, Schema, Table};
use semblant_tabular::completion;

use crate::model::with_names;

/// Given series with the names and times of the model's; a command that opens them can only guess which columns these are.
/// `columns` are those that change in time.
///
/// # Errors
/// Series without the model's column of times, or whose sequences are named by another column than the model's.
pub(crate) fn regrouped<'a>(init: &Series, layout: &Layout, columns: impl Iterator<Item = &'a str>) -> Result<Series> {
    let table = init.to_table()?;
    let varying: Vec<String> = columns.map(str::to_owned).collect();
    let names = SeriesOptions {
        // Of a single series that the model learned there may be several.
        entity: layout.entity.clone().or_else(|| init.layout().entity.clone()),
        time: layout.clock.column().map(|column| column.name.clone()),
        constant: layout.attributes(&varying),
        varying,
        if_there: true,
        ..SeriesOptions::default()
    };
    // Without it the rows would stand at the first times of all, whatever season they are from.
    let lacks = |name: &Option<String>| name.clone().filter(|name| table.column(name).is_err());
    if let Some(time) = lacks(&names.time) {
        let what =
            format!("the given rows have no column \"{time}\", which tells the time in the series that the model learned; name theirs so");
        return Err(Error::Data(what));
    }
    let is_told = || init.entities().is_some() || names.constant.iter().any(|name| table.column(name).is_ok());
    if let Some(entity) = lacks(&names.entity).filter(|_| is_told()) {
        let what = format!("the given rows have no column \"{entity}\", which names the sequences that the model learned; name theirs so");
        return Err(Error::Data(what));
    }
    let data = Series::grouped(table, None, &names)?.data.in_form_of(init.layout());
    if let Clock::Regular { column, step, .. } = &layout.clock {
        check_distance(&data, &column.name, *step)?;
    }
    Ok(data)
}

/// Refuses rows that are nearer in time than those that the model learned, such as those of several sequences that were taken for one.
fn check_distance(data: &Series, time: &str, step: f64) -> Result<()> {
    let gaps = |sequence: usize| data.times_of(sequence).windows(2).map(|pair| pair[1] - pair[0]).collect::<Vec<f64>>();
    let least = (0..data.count()).flat_map(gaps).fold(f64::INFINITY, f64::min);
    if least >= step * (1.0 - 1e-9) {
        return Ok(());
    }
    let what = format!(
        "successive rows differ by {least} in \"{time}\", and by {step} in the series that the model learned; several sequences need numbers in a column \"{SEQUENCE}\", other rows are to be brought to that distance"
    );
    Err(Error::Data(what))
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
        let Ok(place) = drawn.schema().index_of(&described.name) else { return (described.clone(), column.clone()) };
        let missing = (0..column.len()).filter(|&row| column.is_missing(row)).count();
        gaps += missing;
        // Of a column that is wholly missing the file does not show the kind.
        match missing == column.len() {
            true => (drawn.schema().columns[place].clone(), drawn.columns()[place].clone()),
            false => (described.clone(), completion::filled(column, &drawn.columns()[place])),
        }
    };
    let (described, columns): (Vec<ColumnSchema>, Vec<Column>) = given.rows().iter().map(column).unzip();
    if gaps == 0 {
        return Err(Error::Data(
            "nothing is missing in the given rows, so there is nothing to fill in; where rows are to follow, say with --horizon how many"
                .into(),
        ));
    }
    let schema = Schema { columns: described, ..given.rows().schema().clone() };
    given.with_rows(Table::new(schema, columns)?).map_err(Error::from)
}

/// Names for sequences that have none.
pub(crate) fn numbers(layout: &Layout, rows: std::ops::Range<u64>) -> Result<Table> {
    Ok(numbered(&free_name(layout, SEQUENCE), rows)?)
}
