//! Scores that train nothing: cross moments, autocorrelation, spectrum, marginals.

use semblant_data::series::Windows;

use crate::table::shapes::ks_distance;

/// The correlational score (Ni et al. 2020; Liao et al. 2020): differences of the channels' cross moments at lag 0, standardised over all rows of each
/// set, summed over pairs and divided by 10.
pub fn correlational(real: &Windows, synthetic: &Windows) -> f64 {
    let (a, b) = (cross_moments(real), cross_moments(synthetic));
    let channels = real.channels;
    let pairs = (0..channels).flat_map(|i| (0..=i).map(move |j| i * channels + j));
    pairs.map(|at| (a[at] - b[at]).abs()).sum::<f64>() / 10.0
}

fn cross_moments(windows: &Windows) -> Vec<f64> {
    let channels = windows.channels;
    let rows = (windows.values.len() / channels) as f64;
    let of = |channel: usize| windows.values.iter().skip(channel).step_by(channels);
    let means: Vec<f64> = (0..channels).map(|channel| of(channel).sum::<f64>() / rows).collect();
    let deviation = |channel: usize| (of(channel).map(|value| (value - means[channel]).powi(2)).sum::<f64>() / rows).sqrt();
    let deviations: Vec<f64> = (0..channels).map(deviation).collect();
    let mut sums = vec![0.0; channels * channels];
    let mut row_scores = vec![0.0; channels];
    for row in windows.values.chunks_exact(channels) {
        for channel in 0..channels {
            row_scores[channel] = if deviations[channel] > 0.0 { (row[channel] - means[channel]) / deviations[channel] } else { 0.0 };
        }
        for i in 0..channels {
            for j in 0..=i {
                sums[i * channels + j] += row_scores[i] * row_scores[j];
            }
        }
    }
    sums.iter().map(|sum| sum / rows).collect()
}

/// The autocorrelation of every channel at lags 0 to `length - 1`, `[channels][lags]`: products around the mean of all rows, averaged over all pairs
/// of rows of a window at that lag.
pub fn autocorrelation(windows: &Windows) -> Vec<Vec<f64>> {
    let &Windows { length, channels, .. } = windows;
    (0..channels)
        .map(|channel| {
            let all = windows.values.iter().skip(channel).step_by(channels);
            let rows = (windows.values.len() / channels) as f64;
            let mean = all.sum::<f64>() / rows;
            let mut products = vec![0.0; length];
            for window in windows.values.chunks_exact(length * channels) {
                let value = |row: usize| window[row * channels + channel] - mean;
                for (lag, product) in products.iter_mut().enumerate() {
                    *product += (0..length - lag).map(|row| value(row) * value(row + lag)).sum::<f64>();
                }
            }
            let at = |lag: usize| products[lag] / (windows.count * (length - lag)) as f64;
            let variance = at(0);
            (0..length).map(|lag| if variance > 0.0 { at(lag) / variance } else { 0.0 }).collect()
        })
        .collect()
}

/// The mean power of every channel at 1, 2, ... cycles per window, as shares of their sum, `[channels][frequencies]`: the discrete Fourier transform of
/// each window around its own mean.
pub fn spectrum(windows: &Windows) -> Vec<Vec<f64>> {
    let &Windows { length, channels, .. } = windows;
    let frequencies = length / 2;
    let turns: Vec<(f64, f64)> = (0..length).map(|i| (std::f64::consts::TAU * i as f64 / length as f64).sin_cos()).collect();
    (0..channels)
        .map(|channel| {
            let mut power = vec![0.0; frequencies];
            for window in windows.values.chunks_exact(length * channels) {
                let values: Vec<f64> = window.iter().skip(channel).step_by(channels).copied().collect();
                let mean = values.iter().sum::<f64>() / length as f64;
                for (index, power) in power.iter_mut().enumerate() {
                    let add = |(re, im): (f64, f64), (row, value): (usize, &f64)| {
                        let (sine, cosine) = turns[(index + 1) * row % length];
                        (re + (value - mean) * cosine, im + (value - mean) * sine)
                    };
                    let (re, im) = values.iter().enumerate().fold((0.0, 0.0), add);
                    *power += re * re + im * im;
                }
            }
            let sum: f64 = power.iter().sum();
            power.into_iter().map(|power| if sum > 0.0 { power / sum } else { 0.0 }).collect()
        })
        .collect()
}

/// The largest difference between the distribution functions of every channel (Kolmogorov and Smirnov), over all rows of all windows.
pub fn marginals(real: &Windows, synthetic: &Windows) -> Vec<f64> {
    let sorted = |windows: &Windows, channel: usize| {
        let mut values: Vec<f64> = windows.values.iter().skip(channel).step_by(windows.channels).copied().collect();
        values.sort_unstable_by(f64::total_cmp);
        values
    };
    (0..real.channels).map(|channel| ks_distance(&sorted(real, channel), &sorted(synthetic, channel))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wave(cycles: f64) -> Windows {
        let value = |row: usize| (std::f64::consts::TAU * cycles * row as f64 / 24.0).sin();
        let values = (0..48).flat_map(|row| [value(row), 2.0 * value(row) + 1.0]).collect();
        Windows { values, count: 2, length: 24, channels: 2 }
    }

    #[test]
    fn a_wave_has_its_power_at_its_frequency() {
        for cycles in [1, 3, 12] {
            // At 12 cycles of 24 rows a sine is 0 everywhere.
            let shares = spectrum(&wave(f64::from(cycles)));
            if cycles < 12 {
                assert!((shares[0][cycles as usize - 1] - 1.0).abs() < 1e-9 && (shares[1][cycles as usize - 1] - 1.0).abs() < 1e-9);
            }
        }
        let autocorrelations = autocorrelation(&wave(3.0));
        assert!(
            (autocorrelations[0][0] - 1.0).abs() < 1e-12 && (autocorrelations[1][8] - 1.0).abs() < 1e-9 && autocorrelations[0][4] < -0.9
        );
    }

    /// numpy, crates/metrics/tests/golden/series.py.
    #[test]
    fn cross_moments_and_marginals_are_those_of_numpy() {
        let windows = |factor: usize| Windows {
            values: (0..60 * 3).map(|i| ((i * factor % 97) as f64 / 97.0).powi(1 + (i % 3) as i32)).collect(),
            count: 10,
            length: 6,
            channels: 3,
        };
        let (a, b) = (windows(31), windows(45));
        assert!((correlational(&a, &b) - NUMPY.0).abs() < 1e-9, "{}", correlational(&a, &b));
        for (found, wanted) in marginals(&a, &b).iter().zip(NUMPY.1) {
            assert!((found - wanted).abs() < 1e-12, "{:?}", marginals(&a, &b));
        }
        let found = autocorrelation(&a);
        assert!((found[1][2] - NUMPY.2).abs() < 1e-9, "{}", found[1][2]);
    }

    const NUMPY: (f64, [f64; 3], f64) = (0.13755956860742652, [0.1, 0.08333333333333337, 0.08333333333333337], 0.3850388809777362);
}
