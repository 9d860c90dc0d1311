//! What model files hold, and what damage to them does.

use std::path::Path;

use semblant::checkpoint::Checkpoint;
use semblant::data::table::simulate_patients;
use semblant::prelude::*;
use serde_json::{Value, json};

use crate::support::fits::*;
use crate::support::images::*;

for_every!(images: files_keep_images_and_settings, damaged_files_are_refused_by_name, damaged_headers_never_panic,
    any_number_in_a_file_is_survived);

/// Whether `whole` has everything that `part` says.
fn holds(whole: &Value, part: &Value) -> bool {
    match part.as_object() {
        Some(part) => part.iter().all(|(key, value)| whole.get(key).is_some_and(|whole| holds(whole, value))),
        None => whole == part,
    }
}

fn files_keep_images_and_settings(name: &str) {
    let (images, folder) = (bars(), tempfile::tempdir().expect("a folder"));
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
        let classes = has_classes(name);
        assert_eq!(made.class_names(), if classes { images.class_names() } else { &[] }, "{name}");
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

fn damaged_files_are_refused_by_name(name: &str) {
    let (whole, path) = (bytes(&fitted(name, &bars())), Path::new("whole"));
    refuses_damage::<Images>(name, &whole);
    let refused = |what: &str, bytes: &[u8], word: &str| {
        says(&format!("{name}, {what}"), loads_or_names_the_file::<Images>(bytes), &[word]);
    };
    refused("an unknown model", &with_metadata(&whole, "model", "ctgan"), "\"ctgan\"");
    for key in ["config", "images"] {
        refused("other images", &with_metadata(&whole, key, "{\"a\": 1"), key);
    }
    let other_images = |change: &dyn Fn(&mut Value)| {
        let file = Checkpoint::from_bytes(whole.clone(), path).expect("sound");
        let mut kind: Value = file.metadata_as("images", path).expect("readable");
        change(&mut kind);
        with_metadata(&whole, "images", &kind.to_string())
    };
    refused("other images", &other_images(&|kind| kind["shape"]["height"] = json!(0)), "images that cannot be");
    refused("other images", &other_images(&|kind| kind["shape"]["width"] = json!(1u64 << 40)), "images that cannot be");
    refused("other images", &other_images(&|kind| kind["shape"]["width"] = json!(9)), if is_gan(name) { "halved" } else { "model" });
    refused("other images", &other_images(&|kind| kind["class_counts"] = json!([1, 2])), "images that cannot be");
    refused("other images", &other_images(&|kind| kind["class_counts"] = json!([0, 0, 0])), "images that cannot be");
    refused("other images", &other_images(&|kind| kind["class_names"] = json!(["a", "b", "c", "d"])), "images that cannot be");
}

fn damaged_headers_never_panic(name: &str) {
    survives_damaged_headers::<Images>(name, &bytes(&fitted(name, &bars())), 300);
}

#[test]
fn files_of_another_kind_are_refused_and_recognized() {
    let folder = tempfile::tempdir().expect("a folder");
    let [image, table] = ["image.safetensors", "table.safetensors"].map(|name| folder.path().join(name));
    fitted("flow", &bars()).save(&image).expect("writable");
    let mut independent = semblant::model::<Table>("independent", json!({})).expect("known");
    independent.fit(&simulate_patients(50, 0), &mut run(1)).expect("fits");
    independent.save(&table).expect("writable");
    says("a table", semblant::load::<Images>(&table, "cpu"), &["table.safetensors", "\"independent\"", "flow"]);
    says("an image", semblant::load::<Table>(&image, "cpu"), &["image.safetensors", "\"flow\"", "ctgan"]);
    let registry = Registry::default();
    assert_eq!(registry.kind_of_file(&image).expect("sound").kind(), "images");
    assert_eq!(registry.kind_of_file(&table).expect("sound").kind(), "table");
    says("an empty folder", semblant::load::<Images>(folder.path(), "cpu"), &["model_index.json"]);
}

fn any_number_in_a_file_is_survived(name: &str) {
    survives_any_number::<Images>(name, &bytes(&fitted(name, &bars())));
}
