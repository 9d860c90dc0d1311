//! The kernels of adaptive normalisation and gated residuals.

use burn::tensor::Tensor;
use burn_cubecl::cubecl;
use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::*;

use super::Sizes;
use crate::custom::{ROW_UNITS, Work, contiguous, cube_sum, empty, grid, moments_of_row, queue, row_grid};
use crate::nn::device_op::DeviceOp;

pub(super) fn modulated_norm(x: Tensor<3>, modulation: Tensor<2>, part: usize, epsilon: f32, sizes: Sizes) -> Tensor<3> {
    let Sizes { batch, tokens, width, row } = sizes;
    let (values, rows) = (batch * tokens * width, batch * tokens);
    let op = DeviceOp::new([x.into(), modulation.into()]);
    let [x, modulation] = op.values();
    let mut found = queue(Norm { sizes, part, epsilon }, vec![x.clone(), modulation.clone()], &[values, 2 * rows]);
    let mut next = || found.next().expect("it gives two tensors");
    let (out, moments) = (next(), next());
    op.finish(out, [batch, tokens, width], move |gradient, wanted| {
        let kept = [gradient, x.clone(), moments.clone(), modulation.clone()];
        let of_x = wanted[0].then(|| queue(NormGradient { sizes, part }, kept.to_vec(), &[values]).next()).flatten();
        let sums = ColumnSums { sizes, first: part, law: Law::ShiftAndScale };
        let of_modulation = wanted[1].then(|| queue(sums, kept[..3].to_vec(), &[batch * row]).next()).flatten();
        [of_x, of_modulation]
    })
}

pub(super) fn gated_residual(x: Tensor<3>, modulation: Tensor<2>, part: usize, branch: Tensor<3>, sizes: Sizes) -> Tensor<3> {
    let Sizes { batch, tokens, width, row } = sizes;
    let values = batch * tokens * width;
    let op = DeviceOp::new([x.into(), modulation.into(), branch.into()]);
    let [x, modulation, branch] = op.values();
    let gate = Gate { sizes, part };
    let out = queue(gate, vec![branch.clone(), modulation.clone(), x], &[values]).next().expect("it gives one tensor");
    op.finish(out, [batch, tokens, width], move |gradient, wanted| {
        let sums = ColumnSums { sizes, first: part, law: Law::Gate };
        let of_modulation = wanted[1].then(|| queue(sums, vec![gradient.clone(), branch.clone()], &[batch * row]).next()).flatten();
        let of_branch = wanted[2].then(|| queue(gate, vec![gradient.clone(), modulation.clone()], &[values]).next()).flatten();
        [wanted[0].then_some(gradient), of_modulation, of_branch]
    })
}

/// Of values and modulation; gives the normalised and modulated values, and mean and inverse deviation of every row.
#[derive(Debug)]
struct Norm {
    sizes: Sizes,
    part: usize,
    epsilon: f32,
}

impl Work for Norm {
    const NAME: &'static str = "modulated_norm";

    fn run(&self, inputs: Vec<CubeTensor>) -> Vec<CubeTensor> {
        let Sizes { batch, tokens, width, row } = self.sizes;
        let [x, modulation] = contiguous(inputs);
        let (client, rows) = (x.client.clone(), batch * tokens);
        let (out, moments) = (empty(&x, [rows * width]), empty(&x, [2 * rows]));
        let (count, dim) = row_grid(&x, rows);
        norm_kernel::launch(
            &client,
            count,
            dim,
            x.required_address_type(),
            x.into_buffer_arg(),
            modulation.into_buffer_arg(),
            out.clone().into_buffer_arg(),
            moments.clone().into_buffer_arg(),
            rows as u32,
            tokens as u32,
            width as u32,
            row as u32,
            (self.part * width) as u32,
            self.epsilon,
        );
        vec![out, moments]
    }
}

/// One cube works on one row.
#[cube(launch, address_type = "dynamic")]
fn norm_kernel(
    x: &[f32],
    modulation: &[f32],
    out: &mut [f32],
    moments: &mut [f32],
    rows: u32,
    tokens: u32,
    width: u32,
    row_width: u32,
    first: u32,
    epsilon: f32,
) {
    let row = CUBE_POS as usize;
    if row >= rows as usize {
        terminate!();
    }
    let (start, width) = (row * width as usize, width as usize);
    let shift = row / tokens as usize * row_width as usize + first as usize;
    let mut sums = Shared::<[f32]>::new_slice(ROW_UNITS);
    let (mean, inverse) = moments_of_row(x, start, width, epsilon, &mut sums);
    let mut at = UNIT_POS as usize;
    while at < width {
        out[start + at] = (x[start + at] - mean) * inverse * (1.0f32 + modulation[shift + width + at]) + modulation[shift + at];
        at += ROW_UNITS;
    }
    if UNIT_POS == 0u32 {
        moments[2usize * row] = mean;
        moments[2usize * row + 1usize] = inverse;
    }
}

/// Of the output's gradient, values, moments and modulation; gives the values' gradient.
#[derive(Debug)]
struct NormGradient {
    sizes: Sizes,
    part: usize,
}

impl Work for NormGradient {
    const NAME: &'static str = "modulated_norm_gradient";

    fn run(&self, inputs: Vec<CubeTensor>) -> Vec<CubeTensor> {
        let Sizes { batch, tokens, width, row } = self.sizes;
        let [gradient, x, moments, modulation] = contiguous(inputs);
        let (client, rows, out) = (x.client.clone(), batch * tokens, empty(&x, [batch * tokens * width]));
        let (count, dim) = row_grid(&x, rows);
        norm_gradient_kernel::launch(
            &client,
            count,
            dim,
            x.required_address_type(),
            gradient.into_buffer_arg(),
            x.into_buffer_arg(),
            moments.into_buffer_arg(),
            modulation.into_buffer_arg(),
            out.clone().into_buffer_arg(),
            rows as u32,
            tokens as u32,
            width as u32,
            row as u32,
            ((self.part + 1) * width) as u32,
        );
        vec![out]
    }
}

/// One cube works on one row.
#[cube(launch, address_type = "dynamic")]
fn norm_gradient_kernel(
    gradient: &[f32],
    x: &[f32],
    moments: &[f32],
    modulation: &[f32],
    out: &mut [f32],
    rows: u32,
    tokens: u32,
    width: u32,
    row_width: u32,
    first: u32,
) {
    let row = CUBE_POS as usize;
    if row >= rows as usize {
        terminate!();
    }
    let (start, width) = (row * width as usize, width as usize);
    let scale = row / tokens as usize * row_width as usize + first as usize;
    let (mean, inverse) = (moments[2usize * row], moments[2usize * row + 1usize]);
    let mut sums = Shared::<[f32]>::new_slice(ROW_UNITS);
    let mut plain = 0.0f32;
    let mut along = 0.0f32;
    let mut at = UNIT_POS as usize;
    while at < width {
        let g = gradient[start + at] * (1.0f32 + modulation[scale + at]);
        plain += g;
        along += g * (x[start + at] - mean) * inverse;
        at += ROW_UNITS;
    }
    let plain = cube_sum(&mut sums, plain) / f32::cast_from(width);
    let along = cube_sum(&mut sums, along) / f32::cast_from(width);
    let mut at = UNIT_POS as usize;
    while at < width {
        let g = gradient[start + at] * (1.0f32 + modulation[scale + at]);
        out[start + at] = (g - plain - (x[start + at] - mean) * inverse * along) * inverse;
        at += ROW_UNITS;
    }
}

/// Of branch or gradient, modulation and maybe what the product is added to; gives `gate` times the first, plus the last.
#[derive(Debug, Clone, Copy)]
struct Gate {
    sizes: Sizes,
    part: usize,
}

impl Work for Gate {
    const NAME: &'static str = "gate";

    fn run(&self, mut inputs: Vec<CubeTensor>) -> Vec<CubeTensor> {
        let Sizes { batch, tokens, width, row } = self.sizes;
        // What is added is read only where there is something; else the values stand in its place.
        let adds = inputs.len() == 3;
        if !adds {
            inputs.push(inputs[0].clone());
        }
        let [values, modulation, added] = contiguous(inputs);
        let (client, out) = (values.client.clone(), empty(&values, [batch * tokens * width]));
        let (count, dim) = grid(&out, batch * tokens * width);
        gate_kernel::launch(
            &client,
            count,
            dim,
            values.required_address_type(),
            values.into_buffer_arg(),
            modulation.into_buffer_arg(),
            added.into_buffer_arg(),
            out.clone().into_buffer_arg(),
            (tokens * width) as u32,
            width as u32,
            row as u32,
            (self.part * width) as u32,
            adds,
        );
        vec![out]
    }
}

#[cube(launch, address_type = "dynamic")]
fn gate_kernel(
    values: &[f32],
    modulation: &[f32],
    added: &[f32],
    out: &mut [f32],
    image: u32,
    width: u32,
    row_width: u32,
    first: u32,
    #[comptime] adds: bool,
) {
    if ABSOLUTE_POS >= out.len() {
        terminate!();
    }
    let place = ABSOLUTE_POS / image as usize * row_width as usize + first as usize + ABSOLUTE_POS % width as usize;
    let product = modulation[place] * values[ABSOLUTE_POS];
    if comptime!(adds) {
        out[ABSOLUTE_POS] = product + added[ABSOLUTE_POS];
    } else {
        out[ABSOLUTE_POS] = product;
    }
}

/// What is summed over the tokens of an image for the gradient of its modulation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Law {
    /// Of gradient, values and moments: the gradient, and next to it the gradient times the normalised values.
    ShiftAndScale,
    /// Of gradient and branch: their product.
    Gate,
}

/// Sums over tokens, with zeros in the other parts; gives the gradient of the modulation.
#[derive(Debug)]
struct ColumnSums {
    sizes: Sizes,
    first: usize,
    law: Law,
}

impl Work for ColumnSums {
    const NAME: &'static str = "modulation_gradient";

    fn run(&self, mut inputs: Vec<CubeTensor>) -> Vec<CubeTensor> {
        let Sizes { batch, tokens, width, row } = self.sizes;
        if self.law == Law::Gate {
            // The moments, which are not read.
            inputs.push(inputs[0].clone());
        }
        let [gradient, x, moments] = contiguous(inputs);
        let (client, out) = (gradient.client.clone(), empty(&gradient, [batch * row]));
        let (count, dim) = grid(&out, batch * row);
        column_sums_kernel::launch(
            &client,
            count,
            dim,
            gradient.required_address_type(),
            gradient.into_buffer_arg(),
            x.into_buffer_arg(),
            moments.into_buffer_arg(),
            out.clone().into_buffer_arg(),
            tokens as u32,
            width as u32,
            row as u32,
            (self.first * width) as u32,
            self.law,
        );
        vec![out]
    }
}

/// One unit sums one column of one image; neighbours read neighbours.
#[cube(launch, address_type = "dynamic")]
fn column_sums_kernel(
    gradient: &[f32],
    x: &[f32],
    moments: &[f32],
    out: &mut [f32],
    tokens: u32,
    width: u32,
    row_width: u32,
    first: u32,
    #[comptime] law: Law,
) {
    if ABSOLUTE_POS >= out.len() {
        terminate!();
    }
    let (image, place) = (ABSOLUTE_POS / row_width as usize, ABSOLUTE_POS % row_width as usize);
    let (first, width) = (first as usize, width as usize);
    let parts = comptime!(if law == Law::ShiftAndScale { 2usize } else { 1usize });
    let mut sum = 0.0f32;
    if place >= first && place < first + parts * width {
        let column = (place - first) % width;
        let is_scale = place >= first + width;
        let mut row = image * tokens as usize;
        let end = row + tokens as usize;
        while row < end {
            let at = row * width + column;
            if comptime!(law == Law::Gate) {
                sum += gradient[at] * x[at];
            } else {
                let normed = (x[at] - moments[2usize * row]) * moments[2usize * row + 1usize];
                sum += gradient[at] * select(is_scale, normed, 1.0f32);
            }
            row += 1usize;
        }
    }
    out[ABSOLUTE_POS] = sum;
}
