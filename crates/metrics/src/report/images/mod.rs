//! The evaluation of images.

mod evidence;
mod pairs;
mod scores;
mod sections;
mod sheets;
mod verdict;

use semblant_data::image::Images;

use super::{FORMAT, Report, Sources, marks};
use crate::Result;
use crate::image::extractor::FeatureExtractor;
use crate::image::utility::ImageUtility;
use crate::image::{ImageScores, evaluate_in_detail};
use crate::membership::Membership;

pub use pairs::report_pairs;

/// How to evaluate images.
#[derive(Clone)]
pub struct ImageEvaluation<'a> {
    /// The network whose features are compared.
    pub extractor: &'a dyn FeatureExtractor,
    /// The result of [`image_utility`](crate::image::utility::image_utility), if it was run.
    pub utility: Option<ImageUtility>,
    /// The number of shadow models and the result of [`by_shadows`](crate::image::shadow::by_shadows), if it was run.
    pub membership: Option<(usize, Membership)>,
    /// Draws the images that are compared, and the directions of the sliced distance.
    pub seed: u64,
    /// Names of the sets of images, the model and the date, for the report; counts are filled in.
    pub sources: Sources,
}

impl<'a> ImageEvaluation<'a> {
    /// With this extractor, seed 0, and without networks trained for utility or membership inference.
    pub fn new(extractor: &'a dyn FeatureExtractor) -> Self {
        Self { extractor, utility: None, membership: None, seed: 0, sources: Sources::default() }
    }
}

/// Compares `synthetic` images with `real` ones, the training set of their generator, and with a `holdout` of real images outside the training
/// set; `stage` receives the name of each stage as it starts.
///
/// # Errors
/// As [`evaluate_images`](crate::image::evaluate_images).
pub fn report_images(
    real: &Images,
    synthetic: &Images,
    holdout: Option<&Images>,
    evaluation: &ImageEvaluation,
    stage: &mut dyn FnMut(&str),
) -> Result<Report> {
    let ImageEvaluation { extractor, utility, membership, seed, sources } = evaluation;
    let details = evaluate_in_detail(real, synthetic, holdout, *extractor, *seed, stage)?;
    let found = &details.scores;
    let mut scores = scores::of(found, utility.as_ref(), membership.as_ref());
    let [searched, new] = found.compared_by_pixels;
    marks::set(&mut scores, [searched, new]);
    stage("figures");
    let tests = found.copies.as_ref().map(|copies| evidence::Tests::new(copies, membership.as_ref().map(|(_, found)| found)));
    let names = extractor.class_names();
    let sections = [
        Some(sections::reading()),
        Some(sections::sheets(real, synthetic, *seed)?),
        Some(sections::settings(found, utility.as_ref())),
        Some(verdict::limits()),
        tests.as_ref().map(evidence::Tests::section),
        sections::classes(names, &details.classes),
        sections::class_counts(names, &details.class_counts),
        sections::spectrum(&details.power),
        utility.as_ref().map(sections::utility),
        sections::scatter([&details.features[0], &details.features[1]], extractor.width(), *seed),
        Some(sections::closest(real, synthetic, &details.closest)?),
    ];
    Ok(Report {
        format: FORMAT,
        kind: "images".into(),
        sources: sources.filled("images", description(real), [real.count(), synthetic.count()], holdout.map(Images::count)),
        seed: *seed,
        verdicts: verdict::verdicts(&details, names, utility.as_ref(), tests.as_ref()),
        scores,
        sections: sections.into_iter().flatten().collect(),
        notes: notes(found, holdout.is_some(), !names.is_empty()),
    })
}

fn description(images: &Images) -> String {
    let channels = match images.channels() {
        1 => "grey".to_owned(),
        3 => "colour".to_owned(),
        other => format!("{other} channels"),
    };
    format!("{} x {} pixels, {channels}", images.height(), images.width())
}

fn notes(found: &ImageScores, holdout: bool, classes: bool) -> Vec<String> {
    let [real, synthetic, with_holdout] = found.images;
    let mut notes = Vec::new();
    if !holdout {
        notes.push(
            "Without a holdout there are no references: real images outside the training set show what a perfect generator would score."
                .into(),
        );
    }
    if found.compared < real.max(synthetic).max(with_holdout) {
        notes.push(format!(
            "MIND, precision, recall, density and coverage compare {} images of each set, drawn by the seed, because they depend on the count.",
            found.compared
        ));
    }
    let [compared, _] = found.compared_by_pixels;
    if compared < synthetic {
        notes.push(format!("{compared} of {synthetic} synthetic images were searched for copies; copies among the others are not found."));
    }
    if !classes {
        notes.push(
            "The network knows other classes than the images have, so that no missing class is found; --features classifier:FILE does."
                .into(),
        );
    }
    notes.push("The search for copies finds copies with noise, blur or another brightness, and copies moved by up to a pixel. Copies that were rotated, mirrored, cropped or moved further may not be found. Passing is no guarantee; only training with differential privacy gives one.".into());
    notes.push("Scores made with another network, resizing method or number of images are not comparable with these.".into());
    notes
}
