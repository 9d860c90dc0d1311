//! `relational`: a database table by table. The rows of a table that come by rows of another one are a sequence for each of those, given its columns and those
//! of the rows that it comes by in turn; how many there are is a column of the other table. Which rows of further tables a row refers to is chosen by a matcher,
//! under the numbers that those rows have. The design is that of TabularARGN's (arXiv 2501.12012) context and matched keys, with masked diffusion over
//! columns as the decoder of every row.

use std::path::Path;
use std::time::Instant;

use burn::tensor::Device;
use semblant_core::checkpoint::Checkpoint;
use semblant_core::config::{self, Config};
use semblant_core::progress::Event;
use semblant_core::synthesizer::{Entry, Run, Sample, Summary, Synthesizer, not_fitted};
use semblant_core::trainer::{STATE_FILE, fingerprint, states};
use semblant_core::{Error, Result};
use semblant_data::database::{Database, DatabaseRequest};
use semblant_data::table::Table;
use semblant_series::{Sequence, SequenceConfig};
use semblant_tabular_masked::tokens::TableTokens;
use semblant_tabular_masked::{MaskedDiffusion, MaskedDiffusionConfig};
use semblant_text::TextArConfig;
use semblant_text::columns::{self, TextColumns};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::form::{Form, Role};
use crate::matcher::{Matcher, MatcherConfig};
use crate::preparing::{children, prepared};
use crate::rows::Rows;
use crate::sampling;

/// Settings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default)]
pub struct RelationalConfig {
    /// The models of tables whose rows come by no others.
    pub tables: MaskedDiffusionConfig,
    /// The models of rows that come by others.
    pub sequences: SequenceConfig,
    /// The models of further keys.
    pub matcher: MatcherConfig,
}

impl Default for RelationalConfig {
    fn default() -> Self {
        let mut sequences = SequenceConfig::default();
        // Children of a few thousand parents are learned by heart, by the columns of each parent.
        sequences.train.optimizer.weight_decay = 0.01;
        Self { tables: MaskedDiffusionConfig::default(), sequences, matcher: MatcherConfig::default() }
    }
}

impl Config for RelationalConfig {
    fn check(&self) -> Result<()> {
        self.tables.check().map_err(|error| Error::Config(format!("tables: {error}")))?;
        self.sequences.check().map_err(|error| Error::Config(format!("sequences: {error}")))?;
        self.matcher.check()
    }
}

/// The model of one table.
pub(crate) enum TableModel {
    /// Of rows that come by no others.
    Rows(Box<MaskedDiffusion>),
    /// Of rows that come by others.
    Sequences(Box<Sequence>),
}

/// What was learned.
pub(crate) struct Fitted {
    pub(crate) form: Form,
    pub(crate) models: Vec<Option<TableModel>>,
    /// `[tables][foreign keys]`.
    pub(crate) matchers: Vec<Vec<Option<Matcher>>>,
    /// Columns of free text of every table.
    pub(crate) texts: Vec<TextColumns>,
}

/// The model with its settings, fitted or not.
#[derive(Default)]
pub struct Relational {
    config: RelationalConfig,
    texts: TextArConfig,
    fitted: Option<Fitted>,
}

/// The name that `--model` takes and the model file holds.
const NAME: &str = "relational";

/// The registry's entry.
pub(crate) const ENTRY: Entry<Database> = Entry {
    name: NAME,
    summary: "tables whose rows refer to each other: children as sequences, given the rows that they come by, and matched further keys",
    build: |mut values: Value| {
        let texts = columns::settings(&mut values)?;
        Ok(Box::new(Relational::new(config::from_value(NAME, values)?)?.with_texts(texts)?))
    },
    settings: columns::settings_of::<RelationalConfig>,
    load: |file, path, device| Ok(Box::new(Relational::from_checkpoint(file, path, device)?)),
};

impl Relational {
    /// An unfitted model.
    ///
    /// # Errors
    /// A setting out of its range.
    pub fn new(config: RelationalConfig) -> Result<Self> {
        config.check()?;
        Ok(Self { config, ..Self::default() })
    }

    /// The fitted model in a file that was read from `path`.
    ///
    /// # Errors
    /// A file that is damaged or holds another model.
    pub fn from_checkpoint(file: &Checkpoint, path: &Path, device: &Device) -> Result<Self> {
        file.expect_model(NAME, path)?;
        let config: RelationalConfig = config::of_file(file, path)?;
        let form: Form = file.metadata_as("form", path)?;
        form.check().map_err(|what| Error::checkpoint(path, what))?;
        let parts: Parts = (0..form.tables.len()).map(|table| part_of(file, table)).collect();
        let mut fitted = Fitted { models: Vec::new(), matchers: Vec::new(), texts: Vec::new(), form };
        for (table, part) in parts.iter().enumerate() {
            let (model, matchers) = loaded(&config, &fitted.form, table, part, path, device)?;
            fitted.models.push(model);
            fitted.matchers.push(matchers);
            fitted.texts.push(TextColumns::read(part, path, device)?);
        }
        Ok(Self { config, fitted: Some(fitted), ..Self::default() })
    }

    /// The same with other settings of the models of columns of free text.
    ///
    /// # Errors
    /// A setting out of its range.
    pub fn with_texts(self, texts: TextArConfig) -> Result<Self> {
        texts.check()?;
        Ok(Self { texts, ..self })
    }

    fn fitted(&self) -> Result<&Fitted> {
        self.fitted.as_ref().ok_or_else(not_fitted)
    }
}

/// The part of a file with the models of each table.
type Parts = Vec<Checkpoint>;

fn part_of(file: &Checkpoint, table: usize) -> Checkpoint {
    file.part(&table.to_string())
}

/// The names of the parts of a table's part.
const MODEL: &str = "model";

fn matcher_part(foreign: usize) -> String {
    format!("matcher-{foreign}")
}

fn loaded(
    config: &RelationalConfig,
    form: &Form,
    table: usize,
    part: &Checkpoint,
    path: &Path,
    device: &Device,
) -> Result<(Option<TableModel>, Vec<Option<Matcher>>)> {
    let model = match (&form.tables[table].role, form.parent(table)) {
        (Role::Learned { .. }, None) => {
            Some(TableModel::Rows(Box::new(MaskedDiffusion::from_checkpoint(&part.part(MODEL), path, device)?)))
        }
        (Role::Learned { .. }, Some(_)) => {
            Some(TableModel::Sequences(Box::new(Sequence::from_checkpoint(&part.part(MODEL), path, device)?)))
        }
        _ => None,
    };
    let matcher = |foreign: usize| {
        let part = part.part(&matcher_part(foreign));
        if part.metadata.is_empty() {
            return Ok(None);
        }
        let [own, other]: [TableTokens; 2] = [part.metadata_as("own", path)?, part.metadata_as("other", path)?];
        [&own, &other].into_iter().try_for_each(TableTokens::check).map_err(|what| Error::checkpoint(path, what))?;
        let matcher = Matcher::unloaded(own, other, &config.matcher, device);
        Ok(Some(Matcher { net: part.load_module("net", matcher.net, path)?, ..matcher }))
    };
    Ok((model, (0..form.foreign(table).len()).map(matcher).collect::<Result<_>>()?))
}

impl Synthesizer<Database> for Relational {
    fn fit(&mut self, data: &Database, run: &mut Run) -> Result<Summary> {
        run.check_single_device(NAME, "its models are small")?;
        let started = Instant::now();
        let (form, rows, learned) = prepared(data, run)?;
        let settings =
            [serde_json::to_string(&self.config).ok(), serde_json::to_string(&self.texts).ok(), serde_json::to_string(&form).ok()];
        let name = fingerprint((NAME, run.seed, settings, rows.digest()));
        let mut state = State::begin(name, run)?;
        let mut summary = Summary::default();
        let path = Path::new(NAME);
        for (index, &table) in form.order.iter().enumerate() {
            if state.has(table) {
                continue;
            }
            let place = format!("{} ({} of {})", form.tables[table].name, index + 1, form.order.len());
            run.observer.event(Event::Stage(&format!("{place}: {} rows", rows.count[table])));
            let mut part = Checkpoint::default();
            if let Role::Learned { .. } = form.tables[table].role {
                let (file, of_table) = run.part(&table.to_string(), |own| self.model(&form, &rows, &learned, table, own))?;
                part.add_part(MODEL, file);
                summary.steps += of_table.steps;
                summary.rows_seen += of_table.rows_seen;
            }
            if !form.is_reference(table) {
                let told = rows.told(&form, table)?;
                run.part(&table.to_string(), |own| TextColumns::fit(&told, &self.texts, own))?.write(&mut part, path)?;
            }
            for foreign in 0..form.foreign(table).len() {
                if let Some(matcher) = self.matcher(&form, &rows, (table, foreign), run)? {
                    part.add_part(&matcher_part(foreign), matcher);
                }
            }
            state.add(table, part, run)?;
        }
        let mut fitted = Fitted { models: Vec::new(), matchers: Vec::new(), texts: Vec::new(), form };
        for table in 0..fitted.form.tables.len() {
            let part = part_of(&state.file, table);
            let (model, matchers) = loaded(&self.config, &fitted.form, table, &part, path, &run.device)?;
            fitted.models.push(model);
            fitted.matchers.push(matchers);
            fitted.texts.push(TextColumns::read(&part, path, &run.device)?);
        }
        summary.train_secs = started.elapsed().as_secs_f64();
        self.fitted = Some(fitted);
        Ok(summary)
    }

    fn sample(&self, request: &DatabaseRequest) -> Result<Sample<Database>> {
        if request.rows.is_empty() {
            return Err(Error::Config("the request has no rows; sample at least one".into()));
        }
        sampling::sample(&self.config, self.fitted()?, request)
    }

    fn save(&self, path: &Path) -> Result<()> {
        let fitted = self.fitted()?;
        let mut file = Checkpoint::of::<Database>(NAME);
        file.set_metadata("config", &self.config, path)?;
        file.set_metadata("form", &fitted.form, path)?;
        for (table, (model, matchers)) in fitted.models.iter().zip(&fitted.matchers).enumerate() {
            let mut part = Checkpoint::default();
            match model {
                Some(TableModel::Rows(model)) => part.add_part(MODEL, model.to_checkpoint(path)?),
                Some(TableModel::Sequences(model)) => part.add_part(MODEL, model.to_checkpoint(path)?),
                None => {}
            }
            for (foreign, matcher) in matchers.iter().enumerate() {
                if let Some(matcher) = matcher {
                    part.add_part(&matcher_part(foreign), file_of(matcher)?);
                }
            }
            fitted.texts[table].write(&mut part, path)?;
            file.add_part(&table.to_string(), part);
        }
        file.write(path)
    }
}

impl Relational {
    /// The fitted model of a table, as a file.
    fn model(&self, form: &Form, rows: &Rows, learned: &[Table], table: usize, run: &mut Run) -> Result<(Checkpoint, Summary)> {
        let path = Path::new(NAME);
        match form.parent(table) {
            None => {
                let mut model = MaskedDiffusion::new(self.config.tables.clone())?;
                let summary = model.fit(&learned[table], run)?;
                Ok((model.to_checkpoint(path)?, summary))
            }
            Some((foreign, parent)) => {
                let context = rows.context(form, parent, true)?;
                let children = children(&learned[table], &rows.own[table], &context, &rows.links[table][foreign])?;
                let mut model = Sequence::new(self.config.sequences.clone())?;
                let summary = model.fit_children(&children, run)?;
                Ok((model.to_checkpoint(path)?, summary))
            }
        }
    }

    /// The fitted matcher of a key by which rows do not come, as a file; none where there is nothing to match by.
    fn matcher(&self, form: &Form, rows: &Rows, (table, foreign): (usize, usize), run: &mut Run) -> Result<Option<Checkpoint>> {
        let target = form.target(table, foreign);
        if form.parent(table).is_some_and(|(parent, _)| parent == foreign) || form.is_reference(table) {
            return Ok(None);
        }
        let links: Vec<(usize, usize)> =
            rows.referring(table, foreign).into_iter().map(|row| (row, rows.links[table][foreign][row] as usize)).collect();
        let (own, other) = (rows.seen(form, table)?, rows.seen(form, target)?);
        let seed = run.seed.wrapping_add(1 + foreign as u64);
        let found = Matcher::fit(&own, &other, &links, form.is_reference(target), &self.config.matcher, (seed, &run.device))?;
        let name = form.foreign(table)[foreign].name(&form.tables[table].name);
        let note = match &found {
            Some((_, gain)) => format!("{name}: what belongs together is {gain:.2} nats better than chance, for held-out rows"),
            None => format!("{name}: which row is referred to does not show in the columns; numbers alone decide"),
        };
        run.observer.event(Event::Note(&note));
        found.map(|(matcher, _)| file_of(&matcher)).transpose()
    }
}

fn file_of(matcher: &Matcher) -> Result<Checkpoint> {
    let (mut file, path) = (Checkpoint::default(), Path::new(NAME));
    file.set_metadata("own", &matcher.own.tokens, path)?;
    file.set_metadata("other", &matcher.other.tokens, path)?;
    file.add_module("net", &matcher.net)?;
    Ok(file)
}

/// Models that are finished, so that an interrupted fit goes on with the next table.
struct State {
    file: Checkpoint,
}

impl State {
    /// The state in the run's folder, or a new one.
    fn begin(name: String, run: &Run) -> Result<Self> {
        let path = run.folder.as_ref().map(|folder| folder.join(STATE_FILE));
        if let Some(path) = path.as_ref().filter(|path| run.resume && path.exists()) {
            let file = Checkpoint::read(path)?;
            if file.metadata.get("fingerprint") == Some(&name) {
                return Ok(Self { file });
            }
            let what = "this state belongs to other data, settings or another seed; use the same as before, or start without --resume";
            return Err(Error::checkpoint(path, what));
        }
        let mut file = Checkpoint::new("resume-state");
        file.metadata.insert("fingerprint".into(), name);
        let state = Self { file };
        state.write(run)?;
        Ok(state)
    }

    fn has(&self, table: usize) -> bool {
        self.file.metadata.contains_key(&format!("done-{table}"))
    }

    fn add(&mut self, table: usize, part: Checkpoint, run: &Run) -> Result<()> {
        self.file.add_part(&table.to_string(), part);
        self.file.metadata.insert(format!("done-{table}"), String::new());
        self.write(run)?;
        let parts = run.folder.as_ref().map(|folder| states(&folder.join(table.to_string())));
        parts.into_iter().flatten().try_for_each(|path| std::fs::remove_file(&path).map_err(|error| Error::io(path, error)))
    }

    fn write(&self, run: &Run) -> Result<()> {
        let Some(folder) = &run.folder else { return Ok(()) };
        std::fs::create_dir_all(folder).map_err(|error| Error::io(folder, error))?;
        self.file.write(&folder.join(STATE_FILE))
    }
}
