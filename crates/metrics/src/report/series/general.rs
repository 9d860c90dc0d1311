//! The report on series of any columns and lengths.

use rayon::prelude::*;
use semblant_data::series::{Series, Windows};
use semblant_data::table::ColumnKind;

use super::verdict::TOLD_APART;
use super::{SeriesEvaluation, by_id, scores, verdict};
use crate::bootstrap::Estimate;
use crate::random::{random, subsample};
use crate::report::{Cell, Content, Curve, Curves, Direction, FORMAT, Grid, GridRow, Group, ReferenceFrom, Report, Score, Section, marks};
use crate::series::general::{as_windows, attributes_apart, autocorrelations_at, columns_apart, lengths, missing_runs, transitions};
use crate::series::{copies, discriminative};
use crate::{Error, Result};

/// Rows of the windows that a network and the search for copies see, where sequences are that long.
const WINDOW: usize = 24;
/// The most windows of each set.
const MOST_WINDOWS: usize = 10_000;
/// Lags of autocorrelations.
const LAGS: [usize; 5] = [1, 6, 12, 24, 48];
/// Rows of the paths that are drawn, and how many of each set.
const PATHS: (usize, usize) = (168, 4);
/// Columns that figures show.
const MOST_COLUMNS: usize = 12;

/// How far series are from the real ones: 0 is equal everywhere. By column, where it is not said.
struct Differences {
    marginals: Vec<f64>,
    /// One entry for each of [`LAGS`].
    autocorrelations: Vec<Vec<Option<f64>>>,
    transitions: Vec<Option<f64>>,
    missing_runs: Vec<Option<f64>>,
    /// Of the numbers of rows of all sequences.
    lengths: Option<f64>,
    /// By name of the attribute.
    attributes: Vec<(String, f64)>,
}

impl Differences {
    fn of(real: &Series, other: &Series) -> Self {
        let at = |lag: &usize| difference(&autocorrelations_at(real, *lag), &autocorrelations_at(other, *lag));
        Self {
            marginals: columns_apart(real, other),
            autocorrelations: LAGS.iter().map(at).collect(),
            transitions: transitions(real, other),
            missing_runs: missing_runs(real, other),
            lengths: (real.count() > 1 && other.count() > 1).then(|| lengths(real, other)),
            attributes: attributes_apart(real, other),
        }
    }

    /// The difference of a column's autocorrelation at one of [`LAGS`].
    fn autocorrelation(&self, lag: usize, column: usize) -> Option<f64> {
        self.autocorrelations[LAGS.iter().position(|&known| known == lag)?][column]
    }
}

/// One number of the differences.
type OneNumber = fn(&Differences) -> Option<f64>;

/// Id, name and meaning of the scores that are differences.
const SCORES: [(&str, &str, &str, OneNumber); 6] = [
    (
        "marginals",
        "Columns",
        "How far the distribution of a column is from the real one: the largest difference of distribution functions, half the sum of differences of shares of labels; mean over columns, 0 is equal.",
        |apart| mean(apart.marginals.iter().copied().map(Some)),
    ),
    (
        "autocorrelation",
        "Autocorrelation",
        "The difference of a number's correlation with itself 1, 6, 12, 24 and 48 rows later; mean over lags and columns, 0 is equal.",
        |apart| mean(apart.autocorrelations.iter().flatten().copied()),
    ),
    (
        "transitions",
        "Transitions",
        "The largest difference between the shares of labels that follow a label; mean over columns of labels, 0 is equal.",
        |apart| mean(apart.transitions.iter().copied()),
    ),
    (
        "missing_runs",
        "Runs of missing values",
        "The largest difference between the distribution functions of the lengths of runs of missing values; mean over columns, 0 is equal.",
        |apart| mean(apart.missing_runs.iter().copied()),
    ),
    ("lengths", "Lengths", "The largest difference between the distribution functions of the sequences' lengths, 0 is equal.", |apart| {
        apart.lengths
    }),
    (
        "attributes",
        "Attributes",
        "How far the distribution of an attribute is from the real one, as for columns; mean over attributes, 0 is equal.",
        |apart| mean(apart.attributes.iter().map(|(_, apart)| Some(*apart))),
    ),
];

fn mean(values: impl IntoIterator<Item = Option<f64>>) -> Option<f64> {
    let known: Vec<f64> = values.into_iter().flatten().collect();
    (!known.is_empty()).then(|| known.iter().sum::<f64>() / known.len() as f64)
}

fn difference(a: &[Option<f64>], b: &[Option<f64>]) -> Vec<Option<f64>> {
    a.iter().zip(b).map(|(a, b)| Some(((*a)? - (*b)?).abs())).collect()
}

/// Compares series of any columns and lengths.
pub(super) fn report(
    real: &Series,
    synthetic: &Series,
    holdout: Option<&Series>,
    evaluation: &SeriesEvaluation,
    stage: &mut dyn FnMut(&str),
) -> Result<Report> {
    let SeriesEvaluation { repeats, seed, sources, .. } = evaluation;
    for other in [Some(synthetic), holdout].into_iter().flatten() {
        if other.rows().schema().names().ne(real.rows().schema().names()) {
            let names = real.rows().schema().names().collect::<Vec<_>>().join(", ");
            return Err(Error::Tables(format!("both series need the columns {names}; leave others out with --drop")));
        }
    }
    stage("columns, autocorrelations, transitions");
    let apart = Differences::of(real, synthetic);
    let of_holdout = holdout.map(|holdout| Differences::of(real, holdout));
    let mut all: Vec<Score> = SCORES.iter().map(|about| compared(about, &apart, of_holdout.as_ref())).collect();
    stage("discriminative score");
    let length = [Some(real), Some(synthetic), holdout].into_iter().flatten().flat_map(Series::lengths);
    // As long as most sequences are.
    let mut sorted: Vec<usize> = length.collect();
    sorted.sort_unstable();
    let length = WINDOW.min(sorted.get(sorted.len() / 4).copied().unwrap_or(0));
    let windows = |series: &Series, purpose: u64| {
        let stride = (series.rows().rows() / MOST_WINDOWS).max(1);
        let all = as_windows(series, real, length.max(2), stride);
        let chosen = subsample(all.count, MOST_WINDOWS, *seed, 0x7040 + purpose);
        all.select(chosen)
    };
    let (own, made, kept) = (windows(real, 0), windows(synthetic, 1), holdout.map(|series| windows(series, 2)));
    all.insert(0, told_apart(&own, &made, kept.as_ref(), *repeats, *seed));
    stage("copies");
    all.push(near_copies(&own, &made, kept.as_ref()));
    stage("figures");
    let counts = [synthetic.count(), holdout.map_or(real.count(), Series::count)];
    marks::set(&mut all, counts);
    let sections = [
        Some(super::sections::reading()),
        Some(super::sections::limits()),
        Some(by_column(real, &apart, of_holdout.as_ref())),
        autocorrelation_curves(real, synthetic, holdout),
        paths(real, synthetic, *seed),
        super::calendar::section(real, synthetic),
        by_attribute(apart.attributes),
    ];
    let rows = |series: &Series| series.lengths().sum::<usize>();
    let description = format!("{} rows of {} columns in all", rows(real), real.rows().columns().len());
    let scored: Vec<scores::Scored> = all.iter().map(|score| scores::Scored::alone(score.clone())).collect();
    let mut verdicts =
        vec![verdict::of_fidelity(&scored), verdict::not_for_utility(), verdict::of_privacy(&scored, counts, holdout.is_some())];
    if by_id(&scored, "discriminative").is_none_or(|found| found.score.value.is_none()) {
        verdicts.remove(0);
    }
    Ok(Report {
        format: FORMAT,
        kind: "series".into(),
        sources: sources.filled("sequences", description, [real.count(), synthetic.count()], holdout.map(Series::count)),
        seed: *seed,
        verdicts,
        scores: all,
        sections: sections.into_iter().flatten().collect(),
        notes: vec![
            format!(
                "The network and the search for copies see windows of {} rows: numbers, whether they are missing, and up to eight labels of a column.",
                length.max(2)
            ),
            format!(
                "A discriminative score above the holdout's by {} or {} lowers the answer. Without a holdout the reference is 0, which no later part of a series reaches.",
                TOLD_APART[0], TOLD_APART[1]
            ),
        ],
    })
}

fn compared((id, name, meaning, measure): &(&str, &str, &str, OneNumber), apart: &Differences, of_holdout: Option<&Differences>) -> Score {
    let (value, of_holdout) = (measure(apart), of_holdout.and_then(measure));
    Score {
        id: (*id).into(),
        group: Group::Fidelity,
        name: (*name).into(),
        value,
        interval: None,
        reference: of_holdout.or(Some(0.0)),
        reference_from: if of_holdout.is_some() { ReferenceFrom::Holdout } else { ReferenceFrom::Ideal },
        direction: Direction::Lower,
        mark: None,
        meaning: (*meaning).into(),
        undefined: value.is_none().then(|| "both series need such columns, attributes or lengths".into()),
    }
}

/// The discriminative score against the real windows that are as far from the synthetic ones as the holdout's are.
fn told_apart(real: &Windows, synthetic: &Windows, holdout: Option<&Windows>, repeats: usize, seed: u64) -> Score {
    let about = &scores::DISCRIMINATIVE;
    let enough = [Some(real), Some(synthetic), holdout].into_iter().flatten().all(|windows| windows.count >= 50 && windows.channels > 0);
    let score = |other: &Windows| -> Estimate {
        let values: Vec<f64> =
            (0..repeats as u64).into_par_iter().map(|repeat| discriminative(real, other, seed.wrapping_add(repeat))).collect();
        Estimate::of_mean(&values)
    };
    let found = enough.then(|| (score(synthetic), holdout.map(score)));
    let of_holdout = found.and_then(|(_, holdout)| holdout).map(|found| found.value);
    Score {
        id: about.id.into(),
        group: about.group,
        name: about.name.into(),
        value: found.map(|(found, _)| found.value),
        interval: found.filter(|_| repeats > 1).map(|(found, _)| found.interval),
        reference: of_holdout.or(Some(0.0)),
        reference_from: if of_holdout.is_some() { ReferenceFrom::Holdout } else { ReferenceFrom::Ideal },
        direction: Direction::Lower,
        mark: None,
        meaning: about.meaning.into(),
        undefined: (!enough).then(|| "needs 50 windows of each set".into()),
    }
}

fn near_copies(real: &Windows, synthetic: &Windows, holdout: Option<&Windows>) -> Score {
    let found = holdout.filter(|holdout| holdout.count > 0 && synthetic.count > 0).map(|holdout| copies(real, synthetic, holdout));
    scores::of_copies(found)
}

/// Every column's differences.
fn by_column(real: &Series, apart: &Differences, of_holdout: Option<&Differences>) -> Section {
    let row = |(column, name): (usize, &str)| GridRow {
        name: name.into(),
        cells: [
            Some(apart.marginals[column]),
            of_holdout.map(|apart| apart.marginals[column]),
            apart.autocorrelation(1, column),
            apart.autocorrelation(24, column),
            apart.transitions[column],
            apart.missing_runs[column],
        ]
        .map(Cell::from)
        .to_vec(),
    };
    let headings =
        ["Column", "Distribution", "Holdout's", "Autocorrelation, 1 row", "Autocorrelation, 24 rows", "Transitions", "Missing runs"];
    let grid = Grid::new(&headings, real.rows().schema().names().enumerate().map(row).collect());
    Section::new("columns", "Column by column", "Differences from the real series, 0 is equal.", Content::Table(grid))
}

fn by_attribute(found: Vec<(String, f64)>) -> Option<Section> {
    if found.is_empty() {
        return None;
    }
    let rows = found.into_iter().map(|(name, apart)| GridRow { name, cells: vec![Cell::from(Some(apart))] }).collect();
    let grid = Grid::new(&["Attribute", "Distribution"], rows);
    Some(Section::new("attributes", "Attribute by attribute", "Differences from the real sequences, 0 is equal.", Content::Table(grid)))
}

pub(super) fn numbers(series: &Series) -> impl Iterator<Item = (usize, &str)> {
    let columns = series.rows().schema().columns.iter().enumerate();
    columns
        .filter(|(_, column)| column.kind.is_number() && column.kind != ColumnKind::Datetime)
        .map(|(place, column)| (place, column.name.as_str()))
        .take(MOST_COLUMNS)
}

fn autocorrelation_curves(real: &Series, synthetic: &Series, holdout: Option<&Series>) -> Option<Section> {
    const MOST_LAG: usize = 72;
    let lags = MOST_LAG.min(real.longest().min(synthetic.longest()) / 2);
    if lags < 2 {
        return None;
    }
    let mut sets = vec![("real", real)];
    sets.extend(holdout.map(|holdout| ("holdout", holdout)));
    sets.push(("synthetic", synthetic));
    let lines: Vec<(&str, Vec<Vec<Option<f64>>>)> = sets
        .into_iter()
        .map(|(of, series)| (of, (0..=lags).into_par_iter().map(|lag| autocorrelations_at(series, lag)).collect()))
        .collect();
    let chart = |(column, name): (usize, &str)| {
        let curve = |(of, by_lag): &(&str, Vec<Vec<Option<f64>>>)| Curve {
            of: (*of).into(),
            values: by_lag.iter().map_while(|columns| columns[column]).collect(),
        };
        Curves { name: name.into(), axis: ["lag 0".into(), format!("lag {lags}")], curves: lines.iter().map(curve).collect() }
    };
    let charts: Vec<Curves> = numbers(real).map(chart).filter(|chart| chart.curves.iter().all(|curve| curve.values.len() > 1)).collect();
    let text = "The correlation of a value with that so many rows later, around the mean of all rows.";
    (!charts.is_empty()).then(|| Section::new("autocorrelations", "Autocorrelations", text, Content::Curves(charts)))
}

/// Some parts of both series under each other.
fn paths(real: &Series, synthetic: &Series, seed: u64) -> Option<Section> {
    let (rows, count) = PATHS;
    let chart = |(column, name): (usize, &str)| {
        let of = |series: &Series, label: &str, purpose: u64| -> Vec<Curve> {
            let Some(values) = series.rows().columns()[column].numbers() else { return Vec::new() };
            let mut random = random(seed, 0x7050 + purpose);
            let path = |_| {
                let span = &series.spans()[random.below(series.count())];
                let start = span.start + random.below(span.len().saturating_sub(rows) + 1);
                Curve {
                    of: label.into(),
                    values: values[start..span.end.min(start + rows)].iter().copied().filter(|value| value.is_finite()).collect(),
                }
            };
            (0..count).map(path).filter(|curve| curve.values.len() > 1).collect()
        };
        Curves {
            name: name.into(),
            axis: ["first row".into(), format!("{rows} rows later")],
            curves: [of(real, "real", 0), of(synthetic, "synthetic", 1)].concat(),
        }
    };
    let charts: Vec<Curves> = numbers(real).map(chart).filter(|chart| !chart.curves.is_empty()).collect();
    let text =
        format!("{count} parts of up to {rows} rows of real and of synthetic sequences, drawn by the seed; missing values are left out.");
    (!charts.is_empty()).then(|| Section::new("paths", "Sample paths", text, Content::Curves(charts)))
}
