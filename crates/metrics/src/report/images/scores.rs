//! The scores of images, each with its name, its reference and what it says.

use super::super::scores::membership::{how_shadows, of_membership};
use super::super::{Direction, Group, ReferenceFrom, Score};
use super::Trained;
use crate::image::utility::ImageUtility;
use crate::image::{ImageScores, Scores};

/// One score: what it is called, where better lies, what it says, and how it is found among the numbers.
struct Row {
    group: Group,
    id: &'static str,
    name: &'static str,
    direction: Direction,
    meaning: &'static str,
    get: fn(&Scores) -> Option<f64>,
}

const FEW: &str = "neighbours need more than five images on each side";
const OTHER_CLASSES: &str = "the images have no classes, or the network knows others";

/// What is measured of features, of classes and of memory, in the order of the table.
const ROWS: [Row; 12] = [
    Row {
        group: Group::Fidelity,
        id: "frechet_distance",
        name: "Frechet distance",
        direction: Direction::Lower,
        meaning: "How far apart means and spreads of the features are; 0 is equal. Known as FID with Inception's features. A few hundred images overstate it.",
        get: |scores| Some(scores.frechet_distance),
    },
    Row {
        group: Group::Fidelity,
        id: "kid",
        name: "Kernel distance (KID)",
        direction: Direction::Lower,
        meaning: "How far apart the features are by a polynomial kernel; about 0 for equal ones, also for few images.",
        get: |scores| Some(scores.kid),
    },
    Row {
        group: Group::Fidelity,
        id: "mind",
        name: "Sliced distance (MIND)",
        direction: Direction::Lower,
        meaning: "How far apart the features are along random directions, where sorting tells; 0 is equal.",
        get: |scores| Some(scores.mind),
    },
    Row {
        group: Group::Fidelity,
        id: "precision",
        name: "Precision",
        direction: Direction::Higher,
        meaning: "Share of synthetic images that lie where real ones lie: are they plausible?",
        get: |scores| scores.prdc.map(|prdc| prdc.precision),
    },
    Row {
        group: Group::Fidelity,
        id: "recall",
        name: "Recall",
        direction: Direction::Higher,
        meaning: "Share of real images that lie where synthetic ones lie: is everything there?",
        get: |scores| scores.prdc.map(|prdc| prdc.recall),
    },
    Row {
        group: Group::Fidelity,
        id: "density",
        name: "Density",
        direction: Direction::NearReference,
        meaning: "As precision, less easily fooled by an outlier among the real images; well above the reference, the images are plainer than real ones.",
        get: |scores| scores.prdc.map(|prdc| prdc.density),
    },
    Row {
        group: Group::Fidelity,
        id: "coverage",
        name: "Coverage",
        direction: Direction::Higher,
        meaning: "Share of real images with a synthetic one nearby; a class that never comes costs its share.",
        get: |scores| scores.prdc.map(|prdc| prdc.coverage),
    },
    Row {
        group: Group::Fidelity,
        id: "classifier_score",
        name: "Classifier score",
        direction: Direction::NearReference,
        meaning: "How surely, and how evenly over classes, the images are classified, from 1 to the number of classes; a mean over ten parts of the images. Known as the Inception Score with Inception. Blind to variety within a class.",
        get: |scores| Some(scores.classifier_score),
    },
    Row {
        group: Group::Validity,
        id: "class_accuracy",
        name: "Class accuracy",
        direction: Direction::NearReference,
        meaning: "Share of images that are classified as the class they were asked to be.",
        get: |scores| scores.class_accuracy,
    },
    Row {
        group: Group::Validity,
        id: "class_share_distance",
        name: "Class share distance",
        direction: Direction::Lower,
        meaning: "Half the total difference between how often each class is found on both sides; a class of a third that never comes costs 1/3.",
        get: |scores| scores.class_share_distance,
    },
    Row {
        group: Group::Privacy,
        id: "memorised",
        name: "Memorised",
        direction: Direction::Lower,
        meaning: "Share of images that equal a training image, or are nearer to one than a third of the distance to any other, by pixels.",
        get: |scores| Some(scores.memorised),
    },
    Row {
        group: Group::Privacy,
        id: "nearest",
        name: "Distance to the nearest training image",
        direction: Direction::NearReference,
        meaning: "Median; 0 is equal, 1 is black against white. Plain images are nearer than varied ones without being copies.",
        get: |scores| Some(scores.nearest),
    },
];

pub(super) fn of(found: &ImageScores, trained: &Trained) -> Vec<Score> {
    let mut list: Vec<Score> = Vec::new();
    let from = if found.reference.is_some() { ReferenceFrom::Holdout } else { ReferenceFrom::Ideal };
    for Row { group, id, name, direction, meaning, get } in &ROWS {
        let value = get(&found.synthetic).filter(|value| value.is_finite());
        let why = if ["class_accuracy", "class_share_distance"].contains(id) { OTHER_CLASSES } else { FEW };
        list.push(Score {
            interval: None,
            id: (*id).into(),
            group: *group,
            name: (*name).into(),
            value,
            reference: found.reference.as_ref().and_then(get).filter(|value| value.is_finite()),
            reference_from: from,
            direction: *direction,
            meaning: (*meaning).into(),
            undefined: value.is_none().then(|| why.into()),
        });
    }
    // What follows says how far parts of the images differ.
    let deviation = |of: &str, name: &str, meaning: &str, get: fn(&Scores) -> f64, list: &mut Vec<Score>| {
        let place = list.iter().position(|score| score.id == of).unwrap_or(list.len());
        let deviation = Score {
            id: format!("{of}_deviation"),
            name: format!("{name}, deviation"),
            value: Some(get(&found.synthetic)),
            reference: found.reference.as_ref().map(get),
            meaning: meaning.into(),
            direction: Direction::NearReference,
            ..list[place].clone()
        };
        list.insert(place + 1, deviation);
    };
    deviation("kid", "Kernel distance", "How much the kernel distance varies over 100 subsets.", |scores| scores.kid_deviation, &mut list);
    deviation(
        "classifier_score",
        "Classifier score",
        "How much the classifier score varies over ten parts.",
        |scores| scores.classifier_score_deviation,
        &mut list,
    );
    list.extend(trained.utility.iter().flat_map(of_utility));
    list.extend(
        trained.membership.iter().flat_map(|(shadows, found)| of_membership("shadow", Ok(found), "images", &how_shadows(*shadows))),
    );
    list
}

fn of_utility(utility: &ImageUtility) -> [Score; 2] {
    let score = |id: &str, name: &str, value: f64, meaning: &str| Score {
        interval: None,
        id: id.into(),
        group: Group::Utility,
        name: name.into(),
        value: Some(value),
        reference: Some(utility.real.overall),
        reference_from: ReferenceFrom::TrainedOnReal,
        direction: Direction::Higher,
        meaning: meaning.into(),
        undefined: None,
    };
    [
        score(
            "utility_accuracy",
            "Trained on synthetic: accuracy",
            utility.synthetic.overall,
            "Accuracy on real held-out images of a classifier that learnt from synthetic ones; the reference learnt from real ones.",
        ),
        score(
            "utility_accuracy_both",
            "Trained on real and synthetic: accuracy",
            utility.both.overall,
            "The same of one that learnt from both: above the reference, synthetic images add something.",
        ),
    ]
}
