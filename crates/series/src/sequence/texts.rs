//! Columns of free text of rows and of attributes: drawn after the rest of a row, by a model of text that is told of it and of the sequence's attributes.

use std::path::Path;

use burn::tensor::Device;
use semblant_core::Result;
use semblant_core::checkpoint::Checkpoint;
use semblant_core::synthesizer::{Run, Sample};
use semblant_data::series::{Series, SeriesRequest};
use semblant_data::table::{Column, Schema, Table};
use semblant_tabular::completion::filled;
use semblant_text::TextArConfig;
use semblant_text::columns::TextColumns;

/// The parts of a file.
const PARTS: [&str; 2] = ["rows", "attributes"];

/// The texts of rows, and those of attributes.
#[derive(Default)]
pub(super) struct Texts {
    rows: TextColumns,
    attributes: TextColumns,
}

impl Texts {
    /// Series with placeholders for free texts.
    pub(super) fn plain_of(series: &Series) -> Result<Series> {
        with(series, &TextColumns::plain_of, &TextColumns::plain_of)
    }

    /// Given series with placeholders for the texts of these columns.
    pub(super) fn plain(&self, series: &Series) -> Result<Series> {
        with(series, &|rows| self.rows.plain(rows), &|entities| self.attributes.plain(entities))
    }

    /// Learns the texts of series.
    pub(super) fn fit(series: &Series, config: &TextArConfig, run: &mut Run) -> Result<Self> {
        let rows = run.part(PARTS[0], |run| TextColumns::fit(&told(series)?, config, run))?;
        let attributes = match series.entities() {
            Some(entities) => run.part(PARTS[1], |run| TextColumns::fit(entities, config, run))?,
            None => TextColumns::default(),
        };
        Ok(Self { rows, attributes })
    }

    /// A sample with a text for every placeholder. Sequence `i` has the address `first + i`.
    pub(super) fn fill(&self, sample: Sample<Series>, first: u64, request: &SeriesRequest) -> Result<Sample<Series>> {
        if self.rows.is_empty() && self.attributes.is_empty() {
            return Ok(sample);
        }
        let Sample { mut data, drawn_rows } = sample;
        if let Some(entities) = data.entities() {
            data = data.with_entities(self.attributes.fill(entities.clone(), |row| first + row as u64, request.seed)?)?;
        }
        let mut addresses = vec![0; data.rows().rows()];
        for (sequence, span) in data.spans().iter().enumerate() {
            span.clone().enumerate().for_each(|(place, row)| addresses[row] = (first + sequence as u64) << 24 | place as u64);
        }
        let whole = self.rows.fill(told(&data)?, |row| addresses[row], request.seed)?;
        let own = data.rows().columns().len();
        let (schema, columns) = (whole.schema(), whole.columns());
        let schema = Schema { columns: schema.columns[..own].to_vec(), ..data.rows().schema().clone() };
        let data = data.with_rows(Table::new(schema, columns[..own].to_vec())?)?;
        Ok(Sample { data, drawn_rows })
    }

    /// The texts of given series in place of their placeholders, where the sample has the same rows.
    pub(super) fn returned(&self, sample: Sample<Series>, given: &Series) -> Result<Sample<Series>> {
        let is_same = sample.data.rows().rows() == given.rows().rows() && sample.data.spans() == given.spans();
        if self.rows.is_empty() && self.attributes.is_empty() || !is_same {
            return Ok(sample);
        }
        let mut data = sample.data.with_rows(self.rows.returned(sample.data.rows(), given.rows(), filled)?)?;
        if let (Some(made), Some(given)) = (data.entities(), given.entities()) {
            data = data.with_entities(self.attributes.returned(made, given, filled)?)?;
        }
        Ok(Sample { data, ..sample })
    }

    /// The nats of the texts of rows, a sum for every sequence.
    pub(super) fn nats_of_rows(&self, series: &Series) -> Result<Vec<(String, Vec<f64>)>> {
        if self.rows.is_empty() {
            return Ok(Vec::new());
        }
        let of = |(name, nats): (String, Vec<f64>)| (name, series.spans().iter().map(|span| nats[span.clone()].iter().sum()).collect());
        Ok(self.rows.negative_log_likelihoods(&told(series)?)?.into_iter().map(of).collect())
    }

    /// The nats of the texts of attributes, one for every sequence.
    pub(super) fn nats_of_attributes(&self, series: &Series) -> Result<Vec<(String, Vec<f64>)>> {
        series.entities().map_or_else(|| Ok(Vec::new()), |entities| self.attributes.negative_log_likelihoods(entities))
    }

    pub(super) fn write(&self, file: &mut Checkpoint, path: &Path) -> Result<()> {
        for (name, texts) in PARTS.iter().zip([&self.rows, &self.attributes]) {
            let mut part = Checkpoint::default();
            texts.write(&mut part, path)?;
            if !texts.is_empty() {
                file.add_part(name, part);
            }
        }
        Ok(())
    }

    pub(super) fn read(file: &Checkpoint, path: &Path, device: &Device) -> Result<Self> {
        let [rows, attributes] = PARTS.map(|name| TextColumns::read(&file.part(name), path, device));
        Ok(Self { rows: rows?, attributes: attributes? })
    }
}

type Change<'a> = &'a dyn Fn(&Table) -> Result<Table>;

fn with(series: &Series, of_rows: Change<'_>, of_entities: Change<'_>) -> Result<Series> {
    let plain = series.with_rows(of_rows(series.rows())?)?;
    match plain.entities() {
        Some(entities) => Ok(plain.with_entities(of_entities(entities)?)?),
        None => Ok(plain),
    }
}

/// What texts of rows are told of: the columns of the rows, and the attributes of their sequences.
fn told(series: &Series) -> Result<Table> {
    let rows = series.rows();
    let Some(entities) = series.entities() else { return Ok(rows.clone()) };
    let mut owners = vec![0; rows.rows()];
    for (sequence, span) in series.spans().iter().enumerate() {
        owners[span.clone()].fill(sequence);
    }
    let learned = entities.columns_where(|described| described.kind.is_modelled() && rows.schema().index_of(&described.name).is_err());
    let learned = learned.take(&owners);
    let mut schema = rows.schema().clone();
    schema.columns.extend(learned.schema().columns.iter().cloned());
    let columns: Vec<Column> = rows.columns().iter().chain(learned.columns()).cloned().collect();
    Ok(Table::new(schema, columns)?)
}
