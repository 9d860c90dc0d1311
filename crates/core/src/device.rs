//! Choosing a device by name at run time.

use burn::tensor::Device;

use crate::{Error, Result};

/// The device called `name`: `auto`, `cpu`, `cuda:N` or `wgpu:N` (`cuda` and `wgpu` mean number 0).
///
/// `auto` takes the first GPU backend that this build has and this machine offers, else the CPU.
///
/// ```
/// # fn main() -> semblant_core::Result<()> {
/// let device = semblant_core::device::select("cpu")?;
/// assert_eq!(device, burn::tensor::Device::flex());
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// A name that is not understood, a backend that this build lacks (the message names the feature to enable), or a device that
/// this machine lacks.
pub fn select(name: &str) -> Result<Device> {
    let (backend, number) = name.split_once(':').unwrap_or((name, "0"));
    let index: usize = number
        .parse()
        .map_err(|_| Error::Device(format!("device \"{name}\": \"{number}\" is not a device number; write for example cuda:0")))?;
    match backend {
        "cpu" if index == 0 => Ok(Device::flex()),
        "auto" if index == 0 => Ok(cuda(index).or_else(|_| wgpu(index)).unwrap_or_else(|_| Device::flex())),
        "cuda" => cuda(index),
        "wgpu" => wgpu(index),
        _ => Err(Error::Device(format!("device \"{name}\" is not known; choose auto, cpu, cuda:0 or wgpu:0"))),
    }
}

/// The name under which [`select`] finds `device` again.
pub fn name(device: &Device) -> String {
    if crate::host::is_host(device) { "cpu".into() } else { format!("{device:?}") }
}

/// Asks a backend that may panic (no driver, no adapter) for one of its devices.
#[cfg(any(feature = "cuda", feature = "wgpu"))]
fn probe(name: String, kind: burn::tensor::DeviceType, index: usize) -> Result<Device> {
    let found = std::panic::catch_unwind(|| Device::enumerate(kind).into_vec())
        .map_err(|_| Error::Device(format!("device \"{name}\": its driver could not be started; use --device cpu")))?;
    let count = found.len();
    found
        .into_iter()
        .nth(index)
        .ok_or_else(|| Error::Device(format!("device \"{name}\": this machine offers {count} such devices; use --device cpu")))
}

#[cfg(feature = "cuda")]
fn cuda(index: usize) -> Result<Device> {
    probe(format!("cuda:{index}"), burn::tensor::DeviceType::Cuda, index)
}

#[cfg(not(feature = "cuda"))]
fn cuda(index: usize) -> Result<Device> {
    Err(lacking("cuda", index))
}

#[cfg(feature = "wgpu")]
fn wgpu(index: usize) -> Result<Device> {
    probe(format!("wgpu:{index}"), burn::tensor::DeviceType::Wgpu, index)
}

#[cfg(not(feature = "wgpu"))]
fn wgpu(index: usize) -> Result<Device> {
    Err(lacking("wgpu", index))
}

#[cfg(not(all(feature = "cuda", feature = "wgpu")))]
fn lacking(backend: &str, index: usize) -> Error {
    Error::Device(format!("device \"{backend}:{index}\": this build has no {backend} backend; build it with --features {backend}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_cannot_be_had_say_why() {
        for (name, part) in [("gpu", "choose auto"), ("cuda:x", "not a device number"), ("cpu:1", "choose auto")] {
            let message = select(name).expect_err("not a device").to_string();
            assert!(message.contains(part), "{message}");
        }
        #[cfg(not(feature = "cuda"))]
        assert!(select("cuda:0").expect_err("not built in").to_string().contains("--features cuda"));
        #[cfg(not(any(feature = "cuda", feature = "wgpu")))]
        assert_eq!(select("auto").expect("falls back"), Device::flex());
    }
}
