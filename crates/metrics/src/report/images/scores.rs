//! The scores of images, each with its name, reference and meaning.

use crate::image::copies::Copies;
use crate::image::utility::ImageUtility;
use crate::image::{ImageScores, Scores};
use crate::membership::Membership;
use crate::report::marks;
use crate::report::scores::{by_shadow_models, of_membership};
use crate::report::{Direction, Group, ReferenceFrom, Score};

/// One score and how it is read from the results.
struct Row {
    group: Group,
    id: &'static str,
    name: &'static str,
    direction: Direction,
    meaning: &'static str,
    get: fn(&Scores) -> Option<f64>,
    interval: fn(&Scores, &Counts) -> Option<[f64; 2]>,
}

/// Synthetic images behind scores.
struct Counts {
    all: usize,
    compared: usize,
    by_pixels: usize,
}

/// Wilson's 95 % interval of a share of so many images.
pub(super) fn of_share(share: f64, images: usize) -> [f64; 2] {
    const Z: f64 = 1.96;
    let count = images.max(1) as f64;
    let centre = (share + Z * Z / (2.0 * count)) / (1.0 + Z * Z / count);
    let half = Z / (1.0 + Z * Z / count) * (share * (1.0 - share) / count + (Z / (2.0 * count)).powi(2)).sqrt();
    [(centre - half).max(0.0), (centre + half).min(1.0)]
}

/// The interval of a mean over ten parts with this deviation, by Student's distribution with 9 degrees of freedom.
fn of_parts(mean: f64, deviation: f64) -> [f64; 2] {
    let half = 2.262 * deviation / 3.0;
    [mean - half, mean + half]
}

const NONE: fn(&Scores, &Counts) -> Option<[f64; 2]> = |_, _| None;
const FEW: &str = "neighbours need more than five images of each set";
const OTHER_CLASSES: &str = "the images have no classes, or the network knows others";

/// Scores of features, classes and memorization, in the order of the report.
const ROWS: [Row; 15] = [
    Row {
        group: Group::Fidelity,
        id: "frechet_distance",
        name: "Frechet distance",
        direction: Direction::Lower,
        meaning: "Distance between the means and covariances of the features; 0 is equal. With Inception's features this is FID. It is too high for few images, and the interval is around that; the reference is of as many holdout images as there are synthetic ones, or of all.",
        get: |scores| Some(scores.frechet_distance),
        interval: |scores, _| scores.frechet_interval,
    },
    Row {
        group: Group::Fidelity,
        id: "frechet_corrected",
        name: "Frechet distance without bias",
        direction: Direction::Lower,
        meaning: "The same less its bias, which is estimated by leaving out images; about 0 for equal distributions, by chance below, whatever the numbers of images.",
        get: |scores| scores.frechet_corrected.map(|found| found.value),
        interval: |scores, _| scores.frechet_corrected.map(|found| found.interval),
    },
    Row {
        group: Group::Fidelity,
        id: "kid",
        name: "Kernel distance (KID)",
        direction: Direction::Lower,
        meaning: "Maximum mean discrepancy of the features with a polynomial kernel; about 0 for equal distributions, also for few images.",
        get: |scores| Some(scores.kid),
        interval: |scores, _| scores.kid_interval,
    },
    Row {
        group: Group::Fidelity,
        id: "mind",
        name: "Sliced distance (MIND)",
        direction: Direction::Lower,
        meaning: "Distance of the features along random directions, by sorting; 0 is equal.",
        get: |scores| Some(scores.mind),
        interval: NONE,
    },
    Row {
        group: Group::Fidelity,
        id: "precision",
        name: "Precision",
        direction: Direction::Higher,
        meaning: "Share of synthetic images within the neighbourhoods of real images; measures plausibility.",
        get: |scores| scores.prdc.map(|prdc| prdc.precision),
        interval: |scores, counts| Some(of_share(scores.prdc?.precision, counts.compared)),
    },
    Row {
        group: Group::Fidelity,
        id: "recall",
        name: "Recall",
        direction: Direction::Higher,
        meaning: "Share of real images within the neighbourhoods of synthetic images; measures diversity.",
        get: |scores| scores.prdc.map(|prdc| prdc.recall),
        interval: |scores, counts| Some(of_share(scores.prdc?.recall, counts.compared)),
    },
    Row {
        group: Group::Fidelity,
        id: "density",
        name: "Density",
        direction: Direction::NearReference,
        meaning: "Like precision, but robust to outliers among the real images; well above the reference, the images are more typical than real ones.",
        get: |scores| scores.prdc.map(|prdc| prdc.density),
        interval: NONE,
    },
    Row {
        group: Group::Fidelity,
        id: "coverage",
        name: "Coverage",
        direction: Direction::Higher,
        meaning: "Share of real images with a synthetic image in their neighbourhood; a missing class lowers it by its share.",
        get: |scores| scores.prdc.map(|prdc| prdc.coverage),
        interval: |scores, counts| Some(of_share(scores.prdc?.coverage, counts.compared)),
    },
    Row {
        group: Group::Fidelity,
        id: "fine_detail",
        name: "Fine detail",
        direction: Direction::NearReference,
        meaning: "Power above a quarter of a cycle per pixel over that of real images of the same classes: below 1 the images are smoother.",
        get: |scores| scores.fine_detail.map(|found| found.value),
        interval: |scores, _| scores.fine_detail.map(|found| found.interval),
    },
    Row {
        group: Group::Fidelity,
        id: "finest_detail",
        name: "Finest detail",
        direction: Direction::NearReference,
        meaning: "The same above 7/16 of a cycle per pixel, where images have the least power and noise shows most.",
        get: |scores| scores.finest_detail.map(|found| found.value),
        interval: |scores, _| scores.finest_detail.map(|found| found.interval),
    },
    Row {
        group: Group::Fidelity,
        id: "classifier_score",
        name: "Classifier score",
        direction: Direction::NearReference,
        meaning: "Confidence and balance of the predicted classes, from 1 to the number of classes; mean over ten parts of the images. With Inception this is the Inception Score. It does not measure diversity within a class.",
        get: |scores| Some(scores.classifier_score),
        interval: |scores, counts| (counts.all >= 100).then(|| of_parts(scores.classifier_score, scores.classifier_score_deviation)),
    },
    Row {
        group: Group::Validity,
        id: "class_accuracy",
        name: "Class accuracy",
        direction: Direction::NearReference,
        meaning: "Share of images that are classified as the class they were generated for.",
        get: |scores| scores.class_accuracy,
        interval: |scores, counts| Some(of_share(scores.class_accuracy?, counts.all)),
    },
    Row {
        group: Group::Validity,
        id: "class_share_distance",
        name: "Class share distance",
        direction: Direction::Lower,
        meaning: "Half the sum of the differences between the shares of the predicted classes in both sets; a missing class raises it by its share.",
        get: |scores| scores.class_share_distance,
        interval: NONE,
    },
    Row {
        group: Group::Privacy,
        id: "memorised",
        name: "Memorized",
        direction: Direction::Lower,
        meaning: "Share of images that equal a training image, or whose distance to one is less than a third of the distance to any other, by pixels.",
        get: |scores| Some(scores.memorised),
        interval: |scores, counts| Some(of_share(scores.memorised, counts.by_pixels)),
    },
    Row {
        group: Group::Privacy,
        id: "nearest",
        name: "Distance to the closest training image",
        direction: Direction::NearReference,
        meaning: "Median; 0 is equal, 1 is black against white. Images with little detail are closer without being copies.",
        get: |scores| Some(scores.nearest),
        interval: |scores, _| Some(scores.nearest_interval),
    },
];

pub(super) fn of(found: &ImageScores, utility: Option<&ImageUtility>, membership: Option<&(usize, Membership)>) -> Vec<Score> {
    let mut list: Vec<Score> = Vec::new();
    let counts = Counts { all: found.images[1], compared: found.compared, by_pixels: found.compared_by_pixels[0] };
    let from = if found.reference.is_some() { ReferenceFrom::Holdout } else { ReferenceFrom::Ideal };
    for Row { group, id, name, direction, meaning, get, interval } in &ROWS {
        let value = get(&found.synthetic).filter(|value| value.is_finite());
        let why = match *id {
            "class_accuracy" | "class_share_distance" => OTHER_CLASSES,
            "frechet_corrected" => "it needs twice as many images of each set as the features are wide",
            "fine_detail" | "finest_detail" => "it needs images of eight rows and columns, and detail in the real ones",
            _ => FEW,
        };
        list.push(Score {
            interval: value.and_then(|_| interval(&found.synthetic, &counts)).filter(|ends| ends.iter().all(|end| end.is_finite())),
            id: (*id).into(),
            group: *group,
            name: (*name).into(),
            value,
            reference: found.reference.as_ref().and_then(get).filter(|value| value.is_finite()),
            reference_from: from,
            direction: *direction,
            mark: None,
            meaning: (*meaning).into(),
            undefined: value.is_none().then(|| why.into()),
        });
    }
    // Standard deviations over subsets or parts of the images.
    let deviation = |of: &str, name: &str, meaning: &str, get: fn(&Scores) -> f64, list: &mut Vec<Score>| {
        let place = list.iter().position(|score| score.id == of).unwrap_or(list.len());
        let deviation = Score {
            id: format!("{of}_deviation"),
            name: format!("{name}, deviation"),
            value: Some(get(&found.synthetic)),
            reference: found.reference.as_ref().map(get),
            interval: None,
            meaning: meaning.into(),
            direction: Direction::NearReference,
            ..list[place].clone()
        };
        list.insert(place + 1, deviation);
    };
    deviation(
        "kid",
        "Kernel distance",
        "Standard deviation of the kernel distance over 100 subsets.",
        |scores| scores.kid_deviation,
        &mut list,
    );
    deviation(
        "classifier_score",
        "Classifier score",
        "Standard deviation of the classifier score over ten parts.",
        |scores| scores.classifier_score_deviation,
        &mut list,
    );
    list.extend(utility.into_iter().flat_map(of_utility));
    for (by, closeness) in found.copies.iter().flat_map(Copies::closeness) {
        let how = format!("by the distance to the nearest synthetic image over that to the nearest other real images, in {by}");
        list.extend(of_membership(by, Ok(&closeness.membership), "images", &how));
    }
    list.extend(
        membership.into_iter().flat_map(|(models, found)| of_membership("shadow", Ok(found), "images", &by_shadow_models(*models))),
    );
    list
}

fn of_utility(utility: &ImageUtility) -> [Score; 2] {
    // The accuracy of a guess, as in the verdict.
    let floor = 1.0 / utility.class_names.len().max(2) as f64;
    let score = |id: &str, name: &str, value: f64, meaning: &str| Score {
        interval: None,
        id: id.into(),
        group: Group::Utility,
        name: name.into(),
        value: Some(value),
        reference: Some(utility.real.overall),
        reference_from: ReferenceFrom::TrainedOnReal,
        direction: Direction::Higher,
        mark: marks::kept([value, utility.real.overall, floor]),
        meaning: meaning.into(),
        undefined: None,
    };
    [
        score(
            "utility_accuracy",
            "Trained on synthetic: accuracy",
            utility.synthetic.overall,
            "Accuracy on the holdout of a classifier trained on synthetic images; the reference is trained on real images.",
        ),
        score(
            "utility_accuracy_both",
            "Trained on real and synthetic: accuracy",
            utility.both.overall,
            "The same of a classifier trained on both; above the reference, the synthetic images add information.",
        ),
    ]
}
