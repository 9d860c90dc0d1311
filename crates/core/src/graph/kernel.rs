//! Copies into buffers that stay where they are, many in one launch.

use burn::tensor::Tensor;
use burn_cubecl::cubecl;
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::*;

use crate::custom::{Work, grid, queue};
use crate::multi_tensor::groups;

/// Of tensors and what they become, one behind the other; gives the former, whose buffers are written to whoever else holds them.
#[derive(Debug)]
struct WriteOver;

impl Work for WriteOver {
    const NAME: &'static str = "write_over";

    fn run(&self, inputs: Vec<CubeTensor>) -> Vec<CubeTensor> {
        let (client, at_once) = (inputs[0].client.clone(), groups(&inputs[0], 2, 0));
        let mut outputs = Vec::with_capacity(inputs.len() / 2);
        let mut inputs = inputs.into_iter();
        loop {
            let (mut targets, mut sources, mut units) = (SequenceArg::new(), SequenceArg::new(), 0);
            for _ in 0..at_once {
                let (Some(target), Some(source)) = (inputs.next(), inputs.next()) else { break };
                let (length, source) = (target.meta.shape().num_elements(), into_contiguous(source));
                assert!(target.is_contiguous(), "a buffer that stays where it is was made here");
                assert_eq!(length, source.meta.shape().num_elements(), "a buffer keeps its length");
                units += length;
                sources.push(source.into_buffer_arg());
                targets.push(target.clone().into_buffer_arg());
                outputs.push(target);
            }
            if units == 0 {
                return outputs;
            }
            let (count, dim) = grid(&outputs[0], units);
            write_over_kernel::launch(&client, count, dim, AddressType::U32, sources, targets);
        }
    }
}

/// Writes the values of `sources` into the buffers of `targets`, and gives tensors of those buffers.
pub(super) fn write_over(targets: Vec<Tensor<1>>, sources: Vec<Tensor<1>>) -> Vec<Tensor<1>> {
    assert_eq!(targets.len(), sources.len(), "a graph has the inputs that it was recorded with");
    if targets.is_empty() {
        return targets;
    }
    let lengths: Vec<usize> = targets.iter().map(|target| target.dims()[0]).collect();
    queue(WriteOver, targets.into_iter().zip(sources).flat_map(|(target, source)| [target, source]).collect(), &lengths).collect()
}

/// The same values in buffers of their own.
pub(super) fn copies(sources: Vec<Tensor<1>>) -> Vec<Tensor<1>> {
    write_over(sources.iter().map(|source| Tensor::empty(source.dims(), &source.device())).collect(), sources)
}

#[cube(launch, address_type = "dynamic")]
fn write_over_kernel(sources: &Sequence<Box<[f32]>>, targets: &mut Sequence<Box<[f32]>>) {
    let mut begin = 0usize;
    #[unroll]
    for tensor in 0..sources.len() {
        let end = begin + sources[tensor].len();
        if ABSOLUTE_POS >= begin && ABSOLUTE_POS < end {
            copy(sources.index(tensor), targets.index_mut(tensor), ABSOLUTE_POS - begin);
        }
        begin = end;
    }
}

#[cube]
fn copy(source: &[f32], target: &mut [f32], at: usize) {
    target[at] = source[at];
}
