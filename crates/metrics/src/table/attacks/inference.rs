//! Attribute inference: a secret column predicted from the closest synthetic row.

use rayon::prelude::*;
use semblant_data::table::{Column, Table};
use serde::{Deserialize, Serialize};

use super::{Outcome, Rate};
use crate::error::undefined;
use crate::random::{random, subsample};
use crate::table::align::align;
use crate::table::distance::Scale;
use crate::{Error, Result};

/// The attack on one column.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Inference {
    /// The secret column.
    pub secret: String,
    /// The success rates and the risk.
    pub outcome: Outcome,
}

/// The largest error of a right prediction of a number, relative to the prediction.
const CLOSE: f64 = 0.05;

/// For `attempts` training and holdout rows, drawn by `seed`, and each of the columns `secrets`: the attacker knows every other column, and
/// predicts the secret of the synthetic row closest in them, the first of several (distances as in [`super::super::distance`]). A prediction is
/// right if a label is equal, or a number within 5 % of the prediction. The baseline takes the secret of a random synthetic row.
///
/// # Errors
/// [`crate::Error::Undefined`] when a table has a single column to compare or a secret is not modelled in all tables;
/// [`crate::Error::Tables`] when the tables share no column or one has no rows.
pub fn inference(
    train: &Table,
    synthetic: &Table,
    holdout: &Table,
    secrets: &[&str],
    attempts: usize,
    seed: u64,
) -> Result<Vec<Inference>> {
    let tables = align(&[train, synthetic, holdout])?;
    let place = |secret: &&str| {
        let absent = || Error::Undefined(format!("\"{secret}\" is an id or constant column, or not of one type in all tables"));
        tables[0].schema().index_of(secret).map_err(|_| absent())
    };
    let places = secrets.iter().map(place).collect::<Result<Vec<usize>>>()?;
    if tables[0].columns().len() < 2 {
        return undefined("there is no other column to know");
    }
    let scale = Scale::new(&tables[0]);
    let points = scale.points(&tables[1]);
    let attack = |table: &Table, purpose| -> Vec<Rate> {
        let targets = table.take(&subsample(table.rows(), attempts, seed, purpose));
        let known = scale.points(&targets);
        let guess = |row: usize| {
            let closest = points.closest_without_each(known.row(row), &places);
            let right = |(&place, guess): (&usize, usize)| is_right(&tables[1].columns()[place], guess, &targets.columns()[place], row);
            places.iter().zip(closest).map(right).collect::<Vec<bool>>()
        };
        let right: Vec<Vec<bool>> = (0..targets.rows()).into_par_iter().map(guess).collect();
        (0..places.len()).map(|secret| Rate::of(right.iter().map(|right| right[secret]))).collect()
    };
    let (main, control) = (attack(&tables[0], 57), attack(&tables[2], 58));
    let mut random = random(seed, 59);
    let mut baseline = |place: usize| {
        let (guesses, truth) = (&tables[1].columns()[place], &tables[0].columns()[place]);
        Rate::of((0..attempts).map(|_| is_right(guesses, random.below(guesses.len()), truth, random.below(truth.len()))))
    };
    let found = |((secret, &place), (main, control)): ((&&str, &usize), (Rate, Rate))| Inference {
        secret: (*secret).to_owned(),
        outcome: Outcome::new(main, control, baseline(place)),
    };
    Ok(secrets.iter().zip(&places).zip(main.into_iter().zip(control)).map(found).collect())
}

fn is_right(guesses: &Column, guess: usize, truth: &Column, row: usize) -> bool {
    match (guesses, truth) {
        (Column::Category { codes: guesses, .. }, Column::Category { codes: truth, .. }) => guesses[guess] == truth[row],
        (Column::Number(guesses), Column::Number(truth)) => {
            let (guess, truth) = (guesses[guess], truth[row]);
            (guess - truth).abs() <= CLOSE * guess.abs() || guess == truth || (guess.is_nan() && truth.is_nan())
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests_support::{population, with_leak};
    use super::*;

    #[test]
    fn a_leaked_table_discloses_the_secret_and_a_fresh_one_only_general_patterns() {
        let (train, holdout, fresh) = (population(1, 600), population(2, 600), population(3, 600));
        for secret in ["c", "y"] {
            let attack = |synthetic: &Table| inference(&train, synthetic, &holdout, &[secret], 300, 0).unwrap()[0].outcome;
            let (leaked, half, fresh) = (attack(&train), attack(&with_leak(&fresh, &train, 300)), attack(&fresh));
            assert!(leaked.risk > 0.95 && !leaked.failed, "{leaked:?}");
            assert!(half.risk > 0.3 && half.risk < 0.7, "half of the rows are there: {half:?}");
            assert!(fresh.interval[0] < 0.02 && fresh.risk < 0.15, "{fresh:?}");
        }
        assert!(inference(&train, &train, &holdout, &["z"], 10, 0).is_err());
        // Several secrets at once are attacked as each alone.
        let both = inference(&train, &fresh, &holdout, &["c", "y"], 300, 0).unwrap();
        let alone = inference(&train, &fresh, &holdout, &["y"], 300, 0).unwrap();
        assert_eq!((both[1].outcome.main, both[1].outcome.control), (alone[0].outcome.main, alone[0].outcome.control));
    }

    #[test]
    fn a_negative_guess_is_not_right_by_its_sign() {
        let number = |value: f64| Column::Number(vec![value]);
        assert!(!is_right(&number(-100.0), 0, &number(50.0), 0));
        assert!(is_right(&number(-100.0), 0, &number(-96.0), 0) && is_right(&number(0.0), 0, &number(0.0), 0));
        assert!(is_right(&number(f64::NAN), 0, &number(f64::NAN), 0) && !is_right(&number(f64::NAN), 0, &number(1.0), 0));
    }
}
