//! The kernel of [`SpanEntropy`](super::SpanEntropy): one cube works on one span of one row.

use burn::tensor::Tensor;
use burn_cubecl::cubecl;
use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::*;

use crate::custom::{ROW_UNITS, Work, contiguous, cube_sum, empty, greatest_of_row, queue, row_grid};

/// `tables` are places, marks and shares.
pub(super) fn cross_entropy(
    logits: Tensor<2>,
    tokens: Tensor<1>,
    weights: Tensor<1>,
    tables: [Tensor<1>; 3],
    spans: usize,
) -> (Tensor<1>, Tensor<2>) {
    let [rows, width] = logits.dims();
    let sizes = Sizes { rows, width, spans };
    let inputs = [logits.reshape([rows * width]), tokens, weights].into_iter().chain(tables).collect();
    let mut found = queue(sizes, inputs, &[rows * spans, rows * width]);
    let mut next = || found.next().expect("it gives two tensors");
    let losses = next().sum();
    (losses, next().reshape([rows, width]))
}

/// Of logits, tokens, weights, places, marks and shares; gives the loss of every span of every row, and the gradient.
#[derive(Debug)]
struct Sizes {
    rows: usize,
    width: usize,
    spans: usize,
}

impl Work for Sizes {
    const NAME: &'static str = "span_entropy";

    fn run(&self, inputs: Vec<CubeTensor>) -> Vec<CubeTensor> {
        let &Self { rows, width, spans } = self;
        let [logits, tokens, weights, places, marks, shares] = contiguous(inputs);
        let client = logits.client.clone();
        let (losses, gradient) = (empty(&logits, [rows * spans]), empty(&logits, [rows * width]));
        let (count, dim) = row_grid(&logits, rows * spans);
        span_entropy_kernel::launch(
            &client,
            count,
            dim,
            logits.required_address_type(),
            logits.into_buffer_arg(),
            tokens.into_buffer_arg(),
            weights.into_buffer_arg(),
            places.into_buffer_arg(),
            marks.into_buffer_arg(),
            shares.into_buffer_arg(),
            losses.clone().into_buffer_arg(),
            gradient.clone().into_buffer_arg(),
            (rows * spans) as u32,
            spans as u32,
            width as u32,
        );
        vec![losses, gradient]
    }
}

#[cube(launch, address_type = "dynamic")]
fn span_entropy_kernel(
    logits: &[f32],
    tokens: &[f32],
    weights: &[f32],
    places: &[f32],
    marks: &[f32],
    shares: &[f32],
    losses: &mut [f32],
    gradient: &mut [f32],
    count: u32,
    spans: u32,
    width: u32,
) {
    let number = CUBE_POS as usize;
    if number >= count as usize {
        terminate!();
    }
    let span = number % spans as usize;
    let begin = usize::cast_from(places[2usize * span]);
    let length = usize::cast_from(places[2usize * span + 1usize]);
    let start = number / spans as usize * width as usize + begin;
    let weight = weights[number];
    let mark = 3usize * (begin + usize::cast_from(tokens[number]));
    let first = usize::cast_from(marks[mark]);
    let near = usize::cast_from(marks[mark + 1usize]);
    let share = usize::cast_from(marks[mark + 2usize]);
    let mut shared = Shared::<[f32]>::new_slice(ROW_UNITS);
    let greatest = greatest_of_row(logits, start, length, &mut shared);
    let mut own = 0.0f32;
    let mut at = UNIT_POS as usize;
    while at < length {
        own += (logits[start + at] - greatest).exp();
        at += ROW_UNITS;
    }
    let sum = cube_sum(&mut shared, own);
    let logarithm = sum.ln();
    let mut loss = 0.0f32;
    let mut at = UNIT_POS as usize;
    while at < length {
        let far = logits[start + at] - greatest;
        let mut wanted = 0.0f32;
        if at >= first && at < first + near {
            wanted = shares[share + at - first];
        }
        loss += wanted * (logarithm - far);
        gradient[start + at] = weight * (far.exp() / sum - wanted);
        at += ROW_UNITS;
    }
    let loss = cube_sum(&mut shared, loss);
    if UNIT_POS == 0u32 {
        losses[number] = weight * loss;
    }
}
