//! The three scores of an attack on membership.

use super::super::{Direction, Group, ReferenceFrom, Score};
use crate::bootstrap::Estimate;
use crate::membership::Membership;

/// What an attack `by` some means found of training rows (or images), which is what `what` are called, each beside what guessing gets; `how` it
/// went about it. Or why it could not be run.
pub(in crate::report) fn of_membership(by: &str, found: Result<&Membership, &String>, what: &str, how: &str) -> [Score; 3] {
    let parts: [(&str, &str, fn(&Membership) -> Estimate, f64, String); 3] = [
        ("auc", "AUC", |found| found.auc, 0.5, format!("how well training {what} are told from those of the holdout, 0.5 is guessing")),
        (
            "found_1",
            "found at 1 %",
            |found| found.found_at_1_percent,
            0.01,
            format!("share of training {what} recognised when 1 % of the others are taken for such"),
        ),
        ("found_01", "found at 0.1 %", |found| found.found_at_01_percent, 0.001, "the same at 0.1 %".into()),
    ];
    parts.map(|(id, name, get, guessing, says)| {
        let estimate = found.map(get);
        let interval = estimate.as_ref().map_or_else(
            |_| String::new(),
            |estimate| format!(" 95 % interval {:.3} to {:.3}.", estimate.interval[0], estimate.interval[1]),
        );
        Score {
            id: format!("membership_{by}_{id}"),
            group: Group::Privacy,
            name: format!("Membership by {by}, {name}"),
            value: estimate.ok().map(|estimate| estimate.value),
            interval: None,
            reference: Some(guessing),
            reference_from: ReferenceFrom::Ideal,
            direction: Direction::Lower,
            meaning: format!("Membership: {says}; {how}.{interval}"),
            undefined: estimate.err().cloned(),
        }
    })
}

/// How the attack by shadow models went about it.
pub(in crate::report) fn how_shadows(models: usize) -> String {
    format!("{models} models of the same kind were trained with and without each of them")
}
