//! The numbers of [`Stream`] made on a GPU, by one kernel for every CubeCL runtime.
//!
//! One unit computes one Philox block, four words, and writes what they give to where the host's way puts it: the blocks of 16 lanes stand
//! word by word, so neighbouring units write neighbouring values. Rows are addressed by 64 bits in two halves, since shading languages
//! may have no wider integer than 32 bits.
//!
//! Words, uniforms and dropout's factors are the host's bit for bit. Normals and Gumbels come from the polynomials of [`crate::math`] in
//! the same order, but a compiler may contract a product and a sum into one rounding, and a device's square root may be off by an ulp.
//! What the host does by adding and taking away a large float is done in integers here, because shader compilers cancel the two.

use burn::backend::fusion::custom::TensorSpec;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, backend_extension};
use burn::tensor::DType;
use burn_cubecl::CubeBackend;
use burn_cubecl::cubecl;
use cubecl::prelude::*;

use super::device::Law;
use super::{CHUNK, LANES, Stream, dropout_limit};
use crate::custom::{empty, grid};

/// [`LANES`] and [`CHUNK`] as a device counts.
const LANE_COUNT: u32 = LANES as u32;
const CHUNK_WORDS: u32 = CHUNK as u32;

/// A matrix of random numbers: `[rows, width]`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Request {
    pub(super) stream: Stream,
    pub(super) law: Law,
    /// The share that dropout keeps; the other laws do not look at it.
    pub(super) keep: f32,
    pub(super) first_row: u64,
    pub(super) rows: u32,
    pub(super) width: u32,
}

impl Request {
    /// How many numbers one chunk of [`LANES`] blocks gives.
    fn chunk(&self) -> u32 {
        if self.law == Law::Dropout { 2 * CHUNK_WORDS } else { CHUNK_WORDS }
    }

    /// The Philox blocks of a row. A last chunk that is not full needs the lanes before its end: every lane's first number lies at its own
    /// index.
    fn blocks(&self) -> u32 {
        self.width / self.chunk() * LANE_COUNT + (self.width % self.chunk()).min(LANE_COUNT)
    }
}

fn described(_like: &TensorSpec, request: &Request) -> TensorSpec {
    TensorSpec::new([request.rows as usize, request.width as usize].into(), DType::F32)
}

/// The operation, as burn's dispatch and fusion know it. Numbers have no gradient, so there is none with autodiff.
#[backend_extension(Cube, Fusion)]
pub(super) trait Numbers: Backend {
    /// The numbers of `request`, on the device of `like`, whose values are not read.
    ///
    /// # Panics
    /// When the matrix is empty.
    #[fusion(meta = described)]
    fn numbers(like: FloatTensor<Self>, request: Request) -> FloatTensor<Self>;
}

impl Numbers for CubeBackend {
    fn numbers(like: FloatTensor<Self>, request: Request) -> FloatTensor<Self> {
        assert!(request.rows > 0 && request.width > 0, "an empty matrix has no kernel");
        let out = empty(&like, [request.rows as usize, request.width as usize]);
        let (count, dim) = grid(&like, request.rows as usize * request.blocks() as usize);
        let limit = dropout_limit(request.keep);
        numbers_kernel::launch(
            &like.client,
            count,
            dim,
            out.required_address_type(),
            out.clone().into_buffer_arg(),
            request.stream.key[0],
            request.stream.key[1],
            request.stream.stream,
            request.first_row as u32,
            (request.first_row >> 32) as u32,
            request.rows,
            request.width,
            request.blocks(),
            limit,
            65_536.0 / limit as f32,
            request.law,
        );
        out
    }
}

#[cube(launch, address_type = "dynamic")]
fn numbers_kernel(
    out: &mut [f32],
    key_low: u32,
    key_high: u32,
    stream: u32,
    first_row_low: u32,
    first_row_high: u32,
    rows: u32,
    width: u32,
    blocks: u32,
    limit: u32,
    factor: f32,
    #[comptime] law: Law,
) {
    let index = ABSOLUTE_POS / blocks as usize;
    if index >= rows as usize {
        terminate!();
    }
    let block = (ABSOLUTE_POS % blocks as usize) as u32;
    let row_low = first_row_low + index as u32;
    let row_high = first_row_high + select(row_low < first_row_low, 1u32, 0u32);
    let words = philox(key_low, key_high, block, stream, row_low, row_high);

    let (chunk, lane) = (block / LANE_COUNT, block % LANE_COUNT);
    let start = index * width as usize;
    if comptime!(law == Law::Dropout) {
        #[unroll]
        for word in 0..4u32 {
            let at = 2u32 * (chunk * CHUNK_WORDS + word * LANE_COUNT) + lane;
            let halves = words[word as usize];
            write(out, start, at, width, select(halves & 0xffffu32 < limit, factor, 0.0f32));
            write(out, start, at + LANE_COUNT, width, select(halves >> 16u32 < limit, factor, 0.0f32));
        }
    } else if comptime!(law == Law::Normal) {
        #[unroll]
        for pair in 0..2u32 {
            let at = chunk * CHUNK_WORDS + 2u32 * pair * LANE_COUNT + lane;
            let radius = (-2.0f32 * ln(unit(words[(2u32 * pair) as usize]))).sqrt();
            let (sine, cosine) = sin_cos_turn(words[(2u32 * pair + 1u32) as usize]);
            write(out, start, at, width, radius * cosine);
            write(out, start, at + LANE_COUNT, width, radius * sine);
        }
    } else {
        #[unroll]
        for word in 0..4u32 {
            let at = chunk * CHUNK_WORDS + word * LANE_COUNT + lane;
            let value = unit(words[word as usize]);
            if comptime!(law == Law::Gumbel) {
                write(out, start, at, width, -ln(-ln(value)));
            } else {
                write(out, start, at, width, value);
            }
        }
    }
}

/// Writes the number at `at` of the row that begins at `start`, where the row is that wide.
#[cube]
fn write(out: &mut [f32], start: usize, at: u32, width: u32, value: f32) {
    if at < width {
        out[start + at as usize] = value;
    }
}

/// See [`Stream::split`], for a bound of 32 bits: the whole number, then the upper and lower bits of the rest.
#[cube]
pub fn split(key_low: u32, key_high: u32, stream: u32, row_low: u32, row_high: u32, position: u32, bound: u32) -> (u32, u32, u32) {
    let words = philox(key_low, key_high, position, stream ^ 0x8000_0000u32, row_low, row_high);
    let (high, low) = (words[0usize] >> 11u32, (words[0usize] << 21u32) ^ (words[1usize] >> 11u32));
    let middle = low.mul_hi(bound) + high * bound;
    let carry = select(middle < high * bound, 1u32, 0u32);
    let top = high.mul_hi(bound) + carry;
    ((top << 11u32) | (middle >> 21u32), middle & 0x1f_ffffu32, low * bound)
}

/// See [`super::philox`].
#[cube]
fn philox(key_low: u32, key_high: u32, block: u32, stream: u32, row_low: u32, row_high: u32) -> Array<u32> {
    let mut keys = (key_low, key_high);
    let mut counter = Array::<u32>::new(4usize);
    counter[0] = block;
    counter[1] = stream;
    counter[2] = row_low;
    counter[3] = row_high;
    #[unroll]
    for _ in 0..10u32 {
        let (first, third) = (counter[0], counter[2]);
        counter[0] = third.mul_hi(0xCD9E_8D57u32) ^ counter[1] ^ keys.0;
        counter[2] = first.mul_hi(0xD251_1F53u32) ^ counter[3] ^ keys.1;
        counter[1] = third * 0xCD9E_8D57u32;
        counter[3] = first * 0xD251_1F53u32;
        keys.0 += 0x9E37_79B9u32;
        keys.1 += 0xBB67_AE85u32;
    }
    counter
}

/// The host's uniform number times 2^25. There `n + 0.5` is rounded to 24 bits, to the even number where two are as near, and is below 2^24; here
/// that is done on whole numbers, so that a device's way of rounding does not matter.
#[cube]
fn scaled_unit(word: u32) -> u32 {
    let n = word >> 8u32;
    let odd = select(n == 0xff_ffffu32, 0u32, n & 1u32);
    select(n < 0x80_0000u32, 2u32 * n + 1u32, 2u32 * (n + odd))
}

/// See [`super::unit`]. Exact: at most 24 of the bits are not 0.
#[cube]
fn unit(word: u32) -> f32 {
    f32::cast_from(scaled_unit(word)) * (1.0f32 / 33_554_432.0f32)
}

/// See [`crate::math::ln`].
#[cube]
fn ln(x: f32) -> f32 {
    let bits = u32::reinterpret(x) - 0x3f35_04f3u32;
    let exponent = f32::cast_from(i32::reinterpret(bits) >> 23i32);
    let m = f32::reinterpret((bits & 0x007f_ffffu32) + 0x3f35_04f3u32) - 1.0f32;
    let z = m * m;
    let p = 7.037_683_6e-2f32 * m - 1.151_461e-1f32;
    let p = p * m + 1.167_699_9e-1f32;
    let p = p * m - 1.242_014_1e-1f32;
    let p = p * m + 1.424_932_3e-1f32;
    let p = p * m - 1.666_805_8e-1f32;
    let p = p * m + 2.000_071_5e-1f32;
    let p = p * m - 2.499_999_4e-1f32;
    let p = p * m + 3.333_333_1e-1f32;
    let tail = p * m * z + exponent * -2.121_944_4e-4f32 - 0.5f32 * z;
    m + tail + exponent * 0.693_359_4f32
}

/// See [`crate::math::sin_cos_turn`], of the uniform number of `word`.
#[cube]
fn sin_cos_turn(word: u32) -> (f32, f32) {
    // The nearest quarter turn, the even one of two as near, and the rest as an angle in [-pi/4, pi/4].
    let scaled = scaled_unit(word);
    let quarter = (scaled + 0x3f_ffffu32 + ((scaled >> 23u32) & 1u32)) >> 23u32;
    let rest = f32::cast_from(i32::reinterpret(scaled - (quarter << 23u32))) * (1.0f32 / 8_388_608.0f32);
    let angle = rest * 1.570_796_4f32;
    let z = angle * angle;
    let sine = ((-1.951_529_6e-4f32 * z + 8.332_161e-3f32) * z - 1.666_665_5e-1f32) * z * angle + angle;
    let cosine = ((2.443_315_7e-5f32 * z - 1.388_731_6e-3f32) * z + 4.166_664_6e-2f32) * z * z - 0.5f32 * z + 1.0f32;
    let odd = quarter & 1u32 == 1u32;
    let (s, c) = (select(odd, cosine, sine), select(odd, sine, cosine));
    (select(quarter & 3u32 >= 2u32, -s, s), select((quarter + 1u32) & 3u32 >= 2u32, -c, c))
}
