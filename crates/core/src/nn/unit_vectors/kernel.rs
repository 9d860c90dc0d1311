//! The kernel of [`unit_vectors`](super::unit_vectors()): one unit counts one place of one row.

use burn::backend::fusion::custom::TensorSpec;
use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::backend::{Backend, Dispatch, backend_extension};
use burn::tensor::{DType, Int, Tensor};
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::tensor::CubeTensor;
use burn_cubecl::{CubeBackend, cubecl, cubecl::prelude::*};

use crate::custom::{empty_of, grid};

pub(super) fn unit_vectors(places: Tensor<1, Int>, each: usize, width: usize) -> Tensor<2> {
    Tensor::from_dispatch(Dispatch::unit_vectors(places.into_dispatch(), each, width))
}

/// The operation, as burn's dispatch and fusion know it.
#[backend_extension(Cube, Fusion)]
pub(super) trait UnitVectors: Backend {
    #[fusion(meta = |places, each, width| TensorSpec::new([places.shape[0] / each, *width].into(), DType::F32))]
    fn unit_vectors(places: IntTensor<Self>, each: usize, width: usize) -> FloatTensor<Self>;
}

impl UnitVectors for CubeBackend {
    fn unit_vectors(places: CubeTensor, each: usize, width: usize) -> CubeTensor {
        let places = into_contiguous(places);
        let rows = places.meta.shape()[0] / each;
        let (client, out) = (places.client.clone(), empty_of(&places, [rows, width], DType::F32));
        let (count, dim) = grid(&out, rows * width);
        unit_vectors_kernel::launch(
            &client,
            count,
            dim,
            out.required_address_type(),
            places.into_buffer_arg(),
            out.clone().into_buffer_arg(),
            rows as u32,
            each as u32,
            width as u32,
        );
        out
    }
}

#[cube(launch, address_type = "dynamic")]
fn unit_vectors_kernel(places: &[i32], out: &mut [f32], rows: u32, each: u32, width: u32) {
    if ABSOLUTE_POS >= rows as usize * width as usize {
        terminate!();
    }
    let (row, place) = (ABSOLUTE_POS / width as usize, ABSOLUTE_POS % width as usize);
    let mut times = 0.0f32;
    let mut at = row * each as usize;
    let end = at + each as usize;
    while at < end {
        times += select(places[at] as usize == place, 1.0f32, 0.0f32);
        at += 1usize;
    }
    out[ABSOLUTE_POS] = times;
}
