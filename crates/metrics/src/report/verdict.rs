//! Verdicts on fidelity, utility and privacy: the type and the rules that every kind of data shares.
//!
//! The limits are conventions, documented in docs/metrics.md. A kind computes its shares and differences, in its own `verdict` module, and
//! leaves grades and answers to the functions here.

use serde::{Deserialize, Serialize};

use super::Group;
use crate::bootstrap::Estimate;

pub(super) use crate::bootstrap::chance;

/// A summary of one group of scores.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// What it is about.
    pub group: Group,
    /// The grade.
    pub grade: Grade,
    /// The grade in a few words.
    pub answer: String,
    /// The numbers behind it, in sentences.
    pub because: String,
}

/// The grade of a verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Grade {
    /// No problem was found.
    Good,
    /// Usable with care.
    Fair,
    /// Not usable as it is.
    Poor,
    /// The data given does not allow a verdict.
    Unknown,
}

impl Grade {
    /// The displayed word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Fair => "fair",
            Self::Poor => "poor",
            Self::Unknown => "unknown",
        }
    }
}

/// No verdict, and what it would need.
pub(super) fn not_assessed(group: Group, why: impl Into<String>) -> Verdict {
    Verdict { group, grade: Grade::Unknown, answer: "Not assessed".into(), because: why.into() }
}

/// How close the synthetic data is to the real data; `partly` is the answer where only a part of the criteria is met.
pub(super) fn fidelity(grade: Grade, partly: Option<&str>, because: String) -> Verdict {
    let answer = match grade {
        Grade::Good => "Close to the real data",
        Grade::Fair => "Similar to the real data",
        Grade::Poor => "Different from the real data",
        Grade::Unknown => "Not assessed",
    };
    Verdict { group: Group::Fidelity, grade, answer: partly.unwrap_or(answer).into(), because }
}

/// What a model trained on synthetic data retains of what one trained on real data gains over a guess: 97 % is good, 85 % fair, as far as the
/// interval tells. `kept` is `None` where the latter gains nothing.
pub(super) fn utility(kept: Option<Estimate>, because: String) -> Verdict {
    let Some(kept) = kept.filter(|kept| kept.value.is_finite()) else {
        return not_assessed(
            Group::Utility,
            "A model trained on the real data predicts no better than guessing, so there is nothing to compare.",
        );
    };
    let [low, high] = kept.interval;
    let because =
        format!("{because} Of the gain over a guess {:.0} % are kept ({:.0} to {:.0} %).", 100.0 * kept.value, 100.0 * low, 100.0 * high);
    let (grade, answer) = match (low, high) {
        (_, high) if high < 0.85 => (Grade::Poor, "Less useful than real data"),
        (_, high) if high < 0.97 => (Grade::Fair, "Almost as useful as real data"),
        (low, _) if low < 0.75 => (Grade::Unknown, "Too few rows to tell"),
        _ => (Grade::Good, "As useful as real data"),
    };
    Verdict { group: Group::Utility, grade, answer: answer.into(), because }
}

/// Whether training data leaks: `poor` and `fair` say whether a kind's own signs were found. A membership AUC counts as well, by the lower
/// end of its interval, so that chance alone seldom passes the limits: above 0.6 is poor, above 0.52 fair.
pub(super) fn privacy(poor: bool, fair: bool, membership: Option<Estimate>, because: String, caution: &str) -> Verdict {
    let auc = membership.map_or(0.5, |auc| auc.interval[0]);
    let (grade, answer, because) = if poor || auc > 0.6 {
        (Grade::Poor, "Signs of leakage", because)
    } else if fair || auc > 0.52 {
        (Grade::Fair, "Possible leakage", because)
    } else {
        (Grade::Good, "No leakage found", because + caution)
    };
    Verdict { group: Group::Privacy, grade, answer: answer.into(), because }
}
