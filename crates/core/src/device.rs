//! Choosing a device by name at run time, and listing what there is to choose from.

use std::panic;
use std::sync::Mutex;

use burn::tensor::{Device, Tensor};
use serde::Serialize;

use crate::{Error, Result, host, kernels};

/// A device backend: whether this build has it, and what it finds on this machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Backend {
    /// The part of a device's name before the number.
    pub name: &'static str,
    /// The Cargo feature that builds it in; the CPU needs none.
    pub feature: Option<&'static str>,
    /// Whether this build has it.
    pub built: bool,
    /// What it found.
    pub devices: Vec<Listed>,
    /// Why there is nothing to be had, when there is nothing.
    pub missing: Option<String>,
}

/// A device that can be chosen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Listed {
    /// The name that [`select`] takes.
    pub name: String,
    /// What the device calls itself.
    pub description: String,
    /// Whether it is a program on the CPU that only looks like a GPU; `auto` passes such devices over.
    pub software: bool,
}

/// A device, and a note on how it was chosen.
#[derive(Debug, Clone)]
pub struct Choice {
    /// The device.
    pub device: Device,
    /// One line for the user, when `auto` ended at the CPU.
    pub note: Option<String>,
}

/// The GPU backends, in the order in which `auto` tries them.
const BACKENDS: [&str; 2] = ["cuda", "wgpu"];

/// The device called `name`: `auto`, `cpu`, `cuda:N` or `wgpu:N` (`cuda` and `wgpu` mean number 0).
///
/// `auto` takes the first GPU that this build can use and this machine offers, else the CPU.
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
    choose(name).map(|choice| choice.device)
}

/// As [`select`], with a note on the choice.
///
/// # Errors
/// As [`select`].
pub fn choose(name: &str) -> Result<Choice> {
    let (backend, number) = name.split_once(':').unwrap_or((name, "0"));
    let index: usize = number
        .parse()
        .map_err(|_| Error::Device(format!("device \"{name}\": \"{number}\" is not a device number; write for example cuda:0")))?;
    let plain = |device| Choice { device, note: None };
    match backend {
        "cpu" if index == 0 => Ok(plain(Device::flex())),
        "auto" if index == 0 => Ok(automatic()),
        "cuda" | "wgpu" => numbered(backend, index).map(plain),
        _ => Err(Error::Device(format!("device \"{name}\" is not known; choose auto, cpu, cuda:0 or wgpu:0"))),
    }
}

/// The first GPU that answers, else the CPU with the reasons.
fn automatic() -> Choice {
    let mut reasons = Vec::new();
    for backend in BACKENDS {
        let found = devices(backend).and_then(|found| {
            let gpu = found.into_iter().enumerate().find(|(_, device)| !is_software(device));
            let (index, device) = gpu.ok_or_else(|| Error::Device("it finds no GPU on this machine".into()))?;
            open(&format!("{backend}:{index}"), &device).map(|_| device)
        });
        match found {
            Ok(device) => return Choice { device, note: None },
            Err(_) if !is_built(backend) => reasons.push(format!("{backend} is not in this build")),
            Err(error) => reasons.push(format!("{backend}: {error}")),
        }
    }
    Choice { device: Device::flex(), note: Some(format!("device auto: running on the CPU ({})", reasons.join("; "))) }
}

fn numbered(backend: &str, index: usize) -> Result<Device> {
    let name = format!("{backend}:{index}");
    let found = devices(backend)?;
    let count = found.len();
    let Some(device) = found.into_iter().nth(index) else {
        let why = if count == 0 { format!(": {}", nothing_found(backend)) } else { String::new() };
        return Err(Error::Device(format!("device \"{name}\": this machine has {count} such devices{why}; use --device cpu")));
    };
    open(&name, &device).map(|_| device)
}

/// What to look at when a backend finds nothing.
fn nothing_found(backend: &str) -> &'static str {
    match backend {
        "cuda" => "the NVIDIA driver (libcuda) is missing or sees no GPU",
        _ => "there is no Vulkan, Metal or Direct3D adapter",
    }
}

/// Every backend there can be, with what this build and this machine have of it. Opens every device that it lists.
pub fn list() -> Vec<Backend> {
    let cpu = Listed { name: "cpu".into(), description: "this machine's processor".into(), software: false };
    let mut all = vec![Backend { name: "cpu", feature: None, built: true, devices: vec![cpu], missing: None }];
    for name in BACKENDS {
        let mut backend = Backend { name, feature: Some(name), built: is_built(name), devices: Vec::new(), missing: None };
        match devices(name) {
            Ok(found) if found.is_empty() => backend.missing = Some(nothing_found(name).into()),
            Err(error) => backend.missing = Some(error.to_string()),
            Ok(found) => {
                for (index, device) in found.iter().enumerate() {
                    let name = format!("{name}:{index}");
                    match open(&name, device) {
                        Ok(description) => backend.devices.push(Listed { name, description, software: is_software(device) }),
                        Err(error) => backend.missing = Some(error.to_string()),
                    }
                }
            }
        }
        all.push(backend);
    }
    all
}

/// The name under which [`select`] finds `device` again.
pub fn name(device: &Device) -> String {
    if *device == Device::flex() {
        return "cpu".into();
    }
    let number = |backend: &str| {
        let place = devices(backend).ok()?.iter().position(|found| found == device)?;
        Some(format!("{backend}:{place}"))
    };
    BACKENDS.into_iter().find_map(number).unwrap_or_else(|| format!("{device:?}"))
}

/// Whether the kernels of this crate run on `device`: a GPU's, in a build with a GPU's backend.
pub fn has_kernels(device: &Device) -> bool {
    cfg!(any(feature = "cuda", feature = "wgpu")) && *device != Device::flex()
}

fn is_built(backend: &str) -> bool {
    let (cuda, wgpu) = (cfg!(feature = "cuda"), cfg!(feature = "wgpu"));
    if backend == "cuda" { cuda } else { wgpu }
}

/// What a backend enumerates, in its own order. Nothing uses a GPU before this does.
fn devices(backend: &str) -> Result<Vec<Device>> {
    kernels::configure(kernels::Tuning::default());
    match backend {
        #[cfg(feature = "cuda")]
        "cuda" => quietly(|| Device::enumerate(burn::tensor::DeviceType::Cuda).into_vec()).map_err(|why| failed("cuda", &why)),
        #[cfg(feature = "wgpu")]
        "wgpu" => quietly(|| Device::enumerate(burn::tensor::DeviceType::Wgpu).into_vec()).map_err(|why| failed("wgpu", &why)),
        _ => Err(Error::Device(format!(
            "device \"{backend}\": this build has no {backend} backend; build it with `cargo build --features {backend}`"
        ))),
    }
}

/// Has a device do one small sum, so that a driver or a compiler that is missing is found here and not in the middle of a fit. Gives
/// what the device calls itself.
fn open(name: &str, device: &Device) -> Result<String> {
    let answer = quietly(|| {
        let two = host::scalar(Tensor::<1>::from_floats([1.0], device) + 1.0);
        (two, description(device))
    });
    match answer {
        Ok((2.0, description)) => Ok(description),
        Ok((other, _)) => Err(failed(name, &format!("it finds that 1 + 1 = {other}"))),
        Err(why) => Err(failed(name, &why)),
    }
}

fn failed(name: &str, why: &str) -> Error {
    Error::Device(format!("device \"{name}\" could not be started: {why}; see `semblant devices`, or use the device cpu"))
}

#[cfg(any(feature = "cuda", feature = "wgpu"))]
fn description(device: &Device) -> String {
    device.identity().map_or_else(|| format!("{device:?}"), |identity| identity.name)
}

#[cfg(not(any(feature = "cuda", feature = "wgpu")))]
fn description(device: &Device) -> String {
    format!("{device:?}")
}

#[cfg(feature = "wgpu")]
fn is_software(device: &Device) -> bool {
    use burn::backend::{CubeDevice, DispatchDevice, WgpuDeviceKind};
    matches!(device.as_dispatch(), DispatchDevice::Cube(CubeDevice::Wgpu(wgpu)) if wgpu.kind == WgpuDeviceKind::Cpu)
}

#[cfg(not(feature = "wgpu"))]
fn is_software(_: &Device) -> bool {
    false
}

/// Runs what may panic for want of a driver, a library or an adapter, and gives the panic's words instead of printing them.
///
/// A driver is asked from threads of its own, so the hook is that of the process; it is put back at once.
pub(crate) fn quietly<T>(ask: impl FnOnce() -> T) -> std::result::Result<T, String> {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let before = panic::take_hook();
    panic::set_hook(Box::new(|_| {}));
    let answer = panic::catch_unwind(panic::AssertUnwindSafe(ask));
    panic::set_hook(before);
    answer.map_err(|panic| {
        let text = panic.downcast_ref::<String>().cloned().or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string));
        text.map_or_else(|| "its driver failed".into(), |text| text.split_whitespace().collect::<Vec<_>>().join(" "))
    })
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
        #[cfg(feature = "wgpu")]
        assert!(select("wgpu:99").expect_err("no machine has so many").to_string().contains("such devices"));
    }

    #[test]
    fn auto_takes_the_cpu_only_with_a_reason() {
        let choice = choose("auto").expect("always something");
        assert_eq!(choice.note.is_some(), choice.device == Device::flex());
        #[cfg(not(any(feature = "cuda", feature = "wgpu")))]
        assert!(choice.note.expect("a CPU build").contains("cuda is not in this build; wgpu is not in this build"));
    }

    #[test]
    fn the_list_names_what_can_be_selected_and_what_is_missing() {
        let all = list();
        assert_eq!(all.iter().map(|backend| backend.name).collect::<Vec<_>>(), ["cpu", "cuda", "wgpu"]);
        for backend in all {
            assert_eq!(backend.devices.is_empty(), backend.missing.is_some(), "{backend:?}");
            for device in &backend.devices {
                assert_eq!(name(&select(&device.name).expect("listed")), device.name);
            }
            if !backend.built {
                assert!(backend.missing.expect("not built").contains(&format!("--features {}", backend.name)));
            }
        }
    }

    #[test]
    fn a_panic_becomes_words() {
        assert_eq!(quietly(|| -> u8 { panic!("no\n driver {}", 7) }).expect_err("it panics"), "no driver 7");
        assert_eq!(quietly(|| 3), Ok(3));
    }
}
