//! The network whose features and classes images are compared in.

use burn::tensor::Device;
use semblant_core::{Error, Result};
use semblant_data::image::Images;
use serde::{Deserialize, Serialize};

/// A network that gives features and class probabilities of images.
pub trait FeatureExtractor {
    /// The width of the features.
    fn width(&self) -> usize;

    /// The number of classes.
    fn classes(&self) -> usize;

    /// The names of the classes in order, if they are those of the real images; otherwise empty.
    fn class_names(&self) -> &[String];

    /// Passes the features `[width]` and the log probabilities `[classes]` of each image to `take`, in the order of the images, so that not
    /// all have to be in memory.
    ///
    /// # Errors
    /// Images of a size that the network cannot process.
    fn extract(&self, images: &Images, take: &mut dyn FnMut(&[f32], &[f32])) -> Result<()>;

    /// The device of the network; matrix products of features are computed there too.
    fn device(&self) -> &Device;

    /// The network, for the report.
    ///
    /// # Errors
    /// Weights that cannot be read back from their device.
    fn provenance(&self) -> Result<Provenance>;

    /// The features, log probabilities and predicted classes of all images.
    ///
    /// # Errors
    /// As [`FeatureExtractor::extract`].
    fn extract_all(&self, images: &Images) -> Result<Extracted> {
        let mut all = Extracted { features: Vec::new(), log_shares: Vec::new(), classes: Vec::new() };
        self.extract(images, &mut |features, log_shares| {
            let best = (0..log_shares.len()).max_by(|&a, &b| log_shares[a].total_cmp(&log_shares[b])).unwrap_or(0);
            all.features.extend_from_slice(features);
            all.log_shares.extend_from_slice(log_shares);
            all.classes.push(best as u32);
        })?;
        Ok(all)
    }
}

/// The network behind the features. Scores of two networks are not comparable.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Provenance {
    /// `classifier` or `inception`.
    pub kind: String,
    /// Layers in one line.
    pub architecture: String,
    /// How images are resized to its input; none if they are not.
    pub resize: Option<String>,
    /// The seed it was trained with, if known.
    pub seed: Option<u64>,
    /// Its accuracy on the test images, 0 to 1, if there were any.
    pub accuracy: Option<f64>,
    /// SHA-256 of the file that its weights came from.
    pub sha256: String,
}

/// Features and classes of images, in their order.
#[derive(Debug, Clone, PartialEq)]
pub struct Extracted {
    /// `[images, width]`, row-major.
    pub features: Vec<f32>,
    /// The log probability of each class, `[images, classes]`, row-major.
    pub log_shares: Vec<f32>,
    /// The most probable class of each image.
    pub classes: Vec<u32>,
}

/// The classes of the images as indices into `names`, since a set without one of the classes may lack its name. None without classes, or with
/// others.
pub(super) fn classes_among(names: &[String], images: &Images) -> Option<Vec<u32>> {
    let places: Option<Vec<usize>> = images.class_names().iter().map(|own| names.iter().position(|name| name == own)).collect();
    let places = places?;
    images.classes().map(|classes| classes.iter().map(|&class| places[class as usize] as u32).collect())
}

/// The share of the images whose class equals the one in `found`, as indices into `names`.
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
