//! The two models.

use std::path::Path;
use std::time::Instant;

use burn::tensor::Device;
use semblant_core::Result;
use semblant_core::checkpoint::Checkpoint;
use semblant_core::config::Config;
use semblant_core::progress::Event;
use semblant_core::synthesizer::{Entry, Run, Summary};
use semblant_data::table::{Table, TableRequest};
use semblant_tabular::constraints::Constraints;
use semblant_tabular::rejection::Searched;
use semblant_tabular::{TableModel, TableSynthesizer, entry};
use serde::{Deserialize, Serialize};

use crate::fitted::Fitted;

/// Every column's own distribution, joined by a multivariate normal one (Nelsen 2006; Patki et al. 2016, "The Synthetic Data Vault").
///
/// A number is a quantile of its column, a label an interval of [0, 1], and whether a value is missing a variable of its own. Their
/// normal scores are correlated, so conditions become points and intervals of a multivariate normal distribution: points and single
/// intervals are conditioned on exactly, several intervals by Gibbs sampling.
pub type GaussianCopula = TableSynthesizer<CopulaConfig>;

/// Every column's own distribution, and nothing else: the score of a model that has learned no dependency.
pub type IndependentColumns = TableSynthesizer<IndependentConfig>;

/// The models of this family.
pub const MODELS: &[Entry<Table>] = &[entry::<CopulaConfig>(), entry::<IndependentConfig>()];

/// The metadata key of what was fitted.
const KEY: &str = "fitted";

/// Fits without training.
fn fit(model: &str, stage: &str, table: &Table, run: &mut Run, fit: impl FnOnce(&Table) -> Result<Fitted>) -> Result<(Fitted, Summary)> {
    run.check_single_device(model, "it is not trained")?;
    let start = Instant::now();
    run.observer.event(Event::Stage(stage));
    let fitted = fit(table)?;
    run.observer.event(Event::Done);
    let train_secs = start.elapsed().as_secs_f64();
    Ok((fitted, Summary::without_steps(table.rows() as u64, train_secs)))
}

macro_rules! model {
    ($(#[$doc:meta])* $config:ident, $name:literal, $summary:literal, $fit:path, $stage:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
        pub struct $config {}

        impl Config for $config {
            fn check(&self) -> Result<()> {
                Ok(())
            }
        }

        impl TableModel for $config {
            const NAME: &'static str = $name;
            const SUMMARY: &'static str = $summary;
            type Fitted = Fitted;

            fn fit(&self, table: &Table, run: &mut Run) -> Result<(Fitted, Summary)> {
                fit($name, $stage, table, run, $fit)
            }

            fn search(
                &self,
                fitted: &Fitted,
                request: &TableRequest,
                constraints: &Constraints,
                watch: &mut dyn FnMut(u64),
            ) -> Result<Searched> {
                fitted.search(request, constraints, watch)
            }

            fn write(&self, fitted: &Fitted, file: &mut Checkpoint, path: &Path) -> Result<()> {
                file.set_metadata(KEY, fitted, path)
            }

            fn read(&self, file: &Checkpoint, path: &Path, _: &Device) -> Result<Fitted> {
                let fitted: Fitted = file.metadata_as(KEY, path)?;
                fitted.check().map_err(|what| semblant_core::Error::checkpoint(path, what))?;
                Ok(fitted)
            }
        }
    };
}

model!(
    /// Settings of [`GaussianCopula`]: there are none.
    CopulaConfig, "copula", "Gaussian copula, no training: every column's own distribution and one correlation matrix", Fitted::correlated,
    "correlating the columns"
);
model!(
    /// Settings of [`IndependentColumns`]: there are none.
    IndependentConfig, "independent", "independent columns, no training: the control for every score", Fitted::independent, "counting values"
);
