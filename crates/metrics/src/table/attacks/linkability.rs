//! Linkability: two halves of a target's columns, linked by a synthetic row.

use rayon::prelude::*;
use semblant_data::table::Table;

use super::{Outcome, Rate};
use crate::random::{random, subsample};
use crate::table::align::align;
use crate::table::distance::Scale;
use crate::{Error, Result};

/// For `attempts` training and holdout rows (targets), drawn by `seed`: the attacker knows the columns `halves.0` from one source and
/// `halves.1` from another, and finds the synthetic rows closest to either half (distances as in [`super::super::distance`]). The attack
/// succeeds if a row is among both. All rows at the same distance count, so the order of rows does not matter. The baseline draws two random
/// rows.
///
/// # Errors
/// [`Error::Option`] when a half is empty or the halves share a column; [`Error::Data`] when a column does not exist; [`Error::Tables`] when
/// the tables share no column or one has no rows.
pub fn linkability(
    train: &Table,
    synthetic: &Table,
    holdout: &Table,
    halves: (&[&str], &[&str]),
    attempts: usize,
    seed: u64,
) -> Result<Outcome> {
    if halves.0.is_empty() || halves.1.is_empty() || halves.0.iter().any(|name| halves.1.contains(name)) {
        return Err(Error::Option { name: "halves", what: "each needs a column that the other does not have".into() });
    }
    let tables = align(&[train, synthetic, holdout])?;
    let scale = Scale::new(&tables[0]);
    let places = |names: &[&str]| names.iter().map(|name| Ok(tables[0].schema().index_of(name)?)).collect::<Result<Vec<usize>>>();
    let (first, second) = (places(halves.0)?, places(halves.1)?);
    let points = scale.points(&tables[1]);
    let (by_first, by_second) = (points.columns(&first), points.columns(&second));
    let attack = |table: &Table, purpose| {
        let targets = scale.points(&table.take(&subsample(table.rows(), attempts, seed, purpose)));
        let (one, other) = (targets.columns(&first), targets.columns(&second));
        let links = |row: usize| {
            let candidates = by_second.nearest_rows(other.row(row));
            by_first.nearest_rows(one.row(row)).iter().any(|found| candidates.binary_search(found).is_ok())
        };
        let linked: Vec<bool> = (0..targets.rows()).into_par_iter().map(links).collect();
        Rate::of(linked.into_iter())
    };
    let mut random = random(seed, 56);
    let rows = synthetic.rows();
    let baseline = Rate::of((0..attempts).map(|_| random.below(rows) == random.below(rows)));
    Ok(Outcome::new(attack(&tables[0], 54), attack(&tables[2], 55), baseline))
}

#[cfg(test)]
mod tests {
    use super::super::tests_support::{population, with_leak};
    use super::*;

    #[test]
    fn a_leaked_table_links_and_a_fresh_one_does_not() {
        let (train, holdout, fresh) = (population(1, 600), population(2, 600), population(3, 600));
        let halves: (&[&str], &[&str]) = (&["x", "c"], &["y"]);
        let attack = |synthetic: &Table| linkability(&train, synthetic, &holdout, halves, 300, 0).unwrap();
        let (leaked, half, fresh) = (attack(&train), attack(&with_leak(&fresh, &train, 300)), attack(&fresh));
        assert!(leaked.risk > 0.95 && !leaked.failed, "{leaked:?}");
        assert!((half.risk - 0.5).abs() < 0.1, "half of the rows are there: {half:?}");
        assert!(fresh.risk < 0.05, "{fresh:?}");
        let refused = |halves| linkability(&train, &train, &holdout, halves, 10, 0);
        assert!(matches!(refused((&["x"], &["x"])), Err(Error::Option { .. })) && matches!(refused((&["x"], &["z"])), Err(Error::Data(_))));
    }
}
