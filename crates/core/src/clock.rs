//! Where a recorded step stands, as a tensor. A recording repeats the numbers that were passed to its kernels, so what changes from step to
//! step must come out of a buffer: the step's index, by which random numbers are addressed, how much of a weight average stays, and each
//! optimizer's rate and correction.
//!
//! Values are whole numbers below 2^24 or plain floats, since a device may flush other patterns of bits.

use std::cell::RefCell;

#[cfg(any(feature = "cuda", feature = "wgpu"))]
use burn::tensor::Device;
use burn::tensor::Tensor;

/// Bits of an index that one value holds exactly.
const BITS: u32 = 24;
/// Where the share of a weight average stands.
#[cfg(any(feature = "cuda", feature = "wgpu"))]
pub(crate) const KEEP: usize = 2;
/// Where the optimizers' numbers begin, two for each.
const PAIRS: usize = 3;

/// A clock that is being read.
struct Reading {
    values: Tensor<1>,
    /// The step that the host takes this one for.
    #[cfg_attr(not(any(feature = "cuda", feature = "wgpu")), expect(dead_code, reason = "only kernels count rows by a clock"))]
    step: u64,
    /// How many optimizers have read theirs.
    pairs: usize,
}

thread_local! {
    // A step runs on the thread that trains.
    static CURRENT: RefCell<Option<Reading>> = const { RefCell::new(None) };
}

/// The values of a clock.
pub(crate) fn values(step: u64, keep: f64, pairs: impl Iterator<Item = [f32; 2]>) -> Vec<f32> {
    let low = (1 << BITS) - 1;
    let mut values = vec![(step & low) as f32, (step >> BITS) as f32, keep as f32];
    values.extend(pairs.flatten());
    values
}

/// Runs `work`, whose step is that of a clock, while the host takes it for `step`.
pub(crate) fn within<T>(values: Tensor<1>, step: u64, work: impl FnOnce() -> T) -> T {
    /// Ends the reading, also when `work` panics.
    struct End;
    impl Drop for End {
        fn drop(&mut self) {
            CURRENT.set(None);
        }
    }
    let _end = End;
    CURRENT.set(Some(Reading { values, step, pairs: 0 }));
    work()
}

/// A row as a device counts: `row` itself, or, in a recording, so many rows for every step of the clock behind it.
#[cfg(any(feature = "cuda", feature = "wgpu"))]
#[derive(Debug, Clone, Copy)]
pub(crate) struct Address {
    pub(crate) row: u64,
    pub(crate) per_step: u32,
    pub(crate) recorded: bool,
}

/// The clock, and where the numbers of the next optimizer stand in it.
pub(crate) fn next_pair() -> Option<(Tensor<1>, usize)> {
    CURRENT.with_borrow_mut(|current| {
        let reading = current.as_mut()?;
        reading.pairs += 1;
        Some((reading.values.clone(), PAIRS + 2 * (reading.pairs - 1)))
    })
}

/// The clock, for its [`KEEP`].
pub(crate) fn current() -> Option<Tensor<1>> {
    CURRENT.with_borrow(|current| current.as_ref().map(|reading| reading.values.clone()))
}

/// The address of a row that moves by `per_step` from one step to the next, with the clock that it is counted from; without a recording
/// some tensor of `device` instead, whose values nobody looks at.
#[cfg(any(feature = "cuda", feature = "wgpu"))]
pub(crate) fn address(row: u64, per_step: u64, device: &Device) -> (Tensor<1>, Address) {
    let per_step = per_step as u32;
    CURRENT.with_borrow(|current| match current {
        Some(Reading { values, step, .. }) => {
            let row = row.wrapping_sub(step.wrapping_mul(u64::from(per_step)));
            (values.clone(), Address { row, per_step, recorded: true })
        }
        None => (Tensor::empty([1], device), Address { row, per_step, recorded: false }),
    })
}
