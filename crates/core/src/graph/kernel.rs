//! Copies into buffers that stay where they are.

use burn::tensor::Tensor;
use burn_cubecl::cubecl;
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::*;

use crate::custom::{Work, grid, queue};

/// Of a tensor and what it becomes; gives the first, whose buffer is written to whoever else holds it.
#[derive(Debug)]
struct WriteOver;

impl Work for WriteOver {
    const NAME: &'static str = "write_over";

    fn run(&self, mut inputs: Vec<CubeTensor>) -> Vec<CubeTensor> {
        let (source, target) = (into_contiguous(inputs.remove(1)), inputs.remove(0));
        let (client, units) = (target.client.clone(), target.meta.shape().num_elements());
        assert!(target.is_contiguous(), "a buffer that stays where it is was made here");
        assert_eq!(units, source.meta.shape().num_elements(), "a buffer keeps its length");
        let (count, dim) = grid(&target, units);
        let address = target.required_address_type();
        write_over_kernel::launch(&client, count, dim, address, source.into_buffer_arg(), target.clone().into_buffer_arg(), units as u32);
        vec![target]
    }
}

/// Writes `source` into the buffer of `target`, and gives a tensor of that buffer.
pub(super) fn write_over(target: Tensor<1>, source: Tensor<1>) -> Tensor<1> {
    let length = target.dims();
    queue(WriteOver, vec![target, source], &length).next().expect("it gives one tensor")
}

/// The same values in a buffer of their own.
pub(super) fn copy(source: Tensor<1>) -> Tensor<1> {
    write_over(Tensor::empty(source.dims(), &source.device()), source)
}

#[cube(launch, address_type = "dynamic")]
fn write_over_kernel(source: &[f32], target: &mut [f32], units: u32) {
    if ABSOLUTE_POS >= units as usize {
        terminate!();
    }
    target[ABSOLUTE_POS] = source[ABSOLUTE_POS];
}
