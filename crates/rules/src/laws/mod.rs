//! Distributions of numbers, by the inverse of their distribution functions: one uniform number gives one value, so that the uniform numbers
//! can be those of a copula, and a range can be cut out exactly.

mod continuous;
mod discrete;
mod table;

pub(crate) use table::Quantiles;

/// Which distribution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Family {
    Uniform,
    Normal,
    Lognormal,
    Gamma,
    Beta,
    Exponential,
    Pareto,
    Weibull,
    StudentT,
    Triangular,
    Laplace,
    Logistic,
    Integers,
    Poisson,
    NegativeBinomial,
    Binomial,
    Geometric,
    Zipf,
}

/// A distribution with its parameters, which were checked.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Law {
    pub(crate) family: Family,
    /// In the order of the spec; those that the family does not have are 0.
    pub(crate) p: [f64; 3],
}

/// The largest number of a discrete distribution, so that every whole number is exact.
const LARGEST: f64 = 9e15;

impl Family {
    /// The names of its parameters.
    pub(crate) fn parameters(self) -> &'static [&'static str] {
        match self {
            Self::Uniform | Self::Integers => &["min", "max"],
            Self::Normal => &["mean", "sd"],
            Self::Lognormal => &["mu", "sigma"],
            Self::Gamma => &["shape", "scale"],
            Self::Beta => &["a", "b"],
            Self::Exponential | Self::Poisson => &["mean"],
            Self::Pareto | Self::Weibull => &["scale", "shape"],
            Self::StudentT => &["df", "mean", "scale"],
            Self::Triangular => &["min", "mode", "max"],
            Self::Laplace | Self::Logistic => &["mean", "scale"],
            Self::NegativeBinomial => &["mean", "dispersion"],
            Self::Binomial => &["n", "p"],
            Self::Geometric => &["p"],
            Self::Zipf => &["n", "exponent"],
        }
    }

    /// Whether its values are whole numbers.
    pub(crate) fn is_discrete(self) -> bool {
        matches!(self, Self::Integers | Self::Poisson | Self::NegativeBinomial | Self::Binomial | Self::Geometric | Self::Zipf)
    }
}

impl Law {
    /// A distribution, or what is wrong with its parameters.
    pub(crate) fn new(family: Family, parameters: &[f64]) -> Result<Self, String> {
        let mut p = [0.0; 3];
        p[..parameters.len()].copy_from_slice(parameters);
        let names = family.parameters();
        if let Some(at) = parameters.iter().position(|value| !value.is_finite()) {
            return Err(format!("{} has no value; use coalesce, or mend a division by zero", names[at]));
        }
        // What counts is whole.
        match family {
            Family::Integers => p = [p[0].ceil(), p[1].floor(), 0.0],
            Family::Binomial => p[0] = p[0].round(),
            Family::Zipf => p[0] = p[0].floor(),
            _ => {}
        }
        let p = p;
        let above = |at: usize, least: f64| {
            if p[at] > least { Ok(()) } else { Err(format!("{} is {}; it must be above {least}", names[at], p[at])) }
        };
        let from = |at: usize, least: f64| {
            if p[at] >= least { Ok(()) } else { Err(format!("{} is {}; it must be {least} or more", names[at], p[at])) }
        };
        let upto = |at: usize, most: f64| {
            if p[at] <= most { Ok(()) } else { Err(format!("{} is {}; it must be {most} or less", names[at], p[at])) }
        };
        match family {
            Family::Uniform => from(1, p[0])?,
            Family::Integers => {
                if p[1] < p[0] || p[0] < -LARGEST || p[1] > LARGEST {
                    return Err(format!(
                        "no whole number lies from min {} to max {}; set them so that one does",
                        parameters[0], parameters[1]
                    ));
                }
            }
            Family::Normal | Family::Lognormal => from(1, 0.0)?,
            Family::Gamma => above(0, 0.0).and_then(|()| upto(0, 1e9)).and_then(|()| above(1, 0.0))?,
            Family::Beta | Family::Pareto | Family::Weibull => above(0, 0.0).and_then(|()| above(1, 0.0))?,
            Family::Exponential => above(0, 0.0)?,
            Family::StudentT => above(0, 0.0).and_then(|()| above(2, 0.0))?,
            Family::Triangular => {
                from(1, p[0])?;
                from(2, p[1])?;
                above(2, p[0])?;
            }
            Family::Laplace | Family::Logistic => above(1, 0.0)?,
            Family::Poisson => from(0, 0.0).and_then(|()| upto(0, 1e12))?,
            Family::NegativeBinomial => from(0, 0.0).and_then(|()| upto(0, 1e12)).and_then(|()| above(1, 0.0))?,
            Family::Binomial => {
                from(0, 0.0).and_then(|()| upto(0, 1e12)).and_then(|()| from(1, 0.0)).and_then(|()| upto(1, 1.0))?;
            }
            Family::Geometric => above(0, 0.0).and_then(|()| upto(0, 1.0))?,
            Family::Zipf => {
                from(0, 1.0).and_then(|()| upto(0, 1e12)).and_then(|()| above(1, 0.0))?;
            }
        }
        Ok(Self { family, p })
    }

    /// P(X <= x).
    pub(crate) fn cdf(&self, x: f64) -> f64 {
        if self.family.is_discrete() { discrete::cdf(self, x.floor()) } else { continuous::cdf(self, x) }
    }

    /// The least x with P(X <= x) >= `u`, for `u` above 0 and below 1.
    pub(crate) fn quantile(&self, u: f64) -> f64 {
        if self.family.is_discrete() { discrete::quantile(self, u) } else { continuous::quantile(self, u) }
    }

    /// The uniform numbers of the values from `low` to `high`, both included.
    pub(crate) fn between(&self, low: f64, high: f64) -> (f64, f64) {
        let below = if self.family.is_discrete() { self.cdf(low.ceil() - 1.0) } else { self.cdf(low) };
        (below, self.cdf(high))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn law(family: Family, p: &[f64]) -> Law {
        Law::new(family, p).expect("right parameters")
    }

    /// scipy.stats: cdf of gamma(2.5, scale=3), beta(2, 5), t(4), weibull_min(1.5, scale=2), pareto(3, scale=1.5), poisson(3.5),
    /// nbinom(2, 2/6), binom(10, 0.3), geom(0.2) - 1, zipf by its sum.
    #[test]
    fn distribution_functions_are_those_of_scipy() {
        for (family, p, x, expected) in [
            (Family::Gamma, &[2.5, 3.0][..], 7.0, 0.542_101_8),
            (Family::Beta, &[2.0, 5.0], 0.3, 0.579_825),
            (Family::StudentT, &[4.0, 0.0, 1.0], 1.5, 0.896_000),
            (Family::Weibull, &[2.0, 1.5], 1.0, 0.297_811_3),
            (Family::Pareto, &[1.5, 3.0], 2.0, 0.578_125),
            (Family::Poisson, &[3.5], 4.0, 0.725_444_9),
            (Family::NegativeBinomial, &[4.0, 2.0], 3.0, 0.539_094_7),
            (Family::Binomial, &[10.0, 0.3], 3.0, 0.649_610_7),
            (Family::Geometric, &[0.2], 2.0, 0.488),
            (Family::Zipf, &[4.0, 1.0], 2.0, 0.72),
            (Family::Triangular, &[0.0, 1.0, 4.0], 2.0, 2.0 / 3.0),
            (Family::Laplace, &[0.0, 1.0], 1.0, 1.0 - 0.5 * (-1f64).exp()),
            (Family::Logistic, &[0.0, 1.0], 1.0, 0.731_058_6),
        ] {
            let found = law(family, p).cdf(x);
            assert!((found - expected).abs() < 2e-6, "{family:?}: {found}, not {expected}");
        }
    }

    #[test]
    fn quantiles_invert_distribution_functions() {
        let all: [(Family, &[f64]); 23] = [
            (Family::Uniform, &[-1.0, 3.0]),
            (Family::Normal, &[5.0, 2.0]),
            (Family::Lognormal, &[1.0, 0.7]),
            (Family::Gamma, &[0.3, 2.0]),
            (Family::Gamma, &[80.0, 0.1]),
            (Family::Beta, &[0.5, 0.4]),
            (Family::Beta, &[30.0, 3.0]),
            (Family::Exponential, &[3.0]),
            (Family::Pareto, &[1.0, 2.0]),
            (Family::Weibull, &[1.0, 0.7]),
            (Family::StudentT, &[3.0, 1.0, 2.0]),
            (Family::Triangular, &[0.0, 0.0, 2.0]),
            (Family::Integers, &[-3.0, 12.0]),
            (Family::Poisson, &[0.4]),
            (Family::Poisson, &[2_345.6]),
            (Family::NegativeBinomial, &[40.0, 0.7]),
            (Family::Binomial, &[1_000.0, 0.01]),
            (Family::Geometric, &[0.03]),
            (Family::Zipf, &[1e9, 1.1]),
            (Family::Zipf, &[1e6, 0.8]),
            (Family::Gamma, &[2e6, 3.0]),
            (Family::Poisson, &[4e6]),
            (Family::NegativeBinomial, &[1e5, 2.0]),
        ];
        for (family, p) in all {
            let law = law(family, p);
            let table = Quantiles::of_law(&law);
            for k in 1..400 {
                let u = f64::from(k) / 400.0;
                let x = law.quantile(u);
                // Wide distributions are expanded around the normal or the gamma distribution.
                let is_wide = family != Family::Zipf && p[0] >= 1e5;
                let off = if is_wide { 2e-5 } else { 1e-10 };
                if family.is_discrete() {
                    assert!(law.cdf(x) >= u - off && law.cdf(x - 1.0) < u + off, "{family:?} {p:?} at {u}: {x}, {}", law.cdf(x));
                } else {
                    assert!((law.cdf(x) - u).abs() < off.max(1e-9), "{family:?} {p:?} at {u}: {x}, {}", law.cdf(x));
                }
                let fast = table.quantile(u);
                assert!((law.cdf(fast) - u).abs() < 2e-5 || fast == x, "{family:?} {p:?} at {u}: {fast}, not {x}");
            }
        }
    }

    #[test]
    fn wrong_parameters_are_named() {
        for (family, p, word) in [
            (Family::Normal, &[0.0, -1.0][..], "sd"),
            (Family::Gamma, &[0.0, 1.0], "shape"),
            (Family::Integers, &[2.2, 2.8], "whole number"),
            (Family::Binomial, &[3.0, 1.5], "p is 1.5"),
            (Family::Poisson, &[f64::NAN], "division by zero"),
        ] {
            assert!(Law::new(family, p).expect_err("wrong").contains(word), "{family:?}");
        }
    }
}
