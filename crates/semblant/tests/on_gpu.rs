//! The models on a GPU backend, held against the CPU: the same losses after the same steps, no round trip within a step, and the same
//! samples from the same weights and noise. Any adapter serves, Mesa's software Vulkan too; without one the tests say so and pass.
//!
//! One model of each family runs by default, because a software adapter takes minutes to compile the kernels of each; `--include-ignored`
//! runs all of them, and `edm --include-ignored` that one.
#![cfg(any(feature = "cuda", feature = "wgpu"))]
#![allow(clippy::print_stdout, reason = "a test says what it skipped")]

#[allow(dead_code, reason = "shared with tests that use more of it")]
#[macro_use]
mod support;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use semblant::Device;
use semblant::metrics::image::{classifier::Classifier, classifier::ClassifierConfig, distances::kernel_distance, prdc::Neighborhoods};
use semblant::prelude::*;
use semblant::progress::{Event, Observer};
use semblant::seeds::Stream;
use serde_json::{Value, json};
use support::agree::{same_losses, same_pictures, same_rows};
use support::counts::fit_and_count;
use support::fits::run;
use support::images::{self, bars};
use support::tables::{self, patients};

for_every!(tables_on_gpu: tables_are_those_of_the_cpu);
for_every!(images_on_gpu: images_are_those_of_the_cpu);

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
    if listed.name.starts_with("cuda") {
        support::agree::expect_tf32();
    }
    Some((listed.name, device, turn))
}

fn on(device: &Device) -> Run {
    Run::new(device.clone(), 1)
}

/// Two steps of a model of tables, then its rows.
fn tables_are_those_of_the_cpu(name: &str) {
    let Some((gpu_name, gpu, _turn)) = gpu() else { return };
    let (table, folder) = (patients(), tempfile::tempdir().expect("a folder"));
    let mut settings = tables::small(name);
    settings["epochs"] = json!(1);
    settings["batch_rows"] = json!(150);
    let unfitted = || semblant::model::<Table>(name, settings.clone()).expect("known settings");
    let mut model = unfitted();
    let summary = fit_and_count(name, model.as_mut(), &table, on(&gpu));
    same_losses(name, &unfitted().fit(&table, &mut run(1)).expect("fits on the CPU"), &summary);
    let path = folder.path().join("model.safetensors");
    model.save(&path).expect("writable");
    let rows =
        |device: &str| semblant::load::<Table>(&path, device).expect("loads").sample(&TableRequest::new(100, 3)).expect("samples").data;
    same_rows(name, &rows("cpu"), &rows(&gpu_name));
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
        let summary = model.fit(&bars(), &mut run).expect("fits");
        let told = notes.lock().expect("no panic").iter().find(|note| note.contains("gradients")).cloned();
        (summary, model.sample(&ImageRequest::new(20, 3)).expect("samples").data, told)
    };
    let ((one, alone, nothing), (two, together, told)) = (fit(Vec::new()), fit(vec![second]));
    same_losses("flow", &one, &two);
    same_pictures("flow", &alone, &together);
    assert_eq!(nothing, None);
    let told = told.expect("where the gradients meet");
    println!("{told}");
    assert!(told.contains(if among_themselves { "NCCL" } else { "named twice" }), "{told}");
}

fn images_are_those_of_the_cpu(name: &str) {
    image_model_is_that_of_the_cpu(name, json!({}));
}

#[test]
#[ignore = "one model of each family runs by default"]
fn edm_with_a_unet_is_that_of_the_cpu() {
    let unet = json!({
        "kind": "unet", "block_out_channels": [4, 4], "norm_num_groups": 2, "layers_per_block": 1,
        "down_block_types": ["DownBlock2D", "AttnDownBlock2D"], "up_block_types": ["AttnUpBlock2D", "UpBlock2D"],
    });
    image_model_is_that_of_the_cpu("edm", json!({ "network": unet }));
}

#[test]
#[ignore = "one model of each family runs by default"]
fn flow_with_a_dit_is_that_of_the_cpu() {
    let dit = json!({ "kind": "dit", "patch": 4, "width": 16, "depth": 1, "heads": 2 });
    image_model_is_that_of_the_cpu("flow", json!({ "network": dit }));
}

/// Two steps of a model of images, then its images.
fn image_model_is_that_of_the_cpu(name: &str, mut settings: Value) {
    let Some((gpu_name, gpu, _turn)) = gpu() else { return };
    let (pictures, folder) = (bars(), tempfile::tempdir().expect("a folder"));
    // A VQ-VAE trains its autoencoder first and its prior then, so that it has one step of each.
    settings["training"] = json!({ "rows": 16 });
    let unfitted = || images::unfitted(name, settings.clone()).expect("known settings");
    let mut model = unfitted();
    let summary = fit_and_count(name, model.as_mut(), &pictures, on(&gpu));
    same_losses(name, &unfitted().fit(&pictures, &mut run(1)).expect("fits on the CPU"), &summary);
    let path = folder.path().join("model.safetensors");
    model.save(&path).expect("writable");
    let made =
        |device: &str| semblant::load::<Images>(&path, device).expect("loads").sample(&ImageRequest::new(20, 3)).expect("samples").data;
    same_pictures(name, &made("cpu"), &made(&gpu_name));
}

/// What images are looked at with, and distances between features, whose products are f32 here and f64 on the CPU.
#[test]
fn features_and_their_distances_are_those_of_the_cpu() {
    let Some((name, gpu, _turn)) = gpu() else { return };
    let (folder, pictures) = (tempfile::tempdir().expect("a folder"), bars());
    let path = folder.path().join("classifier");
    let config = ClassifierConfig { channels: [4, 4], features: 8, images: 400, batch_images: 8, ..ClassifierConfig::default() };
    Classifier::fit(&pictures, None, &config, &mut run(1)).expect("classes").save(&path).expect("writable");
    let features = |device: &Device| Classifier::load(&path, device).expect("saved").features(&pictures).expect("its images");
    let (expected, found) = (features(&Device::flex()), features(&gpu));
    let greatest = expected.iter().fold(0.0f32, |greatest, value| greatest.max(value.abs()));
    assert!(greatest > 0.0 && expected.len() == found.len());
    let tolerance = if name.starts_with("cuda") { 3e-3 } else { 1e-4 };
    assert!(expected.iter().zip(&found).all(|(a, b)| (a - b).abs() <= tolerance * greatest), "features");

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
