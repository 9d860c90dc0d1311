//! The kernels. Each unit works on one value, addressed as if the tensors stood one after the other; which of them it lies in is found by
//! comparisons that are unrolled, as their number is known when the kernel is compiled.

use burn::tensor::Tensor;
use burn_cubecl::cubecl;
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::*;

use super::{AdamState, AdamUpdated};
use crate::custom::{Work, empty, grid, queue};
use crate::optim::Update;

/// How many buffers one launch binds where the device would allow more: as many as software Vulkan, on which the kernels are tested. With 129 a
/// step of Adam left values unchanged on CUDA.
const MOST_BINDINGS: usize = 31;
/// Partial sums of a sum of squares, a unit for each: about as many as a large GPU runs at once, since this is bound by memory.
const PARTS: usize = 1 << 17;

/// Of gradient, weight, first and second moment for each parameter, then the clip factor, if any; gives the last three of each.
#[derive(Debug)]
struct AdamStep {
    update: Update,
    clipped: bool,
}

impl Work for AdamStep {
    const NAME: &'static str = "adam";

    fn run(&self, mut inputs: Vec<CubeTensor>) -> Vec<CubeTensor> {
        let Self { update, clipped } = *self;
        let clip = inputs.split_off(inputs.len() - usize::from(clipped));
        let (any, at_once) = (inputs[0].clone(), groups(&inputs[0], 4, clip.len()));
        let mut outputs = Vec::with_capacity(inputs.len() / 4 * 3);
        let mut inputs = inputs.into_iter();
        loop {
            let (mut gradients, mut moved) = (SequenceArg::new(), [SequenceArg::new(), SequenceArg::new(), SequenceArg::new()]);
            let mut units = 0;
            for _ in 0..at_once {
                let Some(gradient) = inputs.next() else { break };
                units += gradient.meta.shape().num_elements();
                gradients.push(into_contiguous(gradient).into_buffer_arg());
                for (moved, tensor) in moved.iter_mut().zip(inputs.by_ref()) {
                    let tensor = writable(tensor);
                    moved.push(tensor.clone().into_buffer_arg());
                    outputs.push(tensor);
                }
            }
            if units == 0 {
                return outputs;
            }
            let ([weights, firsts, seconds], (count, dim)) = (moved, grid(&any, units));
            adam_kernel::launch(
                &any.client,
                count,
                dim,
                AddressType::U32,
                gradients,
                weights,
                firsts,
                seconds,
                sequence(&clip),
                update.rate(),
                1.0 - update.beta_1,
                1.0 - update.beta_2,
                update.root(),
                update.epsilon,
                update.weight_decay,
                clipped,
            );
        }
    }
}

/// Of average and weight for each parameter; gives the averages.
#[derive(Debug)]
struct Averaging {
    keep: f32,
}

impl Work for Averaging {
    const NAME: &'static str = "average";

    fn run(&self, inputs: Vec<CubeTensor>) -> Vec<CubeTensor> {
        let (client, at_once) = (inputs[0].client.clone(), groups(&inputs[0], 2, 0));
        let mut outputs = Vec::with_capacity(inputs.len() / 2);
        let mut inputs = inputs.into_iter();
        loop {
            let (mut averages, mut weights, mut units) = (SequenceArg::new(), SequenceArg::new(), 0);
            for _ in 0..at_once {
                let (Some(average), Some(weight)) = (inputs.next(), inputs.next()) else { break };
                units += weight.meta.shape().num_elements();
                let average = writable(average);
                averages.push(average.clone().into_buffer_arg());
                weights.push(into_contiguous(weight).into_buffer_arg());
                outputs.push(average);
            }
            if units == 0 {
                return outputs;
            }
            let (count, dim) = grid(&outputs[0], units);
            averages_kernel::launch(&client, count, dim, AddressType::U32, averages, weights, self.keep);
        }
    }
}

/// Of any tensors; gives partial sums.
#[derive(Debug)]
struct Squares;

impl Work for Squares {
    const NAME: &'static str = "squares";

    fn run(&self, inputs: Vec<CubeTensor>) -> Vec<CubeTensor> {
        let (client, at_once) = (inputs[0].client.clone(), groups(&inputs[0], 1, 1));
        let out = empty(&inputs[0], [PARTS]);
        for (number, group) in inputs.chunks(at_once).enumerate() {
            let tensors = sequence(group);
            let (count, dim) = grid(&out, PARTS);
            squares_kernel::launch(
                &client,
                count,
                dim,
                AddressType::U32,
                tensors,
                out.clone().into_buffer_arg(),
                PARTS as u32,
                number == 0,
            );
        }
        vec![out]
    }
}

pub(super) fn adam(all: Vec<AdamState>, update: Update, clip: Option<Tensor<1>>) -> Vec<AdamUpdated> {
    let lengths: Vec<usize> = all.iter().flat_map(|moving| [moving.weight.dims()[0]; 3]).collect();
    let mut inputs: Vec<Tensor<1>> =
        all.into_iter().flat_map(|moving| [moving.gradient, moving.weight, moving.first, moving.second]).collect();
    let clipped = clip.is_some();
    inputs.extend(clip);
    let mut outputs = queue(AdamStep { update, clipped }, inputs, &lengths);
    std::iter::from_fn(|| Some((outputs.next()?, outputs.next()?, outputs.next()?))).collect()
}

pub(super) fn averages(averages: Vec<Tensor<1>>, weights: Vec<Tensor<1>>, keep: f32) -> Vec<Tensor<1>> {
    let lengths: Vec<usize> = weights.iter().map(|weight| weight.dims()[0]).collect();
    let pairs = averages.into_iter().zip(weights).flat_map(|(average, weight)| [average, weight]);
    queue(Averaging { keep }, pairs.collect(), &lengths).collect()
}

pub(super) fn sum_of_squares(tensors: Vec<Tensor<1>>) -> Tensor<1> {
    queue(Squares, tensors, &[PARTS]).next().expect("it gives one tensor").sum()
}

/// How many groups of `each` tensors a launch may cover in addition to `others`.
fn groups(of: &CubeTensor, each: usize, others: usize) -> usize {
    // One buffer is the kernel's own, for scalars and lengths.
    let bindings = MOST_BINDINGS.min(of.client.properties().hardware.max_bindings as usize);
    (bindings.saturating_sub(others + 1) / each).max(1)
}

/// Buffers that a kernel reads.
fn sequence(tensors: &[CubeTensor]) -> SequenceArg<Box<[f32]>> {
    tensors.iter().map(|tensor| into_contiguous(tensor.clone()).into_buffer_arg()).collect()
}

/// A buffer that a kernel may write over.
fn writable(tensor: CubeTensor) -> CubeTensor {
    let tensor = into_contiguous(tensor);
    if tensor.can_mut() { tensor } else { tensor.copy() }
}

#[cube(launch, address_type = "dynamic")]
fn adam_kernel(
    gradients: &Sequence<Box<[f32]>>,
    weights: &mut Sequence<Box<[f32]>>,
    firsts: &mut Sequence<Box<[f32]>>,
    seconds: &mut Sequence<Box<[f32]>>,
    clip: &Sequence<Box<[f32]>>,
    rate: f32,
    toward_1: f32,
    toward_2: f32,
    root: f32,
    epsilon: f32,
    weight_decay: f32,
    #[comptime] clipped: bool,
) {
    let mut begin = 0usize;
    #[unroll]
    for tensor in 0..gradients.len() {
        let end = begin + gradients[tensor].len();
        if ABSOLUTE_POS >= begin && ABSOLUTE_POS < end {
            let at = ABSOLUTE_POS - begin;
            let mut g = gradients[tensor][at];
            if comptime!(clipped) {
                g *= clip[0usize][0];
            }
            let w = weights[tensor][at];
            g += weight_decay * w;
            let m = firsts[tensor][at] + (g - firsts[tensor][at]) * toward_1;
            let v = seconds[tensor][at] + (g * g - seconds[tensor][at]) * toward_2;
            write(firsts.index_mut(tensor), at, m);
            write(seconds.index_mut(tensor), at, v);
            write(weights.index_mut(tensor), at, w - rate * m / (v.sqrt() * root + epsilon));
        }
        begin = end;
    }
}

#[cube]
fn write(values: &mut [f32], at: usize, value: f32) {
    values[at] = value;
}

#[cube(launch, address_type = "dynamic")]
fn averages_kernel(averages: &mut Sequence<Box<[f32]>>, weights: &Sequence<Box<[f32]>>, keep: f32) {
    let mut begin = 0usize;
    #[unroll]
    for tensor in 0..weights.len() {
        let end = begin + weights[tensor].len();
        if ABSOLUTE_POS >= begin && ABSOLUTE_POS < end {
            let at = ABSOLUTE_POS - begin;
            let weight = weights[tensor][at];
            let moved = weight + keep * (averages[tensor][at] - weight);
            write(averages.index_mut(tensor), at, moved);
        }
        begin = end;
    }
}

/// Every unit adds what lies `parts` apart, in one order, so that the sum is the same in every run.
#[cube(launch, address_type = "dynamic")]
fn squares_kernel(tensors: &Sequence<Box<[f32]>>, out: &mut [f32], parts: u32, #[comptime] is_first: bool) {
    if ABSOLUTE_POS >= parts as usize {
        terminate!();
    }
    let mut sum = 0.0f32;
    #[unroll]
    for tensor in 0..tensors.len() {
        let mut at = ABSOLUTE_POS;
        while at < tensors[tensor].len() {
            sum += tensors[tensor][at] * tensors[tensor][at];
            at += parts as usize;
        }
    }
    if comptime!(is_first) {
        out[ABSOLUTE_POS] = sum;
    } else {
        out[ABSOLUTE_POS] += sum;
    }
}
