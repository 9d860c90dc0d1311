//! What a model file says of sequences: their columns, times and attributes.

use semblant_core::{Error, Result};
use semblant_data::series::{Clock, Layout, Series};
use semblant_data::table::{Column, ColumnKind, ColumnSchema, Schema, Table};
use semblant_masked_diffusion::Cell;
use semblant_tabular::preparation::{Preparation, Prepared};
use semblant_tabular_masked::bins::BinsConfig;
use semblant_tabular_masked::net;
use semblant_tabular_masked::tokens::TableTokens;
use serde::{Deserialize, Serialize};

use super::places::{Following, are_sound, following};
use super::settings::Chosen;
use super::standing::{Seasons, Standing, standings};
use super::times::{Known, known_place, rows_of_a_day, time, typical_step};
use super::{SequenceConfig, cells_of};
use crate::given::free_name;

/// The number of rows of a sequence, among its attributes.
pub(super) const LENGTH: &str = "number of rows";

/// What a file says of the series.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Form {
    pub(super) layout: Layout,
    /// How sequences are named.
    pub(super) entity: Option<ColumnSchema>,
    /// Whether all rows are one series, whose samples have any length.
    pub(super) is_single: bool,
    pub(super) longest: usize,
    /// The first and the last time.
    pub(super) covered: [f64; 2],
    pub(super) rows_of_a_day: usize,
    /// Whether the network has logits of steps from where a row would be if it moved as a day ago. Models of earlier versions have none.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) daily: bool,
    /// Whether the network is told how long tokens have stayed the same. Models of earlier versions are not.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) stays: bool,
    /// What is usual at a time: how far the last row is from it, and how long its tokens have stayed, are what logits of steps depend on. Models of earlier
    /// versions have none.
    #[serde(default, skip_serializing_if = "Seasons::is_empty")]
    pub(super) seasons: Seasons,
    pub(super) known: Known,
    /// The column of rows that has the time since the row before, where times follow no rule.
    pub(super) gap: Option<String>,
    /// The column of attributes that has the time of the first row.
    pub(super) start: Option<String>,
    pub(super) chosen: Chosen,
    pub(super) tokens: TableTokens,
    /// For every position of a row, where in its bin a number lies after the last one.
    pub(super) following: Vec<Option<Following>>,
    pub(super) rows: Preparation,
    pub(super) attributes: Option<Preparation>,
    /// How attributes that are always given are told; none where a model of their own draws them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) given: Option<TableTokens>,
}

/// The series, prepared to be learned.
pub(super) struct Ready {
    pub(super) form: Form,
    /// The rows as cells, `[positions][rows]`.
    pub(super) cells: Vec<Vec<Cell>>,
    /// The places of successive rows of one sequence.
    pub(super) pairs: Vec<(usize, usize)>,
    pub(super) attributes: Option<Table>,
    pub(super) notes: Vec<String>,
}

impl Form {
    /// The form of series, their rows as cells, and the table of their attributes.
    /// With `given` attributes a single sequence is one of many that may be asked for.
    pub(super) fn of(series: &Series, config: &SequenceConfig, given: bool, seed: u64) -> Result<Ready> {
        const LEAST_ROWS: usize = 40;
        let is_single = series.count() == 1 && !given;
        if is_single && series.length(0) < LEAST_ROWS {
            return Err(Error::Data(format!("a series of {} rows is too short to learn from; {LEAST_ROWS} are needed", series.length(0))));
        }
        let gap = match &series.layout().clock {
            Clock::Times(column) => Some(free_name(series.layout(), &format!("time since the last {}", column.name))),
            _ => None,
        };
        let Prepared { preparation: rows_prepared, table: rows, mut notes, .. } =
            Preparation::fit(&with_gaps(series, gap.as_deref())?, false, seed)?;
        let mut start = None;
        let attributes = if is_single { None } else { Some(attributes(series, &mut start)?) };
        let attributes = attributes.map(|table| Preparation::fit(&table, false, seed)).transpose()?;
        let (attributes_prepared, attributes) = match attributes {
            Some(Prepared { preparation, table, notes: more, .. }) => {
                notes.extend(more);
                (Some(preparation), Some(table))
            }
            None => (None, None),
        };
        let chosen = config.choose(rows.rows());
        let tokens = TableTokens::fit(&rows, &BinsConfig { bins: chosen.bins, most_single: 8 * chosen.bins })?;
        let cells = cells_of(&tokens, &rows)?;
        let of_attributes = attributes.as_ref().filter(|_| given);
        let given = of_attributes.map(|table| TableTokens::fit(table, &BinsConfig { bins: chosen.bins, most_single: 8 * chosen.bins }));
        let pairs: Vec<(usize, usize)> =
            series.spans().iter().flat_map(|span| (span.start + 1..span.end).map(|row| (row - 1, row))).collect();
        let all = || 0..series.count();
        let first = all().map(|sequence| time(series, sequence, 0)).fold(f64::INFINITY, f64::min);
        let last = all().map(|sequence| time(series, sequence, series.length(sequence) - 1)).fold(f64::NEG_INFINITY, f64::max);
        let known = Known::of(series, typical_step(series), !is_single);
        let is_irregular = gap.is_some();
        let times: Vec<f64> = all()
            .flat_map(|sequence| (0..series.length(sequence)).map(move |index| time(series, sequence, known_place(is_irregular, index))))
            .collect();
        let form = Self {
            layout: series.layout().clone(),
            entity: series.entities().map(|entities| entities.schema().columns[0].clone()),
            is_single,
            longest: series.longest(),
            covered: [first, last],
            rows_of_a_day: rows_of_a_day(series),
            daily: rows_of_a_day(series) > 0,
            stays: true,
            seasons: Seasons::fit(&net::Layout::new(&tokens, 0), &known, &cells, &times),
            known,
            gap,
            start,
            chosen,
            following: following(&tokens, &cells, &pairs),
            tokens,
            rows: rows_prepared,
            attributes: attributes_prepared,
            given: given.transpose()?,
        };
        Ok(Ready { form, cells, pairs, attributes, notes })
    }

    /// Refuses what a file may hold and no form has.
    pub(super) fn check(&self) -> Result<(), String> {
        const MOST: usize = 1 << 24;
        const MOST_WIDTH: usize = 1 << 13;
        let Chosen { width, hidden, .. } = self.chosen;
        let sized = (1..=MOST).contains(&self.longest)
            && self.rows_of_a_day <= 1024
            && (1..=MOST_WIDTH).contains(&width)
            && (1..=MOST_WIDTH).contains(&hidden)
            && self.covered.iter().all(|time| time.is_finite());
        let timed = match &self.layout.clock {
            Clock::Times(_) => self.gap.is_some(),
            Clock::Regular { first, step, .. } => self.gap.is_none() && first.is_finite() && step.is_finite(),
            Clock::Order => self.gap.is_none(),
        };
        if !sized || !timed || self.is_single != self.attributes.is_none() {
            return Err("the file describes series that cannot be; fit the model again".into());
        }
        self.tokens.check()?;
        if self.given.is_some() && self.attributes.is_none() {
            return Err("the file gives attributes to series that have none; fit the model again".into());
        }
        self.given.as_ref().map_or(Ok(()), TableTokens::check)?;
        if !self.seasons.are_sound(self.tokens.positions().len(), &self.known) {
            return Err("the seasons are not those of the columns; fit the model again".into());
        }
        if !are_sound(&self.following, &self.tokens) {
            return Err("the places of numbers are not those of its bins; fit the model again".into());
        }
        self.rows.check()?;
        self.attributes.as_ref().map_or(Ok(()), Preparation::check)
    }

    /// How the rows of series of this form stand, `[positions][rows]`.
    pub(super) fn standings(&self, series: &Series, layout: &net::Layout, cells: &[Vec<Cell>]) -> Vec<Vec<Standing>> {
        standings(series, layout, cells, (&self.seasons, &self.known, self.gap.is_some()))
    }

    /// How many rows a sequence of these attributes has.
    pub(super) fn lengths(&self, attributes: &Table) -> Result<Vec<usize>> {
        let lengths = attributes.column(LENGTH)?.numbers().unwrap_or_default().to_vec();
        Ok(lengths.into_iter().map(|length| if length >= 1.0 { (length as usize).min(self.longest) } else { 1 }).collect())
    }

    /// The attributes without what only the model has.
    pub(super) fn own_attributes(&self, attributes: &Table) -> Table {
        attributes.columns_where(|described| described.name != LENGTH && Some(described.name.as_str()) != self.start.as_deref())
    }
}

/// The rows, with the time since the row before in front where it is asked for; the first row of a sequence has none.
pub(super) fn with_gaps(series: &Series, gap: Option<&str>) -> Result<Table> {
    let Some(name) = gap else { return Ok(series.rows().clone()) };
    let mut gaps = vec![f64::NAN; series.rows().rows()];
    for (sequence, span) in series.spans().iter().enumerate() {
        for index in 1..span.len() {
            gaps[span.start + index] = time(series, sequence, index) - time(series, sequence, index - 1);
        }
    }
    let is_whole = gaps.iter().all(|gap| gap.is_nan() || gap.fract() == 0.0);
    let mut schema = Schema { constraints: Vec::new(), ..series.rows().schema().clone() };
    schema.columns.insert(0, ColumnSchema::new(name, if is_whole { ColumnKind::Integer } else { ColumnKind::Continuous }));
    let mut columns = series.rows().columns().to_vec();
    columns.insert(0, Column::Number(gaps));
    Ok(Table::new(schema, columns)?)
}

/// What is drawn of a sequence before its rows: attributes, the number of rows, and the time of the first where it differs.
pub(super) fn attributes(series: &Series, start: &mut Option<String>) -> Result<Table> {
    let (mut described, mut columns) = (Vec::new(), Vec::new());
    if let Some(entities) = series.entities() {
        // The first column names the sequence.
        for (schema, column) in entities.iter().skip(1) {
            described.push(schema.clone());
            columns.push(column.clone());
        }
    }
    described.push(ColumnSchema::new(LENGTH, ColumnKind::Integer));
    columns.push(Column::Number(series.spans().iter().map(|span| span.len() as f64).collect()));
    if let Clock::Times(column) = &series.layout().clock {
        let name = format!("first {}", column.name);
        described.push(ColumnSchema { name: name.clone(), ..column.clone() });
        columns.push(Column::Number((0..series.count()).map(|sequence| time(series, sequence, 0)).collect()));
        *start = Some(name);
    }
    Ok(Table::new(Schema { columns: described, ..Schema::default() }, columns)?)
}
