//! The two models as users hold them.

use std::path::Path;
use std::time::Instant;

use burn::tensor::Device;
use semblant_core::checkpoint::Checkpoint;
use semblant_core::progress::Event;
use semblant_core::synthesizer::{Entry, Run, Sample, SampleRequest, Summary, Synthesizer, settings};
use semblant_core::{Error, Result};
use semblant_data::table::Table;

use crate::fitted::Fitted;

/// The metadata key of what was fitted.
const KEY: &str = "fitted";

macro_rules! model {
    ($(#[$doc:meta])* $model:ident, $name:literal, $fit:path, $stage:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Default, PartialEq)]
        pub struct $model {
            fitted: Option<Fitted>,
        }

        impl $model {
            /// The model's name in files and on the command line.
            pub const NAME: &'static str = $name;

            /// A model that has not seen any data.
            pub fn new() -> Self {
                Self::default()
            }

            /// A model of `table`.
            ///
            /// # Errors
            /// When the table has no rows.
            pub fn fitted(table: &Table) -> Result<Self> {
                Ok(Self { fitted: Some($fit(table)?) })
            }

            /// Makes the rows asked for; every one meets every condition.
            ///
            /// # Errors
            /// A model that was not fitted, or conditions that contradict the data or one another.
            pub fn make(&self, request: &SampleRequest) -> Result<Sample<Table>> {
                self.known()?.sample(request)
            }

            /// The model as a file that is not yet written.
            ///
            /// # Errors
            /// A model that was not fitted.
            pub fn to_checkpoint(&self) -> Result<Checkpoint> {
                let fitted = serde_json::to_string(self.known()?).map_err(|error| Error::Data(format!("the model cannot be written: {error}")))?;
                let mut file = Checkpoint::new(Self::NAME);
                file.metadata.insert(KEY.into(), fitted);
                Ok(file)
            }

            /// The model in a file that was read from `path`.
            ///
            /// # Errors
            /// A file of another model, or a damaged one.
            pub fn from_checkpoint(file: &Checkpoint, path: &Path) -> Result<Self> {
                if file.model() != Self::NAME {
                    return Err(Error::checkpoint(path, format!("holds a \"{}\" model, not a \"{}\" one", file.model(), Self::NAME)));
                }
                let fitted: Fitted = file.metadata_as(KEY, path)?;
                fitted.check().map_err(|what| Error::checkpoint(path, what))?;
                Ok(Self { fitted: Some(fitted) })
            }

            /// Reads a model that [`Synthesizer::save`] wrote.
            ///
            /// # Errors
            /// A file that is missing, damaged, or of another model.
            pub fn load(path: &Path) -> Result<Self> {
                Self::from_checkpoint(&Checkpoint::read(path)?, path)
            }

            fn known(&self) -> Result<&Fitted> {
                self.fitted.as_ref().ok_or_else(|| Error::Config(format!("the {} model is not fitted; fit it first", Self::NAME)))
            }
        }

        impl Synthesizer for $model {
            type Data = Table;

            fn fit(&mut self, data: &Table, run: &mut Run) -> Result<Summary> {
                run.check_alone(Self::NAME, "it is no work for several")?;
                let start = Instant::now();
                run.observer.event(Event::Stage($stage));
                self.fitted = Some($fit(data)?);
                run.observer.event(Event::Done);
                let train_secs = start.elapsed().as_secs_f64();
                Ok(Summary { steps: 0, rows_seen: data.rows() as u64, encode_secs: 0.0, train_secs, losses: Vec::new() })
            }

            fn sample(&self, request: &SampleRequest) -> Result<Sample<Table>> {
                self.make(request)
            }

            fn save(&self, path: &Path) -> Result<()> {
                self.to_checkpoint()?.write(path)
            }
        }
    };
}

model!(
    /// Every column's own distribution, joined by a multivariate normal one (Nelsen 2006; Patki et al. 2016, "The Synthetic Data Vault").
    ///
    /// A number is a quantile of its column, a label an interval of [0, 1], and whether a value is missing a variable of its own. Their
    /// normal scores are correlated, so conditions become points and intervals of a multivariate normal distribution: points and single
    /// intervals are conditioned on exactly, several intervals by Gibbs sampling.
    GaussianCopula, "copula", Fitted::correlated, "correlating the columns"
);
model!(
    /// Every column's own distribution, and nothing else: what a model scores that has learnt no dependency.
    IndependentColumns, "independent", Fitted::independent, "counting values"
);

/// The models of this family.
pub const MODELS: &[Entry<Table>] = &[
    Entry {
        name: GaussianCopula::NAME,
        summary: "Gaussian copula, no training: every column's own distribution and one correlation matrix",
        build: build_copula,
        load: load_copula,
    },
    Entry {
        name: IndependentColumns::NAME,
        summary: "independent columns, no training: the control for every score",
        build: build_independent,
        load: load_independent,
    },
];

type Boxed = Result<Box<dyn Synthesizer<Data = Table>>>;

/// These models have nothing to set.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct NoSettings {}

fn build_copula(values: serde_json::Value) -> Boxed {
    let NoSettings {} = settings(GaussianCopula::NAME, values)?;
    Ok(Box::new(GaussianCopula::new()))
}

fn load_copula(file: &Checkpoint, path: &Path, _: &Device) -> Boxed {
    Ok(Box::new(GaussianCopula::from_checkpoint(file, path)?))
}

fn build_independent(values: serde_json::Value) -> Boxed {
    let NoSettings {} = settings(IndependentColumns::NAME, values)?;
    Ok(Box::new(IndependentColumns::new()))
}

fn load_independent(file: &Checkpoint, path: &Path, _: &Device) -> Boxed {
    Ok(Box::new(IndependentColumns::from_checkpoint(file, path)?))
}
