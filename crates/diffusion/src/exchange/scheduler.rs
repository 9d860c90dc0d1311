//! `scheduler_config.json`: what a network was trained for, and how it is sampled.

use std::path::Path;

use semblant_core::{Error, Result};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::json::{self, Object};
use crate::process::Prediction;
use crate::schedule::{BetaSchedule, DdpmTable, MOST_TIMESTEPS};

/// The schedulers of diffusers that Semblant has a solver for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SchedulerClass {
    /// Ancestral sampling (Ho et al. 2020).
    Ddpm,
    /// Song et al. 2021.
    Ddim,
    /// Euler's method on `x / alpha`.
    Euler,
    /// Euler's method with fresh noise.
    EulerAncestral,
    /// Heun's method on `x / alpha`.
    Heun,
    /// DPM-Solver++ (Lu et al. 2022).
    DpmSolver,
    /// UniPC (Zhao et al. 2023).
    UniPc,
    /// Euler's method on a straight path.
    FlowEuler,
    /// Euler's method on the path of Karras et al. 2022.
    EdmEuler,
}

/// Classes, their names in diffusers, and the settings in addition to those of [`TABLE_KEYS`] that Semblant writes.
const CLASSES: [(SchedulerClass, &str, &[&str]); 9] = [
    (SchedulerClass::Ddpm, "DDPMScheduler", &["clip_sample", "clip_sample_range", "variance_type"]),
    (SchedulerClass::Ddim, "DDIMScheduler", &["clip_sample", "clip_sample_range", "set_alpha_to_one"]),
    (SchedulerClass::Euler, "EulerDiscreteScheduler", &["use_karras_sigmas", "sigma_min", "sigma_max", "final_sigmas_type"]),
    (SchedulerClass::EulerAncestral, "EulerAncestralDiscreteScheduler", &[]),
    (SchedulerClass::Heun, "HeunDiscreteScheduler", &["clip_sample", "clip_sample_range", "use_karras_sigmas"]),
    (
        SchedulerClass::DpmSolver,
        "DPMSolverMultistepScheduler",
        &["use_karras_sigmas", "final_sigmas_type", "lambda_min_clipped", "solver_order"],
    ),
    (
        SchedulerClass::UniPc,
        "UniPCMultistepScheduler",
        &["use_karras_sigmas", "sigma_min", "sigma_max", "final_sigmas_type", "solver_order"],
    ),
    (SchedulerClass::FlowEuler, "FlowMatchEulerDiscreteScheduler", &["shift"]),
    (SchedulerClass::EdmEuler, "EDMEulerScheduler", &["sigma_min", "sigma_max", "sigma_data", "rho", "final_sigmas_type"]),
];

/// The settings of every scheduler over a table of DDPM.
const TABLE_KEYS: [&str; 9] = [
    "num_train_timesteps",
    "beta_start",
    "beta_end",
    "beta_schedule",
    "trained_betas",
    "prediction_type",
    "timestep_spacing",
    "steps_offset",
    "rescale_betas_zero_snr",
];

/// The settings of schedulers over other paths.
const PATH_KEYS: [&str; 2] = ["num_train_timesteps", "prediction_type"];

impl SchedulerClass {
    /// Its name in diffusers.
    pub fn name(self) -> &'static str {
        CLASSES.iter().find(|(class, ..)| *class == self).map_or("", |(_, name, _)| name)
    }

    /// Whether it works on a table of DDPM.
    pub fn has_table(self) -> bool {
        !matches!(self, Self::FlowEuler | Self::EdmEuler)
    }
}

/// What the network predicts, in diffusers' words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PredictionType {
    /// The noise; for EDM its own mixture.
    Epsilon,
    /// The clean image.
    Sample,
    /// See [`Prediction::V`].
    VPrediction,
}

/// How the visited timesteps are spread.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TimestepSpacing {
    /// Every n-th, counted from 0.
    Leading,
    /// Evenly from the first to the last.
    Linspace,
    /// Every n-th, counted from the last.
    Trailing,
}

/// Where the last step ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FinalSigma {
    /// On the clean image.
    Zero,
    /// On the least noise.
    SigmaMin,
}

/// The noise that DDPM adds in a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VarianceType {
    /// The posterior's if all images were one; the two differ in diffusers' arithmetic only.
    FixedSmall,
    /// As `FixedSmall`.
    FixedSmallLog,
    /// The forward process's.
    FixedLarge,
    /// As `FixedLarge`.
    FixedLargeLog,
    /// The network's.
    Learned,
    /// Between the two, where the network says.
    LearnedRange,
}

/// A scheduler's settings; those that its class does not have stand at values that change nothing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names are diffusers', and so is their documentation")]
pub struct SchedulerConfig {
    #[serde(skip, default = "ddpm")]
    pub class: SchedulerClass,
    pub num_train_timesteps: usize,
    pub beta_start: f64,
    pub beta_end: f64,
    pub beta_schedule: BetaSchedule,
    pub trained_betas: Option<Vec<f32>>,
    pub prediction_type: PredictionType,
    pub timestep_spacing: TimestepSpacing,
    pub steps_offset: usize,
    pub rescale_betas_zero_snr: bool,
    pub clip_sample: bool,
    pub clip_sample_range: f64,
    pub variance_type: Option<VarianceType>,
    pub set_alpha_to_one: bool,
    pub use_karras_sigmas: bool,
    pub final_sigmas_type: FinalSigma,
    pub sigma_min: Option<f64>,
    pub sigma_max: Option<f64>,
    pub sigma_data: f64,
    pub rho: f64,
    /// `None` for minus infinity.
    pub lambda_min_clipped: Option<f64>,
    pub solver_order: usize,
    pub shift: f64,
    /// Everything else in the file, as it was found.
    #[serde(flatten)]
    pub(super) other: Object,
}

fn ddpm() -> SchedulerClass {
    SchedulerClass::Ddpm
}

/// Settings that must have one of these values, or be missing, for a plan to be what diffusers would do.
fn fixed() -> Vec<(&'static str, Value)> {
    let mut all: Vec<(&str, Value)> = [
        "thresholding",
        "use_exponential_sigmas",
        "use_beta_sigmas",
        "use_lu_lambdas",
        "use_flow_sigmas",
        "use_dynamic_shifting",
        "invert_sigmas",
        "stochastic_sampling",
        "euler_at_final",
    ]
    .map(|key| (key, json!(false)))
    .to_vec();
    all.extend([
        ("shift_terminal", Value::Null),
        ("interpolation_type", json!("linear")),
        ("timestep_type", json!("discrete")),
        ("algorithm_type", json!("dpmsolver++")),
        ("lower_order_final", json!(true)),
        ("predict_x0", json!(true)),
        ("disable_corrector", json!([])),
        ("sigma_schedule", json!("karras")),
    ]);
    all
}

impl SchedulerConfig {
    /// diffusers' defaults of a class.
    pub fn new(class: SchedulerClass) -> Self {
        let (heun, edm) = (class == SchedulerClass::Heun, class == SchedulerClass::EdmEuler);
        let first = matches!(class, SchedulerClass::Ddpm | SchedulerClass::Ddim);
        Self {
            class,
            num_train_timesteps: 1000,
            beta_start: if heun { 0.00085 } else { 1e-4 },
            beta_end: if heun { 0.012 } else { 0.02 },
            beta_schedule: BetaSchedule::Linear,
            trained_betas: None,
            prediction_type: PredictionType::Epsilon,
            timestep_spacing: if first { TimestepSpacing::Leading } else { TimestepSpacing::Linspace },
            steps_offset: 0,
            rescale_betas_zero_snr: false,
            clip_sample: first,
            clip_sample_range: 1.0,
            variance_type: (class == SchedulerClass::Ddpm).then_some(VarianceType::FixedSmall),
            set_alpha_to_one: true,
            use_karras_sigmas: false,
            final_sigmas_type: FinalSigma::Zero,
            sigma_min: edm.then_some(0.002),
            sigma_max: edm.then_some(80.0),
            sigma_data: 0.5,
            rho: 7.0,
            lambda_min_clipped: None,
            solver_order: 2,
            shift: 1.0,
            other: Object::new(),
        }
    }

    /// A model trained on a table of DDPM, sampled as Ho et al. 2020 do.
    ///
    /// # Errors
    /// A prediction that DDPM has no name for.
    pub fn ddpm(schedule: BetaSchedule, timesteps: usize, first: f64, last: f64, prediction: &Prediction) -> Result<Self> {
        let prediction_type = match prediction {
            Prediction::Epsilon => PredictionType::Epsilon,
            Prediction::Sample => PredictionType::Sample,
            Prediction::V => PredictionType::VPrediction,
            Prediction::Velocity | Prediction::Edm { .. } => {
                return Err(Error::Config(format!("{prediction:?} is no prediction of DDPM; write it as a flow or as EDM")));
            }
        };
        let base = Self::new(SchedulerClass::Ddpm);
        Ok(Self { num_train_timesteps: timesteps, beta_start: first, beta_end: last, beta_schedule: schedule, prediction_type, ..base })
    }

    /// A flow; see [`bend`](crate::schedule::bend) for `shift`.
    pub fn flow(shift: f64) -> Self {
        Self { shift, ..Self::new(SchedulerClass::FlowEuler) }
    }

    /// A model of Karras et al. 2022, sampled from noise `greatest` down to `least`.
    pub fn edm(sigma_data: f64, least: f64, greatest: f64) -> Self {
        Self { sigma_data, sigma_min: Some(least), sigma_max: Some(greatest), ..Self::new(SchedulerClass::EdmEuler) }
    }

    /// Reads a file.
    ///
    /// # Errors
    /// A file that is missing or damaged, a class without a solver, or a value that is not understood.
    pub fn read(path: &Path) -> Result<Self> {
        Self::from_json(json::read(path)?, path)
    }

    pub(super) fn from_json(mut object: Object, path: &Path) -> Result<Self> {
        let name = object.remove("_class_name");
        let name = name.as_ref().and_then(Value::as_str).unwrap_or("(none)");
        let Some((class, ..)) = CLASSES.iter().find(|(_, known, _)| *known == name) else {
            let known: Vec<&str> = CLASSES.iter().map(|(_, known, _)| *known).collect();
            let remedy = "if the model was trained on a table of betas, set \"_class_name\" to DDIMScheduler";
            return Err(Error::checkpoint(path, format!("the class {name} is not one of {}; {remedy}", known.join(", "))));
        };
        let read = Self { class: *class, ..json::overlay(&Self::new(*class), &object, path)? };
        let lists = [("trained_betas", read.trained_betas.as_ref().map_or(1, Vec::len))];
        let numbers = [("num_train_timesteps", read.num_train_timesteps), ("steps_offset", read.steps_offset.saturating_add(1))];
        for (key, count) in numbers.into_iter().chain(lists) {
            if !(1..=MOST_TIMESTEPS).contains(&count) {
                return Err(Error::checkpoint(
                    path,
                    format!("\"{key}\" is out of range, at most {MOST_TIMESTEPS} can be read; edit the file"),
                ));
            }
        }
        Ok(read)
    }

    /// What `scheduler_config.json` says: the settings of the class, and what else was read.
    pub fn to_json(&self) -> serde_json::Map<String, Value> {
        let own = CLASSES.iter().find(|(class, ..)| *class == self.class).map_or(&[][..], |(.., keys)| keys);
        let common: &[&str] = if self.class.has_table() { &TABLE_KEYS } else { &PATH_KEYS };
        let mut object = match serde_json::to_value(self) {
            Ok(Value::Object(object)) => object,
            _ => Object::new(),
        };
        // A missing setting stands at its default; `null` would be an error for some.
        object.retain(|key, value| {
            let known = own.contains(&key.as_str()) || common.contains(&key.as_str()) || self.other.contains_key(key);
            known && !value.is_null()
        });
        if self.class == SchedulerClass::FlowEuler {
            object.remove("prediction_type");
        }
        object.insert("_class_name".into(), json!(self.class.name()));
        object
    }

    /// What the network predicts.
    pub fn prediction(&self) -> Prediction {
        match (self.class, self.prediction_type) {
            (SchedulerClass::FlowEuler, _) => Prediction::Velocity,
            (SchedulerClass::EdmEuler, _) => Prediction::Edm { sigma_data: self.sigma_data },
            (_, PredictionType::Epsilon) => Prediction::Epsilon,
            (_, PredictionType::Sample) => Prediction::Sample,
            (_, PredictionType::VPrediction) => Prediction::V,
        }
    }

    /// The table that the network was trained on.
    ///
    /// # Errors
    /// A class without a table, or betas out of range.
    pub fn table(&self) -> Result<DdpmTable> {
        if !self.class.has_table() {
            return Err(Error::Config(format!("{} has no table of betas; use its levels instead", self.class.name())));
        }
        let table = match &self.trained_betas {
            Some(betas) if betas.len() < 2 || betas.iter().any(|beta| !(*beta > 0.0 && *beta < 1.0)) => {
                return Err(Error::Config(
                    "trained_betas must be at least two numbers between 0 and 1; correct scheduler_config.json".into(),
                ));
            }
            Some(betas) => DdpmTable::from_betas(betas),
            None => DdpmTable::new(self.beta_schedule, self.num_train_timesteps, self.beta_start, self.beta_end)?,
        };
        if !self.rescale_betas_zero_snr {
            return Ok(table);
        }
        let mut table = table.with_zero_terminal_signal();
        // diffusers keeps the noise level finite where a scheduler works on sigma / alpha.
        if !matches!(self.class, SchedulerClass::Ddpm | SchedulerClass::Ddim)
            && let Some(last) = table.signal_power.last_mut()
        {
            *last = 2f32.powi(-24);
        }
        Ok(table)
    }

    /// The greatest absolute value of the predicted clean image, if it is clipped.
    pub fn clip(&self) -> Option<f64> {
        (self.clip_sample && self.class.has_table()).then_some(self.clip_sample_range)
    }

    /// The solver's name.
    pub fn solver(&self) -> &'static str {
        match self.class {
            SchedulerClass::Ddpm => "ddpm",
            // DPM-Solver++ of first order is DDIM (Lu et al. 2022, section 4.1).
            SchedulerClass::DpmSolver if self.solver_order == 1 => "ddim",
            SchedulerClass::Ddim => "ddim",
            SchedulerClass::Euler | SchedulerClass::FlowEuler | SchedulerClass::EdmEuler => "euler",
            SchedulerClass::EulerAncestral => "euler-ancestral",
            SchedulerClass::Heun => "heun",
            SchedulerClass::DpmSolver => "dpmpp-2m",
            SchedulerClass::UniPc => "unipc",
        }
    }

    /// Whether Semblant's solver does what diffusers would.
    pub(super) fn check(&self) -> Result<()> {
        let refused = |key: &str, value: &Value, allowed: &str| {
            let name = self.class.name();
            Err(Error::Config(format!("{key} = {value} of {name} is not supported, only {allowed} is; change scheduler_config.json")))
        };
        for (key, allowed) in fixed() {
            if let Some(value) = self.other.get(key).filter(|value| **value != allowed) {
                return refused(key, value, &allowed.to_string());
            }
        }
        let solver_type = self.other.get("solver_type").and_then(Value::as_str);
        match (self.class, solver_type) {
            (SchedulerClass::DpmSolver, Some("heun")) => return refused("solver_type", &json!("heun"), "\"midpoint\""),
            (SchedulerClass::UniPc, Some("bh1")) => return refused("solver_type", &json!("bh1"), "\"bh2\""),
            _ => {}
        }
        let orders: &[usize] = match self.class {
            SchedulerClass::DpmSolver => &[1, 2],
            _ => &[2],
        };
        if !orders.contains(&self.solver_order) {
            return refused("solver_order", &json!(self.solver_order), &format!("{orders:?}"));
        }
        if self.class == SchedulerClass::EdmEuler && self.prediction_type != PredictionType::Epsilon {
            return refused("prediction_type", &json!(self.prediction_type), "\"epsilon\"");
        }
        let variances = [VarianceType::FixedSmall, VarianceType::FixedSmallLog, VarianceType::FixedLarge];
        if self.class == SchedulerClass::Ddpm && self.variance_type.is_some_and(|kind| !variances.contains(&kind)) {
            return refused("variance_type", &json!(self.variance_type), &json!(variances).to_string());
        }
        Ok(())
    }
}
