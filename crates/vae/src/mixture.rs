//! A mixture of normal distributions with independent dimensions, fitted by expectation maximisation (Dempster et al. 1977): what the
//! latent vectors of real images are drawn like, where a standard normal leaves holes (Ghosh et al. 2020, "From variational to
//! deterministic autoencoders").

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};
use rayon::prelude::*;
use semblant_core::seeds::Stream;
use semblant_core::{host, math, nn};

/// The mixture's numbers as a model file keeps them.
#[derive(Module, Debug)]
pub struct Mixture {
    /// Natural logarithms of the components' shares, `[components]`.
    log_weights: Param<Tensor<1>>,
    /// `[components, latent]`.
    means: Param<Tensor<2>>,
    /// Standard deviations, `[components, latent]`.
    deviations: Param<Tensor<2>>,
}

/// No dimension of a component is narrower; one that lies on a single point would have an infinite density there.
const LEAST_VARIANCE: f64 = 1e-6;
/// Passes over the vectors at most, and the gain in nats per vector below which they end.
const MOST_PASSES: usize = 100;
const LEAST_GAIN: f64 = 1e-4;

/// The mixture in double precision.
#[derive(Debug, Clone, PartialEq)]
pub struct Fit {
    /// Shares of the components, which sum to one.
    pub weights: Vec<f64>,
    /// Means, `[components, width]` row-major.
    pub means: Vec<f64>,
    /// Variances, `[components, width]` row-major.
    pub variances: Vec<f64>,
}

/// Sums over vectors that a pass collects.
#[derive(Clone)]
struct Sums {
    shares: Vec<f64>,
    first: Vec<f64>,
    second: Vec<f64>,
    log_likelihood: f64,
}

impl Fit {
    /// Fits `components` to `vectors [count, width]` row-major. Components begin at vectors far from one another (k-means++, Arthur and
    /// Vassilvitskii 2007), drawn from `stream`. Fewer vectors than components give as many components as there are vectors.
    ///
    /// # Panics
    /// When there is no vector.
    pub fn new(vectors: &[f32], width: usize, components: usize, stream: Stream) -> Self {
        let count = vectors.len() / width;
        assert!(count > 0, "a mixture needs a vector");
        let components = components.min(count);
        let vector = |index: usize| &vectors[index * width..(index + 1) * width];
        let chosen = spread_out(vectors, width, components, stream);
        let means = chosen.iter().flat_map(|&index| vector(index).iter().map(|&value| f64::from(value))).collect();
        let overall: Vec<f64> = (0..width).map(|column| variance(vectors.iter().skip(column).step_by(width))).collect();
        let variances = (0..components).flat_map(|_| overall.iter().copied()).collect();
        let mut fit = Self { weights: vec![1.0 / components as f64; components], means, variances };
        let mut before = f64::NEG_INFINITY;
        for _ in 0..MOST_PASSES {
            let sums = fit.expectation(vectors, width);
            fit.maximisation(&sums, width, count);
            let reached = sums.log_likelihood / count as f64;
            if reached - before < LEAST_GAIN {
                break;
            }
            before = reached;
        }
        fit
    }

    /// Natural logarithms of the components' shares times their densities at a vector.
    fn log_joint(&self, vector: &[f32], out: &mut [f64]) {
        let width = vector.len();
        for (component, out) in out.iter_mut().enumerate() {
            let of = component * width..(component + 1) * width;
            let parts = vector.iter().zip(&self.means[of.clone()]).zip(&self.variances[of]);
            let distance: f64 = parts.map(|((&x, m), v)| (f64::from(x) - m).powi(2) / v + (std::f64::consts::TAU * v).ln()).sum();
            *out = self.weights[component].ln() - 0.5 * distance;
        }
    }

    /// The mean log-density of `vectors [count, width]`, in nats.
    pub fn log_density(&self, vectors: &[f32], width: usize) -> f64 {
        self.expectation(vectors, width).log_likelihood / (vectors.len() / width) as f64
    }

    fn expectation(&self, vectors: &[f32], width: usize) -> Sums {
        let components = self.weights.len();
        let none = || Sums {
            shares: vec![0.0; components],
            first: vec![0.0; components * width],
            second: vec![0.0; components * width],
            log_likelihood: 0.0,
        };
        // Parts of a fixed size, summed in their order, give the same bits whatever the number of threads.
        let parts: Vec<Sums> = vectors
            .par_chunks(512 * width)
            .map(|part| {
                let (mut sums, mut log_joint) = (none(), vec![0.0; components]);
                for vector in part.chunks_exact(width) {
                    self.log_joint(vector, &mut log_joint);
                    let greatest = log_joint.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                    let total = greatest + log_joint.iter().map(|l| (l - greatest).exp()).sum::<f64>().ln();
                    sums.log_likelihood += total;
                    for (component, log_joint) in log_joint.iter().enumerate() {
                        let share = (log_joint - total).exp();
                        sums.shares[component] += share;
                        for (column, &x) in vector.iter().enumerate() {
                            sums.first[component * width + column] += share * f64::from(x);
                            sums.second[component * width + column] += share * f64::from(x).powi(2);
                        }
                    }
                }
                sums
            })
            .collect();
        parts.into_iter().fold(none(), |mut all, part| {
            let add = |all: &mut [f64], part: &[f64]| all.iter_mut().zip(part).for_each(|(all, part)| *all += part);
            add(&mut all.shares, &part.shares);
            add(&mut all.first, &part.first);
            add(&mut all.second, &part.second);
            all.log_likelihood += part.log_likelihood;
            all
        })
    }

    fn maximisation(&mut self, sums: &Sums, width: usize, count: usize) {
        for component in 0..self.weights.len() {
            // A component that no vector belongs to stays where it is, with no share.
            let share = sums.shares[component].max(1e-300);
            self.weights[component] = share / count as f64;
            if share < 1e-9 {
                continue;
            }
            for place in component * width..(component + 1) * width {
                let mean = sums.first[place] / share;
                self.means[place] = mean;
                self.variances[place] = (sums.second[place] / share - mean * mean).max(LEAST_VARIANCE);
            }
        }
    }
}

fn variance<'a>(values: impl Iterator<Item = &'a f32> + Clone) -> f64 {
    let count = values.clone().count().max(1) as f64;
    let mean = values.clone().map(|&value| f64::from(value)).sum::<f64>() / count;
    (values.map(|&value| (f64::from(value) - mean).powi(2)).sum::<f64>() / count).max(LEAST_VARIANCE)
}

/// Places of vectors, each drawn with the square of its distance from those before as its chance.
fn spread_out(vectors: &[f32], width: usize, components: usize, stream: Stream) -> Vec<usize> {
    let count = vectors.len() / width;
    let vector = |index: usize| &vectors[index * width..(index + 1) * width];
    let mut chosen = vec![stream.below(0, 0, count as u64) as usize];
    let mut nearest = vec![f64::INFINITY; count];
    while chosen.len() < components {
        let last = vector(chosen[chosen.len() - 1]);
        nearest.par_iter_mut().enumerate().for_each(|(index, nearest)| {
            let distance = vector(index).iter().zip(last).map(|(&a, &b)| f64::from(a - b).powi(2)).sum();
            *nearest = nearest.min(distance);
        });
        chosen.push(math::chosen(&nearest, stream.uniform_f64(0, chosen.len() as u32)));
    }
    chosen
}

impl Mixture {
    /// A mixture that is a standard normal distribution, whose numbers are put in when the training has ended.
    pub(crate) fn standard(components: usize, width: usize, device: &Device) -> Self {
        Self {
            log_weights: nn::filled([components], device, -(components as f64).ln() as f32),
            means: nn::filled([components, width], device, 0.0),
            deviations: nn::filled([components, width], device, 1.0),
        }
    }

    /// This mixture with the numbers of a fit; components that the fit lacks get no share.
    pub(crate) fn filled(self, fit: &Fit) -> Self {
        let ([components, width], device) = (self.means.val().dims(), self.means.val().device());
        let padded = |values: &mut dyn Iterator<Item = f64>, len: usize, rest: f32| {
            let mut values: Vec<f32> = values.map(|value| value as f32).collect();
            values.resize(len, rest);
            values
        };
        let log_weights = padded(&mut fit.weights.iter().map(|weight| weight.max(1e-30).ln()), components, -69.0);
        let means = padded(&mut fit.means.iter().copied(), components * width, 0.0);
        let deviations = padded(&mut fit.variances.iter().map(|variance| variance.sqrt()), components * width, 1.0);
        Self {
            log_weights: Param::from_tensor(host::tensor(log_weights, [components], &device)),
            means: Param::from_tensor(host::tensor(means, [components, width], &device)),
            deviations: Param::from_tensor(host::tensor(deviations, [components, width], &device)),
        }
    }

    /// Read back once for a batch of draws.
    pub(crate) fn on_host(&self) -> HostMixture {
        let read = |tensor: &Tensor<2>| host::read(tensor, <[f32]>::to_vec);
        let weights = host::read(&self.log_weights.val(), |logs| logs.iter().map(|&log| f64::from(log).exp()).collect());
        HostMixture { weights, means: read(&self.means.val()), deviations: read(&self.deviations.val()) }
    }
}

/// A mixture to draw from.
pub(crate) struct HostMixture {
    weights: Vec<f64>,
    means: Vec<f32>,
    deviations: Vec<f32>,
}

impl HostMixture {
    /// Means and standard deviations of the component that `chance`, from 0 to 1, falls to.
    pub(crate) fn component(&self, chance: f64) -> (&[f32], &[f32]) {
        let (component, width) = (math::chosen(&self.weights, chance), self.means.len() / self.weights.len());
        let of = component * width..(component + 1) * width;
        (&self.means[of.clone()], &self.deviations[of])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_clouds_are_found_again() {
        // 3 of 4 around (4, 0) with deviations 0.5 and 2, the others around (-4, 1) with 1 and 0.1.
        let count = 8000;
        let noise = Stream::new(3, 0).matrix(0..count, 2, Stream::normals);
        let vectors: Vec<f32> = noise
            .chunks_exact(2)
            .enumerate()
            .flat_map(|(i, n)| if i % 4 == 0 { [-4.0 + n[0], 1.0 + 0.1 * n[1]] } else { [4.0 + 0.5 * n[0], 2.0 * n[1]] })
            .collect();
        let fit = Fit::new(&vectors, 2, 2, Stream::new(1, 1));
        let first = usize::from(fit.means[0] > 0.0); // the smaller cloud's place
        let order = if first == 0 { [0, 1] } else { [1, 0] };
        let expected = [(0.25, [-4.0, 1.0], [1.0, 0.01]), (0.75, [4.0, 0.0], [0.25, 4.0])];
        for (component, (weight, means, variances)) in order.into_iter().zip(expected) {
            assert!((fit.weights[component] - weight).abs() < 0.01, "{fit:?}");
            for column in 0..2 {
                let place = 2 * component + column;
                assert!((fit.means[place] - means[column]).abs() < 0.1, "{fit:?}");
                assert!((fit.variances[place] / variances[column] - 1.0).abs() < 0.1, "{fit:?}");
            }
        }
        let one = Fit::new(&vectors, 2, 1, Stream::new(1, 1));
        assert!(fit.log_density(&vectors, 2) > one.log_density(&vectors, 2) + 0.5, "two fit better than one");
    }

    #[test]
    fn few_vectors_and_equal_ones_are_borne() {
        let fit = Fit::new(&[1.0, 2.0], 2, 5, Stream::new(1, 1));
        assert_eq!((fit.weights.len(), &fit.means[..]), (1, [1.0, 2.0].as_slice()));
        let equal = Fit::new(&[1.0; 40], 2, 3, Stream::new(1, 1));
        assert!(equal.variances.iter().chain(&equal.means).chain(&equal.weights).all(|value| value.is_finite()), "{equal:?}");
        let mixture = Mixture::standard(4, 2, &Device::flex()).filled(&fit).on_host();
        for chance in [0.0, 0.5, 0.999_999] {
            assert_eq!(mixture.component(chance).0, [1.0, 2.0]);
        }
    }
}
