//! Membership by shadow models, for images: [`crate::membership::lira`].

use semblant_data::image::Images;

use super::extractor::classes_among;
use crate::error::undefined;
use crate::membership::Membership;
use crate::membership::lira::{Generate, Plan, Shadows, Told, told};
use crate::nearest::{Rows, Smallest};
use crate::{Error, Result};

/// Attacks the membership of images by models that `generate` trains with and without them: what synthetic images tell of an image are the
/// distances, by pixels, to those that are nearest to it.
///
/// Every model learns from as many images as `train` has (or as there are): half of those that are attacked, drawn anew, and others of both
/// real sets. So it takes `models` fits. Classes are learnt where both real sets have those of `train`.
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
    let people = pool.select(plan.candidates());
    plan.attack(pool.count(), |places| Ok(pool.select(places)), generate, |made| tell(made, &people), synthetic)
}

/// The images with their classes in the order of `train`'s names, which a set without one of the classes may not know.
fn named_as(train: &Images, images: &Images) -> Result<Images> {
    let classes = classes_among(train.class_names(), images).map(|classes| (classes, train.class_names().to_vec()));
    Ok(Images::new(images.pixels().to_vec(), images.shape(), classes)?)
}

/// What the synthetic images tell of each of the others.
fn tell(synthetic: &Images, people: &Images) -> Result<Vec<Told>> {
    if synthetic.count() == 0 {
        return undefined("no synthetic images tell of nobody");
    }
    if synthetic.shape()[1..] != people.shape()[1..] {
        let shapes = [people, synthetic].map(|images| images.shape()[1..].to_vec());
        return Err(Error::Images(format!(
            "the real images are {:?} (channels, rows, columns), the synthetic ones {:?}",
            shapes[0], shapes[1]
        )));
    }
    let size = people.bytes_of_one();
    let rows = |images| Rows::new(Images::pixels(images), size);
    let add = |nearest: &mut Smallest<5>, _: usize, squares: &[f64]| squares.iter().for_each(|&square| nearest.add(square));
    let found = rows(people).fold(&rows(synthetic), |_| Smallest::new(), add);
    // Root mean squared difference of pixels, 0 to 1; an infinity stays one.
    let distance = |square: f64| (square / size as f64).sqrt() / 255.0;
    Ok(found.into_iter().map(|nearest| told(&Smallest(nearest.0.map(distance)))).collect())
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
        assert!(leaked.auc.value > 0.51 && (0.05..0.16).contains(&leaked.found_at_1_percent.value), "{leaked:?}");
        let mut blind = |learnt: &Images, seed: u64| Ok(images(300 + seed, learnt.count()));
        let nothing = by_shadows(&train, &images(3, 600), &holdout, &shadows, &mut blind).unwrap();
        assert!(nothing.auc.interval[0] < 0.5 && nothing.auc.interval[1] > 0.5 && nothing.found_at_1_percent.value < 0.05, "{nothing:?}");
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
