//! Operations on a GPU whose gradient is written by hand: a kernel or a few for what burn would differentiate operation by operation.

use burn::backend::fusion::Fusion;
use burn::backend::ops::FloatTensorOps;
use burn::backend::tensor::FloatTensor;
use burn::tensor::Tensor;
use burn_cubecl::CubeBackend;

use super::hand_made::{self, Recorded, Tracked};

/// The backend of every GPU.
type Gpu = Fusion<CubeBackend>;

/// One input of an operation.
pub(crate) struct Input(hand_made::Input<Gpu>);

impl<const D: usize> From<Tensor<D>> for Input {
    fn from(tensor: Tensor<D>) -> Self {
        let shape = tensor.dims().to_vec();
        let (value, node) = match tensor.clone().try_into_primitive::<Tracked<Gpu>>() {
            Ok(tracked) => {
                let (value, node) = tracked.into_parts();
                (value, Some(node))
            }
            Err(_) => (tensor.try_into_primitive::<Gpu>().expect("callers ask `has_kernels` first"), None),
        };
        Self(hand_made::Input { value, shape, node })
    }
}

/// The inputs of an operation in the making.
pub(crate) struct DeviceOp<const N: usize> {
    inputs: [hand_made::Input<Gpu>; N],
}

impl<const N: usize> DeviceOp<N> {
    pub(crate) fn new(inputs: [Input; N]) -> Self {
        Self { inputs: inputs.map(|input| input.0) }
    }

    /// The inputs' values without autodiff, row-major and flat, to compute with and to keep for the gradient.
    pub(crate) fn values(&self) -> [Tensor<1>; N] {
        self.inputs.each_ref().map(|input| flat(input.value.clone(), &input.shape))
    }

    /// The operation's output of `shape`, with the function that gives the inputs' gradients from the output's, and from which inputs want
    /// one; all of them flat.
    pub(crate) fn finish<const D: usize>(
        self,
        output: Tensor<1>,
        shape: [usize; D],
        gradient: impl Fn(Tensor<1>, [bool; N]) -> [Option<Tensor<1>>; N] + Send + Sync + 'static,
    ) -> Tensor<D> {
        let shapes = self.inputs.each_ref().map(|input| input.shape.clone());
        let gradient = move |of_output, wanted: [bool; N]| {
            let mut shapes = shapes.iter();
            gradient(flat(of_output, &shape), wanted).map(|found| {
                let shape = shapes.next().expect("a shape for each input");
                found.map(|found| shaped(found, shape))
            })
        };
        match hand_made::record::<Gpu, N>(self.inputs, shaped(output, &shape), gradient) {
            Recorded::Plain(output) => Tensor::from_primitive::<Gpu>(output),
            Recorded::Tracked(output) => Tensor::from_primitive::<Tracked<Gpu>>(output),
        }
    }
}

fn flat(value: FloatTensor<Gpu>, shape: &[usize]) -> Tensor<1> {
    Tensor::from_primitive::<Gpu>(Gpu::float_reshape(value, [shape.iter().product::<usize>()].into()))
}

fn shaped(flat: Tensor<1>, shape: &[usize]) -> FloatTensor<Gpu> {
    Gpu::float_reshape(flat.try_into_primitive::<Gpu>().expect("of the inputs' backend"), shape.to_vec().into())
}
