//! What every model of images promises.

#[allow(dead_code, reason = "shared with tests that use more of it")]
#[macro_use]
#[path = "../support/mod.rs"]
mod support;

mod files;
mod networks;
mod sampling;
mod settings;
mod together;

use semblant::Error;
use semblant::prelude::*;
use serde_json::json;
use support::fits::*;
use support::images::*;

for_every!(images: equal_seeds_give_equal_files, images_do_not_depend_on_range_or_batch, resumed_fits_equal_uninterrupted_ones,
    unfitted_models_refuse_to_sample_save_and_export);
for_every!(with_classes: sampled_classes_follow_the_request, impossible_classes_are_named);
for_every!(of_any_size: models_without_classes_refuse_class_conditions);

#[test]
fn every_model_of_the_registry_is_tested() {
    let all = names::<Images>();
    let without = |others: &[&str]| all.iter().copied().filter(|name| !others.contains(name)).collect::<Vec<_>>();
    let of = |entries: &[semblant::synthesizer::Entry<Images>]| entries.iter().map(|entry| entry.name).collect::<Vec<_>>();
    let (denoisers, gans) = (of(semblant::diffusion::MODELS), of(semblant::gan::MODELS));
    let alone = [&gans[..], &["vq-vae"]].concat();
    for (group, tested, expected) in [
        ("images", group!(images tests (names)), all.clone()),
        ("denoisers", group!(denoisers tests (names)), denoisers.clone()),
        ("gans", group!(gans tests (names)), gans.clone()),
        ("not_gans", group!(not_gans tests (names)), without(&gans)),
        ("with_networks", group!(with_networks tests (names)), denoisers.into_iter().filter(|name| *name != "consistency").collect()),
        ("with_classes", group!(with_classes tests (names)), without(&["autoencoder-kl"])),
        ("with_own_classes", group!(with_own_classes tests (names)), without(&["autoencoder-kl", "consistency"])),
        (
            "of_any_size",
            group!(of_any_size tests (names)),
            without(&[&alone[..], &["consistency", "autoencoder-kl", "latent-dit"]].concat()),
        ),
        ("without_bf16", group!(without_bf16 tests (names)), without(&["flow", "edm", "ddpm"])),
        ("images_on_gpu", group!(images_on_gpu tests (names)), all.clone()),
        ("on_several_devices", group!(on_several_devices tests (names)), without(&alone)),
        ("on_one_device", group!(on_one_device tests (names)), alone),
    ] {
        assert_eq!(tested, expected, "add the model to the group \"{group}\" of tests/support/models.rs");
    }
}

fn equal_seeds_give_equal_files(name: &str) {
    let images = bars();
    let of_seed = |seed| {
        let training = match name {
            _ if is_denoiser(name) => json!({ "flip": 0.5, "augmentation": 0.2 }),
            _ if is_gan(name) => json!({ "augment": { "chance": 0.5, "target": 0.6, "flip": true } }),
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

fn images_do_not_depend_on_range_or_batch(name: &str) {
    let images = bars();
    let model = fitted(name, &images);
    // Solvers that draw fresh noise at every step must know an image's address too.
    let classes = has_classes(name);
    for settings in [json!({}), json!({ "solver": "euler-ancestral" })].into_iter().take(if is_denoiser(name) { 2 } else { 1 }) {
        let plain = with(40, settings);
        let of_class = ImageRequest { class: ClassRequest::Is("left".into()), ..plain.clone() };
        let balanced = ImageRequest { class: ClassRequest::Balanced, ..plain.clone() };
        for request in [plain, of_class, balanced].into_iter().take(if classes { 3 } else { 1 }) {
            let whole = sample(&model, &request);
            let slice = sample(&model, &ImageRequest { rows: 13..31, ..request.clone() });
            assert_eq!(slice, whole.select(&(13..31).collect::<Vec<_>>()), "{name}: a slice is part of the whole");
        }
    }
    // Far out in the endless sheet of a seed, images are there too.
    let far = |rows| sample(&model, &ImageRequest { rows, ..ImageRequest::new(0, 3) });
    assert_eq!(far(u64::MAX - 3..u64::MAX).select(&[2]), far(u64::MAX - 1..u64::MAX), "{name}");
}

fn resumed_fits_equal_uninterrupted_ones(name: &str) {
    let images = bars();
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

fn sampled_classes_follow_the_request(name: &str) {
    let images = bars();
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

fn impossible_classes_are_named(name: &str) {
    let images = bars();
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

fn models_without_classes_refuse_class_conditions(name: &str) {
    let bare = fitted(name, &plain([8, 1, 4, 4]));
    for request in [ImageRequest::new(3, 5).of_class("left"), ImageRequest::new(3, 5).balanced()] {
        let error = says(name, bare.sample(&request), &["without classes"]);
        assert!(matches!(error, Error::Condition(_)), "{name}: {error:?}");
    }
    let made = sample(&bare, &ImageRequest::new(3, 5));
    assert!(made.classes().is_none() && made.class_names().is_empty(), "{name}");
}

fn unfitted_models_refuse_to_sample_save_and_export(name: &str) {
    let (images, path) = (bars(), std::path::Path::new("never-written"));
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
