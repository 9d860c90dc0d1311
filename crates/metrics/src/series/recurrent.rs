//! Discriminative and predictive score (Yoon et al. 2019, "Time-series generative adversarial networks"), by networks of the same size and training
//! as in the published code.

use semblant_data::series::Windows;

use super::gru::{Adam, Gru, sigmoid};
use crate::random::random;

/// Windows of each kind in a step.
const BATCH: usize = 128;
/// Steps of the discriminator, and of the predictor.
const STEPS: [usize; 2] = [2_000, 5_000];
/// Purposes of random numbers.
const DISCRIMINATE: u64 = 0x7000;
const PREDICT: u64 = 0x7001;

/// How well a recurrent network tells synthetic windows from real ones that it has not seen: `|accuracy - 0.5|`, 0 is best.
///
/// A unit for every two channels, 2,000 steps of 128 real and 128 synthetic windows of the first four fifths in an order drawn by `seed`, the last
/// state of each window; accuracy over the last fifth of both.
pub fn discriminative(real: &Windows, synthetic: &Windows, seed: u64) -> f64 {
    let mut random = random(seed, DISCRIMINATE);
    let (length, channels) = (real.length, real.channels);
    let size = length * channels;
    let mut parts = [real, synthetic].map(|windows| {
        let mut order: Vec<usize> = (0..windows.count).collect();
        random.shuffle(&mut order);
        (floats(&windows.select(order)), windows.count * 4 / 5)
    });
    let mut net = Gru::new(channels, (channels / 2).max(1), &mut random);
    let mut adam = Adam::new(net.weights.len());
    for (_, train) in &mut parts {
        *train = (*train).max(1);
    }
    for _ in 0..STEPS[0] {
        let mut batch = Vec::with_capacity(2 * BATCH * size);
        for (values, train) in &parts {
            for _ in 0..BATCH {
                let at = random.below(*train) * size;
                batch.extend_from_slice(&values[at..at + size]);
            }
        }
        // The mean of the cross-entropy over each kind, added.
        let gradient = net.gradient(&batch, length, |place, outputs| {
            let label = if place < BATCH { 1.0 } else { 0.0 };
            let mut slopes = vec![0.0; outputs.len()];
            if let (Some(slope), Some(last)) = (slopes.last_mut(), outputs.last()) {
                *slope = (sigmoid(*last) - label) / BATCH as f32;
            }
            slopes
        });
        adam.step(&mut net.weights, &gradient);
    }
    let (mut right, mut all) = (0, 0);
    for (is_real, (values, train)) in [true, false].into_iter().zip(&parts) {
        let outputs = net.outputs(&values[train * size..], length);
        let lasts = outputs.chunks_exact(length).map(|outputs| outputs[length - 1] > 0.0);
        right += lasts.filter(|&said| said == is_real).count();
        all += values.len() / size - train;
    }
    if all == 0 { f64::NAN } else { (right as f64 / all as f64 - 0.5).abs() }
}

/// How well a recurrent network that was trained on synthetic windows predicts the last channel of real ones one row ahead: the mean absolute error.
///
/// It sees all channels but the last, or the only one. A unit for every two channels, a sigmoid, 5,000 steps of 128 windows, absolute error.
pub fn predictive(real: &Windows, synthetic: &Windows, seed: u64) -> f64 {
    let mut random = random(seed, PREDICT);
    let (length, channels) = (real.length - 1, real.channels);
    let inputs = (channels - 1).max(1);
    let of = |windows: &Windows, index: usize| {
        let rows = windows.of(index);
        let shown: Vec<f32> =
            rows.chunks_exact(channels).take(length).flat_map(|row| row[..inputs].iter().map(|&value| value as f32)).collect();
        let targets: Vec<f32> = rows.chunks_exact(channels).skip(1).map(|row| row[channels - 1] as f32).collect();
        (shown, targets)
    };
    let mut net = Gru::new(inputs, (channels / 2).max(1), &mut random);
    let mut adam = Adam::new(net.weights.len());
    for _ in 0..STEPS[1] {
        let (mut batch, mut targets) = (Vec::new(), Vec::new());
        for _ in 0..BATCH {
            let (shown, wanted) = of(synthetic, random.below(synthetic.count));
            batch.extend(shown);
            targets.push(wanted);
        }
        let share = 1.0 / (BATCH * length) as f32;
        let gradient = net.gradient(&batch, length, |place, outputs| {
            let slope = |(&output, target): (&f32, &f32)| {
                let said = sigmoid(output);
                (said - target).signum() * said * (1.0 - said) * share
            };
            outputs.iter().zip(&targets[place]).map(slope).collect()
        });
        adam.step(&mut net.weights, &gradient);
    }
    let (mut sum, mut count) = (0.0, 0usize);
    for index in 0..real.count {
        let (shown, targets) = of(real, index);
        let outputs = net.outputs(&shown, length);
        sum += outputs.iter().zip(&targets).map(|(&output, target)| f64::from((sigmoid(output) - target).abs())).sum::<f64>();
        count += length;
    }
    sum / count as f64
}

fn floats(windows: &Windows) -> Vec<f32> {
    windows.values.iter().map(|&value| value as f32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Waves of random phase, and of a phase and a frequency each.
    fn waves(count: usize, seed: u64, fast: f64) -> Windows {
        let mut random = random(seed, 1);
        let mut values = Vec::new();
        for _ in 0..count {
            let (phase, speed) = (6.3 * random.unit(), fast * (0.5 + random.unit()));
            values.extend((0..24).flat_map(|t| [phase, phase + 1.0].map(|phase| ((speed * f64::from(t) + phase).sin() + 1.0) / 2.0)));
        }
        Windows { values, count, length: 24, channels: 2 }
    }

    #[test]
    fn equal_laws_are_not_told_apart_and_others_are() {
        let real = waves(600, 1, 0.3);
        let same = discriminative(&real, &waves(600, 2, 0.3), 0);
        let other = discriminative(&real, &waves(600, 3, 1.2), 0);
        assert!(same < 0.12 && other > 0.2, "{same} {other}");
        assert_eq!(same, discriminative(&real, &waves(600, 2, 0.3), 0));
    }

    #[test]
    fn what_was_learned_from_other_waves_predicts_worse() {
        let real = waves(400, 1, 0.3);
        let (same, other) = (predictive(&real, &waves(400, 2, 0.3), 0), predictive(&real, &waves(400, 3, 1.5), 0));
        assert!(same < 0.9 * other, "{same} {other}");
    }
}
