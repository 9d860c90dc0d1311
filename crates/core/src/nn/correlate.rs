//! Sums over shifted planes: the inner loops of a convolution and of its gradients.
//!
//! Planes are padded with zeros once, and every tap of a kernel is an offset into them. So no matrix of patches is ever written, which
//! for a 3 x 3 kernel would be nine times the image; a tile of outputs stays in registers while all channels and taps pass by.

use pulp::{Simd, WithSimd, bytemuck};

/// Output channels of a tile.
const OUTPUTS: usize = 5;
/// Vectors of pixels of a tile. Ten sums hide the latency of a multiplication; twelve would be a register too many for AVX2: the compiler
/// then keeps one of them in memory.
const VECTORS: usize = 2;
/// Terms (channel, tap) that pass before the next outputs: their pixels and weights stay in the first cache.
const TERMS: usize = 288;

/// A lane that is no pixel.
const NOWHERE: u32 = u32::MAX;

/// Floats in a vector of this machine.
pub(crate) fn lanes() -> usize {
    struct Lanes;
    impl WithSimd for Lanes {
        type Output = usize;
        #[inline(always)]
        fn with_simd<S: Simd>(self, _: S) -> usize {
            S::F32_LANES
        }
    }
    pulp::Arch::new().dispatch(Lanes)
}

/// A grid of pixels cut into vectors: pixel (i, j) lies at `i * pitch + j` of every plane that it is computed from.
pub(crate) struct Grid {
    /// Where each vector begins in a plane.
    pub(crate) starts: Vec<usize>,
    /// For every lane of every vector its index in the output, or [`NOWHERE`].
    targets: Vec<u32>,
    /// For every vector the target of its first lane if all its lanes land side by side, as those of most vectors do, or [`NOWHERE`].
    straight: Vec<u32>,
    lanes: usize,
}

impl Grid {
    /// The pixels `rows x columns` (first and last + 1); `target` is the index of pixel (i, j) in the output.
    pub(crate) fn new(rows: (usize, usize), columns: (usize, usize), pitch: usize, target: impl Fn(usize, usize) -> usize) -> Self {
        let lanes = lanes();
        let by_row = (rows.1 - rows.0) * (columns.1 - columns.0).div_ceil(lanes);
        let (first, end) = (rows.0 * pitch + columns.0, (rows.1 - 1) * pitch + columns.1);
        // Narrow images waste most of a vector a row; there the vectors run on over the padding.
        let by_row = by_row <= (end - first).div_ceil(lanes);
        let starts: Vec<usize> = if by_row {
            (rows.0..rows.1).flat_map(|i| (columns.0..columns.1).step_by(lanes).map(move |j| i * pitch + j)).collect()
        } else {
            (first..end).step_by(lanes).collect()
        };
        let place = |place: usize| {
            let (i, j) = (place / pitch, place % pitch);
            let inside = (rows.0..rows.1).contains(&i) && (columns.0..columns.1).contains(&j);
            if inside { target(i, j) as u32 } else { NOWHERE }
        };
        // By rows, a vector that reaches over the end of its columns may reach into the next row: those pixels have a vector of their own.
        let targets: Vec<u32> = starts
            .iter()
            .flat_map(|&start| (start..start + lanes).map(move |p| (start, p)))
            .map(|(start, p)| if by_row && p / pitch != start / pitch { NOWHERE } else { place(p) })
            .collect();
        let straight = targets.chunks_exact(lanes).map(|targets| {
            let side_by_side = targets.windows(2).all(|pair| pair[0] != NOWHERE && pair[1] == pair[0] + 1);
            if side_by_side { targets[0] } else { NOWHERE }
        });
        Self { straight: straight.collect(), starts, targets, lanes }
    }

    /// One more than the last place that a vector covers.
    fn reach(&self) -> usize {
        self.starts.iter().max().map_or(0, |last| last + self.lanes)
    }

    fn scatter(&self, vector: usize, values: &[f32], out: &mut [f32]) {
        if self.straight[vector] != NOWHERE {
            out[self.straight[vector] as usize..][..values.len()].copy_from_slice(values);
            return;
        }
        for (&target, &value) in self.targets[vector * self.lanes..].iter().zip(values) {
            if target != NOWHERE {
                out[target as usize] = value;
            }
        }
    }

    /// The inverse of a scatter, with zeros for what is no pixel: `out` gets [`Grid::len`] values.
    pub(crate) fn gather(&self, values: &[f32], out: &mut [f32]) {
        let vectors = self.targets.chunks_exact(self.lanes).zip(&self.straight);
        for ((targets, &straight), out) in vectors.zip(out.chunks_exact_mut(self.lanes)) {
            if straight != NOWHERE {
                out.copy_from_slice(&values[straight as usize..][..self.lanes]);
                continue;
            }
            for (&target, out) in targets.iter().zip(out) {
                *out = if target == NOWHERE { 0.0 } else { values[target as usize] };
            }
        }
    }

    /// Lanes in all vectors.
    pub(crate) fn len(&self) -> usize {
        self.targets.len()
    }
}

/// `out[o][target(p)] = bias[o] + sum over terms t of weights[o][t] * planes[p + offsets[t]]` for all pixels p of the grid.
pub(crate) struct Correlate<'a> {
    pub(crate) grid: &'a Grid,
    /// Where each term's values lie, from the pixel's place on.
    pub(crate) offsets: &'a [usize],
    /// `[outputs / OUTPUTS, terms, OUTPUTS]`, see [`pack`].
    pub(crate) weights: &'a [f32],
    /// `[outputs]`, or nothing for zeros.
    pub(crate) bias: &'a [f32],
    pub(crate) planes: &'a [f32],
    /// `[outputs, plane]`.
    pub(crate) out: &'a mut [f32],
    pub(crate) outputs: usize,
}

/// Weights in the order in which [`Correlate`] reads them; `weight(output, term)`, zeros where the last outputs are missing.
pub(crate) fn pack(outputs: usize, terms: usize, weight: impl Fn(usize, usize) -> f32) -> Vec<f32> {
    let mut packed = Vec::with_capacity(outputs.next_multiple_of(OUTPUTS) * terms);
    for block in 0..outputs.div_ceil(OUTPUTS) {
        for term in 0..terms {
            packed.extend((block * OUTPUTS..(block + 1) * OUTPUTS).map(|output| if output < outputs { weight(output, term) } else { 0.0 }));
        }
    }
    packed
}

impl WithSimd for Correlate<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { grid, offsets, weights, bias, planes, out, outputs } = self;
        let terms = offsets.len();
        let blocks = outputs.div_ceil(OUTPUTS);
        let (weights, _) = weights.as_chunks::<OUTPUTS>();
        assert!(grid.lanes == S::F32_LANES && weights.len() == blocks * terms, "grid and weights fit");
        assert!(grid.reach() + offsets.iter().max().copied().unwrap_or(0) <= planes.len(), "every tap lies within the planes");
        let mut sums = vec![[[simd.splat_f32s(0.0); VECTORS]; OUTPUTS]; blocks];
        let plane = out.len() / outputs;
        for (tile, starts) in grid.starts.chunks(VECTORS).enumerate() {
            // A tile with fewer vectors does its last one again.
            let starts: [usize; VECTORS] = std::array::from_fn(|vector| starts[vector.min(starts.len() - 1)]);
            for (block, sums) in sums.iter_mut().enumerate() {
                *sums = std::array::from_fn(|o| [simd.splat_f32s(bias.get(block * OUTPUTS + o).copied().unwrap_or(0.0)); VECTORS]);
            }
            for first in (0..terms).step_by(TERMS) {
                let part = first..(first + TERMS).min(terms);
                for (block, sums) in sums.iter_mut().enumerate() {
                    let weights = &weights[block * terms + part.start..block * terms + part.end];
                    // SAFETY: asserted above for the furthest offset and the furthest start.
                    unsafe { add_terms(simd, planes, starts, &offsets[part.clone()], weights, sums) };
                }
            }
            for output in 0..outputs {
                let sums: &[f32] = bytemuck::cast_slice(&sums[output / OUTPUTS][output % OUTPUTS]);
                let out = &mut out[output * plane..(output + 1) * plane];
                for (vector, sums) in sums.chunks_exact(S::F32_LANES).enumerate() {
                    if tile * VECTORS + vector < grid.starts.len() {
                        grid.scatter(tile * VECTORS + vector, sums, out);
                    }
                }
            }
        }
    }
}

/// The terms of one tile.
///
/// # Safety
/// Every start plus every offset plus the vector's lanes lies within `planes`.
#[inline(always)]
unsafe fn add_terms<S: Simd>(
    simd: S,
    planes: &[f32],
    starts: [usize; VECTORS],
    offsets: &[usize],
    weights: &[[f32; OUTPUTS]],
    sums: &mut [[S::f32s; VECTORS]; OUTPUTS],
) {
    let (weights, mut local) = (&weights[..offsets.len()], *sums);
    for (term, &offset) in offsets.iter().enumerate() {
        // SAFETY: the caller's promise.
        let read = |start: usize| unsafe { planes.as_ptr().add(start + offset).cast::<S::f32s>().read_unaligned() };
        let pixels = starts.map(read);
        for (output, sums) in local.iter_mut().enumerate() {
            let weight = simd.splat_f32s(weights[term][output]);
            for (sum, &pixels) in sums.iter_mut().zip(&pixels) {
                *sum = simd.mul_add_e_f32s(weight, pixels, *sum);
            }
        }
    }
    *sums = local;
}

/// `out[o][t] += sum over vectors v and lanes l of gradient[o][v][l] * planes[starts[v] + offsets[t] + l]`: the gradient of the weights.
pub(crate) struct CorrelateWeights<'a> {
    /// Where each vector of pixels begins in the planes; several images may follow each other.
    pub(crate) starts: &'a [usize],
    pub(crate) offsets: &'a [usize],
    pub(crate) planes: &'a [f32],
    /// `[outputs, vectors, lanes]`, zero where a lane is no pixel.
    pub(crate) gradient: &'a [f32],
    /// `[outputs, terms]`.
    pub(crate) out: &'a mut [f32],
}

/// Outputs of a tile of weights.
const ROWS: usize = 4;
/// Terms of a tile of weights.
const COLUMNS: usize = 3;

impl WithSimd for CorrelateWeights<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { starts, offsets, planes, gradient, out } = self;
        let terms = offsets.len();
        let outputs = out.len() / terms;
        let length = starts.len() * S::F32_LANES;
        assert_eq!(gradient.len(), outputs * length, "the gradient has a vector for every start");
        let reach = starts.iter().max().copied().unwrap_or(0) + offsets.iter().max().copied().unwrap_or(0) + S::F32_LANES;
        assert!(reach <= planes.len(), "every tap lies within the planes");
        for first in (0..outputs).step_by(ROWS) {
            let rows: [&[f32]; ROWS] = std::array::from_fn(|o| &gradient[(first + o).min(outputs - 1) * length..][..length]);
            for (column, offsets) in offsets.chunks(COLUMNS).enumerate() {
                let places: [usize; COLUMNS] = std::array::from_fn(|c| offsets[c.min(offsets.len() - 1)]);
                let mut sums = [[simd.splat_f32s(0.0); COLUMNS]; ROWS];
                for (vector, &start) in starts.iter().enumerate() {
                    // SAFETY: asserted above for the furthest offset and the furthest start, and for the gradient's length.
                    let read = |values: &[f32], at: usize| unsafe { values.as_ptr().add(at).cast::<S::f32s>().read_unaligned() };
                    let pixels = places.map(|place| read(planes, start + place));
                    for (sums, row) in sums.iter_mut().zip(&rows) {
                        let slope = read(row, vector * S::F32_LANES);
                        for (sum, &pixels) in sums.iter_mut().zip(&pixels) {
                            *sum = simd.mul_add_e_f32s(slope, pixels, *sum);
                        }
                    }
                }
                for (o, sums) in sums.iter().enumerate().take(outputs - first) {
                    for (c, &sum) in sums.iter().enumerate().take(offsets.len()) {
                        out[(first + o) * terms + column * COLUMNS + c] += simd.reduce_sum_f32s(sum);
                    }
                }
            }
        }
    }
}
