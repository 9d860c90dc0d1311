//! The verdicts on a table.

use super::scores::Attacks;
use crate::report::verdict::{chance, fidelity, find, not_assessed, privacy, utility};
use crate::report::{Grade, Group, Score, Verdict};

/// `holdout_rows` and `synthetic_rows` give the sampling error of the shares.
pub(super) fn verdicts(scores: &[Score], attacks: &Attacks, synthetic_rows: usize, holdout_rows: Option<usize>) -> Vec<Verdict> {
    vec![of_fidelity(scores), of_utility(scores), of_privacy(scores, attacks, synthetic_rows, holdout_rows)]
}

fn of_fidelity(scores: &[Score]) -> Verdict {
    let (Some(quality), reference) = find(scores, "quality") else {
        return not_assessed(Group::Fidelity, "No column could be compared.");
    };
    let gap = reference.unwrap_or(1.0) - quality;
    let detection = find(scores, "detection_auc").0;
    let mut because = format!("Columns and pairs of columns match the real table to {:.1} %", 100.0 * quality);
    if let Some(reference) = reference.filter(|reference| *reference < 1.0) {
        because += &format!(" (new real rows: {:.1} %)", 100.0 * reference);
    }
    because += ".";
    if let Some(auc) = detection {
        because += &format!(" A classifier distinguishes synthetic from real rows with an AUC of {auc:.2} (0.50 is guessing).");
    }
    match (gap, detection.unwrap_or(0.5)) {
        (gap, auc) if gap <= 0.03 && auc <= 0.65 => fidelity(Grade::Good, None, because),
        (gap, _) if gap <= 0.03 => fidelity(Grade::Fair, Some("Close column by column, not row by row"), because),
        (gap, _) if gap <= 0.10 => fidelity(Grade::Fair, None, because),
        _ => fidelity(Grade::Poor, None, because),
    }
}

fn of_utility(scores: &[Score]) -> Verdict {
    // The floor is the score of a guess.
    let measures = [("AUC", "utility_auc", 0.5), ("R2", "utility_r2", 0.0)];
    let found = measures.into_iter().find_map(|(name, id, floor)| Some((name, floor, scores.iter().find(|score| score.id == id)?)));
    let Some((name, floor, score)) = found else {
        return not_assessed(Group::Utility, "No target column was named, so no model was trained.");
    };
    let (Some(value), Some(reference)) = (score.value, score.reference) else {
        let why = score
            .undefined
            .as_ref()
            .map_or_else(|| "The model could not be tested.".into(), |why| format!("No model could be compared: {why}."));
        return not_assessed(Group::Utility, why);
    };
    let because = format!(
        "On real rows outside both training sets, a model trained on the synthetic table reaches an {name} of {value:.3}; trained on the real table, {reference:.3}."
    );
    utility([value, reference, floor], because)
}

fn of_privacy(scores: &[Score], attacks: &Attacks, synthetic_rows: usize, holdout_rows: Option<usize>) -> Verdict {
    let (Some(holdout_rows), (Some(copies), Some(copies_holdout)), (Some(closer), _)) =
        (holdout_rows, find(scores, "copies"), find(scores, "closer_to_train"))
    else {
        return not_assessed(Group::Privacy, "Privacy needs a holdout: real rows that are not in the generator's training set.");
    };
    let mut because = format!(
        "{:.2} % of the synthetic rows equal a training row (new real rows: {:.2} %), and {:.1} % are closer to the training rows than to the holdout (without memorization: about 50 %).",
        100.0 * copies,
        100.0 * copies_holdout,
        100.0 * closer
    );
    let strongest = attacks.strongest();
    if let Some((name, outcome)) = strongest {
        because += &format!(" Of the attacks, \"{name}\" has the highest risk: {:.1} %.", 100.0 * outcome.risk);
    }
    let membership = attacks.membership_auc();
    if let Some(auc) = membership {
        because += &format!(" Membership inference reaches an AUC of {:.2} (0.50 is guessing).", auc.value);
    }
    // The lower end of the interval, so that chance alone seldom passes the limits.
    let risk = strongest.map_or(0.0, |(_, outcome)| outcome.interval[0]);
    let error = |share: f64| chance(share, [synthetic_rows, holdout_rows]);
    let poor = copies - copies_holdout > error(copies_holdout) || closer > 0.6 || risk > 0.1;
    let fair = closer - 0.5 > error(0.5) || risk > 0.02;
    privacy(poor, fair, membership, because, " These checks can find leakage; they cannot prove that there is none.")
}
