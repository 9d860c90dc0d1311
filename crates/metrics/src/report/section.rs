//! The details of a report as data: what a kind of data adds to the scores, in forms that the page can render.

use serde::{Deserialize, Serialize};

use super::READING;

/// A part of the report under a heading of its own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Section {
    /// A stable name for programs, like `columns`.
    pub id: String,
    /// The heading.
    pub title: String,
    /// How to read it.
    pub text: String,
    /// The data, in JSON as `type` and `data`.
    #[serde(flatten)]
    pub content: Content,
}

impl Section {
    pub(super) fn new(id: &str, title: impl Into<String>, text: impl Into<String>, content: Content) -> Self {
        Self { id: id.into(), title: title.into(), text: text.into(), content }
    }

    /// The rules behind the answers, where their limits are our judgement.
    pub(super) fn limits_by_judgement<const N: usize>(rules: [(&str, String); N]) -> Self {
        let row =
            |(name, rule): (&str, String)| GridRow { name: name.into(), cells: vec![Cell::Text(rule), Cell::Text("our judgement".into())] };
        Self::limits(rules.map(row).into())
    }

    /// The rules behind the answers, each with where its limits are from.
    pub(super) fn limits(rows: Vec<GridRow>) -> Self {
        Self::new("limits", "Limits of the answers", "", Content::Table(Grid::new(&["Answer", "Rule", "Source of the limits"], rows)))
    }

    /// What the answers of a report allow to conclude, and what not.
    pub(super) fn reading(may: &str, may_not: &str) -> Self {
        let facts = vec![
            Fact::new("may_conclude", "What may be concluded", may),
            Fact::new("may_not_conclude", "What may not be concluded", may_not),
        ];
        Self::new(READING, "Reading the answers", "", Content::Facts(facts))
    }
}

/// What a section holds. A kind of data builds its sections from these forms; the page renders each of them for every kind.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", content = "data", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Content {
    /// Names and values, such as settings and hashes.
    Facts(Vec<Fact>),
    /// Rows of numbers and text.
    Table(Grid),
    /// Histograms and bar charts of two series.
    Distributions(Distributions),
    /// Strengths of relations between columns, in both data sets.
    Matrices(Matrices),
    /// Points of both data sets.
    Scatter(Scatter),
    /// Lines, such as quantities in time.
    Curves(Vec<Curves>),
    /// Means over a calendar.
    Heatmaps(Vec<Heatmap>),
    /// Tables and how they refer to each other.
    Diagram(Diagram),
    /// Sheets of images.
    Images(Vec<Sheet>),
    /// Synthetic images with the closest training image of each.
    ImagePairs(Vec<ImagePair>),
}

/// A name and a value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fact {
    /// A stable name for programs, like `sha256`.
    pub id: String,
    /// The displayed name.
    pub name: String,
    /// The value.
    pub value: String,
}

impl Fact {
    pub(super) fn new(id: &str, name: &str, value: impl Into<String>) -> Self {
        Self { id: id.into(), name: name.into(), value: value.into() }
    }
}

/// Means of one column of the data over a calendar, such as hours by months.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Heatmap {
    /// The column.
    pub name: String,
    /// What the rows are, such as hours.
    pub rows: Vec<String>,
    /// What the columns are, such as months.
    pub columns: Vec<String>,
    /// The real data's mean for each row and column; `None` where no value falls there.
    pub real: Vec<Vec<Option<f64>>>,
    /// The synthetic data's.
    pub synthetic: Vec<Vec<Option<f64>>>,
}

/// A table: the first heading is that of the row names.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Grid {
    /// One heading for the names of the rows, then one per cell.
    pub headings: Vec<String>,
    /// The rows.
    pub rows: Vec<GridRow>,
}

impl Grid {
    pub(super) fn new(headings: &[&str], rows: Vec<GridRow>) -> Self {
        Self { headings: headings.iter().map(|&heading| heading.into()).collect(), rows }
    }
}

/// A row of a [`Grid`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GridRow {
    /// Its name.
    pub name: String,
    /// Its cells.
    pub cells: Vec<Cell>,
}

/// A cell: in JSON a number, a text, null, or an object of `value` and `interval`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Cell {
    /// No value.
    Empty,
    /// A count.
    Count(usize),
    /// A number.
    Number(f64),
    /// A number with its 95 % confidence interval.
    Estimate {
        /// The number.
        value: f64,
        /// Lower and upper end.
        interval: [f64; 2],
    },
    /// Text.
    Text(String),
}

impl Cell {
    /// A number with its interval; empty if one of them is not finite.
    pub(super) fn estimate(value: f64, interval: [f64; 2]) -> Self {
        if value.is_finite() && interval.iter().all(|end| end.is_finite()) { Self::Estimate { value, interval } } else { Self::Empty }
    }
}

impl From<Option<f64>> for Cell {
    fn from(value: Option<f64>) -> Self {
        value.filter(|value| value.is_finite()).map_or(Self::Empty, Self::Number)
    }
}

/// Charts of two series each.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Distributions {
    /// What the two series are, such as `real` and `synthetic`.
    pub series: [String; 2],
    /// One chart per column or quantity.
    pub charts: Vec<Distribution>,
}

/// The distribution of one column or quantity in both data sets.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Distribution {
    /// The column or quantity.
    pub name: String,
    /// The metric of the score, such as `KSComplement`.
    pub metric: Option<String>,
    /// The similarity of the two distributions, 0 to 1.
    pub value: Option<f64>,
    /// The same score of the holdout.
    pub reference: Option<f64>,
    /// Why the score is not defined, if it is not.
    pub undefined: Option<String>,
    /// The share of missing values in either series, 0 to 1.
    pub missing: [f64; 2],
    /// The chart.
    #[serde(flatten)]
    pub bars: Bars,
}

impl Distribution {
    /// A chart without a score.
    pub(super) fn plain(name: &str, bars: Bars) -> Self {
        Self { name: name.into(), metric: None, value: None, reference: None, undefined: None, missing: [0.0; 2], bars }
    }
}

/// A histogram or a bar chart.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Bars {
    /// Numbers.
    Histogram(Histogram),
    /// Labels with their shares in the real and the synthetic series.
    Labels(Vec<(String, f64, f64)>),
}

/// Shares of bins of equal width. Values outside the edges count in the outer bins.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Histogram {
    /// What the edges are.
    pub axis: Axis,
    /// Lower edge of the first bin.
    pub low: f64,
    /// Upper edge of the last bin.
    pub high: f64,
    /// Shares in the real series.
    pub real: Vec<f64>,
    /// Shares in the synthetic series.
    pub synthetic: Vec<f64>,
}

/// The unit of a histogram's edges.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Axis {
    /// Plain numbers.
    Number,
    /// Seconds since 1970-01-01.
    Date,
}

/// Symmetric matrices over pairs of columns; an entry is `None` where it is not defined.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Matrices {
    /// The columns, in order.
    pub columns: Vec<String>,
    /// Strength of relation in the real data, -1 to 1: Pearson correlation of two numbers, otherwise Cramér's V.
    pub real: Vec<Vec<Option<f64>>>,
    /// The same in the synthetic data.
    pub synthetic: Vec<Vec<Option<f64>>>,
    /// The similarity of each pair's joint distribution, 0 to 1.
    pub similarity: Vec<Vec<Option<f64>>>,
}

/// Points of both data sets.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Scatter {
    /// Real items.
    pub real: Vec<[f64; 2]>,
    /// Synthetic items.
    pub synthetic: Vec<[f64; 2]>,
}

/// Lines over a common axis.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Curves {
    /// What is drawn, such as the name of a column.
    pub name: String,
    /// What the first and the last place of the axis are.
    pub axis: [String; 2],
    /// The lines; those of one origin have one colour.
    pub curves: Vec<Curve>,
}

/// One line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Curve {
    /// What it shows: `real`, `synthetic` or `holdout`.
    pub of: String,
    /// Its values, at equal distances along the axis.
    pub values: Vec<f64>,
}

/// Tables and how they refer to each other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Diagram {
    /// The tables.
    pub nodes: Vec<DiagramNode>,
}

/// A table of a diagram.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiagramNode {
    /// Its name.
    pub name: String,
    /// A line below the name.
    pub note: String,
    /// How many tables its rows come by, one by the other.
    pub layer: usize,
    /// The places of the tables that it refers to.
    pub refers_to: Vec<usize>,
    /// The one of these by which its rows come.
    pub main: Option<usize>,
}

/// A PNG file as a data URI, which JSON leaves out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Picture {
    /// The data URI; empty in a report that was read from JSON.
    #[serde(skip)]
    pub uri: String,
    /// Width and height in pixels.
    pub size: [usize; 2],
}

/// Several images in one picture.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sheet {
    /// `Real` or `Synthetic`.
    pub title: String,
    /// The number of images shown, drawn by the seed.
    pub shown: usize,
    /// The number of images of the data set.
    pub of: usize,
    /// The picture.
    pub picture: Picture,
}

/// A synthetic image and the training image closest to it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ImagePair {
    /// Index of the synthetic image.
    pub synthetic: usize,
    /// Index of the training image among the real images.
    pub real: usize,
    /// Root mean squared difference of pixels: 0 for equal images, 1 for black against white.
    pub distance: f64,
    /// The distance to the second closest training image.
    pub second: f64,
    /// The synthetic and the training image.
    pub pictures: [Picture; 2],
}
