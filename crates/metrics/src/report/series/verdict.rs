//! The answers on series, and their limits.

use super::by_id;
use super::scores::Scored;
use crate::report::verdict::{chance, fidelity, not_assessed, privacy};
use crate::report::{Grade, Group, Verdict};

/// Of the discriminative score above its reference, by the lower end of its interval: fair, poor.
pub(super) const TOLD_APART: [f64; 2] = [0.05, 0.15];
/// Of the predictive error over that of a network trained on real windows: fair, poor.
pub(super) const ERROR: [f64; 2] = [1.03, 1.15];
/// Of the share of near copies above the holdout's, beyond chance: possible leakage, leakage.
pub(super) const COPIES: [f64; 2] = [0.01, 0.05];

pub(super) fn verdicts(scored: &[Scored], sizes: [usize; 2], holdout: bool) -> Vec<Verdict> {
    vec![of_fidelity(scored), of_utility(scored), of_privacy(scored, sizes, holdout)]
}

pub(super) fn of_fidelity(scored: &[Scored]) -> Verdict {
    let score = by_id(scored, "discriminative").map(|found| &found.score);
    let Some((score, value)) = score.and_then(|score| Some((score, score.value?))) else {
        return not_assessed(Group::Fidelity, "The discriminative score is not defined.");
    };
    let reference = score.reference.unwrap_or(0.0);
    let surely = score.interval.map_or(value, |[low, _]| low) - reference;
    let grade = match surely {
        above if above > TOLD_APART[1] => Grade::Poor,
        above if above > TOLD_APART[0] => Grade::Fair,
        _ => Grade::Good,
    };
    let because = format!(
        "A recurrent network tells synthetic windows from real ones with an accuracy of {:.3}; for the reference it is {:.3}.",
        0.5 + value,
        0.5 + reference
    );
    fidelity(grade, None, because)
}

/// No task is known for series of any form.
pub(super) fn not_for_utility() -> Verdict {
    not_assessed(
        Group::Utility,
        "Windows of numbers alone have a task by custom, the next value of the last column; cut them with --window and leave other columns out.",
    )
}

fn of_utility(scored: &[Scored]) -> Verdict {
    let score = by_id(scored, "predictive").map(|found| &found.score);
    let Some((value, reference)) = score.and_then(|score| Some((score.value?, score.reference?))) else {
        return not_assessed(Group::Utility, "The predictive score is not defined.");
    };
    let (grade, answer) = match value / reference.max(f64::MIN_POSITIVE) {
        times if times > ERROR[1] => (Grade::Poor, "Less useful than real data"),
        times if times > ERROR[0] => (Grade::Fair, "Almost as useful as real data"),
        _ => (Grade::Good, "As useful as real data"),
    };
    let because = format!(
        "The next value of the last column is predicted with a mean error of {value:.4} after training on synthetic windows, {reference:.4} after training on real ones."
    );
    Verdict { group: Group::Utility, grade, answer: answer.into(), because }
}

pub(super) fn of_privacy(scored: &[Scored], [synthetic, reference]: [usize; 2], holdout: bool) -> Verdict {
    let score = by_id(scored, "near_copies").map(|found| &found.score);
    let Some((share, expected)) = score.filter(|_| holdout).and_then(|score| Some((score.value?, score.reference?))) else {
        return not_assessed(
            Group::Privacy,
            "Give windows that the model never saw, such as later ones of the same series, as the holdout.",
        );
    };
    let beyond = share - expected - chance(expected, [synthetic, reference]);
    let because = format!(
        "{:.1} % of synthetic windows are nearer to a training window than half of what holdout windows typically are; of holdout windows {:.1} % are.",
        100.0 * share,
        100.0 * expected
    );
    privacy(beyond > COPIES[1], beyond > COPIES[0], because, " This check can find copies; it cannot prove that nothing leaks.")
}
