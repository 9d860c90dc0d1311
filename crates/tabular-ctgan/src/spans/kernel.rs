//! The kernels of [`Spans`](super::Spans). In all but the last, one unit works on one span of one row.

use burn::backend::fusion::custom::TensorSpec;
use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::backend::{Backend, Dispatch, backend_extension};
use burn::tensor::{DType, Int, Tensor};
use burn_cubecl::cubecl;
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::tensor::CubeTensor;
use burn_cubecl::{CubeBackend, cubecl::prelude::*};
use semblant_core::custom::{empty, grid};

/// What happens to a span.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Law {
    /// See [`Spans::softmax`](super::Spans::softmax).
    Softmax,
    /// See [`Spans::gumbel_softmax`](super::Spans::gumbel_softmax).
    GumbelSoftmax,
    /// See [`Spans::gumbel_softmax_backward`](super::Spans::gumbel_softmax_backward); `sharpness` is the same.
    Backward,
}

pub(super) fn softmax(values: Tensor<2>, places: Tensor<2, Int>) -> Tensor<2> {
    on_spans(values.clone(), values, places, 1.0, Law::Softmax)
}

pub(super) fn gumbel_softmax(logits: Tensor<2>, noise: Tensor<2>, places: Tensor<2, Int>, sharpness: f32) -> Tensor<2> {
    on_spans(logits, noise, places, sharpness, Law::GumbelSoftmax)
}

pub(super) fn gumbel_softmax_backward(activated: Tensor<2>, gradient: Tensor<2>, places: Tensor<2, Int>, sharpness: f32) -> Tensor<2> {
    on_spans(activated, gradient, places, sharpness, Law::Backward)
}

fn on_spans(first: Tensor<2>, second: Tensor<2>, places: Tensor<2, Int>, sharpness: f32, law: Law) -> Tensor<2> {
    Tensor::from_dispatch(Dispatch::on_spans(first.into_dispatch(), second.into_dispatch(), places.into_dispatch(), sharpness, law))
}

pub(super) fn cross_entropy(
    logits: Tensor<2>,
    asked: Tensor<1, Int>,
    places: Tensor<2, Int>,
    span_of: Tensor<1, Int>,
) -> (Tensor<1>, Tensor<2>) {
    let (losses, gradient) =
        Dispatch::cross_entropy(logits.into_dispatch(), asked.into_dispatch(), places.into_dispatch(), span_of.into_dispatch());
    (Tensor::from_dispatch(losses), Tensor::from_dispatch(gradient))
}

pub(super) fn rows(outputs: Tensor<2, Int>, values: Tensor<2>, chosen: Tensor<1, Int>, span_of: Tensor<1, Int>) -> Tensor<2> {
    let rows = Dispatch::rows(outputs.into_dispatch(), values.into_dispatch(), chosen.into_dispatch(), span_of.into_dispatch());
    Tensor::from_dispatch(rows)
}

/// The operations, as burn's dispatch and fusion know them.
#[backend_extension(Cube, Fusion)]
pub(super) trait Ragged: Backend {
    #[fusion(meta = |first, _second, _places, _sharpness, _law| first.clone())]
    fn on_spans(
        first: FloatTensor<Self>,
        second: FloatTensor<Self>,
        places: IntTensor<Self>,
        sharpness: f32,
        law: Law,
    ) -> FloatTensor<Self>;

    #[fusion(meta = |logits, _asked, _places, _span_of| (TensorSpec::new([logits.shape[0]].into(), DType::F32), logits.clone()))]
    fn cross_entropy(
        logits: FloatTensor<Self>,
        asked: IntTensor<Self>,
        places: IntTensor<Self>,
        span_of: IntTensor<Self>,
    ) -> (FloatTensor<Self>, FloatTensor<Self>);

    #[fusion(meta = |_outputs, _values, chosen, span_of| TensorSpec::new([chosen.shape[0], span_of.shape[0]].into(), DType::F32))]
    fn rows(outputs: IntTensor<Self>, values: FloatTensor<Self>, chosen: IntTensor<Self>, span_of: IntTensor<Self>) -> FloatTensor<Self>;
}

impl Ragged for CubeBackend {
    fn on_spans(first: CubeTensor, second: CubeTensor, places: CubeTensor, sharpness: f32, law: Law) -> CubeTensor {
        let (first, second, places) = (into_contiguous(first), into_contiguous(second), into_contiguous(places));
        let ([rows, width], spans) = ([first.meta.shape()[0], first.meta.shape()[1]], places.meta.shape()[0]);
        let (client, out) = (first.client.clone(), empty(&first, [rows, width]));
        let (count, dim) = grid(&out, rows * spans);
        spans_kernel::launch(
            &client,
            count,
            dim,
            out.required_address_type(),
            first.into_buffer_arg(),
            second.into_buffer_arg(),
            places.into_buffer_arg(),
            out.clone().into_buffer_arg(),
            rows as u32,
            spans as u32,
            width as u32,
            sharpness,
            law,
        );
        out
    }

    fn cross_entropy(logits: CubeTensor, asked: CubeTensor, places: CubeTensor, span_of: CubeTensor) -> (CubeTensor, CubeTensor) {
        let (logits, asked, places, span_of) =
            (into_contiguous(logits), into_contiguous(asked), into_contiguous(places), into_contiguous(span_of));
        let ([rows, width], spans) = ([logits.meta.shape()[0], logits.meta.shape()[1]], places.meta.shape()[0]);
        let (client, losses, gradient) = (logits.client.clone(), empty(&logits, [rows]), empty(&logits, [rows, width]));
        let (count, dim) = grid(&losses, rows * spans);
        cross_entropy_kernel::launch(
            &client,
            count,
            dim,
            gradient.required_address_type(),
            logits.into_buffer_arg(),
            asked.into_buffer_arg(),
            places.into_buffer_arg(),
            span_of.into_buffer_arg(),
            losses.clone().into_buffer_arg(),
            gradient.clone().into_buffer_arg(),
            rows as u32,
            spans as u32,
            width as u32,
        );
        (losses, gradient)
    }

    fn rows(outputs: CubeTensor, values: CubeTensor, chosen: CubeTensor, span_of: CubeTensor) -> CubeTensor {
        let (outputs, values, chosen, span_of) =
            (into_contiguous(outputs), into_contiguous(values), into_contiguous(chosen), into_contiguous(span_of));
        let (spans, rows, width) = (values.meta.shape()[1], chosen.meta.shape()[0], span_of.meta.shape()[0]);
        let (client, out) = (values.client.clone(), empty(&values, [rows, width]));
        let (count, dim) = grid(&out, rows * width);
        rows_kernel::launch(
            &client,
            count,
            dim,
            values.required_address_type().max(out.required_address_type()),
            outputs.into_buffer_arg(),
            values.into_buffer_arg(),
            chosen.into_buffer_arg(),
            span_of.into_buffer_arg(),
            out.clone().into_buffer_arg(),
            rows as u32,
            spans as u32,
            width as u32,
        );
        out
    }
}

#[cube(launch, address_type = "dynamic")]
fn spans_kernel(
    first: &[f32],
    second: &[f32],
    places: &[i32],
    out: &mut [f32],
    rows: u32,
    spans: u32,
    width: u32,
    sharpness: f32,
    #[comptime] law: Law,
) {
    let row = ABSOLUTE_POS / spans as usize;
    if row >= rows as usize {
        terminate!();
    }
    let place = 3usize * (ABSOLUTE_POS % spans as usize);
    let start = row * width as usize + places[place] as usize;
    let end = start + places[place + 1usize] as usize;
    let is_block = places[place + 2usize] == 1i32;
    if comptime!(law == Law::Backward) {
        // `first` is what the span became, `second` the gradient with respect to it.
        if is_block {
            let mut mean = 0.0f32;
            for at in start..end {
                mean += first[at] * second[at];
            }
            for at in start..end {
                out[at] = first[at] * (second[at] - mean) * sharpness;
            }
        } else {
            out[start] = (1.0f32 - first[start] * first[start]) * second[start];
        }
    } else if is_block {
        for at in start..end {
            if comptime!(law == Law::GumbelSoftmax) {
                out[at] = (first[at] + second[at]) * sharpness;
            } else {
                out[at] = first[at];
            }
        }
        softmax_in_place(out, start, end);
    } else if comptime!(law == Law::GumbelSoftmax) {
        out[start] = first[start].tanh();
    } else {
        out[start] = 0.0f32;
    }
}

/// Softmax of a part, shifted by its greatest value so that nothing overflows.
#[cube]
fn softmax_in_place(values: &mut [f32], start: usize, end: usize) {
    let mut greatest = values[start];
    for at in start..end {
        greatest = greatest.max(values[at]);
    }
    let mut sum = 0.0f32;
    for at in start..end {
        let power = (values[at] - greatest).exp();
        values[at] = power;
        sum += power;
    }
    let scale = 1.0f32 / sum;
    for at in start..end {
        values[at] *= scale;
    }
}

#[allow(clippy::manual_memcpy, reason = "a kernel has no slices to copy")]
#[cube(launch, address_type = "dynamic")]
fn cross_entropy_kernel(
    logits: &[f32],
    asked: &[i32],
    places: &[i32],
    span_of: &[i32],
    losses: &mut [f32],
    gradient: &mut [f32],
    rows: u32,
    spans: u32,
    width: u32,
) {
    let row = ABSOLUTE_POS / spans as usize;
    if row >= rows as usize {
        terminate!();
    }
    let span = ABSOLUTE_POS % spans as usize;
    let start = row * width as usize + places[3usize * span] as usize;
    let end = start + places[3usize * span + 1usize] as usize;
    let wanted = asked[row] as usize;
    if span_of[wanted] as usize == span {
        for at in start..end {
            gradient[at] = logits[at];
        }
        softmax_in_place(gradient, start, end);
        let wanted = row * width as usize + wanted;
        losses[row] = -gradient[wanted].max(1e-12f32).ln();
        gradient[wanted] -= 1.0f32;
        for at in start..end {
            gradient[at] /= rows as f32;
        }
    } else {
        for at in start..end {
            gradient[at] = 0.0f32;
        }
    }
}

#[cube(launch, address_type = "dynamic")]
fn rows_kernel(outputs: &[i32], values: &[f32], chosen: &[i32], span_of: &[i32], out: &mut [f32], rows: u32, spans: u32, width: u32) {
    if ABSOLUTE_POS >= rows as usize * width as usize {
        terminate!();
    }
    let output = ABSOLUTE_POS % width as usize;
    let row = chosen[ABSOLUTE_POS / width as usize] as usize;
    let at = row * spans as usize + span_of[output] as usize;
    out[ABSOLUTE_POS] = select(outputs[at] as usize == output, values[at], 0.0f32);
}
