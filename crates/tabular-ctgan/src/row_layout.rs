//! The layout of a row where a device other than the CPU works on it: all blocks of all rows in a few tensor operations.
//!
//! Blocks are ragged. They are grouped by width, rounded up to powers of two, so that a sum over every block is one selection, one
//! reshape and one sum a group, and the padding at most doubles the values; there is no loop over columns. What is per block is spread
//! back over the outputs by one selection. Where [`Spans`] has kernels, they do the same in one launch.

use burn::tensor::{Device, IndexingUpdateOp, Int, Tensor};
use semblant_core::host;
use semblant_core::nn::unit_vectors;
use semblant_data::table::encode::{EncodedTable, Layout};

use crate::spans::Spans;

/// A layout, ready for the device that it is used on.
#[derive(Debug, Clone)]
pub struct RowLayout {
    /// The layout.
    pub layout: Layout,
    /// What a device other than the CPU needs of it.
    pub(crate) on_device: Option<DeviceLayout>,
}

impl RowLayout {
    /// Lays out rows for `device`.
    pub fn new(layout: &Layout, device: &Device) -> Self {
        let on_device = (!host::is_host(device)).then(|| DeviceLayout::new(layout, device));
        Self { layout: layout.clone(), on_device }
    }
}

#[cfg(test)]
impl RowLayout {
    /// The way of the CPU and that of other devices, both on `device`, to be compared with each other.
    pub(crate) fn both(layout: &Layout, device: &Device) -> [Self; 2] {
        let loops = Self { layout: layout.clone(), on_device: None };
        [loops.clone(), Self { on_device: Some(DeviceLayout::new(layout, device)), ..loops }]
    }
}

/// Blocks of about the same width.
#[derive(Debug, Clone)]
struct Group {
    /// The outputs of every block, short blocks padded by their own first output, `[blocks * padded width]`.
    outputs: Tensor<1, Int>,
    /// 0 at the padding, else 1, `[1, blocks, padded width]`.
    counts: Tensor<3>,
}

/// A layout as tensors. Blocks are numbered by group.
#[derive(Debug, Clone)]
pub(crate) struct DeviceLayout {
    groups: Vec<Group>,
    /// Each output's block, 0 at scalars, `[width]`.
    block_of: Tensor<1, Int>,
    /// 1 at the outputs of blocks, 0 at scalars, `[1, width]`.
    is_block: Tensor<2>,
    /// The kernels, where the device has them.
    kernels: Option<Spans>,
}

impl DeviceLayout {
    fn new(layout: &Layout, device: &Device) -> Self {
        let padded = |width: usize| width.next_power_of_two();
        let mut widths: Vec<usize> = layout.blocks().map(|span| padded(span.width)).collect();
        widths.sort_unstable();
        widths.dedup();
        let mut groups = Vec::new();
        let (mut block_of, mut is_block) = (vec![0; layout.width], vec![0.0; layout.width]);
        let mut number = 0;
        for width in widths {
            let (mut outputs, mut counts) = (Vec::new(), Vec::new());
            for span in layout.blocks().filter(|span| padded(span.width) == width) {
                outputs.extend((0..width).map(|place| (span.start + if place < span.width { place } else { 0 }) as i32));
                counts.extend((0..width).map(|place| f32::from(u8::from(place < span.width))));
                block_of[span.start..span.start + span.width].fill(number);
                is_block[span.start..span.start + span.width].fill(1.0);
                number += 1;
            }
            let blocks = counts.len() / width;
            groups.push(Group { outputs: host::indices(outputs, device), counts: host::tensor(counts, [1, blocks, width], device) });
        }
        let is_block = host::tensor(is_block, [1, layout.width], device);
        Self { groups, block_of: host::indices(block_of, device), is_block, kernels: Spans::new(&layout.spans, device) }
    }

    /// What `reduce` makes of every block, of padded values and what counts among them. `[rows, width]` gives `[rows, blocks]`.
    fn per_block(&self, values: &Tensor<2>, reduce: impl Fn(Tensor<3>, &Tensor<3>) -> Tensor<3>) -> Tensor<2> {
        let [rows, _] = values.dims();
        let of_group = |group: &Group| {
            let [_, blocks, width] = group.counts.dims();
            let padded = values.clone().select(1, group.outputs.clone()).reshape([rows, blocks, width]);
            reduce(padded, &group.counts).reshape([rows, blocks])
        };
        Tensor::cat(self.groups.iter().map(of_group).collect(), 1)
    }

    fn sums(&self, values: &Tensor<2>) -> Tensor<2> {
        self.per_block(values, |padded, counts| (padded * counts.clone()).sum_dim(2))
    }

    /// `[rows, blocks]` gives every output its block's value, `[rows, width]`.
    fn spread(&self, values: Tensor<2>) -> Tensor<2> {
        values.select(1, self.block_of.clone())
    }

    fn has_blocks(&self) -> bool {
        !self.groups.is_empty()
    }

    /// Softmax of every block, shifted by its greatest value so that nothing overflows; 0 at scalars.
    pub(crate) fn softmax(&self, values: Tensor<2>) -> Tensor<2> {
        if let Some(kernels) = &self.kernels {
            return kernels.softmax(values);
        }
        if !self.has_blocks() {
            return values.zeros_like();
        }
        // Padding repeats a value of the block, so it cannot be greater than the greatest.
        let greatest = self.per_block(&values, |padded, _| padded.max_dim(2));
        let shifted = (values - self.spread(greatest)) * self.is_block.clone();
        let powers = shifted.exp() * self.is_block.clone();
        let sums = self.sums(&powers);
        powers / self.spread(sums)
    }

    fn is_scalar(&self) -> Tensor<2> {
        self.is_block.clone().neg().add_scalar(1.0)
    }

    /// See [`crate::activate::gumbel_softmax`]; `noise` is `[rows, width]`.
    pub(crate) fn gumbel_softmax(&self, logits: Tensor<2>, noise: Tensor<2>, tau: f32) -> Tensor<2> {
        if let Some(kernels) = &self.kernels {
            return kernels.gumbel_softmax(logits, noise, tau);
        }
        let scalars = logits.clone().tanh() * self.is_scalar();
        self.softmax((logits + noise) / tau) + scalars
    }

    /// See [`crate::activate::gumbel_softmax_backward`].
    pub(crate) fn gumbel_softmax_backward(&self, activated: &Tensor<2>, gradient: Tensor<2>, tau: f32) -> Tensor<2> {
        if let Some(kernels) = &self.kernels {
            return kernels.gumbel_softmax_backward(activated.clone(), gradient, tau);
        }
        let scalars = (activated.clone().square().neg() + 1.0) * gradient.clone() * self.is_scalar();
        if !self.has_blocks() {
            return scalars;
        }
        let mean = self.sums(&(gradient.clone() * activated.clone()));
        let blocks = activated.clone() * (gradient - self.spread(mean)) / tau;
        blocks * self.is_block.clone() + scalars
    }

    /// See [`crate::activate::condition_loss`]; `outputs` is `[rows]`.
    pub(crate) fn condition_loss(&self, logits: &Tensor<2>, outputs: Tensor<1, Int>) -> (Tensor<1>, Tensor<2>) {
        if let Some(kernels) = &self.kernels {
            let (losses, gradient) = kernels.cross_entropy(logits.clone(), outputs);
            return (losses.mean(), gradient);
        }
        let [rows, width] = logits.dims();
        let block = self.block_of.clone().select(0, outputs.clone()).reshape([rows, 1]).expand([rows, width]);
        let wanted = unit_vectors(outputs, 1, width); // [rows, width]
        let within = block.equal(self.block_of.clone().reshape([1, width]).expand([rows, width])).float() * self.is_block.clone();
        let chances = self.softmax(logits.clone());
        let of_wanted = (chances.clone() * wanted.clone()).sum_dim(1); // [rows, 1]
        let loss = of_wanted.clamp_min(1e-12).log().mean().neg();
        (loss, (chances * within - wanted) / rows as f32)
    }

    /// The loss of reconstructing `rows` and its gradients with respect to `raw` and `sigma`; see `tvae`.
    pub(crate) fn reconstruction(
        &self,
        raw: &Tensor<2>,
        rows: &Tensor<2>,
        sigma: &Tensor<1>,
        scale: f32,
    ) -> (Tensor<1>, Tensor<2>, Tensor<1>) {
        let sigma = sigma.clone().unsqueeze_dim::<2>(0); // [1, width]
        let (value, chances) = (raw.clone().tanh(), self.softmax(raw.clone()));
        let off = value.clone() - rows.clone();
        let variance = sigma.clone().square();
        let of_scalars = (off.clone().square() / (variance.clone() * 2.0) + sigma.clone().log()) * self.is_scalar();
        let of_blocks = chances.clone().clamp_min(1e-12).log() * rows.clone() * self.is_block.clone();
        let slope = value.square().neg() + 1.0;
        let gradient = (chances - rows.clone()) * self.is_block.clone() + off.clone() / variance * slope * self.is_scalar();
        let of_sigma = (off.square() / (sigma.clone().square() * sigma.clone())).neg() + sigma.recip();
        let of_sigma = (of_sigma * self.is_scalar()).sum_dim(0).squeeze_dim::<1>(0);
        ((of_scalars - of_blocks).sum() * scale, gradient * scale, of_sigma * scale)
    }
}

/// A table on a device: for every row the outputs that are not 0 and their values, one for each span.
#[derive(Debug, Clone)]
pub struct DeviceTable {
    /// `[rows, spans]`.
    outputs: Tensor<2, Int>,
    /// `[rows, spans]`.
    values: Tensor<2>,
    width: usize,
    /// The kernels, where the device has them.
    kernels: Option<Spans>,
}

impl DeviceTable {
    /// Puts a table where `device` reaches it; none for the CPU, which writes rows from the encoded table.
    pub fn new(encoded: &EncodedTable, layout: &Layout, device: &Device) -> Option<Self> {
        (!host::is_host(device)).then(|| Self::filled(encoded, layout, device))
    }

    fn filled(encoded: &EncodedTable, layout: &Layout, device: &Device) -> Self {
        let count = layout.spans.len();
        let (mut outputs, mut values) = (vec![0i32; encoded.rows * count], vec![1.0f32; encoded.rows * count]);
        let (mut block, mut scalar) = (0, 0);
        for (place, span) in layout.spans.iter().enumerate() {
            for row in 0..encoded.rows {
                let at = row * count + place;
                if span.is_block() {
                    outputs[at] = (span.start + encoded.codes[block][row] as usize) as i32;
                } else {
                    (outputs[at], values[at]) = (span.start as i32, encoded.scalars[scalar][row]);
                }
            }
            if span.is_block() { block += 1 } else { scalar += 1 }
        }
        let outputs = host::indices(outputs, device).reshape([encoded.rows, count]);
        let values = host::tensor(values, [encoded.rows, count], device);
        Self { outputs, values, width: layout.width, kernels: Spans::new(&layout.spans, device) }
    }

    /// The rows at `chosen`, `[n]`, as a network sees them, `[n, width]`.
    pub fn rows(&self, chosen: Tensor<1, Int>) -> Tensor<2> {
        let ([count], device) = (chosen.dims(), self.values.device());
        if let Some(kernels) = &self.kernels {
            return kernels.rows(self.outputs.clone(), self.values.clone(), chosen);
        }
        let empty = Tensor::zeros([count, self.width], &device);
        let (outputs, values) = (self.outputs.clone().select(0, chosen.clone()), self.values.clone().select(0, chosen));
        empty.scatter(1, outputs, values, IndexingUpdateOp::Add)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conditions::write_row;
    use semblant_core::math;
    use semblant_core::seeds::Stream;
    use semblant_data::table::encode::{Span, SpanKind};

    fn span(kind: SpanKind, start: usize, width: usize) -> Span {
        Span { column: 0, kind, start, width }
    }

    /// Blocks of 1, 2, 3, 5 and 8 outputs with scalars between them.
    fn ragged() -> Layout {
        let kinds = [(SpanKind::Values, 3), (SpanKind::Scalar, 1), (SpanKind::Modes, 5), (SpanKind::Values, 1), (SpanKind::Scalar, 1)];
        let mut layout = Layout { spans: Vec::new(), width: 0 };
        for (kind, width) in kinds.into_iter().chain([(SpanKind::Values, 8), (SpanKind::Values, 2)]) {
            layout.spans.push(span(kind, layout.width, width));
            layout.width += width;
        }
        layout
    }

    #[test]
    fn every_block_has_its_softmax_however_far_apart_the_blocks_lie() {
        let (device, layout) = (Device::flex(), ragged());
        let mut values = Stream::new(0, 0).matrix(0..4, layout.width, Stream::normals);
        // One block so high and one so low that a shift by the row's greatest value would leave nothing of the other.
        for row in values.chunks_exact_mut(layout.width) {
            row[0..3].iter_mut().for_each(|value| *value += 500.0);
            row[4..9].iter_mut().for_each(|value| *value -= 500.0);
        }
        let mut expected = values.clone();
        for row in expected.chunks_exact_mut(layout.width) {
            layout.blocks().for_each(|span| math::softmax(&mut row[span.start..span.start + span.width]));
            layout.scalars().for_each(|span| row[span.start] = 0.0);
        }
        let found = DeviceLayout::new(&layout, &device).softmax(host::tensor(values, [4, layout.width], &device));
        host::read(&found, |found| found.iter().zip(&expected).for_each(|(a, b)| assert!((a - b).abs() < 1e-5, "{a} against {b}")));
    }

    #[test]
    fn without_blocks_only_the_scalars_are_left() {
        let device = Device::flex();
        let row_layout = DeviceLayout::new(&Layout { spans: vec![span(SpanKind::Scalar, 0, 1)], width: 1 }, &device);
        let one = || Tensor::<2>::from_floats([[1.0]], &device);
        host::read(&row_layout.gumbel_softmax(one(), one(), 0.2), |y| assert!((y[0] - 1f32.tanh()).abs() < 1e-6));
        host::read(&row_layout.gumbel_softmax_backward(&(one() * 0.5), one(), 0.2), |g| assert_eq!(g, [0.75]));
    }

    #[test]
    fn a_table_on_a_device_gives_the_rows_that_the_cpu_writes() {
        let layout = ragged();
        let code = |block: usize, width: usize| (0..6).map(|row| ((row * 7 + block) % width) as u32).collect();
        let codes = layout.blocks().enumerate().map(|(block, span)| code(block, span.width)).collect();
        let scalars = vec![vec![0.1, 0.2, 0.3, 0.4, 0.5, 0.6], vec![-0.1, -0.2, -0.3, -0.4, -0.5, -0.6]];
        let encoded = EncodedTable { rows: 6, codes, scalars };
        let chosen = [4, 0, 4];
        let mut expected = vec![0.0; 3 * layout.width];
        for (row, out) in chosen.iter().zip(expected.chunks_exact_mut(layout.width)) {
            write_row(&encoded, &layout.spans, *row as usize, out);
        }
        assert!(DeviceTable::new(&encoded, &layout, &Device::flex()).is_none(), "the CPU needs none");
        let found = DeviceTable::filled(&encoded, &layout, &Device::flex()).rows(host::indices(chosen.to_vec(), &Device::flex()));
        host::read(&found, |found| assert_eq!(found, expected));
    }
}
