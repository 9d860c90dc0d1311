//! A codebook of running averages of its vectors: "Neural discrete representation learning", van den Oord et al. 2017, appendix A.1.

use burn::module::{Module, Param};
use burn::tensor::{Device, Int, Tensor};

use super::{filled, unit_vectors};

/// The vectors that others are replaced by.
#[derive(Module, Debug)]
pub struct Codebook {
    /// `[codes, width]`. They follow averages, not gradients.
    pub vectors: Param<Tensor<2>>,
}

/// Running averages of how often each code is used, and for what.
#[derive(Module, Debug)]
pub struct Usage {
    /// Uses of a code in a step, `[codes]`.
    sizes: Param<Tensor<1>>,
    /// Sums of the vectors that it stood for in a step, `[codes, width]`.
    sums: Param<Tensor<2>>,
}

/// How a codebook follows.
#[derive(Debug, Clone, Copy)]
pub struct Follow {
    /// The share of the averages that stays after a step.
    pub decay: f64,
    /// A code that is used less often than this share of an even use begins anew.
    pub revive_below: f64,
}

/// Added to every use, so that no code is divided by nothing (Laplace's smoothing).
const SMOOTHING: f64 = 1e-5;

impl Codebook {
    /// Vectors of zeros: each begins anew with the first step.
    pub fn new(codes: usize, width: usize, device: &Device) -> Self {
        Self { vectors: filled([codes, width], device, 0.0) }
    }

    /// The code nearest to each vector: `z [rows, width]` gives `[rows]`.
    pub fn nearest(&self, z: Tensor<2>) -> Tensor<1, Int> {
        let vectors = self.vectors.val();
        // |z - e|^2 = |z|^2 - 2 z e + |e|^2, of which the first is the same for all codes.
        let lengths = vectors.clone().square().sum_dim(1).transpose(); // [1, codes]
        let rows = z.dims()[0];
        (z.matmul(vectors.transpose()) * 2.0 - lengths).argmax(1).reshape([rows])
    }

    /// The vectors of codes `[rows]`: `[rows, width]`.
    pub fn of(&self, codes: Tensor<1, Int>) -> Tensor<2> {
        self.vectors.val().select(0, codes)
    }
}

impl Usage {
    /// Of codes that were not used yet.
    pub fn new(codes: usize, width: usize, device: &Device) -> Self {
        Self { sizes: filled([codes], device, 0.0), sums: filled([codes, width], device, 0.0) }
    }

    /// Codes that are hardly used, as all are before the first step, get vectors `z [rows, width]` of this step, `chosen [codes]` among
    /// them, and the use that an even one would be.
    pub fn revived(self, codebook: Codebook, z: Tensor<2>, chosen: Tensor<1, Int>, follow: Follow) -> (Self, Codebook) {
        let (vectors, sizes, sums) = (inner(&codebook.vectors), inner(&self.sizes), inner(&self.sums));
        let ([rows, width], [codes, _]) = (z.dims(), vectors.dims());
        let even = rows as f64 / codes as f64;
        let dead = sizes.clone().lower_elem(follow.revive_below * even).float(); // [codes]
        let alive = dead.clone().neg() + 1.0;
        let column = |mask: &Tensor<1>| mask.clone().reshape([codes, 1]).expand([codes, width]);
        let fresh = z.select(0, chosen);
        let vectors = vectors * column(&alive) + fresh.clone() * column(&dead);
        let sums = sums * column(&alive) + fresh * column(&dead) * even;
        let sizes = sizes * alive + dead * even;
        let usage = Self { sizes: replaced(self.sizes, sizes), sums: replaced(self.sums, sums) };
        (usage, Codebook { vectors: replaced(codebook.vectors, vectors) })
    }

    /// The averages after a step that put `codes [rows]` in the place of `z [rows, width]`, and the codebook that follows them. Also
    /// how often each code was used, `[codes]`.
    pub fn followed(self, codebook: Codebook, z: Tensor<2>, codes: Tensor<1, Int>, follow: Follow) -> (Self, Codebook, Tensor<1>) {
        let (sizes, sums) = (inner(&self.sizes), inner(&self.sums));
        let ([count, width], keep) = (sums.dims(), follow.decay);
        let chosen = unit_vectors(codes, 1, count); // [rows, codes]
        let used = chosen.clone().sum_dim(0).reshape([count]);
        let sizes = sizes * keep + used.clone() * (1.0 - keep);
        let sums = sums * keep + chosen.transpose().matmul(z) * (1.0 - keep);
        let total = sizes.clone().sum(); // [1]
        let smoothed = (sizes.clone() + SMOOTHING) * (total.clone() / (total + count as f64 * SMOOTHING));
        let vectors = sums.clone() / smoothed.reshape([count, 1]).expand([count, width]);
        let usage = Self { sizes: replaced(self.sizes, sizes), sums: replaced(self.sums, sums) };
        (usage, Codebook { vectors: replaced(codebook.vectors, vectors) }, used)
    }
}

fn inner<const D: usize>(param: &Param<Tensor<D>>) -> Tensor<D> {
    param.val().inner()
}

/// The same parameter with another value, given without autodiff.
fn replaced<const D: usize>(param: Param<Tensor<D>>, value: Tensor<D>) -> Param<Tensor<D>> {
    param.map(|_| Tensor::from_inner(value))
}

/// The number of codes that would be used as unevenly if each were used evenly: `exp(-sum p ln p)`. `used [codes]` gives `[1]`.
pub fn perplexity(used: Tensor<1>) -> Tensor<1> {
    let shares = used.clone() / used.sum();
    (shares.clone() * (shares + 1e-10).log()).sum().neg().exp()
}

/// Puts `quantised` in the place of `z`, and lets the gradient pass as if it were `z` (van den Oord et al. 2017, section 3.2).
pub fn straight_through<const D: usize>(z: Tensor<D>, quantised: Tensor<D>) -> Tensor<D> {
    z.clone() + (quantised - z).detach()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host;

    fn close(tensor: Tensor<2>, expected: &[f32]) {
        host::read(&tensor, |values| {
            assert_eq!(values.len(), expected.len());
            values.iter().zip(expected).for_each(|(a, b)| assert!((a - b).abs() < 1e-4, "{values:?} against {expected:?}"));
        });
    }

    #[test]
    fn the_codebook_follows_its_vectors_as_worked_out_by_hand() {
        let device = Device::flex().autodiff();
        let plain = device.clone().inner();
        let follow = Follow { decay: 0.9, revive_below: 0.1 };
        let z = Tensor::<2>::from_floats([[1.0, 0.0], [3.0, 0.0], [0.0, 8.0], [0.0, 4.0]], &plain);
        let (usage, codebook) = (Usage::new(2, 2, &device), Codebook::new(2, 2, &device));
        // All codes are dead at first: they take the vectors 0 and 2, each used as an even use would be, twice.
        let chosen = Tensor::<1, Int>::from_ints([0, 2], &plain);
        let (usage, codebook) = usage.revived(codebook, z.clone(), chosen.clone(), follow);
        close(codebook.vectors.val(), &[1.0, 0.0, 0.0, 8.0]);
        let codes = codebook.clone().valid().nearest(z.clone());
        assert_eq!(codes.clone().into_data().convert::<i64>().try_into_vec::<i64>().expect("whole"), [0, 0, 1, 1]);
        let (usage, codebook, used) = usage.followed(codebook, z.clone(), codes, follow);
        // Sums 0.9 * 2 * 1 + 0.1 * 4 = 2.2 and 0.9 * 2 * 8 + 0.1 * 12 = 15.6; sizes 0.9 * 2 + 0.1 * 2 = 2.
        close(codebook.vectors.val(), &[1.1, 0.0, 0.0, 7.8]);
        assert!((perplexity(used).into_scalar::<f32>() - 2.0).abs() < 1e-4);
        // A code that nothing is near to fades, and begins anew below a tenth of an even use.
        let far = Tensor::<2>::from_floats([[1.0, 0.0]; 4], &plain);
        let (mut usage, mut codebook) = (usage, codebook);
        for _ in 0..25 {
            let codes = codebook.clone().valid().nearest(far.clone());
            (usage, codebook, _) = usage.followed(codebook, far.clone(), codes, follow);
        }
        // 2 * 0.9^25 = 0.14 is below 0.2.
        let (_, codebook) = usage.revived(codebook, far, chosen.clone().zeros_like(), follow);
        let revived = codebook.vectors.val().narrow(0, 1, 1);
        close(revived, &[1.0, 0.0]);
    }

    #[test]
    fn the_gradient_passes_straight_through() {
        let device = Device::flex().autodiff();
        let z = Tensor::<2>::from_floats([[0.2, 0.9]], &device).require_grad();
        let quantised = Tensor::<2>::from_floats([[0.0, 1.0]], &device);
        let out = straight_through(z.clone(), quantised);
        close(out.clone(), &[0.0, 1.0]);
        // d/dz of 3 q_0 + q_1^2 at q = (0, 1), as if z were q.
        let weights = Tensor::<2>::from_floats([[3.0, 0.0]], &device);
        let squared = Tensor::<2>::from_floats([[0.0, 1.0]], &device);
        let gradients = (out.clone() * weights + out.square() * squared).sum().backward();
        close(z.grad(&gradients).expect("a gradient"), &[3.0, 2.0]);
    }
}
