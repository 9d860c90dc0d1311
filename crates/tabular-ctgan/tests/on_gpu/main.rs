//! The kernels of this crate on an adapter, against the CPU. Without an adapter of the build's backends the tests say so and do nothing.
//!
//! `.ci/wgpu` runs them on software Vulkan.
#![allow(clippy::print_stdout, reason = "a test says what it skipped and how near it came")]

mod condition_sampler;
mod spans;

use burn::tensor::Device;
use semblant_core::device;

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
