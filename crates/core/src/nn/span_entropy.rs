//! Cross-entropy over spans of logits of any widths, by one kernel where a GPU holds them.

#[cfg(not(any(feature = "cuda", feature = "wgpu")))]
#[path = "span_entropy/absent.rs"]
mod kernel;
#[cfg(any(feature = "cuda", feature = "wgpu"))]
mod kernel;

use std::ops::Range;

use burn::tensor::{Device, Tensor};

use crate::device::has_kernels;
use crate::host;

/// Spans of logits, with what each of their tokens is to be predicted as, on a GPU.
#[derive(Debug, Clone)]
pub struct SpanEntropy {
    /// First logit and number of logits of each span, `[2 * spans]`. Whole numbers are exact in f32 up to 2^24, and kernels take f32.
    places: Tensor<1>,
    /// For every logit as a target: the first logit of its span that has a share, how many have one, and where the shares begin, `[3 * width]`.
    marks: Tensor<1>,
    shares: Tensor<1>,
    spans: usize,
}

impl SpanEntropy {
    /// Spans that follow each other without a gap, none of which is empty. `target` tells for a span and a token in it the first token that has a
    /// share, and the shares from there on. None where `device` has no kernels, or there are too many logits or shares to be counted there.
    pub fn new<'a>(spans: &[Range<usize>], target: impl Fn(usize, usize) -> (usize, &'a [f32]), device: &Device) -> Option<Self> {
        if spans.is_empty() || !has_kernels(device) {
            return None;
        }
        let (mut marks, mut shares) = (Vec::new(), Vec::new());
        for (number, span) in spans.iter().enumerate() {
            for token in 0..span.len() {
                let (first, near) = target(number, token);
                marks.extend([first as f32, near.len() as f32, shares.len() as f32]);
                shares.extend_from_slice(near);
            }
        }
        let exact = 1 << f32::MANTISSA_DIGITS;
        if marks.len() >= exact || shares.len() >= exact {
            return None;
        }
        let places: Vec<f32> = spans.iter().flat_map(|span| [span.start as f32, span.len() as f32]).collect();
        let on_device = |values: Vec<f32>| {
            let length = values.len();
            host::tensor(values, [length], device)
        };
        Some(Self { places: on_device(places), marks: on_device(marks), shares: on_device(shares), spans: spans.len() })
    }

    /// The sum over all rows and spans of weight times cross-entropy, and its gradient. A span of weight 0 has none.
    ///
    /// # Shapes
    /// `logits [rows, width]`, `tokens` and `weights [rows * spans]`; gives `[1]` and `[rows, width]`.
    ///
    /// # Panics
    /// When the numbers of tokens or weights differ from these.
    pub fn cross_entropy(&self, logits: Tensor<2>, tokens: &[u32], weights: &[f32]) -> (Tensor<1>, Tensor<2>) {
        let ([rows, _], device) = (logits.dims(), logits.device());
        let count = rows * self.spans;
        assert!(tokens.len() == count && weights.len() == count, "a token and a weight for each span of each row");
        let tokens = host::tensor(tokens.iter().map(|&token| token as f32).collect(), [count], &device);
        let weights = host::tensor(weights.to_vec(), [count], &device);
        let tables = [self.places.clone(), self.marks.clone(), self.shares.clone()];
        kernel::cross_entropy(logits, tokens, weights, tables, self.spans)
    }
}
