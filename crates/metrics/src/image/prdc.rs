//! Precision, recall, density and coverage: plausibility and diversity of synthetic images by nearest neighbours.

use burn::tensor::Device;
use serde::{Deserialize, Serialize};

use crate::Result;
use crate::error::undefined;
use crate::nearest::{Rows, Smallest};

/// The neighbour whose distance is the radius of a ball for precision and recall (Kynkaanniemi et al. 2019).
pub const PRECISION_NEIGHBOURS: usize = 3;
/// The neighbour whose distance is the radius of a ball for density and coverage (Naeem et al. 2020).
pub const DENSITY_NEIGHBOURS: usize = 5;

/// How two clouds of features overlap.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Prdc {
    /// The share of synthetic features in a ball of a real one: plausibility. Range 0 to 1.
    pub precision: f64,
    /// The share of real features in a ball of a synthetic one: diversity. Range 0 to 1.
    pub recall: f64,
    /// How many balls of real features a synthetic one lies in, over the number of neighbours: as precision, but an outlier among the real
    /// ones counts once and not for the whole region of its ball. From 0, about 1 for equal distributions, more for images that are
    /// more typical than real ones.
    pub density: f64,
    /// The share of real features with a synthetic one in their ball. Range 0 to 1.
    pub coverage: f64,
}

/// Features with the squared radii of the balls around them: the distances to the 3rd and the 5th neighbour.
#[derive(Debug, Clone)]
pub struct Neighborhoods<'a> {
    features: Rows<'a, f32>,
    /// For precision and recall, and for density and coverage.
    radii: Vec<[f64; 2]>,
    /// Where products are computed.
    device: Device,
}

impl<'a> Neighborhoods<'a> {
    /// Of `features [n, width]`, row-major. Takes `n^2 width` multiplications, on the CPU in double precision and on any other `device` in
    /// single, and memory for a few thousand rows.
    ///
    /// # Errors
    /// Fewer than six features, as each needs five neighbours.
    ///
    /// # Panics
    /// When the length is no multiple of `width`.
    pub fn new(features: &'a [f32], width: usize, device: &Device) -> Result<Self> {
        let features = Rows::new(features, width);
        if features.count() <= DENSITY_NEIGHBOURS {
            return undefined(format!("neighbours need more than {DENSITY_NEIGHBOURS} images in each set, there are {}", features.count()));
        }
        let others = |(query, smallest): &mut (usize, Smallest<DENSITY_NEIGHBOURS>), first: usize, distances: &[f64]| {
            for (place, distance) in distances.iter().enumerate() {
                if first + place != *query {
                    smallest.add(*distance);
                }
            }
        };
        let nearest = features.fold_on(&features, device, |query| (query, Smallest::new()), others);
        let radii = nearest.iter().map(|(_, smallest)| [PRECISION_NEIGHBOURS, DENSITY_NEIGHBOURS].map(|k| smallest.0[k - 1])).collect();
        Ok(Self { features, radii, device: device.clone() })
    }

    /// Precision and recall with balls up to and with the 3rd neighbour; density and coverage with balls up to but without the 5th.
    ///
    /// Recall and coverage depend on how many features there are: compare numbers of equal sizes only. Sources: Kynkaanniemi et al. 2019,
    /// "Improved precision and recall metric for assessing generative models", equation 1; Naeem et al. 2020, "Reliable fidelity and
    /// diversity metrics for generative models", equations 4 and 6, and their package `prdc`.
    ///
    /// # Panics
    /// When the widths differ.
    pub fn prdc(&self, synthetic: &Neighborhoods) -> Prdc {
        // Balls of real features around each synthetic one: whether in any, and in how many.
        let count = |(any, balls): &mut (bool, u64), first: usize, distances: &[f64]| {
            for (distance, [wide, narrow]) in distances.iter().zip(&self.radii[first..]).map(|(d, [p, q])| (*d, [*p, *q])) {
                *any |= distance <= wide;
                *balls += u64::from(distance < narrow);
            }
        };
        let inside = synthetic.features.fold_on(&self.features, &self.device, |_| (false, 0), count);
        // Balls of synthetic features around each real one, and its nearest synthetic one.
        let cover = |(any, nearest): &mut (bool, f64), first: usize, distances: &[f64]| {
            for (distance, [radius, _]) in distances.iter().zip(&synthetic.radii[first..]) {
                *any |= distance <= radius;
                *nearest = nearest.min(*distance);
            }
        };
        let covered = self.features.fold_on(&synthetic.features, &self.device, |_| (false, f64::INFINITY), cover);
        let share = |hits: usize, of: usize| hits as f64 / of as f64;
        let balls: u64 = inside.iter().map(|(_, balls)| balls).sum();
        Prdc {
            precision: share(inside.iter().filter(|(any, _)| *any).count(), inside.len()),
            recall: share(covered.iter().filter(|(any, _)| *any).count(), covered.len()),
            density: balls as f64 / (DENSITY_NEIGHBOURS * inside.len()) as f64,
            coverage: share(covered.iter().zip(&self.radii).filter(|((_, near), [_, radius])| near < radius).count(), covered.len()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use semblant_core::seeds::Stream;

    fn cloud(seed: u64, count: u64, centre: f32) -> Vec<f32> {
        let mut values = Stream::new(seed, 0).matrix(0..count, 4, |stream, row, out| stream.normals(row, out));
        values.iter_mut().for_each(|value| *value += centre);
        values
    }

    #[test]
    fn equal_clouds_overlap_and_distant_ones_do_not() {
        let (real, other) = (cloud(0, 500, 0.0), cloud(1, 500, 0.0));
        let real = Neighborhoods::new(&real, 4, &Device::flex()).unwrap();
        let same = real.prdc(&real);
        assert_eq!((same.precision, same.recall, same.coverage), (1.0, 1.0, 1.0));
        let alike = real.prdc(&Neighborhoods::new(&other, 4, &Device::flex()).unwrap());
        assert!(alike.precision > 0.75 && alike.recall > 0.75 && (alike.density - 1.0).abs() < 0.15 && alike.coverage > 0.9, "{alike:?}");
        let far = cloud(2, 500, 50.0);
        let far = real.prdc(&Neighborhoods::new(&far, 4, &Device::flex()).unwrap());
        assert_eq!(far, Prdc { precision: 0.0, recall: 0.0, density: 0.0, coverage: 0.0 });
        assert!(Neighborhoods::new(&[0.0; 20], 4, &Device::flex()).is_err());
    }

    #[test]
    fn a_lost_mode_costs_recall_and_coverage_but_not_precision() {
        let modes = |seed, count: u64| [cloud(seed, count / 2, 0.0), cloud(seed + 1, count / 2, 30.0)].concat();
        let (real, one) = (modes(0, 600), cloud(7, 600, 0.0));
        let (real, lost) = (Neighborhoods::new(&real, 4, &Device::flex()).unwrap(), Neighborhoods::new(&one, 4, &Device::flex()).unwrap());
        let scores = real.prdc(&lost);
        assert!(scores.precision > 0.75 && scores.density > 0.8, "{scores:?}");
        assert!(scores.recall <= 0.5 && scores.coverage <= 0.5 && scores.coverage > 0.45, "{scores:?}");
    }
}
