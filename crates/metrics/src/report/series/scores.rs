//! The scores of series, each with the holdout's and the block bootstrap's.

use burn::tensor::Device;
use rayon::prelude::*;
use semblant_data::series::Windows;

use super::Compared;
use crate::Result;
use crate::bootstrap::Estimate;
use crate::report::{Direction, Group, ReferenceFrom, Score};
use crate::series::context::{context_fid, untrained_fid};
use crate::series::{Copies, autocorrelation, copies, correlational, discriminative, marginals, predictive, spectrum};

/// A score with those of the controls.
pub(super) struct Scored {
    pub(super) score: Score,
    /// The holdout's.
    pub(super) holdout: Option<f64>,
    /// That of training windows drawn anew.
    pub(super) bootstrap: Option<f64>,
    /// By column, where it is a mean over columns.
    pub(super) columns: Option<Vec<f64>>,
}

impl Scored {
    /// A score without controls.
    pub(super) fn alone(score: Score) -> Self {
        Self { score, holdout: None, bootstrap: None, columns: None }
    }
}

/// What a score is called and means.
pub(super) struct About {
    pub(super) id: &'static str,
    pub(super) name: &'static str,
    pub(super) group: Group,
    pub(super) meaning: &'static str,
}

/// The score of every one of some sets of windows, by a seed.
type Measure<'a> = &'a (dyn Fn(&[&Windows], u64) -> Result<Vec<f64>> + Sync);
type ByColumn = fn(&Windows, &Windows) -> Vec<f64>;

pub(super) const DISCRIMINATIVE: About = About {
    id: "discriminative",
    name: "Discriminative score",
    group: Group::Fidelity,
    meaning: "How well a recurrent network tells synthetic windows from real ones: accuracy less 0.5, 0 is best, 0.5 worst (Yoon et al. 2019). Mean over seeds.",
};
const CONTEXT: About = About {
    id: "context_fid",
    name: "Context-FID",
    group: Group::Fidelity,
    meaning: "Frechet distance of whole windows in the embedding of TS2Vec, trained on the real windows; 0 is equal (Jeha et al. 2022). Mean over seeds.",
};
const UNTRAINED: About = About {
    id: "untrained_fid",
    name: "Context-FID, untrained encoder",
    group: Group::Fidelity,
    meaning: "The same by an encoder of fixed random weights, which is the same in every run.",
};
const CORRELATIONAL: About = About {
    id: "correlational",
    name: "Correlational score",
    group: Group::Fidelity,
    meaning: "Differences between the correlations of columns within a row, added up and divided by 10; it grows with the number of columns.",
};
const PREDICTIVE: About = About {
    id: "predictive",
    name: "Predictive score",
    group: Group::Utility,
    meaning: "Mean absolute error of the last column's next value by a recurrent network that was trained on synthetic windows, columns at 0..1; the reference was trained on the real windows. Mean over seeds.",
};
/// Means over columns of scores that train nothing.
const BY_COLUMN: [(About, ByColumn); 3] = [
    (
        About {
            id: "autocorrelation",
            name: "Autocorrelation",
            group: Group::Fidelity,
            meaning: "Difference between the autocorrelations of real and synthetic windows, mean over lags and columns; 0 is equal.",
        },
        |real, other| {
            apart(&autocorrelation(real), &autocorrelation(other), |a, b| {
                let lags = a.len().max(2) - 1;
                a.iter().zip(b).skip(1).map(|(a, b)| (a - b).abs()).sum::<f64>() / lags as f64
            })
        },
    ),
    (
        About {
            id: "spectrum",
            name: "Spectrum",
            group: Group::Fidelity,
            meaning: "The share of a window's power that stands at other frequencies than in real windows, mean over columns; 0 is equal, 1 is disjoint.",
        },
        |real, other| apart(&spectrum(real), &spectrum(other), |a, b| a.iter().zip(b).map(|(a, b)| (a - b).abs()).sum::<f64>() / 2.0),
    ),
    (
        About {
            id: "marginals",
            name: "Marginals",
            group: Group::Fidelity,
            meaning: "The largest difference between the distribution functions of a column (Kolmogorov-Smirnov), mean over columns; 0 is equal.",
        },
        marginals,
    ),
];

fn apart(real: &[Vec<f64>], other: &[Vec<f64>], distance: impl Fn(&[f64], &[f64]) -> f64) -> Vec<f64> {
    real.iter().zip(other).map(|(real, other)| distance(real, other)).collect()
}

pub(super) fn of(compared: &Compared, repeats: usize, seed: u64, device: &Device, stage: &mut dyn FnMut(&str)) -> Result<Vec<Scored>> {
    let real = &compared.real;
    let each =
        |sets: &[&Windows], measure: &(dyn Fn(&Windows) -> f64 + Sync)| Ok(sets.par_iter().map(|windows| measure(windows)).collect());
    let mut all = Vec::new();
    stage("discriminative score");
    all.push(scored(&DISCRIMINATIVE, compared, repeats, seed, &|sets, seed| each(sets, &|windows| discriminative(real, windows, seed))));
    stage("Context-FID");
    all.push(scored(&CONTEXT, compared, repeats, seed, &|sets, seed| context_fid(real, sets, seed, device)));
    all.push(scored(&UNTRAINED, compared, 1, 0, &|sets, _| untrained_fid(real, sets, device)));
    stage("correlations, autocorrelations, spectra");
    all.push(scored(&CORRELATIONAL, compared, 1, 0, &|sets, _| each(sets, &|windows| correlational(real, windows))));
    for (about, measure) in BY_COLUMN {
        let columns = measure(real, &compared.synthetic);
        let means = |sets: &[&Windows], _| each(sets, &|windows| mean(&measure(real, windows)));
        all.push(Scored { columns: Some(columns), ..scored(&about, compared, 1, 0, &means) });
    }
    stage("predictive score");
    let mut found = scored(&PREDICTIVE, compared, repeats, seed, &|sets, seed| each(sets, &|windows| predictive(real, windows, seed)));
    let on_real = repeated(repeats, seed, &|seed| Ok(vec![predictive(real, real, seed)]))?;
    found.score.reference = on_real.first().map(|found| found.value);
    found.score.reference_from = ReferenceFrom::TrainedOnReal;
    all.push(found);
    stage("copies");
    all.push(near_copies(compared));
    Ok(all)
}

/// A score as the mean over seeds, with those of the controls.
fn scored(about: &About, compared: &Compared, repeats: usize, seed: u64, measure: Measure<'_>) -> Scored {
    let sets: Vec<&Windows> = [&compared.synthetic, &compared.bootstrap].into_iter().chain(&compared.holdout).collect();
    let found = repeated(repeats, seed, &|seed| measure(&sets, seed));
    let of = |set: usize| found.as_ref().ok().and_then(|found| found.get(set)).copied();
    let (estimate, bootstrap, holdout) = (of(0), of(1).map(|found| found.value), of(2).map(|found| found.value));
    let score = Score {
        id: about.id.into(),
        group: about.group,
        name: about.name.into(),
        value: estimate.map(|found| found.value),
        interval: estimate.filter(|_| repeats > 1).map(|found| found.interval),
        reference: holdout.or(Some(0.0)),
        reference_from: if holdout.is_some() { ReferenceFrom::Holdout } else { ReferenceFrom::Ideal },
        direction: Direction::Lower,
        mark: None,
        meaning: about.meaning.into(),
        undefined: found.err().map(|error| error.reason()),
    };
    Scored { score, holdout, bootstrap, columns: None }
}

/// The means over seeds with their 95 % intervals by Student's distribution.
fn repeated(repeats: usize, seed: u64, measure: &(dyn Fn(u64) -> Result<Vec<f64>> + Sync)) -> Result<Vec<Estimate>> {
    let values = (0..repeats as u64).into_par_iter().map(|repeat| measure(seed.wrapping_add(repeat))).collect::<Result<Vec<_>>>()?;
    let of_set = |set: usize| Estimate::of_mean(&values.iter().map(|values| values[set]).collect::<Vec<f64>>());
    Ok((0..values.first().map_or(0, Vec::len)).map(of_set).collect())
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

fn near_copies(compared: &Compared) -> Scored {
    let found = compared.holdout.as_ref().map(|holdout| copies(&compared.real, &compared.synthetic, holdout));
    let bootstrap = compared.holdout.as_ref().map(|holdout| copies(&compared.real, &compared.bootstrap, holdout).share);
    Scored { holdout: found.map(|found| found.reference), bootstrap, ..Scored::alone(of_copies(found)) }
}

/// The score of what a search for copies found, if there was a holdout to compare with.
pub(super) fn of_copies(found: Option<Copies>) -> Score {
    Score {
        id: "near_copies".into(),
        group: Group::Privacy,
        name: "Near copies".into(),
        value: found.map(|found| found.share),
        interval: None,
        reference: found.map(|found| found.reference),
        reference_from: ReferenceFrom::Holdout,
        direction: Direction::Lower,
        mark: None,
        meaning: "The share of synthetic windows that are nearer to a training window than half of what holdout windows typically are."
            .into(),
        undefined: found.is_none().then(|| "needs a holdout: later windows of the same series".into()),
    }
}
