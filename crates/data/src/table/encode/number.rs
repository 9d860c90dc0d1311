//! Numbers as a mode and a position in it (CTGAN's mode-specific normalisation, Xu et al. 2019, section 4.2), with two kinds of mode
//! that the paper does not have: values that come so often that they are a mode of their own, and the missing value.

use std::collections::HashMap;

use semblant_core::seeds::Stream;
use serde::{Deserialize, Serialize};

use super::modes::{self, Gaussian};

/// One way in which a number of this column comes about.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Near `mean`: the scalar is (x - mean) / (4 std), clipped to +-0.99.
    Normal {
        /// The centre.
        mean: f64,
        /// The spread.
        std: f64,
        /// The share of the column's rows.
        weight: f64,
    },
    /// Exactly `value`; the scalar is 0.
    Spike {
        /// The value.
        value: f64,
        /// The share of the column's rows.
        weight: f64,
    },
    /// Missing; the scalar is 0.
    Missing {
        /// The share of the column's rows.
        weight: f64,
    },
}

impl Mode {
    /// The share of the column's rows in this mode.
    pub fn weight(&self) -> f64 {
        match self {
            Self::Normal { weight, .. } | Self::Spike { weight, .. } | Self::Missing { weight } => *weight,
        }
    }
}

/// How numbers are divided into modes.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct NumberOptions {
    /// The most Gaussians a column gets.
    pub gaussians: usize,
    /// A value with at least this share of the rows becomes a mode of its own; above 1 there are none.
    pub spike_share: f64,
    /// The most values of a column that become modes of their own.
    pub spikes: usize,
    /// A column with at most this many distinct values has a mode for each and no Gaussians.
    pub all_spikes: usize,
    /// The least and the greatest value become modes of their own from this share of the rows on, because a value that many rows
    /// share at the end of a range is a limit of the recording (99 hours and more, 99,999 dollars and more); above 1 they never do.
    pub end_share: f64,
}

impl Default for NumberOptions {
    fn default() -> Self {
        Self { gaussians: 10, spike_share: 0.02, spikes: 32, all_spikes: 32, end_share: 0.0005 }
    }
}

/// The fitted transform of one number column.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NumberTransform {
    /// The modes: Gaussians by mean, then spikes by value, then missing.
    pub modes: Vec<Mode>,
    /// The least value seen.
    pub low: f64,
    /// The greatest value seen.
    pub high: f64,
    /// The step between values: 1 for integers, 10^-decimals, or 0 for no rounding.
    pub step: f64,
    /// A value that the steps start from.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub origin: f64,
}

fn is_zero(origin: &f64) -> bool {
    *origin == 0.0
}

/// A limit of the recording is shared by at least this many rows, however small the table.
const LEAST_END_ROWS: f64 = 5.0;
/// A Gaussian for the end of a range spans at least this many rows.
const LEAST_TAIL_ROWS: usize = 10;
/// Scalars are clamped to this value, the end of the Gaussian.
const CLIP: f64 = 0.99;
/// Distinct values beyond this are gathered in a histogram before the mixture is fitted.
const POINTS: usize = 2048;

impl NumberTransform {
    /// Fits modes to `values` (NaN is missing). `step` is the rounding of the decoded value, 0 for none.
    /// A column of missing values only has the one mode.
    pub fn fit(values: &[f64], step: f64, options: &NumberOptions) -> Self {
        let mut present: Vec<f64> = values.iter().copied().filter(|value| !value.is_nan()).collect();
        if present.is_empty() {
            return Self { modes: vec![Mode::Missing { weight: 1.0 }], low: 0.0, high: 0.0, step, origin: 0.0 };
        }
        present.sort_unstable_by(f64::total_cmp);
        let (low, high) = (present[0], present[present.len() - 1]);
        let total = values.len() as f64;
        let (distinct, counts) = runs(&present);
        let mut by_count: Vec<usize> = (0..distinct.len()).collect();
        by_count.sort_by(|&a, &b| counts[b].total_cmp(&counts[a]).then(a.cmp(&b)));
        let mut is_spike = vec![distinct.len() <= options.all_spikes; distinct.len()];
        for &index in
            by_count.iter().take(options.spikes).filter(|&&index| counts[index] >= options.spike_share * total && counts[index] > 1.0)
        {
            is_spike[index] = true;
        }
        for end in [0, distinct.len() - 1] {
            is_spike[end] |= counts[end] >= (options.end_share * total).max(LEAST_END_ROWS);
        }
        let rest: Vec<usize> = (0..distinct.len()).filter(|&index| !is_spike[index]).collect();
        let mut modes = Vec::new();
        if !rest.is_empty() {
            let (points, point_counts) =
                histogram(&rest.iter().map(|&i| distinct[i]).collect::<Vec<_>>(), &rest.iter().map(|&i| counts[i]).collect::<Vec<_>>());
            let share = point_counts.iter().sum::<f64>() / total;
            let mut gaussians = modes::fit(&points, &point_counts, options.gaussians);
            let [first, last] = [rest[0], rest[rest.len() - 1]].map(|index| distinct[index]);
            add_tails(&mut gaussians, &present, first, last);
            modes.extend(gaussians.into_iter().map(|Gaussian { mean, std, weight }| Mode::Normal { mean, std, weight: weight * share }));
        }
        modes.extend((0..distinct.len()).filter(|&i| is_spike[i]).map(|i| Mode::Spike { value: distinct[i], weight: counts[i] / total }));
        if present.len() < values.len() {
            modes.push(Mode::Missing { weight: 1.0 - present.len() as f64 / total });
        }
        Self { modes, low, high, step, origin: 0.0 }
    }

    /// Whether any mode has a position in it, so that the column needs a scalar in addition to its mode.
    pub fn has_scalar(&self) -> bool {
        self.modes.iter().any(|mode| matches!(mode, Mode::Normal { .. }))
    }

    /// Mode and scalar of every value. A value that several Gaussians explain is given to one of them at random, by `stream`.
    ///
    /// A missing value in a column that had none is given the mode of the middle, a number beyond all modes that of the nearest.
    pub fn encode(&self, values: &[f64], stream: Stream) -> (Vec<u32>, Vec<f32>) {
        let spikes: HashMap<u64, u32> = self
            .modes
            .iter()
            .zip(0..)
            .filter_map(|(mode, index)| if let Mode::Spike { value, .. } = mode { Some((value.to_bits(), index)) } else { None })
            .collect();
        let gaussians: Vec<Gaussian> = self
            .modes
            .iter()
            .filter_map(|mode| if let Mode::Normal { mean, std, weight } = *mode { Some(Gaussian { mean, std, weight }) } else { None })
            .collect();
        let missing = self.modes.iter().position(|mode| matches!(mode, Mode::Missing { .. }));
        let mut uniforms = vec![0.0; values.len()];
        stream.uniforms(0, &mut uniforms);
        let mut shares = vec![0.0; gaussians.len()];
        values
            .iter()
            .zip(uniforms)
            .map(|(&x, uniform)| {
                if x.is_nan() {
                    return (missing.unwrap_or(0) as u32, 0.0);
                }
                if let Some(&spike) = spikes.get(&x.to_bits()) {
                    return (spike, 0.0);
                }
                if gaussians.is_empty() {
                    return (self.nearest_spike(x), 0.0);
                }
                let mode = draw(&gaussians, &mut shares, x, uniform);
                let Gaussian { mean, std, .. } = gaussians[mode];
                (mode as u32, ((x / 4.0 - mean / 4.0) / std).clamp(-CLIP, CLIP) as f32)
            })
            .unzip()
    }

    /// The number that a mode and a scalar encode, rounded to the column's step and kept in its range. NaN when missing.
    pub fn decode(&self, mode: u32, scalar: f32) -> f64 {
        match self.modes[mode as usize] {
            Mode::Missing { .. } => f64::NAN,
            Mode::Spike { value, .. } => value,
            Mode::Normal { mean, std, .. } => {
                let x = mean + std * (4.0 * f64::from(scalar.clamp(-1.0, 1.0)));
                let x = if self.step > 0.0 { ((x - self.origin) / self.step).round() * self.step + self.origin } else { x };
                x.clamp(self.low, self.high)
            }
        }
    }

    fn nearest_spike(&self, x: f64) -> u32 {
        let distance = |mode: &Mode| if let Mode::Spike { value, .. } = mode { (value - x).abs() } else { f64::INFINITY };
        (0..self.modes.len()).min_by(|&a, &b| distance(&self.modes[a]).total_cmp(&distance(&self.modes[b]))).unwrap_or(0) as u32
    }
}

/// Gives an end of the range that no Gaussian reaches within four standard deviations one of its own; otherwise the rows there would be
/// cut down to what the others reach, and never come out of a sample. It spans at least [`LEAST_TAIL_ROWS`] rows, so that it says
/// nothing of a single one. `first` and `last` are the ends of what Gaussians must cover, `sorted` the column.
fn add_tails(gaussians: &mut Vec<Gaussian>, sorted: &[f64], first: f64, last: f64) {
    let reach = |side: f64| gaussians.iter().map(|g| side * g.mean + 4.0 * CLIP * g.std).fold(f64::NEG_INFINITY, f64::max);
    let (lowest, highest) = (-reach(-1.0), reach(1.0));
    let inside = |value: f64| (first..=last).contains(&value);
    let covered: Vec<f64> = sorted.iter().copied().filter(|&value| inside(value)).collect();
    let mut add = |tail: &[f64]| {
        let (low, high) = (tail[0], tail[tail.len() - 1]);
        if high > low {
            let weight = tail.len() as f64 / covered.len() as f64;
            gaussians.push(Gaussian { mean: 0.5 * (low + high), std: (high - low) / (8.0 * CLIP), weight });
        }
    };
    let rows = |beyond: usize| beyond.max(LEAST_TAIL_ROWS).min(covered.len());
    let below = covered.partition_point(|&value| value < lowest);
    if below > 0 {
        add(&covered[..rows(below)]);
    }
    let above = covered.len() - covered.partition_point(|&value| value <= highest);
    if above > 0 {
        add(&covered[covered.len() - rows(above)..]);
    }
    gaussians.sort_by(|a, b| a.mean.total_cmp(&b.mean));
    let sum: f64 = gaussians.iter().map(|gaussian| gaussian.weight).sum();
    gaussians.iter_mut().for_each(|gaussian| gaussian.weight /= sum);
}

/// Draws a Gaussian by its responsibility for `x`, each raised by 1e-6 as in the reference so that none is impossible.
fn draw(gaussians: &[Gaussian], shares: &mut [f64], x: f64, uniform: f32) -> usize {
    let mut greatest = f64::NEG_INFINITY;
    for (share, gaussian) in shares.iter_mut().zip(gaussians) {
        *share = gaussian.log_density(x);
        greatest = greatest.max(*share);
    }
    let mut sum = 0.0;
    for share in shares.iter_mut() {
        *share = (*share - greatest).exp();
        sum += *share;
    }
    let total = 1.0 + 1e-6 * shares.len() as f64;
    let mut left = f64::from(uniform) * total;
    for (index, share) in shares.iter().enumerate() {
        left -= share / sum + 1e-6;
        if left < 0.0 {
            return index;
        }
    }
    shares.len() - 1
}

/// Distinct values of a sorted list with their counts.
fn runs(sorted: &[f64]) -> (Vec<f64>, Vec<f64>) {
    let (mut distinct, mut counts): (Vec<f64>, Vec<f64>) = (Vec::new(), Vec::new());
    for &value in sorted {
        match (distinct.last(), counts.last_mut()) {
            (Some(&last), Some(count)) if last == value => *count += 1.0,
            _ => {
                distinct.push(value);
                counts.push(1.0);
            }
        }
    }
    (distinct, counts)
}

/// At most [`POINTS`] points: the values themselves, or the means of groups of about equal mass.
fn histogram(values: &[f64], counts: &[f64]) -> (Vec<f64>, Vec<f64>) {
    if values.len() <= POINTS {
        return (values.to_vec(), counts.to_vec());
    }
    let target = counts.iter().sum::<f64>() / POINTS as f64;
    let (mut points, mut masses) = (Vec::with_capacity(POINTS), Vec::with_capacity(POINTS));
    let (mut sum, mut mass) = (0.0, 0.0);
    for (index, (value, count)) in values.iter().zip(counts).enumerate() {
        sum += value * count;
        mass += count;
        if mass >= target || index + 1 == values.len() {
            points.push(sum / mass);
            masses.push(mass);
            (sum, mass) = (0.0, 0.0);
        }
    }
    (points, masses)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spikes_and_missing_values_come_back_exactly_and_the_rest_closely() {
        let noise = Stream::new(3, 0).matrix(0..1, 2000, Stream::normals);
        let values: Vec<f64> = noise
            .iter()
            .enumerate()
            .map(|(i, z)| match i % 4 {
                0 => 0.0,
                1 => f64::NAN,
                _ => (100.0 + 20.0 * f64::from(*z)).round(),
            })
            .collect();
        let transform = NumberTransform::fit(&values, 1.0, &NumberOptions { all_spikes: 0, ..NumberOptions::default() });
        let (modes, scalars) = transform.encode(&values, Stream::new(0, 0));
        for ((value, mode), scalar) in values.iter().zip(modes).zip(scalars) {
            let back = transform.decode(mode, scalar);
            assert!(back == *value || (back.is_nan() && value.is_nan()), "{value} came back as {back}");
        }
        let weight: f64 = transform.modes.iter().map(Mode::weight).sum();
        assert!((weight - 1.0).abs() < 1e-9, "shares sum to one: {weight}");
    }

    #[test]
    fn a_column_of_missing_values_stays_missing() {
        let transform = NumberTransform::fit(&[f64::NAN, f64::NAN], 1.0, &NumberOptions::default());
        assert_eq!(transform.encode(&[f64::NAN], Stream::new(0, 0)), (vec![0], vec![0.0]));
        assert!(transform.decode(0, 0.3).is_nan());
    }

    #[test]
    fn few_distinct_values_need_no_gaussian() {
        let transform = NumberTransform::fit(&[1.0, 2.0, 2.0, 5.0], 1.0, &NumberOptions::default());
        assert_eq!(transform.modes.len(), 3);
        assert_eq!(transform.encode(&[4.0], Stream::new(0, 0)).0, [2], "an unseen value goes to the nearest");
    }

    #[test]
    fn the_ends_of_a_long_tail_come_back() {
        let noise = Stream::new(5, 0).matrix(0..1, 5000, Stream::normals);
        let mut values: Vec<f64> = noise.iter().map(|z| f64::from(*z)).collect();
        values.extend([40.0, 55.0, 70.0]);
        let transform = NumberTransform::fit(&values, 0.0, &NumberOptions::default());
        let (modes, scalars) = transform.encode(&values[5000..], Stream::new(0, 0));
        for ((mode, scalar), value) in modes.into_iter().zip(scalars).zip(&values[5000..]) {
            assert!((transform.decode(mode, scalar) - value).abs() < 1.0, "{value} came back as {}", transform.decode(mode, scalar));
        }
    }

    #[test]
    fn decoding_stays_in_the_range_seen() {
        let values: Vec<f64> = (0..1000).map(|i| f64::from(i) / 7.0).collect();
        let transform = NumberTransform::fit(&values, 0.0, &NumberOptions::default());
        for mode in 0..transform.modes.len() as u32 {
            for scalar in [-5.0, -1.0, 1.0, 5.0] {
                assert!((0.0..=999.0 / 7.0).contains(&transform.decode(mode, scalar)));
            }
        }
    }
}
