//! Model files that are damaged, cut off, or of another kind.

use std::path::Path;

use semblant::Result;
use semblant::checkpoint::Checkpoint;
use semblant::data::table::simulate_patients;
use semblant::prelude::*;
use serde_json::{Value, json};

use crate::fits::{bytes, run};
use crate::support::*;

/// A model file with its header changed.
fn with_header(bytes: &[u8], change: impl Fn(&mut Value)) -> Vec<u8> {
    let length = u64::from_le_bytes(bytes[..8].try_into().expect("eight")) as usize;
    let mut header: Value = serde_json::from_slice(&bytes[8..8 + length]).expect("JSON");
    change(&mut header);
    let header = header.to_string().into_bytes();
    [&(header.len() as u64).to_le_bytes(), &header[..], &bytes[8 + length..]].concat()
}

#[test]
fn damaged_files_are_errors_that_name_the_file() {
    let (images, folder) = (bars(), tempfile::tempdir().expect("a folder"));
    let path = folder.path().join("damaged.safetensors");
    let try_load = |bytes: &[u8]| -> Result<Model> {
        std::fs::write(&path, bytes).expect("writable");
        semblant::load::<Images>(&path, "cpu")
    };
    let refused = |what: &str, bytes: &[u8], word: &str| {
        says(what, try_load(bytes), &["damaged.safetensors", word]);
    };
    for name in names() {
        let whole = bytes(&fitted(name, &images));
        assert!(try_load(&whole).is_ok(), "{name}");
        for cut in [0, 1, 7, 8, 9, whole.len() / 3, whole.len() / 2, whole.len() - 1] {
            refused(&format!("{name}, {cut} bytes"), &whole[..cut], "truncated");
        }
        refused(name, &[&whole[..], b"x"].concat(), "model file");
        let metadata = |key: &'static str, value: &str| with_header(&whole, |header| header["__metadata__"][key] = json!(value));
        refused(name, &metadata("semblant_format", "99"), "format 99");
        refused(name, &metadata("model", "ctgan"), "\"ctgan\"");
        for key in ["config", "images"] {
            refused(name, &metadata(key, "{\"a\": 1"), key);
        }
        let other_images = |change: &dyn Fn(&mut Value)| {
            let file = Checkpoint::from_bytes(whole.clone(), &path).expect("sound");
            let mut kind: Value = file.metadata_as("images", &path).expect("readable");
            change(&mut kind);
            metadata("images", &kind.to_string())
        };
        refused(name, &other_images(&|kind| kind["shape"]["height"] = json!(0)), "images that cannot be");
        refused(name, &other_images(&|kind| kind["shape"]["width"] = json!(1u64 << 40)), "images that cannot be");
        refused(name, &other_images(&|kind| kind["shape"]["width"] = json!(9)), if plays(name) { "halved" } else { "model" });
        refused(name, &other_images(&|kind| kind["class_counts"] = json!([1, 2])), "images that cannot be");
        refused(name, &other_images(&|kind| kind["class_counts"] = json!([0, 0, 0])), "images that cannot be");
        refused(name, &other_images(&|kind| kind["class_names"] = json!(["a", "b", "c", "d"])), "images that cannot be");
        let tensors: Vec<String> =
            Checkpoint::from_bytes(whole.clone(), &path).expect("sound").shapes().map(|(name, _)| name.to_owned()).collect();
        for tensor in &tensors {
            let reshaped = with_header(&whole, |header| {
                let shape = header[tensor]["shape"].as_array().expect("a shape").clone();
                let values: u64 = shape.iter().filter_map(Value::as_u64).product();
                // One dimension more, or the same values in one line: never the shape that the model has.
                header[tensor]["shape"] = if shape.len() > 1 { json!([values]) } else { json!([1, values]) };
            });
            refused(name, &reshaped, tensor.split_once('.').expect("a prefix").1);
        }
    }
}

#[test]
fn no_damage_to_a_header_is_a_panic() {
    let (images, path) = (bars(), Path::new("damaged.safetensors"));
    let device = semblant::device::select("cpu").expect("always there");
    let registry = Registry::default();
    for entry in registry.models::<Images>() {
        let whole = bytes(&fitted(entry.name, &images));
        let length = u64::from_le_bytes(whole[..8].try_into().expect("eight")) as usize;
        let (mut loaded, mut refused) = (0, 0);
        for position in (0..8 + length).step_by((length / 300).max(1)) {
            for byte in *b"9-}" {
                let mut damaged = whole.clone();
                damaged[position] = byte;
                let Ok(file) = Checkpoint::from_bytes(damaged.clone(), path) else { continue };
                match (entry.load)(&file, path, &device) {
                    // Some changes leave a sound file; what it holds has to be usable, or say why it is not.
                    Ok(model) => {
                        loaded += 1;
                        if loaded % 10 == 0
                            && let Ok(made) = model.sample(&ImageRequest::new(2, 1))
                        {
                            assert_eq!(made.data.count(), 2);
                        }
                    }
                    Err(error) => {
                        refused += 1;
                        assert!(error.to_string().contains("damaged.safetensors"), "{}: {error}", entry.name);
                    }
                }
            }
        }
        assert!(loaded > 0 && refused > 0, "{}: {loaded} loaded, {refused} refused", entry.name);
    }
}

#[test]
fn a_file_of_the_other_kind_is_refused_and_found() {
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
