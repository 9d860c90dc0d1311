//! Scores of the predicted classes of images.

use crate::Result;
use crate::error::undefined;
use crate::random::random;
use crate::significance::more_often;

/// Parts of the images in [`classifier_score_of_parts`].
pub const PARTS: usize = 10;

/// Half the sum of the differences between the shares of the classes in both sets: 0 when all shares are equal, 1 when no class occurs in
/// both.
///
/// # Errors
/// No images in a set.
///
/// # Panics
/// When a class is not below `classes`.
pub fn class_share_distance(a: &[u32], b: &[u32], classes: usize) -> Result<f64> {
    if a.is_empty() || b.is_empty() {
        return undefined("class shares need an image in each set");
    }
    let shares = |found: &[u32]| {
        let mut shares = vec![0.0; classes];
        found.iter().for_each(|&class| shares[class as usize] += 1.0 / found.len() as f64);
        shares
    };
    Ok(shares(a).iter().zip(shares(b)).map(|(a, b)| (a - b).abs()).sum::<f64>() / 2.0)
}

/// How often one class is predicted among synthetic images and among new real ones.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ClassCounts {
    /// Its index.
    pub class: usize,
    /// Synthetic and new real images of it.
    pub images: [usize; 2],
    /// Synthetic and new real images of all classes.
    pub of: [usize; 2],
    /// The chance of such a difference, in either direction, if both are of one population (Fisher's exact test, twice the smaller side).
    pub p_value: f64,
    /// The share of new real images of this class that are predicted as it, and of those of other classes; none if their classes are not known.
    pub rates: Option<[f64; 2]>,
}

impl ClassCounts {
    /// The shares among synthetic and new real images.
    pub fn shares(&self) -> [f64; 2] {
        [0, 1].map(|side| self.images[side] as f64 / self.of[side] as f64)
    }

    /// The same without the classifier's mistakes on new real images, if they are known: `(share - false) / (true - false)`, not below 0 (adjusted counting;
    /// Forman 2008, "Quantifying counts and costs via classification").
    pub fn adjusted_shares(&self) -> [f64; 2] {
        match self.rates {
            Some([right, wrong]) if right > wrong => self.shares().map(|share| ((share - wrong) / (right - wrong)).max(0.0)),
            _ => self.shares(),
        }
    }
}

/// Every class below `classes`, in order; `own` are the true classes of the new images, if they are known.
///
/// # Errors
/// No images in a set.
///
/// # Panics
/// When a class is not below `classes`.
pub fn class_counts(synthetic: &[u32], new: &[u32], own: Option<&[u32]>, classes: usize) -> Result<Vec<ClassCounts>> {
    if synthetic.is_empty() || new.is_empty() {
        return undefined("class shares need an image in each set");
    }
    let mut images = vec![[0; 2]; classes];
    synthetic.iter().for_each(|&class| images[class as usize][0] += 1);
    new.iter().for_each(|&class| images[class as usize][1] += 1);
    let of = [synthetic.len(), new.len()];
    // How often this class is predicted among the new images that are, or are not, of it.
    let rate = |class: usize, own: &[u32], of_it: bool| {
        let found = new.iter().zip(own).filter(|(_, own)| (**own as usize == class) == of_it);
        let (hits, count) = found.fold((0, 0), |(hits, count), (found, _)| (hits + usize::from(*found as usize == class), count + 1));
        (count > 0).then(|| hits as f64 / count as f64)
    };
    let one = |(class, images): (usize, [usize; 2])| {
        let [made, real] = [0, 1].map(|side| [images[side], of[side]]);
        let p_value = (2.0 * more_often(made, real).min(more_often(real, made))).min(1.0);
        let rates = own.and_then(|own| Some([rate(class, own, true)?, rate(class, own, false)?]));
        ClassCounts { class, images, of, p_value, rates }
    };
    Ok(images.into_iter().enumerate().map(one).collect())
}

/// For each class its share in `b` over that in `a`, which gives the images of `a` the classes of `b`; 0 for classes that `a` lacks.
pub(super) fn class_weights(a: &[u32], b: &[u32], classes: usize) -> Vec<f64> {
    let mut counts = vec![[0.0; 2]; classes];
    let inside = |class: &&u32| (**class as usize) < classes;
    a.iter().filter(inside).for_each(|&class| counts[class as usize][0] += 1.0);
    b.iter().filter(inside).for_each(|&class| counts[class as usize][1] += 1.0);
    let weight = |[of_a, of_b]: [f64; 2]| if of_a > 0.0 { of_b / of_a * a.len() as f64 / b.len() as f64 } else { 0.0 };
    counts.into_iter().map(weight).collect()
}

/// `exp` of the mean Kullback-Leibler divergence between the class probabilities of an image and their mean over all images: the Inception
/// Score with this classifier in place of Inception, over all images at once. From 1 (all images have equal probabilities) to the number of
/// classes (each image has one certain class, and all classes are equally frequent). It does not measure diversity within a class. Source:
/// Salimans et al. 2016, section 4.
///
/// `log_shares [n, classes]` are log probabilities, row-major.
///
/// # Errors
/// No images.
pub fn classifier_score(log_shares: &[f32], classes: usize) -> Result<f64> {
    let count = log_shares.len() / classes;
    if count == 0 {
        return undefined("a classifier score needs an image");
    }
    let mut all = vec![0.0; classes];
    let mut own = 0.0;
    for row in log_shares.chunks_exact(classes) {
        for (all, &log) in all.iter_mut().zip(row) {
            let share = f64::from(log).exp();
            *all += share / count as f64;
            // A share of 0 adds nothing, though its logarithm is infinite.
            own += if share > 0.0 { share * f64::from(log) } else { 0.0 };
        }
    }
    let common: f64 = all.iter().filter(|&&share| share > 0.0).map(|share| share * share.ln()).sum();
    Ok((own / count as f64 - common).exp())
}

/// [`classifier_score`] of ten parts of the images, as published Inception Scores are given.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ClassifierScore {
    /// Mean over the parts; lower than that of all images at once where a part has few images for so many classes.
    pub mean: f64,
    /// Standard deviation over the parts, with `n` and not `n - 1` below, as torch-fidelity prints it.
    pub deviation: f64,
}

/// The mean of [`classifier_score`] over ten parts of the images, or as many as there are images, in an order drawn by `seed`.
///
/// # Errors
/// As [`classifier_score`].
pub fn classifier_score_of_parts(log_shares: &[f32], classes: usize, seed: u64) -> Result<ClassifierScore> {
    let mut order: Vec<usize> = (0..log_shares.len() / classes).collect();
    random(seed, 50).shuffle(&mut order);
    let shuffled: Vec<f32> = order.iter().flat_map(|&image| &log_shares[image * classes..(image + 1) * classes]).copied().collect();
    classifier_score_in_order(&shuffled, classes)
}

/// As [`classifier_score_of_parts`], with the images in the order in which they come.
///
/// # Errors
/// As [`classifier_score`].
pub fn classifier_score_in_order(log_shares: &[f32], classes: usize) -> Result<ClassifierScore> {
    let count = log_shares.len() / classes;
    let parts = PARTS.min(count).max(1);
    let part = |part: usize| &log_shares[part * count / parts * classes..(part + 1) * count / parts * classes];
    let scores = (0..parts).map(|place| classifier_score(part(place), classes)).collect::<Result<Vec<f64>>>()?;
    let mean = scores.iter().sum::<f64>() / parts as f64;
    let deviation = (scores.iter().map(|score| (score - mean).powi(2)).sum::<f64>() / parts as f64).sqrt();
    Ok(ClassifierScore { mean, deviation })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sure_and_balanced_is_the_number_of_classes_and_unsure_is_one() {
        let sure = |class: usize| (0..4).map(|other| if other == class { 0.0 } else { f32::NEG_INFINITY }).collect::<Vec<f32>>();
        let balanced: Vec<f32> = (0..40).flat_map(|image| sure(image % 4)).collect();
        assert!((classifier_score(&balanced, 4).unwrap() - 4.0).abs() < 1e-12);
        let two: Vec<f32> = (0..40).flat_map(|image| sure(image % 2)).collect();
        assert!((classifier_score(&two, 4).unwrap() - 2.0).abs() < 1e-12);
        assert!((classifier_score(&[0.25f32.ln(); 40], 4).unwrap() - 1.0).abs() < 1e-12);
        assert!(classifier_score(&[], 4).is_err());
    }

    #[test]
    fn parts_in_random_order_are_balanced_and_parts_in_order_of_class_are_not() {
        let sure = |class: usize| (0..4).map(|other| if other == class { 0.0 } else { f32::NEG_INFINITY }).collect::<Vec<f32>>();
        let sorted: Vec<f32> = (0..4000).flat_map(|image| sure(image / 1000)).collect();
        let (drawn, found) = (classifier_score_of_parts(&sorted, 4, 3).unwrap(), classifier_score_in_order(&sorted, 4).unwrap());
        assert!(drawn.mean > 3.9 && drawn.deviation < 0.05, "{drawn:?}");
        // Of ten parts in order, eight hold one class and two hold two: scores of 1 and 2.
        assert!((found.mean - 1.2).abs() < 1e-12 && (found.deviation - 0.4).abs() < 1e-12, "{found:?}");
        let three = classifier_score_in_order(&sorted[..12], 4).unwrap();
        assert_eq!((three.mean, three.deviation), (1.0, 0.0));
        assert!(classifier_score_of_parts(&[], 4, 0).is_err());
    }

    #[test]
    fn a_class_that_never_comes_costs_its_share() {
        let real: Vec<u32> = (0..40).map(|image| image % 4).collect();
        let lost: Vec<u32> = (0..30).map(|image| image % 3).collect();
        assert_eq!(class_share_distance(&real, &real, 4).unwrap(), 0.0);
        assert!((class_share_distance(&real, &lost, 4).unwrap() - 0.25).abs() < 1e-12);
        assert!((class_share_distance(&[0, 0], &[1], 4).unwrap() - 1.0).abs() < 1e-12);
        assert!(class_share_distance(&real, &[], 4).is_err());
    }

    #[test]
    fn a_missing_class_is_told_from_chance() {
        let of = |counts: [usize; 3]| (0u32..3).zip(counts).flat_map(|(class, count)| vec![class; count]).collect::<Vec<u32>>();
        let found = class_counts(&of([50, 50, 0]), &of([100, 95, 5]), None, 3).unwrap();
        assert!(found[0].p_value == 1.0 && found[2].p_value > 0.1 && found[2].shares() == [0.0, 0.025], "{found:?}");
        let found = class_counts(&of([60, 40, 0]), &of([70, 70, 60]), None, 3).unwrap();
        assert!(found[2].p_value < 1e-9 && found[2].images == [0, 60] && found[0].p_value < 1e-3, "{found:?}");
        assert!(class_counts(&[], &[0], None, 1).is_err());
        // A tenth of the others is taken for class 1, of which nine tenths are recognized: 10 % predicted of 100 are none of it.
        let own: Vec<u32> = (0..200).map(|image| image % 2).collect();
        let new: Vec<u32> = own.iter().enumerate().map(|(image, class)| if image < 20 { 1 - class } else { *class }).collect();
        let found = class_counts(&[vec![1; 10], vec![0; 90]].concat(), &new, Some(&own), 2).unwrap()[1];
        let [made, real] = found.adjusted_shares();
        assert!(found.rates == Some([0.9, 0.1]) && made.abs() < 1e-12 && (real - 0.5).abs() < 1e-12, "{found:?}");
    }

    #[test]
    fn weights_give_one_set_the_classes_of_another() {
        assert_eq!(class_weights(&[0, 0, 0, 1], &[0, 1, 1, 1, 2, 2, 1, 1], 3), [1.0 / 6.0, 2.5, 0.0]);
        assert!(class_weights(&[0], &[0], 0).is_empty());
    }
}
