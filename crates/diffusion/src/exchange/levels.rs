//! The noise levels that a scheduler of diffusers visits.
//!
//! The schedulers differ in how they spread timesteps; each of these ways is followed to the number. One is not: DDIM steps from `t` to
//! `t - timesteps / steps`, which need not be the timestep that it visits next. Here every step ends where the next begins. The two are
//! the same for leading timesteps, and for trailing ones if the steps divide the timesteps.

use semblant_core::{Error, Result};

use super::scheduler::{FinalSigma, SchedulerClass, SchedulerConfig, TimestepSpacing};
use crate::process::{Level, Path};
use crate::schedule::{BetaSchedule, DdpmTable, Plan, Spacing, bend, edm_level, karras, preserving, timesteps};

/// The exponent of Karras et al. 2022 over tables, where it is no setting.
const RHO: f64 = 7.0;

impl SchedulerConfig {
    /// The levels of `steps` steps.
    ///
    /// # Errors
    /// No steps, more than the model was trained with, or a setting at which diffusers would do what Semblant cannot.
    pub fn plan(&self, steps: usize) -> Result<Plan> {
        self.check()?;
        if steps == 0 || steps > self.num_train_timesteps {
            let what = format!("steps = {steps} must be from 1 to {}, the timesteps of the model", self.num_train_timesteps);
            return Err(Error::Config(what));
        }
        match self.class {
            SchedulerClass::FlowEuler => Ok(self.flow_plan(steps)),
            SchedulerClass::EdmEuler => self.edm_plan(steps),
            _ => self.table_plan(steps),
        }
    }

    fn flow_plan(&self, steps: usize) -> Plan {
        let count = self.num_train_timesteps as f64;
        // diffusers bends the least level when the scheduler is built, and all levels again when the steps are chosen.
        let least = bend(1.0 / count, self.shift);
        let level = |t: f64| Level { alpha: 1.0 - t, sigma: t, time: count * t };
        let even = |index: usize| if steps > 1 { 1.0 + index as f64 / (steps - 1) as f64 * (least - 1.0) } else { 1.0 };
        let mut levels: Vec<Level> = (0..steps).map(|index| level(bend(even(index), self.shift))).collect();
        levels.push(level(0.0));
        Plan { levels, path: Path::Straight }
    }

    fn edm_plan(&self, steps: usize) -> Result<Plan> {
        let (least, greatest) = (self.sigma_min.unwrap_or(0.002), self.sigma_max.unwrap_or(80.0));
        if !(least > 0.0 && greatest > least && greatest.is_finite() && self.rho > 0.0) {
            let what = format!("sigma_min = {least}, sigma_max = {greatest} and rho = {} must be positive and rising", self.rho);
            return Err(Error::Config(format!("{what}; correct scheduler_config.json")));
        }
        let mut levels: Vec<Level> = karras(steps, least, greatest, self.rho).into_iter().map(edm_level).collect();
        levels.push(match self.final_sigmas_type {
            FinalSigma::Zero => Level { alpha: 1.0, sigma: 0.0, time: 0.0 },
            FinalSigma::SigmaMin => levels[steps - 1],
        });
        Ok(Plan { levels, path: Path::VarianceExploding })
    }

    fn table_plan(&self, steps: usize) -> Result<Plan> {
        let table = self.table()?;
        let count = table.signal_power.len();
        let multistep = matches!(self.class, SchedulerClass::DpmSolver | SchedulerClass::UniPc);
        let mut levels: Vec<Level> = match self.class {
            _ if multistep => self.multistep_times(&table, steps),
            SchedulerClass::Ddpm | SchedulerClass::Ddim => timesteps(self.spacing(), count, steps, self.steps_offset)?,
            // Euler's and Heun's schedulers go between timesteps.
            _ if self.timestep_spacing == TimestepSpacing::Linspace => {
                let every = if steps > 1 { (count - 1) as f64 / (steps - 1) as f64 } else { 0.0 };
                (0..steps).rev().map(|index| f64::from((index as f64 * every) as f32)).collect()
            }
            _ => timesteps(self.spacing(), count, steps, self.steps_offset)?,
        }
        .into_iter()
        .map(|time| table.level(time))
        .collect();
        if self.use_karras_sigmas {
            let noise = |level: &Level| level.sigma / level.alpha;
            // The multistep schedulers reach from end to end of the table, the others over the timesteps found so far.
            let ends = if multistep { (table.level(0.0), table.level((count - 1) as f64)) } else { (levels[levels.len() - 1], levels[0]) };
            let (least, greatest) = (self.sigma_min.unwrap_or(noise(&ends.0)), self.sigma_max.unwrap_or(noise(&ends.1)));
            let time = |noise: f64| if multistep { self.whole(table.time_of(noise)) } else { table.time_of(noise) };
            levels =
                karras(steps, least, greatest, RHO).into_iter().map(|noise| Level { time: time(noise), ..preserving(noise) }).collect();
        }
        let to_image = match self.class {
            SchedulerClass::Ddim => self.set_alpha_to_one,
            _ => self.final_sigmas_type == FinalSigma::Zero,
        };
        levels.push(table.level(if to_image { -1.0 } else { 0.0 }));
        Ok(Plan { levels, path: Path::VariancePreserving })
    }

    fn spacing(&self) -> Spacing {
        match self.timestep_spacing {
            TimestepSpacing::Leading => Spacing::Leading,
            TimestepSpacing::Linspace => Spacing::Linspace,
            TimestepSpacing::Trailing => Spacing::Trailing,
        }
    }

    /// A timestep as the multistep schedulers tell it to the network.
    fn whole(&self, time: f64) -> f64 {
        let cosine = self.class == SchedulerClass::DpmSolver && self.beta_schedule == BetaSchedule::Cosine;
        if cosine { time.trunc() } else { time.round_ties_even() }
    }

    /// DPM-Solver's and UniPC's timesteps: spread as if one step more were taken, whose level, the cleanest, is left out.
    fn multistep_times(&self, table: &DdpmTable, steps: usize) -> Vec<f64> {
        let count = table.signal_power.len();
        let end = match self.lambda_min_clipped.filter(|_| self.class == SchedulerClass::DpmSolver) {
            Some(least) => {
                let log_ratio = |power: &f32| power.sqrt().ln() - (1.0 - power).sqrt().ln();
                count - table.signal_power.iter().filter(|power| log_ratio(power) < least as f32).count()
            }
            None => count,
        };
        match self.timestep_spacing {
            TimestepSpacing::Linspace => {
                let every = (end as f64 - 1.0) / steps as f64;
                (1..=steps).rev().map(|index| (index as f64 * every).round_ties_even()).collect()
            }
            TimestepSpacing::Leading => {
                let every = end / (steps + 1);
                (1..=steps).rev().map(|index| (index * every + self.steps_offset) as f64).collect()
            }
            TimestepSpacing::Trailing => {
                let every = count as f64 / steps as f64;
                let times = (0..steps).map(|index| end as f64 - index as f64 * every).take_while(|time| *time > 0.0);
                times.map(|time| time.round_ties_even() - 1.0).collect()
            }
        }
    }
}
