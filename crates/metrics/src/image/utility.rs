//! Utility of synthetic images: classifiers are trained on synthetic images, real images and both, and tested on the holdout.
//!
//! The first is the classification accuracy score of Ravuri and Vinyals 2019, "Classification accuracy score for conditional generative
//! models", with this crate's small classifier; the other two are its references.

use semblant_core::synthesizer::Run;
use semblant_data::image::Images;
use serde::{Deserialize, Serialize};

use super::classifier::{Classifier, ClassifierConfig};
use super::extractor::classes_among;
use crate::{Error, Result};

/// The accuracies of three classifiers on the holdout. Each is trained on `images_seen` images, repeats included, whatever its training set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ImageUtility {
    /// Trained on the synthetic images: the classification accuracy score.
    pub synthetic: Accuracy,
    /// Trained on the real images.
    pub real: Accuracy,
    /// Trained on both; above `real`, the synthetic images add information.
    pub both: Accuracy,
    /// The classes, in the order of [`Accuracy::classes`].
    pub class_names: Vec<String>,
    /// Images per training run, repeats included.
    pub images_seen: u64,
    /// Holdout images.
    pub tested: usize,
    /// Draws weights, order and augmentation.
    pub seed: u64,
}

/// Shares of test images that are classified correctly, 0 to 1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Accuracy {
    /// Of all.
    pub overall: f64,
    /// Of each class; none where the holdout has no image of it.
    pub classes: Vec<Option<f64>>,
    /// Images in the training set.
    pub training_images: usize,
}

/// Trains the three classifiers for each of the `synthetics`, one after the other, on `images_seen` images each; `run` reports progress and
/// can stop it. The classifier trained on real images is shared.
///
/// # Errors
/// [`Error::Undefined`] when images have no classes, the sets differ in classes or size, or the holdout is empty; [`Error::Images`] as
/// [`Classifier::fit`].
pub fn image_utility(real: &Images, synthetics: &[Images], holdout: &Images, images_seen: u64, run: &mut Run) -> Result<Vec<ImageUtility>> {
    let names = real.class_names();
    // A set in which a class never comes may not know its name.
    let as_real = |set: &Images, what: &str| {
        let lacks = |why: String| crate::error::undefined(format!("utility {why}"));
        let Some(classes) = classes_among(names, set) else {
            let found = set.class_names().join(", ");
            return lacks(format!(
                "needs images of the same classes in all sets; the {what} images have [{found}], the real ones [{}]",
                names.join(", ")
            ));
        };
        if set.count() == 0 || set.shape()[1..] != real.shape()[1..] {
            return lacks(format!(
                "needs images of one size in all sets; the {what} images are {:?}, the real ones {:?}",
                set.shape(),
                real.shape()
            ));
        }
        Ok(Images::new(set.pixels().to_vec(), set.shape(), Some((classes, names.to_vec())))?)
    };
    let (real, holdout) = (as_real(real, "real")?, as_real(holdout, "holdout")?);
    let synthetics = synthetics.iter().map(|set| as_real(set, "synthetic")).collect::<Result<Vec<Images>>>()?;
    let failed = |error: semblant_core::Error| Error::Images(error.to_string());
    let config = ClassifierConfig { images: images_seen, ..ClassifierConfig::default() };
    let mut learn = |train: &Images| {
        let classifier = Classifier::fit(train, None, &config, run).map_err(failed)?;
        let found = classifier.classify(&holdout).map_err(failed)?;
        Ok::<_, Error>(accuracy(&holdout, &found, train.count()))
    };
    let of_real = learn(&real)?;
    let of_synthetics = synthetics
        .into_iter()
        .map(|synthetic| Ok((learn(&synthetic)?, learn(&Images::concat(vec![real.clone(), synthetic])?)?)))
        .collect::<Result<Vec<(Accuracy, Accuracy)>>>()?;
    let found = |(synthetic, both)| ImageUtility {
        synthetic,
        real: of_real.clone(),
        both,
        class_names: names.to_vec(),
        images_seen,
        tested: holdout.count(),
        seed: run.seed,
    };
    Ok(of_synthetics.into_iter().map(found).collect())
}

fn accuracy(holdout: &Images, found: &[u32], training_images: usize) -> Accuracy {
    let counts = holdout.class_counts();
    let mut right = vec![0usize; counts.len()];
    for (&class, &found) in holdout.classes().unwrap_or_default().iter().zip(found) {
        right[class as usize] += usize::from(class == found);
    }
    let share = |right: usize, of: usize| (of > 0).then(|| right as f64 / of as f64);
    Accuracy {
        overall: right.iter().sum::<usize>() as f64 / found.len().max(1) as f64,
        classes: right.iter().zip(&counts).map(|(&right, &of)| share(right, of)).collect(),
        training_images,
    }
}
