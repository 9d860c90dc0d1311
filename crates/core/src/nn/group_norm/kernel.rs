//! The kernels of group normalisation: a cube works on one group of one image, or on one channel of it.

use burn::tensor::Tensor;
use burn_cubecl::cubecl;
use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::*;

use super::Sizes;
use crate::custom::{ROW_UNITS, Work, contiguous, cube_sum, empty, moments_of_row, queue, row_grid};
use crate::nn::device_op::DeviceOp;

/// See [`super::group_norm`]; the shapes have been checked.
pub(super) fn normed<const D: usize>(x: Tensor<D>, weight: Tensor<2>, bias: Tensor<2>, sizes: Sizes, silu: bool) -> Tensor<D> {
    let (shape, images) = (x.dims(), weight.dims()[0]);
    let (batch, channels) = (shape[0], sizes.channels);
    let (values, groups) = (shape.iter().product(), batch * sizes.groups);
    let law = Law { sizes, batch, own_weights: images > 1, silu };
    let op = DeviceOp::new([x.into(), weight.into(), bias.into()]);
    let [x, weight, bias] = op.values();
    let mut found = queue(Norm(law), vec![x.clone(), weight.clone(), bias.clone()], &[values, 2 * groups]);
    let mut next = || found.next().expect("it gives two tensors");
    let (out, moments) = (next(), next());
    op.finish(out, shape, move |gradient, wanted| {
        let kept = vec![gradient, x.clone(), moments.clone(), weight.clone(), bias.clone()];
        let of_x = wanted[0].then(|| queue(Gradient(law), kept.clone(), &[values]).next()).flatten();
        if !wanted[1] && !wanted[2] {
            return [of_x, None, None];
        }
        // Sums of each image, which are one another's where all images have the same weights.
        let mut sums = queue(WeightGradient(law), kept, &[batch * channels; 2])
            .map(|sums| if images > 1 || batch == 1 { sums } else { sums.reshape([batch, channels]).sum_dim(0).reshape([channels]) });
        [of_x, sums.next(), sums.next()]
    })
}

/// What all three kernels are told.
#[derive(Debug, Clone, Copy)]
struct Law {
    sizes: Sizes,
    batch: usize,
    /// Whether every image has weights of its own.
    own_weights: bool,
    silu: bool,
}

impl Law {
    /// The channels of a group.
    fn members(&self) -> usize {
        self.sizes.channels / self.sizes.groups
    }
}

/// Of values, weights and biases; gives the normalised values, and mean and inverse deviation of every group.
#[derive(Debug)]
struct Norm(Law);

impl Work for Norm {
    const NAME: &'static str = "group_norm";

    fn run(&self, inputs: Vec<CubeTensor>) -> Vec<CubeTensor> {
        let (law, Sizes { channels, groups, pixels, epsilon }) = (self.0, self.0.sizes);
        let [x, weight, bias] = contiguous(inputs);
        let (client, rows) = (x.client.clone(), law.batch * groups);
        let (out, moments) = (empty(&x, [law.batch * channels * pixels]), empty(&x, [2 * rows]));
        let (count, dim) = row_grid(&x, rows);
        norm_kernel::launch(
            &client,
            count,
            dim,
            x.required_address_type(),
            x.into_buffer_arg(),
            weight.into_buffer_arg(),
            bias.into_buffer_arg(),
            out.clone().into_buffer_arg(),
            moments.clone().into_buffer_arg(),
            rows as u32,
            groups as u32,
            law.members() as u32,
            pixels as u32,
            epsilon,
            law.own_weights,
            law.silu,
        );
        vec![out, moments]
    }
}

#[cube(launch, address_type = "dynamic")]
fn norm_kernel(
    x: &[f32],
    weight: &[f32],
    bias: &[f32],
    out: &mut [f32],
    moments: &mut [f32],
    rows: u32,
    groups: u32,
    members: u32,
    pixels: u32,
    epsilon: f32,
    #[comptime] own_weights: bool,
    #[comptime] silu: bool,
) {
    let row = CUBE_POS as usize;
    if row >= rows as usize {
        terminate!();
    }
    let length = (members * pixels) as usize;
    let start = row * length;
    let channel = first_channel(row, groups, members, own_weights);
    let mut shared = Shared::<[f32]>::new_slice(ROW_UNITS);
    let (mean, inverse) = moments_of_row(x, start, length, epsilon, &mut shared);
    let mut at = UNIT_POS as usize;
    while at < length {
        let of = channel + at / pixels as usize;
        let value = (x[start + at] - mean) * inverse * weight[of] + bias[of];
        if comptime!(silu) {
            out[start + at] = value / (1.0f32 + (-value).exp());
        } else {
            out[start + at] = value;
        }
        at += ROW_UNITS;
    }
    if UNIT_POS == 0u32 {
        moments[2usize * row] = mean;
        moments[2usize * row + 1usize] = inverse;
    }
}

/// Where the weights of the first channel of a group lie.
#[cube]
fn first_channel(row: usize, groups: u32, members: u32, #[comptime] own_weights: bool) -> usize {
    let group = if comptime!(own_weights) { row } else { row % groups as usize };
    group * members as usize
}

/// The gradient of what a value became, through the SiLU if there is one.
#[cube]
fn through_silu(gradient: f32, normed: f32, weight: f32, bias: f32, #[comptime] silu: bool) -> f32 {
    if comptime!(silu) {
        let value = normed * weight + bias;
        let gate = 1.0f32 / (1.0f32 + (-value).exp());
        gradient * gate * (1.0f32 + value * (1.0f32 - gate))
    } else {
        gradient
    }
}

/// Of the output's gradient, values, moments, weights and biases; gives the values' gradient.
#[derive(Debug)]
struct Gradient(Law);

impl Work for Gradient {
    const NAME: &'static str = "group_norm_gradient";

    fn run(&self, inputs: Vec<CubeTensor>) -> Vec<CubeTensor> {
        let (law, Sizes { channels, groups, pixels, .. }) = (self.0, self.0.sizes);
        let [gradient, x, moments, weight, bias] = contiguous(inputs);
        let (client, rows, out) = (x.client.clone(), law.batch * groups, empty(&x, [law.batch * channels * pixels]));
        let (count, dim) = row_grid(&x, rows);
        gradient_kernel::launch(
            &client,
            count,
            dim,
            x.required_address_type(),
            gradient.into_buffer_arg(),
            x.into_buffer_arg(),
            moments.into_buffer_arg(),
            weight.into_buffer_arg(),
            bias.into_buffer_arg(),
            out.clone().into_buffer_arg(),
            rows as u32,
            groups as u32,
            law.members() as u32,
            pixels as u32,
            law.own_weights,
            law.silu,
        );
        vec![out]
    }
}

#[cube(launch, address_type = "dynamic")]
fn gradient_kernel(
    gradient: &[f32],
    x: &[f32],
    moments: &[f32],
    weight: &[f32],
    bias: &[f32],
    out: &mut [f32],
    rows: u32,
    groups: u32,
    members: u32,
    pixels: u32,
    #[comptime] own_weights: bool,
    #[comptime] silu: bool,
) {
    let row = CUBE_POS as usize;
    if row >= rows as usize {
        terminate!();
    }
    let length = (members * pixels) as usize;
    let start = row * length;
    let channel = first_channel(row, groups, members, own_weights);
    let (mean, inverse) = (moments[2usize * row], moments[2usize * row + 1usize]);
    let mut shared = Shared::<[f32]>::new_slice(ROW_UNITS);
    let mut plain = 0.0f32;
    let mut along = 0.0f32;
    let mut at = UNIT_POS as usize;
    while at < length {
        let of = channel + at / pixels as usize;
        let normed = (x[start + at] - mean) * inverse;
        let g = through_silu(gradient[start + at], normed, weight[of], bias[of], silu) * weight[of];
        plain += g;
        along += g * normed;
        at += ROW_UNITS;
    }
    let plain = cube_sum(&mut shared, plain) / f32::cast_from(length);
    let along = cube_sum(&mut shared, along) / f32::cast_from(length);
    let mut at = UNIT_POS as usize;
    while at < length {
        let of = channel + at / pixels as usize;
        let normed = (x[start + at] - mean) * inverse;
        let g = through_silu(gradient[start + at], normed, weight[of], bias[of], silu) * weight[of];
        out[start + at] = (g - plain - normed * along) * inverse;
        at += ROW_UNITS;
    }
}

/// Of the output's gradient, values, moments, weights and biases; gives the gradients of the weights and biases of each image's channels.
#[derive(Debug)]
struct WeightGradient(Law);

impl Work for WeightGradient {
    const NAME: &'static str = "group_norm_weight_gradient";

    fn run(&self, inputs: Vec<CubeTensor>) -> Vec<CubeTensor> {
        let (law, Sizes { channels, pixels, .. }) = (self.0, self.0.sizes);
        let [gradient, x, moments, weight, bias] = contiguous(inputs);
        let (client, rows) = (x.client.clone(), law.batch * channels);
        let [of_weight, of_bias] = [(); 2].map(|()| empty(&x, [rows]));
        let (count, dim) = row_grid(&x, rows);
        weight_gradient_kernel::launch(
            &client,
            count,
            dim,
            x.required_address_type(),
            gradient.into_buffer_arg(),
            x.into_buffer_arg(),
            moments.into_buffer_arg(),
            weight.into_buffer_arg(),
            bias.into_buffer_arg(),
            of_weight.clone().into_buffer_arg(),
            of_bias.clone().into_buffer_arg(),
            rows as u32,
            channels as u32,
            law.members() as u32,
            pixels as u32,
            law.own_weights,
            law.silu,
        );
        vec![of_weight, of_bias]
    }
}

#[cube(launch, address_type = "dynamic")]
fn weight_gradient_kernel(
    gradient: &[f32],
    x: &[f32],
    moments: &[f32],
    weight: &[f32],
    bias: &[f32],
    of_weight: &mut [f32],
    of_bias: &mut [f32],
    rows: u32,
    channels: u32,
    members: u32,
    pixels: u32,
    #[comptime] own_weights: bool,
    #[comptime] silu: bool,
) {
    let row = CUBE_POS as usize;
    if row >= rows as usize {
        terminate!();
    }
    let start = row * pixels as usize;
    let group = row / members as usize;
    let of = if comptime!(own_weights) { row } else { row % channels as usize };
    let (mean, inverse) = (moments[2usize * group], moments[2usize * group + 1usize]);
    let mut shared = Shared::<[f32]>::new_slice(ROW_UNITS);
    let mut plain = 0.0f32;
    let mut along = 0.0f32;
    let mut at = UNIT_POS as usize;
    while at < pixels as usize {
        let normed = (x[start + at] - mean) * inverse;
        let g = through_silu(gradient[start + at], normed, weight[of], bias[of], silu);
        plain += g;
        along += g * normed;
        at += ROW_UNITS;
    }
    let plain = cube_sum(&mut shared, plain);
    let along = cube_sum(&mut shared, along);
    if UNIT_POS == 0u32 {
        of_bias[row] = plain;
        of_weight[row] = along;
    }
}
