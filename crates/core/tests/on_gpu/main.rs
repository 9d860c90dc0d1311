//! The kernels of this crate on an adapter, held against the CPU. Without an adapter of the build's backends the tests say so and do nothing.
//!
//! `.ci/wgpu` runs them on software Vulkan.
#![allow(clippy::print_stdout, reason = "a test says what it skipped and how near it came")]

mod layers;
mod multi_tensor;
mod numbers;

use burn::tensor::Device;
use semblant_core::device;
use semblant_core::seeds::Stream;

/// The first device that is not the CPU. What kernels leave unwritten is NaN there.
fn gpu() -> Option<Device> {
    let listed = device::list().into_iter().flat_map(|backend| backend.devices).find(|device| device.name != "cpu");
    let Some(listed) = listed else {
        println!("skipped: this machine has no adapter for the backends of this build");
        return None;
    };
    #[cfg(any(feature = "cuda", feature = "wgpu"))]
    semblant_core::custom::poison_outputs();
    Some(device::select(&listed.name).expect("listed"))
}

/// Random numbers that the device makes itself: odd widths, rows on both sides of the 32 bits that a device counts with, and enough of them
/// that a wrong lowest bit would change some factor of dropout.
#[test]
fn random_numbers_are_those_of_the_cpu() {
    let Some(gpu) = gpu() else { return };
    let mut worst = numbers::Worst::default();
    for (seed, number) in [(0, 0), (7, 3), (u64::MAX, u32::MAX), (0x0123_4567_89ab_cdef, 0x4000_0001)] {
        let stream = Stream::new(seed, number);
        for first in [0, 12_345, (1 << 32) - 3, 5 << 32 | 6, u64::MAX - 9] {
            for width in [1, 7, 64, 129] {
                numbers::same_numbers(&stream, first..first + 7, width, &gpu, &mut worst);
            }
        }
        numbers::same_numbers(&stream, 0..700, 1000, &gpu, &mut worst);
    }
    // Here the 24 bits of a number are all 1 (a logarithm's, then an angle's) and all 0.
    for row in [1_205_178, 10_174_669, 9_373_564] {
        numbers::same_numbers(&Stream::new(0, 0), row..row + 1, 64, &gpu, &mut worst);
    }
    println!("in units of the tolerance: {worst:?}");
    numbers::slices_are_the_whole(&gpu);
}
