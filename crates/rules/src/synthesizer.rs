//! One table of a spec as a [`Synthesizer`]: it stands wherever a fitted model of tables does.
//!
//! There is nothing to learn. A fit checks that the table given has the columns that the spec declares. Rows are those of
//! [`Generator::rows`]; where they are asked to be something, a row is drawn again until it is, as constraints of a spec do. The file holds the text of
//! the spec and the bytes of every file that it names, so that loading opens nothing else.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use burn::tensor::{Device, Tensor, TensorData};
use schemars::JsonSchema;
use semblant_core::checkpoint::Checkpoint;
use semblant_core::config::{self, Config};
use semblant_core::data::Data as _;
use semblant_core::memory::{self, Memory};
use semblant_core::progress::Event;
use semblant_core::synthesizer::{Found, Run, Sample, Summary, Synthesizer, not_fitted};
use semblant_core::{Error, Result, host};
use semblant_data::table::{ColumnKind, ColumnSchema, Schema, Table, TableRequest};
use semblant_tabular::constraints::Constraints;
use semblant_tabular::filter::{Columns, Domain, RowFilter};
use semblant_tabular::rejection::{Attempt, Effort, Searched, until_met};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::generate::{Counted, Generator};
use crate::plan::{DrawPlan, Files, Maker, Models, Plan, check_held};
use crate::spec::Spec;
use crate::values::BOOLEANS;

/// Metadata: the text of the spec, and its columns.
const SPEC: &str = "spec";
const TABLE: &str = "table";
/// What the names of tensors that hold the bytes of files begin with: a number from 0 to 255 for each byte.
const FILE: &str = "file:";

/// Settings of a [`RulesModel`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct RulesConfig {
    /// The spec, a .toml or .yaml file.
    #[schemars(extend("format" = "path"))]
    pub spec: Option<PathBuf>,
    /// The table of the spec; needed where it declares several.
    pub table: Option<String>,
    /// How many times as many rows tables without a parent have as the spec declares.
    pub scale: f64,
}

impl Default for RulesConfig {
    fn default() -> Self {
        Self { spec: None, table: None, scale: 1.0 }
    }
}

impl Config for RulesConfig {
    fn check(&self) -> Result<()> {
        if self.scale > 0.0 && self.scale <= 1e12 {
            return Ok(());
        }
        Err(Error::Config(format!("scale is {}; it must be above 0 and at most 1e12", self.scale)))
    }
}

/// Makes what loads the fitted models of learned columns on a device.
pub type MakeModels = fn(&Device) -> Box<dyn Models>;

/// A spec that was read, with the bytes of the files that it names.
struct Held {
    text: String,
    files: BTreeMap<String, Vec<u8>>,
    plan: Plan,
    table: usize,
    /// What was found out for the last seed.
    counted: Mutex<Option<Counted>>,
}

/// A table of a spec.
pub struct RulesModel {
    config: RulesConfig,
    models: MakeModels,
    held: Option<Held>,
}

impl RulesModel {
    /// The name that `--model` takes and the model file holds.
    pub const NAME: &'static str = "rules";
    /// What it is, in one line.
    pub const SUMMARY: &'static str =
        "a table of a spec of rules, no training: `semblant fit --set spec=FILE`, and `table=NAME` where it declares several";

    /// The table of a spec, which is read by [`RulesModel::open`] or a fit.
    ///
    /// # Errors
    /// A setting out of its range.
    pub fn new(config: RulesConfig, models: MakeModels) -> Result<Self> {
        config.check()?;
        Ok(Self { config, models, held: None })
    }

    /// Reads the spec; then the model can sample, without a table to fit to.
    ///
    /// # Errors
    /// A setting that is missing, what is wrong with the spec, and a table that it does not declare.
    pub fn open(mut self, device: &Device) -> Result<Self> {
        self.held = Some(self.read(device)?);
        Ok(self)
    }

    fn read(&self, device: &Device) -> Result<Held> {
        let none = || Error::Config("spec is not set; name a spec, with `semblant fit --set spec=FILE`".into());
        let path = self.config.spec.as_deref().ok_or_else(none)?;
        let text = memory::read_text(path)?;
        let plan = Plan::new(&Spec::parse(path, &text)?, path, (self.models)(device).as_ref())?;
        let mut files = BTreeMap::new();
        for file in plan.named_files() {
            check_held(file).map_err(|what| Error::Config(format!("{}: {what}", path.display())))?;
            files.insert(file.name.clone(), Memory::of_process().read(&file.path)?);
        }
        Held::new(&self.config, text, files, plan)
    }

    /// The model in a file that was read from `path`.
    ///
    /// # Errors
    /// A damaged file, or a spec that is wrong.
    pub fn from_checkpoint(file: &Checkpoint, path: &Path, device: &Device, models: MakeModels) -> Result<Self> {
        file.expect_model(Self::NAME, path)?;
        let config: RulesConfig = config::of_file(file, path)?;
        let text = file.metadata.get(SPEC).cloned().ok_or_else(|| Error::checkpoint(path, "holds no spec; save the model again"))?;
        let mut files = BTreeMap::new();
        for (name, _) in file.shapes() {
            if let Some(short) = name.strip_prefix(FILE) {
                files.insert(short.to_owned(), bytes_of(file, name, path, device)?);
            }
        }
        // Errors of the spec name the file that holds it.
        let name = config.spec.as_deref().and_then(Path::file_name).unwrap_or("spec.toml".as_ref());
        let inside = path.join(name);
        let wrong = |what: String| Error::checkpoint(path, what);
        let spec = Spec::parse(&inside, &text).map_err(|error| wrong(error.to_string()))?;
        let plan = Plan::with_files(&spec, &inside, (models)(device).as_ref(), Files::Held(&files));
        let held = Held::new(&config, text, files, plan.map_err(|error| wrong(error.to_string()))?)?;
        Ok(Self { config, models, held: Some(held) })
    }

    fn held(&self) -> Result<&Held> {
        self.held.as_ref().ok_or_else(not_fitted)
    }
}

/// The bytes of a file that a tensor holds.
fn bytes_of(file: &Checkpoint, name: &str, path: &Path, device: &Device) -> Result<Vec<u8>> {
    let damaged = || Error::checkpoint(path, format!("the tensor {name} does not hold bytes; save the model again"));
    let byte = |value: &f32| (value.fract() == 0.0 && (0.0..=255.0).contains(value)).then_some(*value as u8);
    let tensor = file.tensor(name, device).ok_or_else(damaged)?;
    host::read(&tensor, |values| values.iter().map(byte).collect::<Option<_>>()).ok_or_else(damaged)
}

impl Held {
    fn new(config: &RulesConfig, text: String, files: BTreeMap<String, Vec<u8>>, plan: Plan) -> Result<Self> {
        let table = match (&config.table, plan.tables.len()) {
            (Some(name), _) => plan.index_of(name)?,
            (None, 1) => 0,
            (None, _) => {
                let known = plan.tables().collect::<Vec<_>>().join(", ");
                return Err(Error::Config(format!(
                    "the spec declares several tables ({known}); name one, with `semblant fit --set table=NAME`"
                )));
            }
        };
        Ok(Self { text, files, plan, table, counted: Mutex::default() })
    }

    fn schema(&self) -> &Schema {
        &self.plan.tables[self.table].schema
    }

    fn name(&self) -> &str {
        &self.plan.tables[self.table].name
    }

    /// Makes rows `0..rows` of a seed, and those before.
    fn generator(&self, seed: u64, scale: f64, rows: u64) -> Result<Generator<'_>> {
        let mut counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        let known = counted.as_ref().and_then(|known| Generator::resumed(&self.plan, seed, known));
        let generator = known.map_or_else(|| Generator::new(&self.plan, seed, scale), Ok)?;
        *counted = Some(generator.counted());
        let generator = generator.extended(self.table, rows)?;
        let count = generator.counts[self.table];
        if rows > count {
            return Err(Error::Config(format!(
                "table \"{}\" has {count} rows, which follow from those of its parent, not {rows}; ask for fewer, or fit with a larger scale",
                self.name()
            )));
        }
        Ok(generator)
    }

    /// Whether the declared columns are there, and of the same sort.
    fn check(&self, data: &Table) -> Result<()> {
        for declared in &self.schema().columns {
            let wrong =
                |what: String| Err(Error::Data(format!("column \"{}\" of table \"{}\" of the spec: {what}", declared.name, self.name())));
            match data.schema().columns.iter().find(|found| found.name == declared.name) {
                None => return wrong("the table given has none; take it out of the spec, or hide it".into()),
                Some(found) if is_number(found) != is_number(declared) => {
                    return wrong(format!("it is {}, and {} in the table given; change its type", declared.kind, found.kind));
                }
                Some(_) => {}
            }
        }
        Ok(())
    }
}

/// Labels with their codes.
fn listed(labels: &[String]) -> Vec<(u32, &str)> {
    (0..).zip(labels).map(|(code, label)| (code, label.as_str())).collect()
}

fn is_number(column: &ColumnSchema) -> bool {
    column.kind.is_number() || column.kind == ColumnKind::Datetime
}

impl Columns for Held {
    fn schemas(&self) -> Vec<&ColumnSchema> {
        self.schema().columns.iter().collect()
    }

    fn domain(&self, index: usize) -> Domain<'_> {
        let column = &self.plan.tables[self.table].columns[self.plan.tables[self.table].visible[index]];
        match &column.maker {
            _ if column.described.kind == ColumnKind::Boolean => Domain::Labels { labels: listed(&BOOLEANS), missing: true },
            Maker::Draw(draw) => match draw.as_ref() {
                DrawPlan::Categories { levels, numbers: None, .. } => {
                    Domain::Labels { labels: listed(levels), missing: column.missing.is_some() }
                }
                _ => Domain::Open { missing: column.missing.is_some() },
            },
            _ => Domain::Open { missing: true },
        }
    }
}

impl Synthesizer<Table> for RulesModel {
    fn fit(&mut self, data: &Table, run: &mut Run) -> Result<Summary> {
        run.check_single_device(Self::NAME, "it is not trained")?;
        let held = self.read(&run.device)?;
        held.check(data)?;
        let extra = data.schema().names().filter(|name| !held.schema().names().any(|known| known == *name)).collect::<Vec<_>>().join(", ");
        if !extra.is_empty() {
            run.observer.event(Event::Note(&format!("the spec does not declare these columns of the table given: {extra}")));
        }
        run.observer.event(Event::Note("rules learn nothing: the spec was read, and its columns are those of the table given"));
        run.observer.event(Event::Done);
        self.held = Some(held);
        Ok(Summary::without_steps(data.rows() as u64, 0.0))
    }

    fn sample(&self, request: &TableRequest) -> Result<Sample<Table>> {
        let Found { sample, cut } = self.search(request, &mut |_| ())?;
        cut.map_or(Ok(sample), |why| Err(Error::Condition(why)))
    }

    fn search(&self, request: &TableRequest, watch: &mut dyn FnMut(u64)) -> Result<Found<Table>> {
        let held = self.held()?;
        if request.rows.is_empty() {
            return Err(Error::Config("the request has no rows; sample at least one".into()));
        }
        let generator = held.generator(request.seed, self.config.scale, request.rows.end)?;
        if !request.is_conditional() {
            let data = generator.rows(held.name(), request.rows.clone())?;
            return Ok(Found { sample: Sample { drawn_rows: data.rows() as u64, data }, cut: None });
        }
        let none = Constraints::default();
        let filter = RowFilter::new(held, request, &none)?;
        let mut draw = |attempts: &[Attempt]| {
            let of_one = attempts.chunk_by(|a, b| a.attempt == b.attempt).map(|same| {
                let rows: Vec<u64> = same.iter().map(|attempt| attempt.row).collect();
                Ok(generator.attempt(held.table, &rows, same[0].attempt)?)
            });
            Table::concat(of_one.collect::<Result<_>>()?)
        };
        let searched = until_met(&filter, request, Effort::default(), watch, &mut draw)?;
        let cut = (!searched.unmet.is_empty()).then(|| searched.too_rare());
        let Searched { mut sample, unmet, .. } = searched;
        if !unmet.is_empty() {
            let met: Vec<usize> = (0..sample.data.rows()).filter(|row| unmet.binary_search(row).is_err()).collect();
            sample.data = sample.data.take(&met);
        }
        Ok(Found { sample, cut })
    }

    fn save(&self, path: &Path) -> Result<()> {
        let held = self.held()?;
        let mut file = Checkpoint::of::<Table>(Self::NAME);
        file.set_metadata("config", &self.config, path)?;
        file.set_metadata(TABLE, &json!({ "schema": held.schema() }), path)?;
        file.metadata.insert(SPEC.into(), held.text.clone());
        for (name, bytes) in &held.files {
            Memory::of_process().check(format!("the file {name} in {}", path.display()), bytes.len() as u64, size_of::<f32>() as u64)?;
            let values: Vec<f32> = bytes.iter().map(|&byte| f32::from(byte)).collect();
            let count = values.len();
            file.add_tensor(&format!("{FILE}{name}"), &Tensor::<1>::from_data(TensorData::new(values, [count]), &Device::flex()));
        }
        file.write(path)
    }
}
