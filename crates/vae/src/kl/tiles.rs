//! Decoding in tiles that overlap and are blended, as diffusers' `AutoencoderKL.tiled_decode` does it.

use burn::tensor::Tensor;

/// Decodes `z [batch, channels, height, width]` in tiles of `tile` latent pixels, each of which becomes `times` pixels of a side.
pub(super) fn decode(z: Tensor<4>, tile: usize, times: usize, one: impl Fn(Tensor<4>) -> Tensor<4>) -> Tensor<4> {
    assert!(tile >= 4, "a tile of {tile} latent pixels has no room for an overlap; take 4 or more");
    let [_, _, height, width] = z.dims();
    let step = tile * 3 / 4;
    // What is blended, and what of a tile is kept, in pixels.
    let (blended, kept) = (tile * times / 4, tile * times - tile * times / 4);
    let mut rows: Vec<Tensor<4>> = Vec::new();
    let mut above: Vec<Tensor<4>> = Vec::new();
    for top in (0..height).step_by(step) {
        let mut row: Vec<Tensor<4>> = Vec::new();
        for (column, left) in (0..width).step_by(step).enumerate() {
            let part = z.clone().narrow(2, top, tile.min(height - top)).narrow(3, left, tile.min(width - left));
            let mut made = one(part);
            if let Some(above) = above.get(column) {
                made = blend(above.clone(), made, 2, blended);
            }
            if let Some(before) = row.last() {
                made = blend(before.clone(), made, 3, blended);
            }
            row.push(made);
        }
        let cut = row.iter().map(|made| {
            let [_, _, height, width] = made.dims();
            made.clone().narrow(2, 0, kept.min(height)).narrow(3, 0, kept.min(width))
        });
        rows.push(Tensor::cat(cut.collect(), 3));
        above = row;
    }
    Tensor::cat(rows, 2)
}

/// `after` with its beginning along a dimension turned gradually from the end of `before`.
fn blend(before: Tensor<4>, after: Tensor<4>, dim: usize, extent: usize) -> Tensor<4> {
    let (long, len) = (before.dims()[dim], after.dims()[dim]);
    let extent = extent.min(long).min(len);
    if extent == 0 {
        return after;
    }
    let ramp: Vec<f32> = (0..extent).map(|place| place as f32 / extent as f32).collect();
    let mut shape = [1; 4];
    shape[dim] = extent;
    let ramp = Tensor::<1>::from_floats(ramp.as_slice(), &after.device()).reshape(shape);
    let edge = before.narrow(dim, long - extent, extent) * (ramp.clone().neg() + 1.0) + after.clone().narrow(dim, 0, extent) * ramp;
    if extent == len {
        return edge;
    }
    Tensor::cat(vec![edge, after.narrow(dim, extent, len - extent)], dim)
}
