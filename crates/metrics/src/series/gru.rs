//! A gated recurrent unit (Cho et al. 2014, in the form of PyTorch's `GRU`) with one output a row, and its gradients by hand.
//!
//! `r = s(W_r x + U_r h)`, `z = s(W_z x + U_z h)`, `n = tanh(W_n x + r (U_n h))`, `h' = (1 - z) n + z h`, each with biases on both sides; the output is a
//! linear function of `h'`. The networks of these scores have a handful of units, for which loops over slices are faster than tensors.

use rayon::prelude::*;
use semblant_core::math;
use semblant_core::seeds::Sequence;

/// Sequences whose gradients are summed together, whatever the number of threads.
const TOGETHER: usize = 32;

/// The weights, flat: `[inputs, 3 units]`, `[units, 3 units]`, two biases of `3 units`, the output's `units` weights and its bias. Gates are in the
/// order r, z, n.
pub(super) struct Gru {
    inputs: usize,
    units: usize,
    pub(super) weights: Vec<f32>,
}

/// What one row leaves for the way back, `[units]` each but the gates.
#[derive(Default, Clone)]
struct Kept {
    before: Vec<f32>,
    reset: Vec<f32>,
    update: Vec<f32>,
    new: Vec<f32>,
    recurrent: Vec<f32>,
    after: Vec<f32>,
}

impl Gru {
    /// Weights drawn as PyTorch draws them, from U(-k, k), k = 1 / sqrt(units).
    pub(super) fn new(inputs: usize, units: usize, random: &mut Sequence) -> Self {
        let bound = 1.0 / (units as f64).sqrt();
        let count = 3 * units * (inputs + units + 2) + units + 1;
        Self { inputs, units, weights: (0..count).map(|_| ((2.0 * random.unit() - 1.0) * bound) as f32).collect() }
    }

    /// Where the parts of the weights begin: recurrent weights, both biases, output.
    fn parts(&self) -> [usize; 4] {
        let gates = 3 * self.units;
        let recurrent = self.inputs * gates;
        let biases = recurrent + self.units * gates;
        [recurrent, biases, biases + gates, biases + 2 * gates]
    }

    fn run(&self, rows: &[f32], kept: &mut Vec<Kept>) -> Vec<f32> {
        let (gates, units, [recurrent, first_bias, second_bias, output]) = (3 * self.units, self.units, self.parts());
        let weights = &self.weights;
        let mut hidden = vec![0.0; units];
        let mut outputs = Vec::with_capacity(rows.len() / self.inputs);
        kept.clear();
        for row in rows.chunks_exact(self.inputs) {
            let mut of_input = weights[first_bias..second_bias].to_vec();
            let mut of_hidden = weights[second_bias..output].to_vec();
            add_products(&mut of_input, row, &weights[..recurrent]);
            add_products(&mut of_hidden, &hidden, &weights[recurrent..first_bias]);
            let gate = |at: usize| sigmoid(of_input[at] + of_hidden[at]);
            let reset: Vec<f32> = (0..units).map(gate).collect();
            let update: Vec<f32> = (units..2 * units).map(gate).collect();
            let last = &of_hidden[2 * units..gates];
            let new: Vec<f32> = (0..units).map(|at| math::tanh(of_input[2 * units + at] + reset[at] * last[at])).collect();
            let after: Vec<f32> = (0..units).map(|at| (1.0 - update[at]) * new[at] + update[at] * hidden[at]).collect();
            outputs.push(weights[output + units] + after.iter().zip(&weights[output..]).map(|(h, weight)| h * weight).sum::<f32>());
            let before = std::mem::replace(&mut hidden, after.clone());
            kept.push(Kept { before, reset, update, new, recurrent: last.to_vec(), after });
        }
        outputs
    }

    /// The outputs of every row of sequences `[count, length, inputs]`, `[count, length]`.
    pub(super) fn outputs(&self, sequences: &[f32], length: usize) -> Vec<f32> {
        sequences.par_chunks(length * self.inputs).flat_map_iter(|rows| self.run(rows, &mut Vec::new())).collect()
    }

    /// The sum of the gradients over sequences `[count, length, inputs]`; `slope` gives the loss's derivative by every output of a sequence, from its
    /// number and its outputs.
    pub(super) fn gradient(&self, sequences: &[f32], length: usize, slope: impl Fn(usize, &[f32]) -> Vec<f32> + Sync) -> Vec<f32> {
        let size = length * self.inputs;
        let part = |(number, sequences): (usize, &[f32])| {
            let (mut sum, mut kept) = (vec![0.0; self.weights.len()], Vec::new());
            for (place, rows) in sequences.chunks_exact(size).enumerate() {
                let outputs = self.run(rows, &mut kept);
                self.add_gradient(rows, &kept, &slope(number * TOGETHER + place, &outputs), &mut sum);
            }
            sum
        };
        let parts: Vec<Vec<f32>> = sequences.par_chunks(TOGETHER * size).enumerate().map(part).collect();
        let mut all = vec![0.0; self.weights.len()];
        parts.iter().for_each(|part| all.iter_mut().zip(part).for_each(|(all, part)| *all += part));
        all
    }

    fn add_gradient(&self, rows: &[f32], kept: &[Kept], slopes: &[f32], sum: &mut [f32]) {
        let (gates, units, [recurrent, first_bias, second_bias, output]) = (3 * self.units, self.units, self.parts());
        let mut back = vec![0.0; units];
        for ((row, kept), &slope) in rows.chunks_exact(self.inputs).zip(kept).zip(slopes).rev() {
            for at in 0..units {
                back[at] += slope * self.weights[output + at];
                sum[output + at] += slope * kept.after[at];
            }
            sum[output + units] += slope;
            let (mut of_input, mut of_hidden) = (vec![0.0; gates], vec![0.0; gates]);
            let mut before = vec![0.0; units];
            for at in 0..units {
                let Kept { reset, update, new, recurrent, before: hidden, .. } = kept;
                let new_slope = back[at] * (1.0 - update[at]) * (1.0 - new[at] * new[at]);
                let reset_slope = new_slope * recurrent[at] * reset[at] * (1.0 - reset[at]);
                let update_slope = back[at] * (hidden[at] - new[at]) * update[at] * (1.0 - update[at]);
                (of_input[at], of_input[units + at], of_input[2 * units + at]) = (reset_slope, update_slope, new_slope);
                (of_hidden[at], of_hidden[units + at], of_hidden[2 * units + at]) = (reset_slope, update_slope, new_slope * reset[at]);
                before[at] = back[at] * update[at];
            }
            for (value, line) in row.iter().zip(sum[..recurrent].chunks_exact_mut(gates)) {
                line.iter_mut().zip(&of_input).for_each(|(line, slope)| *line += value * slope);
            }
            for (at, line) in sum[recurrent..first_bias].chunks_exact_mut(gates).enumerate() {
                line.iter_mut().zip(&of_hidden).for_each(|(line, slope)| *line += kept.before[at] * slope);
            }
            sum[first_bias..second_bias].iter_mut().zip(&of_input).for_each(|(sum, slope)| *sum += slope);
            sum[second_bias..output].iter_mut().zip(&of_hidden).for_each(|(sum, slope)| *sum += slope);
            for (before, line) in before.iter_mut().zip(self.weights[recurrent..first_bias].chunks_exact(gates)) {
                *before += line.iter().zip(&of_hidden).map(|(weight, slope)| weight * slope).sum::<f32>();
            }
            back = before;
        }
    }
}

/// `out += values * weights`, `weights [values, out]`.
fn add_products(out: &mut [f32], values: &[f32], weights: &[f32]) {
    for (value, line) in values.iter().zip(weights.chunks_exact(out.len())) {
        out.iter_mut().zip(line).for_each(|(out, weight)| *out += value * weight);
    }
}

pub(super) fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + math::exp(-x))
}

/// Adam (Kingma and Ba 2015) with PyTorch's defaults.
pub(super) struct Adam {
    first: Vec<f32>,
    second: Vec<f32>,
    steps: i32,
}

impl Adam {
    pub(super) fn new(weights: usize) -> Self {
        Self { first: vec![0.0; weights], second: vec![0.0; weights], steps: 0 }
    }

    pub(super) fn step(&mut self, weights: &mut [f32], gradient: &[f32]) {
        const RATE: f64 = 1e-3;
        self.steps += 1;
        let [first, second] = [0.9f64, 0.999].map(|beta| 1.0 - beta.powi(self.steps));
        let (rate, root) = ((RATE / first) as f32, (1.0 / second.sqrt()) as f32);
        for (((weight, slope), m), v) in weights.iter_mut().zip(gradient).zip(&mut self.first).zip(&mut self.second) {
            *m += 0.1 * (slope - *m);
            *v += 0.001 * (slope * slope - *v);
            *weight -= rate * *m / (v.sqrt() * root + 1e-8);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::random;

    fn sequences(count: usize) -> Vec<f32> {
        (0..count).map(|i| ((i * 37 % 101) as f32 / 101.0) - 0.3).collect()
    }

    #[test]
    fn gradients_are_those_of_differences() {
        let mut net = Gru::new(3, 2, &mut random(1, 0));
        let (rows, length) = (sequences(40 * 5 * 3), 5);
        let weigh = |place: usize, row: usize| ((place + 2 * row) % 5) as f32 - 1.5;
        let slope =
            |place: usize, outputs: &[f32]| (0..outputs.len()).map(|row| weigh(place, row) * 2.0 * outputs[row]).collect::<Vec<f32>>();
        let loss = |net: &Gru| -> f64 {
            let outputs = net.outputs(&rows, length);
            outputs.iter().enumerate().map(|(at, y)| f64::from(weigh(at / length, at % length)) * f64::from(*y).powi(2)).sum()
        };
        let gradient = net.gradient(&rows, length, slope);
        for at in 0..net.weights.len() {
            let kept = net.weights[at];
            net.weights[at] = kept + 1e-2;
            let above = loss(&net);
            net.weights[at] = kept - 1e-2;
            let below = loss(&net);
            net.weights[at] = kept;
            let wanted = (above - below) / 2e-2;
            assert!((f64::from(gradient[at]) - wanted).abs() < 0.02 * (1.0 + wanted.abs()), "{at}: {} for {wanted}", gradient[at]);
        }
    }

    /// crates/metrics/tests/golden/series.py prints these outputs, by the equations of PyTorch's documentation, for weights sin(1), sin(2)...
    #[test]
    fn outputs_are_those_of_pytorch() {
        let mut net = Gru::new(3, 2, &mut random(1, 0));
        net.weights.iter_mut().zip(1..).for_each(|(weight, i)| *weight = (f64::from(i).sin()) as f32);
        let outputs = net.outputs(&sequences(2 * 4 * 3), 4);
        for (found, wanted) in outputs.iter().zip(PYTORCH) {
            assert!((f64::from(*found) - wanted).abs() < 1e-5, "{outputs:?}");
        }
    }

    const PYTORCH: [f64; 8] = [0.894251424, 0.950485165, 1.015775975, 1.049106235, 0.912500833, 0.988252181, 1.072702820, 1.112339846];
}
