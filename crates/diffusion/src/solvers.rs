//! Ways from noise to image: plain functions over `denoise(x, level)`.
//!
//! Every solver walks the levels of a [`Plan`] from noise to image and asks, at each, for the clean image that the model sees. With the
//! levels as (alpha, sigma), one formula serves variance-preserving, variance-exploding and straight paths: what diffusers has as
//! DDIM, Euler and flow-matching Euler is one function here.
//!
//! A new solver is one function and one row of [`SOLVERS`].

use burn::tensor::Tensor;
use semblant_core::{Error, Result};
use serde::{Deserialize, Serialize};

use crate::process::{Level, Path};
use crate::schedule::{Plan, edm_level};

/// The clean image that a model sees in `x [batch, channels, height, width]` at a level.
pub type Denoise<'a> = dyn Fn(Tensor<4>, &Level) -> Tensor<4> + 'a;

/// Standard normal noise of the images' shape for the step of this number.
pub type Noise<'a> = dyn Fn(usize) -> Tensor<4> + 'a;

/// From noised images at the plan's first level to clean ones.
pub type Solver = fn(&Denoise, Tensor<4>, &Plan, &Sampling, &Noise) -> Tensor<4>;

/// How images are sampled: which solver, how many steps, and what it is told.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Sampling {
    /// Solver steps.
    pub steps: usize,
    /// The solver's name; see [`SOLVERS`].
    pub solver: String,
    /// Classifier-free guidance: 1 follows the class as it was learnt, more follows it further, 0 ignores it.
    pub guidance: f64,
    /// Image-to-image: how far towards pure noise the given images are taken, 0 to 1.
    pub strength: f64,
    /// DDIM: the share of fresh noise, 0 (none) to 1 (as much as DDPM).
    pub eta: f64,
    /// Heun: how much noise is added back over all steps (`S_churn` of Karras et al. 2022, algorithm 2); 0 adds none.
    pub churn: f64,
    /// Heun: noise is added back from this standard deviation on (`S_min`).
    pub churn_min: f64,
    /// Heun: noise is added back up to this standard deviation (`S_max`).
    pub churn_max: f64,
    /// Heun: the standard deviation of the noise that is added (`S_noise`).
    pub churn_noise: f64,
    /// Clean images are clamped to minus this and this at every step; 0 never clamps.
    pub clip: f64,
}

impl Default for Sampling {
    fn default() -> Self {
        Self {
            steps: 18,
            solver: "heun".into(),
            guidance: 1.0,
            strength: 0.6,
            eta: 0.0,
            churn: 0.0,
            churn_min: 0.0,
            churn_max: 1e9,
            churn_noise: 1.0,
            clip: 0.0,
        }
    }
}

/// More solver steps than any model needs; beyond it a number is a mistake.
const MOST_STEPS: usize = 100_000;

impl Sampling {
    /// Checks every field's range.
    ///
    /// # Errors
    /// Names the field, its value and the range.
    pub fn check(&self) -> Result<()> {
        solver(&self.solver)?;
        if self.steps == 0 || self.steps > MOST_STEPS {
            return Err(Error::Config(format!("steps = {} is out of range; choose a number from 1 to {MOST_STEPS}", self.steps)));
        }
        for (field, value) in [("eta", self.eta), ("strength", self.strength)] {
            if !(0.0..=1.0).contains(&value) {
                return Err(Error::Config(format!("{field} = {value} is out of range; choose a number from 0 to 1")));
            }
        }
        let from_zero = [
            ("guidance", self.guidance),
            ("churn", self.churn),
            ("churn_min", self.churn_min),
            ("churn_noise", self.churn_noise),
            ("clip", self.clip),
        ];
        if let Some((field, value)) = from_zero.iter().find(|(_, value)| !(*value >= 0.0 && value.is_finite())) {
            return Err(Error::Config(format!("{field} = {value} is out of range; choose a number of at least 0")));
        }
        if !(self.churn_max >= self.churn_min) {
            return Err(Error::Config(format!("churn_max = {} must be at least churn_min = {}", self.churn_max, self.churn_min)));
        }
        Ok(())
    }

    /// Checks what depends on the levels that are visited.
    ///
    /// # Errors
    /// Churn on a path that has no levels for it.
    pub fn check_on(&self, plan: &Plan) -> Result<()> {
        if self.churn > 0.0 && (plan.path != Path::VarianceExploding || self.solver != "heun") {
            return Err(Error::Config("churn is for the solver heun on a model of kind edm; leave it out".into()));
        }
        Ok(())
    }

    fn clamp(&self, clean: Tensor<4>) -> Tensor<4> {
        if self.clip > 0.0 { clean.clamp(-self.clip, self.clip) } else { clean }
    }
}

/// Every solver by the name it is asked for by, with what it is.
pub const SOLVERS: &[(&str, &str, Solver)] = &[
    ("heun", "second order, two evaluations a step; the choice for EDM and flows (Karras et al. 2022)", heun),
    ("euler", "first order; DDIM without noise, and Euler's method on a flow", euler),
    ("euler-ancestral", "first order with fresh noise at every step", euler_ancestral),
    ("ddim", "first order with as much fresh noise as eta says (Song et al. 2021)", ddim),
    ("ddpm", "the reverse chain with the posterior's variance (Ho et al. 2020)", ddpm),
    ("dpmpp-2m", "second order, one evaluation a step (Lu et al. 2022)", dpmpp_2m),
    ("unipc", "second-order predictor and corrector, one evaluation a step (Zhao et al. 2023)", unipc),
    ("consistency", "clean image, fresh noise, clean image...; for consistency models (Song et al. 2023)", consistency),
];

/// The solver called `name`.
///
/// # Errors
/// When there is none; the message lists those there are.
pub fn solver(name: &str) -> Result<Solver> {
    SOLVERS.iter().find(|(known, ..)| *known == name).map(|(.., solver)| *solver).ok_or_else(|| {
        let known: Vec<&str> = SOLVERS.iter().map(|(name, ..)| *name).collect();
        Error::Config(format!("no solver is called \"{name}\"; there are {}", known.join(", ")))
    })
}

/// The noise that stands beside the clean image in `x`.
fn noise_in(x: Tensor<4>, clean: Tensor<4>, level: &Level) -> Tensor<4> {
    (x - clean * level.alpha) / level.sigma
}

/// The variance of the noise that the forward chain adds from `to` to `from`, and that of a step of the reverse chain from `from` to `to`, given the
/// clean image (Ho et al. 2020, equation 7, for any path).
fn variances(from: &Level, to: &Level) -> (f64, f64) {
    let ratio = from.alpha / to.alpha;
    let added = from.sigma * from.sigma - ratio * ratio * to.sigma * to.sigma;
    (added, added * to.sigma * to.sigma / (from.sigma * from.sigma))
}

/// One step of DDIM, but for its fresh noise of standard deviation `fresh`.
fn ddim_step(x: Tensor<4>, clean: Tensor<4>, [from, to]: [&Level; 2], fresh: f64, options: &Sampling) -> Tensor<4> {
    // The noise is taken before the clean image is clamped, as the paper's code does.
    let old = noise_in(x, clean.clone(), from);
    options.clamp(clean) * to.alpha + old * (to.sigma * to.sigma - fresh * fresh).max(0.0).sqrt()
}

/// DDIM (Song et al. 2021, equation 12), with `eta` of the reverse chain's noise.
pub fn ddim(denoise: &Denoise, mut x: Tensor<4>, plan: &Plan, options: &Sampling, noise: &Noise) -> Tensor<4> {
    for (step, pair) in plan.levels.windows(2).enumerate() {
        let (from, to) = (&pair[0], &pair[1]);
        let clean = denoise(x.clone(), from);
        let fresh = options.eta * variances(from, to).1.max(0.0).sqrt();
        x = ddim_step(x, clean, [from, to], fresh, options);
        if fresh > 0.0 {
            x = x + noise(step) * fresh;
        }
    }
    x
}

/// Euler's method on the probability-flow equation. On all three paths it is DDIM without noise.
pub fn euler(denoise: &Denoise, x: Tensor<4>, plan: &Plan, options: &Sampling, noise: &Noise) -> Tensor<4> {
    ddim(denoise, x, plan, &Sampling { eta: 0.0, ..options.clone() }, noise)
}

/// Euler's method down to a lower level, and fresh noise up to the next one. The two levels meet where the reverse chain's do, so it is
/// DDIM with all of the noise.
pub fn euler_ancestral(denoise: &Denoise, x: Tensor<4>, plan: &Plan, options: &Sampling, noise: &Noise) -> Tensor<4> {
    ddim(denoise, x, plan, &Sampling { eta: 1.0, ..options.clone() }, noise)
}

/// The reverse chain (Ho et al. 2020, algorithm 2). Differs from DDIM with `eta` 1 where clean images are clamped: the chain's mean is made
/// of `x` and the clamped image, the noise between them follows.
pub fn ddpm(denoise: &Denoise, mut x: Tensor<4>, plan: &Plan, options: &Sampling, noise: &Noise) -> Tensor<4> {
    for (step, pair) in plan.levels.windows(2).enumerate() {
        let (from, to) = (&pair[0], &pair[1]);
        let clean = options.clamp(denoise(x.clone(), from));
        if to.sigma == 0.0 {
            x = clean * to.alpha;
            continue;
        }
        let ratio = from.alpha / to.alpha;
        let (added, variance) = variances(from, to);
        let power = from.sigma * from.sigma;
        let mean = clean * (to.alpha * added / power) + x * (ratio * to.sigma * to.sigma / power);
        x = mean + noise(step) * variance.max(1e-20).sqrt();
    }
    x
}

/// The number along which a path is walked by methods of higher order: `t` on a straight path, else `sigma / alpha`.
fn clock(path: Path, level: &Level) -> f64 {
    match path {
        Path::Straight => level.sigma,
        Path::VariancePreserving | Path::VarianceExploding => level.sigma / level.alpha,
    }
}

/// Heun's method (Karras et al. 2022, algorithm 2). The last step, to the clean image, is Euler's. On a variance-preserving path it walks
/// `x / alpha`, on a straight one `x` itself. Noise is added back on a variance-exploding path only; the others have no level for it.
pub fn heun(denoise: &Denoise, mut x: Tensor<4>, plan: &Plan, options: &Sampling, noise: &Noise) -> Tensor<4> {
    let straight = plan.path == Path::Straight;
    // What the equation moves, and its slope: dx/dt = (x - clean) / t on a straight path, d(x/alpha)/ds = (x/alpha - clean) / s else.
    let inner = |x: Tensor<4>, level: &Level| if straight { x } else { x / level.alpha };
    let outer = |x: Tensor<4>, level: &Level| if straight { x } else { x * level.alpha };
    let slope = |x: Tensor<4>, level: &Level| {
        let clean = options.clamp(denoise(x.clone(), level));
        (inner(x, level) - clean) / clock(plan.path, level)
    };
    let steps = plan.steps();
    for (step, pair) in plan.levels.windows(2).enumerate() {
        let (mut from, to) = (pair[0], pair[1]);
        let churned = options.churn > 0.0 && plan.path == Path::VarianceExploding;
        if churned && (options.churn_min..=options.churn_max).contains(&from.sigma) {
            let gain = (options.churn / steps as f64).min(std::f64::consts::SQRT_2 - 1.0);
            let raised = edm_level(from.sigma * (1.0 + gain));
            let added = raised.sigma * raised.sigma - from.sigma * from.sigma;
            x = x + noise(step) * (added.sqrt() * options.churn_noise);
            from = raised;
        }
        let start = inner(x.clone(), &from);
        let first = slope(x, &from);
        let distance = clock(plan.path, &to) - clock(plan.path, &from);
        let ahead = start.clone() + first.clone() * distance;
        x = outer(ahead, &to);
        if to.sigma > 0.0 {
            let second = slope(x, &to);
            x = outer(start + (first + second) * (0.5 * distance), &to);
        }
    }
    x
}

/// DPM-Solver++ of second order, multistep, with data prediction (Lu et al. 2022, algorithm 2). The first step is of first order, and so is
/// the last one where it goes to the clean image or the plan has fewer than 15 steps.
pub fn dpmpp_2m(denoise: &Denoise, mut x: Tensor<4>, plan: &Plan, options: &Sampling, _: &Noise) -> Tensor<4> {
    let mut last: Option<(Tensor<4>, f64)> = None;
    let steps = plan.steps();
    for (step, pair) in plan.levels.windows(2).enumerate() {
        let (from, to) = (&pair[0], &pair[1]);
        let clean = options.clamp(denoise(x.clone(), from));
        let h = to.log_ratio() - from.log_ratio();
        // alpha' (1 - exp(-h)), finite also where h is not.
        let gain = to.alpha - to.sigma * from.alpha / from.sigma;
        let lower_order = to.sigma == 0.0 || steps < 15 && step + 1 == steps;
        let direction = match &last {
            Some((previous, previous_h)) if !lower_order && previous_h.is_finite() => {
                let slope = (clean.clone() - previous.clone()) * (h / previous_h);
                clean.clone() + slope * 0.5
            }
            _ => clean.clone(),
        };
        x = x * (to.sigma / from.sigma) + direction * gain;
        last = Some((clean, h));
    }
    x
}

/// UniPC of second order with `B(h) = exp(h) - 1` and data prediction (Zhao et al. 2023, algorithms 1 and 2): each step is predicted from
/// two clean images, and corrected once the next one is known.
pub fn unipc(denoise: &Denoise, mut x: Tensor<4>, plan: &Plan, options: &Sampling, _: &Noise) -> Tensor<4> {
    // What the corrector of the step before needs: where it started, the clean images there and before, and its size.
    struct Done {
        start: Tensor<4>,
        from: Level,
        clean: Tensor<4>,
        before: Option<(Tensor<4>, f64)>,
    }
    let mut done: Option<Done> = None;
    let steps = plan.steps();
    for (step, pair) in plan.levels.windows(2).enumerate() {
        let (from, to) = (pair[0], pair[1]);
        let clean = options.clamp(denoise(x.clone(), &from));
        let mut before = None;
        if let Some(Done { start, from: origin, clean: old, before: older }) = done.take() {
            x = unipc_correct(start, &origin, &from, &old, older.as_ref(), &clean);
            before = Some((old, origin.log_ratio()));
        }
        let h = to.log_ratio() - from.log_ratio();
        let base = x.clone() * (to.sigma / from.sigma) + clean.clone() * (to.alpha - to.sigma * from.alpha / from.sigma);
        let second_order = step + 1 < steps;
        let predicted = match &before {
            Some((old, ratio)) if second_order && ratio.is_finite() => {
                let slope = (clean.clone() - old.clone()) * (h / (from.log_ratio() - ratio)); // toward the past and back
                base + slope * (0.5 * (to.alpha - to.sigma * from.alpha / from.sigma))
            }
            _ => base,
        };
        done = Some(Done { start: x, from, clean, before: before.filter(|(_, ratio)| ratio.is_finite()) });
        x = predicted;
    }
    x
}

/// The corrector: the step from `start` at `from` to `to` again, now that the clean image at its end is known.
fn unipc_correct(
    start: Tensor<4>,
    from: &Level,
    to: &Level,
    clean: &Tensor<4>,
    before: Option<&(Tensor<4>, f64)>,
    ahead: &Tensor<4>,
) -> Tensor<4> {
    let gain = to.alpha - to.sigma * from.alpha / from.sigma; // -alpha' (exp(-h) - 1)
    let base = start * (to.sigma / from.sigma) + clean.clone() * gain;
    let h = to.log_ratio() - from.log_ratio();
    let forward = ahead.clone() - clean.clone();
    if !h.is_finite() {
        return base + forward * (0.5 * gain);
    }
    let Some((old, ratio)) = before else { return base + forward * (0.5 * gain) };
    let r = (ratio - from.log_ratio()) / h;
    // The two weights solve [1, 1; r, 1] w = b, with b from phi_2 and phi_3 of -h over B = exp(-h) - 1.
    let grown = (-h).exp_m1();
    let phi = grown / -h - 1.0;
    let (b_1, b_2) = (phi / grown, 2.0 * (phi / -h - 0.5) / grown);
    let on_past = (b_1 - b_2) / (1.0 - r);
    let on_ahead = b_1 - on_past;
    base + ((old.clone() - clean.clone()) * (on_past / r) + forward * on_ahead) * gain
}

/// Multistep consistency sampling (Song et al. 2023, algorithm 1): the clean image at once, then noised again to the next level.
pub fn consistency(denoise: &Denoise, mut x: Tensor<4>, plan: &Plan, options: &Sampling, noise: &Noise) -> Tensor<4> {
    for (step, pair) in plan.levels.windows(2).enumerate() {
        let clean = options.clamp(denoise(x, &pair[0]));
        x = if pair[1].sigma > 0.0 { pair[1].noised(clean, noise(step)) } else { clean * pair[1].alpha };
    }
    x
}

/// Classifier-free guidance (Ho and Salimans 2022): away from what the model sees without the condition, `scale` times as far as the
/// condition leads. 1 is no guidance, 0 no condition.
pub fn guided<'a>(with: &'a Denoise<'a>, without: &'a Denoise<'a>, scale: f64) -> impl Fn(Tensor<4>, &Level) -> Tensor<4> + 'a {
    move |x, level| {
        let unguided = without(x.clone(), level);
        let towards = with(x, level) - unguided.clone();
        unguided + towards * scale
    }
}

/// Filling in what is missing, after RePaint (Lugmayr et al. 2022): where `mask` is 1 the image is `known`, noised to the level at hand
/// with `noise` on the way in and clean on the way out; where it is 0 the model decides. `known` and `noise` are of the images' shape,
/// `mask` is `[batch or 1, channels or 1, height, width]`.
pub fn inpainted<'a>(
    denoise: &'a Denoise<'a>,
    known: Tensor<4>,
    mask: Tensor<4>,
    noise: Tensor<4>,
) -> impl Fn(Tensor<4>, &Level) -> Tensor<4> + 'a {
    let open = mask.clone().neg() + 1.0;
    move |x, level| {
        let x = level.noised(known.clone(), noise.clone()) * mask.clone() + x * open.clone();
        known.clone() * mask.clone() + denoise(x, level) * open.clone()
    }
}
