//! Privacy by distance: is the synthetic table closer to the rows it was trained on than new rows of the same population are?
//!
//! These are necessary checks, not sufficient ones. A low distance or many copies shows a leak; their absence does **not** show that there is
//! none: attacks on single outliers, on rare attributes or with many released tables can succeed where every number here looks fine. Only a
//! training method with a proof (differential privacy) gives a guarantee.

use semblant_data::table::Table;
use serde::{Deserialize, Serialize};

use super::align::align;
use super::copies::{copied_share, new_row_synthesis};
use super::distance::{BoxTree, Scale};
use super::shapes::mean;
use crate::Result;
use crate::random::subsample;

/// What distances and copies say.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Privacy {
    /// The synthetic rows against the training rows.
    pub synthetic: Closeness,
    /// The holdout rows against the same training rows: what new rows of the same population score. `None` without a holdout.
    pub holdout: Option<Closeness>,
    /// Share of synthetic rows strictly closer to the training rows than to the holdout rows, both cut to the same size; about one half when
    /// the model has learnt the population and not its rows. Ties count as holdout, and `tied` says how many there are.
    pub closer_to_train: Option<f64>,
    /// Share of synthetic rows equally close to both.
    pub tied: Option<f64>,
}

/// How close one table's rows are to the training rows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Closeness {
    /// Distance to the closest training row, one entry per row.
    #[serde(skip)]
    pub distances: Vec<f64>,
    /// Their median.
    pub median: f64,
    /// Their 5th percentile.
    pub percentile_5: f64,
    /// Share of rows that equal a training row.
    pub copies: f64,
    /// Share of rows that match no training row within 1 % ([`new_row_synthesis`]).
    pub new_rows: f64,
}

/// Distances of synthetic rows to the training rows ([`super::distance::closest_record_distances`]), exact copies and new rows, beside the
/// same for a holdout that the model never saw; `seed` draws the training rows for the comparison at equal sizes.
///
/// Distances are scaled by the training table's ranges throughout, so those to training and holdout rows can be compared.
/// Source: SDMetrics 0.29.0 (DCR, DCROverfittingProtection, which scales by each table's own range instead), Platzer and Reutterer 2021
/// (the holdout reference).
///
/// # Errors
/// [`crate::Error::Tables`] when the tables share no column or one has no rows.
pub fn privacy(train: &Table, synthetic: &Table, holdout: Option<&Table>, seed: u64) -> Result<Privacy> {
    let tables: Vec<&Table> = [train, synthetic].into_iter().chain(holdout).collect();
    let tables = align(&tables)?;
    let scale = Scale::new(&tables[0]);
    let train_points = scale.points(&tables[0]);
    let synthetic_points = scale.points(&tables[1]);
    let tree = BoxTree::new(&train_points);
    let close = |table: &Table| closeness(&tables[0], table, tree.distances(&scale.points(table)));
    let mut result = Privacy { synthetic: close(&tables[1])?, holdout: None, closer_to_train: None, tied: None };
    if let Some(holdout) = tables.get(2) {
        result.holdout = Some(close(holdout)?);
        let size = train_points.rows().min(holdout.rows());
        let to_train = match size < train_points.rows() {
            true => BoxTree::new(&train_points.take(&subsample(train_points.rows(), size, seed, 1))).distances(&synthetic_points),
            false => result.synthetic.distances.clone(),
        };
        let holdout_points = scale.points(holdout).take(&subsample(holdout.rows(), size, seed, 2));
        let to_holdout = BoxTree::new(&holdout_points).distances(&synthetic_points);
        // Distances that differ by rounding only are ties.
        let share = |holds: fn(f64) -> bool| {
            mean(to_train.iter().zip(&to_holdout).map(|(train, holdout)| f64::from(u8::from(holds(train - holdout)))))
        };
        result.closer_to_train = share(|difference| difference < -1e-12);
        result.tied = share(|difference| difference.abs() <= 1e-12);
    }
    Ok(result)
}

fn closeness(train: &Table, table: &Table, distances: Vec<f64>) -> Result<Closeness> {
    let mut sorted = distances.clone();
    sorted.sort_unstable_by(f64::total_cmp);
    Ok(Closeness {
        median: quantile(&sorted, 0.5),
        percentile_5: quantile(&sorted, 0.05),
        copies: copied_share(train, table)?,
        new_rows: new_row_synthesis(train, table)?,
        distances,
    })
}

/// The quantile of sorted values, linear between neighbours (numpy's default); NaN of nothing.
pub(crate) fn quantile(sorted: &[f64], at: f64) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else { return f64::NAN };
    let place = at * last as f64;
    let (low, high) = (sorted[place.floor() as usize], sorted[place.ceil() as usize]);
    if low == high { low } else { low * (1.0 - place.fract()) + high * place.fract() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;
    use semblant_data::table::{Column, ColumnKind};

    fn table(seed: u64, rows: usize) -> Table {
        let mut random = Random::new(seed, 0);
        let mut column = || Column::Number((0..rows).map(|_| random.below(1 << 40) as f64).collect());
        Table::from_columns(vec![("x", ColumnKind::Continuous, column()), ("y", ColumnKind::Continuous, column())]).unwrap()
    }

    #[test]
    fn new_rows_of_the_same_population_look_like_the_holdout_and_copies_do_not() {
        let (train, holdout, honest) = (table(1, 2000), table(2, 2000), table(3, 2000));
        let result = privacy(&train, &honest, Some(&holdout), 0).unwrap();
        let reference = result.holdout.unwrap();
        assert!((result.closer_to_train.unwrap() - 0.5).abs() < 0.04);
        assert!((result.synthetic.median / reference.median - 1.0).abs() < 0.1);
        assert_eq!((result.synthetic.copies, result.synthetic.new_rows > 0.6), (0.0, true));

        let mut leaking = honest.take(&(0..1800).collect::<Vec<_>>());
        leaking.append(&train.take(&(0..200).collect::<Vec<_>>())).unwrap();
        let result = privacy(&train, &leaking, Some(&holdout), 0).unwrap();
        assert!((result.synthetic.copies - 0.1).abs() < 1e-12);
        assert_eq!(result.synthetic.percentile_5, 0.0);
        assert!((result.closer_to_train.unwrap() - 0.55).abs() < 0.04);
        assert_eq!(privacy(&train, &train, Some(&holdout), 0).unwrap().closer_to_train, Some(1.0));
    }
}
