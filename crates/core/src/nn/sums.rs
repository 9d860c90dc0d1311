//! Sums as vector code.

/// Lanes of a sum: floating-point addition is not associative, so the compiler makes vector code only of sums that are written as such.
const LANES: usize = 16;

#[inline(always)]
pub(crate) fn sum_by(x: &[f32], f: impl Fn(f32) -> f32) -> f32 {
    let mut lanes = [0.0f32; LANES];
    let whole = x.chunks_exact(LANES);
    let rest = whole.remainder().iter().map(|&x| f(x)).sum::<f32>();
    for x in whole {
        for lane in 0..LANES {
            lanes[lane] += f(x[lane]);
        }
    }
    lanes.iter().sum::<f32>() + rest
}

#[inline(always)]
pub(crate) fn dot_by(a: &[f32], b: &[f32], f: impl Fn(f32, f32) -> f32) -> f32 {
    let mut lanes = [0.0f32; LANES];
    let (a_whole, b_whole) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    let rest = a_whole.remainder().iter().zip(b_whole.remainder()).map(|(&a, &b)| f(a, b)).sum::<f32>();
    for (a, b) in a_whole.zip(b_whole) {
        for lane in 0..LANES {
            lanes[lane] += f(a[lane], b[lane]);
        }
    }
    lanes.iter().sum::<f32>() + rest
}
