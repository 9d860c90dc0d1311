//! Operations of our own over any number of tensors of a GPU. They are registered with burn's fusion by hand, since its macro for extensions
//! can only write operations whose number of tensors is known. What every kernel's launch needs is here too.

use std::fmt::Debug;

use burn::backend::fusion::custom::{CustomOpIr, HandleContainer, Operation, OperationIr, StreamId, TensorIr};
use burn::backend::fusion::{ExecutionError, Fusion, FusionRuntime};
use burn::tensor::{DType, Tensor};
use burn_cubecl::CubeBackend;
use burn_cubecl::cubecl::calculate_cube_count_elemwise;
use burn_cubecl::cubecl::prelude::{CubeCount, CubeDim};
use burn_cubecl::fusion::FusionCubeRuntime;
use burn_cubecl::ops::numeric::empty_device_contiguous_dtype;
use burn_cubecl::tensor::CubeTensor;

/// What is done to tensors when its turn comes.
pub trait Work: Debug + Send + Sync + 'static {
    /// What burn calls it.
    const NAME: &'static str;

    /// Does it, and gives the tensors that were promised.
    fn run(&self, inputs: Vec<CubeTensor>) -> Vec<CubeTensor>;
}

#[derive(Debug)]
struct Queued<W> {
    work: W,
    inputs: Vec<TensorIr>,
    outputs: Vec<TensorIr>,
}

type Handles = HandleContainer<<FusionCubeRuntime as FusionRuntime>::FusionHandle>;

impl<W: Work> Operation<FusionCubeRuntime> for Queued<W> {
    fn execute(&self, handles: &mut Handles) -> Result<(), ExecutionError> {
        let inputs = self.inputs.iter().map(|input| handles.get_float_tensor::<CubeBackend>(input)).collect();
        for (ir, output) in self.outputs.iter().zip(self.work.run(inputs)) {
            handles.register_float_tensor::<CubeBackend>(&ir.id, output);
        }
        Ok(())
    }
}

/// Queues work on flat f32 tensors of one GPU; gives as many as `lengths`, of those lengths. It is done when their values are needed, and not
/// at all when all of them are dropped before.
///
/// # Panics
/// When there is no tensor, or one of them is not a GPU's or not of f32.
pub fn queue<W: Work>(work: W, inputs: Vec<Tensor<1>>, lengths: &[usize]) -> impl Iterator<Item = Tensor<1>> {
    assert!(inputs.iter().all(|input| input.dtype() == DType::F32), "kernels of this crate work on f32");
    let primitive = |input: Tensor<1>| input.try_into_primitive::<Fusion<CubeBackend>>().expect("a tensor of a GPU");
    let inputs: Vec<_> = inputs.into_iter().map(primitive).collect();
    let client = inputs.first().expect("work has a tensor").client.clone();
    let promised = |&length: &usize| TensorIr::uninit(client.create_empty_handle(), [length].into(), DType::F32);
    let outputs: Vec<TensorIr> = lengths.iter().map(promised).collect();
    let inputs: Vec<TensorIr> = inputs.into_iter().map(|input| input.into_ir()).collect();
    let described = CustomOpIr::new(W::NAME, &inputs, &outputs);
    let outputs = client.register(StreamId::current(), OperationIr::Custom(described), Queued { work, inputs, outputs });
    outputs.into_iter().map(Tensor::from_primitive::<Fusion<CubeBackend>>)
}

/// A new f32 tensor on the device of `like`; its values are whatever was there.
pub fn empty<const D: usize>(like: &CubeTensor, shape: [usize; D]) -> CubeTensor {
    empty_of(like, shape, DType::F32)
}

/// As [`empty`], of another type.
pub fn empty_of<const D: usize>(like: &CubeTensor, shape: [usize; D], dtype: DType) -> CubeTensor {
    empty_device_contiguous_dtype(like.client.clone(), like.device.clone(), shape.into(), dtype)
}

/// The grid of a launch of so many units, or a few more, on the device of `like`.
pub fn grid(like: &CubeTensor, units: usize) -> (CubeCount, CubeDim) {
    let dim = CubeDim::new(&like.client, units);
    (calculate_cube_count_elemwise(&like.client, units, dim), dim)
}
