//! Membership inference: how well an attacker distinguishes the training data of a model from other data.

pub mod lira;

use serde::{Deserialize, Serialize};

use crate::Result;
use crate::bootstrap::{DRAWS, Estimate};
use crate::error::undefined;
use crate::learn::scores::roc_auc;
use crate::random::random;

/// How well training rows (or images) are distinguished from holdout rows (or images).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Membership {
    /// ROC AUC: 0.5 is guessing, 1 always right. An average, which can hide a few targets that are recognized with certainty.
    pub auc: Estimate,
    /// True positive rate at a false positive rate of 1 %; 0.01 is guessing.
    pub found_at_1_percent: Estimate,
    /// The same at 0.1 %; 0.001 is guessing. With fewer than 1,000 holdout rows no false positive is allowed.
    pub found_at_01_percent: Estimate,
    /// Numbers of training and holdout rows, or images, that were attacked.
    pub rows: [usize; 2],
}

/// AUC and true positive rates of the scores of members and of others, higher for members; `seed` draws the bootstrap.
///
/// # Errors
/// [`crate::Error::Undefined`] when a list is empty or a score is not a number.
pub fn membership(members: &[f64], others: &[f64], seed: u64) -> Result<Membership> {
    if members.iter().chain(others).any(|score| score.is_nan()) {
        return undefined("a membership score is not a number");
    }
    let measure = |members: &[f64], others: &[f64]| -> Result<[f64; 3]> {
        let positive: Vec<bool> = members.iter().map(|_| true).chain(others.iter().map(|_| false)).collect();
        let auc = roc_auc(&positive, &[members, others].concat())?;
        Ok([auc, found_at(members, others, 0.01), found_at(members, others, 0.001)])
    };
    let values = measure(members, others)?;
    let mut random = random(seed, 60);
    let mut again = |scores: &[f64]| -> Vec<f64> { (0..scores.len()).map(|_| scores[random.below(scores.len())]).collect() };
    let draws = (0..DRAWS).map(|_| (again(members), again(others))).collect::<Vec<_>>();
    let draws = draws.iter().map(|(members, others)| measure(members, others)).collect::<Result<Vec<_>>>()?;
    let estimate = |place: usize| Estimate::from_draws(values[place], draws.iter().map(|draw| draw[place]).collect());
    let rows = [members.len(), others.len()];
    Ok(Membership { auc: estimate(0), found_at_1_percent: estimate(1), found_at_01_percent: estimate(2), rows })
}

/// The share of members above the score that at most the share `wrong` of the others exceeds.
fn found_at(members: &[f64], others: &[f64], wrong: f64) -> f64 {
    let mut sorted = others.to_vec();
    sorted.sort_unstable_by(|a, b| b.total_cmp(a));
    let limit = sorted[((wrong * others.len() as f64) as usize).min(others.len() - 1)];
    members.iter().filter(|&&score| score > limit).count() as f64 / members.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_found_keep_to_the_allowed_errors() {
        let others: Vec<f64> = (0..1000).map(f64::from).collect();
        assert_eq!(found_at(&[989.5, 988.5, 2000.0, 0.0], &others, 0.01), 0.5);
        assert_eq!(found_at(&[998.5, 2000.0], &others, 0.001), 1.0);
        assert_eq!(found_at(&[997.5, 998.0], &others, 0.001), 0.0);
        assert!(membership(&[], &others, 0).is_err() && membership(&[f64::NAN], &others, 0).is_err());
    }
}
