//! The report of an evaluation: one type for every kind of data, written as JSON, as one HTML page, or as lines of text.
//!
//! What is particular to a kind of data is a list of [`Section`]s, whose [`Content`] the page renders without knowing the kind.

mod compare;
mod database;
mod images;
mod leakage;
mod marks;
mod page;
mod pca;
mod scores;
mod section;
mod series;
mod tables;
mod text;
mod texts;
mod verdict;

use serde::{Deserialize, Serialize};

pub use compare::{Comparison, NamedReport, compare};
pub use database::report_database;
pub use images::{ImageEvaluation, report_images, report_pairs};
pub use marks::Mark;
pub use section::{
    Axis, Bars, Cell, Content, Curve, Curves, Diagram, DiagramNode, Distribution, Distributions, Fact, Grid, GridRow, Heatmap, Histogram,
    ImagePair, Matrices, Picture, Scatter, Section, Sheet,
};
pub use series::{SeriesEvaluation, report_series};
pub use tables::{Options, evaluate, evaluate_tabsyn, evaluate_with_shadows};
pub use text::{short_names, text_table};
pub use texts::{TextEvaluation, report_text};
pub use verdict::{Grade, Verdict};

/// The version of the JSON that [`Report::to_json`] writes; it grows when a field changes its meaning or goes.
pub const FORMAT: u32 = 2;
/// The mark of the page that [`Report::to_html`] makes: the content of its `generator` tag, up to the version.
pub const GENERATOR: &str = "Semblant report";

/// The id of the section that says how the answers are to be read; it stands at the top of the page.
const READING: &str = "reading";

/// Everything that was measured. It is derived from real data (extremes, label names, projected rows) and the page of images shows some of
/// them: share it under the same conditions as the real data.
///
/// In JSON, scores and sections keep a fixed order; a number that does not exist is null. Pictures are on the page only.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Report {
    /// [`FORMAT`].
    pub format: u32,
    /// The kind of data: `table`, `images`, `series`, `database` or `text`.
    pub kind: String,
    /// What was evaluated.
    pub sources: Sources,
    /// Draws every subsample, fold and random direction.
    pub seed: u64,
    /// One verdict each on fidelity, utility and privacy; empty where the evaluation gives none.
    pub verdicts: Vec<Verdict>,
    /// The scores.
    pub scores: Vec<Score>,
    /// Details and figures, in the order of the page.
    pub sections: Vec<Section>,
    /// Limitations: what was left out, subsampled or not measured.
    pub notes: Vec<String>,
}

/// What was evaluated. The caller gives names, model and date in its options; the evaluation fills in the rest.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sources {
    /// What is counted: `rows`, `images`, `sequences`, `texts`, or the rows of a table. Filled in by the evaluation.
    pub items: String,
    /// The size of one item, such as the number of columns or pixels. Filled in by the evaluation.
    pub description: String,
    /// The real data that the generator was trained on.
    pub real: Source,
    /// The synthetic data.
    pub synthetic: Source,
    /// Real data that the generator was not trained on.
    pub holdout: Option<Source>,
    /// The model that made the synthetic data.
    pub model: Option<ModelSource>,
    /// When the evaluation was run, as text of the caller.
    pub date: Option<String>,
    /// Semblant's version. Filled in by the evaluation.
    pub version: String,
}

/// A data set.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// The name of the file, folder or data set.
    pub name: Option<String>,
    /// The number of items. Filled in by the evaluation.
    pub count: usize,
}

/// The model that made the synthetic data.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelSource {
    /// The name of the model or its file.
    pub name: String,
    /// The seed that it was trained with.
    pub seed: Option<u64>,
}

impl Source {
    /// A data set of this name.
    pub fn named(name: impl Into<String>) -> Self {
        Self { name: Some(name.into()), count: 0 }
    }
}

impl Sources {
    /// These names with what the evaluation knows.
    fn filled(&self, items: &str, description: String, [real, synthetic]: [usize; 2], holdout: Option<usize>) -> Self {
        let counted = |source: &Source, count| Source { name: source.name.clone(), count };
        Self {
            items: items.into(),
            description,
            real: counted(&self.real, real),
            synthetic: counted(&self.synthetic, synthetic),
            holdout: holdout.map(|count| counted(&self.holdout.clone().unwrap_or_default(), count)),
            version: env!("CARGO_PKG_VERSION").into(),
            ..self.clone()
        }
    }
}

/// One number with what is needed to read it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Score {
    /// A stable name for programs, like `column_shapes`.
    pub id: String,
    /// The group it belongs to.
    pub group: Group,
    /// The displayed name.
    pub name: String,
    /// The score; `None` when it is not defined.
    pub value: Option<f64>,
    /// The 95 % confidence interval, for scores that have one.
    pub interval: Option<[f64; 2]>,
    /// What it should be compared with.
    pub reference: Option<f64>,
    /// Where the reference comes from.
    pub reference_from: ReferenceFrom,
    /// Which values are better.
    pub direction: Direction,
    /// How it compares with its reference, by the limits in docs/metrics.md; `None` without a value or a reference.
    #[serde(default)]
    pub mark: Option<Mark>,
    /// What it measures, in one or two sentences.
    pub meaning: String,
    /// Why it is not defined, if it is not.
    pub undefined: Option<String>,
}

/// The property that a score or a verdict is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Group {
    /// Similarity to the real data.
    Fidelity,
    /// Performance of models trained on the synthetic data.
    Utility,
    /// Leakage of training data.
    Privacy,
    /// Adherence to the real data's structure, ranges and labels.
    Validity,
}

impl Group {
    /// In the order of the page.
    pub const ALL: [Self; 4] = [Self::Fidelity, Self::Utility, Self::Privacy, Self::Validity];

    /// The displayed name.
    pub fn title(self) -> &'static str {
        match self {
            Self::Fidelity => "Fidelity",
            Self::Utility => "Utility",
            Self::Privacy => "Privacy",
            Self::Validity => "Validity",
        }
    }
}

/// Where a reference value comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReferenceFrom {
    /// The score of the holdout in place of the synthetic data.
    Holdout,
    /// The score of a model trained on the real data.
    TrainedOnReal,
    /// Without a holdout: the score of each real row against all other real rows.
    WithinReal,
    /// The best or the expected value by definition.
    Ideal,
}

/// Which values are better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// Higher is better.
    Higher,
    /// Lower is better.
    Lower,
    /// Values near the reference are best.
    NearReference,
}

impl Report {
    /// The score with this id.
    pub fn score(&self, id: &str) -> Option<&Score> {
        self.scores.iter().find(|score| score.id == id)
    }

    /// The section with this id.
    pub fn section(&self, id: &str) -> Option<&Section> {
        self.sections.iter().find(|section| section.id == id)
    }

    /// The verdict on this group.
    pub fn verdict(&self, group: Group) -> Option<&Verdict> {
        self.verdicts.iter().find(|verdict| verdict.group == group)
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
        page::report(self)
    }

    /// The verdicts with their numbers, then the scores with their marks, counts and settings, as lines of text.
    pub fn to_text(&self) -> Vec<String> {
        text::lines(&[("value", self)])
    }
}
