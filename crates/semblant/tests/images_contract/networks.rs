//! Every network under several models, odd images, folders for diffusers, and whether anything is learnt.

use std::path::Path;
use std::sync::{Arc, Mutex};

use semblant::prelude::*;
use semblant::progress::{Event, Observer};
use serde_json::{Value, json};

use crate::support::fits::*;
use crate::support::images::*;

for_every!(images: no_images_are_refused);
for_every!(of_any_size: trains_on_images_of_one_pixel_and_one_row);
for_every!(with_networks: every_network_trains_and_is_saved, networks_refuse_sizes_they_cannot_divide,
    samples_of_two_overfitted_images_are_those_images);
for_every!(with_own_classes: classes_without_images_are_not_drawn);

/// The three networks, as small as they go.
fn networks() -> [Value; 3] {
    [
        json!({ "kind": "mlp", "width": 16, "depth": 1 }),
        json!({ "kind": "dit", "patch": 4, "width": 16, "depth": 1, "heads": 2 }),
        json!({
            "kind": "unet", "block_out_channels": [8, 8], "norm_num_groups": 4,
            "down_block_types": ["DownBlock2D", "AttnDownBlock2D"], "up_block_types": ["AttnUpBlock2D", "UpBlock2D"],
        }),
    ]
}

fn every_network_trains_and_is_saved(name: &str) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("m.safetensors");
    let short = |network: &Value| json!({ "network": network, "training": { "rows": 24, "augmentation": 0.1 } });
    for network in networks() {
        for images in [bars(), plain([6, 3, 4, 8])] {
            let what = format!("{name}, {}, {:?}", network["kind"], images.shape());
            let mut model = unfitted(name, short(&network)).expect("known settings");
            let summary = model.fit(&images, &mut run(1)).unwrap_or_else(|error| panic!("{what}: {error}"));
            assert!(summary.steps == 3 && summary.losses.iter().all(|(_, loss)| loss.is_finite()), "{what}: {summary:?}");
            let mut again = unfitted(name, short(&network)).expect("known settings");
            again.fit(&images, &mut run(1)).expect("fits");
            assert!(bytes(&model) == bytes(&again), "{what}: equal seeds, other bytes");
            model.save(&path).expect("writable");
            let loaded = semblant::load::<Images>(&path, "cpu").unwrap_or_else(|error| panic!("{what}: {error}"));
            let made = sample(&model, &ImageRequest::new(3, 1));
            assert_eq!(made, sample(&loaded, &ImageRequest::new(3, 1)), "{what}");
            assert_eq!(made.shape()[1..], images.shape()[1..], "{what}");
            // The network is told where an image ends: the 17th is computed in a batch of its own.
            let whole = sample(&model, &ImageRequest::new(17, 1));
            assert_eq!(sample(&model, &ImageRequest { rows: 16..17, ..ImageRequest::new(0, 1) }), whole.select(&[16]), "{what}");
        }
    }
}

fn no_images_are_refused(name: &str) {
    let mut model = unfitted(name, json!({})).expect("known settings");
    says(name, model.fit(&bars().select(&[]), &mut run(1)), &["no images"]);
}

fn trains_on_images_of_one_pixel_and_one_row(name: &str) {
    for shape in [[1, 1, 1, 1], [5, 3, 1, 1], [2, 1, 1, 9]] {
        let model = fitted(name, &plain(shape));
        let made = sample(&model, &ImageRequest::new(4, 1));
        assert_eq!(made.shape()[1..], shape[1..], "{name}");
        let way = ImageRequest { between: Some([0, 1]), ..ImageRequest::new(3, 1) };
        assert_eq!(sample(&model, &way).count(), 3, "{name}, {shape:?}");
    }
}

fn networks_refuse_sizes_they_cannot_divide(name: &str) {
    let refused = |network: Value, shape, words: &[&str]| {
        let mut model = unfitted(name, json!({ "network": network })).expect("sizes are looked at when the images are there");
        says(name, model.fit(&plain(shape), &mut run(1)), words);
    };
    let [_, mut dit, unet] = networks();
    refused(dit.clone(), [4, 1, 6, 8], &["patch = 4", "6 x 8"]);
    refused(unet, [4, 1, 8, 7], &["2 levels", "8 x 7"]);
    dit["heads"] = json!(3);
    refused(dit, [4, 1, 8, 8], &["width = 16", "heads = 3"]);
    refused(json!({ "kind": "mlp", "width": 0 }), [4, 1, 8, 8], &["width = 0"]);
}

fn classes_without_images_are_not_drawn(name: &str) {
    let images = bars();
    let without_dots: Vec<usize> = (0..24).filter(|&image| images.class_of(image) != Some(0)).collect();
    let model = fitted(name, &images.select(&without_dots));
    let counts = sample(&model, &with(100, quick(name))).class_counts();
    assert!(counts[0] == 0 && counts[1] > 0 && counts[2] > 0, "{name}: {counts:?}");
}

/// A folder that another program reads holds the same model.
fn diffusers_folders_give_the_same_images(name: &str, network: &Value) {
    let (images, folder) = (bars(), tempfile::tempdir().expect("a folder"));
    let what = format!("{name}, {}", network["kind"]);
    let mut settings = eager();
    settings["network"] = network.clone();
    let model = fitted_with(name, &images, settings);
    let target = folder.path().join(&what);
    model.export().expect("diffusers").export("diffusers", &target).unwrap_or_else(|error| panic!("{what}: {error}"));
    let opened = semblant::load::<Images>(&target, "cpu").unwrap_or_else(|error| panic!("{what}: {error}"));
    // In one step from the highest level the image is what the network says there, whatever levels lie below.
    let mut ways = vec![json!({ "steps": 1, "solver": "euler", "clip": 0.0 })];
    if name == "ddpm" {
        // Its levels and its clipping are in the folder too.
        ways.push(json!({ "steps": 4, "solver": "ddim" }));
    }
    for settings in ways {
        let request = ImageRequest { class: ClassRequest::Is("top".into()), ..with(20, settings) };
        let (ours, theirs) = (sample(&model, &request), sample(&opened, &request));
        assert_eq!(theirs.class_names(), images.class_names(), "{what}");
        let most = ours.pixels().iter().zip(theirs.pixels()).map(|(a, b)| a.abs_diff(*b)).max();
        assert!(most <= Some(1), "{what}, {:?}: pixels differ by {most:?}", request.settings);
    }
    // As its own scheduler samples, and as any other model does.
    let steps = json!({ "steps": 4 });
    let made = sample(&opened, &with(5, steps.clone()));
    assert_eq!(made.shape(), [5, 1, 8, 8], "{what}");
    assert_eq!(sample(&opened, &ImageRequest { rows: 2..4, ..with(0, steps) }), made.select(&[2, 3]), "{what}");
    says(&what, opened.sample(&with(1, json!({ "solver": "rk4" }))), &["rk4"]);
    says(&what, opened.save(&folder.path().join("never")), &["folder"]);
    says(&what, model.export().expect("diffusers").export("diffusers", &target), &["no empty folder"]);
    // The folder written again is the same folder.
    let again = folder.path().join(format!("{what} again"));
    opened.export().expect("diffusers").export("diffusers", &again).expect("writable");
    assert_eq!(files(&target), files(&again), "{what}");
}

#[test]
fn diffusers_folders_of_flow_dit() {
    diffusers_folders_give_the_same_images("flow", &networks()[1]);
}

#[test]
fn diffusers_folders_of_edm_dit() {
    diffusers_folders_give_the_same_images("edm", &networks()[1]);
}

#[test]
fn diffusers_folders_of_ddpm_unet() {
    diffusers_folders_give_the_same_images("ddpm", &networks()[2]);
}

#[test]
fn diffusers_folders_of_ddpm_dit() {
    diffusers_folders_give_the_same_images("ddpm", &networks()[1]);
}

#[test]
fn models_that_diffusers_cannot_hold_are_refused() {
    let (images, folder) = (bars(), tempfile::tempdir().expect("a folder"));
    let [mlp, dit, _] = networks();
    let refused = |name: &str, model: &Model, words: &[&str]| {
        let target = folder.path().join("never");
        says(name, model.export().expect("diffusers").export("diffusers", &target), words);
        assert!(!target.exists(), "{name}");
    };
    refused("mlp", &fitted_with("flow", &images, json!({ "network": mlp })), &["perceptron"]);
    refused("consistency", &fitted("consistency", &images), &["edm"]);
    refused("not square", &fitted_with("flow", &plain([4, 1, 4, 8]), json!({ "network": dit })), &["square", "4 x 8"]);
}

/// The files below a folder with their contents, in order.
fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("readable") {
        let path = entry.expect("readable").path();
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if path.is_dir() {
            found.extend(files(&path).into_iter().map(|(file, bytes)| (format!("{name}/{file}"), bytes)));
        } else {
            found.push((name, std::fs::read(&path).expect("readable")));
        }
    }
    found.sort();
    found
}

/// Keeps every tick's loss.
struct Losses(Arc<Mutex<Vec<f64>>>);

impl Observer for Losses {
    fn event(&mut self, event: Event<'_>) {
        if let Event::Losses(losses) = event {
            self.0.lock().expect("one writer").extend(losses.iter().map(|(_, value)| value));
        }
    }
}

/// Two images of 4 x 4 pixels that are learnt by heart.
fn pair() -> Images {
    let pixels = (0..32).map(|i| [if i % 4 < 2 { 200 } else { 40 }, if i % 16 < 8 { 20 } else { 230 }][i / 16]).collect();
    Images::new(pixels, [2, 1, 4, 4], Some((vec![0, 1], vec!["columns".into(), "rows".into()]))).expect("sound")
}

/// The greatest difference of a pixel from the training image of the class that was asked for, over 16 samples of each class.
fn farthest(model: &Model, images: &Images, settings: &Value) -> u8 {
    let request = ImageRequest { class: ClassRequest::Balanced, seed: 11, ..with(32, settings.clone()) };
    let made = sample(model, &request);
    let difference = |image: usize| {
        let class = made.class_of(image).expect("asked for") as usize;
        made.pixels_of(image).iter().zip(images.pixels_of(class)).map(|(a, b)| a.abs_diff(*b)).max().unwrap_or(255)
    };
    (0..32).map(difference).max().unwrap_or(255)
}

/// Training long enough to overfit [`pair`].
fn long() -> Value {
    json!({ "rows": 48_000, "batch_rows": 32, "tick_rows": 640, "ema": { "half_life_rows": 2000.0 } })
}

/// The model fitted to `images` until each sample is one of them.
fn overfitted(name: &str, images: &Images) -> Model {
    let network = json!({ "kind": "mlp", "width": 64, "depth": 2 });
    let mut settings = json!({ "network": network, "training": long(), "sampling": { "steps": 18 } });
    if name == "ddpm" {
        // What is learnt by heart is the image; an error in the noise is many times as large in the image where little is left of it.
        settings["prediction"] = json!("sample");
    }
    let mut model = unfitted(name, settings).expect("known settings");
    let losses = Arc::default();
    model.fit(images, &mut Run { observer: Box::new(Losses(Arc::clone(&losses))), ..run(1) }).expect("fits");
    let losses = losses.lock().expect("the fit is over");
    let last = losses[losses.len() - 20..].iter().sum::<f64>() / 20.0;
    assert!(last < losses[0] / 10.0, "{name}: the loss fell from {} to {last}", losses[0]);
    // Half of the pixels are 180 or more apart in the two images: no mixture of the two is within the bound of either.
    for settings in [Value::Null, json!({ "solver": "euler" }), json!({ "guidance": 2.0 })] {
        let farthest = farthest(&model, images, &settings);
        assert!(farthest < 60, "{name}, {settings}: a pixel is {farthest} away from the image that was learnt");
    }
    model
}

fn samples_of_two_overfitted_images_are_those_images(name: &str) {
    overfitted(name, &pair());
}

#[test]
fn samples_of_two_overfitted_images_are_those_images_after_consistency_tuning() {
    let (images, folder) = (pair(), tempfile::tempdir().expect("a folder"));
    let path = folder.path().join("edm.safetensors");
    overfitted("edm", &images).save(&path).expect("writable");
    let mut quick = semblant::model::<Images>("consistency", json!({ "from": path, "training": long() })).expect("known settings");
    quick.fit(&images, &mut run(1)).expect("fits");
    for steps in [1, 2] {
        let farthest = farthest(&quick, &images, &json!({ "steps": steps }));
        assert!(farthest < 60, "consistency in {steps}: a pixel is {farthest} away from the image that was learnt");
    }
}
