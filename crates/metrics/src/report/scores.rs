//! Scores that several kinds of data share.

use super::{Direction, Group, ReferenceFrom, Report, Score};
use crate::bootstrap::Estimate;
use crate::membership::{Membership, guessing};

/// The three scores of membership inference `by` some means, or why it could not be run. `items` are rows or images; `how` describes the
/// attack.
pub(super) fn of_membership(by: &str, found: Result<&Membership, &String>, items: &str, how: &str) -> [Score; 3] {
    let parts: [(&str, &str, fn(&Membership) -> Option<Estimate>, fn(usize) -> f64, String); 3] = [
        (
            "auc",
            "AUC",
            |found| Some(found.auc),
            |_| 0.5,
            format!("how well training {items} are distinguished from holdout {items}, 0.5 is guessing"),
        ),
        (
            "found_1",
            "TPR at 1 % FPR",
            |found| found.found_at_1_percent,
            |others| guessing(0.01, others),
            format!("share of training {items} that are recognized when 1 % of the holdout {items} are taken for training {items}"),
        ),
        ("found_01", "TPR at 0.1 % FPR", |found| found.found_at_01_percent, |others| guessing(0.001, others), "the same at 0.1 %".into()),
    ];
    let counts =
        found.map_or_else(|_| String::new(), |found| format!(" {} training and {} holdout {items}.", found.rows[0], found.rows[1]));
    parts.map(|(id, name, get, expected, measures)| {
        let few = || "needs 100 holdout rows, and 1,000 for a rate of 0.1 %".replace("rows", items);
        let estimate = found.map_err(Clone::clone).and_then(|found| get(found).ok_or_else(few));
        Score {
            id: format!("membership_{by}_{id}"),
            group: Group::Privacy,
            name: format!("Membership inference by {by}: {name}"),
            value: estimate.as_ref().ok().map(|estimate| estimate.value),
            interval: estimate.as_ref().ok().map(|estimate| estimate.interval),
            reference: Some(found.map_or(expected(usize::MAX - 1), |found| expected(found.rows[1]))),
            reference_from: ReferenceFrom::Ideal,
            direction: Direction::Lower,
            mark: None,
            meaning: format!("Membership inference: {measures}; {how}.{counts}"),
            undefined: estimate.err(),
        }
    })
}

/// How membership inference by shadow models works.
pub(super) fn by_shadow_models(models: usize) -> String {
    format!("{models} models of the same kind were trained with and without each target")
}

/// The ids of the scores of all reports, in the order in which they first occur.
pub(super) fn score_ids<'a>(reports: &[(&str, &'a Report)]) -> Vec<&'a str> {
    let mut ids: Vec<&str> = Vec::new();
    for score in reports.iter().flat_map(|(_, report)| &report.scores) {
        if !ids.contains(&score.id.as_str()) {
            ids.push(&score.id);
        }
    }
    ids
}
