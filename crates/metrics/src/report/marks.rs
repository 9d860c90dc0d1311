//! The mark of a score: what its distance from its reference means. All limits of marks are here; docs/metrics.md has them as a table.

use serde::{Deserialize, Serialize};

use super::{Direction, Group, Score};
use crate::bootstrap::chance;

/// How a score compares with its reference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mark {
    /// As good as the reference, or nearly so.
    Good,
    /// Worth a look.
    Watch,
    /// Clearly worse than the reference.
    Bad,
}

impl Mark {
    /// The displayed word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Watch => "watch",
            Self::Bad => "bad",
        }
    }

    fn beyond(excess: f64, [watch, bad]: [f64; 2]) -> Self {
        if excess > bad {
            Self::Bad
        } else if excess > watch {
            Self::Watch
        } else {
            Self::Good
        }
    }
}

/// How far a score may be on the bad side of its reference: beyond the first limit is watch, beyond the second bad.
enum Limits {
    /// The difference.
    Difference([f64; 2]),
    /// The larger one as a multiple of the smaller one.
    Times([f64; 2]),
    /// Of what the reference gains over this guess, at least 97 % and 85 % are kept: the limits of the verdict on utility.
    Kept(f64),
    /// Two and three standard errors of the difference of two shares.
    Chance,
}

/// The side of the reference that is bad.
enum Side {
    Below,
    Above,
    Both,
}

/// The rule for a score; none where no limit would be sound.
fn rule(score: &Score) -> Option<(Side, Limits)> {
    use Limits::{Chance, Difference, Kept, Times};
    let plain = match score.direction {
        Direction::Higher => Side::Below,
        Direction::Lower => Side::Above,
        Direction::NearReference => Side::Both,
    };
    Some(match score.id.as_str() {
        // Fidelity.
        "detection_auc" | "detection_auc_holdout" => (plain, Difference([0.15, 0.30])),
        "relations_kept" => (plain, Difference([0.10, 0.50])),
        "logistic_detection" => (plain, Difference([0.30, 0.60])),
        "chi_square" => (plain, Difference([0.10, 0.50])),
        "wasserstein" => (plain, Difference([0.02, 0.05])),
        "alpha_precision" | "beta_recall" | "class_share_distance" => (plain, Difference([0.05, 0.15])),
        "precision" | "recall" | "coverage" => (plain, Difference([0.05, 0.20])),
        "density" => (plain, Difference([0.10, 0.30])),
        "frechet_distance" | "mind" => (plain, Times([5.0, 50.0])),
        "classifier_score" => (plain, Times([1.1, 1.5])),
        "fine_detail" | "finest_detail" => (plain, Times([1.25, 2.0])),
        // About 0, or the spread of another score: nothing to measure a difference by.
        "kid" | "frechet_corrected" | "kid_deviation" | "classifier_score_deviation" => return None,
        // Of series: means over seeds, so that the lower end of the interval counts less than the limits do.
        "discriminative" => (plain, Difference([0.05, 0.15])),
        "context_fid" | "untrained_fid" | "correlational" => (plain, Times([5.0, 50.0])),
        "autocorrelation" | "spectrum" | "marginals" => (plain, Difference([0.03, 0.10])),
        // Of text.
        "text_discriminative" => (plain, Difference([0.10, 0.25])),
        "bits_per_character" | "self_bleu" | "zipf" => (plain, Times([1.1, 1.3])),
        "reverse_bits" => (plain, Times([1.05, 1.15])),
        "entropy_2" => (plain, Difference([0.3, 1.0])),
        "ngram_area" => (plain, Difference([0.10, 0.30])),
        "passage_95" => (Side::Above, Times([1.25, 2.0])),
        // How often short texts recur is a matter of how a set was collected.
        "novelty" => return None,
        // Of databases.
        "cardinality" => (plain, Difference([0.05, 0.15])),
        "c2st_agg" => (plain, Difference([0.08, 0.20])),
        id if id.starts_with("hops_") => (plain, Difference([0.03, 0.10])),
        "sound_keys" => (plain, Difference([0.0, 0.01])),
        // Utility.
        "predictive" => (plain, Times([1.03, 1.15])),
        id if id.ends_with("_auc") && score.group == Group::Utility => (plain, Kept(0.5)),
        "utility_rmse" => (plain, Times([1.03, 1.15])),
        _ if score.group == Group::Utility => (plain, Kept(0.0)),
        // Privacy. Further away than the reference is no leak.
        "copies" | "memorised" | "near_copies" | "long_passages" => (Side::Above, Chance),
        "closer_to_train" => (Side::Above, Difference([0.03, 0.10])),
        "dcr_median" | "dcr_percentile_5" | "nndr_percentile_5" | "dcr_baseline_protection" => (Side::Below, Times([1.25, 2.0])),
        "nearest" => (Side::Below, Times([2.0, 4.0])),
        "dcr_overfitting_protection" => (plain, Difference([0.05, 0.20])),
        "authenticity" => (Side::Below, Difference([0.05, 0.15])),
        "identifiability" => (Side::Above, Difference([0.05, 0.15])),
        "new_row_synthesis" | "disclosure_protection" => (Side::Below, Difference([0.03, 0.10])),
        id if id.starts_with("membership_") && id.ends_with("_found_1") => (plain, Difference([0.01, 0.04])),
        id if id.starts_with("membership_") && id.ends_with("_found_01") => (plain, Difference([0.004, 0.009])),
        _ if score.group == Group::Privacy => (plain, Difference([0.02, 0.10])),
        // Validity.
        "rules" => (plain, Difference([0.01, 0.10])),
        "class_accuracy" => (Side::Below, Difference([0.05, 0.20])),
        _ => (plain, Difference([0.03, 0.10])),
    })
}

/// Marks every score that has a value and a reference and no mark yet. `sizes` are the numbers of synthetic items and of those behind the
/// references.
pub(super) fn set(scores: &mut [Score], sizes: [usize; 2]) {
    for score in scores.iter_mut().filter(|score| score.mark.is_none()) {
        score.mark = mark(score, sizes);
    }
}

fn mark(score: &Score, sizes: [usize; 2]) -> Option<Mark> {
    let (value, reference) = (score.value?, score.reference?);
    let (side, limits) = rule(score)?;
    // Attacks are judged by the lower end of their interval, so that chance alone seldom passes the limits.
    let by_interval = score.group == Group::Privacy && matches!(limits, Limits::Difference(_));
    let value = if by_interval { score.interval.map_or(value, |[low, _]| low) } else { value };
    let above = match side {
        Side::Below => reference - value,
        Side::Above => value - reference,
        Side::Both => (value - reference).abs(),
    };
    Some(match limits {
        Limits::Difference(limits) => Mark::beyond(above, limits),
        Limits::Chance => {
            let error = chance(reference, sizes.map(|size| size.max(1)));
            Mark::beyond(above, [error * 2.0 / 3.0, error])
        }
        Limits::Times(_) if above <= 0.0 => Mark::Good,
        // No multiple of 0 says anything.
        Limits::Times(_) if reference == 0.0 => return None,
        Limits::Times(limits) => Mark::beyond(value.max(reference) / value.min(reference).max(f64::MIN_POSITIVE), limits),
        Limits::Kept(floor) => return kept([value, reference, floor]),
    })
}

/// The mark of what remains of a gain over a guess; none where the reference gains nothing.
pub(super) fn kept([value, reference, floor]: [f64; 3]) -> Option<Mark> {
    (reference > floor).then(|| Mark::beyond(-(value - floor) / (reference - floor), [-0.97, -0.85]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::ReferenceFrom;

    fn score(id: &str, group: Group, direction: Direction, [value, reference]: [f64; 2], interval: Option<[f64; 2]>) -> Score {
        Score {
            id: id.into(),
            group,
            name: String::new(),
            value: Some(value),
            interval,
            reference: Some(reference),
            reference_from: ReferenceFrom::Ideal,
            direction,
            mark: None,
            meaning: String::new(),
            undefined: None,
        }
    }

    #[test]
    fn each_kind_of_limit_has_its_two_sides() {
        use Direction::{Higher, Lower, NearReference};
        use Group::{Fidelity, Privacy, Utility, Validity};
        use Mark::{Bad, Good, Watch};
        for (id, group, direction, values, interval, expected) in [
            ("quality", Fidelity, Higher, [0.96, 0.98], None, Good),
            ("quality", Fidelity, Higher, [0.92, 0.98], None, Watch),
            ("quality", Fidelity, Higher, [0.80, 0.98], None, Bad),
            ("quality", Fidelity, Higher, [1.00, 0.50], None, Good),
            ("detection_auc", Fidelity, Lower, [0.64, 0.5], None, Good),
            ("detection_auc", Fidelity, Lower, [0.90, 0.5], None, Bad),
            ("alpha_precision", Fidelity, NearReference, [0.85, 0.95], None, Watch),
            ("mind", Fidelity, Lower, [4.0, 1.0], None, Good),
            ("mind", Fidelity, Lower, [60.0, 1.0], None, Bad),
            ("utility_auc", Utility, Higher, [0.895, 0.9], None, Good),
            ("utility_auc", Utility, Higher, [0.86, 0.9], None, Watch),
            ("utility_r2", Utility, Higher, [0.5, 0.9], None, Bad),
            ("utility_rmse", Utility, Lower, [1.1, 1.0], None, Watch),
            ("copies", Privacy, Lower, [0.0, 0.0], None, Good),
            ("copies", Privacy, Lower, [0.1, 0.0], None, Bad),
            ("dcr_median", Privacy, NearReference, [0.4, 0.1], None, Good),
            ("dcr_median", Privacy, NearReference, [0.0, 0.1], None, Bad),
            ("dcr_median", Privacy, NearReference, [0.0, 0.0], None, Good),
            ("closer_to_train", Privacy, NearReference, [0.2, 0.5], None, Good),
            ("closer_to_train", Privacy, NearReference, [0.55, 0.5], None, Watch),
            ("linkability", Privacy, Lower, [0.3, 0.0], Some([0.01, 0.5]), Good),
            ("linkability", Privacy, Lower, [0.3, 0.0], Some([0.2, 0.5]), Bad),
            ("membership_distance_auc", Privacy, Lower, [0.7, 0.5], Some([0.65, 0.8]), Bad),
            ("membership_distance_found_01", Privacy, Lower, [0.01, 0.001], Some([0.006, 0.02]), Watch),
            ("authenticity", Privacy, NearReference, [0.9, 0.5], None, Good),
            ("identifiability", Privacy, NearReference, [0.9, 0.5], None, Bad),
            ("rules", Validity, Higher, [0.95, 1.0], None, Watch),
        ] {
            let mut list = [score(id, group, direction, values, interval)];
            set(&mut list, [1000, 1000]);
            assert_eq!(list[0].mark, Some(expected), "{id} {values:?}");
        }
    }

    #[test]
    fn nothing_to_compare_with_has_no_mark() {
        let of = |id: &str, reference: Option<f64>| {
            let mut list = [Score { reference, ..score(id, Group::Fidelity, Direction::Lower, [0.5, 0.0], None) }];
            set(&mut list, [10, 10]);
            list[0].mark
        };
        assert_eq!([of("lpips", None), of("kid", Some(0.0))], [None; 2]);
        assert_eq!(kept([0.6, 0.5, 0.5]), None);
    }
}
