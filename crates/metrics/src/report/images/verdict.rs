//! The verdicts on images.

use super::scores::of_share;
use crate::bootstrap::Estimate;
use crate::image::classes::ClassCounts;
use crate::image::utility::ImageUtility;
use crate::image::{Details, ImageScores, Scores};
use crate::report::leakage::{LEVEL, Tests};
use crate::report::verdict::{self, not_assessed};
use crate::report::{Cell, Grade, GridRow, Group, Section, Verdict};
use crate::significance::more_often;

pub(super) fn verdicts(details: &Details, names: &[String], utility: Option<&ImageUtility>, tests: Option<&Tests>) -> Vec<Verdict> {
    vec![fidelity(details, names), of_utility(utility), privacy(&details.scores, tests)]
}

/// The chance that a test of classes finds something among images of the same population.
const CLASS_LEVEL: f64 = 0.001;
/// A share of which less than this is left is missing.
const MISSING: f64 = 0.2;
/// A share of new real images below which a class that is much more frequent among synthetic images counts as invented.
const HARDLY: f64 = 0.02;
/// Shares that differ by this, or by this factor, matter.
const DIFFERENT: [f64; 2] = [0.05, 1.5];
/// Classes that the answer names.
const NAMED: usize = 4;
/// Losses of precision, recall and coverage against the holdout from which on an answer is fair, and poor.
const LOST: [f64; 2] = [0.05, 0.20];
/// The same of the sliced distance, as multiples of the holdout's.
const TIMES: [f64; 2] = [5.0, 50.0];
/// The same of fine detail: how many times less, or of the finest, how many times more.
const DETAIL: [f64; 2] = [1.25, 2.0];

/// What one look says.
struct Finding {
    grade: Grade,
    /// The answer where this is the first that is found, if it is not the grade's own.
    answer: Option<&'static str>,
    sentence: String,
}

/// The worst of what was looked at: detail, classes, and how features overlap.
fn fidelity(details: &Details, names: &[String]) -> Verdict {
    let Some(new) = &details.scores.reference else {
        return not_assessed(
            Group::Fidelity,
            "Fidelity needs a holdout: the scores of real images outside the training set are its scale.",
        );
    };
    let found = &details.scores.synthetic;
    let Some(overlap) = of_overlap(found, new, details.scores.compared) else {
        return not_assessed(Group::Fidelity, "Too few images: at least six of each set are needed.");
    };
    let mut findings: Vec<Finding> = of_detail(found, new).into_iter().collect();
    findings.extend(of_classes(&details.class_counts, names));
    findings.extend(of_accuracy(found, new, details.scores.images));
    findings.push(overlap);
    let worst = |grade: Grade| findings.iter().any(|finding| finding.grade == grade);
    let grade = [Grade::Poor, Grade::Fair].into_iter().find(|&grade| worst(grade)).unwrap_or(Grade::Good);
    // The first finding with an answer of its own explains the others; images that are far off for no such reason are different.
    let answer = findings.iter().filter(|finding| finding.grade != Grade::Good).find_map(|finding| finding.answer);
    let sentences: Vec<&str> = findings.iter().map(|finding| finding.sentence.as_str()).collect();
    verdict::fidelity(grade, answer.filter(|_| grade != Grade::Good), sentences.join(" "))
}

/// Precision, recall and coverage below the holdout's, as far as the interval of the difference tells, and the sliced distance as a multiple of the
/// holdout's, all of equally many images.
fn of_overlap(found: &Scores, new: &Scores, compared: usize) -> Option<Finding> {
    let (made, real) = (found.prdc?, new.prdc?);
    let parts =
        [("Precision", made.precision, real.precision), ("recall", made.recall, real.recall), ("coverage", made.coverage, real.coverage)];
    let times = found.mind / new.mind.max(f64::MIN_POSITIVE);
    let variance = |share: f64| share * (1.0 - share) / compared as f64;
    let lost = |(_, value, reference): &(&str, f64, f64)| reference - value - 1.96 * (variance(*value) + variance(*reference)).sqrt();
    let percent = |share: f64| format!("{:.0}", 100.0 * share);
    let sentence = |(name, value, reference): &(&str, f64, f64)| {
        let [low, high] = of_share(*value, compared).map(percent);
        format!("{name} {} % ({low} to {high} %; new real images: {} %)", percent(*value), percent(*reference))
    };
    let sentences: Vec<String> = parts.iter().map(sentence).collect();
    let times_text = if times < 10.0 { format!("{times:.1}") } else { format!("{times:.0}") };
    let sentence =
        format!("{}. The sliced distance to the real images is {times_text} times that of new real images.", sentences.join(", "));
    let beyond = |limit: usize| parts.iter().any(|part| lost(part) > LOST[limit]) || times > TIMES[limit];
    let plausible = lost(&parts[0]) <= LOST[1];
    Some(match () {
        () if beyond(1) => {
            Finding { grade: Grade::Poor, answer: plausible.then_some("Plausible images, but parts of the data are missing"), sentence }
        }
        () if beyond(0) => Finding { grade: Grade::Fair, answer: None, sentence },
        () => Finding { grade: Grade::Good, answer: None, sentence },
    })
}

/// Whether all images are smoother or noisier than real ones; nothing is said of images that are neither. Smoothing is looked for above a quarter of a
/// cycle per pixel, noise where images have the least power. The scale is the power of new real images.
fn of_detail(found: &Scores, new: &Scores) -> Option<Finding> {
    let finding = |made: Estimate, real: f64, factor: f64, [answer, word, above]: [&'static str; 3]| {
        let percent = |share: f64| format!("{:.0}", 100.0 * share);
        let [low, high] = made.interval.map(percent);
        let sentence = format!(
            "The images are {word} than real ones: power above {above} cycles per pixel is {} % ({low} to {high} %) of that of the real images (new real images: {} %).",
            percent(made.value),
            percent(real)
        );
        let grade = if factor > DETAIL[1] { Grade::Poor } else { Grade::Fair };
        (factor > DETAIL[0]).then_some(Finding { grade, answer: Some(answer), sentence })
    };
    let (fine, fine_of_new) = (found.fine_detail?, new.fine_detail?);
    let smoother = || {
        let factor = fine_of_new.value / fine.interval[1];
        finding(fine, fine_of_new.value, factor, ["Smoother than the real images", "smoother", "0.25"])
    };
    let noisier = || {
        let (made, real) = (found.finest_detail?, new.finest_detail?.value);
        finding(made, real, made.interval[0] / real, ["Noisier than the real images", "noisier", "0.4375"])
    };
    noisier().or_else(smoother)
}

/// Classes that are missing, invented, rarer or more frequent than among new real images, without the classifier's mistakes; the shares that are named
/// are those that it predicts.
fn of_classes(counts: &[ClassCounts], names: &[String]) -> Option<Finding> {
    let level = CLASS_LEVEL / counts.len().max(1) as f64;
    let significant = || counts.iter().filter(|found| found.p_value < level);
    let listed = |what: &str, is: &dyn Fn(f64, f64) -> bool| {
        let mut list: Vec<&ClassCounts> =
            significant().filter(|found| is(found.adjusted_shares()[0], found.adjusted_shares()[1])).collect();
        list.sort_by(|a, b| a.p_value.total_cmp(&b.p_value).then(a.class.cmp(&b.class)));
        let one = |found: &&ClassCounts| {
            let [made, real] = found.shares().map(|share| 100.0 * share);
            format!("`{}` ({made:.1} % of the synthetic images, {real:.1} % of new real ones)", names[found.class])
        };
        let named: Vec<String> = list.iter().take(NAMED).map(one).collect();
        let more = list.len().saturating_sub(NAMED);
        let rest = if more > 0 { format!(" and {more} more") } else { String::new() };
        (!named.is_empty()).then(|| format!("{what}: {}{rest}.", named.join(", ")))
    };
    let missing = |made: f64, real: f64| made < MISSING * real;
    let invented = |made: f64, real: f64| missing(real, made) && real < HARDLY;
    let differs = |small: f64, large: f64| large - small > DIFFERENT[0] || large > DIFFERENT[1] * small;
    let lost = listed("Classes that are missing", &|made, real| missing(made, real));
    let unknown = listed("Classes that new real images hardly have", &invented);
    let rarer = listed("Rarer classes", &|made, real| !missing(made, real) && made < real && differs(made, real));
    let more = listed("More frequent classes", &|made, real| !invented(made, real) && real < made && differs(real, made));
    let answer = match () {
        () if lost.is_some() => "Similar to the real data, but a class is missing",
        () if unknown.is_some() => "Similar to the real data, but a class is invented",
        () => "Similar to the real data, but class shares differ",
    };
    let sentences: Vec<String> = [lost, unknown, rarer, more].into_iter().flatten().collect();
    let found = Finding { grade: Grade::Fair, answer: Some(answer), sentence: sentences.join(" ") };
    (!sentences.is_empty()).then_some(found)
}

/// Images that are not of the class they were made for.
fn of_accuracy(found: &Scores, new: &Scores, [_, synthetic, holdout]: [usize; 3]) -> Option<Finding> {
    let (made, real) = (found.class_accuracy?, new.class_accuracy?);
    let wrong = |share: f64, of: usize| [((1.0 - share) * of as f64).round() as usize, of];
    let differs = more_often(wrong(made, synthetic), wrong(real, holdout)) < CLASS_LEVEL && real - made > DIFFERENT[0];
    let sentence = format!(
        "{:.1} % of the images are classified as the class that they were made for (new real images: {:.1} %).",
        100.0 * made,
        100.0 * real
    );
    differs.then_some(Finding { grade: Grade::Fair, answer: Some("Similar to the real data, but classes are mixed up"), sentence })
}

/// Accuracy beyond that of always predicting one class.
fn of_utility(utility: Option<&ImageUtility>) -> Verdict {
    let Some(utility) = utility else {
        return not_assessed(
            Group::Utility,
            "No classifier was trained on the synthetic images; --utility trains three, if all images have classes.",
        );
    };
    let percent = |share: f64| {
        let [low, high] = of_share(share, utility.tested).map(|end| 100.0 * end);
        format!("{:.1} % ({low:.1} to {high:.1} %)", 100.0 * share)
    };
    let because = format!(
        "On {} holdout images, a classifier trained on the synthetic images has an accuracy of {}; trained on the real images, {}; on both, {}.",
        utility.tested,
        percent(utility.synthetic.overall),
        percent(utility.real.overall),
        percent(utility.both.overall),
    );
    let floor = 1.0 / utility.class_names.len().max(2) as f64;
    // The test images are the same, and the two accuracies vary about equally.
    let gain = utility.real.overall - floor;
    let deviation = |share: f64| (share * (1.0 - share) / utility.tested.max(1) as f64).sqrt();
    let value = (utility.synthetic.overall - floor) / gain;
    let error = deviation(utility.synthetic.overall).hypot(deviation(utility.real.overall)) / gain;
    verdict::utility((gain > 0.0).then(|| Estimate::around(value, error)), because)
}

/// Of this share of copies on, the images are a copy.
const MOST_COPIES: f64 = 0.9;

/// What the tests of leakage found.
fn privacy(scores: &ImageScores, tests: Option<&Tests>) -> Verdict {
    let (Some(tests), Some(copies)) = (tests, &scores.copies) else {
        return not_assessed(Group::Privacy, "Privacy needs a holdout: real images that are not in the generator's training set.");
    };
    let found = tests.found();
    let mut because: String = found.iter().take(NAMED).map(|(test, _)| format!("{} ", test.sentence)).collect();
    if found.len() > NAMED {
        let more = found.len() - NAMED;
        because += &format!("{more} more {} found something; see the tests of leakage. ", if more == 1 { "test" } else { "tests" });
    }
    let [made, new] = copies.memorised.map(|[hits, of]| hits as f64 / of.max(1) as f64);
    let [low, high] = of_share(made, copies.memorised[0][1]).map(|end| 100.0 * end);
    because += &format!(
        "{:.2} % ({low:.2} to {high:.2} %) of the synthetic images equal a training image or nearly so, by pixels (new real images: {:.2} %).",
        100.0 * made,
        100.0 * new
    );
    let auc = copies.features.membership.auc;
    because += &format!(
        " Membership inference by features reaches an AUC of {:.2} ({:.2} to {:.2}; 0.50 is guessing).",
        auc.value, auc.interval[0], auc.interval[1]
    );
    because += &format!(" {} tests were made, which together suspect honest images once in {:.0} cases.", tests.0.len(), 1.0 / LEVEL);
    let worst = |grade: Grade| found.iter().any(|(_, other)| *other == grade);
    let caution = " These checks can find leakage; they cannot prove that there is none.";
    let verdict = verdict::privacy(worst(Grade::Poor), worst(Grade::Fair), because, caution);
    if made >= MOST_COPIES && made - new > 0.5 {
        return Verdict { grade: Grade::Poor, answer: "Gives everyone away".into(), ..verdict };
    }
    verdict
}

/// The rules of the answers, with where they come from.
pub(super) fn limits() -> Section {
    let row = |name: &str, rule: String, from: &str| GridRow { name: name.into(), cells: vec![Cell::Text(rule), Cell::Text(from.into())] };
    let percent = |share: f64| format!("{:.0} %", 100.0 * share);
    let rows = vec![
        row(
            "Fidelity: overlap",
            format!(
                "Precision, recall or coverage below the holdout's by more than {} (fair), {} (poor), by the lower end of the interval of the difference; or the sliced distance above {} (fair), {} (poor) times the holdout's",
                percent(LOST[0]),
                percent(LOST[1]),
                TIMES[0],
                TIMES[1]
            ),
            "our judgement",
        ),
        row(
            "Fidelity: detail",
            format!(
                "Power above 0.25 cycles per pixel below 1/{} (fair), 1/{} (poor) of the holdout's; power above 0.4375 cycles per pixel above {} (fair), {} (poor) times the holdout's; by the end of the interval that is nearer to it",
                DETAIL[0], DETAIL[1], DETAIL[0], DETAIL[1]
            ),
            "our judgement",
        ),
        row(
            "Fidelity: classes",
            format!(
                "A predicted class whose share differs from the holdout's by a chance below {CLASS_LEVEL} over all classes (Fisher's exact test), by {} or {} times (fair); missing if less than {} of the share is left, invented if the holdout has less than that and below {}",
                percent(DIFFERENT[0]),
                DIFFERENT[1],
                percent(MISSING),
                percent(HARDLY)
            ),
            "the test: Fisher 1922; the limits: our judgement",
        ),
        row(
            "Utility",
            "Less than 97 % (fair), 85 % (poor) of the gain over a guess is kept, by the upper end of the interval".into(),
            "our judgement",
        ),
        row(
            "Privacy",
            format!(
                "A test of leakage with a chance below {LEVEL}, all tests counted, and an effect of 0.05 % (fair), 0.2 % (poor) of the images; 1 %, 5 % more images closer to training images; an AUC of 0.52, 0.58"
            ),
            "the chance: exchangeability of training and holdout images; the limits: our judgement",
        ),
    ];
    Section::limits(rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(class: usize, images: [usize; 2], p_value: f64) -> ClassCounts {
        ClassCounts { class, images, of: [1000, 1000], p_value, rates: None }
    }

    #[test]
    fn classes_are_missing_invented_rarer_or_more_frequent() {
        let names = ["a", "b", "c", "d", "e"].map(String::from);
        let found = of_classes(
            &[
                counts(0, [2, 100], 1e-20),
                counts(1, [90, 5], 1e-9),
                counts(2, [100, 190], 1e-6),
                counts(3, [200, 120], 1e-6),
                counts(4, [1, 20], 0.01),
            ],
            &names,
        )
        .unwrap();
        let expected = "Classes that are missing: `a` (0.2 % of the synthetic images, 10.0 % of new real ones). Classes that new real images hardly have: `b` (9.0 % of the synthetic images, 0.5 % of new real ones). Rarer classes: `c` (10.0 % of the synthetic images, 19.0 % of new real ones). More frequent classes: `d` (20.0 % of the synthetic images, 12.0 % of new real ones).";
        assert_eq!(found.sentence, expected);
        assert_eq!(found.answer, Some("Similar to the real data, but a class is missing"));
        // What real images have, too, is not invented.
        let found = of_classes(&[counts(0, [900, 100], 1e-20)], &names).unwrap();
        assert!(found.sentence.starts_with("More frequent classes: `a` (90.0 %"), "{}", found.sentence);
        assert!(of_classes(&[counts(0, [95, 100], 1e-9), counts(1, [2, 100], 1e-3)], &names).is_none());
    }
}
