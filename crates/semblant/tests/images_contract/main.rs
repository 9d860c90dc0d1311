//! What every model of images in the registry promises. A new entry is tested here without any further work.

mod files;
#[path = "../support/fits.rs"]
mod fits;
mod networks;
mod sampling;
mod support;
mod together;

use fits::{StopAt, bytes, run};
use semblant::Error;
use semblant::checkpoint::Checkpoint;
use semblant::prelude::*;
use serde_json::{Value, json};
use support::*;

/// Whether `whole` has everything that `part` says.
fn holds(whole: &Value, part: &Value) -> bool {
    match part.as_object() {
        Some(part) => part.iter().all(|(key, value)| whole.get(key).is_some_and(|whole| holds(whole, value))),
        None => whole == part,
    }
}

#[test]
fn a_model_file_repeats_its_images_and_its_settings() {
    let (images, folder) = (bars(), tempfile::tempdir().expect("a folder"));
    for name in names() {
        let path = folder.path().join(format!("{name}.safetensors"));
        let mut model = unfitted(name, json!({})).expect("known settings");
        let summary = model.fit(&images, &mut run(1)).expect("fits");
        assert!(!summary.losses.is_empty() && summary.losses.iter().all(|(_, value)| value.is_finite()), "{name}: {summary:?}");
        assert_eq!((summary.steps, summary.rows_seen), (8, 64), "{name}");
        model.save(&path).expect("writable");
        let loaded = semblant::load::<Images>(&path, "cpu").unwrap_or_else(|error| panic!("{name}: {error}"));
        for seed in [0, 7] {
            let request = ImageRequest::new(20, seed);
            let made = sample(&model, &request);
            assert_eq!(made.shape(), [20, 1, 8, 8], "{name}");
            let told = with_classes().any(|told| told == name);
            assert_eq!(made.class_names(), if told { images.class_names() } else { &[] }, "{name}");
            assert_eq!(made, sample(&loaded, &request), "{name}");
        }
        let of_seed = |seed| sample(&model, &ImageRequest::new(20, seed));
        assert_ne!(of_seed(0).pixels(), of_seed(7).pixels(), "{name}: another seed, other images");

        // The settings in the file are all of them, and make the same model again.
        let file = Checkpoint::read(&path).expect("readable");
        assert_eq!(file.model(), name);
        let settings: Value = file.metadata_as("config", &path).expect("settings");
        assert!(holds(&settings, &small(name)), "{name}: {settings}");
        let mut again = semblant::model::<Images>(name, settings).expect("its own settings");
        again.fit(&images, &mut run(1)).expect("fits");
        assert!(bytes(&again) == std::fs::read(&path).expect("there"), "{name}: the same settings, another model");
    }
}

#[test]
fn equal_seeds_give_equal_files() {
    let images = bars();
    for name in names() {
        let of_seed = |seed| {
            let training = match name {
                name if denoises(name) => json!({ "flip": 0.5, "augmentation": 0.2 }),
                name if plays(name) => json!({ "augment": { "chance": 0.5, "target": 0.6, "flip": true } }),
                _ => json!({ "flip": 0.5 }),
            };
            let mut model = unfitted(name, json!({ "training": training })).expect("known settings");
            model.fit(&images, &mut run(seed)).expect("fits");
            bytes(&model)
        };
        let first = of_seed(1);
        assert!(first == of_seed(1), "{name}: the same seed, another file");
        assert!(first != of_seed(2), "{name}: another seed, the same file");
    }
}

#[test]
fn neither_range_nor_batch_changes_an_image() {
    let images = bars();
    for name in names() {
        let model = fitted(name, &images);
        // Solvers that draw fresh noise at every step must know an image's address too.
        let told = with_classes().any(|told| told == name);
        for settings in [json!({}), json!({ "solver": "euler-ancestral" })].into_iter().take(if denoises(name) { 2 } else { 1 }) {
            let plain = with(40, settings);
            let of_class = ImageRequest { class: ClassRequest::Is("left".into()), ..plain.clone() };
            let balanced = ImageRequest { class: ClassRequest::Balanced, ..plain.clone() };
            for request in [plain, of_class, balanced].into_iter().take(if told { 3 } else { 1 }) {
                let whole = sample(&model, &request);
                let slice = sample(&model, &ImageRequest { rows: 13..31, ..request.clone() });
                assert_eq!(slice, whole.select(&(13..31).collect::<Vec<_>>()), "{name}: a slice is part of the whole");
            }
        }
        // Far out in the endless sheet of a seed, images are there too.
        let far = |rows| sample(&model, &ImageRequest { rows, ..ImageRequest::new(0, 3) });
        assert_eq!(far(u64::MAX - 3..u64::MAX).select(&[2]), far(u64::MAX - 1..u64::MAX), "{name}");
    }
}

#[test]
fn an_interrupted_fit_ends_as_the_uninterrupted_one_did() {
    let images = bars();
    for name in names() {
        let expected = bytes(&fitted(name, &images));
        let folder = tempfile::tempdir().expect("a folder");
        let within = |resume| Run { folder: Some(folder.path().join("run")), resume, ..run(1) };
        let mut model = unfitted(name, json!({})).expect("known settings");
        let mut first = within(false);
        first.observer = Box::new(StopAt { rows: 24, stop: first.stop.clone() });
        let error = says(name, model.fit(&images, &mut first), &["--resume"]);
        assert!(matches!(error, Error::Interrupted { .. }), "{name}: {error}");
        assert!(model.save(&folder.path().join("half")).is_err(), "{name}: half a model cannot be saved");
        // Other images are not what this state was trained on.
        let mut other = unfitted(name, json!({})).expect("known settings");
        let fewer = images.select(&(0..23).collect::<Vec<_>>());
        says(name, other.fit(&fewer, &mut within(true)), &["run"]);
        let mut resumed = unfitted(name, json!({})).expect("known settings");
        let summary = resumed.fit(&images, &mut within(true)).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(summary.steps, 8, "{name}");
        assert!(bytes(&resumed) == expected, "{name}: resumed and uninterrupted files differ");
    }
}

#[test]
fn a_sheet_of_samples_is_drawn_at_every_tick() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut model = unfitted("flow", json!({ "training": { "tick_rows": 24 } })).expect("known settings");
    model.fit(&bars(), &mut Run { folder: Some(folder.path().into()), ..run(1) }).expect("fits");
    for seen in [24, 48, 64] {
        let sheet = image_size(&folder.path().join(format!("samples-{seen:010}.png")));
        // Ten of 64 pixels and eleven gaps of two in a row, four rows.
        assert_eq!(sheet, [4 * 64 + 5 * 2, 10 * 64 + 11 * 2], "after {seen}");
    }
}

/// Height and width of a picture.
fn image_size(path: &std::path::Path) -> [usize; 2] {
    let alone = tempfile::tempdir().expect("a folder");
    std::fs::copy(path, alone.path().join("picture.png")).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let read = Images::read(alone.path(), &ImageOptions::default()).expect("a picture").images;
    [read.height(), read.width()]
}

#[test]
fn classes_are_those_that_are_asked_for() {
    let images = bars();
    for name in with_classes() {
        let model = fitted(name, &images);
        for (class, (asked, _)) in CLASSES.iter().enumerate() {
            let made = sample(&model, &ImageRequest::new(9, 5).of_class(*asked));
            assert!(made.classes().is_some_and(|classes| classes.iter().all(|&of| of as usize == class)), "{name}, {asked}");
        }
        let balanced = sample(&model, &ImageRequest { class: ClassRequest::Balanced, ..ImageRequest::new(30, 5) });
        assert_eq!(balanced.class_counts(), [10, 10, 10], "{name}");
        // Unasked, classes come as often as among the training images; the bounds are four standard deviations.
        let drawn = sample(&model, &with(600, quick(name))).class_counts();
        for (count, (class, among_24)) in drawn.iter().zip(CLASSES) {
            let share = among_24 as f64 / 24.0;
            let spread = 4.0 * (600.0 * share * (1.0 - share)).sqrt();
            assert!((*count as f64 - 600.0 * share).abs() < spread, "{name}, {class}: {count} of 600, expected {}", 600.0 * share);
        }
    }
}

#[test]
fn conditions_that_cannot_be_met_are_named() {
    let images = bars();
    for name in with_classes() {
        let model = fitted(name, &images);
        let refused = |class: &str, words: &[&str]| {
            let request = ImageRequest::new(3, 5).of_class(class);
            let error = says(name, model.sample(&request), words);
            assert!(matches!(error, Error::Condition(_)), "{name}: {error:?}");
            if let Some(rebuild) = model.rebuild() {
                says(name, rebuild.rebuild(&images, None, &request), words);
            }
        };
        refused("right", &["\"right\"", "dots, left, top"]);
        refused("", &["\"\"", "dots, left, top"]);
    }
    for name in of_any_size() {
        let bare = fitted(name, &plain([8, 1, 4, 4]));
        for request in [ImageRequest::new(3, 5).of_class("left"), ImageRequest::new(3, 5).balanced()] {
            let error = says(name, bare.sample(&request), &["without classes"]);
            assert!(matches!(error, Error::Condition(_)), "{name}: {error:?}");
        }
        let made = sample(&bare, &ImageRequest::new(3, 5));
        assert!(made.classes().is_none() && made.class_names().is_empty(), "{name}");
    }
}

#[test]
fn settings_that_cannot_be_are_named() {
    for name in names() {
        let refused = |more: Value, words: &[&str]| {
            let error = says(name, unfitted(name, more), words);
            assert!(matches!(error, Error::Config(_)), "{name}: {error:?}");
        };
        refused(json!({ "no_such_setting": 1 }), &["no_such_setting"]);
        refused(json!({ "training": { "rows": 0, "epochs": 0 } }), &["training.epochs = 0"]);
        refused(json!({ "training": { "rows": u64::MAX } }), &["training.rows"]);
        refused(json!({ "training": { "images": "many" } }), &["many"]);
        refused(json!({ "training": { "batch_rows": 0 } }), &["training.batch_rows = 0"]);
        refused(json!({ "training": { "ema": { "half_life_rows": -1.0 } } }), &["training.ema.half_life_rows"]);
        if plays(name) {
            refused(json!({ "training": { "augment": { "chance": 1.5 } } }), &["training.augment.chance = 1.5"]);
            refused(json!({ "training": { "critic_steps": 0 } }), &["training.critic_steps = 0"]);
            refused(json!({ "training": { "generator": { "learning_rate": -1.0 } } }), &["training.generator.learning_rate"]);
            refused(json!({ "network": { "channels": [] } }), &["network.channels"]);
            refused(json!({ "network": { "latent": 0 } }), &["network.latent = 0"]);
            refused(json!({ "sampling": { "truncation": 0.0 } }), &["sampling.truncation = 0"]);
            continue;
        }
        refused(json!({ "training": { "flip": 1.5 } }), &["training.flip = 1.5"]);
        refused(json!({ "training": { "class_dropout": -0.5 } }), &["training.class_dropout = -0.5"]);
        refused(json!({ "training": { "optimizer": { "learning_rate": -1.0 } } }), &["training.optimizer.learning_rate"]);
    }
    for name in denoisers() {
        let refused = |more: Value, words: &[&str]| {
            let error = says(name, unfitted(name, more), words);
            assert!(matches!(error, Error::Config(_)), "{name}: {error:?}");
        };
        refused(json!({ "network": { "kind": "gnu" } }), &["gnu", "dit"]);
        refused(json!({ "sampling": { "steps": 0 } }), &["steps = 0"]);
        refused(json!({ "sampling": { "solver": "rk4" } }), &["rk4", "heun"]);
        // What the sampler would refuse is refused before hours of training, not after.
        if !matches!(name, "edm" | "consistency") {
            refused(json!({ "sampling": { "churn": 40.0, "solver": "heun" } }), &["churn"]);
        }
    }
    let refused = |name: &str, settings: Value, words: &[&str]| {
        let error = says(name, semblant::model::<Images>(name, settings), words);
        assert!(matches!(error, Error::Config(_)), "{name}: {error:?}");
    };
    refused("flow", json!({ "shift": 0.0 }), &["shift = 0"]);
    refused("edm", json!({ "sigma_min": 90.0 }), &["sigma_max", "90"]);
    refused("ddpm", json!({ "timesteps": 10, "sampling": { "steps": 11 } }), &["steps = 11", "10"]);
    refused("ddpm", json!({ "prediction": "velocity" }), &["prediction"]);
    refused("r3gan", json!({ "gamma": -1.0 }), &["gamma = -1"]);
    refused("wgan-gp", json!({ "penalty": -1.0 }), &["penalty = -1"]);
    refused("diffusion", json!({}), &["\"diffusion\"", "flow, edm, ddpm, consistency"]);
    refused("ctgan", json!({}), &["\"ctgan\""]);
    let mut lost = semblant::model::<Images>("consistency", json!({})).expect("the file is asked for when it is needed");
    says("consistency", lost.fit(&bars(), &mut run(1)), &["from", "edm"]);
    let mut lost = semblant::model::<Images>("consistency", json!({ "from": "absent.safetensors" })).expect("as above");
    says("consistency", lost.fit(&bars(), &mut run(1)), &["absent.safetensors"]);
    // The model that tuning begins with must have learnt from images such as these; a perceptron would not notice another shape.
    for other in [plain([8, 1, 4, 16]), plain([8, 1, 8, 8])] {
        let mut lost = unfitted("consistency", json!({})).expect("known settings");
        says("consistency", lost.fit(&other, &mut run(1)), &["images-contract-edm.safetensors", "another size"]);
    }
}

#[test]
fn an_unfitted_model_says_so() {
    let (images, path) = (bars(), std::path::Path::new("never-written"));
    for name in names() {
        let model = unfitted(name, json!({})).expect("known settings");
        says(name, model.sample(&ImageRequest::new(1, 1)), &["fit"]);
        says(name, model.save(path), &["fit"]);
        if let Some(rebuild) = model.rebuild() {
            says(name, rebuild.rebuild(&images, None, &ImageRequest::new(1, 1)), &["fit"]);
        }
        if let Some(export) = model.export() {
            says(name, export.export("diffusers", path), &["fit"]);
        }
        assert!(!path.exists());
    }
}
