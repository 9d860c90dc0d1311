//! One step of Adam. On the CPU it is one loop a parameter, by kernels one launch for many parameters, elsewhere tensor operations.

use std::collections::BTreeMap;

use burn::module::{Module, ParamId};
use burn::tensor::Tensor;
use rayon::prelude::*;

use super::Moments;
use crate::host;
use crate::multi_tensor::{self, AdamState, AdamUpdated};
use crate::parameters;

/// min(1, norm / ||all gradients||_2), left on the device. Shape `[1]`.
pub(super) fn clip_factor(gradients: &[(ParamId, Tensor<1>)], norm: f64) -> Tensor<1> {
    let total = multi_tensor::sum_of_squares(gradients.iter().map(|(_, gradient)| gradient.clone()).collect());
    ((total.sqrt() + 1e-6).recip() * norm).clamp_max(1.0)
}

/// What one step does to every value.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Update {
    pub(crate) step_size: f32,
    pub(crate) beta_1: f32,
    pub(crate) beta_2: f32,
    pub(crate) correction_1: f32,
    pub(crate) correction_2: f32,
    pub(crate) epsilon: f32,
    pub(crate) weight_decay: f32,
}

/// Moves the parameters of `module` that have a gradient, which is first multiplied by `clip`.
pub(super) fn apply<M: Module>(
    module: M,
    update: Update,
    clip: Option<Tensor<1>>,
    gradients: Vec<(ParamId, Tensor<1>)>,
    moments: &mut BTreeMap<ParamId, Moments>,
) -> M {
    let ids: Vec<ParamId> = gradients.iter().map(|(id, _)| *id).collect();
    let (module, out, weights) = parameters::take(module, Some(ids.iter().copied().collect()));
    let moving = gradients.into_iter().zip(weights).map(|((id, gradient), weight)| {
        let Moments { first, second } =
            moments.remove(&id).unwrap_or_else(|| Moments { first: weight.zeros_like(), second: weight.zeros_like() });
        AdamState { weight, gradient, first, second }
    });
    let mut weights = Vec::with_capacity(ids.len());
    for (id, (weight, first, second)) in ids.into_iter().zip(multi_tensor::adam(moving.collect(), update, clip)) {
        moments.insert(id, Moments { first, second });
        weights.push(weight);
    }
    parameters::put(module, out, weights)
}

impl Update {
    /// The rate with the first moment's correction.
    pub(crate) fn rate(&self) -> f32 {
        self.step_size / self.correction_1
    }

    /// The second moment's correction, of its root.
    pub(crate) fn root(&self) -> f32 {
        1.0 / self.correction_2.sqrt()
    }

    pub(crate) fn on_host(self, moving: AdamState) -> AdamUpdated {
        let AdamState { weight, gradient, first, second } = moving;
        /// Values one task works on: enough to outweigh the hand-over, few enough to share the work.
        const PART: usize = 32_768;
        let (mut new_first, mut new_second) = (None, None);
        let weight = host::update(weight, |weight| {
            new_first = Some(host::update(first, |first| {
                new_second = Some(host::update(second, |second| {
                    host::read(&gradient, |gradient| {
                        (weight.par_chunks_mut(PART), first.par_chunks_mut(PART), second.par_chunks_mut(PART), gradient.par_chunks(PART))
                            .into_par_iter()
                            .for_each(|(weight, first, second, gradient)| self.one_part(weight, first, second, gradient));
                    });
                }));
            }));
        });
        (weight, new_first.expect("set above"), new_second.expect("set above"))
    }

    fn one_part(self, weight: &mut [f32], first: &mut [f32], second: &mut [f32], gradient: &[f32]) {
        let (rate, root) = (self.rate(), self.root());
        pulp::Arch::new().dispatch(
            #[inline(always)]
            || {
                for (((w, m), v), &g) in weight.iter_mut().zip(first).zip(second).zip(gradient) {
                    let g = g + self.weight_decay * *w;
                    *m += (g - *m) * (1.0 - self.beta_1);
                    *v += (g * g - *v) * (1.0 - self.beta_2);
                    *w -= rate * *m / (v.sqrt() * root + self.epsilon);
                }
            },
        );
    }

    pub(crate) fn on_device(self, moving: AdamState) -> AdamUpdated {
        let AdamState { weight, gradient, first, second } = moving;
        let gradient = gradient + weight.clone() * self.weight_decay;
        let first = first.clone() + (gradient.clone() - first) * (1.0 - self.beta_1);
        let second = second.clone() + (gradient.square() - second) * (1.0 - self.beta_2);
        let root = second.clone().sqrt() / self.correction_2.sqrt() + self.epsilon;
        (weight - first.clone() / root * self.rate(), first, second)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn;
    use crate::seeds::Stream;
    use burn::optim::GradientsParams;
    use burn::tensor::Device;

    /// torch.optim.Adam([p], lr=0.1, betas=(0.5, 0.9), weight_decay=0.01), p = [1, -2], gradients [0.5, 1], [0.25, -1], [-3, 0.1];
    /// the parameters after the third step as PyTorch prints them.
    const EXPECTED: [f32; 2] = [0.898_647_3, -2.051_320_8];

    #[test]
    fn steps_are_those_of_pytorch() {
        let gradients = [[0.5f32, 1.0], [0.25, -1.0], [-3.0, 0.1]];
        let device = Device::flex();
        for on_host in [true, false] {
            let mut tensors = (Tensor::<1>::from_floats([1.0, -2.0], &device), Tensor::zeros([2], &device), Tensor::zeros([2], &device));
            for (index, gradient) in gradients.iter().enumerate() {
                let update = Update {
                    step_size: 0.1,
                    beta_1: 0.5,
                    beta_2: 0.9,
                    correction_1: 1.0 - 0.5f32.powi(index as i32 + 1),
                    correction_2: 1.0 - 0.9f32.powi(index as i32 + 1),
                    epsilon: 1e-8,
                    weight_decay: 0.01,
                };
                let (weight, first, second) = tensors;
                let moving = AdamState { weight, gradient: Tensor::from_floats(*gradient, &device), first, second };
                tensors = if on_host { update.on_host(moving) } else { update.on_device(moving) };
            }
            host::read(&tensors.0, |w| w.iter().zip(EXPECTED).for_each(|(a, e)| assert!((a - e).abs() < 1e-6, "{a} against {e}")));
        }
    }

    #[test]
    fn clipping_scales_all_gradients_together() {
        let device = Device::flex().autodiff();
        let layer = nn::LinearConfig::new(2, 1).init(Stream::new(0, 0), &device);
        let loss = (layer.forward(Tensor::<2>::from_floats([[3.0, 4.0]], &device)) * 10.0).sum();
        let gradients = parameters::gradients(&layer, GradientsParams::from_grads(loss.backward(), &layer));
        // The gradients are (30, 40) and 10: norm sqrt(2600).
        let factor = clip_factor(&gradients, 1.0).into_scalar::<f32>();
        assert!((factor - 1.0 / 2600f32.sqrt()).abs() < 1e-6);
        assert_eq!(clip_factor(&gradients, 100.0).into_scalar::<f32>(), 1.0);
    }
}
