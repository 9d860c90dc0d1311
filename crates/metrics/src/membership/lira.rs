//! Membership by shadow models: the attacker trains models of the same kind with and without a person, and asks which of the two the
//! published data looks like.
//!
//! The score of a person is the logarithm of the ratio of two normal densities of what synthetic data tells of him, one fitted to the models
//! that were trained with him and one to those without; the deviations are shared by all targets, as is advised for few models. Source:
//! Carlini et al. 2022, "Membership inference attacks from first principles" (LiRA), on synthetic data in place of losses.
//!
//! It knows the kind of the model, its settings and the population: what it finds is closer to the worst case than what an attacker with the
//! published data alone would. What is a person here is a row of a table or an image.

use super::{Membership, membership};
use crate::error::undefined;
use crate::nearest::Smallest;
use crate::random::{random, subsample};
use crate::{Error, Result};

/// How many models are trained, and of how many targets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shadows {
    /// Models, at least 4; each person is in one half of them.
    pub models: usize,
    /// Persons of each real set, at least 8.
    pub targets: usize,
    /// Draws targets and halves.
    pub seed: u64,
}

/// Trains a model of the attacked kind on this data and lets it make as much synthetic data as the attacked model did; the number tells one
/// call from another. The reason when it fails.
pub type Generate<'a, D> = &'a mut dyn FnMut(&D, u64) -> Result<D, String>;

/// What synthetic data tells of a person: the logarithms of the distance to the nearest of it and of the mean distance to the five nearest.
pub(crate) type Told = [f64; FEATURES];

const FEATURES: usize = 2;
/// How many of the nearest a mean is taken over.
pub(crate) const NEAREST: usize = 5;
/// Added to distances before their logarithm: a copy is far from any other distance, but not infinitely.
const SMALLEST: f64 = 1e-4;

/// What the nearest distances tell; infinite where there is less synthetic data.
pub(crate) fn told(nearest: &Smallest<NEAREST>) -> Told {
    let finite = nearest.0.iter().filter(|distance| distance.is_finite());
    let mean = finite.clone().sum::<f64>() / finite.count().max(1) as f64;
    [nearest.0[0], mean].map(|distance| (distance + SMALLEST).ln())
}

/// Who is attacked and what each model learns from, as places among the training data followed by the holdout.
pub(crate) struct Plan {
    shadows: Shadows,
    /// Persons of each side.
    targets: usize,
    train: usize,
    /// Ascending: those of the training data first.
    candidates: Vec<usize>,
    /// For each model who it is trained with.
    halves: Vec<Vec<bool>>,
}

impl Plan {
    /// Of so much training data and holdout.
    pub(crate) fn new(train: usize, holdout: usize, shadows: &Shadows) -> Result<Self> {
        let targets = shadows.targets.min(train).min(holdout);
        if shadows.models < 4 || targets < 8 {
            return undefined("shadow models need 4 models and 8 targets of the training data and of the holdout");
        }
        let of_side = |count: usize, first: usize, purpose| {
            let chosen = subsample(count, targets, shadows.seed, purpose);
            chosen.into_iter().map(move |place| first + place)
        };
        let candidates: Vec<usize> = of_side(train, 0, 80).chain(of_side(holdout, train, 81)).collect();
        Ok(Self { shadows: *shadows, targets, train, halves: halves(candidates.len(), shadows), candidates })
    }

    pub(crate) fn candidates(&self) -> &[usize] {
        &self.candidates
    }

    /// What a model learns from: half of the targets, drawn anew, and others of `pool` in all, as much as the attacked model had if there is.
    fn learns(&self, model: usize, pool: usize) -> Vec<usize> {
        let seed = self.shadows.seed;
        let chosen = self.candidates.iter().zip(&self.halves[model]).filter(|(_, within)| **within).map(|(place, _)| *place);
        let others: Vec<usize> = (0..pool).filter(|place| self.candidates.binary_search(place).is_err()).collect();
        let more = subsample(others.len(), self.train.saturating_sub(self.targets), seed, 0x8000 + model as u64);
        let mut places: Vec<usize> = chosen.chain(more.into_iter().map(|place| others[place])).collect();
        // No order may tell targets from others.
        random(seed, 0x9000 + model as u64).shuffle(&mut places);
        places
    }

    /// Trains the models on what `take` makes of places in a `pool` of so many, hears what each tells of the targets, and judges them by what
    /// the attacked data tells.
    pub(crate) fn attack<D>(
        &self,
        pool: usize,
        take: impl Fn(&[usize]) -> Result<D>,
        generate: Generate<D>,
        tell: impl Fn(&D) -> Result<Vec<Told>>,
        attacked: &D,
    ) -> Result<Membership> {
        let mut features = Vec::new();
        for model in 0..self.shadows.models {
            let made = generate(&take(&self.learns(model, pool))?, model as u64)
                .map_err(|why| Error::Undefined(format!("shadow model {model}: {why}")))?;
            features.push(tell(&made)?);
        }
        let scores = ratios(&features, &self.halves, &tell(attacked)?);
        membership(&scores[..self.targets], &scores[self.targets..], self.shadows.seed)
    }
}

/// For each model who it is trained with: every person in one half of the models, as near as their number allows.
fn halves(targets: usize, shadows: &Shadows) -> Vec<Vec<bool>> {
    let mut halves = vec![vec![false; targets]; shadows.models];
    for person in 0..targets {
        let mut order: Vec<usize> = (0..shadows.models).collect();
        random(shadows.seed, 0x0100_0000 + person as u64).shuffle(&mut order);
        order[..shadows.models / 2].iter().for_each(|&model| halves[model][person] = true);
    }
    halves
}

/// The logarithm of the density among models with a person over that among models without, summed over the features.
fn ratios(features: &[Vec<Told>], halves: &[Vec<bool>], observed: &[Told]) -> Vec<f64> {
    let mut ratios = vec![0.0; observed.len()];
    for feature in 0..FEATURES {
        let mean = |person: usize, within: bool| {
            let values = features.iter().zip(halves).filter(|(_, half)| half[person] == within).map(|(told, _)| told[person][feature]);
            let (sum, count) = values.fold((0.0, 0.0), |(sum, count), value| (sum + value, count + 1.0));
            sum / count
        };
        let means: Vec<[f64; 2]> = (0..observed.len()).map(|person| [mean(person, true), mean(person, false)]).collect();
        let variance = |within: bool| {
            let mut squares = Vec::new();
            for (told, half) in features.iter().zip(halves) {
                let own = (0..observed.len()).filter(|&person| half[person] == within);
                squares.extend(own.map(|person| (told[person][feature] - means[person][usize::from(!within)]).powi(2)));
            }
            (squares.iter().sum::<f64>() / squares.len() as f64).max(1e-12)
        };
        let variances = [variance(true), variance(false)];
        for (person, ratio) in ratios.iter_mut().enumerate() {
            let log =
                |side: usize| -0.5 * ((observed[person][feature] - means[person][side]).powi(2) / variances[side] + variances[side].ln());
            *ratio += log(0) - log(1);
        }
    }
    ratios
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_person_is_in_half_of_the_models_and_a_model_learns_from_as_much_as_the_attacked_one() {
        let shadows = Shadows { models: 6, targets: 10, seed: 0 };
        let plan = Plan::new(40, 30, &shadows).unwrap();
        assert!((0..20).all(|person| plan.halves.iter().filter(|half| half[person]).count() == 3));
        for model in 0..6 {
            let learns = plan.learns(model, 70);
            let within = plan.halves[model].iter().filter(|within| **within).count();
            assert_eq!(learns.len(), within + 30);
            let targets = plan.candidates.iter().zip(&plan.halves[model]);
            assert!(targets.into_iter().all(|(place, within)| learns.contains(place) == *within));
        }
        assert!(Plan::new(40, 7, &shadows).is_err() && Plan::new(40, 30, &Shadows { models: 3, ..shadows }).is_err());
    }

    #[test]
    fn few_neighbours_tell_what_there_are() {
        let mut nearest = Smallest::new();
        [0.3, 0.1].into_iter().for_each(|distance| nearest.add(distance));
        let found = told(&nearest);
        assert!((found[0] - 0.1001f64.ln()).abs() < 1e-12 && (found[1] - 0.2001f64.ln()).abs() < 1e-12, "{found:?}");
    }
}
