//! Support: plausibility, diversity and novelty of synthetic rows by nearest neighbours.

use rayon::prelude::*;
use semblant_data::table::Table;
use serde::{Deserialize, Serialize};

use super::align::align;
use super::embed::Embedding;
use super::privacy::quantile;
use super::shapes::mean;
use crate::Result;
use crate::error::undefined;
use crate::nearest::Rows;
use crate::random::subsample;

/// Levels that the two curves are taken at.
const LEVELS: usize = 30;

/// Alpha-precision, beta-recall and authenticity (Alaa et al. 2022) without their one-class network: what papers on tables report.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Support {
    /// How closely the share of synthetic rows within the real rows' alpha-ball follows alpha. Range 0 to 1, higher is better.
    pub alpha_precision: f64,
    /// How closely the share of real rows with a synthetic row nearby that is in the synthetic rows' beta-ball follows beta. Range 0 to 1,
    /// higher is better; new real rows reach about one half, since half of them have a closer real neighbour.
    pub beta_recall: f64,
    /// The share of real rows whose nearest other real row is nearer than the nearest synthetic one. About one half for new real rows, 0 for
    /// copies.
    pub authenticity: f64,
    /// The same with the error of the published code, which looks up the real row by the synthetic row's number. Only for comparison with
    /// published numbers.
    pub authenticity_as_coded: f64,
    /// The share of real rows with a synthetic row strictly nearer than any other real row: identifiability, without weights
    /// (Yoon et al. 2020).
    pub identifiability: f64,
    /// Rows of each table.
    pub rows: usize,
}

/// Compares `rows` rows of either table, drawn by `seed`, or as many as the smaller has: numbers scaled to the real range, missing ones at the
/// mean with a flag, labels one-hot. Memory is that of the points.
///
/// Source: synthcity's AlphaPrecision, variant "naive", with its golden values; the authenticity is corrected.
///
/// # Errors
/// [`crate::Error::Tables`] when the tables share no column or one has no rows; [`crate::Error::Undefined`] with fewer than two rows.
pub fn support(real: &Table, synthetic: &Table, rows: usize, seed: u64) -> Result<Support> {
    let tables = align(&[real, synthetic])?;
    let rows = rows.min(real.rows()).min(synthetic.rows());
    let embedding = Embedding::fit(&tables[0]);
    let points = |side: usize| embedding.points(&tables[side].take(&subsample(tables[side].rows(), rows, seed, 20 + side as u64)));
    support_of_points(&points(0), &points(1), embedding.width())
}

/// [`support`] of points `[rows, width]`, equally many in both tables.
///
/// # Errors
/// [`crate::Error::Undefined`] with fewer than two rows, or not equally many.
pub(crate) fn support_of_points(real: &[f64], synthetic: &[f64], width: usize) -> Result<Support> {
    if real.len() != synthetic.len() || real.len() < 2 * width {
        return undefined("support needs equally many rows, and two at least");
    }
    let (a, b) = (Rows::new(real, width), Rows::new(synthetic, width));
    let count = a.count();
    let (centre, synthetic_centre) = (centre(real, width), self::centre(synthetic, width));
    let levels: Vec<f64> = (0..LEVELS).map(|level| level as f64 / (LEVELS - 1) as f64).collect();

    let radii = quantiles(distances(real, &centre), &levels);
    let from_centre = distances(synthetic, &centre);
    let precision = radii.iter().map(|radius| share(from_centre.iter(), |distance| *distance <= radius));

    let nearest_synthetic = a.fold(&b, |_| (f64::INFINITY, 0), |best, first, found| nearest(best, first, found, None));
    let nearest_real = a.fold(&a, |row| (row, (f64::INFINITY, 0)), |(row, best), first, found| nearest(best, first, found, Some(*row)));
    let from_own_centre = distances(synthetic, &synthetic_centre);
    let own: Vec<f64> = nearest_synthetic.iter().map(|&(_, row)| from_own_centre[row]).collect();
    let own_radii = quantiles(own.clone(), &levels);
    let near = |row: usize| nearest_synthetic[row].0 <= nearest_real[row].1.0;
    let recall = own_radii.iter().map(|radius| share(0..count, |&row| near(row) && own[row] <= *radius));

    Ok(Support {
        alpha_precision: closeness(&levels, precision),
        beta_recall: closeness(&levels, recall),
        authenticity: share(0..count, |&row| nearest_real[row].1.0 < nearest_synthetic[row].0),
        authenticity_as_coded: share(0..count, |&row| nearest_real[nearest_synthetic[row].1].1.0 < nearest_synthetic[row].0),
        identifiability: share(0..count, |&row| nearest_synthetic[row].0 < nearest_real[row].1.0),
        rows: count,
    })
}

fn nearest(best: &mut (f64, usize), first: usize, found: &[f64], except: Option<usize>) {
    for (place, &distance) in found.iter().enumerate() {
        if distance < best.0 && Some(first + place) != except {
            *best = (distance, first + place);
        }
    }
}

/// 1 minus the mean distance of a curve from its levels, over their mean.
fn closeness(levels: &[f64], curve: impl Iterator<Item = f64>) -> f64 {
    1.0 - levels.iter().zip(curve).map(|(level, found)| (level - found).abs()).sum::<f64>() / levels.iter().sum::<f64>()
}

fn share<T>(items: impl Iterator<Item = T>, holds: impl Fn(&T) -> bool) -> f64 {
    mean(items.map(|item| f64::from(u8::from(holds(&item))))).unwrap_or(f64::NAN)
}

fn centre(points: &[f64], width: usize) -> Vec<f64> {
    let mut sum = vec![0.0; width];
    points.chunks_exact(width).for_each(|point| sum.iter_mut().zip(point).for_each(|(sum, value)| *sum += value));
    sum.iter().map(|sum| sum / (points.len() / width) as f64).collect()
}

fn distances(points: &[f64], from: &[f64]) -> Vec<f64> {
    points.par_chunks_exact(from.len()).map(|point| point.iter().zip(from).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt()).collect()
}

fn quantiles(mut values: Vec<f64>, levels: &[f64]) -> Vec<f64> {
    values.sort_unstable_by(f64::total_cmp);
    levels.iter().map(|&level| quantile(&values, level)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::random;
    use semblant_data::table::{Column, ColumnKind};

    /// numpy, by the formulas of synthcity's `AlphaPrecision.metrics` (variant "naive"): X_i = [sin i, cos 2i],
    /// S_i = [0.9 sin(i + 0.1), cos(2i + 0.3)], i = 0..49.
    #[test]
    fn scores_have_the_values_of_synthcity() {
        let points = |of: fn(f64) -> [f64; 2]| (0..50).flat_map(|i| of(f64::from(i))).collect::<Vec<f64>>();
        let real = points(|i| [i.sin(), (2.0 * i).cos()]);
        let synthetic = points(|i| [0.9 * (i + 0.1).sin(), (2.0 * i + 0.3).cos()]);
        let found = support_of_points(&real, &synthetic, 2).unwrap();
        assert!((found.alpha_precision - 0.886_344_827_586_206_9).abs() < 1e-9, "{found:?}");
        assert!((found.beta_recall - 0.238_666_666_666_666_8).abs() < 1e-9, "{found:?}");
        assert_eq!((found.authenticity_as_coded, found.authenticity, found.identifiability), (0.76, 0.82, 0.18));
    }

    #[test]
    fn copies_are_not_authentic_and_lost_margins_are_not_recalled() {
        // Uniform on the square, or on its middle part from `from` on.
        let table = |seed: u64, from: f64| {
            let mut random = random(seed, 0);
            let mut column = || Column::Number((0..600).map(|_| from + (1.0 - 2.0 * from) * random.unit()).collect());
            Table::from_columns(vec![("x", ColumnKind::Continuous, column()), ("y", ColumnKind::Continuous, column())]).unwrap()
        };
        let (real, fresh, part) = (table(0, 0.0), table(1, 0.0), table(2, 0.25));
        let score = |synthetic: &Table| support(&real, synthetic, 10_000, 0).unwrap();
        let (copied, fresh, part) = (score(&real), score(&fresh), score(&part));
        assert_eq!((copied.authenticity, copied.identifiability), (0.0, 1.0));
        assert!(copied.alpha_precision > 0.999 && copied.beta_recall > 0.99, "{copied:?}");
        assert!((fresh.authenticity - 0.5).abs() < 0.06 && fresh.alpha_precision > 0.95, "{fresh:?}");
        assert!(part.beta_recall < fresh.beta_recall - 0.1 && part.alpha_precision < 0.8, "{part:?} {fresh:?}");
    }
}
