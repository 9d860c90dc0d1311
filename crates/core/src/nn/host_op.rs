//! Operations on the CPU whose gradient is written by hand.
//!
//! burn differentiates a chain of tensor operations by a chain of tensor operations: each one allocates and passes over memory. An
//! operation made here computes its output in one go, on slices, and hands autodiff a function that does the same for its gradient.

use burn::backend::Flex;
use burn::backend::flex::FlexTensor;
use burn::tensor::{Tensor, TensorData};

use super::hand_made::{self, Recorded, Tracked};
use crate::host;

/// Whether a tensor, with or without autodiff, lies in the memory of this process.
pub(crate) fn on_host<const D: usize>(tensor: &Tensor<D>) -> bool {
    host::is_host(&tensor.device().inner())
}

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

    /// The values as a tensor without autodiff.
    pub(crate) fn tensor<const D: usize>(self) -> Tensor<D> {
        Tensor::from_primitive::<Flex>(self.0)
    }

    /// The values as an owned vector: without a copy if they are not shared.
    pub(crate) fn take(self) -> Vec<f32> {
        self.0.into_data().try_into_vec().expect("f32")
    }
}

/// One input of an operation.
pub(crate) struct Input(hand_made::Input<Flex>);

impl<const D: usize> From<Tensor<D>> for Input {
    fn from(tensor: Tensor<D>) -> Self {
        let shape = tensor.dims().to_vec();
        let (primitive, node) = match tensor.clone().try_into_primitive::<Tracked<Flex>>() {
            Ok(tracked) => {
                let (primitive, node) = tracked.into_parts();
                (primitive, Some(node))
            }
            Err(_) => (tensor.try_into_primitive::<Flex>().expect("callers ask `host::is_host` first"), None),
        };
        Self(hand_made::Input { value: contiguous(primitive), shape, node })
    }
}

fn contiguous(tensor: FlexTensor) -> FlexTensor {
    if tensor.is_contiguous() { tensor } else { tensor.to_contiguous() }
}

/// What the gradient function gives for each input, row-major and of the input's shape: `None` for those that need none.
pub(crate) type InputGradients<const N: usize> = [Option<Vec<f32>>; N];

/// The inputs of an operation in the making.
pub(crate) struct HostOp<const N: usize> {
    inputs: [hand_made::Input<Flex>; N],
}

impl<const N: usize> HostOp<N> {
    pub(crate) fn new(inputs: [Input; N]) -> Self {
        Self { inputs: inputs.map(|input| input.0) }
    }

    /// The inputs' values, to compute with and to keep for the gradient.
    pub(crate) fn values(&self) -> [Values; N] {
        self.inputs.each_ref().map(|input| Values(input.value.clone()))
    }

    /// The operation's output, with the function that gives the inputs' gradients from the output's, and from which inputs want one.
    pub(crate) fn finish<const D: usize>(
        self,
        output: Vec<f32>,
        shape: [usize; D],
        gradient: impl Fn(Values, [bool; N]) -> InputGradients<N> + Send + Sync + 'static,
    ) -> Tensor<D> {
        let output = FlexTensor::from_data(TensorData::new(output, shape));
        let shapes = self.inputs.each_ref().map(|input| input.shape.clone());
        let gradient = move |of_output: FlexTensor, wanted: [bool; N]| {
            let mut shapes = shapes.iter();
            gradient(Values(contiguous(of_output)), wanted).map(|found| {
                let shape = shapes.next().expect("a shape for each input");
                found.map(|values| FlexTensor::from_data(TensorData::new(values, shape.clone())))
            })
        };
        match hand_made::record::<Flex, N>(self.inputs, output, gradient) {
            Recorded::Plain(output) => Tensor::from_primitive::<Flex>(output),
            Recorded::Tracked(output) => Tensor::from_primitive::<Tracked<Flex>>(output),
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
