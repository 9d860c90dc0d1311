//! Utility: does a model trained on the synthetic table work as well on new real rows as one trained on the real table?

use semblant_data::table::{Column, MISSING, Table};
use serde::{Deserialize, Serialize};

use super::align::align;
use crate::error::undefined;
use crate::learn::scores::{f1, macro_auc, macro_f1, r2, rmse, roc_auc};
use crate::learn::{Boosting, Model, Target};
use crate::{Error, Result};

/// The test scores of the two models.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Utility {
    /// The column predicted.
    pub target: String,
    /// Trained on the real training rows: what can be reached.
    pub real: Prediction,
    /// Trained on the synthetic rows; the reason when that cannot be done.
    pub synthetic: Result<Prediction, String>,
    /// Test rows, those with a missing target left out.
    pub test_rows: usize,
}

/// How well one model predicts the test rows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Prediction {
    /// A categorical target.
    Classes {
        /// ROC AUC; with more than two classes the mean over one-against-rest.
        auc: f64,
        /// F1 of the rarer class at probability one half; with more than two classes the mean over classes of the likeliest-class prediction.
        f1: f64,
    },
    /// A number as target.
    Values {
        /// Share of the variance explained.
        r2: f64,
        /// Root mean squared error, in the target's unit.
        rmse: f64,
    },
}

impl Prediction {
    /// AUC or R2.
    pub fn main(&self) -> f64 {
        match self {
            Self::Classes { auc, .. } => *auc,
            Self::Values { r2, .. } => *r2,
        }
    }
}

/// Trains boosted trees ([`Boosting::default`]) to predict `target` once on `train` and once on `synthetic`, and scores both on `test`, rows
/// that neither saw.
///
/// Classification for categorical and boolean targets (AUC, F1), regression for the rest (R2, RMSE); higher is better but for RMSE, and the
/// score of the model trained on real rows is the reference. Rows with a missing target are left out. Source: Esteban et al. 2017 (TSTR).
///
/// # Errors
/// [`Error::Data`] when there is no such column; [`Error::Undefined`] when the real rows cannot train or test a model (a single class, no
/// rows); a synthetic table that cannot is reported in [`Utility::synthetic`] instead.
pub fn utility(train: &Table, synthetic: &Table, test: &Table, target: &str, seed: u64) -> Result<Utility> {
    train.schema().index_of(target)?;
    let tables = align(&[train, synthetic, test])?;
    let Ok(place) = tables[0].schema().index_of(target) else {
        return undefined(format!("the target \"{target}\" is an id or constant column, or not of one type in all tables"));
    };
    let known: Vec<Table> = tables.iter().map(|table| table.take(&rows_with_value(&table.columns()[place]))).collect();
    let test = &known[2];
    let positive = rarer_class(&known[0].columns()[place]);
    let score = |from: &Table| fit_and_score(from, test, target, positive, &Boosting { seed, ..Boosting::default() });
    let synthetic = match score(&known[1]) {
        Err(Error::Undefined(why)) => Err(why),
        other => Ok(other?),
    };
    Ok(Utility { target: target.to_owned(), real: score(&known[0])?, synthetic, test_rows: test.rows() })
}

fn rows_with_value(column: &Column) -> Vec<usize> {
    (0..column.len()).filter(|&row| !column.is_missing(row)).collect()
}

/// The code that occurs least, but does occur.
fn rarer_class(column: &Column) -> u32 {
    let Some((codes, levels)) = column.categories() else { return 0 };
    let count = |code: &u32| codes.iter().filter(|&other| other == code).count();
    (0..levels.len() as u32).filter(|code| count(code) > 0).min_by_key(count).unwrap_or(0)
}

fn fit_and_score(train: &Table, test: &Table, target: &str, positive: u32, boosting: &Boosting) -> Result<Prediction> {
    match (train.column(target)?, test.column(target)?) {
        (Column::Number(values), Column::Number(truth)) => {
            let model = boosting.fit(train, Some(target), &Target::Values(values.clone()))?;
            let predicted = &model.predict(test)[0];
            Ok(Prediction::Values { r2: r2(truth, predicted)?, rmse: rmse(truth, predicted) })
        }
        (Column::Category { codes, levels }, Column::Category { codes: truth, .. }) => {
            let (model, classes) = fit_classes(train, target, codes, boosting)?;
            let mut probabilities = vec![vec![0.0; test.rows()]; levels.len()];
            for (class, predicted) in classes.into_iter().zip(model.predict(test)) {
                probabilities[class as usize] = predicted;
            }
            score_classes(truth, &probabilities, positive)
        }
        _ => undefined("the target is of different types in the two tables"),
    }
}

/// A classifier over the classes that occur, and their codes in its order.
fn fit_classes(train: &Table, target: &str, codes: &[u32], boosting: &Boosting) -> Result<(Model, Vec<u32>)> {
    let mut classes: Vec<u32> = codes.iter().copied().filter(|&code| code != MISSING).collect();
    classes.sort_unstable();
    classes.dedup();
    let codes = codes.iter().map(|code| classes.binary_search(code).map_or(MISSING, |place| place as u32)).collect();
    Ok((boosting.fit(train, Some(target), &Target::Classes { codes, count: classes.len() })?, classes))
}

fn score_classes(truth: &[u32], probabilities: &[Vec<f64>], positive: u32) -> Result<Prediction> {
    let occurring =
        (0..probabilities.len() as u32).filter(|class| truth.contains(class) || probabilities[*class as usize].iter().any(|&p| p > 0.0));
    if occurring.count() <= 2 {
        let scores = &probabilities[positive as usize];
        let truth: Vec<bool> = truth.iter().map(|&code| code == positive).collect();
        let predicted: Vec<bool> = scores.iter().map(|&p| p >= 0.5).collect();
        return Ok(Prediction::Classes { auc: roc_auc(&truth, scores)?, f1: f1(&truth, &predicted) });
    }
    let likeliest =
        |row: usize| (0..probabilities.len()).max_by(|&a, &b| probabilities[a][row].total_cmp(&probabilities[b][row]).then(b.cmp(&a)));
    let predicted: Vec<u32> = (0..truth.len()).filter_map(likeliest).map(|class| class as u32).collect();
    Ok(Prediction::Classes { auc: macro_auc(truth, probabilities)?, f1: macro_f1(truth, &predicted, probabilities.len()) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;
    use semblant_data::table::ColumnKind;

    /// y is x rounded to one of three labels, z is 2x; `broken` shuffles the relation.
    fn table(seed: u64, broken: bool) -> Table {
        let mut random = Random::new(seed, 0);
        let x: Vec<f64> = (0..1000).map(|_| random.below(300) as f64).collect();
        let mut source = x.clone();
        if broken {
            random.shuffle(&mut source);
        }
        let labels = Column::from_labels(source.iter().map(|x| Some(["low", "middle", "high"][(x / 100.0) as usize])));
        Table::from_columns(vec![
            ("x", ColumnKind::Continuous, Column::Number(x)),
            ("y", ColumnKind::Categorical, labels),
            ("z", ColumnKind::Continuous, Column::Number(source.iter().map(|x| 2.0 * x).collect())),
        ])
        .unwrap()
    }

    #[test]
    fn identical_rows_train_the_same_model_and_shuffled_targets_none() {
        let (train, test) = (table(1, false), table(2, false));
        for target in ["y", "z"] {
            let same = utility(&train, &train, &test, target, 0).unwrap();
            assert_eq!(same.synthetic.as_ref().unwrap(), &same.real);
            assert!(same.real.main() > 0.99);
        }
        let both_broken = |table: Table| {
            Table::from_columns(vec![
                ("x", ColumnKind::Continuous, table.columns()[0].clone()),
                ("y", ColumnKind::Categorical, table.columns()[1].clone()),
            ])
            .unwrap()
        };
        let broken = utility(&both_broken(train), &both_broken(table(3, true)), &both_broken(test), "y", 0).unwrap();
        assert!((broken.synthetic.unwrap().main() - 0.5).abs() < 0.1);
    }

    #[test]
    fn a_synthetic_table_with_one_class_is_reported() {
        let train = table(1, false);
        let low: Vec<usize> = (0..1000).filter(|&row| train.columns()[1].label(row) == Some("low")).collect();
        let result = utility(&train, &train.take(&low), &table(2, false), "y", 0).unwrap();
        assert_eq!(result.synthetic, Err("the target has a single value".into()));
        assert!(utility(&train, &train, &train, "nothing", 0).is_err());
    }
}
