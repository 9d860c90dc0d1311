//! How near synthetic images are to real ones.

pub mod classifier;
pub mod frechet;

use semblant_data::image::Images;
use serde::Serialize;

use crate::{Error, Result};
use classifier::{Classifier, Provenance};
use frechet::{Moments, frechet_distance};

/// What a classifier says of synthetic images. No number without what it was made with.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ImageScores {
    /// The share of synthetic images that are classified as the class they were asked to be; none without classes.
    pub class_accuracy: Option<f64>,
    /// The same of the holdout: what can be expected of real images.
    pub class_accuracy_real: Option<f64>,
    /// The Frechet distance between the classifier's features of real and of synthetic images.
    pub frechet_distance: f64,
    /// The same between real and holdout images: what real images get. Both are of so many images as there are on either side; a few
    /// hundred overstate it.
    pub frechet_distance_real: Option<f64>,
    /// Real, synthetic and holdout images that were looked at.
    pub images: [usize; 3],
    /// The classifier.
    pub classifier: Provenance,
}

/// Judges `synthetic` against `real` and, if there is one, a holdout of real images.
///
/// # Errors
/// Images of another size than the classifier's, or fewer than two on a side.
pub fn evaluate_images(real: &Images, synthetic: &Images, holdout: Option<&Images>, classifier: &Classifier) -> Result<ImageScores> {
    let core = |error: semblant_core::Error| Error::Images(error.to_string());
    let moments = |images: &Images| -> Result<Moments> { Ok(Moments::of(&classifier.features(images).map_err(core)?, classifier.width())) };
    let accuracy = |images: &Images| images.classes().map(|_| classifier.accuracy(images).map_err(core)).transpose();
    let of_real = moments(real)?;
    let floor = holdout.map(|holdout| frechet_distance(&of_real, &moments(holdout)?)).transpose()?;
    Ok(ImageScores {
        class_accuracy: accuracy(synthetic)?,
        class_accuracy_real: holdout.map(accuracy).transpose()?.flatten(),
        frechet_distance: frechet_distance(&of_real, &moments(synthetic)?)?,
        frechet_distance_real: floor,
        images: [real.count(), synthetic.count(), holdout.map_or(0, Images::count)],
        classifier: classifier.provenance().map_err(core)?,
    })
}
