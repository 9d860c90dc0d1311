//! The scores of the papers on TabSyn and TabDiff, as those define them, so that published rows can stand beside new ones.
//!
//! Zhang et al. 2024, "Mixed-type tabular data synthesis with score-based diffusion in latent space"; Shi et al. 2025, "TabDiff". Alpha-precision and
//! beta-recall: Alaa et al. 2022, "How faithful is your synthetic data?", in the form without a one-class embedding that both papers used.

use rayon::prelude::*;
use semblant_data::table::{Column, Table};

use super::align::align;
use super::binning::{BinRule, range};
use super::detection::{detection_auc, logistic_detection};
use super::embed::Embedding;
use super::pairs::column_pair_trends;
use super::privacy::quantile;
use super::shapes::column_shapes;
use super::utility::{UtilityOptions, utility};
use crate::Result;
use crate::error::undefined;
use crate::learn::Learner;
use crate::nearest::Rows;
use crate::random::subsample;

/// Steps of alpha and of beta from 0 to 1.
const STEPS: usize = 30;

/// The scores of the protocol.
#[derive(Debug, Clone, PartialEq)]
pub struct TabSyn {
    /// 1 - SDMetrics' Column Shapes: the papers' Shape, an error.
    pub shape_error: Option<f64>,
    /// 1 - SDMetrics' Column Pair Trends: the papers' Trend, an error.
    pub trend_error: Option<f64>,
    /// See [`alpha_precision_beta_recall`].
    pub alpha_precision: f64,
    /// See [`alpha_precision_beta_recall`].
    pub beta_recall: f64,
    /// SDMetrics' LogisticDetection: the papers' C2ST, 1 if rows cannot be distinguished.
    pub c2st_logistic: Option<f64>,
    /// The mean AUC of boosted trees that distinguish the rows; 0.5 is best.
    pub c2st_boosted: Option<f64>,
    /// AUC, or R2, on held-out rows of boosted trees trained on synthetic rows, and trained on real ones. The papers choose XGBoost's settings on
    /// a part of the synthetic rows; here they are fixed.
    pub mle: Option<[Option<f64>; 2]>,
    /// The share of synthetic rows that are nearer to a training row than to any held-out row; 0.5 is best, where the two parts are equally large.
    pub dcr_share: Option<f64>,
}

/// All scores of the protocol. `train` is what the model learned, `holdout` are other real rows.
///
/// # Errors
/// [`crate::Error::Tables`] when the tables share no column or one has no rows.
pub fn tabsyn(train: &Table, synthetic: &Table, holdout: Option<&Table>, target: Option<&str>, seed: u64) -> Result<TabSyn> {
    let [alpha_precision, beta_recall] = alpha_precision_beta_recall(train, synthetic, seed)?;
    let options = UtilityOptions { seed, learners: vec![Learner::ALL[0]], ..UtilityOptions::default() };
    let mle = holdout.zip(target).map(|(holdout, target)| utility(train, synthetic, holdout, target, &options)).transpose()?;
    Ok(TabSyn {
        shape_error: column_shapes(train, synthetic)?.mean.map(|mean| 1.0 - mean),
        trend_error: column_pair_trends(train, synthetic, BinRule::EachTable)?.mean.map(|mean| 1.0 - mean),
        alpha_precision,
        beta_recall,
        c2st_logistic: logistic_detection(train, synthetic, seed).ok(),
        c2st_boosted: detection_auc(train, synthetic, seed).ok().map(|found| found.value),
        mle: mle.and_then(|found| {
            let first = found.learners.into_iter().next()?;
            Some([first.synthetic.ok().map(|score| score.main().value), Some(first.real.main().value)])
        }),
        dcr_share: holdout.map(|holdout| dcr_share(train, synthetic, holdout)).transpose()?,
    })
}

/// Alpha-precision and beta-recall, each as 1 - the area between its curve and the diagonal; range 0 to 1, higher is better.
///
/// Precision at alpha is the share of synthetic rows within the ball around the real mean that holds the share alpha of the real rows. Recall at
/// beta is the share of real rows whose nearest synthetic row is no farther than their nearest other real row and lies within the ball around the
/// synthetic mean that holds the share beta of such nearest rows. Numbers are scaled to the real range, labels one-hot; the larger table is cut to the
/// size of the smaller by `seed`.
///
/// # Errors
/// [`crate::Error::Undefined`] with fewer than two rows; [`crate::Error::Tables`] when the tables share no column.
pub fn alpha_precision_beta_recall(real: &Table, synthetic: &Table, seed: u64) -> Result<[f64; 2]> {
    let tables = align(&[real, synthetic])?;
    let size = real.rows().min(synthetic.rows());
    if size < 2 {
        return undefined("fewer than two rows in a table");
    }
    let embedding = Embedding::fit(&tables[0]);
    let points = |table: &Table, purpose| embedding.points(&table.take(&subsample(table.rows(), size, seed, purpose)));
    Ok(curves(&points(&tables[0], 31), &points(&tables[1], 32), embedding.width()))
}

/// Of points of equal number, `[rows, width]`.
fn curves(real: &[f64], synthetic: &[f64], width: usize) -> [f64; 2] {
    let distances = |points: &[f64], centre: &[f64]| -> Vec<f64> {
        let distance = |point: &[f64]| point.iter().zip(centre).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt();
        points.chunks_exact(width).map(distance).collect()
    };
    let sorted = |mut values: Vec<f64>| {
        values.sort_unstable_by(f64::total_cmp);
        values
    };
    let centre = mean(real, width);
    let radii = sorted(distances(real, &centre));
    let of_synthetic = sorted(distances(synthetic, &centre));
    let precision = |alpha: f64| {
        let radius = quantile(&radii, alpha);
        of_synthetic.partition_point(|&distance| distance <= radius) as f64 / of_synthetic.len() as f64
    };
    let (to_synthetic, to_real) = (nearest(real, synthetic, width, false), nearest(real, real, width, true));
    let from_centre = distances(synthetic, &mean(synthetic, width));
    let of_nearest: Vec<f64> = to_synthetic.iter().map(|&(_, index)| from_centre[index]).collect();
    let radii = sorted(of_nearest.clone());
    let recall = |beta: f64| {
        let radius = quantile(&radii, beta);
        let covered = (0..to_real.len()).filter(|&row| to_synthetic[row].0 <= to_real[row].0 && of_nearest[row] <= radius);
        covered.count() as f64 / to_real.len() as f64
    };
    [&precision as &dyn Fn(f64) -> f64, &recall].map(|curve| {
        let steps: Vec<f64> = (0..STEPS).map(|step| step as f64 / (STEPS - 1) as f64).collect();
        1.0 - steps.iter().map(|&step| (step - curve(step)).abs()).sum::<f64>() / steps.iter().sum::<f64>()
    })
}

fn mean(points: &[f64], width: usize) -> Vec<f64> {
    let count = (points.len() / width) as f64;
    let mut mean = vec![0.0; width];
    points.chunks_exact(width).for_each(|point| mean.iter_mut().zip(point).for_each(|(mean, value)| *mean += value / count));
    mean
}

/// For every query the squared distance to its nearest reference, and which that is; with `others` the same place in the references is left out.
fn nearest(queries: &[f64], references: &[f64], width: usize, others: bool) -> Vec<(f64, usize)> {
    let start = |row: usize| (row, f64::INFINITY, 0);
    let step = |state: &mut (usize, f64, usize), first: usize, distances: &[f64]| {
        for (place, &distance) in distances.iter().enumerate() {
            if distance < state.1 && !(others && first + place == state.0) {
                (state.1, state.2) = (distance, first + place);
            }
        }
    };
    let found = Rows::new(queries, width).fold(&Rows::new(references, width), start, step);
    found.into_iter().map(|(_, distance, index)| (distance, index)).collect()
}

/// The share of synthetic rows that are nearer to a row of `train` than to any of `holdout`. The distance is the sum over columns of |a - b| / range of
/// all real rows for numbers, and 2 for labels that differ (as of one-hot vectors). It is not bounded, and ties count as not nearer.
///
/// # Errors
/// [`crate::Error::Tables`] when the tables share no column or one has no rows.
pub fn dcr_share(train: &Table, synthetic: &Table, holdout: &Table) -> Result<f64> {
    let tables = align(&[train, synthetic, holdout])?;
    let width = tables[0].columns().len();
    let scales: Vec<Option<(f64, f64)>> = (0..width)
        .map(|column| {
            let [train, holdout] = [0, 2].map(|table: usize| tables[table].columns()[column].numbers().and_then(range));
            let (low, high) = match (train, holdout) {
                (Some(a), Some(b)) => (a.0.min(b.0), a.1.max(b.1)),
                (a, b) => a.or(b)?,
            };
            Some((low, if high > low { high - low } else { 1.0 }))
        })
        .collect();
    let points = |table: &Table| -> Vec<f64> {
        let place = |row: usize, column: usize| match (&table.columns()[column], scales[column]) {
            (Column::Number(values), Some((low, scale))) if !values[row].is_nan() => (values[row] - low) / scale,
            (Column::Category { codes, .. }, _) => f64::from(codes[row]),
            _ => 0.0,
        };
        (0..table.rows()).flat_map(|row| (0..width).map(move |column| (row, column))).map(|(row, column)| place(row, column)).collect()
    };
    let is_label: Vec<bool> = tables[0].columns().iter().map(|column| column.numbers().is_none()).collect();
    let [train, synthetic, holdout] = [0, 1, 2].map(|table: usize| points(&tables[table]));
    let least = |row: &[f64], references: &[f64]| {
        let mut least = f64::INFINITY;
        for reference in references.chunks_exact(width) {
            let mut sum = 0.0;
            for ((a, b), is_label) in row.iter().zip(reference).zip(&is_label) {
                sum += if *is_label { if a == b { 0.0 } else { 2.0 } } else { (a - b).abs() };
                if sum >= least {
                    break;
                }
            }
            least = least.min(sum);
        }
        least
    };
    let nearer = synthetic.par_chunks_exact(width).filter(|row| least(row, &train) < least(row, &holdout)).count();
    Ok(nearer as f64 / (synthetic.len() / width) as f64)
}

#[cfg(test)]
mod tests {
    use semblant_data::table::ColumnKind;

    use super::*;

    fn table(points: impl Iterator<Item = [f64; 2]>) -> Table {
        let (x, y): (Vec<f64>, Vec<f64>) = points.map(|[x, y]| (x, y)).unzip();
        Table::from_columns(vec![("x", ColumnKind::Continuous, Column::Number(x)), ("y", ColumnKind::Continuous, Column::Number(y))])
            .expect("a table")
    }

    #[test]
    fn curves_have_the_values_of_synthcity() {
        // Golden values of synthcity's naive variant, recomputed with NumPy.
        let real = table((0..50).map(f64::from).map(|i| [i.sin(), (2.0 * i).cos()]));
        let synthetic = table((0..50).map(f64::from).map(|i| [0.9 * (i + 0.1).sin(), (2.0 * i + 0.3).cos()]));
        let [alpha, beta] = alpha_precision_beta_recall(&real, &synthetic, 0).expect("defined");
        assert!((alpha - 0.886_344_827_586_206_9).abs() < 1e-9, "{alpha}");
        assert!((beta - 0.238_666_666_666_666_8).abs() < 1e-9, "{beta}");
        // A table is as precise as itself, and every row has a synthetic row at no distance.
        let [alpha, beta] = alpha_precision_beta_recall(&real, &real, 0).expect("defined");
        assert!(alpha > 0.97 && beta > 0.97, "{alpha} {beta}");
    }

    #[test]
    fn labels_that_differ_count_two() {
        let rows = |values: &[f64], labels: &[&str]| {
            Table::from_columns(vec![
                ("n", ColumnKind::Continuous, Column::Number(values.to_vec())),
                ("c", ColumnKind::Categorical, Column::from_labels(labels.iter().map(Some))),
            ])
            .expect("a table")
        };
        let train = rows(&[0.0, 10.0], &["a", "b"]);
        let holdout = rows(&[5.0, 10.0], &["b", "a"]);
        // (1, a): .1 from the first training row, .9 from (10, a). (6, b): .4 from (10, b), .1 from (5, b). (5, a): .5 from both (0, a) and (10, a), a tie.
        let synthetic = rows(&[1.0, 6.0, 5.0], &["a", "b", "a"]);
        assert!((dcr_share(&train, &synthetic, &holdout).expect("defined") - 1.0 / 3.0).abs() < 1e-12);
    }

    #[test]
    fn the_protocol_has_all_scores() {
        let points =
            |first: u32| table((first..first + 120).map(f64::from).map(|i| [(i * 0.7).sin(), (i * 0.7).sin() * 2.0 + (i * 1.3).cos()]));
        let found = tabsyn(&points(0), &points(500), Some(&points(1000)), Some("y"), 0).expect("defined");
        assert!(found.shape_error < Some(0.2) && found.trend_error < Some(0.2), "{found:?}");
        assert!(found.alpha_precision > 0.8 && found.dcr_share.is_some_and(|share| (0.2..0.8).contains(&share)), "{found:?}");
        assert!(found.mle.is_some_and(|[synthetic, real]| synthetic.is_some() && real.is_some()), "{found:?}");
    }
}
