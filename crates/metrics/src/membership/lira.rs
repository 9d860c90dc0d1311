//! Membership inference by shadow models: the attacker trains models of the same kind with and without a target, and asks which of the two
//! the published data resembles. A target is a row of a table or an image.
//!
//! The score of a target is the logarithm of the ratio of two normal densities of features of the synthetic data (distances to the target):
//! one is fitted to the models trained with the target, one to those without; the variances are shared by all targets, as is recommended for
//! few models. Source: Carlini et al. 2022, "Membership inference attacks from first principles" (LiRA), on synthetic data in place of
//! losses.
//!
//! The attacker knows the kind of the model, its settings and the population, so the result is closer to the worst case than an attack with
//! the published data alone.

use super::{Membership, membership};
use crate::error::undefined;
use crate::nearest::Smallest;
use crate::random::{random, subsample};
use crate::{Error, Result};

/// The number of shadow models and of targets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shadows {
    /// Models, at least 4; each target is in the training sets of half of them.
    pub models: usize,
    /// Targets from each of the training set and the holdout, at least 8.
    pub targets: usize,
    /// Draws targets and training sets.
    pub seed: u64,
}

/// Trains a model of the attacked kind on this data and samples as much synthetic data as the attacked model did. The second argument is the
/// number of the shadow model. The error is the reason for a failure.
pub type Generate<'a, D> = &'a mut dyn FnMut(&D, u64) -> Result<D, String>;

/// Features of the synthetic data for one target: the logarithms of the distance to its nearest item and of the mean distance to its five
/// nearest.
pub(crate) type TargetFeatures = [f64; FEATURES];

const FEATURES: usize = 2;
/// The number of nearest items whose mean distance is a feature.
pub(crate) const NEAREST: usize = 5;
/// Added to distances before the logarithm, so that the features of copies are finite.
const SMALLEST: f64 = 1e-4;

/// The features of the nearest distances; infinite if there is less synthetic data.
pub(crate) fn target_features(nearest: &Smallest<NEAREST>) -> TargetFeatures {
    let finite = nearest.0.iter().filter(|distance| distance.is_finite());
    let mean = finite.clone().sum::<f64>() / finite.count().max(1) as f64;
    [nearest.0[0], mean].map(|distance| (distance + SMALLEST).ln())
}

/// The targets and the training set of each model, as indices into the training data followed by the holdout.
pub(crate) struct Plan {
    shadows: Shadows,
    /// Targets from each of the two sets.
    targets: usize,
    train: usize,
    /// The targets, ascending: those of the training data first.
    candidates: Vec<usize>,
    /// For each model, whether each target is in its training set.
    halves: Vec<Vec<bool>>,
}

impl Plan {
    /// For training data and a holdout of these sizes.
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

    /// The training set of a model: half of the targets, drawn anew, and others of `pool`, of the size of the attacked model's training set
    /// if possible.
    fn training_set(&self, model: usize, pool: usize) -> Vec<usize> {
        let seed = self.shadows.seed;
        let chosen = self.candidates.iter().zip(&self.halves[model]).filter(|(_, within)| **within).map(|(place, _)| *place);
        let others: Vec<usize> = (0..pool).filter(|place| self.candidates.binary_search(place).is_err()).collect();
        let more = subsample(others.len(), self.train.saturating_sub(self.targets), seed, 0x8000 + model as u64);
        let mut places: Vec<usize> = chosen.chain(more.into_iter().map(|place| others[place])).collect();
        // The order must not reveal the targets.
        random(seed, 0x9000 + model as u64).shuffle(&mut places);
        places
    }

    /// Trains the models on what `take` makes of indices into a pool of `pool` items, computes the features of each target by `features_of`,
    /// and scores the targets by the features of the attacked data.
    pub(crate) fn attack<D>(
        &self,
        pool: usize,
        take: impl Fn(&[usize]) -> Result<D>,
        generate: Generate<D>,
        features_of: impl Fn(&D) -> Result<Vec<TargetFeatures>>,
        attacked: &D,
    ) -> Result<Membership> {
        let mut features = Vec::new();
        for model in 0..self.shadows.models {
            let made = generate(&take(&self.training_set(model, pool))?, model as u64)
                .map_err(|why| Error::Undefined(format!("shadow model {model}: {why}")))?;
            features.push(features_of(&made)?);
        }
        let scores = ratios(&features, &self.halves, &features_of(attacked)?);
        membership(&scores[..self.targets], &scores[self.targets..], self.shadows.seed)
    }
}

/// For each model, whether each target is in its training set: every target is in half of the training sets, as nearly as their number
/// allows.
fn halves(targets: usize, shadows: &Shadows) -> Vec<Vec<bool>> {
    let mut halves = vec![vec![false; targets]; shadows.models];
    for target in 0..targets {
        let mut order: Vec<usize> = (0..shadows.models).collect();
        random(shadows.seed, 0x0100_0000 + target as u64).shuffle(&mut order);
        order[..shadows.models / 2].iter().for_each(|&model| halves[model][target] = true);
    }
    halves
}

/// The log density among models trained with a target minus that among models trained without, summed over the features.
fn ratios(features: &[Vec<TargetFeatures>], halves: &[Vec<bool>], observed: &[TargetFeatures]) -> Vec<f64> {
    let mut ratios = vec![0.0; observed.len()];
    for feature in 0..FEATURES {
        let mean = |target: usize, within: bool| {
            let values =
                features.iter().zip(halves).filter(|(_, half)| half[target] == within).map(|(of_model, _)| of_model[target][feature]);
            let (sum, count) = values.fold((0.0, 0.0), |(sum, count), value| (sum + value, count + 1.0));
            sum / count
        };
        let means: Vec<[f64; 2]> = (0..observed.len()).map(|target| [mean(target, true), mean(target, false)]).collect();
        let variance = |within: bool| {
            let mut squares = Vec::new();
            for (of_model, half) in features.iter().zip(halves) {
                let own = (0..observed.len()).filter(|&target| half[target] == within);
                squares.extend(own.map(|target| (of_model[target][feature] - means[target][usize::from(!within)]).powi(2)));
            }
            (squares.iter().sum::<f64>() / squares.len() as f64).max(1e-12)
        };
        let variances = [variance(true), variance(false)];
        for (target, ratio) in ratios.iter_mut().enumerate() {
            let log =
                |side: usize| -0.5 * ((observed[target][feature] - means[target][side]).powi(2) / variances[side] + variances[side].ln());
            *ratio += log(0) - log(1);
        }
    }
    ratios
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_target_is_in_half_of_the_training_sets_which_have_the_size_of_the_attacked_one() {
        let shadows = Shadows { models: 6, targets: 10, seed: 0 };
        let plan = Plan::new(40, 30, &shadows).unwrap();
        assert!((0..20).all(|target| plan.halves.iter().filter(|half| half[target]).count() == 3));
        for model in 0..6 {
            let training_set = plan.training_set(model, 70);
            let within = plan.halves[model].iter().filter(|within| **within).count();
            assert_eq!(training_set.len(), within + 30);
            let targets = plan.candidates.iter().zip(&plan.halves[model]);
            assert!(targets.into_iter().all(|(place, within)| training_set.contains(place) == *within));
        }
        assert!(Plan::new(40, 7, &shadows).is_err() && Plan::new(40, 30, &Shadows { models: 3, ..shadows }).is_err());
    }

    #[test]
    fn features_of_few_neighbours_are_means_over_those() {
        let mut nearest = Smallest::new();
        [0.3, 0.1].into_iter().for_each(|distance| nearest.add(distance));
        let found = target_features(&nearest);
        assert!((found[0] - 0.1001f64.ln()).abs() < 1e-12 && (found[1] - 0.2001f64.ln()).abs() < 1e-12, "{found:?}");
    }
}
