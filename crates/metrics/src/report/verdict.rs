//! Three questions answered in plain words. The limits are judgement, written here and in docs/metrics.md, not law.

use serde::{Deserialize, Serialize};

use super::{Attacks, Score};

/// An answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// What was asked.
    pub question: String,
    /// The short answer.
    pub answer: String,
    /// How good it is.
    pub grade: Grade,
    /// The numbers behind it, in a sentence.
    pub because: String,
}

/// How good an answer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Grade {
    /// Nothing to worry about was found.
    Good,
    /// Usable with care.
    Fair,
    /// Not as it is.
    Poor,
    /// Cannot be said from what was given.
    Unknown,
}

/// The three answers; `holdout_rows` scales what chance alone can do to the shares.
pub(super) fn verdicts(scores: &[Score], attacks: &Attacks, synthetic_rows: usize, holdout_rows: Option<usize>) -> Vec<Verdict> {
    vec![looks(scores), works(scores), gives_away(scores, attacks, synthetic_rows, holdout_rows)]
}

pub(super) fn find(scores: &[Score], id: &str) -> (Option<f64>, Option<f64>) {
    scores.iter().find(|score| score.id == id).map_or((None, None), |score| (score.value, score.reference))
}

pub(super) fn verdict(question: &str, grade: Grade, answer: &str, because: String) -> Verdict {
    Verdict { question: question.into(), answer: answer.into(), grade, because }
}

fn looks(scores: &[Score]) -> Verdict {
    let question = "Does it look like the data?";
    let (Some(quality), reference) = find(scores, "quality") else {
        return verdict(question, Grade::Unknown, "Not known", "No column could be compared.".into());
    };
    let gap = reference.unwrap_or(1.0) - quality;
    let detection = find(scores, "detection_auc").0;
    let mut because = format!("Columns and pairs agree with the real table to {:.1} %", 100.0 * quality);
    because += &reference
        .filter(|reference| *reference < 1.0)
        .map_or_else(String::new, |reference| format!(" (new real rows: {:.1} %)", 100.0 * reference));
    because += &detection.map_or_else(
        || ".".into(),
        |auc| {
            format!(
                "; trained to tell the two apart, a classifier reaches an AUC of {auc:.2}, where 0.50 is guessing and 1.00 is never wrong."
            )
        },
    );
    match (gap, detection.unwrap_or(0.5)) {
        (gap, auc) if gap <= 0.03 && auc <= 0.65 => verdict(question, Grade::Good, "Yes", because),
        (gap, _) if gap <= 0.03 => verdict(question, Grade::Fair, "Column by column, but not row by row", because),
        (gap, _) if gap <= 0.10 => verdict(question, Grade::Fair, "Roughly", because),
        _ => verdict(question, Grade::Poor, "No", because),
    }
}

fn works(scores: &[Score]) -> Verdict {
    let question = "Does it work like the data?";
    let unknown = |because: &str| verdict(question, Grade::Unknown, "Not known", because.into());
    let Some((name, score)) = [("AUC", "utility_auc"), ("R2", "utility_r2")]
        .iter()
        .find_map(|(name, id)| Some((name, scores.iter().find(|score| score.id == *id)?)))
    else {
        return unknown("No target column was named, so no model could be trained.");
    };
    let (Some(value), Some(reference)) = (score.value, score.reference) else {
        return unknown(
            &score
                .undefined
                .clone()
                .map_or_else(|| "The model could not be tested.".into(), |why| format!("No model could be compared: {why}.")),
        );
    };
    let because = format!(
        "On real rows that neither saw, a model trained on the synthetic table reaches an {name} of {value:.3}; trained on the real table, {reference:.3}."
    );
    // What was learnt beyond guessing counts, not the half that an AUC gives away.
    let floor = if *name == "AUC" { 0.5 } else { 0.0 };
    let kept = if reference > floor { (value - floor) / (reference - floor) } else { f64::NAN };
    if kept.is_nan() {
        return unknown("Even a model trained on the real table predicts no better than guessing, so there is nothing to compare.");
    }
    let (grade, answer) = keeps(kept);
    verdict(question, grade, answer, because)
}

/// The answer for what a model trained on synthetic data keeps of what one trained on real data learns beyond guessing.
pub(super) fn keeps(kept: f64) -> (Grade, &'static str) {
    match kept {
        kept if kept >= 0.97 => (Grade::Good, "Yes"),
        kept if kept >= 0.85 => (Grade::Fair, "Mostly"),
        _ => (Grade::Poor, "No"),
    }
}

/// Three standard errors of the difference of two shares: what chance alone does once in several hundred times.
pub(super) fn chance(share: f64, counts: [usize; 2]) -> f64 {
    let share = share.clamp(0.001, 0.999);
    3.0 * (share * (1.0 - share) * (1.0 / counts[0] as f64 + 1.0 / counts[1] as f64)).sqrt()
}

fn gives_away(scores: &[Score], attacks: &Attacks, synthetic_rows: usize, holdout_rows: Option<usize>) -> Verdict {
    let question = "Does it give anyone away?";
    let (Some(holdout_rows), (Some(copies), Some(copies_holdout)), (Some(closer), _)) =
        (holdout_rows, find(scores, "copies"), find(scores, "closer_to_train"))
    else {
        return verdict(question, Grade::Unknown, "Not known", "That needs a holdout: real rows that the generator never saw.".into());
    };
    let error = |share: f64| chance(share, [synthetic_rows, holdout_rows]);
    let mut because = format!(
        "{:.2} % of the synthetic rows equal a training row (new real rows: {:.2} %), and {:.1} % lie closer to the training rows than to the holdout (no memory: about 50 %).",
        100.0 * copies,
        100.0 * copies_holdout,
        100.0 * closer
    );
    let strongest = attacks.strongest();
    because += &strongest.map_or_else(String::new, |(name, outcome)| {
        format!(" Of the attacks on single targets {name} gains most beyond what holdout rows give away: {:.1} %.", 100.0 * outcome.risk)
    });
    let membership = attacks.membership();
    because += &membership.map_or_else(String::new, |auc| {
        format!(" Training rows are told from holdout rows with an AUC of {:.2} (0.50 is guessing).", auc.value)
    });
    // Lower ends of intervals, so that chance alone seldom passes them.
    let risk = strongest.map_or(0.0, |(_, outcome)| outcome.interval[0]);
    let known = membership.map_or(0.5, |auc| auc.interval[0]);
    let (too_many, too_close) = (copies - copies_holdout > error(copies_holdout), closer - 0.5 > error(0.5));
    if too_many || closer > 0.6 || risk > 0.1 || known > 0.6 {
        verdict(question, Grade::Poor, "Yes, there are signs of it", because)
    } else if too_close || risk > 0.02 || known > 0.52 {
        verdict(question, Grade::Fair, "Possibly", because)
    } else {
        let caution = " These checks can find a leak; they cannot prove that there is none, and a good distance to the closest record is no guarantee.";
        verdict(question, Grade::Good, "No sign of it was found", because + caution)
    }
}
