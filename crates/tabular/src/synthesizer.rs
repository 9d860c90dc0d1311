//! Table models behind the `Synthesizer` trait.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use burn::tensor::Device;
use semblant_core::checkpoint::Checkpoint;
use semblant_core::config::{self, Config};
use semblant_core::progress::Event;
use semblant_core::synthesizer::{Entry, Found, Likelihood, Rebuild, Run, Sample, Summary, Synthesizer, not_fitted};
use semblant_core::{Error, Result};
use semblant_data::table::{Table, TableRequest};
use semblant_text::TextArConfig;
use semblant_text::columns::{self, TextColumns};
use serde_json::Value;

use crate::completion::{Completion, alike, with_given};
use crate::constraints::Constraints;
use crate::constraints::unique::{self, Seen};
use crate::preparation::{Preparation, Prepared};
use crate::rejection::Searched;

/// The metadata key of the preparation of the table.
const PREPARATION: &str = "preparation";

/// Attempts at a row in which a text is given.
pub(crate) const CANDIDATES: u64 = 32;

/// The seed of an attempt, for the first that of the request.
pub(crate) fn seed_of(seed: u64, attempt: u64) -> u64 {
    seed ^ attempt.wrapping_mul(0x9E37_79B9_7F4A_7C15)
}

/// Rows of a request.
struct Attempt {
    sample: Sample<Table>,
    /// Rows that do not meet the conditions.
    unmet: Vec<usize>,
    /// Why.
    cut: Option<String>,
}

/// A table model, implemented by its configuration.
pub trait TableModel: Config {
    /// The name that `--model` takes and the model file holds.
    const NAME: &'static str;
    /// What it is, in one line.
    const SUMMARY: &'static str;
    /// What was learned: all that the file holds apart from the configuration.
    type Fitted: Send + Sync;

    /// Learns from a table.
    ///
    /// # Errors
    /// As [`Synthesizer::fit`].
    fn fit(&self, table: &Table, run: &mut Run) -> Result<(Self::Fitted, Summary)>;

    /// Whether the model excludes what constraints forbid while it draws. Else it learns columns with constraints in a form that cannot break
    /// them.
    const EXCLUDES: bool = false;

    /// Makes rows of the user's columns, and says which could not be made to meet the conditions and the constraints; `watch` hears how many do so
    /// far.
    ///
    /// # Errors
    /// As [`Synthesizer::search`].
    fn search(
        &self,
        fitted: &Self::Fitted,
        request: &TableRequest,
        constraints: &Constraints,
        watch: &mut dyn FnMut(u64),
    ) -> Result<Searched>;

    /// Puts what was learned into a file.
    ///
    /// # Errors
    /// A tensor that cannot be read back; `path` is named.
    fn write(&self, fitted: &Self::Fitted, file: &mut Checkpoint, path: &Path) -> Result<()>;

    /// What the model can do with given rows, if it can.
    fn completion(&self) -> Option<&dyn Completion<Self::Fitted>> {
        None
    }

    /// Takes what was learned out of a file.
    ///
    /// # Errors
    /// A damaged file; `path` is named.
    fn read(&self, file: &Checkpoint, path: &Path, device: &Device) -> Result<Self::Fitted>;
}

/// A table model with its configuration, fitted or not.
#[derive(Debug)]
pub struct TableSynthesizer<C: TableModel> {
    config: C,
    fitted: Option<C::Fitted>,
    /// None for a model of a file that states none.
    preparation: Option<Preparation>,
    constraints: Constraints,
    texts: TextColumns,
    texts_config: TextArConfig,
    seen: Mutex<Seen>,
}

impl<C: TableModel> TableSynthesizer<C> {
    /// An unfitted model.
    ///
    /// # Errors
    /// A setting out of its range.
    pub fn new(config: C) -> Result<Self> {
        config.check()?;
        Ok(Self { config, ..Self::default() })
    }

    /// A model that was fitted elsewhere.
    pub fn from_fitted(config: C, fitted: C::Fitted) -> Self {
        Self { config, fitted: Some(fitted), ..Self::default() }
    }

    /// The fitted model in a file.
    ///
    /// # Errors
    /// A file that is missing, damaged, or holds another model.
    pub fn load(path: impl AsRef<Path>, device: &Device) -> Result<Self> {
        let path = path.as_ref();
        Self::from_checkpoint(&Checkpoint::read(path)?, path, device)
    }

    /// The fitted model in a file that was read from `path`.
    ///
    /// # Errors
    /// As [`TableSynthesizer::load`].
    pub fn from_checkpoint(file: &Checkpoint, path: &Path, device: &Device) -> Result<Self> {
        file.expect_model(C::NAME, path)?;
        let config: C = config::of_file(file, path)?;
        let fitted = config.read(file, path, device)?;
        let preparation: Option<Preparation> =
            if file.metadata.contains_key(PREPARATION) { Some(file.metadata_as(PREPARATION, path)?) } else { None };
        preparation.as_ref().map_or(Ok(()), Preparation::check).map_err(|what| Error::checkpoint(path, what))?;
        let constraints = preparation.as_ref().map(Preparation::constraints).transpose();
        let constraints = constraints.map_err(|error| Error::checkpoint(path, error.to_string()))?.unwrap_or_default();
        let texts = TextColumns::read(file, path, device)?;
        Ok(Self { config, fitted: Some(fitted), preparation, constraints, texts, ..Self::default() })
    }

    /// The model as a file that is not yet written; `path` is only named in errors.
    ///
    /// # Errors
    /// A model that was not fitted.
    pub fn to_checkpoint(&self, path: &Path) -> Result<Checkpoint> {
        let mut file = Checkpoint::of::<Table>(C::NAME);
        file.set_metadata("config", &self.config, path)?;
        if let Some(preparation) = &self.preparation {
            file.set_metadata(PREPARATION, preparation, path)?;
        }
        self.config.write(self.fitted()?, &mut file, path)?;
        self.texts.write(&mut file, path)?;
        Ok(file)
    }

    /// The same with other settings of the models of columns of free text.
    ///
    /// # Errors
    /// A setting out of its range.
    pub fn with_texts(self, texts_config: TextArConfig) -> Result<Self> {
        texts_config.check()?;
        Ok(Self { texts_config, ..self })
    }

    /// The settings.
    pub fn config(&self) -> &C {
        &self.config
    }

    pub(crate) fn constraints(&self) -> &Constraints {
        &self.constraints
    }

    pub(crate) fn texts(&self) -> &TextColumns {
        &self.texts
    }

    pub(crate) fn preparation(&self) -> Option<&Preparation> {
        self.preparation.as_ref()
    }

    pub(crate) fn fitted(&self) -> Result<&C::Fitted> {
        self.fitted.as_ref().ok_or_else(not_fitted)
    }

    fn asked(&self, request: &TableRequest) -> Result<()> {
        if request.rows.is_empty() {
            return Err(Error::Config("the request has no rows; sample at least one".into()));
        }
        self.fitted().map(|_| ())
    }

    /// The request with given rows in the kinds of the model's columns, and these rows with their texts.
    fn with_own_columns(&self, request: &TableRequest) -> Result<(TableRequest, Option<Table>)> {
        let (Some(given), Some(preparation)) = (&request.given, &self.preparation) else {
            return Ok((request.clone(), request.given.as_deref().cloned()));
        };
        let plain = alike(&self.texts.plain(given)?, &preparation.schema)?;
        let whole = alike(given, &self.texts.schema(&preparation.schema))?;
        Ok((TableRequest { given: Some(Arc::new(plain)), ..request.clone() }, Some(whole)))
    }

    /// An attempt at the rows of a request, each with what is given of it but texts that are still to be drawn. Names are the same in every attempt.
    fn attempt(&self, request: &TableRequest, number: u64, given: Option<&Table>, watch: &mut dyn FnMut(u64)) -> Result<Attempt> {
        let fitted = self.fitted()?;
        let drawn = TableRequest { seed: seed_of(request.seed, number), ..request.clone() };
        let searched = if self.constraints.unique().is_empty() {
            self.config.search(fitted, &drawn, &self.constraints, watch)?
        } else {
            unique::search(&self.constraints, &drawn, &self.seen, &mut |request| {
                self.config.search(fitted, request, &self.constraints, &mut |_| ())
            })?
        };
        let cut = (!searched.unmet.is_empty()).then(|| searched.too_rare());
        let Searched { sample, unmet, .. } = searched;
        // Names belong to addresses, so they are given before rows are taken out.
        let mut sample = self.restored(sample, request)?;
        if let Some(given) = given {
            sample.data = with_given(sample.data, given, request.rows.start)?;
        }
        Ok(Attempt { sample, unmet, cut })
    }

    /// Rows in which texts are given, by how probable these are beside the rest: of [`CANDIDATES`] attempts one for each row.
    fn by_texts(&self, first: Attempt, request: &TableRequest, given: &Table) -> Result<Attempt> {
        if !self.constraints.unique().is_empty() {
            let what = "rows that must be unique cannot be drawn by texts that are given; leave the column of the text out of --given";
            return Err(Error::Condition(what.into()));
        }
        let mut all = vec![first];
        for number in 1..CANDIDATES {
            all.push(self.attempt(request, number, Some(given), &mut |_| ())?);
        }
        let tables: Vec<Table> = all.iter().map(|attempt| attempt.sample.data.clone()).collect();
        let is_made = |candidate: usize, row: usize| all[candidate].unmet.binary_search(&row).is_err();
        let data = self.texts.choose(&tables, is_made, request.seed)?;
        let drawn_rows = all.iter().map(|attempt| attempt.sample.drawn_rows).sum();
        let Attempt { unmet, cut, .. } = all.swap_remove(0);
        Ok(Attempt { sample: Sample { data, drawn_rows }, unmet, cut })
    }

    /// Rows from the beginning of the request, with what the model did not learn.
    fn restored(&self, sample: Sample<Table>, request: &TableRequest) -> Result<Sample<Table>> {
        Ok(match &self.preparation {
            Some(preparation) => Sample { data: preparation.restore(sample.data, request.rows.start, request.seed)?, ..sample },
            None => sample,
        })
    }
}

impl<C: TableModel> Default for TableSynthesizer<C> {
    /// An unfitted model with the default settings.
    fn default() -> Self {
        Self {
            config: C::default(),
            fitted: None,
            preparation: None,
            constraints: Constraints::default(),
            texts: TextColumns::default(),
            texts_config: TextArConfig::default(),
            seen: Mutex::default(),
        }
    }
}

impl<C: TableModel> Synthesizer<Table> for TableSynthesizer<C> {
    fn fit(&mut self, data: &Table, run: &mut Run) -> Result<Summary> {
        let plain = TextColumns::plain_of(data)?;
        let Prepared { preparation, constraints, table, notes, .. } = Preparation::fit(&plain, !C::EXCLUDES, run.seed)?;
        notes.iter().for_each(|note| run.observer.event(Event::Note(note)));
        let (fitted, mut summary) = TextColumns::before(data, run, |run| self.config.fit(&table, run))?;
        let started = Instant::now();
        self.texts = TextColumns::fit(data, &self.texts_config, run)?;
        summary.train_secs += started.elapsed().as_secs_f64();
        (self.fitted, self.preparation, self.constraints, self.seen) = (Some(fitted), Some(preparation), constraints, Mutex::default());
        Ok(summary)
    }

    fn sample(&self, request: &TableRequest) -> Result<Sample<Table>> {
        let Found { sample, cut } = self.search(request, &mut |_| ())?;
        cut.map_or(Ok(sample), |why| Err(Error::Condition(why)))
    }

    fn search(&self, request: &TableRequest, watch: &mut dyn FnMut(u64)) -> Result<Found<Table>> {
        self.asked(request)?;
        let (request, given) = self.with_own_columns(request)?;
        let attempt = self.attempt(&request, 0, given.as_ref(), watch)?;
        let Attempt { mut sample, unmet, cut } = match given.filter(|given| self.texts.are_in(given)) {
            Some(given) => self.by_texts(attempt, &request, &given)?,
            None => attempt,
        };
        sample.data = self.texts.fill(sample.data, |row| request.rows.start + row as u64, request.seed)?;
        if !unmet.is_empty() {
            let met: Vec<usize> = (0..sample.data.rows()).filter(|row| unmet.binary_search(row).is_err()).collect();
            sample.data = sample.data.take(&met);
        }
        Ok(Found { sample, cut })
    }

    fn save(&self, path: &Path) -> Result<()> {
        self.to_checkpoint(path)?.write(path)
    }

    fn likelihood(&self) -> Option<&dyn Likelihood<Table>> {
        self.config.completion().is_some().then_some(self)
    }

    fn rebuild(&self) -> Option<&dyn Rebuild<Table>> {
        self.config.completion().is_some().then_some(self)
    }
}

/// The registry's entry of a model.
pub const fn entry<C: TableModel>() -> Entry<Table> {
    Entry { name: C::NAME, summary: C::SUMMARY, build: build::<C>, settings: columns::settings_of::<C>, load: load::<C> }
}

fn build<C: TableModel>(mut values: Value) -> Result<Box<dyn Synthesizer<Table>>> {
    let texts = columns::settings(&mut values)?;
    Ok(Box::new(TableSynthesizer::<C>::new(config::from_value(C::NAME, values)?)?.with_texts(texts)?))
}

fn load<C: TableModel>(file: &Checkpoint, path: &Path, device: &Device) -> Result<Box<dyn Synthesizer<Table>>> {
    Ok(Box::new(TableSynthesizer::<C>::from_checkpoint(file, path, device)?))
}
