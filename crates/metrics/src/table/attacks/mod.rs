//! Attacks by someone who holds the synthetic table, with their success rates.
//!
//! Every attack is run on training rows (main), on holdout rows (control: what the table reveals about any row of the population) and by
//! random guessing (baseline). Only what exceeds the control is leakage. The three attacks of the Article 29 Working Party are defined as by
//! Giomi et al. 2023, "A unified framework for quantifying privacy risk in synthetic data"; [`membership`] and [`shadow`] infer membership in
//! the training set. A stronger attacker may succeed where these attacks fail: none of these numbers is a guarantee.

mod inference;
mod linkability;
pub mod membership;
pub mod shadow;
mod singling_out;
#[cfg(test)]
mod tests_support;

use serde::{Deserialize, Serialize};

use crate::significance::more_often;

pub use inference::{Inference, inference};
pub use linkability::linkability;
pub use singling_out::{LEAST_PREDICATES, Predicates, singling_out};

/// 1.96 standard deviations: a confidence of 95 %.
const Z: f64 = 1.959_963_984_540_054;

/// A share of successes with its Wilson interval of 95 %.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Rate {
    /// Successes.
    pub hits: usize,
    /// Attempts.
    pub attempts: usize,
    /// The centre of the interval, `(hits + z^2 / 2) / (attempts + z^2)`.
    pub rate: f64,
    /// Half its width.
    pub half_width: f64,
}

impl Rate {
    /// Of `hits` among `attempts`; the whole range of 0 to 1 for no attempts.
    pub fn new(hits: usize, attempts: usize) -> Self {
        let (k, n) = (hits as f64, attempts as f64);
        let rate = (k + Z * Z / 2.0) / (n + Z * Z);
        let spread = if attempts == 0 { 0.0 } else { k * (n - k) / n };
        Self { hits, attempts, rate, half_width: Z / (n + Z * Z) * (spread + Z * Z / 4.0).sqrt() }
    }

    /// With an interval `times` as wide.
    fn widened(self, times: f64) -> Self {
        Self { half_width: self.half_width * times, ..self }
    }

    fn of(outcomes: impl Iterator<Item = bool>) -> Self {
        let (hits, attempts) = outcomes.fold((0, 0), |(hits, attempts), hit| (hits + usize::from(hit), attempts + 1));
        Self::new(hits, attempts)
    }
}

/// The success rates of an attack and the resulting risk.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// On training rows.
    pub main: Rate,
    /// On holdout rows.
    pub control: Rate,
    /// By guessing.
    pub baseline: Rate,
    /// `(main - control) / (1 - control)`, clamped to 0 to 1: the gain on training rows relative to what the control leaves open.
    pub risk: f64,
    /// Its 95 % confidence interval, propagated from the two half widths.
    pub interval: [f64; 2],
    /// The chance of so many more successes on training rows than on holdout rows if the synthetic table told no more of them.
    pub p_value: f64,
    /// Guessing does as well: the attack was too weak to measure a risk, which is not the same as no risk.
    pub failed: bool,
}

impl Outcome {
    /// From the three rates.
    pub fn new(main: Rate, control: Rate, baseline: Rate) -> Self {
        let left = 1.0 - control.rate;
        let risk = (main.rate - control.rate) / left;
        let half = (main.half_width / left).hypot(control.half_width * (1.0 - main.rate) / (left * left));
        let bound = |value: f64| value.clamp(0.0, 1.0);
        let failed = main.attempts == 0 || main.rate <= baseline.rate;
        let p_value = more_often([main.hits, main.attempts], [control.hits, control.attempts]);
        Self { main, control, baseline, risk: bound(risk), interval: [bound(risk - half), bound(risk + half)], p_value, failed }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_are_wilsons_and_risk_is_what_the_control_leaves() {
        // statsmodels: proportion_confint(30, 100, 0.05, "wilson") = (0.21894885, 0.39584854).
        let rate = Rate::new(30, 100);
        assert!((rate.rate - rate.half_width - 0.218_948_85).abs() < 1e-7 && (rate.rate + rate.half_width - 0.395_848_54).abs() < 1e-7);
        let outcome = Outcome::new(Rate::new(900, 1000), Rate::new(500, 1000), Rate::new(100, 1000));
        assert!((outcome.risk - 0.8).abs() < 0.01 && outcome.interval[0] > 0.7 && outcome.interval[1] < 0.9 && !outcome.failed);
        assert!(Outcome::new(Rate::new(10, 100), Rate::new(50, 100), Rate::new(20, 100)).failed);
        let nothing = Outcome::new(Rate::new(0, 0), Rate::new(0, 0), Rate::new(0, 0));
        assert!(nothing.failed && nothing.interval == [0.0, 1.0]);
    }
}
