//! Metrics of synthetic images: fidelity, utility and memorization.

pub mod classes;
pub mod classifier;
pub mod distances;
pub mod extractor;
pub mod frechet;
pub mod inception;
pub mod memorization;
pub mod paired;
pub mod prdc;
pub mod resize;
pub mod shadow;
pub mod utility;
mod weights;

use semblant_data::image::Images;
use serde::Serialize;

use crate::random::subsample;
use crate::{Error, Result};
use classes::{class_share_distance, classifier_score_of_parts};
use distances::{kernel_distance, sliced_distance};
use extractor::{Extracted, FeatureExtractor, Provenance, accuracy};
use frechet::{Moments, frechet_distance};
use memorization::{Nearest, nearest, summary};
use prdc::{DENSITY_NEIGHBOURS, Neighborhoods, Prdc};

/// Most images of each set for precision, recall, density, coverage and the sliced distance, whose cost is quadratic.
pub const MOST_COMPARED: usize = 10_000;
/// Most synthetic or holdout images that are compared with every real image by pixels.
pub const MOST_COMPARED_BY_PIXELS: usize = 4_000;

/// The scores of synthetic images, with the settings they depend on.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ImageScores {
    /// Of the synthetic images; in JSON its fields are at the top level.
    #[serde(flatten)]
    pub synthetic: Scores,
    /// Of the holdout in place of the synthetic images.
    pub reference: Option<Scores>,
    /// Numbers of real, synthetic and holdout images.
    pub images: [usize; 3],
    /// Images of each set, drawn by the seed, behind `precision`, `recall`, `density`, `coverage` and `mind`: the same number for all sets,
    /// since these scores depend on it.
    pub compared: usize,
    /// Synthetic and holdout images behind `memorised` and `nearest`; each was compared with every real image.
    pub compared_by_pixels: [usize; 2],
    /// Draws the images and the directions.
    pub seed: u64,
    /// The network that made the features.
    pub features: Provenance,
}

/// The scores of one set of images against the real images.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Scores {
    /// The share of images that are classified as their own class, 0 to 1; none without classes.
    pub class_accuracy: Option<f64>,
    /// [`class_share_distance`] between the predicted classes of this set and of the real images; none if the extractor has other classes.
    pub class_share_distance: Option<f64>,
    /// [`classifier_score_of_parts`].
    pub classifier_score: f64,
    /// Its standard deviation over the parts.
    pub classifier_score_deviation: f64,
    /// [`frechet_distance`] of the features of all images; biased upwards for a few hundred images.
    pub frechet_distance: f64,
    /// [`kernel_distance`] of the features.
    pub kid: f64,
    /// Its standard deviation over subsets.
    pub kid_deviation: f64,
    /// [`sliced_distance`] of the features.
    pub mind: f64,
    /// [`Prdc`] of the features; none with fewer than six images in a set.
    #[serde(flatten)]
    pub prdc: Option<Prdc>,
    /// [`memorization::Memorization::memorised`].
    pub memorised: f64,
    /// [`memorization::Memorization::nearest`].
    pub nearest: f64,
}

/// Compares `synthetic` with `real` and, if there is one, `holdout` with `real`. `seed` draws the subsamples.
///
/// # Errors
/// [`Error::Images`] for images of another size than the extractor's; [`Error::Undefined`] for fewer than two images in a set.
pub fn evaluate_images(
    real: &Images,
    synthetic: &Images,
    holdout: Option<&Images>,
    extractor: &dyn FeatureExtractor,
    seed: u64,
) -> Result<ImageScores> {
    Ok(evaluate_in_detail(real, synthetic, holdout, extractor, seed, &mut |_| {})?.scores)
}

/// Scores, and the intermediate results that a report shows.
pub(crate) struct Details {
    pub(crate) scores: ImageScores,
    /// Predicted classes of the real and the synthetic images.
    pub(crate) classes: [Vec<u32>; 2],
    /// Features of the compared real and synthetic images, `[compared, width]`.
    pub(crate) features: [Vec<f32>; 2],
    /// Indices of synthetic images with their closest training image, ascending by [`Nearest::ratio`].
    pub(crate) closest: Vec<(usize, Nearest)>,
}

/// See [`evaluate_images`]; `stage` receives the name of each stage as it starts.
pub(crate) fn evaluate_in_detail(
    real: &Images,
    synthetic: &Images,
    holdout: Option<&Images>,
    extractor: &dyn FeatureExtractor,
    seed: u64,
    stage: &mut dyn FnMut(&str),
) -> Result<Details> {
    let sets = [Some(real), Some(synthetic), holdout];
    let compared = sets.iter().flatten().map(|images| images.count()).min().unwrap_or(0).min(MOST_COMPARED);
    let mut evaluator = Evaluator { extractor, compared, seed, stage };
    let real = evaluator.extract(real, (0, "real"))?;
    let neighborhoods =
        (compared > DENSITY_NEIGHBOURS).then(|| Neighborhoods::new(&real.compared, extractor.width(), extractor.device())).transpose()?;
    let (scores, features, mut closest) = evaluator.scores(&real, neighborhoods.as_ref(), synthetic, (1, "synthetic"))?;
    let reference = holdout.map(|holdout| evaluator.scores(&real, neighborhoods.as_ref(), holdout, (2, "holdout"))).transpose()?;
    closest.sort_by(|(_, a), (_, b)| a.ratio().total_cmp(&b.ratio()));
    let scores = ImageScores {
        synthetic: scores,
        reference: reference.map(|(scores, ..)| scores),
        images: sets.map(|images| images.map_or(0, Images::count)),
        compared,
        compared_by_pixels: [sets[1], sets[2]].map(|images| images.map_or(0, Images::count).min(MOST_COMPARED_BY_PIXELS)),
        seed,
        features: extractor.provenance().map_err(core)?,
    };
    // The neighbourhoods borrow the real features.
    drop(neighborhoods);
    Ok(Details { scores, classes: [real.all.classes, features.all.classes], features: [real.compared, features.compared], closest })
}

fn core(error: semblant_core::Error) -> Error {
    Error::Images(error.to_string())
}

struct Evaluator<'a> {
    extractor: &'a dyn FeatureExtractor,
    compared: usize,
    seed: u64,
    stage: &'a mut dyn FnMut(&str),
}

/// A set of images and its features.
struct SetFeatures<'a> {
    images: &'a Images,
    all: Extracted,
    moments: Moments,
    /// Features of the images that are compared, `[compared, width]`.
    compared: Vec<f32>,
}

impl Evaluator<'_> {
    /// `set` is its number among the streams of random numbers, and its name.
    fn extract<'i>(&mut self, images: &'i Images, set: (u64, &str)) -> Result<SetFeatures<'i>> {
        (self.stage)(&format!("features of {} {} images", images.count(), set.1));
        let all = self.extractor.extract_all(images).map_err(core)?;
        let width = self.extractor.width();
        let rows = subsample(images.count(), self.compared, self.seed, 30 + set.0);
        let compared = rows.iter().flat_map(|&row| all.features[row * width..(row + 1) * width].iter().copied()).collect();
        Ok(SetFeatures { images, moments: Moments::of(&all.features, width), all, compared })
    }

    fn scores<'i>(
        &mut self,
        real: &SetFeatures,
        neighborhoods: Option<&Neighborhoods>,
        images: &'i Images,
        set: (u64, &str),
    ) -> Result<(Scores, SetFeatures<'i>, Vec<(usize, Nearest)>)> {
        check_size(real.images, images)?;
        let (names, width) = (self.extractor.class_names(), self.extractor.width());
        let found = self.extract(images, set)?;
        (self.stage)(&format!("distances between real and {} features", set.1));
        let own_classes = images.classes().filter(|_| !names.is_empty());
        let class_accuracy = own_classes.map(|_| accuracy(names, images, &found.all.classes).map_err(core)).transpose()?;
        let shares = || class_share_distance(&real.all.classes, &found.all.classes, names.len());
        // First, because its error explains that there are too few images.
        let frechet_distance = frechet_distance(&real.moments, &found.moments)?;
        let kernel = kernel_distance(&real.all.features, &found.all.features, width, self.seed, self.extractor.device())?;
        let prdc = neighborhoods
            .map(|real| Ok::<_, Error>(real.prdc(&Neighborhoods::new(&found.compared, width, self.extractor.device())?)))
            .transpose()?;
        let mind = sliced_distance(&real.compared, &found.compared, width, self.seed)?;
        (self.stage)(&format!("memorization of {} images, by pixels", set.1));
        let chosen = subsample(images.count(), MOST_COMPARED_BY_PIXELS, self.seed, 40 + set.0);
        let nearest = nearest(real.images, &images.select(&chosen))?;
        let memorization = summary(&nearest);
        let classes = classifier_score_of_parts(&found.all.log_shares, self.extractor.classes(), self.seed)?;
        let scores = Scores {
            class_accuracy,
            class_share_distance: if names.is_empty() { None } else { Some(shares()?) },
            classifier_score: classes.mean,
            classifier_score_deviation: classes.deviation,
            frechet_distance,
            kid: kernel.mean,
            kid_deviation: kernel.deviation,
            mind,
            prdc,
            memorised: memorization.memorised,
            nearest: memorization.nearest,
        };
        Ok((scores, found, chosen.into_iter().zip(nearest).collect()))
    }
}

fn check_size(real: &Images, images: &Images) -> Result<()> {
    let [one, other] = [real, images].map(|images| [images.channels(), images.height(), images.width()]);
    if one == other {
        return Ok(());
    }
    Err(Error::Images(format!("the real images are {one:?} (channels, rows, columns), others are {other:?}; resize them to one size")))
}
