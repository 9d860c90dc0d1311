//! Intervals of the distances between features, and the bias of the Frechet distance: by leaving out groups of images (the delete-a-group
//! jackknife; Quenouille 1956, Tukey 1958, Shao and Wu 1989).

use rayon::prelude::*;

use super::frechet::{Moments, frechet_distance};
use crate::Result;
use crate::bootstrap::{Estimate, student};
use crate::nearest::rows_at;
use crate::random::random;

/// Groups that are left out in turn, and those of wide features, whose Frechet distance takes seconds.
const GROUPS: usize = 10;
const GROUPS_OF_WIDE: usize = 5;
const WIDE: usize = 512;
/// Images of each set, over the width of the features, from which on the bias is estimated.
const LEAST_OF_WIDTH: usize = 2;
/// Images of each set in a kernel's jackknife.
pub(super) const KERNEL_IMAGES: usize = 2_000;

/// The Frechet distance with what leaving out images tells of it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FrechetEstimate {
    /// The distance, by all features.
    pub value: f64,
    /// How it varies from draw to draw, around a mean that is too high; none with fewer than two images a group.
    pub interval: Option<[f64; 2]>,
    /// The distance less its bias, which is proportional to one over the number of images: about 0 for equal distributions, by chance below. None
    /// with fewer than twice as many images of a set as the features are wide, where the bias is not so simple.
    pub corrected: Option<Estimate>,
}

/// The parts of a jackknife over `rows` rows, in an order drawn by `seed` and `purpose`.
fn groups(rows: usize, count: usize, seed: u64, purpose: u64) -> Vec<Vec<usize>> {
    let mut order: Vec<usize> = (0..rows).collect();
    random(seed, purpose).shuffle(&mut order);
    (0..count).map(|group| order[group * rows / count..(group + 1) * rows / count].to_vec()).collect()
}

/// The bias of a value, and half the width of its 95 % interval, from the values without each group.
fn jackknife(value: f64, without: &[f64]) -> [f64; 2] {
    let count = without.len() as f64;
    let mean = without.iter().sum::<f64>() / count;
    let variance = (count - 1.0) / count * without.iter().map(|other| (other - mean).powi(2)).sum::<f64>();
    [(count - 1.0) * (mean - value), student(without.len() - 1) * variance.sqrt()]
}

/// The Frechet distance of `a` and `b [n, width]`, row-major, with its interval and its bias: a group of both is left out in turn.
///
/// The bias is that of Chong and Forsyth 2020, "Effectively unbiased FID", proportional to one over the number of images, which here comes from the
/// jackknife instead of from smaller samples.
///
/// # Errors
/// As [`frechet_distance`].
///
/// # Panics
/// When a length is no multiple of `width`.
pub fn frechet_estimate(a: &[f32], b: &[f32], width: usize, seed: u64) -> Result<FrechetEstimate> {
    let count = if width > WIDE { GROUPS_OF_WIDE } else { GROUPS };
    let of_groups = |features: &[f32], purpose| {
        let of = |group: Vec<usize>| Moments::of(&rows_at(features, width, &group), width);
        groups(features.len() / width, count, seed, purpose).into_par_iter().map(of).collect::<Vec<Moments>>()
    };
    let parts = [of_groups(a, 70), of_groups(b, 71)];
    let all = |without: Option<usize>| {
        let of = |parts: &[Moments]| {
            let mut sum = Moments::new(width);
            parts.iter().enumerate().filter(|(group, _)| Some(*group) != without).for_each(|(_, part)| sum.join(part));
            sum
        };
        frechet_distance(&of(&parts[0]), &of(&parts[1]))
    };
    // By all rows in their own order, so that the value is the definition's to the last digit.
    let value = frechet_distance(&Moments::of(a, width), &Moments::of(b, width))?;
    let rows = [a, b].map(|features| features.len() / width);
    if rows.iter().any(|&rows| rows < 2 * count) {
        return Ok(FrechetEstimate { value, interval: None, corrected: None });
    }
    let without = (0..count).map(|group| all(Some(group))).collect::<Result<Vec<f64>>>()?;
    let [bias, half] = jackknife(value, &without);
    let corrected = Estimate { value: value - bias, interval: [value - bias - half, value - bias + half] };
    let enough = rows.iter().all(|&rows| rows >= LEAST_OF_WIDTH * width);
    Ok(FrechetEstimate { value, interval: Some([(value - half).max(0.0), value + half]), corrected: enough.then_some(corrected) })
}

/// Half the width of the 95 % interval of a kernel distance between two sets, of which `sizes` are the numbers, from the sums of the kernel
/// between and within groups of rows: `sums[x][i][j]` with `x` for within the first, within the second and between, without rows and themselves.
/// `counts[x][i]` are the rows of each group. An unbiased estimate is computed without each group; its deviation is brought to `sizes` by the root.
pub(super) fn kernel_half_width(sums: &[Vec<Vec<f64>>; 3], counts: &[Vec<usize>; 2], sizes: [usize; 2]) -> f64 {
    let groups = counts[0].len();
    let without = |left: usize| {
        let kept = |group: &usize| *group != left;
        let rows = |side: usize| (0..groups).filter(kept).map(|group| counts[side][group]).sum::<usize>() as f64;
        let sum = |part: usize| -> f64 {
            (0..groups).filter(kept).map(|i| (0..groups).filter(kept).map(|j| sums[part][i][j]).sum::<f64>()).sum()
        };
        let [n, m] = [rows(0), rows(1)];
        sum(0) / (n * (n - 1.0)) + sum(1) / (m * (m - 1.0)) - 2.0 * sum(2) / (n * m)
    };
    let values: Vec<f64> = (0..groups).map(without).collect();
    let [_, half] = jackknife(0.0, &values);
    let used = counts.iter().map(|of| of.iter().sum::<usize>()).min().unwrap_or(0) as f64;
    half * (used / sizes[0].min(sizes[1]).max(1) as f64).min(1.0).sqrt()
}

/// Rows of features in the groups of a kernel's jackknife, one group after the other, and the numbers of rows of the groups. None with fewer
/// than three rows a group.
pub(super) fn kernel_groups(features: &[f32], width: usize, most: usize, seed: u64, purpose: u64) -> Option<Vec<Vec<f32>>> {
    let mut order: Vec<usize> = (0..features.len() / width).collect();
    random(seed, purpose).shuffle(&mut order);
    order.truncate(most.min(KERNEL_IMAGES));
    let part = |group: usize| rows_at(features, width, &order[group * order.len() / GROUPS..(group + 1) * order.len() / GROUPS]);
    (order.len() >= 3 * GROUPS).then(|| (0..GROUPS).map(part).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use semblant_core::seeds::Stream;

    fn cloud(seed: u64, count: u64, centre: f32) -> Vec<f32> {
        let mut values = Stream::new(seed, 0).matrix(0..count, 8, |stream, row, out| stream.normals(row, out));
        values.iter_mut().for_each(|value| *value += centre);
        values
    }

    #[test]
    fn the_interval_holds_the_true_distance_once_the_bias_is_taken_off() {
        // Clouds that are 0.3 apart in each of 8 directions: 8 * 0.09.
        let truth = 0.72;
        let found: Vec<FrechetEstimate> =
            (0..60).map(|seed| frechet_estimate(&cloud(2 * seed, 400, 0.0), &cloud(2 * seed + 1, 300, 0.3), 8, 1).unwrap()).collect();
        let corrected: Vec<Estimate> = found.iter().map(|found| found.corrected.unwrap()).collect();
        let held = corrected.iter().filter(|found| found.interval[0] <= truth && truth <= found.interval[1]).count();
        assert!((52..=60).contains(&held), "{held} of 60");
        let mean = |values: &mut dyn Iterator<Item = f64>| values.sum::<f64>() / 60.0;
        let (plain, corrected) = (mean(&mut found.iter().map(|found| found.value)), mean(&mut corrected.iter().map(|found| found.value)));
        // d (d + 1) / 4 (1 / n + 1 / m) or so is the bias of equal clouds.
        assert!(plain - truth > 0.05 && (corrected - truth).abs() < 0.02, "{plain} {corrected}");
    }

    #[test]
    fn equal_distributions_are_at_no_distance_without_the_bias() {
        let found: Vec<Estimate> = (0..40)
            .map(|seed| frechet_estimate(&cloud(2 * seed, 300, 0.0), &cloud(2 * seed + 1, 300, 0.0), 8, 1).unwrap().corrected.unwrap())
            .collect();
        let held = found.iter().filter(|found| found.interval[0] <= 0.0 && 0.0 <= found.interval[1]).count();
        assert!(held >= 34, "{held} of 40");
        let few = frechet_estimate(&cloud(0, 8, 0.0), &cloud(1, 300, 0.0), 8, 1).unwrap();
        // 30 rows of 32 numbers: enough for groups, too few for the bias.
        let wide = |seed| cloud(seed, 120, 0.0);
        let narrow = frechet_estimate(&wide(0), &wide(1), 32, 1).unwrap();
        assert!(narrow.corrected.is_none() && narrow.interval.is_some(), "{narrow:?}");
        assert!(few.corrected.is_none() && few.interval.is_none() && few.value > 0.0, "{few:?}");
    }
}
