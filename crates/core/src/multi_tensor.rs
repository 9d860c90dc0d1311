//! What is done to all parameters of a model at once: an Adam step, a weight average, the norm of the gradients. On a GPU with kernels one
//! launch covers many parameters, so that a network of small layers is not held up by launches; elsewhere it is parameter by parameter.

#[cfg(not(any(feature = "cuda", feature = "wgpu")))]
#[path = "multi_tensor/absent.rs"]
mod kernel;
#[cfg(any(feature = "cuda", feature = "wgpu"))]
mod kernel;

use burn::tensor::Tensor;

use crate::device::has_kernels;
use crate::host;
use crate::optim::Update;

/// A parameter's values before a step of Adam, each flattened.
#[derive(Debug)]
pub(crate) struct AdamState {
    pub(crate) weight: Tensor<1>,
    pub(crate) gradient: Tensor<1>,
    pub(crate) first: Tensor<1>,
    pub(crate) second: Tensor<1>,
}

/// The weight and both moments after it.
pub(crate) type AdamUpdated = (Tensor<1>, Tensor<1>, Tensor<1>);

/// One step of Adam; every gradient is first multiplied by `clip`.
pub(crate) fn adam(all: Vec<AdamState>, update: Update, clip: Option<Tensor<1>>) -> Vec<AdamUpdated> {
    let Some(device) = all.first().map(|moving| moving.weight.device()) else { return Vec::new() };
    if has_kernels(&device) {
        return kernel::adam(all, update, clip);
    }
    let one = |mut moving: AdamState| {
        if let Some(clip) = &clip {
            moving.gradient = moving.gradient * clip.clone();
        }
        if host::is_host(&device) { update.on_host(moving) } else { update.on_device(moving) }
    };
    all.into_iter().map(one).collect()
}

/// Averages moved towards weights: `weight + keep * (average - weight)`.
pub(crate) fn averages(averages: Vec<Tensor<1>>, weights: Vec<Tensor<1>>, keep: f32) -> Vec<Tensor<1>> {
    let Some(device) = weights.first().map(Tensor::device) else { return averages };
    if has_kernels(&device) {
        return kernel::averages(averages, weights, keep);
    }
    let one = |(average, weight): (Tensor<1>, Tensor<1>)| {
        if !host::is_host(&device) {
            return (average - weight.clone()) * keep + weight;
        }
        host::update(average, |average| {
            host::read(&weight, |weight| {
                for (average, weight) in average.iter_mut().zip(weight) {
                    *average = weight + keep * (*average - weight);
                }
            });
        })
    };
    averages.into_iter().zip(weights).map(one).collect()
}

/// The sum of the squares of all values, `[1]`.
///
/// # Panics
/// When there is no tensor.
pub(crate) fn sum_of_squares(tensors: Vec<Tensor<1>>) -> Tensor<1> {
    let device = tensors.first().expect("a step has at least one gradient").device();
    if has_kernels(&device) {
        return kernel::sum_of_squares(tensors);
    }
    let sums = tensors.into_iter().map(|tensor| tensor.square().sum());
    sums.reduce(|before, sum| before + sum).expect("checked above")
}
