//! What turns a network's raw outputs into a row: tanh on scalars, Gumbel-softmax on one-hot blocks (Jang et al. 2017), all spans of
//! all rows in one pass, and the gradient of it in another. The blocks are ragged; there is no loop of small kernels over columns.
//! The loops here are the CPU's; on other devices `row_layout.rs` has the same as tensor operations.

use burn::tensor::{Device, Tensor, TensorData};
use pulp::Arch;
use rayon::prelude::*;
use semblant_core::host;
use semblant_core::math;
use semblant_core::seeds::Stream;
use semblant_data::table::encode::{Layout, Span};

use crate::conditions::ConditionVector;
use crate::row_layout::RowLayout;

/// Rows one task works on.
const ROWS: usize = 32;

/// Activates `logits`, with Gumbel noise of rows `first_row..` of `stream`, at temperature `tau`.
///
/// # Shapes
/// `logits: [rows, layout.width]`; the result has the same shape, scalars in -1..1, every block positive with sum 1.
pub fn gumbel_softmax(logits: Tensor<2>, row_layout: &RowLayout, tau: f32, stream: Stream, first_row: u64) -> Tensor<2> {
    let layout = &row_layout.layout;
    if let Some(on_device) = &row_layout.on_device {
        let rows = logits.dims()[0] as u64;
        let noise = stream.gumbels_on(first_row..first_row + rows, layout.width, &logits.device());
        return on_device.gumbel_softmax(logits, noise, tau);
    }
    host::update(logits, |values| {
        values.par_chunks_mut(ROWS * layout.width).enumerate().for_each(|(part, rows)| {
            let mut noise = vec![0.0; layout.width];
            for (index, row) in rows.chunks_exact_mut(layout.width).enumerate() {
                stream.gumbels(first_row + (part * ROWS + index) as u64, &mut noise);
                Arch::new().dispatch(
                    #[inline(always)]
                    || activate_row(row, &noise, layout, 1.0 / tau),
                );
            }
        });
    })
}

#[inline(always)]
fn activate_row(row: &mut [f32], noise: &[f32], layout: &Layout, sharpness: f32) {
    for span in &layout.spans {
        let values = &mut row[span.start..span.start + span.width];
        if span.is_block() {
            for (value, noise) in values.iter_mut().zip(&noise[span.start..]) {
                *value = (*value + noise) * sharpness;
            }
            math::softmax(values);
        } else {
            values[0] = math::tanh(values[0]);
        }
    }
}

/// The gradient with respect to the logits, from that with respect to the activated rows.
///
/// For a block y of a Gumbel-softmax, d/dlogit = y (g - sum g y) / tau; for a scalar t = tanh, (1 - t^2) g.
///
/// # Shapes
/// `activated` and `gradient`: `[rows, layout.width]`, as is the result.
pub fn gumbel_softmax_backward(activated: &Tensor<2>, gradient: Tensor<2>, row_layout: &RowLayout, tau: f32) -> Tensor<2> {
    if let Some(on_device) = &row_layout.on_device {
        return on_device.gumbel_softmax_backward(activated, gradient, tau);
    }
    let layout = &row_layout.layout;
    host::update(gradient, |gradient| {
        host::read(activated, |activated| {
            gradient.par_chunks_mut(ROWS * layout.width).zip(activated.par_chunks(ROWS * layout.width)).for_each(
                |(gradient, activated)| {
                    Arch::new().dispatch(
                        #[inline(always)]
                        || {
                            for (gradient, activated) in gradient.chunks_exact_mut(layout.width).zip(activated.chunks_exact(layout.width)) {
                                backward_row(gradient, activated, layout, 1.0 / tau);
                            }
                        },
                    );
                },
            );
        });
    })
}

#[inline(always)]
fn backward_row(gradient: &mut [f32], activated: &[f32], layout: &Layout, sharpness: f32) {
    for span in &layout.spans {
        let g = &mut gradient[span.start..span.start + span.width];
        let y = &activated[span.start..span.start + span.width];
        if span.is_block() {
            let mean: f32 = g.iter().zip(y).map(|(g, y)| g * y).sum();
            for (g, y) in g.iter_mut().zip(y) {
                *g = y * (*g - mean) * sharpness;
            }
        } else {
            g[0] *= 1.0 - y[0] * y[0];
        }
    }
}

/// The cross-entropy between each row's block that holds the output of the condition and that output, averaged over the rows, with its gradient.
/// None without conditions.
///
/// # Shapes
/// `logits: [rows, width]`; gives the loss `[1]` and a gradient `[rows, width]` that is zero outside the conditioned blocks.
///
/// # Panics
/// When a device drew the outputs of rows of the CPU.
pub fn condition_loss(logits: &Tensor<2>, outputs: &ConditionVector, row_layout: &RowLayout) -> Option<(Tensor<1>, Tensor<2>)> {
    let (device, [rows, width]): (Device, _) = (logits.device(), logits.dims());
    if let Some(on_device) = &row_layout.on_device {
        return outputs.on(rows, &device).map(|outputs| on_device.condition_loss(logits, outputs));
    }
    let (outputs, spans) = (outputs.on_host(), &row_layout.layout.spans);
    if outputs.is_empty() {
        return None;
    }
    let mut gradient = vec![0.0f32; rows * width];
    let mut total = 0.0f64;
    host::read(logits, |logits| {
        for ((row, gradient), &output) in logits.chunks_exact(width).zip(gradient.chunks_exact_mut(width)).zip(outputs) {
            let Span { start, width, .. } = spans[spans.partition_point(|span| span.start <= output as usize) - 1];
            let (part, position) = (&mut gradient[start..start + width], output as usize - start);
            part.copy_from_slice(&row[start..start + width]);
            math::softmax(part);
            total -= f64::from(part[position].max(1e-12).ln());
            part[position] -= 1.0;
            part.iter_mut().for_each(|value| *value /= rows as f32);
        }
    });
    let loss = Tensor::from_data(TensorData::from([(total / rows as f64) as f32]), &device);
    Some((loss, host::tensor(gradient, [rows, width], &device)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Tolerance;
    use semblant_data::table::encode::SpanKind;

    fn layout() -> Layout {
        let span = |kind, start, width| Span { column: 0, kind, start, width };
        Layout { spans: vec![span(SpanKind::Scalar, 0, 1), span(SpanKind::Modes, 1, 3), span(SpanKind::Values, 4, 2)], width: 6 }
    }

    fn logits(device: &Device) -> Tensor<2> {
        host::tensor(Stream::new(4, 0).matrix(0..5, 6, Stream::normals), [5, 6], device)
    }

    /// The same by burn's own operations, one span after the other.
    fn by_operations(logits: Tensor<2>, tau: f32, stream: Stream) -> Tensor<2> {
        let noise = host::tensor(stream.matrix(0..5, 6, Stream::gumbels), [5, 6], &logits.device());
        let spans = layout().spans.into_iter().map(|span| {
            let range = span.start..span.start + span.width;
            let part = logits.clone().slice([0..5, range.clone()]);
            if span.is_block() {
                burn::tensor::activation::softmax((part + noise.clone().slice([0..5, range])) / tau, 1)
            } else {
                part.tanh()
            }
        });
        Tensor::cat(spans.collect(), 1)
    }

    #[test]
    fn one_pass_agrees_with_operations_and_autodiff() {
        let device = Device::flex().autodiff();
        let stream = Stream::new(1, 2);
        let x = logits(&device).require_grad();
        let expected = by_operations(x.clone(), 0.2, stream);
        let weight = host::tensor(Stream::new(9, 0).matrix(0..5, 6, Stream::normals), [5, 6], &Device::flex());
        let gradients = (expected.clone() * Tensor::from_inner(weight.clone())).sum().backward();
        let gradient = x.grad(&gradients).expect("required");
        for row_layout in RowLayout::both(&layout(), &Device::flex()) {
            let actual = gumbel_softmax(logits(&Device::flex()), &row_layout, 0.2, stream, 0);
            expected.to_data().assert_approx_eq::<f32>(&actual.to_data(), Tolerance::absolute(1e-5));
            let actual = gumbel_softmax_backward(&actual, weight.clone(), &row_layout, 0.2);
            gradient.to_data().assert_approx_eq::<f32>(&actual.to_data(), Tolerance::absolute(1e-4));
        }
    }

    #[test]
    fn condition_loss_agrees_with_autodiff() {
        let device = Device::flex().autodiff();
        let x = logits(&device).require_grad();
        let wanted = [(1, 3, 2), (4, 2, 0), (4, 2, 1), (1, 3, 0), (1, 3, 1)];
        let outputs = ConditionVector::Host(wanted.map(|(start, _, position)| (start + position) as u32).to_vec());
        let mut expected = Tensor::<1>::zeros([1], &device);
        for (row, &(start, width, position)) in wanted.iter().enumerate() {
            let block = x.clone().slice([row..row + 1, start..start + width]);
            expected = expected - burn::tensor::activation::log_softmax(block, 1).slice([0..1, position..position + 1]).sum() / 5.0;
        }
        let gradients = expected.backward();
        for row_layout in RowLayout::both(&layout(), &Device::flex()) {
            let (loss, gradient) = condition_loss(&logits(&Device::flex()), &outputs, &row_layout).expect("there are conditions");
            expected.to_data().assert_approx_eq::<f32>(&loss.to_data(), Tolerance::absolute(1e-5));
            x.grad(&gradients).expect("required").to_data().assert_approx_eq::<f32>(&gradient.to_data(), Tolerance::absolute(1e-5));
            assert!(
                condition_loss(&logits(&Device::flex()), &ConditionVector::Host(Vec::new()), &row_layout).is_none(),
                "nothing is asked for"
            );
        }
    }
}
