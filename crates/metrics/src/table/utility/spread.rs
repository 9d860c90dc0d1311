//! How much scores of trained models vary with the draw of their training rows.

use rayon::prelude::*;
use semblant_data::table::Table;

use super::groups::Groups;
use super::{Made, Prediction, Task};
use crate::Result;
use crate::bootstrap::{DRAWS, Estimate, drawn};
use crate::learn::Learner;
use crate::random::subsample;
use crate::table::shapes::deviation;

/// Parts of the training rows that a model is trained on.
const PARTS: usize = 8;
/// Most rows of a part.
const MOST_ROWS: usize = 2_500;

/// A model's predictions, and how much its figures vary with the draw of its training rows.
pub(super) struct Trained<'a> {
    /// As [`Task::predict`].
    pub(super) predicted: &'a [Vec<f64>],
    /// The variance of the main score, then of each figure of the groups; 0 for what is not defined.
    pub(super) variances: Vec<f64>,
}

/// The variances of [`Trained`], from models trained on parts of the training rows.
///
/// A part of `h` of `n` rows, drawn without replacement, differs from the next by `(1 / h - 1 / n)` times a variance of which all rows have
/// `1 / n` (the delete-d jackknife, Shao and Wu 1989).
pub(super) fn training_variances(task: &Task, learner: Learner, train: &Table, groups: &Groups) -> Vec<f64> {
    let rows = train.rows();
    let part = (rows / 2).min(MOST_ROWS);
    let all: Vec<usize> = (0..task.truth.len()).collect();
    let figures = |draw: usize| -> Option<Vec<Option<f64>>> {
        let part = train.take(&subsample(rows, part, task.options.seed, 0x9000 + draw as u64));
        let predicted = task.predict(learner, &part).ok()?;
        let main = task.measure(&predicted, &all).ok();
        Some(std::iter::once(main).chain(groups.figures(task, &predicted, &all)).collect())
    };
    let drawn: Vec<Vec<Option<f64>>> = (0..PARTS).into_par_iter().filter_map(figures).collect();
    let of_all = part as f64 / (rows - part).max(1) as f64;
    let variance = |place: usize| {
        let figures: Vec<f64> = drawn.iter().filter_map(|figures| figures[place]).collect();
        deviation(&figures).unwrap_or(0.0).powi(2) * of_all
    };
    (0..1 + groups.figure_count()).map(variance).collect()
}

/// Adds the draw of the training rows to the intervals of a model trained on real and one trained on synthetic rows, and returns what the second
/// keeps of the first one's gain over a guess.
pub(super) fn widen(task: &Task, of_training: [f64; 2], made: [&mut Made; 2]) -> Result<Option<Estimate>> {
    let [real, synthetic] = made;
    let gain = |made: &Made, rows: &[usize]| -> Result<f64> { Ok(task.measure(&made.predicted, rows)? - task.floor()) };
    let all: Vec<usize> = (0..task.truth.len()).collect();
    let (of_real, of_synthetic) = (gain(real, &all)?, gain(synthetic, &all)?);
    let kept = (of_real > 0.0).then(|| {
        let ratio = |draw: usize| -> Option<f64> {
            let rows = drawn(task.truth.len(), task.options.seed, draw);
            let real = gain(real, &rows).ok().filter(|gain| *gain > 0.0)?;
            Some(gain(synthetic, &rows).ok()? / real)
        };
        let ratios: Vec<f64> = (0..DRAWS).into_par_iter().filter_map(ratio).collect();
        let value = of_synthetic / of_real;
        let of_rows = (of_training[1] + value.powi(2) * of_training[0]) / of_real.powi(2);
        Estimate::around(value, (deviation(&ratios).unwrap_or(0.0).powi(2) + of_rows).sqrt())
    });
    for (made, variance) in [real, synthetic].into_iter().zip(of_training) {
        let (Prediction::Classes { auc: main, .. } | Prediction::Values { r2: main, .. }) = &mut made.scores;
        let half = |end: f64| ((end - main.value).powi(2) + (1.96_f64).powi(2) * variance).sqrt();
        main.interval = [main.value - half(main.interval[0]), (main.value + half(main.interval[1])).min(1.0)];
    }
    Ok(kept)
}
