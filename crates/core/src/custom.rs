//! Operations of our own over any number of tensors of a GPU. They are registered with burn's fusion by hand, since its macro for extensions
//! can only write operations whose number of tensors is known. What every kernel's launch needs is here too.

use std::fmt::Debug;
use std::sync::atomic::{AtomicBool, Ordering};

use burn::backend::fusion::custom::{CustomOpIr, HandleContainer, Operation, OperationIr, StreamId, TensorIr};
use burn::backend::fusion::{ExecutionError, Fusion, FusionRuntime};
use burn::tensor::{DType, Tensor};
use burn_cubecl::CubeBackend;
use burn_cubecl::cubecl;
use burn_cubecl::cubecl::calculate_cube_count_elemwise;
use burn_cubecl::cubecl::prelude::*;
use burn_cubecl::fusion::FusionCubeRuntime;
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::ops::numeric::{empty_device_contiguous_dtype, full_client};
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
pub fn queue<W: Work>(work: W, inputs: Vec<Tensor<1>>, lengths: &[usize]) -> impl Iterator<Item = Tensor<1>> + use<W> {
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

static POISONED: AtomicBool = AtomicBool::new(false);

/// For tests: fills what [`empty`] gives from now on with NaN, and whole numbers with their least, so that a value which a kernel leaves
/// unwritten is seen. It counts for the whole process.
pub fn poison_outputs() {
    POISONED.store(true, Ordering::Relaxed);
}

/// A new f32 tensor on the device of `like`; its values are whatever was there.
pub fn empty<const D: usize>(like: &CubeTensor, shape: [usize; D]) -> CubeTensor {
    empty_of(like, shape, DType::F32)
}

/// As [`empty`], of another type.
pub fn empty_of<const D: usize>(like: &CubeTensor, shape: [usize; D], dtype: DType) -> CubeTensor {
    let (client, device) = (like.client.clone(), like.device.clone());
    match dtype {
        DType::F32 if POISONED.load(Ordering::Relaxed) => full_client(client, shape.into(), device, f32::NAN),
        DType::I32 if POISONED.load(Ordering::Relaxed) => full_client(client, shape.into(), device, i32::MIN),
        _ => empty_device_contiguous_dtype(client, device, shape.into(), dtype),
    }
}

/// The inputs of [`Work::run`], each row-major.
///
/// # Panics
/// When they are not as many.
pub fn contiguous<const N: usize>(inputs: Vec<CubeTensor>) -> [CubeTensor; N] {
    let inputs: Vec<CubeTensor> = inputs.into_iter().map(into_contiguous).collect();
    inputs.try_into().unwrap_or_else(|inputs: Vec<CubeTensor>| unreachable!("{} inputs", inputs.len()))
}

/// The grid of a launch of so many units, or a few more, on the device of `like`.
pub fn grid(like: &CubeTensor, units: usize) -> (CubeCount, CubeDim) {
    let dim = CubeDim::new(&like.client, units);
    (calculate_cube_count_elemwise(&like.client, units, dim), dim)
}

/// The units of a cube that works on one row; a power of two.
pub const ROW_UNITS: usize = 128;

/// The grid of a launch in which one cube works on one of `rows`. There may be a few cubes more.
pub fn row_grid(like: &CubeTensor, rows: usize) -> (CubeCount, CubeDim) {
    let dim = CubeDim::new_1d(ROW_UNITS as u32);
    (calculate_cube_count_elemwise(&like.client, rows * ROW_UNITS, dim), dim)
}

/// The sum of what every unit of a cube brings, always in one order. `shared` has room for [`ROW_UNITS`] values.
#[cube]
pub fn cube_sum(shared: &mut Shared<[f32]>, own: f32) -> f32 {
    cube_reduce(shared, own, false)
}

/// The greatest of what every unit of a cube brings. `shared` has room for [`ROW_UNITS`] values.
#[cube]
fn cube_max(shared: &mut Shared<[f32]>, own: f32) -> f32 {
    cube_reduce(shared, own, true)
}

/// Mean and `1 / sqrt(variance + epsilon)` of the row of `length` values from `start` on, on which a cube works.
#[cube]
pub(crate) fn moments_of_row(x: &[f32], start: usize, length: usize, epsilon: f32, shared: &mut Shared<[f32]>) -> (f32, f32) {
    let mut own = 0.0f32;
    let mut at = UNIT_POS as usize;
    while at < length {
        own += x[start + at];
        at += ROW_UNITS;
    }
    let mean = cube_sum(shared, own) / f32::cast_from(length);
    let mut own = 0.0f32;
    let mut at = UNIT_POS as usize;
    while at < length {
        let far = x[start + at] - mean;
        own += far * far;
        at += ROW_UNITS;
    }
    (mean, 1.0f32 / (cube_sum(shared, own) / f32::cast_from(length) + epsilon).sqrt())
}

/// The greatest of the `length` values from `start` on, on which a cube works.
#[cube]
pub(crate) fn greatest_of_row(x: &[f32], start: usize, length: usize, shared: &mut Shared<[f32]>) -> f32 {
    // A unit without a value brings the first one.
    let mut greatest = x[start];
    let mut at = UNIT_POS as usize;
    while at < length {
        greatest = greatest.max(x[start + at]);
        at += ROW_UNITS;
    }
    cube_max(shared, greatest)
}

#[cube]
fn cube_reduce(shared: &mut Shared<[f32]>, own: f32, #[comptime] greatest: bool) -> f32 {
    let unit = UNIT_POS as usize;
    shared[unit] = own;
    sync_cube();
    // A cube has `ROW_UNITS` units; a loop cannot change what is known when the kernel is compiled.
    let mut half = CUBE_DIM as usize / 2usize;
    while half > 0usize {
        if unit < half {
            let (a, b) = (shared[unit], shared[unit + half]);
            if comptime!(greatest) {
                shared[unit] = a.max(b);
            } else {
                shared[unit] = a + b;
            }
        }
        sync_cube();
        half /= 2usize;
    }
    let all = shared[0];
    // Nobody begins the next reduction before all have read this one.
    sync_cube();
    all
}
