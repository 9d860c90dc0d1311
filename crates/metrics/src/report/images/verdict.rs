//! Three questions answered in plain words. The limits are judgement, written here and in docs/metrics.md, not law.

use super::super::verdict::{chance, find, keeps, verdict};
use super::super::{Grade, Score, Verdict};
use super::Trained;
use crate::bootstrap::Estimate;
use crate::image::ImageScores;
use crate::image::utility::ImageUtility;

pub(super) fn verdicts(scores: &[Score], found: &ImageScores, holdout: bool, trained: &Trained) -> Vec<Verdict> {
    let membership = trained.membership.as_ref().map(|(_, found)| found.auc);
    vec![looks(scores, holdout), works(trained.utility.as_ref()), gives_away(scores, found, holdout, membership)]
}

/// Precision, recall and coverage against the holdout's, and how many times the holdout's sliced distance there is: all of equally many
/// images.
fn looks(scores: &[Score], holdout: bool) -> Verdict {
    let question = "Does it look like the data?";
    let unknown = |because: &str| verdict(question, Grade::Unknown, "Not known", because.into());
    if !holdout {
        return unknown("That needs a holdout: what real images that the generator never saw score is the measure.");
    }
    let both = |id| {
        let (value, reference) = find(scores, id);
        value.zip(reference)
    };
    let (Some(precision), Some(recall), Some(coverage), Some((distance, real_distance))) =
        (both("precision"), both("recall"), both("coverage"), both("mind"))
    else {
        return unknown("There are too few images: more than five on each side are needed.");
    };
    let times = distance / real_distance.max(f64::MIN_POSITIVE);
    let share = |(value, reference): (f64, f64)| format!("{:.0} % (new real images: {:.0} %)", 100.0 * value, 100.0 * reference);
    let because = format!(
        "Among real images lie {} of the synthetic ones, among synthetic images {} of the real ones, and {} of the real ones have a synthetic one nearby. All in all they are {} as far from the real images as new real images are. Yes means at most 5 points less and at most 5 times as far, roughly 20 points and 50 times.",
        share(precision),
        share(recall),
        share(coverage),
        if times < 10.0 { format!("{times:.1} times") } else { format!("{times:.0} times") },
    );
    let lost = |(value, reference): (f64, f64)| reference - value;
    let within = |most: f64, far: f64| [precision, recall, coverage].into_iter().all(|both| lost(both) <= most) && times <= far;
    if within(0.05, 5.0) {
        verdict(question, Grade::Good, "Yes", because)
    } else if within(0.20, 50.0) {
        verdict(question, Grade::Fair, "Roughly", because)
    } else if lost(precision) <= 0.20 {
        verdict(question, Grade::Poor, "Single images do, but not all of the data is there", because)
    } else {
        verdict(question, Grade::Poor, "No", because)
    }
}

/// What a classifier trained on synthetic images keeps of what one trained on real images learns beyond always naming one class.
fn works(utility: Option<&ImageUtility>) -> Verdict {
    let question = "Does it work like the data?";
    let Some(utility) = utility else {
        let because = "No classifier was trained on the synthetic images; --utility trains three, if all images have classes.";
        return verdict(question, Grade::Unknown, "Not known", because.into());
    };
    let because = format!(
        "Of {} real images that none saw, a classifier that learnt from the synthetic images names {:.1} % rightly; from the real ones, {:.1} %; from both, {:.1} %. Yes means that 97 % of what is learnt beyond guessing is kept, mostly 85 %.",
        utility.tested,
        100.0 * utility.synthetic.overall,
        100.0 * utility.real.overall,
        100.0 * utility.both.overall,
    );
    let floor = 1.0 / utility.class_names.len().max(2) as f64;
    if utility.real.overall <= floor {
        let because = "Even a classifier that learnt from the real images does no better than guessing, so there is nothing to compare.";
        return verdict(question, Grade::Unknown, "Not known", because.into());
    }
    let (grade, answer) = keeps((utility.synthetic.overall - floor) / (utility.real.overall - floor));
    verdict(question, grade, answer, because)
}

/// Copies beyond what chance makes of the holdout's; whether images are much nearer to training images than the holdout is; and, where models
/// were trained for it, how well members are told, with the limits of tables.
fn gives_away(scores: &[Score], found: &ImageScores, holdout: bool, membership: Option<Estimate>) -> Verdict {
    let question = "Does it give anyone away?";
    let ((Some(memorised), Some(real_memorised)), (Some(nearest), Some(real_nearest)), true) =
        (find(scores, "memorised"), find(scores, "nearest"), holdout)
    else {
        return verdict(question, Grade::Unknown, "Not known", "That needs a holdout: real images that the generator never saw.".into());
    };
    let mut because = format!(
        "{:.2} % of the synthetic images are copies of a training image or nearly so (new real images: {:.2} %). Half of them are within {nearest:.3} of one (new real images: {real_nearest:.3}). Signs of it are more copies than chance makes of the new images' share; possibly means half as near as those or nearer.",
        100.0 * memorised,
        100.0 * real_memorised,
    );
    because += &membership.map_or_else(String::new, |auc| {
        format!(" By shadow models training images are told from held-out ones with an AUC of {:.2} (0.50 is guessing).", auc.value)
    });
    let known = membership.map_or(0.5, |auc| auc.interval[0]);
    if memorised - real_memorised > chance(real_memorised, found.held_against_real) || known > 0.6 {
        verdict(question, Grade::Poor, "Yes, there are signs of it", because)
    } else if nearest < 0.5 * real_nearest || known > 0.52 {
        verdict(question, Grade::Fair, "Possibly", because)
    } else {
        let caution = " This can find copies; it cannot prove that there are none, as shifted or turned ones are not seen.";
        verdict(question, Grade::Good, "No sign of it was found", because + caution)
    }
}
