//! Utility: performance on new real rows of models trained on the synthetic table, relative to models trained on the real table.

mod groups;
mod spread;

use burn::tensor::Device;
use rayon::prelude::*;
use semblant_data::table::{Column, MISSING, Table};
use serde::{Deserialize, Serialize};

use self::groups::Groups;
pub(crate) use self::groups::{DEVIATIONS, LEAST};
pub use self::groups::{Fairness, Gap, GroupUtility};
use self::spread::Trained;
use super::align::align;
use super::shapes::counts;
use crate::bootstrap::{Estimate, resampled};
use crate::error::undefined;
use crate::learn::scores::{f1, macro_auc, macro_f1, r2, rmse, roc_auc};
use crate::learn::{Learner, Target};
use crate::{Error, Result};

/// How utility is measured.
#[derive(Debug, Clone, PartialEq)]
pub struct UtilityOptions {
    /// The kinds of models that are trained; the first one is also trained on real and synthetic rows together, and scored class by class.
    pub learners: Vec<Learner>,
    /// Draws what is random in training, and the test rows of intervals.
    pub seed: u64,
    /// Columns whose groups are compared one by one.
    pub protected: Vec<String>,
    /// The device on which neural networks are trained.
    pub device: Device,
}

impl Default for UtilityOptions {
    fn default() -> Self {
        Self { learners: Learner::ALL.to_vec(), seed: 0, protected: Vec::new(), device: Device::flex() }
    }
}

/// The test scores of the models.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Utility {
    /// The column predicted.
    pub target: String,
    /// Test rows, those with a missing target left out.
    pub test_rows: usize,
    /// For each kind of model, in the order of the options.
    pub learners: Vec<LearnerUtility>,
    /// Of what the first kind of model, trained on real rows, gains over a guess (AUC 0.5, R2 0), the part that it gains when trained on
    /// synthetic rows. `None` where it gains nothing. The interval includes the draw of the training rows.
    pub kept: Option<Estimate>,
    /// The first kind of model trained on real and synthetic rows together; the reason when that cannot be done.
    pub augmented: Result<Prediction, String>,
    /// F1 of the first kind of model for each class of a categorical target, the rarest first.
    pub classes: Vec<ClassUtility>,
    /// For each label of the protected columns that has 100 test rows; of the first kind of model.
    pub groups: Vec<GroupUtility>,
    /// For each protected column with two such labels, where the target is categorical.
    pub fairness: Vec<Fairness>,
}

/// The test scores of one kind of model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LearnerUtility {
    /// The kind.
    pub learner: Learner,
    /// Trained on the real training rows: the reference.
    pub real: Prediction,
    /// Trained on the synthetic rows; the reason when that cannot be done.
    pub synthetic: Result<Prediction, String>,
}

/// How well one model predicts the test rows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Prediction {
    /// A categorical target.
    Classes {
        /// ROC AUC; with more than two classes the mean over one-against-rest. Its interval is a bootstrap over test rows; for the first kind of model it includes the draw of the training rows.
        auc: Estimate,
        /// F1 of the rarer class at probability one half; with more than two classes the mean over classes of the likeliest-class prediction.
        f1: f64,
    },
    /// A number as target.
    Values {
        /// Share of the variance explained. Its interval is a bootstrap over test rows; for the first kind of model it includes the draw of the training rows.
        r2: Estimate,
        /// Root mean squared error, in the target's unit.
        rmse: f64,
    },
}

impl Prediction {
    /// AUC or R2.
    pub fn main(&self) -> Estimate {
        match self {
            Self::Classes { auc, .. } => *auc,
            Self::Values { r2, .. } => *r2,
        }
    }

    /// F1 or RMSE.
    pub fn second(&self) -> f64 {
        match self {
            Self::Classes { f1, .. } => *f1,
            Self::Values { rmse, .. } => *rmse,
        }
    }
}

/// F1 for one class, of the likeliest-class prediction on the test rows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClassUtility {
    /// The class.
    pub class: String,
    /// Its test rows.
    pub test_rows: usize,
    /// Its rows among the real training rows and the synthetic ones.
    pub train_rows: [usize; 2],
    /// Of the model trained on the real rows.
    pub real: f64,
    /// Of that trained on the synthetic rows.
    pub synthetic: Option<f64>,
    /// Of that trained on both.
    pub augmented: Option<f64>,
}

/// Trains models to predict `target` once on `train`, once on `synthetic` and (the first kind) once on both together, and scores all on
/// `test`, rows in none of the training sets.
///
/// Classification for categorical and boolean targets (AUC, F1), regression for the rest (R2, RMSE); higher is better but for RMSE, and the
/// score of the model trained on real rows is the reference. Rows with a missing target are left out. Source: Esteban et al. 2017 (TSTR).
///
/// # Errors
/// [`Error::Data`] when there is no such column; [`Error::Undefined`] when the real rows cannot train or test a model (a single class, no
/// rows) or there is no learner; a synthetic table that cannot is reported in [`LearnerUtility::synthetic`] instead.
pub fn utility(train: &Table, synthetic: &Table, test: &Table, target: &str, options: &UtilityOptions) -> Result<Utility> {
    train.schema().index_of(target)?;
    let tables = align(&[train, synthetic, test])?;
    let Ok(place) = tables[0].schema().index_of(target) else {
        return undefined(format!("the target \"{target}\" is an id or constant column, or not of one type in all tables"));
    };
    let [real, synthetic, test] = [0, 1, 2].map(|table: usize| tables[table].take(&rows_with_value(&tables[table].columns()[place])));
    let task = Task { target, truth: &test.columns()[place], positive: rarer_class(&real.columns()[place]), test: &test, options };
    let defined = |made: Result<Made>| match made {
        Err(Error::Undefined(why)) => Ok(Err(why)),
        other => other.map(Ok),
    };
    let fit = |&learner: &Learner| -> Result<(Learner, Made, Result<Made, String>)> {
        Ok((learner, task.fit(learner, &real)?, defined(task.fit(learner, &synthetic))?))
    };
    let mut fitted = options.learners.iter().map(fit).collect::<Result<Vec<_>>>()?;
    let groups = Groups::new(&options.protected, [&real, &synthetic], &test);
    let (mut kept, mut by_group) = (None, (Vec::new(), Vec::new()));
    if let Some((learner, of_real, Ok(of_synthetic))) = fitted.first_mut() {
        let variances = [&real, &synthetic].map(|train| spread::training_variances(&task, *learner, train, &groups));
        kept = spread::widen(&task, [variances[0][0], variances[1][0]], [of_real, of_synthetic])?;
        let [of_real, of_synthetic] = [&*of_real, &*of_synthetic].map(|made| made.predicted.as_slice());
        let [real, synthetic] = variances;
        let trained = |predicted, variances| Trained { predicted, variances };
        by_group = groups.compare(&task, [&trained(of_real, real), &trained(of_synthetic, synthetic)]);
    }
    let Some((first, of_real, of_synthetic)) = fitted.first() else { return undefined("no kind of model was asked for") };
    let mut both = real.clone();
    both.append(&synthetic)?;
    let augmented = defined(task.fit(*first, &both))?;
    let classes = task.classes(
        [&real.columns()[place], &synthetic.columns()[place]],
        [Some(of_real), of_synthetic.as_ref().ok(), augmented.as_ref().ok()],
    );
    Ok(Utility {
        target: target.to_owned(),
        test_rows: test.rows(),
        kept,
        augmented: augmented.map(|made| made.scores),
        classes,
        groups: by_group.0,
        fairness: by_group.1,
        learners: fitted
            .into_iter()
            .map(|(learner, real, synthetic)| LearnerUtility { learner, real: real.scores, synthetic: synthetic.map(|made| made.scores) })
            .collect(),
    })
}

fn rows_with_value(column: &Column) -> Vec<usize> {
    (0..column.len()).filter(|&row| !column.is_missing(row)).collect()
}

/// The code that occurs least, but does occur.
fn rarer_class(column: &Column) -> u32 {
    let Some((codes, levels)) = column.categories() else { return 0 };
    let in_train = counts(codes, levels.len());
    (0..levels.len()).filter(|&code| in_train[code] > 0).min_by_key(|&code| in_train[code]).unwrap_or(0) as u32
}

/// The prediction task and its test rows.
struct Task<'a> {
    target: &'a str,
    truth: &'a Column,
    /// The class whose F1 counts where there are two.
    positive: u32,
    test: &'a Table,
    options: &'a UtilityOptions,
}

/// Scores, and the likeliest class of each test row of a categorical target.
struct Made {
    scores: Prediction,
    likeliest: Vec<u32>,
    /// As [`Task::predict`].
    predicted: Vec<Vec<f64>>,
}

impl Task<'_> {
    fn fit(&self, learner: Learner, train: &Table) -> Result<Made> {
        let predicted = self.predict(learner, train)?;
        let main = resampled(self.truth.len(), self.options.seed, |rows| self.measure(&predicted, rows))?;
        match self.truth {
            Column::Number(truth) => {
                let scores = Prediction::Values { r2: main, rmse: rmse(truth, &predicted[0]) };
                Ok(Made { scores, likeliest: Vec::new(), predicted })
            }
            Column::Category { codes: truth, .. } => {
                let likeliest: Vec<u32> = (0..truth.len()).filter_map(|row| likeliest(&predicted, row)).collect();
                let f1 = if self.is_binary(truth, &predicted) {
                    let is: Vec<bool> = truth.iter().map(|&code| code == self.positive).collect();
                    f1(&is, &predicted[self.positive as usize].iter().map(|&share| share >= 0.5).collect::<Vec<bool>>())
                } else {
                    macro_f1(truth, &likeliest, predicted.len())
                };
                Ok(Made { scores: Prediction::Classes { auc: main, f1 }, likeliest, predicted })
            }
        }
    }

    /// Predictions for the test rows: the values, or a list of probabilities for each class.
    fn predict(&self, learner: Learner, train: &Table) -> Result<Vec<Vec<f64>>> {
        let UtilityOptions { seed, device, .. } = self.options;
        let predict = |target: &Target| learner.fit_and_predict([train, self.test], self.target, target, *seed, device);
        match (train.column(self.target)?, self.truth) {
            (Column::Number(values), Column::Number(_)) => predict(&Target::Values(values.clone())),
            (Column::Category { codes, levels }, Column::Category { codes: truth, .. }) => {
                // Only classes that occur are trained.
                let in_train = counts(codes, levels.len());
                let classes: Vec<usize> = (0..levels.len()).filter(|&class| in_train[class] > 0).collect();
                let place = |code: &u32| classes.binary_search(&(*code as usize)).map_or(MISSING, |place| place as u32);
                let found = predict(&Target::Classes { codes: codes.iter().map(place).collect(), count: classes.len() })?;
                let mut shares = vec![vec![0.0; truth.len()]; levels.len()];
                classes.iter().zip(found).for_each(|(&class, found)| shares[class] = found);
                Ok(shares)
            }
            _ => undefined("the target is of different types in the two tables"),
        }
    }

    fn is_binary(&self, truth: &[u32], shares: &[Vec<f64>]) -> bool {
        let in_test = counts(truth, shares.len());
        let occurs = |&class: &usize| in_test[class] > 0 || shares[class].iter().any(|&share| share > 0.0);
        (0..shares.len()).filter(occurs).count() <= 2
    }

    /// AUC or R2 on these test rows.
    fn measure(&self, predicted: &[Vec<f64>], rows: &[usize]) -> Result<f64> {
        match self.truth {
            Column::Number(truth) => r2(&pick(truth, rows), &pick(&predicted[0], rows)),
            Column::Category { codes: truth, .. } if self.is_binary(truth, predicted) => {
                let is: Vec<bool> = rows.iter().map(|&row| truth[row] == self.positive).collect();
                roc_auc(&is, &pick(&predicted[self.positive as usize], rows))
            }
            Column::Category { codes: truth, .. } => {
                macro_auc(&pick(truth, rows), &predicted.iter().map(|class| pick(class, rows)).collect::<Vec<_>>())
            }
        }
    }

    /// Whether `class` is the prediction for a test row: where there are two classes of probability one half or more.
    fn is_predicted(&self, predicted: &[Vec<f64>], row: usize, class: u32) -> bool {
        if predicted.len() == 2 { predicted[class as usize][row] >= 0.5 } else { likeliest(predicted, row) == Some(class) }
    }

    /// The name of the rarer class; empty for a target of numbers.
    fn positive_class(&self) -> String {
        let levels = self.truth.categories().map(|(_, levels)| levels);
        levels.and_then(|levels| levels.get(self.positive as usize)).map_or_else(String::new, |label| label.to_string())
    }

    /// The score of a guess.
    fn floor(&self) -> f64 {
        if self.truth.numbers().is_some() { 0.0 } else { 0.5 }
    }

    fn classes(&self, train: [&Column; 2], made: [Option<&Made>; 3]) -> Vec<ClassUtility> {
        let Some((truth, levels)) = self.truth.categories() else { return Vec::new() };
        let in_train = train.map(|column| column.categories().map_or_else(Vec::new, |(codes, _)| counts(codes, levels.len())));
        let in_test = counts(truth, levels.len());
        let of_class = |class: usize| {
            let is = |codes: &[u32]| codes.iter().map(|&code| code as usize == class).collect::<Vec<bool>>();
            let [real, synthetic, augmented] = made.map(|made| made.map(|made| f1(&is(truth), &is(&made.likeliest))));
            let train_rows = [0, 1].map(|table: usize| in_train[table].get(class).copied().unwrap_or(0));
            ClassUtility {
                class: levels[class].clone(),
                test_rows: in_test[class],
                train_rows,
                real: real.unwrap_or(0.0),
                synthetic,
                augmented,
            }
        };
        let mut classes: Vec<ClassUtility> = (0..levels.len()).into_par_iter().filter(|&class| in_test[class] > 0).map(of_class).collect();
        classes.sort_by_key(|class| class.train_rows[0]);
        classes
    }
}

/// The class of the greatest probability, the first one among equals.
fn likeliest(predicted: &[Vec<f64>], row: usize) -> Option<u32> {
    let better = |&a: &usize, &b: &usize| predicted[a][row].total_cmp(&predicted[b][row]).then(b.cmp(&a));
    (0..predicted.len()).max_by(better).map(|class| class as u32)
}

fn pick<T: Copy>(values: &[T], rows: &[usize]) -> Vec<T> {
    rows.iter().map(|&row| values[row]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::random;
    use semblant_data::table::ColumnKind;

    /// y is x rounded to one of three labels, z is 2x; `broken` shuffles the relation.
    fn table(seed: u64, broken: bool) -> Table {
        let mut random = random(seed, 0);
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
        let (train, test) = (table(121, false), table(122, false));
        for target in ["y", "z"] {
            let same = utility(&train, &train, &test, target, &UtilityOptions::default()).unwrap();
            assert_eq!(same.learners.len(), 3);
            for of in &same.learners {
                assert_eq!(of.synthetic.as_ref().unwrap(), &of.real);
                let Estimate { value, interval: [low, high] } = of.real.main();
                // A line cannot single out the middle one of three classes.
                let least = if target == "y" && of.learner == Learner::Linear { 0.8 } else { 0.97 };
                assert!(value > least && low <= value && value <= high && high - low < 0.1, "{of:?}");
            }
            assert!((same.augmented.unwrap().main().value - same.learners[0].real.main().value).abs() < 0.01);
        }
        let both_broken = |table: Table| {
            Table::from_columns(vec![
                ("x", ColumnKind::Continuous, table.columns()[0].clone()),
                ("y", ColumnKind::Categorical, table.columns()[1].clone()),
            ])
            .unwrap()
        };
        let broken =
            utility(&both_broken(train), &both_broken(table(123, true)), &both_broken(test), "y", &UtilityOptions::default()).unwrap();
        for of in broken.learners {
            assert!((of.synthetic.unwrap().main().value - 0.5).abs() < 0.1);
        }
    }

    #[test]
    fn a_synthetic_table_with_one_class_is_reported() {
        let train = table(1, false);
        let low: Vec<usize> = (0..1000).filter(|&row| train.columns()[1].label(row) == Some("low")).collect();
        let options = UtilityOptions { learners: vec![Learner::Trees], ..UtilityOptions::default() };
        let result = utility(&train, &train.take(&low), &table(2, false), "y", &options).unwrap();
        assert_eq!(result.learners[0].synthetic, Err("the target has a single value".into()));
        assert!(result.augmented.is_ok());
        assert!(utility(&train, &train, &train, "nothing", &options).is_err());
    }

    #[test]
    fn rows_of_a_rare_class_help_where_real_ones_are_few() {
        let (train, test) = (table(1, false), table(2, false));
        let middle = |row: &usize| train.columns()[1].label(*row) == Some("middle");
        // All of the others, three of the middle.
        let rare: Vec<usize> = (0..1000).filter(|row| !middle(row)).chain((0..1000).filter(middle).take(3)).collect();
        let fresh = table(3, false);
        let result = utility(
            &train.take(&rare),
            &fresh,
            &test,
            "y",
            &UtilityOptions { learners: vec![Learner::Trees], ..UtilityOptions::default() },
        )
        .unwrap();
        let class = &result.classes[0];
        assert!(class.class == "middle" && class.train_rows[0] == 3 && result.classes.len() == 3, "{class:?}");
        assert!(class.augmented.unwrap() > class.real + 0.1 && class.augmented.unwrap() > 0.9, "{class:?}");
    }
}
