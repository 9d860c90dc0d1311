//! The models on a GPU backend, held against the CPU: the same losses after the same steps, no round trip within a step, and the same
//! samples from the same weights and noise. Any adapter serves, Mesa's software Vulkan too; without one the tests say so and pass.
//!
//! One model of each family by default, because a software adapter takes minutes to compile the kernels of each;
//! `SEMBLANT_GPU_MODELS=all` takes every model that trains, and a list such as `ctgan,flow` those.
#![cfg(any(feature = "cuda", feature = "wgpu"))]

#[path = "support/agree.rs"]
mod agree;
#[path = "support/counts.rs"]
mod counts;
#[allow(dead_code, reason = "shared with tests that use more of it")]
#[path = "images_contract/support.rs"]
mod images;
#[allow(dead_code, reason = "shared with tests that use more of it")]
#[path = "support/mod.rs"]
mod tables;

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use agree::{same_losses, same_pictures, same_rows};
use counts::fit_and_count;
use semblant::Device;
use semblant::prelude::*;
use serde_json::{Value, json};
use tables::{fits, patients};

/// The first device that is not the CPU, with its name, for one test at a time: they count what the process reads back.
fn gpu() -> Option<(String, Device, MutexGuard<'static, ()>)> {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let listed = semblant::device::list().into_iter().flat_map(|backend| backend.devices).find(|device| device.name != "cpu");
    let Some(listed) = listed else {
        println!("skipped: this machine has no adapter for the backends of this build");
        return None;
    };
    println!("{}: {}", listed.name, listed.description);
    let device = semblant::device::select(&listed.name).expect("listed");
    Some((listed.name, device, turn))
}

/// Whether a model takes part; `represents` says whether it stands for its family.
fn takes_part(name: &str, represents: bool) -> bool {
    match std::env::var("SEMBLANT_GPU_MODELS").as_deref() {
        Ok("all") => true,
        Ok(list) => list.split(',').any(|listed| listed == name),
        Err(_) => represents,
    }
}

fn on(device: &Device) -> Run {
    Run::new(device.clone(), 1)
}

/// Two steps of a table model, then its rows.
#[test]
fn table_models_are_those_of_the_cpu() {
    let Some((gpu_name, gpu, _turn)) = gpu() else { return };
    let (table, folder) = (patients(), tempfile::tempdir().expect("a folder"));
    for name in ["ctgan", "tvae"].into_iter().filter(|name| takes_part(name, *name == "ctgan")) {
        let started = Instant::now();
        let mut settings = tables::small(name);
        settings["epochs"] = json!(1);
        settings["batch_rows"] = json!(150);
        let unfitted = || table_model(name, settings.clone()).expect("known settings");
        let path = folder.path().join(name);
        let mut model = unfitted();
        let summary = fit_and_count(name, model.as_mut(), &table, on(&gpu));
        same_losses(name, &unfitted().fit(&table, &mut fits::run(1)).expect("fits on the CPU"), &summary);
        model.save(&path).expect("writable");
        let rows = |device: &str| {
            let request = SampleRequest::new(100, 3);
            load_table_model(&path, device).expect("loads").sample(&request).expect("samples").data
        };
        same_rows(name, &rows("cpu"), &rows(&gpu_name));
        println!("{name}: {:.0} s", started.elapsed().as_secs_f64());
    }
}

/// Two steps of an image model, then its images.
#[test]
fn image_models_are_those_of_the_cpu() {
    let Some((gpu_name, gpu, _turn)) = gpu() else { return };
    let (pictures, folder) = (images::bars(), tempfile::tempdir().expect("a folder"));
    let represents = ["flow", "dcgan", "vae"];
    for name in images::names().into_iter().filter(|name| takes_part(name, represents.contains(name))) {
        let started = Instant::now();
        // A VQ-VAE trains its autoencoder first and its prior then, so that it has one step of each.
        let two_steps: Value = json!({ "training": { "images": 16 } });
        let unfitted = || images::unfitted(name, two_steps.clone()).expect("known settings");
        let path = folder.path().join(name);
        let mut model = unfitted();
        let summary = fit_and_count(name, model.as_mut(), &pictures, on(&gpu));
        same_losses(name, &unfitted().fit(&pictures, &mut fits::run(1)).expect("fits on the CPU"), &summary);
        model.save(&path).expect("writable");
        let made = |device: &str| {
            let request = SampleRequest::new(20, 3);
            load_image_model(&path, device).expect("loads").sample(&request).expect("samples").data
        };
        same_pictures(name, &made("cpu"), &made(&gpu_name));
        println!("{name}: {:.0} s", started.elapsed().as_secs_f64());
    }
}
