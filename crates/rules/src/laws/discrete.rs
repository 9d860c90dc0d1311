//! Distributions of whole numbers.

use statrs::function::beta::beta_reg;
use statrs::function::gamma::{gamma_ur, ln_gamma};

use super::continuous::normal_quantile;
use super::{Family, Law};

/// Variances from here on are those of wide distributions.
const WIDE: f64 = 1e6;
/// Zipf's sums are added up to here and integrated from here on.
const ADDED: usize = 1_000;

/// P(X <= k) of a whole number.
pub(super) fn cdf(law: &Law, k: f64) -> f64 {
    let [a, b, _] = law.p;
    match law.family {
        Family::Integers => ((k - a + 1.0) / (b - a + 1.0)).clamp(0.0, 1.0),
        Family::Zipf if k < 1.0 => 0.0,
        Family::Zipf => (zipf_sum(k.min(a), b) / zipf_sum(a, b)).min(1.0),
        _ if k < 0.0 => 0.0,
        Family::Poisson if a == 0.0 => 1.0,
        Family::Poisson => gamma_ur(k + 1.0, a),
        Family::NegativeBinomial if a == 0.0 => 1.0,
        Family::NegativeBinomial => beta_reg(b, k + 1.0, b / (b + a)),
        Family::Binomial if k >= a || b == 0.0 => 1.0,
        Family::Binomial if b == 1.0 => 0.0,
        Family::Binomial => beta_reg(a - k, k + 1.0, 1.0 - b),
        Family::Geometric => 1.0 - (1.0 - a).powf(k + 1.0),
        _ => f64::NAN,
    }
}

/// ln P(X = k).
fn ln_mass(law: &Law, k: f64) -> f64 {
    let [a, b, _] = law.p;
    match law.family {
        Family::Poisson => k * a.ln() - a - ln_gamma(k + 1.0),
        Family::NegativeBinomial => ln_gamma(k + b) - ln_gamma(b) - ln_gamma(k + 1.0) + b * (b / (b + a)).ln() + k * (a / (b + a)).ln(),
        Family::Binomial => ln_gamma(a + 1.0) - ln_gamma(k + 1.0) - ln_gamma(a - k + 1.0) + k * b.ln() + (a - k) * (-b).ln_1p(),
        _ => f64::NAN,
    }
}

pub(super) fn quantile(law: &Law, u: f64) -> f64 {
    let [a, b, _] = law.p;
    match law.family {
        Family::Integers => (a + (u * (b - a + 1.0)).floor()).min(b),
        Family::Zipf => zipf(u, a, b),
        Family::Geometric if a == 1.0 => 0.0,
        Family::Geometric => ((-u).ln_1p() / (-a).ln_1p()).ceil().max(1.0) - 1.0,
        Family::Poisson | Family::NegativeBinomial if a == 0.0 => 0.0,
        Family::Binomial if b == 0.0 || a == 0.0 => 0.0,
        Family::Binomial if b == 1.0 => a,
        Family::Poisson => near(law, u, a, a, f64::INFINITY),
        Family::NegativeBinomial => near(law, u, a, a + a * a / b, f64::INFINITY),
        Family::Binomial => near(law, u, a * b, a * b * (1.0 - b), a),
        _ => f64::NAN,
    }
}

/// The quantile from where a normal distribution has it, or from 0 where that is near. Wide distributions are those of real numbers, rounded.
fn near(law: &Law, u: f64, mean: f64, variance: f64, most: f64) -> f64 {
    if variance > WIDE {
        return wide(law, u, mean, variance).round().clamp(0.0, most);
    }
    if mean < 16.0 && variance < 64.0 {
        let (mut k, mut sum) = (0.0, 0.0);
        while k < 400.0 {
            sum += ln_mass(law, k).exp();
            if sum >= u || k >= most {
                return k;
            }
            k += 1.0;
        }
        return bracketed(law, u, k, most);
    }
    let guess = (mean + variance.sqrt() * normal_quantile(u)).round().clamp(0.0, most);
    bracketed(law, u, guess, most)
}

fn wide(law: &Law, u: f64, mean: f64, variance: f64) -> f64 {
    let sd = variance.sqrt();
    match law.family {
        // A Poisson distribution whose mean has a gamma distribution, beside which it is narrow.
        Family::NegativeBinomial => {
            let [a, b, _] = law.p;
            super::continuous::gamma(1.0 / (1.0 / a + 1.0 / b), u) * (1.0 + a / b).min(f64::MAX)
        }
        Family::Binomial => {
            let p = law.p[1];
            mean + sd * expanded(u, (1.0 - 2.0 * p) / sd, (1.0 - 6.0 * p * (1.0 - p)) / variance)
        }
        _ => mean + sd * expanded(u, 1.0 / sd, 1.0 / variance),
    }
}

/// The quantile of a distribution of mean 0 and variance 1 by its skewness and excess kurtosis, which are small (Cornish and Fisher 1938).
pub(super) fn expanded(u: f64, skewness: f64, kurtosis: f64) -> f64 {
    let z = normal_quantile(u);
    let (square, cube) = (z * z, z * z * z);
    z + (square - 1.0) * skewness / 6.0 + (cube - 3.0 * z) * kurtosis / 24.0 - (2.0 * cube - 5.0 * z) * skewness * skewness / 36.0
}

/// P(X <= k) of the whole numbers from `first` to `last`, up to a factor: by the ratio of neighbours from where the chances are greatest.
pub(super) fn sums(law: &Law, first: f64, last: f64) -> Vec<f64> {
    let [a, b, _] = law.p;
    // P(X = k + 1) / P(X = k).
    let ratio = |k: f64| match law.family {
        Family::Poisson => a / (k + 1.0),
        Family::NegativeBinomial => (k + b) / (k + 1.0) * (a / (a + b)),
        Family::Binomial => (a - k) / (k + 1.0) * (b / (1.0 - b)),
        Family::Zipf => (k / (k + 1.0)).powf(b),
        _ => 0.0,
    };
    let count = (last - first) as usize + 1;
    // Ratios fall, so chances rise up to the first ratio below 1.
    let at = |place: usize| first + place as f64;
    let (mut low, mut high) = (0, count - 1);
    while low < high {
        let middle = (low + high) / 2;
        if ratio(at(middle)) > 1.0 { low = middle + 1 } else { high = middle }
    }
    let mut chances = vec![0.0; count];
    chances[low] = 1.0;
    (low + 1..count).for_each(|place| chances[place] = chances[place - 1] * ratio(at(place - 1)));
    (0..low).rev().for_each(|place| chances[place] = chances[place + 1] / ratio(at(place)));
    let mut sum = 0.0;
    chances.iter_mut().for_each(|chance| {
        sum += *chance;
        *chance = sum;
    });
    chances
}

/// The quantile by doubling steps from a guess, then by halves.
fn bracketed(law: &Law, u: f64, guess: f64, most: f64) -> f64 {
    // Beyond it whole numbers have no neighbours.
    const LARGEST: f64 = 9_007_199_254_740_992.0;
    let (guess, most) = (guess.min(LARGEST), most.min(LARGEST));
    let (mut low, mut high, mut step) = (guess, guess, 1.0);
    // low is below the quantile, high is not.
    while low >= 0.0 && cdf(law, low) >= u {
        high = low;
        low -= step;
        step *= 2.0;
    }
    low = low.max(-1.0);
    step = 1.0;
    while high < most && cdf(law, high) < u {
        low = high;
        high = (high + step).min(most);
        step *= 2.0;
    }
    while high - low > 1.0 {
        let middle = ((low + high) / 2.0).floor();
        if cdf(law, middle) >= u { high = middle } else { low = middle }
    }
    high
}

/// The sum of i^-s for i from 1 to k: added up, and beyond [`ADDED`] by Euler and Maclaurin's formula, whose next term is below 1e-14.
fn zipf_sum(k: f64, s: f64) -> f64 {
    let added: f64 = (1..=ADDED.min(k as usize)).rev().map(|i| (i as f64).powf(-s)).sum();
    if k <= ADDED as f64 { added } else { added + zipf_tail(k, s) }
}

/// The part of the sum beyond [`ADDED`].
fn zipf_tail(k: f64, s: f64) -> f64 {
    let from = ADDED as f64;
    let end = |x: f64| 0.5 * x.powf(-s) - s / 12.0 * x.powf(-s - 1.0);
    integral(k, s) - integral(from, s) + end(k) - end(from)
}

/// The integral of x^-s, up to a constant.
fn integral(x: f64, s: f64) -> f64 {
    if (s - 1.0).abs() < 1e-9 { x.ln() } else { x.powf(1.0 - s) / (1.0 - s) }
}

fn zipf(u: f64, n: f64, s: f64) -> f64 {
    let wanted = u * zipf_sum(n, s);
    let (mut k, mut sum) = (0.0, 0.0);
    while k < n.min(ADDED as f64) {
        k += 1.0;
        sum += k.powf(-s);
        if sum >= wanted {
            return k;
        }
    }
    zipf_beyond(wanted - sum, n, s)
}

/// The quantile beyond [`ADDED`], for what is left of the sum there.
pub(super) fn zipf_beyond(rest: f64, n: f64, s: f64) -> f64 {
    let (mut low, mut high) = (ADDED as f64, n);
    // The integral inverted is less than one off.
    let area = rest + integral(ADDED as f64 + 0.5, s);
    let guess = if (s - 1.0).abs() < 1e-9 { area.exp() } else { (area * (1.0 - s)).powf(1.0 / (1.0 - s)) };
    if guess.is_finite() {
        for bound in [(guess - 2.0).floor(), (guess + 2.0).ceil()] {
            if bound > low && bound < high {
                if zipf_tail(bound, s) >= rest { high = bound } else { low = bound }
            }
        }
    }
    while high - low > 1.0 {
        let middle = ((low + high) / 2.0).floor();
        if zipf_tail(middle, s) >= rest { high = middle } else { low = middle }
    }
    high
}

/// The sums of a Zipf distribution up to [`ADDED`], and the whole.
pub(super) fn zipf_sums(n: f64, s: f64) -> (Vec<f64>, f64) {
    let mut sum = 0.0;
    let sums = (1..=ADDED.min(n as usize)).map(|k| {
        sum += (k as f64).powf(-s);
        sum
    });
    let sums: Vec<f64> = sums.collect();
    let whole = if n > ADDED as f64 { sum + zipf_tail(n, s) } else { sum };
    (sums, whole)
}
