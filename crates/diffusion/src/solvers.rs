//! Solvers, from noise to data of any rank: plain functions over `denoise(x, level)`.
//!
//! Every solver visits the levels of a [`Plan`] from noise to data and evaluates, at each, the clean data that the model predicts. With the
//! levels as (alpha, sigma), one formula serves variance-preserving, variance-exploding and straight paths: what diffusers has as
//! DDIM, Euler and flow-matching Euler is one function here.
//!
//! A new solver is one function and one row of [`solvers`].

use burn::tensor::Tensor;
use semblant_core::config::check_range;
use semblant_core::{Error, Result};
use serde::{Deserialize, Serialize};

use crate::process::{Level, Path};
use crate::schedule::{Plan, edm_level};

/// The clean data that a model predicts from `x` at a level; `x` has any rank, its first dimension is the batch.
pub type Denoise<'a, const D: usize> = dyn Fn(Tensor<D>, &Level) -> Tensor<D> + 'a;

/// Standard normal noise of the shape of `x` for the step of this number.
pub type Noise<'a, const D: usize> = dyn Fn(usize) -> Tensor<D> + 'a;

/// From noised data at the plan's first level to clean data.
pub type Solver<const D: usize> = fn(&Denoise<D>, Tensor<D>, &Plan, &Sampling, &Noise<D>) -> Tensor<D>;

/// Sampling settings: solver, steps, guidance, and settings of the solver.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Sampling {
    /// Solver steps.
    pub steps: usize,
    /// The solver's name; see [`solvers`].
    pub solver: String,
    /// Classifier-free guidance: 1 is none, more trades diversity for fidelity, 0 ignores the class.
    pub guidance: f64,
    /// Image-to-image: the noise added to the given images, from 0 (none: they stay as they are) to 1 (pure noise).
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
    /// Inpainting: how often every step is taken, noised back in between (RePaint, Lugmayr et al. 2022); 1 takes it once.
    pub resamples: usize,
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
            resamples: 1,
            clip: 0.0,
        }
    }
}

/// More solver steps than any model needs; beyond it a number is a mistake.
const MOST_STEPS: usize = 100_000;
/// More repetitions of a step than inpainting needs.
const MOST_RESAMPLES: usize = 50;

impl Sampling {
    /// Checks every field's range.
    ///
    /// # Errors
    /// Names the field, its value and the range.
    pub fn check(&self) -> Result<()> {
        solver::<1>(&self.solver)?;
        if self.steps == 0 || self.steps > MOST_STEPS {
            return Err(Error::Config(format!("steps = {} is out of range; choose a number from 1 to {MOST_STEPS}", self.steps)));
        }
        check_range("resamples", self.resamples, 1, MOST_RESAMPLES)?;
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
            return Err(Error::Config("churn is for the solver heun on a model of kind edm; omit it".into()));
        }
        Ok(())
    }

    fn clamp<const D: usize>(&self, clean: Tensor<D>) -> Tensor<D> {
        if self.clip > 0.0 { clean.clamp(-self.clip, self.clip) } else { clean }
    }
}

/// Every solver: its name, what it is, and the function.
pub const fn solvers<const D: usize>() -> [(&'static str, &'static str, Solver<D>); 8] {
    [
        ("heun", "second order, two evaluations per step; the choice for EDM and flows (Karras et al. 2022)", heun),
        ("euler", "first order; DDIM without noise, and Euler's method on a flow", euler),
        ("euler-ancestral", "first order with fresh noise at every step", euler_ancestral),
        ("ddim", "first order with the share eta of fresh noise (Song et al. 2021)", ddim),
        ("ddpm", "the reverse chain with the posterior's variance (Ho et al. 2020)", ddpm),
        ("dpmpp-2m", "second order, one evaluation per step (Lu et al. 2022)", dpmpp_2m),
        ("unipc", "second-order predictor and corrector, one evaluation per step (Zhao et al. 2023)", unipc),
        ("consistency", "clean data, fresh noise, clean data...; for consistency models (Song et al. 2023)", consistency),
    ]
}

/// The solver called `name`.
///
/// # Errors
/// When there is none; the message lists those there are.
pub fn solver<const D: usize>(name: &str) -> Result<Solver<D>> {
    solvers::<D>().iter().find(|(known, ..)| *known == name).map(|(.., solver)| *solver).ok_or_else(|| {
        let known: Vec<&str> = solvers::<D>().iter().map(|(name, ..)| *name).collect();
        Error::Config(format!("no solver is called \"{name}\"; there are {}", known.join(", ")))
    })
}

/// The noise that is in `x` together with the clean data
fn noise_in<const D: usize>(x: Tensor<D>, clean: Tensor<D>, level: &Level) -> Tensor<D> {
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
fn ddim_step<const D: usize>(x: Tensor<D>, clean: Tensor<D>, [from, to]: [&Level; 2], fresh: f64, options: &Sampling) -> Tensor<D> {
    // The noise is taken before the clean image is clamped, as the paper's code does.
    let old = noise_in(x, clean.clone(), from);
    options.clamp(clean) * to.alpha + old * (to.sigma * to.sigma - fresh * fresh).max(0.0).sqrt()
}

/// DDIM (Song et al. 2021, equation 12), with `eta` of the reverse chain's noise.
pub fn ddim<const D: usize>(denoise: &Denoise<D>, mut x: Tensor<D>, plan: &Plan, options: &Sampling, noise: &Noise<D>) -> Tensor<D> {
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
pub fn euler<const D: usize>(denoise: &Denoise<D>, x: Tensor<D>, plan: &Plan, options: &Sampling, noise: &Noise<D>) -> Tensor<D> {
    ddim(denoise, x, plan, &Sampling { eta: 0.0, ..options.clone() }, noise)
}

/// Euler's method down to a lower level, and fresh noise up to the next one. The two levels meet where the reverse chain's do, so it is
/// DDIM with all of the noise.
pub fn euler_ancestral<const D: usize>(denoise: &Denoise<D>, x: Tensor<D>, plan: &Plan, options: &Sampling, noise: &Noise<D>) -> Tensor<D> {
    ddim(denoise, x, plan, &Sampling { eta: 1.0, ..options.clone() }, noise)
}

/// The reverse chain (Ho et al. 2020, algorithm 2). Differs from DDIM with `eta` 1 where clean images are clamped: the chain's mean is made
/// of `x` and the clamped image, the noise between them follows.
pub fn ddpm<const D: usize>(denoise: &Denoise<D>, mut x: Tensor<D>, plan: &Plan, options: &Sampling, noise: &Noise<D>) -> Tensor<D> {
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
pub fn heun<const D: usize>(denoise: &Denoise<D>, mut x: Tensor<D>, plan: &Plan, options: &Sampling, noise: &Noise<D>) -> Tensor<D> {
    let straight = plan.path == Path::Straight;
    // What the equation moves, and its slope: dx/dt = (x - clean) / t on a straight path, d(x/alpha)/ds = (x/alpha - clean) / s else.
    let inner = |x: Tensor<D>, level: &Level| if straight { x } else { x / level.alpha };
    let outer = |x: Tensor<D>, level: &Level| if straight { x } else { x * level.alpha };
    let slope = |x: Tensor<D>, level: &Level| {
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
pub fn dpmpp_2m<const D: usize>(denoise: &Denoise<D>, mut x: Tensor<D>, plan: &Plan, options: &Sampling, _: &Noise<D>) -> Tensor<D> {
    let mut last: Option<(Tensor<D>, f64)> = None;
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
pub fn unipc<const D: usize>(denoise: &Denoise<D>, mut x: Tensor<D>, plan: &Plan, options: &Sampling, _: &Noise<D>) -> Tensor<D> {
    // What the corrector of the step before needs: where it started, the clean images there and before, and its size.
    struct Done<const D: usize> {
        start: Tensor<D>,
        from: Level,
        clean: Tensor<D>,
        before: Option<(Tensor<D>, f64)>,
    }
    let mut done: Option<Done<D>> = None;
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
fn unipc_correct<const D: usize>(
    start: Tensor<D>,
    from: &Level,
    to: &Level,
    clean: &Tensor<D>,
    before: Option<&(Tensor<D>, f64)>,
    ahead: &Tensor<D>,
) -> Tensor<D> {
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
pub fn consistency<const D: usize>(denoise: &Denoise<D>, mut x: Tensor<D>, plan: &Plan, options: &Sampling, noise: &Noise<D>) -> Tensor<D> {
    for (step, pair) in plan.levels.windows(2).enumerate() {
        let clean = options.clamp(denoise(x, &pair[0]));
        x = if pair[1].sigma > 0.0 { pair[1].noised(clean, noise(step)) } else { clean * pair[1].alpha };
    }
    x
}

/// Classifier-free guidance (Ho and Salimans 2022): away from what the model sees without the condition, `scale` times as far as the
/// condition leads. 1 is no guidance, 0 no condition.
pub fn guided<'a, const D: usize>(
    with: &'a Denoise<'a, D>,
    without: &'a Denoise<'a, D>,
    scale: f64,
) -> impl Fn(Tensor<D>, &Level) -> Tensor<D> + 'a {
    move |x, level| {
        let unguided = without(x.clone(), level);
        let towards = with(x, level) - unguided.clone();
        unguided + towards * scale
    }
}

/// Inpainting by replacement (Song et al. 2021, "Score-based generative modeling through stochastic differential equations", appendix I.2):
/// where `mask` is 1 the data is `known`, noised to the level at hand with `noise` before the network and clean after it; where it is 0 the
/// model decides. `known` and `noise` have the shape of `x`, and `mask` one that broadcasts to it. [`resampled`] makes RePaint of it.
pub fn inpainted<'a, const D: usize>(
    denoise: &'a Denoise<'a, D>,
    known: Tensor<D>,
    mask: Tensor<D>,
    noise: Tensor<D>,
) -> impl Fn(Tensor<D>, &Level) -> Tensor<D> + 'a {
    let open = mask.clone().neg() + 1.0;
    move |x, level| {
        let x = level.noised(known.clone(), noise.clone()) * mask.clone() + x * open.clone();
        known.clone() * mask.clone() + denoise(x, level) * open.clone()
    }
}

/// RePaint (Lugmayr et al. 2022, algorithm 1 with jumps of one step): every step is taken `options.resamples` times, noised back to its
/// beginning in between, so that what is filled in agrees with what is known. `denoise` is [`inpainted`]. `noise` is asked for two numbers
/// more a repetition than a plain run: those of the solver and of the way back.
pub fn resampled<const D: usize>(
    solver: Solver<D>,
    denoise: &Denoise<D>,
    mut x: Tensor<D>,
    plan: &Plan,
    options: &Sampling,
    noise: &Noise<D>,
) -> Tensor<D> {
    for (step, pair) in plan.levels.windows(2).enumerate() {
        let (from, to) = (pair[0], pair[1]);
        let one_step = Plan { levels: pair.to_vec(), ..plan.clone() };
        for repetition in 0..options.resamples {
            let number = 2 * (step * options.resamples + repetition);
            x = solver(denoise, x, &one_step, options, &|_| noise(number));
            if repetition + 1 < options.resamples {
                let ratio = from.alpha / to.alpha;
                let added = (from.sigma * from.sigma - ratio * ratio * to.sigma * to.sigma).max(0.0);
                x = x * ratio + noise(number + 1) * added.sqrt();
            }
        }
    }
    x
}
