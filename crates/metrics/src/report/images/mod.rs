//! The report on synthetic images.

mod html;
mod pictures;
mod scores;
mod verdict;

use semblant_data::image::Images;
use serde::{Deserialize, Serialize};

use super::{FORMAT, Scatter, Score, Verdict, pca};
use crate::Result;
use crate::image::extractor::{FeatureExtractor, Provenance};
use crate::image::utility::ImageUtility;
use crate::image::{Judged, judge};
use crate::membership::Membership;
pub use pictures::Pictures;

/// Everything that was found in synthetic images. It is derived from real ones, and the page shows some of them: share it as you would share
/// those.
///
/// As JSON every field stands under its own name, scores in a fixed order; a number that does not exist is null. The pictures are on the
/// page only.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ImageReport {
    /// [`FORMAT`].
    pub format: u32,
    /// What the sets are called, where whoever asked said so: file, folder or data set and part, so that the split is known.
    pub sources: Option<Sources>,
    /// How many images were looked at.
    pub images: Counts,
    /// Channels, rows and columns of each image.
    pub shape: [usize; 3],
    /// Draws the images that are compared, and the directions of the sliced distance.
    pub seed: u64,
    /// What the images were looked at with: no number without it.
    pub features: Provenance,
    /// Images of each side behind `mind`, `precision`, `recall`, `density` and `coverage`: equally many, as these move with the count.
    pub compared: usize,
    /// Synthetic and holdout images that were held against every real one, for `memorised` and `nearest`.
    pub held_against_real: [usize; 2],
    /// Plain answers to three questions.
    pub verdicts: Vec<Verdict>,
    /// The scores.
    pub scores: Vec<Score>,
    /// How often each class was found; empty where the network knows others than the images'.
    pub classes: Vec<ClassShare>,
    /// What classifiers learn from either side, where that was asked for.
    pub utility: Option<ImageUtility>,
    /// The attack on membership by shadow models, where models were trained for it.
    pub membership_shadow: Option<Membership>,
    /// The synthetic images that are most like one training image and no other: the smallest share of the distance to the second nearest
    /// first.
    pub closest: Vec<Closest>,
    /// Features of both sides in the plane of the real ones' first two principal components.
    pub scatter: Option<Scatter>,
    /// What a reader should know: what was left out or cut.
    pub notes: Vec<String>,
    /// What the page shows of the images themselves.
    #[serde(skip)]
    pub pictures: Pictures,
}

/// Names of the sets of images.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sources {
    /// Of the real ones.
    pub real: String,
    /// Of the synthetic ones.
    pub synthetic: String,
    /// Of the holdout, if there is one.
    pub holdout: Option<String>,
}

/// Counts of images.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Real ones, which the generator was trained on.
    pub real: usize,
    /// Synthetic ones.
    pub synthetic: usize,
    /// Real ones that it never saw, if there are any.
    pub holdout: Option<usize>,
}

/// How often a class was found by the classifier.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClassShare {
    /// Its name.
    pub class: String,
    /// The share of the real images.
    pub real: f64,
    /// The share of the synthetic ones.
    pub synthetic: f64,
}

/// A synthetic image and the training image that it is nearest to.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Closest {
    /// Its place among the synthetic images.
    pub synthetic: usize,
    /// The training image's place among the real ones.
    pub real: usize,
    /// How far apart they are: root mean squared difference of pixels, 0 equal, 1 black against white.
    pub distance: f64,
    /// How far the second nearest training image is.
    pub second: f64,
}

/// Synthetic images that are shown beside what they are nearest to.
const CLOSEST: usize = 12;
/// Points of either side in the scatter plot.
const POINTS: usize = 500;

/// What was found with networks that were trained for it, where that was asked for.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Trained {
    /// By [`image_utility`](crate::image::utility::image_utility).
    pub utility: Option<ImageUtility>,
    /// By [`by_shadows`](crate::image::shadow::by_shadows), and how many models that took.
    pub membership: Option<(usize, Membership)>,
}

/// Measures `synthetic` images against `real` ones, which their generator was trained on, and against a `holdout` of real images that it never
/// saw, through `extractor`; `stage` hears what is done next.
///
/// # Errors
/// As [`evaluate_images`](crate::image::evaluate_images).
pub fn report_images(
    real: &Images,
    synthetic: &Images,
    holdout: Option<&Images>,
    extractor: &dyn FeatureExtractor,
    trained: Trained,
    seed: u64,
    stage: &mut dyn FnMut(&str),
) -> Result<ImageReport> {
    let Judged { scores: found, found: classes, features, nearest } = judge(real, synthetic, holdout, extractor, seed, stage)?;
    let scores = scores::of(&found, &trained);
    stage("figures");
    let closest: Vec<Closest> = nearest
        .iter()
        .take(CLOSEST)
        .map(|&(synthetic, found)| Closest { synthetic, real: found.training, distance: found.distance, second: found.second })
        .collect();
    let points = pca::of_features([&features[0], &features[1]], extractor.width(), POINTS, seed);
    let [channels, height, width] = [real.channels(), real.height(), real.width()];
    Ok(ImageReport {
        format: FORMAT,
        sources: None,
        images: Counts { real: real.count(), synthetic: synthetic.count(), holdout: holdout.map(Images::count) },
        shape: [channels, height, width],
        seed,
        compared: found.compared,
        held_against_real: found.held_against_real,
        verdicts: verdict::verdicts(&scores, &found, holdout.is_some(), &trained),
        scores,
        classes: class_shares(extractor.class_names(), &classes),
        utility: trained.utility,
        membership_shadow: trained.membership.map(|(_, found)| found),
        scatter: points.map(|[real, synthetic]| Scatter { real, synthetic }),
        notes: notes(&found, holdout.is_some()),
        features: found.features,
        pictures: Pictures::of(real, synthetic, &closest, seed)?,
        closest,
    })
}

fn class_shares(names: &[String], found: &[Vec<u32>; 2]) -> Vec<ClassShare> {
    let share = |found: &[u32], class: usize| found.iter().filter(|&&other| other as usize == class).count() as f64 / found.len() as f64;
    let one = |(class, name): (usize, &String)| ClassShare {
        class: name.clone(),
        real: share(&found[0], class),
        synthetic: share(&found[1], class),
    };
    names.iter().enumerate().map(one).collect()
}

fn notes(found: &crate::image::ImageScores, holdout: bool) -> Vec<String> {
    let [real, synthetic, with_holdout] = found.images;
    let mut notes = Vec::new();
    if !holdout {
        notes.push("There is no holdout, so there is nothing to hold the numbers against: real images that the generator never saw show what a perfect generator would get.".into());
    }
    if found.compared < real.min(synthetic) || found.compared < real.max(synthetic).max(with_holdout) {
        notes.push(format!(
            "MIND, precision, recall, density and coverage compare {} images of each side, drawn by the seed: they move with the count.",
            found.compared
        ));
    }
    let [held, _] = found.held_against_real;
    if held < synthetic {
        notes.push(format!("Memory was looked for in {held} of {synthetic} synthetic images; copies among the others are not seen."));
    }
    notes.push("Copies are looked for pixel by pixel: a copy that was shifted, turned or recoloured is not found. Passing is no guarantee; only training with differential privacy proves anything.".into());
    notes.push(
        "Numbers made with another network, another way of resizing or another number of images cannot be compared with these.".into(),
    );
    notes
}

impl ImageReport {
    /// The score with this id.
    pub fn score(&self, id: &str) -> Option<&Score> {
        self.scores.iter().find(|score| score.id == id)
    }

    /// The report as JSON, the same bytes for the same report.
    ///
    /// # Errors
    /// None that are known; serialisation is fallible by type.
    pub fn to_json(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string_pretty(self)
    }

    /// The report as one HTML page that needs no other file, no script and no network.
    pub fn to_html(&self) -> String {
        html::page(self)
    }
}
