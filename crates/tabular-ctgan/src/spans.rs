//! Rows of scalars and one-hot blocks of any widths, by kernels of our own where a GPU holds them: one launch for what tensor operations
//! need some thirty for, since ragged blocks fit into no tensor.
//!
//! The CPU has loops for this and needs no [`Spans`].

#[cfg(not(any(feature = "cuda", feature = "wgpu")))]
#[path = "spans/absent.rs"]
mod kernel;
#[cfg(any(feature = "cuda", feature = "wgpu"))]
mod kernel;

use burn::tensor::{Device, Int, Tensor};
use semblant_core::device::has_kernels;
use semblant_core::host;
use semblant_data::table::encode::Span;

/// Where the spans of a row lie, on a GPU. What is given back has no gradient, whatever was given.
#[derive(Debug, Clone)]
pub struct Spans {
    /// First output, width, and 1 for a block, `[spans, 3]`.
    places: Tensor<2, Int>,
    /// Each output's span, `[width]`.
    span_of: Tensor<1, Int>,
}

impl Spans {
    /// Spans that follow each other without a gap; none where `device` has no kernels, or no span.
    pub fn new(spans: &[Span], device: &Device) -> Option<Self> {
        if spans.is_empty() || !has_kernels(device) {
            return None;
        }
        let places = spans.iter().flat_map(|span| [span.start as i32, span.width as i32, i32::from(span.is_block())]).collect();
        let span_of = spans.iter().enumerate().flat_map(|(number, span)| vec![number as i32; span.width]).collect();
        let places = host::indices(places, device).reshape([spans.len(), 3]);
        Some(Self { places, span_of: host::indices(span_of, device) })
    }

    /// Softmax of every block, 0 at scalars.
    ///
    /// # Shapes
    /// `values: [rows, width]`, as is the result.
    pub fn softmax(&self, values: Tensor<2>) -> Tensor<2> {
        kernel::softmax(values.inner(), self.places.clone())
    }

    /// Softmax of `(logits + noise) / tau` in every block, tanh of `logits` at scalars.
    ///
    /// # Shapes
    /// `logits` and `noise`: `[rows, width]`, as is the result.
    pub fn gumbel_softmax(&self, logits: Tensor<2>, noise: Tensor<2>, tau: f32) -> Tensor<2> {
        kernel::gumbel_softmax(logits.inner(), noise.inner(), self.places.clone(), 1.0 / tau)
    }

    /// The gradient with respect to the logits of [`Spans::gumbel_softmax`], from that with respect to what it gave.
    ///
    /// # Shapes
    /// `activated` and `gradient`: `[rows, width]`, as is the result.
    pub fn gumbel_softmax_backward(&self, activated: Tensor<2>, gradient: Tensor<2>, tau: f32) -> Tensor<2> {
        kernel::gumbel_softmax_backward(activated.inner(), gradient.inner(), self.places.clone(), 1.0 / tau)
    }

    /// The cross-entropy of one block of every row, the one that holds the output of the condition, and its gradient, divided by the rows; the
    /// gradient is 0 in the other spans.
    ///
    /// # Shapes
    /// `logits: [rows, width]`, `asked: [rows]`; gives `[rows]` and `[rows, width]`.
    pub fn cross_entropy(&self, logits: Tensor<2>, asked: Tensor<1, Int>) -> (Tensor<1>, Tensor<2>) {
        kernel::cross_entropy(logits.inner(), asked, self.places.clone(), self.span_of.clone())
    }

    /// Rows written out, of which the one output that is not 0 in every span is known, and its value.
    ///
    /// # Shapes
    /// `outputs` and `values`: `[table rows, spans]`, `chosen: [rows]`; gives `[rows, width]`.
    pub fn rows(&self, outputs: Tensor<2, Int>, values: Tensor<2>, chosen: Tensor<1, Int>) -> Tensor<2> {
        kernel::rows(outputs, values, chosen, self.span_of.clone())
    }
}
