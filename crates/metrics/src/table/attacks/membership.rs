//! Membership inference from the synthetic table alone, by distance and by density.

use semblant_data::table::Table;

use crate::Result;
use crate::components::Components;
use crate::error::undefined;
use crate::membership::{Membership, membership};
use crate::nearest::Rows;
use crate::random::subsample;
use crate::table::align::align;
use crate::table::distance::{BoxTree, Scale};
use crate::table::embed::Embedding;

/// Membership inference by distance: the score of a row is minus its distance to the closest synthetic row ([`super::super::distance`]).
/// Scores `rows` rows of each real table, drawn by `seed`.
///
/// Source: Chen et al. 2020, "GAN-Leaks", the black-box attack.
///
/// # Errors
/// [`crate::Error::Tables`] when the tables share no column or one has no rows.
pub fn by_distance(train: &Table, synthetic: &Table, holdout: &Table, rows: usize, seed: u64) -> Result<Membership> {
    let tables = align(&[train, synthetic, holdout])?;
    let scale = Scale::new(&tables[0]);
    let tree = BoxTree::new(&scale.points(&tables[1]));
    let score = |table: &Table, purpose| -> Vec<f64> {
        let chosen = table.take(&subsample(table.rows(), rows, seed, purpose));
        tree.distances(&scale.points(&chosen)).iter().map(|distance| -distance).collect()
    };
    membership(&score(&tables[0], 61), &score(&tables[2], 62), seed)
}

/// Membership inference by relative distance: the score of a row is minus its distance to the closest synthetic row over that to the closest
/// other real row, training and holdout rows alike. A row that is far from all others counts as much as one among many, so that copies of
/// outliers and noisy copies are seen which [`by_distance`] misses. A row that equals another real row is scored as unsuspicious (-1), or lower.
/// Scores `rows` rows of each real table, drawn by `seed`.
///
/// # Errors
/// [`crate::Error::Tables`] when the tables share no column or one has no rows.
pub fn by_relative_distance(train: &Table, synthetic: &Table, holdout: &Table, rows: usize, seed: u64) -> Result<Membership> {
    let tables = align(&[train, synthetic, holdout])?;
    let scale = Scale::new(&tables[0]);
    let mut real = tables[0].clone();
    real.append(&tables[2])?;
    let of_synthetic = BoxTree::new(&scale.points(&tables[1]));
    let of_real = BoxTree::new(&scale.points(&real));
    let score = |table: &Table, purpose| -> Vec<f64> {
        let points = scale.points(&table.take(&subsample(table.rows(), rows, seed, purpose)));
        // The closest real row is the row itself.
        let others = of_real.nearest_of_all::<2>(&points).into_iter().map(|[_, other]| other);
        let relative = |(found, other): (f64, f64)| if other > 0.0 { found / other } else { 1.0 + found };
        of_synthetic.distances(&points).into_iter().zip(others).map(relative).map(|relative| -relative).collect()
    };
    membership(&score(&tables[0], 61), &score(&tables[2], 62), seed)
}

/// Principal components of the densities; kernel densities of a few thousand points in more dimensions are meaningless.
const COMPONENTS: usize = 8;

/// Membership inference by density: the score of a row is `p_synthetic(x) / (p_reference(x) + 1e-10)`, high where synthetic rows are denser
/// than the population. Half of the holdout, drawn by `seed`, is the attacker's reference; the other half is scored, at most `rows` rows of
/// each real table, and densities use at most `rows` rows.
///
/// Densities are Gaussian kernel estimates with Scott's bandwidth, in the first 8 principal components of the reference rows (numbers scaled
/// to the range, labels one-hot). Source: van Breugel et al. 2023, "Membership inference attacks against synthetic data through overfitting
/// detection" (DOMIAS).
///
/// # Errors
/// [`crate::Error::Tables`] when the tables share no column or one has no rows; [`crate::Error::Undefined`] with fewer than four holdout rows
/// or two synthetic ones.
pub fn by_density(train: &Table, synthetic: &Table, holdout: &Table, rows: usize, seed: u64) -> Result<Membership> {
    if holdout.rows() < 4 || synthetic.rows() < 2 {
        return undefined("densities need four holdout rows and two synthetic ones");
    }
    let tables = align(&[train, synthetic, holdout])?;
    let reference = subsample(holdout.rows(), holdout.rows() / 2, seed, 63);
    let others: Vec<usize> = (0..holdout.rows()).filter(|row| reference.binary_search(row).is_err()).collect();
    let embedding = Embedding::fit(&tables[0]);
    let cut = |table: &Table, purpose| embedding.points(&table.take(&subsample(table.rows(), rows, seed, purpose)));
    let reference = cut(&tables[2].take(&reference), 64);
    let axes = components(&reference, embedding.width())?;
    let [synthetic, reference, members, others] =
        [cut(&tables[1], 65), reference, cut(&tables[0], 66), cut(&tables[2].take(&others), 67)].map(|points| axes.project(&points));
    let (of_synthetic, of_reference) = (Density::fit(&synthetic, axes.variances.len())?, Density::fit(&reference, axes.variances.len())?);
    let score = |points: &[f64]| -> Vec<f64> {
        let (a, b) = (of_synthetic.logarithms(points), of_reference.logarithms(points));
        a.iter().zip(b).map(|(a, b)| a - (b.exp() + 1e-10).ln()).collect()
    };
    membership(&score(&members), &score(&others), seed)
}

/// The principal components of `points [n, width]`, at most [`COMPONENTS`], without those of negligible variance.
fn components(points: &[f64], width: usize) -> Result<Components> {
    let Some(mut found) = Components::fit(points, width, COMPONENTS) else { return undefined("the rows have no finite covariance") };
    // Below a millionth of the largest is rounding.
    let least = 1e-6 * found.variances[0].max(1e-12);
    let kept = found.variances.iter().filter(|&&variance| variance > least).count();
    if kept == 0 {
        return undefined("all reference rows are equal");
    }
    found.directions.truncate(kept);
    found.variances.truncate(kept);
    Ok(found)
}

/// A Gaussian kernel estimate: the points' covariance, scaled by Scott's factor `n^(-1 / (d + 4))` squared, around each (Scott 1992; scipy's
/// `gaussian_kde`).
struct Density {
    axes: Components,
    /// Whitened and over the bandwidth, `[n, axes]`.
    points: Vec<f64>,
    scales: Vec<f64>,
    /// Logarithm of the factor before the sum.
    factor: f64,
}

impl Density {
    /// Of `points [n, width]`. A direction in which they do not vary has no density and is left out.
    fn fit(points: &[f64], width: usize) -> Result<Self> {
        let count = (points.len() / width) as f64;
        let axes = components(points, width)?;
        let bandwidth = count.powf(-1.0 / (axes.variances.len() as f64 + 4.0));
        let scales: Vec<f64> = axes.variances.iter().map(|variance| variance.sqrt() * bandwidth).collect();
        let volume: f64 = scales.iter().map(|scale| ((2.0 * std::f64::consts::PI).sqrt() * scale).ln()).sum();
        let mut density = Self { axes, points: Vec::new(), scales, factor: -count.ln() - volume };
        density.points = density.place(points);
        Ok(density)
    }

    fn place(&self, points: &[f64]) -> Vec<f64> {
        let mut placed = self.axes.project(points);
        placed
            .chunks_exact_mut(self.scales.len())
            .for_each(|point| point.iter_mut().zip(&self.scales).for_each(|(value, scale)| *value /= scale));
        placed
    }

    /// The logarithm of the density at each query.
    fn logarithms(&self, queries: &[f64]) -> Vec<f64> {
        let width = self.scales.len();
        let queries = self.place(queries);
        // The greatest exponent so far, and the sum of the terms over its exponential: no underflow far from all points.
        let add = |(greatest, sum): &mut (f64, f64), _: usize, distances: &[f64]| {
            for exponent in distances.iter().map(|distance| -0.5 * distance) {
                if exponent > *greatest {
                    *sum *= (*greatest - exponent).exp();
                    *greatest = exponent;
                }
                *sum += (exponent - *greatest).exp();
            }
        };
        let sums = Rows::new(&queries, width).fold(&Rows::new(&self.points, width), |_| (f64::NEG_INFINITY, 0.0), add);
        sums.into_iter().map(|(greatest, sum)| self.factor + greatest + sum.ln()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests_support::{population, with_leak};
    use super::*;

    /// x = np.array([np.sin(np.arange(30)), np.cos(2 * np.arange(30)) * .5 + np.sin(np.arange(30))]);
    /// gaussian_kde(x).logpdf([[0, .5, 3], [0, -.2, 1]]), scipy 1.17.
    #[test]
    fn densities_are_those_of_scipy() {
        let points: Vec<f64> = (0..30).map(f64::from).flat_map(|i| [i.sin(), 0.5 * (2.0 * i).cos() + i.sin()]).collect();
        let found = Density::fit(&points, 2).unwrap().logarithms(&[0.0, 0.0, 0.5, -0.2, 3.0, 1.0]);
        for (found, expected) in found.iter().zip(GOLDEN) {
            assert!((found - expected).abs() < 1e-6, "{found} and not {expected}");
        }
    }

    const GOLDEN: [f64; 3] = [-1.682861299595042, -2.7924073550077853, -40.32197022097557];

    #[test]
    fn members_of_a_leaked_table_are_recognized_and_of_a_fresh_one_are_not() {
        let (train, holdout, fresh) = (population(53, 1500), population(54, 1500), population(55, 1500));
        let relative = |synthetic: &Table| by_relative_distance(&train, synthetic, &holdout, 1500, 0).unwrap();
        assert!(relative(&train).auc.value > 0.99 && relative(&train).tail.p_value < 1e-9);
        assert!(relative(&with_leak(&fresh, &train, 30)).tail.p_value < 1e-5);
        assert!(relative(&fresh).tail.p_value > 0.01 && relative(&fresh).auc_p_value > 0.01);
        let both = |synthetic: &Table| {
            [by_distance(&train, synthetic, &holdout, 1500, 0).unwrap(), by_density(&train, synthetic, &holdout, 1500, 0).unwrap()]
        };
        let ([leaked, dense], [half, _], [nothing, thin]) = (both(&train), both(&with_leak(&fresh, &train, 750)), both(&fresh));
        assert!(leaked.auc.value > 0.999 && leaked.found_at_01_percent.unwrap().value > 0.99, "{leaked:?}");
        assert!(dense.auc.value > 0.55 && dense.auc.interval[0] > 0.5, "{dense:?}");
        // Half of the members sit on a synthetic row; the rest is guessed: 0.5 + 0.5 * 0.5.
        assert!((half.auc.value - 0.75).abs() < 0.04 && (half.found_at_1_percent.unwrap().value - 0.5).abs() < 0.05, "{half:?}");
        for nothing in [nothing, thin] {
            assert!(
                (nothing.auc.value - 0.5).abs() < 0.04 && nothing.auc.interval[0] < 0.5 && nothing.auc.interval[1] > 0.5,
                "{nothing:?}"
            );
            assert!(nothing.found_at_1_percent.unwrap().value < 0.03, "{nothing:?}");
        }
    }
}
