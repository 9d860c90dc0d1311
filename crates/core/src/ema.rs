//! An exponential moving average of weights, with its half-life in rows so that it means the same at every batch size
//! (Karras et al. 2022, "Elucidating the design space of diffusion-based generative models", appendix F).

use burn::module::Module;
use serde::{Deserialize, Serialize};

use crate::model::Step;
use crate::multi_tensor;
use crate::{Error, Result, parameters};

/// How the average follows the weights.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Ema {
    /// Rows after which a weight's share in the average has halved; 0 keeps no average, the last weights are the model.
    pub half_life_rows: f64,
    /// The half-life is at most this share of the rows seen so far, so that the first weights are soon forgotten.
    pub warm_up: f64,
}

impl Default for Ema {
    fn default() -> Self {
        Self { half_life_rows: 500_000.0, warm_up: 0.05 }
    }
}

impl Ema {
    /// Checks every field.
    ///
    /// # Errors
    /// Names the field, its value and what is allowed.
    pub fn check(&self, name: &str) -> Result<()> {
        for (field, value) in [("half_life_rows", self.half_life_rows), ("warm_up", self.warm_up)] {
            if !(value >= 0.0 && value.is_finite()) {
                return Err(Error::Config(format!("{name}.{field} = {value} is out of range; choose a number of at least 0")));
            }
        }
        Ok(())
    }

    /// The share of the old average that stays after `step`.
    pub fn decay(&self, step: &Step) -> f64 {
        let half_life = self.half_life_rows.min((step.rows_seen + step.batch_rows) as f64 * self.warm_up);
        if half_life <= 0.0 { 0.0 } else { 0.5f64.powf(step.batch_rows as f64 / half_life) }
    }

    /// Moves `average` towards `weights`.
    pub fn update<M: Module>(&self, average: M, weights: &M, step: &Step) -> M {
        let (average, out, values) = parameters::take(average, None);
        let moved = multi_tensor::averages(values, parameters::values(weights), self.decay(step) as f32);
        parameters::put(average, out, moved)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Part;
    use crate::nn;
    use crate::seeds::Stream;
    use burn::tensor::Device;

    #[test]
    fn the_average_halves_its_distance_in_one_half_life() {
        let device = Device::flex();
        let ema = Ema { half_life_rows: 1000.0, warm_up: f64::INFINITY };
        let goal = nn::LinearConfig::new(2, 2).init(Stream::new(0, 0), &device);
        let mut average = nn::LinearConfig::new(2, 2).init(Stream::new(1, 0), &device);
        let distance = |a: &nn::Linear| (a.weight.val() - goal.weight.val()).abs().sum().into_scalar::<f32>();
        let before = distance(&average);
        for index in 0..10 {
            let step = Step { index, rows_seen: index * 100, total_rows: 1000, batch_rows: 100, seed: 0, part: Part::WHOLE, rate: 1.0 };
            average = ema.update(average, &goal, &step);
        }
        assert!((distance(&average) / before - 0.5).abs() < 1e-5);
    }

    #[test]
    fn warm_up_bounds_the_half_life_and_zero_keeps_no_average() {
        let step = Step { index: 1, rows_seen: 900, total_rows: 10_000, batch_rows: 100, seed: 0, part: Part::WHOLE, rate: 1.0 };
        assert_eq!(Ema { half_life_rows: 1e6, warm_up: 0.1 }.decay(&step), 0.5);
        assert_eq!(Ema { half_life_rows: 0.0, warm_up: 0.1 }.decay(&step), 0.0);
    }
}
