//! Metrics of synthetic images: fidelity, utility and memorization.

pub mod classes;
pub mod classifier;
pub mod copies;
pub mod distances;
pub mod extractor;
pub mod frechet;
pub mod inception;
pub mod intervals;
pub mod memorization;
pub mod paired;
pub mod prdc;
pub mod resize;
pub mod shadow;
pub mod spectrum;
pub mod utility;
mod views;
mod weights;

use semblant_data::image::Images;
use serde::Serialize;

use crate::bootstrap::Estimate;
use crate::nearest::rows_at;
use crate::random::subsample;
use crate::{Error, Result};
use classes::{ClassCounts, class_counts, class_share_distance, class_weights, classifier_score_of_parts};
use copies::{Copies, Searched};
use distances::{kernel_distance, kernel_half_width, sliced_distance};
use extractor::{Extracted, FeatureExtractor, Provenance, accuracy, classes_among};
use intervals::frechet_estimate;
use memorization::{Nearest, nearest, nearest_interval, summary};
use prdc::{DENSITY_NEIGHBOURS, Neighborhoods, Prdc};
use spectrum::{PowerRatio, Spectrum};

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
    /// Signs that training images are copied or given away; none without a holdout.
    pub copies: Option<Copies>,
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
    /// [`frechet::frechet_distance`] of the features of all images, for the holdout of at most as many as there are synthetic images; biased
    /// upwards for a few hundred images.
    pub frechet_distance: f64,
    /// Its 95 % confidence interval, around the mean of such draws and not around the distance of the populations.
    pub frechet_interval: Option<[f64; 2]>,
    /// The same distance less its bias ([`intervals::FrechetEstimate::corrected`]).
    pub frechet_corrected: Option<Estimate>,
    /// [`kernel_distance`] of the same features.
    pub kid: f64,
    /// Its 95 % confidence interval ([`kernel_half_width`]).
    pub kid_interval: Option<[f64; 2]>,
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
    /// Its 95 % confidence interval.
    pub nearest_interval: [f64; 2],
    /// The power above a quarter of a cycle per pixel over that of real images of the same predicted classes ([`spectrum`]); none for images of fewer than eight rows or
    /// columns.
    pub fine_detail: Option<Estimate>,
    /// The same above 7/16 of a cycle per pixel.
    pub finest_detail: Option<Estimate>,
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
    /// Of each class, synthetic and holdout images; empty without a holdout, or if the network knows other classes.
    pub(crate) class_counts: Vec<ClassCounts>,
    /// The power by frequency of the synthetic images and of the holdout over that of the real images.
    pub(crate) power: [Option<PowerRatio>; 2],
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
    let spectrum = Spectrum::of(real, seed, 80).ok();
    let mut evaluator = Evaluator { extractor, compared, most: synthetic.count(), seed, spectrum, stage };
    let real = evaluator.extract(real, (0, "real"))?;
    let neighborhoods =
        (compared > DENSITY_NEIGHBOURS).then(|| Neighborhoods::new(&real.compared, extractor.width(), extractor.device())).transpose()?;
    let found = evaluator.scores(&real, neighborhoods.as_ref(), synthetic, (1, "synthetic"))?;
    let new = holdout.map(|holdout| evaluator.scores(&real, neighborhoods.as_ref(), holdout, (2, "holdout"))).transpose()?;
    let copies = new.as_ref().map(|new| evaluator.copies(&real, &found, new)).transpose()?;
    let classes = extractor.class_names().len();
    let class_counts = match &new {
        Some(new) if classes > 0 => {
            let own = classes_among(extractor.class_names(), new.features.images);
            class_counts(&found.features.all.classes, &new.features.all.classes, own.as_deref(), classes)?
        }
        _ => Vec::new(),
    };
    let mut closest = found.closest;
    closest.sort_by(|(_, a), (_, b)| a.ratio().total_cmp(&b.ratio()));
    let (reference, power_of_new) = new.map_or((None, None), |new| (Some(new.scores), new.power));
    let scores = ImageScores {
        synthetic: found.scores,
        reference,
        images: sets.map(|images| images.map_or(0, Images::count)),
        compared,
        compared_by_pixels: [sets[1], sets[2]].map(|images| images.map_or(0, Images::count).min(MOST_COMPARED_BY_PIXELS)),
        copies,
        seed,
        features: extractor.provenance().map_err(core)?,
    };
    // The neighbourhoods borrow the real features.
    drop(neighborhoods);
    let features = found.features;
    Ok(Details {
        scores,
        classes: [real.all.classes, features.all.classes],
        class_counts,
        power: [found.power, power_of_new],
        features: [real.compared, features.compared],
        closest,
    })
}

fn core(error: semblant_core::Error) -> Error {
    Error::Images(error.to_string())
}

struct Evaluator<'a> {
    extractor: &'a dyn FeatureExtractor,
    compared: usize,
    /// Most images of a set behind the Frechet and the kernel distance: the reference has no more than the value.
    most: usize,
    seed: u64,
    /// Of the real images.
    spectrum: Option<Spectrum>,
    stage: &'a mut dyn FnMut(&str),
}

/// A set of images and its features.
struct SetFeatures<'a> {
    images: &'a Images,
    all: Extracted,
    /// Features of the images that are compared, `[compared, width]`.
    compared: Vec<f32>,
}

/// What was found of one set of images.
struct FoundOfSet<'a> {
    scores: Scores,
    features: SetFeatures<'a>,
    power: Option<PowerRatio>,
    /// The images that were compared by pixels, with their closest training images.
    closest: Vec<(usize, Nearest)>,
}

impl Evaluator<'_> {
    /// `set` is its number among the streams of random numbers, and its name.
    fn extract<'i>(&mut self, images: &'i Images, set: (u64, &str)) -> Result<SetFeatures<'i>> {
        (self.stage)(&format!("features of {} {} images", images.count(), set.1));
        let all = self.extractor.extract_all(images).map_err(core)?;
        let rows = subsample(images.count(), self.compared, self.seed, 30 + set.0);
        let compared = rows_at(&all.features, self.extractor.width(), &rows);
        Ok(SetFeatures { images, all, compared })
    }

    fn scores<'i>(
        &mut self,
        real: &SetFeatures,
        neighborhoods: Option<&Neighborhoods>,
        images: &'i Images,
        set: (u64, &str),
    ) -> Result<FoundOfSet<'i>> {
        check_size(real.images, images)?;
        let (names, width, seed) = (self.extractor.class_names(), self.extractor.width(), self.seed);
        let found = self.extract(images, set)?;
        (self.stage)(&format!("distances between real and {} features", set.1));
        let own_classes = images.classes().filter(|_| !names.is_empty());
        let class_accuracy = own_classes.map(|_| accuracy(names, images, &found.all.classes).map_err(core)).transpose()?;
        let shares = || class_share_distance(&real.all.classes, &found.all.classes, names.len());
        let features = rows_at(&found.all.features, width, &subsample(images.count(), self.most, seed, 46 + set.0));
        // First, because its error explains that there are too few images.
        let frechet = frechet_estimate(&real.all.features, &features, width, seed)?;
        let kernel = kernel_distance(&real.all.features, &features, width, seed, self.extractor.device())?;
        let kernel_half = kernel_half_width(&real.all.features, &features, width, seed, self.extractor.device());
        let prdc = neighborhoods
            .map(|real| Ok::<_, Error>(real.prdc(&Neighborhoods::new(&found.compared, width, self.extractor.device())?)))
            .transpose()?;
        let mind = sliced_distance(&real.compared, &found.compared, width, seed)?;
        let weights = class_weights(&real.all.classes, &found.all.classes, names.len());
        let weight = |image: usize| weights.get(real.all.classes[image] as usize).copied().unwrap_or(1.0);
        let power =
            self.spectrum.as_ref().zip(Spectrum::of(images, seed, 80 + set.0).ok()).map(|(real, images)| images.over(real, &weight));
        (self.stage)(&format!("memorization of {} images, by pixels", set.1));
        let chosen = subsample(images.count(), MOST_COMPARED_BY_PIXELS, seed, 40 + set.0);
        let nearest = nearest(real.images, &images.select(&chosen))?;
        let memorization = summary(&nearest);
        let classes = classifier_score_of_parts(&found.all.log_shares, self.extractor.classes(), seed)?;
        let scores = Scores {
            class_accuracy,
            class_share_distance: if names.is_empty() { None } else { Some(shares()?) },
            classifier_score: classes.mean,
            classifier_score_deviation: classes.deviation,
            frechet_distance: frechet.value,
            frechet_interval: frechet.interval,
            frechet_corrected: frechet.corrected,
            kid: kernel.mean,
            kid_interval: kernel_half.map(|half| [kernel.mean - half, kernel.mean + half]),
            kid_deviation: kernel.deviation,
            mind,
            prdc,
            memorised: memorization.memorised,
            nearest: memorization.nearest,
            nearest_interval: nearest_interval(&nearest),
            fine_detail: power.as_ref().and_then(|power| power.fine),
            finest_detail: power.as_ref().and_then(PowerRatio::finest),
        };
        Ok(FoundOfSet { scores, features: found, power, closest: chosen.into_iter().zip(nearest).collect() })
    }

    /// The search for copies among the images that were compared by pixels.
    fn copies(&mut self, real: &SetFeatures, found: &FoundOfSet, new: &FoundOfSet) -> Result<Copies> {
        (self.stage)("copies of training images, by tests");
        let chosen: Vec<usize> = found.closest.iter().map(|(index, _)| *index).collect();
        let memorised = [found, new].map(|of| [of.closest.iter().filter(|(_, nearest)| nearest.is_memorised()).count(), of.closest.len()]);
        let features = rows_at(&found.features.all.features, self.extractor.width(), &chosen);
        let images = found.features.images.select(&chosen);
        let searched = Searched {
            images: [real.images, &images, new.features.images],
            features: [&real.all.features, &features, &new.features.all.features],
            width: self.extractor.width(),
            device: self.extractor.device(),
        };
        searched.copies(memorised, self.seed)
    }
}

fn check_size(real: &Images, images: &Images) -> Result<()> {
    let [one, other] = [real, images].map(|images| [images.channels(), images.height(), images.width()]);
    if one == other {
        return Ok(());
    }
    Err(Error::Images(format!("the real images are {one:?} (channels, rows, columns), others are {other:?}; resize them to one size")))
}
