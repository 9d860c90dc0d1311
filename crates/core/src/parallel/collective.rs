//! Sums that several GPUs take among themselves: burn's collective, which is NCCL's all-reduce on CUDA. Values go from one GPU to the other and
//! never through the host.

use std::thread;

use burn::tensor::distributed::{ReduceOperation, all_reduce};
use burn::tensor::{Device, Tensor};

use crate::device::quietly;
use crate::host;

/// The sum over all `devices` of what each of their workers brings here. Everyone must come: one who does not leaves the others' queues waiting.
pub(super) fn sum(values: Tensor<1>, devices: &[Device]) -> Tensor<1> {
    all_reduce(values, ReduceOperation::Sum, devices.to_vec()).resolve()
}

/// Has the devices take one sum among themselves.
///
/// # Errors
/// Says why they cannot.
pub(super) fn try_out(devices: &[Device]) -> Result<(), String> {
    if (1..devices.len()).any(|place| devices[..place].contains(&devices[place])) {
        return Err("a device is named twice".into());
    }
    devices.iter().try_for_each(has_transport)?;
    let sums = quietly(|| {
        // From threads of their own, as in a run: the first sum waits until everyone has come.
        thread::scope(|scope| {
            let one = |(worker, device): (usize, &Device)| {
                let (brought, device) = (numbers(&[worker]), device.clone());
                scope.spawn(move || {
                    let length = [brought.len()];
                    host::read(&sum(host::tensor(brought, length, &device), devices), <[f32]>::to_vec)
                })
            };
            let workers: Vec<_> = devices.iter().enumerate().map(one).collect();
            workers.into_iter().map(|worker| worker.join().unwrap_or_default()).collect::<Vec<_>>()
        })
    })?;
    let expected = numbers(&(0..devices.len()).collect::<Vec<_>>());
    if sums.iter().all(|sum| *sum == expected) { Ok(()) } else { Err("a trial of NCCL gave a wrong sum".into()) }
}

/// The sum of what these workers bring to a trial: whole numbers, so that their order does not matter.
fn numbers(workers: &[usize]) -> Vec<f32> {
    (0..1000).map(|place| workers.iter().map(|worker| (place * (worker + 1)) as f32).sum()).collect()
}

/// Whether a device can send to another by itself.
#[cfg(feature = "cuda")]
fn has_transport(device: &Device) -> Result<(), String> {
    use burn::backend::{CubeDevice, DispatchDevice};

    match device.as_dispatch() {
        DispatchDevice::Cube(device @ CubeDevice::Cuda(_)) => {
            let there = quietly(|| device.client().has_device_transport())?;
            if there { Ok(()) } else { Err("NCCL's library (libnccl) is not installed".into()) }
        }
        _ => Err("only CUDA devices add gradients by NCCL".into()),
    }
}

/// Whether a device can send to another by itself.
#[cfg(not(feature = "cuda"))]
fn has_transport(_: &Device) -> Result<(), String> {
    Err("only CUDA devices add gradients by NCCL".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_without_sums_of_their_own_say_why() {
        let cpu = Device::flex();
        assert!(try_out(&[cpu.clone(), cpu.clone()]).expect_err("twice the same").contains("twice"));
        assert!(has_transport(&cpu).expect_err("no GPU").contains("only CUDA"));
        assert_eq!(numbers(&[0, 2])[10], 40.0);
    }
}
