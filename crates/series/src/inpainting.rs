//! Windows some of whose numbers are known: the flow is led to what agrees with them.
//!
//! At every time the network's estimate of the window is moved by what it misses of the known numbers, as in "Pseudoinverse-guided diffusion models
//! for inverse problems", Song et al. 2023. How far the other numbers move with them is that of a normal distribution with the windows' own covariance:
//! given the noised window at time t, a direction of prior variance `q` is uncertain by `p = 1 / (1 / q + ((1 - t) / t)^2)`. For normal windows, whose
//! flow is known, this gives samples of the conditional distribution exactly.

use std::collections::BTreeMap;

use faer::linalg::solvers::Solve;
use faer::{Mat, Side};
use rayon::prelude::*;
use semblant_core::{Error, Result};

use crate::whitening::{Group, Whitening, product};

/// Added to the diagonal of a covariance, as a share of its mean, so that it can be inverted.
const RIDGE: f64 = 1e-6;

/// Windows with some numbers known, `[count, length * channels]` each.
#[derive(Debug, Clone, Default)]
pub struct Known {
    /// The numbers; of those that are not known any.
    pub values: Vec<f64>,
    /// Which are known.
    pub is_known: Vec<bool>,
}

/// What leads some windows to what is known of them.
pub(crate) struct Guide<'a> {
    whitening: &'a Whitening,
    known: Known,
    /// The windows of which the same numbers are known.
    patterns: Vec<(Vec<bool>, Vec<usize>)>,
}

impl<'a> Guide<'a> {
    /// For windows whose numbers are those of the whitening.
    pub(crate) fn new(whitening: &'a Whitening, known: Known) -> Self {
        let mut patterns: BTreeMap<Vec<bool>, Vec<usize>> = BTreeMap::new();
        for (window, of_window) in known.is_known.chunks_exact(whitening.mean.len()).enumerate() {
            patterns.entry(of_window.to_vec()).or_default().push(window);
        }
        Self { whitening, patterns: patterns.into_iter().collect(), known }
    }

    /// Estimates of whitened windows `z [count, length * channels]` at `time`, moved to what is known.
    ///
    /// # Errors
    /// Numbers without bound.
    pub(crate) fn led(&self, z: &mut [f32], time: f64) -> Result<()> {
        let size = self.whitening.mean.len();
        let estimates = self.whitening.undone(z);
        let moves = self.patterns.par_iter().map(|(pattern, windows)| {
            let mut moved = vec![0.0; windows.len() * size];
            for group in &self.whitening.groups {
                self.move_group(group, pattern, windows, &estimates, time, &mut moved)?;
            }
            Ok((windows, moved))
        });
        for (windows, moved) in moves.collect::<Result<Vec<_>>>()? {
            for (&window, moved) in windows.iter().zip(moved.chunks_exact(size)) {
                z[window * size..][..size].iter_mut().zip(moved).for_each(|(z, moved)| *z += *moved as f32);
            }
        }
        Ok(())
    }

    /// The moves `[windows, size]` of one group's numbers: `V diag(s^a p) V_k' (V_k diag(s^2a p) V_k')^-1 (known - estimate) / scale`, where `V_k` has the
    /// rows of `V` whose numbers are known.
    fn move_group(
        &self,
        group: &Group,
        pattern: &[bool],
        windows: &[usize],
        estimates: &[f64],
        time: f64,
        moved: &mut [f64],
    ) -> Result<()> {
        let Group { places, vectors, deviations, .. } = group;
        let (all, scale, amount) = (self.whitening.mean.len(), f64::from(self.whitening.scale), self.whitening.amount);
        let known: Vec<usize> = (0..places.len()).filter(|&at| pattern[places[at]]).collect();
        if known.is_empty() {
            return Ok(());
        }
        let certain = ((1.0 - time) / time).powi(2);
        let uncertainty = |deviation: f64| {
            let prior = (deviation.powf(1.0 - amount) / scale).powi(2);
            1.0 / (1.0 / prior + certain)
        };
        let of_known = |exponent: f64| {
            Mat::from_fn(known.len(), places.len(), |row, j| {
                vectors[(known[row], j)] * deviations[j].powf(exponent * amount) * uncertainty(deviations[j])
            })
        };
        let rows = Mat::from_fn(known.len(), places.len(), |row, j| vectors[(known[row], j)]);
        let mut covariance = of_known(2.0) * rows.transpose();
        let ridge = RIDGE * (0..known.len()).map(|at| covariance[(at, at)]).sum::<f64>() / known.len() as f64;
        (0..known.len()).for_each(|at| covariance[(at, at)] += ridge);
        let unbounded =
            || Error::Data("what is known of the windows is far from all that was learned; look for values without bound".into());
        let (solver, to_directions) = (covariance.llt(Side::Lower).map_err(|_| unbounded())?, of_known(1.0));
        // Window by window, so that none depends on how many others miss the same numbers.
        for (&window, moved) in windows.iter().zip(moved.chunks_exact_mut(all)) {
            let missed = |row: usize, _| {
                let at = window * all + places[known[row]];
                self.known.values[at] - estimates[at]
            };
            let weights = solver.solve(Mat::from_fn(known.len(), 1, missed));
            let weights: Vec<f64> = (0..known.len()).map(|row| weights[(row, 0)]).collect();
            let mut moves = vec![0.0; places.len()];
            for (along, vector) in product(&to_directions, &weights).into_iter().zip(vectors.col_iter()) {
                moves.iter_mut().zip(vector.iter()).for_each(|(to, part)| *to += part * along);
            }
            places.iter().zip(moves).for_each(|(&place, by)| moved[place] += by / scale);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use semblant_core::seeds::Stream;
    use semblant_data::series::Windows;

    use super::*;

    /// Normal windows of two numbers with correlation 0.8: the flow's own velocity is known, and led by the first number it gives the second one
    /// with the mean 0.8 x and the variance 0.36 of the conditional distribution.
    #[test]
    fn normal_windows_follow_their_conditional_distribution() {
        let count = 20_000;
        let mut noise = vec![0.0; 2 * count];
        Stream::new(3, 0).normals(0, &mut noise);
        let pair = |pair: &[f32]| [f64::from(pair[0]), 0.8 * f64::from(pair[0]) + 0.6 * f64::from(pair[1])];
        let windows = Windows { values: noise.chunks_exact(2).flat_map(pair).collect(), count, length: 2, channels: 1 };
        for amount in [0.0, 0.5, 1.0] {
            let (whitening, _) = Whitening::fit(&windows, amount).expect("finite");
            let made = 4_000;
            let values = (0..made).flat_map(|_| [1.5, 0.0]).collect();
            let is_known = (0..made).flat_map(|_| [true, false]).collect();
            let guide = Guide::new(&whitening, Known { values, is_known });
            let mut z = vec![0.0; 2 * made];
            Stream::new(4, 0).normals(0, &mut z);
            let group = &whitening.groups[0];
            let scale = f64::from(whitening.scale);
            let steps = 200;
            for index in 0..steps {
                let (time, next) = (1.0 - index as f64 / f64::from(steps), 1.0 - f64::from(index + 1) / f64::from(steps));
                // The mean of whitened windows of variance q, given x_t = (1 - t) x + t n: (1 - t) q x_t / ((1 - t)^2 q + t^2), direction by direction.
                let shrink = |deviation: f64| {
                    let prior = (deviation.powf(1.0 - amount) / scale).powi(2);
                    (1.0 - time) * prior / ((1.0 - time).powi(2) * prior + time * time)
                };
                let stretched = Mat::from_fn(2, 2, |i, j| group.vectors[(i, j)] * shrink(group.deviations[j]));
                let matrix = stretched * group.vectors.transpose();
                let mut clean: Vec<f32> = z
                    .chunks_exact(2)
                    .flat_map(|z| {
                        (0..2).map(|i| (matrix[(i, 0)] * f64::from(z[0]) + matrix[(i, 1)] * f64::from(z[1])) as f32).collect::<Vec<_>>()
                    })
                    .collect();
                guide.led(&mut clean, time).expect("finite");
                let share = (next / time) as f32;
                z.iter_mut().zip(&clean).for_each(|(z, clean)| *z = clean + (*z - clean) * share);
            }
            let made: Vec<f64> = whitening.undone(&z);
            let first: Vec<f64> = made.iter().step_by(2).copied().collect();
            let second: Vec<f64> = made.iter().skip(1).step_by(2).copied().collect();
            assert!(first.iter().all(|value| (value - 1.5).abs() < 1e-3), "{amount}: what is known stays");
            let mean = second.iter().sum::<f64>() / second.len() as f64;
            let variance = second.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / second.len() as f64;
            assert!((mean - 1.2).abs() < 0.05 && (variance - 0.36).abs() < 0.03, "{amount}: mean {mean}, variance {variance}");
        }
    }
}
