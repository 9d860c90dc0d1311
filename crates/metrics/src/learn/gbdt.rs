//! Gradient-boosted trees on binned columns, in the manner of LightGBM (Ke et al. 2017) and scikit-learn's HistGradientBoosting, whose defaults
//! these are. Numbers, categories and missing values go in as they are.

use rayon::prelude::*;
use semblant_data::table::Table;

use super::bins::Binner;
use super::tree::{Grower, Tree};
use crate::random::subsample;
use crate::{Error, Result};

/// Settings of boosting. The same table, target and settings give the same model, whatever the number of threads.
#[derive(Debug, Clone, PartialEq)]
pub struct Boosting {
    /// Trees (per class, when there are more than two).
    pub iterations: usize,
    /// What each tree's step is multiplied by.
    pub learning_rate: f64,
    /// Most leaves of a tree, at least 2.
    pub leaves: usize,
    /// Fewest training rows of a leaf.
    pub min_leaf_rows: u32,
    /// L2 penalty on leaf values.
    pub l2: f64,
    /// Stop when a validation loss no longer falls; `None` runs every iteration.
    pub early_stopping: Option<EarlyStopping>,
    /// Draws the validation rows of early stopping; unused without it.
    pub seed: u64,
}

/// When to stop before the last iteration.
#[derive(Debug, Clone, PartialEq)]
pub struct EarlyStopping {
    /// Share of the rows kept out to measure the loss, above 0 and below 1.
    pub share: f64,
    /// How many iterations may pass without a lower loss.
    pub patience: usize,
}

impl Default for Boosting {
    fn default() -> Self {
        Self { iterations: 100, learning_rate: 0.1, leaves: 31, min_leaf_rows: 20, l2: 0.0, early_stopping: None, seed: 0 }
    }
}

/// What is to be predicted, one entry per row.
#[derive(Debug, Clone, PartialEq)]
pub enum Target {
    /// Codes below `count`: logistic loss for two classes, softmax for more.
    Classes {
        /// One code per row.
        codes: Vec<u32>,
        /// How many classes there are, at least 2.
        count: usize,
    },
    /// Numbers: squared error.
    Values(Vec<f64>),
}

impl Target {
    fn rows(&self) -> usize {
        match self {
            Self::Classes { codes, .. } => codes.len(),
            Self::Values(values) => values.len(),
        }
    }
}

/// Fitted trees.
#[derive(Debug, Clone)]
pub struct Model {
    binner: Binner,
    /// Raw score before the first tree, per output.
    start: Vec<f64>,
    /// The trees, output by output within each iteration.
    trees: Vec<Tree>,
    classes: bool,
}

impl Boosting {
    /// Fits every modelled column of `table` but the one called `exclude` to `target`.
    ///
    /// # Errors
    /// [`Error::Undefined`] when there are no rows or columns, the target is missing, or it has fewer than two classes.
    pub fn fit(&self, table: &Table, exclude: Option<&str>, target: &Target) -> Result<Model> {
        self.check(table, exclude, target)?;
        let binner = Binner::fit(table, exclude);
        let bins = binner.apply(table);
        let (train, validation) = self.divide(table.rows());
        let start = starts(target, &train);
        let mut raw: Vec<Vec<f64>> = start.iter().map(|&start| vec![start; table.rows()]).collect();
        let mut trees: Vec<Tree> = Vec::new();
        let (mut lowest, mut lowest_at) = (f64::INFINITY, 0);
        for iteration in 0..self.iterations {
            let slopes = slopes(target, &raw);
            for (raw, slopes) in raw.iter_mut().zip(&slopes) {
                let tree = Grower { config: self, binner: &binner, bins: &bins, slopes }.grow(train.clone());
                raw.par_iter_mut().with_min_len(1024).enumerate().for_each(|(row, raw)| *raw += tree.value(&bins, row));
                trees.push(tree);
            }
            if let Some(stopping) = &self.early_stopping {
                let loss = loss(target, &raw, &validation);
                if loss < lowest - 1e-7 {
                    (lowest, lowest_at) = (loss, iteration);
                } else if iteration - lowest_at >= stopping.patience {
                    break;
                }
            }
        }
        Ok(Model { binner, start, trees, classes: matches!(target, Target::Classes { .. }) })
    }

    /// Checks the training set and the options; the other learners use this too.
    pub(super) fn check(&self, table: &Table, exclude: Option<&str>, target: &Target) -> Result<()> {
        let option = |name, what: &str| Err(Error::Option { name, what: what.into() });
        if self.leaves < 2 {
            return option("leaves", "must be at least 2");
        }
        if self.early_stopping.as_ref().is_some_and(|stopping| !(stopping.share > 0.0 && stopping.share < 1.0)) {
            return option("early_stopping.share", "must lie between 0 and 1");
        }
        if target.rows() != table.rows() {
            return Err(Error::Tables(format!("the target has {} rows and the table {}", target.rows(), table.rows())));
        }
        let undefined = |why: &str| Err(Error::Undefined(why.into()));
        match target {
            _ if table.rows() == 0 => undefined("there are no training rows"),
            _ if !table.schema().columns.iter().any(|column| column.kind.is_modelled() && Some(column.name.as_str()) != exclude) => {
                undefined("no column is left to predict from")
            }
            Target::Values(values) if values.iter().any(|value| !value.is_finite()) => {
                undefined("the target has missing or infinite values")
            }
            Target::Classes { count, .. } if *count < 2 => undefined("the target has a single value"),
            Target::Classes { codes, count } if codes.iter().any(|&code| code as usize >= *count) => {
                undefined("the target has missing values")
            }
            _ => Ok(()),
        }
    }

    /// Training and validation rows, ascending.
    fn divide(&self, rows: usize) -> (Vec<u32>, Vec<usize>) {
        let share = self.early_stopping.as_ref().map_or(0.0, |stopping| stopping.share);
        let validation = subsample(rows, ((rows as f64 * share) as usize).min(rows - 1), self.seed, 3);
        let mut kept = vec![true; rows];
        validation.iter().for_each(|&row| kept[row] = false);
        ((0..rows as u32).filter(|&row| kept[row as usize]).collect(), validation)
    }
}

/// The best constant raw scores: log-odds, log-shares or the mean.
fn starts(target: &Target, rows: &[u32]) -> Vec<f64> {
    let n = rows.len() as f64;
    match target {
        Target::Values(values) => vec![rows.iter().map(|&row| values[row as usize]).sum::<f64>() / n],
        Target::Classes { codes, count } => {
            let mut shares = vec![0.0; *count];
            rows.iter().for_each(|&row| shares[codes[row as usize] as usize] += 1.0 / n);
            // A class without rows must not start at minus infinity.
            let log = |share: f64| share.clamp(1e-7, 1.0).ln();
            if *count == 2 { vec![log(shares[1]) - log(shares[0])] } else { shares.into_iter().map(log).collect() }
        }
    }
}

/// Gradient and hessian of the loss per output and row.
fn slopes(target: &Target, raw: &[Vec<f64>]) -> Vec<Vec<(f32, f32)>> {
    let rows = 0..target.rows();
    match target {
        Target::Values(values) => vec![rows.map(|row| ((raw[0][row] - values[row]) as f32, 1.0)).collect()],
        Target::Classes { codes, count: 2 } => {
            let slope = |row: usize| {
                let p = sigmoid(raw[0][row]);
                ((p - f64::from(codes[row])) as f32, (p * (1.0 - p)) as f32)
            };
            vec![rows.map(slope).collect()]
        }
        Target::Classes { codes, count } => {
            let mut slopes = vec![Vec::with_capacity(rows.len()); *count];
            for row in rows {
                for (class, p) in softmax(raw, row).into_iter().enumerate() {
                    let truth = f64::from(u8::from(codes[row] as usize == class));
                    slopes[class].push(((p - truth) as f32, (p * (1.0 - p)) as f32));
                }
            }
            slopes
        }
    }
}

/// Mean loss over `rows`.
fn loss(target: &Target, raw: &[Vec<f64>], rows: &[usize]) -> f64 {
    let one = |&row: &usize| match target {
        Target::Values(values) => (raw[0][row] - values[row]).powi(2),
        Target::Classes { codes, count: 2 } => {
            let p = sigmoid(raw[0][row]);
            -(if codes[row] == 1 { p } else { 1.0 - p }).max(1e-300).ln()
        }
        Target::Classes { codes, .. } => -softmax(raw, row)[codes[row] as usize].max(1e-300).ln(),
    };
    rows.iter().map(one).sum::<f64>() / rows.len() as f64
}

fn sigmoid(raw: f64) -> f64 {
    1.0 / (1.0 + (-raw).exp())
}

fn softmax(raw: &[Vec<f64>], row: usize) -> Vec<f64> {
    let largest = raw.iter().map(|raw| raw[row]).fold(f64::NEG_INFINITY, f64::max);
    let weights: Vec<f64> = raw.iter().map(|raw| (raw[row] - largest).exp()).collect();
    let sum: f64 = weights.iter().sum();
    weights.into_iter().map(|weight| weight / sum).collect()
}

impl Model {
    /// Predictions for a table: one list of probabilities per class, or a single list of values. Columns are found by name.
    pub fn predict(&self, table: &Table) -> Vec<Vec<f64>> {
        let bins = self.binner.apply(table);
        let outputs = self.start.len();
        let raw: Vec<Vec<f64>> = (0..outputs)
            .map(|output| {
                let trees: Vec<&Tree> = self.trees.iter().skip(output).step_by(outputs).collect();
                let score = |row| trees.iter().fold(self.start[output], |sum, tree| sum + tree.value(&bins, row));
                (0..table.rows()).into_par_iter().map(score).collect()
            })
            .collect();
        match (self.classes, outputs) {
            (false, _) => raw,
            (true, 1) => {
                let positive: Vec<f64> = raw[0].iter().map(|&raw| sigmoid(raw)).collect();
                vec![positive.iter().map(|p| 1.0 - p).collect(), positive]
            }
            (true, _) => {
                let mut classes = vec![Vec::with_capacity(table.rows()); outputs];
                for row in 0..table.rows() {
                    softmax(&raw, row).into_iter().zip(&mut classes).for_each(|(p, class)| class.push(p));
                }
                classes
            }
        }
    }

    /// How many iterations were run.
    pub fn iterations(&self) -> usize {
        self.trees.len() / self.start.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::learn::scores::{macro_auc, r2, roc_auc};
    use crate::random::random;
    use semblant_data::table::{Column, ColumnKind};

    fn table(rows: usize) -> Table {
        let mut random = random(5, 0);
        let x = (0..rows).map(|_| if random.below(10) == 0 { f64::NAN } else { random.below(1000) as f64 }).collect();
        let c = Column::from_labels((0..rows).map(|_| Some(random.below(12).to_string())).collect::<Vec<_>>());
        Table::from_columns(vec![("x", ColumnKind::Continuous, Column::Number(x)), ("c", ColumnKind::Categorical, c)]).unwrap()
    }

    /// A class determined by both columns, missing values included.
    fn class(table: &Table, row: usize) -> u32 {
        let x = table.columns()[0].numbers().unwrap()[row];
        let odd = table.columns()[1].label(row).unwrap().parse::<u32>().unwrap() % 2;
        if x.is_nan() { 2 } else { u32::from(x > 500.0) ^ odd }
    }

    #[test]
    fn all_three_losses_learn_a_rule_over_numbers_categories_and_missing_values() {
        let table = table(3000);
        let codes: Vec<u32> = (0..3000).map(|row| class(&table, row)).collect();
        let fit = |target: &Target| Boosting { iterations: 30, ..Boosting::default() }.fit(&table, None, target).unwrap().predict(&table);
        assert!(macro_auc(&codes, &fit(&Target::Classes { codes: codes.clone(), count: 3 })).unwrap() > 0.999);
        let binary: Vec<u32> = codes.iter().map(|&code| u32::from(code > 0)).collect();
        let positive: Vec<bool> = binary.iter().map(|&code| code == 1).collect();
        assert!(roc_auc(&positive, &fit(&Target::Classes { codes: binary, count: 2 })[1]).unwrap() > 0.999);
        let values: Vec<f64> = codes.iter().map(|&code| f64::from(code)).collect();
        assert!(r2(&values, &fit(&Target::Values(values.clone()))[0]).unwrap() > 0.99);
    }

    #[test]
    fn the_model_is_the_same_with_one_thread() {
        let table = table(500);
        let target = Target::Classes { codes: (0..500).map(|row| class(&table, row)).collect(), count: 3 };
        let fit = || Boosting::default().fit(&table, None, &target).unwrap().predict(&table);
        let alone = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap().install(fit);
        assert_eq!(alone, fit());
    }

    #[test]
    fn noise_stops_early_and_bad_targets_are_errors() {
        let table = table(600);
        let mut random = random(9, 0);
        let noise = Target::Classes { codes: (0..600).map(|_| random.below(2) as u32).collect(), count: 2 };
        let stopping = Boosting { early_stopping: Some(EarlyStopping { share: 0.2, patience: 5 }), ..Boosting::default() };
        assert!(stopping.fit(&table, None, &noise).unwrap().iterations() < 40);
        let fit = |target| Boosting::default().fit(&table, None, &target);
        assert!(matches!(fit(Target::Classes { codes: vec![0; 600], count: 1 }), Err(Error::Undefined(_))));
        assert!(fit(Target::Values(vec![f64::NAN; 600])).is_err());
        assert!(fit(Target::Values(vec![])).is_err());
    }
}
