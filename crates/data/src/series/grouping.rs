//! From a table to series: which column names the sequence, which tells the time, and what belongs to the whole sequence.

use std::collections::HashMap;
use std::ops::Range;
use std::path::{Path, PathBuf};

use semblant_core::data::Opened;

use super::{Clock, Layout, SEQUENCE, STEP, Series, WINDOW, Wide, folder, wide};
use crate::table::{Column, ColumnKind, ColumnSchema, ReadOptions, Schema, Table};
use crate::{Error, Result};

/// Names of what sequences belong to, up to so many of a column, are labels.
const MOST_LABELS: usize = 100;

/// How a file of series is opened.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SeriesOptions {
    /// How its table is read.
    pub table: ReadOptions,
    /// The column that names the sequence of a row; without it one is looked for.
    pub entity: Option<String>,
    /// The column of the time; without it one is looked for.
    pub time: Option<String>,
    /// A file of attributes: one row for each sequence, with its name in the column of the same name.
    pub attributes: Option<PathBuf>,
    /// Columns that change in time, even where they do not in this file.
    pub varying: Vec<String>,
    /// Columns that belong to whole sequences, even where the file does not show it.
    pub constant: Vec<String>,
    /// Whether the file has a row or a column for each sequence.
    pub wide: Option<WideOption>,
    /// Cut windows of so many rows; not in a file that holds windows already.
    pub window: Option<usize>,
    /// Rows from one window to the next; 1 without it.
    pub stride: Option<usize>,
    /// Whether columns that are named may be missing, as in data that is only compared.
    pub if_there: bool,
}

/// What a wide table has for each sequence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WideOption {
    /// A row.
    Rows,
    /// A column.
    Columns,
}

impl Series {
    /// Reads a table of any format that [`Table::read`] knows, or a folder with a file for each sequence, and divides it into sequences. Notes say what
    /// was guessed.
    ///
    /// # Errors
    /// As [`Table::read`], a column that is not there, rows without a name or a time, and sequences that are shorter than a window.
    pub fn read(path: impl AsRef<Path>, options: &SeriesOptions) -> Result<Opened<Self>> {
        let path = path.as_ref();
        if path.is_dir() {
            let (table, file, extension) = folder::read(path, &options.table)?;
            let named = SeriesOptions { entity: options.entity.clone().or(Some(file)), ..options.clone() };
            let Opened { data, notes } = Series::opened(table, &named)?;
            let layout = Layout { files: Some(extension), ..data.layout().clone() };
            return Ok(Opened { data: data.in_form_of(&layout), notes });
        }
        let read = Table::read_inferred(path, &options.table)?;
        let Opened { data, mut notes } = Series::opened(read.table, options)?;
        // What a table does with names is not done with those of sequences.
        notes.extend(read.notes);
        Ok(Opened { data, notes })
    }

    /// A table of any form that was read.
    fn opened(table: Table, options: &SeriesOptions) -> Result<Opened<Self>> {
        let attributes = options.attributes.as_deref().map(|path| Table::read(path, &ReadOptions::default())).transpose()?;
        let is_long = options.wide.is_none() || table.column(WINDOW).is_ok() && table.column(STEP).is_ok();
        let Some(wide) = options.wide.filter(|_| !is_long) else { return Self::grouped(table, attributes, options) };
        match wide {
            WideOption::Rows => {
                if attributes.is_some() {
                    return Err(Error::Table("the attributes of rows are their other columns; leave --attributes out".into()));
                }
                let mut notes = Vec::new();
                let entity = options.entity.as_deref().filter(|&name| !options.if_there || table.column(name).is_ok());
                let series = wide::of_rows(&table, entity, &mut notes)?;
                Ok(Opened { data: series.cut(options)?, notes })
            }
            WideOption::Columns => {
                let (long, entity) = wide::of_columns(&table, options.time.as_deref())?;
                let whole = SeriesOptions { entity: Some(entity), window: None, ..options.clone() };
                let Opened { data, notes } = Self::grouped(long, attributes, &whole)?;
                let layout = Layout { wide: Some(Wide::Columns), ..Layout::default() };
                Ok(Opened { data: data.in_form_of(&layout).cut(options)?, notes })
            }
        }
    }

    /// Windows of the series, where they are asked for.
    fn cut(self, options: &SeriesOptions) -> Result<Self> {
        match options.window {
            Some(length) => self.windows(length, options.stride.unwrap_or(1)),
            None => Ok(self),
        }
    }

    /// Divides a table into sequences.
    ///
    /// # Errors
    /// As [`Series::read`].
    pub fn grouped(table: Table, attributes: Option<Table>, options: &SeriesOptions) -> Result<Opened<Self>> {
        if table.rows() == 0 {
            return Err(Error::Table("there are no rows to make sequences of; give a file with some".into()));
        }
        let mut notes = Vec::new();
        let (table, names_of_rows) = with_counts(table)?;
        let order: Vec<String> = table.schema().names().map(str::to_owned).collect();
        let is_own = options.entity.is_none() && table.column(WINDOW).is_ok() && table.column(STEP).is_ok();
        let entity = if is_own { Some(WINDOW.to_owned()) } else { entity(&table, attributes.as_ref(), options, &mut notes)? };
        let mut parts = Parts::of(&table);
        let groups = match &entity {
            Some(name) => Groups::of(parts.column(name)?)?,
            None => Groups { names: Vec::new(), rows: vec![(0..table.rows()).collect()] },
        };
        let time = if is_own { Some(STEP.to_owned()) } else { time(&table, &groups, options, &mut notes)? };
        let groups = match &time {
            Some(name) => groups.in_time(parts.column(name)?, name, &mut notes)?,
            None => groups,
        };
        let indices: Vec<usize> = groups.rows.iter().flatten().copied().collect();
        let spans = spans(&groups.rows);
        let entity_column = entity.as_deref().map(|name| parts.take(name)).transpose()?;
        let time_column = time.as_deref().map(|name| parts.take(name)).transpose()?;
        parts.keep_modelled(&names_of_rows, &mut notes);
        let (clock, times) = match time_column {
            Some((described, column)) => clock(described, &column.take(&indices), &spans)?,
            None => (Clock::Order, None),
        };
        let entities = match entity_column {
            Some(own) => Some(entities(own, &mut parts, &groups, (attributes, options), &mut notes)?),
            None => None,
        };
        if parts.columns.is_empty() {
            return Err(Error::Table("no column is left that changes in time; name others with --entity and --time".into()));
        }
        let rows = parts.into_table()?.take(&indices);
        let known: Vec<&str> = rows.schema().names().chain(entities.iter().flat_map(|table| table.schema().names())).collect();
        let is_known = |name: &String| known.contains(&name.as_str()) || clock.column().is_some_and(|column| column.name == *name);
        let mut order: Vec<String> = order.into_iter().filter(is_known).collect();
        let further: Vec<String> = known.iter().map(|&name| name.to_owned()).filter(|name| !order.contains(name)).collect();
        order.extend(further);
        let series = Self::new(rows, times, spans, entities, Layout { entity, clock, order, ..Layout::default() })?;
        let data = if is_own { series } else { series.cut(options)? };
        Ok(Opened { data, notes })
    }
}

/// The table with ids that are whole numbers as numbers, since they may tell the time; and the names of these columns.
fn with_counts(table: Table) -> Result<(Table, Vec<String>)> {
    let (mut schema, mut columns, mut counts) = (table.schema().clone(), table.columns().to_vec(), Vec::new());
    for (described, column) in schema.columns.iter_mut().zip(&mut columns).filter(|(described, _)| described.kind == ColumnKind::Id) {
        let number = |row: usize| column.label(row)?.parse::<i64>().ok().map(|number| number as f64);
        if let Some(numbers) = (0..column.len()).map(number).collect::<Option<Vec<f64>>>() {
            counts.push(described.name.clone());
            *described = ColumnSchema { id: None, kind: ColumnKind::Integer, ..described.clone() };
            *column = Column::Number(numbers);
        }
    }
    Ok((Table::new(schema, columns)?, counts))
}

/// The columns of a table that were not given a role yet.
struct Parts {
    schema: Schema,
    columns: Vec<Column>,
}

impl Parts {
    fn of(table: &Table) -> Self {
        let schema = Schema { constraints: Vec::new(), ..table.schema().clone() };
        Self { schema, columns: table.columns().to_vec() }
    }

    fn column(&self, name: &str) -> Result<&Column> {
        Ok(&self.columns[self.schema.index_of(name)?])
    }

    fn take(&mut self, name: &str) -> Result<(ColumnSchema, Column)> {
        let place = self.schema.index_of(name)?;
        Ok((self.schema.columns.remove(place), self.columns.remove(place)))
    }

    /// Leaves out what names rows and what is always the same.
    fn keep_modelled(&mut self, names_of_rows: &[String], notes: &mut Vec<String>) {
        let is_out = |described: &&ColumnSchema| described.kind.is_name() || names_of_rows.contains(&described.name);
        let out: Vec<String> = self.schema.columns.iter().filter(is_out).map(|described| described.name.clone()).collect();
        if !out.is_empty() {
            notes.push(format!("names of rows are left out: {}", out.join(", ")));
        }
        for name in out {
            // The name is one of this schema's.
            let _ = self.take(&name);
        }
    }

    fn into_table(mut self) -> Result<Table> {
        self.schema.target = self.schema.target.take().filter(|target| self.schema.index_of(target).is_ok());
        Table::new(self.schema, self.columns)
    }
}

/// The rows of each sequence, in the order in which the sequences first appear.
struct Groups {
    names: Vec<String>,
    rows: Vec<Vec<usize>>,
}

impl Groups {
    fn of(column: &Column) -> Result<Self> {
        let (mut places, mut names, mut rows): (HashMap<String, usize>, Vec<String>, Vec<Vec<usize>>) = Default::default();
        for row in 0..column.len() {
            let name = match column {
                Column::Category { .. } => column.label(row).map(str::to_owned),
                Column::Number(values) => (!values[row].is_nan()).then(|| values[row].to_string()),
            };
            let Some(name) = name else {
                return Err(Error::Table(format!(
                    "row {} names no sequence; complete the column of --entity, or take the row out",
                    row + 1
                )));
            };
            let place = *places.entry(name.clone()).or_insert_with(|| {
                names.push(name);
                rows.push(Vec::new());
                rows.len() - 1
            });
            rows[place].push(row);
        }
        Ok(Self { names, rows })
    }

    /// The rows of each sequence in the order of their times; equal times keep the order of the file.
    fn in_time(mut self, column: &Column, name: &str, notes: &mut Vec<String>) -> Result<Self> {
        let Some(times) = column.numbers() else {
            return Err(Error::Table(format!("column \"{name}\" holds neither times nor numbers; name another with --time")));
        };
        if let Some(row) = times.iter().position(|time| !time.is_finite()) {
            return Err(Error::Table(format!("row {} has no time in column \"{name}\"; complete it, or take the row out", row + 1)));
        }
        let (mut unsorted, mut repeated) = (0, 0);
        for rows in &mut self.rows {
            if !rows.is_sorted_by(|&a, &b| times[a] <= times[b]) {
                unsorted += 1;
                rows.sort_by(|&a, &b| times[a].total_cmp(&times[b]));
            }
            repeated += rows.windows(2).filter(|pair| times[pair[0]] == times[pair[1]]).count();
        }
        if unsorted > 0 {
            notes.push(format!("{unsorted} of {} sequences were put in the order of \"{name}\"", self.rows.len()));
        }
        if repeated > 0 {
            notes.push(format!("{repeated} rows have the time of the row before them in \"{name}\"; they keep the order of the file"));
        }
        Ok(self)
    }
}

fn spans(rows: &[Vec<usize>]) -> Vec<Range<usize>> {
    let mut end = 0;
    rows.iter()
        .map(|rows| {
            let start = end;
            end += rows.len();
            start..end
        })
        .collect()
}

/// The column that names sequences: as given, that of the attributes, the only key, or the numbers that samples have.
fn entity(table: &Table, attributes: Option<&Table>, options: &SeriesOptions, notes: &mut Vec<String>) -> Result<Option<String>> {
    if let Some(name) = &options.entity {
        match table.schema().index_of(name) {
            Ok(_) => return Ok(Some(name.clone())),
            // The sequences may have another name.
            Err(_) if options.if_there => {}
            Err(error) => return Err(error),
        }
    }
    if let Some(attributes) = attributes {
        let shared = table.schema().names().find(|name| attributes.column(name).is_ok());
        let none = || Error::Table("the file of --attributes has no column of the series; name the one they share with --entity".into());
        return shared.ok_or_else(none).map(|name| Some(name.to_owned()));
    }
    let mut keys = table.schema().columns.iter().filter(|described| described.kind == ColumnKind::Key);
    Ok(match (keys.next(), keys.next()) {
        (Some(key), None) => {
            notes.push(format!("\"{}\" names the sequences; name another column with --entity", key.name));
            Some(key.name.clone())
        }
        (None, _) if is_in_blocks(table) => {
            notes.push(format!("\"{SEQUENCE}\" names the sequences; name another column with --entity"));
            Some(SEQUENCE.to_owned())
        }
        _ => None,
    })
}

/// Whether a column [`SEQUENCE`] numbers rows that stand together, as in a file of samples.
fn is_in_blocks(table: &Table) -> bool {
    let stand_together = |rows: &Vec<usize>| rows.windows(2).all(|pair| pair[1] == pair[0] + 1);
    let groups = table.column(SEQUENCE).and_then(Groups::of);
    groups.is_ok_and(|groups| groups.rows.iter().all(stand_together) && groups.rows.iter().any(|rows| rows.len() > 1))
}

/// The column of the time: as given, the first of dates, or one that counts the rows of every sequence.
fn time(table: &Table, groups: &Groups, options: &SeriesOptions, notes: &mut Vec<String>) -> Result<Option<String>> {
    if let Some(name) = &options.time {
        return match table.schema().index_of(name) {
            Ok(_) => Ok(Some(name.clone())),
            Err(_) if options.if_there => Ok(None),
            Err(error) => Err(error),
        };
    }
    let counts = |(described, column): &(&ColumnSchema, &Column)| {
        let Some(values) = column.numbers().filter(|_| described.kind == ColumnKind::Integer) else { return false };
        let one_by_one = |rows: &Vec<usize>| rows.windows(2).all(|pair| values[pair[1]] == values[pair[0]] + 1.0);
        groups.rows.iter().any(|rows| rows.len() > 1) && groups.rows.iter().all(one_by_one)
    };
    let date = table.iter().find(|(described, _)| described.kind == ColumnKind::Datetime);
    let found = date.or_else(|| table.iter().find(counts)).map(|(described, _)| described.name.clone());
    if let Some(name) = &found {
        notes.push(format!("\"{name}\" is the time; name another column with --time"));
    }
    Ok(found)
}

/// The rule of the times if there is one for all sequences, else the times themselves.
fn clock(described: ColumnSchema, column: &Column, spans: &[Range<usize>]) -> Result<(Clock, Option<Vec<f64>>)> {
    let times = column.numbers().unwrap_or_default();
    let long = spans.iter().find(|span| span.len() > 1);
    let first = spans.first().map_or(0.0, |span| times[span.start]);
    let step = long.map_or(1.0, |span| times[span.start + 1] - times[span.start]);
    let follows = |span: &Range<usize>| span.clone().enumerate().all(|(place, row)| times[row] == first + step * place as f64);
    if step > 0.0 && spans.iter().all(follows) {
        return Ok((Clock::Regular { column: described, first, step }, None));
    }
    Ok((Clock::Times(described), Some(times.to_vec())))
}

/// Names and attributes: what does not change within any sequence, and the rows of the file of attributes.
fn entities(
    (mut described, column): (ColumnSchema, Column),
    parts: &mut Parts,
    groups: &Groups,
    (attributes, options): (Option<Table>, &SeriesOptions),
    notes: &mut Vec<String>,
) -> Result<Table> {
    let firsts: Vec<usize> = groups.rows.iter().map(|rows| rows[0]).collect();
    described.kind = ColumnKind::Id;
    let labels = Column::from_labels(groups.names.iter().map(Some));
    described.complete(&labels);
    let name = described.name.clone();
    drop(column);
    let (mut schema, mut columns) = (Schema { columns: vec![described], ..Schema::default() }, vec![labels]);
    let several = groups.rows.iter().any(|rows| rows.len() > 1) && groups.rows.len() > 1;
    let is_same = |column: &Column| {
        let alike = |a: usize, b: usize| match column {
            Column::Number(values) => values[a].to_bits() == values[b].to_bits() || values[a] == values[b],
            Column::Category { codes, .. } => codes[a] == codes[b],
        };
        groups.rows.iter().all(|rows| rows.iter().all(|&row| alike(row, rows[0])))
    };
    let known = |name: &String| options.constant.contains(name);
    if let Some((changing, _)) = parts.schema.columns.iter().zip(&parts.columns).find(|(of, column)| known(&of.name) && !is_same(column)) {
        let what = format!("column \"{}\" changes within a sequence, and the model learned that it does not", changing.name);
        return Err(Error::Table(what));
    }
    let names = |parts: &Parts, is_one: &dyn Fn(&String, &Column) -> bool| -> Vec<String> {
        let found = parts.schema.columns.iter().zip(&parts.columns).filter(|(of, column)| is_one(&of.name, column));
        found.map(|(of, _)| of.name.clone()).collect()
    };
    let found = names(parts, &|name, column| several && !known(name) && !options.varying.contains(name) && is_same(column));
    if !found.is_empty() {
        notes.push(format!("attributes of whole sequences, since they do not change: {}", found.join(", ")));
    }
    let constant = names(parts, &|name, _| known(name) || found.contains(name));
    for name in &constant {
        let (described, column) = parts.take(name)?;
        schema.columns.push(described);
        columns.push(column.take(&firsts));
    }
    if let Some(attributes) = attributes {
        let own = Groups::of(attributes.column(&name)?)?;
        let places: HashMap<&str, usize> = own.names.iter().zip(&own.rows).map(|(name, rows)| (name.as_str(), rows[0])).collect();
        let place = |name: &String| {
            let none = || Error::Table(format!("sequence \"{}\" has no row in the file of --attributes", crate::table::shorten(name)));
            places.get(name.as_str()).copied().ok_or_else(none)
        };
        let order = groups.names.iter().map(place).collect::<Result<Vec<_>>>()?;
        let mut out = Vec::new();
        for (described, column) in attributes.iter().filter(|(described, _)| described.name != name) {
            if parts.schema.index_of(&described.name).is_ok() || schema.index_of(&described.name).is_ok() {
                continue;
            }
            // What several sequences belong to, such as a path that people take, is a label of theirs.
            let is_label = described.kind == ColumnKind::Key && column.categories().is_some_and(|(_, levels)| levels.len() <= MOST_LABELS);
            if !described.kind.is_modelled() && !is_label {
                out.push(described.name.as_str());
                continue;
            }
            let kind = if is_label { ColumnKind::Categorical } else { described.kind };
            schema.columns.push(ColumnSchema { kind, id: None, ..described.clone() });
            columns.push(column.take(&order));
        }
        if !out.is_empty() {
            notes.push(format!("attributes that name things or never change are left out: {}", out.join(", ")));
        }
    }
    Table::new(schema, columns)
}
