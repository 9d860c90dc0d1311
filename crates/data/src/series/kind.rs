//! [`Series`] as a kind of data.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use semblant_core::data::{Data, Opened, Writer};
use semblant_core::files;
use semblant_core::options::{Names, OptionSpec, OptionValues};
use semblant_core::{Error, Result};
use serde_json::{Value, json};

use super::folder::FolderWriter;
use super::{Layout, Series, SeriesOptions, SeriesRequest, WINDOW, Wide, WideOption};
use crate::table::{
    ColumnKind, ColumnSchema, DRAWS, DROP, MISSING_TEXTS, REDRAW, ReadOptions, SCHEMA, Table, TableRequest, TableWriter, WHERE,
};

impl Data for Series {
    const KIND: &'static str = "series";
    const ITEMS: &'static str = "sequences";
    type OpenOptions = SeriesOptions;
    type Request = SeriesRequest;
    type Writer = SeriesWriter;

    fn open_options() -> &'static [OptionSpec] {
        const OPTIONS: &[OptionSpec] = &[
            OptionSpec::value(
                "entity",
                "COLUMN",
                "The column that names the sequence of a row; without it the only key column, or all rows are one sequence",
            ),
            OptionSpec::value("time", "COLUMN", "The column of the time; without it the first of dates, or one that counts the rows"),
            OptionSpec::value("attributes", "FILE", "A table with one row for each sequence, which shares the column that names it")
                .naming(Names::Input),
            OptionSpec::value(
                "wide",
                "rows|columns",
                "The file has a row for each sequence, whose columns of numbers are its steps, or a column for each sequence",
            ),
            OptionSpec::value(
                "window",
                "ROWS",
                "Cut windows of so many rows, with the attributes of their sequence; names and times are left out",
            ),
            OptionSpec::value("stride", "ROWS", "With --window: rows from one window to the next [default: 1]"),
            SCHEMA,
            DROP,
            MISSING_TEXTS,
        ];
        OPTIONS
    }

    fn parse_open_options(values: &OptionValues) -> Result<SeriesOptions> {
        let (window, stride) = (values.number("window")?, values.number("stride")?);
        if window.is_none() && stride.is_some() {
            return Err(Error::Config("--stride is the distance of windows; add --window".into()));
        }
        Ok(SeriesOptions {
            table: ReadOptions { target: None, constraints: Vec::new(), ..Table::parse_open_options(values)? },
            entity: values.text("entity").map(str::to_owned),
            time: values.text("time").map(str::to_owned),
            attributes: values.text("attributes").map(PathBuf::from),
            varying: Vec::new(),
            constant: Vec::new(),
            wide: values.text("wide").map(wide).transpose()?,
            window,
            stride,
            if_there: false,
        })
    }

    fn options_to_compare(options: SeriesOptions) -> SeriesOptions {
        SeriesOptions { table: Table::options_to_compare(options.table), attributes: None, if_there: true, ..options }
    }

    fn options_of_model(options: SeriesOptions, metadata: &BTreeMap<String, String>) -> SeriesOptions {
        let form: Value = metadata.get("form").and_then(|text| serde_json::from_str(text).ok()).unwrap_or(Value::Null);
        let columns = |place: &str| serde_json::from_value::<Vec<ColumnSchema>>(form.pointer(place)?.clone()).ok();
        let rows = columns("/schema/columns").or_else(|| columns("/rows/schema/columns"));
        let (Ok(layout), Some(rows)) = (serde_json::from_value::<Layout>(form["layout"].clone()), rows) else { return options };
        // Windows were cut from series that have names and times of their own.
        if layout.entity.as_deref() == Some(WINDOW) {
            return options;
        }
        let varying: Vec<String> = rows.iter().map(|described| described.name.clone()).collect();
        let time = layout.clock.column();
        // A short file may show labels that are all numbers, and times that are all the same.
        let labels = rows.iter().filter(|described| !described.kind.is_number() && described.kind.is_modelled());
        let labels = labels.map(|described| (described.name.clone(), ColumnKind::Categorical));
        let times = time.filter(|time| time.kind == ColumnKind::Datetime).map(|time| (time.name.clone(), time.kind));
        let wide = layout.wide.as_ref().map(|wide| if *wide == Wide::Columns { WideOption::Columns } else { WideOption::Rows });
        SeriesOptions {
            table: ReadOptions { kinds: labels.chain(times).collect(), kinds_if_there: true, ..options.table },
            entity: options.entity.or(layout.entity.clone()),
            time: options.time.or(time.map(|time| time.name.clone())),
            constant: layout.attributes(&varying),
            varying,
            wide: options.wide.or(wide),
            if_there: true,
            ..options
        }
    }

    fn overview(&self) -> Vec<String> {
        let (least, most) = (self.lengths().min().unwrap_or(0), self.longest());
        let lengths = if least == most { format!("{least}") } else { format!("{least} to {most}") };
        let mut lines = vec![format!("{} sequences of {lengths} rows", self.count())];
        lines.extend(self.layout().clock.column().map(|column| format!("time: {}", column.name)));
        if let Some(entities) = self.entities() {
            lines.push("names and attributes".into());
            lines.extend(Table::overview(entities));
        }
        lines.push("values in time".into());
        lines.extend(Table::overview(self.rows()));
        lines
    }

    fn request_options() -> &'static [OptionSpec] {
        const OPTIONS: &[OptionSpec] = &[
            WHERE,
            OptionSpec::value("length", "ROWS", "Rows of every sequence, instead of as many as the model draws"),
            OptionSpec::value("horizon", "ROWS", "With --from: how many rows follow each given sequence"),
            DRAWS,
            REDRAW,
            OptionSpec::value("steps", "N", "Solver steps; more take longer and follow the learned flow more closely"),
        ];
        OPTIONS
    }

    fn parse_request(request: SeriesRequest, values: &OptionValues) -> Result<SeriesRequest> {
        let mut of_attributes = OptionValues::default();
        of_attributes.insert("where", values.all("where").iter().cloned());
        let asked = Table::parse_request(TableRequest::new(0, request.seed), &of_attributes)?;
        let at_least_one = |name: &str| match values.number::<usize>(name)? {
            Some(0) => Err(Error::Config(format!("--{name} 0: ask for at least one"))),
            found => Ok(found),
        };
        let (length, horizon, draws) = (at_least_one("length")?, at_least_one("horizon")?, at_least_one("draws")?);
        if draws.is_some() && horizon.is_none() {
            return Err(Error::Config("--draws says how often sequences are continued; add --from and --horizon".into()));
        }
        Ok(SeriesRequest {
            conditions: asked.conditions,
            expressions: asked.expressions,
            length,
            horizon,
            draws: draws.unwrap_or(1),
            redraw: values.all("redraw").to_vec(),
            steps: values.number("steps")?,
            ..request
        })
    }

    fn conform(self, like: &Self) -> Result<Opened<Self>> {
        let rows = self.rows.as_ref().clone().conform(like.rows())?;
        let mut notes = rows.notes;
        let entities = match (self.entities, like.entities()) {
            (Some(own), Some(real)) if own.schema().columns[0].name == real.schema().columns[0].name => {
                let conformed = own.conform(real)?;
                notes.extend(conformed.notes);
                Some(conformed.table)
            }
            (own, _) => own,
        };
        Ok(Opened { data: Self { rows: Arc::new(rows.table), entities, ..self }, notes })
    }

    fn describe(metadata: &BTreeMap<String, String>) -> (Vec<String>, Value) {
        let value = |key: &str| metadata.get(key).and_then(|text| serde_json::from_str::<Value>(text).ok()).unwrap_or(Value::Null);
        let form = value("form");
        let columns = form.pointer("/schema/columns").or_else(|| form.pointer("/rows/schema/columns")).cloned().unwrap_or(Value::Null);
        let line = |column: &Value| {
            format!("  {:12} {}", column["kind"].as_str().unwrap_or_default(), column["name"].as_str().unwrap_or_default())
        };
        let length = form.get("length").cloned().unwrap_or(Value::Null);
        let lengths =
            length.as_u64().map_or_else(|| "sequences of any number of rows".to_owned(), |length| format!("sequences of {length} rows"));
        let mut lines = vec![lengths, "columns".to_owned()];
        lines.extend(columns.as_array().into_iter().flatten().map(line));
        (lines, json!({ "length": length, "columns": columns }))
    }

    fn open(source: &Path, options: &SeriesOptions) -> Result<Opened<Self>> {
        let named = |error: crate::Error| match error {
            crate::Error::Table(what) => crate::Error::format(source, what),
            other @ crate::Error::UnknownColumn { .. } => crate::Error::format(source, other.to_string()),
            other => other,
        };
        Ok(Self::read(source, options).map_err(named)?)
    }

    /// Never by its name: a table of the same format has it too. A command names the kind, or a model of series.
    fn recognizes(_: &Path) -> bool {
        false
    }

    fn len(&self) -> usize {
        self.count()
    }

    fn values(&self) -> Option<(usize, &'static str)> {
        Some((self.rows().rows(), "row"))
    }

    fn dimensions(&self) -> Option<usize> {
        Some(self.common_length()? * self.rows().columns().len())
    }

    fn select(&self, indices: &[usize]) -> Self {
        let spans = indices.iter().map(|&index| self.spans[index].clone()).collect();
        let entities = self.entities.as_ref().map(|entities| entities.take(indices));
        Self { spans, entities, ..self.clone() }
    }

    fn concat(parts: Vec<Self>) -> Result<Self> {
        let mut parts = parts.into_iter();
        let none = || Error::Data("there are no series to join".into());
        let first = parts.next().ok_or_else(none)?;
        let (mut rows, mut times, mut spans) = (first.rows.as_ref().clone(), first.times.as_deref().cloned(), first.spans);
        let (mut entities, layout) = (first.entities, first.layout);
        for part in parts {
            let before = rows.rows();
            spans.extend(part.spans.iter().map(|span| before + span.start..before + span.end));
            rows.append(&part.rows)?;
            match (&mut times, &part.times) {
                (Some(times), Some(more)) => times.extend(more.iter()),
                (None, None) => {}
                _ => return Err(Error::Data("series with and without times of their own cannot be joined".into())),
            }
            match (&mut entities, &part.entities) {
                (Some(entities), Some(more)) => entities.append(more)?,
                (None, None) => {}
                _ => return Err(Error::Data("series with and without names cannot be joined".into())),
            }
        }
        Ok(Self::new(rows, times, spans, entities, layout.as_ref().clone())?)
    }

    fn create(path: &Path, like: &Self) -> Result<SeriesWriter> {
        let layout = like.layout();
        if FolderWriter::is_for(path) {
            return Ok(SeriesWriter::Folder(FolderWriter::create(path, layout.files.as_deref().unwrap_or("csv"))?));
        }
        Ok(match &layout.wide {
            // No rows are needed for it.
            None => SeriesWriter::Long(TableWriter::create(path, like.select(&[]).to_table()?.schema())?),
            Some(Wide::Rows(steps)) => {
                let longest = like.longest().max(steps.len());
                let schema = like.select(&[]).to_rows(steps, longest)?.schema().clone();
                SeriesWriter::Rows { writer: TableWriter::create(path, &schema)?, steps: steps.clone(), longest }
            }
            Some(Wide::Columns) => {
                Self::check_output(path)?;
                SeriesWriter::Columns { path: path.to_owned(), parts: Vec::new() }
            }
        })
    }

    fn check_output(path: &Path) -> Result<()> {
        if FolderWriter::is_for(path) {
            return files::temporary_folder(path).map(drop).map_err(|error| Error::io(path, error));
        }
        Ok(TableWriter::check(path)?)
    }
}

fn wide(text: &str) -> Result<WideOption> {
    match text {
        "rows" => Ok(WideOption::Rows),
        "columns" => Ok(WideOption::Columns),
        other => Err(Error::Config(format!(
            "--wide {other}: a wide file has rows or columns that are sequences; say --wide rows or --wide columns"
        ))),
    }
}

/// Writes series in the form that they were read in.
#[derive(Debug)]
pub enum SeriesWriter {
    /// One table, row by row, sequence after sequence.
    Long(TableWriter),
    /// A row for each sequence.
    Rows {
        /// Writes the rows.
        writer: TableWriter,
        /// The names of the steps.
        steps: Vec<String>,
        /// The steps that there are columns for.
        longest: usize,
    },
    /// A column for each sequence; these are all known only at the end.
    Columns {
        /// The file.
        path: PathBuf,
        /// What was written so far.
        parts: Vec<Series>,
    },
    /// A file for each sequence.
    Folder(FolderWriter),
}

impl Writer<Series> for SeriesWriter {
    fn write(&mut self, part: &Series) -> Result<()> {
        match self {
            Self::Long(writer) => Ok(writer.write(&part.to_table()?)?),
            Self::Rows { writer, steps, longest } => {
                if part.longest() > *longest {
                    let what = format!(
                        "a sequence of {} rows does not fit the {longest} columns for steps; ask for equal ones with --length",
                        part.longest()
                    );
                    return Err(Error::Data(what));
                }
                Ok(writer.write(&part.to_rows(steps, *longest)?)?)
            }
            Self::Columns { parts, .. } => {
                parts.push(part.clone());
                Ok(())
            }
            Self::Folder(writer) => writer.write(part),
        }
    }

    fn finish(self) -> Result<()> {
        match self {
            Self::Long(writer) | Self::Rows { writer, .. } => Ok(writer.finish()?),
            Self::Columns { path, parts } => {
                let table = Series::concat(parts)?.to_columns()?;
                let mut writer = TableWriter::create(&path, table.schema())?;
                writer.write(&table)?;
                Ok(writer.finish()?)
            }
            Self::Folder(writer) => writer.finish(),
        }
    }
}
