//! Membership inference by shadow models, for images: see [`crate::membership::lira`].

use semblant_data::image::Images;

use super::extractor::classes_among;
use crate::error::undefined;
use crate::membership::Membership;
use crate::membership::lira::{Generate, Plan, Shadows, TargetFeatures, target_features};
use crate::nearest::{Rows, Smallest};
use crate::{Error, Result};

/// Membership inference by models that `generate` trains with and without the targets. The features of a target are its distances, by pixels,
/// to the nearest synthetic images.
///
/// Every model is trained on as many images as `train` has, if possible: half of the targets, drawn anew, and other images of both real sets.
/// This takes `shadows.models` fits. Classes are used if the holdout has those of `train`.
///
/// # Errors
/// [`Error::Undefined`] with fewer than 4 models or 8 images of each set, no synthetic images, or when a model could not be trained;
/// [`Error::Images`] when the sets differ in size.
pub fn by_shadows(
    train: &Images,
    synthetic: &Images,
    holdout: &Images,
    shadows: &Shadows,
    generate: Generate<Images>,
) -> Result<Membership> {
    let plan = Plan::new(train.count(), holdout.count(), shadows)?;
    let pool = Images::concat(vec![train.clone(), named_as(train, holdout)?])?;
    let targets = pool.select(plan.candidates());
    plan.attack(pool.count(), |places| Ok(pool.select(places)), generate, |made| features_of(made, &targets), synthetic)
}

/// The images with their classes in the order of `train`'s names; a set without one of the classes may lack its name.
fn named_as(train: &Images, images: &Images) -> Result<Images> {
    let classes = classes_among(train.class_names(), images).map(|classes| (classes, train.class_names().to_vec()));
    Ok(Images::new(images.pixels().to_vec(), images.shape(), classes)?)
}

/// The features of each target.
fn features_of(synthetic: &Images, targets: &Images) -> Result<Vec<TargetFeatures>> {
    if synthetic.count() == 0 {
        return undefined("there are no synthetic images");
    }
    if synthetic.shape()[1..] != targets.shape()[1..] {
        let shapes = [targets, synthetic].map(|images| images.shape()[1..].to_vec());
        return Err(Error::Images(format!(
            "the real images are {:?} (channels, rows, columns), the synthetic ones {:?}",
            shapes[0], shapes[1]
        )));
    }
    let size = targets.bytes_of_one();
    let rows = |images| Rows::new(Images::pixels(images), size);
    let add = |nearest: &mut Smallest<5>, _: usize, squares: &[f64]| squares.iter().for_each(|&square| nearest.add(square));
    let found = rows(targets).fold(&rows(synthetic), |_| Smallest::new(), add);
    // Root mean squared difference of pixels, 0 to 1; an infinity stays one.
    let distance = |square: f64| (square / size as f64).sqrt() / 255.0;
    Ok(found.into_iter().map(|nearest| target_features(&Smallest(nearest.0.map(distance)))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::random;

    /// Random images of 2 x 2 pixels.
    fn images(seed: u64, count: usize) -> Images {
        let mut random = random(seed, 1);
        Images::new((0..4 * count).map(|_| random.below(256) as u8).collect(), [count, 1, 2, 2], None).unwrap()
    }

    #[test]
    fn a_generator_that_copies_a_tenth_gives_it_away_and_one_that_learns_nothing_no_one() {
        let (train, holdout) = (images(1, 600), images(2, 600));
        let shadows = Shadows { models: 16, targets: 300, seed: 1 };
        let mut leaky = |learnt: &Images, seed: u64| {
            let tenth = learnt.count() / 10;
            let copies = learnt.select(&(0..tenth).collect::<Vec<usize>>());
            Images::concat(vec![copies, images(100 + seed, learnt.count() - tenth)]).map_err(|error| error.to_string())
        };
        let attacked = leaky(&train, 99).unwrap();
        let leaked = by_shadows(&train, &attacked, &holdout, &shadows, &mut leaky).unwrap();
        // Of 300 targets about a tenth is recognised for certain, of the others nothing is known.
        assert!(leaked.auc.value > 0.51 && (0.05..0.16).contains(&leaked.found_at_1_percent.unwrap().value), "{leaked:?}");
        let mut blind = |learnt: &Images, seed: u64| Ok(images(300 + seed, learnt.count()));
        let nothing = by_shadows(&train, &images(3, 600), &holdout, &shadows, &mut blind).unwrap();
        assert!(
            nothing.auc.interval[0] < 0.5 && nothing.auc.interval[1] > 0.5 && nothing.found_at_1_percent.unwrap().value < 0.05,
            "{nothing:?}"
        );
    }

    #[test]
    fn classes_keep_their_names_and_sizes_are_named() {
        let classed = |count: usize, names: &[&str]| {
            let images = images(5, count);
            let names: Vec<String> = names.iter().map(|&name| name.into()).collect();
            let classes = (0..count).map(|image| (image % names.len()) as u32).collect();
            Images::new(images.pixels().to_vec(), images.shape(), Some((classes, names))).unwrap()
        };
        let (train, holdout) = (classed(20, &["a", "b"]), classed(20, &["b"]));
        let shadows = Shadows { models: 4, targets: 10, seed: 0 };
        let mut seen = Vec::new();
        let mut keep = |learnt: &Images, _: u64| {
            seen.push(learnt.class_names().to_vec());
            Ok(learnt.clone())
        };
        by_shadows(&train, &train, &holdout, &shadows, &mut keep).unwrap();
        assert_eq!(seen, vec![vec!["a".to_owned(), "b".to_owned()]; 4]);
        let mut small = |_: &Images, _: u64| Ok(Images::new(vec![0; 4], [4, 1, 1, 1], None).unwrap());
        let said = by_shadows(&train, &train, &holdout, &shadows, &mut small).unwrap_err().to_string();
        assert!(said.contains("[1, 1, 1]"), "{said}");
        let mut none = |_: &Images, _: u64| Err("out of luck".to_owned());
        let said = by_shadows(&train, &train, &holdout, &shadows, &mut none).unwrap_err().to_string();
        assert!(said.contains("shadow model 0: out of luck"), "{said}");
    }
}
