//! What images are looked at with: a network that gives features and shares of classes.

use burn::tensor::Device;
use semblant_core::{Error, Result};
use semblant_data::image::Images;
use serde::{Deserialize, Serialize};

/// A network that images are compared through.
pub trait FeatureExtractor {
    /// How many numbers the features of an image are.
    fn width(&self) -> usize;

    /// How many classes it tells apart.
    fn classes(&self) -> usize;

    /// The names of the classes in order, where they are those of the real images; empty where it knows others.
    fn class_names(&self) -> &[String];

    /// Hands the features `[width]` and the logarithms of the shares `[classes]` of one image after the other to `take`, in the order of
    /// the images, so that nobody has to hold all of them.
    ///
    /// # Errors
    /// Images of a size that it cannot look at.
    fn extract(&self, images: &Images, take: &mut dyn FnMut(&[f32], &[f32])) -> Result<()>;

    /// Where it looks: what is matrix work between features is done there too.
    fn device(&self) -> &Device;

    /// What it is, for whoever reads numbers made with it.
    ///
    /// # Errors
    /// Weights that cannot be read back from their device.
    fn provenance(&self) -> Result<Provenance>;

    /// Everything that it sees in the images, in one pass.
    ///
    /// # Errors
    /// As [`FeatureExtractor::look`].
    fn extract_all(&self, images: &Images) -> Result<Extracted> {
        let mut seen = Extracted { features: Vec::new(), log_shares: Vec::new(), classes: Vec::new() };
        self.extract(images, &mut |features, log_shares| {
            let best = (0..log_shares.len()).max_by(|&a, &b| log_shares[a].total_cmp(&log_shares[b])).unwrap_or(0);
            seen.features.extend_from_slice(features);
            seen.log_shares.extend_from_slice(log_shares);
            seen.classes.push(best as u32);
        })?;
        Ok(seen)
    }
}

/// What made the features, for whoever reads numbers made with them. Numbers of two eyes cannot be compared.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Provenance {
    /// `classifier` or `inception`.
    pub kind: String,
    /// Layers in one line.
    pub architecture: String,
    /// How images are brought to its size; none where it looks at them as they are.
    pub resize: Option<String>,
    /// The seed it was trained with, where it is known.
    pub seed: Option<u64>,
    /// The share of the test images that it classifies rightly, where there were some.
    pub accuracy: Option<f64>,
    /// SHA-256 of the file that its weights came from.
    pub sha256: String,
}

/// What an extractor sees in images, in their order.
#[derive(Debug, Clone, PartialEq)]
pub struct Extracted {
    /// `[images, width]`, row-major.
    pub features: Vec<f32>,
    /// The logarithm of each class's share, `[images, classes]`, row-major.
    pub log_shares: Vec<f32>,
    /// The likeliest class of each image.
    pub classes: Vec<u32>,
}

/// The classes of the images as places among `names`: a set in which a class never comes may not know its name. None where there are no
/// classes, or others.
pub(super) fn classes_among(names: &[String], images: &Images) -> Option<Vec<u32>> {
    let places: Option<Vec<usize>> = images.class_names().iter().map(|own| names.iter().position(|name| name == own)).collect();
    let places = places?;
    images.classes().map(|classes| classes.iter().map(|&class| places[class as usize] as u32).collect())
}

/// The share of the images whose class is the one that was `found`, one of `names`.
///
/// # Errors
/// Images without classes, or with others.
pub(super) fn accuracy(names: &[String], images: &Images, found: &[u32]) -> Result<f64> {
    let Some(classes) = classes_among(names, images) else {
        let what = format!("the images' classes ({}) are not the classifier's ({})", images.class_names().join(", "), names.join(", "));
        return Err(Error::Data(what));
    };
    Ok(found.iter().zip(&classes).filter(|(a, b)| a == b).count() as f64 / classes.len().max(1) as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_are_known_by_their_names() {
        let names = ["cat", "dog", "owl"].map(String::from);
        let images = |names: &[&str], classes: Vec<u32>| {
            let names = names.iter().map(|&name| name.to_owned()).collect();
            Images::new(vec![0; classes.len()], [classes.len(), 1, 1, 1], Some((classes, names))).unwrap()
        };
        // Without a cat: its first class is the second of all.
        assert_eq!(accuracy(&names, &images(&["dog", "owl"], vec![0, 1, 0, 0]), &[1, 2, 0, 1]).unwrap(), 0.75);
        assert!(accuracy(&names, &images(&["dog", "bat"], vec![0]), &[1]).unwrap_err().to_string().contains("dog, bat"));
        assert_eq!(classes_among(&names, &Images::new(vec![0], [1, 1, 1, 1], None).unwrap()), None);
    }
}
