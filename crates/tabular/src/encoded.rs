//! Models that learn encoded rows: the transform of the table, training, conditions by rejection, and the file, written once.

use std::path::Path;
use std::time::Instant;

use burn::module::Module;
use burn::tensor::Device;
use semblant_core::checkpoint::Checkpoint;
use semblant_core::config::Config;
use semblant_core::memory::Memory;
use semblant_core::precision::Precision;
use semblant_core::progress::Event;
use semblant_core::synthesizer::{Run, Summary};
use semblant_core::trainer::fingerprint;
use semblant_core::{Error, Result};
use semblant_data::table::encode::{ColumnTransform, EncodedTable, Layout, Mode, NumberOptions, TableTransform};
use semblant_data::table::{ColumnSchema, Table, TableRequest};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::constraints::Constraints;
use crate::filter::{Columns, Domain};
use crate::rejection::{self, Fitting, RowMaker, Searched};
use crate::synthesizer::TableModel;

/// A network that learns encoded rows, implemented by its configuration.
pub trait EncodedModel: Config {
    /// See [`TableModel::NAME`].
    const NAME: &'static str;
    /// See [`TableModel::SUMMARY`].
    const SUMMARY: &'static str;
    /// The networks that sampling needs.
    type Net: Module + Send + Sync;
    /// What the network can be conditioned on; written into the file.
    type Conditioning: Serialize + DeserializeOwned + Clone + Send + Sync;

    /// How numbers are encoded.
    fn numbers(&self) -> NumberOptions;

    /// What the network can be conditioned on.
    fn conditioning(&self, layout: &Layout, encoded: &EncodedTable) -> Self::Conditioning;

    /// Checks the conditioning of a file against the layout.
    ///
    /// # Errors
    /// Says what does not fit.
    fn check_conditioning(conditioning: &Self::Conditioning, layout: &Layout) -> Result<(), String>;

    /// The network's number for conditions on one-hot block `block`, if it accepts them.
    fn condition_block(conditioning: &Self::Conditioning, block: usize) -> Option<usize>;

    /// Networks of the right shape, on a device without autodiff, to load weights into.
    fn init_sampled(&self, layout: &Layout, conditioning: &Self::Conditioning, device: &Device) -> Self::Net;

    /// Trains the networks.
    ///
    /// # Errors
    /// As the trainer's.
    fn train(&self, data: TrainingData<'_, Self::Conditioning>, run: &mut Run) -> Result<(Self::Net, Summary)>;

    /// What draws rows from the networks.
    fn maker<'a>(&'a self, net: &'a Self::Net, layout: &'a Layout, conditioning: &'a Self::Conditioning) -> impl RowMaker + 'a;
}

/// What a network is trained on.
pub struct TrainingData<'a, C> {
    /// The outputs of a row.
    pub layout: &'a Layout,
    /// What the network can be conditioned on.
    pub conditioning: &'a C,
    /// The rows.
    pub encoded: EncodedTable,
    /// Identifies data, settings and seed, so that a saved state is not resumed by another run.
    pub fingerprint: String,
}

/// A fitted transform with fitted networks.
pub struct EncodedFitted<C: EncodedModel> {
    transform: TableTransform,
    layout: Layout,
    conditioning: C::Conditioning,
    net: C::Net,
}

impl<C: EncodedModel> TableModel for C {
    const NAME: &'static str = C::NAME;
    const SUMMARY: &'static str = C::SUMMARY;
    type Fitted = EncodedFitted<C>;

    fn fit(&self, table: &Table, run: &mut Run) -> Result<(EncodedFitted<C>, Summary)> {
        if run.precision != Precision::F32 {
            let what = format!("{} is trained in f32 only, since small networks gain nothing from bf16; use --precision f32", C::NAME);
            return Err(Error::Config(what));
        }
        run.check_single_device(C::NAME, "it normalises over whole batches")?;
        let started = Instant::now();
        run.observer.event(Event::Stage(&format!("encoding {} rows of {} columns", table.rows(), table.columns().len())));
        let transform = TableTransform::fit(table, &self.numbers())?;
        let encoded = transform.encode(table, run.seed)?;
        let layout = transform.layout();
        let conditioning = self.conditioning(&layout, &encoded);
        Memory::of_process().check_training(&self.init_sampled(&layout, &conditioning, &run.device))?;
        let settings = [serde_json::to_string(self).ok(), serde_json::to_string(&transform).ok()];
        let scalars: Vec<u32> = encoded.scalars.iter().flatten().map(|value| value.to_bits()).collect();
        let fingerprint = fingerprint((C::NAME, run.seed, settings, &encoded.codes, scalars));
        let encode_secs = started.elapsed().as_secs_f64();
        let device = semblant_core::device::name(&run.device);
        run.observer.event(Event::Stage(&format!("encoded in {encode_secs:.2} s; training {} on {device}", C::NAME)));
        let data = TrainingData { layout: &layout, conditioning: &conditioning, encoded, fingerprint };
        let (net, summary) = self.train(data, run)?;
        Ok((EncodedFitted { transform, layout, conditioning, net }, summary.with_encode_secs(encode_secs)))
    }

    fn search(
        &self,
        fitted: &EncodedFitted<C>,
        request: &TableRequest,
        constraints: &Constraints,
        watch: &mut dyn FnMut(u64),
    ) -> Result<Searched> {
        let maker = self.maker(&fitted.net, &fitted.layout, &fitted.conditioning);
        let block = |block: usize| C::condition_block(&fitted.conditioning, block);
        rejection::search(&maker, &Fitting::new(&fitted.transform, block), request, constraints, watch)
    }

    fn write(&self, fitted: &EncodedFitted<C>, file: &mut Checkpoint, path: &Path) -> Result<()> {
        file.set_metadata("transform", &fitted.transform, path)?;
        file.set_metadata("conditions", &fitted.conditioning, path)?;
        file.add_module("model", &fitted.net)
    }

    fn read(&self, file: &Checkpoint, path: &Path, device: &Device) -> Result<EncodedFitted<C>> {
        let transform: TableTransform = file.metadata_as("transform", path)?;
        let conditioning: C::Conditioning = file.metadata_as("conditions", path)?;
        transform.check().map_err(|error| Error::checkpoint(path, error.to_string()))?;
        let layout = transform.layout();
        C::check_conditioning(&conditioning, &layout).map_err(|what| Error::checkpoint(path, what))?;
        let net = file.load_module("model", self.init_sampled(&layout, &conditioning, device), path)?;
        Ok(EncodedFitted { transform, layout, conditioning, net })
    }
}

impl Columns for TableTransform {
    fn schemas(&self) -> Vec<&ColumnSchema> {
        self.schema.columns.iter().collect()
    }

    fn domain(&self, index: usize) -> Domain<'_> {
        match &self.columns[index] {
            ColumnTransform::Unlearnt => self.schema.columns[index].value.as_deref().map_or(Domain::Unlearned, Domain::Constant),
            ColumnTransform::Category(category) => {
                let labels = category.levels.iter().enumerate().map(|(code, label)| (code as u32, label.as_str())).collect();
                Domain::Labels { labels, missing: category.has_missing() }
            }
            ColumnTransform::Number(number) => {
                let missing = number.modes.iter().any(|mode| matches!(mode, Mode::Missing { .. }));
                Domain::Numbers { range: (number.low <= number.high).then_some((number.low, number.high)), missing }
            }
        }
    }
}
