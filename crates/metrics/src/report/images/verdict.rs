//! The verdicts on images.

use crate::bootstrap::Estimate;
use crate::image::ImageScores;
use crate::image::utility::ImageUtility;
use crate::report::verdict::{self, chance, find, not_assessed};
use crate::report::{Grade, Group, Score, Verdict};

pub(super) fn verdicts(
    scores: &[Score],
    found: &ImageScores,
    holdout: bool,
    utility: Option<&ImageUtility>,
    membership: Option<Estimate>,
) -> Vec<Verdict> {
    vec![fidelity(scores, holdout), of_utility(utility), privacy(scores, found, holdout, membership)]
}

/// Precision, recall and coverage against the holdout's, and the sliced distance as a multiple of the holdout's, all of equally many images.
fn fidelity(scores: &[Score], holdout: bool) -> Verdict {
    if !holdout {
        return not_assessed(
            Group::Fidelity,
            "Fidelity needs a holdout: the scores of real images outside the training set are its scale.",
        );
    }
    let both = |id| {
        let (value, reference) = find(scores, id);
        value.zip(reference)
    };
    let (Some(precision), Some(recall), Some(coverage), Some((distance, real_distance))) =
        (both("precision"), both("recall"), both("coverage"), both("mind"))
    else {
        return not_assessed(Group::Fidelity, "Too few images: at least six of each set are needed.");
    };
    let times = distance / real_distance.max(f64::MIN_POSITIVE);
    let share = |(value, reference): (f64, f64)| format!("{:.0} % (new real images: {:.0} %)", 100.0 * value, 100.0 * reference);
    let because = format!(
        "Precision {}, recall {}, coverage {}. The sliced distance to the real images is {} that of new real images.",
        share(precision),
        share(recall),
        share(coverage),
        if times < 10.0 { format!("{times:.1} times") } else { format!("{times:.0} times") },
    );
    let lost = |(value, reference): (f64, f64)| reference - value;
    let within = |most: f64, far: f64| [precision, recall, coverage].into_iter().all(|both| lost(both) <= most) && times <= far;
    if within(0.05, 5.0) {
        verdict::fidelity(Grade::Good, None, because)
    } else if within(0.20, 50.0) {
        verdict::fidelity(Grade::Fair, None, because)
    } else {
        let plausible = lost(precision) <= 0.20;
        verdict::fidelity(Grade::Poor, plausible.then_some("Plausible images, but parts of the data are missing"), because)
    }
}

/// Accuracy beyond that of always predicting one class.
fn of_utility(utility: Option<&ImageUtility>) -> Verdict {
    let Some(utility) = utility else {
        return not_assessed(
            Group::Utility,
            "No classifier was trained on the synthetic images; --utility trains three, if all images have classes.",
        );
    };
    let because = format!(
        "On {} holdout images, a classifier trained on the synthetic images has an accuracy of {:.1} %; trained on the real images, {:.1} %; on both, {:.1} %.",
        utility.tested,
        100.0 * utility.synthetic.overall,
        100.0 * utility.real.overall,
        100.0 * utility.both.overall,
    );
    let floor = 1.0 / utility.class_names.len().max(2) as f64;
    // The test images are the same, and the two accuracies vary about equally.
    let gain = utility.real.overall - floor;
    let deviation = |share: f64| (share * (1.0 - share) / utility.tested.max(1) as f64).sqrt();
    let value = (utility.synthetic.overall - floor) / gain;
    let half = 1.96 * deviation(utility.synthetic.overall).hypot(deviation(utility.real.overall)) / gain;
    verdict::utility((gain > 0.0).then_some(Estimate { value, interval: [value - half, value + half] }), because)
}

/// Memorized images beyond chance, the median distance to the closest training image, and membership inference by shadow models.
fn privacy(scores: &[Score], found: &ImageScores, holdout: bool, membership: Option<Estimate>) -> Verdict {
    let ((Some(memorized), Some(real_memorized)), (Some(nearest), Some(real_nearest)), true) =
        (find(scores, "memorised"), find(scores, "nearest"), holdout)
    else {
        return not_assessed(Group::Privacy, "Privacy needs a holdout: real images that are not in the generator's training set.");
    };
    let mut because = format!(
        "{:.2} % of the synthetic images are copies of a training image or nearly so (new real images: {:.2} %). The median distance to the closest training image is {nearest:.3} (new real images: {real_nearest:.3}).",
        100.0 * memorized,
        100.0 * real_memorized,
    );
    if let Some(auc) = membership {
        because += &format!(" Membership inference by shadow models reaches an AUC of {:.2} (0.50 is guessing).", auc.value);
    }
    let poor = memorized - real_memorized > chance(real_memorized, found.compared_by_pixels);
    let caution = " This check finds copies; it cannot prove that there are none, since shifted or rotated copies are not found.";
    verdict::privacy(poor, nearest < 0.5 * real_nearest, membership, because, caution)
}
