//! Transform, training and sampling of a table model behind the [`Synthesizer`] trait, written once for CTGAN and TVAE.

use std::path::Path;
use std::time::Instant;

use burn::module::Module;
use burn::tensor::Device;
use semblant_core::checkpoint::Checkpoint;
use semblant_core::precision::Precision;
use semblant_core::progress::Event;
use semblant_core::synthesizer::{Entry, Run, Sample, SampleRequest, Summary, Synthesizer, settings};
use semblant_core::trainer::fingerprint;
use semblant_core::{Error, Result};
use semblant_data::table::Table;
use semblant_data::table::encode::{EncodedTable, Layout, NumberOptions, TableTransform};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::conditions::Conditions;
use crate::sample::{self, RowMaker};

/// What tells one table model from another.
pub(crate) trait Family: 'static {
    const NAME: &'static str;
    const SUMMARY: &'static str;
    type Config: Serialize + DeserializeOwned + Default + Clone + Send + Sync;
    /// The networks that sampling needs.
    type Net: Module + Send + Sync;

    fn check(config: &Self::Config) -> Result<()>;
    fn numbers(config: &Self::Config) -> NumberOptions;
    /// The blocks that rows can be asked for.
    fn conditions(config: &Self::Config, layout: &Layout, encoded: &EncodedTable) -> Conditions;
    /// Networks of the right shape, to load weights into.
    fn empty(config: &Self::Config, layout: &Layout, conditions: &Conditions, device: &Device) -> Self::Net;
    fn train(
        config: &Self::Config,
        layout: &Layout,
        conditions: &Conditions,
        encoded: EncodedTable,
        fingerprint: String,
        run: &mut Run,
    ) -> Result<(Self::Net, Summary)>;
    fn maker<'a>(config: &'a Self::Config, net: &'a Self::Net, layout: &'a Layout, conditions: &'a Conditions) -> impl RowMaker + 'a;
}

/// A fitted or unfitted table model.
pub(crate) struct Tabular<F: Family> {
    config: F::Config,
    fitted: Option<Fitted<F::Net>>,
}

struct Fitted<N> {
    transform: TableTransform,
    layout: Layout,
    conditions: Conditions,
    net: N,
}

/// The registry's entry of a family.
pub(crate) const fn entry<F: Family>() -> Entry<Table> {
    Entry { name: F::NAME, summary: F::SUMMARY, build: build::<F>, load: load::<F> }
}

fn build<F: Family>(values: serde_json::Value) -> Result<Box<dyn Synthesizer<Data = Table>>> {
    let config: F::Config = settings(F::NAME, values)?;
    F::check(&config)?;
    Ok(Box::new(Tabular::<F> { config, fitted: None }))
}

fn load<F: Family>(file: &Checkpoint, path: &Path, device: &Device) -> Result<Box<dyn Synthesizer<Data = Table>>> {
    let config: F::Config = file.metadata_as("config", path)?;
    F::check(&config).map_err(|error| Error::checkpoint(path, error.to_string()))?;
    let transform: TableTransform = file.metadata_as("transform", path)?;
    let conditions: Conditions = file.metadata_as("conditions", path)?;
    transform.check().map_err(|error| Error::checkpoint(path, error.to_string()))?;
    let layout = transform.layout();
    conditions.check(&layout).map_err(|what| Error::checkpoint(path, what))?;
    let net = file.load_module("model", F::empty(&config, &layout, &conditions, device), path)?;
    Ok(Box::new(Tabular::<F> { config, fitted: Some(Fitted { transform, layout, conditions, net }) }))
}

impl<F: Family> Synthesizer for Tabular<F> {
    type Data = Table;

    fn fit(&mut self, data: &Table, run: &mut Run) -> Result<Summary> {
        if run.precision != Precision::F32 {
            return Err(Error::Config(format!(
                "{} computes in f32: networks so small gain nothing from bf16; leave the precision out",
                F::NAME
            )));
        }
        run.check_alone(F::NAME, "normalisation within batches is not that of their parts")?;
        let started = Instant::now();
        run.observer.event(Event::Stage(&format!("encoding {} rows of {} columns", data.rows(), data.columns().len())));
        let transform = TableTransform::fit(data, &F::numbers(&self.config))?;
        let encoded = transform.encode(data, run.seed)?;
        let layout = transform.layout();
        let conditions = F::conditions(&self.config, &layout, &encoded);
        let settings = [serde_json::to_string(&self.config).ok(), serde_json::to_string(&transform).ok()];
        let scalars: Vec<u32> = encoded.scalars.iter().flatten().map(|value| value.to_bits()).collect();
        let fingerprint = fingerprint((F::NAME, run.seed, settings, &encoded.codes, scalars));
        let encode_secs = started.elapsed().as_secs_f64();
        run.observer.event(Event::Stage(&format!(
            "encoded in {encode_secs:.2} s; training {} on {}",
            F::NAME,
            semblant_core::device::name(&run.device)
        )));
        let (net, summary) = F::train(&self.config, &layout, &conditions, encoded, fingerprint, run)?;
        self.fitted = Some(Fitted { transform, layout, conditions, net });
        Ok(Summary { encode_secs, ..summary })
    }

    fn sample(&self, request: &SampleRequest) -> Result<Sample<Table>> {
        request.plain_rows_only()?;
        let fitted = self.fitted()?;
        let maker = F::maker(&self.config, &fitted.net, &fitted.layout, &fitted.conditions);
        sample::sample(&maker, &fitted.transform, &fitted.conditions, request)
    }

    fn save(&self, path: &Path) -> Result<()> {
        let fitted = self.fitted()?;
        let mut file = Checkpoint::new(F::NAME);
        file.set_metadata("config", &self.config, path)?;
        file.set_metadata("transform", &fitted.transform, path)?;
        file.set_metadata("conditions", &fitted.conditions, path)?;
        file.add_module("model", &fitted.net)?;
        file.write(path)
    }
}

impl<F: Family> Tabular<F> {
    fn fitted(&self) -> Result<&Fitted<F::Net>> {
        self.fitted.as_ref().ok_or_else(|| Error::Config("the model has not been fitted yet; call fit first".into()))
    }
}

/// Refuses sizes that no table needs, before they overflow a count of rows or exhaust the memory.
pub(crate) fn check_size<'a>(epochs: u64, batch_rows: u64, noise: usize, widths: impl Iterator<Item = &'a usize>) -> Result<()> {
    const MOST_EPOCHS: u64 = 1_000_000;
    const MOST_ROWS: u64 = 1 << 20;
    const WIDEST: usize = 1 << 16;
    const MOST_LAYERS: usize = 64;
    let widths: Vec<usize> = widths.copied().collect();
    if epochs > MOST_EPOCHS || batch_rows > MOST_ROWS {
        return Err(Error::Config(format!(
            "epochs = {epochs} must be at most {MOST_EPOCHS} and batch_rows = {batch_rows} at most {MOST_ROWS}"
        )));
    }
    if widths.len() > MOST_LAYERS {
        return Err(Error::Config(format!("there are {} layers; choose at most {MOST_LAYERS}", widths.len())));
    }
    if noise > WIDEST || widths.iter().any(|&width| width > WIDEST) {
        return Err(Error::Config(format!("the noise and every layer must be at most {WIDEST} wide")));
    }
    Ok(())
}
