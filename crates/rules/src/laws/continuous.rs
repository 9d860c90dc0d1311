//! Distributions of real numbers.

use semblant_core::normal;
use statrs::distribution::{Beta, Continuous, ContinuousCDF, Gamma, StudentsT};
use statrs::function::erf::erfc_inv;

use super::discrete::expanded;
use super::{Family, Law};

/// Gamma distributions of shapes from here on are expanded around the normal one.
const NEARLY_NORMAL: f64 = 1e6;
/// How often a root is looked for.
const STEPS: usize = 200;

pub(super) fn cdf(law: &Law, x: f64) -> f64 {
    let [a, b, c] = law.p;
    match law.family {
        Family::Uniform => {
            if b > a {
                ((x - a) / (b - a)).clamp(0.0, 1.0)
            } else {
                f64::from(u8::from(x >= a))
            }
        }
        Family::Normal => standardized(x, a, b),
        Family::Lognormal => {
            if x > 0.0 {
                standardized(x.ln(), a, b)
            } else {
                0.0
            }
        }
        Family::Exponential => -(-x.max(0.0) / a).exp_m1(),
        Family::Pareto => {
            if x > a {
                1.0 - (a / x).powf(b)
            } else {
                0.0
            }
        }
        Family::Weibull => -(-(x.max(0.0) / a).powf(b)).exp_m1(),
        Family::Triangular => triangular(x, a, b, c),
        Family::Laplace => {
            let z = (x - a) / b;
            if z < 0.0 { 0.5 * z.exp() } else { 1.0 - 0.5 * (-z).exp() }
        }
        Family::Logistic => 1.0 / (1.0 + (-(x - a) / b).exp()),
        Family::Gamma => Gamma::new(a, 1.0).map_or(f64::NAN, |gamma| gamma.cdf(x / b)),
        Family::Beta => Beta::new(a, b).map_or(f64::NAN, |beta| beta.cdf(x.clamp(0.0, 1.0))),
        Family::StudentT => StudentsT::new(0.0, 1.0, a).map_or(f64::NAN, |t| t.cdf((x - b) / c)),
        _ => f64::NAN,
    }
}

fn standardized(x: f64, mean: f64, sd: f64) -> f64 {
    if sd > 0.0 { normal::cdf((x - mean) / sd) } else { f64::from(u8::from(x >= mean)) }
}

fn triangular(x: f64, min: f64, mode: f64, max: f64) -> f64 {
    match x {
        _ if x <= min => 0.0,
        _ if x >= max => 1.0,
        _ if x <= mode => (x - min) * (x - min) / ((max - min) * (mode - min)),
        _ => 1.0 - (max - x) * (max - x) / ((max - min) * (max - mode)),
    }
}

/// The standard normal quantile, without the limit that latent scores have.
pub(super) fn normal_quantile(u: f64) -> f64 {
    -std::f64::consts::SQRT_2 * erfc_inv(2.0 * u)
}

pub(super) fn quantile(law: &Law, u: f64) -> f64 {
    let [a, b, c] = law.p;
    match law.family {
        Family::Uniform => a + u * (b - a),
        Family::Normal => a + b * normal_quantile(u),
        Family::Lognormal => (a + b * normal_quantile(u)).exp(),
        Family::Exponential => -a * (-u).ln_1p(),
        Family::Pareto => a * (-(-u).ln_1p() / b).exp(),
        Family::Weibull => a * (-(-u).ln_1p()).powf(1.0 / b),
        Family::Triangular => {
            if u * (c - a) <= b - a {
                a + (u * (c - a) * (b - a)).sqrt()
            } else {
                c - ((1.0 - u) * (c - a) * (c - b)).sqrt()
            }
        }
        Family::Laplace => {
            if u < 0.5 {
                a + b * (2.0 * u).ln()
            } else {
                a - b * (2.0 * (1.0 - u)).ln()
            }
        }
        Family::Logistic => a + b * (u / (1.0 - u)).ln(),
        Family::Gamma => b * gamma(a, u),
        Family::Beta => beta(u, a, b),
        Family::StudentT => b + c * student(u, a),
        _ => f64::NAN,
    }
}

/// The quantile of a gamma distribution of scale 1.
pub(super) fn gamma(shape: f64, u: f64) -> f64 {
    if shape > NEARLY_NORMAL {
        return shape + shape.sqrt() * expanded(u, 2.0 / shape.sqrt(), 6.0 / shape);
    }
    let Ok(law) = Gamma::new(shape, 1.0) else { return f64::NAN };
    // Near 0 the distribution function is x^shape / Gamma(shape + 1); elsewhere Wilson and Hilferty's cube is close.
    let small = ((u.ln() + statrs::function::gamma::ln_gamma(shape + 1.0)) / shape).exp();
    let cube = 1.0 - 1.0 / (9.0 * shape) + normal_quantile(u) / (3.0 * shape.sqrt());
    let start = if shape < 1.0 || cube <= 0.1 { small.min(shape.max(1.0) * 2.0) } else { shape * cube.powi(3) };
    if small < 1e-30 {
        return small;
    }
    root(u, start.max(1e-300), (0.0, f64::INFINITY), |x| law.cdf(x), |x| law.pdf(x))
}

fn beta(u: f64, a: f64, b: f64) -> f64 {
    let Ok(law) = Beta::new(a, b) else { return f64::NAN };
    root(u, a / (a + b), (0.0, 1.0), |x| law.cdf(x), |x| law.pdf(x))
}

fn student(u: f64, df: f64) -> f64 {
    let Ok(law) = StudentsT::new(0.0, 1.0, df) else { return f64::NAN };
    // The lower half is that of the upper one, mirrored: it has the smaller errors.
    let mirrored = u > 0.5;
    let lower = if mirrored { 1.0 - u } else { u };
    let x = root(lower, normal_quantile(lower).min(-1e-9), (f64::NEG_INFINITY, 0.0), |x| law.cdf(x), |x| law.pdf(x));
    if mirrored { -x } else { x }
}

/// Where a distribution function is `u`: Newton's steps, halved where they leave what is known to hold it.
pub(super) fn root(u: f64, start: f64, bounds: (f64, f64), cdf: impl Fn(f64) -> f64, density: impl Fn(f64) -> f64) -> f64 {
    let (mut low, mut high) = bounds;
    let mut x = start;
    for _ in 0..STEPS {
        let off = cdf(x) - u;
        if off > 0.0 {
            high = x;
        } else {
            low = x;
        }
        let step = off / density(x);
        if off == 0.0 || (step.is_finite() && step.abs() <= 1e-13 * x.abs()) {
            return x;
        }
        let newton = x - step;
        x = if newton.is_finite() && newton > low && newton < high {
            newton
        } else if low.is_finite() && high.is_finite() {
            0.5 * (low + high)
        } else if high.is_finite() {
            // Downwards without an end.
            high - (high.abs() + 1.0)
        } else {
            2.0 * low + 1.0
        };
        if low.is_finite() && high.is_finite() && high - low <= 1e-14 * high.abs().max(low.abs()) {
            return x;
        }
    }
    x
}
