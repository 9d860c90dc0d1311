//! Read-backs from devices are counted. In a process of its own, since it changes how the process sees the CPU.

use semblant_core::{device, host};

/// On the CPU as it is nothing is a read-back, and as a device every look is one.
#[test]
fn every_read_of_a_device_tensor_is_counted() {
    let read_backs = || {
        let before = host::read_backs();
        let tensor = host::tensor(vec![1.0, 2.0], [2], &device::select("cpu").expect("always there"));
        host::read(&tensor, |values| assert_eq!(values, [1.0, 2.0]));
        assert_eq!(host::scalar(host::update(tensor, |values| values[0] = 3.0).sum()), 5.0);
        host::read_backs() - before
    };
    assert_eq!(read_backs(), 0);
    host::treat_as_device(true);
    assert_eq!(read_backs(), 3);
}
