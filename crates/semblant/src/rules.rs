//! Tables from declared logic ([`semblant_rules`]), whose learned columns are those of this library's models.

use std::ops::Range;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use burn::tensor::Device;
use semblant_core::checkpoint::Checkpoint;
use semblant_core::config;
use semblant_core::synthesizer::{Entry, Synthesizer};
use semblant_data::database::{Database, Keys};
use semblant_data::series::{Series, SeriesOptions};
use semblant_data::table::{ReadOptions, Schema, Table, TableFormat, TableRequest};
#[cfg(feature = "metrics")]
use semblant_metrics::table::rules::{Mined, mine};
pub use semblant_rules::*;

use crate::Registry;

/// Rows of the spec of patients that is shipped (`datasets/rules/patients.toml`): a table whose law is known, with `diagnosis` as its target. A row of a
/// seed is the same in every range.
///
/// # Errors
/// More than 2^50 rows.
pub fn patients(rows: Range<u64>, seed: u64) -> semblant_core::Result<Table> {
    let plan = shipped("patients.toml", include_str!("../../../datasets/rules/patients.toml"))?;
    let made = scaled(&plan, "patients", rows.end, seed)?.rows("patients", rows)?;
    let schema = Schema { target: Some("diagnosis".into()), ..made.schema().clone() };
    Ok(Table::new(schema, made.columns().to_vec())?)
}

/// The spec of a shop that is shipped (`datasets/rules/shop.toml`): customers, their orders, lines and payments, and a fifth as many products.
///
/// # Errors
/// More than 2^50 customers.
pub fn shop(customers: u64, seed: u64) -> semblant_core::Result<Database> {
    const KEYS: &str = r#"
        customers.key = "customer_id"
        products.key = "sku"
        [orders]
        key = "order_id"
        foreign = [{ columns = "customer_id", table = "customers" }]
        checks = ["ordered >= customers.since"]
        [lines]
        key = ["order_id", "line"]
        foreign = [{ columns = "order_id", table = "orders" }, { columns = "sku", table = "products", parent = false }]
        [payments]
        foreign = [{ columns = "order_id", table = "orders" }]
    "#;
    let plan = shipped("shop.toml", include_str!("../../../datasets/rules/shop.toml"))?;
    let generator = scaled(&plan, "customers", customers, seed)?;
    let table = |name: &str| Ok((name.to_owned(), as_read(&generator.rows(name, 0..generator.count(name)?)?)?));
    let tables = ["customers", "products", "orders", "lines", "payments"].into_iter().map(table).collect::<semblant_core::Result<_>>()?;
    Ok(Database::new(tables, Keys::parse_toml(KEYS)?)?.data)
}

/// Thirty days of hourly readings of the sensors of the spec that is shipped (`datasets/rules/sensors.toml`), with the hall of each. A sensor of a seed is the
/// same in every range.
///
/// # Errors
/// More than 2^50 readings.
pub fn sensors(range: Range<u64>, seed: u64) -> semblant_core::Result<Series> {
    /// Readings of a sensor, and from one hour to the next.
    const READINGS: u64 = 4_320;
    const AN_HOUR: usize = 6;
    let plan = shipped("sensors.toml", include_str!("../../../datasets/rules/sensors.toml"))?;
    let generator = scaled(&plan, "sensors", range.end, seed)?;
    let all = generator.rows("readings", range.start * READINGS..range.end * READINGS)?;
    let rows = as_read(&all.take(&(0..all.rows()).step_by(AN_HOUR).collect::<Vec<_>>()))?;
    let halls = generator.rows("sensors", range)?;
    let columns = ["sensor_id", "hall"].map(|name| Ok((halls.schema().index_of(name)?, halls.column(name)?.clone())));
    let columns: Vec<_> = columns.into_iter().collect::<semblant_data::Result<_>>()?;
    let schema = Schema { columns: columns.iter().map(|(place, _)| halls.schema().columns[*place].clone()).collect(), ..Schema::default() };
    let attributes = Table::new(schema, columns.into_iter().map(|(_, column)| column).collect())?;
    let options = SeriesOptions { entity: Some("sensor_id".into()), time: Some("time".into()), ..SeriesOptions::default() };
    Ok(Series::grouped(rows, Some(attributes), &options)?.data)
}

/// A table as its file is read: numbers and times with the digits that are written, kinds by the values.
fn as_read(table: &Table) -> semblant_core::Result<Table> {
    Ok(Table::from_bytes(table.to_bytes(TableFormat::Csv)?, TableFormat::Csv, &ReadOptions::default())?.table)
}

/// A spec that is shipped.
fn shipped(name: &str, text: &str) -> semblant_core::Result<Plan> {
    Ok(Plan::new(&Spec::parse(name, text)?, name, &NoModels)?)
}

/// A generator of so many rows of a table, all others in proportion.
fn scaled<'p>(plan: &'p Plan, table: &str, rows: u64, seed: u64) -> semblant_core::Result<Generator<'p>> {
    let declared = Generator::new(plan, seed, 1.0)?.count(table)?;
    Ok(Generator::new(plan, seed, rows.max(1) as f64 / declared as f64)?)
}

/// The fitted table models of a registry, for specs with learned columns.
pub struct RegistryModels<'r> {
    registry: &'r Registry,
    device: Device,
}

impl<'r> RegistryModels<'r> {
    /// Models that draw on `device`.
    pub fn new(registry: &'r Registry, device: Device) -> Self {
        Self { registry, device }
    }
}

impl Models for RegistryModels<'_> {
    fn load(&self, bytes: Vec<u8>, path: &Path) -> Result<Arc<dyn Model>, String> {
        let file = Checkpoint::from_bytes(bytes, path).map_err(|error| error.to_string())?;
        let entry = self.registry.models::<Table>().find(|entry| entry.name == file.model());
        let entry =
            entry.ok_or_else(|| format!("{}: holds no model of tables; name a file that `semblant fit` wrote of one", path.display()))?;
        let model = (entry.load)(&file, path, &self.device).map_err(|error| error.to_string())?;
        let one = model.sample(&TableRequest::new(1, 0)).map_err(|error| error.to_string())?;
        Ok(Arc::new(Fitted { schema: one.data.schema().clone(), model: Mutex::new(model) }))
    }
}

/// The models of this library on a device, for the entry of the registry, which knows no registry.
struct OwnModels {
    registry: Registry,
    device: Device,
}

impl Models for OwnModels {
    fn load(&self, bytes: Vec<u8>, path: &Path) -> Result<Arc<dyn Model>, String> {
        RegistryModels::new(&self.registry, self.device.clone()).load(bytes, path)
    }
}

/// What holds in every row of a table, as `semblant schema --mine` finds it, for [`draft`].
#[cfg(feature = "metrics")]
pub fn proposed(table: &Table) -> Vec<Proposed> {
    let why = |mined: &Mined| format!("{} (chance alone keeps {:.1} % of rows)", mined.words, 100.0 * mined.shuffled);
    mine(table, 0).into_iter().map(|mined| Proposed { why: why(&mined), constraint: mined.constraint }).collect()
}

/// A table of a spec with the models of this library for its learned columns, as the registry has it: [`RulesModel::open`] reads the spec.
///
/// # Errors
/// A setting out of its range.
pub fn table_of(config: RulesConfig) -> semblant_core::Result<RulesModel> {
    RulesModel::new(config, own_models)
}

fn own_models(device: &Device) -> Box<dyn Models> {
    Box::new(OwnModels { registry: Registry::default(), device: device.clone() })
}

/// The registry's entry of tables of specs.
pub(crate) const ENTRY: Entry<Table> = Entry {
    name: RulesModel::NAME,
    summary: RulesModel::SUMMARY,
    build: |values| Ok(Box::new(table_of(config::from_value(RulesModel::NAME, values)?)?)),
    settings: config::settings::<RulesConfig>,
    load: |file, path, device| Ok(Box::new(RulesModel::from_checkpoint(file, path, device, own_models)?)),
};

/// A fitted model as rules see it.
struct Fitted {
    schema: Schema,
    model: Mutex<Box<dyn Synthesizer<Table>>>,
}

impl Model for Fitted {
    fn schema(&self) -> &Schema {
        &self.schema
    }

    fn draw(&self, given: &Table, first: u64, seed: u64) -> Result<Table, String> {
        let count = given.rows() as u64;
        let rows = first..first + count;
        let known: Vec<usize> = (0..given.columns().len()).filter(|&column| given.columns()[column].missing() < given.rows()).collect();
        let mut request = TableRequest { rows, ..TableRequest::new(0, seed) };
        if !known.is_empty() {
            let schema =
                Schema { columns: known.iter().map(|&column| given.schema().columns[column].clone()).collect(), ..Schema::default() };
            // Row i of a request has the cells of row i modulo the number of given rows.
            let order: Vec<usize> = (0..count).map(|place| ((place + count - first % count) % count) as usize).collect();
            let columns = known.iter().map(|&column| given.columns()[column].take(&order)).collect();
            request.given = Some(Arc::new(Table::new(schema, columns).map_err(|error| error.to_string())?));
        }
        let model = self.model.lock().unwrap_or_else(PoisonError::into_inner);
        model.sample(&request).map(|sample| sample.data).map_err(|error| error.to_string())
    }
}
