//! Privacy by distance: whether the synthetic table is closer to its training rows than new rows of the same population are.
//!
//! These are necessary checks, not sufficient ones. A small distance or many copies show leakage; their absence does **not** show that there
//! is none: attacks on single outliers, on rare attributes or with several released tables can succeed where every number here looks fine.
//! Only a training method with a proof (differential privacy) gives a guarantee.

use semblant_core::seeds::Sequence;
use semblant_data::table::{Column, ColumnKind, MISSING, Table};
use serde::{Deserialize, Serialize};

use super::align::align;
use super::binning::range;
use super::copies::{copied_share, new_row_synthesis, repeated_shares};
use super::distance::{BoxTree, Nearest, Points, Scale, closest_record_distances};
use crate::Result;
use crate::error::undefined;
use crate::random::{random, subsample};
use crate::significance::{Balance, Tail, balance, lower_tail};

/// Random rows whose median is taken: it is then accurate to about 1 %, and distances of far rows are the slowest to compute.
const MOST_RANDOM: usize = 2_000;
/// Rows of each table that are searched for copies with one label changed, and columns from which on they are.
const MOST_CHANGED: usize = 10_000;
const LEAST_COLUMNS: usize = 4;
/// Real rows that are compared with the other real rows where there is no holdout.
const MOST_WITHIN: usize = 10_000;

/// Results of distances and copies.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Privacy {
    /// The synthetic rows against the training rows.
    pub synthetic: Closeness,
    /// The holdout rows against the same training rows: what new rows of the same population score. `None` without a holdout.
    pub holdout: Option<Closeness>,
    /// Without a holdout: each real row (at most 10,000) against all other real rows, which is what a new row would score, but for the ratio
    /// of distances, which it does not have (NaN). `None` with a holdout, or with a single real row.
    pub within: Option<Closeness>,
    /// Share of synthetic rows strictly closer to the training rows than to the holdout rows, both cut to the same size; about one half
    /// without memorization. Ties count as holdout, and `tied` is their share.
    pub closer_to_train: Option<f64>,
    /// Share of synthetic rows equally close to both.
    pub tied: Option<f64>,
    /// The synthetic rows that are closer to one side, counted for the real row that each is closest to.
    pub lean: Option<Balance>,
    /// Whether more synthetic rows than holdout rows lie so close to one training row, by the ratio of the distances to the closest and the
    /// second closest, as copies of it with noise do.
    pub near_copies: Option<Tail>,
    /// The same by distances that leave out one label in which two rows differ, as copies with one label changed do. `None` for tables of
    /// fewer than four columns or without labels. At most 10,000 rows of each.
    pub changed_copies: Option<Tail>,
    /// Median distance to the training rows of random rows within each column's range and labels ([`random_rows`]), at most 2,000 of them.
    pub random_median: f64,
}

impl Privacy {
    /// From the closest row, with its distance, of the training rows and of the holdout rows, `size` of each.
    fn compare_sides(&mut self, [train, holdout]: [Vec<Nearest>; 2], size: usize) {
        let mut closest_to = [vec![0; size], vec![0; size]];
        let mut tied = 0;
        for (train, holdout) in train.iter().zip(&holdout) {
            // Distances that differ by rounding only are ties.
            match train.distance - holdout.distance {
                difference if difference.abs() <= 1e-12 => tied += 1,
                difference if difference < 0.0 => closest_to[0][train.point] += 1,
                _ => closest_to[1][holdout.point] += 1,
            }
        }
        let rows = train.len() as f64;
        self.tied = Some(tied as f64 / rows);
        self.closer_to_train = Some(closest_to[0].iter().sum::<usize>() as f64 / rows);
        self.lean = Some(balance(&closest_to[0], &closest_to[1]));
    }

    /// The 95 % confidence interval of [`Self::closer_to_train`].
    pub fn closer_interval(&self) -> Option<[f64; 2]> {
        let (closer, tied, lean) = (self.closer_to_train?, self.tied?, self.lean?);
        let half = 1.96 * lean.deviation * (1.0 - tied);
        Some([(closer - half).max(0.0), (closer + half).min(1.0)])
    }

    /// What new rows would score: the holdout, or the real rows among themselves.
    pub fn reference(&self) -> Option<&Closeness> {
        self.holdout.as_ref().or(self.within.as_ref())
    }

    /// DCRBaselineProtection: the synthetic rows' median distance over that of random rows, at most 1.
    ///
    /// Range 0 to 1; near the holdout's own ratio is best, as 1 means rows as far off as random ones. Source: SDMetrics 0.29.0.
    ///
    /// # Errors
    /// [`crate::Error::Undefined`] when random rows lie on training rows.
    pub fn baseline_protection(&self, of: &Closeness) -> Result<f64> {
        if self.random_median == 0.0 {
            return undefined("random rows are at distance 0 too");
        }
        Ok((of.median / self.random_median).min(1.0))
    }
}

/// How close one table's rows are to the training rows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Closeness {
    /// Distance to the closest training row, one entry per row.
    #[serde(skip)]
    pub distances: Vec<f64>,
    /// That distance over the one to the second closest training row, 1 where both are 0.
    #[serde(skip)]
    pub ratios: Vec<f64>,
    /// The median distance.
    pub median: f64,
    /// The 5th percentile of the distances.
    pub percentile_5: f64,
    /// The 5th percentile of the ratios: near 0 where a row sits on one outlier of the training rows.
    pub ratio_percentile_5: f64,
    /// Share of rows that equal a training row.
    pub copies: f64,
    /// Share of rows that match no training row within 1 % ([`new_row_synthesis`]).
    pub new_rows: f64,
}

/// Distances of synthetic rows to the training rows ([`super::distance::closest_record_distances`]), exact copies and new rows, and the
/// same for a holdout outside the training set; `seed` draws the training rows for the comparison at equal sizes.
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
    let to_train = tree.nearest_points(&synthetic_points);
    let mut random = tree.distances(&scale.points(&random_rows(&tables[0], synthetic.rows().min(MOST_RANDOM), seed)?));
    random.sort_unstable_by(f64::total_cmp);
    let random_median = quantile(&random, 0.5);
    let mut result = Privacy {
        synthetic: closeness(&tables[0], &tables[1], &to_train)?,
        holdout: None,
        within: None,
        closer_to_train: None,
        tied: None,
        lean: None,
        near_copies: None,
        changed_copies: None,
        random_median,
    };
    if let Some(holdout) = tables.get(2) {
        let holdout_points = scale.points(holdout);
        let new = closeness(&tables[0], holdout, &tree.nearest_points(&holdout_points))?;
        result.near_copies = Some(lower_tail(&result.synthetic.ratios, &new.ratios));
        result.holdout = Some(new);
        let labels = tables[0].columns().iter().any(|column| column.numbers().is_none());
        result.changed_copies = (labels && tables[0].columns().len() >= LEAST_COLUMNS).then(|| {
            let changed = |points: &Points, purpose| {
                let points = points.take(&subsample(points.rows(), MOST_CHANGED, seed, purpose));
                tree.nearest_but_one_label(&points).into_iter().map(|[first, second]| ratio(first, second)).collect::<Vec<f64>>()
            };
            lower_tail(&changed(&synthetic_points, 24), &changed(&holdout_points, 25))
        });
        let size = train_points.rows().min(holdout.rows());
        let part = |points: &Points, purpose| points.take(&subsample(points.rows(), size, seed, purpose));
        let to_part = |points: &Points, purpose| BoxTree::new(&part(points, purpose)).nearest_points(&synthetic_points);
        // Without a cut the search has been made.
        let to_train = if size < train_points.rows() { to_part(&train_points, 1) } else { to_train };
        result.compare_sides([to_train, to_part(&holdout_points, 2)], size);
    } else if train.rows() > 1 {
        let rows = subsample(train.rows(), MOST_WITHIN, seed, 23);
        result.within = Some(within(&tables[0], &rows, tree.nearest_of_all(&train_points.take(&rows)))?);
    }
    Ok(result)
}

/// The rows' closeness to all others; the nearest to each is itself, or one that is equal to it.
fn within(train: &Table, rows: &[usize], nearest: Vec<[f64; 2]>) -> Result<Closeness> {
    let distances: Vec<f64> = nearest.iter().map(|[_, second]| *second).collect();
    let mut sorted = distances.clone();
    sorted.sort_unstable_by(f64::total_cmp);
    let [copies, near] = repeated_shares(train, rows)?;
    Ok(Closeness {
        median: quantile(&sorted, 0.5),
        percentile_5: quantile(&sorted, 0.05),
        ratios: Vec::new(),
        ratio_percentile_5: f64::NAN,
        copies,
        new_rows: 1.0 - near,
        distances,
    })
}

/// The distance to the closest over that to the second closest row. 0 over 0 is a row that several training rows are equal to: no outlier is given
/// away.
pub(crate) fn ratio(first: f64, second: f64) -> f64 {
    if second > 0.0 && second.is_finite() { first / second } else { 1.0 }
}

fn closeness(train: &Table, table: &Table, nearest: &[Nearest]) -> Result<Closeness> {
    let distances: Vec<f64> = nearest.iter().map(|nearest| nearest.distance).collect();
    let mut sorted = distances.clone();
    sorted.sort_unstable_by(f64::total_cmp);
    let ratios: Vec<f64> = nearest.iter().map(|nearest| ratio(nearest.distance, nearest.second)).collect();
    let mut sorted_ratios = ratios.clone();
    sorted_ratios.sort_unstable_by(f64::total_cmp);
    Ok(Closeness {
        median: quantile(&sorted, 0.5),
        percentile_5: quantile(&sorted, 0.05),
        ratio_percentile_5: quantile(&sorted_ratios, 0.05),
        ratios,
        copies: copied_share(train, table)?,
        new_rows: new_row_synthesis(train, table)?,
        distances,
    })
}

/// DCROverfittingProtection: twice the share of synthetic rows that are not strictly closer to a training row than to a holdout row, at most 1.
///
/// Each distance is scaled by the range of the table it is measured to, as in SDMetrics 0.29.0, whose scores this reproduces. The two sides
/// are comparable only if those ranges and the numbers of rows are about equal; [`Privacy::closer_to_train`] ensures both.
///
/// # Errors
/// [`crate::Error::Tables`] when the tables share no column or one has no rows.
pub fn overfitting_protection(train: &Table, synthetic: &Table, holdout: &Table) -> Result<f64> {
    let (to_train, to_holdout) = (closest_record_distances(train, synthetic)?, closest_record_distances(holdout, synthetic)?);
    let closer = to_train.iter().zip(&to_holdout).filter(|(train, holdout)| *train - *holdout < -1e-12).count();
    Ok((2.0 * (1.0 - closer as f64 / to_train.len() as f64)).min(1.0))
}

/// `rows` random rows within each column's range and labels and with its share of missing values: numbers uniform in the range (whole ones for integers),
/// labels equally often.
///
/// # Errors
/// None for tables that [`Table::new`] accepts.
pub fn random_rows(real: &Table, rows: usize, seed: u64) -> Result<Table> {
    let columns = real.iter().enumerate().map(|(place, (described, column))| {
        let mut random = random(seed, (3 << 32) + place as u64);
        let missing = column.missing() as f64 / column.len().max(1) as f64;
        let gap = move |random: &mut Sequence| random.unit() < missing;
        match column {
            Column::Number(values) => {
                let (low, high) = range(values).unwrap_or((f64::NAN, f64::NAN));
                let draw = |unit: f64| match described.kind {
                    ColumnKind::Integer => (low + (unit * (high - low + 1.0)).floor()).min(high),
                    _ => low + unit * (high - low),
                };
                Column::Number((0..rows).map(|_| if gap(&mut random) { f64::NAN } else { draw(random.unit()) }).collect())
            }
            Column::Category { codes, levels } => {
                let mut occurring: Vec<u32> = codes.iter().copied().filter(|&code| code != MISSING).collect();
                occurring.sort_unstable();
                occurring.dedup();
                let draw = |random: &mut Sequence| if occurring.is_empty() { MISSING } else { occurring[random.below(occurring.len())] };
                let codes = (0..rows).map(|_| if gap(&mut random) { MISSING } else { draw(&mut random) }).collect();
                Column::Category { codes, levels: levels.clone() }
            }
        }
    });
    Ok(Table::new(real.schema().clone(), columns.collect())?)
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
    use crate::random::random;
    use semblant_data::table::{Column, ColumnKind};

    fn table(seed: u64, rows: usize) -> Table {
        let mut random = random(seed, 0);
        let mut column = || Column::Number((0..rows).map(|_| random.below(1 << 40) as f64).collect());
        Table::from_columns(vec![("x", ColumnKind::Continuous, column()), ("y", ColumnKind::Continuous, column())]).unwrap()
    }

    #[test]
    fn new_rows_of_the_same_population_look_like_the_holdout_and_copies_do_not() {
        let (train, holdout, honest) = (table(1, 2000), table(2, 2000), table(3, 2000));
        let result = privacy(&train, &honest, Some(&holdout), 0).unwrap();
        let reference = result.holdout.clone().unwrap();
        assert!((result.closer_to_train.unwrap() - 0.5).abs() < 0.04);
        assert!((result.synthetic.median / reference.median - 1.0).abs() < 0.1);
        assert!((result.synthetic.ratio_percentile_5 / reference.ratio_percentile_5 - 1.0).abs() < 0.2);
        // In two even columns random rows are as good as any.
        assert!(result.baseline_protection(&result.synthetic).unwrap() > 0.95);
        assert_eq!((result.synthetic.copies, result.synthetic.new_rows > 0.6), (0.0, true));

        let mut leaking = honest.take(&(0..1800).collect::<Vec<_>>());
        leaking.append(&train.take(&(0..200).collect::<Vec<_>>())).unwrap();
        let result = privacy(&train, &leaking, Some(&holdout), 0).unwrap();
        assert!((result.synthetic.copies - 0.1).abs() < 1e-12);
        assert_eq!((result.synthetic.percentile_5, result.synthetic.ratio_percentile_5), (0.0, 0.0));
        assert!((result.closer_to_train.unwrap() - 0.55).abs() < 0.04);
        assert_eq!(privacy(&train, &train, Some(&holdout), 0).unwrap().closer_to_train, Some(1.0));

        // Without a holdout the real rows among themselves tell about the same.
        let alone = privacy(&train, &honest, None, 0).unwrap().within.unwrap();
        assert!((alone.median / reference.median - 1.0).abs() < 0.1 && (alone.percentile_5 / reference.percentile_5 - 1.0).abs() < 0.2);
        assert!((alone.new_rows - reference.new_rows).abs() < 0.03 && alone.copies == 0.0, "{} {}", alone.new_rows, reference.new_rows);
    }
}
