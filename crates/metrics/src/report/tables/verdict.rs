//! The verdicts on a table.

use super::limits::{DETECTED, PAIR, RELATIONS, REPEATED, SHAPES};
use super::looks::{ColumnLoss, GroupRelations, Looks};
use super::scores::Attacks;
use crate::report::leakage::{LEVEL, Tests};
use crate::report::verdict::{chance, fidelity, not_assessed, privacy, utility};
use crate::report::{Grade, Group, Score, Verdict};
use crate::table::identifying::{self, Identifying, What};
use crate::table::labels::Label;
use crate::table::privacy::Privacy;
use crate::table::utility::{Fairness, Gap, Utility};

pub(super) fn verdicts(scores: &[Score], looks: &Looks, utility: Option<&Utility>, leaks: &Leaks, holdout: bool) -> Vec<Verdict> {
    vec![of_fidelity(looks), of_utility(scores, utility, holdout), of_privacy(leaks, holdout)]
}

/// The worst of what was looked at: single columns, relations, whole rows, labels and groups.
fn of_fidelity(looks: &Looks) -> Verdict {
    let found = [of_columns(looks), of_relations(looks), of_rows(looks), of_labels_and_groups(looks)].concat();
    let poor = found.iter().any(|finding| finding.grade == Grade::Poor);
    let partly = found.iter().find(|finding| finding.grade == Grade::Fair);
    let (grade, answer) = match partly {
        _ if poor => (Grade::Poor, None),
        Some(finding) => (Grade::Fair, finding.answer),
        None => (Grade::Good, None),
    };
    let sentences: Vec<&str> = found.iter().map(|finding| finding.sentence.as_str()).collect();
    fidelity(grade, answer, sentences.join(" "))
}

/// What one look says.
#[derive(Clone)]
struct Finding {
    grade: Grade,
    /// The answer where this is the first that is found, if it is not the grade's own.
    answer: Option<&'static str>,
    sentence: String,
}

impl Finding {
    fn new(grade: Grade, sentence: String) -> Self {
        Self { grade, answer: None, sentence }
    }

    fn partly(answer: &'static str, sentence: String) -> Self {
        Self { grade: Grade::Fair, answer: Some(answer), sentence }
    }
}

fn of_columns(looks: &Looks) -> Vec<Finding> {
    let mut found = Vec::new();
    if looks.shape_loss > SHAPES[0] {
        let grade = if looks.shape_loss > SHAPES[1] { Grade::Poor } else { Grade::Fair };
        let sentence =
            format!("Single columns are less similar to the real ones than those of new rows, by {:.3} on average.", looks.shape_loss);
        found.push(Finding::new(grade, sentence));
    }
    if !looks.columns.is_empty() {
        found.push(Finding::partly("Similar to the real data, but for some columns", columns(looks)));
    }
    found
}

fn of_relations(looks: &Looks) -> Vec<Finding> {
    let Some(found) = &looks.relations else { return Vec::new() };
    let [low, high] = found.kept.interval;
    let lost = found.pairs.iter().filter(|pair| pair.kept() < PAIR).take(NAMED).map(|pair| pair.columns.join(" and "));
    let lost: Vec<String> = lost.collect();
    let grade = match high {
        high if high < RELATIONS[1] => Grade::Poor,
        high if high < RELATIONS[0] => Grade::Fair,
        _ => Grade::Good,
    };
    let worst = if lost.is_empty() || grade == Grade::Good { String::new() } else { format!(", fewest between {}", lost.join(", ")) };
    let share = |value: f64| 100.0 * value;
    let sentence = format!(
        "Of the relations between columns {:.0} % are kept ({:.0} to {:.0} %){worst}.",
        share(found.kept.value),
        share(low),
        share(high)
    );
    vec![Finding::new(grade, sentence)]
}

fn of_rows(looks: &Looks) -> Vec<Finding> {
    let mut found = Vec::new();
    if let Some(auc) = looks.detection {
        let [low, high] = auc.interval;
        let sentence = format!(
            "A classifier distinguishes synthetic from real rows with an AUC of {:.2} ({low:.2} to {high:.2}; 0.50 is guessing).",
            auc.value
        );
        found.push(match () {
            () if low > DETECTED => Finding::partly("Close column by column, not row by row", sentence),
            () if high < REPEATED => {
                Finding::partly("Rows repeat each other", sentence + " Below 0.50 rows of the two tables repeat each other.")
            }
            () => Finding::new(Grade::Good, sentence),
        });
    }
    if looks.repeats() {
        let [synthetic, real] = looks.repeated.map(|share| 100.0 * share);
        let sentence = format!("{synthetic:.1} % of the synthetic rows equal another synthetic row, of the real rows {real:.1} %.");
        found.push(Finding::partly("Rows repeat each other", sentence));
    }
    found
}

fn of_labels_and_groups(looks: &Looks) -> Vec<Finding> {
    let mut found = Vec::new();
    let named = |label: &Label| format!("`{}` of `{}` ({} real rows)", label.label, label.column, label.rows[0]);
    let dropped: Vec<String> = looks.dropped().take(NAMED).map(named).collect();
    if !dropped.is_empty() {
        let sentence = format!("Labels that do not occur: {}.", dropped.join(", "));
        found.push(Finding::partly("Similar to the real data, but labels are missing", sentence));
    }
    let named = |group: &GroupRelations| format!("`{}` of `{}` ({:.0} %)", group.label, group.column, 100.0 * group.kept.value);
    let broken: Vec<String> = looks.broken_groups().take(NAMED).map(named).collect();
    if !broken.is_empty() {
        let sentence = format!("Groups that lose relations between columns: {}.", broken.join(", "));
        found.push(Finding::partly("Similar to the real data, but not in every group", sentence));
    }
    found
}

/// The worst columns, with what they lose.
fn columns(looks: &Looks) -> String {
    let one = |column: &ColumnLoss| {
        let far = column.wasserstein.map_or_else(String::new, |far| format!(", Wasserstein distance {far:.3} of its range"));
        format!("`{}` ({:.2} less similar than new rows{far})", column.name, column.loss)
    };
    let named: Vec<String> = looks.columns.iter().take(NAMED).map(one).collect();
    let more = looks.columns.len().saturating_sub(NAMED);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("Columns whose distribution differs: {}{more}.", named.join(", "))
}

fn of_utility(scores: &[Score], found: Option<&Utility>, holdout: bool) -> Verdict {
    let measures = [("AUC", "utility_auc"), ("R2", "utility_r2")];
    let main = measures.into_iter().find_map(|(name, id)| Some((name, scores.iter().find(|score| score.id == id)?)));
    let Some((name, score)) = main else {
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
    let verdict = utility(found.and_then(|found| found.kept), because);
    match found {
        Some(found) => in_groups(verdict, found),
        None => verdict,
    }
}

/// The verdict with the groups of protected columns in which less is kept, or which predictions treat more differently.
fn in_groups(verdict: Verdict, found: &Utility) -> Verdict {
    let lost = found.groups.iter().filter(|group| group.is_lost());
    let lost = lost
        .map(|group| format!("`{}` of `{}` ({:.2}, trained on real rows {:.2})", group.label, group.column, group.synthetic, group.real));
    let lost: Vec<String> = lost.take(NAMED).collect();
    let wider =
        |fairness: &&Fairness| fairness.demographic_parity.is_wider() || fairness.equalized_odds.as_ref().is_some_and(Gap::is_wider);
    let wider: Vec<String> = found.fairness.iter().filter(wider).map(|of| format!("`{}`", of.column)).take(NAMED).collect();
    let mut because = verdict.because.clone();
    let mut answer = None;
    if !wider.is_empty() {
        answer = Some("As useful as real data, but less fair");
        because +=
            &format!(" Predictions treat the groups of {} more differently than those of a model trained on real rows.", wider.join(", "));
    }
    if !lost.is_empty() {
        answer = Some("As useful as real data, but not in every group");
        because += &format!(" Groups that are predicted worse: {}.", lost.join(", "));
    }
    match answer {
        Some(answer) if verdict.grade == Grade::Good => Verdict { grade: Grade::Fair, answer: answer.into(), because, ..verdict },
        _ => Verdict { because, ..verdict },
    }
}

/// What is found about leakage besides the scores.
pub(super) struct Leaks<'a> {
    pub(super) attacks: &'a Attacks,
    pub(super) privacy: &'a Privacy,
    pub(super) identifying: &'a [Identifying],
    /// With a holdout.
    pub(super) tests: Option<&'a Tests>,
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
    let bad: Vec<&Identifying> = leaks.identifying.iter().filter(|of| of.finding == identifying::Finding::Bad).collect();
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
    let (Some(holdout), &Some(closer), Some(tests)) = (holdout, closer_to_train, leaks.tests) else {
        return not_assessed(Group::Privacy, "Privacy needs a holdout: real rows that are not in the generator's training set.");
    };
    let found = tests.found();
    let mut because: String = found.iter().take(NAMED).map(|(test, _)| format!("{} ", test.sentence)).collect();
    if found.len() > NAMED {
        let more = found.len() - NAMED;
        because += &format!("{more} more {} found something; see the tests of leakage. ", if more == 1 { "test" } else { "tests" });
    }
    because += &format!(
        "{:.2} % of the synthetic rows equal a training row (new real rows: {:.2} %), and {:.1} % are closer to the training rows than to the holdout (without memorization: about 50 %).",
        100.0 * synthetic.copies,
        100.0 * holdout.copies,
        100.0 * closer
    );
    if let Some((name, outcome)) = leaks.attacks.strongest() {
        let [low, high] = outcome.interval.map(|end| 100.0 * end);
        because += &format!(" Of the attacks, \"{name}\" has the highest risk: {:.1} % ({low:.1} to {high:.1} %).", 100.0 * outcome.risk);
    }
    if let Some(auc) = leaks.attacks.membership_auc() {
        because += &format!(" Membership inference reaches an AUC of {:.2} (0.50 is guessing).", auc.value);
    }
    because += &format!(" {} tests were made, which together suspect an honest table once in {:.0} cases.", tests.0.len(), 1.0 / LEVEL);
    let worst = |grade: Grade| found.iter().any(|(_, other)| *other == grade);
    let verdict =
        privacy(worst(Grade::Poor), worst(Grade::Fair), because, " These checks can find leakage; they cannot prove that there is none.");
    if found.first().is_some_and(|(test, grade)| *grade == Grade::Poor && test.column.is_some()) {
        return Verdict { answer: "Identifying values come back".into(), ..verdict };
    }
    verdict
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
    let found = privacy(poor, fair, because, "");
    if found.grade != Grade::Good {
        return found;
    }
    let because = found.because + " More than a search for copies needs a holdout: real rows that are not in the generator's training set.";
    Verdict { grade: Grade::Unknown, answer: "No copies found, not assessed further".into(), because, ..found }
}
