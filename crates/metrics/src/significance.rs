//! Tests of whether training data leaves a trace that new data of the same population does not.
//!
//! A generator that copies nothing treats training rows and holdout rows alike, so that which of them are which is a matter of chance: the
//! labels are exchangeable, and the p-values here follow from that alone, whatever the data looks like.

use serde::{Deserialize, Serialize};
use statrs::distribution::{Binomial, ContinuousCDF, DiscreteCDF, Hypergeometric, Normal};

/// Whether a list has more of the smallest scores than a list of new data.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Tail {
    /// The chance of so many among the smallest scores if both lists are of one law, corrected for the places that were looked at.
    pub p_value: f64,
    /// Share of the list within the smallest scores, less the same share of the new data, where this is clearest.
    pub excess: f64,
    /// Scores of the list within them.
    pub rows: usize,
}

/// Least number of the smallest scores that is looked at; the others are its doubles.
const FIRST: usize = 4;
/// Largest share of all scores that counts as the tail.
const TAIL: f64 = 0.05;

/// Counts how many of the smallest 4, 8, 16, ... scores of both lists (up to a twentieth of all, ties together) belong to `scores`, and compares
/// with the hypergeometric law by which they would if both were draws of one law. The p-value is the smallest, times the number of counts
/// (Bonferroni). A list without scores gives a p-value of 1. NaN counts as the largest score.
pub fn lower_tail(scores: &[f64], new: &[f64]) -> Tail {
    let nothing = Tail { p_value: 1.0, excess: 0.0, rows: 0 };
    if scores.is_empty() || new.is_empty() {
        return nothing;
    }
    let mut pooled: Vec<(f64, bool)> = scores.iter().map(|&score| (score, true)).chain(new.iter().map(|&score| (score, false))).collect();
    pooled.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    let most = ((pooled.len() as f64 * TAIL) as usize).max(FIRST);
    let mut counts: Vec<(usize, usize)> = Vec::new(); // (all, of `scores`)
    let mut next = FIRST;
    let (mut place, mut of_scores) = (0, 0);
    while place < pooled.len() && next <= most {
        // The end of the block of ties.
        let value = pooled[place].0;
        while place < pooled.len() && pooled[place].0.total_cmp(&value).is_eq() {
            of_scores += usize::from(pooled[place].1);
            place += 1;
        }
        if place >= next {
            counts.push((place, of_scores));
            while next <= place {
                next *= 2;
            }
        }
    }
    let of_count = |&(all, of_scores): &(usize, usize)| Tail {
        p_value: at_least(of_scores, all, scores.len(), pooled.len()),
        excess: of_scores as f64 / scores.len() as f64 - (all - of_scores) as f64 / new.len() as f64,
        rows: of_scores,
    };
    let best = counts.iter().map(of_count).min_by(|a, b| a.p_value.total_cmp(&b.p_value)).unwrap_or(nothing);
    Tail { p_value: (best.p_value * counts.len() as f64).min(1.0), ..best }
}

/// The chance that at least `hits` of `drawn` are marked, where `marked` of `all` are.
fn at_least(hits: usize, drawn: usize, marked: usize, all: usize) -> f64 {
    match (hits.checked_sub(1), Hypergeometric::new(all as u64, marked as u64, drawn as u64)) {
        (Some(below), Ok(law)) => law.sf(below as u64),
        _ => 1.0,
    }
}

/// The chance of at least `hits` successes in the first of two samples, given the successes in both (Fisher's exact test, one-sided).
pub fn more_often([hits, attempts]: [usize; 2], [new_hits, new_attempts]: [usize; 2]) -> f64 {
    at_least(hits, hits + new_hits, attempts, attempts + new_attempts)
}

/// How much more weight falls on training data than on as much new data.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Balance {
    /// The share of the weight that falls on training data; one half if it makes no difference. One half of nothing.
    pub share: f64,
    /// The standard deviation of that share if it makes no difference.
    pub deviation: f64,
    /// The chance of at least this share if it makes no difference.
    pub p_value: f64,
}

/// Compares weights that fall on single training rows, or values, with those that fall on as many new ones. What falls on one of them counts as
/// one: a heap of synthetic rows around a single real row is no more than one chance event.
///
/// If it makes no difference, each weight `c` would as well have fallen on the other side, so that the share has the deviation
/// `sqrt(sum c^2) / (2 sum c)`. The p-value is the normal one; for weights that are all equal, the binomial one.
pub fn balance(train: &[usize], new: &[usize]) -> Balance {
    let weights = || train.iter().chain(new).copied().filter(|&weight| weight > 0);
    let sum: usize = weights().sum();
    if sum == 0 {
        return Balance { share: 0.5, deviation: 0.5, p_value: 1.0 };
    }
    let share = train.iter().sum::<usize>() as f64 / sum as f64;
    let deviation = weights().map(|weight| (weight as f64).powi(2)).sum::<f64>().sqrt() / (2.0 * sum as f64);
    let first = weights().next();
    let p_value = if weights().all(|weight| Some(weight) == first) {
        let hits = train.iter().filter(|&&weight| weight > 0).count() as u64;
        Binomial::new(0.5, weights().count() as u64).ok().zip(hits.checked_sub(1)).map_or(1.0, |(law, below)| law.sf(below))
    } else {
        upper((share - 0.5) / deviation)
    };
    Balance { share, deviation, p_value }
}

/// The chance that a standard normal number exceeds `deviations`.
pub(crate) fn upper(deviations: f64) -> f64 {
    Normal::standard().sf(deviations)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::random;

    #[test]
    fn a_tail_has_the_hypergeometric_chance() {
        // The four smallest of 40 are of the first 20: C(20, 4) / C(40, 4) = 4845 / 91390; only 4 is looked at.
        let list: Vec<f64> = (0..4).chain(40..56).map(f64::from).collect();
        let new: Vec<f64> = (4..24).map(f64::from).collect();
        let found = lower_tail(&list, &new);
        assert!((found.p_value - 4845.0 / 91390.0).abs() < 1e-12, "{found:?}");
        assert!((found.excess - 0.2).abs() < 1e-12 && found.rows == 4);
        // Fisher: 3 of 4 against 1 of 4 is (16 + 1) / 70.
        assert!((more_often([3, 4], [1, 4]) - 17.0 / 70.0).abs() < 1e-12);
        assert_eq!(more_often([0, 10], [5, 10]), 1.0);
        assert_eq!(lower_tail(&[], &new).p_value, 1.0);
    }

    #[test]
    fn honest_tails_are_rarely_called_and_a_hundredth_of_small_scores_is() {
        let draw = |seed: u64, small: usize| -> Vec<f64> {
            let mut random = random(seed, 0);
            (0..2000).map(|row| if row < small { 1e-6 * random.unit() } else { random.unit() }).collect()
        };
        let called = (0..300).filter(|&seed| lower_tail(&draw(2 * seed, 0), &draw(2 * seed + 1, 0)).p_value < 0.05).count();
        assert!(called <= 20, "{called} of 300 at a level of 0.05");
        let found = lower_tail(&draw(1, 20), &draw(2, 0));
        assert!(found.p_value < 1e-4 && (found.excess - 0.01).abs() < 0.005, "{found:?}");
        // Ties say nothing.
        assert!(lower_tail(&[0.0; 100], &[0.0; 100]).p_value > 0.5);
    }

    #[test]
    fn a_heap_around_one_row_is_one_event() {
        let even = balance(&[1; 60], &[1; 40]);
        // Binomial(100, 1/2) of at least 60.
        assert!((even.p_value - 0.028_443_966_820).abs() < 1e-9 && even.share == 0.6 && (even.deviation - 0.05).abs() < 1e-12);
        let heap = balance(&[60, 1, 1], &[1, 1, 1]);
        assert!(heap.share > 0.9 && heap.p_value > 0.1, "{heap:?}");
        assert_eq!(balance(&[], &[0]).p_value, 1.0);
    }
}
