//! Rows of spans of odd widths, by the kernels and by loops.

use burn::tensor::{Device, Int, Tensor};
use semblant_core::host;
use semblant_core::nn::unit_vectors;
use semblant_core::seeds::Stream;
use semblant_data::table::encode::{Span, SpanKind};
use semblant_tabular_ctgan::spans::Spans;

use super::gpu;

const ROWS: usize = 37;

/// Widths of blocks; 0 is a scalar. One is as wide as a digit of a column with 100,000 categories.
const WIDTHS: [usize; 9] = [3, 0, 5, 1, 0, 8, 2, 317, 64];

fn layout() -> (Vec<Span>, usize) {
    let (mut spans, mut start) = (Vec::new(), 0);
    for width in WIDTHS {
        let kind = if width > 0 { SpanKind::Values } else { SpanKind::Scalar };
        spans.push(Span { column: spans.len(), kind, start, width: width.max(1) });
        start += width.max(1);
    }
    (spans, start)
}

/// Normal numbers, in the first block so high and in the next so low that a shift by the row's greatest would leave nothing of the other.
fn values(number: u32, width: usize) -> Vec<f32> {
    let mut values = Stream::new(5, number).matrix(0..ROWS as u64, width, Stream::normals);
    for row in values.chunks_exact_mut(width) {
        row[0..3].iter_mut().for_each(|value| *value += 300.0);
        row[4..9].iter_mut().for_each(|value| *value -= 300.0);
    }
    values
}

fn softmax(values: &mut [f64]) {
    let greatest = values.iter().fold(f64::NEG_INFINITY, |a, &b| a.max(b));
    values.iter_mut().for_each(|value| *value = (*value - greatest).exp());
    let sum: f64 = values.iter().sum();
    values.iter_mut().for_each(|value| *value /= sum);
}

/// What `change` makes of every span of every row.
fn by_loops(first: &[f32], second: &[f32], change: impl Fn(Span, &mut [f64], &[f64])) -> Vec<f64> {
    let (spans, width) = layout();
    let double = |values: &[f32]| values.iter().map(|&value| f64::from(value)).collect::<Vec<_>>();
    let (mut out, second) = (double(first), double(second));
    for (row, other) in out.chunks_exact_mut(width).zip(second.chunks_exact(width)) {
        spans.iter().for_each(|span| change(*span, &mut row[span.start..][..span.width], &other[span.start..][..span.width]));
    }
    out
}

fn same(what: &str, found: &Tensor<2>, expected: &[f64], tolerance: f64) {
    host::read(found, |found| {
        assert_eq!(found.len(), expected.len(), "{what}");
        for (place, (found, expected)) in found.iter().zip(expected).enumerate() {
            assert!((f64::from(*found) - expected).abs() <= tolerance, "{what}: {found} for {expected} at {place}");
        }
    });
}

fn on(values: &[f32], width: usize, device: &Device) -> Tensor<2> {
    host::tensor(values.to_vec(), [values.len() / width, width], device)
}

#[test]
fn spans_equal_their_loops() {
    let Some(gpu) = gpu() else { return };
    let (spans, width) = layout();
    let kernels = Spans::new(&spans, &gpu).expect("a GPU has kernels");
    let (logits, noise) = (values(0, width), Stream::new(5, 1).matrix(0..ROWS as u64, width, Stream::gumbels));

    let expected = by_loops(&logits, &noise, |span, x, _| if span.is_block() { softmax(x) } else { x[0] = 0.0 });
    same("softmax", &kernels.softmax(on(&logits, width, &gpu)), &expected, 2e-6);

    let expected = by_loops(&logits, &noise, |span, x, noise| {
        if span.is_block() {
            x.iter_mut().zip(noise).for_each(|(x, noise)| *x = (*x + noise) / f64::from(0.2f32));
            softmax(x);
        } else {
            x[0] = x[0].tanh();
        }
    });
    // A sum of 300 keeps five digits behind the point, which a temperature of 0.2 makes five times as coarse.
    let activated = kernels.gumbel_softmax(on(&logits, width, &gpu), on(&noise, width, &gpu), 0.2);
    same("Gumbel-softmax", &activated, &expected, 2e-4);

    let activated = host::read(&activated, <[f32]>::to_vec);
    let gradient = Stream::new(5, 2).matrix(0..ROWS as u64, width, Stream::normals);
    let expected = by_loops(&activated, &gradient, |span, y, gradient| {
        let mean: f64 = y.iter().zip(gradient).map(|(y, g)| y * g).sum();
        for (y, g) in y.iter_mut().zip(gradient) {
            *y = if span.is_block() { *y * (g - mean) / f64::from(0.2f32) } else { (1.0 - *y * *y) * g };
        }
    });
    let found = kernels.gumbel_softmax_backward(on(&activated, width, &gpu), on(&gradient, width, &gpu), 0.2);
    same("its gradient", &found, &expected, 1e-5);
}

#[test]
fn the_cross_entropy_of_one_block_a_row_leaves_the_others_alone() {
    let Some(gpu) = gpu() else { return };
    let (spans, width) = layout();
    let kernels = Spans::new(&spans, &gpu).expect("a GPU has kernels");
    let logits = values(3, width);
    let blocks: Vec<Span> = spans.iter().copied().filter(|span| span.is_block()).collect();
    let asked: Vec<(Span, usize)> =
        (0..ROWS).map(|row| (blocks[row % blocks.len()], row * 7)).map(|(span, at)| (span, span.start + at % span.width)).collect();
    let (mut losses, mut gradient) = (Vec::new(), vec![0.0; ROWS * width]);
    for ((&(span, wanted), logits), gradient) in asked.iter().zip(logits.chunks_exact(width)).zip(gradient.chunks_exact_mut(width)) {
        let mut chances: Vec<f64> = logits[span.start..][..span.width].iter().map(|&x| f64::from(x)).collect();
        softmax(&mut chances);
        losses.push(-chances[wanted - span.start].ln());
        chances[wanted - span.start] -= 1.0;
        gradient[span.start..][..span.width].iter_mut().zip(chances).for_each(|(g, chance)| *g = chance / ROWS as f64);
    }
    let places: Tensor<1, Int> = host::indices(asked.iter().map(|&(_, wanted)| wanted as i32).collect(), &gpu);
    let (found_losses, found) = kernels.cross_entropy(on(&logits, width, &gpu), places);
    same("the losses", &found_losses.unsqueeze_dim::<2>(0), &losses, 2e-5);
    same("their gradient", &found, &gradient, 1e-6);
}

#[test]
fn rows_are_written_out_where_they_are_used() {
    let Some(gpu) = gpu() else { return };
    let (spans, width) = layout();
    let kernels = Spans::new(&spans, &gpu).expect("a GPU has kernels");
    let outputs: Vec<i32> = (0..ROWS).flat_map(|row| spans.iter().map(move |span| (span.start + row * 11 % span.width) as i32)).collect();
    let values = Stream::new(5, 4).matrix(0..ROWS as u64, spans.len(), Stream::normals);
    let chosen = [5, 0, 36, 5];
    let mut expected = vec![0.0; chosen.len() * width];
    for (row, out) in chosen.iter().zip(expected.chunks_exact_mut(width)) {
        let known = outputs.iter().zip(&values).skip(row * spans.len()).take(spans.len());
        known.for_each(|(&output, &value)| out[output as usize] = f64::from(value));
    }
    let outputs = host::indices(outputs, &gpu).reshape([ROWS, spans.len()]);
    let chosen = host::indices(chosen.iter().map(|&row| row as i32).collect(), &gpu);
    same("rows", &kernels.rows(outputs, on(&values, spans.len(), &gpu), chosen), &expected, 0.0);
}

#[test]
fn spans_need_kernels() {
    assert!(Spans::new(&layout().0, &Device::flex()).is_none());
}

#[test]
fn unit_vectors_are_counts_of_places() {
    let Some(gpu) = gpu() else { return };
    for (rows, each, width) in [(1, 1, 1), (7, 1, 300), (5, 3, 17), (64, 10, 129)] {
        let places: Vec<i32> = (0..rows * each).map(|at| Stream::new(8, 0).below(0, at as u32, width as u64) as i32).collect();
        let mut expected = vec![0.0; rows * width];
        places.iter().enumerate().for_each(|(at, &place)| expected[at / each * width + place as usize] += 1.0);
        let found = unit_vectors(host::indices(places, &gpu), each, width);
        assert_eq!(found.dims(), [rows, width]);
        host::read(&found, |found| assert_eq!(found, expected, "{rows} rows of {each} in {width}"));
    }
}
