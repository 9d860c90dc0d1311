//! The verdicts on a table.

use super::scores::Attacks;
use crate::report::verdict::{chance, fidelity, find, not_assessed, privacy, utility};
use crate::report::{Grade, Group, Score, Verdict};
use crate::table::identifying::{Finding, Identifying, What};
use crate::table::privacy::Privacy;

pub(super) fn verdicts(scores: &[Score], leaks: &Leaks, holdout: bool) -> Vec<Verdict> {
    vec![of_fidelity(scores), of_utility(scores, holdout), of_privacy(leaks, holdout)]
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

fn of_utility(scores: &[Score], holdout: bool) -> Verdict {
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
    let rows = if holdout {
        "On the holdout"
    } else {
        "On a fifth of the real rows, held out of the training on real rows but perhaps known to the generator"
    };
    let because = format!(
        "{rows}, a model trained on the synthetic table reaches an {name} of {value:.3}; trained on the real table, {reference:.3}."
    );
    utility([value, reference, floor], because)
}

/// What is found about leakage besides the scores.
pub(super) struct Leaks<'a> {
    pub(super) attacks: &'a Attacks,
    pub(super) privacy: &'a Privacy,
    pub(super) identifying: &'a [Identifying],
    /// Whether both tables have the same rows.
    pub(super) same_rows: bool,
}

fn of_privacy(leaks: &Leaks, holdout: bool) -> Verdict {
    let found = if holdout { with_holdout(leaks) } else { without_holdout(leaks) };
    let verdict = |answer: &str, because: String| Verdict { group: Group::Privacy, grade: Grade::Poor, answer: answer.into(), because };
    let copies = leaks.privacy.synthetic.copies;
    let beyond = |share: f64| leaks.privacy.reference().is_none_or(|new| copies - new.copies > share);
    if leaks.same_rows || (copies >= MOST_COPIES && beyond(0.5)) {
        let same = if leaks.same_rows { "The synthetic table has the same rows as the real one. " } else { "" };
        let because = format!("{same}It gives everyone away. {}", found.because);
        return verdict("Gives everyone away", because);
    }
    let bad: Vec<&Identifying> = leaks.identifying.iter().filter(|of| of.finding == Finding::Bad).collect();
    if bad.is_empty() {
        return found;
    }
    let because = bad.iter().take(NAMED).map(|of| come_back(of)).collect::<String>();
    let more = if bad.len() > NAMED {
        format!("{} more columns are in the section on identifying values. ", bad.len() - NAMED)
    } else {
        String::new()
    };
    verdict("Identifying values come back", format!("{because}{more}{}", found.because))
}

/// Of this share of copies on, a table is a copy.
const MOST_COPIES: f64 = 0.9;
/// Columns that the answer names.
const NAMED: usize = 3;

/// What comes back and what to do about it.
fn come_back(of: &Identifying) -> String {
    let Identifying { column, synthetic, reference, .. } = of;
    let leave_out = format!("leave it out with `semblant fit --drop {column}`");
    let (what, remedy) = match of.what {
        What::Ids => ("ids", format!("make new ids, or {leave_out}")),
        What::NearUnique | What::Numbers => ("values", format!("declare it `kind = \"id\"` in a schema, or {leave_out}")),
        What::RareLabels => ("labels of fewer than five real rows", format!("declare it `kind = \"id\"` in a schema, or {leave_out}")),
    };
    let new = if of.what == What::Ids { String::new() } else { format!(" (new real rows: {:.1} %)", 100.0 * reference) };
    format!("In `{column}`, {:.1} % of the synthetic values are real {what}{new}: {remedy}. ", 100.0 * synthetic)
}

fn with_holdout(leaks: &Leaks) -> Verdict {
    let Privacy { synthetic, holdout, closer_to_train, .. } = leaks.privacy;
    let (Some(holdout), &Some(closer)) = (holdout, closer_to_train) else {
        return not_assessed(Group::Privacy, "Privacy needs a holdout: real rows that are not in the generator's training set.");
    };
    let mut because = format!(
        "{:.2} % of the synthetic rows equal a training row (new real rows: {:.2} %), and {:.1} % are closer to the training rows than to the holdout (without memorization: about 50 %).",
        100.0 * synthetic.copies,
        100.0 * holdout.copies,
        100.0 * closer
    );
    let strongest = leaks.attacks.strongest();
    if let Some((name, outcome)) = strongest {
        because += &format!(" Of the attacks, \"{name}\" has the highest risk: {:.1} %.", 100.0 * outcome.risk);
    }
    let membership = leaks.attacks.membership_auc();
    if let Some(auc) = membership {
        because += &format!(" Membership inference reaches an AUC of {:.2} (0.50 is guessing).", auc.value);
    }
    // The lower end of the interval, so that chance alone seldom passes the limits.
    let risk = strongest.map_or(0.0, |(_, outcome)| outcome.interval[0]);
    let error = |share: f64| chance(share, [synthetic.distances.len(), holdout.distances.len()]);
    let poor = synthetic.copies - holdout.copies > error(holdout.copies) || closer > 0.6 || risk > 0.1;
    let fair = closer - 0.5 > error(0.5) || risk > 0.02;
    privacy(poor, fair, membership, because, " These checks can find leakage; they cannot prove that there is none.")
}

/// Copies and near copies, measured by how often real rows repeat and how close they are to each other. Nothing found is no verdict.
fn without_holdout(leaks: &Leaks) -> Verdict {
    let Privacy { synthetic, within: Some(within), .. } = leaks.privacy else {
        return not_assessed(Group::Privacy, "Privacy needs two real rows at least, and a holdout for more than a search for copies.");
    };
    let near = 1.0 - synthetic.new_rows;
    let near_within = 1.0 - within.new_rows;
    // New rows would have one in twenty closer than that.
    let close = synthetic.distances.iter().filter(|&&distance| distance < within.percentile_5 - 1e-12).count() as f64
        / synthetic.distances.len() as f64;
    let because = format!(
        "{:.2} % of the synthetic rows equal a training row (real rows that equal another real row: {:.2} %), {:.2} % match one within 1 % ({:.2} %), and {:.1} % are closer to one than all but 5 % of the real rows are to each other.",
        100.0 * synthetic.copies,
        100.0 * within.copies,
        100.0 * near,
        100.0 * near_within,
        100.0 * close
    );
    let error = |share: f64| chance(share, [synthetic.distances.len(), within.distances.len()]);
    let poor = synthetic.copies - within.copies > error(within.copies) || near - near_within > 0.1 + error(near_within) || close > 0.5;
    let fair = near - near_within > error(near_within) || close > 0.2;
    let found = privacy(poor, fair, None, because, "");
    if found.grade != Grade::Good {
        return found;
    }
    let because = found.because + " More than a search for copies needs a holdout: real rows that are not in the generator's training set.";
    Verdict { grade: Grade::Unknown, answer: "No copies found, not assessed further".into(), because, ..found }
}
