//! Operations on the CPU whose gradient is written by hand.
//!
//! burn differentiates a chain of tensor operations by a chain of tensor operations: each one allocates and passes over memory. An
//! operation made here computes its output in one go, on slices, and hands autodiff a function that does the same for its gradient.

use std::fmt;
use std::sync::Arc;

use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::NoCheckpointing;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, NodeGuard, Ops, OpsKind};
use burn::backend::flex::FlexTensor;
use burn::backend::{Autodiff, AutodiffBackend, Flex};
use burn::tensor::{Tensor, TensorData};

use crate::host;

/// Whether a tensor, with or without autodiff, lies in the memory of this process.
pub(crate) fn on_host<const D: usize>(tensor: &Tensor<D>) -> bool {
    host::is_host(&tensor.device().inner())
}

/// The autodiff backend that tensors of an autodiff device live on.
type Tracked = Autodiff<Flex, NoCheckpointing>;

/// A tensor's values on the host, row-major; clones share them.
#[derive(Clone)]
pub(crate) struct Values(FlexTensor);

impl Values {
    /// The values.
    ///
    /// # Panics
    /// Never: the constructor makes them contiguous f32.
    pub(crate) fn get(&self) -> &[f32] {
        self.0.as_slice().expect("made contiguous f32 when taken")
    }

    /// The values as an owned vector: without a copy if they are not shared.
    pub(crate) fn take(self) -> Vec<f32> {
        self.0.into_data().try_into_vec().expect("f32")
    }
}

/// One input of an operation: its values, and its place in the autodiff graph if it has one.
pub(crate) struct Input {
    values: Values,
    shape: Vec<usize>,
    node: Option<NodeGuard>,
}

impl<const D: usize> From<Tensor<D>> for Input {
    fn from(tensor: Tensor<D>) -> Self {
        let shape = tensor.dims().to_vec();
        let (primitive, node) = match tensor.clone().try_into_primitive::<Tracked>() {
            Ok(tracked) => {
                let (primitive, node) = tracked.into_parts();
                (primitive, Some(node))
            }
            Err(_) => (tensor.try_into_primitive::<Flex>().expect("callers ask `host::is_host` first"), None),
        };
        let primitive = if primitive.is_contiguous() { primitive } else { primitive.to_contiguous() };
        Self { values: Values(primitive), shape, node }
    }
}

/// What the gradient function gives for each input: `None` for those that need none.
pub(crate) type InputGradients<const N: usize> = [Option<Vec<f32>>; N];

/// The gradient function: from the output's gradient, and which inputs want one, to the inputs' gradients.
type GradientFn<const N: usize> = dyn Fn(Values, [bool; N]) -> InputGradients<N> + Send + Sync;

/// The inputs of an operation in the making.
pub(crate) struct HostOp<const N: usize> {
    inputs: [Input; N],
}

impl<const N: usize> HostOp<N> {
    pub(crate) fn new(inputs: [Input; N]) -> Self {
        Self { inputs }
    }

    /// The inputs' values, to compute with and to keep for the gradient.
    pub(crate) fn values(&self) -> [Values; N] {
        self.inputs.each_ref().map(|input| input.values.clone())
    }

    /// The operation's output, with the function that gives the inputs' gradients, row-major and of the inputs' shapes.
    pub(crate) fn finish<const D: usize>(
        self,
        output: Vec<f32>,
        shape: [usize; D],
        gradient: impl Fn(Values, [bool; N]) -> InputGradients<N> + Send + Sync + 'static,
    ) -> Tensor<D> {
        let output = FlexTensor::from_data(TensorData::new(output, shape));
        if self.inputs.iter().all(|input| input.node.is_none()) {
            return Tensor::from_primitive::<Flex>(output);
        }
        let shapes = self.inputs.each_ref().map(|input| input.shape.clone());
        // A plain tensor among tracked ones becomes a leaf that wants no gradient.
        let nodes = self.inputs.map(|input| match input.node {
            Some(node) => node,
            None => Tracked::from_inner(input.values.0).into_parts().1,
        });
        let state = State { shapes, gradient: Arc::new(gradient) };
        let output = match HandMade.prepare::<NoCheckpointing>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prepared) => prepared.finish(state, output),
            OpsKind::UnTracked(prepared) => prepared.finish(output),
        };
        Tensor::from_primitive::<Tracked>(output)
    }
}

#[derive(Debug)]
struct HandMade;

#[derive(Clone)]
struct State<const N: usize> {
    shapes: [Vec<usize>; N],
    gradient: Arc<GradientFn<N>>,
}

impl<const N: usize> fmt::Debug for State<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("State").field("shapes", &self.shapes).finish_non_exhaustive()
    }
}

impl<const N: usize> Backward<Flex, N> for HandMade {
    type State = State<N>;

    fn backward(self, ops: Ops<State<N>, N>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let gradient = gradients.consume::<Flex>(&ops.node);
        let gradient = Values(if gradient.is_contiguous() { gradient } else { gradient.to_contiguous() });
        let wanted = ops.parents.each_ref().map(Option::is_some);
        let found = (ops.state.gradient)(gradient, wanted);
        for ((parent, gradient), shape) in ops.parents.iter().zip(found).zip(ops.state.shapes) {
            if let (Some(parent), Some(gradient)) = (parent, gradient) {
                gradients.register::<Flex>(parent.id, FlexTensor::from_data(TensorData::new(gradient, shape)));
            }
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::seeds::Stream;
    use burn::tensor::Device;

    /// Holds an operation's output and gradients against those that autodiff finds for the same formula in tensor operations.
    pub(crate) fn same_as_plain<const N: usize, const D: usize, const O: usize>(
        shapes: [[usize; D]; N],
        hand_made: impl Fn([Tensor<D>; N]) -> Tensor<O>,
        plain: impl Fn([Tensor<D>; N]) -> Tensor<O>,
    ) {
        let device = Device::flex().autodiff();
        let run = |f: &dyn Fn([Tensor<D>; N]) -> Tensor<O>| {
            let mut stream = 0;
            let inputs = shapes.map(|shape| {
                stream += 1;
                let mut values = vec![0.0; shape.iter().product()];
                Stream::new(3, stream).normals(0, &mut values);
                Tensor::<D>::from_data(TensorData::new(values, shape), &device).require_grad()
            });
            let out = f(inputs.clone());
            let mut weights = vec![0.0; out.dims().iter().product()];
            Stream::new(4, 0).normals(0, &mut weights);
            let loss = (out.clone() * Tensor::from_data(TensorData::new(weights, out.dims()), &device)).sum();
            let gradients = loss.backward();
            let mut found = vec![out.inner().into_data().try_into_vec::<f32>().expect("f32")];
            found.extend(inputs.map(|x| x.grad(&gradients).expect("a gradient").into_data().try_into_vec::<f32>().expect("f32")));
            found
        };
        for (index, (a, b)) in run(&hand_made).into_iter().zip(run(&plain)).enumerate() {
            let scale = b.iter().fold(1e-3f32, |most, b| most.max(b.abs()));
            assert_eq!(a.len(), b.len());
            for (a, b) in a.iter().zip(&b) {
                assert!((a - b).abs() < 2e-5 * scale, "part {index}: {a} against {b}, scale {scale}");
            }
        }
    }
}
