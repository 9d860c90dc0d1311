//! The answers on text, and their limits.

use super::by_id;
use super::scores::Scored;
use crate::report::verdict::{chance, fidelity, not_assessed, privacy};
use crate::report::{Grade, Group, Verdict};

/// Of the AUC with which n-grams tell texts apart, above its reference: fair, poor.
pub(super) const TOLD_APART: [f64; 2] = [0.10, 0.25];
/// Of the bits per character after training on synthetic texts, over those after training on real ones: fair, poor.
pub(super) const REVERSE: [f64; 2] = [1.05, 1.15];
/// Of the share of texts with long passages or of whole copies above the holdout's, beyond chance: possible leakage, leakage.
pub(super) const COPIES: [f64; 2] = [0.01, 0.05];

pub(super) fn verdicts(scored: &[Scored], sizes: [usize; 2]) -> Vec<Verdict> {
    vec![of_fidelity(scored), of_utility(scored), of_privacy(scored, sizes)]
}

fn value_and_reference(scored: &[Scored], id: &str) -> Option<[f64; 2]> {
    let score = &by_id(scored, id)?.score;
    Some([score.value?, score.reference?])
}

fn of_fidelity(scored: &[Scored]) -> Verdict {
    let Some([value, reference]) = value_and_reference(scored, "text_discriminative") else {
        return not_assessed(Group::Fidelity, "Models of n-grams could not be compared.");
    };
    let grade = match value - reference {
        above if above > TOLD_APART[1] => Grade::Poor,
        above if above > TOLD_APART[0] => Grade::Fair,
        _ => Grade::Good,
    };
    let because = format!(
        "Models of n-grams tell synthetic texts from real ones with an AUC of {:.3}; for the reference it is {:.3}.",
        0.5 + value,
        0.5 + reference
    );
    fidelity(grade, None, because)
}

fn of_utility(scored: &[Scored]) -> Verdict {
    let Some([value, reference]) = value_and_reference(scored, "reverse_bits") else {
        return not_assessed(Group::Utility, "No model could be trained on the synthetic texts.");
    };
    let (grade, answer) = match value / reference.max(f64::MIN_POSITIVE) {
        times if times > REVERSE[1] => (Grade::Poor, "Less useful than real data"),
        times if times > REVERSE[0] => (Grade::Fair, "Almost as useful as real data"),
        _ => (Grade::Good, "As useful as real data"),
    };
    let because = format!(
        "New real texts cost {value:.3} bits a character under a model of n-grams that was trained on synthetic texts, {reference:.3} under one that was trained on real ones."
    );
    Verdict { group: Group::Utility, grade, answer: answer.into(), because }
}

fn of_privacy(scored: &[Scored], [synthetic, reference]: [usize; 2]) -> Verdict {
    let signs = ["long_passages", "copies"].map(|id| value_and_reference(scored, id));
    let [Some([long, long_expected]), Some([copies, copies_expected])] = signs else {
        return not_assessed(Group::Privacy, "Give texts of the same source that the model never saw as the holdout.");
    };
    let beyond = |share: f64, expected: f64| share - expected - chance(expected, [synthetic, reference]);
    let most = beyond(long, long_expected).max(beyond(copies, copies_expected));
    let because = format!(
        "{:.1} % of synthetic texts have a longer passage in common with the training texts than 99 of 100 holdout texts (of the holdout {:.1} %), and {:.1} % are whole copies of at least 24 characters (of the holdout {:.1} %).",
        100.0 * long,
        100.0 * long_expected,
        100.0 * copies,
        100.0 * copies_expected
    );
    privacy(most > COPIES[1], most > COPIES[0], because, " This check can find copies; it cannot prove that nothing leaks.")
}
