//! Quantiles of distributions whose parameters are known before any row is: prepared, so that a value costs a few operations.

use super::continuous::root;
use super::discrete::{sums as sums_of, zipf_beyond, zipf_sums};
use super::{Family, Law};

/// Cells of a table of a continuous distribution.
const CELLS: usize = 4_096;
/// The cells at each end in which quantiles are computed without the table.
const ENDS: usize = 4;
/// The most entries of a table of a discrete distribution.
const LARGEST: f64 = 200_000.0;

/// A quantile function.
#[derive(Debug, Clone)]
pub(crate) enum Quantiles {
    /// Of a family with a formula.
    Law(Law),
    /// Cubic pieces through quantiles with their derivatives; the ends exactly.
    Cubic { ends: Box<Continuous>, points: Vec<[f64; 2]> },
    /// Cumulative probabilities of the whole numbers from `first` on, the last of which is 1; `guide[i]` is the place of `i / guide.len()`.
    Sums { first: f64, sums: Vec<f64>, guide: Vec<u32> },
    /// Zipf with many values.
    Zipf { law: Law, sums: Vec<f64>, whole: f64 },
    /// Sorted values, with those between neighbours if `between`.
    Sorted { values: Vec<f64>, between: bool },
}

/// A continuous distribution: one law, or a mixture with weights that sum to 1.
#[derive(Debug, Clone)]
pub(crate) struct Continuous {
    pub(crate) parts: Vec<(f64, Law)>,
}

impl Continuous {
    fn cdf(&self, x: f64) -> f64 {
        self.parts.iter().map(|(weight, law)| weight * law.cdf(x)).sum()
    }

    fn quantile(&self, u: f64) -> f64 {
        let quantiles = || self.parts.iter().map(|(_, law)| law.quantile(u));
        match self.parts.as_slice() {
            [(_, law)] => law.quantile(u),
            _ => {
                let (low, high) = quantiles().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), x| (low.min(x), high.max(x)));
                // The quantile of a mixture lies between those of its parts.
                root(u, 0.5 * (low + high), (low, high), |x| self.cdf(x), |x| self.slope(x, (high - low) * 1e-6))
            }
        }
    }

    fn slope(&self, x: f64, width: f64) -> f64 {
        (self.cdf(x + width) - self.cdf(x - width)) / (2.0 * width)
    }
}

impl Quantiles {
    pub(crate) fn of_law(law: &Law) -> Self {
        match law.family {
            Family::Gamma | Family::Beta | Family::StudentT => Self::cubic(Continuous { parts: vec![(1.0, *law)] }),
            Family::Zipf if law.p[0] > 1_000.0 => {
                let (sums, whole) = zipf_sums(law.p[0], law.p[1]);
                Self::Zipf { law: *law, sums, whole }
            }
            Family::Poisson | Family::NegativeBinomial | Family::Binomial | Family::Zipf => {
                let (first, last) = (law.quantile(1e-15), law.quantile(1.0 - 1e-15));
                if last - first > LARGEST {
                    return Self::Law(*law);
                }
                Self::sums(first, sums_of(law, first, last))
            }
            _ => Self::Law(*law),
        }
    }

    /// Of a mixture of laws with weights that sum to 1.
    pub(crate) fn of_mixture(parts: Vec<(f64, Law)>) -> Self {
        if parts.iter().any(|(_, law)| law.family.is_discrete()) {
            let ends = |u: f64| parts.iter().map(move |(_, law)| law.quantile(u));
            let (first, last) =
                (ends(1e-12).fold(f64::INFINITY, f64::min).floor(), ends(1.0 - 1e-12).fold(f64::NEG_INFINITY, f64::max).ceil());
            let count = (last - first).clamp(0.0, LARGEST) as usize;
            let sums = (0..=count).map(|k| parts.iter().map(|(weight, law)| weight * law.cdf(first + k as f64)).sum()).collect();
            return Self::sums(first, sums);
        }
        Self::cubic(Continuous { parts })
    }

    /// Of sorted values, a step each or joined.
    pub(crate) fn of_values(mut values: Vec<f64>) -> Self {
        values.sort_by(f64::total_cmp);
        let mut distinct = values.clone();
        distinct.dedup();
        // Numbers that repeat often are codes or counts, between which there is nothing.
        Self::Sorted { between: distinct.len() * 2 > values.len(), values }
    }

    pub(crate) fn sums(first: f64, mut sums: Vec<f64>) -> Self {
        let last = sums.last().copied().unwrap_or(1.0);
        let mut running = 0.0f64;
        for sum in &mut sums {
            running = running.max(*sum / last);
            *sum = running;
        }
        let size = sums.len().next_power_of_two();
        let guide = (0..size).map(|cell| sums.partition_point(|&sum| sum < cell as f64 / size as f64) as u32).collect();
        Self::Sums { first, sums, guide }
    }

    fn cubic(law: Continuous) -> Self {
        let at = |cell: usize| cell as f64 / CELLS as f64;
        let inner = (ENDS..=CELLS - ENDS).map(|cell| law.quantile(at(cell)));
        let values: Vec<f64> = inner.collect();
        // The derivative from a difference so small that its error is below that of the cubic.
        let small = 0.02 / CELLS as f64;
        let points = values.iter().enumerate().map(|(index, &value)| {
            let u = at(index + ENDS);
            [value, (law.quantile(u + small) - law.quantile(u - small)) / (2.0 * small * CELLS as f64)]
        });
        Self::Cubic { points: points.collect(), ends: Box::new(law) }
    }

    /// The value of a uniform number, above 0 and below 1.
    pub(crate) fn quantile(&self, u: f64) -> f64 {
        match self {
            Self::Law(law) => law.quantile(u),
            Self::Cubic { ends, points } => {
                let scaled = u * CELLS as f64;
                let cell = scaled as usize;
                if !(ENDS..CELLS - ENDS).contains(&cell) {
                    return ends.quantile(u);
                }
                let ([p, dp], [q, dq]) = (points[cell - ENDS], points[cell - ENDS + 1]);
                let t = scaled - cell as f64;
                let s = 1.0 - t;
                // Hermite's cubic, kept between its ends.
                let x = s * s * (p * (1.0 + 2.0 * t) + dp * t) + t * t * (q * (1.0 + 2.0 * s) - dq * s);
                x.clamp(p.min(q), q.max(p))
            }
            Self::Sums { first, sums, guide } => {
                let mut place = guide[((u * guide.len() as f64) as usize).min(guide.len() - 1)] as usize;
                while place + 1 < sums.len() && sums[place] < u {
                    place += 1;
                }
                first + place as f64
            }
            Self::Zipf { law, sums, whole } => {
                let wanted = u * whole;
                match sums.partition_point(|&sum| sum < wanted) {
                    place if place < sums.len() => place as f64 + 1.0,
                    place => zipf_beyond(wanted - sums[place - 1], law.p[0], law.p[1]),
                }
            }
            Self::Sorted { values, between } => {
                let scaled = u * (values.len() - usize::from(*between)) as f64;
                let place = (scaled as usize).min(values.len() - 1);
                match values.get(place + 1).filter(|_| *between) {
                    Some(next) => values[place] + (scaled - place as f64) * (next - values[place]),
                    None => values[place],
                }
            }
        }
    }
}
