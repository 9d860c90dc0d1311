//! The kernels of [`Normed`](super::Normed). One cube works on one column.

use burn::tensor::Tensor;
use burn_cubecl::cubecl;
use burn_cubecl::cubecl::prelude::*;
use burn_cubecl::tensor::CubeTensor;
use semblant_core::custom::{ROW_UNITS, Work, contiguous, cube_sum, empty, queue, row_grid};

use super::super::EPSILON;
use super::Normed;

fn flat(tensor: Tensor<2>) -> Tensor<1> {
    let [rows, width] = tensor.dims();
    tensor.reshape([rows * width])
}

pub(super) fn forward(
    product: Tensor<2>,
    gamma: Tensor<2>,
    beta: Tensor<2>,
    running: [Tensor<2>; 2],
    momentum: f32,
    input: Tensor<2>,
) -> Normed {
    let ([rows, outputs], [_, inputs]) = (product.dims(), input.dims());
    let [mean, variance] = running;
    let given = [product, gamma, beta, mean, variance, input].map(flat).to_vec();
    let lengths = [rows * (outputs + inputs), rows * outputs, outputs, outputs, outputs];
    let mut found = queue(Forward { rows, outputs, inputs, momentum }, given, &lengths);
    let mut next = |shape: [usize; 2]| found.next().expect("as many as lengths").reshape(shape);
    Normed {
        next: next([rows, outputs + inputs]),
        normalised: next([rows, outputs]),
        inverse: next([1, outputs]),
        running: [next([1, outputs]), next([1, outputs])],
    }
}

pub(super) fn backward(
    gradient: Tensor<2>,
    next: Tensor<2>,
    normalised: Tensor<2>,
    inverse: Tensor<2>,
    gamma: Tensor<2>,
) -> [Tensor<2>; 3] {
    let ([rows, outputs], gradient_width, next_width) = (normalised.dims(), gradient.dims()[1], next.dims()[1]);
    let given = [gradient, next, normalised, inverse, gamma].map(flat).to_vec();
    let work = Backward { rows, outputs, gradient_width, next_width };
    let mut found = queue(work, given, &[rows * outputs, outputs, outputs]);
    [[rows, outputs], [1, outputs], [1, outputs]].map(|shape| found.next().expect("as many as lengths").reshape(shape))
}

#[derive(Debug)]
struct Forward {
    rows: usize,
    outputs: usize,
    inputs: usize,
    momentum: f32,
}

impl Work for Forward {
    const NAME: &'static str = "batch_norm";

    fn run(&self, given: Vec<CubeTensor>) -> Vec<CubeTensor> {
        let &Self { rows, outputs, inputs, momentum } = self;
        let [product, gamma, beta, mean, variance, input] = contiguous(given);
        let next = empty(&product, [rows * (outputs + inputs)]);
        let normalised = empty(&product, [rows * outputs]);
        let [inverse, new_mean, new_variance] = [(); 3].map(|()| empty(&product, [outputs]));
        let client = product.client.clone();
        let (count, dim) = row_grid(&product, outputs);
        forward_kernel::launch(
            &client,
            count,
            dim,
            next.required_address_type(),
            product.into_buffer_arg(),
            gamma.into_buffer_arg(),
            beta.into_buffer_arg(),
            mean.into_buffer_arg(),
            variance.into_buffer_arg(),
            input.into_buffer_arg(),
            next.clone().into_buffer_arg(),
            normalised.clone().into_buffer_arg(),
            inverse.clone().into_buffer_arg(),
            new_mean.clone().into_buffer_arg(),
            new_variance.clone().into_buffer_arg(),
            rows as u32,
            outputs as u32,
            inputs as u32,
            EPSILON,
            momentum,
        );
        vec![next, normalised, inverse, new_mean, new_variance]
    }
}

#[cube(launch, address_type = "dynamic")]
fn forward_kernel(
    product: &[f32],
    gamma: &[f32],
    beta: &[f32],
    mean: &[f32],
    variance: &[f32],
    input: &[f32],
    next: &mut [f32],
    normalised: &mut [f32],
    inverse: &mut [f32],
    new_mean: &mut [f32],
    new_variance: &mut [f32],
    rows: u32,
    outputs: u32,
    inputs: u32,
    epsilon: f32,
    momentum: f32,
) {
    let column = CUBE_POS as usize;
    if column >= outputs as usize {
        terminate!();
    }
    let (rows, outputs, inputs) = (rows as usize, outputs as usize, inputs as usize);
    let width = outputs + inputs;
    let mut sums = Shared::<[f32]>::new_slice(ROW_UNITS);
    let mut own = 0.0f32;
    let mut row = UNIT_POS as usize;
    while row < rows {
        own += product[row * outputs + column];
        row += ROW_UNITS;
    }
    let centre = cube_sum(&mut sums, own) / f32::cast_from(rows);
    let mut own = 0.0f32;
    let mut row = UNIT_POS as usize;
    while row < rows {
        let far = product[row * outputs + column] - centre;
        own += far * far;
        row += ROW_UNITS;
    }
    let squares = cube_sum(&mut sums, own);
    let scale = 1.0f32 / (squares / f32::cast_from(rows) + epsilon).sqrt();
    let mut row = UNIT_POS as usize;
    while row < rows {
        let value = (product[row * outputs + column] - centre) * scale;
        normalised[row * outputs + column] = value;
        next[row * width + column] = (value * gamma[column] + beta[column]).max(0.0f32);
        // The cubes of the outputs share the columns of the input.
        let mut from = column;
        while from < inputs {
            next[row * width + outputs + from] = input[row * inputs + from];
            from += outputs;
        }
        row += ROW_UNITS;
    }
    if UNIT_POS == 0u32 {
        inverse[column] = scale;
        new_mean[column] = mean[column] + (centre - mean[column]) * momentum;
        let unbiased = squares / (f32::cast_from(rows) - 1.0f32).max(1.0f32);
        new_variance[column] = variance[column] + (unbiased - variance[column]) * momentum;
    }
}

#[derive(Debug)]
struct Backward {
    rows: usize,
    outputs: usize,
    gradient_width: usize,
    next_width: usize,
}

impl Work for Backward {
    const NAME: &'static str = "batch_norm_gradient";

    fn run(&self, given: Vec<CubeTensor>) -> Vec<CubeTensor> {
        let &Self { rows, outputs, gradient_width, next_width } = self;
        let [gradient, next, normalised, inverse, gamma] = contiguous(given);
        let out = empty(&gradient, [rows * outputs]);
        let [of_gamma, of_beta] = [(); 2].map(|()| empty(&gradient, [outputs]));
        let client = gradient.client.clone();
        let (count, dim) = row_grid(&gradient, outputs);
        backward_kernel::launch(
            &client,
            count,
            dim,
            gradient.required_address_type(),
            gradient.into_buffer_arg(),
            next.into_buffer_arg(),
            normalised.into_buffer_arg(),
            inverse.into_buffer_arg(),
            gamma.into_buffer_arg(),
            out.clone().into_buffer_arg(),
            of_gamma.clone().into_buffer_arg(),
            of_beta.clone().into_buffer_arg(),
            rows as u32,
            outputs as u32,
            gradient_width as u32,
            next_width as u32,
        );
        vec![out, of_gamma, of_beta]
    }
}

/// What passes through ReLU of a gradient.
#[cube]
fn passed(gradient: &[f32], next: &[f32], row: usize, column: usize, gradient_width: usize, next_width: usize) -> f32 {
    select(next[row * next_width + column] > 0.0f32, gradient[row * gradient_width + column], 0.0f32)
}

#[cube(launch, address_type = "dynamic")]
fn backward_kernel(
    gradient: &[f32],
    next: &[f32],
    normalised: &[f32],
    inverse: &[f32],
    gamma: &[f32],
    out: &mut [f32],
    of_gamma: &mut [f32],
    of_beta: &mut [f32],
    rows: u32,
    outputs: u32,
    gradient_width: u32,
    next_width: u32,
) {
    let column = CUBE_POS as usize;
    if column >= outputs as usize {
        terminate!();
    }
    let (rows, outputs) = (rows as usize, outputs as usize);
    let (gradient_width, next_width) = (gradient_width as usize, next_width as usize);
    let mut sums = Shared::<[f32]>::new_slice(ROW_UNITS);
    let mut plain = 0.0f32;
    let mut along = 0.0f32;
    let mut row = UNIT_POS as usize;
    while row < rows {
        let own = passed(gradient, next, row, column, gradient_width, next_width);
        plain += own;
        along += own * normalised[row * outputs + column];
        row += ROW_UNITS;
    }
    let plain = cube_sum(&mut sums, plain);
    let along = cube_sum(&mut sums, along);
    let mut row = UNIT_POS as usize;
    while row < rows {
        let own = passed(gradient, next, row, column, gradient_width, next_width);
        let mean = (plain + normalised[row * outputs + column] * along) / f32::cast_from(rows);
        out[row * outputs + column] = (own - mean) * gamma[column] * inverse[column];
        row += ROW_UNITS;
    }
    if UNIT_POS == 0u32 {
        of_gamma[column] = along;
        of_beta[column] = plain;
    }
}
