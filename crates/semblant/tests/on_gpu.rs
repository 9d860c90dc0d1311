//! The models on a GPU backend, held against the CPU: the same losses after the same steps, no round trip within a step, and the same
//! samples from the same weights and noise. Any adapter serves, Mesa's software Vulkan too; without one the tests say so and pass.
//!
//! One model of each family by default, because a software adapter takes minutes to compile the kernels of each;
//! `SEMBLANT_GPU_MODELS=all` takes every model that trains, and a list such as `ctgan,flow` those.
#![cfg(any(feature = "cuda", feature = "wgpu"))]
#![allow(clippy::print_stdout, reason = "a test says what it skipped and how long it took")]

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

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use agree::{same_losses, same_pictures, same_rows};
use counts::fit_and_count;
use semblant::Device;
use semblant::metrics::image::{classifier::Classifier, classifier::ClassifierConfig, distances::kernel_distance, prdc::Neighborhoods};
use semblant::prelude::*;
use semblant::progress::{Event, Observer};
use semblant::seeds::Stream;
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

/// Keeps what a run has to say.
struct Notes(Arc<Mutex<Vec<String>>>);

impl Observer for Notes {
    fn event(&mut self, event: Event<'_>) {
        if let Event::Note(note) = event {
            self.0.lock().expect("no panic").push(note.into());
        }
    }
}

/// Two workers that learn one model: on two CUDA devices, which then sum their gradients among themselves, else both on the same device.
#[test]
fn two_workers_learn_what_one_learns() {
    let Some((_, gpu, _turn)) = gpu() else { return };
    if !takes_part("flow", true) {
        return;
    }
    let listed = semblant::device::list().into_iter().filter(|backend| backend.name == "cuda").flat_map(|backend| backend.devices);
    let cuda: Vec<Device> = listed.take(2).map(|device| semblant::device::select(&device.name).expect("listed")).collect();
    let two = <[Device; 2]>::try_from(cuda).ok();
    let among_themselves = two.is_some();
    if !among_themselves {
        println!("sums of GPUs among themselves were skipped: this machine does not offer two CUDA devices to this build");
    }
    let [first, second] = two.unwrap_or_else(|| [gpu.clone(), gpu]);
    let fit = |extra_devices: Vec<Device>| {
        let (notes, settings) = (Arc::<Mutex<Vec<String>>>::default(), json!({ "training": { "rows": 16 } }));
        let mut model = images::unfitted("flow", settings).expect("known settings");
        let mut run = Run { extra_devices, observer: Box::new(Notes(notes.clone())), ..on(&first) };
        let summary = model.fit(&images::bars(), &mut run).expect("fits");
        let told = notes.lock().expect("no panic").iter().find(|note| note.contains("gradients")).cloned();
        (summary, model.sample(&SampleRequest::new(20, 3)).expect("samples").data, told)
    };
    let ((one, alone, nothing), (two, together, told)) = (fit(Vec::new()), fit(vec![second]));
    same_losses("flow", &one, &two);
    same_pictures("flow", &alone, &together);
    assert_eq!(nothing, None);
    let told = told.expect("where the gradients meet");
    println!("{told}");
    assert!(told.contains(if among_themselves { "NCCL" } else { "named twice" }), "{told}");
}

/// Two steps of an image model, then its images.
#[test]
fn image_models_are_those_of_the_cpu() {
    let Some((gpu_name, gpu, _turn)) = gpu() else { return };
    let (pictures, folder) = (images::bars(), tempfile::tempdir().expect("a folder"));
    let represents = ["flow", "dcgan", "vae"];
    // A VQ-VAE trains its autoencoder first and its prior then, so that it has one step of each.
    let two_steps: Value = json!({ "rows": 16 });
    let mut models: Vec<(&str, &str, Value)> = images::names().into_iter().map(|name| (name, name, json!({}))).collect();
    let unet = json!({
        "kind": "unet", "block_out_channels": [4, 4], "norm_num_groups": 2, "layers_per_block": 1,
        "down_block_types": ["DownBlock2D", "AttnDownBlock2D"], "up_block_types": ["AttnUpBlock2D", "UpBlock2D"],
    });
    models.push(("unet", "edm", json!({ "network": unet })));
    models.push(("dit", "flow", json!({ "network": { "kind": "dit", "patch": 4, "width": 16, "depth": 1, "heads": 2 } })));
    for (label, name, mut settings) in models.into_iter().filter(|(label, ..)| takes_part(label, represents.contains(label))) {
        let started = Instant::now();
        settings["training"] = two_steps.clone();
        let unfitted = || images::unfitted(name, settings.clone()).expect("known settings");
        let path = folder.path().join(label);
        let mut model = unfitted();
        let summary = fit_and_count(label, model.as_mut(), &pictures, on(&gpu));
        same_losses(label, &unfitted().fit(&pictures, &mut fits::run(1)).expect("fits on the CPU"), &summary);
        model.save(&path).expect("writable");
        let made = |device: &str| load_image_model(&path, device).expect("loads").sample(&SampleRequest::new(20, 3)).expect("samples").data;
        same_pictures(label, &made("cpu"), &made(&gpu_name));
        println!("{label}: {:.0} s", started.elapsed().as_secs_f64());
    }
}

/// What images are looked at with, and distances between features, whose products are f32 here and f64 on the CPU.
#[test]
fn features_and_their_distances_are_those_of_the_cpu() {
    let Some((_, gpu, _turn)) = gpu() else { return };
    let (folder, pictures) = (tempfile::tempdir().expect("a folder"), images::bars());
    let path = folder.path().join("classifier");
    let config = ClassifierConfig { channels: [4, 4], features: 8, images: 400, batch_images: 8, ..ClassifierConfig::default() };
    Classifier::fit(&pictures, None, &config, &mut fits::run(1)).expect("classes").save(&path).expect("writable");
    let features = |device: &Device| Classifier::load(&path, device).expect("saved").features(&pictures).expect("its images");
    let (expected, found) = (features(&Device::flex()), features(&gpu));
    let greatest = expected.iter().fold(0.0f32, |greatest, value| greatest.max(value.abs()));
    assert!(greatest > 0.0 && expected.len() == found.len());
    assert!(expected.iter().zip(&found).all(|(a, b)| (a - b).abs() <= 1e-4 * greatest), "features");

    let cloud = |seed: u64, shift: f32| {
        let mut values = Stream::new(seed, 0).matrix(0..400, 24, Stream::normals);
        values.iter_mut().step_by(24).for_each(|value| *value += shift);
        values
    };
    let (real, synthetic) = (cloud(0, 0.0), cloud(1, 0.5));
    let prdc = |device: &Device| {
        let neighborhoods = |features| Neighborhoods::new(features, 24, device).expect("enough features");
        neighborhoods(&real).prdc(&neighborhoods(&synthetic))
    };
    let (expected, found) = (prdc(&Device::flex()), prdc(&gpu));
    // A feature on the edge of a ball may be taken for one beside it.
    for (what, a, b) in [
        ("precision", expected.precision, found.precision),
        ("recall", expected.recall, found.recall),
        ("density", expected.density, found.density),
        ("coverage", expected.coverage, found.coverage),
    ] {
        assert!((a - b).abs() <= 2.0 / 400.0, "{what}: {b} for {a}");
    }
    let distance = |device: &Device| kernel_distance(&real, &synthetic, 24, 0, device).expect("features").mean;
    let (expected, found) = (distance(&Device::flex()), distance(&gpu));
    assert!(expected > 0.0 && (found / expected - 1.0).abs() < 1e-3, "kernel distance: {found} for {expected}");
}
