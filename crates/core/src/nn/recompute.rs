//! Activations that are computed anew for the gradient instead of being kept (Chen et al. 2016, "Training deep nets with sublinear memory cost").

use std::cell::Cell;
use std::sync::Arc;

use burn::tensor::Tensor;

use super::host_op::{HostOp, Input, Values, on_host};
use crate::device::has_kernels;
use crate::host;
use crate::precision::holding;

thread_local! {
    // As the precision: runs side by side do not see each other's.
    static CURRENT: Cell<bool> = const { Cell::new(false) };
}

/// Runs `work`, whose blocks keep their inputs only where `recompute` is true.
pub fn recomputing<T>(recompute: bool, work: impl FnOnce() -> T) -> T {
    holding(&CURRENT, recompute, work)
}

/// Whether blocks are to keep their inputs only, here and now.
pub(crate) fn is_recomputing() -> bool {
    CURRENT.get()
}

/// What `forward` makes of flat inputs, flat; autodiff keeps the inputs and runs `forward` again for their gradients.
pub(crate) fn recomputed<const N: usize>(
    inputs: [Tensor<1>; N],
    forward: impl Fn([Tensor<1>; N]) -> Tensor<1> + Send + Sync + 'static,
) -> Tensor<1> {
    let again = Arc::new(forward);
    if has_kernels(&inputs[0].device().inner()) {
        return on_device(inputs, again);
    }
    if !on_host(&inputs[0]) {
        // A device without kernels of ours is one of tests only.
        return again(inputs);
    }
    let op = HostOp::new(inputs.map(Input::from));
    let values = op.values().map(Values::tensor);
    let out = again(values.clone());
    let shape = out.dims();
    op.finish(host::read(&out, <[f32]>::to_vec), shape, move |of_output, _| {
        gradients(values.clone(), again.as_ref(), of_output.tensor()).map(|found| found.map(|found| host::read(&found, <[f32]>::to_vec)))
    })
}

#[cfg(any(feature = "cuda", feature = "wgpu"))]
fn on_device<const N: usize>(
    inputs: [Tensor<1>; N],
    forward: Arc<impl Fn([Tensor<1>; N]) -> Tensor<1> + Send + Sync + 'static>,
) -> Tensor<1> {
    use super::device_op::{DeviceOp, Input};
    let op = DeviceOp::new(inputs.map(Input::from));
    let values = op.values();
    let out = forward(values.clone());
    let shape = out.dims();
    op.finish(out, shape, move |of_output, _| gradients(values.clone(), forward.as_ref(), of_output))
}

#[cfg(not(any(feature = "cuda", feature = "wgpu")))]
fn on_device<const N: usize>(inputs: [Tensor<1>; N], forward: Arc<impl Fn([Tensor<1>; N]) -> Tensor<1>>) -> Tensor<1> {
    forward(inputs)
}

/// The gradients of the leaves of a second pass, which has a graph of its own.
fn gradients<const N: usize>(
    values: [Tensor<1>; N],
    forward: &dyn Fn([Tensor<1>; N]) -> Tensor<1>,
    of_output: Tensor<1>,
) -> [Option<Tensor<1>>; N] {
    let leaves = values.map(|value| Tensor::from_inner(value).require_grad());
    let found = (forward(leaves.clone()) * Tensor::from_inner(of_output)).sum().backward();
    leaves.map(|leaf| leaf.grad(&found))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::host_op::tests::same_as_plain;

    #[test]
    fn output_and_gradients_are_those_of_one_pass() {
        let formula = |[x, y]: [Tensor<1>; 2]| (x.clone() * y.clone()).exp() + x * 2.0 - y;
        same_as_plain([[12], [12]], |inputs| recomputed(inputs, formula), formula);
    }
}
