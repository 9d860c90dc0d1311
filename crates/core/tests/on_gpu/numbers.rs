//! Random numbers of a device, held against the CPU's.

use std::ops::Range;

use burn::tensor::{Device, Tensor};
use semblant_core::host;
use semblant_core::seeds::Stream;

/// How far normal and Gumbel numbers may lie from the CPU's, in units of the greater of 1 and the number: a compiler may round a product
/// and a sum once where the CPU rounds twice, and a root may be off by its last bit.
const TOLERANCE: f32 = 1e-6;

/// The greatest differences that were seen, of normals and of Gumbels, in units of the tolerance.
#[derive(Debug, Default)]
pub(crate) struct Worst {
    pub(crate) normal: f32,
    pub(crate) gumbel: f32,
}

fn values(tensor: &Tensor<2>) -> Vec<f32> {
    host::read(tensor, <[f32]>::to_vec)
}

fn near(what: &str, found: &[f32], expected: &[f32], worst: &mut f32) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (place, (found, expected)) in found.iter().zip(expected).enumerate() {
        let off = (found - expected).abs() / (TOLERANCE * expected.abs().max(1.0));
        assert!(off <= 1.0, "{what}: {found} for {expected} at {place}");
        *worst = worst.max(off);
    }
}

/// All four laws of `rows`: uniforms and factors bit for bit, normals and Gumbels within the tolerance.
pub(crate) fn same_numbers(stream: &Stream, rows: Range<u64>, width: usize, device: &Device, worst: &mut Worst) {
    let what = format!("{stream:?}, rows {rows:?} of {width}");
    let shape = [(rows.end - rows.start) as usize, width];
    let uniforms = stream.uniforms_on(rows.clone(), width, device);
    assert_eq!(uniforms.dims(), shape, "{what}");
    assert_eq!(values(&uniforms), stream.matrix(rows.clone(), width, Stream::uniforms), "{what}: uniforms");
    for keep in [0.5, 0.9, 0.123] {
        let expected = stream.matrix(rows.clone(), width, |stream, row, out| stream.dropout(row, keep, out));
        assert_eq!(values(&stream.dropout_on(rows.clone(), width, keep, device)), expected, "{what}: dropout that keeps {keep}");
    }
    let normals = values(&stream.normals_on(rows.clone(), width, device));
    near(&format!("{what}: normals"), &normals, &stream.matrix(rows.clone(), width, Stream::normals), &mut worst.normal);
    let gumbels = values(&stream.gumbels_on(rows.clone(), width, device));
    near(&format!("{what}: Gumbels"), &gumbels, &stream.matrix(rows, width, Stream::gumbels), &mut worst.gumbel);
}

/// A slice of rows has the whole's bits, and so have the numbers that other operations are fused with.
pub(crate) fn slices_are_the_whole(device: &Device) {
    let stream = Stream::new(7, 3);
    let (whole, slice) = (stream.normals_on(0..100, 37, device), stream.normals_on(40..60, 37, device));
    assert_eq!(values(&whole)[40 * 37..60 * 37], values(&slice)[..]);
    assert_eq!(values(&whole.slice([40..60])), values(&slice), "a slice of the tensor");
    // A power of two is exact.
    let used = stream.normals_on(40..60, 37, device) * 4.0 * stream.dropout_on(40..60, 37, 0.5, device);
    let factors = stream.matrix(40..60, 37, |stream, row, out| stream.dropout(row, 0.5, out));
    let expected: Vec<f32> = values(&slice).iter().zip(factors).map(|(normal, factor)| normal * 4.0 * factor).collect();
    assert_eq!(values(&used), expected, "among other operations");
    let tracked = stream.normals_on(40..60, 37, &device.clone().autodiff());
    assert!(!tracked.device().is_autodiff(), "random numbers have no gradient");
    assert_eq!(values(&tracked), values(&slice));
    assert_eq!(stream.normals_on(4..4, 7, device).dims(), [0, 7], "no rows");
}
