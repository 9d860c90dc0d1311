//! The attributes of whole sequences, for models of windows: a row of a table, drawn first by masked diffusion over columns, then told to the network.

use std::path::Path;

use burn::tensor::{Device, Tensor};
use semblant_core::checkpoint::Checkpoint;
use semblant_core::progress::Event;
use semblant_core::synthesizer::Run;
use semblant_core::{Error, Result, host};
use semblant_data::series::{Series, SeriesRequest, numbered};
use semblant_data::table::{Column, ColumnSchema, Table, TableRequest};
use semblant_tabular::TableModel;
use semblant_tabular::constraints::Constraints;
use semblant_tabular::preparation::{Preparation, Prepared};
use semblant_tabular_masked::MaskedDiffusionConfig;
use semblant_tabular_masked::masked_diffusion::Fitted;
use serde::{Deserialize, Serialize};

/// Labels of a column that have a number of their own; further ones are told as none.
const MOST_LABELS: usize = 256;
/// Numbers that a sequence is told by; the labels of further columns are told as none.
const MOST_NUMBERS: usize = 1 << 12;

/// What is told of each of some sequences: `width` numbers, `[count, width]` row-major.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Features {
    /// `[count, width]`.
    pub values: Vec<f32>,
    /// Numbers of a sequence; 0 where there are no attributes.
    pub width: usize,
}

impl Features {
    /// Those of the sequences at `places`, `[rows, width]`, zeros after the last; `None` where there are no attributes.
    pub fn tensor(&self, places: &[usize], rows: usize, device: &Device) -> Option<Tensor<2>> {
        if self.width == 0 {
            return None;
        }
        let mut values = Vec::with_capacity(rows * self.width);
        places.iter().for_each(|&place| values.extend_from_slice(&self.values[place * self.width..][..self.width]));
        values.resize(rows * self.width, 0.0);
        Some(host::tensor(values, [rows, self.width], device))
    }
}

/// How a column is told.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Told {
    /// A number for each label, 1 for the own one.
    Labels(Vec<String>),
    /// The standardised number, and 1 where it is missing.
    Number { mean: f64, deviation: f64 },
}

impl Told {
    /// In at most `most` numbers.
    fn of(column: &Column, most: usize) -> Self {
        match column {
            Column::Number(values) if most >= 2 => {
                let known: Vec<f64> = values.iter().copied().filter(|value| value.is_finite()).collect();
                let count = known.len().max(1) as f64;
                let mean = known.iter().sum::<f64>() / count;
                let deviation = (known.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / count).sqrt();
                Self::Number { mean, deviation: if deviation > 0.0 { deviation } else { 1.0 } }
            }
            Column::Category { levels, .. } => Self::Labels(levels.iter().take(MOST_LABELS.min(most)).cloned().collect()),
            Column::Number(_) => Self::Labels(Vec::new()),
        }
    }

    fn width(&self) -> usize {
        match self {
            Self::Labels(labels) => labels.len(),
            Self::Number { .. } => 2,
        }
    }

    /// Writes what is told of one row to `out [width]`, which is 0. A column that is not there is missing.
    fn write(&self, column: Option<&Column>, row: usize, out: &mut [f32]) {
        match self {
            Self::Labels(labels) => {
                let label = column.filter(|column| column.numbers().is_none()).and_then(|column| column.label(row));
                if let Some(place) = label.and_then(|label| labels.iter().position(|known| known == label)) {
                    out[place] = 1.0;
                }
            }
            Self::Number { mean, deviation } => {
                match column.and_then(Column::numbers).map(|values| values[row]).filter(|value| value.is_finite()) {
                    Some(value) => out[0] = ((value - mean) / deviation).clamp(-10.0, 10.0) as f32,
                    None => out[1] = 1.0,
                }
            }
        }
    }
}

/// The model of attributes, and how they are told.
pub struct Attributes {
    config: MaskedDiffusionConfig,
    preparation: Preparation,
    told: Vec<(String, Told)>,
    fitted: Fitted,
}

impl Attributes {
    /// Learns the attributes of sequences, if they have any, and tells them.
    ///
    /// # Errors
    /// As [`TableModel::fit`].
    pub(crate) fn fit(series: &Series, run: &mut Run) -> Result<Option<(Self, Features)>> {
        let Some(table) = own(series) else { return Ok(None) };
        run.observer.event(Event::Stage(&format!("attributes of {} sequences", table.rows())));
        let Prepared { preparation, table, notes, .. } = Preparation::fit(&table, false, run.seed)?;
        notes.iter().for_each(|note| run.observer.event(Event::Note(note)));
        let config = MaskedDiffusionConfig::default();
        // In a folder of its own state, which is small: an interrupted fit learns the attributes again.
        let mut own = run.for_worker(run.device.clone());
        (own.folder, own.resume, own.stop) = (None, false, run.stop.clone());
        let fitted = config.fit(&table, &mut own)?.0;
        let learned = table.iter().filter(|(described, _)| described.kind.is_modelled());
        let mut left = MOST_NUMBERS;
        let told = |(described, column): (&ColumnSchema, &Column)| {
            let told = Told::of(column, left);
            left -= told.width();
            (described.name.clone(), told)
        };
        let told = learned.map(told).collect();
        let attributes = Self { config, preparation, told, fitted };
        let features = attributes.features(&table);
        Ok(Some((attributes, features)))
    }

    /// Numbers of a sequence.
    pub fn width(&self) -> usize {
        self.told.iter().map(|(_, told)| told.width()).sum()
    }

    fn features(&self, table: &Table) -> Features {
        let width = self.width();
        let mut values = vec![0.0; table.rows() * width];
        let columns: Vec<Option<&Column>> = self.told.iter().map(|(name, _)| table.column(name).ok()).collect();
        for (row, out) in values.chunks_exact_mut(width.max(1)).enumerate() {
            let mut rest = out;
            for ((_, told), column) in self.told.iter().zip(&columns) {
                let (own, further) = rest.split_at_mut(told.width());
                told.write(*column, row, own);
                rest = further;
            }
        }
        Features { values, width }
    }

    /// The attributes of a request's sequences, as a table and as they are told.
    pub(crate) fn draw(&self, request: &SeriesRequest) -> Result<(Table, Features)> {
        let asked = TableRequest {
            rows: request.rows.clone(),
            conditions: request.conditions.clone(),
            expressions: request.expressions.clone(),
            ..TableRequest::new(0, request.seed)
        };
        let searched = self.config.search(&self.fitted, &asked, &Constraints::default(), &mut |_| ())?;
        if !searched.unmet.is_empty() {
            return Err(Error::Condition(searched.too_rare()));
        }
        let features = self.features(&searched.sample.data);
        Ok((self.preparation.restore(searched.sample.data, request.rows.start, request.seed)?, features))
    }

    /// How the attributes of given sequences are told; those that are not given are told as missing.
    pub(crate) fn of(&self, series: &Series) -> Result<Features> {
        match series.entities() {
            Some(entities) => Ok(self.features(entities)),
            None => Ok(self.features(&numbered("sequence", 0..series.count() as u64)?)),
        }
    }

    /// The model as a part of a file.
    pub(crate) fn write(&self, path: &Path) -> Result<Checkpoint> {
        let mut file = Checkpoint::of::<Series>("attributes");
        file.set_metadata("config", &self.config, path)?;
        file.set_metadata("preparation", &self.preparation, path)?;
        file.set_metadata("told", &self.told, path)?;
        self.config.write(&self.fitted, &mut file, path)?;
        Ok(file)
    }

    /// The model in a part of a file.
    pub(crate) fn read(file: &Checkpoint, path: &Path, device: &Device) -> Result<Self> {
        let config: MaskedDiffusionConfig = semblant_core::config::of_file(file, path)?;
        let preparation: Preparation = file.metadata_as("preparation", path)?;
        preparation.check().map_err(|what| Error::checkpoint(path, what))?;
        let told: Vec<(String, Told)> = file.metadata_as("told", path)?;
        let is_sound = |(_, told): &(String, Told)| match told {
            Told::Labels(labels) => labels.len() <= MOST_LABELS,
            Told::Number { mean, deviation } => mean.is_finite() && deviation.is_finite() && *deviation > 0.0,
        };
        let numbers: usize = told.iter().map(|(_, told)| told.width()).sum();
        if numbers > MOST_NUMBERS || !told.iter().all(is_sound) {
            return Err(Error::checkpoint(path, "it tells its attributes in a way that no model does; fit the model again"));
        }
        let fitted = config.read(file, path, device)?;
        Ok(Self { config, preparation, told, fitted })
    }
}

/// The attributes of sequences: all columns of their entities but the name.
fn own(series: &Series) -> Option<Table> {
    let entities = series.entities().filter(|entities| entities.columns().len() > 1)?;
    let name = &entities.schema().columns[0].name;
    Some(entities.columns_where(|described| described.name != *name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_and_numbers_are_told_with_what_is_missing() {
        let numbers = Column::Number(vec![1.0, 3.0, f64::NAN]);
        let labels = Column::from_labels(vec![Some("a"), Some("b"), None]);
        let told = [Told::of(&numbers, 100), Told::of(&labels, 100)];
        assert_eq!((Told::of(&numbers, 1).width(), Told::of(&labels, 1).width()), (0, 1));
        assert_eq!(told[0], Told::Number { mean: 2.0, deviation: 1.0 });
        let line = |row: usize| {
            let mut out = vec![0.0; 4];
            told[0].write(Some(&numbers), row, &mut out[..2]);
            told[1].write(Some(&labels), row, &mut out[2..]);
            out
        };
        assert_eq!([line(0), line(1), line(2)].concat(), [-1.0, 0.0, 1.0, 0.0, 1.0, 0.0, 0.0, 1.0, 0.0, 1.0, 0.0, 0.0]);
        let other = Column::from_labels(vec![Some("c")]);
        let mut out = vec![0.0; 2];
        told[1].write(Some(&other), 0, &mut out);
        assert_eq!(out, [0.0, 0.0], "a label that was never seen is told as none");
    }

    #[test]
    fn rows_after_the_last_are_zeros() {
        let features = Features { values: vec![1.0, 2.0, 3.0, 4.0], width: 2 };
        let tensor = features.tensor(&[1], 2, &Device::flex()).expect("attributes");
        assert_eq!(host::read(&tensor, <[f32]>::to_vec), [3.0, 4.0, 0.0, 0.0]);
        assert!(Features::default().tensor(&[0], 1, &Device::flex()).is_none());
    }
}
