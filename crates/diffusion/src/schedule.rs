//! Which noise levels a model is trained at and a solver visits.

use semblant_core::{Error, Result};
use serde::{Deserialize, Serialize};

use crate::process::{Level, Path};

/// The most timesteps of a table.
pub(crate) const MOST_TIMESTEPS: usize = 1 << 20;

/// How the noise added at each of the timesteps of DDPM grows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum BetaSchedule {
    /// A straight line (Ho et al. 2020).
    #[default]
    Linear,
    /// A straight line of square roots (Rombach et al. 2022).
    ScaledLinear,
    /// Half a squared cosine of the signal (Nichol and Dhariwal 2021).
    #[serde(rename = "squaredcos_cap_v2")]
    Cosine,
    /// A sigmoid between -6 and 6.
    Sigmoid,
}

/// The table of DDPM: what is left of the signal's power after each timestep.
///
/// The arithmetic is that of diffusers on PyTorch's CPU, down to the last bit of the `f32` table where that is a matter of sums and
/// products: a straight line is drawn from both ends with one rounding per value, and the running product is kept in double precision.
#[derive(Debug, Clone, PartialEq)]
pub struct DdpmTable {
    /// `alpha_bar`, one value a timestep, falling.
    pub signal_power: Vec<f32>,
}

impl DdpmTable {
    /// The table of `timesteps` steps with betas from `first` to `last`; the cosine schedule ignores both.
    ///
    /// # Errors
    /// Fewer than two timesteps, or betas outside (0, 1).
    pub fn new(schedule: BetaSchedule, timesteps: usize, first: f64, last: f64) -> Result<Self> {
        if timesteps < 2 {
            return Err(Error::Config(format!("timesteps = {timesteps} must be at least 2")));
        }
        if !(first > 0.0 && last < 1.0 && first <= last) {
            return Err(Error::Config(format!("beta_start = {first} and beta_end = {last} must lie between 0 and 1, in this order")));
        }
        let betas: Vec<f32> = match schedule {
            BetaSchedule::Linear => line(first as f32, last as f32, timesteps),
            BetaSchedule::ScaledLinear => {
                line(first.sqrt() as f32, last.sqrt() as f32, timesteps).into_iter().map(|root| root * root).collect()
            }
            BetaSchedule::Cosine => cosine_betas(timesteps),
            BetaSchedule::Sigmoid => {
                let spread = (last - first) as f32;
                line(-6.0, 6.0, timesteps).into_iter().map(|x| 1.0 / (1.0 + (-x).exp()) * spread + first as f32).collect()
            }
        };
        Ok(Self::from_betas(&betas))
    }

    /// The table of given betas.
    pub fn from_betas(betas: &[f32]) -> Self {
        let mut product = 1.0f64;
        let signal_power = betas.iter().map(|beta| {
            product *= f64::from(1.0 - beta);
            product as f32
        });
        Self { signal_power: signal_power.collect() }
    }

    /// Scales the signal so that nothing of it is left at the last timestep (Lin et al. 2024).
    pub fn with_zero_terminal_signal(self) -> Self {
        let roots: Vec<f32> = self.signal_power.iter().map(|power| power.sqrt()).collect();
        let (first, last) = (roots[0], roots[roots.len() - 1]);
        let signal_power = roots.into_iter().map(|root| ((root - last) * (first / (first - last))).powi(2)).collect();
        Self { signal_power }
    }

    /// The level of timestep `t`; between two timesteps `ln(sigma / alpha)` is interpolated; below 0 it is the clean image.
    pub fn level(&self, t: f64) -> Level {
        if t < 0.0 {
            return Level { alpha: 1.0, sigma: 0.0, time: 0.0 };
        }
        let last = self.signal_power.len() - 1;
        let (below, share) = (t.floor().min(last as f64), t.fract());
        let power = f64::from(self.signal_power[below as usize]);
        if share == 0.0 || below as usize == last {
            return Level { alpha: power.sqrt(), sigma: (1.0 - power).sqrt(), time: t };
        }
        let above = f64::from(self.signal_power[below as usize + 1]);
        let noise = |power: f64| ((1.0 - power) / power).sqrt();
        Level { time: t, ..preserving(noise(power) + share * (noise(above) - noise(power))) }
    }

    /// The timestep, possibly between two, at which `sigma / alpha` is `noise`.
    pub fn time_of(&self, noise: f64) -> f64 {
        let log = |index: usize| {
            let power = f64::from(self.signal_power[index]);
            0.5 * ((1.0 - power) / power).ln()
        };
        let wanted = noise.ln();
        let last = self.signal_power.len() - 1;
        let below = (0..=last).rev().find(|&index| log(index) <= wanted).unwrap_or(0).min(last - 1);
        let share = (log(below) - wanted) / (log(below) - log(below + 1));
        below as f64 + share.clamp(0.0, 1.0)
    }
}

/// The level of a variance-preserving path at which `sigma / alpha` is `noise`; its time is left 0.
pub(crate) fn preserving(noise: f64) -> Level {
    let alpha = 1.0 / (1.0 + noise * noise).sqrt();
    Level { alpha, sigma: noise * alpha, time: 0.0 }
}

/// `count` values from `first` to `last` as `torch.linspace` gives them.
fn line(first: f32, last: f32, count: usize) -> Vec<f32> {
    let step = f64::from((last - first) / (count as f32 - 1.0));
    let value = |index: usize| {
        if index < count / 2 { f64::from(first) + step * index as f64 } else { f64::from(last) - step * (count - 1 - index) as f64 }
    };
    (0..count).map(|index| value(index) as f32).collect()
}

fn cosine_betas(count: usize) -> Vec<f32> {
    let power = |t: f64| ((t + 0.008) / 1.008 * std::f64::consts::FRAC_PI_2).cos().powi(2);
    let beta = |index: usize| (1.0 - power((index + 1) as f64 / count as f64) / power(index as f64 / count as f64)).min(0.999);
    (0..count).map(|index| beta(index) as f32).collect()
}

/// Which of the timesteps a solver visits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Spacing {
    /// Every n-th timestep, counted from 0: never visits the last ones.
    Leading,
    /// Evenly from the first to the last.
    Linspace,
    /// Every n-th timestep, counted from the last.
    #[default]
    Trailing,
    /// Evenly in the seventh root of the noise level (Karras et al. 2022, equation 5).
    Karras,
}

/// The timesteps of `steps` solver steps over a table of `count`, falling, as diffusers spaces them. `offset` is added to leading ones.
///
/// # Errors
/// More steps than timesteps, or none.
pub fn timesteps(spacing: Spacing, count: usize, steps: usize, offset: usize) -> Result<Vec<f64>> {
    if steps == 0 || steps > count {
        return Err(Error::Config(format!("steps = {steps} must be from 1 to {count}, the timesteps that the model was trained with")));
    }
    let times: Vec<f64> = match spacing {
        Spacing::Leading => {
            let every = count / steps;
            (0..steps).rev().map(|index| (index * every + offset) as f64).collect()
        }
        Spacing::Linspace | Spacing::Karras => {
            let every = if steps > 1 { (count - 1) as f64 / (steps - 1) as f64 } else { 0.0 };
            (0..steps).rev().map(|index| (index as f64 * every).round_ties_even()).collect()
        }
        Spacing::Trailing => {
            let every = count as f64 / steps as f64;
            (0..steps).map(|index| (count as f64 - index as f64 * every).round_ties_even() - 1.0).collect()
        }
    };
    Ok(times)
}

/// `steps` noise levels, falling from `greatest` to `least` evenly in their `rho`-th root (Karras et al. 2022, equation 5).
pub fn karras(steps: usize, least: f64, greatest: f64, rho: f64) -> Vec<f64> {
    let (top, bottom) = (greatest.powf(1.0 / rho), least.powf(1.0 / rho));
    let share = |index: usize| if steps > 1 { index as f64 / (steps - 1) as f64 } else { 0.0 };
    (0..steps).map(|index| (top + share(index) * (bottom - top)).powf(rho)).collect()
}

/// The levels that a solver visits, from noise to image: one more than it takes steps, the last one the clean image.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// The levels, falling.
    pub levels: Vec<Level>,
    /// The path that they lie on.
    pub path: Path,
}

impl Plan {
    /// Over a DDPM table.
    ///
    /// # Errors
    /// As [`timesteps`].
    pub fn ddpm(table: &DdpmTable, spacing: Spacing, steps: usize) -> Result<Self> {
        let times = timesteps(spacing, table.signal_power.len(), steps, 0)?;
        let mut levels: Vec<Level> = times.iter().map(|&t| table.level(t)).collect();
        if spacing == Spacing::Karras {
            let noise = |level: &Level| level.sigma / level.alpha;
            let (greatest, least) = (noise(&levels[0]), noise(&table.level(0.0)));
            levels = karras(steps, least, greatest, 7.0)
                .into_iter()
                .map(|noise| Level { time: table.time_of(noise), ..preserving(noise) })
                .collect();
        }
        levels.push(table.level(-1.0));
        Ok(Self { levels, path: Path::VariancePreserving })
    }

    /// Over the noise levels of EDM: `least` 0.002 and `greatest` 80 in the paper.
    ///
    /// # Errors
    /// No steps.
    pub fn edm(steps: usize, least: f64, greatest: f64) -> Result<Self> {
        at_least_one(steps)?;
        let mut levels: Vec<Level> = karras(steps, least, greatest, 7.0).into_iter().map(edm_level).collect();
        levels.push(Level { alpha: 1.0, sigma: 0.0, time: 0.0 });
        Ok(Self { levels, path: Path::VarianceExploding })
    }

    /// Over the straight path: `t` evenly from 1 to 0, bent by `shift` (Esser et al. 2024, equation 23; 1 leaves it).
    ///
    /// # Errors
    /// No steps.
    pub fn straight(steps: usize, shift: f64) -> Result<Self> {
        at_least_one(steps)?;
        let levels = (0..=steps).rev().map(|index| straight_level(bend(index as f64 / steps as f64, shift))).collect();
        Ok(Self { levels, path: Path::Straight })
    }

    /// The plan from the level on at which `strength` (0 to 1) of the way to pure noise is done: what image-to-image starts from.
    pub fn from_strength(mut self, strength: f64) -> Self {
        let steps = self.levels.len() - 1;
        let kept = ((steps as f64 * strength.clamp(0.0, 1.0)).round() as usize).clamp(1, steps);
        self.levels.drain(..steps - kept);
        self
    }

    /// The number of solver steps.
    pub fn steps(&self) -> usize {
        self.levels.len() - 1
    }
}

/// `s t / (1 + (s - 1) t)`.
pub fn bend(t: f64, shift: f64) -> f64 {
    shift * t / (1.0 + (shift - 1.0) * t)
}

/// EDM's level of standard deviation `sigma`.
pub fn edm_level(sigma: f64) -> Level {
    Level { alpha: 1.0, sigma, time: 0.25 * sigma.ln() }
}

/// The straight path's level at `t`.
pub fn straight_level(t: f64) -> Level {
    Level { alpha: 1.0 - t, sigma: t, time: 1000.0 * t }
}

fn at_least_one(steps: usize) -> Result<()> {
    if steps == 0 {
        return Err(Error::Config("steps = 0 makes no image; use at least 1".into()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spacings_are_those_of_diffusers() {
        // DDIMScheduler / EulerDiscreteScheduler of diffusers 0.42, set_timesteps(4) of 1000.
        let spaced = |spacing| timesteps(spacing, 1000, 4, 0).expect("within range");
        assert_eq!(spaced(Spacing::Leading), [750.0, 500.0, 250.0, 0.0]);
        assert_eq!(spaced(Spacing::Linspace), [999.0, 666.0, 333.0, 0.0]);
        assert_eq!(spaced(Spacing::Trailing), [999.0, 749.0, 499.0, 249.0]);
        assert!(timesteps(Spacing::Leading, 10, 11, 0).is_err() && timesteps(Spacing::Leading, 10, 0, 0).is_err());
    }

    /// Karras et al. 2022: 18 steps from 80 to 0.002; the values as its equation gives them.
    #[test]
    fn karras_levels_end_where_they_should() {
        let levels = karras(18, 0.002, 80.0, 7.0);
        assert!((levels[0] - 80.0).abs() < 1e-9 && (levels[17] - 0.002).abs() < 1e-12);
        assert!((levels[1] - 57.585_985).abs() < 1e-4, "{}", levels[1]);
        let plan = Plan::edm(1, 0.002, 80.0).expect("one step");
        assert_eq!(plan.levels.iter().map(|level| level.sigma.round()).collect::<Vec<_>>(), [80.0, 0.0]);
    }

    #[test]
    fn a_level_between_timesteps_is_found_again() {
        let table = DdpmTable::new(BetaSchedule::Linear, 1000, 1e-4, 0.02).expect("the paper's");
        for t in [0.0, 12.0, 500.0, 998.0] {
            let level = table.level(t);
            assert!((table.time_of(level.sigma / level.alpha) - t).abs() < 1e-6, "{t}");
            assert!((level.alpha.powi(2) + level.sigma.powi(2) - 1.0).abs() < 1e-12);
        }
        let between = table.level(500.5);
        assert!(between.sigma > table.level(500.0).sigma && between.sigma < table.level(501.0).sigma);
    }

    #[test]
    fn strength_keeps_the_end_of_a_plan() {
        let plan = Plan::straight(10, 1.0).expect("ten steps");
        let half = plan.clone().from_strength(0.5);
        assert_eq!(half.levels[..], plan.levels[5..]);
        assert_eq!(plan.clone().from_strength(1.0), plan);
        assert_eq!(plan.from_strength(0.0).steps(), 1);
    }
}
