//! How near synthetic images are to real ones.

pub mod classes;
pub mod classifier;
pub mod extractor;
pub mod frechet;
pub mod inception;
pub mod memory;
pub mod paired;
pub mod prdc;
pub mod resize;
pub mod shadow;
pub mod spread;
pub mod utility;
mod weights;

use semblant_data::image::Images;
use serde::Serialize;

use crate::random::subsample;
use crate::{Error, Result};
use classes::{class_share_distance, classifier_score_of_parts};
use extractor::{FeatureExtractor, Provenance, Seen, accuracy};
use frechet::{Moments, frechet_distance};
use memory::{Nearest, nearest, summary};
use prdc::{DENSITY_NEIGHBOURS, Manifold, Prdc};
use spread::{kernel_distance, sliced_distance};

/// Most images of a side for what compares all with all: precision, recall, density, coverage, and the sliced distance.
pub const MOST_COMPARED: usize = 10_000;
/// Most synthetic or holdout images that are held against every real one, pixel by pixel.
pub const MOST_HELD_AGAINST_REAL: usize = 4_000;

/// What was found in synthetic images. No number without what it was made with.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ImageScores {
    /// Of the synthetic images; in JSON its fields stand at the top.
    #[serde(flatten)]
    pub synthetic: Scores,
    /// Of the holdout in place of the synthetic images: what real images get.
    pub reference: Option<Scores>,
    /// Real, synthetic and holdout images that were looked at.
    pub images: [usize; 3],
    /// Images of each side, drawn by the seed, behind `precision`, `recall`, `density`, `coverage` and `mind`: equally many on all sides,
    /// also on the holdout's, as these numbers move with the count.
    pub compared: usize,
    /// Images behind `memorised` and `nearest`, synthetic and holdout; each was held against every real one.
    pub held_against_real: [usize; 2],
    /// What drew the images and the directions.
    pub seed: u64,
    /// What made the features.
    pub features: Provenance,
}

/// The numbers of one set of images beside the real ones.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Scores {
    /// The share of images that are classified as the class they are said to be of; none without classes.
    pub class_accuracy: Option<f64>,
    /// [`class_share_distance`] between the classes that are found here and among the real images; none where the extractor knows others.
    pub class_share_distance: Option<f64>,
    /// [`classifier_score_of_parts`].
    pub classifier_score: f64,
    /// Its standard deviation over the parts.
    pub classifier_score_deviation: f64,
    /// [`frechet_distance`] of the features, of all images on either side; a few hundred overstate it.
    pub frechet_distance: f64,
    /// [`kernel_distance`] of the features.
    pub kid: f64,
    /// Its standard deviation over subsets.
    pub kid_deviation: f64,
    /// [`sliced_distance`] of the features.
    pub mind: f64,
    /// [`Prdc`] of the features; none with fewer than six images on a side.
    #[serde(flatten)]
    pub prdc: Option<Prdc>,
    /// [`memory::Memory::memorised`].
    pub memorised: f64,
    /// [`memory::Memory::nearest`].
    pub nearest: f64,
}

/// Judges `synthetic` against `real` and, if there is one, a holdout of real images. `seed` draws what is compared where not all is.
///
/// # Errors
/// Images of another size than the extractor's, or fewer than two on a side.
pub fn evaluate_images(
    real: &Images,
    synthetic: &Images,
    holdout: Option<&Images>,
    extractor: &dyn FeatureExtractor,
    seed: u64,
) -> Result<ImageScores> {
    Ok(judge(real, synthetic, holdout, extractor, seed, &mut |_| {})?.scores)
}

/// Scores, and what they were computed from as far as a report shows it.
pub(crate) struct Judged {
    pub(crate) scores: ImageScores,
    /// Classes that were found in the real and the synthetic images.
    pub(crate) found: [Vec<u32>; 2],
    /// Features of as many real and synthetic images as are compared, `[compared, width]`.
    pub(crate) features: [Vec<f32>; 2],
    /// Synthetic images by their place, and what they are nearest to, those that are most like one training image and no other first.
    pub(crate) nearest: Vec<(usize, Nearest)>,
}

/// See [`evaluate_images`]; `stage` hears what is done next.
pub(crate) fn judge(
    real: &Images,
    synthetic: &Images,
    holdout: Option<&Images>,
    extractor: &dyn FeatureExtractor,
    seed: u64,
    stage: &mut dyn FnMut(&str),
) -> Result<Judged> {
    let sets = [Some(real), Some(synthetic), holdout];
    let compared = sets.iter().flatten().map(|images| images.count()).min().unwrap_or(0).min(MOST_COMPARED);
    let mut judge = Judge { extractor, compared, seed, stage };
    let real = judge.extract(real, (0, "real"))?;
    let near_real =
        if compared > DENSITY_NEIGHBOURS { Some(Manifold::new(&real.drawn, extractor.width(), extractor.device())?) } else { None };
    let (scores, looked, mut nearest) = judge.scores(&real, near_real.as_ref(), synthetic, (1, "synthetic"))?;
    let reference = holdout.map(|holdout| judge.scores(&real, near_real.as_ref(), holdout, (2, "holdout"))).transpose()?;
    nearest.sort_by(|(_, a), (_, b)| a.share().total_cmp(&b.share()));
    let scores = ImageScores {
        synthetic: scores,
        reference: reference.map(|(scores, ..)| scores),
        images: sets.map(|images| images.map_or(0, Images::count)),
        compared,
        held_against_real: [sets[1], sets[2]].map(|images| images.map_or(0, Images::count).min(MOST_HELD_AGAINST_REAL)),
        seed,
        features: extractor.provenance().map_err(core)?,
    };
    let (found, features) = (looked.seen.classes, looked.drawn);
    // The balls around the real features borrow them.
    drop(near_real);
    Ok(Judged { scores, found: [real.seen.classes, found], features: [real.drawn, features], nearest })
}

fn core(error: semblant_core::Error) -> Error {
    Error::Images(error.to_string())
}

struct Judge<'a> {
    extractor: &'a dyn FeatureExtractor,
    compared: usize,
    seed: u64,
    stage: &'a mut dyn FnMut(&str),
}

/// Images and what was seen in them.
struct Looked<'a> {
    images: &'a Images,
    seen: Seen,
    moments: Moments,
    /// Features of as many images as are compared.
    drawn: Vec<f32>,
}

impl Judge<'_> {
    /// `side` is a number and a name.
    fn extract<'i>(&mut self, images: &'i Images, (side, name): (u64, &str)) -> Result<Looked<'i>> {
        (self.stage)(&format!("features of {} {name} images", images.count()));
        let seen = self.extractor.see(images).map_err(core)?;
        let width = self.extractor.width();
        let rows = subsample(images.count(), self.compared, self.seed, 30 + side);
        let drawn = rows.iter().flat_map(|&row| seen.features[row * width..(row + 1) * width].iter().copied()).collect();
        Ok(Looked { images, moments: Moments::of(&seen.features, width), seen, drawn })
    }

    fn scores<'i>(
        &mut self,
        real: &Looked,
        near_real: Option<&Manifold>,
        images: &'i Images,
        (side, name): (u64, &str),
    ) -> Result<(Scores, Looked<'i>, Vec<(usize, Nearest)>)> {
        if images.shape()[1..] != real.images.shape()[1..] {
            let shapes = [real.images, images].map(|images| images.shape()[1..].to_vec());
            let what = format!(
                "the real images are {:?} (channels, rows, columns), others are {:?}; bring them to one size",
                shapes[0], shapes[1]
            );
            return Err(Error::Images(what));
        }
        let (names, width) = (self.extractor.class_names(), self.extractor.width());
        let looked = self.extract(images, (side, name))?;
        (self.stage)(&format!("distances between real and {name} features"));
        let asked = images.classes().filter(|_| !names.is_empty());
        let class_accuracy = asked.map(|_| accuracy(names, images, &looked.seen.classes).map_err(core)).transpose()?;
        let shares = || class_share_distance(&real.seen.classes, &looked.seen.classes, names.len());
        // First, because it refuses too few images in words.
        let frechet_distance = frechet_distance(&real.moments, &looked.moments)?;
        let kernel = kernel_distance(&real.seen.features, &looked.seen.features, width, self.seed, self.extractor.device())?;
        let prdc = near_real
            .map(|near_real| Ok::<_, Error>(near_real.prdc(&Manifold::new(&looked.drawn, width, self.extractor.device())?)))
            .transpose()?;
        let mind = sliced_distance(&real.drawn, &looked.drawn, width, self.seed)?;
        (self.stage)(&format!("memory of {name} images, pixel by pixel"));
        let held = subsample(images.count(), MOST_HELD_AGAINST_REAL, self.seed, 40 + side);
        let nearest = nearest(real.images, &images.select(&held))?;
        let memory = summary(&nearest);
        let classes = classifier_score_of_parts(&looked.seen.log_shares, self.extractor.classes(), self.seed)?;
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
            memorised: memory.memorised,
            nearest: memory.nearest,
        };
        Ok((scores, looked, held.into_iter().zip(nearest).collect()))
    }
}
