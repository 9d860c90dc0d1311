//! Cells as numbers that a network of any kind takes: embeddings of tokens, and places of numbers.

use burn::tensor::{Device, Tensor};
use semblant_core::host;
use semblant_masked_diffusion::Cell;

use crate::net::Layout;

/// Rows as cells; `None` is a cell that is not shown.
pub type Shown<'a> = &'a dyn Fn(usize, usize) -> Option<Cell>;

/// Embeddings, from a table with a row for every token and mask ([`Layout::embedding_of`]), and places of all positions.
///
/// # Shapes
/// Gives `[count, positions * embedding + places]`.
pub fn features(table: Tensor<2>, layout: &Layout, count: usize, cells: Shown<'_>) -> Tensor<2> {
    let ([_, embedding], device) = (table.dims(), table.device());
    let (positions, width) = (layout.spans.len(), layout.places_width());
    let (mut tokens, mut places) = (Vec::with_capacity(count * positions), vec![0.0; count * width]);
    for row in 0..count {
        for position in 0..positions {
            let cell = cells(row, position);
            tokens.push(layout.embedding_of(position, cell.map(|cell| cell.token)) as i32);
            if let (Some(cell), Some(number)) = (cell, layout.numbers[position]) {
                let first = row * width + number * layout.place_width();
                layout.write_place(number, cell, 0.0, &mut places[first..first + layout.place_width()]);
            }
        }
    }
    let embedded = table.select(0, host::indices(tokens, &device)).reshape([count, positions * embedding]);
    let places = (width > 0).then(|| constant(places, [count, width], &device));
    joined([Some(embedded), places])
}

/// A tensor without a gradient on a device that may have one.
pub fn constant(values: Vec<f32>, shape: [usize; 2], device: &Device) -> Tensor<2> {
    let plain = host::tensor(values, shape, &device.clone().inner());
    if device.is_autodiff() { Tensor::from_inner(plain) } else { plain }
}

/// Tensors side by side.
pub fn joined<const N: usize>(parts: [Option<Tensor<2>>; N]) -> Tensor<2> {
    let mut parts: Vec<Tensor<2>> = parts.into_iter().flatten().collect();
    if parts.len() == 1 { parts.remove(0) } else { Tensor::cat(parts, 1) }
}
