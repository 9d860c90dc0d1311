//! Membership by shadow models: the attacker trains models of the same kind with and without a person, and asks which of the two the
//! published table looks like.

use semblant_data::table::Table;

use super::membership::{Membership, membership};
use crate::error::undefined;
use crate::random::{Random, subsample};
use crate::table::align::align;
use crate::table::distance::{BoxTree, Scale};
use crate::{Error, Result};

/// Trains a model of the attacked kind on these rows and lets it make as many synthetic rows as the attacked table has; the number tells one
/// call from another. The reason when it fails.
pub type Generate<'a> = &'a mut dyn FnMut(&Table, u64) -> Result<Table, String>;

/// How many models are trained, and of how many persons.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shadows {
    /// Models, at least 4; each person is in one half of them.
    pub models: usize,
    /// Persons of each real table.
    pub persons: usize,
    /// Draws persons and halves.
    pub seed: u64,
}

/// What a synthetic table tells of a person: the logarithms of the distance to the closest row and of the mean distance to the five closest.
const FEATURES: usize = 2;
/// Added to distances before their logarithm: a copy is far from any other distance, but not infinitely.
const SMALLEST: f64 = 1e-4;

/// LiRA: the score of a person is the logarithm of the ratio of two normal densities of what the synthetic table tells of him, one fitted to
/// the models that were trained with him and one to those without; the deviations are shared by all persons, as is advised for few models.
///
/// Every model learns from as many rows as `train` has (or as there are): half of the persons, drawn anew, and others of both real tables. So
/// it takes `models` fits. It knows the kind of the model, its settings and the population: what it finds is closer to the worst case than
/// what an attacker with the published table alone would. Source: Carlini et al. 2022, "Membership inference attacks from first principles",
/// on the synthetic rows in place of losses.
///
/// # Errors
/// [`Error::Undefined`] with fewer than 4 models or 8 persons of each table, or when a model could not be trained; [`Error::Tables`] when the
/// tables share no column or one has no rows.
pub fn by_shadows(train: &Table, synthetic: &Table, holdout: &Table, shadows: &Shadows, generate: Generate) -> Result<Membership> {
    let persons = shadows.persons.min(train.rows()).min(holdout.rows());
    if shadows.models < 4 || persons < 8 {
        return undefined("shadow models need 4 models and 8 persons of each real table");
    }
    // The real tables may come from different files; what only one of them has is not learnt.
    let mut pool = train.clone();
    pool.append(holdout).map_err(|error| Error::Undefined(format!("training and holdout rows do not go into one table: {error}")))?;
    let of_table = |rows: usize, first: usize, purpose| {
        let chosen = subsample(rows, persons, shadows.seed, purpose);
        chosen.into_iter().map(move |row| first + row)
    };
    let candidates: Vec<usize> = of_table(train.rows(), 0, 80).chain(of_table(holdout.rows(), train.rows(), 81)).collect();
    let people = pool.take(&candidates);
    let halves = halves(candidates.len(), shadows);
    let others: Vec<usize> = (0..pool.rows()).filter(|row| candidates.binary_search(row).is_err()).collect();
    let mut features = Vec::new();
    for (model, within) in halves.iter().enumerate() {
        let chosen = candidates.iter().zip(within).filter(|(_, within)| **within).map(|(row, _)| *row);
        let more = subsample(others.len(), train.rows().saturating_sub(persons), shadows.seed, 0x8000 + model as u64);
        let mut rows: Vec<usize> = chosen.chain(more.into_iter().map(|place| others[place])).collect();
        // No order may tell persons from others.
        Random::new(shadows.seed, 0x9000 + model as u64).shuffle(&mut rows);
        let made = generate(&pool.take(&rows), model as u64).map_err(|why| Error::Undefined(format!("shadow model {model}: {why}")))?;
        features.push(told(train, &made, &people)?);
    }
    let scores = ratios(&features, &halves, &told(train, synthetic, &people)?);
    membership(&scores[..persons], &scores[persons..], shadows.seed)
}

/// For each model who it is trained with: every person in one half of the models, as near as their number allows.
fn halves(persons: usize, shadows: &Shadows) -> Vec<Vec<bool>> {
    let mut halves = vec![vec![false; persons]; shadows.models];
    for person in 0..persons {
        let mut order: Vec<usize> = (0..shadows.models).collect();
        Random::new(shadows.seed, 0x0100_0000 + person as u64).shuffle(&mut order);
        order[..shadows.models / 2].iter().for_each(|&model| halves[model][person] = true);
    }
    halves
}

/// What the synthetic rows tell of each person.
fn told(train: &Table, synthetic: &Table, people: &Table) -> Result<Vec<[f64; FEATURES]>> {
    let tables = align(&[train, synthetic, people])?;
    let scale = Scale::new(&tables[0]);
    let nearest = BoxTree::new(&scale.points(&tables[1])).nearest_of_all::<5>(&scale.points(&tables[2]));
    let of = |nearest: [f64; 5]| {
        let finite = nearest.iter().filter(|distance| distance.is_finite());
        let mean = finite.clone().sum::<f64>() / finite.count().max(1) as f64;
        [nearest[0], mean].map(|distance| (distance + SMALLEST).ln())
    };
    Ok(nearest.into_iter().map(of).collect())
}

/// The logarithm of the density among models with a person over that among models without, summed over the features.
fn ratios(features: &[Vec<[f64; FEATURES]>], halves: &[Vec<bool>], observed: &[[f64; FEATURES]]) -> Vec<f64> {
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
    use super::super::tests_support::{people, with_leak};
    use super::*;

    /// A model that gives away a tenth of its rows and makes up the rest.
    fn leaky(rows: &Table, seed: u64) -> Result<Table, String> {
        let tenth = rows.rows() / 10;
        let first = Random::new(seed, 7).below(rows.rows() - tenth);
        Ok(with_leak(&people(100 + seed, rows.rows()), &rows.take(&(first..first + tenth).collect::<Vec<usize>>()), tenth))
    }

    #[test]
    fn a_model_that_copies_a_tenth_gives_a_tenth_away_and_one_that_learns_nothing_no_one() {
        let (train, holdout) = (people(21, 1200), people(22, 1200));
        let shadows = Shadows { models: 16, persons: 600, seed: 1 };
        let leaked = by_shadows(&train, &leaky(&train, 99).unwrap(), &holdout, &shadows, &mut leaky).unwrap();
        // A tenth is recognised for certain, of the others nothing is known.
        assert!(
            leaked.auc.value > 0.52 && leaked.found_at_01_percent.value > 0.06 && leaked.found_at_01_percent.value < 0.14,
            "{leaked:?}"
        );
        let mut blind = |rows: &Table, seed: u64| Ok(people(300 + seed, rows.rows()));
        let nothing = by_shadows(&train, &people(23, 1200), &holdout, &shadows, &mut blind).unwrap();
        assert!(nothing.auc.interval[0] < 0.5 && nothing.auc.interval[1] > 0.5 && nothing.found_at_1_percent.value < 0.03, "{nothing:?}");
        let mut copies = |rows: &Table, _: u64| Ok(rows.clone());
        let all = by_shadows(&train, &train, &holdout, &shadows, &mut copies).unwrap();
        assert!(all.auc.value > 0.999 && all.found_at_01_percent.value > 0.99, "{all:?}");
    }

    #[test]
    fn every_person_is_in_half_of_the_models_and_failures_are_named() {
        let shadows = Shadows { models: 6, persons: 10, seed: 0 };
        let halves = halves(20, &shadows);
        assert!((0..20).all(|person| halves.iter().filter(|half| half[person]).count() == 3));
        let table = people(1, 50);
        let mut broken = |_: &Table, _: u64| Err("no".to_owned());
        let message = by_shadows(&table, &table, &table, &shadows, &mut broken).unwrap_err().to_string();
        assert!(message.contains("shadow model 0: no"), "{message}");
        assert!(by_shadows(&table, &table, &table, &Shadows { models: 3, ..shadows }, &mut broken).is_err());
    }
}
