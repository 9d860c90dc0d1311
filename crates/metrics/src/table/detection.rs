//! Detection: how well classifiers distinguish synthetic from real rows.

use semblant_data::table::{Column, ColumnKind, MISSING, Table};

use super::align::align;
use super::privacy::quantile;
use super::shapes::mean;
use crate::Result;
use crate::error::undefined;
use crate::learn::logistic::{Logistic, LogisticRows};
use crate::learn::scores::roc_auc;
use crate::learn::{Boosting, Target};
use crate::random::{random, subsample};

const FOLDS: usize = 3;

/// Classifier two-sample test: the mean ROC AUC over 3 stratified folds of boosted trees ([`Boosting::default`]) that distinguish the rows of
/// the two tables, after the larger is cut to the size of the smaller by `seed`.
///
/// Range about 0.5 to 1, lower is better: 0.5 means indistinguishable, 1 that every row is recognized. It rises with the number of rows, and
/// a harmless constant difference (three decimals instead of two) is enough for 1, so read it together with the other scores. Source:
/// Lopez-Paz and Oquab 2017; SDMetrics' LogisticDetection does the same with a logistic regression, which detects less.
///
/// # Errors
/// [`crate::Error::Undefined`] with fewer than 3 rows in a table; [`crate::Error::Tables`] when the tables share no column or one has no
/// rows.
pub fn detection_auc(real: &Table, synthetic: &Table, seed: u64) -> Result<f64> {
    let tables = align(&[real, synthetic])?;
    let size = real.rows().min(synthetic.rows());
    if size < FOLDS {
        return undefined(format!("fewer than {FOLDS} rows in a table"));
    }
    let mut rows = tables[0].take(&subsample(real.rows(), size, seed, 4));
    rows.append(&tables[1].take(&subsample(synthetic.rows(), size, seed, 5)))?;
    let folds = folds([size; 2], seed);
    let scores = (0..FOLDS).map(|fold| fold_auc(&rows, &folds, fold, seed)).collect::<Result<Vec<f64>>>()?;
    Ok(scores.iter().sum::<f64>() / FOLDS as f64)
}

/// A fold for each row: the same number from each table, up to one.
fn folds(sizes: [usize; 2], seed: u64) -> Vec<usize> {
    let one_table = |size: usize, purpose| {
        let mut folds: Vec<usize> = (0..size).map(|row| row % FOLDS).collect();
        random(seed, purpose).shuffle(&mut folds);
        folds
    };
    [one_table(sizes[0], 6), one_table(sizes[1], 7)].concat()
}

fn fold_auc(rows: &Table, folds: &[usize], fold: usize, seed: u64) -> Result<f64> {
    let (train, test): (Vec<usize>, Vec<usize>) = (0..rows.rows()).partition(|&row| folds[row] != fold);
    let is_synthetic = |row: usize| row >= rows.rows() / 2;
    let codes = train.iter().map(|&row| u32::from(is_synthetic(row))).collect();
    let model = Boosting { seed, ..Boosting::default() }.fit(&rows.take(&train), None, &Target::Classes { codes, count: 2 })?;
    let positive: Vec<bool> = test.iter().map(|&row| is_synthetic(row)).collect();
    roc_auc(&positive, &model.predict(&rows.take(&test))[1])
}

/// LogisticDetection: 1 - (2 AUC - 1), with the mean AUC (at least one half) of 3 stratified folds of a logistic regression that
/// distinguishes the rows of the two tables. It uses sums of single columns; [`detection_auc`] also uses combinations.
///
/// Range 0 to 1, higher is better: 1 if they cannot be distinguished. Numbers are centred by the median and scaled by the interquartile range
/// of its training rows, missing ones set to the real mean; labels are one-hot, missing one of them; booleans are left out.
/// Source: SDMetrics 0.29.0, whose folds have no seed, so that the two agree to about 0.01 only; it refuses labels that the real table lacks,
/// which have a place of their own here.
///
/// # Errors
/// As [`detection_auc`], and [`crate::Error::Undefined`] when only booleans are left.
pub fn logistic_detection(real: &Table, synthetic: &Table, seed: u64) -> Result<f64> {
    let tables = align(&[real, synthetic])?;
    let sizes = [real.rows(), synthetic.rows()];
    if sizes.into_iter().min() < Some(FOLDS) {
        return undefined(format!("fewer than {FOLDS} rows in a table"));
    }
    let used: Vec<usize> = tables[0]
        .schema()
        .columns
        .iter()
        .enumerate()
        .filter(|(_, column)| column.kind != ColumnKind::Boolean)
        .map(|(place, _)| place)
        .collect();
    if used.is_empty() {
        return undefined("there are only booleans, which this score leaves out");
    }
    let means = tables[0]
        .columns()
        .iter()
        .map(|column| mean(column.numbers()?.iter().copied().filter(|value| value.is_finite())))
        .collect::<Vec<_>>();
    let mut all = tables[0].clone();
    all.append(&tables[1])?;
    let columns: Vec<Filled> = used.iter().map(|&place| Filled::new(&all.columns()[place], means[place])).collect();
    let folds = folds(sizes, seed);
    let one = |fold: usize| {
        let (train, test): (Vec<usize>, Vec<usize>) = (0..all.rows()).partition(|&row| folds[row] != fold);
        let scaled: Vec<Filled> = columns.iter().map(|column| column.scaled(&train)).collect();
        let is_real = |rows: &[usize]| rows.iter().map(|&row| row < sizes[0]).collect::<Vec<bool>>();
        let model = Logistic::fit(&logistic_rows(&scaled, &train), &is_real(&train));
        Ok(roc_auc(&is_real(&test), &model.scores(&logistic_rows(&scaled, &test)))?.max(0.5) * 2.0 - 1.0)
    };
    let found = (0..FOLDS).map(one).collect::<Result<Vec<f64>>>()?;
    Ok(1.0 - found.iter().sum::<f64>() / FOLDS as f64)
}

/// A column without gaps.
enum Filled {
    Numbers(Vec<f64>),
    /// Labels from 0, missing the last, and how many there are.
    Labels(Vec<u32>, usize),
}

impl Filled {
    fn new(column: &Column, real_mean: Option<f64>) -> Self {
        match column {
            // Infinite values are missing ones, as in SDMetrics.
            Column::Number(values) => {
                Self::Numbers(values.iter().map(|&value| if value.is_finite() { value } else { real_mean.unwrap_or(0.0) }).collect())
            }
            Column::Category { codes, levels } => {
                let missing = levels.len() as u32;
                Self::Labels(codes.iter().map(|&code| if code == MISSING { missing } else { code }).collect(), levels.len() + 1)
            }
        }
    }

    fn scaled(&self, train: &[usize]) -> Self {
        match self {
            Self::Numbers(values) => {
                let mut sorted: Vec<f64> = train.iter().map(|&row| values[row]).collect();
                sorted.sort_unstable_by(f64::total_cmp);
                let (middle, spread) = (quantile(&sorted, 0.5), quantile(&sorted, 0.75) - quantile(&sorted, 0.25));
                let scale = if spread > 0.0 && spread.is_finite() { spread } else { 1.0 };
                // Held within what sums of squares can be computed of.
                Self::Numbers(values.iter().map(|value| ((value - middle) / scale).clamp(-1e9, 1e9)).collect())
            }
            Self::Labels(codes, count) => Self::Labels(codes.clone(), *count),
        }
    }
}

fn logistic_rows(columns: &[Filled], rows: &[usize]) -> LogisticRows {
    let numbers: Vec<&[f64]> =
        columns.iter().filter_map(|column| if let Filled::Numbers(values) = column { Some(&values[..]) } else { None }).collect();
    let labels = columns.iter().filter_map(|column| if let Filled::Labels(codes, count) = column { Some((codes, *count)) } else { None });
    let mut weights = numbers.len();
    let mut placed = Vec::new();
    for (codes, count) in labels {
        placed.push((codes, weights as u32));
        weights += count;
    }
    LogisticRows {
        numbers: rows.iter().flat_map(|&row| numbers.iter().map(move |values| values[row])).collect(),
        labels: rows.iter().flat_map(|&row| placed.iter().map(move |(codes, first)| first + codes[row])).collect(),
        numbers_width: numbers.len(),
        labels_width: placed.len(),
        weights,
        rows: rows.len(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use semblant_data::table::{Column, ColumnKind};

    fn table(seed: u64, shift: f64) -> Table {
        let mut random = random(seed, 0);
        let x = (0..900).map(|_| random.below(1 << 30) as f64 + shift * f64::from(1 << 30)).collect();
        Table::from_columns(vec![("x", ColumnKind::Continuous, Column::Number(x))]).unwrap()
    }

    #[test]
    fn the_same_population_is_not_detected_and_a_shifted_one_is() {
        assert!((detection_auc(&table(1, 0.0), &table(2, 0.0), 0).unwrap() - 0.5).abs() < 0.06);
        // Uniform on [0, 1] and [1/2, 3/2]: the best classifier's AUC is 1 - 1/8.
        assert!((detection_auc(&table(1, 0.0), &table(2, 0.5), 0).unwrap() - 0.875).abs() < 0.04);
        assert!(detection_auc(&table(1, 0.0), &table(2, 2.0), 0).unwrap() > 0.999);
        assert!(detection_auc(&table(1, 0.0), &table(2, 0.0).take(&[0]), 0).is_err());
    }

    #[test]
    fn a_logistic_regression_sees_a_shift_but_no_broken_relation() {
        assert!(logistic_detection(&table(1, 0.0), &table(2, 0.0), 0).unwrap() > 0.88);
        // As above, the best AUC is 0.875, and a line finds it.
        assert!((logistic_detection(&table(1, 0.0), &table(2, 0.5), 0).unwrap() - 0.25).abs() < 0.08);
        let xor = |seed: u64, broken: bool| {
            let mut random = random(seed, 0);
            let a: Vec<f64> = (0..900).map(|_| random.below(2) as f64).collect();
            let b = a.iter().map(|&a| if broken { random.below(2) as f64 } else { a }).collect();
            Table::from_columns(vec![("a", ColumnKind::Integer, Column::Number(a)), ("b", ColumnKind::Integer, Column::Number(b))]).unwrap()
        };
        assert!(logistic_detection(&xor(1, false), &xor(2, true), 0).unwrap() > 0.85);
        assert!(detection_auc(&xor(1, false), &xor(2, true), 0).unwrap() > 0.7);
    }
}
