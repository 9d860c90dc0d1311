//! The kinds of models that utility is measured with.

use burn::tensor::Device;
use semblant_data::table::Table;
use serde::{Deserialize, Serialize};

use super::{Boosting, Target, linear, network};
use crate::Result;

/// A kind of model. Kinds differ in which defects of the data they tolerate, so utility is measured with several.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Learner {
    /// Boosted trees, [`Boosting::default`].
    Trees,
    /// Logistic regression, each class against the rest, or ridge regression; on standardised numbers and one-hot labels.
    Linear,
    /// A hidden layer of 100 on the same, 20 passes (1,000 to 4,000 steps of 200 rows).
    Network,
}

impl Learner {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Trees, Self::Linear, Self::Network];

    /// Its displayed name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Trees => "boosted trees",
            Self::Linear => "linear model",
            Self::Network => "neural network",
        }
    }

    /// Trains on `train` to predict `target`, one entry per row, from all columns but `exclude`, and predicts the rows of `test`, which is
    /// aligned with `train`: one list of probabilities per class, or one list of numbers.
    ///
    /// # Errors
    /// [`crate::Error::Undefined`] when the training set has no rows, no columns or a constant target.
    pub(crate) fn fit_and_predict(
        self,
        [train, test]: [&Table; 2],
        exclude: &str,
        target: &Target,
        seed: u64,
        device: &Device,
    ) -> Result<Vec<Vec<f64>>> {
        // The checks of the trees apply to all learners.
        let boosting = Boosting { seed, ..Boosting::default() };
        boosting.check(train, Some(exclude), target)?;
        match self {
            Self::Trees => Ok(boosting.fit(train, Some(exclude), target)?.predict(test)),
            Self::Linear => linear::fit_and_predict(train, test, exclude, target, seed),
            Self::Network => network::fit_and_predict(train, test, exclude, target, seed, device),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::learn::scores::{r2, roc_auc};
    use crate::random::random;
    use crate::table::align::align;
    use semblant_data::table::{Column, ColumnKind};

    /// x and c decide y; every tenth x is missing.
    fn table(rows: usize, seed: u64) -> (Table, Vec<f64>) {
        let mut random = random(seed, 0);
        let x: Vec<f64> = (0..rows).map(|_| random.unit()).collect();
        let c: Vec<usize> = (0..rows).map(|_| random.below(3)).collect();
        let y: Vec<f64> = x.iter().zip(&c).map(|(x, &c)| 100.0 * (x + [0.0, 0.5, -0.5][c])).collect();
        let gaps = x.iter().enumerate().map(|(row, &x)| if row % 10 == 0 { f64::NAN } else { x }).collect();
        let labels = Column::from_labels(c.iter().map(|&c| Some(["a", "b", "c"][c])));
        let columns = vec![
            ("x", ColumnKind::Continuous, Column::Number(gaps)),
            ("c", ColumnKind::Categorical, labels),
            ("y", ColumnKind::Continuous, Column::Number(y.clone())),
        ];
        (Table::from_columns(columns).unwrap(), y)
    }

    #[test]
    fn all_learn_numbers_and_classes_alike_and_the_same_again() {
        let ((train, y), (test, truth)) = (table(2000, 1), table(1000, 2));
        let aligned = align(&[&train, &test]).unwrap();
        let device = Device::flex();
        let classes = |y: &[f64]| y.iter().map(|&y| (y > 30.0) as u32 + (y > 80.0) as u32).collect::<Vec<u32>>();
        for learner in Learner::ALL {
            let predict = |target: &Target| learner.fit_and_predict([&aligned[0], &aligned[1]], "y", target, 5, &device).unwrap();
            let numbers = predict(&Target::Values(y.clone()));
            assert!(r2(&truth, &numbers[0]).unwrap() > 0.85, "{learner:?}");
            for count in [2, 3] {
                let codes = classes(&y).into_iter().map(|code| code.min(count - 1)).collect();
                let shares = predict(&Target::Classes { codes, count: count as usize });
                assert!((0..1000).all(|row| (shares.iter().map(|class| class[row]).sum::<f64>() - 1.0).abs() < 1e-5));
                let last: Vec<bool> = classes(&truth).iter().map(|&code| code.min(count - 1) == count - 1).collect();
                assert!(roc_auc(&last, &shares[count as usize - 1]).unwrap() > 0.93, "{learner:?}");
            }
            assert_eq!(numbers, predict(&Target::Values(y.clone())));
        }
    }
}
