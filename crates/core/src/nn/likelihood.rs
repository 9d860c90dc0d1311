//! The log-likelihood of binary pixels, with its gradient in one pass: the sum that dominates the time of a variational autoencoder after
//! its matrix products.

use burn::tensor::Tensor;
use rayon::prelude::*;

use super::host_op::{HostOp, on_host};
use super::sums::dot_by;
use crate::math;

/// Natural logarithm of the chance of `targets` under independent Bernoulli variables with these log-odds, summed over each row:
/// `sum_j (x_j l_j - ln(1 + exp(l_j)))`, in nats. `logits [rows, width]` and `targets [rows / n, width]` give `[rows]`; each row of
/// targets serves `n` consecutive rows of logits. Targets may lie between 0 and 1, and get no gradient.
///
/// # Panics
/// When the widths differ or the rows are no multiple of the targets'.
pub fn bernoulli_log_likelihood(logits: Tensor<2>, targets: Tensor<2>) -> Tensor<1> {
    let ([rows, width], [given, target_width]) = (logits.dims(), targets.dims());
    assert!(width == target_width && given > 0 && rows.is_multiple_of(given), "{rows} x {width} log-odds for {given} x {target_width}");
    if !on_host(&logits) {
        return plain(logits, targets);
    }
    let times = rows / given;
    let op = HostOp::new([logits.into(), targets.into()]);
    let [logits, targets] = op.values();
    let mut out = vec![0.0; rows];
    let inputs = logits.get().par_chunks(width).enumerate();
    out.par_iter_mut().zip(inputs).with_min_len(16).for_each(|(out, (row, logits))| {
        let targets = &targets.get()[row / times * width..][..width];
        pulp::Arch::new().dispatch(
            #[inline(always)]
            || *out = dot_by(logits, targets, |l, x| x * l - (l.max(0.0) + math::ln(1.0 + math::exp(-l.abs())))),
        );
    });
    op.finish(out, [rows], move |gradient, _| {
        let mut found = vec![0.0; rows * width];
        let inputs = logits.get().par_chunks(width).zip(gradient.get()).enumerate();
        found.par_chunks_mut(width).zip(inputs).with_min_len(16).for_each(|(found, (row, (logits, &gradient)))| {
            let targets = &targets.get()[row / times * width..][..width];
            pulp::Arch::new().dispatch(
                #[inline(always)]
                || {
                    for ((found, &l), &x) in found.iter_mut().zip(logits).zip(targets) {
                        *found = gradient * (x - 1.0 / (1.0 + math::exp(-l)));
                    }
                },
            );
        });
        [Some(found), None]
    })
}

fn plain(logits: Tensor<2>, targets: Tensor<2>) -> Tensor<1> {
    let ([rows, width], [given, _]) = (logits.dims(), targets.dims());
    let targets = targets.unsqueeze_dim::<3>(1).repeat_dim(1, rows / given).reshape([rows, width]);
    let softplus = logits.clone().clamp_min(0.0) + (logits.clone().abs().neg().exp() + 1.0).log();
    (targets * logits - softplus).sum_dim(1).reshape([rows])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host;
    use burn::tensor::Device;

    #[test]
    fn value_and_gradient_are_those_of_the_formula() {
        let device = Device::flex().autodiff();
        let stream = crate::seeds::Stream::new(5, 0);
        let logits = |_: ()| host::tensor(stream.matrix(0..6, 37, crate::seeds::Stream::normals), [6, 37], &device).require_grad() * 3.0;
        let targets = host::tensor(stream.matrix(10..13, 37, crate::seeds::Stream::uniforms), [3, 37], &device);
        let weights = Tensor::<1>::from_floats([1.0, -2.0, 0.5, 3.0, 0.0, 1.5], &device);
        let of = |f: &dyn Fn(Tensor<2>, Tensor<2>) -> Tensor<1>| {
            let logits = logits(()).detach().require_grad();
            let out = f(logits.clone(), targets.clone());
            let gradients = (out.clone() * weights.clone()).sum().backward();
            let gradient = logits.grad(&gradients).expect("a gradient");
            (host::read(&out, <[f32]>::to_vec), host::read(&gradient, <[f32]>::to_vec))
        };
        let (ours, theirs) = (of(&bernoulli_log_likelihood), of(&plain));
        ours.0.iter().zip(&theirs.0).for_each(|(a, b)| assert!((a - b).abs() < 1e-4, "{a} against {b}"));
        ours.1.iter().zip(&theirs.1).for_each(|(a, b)| assert!((a - b).abs() < 1e-5, "{a} against {b}"));
    }

    #[test]
    fn chances_of_all_outcomes_sum_to_one_and_extremes_are_finite() {
        let device = Device::flex();
        let logits = Tensor::<2>::from_floats([[0.7, -2.0]; 4], &device);
        let targets = Tensor::<2>::from_floats([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]], &device);
        let total = bernoulli_log_likelihood(logits, targets).exp().sum().into_scalar::<f32>();
        assert!((total - 1.0).abs() < 1e-6, "{total}");
        let far = Tensor::<2>::from_floats([[200.0, -200.0]], &device);
        let right = bernoulli_log_likelihood(far.clone(), Tensor::from_floats([[1.0, 0.0]], &device)).into_scalar::<f32>();
        let wrong = bernoulli_log_likelihood(far, Tensor::from_floats([[0.0, 1.0]], &device)).into_scalar::<f32>();
        assert!(right.abs() < 1e-6 && (wrong + 400.0).abs() < 1e-3, "{right} {wrong}");
    }
}
