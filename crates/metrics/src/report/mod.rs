//! Every metric at once, as JSON and as one HTML page.

mod figures;
mod html;
pub mod images;
mod page;
mod pca;
mod scores;
mod stages;
mod style;
mod svg;
mod verdict;

use burn::tensor::Device;
use serde::{Deserialize, Serialize};

pub use figures::{Bars, Figures, Histogram, Marginal, Matrices, Scatter};
pub use scores::Attacks;
pub use stages::{evaluate, evaluate_with_shadows};
pub use verdict::{Grade, Verdict};

use crate::learn::Learner;
use crate::table::binning::BinRule;
use crate::table::pairs::PairScore;
use crate::table::utility::Utility;

/// The version of the JSON that [`Report::to_json`] writes; it grows when a field changes its meaning or goes.
pub const FORMAT: u32 = 1;

/// How to evaluate.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// The column whose prediction measures utility; `None` takes the real table's schema's target.
    pub target: Option<String>,
    /// Draws every subsample and fold.
    pub seed: u64,
    /// Most rows of each table for the distances, copies and detection; `None` uses all. Fewer rows are faster but see fewer copies.
    pub max_rows: Option<usize>,
    /// How numbers are binned when paired with categories.
    pub bins: BinRule,
    /// The kinds of models whose utility is measured.
    pub learners: Vec<Learner>,
    /// Where neural networks learn.
    pub device: Device,
    /// Points per table in the scatter plot, and most rows its axes are fitted to (times ten).
    pub scatter_points: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            target: None,
            seed: 0,
            max_rows: None,
            bins: BinRule::EachTable,
            learners: Learner::ALL.to_vec(),
            device: Device::flex(),
            scatter_points: 500,
        }
    }
}

/// Everything that was measured. It is derived from real data (extremes, label names, projected rows): share it as you would share those.
///
/// As JSON every field stands under its own name, scores and columns in a fixed order; a number that does not exist is null.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// [`FORMAT`].
    pub format: u32,
    /// How many rows were compared.
    pub rows: Rows,
    /// The seed of [`Options`].
    pub seed: u64,
    /// Plain answers to three questions.
    pub verdicts: Vec<Verdict>,
    /// The scores.
    pub scores: Vec<Score>,
    /// The shape score of each column.
    pub columns: Vec<ColumnDetail>,
    /// The trend score of each pair of columns.
    pub pairs: Vec<PairScore>,
    /// What the attacks achieved, with their rates and intervals; none of them without a holdout.
    #[serde(default)]
    pub attacks: Attacks,
    /// How models trained on the synthetic table work, with one entry a class; none without a target that can be predicted.
    #[serde(default)]
    pub utility: Option<Utility>,
    /// What a reader should know: what was left out or cut.
    pub notes: Vec<String>,
    /// The data of the figures.
    pub figures: Figures,
}

/// Row counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rows {
    /// Real training rows.
    pub real: usize,
    /// Synthetic rows.
    pub synthetic: usize,
    /// Holdout rows, if there is a holdout.
    pub holdout: Option<usize>,
}

/// One number with what is needed to read it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Score {
    /// A stable name for programs, like `column_shapes`.
    pub id: String,
    /// Which question it helps to answer.
    pub group: Group,
    /// The name for people.
    pub name: String,
    /// The score; `None` when it is not defined.
    pub value: Option<f64>,
    /// Its interval of 95 % by the bootstrap, for those scores that have one.
    #[serde(default)]
    pub interval: Option<[f64; 2]>,
    /// What it should be compared with.
    pub reference: Option<f64>,
    /// Where the reference comes from.
    pub reference_from: ReferenceFrom,
    /// Where better lies.
    pub direction: Direction,
    /// One sentence on what it says.
    pub meaning: String,
    /// Why it is not defined, if it is not.
    pub undefined: Option<String>,
}

/// The question a score belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Group {
    /// Does it look like the data?
    Fidelity,
    /// Does it work like the data?
    Utility,
    /// Does it give anyone away?
    Privacy,
    /// Is it valid at all?
    Validity,
}

/// Where a reference value comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReferenceFrom {
    /// What the holdout, real rows that no model saw, scores in place of the synthetic rows.
    Holdout,
    /// What a model trained on the real rows scores.
    TrainedOnReal,
    /// The best or the expected value by definition.
    Ideal,
}

/// Where better lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// Higher is better.
    Higher,
    /// Lower is better.
    Lower,
    /// At the reference is best.
    NearReference,
}

/// One column's shape score beside the holdout's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ColumnDetail {
    /// The column.
    pub column: String,
    /// KSComplement or TVComplement.
    pub metric: String,
    /// The score.
    pub value: Option<f64>,
    /// What the holdout scores.
    pub reference: Option<f64>,
    /// Why it is not defined, if it is not.
    pub undefined: Option<String>,
}

impl Report {
    /// The score with this id.
    pub fn score(&self, id: &str) -> Option<&Score> {
        self.scores.iter().find(|score| score.id == id)
    }

    /// The report as JSON, the same bytes for the same report.
    ///
    /// # Errors
    /// None that are known; serialisation is fallible by type.
    pub fn to_json(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string_pretty(self)
    }

    /// The report as one HTML page that needs no other file, no script and no network.
    pub fn to_html(&self) -> String {
        html::page(self)
    }
}
