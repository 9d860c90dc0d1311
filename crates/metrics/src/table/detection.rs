//! Detection: can boosted trees tell synthetic rows from real ones?

use semblant_data::table::Table;

use super::align::align;
use crate::Result;
use crate::error::undefined;
use crate::learn::scores::roc_auc;
use crate::learn::{Boosting, Target};
use crate::random::{Random, subsample};

const FOLDS: usize = 3;

/// Classifier two-sample test: the mean over 3 stratified folds of the ROC AUC with which boosted trees ([`Boosting::default`]) tell the two
/// tables' rows apart, after the larger is cut to the size of the smaller by `seed`.
///
/// Range about 0.5 to 1, lower is better: 0.5 means that they cannot be told apart, 1 that every row is recognised. It rises with the number
/// of rows, and a constant difference that no user would mind (three decimals instead of two) is enough for 1, so read it beside the other
/// scores. Source: Lopez-Paz and Oquab 2017; SDMetrics' LogisticDetection asks the same of a logistic regression, which sees less.
///
/// # Errors
/// [`crate::Error::Undefined`] with fewer than 3 rows on a side; [`crate::Error::Tables`] when the tables share no column or one has no rows.
pub fn detection_auc(real: &Table, synthetic: &Table, seed: u64) -> Result<f64> {
    let tables = align(&[real, synthetic])?;
    let size = real.rows().min(synthetic.rows());
    if size < FOLDS {
        return undefined(format!("fewer than {FOLDS} rows on a side"));
    }
    let mut rows = tables[0].take(&subsample(real.rows(), size, seed, 4));
    rows.append(&tables[1].take(&subsample(synthetic.rows(), size, seed, 5)))?;
    let folds = folds(size, seed);
    let scores = (0..FOLDS).map(|fold| fold_auc(&rows, &folds, fold, seed)).collect::<Result<Vec<f64>>>()?;
    Ok(scores.iter().sum::<f64>() / FOLDS as f64)
}

/// A fold for each row: the same number from each table, up to one.
fn folds(size: usize, seed: u64) -> Vec<usize> {
    let one_table = |purpose| {
        let mut folds: Vec<usize> = (0..size).map(|row| row % FOLDS).collect();
        Random::new(seed, purpose).shuffle(&mut folds);
        folds
    };
    [one_table(6), one_table(7)].concat()
}

fn fold_auc(rows: &Table, folds: &[usize], fold: usize, seed: u64) -> Result<f64> {
    let (train, test): (Vec<usize>, Vec<usize>) = (0..rows.rows()).partition(|&row| folds[row] != fold);
    let is_synthetic = |row: usize| row >= rows.rows() / 2;
    let codes = train.iter().map(|&row| u32::from(is_synthetic(row))).collect();
    let model = Boosting { seed, ..Boosting::default() }.fit(&rows.take(&train), None, &Target::Classes { codes, count: 2 })?;
    let positive: Vec<bool> = test.iter().map(|&row| is_synthetic(row)).collect();
    roc_auc(&positive, &model.predict(&rows.take(&test))[1])
}

#[cfg(test)]
mod tests {
    use super::*;
    use semblant_data::table::{Column, ColumnKind};

    fn table(seed: u64, shift: f64) -> Table {
        let mut random = Random::new(seed, 0);
        let x = (0..900).map(|_| random.below(1 << 30) as f64 + shift * f64::from(1 << 30)).collect();
        Table::from_columns(vec![("x", ColumnKind::Continuous, Column::Number(x))]).unwrap()
    }

    #[test]
    fn the_same_population_is_not_told_apart_and_a_shifted_one_is() {
        assert!((detection_auc(&table(1, 0.0), &table(2, 0.0), 0).unwrap() - 0.5).abs() < 0.06);
        // Uniform on [0, 1] and [1/2, 3/2]: the best classifier's AUC is 1 - 1/8.
        assert!((detection_auc(&table(1, 0.0), &table(2, 0.5), 0).unwrap() - 0.875).abs() < 0.04);
        assert!(detection_auc(&table(1, 0.0), &table(2, 2.0), 0).unwrap() > 0.999);
        assert!(detection_auc(&table(1, 0.0), &table(2, 0.0).take(&[0]), 0).is_err());
    }
}
