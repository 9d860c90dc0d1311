//! How many kernels a GPU's driver compiles for one fit: each takes a second before the first step. One test alone in its program, since kernels
//! that are compiled stay.
#![cfg(any(feature = "cuda", feature = "wgpu"))]
#![allow(clippy::print_stdout, reason = "a test says what it counted")]

use semblant::data::table::simulate_patients;
use semblant::kernels;
use semblant::prelude::*;
use serde_json::json;

/// CTGAN compiled 255 kernels before it had kernels of its own.
#[test]
fn kernels_of_a_fit_are_counted() {
    assert!(kernels::count() && kernels::configure(kernels::Tuning::Minimal), "nothing was configured before");
    let listed = semblant::device::list().into_iter().flat_map(|backend| backend.devices).find(|device| device.name != "cpu");
    let Some(listed) = listed else {
        println!("skipped: this machine has no adapter for the backends of this build");
        return;
    };
    let device = semblant::device::select(&listed.name).expect("listed");
    let before = kernels::compiled();
    let mut model = semblant::model::<Table>("ctgan", json!({ "epochs": 1 })).expect("known settings");
    model.fit(&simulate_patients(600, 0), &mut Run::new(device, 0)).expect("fits");
    let compiled = kernels::compiled() - before;
    println!("{}: {compiled} kernels compiled", listed.name);
    // CUDA may find kernels that an earlier run kept.
    assert!(compiled <= MOST && (compiled > 0 || listed.name.starts_with("cuda")), "{compiled} kernels");
}

/// What it may be: an eighth more than was counted on software Vulkan.
const MOST: u64 = 255;
