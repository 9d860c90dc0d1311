//! Membership inference: how well an attacker distinguishes the training data of a model from other data.

pub mod lira;

use serde::{Deserialize, Serialize};

use crate::Result;
use crate::bootstrap::{DRAWS, Estimate};
use crate::error::undefined;
use crate::learn::scores::roc_auc;
use crate::random::random;
use crate::significance::{Tail, lower_tail, upper};

/// How well training rows (or images) are distinguished from holdout rows (or images).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Membership {
    /// ROC AUC: 0.5 is guessing, 1 always right. An average, which can hide a few targets that are recognized with certainty.
    pub auc: Estimate,
    /// The chance of such an AUC, or a larger one, if the attacker knew nothing (Mann and Whitney 1947, with ties).
    pub auc_p_value: f64,
    /// True positive rate at a false positive rate of 1 %; see [`guessing`] for the rate of an attacker who knows nothing. `None` with fewer
    /// than 100 others, of which no false positive could be allowed.
    pub found_at_1_percent: Option<Estimate>,
    /// The same at 0.1 %; `None` with fewer than 1,000 others.
    pub found_at_01_percent: Option<Estimate>,
    /// Whether more of the highest scores than chance explains are those of members.
    pub tail: Tail,
    /// Numbers of training and holdout rows, or images, that were attacked.
    pub rows: [usize; 2],
}

/// The expected true positive rate of an attacker who knows nothing, at the false positive rate `wrong` among `others`: of `k` allowed errors,
/// `(k + 1) / (others + 1)`.
pub fn guessing(wrong: f64, others: usize) -> f64 {
    (allowed(wrong, others) + 1) as f64 / (others + 1) as f64
}

fn allowed(wrong: f64, others: usize) -> usize {
    // 0.01 * 100 is a little more or less than 1.
    (wrong * others as f64 + 1e-9) as usize
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
    let rate = |wrong: f64, place: usize| (allowed(wrong, others.len()) > 0).then(|| estimate(place));
    let reversed = |scores: &[f64]| scores.iter().map(|score| -score).collect::<Vec<f64>>();
    Ok(Membership {
        auc: estimate(0),
        auc_p_value: upper((values[0] - 0.5) / auc_deviation(members, others)),
        found_at_1_percent: rate(0.01, 1),
        found_at_01_percent: rate(0.001, 2),
        tail: lower_tail(&reversed(members), &reversed(others)),
        rows: [members.len(), others.len()],
    })
}

/// The standard deviation of the AUC if both lists are of one law.
fn auc_deviation(members: &[f64], others: &[f64]) -> f64 {
    let (n, m) = (members.len() as f64, others.len() as f64);
    let mut pooled = [members, others].concat();
    pooled.sort_unstable_by(f64::total_cmp);
    let ties: f64 = pooled.chunk_by(|a, b| a == b).map(|run| (run.len() as f64).powi(3) - run.len() as f64).sum();
    let sum = n + m;
    let spread = sum + 1.0 - ties / (sum * (sum - 1.0)).max(1.0);
    (spread / (12.0 * n * m)).sqrt().max(1e-12)
}

/// The share of members that are recognized when so many of the others may be taken for members. Members and others of one score come in
/// random order: the share is the expected one.
fn found_at(members: &[f64], others: &[f64], wrong: f64) -> f64 {
    let mut sorted = others.to_vec();
    sorted.sort_unstable_by(|a, b| b.total_cmp(a));
    let allowed = allowed(wrong, others.len()).min(others.len() - 1);
    // The first score that is one error too many, and those like it.
    let limit = sorted[allowed];
    let before = sorted.iter().take_while(|&&score| score > limit).count();
    let tied = sorted[before..].iter().take_while(|&&score| score == limit).count();
    let above = members.iter().filter(|&&score| score > limit).count() as f64;
    let equal = members.iter().filter(|&&score| score == limit).count() as f64;
    (above + equal * (allowed - before + 1) as f64 / (tied + 1) as f64) / members.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_found_keep_to_the_allowed_errors() {
        let others: Vec<f64> = (0..1000).map(f64::from).collect();
        assert_eq!(found_at(&[989.5, 988.5, 2000.0, 0.0], &others, 0.01), 0.5);
        assert_eq!(found_at(&[998.5, 2000.0], &others, 0.001), 1.0);
        assert_eq!(found_at(&[997.5, 997.9], &others, 0.001), 0.0);
        // One of the two orders of equal scores recognizes the member.
        assert_eq!(found_at(&[998.0], &others, 0.001), 0.5);
        // All members at the best score, which three of the others have too: two errors of two allowed.
        let tied: Vec<f64> = (0..2000).map(|row| if row < 3 { 1.0 } else { 0.0 }).collect();
        assert_eq!(found_at(&[1.0; 8], &tied, 0.001), 0.75);
        assert!((guessing(0.001, 1999) - 0.001).abs() < 1e-12 && (guessing(0.01, 299) - 0.01).abs() < 1e-12);
        assert!(membership(&[], &others, 0).is_err() && membership(&[f64::NAN], &others, 0).is_err());
    }
}
