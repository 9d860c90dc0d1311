//! Membership inference by shadow models, for tables: see [`crate::membership::lira`].

use semblant_data::table::Table;

use crate::membership::Membership;
use crate::membership::lira::{Generate, Plan, Shadows, TargetFeatures, target_features};
use crate::nearest::Smallest;
use crate::table::align::align;
use crate::table::distance::{BoxTree, Scale};
use crate::{Error, Result};

/// Membership inference by models that `generate` trains with and without the targets.
///
/// Every model is trained on as many rows as `train` has, if possible: half of the targets, drawn anew, and other rows of both real tables.
/// This takes `shadows.models` fits.
///
/// # Errors
/// [`Error::Undefined`] with fewer than 4 models or 8 targets of each table, or when a model could not be trained; [`Error::Tables`] when the
/// tables share no column or one has no rows.
pub fn by_shadows(train: &Table, synthetic: &Table, holdout: &Table, shadows: &Shadows, generate: Generate<Table>) -> Result<Membership> {
    let plan = Plan::new(train.rows(), holdout.rows(), shadows)?;
    // The real tables may come from different files; columns of only one of them are left out.
    let mut pool = train.clone();
    pool.append(holdout)
        .map_err(|error| Error::Undefined(format!("training and holdout rows cannot be joined into one table: {error}")))?;
    let targets = pool.take(plan.candidates());
    plan.attack(pool.rows(), |rows| Ok(pool.take(rows)), generate, |made| features_of(train, made, &targets), synthetic)
}

/// The features of each target.
fn features_of(train: &Table, synthetic: &Table, targets: &Table) -> Result<Vec<TargetFeatures>> {
    let tables = align(&[train, synthetic, targets])?;
    let scale = Scale::new(&tables[0]);
    let nearest = BoxTree::new(&scale.points(&tables[1])).nearest_of_all(&scale.points(&tables[2]));
    Ok(nearest.into_iter().map(|distances| target_features(&Smallest(distances))).collect())
}

#[cfg(test)]
mod tests {
    use super::super::tests_support::{population, with_leak};
    use super::*;
    use crate::random::random;

    /// A model that gives away a tenth of its rows and makes up the rest.
    fn leaky(rows: &Table, seed: u64) -> Result<Table, String> {
        let tenth = rows.rows() / 10;
        let first = random(seed, 7).below(rows.rows() - tenth);
        Ok(with_leak(&population(100 + seed, rows.rows()), &rows.take(&(first..first + tenth).collect::<Vec<usize>>()), tenth))
    }

    #[test]
    fn a_model_that_copies_a_tenth_gives_a_tenth_away_and_one_that_learns_nothing_no_one() {
        let (train, holdout) = (population(21, 1200), population(22, 1200));
        let shadows = Shadows { models: 16, targets: 600, seed: 1 };
        let leaked = by_shadows(&train, &leaky(&train, 99).unwrap(), &holdout, &shadows, &mut leaky).unwrap();
        // A tenth is recognised for certain, of the others nothing is known.
        assert!(leaked.auc.value > 0.52 && (0.06..0.16).contains(&leaked.found_at_1_percent.unwrap().value), "{leaked:?}");
        let mut blind = |rows: &Table, seed: u64| Ok(population(300 + seed, rows.rows()));
        let nothing = by_shadows(&train, &population(23, 1200), &holdout, &shadows, &mut blind).unwrap();
        assert!(
            nothing.auc.interval[0] < 0.5 && nothing.auc.interval[1] > 0.5 && nothing.found_at_1_percent.unwrap().value < 0.03,
            "{nothing:?}"
        );
        let mut copies = |rows: &Table, _: u64| Ok(rows.clone());
        let all = by_shadows(&train, &train, &holdout, &shadows, &mut copies).unwrap();
        assert!(all.auc.value > 0.999 && all.found_at_1_percent.unwrap().value > 0.99, "{all:?}");
        assert_eq!(all.found_at_01_percent, None, "600 holdout rows are too few");
    }

    #[test]
    fn failures_are_named() {
        let table = population(1, 50);
        let shadows = Shadows { models: 6, targets: 10, seed: 0 };
        let mut broken = |_: &Table, _: u64| Err("no".to_owned());
        let message = by_shadows(&table, &table, &table, &shadows, &mut broken).unwrap_err().to_string();
        assert!(message.contains("shadow model 0: no"), "{message}");
        assert!(by_shadows(&table, &table, &table, &Shadows { models: 3, ..shadows }, &mut broken).is_err());
    }
}
